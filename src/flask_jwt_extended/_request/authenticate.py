"""The way of a token through a request: extract, verify, check."""

from __future__ import annotations

from itertools import count

from flask import Request
from jwt.exceptions import ExpiredSignatureError, InvalidTokenError

from .._jose import claims as claims_
from .._jose import compact
from .._jose.token import Token
from .._sessions.revocation import check_revocation, consume, refuse_without_store, token_digest
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import NoAuthorizationError, RevokedTokenError
from ..signals import bound_token_accepted, legacy_subject
from ..typing import Claims
from .extract import find_token
from .loader_calls import check_verification, is_blocklisted, look_up_user, roles_held, verify_by_application
from .policy import Policy

#: Counts the tokens of this process whose ``sub`` is not a string.
_LEGACY_SUBJECTS = count(1)
#: The attribute of a request with the digests of the single-use tokens that it has used.
_USED = "_jwt_extended_used"


def authenticate(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Find, verify and check the token of a request. ``None``: there is none, and the policy is optional."""
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

    :param request: the request that carries it, which uses a single-use token only once. ``None``: each check is a use
    """
    loaders = state.loaders
    token = verify(encoded, state, now, csrf_value=csrf_value)
    is_single_use = token.claims.get("single_use") is True
    is_used = is_single_use and has_used(request, token, state)
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
        use(request, token, state)
    return token


def use(request: Request | None, token: Token, state: ExtensionState) -> None:
    """Use a single-use token, for a request that may check it several times."""
    consume(token, state)
    if request is not None:
        vars(request).setdefault(_USED, set()).add(token_digest(token.claims, state))


def has_used(request: Request | None, token: Token, state: ExtensionState) -> bool:
    """Return whether this request has used a single-use token already."""
    return request is not None and token_digest(token.claims, state) in vars(request).get(_USED, ())


def check_revoked(token: Token, state: ExtensionState, now: float, *, is_used: bool = False) -> None:
    """Check in the store, and with ``token_in_blocklist_loader``, that a token is not revoked.

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
    """Verify form, signature and claims of a token, in this order; if ``own``, not by the application's decoder."""
    if state.loaders.decode_token is not None and not own:
        token = verify_by_application(encoded, state, csrf_value=csrf_value, allow_expired=allow_expired)
        if "cnf" in token.claims:
            _accept_bound_token(token.claims, None, state)
        return token
    header, claims, issuer = state.signatures.verify(encoded, now)
    settings = state.settings
    if issuer is None and settings.access_token_typ == "at+jwt":
        is_access = claims.get("type", "access") == "access"
        compact.check_access_typ(header, is_access)
        settings = settings.for_access_tokens if is_access else settings
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
        _accept_bound_token(claims, None if issuer is None else issuer.name, state)
    return Token(header, claims)


def check_binding(claims: Claims, settings: Settings) -> None:
    """Check the ``cnf`` of a token (RFC 7800, section 3). No proof of possession can be verified yet."""
    if type(claims["cnf"]) is not dict:
        raise InvalidTokenError("Confirmation claim (cnf) must be an object")
    if settings.bound_tokens == "refuse":
        raise InvalidTokenError("The token is bound to a key (cnf), and possession of the key was not proved")


def _accept_bound_token(claims: Claims, issuer: str | None, state: ExtensionState) -> None:
    """Check the ``cnf`` of a token, and report that the token is accepted without proof of possession."""
    check_binding(claims, state.settings)
    state.warn_once(
        f"cnf {issuer}",
        "Tokens of %s are bound to a key (cnf) and accepted without proof of possession. "
        "JWT_BOUND_TOKENS = 'refuse' refuses them",
        issuer or "this application",
    )
    state.notify(bound_token_accepted, issuer=issuer)
