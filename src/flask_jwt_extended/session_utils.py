"""The functions that applications call for sessions: each finds the application and the token at hand and passes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from flask import Response, g, has_request_context, request
from jwt.exceptions import PyJWTError

from . import lifecycle, pipeline
from .admission import store_of
from .core.token import Token
from .exceptions import (
    ConfigurationError,
    JWTExtendedException,
    NoAuthorizationError,
    SessionEndedError,
    StoreUnavailableError,
)
from .issuing import subject_of
from .jwt_manager import refuse, runtime_of
from .lifecycle import NewSession, SessionInfo, TokenPair
from .loaders import call
from .runtime import Runtime
from .sessions.records import owner_of
from .typing import Fresh
from .utils import app_at_hand, get_jwt_header, set_access_cookies, set_refresh_cookies


@contextmanager
def _at_hand() -> Iterator[Runtime]:
    """The runtime of the application at hand; what is refused within is told to whoever listens."""
    app = app_at_hand()
    try:
        yield runtime_of(app)
    except (JWTExtendedException, PyJWTError) as error:
        raise refuse(app, error)  # noqa: B904  # it is the same error


def _verified() -> Token | None:
    """The token of this request; ``None`` if it is anonymous, or nothing has verified it."""
    claims = pipeline.recall(g, "claims")
    return Token(get_jwt_header(), claims) if claims else None


def _is_anonymous() -> bool:
    """Whether an optional view let this request pass without a token."""
    return bool(pipeline.recall(g, "claims") == {})


def _token() -> Token:
    """The token of this request.

    :raises NoAuthorizationError: if it is anonymous
    :raises ConfigurationError: if nothing has verified it
    """
    token = _verified()
    if token is None and _is_anonymous():
        raise NoAuthorizationError("There is no token in this request")
    if token is None:
        raise ConfigurationError("Nothing has verified a token here: use @jwt_required(), or say what is meant")
    return token


def _user() -> Any:
    """The user of this request, if a loader found one."""
    return (pipeline.recall(g, "user") or {}).get("loaded_user")


# --- starting and refreshing ----------------------------------------------------------------------------------------


def start_session(
    identity: Any,
    *,
    fresh: Fresh = True,
    additional_claims: dict[str, Any] | None = None,
    label: str | None = None,
) -> TokenPair:
    """Start a session: what a login view does once it knows who is there.

    The ``User-Agent`` and the address of the request are kept with it (256 characters each). Behind a proxy, the
    address is the proxy's unless Werkzeug's ``ProxyFix`` says otherwise.

    :param identity: whose session it is: a string, or anything that ``user_identity_loader`` turns into one
    :param fresh: whether the first access token is fresh: ``True`` (default), ``False``, or a ``timedelta`` for how
        long. Those of a refresh never are
    :param additional_claims: claims for every token of the session, the refreshed ones too; they are kept in the store
    :param label: a name for the session that its owner will recognise
    :return: the access token, the refresh token, and the session's identifier (their ``sid`` claim)
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set
    """
    with _at_hand() as runtime:
        new = NewSession(
            identity=identity,
            fresh=fresh,
            claims=additional_claims,
            label=label,
            user_agent=request.headers.get("User-Agent") if has_request_context() else None,
            address=request.remote_addr if has_request_context() else None,
        )
        return lifecycle.start(new, runtime, time.time())


def refresh_session() -> TokenPair:
    """Exchange the refresh token of this request for the next pair, inside a ``@jwt_required(refresh=True)`` view.

    A refresh token is good for one exchange (RFC 9700, section 4.14.2). Whoever comes with it again within
    JWT_REFRESH_GRACE seconds gets the same refresh token as the first; after that its session is ended, because
    somebody else may have it.

    Loaders are told the user that ``user_lookup_loader`` found, or the identity claim if there is no such loader.

    :raises SessionEndedError: if the token belongs to no session, or to one that has ended
    :raises RefreshTokenReusedError: if the token was used before
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if the view does not ask for a refresh token, or JWT_STORE_URI is not set
    """
    with _at_hand() as runtime:
        token = _token()
        if token.claims["type"] != "refresh":
            raise ConfigurationError("refresh_session() belongs into a view with @jwt_required(refresh=True)")
        return lifecycle.refresh(token, runtime, time.time(), _user())


def set_session_cookies(response: Response, pair: TokenPair) -> None:
    """Put both tokens of a session into cookies of the response: see :func:`set_access_cookies`."""
    set_access_cookies(response, pair.access_token)
    set_refresh_cookies(response, pair.refresh_token)


def refresh_expiring_cookies(response: Response, *, within: timedelta | None = None) -> Response:
    """Put a new access token into the cookies of a response if the one that came will expire soon.

    For browser applications that never ask for a refresh themselves: ``app.after_request(refresh_expiring_cookies)``.
    It does nothing unless a view has let pass an access token of a session that came in a cookie, and never deletes a
    cookie. A session that was ended, in this request or any other, is not brought back: the store is asked, and so is
    ``token_in_blocklist_loader``. The CSRF value stays, so that forms in open pages stay good; a fresh token is
    followed by one that is not.

    :param within: how soon is soon; ``None``: within half of the token's life
    :return: the same response
    """
    token = _verified()
    if token is None or pipeline.recall(g, "location") != "cookies" or response.status_code >= 400:
        return response
    runtime, now = runtime_of(app_at_hand()), time.time()
    if (
        _expires_soon(token, now, within)
        and not _sets_cookie(response, runtime.settings.access.cookie_name)
        and not _is_blocklisted(token, runtime)
    ):
        # Neither is the business of this request: the next one will be told.
        with suppress(SessionEndedError, StoreUnavailableError):
            set_access_cookies(response, lifecycle.prolong(token, runtime, now, _user()))
            response.vary.add("Cookie")  # a cache must not hand it to somebody else
    return response


def _expires_soon(token: Token, now: float, within: timedelta | None) -> bool:
    claims = token.claims
    of_a_session = isinstance(claims.get("sid"), str) and claims["jti"] is not None
    if not of_a_session or claims["type"] != "access" or "exp" not in claims:
        return False
    soon = (claims["exp"] - claims.get("iat", now)) / 2 if within is None else within.total_seconds()
    return bool(claims["exp"] - now < soon)


def _is_blocklisted(token: Token, runtime: Runtime) -> bool:
    """Ask the application again: its view may have revoked the token, or passed over the question."""
    is_revoked = runtime.loaders.token_in_blocklist
    return is_revoked is not None and call(runtime.ensure_sync, is_revoked, token.header, token.claims)


def _sets_cookie(response: Response, name: str) -> bool:
    return any(value.startswith(f"{name}=") for value in response.headers.getlist("Set-Cookie"))


# --- ending, listing, revoking --------------------------------------------------------------------------------------


def end_session(session_id: str | None = None) -> bool:
    """End a session: all its tokens are refused from now on.

    In a request with a token, only a session of the same identity is ended, so that a view may pass on what the client
    sent; where an optional view let an anonymous request pass, none is. Anybody's can be ended where nothing has
    verified the request, on the command line say, and with :func:`end_all_sessions`.

    :param session_id: which; ``None``: that of this request's token
    :return: whether there was such a session
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    """
    with _at_hand() as runtime:
        if _is_anonymous():
            return False
        if session_id is None:
            session_id = _token().claims.get("sid")
        if not isinstance(session_id, str):
            return False
        token = _verified()
        owner = owner_of(token.claims.get(runtime.settings.identity_claim)) if token else None
        return lifecycle.end(session_id, runtime, cause="logout", owner=owner, now=time.time())


def end_all_sessions(identity: Any = None, *, keep_current: bool = False) -> int:
    """End all sessions of an identity: after a change of the password, say.

    :param identity: whose, as :func:`start_session` was told; ``None``: those of this request's token
    :param keep_current: leave the session of this request alone
    :return: how many were ended
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT. Some may have been ended
    """
    with _at_hand() as runtime:
        keep = _token().claims.get("sid") if keep_current else None
        whose = _subject(identity, runtime)
        return lifecycle.end_all(whose, runtime, cause="logout_everywhere", keep=keep, now=time.time())


def list_sessions(identity: Any = None) -> list[SessionInfo]:
    """List the sessions of an identity, the youngest first.

    :param identity: whose, as :func:`start_session` was told; ``None``: those of this request's token
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    """
    with _at_hand() as runtime:
        token = _verified()
        current = token.claims.get("sid") if token else None
        return lifecycle.sessions_of(_subject(identity, runtime), runtime, time.time(), current)


def _subject(identity: Any, runtime: Runtime) -> Any:
    if identity is None:
        return _token().claims.get(runtime.settings.identity_claim)
    return lifecycle.as_json(subject_of(identity, runtime), runtime)


def revoke_token(token: str | None = None) -> bool:
    """Revoke one token: it is refused from now on. With the refresh token of a session, the session ends
    (RFC 7009, section 2.1).

    :param token: encoded; one that has expired may be given. ``None``: that of this request
    :return: whether that was news: of all who revoke the same token, one is told so
    :raises jwt.InvalidTokenError: if it is no token of ours
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    """
    with _at_hand() as runtime:
        _, now = store_of(runtime), time.time()
        meant = _token() if token is None else pipeline.verify(token, runtime, now, allow_expired=True)
        return lifecycle.revoke(meant.claims, runtime, now)
