"""What decorators leave on views for others to find: the demands of a view, its guard, and that it is open on purpose.

Reads and writes attributes of functions and classes. Knows no application and no request.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from typing import Any, cast
from weakref import ref

from .core.policy import Policy

_POLICY, _GUARD, _EXEMPT = "__jwt_policy__", "__jwt_guard__", "__jwt_exempt__"


def mark_protected(view: Any, protected: Any, policy: Policy) -> None:
    """Tell what a wrapper demands, and each function below it by which it is guarded."""
    mark_demanding(protected, policy)
    for layer in layers(view):
        with suppress(AttributeError):  # a bound method takes no attributes
            setattr(layer, _GUARD, ref(protected))


def mark_demanding(decorator: Any, policy: Policy) -> None:
    """Tell what a decorator will demand: libraries put some around a method only when it is called."""
    setattr(decorator, _POLICY, policy)


def mark_exempt(view: Any) -> None:
    """Tell that a view, or every method of a class, is open on purpose."""
    setattr(view, _EXEMPT, True)


def policy_of(view: Any, method: str) -> Policy | None:
    """Return what a view demands of a request with this method, by decorators of its own; ``None``: nothing."""
    for each in _bearers(view, method):
        if (policy := getattr(each, _POLICY, None)) is not None:
            return cast("Policy", policy)
    return None


def is_exempt(view: Any, method: str) -> bool:
    """Tell whether a view is open on purpose, for requests with this method."""
    return any(getattr(each, _EXEMPT, False) is True for each in _bearers(view, method))


def has_lost_its_guard(view: Any, served: Container[int]) -> bool:
    """Tell whether a function is served in place of the wrapper that was to guard it.

    :param served: the ids of every layer of what an application serves
    """
    guard = getattr(view, _GUARD, None)
    return guard is not None and not hasattr(view, _POLICY) and id(guard()) not in served


def _bearers(view: Any, method: str) -> Iterator[Any]:
    """What may bear a mark: the view, and if it is one of a class, that, what answers there, and what wraps that."""
    yield view
    served = getattr(view, "view_class", None)
    if served is None:
        return
    yield served
    yield getattr(served, method.lower(), getattr(served, "get", None) if method == "HEAD" else None)
    around = getattr(served, "method_decorators", ())  # of flask-restful and flask-restx
    yield from around.get(method.lower(), ()) if isinstance(around, dict) else around


def layers(view: Any) -> list[Any]:
    """A function and the ones it wraps, the outermost first (``functools.wraps``)."""
    found: list[Any] = []
    while view is not None and not any(view is layer for layer in found):
        found.append(view)
        view = getattr(view, "__wrapped__", None)
    return found
