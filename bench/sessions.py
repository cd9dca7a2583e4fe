"""``make bench``: what sessions cost: the check of every request, with few and with many of them, and pruning.

The check is what a protected view costs more with a store than without. It is compared with one bare round trip of the
store's own client, on the same server, in the same rounds.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the servers are those of the tests

from flask_jwt_extended import JWTManager, create_access_token, jwt_required
from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores.base import MARGIN, SessionStore
from flask_jwt_extended.stores.records import NEVER, RefreshToken, SessionRecord

OUT = Path(__file__).resolve().parent / "out" / "sessions.json"
SECRET = "a secret of thirty-two bytes, or more"
NAMES = ("memory", "sqlite", "postgres", "mariadb", "redis")
THOUSAND, BATCH, ROUNDS, CALLS = 1_000, 1_000, 25, 40
SELECT = "SELECT deadline FROM jwt_sessions WHERE session_id = "


@dataclass
class Engine:
    """A store, and what its client does without it.

    :ivar bare: one round trip for a session
    :ivar load: writes rows of (session id, owner, deadline, generation, record) in bulk
    """

    store: SessionStore
    bare: Callable[[str], object]
    load: Callable[[list[tuple[Any, ...]]], object]


@contextmanager
def memory() -> Iterator[Engine]:
    """A dictionary."""
    store: Any = open_store("memory://", 5)

    def load(rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            store.add(SessionRecord.from_json(row[4]))

    yield Engine(store, lambda session_id: store._sessions[session_id].deadline, load)


@contextmanager
def sqlite() -> Iterator[Engine]:
    """A file."""
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/jwt.db", 5)
        store.create()
        client = sqlite3.connect(f"{folder}/jwt.db", isolation_level=None)
        client.execute("PRAGMA synchronous=OFF")  # of this connection, which only loads and reads
        client.execute("PRAGMA cache_size=-500000")

        def load(rows: list[tuple[Any, ...]]) -> None:
            client.execute("BEGIN")
            client.executemany("INSERT INTO jwt_sessions VALUES (?, ?, ?, ?, ?)", rows)
            client.execute("COMMIT")

        yield Engine(store, lambda session_id: client.execute(SELECT + "?", (session_id,)).fetchone(), load)
        client.close()
        store.close()


@contextmanager
def postgres() -> Iterator[Engine]:
    """A PostgreSQL on this machine."""
    from tests.servers.postgres import Postgres

    with Postgres() as server, server.connect() as client:
        store = open_store(server.url(), 5)
        store.create()

        def load(rows: list[tuple[Any, ...]]) -> None:
            with client.cursor().copy("COPY jwt_sessions FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

        yield Engine(store, lambda session_id: client.execute(SELECT + "%s", (session_id,)).fetchone(), load)
        store.close()


@contextmanager
def mariadb() -> Iterator[Engine]:
    """A MariaDB on this machine."""
    import pymysql  # type: ignore[import-untyped]  # it has no types
    from sqlalchemy import make_url
    from tests.servers.mariadb import MariaDB

    with MariaDB(**{"innodb-flush-log-at-trx-commit": "0"}) as server:
        store = open_store(server.url(), 5)
        store.create()
        url = make_url(server.url())
        with (
            pymysql.connect(
                host=str(url.host),
                port=server.port,
                user=url.username,
                password=str(url.password),
                database=url.database,
                autocommit=True,
            ) as client,
            client.cursor() as cursor,
        ):

            def bare(session_id: str) -> object:
                cursor.execute(SELECT + "%s", (session_id,))
                return cursor.fetchone()

            def load(rows: list[tuple[Any, ...]]) -> None:
                cursor.executemany("INSERT INTO jwt_sessions VALUES (%s, %s, %s, %s, %s)", rows)

            yield Engine(store, bare, load)
        store.close()


@contextmanager
def redis() -> Iterator[Engine]:
    """A Redis on this machine."""
    from redis import Redis
    from tests.servers.redis import RedisServer

    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as server:
        store, client = open_store(server.url(), 5), Redis.from_url(server.url())

        def load(rows: list[tuple[Any, ...]]) -> None:
            pipeline = client.pipeline(transaction=False)
            for session_id, _, deadline, generation, record in rows:
                fields: dict[str, Any] = {"record": record, "generation": generation, "deadline": deadline}
                pipeline.hset(f"jwt:s:{session_id}", mapping=fields)  # type: ignore[arg-type]  # invariant
            pipeline.execute()

        yield Engine(store, lambda session_id: client.hmget(f"jwt:s:{session_id}", "deadline", "r:"), load)
        client.close()
        store.close()


ENGINES = {"memory": memory, "sqlite": sqlite, "postgres": postgres, "mariadb": mariadb, "redis": redis}

# --- sessions in bulk -------------------------------------------------------------------------------------------------


def session_id(number: int) -> str:
    """The id of a session, by its number: random enough for any index."""
    return f"{random.Random(number).getrandbits(128):032x}"


def fill(engine: Engine, first: int, last: int, deadline: float) -> None:
    """Load sessions by their numbers."""
    now = time.time()
    sample = SessionRecord(
        session_id="",
        identity="",
        claims={},
        label="laptop",
        user_agent="Mozilla/5.0",
        address="192.0.2.1",
        created_at=now,
        refreshed_at=now,
        ends_at=deadline,
        deadline=deadline,
        generation=1,
        current=RefreshToken(jti="8a4a9f0e-0000-4000-8000-000000000000", issued_at=int(now), expires_at=NEVER),
    )
    for start in range(first, last, 10_000):
        rows = []
        for number in range(start, min(start + 10_000, last)):
            record = replace(sample, session_id=session_id(number), identity=f"user-{number}")
            rows.append((record.session_id, record.owner, deadline, 1, record.to_json()))
        engine.load(rows)


# --- the check of a request -------------------------------------------------------------------------------------------


def caller(store: SessionStore | None) -> Callable[[str], None]:
    """A request to a protected view with a token of a session."""
    app = Flask("sessions")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI=store)
    JWTManager(app)
    app.add_url_rule("/", "view", jwt_required()(lambda: "ok"))
    environ = EnvironBuilder(path="/").get_environ()

    def call(token: str) -> None:
        statuses: list[str] = []
        sent = {**environ, "HTTP_AUTHORIZATION": f"Bearer {token}"}
        b"".join(app.wsgi_app(sent, lambda status, *_: statuses.append(status)))  # type: ignore[arg-type]
        assert statuses == ["200 OK"], statuses

    return call


def tokens_of(ids: list[str]) -> list[str]:
    """An access token for each session."""
    app = Flask("tokens")
    app.config.update(JWT_SECRET_KEY=SECRET)
    JWTManager(app)
    with app.app_context():
        return [create_access_token("user", additional_claims={"sid": each}) for each in ids]


def microseconds(call: Callable[[str], object], arguments: list[str]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    for argument in arguments:
        call(argument)
    return (time.perf_counter() - start) / len(arguments) * 1e6


def check_cost(engine: Engine, sessions: int) -> tuple[float, float]:
    """Microseconds that the check costs, and those of a bare round trip. Medians of paired rounds."""
    with_store, without = caller(engine.store), caller(None)
    costs, bares = [], []
    for _ in range(ROUNDS):
        ids = [session_id(random.randrange(sessions)) for _ in range(CALLS)]
        tokens = tokens_of(ids)
        costs.append(microseconds(with_store, tokens) - microseconds(without, tokens))
        bares.append(microseconds(engine.bare, ids))
    return statistics.median(costs), statistics.median(bares)


# --- pruning ----------------------------------------------------------------------------------------------------------


def watch(store: SessionStore, stop: Any, answers: Any, sessions: int) -> None:
    """Ask for sessions until told to stop, in a process of its own; the slowest hundredth is what took this long."""
    times = []
    while not stop.is_set():
        times.append(microseconds(lambda each: store.status(each, None), [session_id(random.randrange(sessions))]))
    answers.put(statistics.quantiles(times, n=100)[-1])


@contextmanager
def watched(store: SessionStore, sessions: int, found: list[float]) -> Iterator[None]:
    """Measure checks meanwhile."""
    context = multiprocessing.get_context("fork")
    stop, answers = context.Event(), context.Queue()
    process = context.Process(target=watch, args=(store, stop, answers, sessions))
    process.start()
    try:
        yield
    finally:
        stop.set()
        found.append(answers.get())
        process.join()


def prune_cost(engine: Engine, sessions: int) -> dict[str, float]:
    """Seconds to prune so many in batches, the longest batch, and what checks suffer meanwhile."""
    fill(engine, 10 * sessions, 11 * sessions, time.time() - MARGIN - 60)
    p99: list[float] = []
    with watched(engine.store, sessions, p99):
        time.sleep(2)
    batches = []
    with watched(engine.store, sessions, p99):
        removed = 1
        while removed:
            start = time.perf_counter()
            removed = engine.store.prune(time.time(), BATCH)
            batches.append(time.perf_counter() - start)
    idle, pruning = p99
    return {"seconds": sum(batches), "longest_batch_ms": max(batches) * 1e3, "p99_idle_us": idle, "p99_us": pruning}


# --- the table --------------------------------------------------------------------------------------------------------


def measure(name: str, sessions: int) -> dict[str, Any]:
    """Everything about one store."""
    with ExitStack() as stack:
        engine = stack.enter_context(ENGINES[name]())
        fill(engine, 0, THOUSAND, time.time() + 86_400)
        few = check_cost(engine, THOUSAND)
        fill(engine, THOUSAND, sessions, time.time() + 86_400)
        many = check_cost(engine, sessions)
        row: dict[str, Any] = {"thousand": few, "many": many}
        if name in ("sqlite", "postgres", "mariadb"):
            row["prune"] = prune_cost(engine, sessions)
        return row


def line(name: str, row: dict[str, Any]) -> str:
    """One row of the table."""
    (few, bare_few), (many, bare_many) = row["thousand"], row["many"]
    text = (
        f"  {name:10}{few:9.1f}{bare_few:9.1f}{few / bare_few:8.2f}{many:13.1f}{bare_many:9.1f}{many / bare_many:8.2f}"
    )
    text += f"{many / few:10.2f}"
    if "prune" in row:
        prune = row["prune"]
        ratio = prune["p99_us"] / prune["p99_idle_us"]
        text += f"{prune['seconds']:10.1f}{prune['longest_batch_ms']:9.0f}{ratio:9.1f}"
    return text


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000, help="how many are many")
    parser.add_argument("--stores", default=",".join(NAMES))
    chosen = parser.parse_args()
    print(
        f"\nsessions: the check of a request (us), beside a bare round trip; {chosen.sessions:,} pruned (s, ms, ratio)"
    )
    print(
        f"  {'store':10}{'1,000':>9}{'bare':>9}{'ratio':>8}{chosen.sessions:>13,}{'bare':>9}{'ratio':>8}"
        f"{'many/few':>10}{'prune s':>10}{'batch':>9}{'p99':>9}"
    )
    rows = {}
    for name in chosen.stores.split(","):
        rows[name] = measure(name, chosen.sessions)
        print(line(name, rows[name]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"sessions": chosen.sessions, "stores": rows}, indent=2))


if __name__ == "__main__":
    main()
