"""Times and demands in words: how long something lasts, how long ago it was, and what a view asks for."""

from __future__ import annotations

import math
from typing import Any

from .._jose import claims as claims_
from .._request.policy import Policy

#: Seconds.
DAY = 86_400

#: How to say that a time lies ahead, and that it has passed.
_TENSES = {
    "exp": ("valid for {}", "expired {} ago"),
    "nbf": ("starts in {}", "started {} ago"),
    "iat": ("issued {} from now", "issued {} ago"),
}
_UNITS = (("year", 365 * DAY), ("day", DAY), ("hour", 3600), ("minute", 60))


def time_in_words(claim: str, value: object, now: float) -> str | None:
    """Say what the time in ``exp``, ``nbf`` or ``iat`` means at a moment; ``None`` for other claims, and for no time.

    :param now: seconds since the epoch
    """
    if claim not in _TENSES or not claims_.is_finite(value):
        return None
    distance = _distance(claim, value, now)
    return _TENSES[claim][distance <= 0].format(duration(abs(distance)))


def _distance(claim: str, value: Any, now: float) -> float:
    """Seconds from now, counted as :func:`claims.validate` does. A hostile token may hold more than any float."""
    try:
        return (int(value) if claim == "exp" else value) - now
    except OverflowError:
        return math.copysign(math.inf, value > 0 or -1)


def by_leeway(claim: str, value: Any, now: float, leeway: float) -> str:
    """The reason why a time passed that should not have."""
    needed = (_distance(claim, value, now) <= 0) == (claim == "exp")
    return f", within the leeway of {duration(leeway)}" if needed else ""


def duration(seconds: float) -> str:
    """Say how long something lasts, in the largest unit that makes at least two: ``90 seconds``, ``14 minutes``."""
    if seconds >= 1000 * 365 * DAY:
        return "more than 1000 years"
    if seconds < 1:
        return "less than a second"
    unit, length = next(((unit, length) for unit, length in _UNITS if seconds >= 2 * length), ("second", 1))
    count = int(seconds // length)
    return f"{count} {unit}" + ("" if count == 1 else "s")


def describe_requirements(policy: Policy) -> str:
    """Say what a view asks for: ``fresh access token, scope orders:read or orders:write``."""
    kind = f"{policy.token_type} token" if policy.verify_type else "token of any type"
    said = [f"fresh {kind}" if policy.fresh else kind]
    said += [f"{name} {demand}" for name, demand in (("scope", policy.scopes), ("role", policy.roles)) if demand]
    if policy.max_age is not None:
        said.append(f"authenticated within {duration(policy.max_age)}")
    if policy.acr:
        said.append(f"acr {' or '.join(policy.acr)}")
    if policy.skip_revocation_check:
        said.append("revoked or not")
    if policy.optional:
        said.append("or none" if policy.optional is True else "or none, if it is not valid")
    if policy.report_only:
        said.append("reported only")
    return ", ".join(said)
