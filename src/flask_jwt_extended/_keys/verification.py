"""Verify the signature of a token: with the configured keys, a key of ``decode_key_loader``, or the keys of the
external issuer that it names. The keys of one issuer never verify the token of another (RFC 8725bis, section 3.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._jose import compact
from .._loaders import Loaders
from ..typing import Claims, Header
from .current import KeySource
from .issuer import ExternalIssuer, issuer_of
from .loaded import LoadedKeys


@dataclass(frozen=True, eq=False, repr=False)
class SignatureVerifier:
    """Verifies the signatures of all tokens. With ``loaders.decode_key``, ``loaded`` replaces ``configured``."""

    loaders: Loaders
    configured: KeySource
    loaded: LoadedKeys
    issuers: Mapping[str, ExternalIssuer]
    max_token_bytes: int

    def verify(self, encoded: str | bytes, now: float) -> tuple[Header, Claims, ExternalIssuer | None]:
        """Verify the form and the signature of a token, and return its claims unchecked."""
        if not self.issuers:
            header, payload = self.verify_own(encoded, now)
            return header, compact.parse_object(payload, "payload"), None
        parts = compact.parse(encoded, self.max_token_bytes)
        claims = compact.parse_object(compact.decode_segment(parts[2], "payload"), "payload")
        issuer = issuer_of(claims, self.issuers)
        if issuer is None:
            return self.verify_own(encoded, now)[0], claims, None
        issuer.verify_signature(parts)
        return parts[0], claims, issuer

    def verify_own(self, encoded: str | bytes, now: float) -> tuple[Header, bytes]:
        """Verify the form and the signature of a token of this application."""
        load = self.loaders.decode_key
        if load is None:
            return self.configured.at(now).verifier.verify(encoded)
        return self.loaded.verify(encoded, load)
