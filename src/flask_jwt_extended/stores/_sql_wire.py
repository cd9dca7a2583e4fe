"""What the SQL store sends its statements through: connections, one deadline for each operation, and forks.

Owns drivers, their errors and their sockets. Must not know the tables, nor what a statement is for.
"""

from __future__ import annotations

import math
import os
import select
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from threading import Condition
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from ..exceptions import ConfigurationError, StoreUnavailableError
from ._deadline import Call, Watchdog, current_call, shut, start_thread

#: Connections that a process keeps at most. An operation that finds all in use waits for one.
POOL_SIZE = 10


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


class Answer(NamedTuple):
    """What came of a statement.

    :ivar written: rows that were written
    :ivar certain: whether the statement was sent once. If not, the first one may have been carried out unheard
    """

    rows: Sequence[Any]
    written: int
    certain: bool = True


class TableMissingError(StoreUnavailableError):
    """A table is not there yet."""


class SqlConnection:
    """Sends statements of SQLAlchemy straight to a driver, which is half the cost. Each is a transaction of its own, in
    autocommit. A process has at most :data:`POOL_SIZE` connections, made when needed.

    :param uri: a URL of SQLAlchemy
    :param timeout: seconds within which every operation ends
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

    @property
    def dialect(self) -> str:
        """The name that SQLAlchemy has for the database."""
        return self._engine.dialect.name

    @property
    def timeout(self) -> float:
        """Seconds within which every operation ends."""
        return self._watchdog.timeout

    def run(self, statement: sa.Executable, values: Mapping[str, Any], *, repeat: bool = True) -> Answer:
        """Carry out a statement.

        :param repeat: whether it is sent once more, to another connection, when the first one fails
        :raises TableMissingError: if its table is not there
        :raises StoreUnavailableError: if it failed or did not end in time
        """
        with self._operation() as call:
            try:
                return self._attempt(call, statement, values)
            except self._failures as error:
                # What fails in SQLite has waited for the lock already, and there is no network to blame.
                if not repeat or self._is_sqlite or _names_missing_table(error):
                    raise
                _ = call.remaining
            return self._attempt(call, statement, values)._replace(certain=False)

    def create(self, item: sa.Table | sa.Index) -> None:
        """Create a table or an index unless it is there.

        :raises StoreUnavailableError: if it failed or did not end in time
        """
        with self._operation() as call, self._engine.connect() as connection:
            call.watch(partial(_cut, connection.connection.dbapi_connection))
            item.create(connection, checkfirst=True)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    # --- one operation ---------------------------------------------------------------------------------------------

    @contextmanager
    def _operation(self) -> Iterator[Call]:
        """Bound an operation, and say in our own words that it failed: those of a driver may hold anything."""
        call = self._watchdog.call()
        try:
            with self._gate, call:
                yield call
        except self._failures as error:
            kind = TableMissingError if _names_missing_table(error) else StoreUnavailableError
            raise kind("TimeoutError" if call.expired else type(_origin(error)).__name__) from None

    def _attempt(self, call: Call, statement: sa.Executable, values: Mapping[str, Any]) -> Answer:
        connection = self._checkout()
        try:
            answer = self._execute(call, connection.dbapi_connection, statement, values)
        except self._driver.IntegrityError:
            answer = Answer((), 0)
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

    def _execute(self, call: Call, connection: Any, statement: sa.Executable, values: Mapping[str, Any]) -> Answer:
        call.watch(partial(_cut, connection))
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _prepare(statement, self._engine.dialect)
        cursor = connection.cursor()
        cursor.execute(prepared.sql, prepared.arguments(values))
        answer = Answer(cursor.fetchall() if cursor.description else (), cursor.rowcount)
        cursor.close()
        return answer

    # --- forks -----------------------------------------------------------------------------------------------------

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
        event.listen(engine, "do_connect", _create_private)
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        event.listen(engine, "do_connect", _connect)
    return engine


def _connect_args(url: sa.URL, timeout: float) -> dict[str, float]:
    driver = url.get_dialect().driver
    if driver == "pysqlite":
        return {"timeout": timeout}
    return dict.fromkeys(_LIMITS.get(driver, ()), max(2, math.ceil(timeout)))  # libpq takes 2 for 1


def _create_private(_dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Create the file of an SQLite database so that only its owner may read it (mode 0600), whatever the umask. SQLite
    gives the files beside it, for its write-ahead log, the same mode. A file that is there keeps the mode it has.
    """
    path = sqlite_path(str(arguments[0]), is_uri=bool(options.get("uri")))
    if path is None:
        return
    with suppress(OSError, ValueError):  # it is there; or it cannot be created, and SQLite reports that
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # the umask may take even more away
        finally:
            os.close(descriptor)


def sqlite_path(database: str, *, is_uri: bool) -> str | None:
    """Return the path of the file that SQLite would create for a database; ``None`` if it would create none.

    :param is_uri: whether the database is given as a URI (``file:...``), and not as a path
    """
    if is_uri:
        parts = urlsplit(database)
        if parse_qs(parts.query).get("mode", ["rwc"])[-1] != "rwc":
            return None
        database = unquote(parts.path)
    return os.path.realpath(database)


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
    start_thread(opener, "jwt-store-connect")
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


def _watch_forks(wire: weakref.ref[SqlConnection]) -> None:
    """Tell a wire of forks for as long as it lives: the hooks themselves cannot be taken back."""

    def tell(method: Callable[[SqlConnection], None]) -> None:
        this = wire()
        if this is not None:
            method(this)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=partial(tell, SqlConnection._before_fork),
            after_in_parent=partial(tell, SqlConnection._after_fork),
            after_in_child=partial(tell, SqlConnection._in_child),
        )
