"""What it costs to import the package, beyond Flask and PyJWT; and beyond them, what 4.7.4 costs.

Whole processes, with compiled bytecode, that take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from tempfile import TemporaryDirectory

from policy import OPEN_VIEW, application
from timing import clock, wsgi
from timing.paired import BATCH
from timing.peers import OURS, UPSTREAM, Subject, interpreter

ROUNDS, QUICK_ROUNDS = 41, 7
BEFORE = "import flask, jwt"


def seconds(command: list[str], code: str, folder: str) -> float:
    """How long a process takes that runs this code and ends."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    # -E, with which a peer is started, would hide the folder: so it is given by -X.
    subprocess.run([*command, "-X", f"pycache_prefix={folder}", "-c", code], env=environment, check=True)
    return time.perf_counter() - began


def beyond(subject: Subject, rounds: int, folder: str) -> tuple[float, float]:
    """Milliseconds of Flask and PyJWT, and of the package beyond them: the median of pairs."""
    command = interpreter(subject)
    codes = (BEFORE, f"{BEFORE}, flask_jwt_extended")
    for code in codes:
        seconds(command, code, folder)
    pairs = [tuple(seconds(command, code, folder) for code in codes) for _ in range(rounds)]
    base = statistics.median(one for one, _ in pairs)
    return base * 1e3, statistics.median(both - one for one, both in pairs) * 1e3


def open_view() -> float:
    """Microseconds of an open view on this machine."""
    timer = clock.Timer(wsgi.get(application(), "/open", {}))
    return statistics.median(clock.batch([timer], BATCH)[0] for _ in range(21)) * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"measure {QUICK_ROUNDS} rounds instead of {ROUNDS}")
    rounds = QUICK_ROUNDS if parser.parse_args().quick else ROUNDS
    scale = OPEN_VIEW / open_view()
    print(f"\nimport (ms)      Flask + PyJWT   beyond them   as if an open view took {OPEN_VIEW:.0f} us")
    with TemporaryDirectory() as folder:
        for subject in (OURS, UPSTREAM):
            base, more = beyond(subject, rounds, folder)
            print(f"  {subject.label:14} {base:13.1f} {more:13.1f} {more * scale:12.1f}")
