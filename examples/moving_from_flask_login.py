"""From Flask-Login: its sessions stay active, an API takes tokens, and a view takes either."""

from functools import wraps

import flask_login
from flask import Flask, request

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    current_user,
    jwt_required,
    verify_jwt_in_request,
)

app = Flask(__name__)
app.config["JWT_PROFILE"] = "strict"
app.config.from_prefixed_env()  # FLASK_SECRET_KEY, for Flask's session, and FLASK_JWT_SECRET_KEY
jwt = JWTManager(app)
logins = flask_login.LoginManager(app)


class User(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


USERS = {name: User(name) for name in ("ada", "grace")}


@logins.user_loader
def by_number(number):
    return USERS.get(number)


@jwt.user_identity_loader
def identity_of(user):
    return user.id


@jwt.user_lookup_loader
def user_of(_header, claims):
    return USERS.get(claims["sub"])


def login_or_token(view):
    """Accept a browser with a Flask-Login session, or a program with a token."""

    @wraps(view)
    def guarded(*args, **kwargs):
        if flask_login.current_user.is_authenticated:
            return view(flask_login.current_user, *args, **kwargs)
        verify_jwt_in_request()
        return view(current_user, *args, **kwargs)

    return guarded


@app.post("/login")
def login():  # as it was; check a password here first
    flask_login.login_user(USERS[request.form["username"]])
    return {"login": True}


@app.post("/token")
@flask_login.login_required
def token():  # for programs of the user who is logged in
    return {"access_token": create_access_token(flask_login.current_user)}


@app.get("/me")
@login_or_token
def me(user):
    return {"me": user.id}


@app.get("/api/orders")
@jwt_required()
def orders():
    return {"orders of": current_user.id}
