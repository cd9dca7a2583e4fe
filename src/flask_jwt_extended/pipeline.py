"""The way of a request: extract → verify → check → ask → remember; and the way of a new token.

Settings, keys, loaders and the time come in as arguments. What a hostile token provokes leaves as one of PyJWT's
exceptions or one of ours, here and nowhere else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from flask import Request
from jwt.exceptions import ExpiredSignatureError, InvalidKeyError, InvalidTokenError

from .core import claims as claims_
from .core import compact
from .core.keys import Key, KeyRing, prepare
from .core.policy import Policy
from .core.token import Token
from .exceptions import (
    ConfigurationError,
    NoAuthorizationError,
    RevokedTokenError,
    UserClaimsVerificationError,
    UserLookupError,
)
from .http.extract import find_token
from .loaders import EnsureSync, Loaders, call
from .settings import Settings, lifetime
from .typing import Claims, ExpiresDelta, Fresh, Header, JSONDefault

logger = logging.getLogger("flask_jwt_extended")


@dataclass(frozen=True)
class Runtime:
    """What requests of one application share: settings, loaders, and the keys made ready for them."""

    settings: Settings
    loaders: Loaders
    ensure_sync: EnsureSync
    json_default: JSONDefault

    @cached_property
    def verifier(self) -> compact.Verifier:
        """Checks tokens against the configured keys. Made when the first token comes.

        :raises ConfigurationError: if no key is configured, or one that does not fit JWT_ALGORITHM
        """
        settings = self.settings
        material = settings.verification_key
        ring = []
        for algorithm in settings.accepted_algorithms:
            try:
                ring.append(prepare(algorithm, material))
            except InvalidKeyError as error:
                if algorithm == settings.algorithm:
                    raise ConfigurationError(f"The key that verifies {algorithm} cannot be used: {error}") from None
        return compact.Verifier(settings.accepted_algorithms, KeyRing(ring), settings.max_token_bytes)


class Outcome(NamedTuple):
    """A request that may pass, and who it is from."""

    token: Token
    location: str
    #: ``{"loaded_user": user}``, or ``None`` if no user is ever looked up.
    user: dict[str, Any] | None


def authenticate(request: Request, policy: Policy, runtime: Runtime, now: float) -> Outcome | None:
    """Let a request pass, or raise. ``None`` is the anonymous request that an optional view lets pass.

    :param now: seconds since the epoch
    """
    settings = runtime.settings
    try:
        found = find_token(
            request,
            policy.locations or settings.token_location,
            settings.refresh if policy.refresh else settings.access,
            settings,
        )
        token = verify(found.encoded, runtime, now, csrf_value=found.csrf_value)
        policy.check(token, now)
        _ask(token, policy, runtime)
    except NoAuthorizationError:
        if policy.optional:
            return None
        raise
    return Outcome(token, found.location, _look_up_user(token, runtime))


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
    settings = runtime.settings
    if runtime.loaders.decode_key is None:
        header, payload = runtime.verifier.verify(encoded)
        claims = compact.parse_object(payload, "payload")
    else:
        header, claims = _verify_with_loaded_key(encoded, runtime)
    claims_.validate(claims, settings, now, csrf_value)
    if not allow_expired:
        try:
            claims_.check_expiry(claims, settings, now)
        except ExpiredSignatureError as error:
            error.jwt_header = header  # type: ignore[attr-defined]  # expired_token_loader is told both
            error.jwt_data = claims  # type: ignore[attr-defined]
            raise
    return Token(header, claims)


def _verify_with_loaded_key(encoded: str | bytes, runtime: Runtime) -> tuple[Header, Claims]:
    """Verify with the key that ``decode_key_loader`` names. It alone sees claims that nothing vouches for yet."""
    parts = header, _, payload, _ = compact.parse(encoded, runtime.settings.max_token_bytes)
    algorithm = compact.allowed_algorithm(header, runtime.settings.accepted_algorithms)
    claims = compact.parse_object(compact.decode_segment(payload, "payload"), "payload")
    compact.verify_with([_loaded_key(runtime, algorithm, header.copy(), claims.copy())], parts)
    return header, claims


def _loaded_key(runtime: Runtime, algorithm: str, header: Header, claims: Claims) -> Key:
    """Ask ``decode_key_loader``. What hostile claims make it stumble over is a refusal, not a crash."""
    assert runtime.loaders.decode_key is not None  # noqa: S101  # the caller's reason to come here
    try:
        material = call(runtime.ensure_sync, runtime.loaders.decode_key, header, claims)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        logger.debug("decode_key_loader raised %s: the token is refused", type(error).__name__)
        raise InvalidTokenError("No key to verify this token with") from error
    if material is None:
        raise InvalidTokenError("No key to verify this token with")
    try:
        return prepare(algorithm, material)
    except InvalidKeyError as error:
        logger.debug("The key of decode_key_loader cannot be used: %s", error)
        raise InvalidTokenError("The key of this token does not fit its algorithm") from None


def _ask(token: Token, policy: Policy, runtime: Runtime) -> None:
    """Ask the application whether a good token may pass.

    :raises RevokedTokenError: if it says the token was revoked
    :raises UserClaimsVerificationError: if it does not like the claims
    """
    loaders = runtime.loaders
    revoked, accepted = loaders.token_in_blocklist, loaders.token_verification
    header, claims = token.header, token.claims
    if revoked and not policy.skip_revocation_check and call(runtime.ensure_sync, revoked, header, claims):
        raise RevokedTokenError(header, claims)
    if accepted and not call(runtime.ensure_sync, accepted, header, claims):
        raise UserClaimsVerificationError("User claims verification failed", header, claims)


def _look_up_user(token: Token, runtime: Runtime) -> dict[str, Any] | None:
    """Ask the application whose token this is.

    :raises UserLookupError: if it does not know
    """
    lookup = runtime.loaders.user_lookup
    if lookup is None:
        return None
    user = call(runtime.ensure_sync, lookup, token.header, token.claims)
    if user is None:
        identity = token.claims[runtime.settings.identity_claim]
        raise UserLookupError(f"user_lookup returned None for {identity}", token.header, token.claims)
    return {"loaded_user": user}


def remember(g: Any, outcome: Outcome | None) -> None:
    """Keep the outcome for the rest of the request, under the names that applications of 4.7 read."""
    if outcome is None:
        g._jwt_extended_jwt = {}
        g._jwt_extended_jwt_header = {}
        g._jwt_extended_jwt_user = {"loaded_user": None}
        g._jwt_extended_jwt_location = None
    else:
        token, g._jwt_extended_jwt_location, g._jwt_extended_jwt_user = outcome
        g._jwt_extended_jwt = token.claims
        g._jwt_extended_jwt_header = token.header


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """What a caller asks to be put into a new token.

    :ivar expires_delta: ``None``: as the settings say for its type
    """

    token_type: str
    identity: Any
    fresh: Fresh = False
    expires_delta: ExpiresDelta | None = None
    additional_claims: dict[str, Any] | None = None
    additional_headers: dict[str, Any] | None = None


def issue(new: NewToken, runtime: Runtime, now: float) -> str:
    """Make and sign a token.

    :param now: seconds since the epoch
    :raises ConfigurationError: if there is no key that can sign it
    """
    settings, loaders, ensure_sync = runtime.settings, runtime.loaders, runtime.ensure_sync
    headers = call(ensure_sync, loaders.additional_headers, new.identity) if loaders.additional_headers else {}
    claims = call(ensure_sync, loaders.additional_claims, new.identity) if loaders.additional_claims else {}
    identity = call(ensure_sync, loaders.user_identity, new.identity) if loaders.user_identity else new.identity
    if new.expires_delta is None:
        expires = settings.access.expires if new.token_type == "access" else settings.refresh.expires
    else:
        expires = lifetime(new.expires_delta, "expires_delta")
    payload = claims_.build(
        settings,
        now,
        token_type=new.token_type,
        identity=identity,
        fresh=new.fresh,
        lifetime=expires,
        additional={**claims, **(new.additional_claims or {})},
    )
    header = {"typ": "JWT", "alg": settings.algorithm, **headers, **(new.additional_headers or {})}
    header["alg"] = header["alg"] or settings.algorithm
    if not header["typ"]:
        del header["typ"]
    key = _signing_key(header["alg"], new.identity, runtime)
    default = runtime.json_default
    return compact.sign(compact.to_json(header, default, sort=True), compact.to_json(payload, default), key)


def _signing_key(algorithm: str, identity: Any, runtime: Runtime) -> Key:
    load = runtime.loaders.encode_key
    material = call(runtime.ensure_sync, load, identity) if load else runtime.settings.signing_key
    try:
        return prepare(algorithm, material)
    except (InvalidKeyError, NotImplementedError) as error:
        raise ConfigurationError(f"The key that signs {algorithm} cannot be used: {error}") from None
