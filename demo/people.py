"""The users of the demo, and the loaders that tell the extension about them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from flask import abort, current_app, request
from werkzeug.exceptions import BadRequest
from werkzeug.security import check_password_hash, generate_password_hash

from flask_jwt_extended import JWTManager

MAX_TEXT = 200

jwt = JWTManager()


@dataclass
class User:
    """A user and their notes."""

    username: str
    name: str
    password_hash: str
    roles: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)


class Seed(NamedTuple):
    """A user of the demo. The password is not secret: the page and the terminal show it."""

    username: str
    name: str
    password: str
    roles: tuple[str, ...] = ()


SEEDS = (Seed("ada", "Ada Lovelace", "lovelace", ("keeper of keys",)), Seed("grace", "Grace Hopper", "hopper"))

# Password hashes are slow by design, so they are made once.
HASHES = {seed.username: generate_password_hash(seed.password) for seed in SEEDS}

# Checked if the user is unknown, so that the response takes as long as for a known user: its timing does not show
# which users exist.
UNKNOWN_USER_HASH = generate_password_hash(secrets.token_hex())


def seed_users() -> dict[str, User]:
    """Return the two users, by name."""
    return {seed.username: User(seed.username, seed.name, HASHES[seed.username], seed.roles) for seed in SEEDS}


def find_user(username: str) -> User | None:
    """Return the user of this name, if there is one."""
    users = cast("dict[str, User]", current_app.extensions["demo-users"])
    return users.get(username)


@jwt.user_identity_loader
def identity_of(user: User) -> str:
    """Return the ``sub`` claim of tokens for ``user``."""
    return user.username


@jwt.user_lookup_loader
def user_of(_header: dict[str, object], claims: dict[str, object]) -> User | None:
    """Load ``current_user`` for a protected view."""
    return find_user(str(claims["sub"]))


# Input ------------------------------------------------------------------------------------------


def text_fields(*names: str) -> list[str]:
    """Return these fields of the JSON body. A field that is not a line of text is a 400."""
    try:
        body = request.get_json()
    except (BadRequest, RecursionError):  # the second: JSON nested a thousand levels deep
        abort(400, "The body is not valid JSON.")
    if not isinstance(body, dict):
        abort(400, "The body must be a JSON object.")
    return [text_field(name, body.get(name)) for name in names]


def text_field(name: str, value: object) -> str:
    """Return ``value`` if it is one line of printable text, not blank and not too long."""
    if not isinstance(value, str) or not value.isprintable() or value.isspace():
        abort(400, f"{name} must be one line of text.")
    if not 0 < len(value) <= MAX_TEXT:
        abort(400, f"{name} must be 1 to {MAX_TEXT} characters long.")
    return value


def check_password() -> User:
    """Return the user whose name and password are in the body. Anything else is a 401.

    A real application also limits the number of attempts.
    """
    username, password = text_fields("username", "password")
    user = find_user(username)
    correct = check_password_hash(user.password_hash if user else UNKNOWN_USER_HASH, password)
    if user is None or not correct:
        abort(401, "Wrong username or password.")
    return user
