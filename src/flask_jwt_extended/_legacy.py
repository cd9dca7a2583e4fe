"""Private functions of 4.7 that applications import, call and patch. Each calls the others by their names in
``view_decorators``, where 4.7 had them and where tests patch them. Requests use them only while one of those names is
patched (:class:`PatchableModule`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any, cast

from flask import Request, has_request_context, request
from werkzeug.local import LocalProxy

from ._context import get_app, get_state
from ._jose.token import Token
from ._request import extract, loader_calls
from ._request.authenticate import check_revoked, has_used, use
from ._request.csrf import check_socket_origin, is_handshake
from ._request.policy import Policy
from ._settings.parsers import LOCATIONS
from ._state import ExtensionState
from .exceptions import ConfigurationError, NoAuthorizationError
from .typing import Claims, Header, LocationType
from .utils import decode_token, get_jwt_manager, get_unverified_jwt_headers


def _decode_jwt_from_headers() -> tuple[str, None]:
    """Return the token in the header, not verified yet."""
    return _find("headers", refresh=False)[0], None


def _decode_jwt_from_cookies(refresh: bool) -> tuple[str, str | None]:
    """Return the token in the cookie, not verified yet, and the CSRF value that must match it."""
    return _find("cookies", refresh=refresh)


def _decode_jwt_from_query_string() -> tuple[str, None]:
    """Return the token in the query string, not verified yet."""
    return _find("query_string", refresh=False)[0], None


def _decode_jwt_from_json(refresh: bool) -> tuple[str, None]:
    """Return the token in the JSON body, not verified yet."""
    return _find("json", refresh=refresh)[0], None


def _find(location: str, *, refresh: bool) -> tuple[Any, str | None]:
    settings = _current_state().settings
    kind = settings.refresh if refresh else settings.access
    encoded, _, csrf_value = extract.find_token(current_request(), (location,), kind, settings)
    return encoded, csrf_value


def _decode_jwt_from_request(
    locations: LocationType,
    fresh: bool,
    refresh: bool = False,
    verify_type: bool = True,
    skip_revocation_check: bool = False,
) -> tuple[Claims, Header, str]:
    """Verify the token of the current request and return its claims, header and location, without its user."""
    here: Any = _view_decorators()
    encoded, csrf_value, location = _find_in(locations, refresh)
    claims = here.decode_token(encoded, csrf_value)
    if not claims:
        raise NoAuthorizationError("The token was not verified")
    header = here.get_unverified_jwt_headers(encoded)
    if verify_type:
        here.verify_token_type(claims, refresh)
    if fresh:
        here._verify_token_is_fresh(header, claims)
    if not skip_revocation_check:
        here.verify_token_not_blocklisted(header, claims)
    here.custom_verification_for_token(header, claims)
    return claims, header, location


def _find_in(locations: LocationType, refresh: bool) -> tuple[Any, str | None, str]:
    here: Any = _view_decorators()
    readers: dict[str, Callable[[], tuple[Any, str | None]]] = {
        "headers": here._decode_jwt_from_headers,
        "cookies": lambda: here._decode_jwt_from_cookies(refresh),
        "query_string": here._decode_jwt_from_query_string,
        "json": lambda: here._decode_jwt_from_json(refresh),
    }
    settings = _current_state().settings
    places = [locations] if isinstance(locations, str) else list(locations or settings.token_location)
    refusals: list[Any] = []
    for location in places:
        if location not in readers:
            raise ConfigurationError(f"'{location}' is not a valid location: use {', '.join(LOCATIONS)}")
        try:
            encoded, csrf_value = readers[location]()
        except extract.NOT_HERE as refusal:
            refusals.append(refusal)
            continue
        if settings.single_token:
            kind = settings.refresh if refresh else settings.access
            extract.refuse_several(current_request(), places, kind, settings)
        return encoded, csrf_value, location
    raise extract.none_found(places, refusals)


def _verify_token_is_fresh(jwt_header: Header, jwt_data: Claims) -> None:
    """Raise if a token is not fresh."""
    Policy(fresh=True, verify_type=False).check(Token(jwt_header, {"fresh": False, **jwt_data}), time.time())


def _load_user(jwt_header: Header, jwt_data: Claims) -> dict[str, Any] | None:
    """Call ``user_lookup_loader``; ``None`` if there is none."""
    here: Any = _view_decorators()
    if not here.has_user_lookup():
        return None
    return loader_calls.look_up_user(here.user_lookup, Token(jwt_header, jwt_data), _current_state())


def has_user_lookup() -> bool:
    """Return whether the application has a ``user_lookup_loader``."""
    return get_jwt_manager()._user_lookup_callback is not None


def user_lookup(*args: Any, **kwargs: Any) -> Any:
    """Call the ``user_lookup_loader``; ``None`` if there is none."""
    callback: Any = get_jwt_manager()._user_lookup_callback
    return callback and callback(*args, **kwargs)


def verify_token_type(decoded_token: Claims, refresh: bool) -> None:
    """Raise if a token is not of the required type. Unlike in 4.7, only ``access`` is an access token."""
    Policy(refresh=refresh).check(Token({}, {"type": None, **decoded_token}), time.time())


def verify_token_not_blocklisted(jwt_header: Header, jwt_data: Claims) -> None:
    """Raise if a token was revoked, by ``token_in_blocklist_loader`` or in the store."""
    token = Token(jwt_header, {"type": None, "jti": None, **jwt_data})
    state = _current_state()
    is_used = jwt_data.get("single_use") is True and has_used(_incoming(), token, state)
    check_revoked(token, state, time.time(), is_used=is_used)


def custom_verification_for_token(jwt_header: Header, jwt_data: Claims) -> None:
    """Raise if ``token_verification_loader`` refuses a token."""
    state = _current_state()
    if state.loaders.token_verification is not None:
        loader_calls.check_verification(state.loaders.token_verification, Token(jwt_header, jwt_data), state)


# --- patches ---------------------------------------------------------------------------------------------------------

#: The values of 4.7's names in ``view_decorators`` until a test or an application patches one.
NAMES: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        _decode_jwt_from_cookies,
        _decode_jwt_from_headers,
        _decode_jwt_from_json,
        _decode_jwt_from_query_string,
        _decode_jwt_from_request,
        _load_user,
        _verify_token_is_fresh,
        custom_verification_for_token,
        decode_token,
        get_unverified_jwt_headers,
        has_user_lookup,
        user_lookup,
        verify_token_not_blocklisted,
        verify_token_type,
    )
} | {"request": request}


class PatchableModule(ModuleType):
    """A module that records whether one of :data:`NAMES` is patched, so that requests need not compare them."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in NAMES:
            names = vars(self)
            names["_is_patched"] = any(names.get(each) is not own for each, own in NAMES.items())


def authenticate(policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Find and check the token of the current request with the functions in ``view_decorators``, as 4.7 does."""
    here: Any = _view_decorators()
    knows_type = policy.token_type in ("access", "refresh")
    try:
        claims, header, location = here._decode_jwt_from_request(
            list(policy.locations) or None,
            policy.fresh,
            refresh=policy.refresh,
            verify_type=policy.verify_type and knows_type,
            skip_revocation_check=policy.skip_revocation_check,
        )
    except NoAuthorizationError:
        if policy.optional:
            return None
        raise
    token = Token(header, claims)
    token.location = location
    _check_beyond(replace(policy, fresh=False, verify_type=policy.verify_type and not knows_type), token, state, now)
    token.user = here._load_user(header, claims)
    if token.claims.get("single_use") is True and not has_used(_incoming(), token, state):
        use(_incoming(), token, state)
    return token


def _check_beyond(policy: Policy, token: Token, state: ExtensionState, now: float) -> None:
    """Make the checks that 4.7 lacks."""
    incoming = current_request()
    if token.location == "cookies" and isinstance(incoming, Request) and is_handshake(incoming.environ):
        check_socket_origin(incoming, state.settings)
    policy.check(token, now, leeway=state.settings.decode_leeway)
    if policy.roles is not None:
        policy.check_roles(token, loader_calls.roles_held(token, state))


def _view_decorators() -> ModuleType:
    return sys.modules[f"{__package__}.view_decorators"]


def _current_state() -> ExtensionState:
    return get_state(get_app())


def _incoming() -> Request | None:
    """Return the current request, even if a test patches the name ``request``; ``None`` outside a request."""
    return request._get_current_object() if has_request_context() else None  # type: ignore[attr-defined]  # of LocalProxy


def current_request() -> Request:
    """Return the current request, or the object that a test patches the name ``request`` with."""
    here: Any = _view_decorators()
    current: Any = here.request
    return cast("Request", current._get_current_object() if isinstance(current, LocalProxy) else current)
