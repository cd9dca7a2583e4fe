"""External identity providers: how the tokens of an issuer in JWT_TRUSTED_ISSUERS are verified.

The ``iss`` is read before the signature is verified: the keys of this issuer must verify it (RFC 8725bis, section 3.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jwt.exceptions import ExpiredSignatureError, InvalidAudienceError, InvalidSubjectError, InvalidTokenError

from .._jose import claims as claims_
from .._jose import compact
from .._settings.issuers import ANY, TrustedIssuer
from .._settings.settings import Settings
from .._settings.token_kinds import kind_of
from ..typing import Claims

if TYPE_CHECKING:
    from .jwks_client import IssuerKeys

#: Claims that only tokens of this application can have.
_OURS_ALONE = ("sid", "single_use")
#: Claims that grant something, and the settings that limit them.
_GRANTS = {"scope": "scopes", "scp": "scopes", "roles": "roles", "groups": "roles", "acr": "acr", "amr": "acr"}
#: Claims whose text holds several names, separated by spaces (RFC 8693, section 4.2). The role "not admin" is one name.
_SEPARATED = ("scope", "scp")


class ExternalIssuer:
    """An issuer whose tokens are accepted, with its settings in JWT_TRUSTED_ISSUERS and those of the application."""

    def __init__(self, config: TrustedIssuer, settings: Settings, keys: IssuerKeys) -> None:
        self.config = config
        self.keys = keys
        self._settings = settings
        self._granted = {claim: frozenset(getattr(config, setting)) for claim, setting in _GRANTS.items()}

    @property
    def name(self) -> str:
        """The ``iss`` of its tokens."""
        return self.config.issuer

    @cached_property
    def settings(self) -> Settings:
        """The settings for the claims of its tokens."""
        return replace(
            self._settings,
            trusted_issuers={},
            decode_issuer=(self.name,),
            decode_audience=self.config.audience if self.config.audience_claim == "aud" else None,
            verify_aud=False,
            verify_sub=True,
            legacy_sub_until=None,
            required_claims=self.config.required_claims,
            identity_claim=self.config.identity_claim,
        )

    def verify_signature(self, parts: compact.Parts) -> None:
        """Verify that a key of this issuer signed a token."""
        header, typ = parts[0], self.config.typ
        algorithm = compact.check_algorithm(header, self.config.algorithms)
        if typ is not None and kind_of(header.get("typ")) != typ:
            raise InvalidTokenError(f"Tokens of this issuer must have the typ {typ}")
        compact.verify_with(self.keys.candidates(algorithm, header.get("kid")), parts)

    def validate(self, claims: Claims, now: float, *, csrf_value: str | None, allow_expired: bool) -> None:
        """Check the claims of a token of this issuer, and give them the meaning that they have here, in place."""
        self.check(claims)
        claims.pop("csrf", None)  # only this application makes double submit values
        try:
            claims_.validate(claims, self.settings, now, csrf_value=csrf_value, allow_expired=allow_expired)
        except ExpiredSignatureError:
            self.normalize_claims(claims)
            raise
        self.normalize_claims(claims)

    def check(self, claims: Claims) -> None:
        """Check the audience, where this issuer has a claim of its own for it, and the type of the identity."""
        name = self.config.audience_claim
        if name != "aud" and (type(claims.get(name)) is not str or claims[name] not in self.config.audience):
            raise InvalidAudienceError("Audience doesn't match")
        if type(claims.get(self.config.identity_claim, "")) is not str:
            raise InvalidSubjectError("Subject must be a string")

    def normalize_claims(self, claims: Claims) -> None:
        """Give verified claims the meaning that they have here, in place.

        ``type`` comes from the settings of the issuer and ``fresh`` is ``False``; ``sid`` and ``single_use`` are
        removed. Scopes, roles and authentication contexts are removed unless the issuer may grant them.
        """
        identity = claims[self.config.identity_claim]
        for name in _OURS_ALONE:
            claims.pop(name, None)
        for name, granted in self._granted.items():
            if name in claims and ANY not in granted:
                _limit(claims, name, granted)
        claims |= {"type": self.config.type, "fresh": False}
        claims[self._settings.identity_claim] = identity


def _limit(claims: Claims, name: str, granted: frozenset[str]) -> None:
    """Reduce a claim to the names that the issuer may grant. It keeps its form; one of another form is removed."""
    value = claims[name]
    if type(value) is str:
        names = value.split(" ") if name in _SEPARATED else [value]
        claims[name] = " ".join(each for each in names if each in granted)
    elif type(value) is list:
        claims[name] = [each for each in value if type(each) is str and each in granted]
    else:
        del claims[name]


def external_issuers(settings: Settings, before: Mapping[str, ExternalIssuer]) -> dict[str, ExternalIssuer]:
    """Return the trusted issuers by their names. Fetched keys are kept if the settings they depend on are the same."""
    issuers = {}
    for name, config in settings.trusted_issuers.items():
        from .jwks_client import IssuerKeys  # imported only for applications that trust an issuer

        known = before.get(name)
        keys = known.keys if known is not None and known.keys.are_for(config) else IssuerKeys(config)
        issuers[name] = ExternalIssuer(config, settings, keys)
    return issuers


def issuer_of(claims: Mapping[str, Any], issuers: Mapping[str, ExternalIssuer]) -> ExternalIssuer | None:
    """Return the trusted issuer that claims name, verified or not; ``None``: they name none."""
    name = claims.get("iss")
    return issuers.get(name) if type(name) is str else None
