"""Claims: build those of a new token, validate those of a verified one (RFC 7519, section 4), without a clock."""

from __future__ import annotations

import math
import sys
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from hmac import compare_digest
from typing import Any

from jwt import exceptions as errors

from .._settings.settings import Settings
from ..exceptions import CSRFError, JWTDecodeError
from ..typing import Claims, Fresh

#: The largest NumericDate that is accepted, and with the opposite sign the smallest: the range of a double, which every
#: language reads (RFC 8259, section 6). Python also reads ``10**400``, and cannot add it to a float.
MAX_DATE = int(sys.float_info.max)


def validate(
    claims: Claims, settings: Settings, now: float, *, csrf_value: str | None = None, allow_expired: bool = False
) -> None:
    """Check the registered claims and those that this extension needs, and add the defaults of 4.7, in place.

    Expiry is checked last: ``expired_token_loader`` gets the claims, so they must be valid in every other way.
    """
    for name in settings.claims_needed:
        if claims.get(name) is None:
            raise errors.MissingRequiredClaimError(name)
    exp = _check_times(claims, now + settings.decode_leeway)
    if "iss" in claims or settings.decode_issuer is not None:
        _check_issuer(claims, settings)
    if "aud" in claims or settings.decode_audience is not None:
        _check_audience(claims, settings)
    if settings.verify_sub and type(claims.get("sub", "")) is not str and not is_legacy(claims, settings, now):
        raise errors.InvalidSubjectError("Subject must be a string")
    if type(claims.get("jti", "")) is not str:
        raise errors.InvalidJTIError("JWT ID must be a string")

    if settings.identity_claim not in claims:
        raise JWTDecodeError(f"Missing claim: {settings.identity_claim}")
    claims.setdefault("type", "access")
    claims.setdefault("fresh", False)
    claims.setdefault("jti", None)
    if csrf_value:
        _check_csrf(claims, csrf_value)
    # In whole seconds, as PyJWT does: a fraction never lets a token live longer.
    if int(exp) <= now - settings.decode_leeway and (not allow_expired or exp < -MAX_DATE):
        raise errors.ExpiredSignatureError("Signature has expired")


def check_types(claims: Any, settings: Settings, *, csrf_value: str | None = None) -> None:
    """Check the types of claims that the application's own ``_decode_jwt_from_config`` returned."""
    if not isinstance(claims, dict):
        raise errors.InvalidTokenError("The token was not verified")
    if settings.identity_claim not in claims:
        raise JWTDecodeError(f"Missing claim: {settings.identity_claim}")
    for name in ("exp", "iat", "nbf"):
        if name in claims:
            _check_date(claims[name], errors.DecodeError, name, earliest=-MAX_DATE, latest=MAX_DATE)
    if type(claims.get("jti", "")) is not str and claims["jti"] is not None:
        raise errors.InvalidJTIError("JWT ID must be a string")
    if csrf_value and "csrf" in claims:
        _check_csrf(claims, csrf_value)


def is_legacy(claims: Claims, settings: Settings, now: float) -> bool:
    """Return whether a ``sub`` that is not a string is still accepted, as in 4.6 (JWT_LEGACY_SUB_UNTIL)."""
    return settings.legacy_sub_until is not None and now < settings.legacy_sub_until and claims.get("sub") is not None


def _check_times(claims: Claims, latest: float) -> int | float:
    """Check ``iat`` and ``nbf``, and return ``exp``, or :data:`MAX_DATE` without one."""
    iat = claims.get("iat", 0)
    if type(iat) is not int or iat < 0:
        _check_date(iat, errors.InvalidIssuedAtError, "Issued At claim (iat)", earliest=-MAX_DATE)
    if iat > latest:
        raise errors.ImmatureSignatureError("The token is not yet valid (iat)")
    nbf = claims.get("nbf", 0)
    if type(nbf) is not int or nbf < 0:
        _check_date(nbf, errors.DecodeError, "Not Before claim (nbf)", earliest=-MAX_DATE)
    if nbf > latest:
        raise errors.ImmatureSignatureError("The token is not yet valid (nbf)")
    exp: int | float = claims.get("exp", MAX_DATE)
    if type(exp) is not int or exp > MAX_DATE:
        _check_date(exp, errors.DecodeError, "Expiration Time claim (exp)", latest=MAX_DATE)
    return exp


def is_finite(value: Any) -> bool:
    """Return whether this is a NumericDate: a finite JSON number, and neither a bool nor a string."""
    return type(value) is int or (type(value) is float and math.isfinite(value))


def is_date(value: Any) -> bool:
    """Return whether this is a NumericDate within :data:`MAX_DATE`, which is safe to calculate with."""
    return is_finite(value) and -MAX_DATE <= value <= MAX_DATE


def _check_date(
    value: Any,
    error: type[errors.InvalidTokenError],
    claim: str,
    *,
    earliest: float = -math.inf,
    latest: float = math.inf,
) -> None:
    if not is_finite(value):
        raise error(f"{claim} must be an integer.")
    if not earliest <= value <= latest:
        raise error(f"{claim} is out of range")


def _check_issuer(claims: Claims, settings: Settings) -> None:
    if "iss" not in claims:
        raise errors.MissingRequiredClaimError("iss")
    issuer = claims["iss"]
    if type(issuer) is not str:
        raise errors.InvalidIssuerError("Payload Issuer (iss) must be a string")
    if settings.decode_issuer is not None and issuer not in settings.decode_issuer:
        raise errors.InvalidIssuerError("Invalid issuer")


def _check_audience(claims: Claims, settings: Settings) -> None:
    """Check the form of ``aud``, and its values if an audience is configured (RFC 7519, section 4.1.3)."""
    audience = claims.get("aud")
    if not audience and settings.decode_audience is not None:
        raise errors.MissingRequiredClaimError("aud")
    audience = [audience] if type(audience) is str else audience
    if type(audience) is not list or any(type(each) is not str for each in audience):
        raise errors.InvalidAudienceError("Invalid claim format in token")
    accepted = settings.audience
    if accepted is not None and not any(each in accepted for each in audience):
        raise errors.InvalidAudienceError("Audience doesn't match")


def _check_csrf(claims: Claims, csrf_value: str) -> None:
    if "csrf" not in claims:
        raise JWTDecodeError("Missing claim: csrf")
    expected = claims["csrf"]
    if type(expected) is not str or not compare_digest(_octets(expected), _octets(csrf_value)):
        raise CSRFError("CSRF double submit tokens do not match")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def build(
    settings: Settings,
    now: float,
    *,
    token_type: str,
    identity: Any,
    fresh: Fresh,
    lifetime: Any,
    additional: Mapping[str, Any],
) -> Claims:
    """Return the claims of a new token.

    :param lifetime: a ``timedelta``, or anything that can be added to a ``datetime``; ``False``: no ``exp``
    :param additional: claims that override the others
    """
    issued = int(now)
    claims = {
        "fresh": now + fresh.total_seconds() if isinstance(fresh, timedelta) else fresh,
        "iat": issued,
        "jti": str(uuid.uuid4()),
        "type": token_type,
        settings.identity_claim: identity,
    }
    if settings.encode_nbf:
        claims["nbf"] = issued
    if settings.cookie_csrf_protect:
        claims["csrf"] = str(uuid.uuid4())
    if settings.encode_audience:
        claims["aud"] = settings.encode_audience
    if settings.encode_issuer:
        claims["iss"] = settings.encode_issuer
    if lifetime is not False:
        claims["exp"] = expiry(now, lifetime)
    claims.update(additional)
    if not isinstance(claims.get("iss", ""), str):
        raise TypeError("Issuer (iss) must be a string.")
    return claims | {name: _numeric_date(claims[name]) for name in ("exp", "iat", "nbf") if name in claims}


def _numeric_date(value: Any) -> Any:
    """Return a NumericDate in place of a ``datetime``; a naive one is in UTC."""
    if not isinstance(value, datetime):
        return value
    aware = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return math.floor(aware.timestamp())


def expiry(now: float, lifetime: Any) -> int:
    """Return the end of a lifetime that starts now, in whole seconds since the epoch."""
    expires: datetime = datetime.fromtimestamp(now, timezone.utc) + lifetime
    return math.floor(expires.timestamp())
