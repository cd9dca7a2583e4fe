"""The way of a request: extract → verify → check → ask → remember.

Settings, keys, loaders and the time come in as arguments. What a hostile token provokes leaves as one of PyJWT's
exceptions or one of ours, here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from errno import ENAMETOOLONG
from itertools import count
from types import AsyncGeneratorType, GeneratorType
from typing import Any, cast

from flask import Request
from jwt import get_unverified_header
from jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    InvalidKeyError,
    InvalidTokenError,
    PyJWKClientConnectionError,
    PyJWTError,
)

from .._jose import claims as claims_
from .._jose import compact
from .._jose.keys import Key, KeyRing, prepare_bound
from .._jose.token import Token
from .._keys.issuer import ExternalIssuer, issuer_of
from .._loaders import call, name_of, role_names
from .._sessions.revocation import check_revocation, consume, refuse_without_store, token_digest
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import (
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
from ..signals import bound_token_accepted, legacy_subject, logger, would_refuse
from ..typing import Claims, DecodeKeyLoader, Header, TokenTest, UserLookupLoader
from .current_token import recall, remember
from .extract import find_token
from .policy import Policy, roles_of


def admit_request(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Let a request pass, or raise. ``None`` is the anonymous request that the policy lets pass.

    :param now: seconds since the epoch
    """
    try:
        return authenticate(request, policy, state, now)
    except (JWTExtendedException, PyJWTError) as error:
        if not (policy.report_only or policy.optional or state.settings.report_only):
            raise
        return _apply_leniency(error, request, policy, state, now)


def _apply_leniency(
    error: JWTExtendedException | PyJWTError, request: Request, policy: Policy, state: ExtensionState, now: float
) -> Token | None:
    """Decide on a request that is refused, where not every refusal counts. What lets it pass is told of."""
    if state.settings.report_only:
        token = admit_request(request, policy, state.lenient, now)  # or raises what refuses it all the same
        if token is not None:  # or this call has reported what else is wrong
            state.notify(would_refuse, code=code_of(error), error=error)
        return token
    if policy.report_only:
        state.notify(would_refuse, code=code_of(error), error=error)
        return _authenticate_leniently(request, policy, state, now)
    if policy.optional == "if-valid" and not isinstance(error, UnavailableError):
        state.notify(would_refuse, code=code_of(error), error=error)
        return None
    raise error


def _authenticate_leniently(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """The token of a request if it is good, whatever it lacks; ``None`` if it is not."""
    undemanding = replace(policy, fresh=False, scopes=None, roles=None, max_age=None, acr=(), report_only=False)
    try:
        return authenticate(request, undemanding, state, now)
    except (JWTExtendedException, PyJWTError):
        return None


def authenticate(request: Request, policy: Policy, state: ExtensionState, now: float) -> Token | None:
    """Find and check the token of a request. ``None`` is the anonymous request that an optional view lets pass.

    :param now: seconds since the epoch
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
    """Verify a token, hold it against a policy, ask the store and the loaders, and return it with its user.

    :param now: seconds since the epoch
    :param csrf_value: the double submit value that it must hold; ``None``: any
    :param request: the request that carries it: one request may check a single-use token several times. ``None``: each
        check is a use
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
        ask_verification(loaders.token_verification, token, state)
    if loaders.user_lookup is not None:
        token.user = look_up_user(loaders.user_lookup, token, state)
    if is_single_use and not is_used:
        use(request, token, state)
    return token


#: Where a request keeps the digests of the single-use tokens that it has used.
_USED = "_jwt_extended_used"


def has_used(request: Request | None, token: Token, state: ExtensionState) -> bool:
    """Whether this request has used a single-use token. To check it again is not another use."""
    return request is not None and token_digest(token.claims, state) in vars(request).get(_USED, ())


def use(request: Request | None, token: Token, state: ExtensionState) -> None:
    """Use up a single-use token for a request.

    :raises RevokedTokenError: if it was used before, or there is no store that could tell
    :raises StoreUnavailableError: if nobody can tell
    """
    consume(token, state)
    if request is not None:
        vars(request).setdefault(_USED, set()).add(token_digest(token.claims, state))


def check_revoked(token: Token, state: ExtensionState, now: float, *, is_used: bool = False) -> None:
    """Ask the store, and ``token_in_blocklist_loader``.

    :param now: seconds since the epoch
    :param is_used: whether this request or connection has used the token, so that the store calls it revoked
    :raises RevokedTokenError: if it was revoked, its session has ended, or it is of a session and there is no store
    :raises StoreUnavailableError: if nobody can tell
    """
    if state.store is None:
        if token.claims.get("sid") is not None:
            refuse_without_store(token, state)
    elif not is_used:
        check_revocation(token, state, now)
    elif token.claims.get("sid") is not None:  # its session may have ended meanwhile
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
    :param csrf_value: the double submit value it must hold; ``None``: any
    :param own: verify it here, also where the application overrides ``_decode_jwt_from_config``
    :raises InvalidTokenError: PyJWT's error for what is wrong with it
    """
    if state.loaders.decode_token is not None and not own:
        return _verify_by_application(encoded, state, csrf_value=csrf_value, allow_expired=allow_expired)
    header, claims, issuer = _read(encoded, state, now)
    settings = state.settings if issuer is None else issuer.settings
    if issuer is not None:
        issuer.check(claims)
        claims.pop("csrf", None)  # a double submit value is good only if this application made it
    elif settings.access_token_typ == "at+jwt":
        settings = _settings_for_kind(header, claims, settings)
    try:
        claims_.validate(claims, settings, now, csrf_value=csrf_value, allow_expired=allow_expired)
    except ExpiredSignatureError as error:
        if issuer is not None:
            issuer.normalize_claims(claims)
        error.jwt_header = header  # type: ignore[attr-defined]  # expired_token_loader is told both
        error.jwt_data = claims  # type: ignore[attr-defined]
        raise
    if issuer is not None:
        issuer.normalize_claims(claims)
    elif settings.legacy_sub_until is not None and type(claims.get("sub", "")) is not str:
        state.notify(legacy_subject, count=next(_LEGACY_SUBJECTS))
    if "cnf" in claims:
        check_binding(claims, state.settings)
        _report_binding(state.issuer_name(claims), state)
    return Token(header, claims)


def _settings_for_kind(header: Header, claims: Claims, settings: Settings) -> Settings:
    """Return how the claims of a token of our own are checked, with JWT_ACCESS_TOKEN_TYP = "at+jwt".

    :raises InvalidTokenError: if its ``typ`` is not that of its kind
    """
    is_access = claims.get("type", "access") == "access"
    compact.check_access_typ(header, is_access)
    return settings.for_access_tokens if is_access else settings


def check_binding(claims: Claims, settings: Settings) -> None:
    """Decide on a token that is bound to a key (RFC 7800, section 3). No proof of possession can be checked yet.

    :raises InvalidTokenError: if the claim is malformed, or JWT_BOUND_TOKENS refuses such tokens
    """
    if type(claims["cnf"]) is not dict:
        raise InvalidTokenError("Confirmation claim (cnf) must be an object")
    if settings.bound_tokens == "refuse":
        raise InvalidTokenError("The token is bound to a key (cnf), and possession of the key was not proved")


def _report_binding(issuer: str | None, state: ExtensionState) -> None:
    state.warn_once(
        f"cnf {issuer}",
        "Tokens of %s are bound to a key (cnf) and accepted without proof of possession. "
        "JWT_BOUND_TOKENS = 'refuse' refuses them",
        issuer or "this application",
    )
    state.notify(bound_token_accepted, issuer=issuer)


def _verify_by_application(
    encoded: str | bytes, state: ExtensionState, *, csrf_value: str | None, allow_expired: bool
) -> Token:
    """Have a token verified by the application's own ``_decode_jwt_from_config``.

    As in 4.7, the header is read from the token as it came: one that has none to read is refused.
    """
    claims = decode_by_application(encoded, state, csrf_value=csrf_value, allow_expired=allow_expired)
    claims_.check_types(claims, state.settings, csrf_value=csrf_value)
    try:
        header = get_unverified_header(encoded)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"Invalid header string: {type(error).__name__}") from None
    if "cnf" in claims:
        check_binding(claims, state.settings)
        _report_binding(None, state)
    return Token(header, {"type": None, "fresh": False, "jti": None, **claims})


def decode_by_application(
    encoded: str | bytes, state: ExtensionState, *, csrf_value: str | None = None, allow_expired: bool = False
) -> Any:
    """Return what the application's own ``_decode_jwt_from_config`` returns: claims, if it does its work.

    :raises DecodeError: if the token is too long, or no text
    """
    if not isinstance(encoded, (str, bytes)) or len(encoded) > state.settings.max_token_bytes:
        compact.parse(encoded, state.settings.max_token_bytes)  # says so
    decode = cast("Callable[..., Any]", state.loaders.decode_token)
    return call(state.ensure_sync, decode, encoded, csrf_value, allow_expired)


def _read(encoded: str | bytes, state: ExtensionState, now: float) -> tuple[Header, Claims, ExternalIssuer | None]:
    """Return the header and the claims of a token whose signature is good, and the foreign issuer if it is of one."""
    if not state.issuers:
        header, payload = verify_signature(encoded, state, now)
        return header, compact.parse_object(payload, "payload"), None
    # Which keys count is up to the issuer that the token names: those of one never vouch for another.
    parts = compact.parse(encoded, state.settings.max_token_bytes)
    claims = compact.parse_object(compact.decode_segment(parts[2], "payload"), "payload")
    issuer = issuer_of(claims, state.issuers)
    if issuer is None:
        return verify_signature(encoded, state, now)[0], claims, None
    issuer.verify_signature(parts)
    return parts[0], claims, issuer


def verify_signature(encoded: str | bytes, state: ExtensionState, now: float) -> tuple[Header, bytes]:
    """Verify the form and the signature of a token, and return its header and the octets of its payload.

    :param now: seconds since the epoch
    :raises InvalidTokenError: PyJWT's error for what is wrong with it
    """
    if state.loaders.decode_key is None:
        return state.keys.at(now).verifier.verify(encoded)
    return _verify_with_loaded_key(encoded, state.loaders.decode_key, state)


def _verify_with_loaded_key(encoded: str | bytes, load: DecodeKeyLoader, state: ExtensionState) -> tuple[Header, bytes]:
    """Verify with the key that ``decode_key_loader`` names. It alone sees claims that nothing vouches for yet."""
    parts = header, signing_input, payload, _ = compact.parse(encoded, state.settings.max_token_bytes)
    algorithm = compact.check_algorithm(header, state.settings.accepted_algorithms)
    claims = compact.parse_object(compact.decode_segment(payload, "payload"), "payload")
    keys = _loaded_keys(load, algorithm, header, claims, state)
    _, octets = compact.verify_with(keys, parts)
    # The loader may have changed what it saw. What is verified is parsed anew.
    head, _, _ = signing_input.partition(b".")
    return compact.parse_object(compact.decode_segment(head, "header"), "header"), octets


def _loaded_keys(
    load: DecodeKeyLoader, algorithm: str, header: Header, claims: Claims, state: ExtensionState
) -> Sequence[Key]:
    """Ask ``decode_key_loader`` for the keys that may have signed a token."""
    material = _load_key(load, header, claims, state)
    if material is None:
        raise InvalidTokenError("No key to verify this token with")
    if isinstance(material, KeyRing):
        return material.candidates(algorithm, header.get("kid"))
    try:
        return [state.strong(prepare_bound(algorithm, material, state.settings.algorithms_of_keys))]
    except InvalidKeyError as error:
        state.warn_once(f"decode_key_loader {error}", "A key of decode_key_loader cannot be used: %s", error)
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


def _load_key(load: DecodeKeyLoader, header: Header, claims: Claims, state: ExtensionState) -> Any:
    """Call ``decode_key_loader``. A token that it finds no key for is refused.

    :raises InvalidTokenError: if it finds none
    :raises KeyUnavailableError: if it cannot reach the place where the keys are
    """
    try:
        return call(state.ensure_sync, load, header, claims)
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


def roles_held(token: Token, state: ExtensionState) -> Collection[str]:
    """Return the roles of a token: what ``roles_loader`` returns, or those in its claims."""
    load = state.loaders.roles
    if load is None:
        return roles_of(token.claims)
    roles, are_good = role_names(call(state.ensure_sync, load, token.header, token.claims))
    if not are_good:
        state.warn_once(
            "roles_loader",
            "roles_loader (%s) must return the names of roles, as a string or a list of strings: anything else it "
            "returns is no role",
            name_of(load),
        )
    return roles


def is_blocklisted(token: Token, state: ExtensionState) -> bool:
    """Ask ``token_in_blocklist_loader``, if there is one. An answer of ``None`` is a forgotten ``return``: it counts as
    ``False`` in compat, as in 4.7, and as ``True`` in strict.
    """
    load = state.loaders.token_in_blocklist
    if load is None:
        return False
    answer: object = call(state.ensure_sync, load, token.header, token.claims)
    if answer is not None:
        return bool(answer)
    is_strict = state.settings.profile == "strict"
    state.warn_once(
        "token_in_blocklist_loader",
        "token_in_blocklist_loader (%s) returned None, and the token was %s: it must return True or False. Is a return "
        "statement missing?",
        name_of(load),
        "refused" if is_strict else "accepted",
    )
    return is_strict


def ask_verification(accepts: TokenTest, token: Token, state: ExtensionState) -> None:
    """Ask ``token_verification_loader``.

    :raises UserClaimsVerificationError: if it does not accept a token
    """
    answer: object = call(state.ensure_sync, accepts, token.header, token.claims)
    if not answer or _is_generator(answer, "token_verification_loader", accepts, state):
        raise UserClaimsVerificationError("User claims verification failed", token.header, token.claims)


def _is_generator(answer: object, name: str, load: object, state: ExtensionState) -> bool:
    """Whether a loader has ``yield`` where it needs ``return``. What it returned then is true, and no answer."""
    if not isinstance(answer, (GeneratorType, AsyncGeneratorType)):
        return False
    state.warn_once(
        name,
        "%s (%s) is a generator function, and its tokens are refused: use return in place of yield",
        name,
        name_of(load),
    )
    return True


def look_up_user(find: UserLookupLoader, token: Token, state: ExtensionState) -> dict[str, Any]:
    """Ask ``user_lookup_loader`` whose a token is.

    :raises UserLookupError: if there is no such user
    """
    user = call(state.ensure_sync, find, token.header, token.claims)
    if user is None or _is_generator(user, "user_lookup_loader", find, state):
        identity = token.claims[state.settings.identity_claim]
        raise UserLookupError(f"user_lookup returned None for {identity}", token.header, token.claims)
    return {"loaded_user": user}


#: Counts the tokens of this process whose ``sub`` is no string.
_LEGACY_SUBJECTS = count(1)


__all__ = ["admit_request", "authenticate", "check", "recall", "remember", "verify"]
