"""A token of a session needs a store: without one it is refused, wherever it comes, and the log says what to set."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    create_refresh_token,
    decode_token,
    refresh_expiring_cookies,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.token import inspect_token

from ..conftest import MakeApp, bearer
from ..tokens import claims_of
from .helpers import MINUTE, Service, browser_of, hear, service_of, stopped_clock, told

PROFILES = ["compat", "strict"]


def without(service: Service) -> Service:
    """The service after its store was taken away."""
    service.app.config["JWT_STORE_URI"] = None
    return service


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("uri", ["", " ", "\n", "\t \r\n"], ids=repr)
def test_an_empty_store_uri_is_refused_at_start(make_app: MakeApp, uri: str, profile: str) -> None:
    """An environment variable that is set to nothing does not turn sessions off."""
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI is empty"):
        make_app(STORE_URI=uri, PROFILE=profile)
    assert make_app(STORE_URI=None, PROFILE=profile).config["JWT_STORE_URI"] is None


def test_an_empty_variable_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, make_app: MakeApp) -> None:
    """As ``from_prefixed_env`` reads it."""
    monkeypatch.setenv("FLASK_JWT_STORE_URI", "")
    app = make_app()
    app.config.from_prefixed_env()
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI is empty"):
        get_state(app)


@pytest.mark.parametrize("uri", [False, 0, b"", b"memory://", [], "null", "None", "false"], ids=repr)
def test_other_values_that_are_not_a_store_are_refused(make_app: MakeApp, uri: Any) -> None:
    """None of them means that there is no store."""
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI must"):
        make_app(STORE_URI=uri)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("view", ["access", "refresh", "optional"])
@pytest.mark.parametrize("how", ["None", "deleted"])
def test_a_token_of_a_session_is_refused_without_a_store(
    make_app: MakeApp, profile: str, view: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As one whose session has ended; one line in the log names the option. Other tokens pass as before."""
    service = service_of(make_app, PROFILE=profile)
    pair = service.login()
    token = pair.refresh_token if view == "refresh" else pair.access_token
    create = create_refresh_token if view == "refresh" else create_access_token
    with service.app.app_context():
        plain = create("alice")
    assert service.passes(token, view)
    if how == "deleted":
        del service.app.config["JWT_STORE_URI"]
    else:
        without(service)
    with hear() as heard, caplog.at_level("WARNING", logger="flask_jwt_extended"):
        for _ in range(3):
            assert not service.passes(token, view)
    assert set(told(heard)) == {("token_refused", "session_ended")}
    lines = [record.getMessage() for record in caplog.records if "sid" in record.getMessage()]
    assert len(lines) == 1
    assert "JWT_STORE_URI" in lines[0]
    assert token not in caplog.text
    assert service.passes(plain, view)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("sid", ["mine", "", 5, 0, False, [], {}], ids=repr)
def test_a_session_claim_of_any_type_needs_a_store(make_app: MakeApp, profile: str, sid: Any) -> None:
    """It ends in a 401; ``null`` names no session."""
    service = service_of(make_app, PROFILE=profile, STORE_URI=None)
    for create, view in ((create_access_token, "access"), (create_refresh_token, "refresh")):
        with service.app.app_context():
            token = create("alice", additional_claims={"sid": sid})
            none = create("alice", additional_claims={"sid": None})
        assert not service.passes(token, view)
        assert service.passes(none, view)


def test_another_application_without_the_store_refuses_it(make_app: MakeApp) -> None:
    """They share the key, and one of them does not know which sessions have ended."""
    first, second = service_of(make_app), service_of(make_app, STORE_URI=None)
    pair = first.login()
    assert first.passes(pair.access_token)
    assert not second.passes(pair.access_token)


def test_a_view_that_skips_the_check_does_not_ask(make_app: MakeApp) -> None:
    """``skip_revocation_check`` takes ended sessions too; reading a token is no request."""
    service = service_of(make_app)
    pair = service.login()
    without(service)
    assert service.passes(pair.access_token, "unchecked")
    with service.app.app_context():
        assert decode_token(pair.access_token)["sid"] == pair.session_id


def test_if_valid_takes_it_as_anonymous(make_app: MakeApp) -> None:
    """As any token that is refused."""
    from flask_jwt_extended import get_jwt_identity, jwt_required

    service = service_of(make_app)
    service.app.add_url_rule("/maybe", "maybe", jwt_required(optional="if-valid")(lambda: str(get_jwt_identity())))
    token = service.login().access_token
    client = service.app.test_client()
    assert client.get("/maybe", headers=bearer(token)).text == "alice"
    without(service)
    assert client.get("/maybe", headers=bearer(token)).text == "None"


def test_a_cookie_is_not_extended_without_a_store(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook leaves the answer alone."""
    clock = stopped_clock(monkeypatch)
    site = service_of(make_app, TOKEN_LOCATION="cookies")
    site.app.after_request(refresh_expiring_cookies)
    browser = browser_of(site)
    without(site)
    clock.now += 14 * MINUTE
    answer = site.run(lambda: None, view="unchecked", client=browser)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (200, [])


def test_inspect_says_so(make_app: MakeApp) -> None:
    """``flask jwt inspect`` does not accept what requests refuse."""
    service = service_of(make_app)
    with service.app.app_context():
        token, plain = start_session("alice").access_token, create_access_token("alice")
    assert inspect_token(token, get_state(service.app), time.time()).accepted
    without(service)
    runtime = get_state(service.app)
    inspection = inspect_token(token, runtime, time.time())
    assert not inspection.accepted
    assert any("JWT_STORE_URI" in verdict.why for verdict in inspection.verdicts if verdict.passed is False)
    assert inspect_token(plain, runtime, time.time()).accepted
    assert claims_of(token)["sid"]
