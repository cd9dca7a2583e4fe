"""An operation of a store ends at its deadline, whatever it waits for."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores import _deadline as deadline
from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores._deadline import ForkGuard, Watchdog, current_call, shutdown
from flask_jwt_extended.testing.store_contract import Child

#: Seconds that an operation may take here, and that it may be late: a small machine is busy.
TIMEOUT, LATE = 0.2, 1.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def watchdog() -> Watchdog:
    """One with a short timeout."""
    return Watchdog(TIMEOUT)


@contextmanager
def takes(least: float, most: float) -> Iterator[None]:
    """Hold that a block takes so many seconds."""
    start = time.monotonic()
    yield
    assert least <= time.monotonic() - start <= most


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that takes a moment."""
    ends = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends, "it never came to hold"
        time.sleep(0.005)


def read_late(watchdog: Watchdog, ours: socket.socket) -> bool:
    """Wait for a byte that does not come, and return whether the wait was interrupted."""
    with watchdog.call() as call:
        call.watch(lambda: shutdown(ours.fileno()))
        assert ours.recv(1) == b""
    return call.expired


def watchers() -> list[Thread]:
    """The threads that watch."""
    return [thread for thread in threading.enumerate() if thread.name == "jwt-store-watchdog"]


# --- the deadline ----------------------------------------------------------------------------------------------------


def test_a_read_that_hangs(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """A thread that waits for an answer gets the end of the connection at the deadline."""
    with takes(TIMEOUT, TIMEOUT + LATE):
        assert read_late(watchdog, pair[0])


def test_a_read_in_drips(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """An answer that comes byte by byte has the same deadline, though every read is quick."""
    ours, theirs = pair
    over = Event()

    def drip() -> None:
        with suppress(OSError):  # the other side was cut
            while not over.wait(0.01):
                theirs.send(b".")

    dripping = Thread(target=drip)
    dripping.start()
    with takes(TIMEOUT, TIMEOUT + LATE), watchdog.call() as call:
        call.watch(lambda: shutdown(ours.fileno()))
        while ours.recv(1):
            pass
    assert call.expired
    over.set()
    dripping.join()


def test_a_write_that_hangs(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """A write that the other side does not read gets an error at the deadline."""
    ours, _ = pair
    with takes(TIMEOUT, TIMEOUT + LATE), watchdog.call() as call:
        call.watch(lambda: shutdown(ours.fileno()))
        with pytest.raises(BrokenPipeError):
            ours.sendall(b"x" * 10_000_000)
    assert call.expired


def test_an_operation_in_time(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """An operation that ends in time is left alone, and so is its connection afterwards."""
    ours, theirs = pair
    theirs.send(b"x")
    with watchdog.call() as call:
        call.watch(lambda: shutdown(ours.fileno()))
        assert ours.recv(1) == b"x"
    time.sleep(2 * TIMEOUT)
    theirs.send(b"y")
    assert ours.recv(1) == b"y"
    assert not call.expired


def test_a_connection_that_went_on_is_not_cut(watchdog: Watchdog) -> None:
    """An operation that has ended interrupts nothing, though the watching thread has just found it late."""
    cuts: list[str] = []
    with watchdog.call() as call:
        call.watch(lambda: cuts.append("cut"))
    call._expire()
    assert cuts == []


def test_a_cut_is_over_before_the_operation_is(watchdog: Watchdog) -> None:
    """An operation whose connection is being shut down waits for that, so that no other operation gets it meanwhile."""
    cut: list[str] = []
    cutting = Event()

    def take_time() -> None:
        cutting.set()
        time.sleep(0.1)
        cut.append("done")

    with watchdog.call() as call:
        call.watch(take_time)
        assert cutting.wait(10)
    assert cut == ["done"]


def test_one_cut_is_enough(watchdog: Watchdog) -> None:
    """A late operation is interrupted once, however long it lasts."""
    cuts: list[float] = []
    with watchdog.call() as call:
        call.watch(lambda: cuts.append(time.monotonic()))
        time.sleep(TIMEOUT * 3)
    assert len(cuts) == 1


def test_a_cut_that_fails(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
    """An interrupt that raises, because the connection is closed already, does not affect the next."""
    with watchdog.call() as call:
        call.watch(lambda: shutdown(-1))
        wait_until(lambda: call.expired)
    with takes(TIMEOUT, TIMEOUT + LATE):
        assert read_late(watchdog, pair[0])


def test_what_remains(watchdog: Watchdog) -> None:
    """What remains of the time shrinks."""
    with watchdog.call() as call:
        first = call.remaining
        time.sleep(0.01)
        assert 0 < call.remaining < first <= TIMEOUT


def test_nothing_remains(watchdog: Watchdog) -> None:
    """After the deadline, there is no time left, and no connection can be watched: TimeoutError."""
    with watchdog.call() as call:
        time.sleep(TIMEOUT)
        with pytest.raises(TimeoutError):
            _ = call.remaining
        with pytest.raises(TimeoutError):
            call.watch(lambda: None)


def test_a_clock_that_is_set_has_no_say(watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines do not depend on the time of day."""
    with watchdog.call() as call:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert call.remaining > 0


def test_many_operations_at_once(watchdog: Watchdog) -> None:
    """Many operations that hang are all interrupted at the same deadline, by one thread."""
    crowd = 16
    barrier = Barrier(crowd)

    def hang() -> bool:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            barrier.wait()
            return read_late(watchdog, ours)

    before = len(watchers())
    with takes(TIMEOUT, TIMEOUT + LATE), ThreadPoolExecutor(crowd) as pool:
        running = [pool.submit(hang) for _ in range(crowd)]
        assert all(each.result() for each in running)
    assert len(watchers()) <= before + 1
    assert not watchdog._calls


# --- the operation of a thread ---------------------------------------------------------------------------------------


def test_the_operation_at_hand(watchdog: Watchdog) -> None:
    """A hook finds the operation of its own thread, while it lasts."""
    assert current_call() is None
    with watchdog.call() as call:
        assert current_call() is call
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(current_call).result() is None
    assert current_call() is None


def test_an_operation_that_fails(watchdog: Watchdog) -> None:
    """An operation that raises has ended too."""
    with pytest.raises(ZeroDivisionError), watchdog.call():
        _ = 1 / 0
    assert current_call() is None
    assert not watchdog._calls


# --- the watching thread ---------------------------------------------------------------------------------------------


def test_the_thread_ends_and_starts_again(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread ends when there is nothing to watch, and the next operation starts another."""
    monkeypatch.setattr(deadline, "_IDLE", 0.05)
    with watchdog.call():
        first = watchdog._thread
    assert first is not None
    wait_until(lambda: not first.is_alive())
    assert watchdog._thread is None
    with takes(TIMEOUT, TIMEOUT + LATE):
        assert read_late(watchdog, pair[0])


def test_the_thread_stays_for_a_long_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that takes longer than the thread idles is watched to its end."""
    monkeypatch.setattr(deadline, "_IDLE", 0.05)
    watchdog = Watchdog(0.5)
    with watchdog.call():
        first = watchdog._thread
        time.sleep(0.3)
        assert watchdog._thread is first


def test_an_operation_that_begins_while_the_thread_leaves(
    watchdog: Watchdog, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operation that begins while the thread ends is watched by another."""
    monkeypatch.setattr(deadline, "_IDLE", 0.0)
    with watchdog.call():
        leaving = watchdog._thread
    assert leaving is not None
    leaving.join(5)
    call = watchdog.call().__enter__()
    assert watchdog._thread is not leaving
    call.watch(lambda: shutdown(pair[0].fileno()))
    with takes(0, TIMEOUT + LATE):
        assert pair[0].recv(1) == b""
    call.__exit__(None, None, None)


def test_operations_while_the_thread_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the thread ends and starts, each operation that hangs is interrupted."""
    monkeypatch.setattr(deadline, "_IDLE", 0.0)
    watchdog = Watchdog(0.02)

    def hang() -> bool:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            time.sleep(0.005)
            try:
                return read_late(watchdog, ours)
            except TimeoutError:  # on a busy machine its time may be over before it begins to wait
                return True

    with ThreadPoolExecutor(4) as pool, takes(0, 10):
        running = [pool.submit(hang) for _ in range(80)]
        assert all(each.result(5) for each in running)


def _refuse(thread: Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_thread_that_cannot_start(watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started the operation fails, and the next one tries again."""
    with monkeypatch.context() as patch:
        patch.setattr(Thread, "start", _refuse)
        with pytest.raises(OSError, match="can't start new thread"), watchdog.call():
            pass
    assert current_call() is None
    assert not watchdog._calls
    with watchdog.call():
        assert watchdog._thread is not None


def test_no_thread_is_to_be_had_for_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a store, this is an outage like any other."""
    store = open_store(f"sqlite:///{tmp_path}/jwt.db", TIMEOUT)

    monkeypatch.setattr(Thread, "start", _refuse)
    with pytest.raises(StoreUnavailableError, match="unavailable"):
        store.status(None, None)
    store.close()


# --- forks -----------------------------------------------------------------------------------------------------------

if hasattr(os, "fork"):

    def test_a_child_is_watched_too(watchdog: Watchdog, pair: tuple[socket.socket, socket.socket]) -> None:
        """A child has a watching thread of its own, and its parent keeps the old one."""
        with watchdog.call():
            pass

        def hang() -> list[bool]:
            watchdog.reset()
            start = time.monotonic()
            ours, theirs = socket.socketpair()
            with ours, theirs:
                return [read_late(watchdog, ours), time.monotonic() - start <= TIMEOUT + LATE]

        assert Child(hang).result() == [True, True]
        assert read_late(watchdog, pair[0])

    def test_a_child_has_no_operations() -> None:
        """A child does not interrupt the operations of its parent."""
        watchdog = Watchdog(60)
        with watchdog.call() as call:
            call.watch(lambda: None)

            def look() -> list[Any]:
                watchdog.reset()
                return [len(watchdog._calls), watchdog._thread is None]

            assert Child(look).result() == [0, True]
            assert watchdog._calls == {call}

    def test_a_child_starts_anew_once() -> None:
        """A child replaces what it must not share when it first uses it, and its parent never does."""
        resets: list[int] = []
        guard = ForkGuard(lambda: resets.append(os.getpid()))
        guard.check()

        def use() -> bool:
            guard.check()
            guard.check()
            return resets == [os.getpid()]

        assert Child(use).result() is True
        guard.check()
        assert resets == []


# --- cutting ---------------------------------------------------------------------------------------------------------


def test_shutting_leaves_the_descriptor(pair: tuple[socket.socket, socket.socket]) -> None:
    """A socket that was shut down neither sends nor receives, and its owner can still close it."""
    ours, theirs = pair
    descriptor = ours.fileno()
    shutdown(descriptor)
    assert ours.fileno() == descriptor
    assert os.fstat(descriptor)
    assert ours.recv(1) == b""
    assert theirs.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        ours.send(b"x")


def test_shutting_what_is_no_socket() -> None:
    """A descriptor that is something else by now is an error, and stays open."""
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe, open(writing, "wb") as end:
        with pytest.raises(OSError, match="socket"):
            shutdown(reading)
        end.write(b"x")
        end.flush()
        assert pipe.read(1) == b"x"
