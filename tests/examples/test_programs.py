"""The examples with several processes: their own tests, WebSockets, gunicorn behind nginx."""
# mypy: disable-error-code="import-untyped,misc"

from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from http.client import HTTPResponse, HTTPSConnection
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import socketio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from simple_websocket.errors import ConnectionClosed
from socketio.exceptions import ConnectionError as RefusedError

from .._keys.helpers import eventually
from ..conftest import SECRET, bearer
from ..servers import program
from .conftest import EXAMPLES, Load
from .servers import WebSocket, close_quickly, direct, free_port, python, running, served
from .test_classic import get, log_in

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ENVIRONMENT = {**os.environ, "FLASK_JWT_SECRET_KEY": SECRET, "PYTHONWARNINGS": "default"}


@pytest.mark.parametrize(
    ("folder", "passed"), [("tested", "11 passed"), pytest.param("own_store", " passed", marks=pytest.mark.slow)]
)
def test_the_tests_of_an_example_pass(folder: str, passed: str, tmp_path: Path) -> None:
    """A reader may copy them, and run pytest in their folder."""
    command = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLES / folder))
    done = subprocess.run(
        [*command, str(EXAMPLES / folder)], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert passed in done.stdout
    assert "skipped" not in done.stdout


def test_orders_api(load: Load) -> None:
    """Scopes are required, invalid bodies get another status than invalid tokens, and the document lists scopes."""
    client = load("orders_api").app.test_client()
    ada, eve = (log_in(client, {"username": name})["access_token"] for name in ("ada", "eve"))
    assert client.post("/orders", headers=bearer(ada), json={"item": "tea"}).get_json()["ordered_by"] == "ada"
    assert client.post("/orders", headers=bearer(ada), json={}).status_code == 422
    refused = client.post("/orders", headers=bearer(eve), json={"item": "tea"})
    assert refused.status_code == 403
    assert 'scope="orders:write"' in refused.headers["WWW-Authenticate"]
    assert get(client, "/orders", eve).get_json() == [{"item": "tea", "ordered_by": "ada"}]
    assert client.get("/orders").status_code == 401
    document = client.get("/openapi.json").get_json()
    assert [*document["paths"]["/orders"]["post"]["security"][0].values()] == [["orders:write"]]


def test_feed(load: Load) -> None:
    """A client with a token may send. The close frame of one without has the reason."""
    app = load("feed").app
    token = log_in(app.test_client())["access_token"]
    with served(app) as port:
        socket = WebSocket(f"ws://127.0.0.1:{port}/feed", bearer(token))
        socket.send("hello")
        assert socket.receive(timeout=10) == "ada said hello"
        socket.close()
        with pytest.raises(ConnectionClosed) as closed:
            WebSocket(f"ws://127.0.0.1:{port}/feed").receive(timeout=10)
    assert closed.value.message == "missing_token"


class Guest:
    """A user of the chat with a browser: its cookies and the messages that it got."""

    def __init__(self, address: str, name: str | None) -> None:
        self.address = address
        self.heard: list[Any] = []
        self.cookies: dict[str, str] = {}
        if name is not None:
            self.post("/login", {"username": name})
        self.client = socketio.Client(reconnection=False)
        self.client.on("joined", self.heard.append)
        self.client.on("said", self.heard.append)
        self.client.connect(address, headers={"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}, wait_timeout=10)

    @property
    def cookie(self) -> str:
        """The header with all cookies."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def post(self, path: str, body: Any) -> None:
        """Send a request like the page, and keep the cookies of the answer."""
        request = urllib.request.Request(self.address + path, data=json.dumps(body).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        request.add_header("Origin", self.address)
        request.add_header("Cookie", self.cookie)
        request.add_header("X-CSRF-TOKEN", self.cookies.get("__Host-csrf_access_token", ""))
        with direct().open(request, timeout=30) as response:
            for line in response.headers.get_all("Set-Cookie", []):
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value


@pytest.mark.server
def test_chat(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people talk. A client without a token does not get in, and a logout ends the connection."""
    close_quickly(monkeypatch)
    example = load("chat/app")
    with served(example.app) as port:
        address = f"http://127.0.0.1:{port}"
        ada, grace = Guest(address, "ada"), Guest(address, "grace")
        grace.client.emit("say", "hello")
        said = {"who": "grace", "text": "hello"}
        assert eventually(lambda: said in ada.heard and "grace" in ada.heard)
        with pytest.raises(RefusedError):
            Guest(address, None)
        ada.post("/logout", {})
        assert eventually(lambda: not ada.client.connected)
        assert grace.client.connected
        grace.client.disconnect()


# --- gunicorn behind nginx ------------------------------------------------------------------------------------------


class Site(NamedTuple):
    """A site that runs."""

    address: str
    log: Path


def certificate(folder: Path) -> None:
    """A certificate for this machine, as app.pem and app.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(timezone.utc)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "app.pem").write_bytes(signed.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "app.key").write_bytes(private)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """examples/deploy, with ports and paths of this machine."""
    folder = tmp_path_factory.mktemp("site")
    certificate(folder)
    front, back = free_port(), free_port()
    text = (EXAMPLES / "deploy" / "nginx.conf").read_text()
    for there, here in {
        "listen 443": f"listen 127.0.0.1:{front}",
        "app.example.com": "localhost",
        "127.0.0.1:8000": f"127.0.0.1:{back}",
        "/etc/ssl": str(folder),
        "/var/log/nginx": str(folder),
    }.items():
        assert there in text
        text = text.replace(there, here)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log {folder}/errors.log; events {{}} http {{ {paths}\n{text} }}"
    )
    nginx = [program("nginx", package="nginx-light"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    gunicorn = python("-m", "gunicorn", "--config", str(EXAMPLES / "deploy" / "gunicorn.conf.py"))
    gunicorn += ["--chdir", str(EXAMPLES / "deploy"), "wsgi:app"]
    environment = {
        **ENVIRONMENT,
        "BIND": f"127.0.0.1:{back}",
        "WORKERS": "2",
        "FLASK_JWT_STORE_URI": f"sqlite:///{folder}/jwt.db",
    }
    with running(gunicorn, back, folder, environment), running(nginx, front, folder, ENVIRONMENT):
        yield Site(f"https://localhost:{front}", folder / "app.log")


#: The address of the browsers. The proxy has another.
ELSEWHERE = "127.0.0.2"


class FromElsewhere(urllib.request.HTTPSHandler):
    """Connects from another address than the proxy's."""

    def __init__(self, trusting: ssl.SSLContext) -> None:
        super().__init__()
        self.connect = partial(HTTPSConnection, source_address=(ELSEWHERE, 0), context=trusting)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self.connect, req)


class Browser:
    """A browser of that site: it keeps cookies, trusts the certificate, and sends its origin."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.jar = CookieJar()
        trusting = ssl.create_default_context(cafile=str(site.log.with_name("app.pem")))
        self.opener = direct(FromElsewhere(trusting), urllib.request.HTTPCookieProcessor(self.jar))

    def cookie(self, name: str) -> str:
        """The value of a cookie."""
        (value,) = [cookie.value for cookie in self.jar if cookie.name == name]
        return str(value)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a request. Return the status and the body."""
        request = urllib.request.Request(self.site.address + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        for name, value in {"Origin": self.site.address, **headers}.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            response: Any = self.opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            text = response.read()
            return response.status, json.loads(text) if text.startswith((b"{", b"[")) else text


@pytest.mark.server
def test_deployed(site: Site) -> None:
    """Behind nginx, the application sees TLS and the client's address and origin, and cookies are Secure."""
    browser = Browser(site)
    assert browser.call("POST", "/login", {"username": "ada"}, X_Forwarded_For="203.0.113.9") == (200, {"secure": True})
    assert all(cookie.secure for cookie in browser.jar)
    csrf = browser.cookie("__Host-csrf_access_token")
    assert browser.call("POST", "/orders", {}, X_CSRF_TOKEN=csrf) == (201, {"ordered by": "ada"})
    assert browser.call("POST", "/orders", {}, X_CSRF_TOKEN=csrf, Origin="https://evil.example")[0] == 400
    assert browser.call("GET", "/devices") == (200, [ELSEWHERE])
    assert browser.call("POST", "/refresh", {}, X_CSRF_TOKEN=browser.cookie("__Host-csrf_refresh_token"))[0] == 200
    assert browser.call("GET", "/health") == (200, {"up": True})


@pytest.mark.server
def test_a_token_of_eight_kilobytes_arrives(site: Site) -> None:
    """The application refuses it, not a server in front."""
    token = f"{'e' * 4000}.{'e' * 4000}.{'e' * 180}"
    assert Browser(site).call("GET", "/devices", Authorization=f"Bearer {token}")[0] == 401
    assert Browser(site).call("GET", "/devices", Authorization=f"Bearer {'e' * 40_000}")[0] == 400


@pytest.mark.server
def test_no_argument_is_logged(site: Site) -> None:
    """The access log contains no token of a query string."""
    Browser(site).call("GET", "/health?jwt=ey.something.secret")
    assert eventually(lambda: '"GET /health" 200' in site.log.read_text())
    assert "secret" not in site.log.read_text()


@pytest.mark.server
def test_guessing_is_slowed_down(site: Site) -> None:
    """nginx limits the rate of logins."""
    browser = Browser(site)
    statuses = [browser.call("POST", "/login", {"username": "ada"})[0] for _ in range(12)]
    assert 429 in statuses
    assert browser.call("GET", "/devices")[0] == 200
