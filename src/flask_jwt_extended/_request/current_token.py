"""The verified token of a request. It is kept with the request, and copied to ``g`` for applications written for 4.7.

Several requests may share one ``g``, for example in a view that calls another view with a test client. So the token of
the request counts, unless the application itself has written to ``g``: that is how tests log in with 4.7.
"""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, Request, request, request_tearing_down

from .._context import get_app
from .._jose.token import Token

#: The names of the token and the application in a request. In ``g``, the first is the token that was copied there.
_TOKEN, _APP = "_jwt_extended_token", "_jwt_extended_app"
#: The names of 4.7 for the parts of a token in ``g``.
_IN_G = {
    "claims": "_jwt_extended_jwt",
    "header": "_jwt_extended_jwt_header",
    "user": "_jwt_extended_jwt_user",
    "location": "_jwt_extended_jwt_location",
}


def remember(g: Any, token: Token | None, incoming: Request | None = None, app: Flask | None = None) -> None:
    """Keep the token of the current request, or that it is anonymous."""
    if token is None:
        token = Token({}, {})
        token.user = {"loaded_user": None}
    shared = g.__dict__
    own = _kept_with_request() if incoming is None else incoming.__dict__
    if own is not None:
        known = shared.get(_TOKEN)
        if known is not own.get(_TOKEN) or (known is None and "_jwt_extended_jwt" in shared):
            _restore_after_request(shared)
        own[_TOKEN] = shared[_TOKEN] = token
        own[_APP] = app or get_app()
    shared["_jwt_extended_jwt"] = token.claims
    shared["_jwt_extended_jwt_header"] = token.header
    shared["_jwt_extended_jwt_user"] = token.user
    shared["_jwt_extended_jwt_location"] = token.location


def recall(g: Any, part: str) -> Any:
    """Return a part of the token of the current request: ``claims``, ``header``, ``user`` or ``location``."""
    shared = g.__dict__
    written, copied = shared.get(_IN_G[part]), shared.get(_TOKEN)
    value = None if copied is None else getattr(copied, part)
    if written is not value:
        return written  # by the application
    own = _kept_with_request()
    token = None if own is None else own.get(_TOKEN)
    if token is copied:
        return value
    if own is None or token is None or own[_APP] is not get_app():
        return None
    return getattr(token, part)


def _kept_with_request() -> dict[str, Any] | None:
    """The attributes of the current request; ``None`` if there is no request."""
    try:
        return request._get_current_object().__dict__  # type: ignore[attr-defined,no-any-return]  # of LocalProxy
    except RuntimeError:
        return None


def _current_request() -> Request:
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # of LocalProxy


def _restore_after_request(shared: dict[str, Any]) -> None:
    """When this request ends, restore in ``g`` the values of the outer request or of the application."""
    names = (_TOKEN, *_IN_G.values())
    before, inner = {name: shared[name] for name in names if name in shared}, _current_request()

    def restore(_app: Flask, **_: Any) -> None:
        if _current_request() is inner:
            request_tearing_down.disconnect(restore)
            for name in names:
                shared.pop(name, None)
            shared.update(before)

    request_tearing_down.connect(restore, weak=False)
