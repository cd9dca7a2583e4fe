"""Requests that stand still on a busy machine, between reading the clock and reading the store."""

from __future__ import annotations

import time

import pytest
from flask import Flask

from flask_jwt_extended import start_session
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose.token import Token
from flask_jwt_extended._request.authenticate import verify
from flask_jwt_extended._sessions import lifecycle
from flask_jwt_extended.exceptions import RevokedTokenError

from ..conftest import MakeApp


def exchange(app: Flask, refresh_token: str, now: float) -> str:
    """Exchange a refresh token at a time."""
    runtime = get_state(app)
    token: Token = verify(refresh_token, runtime, time.time())
    return lifecycle.refresh(token, runtime, now, None).refresh_token


def test_a_loser_that_stood_still_is_answered(make_app: MakeApp) -> None:
    """Its time is older than that of the winner, and not because a clock was set back."""
    app = make_app(STORE_URI="memory://")
    with app.app_context():
        first = start_session("alice").refresh_token
        began = time.time() - 5
        successor = exchange(app, first, time.time())
        assert exchange(app, first, began) == successor


def test_a_clock_that_was_set_back_refuses(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes on for who has the successor."""
    app = make_app(STORE_URI="memory://", DECODE_LEEWAY=60)
    with app.app_context():
        first = start_session("alice").refresh_token
        successor = exchange(app, first, time.time())
        behind = time.time() - 5
        monkeypatch.setattr(time, "time", lambda: behind)
        with pytest.raises(RevokedTokenError):
            exchange(app, first, behind)
        monkeypatch.undo()
        assert exchange(app, successor, time.time())
