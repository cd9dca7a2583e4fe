"""The examples with sessions: a mobile app, and pages without a script."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from ..conftest import bearer
from .conftest import HTTPS, Load

Tokens = dict[str, str] | None


class Phone:
    """A mobile app: the client of mobile_client.py with an application and a keychain."""

    def __init__(self, load: Load, app: Flask) -> None:
        self.app = app
        self.sent: list[str] = []
        tokens = app.test_client().post("/login", json={"username": "ada", "device": "phone"}).get_json()
        self.keychain: Tokens = tokens
        self.client = load("mobile_client").Client(self.send, tokens, self.keep)

    def keep(self, tokens: Tokens) -> None:
        """Store tokens in the keychain."""
        self.keychain = tokens

    def send(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """Send a request."""
        self.sent.append(f"{method} {path}")
        answer = self.app.test_client().open(path, method=method, headers=bearer(token), json=body)
        return answer.status_code, answer.get_json()


def test_mobile_refreshes_by_itself(load: Load) -> None:
    """A call with an expired token gets its answer after a refresh. The new tokens are stored."""
    app = load("mobile").app
    phone = Phone(load, app)
    before = phone.keychain
    assert phone.client.call("GET", "/me") == (200, {"me": "ada"})
    expire(app, phone)
    assert phone.client.call("GET", "/me") == (200, {"me": "ada"})
    assert phone.keychain not in (None, before)
    assert phone.sent == ["GET /me", "GET /me", "POST /refresh", "GET /me"]


def expire(app: Flask, phone: Phone) -> None:
    """Give the phone an expired access token."""
    app.config.update(JWT_ACCESS_TOKEN_EXPIRES=-5)
    tokens = app.test_client().post("/refresh", headers=bearer(phone.client.tokens["refresh_token"])).get_json()
    app.config.update(JWT_ACCESS_TOKEN_EXPIRES=900)
    phone.client.tokens = tokens


def test_mobile_refreshes_once_for_many_calls(load: Load) -> None:
    """Eight calls are refused at the same time, and one refresh is enough."""
    app = load("mobile").app
    phone = Phone(load, app)
    expire(app, phone)
    together = Barrier(8)

    def call(_: int) -> int:
        together.wait()
        status: int = phone.client.call("GET", "/me")[0]
        return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {200}
    assert phone.sent.count("POST /refresh") == 1


def test_mobile_whose_session_has_ended_is_logged_out(load: Load) -> None:
    """The keychain is emptied, and the call returns 401."""
    app = load("mobile").app
    phone = Phone(load, app)
    phone.client.call("POST", "/logout")
    assert phone.keychain is not None  # a logout needs the refresh token
    app.test_client().post("/logout", headers=bearer(phone.client.tokens["refresh_token"]))
    assert phone.client.call("GET", "/me")[0] == 401
    assert phone.keychain is None


def test_notes_are_pages_and_forms(load: Load) -> None:
    """Log in, write, read, log out."""
    client: FlaskClient = load("notes/app").app.test_client()
    to_login = client.get("/", base_url=HTTPS)
    assert (to_login.status_code, to_login.location) == (302, "/login?next=/")
    assert "everyone who logs in" in client.get("/about", base_url=HTTPS).get_data(as_text=True)
    client.post("/login", data={"username": "ada"}, base_url=HTTPS)
    form = {"note": "<b>first</b>", "csrf_token": hidden(client.get("/", base_url=HTTPS).get_data(as_text=True))}
    page = client.post("/notes", data=form, headers=FROM_HERE, base_url=HTTPS, follow_redirects=True)
    assert "&lt;b&gt;first&lt;/b&gt;" in page.get_data(as_text=True)
    assert "for ada" in client.get("/about", base_url=HTTPS).get_data(as_text=True)
    client.post("/logout", data=form, headers=FROM_HERE, base_url=HTTPS)
    assert client.get("/", base_url=HTTPS).status_code == 302


FROM_HERE = {"Sec-Fetch-Site": "same-origin"}


def hidden(page: str) -> str:
    """The CSRF value in the forms of a page."""
    values = set(re.findall(r'name="csrf_token" value="([^"]+)"', page))
    assert len(values) == 1
    return str(values.pop())


def test_notes_of_another_site_are_refused(load: Load) -> None:
    """Its form does not have the hidden value. With the value, the request is refused for its origin."""
    client: FlaskClient = load("notes/app").app.test_client()
    client.post("/login", data={"username": "ada"}, base_url=HTTPS)
    value = hidden(client.get("/", base_url=HTTPS).get_data(as_text=True))
    for form, headers in (
        ({"note": "forged"}, FROM_HERE),
        ({"note": "forged", "csrf_token": value}, {"Sec-Fetch-Site": "cross-site"}),
    ):
        client.post("/notes", data=form, headers=headers, base_url=HTTPS)
        assert "forged" not in client.get("/", base_url=HTTPS).get_data(as_text=True)


def test_notes_extend_the_session_of_an_active_user(load: Load) -> None:
    """After half of the lifetime of the access token, a response sets another."""
    app = load("notes/app").app
    client = app.test_client()
    app.config.update(JWT_ACCESS_TOKEN_EXPIRES=-5, JWT_DECODE_LEEWAY=60)  # expired, and accepted within the leeway
    client.post("/login", data={"username": "ada"}, base_url=HTTPS)
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = 900
    answer = client.get("/", base_url=HTTPS)
    assert any("__Host-access_token_cookie" in line for line in answer.headers.getlist("Set-Cookie"))


def test_an_engine_of_the_application(load: Load) -> None:
    """Sessions are kept through the engine of the application, which stays open."""
    example = load("own_engine")
    client = example.app.test_client()
    token = client.post("/login", json={"username": "ada"}).get_json()["access_token"]
    assert client.get("/me", headers=bearer(token)).get_json() == {"me": "ada"}
    with example.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM jwt_sessions").scalar_one() == 1
    example.engine.dispose()
