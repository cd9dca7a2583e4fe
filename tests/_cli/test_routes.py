"""``flask jwt routes``: what is printed, what CI stops on, and what a snapshot finds."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.views import MethodView

from flask_jwt_extended import JWTManager, all_of, jwt_exempt, jwt_required

from ..conftest import SECRET
from .helpers import BARE_VIEW, FIXED, run, run_module, write


@pytest.fixture
def shop() -> Flask:
    """An application with a route of each kind."""
    app = Flask("shop", static_folder=None)
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_PROFILE="strict")
    JWTManager(app)
    app.add_url_rule("/", "index", lambda: "x")
    app.add_url_rule("/health", "health", jwt_exempt(lambda: "x"))
    app.add_url_rule("/refresh", "refresh", jwt_required(refresh=True)(lambda: "x"), methods=["POST"])

    class Orders(MethodView):
        @jwt_required(scopes=["orders:read", "orders:write"], optional="if-valid")
        def get(self) -> str:
            return "x"

        @jwt_required(fresh=True, scopes=all_of("orders:write", "pay"), roles="clerk", max_age=timedelta(minutes=5))
        def post(self) -> str:
            return "x"

        @jwt_required(token_type="cancel", acr=["gold", "mfa"], report_only=True)
        def delete(self) -> str:
            return "x"

    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    return app


TABLE = """\
method  rule      guard      requires                                                                                              endpoint
GET     /         none       nothing                                                                                               index
GET     /health   exempt     public (exempt)                                                                                       health
DELETE  /orders   decorator  cancel token, acr gold or mfa, reported only                                                          orders
GET     /orders   decorator  access token, scope orders:read or orders:write, or none, if it is not valid                          orders
POST    /orders   decorator  fresh access token, scope orders:write and pay, role clerk, authenticated within 5 minutes            orders
POST    /refresh  decorator  refresh token                                                                                         refresh
6 routes, 1 unprotected
"""  # noqa: E501  # as wide as it is printed


def test_every_route_is_listed_with_its_requirements(shop: Flask) -> None:
    """As text, ordered by rule."""
    printed = run(shop, "routes").stdout
    assert [line.split() for line in printed.splitlines()] == [line.split() for line in TABLE.splitlines()]


def test_an_unprotected_route_can_stop_ci(shop: Flask) -> None:
    """Only with the option, and only for a route that is not exempt."""
    assert run(shop, "routes").exit_code == 0
    assert run(shop, "routes", "--fail-on-unprotected").exit_code == 1
    shop.view_functions["index"] = jwt_exempt(shop.view_functions["index"])
    assert run(shop, "routes", "--fail-on-unprotected").exit_code == 0


def test_a_snapshot_finds_what_has_changed(shop: Flask, tmp_path: Path) -> None:
    """A new route, a removed one, and one that requires less."""
    snapshot = tmp_path / "routes.json"
    snapshot.write_text(run(shop, "routes", "--json").stdout)
    assert len(json.loads(snapshot.read_text())) == 6
    same = run(shop, "routes", "--snapshot", str(snapshot))
    assert (same.exit_code, same.stdout) == (0, "")
    shop.view_functions["refresh"] = lambda: "x"
    shop.add_url_rule("/new", "new", jwt_required()(lambda: "x"))
    changed = run(shop, "routes", "--snapshot", str(snapshot))
    assert changed.exit_code == 1
    lines = [line for line in changed.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert lines == [
        "+GET /new (new): decorator, access token",
        "-POST /refresh (refresh): decorator, refresh token",
        "+POST /refresh (refresh): none, nothing",
    ]


@pytest.mark.parametrize("content", ["", "{}", "[5]", '[{"rule": "/"}]', "null"])
def test_an_invalid_snapshot_is_an_error(shop: Flask, tmp_path: Path, content: str) -> None:
    """One line says how to make a snapshot."""
    (tmp_path / "routes.json").write_text(content)
    result = run(shop, "routes", "--snapshot", str(tmp_path / "routes.json"))
    assert result.exit_code == 1
    assert "flask jwt routes --json makes one" in result.stderr if content != "{}" else result.stderr == ""


def test_a_decorator_above_its_route_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view that is served requires nothing."""
    write(tmp_path, FIXED + BARE_VIEW)
    done = run_module(monkeypatch, tmp_path, "routes", "--fail-on-unprotected", "--json")
    assert done.exit_code == 1
    assert {route["rule"]: route["guard"] for route in json.loads(done.stdout)}["/reports"] == "none"
