"""Replace the secret: the new one signs, and tokens of the old one are accepted until they expire."""

import os

from flask import Flask, request

from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["FLASK_JWT_SECRET_KEY"]
app.config["JWT_SECRET_KEY_FALLBACKS"] = os.environ.get("OLD_SECRETS", "").split()
JWTManager(app)


@app.post("/login")
def login():  # check a password here first
    return {"access_token": create_access_token(request.json["username"])}


@app.get("/me")
@jwt_required()
def me():
    return {"me": get_jwt_identity()}
