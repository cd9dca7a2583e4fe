"""What keeps a WebSocket no longer open than its token is good: it is closed when the token expires or is revoked, when
its session ends, and when that can no longer be checked.

One thread per process watches the sockets of all applications. It never waits for a store, a loader or a client: checks
run on a few short-lived threads, and one that takes too long counts as failed.
"""

from __future__ import annotations

import _socket  # gevent replaces socket.socket, and its methods wait
import os
import threading
import time
import types
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

from flask import Flask, Request, request_tearing_down
from flask import request as current_request
from jwt.exceptions import InvalidTokenError, PyJWTError

from .._context import get_state
from .._jose.token import Token
from .._request import loader_calls
from .._request.authenticate import check_revoked
from .._request.csrf import check_socket_origin
from .._request.policy import Policy
from .._request.responses import signal_refusal
from .._state import ExtensionState
from ..exceptions import ConfigurationError, CSRFError, JWTExtendedException, code_of
from ..signals import logger

#: Seconds between two checks of a token. With CHECK_LIMIT, a socket is closed within 5 seconds.
CHECK_EVERY = 3.0
#: Seconds that one check may take.
CHECK_LIMIT = 1.5
#: The status with which a WebSocket is closed: policy violation (RFC 6455, section 7.4.1).
POLICY_VIOLATION = 1008

#: Threads that check tokens at the same time.
_MAX_CHECKERS = 4
#: Threads that may be stuck in a check. With more, sockets are closed unchecked.
_MAX_ABANDONED = 32
#: Seconds after which the clock is read again, and a connection that did not close is closed again.
_LOOK_AGAIN, _CLOSE_AGAIN = 5.0, 0.5
#: Where the watches of a request are kept in its environment.
_WATCHES = "flask_jwt_extended.watches"


class Connection(Protocol):
    """A connection that can be closed from another thread. Neither method may block."""

    def close(self, reason: str) -> None:
        """Start to close it."""

    def is_open(self) -> bool:
        """Whether it is still open."""
        ...


# --- WebSockets of a request ----------------------------------------------------------------------------------------


def watch_request(app: Flask, request: Request, token: Token, policy: Policy, every: float = CHECK_EVERY) -> None:
    """Close the WebSocket that a request opens when its token is no longer good.

    :param every: seconds between two checks
    :raises ConfigurationError: if the server does not let it be closed
    """
    rule = request.url_rule
    if rule is not None and not rule.websocket and "wsgi.websocket" not in request.environ:
        return  # the headers of a handshake, but no route that could answer it
    watch = make_watch(app, request, token, policy, every)
    if not watch.has_end or _is_watched(watch, request.environ.get(_WATCHES, ())):
        return
    connection = _ServerSocket.of(request.environ)
    if connection is None:
        if rule is None and "wsgi.websocket" not in request.environ:
            return  # 404 or 405: there is no view
        raise ConfigurationError(
            f"The WebSocket {request.path} could not be closed when its token expires: this server does not hand the "
            "socket of a request to the application. Serve it with Gunicorn (gthread or gevent), gevent or Werkzeug"
        )
    request_tearing_down.connect(_end_watches, app)
    watch.start(connection)
    request.environ.setdefault(_WATCHES, []).append(watch)


def _is_watched(watch: Watch, watches: Iterable[Watch]) -> bool:
    """Whether a connection ends with a token already, which is verified twice; the shorter interval counts."""
    for each in watches:
        if not each.is_active or each.token.claims != watch.token.claims:
            continue
        if watch.every is None:
            return True
        if each.every is not None:
            each.every = min(each.every, watch.every)
            return True
    return False


def _end_watches(_app: Flask, **_: Any) -> None:
    for watch in current_request.environ.pop(_WATCHES, ()):
        watch.stop()


def close_refused(arguments: tuple[Any, ...], request: Request, error: Exception) -> bool:
    """Close the WebSocket that was opened before its token was checked, below the route: HTTP cannot answer any more.

    :param arguments: those of the view
    :return: whether there is one
    """
    for each in arguments:
        if getattr(each, "environ", None) is request.environ and hasattr(each, "receive"):
            each.close(POLICY_VIOLATION, code_of(error))
            return True
    return False


class _ServerSocket:
    """The socket of a request. Not closed but shut down: it is the server that closes it then."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._peer = _peer_of(socket)
        # In a stream of TLS, only the library that encrypts it can write.
        self._is_plain = not hasattr(socket, "cipher")
        self._is_open = True

    @classmethod
    def of(cls, environ: dict[str, Any]) -> _ServerSocket | None:
        """Find it where servers leave it; ``None``: nowhere."""
        try:
            return cls(_find_socket(environ))
        except (AttributeError, KeyError):
            return None

    def close(self, reason: str) -> None:
        """Send a close frame if that is possible without waiting, and shut the socket down."""
        self._is_open = False
        # A file descriptor of our own, since the server may close its own at any time.
        raw = _socket.socket(fileno=_socket.dup(self._socket.fileno()))
        try:
            if _peer_of(raw) != self._peer:
                return  # the descriptor was closed, and belongs to another connection now
            if self._is_plain:
                _send_at_once(raw, _close_frame(reason))
            raw.shutdown(_socket.SHUT_RDWR)
        finally:
            raw.close()

    def is_open(self) -> bool:
        """Whether it was not closed here. The end of the request ends the watch."""
        return self._is_open


def _peer_of(socket: Any) -> Any:
    try:
        return socket.getpeername()
    except OSError:  # the client is gone
        return None


def _find_socket(environ: dict[str, Any]) -> Any:
    for name in ("werkzeug.socket", "gunicorn.socket"):
        if name in environ:
            return environ[name]
    if "eventlet.input" in environ:
        return environ["eventlet.input"].get_socket()
    # gevent.pywsgi has no name for it. simple-websocket finds it there, too; a test with gevent holds this.
    body = environ["wsgi.input"]
    return getattr(body, "rfile", body).raw._sock


def _close_frame(reason: str) -> bytes:
    payload = POLICY_VIOLATION.to_bytes(2, "big") + reason.encode()[:123]
    return bytes((0x88, len(payload))) + payload


def _send_at_once(raw: _socket.socket, octets: bytes) -> None:
    try:
        raw.send(octets, getattr(_socket, "MSG_DONTWAIT", 0))
    except OSError as error:
        logger.debug("A WebSocket is closed without a word: %s", type(error).__name__)


# --- Events of Flask-SocketIO ---------------------------------------------------------------------------------------


def admit_event(app: Flask, request: Request, policy: Policy, admit: Callable[[], Token | None]) -> Token | None:
    """Verify the token of a Socket.IO event, and disconnect the client when it is no longer good.

    :param admit: does the verification
    :raises JWTExtendedException: if it may not pass; python-socketio takes that for a refusal of the connection
    :raises InvalidTokenError: if its token is not valid; the same
    """
    try:
        token = admit()
        if token is not None:
            check_event_origin(app, request, token)
            watch_event(app, request, token, policy)
    except (JWTExtendedException, PyJWTError) as error:
        raise as_refusal(error, code_of(error))  # noqa: B904  # it is the same error
    return token


def check_event_origin(app: Flask, request: Request, token: Token) -> None:
    """Refuse a cookie that a page of another site has sent along, over any transport.

    :raises CSRFError: if one did
    """
    if token.location == "cookies":
        try:
            check_socket_origin(request, get_state(app).settings)
        except CSRFError as error:
            raise signal_refusal(app, error) from None


def watch_event(app: Flask, request: Any, token: Token, policy: Policy, every: float = CHECK_EVERY) -> None:
    """Disconnect the client of a Socket.IO event when its token is no longer good.

    :param every: seconds between two checks
    """
    key = f"{_WATCHES} {request.namespace}"
    watch = make_watch(app, request, token, policy, every)
    watches = request.environ.setdefault(key, [])
    if watch.has_end and not _is_watched(watch, watches):
        watch.start(_SocketIOConnection(app.extensions["socketio"].server, request.sid, request.namespace))
        watches.append(watch)


def as_refusal(error: Exception, message: str) -> Exception:
    """Make an error one that python-socketio refuses a connection for. After any other, it may stay open."""
    error.__class__ = _refusing(type(error))  # type: ignore[arg-type]  # a class is hashable
    error.error_args = {"message": message}  # type: ignore[attr-defined]  # it has that now
    return error


@lru_cache(64)
def _refusing(error_class: type[Exception]) -> type[Exception]:
    from socketio.exceptions import ConnectionRefusedError as Refusal

    if issubclass(error_class, Refusal):
        return error_class
    body = {"__module__": error_class.__module__, "__qualname__": error_class.__qualname__}
    return types.new_class(error_class.__name__, (error_class, Refusal), exec_body=lambda names: names.update(body))


def misplaced(decorator: str, app: Flask, request: Any) -> Exception:
    """Disconnect the client of a handler that is not protected, and make the error that says so."""
    event = request.event["message"]
    message = (
        f"{decorator} does not work on the handler of the Socket.IO event {event!r} in the namespace "
        f"{request.namespace!r}. Protect the connect handler of the namespace with socketio_required: "
        '@socketio.on("connect") above @socketio_required(socketio)'
    )
    logger.error(message)
    if event == "connect":  # a namespace with a method "error" swallows exceptions, and its client would stay
        gone = Watch(app, Token({}, {}), expires=0.0, every=None, environ={})
        gone.start(_SocketIOConnection(app.extensions["socketio"].server, request.sid, request.namespace))
    return as_refusal(ConfigurationError(message), "not_protected")


class _SocketIOConnection:
    """A client of Flask-SocketIO, in one namespace."""

    def __init__(self, server: Any, sid: str, namespace: str) -> None:
        self._server = server
        self._sid = sid
        self._namespace = namespace
        self._is_closing = False

    def close(self, reason: str) -> None:  # noqa: ARG002  # Socket.IO has none
        """Disconnect it. A second time, while its disconnect handler runs, do not wait for that."""
        if self._is_closing:
            self._server.manager.disconnect(self._sid, self._namespace, ignore_queue=True)
            return
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


# --- Watches --------------------------------------------------------------------------------------------------------


class Watch:
    """A connection, and the token that it lasts as long as.

    :ivar expires: seconds since the epoch
    :ivar every: seconds between two checks of the token; ``None``: it cannot be revoked
    """

    connection: Connection
    _watcher: _Watcher

    def __init__(self, app: Flask, token: Token, expires: float, every: float | None, environ: dict[str, Any]) -> None:
        self.token = token
        self.expires = expires
        self.every = every
        self.is_over = False
        self.reason: str | None = None
        self.turn = 0
        self.next_check = time.monotonic() + (every or 0.0)
        self.checked_since: float | None = None
        self._app = app
        self._environ = environ

    @property
    def has_end(self) -> bool:
        """Whether anything can end the token."""
        return self.every is not None or self.expires != float("inf")

    @property
    def is_active(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self.is_over and self.reason is None

    def start(self, connection: Connection) -> None:
        """Watch a connection until it ends or is closed."""
        self.connection = connection
        self._watcher = _current_watcher()
        self._watcher.add(self)

    def stop(self) -> None:
        """The connection has ended by itself."""
        self.is_over = True
        self._watcher.forget(self)

    def check(self) -> str | None:
        """Why the connection must be closed; ``None``: it may stay open."""
        # Loaders may read the request, as they may when a view is called.
        with self._app.request_context(self._environ.copy()):
            try:
                _check_again(self.token, get_state(self._app), time.time())
            except (JWTExtendedException, PyJWTError) as error:
                return code_of(error)
        return None


def make_watch(app: Flask, request: Request, token: Token, policy: Policy, every: float) -> Watch:
    """Find out what can end a token.

    :raises InvalidTokenError: if its ``exp`` is beyond what a clock can show
    """
    state = get_state(app)
    loaders = state.loaders
    is_checked = not policy.skip_revocation_check and any(
        each is not None
        for each in (state.store, loaders.token_in_blocklist, loaders.token_verification, loaders.user_lookup)
    )
    environ = {name: value for name, value in request.environ.items() if name not in _OF_THE_REQUEST}
    return Watch(app, token, _expiry(token, state), every if is_checked else None, environ)


#: What a copy of an environment does not share with it.
_OF_THE_REQUEST = {_WATCHES, "werkzeug.request"}


def _expiry(token: Token, state: ExtensionState) -> float:
    try:
        return float(token.claims.get("exp", float("inf"))) + state.settings.decode_leeway
    except (TypeError, ValueError, OverflowError):
        raise InvalidTokenError("Expiration Time claim (exp) is out of range") from None


def _check_again(token: Token, state: ExtensionState, now: float) -> None:
    """Ask the store and the loaders again, as they were asked when the token was accepted."""
    check_revoked(token, state, now, is_used=token.claims.get("single_use") is True)
    if state.loaders.token_verification is not None:
        loader_calls.check_verification(state.loaders.token_verification, token, state)
    if state.loaders.user_lookup is not None:
        loader_calls.look_up_user(state.loaders.user_lookup, token, state)


# --- The watcher ----------------------------------------------------------------------------------------------------


class _Watcher:
    """The thread that closes connections. It ends with the last one, and starts with the next."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self._changed = threading.Condition()
        self._watches: set[Watch] = set()
        self._turns: list[tuple[float, int, int, Watch]] = []
        self._order = count()
        self._thread: threading.Thread | None = None
        self._waiting: deque[Watch] = deque()
        self._running: set[Watch] = set()
        self._abandoned: set[Watch] = set()
        self._checkers = 0

    def add(self, watch: Watch) -> None:
        """Watch a connection from now on."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = _start_thread(self._run, "jwt-sockets")
            self._watches.add(watch)
            self._schedule(watch)

    def forget(self, watch: Watch) -> None:
        """The connection has ended."""
        if self.process != os.getpid():
            return  # in a child process, where the lock may be held for ever
        with self._changed:
            self._watches.discard(watch)
            if not self._watches:
                self._changed.notify()

    def _run(self) -> None:
        while (watch := self._next()) is not None:
            try:
                self._look_at(watch)
            except Exception as error:
                self._close(watch, "unavailable")
                logger.warning("A WebSocket cannot be watched: %s", type(error).__name__)

    def _next(self) -> Watch | None:
        """Wait for the next watch whose turn it is; ``None``: there is none left."""
        with self._changed:
            while self._turns and self._watches:
                due, _, turn, watch = self._turns[0]
                if watch not in self._watches or turn != watch.turn:
                    heappop(self._turns)
                elif (left := due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    heappop(self._turns)
                    return watch
            self._turns.clear()
            self._thread = None
            return None

    def _look_at(self, watch: Watch) -> None:
        """Close a connection, have its token checked, or leave it alone until its next turn."""
        if watch.is_over or not watch.connection.is_open():
            self.forget(watch)
        elif watch.reason is not None:
            self._close(watch, watch.reason)
        elif time.time() >= watch.expires:
            self._close(watch, "expired_token")
        elif watch.checked_since is not None and time.monotonic() - watch.checked_since >= CHECK_LIMIT:
            logger.warning("The token of a WebSocket cannot be checked in time, so it is closed")
            self._abandon(watch)
            self._close(watch, "unavailable")
        else:
            with self._changed:
                if watch.every is not None and watch.checked_since is None and time.monotonic() >= watch.next_check:
                    self._have_checked(watch)
                self._schedule(watch)

    def _schedule(self, watch: Watch) -> None:
        watch.turn += 1  # what was scheduled before does not count any more
        heappush(self._turns, (time.monotonic() + _pause(watch), next(self._order), watch.turn, watch))
        self._changed.notify()

    def _close(self, watch: Watch, reason: str) -> None:
        """Close a connection, and see later whether it is closed."""
        if watch.reason is None:
            logger.debug("A WebSocket is closed: %s", reason)
        watch.reason = reason
        try:
            watch.connection.close(reason)
        except Exception as error:  # the other side may have closed it
            logger.debug("A WebSocket was closed already: %s", type(error).__name__)
        with self._changed:
            if watch in self._watches:
                self._schedule(watch)

    # --- checks ---

    def _have_checked(self, watch: Watch) -> None:
        watch.checked_since = time.monotonic()
        self._waiting.append(watch)
        self._start_checker()

    def _start_checker(self) -> None:
        if self._checkers < _MAX_CHECKERS:
            _start_thread(self._run_checks, "jwt-sockets-check")
            self._checkers += 1

    def _abandon(self, watch: Watch) -> None:
        """Have another thread do the checks of one that is stuck."""
        with self._changed:
            if watch in self._running and len(self._abandoned) < _MAX_ABANDONED:
                self._abandoned.add(watch)
                self._checkers -= 1
                if self._waiting:
                    self._start_checker()

    def _run_checks(self) -> None:
        while (watch := self._next_check()) is not None:
            reason = _reason_to_close(watch) if watch.is_active else None
            if reason is not None:
                self._close(watch, reason)
            if self._checked(watch):
                return

    def _next_check(self) -> Watch | None:
        with self._changed:
            if not self._waiting:
                self._checkers -= 1
                return None
            watch = self._waiting.popleft()
            self._running.add(watch)
            return watch

    def _checked(self, watch: Watch) -> bool:
        """Schedule what comes after a check.

        :return: whether the check took so long that this thread was replaced
        """
        with self._changed:
            self._running.discard(watch)
            watch.next_check = (watch.checked_since or 0.0) + (watch.every or 0.0)
            watch.checked_since = None
            if watch in self._watches and watch.is_active:
                self._schedule(watch)
            if watch in self._abandoned:
                self._abandoned.discard(watch)
                return True
            return False


def _pause(watch: Watch) -> float:
    """Seconds until a watch has its next turn."""
    if watch.reason is not None:
        return _CLOSE_AGAIN
    pause = min(_LOOK_AGAIN, watch.expires - time.time())
    if watch.checked_since is not None:
        pause = min(pause, watch.checked_since + CHECK_LIMIT - time.monotonic())
    elif watch.every is not None:
        pause = min(pause, watch.next_check - time.monotonic())
    return max(pause, 0.0)


def _reason_to_close(watch: Watch) -> str | None:
    try:
        return watch.check()
    except BaseException as error:  # whatever a loader or a driver raises, the token is not known to be good
        # The message of a driver may quote an address with a password.
        logger.warning("The token of a WebSocket cannot be checked, so it is closed: %s", type(error).__name__)
        return "unavailable"


def _start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


_watcher = _Watcher()


def _current_watcher() -> _Watcher:
    global _watcher  # noqa: PLW0603  # threads do not survive a fork, and uWSGI forks behind Python's back
    if _watcher.process != os.getpid():
        _watcher = _Watcher()
    return _watcher
