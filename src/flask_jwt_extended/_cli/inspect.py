"""``flask jwt inspect``: print what a token contains, and which checks it passes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import click
from flask.cli import with_appcontext

from .._diagnostics.humanize import time_in_words
from .._diagnostics.token import Inspection, Verdict, inspect_token
from .terminal import MASK, current_state, printable

_OUTCOMES = {True: ("pass", "green"), False: ("FAIL", "red"), None: ("?   ", "yellow")}


@click.command("inspect")
@click.argument("token")
@click.pass_context
@with_appcontext
def inspect_command(ctx: click.Context, token: str) -> None:
    """Take a token apart and check it.

    With - for TOKEN, the token is read from standard input, which keeps it out of the shell's history.

    The exit status is 1 if the token would be refused.
    """
    state = current_state()
    encoded = _standard_input(state.settings.max_token_bytes) if token == "-" else token
    now = time.time()
    inspection = inspect_token(_without_scheme(encoded), state, now)
    for line in _report(inspection, now):
        click.echo(line)
    ctx.exit(not inspection.accepted)


def _standard_input(max_bytes: int) -> str:
    """Read a little more than a token may have: enough to see that it is too long."""
    return sys.stdin.buffer.read(max_bytes + 1024).decode("ascii", "replace")


def _without_scheme(encoded: str) -> str:
    """Strip the "Bearer" of a token that was copied from a header."""
    scheme, _, rest = encoded.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else encoded.strip()


def _report(inspection: Inspection, now: float) -> Iterator[str]:
    yield from _members("header", inspection.header, now)
    yield from _members("claims", inspection.claims, now)
    yield "checks"
    yield from _verdicts(inspection.verdicts)
    yield "accepted" if inspection.accepted else click.style("refused", fg="red", bold=True)


def _members(title: str, members: dict[str, Any] | None, now: float) -> Iterator[str]:
    if members is None:
        return
    yield title
    names = [printable(as_json(name)) for name in members]
    width = min(max(map(len, names), default=0), 24)
    for name, (claim, value) in zip(names, members.items(), strict=True):
        words = time_in_words(claim, value, now) if title == "claims" else None
        comment = f"  ({_clock(value)}{words})" if words else ""
        yield f"  {name.ljust(width)}  {MASK if claim == 'csrf' else printable(as_json(value))}{comment}"


def as_json(value: Any) -> str:
    """Write a value as JSON, if that is possible."""
    try:
        return json.dumps(value)
    except (RecursionError, ValueError):
        return "(nested too deeply, or too large, to show)"


def _clock(value: Any) -> str:
    try:
        return f"{datetime.fromtimestamp(value, timezone.utc):%Y-%m-%d %H:%M:%S} UTC, "
    except (OverflowError, ValueError, OSError):
        return ""


def _verdicts(verdicts: tuple[Verdict, ...]) -> Iterator[str]:
    width = max(len(verdict.name) for verdict in verdicts)
    for verdict in verdicts:
        word, colour = _OUTCOMES[verdict.passed]
        yield f"  {click.style(word, fg=colour)}  {verdict.name.ljust(width)}  {printable(verdict.why)}"
