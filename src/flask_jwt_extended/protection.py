"""Default-deny: every view of an application or a blueprint is protected unless it says that it is not.

Decides once for each view and method, by what decorators have left there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Blueprint, Flask, request

from .audit import Guarding, guardings_of
from .jwt_manager import JWTManager
from .marks import mark_exempt
from .utils import app_at_hand
from .view_decorators import verify_jwt_in_request

V = TypeVar("V", bound=Callable[..., Any])


def jwt_exempt(view: V) -> V:
    """Leave a view open that :meth:`JWTManager.protect` would protect: a function, a class, or a method of one.

    It goes below the route, as every decorator of a view does::

        @app.get("/health")
        @jwt_exempt
        def health(): ...
    """
    mark_exempt(view)
    return view


def protect(target: Flask | Blueprint, exempt: Iterable[str]) -> None:
    """Have requests verified before they reach a view that neither protects itself nor is exempt.

    :param exempt: endpoints that stay open, as patterns
    """
    guarding = Guarding(target.name if isinstance(target, Blueprint) else None, tuple(exempt))
    decided: dict[tuple[Any, str], bool] = {}

    def guard() -> None:
        endpoint = request.endpoint
        if endpoint is None:  # no view: a 404 or a 405
            return
        app = app_at_hand()
        key = app.view_functions[endpoint], request.method
        needed = decided.get(key)
        if needed is None:
            needed = decided[key] = guarding.guards(endpoint, *key)
        if needed:
            verify_jwt_in_request()

    target.before_request(guard)
    if isinstance(target, Blueprint):
        target.record(lambda state: guardings_of(state.app).append(guarding.named(state.name)))
    else:
        guardings_of(target).append(guarding)


JWTManager._protect = staticmethod(protect)
