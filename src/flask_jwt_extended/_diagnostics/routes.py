"""The audit of an application: what each of its routes requires, from the decorators themselves.

:func:`decide` is the one place that answers this, for the audit and for what protects by default. Prints nothing:
``routes_cli`` does. A view that calls ``verify_jwt_in_request`` in its own body looks like a public one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MethodType
from typing import Any, NamedTuple, cast

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from .._protection.view_metadata import ViewProxy, is_cross_origin, is_exempt, raw, requirements_of
from .._request.policy import Policy
from .humanize import demands_in_words

_GUARDINGS = "flask-jwt-extended.guardings"
#: The patterns that stand for static files: only the handlers that Flask itself registers, whatever else is called so.
STATIC_FILES = ("static", "*.static")
_DEFAULT = (Policy(),)


@dataclass(eq=False)
class Guarding:
    """What :meth:`JWTManager.protect` was told.

    :ivar exempt: endpoints that stay public, as patterns
    :ivar blueprint: the blueprint's own name; ``None``: the whole application is protected
    :ivar names: the names under which the application knows the blueprint, with those of its parents
    :ivar endpoints: endpoints that the blueprint registered under other names
    :ivar registered: every blueprint of the application
    """

    exempt: tuple[str, ...]
    blueprint: str | None = None
    names: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    registered: Mapping[str, Any] = field(default_factory=dict)

    def covers(self, endpoint: str) -> bool:
        """Whether an endpoint belongs to what it protects."""
        if self.blueprint is None or endpoint in self.endpoints or self._inside(endpoint) is not None:
            return True
        parent = endpoint.rpartition(".")[0]
        return parent not in self.registered and any(parent == each.rpartition(".")[0] != "" for each in self.endpoints)

    def _inside(self, endpoint: str) -> str | None:
        """What is left of an endpoint below the name of the blueprint."""
        return next((endpoint[len(name) :] for name in self.names if endpoint.startswith(f"{name}.")), None)

    def exempts(self, endpoint: str, view: Any, method: str) -> bool:
        """Whether it leaves a view public."""
        return is_exempt(view, method) or any(self._matches(pattern, endpoint, view) for pattern in self.exempt)

    def _matches(self, pattern: str, endpoint: str, view: Any) -> bool:
        if pattern in STATIC_FILES and not serves_static_files(endpoint, view):
            return False
        inside = self._inside(endpoint)
        own = endpoint if inside is None else f"{self.blueprint}{inside}"
        return fnmatchcase(endpoint, pattern) or fnmatchcase(own, pattern)

    def guards(self, endpoint: str, view: Any, method: str) -> bool:
        """Whether it protects a view."""
        return self.covers(endpoint) and not self.exempts(endpoint, view, method)


def serves_static_files(endpoint: str, view: Any) -> bool:
    """Whether a view is what Flask itself registers for the static folder of an application or a blueprint."""
    view = raw(view)
    if endpoint.rpartition(".")[2] != "static":
        return False
    if isinstance(view, MethodType):
        return isinstance(view.__self__, (Flask, Blueprint)) and view.__func__.__name__ == "send_static_file"
    module = getattr(view, "__globals__", {}).get("__name__")
    return module == "flask.app" and "send_static_file" in view.__code__.co_names


def guardings_of(app: Flask) -> list[Guarding]:
    """What an application protects by default."""
    return cast("list[Guarding]", app.extensions.setdefault(_GUARDINGS, []))


class Decision(NamedTuple):
    """What a request to an endpoint has to meet.

    :ivar guard: as of :class:`Route`
    :ivar policies: everything that is required
    :ivar in_front: what :meth:`JWTManager.protect` checks, before the view is called
    :ivar above: a decorator that may answer before ``@jwt_required`` is asked; empty: there is none
    """

    guard: str
    policies: tuple[Policy, ...] = ()
    in_front: tuple[Policy, ...] = ()
    above: str = ""


def decide(app: Flask, endpoint: str, method: str) -> Decision:
    """Decide what a request to an endpoint with this method has to meet."""
    view = app.view_functions[endpoint]
    own, hooks = requirements_of(view, method), hooks_of(app, endpoint)
    guardings = [each for each in guardings_of(app) if each.covers(endpoint)]
    is_guarded = isinstance(view, ViewProxy) and any(each.guards(endpoint, view, method) for each in guardings)
    in_front = _in_front(own.front, own.behind, hooks) if is_guarded else ()
    declared = own.front + own.behind
    if declared:
        is_sure = not own.behind or not all(each.allows_anonymous for each in own.front + in_front + hooks)
        return Decision("decorator" if is_sure else "below", declared + hooks, in_front, own.above)
    if in_front:
        return Decision("default", in_front, in_front)
    if hooks:
        return Decision("hook", hooks)
    is_public = is_exempt(view, method) or any(each.exempts(endpoint, view, method) for each in guardings)
    return Decision("exempt" if is_public or _is_plain_static(endpoint, view, guardings) else "none")


def _in_front(front: tuple[Policy, ...], behind: tuple[Policy, ...], hooks: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """What to check in front of a view that is protected by default: what it would check too late, or else what hooks
    check, which other code can remove; an access token if nothing says what.
    """
    if behind:
        return tuple(each for each in behind if not each.report_only)
    return () if front else hooks or _DEFAULT


def _is_plain_static(endpoint: str, view: Any, guardings: list[Guarding]) -> bool:
    return not guardings and serves_static_files(endpoint, view)


def hooks_of(app: Flask, endpoint: str) -> tuple[Policy, ...]:
    """What the ``before_request`` functions require that run for an endpoint: of the application, of its blueprints."""
    name = endpoint
    names: list[str | None] = [None]
    while "." in name:
        name = name.rpartition(".")[0]
        names.append(name)
    hooks = (hook for each in names for hook in app.before_request_funcs.get(each, ()))
    found = (policy for hook in hooks for policy in requirements_of(hook, "GET").front)
    return tuple(policy for policy in found if not policy.allows_anonymous)


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
    return "; ".join(dict.fromkeys(map(demands_in_words, decision.policies)))
