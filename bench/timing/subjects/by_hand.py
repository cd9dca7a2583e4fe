"""The decorator a good developer writes over a JWT library, whichever library it is."""

from __future__ import annotations

import functools
import time
import uuid
from typing import TYPE_CHECKING, ParamSpec

from flask import Flask, Response, abort, g, request

from ..wsgi import CSRF
from . import IDENTITY, Kit, hello

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..cases import Location

P = ParamSpec("P")
LIFETIME = 15 * 60


def kit(
    location: Location,
    encode: Callable[[dict[str, Any]], str],
    decode: Callable[[str], dict[str, Any]],
    refused: tuple[type[Exception], ...],
) -> Kit:
    """Build an application over a library's two calls and the errors it refuses tokens with."""
    app = Flask("bench")
    read = _from_cookie if location == "cookies" else _from_header

    def protected(view: Callable[P, str]) -> Callable[P, str]:
        @functools.wraps(view)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> str:
            token = read()
            if not token:
                abort(401)
            try:
                g.claims = decode(token)
            except refused:
                abort(401)
            return view(*args, **kwargs)

        return wrapper

    app.add_url_rule("/open", "open", hello)
    app.add_url_rule("/protected", "protected", protected(hello))
    token = encode(_claims())
    return Kit(
        app,
        token,
        issue=lambda: encode(_claims()),
        decode=lambda: decode(token),
        set_cookies=functools.partial(_set_cookies, Response(), token),
    )


def _from_header() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else None


def _from_cookie() -> str | None:
    return request.cookies.get("access_token_cookie")


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": IDENTITY,
        "type": "access",
        "jti": str(uuid.uuid4()),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
    }


def _set_cookies(response: Response, token: str) -> None:
    response.headers.clear()
    response.set_cookie("access_token_cookie", token, httponly=True)
    response.set_cookie("csrf_access_token", CSRF)
