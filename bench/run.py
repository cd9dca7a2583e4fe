"""``make bench``: this package beside 4.7.4, hand-written decorators and the bare primitives."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from timing.budgets import budgets
from timing.cases import matching
from timing.plot import svg
from timing.report import as_json, table, verdicts
from timing.rounds import run

HERE = Path(__file__).resolve().parent
ROUNDS, QUICK_ROUNDS = 45, 5

DESCRIPTION = """\
Time this package beside Flask-JWT-Extended 4.7.4, a decorator written by hand over PyJWT and over
joserfc, and the bare primitives. The peers are installed from the package index on first use, each
into a venv of its own below bench/.peers. Prints one table from one run, then the budgets of speed;
writes the same as JSON, and bench.svg beside it."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"measure {QUICK_ROUNDS} rounds instead of {ROUNDS}: seconds, but rough figures",
    )
    parser.add_argument(
        "--only",
        metavar="SUBSTRING",
        default="",
        help="measure only the cases whose name contains SUBSTRING, such as RS256 or cookies",
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        default=HERE / "out" / "results.json",
        help="where the results go (default: bench/out/results.json)",
    )
    parser.add_argument("--svg", metavar="FILE", type=Path, help="where the plot goes (default: beside the results)")
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a budget is missed")
    chosen = parser.parse_args()
    if not matching(chosen.only):
        parser.error(f"no case has {chosen.only!r} in its name")
    return chosen


def main() -> int:
    """Measure, print, write; 1 if something failed to run, or a checked budget is missed."""
    chosen = arguments()
    result = run(matching(chosen.only), QUICK_ROUNDS if chosen.quick else ROUNDS)
    judged = budgets(result)
    print(table(result), verdicts(judged), sep="\n\n")
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(as_json(result, judged), indent=2) + "\n", encoding="utf-8")
    (chosen.svg or chosen.json.with_name("bench.svg")).write_text(svg(result), encoding="utf-8")
    for failure in result.failures:
        print(f"failed: {failure}", file=sys.stderr)
    missed = chosen.check and any(budget.verdict == "MISSED" for budget in judged)
    return 1 if missed or result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
