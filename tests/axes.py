"""Axes of the tests, such as profile and location, rotated over the values of a test instead of multiplied with them.

Values find bugs, cross products do not: each value is tried once, and each element of an axis with several values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import cycle
from math import gcd, lcm
from typing import Any

import pytest

PROFILES = ("compat", "strict")
LOCATIONS = ("headers", "cookies", "query_string", "json")
both_profiles = pytest.mark.parametrize("profile", PROFILES)
everywhere = pytest.mark.parametrize("location", LOCATIONS)


def combinations(count: int, *axes: Collection[Any]) -> list[tuple[Any, ...]]:
    """``count`` combinations of the axes. Each axis turns at every step; all combinations occur before one repeats."""
    rows: list[tuple[Any, ...]] = [()] * count
    period = 1
    for axis in map(tuple, axes):
        turn = lcm(period, len(axis))
        rows = [
            (*row, axis[(step + step // turn % gcd(period, len(axis))) % len(axis)]) for step, row in enumerate(rows)
        ]
        period *= len(axis)
    return rows


def rotated(
    names: str, values: Iterable[Any], /, ids: Callable[[Any], str] | None = None, **axes: Collection[Any]
) -> pytest.MarkDecorator:
    """Parametrize with each value and the axes in turn, so that every value and every element of an axis occurs.

    ``names`` are the arguments that take a value, separated by commas; with several of them, each value is a tuple::

        @rotated("header", ["", "Bearer", "Basic x", "x"], location=LOCATIONS, profile=PROFILES)
        def test_...(header: str, location: str, profile: str) -> None:
    """
    arguments, given = names.split(","), list(values)
    turns = combinations(max(len(given), *map(len, axes.values())), *axes.values())
    rows = [(value if len(arguments) > 1 else (value,), turn) for value, turn in zip(cycle(given), turns, strict=False)]
    labels = ids and ["-".join((*(str(ids(each)) for each in row), *map(str, turn))) for row, turn in rows]
    return pytest.mark.parametrize((*arguments, *axes), [(*row, *turn) for row, turn in rows], ids=labels)
