# mypy: disable-error-code="import-untyped,misc,untyped-decorator,attr-defined,method-assign"
# The libraries have no types.
"""`jwt.protect`: which views it protects, for each endpoint and method, and that other code cannot remove it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import apiflask
import apiflask.views
import flask_debugtoolbar
import flask_restful
import flask_restx
import flask_smorest
import pytest
from flask import Blueprint, Flask, current_app, request
from flask.views import MethodView, View

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    create_access_token,
    get_jwt_identity,
    jwt_exempt,
    jwt_required,
)

from .._keys.helpers import JWKS
from ..conftest import SECRET, bearer
from .frameworks import RestxApi, codes, findings, make_app, make_protected, route_of, routes, send, status, statuses

CLOSED, OPEN = (401, 200), (200, 200)


def view() -> str:
    return "x"


def blueprint(name: str) -> Blueprint:
    made = Blueprint(name, name, url_prefix=f"/{name}")
    made.add_url_rule("/", "index", lambda: "x")
    return made


def nest(*blueprints: Blueprint) -> Blueprint:
    """Register each within the one before; return the outermost."""
    for parent, child in pairwise(blueprints):
        parent.register_blueprint(child)
    return blueprints[0]


# --- views of every library -----------------------------------------------------------------------------------------

#: By method: what decorates the view.
DECORATORS: dict[str, Any] = {
    "GET": lambda view: view,
    "POST": jwt_exempt,
    "PUT": jwt_required(refresh=True),
    "DELETE": jwt_required(optional=True),
}


def _functions(app: Flask) -> None:
    for method, decorate in DECORATORS.items():
        app.add_url_rule("/view", method, decorate(lambda: {}), methods=[method])


def _coroutines(app: Flask) -> None:
    for method, decorate in DECORATORS.items():

        async def answer() -> dict[str, Any]:
            return {}

        app.add_url_rule("/view", method, decorate(answer), methods=[method])


def _members(document: Callable[[Any], Any] = lambda view: view) -> dict[str, Any]:
    return {method.lower(): document(decorate(lambda _self: {})) for method, decorate in DECORATORS.items()}


def _method_view(app: Flask) -> None:
    app.add_url_rule("/view", view_func=type("Orders", (MethodView,), _members()).as_view("view"))


def _restful(app: Flask) -> None:
    flask_restful.Api(app).add_resource(type("Orders", (flask_restful.Resource,), _members()), "/view")


def _restx(app: Flask) -> None:
    RestxApi(app).add_resource(type("Orders", (flask_restx.Resource,), _members()), "/view")


def _smorest(app: Flask) -> None:
    shop = flask_smorest.Blueprint("shop", "shop")
    for method, decorate in DECORATORS.items():
        shop.route("/view", methods=[method], endpoint=method)(shop.response(200)(decorate(lambda: {})))
    flask_smorest.Api(app).register_blueprint(shop)


def _smorest_class(app: Flask) -> None:
    shop = flask_smorest.Blueprint("shop", "shop")
    shop.route("/view")(type("Orders", (MethodView,), _members(shop.response(200))))
    flask_smorest.Api(app).register_blueprint(shop)


def _apiflask(app: Any) -> None:
    for method, decorate in DECORATORS.items():
        app.route("/view", methods=[method], endpoint=method)(app.output({})(decorate(lambda: {})))


def _apiflask_class(app: Any) -> None:
    cls = type("Orders", (apiflask.views.MethodView,), _members(app.output({})))
    app.add_url_rule("/view", view_func=cls.as_view("view"))


#: Where each library serves its documentation.
LIBRARIES: dict[Callable[[Any], None], str | None] = {
    _functions: None,
    _coroutines: None,
    _method_view: None,
    _restful: None,
    _restx: "/swagger.json",
    _smorest: "/openapi.json",
    _smorest_class: "/openapi.json",
    _apiflask: "/openapi.json",
    _apiflask_class: "/openapi.json",
}


@pytest.mark.parametrize("add", LIBRARIES)
def test_views_of_every_library(add: Callable[[Any], None]) -> None:
    """A view without a decorator is protected; its documentation may be public. The audit agrees on every route."""
    app, jwt = make_app(apiflask.APIFlask("app") if add in (_apiflask, _apiflask_class) else None)
    app.config.update(API_TITLE="x", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    app.config.update(OPENAPI_URL_PREFIX="/", OPENAPI_JSON_PATH="openapi.json")
    jwt.protect(app, exempt=["api-docs.*", "openapi.*", "restx_doc.*", "doc", "root", "specs", "static"])
    add(app)
    assert (statuses(app, "/view"), status(app, "/view", "refresh")) == (CLOSED, 422)
    assert statuses(app, "/view", "POST") == OPEN
    assert (statuses(app, "/view", "PUT", "refresh"), status(app, "/view", "access", "PUT")) == (CLOSED, 422)
    assert (statuses(app, "/view", "DELETE"), status(app, "/view", "refresh", "DELETE")) == (OPEN, 422)
    path = LIBRARIES[add]
    assert path is None or status(app, path) == 200
    guards = {each.method: each.guard for each in routes(app) if each.rule == "/view"}
    assert guards.items() >= {"GET": "default", "POST": "exempt", "PUT": "decorator", "DELETE": "decorator"}.items()
    for route in routes(app):
        if "<" not in route.rule and route.method != "DELETE":
            assert (status(app, route.rule, None, route.method) == 401) is (route.guard not in ("exempt", "none"))


def test_what_leads_to_no_view_is_answered_as_without_protect() -> None:
    """404, 405, and the preflight of a browser. A HEAD request leads to the view."""
    app = make_protected()
    app.add_url_rule("/view", "view", view)
    assert status(app, "/nowhere") == 404
    assert status(app, "/view", None, "POST") == 405
    assert status(app, "/view", None, "OPTIONS") == 200
    assert statuses(app, "/view", "HEAD") == CLOSED


def test_the_published_keys_stay_public() -> None:
    """Services that verify our tokens have no token."""
    app, jwt = make_app(KEYS=[JWKS["ES256"]], JWKS_PATH="/jwks.json")
    jwt.protect(app)
    assert (status(app, "/jwks.json"), route_of(app, "/jwks.json").guard) == (200, "exempt")


# --- blueprints -----------------------------------------------------------------------------------------------------


def _plainly(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(child)
    return "/child/"


def _nested(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(nest(blueprint("parent"), child))
    return "/parent/child/"


def _nested_deeper(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(nest(blueprint("a"), blueprint("b"), blueprint("c"), child))
    return "/a/b/c/child/"


def _renamed(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(child, name="other")
    return "/child/"


def _nested_and_renamed(app: Flask, child: Blueprint) -> str:
    parent = blueprint("parent")
    parent.register_blueprint(child, name="other")
    app.register_blueprint(parent, name="house")
    return "/parent/child/"


def _named_as_its_parent(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(nest(Blueprint("child", "child", url_prefix="/outer"), child))
    return "/outer/child/"


def _elsewhere(app: Flask, child: Blueprint) -> str:
    app.register_blueprint(child, url_prefix="/elsewhere")
    return "/elsewhere/"


REGISTRATIONS = [_plainly, _elsewhere, _nested, _nested_deeper, _renamed, _nested_and_renamed, _named_as_its_parent]


@pytest.mark.parametrize("register", REGISTRATIONS)
@pytest.mark.parametrize("is_late", [False, True], ids=["protected first", "views first"])
def test_a_blueprint_is_protected_under_every_name(register: Callable[..., str], is_late: bool) -> None:
    """Nested or renamed, with the blueprints within it. Views outside of it stay public."""
    app, jwt = make_app()
    child = Blueprint("child", "child", url_prefix="/child")
    if not is_late:
        jwt.protect(child)
    child.add_url_rule("/", "index", lambda: "x")
    child.add_url_rule("/open", "open", jwt_exempt(lambda: "x"))
    child.register_blueprint(blueprint("inner"))
    if is_late:
        jwt.protect(child)
    path = register(app, child)
    app.add_url_rule("/outside", "outside", view)
    assert statuses(app, path) == statuses(app, f"{path}inner/") == CLOSED
    assert statuses(app, f"{path}open") == statuses(app, "/outside") == OPEN
    assert route_of(app, path).guard == route_of(app, f"{path}inner/").guard == "default"
    assert {each.guard for each in routes(app) if not each.rule.startswith(path)} == {"none"}


@pytest.mark.parametrize("public_first", [True, False])
def test_a_public_blueprint_of_the_same_name_stays_public(public_first: bool) -> None:
    """Names of endpoints include the parents of a blueprint."""
    app, jwt = make_app()
    public, child = blueprint("child"), blueprint("child")
    jwt.protect(child)
    parent = nest(Blueprint("parent", "parent", url_prefix="/parent"), child)
    for each in (public, parent) if public_first else (parent, public):
        app.register_blueprint(each)
    assert statuses(app, "/child/") == OPEN
    assert statuses(app, "/parent/child/") == CLOSED
    assert (route_of(app, "/child/").guard, route_of(app, "/parent/child/").guard) == ("none", "default")


def test_a_blueprint_that_a_protected_one_registers_on_the_application_stays_public() -> None:
    """It is not within the protected one."""
    app, jwt = make_app()
    child, other = blueprint("child"), blueprint("other")
    child.record(lambda state: state.app.register_blueprint(other))
    jwt.protect(child)
    app.register_blueprint(child)
    assert (statuses(app, "/child/"), statuses(app, "/other/")) == (CLOSED, OPEN)


def test_a_blueprint_whose_name_begins_like_another_stays_public() -> None:
    """The name of a blueprint ends at the dot."""
    app, jwt = make_app()
    shop, shopping = blueprint("shop"), blueprint("shopping")
    jwt.protect(shop)
    app.register_blueprint(shop)
    app.register_blueprint(shopping)
    assert (statuses(app, "/shop/"), statuses(app, "/shopping/")) == (CLOSED, OPEN)


def test_a_blueprint_that_is_registered_twice_is_protected_twice() -> None:
    """Within another blueprint, and under another name."""
    app, jwt = make_app()
    child = blueprint("child")
    jwt.protect(child)
    app.register_blueprint(child, name="first", url_prefix="/first")
    app.register_blueprint(nest(Blueprint("parent", "parent", url_prefix="/parent"), child))
    assert statuses(app, "/first/") == statuses(app, "/parent/child/") == CLOSED


def test_a_blueprint_may_be_public_at_one_place_and_protected_at_another() -> None:
    """A protected parent protects it: the same functions at two endpoints."""
    for order in (("/parent/child/", "/child/"), ("/child/", "/parent/child/")):
        app, jwt = make_app()
        child, parent = blueprint("child"), Blueprint("parent", "parent", url_prefix="/parent")
        jwt.protect(parent)
        parent.register_blueprint(child)
        app.register_blueprint(parent)
        app.register_blueprint(child)
        found = {path: statuses(app, path) for path in order}
        assert found == {"/parent/child/": CLOSED, "/child/": OPEN}
        assert (route_of(app, "/parent/child/").guard, route_of(app, "/child/").guard) == ("default", "none")


@pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)
@pytest.mark.parametrize("how", ["nested", "renamed", "plain"])
def test_an_api_of_a_protected_blueprint_is_protected(library: Any, how: str) -> None:
    """Such an Api ignores parents and `name=` in the names of endpoints, and takes resources after registration too."""
    app, jwt = make_app()
    child = Blueprint("child", "child", url_prefix="/child")
    api = library.Api(child)
    jwt.protect(child)
    api.add_resource(type("Early", (library.Resource,), {"get": lambda self: "x"}), "/early")
    api.add_resource(type("Open", (library.Resource,), {"get": jwt_exempt(lambda self: "x")}), "/open")
    app.register_blueprint(nest(Blueprint("parent", "parent"), child) if how == "nested" else child, **_name(how))
    api.add_resource(type("Late", (library.Resource,), {"get": lambda self: "x"}), "/late")
    app.register_blueprint(blueprint("child" if how == "nested" else "outside"), url_prefix="/outside")
    assert statuses(app, "/child/early") == statuses(app, "/child/late") == CLOSED
    assert statuses(app, "/child/open") == OPEN
    # Where the names of endpoints are the same, the view of a public blueprint is protected too.
    assert statuses(app, "/outside/") == (CLOSED if how == "nested" else OPEN)
    assert route_of(app, "/child/early").guard == route_of(app, "/child/late").guard == "default"


def _name(how: str) -> dict[str, str]:
    return {"name": "other"} if how == "renamed" else {}


def test_a_view_that_a_blueprint_registers_for_a_rule_of_the_application_is_protected() -> None:
    """`Blueprint.endpoint` adds no prefix to a name."""
    app, jwt = make_app()
    app.add_url_rule("/bare", "bare")
    child = blueprint("child")
    jwt.protect(child)
    child.endpoint("bare")(lambda: "x")
    app.register_blueprint(child)
    assert statuses(app, "/bare") == CLOSED


def test_a_view_with_an_endpoint_named_like_those_of_a_blueprint_is_protected() -> None:
    """In Flask, the name of an endpoint shows its blueprint."""
    app, jwt = make_app()
    child = blueprint("child")
    jwt.protect(child)
    app.register_blueprint(child)
    app.add_url_rule("/by-hand", "child.by-hand", view)
    assert statuses(app, "/by-hand") == CLOSED


def test_protecting_a_registered_blueprint_is_an_error() -> None:
    """The message shows the order that works."""
    app, jwt = make_app()
    child = blueprint("child")
    app.register_blueprint(child)
    with pytest.raises(ConfigurationError, match=r"'child'.*before register_blueprint"):
        jwt.protect(child)
    jwt.protect(app)
    assert statuses(app, "/child/") == CLOSED


def test_an_application_and_its_blueprint_may_have_exemptions_of_their_own() -> None:
    """Each exempts views only from its own protection."""
    app, jwt = make_app()
    child = blueprint("child")
    child.add_url_rule("/other", "other", view)
    jwt.protect(child, exempt=["child.index"])
    jwt.protect(app, exempt=["child.*", "open"])
    app.register_blueprint(child)
    app.add_url_rule("/open", "open", view)
    assert (statuses(app, "/child/"), statuses(app, "/child/other"), statuses(app, "/open")) == (OPEN, CLOSED, OPEN)
    assert route_of(app, "/child/other").guard == "default"


def test_an_application_may_be_protected_twice() -> None:
    """A view is checked once. Only views that both calls exempt are public."""
    app, jwt = make_app()
    app.add_url_rule("/a", "a", view)
    app.add_url_rule("/b", "b", view)
    jwt.protect(app, exempt=["a", "b"])
    jwt.protect(app, exempt=["a"])
    asked = []

    @jwt.token_in_blocklist_loader
    def is_revoked(_header: Any, claims: dict[str, Any]) -> bool:
        asked.append(claims)
        return False

    assert (statuses(app, "/a"), statuses(app, "/b")) == (OPEN, CLOSED)
    assert len(asked) == 1


def test_one_view_may_be_public_in_one_application_and_protected_in_another() -> None:
    """A function, a class and a blueprint in both."""

    class Orders(MethodView):
        def get(self) -> str:
            return "x"

    shared, shop = Orders.as_view("orders"), blueprint("shop")
    (closed, jwt), (public, _) = make_app(), make_app()
    jwt.protect(closed)
    for app in (public, closed):
        app.add_url_rule("/view", "view", view)
        app.add_url_rule("/orders", view_func=shared)
        app.register_blueprint(shop)
    for path in ("/view", "/orders", "/shop/"):
        assert (statuses(public, path), statuses(closed, path)) == (OPEN, CLOSED)


def test_a_blueprint_may_serve_two_applications() -> None:
    """Under different names; each application verifies with its own keys."""
    shop = blueprint("shop")
    (first, jwt), (second, _) = make_app(), make_app(SECRET_KEY=SECRET[1:] + SECRET[0])
    jwt.protect(shop)
    for name, app in (("first", first), ("second", second)):
        app.register_blueprint(shop, name=name)
        assert statuses(app, "/shop/") == CLOSED
    with first.app_context():
        token = create_access_token("ada")
    assert second.test_client().get("/shop/", headers=bearer(token)).status_code == 422


# --- per endpoint ---------------------------------------------------------------------------------------------------


class Shared(MethodView):
    init_every_request = False

    def get(self) -> str:
        return "x"


KINDS: dict[str, Callable[[], Any]] = {
    "a function": lambda: lambda: "x",
    "a class": lambda: Shared.as_view("shared"),
    "a resource": lambda: type("R", (flask_restful.Resource,), {"get": lambda self: {}}).as_view("r"),
    "a coroutine function": lambda: _coroutine,
}


async def _coroutine() -> str:
    return "x"


@pytest.mark.parametrize("order", [("/public", "/closed"), ("/closed", "/public")], ids="-".join)
@pytest.mark.parametrize("kind", KINDS)
def test_one_view_may_be_public_and_protected_under_two_endpoints(kind: str, order: tuple[str, str]) -> None:
    """In any order of requests, and repeatedly."""
    app = make_protected(exempt=["public"])
    served = KINDS[kind]()
    for name in ("public", "closed"):
        app.add_url_rule(f"/{name}", name, served)
    for _ in range(2):
        assert {path: statuses(app, path) for path in order} == {"/public": OPEN, "/closed": CLOSED}
    assert (route_of(app, "/public").guard, route_of(app, "/closed").guard) == ("exempt", "default")


def test_one_function_may_have_two_rules_of_one_endpoint() -> None:
    """Flask compares it with the view that is registered for the endpoint."""
    app = make_protected()
    app.add_url_rule("/a", "same", view)
    app.add_url_rule("/b", "same", view)
    app.add_url_rule("/c", "same", app.view_functions["same"])
    with pytest.raises(AssertionError, match="overwriting an existing endpoint"):
        app.add_url_rule("/d", "same", lambda: "x")
    assert statuses(app, "/a") == statuses(app, "/b") == statuses(app, "/c") == CLOSED


def test_each_method_of_a_class_has_its_own_protection() -> None:
    """HEAD falls back to GET, as in Flask. A method that no decorator mentions is protected."""

    class Orders(MethodView):
        @jwt_exempt
        def get(self) -> str:
            return "x"

        @jwt_required(refresh=True)
        def post(self) -> str:
            return "x"

        def report(self) -> str:
            return "x"

    app = make_protected()
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"), methods=["GET", "POST", "REPORT"])
    for _ in range(2):
        assert statuses(app, "/orders") == statuses(app, "/orders", "HEAD") == OPEN
        assert statuses(app, "/orders", "POST", "refresh") == CLOSED
        assert statuses(app, "/orders", "REPORT") == CLOSED
    guards = {each.method: each.guard for each in routes(app)}
    assert guards == {"GET": "exempt", "POST": "decorator", "REPORT": "default"}


def test_a_class_that_replaces_another_has_its_own_protection() -> None:
    """Flask allows that for tests."""

    @jwt_exempt
    class Public(MethodView):
        def get(self) -> str:
            return "x"

    class Closed(MethodView):
        def get(self) -> str:
            return "x"

    app = make_protected()
    served: Any = Public.as_view("orders")
    app.add_url_rule("/orders", view_func=served)
    for cls, expected in ((Public, OPEN), (Closed, CLOSED), (Public, OPEN)):
        served.view_class = cls
        assert statuses(app, "/orders") == expected
        assert route_of(app, "/orders").guard == ("exempt" if expected is OPEN else "default")


def test_a_head_method_is_not_protected_by_the_decorator_of_get() -> None:
    """It is a method of its own, and the audit lists it."""

    class Orders(MethodView):
        @jwt_required()
        def get(self) -> str:
            return "x"

        def head(self) -> str:
            return ""

    app, _ = make_app()
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    assert (statuses(app, "/orders"), statuses(app, "/orders", "HEAD")) == (CLOSED, OPEN)
    assert (route_of(app, "/orders").guard, route_of(app, "/orders", "HEAD").guard) == ("decorator", "none")


def test_if_a_hook_changes_the_endpoint_the_new_one_decides() -> None:
    """A hook may also answer before the view, and so before the check."""
    app = make_protected()
    app.add_url_rule("/public", "public", jwt_exempt(lambda: "public"))
    app.add_url_rule("/closed", "closed", lambda: "closed")

    @app.before_request
    def swap() -> str | None:
        if to := request.args.get("to"):
            request.url_rule = next(app.url_map.iter_rules(to))
        return "down" if "down" in request.args else None

    assert (statuses(app, "/public?to=closed"), statuses(app, "/closed?to=public")) == (CLOSED, OPEN)
    assert status(app, "/closed?down") == 200


# --- exempt ---------------------------------------------------------------------------------------------------------


def test_a_string_is_one_pattern() -> None:
    """Not a list of letters, one of which is a star. It matches a whole name."""
    app = make_protected(exempt="auth.*")
    app.register_blueprint(blueprint("auth"))
    for name in ("a", "*", ".", "authx"):
        app.add_url_rule(f"/{name}", name.replace(".", "dot"), view)
    assert statuses(app, "/auth/") == OPEN
    assert statuses(app, "/a") == statuses(app, "/*") == statuses(app, "/authx") == CLOSED


WRONG_PATTERNS = [b"auth.*", bytearray(b"x"), None, 5, [b"auth"], [None], [view], view, {"auth": 1}, [""], "", [["a"]]]


@pytest.mark.parametrize("exempt", WRONG_PATTERNS, ids=lambda value: type(value).__name__)
def test_a_wrong_pattern_is_an_error(exempt: Any) -> None:
    """The message shows what to write, and nothing is protected."""
    app, jwt = make_app()
    with pytest.raises(ConfigurationError, match=r"exempt of jwt.protect takes names of endpoints.*@jwt_exempt"):
        jwt.protect(app, exempt=exempt)
    app.add_url_rule("/open", "open", view)
    assert status(app, "/open") == 200


@pytest.mark.parametrize("exempt", [["open"], ("open",), {"open"}, frozenset({"open"}), iter(["open"]), "open", "op*"])
def test_patterns_may_come_in_any_collection(exempt: Any) -> None:
    """Also in an iterator."""
    app = make_protected(exempt=exempt)
    app.add_url_rule("/open", "open", view)
    app.add_url_rule("/closed", "closed", view)
    assert (statuses(app, "/open"), statuses(app, "/closed")) == (OPEN, CLOSED)


@pytest.mark.parametrize("exempt", ["*", ["**"], ["open", "*.*"], ["?*"]])
def test_an_exemption_of_everything_is_reported(exempt: Any, caplog: pytest.LogCaptureFixture) -> None:
    """By the check, and in the log at the first request."""
    app = make_protected(exempt=exempt)
    app.add_url_rule("/open", "open", view)
    (finding,) = findings(app)
    assert (finding.severity, finding.code) == ("error", "exempts_everything")
    assert status(app, "/open") == 200 or exempt == ["open", "*.*"]
    assert "protects no view" in caplog.text


def test_patterns_of_a_blueprint_may_use_its_own_name() -> None:
    """Under every name it is registered with."""
    app, jwt = make_app()
    child = blueprint("child")
    child.add_url_rule("/other", "other", view)
    jwt.protect(child, exempt=["child.index"])
    app.register_blueprint(nest(Blueprint("parent", "parent"), child), name="house")
    assert (statuses(app, "/child/"), statuses(app, "/child/other")) == (OPEN, CLOSED)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "style.css").write_text("x")
    return str(tmp_path)


def with_static_files(folder: str) -> tuple[Flask, JWTManager, Blueprint]:
    app = Flask("app", static_folder=folder, static_url_path="/static")
    return *make_app(app), Blueprint(
        "shop", "shop", url_prefix="/shop", static_folder=folder, static_url_path="/static"
    )


@pytest.mark.parametrize("exempt", [None, "static", ["static", "*.static"], ()], ids=repr)
def test_static_files_are_those_that_flask_serves(folder: str, exempt: Any) -> None:
    """The function decides, not its name. Without exemptions they are protected too."""
    app, jwt, shop = with_static_files(folder)
    jwt.protect(app, **({} if exempt is None else {"exempt": exempt}))
    app.register_blueprint(nest(Blueprint("house", "house"), shop))
    own = Blueprint("own", "own", url_prefix="/own")
    own.add_url_rule("/static", "static", lambda: "x")
    app.register_blueprint(own)
    bare = Flask("bare", static_folder=None)
    _, jwt = make_app(bare)
    jwt.protect(bare)
    bare.add_url_rule("/static", "static", lambda: "x")
    assert statuses(app, "/static/style.css") == (CLOSED if exempt == () else OPEN)
    assert statuses(app, "/own/static") == statuses(bare, "/static") == CLOSED
    assert statuses(app, "/shop/static/style.css") == (CLOSED if exempt in ("static", ()) else OPEN)
    assert route_of(app, "/static/<path:filename>").guard == ("default" if exempt == () else "exempt")
    assert route_of(app, "/own/static").guard == route_of(bare, "/static").guard == "default"


def test_static_files_that_the_application_serves_itself_are_a_view(folder: str) -> None:
    """It replaces the view of Flask, and can be exempt like any other view."""
    for replace, expected in ((lambda **_: "mine", CLOSED), (jwt_exempt(lambda **_: "mine"), OPEN)):
        app, jwt, _ = with_static_files(folder)
        jwt.protect(app)
        app.view_functions["static"] = replace
        assert statuses(app, "/static/style.css") == expected


# --- nothing takes it away ------------------------------------------------------------------------------------------


def _another_dispatch(app: Flask) -> None:
    def dispatch_request() -> Any:  # as Flask-DebugToolbar does it
        rule: Any = request.url_rule
        if rule.provide_automatic_options and request.method == "OPTIONS":
            return app.make_default_options_response()
        return app.view_functions[rule.endpoint](**request.view_args or {})

    app.dispatch_request = dispatch_request


def _another_full_dispatch(app: Flask) -> None:
    def full_dispatch_request() -> Any:
        try:
            rv: Any = app.preprocess_request()
            rv = app.dispatch_request() if rv is None else rv
        except Exception as error:
            rv = app.handle_user_exception(error)
        return app.finalize_request(rv)

    app.full_dispatch_request = full_dispatch_request


def _no_hooks(app: Flask) -> None:
    app.before_request_funcs.clear()
    app.preprocess_request = lambda: None


def _other_views(app: Flask) -> None:
    app.view_functions = dict(app.view_functions)
    app.view_functions["view"] = lambda: "x"


def _merged_views(app: Flask) -> None:
    app.view_functions = app.view_functions | {"view": lambda: "x"}


def _merged_views_in_place(app: Flask) -> None:
    app.view_functions |= {"view": lambda: "x"}


def _updated_views(app: Flask) -> None:
    app.view_functions.update({"other": view}, view=lambda: "x")


def _default_view(app: Flask) -> None:
    del app.view_functions["view"]
    assert app.view_functions.setdefault("view", lambda: "x") is app.view_functions.setdefault("view", view)


def _wrapped_view(app: Flask) -> None:
    inner: Any = app.view_functions["view"]
    app.view_functions["view"] = lambda: inner()


def _attributes(app: Flask) -> None:
    vars(app)["view_functions"] = {"view": lambda: "x"}


def _another_ensure_sync(app: Flask) -> None:
    app.ensure_sync = lambda func: func
    app.view_functions["view"] = lambda: "x"


THIEVES = [
    _another_dispatch,
    _another_full_dispatch,
    _no_hooks,
    _other_views,
    _merged_views,
    _merged_views_in_place,
    _updated_views,
    _default_view,
    _wrapped_view,
    _attributes,
    _another_ensure_sync,
]


@pytest.mark.parametrize("is_late", [False, True], ids=["before the first request", "after it"])
@pytest.mark.parametrize("is_public", [False, True], ids=["of a protected view", "of a public one"])
@pytest.mark.parametrize("take_away", THIEVES)
def test_nothing_takes_protection_away(take_away: Callable[[Flask], None], is_public: bool, is_late: bool) -> None:
    """Whatever another extension assigns, and for a view that replaces another."""
    app = make_protected()
    app.add_url_rule("/view", "view", jwt_exempt(lambda: "x") if is_public else lambda: "x")
    app.add_url_rule("/public", "public", jwt_exempt(lambda: "x"))
    if is_late:
        assert statuses(app, "/view") == (OPEN if is_public else CLOSED)
    take_away(app)
    stays_public = is_public and take_away in (_another_dispatch, _another_full_dispatch, _no_hooks, _attributes)
    for _ in range(2):
        assert statuses(app, "/view") == (OPEN if stays_public else CLOSED)
    assert route_of(app, "/view").guard == ("exempt" if stays_public else "default")
    if "public" in app.view_functions:
        assert statuses(app, "/public") == OPEN


def test_a_view_that_was_never_wrapped_is_not_listed_as_protected() -> None:
    """The audit shows what an anonymous client gets."""
    app = make_protected()
    app.add_url_rule("/view", "view", view)
    dict.__setitem__(app.view_functions, "view", view)
    assert (statuses(app, "/view"), route_of(app, "/view").guard) == (OPEN, "none")


def test_a_view_that_was_replaced_for_a_test_comes_back() -> None:
    """`mock` and `monkeypatch` replace views."""
    app = make_protected()
    app.add_url_rule("/view", "view", view)
    with mock.patch.object(app, "view_functions", {"view": lambda: "patched"}):
        assert statuses(app, "/view") == CLOSED
        assert send(app, "/view", "access").text == "patched"
    with mock.patch.dict(app.view_functions, {"view": lambda: "patched"}):
        assert statuses(app, "/view") == CLOSED
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(app.view_functions, "view", lambda: "patched")
        assert statuses(app, "/view") == CLOSED
    assert statuses(app, "/view") == CLOSED
    assert send(app, "/view", "access").text == "x"


@pytest.mark.parametrize("how", ["its own", "that of Flask"])
def test_an_application_class_may_dispatch_requests_itself(how: str) -> None:
    """With code of its own, or with the method of Flask."""

    class App(Flask):
        def dispatch_request(self) -> Any:
            rule = request.url_rule
            if how == "that of Flask" or rule is None:
                return super().dispatch_request()
            return self.ensure_sync(self.view_functions[rule.endpoint])(**request.view_args or {})

    app, jwt = make_app(App("app", static_folder=None))
    jwt.protect(app)
    app.add_url_rule("/view", "view", view)
    app.add_url_rule("/async", "async", _coroutine)
    app.add_url_rule("/public", "public", jwt_exempt(lambda: "x"))
    assert statuses(app, "/view") == statuses(app, "/async") == CLOSED
    assert statuses(app, "/public") == OPEN
    assert (type(app).__name__, isinstance(app, App), repr(app)) == ("App", True, "<App 'app'>")


def test_an_application_class_may_list_its_subclasses() -> None:
    """`protect` adds none, and needs no arguments for one."""

    class App(Flask):
        known: ClassVar[list[Any]] = []

        def __init_subclass__(cls, *, name: str) -> None:
            cls.known.append(name)

    class Shop(App, name="shop"):
        """An application."""

    app, jwt = make_app(Shop("app", static_folder=None))
    jwt.protect(app)
    app.add_url_rule("/view", "view", view)
    app.view_functions = dict(app.view_functions)
    assert (statuses(app, "/view"), App.known) == (CLOSED, ["shop"])


def page() -> str:
    return "<html><body>hello</body></html>"


def test_under_flask_debugtoolbar() -> None:
    """It replaces `dispatch_request` of the application, before or after `protect`."""
    for is_late in (False, True):
        app, jwt = make_app()
        app.config.update(SECRET_KEY="x" * 32, DEBUG_TB_ENABLED=True, DEBUG_TB_INTERCEPT_REDIRECTS=False)
        app.add_url_rule("/view", "view", page)
        app.add_url_rule("/public", "public", jwt_exempt(lambda: page()))
        if not is_late:
            jwt.protect(app)
        flask_debugtoolbar.DebugToolbarExtension(app)
        if is_late:
            jwt.protect(app)
        for _ in range(2):
            assert (statuses(app, "/view"), statuses(app, "/public")) == (CLOSED, OPEN)
        assert "flDebug" in send(app, "/view", "access").text
        assert route_of(app, "/view").guard == "default"


def test_a_protected_view_keeps_its_attributes() -> None:
    """Other extensions read names and attributes, set some, and compare views."""

    def named(number: int = 5) -> str:
        """Say something."""
        return f"{number} {get_jwt_identity()}"

    app = make_protected()
    app.add_url_rule("/named", "named", named)
    views: dict[str, Any] = app.view_functions
    seen = views["named"]
    assert (seen.__name__, seen.__module__, seen.__doc__) == ("named", __name__, "Say something.")
    assert (seen == named, named == seen, seen != named, hash(seen)) == (True, True, False, hash(named))
    seen.limited = 5
    assert (vars(named)["limited"], vars(seen)) == (5, {"limited": 5})
    assert "named" in repr(seen)
    bound = Shared().get
    app.add_url_rule("/bound", "bound", bound)
    views["bound"].documented = True  # a bound method takes none
    assert views["bound"].documented is True
    assert send(app, "/named", "access").text == "5 ada"
    app.view_functions["partial"] = partial(named)
    assert getattr(app.view_functions["partial"], "__name__", "nameless") == "nameless"
    assert statuses(app, "/bound") == CLOSED


def test_a_view_that_needs_no_check_is_not_wrapped() -> None:
    """From the second request on: a public view, and one with a decorator of its own."""
    app = make_protected()
    public, own = jwt_exempt(lambda: "x"), jwt_required(refresh=True)(lambda: "x")
    app.add_url_rule("/public", "public", public)
    app.add_url_rule("/own", "own", own)
    for _ in range(2):
        assert statuses(app, "/public") == OPEN
        assert statuses(app, "/own", kind="refresh") == CLOSED
    assert app.view_functions["public"] is public
    assert app.view_functions["own"] is own


def test_a_decision_that_was_made_too_early_is_made_again() -> None:
    """By a test that calls views without a request, before everything is registered."""
    app, jwt = make_app()
    child = blueprint("child")
    app.add_url_rule("/view", "view", view)
    app.register_blueprint(child)
    other = blueprint("other")
    jwt.protect(other)
    app.register_blueprint(other)
    with app.test_request_context("/view"):
        assert app.dispatch_request() == "x"
    jwt.protect(app)
    assert statuses(app, "/view") == statuses(app, "/child/") == statuses(app, "/other/") == CLOSED


# --- what can be protected ------------------------------------------------------------------------------------------


def _targets() -> dict[str, Any]:
    app = Flask("x")
    return {
        "flask_restful.Api": flask_restful.Api(app),
        "flask_restx.api.Api": RestxApi(app, doc=False),
        "flask_restx.namespace.Namespace": flask_restx.Namespace("x"),
        "flask_jwt_extended.jwt_manager.JWTManager": JWTManager(),
        "flask.app.Flask": Flask,
        "builtins.str": "app",
        "builtins.NoneType": None,
        "builtins.function": view,
    }


@pytest.mark.parametrize("name", _targets())
def test_protecting_another_object_is_an_error(name: str) -> None:
    """The message names its class, and what to pass instead."""
    _, jwt = make_app()
    target = _targets()[name]
    with pytest.raises(TypeError, match=r"a Flask application or a Blueprint, not .*made with") as error:
        jwt.protect(target)
    assert name.rpartition(".")[2] in str(error.value)


def test_current_app_can_be_protected() -> None:
    """In a factory, for example."""
    app, jwt = make_app()
    app.add_url_rule("/view", "view", view)
    with app.app_context():
        jwt.protect(current_app)
    assert statuses(app, "/view") == CLOSED


# --- jwt_exempt -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base", [MethodView, flask_restful.Resource, flask_restx.Resource], ids=lambda each: each.__module__
)
def test_a_subclass_does_not_inherit_an_exemption_from_a_class(base: Any) -> None:
    """The exemption of a method is inherited until a subclass overrides the method."""

    @jwt_exempt
    class Base(base):
        def get(self) -> str:
            return "x"

        @jwt_exempt
        def put(self) -> str:
            return "x"

    class Derived(Base):
        def post(self) -> str:
            return "x"

    class Overridden(Derived):
        def put(self) -> str:
            return "x"

    @jwt_exempt
    class Again(Overridden):
        pass

    app = make_protected()
    arguments = (RestxApi(doc=False),) if base is flask_restx.Resource else ()
    for each in (Base, Derived, Overridden, Again):
        app.add_url_rule(f"/{each.__name__}", view_func=each.as_view(each.__name__, *arguments))
    assert statuses(app, "/Base") == statuses(app, "/Base", "PUT") == OPEN
    assert [statuses(app, "/Derived", method) for method in ("GET", "POST", "PUT")] == [CLOSED, CLOSED, OPEN]
    assert [statuses(app, "/Overridden", method) for method in ("GET", "POST", "PUT")] == [CLOSED] * 3
    assert [statuses(app, "/Again", method) for method in ("GET", "POST", "PUT")] == [OPEN] * 3
    guards = {(each.rule, each.method): each.guard for each in routes(app)}
    assert (guards["/Derived", "POST"], guards["/Derived", "PUT"]) == ("default", "exempt")


@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)
def test_an_exemption_in_method_decorators_stays_with_the_class(library: Any, is_first: bool) -> None:
    """A class that inherits the same method is protected."""

    class Base(library.Resource):
        def get(self) -> str:
            return "x"

    class Public(Base):
        method_decorators: ClassVar[list[Any]] = [jwt_exempt]

    app = make_protected()
    api = RestxApi(app, doc=False) if library is flask_restx else library.Api(app)
    api.add_resource(Base, "/base", endpoint="base")
    api.add_resource(Public, "/public", endpoint="public")
    paths = ["/public", "/base"] if is_first else ["/base", "/public"]
    assert {path: statuses(app, path) for path in paths} == {"/public": OPEN, "/base": CLOSED}
    assert (route_of(app, "/base").guard, route_of(app, "/public").guard) == ("default", "exempt")


@pytest.mark.parametrize("is_one_object", [False, True])
def test_an_exemption_may_be_one_of_the_decorators_of_a_class(is_one_object: bool) -> None:
    """Subclasses inherit those, as in Flask."""
    members = {"get": lambda self: "x", "decorators": [jwt_exempt], "init_every_request": not is_one_object}
    public = type("Public", (MethodView,), members)
    app = make_protected()
    app.add_url_rule("/public", view_func=public.as_view("public"))
    app.add_url_rule("/derived", view_func=type("Derived", (public,), {}).as_view("derived"))
    app.add_url_rule("/closed", view_func=type("Closed", (public,), {"decorators": []}).as_view("closed"))
    assert (statuses(app, "/public"), statuses(app, "/derived"), statuses(app, "/closed")) == (OPEN, OPEN, CLOSED)


def test_the_method_of_one_object_may_be_exempt() -> None:
    """Another object has the same function."""

    class Handler:
        def answer(self) -> str:
            return "x"

        async def wait(self) -> str:
            return "x"

    public, other = Handler(), Handler()
    app = make_protected()
    app.get("/public")(jwt_exempt(public.answer))
    app.get("/waiting")(jwt_exempt(public.wait))
    app.add_url_rule("/other", "other", other.answer)
    assert (statuses(app, "/public"), statuses(app, "/waiting"), statuses(app, "/other")) == (OPEN, OPEN, CLOSED)


def test_an_exempt_dispatch_request_exempts_no_method_that_a_subclass_adds() -> None:
    """It exempts what it answers itself."""

    class Base(View):
        @jwt_exempt
        def dispatch_request(self) -> str:
            return "x"

    @jwt_exempt
    class Whole(View):
        def dispatch_request(self) -> str:
            return "x"

    class Methods(MethodView):
        @jwt_exempt
        def dispatch_request(self, **arguments: Any) -> Any:
            return super().dispatch_request(**arguments)

    class Derived(Methods):
        def get(self) -> str:
            return "x"

    app = make_protected()
    app.add_url_rule("/base", view_func=type("Same", (Base,), {}).as_view("base"))
    app.add_url_rule("/whole", view_func=Whole.as_view("whole"))
    app.add_url_rule("/derived", view_func=Derived.as_view("derived"))
    assert (statuses(app, "/base"), statuses(app, "/whole"), statuses(app, "/derived")) == (OPEN, OPEN, CLOSED)


def test_an_exemption_with_parentheses_is_an_error() -> None:
    """The message shows what to write."""
    with pytest.raises(TypeError, match=r"write @jwt_exempt, not @jwt_exempt\(\)"):
        jwt_exempt()


@pytest.mark.parametrize("wrong", [None, "auth.*", 5, ["auth.login"]], ids=repr)
def test_an_exemption_of_something_else_is_an_error(wrong: Any) -> None:
    """flask-sock returns `None` to a decorator above its route."""
    with pytest.raises(TypeError, match=r"@jwt_exempt"):
        jwt_exempt(wrong)


@pytest.mark.parametrize("make", [lambda: len, lambda: type("Slots", (), {"__slots__": (), "__call__": view})()])
def test_an_exemption_of_an_object_without_attributes_is_an_error(make: Callable[[], Any]) -> None:
    """The message shows two alternatives."""
    with pytest.raises(TypeError, match="wrap it in a function, or name its endpoint"):
        jwt_exempt(make())


def test_an_exemption_above_its_route_works() -> None:
    """The route returns the view, and before the first request it is not too late."""
    app = make_protected()
    jwt_exempt(app.get("/function")(lambda: "x"))
    app.add_url_rule("/named", "named", view)
    app.view_functions["named"] = jwt_exempt(app.view_functions["named"])
    app.add_url_rule("/bound", "bound", jwt_exempt(Bound().method))
    assert statuses(app, "/function") == statuses(app, "/named") == statuses(app, "/bound") == OPEN
    del vars(view)["__jwt_exempt__"]


class Bound:
    def method(self) -> str:
        return "x"


def test_an_exemption_above_a_requirement_is_an_error() -> None:
    """It would have no effect."""
    with pytest.raises(ConfigurationError, match=r"both @jwt_exempt and @jwt_required\(\)"):
        jwt_exempt(jwt_required()(lambda: "x"))


def test_an_exemption_without_effect_is_reported() -> None:
    """It stands below the requirement of a function or of a class, which protects the view."""

    class Orders(MethodView):
        decorators = [jwt_required()]  # noqa: RUF012  # as its users write it

        @jwt_exempt
        def get(self) -> str:
            return "x"

    app, _ = make_app()
    app.add_url_rule("/function", "function", jwt_required()(jwt_exempt(lambda: "x")))
    app.add_url_rule("/class", view_func=Orders.as_view("class"))
    assert statuses(app, "/function") == statuses(app, "/class") == CLOSED
    assert [each.code for each in findings(app)] == ["unused_exemption"] * 2
    assert route_of(app, "/function").guard == route_of(app, "/class").guard == "decorator"


def test_an_exempt_class_may_have_a_protected_method() -> None:
    """That does not contradict."""

    @jwt_exempt
    class Orders(MethodView):
        def get(self) -> str:
            return "x"

        @jwt_required()
        def post(self) -> str:
            return "x"

    app = make_protected()
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    assert (statuses(app, "/orders"), statuses(app, "/orders", "POST")) == (OPEN, CLOSED)
    assert codes(app) == set()


def test_a_token_is_checked_as_by_jwt_required() -> None:
    """The view has the identity, which a test may override."""
    from flask_jwt_extended.testing.clients import override_identity

    app = make_protected()
    app.add_url_rule("/me", "me", lambda: str(get_jwt_identity()))
    with app.app_context():
        token = create_access_token("ada")
    assert app.test_client().get("/me", headers=bearer(token)).text == "ada"
    with override_identity("eve"):
        assert app.test_client().get("/me").text == "eve"
    assert status(app, "/me") == 401


@pytest.mark.parametrize("view", ["static", ("a", "b"), 5], ids=["a name", "names", "a number"])
def test_only_what_can_be_called_is_exempted(view: Any) -> None:
    """An endpoint's name given to ``jwt_exempt`` would exempt nothing."""
    with pytest.raises(TypeError, match=f"not a {type(view).__name__}$"):
        jwt_exempt(view)


def test_a_blueprint_is_protected_however_it_is_registered() -> None:
    """A package may call the method of the class."""
    app, jwt = make_app()
    blueprint = Blueprint("api", __name__)
    blueprint.get("/", endpoint="view")(lambda: "ok")
    jwt.protect(blueprint)
    Blueprint.register(blueprint, app, {"name": "other", "url_prefix": "/other"})
    assert status(app, "/other/") == 401
