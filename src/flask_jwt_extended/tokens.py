"""The module ``tokens`` of 4.7: make and verify a token without an application. Only applications import it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from ._jose import claims as claims_
from ._jose import compact
from ._jose.keys import prepare
from ._settings.settings import Settings, resolve
from .exceptions import CSRFError, JWTDecodeError  # noqa: F401  # 4.7 has them here
from .typing import Claims, ExpiresDelta, Fresh


def _encode_jwt(
    algorithm: str,
    audience: str | Iterable[str] | None,
    claim_overrides: dict[str, Any] | None,
    csrf: bool,
    expires_delta: ExpiresDelta | None,
    fresh: Fresh,
    header_overrides: dict[str, Any] | None,
    identity: Any,
    identity_claim_key: str,
    issuer: str | None,
    json_encoder: type[json.JSONEncoder] | None,
    secret: Any,
    token_type: str,
    nbf: bool,
) -> str:
    """Make and sign a token."""
    settings = _settings(
        JWT_ENCODE_AUDIENCE=audience,
        JWT_ENCODE_ISSUER=issuer,
        JWT_COOKIE_CSRF_PROTECT=csrf,
        JWT_IDENTITY_CLAIM=identity_claim_key,
        JWT_ENCODE_NBF=nbf,
    )
    payload = claims_.build(
        settings,
        time.time(),
        token_type=token_type,
        identity=identity,
        fresh=fresh,
        lifetime=expires_delta or False,
        additional=claim_overrides or {},
    )
    header = {"typ": "JWT", "alg": algorithm, **(header_overrides or {})}

    def encode(value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":"), cls=json_encoder, allow_nan=False).encode()

    return compact.sign(encode(dict(sorted(header.items()))), encode(payload), prepare(header["alg"], secret))


def _decode_jwt(
    algorithms: list[str],
    allow_expired: bool,
    audience: str | Iterable[str] | None,
    csrf_value: str | None,
    encoded_token: str,
    identity_claim_key: str,
    issuer: str | None,
    leeway: int,
    secret: Any,
    verify_aud: bool,
    verify_sub: bool,
) -> Claims:
    """Verify a token with one key and return its claims."""
    settings = _settings(
        JWT_DECODE_AUDIENCE=audience if verify_aud else None,
        JWT_DECODE_ISSUER=issuer,
        JWT_DECODE_LEEWAY=leeway,
        JWT_IDENTITY_CLAIM=identity_claim_key,
        JWT_VERIFY_SUB=verify_sub,
    )
    parts = compact.parse(encoded_token, settings.max_token_bytes)
    algorithm = compact.check_algorithm(parts[0], algorithms)
    _, octets = compact.verify_with([prepare(algorithm, secret)], parts)
    claims = compact.parse_object(octets, "payload")
    claims_.validate(claims, settings, time.time(), csrf_value=csrf_value, allow_expired=allow_expired)
    return claims


def _settings(**options: Any) -> Settings:
    return resolve({name: value for name, value in options.items() if value is not None})
