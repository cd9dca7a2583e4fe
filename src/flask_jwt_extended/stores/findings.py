"""What a check finds, for whoever prints it. Checks of stores and of applications both speak in these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
#: What is worst comes first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """Something about an application that its developer should know.

    :ivar severity: ``error``: it does not work, or protects nothing; ``warning``: it is weaker than it need be;
        ``info``: worth knowing
    :ivar code: stable and machine-readable
    :ivar message: what is wrong
    :ivar why: why that matters
    :ivar fix: what to do about it
    """

    severity: Severity
    code: str
    message: str
    why: str
    fix: str
