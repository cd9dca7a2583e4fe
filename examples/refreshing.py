"""A short-lived access token, and a refresh token to get the next one."""

from datetime import timedelta

from flask import Flask, request

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt_identity,
    jwt_required,
)

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(minutes=15)
app.config["JWT_REFRESH_TOKEN_EXPIRES"] = timedelta(days=30)
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    who = request.json["username"]
    return {"access_token": create_access_token(who), "refresh_token": create_refresh_token(who)}


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return {"access_token": create_access_token(get_jwt_identity())}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
