"""The way of a request: extract → verify → check → ask → remember.

Settings, keys, loaders and the time come in as arguments. What a hostile token provokes leaves as one of PyJWT's
exceptions or one of ours, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from errno import ENAMETOOLONG
from itertools import count
from typing import Any

from flask import Request
from jwt.exceptions import (
    ExpiredSignatureError,
    InvalidKeyError,
    InvalidTokenError,
    PyJWKClientConnectionError,
    PyJWTError,
)

from .admission import admit, use_up
from .core import claims as claims_
from .core import compact
from .core.keys import Key, KeyRing, prepare_bound
from .core.policy import Policy, roles_of
from .core.token import Token
from .exceptions import (
    ConfigurationError,
    JWTExtendedException,
    KeyUnavailableError,
    NoAuthorizationError,
    RevokedTokenError,
    UnavailableError,
    UserClaimsVerificationError,
    UserLookupError,
    code_of,
)
from .foreign import ForeignIssuer, issuer_of
from .http.extract import find_token
from .loaders import call
from .runtime import Runtime
from .signals import legacy_subject, logger, refusal_reported
from .typing import Claims, DecodeKeyLoader, Header, TokenTest, UserLookupLoader


def admit_request(request: Request, policy: Policy, runtime: Runtime, now: float) -> Token | None:
    """Let a request pass, or raise. ``None`` is the anonymous request that the policy lets pass.

    :param now: seconds since the epoch
    """
    try:
        return authenticate(request, policy, runtime, now)
    except (JWTExtendedException, PyJWTError) as error:
        if not (policy.report_only or policy.optional or runtime.settings.report_only):
            raise
        return _second_look(error, request, policy, runtime, now)


def _second_look(
    error: JWTExtendedException | PyJWTError, request: Request, policy: Policy, runtime: Runtime, now: float
) -> Token | None:
    """Decide on a request that is refused, where not every refusal counts. What lets it pass is told of."""
    if runtime.settings.report_only:
        with suppress(JWTExtendedException, PyJWTError):
            token = admit_request(request, policy, runtime.lenient, now)
            runtime.notify(refusal_reported, code=code_of(error), error=error)
            return token
    if policy.report_only:
        runtime.notify(refusal_reported, code=code_of(error), error=error)
        return _whoever_it_is(request, policy, runtime, now)
    if policy.optional == "if-valid" and not isinstance(error, UnavailableError):
        runtime.notify(refusal_reported, code=code_of(error), error=error)
        return None
    raise error


def _whoever_it_is(request: Request, policy: Policy, runtime: Runtime, now: float) -> Token | None:
    """The token of a request if it is good, whatever it lacks; ``None`` if it is not."""
    undemanding = replace(policy, fresh=False, scopes=None, roles=None, max_age=None, acr=(), report_only=False)
    try:
        return authenticate(request, undemanding, runtime, now)
    except (JWTExtendedException, PyJWTError):
        return None


def authenticate(request: Request, policy: Policy, runtime: Runtime, now: float) -> Token | None:
    """Find and check the token of a request. ``None`` is the anonymous request that an optional view lets pass.

    :param now: seconds since the epoch
    """
    settings = runtime.settings
    kind = settings.refresh if policy.refresh else settings.access
    try:
        encoded, location, csrf_value = find_token(request, policy.locations or settings.token_location, kind, settings)
        token = check(encoded, policy, runtime, now, csrf_value=csrf_value)
    except NoAuthorizationError:
        if policy.optional:
            return None
        raise
    token.location = location
    return token


def check(encoded: str, policy: Policy, runtime: Runtime, now: float, *, csrf_value: str | None = None) -> Token:
    """Verify a token, hold it against a policy, ask the store and the loaders, and return it with its user.

    :param now: seconds since the epoch
    :param csrf_value: the double submit value that it must hold; ``None``: any
    """
    loaders = runtime.loaders
    token = verify(encoded, runtime, now, csrf_value=csrf_value)
    policy.check(token, now)
    if policy.roles is not None:
        policy.check_roles(token, _roles_of(token, runtime))
    if not policy.skip_revocation_check:
        see_whether_revoked(token, runtime, now)
    if loaders.token_verification is not None:
        _ask_verification(loaders.token_verification, token, runtime)
    if loaders.user_lookup is not None:
        token.user = look_up_user(loaders.user_lookup, token, runtime)
    if token.claims.get("single_use") is True:
        use_up(token, runtime)
    return token


def see_whether_revoked(token: Token, runtime: Runtime, now: float) -> None:
    """Ask the store, and ``token_in_blocklist_loader``.

    :param now: seconds since the epoch
    :raises RevokedTokenError: if it was revoked, or its session has ended
    :raises StoreUnavailableError: if nobody can tell
    """
    if runtime.store is not None:
        admit(token, runtime, now)
    if runtime.loaders.token_in_blocklist is not None:
        _ask_blocklist(runtime.loaders.token_in_blocklist, token, runtime)


def verify(
    encoded: str | bytes,
    runtime: Runtime,
    now: float,
    *,
    csrf_value: str | None = None,
    allow_expired: bool = False,
) -> Token:
    """Verify an encoded token: its form, its signature, its registered claims, in this order.

    :param now: seconds since the epoch
    :param csrf_value: the double submit value it must hold; ``None``: any
    :raises InvalidTokenError: PyJWT's error for what is wrong with it
    """
    header, claims, issuer = _read(encoded, runtime, now)
    settings = runtime.settings if issuer is None else issuer.settings
    if issuer is not None:
        issuer.check(claims)
    try:
        claims_.validate(claims, settings, now, csrf_value=csrf_value, allow_expired=allow_expired)
    except ExpiredSignatureError as error:
        error.jwt_header = header  # type: ignore[attr-defined]  # expired_token_loader is told both
        error.jwt_data = claims  # type: ignore[attr-defined]
        raise
    if issuer is not None:
        issuer.adopt(claims)
    elif settings.legacy_sub_until is not None and type(claims.get("sub", "")) is not str:
        runtime.notify(legacy_subject, count=next(_LEGACY_SUBJECTS))
    return Token(header, claims)


def _read(encoded: str | bytes, runtime: Runtime, now: float) -> tuple[Header, Claims, ForeignIssuer | None]:
    """Return the header and the claims of a token whose signature is good, and the foreign issuer if it is of one."""
    if not runtime.issuers:
        header, payload = verify_signature(encoded, runtime, now)
        return header, compact.parse_object(payload, "payload"), None
    # Which keys count is up to the issuer that the token names: those of one never vouch for another.
    parts = compact.parse(encoded, runtime.settings.max_token_bytes)
    claims = compact.parse_object(compact.decode_segment(parts[2], "payload"), "payload")
    issuer = issuer_of(claims, runtime.issuers)
    if issuer is None:
        return verify_signature(encoded, runtime, now)[0], claims, None
    issuer.verify_signature(parts)
    return parts[0], claims, issuer


def verify_signature(encoded: str | bytes, runtime: Runtime, now: float) -> tuple[Header, bytes]:
    """Verify the form and the signature of a token, and return its header and the octets of its payload.

    :param now: seconds since the epoch
    :raises InvalidTokenError: PyJWT's error for what is wrong with it
    """
    if runtime.loaders.decode_key is None:
        return runtime.keys.at(now).verifier.verify(encoded)
    return _verify_with_loaded_key(encoded, runtime.loaders.decode_key, runtime)


def _verify_with_loaded_key(encoded: str | bytes, load: DecodeKeyLoader, runtime: Runtime) -> tuple[Header, bytes]:
    """Verify with the key that ``decode_key_loader`` names. It alone sees claims that nothing vouches for yet."""
    parts = header, signing_input, payload, _ = compact.parse(encoded, runtime.settings.max_token_bytes)
    algorithm = compact.admit(header, runtime.settings.accepted_algorithms)
    claims = compact.parse_object(compact.decode_segment(payload, "payload"), "payload")
    keys = _loaded_keys(load, algorithm, header, claims, runtime)
    _, octets = compact.verify_with(keys, parts)
    # The loader may have changed what it saw. What is verified is parsed anew.
    head, _, _ = signing_input.partition(b".")
    return compact.parse_object(compact.decode_segment(head, "header"), "header"), octets


def _loaded_keys(
    load: DecodeKeyLoader, algorithm: str, header: Header, claims: Claims, runtime: Runtime
) -> Sequence[Key]:
    """Ask ``decode_key_loader`` for the keys that may have signed a token."""
    material = _load_key(load, header, claims, runtime)
    if material is None:
        raise InvalidTokenError("No key to verify this token with")
    if isinstance(material, KeyRing):
        return material.candidates(algorithm, header.get("kid"))
    try:
        return [runtime.strong(prepare_bound(algorithm, material, runtime.settings.algorithms_of_keys))]
    except InvalidKeyError as error:
        logger.debug("The key of decode_key_loader cannot be used: %s", error)
        raise InvalidTokenError("The key of this token does not fit its algorithm") from None
    except ConfigurationError as error:
        # The client chose which key was loaded: an answer of 500 would be its to provoke.
        logger.warning("The key of decode_key_loader is refused: %s", error)
        raise InvalidTokenError("No key to verify this token with") from None


#: What ``decode_key_loader`` raises if there is no key for a token, or if hostile claims make it fail. File errors
#: are among them: the name of a file may have been made of a ``kid``.
_NO_KEY = (
    *(PyJWTError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    *(FileNotFoundError, NotADirectoryError, IsADirectoryError),
)


def _load_key(load: DecodeKeyLoader, header: Header, claims: Claims, runtime: Runtime) -> Any:
    """Call ``decode_key_loader``. A token that it finds no key for is refused.

    :raises InvalidTokenError: if it finds none
    :raises KeyUnavailableError: if it cannot reach the place where the keys are
    """
    try:
        return call(runtime.ensure_sync, load, header, claims)
    except Exception as error:
        if _is_outage(error):
            logger.warning("decode_key_loader cannot reach its keys: %s", type(error).__name__)
            raise KeyUnavailableError(type(error).__name__) from error
        if isinstance(error, InvalidTokenError):
            raise  # a refusal of the application's own, with its own message
        if not isinstance(error, _NO_KEY) and getattr(error, "errno", None) != ENAMETOOLONG:
            raise
        logger.debug("decode_key_loader raised %s: the token is refused", type(error).__name__)
        raise InvalidTokenError("No key to verify this token with") from error


def _is_outage(error: BaseException) -> bool:
    """Whether an error means that a server could not be asked: an OSError that is not about a file name, a timeout or
    connection error of any client library, or what a library raises from one of them.
    """
    if isinstance(error, PyJWKClientConnectionError):
        return True
    if isinstance(error, (*_NO_KEY, JWTExtendedException)):
        return False
    if isinstance(error, OSError):
        return error.errno != ENAMETOOLONG
    # Not all are OSErrors: those of redis-py are not, nor that of asyncio before Python 3.11.
    is_named_so = any(each.__name__ in ("TimeoutError", "ConnectionError") for each in type(error).__mro__)
    return is_named_so or (error.__cause__ is not None and _is_outage(error.__cause__))


def _roles_of(token: Token, runtime: Runtime) -> Collection[str]:
    load = runtime.loaders.roles
    if load is None:
        return roles_of(token.claims)
    return frozenset(call(runtime.ensure_sync, load, token.header, token.claims))


def _ask_blocklist(is_revoked: TokenTest, token: Token, runtime: Runtime) -> None:
    if call(runtime.ensure_sync, is_revoked, token.header, token.claims):
        raise RevokedTokenError(token.header, token.claims)


def _ask_verification(accepts: TokenTest, token: Token, runtime: Runtime) -> None:
    if not call(runtime.ensure_sync, accepts, token.header, token.claims):
        raise UserClaimsVerificationError("User claims verification failed", token.header, token.claims)


def look_up_user(find: UserLookupLoader, token: Token, runtime: Runtime) -> dict[str, Any]:
    """Ask ``user_lookup_loader`` whose a token is.

    :raises UserLookupError: if there is no such user
    """
    user = call(runtime.ensure_sync, find, token.header, token.claims)
    if user is None:
        identity = token.claims[runtime.settings.identity_claim]
        raise UserLookupError(f"user_lookup returned None for {identity}", token.header, token.claims)
    return {"loaded_user": user}


#: Counts the tokens of this process whose ``sub`` is no string.
_LEGACY_SUBJECTS = count(1)


def remember(g: Any, token: Token | None) -> None:
    """Keep the outcome for the rest of the request, under the names that applications of 4.7 read."""
    if token is None:
        g._jwt_extended_jwt = {}
        g._jwt_extended_jwt_header = {}
        g._jwt_extended_jwt_user = {"loaded_user": None}
        g._jwt_extended_jwt_location = None
    else:
        g._jwt_extended_jwt = token.claims
        g._jwt_extended_jwt_header = token.header
        g._jwt_extended_jwt_user = token.user
        g._jwt_extended_jwt_location = token.location
