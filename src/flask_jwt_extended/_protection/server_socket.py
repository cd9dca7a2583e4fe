"""The socket of a request, where servers leave it, and how to close it from another thread."""

from __future__ import annotations

import _socket  # gevent replaces socket.socket, whose methods then wait
from contextlib import suppress
from typing import Any

#: The status with which a WebSocket is closed: policy violation (RFC 6455, section 7.4.1).
POLICY_VIOLATION = 1008


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
        raw = _socket.socket(fileno=_socket.dup(self._socket.fileno()))
        try:
            if _peer_of(raw) != self._peer:
                return  # the descriptor was closed, and belongs to another connection now
            if self._is_plain:
                with suppress(OSError):  # it would wait, or the client is gone
                    raw.send(_close_frame(reason), getattr(_socket, "MSG_DONTWAIT", 0))
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
    # gevent.pywsgi has no name for it. simple-websocket finds it there too; a test with gevent holds this.
    body = environ["wsgi.input"]
    return getattr(body, "rfile", body).raw._sock


def _close_frame(reason: str) -> bytes:
    payload = POLICY_VIOLATION.to_bytes(2, "big") + reason.encode()[:123]
    return bytes((0x88, len(payload))) + payload
