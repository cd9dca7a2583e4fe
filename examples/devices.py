"""Sessions for a browser: a login, a refresh, a logout and a list of "my devices"."""

from flask import Flask, jsonify, request

from flask_jwt_extended import (
    JWTManager,
    end_session,
    jwt_required,
    list_sessions,
    refresh_session,
    set_session_cookies,
    start_session,
    unset_jwt_cookies,
)

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config.update(JWT_PROFILE="strict", JWT_TOKEN_LOCATION="cookies", JWT_STORE_URI="sqlite:///jwt.db")
JWTManager(app)


def with_cookies(pair):
    response = jsonify(session=pair.session_id)
    set_session_cookies(response, pair)
    return response


@app.post("/login")
def login():  # check a password here first
    return with_cookies(start_session(request.json["username"], label=request.json.get("device")))


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    return with_cookies(refresh_session())


@app.post("/logout")
@jwt_required()
def logout():
    response = jsonify(ended=end_session(request.json.get("session")))
    if not request.json.get("session"):
        unset_jwt_cookies(response)
    return response


@app.get("/devices")
@jwt_required()
def devices():
    return jsonify(list_sessions())
