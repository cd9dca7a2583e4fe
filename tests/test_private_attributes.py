"""Private attributes of other libraries that this package uses: all of them, each with its reason.

A row fails when its library no longer has the attribute. Code that uses an attribute without a row fails too: use a
public way instead, or add a row. Delete the row of an attribute that is not used any more.
"""

from __future__ import annotations

import ast
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import flask_restful
import flask_restx
import jwt
import pymysql  # type: ignore[import-untyped]  # it has no types
import pytest
import redis
from flask import Flask
from flask.views import View
from socketio.exceptions import ConnectionRefusedError as ConnectionRefused

import flask_jwt_extended

PACKAGE = Path(flask_jwt_extended.__file__).parent
MODULES = [(path.relative_to(PACKAGE).parts[0], ast.parse(path.read_text())) for path in PACKAGE.rglob("*.py")]


class Row(NamedTuple):
    """An attribute of a library.

    :ivar places: the folders and top-level modules of this package that use it
    :ivar has: returns whether the installed library still has it
    """

    library: str
    name: str
    places: tuple[str, ...]
    reason: str
    has: Callable[[], bool]


def flask_has(name: str) -> Callable[[], bool]:
    return lambda: hasattr(Flask("app"), name)


def apis_have(name: str) -> Callable[[], bool]:
    return lambda: all(hasattr(library.Api(Flask("app")), name) for library in (flask_restful, flask_restx))


def redis_has(name: str) -> Callable[[], bool]:
    connection: Any = redis.Connection
    return lambda: hasattr(connection(), name)


def pymysql_has(name: str) -> Callable[[], bool]:
    connection: Any = pymysql.connections.Connection
    return lambda: hasattr(connection(defer_connect=True), name)


def api_replaces_handler() -> bool:
    """Both libraries assign ``app.handle_user_exception``."""
    apps = [Flask("restful"), Flask("restx")]
    flask_restful.Api(apps[0])
    flask_restx.Api(apps[1])
    return all("handle_user_exception" in vars(app) for app in apps)


def static_view() -> Any:
    return Flask("app", static_folder="static").view_functions["static"]


def views_close_over_their_class() -> bool:
    """A view function of Flask has its object in ``self``, or is in ``view`` itself."""
    own: Any = type("Own", (View,), {"dispatch_request": lambda _self: ""})
    each = own.as_view("each")
    own.init_every_request = False
    once = own.as_view("once")
    return "self" in once.__code__.co_freevars and "view" in each.__code__.co_freevars


def resources_name_their_decorators() -> bool:
    """``dispatch_request`` of both libraries looks the method up and applies ``method_decorators``."""
    names = [library.Resource.dispatch_request.__code__.co_names for library in (flask_restful, flask_restx)]
    return all({"getattr", "method_decorators"} <= set(each) for each in names) and "Mapping" in names[0]


def sockets_have(name: str) -> Callable[[], bool]:
    def has() -> bool:
        here, there = socket.socketpair()
        with here, there, here.makefile("rb") as file:
            return hasattr(file.raw, name)

    return has


TABLE = [
    Row(
        *("Flask", "_check_setup_finished", ("_protection",)),
        "jwt.protect after the first request raises the error of Flask's set-up methods. Flask has no public check.",
        flask_has("_check_setup_finished"),
    ),
    Row(
        *("Flask", "before_request_funcs", ("_setup.py", "_protection")),
        "The check before the first request removes itself; the audit finds hooks that verify. Flask lists no hooks.",
        flask_has("before_request_funcs"),
    ),
    Row(
        *("Flask", "error_handler_spec", ("_request",)),
        "Handlers for rare errors are registered during a request, when app.errorhandler refuses.",
        flask_has("error_handler_spec"),
    ),
    Row(
        *("Flask", "view_functions", ("_protection",)),
        "Default-deny replaces the mapping, so that it guards views however they are registered.",
        flask_has("view_functions"),
    ),
    Row(
        *("Flask", "co_names", ("_protection",)),
        "The view of static files is a lambda in flask.app: only the names in its code tell it from other views.",
        lambda: "send_static_file" in static_view().__code__.co_names,
    ),
    Row(
        *("Flask", "co_freevars", ("_protection",)),
        "The class of a view whose decorators hide view_class is in the closure of the function that as_view makes.",
        views_close_over_their_class,
    ),
    Row(
        *("Flask", "__class__", ("_protection",)),
        "An application gets a subclass of its class with view_functions as a property: Flask has no hook for views.",
        lambda: "view_functions" in vars(Flask("app")),
    ),
    Row(
        *("flask-restful, flask-restx", "__class__", ("_request",)),
        "The error gets a subclass of its class that an Api re-raises: an Api answers other errors with 500.",
        apis_have("handle_error"),
    ),
    Row(
        *("python-socketio", "__class__", ("_protection",)),
        "The error becomes a ConnectionRefusedError too, the only error that python-socketio handles.",
        lambda: hasattr(ConnectionRefused(), "error_args"),
    ),
    Row(
        *("flask-restful, flask-restx", "handle_user_exception", ("_request",)),
        "An Api replaces this method of the application; errors change their class only in such an application.",
        api_replaces_handler,
    ),
    Row(
        *("flask-restful, flask-restx", "error_router", ("_request",)),
        "The name of the function that catches errors for an Api: the search for the Api ends there.",
        apis_have("error_router"),
    ),
    Row(
        *("flask-restful, flask-restx", "handle_error", ("_request",)),
        "The name of the function that answers errors for an Api: its self is the Api.",
        apis_have("handle_error"),
    ),
    Row(
        *("flask-restful, flask-restx", "co_names", ("_protection",)),
        "The names in the code of dispatch_request tell whether it applies method_decorators.",
        resources_name_their_decorators,
    ),
    Row(
        *("flask-restx", "_default_error_handler", ("_request",)),
        "An Api with a bare @api.errorhandler answers itself; its other handlers are public, this one is not.",
        lambda: hasattr(flask_restx.Api(Flask("app")), "_default_error_handler"),
    ),
    Row(
        *("gevent", "_sock", ("_protection",)),
        "gevent.pywsgi does not pass the socket of a request to the application under any other name.",
        sockets_have("_sock"),
    ),
    Row(
        *("PyJWT", "_jwk_data", ("_jose",)),
        "A PyJWK has no public way to its key_ops, and decodes more leniently than RFC 7518.",
        lambda: hasattr(jwt.PyJWK({"kty": "oct", "k": "AAAA"}, "HS256"), "_jwk_data"),
    ),
    # --- drivers of stores ---
    Row(
        *("redis-py", "_connect", ("stores",)),
        "The deadline of an operation applies to its socket as soon as there is one.",
        redis_has("_connect"),
    ),
    Row(
        *("redis-py", "_sock", ("stores",)),
        "The deadline of an operation ends by a shutdown of the socket.",
        redis_has("_sock"),
    ),
    Row(
        *("PyMySQL", "_sock", ("stores",)),
        "The deadline of an operation ends by a shutdown of the socket; PyMySQL has no fileno.",
        pymysql_has("_sock"),
    ),
]

#: Names with an underscore that their libraries document as public.
PUBLIC = {"_get_current_object", "_asdict", "_replace", "_fields", "_getframe", "_exit"}
#: Names without one that their libraries call internal, or do not document.
INTERNAL = {
    *("before_request_funcs", "error_handler_spec", "co_freevars", "co_names"),
    *("handle_user_exception", "error_router", "handle_error", "_has_fr_route", "_converters"),
}
#: The same, of names that may be read.
INTERNAL_TO_SET = {"__class__", "view_functions"}
BY_NAME = {"getattr", "hasattr", "setattr", "delattr"}


def own_names() -> set[str]:
    """The private names that this package defines itself."""
    found: set[str] = set()
    for node in (node for _, tree in MODULES for node in ast.walk(tree)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own_object(node.value):
            found.add(node.attr)
    return found


def is_own_object(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def uses(tree: ast.Module, own: set[str]) -> Iterator[str]:
    """The private names of other libraries in a module. Names that begin with ``_jwt_`` are ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_own = node.attr.startswith("_jwt_") or (node.attr in own and ast.unparse(node.value) != "super()")
            is_private = node.attr.startswith("_") and not node.attr.endswith("__") and not is_own
            is_set = node.attr in INTERNAL_TO_SET and isinstance(node.ctx, ast.Store)
            if is_private or is_set or node.attr in INTERNAL:
                yield node.attr
        elif isinstance(node, ast.Constant) and node.value in INTERNAL:
            yield str(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else ""
            if str(name).startswith("_") and not str(name).startswith("__") and name not in own:
                yield str(name)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.library} {row.name}")
def test_the_installed_library_has_the_attribute(row: Row) -> None:
    """A release that renames one is noticed here, not in an application."""
    assert row.has()
    assert row.reason.endswith(".")


def test_the_table_lists_all_private_attributes_in_use() -> None:
    """No module uses another one, and no row is out of date."""
    own = own_names()
    found = {(place, name) for place, tree in MODULES for name in uses(tree, own) if name not in PUBLIC}
    found -= {("view_decorators.py", "__class__")}  # its own class, a documented way to customize a module
    assert found == {(place, row.name) for row in TABLE for place in row.places}
