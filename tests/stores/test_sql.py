"""What is special to SQL: tables, collations, the locks of SQLite, connections that are lost, forks, settings that lose
writes. The contract itself, and whole applications in trouble, are tested elsewhere.
"""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql as sqlalchemy_postgresql

from flask_jwt_extended.exceptions import ConfigurationError, StoreUnavailableError
from flask_jwt_extended.stores import open_store, sql
from flask_jwt_extended.stores.base import MARGIN, SessionStore, Status
from flask_jwt_extended.stores.records import SessionRecord
from flask_jwt_extended.stores.sql import SqlStore, metadata
from flask_jwt_extended.testing.store_contract import (
    DAY,
    Child,
    at_once,
    meanwhile,
    names,
    new_digest,
    new_session,
    refreshed,
)

from ..servers import eventually, free_port
from ..servers.mariadb import MariaDB
from ..servers.postgres import PASSWORD, Postgres
from ..servers.proxy import Proxy

#: Seconds of an operation, and what a busy machine may add to them.
TIMEOUT = 0.5
SLACK = 2.0
#: Seconds for what is not about time.
PATIENT = 10.0
#: Connections of a store that uses all of them.
POOL_SIZE = 10
TABLES = {"jwt_sessions", "jwt_revoked_tokens"}
DROP = "DROP TABLE IF EXISTS jwt_sessions, jwt_revoked_tokens"

Database = Postgres | MariaDB
Operation = Callable[[SqlStore], object]

#: Every method that a request may come to.
OPERATIONS: dict[str, Operation] = {
    "add": lambda store: store.add(new_session()),
    "get": lambda store: store.get("abc"),
    "replace": lambda store: store.replace(new_session(), 1),
    "remove": lambda store: store.remove("abc"),
    "sessions_of": lambda store: store.sessions_of("abc"),
    "sessions": lambda store: list(store.sessions()),
    "status": lambda store: store.status("abc", new_digest()),
    "revoke": lambda store: store.revoke(new_digest(), time.time(), None),
    "prune": lambda store: store.prune(time.time(), 10),
    "stats": lambda store: store.stats(time.time()),
}
WRITES = ("add", "revoke")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that several tests share."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB that several tests share."""
    with MariaDB() as server:
        yield server


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> Database:
    """A server that runs, without tables."""
    server: Database = request.getfixturevalue(request.param)
    server.ask(DROP)
    return server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file for SQLite that is not there yet."""
    return tmp_path / "jwt.db"


@pytest.fixture(params=["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "mariadb"))])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    """A database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{file}"
    server: Database = request.getfixturevalue(request.param)
    server.ask(DROP)
    return server.url()


@contextmanager
def store_at(url: str, timeout: float = PATIENT) -> Iterator[SqlStore]:
    """A store that is closed in the end."""
    with closing(SqlStore.from_uri(url, timeout)) as store:
        yield store


@contextmanager
def in_time(timeout: float = TIMEOUT) -> Iterator[None]:
    """What is done meanwhile must not take much longer than the timeout."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < timeout + SLACK


def assert_refuses(store: SqlStore, *operations: str) -> None:
    """Every method, or these, raise StoreUnavailableError in time."""
    for name in operations or OPERATIONS:
        with in_time(), pytest.raises(StoreUnavailableError):
            OPERATIONS[name](store)


def assert_recovers(store: SqlStore, *, within: float = 5) -> None:
    """The store works again by itself."""

    def works() -> bool:
        try:
            store.status("abc", new_digest())
        except StoreUnavailableError:
            return False
        return True

    eventually(works, seconds=within)
    record = new_session()
    store.add(record)
    assert store.get(record.session_id) == record


def has_everything(url: str) -> bool:
    """Whether all tables and indexes are there."""
    engine = sa.create_engine(url)
    look = sa.inspect(engine)
    found = set(look.get_table_names()) >= TABLES and all(
        {index["name"] for index in look.get_indexes(table.name)} >= {index.name for index in table.indexes}
        for table in metadata.tables.values()
    )
    engine.dispose()
    return found


# --- tables -----------------------------------------------------------------------------------------------------------


def test_many_processes_create_the_tables_at_once(url: str) -> None:
    """Processes that start together and find no tables all succeed, and nothing is missing afterwards."""
    start = time.time() + 0.5

    def first_use() -> bool:
        with store_at(url) as store:
            time.sleep(max(0.0, start - time.time()))
            store.add(new_session())
            return True

    children = [Child(first_use) for _ in range(6)]
    assert [child.result() for child in children] == [True] * 6
    assert has_everything(url)
    with store_at(url) as store:
        assert store.stats(time.time()).sessions == 6


def test_many_processes_call_create_at_once(url: str) -> None:
    """A deployment that creates the tables from every machine does no harm."""
    start = time.time() + 0.5

    def create() -> bool:
        with store_at(url) as store:
            time.sleep(max(0.0, start - time.time()))
            store.create()
            return True

    children = [Child(create) for _ in range(6)]
    assert [child.result() for child in children] == [True] * 6
    assert has_everything(url)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_table_that_is_missing(operation: Operation, file: Path) -> None:
    """Tables that were dropped are created again by the next operation."""
    with store_at(f"sqlite:///{file}") as store:
        store.create()
        with closing(sqlite3.connect(file)) as other:
            other.execute("DROP TABLE jwt_sessions")
            other.execute("DROP TABLE jwt_revoked_tokens")
        operation(store)
    assert has_everything(f"sqlite:///{file}")


def test_one_table_that_is_missing(database: Database) -> None:
    """A table that is there keeps what is in it when the other is created."""
    record = new_session()
    with store_at(database.url()) as store:
        store.add(record)
        database.ask("DROP TABLE jwt_revoked_tokens")
        assert store.status(record.session_id, new_digest()) == Status(record.deadline, False)
        assert store.revoke(new_digest(), time.time(), None)


def test_an_index_that_is_missing(url: str) -> None:
    """What was interrupted when it had created tables but no indexes is completed by ``create``."""
    with store_at(url) as store:
        store.create()
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            for table in metadata.tables.values():
                for index in table.indexes:
                    index.drop(connection)
        engine.dispose()
        assert not has_everything(url)
        store.create()
    assert has_everything(url)


def test_alembic_finds_the_tables() -> None:
    """The metadata that the documentation names is that of both tables."""
    assert set(metadata.tables) == TABLES


# --- text -------------------------------------------------------------------------------------------------------------


def test_a_collation_that_ignores_case_and_spaces(mariadb: MariaDB) -> None:
    """MariaDB finds neither "ABC" nor "abc " for "abc" in our tables, whatever the database does elsewhere."""
    mariadb.ask(DROP)
    with store_at(mariadb.url()) as store:
        record = new_session(session_id="abc")
        store.add(record)
        assert mariadb.ask("SELECT 'abc' = 'ABC'") == [(1,)]
        assert mariadb.ask("SELECT count(*) FROM jwt_sessions WHERE session_id = 'ABC'") == [(0,)]
        for other in ("ABC", "abc ", "\u00e1bc"):
            assert store.status(other, None) == Status(None, False)
            assert store.get(other) is None
            assert not store.remove(other)
        store.add(new_session(session_id="ABC"))
        assert store.get("abc") == record


def test_mariadb_looks_up_by_key(mariadb: MariaDB) -> None:
    """The comparison of text that arrives as utf8mb4 with a column of bytes still uses the primary key."""
    mariadb.ask(DROP)
    with store_at(mariadb.url()) as store:
        for _ in range(20):
            store.add(new_session())
    (row,) = mariadb.ask("EXPLAIN SELECT deadline FROM jwt_sessions WHERE session_id = 'abc123'")
    assert "ALL" not in row
    assert "index" not in row


def test_an_id_that_no_store_can_compare(file: Path) -> None:
    """A session of an id that a database might bend is refused by name when it is added."""
    with store_at(f"sqlite:///{file}") as store:
        for name in ("", "a b", "\u00e1", "a\0", "a" * 65):
            with pytest.raises(ValueError, match="printable ASCII"):
                store.add(new_session(session_id=name))


def test_a_second_session_of_the_same_id(url: str) -> None:
    """It is refused, and the first one stays: it would be a coincidence that does not happen."""
    with store_at(url) as store:
        record = new_session()
        store.add(record)
        with pytest.raises(StoreUnavailableError):
            store.add(refreshed(record))
        assert store.get(record.session_id) == record


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_sqlite_is_locked(file: Path) -> None:
    """While another process keeps the database locked writes are refused in time and reads work."""
    with store_at(f"sqlite:///{file}", TIMEOUT) as store, closing(sqlite3.connect(file)) as other:
        store.create()
        other.execute("BEGIN IMMEDIATE")
        assert_refuses(store, *WRITES)
        assert store.status("abc", None) == Status(None, False)
        other.rollback()
        assert_recovers(store)


def test_sqlite_is_locked_before_first_use(file: Path) -> None:
    """A process that starts while the database is locked for everybody gets its answer in time as well."""
    with closing(sqlite3.connect(file)) as other, store_at(f"sqlite:///{file}", TIMEOUT) as store:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        assert_refuses(store, "status", "add")
        other.rollback()
        assert_recovers(store)


def test_sqlite_waits_for_a_lock_that_is_soon_gone(file: Path) -> None:
    """A lock that is held for less than the timeout costs time, and nothing else."""
    with store_at(f"sqlite:///{file}") as store:
        store.create()
        locked = Thread(target=hold_lock, args=(file, 0.3))
        locked.start()
        time.sleep(0.1)
        store.add(new_session())
        locked.join()


def hold_lock(file: Path, seconds: float) -> None:
    """Keep a database locked for a while."""
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)


def test_a_statement_of_sqlite_that_takes_too_long(file: Path) -> None:
    """A statement that takes too long is interrupted, and the store works."""
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with store_at(f"sqlite:///{file}", TIMEOUT) as store:
        store.create()
        with in_time(), pytest.raises(StoreUnavailableError) as caught:
            store._run(sa.text(endless), {})
        assert caught.value.reason == "TimeoutError"
        assert_recovers(store)


def test_a_full_disk(file: Path) -> None:
    """A database that cannot grow refuses what is new, and keeps what it has."""
    with store_at(f"sqlite:///{file}", TIMEOUT) as store:
        record = new_session()
        store.add(record)
        engine = store._connection._engine
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 12"))
        store.close()
        with in_time(5), pytest.raises(StoreUnavailableError) as caught:
            add_many(store, 1000)
        assert caught.value.reason == "OperationalError"
        assert store.get(record.session_id) == record
        assert store.remove(record.session_id)


def add_many(store: SqlStore, number: int) -> None:
    """Add sessions, one by one."""
    for _ in range(number):
        store.add(new_session())


def test_a_database_that_may_only_be_read(file: Path) -> None:
    """Writes to a read-only database are refused, and reads work."""
    record = new_session()
    with store_at(f"sqlite:///{file}") as store:
        store.add(record)
    with store_at(f"sqlite:///file:{file}?mode=ro&uri=true", TIMEOUT) as store:
        assert store.get(record.session_id) == record
        assert_refuses(store, *WRITES)


@pytest.mark.parametrize("content", ["a folder", "no database", "a folder that is not there"])
def test_a_file_that_is_no_database(content: str, file: Path) -> None:
    """What cannot be opened is an outage, and a finding."""
    if content == "a folder":
        file.mkdir()
    elif content == "no database":
        file.write_bytes(b"x" * 5000)
    else:
        file = file / "jwt.db"
    with store_at(f"sqlite:///{file}", TIMEOUT) as store:
        assert_refuses(store)
        assert [finding.code for finding in store.findings(time.time())] == ["store_unreachable"]


def test_sqlite_is_durable(file: Path) -> None:
    """Every connection writes ahead, and waits for the disk before it acknowledges."""
    with store_at(f"sqlite:///{file}") as store:
        store.create()
        assert store._read(sa.text("PRAGMA journal_mode")) == [("wal",)]
        assert store._read(sa.text("PRAGMA synchronous")) == [(2,)]


def test_a_relative_path_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sqlite:///jwt.db`` is where the process was started."""
    monkeypatch.chdir(tmp_path)
    with store_at("sqlite:///jwt.db") as store:
        store.create()
    assert (tmp_path / "jwt.db").exists()


def test_sqlite_goes_on_after_a_child_and_its_parent(file: Path) -> None:
    """Parent and child write to one file, in turn and at the same time, and the file is not damaged."""
    with store_at(f"sqlite:///{file}") as store:
        store.create()

        def write() -> bool:
            for _ in range(20):
                store.add(new_session())
            return True

        with meanwhile(lambda: store.add(new_session()), threads=2):
            assert [Child(write).result() for _ in range(3)] == [True] * 3
        assert store.stats(time.time()).sessions >= 60
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# --- connections ------------------------------------------------------------------------------------------------------


def kill_connections(database: Database) -> None:
    """Let the server close all connections."""
    if isinstance(database, Postgres):
        database.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return
    kill(database, "id <> connection_id()")


def kill(database: MariaDB, condition: str) -> None:
    """Let MariaDB close connections. One may have ended by itself meanwhile."""
    import pymysql  # type: ignore[import-untyped]  # it has no types; `make test` does without the driver

    for (number,) in database.ask(f"SELECT id FROM information_schema.processlist WHERE {condition}"):
        with suppress(pymysql.err.OperationalError):
            database.ask(f"KILL {number}")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_connection_that_was_closed_meanwhile(operation: Operation, database: Database) -> None:
    """A connection that the server has closed is noticed before anything is sent: nothing fails."""
    with store_at(database.url()) as store:
        store.create()
        at_once(*[lambda: store.status("abc", None)] * POOL_SIZE)
        kill_connections(database)
        time.sleep(0.1)
        operation(store)


def test_connections_that_are_closed_all_the_time(database: Database) -> None:
    """What was acknowledged was done, also while connections break in the middle."""
    with store_at(database.url()) as store:
        store.create()
        done: list[SessionRecord] = []

        def work() -> None:
            record = new_session()
            try:
                store.add(record)
                successor = refreshed(record)
                assert store.replace(successor, record.generation)
                done.append(successor)
            except StoreUnavailableError:
                pass

        with meanwhile(work, threads=3):
            for _ in range(15):
                kill_connections(database)
                time.sleep(0.02)
        assert len(done) > 5
        assert all(store.get(record.session_id) == record for record in done)


@contextmanager
def locked_row(database: Database, session_id: str) -> Iterator[None]:
    """Another transaction holds a session."""
    engine = sa.create_engine(database.url())
    with engine.connect() as connection:
        connection.execute(
            sa.text("UPDATE jwt_sessions SET deadline = deadline + 1 WHERE session_id = :id"), {"id": session_id}
        )
        yield
        connection.rollback()
    engine.dispose()


def test_a_statement_that_is_cut_off_before_it_is_carried_out(database: Database) -> None:
    """A refresh whose connection breaks while it waits for a lock is sent again, unnoticed."""
    with store_at(database.url()) as store, ThreadPoolExecutor(1) as pool:
        record = new_session()
        store.add(record)
        with locked_row(database, record.session_id):
            refresh = pool.submit(store.replace, refreshed(record), record.generation)
            time.sleep(0.3)
            cut_store(database)
            time.sleep(0.1)
        assert refresh.result(PATIENT) is True


UNHEARD: dict[str, Callable[[SqlStore, SessionRecord, str], object]] = {
    "replace": lambda store, record, _: store.replace(refreshed(record), record.generation),
    "remove": lambda store, record, _: store.remove(record.session_id),
    "revoke": lambda store, record, token: store.revoke(token, record.deadline, None),
    "add": lambda store, _, token: store.add(new_session(session_id=token)),
}


@pytest.mark.parametrize("operation", UNHEARD.values(), ids=UNHEARD)
def test_an_answer_that_is_lost(
    operation: Callable[[SqlStore, SessionRecord, str], object], database: Database
) -> None:
    """If an answer is lost, False would be wrong: it is not known whether this call made the change."""
    record, token = new_session(), new_digest()
    with Proxy(database.port) as proxy, store_at(database.url(port=proxy.port)) as store, ThreadPoolExecutor(1) as pool:
        store.add(record)
        with store_at(database.url()) as witness:

            def state() -> object:
                return witness.get(record.session_id), witness.status(token, token)

            before = state()
            proxy.delay(PATIENT)
            outcome = pool.submit(operation, store, record, token)
            eventually(lambda: state() != before)
            proxy.reset_connections()
            proxy.pass_on()
            with pytest.raises(StoreUnavailableError):
                outcome.result(PATIENT)
            assert_recovers(store)


def test_a_session_is_not_added_twice(database: Database) -> None:
    """A new session whose connection breaks is not sent again: the first try might be carried out after its end."""
    with Proxy(database.port) as proxy, store_at(database.url(port=proxy.port)) as store, ThreadPoolExecutor(1) as pool:
        store.create()
        proxy.hang()
        outcome = pool.submit(store.add, new_session())
        time.sleep(0.3)
        proxy.reset_connections()
        proxy.pass_on()
        with pytest.raises(StoreUnavailableError):
            outcome.result(PATIENT)


def cut_store(database: Database) -> None:
    """Let the server close the connections that wait for a lock."""
    if isinstance(database, Postgres):
        database.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return
    kill(database, "info LIKE 'UPDATE jwt_sessions%' AND time_ms > 100")


def test_a_row_that_stays_locked(database: Database) -> None:
    """An operation waits for a lock no longer than the timeout."""
    with store_at(database.url(), TIMEOUT) as store:
        record = new_session()
        store.add(record)
        with locked_row(database, record.session_id), in_time(), pytest.raises(StoreUnavailableError) as caught:
            store.replace(refreshed(record), record.generation)
        assert caught.value.reason == "TimeoutError"
        assert_recovers(store)


@pytest.mark.server
@pytest.mark.parametrize("server", [Postgres, MariaDB])
class TestOwnServer:
    """Servers that are stopped, for tests that need one to themselves."""

    def test_it_stands_still(self, server: type[Database]) -> None:
        """A server that stands still is an outage in time, with connections that are open and without, and soon
        forgotten.
        """
        with server() as database, store_at(database.url(), TIMEOUT) as store:
            store.create()
            database.pause()
            assert_refuses(store)
            with store_at(database.url(), TIMEOUT) as fresh:
                assert_refuses(fresh, "status", "add")
                assert [finding.code for finding in fresh.findings(time.time())] == ["store_unreachable"]
            database.resume()
            assert_recovers(store)

    def test_it_is_restarted(self, server: type[Database]) -> None:
        """After a crash and a restart the store has the sessions that it had."""
        with server() as database, store_at(database.url(), TIMEOUT) as store:
            record = new_session()
            store.add(record)
            for stop in (database.stop, database.kill9):
                at_once(*[lambda: store.status("abc", None)] * 4)
                stop()
                assert_refuses(store)
                database.start()
                assert_recovers(store)
                assert store.get(record.session_id) == record

    def test_many_wait_while_it_stands_still(self, server: type[Database]) -> None:
        """More threads than there are connections all have their answer in time."""
        with server() as database, store_at(f"{database.url()}?pool_size={POOL_SIZE}", TIMEOUT) as store:
            store.create()
            database.pause()

            def ask(_: int) -> float:
                began = time.monotonic()
                with pytest.raises(StoreUnavailableError):
                    store.status("abc", None)
                return time.monotonic() - began

            with ThreadPoolExecutor(3 * POOL_SIZE) as pool:
                waits = list(pool.map(ask, range(6 * POOL_SIZE)))
            assert max(waits) < 5  # so many threads are late by themselves
            database.resume()
            assert_recovers(store)


def test_a_server_that_accepts_and_says_nothing(database: Database) -> None:
    """A connection that does not come about is waited for no longer than the timeout, and closed if it comes late."""
    with Proxy(database.port) as proxy, store_at(database.url(port=proxy.port), TIMEOUT) as store:
        proxy.hang()
        assert_refuses(store, "status")
        proxy.pass_on()
        assert_recovers(store)


def test_a_server_that_drips(database: Database) -> None:
    """An answer that comes byte by byte has the timeout as a whole."""
    with Proxy(database.port) as proxy, store_at(database.url(port=proxy.port), TIMEOUT) as store:
        store.create()
        proxy.drip(TIMEOUT / 4)
        assert_refuses(store, "status", "add", "get")
        proxy.pass_on()
        assert_recovers(store)


@pytest.mark.server
def test_an_unknown_host() -> None:
    """A host that cannot be found is an outage."""
    with store_at("postgresql://nobody.invalid/x", TIMEOUT) as store:
        assert_refuses(store, "status")


def test_connections_are_few(postgres: Postgres) -> None:
    """Many threads share the connections of a process: no more than the URI says."""
    postgres.ask(DROP)
    with store_at(f"{postgres.url()}?pool_size={POOL_SIZE}") as store:
        store.create()
        at_once(*[lambda: [store.status("abc", None) for _ in range(20)]] * (3 * POOL_SIZE))
        ((number,),) = postgres.ask("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        assert number <= POOL_SIZE + 1


# --- forks ------------------------------------------------------------------------------------------------------------


def test_no_connection_crosses_a_fork(postgres: Postgres) -> None:
    """A child makes connections of its own, and its end leaves those of the parent alone."""
    postgres.ask(DROP)
    with store_at(postgres.url()) as store:
        mine = sa.text("SELECT pg_backend_pid()")
        ((parent,),) = store._read(mine)
        assert Child(lambda: store._read(mine)[0][0]).result() != parent
        assert store._read(mine) == [(parent,)]


#: Children that clean up after themselves, and a parent that has to keep the connection it had.
_FAMILY = """
import gc, os, sys
from sqlalchemy import text
from flask_jwt_extended.stores.sql import SqlStore

store, who = SqlStore.from_uri(sys.argv[1], 10), text(sys.argv[2])
store.create()
before = store._read(who)
for _ in range(3):
    pid = os.fork()
    if not pid:
        store.status("abc", None)
        store.close()
        del store
        gc.collect()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert store._read(who) == before
store.close()
"""


def test_a_child_that_ends_in_an_orderly_manner(database: Database) -> None:
    """A child that cleans up and collects its garbage does not close the sessions of its parent on the server."""
    who = "SELECT pg_backend_pid()" if isinstance(database, Postgres) else "SELECT connection_id()"
    command = [sys.executable, "-W", "error", "-c", _FAMILY, database.url(), who]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unused_store_is_collected(file: Path) -> None:
    """The hooks that watch forks do not keep a store alive."""
    store = SqlStore.from_uri(f"sqlite:///{file}", TIMEOUT)
    this = weakref.ref(store)
    store.close()
    del store
    gc.collect()
    assert this() is None
    assert Child(lambda: True).result()


# --- words ------------------------------------------------------------------------------------------------------------


def said(error: BaseException) -> str:
    """Everything that a log may hold of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def assert_no_password(text: str, password: str = PASSWORD) -> None:
    """Neither the password nor the way it is written in a URL is there."""
    assert password not in text
    assert quote(password, safe="") not in text


def test_outages_keep_the_password(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a refused password nor an address without a server leaves a secret in an error, a log or a finding."""
    caplog.set_level("DEBUG")
    wrong = database.url().replace(quote(PASSWORD, safe=""), "wr0ng-secret")
    for url, password in ((wrong, "wr0ng-secret"), (database.url(port=free_port()), PASSWORD)):
        with store_at(url) as store:
            with pytest.raises(StoreUnavailableError) as caught:
                store.status("abc", None)
            text = said(caught.value) + repr(store) + repr(list(store.findings(time.time()))) + caplog.text
            assert caught.value.reason
            assert_no_password(text, password)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jwt:p%40ss%2Fword@localhost:port/x",
        "nonsense://jwt:p%40ss%2Fword@localhost/x",
        "postgresql+nonsense://jwt:p%40ss%2Fword@localhost/x",
        "://",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///jwt.db?timeout=soon",
        "postgresql://jwt:p%40ss%2Fword@localhost/x?pool_size=many",
        "postgresql://jwt:p%40ss%2Fword@localhost/x?prepare_threshold=soon",
    ],
)
def test_a_url_that_cannot_be_used(url: str) -> None:
    """It is the developer's mistake: the message names the fix and no secret."""
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI") as caught:
        SqlStore.from_uri(url, TIMEOUT)
    assert "sqlite:///jwt.db" in str(caught.value) or "postgresql://" in str(caught.value)
    assert_no_password(said(caught.value))


def test_a_driver_that_is_not_installed() -> None:
    """The message says what to install."""
    with pytest.raises(ConfigurationError, match=r"MySQLdb.*flask-jwt-extended\[sql\].*driver"):
        open_store("mysql+mysqldb://jwt:p%40ss%2Fword@localhost/x", TIMEOUT)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_schemes_of_postgresql(scheme: str, postgres: Postgres) -> None:
    """psycopg is meant if no driver is named, also as hosting services write it."""
    postgres.ask(DROP)
    with store_at(postgres.url().replace("postgresql+psycopg", scheme)) as store:
        assert store.status("abc", None) == Status(None, False)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mariadb+pymysql"])
def test_schemes_of_mariadb(scheme: str, mariadb: MariaDB) -> None:
    """PyMySQL is meant if no driver is named."""
    mariadb.ask(DROP)
    with store_at(mariadb.url().replace("mysql+pymysql", scheme)) as store:
        record = new_session()
        store.add(record)
        assert store.get(record.session_id) == record


# --- findings ---------------------------------------------------------------------------------------------------------


def codes(store: SessionStore, now: float | None = None) -> list[str]:
    """The codes of what is found."""
    return [finding.code for finding in store.findings(time.time() if now is None else now)]


def test_postgresql_that_loses_writes(postgres: Postgres) -> None:
    """PostgreSQL as it is installed has no finding; what loses writes is reported."""
    with store_at(postgres.url()) as store:
        assert codes(store) == ["store_not_durable"]  # as it is for tests
    with Postgres(durable=True) as server, store_at(server.url()) as store:
        assert codes(store) == []
        server.ask("ALTER DATABASE postgres SET synchronous_commit = off")
        store.close()
        assert codes(store) == ["store_loses_a_second"]


def test_mariadb_that_loses_writes(mariadb: MariaDB) -> None:
    """MariaDB as it is installed has no finding; what loses writes is reported."""
    with store_at(mariadb.url()) as store:
        assert codes(store) == []
        for setting in (0, 2):
            mariadb.ask(f"SET GLOBAL innodb_flush_log_at_trx_commit = {setting}")
            assert codes(store) == ["store_loses_a_second"]
        mariadb.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


@pytest.mark.parametrize("difference", [-60, 60])
def test_a_clock_that_differs(database: Database, difference: int) -> None:
    """A database with another time than ours is reported."""
    with store_at(database.url()) as store:
        assert "store_clock" not in codes(store)
        assert "store_clock" in codes(store, time.time() + difference)


def test_sqlite_as_it_should_be(file: Path) -> None:
    """A file that this store has created has no finding."""
    with store_at(f"sqlite:///{file}") as store:
        store.create()
        assert codes(store) == []


def test_sqlite_that_cannot_write_ahead(file: Path) -> None:
    """A file in another journal mode is reported."""
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE t (x)")
    file.chmod(0o600)
    with store_at(f"sqlite:///file:{file}?mode=ro&uri=true") as store:
        assert codes(store) == ["store_without_wal"]


# --- many -------------------------------------------------------------------------------------------------------------


def fill(url: str, number: int, deadline: float) -> None:
    """Add sessions and revoked tokens in one go."""
    records = [new_session(deadline=deadline) for _ in range(number)]
    engine = sa.create_engine(url)
    columns = ("session_id", "owner", "deadline", "generation")
    with engine.begin() as connection:
        rows = [{**{name: getattr(each, name) for name in columns}, "record": each.to_json()} for each in records]
        connection.execute(metadata.tables["jwt_sessions"].insert(), rows)
        tokens = [{"token": new_digest(), "until": deadline} for _ in range(number)]
        connection.execute(metadata.tables["jwt_revoked_tokens"].insert(), tokens)
    engine.dispose()


def test_pruning_is_bounded_over_both_tables(url: str) -> None:
    """A limit is kept exactly, also beyond one batch and from one table into the next."""
    now = time.time()
    with store_at(url) as store:
        store.create()
        fill(url, 250, now - MARGIN - 1)
        fill(url, 3, now - MARGIN + DAY)
        assert [store.prune(now, limit) for limit in (0, 1, 230, 40, 1000, 1000)] == [0, 1, 230, 40, 229, 0]
        assert store.stats(now) == (3, 3, 0)


def test_pruning_reads_no_session_that_lives(postgres: Postgres) -> None:
    """Of many sessions a few are over: they are found by index, however new the table is."""
    postgres.ask(DROP)
    with store_at(postgres.url()) as store:
        store.create()
        postgres.ask(
            "INSERT INTO jwt_sessions SELECT 's' || n, 'o', CASE WHEN n < 20000 THEN 9e9 ELSE 1 END, 1, '{}'"
            " FROM generate_series(1, 20050) AS n"
        )
        plan = "\n".join(row[0] for row in postgres.ask(f"EXPLAIN {_keys_to_prune()}"))
        assert "Index Scan" in plan, plan
        assert "Seq Scan" not in plan, plan
        assert store.prune(time.time(), 1000) == 51


def _keys_to_prune() -> str:
    return str(
        sql._PRUNABLE[0]
        .keys.params(latest=1.0, size=100)
        .compile(dialect=sqlalchemy_postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    )


def test_pruning_at_once(url: str) -> None:
    """Several calls that prune at the same time remove everything once."""
    now = time.time()
    with store_at(url) as store:
        store.create()
        fill(url, 200, now - MARGIN - 1)
        assert sum(at_once(*[lambda: store.prune(now, 1000)] * 4)) == 400
        assert store.stats(now) == (0, 0, 0)


def test_going_through_many_sessions(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are read page by page, each once, and no page is larger than it may be."""
    monkeypatch.setattr(sql, "PAGE", 7)
    pages: list[int] = []
    with store_at(url) as store:
        store.create()
        fill(url, 30, time.time() + DAY)
        read = store._read

        def watched(*arguments: Any, **values: Any) -> Any:
            rows = read(*arguments, **values)
            pages.append(len(rows))
            return rows

        monkeypatch.setattr(store, "_read", watched)
        found = names(store.sessions())
    assert len(set(found)) == len(found) == 30
    assert max(pages) == 7


def test_status_is_one_round_trip(database: Database) -> None:
    """The status of a token is one statement, without a transaction around it."""
    with Proxy(database.port) as proxy, store_at(database.url(port=proxy.port)) as store:
        for _ in range(10):
            store.status("abc", new_digest())
        proxy.delay(0.4)
        began = time.monotonic()
        store.status("abc", new_digest())
        assert 0.4 <= time.monotonic() - began < 0.8
