"""What a store of sessions must do. Write a class with these methods, run the contract tests over it, and hand an
instance to JWT_STORE_URI; no base class is needed.

The contract tests are :mod:`flask_jwt_extended.testing.store_contract`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from .records import SessionRecord

if TYPE_CHECKING:
    from .findings import Finding

#: Seconds that a record is kept past the moment it stops to matter, so that a clock that is behind finds it still.
MARGIN = 3600


class Status(NamedTuple):
    """What a store knows of an access token.

    :ivar deadline: when its session ends, seconds since the epoch; ``None``: there is no such session
    :ivar revoked: whether the token itself was revoked
    """

    deadline: float | None
    revoked: bool


class Stats(NamedTuple):
    """How much a store holds."""

    sessions: int
    revoked_tokens: int
    prunable: int


@runtime_checkable
class SessionStore(Protocol):
    """Keeps sessions and revoked tokens.

    Every method raises :class:`~flask_jwt_extended.exceptions.StoreUnavailableError` if the engine does not answer
    within the timeout of the store, or not at all. What a method has written when it returns is as durable as the
    engine makes it. Instances are used by many threads at once, and in the children of a process that made them.
    """

    def create(self) -> None:
        """Create what the store needs, tables say. Doing it twice does no harm; every method does it on first use."""
        ...

    def add(self, record: SessionRecord) -> None:
        """Keep a new session until its deadline at least."""
        ...

    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session as it was last written, also if its deadline has passed; ``None`` if there is none."""
        ...

    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Write a session anew if its stored generation is this one, in one atomic step.

        :return: whether it was. ``False``: somebody else was faster, or the session has ended
        """
        ...

    def remove(self, session_id: str) -> bool:
        """End a session. Once this has returned, no method finds it, and no :meth:`replace` brings it back.

        :return: whether there was one
        """
        ...

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity (:attr:`SessionRecord.owner`), in any order."""
        ...

    def sessions(self) -> Iterator[SessionRecord]:
        """Go through all sessions, in any order. One that comes or goes meanwhile may be among them or not."""
        ...

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Tell what matters for an access token, in one round trip.

        :param session_id: its ``sid``; ``None``: it belongs to no session
        :param token: the digest of its ``jti``; ``None``: it has none
        """
        ...

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:
        """Remember that a token was revoked, for as long as anybody may present it.

        :param token: the digest of its ``jti``
        :param until: seconds since the epoch
        :param session_id: its ``sid``; ``None``: it belongs to no session. The revocation need not outlive the session
        :return: ``True`` for exactly one of those that revoke the same token, unless it has ended with its session
        """
        ...

    def prune(self, now: float, limit: int) -> int:
        """Remove at most this many records that nobody can ask for any more, and return how many there were.

        :param now: seconds since the epoch
        """
        ...

    def stats(self, now: float) -> Stats:
        """Count what is kept."""
        ...

    def findings(self, now: float) -> Iterator[Finding]:
        """Judge the engine behind the store: does it lose what it acknowledged, can it be reached in time?"""
        ...

    def close(self) -> None:
        """Let go of all connections. The next call makes new ones."""
        ...
