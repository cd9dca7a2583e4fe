"""What is kept of a session, and how one refresh token follows another. Pure: no store, no clock, no tokens.

A session has one refresh token that may be used, and remembers the one before it. No token is kept: what is here signs
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

#: A time that does not come (9999-12-31), for what has no end: every store can hold and compare it.
NEVER = 253_402_300_799
#: Seconds by which the clocks of two machines may differ within JWT_REFRESH_GRACE. A clock that was set back further
#: than this refuses.
CLOCK_TOLERANCE = 1.0
#: Characters kept of what a client says of itself.
MAX_TEXT = 256


@dataclass(frozen=True, kw_only=True)
class RefreshToken:
    """As much of a refresh token as it takes to sign it again.

    :ivar jti: its ``jti`` claim
    :ivar issued_at: its ``iat`` claim, seconds since the epoch
    :ivar expires_at: its ``exp`` claim, seconds since the epoch; :data:`NEVER`: it has none
    """

    jti: str
    issued_at: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """A session, as stores keep it. Times are seconds since the epoch.

    :ivar session_id: the ``sid`` claim of its tokens
    :ivar identity: the identity claim of its tokens: a JSON value, a string as a rule
    :ivar claims: the additional claims that the session was started with, for every access token of it
    :ivar label: what the application calls the session; ``None``: nothing
    :ivar user_agent: the ``User-Agent`` it was started from
    :ivar address: the network address it was started from
    :ivar created_at: when it was started
    :ivar refreshed_at: when it was last refreshed
    :ivar ends_at: when it ends however often it is refreshed
    :ivar deadline: when it ends if it is not refreshed before
    :ivar generation: grows by one with every change: what orders them is this, not a clock
    :ivar current: the refresh token that may be used
    :ivar previous_jti: the ``jti`` of the one before it
    :ivar rotated_at: when that one was first used
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
        """What stands for the identity in an index: see :func:`owner_of`."""
        return owner_of(self.identity)

    @property
    def exchanged_at(self) -> float:
        """When a refresh token was last exchanged, or else when the session was started: seconds since the epoch."""
        return self.created_at if self.rotated_at is None else self.rotated_at

    def to_json(self) -> str:
        """Write the record as text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> SessionRecord:
        """Read what :meth:`to_json` wrote. A field that a later version added is passed over."""
        values = json.loads(text)
        current = RefreshToken(**_known(RefreshToken, values["current"]))
        return cls(**{**_known(cls, values), "current": current})


def _known(declared: type[RefreshToken | SessionRecord], values: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: values[each.name] for each in fields(declared) if each.name in values}


def owner_of(identity: Any, issuer: str | None = None) -> str:
    """Return a digest that stands for an identity: of bounded length, and equal only for equal identities of the same
    issuer, whatever collation a database has.

    :param issuer: the trusted issuer that chose the identity; ``None``: this application
    """
    return digest(json.dumps(identity, sort_keys=True), issuer)


def digest(text: str, issuer: str | None = None) -> str:
    """Return what stands for a ``jti``, or anything else that a client may have chosen, in a store: 64 characters.

    :param issuer: the trusted issuer that chose the text; ``None``: this application
    """
    octets = text.encode("utf-8", "surrogatepass")
    if issuer is not None:
        # This byte does not occur in UTF-8, so no text of ours or of another issuer gives the same octets.
        octets = b"\xff".join((b"", issuer.encode("utf-8", "surrogatepass"), octets))
    return hashlib.sha256(octets).hexdigest()


class RefreshStatus(Enum):
    """How a refresh token stands to its session."""

    #: It is the one that may be used.
    CURRENT = "current"
    #: It was used a moment ago: by this client, which did not hear the answer or asked twice at once.
    REPLAYED = "replayed"
    #: It was used at a time that has not come: a clock was set back. Nothing can be said of it.
    CLOCK_SKEW = "untimely"
    #: It was used before, and somebody else may have it.
    REUSED = "reused"


def classify(record: SessionRecord, jti: Any, now: float, grace: float) -> RefreshStatus:
    """Tell how a refresh token stands to its session.

    :param now: seconds since the epoch
    :param grace: seconds after its first use for which the predecessor of the current token is answered with that
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

    :param now: seconds since the epoch
    :param deadline: when the session now ends if it is not refreshed again
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
    """Return the record after it was kept alive without its refresh token."""
    return replace(record, refreshed_at=now, deadline=deadline, generation=record.generation + 1)
