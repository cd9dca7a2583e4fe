"""The way of a new token: from what a caller asks for, over the application's loaders, to the signed text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
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
from .signals import logger
from .typing import Claims, ExpiresDelta, Fresh, Header


class NewToken(NamedTuple):
    """What a caller asks to be put into a new token.

    :ivar expires_delta: ``None``: as the settings say for its type
    :ivar fixed: claims that win over all others
    """

    token_type: str
    identity: Any
    fresh: Fresh = False
    expires_delta: ExpiresDelta | None = None
    additional_claims: dict[str, Any] | None = None
    additional_headers: dict[str, Any] | None = None
    fixed: Mapping[str, Any] = MappingProxyType({})


def issue(new: NewToken, state: ExtensionState, now: float, *, own: bool = False) -> str:
    """Make and sign a token.

    :param now: seconds since the epoch
    :param own: make it here, also where the application overrides ``_encode_jwt_from_config``
    :raises ConfigurationError: if there is no key that can sign it
    """
    settings, loaders, ensure_sync = state.settings, state.loaders, state.ensure_sync
    if loaders.encode_token is not None and not own:
        return _issue_by_application(loaders.encode_token, new, state, now)
    headers = call(ensure_sync, loaders.additional_headers, new.identity) if loaders.additional_headers else {}
    claims = call(ensure_sync, loaders.additional_claims, new.identity) if loaders.additional_claims else {}
    identity = None if settings.identity_claim in new.fixed else subject_of(new.identity, state)
    if new.expires_delta is None:
        expires = settings.refresh.token_expires if new.token_type == "refresh" else settings.access.token_expires
    else:
        expires = lifetime(new.expires_delta, "expires_delta")
    payload = claims_.build(
        settings,
        now,
        token_type=new.token_type,
        identity=identity,
        fresh=new.fresh,
        lifetime=expires,
        additional={**claims, **(new.additional_claims or {}), **new.fixed},
    )
    if settings.verify_sub and not isinstance(payload.get("sub", ""), str):
        _check_subject(payload["sub"], state)
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


def _check_subject(subject: Any, state: ExtensionState) -> None:
    """Warn of a subject that JSON does not write as a string. It writes UUIDs, for example, as one."""
    if not state.encode(subject).startswith(b'"'):
        _tell_of_subject(type(subject).__name__)


def _check_acceptable(header: Header, payload: Claims, state: ExtensionState) -> None:
    """See that this application would accept a token that it makes.

    :raises ConfigurationError: if the ``typ`` is not that of its kind, with JWT_ACCESS_TOKEN_TYP = "at+jwt"
    """
    settings = state.settings
    for name in settings.without_reported.claims_needed:  # what JWT_REPORT_ONLY names refuses nothing
        if payload.get(name) is None:
            cause = "its expires_delta or its lifetime is False" if name == "exp" else "JWT_REQUIRED_CLAIMS names it"
            message = "A token was made without the claim %s, and is refused here: %s"
            state.warn_once(f"missing {name}", message, name, cause)
    if settings.access_token_typ != "at+jwt":
        return
    try:
        compact.check_access_typ(header, payload["type"] == "access")
    except InvalidTokenError as error:
        raise ConfigurationError(
            f'{error}, with JWT_ACCESS_TOKEN_TYP = "at+jwt": leave typ out of additional_headers and of what '
            "additional_headers_loader returns"
        ) from None


def _issue_by_application(encode: Callable[..., Any], new: NewToken, state: ExtensionState, now: float) -> str:
    """Have a token made by the application's own ``_encode_jwt_from_config``."""
    claims = new.additional_claims
    if new.fixed:
        times = ("iat", "nbf") if state.settings.encode_nbf else ("iat",)
        claims = {**dict.fromkeys(times, int(now)), **(claims or {}), **new.fixed}
    return cast(
        "str",
        call(
            state.ensure_sync,
            partial(
                encode,
                identity=new.identity,
                token_type=new.token_type,
                claims=claims,
                fresh=new.fresh,
                expires_delta=new.expires_delta,
                headers=new.additional_headers,
            ),
        ),
    )


@cache
def _tell_of_subject(kind: str) -> None:
    """Say once that tokens are being made which nobody will accept."""
    logger.warning(
        "A token was made whose sub is of type %s, and is refused: sub must be a string (RFC 7519, section 4.1.2). "
        "Use create_access_token(str(identity)), register a user_identity_loader, or set JWT_VERIFY_SUB = False",
        kind,
    )


def subject_of(identity: Any, state: ExtensionState) -> Any:
    """Return what the identity claim holds for an identity."""
    load = state.loaders.user_identity
    return call(state.ensure_sync, load, identity) if load else identity


def _signer(algorithm: str, identity: Any, state: ExtensionState, now: float) -> tuple[str | None, Key]:
    """Return the key that signs, and its name if a ring names it."""
    material = _signing_material(identity, state, now)
    if not isinstance(material, KeyRing):
        return None, state.enforce_key_strength(prepare_bound(algorithm, material, state.settings.algorithms_of_keys))
    if material.signer is None:
        raise ConfigurationError("No key of the set is active, so none can sign: flask jwt keys rotate")
    return material.signer


def _signing_material(identity: Any, state: ExtensionState, now: float) -> Any:
    if state.loaders.encode_key:
        return call(state.ensure_sync, state.loaders.encode_key, identity)
    return state.keys.at(now).ring if state.settings.keys else state.settings.signing_key
