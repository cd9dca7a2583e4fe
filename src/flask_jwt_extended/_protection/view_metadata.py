"""What decorators declare about views, and which of those declarations the framework really runs.

A wrapper is registered by identity with the policy that it checks, so another decorator that copies the attributes of a
function (``functools.wraps``) does not inherit the policy. This module knows neither applications nor requests.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial, update_wrapper
from itertools import chain, pairwise
from types import FunctionType, MethodType, MethodWrapperType, WrapperDescriptorType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from flask.views import View

from .._request.policy import Policy

_GUARD, _EXEMPT = "__jwt_guard__", "__jwt_exempt__"

#: The wrappers that check a request before they call a view, and what each of them checks.
_POLICIES: WeakKeyDictionary[Any, Policy] = WeakKeyDictionary()

#: Packages whose decorators always call the view or refuse the request: they parse arguments, or serialise results, as
#: ``functools.partial`` does. Every other decorator may answer in place of the view, as a cache does.
HARMLESS = {
    *("apiflask", "flasgger", "flask", "flask_cors", "flask_httpauth", "flask_jwt_extended", "flask_limiter"),
    *("flask_login", "flask_pydantic", "flask_restful", "flask_restx", "flask_smorest", "flask_sock", "webargs"),
}
#: The longest chain of wrappers: that of an object that invents attributes has no end.
_DEPTH = 50

# The functions that `View.as_view` returns: with a new object for every request, and with one object for all requests.
# Flask keeps the class in `view.view_class`, or the object in the variable `self`: tests fail if that changes.
_Once = type("_Once", (View,), {"init_every_request": False})
_AS_VIEW = frozenset({View.as_view("view").__code__, _Once.as_view("view").__code__})  # type: ignore[attr-defined]  # functions

#: Attributes of a view that its proxy has itself: Flask looks at them for each request, to recognise coroutines.
_COPIED = ("__module__", "__doc__", "__name__", "__defaults__", "__kwdefaults__", "__annotations__")


class ViewProxy:
    """Takes the place of a view in an application: equal to it, with its attributes."""

    raw_view: Any

    def __init__(self, view: Any) -> None:
        object.__setattr__(self, "raw_view", view)
        for name in filter(partial(hasattr, view), _COPIED):
            object.__setattr__(self, name, getattr(view, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "raw_view"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_jwt_"):  # an attribute of the proxy itself
            with suppress(AttributeError):  # a bound method takes no attributes
                setattr(self.raw_view, name, value)
        object.__setattr__(self, name, value)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # flask-restful looks there for the class
        return getattr(self.raw_view, "__dict__", {})

    @property
    def __wrapped__(self) -> Any:
        return self.raw_view

    def __eq__(self, other: object) -> bool:  # Flask accepts only the same view again for an endpoint
        return bool(self.raw_view == raw(other))

    def __hash__(self) -> int:
        return hash(self.raw_view)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.raw_view!r}>"

    # Not those of the view: a proxy is not a coroutine function, since it waits for the view itself.
    __code__ = _is_coroutine_marker = _is_coroutine = None


def raw(view: Any) -> Any:
    """Return the view that a proxy took the place of; any other view as it is."""
    while isinstance(view, ViewProxy):
        view = view.raw_view
    return view


def _function(view: Any) -> Any:
    return view.__func__ if isinstance(view, MethodType) else view


def mark_protected(view: Any, protected: Any, policy: Policy) -> None:
    """Register a function that checks this policy before it calls a view."""
    _POLICIES[protected] = policy
    for layer in unwrap(view):
        with suppress(AttributeError):
            setattr(layer, _GUARD, ref(protected))


def mark_exempt(view: Any) -> Any:
    """Mark a function, a class or a method as public, and return it."""
    # Other objects share the function of a bound method.
    marked = update_wrapper(partial(view), view) if isinstance(view, MethodType) else view
    target = raw(marked)
    try:
        setattr(target, _EXEMPT, True)
    except (AttributeError, TypeError):
        raise TypeError(
            f"@jwt_exempt cannot mark a {type(target).__name__}: wrap it in a function, or name its endpoint in "
            "jwt.protect(app, exempt=[...])"
        ) from None
    return marked


def unwrap(view: Any) -> list[Any]:
    """Return a function and the ones that it wraps, outermost first."""
    found: list[Any] = []
    while view is not None and len(found) < _DEPTH and not any(view is layer for layer in found):
        if (function := _function(raw(view))) is not view:
            view = function
            continue
        found.append(view)
        inner = _wrapped(view)
        inner = _held(view, list(found)) if inner is None else inner
        view = _call_of(view) if inner is None else inner
    return found


def _wrapped(layer: Any) -> Any:
    return layer.func if type(layer) is partial else getattr(layer, "__wrapped__", None)


def _call_of(layer: Any) -> Any:
    """Return the method that runs when an object is called; ``None``: it is a function, or not written in Python."""
    call = getattr(type(layer), "__call__", None)  # noqa: B004  # the method itself is wanted
    return None if isinstance(call, (WrapperDescriptorType, MethodWrapperType)) else _function(call)


def _held(layer: Any, seen: list[Any]) -> Any:
    """Return the protected function in an attribute of an object, which may be a decorator. Adds to ``seen``."""
    if isinstance(layer, (FunctionType, type)):
        return None
    held = list(getattr(layer, "__dict__", {}).values())
    return next((each for each in held if callable(each) and _is_guarded(each, seen)), None)


def _is_guarded(view: Any, seen: list[Any]) -> bool:
    """Whether a function refuses anonymous requests, itself or what it wraps."""
    view = _function(raw(view))
    if len(seen) >= _DEPTH or any(view is known for known in seen):
        return False
    seen.append(view)
    policy, inner = _policy(view), _wrapped(view)
    if policy is not None and not policy.allows_anonymous:
        return True
    return _held(view, seen) is not None if inner is None else _is_guarded(inner, seen)


def _segments(view: Any, method: str) -> list[list[Any]]:
    """Return the layers that run: of the view, then for a class of each ``dispatch_request`` and of the method."""
    layers = unwrap(view)
    return [layers, *_dispatched(_owner(layers), method)]


def _owner(layers: list[Any]) -> Any:
    """Return the class of a view function that ``as_view`` made, or the object if it serves every request."""
    view: Any = layers[-1] if layers else None
    code: Any = getattr(view, "__code__", None)
    if code not in _AS_VIEW:
        return None
    cells = {name: cell.cell_contents for name, cell in zip(code.co_freevars, view.__closure__, strict=True)}
    return cells["self"] if "self" in cells else getattr(cells["view"], "view_class", None)  # set after `decorators`


def _class_of(owner: Any) -> Any:
    return owner if isinstance(owner, type) else type(owner)


def _dispatched(owner: Any, method: str) -> Iterator[list[Any]]:
    """Follow ``dispatch_request`` to the method that it calls, if the names in its code say that it calls one."""
    bases = owner.__mro__ if isinstance(owner, type) else (owner, *type(owner).__mro__)
    for base in bases:
        if (dispatch := getattr(base, "__dict__", {}).get("dispatch_request")) is None:
            continue
        layers = unwrap(dispatch)
        yield layers
        names: Container[str] = getattr(getattr(layers[-1], "__code__", None), "co_names", ())
        if "dispatch_request" not in names:  # else it calls the one that it overrides
            if "getattr" in names and (handler := _handler(owner, method, names)) is not None:
                yield unwrap(handler)
            return


def _handler(owner: Any, method: str, names: Container[str]) -> Any:
    """Return the method of a class that answers, with ``method_decorators`` if ``dispatch_request`` applies them."""
    handler = getattr(owner, method.lower(), None)
    if handler is None and method == "HEAD":
        handler = getattr(owner, "get", None)
    if handler is not None and "method_decorators" in names:
        for decorator in _method_decorators(owner, method, by_method="Mapping" in names):
            handler = _decorated(decorator, handler)
    return handler


def _method_decorators(owner: Any, method: str, *, by_method: bool) -> Iterable[Any]:
    decorators = getattr(owner, "method_decorators", ())
    if by_method and isinstance(decorators, Mapping):
        decorators = decorators.get(method.lower(), ())
    return decorators if isinstance(decorators, Iterable) else (decorators,)


def _decorated(decorator: Any, handler: Any) -> Any:
    """Decorate a method as flask-restful does at each request. A decorator that fails wraps nothing that is known."""
    try:
        return decorator(MethodType(handler, object()) if isinstance(handler, FunctionType) else handler)
    except Exception:  # it may raise anything without a request
        return decorator


class DeclaredPolicies(NamedTuple):
    """The policies of the decorators of a view.

    :ivar front: checked before any other code runs
    :ivar behind: checked only if another decorator calls the function below it
    :ivar above: the name of that decorator; empty if ``behind`` is
    """

    front: tuple[Policy, ...] = ()
    behind: tuple[Policy, ...] = ()
    above: str = ""


def requirements_of(view: Any, method: str) -> DeclaredPolicies:
    """Return the requirements of this package's decorators, as far as the framework runs them for this method."""
    front: list[Policy] = []
    behind: list[Policy] = []
    above = None
    layers = [*chain.from_iterable(_segments(view, method)), None]
    for layer, below in pairwise(layers):
        policy = _policy(layer)
        if policy is not None:
            (front if above is None else behind).append(policy)
        elif above is None and not _is_harmless(layer) and (below is None or below is not _call_of(layer)):
            above = layer
    return DeclaredPolicies(tuple(front), tuple(behind), _name(above) if behind else "")


def _policy(layer: Any) -> Policy | None:
    return _POLICIES.get(layer) if isinstance(layer, FunctionType) else None


def _is_harmless(layer: Any) -> bool:
    return type(layer) is partial or _package(layer) in HARMLESS


def _package(layer: Any) -> str:
    # Not `__module__`, which `functools.wraps` copies.
    module = getattr(layer, "__globals__", {}).get("__name__") or ""
    return str(module.partition(".")[0])


def is_cross_origin(view: Any) -> bool:
    """Whether ``@cross_origin`` of Flask-CORS answers the OPTIONS requests of a view."""
    answering = (each for each in unwrap(view) if "OPTIONS" in getattr(each, "required_methods", ()))
    return any(_package(each) == "flask_cors" for each in answering)


def _name(layer: Any) -> str:
    """Name a layer after its source: ``functools.wraps`` gives it the name of the view."""
    code = getattr(layer, "__code__", None)
    if code is None:
        return f"{type(layer).__module__}.{type(layer).__qualname__}"
    name = getattr(code, "co_qualname", code.co_name)  # Python 3.11
    return f"{layer.__globals__.get('__name__')}.{name.replace('.<locals>', '')}"


def is_exempt(view: Any, method: str, *, with_class: bool = True) -> bool:
    """Whether a view is marked as public for requests with this method: itself, its method, or its class."""
    segments = _segments(view, method)
    marked = [*segments[0], *segments[-1]]
    if with_class:
        marked += [getattr(raw(view), "view_class", None), _class_of(_owner(segments[0]))]
    # Not `getattr`: a subclass does not inherit the mark of a class.
    return any(getattr(each, "__dict__", {}).get(_EXEMPT) is True for layer in marked for each in (layer, type(layer)))


def is_bypassed(view: Any, served: Container[int]) -> bool:
    """Whether a function is served without the wrapper that should protect it; ``served`` has the ids of all layers."""
    guard = getattr(view, _GUARD, None)
    return guard is not None and not any(_policy(layer) for layer in unwrap(view)) and id(guard()) not in served


def idle_decorator(view: Any, method: str) -> str | None:
    """Name a decorator of this package in a class that Flask does not run for requests with this method."""
    owner = _owner(unwrap(view))
    cls = _class_of(owner)
    if owner is None or cls.dispatch_request is View.dispatch_request or any(requirements_of(view, method)[:2]):
        return None
    handler = getattr(cls, method.lower(), None)
    if any(_policy(layer) for layer in unwrap(handler)):
        return f"{cls.__qualname__}.{method.lower()}"
    wrapped = (unwrap(_decorated(each, lambda: None)) for each in _method_decorators(cls, method, by_method=True))
    return f"{cls.__qualname__}.method_decorators" if any(_policy(layer) for layer in chain(*wrapped)) else None
