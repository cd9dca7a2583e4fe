# mypy: disable-error-code="import-untyped,misc,untyped-decorator"
# The libraries have no types.
"""Flask-SocketIO with a real client: handlers of every form, and decorators that cannot protect one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import flask_socketio
import pytest
from flask import Flask, request
from socketio.exceptions import BadNamespaceError
from socketio.exceptions import TimeoutError as SocketIOTimeoutError

from flask_jwt_extended import (
    JWTManager,
    get_jwt_identity,
    jwt_required,
    revoke_token,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import NoAuthorizationError
from flask_jwt_extended.sockets import socketio_required

from .._keys.helpers import eventually
from ..conftest import SECRET
from ..examples.servers import close_quickly, served
from ..tokens import access_token
from .socket_clients import client

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

SocketIO = Any


@pytest.fixture(autouse=True)
def _quick_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    close_quickly(monkeypatch)


def make(**options: Any) -> tuple[Flask, SocketIO]:
    app = Flask("app")
    known = {"SECRET_KEY": SECRET, "TOKEN_LOCATION": ["headers", "cookies"], "STORE_URI": "memory://"}
    app.config.update({f"JWT_{name}": value for name, value in (known | options).items()})
    JWTManager(app)
    io = flask_socketio.SocketIO(app, async_mode="threading", cors_allowed_origins="*")
    io.on_event("echo", lambda text: text)
    return app, io


def welcome() -> None:
    flask_socketio.emit("welcome", get_jwt_identity())


# --- Handlers of every form -----------------------------------------------------------------------------------------

Register = Callable[[SocketIO], None]


def without_parameters(io: SocketIO) -> None:
    @io.on("connect")
    @socketio_required(io)
    def connect() -> None:
        welcome()


def with_auth(io: SocketIO) -> None:
    @io.on("connect")
    @socketio_required(io)
    def connect(auth: Any) -> None:
        assert isinstance(auth, dict)
        welcome()


def with_a_default(io: SocketIO) -> None:
    @io.on("connect")
    @socketio_required(io)
    def connect(auth: Any = None) -> None:
        assert isinstance(auth, dict)
        welcome()


def with_any(io: SocketIO) -> None:
    @io.on("connect")
    @socketio_required(io)
    def connect(*arguments: Any) -> None:
        assert isinstance(arguments[0], dict)
        welcome()


def method_with_auth(io: SocketIO) -> None:
    class Chat(flask_socketio.Namespace):
        @socketio_required(io)
        def on_connect(self, auth: Any) -> None:
            assert isinstance(self, Chat)
            assert isinstance(auth, dict)
            welcome()

        def on_echo(self, text: str) -> str:
            return text

    io.on_namespace(Chat("/"))


def method_without_parameters(io: SocketIO) -> None:
    class Chat(flask_socketio.Namespace):
        @socketio_required(io)
        def on_connect(self) -> None:
            assert isinstance(self, Chat)
            welcome()

    io.on_namespace(Chat("/"))


def method_of_a_namespace_that_handles_errors(io: SocketIO) -> None:
    class Chat(flask_socketio.Namespace):
        @socketio_required(io)
        def on_connect(self, _auth: Any) -> None:
            welcome()

        def error(self, error: Exception) -> None:
            """Swallow it."""

    io.on_namespace(Chat("/"))


def inherited_method(io: SocketIO) -> None:
    class Base(flask_socketio.Namespace):
        @socketio_required(io)
        def on_connect(self, _auth: Any) -> None:
            welcome()

    class Chat(Base):
        pass

    io.on_namespace(Chat("/"))


def bound_method(io: SocketIO) -> None:
    class Chat:
        def connect(self, auth: Any) -> None:
            assert isinstance(auth, dict)
            welcome()

    io.on_event("connect", socketio_required(io)(Chat().connect))


def method_of_any_class(io: SocketIO) -> None:
    class Chat:
        @socketio_required(io)
        def connect(self, auth: Any) -> None:
            assert isinstance(auth, dict)
            welcome()

    io.on_event("connect", Chat().connect)


def by_call(io: SocketIO) -> None:
    """As in applications of 4.7."""

    @io.on("connect")
    def connect(_auth: Any) -> None:
        verify_jwt_in_request()
        welcome()


FORMS = [
    without_parameters,
    with_auth,
    with_a_default,
    with_any,
    method_with_auth,
    method_without_parameters,
    method_of_a_namespace_that_handles_errors,
    inherited_method,
    bound_method,
    method_of_any_class,
    by_call,
]


@pytest.mark.parametrize("register", FORMS)
def test_a_connect_handler_of_any_form_is_protected(register: Register) -> None:
    """A client needs a token, is disconnected when it expires, and cannot send the cookie of another site."""
    app, io = make()
    register(io)
    with served(app) as port:
        made = access_token(app, expires_delta=3)
        options: dict[str, Any] = {"headers": {"Authorization": f"Bearer {made}"}, "auth": {"token": made}}
        with client(port, **options) as (_, seen):
            assert eventually(lambda: "welcome ada" in seen)
            with client(port, auth={"x": 1}) as (refused, others):
                assert "connected" not in others
                assert not refused.connected
            evil = {"Cookie": f"access_token_cookie={access_token(app)}", "Origin": "https://evil.example"}
            with client(port, headers=evil, auth={"x": 1}) as (_, others):
                assert "connected" not in others
            with client(port, headers=evil | {"Origin": f"http://127.0.0.1:{port}"}, auth={"x": 1}) as (_, others):
                assert eventually(lambda: "welcome ada" in others)
            assert eventually(lambda: "gone" in seen, 6)


@pytest.mark.parametrize("register", [without_parameters, method_with_auth, by_call])
def test_a_client_that_starts_with_a_websocket_is_protected(register: Register) -> None:
    """Without polling first."""
    app, io = make()
    register(io)
    with served(app) as port:
        bearer = {"Authorization": f"Bearer {access_token(app, expires_delta=2)}"}
        options: dict[str, Any] = {"headers": bearer, "auth": {"x": 1}}
        with client(port, transports=["websocket"], **options) as (_, seen):
            assert eventually(lambda: "welcome ada" in seen)
            assert eventually(lambda: "gone" in seen, 6)
        with client(port, transports=["websocket"], auth={"x": 1}) as (_, others):
            assert "connected" not in others


@pytest.mark.parametrize("always_connect", [False, True])
def test_a_loader_that_fails_lets_no_client_in(always_connect: bool) -> None:
    """python-socketio keeps a client whose connect handler raises any error but its own."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET)
    jwt = JWTManager(app)
    io = flask_socketio.SocketIO(app, async_mode="threading", always_connect=always_connect)
    io.on_event("echo", lambda text: text)
    with_auth(io)

    @jwt.token_in_blocklist_loader
    def is_revoked(_header: Any, claims: Any) -> bool:
        if claims["sub"] == "ada":
            raise ZeroDivisionError
        return False

    with served(app) as port, client(port, auth={"token": access_token(app)}) as (it, seen):
        # With always_connect the client may not notice. The server no longer listens to it.
        with pytest.raises((SocketIOTimeoutError, BadNamespaceError)):
            it.call("echo", "hello", timeout=1)
        assert "welcome ada" not in seen


def test_a_failing_check_disconnects_within_five_seconds() -> None:
    """Like a WebSocket."""
    app, io = make()
    method_with_auth(io)
    broken: list[bool] = []

    @app.extensions["flask-jwt-extended"].token_in_blocklist_loader
    def is_revoked(_header: Any, _claims: Any) -> bool:
        if broken:
            raise ZeroDivisionError
        return False

    with served(app) as port, client(port, auth={"token": access_token(app)}) as (_, seen):
        assert eventually(lambda: "welcome ada" in seen)
        broken.append(True)
        assert eventually(lambda: "gone" in seen, 5.2)


@pytest.mark.parametrize("disconnect", ["raises", "hangs"])
def test_a_disconnect_handler_cannot_keep_a_client(disconnect: str) -> None:
    """It is the application's, and may fail or hang."""
    app, io = make()
    with_auth(io)
    heard: list[str] = []

    @io.on("disconnect")
    def leave() -> None:
        heard.append(request.sid)  # type: ignore[attr-defined]
        if disconnect == "raises":
            raise ZeroDivisionError
        time.sleep(8)

    with served(app) as port, client(port, auth={"token": access_token(app, expires_delta=2)}) as (_, seen):
        assert eventually(lambda: "welcome ada" in seen)
        assert eventually(lambda: heard, 6)
        assert eventually(lambda: io.server.get_environ(heard[0], "/") is None, 3)


def test_a_slow_connect_handler_does_not_end_the_watch() -> None:
    """Until it returns, the server does not call the client connected."""
    app, io = make()

    @io.on("connect")
    @socketio_required(io, check_every=0.1)
    def connect(_auth: Any) -> None:
        time.sleep(0.5)

    made = access_token(app)
    with served(app) as port, client(port, auth={"token": made}) as (_, seen):
        assert eventually(lambda: "connected" in seen)
        with app.app_context():
            revoke_token(made)
        assert eventually(lambda: "gone" in seen, 3)


def test_a_refusal_can_be_handled_as_in_4_7() -> None:
    """An application that catches the error decides itself."""
    app, io = make()

    @io.on("connect")
    def connect(_auth: Any) -> bool | None:
        try:
            verify_jwt_in_request()
        except NoAuthorizationError:
            flask_socketio.emit("welcome", "a guest")
            return None
        return False

    with served(app) as port, client(port, auth={"x": 1}) as (it, seen):
        assert eventually(lambda: "welcome a guest" in seen)
        assert it.call("echo", "hello", timeout=5) == "hello"


# --- Where it cannot work -------------------------------------------------------------------------------------------


def jwt_required_on_a_function(io: SocketIO) -> None:
    @io.on("connect")
    @jwt_required()
    def connect(_auth: Any) -> None:
        welcome()


def jwt_required_without_parameters(io: SocketIO) -> None:
    @io.on("connect")
    @jwt_required(optional=True)
    def connect() -> None:
        welcome()


def jwt_required_on_a_method(io: SocketIO) -> None:
    class Chat(flask_socketio.Namespace):
        @jwt_required()
        def on_connect(self, _auth: Any) -> None:
            welcome()

        def on_echo(self, text: str) -> str:
            return text

    io.on_namespace(Chat("/"))


def jwt_required_where_errors_are_swallowed(io: SocketIO) -> None:
    class Chat(flask_socketio.Namespace):
        @jwt_required()
        def on_connect(self, _auth: Any) -> None:
            welcome()

        def error(self, error: Exception) -> None:
            """Swallow it."""

    io.on_namespace(Chat("/"))


MISPLACED = [
    jwt_required_on_a_function,
    jwt_required_without_parameters,
    jwt_required_on_a_method,
    jwt_required_where_errors_are_swallowed,
]


@pytest.mark.parametrize("register", MISPLACED)
def test_jwt_required_on_a_handler_names_the_decorator_that_works(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    """It refuses every client, with or without a token."""
    app, io = make()
    register(io)
    with served(app) as port:
        for headers in ({}, {"Authorization": f"Bearer {access_token(app)}"}):
            with client(port, headers=headers) as (_, seen):
                # The client may not notice while it is still connecting. The server has disconnected it.
                assert eventually(lambda: not list(io.server.manager.get_participants("/", None)))
                assert not [each for each in seen if each.startswith("welcome")]
    assert "jwt_required does not work" in caplog.text
    assert "socketio_required" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # it is the error
@pytest.mark.parametrize("decorate", [lambda _io: jwt_required(), socketio_required], ids=["jwt", "socketio"])
def test_other_events_cannot_be_protected_alone(
    decorate: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Only the connection can."""
    app, io = make()
    with_auth(io)
    called: list[bool] = []

    @io.on("secret")
    @decorate(io)
    def secret(*_: Any) -> None:
        called.append(True)

    with served(app) as port, client(port, auth={"token": access_token(app)}) as (it, seen):
        assert eventually(lambda: "welcome ada" in seen)
        it.emit("secret", {"token": access_token(app)})
        assert eventually(lambda: "connect handler of the namespace with socketio_required" in caplog.text)
        assert it.call("echo", "hello", timeout=5) == "hello"
    assert not called
