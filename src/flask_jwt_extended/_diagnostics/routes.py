"""The audit: what each route of an application requires.

A view that calls ``verify_jwt_in_request`` in its own body looks public.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from .._context import get_app
from .._protection.decisions import Decision, decide
from .._protection.view_metadata import is_cross_origin
from .humanize import describe_requirements


class Route(NamedTuple):
    """What one rule of an application requires, for one method.

    :ivar rule: the URL rule, for example ``/orders/<int:order_id>``
    :ivar method: the HTTP method
    :ivar endpoint: the endpoint of the view
    :ivar guard: what protects the view: ``decorator`` (``@jwt_required``), ``default`` (:meth:`JWTManager.protect`) or
        ``hook`` (a ``before_request`` function). ``exempt``: it is declared public; ``none``: nothing protects it;
        ``below``: another decorator is above its ``@jwt_required`` and may answer first
    :ivar requirements: what it requires, as text: ``fresh access token, scope orders:write``
    :ivar note: a warning, with the fix; empty if there is none

    .. versionadded:: 5.0
    """

    rule: str
    method: str
    endpoint: str
    guard: str
    requirements: str
    note: str = ""

    @property
    def is_unprotected(self) -> bool:
        """Whether anonymous clients may get in although nothing declares the route public."""
        return self.guard in ("none", "below")


def routes(app: Flask | None = None) -> list[Route]:
    """List what each route of an application requires, as ``flask jwt routes`` does: an entry for each rule and method.

    A view that calls :func:`~flask_jwt_extended.verify_jwt_in_request` in its own body is listed as ``none``.

    :param app: the application; by default the current one
    :raises RuntimeError: without *app*, outside of an application context

    .. versionadded:: 5.0
    """
    app = app or get_app()
    return sorted(
        _route(app, rule.rule, method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in methods_of(app, rule)
    )


def methods_of(app: Flask, rule: Rule) -> Iterator[str]:
    """The methods of a rule that its view handles; HEAD only if it is protected differently from GET."""
    if rule.build_only or rule.endpoint not in app.view_functions:
        return
    methods = set(rule.methods or getattr(app.view_functions[rule.endpoint], "methods", None) or {"*"})
    plain = methods - {"HEAD", "OPTIONS"}
    yield from plain
    if "HEAD" in methods and ("GET" not in plain or _differs(app, rule.endpoint)):
        yield "HEAD"
    if "OPTIONS" in methods and _handles_options(app, rule):
        yield "OPTIONS"


def _handles_options(app: Flask, rule: Rule) -> bool:
    """Whether OPTIONS requests reach the view: neither Flask nor Flask-CORS answers them."""
    is_automatic = getattr(rule, "provide_automatic_options", False)  # Flask sets it
    return not is_automatic and not is_cross_origin(app.view_functions[rule.endpoint])


def _differs(app: Flask, endpoint: str) -> bool:
    head, get = decide(app, endpoint, "HEAD"), decide(app, endpoint, "GET")
    return (head.guard, head.policies) != (get.guard, get.policies)


def _route(app: Flask, rule: str, method: str, endpoint: str) -> Route:
    decision = decide(app, endpoint, method)
    if method == "OPTIONS" and decision.policies and not app.config.get("JWT_PROTECT_OPTIONS_METHOD"):
        return Route(rule, method, endpoint, "none", "nothing: OPTIONS requests are anonymous")
    note = ""
    if decision.above:
        note = f"{decision.above} is above @jwt_required() and may answer first: put @jwt_required() on top"
    return Route(rule, method, endpoint, decision.guard, _requirements(decision), note)


def _requirements(decision: Decision) -> str:
    if not decision.policies:
        return "public (exempt)" if decision.guard == "exempt" else "nothing"
    return "; ".join(dict.fromkeys(map(describe_requirements, decision.policies)))
