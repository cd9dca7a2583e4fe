"""Run ``flask jwt`` in this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from flask_jwt_extended._cli import jwt

from ..conftest import SECRET

HOSTILE = "\x1b]0;owned\x07\x9b31m\x7f\r\n\u202e\ud800\U0001f600"
HEAD = "from flask import Flask\nfrom flask_jwt_extended import JWTManager, jwt_required\nimport os, secrets\n"
FIXED = f"""{HEAD}
app = Flask(__name__)
app.config.update(JWT_PROFILE='strict', JWT_SECRET_KEY={SECRET!r})
JWTManager(app)
"""
RANDOM = FIXED.replace(repr(SECRET), "secrets.token_hex(32)")
BARE_VIEW = "\n@jwt_required()\n@app.get('/reports')\ndef reports(): return {}\n"


def run(app: Flask, *arguments: str, **options: Any) -> Result:
    """Run ``flask jwt`` on an application in this process."""
    result = app.test_cli_runner().invoke(jwt, arguments, **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_module(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, name: str | None = "shop") -> Result:
    """Run ``flask --app NAME jwt`` in this process. The command loads the module; ``None``: it looks for app.py."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name or "app", raising=False)
    monkeypatch.setitem(sys.modules, name or "app", None)  # to be undone when the test ends
    del sys.modules[name or "app"]
    return CliRunner().invoke(jwt, arguments, obj=ScriptInfo(app_import_path=name))


def run_flask(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m flask`` in another process."""
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def write(folder: Path, source: str, name: str = "shop.py") -> str:
    (folder / name).write_text(source)
    return name.removesuffix(".py")
