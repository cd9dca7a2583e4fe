"""A real HTTP server on this machine that answers as it is told: well, slowly, wrongly, or not at all.

Owns what goes over the wire, and counts what it was asked. Must not know who asks.
"""

from __future__ import annotations

import gzip
import json
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

#: How a path is answered.
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request. Answers may use it beside the inherited methods."""

    protocol_version = "HTTP/1.1"

    @property
    def lying(self) -> LyingServer:
        """Return the server that received this request."""
        assert isinstance(self.server, _Server)
        return self.server.lying

    def do_GET(self) -> None:
        lying = self.lying
        path = self.path.partition("?")[0]
        with lying.lock:
            lying.asked[path] += 1
            lying.under_way += 1
            lying.most_at_once = max(lying.most_at_once, lying.under_way)
            lying.headers = dict(self.headers)
        self.close_connection = True
        try:
            with suppress(OSError):  # the client has had enough
                lying.answers.get(path, says(404))(self)
        finally:
            with lying.lock:
                lying.under_way -= 1

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def pause(self, seconds: float) -> None:
        """Sleep, unless the server is closed in the meantime."""
        if self.lying.closing.wait(seconds):
            raise ConnectionAbortedError

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name it has in the parent
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 128
    lying: LyingServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up or refuse the certificate."""


class LyingServer:
    """Answers by path, and counts.

    :ivar answers: how each path is answered; any other is not found
    :ivar asked: how often each path was asked for
    :ivar headers: those of the last request
    :ivar most_at_once: how many requests were under way at one moment
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.under_way = self.most_at_once = 0
        self.lock = Lock()
        self.closing = Event()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.lying = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))

    def url(self, path: str) -> str:
        return self.origin + path

    def __enter__(self) -> LyingServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def says(status: int = 200, body: bytes = b"", /, **headers: str) -> Answer:
    """Answer with a status, a body and headers, whose names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.say(status, body, named)


def serves(document: Any, **headers: str) -> Answer:
    """Answer with a document as JSON."""
    return says(200, json.dumps(document).encode(), **headers)


def late(seconds: float, answer: Answer) -> Answer:
    """Answer after a while."""

    def answer_late(handler: Handler) -> None:
        handler.pause(seconds)
        answer(handler)

    return answer_late


def tagged(document: Any, etag: str, **headers: str) -> Answer:
    """Answer with a document and its ETag, or with 304 if the client has it."""
    whole, same = serves(document, ETag=etag, **headers), says(304, ETag=etag, **headers)
    return lambda handler: (same if handler.headers["If-None-Match"] == etag else whole)(handler)


def zipped(body: bytes, encoding: str = "gzip") -> Answer:
    """Answer with a compressed body, which the client has not asked for."""
    return says(200, gzip.compress(body), Content_Encoding=encoding)


def writes(*pieces: bytes, every: float = 0.0) -> Answer:
    """Write octets instead of an answer, then hang up."""

    def write(handler: Handler) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.pause(every)

    return write


def drips(octets: bytes, every: float) -> Answer:
    """Write octets one at a time: each read of the client succeeds soon, and the answer never ends."""
    return writes(*(octets[at : at + 1] for at in range(len(octets))), every=every)


def floods(megabytes: int, *, announced: bool) -> Answer:
    """Answer with far too much, with or without a Content-Length."""

    def flood(handler: Handler) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(megabytes << 20))
        handler.end_headers()
        for _ in range(megabytes):
            handler.wfile.write(b" " * (1 << 20))

    return flood
