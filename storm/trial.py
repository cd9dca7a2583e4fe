"""Everything that is done to an engine, in order, and which promises it broke.

It must not know how the outcome is shown.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .crowd import Processes, crowd_for, somebody
from .engines import Engine
from .losses import Losses, begin_writing, look_for, stop_writing
from .outages import Server, crash, hang
from .races import Round, race
from .report import Row

#: Seconds that a store may take in races: many processes share few cores there, and nothing is wrong with the engine.
PATIENT = 30.0
#: Seconds that a store may take while it is hurt: the default of JWT_STORE_TIMEOUT.
TIMEOUT = 1.0
#: How many times the timeout an answer may take, and how many seconds more.
SLACK, OVERHEAD = 1.5, 0.3
#: How many processes write while an engine is killed, and how many ask while it hangs.
WRITERS = 4
#: Seconds of writing before each kill.
LOAD = 2.0


@dataclass(frozen=True)
class Trial:
    """How much is done to an engine.

    :ivar sizes: how many exchange the same token at once, one after the other
    :ivar rounds: how often, each
    :ivar kills: how often it is killed
    """

    sizes: Sequence[int]
    rounds: int
    kills: int

    def of(self, engine: Engine, folder: Path) -> Row:
        """Put an engine to the trial, with its data in a folder."""
        row = Row(engine.title)
        with engine.server(folder) as server:
            for size in self.sizes:
                _say(f"{engine.title}: {self.rounds} rounds of {size}")
                row.races[size] = raced(server, size, self.rounds)
            if engine.shared:
                _say(f"{engine.title}: killed, hung")
                self._hurt(engine, server, row, folder / "journals")
        row.faults += faults(engine, row)
        return row

    def _hurt(self, engine: Engine, server: Server, row: Row, journals: Path) -> None:
        if engine.has_server:
            row.losses = killed(server, journals, self.kills)
        else:
            row.losses = writers_killed(server, journals, self.kills)
        with Processes(server.url(), WRITERS, STORE_TIMEOUT=TIMEOUT) as crowd:
            outage = hang(server, crowd)
            row.hung, row.continued = outage.slowest / TIMEOUT, outage.recovery
            if outage.statuses != {503}:
                row.faults.append(f"answered with {sorted(outage.statuses)} while it hung")
            if engine.has_server:
                row.restarted = crash(server, crowd)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def raced(server: Server, size: int, rounds: int) -> list[Round]:
    """Race for a token again and again."""
    with crowd_for(server.url(), size, STORE_TIMEOUT=PATIENT) as crowd:
        return [race(crowd) for _ in range(rounds)]


def killed(server: Server, journals: Path, kills: int) -> Losses:
    """Kill a server under load and start it again, several times."""
    with Processes(server.url(), WRITERS, STORE_TIMEOUT=TIMEOUT) as crowd:
        begin_writing(crowd, journals)
        for _ in range(kills):
            time.sleep(LOAD)
            server.kill9()
            server.start()
        stop_writing(journals)
        _check(sum(crowd.collect(), Counter()))
        losses: Losses = somebody(crowd, look_for, journals)
    return losses


def _check(statuses: Counter[int]) -> None:
    """A server that was killed may refuse what it has forgotten; nothing else is an answer."""
    assert set(statuses) <= {200, 401, 503}, f"Answered with {dict(statuses)} while it was killed"
    assert statuses[200], "Nothing was acknowledged"


def writers_killed(server: Server, journals: Path, kills: int) -> Losses:
    """Kill processes while they write, several times."""
    for _ in range(kills):
        with Processes(server.url(), WRITERS, STORE_TIMEOUT=TIMEOUT) as crowd:
            begin_writing(crowd, journals)
            time.sleep(LOAD)
            crowd.kill9()
    with Processes(server.url(), 1) as reader:
        losses: Losses = somebody(reader, look_for, journals)
    return losses


def faults(engine: Engine, row: Row) -> Iterator[str]:
    """Name the promises that were broken."""
    for size, rounds in row.races.items():
        if bad := [each for each in rounds if not each.good]:
            yield f"{len(bad)} of {len(rounds)} rounds of {size} went wrong: {bad[0]}"
    if engine.keeps and row.losses is not None and row.losses.lost:
        yield f"{row.losses.lost} acknowledged writes are lost"
    if row.hung is not None and row.hung * TIMEOUT > SLACK * TIMEOUT + OVERHEAD:
        yield f"an answer took {row.hung:.2f} times JWT_STORE_TIMEOUT"


def note(trial: Trial) -> str:
    """Say how it was measured."""
    return (
        f"{trial.rounds} rounds for each number of processes, each a Flask application with connections of its own; "
        f"memory with threads instead. Killed {trial.kills} times while {WRITERS} processes started, refreshed and "
        "ended sessions at full speed; of SQLite, which has no server, the processes were killed. Hung: `SIGSTOP`; of "
        "SQLite, a lock held by another process. JWT_STORE_TIMEOUT was "
        f"{TIMEOUT:g} s there, and {PATIENT:g} s in the races. A session that was ended and is gone counts as kept."
    )
