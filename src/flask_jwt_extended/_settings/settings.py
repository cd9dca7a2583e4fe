"""The frozen :class:`Settings` of an application: its options, the values derived from them, and the checks of options
that contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

from jwt.algorithms import requires_cryptography

from ..exceptions import ConfigurationError
from . import cookie_rules, parsers
from .cookie_rules import CookieName
from .issuers import RESERVED
from .options import OPTIONS, Options, defaults, option_name
from .redaction import shown

#: How many seconds browsers keep a cookie if JWT_SESSION_COOKIE is off: a year, as in 4.7.
COOKIE_YEAR = 31_540_000
#: The options that JWT_REPORT_ONLY can name, each with the value that refuses nothing.
REPORTABLE: dict[str, Any] = {
    "JWT_REQUIRED_CLAIMS": (),
    "JWT_VERIFY_AUD": False,
    "JWT_DECODE_AUDIENCE": None,
    "JWT_DECODE_ISSUER": None,
    "JWT_SINGLE_TOKEN": False,
    "JWT_CSRF_ORIGIN_CHECK": False,
    "JWT_CSRF_METHODS": frozenset({"POST", "PUT", "PATCH", "DELETE"}),
    "JWT_BOUND_TOKENS": "warn",
}
#: Claims that cannot hold an identity: they are a time, a type or a secret.
_NO_IDENTITY = frozenset(("exp", "nbf", "iat", "type", "fresh", "csrf", "sid", "single_use"))


class TokenKind(NamedTuple):
    """The options that differ between access and refresh tokens."""

    name: str
    token_expires: Any
    cookie_name: str
    cookie_path: str
    csrf_cookie_name: str
    csrf_cookie_path: str
    csrf_header_name: str
    csrf_field_name: str
    json_keys: tuple[str, ...]


class Settings(Options):
    """The options of one application, parsed and validated. Made by :func:`resolve`; never changes."""

    # --- keys and algorithms ---

    @cached_property
    def accepted_algorithms(self) -> tuple[str, ...]:
        """JWT_DECODE_ALGORITHMS and JWT_ALGORITHM."""
        if self.algorithm in self.decode_algorithms:
            return self.decode_algorithms
        return (*self.decode_algorithms, self.algorithm)

    @cached_property
    def algorithms_of_keys(self) -> tuple[str, ...]:
        """The algorithms for a JWK without ``alg``, which is used with the first that fits."""
        return (self.algorithm, *self.decode_algorithms)

    @cached_property
    def is_asymmetric(self) -> bool:
        """Whether JWT_ALGORITHM signs with a private key."""
        return self.algorithm in requires_cryptography

    @property
    def any_secret(self) -> Any:
        """JWT_SECRET_KEY, or Flask's own."""
        return self.secret_key or self.flask_secret_key

    @property
    def secret_option(self) -> str:
        """The name of the option that :attr:`any_secret` comes from."""
        return "JWT_SECRET_KEY" if self.secret_key or not self.flask_secret_key else "SECRET_KEY"

    @property
    def signing_key(self) -> Any:
        """The key material that signs. It must be set."""
        return self._asymmetric("private_key") if self.is_asymmetric else self._secret()

    @property
    def signing_option(self) -> str:
        """The name of the option that :attr:`signing_key` comes from."""
        return "JWT_PRIVATE_KEY" if self.is_asymmetric else self.secret_option

    @property
    def verification_key(self) -> Any:
        """The key material that verifies. It must be set."""
        return self._asymmetric("public_key") if self.is_asymmetric else self._secret()

    @property
    def verification_option(self) -> str:
        """The name of the option that :attr:`verification_key` comes from."""
        return "JWT_PUBLIC_KEY" if self.is_asymmetric else self.secret_option

    def _secret(self) -> Any:
        if not self.any_secret:
            raise ConfigurationError(
                f'JWT_SECRET_KEY or flask SECRET_KEY must be set when using symmetric algorithm "{self.algorithm}"'
            )
        return self.any_secret

    def _asymmetric(self, attribute: str) -> Any:
        key = getattr(self, attribute)
        if not key:
            raise ConfigurationError(
                f'{option_name(attribute)} must be set to use asymmetric cryptography algorithm "{self.algorithm}"'
            )
        return key

    # --- claims ---

    @cached_property
    def claims_needed(self) -> tuple[str, ...]:
        """JWT_REQUIRED_CLAIMS by the names that they have in a token."""
        return tuple(self.identity_claim if name == "sub" else name for name in self.required_claims)

    @cached_property
    def audience(self) -> tuple[str, ...] | None:
        """The audiences, one of which a token with an ``aud`` must name; ``None`` leaves ``aud`` unchecked."""
        if self.decode_audience is not None or not self.verify_aud:
            return self.decode_audience
        return parsers.audience(self.encode_audience or (), "JWT_ENCODE_AUDIENCE")

    @cached_property
    def for_access_tokens(self) -> Settings:
        """The settings that check the claims of this application's own access tokens. With JWT_ACCESS_TOKEN_TYP =
        "at+jwt", they require ``iss`` and ``aud`` in every profile (RFC 9068, section 4).
        """
        if self.access_token_typ != "at+jwt":
            return self
        audience = parsers.audience(self.encode_audience, "JWT_ENCODE_AUDIENCE")
        return replace(
            self,
            decode_issuer=(str(self.encode_issuer),) if self.decode_issuer is None else self.decode_issuer,
            decode_audience=audience if self.decode_audience is None else self.decode_audience,
        )

    @cached_property
    def without_reported(self) -> Settings:
        """These settings without the checks that JWT_REPORT_ONLY names."""
        values = {name.removeprefix("JWT_").lower(): REPORTABLE[name] for name in self.report_only}
        return replace(self, **values, report_only=())

    # --- where tokens are ---

    @cached_property
    def access(self) -> TokenKind:
        """The options for access tokens."""
        return self._kind("access", self.json_key)

    @cached_property
    def refresh(self) -> TokenKind:
        """The options for refresh tokens."""
        return self._kind("refresh", self.refresh_json_key)

    def _kind(self, name: str, json_keys: tuple[str, ...]) -> TokenKind:
        own = {each: getattr(self, f"{name}_{each}") for each in TokenKind._fields[1:-1]}
        return TokenKind(name=name, **own, json_keys=json_keys)

    @cached_property
    def header_environ_name(self) -> str:
        """JWT_HEADER_NAME as a key of the WSGI environment (PEP 3333)."""
        name = self.header_name.upper().replace("-", "_")
        return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"

    @cached_property
    def header_prefix(self) -> str:
        """The text before the token in the header, in lower case: schemes ignore case (RFC 9110, section 11.1)."""
        return f"{self.header_type.lower()} " if self.header_type else ""

    # --- cookies ---

    @property
    def with_csrf_cookie(self) -> bool:
        """Whether the double submit value is sent in a cookie of its own."""
        return self.cookie_csrf_protect and self.csrf_in_cookies

    @cached_property
    def cookie_problems(self) -> tuple[str, ...]:
        """Problems with names and paths of cookies that the strict profile refuses. Others raise in both profiles."""
        cookies = [*self._token_cookies, *(self._csrf_cookies if self.with_csrf_cookie else ())]
        problems = [check(each) for each in cookies for check in (cookie_rules.check_name, cookie_rules.check_path)]
        return (*filter(None, problems), *cookie_rules.check_distinct(cookies))

    @property
    def _token_cookies(self) -> Iterator[CookieName]:
        for kind in (self.access, self.refresh):
            yield CookieName(option_name(f"{kind.name}_cookie_name"), kind.cookie_name, kind.cookie_path)

    @property
    def _csrf_cookies(self) -> Iterator[CookieName]:
        for kind in (self.access, self.refresh):
            name = option_name(f"{kind.name}_csrf_cookie_name")
            yield CookieName(name, kind.csrf_cookie_name, kind.csrf_cookie_path, is_readable=True)

    # --- checks ---

    def check(self) -> None:
        """Refuse options that cannot work together. Copies for one issuer or type of token are not checked again."""
        self._check_report_only()
        self._check_rfc_9068()
        self._check_issuers()
        self._check_identity_claim()
        self._check_positive("session_lifetime", "session_idle_timeout", "cookie_extension_lifetime")
        self._check_cookies()

    def check_at_start(self) -> None:
        """Refuse lifetimes of zero or less under strict. Only for ``init_app``: tests set such lifetimes later.

        Applications of 4.7 may set them before, so in compat only ``flask jwt check`` reports them.
        """
        if self.profile == "strict":
            self._check_positive("access_token_expires", "refresh_token_expires")

    def _check_report_only(self) -> None:
        if unknown := [name for name in self.report_only if name not in REPORTABLE]:
            raise ConfigurationError(
                f"JWT_REPORT_ONLY cannot name {shown(unknown[0])}; it can name {', '.join(REPORTABLE)}"
            )

    def _check_rfc_9068(self) -> None:
        missing = [each for each in ("encode_issuer", "encode_audience") if not getattr(self, each)]
        if self.access_token_typ == "at+jwt" and missing:
            raise ConfigurationError(
                f'JWT_ACCESS_TOKEN_TYP = "at+jwt" needs {option_name(missing[0])} (RFC 9068, section 2.2)'
            )

    def _check_issuers(self) -> None:
        if self.encode_issuer in self.trusted_issuers:
            raise ConfigurationError(
                "JWT_TRUSTED_ISSUERS must not name JWT_ENCODE_ISSUER: the keys of another issuer would verify tokens "
                "of this application"
            )

    def _check_identity_claim(self) -> None:
        if self.identity_claim in _NO_IDENTITY:
            raise ConfigurationError(
                f"JWT_IDENTITY_CLAIM cannot be {self.identity_claim!r}: that claim has another meaning in every token"
            )
        if self.trusted_issuers and self.identity_claim in RESERVED:
            raise ConfigurationError(
                f"JWT_IDENTITY_CLAIM cannot be {self.identity_claim!r} together with JWT_TRUSTED_ISSUERS: the identity "
                "would overwrite that claim of their tokens. Use 'sub', or a name that has no other meaning"
            )

    def _check_positive(self, *attributes: str) -> None:
        for each in attributes:
            if not parsers.is_positive(getattr(self, each)):
                raise ConfigurationError(f"{option_name(each)} must be longer than zero: use a timedelta or seconds")

    def _check_cookies(self) -> None:
        for is_set, setting in (
            (self.cookie_samesite == "None", 'JWT_COOKIE_SAMESITE = "None"'),
            (self.cookie_partitioned, "JWT_COOKIE_PARTITIONED = True"),
        ):
            if is_set and not self.cookie_secure:
                raise ConfigurationError(
                    f"{setting} needs JWT_COOKIE_SECURE = True: browsers drop such cookies otherwise"
                )
        for cookie in (*self._token_cookies, *self._csrf_cookies):
            cookie_rules.check_prefix(cookie, secure=self.cookie_secure, domain=self.cookie_domain)
        problems = self.cookie_problems  # refuses cookies that cannot work, in both profiles
        if problems and self.profile == "strict":
            raise ConfigurationError(problems[0])


def resolve(config: Mapping[str, Any]) -> Settings:
    """Parse and validate the ``JWT_*`` options of a configuration. Missing options take their defaults."""
    values = {**defaults(config), **config}
    # A default may be the value of another option. That one is parsed first, so that an error names the one you set.
    by_origin = sorted(OPTIONS, key=lambda each: callable(each.strict))
    parsed = {each.attribute: each.parse(values[each.name], each.name) for each in by_origin}
    settings = Settings(**parsed, flask_secret_key=config.get("SECRET_KEY"))
    settings.check()
    return settings
