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
class WebKit:
    """The application: ``/open`` and ``/protected`` answer the same, and ``token`` opens both."""

    app: Flask
    token: str
    set_cookies: Callable[[], object]


@dataclass(frozen=True)
class Kit:
    """The calls to time; a subject that is no web application has no ``web``."""

    issue: Callable[[], object]
    decode: Callable[[], object]
    web: WebKit | None = None


def hello() -> str:
    """Answer a request: the body of every view that is timed."""
    return "ok"
