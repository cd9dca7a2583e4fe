"""The example of docs/sessions.md, used as its clients would: two browsers of one person, over HTTPS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_jwt_extended._context import get_state

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "devices.py"
HOST = "localhost"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """The example as it stands, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", "7d1f0c5be2a94836" * 3 + "9b")
    app: Flask = run_path(str(EXAMPLE))["app"]
    yield app
    store = get_state(app).store
    assert store is not None
    store.close()


class Browser:
    """A client that keeps cookies, repeats CSRF values, and is logged in."""

    def __init__(self, app: Flask, username: str, device: str) -> None:
        self.client: FlaskClient = app.test_client()
        assert self.post("/login", {"username": username, "device": device})[0] == 200

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a change with the CSRF value of the token that this address looks for."""
        csrf = self.client.get_cookie(f"__Host-csrf_{'refresh' if path == '/refresh' else 'access'}_token", HOST)
        headers = {"X-CSRF-TOKEN": csrf.value} if csrf else {}
        response = self.client.post(path, base_url=f"https://{HOST}", headers=headers, json=body or {})
        return response.status_code, response.get_json()

    def get(self, path: str) -> tuple[int, Any]:
        """Read."""
        response = self.client.get(path, base_url=f"https://{HOST}")
        return response.status_code, response.get_json()

    def labels(self) -> list[tuple[str, bool]]:
        """The names in the list, each with whether it is this one."""
        status, devices = self.get("/devices")
        assert status == 200, devices
        return [(device["label"], device["current"]) for device in devices]


def test_both_devices_are_listed_and_a_refresh_goes_on(app: Flask, tmp_path: Path) -> None:
    """Two logins of one person, the youngest first; the database is in the working directory."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    assert phone.labels() == [("phone", True), ("laptop", False)]
    assert laptop.labels() == [("phone", False), ("laptop", True)]
    assert phone.post("/refresh")[0] == 200
    assert phone.labels() == [("phone", True), ("laptop", False)]
    assert (tmp_path / "jwt.db").exists()


def test_one_device_ends_the_other(app: Flask) -> None:
    """Its next request and its refresh are refused; the one that asked goes on."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    lost = next(device["session_id"] for device in laptop.get("/devices")[1] if not device["current"])
    assert laptop.post("/logout", {"session": lost}) == (200, {"ended": True})
    assert phone.get("/devices")[0] == phone.post("/refresh")[0] == 401
    assert laptop.labels() == [("laptop", True)]


def test_a_logout_ends_the_session_and_deletes_the_cookies(app: Flask) -> None:
    """No other session is extended."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    assert laptop.post("/logout") == (200, {"ended": True})
    assert not laptop.client._cookies
    assert laptop.get("/devices")[0] == 401
    assert phone.labels() == [("phone", True)]


def test_nobody_ends_what_is_not_theirs(app: Flask) -> None:
    """Nor do they see it."""
    ada, grace = Browser(app, "ada", "laptop"), Browser(app, "grace", "desk")
    (hers,) = grace.get("/devices")[1]
    assert ada.post("/logout", {"session": hers["session_id"]}) == (200, {"ended": False})
    assert ada.labels() == [("laptop", True)]
    assert grace.labels() == [("desk", True)]


def test_a_change_without_its_csrf_value_is_refused(app: Flask) -> None:
    """The strict profile asks for it, and the refresh token is as good as before."""
    laptop = Browser(app, "ada", "laptop")
    forged = laptop.client.post("/refresh", base_url=f"https://{HOST}")
    assert (forged.status_code, forged.get_json()["error"]) == (400, "invalid_request")
    assert laptop.post("/refresh")[0] == 200


def test_its_cookies_travel_over_https_only(app: Flask) -> None:
    """All four, and no other host can have set them."""
    response = app.test_client().post("/login", base_url=f"https://{HOST}", json={"username": "ada"})
    cookies = response.headers.getlist("Set-Cookie")
    assert len(cookies) == 4
    assert all(line.startswith("__Host-") and "; Secure" in line for line in cookies)
