"""Default-deny: every view of an application or a blueprint is protected unless it says that it is not.

Decides once for each view and method, by what decorators have left there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Blueprint, Flask, request

from .audit import Guarding, guardings_of
from .jwt_manager import JWTManager
from .marks import mark_exempt
from .view_decorators import verify_jwt_in_request

if TYPE_CHECKING:  # Flask 2.3 does not have it
    from flask.sansio.app import App

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
    guarding = Guarding(None, tuple(exempt))
    if isinstance(target, Blueprint):
        target.record(lambda state: _guard(state.app, guarding.of(state.name)))
    else:
        _guard(target, guarding)


def _guard(app: App, guarding: Guarding) -> None:
    app._check_setup_finished("protect")  # what was decided for a request stays decided
    guardings = guardings_of(app)
    if not guardings:
        # Where a decorator would stand: behind all that is done before requests, and without the cost of a hook.
        app.dispatch_request = _guarded(app, app.dispatch_request)  # type: ignore[attr-defined]
    guardings.append(guarding)


def _guarded(app: App, dispatch: Callable[..., Any]) -> Callable[..., Any]:
    views, guardings = app.view_functions, guardings_of(app)
    decided: dict[tuple[Any, str], bool] = {}

    def guarded(*args: Any) -> Any:
        incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
        rule = incoming.url_rule
        # Without a rule it is a 404, a 405 or a redirect; Flask answers automatic OPTIONS without calling the view.
        if rule is not None and not (incoming.method == "OPTIONS" and rule.provide_automatic_options):
            key = views[rule.endpoint], incoming.method
            needed = decided.get(key)
            if needed is None:
                needed = decided[key] = any(each.guards(rule.endpoint, *key) for each in guardings)
            if needed:
                verify_jwt_in_request()
        return dispatch(*args)

    return guarded


JWTManager._protect = staticmethod(protect)
