"""Draw docs/imports.svg: which folders and top-level modules of the package import which.

python scripts/import_graph.py          draw it
python scripts/import_graph.py --check  fail if it is not up to date

An arrow that follows from two or more others is left out. tests/test_house.py checks the rule that the picture shows.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "src" / "flask_jwt_extended"
PICTURE = PROJECT / "docs" / "imports.svg"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

#: From the bottom up, by the names of folders and of modules beside them. A module imports from its own folder and from
#: the layers below.
LAYERS = [
    {"typing", "signals", "_removed"},
    {"exceptions"},
    {"_settings"},
    {"_jose", "_loaders", "stores"},
    {"_keys"},
    {"_state"},
    {"_context", "_issue"},
    {"_sessions"},
    {"_request"},
    {"_protection"},
    {"_diagnostics"},
    {"default_callbacks", "_setup"},
    {"_legacy_manager"},
    {"jwt_manager"},
    {"utils"},
    {"_legacy"},
    {"view_decorators", "sessions"},
    {"audit", "openapi", "sockets", "testing", "_cli", "internal_utils", "tokens"},
    {"config"},
]

# --- imports ----------------------------------------------------------------------------------------------------------


class Import(NamedTuple):
    """One import statement: the module, in full, and the names that are imported from it.

    :ivar lazy: whether it is inside a function
    """

    module: str
    names: tuple[str, ...]
    lazy: bool

    def within(self) -> set[str]:
        """Return the folders and top-level modules of the package that it imports."""
        package, *path = self.module.split(".")
        if package != PACKAGE.name:
            return set()
        return {path[0]} if path else set(self.names)


def name_of(path: Path) -> str:
    """Return the folder or top-level module that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(name: str) -> int:
    """Return the number of the layer, from the bottom up."""
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


@cache
def imports_of(path: Path) -> list[Import]:
    """Return the imports of a file, without those for type checkers."""
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parts[:-1]]
    return list(_imports_in(ast.parse(path.read_text()), package, lazy=False))


def _imports_in(node: ast.AST, package: list[str], *, lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, (), lazy) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        yield Import(module, tuple(alias.name for alias in node.names), lazy)
    elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        lazy = lazy or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            yield from _imports_in(child, package, lazy=lazy)


def graph() -> dict[str, set[str]]:
    """Return what each folder and top-level module imports."""
    found: dict[str, set[str]] = {name: set() for name in sorted(set().union(*LAYERS))}
    for path in MODULES:
        found[name_of(path)].update(*(each.within() for each in imports_of(path)))
    return {name: others - {name} for name, others in found.items()}


# --- the picture ------------------------------------------------------------------------------------------------------

WIDTH, ROW, HEIGHT, CHARACTER, GAP = 860, 58, 26, 7.6, 26
STYLE = """
    text { fill: #24292f } .box { fill: #ddf4ff; stroke: #0969da } .private { fill: #f6f8fa; stroke: #8c959f }
    .edge { stroke: #57606a; fill: none; opacity: .7 }
    .up { stroke: #bc4c00; stroke-dasharray: 5 4 } .tip { fill: #57606a }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .box { fill: #0c2d6b; stroke: #58a6ff } .private { fill: #21262d; stroke: #8b949e }
      .edge { stroke: #9da7b3 } .up { stroke: #f0883e } .tip { fill: #9da7b3 }
    }"""
DESCRIPTION = (
    "The folders and modules of the package in layers, with an arrow from each to those that it imports. An arrow that "
    "follows from others is left out. All arrows point down, except dashed ones: imports inside functions."
)

Edge = tuple[str, str]


class Spot(NamedTuple):
    """A place in a layer: the box of a name, or where the arrow between two names passes."""

    layer: int
    name: str
    towards: str = ""

    @property
    def width(self) -> float:
        """In units of the picture."""
        return 8 if self.towards else CHARACTER * len(self.name) + 18

    @property
    def top(self) -> float:
        """Its upper edge, from the top of the picture."""
        return (len(LAYERS) - 1 - self.layer) * ROW + (ROW - HEIGHT) / 2


def picture() -> str:
    """Return the drawing."""
    imports = graph()
    edges = [(name, other) for name in imports for other in sorted(imports[name])]
    down = [edge for edge in edges if layer_of(edge[0]) > layer_of(edge[1])]
    ways = [_way(edge) for edge in down if not _follows(edge, down)]
    x = _arrange(ways)
    drawn = [
        *(_draw_arrow(way, x) for way in ways),
        *(_draw_arrow_up(edge, x) for edge in edges if edge not in down),
        *(_draw_box(_box(name), x) for name in imports),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {ROW * len(LAYERS)}" role="img" '
        'aria-labelledby="title text" font-family="ui-monospace, monospace" font-size="12.5">\n'
        '  <title id="title">What imports what</title>\n'
        f'  <desc id="text">{DESCRIPTION}</desc>\n  <style>{STYLE}\n  </style>\n  ' + "\n  ".join(drawn) + "\n</svg>\n"
    )


def _follows(edge: Edge, edges: list[Edge]) -> bool:
    """Return whether other arrows lead from one end of an arrow to the other."""
    reached = new = {edge[0]}
    while new:
        new = {b for a, b in edges if a in new and (a, b) != edge} - reached
        reached = reached | new
    return edge[1] in reached


def _box(name: str) -> Spot:
    return Spot(layer_of(name), name)


def _way(edge: Edge) -> list[Spot]:
    """Return the spots of an arrow: its ends, and one in every layer between them."""
    start, end = map(_box, edge)
    return [start, *(Spot(layer, *edge) for layer in range(start.layer - 1, end.layer, -1)), end]


def _arrange(ways: list[list[Spot]]) -> dict[Spot, float]:
    """Return the centre of each spot, in an order of each layer in which few arrows cross."""
    rows = [[_box(name) for name in sorted(layer)] for layer in LAYERS]
    neighbours: dict[Spot, list[Spot]] = {spot: [] for row in rows for spot in row}
    for way in ways:
        for spot in way[1:-1]:
            rows[spot.layer].append(spot)
        for one, other in pairwise(way):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    x = {spot: at for row in rows for spot, at in _spread(row).items()}
    for _ in range(10):
        for row in [*reversed(rows), *rows]:
            row.sort(key=lambda spot: sum(x[each] for each in neighbours[spot]) / max(1, len(neighbours[spot])))
            x |= _spread(row)
    return x


def _spread(row: list[Spot]) -> dict[Spot, float]:
    """Return the centres of the spots of a layer, side by side in the middle of the picture."""
    left, found = (WIDTH - sum(spot.width + GAP for spot in row) + GAP) / 2, {}
    for spot in row:
        found[spot] = round(left + spot.width / 2, 1)
        left += spot.width + GAP
    return found


def _draw_arrow(way: list[Spot], x: dict[Spot, float]) -> str:
    """Draw a curve from the lower edge of the first box, through all spots, to the last box."""
    y = way[0].top + HEIGHT
    path = f"M{x[way[0]]} {y}"
    for one, other in pairwise(way):
        middle = (y + other.top) / 2
        path += f" C{x[one]} {middle} {x[other]} {middle} {x[other]} {other.top}"
        y = other.top + HEIGHT
        if other.towards:
            path += f" V{y}"
    tip = f'<path class="tip" d="M{x[way[-1]]} {way[-1].top} l-3.5 -8 h7 z"/>'
    return f'<path class="edge" d="{path}"/>{tip}'


def _draw_arrow_up(edge: Edge, x: dict[Spot, float]) -> str:
    """Draw a curve on the left of the boxes."""
    start, end = map(_box, edge)
    (x1, y1), (x2, y2) = ((round(x[each] - each.width / 2, 1), each.top + HEIGHT / 2) for each in (start, end))
    path = f"M{x1} {y1} C{min(x1, x2) - 110} {y1} {min(x1, x2) - 110} {y2} {x2} {y2}"
    return f'<path class="edge up" d="{path}"/><path class="tip" d="M{x2} {y2} l-8 -3.5 v7 z"/>'


def _draw_box(spot: Spot, x: dict[Spot, float]) -> str:
    style = "private" if spot.name.startswith("_") else "box"
    left = round(x[spot] - spot.width / 2, 1)
    return (
        f'<rect class="{style}" x="{left}" y="{spot.top}" width="{round(spot.width, 1)}" height="{HEIGHT}" rx="5"/>'
        f'<text x="{x[spot]}" y="{spot.top + 17}" text-anchor="middle">{spot.name}</text>'
    )


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if PICTURE.read_text() == picture() else f"{PICTURE.name} is not up to date: run {Path(__file__).name}"
        )
    PICTURE.write_text(picture())
