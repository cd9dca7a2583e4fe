"""Keys for tests: one of every kind with its private members, and a file of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed448

from flask_jwt_extended._jose.jwk_set import PRIVATE_MEMBERS, to_jwk

from ..conftest import PRIVATE_KEYS, SYMMETRIC

#: A secret for every symmetric algorithm, as long as its hash.
SECRETS = {algorithm: bytes(range(int(algorithm[2:]) // 8)) for algorithm in SYMMETRIC}
#: A private JWK for every algorithm, by its JWS name; EdDSA on both curves.
JWKS: dict[str, dict[str, Any]] = {
    **{algorithm: to_jwk(algorithm, key) for algorithm, key in PRIVATE_KEYS.items()},
    "EdDSA-448": to_jwk("EdDSA", ed448.Ed448PrivateKey.generate()),
    **{algorithm: to_jwk(algorithm, secret) for algorithm, secret in SECRETS.items()},
}
ASYMMETRIC = [name for name in JWKS if name not in SYMMETRIC]


def public(jwk: dict[str, Any]) -> dict[str, Any]:
    """Return the public members of a JWK."""
    return {name: value for name, value in jwk.items() if name not in PRIVATE_MEMBERS}


def without(jwk: dict[str, Any], *names: str, **others: Any) -> dict[str, Any]:
    """Return a JWK without some members, and with others."""
    return {name: value for name, value in jwk.items() if name not in names} | others


def write_set(path: Path, *jwks: dict[str, Any]) -> Path:
    """Write a JWK Set as ``flask jwt keys`` does: only its owner may read it."""
    path.write_text(json.dumps({"keys": jwks}))
    path.chmod(0o600)
    return path


def eventually(happens: Callable[[], object], seconds: float = 10.0) -> bool:
    """Return whether a condition becomes true within some seconds."""
    ends = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True
