"""Issue a token: from the arguments of the caller, through the loaders of the application, to the signed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from jwt.exceptions import InvalidKeyError, InvalidTokenError

from ._jose import claims as claims_
from ._jose import compact
from ._jose.keys import Key, KeyRing, prepare_bound
from ._loaders import call
from ._settings.parsers import lifetime
from ._state import ExtensionState
from .exceptions import ConfigurationError
from .typing import Claims, ExpiresDelta, Fresh, Header


class NewToken(NamedTuple):
    """What a caller wants in a new token. The ``fixed`` claims override all others."""

    token_type: str
    identity: Any
    fresh: Fresh = False
    expires_delta: ExpiresDelta | None = None
    additional_claims: dict[str, Any] | None = None
    additional_headers: dict[str, Any] | None = None
    fixed: Mapping[str, Any] = MappingProxyType({})


def issue(new: NewToken, state: ExtensionState, now: float, *, own: bool = False) -> str:
    """Make and sign a token; ``own`` even if the application overrides ``_encode_jwt_from_config``."""
    settings, loaders = state.settings, state.loaders
    if loaders.encode_token is not None and not own:
        return _issue_by_application(loaders.encode_token, new, state, now)
    headers = call(state.ensure_sync, loaders.additional_headers, new.identity) if loaders.additional_headers else {}
    payload = _payload(new, state, now)
    typ = settings.access_token_typ if payload["type"] == "access" else "JWT"
    header = {"typ": typ, "alg": settings.algorithm, **headers, **(new.additional_headers or {})}
    header["alg"] = header["alg"] or settings.algorithm
    if not header["typ"]:
        del header["typ"]
    _check_acceptable(header, payload, state)
    try:
        kid, key = _signer(header["alg"], new.identity, state, now)
        if kid is not None:
            header |= {"alg": key.algorithm, "kid": kid}
        return compact.sign(state.encode(dict(sorted(header.items()))), state.encode(payload), key)
    except (InvalidKeyError, NotImplementedError) as error:
        raise ConfigurationError(f"The key that signs {header['alg']} cannot be used: {error}") from None


def _payload(new: NewToken, state: ExtensionState, now: float) -> Claims:
    settings, loaders = state.settings, state.loaders
    claims = call(state.ensure_sync, loaders.additional_claims, new.identity) if loaders.additional_claims else {}
    identity = None if settings.identity_claim in new.fixed else subject_of(new.identity, state)
    if new.expires_delta is None:
        expires = settings.refresh.token_expires if new.token_type == "refresh" else settings.access.token_expires
    else:
        expires = lifetime(new.expires_delta, "expires_delta")
    return claims_.build(
        settings,
        now,
        token_type=new.token_type,
        identity=identity,
        fresh=new.fresh,
        lifetime=expires,
        additional={**claims, **(new.additional_claims or {}), **new.fixed},
    )


def _check_acceptable(header: Header, payload: Claims, state: ExtensionState) -> None:
    """Warn if this application would refuse the token."""
    settings = state.settings
    for name in settings.without_reported.claims_needed:  # what JWT_REPORT_ONLY names refuses nothing
        if payload.get(name) is None:
            cause = "its expires_delta or its lifetime is False" if name == "exp" else "JWT_REQUIRED_CLAIMS names it"
            message = "A token was made without the claim %s, and is refused here: %s"
            state.warn_once(f"missing {name}", message, name, cause)
    subject = payload.get("sub", "")
    # JSON may write what is not a string as one: a UUID, for example.
    if settings.verify_sub and not isinstance(subject, str) and not state.encode(subject).startswith(b'"'):
        kind = type(subject).__name__
        state.warn_once(f"sub {kind}", _SUBJECT_REFUSED, kind)
    if settings.access_token_typ != "at+jwt":
        return
    try:
        compact.check_access_typ(header, payload["type"] == "access")
    except InvalidTokenError as error:
        raise ConfigurationError(
            f'{error}, with JWT_ACCESS_TOKEN_TYP = "at+jwt": leave typ out of additional_headers and of what '
            "additional_headers_loader returns"
        ) from None


_SUBJECT_REFUSED = (
    "A token was made whose sub is of type %s, and is refused: sub must be a string (RFC 7519, section 4.1.2). "
    "Use create_access_token(str(identity)), register a user_identity_loader, or set JWT_VERIFY_SUB = False"
)


def _issue_by_application(encode: Callable[..., Any], new: NewToken, state: ExtensionState, now: float) -> str:
    """Call the application's own ``_encode_jwt_from_config``."""
    claims = new.additional_claims
    if new.fixed:
        times = ("iat", "nbf") if state.settings.encode_nbf else ("iat",)
        claims = {**dict.fromkeys(times, int(now)), **(claims or {}), **new.fixed}
    encode = partial(
        encode,
        identity=new.identity,
        token_type=new.token_type,
        claims=claims,
        fresh=new.fresh,
        expires_delta=new.expires_delta,
        headers=new.additional_headers,
    )
    return cast("str", call(state.ensure_sync, encode))


def subject_of(identity: Any, state: ExtensionState) -> Any:
    """Return the identity claim for an identity."""
    load = state.loaders.user_identity
    return call(state.ensure_sync, load, identity) if load else identity


def _signer(algorithm: str, identity: Any, state: ExtensionState, now: float) -> tuple[str | None, Key]:
    """Return the signing key, and its ``kid`` if it is in a key ring."""
    material = _signing_material(identity, state, now)
    if not isinstance(material, KeyRing):
        return None, state.enforce_key_strength(prepare_bound(algorithm, material, state.settings.algorithms_of_keys))
    if material.signer is None:
        raise ConfigurationError("The key set has no active key to sign with: run flask jwt keys rotate")
    return material.signer


def _signing_material(identity: Any, state: ExtensionState, now: float) -> Any:
    if state.loaders.encode_key:
        return call(state.ensure_sync, state.loaders.encode_key, identity)
    return state.keys.at(now).ring if state.settings.keys else state.settings.signing_key
