"""The application for a server behind one proxy: gunicorn --config gunicorn.conf.py wsgi:app"""

from flask import Flask, jsonify, request
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_jwt_extended import (
    JWTManager,
    get_jwt_identity,
    jwt_exempt,
    jwt_required,
    list_sessions,
    refresh_session,
    set_session_cookies,
    start_session,
)

app = Flask(__name__)
app.config.update(JWT_PROFILE="strict", JWT_TOKEN_LOCATION=["headers", "cookies"])
# FLASK_JWT_SECRET_KEY or FLASK_JWT_KEYS, and FLASK_JWT_STORE_URI: from the environment, not from the code.
app.config.from_prefixed_env()
# Take the scheme, the host and the client's address from one proxy.
app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)
jwt = JWTManager(app)
jwt.protect(app)


@app.get("/health")
@jwt_exempt
def health():
    return {"up": True}


@app.post("/login")
@jwt_exempt
def login():  # check a password here first
    response = jsonify(secure=request.is_secure)
    set_session_cookies(response, start_session(request.json["username"]))
    return response


@app.post("/refresh")
@jwt_required(refresh=True)
def refresh():
    response = jsonify(refreshed=True)
    set_session_cookies(response, refresh_session())
    return response


@app.get("/devices")
def devices():
    return jsonify([session.address for session in list_sessions()])


@app.post("/orders")
def order():
    return {"ordered by": get_jwt_identity()}, 201
