"""What a token of a megabyte costs beyond reading it, beside what one good verification costs.

For each location: the time of a refused request with a huge token less that with a tiny one, less the same difference
for an open view that only reads what was sent. Medians of paired rounds, CPU time.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, request
from werkzeug.test import EnvironBuilder

from flask_jwt_extended import JWTManager, create_access_token, jwt_required

SIZES = {"1 MB": 1_000_000, "10 MB": 10_000_000}
ROUNDS = 15
NAME = {"cookies": "access_token_cookie", "query_string": "jwt", "json": "access_token"}
READ: dict[str, Callable[[], object]] = {
    "headers": lambda: request.headers.get("Authorization"),
    "cookies": lambda: request.cookies.get(NAME["cookies"]),
    "query_string": lambda: request.args.get(NAME["query_string"]),
    "json": lambda: request.get_json(),  # noqa: PLW0108  # a proxy: there is no request yet
}


def application(location: str) -> Flask:
    """Two views that answer alike: one is protected, one only reads what a token may be in."""
    app = Flask("oversized")
    app.config.update(JWT_SECRET_KEY="a secret of thirty-two bytes, or more", JWT_TOKEN_LOCATION=[location])
    JWTManager(app)

    def read() -> str:
        READ[location]()
        return "ok"

    methods = ["GET", "POST"]
    app.add_url_rule("/read", "read", read, methods=methods)
    app.add_url_rule("/protected", "protected", jwt_required()(lambda: "ok"), methods=methods)
    return app


def caller(app: Flask, path: str, location: str, token: str) -> Callable[[], None]:
    """A call that sends one token to one view."""
    ways: dict[str, dict[str, Any]] = {
        "headers": {"headers": {"Authorization": f"Bearer {token}"}},
        "cookies": {"headers": {"Cookie": f"{NAME['cookies']}={token}"}},
        "query_string": {"query_string": {"jwt": token}},
        "json": {"json": {NAME["json"]: token}, "method": "POST"},
    }
    environ = EnvironBuilder(path=path, **ways[location]).get_environ()
    body = environ["wsgi.input"].read()

    def call() -> None:
        fresh = environ.copy()
        fresh["wsgi.input"] = io.BytesIO(body)
        b"".join(app.wsgi_app(fresh, lambda *_: lambda _: None))

    return call


def seconds(call: Callable[[], None], least: float = 0.01) -> float:
    """CPU seconds of one call, over at least this much time."""
    count, start = 0, time.process_time()
    while (spent := time.process_time() - start) < least or not count:
        call()
        count += 1
    return spent / count


def rows(location: str) -> Iterator[tuple[str, float, float]]:
    """For each size: its name, microseconds beyond reading, and microseconds of a good verification."""
    app = application(location)
    with app.app_context():
        good = create_access_token("user-1234")
    for name, size in SIZES.items():
        tokens = {"good": good, "tiny": "a.b.c", "huge": "a" * size}
        calls = {
            (path, which): caller(app, path, location, token)
            for path in ("/read", "/protected")
            for which, token in tokens.items()
        }
        rounds = [{key: seconds(call) for key, call in calls.items()} for _ in range(ROUNDS)]
        beyond = statistics.median(
            (each["/protected", "huge"] - each["/protected", "tiny"]) - (each["/read", "huge"] - each["/read", "tiny"])
            for each in rounds
        )
        verification = statistics.median(each["/protected", "good"] - each["/read", "good"] for each in rounds)
        yield name, beyond * 1e6, verification * 1e6


if __name__ == "__main__":
    print("\nhuge tokens                  beyond reading    one good verification, beyond reading     (us)")
    for place in READ:
        for size, beyond, verification in rows(place):
            verdict = "less" if beyond < verification else "MORE"
            print(f"  {place:14}{size:>8} {beyond:16.1f} {verification:22.1f}   {verdict}")
