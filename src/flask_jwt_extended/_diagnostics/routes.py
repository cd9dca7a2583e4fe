"""The audit of an application: what each of its routes requires.

Prints nothing: the command line does. A view that calls ``verify_jwt_in_request`` in its own body looks public.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from .._protection.decisions import Decision, decide
from .._protection.view_metadata import is_cross_origin
from .humanize import describe_requirements


class Route(NamedTuple):
    """A rule of an application, for one method.

    :ivar guard: what protects it: ``decorator``, ``default`` (``protect``), ``hook`` (a ``before_request`` function);
        ``exempt`` if it is public by declaration, ``none`` if it just is. ``below``: a decorator that stands below one
        of another origin, which may answer without it
    :ivar demands: what it requires, in words
    :ivar note: what is wrong with that, and how to fix it
    """

    rule: str
    method: str
    endpoint: str
    guard: str
    demands: str
    note: str = ""

    @property
    def is_unprotected(self) -> bool:
        """Whether anonymous clients may get in although nothing declares it public."""
        return self.guard in ("none", "below")


def routes(app: Flask) -> list[Route]:
    """List every rule of an application with what it requires, one for each method."""
    return sorted(
        _route(app, rule.rule, method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in methods_of(app, rule)
    )


def methods_of(app: Flask, rule: Rule) -> Iterator[str]:
    """The methods of a rule that its view answers; HEAD only where it is protected otherwise than GET."""
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
    """Whether OPTIONS requests reach the view itself: Flask does not answer them, nor does Flask-CORS."""
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
        note = f"{decision.above} stands above @jwt_required() and may answer without it: put @jwt_required() on top"
    return Route(rule, method, endpoint, decision.guard, _in_words(decision), note)


def _in_words(decision: Decision) -> str:
    if not decision.policies:
        return "nothing, on purpose" if decision.guard == "exempt" else "nothing"
    return "; ".join(dict.fromkeys(map(describe_requirements, decision.policies)))
