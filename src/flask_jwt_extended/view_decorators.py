"""Protecting views: ``jwt_required`` and ``verify_jwt_in_request``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast
from weakref import ref

from flask import Response, after_this_request, g, request
from jwt.exceptions import PyJWTError

from . import pipeline
from .core.policy import Policy
from .exceptions import JWTExtendedException
from .http.extract import query_values
from .jwt_manager import refuse, runtime_of
from .typing import Claims, Header, LocationType
from .utils import app_at_hand

P = ParamSpec("P")
R = TypeVar("R")

#: Distinct sets of demands that are kept ready; an application has a handful.
_policy = lru_cache(256)(Policy)


def verify_jwt_in_request(
    optional: bool = False,
    fresh: bool = False,
    refresh: bool = False,
    locations: LocationType = None,
    verify_type: bool = True,
    skip_revocation_check: bool = False,
) -> tuple[Header, Claims] | None:
    """Verify the token of this request and remember it for ``get_jwt``, ``current_user`` and the like.

    An OPTIONS request passes as anonymous: a browser sends its preflight without credentials.

    :param optional: let a request without a token pass as anonymous; one with a bad token is refused all the same
    :param fresh: ask for a fresh token
    :param refresh: ask for a refresh token, in place of an access token
    :param locations: where to look for the token: ``"headers"``, ``"cookies"``, ``"query_string"``, ``"json"`` or a
        list of them in order of precedence; ``None``: as JWT_TOKEN_LOCATION says
    :param verify_type: ``False`` takes tokens of every type
    :param skip_revocation_check: do not ask whether the token was revoked
    :return: the header and the claims of the token; ``None`` for an anonymous request
    :raises JWTExtendedException: if the request may not pass
    :raises jwt.InvalidTokenError: if its token is not valid (RFC 7519, section 7.2)
    """
    app = app_at_hand()
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    if incoming.method == "OPTIONS":
        token = None
    else:
        runtime = runtime_of(app)
        places = locations if type(locations) is tuple else _places(locations)
        if "query_string" in (places or runtime.settings.token_location):
            after_this_request(_keep_out_of_caches)
        policy = _policy(optional, fresh, refresh, places, verify_type, skip_revocation_check)
        try:
            token = pipeline.authenticate(incoming, policy, runtime, time.time())
        except (JWTExtendedException, PyJWTError) as error:
            raise refuse(app, error)  # noqa: B904  # it is the same error
    pipeline.remember(g._get_current_object(), token)
    return (token.header, token.claims) if token else None


def jwt_required(
    optional: bool = False,
    fresh: bool = False,
    refresh: bool = False,
    locations: LocationType = None,
    verify_type: bool = True,
    skip_revocation_check: bool = False,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Protect a view: it is called only if :func:`verify_jwt_in_request` lets the request pass.

    Works on functions and coroutine functions. It goes below the route::

        @app.get("/profile")
        @jwt_required()
        def profile(): ...

    The parameters are those of :func:`verify_jwt_in_request`.

    :raises TypeError: if the parentheses were forgotten
    """
    if callable(optional):
        raise TypeError("jwt_required is missing its parentheses: write @jwt_required(), not @jwt_required")
    places = _places(locations)
    policy = _policy(optional, fresh, refresh, places, verify_type, skip_revocation_check)

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        is_async = iscoroutinefunction(view)

        @wraps(view)
        def protected(*args: P.args, **kwargs: P.kwargs) -> R:
            verify_jwt_in_request(optional, fresh, refresh, places, verify_type, skip_revocation_check)
            if is_async:
                return cast("R", app_at_hand().ensure_sync(view)(*args, **kwargs))
            return view(*args, **kwargs)

        _leave_traces(view, protected, policy)
        return protected

    return decorate


def _leave_traces(view: Any, protected: Any, policy: Policy) -> None:
    """Tell whoever audits an application what a view demands, and each function below it by which it is protected."""
    protected.__jwt_policy__ = policy
    while view is not None:
        with suppress(AttributeError):  # a bound method takes no attributes
            view.__jwt_guard__ = ref(protected)
        view = getattr(view, "__wrapped__", None)


def _keep_out_of_caches(response: Response) -> Response:
    """Mark the answer to a URL that holds a token (RFC 6750, section 2.3)."""
    if query_values(request, runtime_of(app_at_hand()).settings):
        response.headers["Cache-Control"] = "no-store"
    return response


def _places(locations: str | Iterable[str] | None) -> tuple[str, ...]:
    if isinstance(locations, str):
        return (locations,)
    return tuple(locations or ())
