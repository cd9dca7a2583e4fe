"""A digest of the signing key, to see whether every process of an application has the same one."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt

from .._jose.jwk_set import thumbprint
from .._state import ExtensionState
from ..exceptions import ConfigurationError


def key_digest(state: ExtensionState, salt: bytes) -> str:
    """Return a digest of the signing key. Processes with the same salt and the same key have the same digest.

    :raises ConfigurationError: if the key is missing, chosen for each token, or of an unknown type
    """
    if state.loaders.encode_key is not None:
        raise ConfigurationError("encode_key_loader chooses the key for each token")
    octets = _octets_of_set(state) if state.settings.keys else _octets(state.settings.signing_key)
    return hmac.new(salt, octets, "sha256").hexdigest()


def _octets_of_set(state: ExtensionState) -> bytes:
    return json.dumps([thumbprint(each.jwk) for each in state.keys.at(time.time()).listed]).encode()


def _octets(material: Any) -> bytes:
    """Represent a key by octets that are the same in every process; a key pair by its public half."""
    if isinstance(material, jwt.PyJWK):
        material = material.key
    if isinstance(material, (str, bytes)):
        return material.encode() if isinstance(material, str) else material
    if isinstance(material, Mapping):
        return json.dumps(dict(material), sort_keys=True, default=str).encode()
    try:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = material.public_key() if hasattr(material, "public_key") else material
        octets: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ImportError, AttributeError, ValueError):
        raise ConfigurationError(f"a {type(material).__name__} cannot be compared between processes") from None
    return octets
