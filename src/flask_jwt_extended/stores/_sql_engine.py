"""The engine that a URI in JWT_STORE_URI names. SQLAlchemy does the work; this module sets the options, and listens to
the events by which an operation can be bounded: connecting, and checking out a connection.
"""

from __future__ import annotations

import math
import os
import select
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.pool import QueuePool

from ..exceptions import ConfigurationError
from ._deadline import current_call, shutdown, start_thread

#: Connections of a process at most, unless ``?pool_size=`` sets another number. They are opened when they are needed.
POOL_SIZE = 50

#: The driver of a scheme that names none.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
#: Options that bound the life of a connection that no operation waits for any more.
_LIMITS = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout", "write_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout", "write_timeout"),
}


def make_engine(uri: str, timeout: float) -> sa.Engine:
    """Make an engine in autocommit whose connections a deadline can interrupt. It does not connect yet.

    :raises ConfigurationError: if the URI names no database that can be used
    :raises ModuleNotFoundError: if the driver is not installed
    """
    url = _parse(uri)
    try:
        engine = sa.create_engine(
            url.difference_update_query(["pool_size", "prepare_threshold"]),
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=int(str(url.query.get("pool_size", POOL_SIZE))),
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
    is_sqlite = engine.dialect.name == "sqlite"
    event.listen(engine, "do_connect", _create_private if is_sqlite else _connect)
    event.listen(engine, *(("connect", _prepare_sqlite) if is_sqlite else ("checkout", _check)))
    return engine


def _parse(uri: str) -> sa.URL:
    try:
        url = sa.make_url(uri)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "JWT_STORE_URI is not a valid SQLAlchemy URL, such as postgresql://user:password@host/database."
            " In a password write %40 for @, %2F for / and %3A for :"
        ) from None
    if url.drivername.startswith("sqlite") and _is_in_memory(url):
        raise ConfigurationError(
            "JWT_STORE_URI must name a file, such as sqlite:///jwt.db. For tests there is memory://"
        )
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _is_in_memory(url: sa.URL) -> bool:
    return not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"


def _connect_args(url: sa.URL, timeout: float) -> dict[str, Any]:
    driver = url.get_dialect().driver
    if driver == "pysqlite":
        return {"timeout": timeout}
    arguments: dict[str, Any] = dict.fromkeys(
        _LIMITS.get(driver, ()), max(2, math.ceil(timeout))
    )  # libpq takes 2 for 1
    if driver == "psycopg":
        # PgBouncer hands a connection to another client after each transaction, prepared statements included.
        threshold = url.query.get("prepare_threshold")
        arguments["prepare_threshold"] = None if threshold is None else int(str(threshold))
    return arguments


def _create_private(_dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
    """Create the file of an SQLite database so that only its owner may read it (mode 0600), whatever the umask. SQLite
    gives the files beside it, for its write-ahead log, the same mode. An existing file keeps its mode.
    """
    path = str(arguments[0])
    if options.get("uri"):
        parts = urlsplit(path)
        if parse_qs(parts.query).get("mode", ["rwc"])[-1] != "rwc":
            return  # SQLite would not create it
        path = unquote(parts.path)
    with suppress(OSError, ValueError):  # it exists; or it cannot be created, and SQLite reports that
        descriptor = os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)  # the umask may take even more away
        finally:
            os.close(descriptor)


def _prepare_sqlite(connection: Any, _: object) -> None:
    call = current_call()
    try:
        if call is not None:
            call.watch(connection.interrupt)
        with suppress(Exception):  # it works without, and findings() reports it
            connection.execute("PRAGMA journal_mode=WAL")
        if call is not None:
            _ = call.remaining  # another process may have kept the database locked
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise


def _connect(dialect: Dialect, _: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Open a connection, but wait for it no longer than the operation lasts that needs it.

    No driver bounds all of it: the name, the network, TLS and the password. So a thread of its own opens it.
    """
    call = current_call()
    if call is None:
        return None
    _ = call.remaining
    opening: Future[Any] = Future()
    start_thread(partial(_open, opening, partial(dialect.connect, *arguments, **options)), "jwt-store-connect")
    try:
        wait([opening], call.remaining)
        _ = call.remaining
        connection = opening.result()
        call.watch(partial(interrupt, connection))
    except TimeoutError:
        opening.add_done_callback(_discard)
        raise
    return connection


def _open(opening: Future[Any], connect: Callable[[], Any]) -> None:
    try:
        opening.set_result(connect())
    except BaseException as error:  # the thread that waits raises it
        opening.set_exception(error)


def _discard(opening: Future[Any]) -> None:
    if opening.exception() is None:
        opening.result().close()


def _check(connection: Any, *_: object) -> None:
    """Replace connections that the server has closed before a statement is sent: afterwards, it would not be known
    whether the statement was carried out.
    """
    try:
        fileno = _fileno(connection)
    except Exception:  # it is closed
        raise InvalidatePoolError from None
    if fileno is not None and _has_data(fileno):
        raise InvalidatePoolError


def _has_data(fileno: int) -> bool:
    """Whether there is something to read, or the end of the stream: an idle connection is silent."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([fileno], [], [], 0)[0])
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))


def _fileno(connection: Any) -> int | None:
    """Return the descriptor of a connection's socket. psycopg has a method; PyMySQL's socket has one."""
    source = connection if hasattr(connection, "fileno") else getattr(connection, "_sock", None)
    return None if source is None else source.fileno()


def interrupt(connection: Any) -> None:
    """End the wait of another thread for the answer to a statement.

    :param connection: of the driver
    """
    if hasattr(connection, "interrupt"):  # SQLite
        connection.interrupt()
        return
    fileno = _fileno(connection)
    if fileno is not None:
        shutdown(fileno)
