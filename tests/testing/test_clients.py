"""Helpers for tests of applications: clients with a token, an identity without a token, and the contract of routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_jwt_extended import (
    JWTManager,
    current_user,
    get_jwt_identity,
    jwt_exempt,
    jwt_required,
    verify_jwt_in_request,
)
from flask_jwt_extended._protection.view_metadata import mark_protected
from flask_jwt_extended._request.policy import Policy
from flask_jwt_extended.testing.clients import logged_in, override_identity
from flask_jwt_extended.testing.route_contract import RouteContract

from ..conftest import SECRET, MakeApp

pytest_plugins = ["pytester"]

LOCATIONS = [["headers"], ["cookies"], ["json", "cookies", "headers"]]


def shop(**options: Any) -> Flask:
    """An application with a view for every requirement."""
    app = Flask("shop", static_folder=None)
    app.config.update({f"JWT_{name}": value for name, value in ({"SECRET_KEY": SECRET} | options).items()})
    jwt = JWTManager(app)
    jwt.protect(app)

    def whoami() -> dict[str, Any]:
        return {"identity": get_jwt_identity()}

    demands: dict[str, dict[str, Any]] = {
        "refresh": {"refresh": True},
        "fresh": {"fresh": True},
        "scoped": {"scopes": "orders:read"},
        "clerks": {"roles": "clerk"},
        "optional": {"optional": True},
        "lenient": {"optional": "if-valid"},
        "reset": {"token_type": "reset"},
        "recent": {"max_age": 60},
        "any": {"verify_type": False},
    }
    for name, each in demands.items():
        app.add_url_rule(f"/{name}", name, jwt_required(**each)(whoami), methods=["GET", "POST"])
    app.add_url_rule("/default/<int:a>/<b>/<path:c>/<uuid:d>/<float:e>/<any(x, y):f>", "default", lambda **_: whoami())
    app.add_url_rule("/open", "open", jwt_exempt(lambda: "x"))
    return app


# --- clients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locations", LOCATIONS, ids=str)
@pytest.mark.parametrize("profile", ["compat", "strict"])
def test_a_client_is_somebody_wherever_tokens_are_looked_for(profile: str, locations: list[str]) -> None:
    """Its cookies come with the CSRF value and headers of a browser, so that POST works too."""
    app = shop(PROFILE=profile, TOKEN_LOCATION=locations)
    client = logged_in(app, "ada", scopes=["orders:read", "x"], roles=["clerk"], fresh=True)
    for path in ("/scoped", "/clerks", "/fresh", "/optional", "/recent"):
        for method in ("GET", "POST"):
            answer = client.open(path, method=method, base_url="https://localhost")
            assert (answer.status_code, answer.get_json()) == (200, {"identity": "ada"})
    assert logged_in(app, "ada", refresh=True).get("/refresh", base_url="https://localhost").status_code == 200
    assert logged_in(app, "ada").get("/scoped", base_url="https://localhost").status_code == 403
    assert app.test_client().get("/scoped").status_code == 401


def test_claims_of_ones_own() -> None:
    """Scopes may be a string too."""
    client = logged_in(shop(), "ada", scopes="a orders:read", claims={"auth_time": 5})
    assert client.get("/scoped").status_code == 200
    assert client.get("/recent").status_code == 401


def test_the_query_string_is_left_to_the_test(make_app: MakeApp) -> None:
    """A client sends tokens in headers and cookies only."""
    with pytest.raises(NotImplementedError, match="query string"):
        logged_in(make_app(TOKEN_LOCATION=["query_string"]), "ada")


# --- an identity without a token ------------------------------------------------------------------------------------


def test_everybody_is_somebody_for_a_while() -> None:
    """Requirements are still checked; afterwards requests are anonymous again."""
    app = shop()
    client = app.test_client()
    with override_identity("ada", scopes="orders:read"):
        assert client.get("/scoped").get_json() == {"identity": "ada"}
        assert client.post("/refresh").get_json() == {"identity": "ada"}
        assert client.get("/default/1/b/c/00000000-0000-0000-0000-000000000001/1.5/x").status_code == 200
        assert client.get("/clerks").status_code == 403
        with override_identity("grace", roles=["clerk"], claims={"fresh": False}):
            assert client.get("/clerks").get_json() == {"identity": "grace"}
            assert client.get("/fresh").status_code == 401
        assert client.get("/clerks").status_code == 403
    assert client.get("/scoped").status_code == 401


def test_its_user_is_looked_up() -> None:
    """The application's ``user_lookup_loader`` is called."""
    app = shop()
    app.extensions["flask-jwt-extended"].user_lookup_loader(
        lambda _header, claims: {"ada": "Ada L."}.get(claims["sub"])
    )
    app.add_url_rule("/user", "user", lambda: current_user)
    client = app.test_client()
    with override_identity("ada"):
        assert client.get("/user").text == "Ada L."
    with override_identity("eve"):
        assert client.get("/user").status_code == 401


# --- the contract of routes -----------------------------------------------------------------------------------------


class TestShop(RouteContract):
    """It passes for an application without mistakes, in every location and profile, with a store."""

    @pytest.fixture(
        params=[
            {"PROFILE": "strict"},
            {"PROFILE": "strict", "STORE_URI": "memory://", "ENCODE_AUDIENCE": "us", "DECODE_AUDIENCE": "us"},
            {"TOKEN_LOCATION": ["cookies"], "COOKIE_SECURE": False},
        ],
        ids=["strict", "store", "cookies"],
    )
    def app(self, request: pytest.FixtureRequest) -> Flask:
        return shop(**request.param)


SABOTAGE: dict[str, tuple[str, Callable[[Flask], object]]] = {
    "a view that lets everybody pass": (
        "test_without_a_token",
        lambda app: _replace(app, "scoped", Policy.from_arguments(scopes="x"), lambda: "x"),
    ),
    "a loader that hides expiry": (
        "test_a_token_that_has_expired",
        lambda app: app.extensions["flask-jwt-extended"].expired_token_loader(lambda _header, _claims: ("fine", 200)),
    ),
    "a handler that crashes": (
        "test_what_is_no_token",
        lambda app: app.extensions["flask-jwt-extended"].invalid_token_loader(lambda _message: 1 / 0),
    ),
    "a store that nobody asks": (
        "test_a_token_that_was_revoked",
        lambda app: setattr(app.extensions["flask-jwt-extended.state"].state.store, "status", lambda *_: (None, False)),
    ),
    "a leeway of hours": ("test_a_token_that_has_expired", lambda app: app.config.update(JWT_DECODE_LEEWAY=7200)),
}


def _replace(app: Flask, endpoint: str, policy: Policy, view: Any) -> None:
    """Serve the view without protection, but marked as protected."""
    app.view_functions[endpoint] = view
    mark_protected(None, view, policy)


@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_the_contract_can_fail(sabotage: str) -> None:
    """Each mistake fails the test for it, which names the route."""
    name, break_it = SABOTAGE[sabotage]
    app = shop(STORE_URI="memory://")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    getattr(RouteContract(), name)(app)
    app._got_first_request = False
    break_it(app)
    with pytest.raises(AssertionError, match=r"These should have been refused: \{.*: (200|500)"):
        getattr(RouteContract(), name)(app)


def test_a_value_that_does_not_fit_is_seen() -> None:
    """A sample value that does not match is reported; you can give one, or skip the endpoint."""
    app = shop()
    app.add_url_rule("/number/<int(min=100):n>", "number", lambda n: str(n))

    class Told(RouteContract):
        url_values: ClassVar[dict[str, Any]] = {"n": 150}

    class Skipped(RouteContract):
        skip = ("number",)

    with pytest.raises(AssertionError, match=r"GET /number/1': 404"):
        RouteContract().test_without_a_token(app)
    Told().test_without_a_token(app)
    Skipped().test_without_a_token(app)


# --- the plugin -----------------------------------------------------------------------------------------------------


def test_the_plugin_offers_its_fixtures(pytester: pytest.Pytester) -> None:
    """Another project can use them."""
    pytester.makeconftest(
        f"""
        import pytest
        from flask import Flask
        from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required

        pytest_plugins = ["flask_jwt_extended.testing.plugin"]

        @pytest.fixture
        def app():
            app = Flask("app")
            app.config.update(JWT_SECRET_KEY={SECRET!r}, JWT_PROFILE="strict")
            JWTManager(app)
            app.add_url_rule("/me", "me", jwt_required(roles="clerk")(lambda: get_jwt_identity()))
            return app
        """
    )
    pytester.makepyfile(
        """
        from flask_jwt_extended.testing.route_contract import RouteContract

        def test_client(jwt_client):
            assert jwt_client("ada", roles=["clerk"]).get("/me").text == "ada"
            assert jwt_client("ada").get("/me").status_code == 403

        def test_override(app, override_identity):
            override_identity("grace", roles=["clerk"])
            assert app.test_client().get("/me").text == "grace"

        def test_it_is_over(app):
            assert app.test_client().get("/me").status_code == 401

        class TestRoutes(RouteContract):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=12)


def test_a_direct_call_is_overridden_where_it_is_looked_up() -> None:
    """A call through the module is overridden; a view that imported the function itself calls the real one."""
    app = shop()
    app.add_url_rule("/own", "own", jwt_exempt(lambda: str(verify_jwt_in_request(optional=True))))
    with override_identity("ada"):
        assert app.test_client().get("/own").text == "None"
    assert isinstance(app.test_client(), FlaskClient)
