"""The demo: its API met by a browser and by a program, its page, and the process that ``make demo`` starts."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

DEMO = Path(__file__).parent.parent / "demo"
ADA = {"username": "ada", "password": "lovelace"}
GRACE = {"username": "grace", "password": "hopper"}
COOKIES = {"access_token_cookie", "refresh_token_cookie", "csrf_access_token", "csrf_refresh_token"}


def load_demo() -> Any:
    """Import ``demo/app.py``, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("demo_under_test", DEMO / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


demo = load_demo()


@pytest.fixture
def demo_app() -> Flask:
    """A demo of its own for each test."""
    app: Flask = demo.create_app()
    return app


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


def refused(response: TestResponse, status: int, message: str) -> bool:
    """Whether this is a refusal with this status and a message that contains these words."""
    return response.status_code == status and message in response.get_json()["msg"]


class TestProgram:
    """A program: tokens in the body of the login, then in the Authorization header."""

    def test_a_login_gives_a_token_that_opens_a_protected_endpoint(self, program: FlaskClient) -> None:
        """The whole of the first two curl lines."""
        token = tokens_of(program)["access_token"]
        answer = program.get("/api/me", headers=bearer(token)).get_json()
        assert answer["location"] == "headers"
        assert answer["claims"]["sub"] == "ada"
        assert answer["claims"]["name"] == "Ada Lovelace"
        assert answer["claims"]["exp"] - answer["claims"]["iat"] == 60

    def test_a_call_without_a_token_is_refused(self, program: FlaskClient) -> None:
        """The third curl line."""
        assert refused(program.get("/api/me"), 401, "Missing JWT")

    def test_a_refresh_token_buys_an_access_token_that_is_not_fresh(self, program: FlaskClient) -> None:
        """The fourth curl line; the new token comes back the way the old one came."""
        refresh_token = tokens_of(program)["refresh_token"]
        response = program.post("/api/refresh", headers=bearer(refresh_token))
        claims = program.get("/api/me", headers=bearer(response.get_json()["access_token"])).get_json()["claims"]
        assert claims["fresh"] is False
        assert "Set-Cookie" not in response.headers

    def test_an_access_token_buys_nothing(self, program: FlaskClient) -> None:
        """Only a refresh token refreshes."""
        response = program.post("/api/refresh", headers=bearer(tokens_of(program)["access_token"]))
        assert refused(response, 422, "Only refresh tokens are allowed")

    def test_a_write_needs_no_csrf_token_when_the_token_is_in_the_header(self, program: FlaskClient) -> None:
        """No browser adds that header by itself."""
        headers = bearer(tokens_of(program)["access_token"])
        response = program.post("/api/notes", headers=headers, json={"text": "from a program"})
        assert (response.status_code, response.get_json()) == (201, {"notes": ["from a program"]})

    @pytest.mark.parametrize("user", [{**ADA, "password": "hopper"}, {**ADA, "username": "eve"}])
    @pytest.mark.parametrize("path", ["/api/login", "/api/session"])
    def test_a_wrong_password_and_an_unknown_user_get_the_same_401(
        self, program: FlaskClient, path: str, user: dict[str, str]
    ) -> None:
        """The answer does not tell who exists."""
        assert refused(program.post(path, json=user), 401, "Wrong username or password.")

    def test_a_token_of_another_run_is_refused(self, program: FlaskClient) -> None:
        """Each run invents its key."""
        foreign = tokens_of(demo.create_app().test_client())["access_token"]
        assert refused(program.get("/api/me", headers=bearer(foreign)), 422, "Signature verification failed")

    def test_a_given_secret_makes_tokens_last_across_runs(self) -> None:
        """What ``--secret`` is for."""
        first, second = (demo.create_app(bytes(range(32))).test_client() for _ in range(2))
        token = tokens_of(first)["access_token"]
        assert second.get("/api/me", headers=bearer(token)).status_code == 200


class TestBrowser:
    """A browser: tokens in cookies, and every change guarded by a CSRF token."""

    def test_a_login_puts_both_tokens_into_cookies_that_no_script_reads(self, demo_app: Flask) -> None:
        """The tokens are HttpOnly and not in the body; their CSRF values are readable; all are SameSite=Strict."""
        response = demo_app.test_client().post("/api/session", json=ADA)
        cookies = {line.split("=", 1)[0]: line for line in response.headers.getlist("Set-Cookie")}
        hidden = {name for name, line in cookies.items() if "; HttpOnly" in line}
        assert set(cookies) == COOKIES
        assert hidden == {"access_token_cookie", "refresh_token_cookie"}
        assert all("; SameSite=Strict" in line for line in cookies.values())
        assert response.get_json() == {"msg": "Welcome, Ada Lovelace."}

    def test_the_refresh_token_is_sent_to_one_address_only(self, browser: FlaskClient) -> None:
        """Its cookie has the path of the refresh endpoint."""
        assert "refresh_token_cookie" not in browser.get("/api/me").headers["Demo-Cookies-Received"]
        refreshed = browser.post("/api/refresh", headers=csrf(browser, "refresh"))
        assert "refresh_token_cookie" in refreshed.headers["Demo-Cookies-Received"]

    def test_reading_needs_the_cookie_alone(self, browser: FlaskClient) -> None:
        """A GET changes nothing, so it asks for no CSRF token."""
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
        assert refused(browser.post("/api/refresh"), 401, "Missing CSRF token")
        assert refused(
            browser.post("/api/refresh", headers=csrf(browser)), 401, "CSRF double submit tokens do not match"
        )

    def test_a_refresh_sets_a_new_access_cookie(self, browser: FlaskClient) -> None:
        """The token changes and stays out of the body."""
        before = browser.get("/api/me").get_json()["claims"]["jti"]
        response = browser.post("/api/refresh", headers=csrf(browser, "refresh"))
        assert response.get_json() == {"msg": "Here is a new access token."}
        assert browser.get("/api/me").get_json()["claims"]["jti"] != before

    def test_deleting_needs_a_token_made_from_a_password(self, browser: FlaskClient) -> None:
        """A refreshed token is refused until one logs in again."""
        browser.post("/api/notes", headers=csrf(browser), json={"text": "precious"})
        browser.post("/api/refresh", headers=csrf(browser, "refresh"))
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
        client.post("/api/refresh", headers=csrf(client, "refresh"))
        assert client.get("/api/me").status_code == 200

    def test_a_logout_deletes_every_cookie(self, browser: FlaskClient) -> None:
        """The next call comes without a token."""
        written = browser.post("/api/logout").headers["Demo-Cookies-Written"]
        assert set(written.split(", ")) == COOKIES
        assert browser.get_cookie("csrf_access_token") is None
        assert refused(browser.get("/api/me"), 401, "Missing JWT")

    def test_everyone_sees_only_their_own_notes(self, demo_app: Flask, browser: FlaskClient) -> None:
        """The token says whose notes are meant."""
        browser.post("/api/notes", headers=csrf(browser), json={"text": "Ada's"})
        other = demo_app.test_client()
        other.post("/api/session", json=GRACE)
        assert other.get("/api/notes").get_json() == {"notes": []}

    def test_only_the_last_ten_notes_are_kept(self, browser: FlaskClient) -> None:
        """A demo left running does not fill the memory."""
        for number in range(12):
            browser.post("/api/notes", headers=csrf(browser), json={"text": f"note {number}"})
        assert browser.get("/api/notes").get_json()["notes"] == [f"note {number}" for number in range(2, 12)]


class TestInput:
    """Whatever arrives, the answer is a 4xx with a message."""

    @pytest.mark.parametrize(
        "body",
        [
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
        ],
        ids=lambda body: body[:40].decode("ascii", "replace") or "empty",
    )
    @pytest.mark.parametrize("path", ["/api/login", "/api/session"])
    def test_a_body_that_is_no_login_is_a_400(self, program: FlaskClient, path: str, body: bytes) -> None:
        """Broken JSON, the wrong shape, what is no text."""
        response = program.post(path, data=body, content_type="application/json")
        assert response.status_code == 400
        assert response.get_json()["msg"]

    def test_a_body_that_a_form_could_send_is_a_415(self, program: FlaskClient) -> None:
        """So no other site's form logs anyone in."""
        response = program.post("/api/session", data=json.dumps(ADA), content_type="text/plain")
        assert refused(response, 415, "application/json")

    def test_a_body_that_is_too_large_is_a_413(self, program: FlaskClient) -> None:
        """Nobody needs more than 16 KiB here."""
        response = program.post("/api/login", data=b" " * 20_000, content_type="application/json")
        assert response.status_code == 413

    def test_an_unknown_address_and_a_wrong_method_answer_in_json(self, program: FlaskClient) -> None:
        """And the second still says which methods there are."""
        assert refused(program.get("/api/nothing"), 404, "not found")
        wrong = program.get("/api/login")
        assert refused(wrong, 405, "method")
        assert "POST" in wrong.headers["Allow"]

    @pytest.mark.parametrize(
        "arguments", [["--port", "65536"], ["--port", "-1"], ["--port", "http"], ["--secret", "too short"]]
    )
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
        """Nobody has to look up a password."""
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
        """A renamed element or action would be found by nobody until it is clicked."""
        page = program.get("/").get_data(as_text=True)
        script = (DEMO / "static" / "demo.js").read_text(encoding="utf-8")
        elements = set(re.findall(r'byId\("([\w-]+)"\)', script))
        actions = set(re.findall(r'data-action="([\w-]+)"', page))
        assert elements <= set(re.findall(r'\sid="([\w-]+)"', page))
        assert all(re.search(rf'^  (async )?"?{action}"?[(:]', script, re.MULTILINE) for action in actions)

    def test_answers_of_the_api_stay_out_of_caches(self, program: FlaskClient) -> None:
        """Tokens are in some of them."""
        assert program.post("/api/login", json=ADA).headers["Cache-Control"] == "no-store"


class Served(NamedTuple):
    """The demo as a process of its own: where it is, and what it printed."""

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


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def command(port: int) -> list[str]:
    """What ``make demo`` runs."""
    return [sys.executable, str(DEMO / "app.py"), "--port", str(port)]


def read_banner(process: subprocess.Popen[str]) -> str:
    """What the process prints, up to the remark that ends it; nothing if it dies first."""
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
        """Pasted into one shell in their order, they do what is said above each."""
        silent, me, without_token, refreshed = paste(curl_lines(served))
        assert silent == ""
        assert json.loads(me)["location"] == "headers"
        assert json.loads(me)["claims"]["sub"] == "ada"
        assert without_token.startswith("HTTP/1.1 401 ")
        assert "Missing JWT" in without_token
        assert json.loads(refreshed)["access_token"].count(".") == 2

    def test_a_port_that_is_taken_ends_it_with_a_sentence(self, served: Served) -> None:
        """Not with a traceback."""
        second = subprocess.run(command(served.port), capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert f"Port {served.port} is in use" in second.stderr
        assert "Traceback" not in second.stderr


def curl_lines(served: Served) -> list[str]:
    """The commands among the printed lines."""
    return [line for line in served.printed.splitlines() if "curl " in line]


def paste(lines: list[str]) -> list[str]:
    """Type these lines into one bash and return what each printed."""
    marker = "---- end of line ----"
    script = "\n".join(f"{line}\necho '{marker}'" for line in lines)
    direct = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    shell = subprocess.run(["bash"], input=script, env=direct, capture_output=True, text=True, timeout=60, check=True)
    assert shell.stderr == ""
    return [part.strip() for part in shell.stdout.split(marker)[:-1]]
