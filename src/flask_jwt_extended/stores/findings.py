"""The findings of ``flask jwt check``, about stores and about applications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
#: The worst first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something that the developer or the operator of an application should know.

    :ivar severity: ``error``: it does not work, or protects nothing; ``warning``: it is weaker than it could be;
        ``info``: worth knowing
    :ivar code: stable and machine-readable
    :ivar message: what is wrong
    :ivar why: why that matters
    :ivar fix: what to do

    .. versionadded:: 5.0
    """

    severity: Severity
    code: str
    message: str
    why: str
    fix: str


def unreachable(message: str, engine: str) -> Finding:
    """Return the finding for a store that does not answer."""
    why = "Every request with a token of a session is answered with 503."
    fix = f"Check JWT_STORE_URI, the {engine} and the network, or raise JWT_STORE_TIMEOUT."
    return Finding("error", "store_unreachable", message, why, fix)


def clock_differs(message: str) -> Finding:
    """Return the finding for a store whose clock is not this machine's."""
    why = "Sessions, tokens and JWT_REFRESH_GRACE end early on one machine and late on another."
    return Finding("warning", "store_clock", message, why, "Synchronise the clocks of all machines (NTP).")
