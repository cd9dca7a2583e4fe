"""What a token of a megabyte costs beyond reading it, beside what one good verification costs.

Werkzeug keeps what it parsed of a query string or a JSON body, so there the token is read before the clock starts. A
header or a cookie is read by the verification itself: from its time, that of Werkzeug's own reading is taken away.

Who has just read megabytes finds the processor's caches empty, whatever comes next. So there the good token travels
beside a filler of the size of the huge one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from flask import Flask, request
from jwt import InvalidTokenError
from werkzeug.test import EnvironBuilder

from flask_jwt_extended import JWTManager, create_access_token, verify_jwt_in_request

SIZES = {"1 MB": 1_000_000, "10 MB": 10_000_000}
ROUNDS = 101
NAME = {"cookies": "access_token_cookie", "query_string": "jwt", "json": "access_token"}
READ: dict[str, Callable[[], object]] = {
    "headers": lambda: request.headers.get("Authorization"),
    "cookies": lambda: request.cookies.get(NAME["cookies"]),
    "query_string": lambda: request.args.get(NAME["query_string"]),
    "json": lambda: request.get_json(),  # noqa: PLW0108  # a proxy: there is no request yet
}
KEPT = ("query_string", "json")


def application(location: str) -> Flask:
    """An application that looks for its tokens in one place."""
    app = Flask("oversized")
    app.config.update(JWT_SECRET_KEY="a secret of thirty-two bytes, or more", JWT_TOKEN_LOCATION=[location])
    JWTManager(app)
    return app


def environ_with(token: str, filler: str, location: str) -> dict[str, Any]:
    """A request that carries a token, and something beside it where reading is kept."""
    ways: dict[str, dict[str, Any]] = {
        "headers": {"headers": {"Authorization": f"Bearer {token}"}},
        "cookies": {"headers": {"Cookie": f"{NAME['cookies']}={token}"}},
        "query_string": {"query_string": {"filler": filler, "jwt": token}},
        "json": {"json": {"filler": filler, NAME["json"]: token}, "method": "POST"},
    }
    return EnvironBuilder(**ways[location]).get_environ()


def verify() -> None:
    """Verify the token of this request, or refuse it."""
    with suppress(InvalidTokenError):
        verify_jwt_in_request()


def seconds(
    app: Flask, environ: dict[str, Any], call: Callable[[], object], first: Callable[[], object] | None
) -> float:
    """Seconds of one call in a new request, after whatever is done first."""
    environ["wsgi.input"].seek(0)
    with app.request_context(environ.copy()):
        if first:
            first()
        start = time.perf_counter()
        call()
        return time.perf_counter() - start


def beyond_reading(app: Flask, environ: dict[str, Any], location: str) -> float:
    """Seconds that verification, or refusal, costs beyond reading."""
    if location in KEPT:
        return seconds(app, environ, verify, READ[location])
    return seconds(app, environ, verify, None) - seconds(app, environ, READ[location], None)


def rows(location: str) -> Iterator[tuple[str, float, float]]:
    """For each size: its name, microseconds to refuse it, and microseconds of a good verification. Medians of pairs."""
    app = application(location)
    with app.app_context():
        good = create_access_token("user-1234")
    for name, size in SIZES.items():
        environs = environ_with("a" * size, "", location), environ_with(good, "a" * size, location)
        rounds = [[beyond_reading(app, environ, location) for environ in environs] for _ in range(ROUNDS)]
        refusal, verification = (statistics.median(column) * 1e6 for column in zip(*rounds, strict=True))
        yield name, refusal, verification


if __name__ == "__main__":
    print("\nhuge tokens             refusal beyond reading    one good verification, beyond reading     (us)")
    for place in READ:
        for size, refusal, verification in rows(place):
            verdict = "less" if refusal < verification else "MORE"
            print(f"  {place:14}{size:>8} {refusal:16.1f} {verification:22.1f}   {verdict}")
