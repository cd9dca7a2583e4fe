"""The key material of one run: made once, handed to every worker, written nowhere."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@dataclass(frozen=True)
class KeyPair:
    """What signs and what verifies: PEM text, or the same secret twice."""

    private: str
    public: str


def generate() -> dict[str, KeyPair]:
    """Make one pair for each algorithm; the RSA key has 2048 bits."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    secret = secrets.token_urlsafe(48)
    return {
        "HS256": KeyPair(secret, secret),
        "RS256": _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        "ES256": _pem(ec.generate_private_key(ec.SECP256R1())),
        "EdDSA": _pem(ed25519.Ed25519PrivateKey.generate()),
    }


def _pem(key: PrivateKeyTypes) -> KeyPair:
    from cryptography.hazmat.primitives import serialization as form

    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private.decode(), public.decode())


def to_json(keys: Mapping[str, KeyPair]) -> dict[str, dict[str, str]]:
    """Return the pairs as a worker is sent them."""
    return {algorithm: asdict(pair) for algorithm, pair in keys.items()}


def from_json(sent: Mapping[str, Mapping[str, str]]) -> dict[str, KeyPair]:
    """Read what :func:`to_json` wrote."""
    return {algorithm: KeyPair(**pair) for algorithm, pair in sent.items()}
