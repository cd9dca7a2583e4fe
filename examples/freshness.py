"""Important views require a fresh token: one from a recent login with a password."""

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
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    who = request.json["username"]
    # Fresh for ten minutes. Views without fresh=True accept it until it expires.
    access_token = create_access_token(who, fresh=timedelta(minutes=10))
    return {"access_token": access_token, "refresh_token": create_refresh_token(who)}


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():  # no password was checked, so the new token is not fresh
    return {"access_token": create_access_token(get_jwt_identity(), fresh=False)}


@app.get("/orders")
@jwt_required()
def orders():
    return {"orders of": get_jwt_identity()}


@app.delete("/account")
@jwt_required(fresh=True)
def delete_account():
    return {"deleted": get_jwt_identity()}
