"""Sends the statements of the SQL store to a driver: compiled once, within one deadline, safe in forked children."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from threading import Condition
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import Pool, PoolProxiedConnection

from ..exceptions import StoreUnavailableError
from ._deadline import Call, ForkGuard, Watchdog
from ._sql_engine import interrupt


class Answer(NamedTuple):
    """The result of a statement.

    :ivar written: rows that were written
    :ivar certain: whether the statement was sent once. If not, the first one may have been carried out, its answer lost
    """

    rows: Sequence[Any]
    written: int
    certain: bool = True


class TableMissingError(StoreUnavailableError):
    """A table does not exist."""


class SqlConnection:
    """Sends compiled statements straight to the driver, which is half the cost. Each is a transaction of its own.

    :param engine: of the application; or what makes one. One that is made here belongs to this object: a forked child
        makes another, and :meth:`close` closes its connections
    :param timeout: seconds within which every operation ends
    """

    def __init__(self, engine: sa.Engine | Callable[[], sa.Engine], timeout: float) -> None:
        self._make: Callable[[], sa.Engine] | None = None
        self._engine: sa.Engine
        if isinstance(engine, sa.Engine):
            self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        else:
            self._make, self._engine = engine, engine()
        self._watchdog = Watchdog(timeout)
        self._is_sqlite = self.dialect == "sqlite"
        self._driver: Any = self._engine.dialect.loaded_dbapi
        self._failures = (SQLAlchemyError, OSError, self._driver.Error)
        self._prepared: dict[sa.Executable, _Prepared] = {}
        self._gate = _Gate() if self._is_sqlite else nullcontext()
        self._forks = ForkGuard(self._reset)
        if self._is_sqlite:
            _watch_forks(weakref.ref(self))

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for the database."""
        return self._engine.dialect.name

    @property
    def timeout(self) -> float:
        """Seconds within which every operation ends."""
        return self._watchdog.timeout

    def run(self, statement: sa.Executable, values: Mapping[str, Any], *, repeat: bool = True) -> Answer:
        """Carry out a statement.

        :param repeat: whether it is sent once more, to another connection, when the first one fails
        :raises TableMissingError: if its table does not exist
        :raises StoreUnavailableError: if it failed or did not end in time
        """
        with self._operation() as call:
            try:
                return self._attempt(call, statement, values)
            except self._failures as error:
                # A statement that fails in SQLite has waited for the lock already, and there is no network.
                if not repeat or self._is_sqlite or _names_missing_table(error):
                    raise
                _ = call.remaining
            return self._attempt(call, statement, values)._replace(certain=False)

    def create(self, item: sa.Table | sa.Index) -> None:
        """Create a table or an index unless it exists.

        :raises StoreUnavailableError: if it failed or did not end in time
        """
        with self._operation() as call, self._engine.connect() as connection:
            call.watch(partial(interrupt, connection.connection.dbapi_connection))
            item.create(connection, checkfirst=True)

    def close(self) -> None:
        """Close the connections that are not in use, unless the engine belongs to the application."""
        self._forks.check()
        if self._make is not None:
            self._engine.dispose()

    @contextmanager
    def _operation(self) -> Iterator[Call]:
        """Bound an operation, and report failures by their class only: a message of a driver may hold anything."""
        self._forks.check()
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
        except BaseException:  # also what ends the worker: the answer may still arrive
            connection.invalidate()
            raise
        if call.expired:
            connection.invalidate()
        else:
            connection.close()
        return answer

    def _checkout(self) -> PoolProxiedConnection:
        if self._make is not None:
            return self._engine.raw_connection()
        return self._engine.connect().connection  # in autocommit, until it is returned to the pool

    def _execute(self, call: Call, connection: Any, statement: sa.Executable, values: Mapping[str, Any]) -> Answer:
        call.watch(partial(interrupt, connection))
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = _prepare(statement, self._engine.dialect)
        cursor = connection.cursor()
        cursor.execute(prepared.sql, prepared.arguments(values))
        answer = Answer(cursor.fetchall() if cursor.description else (), cursor.rowcount)
        cursor.close()
        return answer

    def _reset(self) -> None:
        """Leave the connections to the parent process, and open others."""
        self._watchdog.reset()
        if self._is_sqlite:
            # They were closed before the fork. If no hook ran then, they are closed now, in the child, which makes
            # SQLite forget the locks of the parent.
            self._gate = _Gate()
            self._engine.dispose()
        else:
            _keep_forever(self._engine.pool)
            self._engine.dispose(close=False)
        if self._make is not None:  # a thread that does not exist here may have been changing the old one
            self._engine = self._make()

    # SQLite remembers in the memory of the process which locks it holds, and a child does not inherit the locks.

    def _before_fork(self) -> None:
        if isinstance(self._gate, _Gate):
            self._gate.shut(self._watchdog.timeout)
            self._engine.dispose()

    def _after_fork(self) -> None:
        if isinstance(self._gate, _Gate):
            self._gate.open()


class _Prepared(NamedTuple):
    """A statement in the syntax of one driver.

    :ivar names: the order of its parameters; ``None``: they are passed by name
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


def _origin(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _names_missing_table(error: BaseException) -> bool:
    origin = _origin(error)
    return (
        getattr(origin, "sqlstate", getattr(origin, "pgcode", None)) == "42P01"  # PostgreSQL
        or origin.args[:1] == (1146,)  # MySQL
        or "no such table" in str(origin)  # SQLite
    )


def _keep_forever(pool: Pool) -> None:
    """Never destroy the connections of a pool: some drivers would close the session of the parent on the server."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))


class _Gate:
    """Lets operations pass, except while the process forks."""

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
        """Let no more operations pass, and wait until all have ended, for this many seconds at most."""
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._inside, timeout)

    def open(self) -> None:
        """Let operations pass again."""
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()


def _watch_forks(connection: weakref.ref[SqlConnection]) -> None:
    """Call the hooks of an SQLite connection around forks, as long as it lives: Python's hooks cannot be removed."""

    def call(method: Callable[[SqlConnection], None]) -> None:
        this = connection()
        if this is not None:
            method(this)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=partial(call, SqlConnection._before_fork),
            after_in_parent=partial(call, SqlConnection._after_fork),
        )
