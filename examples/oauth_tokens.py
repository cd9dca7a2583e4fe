"""Access tokens in the form of RFC 9068, for other services to verify."""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_ACCESS_TOKEN_TYP"] = "at+jwt"
app.config["JWT_ENCODE_ISSUER"] = "https://login.example.com"
app.config["JWT_ENCODE_AUDIENCE"] = "orders-api"
app.config["JWT_DECODE_AUDIENCE"] = "orders-api"
app.config.from_prefixed_env()  # for example, FLASK_JWT_KEYS
jwt = JWTManager(app)


@jwt.additional_claims_loader
def add_client(_identity):
    return {"client_id": "shop"}  # the client that asked for the token


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
