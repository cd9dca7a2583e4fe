# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""``sock_required`` and ``socketio_required``, over real servers and with real clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import flask_sock
import flask_socketio
import pytest
from flask import Flask, request

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    create_refresh_token,
    get_jwt_identity,
    jwt_required,
    revoke_token,
    view_decorators,
)
from flask_jwt_extended.sockets import sock_required, socketio_required

from ._keys.helpers import eventually
from ._protection.socket_apps import make_app
from ._protection.socket_clients import client, connected, cookie, end_of
from .conftest import SECRET, bearer
from .examples.servers import close_quickly, served
from .tokens import access_token

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    close_quickly(monkeypatch)


# --- flask-sock -----------------------------------------------------------------------------------------------------


def reason(port: int, headers: dict[str, str], path: str = "/ws") -> tuple[int, str]:
    """The status and the reason with which the server closes a connection."""
    with connected(port, headers, path) as ws:
        _, data = end_of(ws, 5)
        return int.from_bytes(data[:2], "big"), data[2:].decode()


def revoked(app: Flask) -> str:
    made = access_token(app)
    with app.app_context():
        revoke_token(made)
    return made


def refresh(app: Flask) -> str:
    with app.app_context():
        return create_refresh_token("ada")


REFUSALS: dict[str, Callable[[Flask], str]] = {
    "malformed_token": lambda _app: "nonsense",
    "wrong_token_type": refresh,
    "expired_token": lambda app: access_token(app, expires_delta=-5),
    "revoked_token": revoked,
}


def test_a_refusal_is_a_status_and_a_code() -> None:
    """The status for a violated policy, and the code of the refusal as the reason."""
    app = make_app("by_sock_required")
    with served(app) as port:
        assert reason(port, {}) == (1008, "missing_token")
        for code, make in REFUSALS.items():
            assert reason(port, bearer(make(app))) == (1008, code)


def test_requirements_are_those_of_views() -> None:
    """A scope, for example."""
    app = make_app("by_sock_required")

    @flask_sock.Sock(app).route("/scoped")
    @sock_required(scopes="feed")
    def scoped(ws: Any) -> None:
        ws.send("in")

    with served(app) as port:
        assert reason(port, bearer(access_token(app)), "/scoped") == (1008, "insufficient_scope")
        with connected(port, bearer(access_token(app, additional_claims={"scope": "feed"})), "/scoped") as ws:
            assert ws.recv() == "in"


@pytest.mark.parametrize("path", ["/ws", "/plain"])
def test_a_socket_is_protected_if_the_application_reads_cookies_itself(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function in place of 4.7's finds the token. The origin and the end of the token are checked all the same."""
    monkeypatch.setattr(
        view_decorators, "_decode_jwt_from_cookies", lambda _refresh: (request.cookies["access_token_cookie"], None)
    )
    app = make_app("by_sock_required")

    @flask_sock.Sock(app).route("/plain")
    @jwt_required(locations="cookies")
    def plain(ws: Any) -> None:
        ws.send(get_jwt_identity())
        ws.receive()

    sent = cookie(app, access_token(app, expires_delta=timedelta(seconds=2)))
    with served(app) as port:
        assert reason(port, sent | {"Origin": "https://evil.example"}, path) == (1008, "csrf")
        with connected(port, sent, path) as ws:
            assert ws.recv() == "ada"
            assert end_of(ws, 9)[1][2:] == b"expired_token"


# --- Flask-SocketIO -------------------------------------------------------------------------------------------------


@pytest.fixture
def chat() -> Iterator[tuple[Flask, int]]:
    """An application with two namespaces: one requires a token, the other a role too."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers", "cookies"])
    JWTManager(app)
    io = flask_socketio.SocketIO(app, async_mode="threading")

    @io.on("connect")
    @socketio_required(io, check_every=0.1)
    def connect(_auth: Any) -> None:
        io.emit("welcome", get_jwt_identity())

    @io.on("connect", namespace="/clerks")
    @socketio_required(io, roles="clerk", token=lambda auth: auth["ticket"])
    def connect_clerk(_auth: Any) -> None:
        io.emit("welcome", get_jwt_identity(), namespace="/clerks")

    with served(app) as port:
        yield app, port


def test_a_client_without_a_good_token_is_refused(chat: tuple[Flask, int]) -> None:
    """The message is the code of the refusal. A client may send anything as ``auth``."""
    app, port = chat
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "missing_token"),
        ({"auth": {"token": "nonsense"}}, "malformed_token"),
        ({"auth": {"token": 5}}, "missing_token"),
        ({"auth": ["x"]}, "missing_token"),
        ({"auth": {"token": access_token(app, expires_delta=-5)}}, "expired_token"),
    ]
    for options, code in wrong:
        with client(port, **options) as (_, seen):
            assert eventually(lambda seen=seen: bool(seen))
            assert seen == [code]


def test_a_namespace_may_require_more(chat: tuple[Flask, int]) -> None:
    """And look for the token elsewhere."""
    app, port = chat
    clerk = access_token(app, additional_claims={"roles": ["clerk"]})
    with client(port, "/clerks", auth={"ticket": clerk}) as (_, seen):
        assert eventually(lambda: "welcome ada" in seen)
    with client(port, "/clerks", auth={"ticket": access_token(app)}) as (_, seen):
        assert eventually(lambda: "insufficient_scope" in seen)
        assert "connected" not in seen


# --- in the wrong place ---------------------------------------------------------------------------------------------


def test_above_the_route_they_are_errors() -> None:
    """The routes of flask-sock and Flask-SocketIO return nothing, so nothing would be protected."""
    sock: Any = flask_sock.Sock(make_app("by_decorator"))
    with pytest.raises(TypeError, match=r"below @sock\.route"):
        sock_required()(sock.route("/another")(lambda _ws: None))
    with pytest.raises(TypeError, match=r"below @socketio\.on"):
        socketio_required(None)(None)  # type: ignore[type-var]  # it is not a function


@pytest.mark.parametrize("decorator", [sock_required, partial(socketio_required, None)], ids=["sock", "socketio"])
def test_a_connection_cannot_be_anonymous(decorator: Any) -> None:
    """Neither by ``optional`` nor by ``report_only``."""
    for options in ({"optional": True}, {"optional": "if-valid"}, {"report_only": True}):
        with pytest.raises(ConfigurationError, match="needs a token"):
            decorator(**options)


def test_on_views_they_are_errors() -> None:
    """The error names the decorator that works."""
    app = make_app("by_decorator")
    app.testing = True
    app.get("/a")(sock_required()(lambda: "a"))
    app.add_url_rule("/b", "b", socketio_required(None)(lambda: "b"))
    for path in ("/a", "/b"):
        with pytest.raises(RuntimeError, match="use jwt_required"):
            app.test_client().get(path)
