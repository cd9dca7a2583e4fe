# mypy: disable-error-code="import-untyped,misc,no-untyped-call"
# The libraries have no types.
"""Clients of WebSockets and of Socket.IO."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import socketio
import websocket
from flask import Flask
from socketio.exceptions import ConnectionError as RefusedError


@contextmanager
def connected(port: int, headers: dict[str, str], path: str = "/ws") -> Iterator[Any]:
    """A connection, closed at the end. It sends no ``Origin`` but that in ``headers``."""
    sent = [f"{name}: {value}" for name, value in headers.items()]
    ws = websocket.WebSocket()
    ws.settimeout(30)  # a worker may take seconds to start
    try:
        ws.connect(f"ws://127.0.0.1:{port}{path}", header=sent, suppress_origin=True)
        ws.settimeout(8)
        yield ws
    finally:
        with suppress(Exception):
            ws.close(timeout=1)
        ws.shutdown()


def outcome(port: int, headers: dict[str, str], path: str = "/ws") -> Any:
    """``"in"``, or how it was refused: an HTTP status, a status of a close frame, or ``"cut"``."""
    try:
        with connected(port, headers, path) as ws:
            opcode, data = ws.recv_data()
            return int.from_bytes(data[:2], "big") if opcode == websocket.ABNF.OPCODE_CLOSE else "in"
    except websocket.WebSocketBadStatusException as error:
        return error.status_code
    except (websocket.WebSocketException, OSError):
        return "cut"


def end_of(ws: Any, seconds: float) -> tuple[float, bytes]:
    """Wait for the end of a connection: how long that took, and what the close frame said."""
    began = time.monotonic()
    ws.settimeout(seconds)
    try:
        opcode, data = ws.recv_data()
        assert opcode == websocket.ABNF.OPCODE_CLOSE
    except websocket.WebSocketConnectionClosedException:
        data = b""
    except websocket.WebSocketTimeoutException:
        pytest.fail("It is still open")
    return time.monotonic() - began, data


def cookie(app: Flask, made: str) -> dict[str, str]:
    return {"Cookie": f"{app.config['JWT_ACCESS_COOKIE_NAME']}={made}"}


@contextmanager
def client(port: int, namespace: str = "/", **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A client, and what happened to it."""
    seen: list[str] = []
    io = socketio.Client(reconnection=False)
    io.on("welcome", lambda who: seen.append(f"welcome {who}"), namespace=namespace)
    io.on("disconnect", lambda *_: seen.append("gone"), namespace=namespace)
    io.on("connect_error", lambda data: seen.append(data["message"]), namespace=namespace)
    options["headers"] = dict(options.get("headers", {}))  # the library takes the cookies out of it
    try:
        with suppress(RefusedError):
            io.connect(f"http://127.0.0.1:{port}", wait_timeout=2, namespaces=[namespace], **options)
            seen.append("connected")
        yield io, seen
    finally:
        io.disconnect()
