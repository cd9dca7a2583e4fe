"""Protecting views: ``jwt_required`` and ``verify_jwt_in_request``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from flask import Flask, Request, Response, after_this_request, g, has_request_context, request
from jwt.exceptions import PyJWTError

from . import _legacy
from ._context import get_app, get_state
from ._jose.token import Token
from ._legacy import (  # noqa: F401  # 4.7 has them here, and tests patch them here
    _decode_jwt_from_cookies,
    _decode_jwt_from_headers,
    _decode_jwt_from_json,
    _decode_jwt_from_query_string,
    _decode_jwt_from_request,
    _load_user,
    _verify_token_is_fresh,
    custom_verification_for_token,
    has_user_lookup,
    user_lookup,
    verify_token_not_blocklisted,
    verify_token_type,
)
from ._protection.view_metadata import mark_protected
from ._removed import explain_missing
from ._request import current_token
from ._request.csrf import is_handshake
from ._request.extract import query_values
from ._request.leniency import admit_request
from ._request.policy import Policy, Requirements, parse_locations
from ._request.responses import signal_refusal
from .exceptions import (  # noqa: F401  # for the same reason
    CSRFError,
    FreshTokenRequired,
    InvalidHeaderError,
    InvalidQueryParamError,
    JWTExtendedException,
    NoAuthorizationError,
    UserLookupError,
)
from .typing import Claims, Header, LocationType, OptionalType
from .utils import decode_token, get_unverified_jwt_headers  # noqa: F401  # tests patch them here

P = ParamSpec("P")
R = TypeVar("R")

#: Policies of calls of :func:`verify_jwt_in_request`. An application has a handful.
_policy = lru_cache(256)(Policy)


def verify_jwt_in_request(
    optional: OptionalType = False,
    fresh: bool = False,
    refresh: bool = False,
    locations: LocationType = None,
    verify_type: bool = True,
    skip_revocation_check: bool = False,
    *,
    scopes: Requirements = None,
    roles: Requirements = None,
    token_type: str | None = None,
    max_age: timedelta | float | None = None,
    acr: str | Sequence[str] | None = None,
    report_only: bool = False,
) -> tuple[Header, Claims] | None:
    """Verify the token of this request and keep it for ``get_jwt``, ``current_user`` and the like.

    CORS preflights pass as anonymous, because browsers send them without credentials. With the compat profile all
    other OPTIONS requests pass too (JWT_PROTECT_OPTIONS_METHOD).

    The parameters are those of :func:`jwt_required`.

    :return: the header and the claims of the token; ``None`` for an anonymous request
    :raises JWTExtendedException: if the request is refused
    :raises jwt.InvalidTokenError: if its token is not valid (RFC 7519, section 7.2)
    :raises ConfigurationError: if a requirement cannot be met, or two contradict each other

    .. versionchanged:: 5.0
        Added ``optional="if-valid"``, ``scopes``, ``roles``, ``token_type``, ``max_age``, ``acr`` and ``report_only``.
    """
    if (scopes, roles, token_type, max_age, acr, report_only) == (None, None, None, None, None, False):
        return _verify(
            _policy(optional, fresh, refresh, parse_locations(locations), verify_type, skip_revocation_check)
        )
    return _verify(Policy.from_arguments(**locals()))


#: The arguments that 4.7 does not have, with their defaults.
_NEW = {"scopes": None, "roles": None, "token_type": None, "max_age": None, "acr": None, "report_only": False}
#: The function itself: tests may patch its name.
_GENUINE = verify_jwt_in_request


def _verify(policy: Policy, *, decorated: bool = False) -> tuple[Header, Claims] | None:
    app = get_app()
    incoming = _incoming()
    is_request = not _is_patched or isinstance(incoming, Request)  # or its replacement in a test
    if is_request and (is_handshake(incoming.environ) or "sid" in incoming.__dict__):
        token = _admitted_to_socket(incoming, policy, app, decorated)
    else:
        is_open = incoming.method == "OPTIONS" and _is_exempt(incoming, app)
        token = None if is_open else _admitted(incoming, policy, app)
    current_token.remember(g._get_current_object(), token, None if _is_patched else incoming, app)
    return (token.header, token.claims) if token else None


def _is_exempt(options_request: Request, app: Flask) -> bool:
    """Whether an OPTIONS request needs no token: every one, or only CORS preflights (Fetch standard, section 3.2.2)."""
    if not get_state(app).settings.protect_options_method:
        return True
    headers = options_request.headers
    return bool(headers.get("Origin")) and bool(headers.get("Access-Control-Request-Method"))


def _admitted_to_socket(incoming: Any, policy: Policy, app: Flask, decorated: bool) -> Token | None:
    """Let a WebSocket be opened, or a client of Flask-SocketIO send an event, until the token ends."""
    from ._protection import socket_guard, socketio_guard  # most applications have no sockets

    if hasattr(incoming, "sid") and hasattr(incoming, "namespace"):  # Flask-SocketIO sets them
        if decorated:
            raise socketio_guard.misplaced("jwt_required", app, incoming)
        return socketio_guard.admit_event(app, incoming, policy, lambda: _admitted(incoming, policy, app))
    token = _admitted(incoming, policy, app)
    if token is not None:
        socket_guard.watch_request(app, incoming, token, policy)
    return token


def _admitted(incoming: Request, policy: Policy, app: Flask) -> Token | None:
    state = get_state(app)
    if "query_string" in (policy.locations or state.settings.token_location) and has_request_context():
        after_this_request(_keep_out_of_caches)
    try:
        if _is_patched:
            return _legacy.authenticate(policy, state, time.time())
        return admit_request(incoming, policy, state, time.time())
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error)  # noqa: B904  # it is the same error


def jwt_required(
    optional: OptionalType = False,
    fresh: bool = False,
    refresh: bool = False,
    locations: LocationType = None,
    verify_type: bool = True,
    skip_revocation_check: bool = False,
    *,
    scopes: Requirements = None,
    roles: Requirements = None,
    token_type: str | None = None,
    max_age: timedelta | float | None = None,
    acr: str | Sequence[str] | None = None,
    report_only: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Protect a view: requests without a valid token that meets the requirements are refused.

    It decorates functions and coroutine functions, below the route::

        @app.get("/profile")
        @jwt_required()
        def profile(): ...

    :param optional: let a request without a token pass as anonymous; a request with an invalid token is still refused.
        ``"if-valid"``: let that pass as anonymous too. ``False`` by default
    :param fresh: require a fresh token. ``False`` by default
    :param refresh: require a refresh token instead of an access token. ``False`` by default
    :param locations: where to look for the token: ``"headers"``, ``"cookies"``, ``"query_string"``, ``"json"`` or a
        list of them in order of precedence. ``None`` (default): as JWT_TOKEN_LOCATION says
    :param verify_type: ``False`` accepts tokens of every type. ``True`` by default
    :param skip_revocation_check: do not check whether the token was revoked. ``False`` by default
    :param scopes: require one of these scopes (RFC 6749, section 3.3), or :func:`all_of` them, in ``scope`` and ``scp``
    :param roles: require one of these roles, or :func:`all_of` them: ``roles`` and ``groups``, or what ``roles_loader``
        returns
    :param token_type: require a token that ``create_token`` made with this type
    :param max_age: require that the user logged in at most this many seconds ago (or a ``timedelta``), according to
        ``auth_time``, or to ``iat`` if the token is fresh (RFC 9470)
    :param acr: require one of these authentication contexts, in ``acr`` or among ``amr`` (RFC 9470)
    :param report_only: let every request pass, and send the signal ``would_refuse`` for those that would be refused.
        They pass as anonymous, unless the token is valid and only lacks a requirement. ``False`` by default
    :raises TypeError: if the parentheses are missing, or if it decorates something other than a function: a class,
        or what a route decorator returned
    :raises ConfigurationError: if a requirement cannot be met, or two contradict each other

    .. versionchanged:: 5.0
        Added ``optional="if-valid"``, ``scopes``, ``roles``, ``token_type``, ``max_age``, ``acr`` and ``report_only``.
    """
    arguments = dict(locals())
    if callable(optional):
        raise TypeError("jwt_required is missing its parentheses: write @jwt_required(), not @jwt_required")
    policy = Policy.from_arguments(**arguments)
    # A test may patch verify_jwt_in_request with a function that has the arguments of 4.7 only.
    new: Any = {name: arguments[name] for name, default in _NEW.items() if arguments[name] is not default}

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        _check_function(view)
        is_async = iscoroutinefunction(view)

        @wraps(view)
        def protected(*args: P.args, **kwargs: P.kwargs) -> R:
            if verify_jwt_in_request is _GENUINE:
                try:
                    _verify(policy, decorated=True)
                except (JWTExtendedException, PyJWTError) as error:
                    if not _closed(args, error):
                        raise
                    return cast("R", None)
            else:  # a test has patched it
                verify_jwt_in_request(optional, fresh, refresh, locations, verify_type, skip_revocation_check, **new)
            if is_async:
                return cast("R", get_app().ensure_sync(view)(*args, **kwargs))
            return view(*args, **kwargs)

        mark_protected(view, protected, policy)
        return protected

    return decorate


def _closed(arguments: tuple[Any, ...], error: Exception) -> bool:
    """Close the WebSocket if this request opens one, and return whether it did."""
    incoming = _incoming()
    if not isinstance(incoming, Request) or not is_handshake(incoming.environ):
        return False
    from ._protection import socket_guard

    return socket_guard.close_refused(arguments, incoming, error)


def _incoming() -> Request:
    """Return the current request itself, because the proxy costs more; or its replacement in a test."""
    if _is_patched:
        return _legacy.current_request()
    return request._get_current_object()  # type: ignore[attr-defined,no-any-return]  # of LocalProxy


def require(policy: Policy) -> None:
    """Check this request like ``@jwt_required`` with this policy."""
    if verify_jwt_in_request is _GENUINE:
        _verify(policy)
    else:  # a test has patched it
        verify_jwt_in_request(**_arguments(policy))


def _arguments(policy: Policy) -> dict[str, Any]:
    """The arguments of :func:`verify_jwt_in_request` for a policy, without the defaults."""
    usual = Policy(refresh=policy.refresh)
    values = {each.name: getattr(policy, each.name) for each in fields(policy)}
    chosen = {name: value for name, value in values.items() if value != getattr(usual, name)}
    return chosen | ({"refresh": True} if policy.refresh else {})


def _check_function(view: Any) -> None:
    """Raise TypeError if ``@jwt_required()`` decorates anything but a function, and say what to write instead."""
    if isinstance(view, type):
        listed = "method_decorators" if hasattr(view, "method_decorators") else "decorators"
        raise TypeError(
            f"@jwt_required() cannot protect the class {view.__qualname__}: put it on each of its methods, or write "
            f"{listed} = [jwt_required()] into the class. Above a route it would protect nothing"
        )
    if view is None:
        raise TypeError(
            "@jwt_required() is above a decorator that returned None, so it would protect nothing: put it below the "
            "route, next to the function (below @sock.route, for example)"
        )
    if not callable(view):
        raise TypeError(f"@jwt_required() protects functions, not a {type(view).__name__}: put it next to the function")


def _keep_out_of_caches(response: Response) -> Response:
    """Forbid caching the response to a URL that holds a token (RFC 6750, section 2.3)."""
    if query_values(request, get_state(get_app()).settings):
        response.headers["Cache-Control"] = "no-store"
    return response


if not TYPE_CHECKING:  # or every name would exist for type checkers
    __getattr__ = explain_missing(__name__)

#: Whether one of 4.7's private names in this module is patched.
_is_patched = False
sys.modules[__name__].__class__ = _legacy.PatchableModule
