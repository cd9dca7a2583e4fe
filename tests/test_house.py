"""The layout of the package: imports point down, Flask stays above the pure parts, private modules stay private."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import flask_jwt_extended

PROJECT = Path(__file__).parent.parent
#: The layers of the package, and the imports of its files.
GRAPH: Any = SimpleNamespace(**run_path(str(PROJECT / "scripts" / "import_graph.py")))
MODULES: dict[str, Path] = {str(path.relative_to(GRAPH.PACKAGE)): path for path in GRAPH.MODULES}

#: Imports inside a function that point up: (from, to).
LAZY_AND_UP = {("_protection", "view_decorators")}
#: Everything below this layer imports neither Flask nor Werkzeug.
FIRST_WITH_FLASK = "_context"
#: The modules that may look for the current application. All others get it as an argument.
FIND_THE_APPLICATION = {"_context", "config"}
#: Import paths of 4.7 that only applications use.
LEGACY = {"internal_utils", "config", "tokens"}
#: Modules that are imported when they are first used.
OPTIONAL = [
    *("_diagnostics", "_cli", "audit", "testing", "openapi", "sockets", "_protection.socket_guard"),
    *("_protection.socketio_guard", "_protection.socket_watcher"),
    *("stores.sql", "stores.redis", "stores._deadline", "_keys.files", "_keys.jwks_client"),
]
#: The longest a function may be: in lines of code, without its docstring, comments and empty lines.
LONGEST = 25
#: The documents that may name private modules.
FOR_MAINTAINERS = ["docs/architecture.md", "CONTRIBUTING.md"]


def ups(path: Path, *, lazy: bool) -> set[tuple[str, str]]:
    """The imports that point up or to the side, of those inside functions or of the others."""
    here = GRAPH.name_of(path)
    found = {name for each in GRAPH.imports_of(path) if each.lazy is lazy for name in each.within()}
    return {(here, name) for name in found - {here} if GRAPH.layer_of(name) >= GRAPH.layer_of(here)}


def offenders(offends: Callable[[str, Any], bool]) -> set[tuple[str, str]]:
    """The imports, as (file, module), that break a rule about the importing part of the package."""
    return {
        (file, each.module)
        for file, path in MODULES.items()
        for each in GRAPH.imports_of(path)
        if offends(GRAPH.name_of(path), each)
    }


def test_every_module_has_its_layer() -> None:
    """The top of the package has at most 35 folders and modules."""
    names = {GRAPH.name_of(path) for path in MODULES.values()}
    assert names == set().union(*GRAPH.LAYERS)
    assert sum(map(len, GRAPH.LAYERS)) == len(names) <= 35


def test_imports_point_down() -> None:
    """No module imports one of the same or a higher layer, except inside a few functions."""
    assert set().union(*(ups(path, lazy=False) for path in MODULES.values())) == set()
    assert set().union(*(ups(path, lazy=True) for path in MODULES.values())) == LAZY_AND_UP


def test_the_picture_of_the_imports_is_up_to_date() -> None:
    """docs/imports.svg shows the imports of the source."""
    assert GRAPH.PICTURE.read_text() == GRAPH.picture(), "run scripts/import_graph.py"


def test_nothing_imports_the_legacy_modules() -> None:
    """Only applications use the import paths of 4.7 that the package itself does not need."""
    assert offenders(lambda name, each: name not in LEGACY and bool(each.within() & LEGACY)) == set()


def test_the_pure_parts_import_no_framework() -> None:
    """Flask and Werkzeug are imported above them."""
    lowest = GRAPH.layer_of(FIRST_WITH_FLASK)
    frameworks = ("flask", "werkzeug")
    assert not offenders(
        lambda name, each: GRAPH.layer_of(name) < lowest and each.module.partition(".")[0] in frameworks
    )


def test_one_module_finds_the_current_application() -> None:
    """All others get the application as an argument."""
    assert not offenders(lambda name, each: name not in FIND_THE_APPLICATION and "current_app" in each.names)


def test_optional_parts_are_imported_when_they_are_used() -> None:
    """An application that does not use them does not wait for their import."""
    code = "import sys, flask_jwt_extended; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "flask_jwt_extended.jwt_manager" in loaded
    assert not {f"flask_jwt_extended.{name}" for name in OPTIONAL} & set(loaded)
    assert not {"sqlalchemy", "redis", "urllib3", "click.testing", "pytest"} & set(loaded)


def test_every_ignore_has_a_code_and_a_reason() -> None:
    """A reader learns what is ignored, and why."""
    complete = re.compile(r"# (type: ignore\[[a-z, -]+\]|noqa: [A-Z]+\d+(, [A-Z]+\d+)*|ruff: noqa: [A-Z]+\d+)  # \S")
    lines = {
        f"{file}:{number}": line
        for file, path in MODULES.items()
        for number, line in enumerate(path.read_text().splitlines(), 1)
    }
    ignores = {at: line for at, line in lines.items() if re.search(r"# (type: ignore|noqa|ruff:|pyright:)", line)}
    incomplete = {at: line for at, line in ignores.items() if not complete.search(line)}
    assert incomplete == {}


def test_functions_are_short() -> None:
    """A function fits on half a screen."""
    functions = {
        (file, node.name): lines_of_code(node, path.read_text().splitlines())
        for file, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    long = {(file, name): lines for (file, name), lines in functions.items() if lines > LONGEST}
    assert long == {}


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> int:
    """The lines of its body that are not empty, a comment or its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    code = lines[body[0].lineno - 1 : function.end_lineno] if body else []
    return sum(not line.strip().startswith("#") for line in code if line.strip())


def test_private_modules_are_not_documented() -> None:
    """Documentation and examples name public modules only, except the pages for maintainers."""
    names = "|".join(sorted({part for path in MODULES for part in re.split(r"[/.]", path) if part.startswith("_")}))
    private = re.compile(rf"flask_jwt_extended[./]_(?!_)|(?<![\w./])({names})(\.py\b|/)")
    pages = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("examples/**/*.py")]
    found = {str(page.relative_to(PROJECT)): private.search(page.read_text()) for page in pages}
    assert {page: match for page, match in found.items() if match and page not in FOR_MAINTAINERS} == {}


def test_public_names() -> None:
    """``__all__`` is sorted and complete, and ``dir`` shows nothing else that is public."""
    assert sorted(flask_jwt_extended.__all__) == flask_jwt_extended.__all__
    for name in flask_jwt_extended.__all__:
        assert getattr(flask_jwt_extended, name) is not None
    public = {name for name in dir(flask_jwt_extended) if not name.startswith("_")}
    assert public == set(flask_jwt_extended.__all__)
