# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""The OpenAPI documents of flask-smorest, apispec and APIFlask show what each operation requires."""

from __future__ import annotations

from typing import Any

import apiflask
import apispec
import flask_smorest
import pytest
from flask import Flask
from flask.views import MethodView

from flask_jwt_extended import JWTManager, all_of, jwt_exempt, jwt_required
from flask_jwt_extended.openapi import add_security, document_security

from .conftest import SECRET

BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
REFUSED = {"description": "The token is missing or invalid"}


def configure(app: Flask, **options: Any) -> JWTManager:
    app.config.update({f"JWT_{name}": value for name, value in ({"SECRET_KEY": SECRET} | options).items()})
    return JWTManager(app)


def smorest(version: str = "3.1.0", **options: Any) -> tuple[Flask, flask_smorest.Api]:
    """An application with operations of every kind, documented by flask-smorest."""
    app = Flask("shop")
    jwt = configure(app, **options)
    app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION=version)
    app.config.update(OPENAPI_URL_PREFIX="/", OPENAPI_JSON_PATH="openapi.json")
    jwt.protect(app, exempt=["api-docs.*"])
    api = flask_smorest.Api(app)
    document_security(api, app)
    shop = flask_smorest.Blueprint("shop", "shop")

    @shop.route("/orders/<int:order_id>")
    class Order(MethodView):
        @shop.response(200)
        def get(self, order_id: int) -> dict[str, int]:
            return {"order": order_id}

        @shop.response(200)
        @jwt_required(scopes=all_of("orders:write", "orders:read"), roles="clerk")
        def put(self, order_id: int) -> dict[str, int]:
            return {"order": order_id}

    @shop.route("/news")
    @shop.response(200)
    @jwt_required(optional=True)
    def news() -> dict[str, str]:
        return {}

    @shop.route("/health")
    @shop.response(200)
    @jwt_exempt
    def health() -> dict[str, str]:
        return {}

    api.register_blueprint(shop)
    return app, api


def served(app: Flask) -> Any:
    return app.test_client().get("/openapi.json").get_json()


def test_flask_smorest() -> None:
    """The schemes, and the requirements and refusals of each operation."""
    app, _ = smorest()
    document = served(app)
    assert document["components"]["securitySchemes"] == {"jwt": BEARER}
    order, news, health = (document["paths"][path] for path in ("/orders/{order_id}", "/news", "/health"))
    assert order["get"]["security"] == [{"jwt": []}]
    assert order["get"]["responses"]["401"] == REFUSED
    assert "403" not in order["get"]["responses"]
    assert order["put"]["security"] == [{"jwt": ["orders:read", "orders:write"]}]
    lacks = "The token lacks scope orders:read and orders:write, role clerk"
    assert order["put"]["responses"]["403"] == {"description": lacks}
    assert news["get"]["security"] == [{"jwt": []}, {}]
    assert "security" not in health["get"]
    assert "401" not in health["get"]["responses"]
    assert served(app) == document


def test_before_openapi_3_1_scopes_are_in_the_description_only() -> None:
    """A bearer scheme could not name scopes."""
    app, _ = smorest("3.0.3")
    put = served(app)["paths"]["/orders/{order_id}"]["put"]
    assert put["security"] == [{"jwt": []}]
    assert "orders:write" in put["responses"]["403"]["description"]


def test_each_location_has_a_scheme() -> None:
    """Any of them is enough. OpenAPI has no scheme for a JSON body."""
    app, _ = smorest(TOKEN_LOCATION=["cookies", "query_string", "json", "headers"])
    document = served(app)
    assert document["components"]["securitySchemes"] == {
        "jwt": BEARER,
        "jwt_cookies": {"type": "apiKey", "in": "cookie", "name": "access_token_cookie"},
        "jwt_query_string": {"type": "apiKey", "in": "query", "name": "jwt"},
    }
    security = document["paths"]["/news"]["get"]["security"]
    assert security == [{"jwt_cookies": []}, {"jwt_query_string": []}, {"jwt": []}, {}]


def test_another_header_is_an_api_key() -> None:
    """A bearer scheme is the Authorization header by definition."""
    app, _ = smorest(HEADER_NAME="X-Token")
    scheme = {"type": "apiKey", "in": "header", "name": "X-Token"}
    assert served(app)["components"]["securitySchemes"] == {"jwt": scheme}


@pytest.mark.parametrize("as_object", [False, True])
def test_apiflask(as_object: bool) -> None:
    """With views that are added later, and after the application's own processor."""
    app = apiflask.APIFlask("shop")
    configure(app)
    app.config["SPEC_PROCESSOR_PASS_OBJECT"] = as_object
    seen: list[Any] = []

    @app.spec_processor
    def own(spec: Any) -> Any:
        seen.append(spec)
        return spec

    document_security(app, app)

    @app.get("/orders/<int:order_id>")
    @app.output({}, status_code=200)
    @jwt_required(scopes="orders:read")
    def order(order_id: int) -> dict[str, int]:
        return {"order": order_id}

    @app.get("/open")
    @app.output({}, status_code=200)
    def open_() -> dict[str, int]:
        return {}

    document = served(app)
    assert document["components"]["securitySchemes"] == {"jwt": BEARER}
    assert document["paths"]["/orders/{order_id}"]["get"]["security"][0].keys() == {"jwt"}
    assert "403" in document["paths"]["/orders/{order_id}"]["get"]["responses"]
    assert "security" not in document["paths"]["/open"]["get"]
    assert len(seen) == 1


def test_an_apispec() -> None:
    """What the document already has stays."""
    app = Flask("shop")
    configure(app)
    app.add_url_rule("/a/<x>/<path:y>", "a", jwt_required()(lambda x, y: x + y))
    spec = apispec.APISpec("Shop", "1", "3.1.0")
    document_security(spec, app)
    mine = {"description": "Log in at the counter"}
    spec.path("/a/{x}/{y}", operations={"get": {"responses": {"401": mine}, "security": []}})
    operation = spec.to_dict()["paths"]["/a/{x}/{y}"]["get"]
    assert operation["responses"]["401"] == mine
    assert operation["security"] == []


def test_a_mapping() -> None:
    """As flask-openapi and others make it. Operations that are not routes stay as they are."""
    app = Flask("shop")
    configure(app)
    app.add_url_rule("/a", "a", jwt_required()(lambda: "x"))
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "paths": {"/a": {"get": {}, "summary": "x"}, "/elsewhere": {"get": {}}},
    }
    document_security(document, app)
    assert document["paths"]["/a"]["get"] == {"security": [{"jwt": []}], "responses": {"401": REFUSED}}
    assert document["paths"]["/elsewhere"]["get"] == {}
    assert add_security({}, app)["components"]["securitySchemes"] == {"jwt": BEARER}


@pytest.mark.parametrize("target", [5, None, "openapi.json", object()])
def test_another_object_is_an_error(target: Any) -> None:
    """The message names its type."""
    app = Flask("shop")
    configure(app)
    with pytest.raises(TypeError, match=f"got a {type(target).__name__}: pass the Api"):
        document_security(target, app)
