"""Durations and times as text."""

from __future__ import annotations

import pytest

from flask_jwt_extended._diagnostics.humanize import duration, time_in_words

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "less than a second"),
        (1, "1 second"),
        (119, "119 seconds"),
        (180, "3 minutes"),
        (7200, "2 hours"),
        (172_800, "2 days"),
        (86_400 * 800, "2 years"),
        (float("inf"), "more than 1000 years"),
    ],
)
def test_durations_as_text(seconds: float, words: str) -> None:
    """In the largest unit of which there are at least two."""
    assert duration(seconds) == words


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), [1]])
def test_an_invalid_time_has_no_text(value: object) -> None:
    """Claims without a valid time have no description."""
    assert time_in_words("exp", value, NOW) is None
    assert time_in_words("sub", 1, NOW) is None
