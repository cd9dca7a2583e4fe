"""What is timed: the cases by name. Knows nothing of subjects, processes or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["open", "protected", "issue", "set_cookies", "decode"]
Location = Literal["headers", "cookies"]

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
LOCATIONS: tuple[Location, ...] = ("headers", "cookies")


@dataclass(frozen=True)
class Case:
    """One thing to time; ``name`` is what ``--only`` matches and what the workers are asked for."""

    name: str
    kind: Kind
    algorithm: str = "HS256"
    location: Location = "headers"


CASES = (
    Case("open view", "open"),
    *(
        Case(f"protected view, {location}, {algorithm}", "protected", algorithm, location)
        for location in LOCATIONS
        for algorithm in ALGORITHMS
    ),
    *(Case(f"create_access_token, {name}", "issue", name) for name in ALGORITHMS),
    *(Case(f"decode_token, {name}", "decode", name) for name in ALGORITHMS),
    Case("set_access_cookies", "set_cookies", location="cookies"),
)
BY_NAME = {case.name: case for case in CASES}


def matching(part: str) -> tuple[Case, ...]:
    """Return the cases whose name contains ``part``, in any case of letters."""
    return tuple(case for case in CASES if part.lower() in case.name.lower())
