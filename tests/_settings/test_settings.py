"""Settings: the default of every option, the values that are refused, and changes after init_app."""

from __future__ import annotations

import copy
import linecache
import warnings
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from datetime import timedelta
from itertools import cycle
from typing import Any

import pytest
from flask import Flask
from jwt.algorithms import HMACAlgorithm

from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended._settings.options import OPTIONS, option_name
from flask_jwt_extended._settings.settings import Settings, resolve
from flask_jwt_extended.exceptions import ConfigurationError

from ..axes import PROFILES, rotated
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

#: Every option and its default.
DOCUMENTED: dict[str, Any] = {
    "JWT_PROFILE": "compat",
    "JWT_TOKEN_LOCATION": ("headers",),
    "JWT_ACCESS_TOKEN_EXPIRES": timedelta(minutes=15),
    "JWT_REFRESH_TOKEN_EXPIRES": timedelta(days=30),
    "JWT_ALGORITHM": "HS256",
    "JWT_DECODE_ALGORITHMS": None,
    "JWT_SECRET_KEY": None,
    "JWT_PRIVATE_KEY": None,
    "JWT_PUBLIC_KEY": None,
    "JWT_DECODE_AUDIENCE": None,
    "JWT_ENCODE_AUDIENCE": None,
    "JWT_DECODE_ISSUER": None,
    "JWT_ENCODE_ISSUER": None,
    "JWT_ENCODE_NBF": True,
    "JWT_DECODE_LEEWAY": 0,
    "JWT_IDENTITY_CLAIM": "sub",
    "JWT_VERIFY_SUB": True,
    "JWT_VERIFY_AUD": False,
    "JWT_REQUIRED_CLAIMS": (),
    "JWT_ERROR_MESSAGE_KEY": "msg",
    "JWT_ERROR_STYLE": "compat",
    "JWT_MAX_TOKEN_BYTES": 16384,
    "JWT_KEY_STRENGTH": "warn",
    "JWT_SINGLE_TOKEN": False,
    "JWT_BOUND_TOKENS": "warn",
    "JWT_COOKIE_OUTLIVES_TOKEN": True,
    "JWT_PROTECT_OPTIONS_METHOD": False,
    "JWT_HEADER_NAME": "Authorization",
    "JWT_HEADER_TYPE": "Bearer",
    "JWT_COOKIE_SECURE": False,
    "JWT_COOKIE_DOMAIN": None,
    "JWT_COOKIE_SAMESITE": None,
    "JWT_COOKIE_PARTITIONED": False,
    "JWT_SESSION_COOKIE": True,
    "JWT_ACCESS_COOKIE_NAME": "access_token_cookie",
    "JWT_REFRESH_COOKIE_NAME": "refresh_token_cookie",
    "JWT_ACCESS_COOKIE_PATH": "/",
    "JWT_REFRESH_COOKIE_PATH": "/",
    "JWT_COOKIE_CSRF_PROTECT": True,
    "JWT_CSRF_METHODS": ["POST", "PUT", "PATCH", "DELETE"],
    "JWT_CSRF_ORIGIN_CHECK": False,
    "JWT_TRUSTED_ORIGINS": (),
    "JWT_CSRF_IN_COOKIES": True,
    "JWT_CSRF_CHECK_FORM": False,
    "JWT_ACCESS_CSRF_HEADER_NAME": "X-CSRF-TOKEN",
    "JWT_REFRESH_CSRF_HEADER_NAME": "X-CSRF-TOKEN",
    "JWT_ACCESS_CSRF_COOKIE_NAME": "csrf_access_token",
    "JWT_REFRESH_CSRF_COOKIE_NAME": "csrf_refresh_token",
    "JWT_ACCESS_CSRF_COOKIE_PATH": "/",
    "JWT_REFRESH_CSRF_COOKIE_PATH": "/",
    "JWT_ACCESS_CSRF_FIELD_NAME": "csrf_token",
    "JWT_REFRESH_CSRF_FIELD_NAME": "csrf_token",
    "JWT_QUERY_STRING_NAME": "jwt",
    "JWT_QUERY_STRING_VALUE_PREFIX": "",
    "JWT_JSON_KEY": "access_token",
    "JWT_REFRESH_JSON_KEY": ("refresh_token", "access_token"),
    "JWT_SECRET_KEY_FALLBACKS": (),
    "JWT_KEYS": None,
    "JWT_JWKS_PATH": None,
    "JWT_TRUSTED_ISSUERS": {},
    "JWT_VERIFY_CACHE_SIZE": 0,
    "JWT_ACCESS_TOKEN_TYP": "JWT",
    "JWT_REPORT_ONLY": (),
    "JWT_LEGACY_SUB_UNTIL": None,
    "JWT_STORE_URI": None,
    "JWT_COOKIE_EXTENSION_LIFETIME": timedelta(hours=12),
    "JWT_STORE_TIMEOUT": 1.0,
    "JWT_STORE_OUTAGE": "refuse",
    "JWT_REFRESH_GRACE": 10,
    "JWT_SESSION_LIFETIME": timedelta(days=90),
    "JWT_SESSION_IDLE_TIMEOUT": None,
}
#: The defaults under JWT_PROFILE = "strict" that differ.
STRICT: dict[str, Any] = {
    "JWT_VERIFY_AUD": True,
    "JWT_REQUIRED_CLAIMS": ("exp", "iat", "jti", "type", "sub"),
    "JWT_ERROR_STYLE": "rfc6750",
    "JWT_MAX_TOKEN_BYTES": 8192,
    "JWT_KEY_STRENGTH": "refuse",
    "JWT_SINGLE_TOKEN": True,
    "JWT_BOUND_TOKENS": "refuse",
    "JWT_COOKIE_OUTLIVES_TOKEN": False,
    "JWT_PROTECT_OPTIONS_METHOD": True,
    "JWT_COOKIE_SECURE": True,
    "JWT_COOKIE_SAMESITE": "Lax",
    "JWT_ACCESS_COOKIE_NAME": "__Host-access_token_cookie",
    "JWT_REFRESH_COOKIE_NAME": "__Host-refresh_token_cookie",
    "JWT_CSRF_METHODS": None,
    "JWT_CSRF_ORIGIN_CHECK": True,
    "JWT_ACCESS_CSRF_COOKIE_NAME": "__Host-csrf_access_token",
    "JWT_REFRESH_CSRF_COOKIE_NAME": "__Host-csrf_refresh_token",
}
#: The parsed defaults that differ from the raw ones.
PARSED: dict[str, Any] = {
    "JWT_DECODE_ALGORITHMS": (),
    "JWT_CSRF_METHODS": frozenset({"POST", "PUT", "PATCH", "DELETE"}),
    "JWT_TRUSTED_ORIGINS": frozenset(),
    "JWT_JSON_KEY": ("access_token",),
    "JWT_SESSION_IDLE_TIMEOUT": False,
}
FLAGS = [name for name, default in DOCUMENTED.items() if isinstance(default, bool)]
NAMES = [
    *(name for name in DOCUMENTED if name.endswith(("_NAME", "_JSON_KEY"))),
    "JWT_JSON_KEY",
    "JWT_IDENTITY_CLAIM",
    "JWT_ERROR_MESSAGE_KEY",
    "JWT_ALGORITHM",
]
TEXTS = [
    "JWT_HEADER_TYPE",
    "JWT_QUERY_STRING_VALUE_PREFIX",
    "JWT_COOKIE_DOMAIN",
    "JWT_ENCODE_ISSUER",
    *(name for name in DOCUMENTED if name.endswith("_PATH")),
]
LIFETIMES = ["JWT_ACCESS_TOKEN_EXPIRES", "JWT_REFRESH_TOKEN_EXPIRES"]
OTHER_SECRET = f"another secret, for another application: {SECRET}"
ONE_OF_THE_LOCATIONS = '"headers", "cookies", "query_string", or "json"'


def bare_app(options: Mapping[str, Any] | None = None) -> Flask:
    """An application without a manager."""
    app = Flask("bare")
    app.config.update({"JWT_SECRET_KEY": SECRET, **(options or {})})
    return app


def access_token(app: Flask, identity: str = "alice") -> str:
    with app.app_context():
        return create_access_token(identity)


def status(app: Flask, path: str = "/access", **request: Any) -> int:
    """The status of the response to a request, which is a GET by default."""
    app.testing = True
    return app.test_client(use_cookies=False).open(path, **request).status_code


# --- defaults -------------------------------------------------------------------------------------------------------


def test_every_option_is_in_the_table_of_defaults() -> None:
    """The table above has every option that is declared, and no others."""
    assert {each.name for each in OPTIONS} == set(DOCUMENTED)


def test_init_app_leaves_the_documented_defaults_in_the_configuration() -> None:
    """Applications read defaults from ``app.config``, as with 4.7."""
    app = Flask("defaults")
    JWTManager(app)
    found = {name: app.config[name] for name in DOCUMENTED}
    assert found == DOCUMENTED
    assert {name: type(value) for name, value in found.items()} == {k: type(v) for k, v in DOCUMENTED.items()}


def test_settings_of_an_empty_configuration_are_the_documented_defaults() -> None:
    """Options that are missing take their defaults when a configuration is resolved."""
    attributes = {name: name.removeprefix("JWT_").lower() for name in DOCUMENTED}
    assert {name: getattr(resolve({}), each) for name, each in attributes.items()} == DOCUMENTED | PARSED
    assert {name: option_name(each) for name, each in attributes.items()} == {name: name for name in DOCUMENTED}


def test_a_default_list_is_not_shared_between_applications() -> None:
    """If an application changes the default list in its configuration, the others keep theirs."""
    first, second = bare_app(), bare_app()
    JWTManager(first)
    first.config["JWT_CSRF_METHODS"].append("REPORT")
    JWTManager(second)
    assert second.config["JWT_CSRF_METHODS"] == DOCUMENTED["JWT_CSRF_METHODS"]


def test_init_app_keeps_what_the_application_has_set() -> None:
    """A default never overwrites a value, even if the value is false."""
    chosen = {"JWT_HEADER_TYPE": "", "JWT_ENCODE_NBF": False, "JWT_ACCESS_TOKEN_EXPIRES": 0, "JWT_CSRF_METHODS": []}
    app = bare_app(chosen)
    JWTManager(app)
    assert {name: app.config[name] for name in chosen} == chosen


def test_resolve_takes_any_mapping_and_leaves_it_alone() -> None:
    """Settings come from a plain dictionary too, which gains no defaults."""
    config = {"JWT_HEADER_NAME": "X-Token", "UNRELATED": 1}
    assert resolve(config).header_name == "X-Token"
    assert config == {"JWT_HEADER_NAME": "X-Token", "UNRELATED": 1}


def test_settings_cannot_be_changed() -> None:
    """Applications change ``app.config`` instead."""
    with pytest.raises(FrozenInstanceError):
        resolve({}).header_name = "X-Token"  # type: ignore[misc]  # this is what must fail


# --- profiles -------------------------------------------------------------------------------------------------------


def test_the_strict_profile_swaps_the_documented_defaults_and_no_others() -> None:
    """init_app leaves them in the configuration, as other defaults."""
    app = bare_app({"JWT_PROFILE": "strict"})
    JWTManager(app)
    expected = {**DOCUMENTED, **STRICT, "JWT_PROFILE": "strict", "JWT_SECRET_KEY": SECRET}
    assert {name: app.config[name] for name in expected} == expected


def test_an_option_that_is_set_wins_over_the_profile() -> None:
    """Also if it is set to the default of the other profile."""
    chosen = {name: DOCUMENTED[name] for name in STRICT}
    app = bare_app({"JWT_PROFILE": "strict", **chosen})
    JWTManager(app)
    assert {name: app.config[name] for name in STRICT} == chosen


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"JWT_COOKIE_DOMAIN": "example.com"}, "__Secure-access_token_cookie"),
        ({"JWT_ACCESS_COOKIE_PATH": "/api"}, "__Secure-access_token_cookie"),
        ({"JWT_REFRESH_COOKIE_PATH": "/api"}, "__Host-access_token_cookie"),
        ({"JWT_COOKIE_SECURE": False}, "access_token_cookie"),
    ],
)
def test_strict_cookie_names_have_the_strongest_prefix_that_the_other_options_allow(
    options: dict[str, Any], name: str
) -> None:
    """``__Host-`` needs Secure, the path / and no domain; ``__Secure-`` needs Secure (RFC 6265bis, 4.1.3)."""
    assert resolve({"JWT_PROFILE": "strict", **options}).access_cookie_name == name


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        ({"JWT_COOKIE_SECURE": False}, "needs JWT_COOKIE_SECURE = True"),
        ({"JWT_COOKIE_DOMAIN": "example.com"}, "no JWT_COOKIE_DOMAIN"),
        ({"JWT_REFRESH_CSRF_COOKIE_PATH": "/api"}, "needs the path /"),
    ],
)
def test_a_cookie_prefix_that_other_options_contradict_is_refused(options: dict[str, Any], fix: str) -> None:
    """Browsers would drop the cookie silently."""
    with pytest.raises(ConfigurationError, match=fix) as caught:
        resolve({"JWT_COOKIE_SECURE": True, "JWT_REFRESH_CSRF_COOKIE_NAME": "__host-csrf", **options})
    assert "'__host-csrf'" in str(caught.value)


def test_a_change_of_profile_changes_the_defaults_and_leaves_what_is_set(make_app: MakeApp) -> None:
    """This works in both directions, at the next request."""
    app = make_app(ERROR_STYLE="compat", MAX_TOKEN_BYTES=4096)
    app.config["JWT_PROFILE"] = "strict"
    access_token(app)
    assert [app.config[f"JWT_{name}"] for name in ("ERROR_STYLE", "MAX_TOKEN_BYTES", "COOKIE_SECURE")] == [
        "compat",
        4096,
        True,
    ]
    app.config["JWT_PROFILE"] = "compat"
    access_token(app)
    assert app.config["JWT_COOKIE_SECURE"] is False
    assert app.config["JWT_ACCESS_COOKIE_NAME"] == "access_token_cookie"


# --- parsing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("JWT_TOKEN_LOCATION", "cookies", ("cookies",)),
        ("JWT_TOKEN_LOCATION", ["json", "headers"], ("json", "headers")),
        ("JWT_TOKEN_LOCATION", ("json", "headers"), ("json", "headers")),
        (
            "JWT_TOKEN_LOCATION",
            {"json", "query_string", "cookies", "headers"},
            ("headers", "cookies", "query_string", "json"),
        ),
        ("JWT_TOKEN_LOCATION", frozenset({"json", "cookies"}), ("cookies", "json")),
        ("JWT_ACCESS_TOKEN_EXPIRES", 90, timedelta(seconds=90)),
        ("JWT_REFRESH_TOKEN_EXPIRES", 0.5, timedelta(seconds=0.5)),
        ("JWT_REFRESH_TOKEN_EXPIRES", False, False),
        ("JWT_DECODE_ALGORITHMS", "HS512", ("HS512",)),
        ("JWT_DECODE_ALGORITHMS", ("HS512", "HS384"), ("HS512", "HS384")),
        ("JWT_SECRET_KEY", "", None),
        ("JWT_DECODE_AUDIENCE", "me", ("me",)),
        ("JWT_DECODE_AUDIENCE", ["me", "us"], ("me", "us")),
        ("JWT_ENCODE_AUDIENCE", "me", "me"),
        ("JWT_ENCODE_AUDIENCE", ("me", "us"), ["me", "us"]),
        ("JWT_DECODE_LEEWAY", timedelta(minutes=1), 60),
        ("JWT_DECODE_LEEWAY", 0.5, 0.5),
        ("JWT_HEADER_TYPE", None, ""),
        ("JWT_QUERY_STRING_VALUE_PREFIX", None, ""),
        ("JWT_COOKIE_SAMESITE", "lax", "Lax"),
        ("JWT_COOKIE_SAMESITE", "STRICT", "Strict"),
        ("JWT_CSRF_METHODS", "post", frozenset({"POST"})),
        ("JWT_CSRF_METHODS", {"post", "Report"}, frozenset({"POST", "REPORT"})),
        ("JWT_CSRF_METHODS", [], frozenset()),
        ("JWT_CSRF_METHODS", None, None),
        ("JWT_REQUIRED_CLAIMS", "exp", ("exp",)),
        ("JWT_REQUIRED_CLAIMS", None, ()),
        ("JWT_TRUSTED_ORIGINS", "https://App.example.com:8443", frozenset({"https://app.example.com:8443"})),
        ("JWT_JSON_KEY", ["a", "b"], ("a", "b")),
        ("JWT_REFRESH_JSON_KEY", "refresh", ("refresh",)),
        ("JWT_COOKIE_SECURE", 1, True),
        ("JWT_SESSION_COOKIE", None, False),
    ],
)
def test_a_value_is_parsed_into(name: str, value: Any, parsed: Any) -> None:
    """Each form of a value becomes the one form that the rest of the package reads."""
    actual = getattr(resolve({name: value}), name.removeprefix("JWT_").lower())
    assert actual == parsed
    assert isinstance(actual, (type(parsed), float))


# --- refused values -------------------------------------------------------------------------------------------------

#: Options that take several values, each with one that would do.
COLLECTIONS = {
    "JWT_TOKEN_LOCATION": "headers",
    "JWT_DECODE_ALGORITHMS": "HS256",
    "JWT_DECODE_AUDIENCE": "me",
    "JWT_ENCODE_AUDIENCE": "me",
    "JWT_DECODE_ISSUER": "me",
    "JWT_REQUIRED_CLAIMS": "exp",
    "JWT_CSRF_METHODS": "POST",
    "JWT_TRUSTED_ORIGINS": "https://app.example.com",
    "JWT_JSON_KEY": "token",
    "JWT_REFRESH_JSON_KEY": "token",
}
EMPTY: tuple[Any, ...] = ([], (), set(), {}, "")
NO_NAMES: list[tuple[Any, str]] = [*((each, "must be a string") for each in (5, None, b"x")), ("", "cannot be empty")]
NO_LIFETIMES = (None, True, "15 minutes", "900", float("nan"), float("inf"), timedelta.max, [900])
CHOICES = {
    "JWT_PROFILE": "'compat' or 'strict'",
    "JWT_ERROR_STYLE": "'compat' or 'rfc6750'",
    "JWT_KEY_STRENGTH": "'warn' or 'refuse'",
    "JWT_BOUND_TOKENS": "'warn' or 'refuse'",
    "JWT_STORE_OUTAGE": "'refuse' or 'allow'",
}
WRONG: list[tuple[str, Any, str]] = [
    *((name, value, fix) for name, (value, fix) in zip(NAMES, cycle(NO_NAMES), strict=False)),
    *(("JWT_HEADER_NAME", value, fix) for value, fix in NO_NAMES),
    *((name, [], "cannot be empty") for name in ("JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY")),
    *((name, ["a", ""], "cannot be empty") for name in ("JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY")),
    *((name, value, "must be a string") for name, value in zip(TEXTS, cycle((5, b"bytes", ["list"])), strict=False)),
    *((name, value, "use a timedelta, seconds, or False") for value, name in zip(NO_LIFETIMES, cycle(LIFETIMES))),
    *(("JWT_TOKEN_LOCATION", value, "must be a sequence or a set") for value in (None, 5)),
    *(("JWT_TOKEN_LOCATION", empty, ONE_OF_THE_LOCATIONS) for empty in EMPTY),
    *(
        ("JWT_TOKEN_LOCATION", value, ONE_OF_THE_LOCATIONS)
        for value in (
            "header",
            "headers,cookies",
            "HEADERS",
            ["headers", "banana"],
            {"banana"},
            [None],
            [["json"]],
            b"x",
        )
    ),
    ("JWT_ALGORITHM", "none", "have no signature"),
    ("JWT_ALGORITHM", "HS257", "'HS257', which is not available here"),
    ("JWT_ALGORITHM", "hs256", "'hs256', which is not available here"),
    ("JWT_DECODE_ALGORITHMS", ["HS256", "RS257"], "'RS257', which is not available here"),
    ("JWT_DECODE_ALGORITHMS", "HS256,HS512", "'HS256,HS512', which is not available here"),
    ("JWT_DECODE_ALGORITHMS", 5, "must be a string or a list of strings"),
    ("JWT_DECODE_ALGORITHMS", [None], "must be a string"),
    *((name, 5, "must be a string or a list of strings") for name in ("JWT_DECODE_AUDIENCE", "JWT_ENCODE_AUDIENCE")),
    *((name, ["me", 5], "must be a string") for name in ("JWT_DECODE_AUDIENCE", "JWT_ENCODE_AUDIENCE")),
    *((name, b"me", "must be a string") for name in ("JWT_DECODE_AUDIENCE", "JWT_ENCODE_AUDIENCE")),
    *(("JWT_DECODE_ISSUER", value, "must be a string or a list of strings") for value in (5, b"me", True)),
    *(
        ("JWT_DECODE_LEEWAY", value, "must be a number of seconds or a timedelta")
        for value in ("10", None, True, float("nan"), float("inf"), [10])
    ),
    *(
        ("JWT_MAX_TOKEN_BYTES", value, "must be a positive number of bytes")
        for value in (0, -1, "16384", None, True, 1.5)
    ),
    *(("JWT_COOKIE_SAMESITE", value, '"Strict", "Lax", "None" or None') for value in ("Sloppy", "", True, 5, ["Lax"])),
    *(("JWT_CSRF_METHODS", value, "must be a string") for value in (5, True, ["POST", None], [b"POST"])),
    *(
        (name, value, fix)
        for (name, fix), value in zip(CHOICES.items(), ("Strict", "", None, True, ["strict"]), strict=True)
    ),
    *(("JWT_REQUIRED_CLAIMS", value, "must be a string") for value in (5, [5], [None])),
    ("JWT_REQUIRED_CLAIMS", ["exp", ""], "cannot be empty"),
    *(
        ("JWT_TRUSTED_ORIGINS", value, 'origins such as "https://app.example.com"')
        for value in ("app.example.com", "https://app.example.com/", ["https://a.example", "*"], "null", "https://")
    ),
    *(("JWT_TRUSTED_ORIGINS", value, "must be a string") for value in (5, [5], b"https://app.example.com")),
    ("JWT_REFRESH_GRACE", -0.5, "cannot be negative"),
    *(("JWT_STORE_TIMEOUT", value, "must be more than zero seconds") for value in (0, timedelta(seconds=-1))),
    *(("JWT_VERIFY_CACHE_SIZE", value, "must be a whole number, 0 or more") for value in (-1, True, 1.5, "10")),
    *(("JWT_SECRET_KEY_FALLBACKS", value, "must be a list of secrets") for value in (SECRET, [""], [5], {SECRET})),
    *(("JWT_LEGACY_SUB_UNTIL", value, "must be a date") for value in ("soon", 5, "2027-13-01")),
    ("JWT_COOKIE_PARTITIONED", True, "needs JWT_COOKIE_SECURE = True"),
    *(("JWT_CSRF_METHODS", value, "list of strings") for value in ("POST,PUT", "POST PUT", ["POST,PUT"])),
]


@rotated("name", ["JWT_ENCODE_AUDIENCE", "JWT_ENCODE_ISSUER"] * 2, profile=PROFILES)
def test_a_wrong_value_is_reported_under_the_name_of_its_option(name: str, profile: str) -> None:
    """Under strict, it is also the default of another option."""
    app = Flask("app")
    app.config.update({"JWT_SECRET_KEY": SECRET, "JWT_PROFILE": profile, name: 5})
    with pytest.raises(ConfigurationError, match=f"^{name} "):
        JWTManager(app)


@pytest.mark.parametrize("path", ["jwks.json", "https://user:hunter2@example.com/jwks.json"])
def test_the_path_of_the_key_set_begins_with_a_slash(path: str) -> None:
    """It is refused before anything is registered, and the message shows no password."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_JWKS_PATH=path)
    with pytest.raises(ConfigurationError, match=r"^JWT_JWKS_PATH must be a path") as caught:
        JWTManager(app)
    assert "hunter2" not in str(caught.value)
    assert "flask-jwt-extended" not in app.extensions


@pytest.mark.parametrize(("name", "value", "fix"), WRONG)
def test_init_app_refuses_a_wrong_value_and_names_the_option_and_the_fix(name: str, value: Any, fix: str) -> None:
    """A value that cannot work is refused when the application starts, so that no request fails later."""
    with pytest.raises(ConfigurationError) as caught:
        JWTManager(bare_app({name: value}))
    message = str(caught.value)
    assert name in message
    assert fix in message


@pytest.mark.parametrize(("name", "value"), COLLECTIONS.items())
def test_an_iterator_is_refused(name: str, value: str) -> None:
    """It would be empty when the configuration is read again."""
    with pytest.raises(ConfigurationError, match=name):
        JWTManager(bare_app({name: map(str, [value])}))


@pytest.mark.parametrize("value", ["None", "none", "NONE"])
def test_same_site_none_needs_secure(value: str) -> None:
    """Browsers drop such a cookie silently, so it is refused."""
    assert resolve({"JWT_COOKIE_SAMESITE": value, "JWT_COOKIE_SECURE": True}).cookie_samesite == "None"
    with pytest.raises(ConfigurationError, match=r"JWT_COOKIE_SAMESITE .*needs JWT_COOKIE_SECURE = True"):
        JWTManager(bare_app({"JWT_COOKIE_SAMESITE": value}))


def test_a_failed_init_app_leaves_no_manager_behind() -> None:
    """The next manager starts without a warning that there are two."""
    app = bare_app({"JWT_TOKEN_LOCATION": "banana"})
    with pytest.raises(ConfigurationError):
        JWTManager(app)
    app.config["JWT_TOKEN_LOCATION"] = "cookies"
    manager = JWTManager(app)
    assert app.extensions["flask-jwt-extended"] is manager


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"JWT_SECRET_KEY": None}, 'JWT_SECRET_KEY or flask SECRET_KEY must be set .* "HS256"'),
        ({"JWT_SECRET_KEY": ""}, 'JWT_SECRET_KEY or flask SECRET_KEY must be set .* "HS256"'),
        ({"JWT_ALGORITHM": "RS256"}, 'JWT_PRIVATE_KEY must be set .* "RS256"'),
        (
            {"JWT_ALGORITHM": "EdDSA", "JWT_PUBLIC_KEY": PRIVATE_KEYS["EdDSA"].public_key()},
            'JWT_PRIVATE_KEY must be set .* "EdDSA"',
        ),
    ],
)
def test_a_missing_signing_key_is_reported_where_it_is_first_needed(options: dict[str, Any], message: str) -> None:
    """An application can start without keys, but it cannot sign without one."""
    app = bare_app(options)
    JWTManager(app)
    with pytest.raises(ConfigurationError, match=message):
        access_token(app)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"SECRET_KEY": None}, 'JWT_SECRET_KEY or flask SECRET_KEY must be set .* "HS256"'),
        ({"ALGORITHM": "ES256"}, 'JWT_PUBLIC_KEY must be set .* "ES256"'),
    ],
)
def test_a_missing_verification_key_is_raised_and_not_answered(
    app: Flask, make_app: MakeApp, options: dict[str, Any], message: str
) -> None:
    """The developer forgot the key, so the token is not called invalid."""
    other = make_app(**options)
    with pytest.raises(ConfigurationError, match=message):
        status(other, headers=bearer(access_token(app)))


@pytest.mark.parametrize(
    ("options", "material"),
    [
        ({"JWT_SECRET_KEY": 987_654_321}, "987654321"),
        ({"JWT_SECRET_KEY": pem(PRIVATE_KEYS["RS256"])[1]}, "BEGIN PUBLIC KEY"),
        ({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": "no PEM but correct horse"}, "horse"),
        ({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": pem(PRIVATE_KEYS["ES256"])[0]}, "BEGIN PRIVATE KEY"),
        ({"JWT_ALGORITHM": "ES384", "JWT_PRIVATE_KEY": pem(PRIVATE_KEYS["ES256"])[0]}, "BEGIN PRIVATE KEY"),
        ({"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": pem(PRIVATE_KEYS["RS256"])[1]}, "BEGIN PUBLIC KEY"),
    ],
)
def test_a_key_that_cannot_sign_is_a_configuration_error_that_does_not_show_it(
    options: dict[str, Any], material: str
) -> None:
    """The message names the option and the algorithm but does not show the key, at the start and later."""
    with pytest.raises(ConfigurationError, match=options.get("JWT_ALGORITHM", "HS256")) as caught:
        JWTManager(bare_app(options))
    late = bare_app()
    JWTManager(late)
    late.config.update(options)
    with pytest.raises(ConfigurationError, match=options.get("JWT_ALGORITHM", "HS256")) as caught_late:
        access_token(late)
    assert list(options)[-1] in str(caught.value)
    assert material not in str(caught.value) + str(caught_late.value)


# --- warnings -------------------------------------------------------------------------------------------------------


@rotated("name", FLAGS, case=[("false", True), ("0", True), ("", False)])
def test_a_string_for_a_flag_warns_and_counts_as_its_truth(name: str, case: tuple[str, bool]) -> None:
    """``"false"`` is most likely an environment variable that was not parsed, and it is true."""
    text, truth = case
    with pytest.warns(UserWarning, match=f"{name} is the string '{text}', which counts as {truth}; use a bool"):
        settings = resolve({"JWT_COOKIE_SECURE": True, name: text})
    assert getattr(settings, name.removeprefix("JWT_").lower()) is truth


@pytest.mark.parametrize("algorithms", [["HS512", "none"], ("none", "HS512"), {"none", "HS512"}])
def test_the_algorithm_none_is_dropped_with_a_warning(algorithms: Any) -> None:
    """The other algorithms stay."""
    with pytest.warns(UserWarning, match="JWT_DECODE_ALGORITHMS contains 'none', which is never accepted; remove it"):
        assert resolve({"JWT_DECODE_ALGORITHMS": algorithms}).decode_algorithms == ("HS512",)


def test_the_algorithm_none_alone_leaves_the_signing_algorithm() -> None:
    """With nothing else in the list, only JWT_ALGORITHM is accepted."""
    with pytest.warns(UserWarning, match="JWT_DECODE_ALGORITHMS"):
        assert resolve({"JWT_DECODE_ALGORITHMS": "none"}).accepted_algorithms == ("HS256",)


def bind_with_init_app(app: Flask) -> None:
    manager = JWTManager()
    manager.init_app(app)


def bind_another_first(app: Flask) -> None:
    manager = JWTManager(bare_app())
    manager.init_app(app)


@rotated(
    "bind,line",
    [
        (JWTManager, "bind(app)"),
        (bind_with_init_app, "manager.init_app(app)"),
        (bind_another_first, "manager.init_app(app)"),
    ]
    * 2,
    mistake=["not a known option", "already has a JWTManager"],
)
def test_a_warning_points_at_the_line_of_the_application(bind: Callable[[Flask], Any], line: str, mistake: str) -> None:
    """It does not point at a line of this package."""
    app = bare_app()
    if mistake == "not a known option":
        app.config["JWT_PROFIL"] = 1
    else:
        JWTManager(app)
    with pytest.warns(UserWarning, match=mistake) as caught:
        bind(app)
    assert [linecache.getline(each.filename, each.lineno).strip() for each in caught] == [line]


# --- secrets --------------------------------------------------------------------------------------------------------

PRIVATE_PEM = pem(PRIVATE_KEYS["RS256"])[0]
SECRETS = {
    "JWT_SECRET_KEY": f"hunter2 and more: {SECRET}",
    "SECRET_KEY": f"swordfish and more: {SECRET}",
    "JWT_PRIVATE_KEY": PRIVATE_PEM,
}


SECRET_PARTS = ["hunter2", "swordfish", "PRIVATE KEY"]


def test_no_secret_shows_in_the_repr_of_settings() -> None:
    """Applications may log them."""
    settings = resolve(SECRETS)
    assert settings.secret_key == SECRETS["JWT_SECRET_KEY"]
    assert [part for part in SECRET_PARTS if part in repr(settings)] == []
    assert repr(settings).startswith("Settings(")
    assert "header_name='Authorization'" in repr(settings)


def test_no_secret_shows_in_the_repr_of_the_extension_state() -> None:
    """Debuggers and error reports show ``app.extensions``."""
    app = bare_app(SECRETS)
    JWTManager(app)
    with app.app_context():
        decode_token(create_access_token("alice"))
    assert [part for part in SECRET_PARTS if part in repr(app.extensions)] == []


# --- what the application owns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("TOKEN_LOCATION", ["headers", "cookies"]),
        ("TOKEN_LOCATION", {"headers", "cookies"}),
        ("DECODE_ALGORITHMS", ["HS512"]),
        ("DECODE_ALGORITHMS", {"HS512"}),
        ("DECODE_AUDIENCE", ["me"]),
        ("ENCODE_AUDIENCE", ["me", "us"]),
        ("DECODE_ISSUER", ["me"]),
        ("CSRF_METHODS", ["post"]),
        ("CSRF_METHODS", {"post"}),
        ("JSON_KEY", ["one", "two"]),
        ("REFRESH_JSON_KEY", ["one", "two"]),
        ("SECRET_KEY", HMACAlgorithm.to_jwk(SECRET, as_dict=True)),
    ],
)
def test_a_container_of_the_application_is_never_changed(make_app: MakeApp, name: str, container: Any) -> None:
    """After a token was made and a request answered, the configuration has the same object with the same contents."""
    before = copy.deepcopy(container)
    app = make_app(**{name: container})
    status(app, headers=bearer(access_token(app)))
    assert container == before
    assert app.config[f"JWT_{name}"] is container


# --- managers and applications --------------------------------------------------------------------------------------


def with_manager(manager: JWTManager, **options: Any) -> Flask:
    app = bare_app({f"JWT_{name}": value for name, value in options.items()})
    manager.init_app(app)
    return app


def test_one_manager_serves_two_applications_with_their_own_options() -> None:
    """Each application signs and verifies by its own configuration, even if another was bound later."""
    manager = JWTManager()
    first = with_manager(manager, IDENTITY_CLAIM="first")
    second = with_manager(manager, IDENTITY_CLAIM="second", SECRET_KEY=OTHER_SECRET)
    for app, claim in ((first, "first"), (second, "second"), (first, "first")):
        with app.app_context():
            assert decode_token(create_access_token("alice"))[claim] == "alice"


def test_applications_that_share_a_manager_do_not_accept_each_others_tokens(make_app: MakeApp) -> None:
    """They share loaders, not keys."""
    first, second = make_app(), make_app(SECRET_KEY=OTHER_SECRET)
    first.extensions["flask-jwt-extended"].init_app(second_twin := bare_app({"JWT_SECRET_KEY": OTHER_SECRET}))
    assert status(first, headers=bearer(access_token(second_twin))) == 422
    assert status(second, headers=bearer(access_token(second_twin))) == 200


def test_a_change_in_one_application_does_not_change_another() -> None:
    """Settings belong to an application, not to its manager."""
    manager = JWTManager()
    first, second = with_manager(manager), with_manager(manager)
    first.config["JWT_ENCODE_ISSUER"] = "first"
    first.config["JWT_CSRF_METHODS"].append("REPORT")
    with second.app_context():
        assert "iss" not in decode_token(access_token(second))
    with first.app_context():
        assert decode_token(access_token(first))["iss"] == "first"
    assert second.config["JWT_CSRF_METHODS"] == DOCUMENTED["JWT_CSRF_METHODS"]


def test_a_second_manager_warns_and_the_last_wins(app: Flask) -> None:
    """The loaders of the first are lost, as in 4.7, but no longer silently."""
    app.extensions["flask-jwt-extended"].unauthorized_loader(lambda _reason: ("first", 418))
    with pytest.warns(UserWarning, match=r"already has a JWTManager.*Make one JWTManager and call init_app on it"):
        second = JWTManager(app)
    second.unauthorized_loader(lambda _reason: ("second", 419))
    assert app.test_client().get("/access").status_code == 419
    assert app.extensions["flask-jwt-extended"] is second


def test_the_same_manager_can_be_bound_twice(app: Flask) -> None:
    """An application factory that calls ``init_app`` again keeps its loaders and gets no warning."""
    manager = app.extensions["flask-jwt-extended"]
    manager.unauthorized_loader(lambda _reason: ("still here", 418))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager.init_app(app)
    assert app.test_client().get("/access").status_code == 418
    assert status(app, headers=bearer(access_token(app))) == 200


def test_the_error_without_a_manager_names_the_missing_call() -> None:
    """Functions of the package need a JWTManager."""
    with pytest.raises(ConfigurationError, match=r"JWTManager\(app\), or jwt\.init_app\(app\)"):
        access_token(bare_app())


def test_the_options_with_secrets_are_marked() -> None:
    """Their values are never shown."""
    assert {each.name for each in OPTIONS if each.secret} == {
        "JWT_SECRET_KEY",
        "JWT_PRIVATE_KEY",
        "JWT_PUBLIC_KEY",
        "JWT_SECRET_KEY_FALLBACKS",
        "JWT_KEYS",
        "JWT_STORE_URI",
    }


def test_settings_have_one_field_that_is_not_an_option() -> None:
    """It is Flask's secret. Everything else is derived."""
    assert set(Settings.__dataclass_fields__) - {each.attribute for each in OPTIONS} == {"flask_secret_key"}
