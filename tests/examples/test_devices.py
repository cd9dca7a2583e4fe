"""The example of docs/sessions.md: two browsers of one user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from .conftest import Load

HOST = "localhost"


@pytest.fixture
def app(load: Load) -> Flask:
    """The example."""
    app: Flask = load("devices").app
    return app


class Browser:
    """A browser that is logged in, and sends CSRF values."""

    def __init__(self, app: Flask, username: str, device: str) -> None:
        self.client: FlaskClient = app.test_client()
        assert self.post("/login", {"username": username, "device": device})[0] == 200

    def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a change with the CSRF value of the token that the path needs."""
        csrf = self.client.get_cookie(f"__Host-csrf_{'refresh' if path == '/refresh' else 'access'}_token", HOST)
        headers = {"X-CSRF-TOKEN": csrf.value} if csrf else {}
        response = self.client.post(path, base_url=f"https://{HOST}", headers=headers, json=body or {})
        return response.status_code, response.get_json()

    def get(self, path: str) -> tuple[int, Any]:
        """Send a GET request."""
        response = self.client.get(path, base_url=f"https://{HOST}")
        return response.status_code, response.get_json()

    def labels(self) -> list[tuple[str, bool]]:
        """The labels of the listed devices, and whether each is this one."""
        status, devices = self.get("/devices")
        assert status == 200, devices
        return [(device["label"], device["current"]) for device in devices]


def test_both_devices_are_listed_also_after_a_refresh(app: Flask, tmp_path: Path) -> None:
    """The newest first. The database is in the working directory."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    assert phone.labels() == [("phone", True), ("laptop", False)]
    assert laptop.labels() == [("phone", False), ("laptop", True)]
    assert phone.post("/refresh")[0] == 200
    assert phone.labels() == [("phone", True), ("laptop", False)]
    assert (tmp_path / "jwt.db").exists()


def test_one_device_ends_the_other(app: Flask) -> None:
    """Its next request and its refresh are refused. The session of the request stays active."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    lost = next(device["session_id"] for device in laptop.get("/devices")[1] if not device["current"])
    assert laptop.post("/logout", {"session": lost}) == (200, {"ended": True})
    assert phone.get("/devices")[0] == phone.post("/refresh")[0] == 401
    assert laptop.labels() == [("laptop", True)]


def test_a_logout_ends_the_session_and_deletes_the_cookies(app: Flask) -> None:
    """Other sessions stay active."""
    laptop, phone = Browser(app, "ada", "laptop"), Browser(app, "ada", "phone")
    assert laptop.post("/logout") == (200, {"ended": True})
    assert not laptop.client._cookies
    assert laptop.get("/devices")[0] == 401
    assert phone.labels() == [("phone", True)]


def test_another_user_cannot_end_a_session(app: Flask) -> None:
    """Nor see it."""
    ada, grace = Browser(app, "ada", "laptop"), Browser(app, "grace", "desk")
    (hers,) = grace.get("/devices")[1]
    assert ada.post("/logout", {"session": hers["session_id"]}) == (200, {"ended": False})
    assert ada.labels() == [("laptop", True)]
    assert grace.labels() == [("desk", True)]


def test_a_change_without_its_csrf_value_is_refused(app: Flask) -> None:
    """The strict profile requires it. The refresh token is not used up."""
    laptop = Browser(app, "ada", "laptop")
    forged = laptop.client.post("/refresh", base_url=f"https://{HOST}")
    assert (forged.status_code, forged.get_json()["error"]) == (400, "invalid_request")
    assert laptop.post("/refresh")[0] == 200


def test_its_cookies_need_https(app: Flask) -> None:
    """All four are Secure, and have the prefix __Host-."""
    response = app.test_client().post("/login", base_url=f"https://{HOST}", json={"username": "ada"})
    cookies = response.headers.getlist("Set-Cookie")
    assert len(cookies) == 4
    assert all(line.startswith("__Host-") and "; Secure" in line for line in cookies)
