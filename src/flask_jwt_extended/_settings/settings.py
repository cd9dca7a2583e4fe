"""Every ``JWT_*`` option, declared once, and the frozen :class:`Settings` they resolve to.

One statement declares an option: its name is the attribute's in capitals behind ``JWT_``, its type the annotation, and
:func:`option` takes its default, its paragraph of documentation and its parser. The reference page, the validation in
``init_app`` and 4.7's ``config`` object read these declarations; nothing repeats them.

This module knows no Flask: :func:`resolve` takes any mapping.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from dataclasses import Field, dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from operator import is_, itemgetter
from typing import Any, NamedTuple

from jwt.algorithms import requires_cryptography

from .. import _removed as removed
from ..exceptions import ConfigurationError
from . import cookie_rules, parsers
from .cookie_rules import CookieName
from .issuers import RESERVED, TrustedIssuer, trusted_issuers
from .parsers import Parser
from .redaction import shown

#: Bytes of the longest token, unless JWT_MAX_TOKEN_BYTES says otherwise.
MAX_TOKEN_BYTES = 16384
#: Seconds that a cookie lives when JWT_SESSION_COOKIE is off: one year, as in 4.7.
COOKIE_YEAR = 31_540_000
#: What :func:`option` takes for a default that the profile does not change.
UNSET: Any = object()

_PREFIX = "JWT_"
#: Claims that cannot hold an identity: they are a time, a kind or a secret.
_TAKEN_CLAIMS = frozenset(("exp", "nbf", "iat", "type", "fresh", "csrf", "sid", "single_use"))
#: What JWT_REPORT_ONLY may name, and the value under which nothing is refused for it: that of the compat profile.
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


# --- the declarations ---------------------------------------------------------------------------------------------


def option(default: Any, parse: Parser, doc: str, *, strict: Any = UNSET, secret: bool = False) -> Any:
    """Declare an option.

    :param strict: the default under JWT_PROFILE = "strict", or a function that tells it from the configuration
    :param secret: never show the value in a ``repr``
    """
    metadata = {"default": default, "parse": parse, "doc": doc, "strict": strict, "secret": secret}
    return field(metadata=metadata, repr=not secret)


def _prefixed(name: str, path_option: str) -> Callable[[Mapping[str, Any]], str]:
    """Name a cookie so that browsers hold it to what its name promises (RFC 6265bis, section 4.1.3)."""

    def default(config: Mapping[str, Any]) -> str:
        if not config.get("JWT_COOKIE_SECURE", True):
            return name
        bound_to_host = config.get(path_option, "/") == "/" and not config.get("JWT_COOKIE_DOMAIN")
        return f"__Host-{name}" if bound_to_host else f"__Secure-{name}"

    return default


def _as_encoded(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Require of a token what this application writes into its own."""
    return lambda config: config.get(name) or None


class TokenKind(NamedTuple):
    """What differs between access and refresh tokens on their way through a request."""

    name: str
    token_expires: Any
    cookie_name: str
    cookie_path: str
    csrf_cookie_name: str
    csrf_cookie_path: str
    csrf_header_name: str
    csrf_field_name: str
    json_keys: tuple[str, ...]


@dataclass(frozen=True, init=False, eq=False)
class Settings:
    """The options of one application, parsed and validated. Made by :func:`resolve`; never changes."""

    profile: str = option(
        "compat",
        parsers.choice("compat", "strict"),
        "A preset for the defaults of other options: ``compat`` keeps those of 4.7, ``strict`` is what a new "
        "application should start with. An option that is set explicitly always wins.",
    )
    token_location: tuple[str, ...] = option(
        ("headers",),
        parsers.locations,
        "Where to look for a token: ``headers``, ``cookies``, ``query_string``, ``json``, one of them or several. "
        "The order is the precedence; a set is searched in the order just given. A view can choose its own with "
        "the ``locations`` argument of :func:`jwt_required`.",
    )
    access_token_expires: Any = option(
        timedelta(minutes=15),
        parsers.lifetime,
        "How long an access token lives: a ``timedelta``, a ``dateutil`` ``relativedelta`` or seconds. ``False`` "
        "makes tokens that never expire, which is rarely wise. ``expires_delta`` of :func:`create_access_token` "
        "overrides it for one token.",
    )
    refresh_token_expires: Any = option(
        timedelta(days=30),
        parsers.lifetime,
        "How long a refresh token lives, given as for JWT_ACCESS_TOKEN_EXPIRES. ``expires_delta`` of "
        ":func:`create_refresh_token` overrides it for one token.",
    )
    algorithm: str = option(
        "HS256",
        parsers.algorithm,
        "The algorithm that signs tokens, by its JWS name: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, "
        "PS512, ES256, ES384, ES512, ES256K or EdDSA. All but the first three need the ``crypto`` extra.",
    )
    decode_algorithms: tuple[str, ...] = option(
        None,
        parsers.algorithms,
        "The algorithms a token may be signed with to be accepted. JWT_ALGORITHM is always one of them; by default "
        "it is the only one. An algorithm that does not fit the key is refused. A JWK without ``alg`` serves one "
        "algorithm: JWT_ALGORITHM if that fits, or else the first of these that does.",
    )
    secret_key: Any = option(
        None,
        parsers.anything,
        "The secret that signs and verifies tokens with a symmetric algorithm (HS256, HS384, HS512). Make it long "
        "and random, ``secrets.token_bytes(32)`` say, and keep it out of the repository. Flask's SECRET_KEY is used "
        "if this is not set.",
        secret=True,
    )
    private_key: Any = option(
        None,
        parsers.anything,
        "The private key that signs tokens with an asymmetric algorithm: PEM text or bytes, a JWK as a mapping, or "
        "a key object of ``cryptography``.",
        secret=True,
    )
    public_key: Any = option(
        None,
        parsers.anything,
        "The public key that verifies tokens signed with an asymmetric algorithm, in any form that JWT_PRIVATE_KEY "
        "takes.",
        secret=True,
    )
    secret_key_fallbacks: tuple[Any, ...] = option(
        (),
        parsers.secrets,
        "Secrets that signed tokens before JWT_SECRET_KEY did: they verify, and sign nothing. Take one away when the "
        "last of its tokens has expired.",
        secret=True,
    )
    keys: Any = option(
        None,
        parsers.key_set,
        "A set of keys that are rotated while the application runs: a JWK Set as a mapping, or the path of a JWK Set "
        "file. Its first active key signs, all verify; each token names its key by ``kid``. See ``flask jwt keys``. "
        "Each key has one algorithm: its ``alg``, or else JWT_ALGORITHM if that fits, or else the usual one of its "
        "kind. An empty value is refused, so that a missing environment variable does not let JWT_SECRET_KEY sign.",
        secret=True,
    )
    jwks_path: str | None = option(
        None,
        parsers.optional_path,
        "The path that serves the public keys of JWT_KEYS as a JWK Set: ``/.well-known/jwks.json``, say.",
    )
    trusted_issuers: Mapping[str, TrustedIssuer] = option(
        {},
        trusted_issuers,
        "Other people's issuers whose tokens are accepted beside our own: a mapping from ``iss`` to the terms: "
        "``audience``, ``audience_claim``, ``jwks_uri`` or ``discovery`` or ``keys``, ``algorithms``, "
        "``identity_claim``, ``type``, ``typ``, ``required_claims``, ``scopes``, ``roles``, ``acr``. Keys are fetched "
        "with the extra ``issuers``. See docs/issuers.md.",
    )
    verify_cache_size: int = option(
        0,
        parsers.count,
        "How many tokens whose signature was good are remembered, so that it is not computed again; ``0``: none. "
        "Times, revocation and everything else are checked at every use.",
    )
    decode_audience: tuple[str, ...] | None = option(
        None,
        parsers.audience,
        "The audience, or audiences, one of which a token's ``aud`` must name. ``None`` leaves ``aud`` unchecked. "
        "Under ``strict`` it is JWT_ENCODE_AUDIENCE unless it is set.",
        strict=_as_encoded("JWT_ENCODE_AUDIENCE"),
    )
    encode_audience: str | list[str] | None = option(
        None, parsers.encode_audience, "The audience, or audiences, written into the ``aud`` of new tokens."
    )
    decode_issuer: Container[str] | None = option(
        None,
        parsers.issuer,
        "The issuer, or issuers, one of which a token's ``iss`` must be, compared whole. ``None`` leaves it unchecked. "
        "Under ``strict`` it is JWT_ENCODE_ISSUER unless it is set.",
        strict=_as_encoded("JWT_ENCODE_ISSUER"),
    )
    encode_issuer: str | None = option(
        None, parsers.optional_text, "The issuer written into the ``iss`` of new tokens."
    )
    encode_nbf: bool = option(
        True,
        parsers.flag,
        "Whether new tokens carry ``nbf``, the time before which they are not accepted: the moment they are made.",
    )
    decode_leeway: float = option(
        0,
        parsers.seconds,
        "Seconds (or a ``timedelta``) by which the clocks of the machines that issue and verify may differ: a token "
        "is accepted this much before its ``nbf`` and ``iat`` and after its ``exp``.",
    )
    identity_claim: str = option("sub", parsers.word, "The claim that holds the identity.")
    verify_sub: bool = option(
        True,
        parsers.flag,
        "Whether ``sub`` must be a string, as RFC 7519 says. Turn it off for identities that are numbers or objects.",
    )
    error_message_key: str = option(
        "msg", parsers.word, "The key of the message in the JSON body of the default errors."
    )
    verify_aud: bool = option(
        False,
        parsers.flag,
        "Whether a token with an ``aud`` must name an audience of ours even if JWT_DECODE_AUDIENCE is not set: one of "
        "JWT_ENCODE_AUDIENCE, or none at all.",
        strict=True,
    )
    required_claims: tuple[str, ...] = option(
        (),
        parsers.words_or_none,
        "The claims without which a token is refused. ``sub`` stands for JWT_IDENTITY_CLAIM.",
        strict=("exp", "iat", "jti", "type", "sub"),
    )
    max_token_bytes: int = option(
        MAX_TOKEN_BYTES,
        parsers.size,
        "Bytes above which a token is refused before anything else is done with it.",
        strict=8192,
    )
    key_strength: str = option(
        "warn",
        parsers.choice("warn", "refuse"),
        "What to do with a key that can be guessed or is too short for its algorithm: ``warn`` at its first use, or "
        "``refuse`` to use it.",
        strict="refuse",
    )
    bound_tokens: str = option(
        "warn",
        parsers.choice("warn", "refuse"),
        "What to do with a token that is bound to a key (the claim ``cnf`` of RFC 7800: DPoP, mutual TLS). Proof of "
        "possession of the key cannot be checked yet. ``refuse`` refuses the token; ``warn`` accepts it, logs a "
        "warning once per issuer and sends the signal ``bound_token_accepted``.",
        strict="refuse",
    )
    single_token: bool = option(
        False,
        parsers.flag,
        "Whether a request that carries more than one token, in several locations or twice in one, is refused "
        "(RFC 6750, section 2). If not, the order of the locations decides.",
        strict=True,
    )
    error_style: str = option(
        "compat",
        parsers.choice("compat", "rfc6750"),
        "How the default errors answer: ``compat`` as in 4.7, ``rfc6750`` with the statuses and the challenge of that "
        "RFC, an ``error`` code beside the message, and nothing that helps an attacker.",
        strict="rfc6750",
    )
    protect_options_method: bool = option(
        False,
        parsers.flag,
        "Whether an OPTIONS request to a view that handles OPTIONS itself needs a token like any other request. CORS "
        "preflights (``Origin`` with ``Access-Control-Request-Method``) never need one. If off, every OPTIONS request "
        "is anonymous, whatever the view requires, as in 4.7.",
        strict=True,
    )

    header_name: str = option("Authorization", parsers.word, "The header that carries the token.")
    header_type: str = option(
        "Bearer",
        parsers.scheme,
        "The scheme in front of the token in the header, in any case of letters. Empty: the header is the bare token.",
    )

    cookie_secure: bool = option(
        False, parsers.flag, "Whether cookies are sent over HTTPS only. Turn it on in production.", strict=True
    )
    cookie_domain: str | None = option(
        None,
        parsers.cookie_domain,
        "The domain that cookies are sent to, with all its subdomains: ``example.com``. URLs, ports, IP addresses, "
        "wildcards and public suffixes (``co.uk``, ``github.io``; the common ones are known) are refused, because "
        "browsers drop such cookies. ``None``: only the host that set them.",
    )
    cookie_samesite: str | None = option(
        None,
        parsers.same_site,
        "Whether cookies go along with requests that other sites start: ``Strict``, ``Lax``, or ``None`` as a string, "
        "which browsers take only together with JWT_COOKIE_SECURE. ``None`` leaves the choice to the browser.",
        strict="Lax",
    )
    cookie_partitioned: bool = option(
        False,
        parsers.flag,
        "Whether cookies are kept apart for each site that embeds this one (CHIPS). Browsers take it only together "
        "with JWT_COOKIE_SECURE.",
    )
    session_cookie: bool = option(
        True,
        parsers.flag,
        "Whether cookies end with the browser session. If not, they are kept for a year; the token in them expires "
        "when it says all the same.",
    )
    cookie_outlives_token: bool = option(
        True,
        parsers.flag,
        "Whether a cookie may be kept for longer than the token in it is valid. If not, it is kept for what is left of "
        "the token's life at most. A cookie that ends with the browser session stays one.",
        strict=False,
    )
    access_cookie_name: str = option(
        "access_token_cookie",
        parsers.word,
        "The cookie that carries the access token.",
        strict=_prefixed("access_token_cookie", "JWT_ACCESS_COOKIE_PATH"),
    )
    refresh_cookie_name: str = option(
        "refresh_token_cookie",
        parsers.word,
        "The cookie that carries the refresh token.",
        strict=_prefixed("refresh_token_cookie", "JWT_REFRESH_COOKIE_PATH"),
    )
    access_cookie_path: str = option("/", parsers.text, "The path below which the access cookie is sent.")
    refresh_cookie_path: str = option("/", parsers.text, "The path below which the refresh cookie is sent.")

    cookie_csrf_protect: bool = option(
        True,
        parsers.flag,
        "Whether a token that came in a cookie must be accompanied by its CSRF double submit value on the methods in "
        "JWT_CSRF_METHODS. New tokens carry that value in their ``csrf`` claim.",
    )
    csrf_methods: frozenset[str] | None = option(
        ["POST", "PUT", "PATCH", "DELETE"],
        parsers.methods,
        "The HTTP methods on which the double submit value is asked for. ``None``: every method but GET, HEAD, OPTIONS "
        "and TRACE.",
        strict=None,
    )
    csrf_origin_check: bool = option(
        False,
        parsers.flag,
        "Whether a request with a token in a cookie must also come from this site, on the methods in JWT_CSRF_METHODS: "
        "judged by ``Sec-Fetch-Site``, else ``Origin``, else ``Referer``. A client that sends none of them is no "
        "browser, and passes.",
        strict=True,
    )
    trusted_origins: frozenset[str] = option(
        (),
        parsers.origins,
        "Other origins whose pages may send requests with cookies past JWT_CSRF_ORIGIN_CHECK, such as "
        "``https://app.example.com``.",
    )
    csrf_in_cookies: bool = option(
        True,
        parsers.flag,
        "Whether the double submit value is also set as a cookie that scripts can read. If not, hand it to the client "
        "yourself with :func:`get_csrf_token`.",
    )
    csrf_check_form: bool = option(
        False, parsers.flag, "Whether the double submit value is looked for in form data where the header has none."
    )
    access_csrf_header_name: str = option(
        "X-CSRF-TOKEN", parsers.word, "The header for the double submit value of an access token."
    )
    refresh_csrf_header_name: str = option(
        "X-CSRF-TOKEN", parsers.word, "The header for the double submit value of a refresh token."
    )
    access_csrf_cookie_name: str = option(
        "csrf_access_token",
        parsers.word,
        "The cookie that hands scripts the double submit value of the access token.",
        strict=_prefixed("csrf_access_token", "JWT_ACCESS_CSRF_COOKIE_PATH"),
    )
    refresh_csrf_cookie_name: str = option(
        "csrf_refresh_token",
        parsers.word,
        "The cookie that hands scripts the double submit value of the refresh token.",
        strict=_prefixed("csrf_refresh_token", "JWT_REFRESH_CSRF_COOKIE_PATH"),
    )
    access_csrf_cookie_path: str = option("/", parsers.text, "The path of the access token's CSRF cookie.")
    refresh_csrf_cookie_path: str = option("/", parsers.text, "The path of the refresh token's CSRF cookie.")
    access_csrf_field_name: str = option(
        "csrf_token", parsers.word, "The form field for the double submit value of an access token."
    )
    refresh_csrf_field_name: str = option(
        "csrf_token", parsers.word, "The form field for the double submit value of a refresh token."
    )

    query_string_name: str = option("jwt", parsers.word, "The query parameter that carries the token.")
    query_string_value_prefix: str = option(
        "", parsers.text_or_empty, "What stands in front of the token in the query parameter, ``Bearer `` say."
    )
    json_key: tuple[str, ...] = option(
        "access_token",
        parsers.words,
        "The key, or keys tried in order, that holds an access token in a JSON body.",
    )
    refresh_json_key: tuple[str, ...] = option(
        ("refresh_token", "access_token"),
        parsers.words,
        "The key, or keys tried in order, that holds a refresh token in a JSON body.",
    )

    store_uri: Any = option(
        None,
        parsers.store,
        "Where sessions and revoked tokens are kept: ``sqlite:///jwt.db``, ``postgresql+psycopg://...`` or any URL of "
        "SQLAlchemy (extra ``sql``), ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://`` or "
        "``redis+cluster://`` (extra ``redis``), ``memory://`` for tests in one process, or an object: a store over "
        "your own engine or client, or one of your own. ``None``: nowhere, tokens are good until they expire.",
        secret=True,
    )
    store_timeout: float = option(
        1.0,
        parsers.seconds_positive,
        "Seconds within which the store must have answered, retries and new connections included. After them it "
        "counts as unavailable.",
    )
    store_outage: str = option(
        "refuse",
        parsers.choice("refuse", "allow"),
        "What happens to access tokens while the store is unavailable: ``refuse`` answers 503 with ``Retry-After``, "
        "``allow`` lets pass what may have been revoked. Refreshing is refused either way.",
    )
    refresh_grace: float = option(
        10,
        parsers.seconds_not_negative,
        "Seconds after the first use of a refresh token during which using it again is answered with the same "
        "successor: two tabs, or an answer that got lost. After them it is taken for stolen, and its session ended. "
        "``0``: no grace.",
    )
    session_lifetime: Any = option(
        timedelta(days=90),
        parsers.lifetime_or_none,
        "How long a session lives, however often it is refreshed: a ``timedelta`` or seconds. ``None``: for ever.",
    )
    session_idle_timeout: Any = option(
        None,
        parsers.lifetime_or_none,
        "How long a session lives without being refreshed: a ``timedelta`` or seconds, more than an access token "
        "lives. ``None``: as long as its refresh token.",
    )

    cookie_extension_lifetime: Any = option(
        timedelta(hours=12),
        parsers.lifetime_or_none,
        "How long after a login, or an exchange of its refresh token, :func:`refresh_expiring_cookies` extends the "
        "access cookie of a session: a ``timedelta`` or seconds. A stolen access cookie is extended as well, and "
        "nothing detects that, so this bounds its use; so does an exchange, because a cookie from before it is not "
        "extended. ``None``: as long as the session.",
    )

    access_token_typ: str = option(
        "JWT",
        parsers.choice("JWT", "at+jwt"),
        "The ``typ`` of new access tokens. ``at+jwt`` makes them access tokens of OAuth 2.0 (RFC 9068): "
        "JWT_ENCODE_ISSUER, JWT_ENCODE_AUDIENCE and JWT_CLIENT_ID must be set then. Access tokens of this application "
        "without that ``typ``, with another ``iss`` or for another ``aud`` are refused, and so are tokens of another "
        "kind with it. Access tokens from before the change are refused too: clients get new ones with their refresh "
        "tokens.",
    )
    client_id: str | None = option(
        None,
        parsers.optional_text,
        "The ``client_id`` of new access tokens whose JWT_ACCESS_TOKEN_TYP is ``at+jwt``: who asked for them. "
        "Additional claims win over it.",
    )
    report_only: tuple[str, ...] = option(
        (),
        parsers.words_or_none,
        "Options whose checks are made and told of, by the signal ``would_refuse``, but refuse nothing yet, on the "
        "way to the strict profile: JWT_REQUIRED_CLAIMS, JWT_VERIFY_AUD, JWT_DECODE_AUDIENCE, JWT_DECODE_ISSUER, "
        "JWT_SINGLE_TOKEN, JWT_CSRF_ORIGIN_CHECK, JWT_CSRF_METHODS, JWT_BOUND_TOKENS.",
    )
    legacy_sub_until: float | None = option(
        None,
        parsers.moment,
        "Until when tokens pass whose ``sub`` is no string, as those of 4.6 may be: a date, or one in ISO 8601. Each "
        "is told of by the signal ``legacy_subject``. ``None``: they are refused, unless JWT_VERIFY_SUB is off.",
    )

    #: Flask's own SECRET_KEY: not an option of this extension, but the fallback of one.
    flask_secret_key: Any = field(default=None, repr=False)

    def __init__(self, **values: Any) -> None:
        # By hand: to generate one with as many parameters as there are options would be a tenth of all imports.
        self.__dict__.update(values)

    def check(self) -> None:
        """Refuse options that contradict each other. Copies that are made for one issuer or one kind of token do not
        need it.

        :raises ConfigurationError: if two options cannot work together
        """
        for wish, name in (
            (self.cookie_samesite == "None", 'JWT_COOKIE_SAMESITE = "None"'),
            (self.cookie_partitioned, "JWT_COOKIE_PARTITIONED = True"),
        ):
            if wish and not self.cookie_secure:
                raise ConfigurationError(f"{name} needs JWT_COOKIE_SECURE = True: browsers drop such cookies otherwise")
        for name in self.report_only:
            if name not in REPORTABLE:
                raise ConfigurationError(
                    f"JWT_REPORT_ONLY cannot name {shown(name)}; it can name {', '.join(REPORTABLE)}"
                )
        if self.access_token_typ == "at+jwt":
            for value, name in (
                (self.encode_issuer, "JWT_ENCODE_ISSUER"),
                (self.encode_audience, "JWT_ENCODE_AUDIENCE"),
                (self.client_id, "JWT_CLIENT_ID"),
            ):
                if not value:
                    raise ConfigurationError(f'JWT_ACCESS_TOKEN_TYP = "at+jwt" needs {name} (RFC 9068, section 2.2)')
        if self.identity_claim in _TAKEN_CLAIMS:
            raise ConfigurationError(
                f"JWT_IDENTITY_CLAIM cannot be {self.identity_claim!r}: that claim has another meaning in every token"
            )
        self._check_positive("session_lifetime", "session_idle_timeout", "cookie_extension_lifetime")
        if self.encode_issuer in self.trusted_issuers:
            raise ConfigurationError(
                "JWT_TRUSTED_ISSUERS must not name JWT_ENCODE_ISSUER: the keys of another would verify our tokens"
            )
        self._check_cookies()
        if self.trusted_issuers and self.identity_claim in RESERVED:
            raise ConfigurationError(
                f"JWT_IDENTITY_CLAIM cannot be {self.identity_claim!r} together with JWT_TRUSTED_ISSUERS: the identity "
                "would overwrite that claim of their tokens. Use 'sub', or a name that has no other meaning"
            )

    def _check_cookies(self) -> None:
        for cookie in (*self._token_cookies, *self._csrf_cookies):
            cookie_rules.check_prefix(cookie, secure=self.cookie_secure, domain=self.cookie_domain)
        for doubt in self.cookie_doubts:
            if self.profile == "strict":
                raise ConfigurationError(doubt)

    @property
    def _token_cookies(self) -> Iterator[CookieName]:
        for kind in (self.access, self.refresh):
            yield CookieName(f"JWT_{kind.name.upper()}_COOKIE_NAME", kind.cookie_name, kind.cookie_path)

    @property
    def _csrf_cookies(self) -> Iterator[CookieName]:
        for kind in (self.access, self.refresh):
            option = f"JWT_{kind.name.upper()}_CSRF_COOKIE_NAME"
            yield CookieName(option, kind.csrf_cookie_name, kind.csrf_cookie_path, is_readable=True)

    @property
    def with_csrf_cookie(self) -> bool:
        """Whether the double submit value is sent in a cookie of its own."""
        return self.cookie_csrf_protect and self.csrf_in_cookies

    @cached_property
    def cookie_doubts(self) -> tuple[str, ...]:
        """What is doubtful about names and paths of cookies. The strict profile refuses it.

        :raises ConfigurationError: if a cookie cannot work
        """
        cookies = (*self._token_cookies, *(self._csrf_cookies if self.with_csrf_cookie else ()))
        doubts = (
            doubt for cookie in cookies for doubt in (cookie_rules.check_name(cookie), cookie_rules.check_path(cookie))
        )
        return (*filter(None, doubts), *cookie_rules.check_distinct(cookies))

    def check_at_start(self) -> None:
        """Refuse what makes no sense when an application starts. Tests set such values later, to make expired tokens;
        those of 4.7 applications before, so in compat ``flask jwt check`` reports them.

        :raises ConfigurationError: if tokens are expired when they are made, under strict
        """
        if self.profile == "strict":
            self._check_positive("access_token_expires", "refresh_token_expires")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if not parsers.is_positive(getattr(self, name)):
                raise ConfigurationError(f"{option_name(name)} must be longer than zero: use a timedelta or seconds")

    @cached_property
    def lenient(self) -> Settings:
        """These settings without what JWT_REPORT_ONLY names."""
        names = {name.removeprefix(_PREFIX).lower(): REPORTABLE[name] for name in self.report_only}
        return replace(self, **names, report_only=())

    @cached_property
    def accepted_algorithms(self) -> tuple[str, ...]:
        """JWT_DECODE_ALGORITHMS with JWT_ALGORITHM among them."""
        if self.algorithm in self.decode_algorithms:
            return self.decode_algorithms
        return (*self.decode_algorithms, self.algorithm)

    @cached_property
    def algorithms_of_keys(self) -> tuple[str, ...]:
        """The algorithms that a JWK without ``alg`` may be bound to; the first that fits is taken."""
        return (self.algorithm, *self.decode_algorithms)

    @cached_property
    def is_asymmetric(self) -> bool:
        """Whether JWT_ALGORITHM signs with a private key."""
        return self.algorithm in requires_cryptography

    @property
    def signing_key(self) -> Any:
        """The key material that signs.

        :raises ConfigurationError: if it is not set
        """
        return self._asymmetric("private_key") if self.is_asymmetric else self._secret()

    @property
    def verification_key(self) -> Any:
        """The key material that verifies.

        :raises ConfigurationError: if it is not set
        """
        return self._asymmetric("public_key") if self.is_asymmetric else self._secret()

    @property
    def any_secret(self) -> Any:
        """JWT_SECRET_KEY, or Flask's own."""
        return self.secret_key or self.flask_secret_key

    @property
    def secret_option(self) -> str:
        """The option that :attr:`any_secret` comes from."""
        return "JWT_SECRET_KEY" if self.secret_key or not self.flask_secret_key else "SECRET_KEY"

    @property
    def signing_option(self) -> str:
        """The option that :attr:`signing_key` comes from."""
        return "JWT_PRIVATE_KEY" if self.is_asymmetric else self.secret_option

    @property
    def verification_option(self) -> str:
        """The option that :attr:`verification_key` comes from."""
        return "JWT_PUBLIC_KEY" if self.is_asymmetric else self.secret_option

    def _secret(self) -> Any:
        key = self.any_secret
        if not key:
            raise ConfigurationError(
                f'JWT_SECRET_KEY or flask SECRET_KEY must be set when using symmetric algorithm "{self.algorithm}"'
            )
        return key

    def _asymmetric(self, attribute: str) -> Any:
        key = getattr(self, attribute)
        if not key:
            raise ConfigurationError(
                f'{option_name(attribute)} must be set to use asymmetric cryptography algorithm "{self.algorithm}"'
            )
        return key

    @cached_property
    def audience(self) -> tuple[str, ...] | None:
        """The audiences one of which a token with an ``aud`` must name; ``None`` if ``aud`` is not looked at."""
        if self.decode_audience is not None or not self.verify_aud:
            return self.decode_audience
        return parsers.audience(self.encode_audience or (), "JWT_ENCODE_AUDIENCE")

    @cached_property
    def for_access_tokens(self) -> Settings:
        """How the claims of our own access tokens are checked: with JWT_ACCESS_TOKEN_TYP = "at+jwt", ``iss`` and
        ``aud`` are required in every profile (RFC 9068, section 4).
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
    def claims_needed(self) -> tuple[str, ...]:
        """JWT_REQUIRED_CLAIMS by the names they have in a token."""
        return tuple(self.identity_claim if name == "sub" else name for name in self.required_claims)

    @cached_property
    def header_environ_name(self) -> str:
        """JWT_HEADER_NAME as WSGI spells it (PEP 3333)."""
        name = self.header_name.upper().replace("-", "_")
        return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"

    @cached_property
    def header_prefix(self) -> str:
        """What stands in front of the token, in lower case: schemes compare in any case of letters (RFC 9110, 11.1)."""
        return f"{self.header_type.lower()} " if self.header_type else ""

    @cached_property
    def access(self) -> TokenKind:
        """How access tokens travel."""
        return self._kind("access", self.json_key)

    @cached_property
    def refresh(self) -> TokenKind:
        """How refresh tokens travel."""
        return self._kind("refresh", self.refresh_json_key)

    def _kind(self, name: str, json_keys: tuple[str, ...]) -> TokenKind:
        own = [each for each in TokenKind._fields if each not in ("name", "json_keys")]
        return TokenKind(name=name, json_keys=json_keys, **{each: getattr(self, f"{name}_{each}") for each in own})


# --- from a mapping to Settings -------------------------------------------------------------------------------------


def option_name(attribute: str) -> str:
    """The name that applications write for an attribute of :class:`Settings`."""
    return _PREFIX + attribute.upper()


class Option(NamedTuple):
    """One declared option, for whoever lists them."""

    attribute: str
    name: str
    type: str
    default: Any
    strict: Any
    doc: str
    secret: bool
    parse: Parser

    @classmethod
    def of(cls, declared: Field[Any]) -> Option:
        """Read a declaration."""
        return cls(declared.name, option_name(declared.name), str(declared.type), **declared.metadata)

    def default_for(self, config: Mapping[str, Any]) -> Any:
        """The default in a configuration, under its profile."""
        if self.strict is UNSET or config.get("JWT_PROFILE") != "strict":
            return self.default
        return self.strict(config) if callable(self.strict) else self.strict


OPTIONS = tuple(Option.of(declared) for declared in fields(Settings) if declared.metadata)
NAMES = tuple(each.name for each in OPTIONS)


def defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """The default of every option in a configuration, each a value of its own."""
    return {each.name: copy.copy(each.default_for(config)) for each in OPTIONS}


#: Options that an earlier version of 5.0 had, and what to do instead. Without effect, they would be misleading.
_REMOVED = {
    "JWT_KEYS_PASSPHRASE": "was for a folder of PEM files, which JWT_KEYS no longer takes: add each file to a JWK Set "
    "with flask jwt keys import FILE, which asks for the passphrase, and remove the option",
}

#: Reads every raw value that Settings come from, at C speed. Raises KeyError if one is missing.
read_raw: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*NAMES, "SECRET_KEY")


class _Exactly:
    """Equals what is equal to a value and of its type. For Python, ``False`` and ``0`` are the same; here one means
    for ever and the other at once.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # it is for comparing alone

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self._value) and other == self._value


class _Same:
    """Equals one object and no other, whatever the object itself would say."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # it is for comparing alone

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return other is self._value


class _Contents:
    """Equals a container of one type with the same contents, in the same order where it has one."""

    __slots__ = ("_contents", "_read", "_type")
    __hash__ = None  # type: ignore[assignment]  # it is for comparing alone

    def __init__(self, value: Any, read: Callable[[Any], Any], contents: Any) -> None:
        self._type = type(value)
        self._read = read
        self._contents = contents

    def __eq__(self, other: object) -> bool:
        return type(other) is self._type and bool(self._contents == self._read(other))


#: Types of values that never change and compare by what they are.
_IMMUTABLE = frozenset({type(None), bool, int, float, str, bytes, timedelta, date, datetime})
#: Containers in containers that are looked into.
_MAX_DEPTH = 32


def snapshot(raw: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what to compare later raw values with, as ``snapshot(raw) == later``: containers are copied with all that
    is in them, so that a change in place is noticed.
    """
    return tuple(map(_frozen, (*NAMES, "SECRET_KEY"), raw))


def _frozen(name: str, value: Any) -> Any:
    if name.endswith(("_EXPIRES", "_LIFETIME", "_IDLE_TIMEOUT")) and isinstance(value, (int, float)):
        return _Exactly(value)
    if name == "JWT_STORE_URI" and value is not None and not isinstance(value, str):
        return _Same(value)  # a store may look like a container
    return _copied(value)


def _copied(value: Any, *outer: int) -> Any:
    """Copy a value for comparison, on the left-hand side, with what becomes of it.

    :param outer: the identities of the containers that it is in
    """
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if id(value) in outer or len(outer) > _MAX_DEPTH:
        return _Same(value)
    inner = (*outer, id(value))
    if kind is dict:
        return {key: _copied(each, *inner) for key, each in value.items()}
    if kind is list or kind is tuple:
        copied = kind(_copied(each, *inner) for each in value)
        return value if kind is tuple and all(map(is_, copied, value)) else copied
    for abstract, read in _CONTAINERS:
        if isinstance(value, abstract) and not isinstance(value, (str, bytes)):
            contents = read(value)
            return _Contents(value, read, contents if abstract in (Set, bytearray) else _copied(contents, *inner))
    return _Same(value)


def _items_of(value: Any) -> list[tuple[Any, Any]]:
    return list(value.items())


#: Containers of other types than the plain ones, and what reads their contents.
_CONTAINERS: tuple[tuple[type[Any], Callable[[Any], Any]], ...] = (
    (Mapping, _items_of),
    (Set, frozenset),
    (bytearray, bytes),
    (Sequence, list),
)


def resolve(config: Mapping[str, Any]) -> Settings:
    """Parse and validate the ``JWT_*`` options of a configuration. What it lacks takes its default.

    :raises ConfigurationError: if an option has a value that cannot work
    """
    values = {**defaults(config), **config}
    for name, fix in _REMOVED.items():
        if config.get(name) is not None:
            raise ConfigurationError(f"{name} {fix}")
    # A default may be the value of another option: that one is parsed before, so that an error names what was set.
    by_origin = sorted(OPTIONS, key=lambda each: callable(each.strict))
    parsed = {each.attribute: each.parse(values[each.name], each.name) for each in by_origin}
    settings = Settings(**parsed, flask_secret_key=config.get("SECRET_KEY"))
    settings.check()
    return settings


#: How similar a name is to an option that it is taken for a misspelling of (``difflib``). What this shall catch and
#: ignore is a table in tests/_settings/test_unknown_options.py.
_CLOSE = 0.885
#: Names that are not that similar, but are often written instead.
_CONFUSED = {
    "JWT_SECRET": "JWT_SECRET_KEY",
    "JWT_CSRF_PROTECT": "JWT_COOKIE_CSRF_PROTECT",
    "JWT_ACCESS_EXPIRES": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_REFRESH_EXPIRES": "JWT_REFRESH_TOKEN_EXPIRES",
}


def unknown_options(config: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Return the ``JWT_*`` names of a configuration that are not options, each with what to do about it.

    ``None``: it is like no option, so it is most likely the application's own.
    """
    for name in config:
        if name.startswith(_PREFIX) and name not in NAMES and name not in _REMOVED:
            nearest = _confused(name, config) or _nearest(name)
            yield name, removed.OPTIONS.get(name) or (f"did you mean {nearest}?" if nearest else None)


def _confused(name: str, config: Mapping[str, Any]) -> str | None:
    """The option that a name is written for. Where that is set too, an application uses both."""
    meant = _CONFUSED.get(name)
    untouched = [each.default_for(config) for each in OPTIONS if each.name == meant]
    return meant if meant is not None and config.get(meant) in (None, *untouched) else None


def _nearest(name: str) -> str | None:
    """The option that a name misspells. JWT_ACCESS_TOKEN_EXPIRES_MINUTES does not misspell what it begins with."""
    bare = {each.removeprefix(_PREFIX): each for each in NAMES if not name.startswith(f"{each}_")}
    close = difflib.get_close_matches(name.removeprefix(_PREFIX), bare, n=1, cutoff=_CLOSE)
    return bare[close[0]] if close else None
