"""``flask jwt routes``: every rule of the application with what it demands, for people and for CI."""

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
from .terminal import aligned, printable


@click.command("routes")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, to keep as a snapshot.")
@click.option("--fail-on-unprotected", is_flag=True, help="Exit with 1 if a view is none or below.")
@click.option(
    "--snapshot",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with what --json printed before; exit with 1 if it differs.",
)
@click.pass_context
@with_appcontext
def routes_command(ctx: click.Context, as_json: bool, fail_on_unprotected: bool, snapshot: Path | None) -> None:
    """List every rule with what it demands of a token.

    Views are protected by a decorator, by default (protect) or by a before_request function (hook). They are public by
    declaration (exempt) or because nothing protects them (none). Those whose @jwt_required() stands below another
    decorator (below) may be public.
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
    rows = [(each.method, each.rule, each.guard, each.demands, each.endpoint) for each in found]
    for line in aligned([("method", "rule", "guard", "demands", "endpoint"), *rows]):
        click.echo(line)
    for note in dict.fromkeys(f"{each.rule}: {each.note}" for each in found if each.note):
        click.echo(printable(f"warning: {note}"))
    unprotected = sum(route.is_unprotected for route in found)
    click.echo(f"{len(found)} routes, {unprotected} unprotected")


def _differs(found: list[Route], snapshot: Path) -> bool:
    """Print what has changed since a snapshot was taken, and tell whether anything has.

    :raises ConfigurationError: if the file is no snapshot
    """
    try:
        before = [Route(**each) for each in json.loads(snapshot.read_bytes())]
    except (ValueError, TypeError, OSError):
        raise ConfigurationError(f"{snapshot} is no snapshot: flask jwt routes --json makes one") from None
    old, new = (list(map(_line, sorted(each))) for each in (before, found))
    changes: list[Any] = list(unified_diff(old, new, str(snapshot), "now", n=0, lineterm=""))
    for line in changes:
        click.echo(printable(line))
    return bool(changes)


def _line(route: Route) -> str:
    return f"{route.method} {route.rule} ({route.endpoint}): {route.guard}, {route.demands}"
