"""A browser application: tokens in HttpOnly cookies, and a CSRF value with each change."""

from flask import Flask, jsonify, request

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt_identity,
    jwt_required,
    set_access_cookies,
    unset_jwt_cookies,
)

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
app.config["JWT_PROFILE"] = "strict"  # Secure, SameSite=Lax, and names that begin with __Host-
app.config["JWT_TOKEN_LOCATION"] = "cookies"
JWTManager(app)

notes = []


@app.post("/login")
def login():  # check a password here first
    response = jsonify(login=True)
    set_access_cookies(response, create_access_token(request.json["username"]))
    return response


@app.post("/logout")
def logout():
    response = jsonify(logout=True)
    unset_jwt_cookies(response)
    return response


@app.get("/notes")
@jwt_required()
def read():
    return {"notes": notes, "reader": get_jwt_identity()}


@app.post("/notes")
@jwt_required()  # a POST request needs the CSRF value too
def write():
    notes.append(request.json["note"])
    return {"notes": notes}, 201
