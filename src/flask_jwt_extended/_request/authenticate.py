"""The way of a token through a request: extract, verify, check.

Settings, keys, loaders and the time are arguments. Whatever a hostile token provokes is raised as one of PyJWT's
exceptions or one of ours.
"""

from __future__ import annotations

from itertools import count

from flask import Request
from jwt.exceptions import ExpiredSignatureError

from .._jose import claims as claims_
from .._jose import compact
from .._jose.token import Token
from .._sessions.revocation import check_revocation, refuse_without_store
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import NoAuthorizationError, RevokedTokenError
from ..signals import legacy_subject
from ..typing import Claims, Header
from . import single_use
from .binding import accept_bound_token
from .extract import find_token
from .loader_calls import check_verification, is_blocklisted, look_up_user, roles_held, verify_by_application
from .policy import Policy

#: Counts the tokens of this process whose ``sub`` is not a string.
_LEGACY_SUBJECTS = count(1)


def authenticate(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Find the token of a request, verify it, and check it against a policy.

    :param now: seconds since the epoch
    :return: the token; ``None``: the request has none, and the policy is optional
    """
    settings = state.settings
    kind = settings.refresh if policy.refresh else settings.access
    try:
        encoded, location, csrf_value = find_token(request, policy.locations or settings.token_location, kind, settings)
        token = check(encoded, policy, state, now, csrf_value=csrf_value, request=request)
    except NoAuthorizationError:
        if policy.optional:
            return None
        raise
    token.location = location
    return token


def check(
    encoded: str,
    policy: Policy,
    state: ExtensionState,
    now: float,
    *,
    csrf_value: str | None = None,
    request: Request | None = None,
) -> Token:
    """Verify a token, check it against a policy, the store and the loaders, and return it with its user.

    :param now: seconds since the epoch
    :param csrf_value: the double submit value that the token must have; ``None``: any
    :param request: the request that carries it, which uses a single-use token only once. ``None``: each check is a use
    """
    loaders = state.loaders
    token = verify(encoded, state, now, csrf_value=csrf_value)
    is_single_use = token.claims.get("single_use") is True
    is_used = is_single_use and single_use.has_used(request, token, state)
    policy.check(token, now, leeway=state.settings.decode_leeway)
    if policy.roles is not None:
        policy.check_roles(token, roles_held(token, state))
    if not policy.skip_revocation_check:
        check_revoked(token, state, now, is_used=is_used)
    if loaders.token_verification is not None:
        check_verification(loaders.token_verification, token, state)
    if loaders.user_lookup is not None:
        token.user = look_up_user(loaders.user_lookup, token, state)
    if is_single_use and not is_used:
        single_use.use(request, token, state)
    return token


def check_revoked(token: Token, state: ExtensionState, now: float, *, is_used: bool = False) -> None:
    """Check in the store, and with ``token_in_blocklist_loader``, that a token is not revoked.

    :param now: seconds since the epoch
    :param is_used: whether this request or connection has used the token, so that it is revoked in the store
    :raises RevokedTokenError: if it was revoked, its session has ended, or it has a session and there is no store
    :raises StoreUnavailableError: if the store does not answer
    """
    if state.store is None:
        if token.claims.get("sid") is not None:
            refuse_without_store(token, state)
    elif not is_used:
        check_revocation(token, state, now)
    elif token.claims.get("sid") is not None:  # its session may have ended in the meantime
        check_revocation(Token(token.header, {**token.claims, "jti": None}), state, now)
    if state.loaders.token_in_blocklist is not None and is_blocklisted(token, state):
        raise RevokedTokenError(token.header, token.claims)


def verify(
    encoded: str | bytes,
    state: ExtensionState,
    now: float,
    *,
    csrf_value: str | None = None,
    allow_expired: bool = False,
    own: bool = False,
) -> Token:
    """Verify an encoded token: its form, its signature, its registered claims, in this order.

    :param now: seconds since the epoch
    :param csrf_value: the double submit value that the token must have; ``None``: any
    :param own: do not call the application's own ``_decode_jwt_from_config``
    :raises InvalidTokenError: PyJWT's error for what is wrong with it
    """
    if state.loaders.decode_token is not None and not own:
        return verify_by_application(encoded, state, csrf_value=csrf_value, allow_expired=allow_expired)
    header, claims, issuer = state.signatures.verify(encoded, now)
    settings = state.settings
    if issuer is None and settings.access_token_typ == "at+jwt":
        settings = _settings_for_kind(header, claims, settings)
    try:
        if issuer is None:
            claims_.validate(claims, settings, now, csrf_value=csrf_value, allow_expired=allow_expired)
        else:
            issuer.validate(claims, now, csrf_value=csrf_value, allow_expired=allow_expired)
    except ExpiredSignatureError as error:
        vars(error).update(jwt_header=header, jwt_data=claims)  # the arguments of expired_token_loader
        raise
    if issuer is None and settings.legacy_sub_until is not None and type(claims.get("sub", "")) is not str:
        state.notify(legacy_subject, count=next(_LEGACY_SUBJECTS))
    if "cnf" in claims:
        accept_bound_token(claims, None if issuer is None else issuer.name, state)
    return Token(header, claims)


def _settings_for_kind(header: Header, claims: Claims, settings: Settings) -> Settings:
    """Return the settings for the claims of a token of this application, with JWT_ACCESS_TOKEN_TYP = "at+jwt".

    :raises InvalidTokenError: if its ``typ`` is not that of its kind
    """
    is_access = claims.get("type", "access") == "access"
    compact.check_access_typ(header, is_access)
    return settings.for_access_tokens if is_access else settings
