"""The layout of the package: imports point down, Flask stays above the pure parts, private modules stay private."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flask_jwt_extended

PACKAGE = Path(flask_jwt_extended.__file__).parent
PROJECT = Path(__file__).parent.parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
EACH_MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))

#: From the bottom up, by the names of folders and of modules beside them. A module imports from its own folder and from
#: the layers below.
LAYERS = [
    {"exceptions", "typing", "signals", "_removed"},
    {"_settings"},
    {"_jose", "_loaders", "stores"},
    {"_keys"},
    {"_state"},
    {"_context", "_issue"},
    {"_sessions"},
    {"_request"},
    {"_protection"},
    {"_diagnostics"},
    {"default_callbacks"},
    {"jwt_manager"},
    {"utils"},
    {"_legacy"},
    {"view_decorators", "sessions"},
    {"audit", "openapi", "sockets", "testing", "_cli", "internal_utils", "tokens"},
    {"config"},
]
#: Imports inside a function that point up: (from, to).
LAZY_AND_UP = {("_protection", "view_decorators")}
#: Everything below this layer knows neither Flask nor Werkzeug.
FIRST_WITH_FLASK = "_context"
#: The modules that may look for the current application. Everything else is handed it.
FIND_THE_APPLICATION = {"_context", "config"}
#: Import paths of 4.7 that only applications use.
LEGACY = {"internal_utils", "config", "tokens"}
#: What is imported when it is first used.
OPTIONAL = [
    *("_diagnostics", "_cli", "audit", "testing", "openapi", "sockets", "_protection.socket_guard"),
    *("stores.sql", "stores.redis", "stores._deadline", "_keys.files", "_keys.jwks_client"),
]


def layer_of(name: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if name in layer)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path, *, eager: bool = True, lazy: bool = True) -> list[tuple[str, list[str]]]:
    """The imports of a module as (absolute module, names); lazy ones are those inside functions."""
    package = ["flask_jwt_extended", *path.relative_to(PACKAGE).parts[:-1]]
    tree = ast.parse(path.read_text())
    inside = [
        node
        for each in ast.walk(tree)
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(each)
    ]
    for_types = [
        node
        for each in ast.walk(tree)
        if isinstance(each, ast.If) and "TYPE_CHECKING" in ast.dump(each.test)
        for node in ast.walk(each)
    ]
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(tree):
        if node in for_types or (node in inside and not lazy) or (node not in inside and not eager):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.Import):
            found += [(name, []) for name in names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            found.append((".".join([*above, *(node.module or "").split(".")]).rstrip("."), names))
    return found


def imported(imports: list[tuple[str, list[str]]]) -> set[str]:
    """The folders and modules of this package that are imported."""
    found = set()
    for module, names in imports:
        first, *rest = module.split(".")
        if first == "flask_jwt_extended":
            found |= {rest[0]} if rest else set(names)
    return found


def ups(path: Path, imports: list[tuple[str, list[str]]]) -> set[str]:
    here = name_of(path)
    return {name for name in imported(imports) if name != here and layer_of(name) >= layer_of(here)}


def test_every_module_has_its_layer() -> None:
    """At the top there are few enough to be seen at a glance."""
    names = {name_of(path) for path in MODULES}
    assert names == set().union(*LAYERS)
    assert len(names) <= 35


@EACH_MODULE
def test_imports_point_down(path: Path) -> None:
    """No module imports one of the same or a higher layer, when it is imported itself."""
    if layer_of(name_of(path)) > 0:
        assert not ups(path, imports_of(path, lazy=False))


@EACH_MODULE
def test_imports_inside_functions_point_down_too(path: Path) -> None:
    """But for a few."""
    here = name_of(path)
    assert {(here, name) for name in ups(path, imports_of(path, eager=False))} <= LAZY_AND_UP


@EACH_MODULE
def test_nothing_imports_the_legacy_modules(path: Path) -> None:
    """The import paths of 4.7 that nothing here needs are for applications alone."""
    if name_of(path) not in LEGACY:
        assert not imported(imports_of(path)) & LEGACY


@EACH_MODULE
def test_the_pure_parts_know_no_framework(path: Path) -> None:
    """Flask and Werkzeug are imported above them."""
    if layer_of(name_of(path)) < layer_of(FIRST_WITH_FLASK):
        assert not {module.split(".")[0] for module, _ in imports_of(path)} & {"flask", "werkzeug"}


@EACH_MODULE
def test_one_module_finds_the_current_application(path: Path) -> None:
    """Everything else is handed the application."""
    if name_of(path) not in FIND_THE_APPLICATION:
        assert not any("current_app" in names for _, names in imports_of(path))


def test_optional_parts_are_imported_when_they_are_used() -> None:
    """An application that does not use them does not pay for them."""
    code = "import sys, flask_jwt_extended; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "flask_jwt_extended.jwt_manager" in loaded
    assert not {f"flask_jwt_extended.{name}" for name in OPTIONAL} & set(loaded)
    assert not {"sqlalchemy", "redis", "urllib3", "click.testing", "pytest"} & set(loaded)


@pytest.mark.parametrize(
    "path",
    sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md"), *PROJECT.glob("examples/**/*.py")]),
    ids=lambda path: path.name,
)
def test_private_modules_are_not_documented(path: Path) -> None:
    """Documentation and examples name public modules alone. The page for maintainers is about the others."""
    if path.name != "architecture.md":
        assert "flask_jwt_extended._" not in path.read_text()


def test_public_names() -> None:
    """``__all__`` holds 4.7's names and the new ones, sorted; ``dir`` shows them and public modules."""
    assert sorted(flask_jwt_extended.__all__) == flask_jwt_extended.__all__
    for name in flask_jwt_extended.__all__:
        assert getattr(flask_jwt_extended, name) is not None
    public = {name for name in dir(flask_jwt_extended) if not name.startswith("_")}
    assert public == set(flask_jwt_extended.__all__)
