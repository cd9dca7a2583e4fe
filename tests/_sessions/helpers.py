"""What the tests of the session functions share: an application that does in a view what a test says, a clock that
stands still, an ear for signals, and a store that can be cut off.

It must not know what any function should do.
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
    TokenPair,
    jwt_required,
    refresh_session,
    set_session_cookies,
    signals,
    start_session,
)
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.memory import MemoryStore
from flask_jwt_extended.stores.records import SessionRecord

from ..conftest import MakeApp, bearer

#: The moment that tests with a clock begin: a whole second.
NOW = 1_700_000_000
MINUTE, DAY = 60, 86_400
#: Browsers send the cookies of the strict profile over HTTPS alone.
HTTPS = "https://localhost"

Task = Callable[[], Any]


class Clock:
    """Stands for ``time.time``: it is as late as the test says."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock for the rest of a test."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock)
    return clock


class Service:
    """An application with a store, and a view for each kind of protection that does what the test says.

    :ivar returned: what the task returned the last time, as it was in Python
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.returned: Any = None
        self._task: Task = lambda: None
        demands: dict[str, dict[str, Any]] = {
            "access": {},
            "refresh": {"refresh": True},
            "optional": {"optional": True},
            "optional-refresh": {"optional": True, "refresh": True},
            "unchecked": {"skip_revocation_check": True, "verify_type": False},
        }
        app.add_url_rule("/do/open", "do-open", self._view, methods=["GET", "POST"])
        for name, demand in demands.items():
            view = jwt_required(**demand)(self._view)
            app.add_url_rule(f"/do/{name}", f"do-{name}", view, methods=["GET", "POST"])

    def _view(self) -> Response:
        self.returned = self._task()
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
        """Do something within a view, asked for by a client."""
        self._task = task
        client = client or self.app.test_client(use_cookies=False)
        headers = {**sent.pop("headers", {}), **(bearer(token) if token else {})}
        return client.open(f"/do/{view}", base_url=HTTPS, headers=headers, **sent)

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
        """Exchange a refresh token with success."""
        answer = self.refresh(token)
        assert answer.status_code == 200, answer.text
        return TokenPair(**answer.get_json())

    def passes(self, token: str, view: str = "access") -> bool:
        """Whether a token passes, or else is refused with a 401."""
        status = self.run(lambda: None, view=view, token=token).status_code
        assert status in (200, 401)
        return status == 200


def service_of(make_app: MakeApp, **options: Any) -> Service:
    """Make a service, over ``memory://`` unless told otherwise. What no loader answers leaves the client."""
    app = make_app(**{"STORE_URI": "memory://", **options})
    app.testing = True
    return Service(app)


# --- browsers -------------------------------------------------------------------------------------------------------


def with_cookies(pair: TokenPair) -> Response:
    """Answer with a pair in cookies."""
    response = jsonify(session=pair.session_id)
    set_session_cookies(response, pair)
    return response


def browser_of(service: Service) -> FlaskClient:
    """A browser that has logged in."""
    browser = service.app.test_client()
    assert service.run(lambda: with_cookies(start_session("alice")), client=browser).status_code == 200
    return browser


def another_tab(browser: FlaskClient) -> FlaskClient:
    """A browser with the same cookies, which from now on are its own."""
    tab = browser.application.test_client()
    tab._cookies = dict(browser._cookies or {})
    return tab


def cookie(browser: FlaskClient, name: str) -> str:
    """The value of a cookie, whatever prefix its name has."""
    found = [browser.get_cookie(prefix + name, domain="localhost") for prefix in ("", "__Host-")]
    (value,) = [each.value for each in found if each is not None]
    return value


def csrf(browser: FlaskClient, kind: str) -> dict[str, str]:
    """The header that a script of the page would add."""
    return {"X-CSRF-TOKEN": cookie(browser, f"csrf_{kind}_token")}


def post(service: Service, task: Task, view: str, browser: FlaskClient, headers: dict[str, str]) -> TestResponse:
    """Send what a script of a page would."""
    return service.run(task, view=view, client=browser, method="POST", headers=headers)


# --- signals --------------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
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
def hear() -> Iterator[list[Heard]]:
    """Gather the signals that are sent meanwhile, whoever sends them."""
    heard: list[Heard] = []

    def note(name: str, sender: Any, **payload: Any) -> None:
        heard.append(Heard(name, sender, payload))

    with ExitStack() as stack:
        for name in _SIGNALS:
            stack.enter_context(getattr(signals, name).connected_to(partial(note, name)))
        yield heard


def told(heard: list[Heard]) -> list[tuple[str, Any]]:
    """Signals about sessions by name and cause, refusals by code."""
    return [(each.name, each.payload.get("cause", each.payload.get("code"))) for each in heard]


# --- stores ---------------------------------------------------------------------------------------------------------

REASON = "ConnectionRefusedError"
_OPERATIONS = frozenset(("add", "get", "replace", "remove", "sessions_of", "sessions", "status", "revoke"))


class BreakableStore(MemoryStore):
    """A store that can be cut off."""

    down = False
    closed = False

    def __getattribute__(self, name: str) -> Any:
        if name in _OPERATIONS and object.__getattribute__(self, "down"):
            raise StoreUnavailableError(REASON)
        return super().__getattribute__(name)

    def close(self) -> None:
        """Remember it."""
        self.closed = True
        super().close()


class InterruptedStore(MemoryStore):
    """A store where something happens between a read and what follows it.

    :ivar meanwhile: done once, after the next session was read
    """

    meanwhile: Callable[[str], object] | None = None

    def get(self, session_id: str) -> SessionRecord | None:
        """Read, and then let something happen."""
        record = super().get(session_id)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(session_id)
        return record
