"""``end_session``, ``end_all_sessions`` and ``list_sessions``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from flask_jwt_extended import (
    ConfigurationError,
    SessionInfo,
    end_all_sessions,
    end_session,
    list_sessions,
    refresh_session,
    revoke_token,
)

from .conftest import MakeService
from .helpers import NOW, Clock, InterruptedStore, Service, signals_sent, summary


def test_ending_ones_own_session(service: Service) -> None:
    """All its tokens are refused from then on. Other sessions stay active."""
    pair, other = service.login(), service.login()
    with signals_sent() as sent:
        assert service.end(pair.access_token) is True
    about = {"session_id": pair.session_id, "identity": "alice", "cause": "logout"}
    assert [tuple(each) for each in sent] == [("session_ended", service.app, about)]
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert service.passes(other.access_token)


def test_ending_another_session_of_the_same_identity(service: Service) -> None:
    """The session of the request stays active."""
    here, there = service.login(), service.login()
    assert service.end(here.access_token, there.session_id) is True
    assert service.end(here.access_token, there.session_id) is False
    assert service.passes(here.access_token)
    assert not service.passes(there.access_token)


def test_the_session_of_another_identity_stays_active(service: Service) -> None:
    """A client may send any identifier."""
    mine, theirs = service.login("alice"), service.login("bob")
    with signals_sent() as sent:
        assert service.end(mine.access_token, theirs.session_id) is False
    assert sent == []
    assert service.passes(theirs.access_token)


@pytest.mark.parametrize(
    "session_id",
    ["", "nonsense", "\ud800", "a\0", "x" * 100_000, 5, True, 1.5, [], ["a"], {"a": 1}],
    ids=lambda value: ascii(value)[:20],
)
def test_an_unknown_session(service: Service, session_id: Any) -> None:
    """A value of any JSON type ends nothing, and is not an error."""
    pair = service.login()
    assert service.end(pair.access_token, session_id) is False
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("view", ["refresh", "unchecked"])
def test_a_refresh_token_ends_its_session_too(service: Service, view: str) -> None:
    """A logout view may require either type of token."""
    pair = service.login()
    assert service.end(pair.refresh_token, view=view) is True
    assert not service.passes(pair.access_token)


def test_where_nothing_was_verified_any_session_is_ended(service: Service) -> None:
    """On the command line, or behind another kind of protection."""
    first, second = service.login("alice"), service.login("bob")
    with service.app.app_context():
        assert end_session(first.session_id) is True
        assert end_session(first.session_id) is False
    assert service.end(None, second.session_id, view="open") is True
    assert not service.passes(second.access_token)


def test_an_anonymous_request_ends_no_session(service: Service) -> None:
    """An optional view accepted it. It has no session of its own."""
    pair = service.login()
    assert service.end(None, pair.session_id, view="optional") is False
    assert service.end(None, None, view="optional") is False
    assert service.passes(pair.access_token)


@pytest.mark.parametrize(
    ("task", "view"),
    [
        (list_sessions, "optional"),
        (end_all_sessions, "optional"),
        (revoke_token, "optional"),
        (refresh_session, "optional-refresh"),
    ],
)
def test_an_anonymous_request_is_refused(service: Service, task: Any, view: str) -> None:
    """With 401, like any request without a token: a client cannot provoke an error of the server."""
    with signals_sent() as sent:
        assert service.run(task, view=view).status_code == 401
    assert summary(sent) == [("token_refused", "missing_token")]


@pytest.mark.parametrize("task", [list_sessions, end_all_sessions, end_session, revoke_token, refresh_session])
def test_without_a_token_an_argument_is_needed(service: Service, task: Any) -> None:
    """The developer forgot to protect the view, or to pass the argument."""
    with pytest.raises(ConfigurationError, match=r"@jwt_required\(\)"):
        service.run(task)
    with service.app.app_context(), pytest.raises(ConfigurationError, match=r"@jwt_required\(\)"):
        task()


def test_a_token_without_a_session_has_none_to_end(service: Service) -> None:
    """It lists the sessions of its identity, and none is the current one."""
    pair, plain = service.login(), service.plain()
    assert service.end(plain) is False
    assert [(each.session_id, each.current) for each in service.sessions(token=plain)] == [(pair.session_id, False)]
    assert service.run(lambda: end_all_sessions(keep_current=True), view="access", token=plain).get_json() == 1


def test_a_session_that_two_requests_end_is_ended_once(make: MakeService) -> None:
    """One of them returns ``True``, and sends the signal."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    pair = service.login()

    def task() -> bool:
        store.meanwhile = store.remove
        return end_session()

    with signals_sent() as sent:
        assert service.run(task, view="access", token=pair.access_token).get_json() is False
    assert sent == []


@pytest.mark.parametrize("keep", [False, True])
def test_ending_all_sessions(service: Service, keep: bool) -> None:
    """Those of the identity, except for the current one if ``keep_current`` is true; never those of others."""
    here, *there = [service.login() for _ in range(3)]
    theirs = service.login("bob")
    with signals_sent() as sent:
        answer = service.run(lambda: end_all_sessions(keep_current=keep), view="access", token=here.access_token)
    assert answer.get_json() == (2 if keep else 3)
    assert {each.payload["session_id"] for each in sent} >= {each.session_id for each in there}
    assert set(summary(sent)) == {("session_ended", "logout_everywhere")}
    assert service.passes(here.access_token) is keep
    assert not any(service.passes(each.access_token) for each in there)
    assert service.passes(theirs.access_token)


def test_a_list_of_sessions(make: MakeService, clock: Clock) -> None:
    """The newest first. The current one is marked; those of others and those that have ended are left out."""
    service = make(SESSION_IDLE_TIMEOUT=1000)
    old = service.login(label="old")
    clock.now += 1
    pairs = []
    for label in ("laptop", "phone", "tablet"):
        clock.now += 1
        pairs.append(service.login(label=label))
    service.login("bob")
    clock.now += 990
    here = service.refreshed(pairs[0].refresh_token)
    clock.now = NOW + 1000
    sessions = service.sessions(token=here.access_token)
    assert [(each.label, each.current) for each in sessions] == [("tablet", False), ("phone", False), ("laptop", True)]
    assert sessions[-1] == SessionInfo(
        session_id=here.session_id,
        identity="alice",
        label="laptop",
        user_agent=sessions[0].user_agent,
        address="127.0.0.1",
        created_at=datetime.fromtimestamp(NOW + 2, timezone.utc),
        last_refreshed_at=datetime.fromtimestamp(NOW + 994, timezone.utc),
        expires_at=datetime.fromtimestamp(NOW + 1994, timezone.utc),
        current=True,
    )
    assert not service.passes(old.access_token)


def test_an_expired_session_does_not_count(make: MakeService, clock: Clock) -> None:
    """Whether the store still has it or not: no function reports that it ended the session."""
    service = make(SESSION_LIFETIME=100)
    gone = [service.login() for _ in range(3)]
    clock.now += 100
    here = service.login()
    with signals_sent() as sent:
        assert service.end(here.access_token, gone[0].session_id) is False
        assert service.revoke(gone[1].refresh_token) is False
        assert service.run(end_all_sessions, view="access", token=here.access_token).get_json() == 1
    assert [each.payload["session_id"] for each in sent] == [here.session_id]
