"""Checks of settings under which an application refuses its own tokens.

A token of each kind is made as the settings say, and checked as one that comes with a request. Loaders that need a user
or a request are left out. Judges and explains, and prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask import Flask
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidKeyError,
    MissingRequiredClaimError,
    PyJWTError,
)

from . import pipeline
from .core import claims as claims_
from .core.policy import Policy
from .exceptions import ConfigurationError, JWTDecodeError, JWTExtendedException
from .findings import Finding, Severity
from .issuing import NewToken, issue
from .loaders import Loaders, call
from .runtime import Runtime
from .settings import Settings, TokenKind, option_name

#: Whom the tokens are made for.
_IDENTITY = "1"


def refused_claims(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """The application refuses every token that it makes, for what its settings write into it. Needs no key."""
    settings, now = runtime.settings, time.time()
    additional, is_known = _additional_claims(app, runtime)
    for kind in (settings.access, settings.refresh):
        try:
            claims = _claims(kind, settings, now, additional)
            claims_.validate(claims, settings.for_access_tokens if kind.name == "access" else settings, now)
        except (PyJWTError, JWTExtendedException, TypeError) as error:
            yield _refused(kind.name, error, settings, "error" if is_known else "warning")


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


def _additional_claims(app: Flask, runtime: Runtime) -> tuple[Mapping[str, Any], bool]:
    """What ``additional_claims_loader`` adds, and whether that is known: it may need an identity of the application."""
    load = runtime.loaders.additional_claims
    if load is None:
        return {}, True
    try:
        with app.app_context():
            return dict(call(runtime.ensure_sync, load, _IDENTITY)), True
    except Exception:
        return {}, False


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
    if isinstance(error, InvalidAudienceError) or claim == "aud":
        return "Let JWT_ENCODE_AUDIENCE name an audience of JWT_DECODE_AUDIENCE."
    if isinstance(error, InvalidIssuerError) or claim == "iss":
        return "Let JWT_ENCODE_ISSUER be an issuer of JWT_DECODE_ISSUER."
    if isinstance(error, ExpiredSignatureError):
        return f"Set {lifetime} to more than zero, and JWT_DECODE_LEEWAY to zero or more."
    if isinstance(error, ImmatureSignatureError):
        return "Set JWT_DECODE_LEEWAY to zero or more."
    if claim == "exp":
        return f"Set {lifetime} to a timedelta: JWT_REQUIRED_CLAIMS asks for exp."
    if claim is not None:
        return f"Take {claim} off JWT_REQUIRED_CLAIMS, or add it in additional_claims_loader."
    return f"JWT_IDENTITY_CLAIM is {settings.identity_claim!r}: see that it holds the identity."


def refused_tokens(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """A token that the keys of the application have signed is refused: it is too long, or its algorithm is.

    Left to others: claims, and keys that are missing or cannot be used at all.
    """
    loaders = runtime.loaders
    if loaders.encode_key or loaders.decode_key or next(refused_claims(app, runtime), None):
        return
    # No store either: there is no session.
    probe = replace(runtime, loaders=Loaders(), store=None)
    for kind in ("access", "refresh"):
        try:
            encoded = issue(NewToken(kind, _IDENTITY), probe, time.time())
        except (ConfigurationError, InvalidKeyError, PyJWTError):
            return
        try:
            pipeline.check(encoded, Policy(refresh=kind == "refresh"), probe, time.time())
        except (PyJWTError, JWTExtendedException, JWTDecodeError) as error:
            yield Finding(
                "error",
                "own_tokens_refused",
                f"{kind.capitalize()} tokens of this application are refused by it: {error}",
                "Every request with a token that was made as the settings say is refused.",
                f"Such a token has {len(encoded)} bytes: compare JWT_MAX_TOKEN_BYTES. Otherwise see that JWT_ALGORITHM "
                "and the keys belong together.",
            )
        except ConfigurationError:
            return
