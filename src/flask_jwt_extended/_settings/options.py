"""Every ``JWT_*`` option, declared once: the reference page, the validation, ``flask jwt config`` and 4.7's ``config``
object are derived from these declarations. The docstring below an option states first what it does, then its values,
then warnings. ``scripts/write_options.py`` writes it to docs/options.md.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, NamedTuple

from .. import _removed as removed
from . import parsers
from .issuers import TrustedIssuer, trusted_issuers
from .parsers import Parser

#: The default of JWT_MAX_TOKEN_BYTES.
MAX_TOKEN_BYTES = 16384
#: The strict default of an option that has the same default in both profiles.
UNSET: Any = object()

_PREFIX = "JWT_"


def option(default: Any, parse: Parser, *, strict: Any = UNSET, secret: bool = False) -> Any:
    """Declare an option.

    :param strict: the default under JWT_PROFILE = "strict", or a function that returns it for a configuration
    :param secret: never show the value in a ``repr``
    """
    return field(metadata={"default": default, "parse": parse, "strict": strict, "secret": secret}, repr=not secret)


def _prefixed(name: str, path_option: str) -> Callable[[Mapping[str, Any]], str]:
    """Add the strongest prefix that the other options allow to a cookie name (RFC 6265bis, section 4.1.3)."""

    def default(config: Mapping[str, Any]) -> str:
        if not config.get("JWT_COOKIE_SECURE", True):
            return name
        bound_to_host = config.get(path_option, "/") == "/" and not config.get("JWT_COOKIE_DOMAIN")
        return f"__Host-{name}" if bound_to_host else f"__Secure-{name}"

    return default


def _same_as(name: str) -> Callable[[Mapping[str, Any]], Any]:
    """Take the value of another option as the default."""
    return lambda config: config.get(name) or None


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Options:
    """The options of one application, parsed. ``settings.Settings`` adds the values that are derived from them."""

    # --- general ---

    profile: str = option("compat", parsers.choice("compat", "strict"))
    """Selects the defaults of other options. ``compat`` keeps the defaults of Flask-JWT-Extended 4.7; ``strict`` has
    safer ones and is meant for new applications. An option that you set yourself always wins."""
    token_location: tuple[str, ...] = option(("headers",), parsers.locations)
    """Where a request may carry its token: one or more of ``headers``, ``cookies``, ``query_string`` and ``json``. The
    locations are searched in the order that you give; a set is searched in the order above. The argument ``locations``
    of :func:`jwt_required` overrides this option for one view."""
    protect_options_method: bool = option(False, parsers.flag, strict=True)
    """Whether an OPTIONS request to a view that handles OPTIONS itself needs a token like any other request. CORS
    preflights (``Origin`` with ``Access-Control-Request-Method``) never need one. If off, every OPTIONS request is
    anonymous, whatever the view requires, as in 4.7."""
    error_style: str = option("compat", parsers.choice("compat", "rfc6750"), strict="rfc6750")
    """The form of the default error responses. ``compat`` keeps the status codes and messages of 4.7. ``rfc6750`` uses
    the status codes and the challenge of RFC 6750, adds an ``error`` code to the message, and leaves out details that
    would help an attacker."""
    error_message_key: str = option("msg", parsers.word)
    """The key of the message in the JSON body of the default error responses."""
    report_only: tuple[str, ...] = option((), parsers.words_or_none)
    """Options whose checks only report: a request that they would refuse passes, and the signal ``would_refuse`` is
    sent. Use this to prepare the move to the strict profile. The options can be JWT_REQUIRED_CLAIMS, JWT_VERIFY_AUD,
    JWT_DECODE_AUDIENCE, JWT_DECODE_ISSUER, JWT_SINGLE_TOKEN, JWT_CSRF_ORIGIN_CHECK, JWT_CSRF_METHODS and
    JWT_BOUND_TOKENS."""

    # --- keys and algorithms ---

    algorithm: str = option("HS256", parsers.algorithm)
    """The algorithm that signs new tokens, by its JWS name: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384,
    PS512, ES256, ES384, ES512, ES256K or EdDSA. All except the first three are asymmetric and need the extra
    ``crypto``."""
    decode_algorithms: tuple[str, ...] = option(None, parsers.algorithms)
    """The algorithms that a token may be signed with, in addition to JWT_ALGORITHM, which is always accepted. A token
    is refused if its algorithm does not fit the key. A JWK without ``alg`` is used with one algorithm: JWT_ALGORITHM if
    it fits, otherwise the first of these that fits."""
    secret_key: Any = option(None, parsers.anything, secret=True)
    """The secret that signs and verifies tokens with a symmetric algorithm (HS256, HS384, HS512): text, bytes or a JWK
    as a mapping. If it is not set, Flask's SECRET_KEY is used. Make it long and random, for example with
    ``secrets.token_bytes(32)``, and keep it out of your repository."""
    secret_key_fallbacks: tuple[Any, ...] = option((), parsers.secrets, secret=True)
    """Earlier values of JWT_SECRET_KEY: they verify tokens but sign none. Remove one when the last token that it signed
    has expired."""
    private_key: Any = option(None, parsers.anything, secret=True)
    """The private key that signs tokens with an asymmetric algorithm: PEM as text or bytes, a JWK as a mapping, or a
    key object of ``cryptography``."""
    public_key: Any = option(None, parsers.anything, secret=True)
    """The public key that verifies tokens with an asymmetric algorithm, in any form that JWT_PRIVATE_KEY takes."""
    keys: Any = option(None, parsers.key_set, secret=True)
    """A set of keys that you can rotate while the application runs: a JWK Set as a mapping, or the path of a JWK Set
    file, which ``flask jwt keys`` manages. The first active key signs, all keys verify, and each token names its key by
    ``kid``. Each key has one algorithm: its ``alg``, otherwise JWT_ALGORITHM if it fits, otherwise the usual one for
    keys of its type. An empty value is refused, so that a missing environment variable does not make JWT_SECRET_KEY
    sign."""
    jwks_path: str | None = option(None, parsers.optional_path)
    """The URL path that serves the public keys of JWT_KEYS as a JWK Set, for example ``/.well-known/jwks.json``. With
    ``None``, they are not served."""
    key_strength: str = option("warn", parsers.choice("warn", "refuse"), strict="refuse")
    """What happens to a key that can be guessed or is too short for its algorithm: ``warn`` warns when it is first
    used, ``refuse`` refuses to use it."""
    verify_cache_size: int = option(0, parsers.whole(0, "a whole number, 0 or more"))
    """How many verified tokens are remembered, so that their signatures are not computed again. ``0`` remembers none.
    Times, revocation and everything else are still checked for every request."""

    # --- new tokens ---

    access_token_expires: Any = option(timedelta(minutes=15), parsers.lifetime)
    """How long an access token is valid: a ``timedelta``, a ``relativedelta`` of ``dateutil``, or seconds. The argument
    ``expires_delta`` of :func:`create_access_token` overrides it for one token. ``False`` makes tokens that never
    expire; avoid it, because a stolen token is then valid forever."""
    refresh_token_expires: Any = option(timedelta(days=30), parsers.lifetime)
    """How long a refresh token is valid, in any form that JWT_ACCESS_TOKEN_EXPIRES takes. The argument
    ``expires_delta`` of :func:`create_refresh_token` overrides it for one token."""
    identity_claim: str = option("sub", parsers.word)
    """The name of the claim that holds the identity."""
    encode_audience: str | list[str] | None = option(None, parsers.encode_audience)
    """The audience (``aud``) of new tokens: a string or a list of strings. ``None`` leaves the claim out."""
    encode_issuer: str | None = option(None, parsers.optional_text)
    """The issuer (``iss``) of new tokens. ``None`` leaves the claim out."""
    encode_nbf: bool = option(True, parsers.flag)
    """Whether new tokens have the claim ``nbf`` (not before) with the time at which they are made."""
    access_token_typ: str = option("JWT", parsers.choice("JWT", "at+jwt"))
    """The ``typ`` in the header of new access tokens: ``JWT``, or ``at+jwt`` for access tokens of OAuth 2.0 (RFC 9068).
    With ``at+jwt``, JWT_ENCODE_ISSUER and JWT_ENCODE_AUDIENCE must be set, and you add the claim ``client_id`` with
    ``additional_claims`` or ``additional_claims_loader``. Access tokens of this application with another ``typ``,
    ``iss`` or ``aud`` are then refused, and so are tokens of another type with that ``typ``. Access tokens from before
    the change are refused too: clients get new ones with their refresh tokens."""

    # --- accepted tokens ---

    required_claims: tuple[str, ...] = option((), parsers.words_or_none, strict=("exp", "iat", "jti", "type", "sub"))
    """The claims that every token must have. ``sub`` stands for the claim in JWT_IDENTITY_CLAIM."""
    decode_audience: tuple[str, ...] | None = option(None, parsers.audience, strict=_same_as("JWT_ENCODE_AUDIENCE"))
    """The audiences that this application accepts: a string or a list of strings. The ``aud`` of a token must name one
    of them. With ``None``, JWT_VERIFY_AUD decides. The default under ``strict`` is JWT_ENCODE_AUDIENCE."""
    verify_aud: bool = option(False, parsers.flag, strict=True)
    """Whether ``aud`` is checked if JWT_DECODE_AUDIENCE is not set. A token that has an ``aud`` must then name an
    audience of JWT_ENCODE_AUDIENCE, and is refused if that is not set either. A token without ``aud`` passes."""
    decode_issuer: Container[str] | None = option(None, parsers.issuer, strict=_same_as("JWT_ENCODE_ISSUER"))
    """The issuers that this application accepts: a string or a list of strings. The ``iss`` of a token must equal one
    of them. ``None`` leaves ``iss`` unchecked. The default under ``strict`` is JWT_ENCODE_ISSUER."""
    verify_sub: bool = option(True, parsers.flag)
    """Whether ``sub`` must be a string, as RFC 7519 requires. Turn it off if identities are numbers or objects."""
    legacy_sub_until: float | None = option(None, parsers.moment)
    """Until when tokens are accepted whose ``sub`` is not a string, as tokens of 4.6 and before: a ``date``, a
    ``datetime``, or text in ISO 8601 such as ``2027-01-31``. Each of these tokens sends the signal ``legacy_subject``.
    With ``None`` they are refused, unless JWT_VERIFY_SUB is off."""
    decode_leeway: float = option(0, parsers.seconds)
    """How far the clocks of the machines that issue and verify tokens may differ: seconds or a ``timedelta``. A token
    is accepted this long before its ``nbf`` and ``iat`` and after its ``exp``."""
    max_token_bytes: int = option(MAX_TOKEN_BYTES, parsers.whole(1, "a positive number of bytes"), strict=8192)
    """The greatest size of a token in bytes. Longer ones are refused before they are parsed."""
    single_token: bool = option(False, parsers.flag, strict=True)
    """Whether a request is refused if it carries more than one token, in several locations or twice in one (RFC 6750,
    section 2). If off, the order of JWT_TOKEN_LOCATION decides which token is used."""
    bound_tokens: str = option("warn", parsers.choice("warn", "refuse"), strict="refuse")
    """What happens to a token that is bound to a key of its owner (the claim ``cnf`` of RFC 7800: DPoP, mutual TLS).
    The proof of possession of that key cannot be checked yet. ``refuse`` refuses the token; ``warn`` accepts it, logs a
    warning once per issuer and sends the signal ``bound_token_accepted``."""
    trusted_issuers: Mapping[str, TrustedIssuer] = option({}, trusted_issuers)
    """External identity providers whose tokens are accepted beside your own: a mapping from the ``iss`` of each issuer
    to its settings. These are ``audience``, ``audience_claim``, ``jwks_uri`` or ``discovery`` or ``keys``,
    ``algorithms``, ``identity_claim``, ``type``, ``typ``, ``required_claims``, ``scopes``, ``roles`` and ``acr``.
    Fetching keys needs the extra ``issuers``. See docs/issuers.md."""

    # --- headers ---

    header_name: str = option("Authorization", parsers.word)
    """The name of the header that carries the token."""
    header_type: str = option("Bearer", parsers.scheme)
    """The scheme before the token in the header. Case does not matter. If empty, the header holds only the token."""

    # --- cookies ---

    cookie_secure: bool = option(False, parsers.flag, strict=True)
    """Whether browsers send the cookies over HTTPS only. Turn this on in production."""
    cookie_domain: str | None = option(None, parsers.cookie_domain)
    """The domain that browsers send the cookies to, with all its subdomains, for example ``example.com``. With
    ``None``, it is only the host that set them. URLs, ports, IP addresses, wildcards and common public suffixes
    (``co.uk``, ``github.io``) are refused, because browsers drop such cookies."""
    cookie_samesite: str | None = option(None, parsers.same_site, strict="Lax")
    """Whether browsers send the cookies with requests that other sites start: ``Strict``, ``Lax`` or, as a string,
    ``None``, which needs JWT_COOKIE_SECURE. Python's ``None`` leaves the choice to the browser."""
    cookie_partitioned: bool = option(False, parsers.flag)
    """Whether browsers keep the cookies apart for each site that embeds yours (CHIPS). Needs JWT_COOKIE_SECURE."""
    session_cookie: bool = option(True, parsers.flag)
    """Whether browsers delete the cookies when the browser session ends. If off, they keep them for a year; the token
    in a cookie still expires at its ``exp``."""
    cookie_outlives_token: bool = option(True, parsers.flag, strict=False)
    """Whether browsers may keep a cookie for longer than its token is valid. If off, the cookie is deleted when the
    token expires, or earlier. Cookies that end with the browser session still do."""
    access_cookie_name: str = option(
        "access_token_cookie", parsers.word, strict=_prefixed("access_token_cookie", "JWT_ACCESS_COOKIE_PATH")
    )
    """The name of the cookie that carries the access token. Under ``strict``, the default names of all four cookies
    have the strongest prefix that the other options allow: ``__Host-``, ``__Secure-`` or none."""
    refresh_cookie_name: str = option(
        "refresh_token_cookie", parsers.word, strict=_prefixed("refresh_token_cookie", "JWT_REFRESH_COOKIE_PATH")
    )
    """The name of the cookie that carries the refresh token."""
    access_cookie_path: str = option("/", parsers.text)
    """The path below which browsers send the access cookie."""
    refresh_cookie_path: str = option("/", parsers.text)
    """The path below which browsers send the refresh cookie."""
    cookie_extension_lifetime: Any = option(timedelta(hours=12), parsers.lifetime_or_none)
    """For how long after a login or a refresh :func:`refresh_expiring_cookies` extends the access cookie of a session:
    a ``timedelta`` or seconds. With ``None``, for as long as the session lasts. A stolen access cookie is extended as
    well, and nothing detects that, so keep this short. A refresh ends the extension of earlier cookies."""

    # --- cross-site request forgery ---

    cookie_csrf_protect: bool = option(True, parsers.flag)
    """Whether a request with a token in a cookie must also send the CSRF double submit value of that token, if its
    method is one of JWT_CSRF_METHODS. New tokens have that value in their claim ``csrf``."""
    csrf_methods: frozenset[str] | None = option(["POST", "PUT", "PATCH", "DELETE"], parsers.methods, strict=None)
    """The HTTP methods that need the double submit value. ``None`` means all but GET, HEAD, OPTIONS and TRACE."""
    csrf_origin_check: bool = option(False, parsers.flag, strict=True)
    """Whether a request with a token in a cookie must also come from this site, if its method is one of
    JWT_CSRF_METHODS. The header ``Sec-Fetch-Site`` decides, without it ``Origin``, without both ``Referer``. A request
    with none of them passes, because it does not come from a browser."""
    trusted_origins: frozenset[str] = option((), parsers.origins)
    """Other origins that pass JWT_CSRF_ORIGIN_CHECK: a string or a list, such as ``https://app.example.com``."""
    csrf_in_cookies: bool = option(True, parsers.flag)
    """Whether the double submit value is also set as a cookie that scripts can read. If off, send it to the client
    yourself with :func:`get_csrf_token`."""
    csrf_check_form: bool = option(False, parsers.flag)
    """Whether the double submit value may also be in a form field. The field is read if the header is missing."""
    access_csrf_header_name: str = option("X-CSRF-TOKEN", parsers.word)
    """The name of the header with the double submit value of the access token."""
    refresh_csrf_header_name: str = option("X-CSRF-TOKEN", parsers.word)
    """The name of the header with the double submit value of the refresh token."""
    access_csrf_cookie_name: str = option(
        "csrf_access_token", parsers.word, strict=_prefixed("csrf_access_token", "JWT_ACCESS_CSRF_COOKIE_PATH")
    )
    """The name of the cookie that gives scripts the double submit value of the access token."""
    refresh_csrf_cookie_name: str = option(
        "csrf_refresh_token", parsers.word, strict=_prefixed("csrf_refresh_token", "JWT_REFRESH_CSRF_COOKIE_PATH")
    )
    """The name of the cookie that gives scripts the double submit value of the refresh token."""
    access_csrf_cookie_path: str = option("/", parsers.text)
    """The path of the CSRF cookie of the access token."""
    refresh_csrf_cookie_path: str = option("/", parsers.text)
    """The path of the CSRF cookie of the refresh token."""
    access_csrf_field_name: str = option("csrf_token", parsers.word)
    """The name of the form field with the double submit value of the access token."""
    refresh_csrf_field_name: str = option("csrf_token", parsers.word)
    """The name of the form field with the double submit value of the refresh token."""

    # --- query string ---

    query_string_name: str = option("jwt", parsers.word)
    """The name of the query parameter that carries the token."""
    query_string_value_prefix: str = option("", parsers.text_or_empty)
    """The text before the token in the query parameter, for example ``Bearer ``."""

    # --- JSON body ---

    json_key: tuple[str, ...] = option("access_token", parsers.words)
    """The key of an access token in a JSON body. A list of keys is tried in order."""
    refresh_json_key: tuple[str, ...] = option(("refresh_token", "access_token"), parsers.words)
    """The key of a refresh token in a JSON body. A list of keys is tried in order."""

    # --- sessions and revocation ---

    store_uri: Any = option(None, parsers.store, secret=True)
    """Where sessions and revoked tokens are stored: ``sqlite:///jwt.db``, ``postgresql+psycopg://...`` or any other URL
    of SQLAlchemy (extra ``sql``); ``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://`` or
    ``redis+cluster://`` (extra ``redis``); ``memory://`` for tests in one process; or an object: a store over your own
    engine or client, or a store that you wrote. With ``None`` nothing is stored: tokens are valid until they expire."""
    store_timeout: float = option(1.0, parsers.seconds_positive)
    """How many seconds the store has to answer, with retries and new connections, before it counts as unavailable."""
    store_outage: str = option("refuse", parsers.choice("refuse", "allow"))
    """What happens to access tokens while the store is unavailable: ``refuse`` answers 503 with ``Retry-After``,
    ``allow`` accepts them, although they may have been revoked. Refreshing is always refused."""
    refresh_grace: float = option(10, parsers.seconds_not_negative)
    """How many seconds after its first use a refresh token can be used again, with the same new tokens as the answer.
    This is for two tabs, or a response that was lost. Later use counts as theft and ends the session. ``0`` means no
    grace period."""
    session_lifetime: Any = option(timedelta(days=90), parsers.lifetime_or_none)
    """How long a session lasts, however often it is refreshed: a ``timedelta`` or seconds. ``None`` sets no limit."""
    session_idle_timeout: Any = option(None, parsers.lifetime_or_none)
    """How long a session lasts without being refreshed: a ``timedelta`` or seconds. It must be longer than an access
    token is valid. With ``None``, a session lasts until its refresh token expires."""

    #: Flask's own SECRET_KEY, which JWT_SECRET_KEY falls back to. Not an option of this extension.
    flask_secret_key: Any = field(default=None, repr=False)

    # Methods that dataclass generates for this many fields would take a tenth of the import time of the package.
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        public = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__name__}({', '.join(public)})"


def option_name(attribute: str) -> str:
    """Return the name of an option in ``app.config``."""
    return _PREFIX + attribute.upper()


class Option(NamedTuple):
    """One declaration, as :data:`OPTIONS` lists it."""

    attribute: str
    name: str
    default: Any
    strict: Any
    secret: bool
    parse: Parser

    def default_for(self, config: Mapping[str, Any]) -> Any:
        """Return the default in a configuration, under its profile."""
        if self.strict is UNSET or config.get("JWT_PROFILE") != "strict":
            return self.default
        return self.strict(config) if callable(self.strict) else self.strict


OPTIONS = tuple(Option(each.name, option_name(each.name), **each.metadata) for each in fields(Options) if each.metadata)
NAMES = tuple(each.name for each in OPTIONS)


def defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default of every option in a configuration. Containers are copies."""
    return {each.name: copy.copy(each.default_for(config)) for each in OPTIONS}


# --- names that are not options -------------------------------------------------------------------------------------

#: How similar a misspelling of an option is to it (``difflib``). tests/_settings/test_unknown_options.py has examples.
_MIN_SIMILARITY = 0.885
#: Names that are less similar, but are often written instead.
_CONFUSED = {
    "JWT_SECRET": "JWT_SECRET_KEY",
    "JWT_CSRF_PROTECT": "JWT_COOKIE_CSRF_PROTECT",
    "JWT_ACCESS_EXPIRES": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_REFRESH_EXPIRES": "JWT_REFRESH_TOKEN_EXPIRES",
}


def unknown_options(config: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield the ``JWT_*`` names that are not options, each with the fix; ``None`` if it is similar to no option."""
    for name in config:
        if name.startswith(_PREFIX) and name not in NAMES:
            meant = _confused(name, config) or _nearest(name)
            yield name, removed.OPTIONS.get(name) or (f"did you mean {meant}?" if meant else None)


def _confused(name: str, config: Mapping[str, Any]) -> str | None:
    """Return the option that is often confused with a name, unless the application sets that option too."""
    names = (each.name for each in OPTIONS if config.get(each.name) in (None, each.default_for(config)))
    return next((each for each in names if each == _CONFUSED.get(name)), None)


def _nearest(name: str) -> str | None:
    """Return the option that a name misspells. A name that only extends an option does not misspell it."""
    bare = {each.removeprefix(_PREFIX): each for each in NAMES if not name.startswith(f"{each}_")}
    close = difflib.get_close_matches(name.removeprefix(_PREFIX), bare, n=1, cutoff=_MIN_SIMILARITY)
    return bare[close[0]] if close else None
