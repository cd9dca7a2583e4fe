"""Default-deny: every view of an application or a blueprint is protected unless it is declared public.

The mapping of view functions wraps each of them. So any code may dispatch requests, and later views are wrapped too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from inspect import iscoroutinefunction
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Blueprint, Flask, request
from flask.views import http_method_funcs

from .._request.policy import Policy
from ..exceptions import ConfigurationError
from .decisions import DefaultDeny, decide, protections_of
from .view_metadata import ViewProxy, mark_exempt, raw, requirements_of

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

V = TypeVar("V", bound=Callable[..., Any])

#: Where an application keeps the mapping that its `view_functions` shows.
_VIEWS = "_jwt_view_functions"
_MISSING: Any = object()


def jwt_exempt(view: V = _MISSING) -> V:
    """Keep a view public that :meth:`JWTManager.protect` would protect: a function, a class, or a method of a class.

    It goes below the route, like every decorator of a view::

        @app.get("/health")
        @jwt_exempt
        def health(): ...

    Subclasses do not inherit the exemption of a class. A method that a subclass does not override keeps its own.

    :raises TypeError: if it was called with parentheses, or decorates something that is not a view
    :raises ConfigurationError: if it stands above ``@jwt_required``

    .. versionadded:: 5.0
    """
    if view is _MISSING:
        raise TypeError("jwt_exempt takes no parentheses: write @jwt_exempt, not @jwt_exempt()")
    if view is None:
        raise TypeError(
            "@jwt_exempt stands above a decorator that returned None, so it would exempt nothing: put it below the "
            "route, next to the function"
        )
    if not callable(view):
        raise TypeError(f"@jwt_exempt marks functions, classes and methods, not a {type(view).__name__}")
    if not isinstance(view, type) and any(requirements_of(view, "GET")[:2]):
        name = getattr(view, "__qualname__", "this view")
        raise ConfigurationError(f"{name} has both @jwt_exempt and @jwt_required(), which contradict: remove one")
    return cast("V", mark_exempt(view))


def protect(target: Flask | Blueprint, exempt: Iterable[str]) -> None:
    """Verify requests before they reach a view that neither protects itself nor is exempt."""
    target = getattr(target, "_get_current_object", lambda: target)()  # `current_app`
    patterns = _patterns(exempt)
    if isinstance(target, Blueprint):
        _protect_blueprint(target, patterns)
    elif isinstance(target, Flask):
        target._check_setup_finished("protect")  # before the first request decides about a view
        _install(target, DefaultDeny(patterns))
    else:
        kind = target if isinstance(target, type) else type(target)
        raise TypeError(
            f"jwt.protect takes a Flask application or a Blueprint, not {kind.__module__}.{kind.__qualname__}: pass "
            "the application or the blueprint that it was made with"
        )


def _patterns(exempt: Any) -> tuple[str, ...]:
    is_list = isinstance(exempt, Iterable) and not isinstance(exempt, (str, bytes, bytearray, Mapping))
    patterns: tuple[Any, ...] = tuple(exempt) if is_list else (exempt,)
    for each in patterns:
        if not isinstance(each, str) or not each.strip():
            raise ConfigurationError(
                f"exempt of jwt.protect takes names of endpoints, such as ['auth.login', 'docs.*'], not {each!r}. To "
                "exempt a view itself, decorate it with @jwt_exempt; () exempts nothing"
            )
    return patterns


def _protect_blueprint(blueprint: Blueprint, patterns: tuple[str, ...]) -> None:
    try:
        blueprint._check_setup_finished("protect")
    except AssertionError:
        raise ConfigurationError(
            f"jwt.protect came too late for the blueprint {blueprint.name!r}, which is already registered: call "
            "jwt.protect(blueprint) before register_blueprint"
        ) from None
    register, guarding = blueprint.register, list[Any]()

    def guard_by_name(state: BlueprintSetupState) -> None:
        if not guarding:  # something called the method of the class
            name = f"{state.name_prefix}.{state.name}".lstrip(".")
            _install(cast("Flask", state.app), DefaultDeny(patterns, blueprint.name, frozenset({name}), frozenset()))

    def register_and_guard(app: Any, options: dict[str, Any]) -> None:
        views, blueprints = set(app.view_functions), set(app.blueprints)
        guarding.append(app)
        try:
            register(app, options)
        finally:
            guarding.pop()
            new = set(app.blueprints) - blueprints
            names = frozenset(name for name in new if app.blueprints[name] is blueprint)
            strays = _strays(set(app.view_functions) - views, new, names)
            _install(app, DefaultDeny(patterns, blueprint.name, names, strays))

    blueprint.record(guard_by_name)
    blueprint.register = register_and_guard  # type: ignore[method-assign]  # the only place that sees all of its views


def _strays(views: set[str], new: set[str], names: frozenset[str]) -> frozenset[str]:
    """Find what a blueprint registered outside of its names: flask-restful and flask-restx do not know its parents.

    :param views: the endpoints that were registered with the blueprint
    :param new: the blueprints that were registered with it, itself among them
    """
    within = tuple(f"{name}." for name in names)
    others = {name for name in new if name not in names and not name.startswith(within)}
    return frozenset(each for each in views if not each.startswith(within) and each.rpartition(".")[0] not in others)


def _install(app: Flask, protection: DefaultDeny) -> None:
    protections_of(app).append(protection)
    if isinstance(app.view_functions, GuardedViews):
        app.view_functions.update(app.view_functions)  # decide about every view again
    else:
        views = app.view_functions
        cls: Any = type(app)
        app.__class__ = _with_guarded_views(cls)
        app.view_functions = views


def _replace(app: Any, views: Mapping[str, Any]) -> None:
    vars(app)["view_functions"] = vars(app)[_VIEWS] = GuardedViews(app, views)


class _HasGuardedViews:
    """Wraps the views of an application again when its ``view_functions`` is assigned."""

    view_functions = property(attrgetter(_VIEWS), _replace)  # fast, since every request reads it

    def __init_subclass__(cls) -> None:
        """Hide that of the application's class, which may require arguments or list its subclasses."""


@lru_cache(32)
def _with_guarded_views(cls: Any) -> Any:
    names = ("__module__", "__qualname__", "__doc__")
    return type(cls)(cls.__name__, (_HasGuardedViews, cls), {name: getattr(cls, name) for name in names})


class GuardedViews(dict[str, Any]):
    """The view functions of an application, each wrapped until a request shows that it needs no check."""

    def __init__(self, app: Flask, views: Mapping[str, Any]) -> None:
        from ..view_decorators import require  # a higher layer

        super().__init__()
        self._app, self._require = app, require
        self.update(views)

    def __setitem__(self, endpoint: str, view: Any) -> None:
        super().__setitem__(endpoint, _Guard(raw(view), self._app, endpoint, self._require))

    def setdefault(self, endpoint: str, view: Any = None) -> Any:
        """As in a dict."""
        if endpoint not in self:
            self[endpoint] = view
        return self[endpoint]

    def update(self, *views: Any, **named: Any) -> None:
        """As in a dict."""
        for endpoint, view in dict(*views, **named).items():
            self[endpoint] = view

    def __ior__(self, views: Any) -> GuardedViews:  # type: ignore[override, misc]  # as in a dict
        self.update(views)
        return self


class _Guard(ViewProxy):
    """Checks a request before it calls a view. It decides at the first request, after all decorators and blueprints."""

    def __init__(self, view: Any, app: Flask, endpoint: str, require: Callable[[Policy], None]) -> None:
        super().__init__(view)
        self._jwt_app, self._jwt_endpoint, self._jwt_require = app, endpoint, require
        self._jwt_is_async = iscoroutinefunction(view)
        #: What to check for each method, and if it is the same for all.
        self._jwt_decided: dict[str, tuple[Policy, ...]] = {}
        self._jwt_fixed: tuple[Policy, ...] | None = None
        self._jwt_view_class: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        policies = self._jwt_fixed
        for policy in self._for_method() if policies is None else policies:
            self._jwt_require(policy)
        view = self._jwt_app.ensure_sync(self.raw_view) if self._jwt_is_async else self.raw_view
        return view(*args, **kwargs)

    def _for_method(self) -> tuple[Policy, ...]:
        if not self._jwt_decided or self._jwt_view_class is not getattr(self.raw_view, "view_class", None):
            self._decide()  # the first time, or a test has replaced the class
        known = self._jwt_decided.get(request.method)
        return self._policies_for(request.method) if known is None else known

    def _policies_for(self, method: str) -> tuple[Policy, ...]:
        return decide(self._jwt_app, self._jwt_endpoint, method).in_front

    def _decide(self) -> None:
        """Decide for each method; ``*`` shows whether others differ."""
        decided = {method.upper(): self._policies_for(method.upper()) for method in (*http_method_funcs, "*")}
        self._jwt_decided, self._jwt_view_class = decided, getattr(self.raw_view, "view_class", None)
        if self._jwt_view_class is None and len(set(decided.values())) == 1:
            self._jwt_fixed = decided["*"]
            views: Any = self._jwt_app.view_functions
            if not decided["*"] and views.get(self._jwt_endpoint) is self:
                dict.__setitem__(views, self._jwt_endpoint, self.raw_view)  # costs requests nothing from now on
