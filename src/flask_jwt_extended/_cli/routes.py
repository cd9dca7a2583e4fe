"""``flask jwt routes``: what each route requires, for people and for CI."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from .._context import get_app
from .._diagnostics.routes import Route, routes
from ..exceptions import ConfigurationError
from .terminal import aligned, counted, printable


@click.command("routes")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, which can be saved as a snapshot.")
@click.option("--fail-on-unprotected", is_flag=True, help="Exit with 1 if a guard is none or below.")
@click.option(
    "--snapshot",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with a file that --json printed; exit with 1 if they differ.",
)
@click.pass_context
@with_appcontext
def routes_command(ctx: click.Context, as_json: bool, fail_on_unprotected: bool, snapshot: Path | None) -> None:
    """List what each route requires of a token.

    The guard is what protects the view: a decorator, the default (protect) or a before_request function (hook). Views
    without one are declared public (exempt) or unprotected (none). A guard of "below" means that another decorator is
    above @jwt_required() and may answer first.
    """
    found = routes(get_app())
    if snapshot is not None:
        ctx.exit(_differs(found, snapshot))
    if as_json:
        click.echo(_as_json(found))
    else:
        _print(found)
    ctx.exit(fail_on_unprotected and any(route.is_unprotected for route in found))


def _as_json(found: list[Route]) -> str:
    return "[\n" + ",\n".join(printable(json.dumps(route._asdict())) for route in found) + "\n]"


def _print(found: list[Route]) -> None:
    rows = [(each.method, each.rule, each.guard, each.requirements, each.endpoint) for each in found]
    for line in aligned([("method", "rule", "guard", "requires", "endpoint"), *rows]):
        click.echo(line)
    for note in dict.fromkeys(f"{each.rule}: {each.note}" for each in found if each.note):
        click.echo(printable(f"warning: {note}"))
    unprotected = sum(route.is_unprotected for route in found)
    click.echo(f"{counted(len(found), 'route')}, {unprotected} unprotected")


def _differs(found: list[Route], snapshot: Path) -> bool:
    """Print the differences from a snapshot, and return whether there are any.

    :raises ConfigurationError: if the file is not a snapshot
    """
    try:
        before = [Route(**each) for each in json.loads(snapshot.read_bytes())]
    except (ValueError, TypeError, OSError):
        raise ConfigurationError(f"{snapshot} is not a snapshot: flask jwt routes --json makes one") from None
    old, new = (list(map(_line, sorted(each))) for each in (before, found))
    changes: list[Any] = list(unified_diff(old, new, str(snapshot), "now", n=0, lineterm=""))
    for line in changes:
        click.echo(printable(line))
    return bool(changes)


def _line(route: Route) -> str:
    return f"{route.method} {route.rule} ({route.endpoint}): {route.guard}, {route.requirements}"
