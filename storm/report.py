"""How a storm is shown: a row for each engine, printed and written into docs/sessions.md.

It must not know how anything was measured.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .losses import Losses
from .races import Round

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sessions.md"
_BEGIN, _END = "<!-- storm -->\n", "<!-- /storm -->"
#: What a cell says where there is nothing to measure.
_NOTHING = "-"
_HEADINGS = (
    "store",
    "winners per round of {sizes}",
    "refused",
    "slowest of {most}",
    "acknowledged writes lost by `kill -9`",
    "slowest answer while hung",
    "recovered after `SIGCONT`",
    "after a restart",
)


@dataclass
class Row:
    """What was measured of an engine.

    :ivar title: what the table calls it
    :ivar races: the rounds, by how many exchanged
    :ivar losses: what was lost; ``None``: there is nothing to lose
    :ivar hung: the slowest answer while it hung, in units of JWT_STORE_TIMEOUT; ``None``: it cannot
    :ivar continued: seconds from its going on to the first good answer
    :ivar restarted: seconds from its being up again to the first good answer
    :ivar faults: promises that were broken, in words
    """

    title: str
    races: dict[int, list[Round]] = field(default_factory=dict)
    losses: Losses | None = None
    hung: float | None = None
    continued: float | None = None
    restarted: float | None = None
    faults: list[str] = field(default_factory=list)

    @property
    def cells(self) -> Sequence[str]:
        """The row of the table."""
        most = self.races[max(self.races)]
        return (
            self.title,
            " / ".join(_range(each.winners for each in rounds) for rounds in self.races.values()),
            str(sum(each.refused for rounds in self.races.values() for each in rounds)),
            f"{max(each.slowest for each in most):.2f} s",
            _NOTHING if self.losses is None else f"{self.losses.lost:,} of {self.losses.acknowledged:,}",
            _NOTHING if self.hung is None else f"{self.hung:.2f} timeouts",
            _seconds(self.continued),
            _seconds(self.restarted),
        )


def _range(counts: Iterable[int]) -> str:
    """What all rounds have in common, or the least and the most."""
    different = sorted(set(counts))
    return str(different[0]) if len(different) == 1 else f"{different[0]}…{different[-1]}"


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} s"


def markdown(rows: Sequence[Row], *, note: str) -> str:
    """Return the table, and how it was measured."""
    sizes = list(rows[0].races)
    words: Mapping[str, object] = {"sizes": " / ".join(map(str, sizes)), "most": max(sizes)}
    lines = [[heading.format_map(words) for heading in _HEADINGS], ["---"] * len(_HEADINGS)]
    lines += [list(row.cells) for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs."
    return f"{table}\n\n{note} {machine}\n"


def write(text: str) -> None:
    """Put the table where docs/sessions.md wants it."""
    before, rest = PAGE.read_text(encoding="utf-8").split(_BEGIN)
    _, after = rest.split(_END)
    PAGE.write_text(before + _BEGIN + text + _END + after, encoding="utf-8")
