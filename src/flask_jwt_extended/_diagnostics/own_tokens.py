"""Checks of settings under which an application refuses its own tokens.

Makes a token of each kind under the current settings and verifies it as in a request. Loaders that need a user or a
request are left out.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Flask
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    MissingRequiredClaimError,
    PyJWTError,
)

from .._issue import NewToken, issue
from .._jose import claims as claims_
from .._loaders import Loaders, call
from .._request.authenticate import check
from .._request.policy import Policy
from .._settings.issuers import RFC_9068
from .._settings.options import option_name
from .._settings.settings import Settings, TokenKind
from .._state import ExtensionState
from ..exceptions import ConfigurationError, JWTExtendedException
from ..stores.findings import Finding, Severity
from .findings import finding

#: The identity in these tokens.
_IDENTITY = "1"


def claims_refused_at_start(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The application refuses every token that it makes, whatever its loaders add. Calls no loader and needs no key."""
    if state.loaders.additional_claims is None and _makes_tokens(state):
        yield from (each for each in _refused_claims(state, {}, "error") if each.severity == "error")


def refused_claims(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The application refuses every token that it makes, because of its claims. Needs no key."""
    if not _makes_tokens(state):
        return iter(())
    additional = _additional_claims(app, state)
    severity: Severity = "error" if additional is not None else "warning"
    return _refused_claims(state, additional or {}, severity)


def _makes_tokens(state: ExtensionState) -> bool:
    """Whether the application has a signing key. One that has only public keys verifies tokens of other services."""
    settings = state.settings
    if state.loaders.encode_key is not None:
        return True
    if not settings.keys:
        return bool(settings.private_key) if settings.is_asymmetric else True
    try:
        return state.keys.at(time.time()).ring.signer is not None
    except ConfigurationError:  # reported by other checks
        return True


def _additional_claims(app: Flask, state: ExtensionState) -> dict[str, Any] | None:
    """What ``additional_claims_loader`` adds; ``None`` if it needs a real identity or a request."""
    load = state.loaders.additional_claims
    try:
        with app.app_context():
            return dict(call(state.ensure_sync, load, _IDENTITY)) if load else {}
    except Exception:
        return None


def _refused_claims(state: ExtensionState, additional: Mapping[str, Any], severity: Severity) -> Iterator[Finding]:
    settings, now = state.settings.without_reported, time.time()  # options in JWT_REPORT_ONLY refuse nothing
    for kind in (settings.access, settings.refresh):
        try:
            claims = _claims(kind, settings, now, additional)
            claims_.validate(claims, settings.for_access_tokens if kind.name == "access" else settings, now)
        except (PyJWTError, JWTExtendedException, TypeError) as error:
            yield _refused(kind.name, error, settings, severity)


def missing_oauth_claims(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Access tokens lack a claim that RFC 9068 requires. Skipped if the loader needs a user or a request."""
    additional = _additional_claims(app, state)
    if state.settings.access_token_typ != "at+jwt" or additional is None or not _makes_tokens(state):
        return
    claims = _claims(state.settings.access, state.settings, time.time(), additional)
    if missing := [name for name in RFC_9068 if claims.get(name) is None]:
        yield finding("missing_oauth_claims", claims=" and ".join(missing))


def _claims(kind: TokenKind, settings: Settings, now: float, additional: Mapping[str, Any]) -> dict[str, Any]:
    return claims_.build(
        settings,
        now,
        token_type=kind.name,
        identity=_IDENTITY,
        fresh=False,
        lifetime=kind.token_expires,
        additional=additional,
    )


def _refused(kind: str, error: Exception, settings: Settings, severity: Severity) -> Finding:
    if isinstance(error, MissingRequiredClaimError) and error.claim not in _WRITTEN:
        severity = "warning"  # the application may add it to each token that it makes
    return finding("own_tokens_refused", severity, kind=kind, error=error, fix=_fix(kind, error, settings))


#: Claims that depend on the settings.
_WRITTEN = ("exp", "nbf", "iss", "aud", "csrf", "iat", "jti", "type", "fresh")


def _fix(kind: str, error: Exception, settings: Settings) -> str:
    claim = error.claim if isinstance(error, MissingRequiredClaimError) else None
    lifetime = option_name(f"{kind}_token_expires")
    fixes = {
        "aud": "Set JWT_ENCODE_AUDIENCE to an audience in JWT_DECODE_AUDIENCE.",
        "iss": "Set JWT_ENCODE_ISSUER to an issuer in JWT_DECODE_ISSUER.",
        "exp": f"Set {lifetime} to a timedelta, because JWT_REQUIRED_CLAIMS contains exp.",
        "expired": f"Set {lifetime} to more than zero, and JWT_DECODE_LEEWAY to zero or more.",
        "early": "Set JWT_DECODE_LEEWAY to zero or more.",
        "other": f"Set JWT_IDENTITY_CLAIM, now {settings.identity_claim!r}, to a claim with no other meaning.",
    }
    reason = next((name for each, name in _REASONS.items() if isinstance(error, each)), "other")
    return fixes.get(
        claim or reason, f"Remove {claim} from JWT_REQUIRED_CLAIMS, or add it in additional_claims_loader."
    )


_REASONS = {
    InvalidAudienceError: "aud",
    InvalidIssuerError: "iss",
    ExpiredSignatureError: "expired",
    ImmatureSignatureError: "early",
}


def refused_tokens(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """A token signed with the application's own keys is refused: it is too long, or its algorithm is not accepted.

    Other checks look at the claims, and at keys that are missing or unusable.
    """
    loaders = state.loaders
    if loaders.encode_key or loaders.decode_key or next(refused_claims(app, state), None):
        return
    additional = _additional_claims(app, state)
    probe = replace(state, settings=state.settings.without_reported, loaders=Loaders(), store=None)
    made = [NewToken(kind, _IDENTITY, additional_claims=additional) for kind in ("access", "refresh")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak keys are reported by other checks
        found = [_refused_token(new, probe) for new in made]
    yield from filter(None, found)


def _refused_token(new: NewToken, state: ExtensionState) -> Finding | None:
    policy = Policy(refresh=new.token_type == "refresh", skip_revocation_check=True)
    try:
        encoded = issue(new, state, time.time())
    except (ConfigurationError, PyJWTError, TypeError, ValueError):  # no signing key, or claims that are not JSON
        return None
    try:
        check(encoded, policy, state, time.time())
    except ConfigurationError:  # the verification key is missing
        return None
    except (PyJWTError, JWTExtendedException) as error:
        fix = (
            f"This token has {len(encoded)} bytes: compare JWT_MAX_TOKEN_BYTES. If that is not it, check that "
            "JWT_ALGORITHM fits the keys."
        )
        return finding("own_tokens_refused", kind=new.token_type, error=error, fix=fix)
    return None
