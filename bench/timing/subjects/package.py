"""Flask-JWT-Extended, this one or 4.7.4: whichever the environment has, used alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    decode_token,
    jwt_required,
    set_access_cookies,
)

from . import IDENTITY, Kit, hello

if TYPE_CHECKING:
    from ..cases import Location
    from ..keys import KeyPair


def kit(algorithm: str, location: Location, pair: KeyPair) -> Kit:
    """Configure an application as its documentation says: keys as text, defaults otherwise."""
    app = Flask("bench")
    app.config["JWT_ALGORITHM"] = algorithm
    app.config["JWT_TOKEN_LOCATION"] = [location]
    app.config.update(_key_options(algorithm, pair))
    JWTManager(app)
    app.add_url_rule("/open", "open", hello)
    app.add_url_rule("/protected", "protected", jwt_required()(hello))
    with app.app_context():
        token = create_access_token(IDENTITY)
    response = Response()

    def set_cookies() -> None:
        response.headers.clear()
        set_access_cookies(response, token)

    return Kit(
        app,
        token,
        issue=lambda: create_access_token(IDENTITY),
        decode=lambda: decode_token(token),
        set_cookies=set_cookies,
    )


def _key_options(algorithm: str, pair: KeyPair) -> dict[str, str]:
    if algorithm == "HS256":
        return {"JWT_SECRET_KEY": pair.private}
    return {"JWT_PRIVATE_KEY": pair.private, "JWT_PUBLIC_KEY": pair.public}
