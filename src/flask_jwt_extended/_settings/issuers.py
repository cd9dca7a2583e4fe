"""Other people's issuers: whose tokens are accepted beside our own, and on what terms (JWT_TRUSTED_ISSUERS).

Values only: their keys are fetched by :mod:`.http.jwks`, their tokens verified by the pipeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..exceptions import ConfigurationError
from .parsers import in_order
from .redaction import shown, without_credentials
from .token_kinds import is_other_kind, kind_of

#: Algorithms that a foreign issuer may sign with, unless it is held to fewer. Never a symmetric one.
ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: In ``scopes``, ``roles`` and ``acr``: whatever the tokens of the issuer say.
ANY = "*"
_REGISTERED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "cnf", "acr", "amr", "auth_time"})
_PRIVATE = frozenset({"type", "fresh", "csrf", "sid", "single_use", "scope", "scp", "roles", "groups"})
#: Claims that have a meaning of their own. JWT_IDENTITY_CLAIM cannot be one of them when there are trusted issuers,
#: because the identity of their tokens is written into it.
RESERVED = _REGISTERED | _PRIVATE
#: Claims that are the same in all tokens of an issuer, are never text, or are removed.
_NO_IDENTITY = frozenset({"iss", "aud", "exp", "nbf", "iat", "auth_time", "cnf", "csrf"})
#: What an access token of OAuth 2.0 must have (RFC 9068, section 2.2), where ``typ`` is ``at+jwt``.
RFC_9068 = ("exp", "iat", "sub", "client_id", "jti")


class TrustedIssuer(NamedTuple):
    """An issuer, and the terms on which its tokens are accepted.

    :ivar issuer: its ``iss``, compared whole
    :ivar audience: the audiences one of which its tokens must name
    :ivar audience_claim: the claim that names them, where it is not ``aud``: access tokens of Amazon Cognito have
        ``client_id`` alone
    :ivar jwks_uri: where its keys are
    :ivar discovery: where its metadata say where its keys are (OpenID Connect Discovery, RFC 8414); unless it is given,
        neither are keys nor ``jwks_uri``: below the issuer, at ``/.well-known/openid-configuration``
    :ivar keys: its keys, if they are not to be fetched: a JWK Set
    :ivar algorithms: those it may sign with
    :ivar identity_claim: the claim of its tokens that holds the identity
    :ivar type: the type that its tokens count as
    :ivar typ: what the ``typ`` of their header must be, ``at+jwt`` say; ``None``: any of ours
    :ivar required_claims: the claims without which a token of it is refused, beside ``iss`` and the audience;
        with ``typ`` ``at+jwt`` those of RFC 9068 unless they are given
    :ivar scopes: the scopes that its tokens may grant (``scope``, ``scp``); :data:`ANY` for all
    :ivar roles: the roles that its tokens may grant (``roles``, ``groups``); :data:`ANY` for all
    :ivar acr: the authentication contexts that its tokens may state (``acr``, ``amr``); :data:`ANY` for all
    """

    issuer: str
    audience: tuple[str, ...]
    audience_claim: str = "aud"
    jwks_uri: str | None = None
    discovery: str | None = None
    keys: Any = None
    algorithms: tuple[str, ...] = ASYMMETRIC
    identity_claim: str = "sub"
    type: str = "access"
    typ: str | None = None
    required_claims: tuple[str, ...] = ("exp", "iat")
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without keys, which may be private, and without what URLs may hold of secrets."""
        public = {name: value for name, value in self._asdict().items() if name != "keys"}
        public |= {name: without_credentials(public[name]) for name in _URLS if public[name]}
        return f"TrustedIssuer({', '.join(f'{name}={value!r}' for name, value in public.items())})"


def trusted_issuers(value: Any, name: str) -> Mapping[str, TrustedIssuer]:
    """Parse JWT_TRUSTED_ISSUERS: terms by issuer.

    :raises ConfigurationError: if a term is unknown, missing or of the wrong form
    """
    if not isinstance(value or {}, Mapping):
        raise ConfigurationError(f"{name} must be a mapping from issuers to their terms, not {shown(value)}")
    return {issuer: _terms(issuer, terms, name) for issuer, terms in (value or {}).items()}


_URLS = ("issuer", "jwks_uri", "discovery")
#: Where keys come from. ``None`` is as good as nothing: an environment variable that is not set, most likely.
_PLACES = {"keys", "jwks_uri", "discovery"}
_NAMES = {"audience_claim", "identity_claim", "type", "typ"}
_PLURAL = ("audience", "algorithms", "required_claims", "scopes", "roles", "acr")


def _terms(issuer: Any, terms: Any, name: str) -> TrustedIssuer:
    where = f"{name}[{shown(issuer)}]"
    if not issuer or not isinstance(issuer, str) or not isinstance(terms, Mapping):
        raise ConfigurationError(
            f"{where} must be a mapping: jwks_uri or discovery, audience, algorithms... Its key is the iss of tokens"
        )
    known = set(TrustedIssuer._fields) - {"issuer"}
    if unknown := sorted(set(terms) - known):
        raise ConfigurationError(f"{where} has no term {shown(unknown[0])}: there are {', '.join(sorted(known))}")
    parsed: dict[str, Any] = {key: value for key, value in terms.items() if value is not None or key not in _PLACES}
    parsed |= {key: _several(terms[key], f"{where}[{key!r}]") for key in _PLURAL if key in terms}
    if not parsed.get("audience"):
        raise ConfigurationError(f"{where} needs an audience: a token that was made for somebody else is not for us")
    if not parsed.get("algorithms", True):
        raise ConfigurationError(f"{where} needs algorithms: leave the term away to accept all asymmetric ones")
    for algorithm in parsed.get("algorithms", ()):
        if algorithm not in ASYMMETRIC:
            name, usable = shown(algorithm).strip("'"), ", ".join(ASYMMETRIC)
            raise ConfigurationError(f"{where}['algorithms'] cannot have {name}: use public keys, with {usable}")
    for key in {"jwks_uri", "discovery"} & set(parsed):
        _check_url(parsed[key], f"{where}[{key!r}]")
    _check_names(parsed, where)
    if not _PLACES & set(parsed):
        parsed["discovery"] = issuer.rstrip("/") + "/.well-known/openid-configuration"
        _check_url(parsed["discovery"], where)
    if parsed.get("typ") == "at+jwt":
        parsed.setdefault("required_claims", RFC_9068)
    return TrustedIssuer(issuer=issuer, **parsed)


def _check_names(parsed: dict[str, Any], where: str) -> None:
    for key in _NAMES & set(parsed):
        if not isinstance(parsed[key], str) or not parsed[key]:
            raise ConfigurationError(f"{where}[{key!r}] must be a name, not {shown(parsed[key])}")
    if parsed.get("identity_claim") in _NO_IDENTITY:
        raise ConfigurationError(
            f"{where}['identity_claim'] cannot be {shown(parsed['identity_claim'])}: it tells no two users apart"
        )
    if "typ" in parsed:
        parsed["typ"] = kind_of(parsed["typ"])
        if is_other_kind(parsed["typ"]):
            raise ConfigurationError(
                f"{where}['typ'] cannot be {shown(parsed['typ'])}: tokens of that kind are never accepted. Use 'at+jwt'"
                " or 'JWT'"
            )
    if parsed.get("type", "access") not in ("access", "refresh"):
        raise ConfigurationError(f'{where}[\'type\'] must be "access" or "refresh", not {shown(parsed["type"])}')


def _several(value: Any, where: str) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else value
    is_list = isinstance(listed, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(each, str) and each for each in listed):
        raise ConfigurationError(
            f"{where} must be a string or a list of strings, none of them empty, not {shown(value)}"
        )
    # The order of algorithms decides which one a key without "alg" is for, and a set has none.
    return in_order(listed)


def _check_url(url: Any, where: str) -> None:
    if not is_fetchable(url):
        raise ConfigurationError(f"{where} must be an https:// URL (http:// for this machine alone), not {shown(url)}")


def is_fetchable(url: Any) -> bool:
    """Whether keys may be fetched from this URL: with TLS, or from this machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        return False
    local = host in ("localhost", "127.0.0.1", "::1")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and local)) and "@" not in parts.netloc
