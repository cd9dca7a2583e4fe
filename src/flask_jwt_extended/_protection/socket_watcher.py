"""Closes connections when their token expires or is revoked, its session ends, or that can no longer be checked.

One thread per process watches all connections. It never waits: other threads check, and a slow check counts as failed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from heapq import heappop, heappush
from itertools import count
from typing import Any, Protocol

from flask import Flask, Request
from jwt.exceptions import InvalidTokenError, PyJWTError

from .._context import get_state
from .._jose.token import Token
from .._request import loader_calls
from .._request.authenticate import check_revoked
from .._request.policy import Policy
from .._state import ExtensionState
from ..exceptions import JWTExtendedException, code_of
from ..signals import logger

#: Seconds between two checks of a token. With CHECK_LIMIT, a connection is closed within 5 seconds.
CHECK_EVERY = 3.0
#: Seconds that one check may take.
CHECK_LIMIT = 1.5
#: Where the watches of a request are kept in its environment.
WATCHES = "flask_jwt_extended.watches"

#: Threads that check tokens at the same time, and threads that may be stuck in a check besides.
_MAX_CHECKERS, _MAX_STUCK = 4, 32
#: Seconds after which the clock is read again, and after which a connection that did not close is closed again.
_LOOK_AGAIN, _CLOSE_AGAIN = 5.0, 0.5
#: Seconds between two looks at one connection, at least.
_MIN_PAUSE = 0.01


class Connection(Protocol):
    """A connection that can be closed from another thread. Neither method may block."""

    def close(self, reason: str, /) -> None:
        """Start to close it."""

    def is_open(self) -> bool:
        """Whether it is still open."""
        ...


class Watch:
    """A connection, and the token that it must not outlast.

    :ivar expires: seconds since the epoch
    :ivar every: seconds between two checks of the token; ``None``: it cannot be revoked
    :ivar reason: why the connection is being closed; ``None``: it is not
    :ivar next_check: when to check the token, on the monotonic clock
    :ivar checked_since: when the running check was requested, on the monotonic clock; ``None``: none is running
    """

    connection: Connection
    _watcher: _Watcher

    def __init__(self, app: Flask, token: Token, expires: float, every: float | None, environ: dict[str, Any]) -> None:
        self.token, self.expires, self.every = token, expires, every
        self.is_over = False
        self.reason: str | None = None
        self.next_check = time.monotonic() + (every or 0.0)
        self.checked_since: float | None = None
        self._app, self._environ = app, environ

    @classmethod
    def of(cls, app: Flask, request: Request, token: Token, policy: Policy, every: float) -> Watch:
        """Make one for the connection of a request, with so many seconds between two checks of the token."""
        state = get_state(app)
        loaders = state.loaders
        checks = (state.store, loaders.token_in_blocklist, loaders.token_verification, loaders.user_lookup)
        is_checked = not policy.skip_revocation_check and any(each is not None for each in checks)
        private = (WATCHES, "werkzeug.request")  # a copy does not share them
        environ = {name: value for name, value in request.environ.items() if name not in private}
        return cls(app, token, _expiry(token, state), every if is_checked else None, environ)

    @property
    def has_end(self) -> bool:
        """Whether anything can end the token."""
        return self.every is not None or self.expires != float("inf")

    @property
    def is_active(self) -> bool:
        """Whether the connection is open, as far as is known."""
        return not self.is_over and self.reason is None

    def is_covered(self, others: Iterable[Watch]) -> bool:
        """Whether the connection ends with this token already: it was verified twice. The shorter interval counts."""
        for each in others:
            if each.is_active and each.token.claims == self.token.claims:
                if self.every is None:
                    return True
                if each.every is not None:
                    each.every = min(each.every, self.every)
                    return True
        return False

    def start(self, connection: Connection) -> None:
        """Watch a connection until it ends or is closed."""
        self.connection = connection
        self._watcher = _watcher_of(os.getpid())
        self._watcher.add(self)

    def stop(self) -> None:
        """The connection has ended by itself."""
        self.is_over = True
        self._watcher.forget(self)

    def check(self) -> str | None:
        """Return why the connection must be closed; ``None``: it may stay open."""
        try:
            with self._app.request_context(self._environ.copy()):  # loaders may read the request
                _check_again(self.token, get_state(self._app), time.time())
        except (JWTExtendedException, PyJWTError) as error:
            return code_of(error)
        except BaseException as error:  # from a loader or a driver, whose message may hold an address with a password
            logger.warning("The token of a WebSocket cannot be checked, so it is closed: %s", type(error).__name__)
            return "unavailable"
        return None


def _expiry(token: Token, state: ExtensionState) -> float:
    try:
        return float(token.claims.get("exp", float("inf"))) + state.settings.decode_leeway
    except (TypeError, ValueError, OverflowError):
        raise InvalidTokenError("Expiration Time claim (exp) is out of range") from None


def _check_again(token: Token, state: ExtensionState, now: float) -> None:
    """Ask the store and the loaders again, as when the token was accepted."""
    check_revoked(token, state, now, is_used=token.claims.get("single_use") is True)
    if state.loaders.token_verification is not None:
        loader_calls.check_verification(state.loaders.token_verification, token, state)
    if state.loaders.user_lookup is not None:
        loader_calls.look_up_user(state.loaders.user_lookup, token, state)


class _Watcher:
    """The thread that closes connections. It ends with the last one, and starts with the next."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._changed = threading.Condition()
        self._watches: set[Watch] = set()
        self._turns: list[tuple[float, int, Watch]] = []  # a heap, with one entry for each watch
        self._order = count()
        self._thread: threading.Thread | None = None
        self._checkers = _Checkers(self._check)

    def add(self, watch: Watch) -> None:
        """Watch a connection from now on."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = _start_thread(self._run, "jwt-sockets")
            self._watches.add(watch)
            self._schedule(watch)

    def forget(self, watch: Watch) -> None:
        """Stop watching a connection."""
        if self._process == os.getpid():  # else this is a child process, where the lock may be held forever
            with self._changed:
                self._watches.discard(watch)
                if not self._watches:
                    self._changed.notify()

    def _schedule(self, watch: Watch) -> None:
        heappush(self._turns, (time.monotonic() + _pause(watch), next(self._order), watch))
        self._changed.notify()

    def _run(self) -> None:
        while (watch := self._next()) is not None:
            try:
                self._look_at(watch)
            except Exception as error:
                logger.warning("A WebSocket cannot be watched: %s", type(error).__name__)
                self._close(watch, "unavailable")
            with self._changed:
                if watch in self._watches:
                    self._schedule(watch)

    def _next(self) -> Watch | None:
        """Wait for the next watch whose turn it is; ``None``: there is none left."""
        with self._changed:
            while self._turns and self._watches:
                turn, _, watch = self._turns[0]
                pause = turn - time.monotonic()
                if pause > 0 and watch in self._watches:
                    self._changed.wait(pause)
                    continue
                heappop(self._turns)
                if watch in self._watches:
                    return watch
            self._turns.clear()
            self._thread = None
            return None

    def _look_at(self, watch: Watch) -> None:
        """Close a connection, request a check of its token, or leave it alone until its next turn."""
        since, now = watch.checked_since, time.monotonic()
        if watch.is_over or not watch.connection.is_open():
            self.forget(watch)
        elif watch.reason is not None:
            self._close(watch, watch.reason)
        elif time.time() >= watch.expires:
            self._close(watch, "expired_token")
        elif since is not None and now - since >= CHECK_LIMIT:
            logger.warning("The token of a WebSocket cannot be checked in time, so it is closed")
            self._close(watch, "unavailable")
            self._checkers.replace(watch)
        elif since is None and watch.every is not None and now >= watch.next_check:
            watch.checked_since = now
            self._checkers.submit(watch)

    def _check(self, watch: Watch) -> None:
        if watch.is_active and (reason := watch.check()) is not None:
            self._close(watch, reason)
        watch.next_check = (watch.checked_since or 0.0) + (watch.every or 0.0)
        watch.checked_since = None

    @staticmethod
    def _close(watch: Watch, reason: str) -> None:
        """Close a connection. The next look at it shows whether it is closed."""
        if watch.reason is None:
            logger.debug("A WebSocket is closed: %s", reason)
        watch.reason = reason
        try:
            watch.connection.close(reason)
        except Exception as error:  # the other side may have closed it
            logger.debug("A WebSocket was closed already: %s", type(error).__name__)


def _pause(watch: Watch) -> float:
    """Seconds until the next look at a connection."""
    if watch.reason is not None:
        return _CLOSE_AGAIN
    pause, since = min(_LOOK_AGAIN, watch.expires - time.time()), watch.checked_since
    if since is not None:
        pause = min(pause, watch.every or 0.0, since + CHECK_LIMIT - time.monotonic())
    elif watch.every is not None:
        pause = min(pause, watch.next_check - time.monotonic())
    return max(pause, _MIN_PAUSE)


class _Checkers:
    """A few threads that check tokens. One that is stuck in a check is replaced, as long as few are."""

    def __init__(self, check: Callable[[Watch], None]) -> None:
        self._check = check
        self._lock = threading.Lock()
        self._waiting: deque[Watch] = deque()
        self._running: set[Watch] = set()  # one for each thread that is not stuck
        self._stuck = 0

    def submit(self, watch: Watch) -> None:
        """Check a token soon."""
        with self._lock:
            self._waiting.append(watch)
            self._start_one()

    def replace(self, watch: Watch) -> None:
        """Give up the thread that is stuck in this check, if one is."""
        with self._lock:
            if watch in self._running and self._stuck < _MAX_STUCK:
                self._running.remove(watch)
                self._stuck += 1
                self._start_one()

    def _start_one(self) -> None:
        if self._waiting and len(self._running) < _MAX_CHECKERS:
            watch = self._waiting.popleft()
            _start_thread(lambda: self._run(watch), "jwt-sockets-check")
            self._running.add(watch)

    def _run(self, watch: Watch) -> None:
        while True:
            self._check(watch)
            with self._lock:
                if watch not in self._running:  # this thread was replaced
                    self._stuck -= 1
                    return
                self._running.remove(watch)
                if not self._waiting:
                    return
                watch = self._waiting.popleft()
                self._running.add(watch)


def _start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


@lru_cache(1)
def _watcher_of(process: int) -> _Watcher:
    return _Watcher(process)  # threads do not survive a fork, and uWSGI forks without Python's hooks
