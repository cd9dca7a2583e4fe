"""The table as a picture: an SVG of small bar charts, one for each case, light or dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .figures import measured
from .peers import SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .figures import Figure, Row
    from .rounds import Run

COLUMNS = 4  # as many as algorithms: a line of charts is a group of the table
CARD = 325
LABEL = 108
BAR = 80
LINE = 18
CARD_HEIGHT = 40 + LINE * len(SUBJECTS)
MARGIN = 24
HEAD = 76

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: 600 }
.case { font-weight: 600 }
.note, .other { fill: #57606a }
.page { fill: #ffffff }
.track { fill: #eaeef2 }
.bar { fill: #8c959f }
.bar.package { fill: #0969da }
.bar.upstream { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note, .other { fill: #9198a1 }
  .page { fill: #0d1117 }
  .track { fill: #21262d }
  .bar { fill: #6e7681 }
  .bar.package { fill: #4493f8 }
  .bar.upstream { fill: #db6d28 }
}
"""


def svg(run: Run) -> str:
    """Draw the rows of the table, but for whole views: what their protection costs says more."""
    rows = {row: figures for row, figures in measured(run).items() if not row.views}
    order = sorted(rows, key=lambda row: not row.group)
    lines = -(-len(rows) // COLUMNS)
    width, height = 2 * MARGIN + COLUMNS * CARD, HEAD + lines * CARD_HEIGHT + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img" aria-labelledby="title">',
            '<title id="title">Time per call of five ways to handle JSON Web Tokens</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height}"/>',
            *_heading(run),
            *(part for index, row in enumerate(order) for part in _card(index, row, rows[row])),
            "</svg>\n",
        ]
    )


def _heading(run: Run) -> Iterator[str]:
    yield _text(MARGIN, 34, "Time per call, in microseconds", "title")
    note = f"Shorter is better; each chart has its own scale. Median of {run.rounds} rounds."
    yield _text(MARGIN, 54, note, "note")


def _card(index: int, row: Row, figures: Mapping[str, Figure]) -> Iterator[str]:
    down, across = divmod(index, COLUMNS)
    left, top = MARGIN + across * CARD, HEAD + down * CARD_HEIGHT
    yield _text(left, top + 14, f"{row.group}, {row.title}" if row.group else row.title, "case")
    longest = max(figure.median for figure in figures.values())
    shown = [subject for subject in SUBJECTS if subject.name in figures]
    for line, subject in enumerate(shown):
        figure = figures[subject.name]
        y = top + 22 + line * LINE
        length = max(1.0, BAR * figure.median / longest)
        yield _text(left, y + 12, subject.label, "" if line == 0 else "other")
        yield _bar(left + LABEL, y, BAR, "track")
        yield _bar(left + LABEL, y, length, f"bar {subject.name}")
        yield _text(left + LABEL + BAR + 8, y + 12, _amount(figure), "" if line == 0 else "other")


def _amount(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f" ({figure.ratio:.2f}x)"
    return f"{figure.median:,.1f}{ratio}"


def _text(x: float, y: float, text: str, role: str) -> str:
    return f'<text class="{role}" x="{x}" y="{y}">{escape(text)}</text>'


def _bar(x: float, y: float, length: float, role: str) -> str:
    size = f'width="{length:.1f}" height="{LINE - 5}"'
    return f'<rect class="{role}" x="{x}" y="{y + 2}" {size} rx="2"/>'
