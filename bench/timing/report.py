"""How a run is shown: the table and the verdicts as text, all of it as JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .figures import measured
from .peers import SUBJECTS
from .rounds import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .budgets import Budget
    from .figures import Figure
    from .rounds import Run

INDENT = 20
COLUMN = 19
RATIO = 9


def table(run: Run) -> str:
    """Return the table: a line for each case, microseconds and ratio for each subject."""
    return "\n".join(line.rstrip() for line in _table(run))


def _table(run: Run) -> Iterator[str]:
    yield from _machine(run)
    yield ""
    yield " " * INDENT + "".join(f"{subject.label:>{COLUMN}}" for subject in SUBJECTS)
    yield " " * INDENT + f"{'us':>{COLUMN - RATIO}}{'ratio':>{RATIO}}" * len(SUBJECTS)
    group = ""
    for row, figures in measured(run).items():
        if row.group != group:
            group = row.group
            yield from ("", group) if group else ("",)
        title = f"  {row.title}" if group else row.title
        yield f"{title:<{INDENT}}" + "".join(_cell(figures.get(s.name)) for s in SUBJECTS)


def _machine(run: Run) -> Iterator[str]:
    yield f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs"
    yield f"{run.clock}; median of {run.rounds} interleaved rounds of {BATCH * 1000:.0f} ms each"
    yield "ratio: how many times this package's figure, paired round by round"
    yield "bare primitive: for HS256 HMAC + base64 + JSON, else the signature or verification alone;"
    yield "in a view it costs more than in the loop that decode_token times: there all is in cache"
    for subject in SUBJECTS:
        versions = run.versions.get(subject.name, {})
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield f"  {subject.label:<16}{named or 'did not run'}"


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return f"{'-':>{COLUMN}}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}x"
    return f"{figure.median:>{COLUMN - RATIO},.1f}{ratio:>{RATIO}}"


def verdicts(budgets: Sequence[Budget]) -> str:
    """Return a line for each budget: what was promised, what was measured, the verdict."""
    return "\n".join(["budgets", *(_verdict(budget) for budget in budgets)])


def _verdict(budget: Budget) -> str:
    value = "-" if budget.value is None else f"{budget.value:.3g}"
    limit = f"<= {budget.limit:g} {budget.unit}"
    return f"  {budget.title:<66}{value:>7} {limit:<26}{budget.verdict}"


def as_json(run: Run, budgets: Sequence[Budget]) -> dict[str, Any]:
    """Return the run as plain data: times in microseconds."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "clock": run.clock,
        "rounds": run.rounds,
        "batch_seconds": BATCH,
        "subjects": [{"name": s.name, "label": s.label, "versions": run.versions.get(s.name)} for s in SUBJECTS],
        "rows": [
            {**asdict(row), "subjects": {name: asdict(f) for name, f in figures.items()}}
            for row, figures in measured(run).items()
        ],
        "budgets": [{**asdict(budget), "verdict": budget.verdict} for budget in budgets],
        "failures": run.failures,
    }
