"""The application of the storm, a login, a refresh, a view and a logout, and a client that talks to it in its process.

It must not know engines, nor that there are other processes.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import jwt
from flask import Flask, Response, g, jsonify

from flask_jwt_extended import (
    JWTManager,
    TokenPair,
    end_session,
    get_jwt,
    jwt_required,
    refresh_session,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended.signals import refresh_retried, session_refreshed, token_refused
from flask_jwt_extended.stores.base import SessionStore

#: The same for all processes, and of no worth to anybody.
SECRET = "every process of the storm signs with this: 64 bytes, or a few more"
IDENTITY = "somebody"


def application(store: str | SessionStore, **options: Any) -> Flask:
    """Make an application.

    :param store: what JWT_STORE_URI is to be
    :param options: others, without their ``JWT_``
    """
    app = Flask("storm")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI=store)
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    JWTManager(app)
    app.add_url_rule("/login", view_func=_login, methods=["POST"])
    app.add_url_rule("/refresh", view_func=jwt_required(refresh=True)(_refresh), methods=["POST"])
    app.add_url_rule("/view", view_func=jwt_required()(_view))
    app.add_url_rule("/logout", view_func=jwt_required()(_logout), methods=["POST"])
    session_refreshed.connect(_won, app)
    refresh_retried.connect(_replayed, app)
    token_refused.connect(_refused, app)
    app.after_request(_tell)
    return app


def _login() -> Response:
    return _answer(start_session(IDENTITY))


def _refresh() -> Response:
    return _answer(refresh_session())


def _answer(pair: TokenPair) -> Response:
    return jsonify(asdict(pair))


def _view() -> Response:
    return jsonify(sid=get_jwt().get("sid"))


def _logout() -> Response:
    return jsonify(ended=end_session())


def _won(_sender: Flask, **_payload: Any) -> None:
    g.outcome = "won"


def _replayed(_sender: Flask, **_payload: Any) -> None:
    g.outcome = "replayed"


def _refused(_sender: Flask, *, code: str, **_payload: Any) -> None:
    g.outcome = code


def _tell(response: Response) -> Response:
    response.headers["Outcome"] = g.get("outcome", "")
    return response


@dataclass(frozen=True)
class Answer:
    """What a request was answered with.

    :ivar outcome: what became of a refresh, ``won`` or ``replayed``, or the code of the error that refused
    :ivar began: when it was sent, seconds of the clock that all processes of a machine share
    :ivar ended: when it was answered
    """

    status: int
    body: dict[str, Any] = field(repr=False)
    outcome: str
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

    @property
    def access(self) -> str:
        """The access token."""
        return str(self.body["access_token"])

    @property
    def refresh(self) -> str:
        """The refresh token."""
        return str(self.body["refresh_token"])

    @property
    def session_id(self) -> str:
        """The session."""
        return str(self.body["session_id"])

    @property
    def jti(self) -> str:
        """The ``jti`` of the refresh token."""
        return jti_of(self.refresh)


def jti_of(token: str) -> str:
    """Read the ``jti`` of a token of ours."""
    return str(jwt.decode(token, options={"verify_signature": False})["jti"])


class Client:
    """A client of an application in this process.

    :param store: what JWT_STORE_URI is to be
    :param options: others, without their ``JWT_``
    """

    def __init__(self, store: str | SessionStore, **options: Any) -> None:
        self.app = application(store, **options)

    @property
    def store(self) -> SessionStore:
        """The store of the application."""
        store = get_state(self.app).store
        assert store is not None
        return store

    def login(self) -> Answer:
        """Start a session."""
        return self._send("POST", "/login")

    def refresh(self, token: str) -> Answer:
        """Exchange a refresh token."""
        return self._send("POST", "/refresh", token)

    def view(self, token: str) -> Answer:
        """Use an access token."""
        return self._send("GET", "/view", token)

    def logout(self, token: str) -> Answer:
        """End the session of an access token."""
        return self._send("POST", "/logout", token)

    def _send(self, method: str, path: str, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        began = time.monotonic()
        response = self.app.test_client().open(path, method=method, headers=headers)
        body = response.get_json(silent=True) or {}
        return Answer(response.status_code, body, response.headers["Outcome"], began, time.monotonic())

    def close(self) -> None:
        """Let go of the connections of the store."""
        self.store.close()
