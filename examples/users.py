"""From a user to a token and back: ``current_user`` in every protected view."""

from dataclasses import dataclass

from flask import Flask, abort, request
from werkzeug.security import check_password_hash, generate_password_hash

from flask_jwt_extended import JWTManager, create_access_token, current_user, jwt_required

app = Flask(__name__)
app.config.from_prefixed_env()  # FLASK_JWT_SECRET_KEY
jwt = JWTManager(app)


@dataclass
class User:
    number: int
    name: str
    password_hash: str


USERS = {1: User(1, "ada", generate_password_hash("lovelace")), 2: User(2, "grace", generate_password_hash("hopper"))}
NOBODY = User(0, "", generate_password_hash("nobody"))  # so an unknown name takes as long as a wrong password


@jwt.user_identity_loader
def identity_of(user):
    return str(user.number)  # `sub` is a string (RFC 7519, section 4.1.2)


@jwt.user_lookup_loader
def user_of(_header, claims):
    return USERS.get(int(claims["sub"]))  # None: the user was deleted, and the token is refused


@app.post("/login")
def login():
    name, password = request.json["username"], request.json["password"]
    user = next((user for user in USERS.values() if user.name == name), NOBODY)
    if not check_password_hash(user.password_hash, password) or user is NOBODY:
        abort(401)
    return {"access_token": create_access_token(user)}


@app.get("/me")
@jwt_required()
def me():
    return {"number": current_user.number, "name": current_user.name}


@app.get("/greeting")
@jwt_required(optional=True)
def greeting():
    return {"hello": current_user.name if current_user else "stranger"}
