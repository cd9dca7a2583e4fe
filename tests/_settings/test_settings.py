"""Configuration: what every option is by default, which values are refused, and which changes are noticed."""

from __future__ import annotations

import copy
import linecache
import warnings
from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm

from flask_jwt_extended import JWTManager, create_access_token, decode_token
from flask_jwt_extended._settings.options import OPTIONS, option_name
from flask_jwt_extended._settings.settings import Settings, resolve
from flask_jwt_extended.exceptions import ConfigurationError

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

#: Every option and its default, as the configuration page gives them.
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
#: What JWT_PROFILE = "strict" makes of some defaults.
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
#: Where Settings hold a default in another shape than applications write it.
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
    """An application that no manager knows yet."""
    app = Flask("bare")
    app.config.update({"JWT_SECRET_KEY": SECRET, **(options or {})})
    return app


def access_token(app: Flask, identity: str = "alice") -> str:
    with app.app_context():
        return create_access_token(identity)


def status(app: Flask, path: str = "/access", **request: Any) -> int:
    """The status that the application answers a request with; GET if not told otherwise."""
    app.testing = True
    return app.test_client(use_cookies=False).open(path, **request).status_code


# --- defaults -------------------------------------------------------------------------------------------------------


def test_every_option_is_in_the_table_of_defaults() -> None:
    """No option is declared that the tables above do not check, and none of them has gone."""
    assert {each.name for each in OPTIONS} == set(DOCUMENTED)


@pytest.mark.parametrize(("name", "default"), DOCUMENTED.items())
def test_init_app_leaves_the_documented_default_in_the_configuration(name: str, default: Any) -> None:
    """Applications read defaults from ``app.config``, as with 4.7."""
    app = Flask("defaults")
    JWTManager(app)
    assert app.config[name] == default
    assert type(app.config[name]) is type(default)


@pytest.mark.parametrize(("name", "default"), DOCUMENTED.items())
def test_settings_of_an_empty_configuration_are_the_documented_defaults(name: str, default: Any) -> None:
    """What a configuration lacks takes its default when it is resolved."""
    attribute = name.removeprefix("JWT_").lower()
    assert getattr(resolve({}), attribute) == PARSED.get(name, default)
    assert option_name(attribute) == name


def test_a_default_list_is_not_shared_between_applications() -> None:
    """An application that changes the list it got as default changes nobody else's."""
    first, second = bare_app(), bare_app()
    JWTManager(first)
    first.config["JWT_CSRF_METHODS"].append("REPORT")
    JWTManager(second)
    assert second.config["JWT_CSRF_METHODS"] == DOCUMENTED["JWT_CSRF_METHODS"]


def test_init_app_keeps_what_the_application_has_set() -> None:
    """A default never overwrites a value, not even one that is false."""
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
    """Settings are a value: whoever wants others changes ``app.config``."""
    with pytest.raises(FrozenInstanceError):
        resolve({}).header_name = "X-Token"  # type: ignore[misc]  # this is what must fail


# --- profiles -------------------------------------------------------------------------------------------------------


def test_the_strict_profile_swaps_the_documented_defaults_and_no_others() -> None:
    """They are left in the configuration like any default."""
    app = bare_app({"JWT_PROFILE": "strict"})
    JWTManager(app)
    expected = {**DOCUMENTED, **STRICT, "JWT_PROFILE": "strict", "JWT_SECRET_KEY": SECRET}
    assert {name: app.config[name] for name in expected} == expected


@pytest.mark.parametrize("name", STRICT)
def test_an_option_that_is_set_wins_over_the_profile(name: str) -> None:
    """Even where it is set to the default of the other profile."""
    app = bare_app({"JWT_PROFILE": "strict", name: DOCUMENTED[name]})
    JWTManager(app)
    assert app.config[name] == DOCUMENTED[name]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"JWT_COOKIE_DOMAIN": "example.com"}, "__Secure-access_token_cookie"),
        ({"JWT_ACCESS_COOKIE_PATH": "/api"}, "__Secure-access_token_cookie"),
        ({"JWT_REFRESH_COOKIE_PATH": "/api"}, "__Host-access_token_cookie"),
        ({"JWT_COOKIE_SECURE": False}, "access_token_cookie"),
    ],
)
def test_strict_cookie_names_promise_what_the_other_options_allow(options: dict[str, Any], name: str) -> None:
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
def test_a_cookie_name_that_promises_what_other_options_break_is_refused(options: dict[str, Any], fix: str) -> None:
    """Browsers drop such a cookie silently."""
    with pytest.raises(ConfigurationError, match=fix) as caught:
        resolve({"JWT_COOKIE_SECURE": True, "JWT_REFRESH_CSRF_COOKIE_NAME": "__host-csrf", **options})
    assert "'__host-csrf'" in str(caught.value)


def test_a_change_of_profile_changes_the_defaults_and_leaves_what_is_set(make_app: MakeApp) -> None:
    """Both ways, on the next request."""
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
    """Each form that a value may be written in becomes the one form that the rest of the package reads."""
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
WRONG: list[tuple[str, Any, str]] = [
    *((name, value, "must be") for name in NAMES for value in (5, None, b"bytes")),
    *((name, "", "cannot be empty") for name in NAMES),
    *((name, [], "cannot be empty") for name in ("JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY")),
    *((name, ["a", ""], "cannot be empty") for name in ("JWT_JSON_KEY", "JWT_REFRESH_JSON_KEY")),
    *((name, value, "must be a string") for name in TEXTS for value in (5, b"bytes", ["list"])),
    *(
        (name, value, "use a timedelta, seconds, or False")
        for name in LIFETIMES
        for value in (None, True, "15 minutes", "900", float("nan"), float("inf"), timedelta.max, [900])
    ),
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
        for name, fix in {
            "JWT_PROFILE": "'compat' or 'strict'",
            "JWT_ERROR_STYLE": "'compat' or 'rfc6750'",
            "JWT_KEY_STRENGTH": "'warn' or 'refuse'",
        }.items()
        for value in ("Strict", "", None, True, ["strict"])
    ),
    *(("JWT_REQUIRED_CLAIMS", value, "must be a string") for value in (5, [5], [None])),
    ("JWT_REQUIRED_CLAIMS", ["exp", ""], "cannot be empty"),
    *(
        ("JWT_TRUSTED_ORIGINS", value, 'origins such as "https://app.example.com"')
        for value in ("app.example.com", "https://app.example.com/", ["https://a.example", "*"], "null", "https://")
    ),
    *(("JWT_TRUSTED_ORIGINS", value, "must be a string") for value in (5, [5], b"https://app.example.com")),
    ("JWT_COOKIE_PARTITIONED", True, "needs JWT_COOKIE_SECURE = True"),
    *(("JWT_CSRF_METHODS", value, "list of strings") for value in ("POST,PUT", "POST PUT", ["POST,PUT"])),
]


@pytest.mark.parametrize("name", ["JWT_ENCODE_AUDIENCE", "JWT_ENCODE_ISSUER"])
@pytest.mark.parametrize("profile", ["compat", "strict"])
def test_a_wrong_value_is_reported_under_the_name_it_was_set_by(name: str, profile: str) -> None:
    """Under strict it is the default of what is decoded, too."""
    app = Flask("app")
    app.config.update({"JWT_SECRET_KEY": SECRET, "JWT_PROFILE": profile, name: 5})
    with pytest.raises(ConfigurationError, match=f"^{name} "):
        JWTManager(app)


@pytest.mark.parametrize("path", ["jwks.json", "https://user:hunter2@example.com/jwks.json"])
def test_the_path_of_the_key_set_begins_with_a_slash(path: str) -> None:
    """Refused before anything is registered, and without a password in the message."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_JWKS_PATH=path)
    with pytest.raises(ConfigurationError, match=r"^JWT_JWKS_PATH must be a path") as caught:
        JWTManager(app)
    assert "hunter2" not in str(caught.value)
    assert "flask-jwt-extended" not in app.extensions


@pytest.mark.parametrize(("name", "value", "fix"), WRONG)
def test_init_app_refuses_a_wrong_value_and_names_the_option_and_the_fix(name: str, value: Any, fix: str) -> None:
    """A value that cannot work is the developer's error when the application starts, not a failing request later."""
    with pytest.raises(ConfigurationError) as caught:
        JWTManager(bare_app({name: value}))
    message = str(caught.value)
    assert name in message
    assert fix in message


@pytest.mark.parametrize(("name", "value"), COLLECTIONS.items())
def test_what_can_be_read_only_once_is_refused(name: str, value: str) -> None:
    """A generator would be empty when the configuration is read again, and an empty list of methods checks nothing."""
    with pytest.raises(ConfigurationError, match=name):
        JWTManager(bare_app({name: map(str, [value])}))


@pytest.mark.parametrize("value", ["None", "none", "NONE"])
def test_same_site_none_without_secure_is_refused(value: str) -> None:
    """Browsers drop such a cookie silently, so the developer is told."""
    with pytest.raises(ConfigurationError, match=r"JWT_COOKIE_SAMESITE .*needs JWT_COOKIE_SECURE = True"):
        JWTManager(bare_app({"JWT_COOKIE_SAMESITE": value}))


@pytest.mark.parametrize("value", ["None", "none", "NONE"])
def test_same_site_none_with_secure_is_taken(value: str) -> None:
    """Together with Secure it is what cookies across sites need."""
    assert resolve({"JWT_COOKIE_SAMESITE": value, "JWT_COOKIE_SECURE": True}).cookie_samesite == "None"


def test_a_failed_init_app_leaves_no_manager_behind() -> None:
    """A manager that refused the configuration is not in the way of the next, which starts without a warning."""
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
    """An application may start without keys, but not sign without one."""
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
    """Nobody's token is called invalid because the developer forgot the key."""
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
    """The message names the option and the algorithm, and nothing of the key itself: at the start, and later on."""
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


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(("text", "truth"), [("false", True), ("0", True), ("", False)])
def test_a_string_for_a_flag_warns_and_counts_as_its_truth(name: str, text: str, truth: bool) -> None:
    """``"false"`` is most likely an environment variable that nobody parsed, and it is true."""
    with pytest.warns(UserWarning, match=f"{name} is the string '{text}', which counts as {truth}; use a bool"):
        settings = resolve({"JWT_COOKIE_SECURE": True, name: text})
    assert getattr(settings, name.removeprefix("JWT_").lower()) is truth


@pytest.mark.parametrize("algorithms", [["HS512", "none"], ("none", "HS512"), {"none", "HS512"}])
def test_the_algorithm_none_is_dropped_with_a_warning(algorithms: Any) -> None:
    """Whoever lists ``none`` is told that it is never accepted; the others stay."""
    with pytest.warns(UserWarning, match="JWT_DECODE_ALGORITHMS contains 'none', which is never accepted; remove it"):
        assert resolve({"JWT_DECODE_ALGORITHMS": algorithms}).decode_algorithms == ("HS512",)


def test_the_algorithm_none_alone_leaves_the_signing_algorithm() -> None:
    """With nothing else on the list, tokens signed as JWT_ALGORITHM says are accepted, and no others."""
    with pytest.warns(UserWarning, match="JWT_DECODE_ALGORITHMS"):
        assert resolve({"JWT_DECODE_ALGORITHMS": "none"}).accepted_algorithms == ("HS256",)


@pytest.mark.parametrize("name", ["PYJWT_SECRET", "JWT", "MY_JWT_OPTION"])
def test_an_option_of_somebody_else_is_no_concern(name: str) -> None:
    """Only names that start with ``JWT_`` are judged."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        JWTManager(bare_app({name: 1}))


def test_the_warning_about_an_unknown_option_does_not_show_its_value() -> None:
    """A misspelt secret stays a secret."""
    with pytest.warns(UserWarning, match="JWT_SECRET_KEYS") as caught:
        JWTManager(bare_app({"JWT_SECRET_KEYS": "hunter2"}))
    assert "hunter2" not in str(caught[0].message)


def bind_with_init_app(app: Flask) -> None:
    manager = JWTManager()
    manager.init_app(app)


def bind_another_first(app: Flask) -> None:
    manager = JWTManager(bare_app())
    manager.init_app(app)


@pytest.mark.parametrize(
    ("bind", "line"),
    [
        (JWTManager, "bind(app)"),
        (bind_with_init_app, "manager.init_app(app)"),
        (bind_another_first, "manager.init_app(app)"),
    ],
)
@pytest.mark.parametrize("mistake", ["not a known option", "already has a JWTManager"])
def test_a_warning_points_at_the_line_of_the_application(bind: Callable[[Flask], Any], line: str, mistake: str) -> None:
    """The warning names the line that made the mistake, not one of this package."""
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


@pytest.mark.parametrize("text", ["hunter2", "swordfish", "PRIVATE KEY"])
def test_no_secret_shows_in_the_repr_of_settings(text: str) -> None:
    """Settings may be logged."""
    settings = resolve(SECRETS)
    assert settings.secret_key == SECRETS["JWT_SECRET_KEY"]
    assert text not in repr(settings)
    assert "header_name='Authorization'" in repr(settings)


@pytest.mark.parametrize("text", ["hunter2", "swordfish", "PRIVATE KEY"])
def test_no_secret_shows_in_the_repr_of_what_the_application_keeps(text: str) -> None:
    """``app.extensions`` is shown by debuggers and error reports, which dump what they find."""
    app = bare_app(SECRETS)
    JWTManager(app)
    with app.app_context():
        decode_token(create_access_token("alice"))
    assert text not in repr(app.extensions)


# --- changes after init_app -----------------------------------------------------------------------------------------


def test_an_option_set_after_init_app_is_honoured_on_the_next_request(app: Flask) -> None:
    """Tests above all change the configuration of an application that exists already."""
    headers = {"X-Token": f"Bearer {access_token(app)}"}
    assert status(app, headers=headers) == 401
    app.config["JWT_HEADER_NAME"] = "X-Token"
    assert status(app, headers=headers) == 200


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "SECRET_KEY"])
def test_a_secret_changed_after_init_app_is_honoured(make_app: MakeApp, name: str) -> None:
    """Tokens of the old secret are refused and those of the new one pass, whichever of the two options holds it."""
    app = make_app(SECRET_KEY=None)
    app.config[name] = SECRET
    old = access_token(app)
    assert status(app, headers=bearer(old)) == 200
    app.config[name] = OTHER_SECRET
    assert status(app, headers=bearer(old)) == 422
    assert status(app, headers=bearer(access_token(app))) == 200


def test_a_csrf_method_added_in_place_is_checked_on_the_next_request(make_app: MakeApp) -> None:
    """The list that ``init_app`` left in the configuration is the application's to change."""
    app = make_app(TOKEN_LOCATION="cookies")
    cookie = {"Cookie": f"access_token_cookie={access_token(app)}"}
    assert status(app, method="REPORT", headers=cookie) == 200
    app.config["JWT_CSRF_METHODS"].append("REPORT")
    assert status(app, method="REPORT", headers=cookie) == 401
    app.config["JWT_CSRF_METHODS"].remove("REPORT")
    assert status(app, method="REPORT", headers=cookie) == 200


def test_the_default_list_stays_the_one_that_the_application_holds(make_app: MakeApp) -> None:
    """Whoever took it from the configuration can add to it, whatever else has changed in between."""
    app = make_app(TOKEN_LOCATION="cookies")
    methods = app.config["JWT_CSRF_METHODS"]
    app.config["JWT_ENCODE_ISSUER"] = "me"
    cookie = {"Cookie": f"access_token_cookie={access_token(app)}"}
    methods.append("REPORT")
    assert status(app, method="REPORT", headers=cookie) == 401


@pytest.mark.parametrize(("container", "add"), [([], list.append), (set(), set.add)], ids=["list", "set"])
def test_a_location_added_in_place_is_searched_on_the_next_request(
    make_app: MakeApp, container: Any, add: Callable[[Any, str], None]
) -> None:
    """A change inside a list or a set is a change."""
    add(container, "headers")
    app = make_app(TOKEN_LOCATION=container)
    url = f"/access?jwt={access_token(app)}"
    assert status(app, url) == 401
    add(container, "query_string")
    assert status(app, url) == 200


def test_locations_reordered_in_place_change_their_precedence(make_app: MakeApp) -> None:
    """The order of the list counts too."""
    locations = ["headers", "query_string"]
    app = make_app(TOKEN_LOCATION=locations)
    url = f"/access?jwt={access_token(app, 'queried')}"
    client = app.test_client()
    assert client.get(url, headers=bearer(access_token(app, "headed"))).get_json()["identity"] == "headed"
    locations.reverse()
    assert client.get(url, headers=bearer(access_token(app, "headed"))).get_json()["identity"] == "queried"


@pytest.mark.parametrize(
    ("name", "claims"),
    [("DECODE_AUDIENCE", {"aud": "us"}), ("DECODE_ISSUER", {"iss": "us"})],
)
def test_a_party_removed_in_place_is_refused_on_the_next_request(
    make_app: MakeApp, name: str, claims: dict[str, Any]
) -> None:
    """Trust that is withdrawn inside a list ends at once."""
    parties = ["me", "us"]
    app = make_app(**{name: parties})
    with app.app_context():
        token = create_access_token("alice", additional_claims=claims)
    assert status(app, headers=bearer(token)) == 200
    parties.remove("us")
    assert status(app, headers=bearer(token)) == 422


def test_an_algorithm_removed_in_place_is_refused_on_the_next_request(make_app: MakeApp) -> None:
    """The same for algorithms."""
    algorithms = ["HS512"]
    app = make_app(DECODE_ALGORITHMS=algorithms)
    token = access_token(make_app(ALGORITHM="HS512"))
    assert status(app, headers=bearer(token)) == 200
    algorithms.clear()
    assert status(app, headers=bearer(token)) == 422


def test_a_jwk_changed_in_place_is_used_on_the_next_request(make_app: MakeApp) -> None:
    """A key given as a mapping is a container as well."""
    keys = PRIVATE_KEYS["EdDSA"], Ed25519PrivateKey.generate()
    mine, other = (OKPAlgorithm.to_jwk(each.public_key(), as_dict=True) for each in keys)
    app = make_app(ALGORITHM="EdDSA", PRIVATE_KEY=keys[0], PUBLIC_KEY=mine)
    token = access_token(app)
    assert status(app, headers=bearer(token)) == 200
    mine.update(other)
    assert status(app, headers=bearer(token)) == 422


@pytest.mark.parametrize(("before", "after", "expires"), [(False, 0, True), (0, False, False)])
def test_never_and_at_once_are_told_apart_though_python_calls_them_equal(
    make_app: MakeApp, before: Any, after: Any, expires: bool
) -> None:
    """``False == 0``, but one lifetime is for ever and the other none at all."""
    app = make_app(ACCESS_TOKEN_EXPIRES=before)
    access_token(app)
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = after
    with app.app_context():
        claims = decode_token(access_token(app), allow_expired=True)
    assert ("exp" in claims) is expires


def test_an_option_deleted_from_the_configuration_falls_back_to_its_default(make_app: MakeApp) -> None:
    """Without its option the extension is as if it had never been set, and the default is back to be read."""
    app = make_app(HEADER_NAME="X-Token")
    token = access_token(app)
    assert status(app, headers=bearer(token)) == 401
    del app.config["JWT_HEADER_NAME"]
    assert status(app, headers=bearer(token)) == 200
    assert app.config["JWT_HEADER_NAME"] == "Authorization"


def test_a_wrong_value_set_after_init_app_lets_no_request_pass_until_it_is_mended(app: Flask) -> None:
    """The request fails with the developer's error: an option that cannot be read is not taken as another."""
    headers = bearer(access_token(app))
    app.config["JWT_TOKEN_LOCATION"] = ["banana"]
    with pytest.raises(ConfigurationError, match="JWT_TOKEN_LOCATION"):
        status(app, headers=headers)
    app.config["JWT_TOKEN_LOCATION"] = ["headers"]
    assert status(app, headers=headers) == 200


def test_secure_turned_off_under_same_site_none_is_refused_as_at_the_start(make_app: MakeApp) -> None:
    """What two options must agree on is checked after a change as well."""
    app = make_app(COOKIE_SAMESITE="None", COOKIE_SECURE=True)
    app.config["JWT_COOKIE_SECURE"] = False
    with pytest.raises(ConfigurationError, match="JWT_COOKIE_SECURE"):
        access_token(app)


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
    """After tokens were made and requests answered, the very object the application gave is as it gave it."""
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
    """Each application signs and verifies by its own configuration, whichever was bound last."""
    manager = JWTManager()
    first = with_manager(manager, IDENTITY_CLAIM="first")
    second = with_manager(manager, IDENTITY_CLAIM="second", SECRET_KEY=OTHER_SECRET)
    for app, claim in ((first, "first"), (second, "second"), (first, "first")):
        with app.app_context():
            assert decode_token(create_access_token("alice"))[claim] == "alice"


def test_applications_that_share_a_manager_do_not_accept_each_others_tokens(make_app: MakeApp) -> None:
    """Sharing loaders is not sharing keys."""
    first, second = make_app(), make_app(SECRET_KEY=OTHER_SECRET)
    first.extensions["flask-jwt-extended"].init_app(second_twin := bare_app({"JWT_SECRET_KEY": OTHER_SECRET}))
    assert status(first, headers=bearer(access_token(second_twin))) == 422
    assert status(second, headers=bearer(access_token(second_twin))) == 200


def test_a_change_in_one_application_is_none_in_another() -> None:
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
    """The loaders of the first are gone, as in 4.7, but no longer in silence."""
    app.extensions["flask-jwt-extended"].unauthorized_loader(lambda _reason: ("first", 418))
    with pytest.warns(UserWarning, match=r"already has a JWTManager.*Make one JWTManager and call init_app on it"):
        second = JWTManager(app)
    second.unauthorized_loader(lambda _reason: ("second", 419))
    assert app.test_client().get("/access").status_code == 419
    assert app.extensions["flask-jwt-extended"] is second


def test_the_same_manager_twice_is_fine(app: Flask) -> None:
    """An application factory that calls ``init_app`` again loses nothing and hears nothing."""
    manager = app.extensions["flask-jwt-extended"]
    manager.unauthorized_loader(lambda _reason: ("still here", 418))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager.init_app(app)
    assert app.test_client().get("/access").status_code == 418
    assert status(app, headers=bearer(access_token(app))) == 200


def test_an_application_without_a_manager_is_told_how_to_get_one() -> None:
    """The error names the call that is missing."""
    with pytest.raises(ConfigurationError, match=r"JWTManager\(app\), or jwt\.init_app\(app\)"):
        access_token(bare_app())


def test_every_declared_option_documents_itself() -> None:
    """The reference page is made from these paragraphs: none is missing, and secrets are marked as such."""
    assert all(each.doc.endswith(".") for each in OPTIONS)
    assert {each.name for each in OPTIONS if each.secret} == {
        "JWT_SECRET_KEY",
        "JWT_PRIVATE_KEY",
        "JWT_PUBLIC_KEY",
        "JWT_SECRET_KEY_FALLBACKS",
        "JWT_KEYS",
        "JWT_STORE_URI",
    }


def test_settings_have_no_field_that_is_no_option_but_flasks_secret() -> None:
    """Whatever else Settings offer is worked out from the options."""
    assert set(Settings.__dataclass_fields__) - {each.attribute for each in OPTIONS} == {"flask_secret_key"}
