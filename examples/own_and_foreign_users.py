"""An API with its own users that also accepts tokens of one OpenID Connect issuer, for example Keycloak.

FLASK_JWT_SECRET_KEY=... ISSUER=https://login.example.com/realms/shop AUDIENCE=orders-api \
    flask --app own_and_foreign_users run
"""

import os

from flask import Flask, request

from flask_jwt_extended import (
    JWTManager,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    list_sessions,
    start_session,
)

ISSUER = os.environ["ISSUER"]
#: Our user for each user of the issuer, by (iss, sub): a table of your database.
USERS = {(ISSUER, "0b9c3f3e"): "ada"}
#: Blocked tokens, by (iss, jti).
BLOCKED = set()

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config["JWT_PROFILE"] = "strict"
app.config["JWT_STORE_URI"] = "memory://"
app.config["JWT_TRUSTED_ISSUERS"] = {
    ISSUER: {"audience": os.environ["AUDIENCE"], "scopes": ["orders:read"], "required_claims": ["exp", "iat", "jti"]},
}
jwt = JWTManager(app)


@jwt.token_in_blocklist_loader
def is_blocked(_header, claims):
    return (claims.get("iss"), claims["jti"]) in BLOCKED


@jwt.roles_loader
def roles_of(_header, claims):
    if claims.get("iss") != ISSUER:
        return claims.get("roles", [])
    return {"clerk", "manager"}.intersection(claims.get("realm_access", {}).get("roles", []))


@app.post("/login")
def login():  # check the password here
    return {"access_token": start_session(request.json["username"]).access_token}


@app.post("/exchange")
@jwt_required()
def exchange():
    user = USERS.get((get_jwt().get("iss"), get_jwt_identity()))
    if user is None:
        return {"msg": "You have no account here"}, 403
    return {"access_token": start_session(user).access_token}


@app.get("/sessions")
@jwt_required()
def sessions():
    return {"sessions": [each.session_id for each in list_sessions()]}


@app.get("/orders")
@jwt_required(scopes="orders:read", roles="clerk")
def orders():
    return {"orders": []}


@app.post("/block")
@jwt_required()
def block():
    BLOCKED.add((get_jwt().get("iss"), get_jwt()["jti"]))
    return {"blocked": True}
