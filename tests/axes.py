"""What every request test may vary: the profile and the location, rotated over the values instead of multiplied.

Values find bugs, cross products do not: each value is tried once, each element of an axis with several values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import lcm
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

PROFILES = ("compat", "strict")
LOCATIONS = ("headers", "cookies", "query_string", "json")
both_profiles = pytest.mark.parametrize("profile", PROFILES)
everywhere = pytest.mark.parametrize("location", LOCATIONS)


def combinations(count: int, *axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """``count`` combinations of the axes. Every axis turns at each step, and no combination repeats before all came."""
    rows: list[tuple[Any, ...]] = [()] * count
    period = 1
    for axis in axes:
        turn = lcm(period, len(axis))
        rows = [(*row, axis[(step + step // turn) % len(axis)]) for step, row in enumerate(rows)]
        period *= len(axis)
    return rows


def rotated(names: str, values: Iterable[Any], /, **axes: Sequence[Any]) -> pytest.MarkDecorator:
    """Parametrize with each value once, and with the axes in turn.

    ``names`` are the arguments that take a value, separated by commas; with several of them, each value is a tuple.
    A value may be a ``pytest.param``. A mapping gives each value the key as its id::

        @rotated("header", ["", "Bearer", "Basic x"], location=LOCATIONS, profile=PROFILES)
        def test_...(header: str, location: str, profile: str) -> None:
    """
    arguments = [name.strip() for name in names.split(",")]
    if isinstance(values, dict):
        values = [pytest.param(*(value if len(arguments) > 1 else (value,)), id=name) for name, value in values.items()]
    values = list(values)
    rows = []
    for value, extra in zip(values, combinations(len(values), *axes.values()), strict=True):
        plain = value if len(arguments) > 1 else (value,)
        given = value if isinstance(value, ParameterSet) else pytest.param(*plain)
        name = None if given.id is None else "-".join((str(given.id), *map(str, extra)))
        rows.append(pytest.param(*given.values, *extra, marks=given.marks, id=name))
    return pytest.mark.parametrize((*arguments, *axes), rows)
