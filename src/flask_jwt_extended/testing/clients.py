"""Test clients with a token of your application, and tests of views without a token.

.. versionadded:: 5.0
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from inspect import signature
from typing import Any
from unittest.mock import patch

from flask import Flask, g, request
from flask.testing import FlaskClient

from .._context import get_app, get_state
from .._jose.token import Token
from .._request import current_token
from .._request.loader_calls import look_up_user
from .._request.policy import Policy, roles_of
from .._request.responses import signal_refusal
from ..typing import Claims, Fresh, Header
from ..utils import create_access_token, create_refresh_token, decode_token
from ..view_decorators import verify_jwt_in_request


def logged_in(
    app: Flask,
    identity: Any,
    *,
    scopes: str | Iterable[str] = (),
    roles: Iterable[str] = (),
    fresh: Fresh = False,
    refresh: bool = False,
    claims: Claims | None = None,
) -> FlaskClient:
    """Return a test client that sends a token of your application with every request: in the header, or in cookies with
    the CSRF value and the ``Sec-Fetch-Site`` of a browser, whichever JWT_TOKEN_LOCATION names first.

    The token has this identity and, if you pass them, the claims ``scope``, ``roles`` and any others.

    :param fresh: whether, or for how long, the token is fresh, as for ``create_access_token``; ``False`` by default
    :param refresh: send a refresh token instead of an access token; ``False`` by default
    :raises NotImplementedError: if the application looks for tokens only in the query string or in JSON bodies

    .. versionadded:: 5.0
    """
    with app.app_context():
        held = _claims(scopes, roles, claims)
        if refresh:
            token = create_refresh_token(identity, additional_claims=held)
        else:
            token = create_access_token(identity, fresh=fresh, additional_claims=held)
        return client_with(token, app, refresh=refresh)


def _claims(scopes: str | Iterable[str], roles: Iterable[str], claims: Claims | None) -> Claims:
    scope = scopes if isinstance(scopes, str) else " ".join(scopes)
    return ({"scope": scope} if scope else {}) | ({"roles": list(roles)} if roles else {}) | (claims or {})


def client_with(token: str | None, app: Flask, *, refresh: bool = False) -> FlaskClient:
    """Return a client that sends a token with every request, in the header or in cookies as a browser does."""
    settings, client = get_state(app).settings, app.test_client()
    kind = settings.refresh if refresh else settings.access
    where = next((each for each in settings.token_location if each in ("headers", "cookies")), None)
    if token is None:
        return client
    if where is None:
        raise NotImplementedError("Put the token into the query string or the JSON body of each request yourself")
    if where == "headers":
        client.environ_base[settings.header_environ_name] = f"{settings.header_type} {token}".strip()
        return client
    client.set_cookie(kind.cookie_name, token, path=kind.cookie_path)
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    if settings.cookie_csrf_protect:
        name = f"HTTP_{kind.csrf_header_name.upper().replace('-', '_')}"
        with suppress(Exception):  # a bad token, which route_contract sends
            client.environ_base[name] = str(decode_token(token, allow_expired=True)["csrf"])
    return client


@contextmanager
def override_identity(
    identity: Any, *, scopes: str | Iterable[str] = (), roles: Iterable[str] = (), claims: Claims | None = None
) -> Iterator[None]:
    """Give every request this identity and these claims, without a token, until the ``with`` block ends.

    ``scopes`` and ``roles`` are the values of the claims ``scope`` and ``roles``; by default there are none.

    Views still check the token type, freshness, scopes and roles, and ``user_lookup_loader`` is called. The signature,
    the lifetime, revocation and CSRF are not checked.

    .. versionadded:: 5.0
    """
    held = _claims(scopes, roles, claims)

    def verify(*args: Any, **kwargs: Any) -> tuple[Header, Claims]:
        arguments = signature(verify_jwt_in_request).bind(*args, **kwargs).arguments
        return _pass(identity, held, Policy.from_arguments(**arguments))

    with patch("flask_jwt_extended.view_decorators.verify_jwt_in_request", verify):
        yield


def _pass(identity: Any, held: Claims, policy: Policy) -> tuple[Header, Claims]:
    app, now = get_app(), int(time.time())
    state = get_state(app)
    usual: Claims = {"type": policy.token_type, "fresh": True, "jti": "overridden", "iat": now, "auth_time": now}
    token = Token({}, usual | {state.settings.identity_claim: identity} | held)
    if request.method != "OPTIONS":
        try:
            policy.check(token, now)
            policy.check_roles(token, roles_of(token.claims))
            if state.loaders.user_lookup is not None:
                token.user = look_up_user(state.loaders.user_lookup, token, state)
        except Exception as error:
            raise signal_refusal(app, error) from None
    current_token.remember(g, token)
    return token.header, token.claims
