"""What a ring of many keys costs, and what JWT_VERIFY_CACHE_SIZE saves: the cost of protection, request by request.

All applications are in this process and take turns within milliseconds, so that whatever slows the machine down slows
all of them. The cost is that of a protected view beyond an open one of the same application; a ratio, the median of
pairs.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any

from flask import Flask
from timing import clock, wsgi
from timing.paired import Case, measured, ratio

from flask_jwt_extended import JWTManager, jwt_required
from flask_jwt_extended._jose import compact
from flask_jwt_extended._jose import key_states as key_life
from flask_jwt_extended._jose.jwk_set import read_jwk

ROUNDS, QUICK_ROUNDS = 45, 5
RINGS = (1, 10, 1000)
ALGORITHMS = ("HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA")
#: Tokens that come in turn, of as many keys as there are.
TOKENS = 100


def case(name: str, jwks: list[dict[str, Any]], cache: int = 0) -> Case:
    """An application with these keys, asked with tokens of them."""
    app = Flask("keys")
    app.config.update(JWT_PROFILE="strict", JWT_KEYS={"keys": jwks}, JWT_VERIFY_CACHE_SIZE=cache)
    JWTManager(app)
    app.add_url_rule("/open", "open", lambda: "")
    app.add_url_rule("/protected", "protected", jwt_required()(lambda: ""))
    spread = itertools.islice(itertools.cycle(jwks[:: max(1, len(jwks) // TOKENS)]), TOKENS)
    headers = [wsgi.credentials("headers", token_of(jwk, number)) for number, jwk in enumerate(spread)]
    for each in headers:
        if wsgi.status(app, "/protected", each) != 200:
            raise RuntimeError(f"{name}: a good token is refused")
    protected = in_turn([wsgi.get(app, "/protected", each) for each in headers])
    return Case(name, [clock.Timer(protected), clock.Timer(in_turn([wsgi.get(app, "/open", headers[0])]))])


def in_turn(calls: list[Callable[[], object]]) -> Callable[[], object]:
    """A call that makes one of them after the other, for ever."""
    endless = itertools.cycle(calls)

    def call() -> object:
        return next(endless)()

    return call


def token_of(jwk: dict[str, Any], number: int) -> str:
    """A token that a key has signed."""
    key = read_jwk(jwk, jwk["alg"])
    header = f'{{"alg":"{jwk["alg"]}","kid":"{jwk["kid"]}","typ":"JWT"}}'
    claims = (
        f'{{"sub":"user-{number}","jti":"{number}","type":"access","fresh":false,"iat":1700000000,"exp":4000000000}}'
    )
    return compact.sign(header.encode(), claims.encode(), key.key)


def key_of(algorithm: str) -> dict[str, Any]:
    """A new key that signs."""
    return {**key_life.generate(algorithm, 0), "state": "active"}


def rings(rounds: int) -> None:
    """Print what a token costs whose key is one of many."""
    keys = [key_of("ES256") for _ in range(max(RINGS))]
    cases = [case(f"{size:,}", keys[:size]) for size in RINGS]
    measured(cases, rounds)
    print(f"\nkeys in the ring (ES256)   {'cost':>8}   beside one key     (us)")
    for each in cases:
        print(f"  {each.name:24} {each.cost:8.1f}   {ratio(each, cases[0]):14.2f}")


def caches(rounds: int) -> None:
    """Print what remembering good tokens saves, by algorithm."""
    keys = {algorithm: [key_of(algorithm)] for algorithm in ALGORITHMS}
    off = {algorithm: case(algorithm, keys[algorithm]) for algorithm in ALGORITHMS}
    on = {algorithm: case(algorithm, keys[algorithm], 10 * TOKENS) for algorithm in ALGORITHMS}
    measured([*off.values(), *on.values()], rounds)
    plain = off["HS256"]
    print(f"\nJWT_VERIFY_CACHE_SIZE      {'off':>8} {'on':>8}   on beside HS256 off     (us)")
    for algorithm in ALGORITHMS:
        costs = [each[algorithm].cost for each in (off, on)]
        beside = ratio(on[algorithm], plain)
        verdict = "met" if beside <= 1 else "MISSED"
        print(f"  {algorithm:24} {costs[0]:8.1f} {costs[1]:8.1f}   {beside:19.2f}   {verdict}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"measure {QUICK_ROUNDS} rounds instead of {ROUNDS}")
    chosen = parser.parse_args()
    for table in (rings, caches):
        table(QUICK_ROUNDS if chosen.quick else ROUNDS)
