"""The order of the measurements: in each round, each case, each subject has one short batch.

So subjects that are compared ran within milliseconds of each other, and whatever slows the
machine down for a second slows all of them. Knows nothing of medians or tables.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .keys import generate, to_json
from .peers import SUBJECTS, Worker, WorkerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .cases import Case
    from .peers import Subject

BATCH = 0.02
"""Seconds that each call of a case runs in one round."""


@dataclass(frozen=True)
class Sample:
    """Seconds per call in one round; ``open_view`` of the same batch, for a protected view."""

    call: float
    open_view: float | None = None

    @property
    def cost(self) -> float:
        """What protection adds to the open view."""
        return self.call - (self.open_view or 0.0)


@dataclass
class Run:
    """All that one run measured: a sample for each round, by case and subject name."""

    rounds: int
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    clock: str = ""
    failures: list[str] = field(default_factory=list)

    def fail(self, subject: Subject, what: str, error: WorkerError) -> None:
        """Note a subject that could not ``what``; its figures of that case are left out."""
        self.failures.append(f"{subject.label}: {what}: {error}")


def run(cases: Sequence[Case], rounds: int) -> Run:
    """Start all workers, measure in turns, and let the workers end."""
    result = Run(rounds)
    workers = list(_start(result))
    try:
        _prepare(result, workers, cases)
        for number in range(rounds):
            _progress(number, rounds)
            _round(result, workers, cases, number)
        _progress(rounds, rounds)
    finally:
        for worker in workers:
            worker.close()
    return result


def _start(result: Run) -> Iterator[Worker]:
    keys = to_json(generate())
    for subject in SUBJECTS:
        try:
            worker = Worker(subject)
            worker.ask("start", keys=keys)
        except WorkerError as error:
            result.fail(subject, "start", error)
            continue
        yield worker


def _prepare(result: Run, workers: Sequence[Worker], cases: Sequence[Case]) -> None:
    for worker in workers:
        for case in cases:
            answer = _ask(result, worker, case, "prepare")
            if answer and answer["takes_part"]:
                result.samples[case.name, worker.subject.name] = []
        with contextlib.suppress(WorkerError):  # one that has ended was noted above
            answer = worker.ask("settle")
            result.versions[worker.subject.name] = answer["versions"]
            result.clock = answer["clock"]


def _round(result: Run, workers: Sequence[Worker], cases: Sequence[Case], number: int) -> None:
    """Each round another subject goes first, so that none always follows the same one."""
    first = number % len(workers)
    for case in cases:
        for worker in [*workers[first:], *workers[:first]]:
            key = case.name, worker.subject.name
            if key not in result.samples:
                continue
            answer = _ask(result, worker, case, "measure", seconds=BATCH)
            if answer is None:
                del result.samples[key]
            else:
                result.samples[key].append(Sample(*answer["seconds"]))


def _ask(result: Run, worker: Worker, case: Case, do: str, **arguments: float) -> dict[str, Any] | None:
    try:
        return worker.ask(do, case=case.name, **arguments)
    except WorkerError as error:
        result.fail(worker.subject, f"{do} {case.name}", error)
        return None


def _progress(done: int, rounds: int) -> None:
    if sys.stderr.isatty():
        print(f"\rround {done} of {rounds} ", end="", file=sys.stderr, flush=True)
