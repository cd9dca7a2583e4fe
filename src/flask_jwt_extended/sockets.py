"""WebSockets of flask-sock and namespaces of Flask-SocketIO: which clients may connect, and for how long.

``jwt_required`` protects a WebSocket too. These decorators add refusals that clients can read, and ``check_every``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any, TypeVar, cast

from jwt.exceptions import PyJWTError

from ._protection import socket_guard, socketio_guard
from ._protection.socket_watcher import CHECK_EVERY
from ._protection.view_metadata import mark_protected
from ._request.policy import Policy
from .exceptions import ConfigurationError, JWTExtendedException, code_of

__all__ = ["sock_required", "socketio_required"]

F = TypeVar("F", bound=Callable[..., Any])


def sock_required(*, check_every: float = CHECK_EVERY, **requirements: Any) -> Callable[[F], F]:
    """Protect a WebSocket handler of flask-sock. It goes below the route::

        @sock.route("/feed")
        @sock_required(scopes="feed")
        def feed(ws): ...

    A refused connection is closed with the status 1008 and the code of the refusal as the reason. So is an open one
    when its token expires or is revoked, when its session ends, or when that cannot be checked.

    :param check_every: seconds between two checks whether the token was revoked; 3 by default
    :param requirements: those of ``jwt_required``, except ``optional`` and ``report_only``
    :raises TypeError: if it stands above the route
    :raises ConfigurationError: if a requirement cannot be met, or a connection is made that the server cannot close

    .. versionadded:: 5.0
    """
    policy = _policy(requirements)

    def decorate(handler: F) -> F:
        _check_callable(handler, "sock_required", "@sock.route")

        @wraps(handler)
        def protected(*args: Any, **kwargs: Any) -> Any:
            ws = socket_guard.socket_among(args)
            try:
                socket_guard.admit(policy, socket_guard.watch_request, check_every)
            except (JWTExtendedException, PyJWTError) as error:
                ws.close(socket_guard.POLICY_VIOLATION, code_of(error))
                return None
            except Exception:
                ws.close(1011, "error")  # internal error (RFC 6455, section 7.4.1)
                raise
            return handler(*args, **kwargs)

        mark_protected(handler, protected, policy)
        return cast("F", protected)

    return decorate


def socketio_required(
    socketio: Any,
    *,
    token: Callable[[Any], str | None] | None = None,
    check_every: float = CHECK_EVERY,
    **requirements: Any,
) -> Callable[[F], F]:
    """Protect a namespace of Flask-SocketIO: its connect handler, a function or a method of a ``Namespace``::

        @socketio.on("connect")
        @socketio_required(socketio)
        def connect(auth): ...

    A client that is refused gets the code of the refusal as the message. It is disconnected when its token expires or
    is revoked, when its session ends, or when that cannot be checked. The handler takes ``auth`` or nothing.

    :param socketio: the ``SocketIO`` object
    :param token: finds a token in what the client sent as ``auth``; by default its ``"token"``. If there is none,
        JWT_TOKEN_LOCATION applies
    :param check_every: seconds between two checks whether the token was revoked; 3 by default
    :param requirements: those of ``jwt_required``, except ``optional`` and ``report_only``
    :raises TypeError: if it stands above ``@socketio.on``
    :raises ConfigurationError: if a requirement cannot be met, or the handler is called for another event

    .. versionadded:: 5.0
    """
    policy, find = _policy(requirements), token or socketio_guard.token_in

    def decorate(handler: F) -> F:
        _check_callable(handler, "socketio_required", "@socketio.on")
        parameters = signature(handler)

        @wraps(handler)
        def connect(*args: Any, **kwargs: Any) -> Any:
            auth = socketio_guard.auth_of_client()
            try:
                socket_guard.admit(policy, socketio_guard.watch_event, check_every, find(auth))
            except Exception as error:  # any other exception might leave the client connected
                return socketio_guard.refuse_client(socketio, error)
            return handler(*socketio_guard.accepted_by(parameters, args), **kwargs)

        mark_protected(handler, connect, policy)
        return cast("F", connect)

    return decorate


def _policy(requirements: dict[str, Any]) -> Policy:
    policy = Policy.from_arguments(**requirements)
    if policy.allows_anonymous:
        raise ConfigurationError("A connection needs a token: leave out optional and report_only")
    return policy


def _check_callable(handler: Any, decorator: str, route: str) -> None:
    if not callable(handler):
        raise TypeError(f"{decorator} got {handler!r} to protect: put @{decorator}(...) below {route}")
