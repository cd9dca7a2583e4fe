"""The functions that applications call for sessions: each finds the application and the token at hand and passes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from flask import Response, g, has_request_context, request
from jwt.exceptions import PyJWTError

from ._context import get_app, get_state
from ._issue import subject_of
from ._jose.token import Token
from ._request import current_token
from ._request.authenticate import verify
from ._request.extract import sent_tokens
from ._request.loader_calls import is_blocklisted
from ._request.responses import signal_refusal
from ._sessions import lifecycle
from ._sessions.lifecycle import NewSession, SessionInfo, TokenPair
from ._sessions.revocation import store_of
from ._state import ExtensionState
from .exceptions import (
    ConfigurationError,
    JWTExtendedException,
    NoAuthorizationError,
    SessionEndedError,
    StoreUnavailableError,
)
from .signals import logger
from .stores.records import owner_of
from .typing import Claims, Fresh
from .utils import get_jwt_header, set_access_cookies, set_refresh_cookies


@contextmanager
def _at_hand() -> Iterator[ExtensionState]:
    """The state of the application at hand; what is refused within is told to whoever listens."""
    app = get_app()
    try:
        yield get_state(app)
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error)  # noqa: B904  # it is the same error


def _verified() -> Token | None:
    """The token of this request; ``None`` if it is anonymous, or nothing has verified it."""
    claims = current_token.recall(g, "claims")
    return Token(get_jwt_header(), claims) if claims else None


def _is_anonymous() -> bool:
    """Whether an optional view let this request pass without a token."""
    return bool(current_token.recall(g, "claims") == {})


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
    return (current_token.recall(g, "user") or {}).get("loaded_user")


# --- starting and refreshing ----------------------------------------------------------------------------------------


def start_session(
    identity: Any,
    *,
    fresh: Fresh = True,
    additional_claims: dict[str, Any] | None = None,
    label: str | None = None,
    keep_previous: bool = False,
) -> TokenPair:
    """Start a session: what a login view does once it knows who is there.

    The ``User-Agent`` and the address of the request are kept with it (256 characters each). Behind a proxy, the
    address is the proxy's unless Werkzeug's ``ProxyFix`` says otherwise.

    :param identity: whose session it is: a string, or anything that ``user_identity_loader`` turns into one. It is an
        identity of this application, also in a request with a token of a trusted issuer
    :param fresh: whether the first access token is fresh: ``True`` (default), ``False``, or a ``timedelta`` for how
        long. Those of a refresh never are
    :param additional_claims: claims for every token of the session, the refreshed ones too; they are kept in the store
    :param label: a name for the session that its owner will recognise
    :param keep_previous: ``True`` leaves the sessions active whose tokens came with this request. By default the new
        session replaces them (OWASP ASVS 7.2.4): that of the token that was verified, and those of tokens that were
        sent along to a view without ``@jwt_required()``, the cookies of an earlier login for example. Pass it where the
        new session is for another device or another user
    :return: the access token, the refresh token, and the session's identifier (their ``sid`` claim)
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set
    """
    with _at_hand() as state:
        if (issuer := _passed_on_from(identity, state)) is not None:
            state.warn_once(
                f"start_session {issuer}",
                "start_session() was given the identity of a token of %s as it is. The session is that of the local "
                "identity with the same text. Find your own user by iss and sub, and pass on the identity of that user",
                issuer,
            )
        new = NewSession(
            identity=identity,
            fresh=fresh,
            claims=additional_claims,
            label=label,
            user_agent=request.headers.get("User-Agent") if has_request_context() else None,
            address=request.remote_addr if has_request_context() else None,
        )
        now = time.time()
        replaced = () if keep_previous or not has_request_context() else _presented(state, now)
        return lifecycle.start(new, state, now, replaced)


def _presented(state: ExtensionState, now: float) -> list[Claims]:
    """The claims of each token of a session that came with this request, verified, but for its expiry."""
    token = _verified()
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    # The header is read for both kinds of token. What is not text was in a JSON body, and is not a token.
    sent = dict.fromkeys(each for each in sent_tokens(incoming, state.settings) if isinstance(each, str))
    found = [token.claims if token else {}, *(_quietly_verified(encoded, state, now) for encoded in sent)]
    return [claims for claims in found if isinstance(claims.get("sid"), str)]


def _quietly_verified(encoded: Any, state: ExtensionState, now: float) -> Claims:
    """The claims of a token; none if it is not valid or on the application's own blocklist: whatever is wrong with it,
    a login goes through.
    """
    try:
        token = verify(encoded, state, now, allow_expired=True)
        is_blocked = "sid" in token.claims and is_blocklisted(token, state)
    except Exception as error:  # of loaders too
        logger.debug("A token that came with a login is ignored: %s", type(error).__name__)
        return {}
    return {} if is_blocked else token.claims


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
    with _at_hand() as state:
        store_of(state)  # without one there are no sessions: that is not the client's mistake
        token = _token()
        if token.claims["type"] != "refresh":
            raise ConfigurationError("refresh_session() belongs into a view with @jwt_required(refresh=True)")
        return lifecycle.refresh(token, state, time.time(), _user())


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

    A cookie is extended for JWT_COOKIE_EXTENSION_LIFETIME at most, counted from the login or the last exchange of the
    refresh token, and a cookie from before that exchange is not extended. Theft detection watches refresh tokens alone:
    until then, nothing tells a stolen access cookie from that of its owner.

    :param within: how soon is soon; ``None``: within half of the token's life
    :return: the same response
    """
    token = _verified()
    if token is None or current_token.recall(g, "location") != "cookies" or response.status_code >= 400:
        return response
    state, now = get_state(get_app()), time.time()
    if (
        state.store is not None
        and _expires_soon(token, now, within)
        and not _sets_cookie(response, state.settings.access.cookie_name)
        and not is_blocklisted(token, state)
    ):
        # Neither is the business of this request: the next one will be told.
        with suppress(SessionEndedError, StoreUnavailableError):
            extended = lifecycle.extend(token, state, now, _user())
            if extended is not None:
                set_access_cookies(response, extended)
                response.vary.add("Cookie")  # a cache must not hand it to somebody else
    return response


def _expires_soon(token: Token, now: float, within: timedelta | None) -> bool:
    claims = token.claims
    of_a_session = isinstance(claims.get("sid"), str) and claims["jti"] is not None
    if not of_a_session or claims["type"] != "access" or "exp" not in claims:
        return False
    soon = (claims["exp"] - claims.get("iat", now)) / 2 if within is None else within.total_seconds()
    return bool(claims["exp"] - now < soon)


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
    :raises ConfigurationError: if JWT_STORE_URI is not set
    """
    with _at_hand() as state:
        store_of(state)
        if _is_anonymous():
            return False
        if session_id is None:
            session_id = _token().claims.get("sid")
        if not isinstance(session_id, str):
            return False
        token = _verified()
        owner = owner_of(*_own_identity(token, state)) if token else None
        return lifecycle.end(session_id, state, cause="logout", owner=owner, now=time.time())


def end_all_sessions(identity: Any = None, *, keep_current: bool = False) -> int:
    """End all sessions of an identity: after a change of the password, say.

    :param identity: whose, as :func:`start_session` was told; ``None``: those of this request's token. The identity of
        a token of a trusted issuer, passed on as it is, is not the local one with the same text
    :param keep_current: leave the session of this request alone
    :return: how many were ended
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT. Some may have been ended
    """
    with _at_hand() as state:
        keep = _token().claims.get("sid") if keep_current else None
        whose, issuer = _subject(identity, state)
        cause = "logout_everywhere"
        return lifecycle.end_all(whose, state, cause=cause, keep=keep, now=time.time(), issuer=issuer)


def list_sessions(identity: Any = None) -> list[SessionInfo]:
    """List the sessions of an identity, the youngest first.

    :param identity: whose, as :func:`start_session` was told; ``None``: those of this request's token. The identity of
        a token of a trusted issuer, passed on as it is, is not the local one with the same text
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    """
    with _at_hand() as state:
        token = _verified()
        current = token.claims.get("sid") if token else None
        whose, issuer = _subject(identity, state)
        return lifecycle.sessions_of(whose, state, time.time(), current, issuer)


def _subject(identity: Any, state: ExtensionState) -> tuple[Any, str | None]:
    """Return the identity that is meant and the trusted issuer that chose it; ``None``: this application."""
    if identity is None:
        return _own_identity(_token(), state)
    return lifecycle.as_json(subject_of(identity, state), state), _passed_on_from(identity, state)


def _passed_on_from(identity: Any, state: ExtensionState) -> str | None:
    """Return the trusted issuer of this request's token, if a view passes on the identity of that token as it is.

    It is not the local identity with the same text.
    """
    token = _verified()
    own, issuer = _own_identity(token, state) if token else (None, None)
    return issuer if type(identity) is str and identity == own else None


def _own_identity(token: Token, state: ExtensionState) -> tuple[Any, str | None]:
    """Return the identity of a token, and its trusted issuer; ``None``: this application."""
    return token.claims.get(state.settings.identity_claim), state.issuer_name(token.claims)


def revoke_token(token: str | None = None) -> bool:
    """Revoke one token: it is refused from now on. With the refresh token of a session, the session ends
    (RFC 7009, section 2.1); not with one that has expired, or that was exchanged before and is past JWT_REFRESH_GRACE.

    :param token: encoded; one that has expired may be given. ``None``: that of this request
    :return: whether that was news: of all who revoke the same token, one is told so
    :raises jwt.InvalidTokenError: if it is no token of ours
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    """
    with _at_hand() as state:
        _, now = store_of(state), time.time()
        meant = _token() if token is None else verify(token, state, now, allow_expired=True)
        return lifecycle.revoke(meant.claims, state, now)
