"""The drill: keys are published, sign and retire; no good token is refused, and none of a retired key passes.

Once with a clock that the test moves, through an hour in the life of three workers and two services that trust them;
and once for real, with gunicorn and the shell.
"""

from __future__ import annotations

import calendar
import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from storm.rotation import FAULTS, drill

from flask_jwt_extended import create_access_token
from flask_jwt_extended._context import get_state
from flask_jwt_extended._keys.current import RELOAD_INTERVAL
from flask_jwt_extended._request.jwks_endpoint import MAX_AGE

from .._cli.helpers import run
from .._sessions.helpers import Clock, stopped_clock
from ..conftest import MakeApp, bearer
from .lying_server import Handler, LyingServer

ISSUER, PATH = "https://login.example", "/.well-known/jwks.json"
#: Seconds that a token lives.
LIFE = 300


@dataclass
class Hour:
    """An hour of workers that issue and verify, and of services that trust them.

    :ivar workers: applications with one file of keys
    :ivar services: applications that fetch the keys of those
    """

    clock: Clock
    workers: list[Flask]
    services: list[Flask]
    chance: random.Random

    def __post_init__(self) -> None:
        self.tokens: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.keys_seen: list[str] = []

    def pass_(self, seconds: float) -> None:
        """Let time pass. Every few seconds a worker issues a token, and all valid tokens are sent to a service."""
        ends = self.clock.now + seconds
        while self.clock.now < ends:
            self.clock.now += self.chance.uniform(0.5, 5)
            with self.chance.choice(self.workers).app_context():
                self.tokens.append(create_access_token("ada"))
            kid = pyjwt.get_unverified_header(self.tokens[-1])["kid"]
            if kid not in self.keys_seen:
                self.keys_seen.append(kid)
            self.tokens = [each for each in self.tokens if expiry(each) > self.clock.now]
            for token in (self.tokens[-1], self.tokens[0], self.chance.choice(self.tokens)):
                self.outcomes[f"good: {self.show(token, self.workers + self.services)}"] += 1

    def show(self, token: str, verifiers: list[Flask]) -> int:
        return self.chance.choice(verifiers).test_client().get("/access", headers=bearer(token)).status_code

    def operator(self, *arguments: str) -> str:
        result = run(self.workers[0], "keys", *arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout.strip()


def expiry(token: str) -> int:
    claims: dict[str, Any] = pyjwt.decode(token, options={"verify_signature": False})
    return int(claims["exp"])


@pytest.fixture
def hour(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The workers, the services, and a real server between them that serves what the first worker publishes."""
    clock = stopped_clock(monkeypatch)
    # The clock that never goes back: the keychain's and the fetcher's, not that of threads.
    monkeypatch.setattr("flask_jwt_extended._keys.current.time", SimpleNamespace(monotonic=clock))
    with LyingServer() as server:
        options = {"KEYS": tmp_path / "keys.json", "JWKS_PATH": PATH, "SECRET_KEY": None}
        options |= {"ENCODE_ISSUER": ISSUER, "ENCODE_AUDIENCE": "us", "DECODE_AUDIENCE": "us"}
        options |= {"ACCESS_TOKEN_EXPIRES": LIFE, "REFRESH_TOKEN_EXPIRES": LIFE}
        workers = [make_app(**options) for _ in range(3)]
        settings = {"jwks_uri": server.url(PATH), "audience": "us"}
        services = [make_app(SECRET_KEY=None, TRUSTED_ISSUERS={ISSUER: settings}) for _ in range(2)]
        server.answers[PATH] = lambda handler: passed_on(handler, workers[0])
        for service in services:
            get_state(service).issuers[ISSUER].keys._clock = clock
        yield Hour(clock, workers, services, random.Random(1))


def passed_on(handler: Handler, app: Flask) -> None:
    """Answer with the response of an application."""
    headers = {name: handler.headers[name] for name in ("If-None-Match",) if name in handler.headers}
    response = app.test_client().get(PATH, headers=headers)
    handler.say(response.status_code, response.data, dict(response.headers))


@pytest.mark.slow
def test_an_hour_of_rotations_refuses_no_good_token(hour: Hour) -> None:
    """Generate, wait, rotate, and let the old key retire: four times, for all workers and services."""
    hour.operator("generate", "--algorithm", "EdDSA")
    hour.pass_(60)
    for _ in range(4):
        hour.operator("generate")
        hour.pass_(MAX_AGE + RELOAD_INTERVAL)
        hour.operator("rotate")
        hour.pass_(LIFE + 120)
    assert len(hour.keys_seen) == 5
    assert set(hour.outcomes) == {"good: 200"}
    assert hour.outcomes["good: 200"] > 2000


def test_nothing_is_accepted_of_a_key_that_has_retired(hour: Hour) -> None:
    """After its ``until``, to the second, and after ``retire``, as soon as all workers have noticed."""
    hour.operator("generate")
    hour.pass_(30)
    with hour.workers[0].app_context():
        for_ever = create_access_token("eve", expires_delta=False)
    hour.operator("generate")
    hour.pass_(MAX_AGE + RELOAD_INTERVAL)
    hour.operator("rotate")
    hour.clock.now += RELOAD_INTERVAL
    old = next(each for each in json.loads(hour.operator("list", "--json")) if each["state"] == "retiring")
    until = time.strptime(old["until"], "%Y-%m-%dT%H:%M:%SZ")
    ends = calendar.timegm(until)
    for seconds, status in ((-1, 200), (0, 422), (1, 422), (1000, 422)):
        hour.clock.now = ends + seconds
        assert {hour.show(for_ever, [worker]) for worker in hour.workers} == {status}
    with hour.workers[1].app_context():
        stolen = create_access_token("eve", expires_delta=False)
    hour.operator("generate")
    hour.operator("rotate", "--now")
    hour.operator("retire", pyjwt.get_unverified_header(stolen)["kid"])
    hour.clock.now += RELOAD_INTERVAL
    assert {hour.show(stolen, [worker]) for worker in hour.workers} == {422}


def test_services_let_go_of_a_retired_key_as_soon_as_they_fetch(hour: Hour) -> None:
    """They fetch the set again after four of the five minutes for which it is valid."""
    hour.operator("generate")
    hour.operator("generate")
    with hour.workers[0].app_context():
        stolen = create_access_token("eve", expires_delta=4000)
    assert {hour.show(stolen, [service]) for service in hour.services} == {200}
    hour.operator("rotate", "--now")
    hour.operator("retire", pyjwt.get_unverified_header(stolen)["kid"])
    hour.clock.now += MAX_AGE
    for service in hour.services:
        hour.show(stolen, [service])  # the first reader behind the end has the set fetched, and does not wait
        fetch = get_state(service).issuers[ISSUER].keys._fetch
        assert fetch is not None
        fetch.join()
        assert hour.show(stolen, [service]) == 422


def test_the_drill_can_fail(hour: Hour) -> None:
    """With a key that retires before its tokens expire, valid tokens are refused, and the drill reports it."""
    hour.operator("generate")
    hour.operator("generate")
    hour.pass_(30)
    hour.operator("rotate", "--now", "--overlap", "60")
    hour.pass_(120)
    assert set(hour.outcomes) == {"good: 200", "good: 422"}


@pytest.mark.server
@pytest.mark.slow
def test_real_workers_refuse_no_good_token(tmp_path: Path) -> None:
    """Four processes, four clients and typed commands: a rotation with --now, and a key that retires immediately."""
    counts, seconds = drill(1, tmp_path)
    assert {fault: counts[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert counts["issued"] > 50
    assert counts["shown"] > 200
    assert max(seconds) < RELOAD_INTERVAL + 5
