"""The record of a session, and how one refresh token follows another. Pure: no store, no clock, no tokens.

A session has one current refresh token, and remembers its predecessor by its ``jti``. No token and no key is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

#: The time of what has no end (9999-12-31): every store can hold and compare it.
NEVER = 253_402_300_799
#: Seconds by which the clocks of two machines may differ within JWT_REFRESH_GRACE. If they differ by more, a token is
#: refused.
CLOCK_TOLERANCE = 1.0
#: Characters that are kept of a label, a user agent or an address.
MAX_TEXT = 256


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """The claims of a refresh token that are needed to issue it again.

    :ivar jti: its ``jti`` claim
    :ivar issued_at: its ``iat`` claim, seconds since the epoch
    :ivar expires_at: its ``exp`` claim, seconds since the epoch; :data:`NEVER`: it has none

    .. versionadded:: 5.0
    """

    jti: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """A session, as stores keep it. Times are seconds since the epoch.

    :ivar session_id: the ``sid`` claim of its tokens
    :ivar identity: the identity claim of its tokens: a JSON value, usually a string
    :ivar claims: the additional claims of every access token of the session
    :ivar label: the label that the application gave it, or ``None``
    :ivar user_agent: the ``User-Agent`` it was started from
    :ivar address: the network address it was started from
    :ivar created_at: when it was started
    :ivar refreshed_at: when it was last refreshed
    :ivar ends_at: when it ends at the latest
    :ivar deadline: when it ends unless it is refreshed
    :ivar generation: grows by one with every change, and orders them instead of a clock
    :ivar current: the current refresh token
    :ivar previous_jti: the ``jti`` of its predecessor, or ``None``
    :ivar rotated_at: when the predecessor was first used, or ``None``

    .. versionadded:: 5.0
    """

    session_id: str
    identity: Any
    claims: Mapping[str, Any] = field(repr=False)
    label: str | None
    user_agent: str | None
    address: str | None
    created_at: float
    refreshed_at: float
    ends_at: float
    deadline: float
    generation: int
    current: RefreshToken
    previous_jti: str | None = None
    rotated_at: float | None = None

    @property
    def owner(self) -> str:
        """The digest of the identity, for an index: see :func:`owner_of`."""
        return owner_of(self.identity)

    @property
    def exchanged_at(self) -> float:
        """When a refresh token was last exchanged, or the session was started: seconds since the epoch."""
        return self.created_at if self.rotated_at is None else self.rotated_at

    def to_json(self) -> str:
        """Return the record as text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> SessionRecord:
        """Return the record that :meth:`to_json` wrote. Fields that a later version added are ignored."""
        values = json.loads(text)
        current = RefreshToken(**_known(RefreshToken, values["current"]))
        return cls(**{**_known(cls, values), "current": current})


def _known(declared: type[RefreshToken | SessionRecord], values: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: values[each.name] for each in fields(declared) if each.name in values}


def owner_of(identity: Any, issuer: str | None = None) -> str:
    """Return a digest of an identity. It has a fixed length, and is equal only for equal identities of the same issuer,
    whatever the collation of a database.

    :param issuer: the trusted issuer that chose the identity; ``None``: this application
    """
    return digest(json.dumps(identity, sort_keys=True), issuer)


def digest(text: str, issuer: str | None = None) -> str:
    """Return a digest of a ``jti``, or of any other text that a client may have chosen: 64 characters.

    :param issuer: the trusted issuer that chose the text; ``None``: this application
    """
    octets = text.encode("utf-8", "surrogatepass")
    if issuer is not None:
        # This byte does not occur in UTF-8, so no text of ours or of another issuer gives the same octets.
        octets = b"\xff".join((b"", issuer.encode("utf-8", "surrogatepass"), octets))
    return hashlib.sha256(octets).hexdigest()


class RefreshStatus(Enum):
    """The status of a refresh token in its session.

    .. versionadded:: 5.0
    """

    #: It is the current one.
    CURRENT = "current"
    #: It was used within the grace period: the client did not get the answer, or sent it twice at the same time.
    REPLAYED = "replayed"
    #: It was used at a time in the future: a clock was set back, so the grace period cannot be judged.
    CLOCK_SKEW = "clock_skew"
    #: It was used before: a copy of it may be stolen.
    REUSED = "reused"


def classify(record: SessionRecord, jti: Any, now: float, grace: float) -> RefreshStatus:
    """Return the status of a refresh token in its session.

    :param grace: seconds after its first use for which the predecessor may be used again
    """
    if jti == record.current.jti:
        return RefreshStatus.CURRENT
    if jti != record.previous_jti or record.rotated_at is None:
        return RefreshStatus.REUSED
    elapsed = now - record.rotated_at
    if not grace or elapsed >= grace:
        return RefreshStatus.REUSED
    return RefreshStatus.REPLAYED if elapsed > -CLOCK_TOLERANCE else RefreshStatus.CLOCK_SKEW


def rotated(record: SessionRecord, successor: RefreshToken, now: float, deadline: float) -> SessionRecord:
    """Return the record after its current refresh token was used.

    :param deadline: when the session now ends unless it is refreshed again
    """
    return replace(
        record,
        current=successor,
        previous_jti=record.current.jti,
        rotated_at=now,
        refreshed_at=now,
        deadline=deadline,
        generation=record.generation + 1,
    )


def extended(record: SessionRecord, now: float, deadline: float) -> SessionRecord:
    """Return the record after its access token was extended, without its refresh token."""
    return replace(record, refreshed_at=now, deadline=deadline, generation=record.generation + 1)
