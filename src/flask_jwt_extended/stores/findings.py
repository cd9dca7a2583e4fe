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
