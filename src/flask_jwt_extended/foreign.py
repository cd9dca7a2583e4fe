"""Tokens of other people's issuers, accepted beside our own on the terms of JWT_TRUSTED_ISSUERS.

The keys of an issuer verify its tokens and nobody else's (RFC 8725bis, section 3.8): which issuer is meant is read from
a token that nothing vouches for yet, and is then what the signature has to bear out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from jwt.exceptions import InvalidAudienceError, InvalidSubjectError, InvalidTokenError

from .core import compact
from .issuers import TrustedIssuer
from .settings import Settings
from .typing import Claims

if TYPE_CHECKING:
    from .http.jwks import IssuerKeys


class ForeignIssuer:
    """An issuer whose tokens are accepted.

    :param settings: our own, which its terms change for its tokens
    """

    def __init__(self, terms: TrustedIssuer, settings: Settings) -> None:
        self.terms = terms
        self._settings = settings

    @cached_property
    def _keys(self) -> IssuerKeys:
        from .http.jwks import IssuerKeys  # who trusts nobody needs no fetcher

        return IssuerKeys(self.terms)

    @cached_property
    def settings(self) -> Settings:
        """How the claims of its tokens are judged."""
        return replace(
            self._settings,
            decode_issuer=(self.terms.issuer,),
            decode_audience=self.terms.audience if self.terms.audience_claim == "aud" else None,
            verify_aud=False,
            required_claims=self.terms.required_claims,
            identity_claim=self.terms.identity_claim,
        )

    def fetch(self) -> None:
        """See that its keys are at hand.

        :raises IssuerUnavailableError: if they are not, and cannot be fetched
        """
        self._keys.candidates(self.terms.algorithms[0])

    def verify_signature(self, parts: compact.Parts) -> None:
        """Verify that a token is of this issuer.

        :raises InvalidTokenError: if it is not
        :raises IssuerUnavailableError: if the keys of the issuer are not known, and cannot be fetched
        """
        header, typ = parts[0], self.terms.typ
        algorithm = compact.admit(header, self.terms.algorithms)
        if typ is not None and str(header.get("typ")).lower().removeprefix("application/") != typ.lower():
            raise InvalidTokenError(f"Tokens of this issuer must have the typ {typ}")
        compact.verify_with(self._keys.candidates(algorithm, header.get("kid")), parts)

    def check(self, claims: Claims) -> None:
        """See that a token names us, where the issuer has a claim of its own for that, and somebody.

        :raises InvalidAudienceError: if it is for somebody else
        :raises InvalidSubjectError: if the identity is no text
        """
        name = self.terms.audience_claim
        if name != "aud" and (type(claims.get(name)) is not str or claims[name] not in self.terms.audience):
            raise InvalidAudienceError("Audience doesn't match")
        if type(claims.get(self.terms.identity_claim, "")) is not str:
            raise InvalidSubjectError("Subject must be a string")

    def adopt(self, claims: Claims) -> None:
        """Make verified claims mean here what they should. Their own ``type`` and ``fresh`` are the issuer's business,
        and so are ``sid`` and ``single_use``, which are dropped: they would stand for what only our store knows.
        """
        for name in ("sid", "single_use"):
            claims.pop(name, None)
        claims |= {"type": self.terms.type, "fresh": False}
        claims[self._settings.identity_claim] = claims[self.terms.identity_claim]


def issuer_of(claims: Claims, issuers: Mapping[str, ForeignIssuer]) -> ForeignIssuer | None:
    """Return the trusted issuer that a token names, verified or not."""
    name = claims.get("iss")
    return issuers.get(name) if type(name) is str else None
