"""``flask jwt sessions``: list and end the sessions of an application, and maintain the store that keeps them."""

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
from .terminal import aligned, counted, current_state, echo_json, json_option, printable

#: The ``cause`` in :data:`~flask_jwt_extended.signals.session_ended`.
CAUSE = "operator"

sessions = AppGroup("sessions", help="List sessions, end them, and maintain the store that keeps them.")

_literal = click.option("--literal", is_flag=True, help="Read IDENTITY as JSON: 5 is then a number, not a string.")


def _current_state() -> ExtensionState:
    """Return the state of the current application.

    :raises ConfigurationError: if it has no store
    """
    state = current_state()
    if isinstance(store_of(state), MemoryStore):
        click.echo("JWT_STORE_URI keeps sessions in memory: this command cannot see those of other processes", err=True)
    return state


def _store() -> SessionStore:
    return store_of(_current_state())


def _identity(text: str, literal: bool) -> Any:
    """Return the identity that an argument stands for."""
    try:
        return json.loads(text) if literal else text
    except (ValueError, RecursionError):
        raise click.BadParameter("not a JSON value", param_hint="IDENTITY") from None


def _report(as_json: bool, values: dict[str, Any], text: str) -> None:
    if as_json:
        echo_json(values)
    else:
        click.echo(text)


@contextmanager
def _progress(label: str, length: Callable[[], int]) -> Iterator[Callable[[int], object]]:
    """Show a progress bar on standard error, if that is a terminal.

    :param length: counts the items; only called for a terminal
    """
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    with click.progressbar(length=length(), label=label, file=sys.stderr) as bar:
        yield bar.update


# --- list -----------------------------------------------------------------------------------------------------------

#: Characters that the table shows of long texts.
_IDENTITY, _LABEL, _AGENT = 40, 24, 32
_HEAD = ("session", "identity", "label", "created (UTC)", "refreshed", "expires", "address", "user agent")


@sessions.command("list")
@click.argument("identity", required=False)
@_literal
@click.option("--limit", type=click.IntRange(min=1), help="Stop after this many.")
@json_option
def list_command(identity: str | None, literal: bool, limit: int | None, as_json: bool) -> None:
    """List the active sessions.

    Those of IDENTITY are listed newest first; without IDENTITY, all sessions are listed in any order.
    """
    state, now = _current_state(), time.time()
    if identity is None:
        found = lifecycle.all_sessions(state, now)
    else:
        found = iter(lifecycle.sessions_of(_identity(identity, literal), state, now, None))
    for line in (_json_list if as_json else _table)(islice(found, limit)):
        click.echo(line)


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
    """A JSON list with one session per line. It is only closed if it is complete."""
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
@json_option
@click.pass_context
def end_command(ctx: click.Context, session_ids: tuple[str, ...], as_json: bool) -> None:
    """End sessions: all their tokens are refused from now on.

    The exit status is 1 if one of the sessions does not exist.
    """
    state, now = _current_state(), time.time()
    ended: dict[bool, list[str]] = {True: [], False: []}
    for session_id in session_ids:
        existed = lifecycle.end(session_id, state, cause=CAUSE, now=now)
        ended[existed].append(session_id)
        if not as_json:
            click.echo(f"{'ended' if existed else 'not found'}: {printable(session_id)}")
    if as_json:
        echo_json({"ended": ended[True], "not_found": ended[False]})
    ctx.exit(bool(ended[False]))


@sessions.command("end-all")
@click.argument("identity", required=False)
@_literal
@click.option("--all-identities", is_flag=True, help="End the sessions of all identities.")
@click.option("--yes", is_flag=True, help="Skip confirmation.")
@json_option
def end_all_command(identity: str | None, literal: bool, all_identities: bool, yes: bool, as_json: bool) -> None:
    """End all sessions of IDENTITY.

    A session that starts at the same time may stay active.
    """
    if all_identities is (identity is not None):
        raise click.UsageError("Give an IDENTITY or --all-identities.")
    state, now = _current_state(), time.time()
    claim = None if identity is None else _identity(identity, literal)
    if not yes:
        question = (
            "End the sessions of all identities?" if identity is None else f"End all sessions of {printable(identity)}?"
        )
        click.confirm(question, abort=True, err=True)
    ended = _end_all_identities(state, now) if all_identities else lifecycle.end_all(claim, state, cause=CAUSE, now=now)
    _report(as_json, {"ended": ended}, f"{counted(ended, 'session')} ended")


def _end_all_identities(state: ExtensionState, now: float) -> int:
    """End all sessions in the store. Expired ones are removed too, because clocks differ between machines."""
    store, ended = store_of(state), 0
    with _progress("Ending", lambda: store.stats(now).sessions) as advance:
        for record in store.sessions():
            ended += lifecycle.end(record.session_id, state, cause=CAUSE, now=now)
            advance(1)
    return ended


# --- the store ------------------------------------------------------------------------------------------------------


@sessions.command("init")
@json_option
def init_command(as_json: bool) -> None:
    """Create the tables that the store needs.

    This also happens on first use. It is safe to repeat.
    """
    store = _store()
    store.create()
    store.get("any")  # without tables, create() has not connected yet
    _report(as_json, {"ready": True}, "The store is ready")


@sessions.command("prune")
@click.option(
    "--batch", type=click.IntRange(min=1), default=1000, show_default=True, help="Records to remove at a time."
)
@click.option("--dry-run", is_flag=True, help="Only count the records.")
@json_option
def prune_command(batch: int, dry_run: bool, as_json: bool) -> None:
    """Remove records that are no longer needed.

    Small batches do not delay requests.
    """
    store, now = _store(), time.time()
    if dry_run:
        prunable = store.stats(now).prunable
        _report(as_json, {"prunable": prunable}, f"{counted(prunable, 'record')} to remove")
    else:
        removed = _prune(store, now, batch)
        _report(as_json, {"removed": removed}, f"{counted(removed, 'record')} removed")


def _prune(store: SessionStore, now: float, batch: int) -> int:
    total = 0
    with _progress("Removing", lambda: store.stats(now).prunable) as advance:
        while removed := store.prune(now, batch):
            total += removed
            advance(removed)
    return total


@sessions.command("stats")
@json_option
def stats_command(as_json: bool) -> None:
    """Count the records in the store.

    Expired sessions and expired revoked tokens count until they are pruned.
    """
    counts = _store().stats(time.time())._asdict()
    lines = aligned([(name.replace("_", " "), str(count)) for name, count in counts.items()])
    _report(as_json, counts, "\n".join(lines))
