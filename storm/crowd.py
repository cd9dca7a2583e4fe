"""Many at once: processes that each have an application and a connection of their own, or threads that share one.

It must not know what they are asked to do. They are started once and reused.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Protocol

from flask_jwt_extended.signals import logger

from .application import Client

#: Seconds after which somebody who says nothing is given up.
PATIENCE = 120.0

#: Processes are forked by a server that has neither threads nor connections, and has imported what all of them need.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["flask_jwt_extended", "sqlalchemy", "psycopg", "pymysql", "redis"])


class Barrier(Protocol):
    """Lets all pass once all are there."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the others.

        :param timeout: seconds
        """
        ...


class Member(NamedTuple):
    """One of a crowd, as its tasks see it."""

    client: Client
    barrier: Barrier

    def meet(self) -> None:
        """Wait for all the others."""
        self.barrier.wait(PATIENCE)


#: What a member does: a function of a module, so that another process can be told its name. It returns what can be
#: pickled.
Task = Callable[..., Any]
Work = tuple[Any, ...]  # a task and its arguments


class Crowd(Protocol):
    """Members who do something at once."""

    size: int

    def begin(self, works: Sequence[Work]) -> None:
        """Let the first members work, one task with its arguments each."""
        ...

    def collect(self) -> list[Any]:
        """Return what came of it, in the same order.

        :raises AssertionError: if somebody failed
        """
        ...

    def close(self) -> None:
        """Send all home."""
        ...


def everybody(crowd: Crowd, task: Task, *arguments: Any) -> list[Any]:
    """Let all do the same."""
    return all_of(crowd, [(task, *arguments)] * crowd.size)


def somebody(crowd: Crowd, task: Task, *arguments: Any) -> Any:
    """Let one do something."""
    return all_of(crowd, [(task, *arguments)])[0]


def all_of(crowd: Crowd, works: Sequence[Work]) -> list[Any]:
    """Let the first members work, one task with its arguments each, and return what came of it."""
    crowd.begin(works)
    return crowd.collect()


class Processes:
    """A crowd of processes.

    :param store: what JWT_STORE_URI is to be for each
    :param size: how many
    :param options: other options, without their ``JWT_``
    """

    def __init__(self, store: str, size: int, **options: Any) -> None:
        self.size = size
        self._barrier = _context.Barrier(size)  # kept: it goes with the last who names it
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []
        self._busy: list[Connection] = []
        for _ in range(size):
            ours, theirs = _context.Pipe()
            process = _context.Process(target=_serve, args=(theirs, self._barrier, store, options), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def begin(self, works: Sequence[Work]) -> None:
        """Let the first members work, one task with its arguments each."""
        self._busy = self._pipes[: len(works)]
        for pipe, work in zip(self._busy, works, strict=True):
            pipe.send(work)

    def collect(self) -> list[Any]:
        """Return what came of it, in the same order."""
        return [_received(pipe) for pipe in self._busy]

    def kill9(self) -> None:
        """Kill all, whatever they are at."""
        for process in self._processes:
            process.kill()
        self.close()

    def close(self) -> None:
        """Send all home, and wait until they are."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(5)
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()
        self._pipes, self._processes = [], []


def _received(pipe: Connection) -> Any:
    assert pipe.poll(PATIENCE), "A process does not answer"
    good, result = pipe.recv()
    assert good, result
    return result


def _serve(pipe: Connection, barrier: Barrier, store: str, options: dict[str, Any]) -> None:
    """The life of a process: until the other end is closed, by the parent or by its death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    logger.addHandler(logging.NullHandler())  # outages are the point
    member = Member(Client(store, **options), barrier)
    with suppress(EOFError, ConnectionError):
        while True:
            task, *arguments = pipe.recv()
            pipe.send(_outcome(task, member, arguments))
    member.client.close()


def _outcome(task: Task, member: Member, arguments: Sequence[Any]) -> tuple[bool, Any]:
    try:
        return True, task(member, *arguments)
    except Exception:
        return False, traceback.format_exc()


class Threads:
    """A crowd of threads that share an application.

    :param store: what JWT_STORE_URI is to be
    :param size: how many
    :param options: other options, without their ``JWT_``
    """

    def __init__(self, store: str, size: int, **options: Any) -> None:
        self.size = size
        self._member = Member(Client(store, **options), threading.Barrier(size))
        self._threads = ThreadPoolExecutor(size)
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def begin(self, works: Sequence[Work]) -> None:
        """Let the first members work, one task with its arguments each."""
        self._futures = [self._threads.submit(task, self._member, *arguments) for task, *arguments in works]

    def collect(self) -> list[Any]:
        """Return what came of it, in the same order."""
        return [future.result(PATIENCE) for future in self._futures]

    def close(self) -> None:
        """Send all home."""
        self._threads.shutdown()
        self._member.client.close()


def crowd_for(store: str, size: int, **options: Any) -> Processes | Threads:
    """Return processes, or threads for a store that lives in one process.

    :param store: what JWT_STORE_URI is to be
    """
    return (Threads if store == "memory://" else Processes)(store, size, **options)


def outlived(target: Callable[..., None], *arguments: Any) -> bool:
    """Run a function in a process of its own, and say whether that lived to its end or was killed with SIGKILL.

    :raises AssertionError: if it ended in any other way
    """
    process = _context.Process(target=target, args=arguments, daemon=True)
    process.start()
    process.join(PATIENCE)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    assert code in (0, -signal.SIGKILL), f"The process ended with {code}"
    return code == 0


def kill_this_process() -> None:
    """Be killed with SIGKILL, here and now."""
    os.kill(os.getpid(), signal.SIGKILL)
