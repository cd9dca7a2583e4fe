"""Scopes, roles, types of tokens and step-up: which tokens pass, and what the answers to others are."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    all_of,
    create_access_token,
    create_refresh_token,
    create_token,
    get_jwt_identity,
    has_scope,
    jwt_required,
    refresh_session,
    start_session,
    verify_jwt_in_request,
)
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended.exceptions import InsufficientScopeError
from flask_jwt_extended.signals import token_refused

from .._sessions.helpers import Clock, stopped_clock
from ..axes import PROFILES
from ..conftest import PRIVATE_KEYS, MakeApp, bearer


@pytest.fixture(params=PROFILES)
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    """An application of each profile."""
    return make_app(PROFILE=request.param)


def view(app: Flask, **demands: Any) -> Callable[[str | None], Any]:
    """Add a view with these requirements, and return a function that sends it a token."""
    app._got_first_request = False  # so that a test reads in the order of what happens
    path = f"/view-{len(app.view_functions)}"
    app.add_url_rule(
        path, path, jwt_required(**demands)(lambda: {"identity": get_jwt_identity()}), methods=["GET", "POST"]
    )
    return lambda token: app.test_client().get(path, headers=bearer(token) if token else {})


def token(app: Flask, /, fresh: Any = False, **claims: Any) -> str:
    with app.app_context():
        return create_access_token("ada", fresh=fresh, additional_claims=claims)


def challenge(response: Any) -> dict[str, str]:
    """The parameters of a challenge. None of them contains a comma."""
    scheme, _, rest = response.headers["WWW-Authenticate"].partition(" ")
    assert scheme == "Bearer"
    return {
        name: value.strip('"') for name, _, value in (each.strip().partition("=") for each in rest.split(", ")) if name
    }


# --- scopes ---------------------------------------------------------------------------------------------------------

HELD = [
    ({"scope": "read"}, True),
    ({"scope": "write read admin"}, True),
    ({"scp": ["read"]}, True),
    ({"scp": "other read"}, True),
    ({"scope": "other", "scp": ["read"]}, True),
    ({"scope": ["read"]}, True),
    ({}, False),
    ({"scope": ""}, False),
    ({"scope": "reader"}, False),
    ({"scope": "READ"}, False),
    ({"scope": "read,write"}, False),
    ({"scope": "read\twrite"}, False),
    ({"scope": "read\u00a0write"}, False),
    ({"scope": None}, False),
    ({"scope": 5}, False),
    ({"scope": True}, False),
    ({"scope": {"read": True}}, False),
    ({"scope": ["read write"]}, False),
    ({"scp": [["read"]]}, False),
    ({"scp": [5, None]}, False),
    ({"roles": ["read"]}, False),
]


@pytest.mark.parametrize(("claims", "passes"), HELD, ids=str)
def test_a_scope_is_asked_for(app: Flask, claims: dict[str, Any], passes: bool) -> None:
    """The scope is one of the words of ``scope``, or in ``scp``, and compared exactly."""
    response = view(app, scopes="read")(token(app, **claims))
    assert response.status_code == (200 if passes else 403)


def test_a_list_means_any_and_all_of_means_every(app: Flask) -> None:
    """A list, a set or a tuple requires one of the scopes, ``all_of`` all of them."""
    any_, every = view(app, scopes=["a", "b"]), view(app, scopes=all_of("a", "b"))
    one, both, none = (token(app, scope=scope) for scope in ("b", "c a b", "c"))
    assert [any_(each).status_code for each in (one, both, none)] == [200, 200, 403]
    assert [every(each).status_code for each in (one, both, none)] == [403, 200, 403]
    assert view(app, scopes={"a", "b"})(one).status_code == 200
    assert view(app, scopes=("a", "b"))(one).status_code == 200


def test_a_refusal_says_which_scope_is_missing(app: Flask) -> None:
    """In both profiles the answer is 403, with a challenge that names the scopes (RFC 6750, section 3.1)."""
    response = view(app, scopes=all_of("orders:read", "orders:write"))(token(app, scope="orders:read"))
    assert response.status_code == 403
    said = challenge(response)
    assert (said["error"], said["scope"]) == ("insufficient_scope", "orders:read orders:write")
    assert response.get_json()["msg"] == "The token does not allow this"


def test_the_token_comes_before_its_scope(app: Flask) -> None:
    """A missing or invalid token, or one of another type, is answered as in a view without scopes."""
    ask = view(app, scopes="read")
    usual = view(app)
    with app.app_context():
        refresh = create_refresh_token("ada", additional_claims={"scope": "read"})
    for each in (None, "nonsense", refresh, token(app, scope="read")[:-4] + "AAAA"):
        assert ask(each).status_code == usual(each).status_code
        assert ask(each).get_json() == usual(each).get_json()


def test_a_refusal_is_told_of_once(app: Flask) -> None:
    """``token_refused`` is sent once, with the code ``insufficient_scope``."""
    ask, heard = view(app, scopes="read"), []

    def hear(_app: Flask, code: str, error: Exception) -> None:
        heard.append((code, type(error)))

    with token_refused.connected_to(hear, app):
        ask(token(app))
    assert heard == [("insufficient_scope", InsufficientScopeError)]


def test_an_application_may_answer_itself(app: Flask) -> None:
    """An error handler of the application answers."""

    @app.errorhandler(InsufficientScopeError)
    def answer(error: InsufficientScopeError) -> tuple[dict[str, Any], int]:
        return {"missing": error.scopes, "who": error.jwt_data["sub"]}, 418

    response = view(app, scopes="read")(token(app))
    assert (response.status_code, response.get_json()) == (418, {"missing": ["read"], "who": "ada"})


def test_a_view_may_ask_for_a_scope_itself(app: Flask) -> None:
    """``has_scope`` requires all the scopes that it is given."""
    app.add_url_rule(
        "/own", "own", jwt_required()(lambda: [has_scope("a"), has_scope("a", "b"), has_scope("c"), has_scope()])
    )
    answer = app.test_client().get("/own", headers=bearer(token(app, scope="a", scp=["b"])))
    assert answer.get_json() == [True, True, False, True]
    with app.test_request_context(), pytest.raises(RuntimeError, match="jwt_required"):
        has_scope("a")


def test_an_anonymous_request_of_an_optional_view_is_not_asked_for_scopes(app: Flask) -> None:
    """An optional view lets requests without a token pass, but not a token without the scope."""
    ask = view(app, optional=True, scopes="read")
    assert ask(None).get_json() == {"identity": None}
    assert ask(token(app)).status_code == 403


@pytest.mark.parametrize(
    "scopes",
    ["two words", "", [], [""], ["a", 5], 5, b"read", {"a": 1}, 'quo"te', "back\\slash", "näh", "tab\t", ["a b"]],
)
def test_a_scope_that_cannot_be_is_refused_where_it_is_written(scopes: Any) -> None:
    """A scope that is not valid is an error when the view is defined, not when it is called."""
    with pytest.raises(ConfigurationError, match="scopes"):
        jwt_required(scopes=scopes)
    with pytest.raises(ConfigurationError):
        all_of()


def test_it_can_be_asked_without_a_decorator(app: Flask) -> None:
    """``verify_jwt_in_request`` takes the same requirements, in the same forms."""
    with app.test_request_context(headers=bearer(token(app, scope="a b", roles=["r"]))):
        assert verify_jwt_in_request(scopes=["a", "x"], roles="r") is not None
        assert verify_jwt_in_request(scopes=all_of("a", "b"), max_age=None, acr=None) is not None
        with pytest.raises(InsufficientScopeError):
            verify_jwt_in_request(scopes="x")
        with pytest.raises(InsufficientScopeError):
            verify_jwt_in_request(roles=["x"])


# --- roles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "passes"),
    [
        ({"roles": ["admin"]}, True),
        ({"groups": ["staff", "admin"]}, True),
        ({"roles": "admin"}, True),
        ({"roles": "the admin"}, False),
        ({"roles": ["administrator"]}, False),
        ({"roles": None}, False),
        ({"roles": {"admin": True}}, False),
        ({"roles": [["admin"]]}, False),
        ({"scope": "admin"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_role_is_asked_for(app: Flask, claims: dict[str, Any], passes: bool) -> None:
    """The role is in ``roles`` or ``groups``. Its name may have spaces, so a string is one role."""
    response = view(app, roles="admin")(token(app, **claims))
    assert response.status_code == (200 if passes else 403)
    if not passes:
        assert challenge(response)["error"] == "insufficient_scope"
        assert "scope" not in challenge(response)


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_loader_may_tell_the_roles(app: Flask, how: str) -> None:
    """With ``roles_loader``, the roles in the token do not count."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]

    def roles(_header: dict[str, Any], claims: dict[str, Any]) -> list[str]:
        return list(claims["realm_access"]["roles"])

    async def roles_later(header: dict[str, Any], claims: dict[str, Any]) -> list[str]:
        return roles(header, claims)

    manager.roles_loader(roles if how == "sync" else roles_later)
    ask = view(app, roles=all_of("admin", "staff"))
    assert ask(token(app, realm_access={"roles": ["admin", "staff"]})).status_code == 200
    assert ask(token(app, realm_access={"roles": ["admin"]}, roles=["admin", "staff"])).status_code == 403


def test_roles_and_scopes_are_both_asked_for(app: Flask) -> None:
    """With scopes and roles, the token needs both."""
    ask = view(app, scopes="read", roles="admin")
    assert ask(token(app, scope="read", roles=["admin"])).status_code == 200
    assert ask(token(app, scope="read")).status_code == 403
    assert ask(token(app, roles=["admin"])).status_code == 403


# --- kinds ----------------------------------------------------------------------------------------------------------


def test_no_kind_passes_for_another(app: Flask) -> None:
    """A view accepts tokens of its type and of no other."""
    with app.app_context():
        kinds = {
            "access": create_access_token("ada", fresh=True),
            "refresh": create_refresh_token("ada"),
            "password_reset": create_token("password_reset", "ada"),
            "invite": create_token("invite", "ada"),
        }
    for wanted in kinds:
        ask = view(app, refresh=True) if wanted == "refresh" else view(app, token_type=wanted)
        assert {kind: ask(each).status_code for kind, each in kinds.items()} == {
            kind: 200 if kind == wanted else (401 if app.config["JWT_PROFILE"] == "strict" else 422) for kind in kinds
        }


@pytest.mark.parametrize("kind", ["access", "refresh", "", None, 5, b"x", ["x"]])
def test_a_kind_has_a_name_of_its_own(app: Flask, kind: Any) -> None:
    """``access``, ``refresh`` and values that are not names are refused: those types have functions of their own."""
    with app.app_context(), pytest.raises(ConfigurationError, match="create_access_token"):
        create_token(kind, "ada")


def test_claims_do_not_change_the_kind(app: Flask) -> None:
    """Neither the additional claims of a call nor those of a loader change the type."""
    app.extensions["flask-jwt-extended"].additional_claims_loader(lambda _identity: {"type": "access"})
    with app.app_context():
        made = create_token("invite", "ada", additional_claims={"type": "access", "to": "x"}, expires_delta=60)
    assert view(app, token_type="invite")(made).status_code == 200
    assert view(app)(made).status_code != 200


def test_refresh_and_another_kind_contradict_each_other() -> None:
    """``refresh=True`` with another ``token_type`` is an error when the view is defined."""
    with pytest.raises(ConfigurationError, match="contradict"):
        jwt_required(refresh=True, token_type="invite")
    jwt_required(refresh=True, token_type="refresh")


def test_one_use_takes_a_store(app: Flask) -> None:
    """Without a store a single-use token cannot be made, and a token that claims to be one is refused."""
    with app.app_context(), pytest.raises(ConfigurationError, match="JWT_STORE_URI"):
        create_token("password_reset", "ada", single_use=True)
    assert view(app)(token(app, single_use=True)).status_code == 401


# --- step-up --------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


def test_how_long_ago_somebody_logged_in_may_matter(app: Flask, clock: Clock) -> None:
    """A login that is too old is answered with 401, and a challenge with the required age (RFC 9470)."""
    ask = view(app, max_age=timedelta(minutes=5))
    made = token(app, auth_time=clock.now)
    clock.now += 300
    assert ask(made).status_code == 200
    clock.now += 1
    response = ask(made)
    assert response.status_code == 401
    said = challenge(response)
    assert (said["error"], said["max_age"]) == ("insufficient_user_authentication", "300")
    assert response.get_json()["msg"] == "More recent or stronger authentication is required"


@pytest.mark.parametrize("auth_time", ["1700000000", True, None, [1_700_000_000], {}, "now"])
def test_an_auth_time_that_is_no_time_is_none(app: Flask, clock: Clock, auth_time: Any) -> None:
    """An ``auth_time`` that is not a number does not count."""
    assert view(app, max_age=10**9)(token(app, auth_time=auth_time)).status_code == 401


def test_a_fresh_token_tells_when_it_was_made(app: Flask, clock: Clock) -> None:
    """A fresh token was made at a login, so its ``iat`` counts; that of other tokens does not."""
    ask = view(app, max_age=60)
    for fresh in (True, timedelta(seconds=1)):
        clock.now = 1_700_000_000
        made = token(app, fresh=fresh)
        clock.now += 60
        assert ask(made).status_code == 200
        clock.now += 1
        assert ask(made).status_code == 401
    assert ask(token(app)).status_code == 401


def test_a_session_remembers_when_somebody_logged_in(make_app: MakeApp, clock: Clock) -> None:
    """A refreshed token keeps the time of the login."""
    app = make_app(STORE_URI="memory://", ACCESS_TOKEN_EXPIRES=300)
    ask = view(app, max_age=600)
    app.add_url_rule(
        "/again", "again", jwt_required(refresh=True)(lambda: refresh_session().access_token), methods=["POST"]
    )
    with app.test_request_context():
        pair = start_session("ada")
    assert ask(pair.access_token).status_code == 200
    clock.now += 400
    refreshed = app.test_client().post("/again", headers=bearer(pair.refresh_token)).text
    assert ask(refreshed).status_code == 200
    clock.now += 201
    assert ask(refreshed).status_code == 401


@pytest.mark.parametrize(
    ("claims", "passes"),
    [
        ({"acr": "gold"}, True),
        ({"acr": "silver"}, True),
        ({"acr": "bronze"}, False),
        ({"amr": ["pwd", "gold"]}, True),
        ({"amr": "gold"}, True),
        ({"amr": ["pwd"]}, False),
        ({"acr": ["gold"]}, False),
        ({"acr": {"gold": 1}}, False),
        ({"acr": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_how_well_somebody_was_authenticated_may_matter(app: Flask, claims: dict[str, Any], passes: bool) -> None:
    """One of several contexts is required, in ``acr`` or among ``amr``."""
    response = view(app, acr=["gold", "silver"])(token(app, **claims))
    assert response.status_code == (200 if passes else 401)
    if not passes:
        assert challenge(response)["acr_values"] == "gold silver"


@pytest.mark.parametrize("max_age", ["5", -1, True, float("nan"), float("inf"), timedelta(seconds=-1), [5]])
def test_an_age_that_cannot_be_is_refused_where_it_is_written(max_age: Any) -> None:
    """An invalid ``max_age`` or ``acr`` is an error when the view is defined."""
    with pytest.raises(ConfigurationError, match="max_age"):
        jwt_required(max_age=max_age)
    for acr in ("two words", all_of("gold", "silver")):
        with pytest.raises(ConfigurationError, match="acr"):
            jwt_required(acr=acr)  # type: ignore[arg-type]  # one authentication context has to do


def test_zero_asks_to_log_in_now(app: Flask, clock: Clock) -> None:
    """``max_age=0`` is a requirement, unlike ``None``."""
    ask = view(app, max_age=0)
    made = token(app, fresh=True)
    assert ask(made).status_code == 200
    clock.now += 1
    assert ask(made).status_code == 401


# --- RFC 9068 -------------------------------------------------------------------------------------------------------

RFC_9068 = {
    "ACCESS_TOKEN_TYP": "at+jwt",
    "ENCODE_ISSUER": "https://login.example",
    "ENCODE_AUDIENCE": "orders-api",
}


def test_access_tokens_of_oauth_say_what_they_are(make_app: MakeApp) -> None:
    """They have ``typ``, ``iss``, ``aud`` and the ``client_id`` that you add. Other types do not change."""
    app = make_app(**RFC_9068)
    made = token(app, client_id="shop")
    assert pyjwt.get_unverified_header(made)["typ"] == "at+jwt"
    claims = pyjwt.decode(made, options={"verify_signature": False})
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"} <= set(claims)
    assert (claims["client_id"], claims["aud"]) == ("shop", "orders-api")
    assert view(app)(made).status_code == 200
    with app.app_context():
        other = create_refresh_token("ada")
    assert pyjwt.get_unverified_header(other)["typ"] == "JWT"


@pytest.mark.parametrize("missing", ["ENCODE_ISSUER", "ENCODE_AUDIENCE"])
def test_such_tokens_need_names(make_app: MakeApp, missing: str) -> None:
    """The error says which."""
    with pytest.raises(ConfigurationError, match=f"JWT_{missing}"):
        make_app(**RFC_9068 | {missing: None})


def test_a_trusted_issuer_of_such_tokens_is_held_to_them(make_app: MakeApp) -> None:
    """With ``typ`` ``at+jwt``, everything that RFC 9068 requires is required of an issuer."""
    key, iss = PRIVATE_KEYS["ES256"], "https://login.example"
    jwks = {"keys": [to_jwk("ES256", key.public_key())]}
    app = make_app(TRUSTED_ISSUERS={iss: {"keys": jwks, "audience": "orders-api", "typ": "at+jwt"}})
    now = int(time.time())
    claims = {"iss": iss, "aud": "orders-api", "sub": "ada", "client_id": "c", "jti": "1", "iat": now, "exp": now + 60}

    def status(typ: str, **others: Any) -> int:
        said = {name: value for name, value in (claims | others).items() if value is not None}
        made = pyjwt.encode(said, key, "ES256", headers={"typ": typ})
        return int(app.test_client().get("/access", headers=bearer(made)).status_code)

    assert status("at+jwt") == status("application/at+jwt") == 200
    assert status("JWT") == 422
    for name in ("sub", "client_id", "jti", "iat", "exp", "aud"):
        assert status("at+jwt", **{name: None}) == 422
