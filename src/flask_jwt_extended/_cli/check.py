"""``flask jwt check``: print what :mod:`flask_jwt_extended._diagnostics` finds."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict

import click
from flask import Flask
from flask.cli import ScriptInfo, with_appcontext

from .._context import filled_in, get_app
from .._diagnostics.application import check
from .._diagnostics.findings import finding
from .._diagnostics.key_digest import key_digest
from .._diagnostics.strict import what_changes
from .._state import ExtensionState
from ..exceptions import ConfigurationError
from ..stores.findings import SEVERITIES, Finding
from .terminal import current_state, printable

#: The environment variable that gives another process the salt of its digest. Not called ``FLASK_*``, because
#: applications may take their configuration from such names.
SALT = "JWT_KEY_DIGEST_SALT"
_DIGEST = re.compile(rb"^jwt key digest: ([0-9a-f]{64})\r?$", re.MULTILINE)
#: Seconds that another process may take to load the application.
LOAD_TIMEOUT = 60

_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--preview-strict", is_flag=True, help='Show what JWT_PROFILE = "strict" would change instead.')
@click.pass_context
@with_appcontext
def check_command(ctx: click.Context, as_json: bool, strict: bool, preview_strict: bool) -> None:
    """Look for mistakes and weak settings.

    Loads the application a second time, to see whether its key stays the same.

    The exit status is 1 if there is an error.
    """
    app = get_app()
    try:
        state = current_state()
    except ConfigurationError as error:
        found = [finding("configuration", error=error)]
    else:
        found = _preview(app, state) if preview_strict else _findings(app, state, ctx.find_object(ScriptInfo))
    found.sort(key=lambda each: SEVERITIES.index(each.severity))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        _print(found)
    fatal = {"error", "warning"} if strict else {"error"}
    ctx.exit(any(each.severity in fatal for each in found))


def _preview(app: Flask, state: ExtensionState) -> list[Finding]:
    return list(what_changes(app, state, filled_in(app)))


def _findings(app: Flask, state: ExtensionState, info: ScriptInfo | None) -> list[Finding]:
    found = list(check(app, state))
    if not any(each.code in ("missing_key", "unusable_key", "unusable_keys") for each in found):
        found += _compare_with_another_process(info, state)
    return found


def _print(found: list[Finding]) -> None:
    if not found:
        click.echo("No problems found.")
        return
    for each in found:
        severity = click.style(f"{each.severity}:", fg=_COLOURS[each.severity], bold=True)
        click.echo(f"{severity} {printable(each.message)} [{each.code}]")
        click.echo(f"    why: {printable(each.why)}")
        click.echo(f"    fix: {printable(each.fix)}")
    counts = (sum(each.severity == severity for each in found) for severity in SEVERITIES)
    click.echo(", ".join(f"{severity}: {count}" for severity, count in zip(SEVERITIES, counts, strict=True)))


# --- is the key the same in every process? --------------------------------------------------------------------------


def _compare_with_another_process(info: ScriptInfo | None, state: ExtensionState) -> Iterator[Finding]:
    """Load the application once more, in another process, and compare the keys."""
    salt = secrets.token_hex(32)
    try:
        ours = key_digest(state, salt.encode())
        theirs = _digest_of_another_process(info, salt)
    except ConfigurationError as error:
        yield finding("key_not_compared", reason=error)
    except (OSError, subprocess.SubprocessError) as error:
        reason = f"another process could not load the application ({type(error).__name__})"
        yield finding("key_not_compared", reason=reason)
    else:
        if ours != theirs:
            yield finding("key_differs")


def _digest_of_another_process(info: ScriptInfo | None, salt: str) -> str:
    if info is None or info.create_app is not None:
        raise ConfigurationError("the application was not loaded by the flask command")
    application = ["--app", info.app_import_path] if info.app_import_path else []
    done = subprocess.run(  # noqa: S603  # this interpreter, and the application that is loaded here as well
        [sys.executable, "-m", "flask", *application, "jwt", "key-digest"],
        env={**os.environ, SALT: salt},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LOAD_TIMEOUT,
        check=True,
    )
    digest = _DIGEST.search(done.stdout)  # after anything that the application prints
    if digest is None:
        raise subprocess.SubprocessError("It printed no digest")
    return digest[1].decode()


@click.command("key-digest", hidden=True)
@with_appcontext
def key_digest_command() -> None:
    """Print a salted digest of the signing key, for ``flask jwt check`` in the parent process."""
    salt = os.environ.get(SALT)
    if not salt:
        raise click.UsageError("Only flask jwt check runs this command.")
    click.echo(f"jwt key digest: {key_digest(current_state(), salt.encode())}")
