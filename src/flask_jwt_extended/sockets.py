"""WebSockets of flask-sock and connections of Flask-SocketIO: who may open one, and for how long.

``jwt_required``, ``JWTManager.protect`` and ``verify_jwt_in_request`` protect a WebSocket route as well. These
decorators add what is particular to sockets: refusals that their clients can read, and the interval of the checks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from inspect import Signature, signature
from typing import Any, TypeVar

from flask import Flask, g, request
from jwt.exceptions import PyJWTError

from ._context import get_app, get_state
from ._jose.token import Token
from ._protection import socket_guard
from ._protection.socket_guard import CHECK_EVERY, POLICY_VIOLATION
from ._protection.view_metadata import mark_protected
from ._request import current_token
from ._request.authenticate import authenticate, check
from ._request.csrf import check_socket_origin
from ._request.policy import Policy
from ._request.responses import signal_refusal
from .exceptions import ConfigurationError, JWTExtendedException, code_of
from .signals import logger

F = TypeVar("F", bound=Callable[..., Any])

#: The status with which a connection is closed for an error of the application (RFC 6455, section 7.4.1).
_INTERNAL_ERROR = 1011


def sock_required(*, check_every: float = CHECK_EVERY, **demands: Any) -> Callable[[F], F]:
    """Protect a WebSocket handler of flask-sock. It goes below the route::

        @sock.route("/feed")
        @sock_required(scopes="feed")
        def feed(ws): ...

    A connection that is refused is closed with the status 1008 and the code of the refusal as the reason. So is an open
    one when its token expires or is revoked, when its session ends, or when that cannot be checked.

    :param check_every: seconds between two checks whether the token was revoked
    :param demands: those of ``jwt_required``, except ``optional`` and ``report_only``
    :raises TypeError: if it is above the route
    :raises ConfigurationError: when a connection is made, if the server does not let it be closed

    .. versionadded:: 5.0
    """
    policy = Policy.from_arguments(**demands)

    def decorate(handler: F) -> F:
        _refuse_nothing(handler, "sock_required", "@sock.route")

        @wraps(handler)
        def protected(*args: Any, **kwargs: Any) -> Any:
            ws = _socket_among(args)
            try:
                _admit_socket(get_app(), policy, check_every)
            except (JWTExtendedException, PyJWTError) as error:
                ws.close(POLICY_VIOLATION, code_of(error))
                return None
            except Exception:
                ws.close(_INTERNAL_ERROR, "error")
                raise
            return handler(*args, **kwargs)

        mark_protected(handler, protected, policy)
        return protected  # type: ignore[return-value]  # of the same signature

    return decorate


def socketio_required(
    socketio: Any,
    *,
    token: Callable[[Any], str | None] | None = None,
    check_every: float = CHECK_EVERY,
    **demands: Any,
) -> Callable[[F], F]:
    """Protect a namespace of Flask-SocketIO: its connect handler, a function or a method of a ``Namespace``::

        @socketio.on("connect")
        @socketio_required(socketio)
        def connect(auth): ...

    A client that is refused gets the code of the refusal as the message. It is disconnected when its token expires or
    is revoked, when its session ends, or when that cannot be checked. The handler takes ``auth`` or nothing.

    :param socketio: the ``SocketIO`` object
    :param token: finds a token in what the client sent as ``auth``; by default its ``"token"``. If there is none, the
        request is searched, as JWT_TOKEN_LOCATION says
    :param check_every: seconds between two checks whether the token was revoked
    :param demands: those of ``jwt_required``, except ``optional`` and ``report_only``
    :raises TypeError: if it is above ``@socketio.on``
    :raises ConfigurationError: when it is called, if the handler is one of another event, or of none

    .. versionadded:: 5.0
    """
    policy, find = Policy.from_arguments(**demands), token or _token_in

    def decorate(handler: F) -> F:
        _refuse_nothing(handler, "socketio_required", "@socketio.on")
        takes = signature(handler)

        @wraps(handler)
        def connect(*args: Any, **kwargs: Any) -> Any:
            event = _connect_event()
            try:
                _admit_client(get_app(), policy, find(_auth_of(event)), check_every)
            except Exception as error:  # any other exception might leave the client connected
                return _refuse_client(socketio, error)
            return handler(*_fitting(args, takes), **kwargs)

        mark_protected(handler, connect, policy)
        return connect  # type: ignore[return-value]  # of the same signature

    return decorate


def _refuse_nothing(handler: Any, decorator: str, route: str) -> None:
    if not callable(handler):
        raise TypeError(f"{decorator} got {handler!r} to protect: put @{decorator}(...) below {route}")


# --- flask-sock ---


def _socket_among(arguments: tuple[Any, ...]) -> Any:
    for each in arguments:
        if hasattr(each, "receive") and hasattr(each, "close"):
            return each
    raise ConfigurationError("sock_required protects handlers of flask-sock; for other views, use jwt_required")


def _admit_socket(app: Flask, policy: Policy, check_every: float) -> None:
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    token = _admit(app, incoming, policy, None)
    socket_guard.watch_request(app, incoming, token, policy, check_every)
    current_token.remember(g._get_current_object(), token)


# --- Flask-SocketIO ---


def _connect_event() -> dict[str, Any]:
    incoming: Any = request
    if not hasattr(incoming, "namespace") or not hasattr(incoming, "event"):
        raise ConfigurationError("socketio_required protects handlers of Flask-SocketIO; for views, use jwt_required")
    if incoming.event["message"] != "connect":
        raise socket_guard.misplaced("socketio_required", get_app(), incoming)
    return incoming.event  # type: ignore[no-any-return]  # Flask-SocketIO has no types


def _auth_of(event: dict[str, Any]) -> Any:
    """What the client sent as ``auth``, whichever way the handler is called."""
    return event["args"][1] if len(event["args"]) > 1 else None


def _admit_client(app: Flask, policy: Policy, encoded: str | None, check_every: float) -> None:
    incoming = request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    token = _admit(app, incoming, policy, encoded)
    socket_guard.watch_event(app, incoming, token, policy, check_every)
    current_token.remember(g._get_current_object(), token)


def _refuse_client(socketio: Any, error: Exception) -> bool:
    """Refuse a connection. A namespace with a method ``error`` would swallow an exception, and the client be in."""
    # Not Python's own class of that name, which tells the client nothing.
    from socketio.exceptions import ConnectionRefusedError as Refusal

    is_refused = isinstance(error, (JWTExtendedException, PyJWTError))
    if not is_refused:
        logger.error("A Socket.IO client cannot be checked, so it is refused", exc_info=error)
    namespace = socketio.server.namespace_handlers.get(request.namespace)  # type: ignore[attr-defined]
    if hasattr(namespace, "error"):
        return False
    raise Refusal(code_of(error) if is_refused else "error") from None


def _fitting(arguments: tuple[Any, ...], takes: Signature) -> tuple[Any, ...]:
    """Leave ``auth`` away where a handler does not take it."""
    try:
        takes.bind(*arguments)
    except TypeError:
        return arguments[:-1]
    return arguments


def _token_in(auth: Any) -> str | None:
    token = auth.get("token") if isinstance(auth, dict) else None
    return token if isinstance(token, str) else None


# --- both ---


def _admit(app: Flask, incoming: Any, policy: Policy, encoded: str | None) -> Token:
    """Check the token of a connection that is being made.

    :param encoded: the token; ``None``: it is in the request
    :raises JWTExtendedException: if it may not be made
    :raises InvalidTokenError: if its token is not valid
    """
    state, now = get_state(app), time.time()
    try:
        if encoded is not None:
            return check(encoded, policy, state, now)
        token = authenticate(incoming, policy, state, now)
        if token is not None and token.location == "cookies":  # a transport of Socket.IO need not be a WebSocket
            check_socket_origin(incoming, state.settings)
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error) from None
    return token  # type: ignore[return-value]  # without optional there is one
