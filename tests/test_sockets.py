# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""WebSockets, over real servers and with real clients: refused at the door, and closed when time is up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import flask_sock
import flask_socketio
import pytest
import simple_websocket
import socketio as socketio_client
from flask import Flask, request
from socketio.exceptions import ConnectionError as RefusedError

from flask_jwt_extended import (
    JWTManager,
    create_refresh_token,
    end_session,
    get_jwt_identity,
    jwt_required,
    revoke_token,
    start_session,
    view_decorators,
)
from flask_jwt_extended.sockets import sock_required, socketio_required

from ._keys.helpers import eventually
from .conftest import SECRET
from .examples.servers import WebSocket, close_quickly, served
from .tokens import access_token

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    close_quickly(monkeypatch)


def make_app(**options: Any) -> Flask:
    app = Flask("app")
    known = {"SECRET_KEY": SECRET, "STORE_URI": "memory://", "TOKEN_LOCATION": ["headers", "cookies", "query_string"]}
    app.config.update({f"JWT_{name}": value for name, value in (known | options).items()})
    JWTManager(app)
    return app


# --- flask-sock -----------------------------------------------------------------------------------------------------


@pytest.fixture
def app() -> Flask:
    """An application that echoes, and says who it talks to."""
    app = make_app()
    sock = flask_sock.Sock(app)

    @sock.route("/echo")
    @sock_required(check_every=0.1)
    def echo(ws: Any) -> None:
        ws.send(get_jwt_identity())
        while True:
            ws.send(ws.receive())

    @sock.route("/scoped")
    @sock_required(check_every=0.1, scopes="feed")
    def scoped(ws: Any) -> None:
        ws.send("in")

    return app


Connect = Callable[..., Any]


@pytest.fixture
def connect(app: Flask) -> Iterator[Connect]:
    """Open connections, that are closed when the test is over: their threads would keep this process from its end."""
    opened: list[Any] = []
    with served(app) as port:

        def connect(path: str = "/echo", *, headers: dict[str, str] | None = None, bearer: str | None = None) -> Any:
            sent = ({"Authorization": f"Bearer {bearer}"} if bearer else {}) | (headers or {})
            opened.append(WebSocket(f"ws://127.0.0.1:{port}{path}", sent))
            return opened[-1]

        yield connect
        for each in opened:
            with suppress(simple_websocket.ConnectionClosed, OSError):
                each.close()


def closed(ws: Any, seconds: float = 5) -> tuple[int, str]:
    """Why the other side has closed: a status and a reason."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            ws.receive(timeout=0.2)
        except simple_websocket.ConnectionClosed as error:
            return int(error.reason), str(error.message)
    raise AssertionError("It is still open")


def test_who_has_a_token_is_let_in(app: Flask, connect: Connect) -> None:
    """In the header, in a cookie, in the query string."""
    made = access_token(app)
    cookie = {"Cookie": f"access_token_cookie={made}"}
    for ws in (connect(bearer=made), connect(headers=cookie), connect(f"/echo?jwt={made}")):
        assert ws.receive(timeout=5) == "ada"
        ws.send("hello")
        assert ws.receive(timeout=5) == "hello"
        ws.close()


WRONG = ["missing_token", "malformed_token", "wrong_token_type", "expired_token", "revoked_token"]


@pytest.mark.parametrize("wrong", WRONG)
def test_who_has_none_is_told_why(app: Flask, connect: Connect, wrong: str) -> None:
    """By the status for a violated policy, and the code of the refusal."""
    with app.app_context():
        tokens = {
            "missing_token": None,
            "malformed_token": "nonsense",
            "wrong_token_type": create_refresh_token("ada"),
            "expired_token": access_token(app, expires_delta=-5),
            "revoked_token": access_token(app),
        }
        if wrong == "revoked_token":
            revoke_token(tokens[wrong])
    assert closed(connect(bearer=tokens[wrong])) == (1008, wrong)


def test_demands_are_those_of_views(app: Flask, connect: Connect) -> None:
    """A scope, say."""
    assert closed(connect("/scoped", bearer=access_token(app))) == (1008, "insufficient_scope")
    assert connect("/scoped", bearer=access_token(app, additional_claims={"scope": "feed"})).receive(timeout=5) == "in"


def test_it_is_closed_when_the_token_expires(app: Flask, connect: Connect) -> None:
    """Not a second later, and not before."""
    began = time.time()
    ws = connect(bearer=access_token(app, expires_delta=2))
    assert ws.receive(timeout=5) == "ada"
    assert closed(ws) == (1008, "expired_token")
    assert 0.9 <= time.time() - began < 3


def test_it_is_closed_when_the_session_ends(app: Flask, connect: Connect) -> None:
    """Or the token is revoked; another connection goes on."""
    with app.test_request_context():
        pair = start_session("ada")
    of_session, revoked, other = connect(bearer=pair.access_token), access_token(app), connect(bearer=access_token(app))
    single = connect(bearer=revoked)
    for ws in (of_session, single, other):
        assert ws.receive(timeout=5) == "ada"
    with app.test_request_context():
        end_session(pair.session_id)
        revoke_token(revoked)
    assert closed(of_session) == (1008, "session_ended")
    assert closed(single) == (1008, "revoked_token")
    other.send("still here")
    assert other.receive(timeout=5) == "still here"
    other.close()


@pytest.mark.parametrize("path", ["/echo", "/plain"])
def test_a_socket_is_guarded_if_the_application_reads_cookies_itself(
    app: Flask, connect: Connect, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a function in place of 4.7's: neither the origin nor the end of the token is its business."""
    monkeypatch.setattr(
        view_decorators, "_decode_jwt_from_cookies", lambda _refresh: (request.cookies["access_token_cookie"], None)
    )

    @flask_sock.Sock(app).route("/plain")
    @jwt_required(locations="cookies")
    def plain(ws: Any) -> None:
        ws.send(get_jwt_identity())
        ws.receive()

    cookie = {"Cookie": f"access_token_cookie={access_token(app, expires_delta=timedelta(seconds=2))}"}
    assert closed(connect(path, headers=cookie | {"Origin": "https://evil.example"})) == (1008, "csrf")
    of_this_site = connect(path, headers=cookie)
    assert of_this_site.receive(timeout=5) == "ada"
    assert closed(of_this_site, 9) == (1008, "expired_token")


def test_another_site_does_not_get_in_with_the_cookie(app: Flask, connect: Connect) -> None:
    """A browser would send it along: the page that opens the socket counts. No page of another site sends a header."""
    made = access_token(app)
    cookie = {"Cookie": f"access_token_cookie={made}"}
    for evil in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert closed(connect(headers=cookie | evil)) == (1008, "csrf")
    assert connect(headers={"Origin": "https://evil.example"}, bearer=made).receive(timeout=5) == "ada"
    assert connect(headers=cookie | {"Sec-Fetch-Site": "same-origin"}).receive(timeout=5) == "ada"
    app.config["JWT_TRUSTED_ORIGINS"] = ["https://app.example"]
    assert connect(headers=cookie | {"Origin": "https://app.example"}).receive(timeout=5) == "ada"


def test_no_thread_is_left_behind(app: Flask, connect: Connect) -> None:
    """When the client goes, so does who looked after it."""
    before = set(threading.enumerate())
    ws = connect(bearer=access_token(app))
    assert ws.receive(timeout=5) == "ada"
    watchers = [each for each in threading.enumerate() if each.name == "jwt-sockets" and each not in before]
    assert watchers
    ws.close()
    assert eventually(lambda: not any(each.is_alive() for each in watchers))


# --- Flask-SocketIO -------------------------------------------------------------------------------------------------


@pytest.fixture
def chat() -> Iterator[tuple[Flask, int]]:
    """An application with two namespaces: one for who has a token, one that asks for more."""
    app = make_app()
    io = flask_socketio.SocketIO(app, async_mode="threading")

    @io.on("connect")
    @socketio_required(io, check_every=0.1)
    def connect(_auth: Any) -> None:
        io.emit("welcome", get_jwt_identity())

    @io.on("connect", namespace="/clerks")
    @socketio_required(io, roles="clerk", token=lambda auth: auth["ticket"])
    def connect_clerk(_auth: Any) -> None:
        io.emit("welcome", get_jwt_identity(), namespace="/clerks")

    @io.on("echo")
    def echo(text: str) -> str:
        return text

    with served(app) as port:
        yield app, port


@contextmanager
def client(port: int, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A client, and what happened to it."""
    seen: list[str] = []
    io = socketio_client.Client(reconnection=False)
    namespace = (options.get("namespaces") or ["/"])[0]
    io.on("welcome", lambda who: seen.append(f"welcome {who}"), namespace=namespace)
    io.on("disconnect", lambda *_: seen.append("gone"), namespace=namespace)
    try:
        io.connect(f"http://127.0.0.1:{port}", wait_timeout=5, **options)
        yield io, seen
    finally:
        io.disconnect()


def test_a_client_is_let_in_with_its_token(chat: tuple[Flask, int]) -> None:
    """In what it sends as auth, or in the header of its handshake."""
    app, port = chat
    made = access_token(app)
    for options in ({"auth": {"token": made}}, {"headers": {"Authorization": f"Bearer {made}"}}):
        with client(port, **options) as (io, seen):
            assert eventually(lambda seen=seen: "welcome ada" in seen)
            assert io.call("echo", "hello", timeout=5) == "hello"


def test_a_client_without_one_is_refused(chat: tuple[Flask, int]) -> None:
    """With the code of the refusal; of auth, anything may come."""
    app, port = chat
    wrong: list[dict[str, Any]] = [{}, {"auth": {"token": "nonsense"}}, {"auth": {"token": 5}}, {"auth": ["x"]}]
    wrong += [{"auth": {"token": access_token(app, expires_delta=-5)}}]
    codes = ["missing_token", "malformed_token", "missing_token", "missing_token", "expired_token"]
    for options, code in zip(wrong, codes, strict=True):
        told: list[Any] = []
        io = socketio_client.Client(reconnection=False)
        io.on("connect_error", told.append)
        with pytest.raises(RefusedError):
            io.connect(f"http://127.0.0.1:{port}", wait_timeout=5, **options)
        assert eventually(lambda told=told: bool(told))
        assert told[0]["message"] == code


def test_a_namespace_may_ask_for_more(chat: tuple[Flask, int]) -> None:
    """And look for the token elsewhere."""
    app, port = chat
    clerk = access_token(app, additional_claims={"roles": ["clerk"]})
    with client(port, auth={"ticket": clerk}, namespaces=["/clerks"]) as (_, seen):
        assert eventually(lambda: "welcome ada" in seen)
    with (
        pytest.raises(RefusedError),
        client(port, auth={"ticket": access_token(app)}, namespaces=["/clerks"]),
    ):
        pass


@pytest.mark.parametrize("how", ["expiry", "session"])
def test_a_client_is_disconnected_when_its_time_is_up(chat: tuple[Flask, int], how: str) -> None:
    """Its token expires, or its session ends."""
    app, port = chat
    with app.test_request_context():
        pair = start_session("ada")
    made = access_token(app, expires_delta=2) if how == "expiry" else pair.access_token
    with client(port, auth={"token": made}) as (_, seen):
        assert eventually(lambda: "welcome ada" in seen)
        if how == "session":
            with app.test_request_context():
                end_session(pair.session_id)
        assert eventually(lambda: "gone" in seen, 5)
