"""Sessions in a SQL database, through SQLAlchemy: its two tables, and the statements on them.

Tested with SQLite, PostgreSQL (psycopg), MySQL and MariaDB (PyMySQL).
For Alembic: ``from flask_jwt_extended.stores.sql import metadata``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ..exceptions import ConfigurationError, StoreUnavailableError
from ._sql_connection import Answer, SqlConnection, TableMissingError
from ._sql_engine import make_engine
from .base import MARGIN, SessionStore, Stats, Status
from .findings import Finding, clock_differs, unreachable
from .records import CLOCK_TOLERANCE, SessionRecord

#: Sessions that are read in one go.
PAGE = 500
#: Rows that are pruned in one go.
_BATCH = 100


metadata = sa.MetaData()

# By default MySQL ignores case and accents: "ABC" equals "abc" and "äbc". These columns compare bytes.
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
    """The statements that remove from a table what has expired."""

    counting: sa.Select[Any]
    keys: sa.Select[Any]
    removal: sa.Delete


def _prunable(table: sa.Table, key: sa.Column[str], ends: sa.Column[float]) -> _Prunable:
    over = ends <= sa.bindparam("latest")
    return _Prunable(
        sa.select(sa.func.count()).select_from(table).where(over),
        sa.select(key).where(over).order_by(ends).limit(_SIZE),  # by the index, which skips active sessions
        sa.delete(table).where(_batch_of(key), over),  # the row may have changed since its key was read
    )


_PRUNABLE = (_prunable(_SESSIONS, _s.session_id, _s.deadline), _prunable(_TOKENS, _t.token, _t.until))
_COUNTS = [sa.select(sa.func.count()).select_from(table) for table in (_SESSIONS, _TOKENS)]

_FILE_SQLITE = sa.text("PRAGMA database_list")
_CHECK_SQLITE = sa.text("PRAGMA journal_mode")
_CHECK_POSTGRESQL = sa.text(
    "SELECT current_setting('fsync'), current_setting('synchronous_commit'),"
    " CAST(extract(epoch FROM clock_timestamp()) AS float8)"
)
_CHECK_MYSQL = sa.text("SELECT @@innodb_flush_log_at_trx_commit, UNIX_TIMESTAMP(NOW(6))")


class SqlStore(SessionStore):
    """A store in a SQL database.

    A method is one statement, except for :meth:`create`, :meth:`prune`, :meth:`stats` and the pages of
    :meth:`sessions`.

    The engine stays the application's: its pool is used, and :meth:`close` leaves it alone. ``timeout`` bounds the wait
    for an answer; the wait for a connection is bounded by the engine's own ``pool_timeout`` and the ``connect_timeout``
    of its driver. Set ``pool_pre_ping=True``, or the first write on a connection that the server has closed fails. A
    forked child gets a new pool: ``engine.dispose(close=False)``.

    :param engine: of the application: ``SqlStore(db.engine)``. Its isolation level does not matter
    :param timeout: seconds within which every statement ends
    :raises ConfigurationError: if it is not an :class:`sqlalchemy.Engine`

    .. versionadded:: 5.0
    """

    def __init__(self, engine: sa.Engine, timeout: float = 1.0) -> None:
        if not isinstance(engine, sa.Engine):
            raise ConfigurationError(
                f"SqlStore takes a sqlalchemy.Engine, not a {type(engine).__name__}. For a URI there is"
                " SqlStore.from_uri, and JWT_STORE_URI"
            )
        self._connection = SqlConnection(engine, timeout)

    @classmethod
    def from_uri(cls, uri: str, timeout: float = 1.0) -> SqlStore:
        """Return a store with an engine of its own. It does not connect yet.

        :param uri: a SQLAlchemy URL. ``sqlite:///jwt.db`` is a file in the working directory, ``sqlite:////srv/jwt.db``
            an absolute path. ``postgresql://`` means psycopg, and ``mysql://`` and ``mariadb://`` PyMySQL, if no other
            driver is named. Options: ``pool_size``, connections of a process at most (50); ``prepare_threshold`` of
            psycopg, which is off because PgBouncer does not support it in transaction mode; and those of the driver
        :param timeout: seconds within which every statement ends, connecting included
        :raises ConfigurationError: if the URL names no database that can be used
        :raises ModuleNotFoundError: if the driver is not installed

        .. versionadded:: 5.0
        """
        store = cls.__new__(cls)
        store._connection = SqlConnection(partial(make_engine, uri, timeout), timeout)
        return store

    def add(self, record: SessionRecord) -> None:
        """Store a new session.

        :raises ValueError: if its id is not printable ASCII, of 64 characters at most
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
        """Replace a session if its stored generation is this one."""
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
        """Iterate over all sessions, :data:`PAGE` at a time."""
        page = self._read(_NEXT, after="", size=PAGE)
        while page:
            yield from (SessionRecord.from_json(row[1]) for row in page)
            page = self._read(_NEXT, after=page[-1][0], size=PAGE)

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Return the status of an access token."""
        if session_id is not None and not _is_key(session_id):
            session_id = None
        ((deadline, until),) = self._read(_STATUS, id=session_id, digest=token)
        return Status(deadline, until is not None)

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:  # noqa: ARG002  # kept apart
        """Revoke a token."""
        return self._write(_REVOKE, token=token, until=float(until))

    def prune(self, now: float, limit: int) -> int:
        """Remove what has expired, in batches that each have a timeout of their own."""
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
        """Check whether the database answers, loses acknowledged writes, and has the same time."""
        checks = {"postgresql": self._check_postgresql, "sqlite": self._check_sqlite}
        checks |= dict.fromkeys(("mysql", "mariadb"), self._check_mysql)
        try:
            findings = list(checks.get(self._connection.dialect, self._check_any)(now))
        except StoreUnavailableError as error:
            within = f"{self._connection.timeout:g} seconds ({error.reason})"
            findings = [unreachable(f"The database of JWT_STORE_URI does not answer within {within}", "database")]
        yield from findings

    def _check_postgresql(self, now: float) -> Iterator[Finding]:
        ((fsync, commit, clock),) = self._read(_CHECK_POSTGRESQL)
        if fsync == "off":
            yield _NOT_DURABLE
        if commit == "off":
            yield _loses_a_second("synchronous_commit = off", "on")
        yield from _check_clock(clock - now)

    def _check_mysql(self, now: float) -> Iterator[Finding]:
        ((flush, clock),) = self._read(_CHECK_MYSQL)
        if flush != 1:
            yield _loses_a_second(f"innodb_flush_log_at_trx_commit = {flush}", "1")
        yield from _check_clock(float(clock) - now)

    def _check_sqlite(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # its clock is ours
        ((mode,),) = self._read(_CHECK_SQLITE)
        if mode != "wal":
            yield Finding(
                "warning",
                "store_without_wal",
                f"The journal mode of the SQLite database is {mode}, not WAL",
                "While one request writes a session, no other can read one.",
                "Put the database on a local disk, in a folder that the application may write to. With an engine of"
                " your own, run PRAGMA journal_mode = WAL.",
            )
        file = next(path for _, name, path in self._read(_FILE_SQLITE) if name == "main")
        if os.name == "posix" and file and Path(file).stat().st_mode & 0o077:
            yield Finding(
                "warning",
                "store_exposed",
                f"Other users of this machine can read or change the SQLite database {Path(file).name}",
                "It lists every session, and a user who can write to it can keep one alive.",
                f"chmod 600 {file}, and the files beside it that end in -wal and -shm.",
            )

    def _check_any(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # its clock is not known
        self.status(None, None)
        yield Finding(
            "info",
            "store_unknown",
            f"The store is not tested with {self._connection.dialect}",
            "It may lose what it has acknowledged, and wait for longer than JWT_STORE_TIMEOUT.",
            "Use SQLite, PostgreSQL, MariaDB or MySQL.",
        )

    def create(self) -> None:
        """Create the tables and indexes that are missing, each within a timeout of its own."""
        for table in metadata.sorted_tables:
            items: list[sa.Table | sa.Index] = [table, *table.indexes]
            for item in items:
                try:
                    self._connection.create(item)
                except StoreUnavailableError:  # another process may have created it meanwhile
                    self._connection.create(item)

    def close(self) -> None:
        """Close the connections that are not in use, unless the engine belongs to the application."""
        self._connection.close()

    def _read(self, statement: sa.Executable, **values: Any) -> Sequence[Any]:
        return self._run(statement, values).rows

    def _write(self, statement: sa.Executable, **values: Any) -> bool:
        """Carry out a write that has an effect once only, and return whether it had.

        :raises StoreUnavailableError: also if that is not known, because the answer to a first attempt was lost
        """
        answer = self._run(statement, values)
        if not answer.written and not answer.certain:
            raise StoreUnavailableError("ambiguous")
        return answer.written > 0

    def _run(self, statement: sa.Executable, values: Mapping[str, Any], *, repeat: bool = True) -> Answer:
        try:
            return self._connection.run(statement, values, repeat=repeat)
        except TableMissingError:
            self.create()
        return self._connection.run(statement, values, repeat=repeat)


def _is_key(session_id: str) -> bool:
    """Whether a session may have this id. A client may have signed anything: the database is not asked for that."""
    return re.fullmatch("[!-~]{1,64}", session_id) is not None


def _loses_a_second(setting: str, better: str) -> Finding:
    return Finding(
        "warning",
        "store_loses_a_second",
        f"The database does not write to disk before it acknowledges ({setting})",
        "A crash loses up to a second of acknowledged writes: sessions that were ended return, refreshed ones end.",
        f"Set it to {better}.",
    )


_NOT_DURABLE = Finding(
    "error",
    "store_not_durable",
    "PostgreSQL never waits for the disk (fsync = off)",
    "If the machine stops, any part of the database may be lost or damaged: sessions that were ended return.",
    "Set fsync to on.",
)


def _check_clock(ahead: float) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_TOLERANCE:
        yield clock_differs(f"The clock of the database is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}")
