"""What compat accepts because 4.7 does, and strict refuses: the whole list of THREATS.md, section 2."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from flask_jwt_extended import ConfigurationError

from ..axes import LOCATIONS
from ..tokens import claims, genuine
from . import Target, assert_accepted, assert_refused, attack, carrying, make_target, target_of
from .test_locations import PAIRS, cookie_text, together

#: Makes the arguments of a request to a target.
Request = Callable[[Target], dict[str, Any]]


@dataclass(frozen=True)
class Tolerated:
    """A request that compat lets pass, the words of THREATS.md that say so, and the code of the refusal in strict."""

    threat: str
    request: Request
    code: str


def with_token(token: Callable[[], str], location: str) -> Request:
    return lambda target: carrying(target, token(), location)


def without_exp() -> str:
    """A token of long ago."""
    return genuine({"sub": "ann", "type": "access", "jti": "one", "iat": 1})


def with_audience(audience: Any) -> str:
    return genuine(claims(aud=audience))


def with_method(method: str) -> Request:
    return lambda target: {"method": method, **carrying(target, genuine(), "cookies")}


def with_query(query: str) -> Request:
    return lambda _target: {"environ_overrides": {"QUERY_STRING": query.replace("T", genuine())}}


def with_cookies(text: str) -> Request:
    return lambda target: {"environ_overrides": {"HTTP_COOKIE": cookie_text(target, text)}}


def with_two(pair: tuple[str, str]) -> Request:
    def request(target: Target) -> dict[str, Any]:
        first, second = sorted(pair, key=LOCATIONS.index)  # the order in which they are searched
        return together(target, {first: genuine(), second: "junk"})

    return request


TOLERATED: dict[str, Tolerated] = {
    **{
        f"{claim} is missing, in {location}": Tolerated(threat, with_token(token, location), "missing_claim")
        for location in LOCATIONS
        for claim, threat, token in (
            ("type", "a token with no `type` is access", lambda: genuine(claims(type=...))),
            ("jti", "without `jti` has none", lambda: genuine(claims(jti=...))),
            ("exp", "without `exp` never expires", without_exp),
        )
    },
    **{
        f"aud is {audience!r}, in {location}": Tolerated(
            "`aud` of others when no audience is configured",
            with_token(partial(with_audience, audience), location),
            "wrong_audience",
        )
        for location in LOCATIONS
        for audience in ("https://other.example", ["a", "b"], "")
    },
    **{
        f"tokens in {first} and {second}": Tolerated(
            "several tokens in one request (the order of locations decides)",
            with_two((first, second)),
            "multiple_tokens",
        )
        for first, second in PAIRS
        if LOCATIONS.index(first) < LOCATIONS.index(second)
    },
    **{
        f"the query {query}": Tolerated("a repeated query parameter", with_query(query), "multiple_tokens")
        for query in ("jwt=T&jwt=T", "jwt=T&jwt=x", "jwt=T&jwt=", "jwt=T&x=y&jwt=x")
    },
    **{
        f"the cookies {text}": Tolerated("or cookie name", with_cookies(text), "multiple_tokens")
        for text in ("N=T; N=T", "N=T; N=x", "N=T; N=", 'N=T; x="y"; N=x')
    },
    **{
        f"the method {method}": Tolerated("methods outside `JWT_CSRF_METHODS` unchecked", with_method(method), "csrf")
        for method in ("REPORT", "PROPFIND", "MKCOL", "LOCK", "QUERY", "X-NEW")
    },
}


@pytest.mark.parametrize("name", TOLERATED)
def test_compat_still_accepts(name: str) -> None:
    """Applications written for 4.7 keep working; a row that no longer passes leaves this table."""
    target = target_of("compat")
    assert_accepted(attack(target, **TOLERATED[name].request(target)))


@pytest.mark.parametrize("name", TOLERATED)
def test_strict_refuses(name: str) -> None:
    """Strict refuses everything that compat tolerates, each with its code."""
    target = target_of("strict")
    assert_refused(attack(target, **TOLERATED[name].request(target)), TOLERATED[name].code)


GUESSABLE = ["secret", "super-secret", "change-me", "your-256-bit-secret", "x" * 64, "0" * 40, "ab" * 32]


@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_guessable_secret_is_a_warning_in_compat_and_an_error_in_strict(secret: str) -> None:
    """Compat warns about such a secret and uses it, strict does not."""
    compat, strict = make_target("compat", SECRET_KEY=secret), make_target("strict")
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH"):
        make_target("strict", SECRET_KEY=secret)
    strict.app.config.update(PROPAGATE_EXCEPTIONS=True, JWT_SECRET_KEY=secret)  # later than init_app
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert_accepted(attack(compat, **carrying(compat, genuine(secret=secret))))
    # A key that another test already warned of stays silent: it is prepared once for the whole process.
    assert all("secret" in str(each.message) or "HMAC key" in str(each.message) for each in told)
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH"):
        attack(strict, **carrying(strict, genuine(secret=secret)))
    assert not strict.ran
