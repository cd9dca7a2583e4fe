"""The demo: its API met by a browser and by a program, its page, and the process that ``make demo`` starts."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from flask_jwt_extended import end_all_sessions
from flask_jwt_extended._context import get_state

from . import servers
from .axes import rotated
from .examples.servers import free_port

DEMO = Path(__file__).parent.parent / "demo"
ADA = {"username": "ada", "password": "lovelace"}
GRACE = {"username": "grace", "password": "hopper"}
COOKIES = {"access_token_cookie", "refresh_token_cookie", "csrf_access_token", "csrf_refresh_token"}


def load_demo() -> Any:
    """Import ``demo/app.py``, which is a script without a package."""
    spec = importlib.util.spec_from_file_location("demo_under_test", DEMO / "app.py")
    assert spec is not None
    assert spec.loader is not None
    sys.path.insert(0, str(DEMO))  # as for a script: its parts are beside it
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


demo = load_demo()
people = sys.modules["people"]
views = sys.modules["api"]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file, made once."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    demo.type_keys(str(path), "generate")
    return path


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The demo of another run, with its own keys."""
    path = tmp_path_factory.mktemp("stranger") / "keys.json"
    demo.type_keys(str(path), "generate")
    app: Flask = demo.create_app(str(path))
    return app


@pytest.fixture
def demo_app(keys: Path, tmp_path: Path) -> Iterator[Flask]:
    """A new demo for each test, with its sessions in SQLite."""
    shutil.copy2(keys, tmp_path)
    app: Flask = demo.create_app(str(tmp_path / "keys.json"), f"sqlite:///{tmp_path}/jwt.db")
    yield app
    close_store(app)


def close_store(app: Flask) -> None:
    """Close the connections."""
    store = get_state(app).store
    assert store is not None
    store.close()


@pytest.fixture
def program(demo_app: Flask) -> FlaskClient:
    """A client that keeps no cookies, as curl does."""
    return demo_app.test_client(use_cookies=False)


@pytest.fixture
def browser(demo_app: Flask) -> FlaskClient:
    """A client that keeps cookies, logged in as Ada."""
    client = demo_app.test_client()
    assert client.post("/api/session", json=ADA).status_code == 200
    return client


def tokens_of(client: FlaskClient, user: dict[str, str] = ADA) -> dict[str, str]:
    """Log in as a program and return both tokens."""
    tokens: dict[str, str] = client.post("/api/login", json=user).get_json()
    return tokens


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def csrf(client: FlaskClient, kind: str = "access") -> dict[str, str]:
    """The header in which the page repeats a CSRF cookie."""
    cookie = client.get_cookie(f"csrf_{kind}_token")
    assert cookie is not None
    return {"X-CSRF-TOKEN": cookie.value}


def cookie(client: FlaskClient, name: str, path: str) -> str:
    """The value of a cookie."""
    found = client.get_cookie(name, path=path)
    assert found is not None
    return str(found.value)


def refused(response: TestResponse, status: int, message: str) -> bool:
    """Whether this is a refusal with this status and these words in its message."""
    return response.status_code == status and message in response.get_json()["msg"]


class TestProgram:
    """A program: tokens in the body of the login, then in the Authorization header."""

    def test_a_login_gives_a_token_that_opens_a_protected_endpoint(self, program: FlaskClient) -> None:
        """The first two curl lines."""
        token = tokens_of(program)["access_token"]
        answer = program.get("/api/me", headers=bearer(token)).get_json()
        assert answer["location"] == "headers"
        assert answer["claims"]["sub"] == "ada"
        assert answer["claims"]["name"] == "Ada Lovelace"
        assert answer["claims"]["exp"] - answer["claims"]["iat"] == 60

    def test_a_call_without_a_token_is_refused(self, program: FlaskClient) -> None:
        """The third curl line."""
        assert refused(program.get("/api/me"), 401, "Missing JWT")

    def test_a_refresh_token_is_exchanged_for_tokens_that_are_not_fresh(self, program: FlaskClient) -> None:
        """The fourth curl line. The new tokens are sent back in the same way."""
        refresh_token = tokens_of(program)["refresh_token"]
        response = program.post("/api/session/refresh", headers=bearer(refresh_token))
        claims = program.get("/api/me", headers=bearer(response.get_json()["access_token"])).get_json()["claims"]
        assert claims["fresh"] is False
        assert "Set-Cookie" not in response.headers

    def test_an_access_token_does_not_refresh(self, program: FlaskClient) -> None:
        """Only a refresh token refreshes."""
        response = program.post("/api/session/refresh", headers=bearer(tokens_of(program)["access_token"]))
        assert refused(response, 422, "Only refresh tokens are allowed")

    def test_a_write_needs_no_csrf_token_when_the_token_is_in_the_header(self, program: FlaskClient) -> None:
        """Browsers never add that header automatically."""
        headers = bearer(tokens_of(program)["access_token"])
        response = program.post("/api/notes", headers=headers, json={"text": "from a program"})
        assert (response.status_code, response.get_json()) == (201, {"notes": ["from a program"]})

    @pytest.mark.parametrize("user", [{**ADA, "password": "hopper"}, {**ADA, "username": "eve"}])
    @pytest.mark.parametrize("path", ["/api/login", "/api/session"])
    def test_a_wrong_password_and_an_unknown_user_get_the_same_401(
        self, program: FlaskClient, path: str, user: dict[str, str]
    ) -> None:
        """The response does not show which users exist."""
        assert refused(program.post(path, json=user), 401, "Wrong username or password.")

    def test_a_token_of_another_run_is_refused(self, program: FlaskClient, stranger: Flask) -> None:
        """Each run makes its keys."""
        foreign = tokens_of(stranger.test_client())["access_token"]
        assert refused(program.get("/api/me", headers=bearer(foreign)), 422, "Signature verification failed")

    def test_given_keys_and_a_store_make_sessions_last_across_runs(self, keys: Path, tmp_path: Path) -> None:
        """What ``--keys`` and ``--store`` are for."""
        first, second = (demo.create_app(str(keys), f"sqlite:///{tmp_path}/jwt.db") for _ in range(2))
        token = tokens_of(first.test_client())["access_token"]
        assert second.test_client().get("/api/me", headers=bearer(token)).status_code == 200
        for app in (first, second):
            close_store(app)


class TestBrowser:
    """A browser: tokens in cookies, and every change protected by a CSRF token."""

    def test_a_login_puts_both_tokens_into_cookies_that_no_script_reads(self, demo_app: Flask) -> None:
        """The tokens are HttpOnly and not in the body. The CSRF values are readable. All are SameSite=Strict."""
        response = demo_app.test_client().post("/api/session", json=ADA)
        cookies = {line.split("=", 1)[0]: line for line in response.headers.getlist("Set-Cookie")}
        hidden = {name for name, line in cookies.items() if "; HttpOnly" in line}
        assert set(cookies) == COOKIES
        assert hidden == {"access_token_cookie", "refresh_token_cookie"}
        assert all("; SameSite=Strict" in line for line in cookies.values())
        assert response.get_json() == {"msg": "Welcome, Ada Lovelace."}

    def test_the_refresh_token_is_not_sent_with_every_call(self, browser: FlaskClient) -> None:
        """The path of its cookie is that of login, refresh and logout."""
        assert "refresh_token_cookie" not in browser.get("/api/me").headers["Demo-Cookies-Received"]
        refreshed = browser.post("/api/session/refresh", headers=csrf(browser, "refresh"))
        assert "refresh_token_cookie" in refreshed.headers["Demo-Cookies-Received"]

    def test_reading_needs_the_cookie_alone(self, browser: FlaskClient) -> None:
        """A GET changes nothing, so it needs no CSRF token."""
        assert browser.get("/api/me").get_json()["location"] == "cookies"
        assert browser.get("/api/notes").get_json() == {"notes": []}

    def test_a_write_without_its_csrf_token_is_refused(self, browser: FlaskClient) -> None:
        """And nothing is written."""
        assert refused(browser.post("/api/notes", json={"text": "forged"}), 401, "Missing CSRF token")
        assert browser.get("/api/notes").get_json() == {"notes": []}

    def test_a_write_with_its_csrf_token_is_accepted(self, browser: FlaskClient) -> None:
        """The header repeats the cookie."""
        response = browser.post("/api/notes", headers=csrf(browser), json={"text": "mine"})
        assert (response.status_code, response.get_json()) == (201, {"notes": ["mine"]})

    def test_a_refresh_needs_the_csrf_token_of_the_refresh_token(self, browser: FlaskClient) -> None:
        """The one of the access token does not match."""
        assert refused(browser.post("/api/session/refresh"), 401, "Missing CSRF token")
        assert refused(
            browser.post("/api/session/refresh", headers=csrf(browser)), 401, "CSRF double submit tokens do not match"
        )

    def test_a_refresh_sets_two_new_cookies(self, browser: FlaskClient) -> None:
        """The tokens change and stay out of the body."""
        before = browser.get("/api/me").get_json()["claims"]["jti"]
        response = browser.post("/api/session/refresh", headers=csrf(browser, "refresh"))
        assert response.get_json() == {"msg": "Here are two new tokens."}
        assert set(response.headers["Demo-Cookies-Written"].split(", ")) == COOKIES
        assert browser.get("/api/me").get_json()["claims"]["jti"] != before

    def test_deleting_needs_a_token_made_from_a_password(self, browser: FlaskClient) -> None:
        """A refreshed token is refused until the user logs in again."""
        browser.post("/api/notes", headers=csrf(browser), json={"text": "precious"})
        browser.post("/api/session/refresh", headers=csrf(browser, "refresh"))
        assert refused(browser.delete("/api/notes", headers=csrf(browser)), 401, "Fresh token required")
        browser.post("/api/session", json=ADA)
        assert browser.delete("/api/notes", headers=csrf(browser)).get_json() == {"notes": []}

    def test_an_expired_token_is_refused_until_it_is_refreshed(self, demo_app: Flask) -> None:
        """What the page shows when its countdown ends."""
        client = demo_app.test_client()
        # The leeway is for the login, which reads the token again to find its CSRF value.
        demo_app.config.update(JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=-5), JWT_DECODE_LEEWAY=60)
        client.post("/api/session", json=ADA)
        demo_app.config["JWT_DECODE_LEEWAY"] = 0
        assert refused(client.get("/api/me"), 401, "Token has expired")
        demo_app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(seconds=60)
        client.post("/api/session/refresh", headers=csrf(client, "refresh"))
        assert client.get("/api/me").status_code == 200

    def test_a_logout_ends_the_session_and_deletes_every_cookie(self, demo_app: Flask, browser: FlaskClient) -> None:
        """The next request has no token, and a copy of the old token is refused."""
        copied = cookie(browser, "access_token_cookie", "/api")
        written = browser.delete("/api/session", headers=csrf(browser, "refresh")).headers["Demo-Cookies-Written"]
        assert set(written.split(", ")) == COOKIES
        assert browser.get_cookie("csrf_access_token") is None
        assert refused(browser.get("/api/me"), 401, "Missing JWT")
        thief = demo_app.test_client(use_cookies=False)
        assert refused(thief.get("/api/me", headers=bearer(copied)), 401, "revoked")

    def test_a_logout_needs_no_valid_access_token(self, demo_app: Flask) -> None:
        """The refresh token identifies the session."""
        client, other = demo_app.test_client(), demo_app.test_client()
        other.post("/api/session", json=ADA)
        demo_app.config.update(JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=-5), JWT_DECODE_LEEWAY=60)
        client.post("/api/session", json=ADA)
        demo_app.config["JWT_DECODE_LEEWAY"] = 0
        assert client.delete("/api/session", headers=csrf(client, "refresh")).status_code == 200
        assert len(other.get("/api/devices").get_json()["devices"]) == 1

    def test_another_site_cannot_log_a_user_out(self, browser: FlaskClient) -> None:
        """A logout without its CSRF token does nothing."""
        response = browser.delete("/api/session")
        assert refused(response, 401, "Missing CSRF token")
        assert "Set-Cookie" not in response.headers
        assert browser.get("/api/me").status_code == 200

    def test_a_logout_needs_no_active_session(self, demo_app: Flask, browser: FlaskClient, stranger: Flask) -> None:
        """Without cookies, or with those of an ended session or of another run: they are deleted."""
        assert demo_app.test_client().delete("/api/session").status_code == 200
        with demo_app.test_request_context():
            assert end_all_sessions(people.find_user("ada")) == 1
        assert browser.delete("/api/session", headers=csrf(browser, "refresh")).status_code == 200
        assert browser.get_cookie("csrf_refresh_token") is None
        browser.set_cookie("refresh_token_cookie", tokens_of(stranger.test_client())["refresh_token"])
        stale = browser.delete("/api/session", headers={"X-CSRF-TOKEN": "of another run"})
        assert set(stale.headers["Demo-Cookies-Written"].split(", ")) == COOKIES

    def test_a_login_ends_the_session_whose_cookies_it_overwrites(self, browser: FlaskClient) -> None:
        """Otherwise the list would fill up with unusable sessions."""
        browser.post("/api/session", json=ADA)
        assert len(browser.get("/api/devices").get_json()["devices"]) == 1
        browser.set_cookie("refresh_token_cookie", "no token", path="/api/session")
        assert browser.post("/api/session", json=ADA).status_code == 200

    def test_a_wrong_password_ends_no_session(self, browser: FlaskClient) -> None:
        """Only a login does."""
        browser.post("/api/session", json={**ADA, "password": "hopper"})
        assert browser.get("/api/me").status_code == 200

    def test_everyone_sees_only_their_own_notes(self, demo_app: Flask, browser: FlaskClient) -> None:
        """The token identifies the user."""
        browser.post("/api/notes", headers=csrf(browser), json={"text": "Ada's"})
        other = demo_app.test_client()
        other.post("/api/session", json=GRACE)
        assert other.get("/api/notes").get_json() == {"notes": []}

    def test_only_the_last_ten_notes_are_kept(self, browser: FlaskClient) -> None:
        """A demo left running does not fill the memory."""
        for number in range(12):
            browser.post("/api/notes", headers=csrf(browser), json={"text": f"note {number}"})
        assert browser.get("/api/notes").get_json()["notes"] == [f"note {number}" for number in range(2, 12)]


class Person:
    """A user with a browser: a client that keeps cookies and repeats CSRF values, over a real connection."""

    def __init__(self, address: str, user: dict[str, str], agent: str) -> None:
        self.address, self.agent = address, agent
        self.jar = CookieJar()
        self.opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))
        assert self.call("POST", "/api/session", user)[0] == 200

    def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, csrf: bool = True
    ) -> tuple[int, Any]:
        """Send what a click sends, or what a program sends with a token in the header. Return status and body."""
        request = Request(self.address + path, method=method, data=body and json.dumps(body).encode())
        request.add_header("User-Agent", self.agent)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        value = self.cookies.get("csrf_refresh_token" if path.startswith("/api/session") else "csrf_access_token")
        if csrf and value is not None:
            request.add_header("X-CSRF-TOKEN", value)
        try:
            response: Any = self.opener.open(request, timeout=30)
        except HTTPError as error:
            response = error
        with response:
            return response.status, json.load(response)

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps."""
        return {cookie.name: cookie.value or "" for cookie in self.jar}

    def devices(self) -> list[dict[str, Any]]:
        """The content of the list."""
        status, answer = self.call("GET", "/api/devices")
        assert status == 200, answer
        shown: list[dict[str, Any]] = answer["devices"]
        return shown

    def labels(self) -> list[str]:
        """The names in the list."""
        return [device["label"] for device in self.devices()]

    def id_of(self, label: str) -> str:
        """The ID that the button beside a name sends."""
        return next(str(device["id"]) for device in self.devices() if device["label"] == label)


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture
def address(demo_app: Flask) -> Iterator[str]:
    """Where a real server serves the demo."""
    server = make_server("127.0.0.1", 0, demo_app, threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def desk(address: str) -> Person:
    """Ada at her desk."""
    return Person(address, ADA, FIREFOX)


@pytest.fixture
def phone(desk: Person) -> Person:
    """Ada on her phone, a little later."""
    return Person(desk.address, ADA, PHONE)


def revoked(answer: tuple[int, Any]) -> bool:
    """Whether a call was refused because its session has ended."""
    return answer == (401, {"msg": "Token has been revoked"})


class TestDevices:
    """The list of a user's sessions, over a real connection."""

    def test_both_sessions_of_one_person_are_in_the_list(self, desk: Person, phone: Person) -> None:
        """The newest first, each with its details, and the current one is marked."""
        first, second = phone.devices()
        assert (first["label"], first["browser"], first["current"]) == ("Safari on iPhone", PHONE, True)
        assert (second["label"], second["browser"], second["current"]) == ("Firefox on Linux", FIREFOX, False)
        assert first["address"] == "127.0.0.1"
        assert second["started"] == second["refreshed"] < first["started"]
        assert [device["current"] for device in desk.devices()] == [False, True]

    def test_a_refresh_shows_in_the_list_and_makes_no_second_session(self, desk: Person) -> None:
        """The session stays active with new tokens."""
        old = desk.cookies
        assert desk.call("POST", "/api/session/refresh")[0] == 200
        changed = {name for name in COOKIES if desk.cookies[name] != old[name]}
        assert changed == {"access_token_cookie", "refresh_token_cookie"}  # an open page may have the other two
        (device,) = desk.devices()
        assert device["refreshed"] > device["started"]

    def test_a_session_ended_from_another_device_is_refused(self, desk: Person, phone: Person) -> None:
        """And cannot refresh."""
        status, answer = phone.call("DELETE", f"/api/devices/{phone.id_of('Firefox on Linux')}")
        assert (status, [device["label"] for device in answer["devices"]]) == (200, ["Safari on iPhone"])
        assert revoked(desk.call("GET", "/api/notes"))
        assert revoked(desk.call("POST", "/api/session/refresh"))
        assert phone.call("GET", "/api/notes")[0] == 200

    def test_all_others_can_be_ended_together(self, desk: Person, phone: Person) -> None:
        """Programs too. The current session stays active."""
        program = desk.call("POST", "/api/login", ADA)[1]
        assert len(phone.devices()) == 3
        status, answer = phone.call("DELETE", "/api/devices")
        assert (status, [device["current"] for device in answer["devices"]]) == (200, [True])
        assert revoked(desk.call("GET", "/api/me"))
        assert revoked(phone.call("GET", "/api/me", token=program["access_token"]))
        assert phone.call("POST", "/api/session/refresh")[0] == 200

    def test_ending_ones_own_session_is_a_logout(self, desk: Person) -> None:
        """The cookies are deleted."""
        assert desk.call("DELETE", f"/api/devices/{desk.id_of('Firefox on Linux')}") == (200, {"msg": "Goodbye."})
        assert desk.cookies == {}

    def test_sessions_of_others_are_not_shown_and_cannot_be_ended(self, desk: Person) -> None:
        """They are a 404, like those that do not exist."""
        grace = Person(desk.address, GRACE, PHONE)
        assert desk.labels() == ["Firefox on Linux"]
        strange = desk.call("DELETE", f"/api/devices/{grace.id_of('Safari on iPhone')}")
        assert strange == desk.call("DELETE", "/api/devices/nothing") == (404, {"msg": "You have no such session."})
        assert desk.call("DELETE", "/api/devices")[0] == 200
        assert grace.call("GET", "/api/me")[0] == 200

    def test_another_site_ends_no_session(self, desk: Person, phone: Person) -> None:
        """Each of the two buttons needs the CSRF token."""
        for path in ("/api/devices", f"/api/devices/{phone.id_of('Firefox on Linux')}"):
            assert phone.call("DELETE", path, csrf=False) == (401, {"msg": "Missing CSRF token"})
        assert len(desk.devices()) == 2

    def test_two_refreshes_at_the_same_time_both_work(self, desk: Person) -> None:
        """Within the grace period, both get the same refresh token."""
        refresh_token = desk.call("POST", "/api/login", ADA)[1]["refresh_token"]
        pairs = [desk.call("POST", "/api/session/refresh", token=refresh_token) for _ in range(2)]
        assert [status for status, _ in pairs] == [200, 200]
        first, second = (answer["refresh_token"].rpartition(".")[0] for _, answer in pairs)
        assert first == second != refresh_token.rpartition(".")[0]  # an ES256 signature is another each time

    def test_a_refresh_token_used_twice_ends_its_session(self, demo_app: Flask, desk: Person) -> None:
        """After the grace period, with all its tokens. Other sessions stay active."""
        demo_app.config["JWT_REFRESH_GRACE"] = 0.1
        stolen = desk.call("POST", "/api/login", ADA)[1]["refresh_token"]
        pair = desk.call("POST", "/api/session/refresh", token=stolen)[1]
        time.sleep(0.2)
        assert desk.call("GET", "/api/me", token=pair["access_token"])[0] == 200
        assert revoked(desk.call("POST", "/api/session/refresh", token=stolen))
        assert revoked(desk.call("GET", "/api/me", token=pair["access_token"]))
        assert revoked(desk.call("POST", "/api/session/refresh", token=pair["refresh_token"]))
        assert len(desk.devices()) == 1

    def test_a_user_agent_is_shown_as_text(self, desk: Person) -> None:
        """It is sent as JSON, which browsers do not show as a page, and the script inserts it as text."""
        Person(desk.address, ADA, HOSTILE)
        assert desk.devices()[0]["browser"] == HOSTILE
        with desk.opener.open(f"{desk.address}/api/devices", timeout=30) as response:
            assert response.headers["Content-Type"] == "application/json"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        script = (DEMO / "static" / "demo.js").read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|eval\(|DOMParser", script)

    def test_no_token_is_on_the_page_or_in_the_list(self, desk: Person, phone: Person) -> None:
        """Neither a token nor its ID, nor a CSRF value, nor the User-Agent of another user."""
        with desk.opener.open(f"{desk.address}/", timeout=30) as response:
            page = response.read().decode()
        listed = json.dumps(desk.devices())
        numbers = {person.call("GET", "/api/me")[1]["claims"]["jti"] for person in (desk, phone)}
        for secret in {*desk.cookies.values(), *phone.cookies.values(), *numbers}:
            assert secret not in page
            assert secret not in listed
        assert PHONE not in page

    def test_a_store_that_does_not_answer_is_a_503(self, keys: Path, tmp_path: Path) -> None:
        """Not a 500, and no access."""
        app = demo.create_app(str(keys), f"sqlite:///{tmp_path}/missing/jwt.db")
        response = app.test_client().post("/api/login", json=ADA)
        assert response.status_code == 503
        assert str(tmp_path) not in response.get_data(as_text=True)
        close_store(app)

    @pytest.mark.parametrize(
        ("agent", "name"),
        [
            (FIREFOX, "Firefox on Linux"),
            (PHONE, "Safari on iPhone"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
            ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15) Version/18.0 Safari/605.1.15", "Safari on macOS"),
            ("curl/8.5.0", "curl"),
            ("", "Unknown program"),
            ("x" * 500, "x" * 40),
        ],
    )
    def test_a_session_has_a_name_that_people_know(self, agent: str, name: str) -> None:
        """A browser and its system. A program has its own name."""
        assert views.device_name(agent) == name


NO_LOGINS = {
    body[:40].decode("ascii", "replace") or "empty": body
    for body in [
        b"",
        b"{",
        b'{"username": "ada", "password"',
        b"\xff\xfe",
        b'{"username": ' + b"9" * 5000 + b"}",
        b"[" * 10_000,
        b"null",
        b'["ada", "lovelace"]',
        b"{}",
        b'{"username": "ada"}',
        b'{"username": "ada", "password": null}',
        b'{"username": ["ada"], "password": "lovelace"}',
        b'{"username": "ada", "password": ""}',
        b'{"username": "ada", "password": "\\ud800"}',
        b'{"username": "ada\\u0000", "password": "lovelace"}',
        b'{"username": "ada", "password": "' + b"x" * 201 + b'"}',
    ]
}


class TestInput:
    """Whatever arrives, the response is a 4xx with a message."""

    @rotated("name", NO_LOGINS, path=["/api/login", "/api/session"])
    def test_a_body_that_is_not_a_login_is_a_400(self, program: FlaskClient, path: str, name: str) -> None:
        """Broken JSON, a wrong structure, a value that is not text."""
        response = program.post(path, data=NO_LOGINS[name], content_type="application/json")
        assert response.status_code == 400
        assert response.get_json()["msg"]

    def test_a_body_that_a_form_could_send_is_a_415(self, program: FlaskClient) -> None:
        """So forms on other sites cannot log a user in."""
        response = program.post("/api/session", data=json.dumps(ADA), content_type="text/plain")
        assert refused(response, 415, "application/json")

    def test_a_body_that_is_too_large_is_a_413(self, program: FlaskClient) -> None:
        """No request needs more than 16 KiB."""
        response = program.post("/api/login", data=b" " * 20_000, content_type="application/json")
        assert response.status_code == 413

    def test_an_unknown_address_and_a_wrong_method_answer_in_json(self, program: FlaskClient) -> None:
        """The second also lists the allowed methods."""
        assert refused(program.get("/api/nothing"), 404, "not found")
        wrong = program.get("/api/login")
        assert refused(wrong, 405, "method")
        assert "POST" in wrong.headers["Allow"]

    @pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "-1"], ["--port", "http"]])
    def test_an_option_that_cannot_work_is_refused_at_the_start(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """With a sentence, not a traceback."""
        with pytest.raises(SystemExit, match="2"):
            demo.main(arguments)
        assert f"argument {arguments[0]}" in capsys.readouterr().err


class TestPage:
    """The page: its own files and nothing else."""

    def test_the_page_names_both_users_and_the_four_lines(self, program: FlaskClient) -> None:
        """The page shows the passwords."""
        text = program.get("/").get_data(as_text=True)
        assert "ada / lovelace" in text
        assert "grace / hopper" in text
        assert text.count("<pre><code>") == 4

    def test_the_page_refers_to_its_own_files_and_they_exist(self, program: FlaskClient) -> None:
        """No font, script or style from elsewhere."""
        page = program.get("/").get_data(as_text=True)
        links = [link for link in re.findall(r'(?:src|href)="([^"]*)"', page) if not link.startswith("#")]
        assert len(links) == 3
        for link in links:
            assert link.startswith("/static/")
            with program.get(link) as response:
                assert response.status_code == 200

    def test_the_page_obeys_its_content_security_policy(self, program: FlaskClient) -> None:
        """Own files only, so nothing inline: no script, no style, no event attribute."""
        response = program.get("/")
        page = response.get_data(as_text=True)
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert not re.search(r"<script[^>]*>[^<]|<style|\sstyle=|\son\w+=", page)

    def test_every_name_the_script_looks_up_is_on_the_page(self, program: FlaskClient) -> None:
        """A renamed element or action would otherwise only be noticed when it is clicked."""
        page = program.get("/").get_data(as_text=True)
        script = (DEMO / "static" / "demo.js").read_text(encoding="utf-8")
        elements = set(re.findall(r'byId\("([\w-]+)"\)', script))
        actions = set(re.findall(r'data-action="([\w-]+)"', page))
        assert elements <= set(re.findall(r'\sid="([\w-]+)"', page))
        actions |= set(re.findall(r'\baction: "([\w-]+)"', script))
        assert "end-device" in actions
        assert all(re.search(rf'^  (async )?"?{action}"?[(:]', script, re.MULTILINE) for action in actions)

    def test_answers_of_the_api_stay_out_of_caches(self, program: FlaskClient) -> None:
        """Some contain tokens."""
        assert program.post("/api/login", json=ADA).headers["Cache-Control"] == "no-store"


class Served(NamedTuple):
    """The demo as another process: its port, and what it printed."""

    port: int
    printed: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Start the demo as ``make demo`` does and wait for its last printed line."""
    port = free_port()
    errors = tmp_path_factory.mktemp("demo") / "stderr"
    with errors.open("w") as stderr:
        process = subprocess.Popen(command(port), stdout=subprocess.PIPE, stderr=stderr, text=True)
    with process:
        try:
            printed = read_banner(process)
            assert printed, errors.read_text()
            yield Served(port, printed)
        finally:
            process.terminate()


def command(port: int) -> list[str]:
    """What ``make demo`` runs."""
    return [sys.executable, str(DEMO / "app.py"), "--port", str(port)]


def heed_interrupts() -> None:
    """Processes that a shell starts in the background ignore Ctrl+C. The demo must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def read_banner(process: subprocess.Popen[str]) -> str:
    """What the process prints, up to its last remark; nothing if it fails first."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("("):
            return "".join(lines)
    return ""


class TestProcess:
    """``make demo``, for real."""

    def test_it_prints_its_address_and_four_curl_lines(self, served: Served) -> None:
        """Each is one line, so that it can be copied as one."""
        assert f"http://127.0.0.1:{served.port} " in served.printed
        assert len(curl_lines(served)) == 4

    def test_the_printed_lines_work_as_they_stand(self, served: Served) -> None:
        """Pasted into one shell in their order, they do what the comments say."""
        servers.program("curl", package="curl")
        silent, me, without_token, refreshed = paste(curl_lines(served))
        assert silent == ""
        assert json.loads(me)["location"] == "headers"
        assert json.loads(me)["claims"]["sub"] == "ada"
        assert without_token.startswith("HTTP/1.1 401 ")
        assert "Missing JWT" in without_token
        assert json.loads(refreshed)["access_token"].count(".") == 2
        assert json.loads(refreshed)["refresh_token"].count(".") == 2

    def test_a_port_that_is_taken_ends_it_with_a_sentence(
        self, served: Served, keys: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Not with a traceback."""
        with pytest.raises(SystemExit, match="1"):
            demo.serve(served.port, keys, "memory://")
        assert f"Port {served.port} is in use" in capsys.readouterr().err

    @pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
    def test_it_leaves_nothing_behind(self, end: signal.Signals, tmp_path: Path) -> None:
        """Its SQLite file is in a temporary folder, which is deleted at the end."""
        port, errors = free_port(), tmp_path / "stderr"
        folder = tmp_path / "temporary"
        folder.mkdir()
        environment = {**os.environ, "TMPDIR": str(folder)}
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                command(port),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
                preexec_fn=heed_interrupts,
            ) as process,
        ):
            try:
                assert read_banner(process), errors.read_text()
                Person(f"http://127.0.0.1:{port}", ADA, FIREFOX)
                kept = [path.name for path in folder.rglob("*.db")]
                process.send_signal(end)
                assert process.wait(30) == 0
            finally:
                process.kill()
        assert kept == ["jwt.db"]
        assert list(folder.iterdir()) == []
        assert "Traceback" not in errors.read_text()

    @pytest.mark.parametrize("content", [None, "no keys", "{}"], ids=["no folder", "garbage", "no set"])
    def test_keys_that_cannot_be_used_end_it_with_a_sentence(self, content: str | None, tmp_path: Path) -> None:
        """Before any login."""
        path = tmp_path / "keys.json" if content else tmp_path / "missing" / "keys.json"
        if content:
            path.write_text(content)
        with pytest.raises(SystemExit, match=r"^--keys: "):
            demo.serve(free_port(), path, "memory://")

    def test_an_unknown_store_ends_it_with_a_sentence(self, keys: Path) -> None:
        """The sentence does not contain the password."""
        with pytest.raises(SystemExit, match=r"^--store: ") as error:
            demo.serve(free_port(), keys, "nothing://ada:lovelace@localhost/")
        assert "lovelace" not in str(error.value)


def curl_lines(served: Served) -> list[str]:
    """The commands among the printed lines."""
    return [line for line in served.printed.splitlines() if "curl " in line]


def paste(lines: list[str]) -> list[str]:
    """Type these lines into one bash and return what each prints."""
    marker = "---- end of line ----"
    script = "\n".join(f"{line}\necho '{marker}'" for line in lines)
    direct = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    shell = subprocess.run(["bash"], input=script, env=direct, capture_output=True, text=True, timeout=60, check=True)
    assert shell.stderr == ""
    return [part.strip() for part in shell.stdout.split(marker)[:-1]]


@pytest.mark.parametrize("path", sorted(DEMO.glob("*.py")), ids=lambda path: path.name)
def test_the_demo_imports_public_names_only(path: Path) -> None:
    """It shows what an application may use."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [f"{getattr(node, 'module', '')}.{alias.name}" for node in nodes for alias in node.names]
    assert not [name for name in names if "flask_jwt_extended" in name and "._" in name]
