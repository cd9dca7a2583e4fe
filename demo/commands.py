"""Commands for a terminal: curl for the API, and ``flask jwt keys`` for the key file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from people import SEEDS

APP = Path(__file__).with_name("app.py")

# curl -------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A command to paste into a terminal, and its purpose."""

    purpose: str
    command: str


def curl_lines(address: str) -> list[Line]:
    """Return four commands that use the API, to be pasted in this order."""
    seed = SEEDS[0]
    body = f'{{"username": "{seed.username}", "password": "{seed.password}"}}'
    return [
        Line(
            "Log in and keep the response: an access token and a refresh token.",
            f"LOGIN=$(curl -sS {address}/api/login -H 'Content-Type: application/json' -d '{body}')",
        ),
        Line(
            "Call a protected endpoint with the access token in the header.",
            f'TOKEN=$({taken_from_login("access_token")}); curl -sS {address}/api/me -H "Authorization: Bearer $TOKEN"',
        ),
        Line(
            "Without a token the same call is refused: 401.",
            f"curl -sS -i {address}/api/me",
        ),
        Line(
            "Exchange the refresh token for two new tokens. It is single-use.",
            f"REFRESH=$({taken_from_login('refresh_token')});"
            f' curl -sS -X POST {address}/api/session/refresh -H "Authorization: Bearer $REFRESH"',
        ),
    ]


def taken_from_login(name: str) -> str:
    """Return a shell command that prints one field of the response to the login."""
    return f"""echo "$LOGIN" | python3 -c 'import json, sys; print(json.load(sys.stdin)["{name}"])'"""


# Keys -------------------------------------------------------------------------------------------


class Typed(NamedTuple):
    """A command that was run, and its output."""

    command: str
    output: str


def rotate_keys(path: str) -> list[dict[str, str]]:
    """Rotate the keys. ``--now`` is fine here, because no other service verifies the tokens of the demo."""
    commands = (("generate",), ("rotate", "--now"), ("list",))
    return [type_keys(path, *words)._asdict() for words in commands]


def type_keys(path: str, *words: str) -> Typed:
    """Run ``flask jwt keys ...`` in another process."""
    done = subprocess.run(  # noqa: S603  # this interpreter, and words from above
        [sys.executable, "-m", "flask", "--app", APP, "jwt", "keys", *words],
        env={**os.environ, "FLASK_JWT_KEYS": path},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return Typed(f"flask jwt keys {' '.join(words)}", done.stdout)
