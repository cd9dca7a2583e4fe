"""Sessions in the memory of one process, for tests. They end with the process, and no other worker sees them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from threading import Lock

from .base import MARGIN, SessionStore, Stats, Status
from .findings import Finding
from .records import SessionRecord


class MemoryStore(SessionStore):
    """A store in the memory of this process.

    .. versionadded:: 5.0
    """

    def __init__(self) -> None:
        self._sessions: dict[str, SessionRecord] = {}
        self._owned: defaultdict[str, set[str]] = defaultdict(set)
        self._revoked: dict[str, float] = {}
        self._process, self._own_lock = os.getpid(), Lock()

    @property
    def _lock(self) -> Lock:
        """The lock of this process: a child may have been forked while its parent held the old one."""
        if self._process != os.getpid():
            self._process, self._own_lock = os.getpid(), Lock()
        return self._own_lock

    def add(self, record: SessionRecord) -> None:
        """Store a new session."""
        with self._lock:
            self._sessions[record.session_id] = record
            self._owned[record.owner].add(record.session_id)

    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session."""
        return self._sessions.get(session_id)

    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Replace a session if its stored generation is this one."""
        with self._lock:
            stored = self._sessions.get(record.session_id)
            if stored is None or stored.generation != generation:
                return False
            self._sessions[record.session_id] = record
            return True

    def remove(self, session_id: str) -> bool:
        """End a session."""
        with self._lock:
            return self._remove(session_id)

    def _remove(self, session_id: str) -> bool:
        record = self._sessions.pop(session_id, None)
        if record is None:
            return False
        owned = self._owned[record.owner]
        owned.discard(session_id)
        if not owned:
            del self._owned[record.owner]
        return True

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity."""
        with self._lock:
            return [self._sessions[session_id] for session_id in self._owned.get(owner, ())]

    def sessions(self) -> Iterator[SessionRecord]:
        """Iterate over all sessions."""
        with self._lock:
            return iter(list(self._sessions.values()))

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Return the status of an access token."""
        record = self._sessions.get(session_id) if session_id is not None else None
        return Status(record.deadline if record else None, token in self._revoked)

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:  # noqa: ARG002  # kept apart
        """Revoke a token."""
        with self._lock:
            if token in self._revoked:
                return False
            self._revoked[token] = until
            return True

    def prune(self, now: float, limit: int) -> int:
        """Remove what has expired."""
        with self._lock:
            sessions, tokens = self._prunable(now)
            sessions = sessions[:limit]
            tokens = tokens[: limit - len(sessions)]
            for session_id in sessions:
                self._remove(session_id)
            for token in tokens:
                del self._revoked[token]
            return len(sessions) + len(tokens)

    def _prunable(self, now: float) -> tuple[list[str], list[str]]:
        latest = now - MARGIN
        return (
            [session_id for session_id, record in self._sessions.items() if record.deadline <= latest],
            [token for token, until in self._revoked.items() if until <= latest],
        )

    def stats(self, now: float) -> Stats:
        """Count what is kept."""
        with self._lock:
            return Stats(len(self._sessions), len(self._revoked), sum(map(len, self._prunable(now))))

    def findings(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # it has no clock of its own
        """Warn that it is for tests."""
        yield Finding(
            "warning",
            "store_in_memory",
            "JWT_STORE_URI keeps sessions in the memory of one process",
            "Sessions end with the process, and other workers refuse their tokens.",
            "Use sqlite:///jwt.db on one machine, PostgreSQL or Redis for several.",
        )
