"""What an application writes into its tokens it also requires of them, and settings under which it refuses its own are
found: at start, by ``flask jwt check`` and in the log.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from itertools import chain, product
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from dateutil.relativedelta import relativedelta
from flask import Flask

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    create_refresh_token,
    create_token,
    decode_token,
    jwt_required,
)
from flask_jwt_extended._cli import jwt
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import check
from flask_jwt_extended._diagnostics.token import inspect_token
from flask_jwt_extended.stores.findings import Finding

from ..axes import PROFILES, both_profiles, rotated
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

ISSUER = "https://login.example"
NAMED: dict[str, Any] = {"ENCODE_ISSUER": ISSUER, "ENCODE_AUDIENCE": "orders-api"}
RFC_9068: dict[str, Any] = {**NAMED, "ACCESS_TOKEN_TYP": "at+jwt"}


def forged(typ: str | None = "at+jwt", **others: Any) -> str:
    """A token that another service signed with the same key. ``None`` leaves a claim out."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": "orders-api",
        "sub": "ada",
        "client_id": "shop",
        "jti": "1",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "type": "access",
        "fresh": False,
        "csrf": "x",
    }
    claims = {name: value for name, value in (claims | others).items() if value is not None}
    return pyjwt.encode(claims, SECRET, headers={"typ": typ})


def status(app: Flask, token: str, view: str = "access") -> int:
    return int(app.test_client().get(f"/{view}", headers=bearer(token)).status_code)


# --- JWT_ACCESS_TOKEN_TYP -------------------------------------------------------------------------------------------


@pytest.fixture
def oauth(profile: str, make_app: MakeApp) -> Flask:
    """An application whose access tokens are those of RFC 9068, in the profile of the test."""
    app = make_app(PROFILE=profile, **RFC_9068)
    app.add_url_rule("/reset", "reset", jwt_required(token_type="reset")(lambda: "x"))
    return app


@rotated("typ", ["at+jwt", "AT+JWT", "application/at+jwt"], profile=PROFILES)
def test_own_tokens_are_accepted(oauth: Flask, typ: str) -> None:
    """Every kind of token, with every spelling of the type."""
    with oauth.app_context():
        tokens = {
            "access": create_access_token("ada"),
            "refresh": create_refresh_token("ada"),
            "reset": create_token("reset", "ada"),
        }
        assert decode_token(tokens["access"])["iss"] == ISSUER
    for view, token in tokens.items():
        assert status(oauth, token, view) == 200
    assert status(oauth, forged(typ)) == 200


@rotated(
    "typ",
    ["JWT", "jwt", "application/jwt", "", "mine", None, "at+jwt+x", "dpop+jwt", "at-jwt"],
    profile=PROFILES,
    kind=["access", None],
)
def test_an_access_token_must_have_the_typ(oauth: Flask, typ: str | None, kind: str | None) -> None:
    """In both profiles. In compat, a token without a type is an access token."""
    assert status(oauth, forged(typ, type=kind)) in (401, 422)
    assert status(oauth, forged(typ, type=kind), "any") in (401, 422)


@rotated("view,kind", product(["access", "refresh", "reset", "any"], ["refresh", "reset"]), profile=PROFILES)
def test_no_other_token_may_have_the_typ(oauth: Flask, kind: str, view: str) -> None:
    """A refresh token with this typ is refused everywhere, and accepted without it."""
    assert status(oauth, forged(type=kind), view) in (401, 422)
    assert status(oauth, forged("JWT", type=kind), kind) == 200


@rotated(
    "claims",
    [
        {"iss": "https://other.example"},
        {"iss": f"{ISSUER}/"},
        {"iss": ISSUER.upper()},
        {"iss": ""},
        {"iss": None},
        {"aud": "other-api"},
        {"aud": ["other-api"]},
        {"aud": []},
        {"aud": ""},
        {"aud": None},
    ],
    profile=PROFILES,
)
def test_an_access_token_names_its_issuer_and_audience(oauth: Flask, claims: dict[str, Any]) -> None:
    """Ours are required, although JWT_DECODE_ISSUER and JWT_DECODE_AUDIENCE are not set."""
    assert status(oauth, forged(**claims)) in (401, 422)
    assert status(oauth, forged(aud=["other-api", "orders-api"])) == 200


def test_more_issuers_and_audiences_can_be_accepted(make_app: MakeApp) -> None:
    """With JWT_DECODE_ISSUER and JWT_DECODE_AUDIENCE."""
    more = {"DECODE_ISSUER": [ISSUER, "https://other.example"], "DECODE_AUDIENCE": ["orders-api", "stock-api"]}
    app = make_app(**RFC_9068, **more)
    assert status(app, forged(iss="https://other.example", aud="stock-api")) == 200
    assert status(app, forged(iss="https://third.example")) == 422
    assert status(app, forged(aud="third-api")) == 422


def test_after_the_option_is_turned_on_refresh_tokens_are_good(make_app: MakeApp) -> None:
    """Old access tokens are refused, and clients refresh as if they had expired."""
    before, after = make_app(), make_app(**RFC_9068)
    with before.app_context():
        access, refresh = create_access_token("ada"), create_refresh_token("ada")
    assert status(after, access) == 422
    assert status(after, refresh, "refresh") == 200


def test_after_the_option_is_turned_off_access_tokens_are_good(make_app: MakeApp) -> None:
    """Old access tokens are accepted until they expire."""
    before, after = make_app(**RFC_9068), make_app()
    with before.app_context():
        access = create_access_token("ada")
    assert status(after, access) == 200


@rotated(
    "create,typ,by_loader",
    [
        (create_access_token, "JWT", True),
        (create_access_token, "JWT", False),
        (create_refresh_token, "at+jwt", True),
        (create_refresh_token, "at+jwt", False),
    ],
    profile=PROFILES,
)
def test_a_token_that_would_be_refused_is_not_made(oauth: Flask, create: Any, typ: str, by_loader: bool) -> None:
    """The error names the option and the origin of the type."""
    headers = {"typ": typ}
    if by_loader:
        oauth.extensions["flask-jwt-extended"].additional_headers_loader(lambda _identity: headers)
    with oauth.app_context(), pytest.raises(ConfigurationError, match=r"JWT_ACCESS_TOKEN_TYP.*additional_headers"):
        create("ada", additional_headers=None if by_loader else headers)


@both_profiles
def test_a_token_of_another_type_is_not_marked_as_an_access_token(oauth: Flask) -> None:
    """Applications of 4.7 make their own kinds of tokens with additional claims."""
    with oauth.app_context():
        token = create_access_token("ada", additional_claims={"type": "reset"})
    assert status(oauth, token, "reset") == 200
    assert status(oauth, token) != 200


@both_profiles
def test_inspect_agrees(oauth: Flask) -> None:
    """``flask jwt inspect`` refuses what requests refuse."""
    state, now = get_state(oauth), time.time()
    assert inspect_token(forged(), state, now).accepted
    assert not inspect_token(forged("JWT"), state, now).accepted
    assert not inspect_token(forged(iss="https://other.example"), state, now).accepted
    assert not inspect_token(forged(type="refresh"), state, now).accepted


# --- what is encoded is required in strict --------------------------------------------------------------------------


@rotated(
    "claims",
    [{"iss": None}, {"iss": "https://other.example"}, {"aud": "other-api"}, {"aud": None}],
    view=["access", "refresh"],
)
def test_strict_requires_what_it_encodes(make_app: MakeApp, claims: dict[str, Any], view: str) -> None:
    """In tokens of every kind. Compat only checks JWT_DECODE_ISSUER and JWT_DECODE_AUDIENCE, as 4.7."""
    strict, compat = make_app(PROFILE="strict", **NAMED), make_app(**NAMED)
    token = forged("JWT", type=view, **claims)
    assert status(strict, token, view) == 401
    assert status(compat, token, view) == 200
    assert status(strict, forged("JWT", type=view), view) == 200
    with strict.app_context():
        own = create_access_token("ada") if view == "access" else create_refresh_token("ada")
    assert status(strict, own, view) == 200


@pytest.mark.parametrize(
    ("options", "claims"),
    [
        ({"DECODE_ISSUER": None}, {"iss": "https://other.example"}),
        ({"DECODE_AUDIENCE": None, "VERIFY_AUD": False}, {"aud": "other-api"}),
        ({"DECODE_ISSUER": ["https://other.example"]}, {"iss": "https://other.example"}),
        ({"REPORT_ONLY": ["JWT_DECODE_ISSUER"]}, {"iss": "https://other.example"}),
        ({"REPORT_ONLY": ["JWT_DECODE_AUDIENCE", "JWT_VERIFY_AUD"]}, {"aud": "other-api"}),
    ],
    ids=repr,
)
def test_an_option_that_is_set_wins_in_strict(
    make_app: MakeApp, options: dict[str, Any], claims: dict[str, Any]
) -> None:
    """Also ``None``, which turns the check off."""
    assert status(make_app(PROFILE="strict", **NAMED | options), forged("JWT", **claims)) == 200
    assert status(make_app(PROFILE="strict", **NAMED), forged("JWT", **claims)) == 401


def test_the_issuer_may_be_set_later(make_app: MakeApp) -> None:
    """The default of JWT_DECODE_ISSUER follows."""
    app = make_app(PROFILE="strict")
    assert status(app, forged("JWT", aud=None)) == 200
    app.config["JWT_ENCODE_ISSUER"] = "https://other.example"
    assert status(app, forged("JWT", aud=None)) == 401
    assert status(app, forged("JWT", aud=None, iss="https://other.example")) == 200


# --- settings under which an application refuses its own tokens -----------------------------------------------------


def refused(app: Flask) -> list[Finding]:
    return [each for each in check(app, get_state(app)) if each.code == "own_tokens_refused"]


_FORBIDDEN: dict[str, dict[str, Any]] = {
    "an audience that is not encoded": {"DECODE_AUDIENCE": "orders-api"},
    "other audiences": {"DECODE_AUDIENCE": ["a", "b"], "ENCODE_AUDIENCE": ["c", "d"]},
    "no audience": {"DECODE_AUDIENCE": []},
    "an issuer that is not encoded": {"DECODE_ISSUER": ISSUER},
    "another issuer": {"DECODE_ISSUER": ISSUER, "ENCODE_ISSUER": f"{ISSUER}/"},
    "a negative lifetime": {"ACCESS_TOKEN_EXPIRES": timedelta(seconds=-1)},
    "a negative number": {"ACCESS_TOKEN_EXPIRES": -60},
    "no lifetime": {"ACCESS_TOKEN_EXPIRES": 0},
    "a negative relativedelta": {"ACCESS_TOKEN_EXPIRES": relativedelta(minutes=-5)},
    "a negative lifetime of refresh tokens": {"REFRESH_TOKEN_EXPIRES": timedelta(days=-30)},
    "no end, which is required": {"ACCESS_TOKEN_EXPIRES": False, "REQUIRED_CLAIMS": ["exp"]},
    "no end of refresh tokens": {"REFRESH_TOKEN_EXPIRES": False, "REQUIRED_CLAIMS": ["exp"]},
    "nbf is required and not written": {"REQUIRED_CLAIMS": ["nbf"], "ENCODE_NBF": False},
    "csrf is required and not written": {"REQUIRED_CLAIMS": ["csrf"], "COOKIE_CSRF_PROTECT": False},
    "iss is required and not written": {"REQUIRED_CLAIMS": ["iss"]},
    "aud is required and not written": {"REQUIRED_CLAIMS": ["aud"]},
    "a leeway below zero": {"DECODE_LEEWAY": -30},
    "a token that is too long": {"MAX_TOKEN_BYTES": 64},
}


@pytest.mark.parametrize("name", _FORBIDDEN)
def test_such_settings_are_found(make_app: MakeApp, name: str) -> None:
    """A token made under these settings really is refused."""
    app = make_app(**_FORBIDDEN[name])
    found = refused(app)
    assert found
    assert {each.severity for each in found} == {"error"}
    assert all(each.fix.startswith(("Set ", "Remove ", "This ")) for each in found)
    refuses = []
    for view, create in (("access", create_access_token), ("refresh", create_refresh_token)):
        with app.app_context():
            refuses.append(status(app, create("ada"), view) != 200)
    assert any(refuses)
    assert len(found) == sum(refuses)


_GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "an audience of several": {"DECODE_AUDIENCE": ["a", "b"], "ENCODE_AUDIENCE": ["b", "c"]},
    "an issuer of several": {"DECODE_ISSUER": [ISSUER, "x"], "ENCODE_ISSUER": "x"},
    "an issuer that is not looked at": {"ENCODE_ISSUER": ISSUER},
    "tokens without an end": {"ACCESS_TOKEN_EXPIRES": False, "REQUIRED_CLAIMS": ()},
    "a relativedelta": {"ACCESS_TOKEN_EXPIRES": relativedelta(months=1)},
    "a second": {"ACCESS_TOKEN_EXPIRES": 1},
    "another identity claim": {"IDENTITY_CLAIM": "user", "REQUIRED_CLAIMS": ["sub", "user"]},
    "RFC 9068": RFC_9068,
    "an audience that is only reported": {"DECODE_AUDIENCE": "a", "REPORT_ONLY": ["JWT_DECODE_AUDIENCE"]},
    "an issuer that is only reported": {"DECODE_ISSUER": "x", "REPORT_ONLY": ["JWT_DECODE_ISSUER"]},
    "short tokens": {"MAX_TOKEN_BYTES": 1024},
    "required claims that are written": {"REQUIRED_CLAIMS": ["exp", "nbf", "iat", "jti", "type", "sub", "csrf"]},
}


@rotated("name", _GOOD, profile=PROFILES)
def test_good_settings_are_left_alone(make_app: MakeApp, name: str, profile: str, caplog: Any) -> None:
    """Neither the check nor the log reports them."""
    app = make_app(PROFILE=profile, **_GOOD[name])
    assert refused(app) == []
    with app.app_context():
        assert status(app, create_access_token("ada")) == 200
    assert "refused" not in caplog.text


def test_a_missing_client_id_is_a_warning(make_app: MakeApp) -> None:
    """RFC 9068 requires the claim. The check is content when ``additional_claims_loader`` adds it."""
    app, plain = make_app(**RFC_9068), make_app(**NAMED)
    code = "missing_oauth_claims"
    (finding,) = [each for each in check(app, get_state(app)) if each.code == code]
    assert finding.severity == "warning"
    assert "do not have client_id" in finding.message
    app.extensions["flask-jwt-extended"].additional_claims_loader(lambda _identity: {"client_id": "shop"})
    assert code not in {each.code for each in chain(check(app, get_state(app)), check(plain, get_state(plain)))}


def test_a_key_that_does_not_belong_to_the_other_is_found(make_app: MakeApp) -> None:
    """An algorithm and keys that do not fit are always an error."""
    private, _ = pem(PRIVATE_KEYS["ES256"])
    _, public = pem(ec.generate_private_key(ec.SECP256R1()))
    app = make_app(ALGORITHM="ES256", PRIVATE_KEY=private, PUBLIC_KEY=public)
    assert any(each.severity == "error" for each in check(app, get_state(app)))
    app = make_app(ALGORITHM="ES256", PRIVATE_KEY=private, PUBLIC_KEY=pem(PRIVATE_KEYS["ES256"])[1])
    assert not any(each.severity == "error" for each in check(app, get_state(app)))


@pytest.mark.parametrize("claim", ["tenant", "scope"])
def test_a_claim_that_the_application_adds_is_a_warning(make_app: MakeApp, claim: str) -> None:
    """Each token may get the claim from its caller. One that a loader adds is fine."""
    app = make_app(REQUIRED_CLAIMS=[claim])
    assert {each.severity for each in refused(app)} == {"warning"}
    app.extensions["flask-jwt-extended"].additional_claims_loader(lambda _identity: {claim: "x"})
    assert refused(app) == []
    app.extensions["flask-jwt-extended"].additional_claims_loader(lambda user: {claim: user.name})
    assert {each.severity for each in refused(app)} == {"warning"}


def test_an_application_that_makes_no_tokens_is_left_alone(make_app: MakeApp) -> None:
    """It only has a public key, for tokens of another service."""
    private, public = pem(PRIVATE_KEYS["ES256"])
    app = make_app(ALGORITHM="ES256", PUBLIC_KEY=public, DECODE_AUDIENCE="orders-api")
    assert refused(app) == []
    app.config["JWT_PRIVATE_KEY"] = private
    assert len(refused(app)) == 2


def test_a_loader_may_write_the_audience(make_app: MakeApp) -> None:
    """As applications of 4.7 do. With a loader that fails here, it is a warning."""
    app = make_app(DECODE_AUDIENCE="orders-api")
    manager = app.extensions["flask-jwt-extended"]
    manager.additional_claims_loader(lambda _identity: {"aud": "orders-api"})
    assert refused(app) == []
    manager.additional_claims_loader(lambda _identity: {"role": "admin"})
    assert {each.severity for each in refused(app)} == {"error"}
    manager.additional_claims_loader(lambda user: {"aud": user.audience})
    assert {each.severity for each in refused(app)} == {"warning"}


def test_it_is_logged_at_the_first_request(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """In the log, without calling a loader."""
    app = make_app(DECODE_AUDIENCE="orders-api")
    with caplog.at_level(logging.WARNING, logger="flask_jwt_extended"):
        for _ in range(2):
            app.test_client().get("/optional")
    lines = [each.getMessage() for each in caplog.records if "JWT_ENCODE_AUDIENCE" in each.getMessage()]
    assert len(lines) == 2  # access and refresh
    caplog.clear()
    app, asked = make_app(DECODE_AUDIENCE="orders-api"), []

    def add(identity: Any) -> dict[str, Any]:
        asked.append(identity)
        return {}

    app.extensions["flask-jwt-extended"].additional_claims_loader(add)
    app.test_client().get("/optional")
    assert asked == []


def test_the_exit_status_of_the_check(make_app: MakeApp) -> None:
    """It is 1, and the reason is printed."""
    app = make_app(DECODE_AUDIENCE="orders-api")
    result = app.test_cli_runner().invoke(jwt, ["check"])
    assert result.exit_code == 1
    assert "own_tokens_refused" in result.output
    assert "JWT_ENCODE_AUDIENCE" in result.output


# --- refused at start -----------------------------------------------------------------------------------------------

_LIFETIMES = [0, -1, -0.5, timedelta(0), timedelta(seconds=-1), relativedelta(months=-1)]


@rotated("value", _LIFETIMES, option=["ACCESS_TOKEN_EXPIRES", "REFRESH_TOKEN_EXPIRES"])
def test_strict_refuses_tokens_that_are_expired_when_they_are_made(make_app: MakeApp, option: str, value: Any) -> None:
    """Compat accepts the lifetime: tests of 4.7 applications make expired tokens that way."""
    with pytest.raises(ConfigurationError, match=f"JWT_{option}"):
        make_app(PROFILE="strict", **{option: value})
    assert refused(make_app(**{option: value}))
    app = make_app(PROFILE="strict")
    app.config[f"JWT_{option}"] = value  # tests do that too
    assert refused(app)


@rotated(
    "value,option",
    zip(_LIFETIMES * 2, ["SESSION_LIFETIME", "SESSION_IDLE_TIMEOUT", "COOKIE_EXTENSION_LIFETIME"] * 4, strict=True),
    profile=PROFILES,
)
def test_a_session_that_has_ended_when_it_starts_is_refused(
    make_app: MakeApp, option: str, value: Any, profile: str
) -> None:
    """In both profiles, because 4.7 has no sessions."""
    with pytest.raises(ConfigurationError, match=f"JWT_{option}"):
        make_app(PROFILE=profile, **{option: value})
    make_app(PROFILE=profile, **{option: None})
    make_app(PROFILE=profile, **{option: 60})


@rotated("claim", ["exp", "nbf", "iat", "type", "fresh", "csrf", "sid", "single_use"], profile=PROFILES)
def test_a_claim_with_another_meaning_holds_no_identity(make_app: MakeApp, claim: str, profile: str) -> None:
    """The identity would overwrite a time or a type."""
    with pytest.raises(ConfigurationError, match="JWT_IDENTITY_CLAIM"):
        make_app(IDENTITY_CLAIM=claim, PROFILE=profile)


def test_a_token_that_the_application_refuses_is_logged(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """``expires_delta=False`` although ``exp`` is required: one line in the log."""
    app = make_app(PROFILE="strict")
    with app.app_context(), caplog.at_level(logging.WARNING, logger="flask_jwt_extended"):
        tokens = [create_access_token("ada", expires_delta=False) for _ in range(3)]
        good = create_access_token("ada")
    (line,) = [each.getMessage() for each in caplog.records if "expires_delta" in each.getMessage()]
    assert "exp" in line
    assert {status(app, token) for token in tokens} == {401}
    assert status(app, good) == 200
