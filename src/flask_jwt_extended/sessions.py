"""Functions for sessions. Each takes the application and the token from the current context.

.. versionadded:: 5.0
"""

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
def _state() -> Iterator[ExtensionState]:
    """The state of the current application. Errors are sent as the signal ``token_refused``."""
    app = get_app()
    try:
        yield get_state(app)
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error)  # noqa: B904  # it is the same error


def _verified_token() -> Token | None:
    """The token of this request; ``None`` if the request is anonymous, or was not verified."""
    claims = current_token.recall(g, "claims")
    return Token(get_jwt_header(), claims) if claims else None


def _is_anonymous() -> bool:
    """Whether an optional view accepted this request without a token."""
    return bool(current_token.recall(g, "claims") == {})


def _required_token() -> Token:
    """The token of this request.

    :raises NoAuthorizationError: if the request is anonymous
    :raises ConfigurationError: if the request was not verified
    """
    token = _verified_token()
    if token is None and _is_anonymous():
        raise NoAuthorizationError("There is no token in this request")
    if token is None:
        raise ConfigurationError(
            "No verified token in this request: protect the view with @jwt_required(), or pass the session, identity "
            "or token as an argument"
        )
    return token


def _user() -> Any:
    """The user that ``user_lookup_loader`` returned; ``None`` without that loader."""
    return (current_token.recall(g, "user") or {}).get("loaded_user")


def start_session(
    identity: Any,
    *,
    fresh: Fresh = True,
    additional_claims: dict[str, Any] | None = None,
    label: str | None = None,
    keep_previous: bool = False,
) -> TokenPair:
    """Start a session. Call it in a login view, once you know the user.

    The ``User-Agent`` header and the client's address are stored with it (256 characters each). Behind a proxy, the
    address is the proxy's, unless you use Werkzeug's ``ProxyFix``.

    :param identity: the owner: a string, or anything that ``user_identity_loader`` turns into one. It is an identity of
        this application, also in a request with a token of a trusted issuer
    :param fresh: whether the first access token is fresh: ``True`` (default), ``False``, or a ``timedelta`` for how
        long. Later access tokens are not fresh
    :param additional_claims: claims for every token of the session, also after a refresh. The store keeps them
    :param label: a name that the owner recognises, for example of the device
    :param keep_previous: ``False`` (default): the new session replaces the sessions whose tokens came with this request
        (OWASP ASVS 7.2.4), also in a view without ``@jwt_required()``, for example those in the cookies of an earlier
        login. ``True``: they stay active. Pass it where you start a session for another device or another user
    :return: the access token, the refresh token, and the session's identifier, which is their ``sid`` claim
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set

    .. versionadded:: 5.0
    """
    with _state() as state:
        if (issuer := _issuer_of_own(identity, state)) is not None:
            state.warn_once(
                f"start_session {issuer}",
                "start_session() got the identity of a token of %s unchanged, so the session belongs to the local "
                "identity with the same text. Look up your own user by iss and sub, and pass that user's identity",
                issuer,
            )
        in_request = has_request_context()
        new = NewSession(
            identity=identity,
            fresh=fresh,
            claims=additional_claims,
            label=label,
            user_agent=request.headers.get("User-Agent") if in_request else None,
            address=request.remote_addr if in_request else None,
        )
        now = time.time()
        return lifecycle.start(new, state, now, _presented(state, now) if in_request and not keep_previous else ())


def _presented(state: ExtensionState, now: float) -> list[Claims]:
    """The claims of each token of a session that came with this request, verified except for the expiry."""
    token = _verified_token()
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    # Both kinds may come in the same header. A value that is not text came in a JSON body, and is not a token.
    sent = dict.fromkeys(each for each in sent_tokens(incoming, state.settings) if isinstance(each, str))
    found = [token.claims if token else {}, *(_claims_if_valid(encoded, state, now) for encoded in sent)]
    return [claims for claims in found if isinstance(claims.get("sid"), str)]


def _claims_if_valid(encoded: str, state: ExtensionState, now: float) -> Claims:
    """The claims of a token; empty if it is invalid or on the application's blocklist, because a login ignores it."""
    try:
        token = verify(encoded, state, now, allow_expired=True)
        is_blocked = "sid" in token.claims and is_blocklisted(token, state)
    except Exception as error:  # of loaders too
        logger.debug("A login ignores an invalid token in its request: %s", type(error).__name__)
        return {}
    return {} if is_blocked else token.claims


def refresh_session() -> TokenPair:
    """Exchange the refresh token of this request for the next pair. Call it in a ``@jwt_required(refresh=True)`` view.

    A refresh token is single-use (RFC 9700, section 4.14.2). A second request with the same token within
    JWT_REFRESH_GRACE seconds gets the same refresh token as the first. After that the session is ended, because the
    token may have been stolen.

    Loaders get the user that ``user_lookup_loader`` returned, or the identity claim if there is no such loader.

    :raises SessionEndedError: if the token does not belong to a session, or its session has ended
    :raises RefreshTokenReusedError: if the token was used before
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if the view accepts other tokens than refresh tokens, or JWT_STORE_URI is not set

    .. versionadded:: 5.0
    """
    with _state() as state:
        store_of(state)  # a missing store is not the client's mistake
        token = _required_token()
        if token.claims["type"] != "refresh":
            raise ConfigurationError("Call refresh_session() in a view with @jwt_required(refresh=True)")
        return lifecycle.refresh(token, state, time.time(), _user())


def set_session_cookies(response: Response, pair: TokenPair) -> None:
    """Put both tokens of a session into cookies of the response. See :func:`set_access_cookies`.

    .. versionadded:: 5.0
    """
    set_access_cookies(response, pair.access_token)
    set_refresh_cookies(response, pair.refresh_token)


def refresh_expiring_cookies(response: Response, *, within: timedelta | None = None) -> Response:
    """Put a new access token into the cookies of a response if the one of the request expires soon.

    For browser applications without a script that refreshes: ``app.after_request(refresh_expiring_cookies)``.
    It applies to requests whose access token belongs to a session, came in a cookie, and was accepted by the view. It
    does not delete cookies, and does not extend a session that was ended, in this request or another: it checks the
    store and ``token_in_blocklist_loader``. The CSRF value stays the same, so forms in open pages stay valid. The new
    token is not fresh.

    A cookie is extended for at most JWT_COOKIE_EXTENSION_LIFETIME after the login or the last exchange of the refresh
    token, and a cookie from before that exchange is not extended. Theft detection covers refresh tokens only: within
    that time, a stolen access cookie is extended like its owner's.

    :param within: how soon is "soon"; ``None`` (default): within half of the token's lifetime
    :return: the same response

    .. versionadded:: 5.0
    """
    token = _verified_token()
    if token is None or current_token.recall(g, "location") != "cookies" or response.status_code >= 400:
        return response
    state, now = get_state(get_app()), time.time()
    if (
        state.store is not None
        and _expires_soon(token, now, within)
        and not _sets_cookie(response, state.settings.access.cookie_name)
        and not is_blocklisted(token, state)
    ):
        # This request has its answer. The next one gets these errors.
        with suppress(SessionEndedError, StoreUnavailableError):
            extended = lifecycle.extend(token, state, now, _user())
            if extended is not None:
                set_access_cookies(response, extended)
                response.vary.add("Cookie")  # a cache must not send it to another client
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


def end_session(session_id: str | None = None) -> bool:
    """End a session: all its tokens are refused from now on.

    In a request with a token, it ends only sessions of the same identity, so a view may pass an identifier that the
    client sent. In an anonymous request, which an optional view accepted, it ends none. Where the request was not
    verified, or on the command line, it ends any session; so does :func:`end_all_sessions`.

    :param session_id: its identifier; ``None`` (default): the session of this request's token
    :return: whether there was such a session
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set, or there is neither an identifier nor a verified token

    .. versionadded:: 5.0
    """
    with _state() as state:
        store_of(state)
        if _is_anonymous():
            return False
        if session_id is None:
            session_id = _required_token().claims.get("sid")
        if not isinstance(session_id, str):
            return False
        token = _verified_token()
        owner = owner_of(*_identity_of(token, state)) if token else None
        return lifecycle.end(session_id, state, cause="logout", owner=owner, now=time.time())


def end_all_sessions(identity: Any = None, *, keep_current: bool = False) -> int:
    """End all sessions of an identity, for example after a change of the password.

    :param identity: the owner, as passed to :func:`start_session`; ``None`` (default): that of this request's token. If
        you pass the identity of a trusted issuer's token unchanged, it means that issuer's user, not the local one with
        the same text
    :param keep_current: ``True``: the session of this request stays active. Default ``False``
    :return: how many sessions were ended
    :raises NoAuthorizationError: if there is no ``identity`` and the request is anonymous
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT. Some may have been ended
    :raises ConfigurationError: if JWT_STORE_URI is not set, or there is neither an identity nor a verified token

    .. versionadded:: 5.0
    """
    with _state() as state:
        keep = _required_token().claims.get("sid") if keep_current else None
        owner, issuer = _owner(identity, state)
        cause = "logout_everywhere"
        return lifecycle.end_all(owner, state, cause=cause, now=time.time(), keep=keep, issuer=issuer)


def list_sessions(identity: Any = None) -> list[SessionInfo]:
    """List the active sessions of an identity, the newest first.

    :param identity: the owner, as passed to :func:`start_session`; ``None`` (default): that of this request's token. If
        you pass the identity of a trusted issuer's token unchanged, it means that issuer's user, not the local one with
        the same text
    :raises NoAuthorizationError: if there is no ``identity`` and the request is anonymous
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set, or there is neither an identity nor a verified token

    .. versionadded:: 5.0
    """
    with _state() as state:
        token = _verified_token()
        current = token.claims.get("sid") if token else None
        owner, issuer = _owner(identity, state)
        return lifecycle.sessions_of(owner, state, time.time(), current, issuer)


def _owner(identity: Any, state: ExtensionState) -> tuple[Any, str | None]:
    """Return the identity that a caller means and its trusted issuer; ``None``: this application."""
    if identity is None:
        return _identity_of(_required_token(), state)
    return lifecycle.as_json(subject_of(identity, state), state), _issuer_of_own(identity, state)


def _issuer_of_own(identity: Any, state: ExtensionState) -> str | None:
    """Return the trusted issuer of this request's token if a view passes the identity of that token unchanged.

    That identity is not the local one with the same text.
    """
    token = _verified_token()
    own, issuer = _identity_of(token, state) if token else (None, None)
    return issuer if type(identity) is str and identity == own else None


def _identity_of(token: Token, state: ExtensionState) -> tuple[Any, str | None]:
    """Return the identity of a token, and its trusted issuer; ``None``: this application."""
    return token.claims.get(state.settings.identity_claim), state.issuer_name(token.claims)


def revoke_token(token: str | None = None) -> bool:
    """Revoke one token: it is refused from now on.

    The refresh token of a session ends the session (RFC 7009, section 2.1), unless it is expired, or was exchanged
    longer than JWT_REFRESH_GRACE ago.

    :param token: the encoded token, which may be expired; ``None`` (default): the token of this request
    :return: ``True`` for the first call; ``False`` if the token was revoked before
    :raises jwt.InvalidTokenError: if it is not a valid token of this application or a trusted issuer
    :raises NoAuthorizationError: if there is no ``token`` and the request is anonymous
    :raises StoreUnavailableError: if the store does not answer within JWT_STORE_TIMEOUT
    :raises ConfigurationError: if JWT_STORE_URI is not set, the token has no ``jti`` claim, or there is neither an
        argument nor a verified token

    .. versionadded:: 5.0
    """
    with _state() as state:
        _, now = store_of(state), time.time()
        verified = _required_token() if token is None else verify(token, state, now, allow_expired=True)
        return lifecycle.revoke(verified.claims, state, now)
