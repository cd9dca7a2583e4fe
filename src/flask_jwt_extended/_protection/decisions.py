"""Which requirements a request to an endpoint has to meet, from the decorators themselves.

:func:`decide` is the one place that decides this: for default-deny, for the audit and for OpenAPI documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MethodType
from typing import Any, NamedTuple, cast

from flask import Blueprint, Flask

from .._request.policy import Policy
from .view_metadata import ViewProxy, is_exempt, raw, requirements_of

_PROTECTIONS = "flask-jwt-extended.protections"
#: The patterns for static files. They match only the views that Flask itself registers, not others of that name.
STATIC_FILES = ("static", "*.static")


@dataclass(eq=False)
class DefaultDeny:
    """One call of :meth:`JWTManager.protect`.

    :ivar exempt: patterns of the endpoints that stay public
    :ivar blueprint: the blueprint's own name; ``None``: the whole application is protected
    :ivar names: the names of the blueprint in the application, with those of its parents
    :ivar endpoints: endpoints that it registered under other names. Others that begin so may be its own too
    """

    exempt: tuple[str, ...]
    blueprint: str | None = None
    names: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()

    def covers(self, endpoint: str) -> bool:
        """Whether an endpoint belongs to the application or the blueprint."""
        if self.blueprint is None or endpoint in self.endpoints or self._inside(endpoint) is not None:
            return True
        parent = endpoint.rpartition(".")[0]
        return any(parent == each.rpartition(".")[0] != "" for each in self.endpoints)

    def _inside(self, endpoint: str) -> str | None:
        """Return the rest of an endpoint after the name of the blueprint; ``None``: it is not in the blueprint."""
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


def serves_static_files(endpoint: str, view: Any) -> bool:
    """Whether Flask itself registered a view, for the static folder of an application or a blueprint."""
    view = raw(view)
    if endpoint.rpartition(".")[2] != "static":
        return False
    if isinstance(view, MethodType):
        return isinstance(view.__self__, (Flask, Blueprint)) and view.__func__.__name__ == "send_static_file"
    return (
        getattr(view, "__globals__", {}).get("__name__") == "flask.app" and "send_static_file" in view.__code__.co_names
    )


def protections_of(app: Flask) -> list[DefaultDeny]:
    """Return the calls of :meth:`JWTManager.protect` for an application and its blueprints."""
    return cast("list[DefaultDeny]", app.extensions.setdefault(_PROTECTIONS, []))


class Decision(NamedTuple):
    """The requirements of an endpoint.

    :ivar guard: as in :class:`Route`
    :ivar in_front: those of ``policies`` that :meth:`JWTManager.protect` checks, before the view is called
    :ivar above: a decorator that may answer before ``@jwt_required`` runs; empty: there is none
    """

    guard: str
    policies: tuple[Policy, ...] = ()
    in_front: tuple[Policy, ...] = ()
    above: str = ""


def decide(app: Flask, endpoint: str, method: str) -> Decision:
    """Decide which requirements a request to an endpoint has to meet, for this method."""
    view = app.view_functions[endpoint]
    own, hooks = requirements_of(view, method), hooks_of(app, endpoint)
    exemptions = [each.exempts(endpoint, view, method) for each in protections_of(app) if each.covers(endpoint)]
    is_guarded = isinstance(view, ViewProxy) and not all(exemptions)
    in_front = _in_front(own.front, own.behind, hooks) if is_guarded else ()
    declared = own.front + own.behind
    if declared:
        is_sure = not own.behind or not all(each.allows_anonymous for each in own.front + in_front + hooks)
        return Decision("decorator" if is_sure else "below", declared + hooks, in_front, own.above)
    if in_front:
        return Decision("default", in_front, in_front)
    if hooks:
        return Decision("hook", hooks)
    is_public = is_exempt(view, method) or any(exemptions)
    is_public = is_public or (not exemptions and serves_static_files(endpoint, view))
    return Decision("exempt" if is_public else "none")


def _in_front(front: tuple[Policy, ...], behind: tuple[Policy, ...], hooks: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return what to check in front of a view that is protected by default."""
    if behind:  # which the view would check too late
        return tuple(each for each in behind if not each.report_only)
    return () if front else hooks or (Policy(),)  # other code can remove hooks


def hooks_of(app: Flask, endpoint: str) -> tuple[Policy, ...]:
    """Return what the ``before_request`` functions of the application and its blueprints require for an endpoint."""
    parts = endpoint.split(".")
    names = [None, *(".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))]
    hooks = (hook for name in names for hook in app.before_request_funcs.get(name, ()))
    found = (policy for hook in hooks for policy in requirements_of(hook, "GET").front)
    return tuple(policy for policy in found if not policy.allows_anonymous)
