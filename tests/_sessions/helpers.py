"""Shared by the tests of sessions: an application whose views run a task of the test, a clock that the test sets,
recorded signals, and stores that fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response, jsonify
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    SessionInfo,
    TokenPair,
    create_access_token,
    end_all_sessions,
    end_session,
    jwt_required,
    list_sessions,
    refresh_session,
    revoke_token,
    set_session_cookies,
    signals,
    start_session,
)
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.memory import MemoryStore
from flask_jwt_extended.stores.records import SessionRecord

from ..conftest import MakeApp, bearer

#: The time at which tests with a clock begin: a whole second.
NOW = 1_700_000_000
MINUTE, DAY = 60, 86_400
#: Browsers send the cookies of the strict profile over HTTPS only.
HTTPS = "https://localhost"

Task = Callable[[], Any]


class Clock:
    """Replaces ``time.time``."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock until the end of a test."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


class Service:
    """An application with a store, and a view for each kind of protection that runs a task of the test.

    :ivar returned: the Python value that the last task returned
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.returned: Any = None
        self.task: Task = lambda: None
        requirements: dict[str, dict[str, Any]] = {
            "access": {},
            "refresh": {"refresh": True},
            "optional": {"optional": True},
            "optional-refresh": {"optional": True, "refresh": True},
            "unchecked": {"skip_revocation_check": True, "verify_type": False},
        }
        app.add_url_rule("/do/open", "do-open", self._view, methods=["GET", "POST"])
        for name, arguments in requirements.items():
            view = jwt_required(**arguments)(self._view)
            app.add_url_rule(f"/do/{name}", f"do-{name}", view, methods=["GET", "POST"])

    def _view(self) -> Response:
        self.returned = self.task()
        return self.returned if isinstance(self.returned, Response) else jsonify(self.returned)

    @property
    def manager(self) -> JWTManager:
        """The extension of the application."""
        manager: JWTManager = self.app.extensions["flask-jwt-extended"]
        return manager

    def run(
        self,
        task: Task,
        *,
        view: str = "open",
        token: str | None = None,
        client: FlaskClient | None = None,
        **sent: Any,
    ) -> TestResponse:
        """Send a request to a view that runs the task."""
        self.task = task
        client = client or self.app.test_client(use_cookies=False)
        headers = {**sent.pop("headers", {}), **(bearer(token) if token else {})}
        return client.open(f"/do/{view}", base_url=HTTPS, headers=headers, **sent)

    def plain(self, create: Callable[..., str] = create_access_token, **arguments: Any) -> str:
        """A token of alice that belongs to no session."""
        with self.app.app_context():
            return create("alice", **arguments)

    def login(self, identity: Any = "alice", **options: Any) -> TokenPair:
        """Start a session in a view."""
        headers = options.pop("headers", {})
        answer = self.run(lambda: start_session(identity, **options), headers=headers)
        assert answer.status_code == 200, answer.text
        return TokenPair(**answer.get_json())

    def refresh(self, token: str) -> TestResponse:
        """Exchange a refresh token."""
        return self.run(refresh_session, view="refresh", token=token)

    def refreshed(self, token: str) -> TokenPair:
        """Exchange a refresh token, and expect success."""
        answer = self.refresh(token)
        assert answer.status_code == 200, answer.text
        return TokenPair(**answer.get_json())

    def passes(self, token: str, view: str = "access") -> bool:
        """Whether a view accepts a token; otherwise it answers 401."""
        status = self.run(lambda: None, view=view, token=token).status_code
        assert status in (200, 401)
        return status == 200

    def end(self, token: str | None, session_id: Any = None, view: str = "access") -> Any:
        """End a session in a request with a token."""
        return self.run(lambda: end_session(session_id), view=view, token=token).get_json()

    def end_all(self, *identity: Any) -> Any:
        """End all sessions of an identity, without a token."""
        return self.run(lambda: end_all_sessions(*identity)).get_json()

    def revoke(self, encoded: str | None = None, *, token: str | None = None, view: str = "open") -> Any:
        """Revoke a token, or that of the request."""
        return self.run(lambda: revoke_token(encoded), view=view, token=token).get_json()

    def sessions(self, identity: Any = None, *, token: str | None = None) -> list[SessionInfo]:
        """List the sessions of an identity, or of the token's."""
        answer = self.run(lambda: list_sessions(identity), view="access" if token else "open", token=token)
        assert answer.status_code == 200, answer.text
        listed: list[SessionInfo] = self.returned
        return listed


def service_of(make_app: MakeApp, **options: Any) -> Service:
    """Make a service, with ``memory://`` by default. Errors without a handler reach the test."""
    app = make_app(**{"STORE_URI": "memory://", **options})
    app.testing = True
    return Service(app)


# --- browsers -------------------------------------------------------------------------------------------------------


def with_cookies(pair: TokenPair) -> Response:
    """A response that sets the cookies of a pair."""
    response = jsonify(session=pair.session_id)
    set_session_cookies(response, pair)
    return response


def with_cookie(change: Callable[..., None], *arguments: Any) -> Response:
    """A response that a function like ``set_access_cookies`` has changed."""
    response = jsonify(None)
    change(response, *arguments)
    return response


def browser_of(service: Service) -> FlaskClient:
    """A browser that is logged in."""
    browser = service.app.test_client()
    assert service.run(lambda: with_cookies(start_session("alice")), client=browser).status_code == 200
    return browser


def another_tab(browser: FlaskClient) -> FlaskClient:
    """A browser with a copy of the same cookies."""
    tab = browser.application.test_client()
    tab._cookies = dict(browser._cookies or {})
    return tab


def cookie(browser: FlaskClient, name: str) -> str:
    """The value of a cookie, whatever the prefix of its name."""
    found = [browser.get_cookie(prefix + name, domain="localhost") for prefix in ("", "__Host-")]
    (value,) = [each.value for each in found if each is not None]
    return value


def csrf(browser: FlaskClient, kind: str) -> dict[str, str]:
    """The header that a script of the page adds."""
    return {"X-CSRF-TOKEN": cookie(browser, f"csrf_{kind}_token")}


def post(service: Service, task: Task, view: str, browser: FlaskClient, headers: dict[str, str]) -> TestResponse:
    """Send a POST request from a browser."""
    return service.run(task, view=view, client=browser, method="POST", headers=headers)


def exchange(service: Service, browser: FlaskClient, page: FlaskClient | None = None) -> TestResponse:
    """Exchange the refresh token in a browser's cookies; the CSRF value may be that of another page."""
    answer = post(
        service, lambda: with_cookies(refresh_session()), "refresh", browser, csrf(page or browser, "refresh")
    )
    assert answer.status_code == 200
    return answer


# --- signals --------------------------------------------------------------------------------------------------------


class Sent(NamedTuple):
    """A signal that was sent."""

    name: str
    sender: Any
    payload: dict[str, Any]


_SIGNALS = (
    "token_refused",
    "session_started",
    "session_refreshed",
    "refresh_retried",
    "refresh_theft_detected",
    "session_ended",
    "store_outage",
)


@contextmanager
def signals_sent() -> Iterator[list[Sent]]:
    """Record the signals of all applications."""
    sent: list[Sent] = []

    def note(name: str, sender: Any, **payload: Any) -> None:
        sent.append(Sent(name, sender, payload))

    with ExitStack() as stack:
        for name in _SIGNALS:
            stack.enter_context(getattr(signals, name).connected_to(partial(note, name)))
        yield sent


def summary(sent: list[Sent]) -> list[tuple[str, Any]]:
    """The name of each signal, with the cause, or the code of a refusal."""
    return [(each.name, each.payload.get("cause", each.payload.get("code"))) for each in sent]


def refusal(sent: list[Sent]) -> str:
    """The code of the only refusal."""
    (code,) = [each.payload["code"] for each in sent if each.name == "token_refused"]
    assert isinstance(code, str)
    return code


# --- stores ---------------------------------------------------------------------------------------------------------

REASON = "ConnectionRefusedError"
_OPERATIONS = frozenset(("add", "get", "replace", "remove", "sessions_of", "sessions", "status", "revoke"))


class BreakableStore(MemoryStore):
    """A store that can become unavailable."""

    down = False
    closed = False

    def __getattribute__(self, name: str) -> Any:
        if name in _OPERATIONS and object.__getattribute__(self, "down"):
            raise StoreUnavailableError(REASON)
        return super().__getattribute__(name)

    def close(self) -> None:
        """Record the call."""
        self.closed = True
        super().close()


class InterruptedStore(MemoryStore):
    """A store where another request comes between a read and the next call.

    :ivar meanwhile: called once, after the next session was read
    """

    meanwhile: Callable[[str], object] | None = None

    def get(self, session_id: str) -> SessionRecord | None:
        """Read, then let the other request run."""
        record = super().get(session_id)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(session_id)
        return record
