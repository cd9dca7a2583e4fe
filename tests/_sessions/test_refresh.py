"""``refresh_session``: the exchange of a refresh token, its grace period, and the detection of theft."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from flask_jwt_extended import ConfigurationError, TokenPair, create_refresh_token, refresh_session
from flask_jwt_extended._context import get_state
from flask_jwt_extended._request.authenticate import verify
from flask_jwt_extended._sessions import lifecycle

from ..axes import both_profiles
from ..conftest import PRIVATE_KEYS, bearer, pem
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import DAY, MINUTE, NOW, Clock, InterruptedStore, Service, refusal, signals_sent, summary

_PRIVATE, _PUBLIC = pem(PRIVATE_KEYS["ES256"])
ES256 = {"ALGORITHM": "ES256", "PRIVATE_KEY": _PRIVATE, "PUBLIC_KEY": _PUBLIC}


@both_profiles
def test_a_refresh(service: Service, clock: Clock) -> None:
    """It returns another pair of the same session, which is not fresh. The old access token stays valid."""
    pair = service.login()
    clock.now += 5 * MINUTE
    after = service.refreshed(pair.refresh_token)
    assert after.session_id == pair.session_id
    assert len({pair.access_token, pair.refresh_token, after.access_token, after.refresh_token}) == 4
    assert claims_of(after.access_token)["fresh"] is False
    assert service.passes(pair.access_token)
    assert service.passes(after.access_token)
    assert service.refresh(after.refresh_token).status_code == 200


@both_profiles
def test_each_token_passes_where_it_belongs(service: Service) -> None:
    """A refresh token is not an access token, and an access token is not a refresh token."""
    pair = service.login()
    wrong = [service.run(lambda: None, view="access", token=pair.refresh_token), service.refresh(pair.access_token)]
    assert [each.status_code for each in wrong] in ([422, 422], [401, 401])
    assert service.passes(pair.refresh_token, "refresh")  # it does not count as used


def test_a_refresh_in_the_wrong_view_is_the_developers_mistake(service: Service) -> None:
    """The message names the decorator."""
    token = service.login().access_token
    for view in ("access", "unchecked"):
        with pytest.raises(ConfigurationError, match=r"@jwt_required\(refresh=True\)"):
            service.run(refresh_session, view=view, token=token)


def test_a_plain_refresh_token_cannot_be_exchanged(service: Service) -> None:
    """It belongs to no session. Its view accepts it as before."""
    token = service.plain(create_refresh_token)
    assert service.passes(token, "refresh")
    with signals_sent() as sent:
        assert service.refresh(token).status_code == 401
    assert refusal(sent) == "session_ended"


# --- the grace period -----------------------------------------------------------------------------------------------


def test_within_the_grace_period_all_get_the_same_successor(service: Service, clock: Clock) -> None:
    """With HS256 the same text. Each gets its own access token, and all are valid."""
    pair = service.login(additional_claims={"role": "admin"})
    clock.now += 0.25
    first = service.refreshed(pair.refresh_token)
    clock.now += 9.5
    second = service.refreshed(pair.refresh_token)
    assert second.refresh_token == first.refresh_token
    assert second.access_token != first.access_token
    assert claims_of(second.access_token)["csrf"] == claims_of(first.access_token)["csrf"]
    assert service.passes(first.access_token)
    assert service.passes(second.access_token)
    assert service.refresh(second.refresh_token).status_code == 200


def test_the_same_successor_with_different_signatures(make: MakeService, clock: Clock) -> None:
    """ES256 signs differently each time; the claims are the same."""
    service = make(**ES256)
    pair = service.login()
    first = service.refreshed(pair.refresh_token)
    clock.now += 3
    second = service.refreshed(pair.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert claims_of(second.refresh_token) == claims_of(first.refresh_token)
    assert service.passes(second.refresh_token, "refresh")


def test_the_grace_period_does_not_slide(service: Service, clock: Clock) -> None:
    """It starts with the first use, however often the token is used."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    for _ in range(3):
        clock.now += 3
        service.refreshed(pair.refresh_token)
    clock.now += 3
    assert service.refresh(pair.refresh_token).status_code == 401


def test_the_grace_period_is_for_the_predecessor_only(service: Service, clock: Clock) -> None:
    """An older token ends the session immediately."""
    first = service.login()
    second = service.refreshed(first.refresh_token)
    third = service.refreshed(second.refresh_token)
    with signals_sent() as sent:
        assert service.refresh(first.refresh_token).status_code == 401
    assert summary(sent)[:2] == [("refresh_theft_detected", "superseded"), ("session_ended", "reuse")]
    assert not service.passes(third.access_token)


def test_no_grace_period(make: MakeService, clock: Clock) -> None:
    """With JWT_REFRESH_GRACE = 0, the second use at the same time ends the session."""
    service = make(REFRESH_GRACE=0)
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert not service.passes(after.access_token)


# --- theft ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elapsed", [10, 11, DAY])
def test_after_the_grace_period_a_reuse_ends_the_session(service: Service, clock: Clock, elapsed: float) -> None:
    """All tokens of thief and owner are refused from then on. Other sessions stay active."""
    pair = service.login()
    other = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += elapsed
    with signals_sent() as sent:
        assert service.refresh(pair.refresh_token).status_code == 401
    about = {"session_id": pair.session_id, "identity": "alice"}
    assert [(each.name, each.payload) for each in sent[:2]] == [
        ("refresh_theft_detected", {**about, "cause": "after_grace"}),
        ("session_ended", {**about, "cause": "reuse"}),
    ]
    assert refusal(sent) == "refresh_token_reused"
    with signals_sent() as sent:
        assert service.refresh(after.refresh_token).status_code == 401
    assert summary(sent) == [("token_refused", "session_ended")]
    clock.now = NOW + 1
    assert not service.passes(after.access_token)
    assert not service.passes(pair.access_token)
    assert service.passes(other.access_token)


def test_a_theft_is_reported_once(service: Service, clock: Clock) -> None:
    """The session ends once, however often the stolen token is used."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    with signals_sent() as sent:
        for _ in range(3):
            service.refresh(pair.refresh_token)
    assert summary(sent) == [
        ("refresh_theft_detected", "after_grace"),
        ("session_ended", "reuse"),
        ("token_refused", "refresh_token_reused"),
        ("token_refused", "session_ended"),
        ("token_refused", "session_ended"),
    ]


def test_a_theft_in_a_session_that_another_request_ends(make: MakeService, clock: Clock) -> None:
    """The other request sends the signal of the end."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    pair = service.login()
    service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    store.meanwhile = store.remove
    with signals_sent() as sent:
        assert service.refresh(pair.refresh_token).status_code == 401
    assert summary(sent) == [
        ("refresh_theft_detected", "after_grace"),
        ("token_refused", "refresh_token_reused"),
    ]


def test_a_reuse_is_detected_in_any_view(service: Service, clock: Clock) -> None:
    """Not only where tokens are exchanged."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    assert not service.passes(pair.refresh_token, "refresh")
    assert not service.passes(after.access_token)


def test_a_view_that_skips_the_check_detects_a_reuse_at_the_exchange(service: Service, clock: Clock) -> None:
    """``skip_revocation_check`` does not skip the rotation."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    assert service.run(refresh_session, view="unchecked", token=pair.refresh_token).status_code == 401


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_that_was_set_back_refuses(service: Service, clock: Clock) -> None:
    """The token that was exchanged in its future is refused, and the session stays active."""
    pair = service.login()
    clock.now += MINUTE
    after = service.refreshed(pair.refresh_token)
    clock.now -= 10
    with signals_sent() as sent:
        assert service.refresh(pair.refresh_token).status_code == 401
    assert summary(sent) == [("token_refused", "revoked_token")]
    clock.now += 10
    assert service.passes(after.access_token)
    assert service.refresh(after.refresh_token).status_code == 200


def test_a_request_that_waited_gets_the_successor(service: Service) -> None:
    """Its time is older than that of the winner, though no clock was set back."""
    refresh_token = service.login().refresh_token
    with service.app.app_context():
        state = get_state(service.app)
        token = verify(refresh_token, state, time.time())
        began = time.time() - 5
        successor = lifecycle.refresh(token, state, time.time(), None).refresh_token
        assert lifecycle.refresh(token, state, began, None).refresh_token == successor


# --- the end of a session -------------------------------------------------------------------------------------------


def test_a_refresh_does_not_move_the_end_of_a_session(make: MakeService, clock: Clock) -> None:
    """JWT_SESSION_LIFETIME starts with the login."""
    service = make(SESSION_LIFETIME=100, ACCESS_TOKEN_EXPIRES=1000)
    pair = service.login()
    for _ in range(4):
        clock.now += 24.5
        pair = service.refreshed(pair.refresh_token)
    clock.now = NOW + 99
    assert service.passes(pair.access_token)
    clock.now = NOW + 100
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401


@pytest.mark.parametrize("option", ["SESSION_IDLE_TIMEOUT", "REFRESH_TOKEN_EXPIRES"])
def test_a_refresh_moves_the_idle_timeout(make: MakeService, clock: Clock, option: str) -> None:
    """It, and the lifetime of the refresh token, start with the last refresh."""
    service = make(**{option: 100, "ACCESS_TOKEN_EXPIRES": 1000})
    pair = service.login()
    for _ in range(5):
        clock.now += 99
        pair = service.refreshed(pair.refresh_token)
    clock.now += 99
    assert service.passes(pair.access_token)
    clock.now += 1
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert service.sessions("alice") == []


def test_the_leeway_does_not_extend_a_session(make: MakeService, clock: Clock) -> None:
    """The leeway is for the claims of a token only."""
    service = make(SESSION_LIFETIME=100, DECODE_LEEWAY=50)
    pair = service.login()
    clock.now += 100
    assert not service.passes(pair.access_token)
    assert not service.passes(pair.refresh_token, "refresh")


# --- requests at the same time --------------------------------------------------------------------------------------


def test_an_end_during_a_refresh_wins(make: MakeService) -> None:
    """The refresh makes no successor."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    pair = service.login()

    def task() -> TokenPair:
        store.meanwhile = store.remove
        return refresh_session()

    with signals_sent() as sent:
        assert service.run(task, view="refresh", token=pair.refresh_token).status_code == 401
    assert refusal(sent) == "session_ended"
    assert service.sessions("alice") == []


def test_a_refresh_that_loses_a_race_gets_the_successor_of_the_winner(make: MakeService) -> None:
    """The other request comes between its read and its write."""
    store = InterruptedStore()
    service, winner = make(STORE_URI=store), []
    pair = service.login()

    def task() -> TokenPair:
        store.meanwhile = lambda _session: winner.append(refresh_session())
        return refresh_session()

    answer = service.run(task, view="refresh", token=pair.refresh_token)
    assert answer.get_json()["refresh_token"] == winner[0].refresh_token


@pytest.mark.parametrize("grace", [10, 0])
def test_sixteen_threads_exchange_the_same_token(make: MakeService, grace: int) -> None:
    """One wins. The others get its successor, or without a grace period end the session."""
    service = make(REFRESH_GRACE=grace)
    pair = service.login()
    together = Barrier(16)

    def exchange(_number: int) -> tuple[int, str | None]:
        with service.app.test_client() as client:
            together.wait(30)
            answer = client.post("/do/refresh", headers=bearer(pair.refresh_token))
        return answer.status_code, (answer.get_json() or {}).get("refresh_token")

    service.task = refresh_session
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(exchange, range(16)))
    (successor,) = {token for status, token in answers if status == 200}
    if grace:
        assert {status for status, _ in answers} == {200}
        assert service.refresh(successor or "").status_code == 200
    else:
        assert sorted(status for status, _ in answers) == [200, *[401] * 15]
        assert service.refresh(successor or "").status_code == 401


# --- signals --------------------------------------------------------------------------------------------------------


def test_the_signals_of_a_session(service: Service, clock: Clock) -> None:
    """Each has the session, the identity and the cause. The sender is the application. None contains a token."""
    with signals_sent() as sent:
        pair = service.login("alice")
        after = service.refreshed(pair.refresh_token)
        service.refreshed(pair.refresh_token)
        assert service.end(after.access_token)
    about = {"session_id": pair.session_id, "identity": "alice"}
    assert [tuple(each) for each in sent] == [
        (name, service.app, {**about, "cause": cause})
        for name, cause in (
            ("session_started", "login"),
            ("session_refreshed", "rotation"),
            ("refresh_retried", "grace"),
            ("session_ended", "logout"),
        )
    ]
    text = json.dumps([each.payload for each in sent])
    assert not any(part in text for token in (pair.refresh_token, after.refresh_token) for part in token.split("."))
