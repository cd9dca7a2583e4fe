"""Sessions in a SQL database, through SQLAlchemy: SQLite, PostgreSQL by psycopg, MySQL and MariaDB by PyMySQL, and by
luck others. Owns two tables, the statements on them and the connections they are sent through.

For Alembic: ``from flask_jwt_extended.sessions.stores.sql import metadata``.

It must not know what a session means or when it ends: a row that is there is one, and who wants it ended deletes it.
"""

from __future__ import annotations

import math
import os
import re
import select
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from threading import Condition, Thread
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from ...exceptions import ConfigurationError, StoreUnavailableError
from ...findings import Finding
from ..records import CLOCK_TOLERANCE, SessionRecord
from .base import MARGIN, Stats, Status
from .deadline import Call, Watchdog, current_call, shut

#: Connections that a process keeps at most. An operation that finds all in use waits for one.
POOL_SIZE = 10
#: Sessions that are read in one go.
PAGE = 500
#: Rows that are pruned in one go.
_BATCH = 100

# --- tables -----------------------------------------------------------------------------------------------------------

metadata = sa.MetaData()

# MySQL compares text as people do: "ABC" equals "abc" and "äbc". These are bytes.
_KEY = sa.String(64).with_variant(mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
_LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb")

_SESSIONS = sa.Table(
    "jwt_sessions",
    metadata,
    sa.Column("session_id", _KEY, primary_key=True),
    sa.Column("owner", _KEY, nullable=False, index=True),
    sa.Column("deadline", sa.Double, nullable=False, index=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("record", _LONG, nullable=False),
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)
_TOKENS = sa.Table(
    "jwt_revoked_tokens",
    metadata,
    sa.Column("token", _KEY, primary_key=True),
    sa.Column("until", sa.Double, nullable=False, index=True),
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)

# --- statements: each is a transaction of its own, and one round trip -------------------------------------------------

_s, _t = _SESSIONS.c, _TOKENS.c
_ID: sa.BindParameter[str] = sa.bindparam("id")
_SIZE: sa.BindParameter[int] = sa.bindparam("size", type_=sa.Integer)
_BATCH_KEYS = [f"key{number}" for number in range(_BATCH)]


def _batch_of(column: sa.Column[str]) -> sa.ColumnElement[bool]:
    return column.in_([sa.bindparam(name, type_=column.type) for name in _BATCH_KEYS])


_ADD = sa.insert(_SESSIONS).inline()
_GET = sa.select(_s.record).where(_s.session_id == _ID)
_REPLACE = (
    sa.update(_SESSIONS)
    .where(_s.session_id == _ID, _s.generation == sa.bindparam("expected"))
    .values(
        deadline=sa.bindparam("new_deadline"),
        generation=sa.bindparam("new_generation"),
        record=sa.bindparam("new_record"),
    )
)
_REMOVE = sa.delete(_SESSIONS).where(_s.session_id == _ID)
_OWNED = sa.select(_s.record).where(_s.owner == sa.bindparam("of"))
_NEXT = (
    sa.select(_s.session_id, _s.record)
    .where(_s.session_id > sa.bindparam("after"))
    .order_by(_s.session_id)
    .limit(_SIZE)
)
_STATUS = sa.select(
    sa.select(_s.deadline).where(_s.session_id == _ID).scalar_subquery(),
    sa.select(_t.until).where(_t.token == sa.bindparam("digest")).scalar_subquery(),
)
_REVOKE = sa.insert(_TOKENS).inline()


class _Prunable(NamedTuple):
    """The statements that clear a table of what is over."""

    counting: sa.Select[Any]
    keys: sa.Select[Any]
    removal: sa.Delete


def _prunable(table: sa.Table, key: sa.Column[str], ends: sa.Column[float]) -> _Prunable:
    over = ends <= sa.bindparam("latest")
    return _Prunable(
        sa.select(sa.func.count()).select_from(table).where(over),
        sa.select(key).where(over).limit(_SIZE),
        sa.delete(table).where(_batch_of(key), over),  # the row may have changed since its key was read
    )


_PRUNABLE = (_prunable(_SESSIONS, _s.session_id, _s.deadline), _prunable(_TOKENS, _t.token, _t.until))
_COUNTS = [sa.select(sa.func.count()).select_from(table) for table in (_SESSIONS, _TOKENS)]

_JUDGE_SQLITE = sa.text("PRAGMA journal_mode")
_JUDGE_POSTGRESQL = sa.text(
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'),"
    " CAST(extract(epoch FROM clock_timestamp()) AS float8)"
)
_JUDGE_MYSQL = sa.text("SELECT @@innodb_flush_log_at_trx_commit, UNIX_TIMESTAMP(NOW(6))")


class _Prepared(NamedTuple):
    """A statement in the words of one driver.

    :ivar names: the order of its parameters; ``None``: they go by name
    :ivar more: parameters that the dialect has added
    """

    sql: str
    names: Sequence[str] | None
    more: Mapping[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> Any:
        if self.more:
            values = {**self.more, **values}
        return values if self.names is None else tuple([values[name] for name in self.names])


def _prepare(statement: sa.Executable, dialect: Dialect) -> _Prepared:
    compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # of ClauseElement, as all are
    more = {name: value for name, value in compiled.params.items() if value is not None}
    return _Prepared(str(compiled), compiled.positiontup if compiled.positional else None, more)


class _Answer(NamedTuple):
    """What came of a statement.

    :ivar written: rows that were written
    :ivar certain: whether the statement was sent once. If not, the first one may have been carried out unheard
    """

    rows: Sequence[Any]
    written: int
    certain: bool = True


class _TableMissingError(StoreUnavailableError):
    """A table is not there yet."""


# --- the store --------------------------------------------------------------------------------------------------------


class SqlStore:
    """A store in a SQL database.

    Statements are written with SQLAlchemy, and sent straight to the driver: that is half the cost. Each is a
    transaction of its own, in autocommit. A process has at most :data:`POOL_SIZE` connections, made when needed.

    :param uri: a URL of SQLAlchemy. ``sqlite:///jwt.db`` is a file in the working directory, ``sqlite:////srv/jwt.db``
        one anywhere. ``postgresql://`` means psycopg, and ``mysql://`` and ``mariadb://`` PyMySQL, if no other driver
        is named
    :param timeout: seconds within which every statement ends. A method is one statement, save for :meth:`create`,
        :meth:`prune`, :meth:`stats` and the pages of :meth:`sessions`
    :raises ConfigurationError: if the URL names no database that can be used
    :raises ModuleNotFoundError: if the driver is not installed
    """

    def __init__(self, uri: str, timeout: float) -> None:
        self._url = _url(uri)
        self._watchdog = Watchdog(timeout)
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._opened: weakref.WeakSet[Any] = weakref.WeakSet()
        self._engine = self._new_engine()
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self._failures = (SQLAlchemyError, OSError, self._driver.Error)
        self._prepared: dict[sa.Executable, _Prepared] = {}
        self._gate = _Gate() if self._is_sqlite else nullcontext()
        _watch_forks(weakref.ref(self))

    # --- sessions -----------------------------------------------------------------------------------------------------

    def add(self, record: SessionRecord) -> None:
        """Keep a new session.

        :raises ValueError: if its id is none that a store can compare: printable ASCII, 64 characters at most
        """
        if not _is_key(record.session_id):
            raise ValueError("The id of a session must be printable ASCII, of 64 characters at most")
        values = {"session_id": record.session_id, "owner": record.owner, "deadline": float(record.deadline)}
        values |= {"generation": record.generation, "record": record.to_json()}
        # Not sent twice: a first one that is carried out late would bring back a session that was ended meanwhile.
        if not self._run(_ADD, values, repeat=False).written:
            raise StoreUnavailableError("IntegrityError")

    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session."""
        rows = self._read(_GET, id=session_id) if _is_key(session_id) else ()
        return SessionRecord.from_json(rows[0][0]) if rows else None

    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Write a session anew if its generation is this one."""
        return _is_key(record.session_id) and self._write(
            _REPLACE,
            id=record.session_id,
            expected=generation,
            new_deadline=float(record.deadline),
            new_generation=record.generation,
            new_record=record.to_json(),
        )

    def remove(self, session_id: str) -> bool:
        """End a session."""
        return _is_key(session_id) and self._write(_REMOVE, id=session_id)

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity."""
        return [SessionRecord.from_json(row[0]) for row in self._read(_OWNED, of=owner)]

    def sessions(self) -> Iterator[SessionRecord]:
        """Go through all sessions, :data:`PAGE` at a time."""
        page = self._read(_NEXT, after="", size=PAGE)
        while page:
            yield from (SessionRecord.from_json(row[1]) for row in page)
            page = self._read(_NEXT, after=page[-1][0], size=PAGE)

    # --- access tokens ------------------------------------------------------------------------------------------------

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Tell what matters for an access token."""
        if session_id is not None and not _is_key(session_id):
            session_id = None
        ((deadline, until),) = self._read(_STATUS, id=session_id, digest=token)
        return Status(deadline, until is not None)

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:  # noqa: ARG002  # kept apart
        """Remember that a token was revoked."""
        return self._write(_REVOKE, token=token, until=float(until))

    # --- housekeeping -------------------------------------------------------------------------------------------------

    def prune(self, now: float, limit: int) -> int:
        """Remove what nobody can ask for any more, in batches that each have a timeout of their own."""
        removed = 0
        for prunable in _PRUNABLE:
            removed += self._prune(prunable, now - MARGIN, limit - removed)
        return removed

    def _prune(self, prunable: _Prunable, latest: float, limit: int) -> int:
        removed = 0
        while removed < limit:
            keys = [row[0] for row in self._read(prunable.keys, latest=latest, size=min(limit - removed, _BATCH))]
            if not keys:
                break
            keys += keys[-1:] * (_BATCH - len(keys))
            removed += self._run(
                prunable.removal, {"latest": latest, **dict(zip(_BATCH_KEYS, keys, strict=True))}
            ).written
        return removed

    def stats(self, now: float) -> Stats:
        """Count what is kept, each count with a timeout of its own."""
        sessions, tokens = (self._read(count)[0][0] for count in _COUNTS)
        return Stats(sessions, tokens, sum(self._read(each.counting, latest=now - MARGIN)[0][0] for each in _PRUNABLE))

    def findings(self, now: float) -> Iterator[Finding]:
        """Judge the database: does it lose what it acknowledged, can it be reached, is its clock ours?"""
        judges = {"postgresql": self._judge_postgresql, "sqlite": self._judge_sqlite}
        judges |= dict.fromkeys(("mysql", "mariadb"), self._judge_mysql)
        try:
            findings = list(judges.get(self._engine.dialect.name, self._judge_any)(now))
        except StoreUnavailableError as error:
            findings = [_unreachable(error.reason, self._watchdog.timeout)]
        yield from findings

    def _judge_postgresql(self, now: float) -> Iterator[Finding]:
        ((fsync, commit, clock),) = self._read(_JUDGE_POSTGRESQL)
        if fsync == "off":
            yield _NOT_DURABLE
        if commit == "off":
            yield _loses_a_second("synchronous_commit = off", "on")
        yield from _judge_clock(clock - now)

    def _judge_mysql(self, now: float) -> Iterator[Finding]:
        ((flush, clock),) = self._read(_JUDGE_MYSQL)
        if flush != 1:
            yield _loses_a_second(f"innodb_flush_log_at_trx_commit = {flush}", "1")
        yield from _judge_clock(float(clock) - now)

    def _judge_sqlite(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # its clock is ours
        ((mode,),) = self._read(_JUDGE_SQLITE)
        if mode != "wal":
            yield Finding(
                "warning",
                "store_without_wal",
                f"The journal mode of the SQLite database is {mode}, and could not be changed to WAL",
                "Whoever writes a session keeps all others from reading theirs meanwhile.",
                "Put the database on a local disk, in a folder that the application may write to.",
            )

    def _judge_any(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # who knows its clock?
        self.status(None, None)
        yield Finding(
            "info",
            "store_unknown",
            f"Nothing is known of {self._engine.dialect.name}",
            "It may lose what it has acknowledged, and wait for longer than JWT_STORE_TIMEOUT.",
            "Use SQLite, PostgreSQL, MariaDB or MySQL: the store is tested with them.",
        )

    # --- tables and connections ---------------------------------------------------------------------------------------

    def create(self) -> None:
        """Create the tables and indexes that are missing, each within a timeout of its own."""
        for table in metadata.sorted_tables:
            items: list[sa.Table | sa.Index] = [table, *table.indexes]
            for item in items:
                try:
                    self._create(item)
                except StoreUnavailableError:  # somebody else may have created it meanwhile
                    self._create(item)

    def _create(self, item: sa.Table | sa.Index) -> None:
        with self._operation() as call, self._engine.connect() as connection:
            call.watch(partial(_cut, connection.connection.dbapi_connection))
            item.create(connection, checkfirst=True)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _new_engine(self) -> sa.Engine:
        engine, opened = _engine(self._url, self._watchdog.timeout), self._opened

        def note(connection: Any, _: object) -> None:
            with suppress(TypeError):  # not every driver's connections can be referred to weakly
                opened.add(connection)

        event.listen(engine, "connect", note)
        return engine

    # SQLite keeps what it has locked in the memory of the process, where a child would believe in locks it does not
    # have: it is closed before a fork. The child leaves other connections without a word: the parent uses them.

    def _before_fork(self) -> None:
        if isinstance(self._gate, _Gate):
            self._gate.shut(self._watchdog.timeout)
            self._engine.dispose()

    def _after_fork(self) -> None:
        if isinstance(self._gate, _Gate):
            self._gate.open()

    def _in_child(self) -> None:
        self._engine = self._new_engine()  # its locks too may have been held by a thread that is no more
        self._gate = _Gate() if self._is_sqlite else nullcontext()
        for connection in tuple(self._opened):
            _leave(connection)

    # --- one statement ------------------------------------------------------------------------------------------------

    def _read(self, statement: sa.Executable, **values: Any) -> Sequence[Any]:
        return self._run(statement, values).rows

    def _write(self, statement: sa.Executable, **values: Any) -> bool:
        """Carry out what can be done once only, and return whether it was done.

        :raises StoreUnavailableError: also if it may have been this very call that did it, unheard
        """
        answer = self._run(statement, values)
        if not answer.written and not answer.certain:
            raise StoreUnavailableError("ambiguous")
        return answer.written > 0

    def _run(self, statement: sa.Executable, values: Mapping[str, Any], *, repeat: bool = True) -> _Answer:
        try:
            return self._once_or_twice(statement, values, repeat)
        except _TableMissingError:
            self.create()
        return self._once_or_twice(statement, values, repeat)

    def _once_or_twice(self, statement: sa.Executable, values: Mapping[str, Any], repeat: bool) -> _Answer:
        with self._operation() as call:
            try:
                return self._attempt(call, statement, values)
            except self._failures as error:
                # What fails in SQLite has waited for the lock already, and there is no network to blame.
                if not repeat or self._is_sqlite or _names_missing_table(error):
                    raise
                _ = call.remaining
            return self._attempt(call, statement, values)._replace(certain=False)

    @contextmanager
    def _operation(self) -> Iterator[Call]:
        """Bound an operation, and say in our own words that it failed: those of a driver may hold anything."""
        call = self._watchdog.call()
        try:
            with self._gate, call:
                yield call
        except self._failures as error:
            kind = _TableMissingError if _names_missing_table(error) else StoreUnavailableError
            raise kind("TimeoutError" if call.expired else type(_origin(error)).__name__) from None

    def _attempt(self, call: Call, statement: sa.Executable, values: Mapping[str, Any]) -> _Answer:
        connection = self._checkout()
        try:
            answer = self._execute(call, connection.dbapi_connection, statement, values)
        except self._driver.IntegrityError:
            answer = _Answer((), 0)
        except BaseException:  # also what ends the worker: the answer may still come
            connection.invalidate()
            raise
        if call.expired:
            connection.invalidate()
        else:
            connection.close()
        return answer

    def _checkout(self) -> PoolProxiedConnection:
        connection = self._engine.raw_connection()
        for _ in range(POOL_SIZE):
            if self._is_sqlite or not _is_stale(connection.dbapi_connection):
                break
            connection.invalidate()
            connection = self._engine.raw_connection()
        return connection

    def _execute(self, call: Call, connection: Any, statement: sa.Executable, values: Mapping[str, Any]) -> _Answer:
        call.watch(partial(_cut, connection))
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _prepare(statement, self._engine.dialect)
        cursor = connection.cursor()
        cursor.execute(prepared.sql, prepared.arguments(values))
        answer = _Answer(cursor.fetchall() if cursor.description else (), cursor.rowcount)
        cursor.close()
        return answer


def _is_key(session_id: str) -> bool:
    """Tell whether a session may have this id. Whatever a client has signed instead, no database is asked for."""
    return re.fullmatch("[!-~]{1,64}", session_id) is not None


# --- errors -----------------------------------------------------------------------------------------------------------


def _origin(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _names_missing_table(error: BaseException) -> bool:
    origin = _origin(error)
    return (
        getattr(origin, "sqlstate", getattr(origin, "pgcode", None)) == "42P01"  # PostgreSQL
        or origin.args[:1] == (1146,)  # MySQL
        or "no such table" in str(origin)  # SQLite
    )


def _unreachable(reason: str, timeout: float) -> Finding:
    return Finding(
        "error",
        "store_unreachable",
        f"The database of JWT_STORE_URI did not do its work within {timeout:g} seconds ({reason})",
        "Every request with a token that the store must know is answered with 503.",
        "Look at the database and the network, or raise JWT_STORE_TIMEOUT.",
    )


def _loses_a_second(setting: str, better: str) -> Finding:
    return Finding(
        "warning",
        "store_loses_a_second",
        f"The database does not write to disk before it acknowledges ({setting})",
        "A crash loses a second of what was acknowledged: sessions that were ended return, those refreshed end.",
        f"Set it to {better}.",
    )


_NOT_DURABLE = Finding(
    "error",
    "store_not_durable",
    "PostgreSQL never waits for the disk (fsync = off)",
    "If the machine stops, any part of the database may be lost or damaged: sessions that were ended return.",
    "Set fsync to on.",
)


def _judge_clock(ahead: float) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_TOLERANCE:
        yield Finding(
            "warning",
            "store_clock",
            f"The clock of the database is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}",
            "If machines differ in time, a token ends early on one and late on another, and so does JWT_REFRESH_GRACE.",
            "Run NTP on every machine.",
        )


# --- connections ------------------------------------------------------------------------------------------------------

#: What a scheme without a driver means.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
#: What bounds the life of a connection that nobody waits for any more.
_LIMITS = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout", "write_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout", "write_timeout"),
}


def _url(uri: str) -> sa.URL:
    try:
        url = sa.make_url(uri)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "JWT_STORE_URI is no URL of SQLAlchemy: postgresql://user:password@host/database, say."
            " In a password write %40 for @, %2F for / and %3A for :"
        ) from None
    if url.drivername.startswith("sqlite") and _is_in_memory(url):
        raise ConfigurationError("JWT_STORE_URI must name a file, sqlite:///jwt.db say; for tests there is memory://")
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _is_in_memory(url: sa.URL) -> bool:
    return not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"


def _engine(url: sa.URL, timeout: float) -> sa.Engine:
    try:
        engine = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=timeout,
            pool_use_lifo=True,
            pool_reset_on_return=None,  # there is nothing to roll back
            connect_args=_connect_args(url, timeout),
        )
    except ModuleNotFoundError:
        raise
    except (ArgumentError, ImportError, ValueError, TypeError):
        raise ConfigurationError(
            f"JWT_STORE_URI names a database or an option that is not known: {url.drivername}://. Use sqlite:///jwt.db,"
            " postgresql://, mysql:// or mariadb://"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        event.listen(engine, "do_connect", _connect)
    return engine


def _connect_args(url: sa.URL, timeout: float) -> dict[str, float]:
    driver = url.get_dialect().driver
    if driver == "pysqlite":
        return {"timeout": timeout}
    return dict.fromkeys(_LIMITS.get(driver, ()), max(2, math.ceil(timeout)))  # libpq takes 2 for 1


def _prepare_sqlite(connection: Any, _: object) -> None:
    call = current_call()
    try:
        if call is not None:
            call.watch(connection.interrupt)
        with suppress(Exception):  # it works without, and findings() says so
            connection.execute("PRAGMA journal_mode=WAL")
        if call is not None:
            _ = call.remaining  # somebody else may have kept it locked
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise


def _connect(dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Open a connection, but wait for it no longer than the operation lasts that needs it.

    No driver bounds all of it: the name, the network, TLS and the password. So it is opened in a thread of its own.
    """
    call = current_call()
    if call is None:
        return None
    _ = call.remaining
    opening: Future[Any] = Future()
    opener = partial(_open, opening, partial(dialect.connect, *arguments, **options))
    Thread(target=opener, name="jwt-store-connect", daemon=True).start()
    try:
        wait([opening], call.remaining)
        _ = call.remaining
        connection = opening.result()
        call.watch(partial(_cut, connection))
    except TimeoutError:
        opening.add_done_callback(_discard)
        raise
    return connection


def _open(opening: Future[Any], connect: Callable[[], Any]) -> None:
    try:
        opening.set_result(connect())
    except BaseException as error:  # it belongs to whoever waits
        opening.set_exception(error)


def _discard(opening: Future[Any]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _fileno(connection: Any) -> int | None:
    """Return the descriptor of a connection's socket: psycopg tells it, PyMySQL's socket does."""
    source = connection if hasattr(connection, "fileno") else getattr(connection, "_sock", None)
    return None if source is None else source.fileno()


def _is_stale(connection: Any) -> bool:
    """Tell whether the server has hung up: a connection that nobody uses is silent. Asked before a statement is sent,
    since afterwards nobody can say whether it was carried out.
    """
    try:
        fileno = _fileno(connection)
    except Exception:  # it is closed
        return True
    if fileno is None:
        return False
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([fileno], [], [], 0)[0])
    silence = select.poll()
    silence.register(fileno, select.POLLIN)
    return bool(silence.poll(0))


#: What PyMySQL reads through, of connections that belong to a parent: to close one waits for a thread of that.
_BUFFERS: list[Any] = []


def _leave(connection: Any) -> None:
    """Close a connection that belongs to the parent too: what it says in parting goes nowhere."""
    with suppress(Exception):  # it may be closed
        fileno = _fileno(connection)
        if fileno is not None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, fileno)
            os.close(nowhere)
            if hasattr(connection, "_rfile"):
                _BUFFERS.append(connection._rfile)
                connection._rfile = None
            connection.close()


def _cut(connection: Any) -> None:
    """End the wait for an answer, from another thread."""
    if hasattr(connection, "interrupt"):  # SQLite
        connection.interrupt()
        return
    fileno = _fileno(connection)
    if fileno is not None:
        shut(fileno)


# --- forks ------------------------------------------------------------------------------------------------------------


class _Gate:
    """Lets operations in, save while the process forks."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._forks = 0

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._forks)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def shut(self, timeout: float) -> None:
        """Let nobody in, and wait until all have left, for this many seconds at most."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._inside, timeout)

    def open(self) -> None:
        """Let them in again."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()


def _watch_forks(store: weakref.ref[SqlStore]) -> None:
    """Tell a store of forks for as long as it lives: the hooks themselves cannot be taken back."""

    def tell(method: Callable[[SqlStore], None]) -> None:
        this = store()
        if this is not None:
            method(this)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=partial(tell, SqlStore._before_fork),
            after_in_parent=partial(tell, SqlStore._after_fork),
            after_in_child=partial(tell, SqlStore._in_child),
        )
