# mypy: disable-error-code="import-untyped,misc,untyped-decorator,attr-defined"
# The libraries have no types.
"""What counts as protection: only what the framework really runs, and only in front of everything that may answer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import apiflask
import apiflask.views
import flask_caching
import flask_cors
import flask_login
import flask_restful
import flask_restx
import flask_smorest
import flask_sock
import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from flask_jwt_extended import JWTManager, all_of, create_access_token, jwt_exempt, jwt_required, verify_jwt_in_request
from flask_jwt_extended.sockets import sock_required

from .._cli.helpers import run
from .._keys.helpers import JWKS
from ..conftest import SECRET, bearer
from .frameworks import RestxApi, codes, findings, make_app, route_of, routes, status, statuses

CLOSED, OPEN, REFRESH = (401, 200), (200, 200), (401, 422)
SHIELDED = [False, True]
shielded = pytest.mark.parametrize("protect", SHIELDED, ids=["without protect", "under protect"])


def make(protect: bool, **options: Any) -> Flask:
    app, jwt = make_app(**options)
    if protect:
        jwt.protect(app)
    return app


# --- classes --------------------------------------------------------------------------------------------------------

required = jwt_required(fresh=True)


class Ignored(MethodView):
    """flask-restful reads `method_decorators`. Flask reads `decorators`."""

    method_decorators: ClassVar[Any] = [required]

    def get(self) -> str:
        return "x"


class IgnoredByMethod(Ignored):
    method_decorators: ClassVar[Any] = {"get": [required]}


class BareDispatch(View):
    """Flask calls `dispatch_request`, and nothing calls `get`."""

    def dispatch_request(self) -> str:
        return "x"

    @required
    def get(self) -> str:
        return "y"


class BareOverride(MethodView):
    """It does not call `get`."""

    def dispatch_request(self, **_arguments: Any) -> str:
        return "x"

    @required
    def get(self) -> str:
        return "y"


class Bare(MethodView):
    """A subclass overrides its protected method."""

    @required
    def get(self) -> str:
        return "x"


class Overridden(Bare):
    def get(self) -> str:
        return "y"


UNENFORCED: dict[type, str | None] = {
    Ignored: "rename it to decorators",
    IgnoredByMethod: "rename it to decorators",
    BareDispatch: "put it on dispatch_request",
    BareOverride: "put it on dispatch_request",
    Overridden: None,
}


@shielded
@pytest.mark.parametrize("cls", UNENFORCED)
def test_a_decorator_that_flask_does_not_run_protects_nothing(cls: Any, protect: bool) -> None:
    """The audit and the check report that, and `protect` protects the view by itself."""
    app = make(protect)
    app.add_url_rule("/view", view_func=cls.as_view("view"))
    assert statuses(app, "/view") == (CLOSED if protect else OPEN)
    route, found = route_of(app, "/view"), findings(app)
    assert (route.guard, route.requirements) == (("default", "access token") if protect else ("none", "nothing"))
    fix = UNENFORCED[cls]
    assert [each.code for each in found] == (
        [] if fix is None else ["unenforced_decorator" if protect else "unprotected_view"]
    )
    assert all("the @jwt_required() of" in each.message and str(fix) in each.fix.lower() for each in found)


class Listed(MethodView):
    decorators: ClassVar[Any] = [required]

    def get(self) -> str:
        return "x"


class Dispatch(View):
    @required
    def dispatch_request(self) -> str:
        return "x"


class DispatchOfMethods(MethodView):
    @required
    def dispatch_request(self, **arguments: Any) -> Any:
        return super().dispatch_request(**arguments)

    def get(self) -> str:
        return "x"


class Inherited(Bare):
    pass


class InheritedDispatch(Dispatch):
    pass


class Once(Bare):
    init_every_request = False


class OnceInstance(MethodView):
    init_every_request = False

    def __init__(self) -> None:
        self.get = required(self._get)

    methods: ClassVar[Any] = ["GET"]

    def _get(self) -> str:
        return "x"


class Twice(MethodView):
    decorators: ClassVar[Any] = [required, jwt_required(optional=True)]

    def get(self) -> str:
        return "x"


class Coroutine(MethodView):
    @required
    async def get(self) -> str:
        return "x"


ENFORCED = [Listed, Dispatch, DispatchOfMethods, Inherited, InheritedDispatch, Once, OnceInstance, Twice, Coroutine]


@shielded
@pytest.mark.parametrize("cls", ENFORCED)
def test_decorators_that_flask_runs_are_listed(cls: Any, protect: bool) -> None:
    """With their requirements. `protect` adds none."""
    app = make(protect)
    app.add_url_rule("/view", view_func=cls.as_view("view"))
    route = route_of(app, "/view")
    assert route.guard == "decorator"
    assert "fresh access token" in route.requirements
    assert statuses(app, "/view") == (401, 401)
    assert status_fresh(app, "/view") == 200
    assert codes(app) == set()


def status_fresh(app: Flask, path: str, method: str = "GET") -> int:
    with app.app_context():
        headers = bearer(create_access_token("ada", fresh=True))
    return app.test_client().open(path, method=method, headers=headers).status_code


@shielded
def test_a_dispatch_request_that_calls_the_methods_is_a_layer_above_them(protect: bool) -> None:
    """It may answer itself, like any other decorator."""

    class Logged(MethodView):
        def dispatch_request(self, **arguments: Any) -> Any:
            return super().dispatch_request(**arguments)

        @jwt_required(refresh=True)
        def get(self) -> str:
            return "x"

        @jwt_required(optional=True)
        def post(self) -> str:
            return "x"

    app = make(protect)
    app.add_url_rule("/view", view_func=Logged.as_view("view"))
    assert statuses(app, "/view", kind="refresh") == CLOSED
    assert statuses(app, "/view", "POST") == OPEN
    assert route_of(app, "/view").guard == ("decorator" if protect else "below")
    assert codes(app) == {"covered_decorator"}


def test_one_object_of_a_class_under_two_endpoints() -> None:
    """Its decorators protect both."""
    app = make(True)
    shared = Bare.as_view("shared")
    for name in ("a", "b"):
        app.add_url_rule(f"/{name}", name, shared)
        assert route_of(app, f"/{name}").guard == "decorator"
    assert [status_fresh(app, f"/{name}") for name in ("a", "b")] == [200, 200]


RESTFUL = pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)


def resource(library: Any, protect: bool, **members: Any) -> Flask:
    app = make(protect)
    members.setdefault("get", lambda self: "x")
    arguments = {"doc": False} if library is flask_restx else {}
    library.Api(app, **arguments).add_resource(type("R", (library.Resource,), members), "/r")
    return app


def custom(view: Any) -> Any:
    """A decorator of an application's own, as in the documentation."""

    @functools.wraps(view)
    @required
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return guarded


@RESTFUL
@shielded
@pytest.mark.parametrize(
    "decorators", [[required], [custom], [jwt_required(optional=True), required]], ids=["ours", "own", "two"]
)
def test_method_decorators_of_resources_are_run(library: Any, protect: bool, decorators: Any) -> None:
    """flask-restful and flask-restx run them."""
    app = resource(library, protect, method_decorators=decorators)
    assert (route_of(app, "/r").guard, statuses(app, "/r")[0], status_fresh(app, "/r")) == ("decorator", 401, 200)
    assert codes(app) == set()


@RESTFUL
@shielded
def test_a_decorator_of_methods_may_stand_above_ours(library: Any, protect: bool) -> None:
    """The last of the list is the outermost."""
    app = resource(library, protect, method_decorators=[required, answer_from_memory({})])
    assert route_of(app, "/r").guard == ("decorator" if protect else "below")
    assert codes(app) == {"covered_decorator"}
    assert status_fresh(app, "/r") == 200
    assert status(app, "/r") == (401 if protect else 200)  # out of the memory


@shielded
def test_method_decorators_may_be_a_mapping_in_flask_restful(protect: bool) -> None:
    """Those of GET do not apply to HEAD, which the audit shows. flask-restx takes no mapping."""
    app = resource(flask_restful, protect, method_decorators={"get": [required]})
    assert status(app, "/r") == 401
    assert status(app, "/r", None, "HEAD") == (401 if protect else 200)
    heads = {each.method: each.guard for each in routes(app)}
    assert heads == {"GET": "decorator", "HEAD": "default" if protect else "none"}
    other = resource(flask_restx, protect, method_decorators={"get": [required]})
    assert status(other, "/r") >= 400
    assert route_of(other, "/r").guard == ("default" if protect else "none")


@RESTFUL
@shielded
def test_decorators_of_an_api(library: Any, protect: bool) -> None:
    """They stand above the whole resource."""
    app = make(protect)
    arguments = {"doc": False} if library is flask_restx else {}
    api = library.Api(app, decorators=[required], **arguments)
    api.add_resource(type("R", (library.Resource,), {"get": lambda self: "x"}), "/r")
    assert (route_of(app, "/r").guard, statuses(app, "/r")[0], status_fresh(app, "/r")) == ("decorator", 401, 200)


# --- layers above ---------------------------------------------------------------------------------------------------


def answer_from_memory(memory: dict[str, Any]) -> Any:
    """A minimal cache."""

    def cached(view: Any) -> Any:
        @functools.wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if "answer" not in memory:
                memory["answer"] = view(*args, **kwargs)
            return memory["answer"]

        return wrapper

    return cached


class Passing:
    """A decorator that is a class."""

    def __init__(self, view: Any) -> None:
        functools.update_wrapper(self, view)
        self.view = view

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.view(*args, **kwargs)


class Holding:
    """One without `__wrapped__`."""

    def __init__(self, view: Any) -> None:
        self.itself = self
        self.__name__ = "holding"
        self.kept = view

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.kept(*args, **kwargs)


def bare_instead(view: Any) -> Any:
    """It copies the attributes of a function and never calls it."""

    @functools.wraps(view)
    def wrapper() -> str:
        return "x"

    return wrapper


FOREIGN: dict[str, Any] = {
    "a cache": answer_from_memory,
    "a class": lambda _memory: Passing,
    "a class that does not say so": lambda _memory: Holding,
    "two of them": lambda _memory: lambda view: Holding(Holding(view)),
    "a cache of Python's": lambda _memory: functools.lru_cache,
    "one that calls something else": lambda _memory: bare_instead,
    "one that was unwrapped": lambda _memory: lambda view: functools.wraps(view)(lambda: view.__wrapped__()),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_layer_above_is_reported(name: str) -> None:
    """`flask jwt routes` and `flask jwt check` do not count the view as protected, and show the fix."""
    app = make(False)
    app.add_url_rule("/view", "view", FOREIGN[name]({})(jwt_required(scopes="x")(lambda: "x")))
    route = route_of(app, "/view")
    assert (route.guard, route.requirements, route.is_unprotected) == ("below", "access token, scope x", True)
    assert "put @jwt_required() on top" in route.note
    (finding,) = findings(app)
    assert (finding.severity, finding.code) == ("warning", "covered_decorator")
    assert "/view" in finding.message
    assert "above every other decorator" in finding.fix
    printed = run(app, "routes", "--fail-on-unprotected")
    assert printed.exit_code == 1
    assert "warning: /view: " in printed.stdout


@pytest.mark.parametrize("name", FOREIGN)
def test_under_protect_a_layer_above_comes_second(name: str) -> None:
    """What the view requires is checked above the layer: the same scope, the same type of token."""
    wanted: list[tuple[dict[str, Any], Any]] = [({"scopes": "x"}, {"scope": "x"}), ({"refresh": True}, None)]
    for requirements, good in wanted:
        app = make(True)
        app.add_url_rule("/view", "view", FOREIGN[name]({})(jwt_required(**requirements)(lambda: "x")))
        if good is not None:
            assert statuses(app, "/view") == (401, 403)
            with app.app_context():
                headers = bearer(create_access_token("ada", additional_claims=good))
            assert app.test_client().get("/view", headers=headers).status_code == 200
        else:
            assert statuses(app, "/view", kind="refresh") == CLOSED
            assert statuses(app, "/view") == REFRESH
        assert status(app, "/view") == 401
        assert route_of(app, "/view").guard == "decorator"


@shielded
def test_an_optional_view_stays_optional_below_another_layer(protect: bool) -> None:
    """Under `protect` too."""
    app = make(protect)
    app.add_url_rule("/view", "view", Passing(jwt_required(optional=True)(lambda: "x")))
    assert statuses(app, "/view") == OPEN


def test_an_object_that_holds_an_optional_view_is_protected() -> None:
    """It may never call that view."""
    app = make(True)
    app.add_url_rule("/view", "view", Holding(jwt_required(optional=True)(lambda: "x")))
    assert (statuses(app, "/view"), route_of(app, "/view").guard) == (CLOSED, "default")


def test_a_layer_that_hides_what_it_wraps_is_protected() -> None:
    """Under `protect`, like any other view."""

    def hides(view: Any) -> Any:
        return lambda: view()

    app, shut = make(False), make(True)
    for each in (app, shut):
        each.add_url_rule("/view", "view", hides(jwt_required()(lambda: "x")))
        assert statuses(each, "/view") == CLOSED
    assert (route_of(app, "/view").guard, route_of(shut, "/view").guard) == ("none", "default")


def _smorest(app: Flask, view: Any) -> None:
    app.config.update(API_TITLE="x", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    shop = flask_smorest.Blueprint("shop", "shop")
    shop.route("/view")(shop.response(200)(shop.doc(summary="x")(view)))
    flask_smorest.Api(app).register_blueprint(shop)


def _apiflask(app: Any, view: Any) -> None:
    app.get("/view")(app.output({}, status_code=200)(app.doc(summary="x")(view)))


def _marshalled(app: Flask, view: Any) -> None:
    api = RestxApi(app, doc=False)
    get = api.marshal_with(api.model("x", {}))(lambda self: view())
    functools.update_wrapper(get, view)
    members = {"get": get}
    api.add_resource(type("R", (flask_restx.Resource,), members), "/view")


def _partial(app: Flask, view: Any) -> None:
    app.add_url_rule("/view", "view", functools.partial(view))


def _login(app: Flask, view: Any) -> None:
    flask_login.LoginManager(app)
    app.config["LOGIN_DISABLED"] = True
    app.add_url_rule("/view", "view", flask_login.login_required(view))


def _ours(app: Flask, view: Any) -> None:
    app.add_url_rule("/view", "view", jwt_required(optional=True)(view))


def _own(app: Flask, view: Any) -> None:
    app.add_url_rule("/view", "view", custom(view))


@pytest.mark.parametrize("add", [_smorest, _apiflask, _marshalled, _partial, _login, _ours, _own])
def test_a_layer_that_always_calls_the_view_is_harmless(add: Callable[[Flask, Any], None]) -> None:
    """The audit sees through layers that serialise and document, `functools.partial`, and our own."""
    app = apiflask.APIFlask("app") if add is _apiflask else Flask("app", static_folder=None)
    make_app(app)
    add(app, required(lambda: {}))
    route = route_of(app, "/view")
    assert (route.guard, route.note, codes(app)) == ("decorator", "", set())
    assert status(app, "/view") == 401
    assert status_fresh(app, "/view") == 200


def test_under_flask_caching() -> None:
    """Under `protect`, an anonymous client does not get the cached answer to a user."""
    cache = flask_caching.Cache(config={"CACHE_TYPE": "SimpleCache"})
    for protect, expected in ((False, 200), (True, 401)):
        app = make(protect)
        cache.init_app(app)
        app.add_url_rule("/view", "view", cache.cached()(jwt_required()(lambda: "x")))
        app.add_url_rule("/good", "good", jwt_required()(cache.cached()(lambda: "x")))
        for path in ("/view", "/good"):
            assert status(app, path, "access") == 200
        assert (status(app, "/view"), status(app, "/good")) == (expected, 401)
        assert route_of(app, "/view").guard == ("decorator" if protect else "below")
        assert route_of(app, "/good").guard == "decorator"
        (finding,) = findings(app)
        assert finding.message.startswith("/view: flask_caching.")


class Called:
    """An object that is a view: its `__call__` runs."""

    @jwt_required(refresh=True)
    def __call__(self) -> str:
        return "x"


class CalledByAnyone:
    @jwt_exempt
    def __call__(self) -> str:
        return "x"


class CalledThroughACache:
    @answer_from_memory({})
    @jwt_required()
    def __call__(self) -> str:
        return "x"


@shielded
def test_the_decorators_of_call_protect_an_object(protect: bool) -> None:
    """With their requirements and exemptions."""
    app = make(protect)
    app.add_url_rule("/required", "required", Called())
    app.add_url_rule("/partial", "partial", functools.partial(Called()))
    app.add_url_rule("/public", "public", CalledByAnyone())
    plain: Any = type("Plain", (), {"__call__": lambda self: "x"})()
    app.add_url_rule("/plain", "plain", plain)
    for path in ("/required", "/partial"):
        assert route_of(app, path).guard == "decorator"
        assert statuses(app, path, kind="refresh") == CLOSED
        assert status(app, path, "access") == 422
    assert (route_of(app, "/public").guard, statuses(app, "/public")) == ("exempt", OPEN)
    assert route_of(app, "/plain").guard == ("default" if protect else "none")
    assert statuses(app, "/plain") == (CLOSED if protect else OPEN)
    assert findings(app) == []


def test_a_layer_above_the_requirement_of_call_is_reported() -> None:
    """As above that of a function."""
    app = make(False)
    app.add_url_rule("/view", "view", CalledThroughACache())
    assert (route_of(app, "/view").guard, codes(app)) == ("below", {"covered_decorator"})


def test_a_copy_of_the_attributes_of_a_protected_view_protects_nothing() -> None:
    """A decorator is known by identity."""
    app, shut = make(False), make(True)
    protected = jwt_required()(lambda: "x")

    def copied() -> str:
        return "y"

    copied.__dict__.update(protected.__dict__)
    del vars(copied)["__wrapped__"]
    for each in (app, shut):
        each.add_url_rule("/view", "view", copied)
    assert (statuses(app, "/view"), route_of(app, "/view").guard) == (OPEN, "none")
    assert (statuses(shut, "/view"), route_of(shut, "/view").guard) == (CLOSED, "default")


# --- in the wrong place ---------------------------------------------------------------------------------------------


def _smorest_class(app: Flask) -> Any:
    app.config.update(API_TITLE="x", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    return flask_smorest.Blueprint("shop", "shop").route("/view"), MethodView


def _restx_class(app: Flask) -> Any:
    return RestxApi(app, doc=False).route("/view"), flask_restx.Resource


def _namespace_class(app: Flask) -> Any:
    return RestxApi(app, doc=False).namespace("x").route("/view"), flask_restx.Resource


def _restful_class(app: Flask) -> Any:
    return flask_restful.Api(app).resource("/view"), flask_restful.Resource


def _apiflask_class(app: Flask) -> Any:
    return apiflask.APIBlueprint("shop", "shop").route("/view"), apiflask.views.MethodView


WHOLE = [_smorest_class, _restx_class, _namespace_class, _restful_class, _apiflask_class]


@pytest.mark.parametrize("order", ["above", "below"])
@pytest.mark.parametrize("library", WHOLE)
def test_a_requirement_on_a_class_is_an_error(library: Any, order: str) -> None:
    """Above the route and below it. The message shows what to write."""
    app = make(False)
    route, base = library(app)
    cls = type("Orders", (base,), {"get": lambda self: "x"})
    listed = "method_decorators" if hasattr(base, "method_decorators") else "decorators"
    with pytest.raises(
        TypeError, match=rf"class Orders: put it on each of its methods, or write {listed} = \["
    ) as error:
        jwt_required()(route(cls)) if order == "above" else route(jwt_required()(cls))
    assert "Above a route it would protect nothing" in str(error.value)


def test_a_class_may_have_its_decorators_as_the_message_shows() -> None:
    """On a method, or in `method_decorators`."""
    app = make(False)
    api = RestxApi(app, doc=False)

    @api.route("/listed")
    class Listed(flask_restx.Resource):
        method_decorators: ClassVar[Any] = [jwt_required()]

        def get(self) -> str:
            return "x"

    @api.route("/method")
    class Method(flask_restx.Resource):
        @jwt_required()
        def get(self) -> str:
            return "x"

    for path in ("/listed", "/method"):
        assert (statuses(app, path), route_of(app, path).guard) == (CLOSED, "decorator")


@pytest.mark.parametrize("wrong", [None, "view", 5, type, object], ids=repr)
def test_a_requirement_on_something_else_is_an_error(wrong: Any) -> None:
    """flask-sock returns `None` to a decorator above its route."""
    with pytest.raises(TypeError, match=r"@jwt_required\(\)"):
        jwt_required()(wrong)


def test_above_a_route_of_flask_sock_both_decorators_are_errors() -> None:
    """They would have no effect."""
    decorators: list[Any] = [jwt_required(), jwt_exempt]
    for decorator in decorators:
        sock = flask_sock.Sock(make(False))
        with pytest.raises(TypeError, match="below the route"):
            decorator(sock.route("/feed")(lambda ws: None))


@pytest.mark.parametrize("bare", [lambda: jwt_required(lambda: "x"), lambda: jwt_required(MethodView)])  # type: ignore[arg-type]
def test_a_requirement_without_parentheses_is_an_error(bare: Callable[[], Any]) -> None:
    """On functions and classes."""
    with pytest.raises(TypeError, match="missing its parentheses"):
        bare()


@shielded
@pytest.mark.parametrize("library", ["flask", "smorest", "apiflask"])
def test_a_requirement_above_the_route_of_a_function_is_reported(library: str, protect: bool) -> None:
    """Under `protect` too: the view is protected, but without what the decorator requires."""
    base: Any = apiflask.APIFlask if library == "apiflask" else Flask
    app, jwt = make_app(base("app", static_folder=None))
    if protect:
        jwt.protect(app)
    app.config.update(API_TITLE="x", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    shop = flask_smorest.Blueprint("shop", "shop")
    route = shop.route("/view") if library == "smorest" else app.route("/view")

    @jwt_required(fresh=True)
    @route
    def reports() -> dict[str, str]:
        return {}

    if library == "smorest":
        flask_smorest.Api(app).register_blueprint(shop)
    assert statuses(app, "/view") == (CLOSED if protect else OPEN)
    (finding,) = findings(app)
    assert finding.code == ("unenforced_decorator" if protect else "unprotected_view")
    assert "is above the route" in finding.message
    assert route_of(app, "/view").guard == ("default" if protect else "none")


LOADERS = [name for name in dir(JWTManager) if name.endswith("_loader")]


@pytest.mark.parametrize("name", LOADERS)
def test_a_loader_with_parentheses_is_an_error(name: str) -> None:
    """The message names the loader and shows what to write. Without parentheses it works, and so does a call."""
    jwt = JWTManager()
    with pytest.raises(TypeError, match=rf"JWTManager.{name}: it takes no parentheses. Write @jwt.{name} above"):
        getattr(jwt, name)()
    with pytest.raises(TypeError, match="not a function: str"):
        getattr(jwt, name)("a secret")

    def loader(*_arguments: Any) -> None: ...

    assert getattr(jwt, name)(loader) is getattr(jwt, name)(callback=loader) is loader
    assert len(LOADERS) == 16


# --- hooks, sockets and what is not the application's ---------------------------------------------------------------


def hooked(protect: bool, place: str, hook: Any) -> Flask:
    app, jwt = make_app(Flask("app", static_folder=None))
    if protect:
        jwt.protect(app)
    parent, child = Blueprint("parent", "parent"), Blueprint("child", "child")
    child.add_url_rule("/inner", "inner", lambda: "x")
    child.add_url_rule("/refresh", "refresh", jwt_required(verify_type=False)(lambda: "x"))
    target: dict[str, Any] = {"app": app, "parent": parent, "child": child}
    target[place].before_request(hook)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    app.add_url_rule("/outer", "outer", lambda: "x")
    return app


@shielded
@pytest.mark.parametrize("place", ["app", "parent", "child"])
def test_a_hook_that_requires_a_token_protects_the_views_it_runs_for(place: str, protect: bool) -> None:
    """Of the application, of a blueprint, or of its parent."""
    app = hooked(protect, place, jwt_required()(lambda: None))
    assert statuses(app, "/inner") == CLOSED
    assert statuses(app, "/outer") == (CLOSED if protect or place == "app" else OPEN)
    assert route_of(app, "/inner").guard == ("default" if protect else "hook")
    outer = "default" if protect else "hook" if place == "app" else "none"
    assert route_of(app, "/outer").guard == outer
    assert route_of(app, "/refresh").guard == "decorator"
    failed = run(app, "routes", "--fail-on-unprotected").exit_code
    assert failed == (1 if outer == "none" else 0)


def test_under_protect_the_requirement_of_a_hook_is_checked() -> None:
    """In place of an access token, and also after the hook was removed."""
    app = hooked(True, "child", jwt_required(refresh=True)(lambda: None))
    assert statuses(app, "/inner", kind="refresh") == CLOSED
    app.before_request_funcs.clear()
    assert statuses(app, "/inner", kind="refresh") == CLOSED
    assert statuses(app, "/inner") == REFRESH


HARMLESS_HOOKS: dict[str, Any] = {
    "an optional one": jwt_required(optional=True)(lambda: None),
    "one that reports": jwt_required(report_only=True)(lambda: None),
    "one below another decorator": answer_from_memory({})(jwt_required()(lambda: None)),
    "another": lambda: None,
}


@pytest.mark.parametrize("name", HARMLESS_HOOKS)
def test_a_hook_that_lets_anonymous_requests_pass_protects_nothing(name: str) -> None:
    """It serves to find the identity."""
    app = hooked(False, "app", HARMLESS_HOOKS[name])
    app.before_request_funcs[None].reverse()
    assert route_of(app, "/inner").guard == "none"
    shut = hooked(True, "app", HARMLESS_HOOKS[name])
    assert statuses(shut, "/inner") == CLOSED


def test_a_hook_protects_exempt_views_too() -> None:
    """The exemption is from `protect`, and the check reports it."""
    app, _ = make_app()
    app.before_request(jwt_required()(lambda: None))
    app.add_url_rule("/health", "health", jwt_exempt(lambda: "x"))
    assert (statuses(app, "/health"), route_of(app, "/health").guard) == (CLOSED, "hook")
    assert codes(app) == {"unused_exemption"}


def test_what_flask_and_this_package_serve_does_not_stop_ci(tmp_path: Any) -> None:
    """Static files and published keys are public. A view without protection fails."""
    app = Flask("app", static_folder=str(tmp_path))
    app.config.update(JWT_KEYS=[JWKS["ES256"]], JWT_JWKS_PATH="/jwks.json")
    JWTManager(app)
    app.register_blueprint(Blueprint("shop", "shop", static_folder=str(tmp_path), url_prefix="/shop"))
    app.add_url_rule("/closed", "closed", jwt_required()(lambda: "x"))
    assert {each.guard for each in routes(app)} == {"exempt", "decorator"}
    assert run(app, "routes", "--fail-on-unprotected").exit_code == 0
    app.add_url_rule("/open", "open", lambda: "x")
    assert run(app, "routes", "--fail-on-unprotected").exit_code == 1


@shielded
def test_sock_required_protects_a_view(protect: bool) -> None:
    """Of flask-sock, like `jwt_required`."""
    app = make(protect)
    sock = flask_sock.Sock(app)
    sock.route("/feed")(sock_required(scopes="feed")(lambda ws: None))
    sock.route("/plain", endpoint="plain")(lambda ws: None)
    route = route_of(app, "/feed")
    assert (route.guard, route.requirements) == ("decorator", "access token, scope feed")
    assert route_of(app, "/plain").guard == ("default" if protect else "none")
    assert codes(app) == set()


def test_a_view_for_options_alone_is_not_protected() -> None:
    """As in 4.7. The audit shows that."""
    app = make(False)
    app.add_url_rule("/view", "view", jwt_required()(lambda: "x"), methods=["OPTIONS"])
    assert status(app, "/view", None, "OPTIONS") == 200
    assert route_of(app, "/view", "OPTIONS").guard == "none"


@shielded
def test_a_view_that_handles_options_itself_is_listed(protect: bool) -> None:
    """It answers anonymous clients under `compat`, and not under `strict`."""

    def options(_self: Any) -> str:
        return "x"

    for is_strict in (False, True):
        app = make(protect, PROTECT_OPTIONS_METHOD=is_strict)
        app.add_url_rule("/function", "function", jwt_required()(lambda: "x"), methods=["GET", "OPTIONS"])
        members = {"get": options, "options": options, "decorators": [jwt_required()]}
        app.add_url_rule("/class", view_func=type("Answering", (MethodView,), members).as_view("class"))
        for path in ("/function", "/class"):
            assert status(app, path, None, "OPTIONS") == (401 if is_strict else 200)
            assert route_of(app, path, "OPTIONS").guard == ("decorator" if is_strict else "none")
            assert route_of(app, path).guard == "decorator"


def test_options_that_the_view_does_not_see_are_not_listed() -> None:
    """Flask answers them, or Flask-CORS does."""
    app = make(False)
    app.add_url_rule("/view", "view", jwt_required()(lambda: "x"))
    app.add_url_rule("/cors", "cors", flask_cors.cross_origin()(jwt_required()(lambda: "x")))
    assert [(each.rule, each.method) for each in routes(app)] == [("/cors", "GET"), ("/view", "GET")]
    left_alone = flask_cors.cross_origin(automatic_options=False)(jwt_required()(lambda: "x"))
    app.add_url_rule("/manual", "manual", left_alone, methods=["GET", "OPTIONS"])
    assert route_of(app, "/manual", "OPTIONS").guard == "none"
    assert status(app, "/cors", None, "OPTIONS") == status(app, "/manual", None, "OPTIONS") == 200


def test_a_rule_without_methods_is_listed() -> None:
    """It accepts every method. A rule for building URLs accepts no request."""
    app = make(False)
    rule = app.url_rule_class
    app.url_map.add(rule("/any", endpoint="any"))
    app.url_map.add(rule("/built", endpoint="any", build_only=True))
    app.endpoint("any")(lambda: "x")
    assert [(each.rule, each.method, each.guard) for each in routes(app)] == [("/any", "*", "none")]
    assert status(app, "/any", None, "PURGE") == 200


def test_the_locations_of_every_view_are_known() -> None:
    """Also for methods other than GET: checks of URLs and cookies depend on it."""
    from flask_jwt_extended._context import get_state
    from flask_jwt_extended._diagnostics.application import token_locations

    class Orders(MethodView):
        @jwt_required(locations=["cookies"])
        def delete(self) -> str:
            return "x"

    app = make(False)
    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    app.add_url_rule("/report", "report", jwt_required(locations="query_string")(lambda: "x"), methods=["POST"])
    assert token_locations(app, get_state(app)) == {"headers", "cookies", "query_string"}


def test_protect_calls_a_patched_check_too() -> None:
    """With the arguments that 4.7 knows, if it can."""
    from unittest.mock import patch

    app = make(True, SECRET_KEY=SECRET)
    app.add_url_rule("/view", "view", lambda: "x")
    wanted = jwt_required(refresh=True, scopes=all_of("a", "b"))(lambda: "x")
    app.add_url_rule("/cached", "cached", answer_from_memory({})(wanted))
    with patch("flask_jwt_extended.view_decorators.verify_jwt_in_request") as verify:
        assert status(app, "/view") == status(app, "/cached") == 200
    in_front = [call.kwargs for call in verify.call_args_list[:2]]
    assert in_front == [{}, {"refresh": True, "scopes": all_of("a", "b")}]
    assert verify_jwt_in_request is not verify
