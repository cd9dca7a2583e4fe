"""The house stays as it was drawn: imports point down, Flask stays at the door, public names are documented ones."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import flask_jwt_extended

PACKAGE = Path(flask_jwt_extended.__file__).parent

#: From the ground up. A module may import from its own floor's folder and from the floors below.
FLOORS = [
    {
        "settings",
        "parsers",
        "exceptions",
        "typing",
        "signals",
        "findings",
        "issuers",
        "cookie_rules",
        "redaction",
        "removed",
    },
    {"core", "loaders"},
    {"http", "sessions", "keyfiles", "marks", "_context"},
    {"keychain", "foreign"},
    {"runtime"},
    {"issuing", "admission", "words"},
    {"pipeline", "lifecycle"},
    {"key_checks", "token_checks"},
    {"audit"},
    {"checks", "inspection"},
    {"moving"},
    {"default_callbacks"},
    {"jwt_manager"},
    {"socket_guard"},
    {"utils"},
    {"_legacy"},
    {"view_decorators", "session_utils", "terminal"},
    {"session_cli", "keys_cli", "routes_cli", "protection", "openapi", "sockets", "testing"},
    {"cli"},
    {"internal_utils"},
    {"config", "tokens"},
]
LEGACY = {"internal_utils", "config", "tokens"}
ENTRY = {"_context", "default_callbacks", "utils", "view_decorators", "session_utils", "cli", "testing"}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, list[str]]]:
    """Every import of a module as (absolute module, names)."""
    package = ["flask_jwt_extended", *path.relative_to(PACKAGE).parts[:-1]]
    found: list[tuple[str, list[str]]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        if isinstance(node, ast.Import):
            found += [(name, []) for name in names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            found.append((".".join([*above, *(node.module or "").split(".")]).rstrip("."), names))
    return found


def rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for module, names in imports_of(path):
        first, *rest = module.split(".")
        if first == "flask_jwt_extended":
            rooms |= {rest[0]} if rest else set(names)
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """No module imports one that stands above it."""
    here = room_of(path)
    upward = {room for room in rooms_imported(path) if room != here and floor_of(room) >= floor_of(here) > 0}
    assert not upward, f"{here} imports {upward}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_inside_imports_the_legacy_modules(path: Path) -> None:
    """The kept import paths of 4.7 are for applications alone."""
    if room_of(path) not in LEGACY:
        assert not rooms_imported(path) & LEGACY


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_domain_knows_no_framework(path: Path) -> None:
    """Below http/ nothing imports Flask or Werkzeug, but for the types of annotations."""
    if floor_of(room_of(path)) < floor_of("http"):
        typed = path.name == "typing.py"  # behind TYPE_CHECKING
        frameworks = {module.split(".")[0] for module, _ in imports_of(path)} & {"flask", "werkzeug"}
        assert not frameworks or typed


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_entry_modules_look_for_the_current_application(path: Path) -> None:
    """Everything else is handed the application."""
    if room_of(path) not in ENTRY | LEGACY:
        assert not any("current_app" in names for _, names in imports_of(path))


def test_public_names() -> None:
    """``__all__`` is 4.7's names, those of sessions and keys, of what a token may do, and the error with the fix."""
    assert sorted(flask_jwt_extended.__all__) == flask_jwt_extended.__all__
    assert set(flask_jwt_extended.__all__) == {
        "ConfigurationError",
        "JWTConfigWarning",
        "JWTManager",
        "SessionInfo",
        "TokenPair",
        "all_of",
        "create_access_token",
        "create_refresh_token",
        "create_token",
        "current_user",
        "decode_token",
        "end_all_sessions",
        "end_session",
        "get_csrf_token",
        "get_current_user",
        "get_jti",
        "get_jwt",
        "get_jwt_header",
        "get_jwt_identity",
        "get_jwt_request_location",
        "get_unverified_jwt_headers",
        "has_scope",
        "jwt_exempt",
        "jwt_required",
        "key_ring",
        "list_sessions",
        "refresh_expiring_cookies",
        "refresh_session",
        "revoke_token",
        "set_access_cookies",
        "set_refresh_cookies",
        "set_session_cookies",
        "start_session",
        "unset_access_cookies",
        "unset_jwt_cookies",
        "unset_refresh_cookies",
        "verify_jwt_in_request",
    }
