# mypy: disable-error-code="import-untyped,misc,untyped-decorator,no-any-return,attr-defined"
# The libraries have no types.
"""What the tests of protection share: applications, requests, and what the audit and the check report."""

from __future__ import annotations

from typing import Any

import flask_restx
from flask import Flask
from werkzeug.test import TestResponse

from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import check
from flask_jwt_extended._diagnostics.routes import Route, routes
from flask_jwt_extended.stores.findings import Finding

from ..conftest import SECRET, bearer

#: Its types know no `doc=False`.
RestxApi: Any = flask_restx.Api


def make_app(app: Flask | None = None, **options: Any) -> tuple[Flask, JWTManager]:
    """An application with a manager; without static files unless one is given."""
    app = app or Flask("app", static_folder=None)
    app.config.update({f"JWT_{name}": value for name, value in ({"SECRET_KEY": SECRET} | options).items()})
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app, JWTManager(app)


def make_protected(**arguments: Any) -> Flask:
    """An application that is protected by default, with these arguments of `jwt.protect`."""
    app, jwt = make_app()
    jwt.protect(app, **arguments)
    return app


def send(app: Flask, path: str, token: str | None = None, method: str = "GET", **arguments: Any) -> TestResponse:
    """The response to a request with a token of this type (access, refresh), or without a token."""
    headers = dict(arguments.pop("headers", {}))
    if token is not None:
        with app.app_context():
            headers |= bearer((create_refresh_token if token == "refresh" else create_access_token)("ada"))
    response = app.test_client().open(path, method=method, headers=headers, **arguments)
    response.close()  # static files are open files
    return response


def status(app: Flask, path: str, token: str | None = None, method: str = "GET", **arguments: Any) -> int:
    return send(app, path, token, method, **arguments).status_code


def statuses(app: Flask, path: str, method: str = "GET", kind: str = "access") -> tuple[int, int]:
    """The status for a request without a token, and with one."""
    return status(app, path, None, method), status(app, path, kind, method)


def route_of(app: Flask, rule: str, method: str = "GET") -> Route:
    (found,) = [each for each in routes(app) if (each.rule, each.method) == (rule, method)]
    return found


def findings(app: Flask) -> list[Finding]:
    """What `flask jwt check` reports about the views of an application."""
    codes = {
        "unprotected_view",
        "unenforced_decorator",
        "covered_decorator",
        "unused_exemption",
        "exempts_everything",
    }
    return [finding for finding in check(app, get_state(app)) if finding.code in codes]


def codes(app: Flask) -> set[str]:
    return {finding.code for finding in findings(app)}
