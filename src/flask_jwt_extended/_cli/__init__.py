"""``flask jwt``: check an application, show its configuration, inspect a token.

Prints what :mod:`flask_jwt_extended._diagnostics` finds. The other groups of commands have modules of their own.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo

from .._context import filled_in, get_app
from .._diagnostics import application as checks
from .._diagnostics import keys as key_checks
from .._diagnostics.humanize import time_in_words
from .._diagnostics.strict import what_changes
from .._diagnostics.token import Inspection, Verdict, inspect_token
from .._settings.options import OPTIONS, Option
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import ConfigurationError
from ..stores.findings import SEVERITIES, Finding
from .keys import keys
from .routes import routes_command
from .sessions import sessions
from .terminal import MASK, CommandGroup, aligned, current_state, printable

#: Tells the process that :func:`key_digest` runs in what to salt its digest with. Not called ``FLASK_*``: applications
#: take their configuration from names like that.
SALT = "JWT_KEY_DIGEST_SALT"
_DIGEST = re.compile(rb"^jwt key digest: ([0-9a-f]{64})\r?$", re.MULTILINE)
#: Seconds that another process may take to load the application.
PATIENCE = 60

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
#: A URI whose parts leave no doubt: whom, at which host, what, and how.
_URI = re.compile(
    r"(?P<scheme>[\w+.-]+://)(?P<user>[^@/?#]*@)?(?P<place>[\w.-]*(:\d+)?(,[\w.-]+(:\d+)?)*|\[[\da-fA-F:.]+\](:\d+)?)"
    r"(?P<path>/[^@?#]*)?(?P<query>\?[^@]*)?"
)

jwt = CommandGroup(
    "jwt", help="Check JWT settings, show them, inspect a token, audit routes, look after sessions and keys."
)
jwt.add_command(sessions)
jwt.add_command(keys)
jwt.add_command(routes_command)


# --- flask jwt check ------------------------------------------------------------------------------------------------


@jwt.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.option("--strict", is_flag=True, help="Let warnings count as errors.")
@click.option("--moving", is_flag=True, help='Tell what JWT_PROFILE = "strict" would change instead.')
@click.pass_context
def check_command(ctx: click.Context, as_json: bool, strict: bool, moving: bool) -> None:
    """Look for mistakes and weak spots.

    Loads the application a second time, to see whether its key stays the same.

    The exit status is 1 if there is an error.
    """
    app = get_app()
    findings = _changes(app) if moving else _findings(app, ctx.find_object(ScriptInfo))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    fatal = {"error", "warning"} if strict else {"error"}
    ctx.exit(any(finding.severity in fatal for finding in findings))


def _findings(app: Flask, info: ScriptInfo | None) -> list[Finding]:
    try:
        state = current_state()
    except ConfigurationError as error:
        return [_misconfigured(error)]
    found = list(checks.check(app, state))
    if not any(finding.code in ("missing_key", "unusable_key", "unusable_keys") for finding in found):
        found += _compare_with_another_process(info, state)
    return _worst_first(found)


def _changes(app: Flask) -> list[Finding]:
    try:
        state = current_state()
    except ConfigurationError as error:
        return [_misconfigured(error)]
    return _worst_first(what_changes(app, state, filled_in(app)))


def _worst_first(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _misconfigured(error: ConfigurationError) -> Finding:
    return Finding(
        "error",
        "configuration",
        str(error),
        "No request that needs a token can be answered.",
        "Mend it; nothing else was checked.",
    )


def _print_findings(findings: list[Finding]) -> None:
    if not findings:
        click.echo("Nothing to complain about.")
        return
    for finding in findings:
        severity = click.style(f"{finding.severity}:", fg=_COLOURS[finding.severity], bold=True)
        click.echo(f"{severity} {printable(finding.message)} [{finding.code}]")
        click.echo(f"    why: {printable(finding.why)}")
        click.echo(f"    fix: {printable(finding.fix)}")
    counts = (sum(finding.severity == severity for finding in findings) for severity in SEVERITIES)
    click.echo(", ".join(f"{severity}: {count}" for severity, count in zip(SEVERITIES, counts, strict=True)))


# --- is it the same key in every process? ---------------------------------------------------------------------------


def _compare_with_another_process(info: ScriptInfo | None, state: ExtensionState) -> Iterator[Finding]:
    """Load the application once more, in another process, and compare the keys."""
    salt = secrets.token_hex(32)
    try:
        ours = key_checks.key_digest(state, salt.encode())
    except ConfigurationError as error:
        yield key_checks.not_compared(str(error))
        return
    if info is None or info.create_app is not None:
        yield key_checks.not_compared("the application was not loaded by the flask command")
        return
    try:
        theirs = _digest_of_another_process(info, salt)
    except (OSError, subprocess.SubprocessError) as error:
        yield key_checks.not_compared(f"another process could not load the application ({type(error).__name__})")
        return
    yield from key_checks.differing_keys(ours, theirs)


def _digest_of_another_process(info: ScriptInfo, salt: str) -> str:
    application = ["--app", info.app_import_path] if info.app_import_path else []
    done = subprocess.run(  # noqa: S603  # this interpreter, and the application that is loaded here as well
        [sys.executable, "-m", "flask", *application, "jwt", "key-digest"],
        env={**os.environ, SALT: salt},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    digest = _DIGEST.search(done.stdout)  # behind whatever the application prints
    if digest is None:
        raise subprocess.SubprocessError("It printed no digest")
    return digest[1].decode()


@jwt.command("key-digest", hidden=True)
def key_digest() -> None:
    """Print a salted digest of the signing key, for ``flask jwt check`` in the process above.

    Without the salt of that process there is none.
    """
    salt = os.environ.get(SALT)
    if not salt:
        raise click.UsageError("This command is for flask jwt check.")
    click.echo(f"jwt key digest: {key_checks.key_digest(current_state(), salt.encode())}")


# --- flask jwt config -----------------------------------------------------------------------------------------------


@jwt.command("config")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, by option.")
def config_command(as_json: bool) -> None:
    """Show every option and where it comes from.

    Lifetimes are in seconds; secrets are masked.
    """
    settings, app = current_state().settings, get_app()
    rows = {option.name: _row(option, settings, app) for option in OPTIONS}
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = [("option", "value", "default", "source")]
    table += [(name, _shown(row["value"]), _shown(row["default"]), row["source"]) for name, row in rows.items()]
    for line in aligned(table):
        click.echo(line)


def _row(option: Option, settings: Settings, app: Flask) -> dict[str, Any]:
    default = option.parse(option.default_for(app.config), option.name)
    value, source = getattr(settings, option.attribute), _source(option, app)
    if option.name == "JWT_SECRET_KEY" and not value and settings.flask_secret_key:
        value, source = settings.flask_secret_key, "SECRET_KEY"
    return {
        "value": _masked(option, value) if option.secret and value else _plain(value),
        "default": _plain(default),
        "source": source,
    }


def _masked(option: Option, value: Any) -> str:
    """A secret, or as much of the store's address as is none: it is shown where no doubt is left what is what."""
    if option.name != "JWT_STORE_URI":
        return MASK
    if not isinstance(value, str):
        return type(value).__name__
    uri = _URI.fullmatch(value)
    if uri is None:
        return MASK
    hidden = f"{MASK}@" if uri["user"] else "", f"?{MASK}" if uri["query"] else ""
    return f"{uri['scheme']}{hidden[0]}{uri['place']}{uri['path'] or ''}{hidden[1]}"


def _source(option: Option, app: Flask) -> str:
    if option.name not in filled_in(app):
        return "set"
    return "default" if option.default_for(app.config) == option.default else "profile"


def _plain(value: Any) -> Any:
    """A value as JSON knows it; lifetimes in seconds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (tuple, list)):
        return list(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else repr(value)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else repr(value)


# --- flask jwt inspect ----------------------------------------------------------------------------------------------


@jwt.command("inspect")
@click.argument("token")
@click.pass_context
def inspect_command(ctx: click.Context, token: str) -> None:
    """Take a token apart and check it.

    With - for TOKEN, it is read from standard input, which keeps it out of the history of the shell.

    The exit status is 1 if it would be refused.
    """
    state = current_state()
    encoded = _read(state.settings.max_token_bytes) if token == "-" else token
    now = time.time()
    inspection = inspect_token(_bare(encoded), state, now)
    for line in _report(inspection, now):
        click.echo(line)
    ctx.exit(not inspection.accepted)


def _read(max_bytes: int) -> str:
    """Read standard input: enough to see that it is too long, and no more."""
    return sys.stdin.buffer.read(max_bytes + 1024).decode("ascii", "replace")


def _bare(encoded: str) -> str:
    """A token as it may have been copied from a header."""
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
    names = [printable(_json(name)) for name in members]
    width = min(max(map(len, names), default=0), 24)
    for name, (claim, value) in zip(names, members.items(), strict=True):
        words = time_in_words(claim, value, now) if title == "claims" else None
        comment = f"  ({_clock(value)}{words})" if words else ""
        yield f"  {name.ljust(width)}  {MASK if claim == 'csrf' else printable(_json(value))}{comment}"


def _json(value: Any) -> str:
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


_OUTCOMES = {True: ("pass", "green"), False: ("FAIL", "red"), None: ("?   ", "yellow")}
