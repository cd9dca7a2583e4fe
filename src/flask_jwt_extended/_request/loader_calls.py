"""Call what the application plugged in, its loaders and its own decoder, and interpret what they return."""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import AsyncGeneratorType, GeneratorType
from typing import Any, cast

from jwt import get_unverified_header
from jwt.exceptions import DecodeError

from .._jose import claims as claims_
from .._jose import compact
from .._jose.token import Token
from .._loaders import call, name_of, role_names
from .._state import ExtensionState
from ..exceptions import UserClaimsVerificationError, UserLookupError
from ..typing import TokenTest, UserLookupLoader
from .policy import roles_of


def roles_held(token: Token, state: ExtensionState) -> Collection[str]:
    """Return the roles of a token: those that ``roles_loader`` returns, or without one those in its claims."""
    load = state.loaders.roles
    if load is None:
        return roles_of(token.claims)
    roles, are_good = role_names(call(state.ensure_sync, load, token.header, token.claims))
    if not are_good:
        state.warn_once(
            "roles_loader",
            "roles_loader (%s) must return the names of roles, as a string or a list of strings: other values are "
            "ignored",
            name_of(load),
        )
    return roles


def is_blocklisted(token: Token, state: ExtensionState) -> bool:
    """Return what the loader returns, or ``False``. ``None``, a forgotten ``return``, counts as true in strict only."""
    load = state.loaders.token_in_blocklist
    if load is None:
        return False
    result: object = call(state.ensure_sync, load, token.header, token.claims)
    if result is not None:
        return bool(result)
    is_strict = state.settings.profile == "strict"
    state.warn_once(
        "token_in_blocklist_loader",
        "token_in_blocklist_loader (%s) returned None, and the token was %s: it must return True or False. Is a return "
        "statement missing?",
        name_of(load),
        "refused" if is_strict else "accepted",
    )
    return is_strict


def check_verification(accepts: TokenTest, token: Token, state: ExtensionState) -> None:
    """Call ``token_verification_loader``."""
    result: object = call(state.ensure_sync, accepts, token.header, token.claims)
    if not result or _is_generator(result, "token_verification_loader", accepts, state):
        raise UserClaimsVerificationError("User claims verification failed", token.header, token.claims)


def look_up_user(find: UserLookupLoader, token: Token, state: ExtensionState) -> dict[str, Any]:
    """Call ``user_lookup_loader``, and return its user as ``{"loaded_user": user}``."""
    user = call(state.ensure_sync, find, token.header, token.claims)
    if user is None or _is_generator(user, "user_lookup_loader", find, state):
        identity = token.claims[state.settings.identity_claim]
        raise UserLookupError(f"user_lookup returned None for {identity}", token.header, token.claims)
    return {"loaded_user": user}


def _is_generator(result: object, name: str, load: object, state: ExtensionState) -> bool:
    """Return whether a loader returned a generator, which is true: it has ``yield`` where it needs ``return``."""
    if not isinstance(result, (GeneratorType, AsyncGeneratorType)):
        return False
    state.warn_once(
        name,
        "%s (%s) is a generator function, and its tokens are refused: use return in place of yield",
        name,
        name_of(load),
    )
    return True


def verify_by_application(
    encoded: str | bytes, state: ExtensionState, *, csrf_value: str | None, allow_expired: bool
) -> Token:
    """Verify a token with the application's own ``_decode_jwt_from_config``. As in 4.7, the header must be valid."""
    claims = decode_by_application(encoded, state, csrf_value=csrf_value, allow_expired=allow_expired)
    claims_.check_types(claims, state.settings, csrf_value=csrf_value)
    try:
        header = get_unverified_header(encoded)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"Invalid header string: {type(error).__name__}") from None
    return Token(header, {"type": None, "fresh": False, "jti": None, **claims})


def decode_by_application(
    encoded: str | bytes, state: ExtensionState, *, csrf_value: str | None = None, allow_expired: bool = False
) -> Any:
    """Return what the application's own ``_decode_jwt_from_config`` returns. It should return claims."""
    if not isinstance(encoded, (str, bytes)) or len(encoded) > state.settings.max_token_bytes:
        compact.parse(encoded, state.settings.max_token_bytes)  # raises
    decode = cast("Callable[..., Any]", state.loaders.decode_token)
    return call(state.ensure_sync, decode, encoded, csrf_value, allow_expired)
