"""What the commands of ``flask jwt`` share: how they print, how they fail, and how they reach the application.

Everything that may come from outside is printed as plain ASCII with control characters escaped, so that no token and no
user agent can play tricks on a terminal. Knows no command.
"""

from __future__ import annotations

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
#: Rows that tell how wide the columns of a table are: it may be too long to be kept.
_PAGE = 100
#: The compact form of a JWS: base64url of a JSON object, of anything, and the signature.
_TOKEN = re.compile(r"(\be[wy3][\w-]{9,}\.[\w-]*\.)[\w-]+")


class CommandGroup(AppGroup):
    """Commands that end in one line instead of a traceback where the message of an error says what to do."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Its application is loaded in here, so what that raises is told in one line too."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(printable(str(error))) from None
        except StoreUnavailableError as error:
            raise click.ClickException(printable(f"{error}: {error.reason}")) from None


def current_state() -> ExtensionState:
    """Return what requests of the application share. When the command ends, its store lets go of all connections.

    :raises ConfigurationError: if there is no JWTManager, or an option has a value that cannot work
    """
    state = get_state(get_app())
    if state.store is not None:
        click.get_current_context().call_on_close(state.store.close)
    return state


def printable(text: str) -> str:
    """Escape everything that is not plain ASCII, and cut the signature off whatever looks like a token."""
    masked = _TOKEN.sub(r"\1" + MASK, text)
    if masked.isascii() and masked.isprintable():  # as good as always, in a table of a million rows too
        return masked
    return "".join(each if " " <= each <= "~" else each.encode("unicode_escape").decode() for each in masked)


def aligned(table: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Lay out a table, of any length, as printable lines. A cell that is wider than the first ones juts out."""
    rows = (tuple(map(printable, row)) for row in table)
    page = list(islice(rows, _PAGE))
    widths = [max(map(len, column)) for column in zip(*page, strict=True)]
    for row in chain(page, rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
