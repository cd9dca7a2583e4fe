"""The ten lines of the README: log in, then say hello with the token."""

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY: python -c 'import secrets; print(secrets.token_hex())'
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(identity=request.json["username"])}


@app.get("/hello")
@jwt_required()
def hello():
    return {"hello": get_jwt_identity()}
