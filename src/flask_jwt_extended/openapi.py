"""OpenAPI: the security schemes of an application, and what each operation requires, from the decorators themselves.

It completes documents that other libraries made, and overwrites nothing in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any

from flask import Flask

from ._context import get_state
from ._diagnostics.routes import routes
from ._protection.decisions import decide
from ._request.policy import Policy
from ._settings.settings import Settings

Document = MutableMapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
#: The variable part of a rule, with its converter: ``<int(min=1):order_id>``.
_VARIABLE = re.compile(r"<(?:[^<>:]+(?:\([^()]*\))?:)?([^<>:]+)>")
_BEARER = "jwt"


def document_security(target: Any, app: Flask) -> None:
    """Add what ``jwt_required`` and ``protect`` require to the OpenAPI document of an application.

    :param target: the ``Api`` of flask-smorest, an ``APISpec``, an ``APIFlask`` application, or a complete document
    :param app: the application; its views may be added later, unless the document is complete
    :raises TypeError: if the target is of another type

    .. versionadded:: 5.0
    """
    if hasattr(target, "spec_processor"):
        _process(target, app)
        return
    spec = target.spec if hasattr(target, "register_blueprint") else target
    if isinstance(spec, MutableMapping):
        add_security(spec, app)
    elif hasattr(spec, "to_dict"):
        write = spec.to_dict
        spec.to_dict = lambda: add_security(write(), app)
    else:
        raise TypeError(
            f"document_security got a {type(target).__name__}: pass the Api of flask-smorest, an APISpec, an APIFlask "
            "application, or a document as a mapping"
        )


def _process(target: Any, app: Flask) -> None:
    """Have an ``APIFlask`` application add this after its own processor."""
    before = target.spec_callback

    def add_to(spec: Any) -> Any:
        spec = before(spec) if before else spec
        document_security(spec, app)
        return spec

    target.spec_processor(add_to)


def add_security(document: Document, app: Flask) -> Document:
    """Add the security schemes to a document, and to each operation its requirements and refusals.

    :param document: the document, as a mapping
    :return: the same document

    .. versionadded:: 5.0
    """
    settings = get_state(app).settings
    known = {(_path(route.rule), route.method.lower()): route for route in routes(app)}
    for path, method, operation in _operations(document):
        route = known.get((path, method))
        policies = decide(app, route.endpoint, route.method).policies if route is not None else ()
        if policies:
            _describe(operation, policies[0], settings, str(document.get("openapi", "")))
    components = document.setdefault("components", {})
    schemes = components.setdefault("securitySchemes", {})
    for name, scheme in _schemes(settings).items():
        schemes.setdefault(name, scheme)
    return document


def _operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document.get("paths", {}).items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _path(rule: str) -> str:
    """Return a rule as OpenAPI writes it: ``/orders/{order_id}``."""
    return _VARIABLE.sub(r"{\1}", rule)


def _schemes(settings: Settings) -> dict[str, Document]:
    """Return the locations of tokens as security schemes. OpenAPI has none for a JSON body."""
    schemes: dict[str, Document] = {
        "headers": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        if settings.header_name.lower() == "authorization"
        else {"type": "apiKey", "in": "header", "name": settings.header_name},
        "cookies": {"type": "apiKey", "in": "cookie", "name": settings.access.cookie_name},
        "query_string": {"type": "apiKey", "in": "query", "name": settings.query_string_name},
    }
    return {_name(location): schemes[location] for location in settings.token_location if location in schemes}


def _name(location: str) -> str:
    return _BEARER if location == "headers" else f"{_BEARER}_{location}"


def _describe(operation: Document, policy: Policy, settings: Settings, version: str) -> None:
    locations = [each for each in policy.locations or settings.token_location if each != "json"]
    # Before 3.1, only schemes of OAuth 2.0 can name scopes.
    scopes = sorted(policy.scopes.names) if policy.scopes and not version.startswith(("2", "3.0")) else []
    security: list[Document] = [{_name(location): scopes} for location in locations]
    operation.setdefault("security", security + ([{}] if policy.optional else []))
    responses = operation.setdefault("responses", {})
    responses.setdefault("401", {"description": "The token is missing or invalid"})
    if policy.scopes or policy.roles:
        required = (("scope", policy.scopes), ("role", policy.roles))
        lacking = ", ".join(f"{name} {requirement}" for name, requirement in required if requirement)
        responses.setdefault("403", {"description": f"The token lacks {lacking}"})
