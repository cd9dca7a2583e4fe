# mypy: disable-error-code="import-untyped,misc"
# The library has no types.
"""Serve an application on a port, run programs, and connect to both with WebSockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import simple_websocket
import websocket
from flask import Flask
from werkzeug.serving import make_server


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(app: Flask | Any, port: int = 0) -> Iterator[int]:
    """Serve an application on a port of this machine."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield int(server.port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(
    command: list[str], port: int, folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, wait until it listens, and stop it at the end."""
    errors = folder / f"{Path(command[0]).name}.log"
    with errors.open("w") as log, subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log) as it:
        try:
            assert any(listens(port) or it.poll() is not None for _ in range(600)), errors.read_text()
            assert it.poll() is None, errors.read_text()
            yield it
        finally:
            it.terminate()
            with suppress(subprocess.TimeoutExpired):
                it.wait(20)
            it.kill()


def listens(port: int) -> bool:
    """Whether a server listens on a port. If not, wait a little."""
    try:
        socket.create_connection(("127.0.0.1", port), 0.1).close()
    except OSError:
        threading.Event().wait(0.05)
        return False
    return True


def python(*arguments: str) -> list[str]:
    """A command for the interpreter of these tests."""
    return [sys.executable, *arguments]


def direct(*handlers: urllib.request.BaseHandler) -> urllib.request.OpenerDirector:
    """An opener that uses no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)


def close_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients of Socket.IO leave without waiting three seconds for a close frame that the server does not send."""
    close = websocket.WebSocket.close
    monkeypatch.setattr(websocket.WebSocket, "close", partialmethod(close, timeout=0.05))


class WebSocket(simple_websocket.Client):
    """A client that also reads frames that came together with the answer to its handshake. The library drops them.

    On a busy machine, a refusal comes like that.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        octets = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        super().__init__(url, headers=octets)

    def _thread(self) -> None:
        self.connected = self._handle_events()  # pyright: ignore[reportAttributeAccessIssue]  # pyright sees no parent
        super()._thread()  # pyright: ignore[reportAttributeAccessIssue]
