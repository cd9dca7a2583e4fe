"""docs/authorization.md: its application is examples/authorization.py, and does what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_jwt_extended import create_access_token
from flask_jwt_extended._context import get_state

from .._cli.helpers import run
from ..conftest import SECRET, bearer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "authorization.py"
PAGE = (ROOT / "docs" / "authorization.md").read_text()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", SECRET)
    monkeypatch.setenv("FLASK_JWT_STORE_URI", f"sqlite:///{tmp_path}/jwt.db")
    example: Flask = run_path(str(EXAMPLE))["app"]
    yield example
    store = get_state(example).store
    assert store is not None
    store.close()


def login(client: FlaskClient) -> dict[str, str]:
    return bearer(client.post("/login", json={"username": "ada"}).get_json()["access_token"])


def test_the_page_shows_the_example() -> None:
    """The whole file, from its imports on."""
    assert "```{literalinclude} ../examples/authorization.py\n:start-at: from datetime\n```" in PAGE


def test_it_does_what_it_says(app: Flask) -> None:
    """Each view, with a token and without."""
    client = app.test_client()
    headers = login(client)
    answers: list[tuple[str, str, Any, int]] = [
        ("GET", "/me", {"me": "ada", "may write": True}, 200),
        ("GET", "/orders", {"orders": []}, 200),
        ("POST", "/orders", {"ordered": True}, 201),
        ("POST", "/pay", {"paid": True}, 200),
        ("GET", "/news", {"for": "ada"}, 200),
    ]
    for method, path, body, status in answers:
        answer = client.open(path, method=method, headers=headers)
        assert (answer.status_code, answer.get_json()) == (status, body)
        if path != "/news":
            assert client.open(path, method=method).status_code == 401
    assert client.get("/news", headers=bearer("old")).get_json() == {"for": "everybody"}


def test_the_link_works_once(app: Flask) -> None:
    """Only the view of the link accepts its token, and accepts no other."""
    client = app.test_client()
    once = bearer(client.post("/forgotten", json={"username": "ada"}).get_json()["token"])
    assert client.post("/reset", headers=login(client)).status_code == 401
    assert client.get("/me", headers=once).status_code == 401
    assert client.post("/reset", headers=once).get_json() == {"new password for": "ada"}
    assert client.post("/reset", headers=once).status_code == 401


def test_the_challenge_is_the_one_that_is_shown(app: Flask) -> None:
    """Except for the name of the application."""
    client = app.test_client()
    with app.app_context():
        plain = create_access_token("ada", fresh=True)
    answer = client.post("/orders", headers=bearer(plain))
    (shown,) = re.findall(r"^WWW-Authenticate: (.+)$", PAGE, re.MULTILINE)
    assert answer.headers["WWW-Authenticate"].replace(f'"{app.name}"', '"shop"') == shown


def test_the_table_of_routes_is_the_one_that_is_printed(app: Flask) -> None:
    """Word for word; column widths depend on the terminal."""
    shown = PAGE.split("$ flask --app authorization jwt routes\n")[1].split("```")[0]
    printed = run(app, "routes").stdout
    assert [line.split() for line in printed.splitlines()] == [line.split() for line in shown.splitlines()]
