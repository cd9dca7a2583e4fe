# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""Default-deny: what is not open on purpose is protected, in every way to write a view, under every library."""

from __future__ import annotations

from typing import Any

import apiflask
import apiflask.views
import flask_restful
import flask_restx
import flask_smorest
import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_jwt_identity,
    jwt_exempt,
    jwt_required,
)
from flask_jwt_extended._diagnostics.routes import routes

from .._keys.helpers import JWKS
from ..conftest import SECRET, bearer


def make_app(app: Flask | None = None, **options: Any) -> tuple[Flask, JWTManager]:
    app = app or Flask("app", static_folder=None)
    app.config.update({f"JWT_{name}": value for name, value in ({"SECRET_KEY": SECRET} | options).items()})
    return app, JWTManager(app)


def status(app: Flask, path: str, token: str | None = "access", method: str = "GET") -> int:
    """The status of a request with a token of a kind, or without one."""
    headers = {}
    if token is not None:
        with app.app_context():
            headers = bearer((create_refresh_token if token == "refresh" else create_access_token)("ada"))
    response = app.test_client().open(path, method=method, headers=headers)
    response.close()  # static files are open files
    return response.status_code


def guards(app: Flask) -> dict[str, str]:
    """What the audit says of each route: that it agrees with what happens is the point of these tests."""
    return {f"{route.method} {route.rule}": route.guard for route in routes(app)}


def agree(app: Flask) -> None:
    """See that the audit of every route without a variable says what a request finds."""
    for route in routes(app):
        if "<" not in route.rule:
            is_open = status(app, route.rule, None, route.method) != 401
            assert is_open is (route.guard in ("exempt", "none")), route


def test_every_view_is_protected_but_the_exempt_ones() -> None:
    """Functions, sync and async, above and below the call of ``protect``."""
    app, jwt = make_app()
    app.add_url_rule("/before", "before", lambda: "x")
    jwt.protect(app)
    app.add_url_rule("/after", "after", lambda: f"hello {get_jwt_identity()}")

    @app.get("/health")
    @jwt_exempt
    def health() -> str:
        return "well"

    @app.get("/later")
    async def later() -> str:
        return "x"

    for path in ("/before", "/after", "/later"):
        assert (status(app, path, None), status(app, path)) == (401, 200)
    assert status(app, "/health", None) == 200
    assert status(app, "/after", "refresh") == 422
    agree(app)


def test_a_view_with_demands_of_its_own_is_asked_for_those_alone() -> None:
    """A refresh view takes refresh tokens, an optional one anonymous requests."""
    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule("/refresh", "refresh", jwt_required(refresh=True)(lambda: "x"))
    app.add_url_rule("/optional", "optional", jwt_required(optional=True)(lambda: "x"))
    assert (status(app, "/refresh", "refresh"), status(app, "/refresh")) == (200, 422)
    assert status(app, "/optional", None) == 200


def test_what_leads_to_no_view_is_answered_as_ever() -> None:
    """404, 405, and the preflight of a browser."""
    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule("/view", "view", lambda: "x")
    assert status(app, "/nowhere", None) == 404
    assert status(app, "/view", None, "POST") == 405
    assert status(app, "/view", None, "OPTIONS") == 200
    assert status(app, "/view", None, "HEAD") == 401
    assert status(app, "/view", "access", "HEAD") == 200


def test_a_view_that_answers_options_itself_is_anonymous_there() -> None:
    """As under ``jwt_required``."""
    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule(
        "/view", "view", lambda: f"{get_jwt_identity()}", methods=["OPTIONS"], provide_automatic_options=False
    )
    assert app.test_client().options("/view").text == "None"


def test_static_files_stay_open_unless_something_else_is_said(tmp_path: Any) -> None:
    """Those of blueprints too."""
    (tmp_path / "style.css").write_text("x")
    for exempt, expected in ((None, 200), ((), 401)):
        app = Flask("app", static_folder=str(tmp_path), static_url_path="/static")
        _, jwt = make_app(app)
        jwt.protect(app, **({} if exempt is None else {"exempt": exempt}))
        app.register_blueprint(
            Blueprint("shop", "shop", static_folder=str(tmp_path), static_url_path="/static", url_prefix="/shop")
        )
        assert status(app, "/static/style.css", None) == status(app, "/shop/static/style.css", None) == expected
        assert set(guards(app).values()) == {"exempt" if expected == 200 else "default"}


def test_endpoints_may_be_exempt_by_pattern() -> None:
    """Those of another extension, whose functions are not ours to decorate."""
    app, jwt = make_app()
    jwt.protect(app, exempt=["docs.*"])
    docs = Blueprint("docs", "docs")
    docs.add_url_rule("/docs", "page", lambda: "x")
    app.register_blueprint(docs)
    app.add_url_rule("/docsx", "docsx", lambda: "x")
    assert (status(app, "/docs", None), status(app, "/docsx", None)) == (200, 401)
    agree(app)


def test_a_blueprint_may_be_protected_alone() -> None:
    """What is outside stays as it was; a blueprint within is inside."""
    app, jwt = make_app()
    admin, inner = Blueprint("admin", "admin", url_prefix="/admin"), Blueprint("inner", "inner", url_prefix="/inner")
    jwt.protect(admin)
    admin.add_url_rule("/", "index", lambda: "x")
    admin.add_url_rule("/open", "open", jwt_exempt(lambda: "x"))
    inner.add_url_rule("/", "index", lambda: "x")
    admin.register_blueprint(inner)
    app.register_blueprint(admin)
    app.add_url_rule("/", "index", lambda: "x")
    assert [status(app, path, None) for path in ("/admin/", "/admin/inner/", "/admin/open", "/")] == [
        401,
        401,
        200,
        200,
    ]
    assert guards(app) == {
        "GET /": "none",
        "GET /admin/": "default",
        "GET /admin/inner/": "default",
        "GET /admin/open": "exempt",
    }
    agree(app)


def test_a_blueprint_may_serve_two_applications() -> None:
    """Under different names; each application verifies with its own keys."""
    shop = Blueprint("shop", "shop")
    shop.add_url_rule("/", "index", lambda: "x")
    apps = []
    for number in range(2):
        app, jwt = make_app(SECRET_KEY=SECRET[number:] + SECRET[:number])
        if number == 0:
            jwt.protect(shop)
        app.register_blueprint(shop, name=f"shop{number}")
        apps.append(app)
    for app in apps:
        assert (status(app, "/", None), status(app, "/")) == (401, 200)
        agree(app)
    with apps[0].app_context():
        token = create_access_token("ada")
    assert apps[1].test_client().get("/", headers=bearer(token)).status_code == 422


def test_the_published_keys_stay_open() -> None:
    """Who verifies our tokens has none."""
    app, jwt = make_app(KEYS=[JWKS["ES256"]], JWKS_PATH="/jwks.json")
    jwt.protect(app)
    assert status(app, "/jwks.json", None) == 200
    assert guards(app) == {"GET /jwks.json": "exempt"}


def test_a_view_that_is_put_in_the_place_of_another_is_judged_anew() -> None:
    """What was decided for an exempt one does not open its successor."""
    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule("/view", "view", jwt_exempt(lambda: "x"))
    assert status(app, "/view", None) == 200
    app.view_functions["view"] = lambda: "y"
    assert status(app, "/view", None) == 401


# --- classes --------------------------------------------------------------------------------------------------------


def test_methods_of_a_class_are_judged_one_by_one() -> None:
    """One is exempt, one has demands of its own, one has nothing and is protected."""

    class Orders(MethodView):
        @jwt_exempt
        def get(self) -> str:
            return "x"

        @jwt_required(refresh=True)
        def post(self) -> str:
            return "x"

        def put(self) -> str:
            return "x"

    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    assert status(app, "/orders", None) == 200
    assert status(app, "/orders", None, "HEAD") == 200
    assert (status(app, "/orders", "access", "POST"), status(app, "/orders", "refresh", "POST")) == (422, 200)
    assert (status(app, "/orders", None, "PUT"), status(app, "/orders", "access", "PUT")) == (401, 200)
    assert guards(app) == {"GET /orders": "exempt", "POST /orders": "decorator", "PUT /orders": "default"}
    agree(app)


def test_a_class_may_be_exempt_or_protected_as_a_whole() -> None:
    """By its decorator, or by what its ``decorators`` are."""

    @jwt_exempt
    class Open(View):
        def dispatch_request(self) -> str:
            return "x"

    class Refresh(View):
        decorators = [jwt_required(refresh=True)]  # noqa: RUF012  # as its users write it

        def dispatch_request(self) -> str:
            return "x"

    class Plain(View):
        def dispatch_request(self) -> str:
            return "x"

    app, jwt = make_app()
    jwt.protect(app)
    for each in (Open, Refresh, Plain):
        app.add_url_rule(f"/{each.__name__}", view_func=each.as_view(each.__name__))
    assert [status(app, f"/{name}", None) for name in ("Open", "Refresh", "Plain")] == [200, 401, 401]
    assert status(app, "/Refresh", "refresh") == 200
    agree(app)


def test_a_subclass_of_an_exempt_class_is_exempt_too() -> None:
    """As Python has it: who overrides a method takes the mark of that method away, not that of the class."""

    class Base(MethodView):
        @jwt_exempt
        def get(self) -> str:
            return "x"

    class Derived(Base):
        def get(self) -> str:
            return "y"

    app, jwt = make_app()
    jwt.protect(app)
    app.add_url_rule("/base", view_func=Base.as_view("base"))
    app.add_url_rule("/derived", view_func=Derived.as_view("derived"))
    assert (status(app, "/base", None), status(app, "/derived", None)) == (200, 401)
    agree(app)


# --- under other libraries ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)
def test_resources(library: Any) -> None:
    """Of flask-restful and flask-restx: methods, and what they put around them."""

    class Plain(library.Resource):
        def get(self) -> str:
            return "x"

        @jwt_exempt
        def post(self) -> str:
            return "x"

        @jwt_required(refresh=True)
        def put(self) -> str:
            return "x"

    class Wrapped(library.Resource):
        method_decorators = [jwt_required(refresh=True)]  # noqa: RUF012  # as its users write it

        def get(self) -> str:
            return "x"

    app, jwt = make_app()
    jwt.protect(app, exempt=["doc", "root", "specs", "restx_doc.*"])
    api = library.Api(app)
    api.add_resource(Plain, "/plain")
    api.add_resource(Wrapped, "/wrapped")
    assert (status(app, "/plain", None), status(app, "/plain")) == (401, 200)
    assert status(app, "/plain", None, "POST") == 200
    assert (status(app, "/plain", "access", "PUT"), status(app, "/plain", "refresh", "PUT")) == (422, 200)
    assert (status(app, "/wrapped", "access"), status(app, "/wrapped", "refresh")) == (422, 200)
    found = guards(app)
    assert [found[f"{each} /plain"] for each in ("GET", "POST", "PUT")] == ["default", "exempt", "decorator"]
    assert found["GET /wrapped"] == "decorator"


def test_restful_resources_may_have_decorators_by_method() -> None:
    """A mapping, which flask-restful alone has."""

    class Orders(flask_restful.Resource):
        method_decorators = {"post": [jwt_required(refresh=True)]}  # noqa: RUF012  # as its users write it

        def get(self) -> str:
            return "x"

        def post(self) -> str:
            return "x"

    app, jwt = make_app()
    jwt.protect(app)
    flask_restful.Api(app).add_resource(Orders, "/orders")
    assert (status(app, "/orders", None), status(app, "/orders")) == (401, 200)
    assert (status(app, "/orders", "access", "POST"), status(app, "/orders", "refresh", "POST")) == (422, 200)
    agree(app)


def test_flask_smorest() -> None:
    """Its blueprints, their functions and classes, and its documentation."""
    app, jwt = make_app()
    app.config.update(
        API_TITLE="Shop",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    jwt.protect(app, exempt=["api-docs.*"])
    shop = flask_smorest.Blueprint("shop", "shop")

    @shop.route("/function")
    @shop.response(200)
    def function() -> dict[str, Any]:
        return {}

    @shop.route("/open")
    @shop.response(200)
    @jwt_exempt
    def open_() -> dict[str, Any]:
        return {}

    @shop.route("/class")
    class Orders(MethodView):
        @shop.response(200)
        def get(self) -> dict[str, Any]:
            return {}

        @shop.response(200)
        @jwt_required(refresh=True)
        def post(self) -> dict[str, Any]:
            return {}

    flask_smorest.Api(app).register_blueprint(shop)
    assert (status(app, "/function", None), status(app, "/function")) == (401, 200)
    assert status(app, "/open", None) == 200
    assert (status(app, "/class", None), status(app, "/class")) == (401, 200)
    assert (status(app, "/class", "access", "POST"), status(app, "/class", "refresh", "POST")) == (422, 200)
    assert status(app, "/openapi.json", None) == 200
    agree(app)


def test_apiflask() -> None:
    """An application of its own, and the documentation that it serves."""
    app = apiflask.APIFlask("app")
    _, jwt = make_app(app)
    jwt.protect(app, exempt=["openapi.*", "static"])

    @app.get("/function")
    @app.output({}, status_code=200)
    def function() -> dict[str, Any]:
        return {}

    @app.get("/open")
    @app.output({}, status_code=200)
    @jwt_exempt
    def open_() -> dict[str, Any]:
        return {}

    class Orders(apiflask.views.MethodView):
        @app.output({}, status_code=200)
        @jwt_required(refresh=True)
        def post(self) -> dict[str, Any]:
            return {}

    app.add_url_rule("/class", view_func=Orders.as_view("orders"))
    assert (status(app, "/function", None), status(app, "/function")) == (401, 200)
    assert status(app, "/open", None) == 200
    assert (status(app, "/class", "access", "POST"), status(app, "/class", "refresh", "POST")) == (422, 200)
    assert status(app, "/openapi.json", None) == 200
    agree(app)
