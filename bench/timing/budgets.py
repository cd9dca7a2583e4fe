"""The promises of speed: each a quantity of one run and the most it may be."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .figures import Row, paired
from .peers import OURS, PRIMITIVE, UPSTREAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rounds import Run

OPEN_VIEW = 38.0
"""Microseconds of an open view where the budgets were set: other machines are scaled by theirs."""


@dataclass(frozen=True)
class Budget:
    """One promise; ``value`` is ``None`` when the run did not measure what it is about."""

    title: str
    value: float | None
    limit: float
    unit: str

    @property
    def verdict(self) -> str:
        """Say ``met``, ``MISSED`` or ``not measured``."""
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.limit else "MISSED"


def budgets(run: Run) -> list[Budget]:
    """Judge a run by all budgets."""
    return list(_budgets(run))


def _budgets(run: Run) -> Iterator[Budget]:
    for location in ("headers", "cookies"):
        row = Row("", "", f"protected view, {location}, HS256", "cost")
        title = f"protecting a view costs, HS256 in {location}"
        yield Budget(title, paired(run, row, OURS.name, UPSTREAM.name), 1 / 20, "x 4.7.4")
    for name in ("RS256", "ES256"):
        title = f"protecting a view costs, {name}, beyond the bare verification"
        yield Budget(title, _excess(run, name), 15.0, "us-equivalent")
    row = Row("", "", "create_access_token, RS256")
    value = paired(run, row, OURS.name, PRIMITIVE.name)
    yield Budget("create_access_token, RS256", value, 1.15, "x bare signature")
    row = Row("", "", "set_access_cookies")
    yield Budget("set_access_cookies", paired(run, row, OURS.name, UPSTREAM.name), 1 / 5, "x 4.7.4")


def _excess(run: Run, algorithm: str) -> float | None:
    """Return microseconds beyond the bare verification, as if an open view took OPEN_VIEW.

    The verification is the one timed in a loop of its own, the harder measure.
    """
    views = run.samples.get((f"protected view, headers, {algorithm}", OURS.name), [])
    bare = run.samples.get((f"decode_token, {algorithm}", PRIMITIVE.name), [])
    excess = [
        OPEN_VIEW * (view.cost - verification.call) / view.open_view
        for view, verification in zip(views, bare, strict=False)
        if view.open_view
    ]
    return statistics.median(excess) if excess else None
