"""``flask jwt check --preview-strict``: what strict would change for an application, and nothing that would not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended import JWTManager, create_access_token, jwt_required
from flask_jwt_extended._diagnostics.strict import _EFFECTS
from flask_jwt_extended._settings.options import OPTIONS, UNSET

from .._cli.helpers import run
from ..conftest import SECRET, MakeApp, bearer

ALWAYS = {"strict_error_style", "strict_required_claims", "strict_verify_aud", "strict_max_token_bytes"}
#: Of the views of ``make_app``, which handle OPTIONS themselves.
OPTIONS_VIEWS = {"strict_protect_options_method"}
WITH_COOKIES = {
    "strict_cookie_secure",
    "strict_cookie_samesite",
    "strict_access_cookie_name",
    "strict_refresh_cookie_name",
    "strict_access_csrf_cookie_name",
    "strict_refresh_csrf_cookie_name",
    "strict_csrf_origin_check",
}


def changes(app: Flask) -> dict[str, dict[str, str]]:
    """The findings that the command prints, by code."""
    findings = json.loads(run(app, "check", "--preview-strict", "--json").output)
    return {finding["code"]: finding for finding in findings}


def test_every_option_that_strict_changes_has_an_effect() -> None:
    """A new option cannot be forgotten."""
    assert set(_EFFECTS) == {option.attribute for option in OPTIONS if option.strict is not UNSET}


def test_an_application_with_headers_is_not_affected_by_cookies(make_app: MakeApp) -> None:
    """Four options affect every application, and one those with OPTIONS views."""
    assert set(changes(make_app())) == ALWAYS | OPTIONS_VIEWS


def test_an_application_with_cookies_is_affected() -> None:
    """Whether cookies are the default or the location of a single view."""
    for locations in ("cookies", "headers"):
        app = Flask("app")
        app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=locations)
        JWTManager(app)
        app.add_url_rule("/", view_func=jwt_required(locations=["cookies"])(lambda: ""))
        several = {"strict_single_token"} if locations == "headers" else set()
        assert set(changes(app)) == ALWAYS | WITH_COOKIES | several


def test_options_that_are_set_do_not_change(make_app: MakeApp) -> None:
    """An option that is set always wins."""
    kept = {
        "ERROR_STYLE": "compat",
        "REQUIRED_CLAIMS": [],
        "VERIFY_AUD": False,
        "MAX_TOKEN_BYTES": 16384,
        "KEY_STRENGTH": "warn",
        "PROTECT_OPTIONS_METHOD": False,
    }
    assert changes(make_app(**kept)) == {}
    assert "No problems found" in run(make_app(**kept), "check", "--preview-strict").output


def test_the_fixes_together_keep_the_current_behaviour(make_app: MakeApp) -> None:
    """With all printed fixes and the profile, nothing changes, and an old token is accepted."""
    app = make_app(TOKEN_LOCATION=["headers", "cookies"], ACCESS_TOKEN_EXPIRES=False, SESSION_COOKIE=False)
    with app.app_context():
        before = create_access_token("ada")
    lines = [finding["fix"].partition(": ")[2] for finding in changes(app).values()]
    options = dict(line.split(" = ", 1) for line in lines)
    kept: dict[str, Any] = {name[4:]: eval(value) for name, value in options.items()}
    moved = make_app(
        PROFILE="strict",
        TOKEN_LOCATION=["headers", "cookies"],
        ACCESS_TOKEN_EXPIRES=False,
        SESSION_COOKIE=False,
        **kept,
    )
    assert moved.test_client().get("/access", headers=bearer(before)).status_code == 200
    assert changes(moved) == {}


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        ({"SECRET_KEY": "too short"}, "strict_key_strength", "The key is refused"),
        ({"ACCESS_TOKEN_EXPIRES": False}, "strict_required_claims", "access tokens never expire"),
        ({"ENCODE_AUDIENCE": "shop"}, "strict_verify_aud", "JWT_ENCODE_AUDIENCE"),
        ({"TOKEN_LOCATION": ["headers", "query_string"]}, "strict_single_token", "two places"),
        ({"TOKEN_LOCATION": "cookies", "SESSION_COOKIE": False}, "strict_cookie_outlives_token", "not after a year"),
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_it_looks_at_the_application(make_app: MakeApp, options: dict[str, Any], code: str, word: str) -> None:
    """The reason depends on the settings."""
    assert word in changes(make_app(**options))[code]["why"]


def test_a_custom_method_is_named(make_app: MakeApp) -> None:
    """Strict requires a CSRF value for every method that is not known to be safe."""
    app = make_app(TOKEN_LOCATION="cookies")
    app.add_url_rule("/purge", view_func=jwt_required()(lambda: ""), methods=["PURGE"], endpoint="purge")
    assert "PURGE" in changes(app)["strict_csrf_methods"]["why"]


def test_an_audience_and_loaders_leave_less_to_change(make_app: MakeApp) -> None:
    """With loaders for all errors, clients see no other responses."""
    app = make_app(DECODE_AUDIENCE="shop")
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    for name in (
        "expired_token",
        "needs_fresh_token",
        "revoked_token",
        "token_verification_failed",
        "user_lookup_error",
    ):
        getattr(manager, f"{name}_loader")(lambda _header, _claims: {})
    for name in ("invalid_token", "unauthorized"):
        getattr(manager, f"{name}_loader")(lambda _why: {})
    assert set(changes(app)) == (ALWAYS | OPTIONS_VIEWS) - {"strict_error_style", "strict_verify_aud"}


def test_an_invalid_configuration_is_the_only_finding(make_app: MakeApp) -> None:
    """As without ``--preview-strict``."""
    app = make_app()
    app.config["JWT_TOKEN_LOCATION"] = "pigeons"
    assert set(changes(app)) == {"configuration"}
