"""The process of one subject: ``python worker.py MODULE``, started by ``run.py``.

It answers each line of JSON on its standard input with one on its standard output. It knows one
subject and one case at a time; rounds, other subjects and figures are the caller's.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import importlib.metadata
import json
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from timing import clock, wsgi
from timing.cases import BY_NAME
from timing.keys import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from timing.cases import Case, Location
    from timing.keys import KeyPair
    from timing.subjects import Kit

DISTRIBUTIONS = {
    "Flask-JWT-Extended": "flask_jwt_extended",
    "Flask": "flask",
    "Werkzeug": "werkzeug",
    "PyJWT": "jwt",
    "joserfc": "joserfc",
    "cryptography": "cryptography",
}
"""The names of what matters to a figure, each with the module that shows it is in use."""


@dataclass(frozen=True)
class Prepared:
    """The timers of a case (the call itself, then the open view beside it) and their context."""

    timers: list[clock.Timer]
    context: Callable[[], AbstractContextManager[object]]


class Bench:
    """The cases that one subject has prepared."""

    def __init__(self, module: str, keys: Mapping[str, KeyPair]) -> None:
        kit: Callable[[str, Location, KeyPair], Kit]
        kit = importlib.import_module(f"timing.subjects.{module}").kit
        self._kit = functools.cache(lambda name, location: kit(name, location, keys[name]))
        self._prepared: dict[str, Prepared] = {}

    def prepare(self, name: str) -> bool:
        """Build and check a case; return whether this subject takes part in it."""
        case = BY_NAME[name]
        kit = self._kit(case.algorithm, case.location)
        context = _context(case, kit)
        with context():
            timers = [clock.Timer(call) for call in _calls(case, kit)]
        self._prepared[name] = Prepared(timers, context)
        return bool(timers)

    def measure(self, name: str, seconds: float) -> list[float]:
        """Return the seconds per call of each timer of a case."""
        case = self._prepared[name]
        with case.context():
            return clock.batch(case.timers, seconds)


def _context(case: Case, kit: Kit) -> Callable[[], AbstractContextManager[object]]:
    """Requests bring their own context; the other calls share one for a whole batch."""
    return contextlib.nullcontext if case.kind in ("open", "protected") else kit.app.app_context


def _calls(case: Case, kit: Kit) -> list[Callable[[], object]]:
    """Return what a case times; for a protected view also the open view of that application."""
    match case.kind:
        case "issue":
            return [kit.issue]
        case "decode":
            return [kit.decode]
        case "set_cookies":
            return [kit.set_cookies] if kit.set_cookies else []
    _check(case, kit)
    headers = wsgi.credentials(case.location, kit.token)
    open_view = wsgi.get(kit.app, "/open", headers)
    if case.kind == "open":
        return [open_view]
    return [wsgi.get(kit.app, "/protected", headers), open_view]


def _check(case: Case, kit: Kit) -> None:
    """Refuse to time a view that does not open, or one that opens to anybody."""
    altered = kit.token[:-8] + kit.token[-8:].swapcase()
    token, forgery = (wsgi.credentials(case.location, text) for text in (kit.token, altered))
    _expect(kit, "/open", token, (200,))
    _expect(kit, "/protected", token, (200,))
    if kit.guards:
        _expect(kit, "/protected", {}, (401,))
        _expect(kit, "/protected", forgery, (401, 422))


def _expect(kit: Kit, path: str, headers: Mapping[str, str], wanted: tuple[int, ...]) -> None:
    if (status := wsgi.status(kit.app, path, headers)) not in wanted:
        raise RuntimeError(f"{path} with {list(headers)} answers {status}, not one of {wanted}")


def _versions() -> dict[str, str]:
    used = (name for name, module in DISTRIBUTIONS.items() if module in sys.modules)
    return {name: importlib.metadata.version(name) for name in used}


def _freeze() -> None:
    """Leave the collector on, and spare it everything that was made before the timing."""
    gc.collect()
    gc.freeze()


def answer(bench: Bench, request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what one line asks for."""
    match request["do"]:
        case "prepare":
            return {"takes_part": bench.prepare(request["case"])}
        case "settle":
            _freeze()
            return {"versions": _versions(), "clock": clock.NAME}
        case "measure":
            return {"seconds": bench.measure(request["case"], request["seconds"])}
        case unknown:
            raise ValueError(f"cannot do {unknown!r}")


def start(module: str, request: Mapping[str, Any]) -> Bench:
    """Import the subject and hand it the keys, which the first line brings."""
    warnings.simplefilter("ignore")
    return Bench(module, from_json(request["keys"]))


def serve(module: str) -> None:
    """Answer each line of input; an exception is an answer too."""
    # What a library prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    bench: Bench | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if bench is None:
                bench, reply = start(module, request), {}
            else:
                reply = answer(bench, request)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
