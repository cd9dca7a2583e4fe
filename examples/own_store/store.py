"""A session store of your own: the `sqlite3` of the standard library, without SQLAlchemy."""

import os
import sqlite3
import threading
from contextlib import closing

from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.base import MARGIN, SessionStore, Stats, Status
from flask_jwt_extended.stores.records import SessionRecord

TABLES = """
CREATE TABLE IF NOT EXISTS session (
    id BLOB PRIMARY KEY, owner BLOB NOT NULL, generation INTEGER NOT NULL, deadline REAL NOT NULL, record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS session_owner ON session (owner);
CREATE TABLE IF NOT EXISTS revoked (token BLOB PRIMARY KEY, until REAL NOT NULL);
"""
#: Held during calls of SQLite, and during a fork: a child must not inherit SQLite in the middle of a call.
LOCK = threading.Lock()
os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)


class FileStore(SessionStore):
    """Keeps sessions in one file. Each call opens the file anew, so threads and processes share nothing."""

    def __init__(self, path, timeout=0.25):
        self.path = path
        self.timeout = timeout
        self.create()

    def _run(self, statement, *values):
        """Run one statement in its own transaction. Return its rows, and the number of rows that it changed."""
        # As bytes: SQLite cannot store every text that a client may send.
        values = [value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in values]
        try:
            with LOCK, closing(sqlite3.connect(self.path, timeout=self.timeout, isolation_level=None)) as connection:
                cursor = connection.execute(statement, values)
                return cursor.fetchall(), cursor.rowcount
        except sqlite3.Error as error:
            raise StoreUnavailableError(type(error).__name__) from error

    def create(self):
        self._run("PRAGMA journal_mode = WAL")  # readers do not wait for writers
        for statement in filter(str.strip, TABLES.split(";")):
            self._run(statement)

    def add(self, record):
        values = (record.session_id, record.owner, record.generation, record.deadline, record.to_json())
        self._run("INSERT INTO session VALUES (?, ?, ?, ?, ?)", *values)

    def get(self, session_id):
        rows, _ = self._run("SELECT record FROM session WHERE id = ?", session_id)
        return SessionRecord.from_json(rows[0][0]) if rows else None

    def replace(self, record, generation):
        # One statement: of two calls with the same generation, one changes a row.
        values = (record.generation, record.deadline, record.to_json(), record.session_id, generation)
        _, changed = self._run(
            "UPDATE session SET generation = ?, deadline = ?, record = ? WHERE id = ? AND generation = ?", *values
        )
        return changed == 1

    def remove(self, session_id):
        return self._run("DELETE FROM session WHERE id = ?", session_id)[1] == 1

    def sessions(self):
        rows, _ = self._run("SELECT record FROM session")
        return (SessionRecord.from_json(record) for (record,) in rows)

    def sessions_of(self, owner):
        rows, _ = self._run("SELECT record FROM session WHERE owner = ?", owner)
        return [SessionRecord.from_json(record) for (record,) in rows]

    def status(self, session_id, token):
        rows, _ = self._run(
            "SELECT (SELECT deadline FROM session WHERE id = ?), EXISTS (SELECT 1 FROM revoked WHERE token = ?)",
            *(session_id, token),
        )
        return Status(rows[0][0], bool(rows[0][1]))

    def revoke(self, token, until, session_id):  # noqa: ARG002  # kept apart from sessions
        return self._run("INSERT OR IGNORE INTO revoked VALUES (?, ?)", token, until)[1] == 1

    def prune(self, now, limit):
        pruned = 0
        for table, time in (("session", "deadline"), ("revoked", "until")):
            some = f"SELECT rowid FROM {table} WHERE {time} <= ? LIMIT ?"  # noqa: S608  # both names are constants
            delete = f"DELETE FROM {table} WHERE rowid IN ({some})"  # noqa: S608
            pruned += self._run(delete, now - MARGIN, limit - pruned)[1]
        return pruned

    def stats(self, now):
        counts = [
            self._run("SELECT count(*), count(*) FILTER (WHERE deadline <= ?) FROM session", now - MARGIN)[0][0],
            self._run("SELECT count(*), count(*) FILTER (WHERE until <= ?) FROM revoked", now - MARGIN)[0][0],
        ]
        return Stats(counts[0][0], counts[1][0], counts[0][1] + counts[1][1])
