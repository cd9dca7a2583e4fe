"""Tokens of external issuers, accepted beside our own under the settings of JWT_TRUSTED_ISSUERS.

The keys of an issuer verify its tokens and nobody else's (RFC 8725bis, section 3.8): which issuer is meant is read from
a token that nothing vouches for yet, and is then what the signature has to bear out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jwt.exceptions import InvalidAudienceError, InvalidSubjectError, InvalidTokenError

from .._jose import compact
from .._settings.issuers import ANY, TrustedIssuer
from .._settings.settings import Settings
from .._settings.token_kinds import kind_of
from ..typing import Claims

if TYPE_CHECKING:
    from .jwks_client import IssuerKeys, IssuerKeySet

#: Claims that stand for what only this application knows: a foreign token cannot have them.
_OURS_ALONE = ("sid", "single_use")
#: Claims whose text holds several names, separated by spaces (RFC 8693, section 4.2).
_SEPARATED = ("scope", "scp")


class ExternalIssuer:
    """An issuer whose tokens are accepted.

    :param terms: its settings
    :param settings: those of the application, which the issuer's own change for its tokens
    :param keys: the keys that verify its tokens
    """

    def __init__(self, terms: TrustedIssuer, settings: Settings, keys: IssuerKeys) -> None:
        self.terms = terms
        self.keys = keys
        self._settings = settings
        scopes, roles, contexts = frozenset(terms.scopes), frozenset(terms.roles), frozenset(terms.acr)
        self._granted = {
            **{"scope": scopes, "scp": scopes},
            **{"roles": roles, "groups": roles},
            **{"acr": contexts, "amr": contexts},
        }

    @cached_property
    def settings(self) -> Settings:
        """How the claims of its tokens are judged."""
        return replace(
            self._settings,
            trusted_issuers={},
            decode_issuer=(self.terms.issuer,),
            decode_audience=self.terms.audience if self.terms.audience_claim == "aud" else None,
            verify_aud=False,
            verify_sub=True,
            legacy_sub_until=None,
            required_claims=self.terms.required_claims,
            identity_claim=self.terms.identity_claim,
        )

    def fetch(self) -> IssuerKeySet:
        """Return its keys, and fetch them first if they are not known.

        :raises IssuerUnavailableError: if they are not known, and cannot be fetched
        """
        return self.keys.current()

    def verify_signature(self, parts: compact.Parts) -> None:
        """Verify that a token is of this issuer.

        :raises InvalidTokenError: if it is not
        :raises IssuerUnavailableError: if the keys of the issuer are not known, and cannot be fetched
        """
        header, typ = parts[0], self.terms.typ
        algorithm = compact.check_algorithm(header, self.terms.algorithms)
        if typ is not None and kind_of(header.get("typ")) != typ:
            raise InvalidTokenError(f"Tokens of this issuer must have the typ {typ}")
        compact.verify_with(self.keys.candidates(algorithm, header.get("kid")), parts)

    def check(self, claims: Claims) -> None:
        """Check that a token is for us, where the issuer has a claim of its own for that, and that it has an identity.

        :raises InvalidAudienceError: if it is for somebody else
        :raises InvalidSubjectError: if the identity is not a string
        """
        name = self.terms.audience_claim
        if name != "aud" and (type(claims.get(name)) is not str or claims[name] not in self.terms.audience):
            raise InvalidAudienceError("Audience doesn't match")
        if type(claims.get(self.terms.identity_claim, "")) is not str:
            raise InvalidSubjectError("Subject must be a string")

    def normalize_claims(self, claims: Claims) -> None:
        """Give verified claims the meaning that they have here, in place.

        ``type`` is what the settings of the issuer say and ``fresh`` is ``False``; ``sid`` and ``single_use`` are
        removed. Of scopes, roles and authentication contexts, those stay that the issuer may grant.
        """
        identity = claims[self.terms.identity_claim]
        for name in _OURS_ALONE:
            claims.pop(name, None)
        for name, granted in self._granted.items():
            if name in claims and ANY not in granted:
                _limit(claims, name, granted)
        claims |= {"type": self.terms.type, "fresh": False}
        claims[self._settings.identity_claim] = identity


def _limit(claims: Claims, name: str, granted: frozenset[str]) -> None:
    """Reduce a claim to the names that the issuer may grant. It keeps its form; one of another form is removed.

    Only scopes are separated by spaces: the role "not admin" is one name.
    """
    value = claims[name]
    if type(value) is str:
        names = value.split(" ") if name in _SEPARATED else [value]
        claims[name] = " ".join(each for each in names if each in granted)
    elif type(value) is list:
        claims[name] = [each for each in value if type(each) is str and each in granted]
    else:
        del claims[name]


def external_issuers(settings: Settings, before: Mapping[str, ExternalIssuer]) -> dict[str, ExternalIssuer]:
    """Return the trusted issuers of an application by their names.

    :param before: those of its settings before they changed. An issuer whose own settings say the same about its keys
        keeps those that were fetched
    :raises ConfigurationError: if given keys cannot be used, or there is nothing to fetch others with
    """
    return {name: _issuer(terms, settings, before.get(name)) for name, terms in settings.trusted_issuers.items()}


def _issuer(terms: TrustedIssuer, settings: Settings, before: ExternalIssuer | None) -> ExternalIssuer:
    from .jwks_client import IssuerKeys  # an application that trusts no issuer needs no fetcher

    keys = before.keys if before is not None and before.keys.are_for(terms) else IssuerKeys(terms)
    return ExternalIssuer(terms, settings, keys)


def issuer_of(claims: Mapping[str, Any], issuers: Mapping[str, ExternalIssuer]) -> ExternalIssuer | None:
    """Return the trusted issuer that a token names, verified or not; ``None``: it names none."""
    name = claims.get("iss")
    return issuers.get(name) if type(name) is str else None
