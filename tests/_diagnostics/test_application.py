"""What ``flask jwt check`` and ``flask jwt inspect`` find, asked of the functions that find it."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from dateutil.relativedelta import relativedelta
from flask import Blueprint, Flask, request
from flask.views import MethodView

from flask_jwt_extended import (
    JWTManager,
    jwt_required,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import CHECKS, check, startup_checks
from flask_jwt_extended._diagnostics.keys import KEY_CHECKS
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.findings import Finding
from flask_jwt_extended.stores.memory import MemoryStore

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, pem

NOW = 1_700_000_000
RSA_PRIVATE, RSA_PUBLIC = pem(PRIVATE_KEYS["RS256"])
RSA_KEYS = {"ALGORITHM": "RS256", "PRIVATE_KEY": RSA_PRIVATE, "PUBLIC_KEY": RSA_PUBLIC}
COOKIES = {"TOKEN_LOCATION": ["cookies"]}


class Healthy(MemoryStore):
    """A store without findings."""

    def findings(self, now: float) -> Iterator[Finding]:
        return iter(())


STORE = {"STORE_URI": Healthy()}


def findings(app: Flask) -> dict[str, str]:
    """The severities of the findings for an application, by code."""
    return {finding.code: finding.severity for finding in check(app, get_state(app))}


def set_later(make_app: MakeApp, options: dict[str, Any]) -> Flask:
    """An application whose options are set after ``init_app``, which would refuse some of them."""
    app = make_app()
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    return app


def startup_codes(app: Flask) -> list[str]:
    return [finding.code for finding in startup_checks(app, get_state(app))]


def test_a_view_of_a_factory_is_found_too() -> None:
    """The protected function is garbage as soon as it is made."""

    def create_app() -> Flask:
        app = Flask("factory")
        app.config.update(JWT_SECRET_KEY=SECRET, JWT_PROFILE="strict")
        JWTManager(app)

        @jwt_required()
        @app.get("/x")
        def x() -> str:
            return "x"

        return app

    assert findings(create_app()) == {"unprotected_view": "error"}


def test_only_the_first_request_logs_findings(caplog: pytest.LogCaptureFixture) -> None:
    """Once per process. The application's own hooks run every time."""
    app, ran = Flask("app"), []
    app.config["JWT_SECRET_KEY"] = SECRET
    app.before_request(lambda: ran.append("before"))
    JWTManager(app)
    app.before_request(lambda: ran.append("after"))
    jwt_required()(app.get("/x")(lambda: "x"))
    with caplog.at_level("WARNING", logger="flask_jwt_extended"):
        for _ in range(2):
            assert app.test_client().get("/x").status_code == 200
    assert ran == ["before", "after"] * 2
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["/x"]


# --- keys and options -----------------------------------------------------------------------------------------------


def test_a_strict_application_has_no_findings(make_app: MakeApp) -> None:
    """With a secret, with a key pair, and with a store."""
    assert findings(make_app(PROFILE="strict")) == {}
    assert findings(make_app(PROFILE="strict", TOKEN_LOCATION=["headers", "cookies"], **RSA_KEYS)) == {}
    assert findings(make_app(PROFILE="strict", **STORE)) == {}


@pytest.mark.parametrize(
    ("options", "code", "severity"),
    [
        ({"SECRET_KEY": None}, "missing_key", "error"),
        ({"ALGORITHM": "RS256"}, "missing_key", "error"),
        ({"ALGORITHM": "RS256", "PUBLIC_KEY": RSA_PUBLIC}, "missing_key", "info"),
        ({"ALGORITHM": "RS256", "PRIVATE_KEY": RSA_PRIVATE}, "missing_key", "error"),
        ({**RSA_KEYS, "PRIVATE_KEY": "no PEM"}, "unusable_key", "error"),
        ({**RSA_KEYS, "PRIVATE_KEY": RSA_PUBLIC}, "unusable_key", "error"),
        ({**RSA_KEYS, "ALGORITHM": "ES256"}, "unusable_key", "error"),
        ({"SECRET_KEY": RSA_PUBLIC}, "unusable_key", "error"),
        ({"SECRET_KEY": "changeme"}, "guessable_secret", "error"),
        ({"SECRET_KEY": "Zk4!pQ9x_7tVw2"}, "short_key", "warning"),
        ({"SECRET_KEY": "Zk4!pQ9x_7tVw2", "KEY_STRENGTH": "refuse"}, "short_key", "error"),
        ({**RSA_KEYS, "PUBLIC_KEY": pem(rsa.generate_private_key(65537, 2048))[1]}, "unrelated_keys", "error"),
        ({"DECODE_ALGORITHMS": ["HS256", "RS256"]}, "mixed_algorithms", "error"),
        ({**RSA_KEYS, "DECODE_ALGORITHMS": ["RS256", "HS256"]}, "mixed_algorithms", "error"),
        ({**RSA_KEYS, "DECODE_ALGORITHMS": ["RS256", "ES256"]}, "unfit_algorithm", "warning"),
        ({"ACCESS_TOKEN_EXPIRES": False}, "never_expires", "warning"),
        ({"REFRESH_TOKEN_EXPIRES": False}, "never_expires", "warning"),
        ({"ACCESS_TOKEN_EXPIRES": timedelta(days=1, seconds=1)}, "long_access_lifetime", "warning"),
        ({"ACCESS_TOKEN_EXPIRES": relativedelta(months=1)}, "long_access_lifetime", "warning"),
        ({"DECODE_LEEWAY": 301}, "large_leeway", "warning"),
        (COOKIES, "insecure_cookies", "warning"),
        (COOKIES, "cross_site_cookies", "warning"),
        ({**COOKIES, "COOKIE_SAMESITE": "None", "COOKIE_SECURE": True}, "cross_site_cookies", "warning"),
        ({**COOKIES, "COOKIE_CSRF_PROTECT": False}, "no_csrf_protection", "error"),
        ({**COOKIES, "CSRF_METHODS": []}, "no_csrf_protection", "error"),
        ({"TOKEN_LOCATION": ["headers", "query_string"]}, "token_in_url", "warning"),
        ({}, "compat_profile", "info"),
        ({"STORE_URI": "memory://"}, "store_in_memory", "warning"),
        ({**STORE, "STORE_OUTAGE": "allow"}, "outage_allows", "warning"),
        ({**STORE, "REFRESH_GRACE": 60.5}, "long_grace", "warning"),
        ({**STORE, "REFRESH_GRACE": 0}, "no_grace", "info"),
        ({**STORE, "SESSION_IDLE_TIMEOUT": 900}, "short_idle_timeout", "warning"),
        ({**STORE, "SESSION_IDLE_TIMEOUT": relativedelta(minutes=5)}, "short_idle_timeout", "warning"),
        ({**STORE, "SESSION_IDLE_TIMEOUT": 86_400, "ACCESS_TOKEN_EXPIRES": False}, "short_idle_timeout", "warning"),
        ({**STORE, "SESSION_LIFETIME": timedelta(days=29)}, "short_session_lifetime", "info"),
    ],
)
def test_a_mistake_is_found(make_app: MakeApp, options: dict[str, Any], code: str, severity: str) -> None:
    """Each mistake has its code and its severity."""
    assert findings(set_later(make_app, options)).get(code) == severity


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SECRET_KEY": None}, "unusable_key"),
        ({"ALGORITHM": "HS512", "DECODE_ALGORITHMS": ["HS256"]}, "unfit_algorithm"),
        ({**RSA_KEYS, "DECODE_ALGORITHMS": ["RS512", "PS256"]}, "unfit_algorithm"),
        ({"DECODE_ALGORITHMS": ["HS256", "RS256"]}, "unfit_algorithm"),
        ({"ACCESS_TOKEN_EXPIRES": timedelta(days=1)}, "long_access_lifetime"),
        ({"REFRESH_TOKEN_EXPIRES": timedelta(days=365)}, "long_access_lifetime"),
        ({"DECODE_LEEWAY": 300}, "large_leeway"),
        ({"COOKIE_CSRF_PROTECT": False}, "no_csrf_protection"),
        ({**COOKIES, "COOKIE_CSRF_PROTECT": False, "CSRF_ORIGIN_CHECK": True}, "no_csrf_protection"),
        ({**COOKIES, "COOKIE_SAMESITE": "Lax"}, "cross_site_cookies"),
        ({"COOKIE_SECURE": False}, "insecure_cookies"),
        (RSA_KEYS, "unrelated_keys"),
        ({"STORE_OUTAGE": "allow"}, "outage_allows"),
        ({"REFRESH_GRACE": 61}, "long_grace"),
        ({**STORE, "REFRESH_GRACE": 60}, "long_grace"),
        ({"REFRESH_GRACE": 0}, "no_grace"),
        ({"SESSION_IDLE_TIMEOUT": 900}, "short_idle_timeout"),
        ({**STORE, "SESSION_IDLE_TIMEOUT": 901}, "short_idle_timeout"),
        ({**STORE, "ACCESS_TOKEN_EXPIRES": False}, "short_idle_timeout"),
        ({"SESSION_LIFETIME": 60}, "short_session_lifetime"),
        ({**STORE, "SESSION_LIFETIME": timedelta(days=30)}, "short_session_lifetime"),
        ({**STORE, "SESSION_LIFETIME": None}, "short_session_lifetime"),
        ({**STORE, "REFRESH_TOKEN_EXPIRES": False}, "short_session_lifetime"),
    ],
)
def test_good_values_are_not_reported(make_app: MakeApp, options: dict[str, Any], code: str) -> None:
    """Each option value next to a mistake is accepted."""
    assert code not in findings(make_app(**options))


def test_flasks_own_secret_is_checked_too(make_app: MakeApp) -> None:
    """SECRET_KEY signs if JWT_SECRET_KEY is not set."""
    app = make_app(SECRET_KEY=None)
    app.config["SECRET_KEY"] = "dev"
    assert findings(app)["guessable_secret"] == "error"


def test_a_misspelled_option_comes_with_the_right_one(make_app: MakeApp) -> None:
    """The fix names the most similar option."""
    app = make_app()
    app.config["JWT_COKIE_SECURE"] = True
    (found,) = [finding for finding in check(app, get_state(app)) if finding.code == "unknown_option"]
    assert "JWT_COKIE_SECURE" in found.message
    assert "JWT_COOKIE_SECURE" in found.fix


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StoreUnavailableError("ConnectionRefusedError"), "ConnectionRefusedError"),
        (RuntimeError("postgresql://shop:tiger@db.example.com"), "RuntimeError"),
    ],
)
def test_an_unavailable_store_is_an_error(make_app: MakeApp, error: Exception, reason: str) -> None:
    """Any exception is a finding, without its text. Earlier findings of the store are kept."""

    class Unhealthy(MemoryStore):
        def findings(self, now: float) -> Iterator[Finding]:
            yield Finding("warning", "slow", "It is slow", "That takes time", "Make it faster")
            raise error

    app = make_app(PROFILE="strict", STORE_URI=Unhealthy())
    slow, found = check(app, get_state(app))
    assert (slow.code, found.code, found.severity) == ("slow", "store_unreachable", "error")
    assert found.message.endswith(f": {reason}")
    assert "tiger" not in str(found)


def test_the_store_gets_the_time(make_app: MakeApp) -> None:
    """It can compare its own clock."""

    class Watching(MemoryStore):
        def findings(self, now: float) -> Iterator[Finding]:
            assert abs(now - time.time()) < 60
            yield Finding("info", "asked", "It was asked", "For a reason", "Nothing to do")

    assert findings(make_app(PROFILE="strict", STORE_URI=Watching())) == {"asked": "info"}


def test_loaders_replace_keys(make_app: MakeApp) -> None:
    """With both key loaders, no key needs to be configured."""
    app = make_app(PROFILE="strict", SECRET_KEY=None, DECODE_ALGORITHMS=["HS256", "RS256"])
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.decode_key_loader(lambda _header, _claims: SECRET)
    assert findings(app) == {"missing_key": "info", "mixed_algorithms": "warning"}  # it may only verify
    manager.encode_key_loader(lambda _identity: SECRET)
    assert findings(app) == {"mixed_algorithms": "warning"}


def test_locations_of_single_views_count(make_app: MakeApp) -> None:
    """A single view that accepts tokens in URLs is enough for the warning."""
    app = make_app()
    app.add_url_rule("/download", "download", jwt_required(locations="query_string")(lambda: {}))
    assert "token_in_url" in findings(app)


@pytest.mark.parametrize(
    "options",
    [
        {"SECRET_KEY": "changeme"},
        {**RSA_KEYS, "PUBLIC_KEY": "no PEM"},
        {"SECRET_KEY": RSA_PRIVATE},
        {"ALGORITHM": "RS256"},
    ],
)
def test_no_finding_shows_a_key(make_app: MakeApp, options: dict[str, Any]) -> None:
    """Findings end up in the logs of build servers."""
    app = set_later(make_app, options)
    printed = json.dumps([asdict(finding) for finding in check(app, get_state(app))])
    keys = [value for name, value in options.items() if name.endswith("KEY")]
    assert not [key for key in keys if json.dumps(key)[1:60] in printed]


def test_every_finding_says_what_why_and_how(make_app: MakeApp) -> None:
    """Message, reason and fix are sentences, and each check has a docstring."""
    app = make_app(SECRET_KEY="secret", ACCESS_TOKEN_EXPIRES=False, DECODE_ALGORITHMS=["RS256"], **COOKIES)
    found = list(check(app, get_state(app)))
    assert len(found) >= 6
    for finding in found:
        assert min(len(finding.message.split()), len(finding.why.split()), len(finding.fix.split())) >= 3
    assert all(each.__doc__ for each in (*CHECKS, *KEY_CHECKS))


# --- the decorator above the route ----------------------------------------------------------------------------------


def a_module(source: str) -> dict[str, Any]:
    """The globals of a module with this source and an application."""
    module = ModuleType("views")
    app = Flask("views")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_PROFILE="strict")
    JWTManager(app)
    names = {"app": app, "jwt_required": jwt_required, "functools": functools, "bp": Blueprint("bp", "views")}
    module.__dict__.update(names, request=request, View=MethodView)
    exec(source, module.__dict__)
    if module.__dict__["bp"].deferred_functions:
        app.register_blueprint(module.__dict__["bp"])
    return module.__dict__


OTHER = """
def other(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        return view(*args, **kwargs)
    return wrapper
"""


@pytest.mark.parametrize(
    "source",
    [
        "@jwt_required()\n@app.get('/x')\ndef x(): return {}",
        "@jwt_required(fresh=True)\n@bp.route('/x', methods=['POST', 'GET'])\ndef x(): return {}",
        f"{OTHER}\n@jwt_required()\n@app.get('/x')\n@other\ndef x(): return {{}}",
        f"{OTHER}\n@other\n@jwt_required()\n@app.get('/x')\ndef x(): return {{}}",
        f"{OTHER}\n@jwt_required()\n@other\n@app.get('/x')\ndef x(): return {{}}",
        "@jwt_required()\n@app.get('/x')\nasync def x(): return {}",
    ],
)
def test_a_route_below_its_decorator_is_found(source: str) -> None:
    """The bare view is served, and the check at start-up reports it."""
    app = a_module(source)["app"]
    assert findings(app) == {"unprotected_view": "error"}
    (found,) = startup_checks(app, get_state(app))
    assert found.code == "unprotected_view"
    assert found.message.startswith("/x: anyone can call x, because its @jwt_required() is above the route")
    assert app.test_client().get("/x").status_code == 200


@pytest.mark.parametrize(
    "source",
    [
        "@app.get('/x')\n@jwt_required()\ndef x(): return {}",
        f"{OTHER}\n@app.get('/x')\n@jwt_required()\n@other\ndef x(): return {{}}",
        "@app.get('/open')\ndef x(): return {}",
        # The same function on purpose, once open and once not.
        "def x(): return {}\ny = jwt_required()(x)\napp.get('/x', endpoint='y')(y)\napp.get('/open')(x)",
        "class X(View):\n  @jwt_required()\n  def get(self): return {}\napp.route('/')(X.as_view('x'))",
        "app.add_url_rule('/x', 'x')\napp.add_url_rule('/y', 'y', functools.partial(dict, a=1))",
        "def x(): return {}\nx.__wrapped__ = x\napp.add_url_rule('/x', 'x', x)",
    ],
)
def test_views_in_order_are_left_alone(source: str) -> None:
    """Protected and intentionally public views have no finding."""
    assert findings(a_module(source)["app"]) == {}


# --- the subset for start-up ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({}, []),
        ({"SECRET_KEY": "changeme", "TOKEN_LOCATION": ["query_string"]}, []),
        ({"SECRET_KEY": None}, ["missing_key"]),
        ({"ALGORITHM": "RS256"}, ["missing_key", "missing_key"]),
        ({**RSA_KEYS, "PUBLIC_KEY": "public.pem"}, ["unusable_key"]),
        ({"PROFILE": "strict", "SECRET_KEY": "changeme"}, ["short_key", "guessable_secret"]),
        ({"ALGORITHM": "RS256", "PUBLIC_KEY": RSA_PUBLIC}, []),
        ({"DECODE_ALGORITHMS": ["HS256", "ES256"]}, ["mixed_algorithms"]),
    ],
)
def test_start_up_reports_certain_errors_only(make_app: MakeApp, options: dict[str, Any], codes: list[str]) -> None:
    """Only certain errors are reported at start-up, not choices."""
    assert startup_codes(set_later(make_app, options)) == codes
