"""``flask jwt check``: its exit statuses, what it prints, and the comparison of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended._cli.check import SALT

from ..conftest import SECRET, MakeApp
from .helpers import BARE_VIEW, FIXED, RANDOM, run, run_flask, run_module, write


def test_an_error_makes_the_exit_status_one(make_app: MakeApp) -> None:
    """Continuous integration fails on a well-known secret."""
    result = run(make_app(SECRET_KEY="changeme"), "check")
    assert result.exit_code == 1
    first, why, fix, *_ = result.stdout.splitlines()
    assert first.startswith("error: ")
    assert first.endswith("[guessable_secret]")
    assert why.startswith("    why: ")
    assert fix.startswith("    fix: ")
    assert result.stdout.splitlines()[-1] == "error: 1, warning: 1, info: 2"


@pytest.mark.parametrize(
    ("options", "arguments", "status"),
    [
        ({"PROFILE": "strict"}, ["--strict"], 0),
        ({"ACCESS_TOKEN_EXPIRES": False}, [], 0),
        ({"ACCESS_TOKEN_EXPIRES": False}, ["--strict"], 1),
        ({"ACCESS_TOKEN_EXPIRES": False}, ["--strict", "--json"], 1),
        ({"SECRET_KEY": None}, ["--json"], 1),
        ({}, ["--unknown"], 2),
    ],
)
def test_exit_statuses(make_app: MakeApp, options: dict[str, Any], arguments: list[str], status: int) -> None:
    """0: no error. 1: an error, or with --strict a warning. 2: wrong usage."""
    assert run(make_app(**options), "check", *arguments).exit_code == status


def test_findings_as_json(make_app: MakeApp) -> None:
    """One object per finding, the most severe first."""
    found = json.loads(run(make_app(SECRET_KEY=None, ACCESS_TOKEN_EXPIRES=False), "check", "--json").stdout)
    assert [finding["severity"] for finding in found] == ["error", "warning", "info"]
    assert all(set(finding) == {"severity", "code", "message", "why", "fix"} for finding in found)


def test_an_application_without_the_extension_is_reported() -> None:
    """Every command says what to do, without a traceback."""
    app = Flask("bare")
    for arguments in (["check"], ["config"], ["inspect", "a.b.c"]):
        result = run(app, *arguments)
        assert result.exit_code == 1
        assert "JWTManager(app)" in result.output


def test_an_application_object_is_not_loaded_twice(make_app: MakeApp) -> None:
    """Without an import path, the keys are not compared, and the command reports that."""
    (finding,) = json.loads(run(make_app(PROFILE="strict"), "check", "--json").stdout)
    assert (finding["severity"], finding["code"]) == ("info", "key_not_compared")
    assert finding["message"].endswith("the application was not loaded by the flask command")


def test_a_key_chosen_by_a_loader_is_not_compared(make_app: MakeApp) -> None:
    """The key of ``encode_key_loader`` belongs to an identity."""
    app = make_app(PROFILE="strict")
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)
    result = run(app, "check")
    assert result.exit_code == 0
    assert "encode_key_loader chooses the key" in result.stdout


# --- the same key in every process ------------------------------------------------------------------------------------


def test_a_clean_application_prints_one_line(tmp_path: Path) -> None:
    """``flask --app shop jwt check`` as a process, on an application with nothing wrong."""
    done = run_flask(tmp_path, "--app", write(tmp_path, FIXED), "jwt", "check", "--strict")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No problems found.\n", "")


def test_a_key_made_at_import_is_found_behind_flask_app(tmp_path: Path) -> None:
    """As a process, with the application named by the environment."""
    write(tmp_path, f"{RANDOM}{BARE_VIEW}print('loaded')\n")
    done = run_flask(tmp_path, "jwt", "check", "--json", FLASK_APP="shop.py:app")
    found = json.loads(done.stdout.removeprefix("loaded\n"))
    assert [finding["code"] for finding in found] == ["unprotected_view", "key_differs"]
    assert done.returncode == 1


@pytest.mark.parametrize("name", ["shop", None])
def test_a_key_made_at_import_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """Another process loads the same application, by its name or from app.py, and has another key."""
    write(tmp_path, f"{RANDOM}print('loaded')\n", f"{name or 'app'}.py")
    result = run_module(monkeypatch, tmp_path, "check", name=name)
    assert "[key_differs]" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "effect",
    [
        "raise SystemExit(3)",
        "app.config['JWT_SECRET_KEY'] = None",
        "raise RuntimeError('no second process')",
        "print('hello'); os._exit(0)",
    ],
)
def test_a_second_process_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, effect: str) -> None:
    """An application that cannot be loaded twice, or prints something else, gets an info."""
    write(tmp_path, f"{FIXED}if os.environ.get({SALT!r}): {effect}\n")
    result = run_module(monkeypatch, tmp_path, "check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "[key_not_compared]" in result.stdout
    assert result.stdout.splitlines()[-1] == "error: 0, warning: 0, info: 1"


def test_a_digest_needs_a_salt(app: Flask) -> None:
    """The hidden command needs the salt of its parent process, and shows no key."""
    assert run(app, "key-digest").exit_code == 2
    first, second = (run(app, "key-digest", env={SALT: salt}).stdout for salt in ("one", "two"))
    assert first != second
    assert SECRET not in first
    assert "key-digest" not in run(app, "--help").stdout
