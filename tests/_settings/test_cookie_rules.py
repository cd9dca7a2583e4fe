"""Cookies that browsers drop are refused when the application starts, and a logout always deletes them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
    unset_access_cookies,
    unset_jwt_cookies,
    unset_refresh_cookies,
)
from flask_jwt_extended.exceptions import ConfigurationError, JWTConfigWarning

from .._cli.helpers import run
from ..axes import PROFILES, both_profiles, rotated
from ..conftest import SECRET

COOKIES = {"JWT_TOKEN_LOCATION": "cookies", "JWT_COOKIE_SECURE": True}
SETTERS: dict[str, Any] = {"access": set_access_cookies, "refresh": set_refresh_cookies}
UNSETTERS: dict[str, Any] = {
    **{"unset both": unset_jwt_cookies, "unset access": unset_access_cookies, "unset refresh": unset_refresh_cookies},
}


def make(profile: str = "compat", **options: Any) -> Flask:
    app = Flask("app")
    app.config.update({"JWT_SECRET_KEY": SECRET, "JWT_PROFILE": profile, **COOKIES, **options})
    JWTManager(app)
    return app


class Browser:
    """Keeps cookies for https://www.example.com as RFC 6265bis, section 5.7 requires."""

    host = "www.example.com"

    def __init__(self) -> None:
        self.jar: dict[tuple[str, str | None, str], str] = {}

    def take(self, response: Response) -> None:
        for line in response.headers.getlist("Set-Cookie"):
            (name, value), *rest = (part.partition("=")[::2] for part in line.split("; "))
            attributes = {key.lower(): text for key, text in rest}
            domain = attributes.get("domain")
            if domain is not None and not (self.host == domain or self.host.endswith(f".{domain}")):
                continue
            bound = name.lower().startswith("__host-")
            if bound and (domain is not None or attributes.get("path") != "/" or "secure" not in attributes):
                continue
            key = name, domain, attributes.get("path", "/")
            if value:
                self.jar[key] = value
            else:
                self.jar.pop(key, None)


def logged_in(app: Flask, **arguments: Any) -> Browser:
    browser = Browser()
    with app.test_request_context():
        response = app.make_response("")
        set_access_cookies(response, create_access_token("ada"), **arguments)
        set_refresh_cookies(response, create_refresh_token("ada"), **arguments)
        browser.take(response)
    return browser


# --- logging out ----------------------------------------------------------------------------------------------------


HOST_NAMES: dict[str, dict[str, Any]] = {
    "strict": {"JWT_PROFILE": "strict"},
    "strict, some": {
        **{"JWT_PROFILE": "strict", "JWT_ACCESS_CSRF_COOKIE_NAME": "csrf", "JWT_REFRESH_COOKIE_NAME": "refresh"},
    },
    "compat, some": {"JWT_ACCESS_COOKIE_NAME": "__Host-access", "JWT_REFRESH_CSRF_COOKIE_NAME": "__HOST-csrf"},
}


@rotated("domain", [None, "", "example.com", ".example.com", "other.example"] * 2, names=list(HOST_NAMES))
def test_unset_jwt_cookies_deletes_cookies_that_are_bound_to_the_host(names: str, domain: str | None) -> None:
    """The ``domain`` argument makes no difference, because such a cookie has no domain."""
    app = make(**HOST_NAMES[names])
    browser = logged_in(app)
    assert len(browser.jar) == 4
    with app.test_request_context():
        response = app.make_response("")
        unset_jwt_cookies(response, domain=domain)
        browser.take(response)
    assert not [name for name, _, _ in browser.jar if name.lower().startswith("__host-")]


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, {}),
        ({"JWT_COOKIE_DOMAIN": "example.com"}, {}),
        ({"JWT_COOKIE_DOMAIN": ".example.com"}, {}),
        ({"JWT_PROFILE": "strict", "JWT_COOKIE_DOMAIN": "example.com"}, {}),
        ({}, {"domain": "example.com"}),
        ({"JWT_COOKIE_DOMAIN": "www.example.com"}, {"domain": "example.com"}),
        ({"JWT_ACCESS_COOKIE_PATH": "/api", "JWT_REFRESH_CSRF_COOKIE_PATH": "/api/refresh"}, {}),
    ],
)
def test_what_was_set_with_a_domain_is_deleted_with_the_same(options: dict[str, Any], arguments: Any) -> None:
    """If login and logout get the same arguments, no cookie is left."""
    app = make(**options)
    browser = logged_in(app, **arguments)
    assert len(browser.jar) == 4
    with app.test_request_context():
        response = app.make_response("")
        unset_jwt_cookies(response, **arguments)
        browser.take(response)
    assert not browser.jar


@pytest.mark.parametrize("setter", SETTERS.values(), ids=SETTERS)
def test_a_cookie_that_is_bound_to_the_host_is_not_set_with_a_domain(setter: Callable[..., None]) -> None:
    """The browser would drop it, so the call raises."""
    app = make("strict")
    with app.test_request_context(), pytest.raises(ConfigurationError, match=r"leave out domain.*'__Secure-"):
        setter(app.make_response(""), create_access_token("ada"), domain="example.com")


def test_only_cookies_that_are_sent_count() -> None:
    """If there are no CSRF cookies, their ``__Host-`` names do not forbid a domain."""
    options = {"JWT_ACCESS_COOKIE_NAME": "token", "JWT_REFRESH_COOKIE_NAME": "refresh", "JWT_CSRF_IN_COOKIES": False}
    app = make("strict", **options)
    with app.test_request_context():
        response = app.make_response("")
        set_access_cookies(response, create_access_token("ada"), domain="example.com")
        assert [line.partition("=")[0] for line in response.headers.getlist("Set-Cookie")] == ["token"]


# --- domains --------------------------------------------------------------------------------------------------------

BAD_DOMAINS = {
    "https://example.com": "URL",
    "http://user:hunter2@example.com": "URL",
    "//example.com": "URL",
    "example.com/": "URL",
    "example.com/app": "path",
    "example.com:5000": "no port",
    "localhost:5000": "no port",
    "127.0.0.1": "IP address",
    "192.168.1.20": "IP address",
    ".10.0.0.1": "IP address",
    "::1": "IP address",
    "[::1]": "IP address",
    "2001:db8::1": "IP address",
    "0x7f.0x1": "IP address",
    "com": "public suffix",
    ".com": "public suffix",
    "COM": "public suffix",
    "dev": "public suffix",
    "intranet": "public suffix",
    "co.uk": "public suffix",
    ".co.uk": "public suffix",
    "Co.Uk": "public suffix",
    "com.au": "public suffix",
    "com.br": "public suffix",
    "co.jp": "public suffix",
    "github.io": "public suffix",
    "herokuapp.com": "public suffix",
    "pages.dev": "public suffix",
    "pythonanywhere.com": "public suffix",
    "*.example.com": "wildcard",
    "*": "wildcard",
    ".*.example.com": "wildcard",
    "example..com": "letters, digits",
    "example.com.": "letters, digits",
    "..example.com": "letters, digits",
    ".": "letters, digits",
    " example.com": "letters, digits",
    "example.com ": "letters, digits",
    "exam ple.com": "letters, digits",
    "example.com,example.org": "letters, digits",
    "example.com; Secure": "letters, digits",
    "example.com\r\nX: y": "no port",
    "user@example.com": "letters, digits",
    f"{'a' * 64}.example.com": "letters, digits",
}
GOOD_DOMAINS = [
    "example.com",
    ".example.com",
    "Example.COM",
    "app.example.co.uk",
    "example.co.uk",
    "me.github.io",
    "my-shop.herokuapp.com",
    "xn--bcher-kva.example",
    "bücher.example",
    "my_host.example.com",
    "localhost",
    ".localhost",
    "app.localhost",
    "1.example.com",
    "internal.corp",
    None,
    "",
    False,  # as in 4.7
]


@rotated("domain,why", BAD_DOMAINS.items(), profile=PROFILES)
def test_a_domain_that_browsers_drop_is_refused_by_init_app(domain: str, why: str, profile: str) -> None:
    """The message names the option and the problem, and never shows a password."""
    with pytest.raises(ConfigurationError, match="JWT_COOKIE_DOMAIN") as caught:
        make(profile, JWT_COOKIE_DOMAIN=domain)
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


@rotated("domain", GOOD_DOMAINS, profile=PROFILES)
def test_a_domain_that_browsers_accept_is_taken(domain: str | bool | None, profile: str) -> None:
    """A leading dot, as in old specifications, and ``localhost`` are accepted too."""
    app = make(profile, JWT_COOKIE_DOMAIN=domain)
    with app.test_request_context():
        response = app.make_response("")
        set_access_cookies(response, create_access_token("ada"))
    assert len(response.headers.getlist("Set-Cookie")) == 2


@rotated("domain", list(BAD_DOMAINS), function=[*SETTERS, *UNSETTERS])
def test_the_domain_of_a_call_is_checked_as_well(function: str, domain: str) -> None:
    """The functions that set and delete cookies raise for it."""
    app = make(JWT_COOKIE_CSRF_PROTECT=False)
    token = ["token"] if function in SETTERS else []
    with app.test_request_context(), pytest.raises(ConfigurationError, match=r"^domain "):
        (SETTERS | UNSETTERS)[function](app.make_response(""), *token, domain=domain)


@pytest.mark.parametrize("domain", ["https://example.com", "co.uk"])
def test_a_bad_domain_set_after_init_app_lets_no_request_pass(domain: str) -> None:
    """The next use raises, as for every option."""
    app = make()
    app.config["JWT_COOKIE_DOMAIN"] = domain
    with app.test_request_context(), pytest.raises(ConfigurationError, match="JWT_COOKIE_DOMAIN"):
        set_access_cookies(app.make_response(""), "token")


# --- names ----------------------------------------------------------------------------------------------------------

#: Options with one name for two cookies.
SAME: list[dict[str, Any]] = [
    {"JWT_ACCESS_COOKIE_NAME": "token", "JWT_REFRESH_COOKIE_NAME": "token"},
    {"JWT_REFRESH_COOKIE_NAME": "access_token_cookie", "JWT_ACCESS_COOKIE_NAME": "access_token_cookie"},
    {"JWT_ACCESS_CSRF_COOKIE_NAME": "csrf", "JWT_REFRESH_CSRF_COOKIE_NAME": "csrf"},
    {"JWT_ACCESS_COOKIE_NAME": "token", "JWT_ACCESS_CSRF_COOKIE_NAME": "token"},
    {"JWT_ACCESS_COOKIE_NAME": "token", "JWT_REFRESH_CSRF_COOKIE_NAME": "token"},
    {"JWT_REFRESH_COOKIE_NAME": "token", "JWT_ACCESS_CSRF_COOKIE_NAME": "token"},
    {"JWT_REFRESH_COOKIE_NAME": "token", "JWT_REFRESH_CSRF_COOKIE_NAME": "token"},
]
PATHS = (
    "JWT_ACCESS_COOKIE_PATH",
    "JWT_REFRESH_COOKIE_PATH",
    "JWT_ACCESS_CSRF_COOKIE_PATH",
    "JWT_REFRESH_CSRF_COOKIE_PATH",
)


def on_paths(names: dict[str, Any], first: str, second: str) -> dict[str, Any]:
    """Add two different paths to options with the same names."""
    one, other = (name.replace("_NAME", "_PATH") for name in names)
    return {**names, one: first, other: second}


@rotated("names", SAME, profile=PROFILES)
def test_one_name_for_two_cookies_is_refused_by_init_app(names: dict[str, Any], profile: str) -> None:
    """Each would replace the other if they have the same path."""
    for options in (names, on_paths(names, "/api", "/api")):
        with pytest.raises(ConfigurationError, match="each cookie replaces the other") as caught:
            make(profile, **options)
        assert all(name in str(caught.value) for name in names)


@rotated("names", SAME, paths=[("/", "/refresh"), ("/api", "/api/refresh"), ("/api/", "/api/x"), ("/x", "/")])
def test_one_name_on_paths_that_overlap_is_refused_by_strict_and_a_warning_in_compat(
    names: dict[str, Any], paths: tuple[str, str]
) -> None:
    """It may work, because browsers send the cookie with the longer path first, so compat accepts it as 4.7 does."""
    options = on_paths(names, *paths)
    with pytest.warns(JWTConfigWarning, match="some requests carry both"):
        make("compat", **options)
    with pytest.raises(ConfigurationError, match="some requests carry both"):
        make("strict", **options)


@rotated("names", SAME, profile=PROFILES)
def test_one_name_on_paths_that_do_not_overlap_is_accepted(names: dict[str, Any], profile: str) -> None:
    """No request carries both cookies."""
    make(profile, **on_paths(names, "/api", "/auth"))
    make(profile, **on_paths(names, "/api", "/apiary"))


@rotated("off", [{"JWT_CSRF_IN_COOKIES": False}, {"JWT_COOKIE_CSRF_PROTECT": False}] * 2, profile=PROFILES)
def test_names_of_cookies_that_are_never_set_do_not_matter(profile: str, off: dict[str, Any]) -> None:
    """Two CSRF cookies may have the same name if neither is set."""
    make(profile, JWT_ACCESS_CSRF_COOKIE_NAME="csrf", JWT_REFRESH_CSRF_COOKIE_NAME="csrf", **off)


NAMES = (
    "JWT_ACCESS_COOKIE_NAME",
    "JWT_REFRESH_COOKIE_NAME",
    "JWT_ACCESS_CSRF_COOKIE_NAME",
    "JWT_REFRESH_CSRF_COOKIE_NAME",
)


@rotated(
    "name",
    ["a=b", "a;b", " a", "a ", "a\tb", "a\nb", "a\r\nSet-Cookie: x", "\x00"],
    option=NAMES,
    profile=PROFILES,
)
def test_a_name_that_no_cookie_can_have_is_refused(option: str, name: str, profile: str) -> None:
    """Both profiles refuse it."""
    with pytest.raises(ConfigurationError, match=option):
        make(profile, **{option: name})


@rotated("name", ["a b", "a,b", "a/b", "a@b", "a[0]", 'a"b', "tökèn", "(a)"], option=NAMES)
def test_a_name_with_other_characters_is_refused_by_strict_and_a_warning_in_compat(option: str, name: str) -> None:
    """Most browsers keep such a cookie, so it works with 4.7 (RFC 6265, section 4.1.1)."""
    with pytest.warns(JWTConfigWarning, match=option):
        make(**{option: name})
    with pytest.raises(ConfigurationError, match=option):
        make("strict", **{option: name})


@rotated("path", ["", "api", "./api"] * 2, option=PATHS)
def test_a_path_without_a_slash_is_refused_by_strict_and_a_warning_in_compat(option: str, path: str) -> None:
    """Browsers use the folder of the page instead, so a logout on another page would not delete the cookie."""
    with pytest.warns(JWTConfigWarning, match=f"{option} is '{path}'"):
        make(**{option: path})
    name = option.replace("_PATH", "_NAME")
    with pytest.raises(ConfigurationError, match=f"{option} is '{path}'"):
        make("strict", **{option: path, name: "a-name"})


def findings(app: Flask) -> list[str]:
    """The findings of ``flask jwt check`` about cookies that may not work."""
    found = json.loads(run(app, "check", "--json").output)
    return [finding["message"] for finding in found if finding["code"] == "doubtful_cookie"]


def test_flask_jwt_check_reports_doubtful_cookies() -> None:
    """It finds those that were configured after init_app, and a name that Flask's session cookie has too."""
    app = make()
    assert findings(app) == []
    app.config["JWT_ACCESS_COOKIE_NAME"] = "session"
    app.config["JWT_REFRESH_COOKIE_PATH"] = "auth"
    path, session = findings(app)
    assert "JWT_REFRESH_COOKIE_PATH is 'auth'" in path
    assert "SESSION_COOKIE_NAME is 'session'" in session


# --- prefixes and attributes ----------------------------------------------------------------------------------------


@rotated(
    "options,fix",
    [
        ({"JWT_ACCESS_COOKIE_NAME": "__Host-a", "JWT_COOKIE_DOMAIN": "example.com"}, "no JWT_COOKIE_DOMAIN"),
        ({"JWT_ACCESS_COOKIE_NAME": "__HOST-a", "JWT_ACCESS_COOKIE_PATH": "/api"}, "needs the path /"),
        ({"JWT_REFRESH_COOKIE_NAME": "__Host-a", "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE = True"),
        ({"JWT_REFRESH_COOKIE_NAME": "__Secure-a", "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE = True"),
        ({"JWT_REFRESH_COOKIE_NAME": "__Http-a", "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE = True"),
        ({"JWT_ACCESS_CSRF_COOKIE_NAME": "__Http-a"}, "scripts cannot read"),
        ({"JWT_REFRESH_CSRF_COOKIE_NAME": "__Host-Http-a"}, "scripts cannot read"),
        ({"JWT_COOKIE_SAMESITE": "None", "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE = True"),
        ({"JWT_COOKIE_PARTITIONED": True, "JWT_COOKIE_SECURE": False}, "JWT_COOKIE_SECURE = True"),
    ],
    profile=PROFILES,
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], fix: str, profile: str) -> None:
    """Browsers would drop the cookie (RFC 6265bis, section 4.1.3, and CHIPS)."""
    with pytest.raises(ConfigurationError, match=fix):
        make(profile, **options)


@rotated("name", ["__Http-a", "__Host-Http-a", "__Host-a", "__Secure-a"], profile=PROFILES)
def test_a_token_cookie_can_have_every_prefix(name: str, profile: str) -> None:
    """It is Secure and HttpOnly."""
    make(profile, JWT_ACCESS_COOKIE_NAME=name)


@both_profiles
def test_the_default_options_warn_of_nothing(profile: str) -> None:
    """Neither does a domain or a path."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(profile)
        make(profile, JWT_COOKIE_DOMAIN="example.com", JWT_REFRESH_COOKIE_PATH="/auth")


# --- origins --------------------------------------------------------------------------------------------------------

BAD_ORIGINS = [
    "*",
    "https://*",
    "https://*.example.com",
    "*.example.com",
    "https://app.example.com:*",
    "http*://app.example.com",
    "app.example.com",
    "//app.example.com",
    "https:app.example.com",
    "https://app.example.com/",
    "https://app.example.com/login",
    "https://app.example.com?x=1",
    "https://app.example.com#x",
    "https://",
    "https://:8443",
    "null",
    "",
    "https://app.example.com:443",
    "http://app.example.com:80",
    "https://app.example.com:",
    "https://app.example.com:99999",
    "https://app.example.com:port",
    "https://user:hunter2@app.example.com",
    "https://.example.com",
    "https://app..example.com",
    "https://app.example.com,https://b.example.com",
    "https://app.example.com https://b.example.com",
    r"https://.*\.example\.com",
    "^https://app.example.com$",
    "https://bücher.example",
    "https://[::1",
]


@rotated("origin", BAD_ORIGINS, profile=PROFILES)
def test_an_origin_that_no_browser_sends_is_refused_by_init_app(origin: str, profile: str) -> None:
    """It would never match, or a wildcard would seem to work."""
    with pytest.raises(ConfigurationError, match="JWT_TRUSTED_ORIGINS") as caught:
        make(profile, JWT_TRUSTED_ORIGINS=["https://good.example", origin])
    assert "hunter2" not in str(caught.value)


@rotated(
    "origin",
    [
        "https://app.example.com",
        "https://app.example.com:8443",
        "http://localhost:3000",
        "http://localhost",
        "https://127.0.0.1:5173",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "https://my_host.example.com",
        "chrome-extension://abcdefghijklmnop",
        "capacitor://localhost",
    ],
    profile=PROFILES,
)
def test_an_origin_that_browsers_send_is_accepted(origin: str, profile: str) -> None:
    """That includes ports other than the default, and origins of extensions and apps."""
    make(profile, JWT_TRUSTED_ORIGINS=[origin])


# --- reading --------------------------------------------------------------------------------------------------------


@rotated("before", ["", "\u00a0", "\u2000", "\u3000", "\x85", "\x1c", "=", "x"], quoted=[False, True])
def test_a_cookie_of_another_name_is_not_read_as_one_that_is_bound_to_the_host(before: str, quoted: bool) -> None:
    """A sibling domain may set such a name; Werkzeug before 3.1.9 strips what stands before ``__Host-``."""
    app = make("strict", JWT_COOKIE_CSRF_PROTECT=False)
    app.add_url_rule("/", view_func=jwt_required()(lambda: ""))
    with app.app_context():
        token = create_access_token("mallory")
    name = f"{before}__Host-access_token_cookie".encode().decode("latin-1")
    header = f'{name}="{token}"' if quoted else f"{name}={token}"
    response = app.test_client(use_cookies=False).get("/", environ_overrides={"HTTP_COOKIE": header})
    assert response.status_code == (401 if before else 200)
