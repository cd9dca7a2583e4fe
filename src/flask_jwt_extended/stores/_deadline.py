"""One deadline for an operation of a store, whatever its client library does underneath: connect, retry, read in drips.

A socket's timeout starts anew with every read, and most drivers have none at all. So one thread per store looks at the
operations that are under way, and cuts the connection of one that is late: whoever waits for it gets an error at once.
It costs an operation about a microsecond, and the thread ends when there is nothing to look at.
"""

from __future__ import annotations

import os
import socket
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread, local
from types import TracebackType

#: Seconds without an operation after which the watching thread ends.
_IDLE = 5.0

_here = local()


class Call:
    """One operation under way.

    :ivar expired: whether it was late and its connection cut
    """

    __slots__ = ("_cut", "_ends", "_lock", "_watchdog", "expired")

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._ends = time.monotonic() + watchdog.timeout
        self._cut: Callable[[], object] | None = None
        self._lock = Lock()
        self.expired = False

    def __enter__(self) -> Call:
        self._watchdog._add(self)
        _here.call = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog._calls.discard(self)
        with self._lock:  # a connection that has gone on to another operation must not be cut for this one
            self._cut = None
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

    def watch(self, cut: Callable[[], object]) -> None:
        """Name what ends the wait of this operation when it is late. It is called in another thread.

        :raises TimeoutError: if it is late already
        """
        self._cut = cut
        _ = self.remaining

    def _expire(self) -> None:
        self.expired = True
        with self._lock, suppress(Exception):  # the connection may be gone by itself
            if self._cut is not None:
                self._cut()


class Watchdog:
    """Watches the operations of one store.

    :param timeout: seconds that each may take
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._calls: set[Call] = set()
        self._thread: Thread | None = None
        self._lock = Lock()
        after_fork(self._reset)

    def call(self) -> Call:
        """Begin an operation: ``with watchdog.call() as call: ...``"""
        return Call(self)

    def _reset(self) -> None:
        """A child has no thread of its parent, and none of its operations."""
        self._calls, self._thread, self._lock = set(), None, Lock()

    # Adding an operation and then looking for the thread, the thread leaving and then looking for operations: in
    # whatever order these fall, one of the two sees the other.

    def _add(self, call: Call) -> None:
        self._calls.add(call)
        if self._thread is None:
            try:
                self._start()
            except OSError:
                self._calls.discard(call)
                raise

    def _start(self) -> None:
        # Nobody waits for the lock: to start a thread may switch to another greenlet, whose wait would stop them all.
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


def start_thread(target: Callable[[], object], name: str) -> Thread:
    """Start a thread that does not keep the process from ending.

    :raises OSError: if no more can be had
    """
    thread = Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(str(error)) from None
    return thread


def after_fork(forget: Callable[[], None]) -> None:
    """Call a method in every child that is forked, as long as its object lives. Some platforms have no fork."""
    method = weakref.WeakMethod(forget)

    def in_child() -> None:
        if (call := method()) is not None:
            call()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=in_child)


def current_call() -> Call | None:
    """Return the operation under way in this thread, for the hooks of a client library."""
    return getattr(_here, "call", None)


def shut(fileno: int) -> None:
    """Shut the socket behind a file descriptor for good: a thread that waits for it gets an error, or its end, at once.

    The descriptor itself stays open, so that its owner can close it.
    """
    borrowed = socket.socket(fileno=fileno)
    try:
        borrowed.shutdown(socket.SHUT_RDWR)
    finally:
        borrowed.detach()
