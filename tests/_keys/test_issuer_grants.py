"""What claims may do: an issuer grants what its settings allow, and no number causes a 500."""

from __future__ import annotations

import logging
import time
import warnings
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from flask import Flask
from jwt.exceptions import PyJWTError

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    all_of,
    create_access_token,
    decode_token,
    get_jwt,
    has_scope,
    jwt_required,
    refresh_expiring_cookies,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.token import inspect_token
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_jwt_extended.signals import bound_token_accepted

from ..axes import PROFILES, both_profiles, rotated
from ..conftest import SECRET, STARTED, MakeApp, bearer
from ..tokens import genuine
from .helpers import JWKS
from .test_issuer import (
    ISSUER,
    KEY,
    OTHER,
    OTHER_KEY,
    OTHER_SETTINGS,
    SETTINGS,
    ask,
    foreign,
    refused,
    signed,
    their_claims,
)

AUTHORITY = ("scope", "scp", "roles", "groups", "acr", "amr")


def application(make_app: MakeApp, profile: str = "compat", **settings: Any) -> Flask:
    """Return an application that trusts the issuer, with views that require scopes, roles, a recent login and
    ``acr``.
    """
    app = make_app(
        PROFILE=profile,
        TRUSTED_ISSUERS={ISSUER: SETTINGS | settings, OTHER: OTHER_SETTINGS},
        STORE_URI="memory://",
    )
    demands: dict[str, dict[str, Any]] = {
        "read": {"scopes": "orders:read"},
        "both": {"scopes": all_of("orders:read", "orders:write")},
        "admin": {"roles": "admin"},
        "recent": {"max_age": 300},
        "strong": {"acr": "phr"},
    }
    for name, demand in demands.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**demand)(lambda: {"scope": has_scope("orders:read")}))
    return app


def own(app: Flask, **claims: Any) -> str:
    """Return a token of the application itself."""
    with app.app_context():
        return create_access_token("ada", additional_claims=claims)


# --- scopes, roles and authentication contexts ----------------------------------------------------------------------

SCOPES: list[dict[str, Any]] = [
    {"scope": "orders:read"},
    {"scope": "openid orders:read orders:write"},
    {"scp": "orders:read profile"},
    {"scp": ["orders:read"]},
    {"scope": ["orders:read"]},
    {"scope": "openid", "scp": ["orders:read"]},
]
ROLES: list[dict[str, Any]] = [
    {"roles": ["admin"]},
    {"roles": "admin"},
    {"groups": ["admin", "staff"]},
    {"groups": "admin"},
    {"roles": ["staff"], "groups": ["admin"]},
]


@rotated("claims", SCOPES, ids=str, profile=PROFILES)
def test_a_scope_counts_if_the_settings_of_the_issuer_name_it(
    make_app: MakeApp, profile: str, claims: dict[str, Any]
) -> None:
    """Otherwise it grants nothing. Scopes of our own tokens always count."""
    for scopes, status in ((None, 403), ([], 403), ("orders:write", 403), ("orders:read", 200), ("*", 200)):
        app = application(make_app, profile, **({} if scopes is None else {"scopes": scopes}))
        assert ask(app, foreign(**claims), "/read")[0] == status
        assert ask(app, own(app, **claims), "/read")[0] == 200
        assert ask(app, foreign(**claims))[0] == 200


@rotated("claims", ROLES, ids=str, profile=PROFILES)
def test_a_role_counts_if_the_settings_of_the_issuer_name_it(
    make_app: MakeApp, profile: str, claims: dict[str, Any]
) -> None:
    """Groups are roles, too."""
    for roles, status in ((None, 403), (["staff"], 403), (["staff", "admin"], 200), ("*", 200)):
        app = application(make_app, profile, **({} if roles is None else {"roles": roles}))
        assert ask(app, foreign(**claims), "/admin")[0] == status
        assert ask(app, own(app, **claims), "/admin")[0] == 200


@rotated("claims", [{"acr": "phr"}, {"amr": ["pwd", "phr"]}, {"amr": "phr"}], ids=str, profile=PROFILES)
def test_an_authentication_context_counts_if_the_settings_name_it(
    make_app: MakeApp, profile: str, claims: dict[str, Any]
) -> None:
    """The names have a different meaning for each issuer."""
    for acr, status in ((None, 401), ("mfa", 401), ("phr", 200), ("*", 200)):
        app = application(make_app, profile, **({} if acr is None else {"acr": acr}))
        assert ask(app, foreign(**claims), "/strong")[0] == status
        assert ask(app, own(app, **claims), "/strong")[0] == 200


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"roles": "not admin"}, "/admin"),
        ({"groups": "admin emeritus"}, "/admin"),
        ({"acr": "no phr"}, "/strong"),
        ({"amr": "phr failed"}, "/strong"),
    ],
    ids=str,
)
def test_a_name_with_spaces_is_one_name_unless_it_is_a_scope(
    make_app: MakeApp, claims: dict[str, Any], path: str
) -> None:
    """A role is not allowed because one of its words is."""
    app = application(make_app, roles=["admin", "Power User"], acr="phr")
    status, told = ask(app, foreign(**claims))
    assert (status, told["claims"][next(iter(claims))]) == (200, "")
    assert ask(app, foreign(**claims), path)[0] in (401, 403)
    assert ask(app, foreign(roles="Power User"))[1]["claims"]["roles"] == "Power User"


def test_one_issuer_is_granted_nothing_by_the_settings_of_another(make_app: MakeApp) -> None:
    """Each has its own settings."""
    app = application(make_app, scopes="orders:read", roles="admin")
    other = foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER, scope="orders:read", roles=["admin"])
    assert [ask(app, other, path)[0] for path in ("/read", "/admin", "/access")] == [403, 403, 200]


def test_scopes_beyond_the_settings_are_not_seen_by_anybody(make_app: MakeApp) -> None:
    """has_scope, get_jwt, loaders and decode_token do not see them. The claim keeps its form."""
    app = application(make_app, scopes=["orders:read"], roles=["staff"])
    seen: list[dict[str, Any]] = []
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.token_verification_loader(lambda _header, claims: seen.append(dict(claims)) or True)  # type: ignore[func-returns-value]
    token = foreign(scope="orders:read all", scp=["all"], roles=["root", "staff"], groups="root", permissions=["all"])
    claims = ask(app, token)[1]["claims"]
    wanted = {"scope": "orders:read", "scp": [], "roles": ["staff"], "groups": "", "permissions": ["all"]}
    assert claims == seen[0] == claims | wanted
    with app.app_context():
        assert decode_token(token) == claims


@pytest.mark.parametrize(
    "odd", [5, None, True, {"admin": True}, [["admin"]], [5, None], [{"name": "admin"}], ""], ids=str
)
def test_authority_of_an_odd_form_grants_nothing(make_app: MakeApp, odd: Any) -> None:
    """It is not an error either."""
    token = signed(their_claims() | dict.fromkeys(AUTHORITY, odd))
    for settings in ({}, {"scopes": "*", "roles": "*", "acr": "*"}, {"scopes": "a", "roles": "admin", "acr": "a"}):
        app = application(make_app, **settings)
        assert [ask(app, token, path)[0] for path in ("/access", "/read", "/admin", "/strong")] == [200, 403, 403, 401]


def test_roles_of_a_loader_are_the_word_of_the_application(make_app: MakeApp) -> None:
    """It sees only roles that the issuer may grant, and all other claims. Its result is not limited."""
    app = application(make_app, roles=["staff"])
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.roles_loader(lambda _header, claims: claims["roles"])
    assert ask(app, foreign(roles=["admin"]), "/admin")[0] == 403
    manager.roles_loader(lambda _header, claims: claims["realm_access"]["roles"])
    assert ask(app, foreign(realm_access={"roles": ["admin"]}), "/admin")[0] == 200


@rotated("value", [5, [5], {"a": True}, [""], ""], ids=str, name=("scopes", "roles", "acr"))
def test_grants_of_an_odd_form_are_a_mistake(make_app: MakeApp, name: str, value: Any) -> None:
    """The error comes at the start."""
    with pytest.raises(ConfigurationError, match=rf"JWT_TRUSTED_ISSUERS.*{name}.*string or a list of strings"):
        application(make_app, **{name: value})


@pytest.mark.parametrize("claim", ["sid", "single_use", "type", "fresh", "scope", "roles", "jti"])
def test_the_identity_may_be_in_a_claim_that_means_something_else_here(make_app: MakeApp, claim: str) -> None:
    """It is read before that claim is removed or replaced."""
    app = application(make_app, identity_claim=claim)
    status, told = ask(app, signed(their_claims() | {claim: "ada"}))
    assert (status, told["identity"]) == (200, "ada")


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "nbf", "auth_time", "cnf", "csrf"])
def test_the_identity_is_in_a_claim_that_tells_users_apart(make_app: MakeApp, claim: str) -> None:
    """With any other claim, all users would be the same, or none could log in."""
    with pytest.raises(ConfigurationError, match=r"\['identity_claim'\] cannot be"):
        application(make_app, identity_claim=claim)


@pytest.mark.parametrize("claim", ["iss", "jti", "sid", "type", "scope", "roles", "exp", "cnf"])
def test_our_identity_claim_cannot_be_one_that_means_something_else(make_app: MakeApp, claim: str) -> None:
    """The identity of a foreign token is written there: it would become its issuer, or its roles."""
    with pytest.raises(ConfigurationError, match="JWT_IDENTITY_CLAIM cannot be"):
        make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, IDENTITY_CLAIM=claim)


def test_an_expired_token_is_told_with_what_its_issuer_may_grant(make_app: MakeApp) -> None:
    """``expired_token_loader`` sees the same claims as every other loader."""
    app = application(make_app)
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.expired_token_loader(lambda _header, claims: (claims, 401))
    status, told = ask(app, foreign(exp=int(time.time()) - 5, roles=["admin"], sid="theirs", fresh=True))
    assert status == 401
    assert (told["roles"], told["fresh"], told["type"], "sid" in told) == ([], False, "access", False)


# --- cross-site requests --------------------------------------------------------------------------------------------


@both_profiles
def test_a_foreign_csrf_claim_lets_nothing_pass(make_app: MakeApp, profile: str) -> None:
    """With a token of an issuer in a cookie, a request can only read; with ours and its CSRF value it can write."""
    app = application(make_app, profile)
    app.config["JWT_TOKEN_LOCATION"] = ["cookies"]
    for token, status in ((foreign(csrf="known"), 422), (own(app, csrf="known"), 200)):
        client = app.test_client()
        client.set_cookie(app.config["JWT_ACCESS_COOKIE_NAME"], token, secure=True)
        asked: dict[str, Any] = {"base_url": "https://localhost", "headers": {"X-CSRF-TOKEN": "known"}}
        assert client.get("/access", **asked).status_code == 200
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = client.open("/access", method=method, **asked).status_code
            assert answer == (401 if profile == "strict" and status == 422 else status)


def test_a_foreign_token_holds_no_double_submit_value(make_app: MakeApp) -> None:
    """Nor with ``decode_token(csrf_value=...)``."""
    app = application(make_app)
    with app.app_context():
        assert "csrf" not in decode_token(foreign(csrf="known"))
        with pytest.raises(Exception, match="Missing claim: csrf"):
            decode_token(foreign(csrf="known"), csrf_value="known")
        assert decode_token(own(app, csrf="known"), csrf_value="known")["csrf"] == "known"


# --- when its owner was authenticated -------------------------------------------------------------------------------


def any_token(app: Flask, whose: str, claims: dict[str, Any]) -> str:
    """Return a token of ours or of the issuer, with claims that PyJWT would not write."""
    if whose == "foreign":
        return signed(their_claims() | claims)
    return genuine(their_claims(iss=None, aud=None) | {"type": "access"} | claims, secret=SECRET)


EVERYONE = ("own", "foreign")


@rotated(
    "auth_time",
    [
        *(True, False, None, "0", str(STARTED), "now", [], {}, [STARTED]),
        *(float("nan"), float("inf"), -float("inf"), 10**400, -(10**400), 1e308, 2**63, 0, -1),
        *(STARTED + 3600, STARTED - 3600, STARTED + 3600.5),
    ],
    ids=lambda value: str(value)[:20],
    whose=EVERYONE,
    profile=PROFILES,
)
def test_only_a_login_that_has_happened_is_recent(make_app: MakeApp, profile: str, whose: str, auth_time: Any) -> None:
    """A time in the future, an impossible one and a value that is not a number are not recent."""
    app = application(make_app, profile)
    token = any_token(app, whose, {"auth_time": auth_time})
    assert ask(app, token, "/recent")[0] in (401, 422)
    assert ask(app, any_token(app, whose, {"auth_time": int(time.time()) - 10}), "/recent")[0] == 200


@pytest.mark.parametrize("whose", EVERYONE)
def test_the_leeway_is_for_the_time_of_the_login_too(make_app: MakeApp, whose: str) -> None:
    """The other clock may be ahead by the leeway, and not more."""
    app = application(make_app)
    app.config["JWT_DECODE_LEEWAY"] = 30
    assert ask(app, any_token(app, whose, {"auth_time": int(time.time()) + 20}), "/recent")[0] == 200
    assert ask(app, any_token(app, whose, {"auth_time": int(time.time()) + 40}), "/recent")[0] == 401


@pytest.mark.parametrize("fresh", ["true", "no", None, [], {}, 0, 1.5, True])
def test_a_token_was_fresh_if_it_says_so(make_app: MakeApp, fresh: Any) -> None:
    """If ``fresh`` is True or a time, ``iat`` is the time of the login."""
    app = application(make_app)
    status = ask(app, own(app, fresh=fresh), "/recent")[0]
    assert status == (200 if fresh is True or type(fresh) in (int, float) else 401)


# --- numbers --------------------------------------------------------------------------------------------------------

HUGE = [10**400, -(10**400), 10**308, 1e308, -1e308, -(10**308), 2**63, -(2**63), 2**1024, 2**1024 - 1, 1.5]


@rotated(
    "value,name",
    product(HUGE, ["exp", "iat", "nbf", "auth_time", "fresh"]),
    ids=lambda value: str(value)[:12] + str(len(str(value))),
    whose=EVERYONE,
)
def test_no_number_ends_in_an_error(make_app: MakeApp, whose: str, name: str, value: float) -> None:
    """Neither in views, nor in revocation, renewed cookies or the inspection of a token."""
    app = application(make_app)
    app.config.update(JWT_DECODE_LEEWAY=0.5, JWT_TOKEN_LOCATION=["headers", "cookies"])
    app.config["JWT_COOKIE_OUTLIVES_TOKEN"] = False
    app.after_request(refresh_expiring_cookies)
    app.add_url_rule("/revoke", "revoke", jwt_required()(lambda: {"news": revoke_token()}))
    with app.test_request_context():
        session_id = start_session("ada").session_id
    token = any_token(app, whose, {name: value, "sid": session_id})
    for path in ("/access", "/fresh", "/recent", "/refresh", "/optional", "/any"):
        assert ask(app, token, path)[0] in (200, 401, 422)
    client = app.test_client()
    client.set_cookie("access_token_cookie", token)
    assert client.get("/access").status_code in (200, 401, 422)
    inspect_token(token, get_state(app), time.time())
    with app.test_request_context(), suppress(PyJWTError, JWTExtendedException):
        revoke_token(token)
    assert ask(app, token, "/revoke")[0] in (200, 401, 422)


@rotated("name", ["exp", "iat", "nbf"] * 2, whose=EVERYONE, profile=PROFILES)
def test_an_integer_beyond_every_clock_is_refused(make_app: MakeApp, profile: str, whose: str, name: str) -> None:
    """In both directions."""
    app = application(make_app, profile)
    for value in (10**400, -(10**400)):
        assert refused(app, any_token(app, whose, {name: value}))
    assert ask(app, any_token(app, whose, {}))[0] == 200


# --- bound to a key -------------------------------------------------------------------------------------------------

BOUND = [{"jkt": "a"}, {"x5t#S256": "a"}, {"jwk": {"kty": "EC"}}, {"kid": "a"}, {"jku": "https://a"}, {"new": 1}, {}]


@rotated("confirmation", BOUND, ids=str, whose=EVERYONE)
def test_strict_refuses_a_token_that_is_bound_to_a_key(make_app: MakeApp, whose: str, confirmation: Any) -> None:
    """Its sender has not proved possession of the key (RFC 7800). A token without ``cnf`` passes."""
    app = application(make_app, "strict")
    assert refused(app, any_token(app, whose, {"cnf": confirmation}))
    assert refused(app, any_token(app, whose, {"cnf": confirmation}), "/optional")
    assert ask(app, any_token(app, whose, {}))[0] == 200
    app.config["JWT_BOUND_TOKENS"] = "warn"
    assert ask(app, any_token(app, whose, {"cnf": confirmation}))[0] == 200


@rotated("confirmation", BOUND, ids=str, whose=EVERYONE)
def test_compat_warns_once_for_each_issuer(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, whose: str, confirmation: Any
) -> None:
    """Every token sends a signal with its issuer. A change of the configuration does not repeat the warning."""
    app = application(make_app)
    name = ISSUER if whose == "foreign" else None
    heard: list[str | None] = []

    def hear(_app: Flask, issuer: str | None) -> None:
        heard.append(issuer)

    with bound_token_accepted.connected_to(hear, app), caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        for leeway in (0, 0, 5):
            app.config["JWT_DECODE_LEEWAY"] = leeway
            assert ask(app, any_token(app, whose, {"cnf": confirmation}))[0] == 200
        assert ask(app, any_token(app, whose, {}))[0] == 200
    told = [record.getMessage() for record in caplog.records if "cnf" in record.getMessage()]
    assert heard == [name] * 3
    assert len(told) == 1
    assert (name or "this application") in told[0]


def test_each_issuer_is_warned_of_by_itself(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    """This application and two issuers cause a warning each."""
    app = application(make_app)
    bound: dict[str, Any] = {"cnf": {"jkt": "a"}}
    for _ in range(2):
        ask(app, any_token(app, "own", bound))
        ask(app, any_token(app, "foreign", bound))
        ask(app, foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER, **bound))
    assert [record.getMessage().count("cnf") for record in caplog.records if "cnf" in record.getMessage()] == [1] * 3


@rotated("odd", [None, "", "jkt", 5, True, [], [{"jkt": "a"}]], ids=str, whose=EVERYONE, profile=PROFILES)
def test_a_confirmation_that_is_not_an_object_is_malformed(
    make_app: MakeApp, profile: str, whose: str, odd: Any
) -> None:
    """In both profiles, also where bound tokens are accepted (RFC 7800, section 3.1)."""
    app = application(make_app, profile)
    app.config["JWT_BOUND_TOKENS"] = "warn"
    assert refused(app, any_token(app, whose, {"cnf": odd}))


def test_on_the_way_to_strict_it_can_be_reported(make_app: MakeApp) -> None:
    """JWT_REPORT_ONLY accepts JWT_BOUND_TOKENS."""
    app = application(make_app, "strict")
    app.config["JWT_REPORT_ONLY"] = ["JWT_BOUND_TOKENS"]
    assert ask(app, foreign(cnf={"jkt": "a"}))[0] == 200
    app.config["JWT_REPORT_ONLY"] = []
    assert refused(app, foreign(cnf={"jkt": "a"}))


@both_profiles
def test_inspection_says_that_a_token_is_bound(make_app: MakeApp, profile: str) -> None:
    """With the decision that a request gets."""
    app = application(make_app, profile)
    found = inspect_token(foreign(cnf={"jkt": "a"}), get_state(app), time.time())
    (verdict,) = [each for each in found.verdicts if each.name == "cnf"]
    assert verdict.passed is found.accepted is (profile == "compat")
    assert "bound to a key" in verdict.why


@pytest.mark.parametrize("header", [{"typ": "dpop+jwt"}, {"typ": "application/dpop+jwt"}, {"typ": "DPoP+JWT"}])
def test_a_proof_is_no_token(make_app: MakeApp, header: dict[str, str]) -> None:
    """Although the key of the issuer signed it."""
    app = application(make_app)
    assert refused(app, foreign(header=header))


def test_warnings_as_errors_turn_no_key_into_a_crash(make_app: MakeApp) -> None:
    """A key of an unknown kind is skipped, and logged."""
    app = make_app(KEYS={"keys": [JWKS["ES256"], {"kty": "AKP", "kid": "new", "alg": "ML-DSA-44"}]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ask(app, own(app))[0] == 200


def test_nothing_but_its_key_makes_a_token_the_issuers(make_app: MakeApp) -> None:
    """A valid token with every claim, within the settings, passes everywhere."""
    app = application(make_app, "strict", scopes="orders:read", roles="admin", acr="phr")
    token = foreign(KEY, scope="orders:read", roles=["admin"], acr="phr", auth_time=int(time.time()))
    assert [ask(app, token, path)[0] for path in ("/read", "/admin", "/strong", "/recent")] == [200] * 4
    with app.test_request_context(headers=bearer(token)):
        jwt_required()(lambda: get_jwt())()
        assert get_jwt()["iss"] == ISSUER
