"""How one call is timed: in slices of a few milliseconds, several calls taking turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLICE = 0.002
"""Seconds of one slice: long beside the clock's own cost, short beside a batch."""

# CPU time does not count what other processes take; some systems keep it in ticks of 15 ms only.
CPU_TIME = time.get_clock_info("process_time").resolution <= 1e-6
now = time.process_time if CPU_TIME else time.perf_counter
NAME = "CPU time" if CPU_TIME else "wall time"


class Timer:
    """One call and how often a slice repeats it."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.repeat = 1
        while (spent := self.slice()) < SLICE and self.repeat < 1 << 20:
            self.repeat = 2 * self.repeat if spent < SLICE / 4 else self._enough(spent)

    def slice(self) -> float:
        """Return the seconds that one slice took."""
        call = self.call
        start = now()
        for _ in range(self.repeat):
            call()
        return now() - start

    def _enough(self, spent: float) -> int:
        return int(self.repeat * SLICE / spent) + 1


def batch(timers: Sequence[Timer], seconds: float) -> list[float]:
    """Run the timers in turns, for ``seconds`` each and at least once; return seconds per call.

    The first turn warms the caches after another process had them, and does not count.
    """
    for timer in timers:
        timer.slice()
    spent = [0.0] * len(timers)
    turns = 0
    while turns == 0 or sum(spent) < seconds * len(timers):
        for index, timer in enumerate(timers):
            spent[index] += timer.slice()
        turns += 1
    return [total / (turns * timer.repeat) for total, timer in zip(spent, timers, strict=True)]
