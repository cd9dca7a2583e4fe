"""The thread that closes connections, with connections that only remember how they were closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask, current_app, request

from flask_jwt_extended._jose.token import Token
from flask_jwt_extended._protection import socket_watcher
from flask_jwt_extended._protection.socket_watcher import Watch
from flask_jwt_extended._request.policy import Policy

from .._keys.helpers import eventually
from .frameworks import make_app

#: Seconds between two checks in these tests.
EVERY = 0.02


class Client:
    """A connection.

    :ivar closed: the reasons for which it was closed, one for each time
    """

    def __init__(self, *, stays_open: int = 0) -> None:
        self.closed: list[str] = []
        self.stays_open = stays_open

    def close(self, reason: str) -> None:
        self.closed.append(reason)
        if reason == "expired_token" and len(self.closed) <= self.stays_open:
            raise OSError("gone")

    def is_open(self) -> bool:
        return len(self.closed) <= self.stays_open


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Short pauses, long limits for busy machines, and no thread left behind."""
    for name, seconds in (("CHECK_LIMIT", 10), ("_CLOSE_AGAIN", 0.02), ("_LOOK_AGAIN", 60)):
        monkeypatch.setattr(socket_watcher, name, seconds)
    yield
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "jwt-sockets"])


def make(blocklist: Callable[[str], bool] | None = None) -> Flask:
    """An application whose blocklist is asked for the subject of a token."""
    app, jwt = make_app()
    if blocklist is not None:
        jwt.token_in_blocklist_loader(lambda _header, claims: blocklist(claims["sub"]))
    return app


def watch(app: Flask, name: str = "ada", every: float = EVERY, client: Client | None = None, **claims: Any) -> Any:
    """Watch a connection; it has the attribute ``client``, which was closed or not."""
    token = Token({}, {"sub": name, "jti": name, "type": "access", **claims})
    with app.test_request_context("/feed"):
        made: Any = Watch.of(app, request._get_current_object(), token, Policy(), every)  # type: ignore[attr-defined]
    made.client = client or Client()
    made.start(made.client)
    return made


def test_a_connection_is_closed_when_its_token_expires() -> None:
    """After the leeway, and not before; one whose token has no end stays open until it is stopped."""
    app = make()
    app.config["JWT_DECODE_LEEWAY"] = 0.2
    began = time.time()
    short, endless = watch(app, exp=began), watch(app)
    assert (short.has_end, endless.has_end) == (True, False)
    assert eventually(lambda: short.client.closed)
    assert time.time() - began >= 0.2
    endless.stop()
    assert (short.client.closed, endless.client.closed) == (["expired_token"], [])


def test_a_connection_is_closed_when_its_token_is_revoked() -> None:
    """Others stay open, and are checked again and again."""
    revoked, asked = set[str](), list[str]()

    def is_revoked(name: str) -> bool:
        asked.append(f"{name} {request.path}")
        return name in revoked

    app = make(is_revoked)
    good, bad = watch(app, "good"), watch(app, "bad")
    assert eventually(lambda: {"good /feed", "bad /feed"} <= set(asked))
    revoked.add("bad")
    assert eventually(lambda: bad.client.closed == ["revoked_token"])
    seen = asked.count("good /feed")
    assert eventually(lambda: asked.count("good /feed") > seen + 3)
    assert good.client.closed == []
    good.stop()


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_a_check_that_fails_closes_the_connection(error: type[BaseException]) -> None:
    """Whatever a loader raises, the token is not known to be good."""

    def fail(_name: str) -> bool:
        raise error

    failing = watch(make(fail))
    assert eventually(lambda: failing.client.closed == ["unavailable"])


def test_checks_that_hang_do_not_delay_other_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their connections are closed after the limit, and other threads do the work of the stuck ones."""
    monkeypatch.setattr(socket_watcher, "CHECK_LIMIT", 0.5)
    released, revoked = threading.Event(), set[str]()

    def is_revoked(name: str) -> bool:
        if name.startswith("stuck"):
            released.wait(10)
        return name in revoked

    app = make(is_revoked)
    try:
        stuck = [watch(app, f"stuck{number}") for number in range(6)]
        late, good = watch(app, "late", every=1), watch(app, "good", every=1)
        assert eventually(lambda: all(each.client.closed == ["unavailable"] for each in stuck))
        revoked.add("late")
        assert eventually(lambda: late.client.closed == ["revoked_token"])
        assert good.client.closed == []
        good.stop()
    finally:
        released.set()
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "jwt-sockets-check"])


def test_with_too_many_stuck_checks_connections_are_closed_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are not added without end; they are used again when they are free."""
    monkeypatch.setattr(socket_watcher, "_MAX_STUCK", 1)
    monkeypatch.setattr(socket_watcher, "CHECK_LIMIT", 0.5)
    released = threading.Event()
    app = make(lambda name: name == "stuck" and not released.wait(10))
    try:
        stuck = [watch(app, "stuck", number=number) for number in range(4)]
        assert eventually(lambda: all(each.client.closed == ["unavailable"] for each in stuck))
        last = watch(app, "stuck")  # in the thread that replaces one of them
        assert eventually(lambda: last.client.closed == ["unavailable"])
        assert sum(each.name == "jwt-sockets-check" for each in threading.enumerate()) == 5
        other = watch(app, "other")
        assert eventually(lambda: other.client.closed == ["unavailable"])
    finally:
        released.set()
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name == "jwt-sockets-check"])
    monkeypatch.setattr(socket_watcher, "CHECK_LIMIT", 10)
    good = watch(app, "good")
    time.sleep(0.2)
    assert good.client.closed == []
    good.stop()


def test_a_connection_that_stays_open_is_closed_again() -> None:
    """Also if closing it fails."""
    answers = iter([True])
    expired = watch(make(), client=Client(stays_open=2), exp=0)
    revoked = watch(make(lambda _name: next(answers, False)), client=Client(stays_open=2))
    assert eventually(lambda: len(expired.client.closed) == len(revoked.client.closed) == 3)
    assert set(expired.client.closed) == {"expired_token"}
    assert set(revoked.client.closed) == {"revoked_token"}


def test_a_token_is_checked_no_more_often_than_requested() -> None:
    """The interval is counted from the request for the last check."""
    loader = Mock(return_value=False)
    good = watch(make(loader), every=0.2)
    time.sleep(0.7)
    good.stop()
    assert 1 <= loader.call_count <= 3


def test_a_connection_that_cannot_be_watched_is_closed() -> None:
    """Its server may have forgotten it."""

    class Broken(Client):
        def is_open(self) -> bool:
            if not self.closed:
                raise KeyError
            return False

    broken = watch(make(lambda _name: False), client=Broken())
    assert eventually(lambda: broken.client.closed == ["unavailable"])


def test_a_token_that_is_verified_twice_is_watched_once() -> None:
    """The shorter interval counts. Another token, and one that is watched without checks, need a watch of their own."""
    app = make(lambda _name: False)
    first = watch(app, every=0.5)
    try:
        for name, every, covered in (("ada", 0.1, True), ("ada", 0.9, True), ("eve", 0.1, False)):
            token = Token({}, {**first.token.claims, "sub": name})
            assert Watch(app, token, float("inf"), every, {}).is_covered([first]) is covered
        assert first.every == 0.1
        unchecked = Watch(app, first.token, float("inf"), None, {})
        assert unchecked.is_covered([first])
        assert not first.is_covered([unchecked])
    finally:
        first.stop()
    assert not unchecked.is_covered([first])


SKIPPING = Policy(skip_revocation_check=True)


@pytest.mark.parametrize(
    ("blocklist", "policy", "every"), [(bool, Policy(), 3), (bool, SKIPPING, None), (None, Policy(), None)]
)
def test_a_token_is_checked_only_if_something_can_revoke_it(blocklist: Any, policy: Policy, every: int | None) -> None:
    """Neither without a store and loaders, nor for a view that skips the check."""
    with make(blocklist).test_request_context():
        assert Watch.of(current_app, request, Token({}, {}), policy, 3).every == every
