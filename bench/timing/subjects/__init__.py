"""What every subject offers the worker: a :class:`Kit` for one algorithm and token location.

Each module here has ``kit(algorithm, location, pair) -> Kit`` and imports only what its own
environment has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

IDENTITY = "user-1234"


@dataclass(frozen=True)
class Kit:
    """An application and the calls to time.

    ``/open`` and ``/protected`` answer the same, and ``token`` opens both. A subject that only
    pays the price of verification, and refuses nobody, does not ``guard``; one that knows no
    cookies has no ``set_cookies``.
    """

    app: Flask
    token: str
    issue: Callable[[], object]
    decode: Callable[[], object]
    set_cookies: Callable[[], object] | None = None
    guards: bool = True


def hello() -> str:
    """Answer a request: the body of every view that is timed."""
    return "ok"
