# mypy: disable-error-code="import-untyped,misc,untyped-decorator,no-untyped-call"
# The libraries have no types.
"""A WebSocket route is protected in every way to declare that, in both profiles, under every server."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import flask_sock
import jwt
import pytest
import websocket
from flask import Flask, request
from werkzeug.serving import make_server

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_token,
    end_session,
    get_jwt_identity,
    jwt_required,
    start_session,
)
from flask_jwt_extended._cli import jwt as commands
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.sockets import sock_required
from flask_jwt_extended.stores.memory import MemoryStore

from .._keys.helpers import eventually
from ..axes import PROFILES, combinations, rotated
from ..conftest import SECRET, bearer
from ..examples.servers import free_port, listens, running, served
from ..tokens import access_token
from .socket_apps import WAYS, make_app, make_echo
from .socket_clients import connected, cookie, end_of, outcome

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

#: A handshake that the client of Flask can send.
HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
#: A cookie from a page of another site, as browsers report it.
CROSS_SITE = {
    "another host": {"Origin": "https://evil.example"},
    "no origin at all": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a subdomain": {"Origin": "http://evil.127.0.0.1"},
    "user information": {"Origin": "http://127.0.0.1@evil.example"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.127.0.0.1"},
    "an extension": {"Sec-Fetch-Site": "none", "Origin": "chrome-extension://abcdef"},
    "a forged host": {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
}


# --- Who may open one -----------------------------------------------------------------------------------------------


@rotated("way", WAYS, profile=PROFILES)
def test_another_site_cannot_open_one_with_the_cookie(way: str, profile: str) -> None:
    """Pages of this site and of trusted origins can, and so can other clients and tokens in a header."""
    app = make_app(way, profile, TRUSTED_ORIGINS=["https://app.example"])
    made = access_token(app)
    with served(app) as port:
        for name, headers in CROSS_SITE.items():
            assert outcome(port, cookie(app, made) | headers) != "in", name
        assert outcome(port, {}) != "in"
        good: tuple[dict[str, str], ...] = (
            {"Origin": f"http://127.0.0.1:{port}"},
            {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "none"},
            {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-origin"},
            {},
        )
        for headers in good:
            assert outcome(port, cookie(app, made) | headers) == "in", headers
        for headers in CROSS_SITE.values():
            assert outcome(port, bearer(made) | headers) == "in"
        assert outcome(port, {"Origin": "https://evil.example"}, f"/ws?jwt={made}") == "in"


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_reaches_the_client(way: str) -> None:
    """As an HTTP response before the connection is made, as a close frame after that."""
    app = make_app(way)
    with served(app) as port:
        got = {
            outcome(port, bearer("nonsense")),
            outcome(port, cookie(app, access_token(app)) | CROSS_SITE["another host"]),
        }
    opened_before = way in ("by_decorator", "by_sock_required", "by_protect_and_sock_required")
    if way == "by_call":  # the handler gets the exception when HTTP can no longer answer
        assert "in" not in got
    else:
        assert got == ({1008} if opened_before else {422, 401})


def test_the_csrf_options_do_not_change_the_check_of_the_origin() -> None:
    """They are for forms and scripts, which CORS and SameSite restrict too."""
    app = make_app("by_decorator", COOKIE_CSRF_PROTECT=False, CSRF_METHODS=["POST"])
    with served(app) as port:
        assert outcome(port, cookie(app, access_token(app)) | CROSS_SITE["another host"]) == 1008
        assert outcome(port, cookie(app, access_token(app))) == "in"


def test_a_report_only_check_does_not_let_another_site_in_as_the_user() -> None:
    """It is let in as anonymous."""
    app = make_app("by_protect", PROFILE="compat")

    @app.route("/report", websocket=True)
    @jwt_required(report_only=True)
    def report() -> str:
        return str(get_jwt_identity())

    headers = HANDSHAKE | cookie(app, access_token(app))
    assert app.test_client().get("/report", headers=headers | {"Origin": "https://evil.example"}).text == "None"


def test_a_handshake_with_the_method_options_needs_a_token() -> None:
    """A preflight passes as anonymous."""
    app = make_app("by_decorator")

    @app.route("/any", methods=["GET", "OPTIONS"], websocket=True)
    @jwt_required()
    def any_method() -> str:
        return "in"

    @app.route("/page", methods=["GET", "OPTIONS"])
    @jwt_required()
    def page() -> str:
        return "in"

    client = app.test_client()
    assert client.open("/any", method="OPTIONS", headers=HANDSHAKE).status_code == 401
    assert client.open("/page", method="OPTIONS").status_code == 200


def test_a_token_may_come_as_a_subprotocol() -> None:
    """Browsers cannot set any other header."""
    app = make_app("by_decorator", HEADER_NAME="Sec-WebSocket-Protocol", HEADER_TYPE="")
    with served(app) as port:
        made = {"Sec-WebSocket-Protocol": access_token(app)}
        assert outcome(port, made | {"Origin": "https://app.example"}) == "in"
        assert outcome(port, {"Sec-WebSocket-Protocol": "nonsense"}) == 1008


# --- For how long ---------------------------------------------------------------------------------------------------


ROTATED = [(way, PROFILES[number % 2]) for number, way in enumerate(WAYS)]


@pytest.fixture(scope="module")
def endings() -> dict[str, Future[None]]:
    """The check of the next test in every way, at the same time, because each takes three seconds."""
    with ThreadPoolExecutor(len(ROTATED)) as pool:
        return {way: pool.submit(check_ending, way, profile) for way, profile in ROTATED}


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_with_its_token(endings: dict[str, Future[None]], way: str) -> None:
    """It ends with its session, too. Another socket stays open."""
    endings[way].result()


def check_ending(way: str, profile: str) -> None:
    app = make_app(way, profile)
    with app.test_request_context():
        pair = start_session("ada")
    with (
        served(app) as port,
        connected(port, bearer(access_token(app, expires_delta=2))) as short,
        connected(port, bearer(pair.access_token)) as of_session,
        connected(port, bearer(access_token(app))) as other,
    ):
        assert {short.recv(), of_session.recv(), other.recv()} == {"ada"}
        with app.test_request_context():
            end_session(pair.session_id)
        assert end_of(short, 4)[1][:2] == (1008).to_bytes(2, "big")
        assert end_of(of_session, 5)[1][2:] == b"session_ended"
        other.send("still here")
        assert other.recv() == "still here"


#: Each server takes seconds to start, and each token to expire: every server twice, every way twice.
SERVERS = [
    ("by_protect", "gthread"),
    ("by_sock_required", "gthread"),
    ("by_decorator", "gevent"),
    ("by_protect", "gevent"),
    ("by_sock_required", "gevent.pywsgi"),
    ("by_decorator", "gevent.pywsgi"),
]


KINDS = ["gthread", "gevent", "gevent.pywsgi"]


@pytest.mark.parametrize(("way", "kind"), combinations(6, ["by_decorator", "by_protect", "by_sock_required"], KINDS))
def test_it_ends_under_other_servers(way: str, kind: str, tmp_path: Path) -> None:
    """Gunicorn with threads and with gevent, and the server of gevent itself."""
    port = free_port()
    factory = f"tests._protection.socket_apps:make_app({way!r})"
    if kind == "gevent.pywsgi":
        program = (
            "from gevent import monkey; monkey.patch_all()\n"
            "from gevent.pywsgi import WSGIServer\n"
            "from tests._protection.socket_apps import make_app\n"
            f"WSGIServer(('127.0.0.1', {port}), make_app({way!r})).serve_forever()\n"
        )
        command = [sys.executable, "-c", program]
    else:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", kind]
        command += ["--threads", "8", "--graceful-timeout", "1", factory]
    root = Path(__file__).parents[2]
    app = make_app(way)
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root}"}
    with (
        running(command, port, tmp_path, environment),
        connected(port, bearer(access_token(app))) as other,
        connected(port, bearer(access_token(app, expires_delta=3))) as short,
    ):
        assert (short.recv(), other.recv()) == ("ada", "ada")
        assert outcome(port, cookie(app, access_token(app)) | CROSS_SITE["another host"]) != "in"
        assert end_of(short, 5)[1] == (1008).to_bytes(2, "big") + b"expired_token"
        other.send("still here")
        assert other.recv() == "still here"


def test_it_ends_under_tls() -> None:
    """Without a close frame: only the server can write into the encrypted stream."""
    app = make_app("by_protect")
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context="adhoc")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ws = websocket.WebSocket(sslopt={"cert_reqs": ssl.CERT_NONE})
    try:
        header = [f"Authorization: Bearer {access_token(app, expires_delta=2)}"]
        ws.connect(f"wss://127.0.0.1:{server.port}/ws", header=header, suppress_origin=True, timeout=5)
        assert ws.recv() == "ada"
        with pytest.raises((websocket.WebSocketConnectionClosedException, ssl.SSLError, ConnectionError)):
            ws.recv()
    finally:
        ws.shutdown()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_socket_that_could_not_be_closed_is_refused() -> None:
    """Some servers do not pass their sockets on. A token without an end needs no socket."""
    app = make_app("by_hook", STORE_URI=None)
    app.add_url_rule("/here", endpoint="here", view_func=lambda: "in", websocket=True)
    app.add_url_rule("/page", endpoint="page", view_func=lambda: "page")
    app.testing = True
    with pytest.raises(RuntimeError, match=r"/here could not be closed .* gevent or Werkzeug"):
        app.test_client().get("/here", headers=HANDSHAKE | bearer(access_token(app)))
    forever = bearer(access_token(app, expires_delta=False))
    assert app.test_client().get("/here", headers=HANDSHAKE | forever).text == "in"
    assert app.test_client().get("/page", headers={"Upgrade": "websocket"} | bearer(access_token(app))).text == "page"
    assert app.test_client().get("/page", headers=HANDSHAKE | bearer(access_token(app))).status_code == 400


def test_a_watch_ends_with_its_request() -> None:
    """A request that looks like a handshake may get an HTTP response on a connection that is used again."""
    app = make_app("by_decorator")

    @app.route("/short", websocket=True)
    @jwt_required()
    def short() -> str:
        assert "jwt-sockets" in {each.name for each in threading.enumerate()}
        return "short"

    with served(app) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/short", headers=HANDSHAKE | bearer(access_token(app)))
        assert connection.getresponse().read() == b"short"
        connection.close()
        assert eventually(lambda: "jwt-sockets" not in {each.name for each in threading.enumerate()})


# --- It fails closed ------------------------------------------------------------------------------------------------


def _raise(error: type[BaseException]) -> None:
    raise error


#: What fails: a loader, what it returns before, and what it does after.
FAILURES: dict[str, tuple[str, Any, Callable[[], Any]]] = {
    "a blocklist raises": ("token_in_blocklist_loader", False, lambda: _raise(ZeroDivisionError)),
    "a blocklist exits": ("token_in_blocklist_loader", False, lambda: _raise(SystemExit)),
    "a blocklist hangs": ("token_in_blocklist_loader", False, lambda: time.sleep(30)),
    "a user lookup raises": ("user_lookup_loader", "ada", lambda: _raise(ConnectionError)),
    "a user was deleted": ("user_lookup_loader", "ada", lambda: None),
    "a verification refuses": ("token_verification_loader", True, lambda: False),
    "a setting is wrong": ("token_verification_loader", True, lambda: True),
}


@rotated("failure", FAILURES, way=["by_decorator", "by_sock_required"])
def test_what_cannot_be_checked_is_closed_within_five_seconds(way: str, failure: str) -> None:
    """Whatever fails, and however."""
    app, broken = make_app(way), list[bool]()
    loader, good, fail = FAILURES[failure]
    register = getattr(app.extensions["flask-jwt-extended"], loader)
    register(lambda _header, _claims: fail() if broken else good)
    with served(app) as port, connected(port, bearer(access_token(app))) as ws:
        assert ws.recv() == "ada"
        broken.append(True)
        if failure == "a setting is wrong":
            app.config["JWT_ALGORITHM"] = "nonsense"
        assert end_of(ws, 6)[0] < 5.2


class FailingStore(MemoryStore):
    """A store that fails when `failure` is set."""

    failure: Callable[[], Any] | None = None

    def status(self, session_id: str | None, token: str | None) -> Any:
        if self.failure:
            self.failure()
        return super().status(session_id, token)


def _outage() -> None:
    raise StoreUnavailableError("ConnectionRefused")


def _bug() -> None:
    raise KeyError("status")


def _hang() -> None:
    time.sleep(20)


@rotated("failure", [_outage, _bug, _hang], way=["by_protect", "by_sock_required"])
def test_a_store_that_fails_closes_within_five_seconds(way: str, failure: Callable[[], None]) -> None:
    """With its own error, with another one, or by hanging."""
    store = FailingStore()
    app = make_app(way, STORE_URI=store)
    with served(app) as port, connected(port, bearer(access_token(app))) as ws:
        assert ws.recv() == "ada"
        store.failure = failure
        took, said = end_of(ws, 6)
        assert took < 5.2
        assert said[2:] in (b"store_unavailable", b"unavailable")


@pytest.mark.parametrize("way", ["by_decorator", "by_sock_required"])
def test_a_token_whose_expiry_is_out_of_range_opens_nothing(way: str) -> None:
    """A float cannot hold it."""

    app = make_app(way, STORE_URI=None)
    claims = {"sub": "ada", "type": "access", "jti": "x", "iat": 0, "nbf": 0, "exp": 10**400}
    with served(app) as port:
        assert outcome(port, bearer(jwt.encode(claims, SECRET))) != "in"
        assert outcome(port, bearer(jwt.encode(claims | {"exp": 2**53}, SECRET))) == "in"


def test_a_check_that_hangs_keeps_no_other_socket_open() -> None:
    """Neither after its expiry nor after its revocation. Good ones stay open."""
    app = make_app("by_decorator")
    revoked: set[str] = set()

    @app.extensions["flask-jwt-extended"].token_in_blocklist_loader
    def is_revoked(_header: Any, claims: Any) -> bool:
        if claims["sub"] in revoked and claims.get("hangs"):
            time.sleep(20)
        return claims["sub"] in revoked and not claims.get("hangs")

    def made(name: str, **arguments: Any) -> dict[str, str]:
        with app.app_context():
            return bearer(create_access_token(name, **arguments))

    hangs = [{"additional_claims": {"hangs": True}}] * 6
    with (
        served(app) as port,
        connected(port, made("short", expires_delta=7)) as short,
        connected(port, made("revoked")) as single,
        connected(port, made("good")) as good,
        ExitStack() as stack,
    ):
        stuck = [stack.enter_context(connected(port, made(f"stuck{n}", **each))) for n, each in enumerate(hangs)]
        for ws in (short, single, good, *stuck):
            ws.recv()
        revoked.update(f"stuck{n}" for n in range(6))
        for ws in stuck:
            end_of(ws, 6)
        revoked.add("revoked")
        assert end_of(single, 5)[1][2:] == b"revoked_token"
        assert end_of(short, 5)[1][2:] == b"expired_token"
        good.send("still here")
        assert good.recv() == "still here"


def test_a_loader_may_read_the_request() -> None:
    """As in a view: the socket stays open."""
    app = make_app("by_sock_required")

    @app.extensions["flask-jwt-extended"].user_lookup_loader
    def user(_header: Any, claims: Any) -> Any:
        return claims["sub"] + request.path

    with served(app) as port, connected(port, bearer(access_token(app))) as ws:
        ws.recv()
        time.sleep(4)
        ws.send("still here")
        assert ws.recv() == "still here"


def test_a_single_use_token_opens_a_socket_that_stays_open() -> None:
    """To use it is not to revoke it. Loaders get the original token."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI="memory://")
    JWTManager(app).token_in_blocklist_loader(lambda _header, claims: len(claims["jti"]) != 36)
    flask_sock.Sock(app).route("/ws")(sock_required(token_type="ticket", check_every=0.2)(make_echo()))
    with app.app_context():
        made = create_token("ticket", "ada", single_use=True)
    with served(app) as port, connected(port, bearer(made)) as ws:
        assert ws.recv() == "ada"
        assert outcome(port, bearer(made)) == 1008
        time.sleep(1)
        ws.send("still here")
        assert ws.recv() == "still here"


# --- One thread -----------------------------------------------------------------------------------------------------


def test_one_thread_watches_every_socket() -> None:
    """It ends with the last one."""
    app = make_app("by_decorator")
    made = bearer(access_token(app))

    def watchers() -> int:
        return sum(each.name == "jwt-sockets" for each in threading.enumerate())

    before = watchers()
    with served(app) as port:
        with ExitStack() as stack:
            opened = [stack.enter_context(connected(port, made)) for _ in range(12)]
            for ws in opened:
                ws.recv()
            assert watchers() == 1
        assert eventually(lambda: watchers() <= before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork")
def test_a_forked_worker_watches_its_own_sockets(tmp_path: Path) -> None:
    """A thread does not survive a fork, so a child process starts another."""
    port, other = free_port(), free_port()
    program = f"""
import os, threading, time
from werkzeug.serving import make_server
from tests._protection.socket_apps import make_app
app = make_app("by_decorator")
first = make_server("127.0.0.1", {other}, app, threaded=True)
threading.Thread(target=first.serve_forever, daemon=True).start()
while not os.path.exists("fork"):
    time.sleep(0.05)
if os.fork() == 0:
    make_server("127.0.0.1", {port}, app, threaded=True).serve_forever()
threading.Event().wait(20)
"""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root}", "PYTHONWARNINGS": "ignore"}
    app = make_app("by_decorator")
    with (
        running([sys.executable, "-c", program], other, tmp_path, environment),
        connected(other, bearer(access_token(app))) as first,
    ):
        assert first.recv() == "ada"
        (tmp_path / "fork").touch()
        assert any(listens(port) for _ in range(200))
        with connected(port, bearer(access_token(app, expires_delta=2))) as ws:
            assert ws.recv() == "ada"
            assert end_of(ws, 4)[1][2:] == b"expired_token"


def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A driver's message may hold an address with a password."""
    app, broken = make_app("by_decorator"), list[bool]()

    @app.extensions["flask-jwt-extended"].token_in_blocklist_loader
    def is_revoked(_header: Any, _claims: Any) -> bool:
        if broken:
            raise OSError("redis://:hunter2@store")
        return False

    made = access_token(app)
    with caplog.at_level(logging.DEBUG), served(app) as port, connected(port, bearer(made)) as ws:
        ws.recv()
        broken.append(True)
        end_of(ws, 6)
    assert "OSError" in caplog.text
    assert "hunter2" not in caplog.text
    assert made not in caplog.text


@pytest.mark.parametrize("way", ["by_sock_required", "by_protect_and_sock_required", "by_decorator"])
def test_the_audit_lists_the_decorators_of_sockets(way: str) -> None:
    """Like those of views."""
    listed = make_app(way).test_cli_runner().invoke(commands, ["routes"]).output
    assert "decorator" in next(line for line in listed.splitlines() if "/ws" in line)
