"""What protects a namespace of Flask-SocketIO: a client is refused, or disconnected when its token ends."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import lru_cache
from inspect import Signature
from typing import Any

from flask import Flask, Request
from flask import request as current_request
from jwt.exceptions import PyJWTError

from .._context import get_app
from .._jose.token import Token
from .._request.policy import Policy
from ..exceptions import ConfigurationError, JWTExtendedException, code_of
from ..signals import logger
from .socket_guard import check_origin
from .socket_watcher import CHECK_EVERY, WATCHES, Watch


def watch_event(app: Flask, request: Any, token: Token, policy: Policy, every: float = CHECK_EVERY) -> None:
    """Disconnect the client of an event when its token ends, which is checked every so many seconds."""
    watches = request.environ.setdefault(f"{WATCHES} {request.namespace}", [])
    watch = Watch.of(app, request, token, policy, every)
    if watch.has_end and not watch.is_covered(watches):
        watch.start(_Client(app, request))
        watches.append(watch)


class _Client:
    """A client in one namespace."""

    def __init__(self, app: Flask, request: Any) -> None:
        self._server = app.extensions["socketio"].server
        self._sid, self._namespace = request.sid, request.namespace
        self._is_closing = False

    def close(self, _reason: str) -> None:
        """Disconnect it. The second time, do not wait for its disconnect handler, which is still running."""
        if self._is_closing:
            self._server.manager.disconnect(self._sid, self._namespace, ignore_queue=True)
        else:
            self._is_closing = True
            self._server.start_background_task(self._disconnect)

    def is_open(self) -> bool:
        """Whether the server knows it. While its connect handler runs, it does."""
        return self._server.get_environ(self._sid, self._namespace) is not None

    def _disconnect(self) -> None:
        try:
            self._server.disconnect(self._sid, namespace=self._namespace)
        except Exception as error:  # of the disconnect handler
            logger.warning("The disconnect handler of a client failed: %s", type(error).__name__)
            self._server.manager.disconnect(self._sid, self._namespace, ignore_queue=True)
        finally:
            self._is_closing = False


def auth_of_client() -> Any:
    """Return what the client that connects sent as ``auth``, whether the handler takes it or not."""
    request: Any = current_request
    if not hasattr(request, "namespace") or not hasattr(request, "event"):
        raise ConfigurationError("socketio_required protects handlers of Flask-SocketIO; for views, use jwt_required")
    if request.event["message"] != "connect":
        raise misplaced("socketio_required", get_app(), request)
    sent = request.event["args"][1:]
    return sent[0] if sent else None


def token_in(auth: Any) -> str | None:
    """Find the token where ``socketio_required`` looks by default."""
    token = auth.get("token") if isinstance(auth, dict) else None
    return token if isinstance(token, str) else None


def refuse_client(socketio: Any, error: Exception) -> bool:
    """Refuse a client by an exception or, if a method ``error`` of the namespace would swallow that, by the result."""
    # Python has a class of that name, whose message does not reach the client.
    from socketio.exceptions import ConnectionRefusedError as Refusal

    is_refused = isinstance(error, (JWTExtendedException, PyJWTError))
    if not is_refused:
        logger.error("A Socket.IO client cannot be checked, so it is refused", exc_info=error)
    namespace = socketio.server.namespace_handlers.get(current_request.namespace)  # type: ignore[attr-defined]  # of Flask-SocketIO
    if hasattr(namespace, "error"):
        return False
    raise Refusal(code_of(error) if is_refused else "error") from None


def accepted_by(handler: Signature, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments for a handler, without ``auth`` if it does not take it."""
    try:
        return handler.bind(*arguments).args
    except TypeError:
        return arguments[:-1]


def admit_event(app: Flask, request: Request, policy: Policy, admit: Callable[[], Token | None]) -> Token | None:
    """Let ``admit`` verify the token of an event, and disconnect the client when it ends."""
    try:
        token = admit()
        if token is not None:
            check_origin(app, request, token)
            watch_event(app, request, token, policy)
    except (JWTExtendedException, PyJWTError) as error:
        _make_refusal(error, code_of(error))
        raise
    return token


def misplaced(decorator: str, app: Flask, request: Any) -> Exception:
    """Return the error for a decorator that cannot protect the handler of this event. Disconnect the client."""
    event = request.event["message"]
    message = (
        f"{decorator} does not work on the handler of the Socket.IO event {event!r} in the namespace "
        f"{request.namespace!r}. Protect the connect handler of the namespace with socketio_required: "
        '@socketio.on("connect") above @socketio_required(socketio)'
    )
    logger.error(message)
    if event == "connect":  # a namespace with a method "error" swallows exceptions, and its client would stay
        Watch(app, Token({}, {}), expires=0.0, every=None, environ={}).start(_Client(app, request))
    return _make_refusal(ConfigurationError(message), "not_protected")


def _make_refusal(error: Any, message: str) -> Exception:
    """Make an error one for which python-socketio refuses a connection. After any other, it may stay open."""
    error.__class__ = _refusing(error.__class__)
    error.error_args = {"message": message}
    return error  # type: ignore[no-any-return]  # it was given


@lru_cache(64)
def _refusing(error_class: Any) -> Any:
    from socketio.exceptions import ConnectionRefusedError as Refusal

    if issubclass(error_class, Refusal):
        return error_class
    body = {"__module__": error_class.__module__, "__qualname__": error_class.__qualname__}
    return types.new_class(error_class.__name__, (error_class, Refusal), exec_body=lambda names: names.update(body))
