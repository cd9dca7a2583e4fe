"""``flask jwt config``: every option, its value and where it comes from. Secrets are masked."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext

from .._context import filled_in, get_app
from .._settings.options import OPTIONS, Option
from .._settings.settings import Settings
from .terminal import MASK, aligned, current_state

#: A URI whose parts are unambiguous: user, host, path and query.
_URI = re.compile(
    r"(?P<scheme>[\w+.-]+://)(?P<user>[^@/?#]*@)?(?P<place>[\w.-]*(:\d+)?(,[\w.-]+(:\d+)?)*|\[[\da-fA-F:.]+\](:\d+)?)"
    r"(?P<path>/[^@?#]*)?(?P<query>\?[^@]*)?"
)


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object, by option.")
@with_appcontext
def config_command(as_json: bool) -> None:
    """Show every option and where its value comes from.

    Lifetimes are in seconds. Secrets are masked.
    """
    settings, app = current_state().settings, get_app()
    rows = {option.name: _row(option, settings, app) for option in OPTIONS}
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = [("option", "value", "default", "source")]
    table += [(name, _text(row["value"]), _text(row["default"]), row["source"]) for name, row in rows.items()]
    for line in aligned(table):
        click.echo(line)


def _row(option: Option, settings: Settings, app: Flask) -> dict[str, Any]:
    default = option.parse(option.default_for(app.config), option.name)
    value, source = getattr(settings, option.attribute), _source(option, app)
    if option.name == "JWT_SECRET_KEY" and not value and settings.flask_secret_key:
        value, source = settings.flask_secret_key, "SECRET_KEY"
    return {
        "value": masked(option.name, value) if option.secret and value else _as_json(value),
        "default": _as_json(default),
        "source": source,
    }


def masked(name: str, value: Any) -> str:
    """Mask a secret. Of the store's URI, the parts that are certainly not secret stay readable."""
    if name != "JWT_STORE_URI":
        return MASK
    if not isinstance(value, str):
        return type(value).__name__
    uri = _URI.fullmatch(value)
    if uri is None:
        return MASK
    user, query = f"{MASK}@" if uri["user"] else "", f"?{MASK}" if uri["query"] else ""
    return f"{uri['scheme']}{user}{uri['place']}{uri['path'] or ''}{query}"


def _source(option: Option, app: Flask) -> str:
    if option.name not in filled_in(app):
        return "set"
    return "default" if option.default_for(app.config) == option.default else "profile"


def _as_json(value: Any) -> Any:
    """A value that JSON can represent; lifetimes in seconds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (tuple, list)):
        return list(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else repr(value)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) and value else repr(value)
