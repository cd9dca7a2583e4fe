"""Workers of a real server: forked after their parent has used the store, and with gevent."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers.redis import free_port

pytestmark = pytest.mark.server

ROOT = Path(__file__).parent.parent.parent
WORKERS = 2
#: Clients at the same time, and how often each goes through login, view, refresh, view: 200 requests.
CLIENTS, TIMES = 10, 5

#: The parent uses the store before it forks. Each answer names its worker.
APP = """
import os
from storm.application import Client

client = Client(os.environ["STORE"], STORE_TIMEOUT=5)
app = client.app

@app.after_request
def sign(response):
    response.headers["Worker"] = str(os.getpid())
    return response

assert client.login().status == 200
"""


@contextmanager
def gunicorn(uri: str, folder: Path, kind: str) -> Iterator[tuple[int, int]]:
    """Serve the application with two workers; the parent's id and the port."""
    (folder / "served.py").write_text(APP)
    port = free_port()
    # gevent has to patch modules before they are imported: its workers import the application themselves.
    preload = ["--preload"] if kind == "sync" else []
    command = [sys.executable, "-m", "gunicorn", *preload, "--workers", str(WORKERS), "--worker-class", kind]
    command += ["--bind", f"127.0.0.1:{port}", "--graceful-timeout", "2", "--no-control-socket", "served:app"]
    paths = os.pathsep.join(map(str, (folder, ROOT)))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "STORE": uri, "PYTHONPATH": paths},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(port, server, folder / "log")
        yield server.pid, port
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        with suppress(ConnectionRefusedError):
            ask(port, "POST", "/login")
            return
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def ask(port: int, method: str, path: str, token: str = "") -> tuple[int, dict[str, Any], int]:
    """Send a request: its status, its body, and the worker that answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), int(response.headers["Worker"])
    finally:
        connection.close()


def life_of_a_client(port: int) -> list[tuple[int, int]]:
    """Log in, look, refresh, look, several times: status and worker of each answer."""
    answers = []
    for _ in range(TIMES):
        status, pair, worker = ask(port, "POST", "/login")
        answers.append((status, worker))
        for method, path, kind in (
            ("GET", "/view", "access"),
            ("POST", "/refresh", "refresh"),
            ("GET", "/view", "access"),
        ):
            status, body, worker = ask(port, method, path, pair[f"{kind}_token"])
            pair |= body
            answers.append((status, worker))
    return answers


def connections_of(process: int, port: int) -> set[str]:
    """The sockets of a process that lead to a port. One that was inherited is in both processes."""
    known = {
        fields[9]
        for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]
        if (fields := line.split())[2].endswith(f":{port:04X}")
    }
    links = [os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir() if link.exists() or link.is_symlink()]
    return known & {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


@pytest.mark.parametrize("kind", ["sync", "gevent"])
@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_workers_of_a_real_server(name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Every request is answered well, by both workers, forked after their parent used the store or patched by gevent,
    and each has connections that neither its parent nor the other ever had.
    """
    uri = str(request.getfixturevalue(f"{name}_uri"))
    store_port = int(uri.rpartition("/")[0].rpartition(":")[2])
    with gunicorn(uri, tmp_path, kind) as (parent, port), ThreadPoolExecutor(CLIENTS) as clients:
        workers: set[int] = set()
        for _ in range(5):  # the kernel decides which worker accepts a connection
            answers = [answer for each in clients.map(life_of_a_client, [port] * CLIENTS) for answer in each]
            assert Counter(status for status, _ in answers) == {200: CLIENTS * TIMES * 4}
            workers |= {worker for _, worker in answers}
            if len(workers) == WORKERS:
                break
        assert len(workers) == WORKERS
        shared = connections_of(parent, store_port)
        own = [connections_of(worker, store_port) - shared for worker in workers]
    assert all(own)
    assert not set.intersection(*own)
