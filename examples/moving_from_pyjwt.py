"""From PyJWT by hand: existing tokens stay valid, and new tokens are complete."""

from datetime import datetime, timezone

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config.update(
    JWT_PROFILE="strict",
    # The form of the existing tokens, for example {"user_id": 5, "exp": ...} in "Authorization: Token ...".
    JWT_HEADER_TYPE="Token",
    JWT_IDENTITY_CLAIM="user_id",
    # They have only `exp`. Remove this line when the last of them has expired.
    JWT_REQUIRED_CLAIMS=["exp"],
)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY, the secret they were signed with
jwt = JWTManager(app)

LAST_LOGOUT = {}


@jwt.token_verification_loader
def still_counts(_header, claims):  # the old decorator's check besides the signature
    since = LAST_LOGOUT.get(claims["user_id"], datetime.min.replace(tzinfo=timezone.utc))
    return claims.get("iat", claims["exp"]) > since.timestamp()


@app.post("/login")
def login():  # check a password here first
    return {"token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
