"""The functions that applications call: to read the token of a request, to make and read tokens, to set cookies."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, cast

from flask import Response, g
from jwt.exceptions import PyJWTError
from werkzeug.local import LocalProxy

from . import _issue as issuing
from ._context import get_app, get_manager, get_state
from ._issue import NewToken
from ._jose import compact
from ._removed import explain_arguments, explain_missing
from ._request import cookies, current_token
from ._request.authenticate import verify
from ._request.loader_calls import decode_by_application
from ._request.policy import scopes_of
from ._request.responses import signal_refusal
from ._settings.options import MAX_TOKEN_BYTES
from ._settings.redaction import without_credentials
from ._settings.settings import TokenKind
from ._state import ExtensionState
from .exceptions import ConfigurationError, JWTExtendedException
from .jwt_manager import JWTManager
from .typing import Claims, ExpiresDelta, Fresh, Header

#: The user of the token in this request, as :func:`get_current_user` returns it.
current_user: Any = LocalProxy(lambda: get_current_user())  # noqa: PLW0108  # it is defined below


def get_jwt_manager() -> JWTManager:
    """Return the ``JWTManager`` of the current application.

    :raises RuntimeError: if it has none
    """
    return get_manager(get_app())


def _current_state() -> ExtensionState:
    return get_state(get_app())


def get_jwt() -> Claims:
    """Return the claims of the token in this request; an empty dictionary if the request is anonymous.

    :raises RuntimeError: if no ``@jwt_required()`` or ``verify_jwt_in_request()`` ran in this request
    """
    return _remembered("claims")


def get_jwt_header() -> Header:
    """Return the header of the token in this request; an empty dictionary if the request is anonymous.

    :raises RuntimeError: if no ``@jwt_required()`` or ``verify_jwt_in_request()`` ran in this request
    """
    return _remembered("header")


def _remembered(part: str) -> dict[str, Any]:
    value = _recall(part)
    if value is None:
        raise ConfigurationError(
            "You must call `@jwt_required()` or `verify_jwt_in_request()` before using this method"
        )
    return cast("dict[str, Any]", value)


def _recall(part: str) -> Any:
    return current_token.recall(g._get_current_object(), part)


def get_jwt_identity() -> Any:
    """Return the identity of the token in this request, the claim JWT_IDENTITY_CLAIM; ``None`` if it is anonymous.

    :raises RuntimeError: if no ``@jwt_required()`` or ``verify_jwt_in_request()`` ran in this request
    """
    return get_jwt().get(_current_state().settings.identity_claim)


def get_jwt_request_location() -> str | None:
    """Return where the token of this request was found: ``"headers"``, ``"cookies"``, ``"query_string"`` or
    ``"json"``; ``None`` if it is anonymous.
    """
    return cast("str | None", _recall("location"))


def has_scope(*scopes: str) -> bool:
    """Return whether the token of this request has all of these scopes (``scope`` and ``scp``).

    :raises RuntimeError: if no ``@jwt_required()`` or ``verify_jwt_in_request()`` ran in this request

    .. versionadded:: 5.0
    """
    return set(scopes).issubset(scopes_of(get_jwt()))


def get_current_user() -> Any:
    """Return the user that ``user_lookup_loader`` returned for this request; ``None`` if it is anonymous.

    :raises RuntimeError: if no ``@jwt_required()`` or ``verify_jwt_in_request()`` ran in this request, or there is no
        ``user_lookup_loader``
    """
    get_jwt()
    user = _recall("user")
    if user is None:
        raise ConfigurationError("You must provide a `@jwt.user_lookup_loader` callback to use this method")
    return user["loaded_user"]


def current_user_context_processor() -> dict[str, Any]:
    """Return ``current_user`` for templates, for ``app.context_processor(current_user_context_processor)``.

    :raises RuntimeError: as :func:`get_current_user`
    """
    return {"current_user": get_current_user()}


@explain_arguments
def create_access_token(
    identity: Any,
    fresh: Fresh = False,
    expires_delta: ExpiresDelta | None = None,
    additional_claims: dict[str, Any] | None = None,
    additional_headers: dict[str, Any] | None = None,
) -> str:
    """Make an access token.

    :param identity: the user: a string, or anything that ``user_identity_loader`` converts to one
    :param fresh: whether the token is fresh: ``True``, ``False`` (default), or a ``timedelta`` that it stays fresh
    :param expires_delta: how long the token is valid: a ``timedelta`` or seconds; ``False``: without end; ``None``
        (default): as JWT_ACCESS_TOKEN_EXPIRES says
    :param additional_claims: claims that override the usual ones and those of ``additional_claims_loader``
    :param additional_headers: header parameters that override those of ``additional_headers_loader``
    :return: the encoded token
    :raises RuntimeError: if there is no key to sign it with
    """
    new = NewToken("access", identity, fresh, expires_delta, additional_claims, additional_headers)
    return issuing.issue(new, _current_state(), time.time())


@explain_arguments
def create_refresh_token(
    identity: Any,
    expires_delta: ExpiresDelta | None = None,
    additional_claims: dict[str, Any] | None = None,
    additional_headers: dict[str, Any] | None = None,
) -> str:
    """Make a refresh token. It is never fresh. The parameters are those of :func:`create_access_token`.

    :param expires_delta: ``None`` (default): as JWT_REFRESH_TOKEN_EXPIRES says
    :return: the encoded token
    :raises RuntimeError: if there is no key to sign it with
    """
    new = NewToken("refresh", identity, False, expires_delta, additional_claims, additional_headers)
    return issuing.issue(new, _current_state(), time.time())


def create_token(
    token_type: str,
    identity: Any,
    *,
    expires_delta: ExpiresDelta | None = None,
    single_use: bool = False,
    additional_claims: dict[str, Any] | None = None,
    additional_headers: dict[str, Any] | None = None,
) -> str:
    """Make a token of your own type, for example to reset a password. Only views with
    ``@jwt_required(token_type=...)`` of the same type accept it.

    :param token_type: the type, for example ``"password_reset"``; neither ``"access"`` nor ``"refresh"``
    :param single_use: whether the token is accepted only once. This needs a store (JWT_STORE_URI)
    :param expires_delta: as in :func:`create_access_token`, like the remaining parameters
    :return: the encoded token
    :raises RuntimeError: if the type is not valid, if there is no store for ``single_use``, or no key to sign it with

    .. versionadded:: 5.0
    """
    state = _current_state()
    if not isinstance(token_type, str) or token_type in ("", "access", "refresh"):
        raise ConfigurationError(
            f'token_type must be a name of your own, for example "password_reset", not {token_type!r}: '
            "create_access_token and create_refresh_token make the usual types"
        )
    if single_use and state.store is None:
        raise ConfigurationError('single_use=True needs a store, for example JWT_STORE_URI = "sqlite:///jwt.db"')
    fixed = {"type": token_type} | ({"jti": str(uuid.uuid4()), "single_use": True} if single_use else {})
    new = NewToken(token_type, identity, False, expires_delta, additional_claims, additional_headers, fixed)
    return issuing.issue(new, state, time.time())


def decode_token(encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False) -> Claims:
    """Verify an encoded token and return its claims. It is not checked whether the token was revoked.

    :param encoded_token: the token
    :param csrf_value: the CSRF double submit value that the token must have; ``None`` (default): any
    :param allow_expired: accept a token whose ``exp`` has passed. ``False`` by default
    :raises jwt.InvalidTokenError: if the token is not valid (RFC 7519, section 7.2)
    :raises JWTDecodeError: if it lacks a required claim
    :raises CSRFError: if the double submit value does not match
    """
    app = get_app()
    expected: dict[str, Any] = {"csrf_value": csrf_value, "allow_expired": allow_expired}
    try:
        state = get_state(app)
        if state.loaders.decode_token is not None:
            return cast("Claims", decode_by_application(encoded_token, state, **expected))
        return verify(encoded_token, state, time.time(), **expected).claims
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error)  # noqa: B904  # it is the same error


def get_unverified_jwt_headers(encoded_token: str) -> Header:
    """Return the header of an encoded token **without verifying the token**.

    :raises jwt.InvalidTokenError: if it is malformed
    """
    try:
        max_bytes = _current_state().settings.max_token_bytes
    except RuntimeError:  # it needs no application, as in 4.7
        max_bytes = MAX_TOKEN_BYTES
    return compact.parse(encoded_token, max_bytes)[0]


def get_jti(encoded_token: str) -> str | None:
    """Verify an encoded token and return its unique identifier, the ``jti`` claim; ``None`` if it has none.

    :raises jwt.InvalidTokenError: if it is not valid
    """
    return decode_token(encoded_token).get("jti")


def get_csrf_token(encoded_token: str) -> str:
    """Verify an encoded token and return its CSRF double submit value, the ``csrf`` claim.

    :raises jwt.InvalidTokenError: if it is not valid
    :raises KeyError: if it was made while JWT_COOKIE_CSRF_PROTECT was off
    """
    return cast("str", decode_token(encoded_token)["csrf"])


def set_access_cookies(
    response: Response, encoded_access_token: str, max_age: int | None = None, domain: str | None = None
) -> None:
    """Set the cookie of an access token, and with JWT_CSRF_IN_COOKIES the cookie of its CSRF value.

    :param response: the response to set them on
    :param encoded_access_token: the token, as :func:`create_access_token` returns it
    :param max_age: seconds until the cookies expire; ``None`` (default): as JWT_SESSION_COOKIE says
    :param domain: the domain of the cookies; ``None`` (default): as JWT_COOKIE_DOMAIN says
    :raises ConfigurationError: if browsers would reject the cookies with this domain: it is not a domain, or the
        cookies are named ``__Host-...``; or if the token is from a trusted issuer and cookies need a CSRF value
    :raises jwt.InvalidTokenError: if the token is not valid, and its CSRF value or its lifetime is needed
    """
    state = _current_state()
    _set_cookies(response, encoded_access_token, state, state.settings.access, max_age=max_age, domain=domain)


def set_refresh_cookies(
    response: Response, encoded_refresh_token: str, max_age: int | None = None, domain: str | None = None
) -> None:
    """Set the cookie of a refresh token, and with JWT_CSRF_IN_COOKIES the cookie of its CSRF value.

    The parameters and exceptions are those of :func:`set_access_cookies`.
    """
    state = _current_state()
    _set_cookies(response, encoded_refresh_token, state, state.settings.refresh, max_age=max_age, domain=domain)


def _set_cookies(response: Response, encoded: str, state: ExtensionState, kind: TokenKind, **lifetime: Any) -> None:
    settings = state.settings
    with_csrf, bounded = settings.with_csrf_cookie, not settings.cookie_outlives_token
    claims = decode_token(encoded) if with_csrf or bounded else {}
    if with_csrf and (issuer := state.issuer_name(claims)) is not None:
        raise ConfigurationError(
            f"A token of {without_credentials(issuer)} has no CSRF value of this application, so it does not work in a "
            "cookie: create a token of your own for the cookie"
        )
    cookies.set_cookies(
        response,
        kind,
        settings,
        encoded=encoded,
        csrf_value=claims["csrf"] if with_csrf else None,
        longest=int(claims["exp"] - time.time()) if bounded and "exp" in claims else None,
        **lifetime,
    )


def unset_jwt_cookies(response: Response, domain: str | None = None) -> None:
    """Delete the cookies of the access token and of the refresh token.

    :param response: the response that tells the browser so
    :param domain: the domain they were set with; ``None`` (default): as JWT_COOKIE_DOMAIN says. Cookies named
        ``__Host-...`` have no domain and are deleted without one
    :raises ConfigurationError: if ``domain`` is not a valid domain for cookies
    """
    unset_access_cookies(response, domain)
    unset_refresh_cookies(response, domain)


def unset_access_cookies(response: Response, domain: str | None = None) -> None:
    """Delete the cookies of the access token. The parameters are those of :func:`unset_jwt_cookies`."""
    settings = _current_state().settings
    cookies.unset_cookies(response, settings.access, settings, domain=domain)


def unset_refresh_cookies(response: Response, domain: str | None = None) -> None:
    """Delete the cookies of the refresh token. The parameters are those of :func:`unset_jwt_cookies`."""
    settings = _current_state().settings
    cookies.unset_cookies(response, settings.refresh, settings, domain=domain)


if not TYPE_CHECKING:  # or every name would exist for type checkers
    __getattr__ = explain_missing(__name__)
