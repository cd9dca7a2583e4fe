"""An API for a mobile app, with both tokens in the body. mobile_client.py is the app's side."""

from flask import Flask, jsonify, request

from flask_jwt_extended import (
    JWTManager,
    end_session,
    get_jwt_identity,
    jwt_required,
    refresh_session,
    start_session,
)

app = Flask(__name__)
app.config.update(JWT_PROFILE="strict", JWT_STORE_URI="sqlite:///jwt.db")
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    return jsonify(start_session(request.json["username"], label=request.json.get("device")))


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return jsonify(refresh_session())


@app.post("/logout")
@jwt_required(refresh=True)  # so it works when the access token has expired, too
def logout():
    return {"ended": end_session()}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
