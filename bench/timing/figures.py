"""From samples to figures: medians over rounds, and ratios paired round by round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .cases import ALGORITHMS, BY_NAME, LOCATIONS
from .peers import OURS, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rounds import Run, Sample

Metric = Literal["call", "cost"]
MICROSECONDS = 1e6


@dataclass(frozen=True)
class Row:
    """One line of the table: a case, and whether its whole time or its cost is shown."""

    group: str
    title: str
    case: str
    metric: Metric = "call"

    @property
    def views(self) -> bool:
        """Whether whole protected views are shown."""
        return self.metric == "call" and BY_NAME[self.case].kind == "protected"


@dataclass(frozen=True)
class Figure:
    """Microseconds per call, and how many times this package's (``None`` without it)."""

    median: float
    best: float
    ratio: float | None


def _rows() -> Iterator[Row]:
    yield Row("", "open view", "open view")
    for location in LOCATIONS:
        for group, metric in _VIEW_GROUPS:
            for name in ALGORITHMS:
                case = f"protected view, {location}, {name}"
                yield Row(group.format(location), name, case, metric)
    for group in ("create_access_token", "decode_token"):
        for name in ALGORITHMS:
            yield Row(group, name, f"{group}, {name}")
    yield Row("", "set_access_cookies", "set_access_cookies")


_VIEW_GROUPS: tuple[tuple[str, Metric], ...] = (
    ("protected view, {}", "call"),
    ("cost of protection, {}", "cost"),
)
ROWS = tuple(_rows())


def value(sample: Sample, metric: Metric) -> float:
    """Return what a row shows of a sample, in seconds."""
    return sample.cost if metric == "cost" else sample.call


def paired(run: Run, row: Row, subject: str, base: str) -> float | None:
    """Return the median over rounds of subject / base, or ``None`` if either is missing."""
    numbers, bases = (
        [value(sample, row.metric) for sample in run.samples.get((row.case, name), [])] for name in (subject, base)
    )
    ratios = [a / b for a, b in zip(numbers, bases, strict=False) if b > 0]
    return statistics.median(ratios) if ratios else None


def figure(run: Run, row: Row, subject: str) -> Figure | None:
    """Return what the table shows for a subject, or ``None`` if it has no part in the row."""
    samples = run.samples.get((row.case, subject))
    if not samples:
        return None
    median = statistics.median(value(sample, row.metric) for sample in samples)
    ratio = paired(run, row, subject, OURS.name)
    return Figure(median * MICROSECONDS, _best(samples, row.metric) * MICROSECONDS, ratio)


def _best(samples: list[Sample], metric: Metric) -> float:
    """Least times are subtracted, since the least difference would be one of noise."""
    best = min(sample.call for sample in samples)
    if metric == "cost":
        best -= min(sample.open_view or 0.0 for sample in samples)
    return best


def measured(run: Run) -> dict[Row, dict[str, Figure]]:
    """Return the rows that have a figure, each with its figures by subject name."""
    table: dict[Row, dict[str, Figure]] = {}
    for row in ROWS:
        found = {s.name: f for s in SUBJECTS if (f := figure(run, row, s.name)) is not None}
        if found:
            table[row] = found
    return table
