"""OPTIONS requests: browsers send CORS preflights without credentials; a view that handles OPTIONS itself is a view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.views import MethodView

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_current_user,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    verify_jwt_in_request,
)

from ..axes import combinations
from ..conftest import SECRET, bearer

PREFLIGHT = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"}
#: Similar to a preflight.
NO_PREFLIGHT: dict[str, dict[str, str]] = {
    "nothing": {},
    "only the origin": {"Origin": "https://app.example.com"},
    "only the method": {"Access-Control-Request-Method": "PUT"},
    "an empty origin": {"Origin": "", "Access-Control-Request-Method": "PUT"},
    "an empty method": {"Origin": "https://app.example.com", "Access-Control-Request-Method": ""},
}


def answer() -> dict[str, Any]:
    """The identity of a request, as a view gets it."""
    return {
        "identity": get_jwt_identity(),
        "claims": get_jwt(),
        "header": get_jwt_header(),
        "user": get_current_user(),
        "location": get_jwt_request_location(),
    }


def with_decorator(app: Flask, **requirements: Any) -> None:
    view = jwt_required(**requirements)(answer)
    app.add_url_rule("/view", "view", view, methods=["GET", "OPTIONS"])


def with_a_call(app: Flask, **requirements: Any) -> None:
    def view() -> dict[str, Any]:
        verify_jwt_in_request(**requirements)
        return answer()

    app.add_url_rule("/view", "view", view, methods=["GET", "OPTIONS"])


def without_automatic_options(app: Flask, **requirements: Any) -> None:
    view = jwt_required(**requirements)(answer)
    app.add_url_rule("/view", "view", view, methods=["OPTIONS", "GET"], provide_automatic_options=False)


def with_a_method_view(app: Flask, **requirements: Any) -> None:
    class View(MethodView):
        decorators = [jwt_required(**requirements)]  # noqa: RUF012  # as Flask's documentation writes it

        def get(self) -> Any:
            return answer()

        def options(self) -> Any:
            return answer()

    app.add_url_rule("/view", view_func=View.as_view("view"))


def with_one_method(app: Flask, **requirements: Any) -> None:
    class View(MethodView):
        @jwt_required(**requirements)
        def get(self) -> Any:
            return answer()

        @jwt_required(**requirements)
        def options(self) -> Any:
            return answer()

    app.add_url_rule("/view", view_func=View.as_view("view"))


def with_protect(app: Flask) -> None:
    app.extensions["flask-jwt-extended"].protect(app)
    app.add_url_rule("/view", "view", answer, methods=["GET", "OPTIONS"])


Build = Callable[..., None]
BUILDS: list[Build] = [
    with_decorator,
    with_a_call,
    without_automatic_options,
    with_a_method_view,
    with_one_method,
    with_protect,
]
REQUIREMENTS: list[dict[str, Any]] = [{}, {"fresh": True}, {"roles": "admin"}, {"scopes": "write"}, {"refresh": True}]
#: Each kind of protection with two requirements. ``protect`` requires a token only.
DECLARED = [*combinations(10, BUILDS[:-1], REQUIREMENTS), (with_protect, {})]


def make(profile: str, build: Build, **requirements: Any) -> Flask:
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_PROFILE=profile)
    JWTManager(app).user_lookup_loader(lambda _header, claims: claims["sub"])
    build(app, **requirements)
    return app


def options(app: Flask, **headers: str) -> Any:
    return app.test_client().options("/view", headers=headers)


@pytest.mark.parametrize(("build", "requirements"), DECLARED)
def test_strict_refuses_an_anonymous_options_request_to_a_view_of_the_application(
    build: Build, requirements: dict[str, Any]
) -> None:
    """With any requirement and any kind of protection. A preflight passes."""
    app = make("strict", build, **requirements)
    assert options(app).status_code == 401
    preflight = options(app, **PREFLIGHT)
    assert (preflight.status_code, preflight.get_json()["identity"]) == (200, None)


@pytest.mark.parametrize("headers", NO_PREFLIGHT.values(), ids=NO_PREFLIGHT)
def test_strict_recognises_the_preflights_of_browsers(headers: dict[str, str]) -> None:
    """They have an origin and the method of the request that follows."""
    assert options(make("strict", with_decorator), **headers).status_code == 401


@pytest.mark.parametrize("build", BUILDS)
def test_strict_lets_an_options_request_pass_with_a_good_token(build: Build) -> None:
    """It is verified like every other request."""
    app = make("strict", build)
    with app.app_context():
        token = create_access_token("ada")
    response = options(app, **bearer(token))
    assert (response.status_code, response.get_json()["identity"], response.get_json()["user"]) == (200, "ada", "ada")
    assert options(app, **bearer("not.a.token")).status_code == 401


@pytest.mark.parametrize("profile", ["compat", "strict"])
@pytest.mark.parametrize("build", BUILDS)
def test_an_anonymous_options_view_has_no_identity(build: Build, profile: str) -> None:
    """As an optional view without a token."""
    seen = options(make(profile, build), **PREFLIGHT).get_json()
    assert seen == {"identity": None, "claims": {}, "header": {}, "user": None, "location": None}


@pytest.mark.parametrize(("build", "requirements"), DECLARED)
def test_compat_lets_every_options_request_pass_as_4_7_does(build: Build, requirements: dict[str, Any]) -> None:
    """With any token, or without one."""
    app = make("compat", build, **requirements)
    assert options(app).status_code == 200
    assert options(app, **bearer("not.a.token")).status_code == 200


def test_an_optional_view_takes_an_anonymous_options_request_in_strict() -> None:
    """Because it takes every anonymous request."""
    assert options(make("strict", with_decorator, optional=True)).status_code == 200


@pytest.mark.parametrize("protect", [False, True], ids=["decorator", "protect"])
def test_flask_answers_options_itself_where_the_view_does_not(protect: bool) -> None:
    """It does not call the view."""
    app = make("strict", lambda _app: None)
    if protect:
        app.extensions["flask-jwt-extended"].protect(app)
    app.add_url_rule("/view", "view", answer if protect else jwt_required()(answer))
    response = options(app)
    assert response.status_code == 200
    assert response.headers["Allow"]
    assert app.test_client().get("/view").status_code == 401


@pytest.mark.parametrize(("profile", "chosen", "status"), [("strict", False, 200), ("compat", True, 401)])
def test_the_option_wins_over_the_profile(profile: str, chosen: bool, status: int) -> None:
    """JWT_PROTECT_OPTIONS_METHOD, before and after init_app."""
    app = make(profile, with_decorator)
    app.config["JWT_PROTECT_OPTIONS_METHOD"] = chosen
    assert options(app).status_code == status
