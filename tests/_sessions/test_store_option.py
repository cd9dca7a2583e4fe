"""JWT_STORE_URI: tokens of a session are refused without a store, and the store may change."""

from __future__ import annotations

import time
from itertools import product
from typing import Any

import pytest

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    create_refresh_token,
    decode_token,
    end_all_sessions,
    end_session,
    get_jwt_identity,
    jwt_required,
    list_sessions,
    refresh_expiring_cookies,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.token import inspect_token

from ..axes import PROFILES, rotated
from ..conftest import MakeApp, bearer
from .helpers import (
    MINUTE,
    BreakableStore,
    Service,
    Task,
    browser_of,
    service_of,
    signals_sent,
    stopped_clock,
    summary,
)


def without(service: Service) -> None:
    """Remove the store of a service."""
    service.app.config["JWT_STORE_URI"] = None


@rotated("uri", ["", " ", "\n", "\t \r\n"], ids=repr, profile=PROFILES)
def test_an_empty_store_uri_is_refused_at_start(make_app: MakeApp, uri: str, profile: str) -> None:
    """An empty environment variable does not turn sessions off."""
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI is empty"):
        make_app(STORE_URI=uri, PROFILE=profile)
    assert make_app(STORE_URI=None, PROFILE=profile).config["JWT_STORE_URI"] is None


def test_an_empty_variable_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, make_app: MakeApp) -> None:
    """``from_prefixed_env`` reads it."""
    monkeypatch.setenv("FLASK_JWT_STORE_URI", "")
    app = make_app()
    app.config.from_prefixed_env()
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI is empty"):
        get_state(app)


@pytest.mark.parametrize("uri", [False, 0, b"", b"memory://", [], "null", "None", "false"], ids=repr)
def test_other_values_that_are_not_a_store_are_refused(make_app: MakeApp, uri: Any) -> None:
    """Only ``None`` means that there is no store."""
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI must"):
        make_app(STORE_URI=uri)


@rotated("view,how", product(["access", "refresh", "optional"], ["None", "deleted"]), profile=PROFILES)
def test_a_token_of_a_session_is_refused_without_a_store(
    make_app: MakeApp, view: str, how: str, profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Like one whose session has ended. One log line names the option. Plain tokens are accepted as before."""
    service = service_of(make_app, PROFILE=profile)
    pair = service.login()
    token = pair.refresh_token if view == "refresh" else pair.access_token
    plain = service.plain(create_refresh_token if view == "refresh" else create_access_token)
    assert service.passes(token, view)
    if how == "deleted":
        del service.app.config["JWT_STORE_URI"]
    else:
        without(service)
    with signals_sent() as sent, caplog.at_level("WARNING", logger="flask_jwt_extended"):
        for _ in range(3):
            assert not service.passes(token, view)
    assert set(summary(sent)) == {("token_refused", "session_ended")}
    lines = [record.getMessage() for record in caplog.records if "sid" in record.getMessage()]
    assert len(lines) == 1
    assert "JWT_STORE_URI" in lines[0]
    assert token not in caplog.text
    assert service.passes(plain, view)


@rotated("sid", ["mine", "", 5, 0, False, [], {}], profile=PROFILES)
def test_a_sid_claim_of_any_type_needs_a_store(make_app: MakeApp, sid: Any, profile: str) -> None:
    """The answer is 401. ``null`` names no session."""
    service = service_of(make_app, PROFILE=profile, STORE_URI=None)
    for create, view in ((create_access_token, "access"), (create_refresh_token, "refresh")):
        assert not service.passes(service.plain(create, additional_claims={"sid": sid}), view)
        assert service.passes(service.plain(create, additional_claims={"sid": None}), view)


def test_another_application_without_the_store_refuses_it(make_app: MakeApp) -> None:
    """They share the key, and one cannot know which sessions have ended."""
    first, second = service_of(make_app), service_of(make_app, STORE_URI=None)
    pair = first.login()
    assert first.passes(pair.access_token)
    assert not second.passes(pair.access_token)


def test_a_view_may_skip_the_check(make_app: MakeApp) -> None:
    """``skip_revocation_check`` accepts tokens of ended sessions. ``decode_token`` does not check sessions."""
    service = service_of(make_app)
    pair = service.login()
    without(service)
    assert service.passes(pair.access_token, "unchecked")
    with service.app.app_context():
        assert decode_token(pair.access_token)["sid"] == pair.session_id


def test_if_valid_takes_it_as_anonymous(make_app: MakeApp) -> None:
    """Like any token that is refused."""
    service = service_of(make_app)
    service.app.add_url_rule("/maybe", "maybe", jwt_required(optional="if-valid")(lambda: str(get_jwt_identity())))
    token = service.login().access_token
    client = service.app.test_client()
    assert client.get("/maybe", headers=bearer(token)).text == "alice"
    without(service)
    assert client.get("/maybe", headers=bearer(token)).text == "None"


def test_a_cookie_is_not_extended_without_a_store(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """``refresh_expiring_cookies`` does not change the response."""
    clock = stopped_clock(monkeypatch)
    site = service_of(make_app, TOKEN_LOCATION="cookies")
    site.app.after_request(refresh_expiring_cookies)
    browser = browser_of(site)
    without(site)
    clock.now += 14 * MINUTE
    answer = site.run(lambda: None, view="unchecked", client=browser)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (200, [])


def test_inspect_refuses_it(make_app: MakeApp) -> None:
    """``flask jwt inspect`` gives the reason."""
    service = service_of(make_app)
    token, plain = service.login().access_token, service.plain()
    assert inspect_token(token, get_state(service.app), time.time()).accepted
    without(service)
    state = get_state(service.app)
    inspection = inspect_token(token, state, time.time())
    assert not inspection.accepted
    assert any("JWT_STORE_URI" in verdict.why for verdict in inspection.verdicts if verdict.passed is False)
    assert inspect_token(plain, state, time.time()).accepted


# --- with one -------------------------------------------------------------------------------------------------------

_TASKS: dict[str, Task] = {
    "start_session": lambda: start_session("alice"),
    "refresh_session": refresh_session,
    "end_session": end_session,
    "end_all_sessions": end_all_sessions,
    "list_sessions": list_sessions,
    "revoke_token": revoke_token,
}


@pytest.mark.parametrize("task", _TASKS.values(), ids=_TASKS)
def test_the_functions_need_a_store(make_app: MakeApp, task: Task) -> None:
    """The error names the option."""
    service = service_of(make_app, STORE_URI=None)
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI"):
        service.run(task, view="refresh", token=service.plain(create_refresh_token))


def test_other_options_may_change_and_the_store_stays(service: Service) -> None:
    """``memory://`` keeps its sessions."""
    pair = service.login()
    for name, value in {"ACCESS_TOKEN_EXPIRES": 60, "REFRESH_GRACE": 3, "ERROR_MESSAGE_KEY": "error"}.items():
        service.app.config[f"JWT_{name}"] = value
        assert service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 200


def test_another_store_closes_the_old_one(make_app: MakeApp) -> None:
    """It does not know the old one's sessions."""
    old, new = BreakableStore(), BreakableStore()
    service = service_of(make_app, STORE_URI=old)
    pair = service.login()
    service.app.config["JWT_STORE_URI"] = new
    assert not service.passes(pair.access_token)
    assert (old.closed, new.closed) == (True, False)
    without(service)
    assert not service.passes(pair.access_token)
    assert new.closed


def test_two_applications_do_not_share_memory(make_app: MakeApp) -> None:
    """They share a key. ``memory://`` makes a store for each."""
    first, second = service_of(make_app), service_of(make_app)
    pair = first.login()
    assert first.passes(pair.access_token)
    assert not second.passes(pair.access_token)
    assert second.sessions("alice") == []


def test_two_applications_may_share_a_store(make_app: MakeApp) -> None:
    """If both get the same store."""
    store = BreakableStore()
    first, second = service_of(make_app, STORE_URI=store), service_of(make_app, STORE_URI=store)
    pair = first.login()
    assert second.passes(second.refreshed(pair.refresh_token).access_token)
    assert first.sessions("alice") != []
