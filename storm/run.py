"""``make storm``: every store raced for by many processes, killed and hung, and the table that comes of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from storm.engines import ENGINES
from storm.report import Row, markdown, write
from storm.trial import Trial, note

DESCRIPTION = """\
Race many processes for the same refresh token, kill engines under load, let them hang, and see what
becomes of sessions. Prints a table; a full run writes it into docs/sessions.md. Ends with status 1
if a promise was broken: more or fewer winners than one, a client refused, an acknowledged write lost
by an engine that keeps what it acknowledges, an answer that was late."""

KILLS = 3
QUICK_ROUNDS, QUICK_KILLS = 10, 1


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ",".join(ENGINES)
    parser.add_argument("--stores", metavar="NAMES", default=names, help=f"which engines (default: {names})")
    parser.add_argument("--rounds", type=int, default=200, help="rounds of each race (default: 200)")
    parser.add_argument("--processes", default="2,16,64", help="how many exchange at once (default: 2,16,64)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_ROUNDS} rounds and {QUICK_KILLS} kill; docs/sessions.md is left alone",
    )
    chosen = parser.parse_args()
    chosen.stores = chosen.stores.split(",")
    chosen.processes = [int(number) for number in chosen.processes.split(",")]
    if unknown := set(chosen.stores) - set(ENGINES):
        parser.error(f"no such store: {', '.join(sorted(unknown))}; there are {names}")
    return chosen


def main() -> int:
    """Measure, print, write; 1 if a promise was broken."""
    chosen = arguments()
    rounds, kills = (QUICK_ROUNDS, QUICK_KILLS) if chosen.quick else (chosen.rounds, KILLS)
    trial = Trial(chosen.processes, rounds, kills)
    rows = [row_of(name, trial) for name in chosen.stores]
    text = markdown(rows, note=note(trial))
    print(text)
    if not chosen.quick and chosen.stores == list(ENGINES):
        write(text)
    for row in rows:
        for fault in row.faults:
            print(f"{row.title}: {fault}", file=sys.stderr)
    return int(any(row.faults for row in rows))


def row_of(name: str, trial: Trial) -> Row:
    """Put an engine to the trial, with its data in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        return trial.of(ENGINES[name], Path(folder))


if __name__ == "__main__":
    sys.exit(main())
