# mypy: disable-error-code="import-untyped,misc,untyped-decorator,attr-defined"
# The libraries have no types.
"""The audit, the check and what an anonymous client gets agree on random applications: kinds of views, decorators,
blueprints and orders, under every framework.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import mock

import apiflask
import apiflask.views
import flask_restful
import flask_restx
import flask_smorest
import flask_sock
from flask import Blueprint, Flask, current_app
from flask.views import MethodView, View
from hypothesis import given, note, settings
from hypothesis import strategies as st

from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, jwt_exempt, jwt_required
from flask_jwt_extended._diagnostics.routes import Route, routes
from flask_jwt_extended.sockets import sock_required

from ..conftest import bearer
from .frameworks import findings, make_app

# --- decorators -----------------------------------------------------------------------------------------------------


def passes_on(view: Any) -> Any:
    """A decorator of the application."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return current_app.ensure_sync(view)(*args, **kwargs)

    return wrapper


def remembers(view: Any) -> Any:
    """A cache."""
    kept: list[Any] = []

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not kept:
            kept.append(current_app.ensure_sync(view)(*args, **kwargs))
        return kept[0]

    return wrapper


def never_calls(view: Any) -> Any:
    """A stub that looks like the view."""

    @functools.wraps(view)
    def wrapper(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    return wrapper


DECORATORS: dict[str, Any] = {
    "required": jwt_required(),
    "refresh": jwt_required(refresh=True),
    "optional": jwt_required(optional=True),
    "passes on": passes_on,
    "remembers": remembers,
    "never calls": never_calls,
    "partial": functools.partial,
}
#: From the inside to the outside.
STACKS = st.lists(st.sampled_from(sorted(DECORATORS)), max_size=2).filter(
    lambda names: {"refresh", "required"} - {*names}
)


def decorate(view: Any, names: list[str]) -> Any:
    return functools.reduce(lambda inner, name: DECORATORS[name](inner), names, view)


def member(view: Any) -> Any:
    """A member of a class. From 3.13 on, Python warns about partial functions, which will become methods."""
    return staticmethod(view) if isinstance(view, functools.partial) else view


# --- views ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """A random view.

    :ivar kind: one of ``KINDS``
    :ivar stack: its decorators
    :ivar place: where those of a class are
    :ivar exempt: whether it is exempt, itself or as a class
    :ivar home: where it is registered
    """

    kind: str
    stack: tuple[str, ...]
    place: str
    exempt: bool
    home: str


def function(spec: Spec) -> Any:
    def view(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    async def coroutine(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    inner = coroutine if spec.kind == "coroutine" else view
    return decorate(jwt_exempt(inner) if spec.exempt else inner, list(spec.stack))


def class_of(spec: Spec, base: Any, **more: Any) -> Any:
    """A class with `get`, or with the `dispatch_request` of a `View`, decorated as specified."""

    def answer(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    def head(*_args: Any, **_kwargs: Any) -> Any:
        return {}

    name = "dispatch_request" if base is View else "get"
    stack = [DECORATORS[each] for each in spec.stack]
    members: dict[str, Any] = {name: answer, **more}
    if spec.place == "method":
        members[name] = member(decorate(answer, list(spec.stack)))
    elif spec.place == "other method":
        members["head" if base is not View else "get"] = member(decorate(head, list(spec.stack)))
    else:
        members[spec.place] = stack
    made = type("Orders", (base,), members)
    made = jwt_exempt(made) if spec.exempt else made
    return type("Derived", (made,), {}) if spec.place == "decorators" and spec.kind.endswith("subclass") else made


def add(spec: Spec, app: Flask, target: Any, number: int, apis: dict[Any, Any]) -> None:
    """Add a view to an application or a blueprint, as its framework does it."""
    path, name = f"/v{number}", f"v{number}"
    if spec.kind in ("function", "coroutine"):
        view = function(spec)
        if spec.kind == "coroutine" and not isinstance(view, functools.partial):
            view.__name__ = name
        target.add_url_rule(path, name, view)
    elif spec.kind == "handles options":
        target.add_url_rule(path, name, function(spec), methods=["GET", "OPTIONS"])
    elif spec.kind == "called object":
        target.add_url_rule(path, name, type("Called", (), {"__call__": member(function(spec)), "__name__": name})())
    elif spec.kind in ("method view", "method view subclass", "view", "one object", "calls super", "answers itself"):
        target.add_url_rule(path, view_func=_flask_class(spec).as_view(name))
    elif spec.kind in ("restful", "restx"):
        library = flask_restful if spec.kind == "restful" else flask_restx
        key = spec.kind, spec.home
        if key not in apis:
            arguments: dict[str, Any] = {"doc": False, "add_specs": False} if spec.kind == "restx" else {}
            apis[key] = library.Api(target, prefix="/api", **arguments)
        apis[key].add_resource(class_of(spec, library.Resource), path, endpoint=name)
    elif spec.kind == "route of a class":
        target.route(path, endpoint=name)(class_of(spec, MethodView))
    elif spec.kind == "documented":
        target.route(path, endpoint=name)(
            target.response(200)(_plain(function(spec)))
            if hasattr(target, "response")
            else target.output({}, status_code=200)(_plain(function(spec)))
        )
    elif spec.kind == "above its route":
        outer = Spec("function", (), spec.place, spec.exempt, spec.home)
        decorate(target.route(path, endpoint=name)(function(outer)), list(spec.stack))
    elif spec.kind == "socket":
        handler = sock_required()(lambda ws: None) if spec.exempt else decorate(lambda ws: None, list(spec.stack))
        flask_sock.Sock(app).route(path, bp=None if target is app else target, endpoint=name)(_plain(handler))


class Socket:
    """A connection, as far as flask-sock needs it, since the test client has no sockets.

    :cvar refusals: the reasons for which it was closed
    """

    mode = "werkzeug"
    refusals: ClassVar[list[Any]] = []

    def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

    def receive(self) -> None: ...

    def close(self, *reason: Any) -> None:
        self.refusals.extend(reason)


def _plain(view: Any) -> Any:
    """The function in a partial: those libraries take no partial functions."""
    return (
        view
        if not isinstance(view, functools.partial)
        else view.func
        if not isinstance(view.func, functools.partial)
        else view.func.func
    )


def _flask_class(spec: Spec) -> Any:
    if spec.kind == "view":
        return class_of(spec, View)
    if spec.kind == "calls super":
        return class_of(
            spec, MethodView, dispatch_request=lambda self, **kwargs: MethodView.dispatch_request(self, **kwargs)
        )
    if spec.kind == "answers itself":
        return class_of(spec, MethodView, dispatch_request=lambda self, **_kwargs: {})
    return class_of(spec, MethodView, **({"init_every_request": False} if spec.kind == "one object" else {}))


FLASK = ["function", "coroutine", "method view", "method view subclass", "view", "one object", "calls super"]
KINDS = [*FLASK, "handles options", "called object", "answers itself", "restful", "restx", "above its route", "socket"]
HOMES = ["app", "outer", "inner", "innermost", "public", "renamed"]

specs = st.builds(
    Spec,
    kind=st.sampled_from([*KINDS, "route of a class", "documented"]),
    stack=STACKS.map(tuple),
    place=st.sampled_from(["method", "method", "other method", "decorators", "method_decorators"]),
    exempt=st.booleans(),
    home=st.sampled_from(HOMES),
)


@dataclass(frozen=True)
class Plan:
    """A random application."""

    views: list[Spec]
    flavour: str
    protect: str
    hook: tuple[str, str] | None
    is_late: bool


plans = st.builds(
    Plan,
    views=st.lists(specs, min_size=1, max_size=6),
    flavour=st.sampled_from(["flask", "apiflask", "smorest"]),
    protect=st.sampled_from(["nothing", "app", "app but public", "outer", "inner", "innermost", "renamed"]),
    hook=st.none() | st.tuples(st.sampled_from(HOMES), st.sampled_from(["required", "optional", "remembers"])),
    is_late=st.booleans(),
)


def build(plan: Plan) -> Flask:
    """Make an application. A blueprint of Flask takes the kinds of views that a framework does not."""
    flavours: dict[str, Any] = {
        "flask": (Flask, Blueprint),
        "apiflask": (apiflask.APIFlask, apiflask.APIBlueprint),
        "smorest": (Flask, flask_smorest.Blueprint),
    }
    base, blueprint = flavours[plan.flavour]
    made: Flask = base("app", static_folder=None)
    app, jwt = make_app(made)
    app.config.update(API_TITLE="x", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    homes: dict[str, Any] = {name: blueprint(name, name, url_prefix=f"/{name}") for name in HOMES[1:]}
    homes["public"] = blueprint("inner", "inner", url_prefix="/public")  # named as the nested one is
    homes["app"] = app
    targets: dict[str, Any] = {"app": [(app, {})], "app but public": [(app, {"exempt": "inner.*"})], "nothing": []}
    chosen = targets.get(plan.protect) or [(homes[plan.protect], {})] if plan.protect != "nothing" else []
    if not plan.is_late:
        _protect(jwt, chosen)
    _fill(plan, app, homes)
    if plan.is_late:
        _protect(jwt, chosen)
    if plan.hook:
        hook = decorate(lambda: None, [plan.hook[1]] if plan.hook[1] != "remembers" else ["required", "remembers"])
        homes[plan.hook[0]].before_request(hook)
    homes["inner"].register_blueprint(homes["innermost"])
    homes["outer"].register_blueprint(homes["inner"])
    for name, options in (("outer", {}), ("public", {}), ("renamed", {"name": "other"})):
        app.register_blueprint(homes[name], **options)
    return app


def _protect(jwt: JWTManager, chosen: list[Any]) -> None:
    for target, arguments in chosen:
        jwt.protect(target, **arguments)


def _fill(plan: Plan, app: Flask, homes: dict[str, Any]) -> None:
    apis: dict[Any, Any] = {}
    for number, spec in enumerate(plan.views):
        target = homes[spec.home]
        if spec.kind in ("documented", "route of a class") and not _takes(spec, target):
            continue
        add(spec, app, target, number, apis)


def _takes(spec: Spec, target: Any) -> bool:
    if isinstance(target, (apiflask.APIFlask, apiflask.APIBlueprint)):
        return True
    return isinstance(target, flask_smorest.Blueprint)


# --- what a client gets ---------------------------------------------------------------------------------------------

HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}


def gets_in(app: Flask, route: Route, token: str | None) -> bool:
    """Whether a request passes. A WebSocket that is closed for a reason does not."""
    rule = next(each for each in app.url_map.iter_rules(route.endpoint) if each.rule == route.rule)
    path = route.rule.replace("<path:filename>", "swagger-ui.css")
    headers = ({} if token is None else bearer(token)) | (HANDSHAKE if rule.websocket else {})
    Socket.refusals.clear()
    with mock.patch("flask_sock.Server", Socket):
        response = app.test_client().open(path, method=route.method, headers=headers)
    response.close()
    return response.status_code < 400 and not Socket.refusals


@settings(max_examples=150, deadline=None)
@given(plans)
def test_the_audit_the_check_and_the_client_agree(plan: Plan) -> None:
    """On every route, also after good requests that a cache may remember."""
    app = build(plan)
    listed = routes(app)
    # flask-restx answers one of these with 404, and the other with 500 if its blueprint has another name.
    before = [each for each in listed if not each.endpoint.endswith(("root", "specs"))]
    found = findings(app)
    with app.app_context():
        access, refresh = create_access_token("ada", fresh=True), create_refresh_token("ada")
    for route in before:
        note(f"{route}")
        is_socket = any(each.websocket for each in app.url_map.iter_rules(route.endpoint))
        good = {gets_in(app, route, token) for token in (access, refresh)} != {False}
        anonymous = gets_in(app, route, None)
        codes = {each.code for each in found if route.rule in each.message.split(": ")[0].split(", ")}
        note(f"{good=} {anonymous=} {codes}")
        # A hook or a second decorator may require an access token where a refresh token is required, too.
        assert good or is_socket or "refresh" in route.requirements
        if route.guard in ("none", "exempt"):
            # The handshake of the test client fails after the check, so that a cache around a hook remembers nothing.
            assert anonymous or (is_socket and plan.hook is not None and plan.hook[1] == "remembers")
        elif route.guard in ("decorator", "default", "hook"):
            assert not anonymous or all("or none" in each for each in route.requirements.split("; "))
        assert anonymous or "unprotected_view" not in codes
        assert route.guard != "below" or "covered_decorator" in codes
    assert (routes(app), findings(app)) == (listed, found)
