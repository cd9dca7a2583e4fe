"""Every ``JWT_*`` option, declared once, and the frozen :class:`Settings` they resolve to.

One statement declares an option: its name is the attribute's in capitals behind ``JWT_``, its type the annotation, and
:func:`option` takes its default, its paragraph of documentation and its parser. The reference page, the validation in
``init_app`` and 4.7's ``config`` object read these declarations; nothing repeats them.

This module knows no Flask: :func:`resolve` takes any mapping.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime, timedelta, timezone
from functools import cached_property
from operator import itemgetter
from typing import Any

import jwt
from jwt.algorithms import requires_cryptography

from .exceptions import ConfigurationError

#: The places a token may come from, in the order a set of them is searched.
LOCATIONS = ("headers", "cookies", "query_string", "json")
#: Seconds that a cookie lives when JWT_SESSION_COOKIE is off: one year, as in 4.7.
COOKIE_YEAR = 31_540_000

_PREFIX = "JWT_"
Parser = Callable[[Any, str], Any]


# --- parsers: (value, option name) -> parsed value, or a ConfigurationError that names the fix ---------------------


def _raw(value: Any, _name: str) -> Any:
    """Anything goes; empty counts as not set, as in 4.7."""
    return value or None


def _flag(value: Any, name: str) -> bool:
    """Truth, as 4.7 judged it. A string is most likely an unparsed environment variable: ``"false"`` is true."""
    if isinstance(value, str):
        warnings.warn(f"{name} is the string {value!r}, which counts as {bool(value)}; use a bool", stacklevel=2)
    return bool(value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be a string, not {value!r}")
    return value


def _maybe_empty(value: Any, name: str) -> str:
    return _text("" if value is None else value, name)


def _name(value: Any, name: str) -> str:
    if not _text(value, name):
        raise ConfigurationError(f"{name} cannot be empty")
    return str(value)


def _optional_text(value: Any, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _names(value: Any, name: str) -> tuple[str, ...]:
    """One name or several."""
    several = (value,) if isinstance(value, str) else _tuple(value, name)
    if not several:
        raise ConfigurationError(f"{name} cannot be empty")
    return tuple(_name(each, name) for each in several)


def _tuple(value: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {value!r}")
    return tuple(value)


def _locations(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, Iterable):
        raise ConfigurationError(f"{name} must be a sequence or a set, not {value!r}")
    chosen = _tuple(value, name)
    if isinstance(value, (set, frozenset)):
        chosen = tuple(sorted(chosen, key=lambda location: (*LOCATIONS, location).index(location)))
    if not chosen:
        raise ConfigurationError(f'{name} must contain at least one of "headers", "cookies", "query_string", or "json"')
    for location in chosen:
        if location not in LOCATIONS:
            raise ConfigurationError(
                f'{name} can only contain "headers", "cookies", "query_string", or "json", not {location!r}'
            )
    return chosen


def lifetime(value: Any, name: str) -> Any:
    """``False``, or something that can be added to a ``datetime``; a number is seconds."""
    if value is False:
        return False
    try:
        delta = timedelta(seconds=value) if type(value) in (int, float) else value
        _ = datetime.now(timezone.utc) + delta
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(
            f"must be able to add {name} to datetime.datetime: use a timedelta, seconds, or False, not {value!r}"
        ) from error
    return delta


def _algorithm(value: Any, name: str) -> str:
    try:
        jwt.get_algorithm_by_name(_name(value, name))
    except NotImplementedError as error:
        hint = (
            "install it with: pip install 'flask-jwt-extended[crypto]'"
            if value in requires_cryptography
            else "the algorithms are listed in the documentation of PyJWT"
        )
        raise ConfigurationError(f"{name} names {value!r}, which is not available here; {hint}") from error
    if value == "none":
        raise ConfigurationError(f"{name} cannot be 'none': such tokens carry no signature")
    return str(value)


def _algorithms(value: Any, name: str) -> tuple[str, ...]:
    chosen = tuple(value_ for value_ in _tuple(value or (), name) if value_ != "none")
    if value and "none" in value:
        warnings.warn(f"{name} contains 'none', which is never accepted; remove it", stacklevel=2)
    return tuple(_algorithm(each, name) for each in chosen)


def _audience(value: Any, name: str) -> tuple[str, ...] | None:
    return None if value is None else tuple(_text(each, name) for each in _tuple(value, name))


def _encode_audience(value: Any, name: str) -> str | list[str] | None:
    """The shape is kept: a string stays one in the token, anything else becomes a list."""
    if not value:
        return None
    return value if isinstance(value, str) else list(_audience(value, name) or ())


def _issuer(value: Any, name: str) -> Container[str] | None:
    """One issuer or several, always as a container that is asked for the whole string."""
    if value is None or isinstance(value, str):
        return None if value is None else (value,)
    if not isinstance(value, Container):
        raise ConfigurationError(f"{name} must be a string or a list of strings, not {value!r}")
    return value


def _seconds(value: Any, name: str) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if type(seconds) not in (int, float) or not math.isfinite(seconds):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, not {value!r}")
    return float(seconds)


def _size(value: Any, name: str) -> int:
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"{name} must be a positive number of bytes, not {value!r}")
    return value


def _same_site(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value.title() not in ("Strict", "Lax", "None"):
        raise ConfigurationError(f'{name} must be "Strict", "Lax", "None" or None, not {value!r}')
    return value.title()


def _methods(value: Any, name: str) -> frozenset[str]:
    return frozenset(_text(method, name).upper() for method in _tuple(value or (), name))


# --- the declarations ---------------------------------------------------------------------------------------------


def option(default: Any, parse: Parser, doc: str, *, secret: bool = False) -> Any:
    """Declare an option. A secret one never shows in a ``repr``."""
    return field(metadata={"default": default, "parse": parse, "doc": doc, "secret": secret}, repr=not secret)


@dataclass(frozen=True)
class TokenKind:
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


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of one application, parsed and validated. Made by :func:`resolve`; never changes."""

    token_location: tuple[str, ...] = option(
        ("headers",),
        _locations,
        "Where to look for a token: ``headers``, ``cookies``, ``query_string``, ``json``, one of them or several. "
        "The order is the precedence; a set is searched in the order just given. A view can choose its own with "
        "the ``locations`` argument of :func:`jwt_required`.",
    )
    access_token_expires: Any = option(
        timedelta(minutes=15),
        lifetime,
        "How long an access token lives: a ``timedelta``, a ``dateutil`` ``relativedelta`` or seconds. ``False`` "
        "makes tokens that never expire, which is rarely wise. ``expires_delta`` of :func:`create_access_token` "
        "overrides it for one token.",
    )
    refresh_token_expires: Any = option(
        timedelta(days=30),
        lifetime,
        "How long a refresh token lives, given as for JWT_ACCESS_TOKEN_EXPIRES. ``expires_delta`` of "
        ":func:`create_refresh_token` overrides it for one token.",
    )
    algorithm: str = option(
        "HS256",
        _algorithm,
        "The algorithm that signs tokens, by its JWS name: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, "
        "PS512, ES256, ES384, ES512, ES256K or EdDSA. All but the first three need the ``crypto`` extra.",
    )
    decode_algorithms: tuple[str, ...] = option(
        None,
        _algorithms,
        "The algorithms a token may be signed with to be accepted. JWT_ALGORITHM is always one of them; by default "
        "it is the only one. An algorithm that does not fit the key is refused.",
    )
    secret_key: Any = option(
        None,
        _raw,
        "The secret that signs and verifies tokens with a symmetric algorithm (HS256, HS384, HS512). Make it long "
        "and random, ``secrets.token_bytes(32)`` say, and keep it out of the repository. Flask's SECRET_KEY is used "
        "if this is not set.",
        secret=True,
    )
    private_key: Any = option(
        None,
        _raw,
        "The private key that signs tokens with an asymmetric algorithm: PEM text or bytes, a JWK as a mapping, or "
        "a key object of ``cryptography``.",
        secret=True,
    )
    public_key: Any = option(
        None,
        _raw,
        "The public key that verifies tokens signed with an asymmetric algorithm, in any form that JWT_PRIVATE_KEY "
        "takes.",
        secret=True,
    )
    decode_audience: tuple[str, ...] | None = option(
        None,
        _audience,
        "The audience, or audiences, one of which a token's ``aud`` must name. ``None`` leaves ``aud`` unchecked.",
    )
    encode_audience: str | list[str] | None = option(
        None, _encode_audience, "The audience, or audiences, written into the ``aud`` of new tokens."
    )
    decode_issuer: Container[str] | None = option(
        None,
        _issuer,
        "The issuer, or issuers, one of which a token's ``iss`` must be, compared whole. ``None`` leaves it unchecked.",
    )
    encode_issuer: str | None = option(None, _optional_text, "The issuer written into the ``iss`` of new tokens.")
    encode_nbf: bool = option(
        True,
        _flag,
        "Whether new tokens carry ``nbf``, the time before which they are not accepted: the moment they are made.",
    )
    decode_leeway: float = option(
        0,
        _seconds,
        "Seconds (or a ``timedelta``) by which the clocks of the machines that issue and verify may differ: a token "
        "is accepted this much before its ``nbf`` and ``iat`` and after its ``exp``.",
    )
    identity_claim: str = option("sub", _name, "The claim that holds the identity.")
    verify_sub: bool = option(
        True,
        _flag,
        "Whether ``sub`` must be a string, as RFC 7519 says. Turn it off for identities that are numbers or objects.",
    )
    error_message_key: str = option("msg", _name, "The key of the message in the JSON body of the default errors.")
    max_token_bytes: int = option(
        16384,
        _size,
        "Bytes above which a token is refused before anything else is done with it.",
    )

    header_name: str = option("Authorization", _name, "The header that carries the token.")
    header_type: str = option(
        "Bearer",
        _maybe_empty,
        "The scheme in front of the token in the header, in any case of letters. Empty: the header is the bare token.",
    )

    cookie_secure: bool = option(False, _flag, "Whether cookies are sent over HTTPS only. Turn it on in production.")
    cookie_domain: str | None = option(
        None,
        _optional_text,
        "The domain that cookies are sent to. ``None``: the host that set them and no other.",
    )
    cookie_samesite: str | None = option(
        None,
        _same_site,
        "Whether cookies go along with requests that other sites start: ``Strict``, ``Lax``, or ``None`` as a string, "
        "which browsers take only together with JWT_COOKIE_SECURE. ``None`` leaves the choice to the browser.",
    )
    session_cookie: bool = option(
        True,
        _flag,
        "Whether cookies end with the browser session. If not, they are kept for a year; the token in them expires "
        "when it says all the same.",
    )
    access_cookie_name: str = option("access_token_cookie", _name, "The cookie that carries the access token.")
    refresh_cookie_name: str = option("refresh_token_cookie", _name, "The cookie that carries the refresh token.")
    access_cookie_path: str = option("/", _text, "The path below which the access cookie is sent.")
    refresh_cookie_path: str = option("/", _text, "The path below which the refresh cookie is sent.")

    cookie_csrf_protect: bool = option(
        True,
        _flag,
        "Whether a token that came in a cookie must be accompanied by its CSRF double submit value on the methods in "
        "JWT_CSRF_METHODS. New tokens carry that value in their ``csrf`` claim.",
    )
    csrf_methods: frozenset[str] = option(
        ["POST", "PUT", "PATCH", "DELETE"],
        _methods,
        "The HTTP methods on which the double submit value is asked for.",
    )
    csrf_in_cookies: bool = option(
        True,
        _flag,
        "Whether the double submit value is also set as a cookie that scripts can read. If not, hand it to the client "
        "yourself with :func:`get_csrf_token`.",
    )
    csrf_check_form: bool = option(
        False, _flag, "Whether the double submit value is looked for in form data where the header has none."
    )
    access_csrf_header_name: str = option(
        "X-CSRF-TOKEN", _name, "The header for the double submit value of an access token."
    )
    refresh_csrf_header_name: str = option(
        "X-CSRF-TOKEN", _name, "The header for the double submit value of a refresh token."
    )
    access_csrf_cookie_name: str = option(
        "csrf_access_token",
        _name,
        "The cookie that hands scripts the double submit value of the access token.",
    )
    refresh_csrf_cookie_name: str = option(
        "csrf_refresh_token",
        _name,
        "The cookie that hands scripts the double submit value of the refresh token.",
    )
    access_csrf_cookie_path: str = option("/", _text, "The path of the access token's CSRF cookie.")
    refresh_csrf_cookie_path: str = option("/", _text, "The path of the refresh token's CSRF cookie.")
    access_csrf_field_name: str = option(
        "csrf_token", _name, "The form field for the double submit value of an access token."
    )
    refresh_csrf_field_name: str = option(
        "csrf_token", _name, "The form field for the double submit value of a refresh token."
    )

    query_string_name: str = option("jwt", _name, "The query parameter that carries the token.")
    query_string_value_prefix: str = option(
        "", _maybe_empty, "What stands in front of the token in the query parameter, ``Bearer `` say."
    )
    json_key: tuple[str, ...] = option(
        "access_token",
        _names,
        "The key, or keys tried in order, that holds an access token in a JSON body.",
    )
    refresh_json_key: tuple[str, ...] = option(
        ("refresh_token", "access_token"),
        _names,
        "The key, or keys tried in order, that holds a refresh token in a JSON body.",
    )

    #: Flask's own SECRET_KEY: not an option of this extension, but the fallback of one.
    flask_secret_key: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.cookie_samesite == "None" and not self.cookie_secure:
            raise ConfigurationError(
                'JWT_COOKIE_SAMESITE is "None" but JWT_COOKIE_SECURE is off: browsers drop such cookies. '
                "Set JWT_COOKIE_SECURE = True"
            )

    @cached_property
    def accepted_algorithms(self) -> tuple[str, ...]:
        """JWT_DECODE_ALGORITHMS with JWT_ALGORITHM among them."""
        if self.algorithm in self.decode_algorithms:
            return self.decode_algorithms
        return (*self.decode_algorithms, self.algorithm)

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

    def _secret(self) -> Any:
        key = self.secret_key or self.flask_secret_key
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
    def header_environ_name(self) -> str:
        """JWT_HEADER_NAME as WSGI spells it (PEP 3333)."""
        name = self.header_name.upper().replace("-", "_")
        return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"

    @cached_property
    def header_scheme(self) -> str:
        """JWT_HEADER_TYPE in lower case: schemes are compared in any case of letters (RFC 9110, section 11.1)."""
        return self.header_type.lower()

    @cached_property
    def access(self) -> TokenKind:
        """How access tokens travel."""
        return self._kind("access", self.json_key)

    @cached_property
    def refresh(self) -> TokenKind:
        """How refresh tokens travel."""
        return self._kind("refresh", self.refresh_json_key)

    def _kind(self, name: str, json_keys: tuple[str, ...]) -> TokenKind:
        own = [each.name for each in fields(TokenKind) if each.name not in ("name", "json_keys")]
        return TokenKind(name=name, json_keys=json_keys, **{each: getattr(self, f"{name}_{each}") for each in own})


# --- from a mapping to Settings -------------------------------------------------------------------------------------


def option_name(attribute: str) -> str:
    """The name that applications write for an attribute of :class:`Settings`."""
    return _PREFIX + attribute.upper()


@dataclass(frozen=True)
class Option:
    """One declared option, for whoever lists them."""

    attribute: str
    name: str
    type: str
    default: Any
    doc: str
    secret: bool
    parse: Parser

    @classmethod
    def of(cls, declared: Field[Any]) -> Option:
        """Read a declaration."""
        return cls(declared.name, option_name(declared.name), str(declared.type), **declared.metadata)


OPTIONS = tuple(Option.of(declared) for declared in fields(Settings) if declared.metadata)
DEFAULTS: dict[str, Any] = {each.name: each.default for each in OPTIONS}

#: Reads every raw value that Settings come from, at C speed. Raises KeyError if one is missing.
read_raw: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*DEFAULTS, "SECRET_KEY")


def snapshot(raw: tuple[Any, ...]) -> tuple[Any, ...]:
    """Raw values with their containers copied, so that a change made in place is noticed too."""
    return tuple(type(value)(value) if type(value) in (list, set, dict) else value for value in raw)


def resolve(config: Mapping[str, Any]) -> Settings:
    """Parse and validate the ``JWT_*`` options of a configuration. What it lacks takes its default.

    :raises ConfigurationError: if an option has a value that cannot work
    """
    parsed = {each.attribute: each.parse(config.get(each.name, each.default), each.name) for each in OPTIONS}
    return Settings(**parsed, flask_secret_key=config.get("SECRET_KEY"))


def unknown_options(config: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Names that look like options of this extension but are none, each with the nearest that is."""
    for name in config:
        if name.startswith(_PREFIX) and name not in DEFAULTS:
            nearest = difflib.get_close_matches(name, DEFAULTS, n=1)
            yield name, nearest[0] if nearest else None
