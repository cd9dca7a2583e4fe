"""The engines of the storm, each in a folder of its own: how it is started, killed and hung.

It must not know what is done to them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .outages import Server

#: Holds the lock for writing until its standard input ends, which it does when this process ends.
_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


class _Passive:
    """What has no process of its own: there is nothing to start, to kill or to pause."""

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def kill9(self) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""


class SQLite(_Passive):
    """A database file. There is no server: what hangs it is another process that locks it.

    :param folder: where the file is; it is made
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "jwt.db"
        self._locker: subprocess.Popen[str] | None = None

    def url(self) -> str:
        """Return what JWT_STORE_URI may be."""
        return f"sqlite:///{self.file}"

    def start(self) -> None:
        """Make its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def stop(self) -> None:
        """Release the lock."""
        self.resume()

    def pause(self) -> None:
        """Lock it from another process."""
        command = [sys.executable, "-S", "-E", "-c", _LOCK, str(self.file)]
        self._locker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._locker.stdout is not None
        assert self._locker.stdout.readline() == "locked\n"

    def resume(self) -> None:
        """Let go of the lock."""
        locker, self._locker = self._locker, None
        if locker is not None:
            locker.communicate()


class Memory(_Passive):
    """The memory of this process.

    :param folder: not used
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self) -> str:
        """Return what JWT_STORE_URI may be."""
        return "memory://"


# Those two keep their data in folders of their own, which other users may enter.


def _postgres(_folder: Path) -> Server:
    from tests.servers.postgres import Postgres

    return Postgres(durable=True)


def _mariadb(_folder: Path) -> Server:
    from tests.servers.mariadb import MariaDB

    return MariaDB()


def _redis(folder: Path) -> Server:
    from tests.servers.redis import RedisServer

    return RedisServer(folder, *_DEBIAN)


def _durable_redis(folder: Path) -> Server:
    from tests.servers.redis import RedisServer

    return RedisServer(folder, durable=True)


#: What /etc/redis/redis.conf of Debian says of persistence: the defaults of Redis.
_DEBIAN = ("--save", "3600 1 300 100 60 10000", "--appendonly", "no")


@dataclass(frozen=True)
class Engine:
    """An engine of the storm.

    :ivar name: what ``--stores`` calls it
    :ivar title: what the table calls it
    :ivar make: makes a server with its data in a folder
    :ivar keeps: whether it promises to keep what it acknowledged when it is killed
    """

    name: str
    title: str
    make: Callable[[Path], Server]
    keeps: bool = True

    @property
    def shared(self) -> bool:
        """Whether several processes can use it."""
        return self.name != "memory"

    @property
    def has_server(self) -> bool:
        """Whether there is a process to kill."""
        return self.name not in ("memory", "sqlite")

    def server(self, folder: Path) -> Server:
        """Return a server of it that has nothing to do with any other, and may keep its data in a folder."""
        return self.make(folder / self.name)


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("memory", "memory (threads)", Memory, keeps=False),
        Engine("sqlite", "SQLite", SQLite),
        Engine("postgres", "PostgreSQL", _postgres),
        Engine("mariadb", "MariaDB", _mariadb),
        Engine("redis", "Redis, as Debian ships it", _redis, keeps=False),
        Engine("redis-aof", "Redis, `appendfsync always`", _durable_redis),
    )
}
