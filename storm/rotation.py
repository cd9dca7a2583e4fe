"""``make drill``: keys rotate and retire under load, and no good token is refused.

Real gunicorn workers share a file of keys. Clients log in and show their tokens without a pause while the keys go
through their lives by way of ``flask jwt keys``, each command a process of its own. Ends with status 1 if a good token
was refused, or one was accepted whose key had retired.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import jwt as pyjwt
from flask import Flask, request
from tests.servers import Process, free_port

from flask_jwt_extended import JWTManager, create_access_token, jwt_required
from flask_jwt_extended._keys.current import RELOAD_INTERVAL
from flask_jwt_extended._request.jwks_endpoint import MAX_AGE

WORKERS, CLIENTS = 4, 4
#: Seconds that a token lives, and that the one lives by which a retired key is tried.
LIFE, LONG_LIFE = 3, 3600
#: Seconds of doubt: a request that was sent at the very end of a life may arrive behind it.
DOUBT = 0.5
PATH = "/.well-known/jwks.json"
ISSUER = "https://login.example"


def create_app() -> Flask:
    """What the workers serve: the issuer, or a service that trusts it."""
    app = Flask("drill")
    app.config["JWT_PROFILE"] = "strict"
    if keys_at := os.environ.get("DRILL_ISSUER"):
        app.config["JWT_TRUSTED_ISSUERS"] = {ISSUER: {"jwks_uri": keys_at, "audience": "drill"}}
    else:
        app.config.update(JWT_KEYS="keys.json", JWT_JWKS_PATH=PATH, JWT_ENCODE_ISSUER=ISSUER)
        app.config.update(JWT_ENCODE_AUDIENCE="drill", JWT_ACCESS_TOKEN_EXPIRES=LIFE, JWT_REFRESH_TOKEN_EXPIRES=LIFE)
    JWTManager(app)
    app.add_url_rule("/login", view_func=login, methods=["POST"])
    app.add_url_rule("/view", view_func=jwt_required()(worker))
    return app


def login() -> dict[str, Any]:
    """Issue a token for everybody."""
    life = request.args.get("life", LIFE, type=int)
    return {"token": create_access_token("ada", expires_delta=life), **worker()}


def worker() -> dict[str, Any]:
    """Name the worker that answers."""
    return {"worker": os.getpid()}


class Fleet(Process):
    """Gunicorn and its workers, in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__()
        self.folder = folder
        self.port = free_port()
        os.environ.update(environment)
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
        address = f"127.0.0.1:{self.port}"
        arguments = ["--workers", str(WORKERS), "--threads", "2", "--bind", address, "--no-control-socket"]
        log = folder / f"log-{self.port}"
        self._launch([sys.executable, "-m", "gunicorn", *arguments, "storm.rotation:create_app()"], folder, log)
        for name in environment:
            del os.environ[name]
        self._wait(log)

    def _wait(self, log: Path) -> None:
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            with suppress(OSError):
                ask(self.port, "GET", "/view")
                return
            time.sleep(0.05)
        raise RuntimeError(log.read_text())

    def keys(self, *arguments: str) -> str:
        """Run ``flask jwt keys`` as an operator does."""
        command = [sys.executable, "-m", "flask", "--app", "storm.rotation:create_app", "jwt", "keys", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


def ask(port: int, method: str, path: str, token: str | None = None) -> tuple[int, dict[str, Any]]:
    """Send a request: its status and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@dataclass
class Load:
    """Clients that log in and show tokens until they are told to stop, and what came of it.

    :ivar port: where they log in
    :ivar shown_at: where they show their tokens
    :ivar refusals: good tokens that were refused: when, where, and how
    :ivar steals: whether they show tokens of each key that outlive it
    :ivar leaves: the names of keys that workers may refuse by now
    :ivar retired: from when all of them must, by the name of the key
    """

    port: int
    shown_at: list[int]
    steals: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    signed_by: dict[int, str] = field(default_factory=dict)
    leaves: set[str] = field(default_factory=set)
    retired: dict[str, float] = field(default_factory=dict)
    long_lived: dict[str, str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)
    _recent: list[str] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)
    _stop: Event = field(default_factory=Event)

    def __enter__(self) -> Load:
        self._threads = [Thread(target=self._run) for _ in range(CLIENTS)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()
        for refusal in self.refusals[:5]:
            print("refused:", refusal, file=sys.stderr)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._log_in()
            for token in (*random.sample(self._recent, min(5, len(self._recent))), *self.long_lived.values()):
                for port in self.shown_at:
                    self._show(token, port)

    def _log_in(self) -> None:
        status, body = ask(self.port, "POST", "/login")
        if status != 200:
            self._count("logins refused")
            return
        kid = pyjwt.get_unverified_header(body["token"])["kid"]
        if self.steals and kid not in self.long_lived:
            longer = ask(self.port, "POST", f"/login?life={LONG_LIFE}")[1]["token"]
            self.long_lived[pyjwt.get_unverified_header(longer)["kid"]] = longer
        with self._lock:
            self.signed_by[body["worker"]] = kid
            self._recent = [*self._recent[-200:], body["token"]]
        self._count("issued")

    def _show(self, token: str, port: int) -> None:
        kid = pyjwt.get_unverified_header(token)["kid"]
        expires = pyjwt.decode(token, options={"verify_signature": False})["exp"]
        is_over = time.time() >= self.retired.get(kid, float("inf"))
        status, body = ask(port, "GET", "/view", token)
        self._count("shown")
        if status == 200 and is_over:
            self._count("accepted after retirement")
        was_good = time.time() + DOUBT < expires and kid not in self.leaves
        if status != 200 and was_good:
            self._count("good ones refused")
            self.refusals.append(f"{time.monotonic() - self._began:.1f} s, port {port}, key {kid[:8]}: {status} {body}")
        if status >= 500:
            self._count("errors")

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def until_all_sign_with(self, kid: str) -> float:
        """Wait until every worker signs with a key, and return the seconds that it took."""
        began = time.monotonic()
        while len(self.signed_by) < WORKERS or set(self.signed_by.values()) != {kid}:
            if time.monotonic() > began + 30:
                raise RuntimeError("A worker has not noticed the rotation")
            time.sleep(0.01)
        return time.monotonic() - began


def cycle(fleet: Fleet, load: Load, wait: float, *, at_once: bool) -> float:
    """Let a key go through its life: generated, published, signing, and its predecessor retired.

    :param wait: seconds between publishing and signing
    :return: seconds until all workers had noticed the rotation
    """
    before = fleet.keys("list", "--json")
    old = next(each["kid"] for each in json.loads(before) if each["state"] == "active")
    new = fleet.keys("generate")
    time.sleep(wait)
    fleet.keys("rotate", *(["--now"] if at_once else []))
    seconds = load.until_all_sign_with(new)
    time.sleep(1)
    # The tokens that live for an hour are now in the hands of somebody who should not have them.
    load.leaves.add(old)
    fleet.keys("retire", old)
    load.retired[old] = time.time() + RELOAD_INTERVAL + DOUBT
    time.sleep(RELOAD_INTERVAL + 2 * DOUBT + 1)
    return seconds


def drill(cycles: int, folder: Path) -> tuple[Counter[str], list[float]]:
    """Rotate so often, with no more haste than workers need to notice."""
    fleet = Fleet(folder)
    try:
        fleet.keys("generate")
        with Load(fleet.port, [fleet.port]) as load:
            seconds = [cycle(fleet, load, RELOAD_INTERVAL + DOUBT, at_once=True) for _ in range(cycles)]
        return load.counts, seconds
    finally:
        fleet.stop()


def patient_drill(folder: Path) -> tuple[Counter[str], list[float]]:
    """Rotate once, as slowly as ``flask jwt keys`` asks for, before the eyes of a service that trusts the issuer."""
    fleet = Fleet(folder)
    try:
        fleet.keys("generate")
        service = Fleet(folder, DRILL_ISSUER=f"http://127.0.0.1:{fleet.port}{PATH}")
        try:
            with Load(fleet.port, [fleet.port, service.port], steals=False) as load:
                seconds = [patient_cycle(fleet, load)]
            return load.counts, seconds
        finally:
            service.stop()
    finally:
        fleet.stop()


def patient_cycle(fleet: Fleet, load: Load) -> float:
    """A rotation that verifiers see coming. The old key retires by itself, when its tokens have expired."""
    new = fleet.keys("generate")
    time.sleep(MAX_AGE + RELOAD_INTERVAL + 1)
    fleet.keys("rotate")
    seconds = load.until_all_sign_with(new)
    time.sleep(10)
    return seconds


def main() -> int:
    """Drill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=5, help="how often keys rotate in haste (default: 5)")
    parser.add_argument("--quick", action="store_true", help="leave out the patient rotation, which takes five minutes")
    chosen = parser.parse_args()
    outcomes = {}
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        outcomes[f"{chosen.cycles} rotations in haste"] = drill(chosen.cycles, Path(folder))
    if not chosen.quick:
        with tempfile.TemporaryDirectory(prefix="drill-") as folder:
            outcomes["a patient rotation, with a service that trusts the issuer"] = patient_drill(Path(folder))
    for name, (counts, seconds) in outcomes.items():
        print(f"{name}: {WORKERS} workers, {CLIENTS} clients")
        for what in ("issued", "shown", *FAULTS):
            print(f"  {what}: {counts[what]:,}")
        print(f"  until every worker had noticed: {max(seconds):.1f} s at most")
    return int(any(counts[fault] for counts, _ in outcomes.values() for fault in FAULTS))


FAULTS = ("logins refused", "good ones refused", "accepted after retirement", "errors")

if __name__ == "__main__":
    sys.exit(main())
