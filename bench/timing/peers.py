"""The subjects, the environment each runs in, and the worker process that speaks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent
PEERS = BENCH / ".peers"


@dataclass(frozen=True)
class Subject:
    """One column of the table.

    ``module`` is its file in ``subjects``; ``peer`` names its environment below ``.peers`` and
    ``requirements`` what is installed there. Without a peer it runs where the benchmark does.
    """

    name: str
    label: str
    module: str
    peer: str | None = None
    requirements: tuple[str, ...] = ()


OURS = Subject("package", "this package", "package")
UPSTREAM = Subject(
    "upstream",
    "4.7.4",
    "package",
    "flask-jwt-extended-4.7.4",
    ("Flask-JWT-Extended==4.7.4", "Flask", "PyJWT", "cryptography"),
)
PYJWT = Subject("pyjwt", "PyJWT by hand", "pyjwt", "pyjwt", ("Flask", "PyJWT", "cryptography"))
JOSERFC = Subject("joserfc", "joserfc by hand", "joserfc", "joserfc", ("Flask", "joserfc"))
PRIMITIVE = Subject("primitive", "bare primitive", "primitive")
SUBJECTS = (OURS, UPSTREAM, PYJWT, JOSERFC, PRIMITIVE)


class WorkerError(Exception):
    """A subject could not be installed, started, prepared or measured."""


class Worker:
    """A process of one subject, asked and answered in lines of JSON."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._process = subprocess.Popen(
            [*interpreter(subject), str(BENCH / "worker.py"), subject.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        """Send one request and return its answer; raise :exc:`WorkerError` if it has none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError("the worker has ended") from None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError("the worker has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """Let the process end: it stops at the end of its input."""
        self._process.communicate()


def interpreter(subject: Subject) -> list[str]:
    """Return the start of a command line; a peer must not see this environment's PYTHONPATH."""
    if subject.peer is None:
        return [sys.executable]
    return [str(_install(PEERS / subject.peer, subject.requirements)), "-E"]


def _install(folder: Path, requirements: tuple[str, ...]) -> Path:
    """Make the environment on first use, and again for another interpreter; return its Python."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    wanted = f"{sys.version}\n{' '.join(requirements)}\n"
    marker = folder / ".ready"
    if marker.is_file() and marker.read_text() == wanted:
        return python
    print(f"installing {', '.join(requirements)} into a venv of its own", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, *requirements], check=True)
    except subprocess.CalledProcessError as error:
        raise WorkerError(f"its environment could not be made: {error.returncode=}") from error
    marker.write_text(wanted)
    return python
