"""The audit of routes as an application uses it. What it finds is tested in tests/_protection."""

from __future__ import annotations

import pytest
from flask import Flask

from flask_jwt_extended import JWTManager, jwt_exempt, jwt_required
from flask_jwt_extended.audit import Route, routes

from .conftest import SECRET


@pytest.fixture
def shop() -> Flask:
    """An application with a protected, a public and an unprotected view."""
    app = Flask("shop", static_folder=None)
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app)
    app.add_url_rule("/", "index", lambda: "x")
    app.add_url_rule("/health", "health", jwt_exempt(lambda: "x"))
    app.add_url_rule("/pay", "pay", jwt_required(fresh=True)(lambda: "x"), methods=["POST"])
    return app


def test_the_routes_of_an_application_are_listed(shop: Flask) -> None:
    """For the application that is given, or the current one."""
    listed = [
        Route("/", "GET", "index", "none", "nothing"),
        Route("/health", "GET", "health", "exempt", "public (exempt)"),
        Route("/pay", "POST", "pay", "decorator", "fresh access token"),
    ]
    assert routes(shop) == listed
    with shop.app_context():
        assert routes() == listed
    assert [route.is_unprotected for route in listed] == [True, False, False]


def test_without_an_application_there_is_an_error() -> None:
    """As everywhere in Flask."""
    with pytest.raises(RuntimeError, match="application context"):
        routes()
