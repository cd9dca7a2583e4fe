"""Durations, times and requirements as text for people."""

from __future__ import annotations

import math
from typing import Any

from .._jose import claims as claims_
from .._request.policy import Policy

#: Seconds.
DAY = 86_400

#: How to describe a time in the future, and one in the past.
_TENSES = {
    "exp": ("valid for {}", "expired {} ago"),
    "nbf": ("starts in {}", "started {} ago"),
    "iat": ("issued {} from now", "issued {} ago"),
}
_UNITS = (("year", 365 * DAY), ("day", DAY), ("hour", 3600), ("minute", 60))


def time_in_words(claim: str, value: object, now: float) -> str | None:
    """Describe the time in ``exp``, ``nbf`` or ``iat``; ``None`` for other claims and for a value that is not a time.

    :param now: seconds since the epoch
    """
    if claim not in _TENSES or not claims_.is_finite(value):
        return None
    distance = _distance(claim, value, now)
    return _TENSES[claim][distance <= 0].format(duration(abs(distance)))


def _distance(claim: str, value: Any, now: float) -> float:
    """Seconds from now, counted as :func:`claims.validate` does. Hostile numbers may be beyond any float."""
    try:
        return (int(value) if claim == "exp" else value) - now
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def by_leeway(claim: str, value: Any, now: float, leeway: float) -> str:
    """How a time passed that is outside its limit: within the leeway."""
    needed = (_distance(claim, value, now) <= 0) == (claim == "exp")
    return f", within the leeway of {duration(leeway)}" if needed else ""


def duration(seconds: float) -> str:
    """Describe a duration in the largest unit of which it has at least two: ``90 seconds``, ``14 minutes``."""
    if seconds >= 1000 * 365 * DAY:
        return "more than 1000 years"
    if seconds < 1:
        return "less than a second"
    unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= 2 * length), ("second", 1))
    count = int(seconds // length)
    return f"{count} {unit}" + ("" if count == 1 else "s")


def describe_requirements(policy: Policy) -> str:
    """Describe what a view requires: ``fresh access token, scope orders:read or orders:write``."""
    kind = f"{policy.token_type} token" if policy.verify_type else "token of any type"
    parts = [f"fresh {kind}" if policy.fresh else kind]
    parts += [f"{name} {required}" for name, required in (("scope", policy.scopes), ("role", policy.roles)) if required]
    if policy.max_age is not None:
        parts.append(f"authenticated within {duration(policy.max_age)}")
    if policy.acr:
        parts.append(f"acr {' or '.join(policy.acr)}")
    if policy.skip_revocation_check:
        parts.append("revoked or not")
    if policy.optional:
        parts.append("or none" if policy.optional is True else "or none, if it is not valid")
    if policy.report_only:
        parts.append("reported only")
    return ", ".join(parts)
