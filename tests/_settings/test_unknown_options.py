"""JWT_* names that are not options: misspellings and names of 3.x get a warning, other names do not."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended import JWTConfigWarning, JWTManager

from .._cli.helpers import run
from ..axes import PROFILES, rotated
from ..conftest import SECRET

#: Misspelled names, and the option that each one means.
MISSPELT = {
    "JWT_ACCES_TOKEN_EXPIRES": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_ACCESS_TOKEN_EXPIRE": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_ACCESS_TOKEN_EXPIRY": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_ACCESS_EXPIRES": "JWT_ACCESS_TOKEN_EXPIRES",
    "JWT_REFRESH_TOKEN_EXPIRE": "JWT_REFRESH_TOKEN_EXPIRES",
    "JWT_REFRESH_EXPIRES": "JWT_REFRESH_TOKEN_EXPIRES",
    "JWT_TOKEN_LOCATIONS": "JWT_TOKEN_LOCATION",
    "JWT_COOKIE_SAME_SITE": "JWT_COOKIE_SAMESITE",
    "JWT_COOKIES_SECURE": "JWT_COOKIE_SECURE",
    "JWT_COOKIE_SECURED": "JWT_COOKIE_SECURE",
    "JWT_CSRF_PROTECT": "JWT_COOKIE_CSRF_PROTECT",
    "JWT_COOKIE_CSRF_PROTECTION": "JWT_COOKIE_CSRF_PROTECT",
    "JWT_CSRF_METHOD": "JWT_CSRF_METHODS",
    "JWT_CSRF_IN_COOKIE": "JWT_CSRF_IN_COOKIES",
    "JWT_SECRET_KEYS": "JWT_SECRET_KEY",
    "JWT_SECRETKEY": "JWT_SECRET_KEY",
    "JWT_SECRET_KEY_FALLBACK": "JWT_SECRET_KEY_FALLBACKS",
    "JWT_PUBLIC_KEYS": "JWT_PUBLIC_KEY",
    "JWT_PRIVAT_KEY": "JWT_PRIVATE_KEY",
    "JWT_ALGORITHMS": "JWT_ALGORITHM",
    "JWT_DECODE_ALGORITHM": "JWT_DECODE_ALGORITHMS",
    "JWT_STORE_URL": "JWT_STORE_URI",
    "JWT_PROFIL": "JWT_PROFILE",
    "JWT_HEADER_TYP": "JWT_HEADER_TYPE",
    "JWT_TRUSTED_ISSUER": "JWT_TRUSTED_ISSUERS",
    "JWT_REQUIRED_CLAIM": "JWT_REQUIRED_CLAIMS",
    "JWT_KEY_STRENGHT": "JWT_KEY_STRENGTH",
}
#: Names that applications and other extensions use for their own options.
OWN = """
    JWT_ACCESS_TOKEN_EXPIRES_MINUTES JWT_ACCESS_TOKEN_EXPIRES_HOURS JWT_REFRESH_TOKEN_EXPIRES_DAYS JWT_ACCESS_MINUTES
    JWT_EXPIRATION JWT_EXPIRATION_DELTA JWT_EXP_DELTA_SECONDS JWT_ISSUER JWT_AUDIENCE JWT_KEY JWT_TTL JWT_LIFETIME
    JWT_ENABLED JWT_BLACKLIST_STORE JWT_BLOCKLIST JWT_REDIS_URL JWT_SECRET_PATH JWT_PRIVATE_KEY_PATH JWT_LEEWAY
    JWT_PRIVATE_KEY_FILE JWT_PUBLIC_KEY_URL JWT_PUBLIC_KEY_FILE JWT_AUTH_URL_RULE JWT_AUTH_HEADER_PREFIX
    JWT_AUTH_USERNAME_KEY JWT_DEFAULT_REALM JWT_VERIFY JWT_VERIFY_EXPIRATION JWT_RESET_TOKEN_EXPIRES
    JWT_PASSWORD_RESET_EXPIRES JWT_EMAIL_TOKEN_EXPIRES JWT_TOKEN_NAME JWT_COOKIE_NAME JWT_ACCESS_COOKIE JWT_XYZZY
    JWT_COOKIE_MAX_AGE JWT_COOKIE_HTTPONLY JWT_ISS JWT_AUD JWT_ROLES JWT_ADMIN_ROLE JWT_TOKEN_EXPIRES
    JWT_REFRESH_HEADER_NAME
""".split()  # noqa: SIM905  # as many lines as names otherwise
#: Options of 3.x, and a word of the text that names the replacement.
OF_3_X = {
    "JWT_BLACKLIST_ENABLED": "token_in_blocklist_loader",
    "JWT_BLOCKLIST_ENABLED": "token_in_blocklist_loader",
    "JWT_BLACKLIST_TOKEN_CHECKS": "token_in_blocklist_loader",
    "JWT_BLOCKLIST_TOKEN_CHECKS": "token_in_blocklist_loader",
    "JWT_USER_CLAIMS": "get_jwt",
    "JWT_CLAIMS_IN_REFRESH_TOKEN": "refresh tokens",
    "JWT_CSRF_HEADER_NAME": "JWT_ACCESS_CSRF_HEADER_NAME and JWT_REFRESH_CSRF_HEADER_NAME",
}


def make(**options: Any) -> tuple[Flask, list[warnings.WarningMessage]]:
    """Return an application and the warnings of its init_app."""
    app = Flask("app")
    app.config.update(SECRET_KEY=SECRET, **options)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        JWTManager(app)
    return app, heard


@rotated("name,meant", MISSPELT.items(), profile=PROFILES)
def test_a_misspelt_option_gets_a_warning_that_names_the_option(name: str, meant: str, profile: str) -> None:
    """Otherwise it would be ignored silently. The value may be a secret, so the warning does not show it."""
    app, heard = make(**{name: "hunter2"}, JWT_PROFILE=profile)
    (warning,) = heard
    assert str(warning.message) == f"{name} is not a known option of flask_jwt_extended; did you mean {meant}?"
    assert warning.category is JWTConfigWarning
    finding = run(app, "check").output
    assert f"warning: {name} is not a known option" in finding
    assert f"Did you mean {meant}?" in finding


def test_an_option_of_the_application_gets_no_warning() -> None:
    """Only ``flask jwt check`` mentions it."""
    app, heard = make(**dict.fromkeys(OWN, "hunter2"))
    assert [str(each.message) for each in heard] == []
    found = run(app, "check").output
    assert [name for name in OWN if f"info: {name} is not a known option" not in found] == []


@pytest.mark.parametrize("name", ["PYJWT_SECRET", "JWT", "MY_JWT_OPTION"])
def test_a_name_without_the_prefix_is_not_checked(name: str) -> None:
    """``flask jwt check`` does not mention it either."""
    app, heard = make(**{name: "hunter2"})
    assert heard == []
    assert f"{name} is not a known option" not in run(app, "check").output


def test_a_name_that_is_set_beside_the_option_it_could_mean_gets_no_warning() -> None:
    """Applications often keep the value of JWT_SECRET_KEY in JWT_SECRET first."""
    assert len(make(JWT_SECRET="hunter2")[1]) == 1
    assert make(JWT_SECRET="hunter2", JWT_SECRET_KEY=SECRET)[1] == []


@pytest.mark.parametrize(("name", "replacement"), OF_3_X.items())
def test_an_option_of_3_x_gets_a_warning_that_names_the_replacement(name: str, replacement: str) -> None:
    """It is not a guess at a similar name."""
    app, heard = make(**{name: True})
    (warning,) = heard
    assert warning.category is JWTConfigWarning
    assert replacement in str(warning.message)
    assert "did you mean" not in str(warning.message)
    finding = run(app, "check").output
    assert f"warning: {name} is not a known option" in finding
    assert replacement in finding


def test_the_warnings_of_this_package_can_be_filtered_by_their_class() -> None:
    """They are UserWarnings, as in 4.7."""
    assert issubclass(JWTConfigWarning, UserWarning)
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_PROFIL="x", JWT_COOKIE_SECURE="false", JWT_DECODE_ALGORITHMS=["none"])
    JWTManager(other := Flask("other"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", JWTConfigWarning)
        JWTManager(app)
        JWTManager(other)
