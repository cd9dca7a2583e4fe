"""``flask jwt sessions``: what an operator does with the sessions of an application and with the store that keeps them.

Prints and asks back; what happens to sessions is up to ``lifecycle``, how they are kept to the store. Knows no engine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from typing import Any

import click
from flask.cli import AppGroup

from .._sessions import lifecycle
from .._sessions.lifecycle import SessionInfo
from .._sessions.revocation import store_of
from .._state import ExtensionState
from ..stores.base import SessionStore
from ..stores.memory import MemoryStore
from .terminal import aligned, current_state, printable

#: What :data:`~flask_jwt_extended.signals.session_ended` is told of a session that is ended here.
CAUSE = "operator"

sessions = AppGroup("sessions", help="List sessions, end them, and look after the store that keeps them.")

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_literal = click.option("--literal", is_flag=True, help="Take IDENTITY for a JSON value: 5 is a number then, no text.")


def _current_state() -> ExtensionState:
    """The state of an application that has a store.

    :raises ConfigurationError: if it has none
    """
    state = current_state()
    if isinstance(store_of(state), MemoryStore):
        click.echo("JWT_STORE_URI keeps sessions in memory: this process sees none but its own", err=True)
    return state


def _store() -> SessionStore:
    return store_of(_current_state())


def _identity(text: str, literal: bool) -> Any:
    """The identity claim that is meant."""
    try:
        return json.loads(text) if literal else text
    except (ValueError, RecursionError):
        raise click.BadParameter("is no JSON value", param_hint="IDENTITY") from None


def _echo_json(values: dict[str, Any]) -> None:
    click.echo(printable(json.dumps(values)))


def _tell(as_json: bool, values: dict[str, Any], words: str) -> None:
    if as_json:
        _echo_json(values)
    else:
        click.echo(words)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


@contextmanager
def _progress(label: str, length: Callable[[], int]) -> Iterator[Callable[[int], object]]:
    """Show how far something is, if there is a terminal to show it on.

    :param length: counts what is to do; asked for a terminal alone
    """
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=length(), label=label, file=sys.stderr) as bar:
        yield bar.update


# --- list -----------------------------------------------------------------------------------------------------------

#: Characters that are shown of what may be long.
_IDENTITY, _LABEL, _AGENT = 40, 24, 32
_HEAD = ("session", "identity", "label", "created (UTC)", "refreshed", "expires", "address", "user agent")


@sessions.command("list")
@click.argument("identity", required=False)
@_literal
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many.")
@_as_json
def list_command(identity: str | None, literal: bool, limit: int | None, as_json: bool) -> None:
    """List the sessions that go on.

    Those of IDENTITY, the youngest first, or else everybody's, in any order.
    """
    state, now = _current_state(), time.time()
    if identity is None:
        found = lifecycle.all_sessions(state, now)
    else:
        found = iter(lifecycle.sessions_of(_identity(identity, literal), state, now, None))
    for piece in (_json_list if as_json else _table)(islice(found, limit)):
        click.echo(piece)


def _table(found: Iterable[SessionInfo]) -> Iterator[str]:
    return aligned(chain([_HEAD], map(_row, found)))


def _row(info: SessionInfo) -> tuple[str, ...]:
    identity = info.identity if isinstance(info.identity, str) else json.dumps(info.identity)
    return (
        info.session_id,
        _short(identity, _IDENTITY),
        _short(info.label, _LABEL),
        _minute(info.created_at),
        _minute(info.last_refreshed_at),
        _minute(info.expires_at) if info.expires_at else "never",
        info.address or "-",
        _short(info.user_agent, _AGENT),
    )


def _short(text: str | None, width: int) -> str:
    shown = printable(text or "-")
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _json_list(found: Iterable[SessionInfo]) -> Iterator[str]:
    """A JSON list, one session a line. It is closed only if it is complete."""
    before = "[ "
    for info in found:
        yield before + printable(json.dumps(_object(info)))
        before = ", "
    yield "]" if before == ", " else "[]"


def _object(info: SessionInfo) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(info).items() if name != "current"}


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


# --- end ------------------------------------------------------------------------------------------------------------


@sessions.command("end")
@click.argument("session_ids", metavar="SESSION_ID...", nargs=-1, required=True)
@_as_json
@click.pass_context
def end_command(ctx: click.Context, session_ids: tuple[str, ...], as_json: bool) -> None:
    """End sessions: all their tokens are refused from now on.

    The exit status is 1 if there was no such session.
    """
    state, now = _current_state(), time.time()
    ended: dict[bool, list[str]] = {True: [], False: []}
    for session_id in session_ids:
        there = lifecycle.end(session_id, state, cause=CAUSE, now=now)
        ended[there].append(session_id)
        if not as_json:
            click.echo(f"{'ended' if there else 'not there'}: {printable(session_id)}")
    if as_json:
        _echo_json({"ended": ended[True], "not_there": ended[False]})
    ctx.exit(bool(ended[False]))


@sessions.command("end-all")
@click.argument("identity", required=False)
@_literal
@click.option("--everybody", is_flag=True, help="End every session there is, instead of those of IDENTITY.")
@click.option("--yes", is_flag=True, help="Do not ask back.")
@_as_json
def end_all_command(identity: str | None, literal: bool, everybody: bool, yes: bool, as_json: bool) -> None:
    """End all sessions of IDENTITY.

    A session that starts meanwhile may go on.
    """
    if everybody is (identity is not None):
        raise click.UsageError("Name an IDENTITY, or say --everybody.")
    state, now = _current_state(), time.time()
    whose = None if identity is None else _identity(identity, literal)
    if not yes:
        question = "Log everybody out?" if identity is None else f"End all sessions of {printable(identity)}?"
        click.confirm(question, abort=True, err=True)
    ended = _end_everybody(state, now) if everybody else lifecycle.end_all(whose, state, cause=CAUSE, now=now)
    _tell(as_json, {"ended": ended}, f"{_counted(ended, 'session')} ended")


def _end_everybody(state: ExtensionState, now: float) -> int:
    """End what the store holds. What has ended by itself is removed too: other machines may see another time."""
    store, ended = store_of(state), 0
    with _progress("Ending", lambda: store.stats(now).sessions) as advance:
        for record in store.sessions():
            ended += lifecycle.end(record.session_id, state, cause=CAUSE, now=now)
            advance(1)
    return ended


# --- the store ------------------------------------------------------------------------------------------------------


@sessions.command("init")
@_as_json
def init_command(as_json: bool) -> None:
    """Create what the store needs, tables say.

    It is done on first use too; doing it twice does no harm.
    """
    store = _store()
    store.create()
    store.get("any")  # an engine without tables has not been asked yet
    _tell(as_json, {"ready": True}, "The store is ready")


@sessions.command("prune")
@click.option("--batch", type=click.IntRange(min=1), default=1000, show_default=True, help="Remove so many at a time.")
@click.option("--dry-run", is_flag=True, help="Count them, and remove nothing.")
@_as_json
def prune_command(batch: int, dry_run: bool, as_json: bool) -> None:
    """Remove what nobody can ask for any more.

    Small batches do not keep requests waiting.
    """
    store, now = _store(), time.time()
    if dry_run:
        prunable = store.stats(now).prunable
        _tell(as_json, {"prunable": prunable}, f"{_counted(prunable, 'record')} to remove")
    else:
        removed = _prune(store, now, batch)
        _tell(as_json, {"removed": removed}, f"{_counted(removed, 'record')} removed")


def _prune(store: SessionStore, now: float, batch: int) -> int:
    total = 0
    with _progress("Removing", lambda: store.stats(now).prunable) as advance:
        while removed := store.prune(now, batch):
            total += removed
            advance(removed)
    return total


@sessions.command("stats")
@_as_json
def stats_command(as_json: bool) -> None:
    """Count what the store keeps.

    Sessions that have ended by themselves, and revoked tokens that have expired, count until they are removed.
    """
    counts = _store().stats(time.time())._asdict()
    lines = aligned([(name.replace("_", " "), str(count)) for name, count in counts.items()])
    _tell(as_json, counts, "\n".join(lines))
