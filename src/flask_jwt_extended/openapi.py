"""OpenAPI: the security schemes of an application, and what each operation requires, from the decorators themselves.

It completes documents that other libraries made, and overwrites nothing in them.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from flask import Flask

from ._context import get_state
from ._diagnostics.routes import routes
from ._protection.decisions import decide
from ._request.policy import Policy
from ._settings.settings import Settings

Document = MutableMapping[str, Any]

#: The variable part of a rule, with its converter: ``<int(min=1):order_id>``.
_VARIABLE = re.compile(r"<(?:[^<>:]+(?:\([^()]*\))?:)?([^<>:]+)>")
#: The schemes of the locations. OpenAPI has none for a JSON body.
_NAMES = {"headers": "jwt", "cookies": "jwt_cookies", "query_string": "jwt_query_string"}


def document_security(target: Any, app: Flask) -> None:
    """Add what ``jwt_required`` and ``protect`` require to the OpenAPI document of an application.

    :param target: the ``Api`` of flask-smorest, an ``APISpec``, an ``APIFlask`` application, or a complete document
    :param app: the application; its views may be added later, unless the document is complete
    :raises TypeError: if the target is of another type

    .. versionadded:: 5.0
    """
    if hasattr(target, "spec_processor"):
        before = target.spec_callback  # the application's own processor
        target.spec_processor(lambda spec: _documented(before(spec) if before else spec, app))
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


def _documented(spec: Any, app: Flask) -> Any:
    document_security(spec, app)
    return spec


def add_security(document: Document, app: Flask) -> Document:
    """Add the security schemes to a document, and to each operation its requirements and refusals.

    :return: the same document

    .. versionadded:: 5.0
    """
    settings = get_state(app).settings
    for route in routes(app):
        path = document.get("paths", {}).get(_VARIABLE.sub(r"{\1}", route.rule), {})  # as in /orders/{order_id}
        operation = path.get(route.method.lower())
        policies = decide(app, route.endpoint, route.method).policies
        if operation is not None and policies:
            _describe(operation, policies[0], settings, str(document.get("openapi", "")))
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    for name, scheme in _schemes(settings).items():
        schemes.setdefault(name, scheme)
    return document


def _schemes(settings: Settings) -> dict[str, Document]:
    header = settings.header_name
    schemes: dict[str, Document] = {
        "headers": {"type": "apiKey", "in": "header", "name": header},
        "cookies": {"type": "apiKey", "in": "cookie", "name": settings.access.cookie_name},
        "query_string": {"type": "apiKey", "in": "query", "name": settings.query_string_name},
    }
    if header.lower() == "authorization":
        schemes["headers"] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    return {_NAMES[location]: schemes[location] for location in settings.token_location if location in _NAMES}


def _describe(operation: Document, policy: Policy, settings: Settings, version: str) -> None:
    names = [_NAMES[each] for each in policy.locations or settings.token_location if each in _NAMES]
    # Before 3.1, only schemes of OAuth 2.0 can name scopes.
    scopes = sorted(policy.scopes.names) if policy.scopes and not version.startswith(("2", "3.0")) else []
    security: list[Document] = [{name: scopes} for name in names]
    operation.setdefault("security", security + ([{}] if policy.optional else []))
    responses = operation.setdefault("responses", {})
    responses.setdefault("401", {"description": "The token is missing or invalid"})
    required = (("scope", policy.scopes), ("role", policy.roles))
    lacking = ", ".join(f"{name} {requirement}" for name, requirement in required if requirement)
    if lacking:
        responses.setdefault("403", {"description": f"The token lacks {lacking}"})
