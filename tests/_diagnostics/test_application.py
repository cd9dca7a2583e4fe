"""What ``flask jwt check`` and ``flask jwt inspect`` find, asked of the functions that find it."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any
from unittest.mock import patch

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from dateutil.relativedelta import relativedelta
from flask import Blueprint, Flask, request
from flask.views import MethodView
from jwt.algorithms import RSAAlgorithm

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    end_session,
    jwt_required,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import CHECKS, check, startup_checks
from flask_jwt_extended._diagnostics.humanize import duration, time_in_words
from flask_jwt_extended._diagnostics.key_digest import key_digest
from flask_jwt_extended._diagnostics.keys import KEY_CHECKS
from flask_jwt_extended._diagnostics.token import Inspection, Verdict, inspect_token
from flask_jwt_extended.exceptions import ConfigurationError, StoreUnavailableError
from flask_jwt_extended.stores.base import SessionStore, Status
from flask_jwt_extended.stores.findings import Finding
from flask_jwt_extended.stores.memory import MemoryStore

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from ..tokens import claims, genuine

NOW = 1_700_000_000
RSA_PRIVATE, RSA_PUBLIC = pem(PRIVATE_KEYS["RS256"])
RSA_KEYS = {"ALGORITHM": "RS256", "PRIVATE_KEY": RSA_PRIVATE, "PUBLIC_KEY": RSA_PUBLIC}
COOKIES = {"TOKEN_LOCATION": ["cookies"]}


class Spotless(MemoryStore):
    """A store with nothing to find fault with."""

    def findings(self, now: float) -> Iterator[Finding]:
        return iter(())


STORE = {"STORE_URI": Spotless()}


def findings(app: Flask) -> dict[str, str]:
    """The severities that the checks of an application find, by code."""
    return {finding.code: finding.severity for finding in check(app, get_state(app))}


def set_later(make_app: MakeApp, options: dict[str, Any]) -> Flask:
    """An application whose options were set after ``init_app``, which would have refused some of them."""
    app = make_app()
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    return app


def foot_gun_codes(app: Flask) -> list[str]:
    return [finding.code for finding in startup_checks(app, get_state(app))]


def test_a_view_of_a_factory_is_found_too() -> None:
    """Where the protected function is gone as soon as it was made."""

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


def test_the_first_request_tells_and_the_second_does_not(caplog: pytest.LogCaptureFixture) -> None:
    """Once for a process, beside the hooks of the application, which all run every time."""
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
    """Nothing is said where there is nothing to say."""
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
def test_what_is_no_mistake_is_not_named(make_app: MakeApp, options: dict[str, Any], code: str) -> None:
    """A finding stands for something that is wrong."""
    assert code not in findings(make_app(**options))


def test_flasks_own_secret_is_judged_too(make_app: MakeApp) -> None:
    """SECRET_KEY signs where JWT_SECRET_KEY is not set."""
    app = make_app(SECRET_KEY=None)
    app.config["SECRET_KEY"] = "dev"
    assert findings(app)["guessable_secret"] == "error"


def test_a_misspelt_option_comes_with_the_right_one(make_app: MakeApp) -> None:
    """The fix names the nearest option there is."""
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
def test_a_store_that_cannot_be_asked_is_an_error(make_app: MakeApp, error: Exception, reason: str) -> None:
    """Whatever it raises is a finding; what it had found until then counts, and no password is told."""

    class Ailing(MemoryStore):
        def findings(self, now: float) -> Iterator[Finding]:
            yield Finding("warning", "slow", "It is slow", "That takes time", "Make it faster")
            raise error

    app = make_app(PROFILE="strict", STORE_URI=Ailing())
    slow, found = check(app, get_state(app))
    assert (slow.code, found.code, found.severity) == ("slow", "store_unreachable", "error")
    assert found.message.endswith(f": {reason}")
    assert "tiger" not in str(found)


def test_the_store_is_told_the_time(make_app: MakeApp) -> None:
    """By which it judges its own clock."""

    class Watching(MemoryStore):
        def findings(self, now: float) -> Iterator[Finding]:
            assert abs(now - time.time()) < 60
            yield Finding("info", "asked", "It was asked", "For a reason", "Nothing to do")

    assert findings(make_app(PROFILE="strict", STORE_URI=Watching())) == {"asked": "info"}


def test_loaders_stand_in_for_keys(make_app: MakeApp) -> None:
    """With both key loaders, nothing needs to be configured, and the choice of algorithm is theirs."""
    app = make_app(PROFILE="strict", SECRET_KEY=None, DECODE_ALGORITHMS=["HS256", "RS256"])
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.decode_key_loader(lambda _header, _claims: SECRET)
    assert findings(app) == {"missing_key": "info", "mixed_algorithms": "warning"}  # it may only verify
    manager.encode_key_loader(lambda _identity: SECRET)
    assert findings(app) == {"mixed_algorithms": "warning"}


def test_locations_of_single_views_count(make_app: MakeApp) -> None:
    """A view that takes its token from the URL is as leaky as an application that does."""
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
    """Findings end up in the logs of a build server."""
    app = set_later(make_app, options)
    told = json.dumps([asdict(finding) for finding in check(app, get_state(app))])
    keys = [value for name, value in options.items() if name.endswith("KEY")]
    assert not [key for key in keys if json.dumps(key)[1:60] in told]


def test_every_finding_says_what_why_and_how(make_app: MakeApp) -> None:
    """Message, reason and fix are sentences, and each check says what it looks for."""
    app = make_app(SECRET_KEY="secret", ACCESS_TOKEN_EXPIRES=False, DECODE_ALGORITHMS=["RS256"], **COOKIES)
    told = list(check(app, get_state(app)))
    assert len(told) >= 6
    for finding in told:
        assert min(len(finding.message.split()), len(finding.why.split()), len(finding.fix.split())) >= 3
    assert all(each.__doc__ for each in (*CHECKS, *KEY_CHECKS))


# --- the decorator above the route ----------------------------------------------------------------------------------


def a_module(source: str) -> dict[str, Any]:
    """The globals of a module with this source and an application in it."""
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
    """The view that is served is the bare one, and start-up is told."""
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
    """No finding about a view that is protected, or is meant to be open."""
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
def test_start_up_names_the_foot_guns_alone(make_app: MakeApp, options: dict[str, Any], codes: list[str]) -> None:
    """What leaves no doubt, and nothing that may be a choice."""
    assert foot_gun_codes(set_later(make_app, options)) == codes


# --- the same key in every process ----------------------------------------------------------------------------------


def _jwk(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    return dict(RSAAlgorithm.to_jwk(key, as_dict=True))


_OTHER_RSA = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        (SECRET, SECRET.encode(), SECRET + "!"),
        (RSA_PRIVATE, RSA_PRIVATE.encode(), pem(_OTHER_RSA)[0]),
        (_jwk(PRIVATE_KEYS["RS256"]), dict(reversed(_jwk(PRIVATE_KEYS["RS256"]).items())), _jwk(_OTHER_RSA)),
        (PRIVATE_KEYS["RS256"], pyjwt.PyJWK(_jwk(PRIVATE_KEYS["RS256"])), _OTHER_RSA),
    ],
    ids=["secret", "PEM", "JWK", "object"],
)
def test_a_digest_tells_keys_apart(make_app: MakeApp, key: Any, same: Any, other: Any) -> None:
    """The digest is the same for one key, another for another, and worth nothing without the salt."""

    def digest(material: Any, salt: bytes = b"salt") -> str:
        options = {"SECRET_KEY": material} if key is SECRET else {**RSA_KEYS, "PRIVATE_KEY": material}
        return key_digest(get_state(make_app(**options)), salt)

    assert digest(key) == digest(same)
    assert digest(key) != digest(other)
    assert digest(key) != digest(key, b"pepper")


def test_a_key_that_cannot_be_compared_is_no_crash(make_app: MakeApp) -> None:
    """An object of no known kind, no key, and a loader: each is said in one error."""
    for options in ({"SECRET_KEY": object()}, {"SECRET_KEY": None}):
        with pytest.raises(ConfigurationError):
            key_digest(get_state(make_app(**options)), b"salt")
    app = make_app()
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)
    with pytest.raises(ConfigurationError, match="encode_key_loader"):
        key_digest(get_state(app), b"salt")


# --- a token --------------------------------------------------------------------------------------------------------


def claims_at_now(**changes: Any) -> dict[str, Any]:
    """Good claims at NOW, changed; ``...`` leaves one out."""
    return claims(**{"iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 840} | changes)


def inspect(app: Flask, token: str, now: float = NOW) -> Inspection:
    with app.app_context():
        return inspect_token(token, get_state(app), now)


def verdict(inspection: Inspection, name: str) -> Verdict:
    return next(verdict for verdict in inspection.verdicts if verdict.name == name)


def failures(inspection: Inspection) -> set[str]:
    return {verdict.name for verdict in inspection.verdicts if verdict.passed is False}


def test_a_good_token_passes_every_check(app: Flask) -> None:
    """Header, claims, and a verdict on each check."""
    inspection = inspect(app, genuine(claims_at_now()))
    assert inspection.accepted
    assert inspection.header == {"alg": "HS256", "typ": "JWT"}
    assert inspection.claims == claims_at_now()
    names = [verdict.name for verdict in inspection.verdicts]
    assert names[:5] == ["form", "header", "algorithm", "signature", "payload"]
    assert {"exp", "nbf", "iat", "iss", "aud", "sub", "jti", "required claims", "type"} < set(names)
    assert verdict(inspection, "exp").why == "valid for 14 minutes"


@pytest.mark.parametrize(
    ("token", "failed"),
    [
        ("", {"form"}),
        ("a.b", {"form"}),
        ("a.b.c.d.e", {"form"}),
        ("é.é.é", {"form"}),
        ("\x1b[31m.\ud800.x", {"form"}),
        ("e30.e30.x", {"form"}),
        ("A" * 20_000, {"form"}),
        (genuine(claims_at_now()) + "=", {"form"}),
        (genuine(claims_at_now(), header=[1]), {"header"}),
        (genuine(claims_at_now(), header=b"{"), {"header"}),
        (genuine(claims_at_now(), header={"alg": "HS256", "crit": ["x"]}), {"header"}),
        (genuine(claims_at_now(), header={}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": "none"}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": ["HS256"]}), {"algorithm"}),
        (genuine(claims_at_now(), header={"alg": "HS256", "typ": "dpop+jwt"}), {"algorithm"}),
        (genuine(claims_at_now(), secret="another"), {"signature"}),
        (genuine(b"[]"), {"payload"}),
        (genuine(b'{"sub": NaN}'), {"payload"}),
        (genuine(b"[" * 5000), {"payload"}),
        (genuine(b'{"exp": ' + b"9" * 5000 + b"}"), {"payload"}),
        (genuine(claims_at_now(exp=NOW)), {"exp"}),
        (genuine(claims_at_now(exp="soon")), {"exp"}),
        (genuine(claims_at_now(exp=True)), {"exp"}),
        (genuine(claims_at_now(exp=-(10**400))), {"exp"}),
        (genuine(claims_at_now(nbf=NOW + 5)), {"nbf"}),
        (genuine(claims_at_now(nbf=10**400)), {"nbf"}),
        (genuine(claims_at_now(iat=NOW + 5)), {"iat"}),
        (genuine(claims_at_now(iat=None)), {"iat"}),
        (genuine(claims_at_now(sub=7)), {"sub"}),
        (genuine(claims_at_now(jti=[])), {"jti"}),
        (genuine(claims_at_now(sub=...)), {"required claims"}),
        (genuine(claims_at_now(type="password_reset")), {"type"}),
        (genuine(claims_at_now(type={})), {"type"}),
        (genuine(claims_at_now(exp=NOW - 1, nbf=NOW + 1, sub=1), secret="another"), {"signature", "exp", "nbf", "sub"}),
    ],
)
def test_what_fails_is_named(app: Flask, token: str, failed: set[str]) -> None:
    """Each check on its own: one failure does not hide the next, and none ends in a traceback."""
    inspection = inspect(app, token)
    assert failures(inspection) == failed
    assert not inspection.accepted


@pytest.mark.parametrize(
    ("options", "claims", "failed"),
    [
        ({"DECODE_ISSUER": "us"}, {"iss": "us"}, set()),
        ({"DECODE_ISSUER": "us"}, {"iss": "them"}, {"iss"}),
        ({"DECODE_ISSUER": "us"}, {}, {"iss"}),
        ({"DECODE_AUDIENCE": "us"}, {"aud": ["them", "us"]}, set()),
        ({"DECODE_AUDIENCE": "us"}, {"aud": "them"}, {"aud"}),
        ({"DECODE_AUDIENCE": "us"}, {}, {"aud"}),
        ({"VERIFY_AUD": True}, {"aud": "them"}, {"aud"}),
        ({"REQUIRED_CLAIMS": ["exp", "role"]}, {}, {"required claims"}),
        ({"REQUIRED_CLAIMS": ["exp", "role"]}, {"role": "admin"}, set()),
        ({"IDENTITY_CLAIM": "user"}, {}, {"required claims"}),
        ({"IDENTITY_CLAIM": "user"}, {"user": None, "sub": ...}, set()),
        ({"IDENTITY_CLAIM": "iss", "DECODE_ISSUER": "us"}, {"iss": "us"}, set()),
        ({"VERIFY_SUB": False}, {"sub": 7}, set()),
        ({"DECODE_LEEWAY": 10}, {"exp": NOW - 9}, set()),
        ({"DECODE_LEEWAY": 10}, {"exp": NOW - 10}, {"exp"}),
        ({"PROFILE": "strict"}, {"jti": ...}, {"required claims"}),
    ],
)
def test_claims_are_judged_as_the_settings_say(
    make_app: MakeApp, options: dict[str, Any], claims: dict[str, Any], failed: set[str]
) -> None:
    """What the application asks of a token is what its verdicts are about."""
    assert failures(inspect(make_app(**options), genuine(claims_at_now(**claims)))) == failed


@pytest.mark.parametrize("change", [-1e9, -1, -0.4, 0, 0.4, 1, 1e9, 1e300])
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_the_verdict_is_that_of_a_request(app: Flask, claim: str, change: float) -> None:
    """``inspect`` and ``decode_token`` agree about every token, on the second and beside it."""
    token = genuine(claims_at_now(**{claim: NOW + change}))
    for now in (NOW - 0.3, NOW, NOW + 0.3):
        with app.app_context(), patch("time.time", return_value=now):
            try:
                accepted = bool(decode_token(token))
            except pyjwt.InvalidTokenError:
                accepted = False
        inspection = inspect(app, token, now)
        assert inspection.accepted is accepted
        assert ("expired" in verdict(inspection, "exp").why) is (not accepted and claim == "exp")


def test_a_time_that_only_the_leeway_lets_pass_says_so(make_app: MakeApp) -> None:
    """The words do not contradict the verdict."""
    app = make_app(DECODE_LEEWAY=30)
    inspection = inspect(app, genuine(claims_at_now(exp=NOW - 10, nbf=NOW + 10)))
    assert inspection.accepted
    assert verdict(inspection, "exp").why == "expired 10 seconds ago, within the leeway of 30 seconds"
    assert verdict(inspection, "nbf").why == "starts in 10 seconds, within the leeway of 30 seconds"
    assert verdict(inspection, "iat").why == "issued 60 seconds ago"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "less than a second"),
        (1, "1 second"),
        (119, "119 seconds"),
        (180, "3 minutes"),
        (7200, "2 hours"),
        (172_800, "2 days"),
        (86_400 * 800, "2 years"),
        (float("inf"), "more than 1000 years"),
    ],
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    """The largest unit that makes at least two."""
    assert duration(seconds) == words


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), [1]])
def test_what_is_no_time_has_no_words(value: object) -> None:
    """Nothing is said about claims that hold no time."""
    assert time_in_words("exp", value, NOW) is None
    assert time_in_words("sub", 1, NOW) is None


def test_tokens_of_the_application_pass(make_app: MakeApp) -> None:
    """What is issued is accepted, symmetric and asymmetric, access and refresh."""
    for options in ({"PROFILE": "strict"}, RSA_KEYS):
        app = make_app(**options)
        for create in (create_access_token, create_refresh_token):
            with app.app_context():
                token = create("ada")
                issued = decode_token(token)["iat"]
            assert inspect(app, token, issued + 1).accepted


def test_without_a_key_no_signature_is_good(make_app: MakeApp) -> None:
    """A key that is missing, or too weak for the profile, is the reason that is given."""
    inspection = inspect(make_app(SECRET_KEY=None), genuine(claims_at_now()))
    assert "JWT_SECRET_KEY" in verdict(inspection, "signature").why
    strict = set_later(make_app, {"SECRET_KEY": "secret", "PROFILE": "strict"})
    weak = inspect(strict, genuine(claims_at_now(), secret="secret"))
    assert failures(weak) == {"signature"}
    assert inspect(make_app(SECRET_KEY="secret"), genuine(claims_at_now(), secret="secret")).accepted


def _key_by_issuer(_header: dict[str, Any], claims: dict[str, Any]) -> Any:
    return {"us": SECRET, "broken": ec.generate_private_key(ec.SECP256R1())}[claims["iss"]]


def _key_of_a_request(_header: dict[str, Any], _claims: dict[str, Any]) -> Any:
    return request.headers["X-Key"]


@pytest.mark.parametrize(
    ("loader", "issuer", "failed"),
    [
        (_key_by_issuer, "us", set()),
        (_key_by_issuer, "them", {"signature"}),
        (_key_by_issuer, "broken", {"signature"}),
        (_key_of_a_request, "us", {"signature"}),
    ],
)
def test_decode_key_loader_is_asked(app: Flask, loader: Any, issuer: str, failed: set[str]) -> None:
    """The loader chooses the key; that it fails is a verdict."""
    app.extensions["flask-jwt-extended"].decode_key_loader(loader)
    assert failures(inspect(app, genuine(claims_at_now(iss=issuer)))) == failed


@pytest.mark.parametrize("secret", [SECRET, "another"])
@pytest.mark.parametrize(
    ("name", "refusal", "consent"),
    [("token_in_blocklist", True, False), ("token_verification", False, True), ("user_lookup", None, "ada")],
)
def test_loaders_are_asked_about_genuine_tokens_alone(
    app: Flask, name: str, refusal: Any, consent: Any, secret: str
) -> None:
    """A revoked token would be refused; a forged one never reaches the loaders."""
    asked: list[str] = []

    def answer(_header: dict[str, Any], claims: dict[str, Any]) -> Any:
        asked.append(claims["jti"])
        return refusal if claims["jti"] == "bad" else consent

    getattr(app.extensions["flask-jwt-extended"], f"{name}_loader")(answer)
    is_genuine = secret == SECRET
    assert inspect(app, genuine(claims_at_now(), secret=secret)).accepted is is_genuine
    refused = inspect(app, genuine(claims_at_now(jti="bad"), secret=secret))
    assert failures(refused) == ({f"{name}_loader"} if is_genuine else {"signature"})
    assert asked == (["one", "bad"] if is_genuine else [])


def test_a_loader_that_cannot_answer_here_decides_nothing(app: Flask) -> None:
    """Without a request, some loaders fail: the verdict is left open."""
    broken: Callable[..., bool] = lambda _header, _claims: bool(request.path)  # noqa: E731
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(broken)
    inspection = inspect(app, genuine(claims_at_now()))
    assert verdict(inspection, "token_in_blocklist_loader").passed is None
    assert inspection.accepted


# --- a token, and the store -----------------------------------------------------------------------------------------


@pytest.fixture
def store() -> SessionStore:
    """A store for the sessions of :func:`shop`."""
    return MemoryStore()


@pytest.fixture
def shop(make_app: MakeApp, store: SessionStore) -> Flask:
    """An application with sessions, and a view that refreshes them."""
    app = make_app(STORE_URI=store)

    @app.post("/rotate")
    @jwt_required(refresh=True)
    def rotate() -> dict[str, str]:
        return vars(refresh_session())

    return app


ACTIVE = "active for another 29 days unless it is refreshed"


def tokens_of_all_standings(app: Flask) -> list[tuple[str, str]]:
    """Tokens of sessions that were refreshed, ended and revoked, each with what should be said of it."""
    with app.test_request_context():
        current, refreshed, stolen, ended, revoked = (start_session("ada") for _ in range(5))
        alone, alone_revoked = create_access_token("ada"), create_access_token("ada")
        end_session(ended.session_id)
        for token in (revoked.access_token, alone_revoked):
            revoke_token(token)
    rotate = partial(app.test_client().post, "/rotate")
    rotate(headers=bearer(refreshed.refresh_token))
    successor = rotate(headers=bearer(stolen.refresh_token)).get_json()["refresh_token"]
    rotate(headers=bearer(successor))
    return [
        (current.access_token, ACTIVE),
        (current.refresh_token, f"{ACTIVE}; this is its current refresh token"),
        (refreshed.access_token, ACTIVE),
        (refreshed.refresh_token, f"{ACTIVE}; the token was just used: a retry gets the same successor"),
        (stolen.refresh_token, f"{ACTIVE}; the token was already used: using it again ends the session"),
        (ended.access_token, "the session has ended or does not exist"),
        (ended.refresh_token, "the session has ended or does not exist"),
        (revoked.access_token, "the token is revoked"),
        (alone, "not revoked"),
        (alone_revoked, "the token is revoked"),
    ]


def test_a_session_is_judged_as_a_request_would(shop: Flask, store: SessionStore) -> None:
    """The store is asked, the verdict is that of a view, and nothing has changed by asking."""
    for token, why in tokens_of_all_standings(shop):
        before = list(store.sessions())
        inspection = inspect(shop, token, time.time() + 1)
        claims = inspection.claims or {}
        assert verdict(inspection, "session" if "sid" in claims else "revoked").why == why
        assert list(store.sessions()) == before
        answer = shop.test_client().get(f"/{claims['type']}", headers=bearer(token)).status_code
        assert inspection.accepted is (answer == 200), why


def test_a_session_that_ended_by_itself_is_over(make_app: MakeApp) -> None:
    """The idle timeout ends it, whatever its refresh token says."""
    app = make_app(STORE_URI="memory://", SESSION_IDLE_TIMEOUT=1000)
    with app.test_request_context():
        pair = start_session("ada")
    for token in (pair.access_token, pair.refresh_token):
        told = verdict(inspect(app, token, time.time() + 1000 + 200), "session")
        assert (told.passed, told.why) == (False, "the session ended 3 minutes ago")


@pytest.mark.parametrize("type_", ["access", "refresh"])
@pytest.mark.parametrize("sid", ["unknown", 5, None, [], {"a": 1}, "\ud800", ""])
def test_odd_names_of_sessions_are_judged_as_a_request_would(shop: Flask, type_: str, sid: Any) -> None:
    """A token of ours may name anything: none of it is a session, and none is a crash."""
    now = time.time()
    token = genuine(claims_at_now(type=type_, sid=sid, iat=now - 1, nbf=now - 1, exp=now + 60))
    answer = shop.test_client().get(f"/{type_}", headers=bearer(token)).status_code
    assert inspect(shop, token, now).accepted is (answer == 200)


@pytest.mark.parametrize("error", [StoreUnavailableError("TimeoutError"), ZeroDivisionError()])
@pytest.mark.parametrize("type_", ["access", "refresh"])
def test_a_store_that_is_away_decides_nothing(make_app: MakeApp, error: Exception, type_: str) -> None:
    """The verdict is left open, and says why."""

    class Away(MemoryStore):
        def status(self, session_id: str | None, token: str | None) -> Status:
            raise error

        def get(self, session_id: str) -> Any:
            raise error

    inspection = inspect(make_app(STORE_URI=Away()), genuine(claims_at_now(type=type_, sid="s")))
    told = verdict(inspection, "session")
    assert told.passed is None
    assert told.why in ("the store is unavailable: TimeoutError", "the store is unavailable: ZeroDivisionError")
    assert inspection.accepted


def test_the_store_is_asked_about_genuine_tokens_alone(shop: Flask) -> None:
    """Whoever forges a token learns nothing of sessions, and without a store there is nothing to say."""
    names = {verdict.name for verdict in inspect(shop, genuine(claims_at_now(sid="s"), secret="another")).verdicts}
    assert not names & {"session", "revoked"}


def test_a_finding_is_a_value() -> None:
    """Equal by what it says, and unchangeable."""
    finding = Finding("info", "code", "message", "why", "fix")
    assert finding == Finding("info", "code", "message", "why", "fix")
    with pytest.raises(AttributeError):
        finding.code = "other"  # type: ignore[misc]
