"""The external identity providers whose tokens are accepted, and the settings of each (JWT_TRUSTED_ISSUERS)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..exceptions import ConfigurationError
from .parsers import in_order
from .redaction import shown, without_credentials
from .token_kinds import is_other_kind, kind_of

#: The algorithms that an issuer may sign with by default. A symmetric one is never accepted.
ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
#: In ``scopes``, ``roles`` and ``acr``: all that the tokens of the issuer contain.
ANY = "*"
_REGISTERED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "cnf", "acr", "amr", "auth_time"})
_PRIVATE = frozenset({"type", "fresh", "csrf", "sid", "single_use", "scope", "scp", "roles", "groups"})
#: Claims with a meaning of their own. With trusted issuers, JWT_IDENTITY_CLAIM cannot be one of them, because the
#: identity in their tokens is written to that claim.
RESERVED = _REGISTERED | _PRIVATE
#: Claims that do not identify a user: they are the same in all tokens of an issuer, never text, or removed.
_NO_IDENTITY = frozenset({"iss", "aud", "exp", "nbf", "iat", "auth_time", "cnf", "csrf"})
#: The claims that an access token of OAuth 2.0 must have beside ``iss`` and ``aud`` (RFC 9068, section 2.2).
RFC_9068 = ("exp", "iat", "sub", "client_id", "jti")


class TrustedIssuer(NamedTuple):
    """An issuer (the ``iss`` of its tokens) and its settings, which docs/issuers.md explains."""

    issuer: str
    audience: tuple[str, ...]
    audience_claim: str = "aud"  # access tokens of Amazon Cognito only have "client_id"
    jwks_uri: str | None = None
    discovery: str | None = None
    keys: Any = None
    algorithms: tuple[str, ...] = ASYMMETRIC
    identity_claim: str = "sub"
    type: str = "access"
    typ: str | None = None  # any of ours
    required_claims: tuple[str, ...] = ("exp", "iat")
    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    acr: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Leave out the keys, which may be private, and secrets in URLs."""
        public = {name: value for name, value in self._asdict().items() if name != "keys"}
        public |= {name: without_credentials(public[name]) for name in _URLS if public[name]}
        return f"TrustedIssuer({', '.join(f'{name}={value!r}' for name, value in public.items())})"


_URLS = ("issuer", "jwks_uri", "discovery")
#: The settings for the source of the keys. ``None`` counts as not set: it is most likely a missing variable.
_KEY_SOURCES = {"keys", "jwks_uri", "discovery"}
_TEXTS = {"audience_claim", "identity_claim", "type", "typ"}
_LISTS = ("audience", "algorithms", "required_claims", "scopes", "roles", "acr")


def trusted_issuers(value: Any, name: str) -> Mapping[str, TrustedIssuer]:
    """Parse JWT_TRUSTED_ISSUERS: settings by issuer.

    :raises ConfigurationError: if a setting is unknown, missing or malformed
    """
    if not isinstance(value or {}, Mapping):
        raise ConfigurationError(f"{name} must be a mapping from issuers to their settings, not {shown(value)}")
    return {issuer: _trusted_issuer(issuer, settings, name) for issuer, settings in (value or {}).items()}


def _trusted_issuer(issuer: Any, settings: Any, name: str) -> TrustedIssuer:
    where = f"{name}[{shown(issuer)}]"
    if not issuer or not isinstance(issuer, str) or not isinstance(settings, Mapping):
        raise ConfigurationError(
            f"{where} must be a mapping: jwks_uri or discovery, audience, algorithms... Its key is the iss of tokens"
        )
    known = set(TrustedIssuer._fields) - {"issuer"}
    if unknown := sorted(set(settings) - known):
        raise ConfigurationError(f"{where} has no setting {shown(unknown[0])}; it can have {', '.join(sorted(known))}")
    parsed: dict[str, Any] = {
        key: value for key, value in settings.items() if value is not None or key not in _KEY_SOURCES
    }
    parsed |= {key: _strings(settings[key], f"{where}[{key!r}]") for key in _LISTS if key in settings}
    if not parsed.get("audience"):
        raise ConfigurationError(f"{where} needs an audience: without it, tokens for other services would be accepted")
    _check_algorithms(parsed, where)
    _check_texts(parsed, where)
    if not _KEY_SOURCES & set(parsed):
        parsed["discovery"] = issuer.rstrip("/") + "/.well-known/openid-configuration"
    _check_urls(parsed, where)
    if parsed.get("typ") == "at+jwt":
        parsed.setdefault("required_claims", RFC_9068)
    return TrustedIssuer(issuer=issuer, **parsed)


def _strings(value: Any, where: str) -> tuple[str, ...]:
    listed = (value,) if isinstance(value, str) else value
    is_list = isinstance(listed, (list, tuple, set, frozenset))
    if not is_list or not all(isinstance(each, str) and each for each in listed):
        raise ConfigurationError(
            f"{where} must be a string or a list of strings, none of them empty, not {shown(value)}"
        )
    return in_order(listed)  # a key without "alg" gets the first algorithm that fits


def _check_algorithms(parsed: Mapping[str, Any], where: str) -> None:
    if not parsed.get("algorithms", True):
        raise ConfigurationError(f"{where} needs algorithms: leave them out to accept all asymmetric ones")
    for algorithm in parsed.get("algorithms", ()):
        if algorithm not in ASYMMETRIC:
            name, usable = shown(algorithm).strip("'"), ", ".join(ASYMMETRIC)
            raise ConfigurationError(f"{where}['algorithms'] cannot have {name}: use public keys, with {usable}")


def _check_texts(parsed: dict[str, Any], where: str) -> None:
    for key in _TEXTS & set(parsed):
        if not isinstance(parsed[key], str) or not parsed[key]:
            raise ConfigurationError(f"{where}[{key!r}] must be a name, not {shown(parsed[key])}")
    if parsed.get("identity_claim") in _NO_IDENTITY:
        claim = shown(parsed["identity_claim"])
        raise ConfigurationError(f"{where}['identity_claim'] cannot be {claim}: that claim does not identify a user")
    if "typ" in parsed:
        parsed["typ"] = kind_of(parsed["typ"])
        if is_other_kind(parsed["typ"]):
            raise ConfigurationError(
                f"{where}['typ'] cannot be {shown(parsed['typ'])}: tokens of that kind are never accepted. Use 'at+jwt'"
                " or 'JWT'"
            )
    if parsed.get("type", "access") not in ("access", "refresh"):
        raise ConfigurationError(f'{where}[\'type\'] must be "access" or "refresh", not {shown(parsed["type"])}')


def _check_urls(parsed: Mapping[str, Any], where: str) -> None:
    for key in _KEY_SOURCES & set(parsed) - {"keys"}:
        if not is_fetchable(parsed[key]):
            raise ConfigurationError(
                f"{where}[{key!r}] must be an https:// URL (http:// only for this machine), not {shown(parsed[key])}"
            )


def is_fetchable(url: Any) -> bool:
    """Return whether keys may be fetched from a URL: with TLS, or from this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError, TypeError):
        return False
    local = host in ("localhost", "127.0.0.1", "::1")
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and local)) and "@" not in parts.netloc
