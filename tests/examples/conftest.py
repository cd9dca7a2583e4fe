"""Load examples as ``flask --app`` does, in an empty folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended._context import get_state

from ..conftest import SECRET

EXAMPLES = Path(__file__).parents[2] / "examples"
HTTPS = "https://localhost"

Load = Callable[[str], Any]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load an example: its names as attributes, its secret from the environment, its files in ``tmp_path``."""
    apps: list[Flask] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", SECRET)
    before = list(sys.path)

    def from_file(name: str) -> Any:
        path = EXAMPLES / f"{name}.py"
        sys.path.insert(0, str(path.parent))
        module = type("Example", (), run_path(str(path), run_name=path.stem))
        if isinstance(app := getattr(module, "app", None), Flask):
            apps.append(app)
        return module

    yield from_file
    sys.path[:] = before
    for app in apps:
        if (store := get_state(app).store) is not None:
            store.close()
