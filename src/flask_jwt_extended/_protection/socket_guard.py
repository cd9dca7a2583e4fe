"""What protects a WebSocket: its token and its origin are checked when it opens, and it closes when the token ends."""

from __future__ import annotations

import _socket  # gevent replaces socket.socket, whose methods then wait
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, cast

from flask import Flask, Request, g, request_tearing_down
from flask import request as current_request
from jwt.exceptions import PyJWTError

from .._context import get_app, get_state
from .._jose.token import Token
from .._request import current_token
from .._request.authenticate import authenticate, check
from .._request.csrf import check_socket_origin
from .._request.policy import Policy
from .._request.responses import signal_refusal
from ..exceptions import ConfigurationError, CSRFError, JWTExtendedException, code_of
from .socket_watcher import CHECK_EVERY, WATCHES, Watch

#: The status with which a WebSocket is closed: policy violation (RFC 6455, section 7.4.1).
POLICY_VIOLATION = 1008


def watch_request(app: Flask, request: Request, token: Token, policy: Policy, every: float = CHECK_EVERY) -> None:
    """Close the WebSocket that a request opens when its token ends, which is checked every so many seconds."""
    rule, is_open = request.url_rule, "wsgi.websocket" in request.environ
    if rule is not None and not (rule.websocket or is_open):
        return  # it looks like a handshake, but the route opens no WebSocket
    watch = Watch.of(app, request, token, policy, every)
    if not watch.has_end or watch.is_covered(request.environ.get(WATCHES, ())):
        return
    connection = ServerSocket.of(request.environ)
    if connection is None:
        if rule is None and not is_open:
            return  # 404 or 405: there is no view
        raise ConfigurationError(
            f"The WebSocket {request.path} could not be closed when its token expires: this server does not hand the "
            "socket of a request to the application. Serve it with Gunicorn (gthread or gevent), gevent or Werkzeug"
        )
    request_tearing_down.connect(_end_watches, app)
    watch.start(connection)
    request.environ.setdefault(WATCHES, []).append(watch)


def _end_watches(_app: Flask, **_: Any) -> None:
    for watch in current_request.environ.pop(WATCHES, ()):
        watch.stop()


def close_refused(arguments: tuple[Any, ...], request: Request, error: Exception) -> bool:
    """Close the WebSocket among the arguments of a view, if there is one: HTTP can no longer answer."""
    for each in arguments:
        if getattr(each, "environ", None) is request.environ and hasattr(each, "receive"):
            each.close(POLICY_VIOLATION, code_of(error))
            return True
    return False


def socket_among(arguments: tuple[Any, ...]) -> Any:
    """Return the connection that flask-sock passes to a handler."""
    for each in arguments:
        if hasattr(each, "receive") and hasattr(each, "close"):
            return each
    raise ConfigurationError("sock_required protects handlers of flask-sock; for other views, use jwt_required")


def admit(
    policy: Policy, watch: Callable[[Flask, Any, Token, Policy, float], None], every: float, encoded: str | None = None
) -> None:
    """Check the token of the connection that this request makes, watch it, and remember the token for the handler.

    :param encoded: the token; ``None``: it is in the request
    """
    app, request = get_app(), current_request._get_current_object()  # type: ignore[attr-defined]  # of LocalProxy
    state, now = get_state(app), time.time()
    try:
        found = check(encoded, policy, state, now) if encoded is not None else authenticate(request, policy, state, now)
        token = cast("Token", found)  # without optional there is one
    except (JWTExtendedException, PyJWTError) as error:
        raise signal_refusal(app, error) from None
    check_origin(app, request, token)
    watch(app, request, token, policy, every)
    current_token.remember(g._get_current_object(), token)


def check_origin(app: Flask, request: Request, token: Token) -> None:
    """Refuse a cookie that a page of another site has sent, over any transport."""
    if token.location == "cookies":
        try:
            check_socket_origin(request, get_state(app).settings)
        except CSRFError as error:
            raise signal_refusal(app, error) from None


class ServerSocket:
    """The socket of a request. It is shut down, not closed: the server closes it then."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._peer = _peer_of(socket)
        self._is_plain = not hasattr(socket, "cipher")  # only the TLS library can write into its stream
        self._is_open = True

    @classmethod
    def of(cls, environ: dict[str, Any]) -> ServerSocket | None:
        """Find the socket; ``None``: the server keeps it to itself."""
        try:
            return cls(_find_socket(environ))
        except (AttributeError, KeyError):
            return None

    def close(self, reason: str) -> None:
        """Send a close frame if that is possible without waiting, and shut the socket down."""
        self._is_open = False
        # A descriptor of our own, since the server may close its own at any time.
        with closing(_socket.socket(fileno=_socket.dup(self._socket.fileno()))) as raw:
            if _peer_of(raw) != self._peer:
                return  # the descriptor was closed, and belongs to another connection now
            if self._is_plain:
                with suppress(OSError):  # it would wait, or the client is gone
                    raw.send(_close_frame(reason), getattr(_socket, "MSG_DONTWAIT", 0))
            raw.shutdown(_socket.SHUT_RDWR)

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
    # gevent.pywsgi has no name for it. simple-websocket finds it there too; a test with gevent holds this.
    body = environ["wsgi.input"]
    return getattr(body, "rfile", body).raw._sock


def _close_frame(reason: str) -> bytes:
    payload = POLICY_VIOLATION.to_bytes(2, "big") + reason.encode()[:123]
    return bytes((0x88, len(payload))) + payload
