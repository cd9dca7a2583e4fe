"""What a protected view requires: types are compared by equality, freshness to the second."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from flask_jwt_extended._jose.token import Token
from flask_jwt_extended._request.policy import Policy
from flask_jwt_extended.exceptions import FreshTokenRequired, WrongTokenError

NOW = 1_700_000_000


def check(policy: Policy, now: float = NOW, **claims: Any) -> None:
    policy.check(Token({"alg": "HS256"}, {"type": "access", "fresh": False, **claims}), now)


#: What an odd or hostile issuer may write into a claim that should hold something else.
ODD: list[Any] = [None, "", 0, 1, -1, 1.5, [], ["access"], ["refresh"], {}, {"access": True}]


def test_an_access_token_is_asked_for_by_default() -> None:
    """The default policy accepts access tokens, fresh or not."""
    check(Policy())
    assert Policy().token_type == "access"


def test_a_refresh_view_takes_refresh_tokens() -> None:
    """``refresh=True`` accepts refresh tokens."""
    check(Policy(refresh=True), type="refresh")
    assert Policy(refresh=True).token_type == "refresh"


LOOKALIKES = [
    "access ",
    " access",
    "Access",
    "ACCESS",
    "refresh ",
    "Refresh",
    "accessrefresh",
    "access\0",
    "password_reset",
]


@pytest.mark.parametrize("kind", [*ODD, True, False, *LOOKALIKES], ids=repr)
@pytest.mark.parametrize("refresh", [False, True])
def test_a_token_of_another_type_is_refused(kind: Any, refresh: bool) -> None:
    """Types are compared by equality alone, so that no token made for another purpose passes."""
    with pytest.raises(WrongTokenError, match=rf"^Only {'refresh' if refresh else 'access'} tokens are allowed$"):
        check(Policy(refresh=refresh), type=kind)


def test_a_refresh_token_is_no_access_token() -> None:
    """The message is the one of 4.7."""
    with pytest.raises(WrongTokenError, match=r"^Only non-refresh tokens are allowed$"):
        check(Policy(), type="refresh")


def test_an_access_token_is_no_refresh_token() -> None:
    """An access token is refused where a refresh token is required."""
    with pytest.raises(WrongTokenError, match=r"^Only refresh tokens are allowed$"):
        check(Policy(refresh=True), type="access")


@pytest.mark.parametrize("kind", ["access", "refresh", "password_reset", *ODD], ids=repr)
@pytest.mark.parametrize("refresh", [False, True])
def test_every_type_passes_where_none_is_asked_for(kind: Any, refresh: bool) -> None:
    """``verify_type=False`` accepts every type."""
    check(Policy(refresh=refresh, verify_type=False), type=kind)


@pytest.mark.parametrize("fresh", [True, NOW, NOW + 0.5, NOW + 10**400, 1e300])
def test_a_fresh_token_is_fresh(fresh: Any) -> None:
    """``fresh`` is true, or a time that has not passed; the last moment is still fresh."""
    check(Policy(fresh=True), fresh=fresh)


@pytest.mark.parametrize(
    "fresh",
    [False, NOW - 0.001, NOW - 1, -(10**400), "true", "True", str(NOW + 9), float("inf"), float("nan"), *ODD],
    ids=repr,
)
def test_a_token_that_is_anything_but_fresh_is_refused(fresh: Any) -> None:
    """A claim of another type, or an infinite time, is not fresh, and not an error."""
    with pytest.raises(FreshTokenRequired, match=r"^Fresh token required$") as caught:
        check(Policy(fresh=True), fresh=fresh)
    assert caught.value.jwt_header == {"alg": "HS256"}
    assert caught.value.jwt_data["type"] == "access"


@pytest.mark.parametrize("fresh", [False, *ODD], ids=repr)
def test_freshness_does_not_matter_where_it_is_not_asked_for(fresh: Any) -> None:
    """The claim may have any value if freshness is not required."""
    check(Policy(), fresh=fresh)


def test_the_type_is_judged_before_freshness() -> None:
    """A refresh token that is not fresh is refused for its type."""
    with pytest.raises(WrongTokenError):
        check(Policy(fresh=True), type="refresh")


def test_a_policy_is_a_value() -> None:
    """Equal requirements make equal policies, which cannot be changed."""
    assert Policy(fresh=True) == Policy(fresh=True) != Policy()
    assert hash(Policy(locations=("headers",))) == hash(Policy(locations=("headers",)))
    with pytest.raises(FrozenInstanceError):
        Policy(fresh=True).fresh = False  # type: ignore[misc]  # that is the point
