"""One deadline for an operation of a store, whatever its client library does underneath: connect, retry, read in drips.

The timeout of a socket starts again with every read, and most drivers have none at all. So one thread per store watches
the operations in progress, and shuts down the connection of one that is late: the thread that waits for it gets an
error. It costs an operation about a microsecond. The thread ends when there is nothing to watch.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread, local

#: Seconds without an operation after which the watching thread ends.
_IDLE = 5.0

_here = local()


class Call:
    """One operation in progress.

    :ivar expired: whether it was late and its connection was shut down
    """

    __slots__ = ("_ends", "_interrupt", "_lock", "_watchdog", "expired")

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._ends = time.monotonic() + watchdog.timeout
        self._interrupt: Callable[[], object] | None = None
        self._lock = Lock()
        self.expired = False

    def __enter__(self) -> Call:
        self._watchdog._add(self)
        _here.call = self
        return self

    def __exit__(self, *error: object) -> None:
        self._watchdog._calls.discard(self)
        with self._lock:  # another operation may use the connection from now on: it must not be shut down for this one
            self._interrupt = None
        _here.call = None

    @property
    def remaining(self) -> float:
        """Seconds that are left.

        :raises TimeoutError: if there are none
        """
        left = self._ends - time.monotonic()
        if left <= 0 or self.expired:
            raise TimeoutError("The deadline of the operation has passed")
        return left

    def watch(self, interrupt: Callable[[], object]) -> None:
        """Set what interrupts this operation when it is late. It is called in another thread.

        :raises TimeoutError: if it is late already
        """
        self._interrupt = interrupt
        _ = self.remaining

    def _expire(self) -> None:
        self.expired = True
        with self._lock, suppress(Exception):  # the connection may be closed already
            if self._interrupt is not None:
                self._interrupt()


class Watchdog:
    """Watches the operations of one store.

    :param timeout: seconds that each may take
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.reset()

    def reset(self) -> None:
        """Start anew in a forked child: it has neither the thread nor the operations of its parent."""
        self._calls: set[Call] = set()
        self._thread: Thread | None = None
        self._lock = Lock()

    def call(self) -> Call:
        """Begin an operation: ``with watchdog.call() as call: ...``"""
        return Call(self)

    # An operation is added before the thread is looked for; the thread signs off before it looks for operations. So
    # whatever the order, one of the two sees the other.

    def _add(self, call: Call) -> None:
        self._calls.add(call)
        if self._thread is None:
            try:
                self._start()
            except OSError:
                self._calls.discard(call)
                raise

    def _start(self) -> None:
        # Not blocking: starting a thread may switch to another greenlet, and one that blocks here would stop them all.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                self._thread = start_thread(self._watch, "jwt-store-watchdog")
        finally:
            self._lock.release()

    def _watch(self) -> None:
        pause = min(max(self.timeout / 10, 0.01), 0.1)
        last = time.monotonic()
        while True:
            time.sleep(pause)
            now = time.monotonic()
            for call in tuple(self._calls):
                last = now
                if call._ends <= now and not call.expired:
                    call._expire()
            if now - last > _IDLE:
                self._thread = None
                if self._calls:
                    self._start()
                return


class ForkGuard:
    """Notices that this process is a forked child of the one that made an object.

    It compares process ids, because not every fork runs Python's hooks: uWSGI's do not, by default.

    :param reset: replaces what a child must not share with its parent
    """

    def __init__(self, reset: Callable[[], object]) -> None:
        self._reset = reset
        self._process = os.getpid()
        self._lock = Lock()

    def check(self) -> None:
        """Call ``reset`` if this is the first call in a child."""
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():
                self._reset()
                self._process = os.getpid()


def start_thread(target: Callable[[], object], name: str) -> Thread:
    """Start a thread that does not keep the process from ending.

    :raises OSError: if no more threads can be started
    """
    thread = Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(str(error)) from None
    return thread


def current_call() -> Call | None:
    """Return the operation in progress in this thread, for the hooks of a client library."""
    return getattr(_here, "call", None)


def shutdown(fileno: int) -> None:
    """Shut down the socket behind a file descriptor: a thread that waits for it gets an error or the end of the stream.

    The descriptor stays open, so that its owner can close it.
    """
    borrowed = socket.socket(fileno=fileno)
    try:
        borrowed.shutdown(socket.SHUT_RDWR)
    finally:
        borrowed.detach()
