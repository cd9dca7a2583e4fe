"""Checks of settings under which an application refuses its own tokens.

A token of each kind is made as the settings say, and checked as one that comes with a request. Loaders that need a user
or a request are left out. Judges and explains, and prints nothing.
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

#: Whom the tokens are made for.
_IDENTITY = "1"


def claims_refused_at_start(_app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The application refuses every token that it makes, whatever its loaders add. Asks no loader and needs no key."""
    if state.loaders.additional_claims is None and _makes_tokens(state):
        yield from (each for each in _refused_claims(state, {}, "error") if each.severity == "error")


def refused_claims(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """The application refuses every token that it makes, for what its settings write into it. Needs no key."""
    if not _makes_tokens(state):
        return iter(())
    additional = _additional_claims(app, state)
    severity: Severity = "error" if additional is not None else "warning"
    return _refused_claims(state, additional or {}, severity)


def missing_oauth_claims(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """Access tokens lack a claim that RFC 9068 requires. Skipped if the loader needs a user or a request."""
    additional = _additional_claims(app, state)
    if state.settings.access_token_typ != "at+jwt" or additional is None or not _makes_tokens(state):
        return
    claims = _claims(state.settings.access, state.settings, time.time(), additional)
    if missing := [name for name in RFC_9068 if claims.get(name) is None]:
        yield Finding(
            "warning",
            "missing_oauth_claims",
            f"Access tokens do not have {' and '.join(missing)}, although JWT_ACCESS_TOKEN_TYP is 'at+jwt'",
            "RFC 9068, section 2.2 requires it, and other services may refuse a token without it.",
            "Return it from additional_claims_loader, or pass additional_claims each time you make a token.",
        )


def _makes_tokens(state: ExtensionState) -> bool:
    """Whether the application has a key that signs. One with public keys alone checks the tokens of others."""
    settings = state.settings
    if state.loaders.encode_key is not None:
        return True
    if not settings.keys:
        return bool(settings.private_key) if settings.is_asymmetric else True
    try:
        return state.keys.at(time.time()).ring.signer is not None
    except ConfigurationError:  # reported by others
        return True


def _additional_claims(app: Flask, state: ExtensionState) -> dict[str, Any] | None:
    """What ``additional_claims_loader`` adds; ``None``: it needs an identity of the application, or a request."""
    load = state.loaders.additional_claims
    try:
        with app.app_context():
            return dict(call(state.ensure_sync, load, _IDENTITY)) if load else {}
    except Exception:
        return None


def _refused_claims(state: ExtensionState, additional: Mapping[str, Any], severity: Severity) -> Iterator[Finding]:
    settings, now = state.settings.without_reported, time.time()  # what JWT_REPORT_ONLY names refuses nothing
    for kind in (settings.access, settings.refresh):
        try:
            claims = _claims(kind, settings, now, additional)
            claims_.validate(claims, settings.for_access_tokens if kind.name == "access" else settings, now)
        except (PyJWTError, JWTExtendedException, TypeError) as error:
            yield _refused(kind.name, error, settings, severity)


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
    return Finding(
        severity,
        "own_tokens_refused",
        f"{kind.capitalize()} tokens of this application are refused by it: {error}",
        "Every request with a token that was made as the settings say is refused.",
        _fix(kind, error, settings),
    )


#: Claims that depend on the settings.
_WRITTEN = ("exp", "nbf", "iss", "aud", "csrf", "iat", "jti", "type", "fresh")


def _fix(kind: str, error: Exception, settings: Settings) -> str:
    claim = error.claim if isinstance(error, MissingRequiredClaimError) else None
    lifetime = option_name(f"{kind}_token_expires")
    fixes = {
        "aud": "Let JWT_ENCODE_AUDIENCE name an audience of JWT_DECODE_AUDIENCE.",
        "iss": "Let JWT_ENCODE_ISSUER be an issuer of JWT_DECODE_ISSUER.",
        "exp": f"Set {lifetime} to a timedelta: JWT_REQUIRED_CLAIMS names exp.",
        "expired": f"Set {lifetime} to more than zero, and JWT_DECODE_LEEWAY to zero or more.",
        "early": "Set JWT_DECODE_LEEWAY to zero or more.",
        "other": f"See that JWT_IDENTITY_CLAIM, {settings.identity_claim!r}, names a claim for the identity alone.",
    }
    reason = next((name for each, name in _REASONS.items() if isinstance(error, each)), "other")
    return fixes.get(claim or reason, f"Take {claim} off JWT_REQUIRED_CLAIMS, or add it in additional_claims_loader.")


_REASONS = {
    InvalidAudienceError: "aud",
    InvalidIssuerError: "iss",
    ExpiredSignatureError: "expired",
    ImmatureSignatureError: "early",
}


def refused_tokens(app: Flask, state: ExtensionState) -> Iterator[Finding]:
    """A token that the keys of the application have signed is refused: it is too long, or its algorithm is.

    Left to others: claims, and keys that are missing or cannot be used at all.
    """
    loaders = state.loaders
    if loaders.encode_key or loaders.decode_key or next(refused_claims(app, state), None):
        return
    additional = _additional_claims(app, state)
    probe = replace(state, settings=state.settings.without_reported, loaders=Loaders(), store=None)
    made = [NewToken(kind, _IDENTITY, additional_claims=additional) for kind in ("access", "refresh")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak keys are reported by others
        found = [_refused_token(new, probe) for new in made]
    yield from filter(None, found)


def _refused_token(new: NewToken, state: ExtensionState) -> Finding | None:
    policy = Policy(refresh=new.token_type == "refresh", skip_revocation_check=True)
    try:
        encoded = issue(new, state, time.time())
    except (ConfigurationError, PyJWTError, TypeError, ValueError):  # no key that signs, or claims that are not JSON
        return None
    try:
        check(encoded, policy, state, time.time())
    except ConfigurationError:  # there is no key that verifies
        return None
    except (PyJWTError, JWTExtendedException) as error:
        return Finding(
            "error",
            "own_tokens_refused",
            f"{new.token_type.capitalize()} tokens of this application are refused by it: {error}",
            "Every request with a token that was made as the settings say is refused.",
            f"Such a token has {len(encoded)} bytes: compare JWT_MAX_TOKEN_BYTES. Otherwise see that JWT_ALGORITHM and "
            "the keys belong together.",
        )
    return None
