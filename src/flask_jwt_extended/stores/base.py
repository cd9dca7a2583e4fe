"""The base class of session stores.

To write one, derive a class from :class:`SessionStore`, run the contract tests over it
(:mod:`flask_jwt_extended.testing.store_contract`), and set JWT_STORE_URI to an instance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from .findings import Finding
from .records import SessionRecord

#: Seconds for which a record is kept after it has ended, for a machine whose clock is behind.
MARGIN = 3600


class Status(NamedTuple):
    """The status of an access token.

    :ivar deadline: when its session ends, seconds since the epoch; ``None``: there is no such session
    :ivar revoked: whether the token itself was revoked

    .. versionadded:: 5.0
    """

    deadline: float | None
    revoked: bool


class Stats(NamedTuple):
    """How much a store holds.

    :ivar sessions: sessions that are kept
    :ivar revoked_tokens: revoked tokens that are remembered
    :ivar prunable: records of both kinds that :meth:`SessionStore.prune` would remove

    .. versionadded:: 5.0
    """

    sessions: int
    revoked_tokens: int
    prunable: int


class SessionStore(ABC):
    """Keeps sessions and revoked tokens.

    Every method raises :class:`~flask_jwt_extended.exceptions.StoreUnavailableError` if the engine does not answer
    within the timeout of the store. What a method has written when it returns is as durable as the engine makes it.
    Instances are used by many threads at the same time, and in the children of a process that made them.

    Nine methods are abstract. The others have a default that works for every store. New methods will have one too, so
    that a store keeps working after an upgrade.

    .. versionadded:: 5.0
    """

    # --- sessions ---

    @abstractmethod
    def add(self, record: SessionRecord) -> None:
        """Store a new session, and keep it at least until its deadline."""

    @abstractmethod
    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session as it was last written, also after its deadline; ``None`` if there is none."""

    @abstractmethod
    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Replace a session if its stored generation is this one, in one atomic step.

        :return: whether it was replaced. ``False``: another process has replaced it before, or the session has ended
        """

    @abstractmethod
    def remove(self, session_id: str) -> bool:
        """End a session. Once this has returned, no method finds it, and no :meth:`replace` brings it back.

        :return: whether there was one
        """

    @abstractmethod
    def sessions(self) -> Iterator[SessionRecord]:
        """Iterate over all sessions, in any order. Those added or removed meanwhile may be included or not."""

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity (:attr:`SessionRecord.owner`), in any order.

        The default looks at all sessions: override it with an index.
        """
        return [record for record in self.sessions() if record.owner == owner]

    # --- tokens ---

    @abstractmethod
    def status(self, session_id: str | None, token: str | None) -> Status:
        """Return the status of an access token, in one round trip.

        :param session_id: its ``sid``; ``None``: it belongs to no session
        :param token: the digest of its ``jti``; ``None``: it has none
        """

    @abstractmethod
    def revoke(self, token: str, until: float, session_id: str | None) -> bool:
        """Revoke a token, for as long as it could be used.

        :param token: the digest of its ``jti``
        :param until: seconds since the epoch
        :param session_id: its ``sid``; ``None``: it belongs to no session. The revocation need not outlive the session
        :return: ``True`` for exactly one of the calls that revoke the same token, unless its session has ended
        """

    # --- maintenance ---

    @abstractmethod
    def prune(self, now: float, limit: int) -> int:
        """Remove at most this many records that have expired, and return how many were removed.

        :param now: seconds since the epoch
        """

    def create(self) -> None:
        """Create what the store needs, such as tables. It may be called again: nothing is lost then."""
        return

    @abstractmethod
    def stats(self, now: float) -> Stats:
        """Count what is kept.

        :param now: seconds since the epoch
        """

    def findings(self, now: float) -> Iterator[Finding]:  # noqa: ARG002  # a store of its own may need it
        """Return what an operator should know about the engine, for example that it loses acknowledged writes.

        :param now: seconds since the epoch
        """
        yield from ()

    def close(self) -> None:
        """Close all connections. The next call opens new ones."""
        return
