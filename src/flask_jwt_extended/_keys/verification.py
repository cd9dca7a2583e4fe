"""The one place that answers: is the signature of a token good, and whose key made it?

A token is verified with the configured keys, with a key of ``decode_key_loader``, or with the keys of the external
issuer that it names. The keys of one issuer never verify the token of another (RFC 8725bis, section 3.8).
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
    """Verifies the signatures of all tokens of an application.

    :param loaders: with ``decode_key``, that loader replaces the configured keys
    :param configured: the configured keys
    :param loaded: the keys of ``decode_key_loader``
    :param issuers: the external issuers by their names
    :param max_token_bytes: the size above which no token is parsed
    """

    loaders: Loaders
    configured: KeySource
    loaded: LoadedKeys
    issuers: Mapping[str, ExternalIssuer]
    max_token_bytes: int

    def verify(self, encoded: str | bytes, now: float) -> tuple[Header, Claims, ExternalIssuer | None]:
        """Verify the form and the signature of a token.

        :param now: seconds since the epoch
        :return: its header, its claims, which are not checked yet, and its external issuer; ``None``: this application
        :raises InvalidTokenError: PyJWT's error for what is wrong with it
        :raises UnavailableError: if the key cannot be fetched
        """
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
        """Verify the form and the signature of a token of this application.

        :param now: seconds since the epoch
        :return: its header and the octets of its payload
        :raises InvalidTokenError: PyJWT's error for what is wrong with it
        :raises KeyUnavailableError: if ``decode_key_loader`` cannot reach the place where its keys are
        """
        load = self.loaders.decode_key
        if load is None:
            return self.configured.at(now).verifier.verify(encoded)
        return self.loaded.verify(encoded, load)
