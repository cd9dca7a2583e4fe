"""What matters asks for a fresh token: one for which a password was typed, and not long ago."""

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
    # Fresh for ten minutes, and good for what does not ask for freshness as long as it lives.
    access_token = create_access_token(who, fresh=timedelta(minutes=10))
    return {"access_token": access_token, "refresh_token": create_refresh_token(who)}


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():  # nobody has typed a password: the new token is not fresh
    return {"access_token": create_access_token(get_jwt_identity(), fresh=False)}


@app.get("/orders")
@jwt_required()
def orders():
    return {"orders of": get_jwt_identity()}


@app.delete("/account")
@jwt_required(fresh=True)
def delete_account():
    return {"deleted": get_jwt_identity()}
