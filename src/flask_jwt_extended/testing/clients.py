"""Test clients that are somebody: with tokens of your application, however it looks for them; or without any token."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    """Return a test client whose every request carries a token: in the header, or in cookies with the CSRF value and
    the ``Sec-Fetch-Site`` of a browser, whichever JWT_TOKEN_LOCATION names first.

    :param identity: as for ``create_access_token``
    :param scopes: what ``scope`` holds
    :param roles: what ``roles`` holds
    :param refresh: a refresh token, in place of an access token
    :param claims: others
    """
    with app.app_context():
        held = granted(scopes, roles) | (claims or {})
        token = (
            create_refresh_token(identity, additional_claims=held)
            if refresh
            else create_access_token(identity, fresh=fresh, additional_claims=held)
        )
        client = app.test_client()
        carry(client, app, token, refresh=refresh)
    return client


def granted(scopes: str | Iterable[str], roles: Iterable[str]) -> Claims:
    """The claims that grant scopes and roles."""
    scope = scopes if isinstance(scopes, str) else " ".join(scopes)
    return ({"scope": scope} if scope else {}) | ({"roles": list(roles)} if roles else {})


def carry(client: FlaskClient, app: Flask, token: str, *, refresh: bool = False) -> None:
    """Let a client carry a token where the application looks first: in the header, or as a browser carries cookies.

    :raises NotImplementedError: if it looks in the query string or in JSON bodies alone
    """
    settings = get_state(app).settings
    kind = settings.refresh if refresh else settings.access
    where = next((each for each in settings.token_location if each in ("headers", "cookies")), None)
    if where == "headers":
        client.environ_base[settings.header_environ_name] = f"{settings.header_type} {token}".strip()
    elif where == "cookies":
        client.set_cookie(kind.cookie_name, token, path=kind.cookie_path)
        client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
        if settings.cookie_csrf_protect:
            name = f"HTTP_{kind.csrf_header_name.upper().replace('-', '_')}"
            client.environ_base[name] = _csrf_value(token)
    else:
        raise NotImplementedError("Put the token into the query string or the JSON body of each request yourself")


def _csrf_value(token: str) -> str:
    try:
        return str(decode_token(token, allow_expired=True).get("csrf", ""))
    except Exception:  # a token that is wrong on purpose
        return ""


@contextmanager
def override_identity(
    identity: Any, *, scopes: str | Iterable[str] = (), roles: Iterable[str] = (), claims: Claims | None = None
) -> Iterator[None]:
    """Let every request be somebody's, without a token, until the context is left: for tests of what a view does.

    What views demand of a token is demanded still: kinds, freshness, scopes, roles. Its signature, its lifetime and
    whether it was revoked are not looked at, for there is none; nor is CSRF. ``user_lookup_loader`` is asked as ever.
    """
    held = granted(scopes, roles) | (claims or {})

    def verify(*known: Any, **demands: Any) -> tuple[Header, Claims]:
        return _pass(
            identity, held, Policy.from_arguments(**signature(verify_jwt_in_request).bind(*known, **demands).arguments)
        )

    with patch("flask_jwt_extended.view_decorators.verify_jwt_in_request", verify):
        yield


def _pass(identity: Any, held: Claims, policy: Policy) -> tuple[Header, Claims]:
    app, now = get_app(), time.time()
    state = get_state(app)
    usual: Claims = {
        "type": policy.token_type,
        "fresh": True,
        "jti": "overridden",
        "iat": int(now),
        "auth_time": int(now),
    }
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
