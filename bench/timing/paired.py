"""Views that take turns: the cost of one beyond another, round by round, and ratios within each round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from . import clock

#: Seconds of one batch.
BATCH = 0.02


@dataclass
class Case:
    """A view, another one beside it, and what the first costs beyond that in each round.

    :ivar timers: of the two
    """

    name: str
    timers: list[clock.Timer]
    costs: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Run one batch."""
        one, other = clock.batch(self.timers, BATCH)
        self.costs.append(one - other)

    @property
    def cost(self) -> float:
        """Microseconds, the median of all rounds."""
        return statistics.median(self.costs) * 1e6


def measured(cases: list[Case], rounds: int) -> None:
    """Let each case have one batch a round, another one first each time."""
    for number in range(rounds):
        first = number % len(cases)
        for each in [*cases[first:], *cases[:first]]:
            each.measure()


def ratio(case: Case, beside: Case) -> float:
    """The median of the ratios within each round."""
    return statistics.median(mine / other for mine, other in zip(case.costs, beside.costs, strict=True))
