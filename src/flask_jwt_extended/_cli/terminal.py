"""What the commands of ``flask jwt`` share: how they print, how they fail, and how they reach the application.

Text from outside is printed as plain ASCII with control characters escaped, so that no token and no user agent can
manipulate a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import click
from flask.cli import AppGroup

from .._context import get_app, get_state
from .._state import ExtensionState
from ..exceptions import ConfigurationError, StoreUnavailableError

MASK = "********"
#: Rows that decide the widths of the columns. A table may be too long to be kept in memory.
_PAGE = 100
#: The compact form of a JWS: base64url of a JSON object, of anything, and the signature.
_TOKEN = re.compile(r"(\be[wy3][\w-]{9,}\.[\w-]*\.)[\w-]+")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class CommandGroup(AppGroup):
    """Commands that fail with one line, not a traceback, if an error's message says what to do."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. This also loads the application, whose errors are shortened too."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(printable(str(error))) from None
        except StoreUnavailableError as error:
            raise click.ClickException(printable(f"{error}: {error.reason}")) from None


def current_state() -> ExtensionState:
    """Return the state of the current application. Its store is closed when the command ends.

    :raises ConfigurationError: if there is no JWTManager, or an option has an invalid value
    """
    state = get_state(get_app())
    if state.store is not None:
        click.get_current_context().call_on_close(state.store.close)
    return state


def printable(text: str) -> str:
    """Escape everything that is not plain ASCII, and mask the signature of anything that looks like a token."""
    masked = _TOKEN.sub(r"\1" + MASK, text)
    if masked.isascii() and masked.isprintable():  # almost always; a table may have a million rows
        return masked
    return "".join(each if " " <= each <= "~" else each.encode("unicode_escape").decode() for each in masked)


def aligned(table: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lay out a table of any length as printable lines. Later cells may be wider than their column."""
    rows = (tuple(map(printable, row)) for row in table)
    page = list(islice(rows, _PAGE))
    widths = [max(map(len, column)) for column in zip(*page, strict=True)]
    for row in chain(page, rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 session``, ``2 sessions``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def echo_json(values: Any) -> None:
    """Print JSON, in one line."""
    click.echo(printable(json.dumps(values)))
