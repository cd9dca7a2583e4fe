"""The audit of an application: what each of its rules demands, from the decorators themselves.

Judges nothing and prints nothing: ``routes_cli`` does. A view that calls ``verify_jwt_in_request`` in its own body
cannot be told from an open one.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from flask import Flask

from .core.policy import Policy
from .marks import is_exempt, policy_of
from .words import demands_in_words

if TYPE_CHECKING:  # Flask 2.3 does not have it
    from flask.sansio.app import App

_GUARDINGS = "flask-jwt-extended.guardings"
#: What protects nothing itself: Flask answers such a request, or the view does as for any other.
_ASKED_FOR_ALONE = {"HEAD", "OPTIONS"}


class Guarding(NamedTuple):
    """What :meth:`JWTManager.protect` was told.

    :ivar blueprint: the name of what it guards; ``None``: the whole application
    :ivar exempt: endpoints that stay open, as patterns
    """

    blueprint: str | None
    exempt: tuple[str, ...]

    def of(self, blueprint: str) -> Guarding:
        """This one, for a blueprint as an application calls it."""
        return self._replace(blueprint=blueprint)

    def covers(self, endpoint: str) -> bool:
        """Tell whether an endpoint is of what it guards."""
        return self.blueprint is None or endpoint.startswith(f"{self.blueprint}.")

    def guards(self, endpoint: str, view: Any, method: str) -> bool:
        """Tell whether it guards a view: one that demands nothing itself, and is not open on purpose."""
        is_left = policy_of(view, method) is not None or self.leaves_open(endpoint, view, method)
        return self.covers(endpoint) and not is_left

    def leaves_open(self, endpoint: str, view: Any, method: str) -> bool:
        """Tell whether a view is open on purpose."""
        return is_exempt(view, method) or any(fnmatchcase(endpoint, pattern) for pattern in self.exempt)


def guardings_of(app: App) -> list[Guarding]:
    """What an application protects by default."""
    return cast("list[Guarding]", app.extensions.setdefault(_GUARDINGS, []))


class Route(NamedTuple):
    """A rule of an application, for one method.

    :ivar guard: ``decorator``, ``default`` (by ``protect``), ``exempt`` or ``none``
    :ivar demands: what it asks for, in words
    """

    rule: str
    method: str
    endpoint: str
    guard: str
    demands: str

    @property
    def is_unprotected(self) -> bool:
        """Whether anybody may call it, and nobody said that this is so on purpose."""
        return self.guard == "none"


def routes(app: Flask) -> list[Route]:
    """List every rule of an application with what it demands, a line for each method."""
    return sorted(
        _route(app, rule.rule, method, rule.endpoint)
        for rule in app.url_map.iter_rules()
        for method in _methods(rule.methods)
        if rule.endpoint in app.view_functions
    )


def _methods(methods: Any) -> Iterator[str]:
    answered = set(methods or ())
    yield from answered - _ASKED_FOR_ALONE or answered


def _route(app: Flask, rule: str, method: str, endpoint: str) -> Route:
    view = app.view_functions[endpoint]
    policy = policy_of(view, method)
    if policy is not None:
        return Route(rule, method, endpoint, "decorator", demands_in_words(policy))
    guardings = guardings_of(app)
    if any(each.guards(endpoint, view, method) for each in guardings):
        return Route(rule, method, endpoint, "default", demands_in_words(Policy()))
    if is_exempt(view, method) or any(
        each.covers(endpoint) and each.leaves_open(endpoint, view, method) for each in guardings
    ):
        return Route(rule, method, endpoint, "exempt", "nothing, on purpose")
    return Route(rule, method, endpoint, "none", "nothing")
