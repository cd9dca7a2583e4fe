"""A login replaces the session it happens in (OWASP ASVS 7.2.4), for every way in which the session before may be
presented. It never fails for what is wrong with an old token, and an old copy ends nobody else's session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt as pyjwt
import pytest
from flask import Response, jsonify
from flask.testing import FlaskClient

from flask_jwt_extended import (
    create_access_token,
    end_session,
    refresh_session,
    revoke_token,
    set_access_cookies,
    set_refresh_cookies,
    start_session,
    verify_jwt_in_request,
)
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.memory import MemoryStore

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp
from ..tokens import claims_of
from .helpers import (
    DAY,
    HTTPS,
    MINUTE,
    Clock,
    Service,
    another_tab,
    browser_of,
    cookie,
    csrf,
    hear,
    post,
    service_of,
    stopped_clock,
    told,
    with_cookies,
)

MakeService = Callable[..., Service]
BOTH = {"TOKEN_LOCATION": ["headers", "cookies"]}


@pytest.fixture
def make(make_app: MakeApp) -> MakeService:
    """Make a service that takes tokens from headers and cookies."""

    def with_options(**options: Any) -> Service:
        return service_of(make_app, **{**BOTH, **options})

    return with_options


@pytest.fixture(params=["compat", "strict"])
def service(request: pytest.FixtureRequest, make: MakeService) -> Service:
    """A service in each profile."""
    return make(PROFILE=request.param)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


def login_in_browser(service: Service, browser: FlaskClient, identity: str = "alice", **options: Any) -> Any:
    """Log in where the browser shows the cookies it has."""
    return service.run(lambda: with_cookies(start_session(identity, **options)), client=browser)


# --- it does --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["access", "optional", "refresh", "optional-refresh", "unchecked"])
@pytest.mark.parametrize("identity", ["alice", "bob"])
def test_the_session_of_the_verified_token_ends(service: Service, view: str, identity: str) -> None:
    """Whoever logs in; and sessions elsewhere stay active."""
    before, elsewhere = service.login("alice"), service.login("alice")
    token = before.refresh_token if "refresh" in view else before.access_token
    with hear() as heard:
        answer = service.run(lambda: start_session(identity), view=view, token=token)
    assert answer.status_code == 200
    assert told(heard) == [("session_started", "login"), ("session_ended", "replaced")]
    assert heard[1].payload == {"session_id": before.session_id, "identity": "alice", "cause": "replaced"}
    assert not service.passes(before.access_token)
    assert not service.passes(before.refresh_token, "refresh")
    assert service.passes(answer.get_json()["access_token"])
    assert service.passes(elsewhere.access_token)


def test_also_where_the_view_verifies_by_itself(service: Service) -> None:
    """With the function in place of the decorator."""
    before = service.login()

    def login() -> Any:
        verify_jwt_in_request(optional=True)
        return start_session("alice")

    assert service.run(login, token=before.access_token).status_code == 200
    assert not service.passes(before.access_token)


@pytest.mark.parametrize("identity", ["alice", "bob"])
@pytest.mark.parametrize("location", ["headers", "cookies"])
def test_the_session_of_a_token_that_a_login_view_did_not_ask_for_ends(
    service: Service, location: str, identity: str
) -> None:
    """A login view has no ``@jwt_required()``: the browser sends the cookies it has all the same."""
    if location == "headers":
        before = service.login()
        answer = service.run(lambda: start_session(identity), token=before.access_token)
        old = before.access_token
    else:
        browser = browser_of(service)
        old = cookie(browser, "access_token_cookie")
        answer = login_in_browser(service, browser, identity)
    assert answer.status_code == 200
    assert not service.passes(old)


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_cookie_is_enough(service: Service, kind: str, method: str) -> None:
    """No CSRF value is asked for: a login changes the cookies of this browser anyway."""
    pair, browser = service.login(), service.app.test_client()

    def hand_out() -> Response:
        response = jsonify(None)
        if kind == "access":
            set_access_cookies(response, pair.access_token)
        else:
            set_refresh_cookies(response, pair.refresh_token)
        return response

    service.run(hand_out, client=browser)
    answer = service.run(lambda: with_cookies(start_session("bob")), client=browser, method=method)
    assert answer.status_code == 200
    assert not service.passes(pair.access_token)


def test_cookies_count_where_only_a_view_asks_for_them(make: MakeService) -> None:
    """JWT_TOKEN_LOCATION is the default of views, not a list of what an application uses."""
    service = make(TOKEN_LOCATION="headers")
    browser = browser_of(service)
    old = cookie(browser, "access_token_cookie")
    assert login_in_browser(service, browser).status_code == 200
    assert not service.passes(old)


def test_an_expired_access_cookie_of_the_same_identity_is_enough(service: Service, clock: Clock) -> None:
    """The browser does not send a refresh cookie to the login view if its path is another."""
    browser = browser_of(service)
    session_id = claims_of(cookie(browser, "access_token_cookie"))["sid"]
    refresh = cookie(browser, "refresh_token_cookie")
    only_access = another_tab(browser)
    for name in ("refresh_token_cookie", "__Host-refresh_token_cookie"):
        only_access.delete_cookie(name, domain="localhost")
    clock.now += 20 * MINUTE
    with hear() as heard:
        assert login_in_browser(service, only_access).status_code == 200
    assert [each.payload["session_id"] for each in heard if each.name == "session_ended"] == [session_id]
    assert not service.passes(refresh, "refresh")


def test_a_token_is_verified_once(make: MakeService) -> None:
    """An application may load a key or ask a server for it."""
    service = make(TOKEN_LOCATION=["headers", "cookies", "json", "query_string"])
    token, asked = service.login().access_token, []

    def key(_header: Any, claims: Any) -> Any:
        asked.append(claims["jti"])
        return SECRET

    service.manager.decode_key_loader(key)
    answer = service.run(lambda: start_session("alice"), token=token, method="POST", json={"refresh_token": {}})
    assert answer.status_code == 200
    assert asked == [claims_of(token)["jti"]]
    service.manager.decode_key_loader(lambda _header, _claims: SECRET)
    assert not service.passes(token)


def test_two_sessions_that_are_presented_end_both(service: Service) -> None:
    """One in a header, one in the cookies."""
    pair, browser = service.login(), browser_of(service)
    old = cookie(browser, "access_token_cookie")
    service.run(lambda: with_cookies(start_session("alice")), client=browser, token=pair.access_token)
    assert not service.passes(pair.access_token)
    assert not service.passes(old)
    assert service.passes(cookie(browser, "access_token_cookie"))


def test_two_sessions_that_are_started_in_one_request_are_both_active(service: Service) -> None:
    """The first was not presented."""
    before = service.login()
    service.run(
        lambda: [vars(start_session("alice")), vars(start_session("alice"))], view="access", token=before.access_token
    )
    first, second = service.returned
    assert service.passes(first["access_token"])
    assert service.passes(second["access_token"])
    assert not service.passes(before.access_token)


# --- unless told otherwise ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["access", "open"])
def test_it_can_be_kept(service: Service, view: str) -> None:
    """For a session on another device, or of another user."""
    before, browser = service.login(), browser_of(service)
    with hear() as heard:
        answer = service.run(lambda: start_session("bob", keep_previous=True), view=view, token=before.access_token)
    assert answer.status_code == 200
    assert told(heard) == [("session_started", "login")]
    assert login_in_browser(service, browser, keep_previous=True).status_code == 200
    assert service.passes(before.access_token)


def test_a_refresh_replaces_nothing(service: Service) -> None:
    """It is the same session."""
    browser = browser_of(service)
    other = service.login()
    with hear() as heard:
        post(service, lambda: with_cookies(refresh_session()), "refresh", browser, csrf(browser, "refresh"))
    assert told(heard) == [("session_refreshed", "rotation")]
    assert service.passes(other.access_token)


def test_without_a_request_there_is_nothing_to_replace(service: Service) -> None:
    """On the command line."""
    before = service.login()
    with service.app.app_context():
        start_session("alice")
    assert service.passes(before.access_token)


def test_a_request_without_tokens_ends_nothing(service: Service) -> None:
    """A login on another device."""
    before = service.login("alice")
    service.login("alice")
    assert service.passes(before.access_token)


# --- an old token never blocks a login, and ends nobody else's session ----------------------------------------------


@pytest.mark.parametrize("fails", [True, False])
def test_neither_does_a_copy_on_the_blocklist_of_the_application(service: Service, fails: bool) -> None:
    """It was revoked. A blocklist that cannot be asked does not block the login either."""
    victim = service.login("alice")
    current = service.refreshed(victim.refresh_token)
    blocked = claims_of(victim.access_token)["jti"]

    def is_blocked(_header: Any, claims: Any) -> bool:
        if fails and claims["jti"] == blocked:
            raise OSError
        return bool(claims["jti"] == blocked)

    service.manager.token_in_blocklist_loader(is_blocked)
    assert service.run(lambda: start_session("eve"), token=victim.access_token).status_code == 200
    assert service.passes(current.access_token)


def test_an_old_copy_does_not_end_the_session_of_another_identity(service: Service, clock: Clock) -> None:
    """Neither an expired access token, nor one that was revoked, nor a refresh token that was exchanged before."""
    victim = service.login("alice")
    current = service.refreshed(victim.refresh_token)
    service.run(lambda: revoke_token(victim.access_token))
    assert service.run(lambda: start_session("eve"), token=victim.access_token).status_code == 200
    clock.now += 20 * MINUTE
    for name, token in (("access", victim.access_token), ("access", current.access_token)):
        assert service.run(lambda: start_session("eve"), token=token, method="POST").status_code == 200, name
    thief = service.app.test_client()

    def plant() -> Response:
        response = jsonify(None)
        set_refresh_cookies(response, victim.refresh_token)
        return response

    service.run(plant, client=thief)
    with hear() as heard:
        assert login_in_browser(service, thief, "eve").status_code == 200
    assert told(heard) == [("session_started", "login")]
    assert service.passes(current.refresh_token, "refresh")


@pytest.mark.parametrize(
    "junk",
    ["", "x", "a.b.c", "\x00", "ü", "e30.e30.", "." * 10_000, "eyJhbGciOiJub25lIn0.eyJzaWQiOiJ4In0."],
    ids=lambda junk: repr(junk[:20]),
)
def test_junk_in_place_of_a_token_does_not_matter(service: Service, junk: str) -> None:
    """The login goes through."""
    prefix = "__Host-" if service.app.config["JWT_PROFILE"] == "strict" else ""
    client = service.app.test_client()
    cookies = "; ".join(f"{prefix}{kind}_token_cookie={junk}" for kind in ("access", "refresh"))
    service._task = lambda: start_session("alice")
    environ = {"HTTP_COOKIE": cookies, "HTTP_AUTHORIZATION": f"Bearer {junk}"}
    assert client.post("/do/open", base_url=HTTPS, environ_overrides=environ).status_code == 200


@pytest.mark.parametrize("sid", [5, None, [], {}, "unknown", "\ud800", "x" * 3000], ids=lambda sid: repr(sid)[:20])
def test_a_session_claim_that_names_no_session_does_not_matter(service: Service, sid: Any) -> None:
    """Nor a token without one, nor one of a session that has ended."""
    with service.app.app_context():
        odd = create_access_token("alice", additional_claims={"sid": sid})
        plain = create_access_token("alice")
    ended = service.login()
    service.run(lambda: end_session(ended.session_id))
    for token in (odd, plain, ended.access_token):
        with hear() as heard:
            assert service.run(lambda: start_session("alice"), token=token).status_code == 200
        assert told(heard) == [("session_started", "login")]


@pytest.mark.parametrize("view", ["access", "open"])
def test_a_token_of_another_issuer_names_no_session_of_ours(make: MakeService, view: str) -> None:
    """Whatever its ``sid`` says: a user of the issuer may start a session here, and ends none."""
    key, issuer = PRIVATE_KEYS["ES256"], "https://idp.example"
    jwks = {"keys": [to_jwk("ES256", key.public_key())]}
    service = make(TRUSTED_ISSUERS={issuer: {"keys": jwks, "audience": "here"}})
    victim = service.login("alice")
    now = int(time.time())
    claims = {"iss": issuer, "aud": "here", "sub": "alice", "iat": now, "exp": now + 60, "sid": victim.session_id}
    foreign = pyjwt.encode(claims, key, "ES256")
    answer = service.run(lambda: start_session("alice"), view=view, token=foreign)
    assert answer.status_code == 200
    assert service.passes(victim.access_token)
    assert service.passes(answer.get_json()["access_token"])


def test_a_key_loader_that_fails_does_not_block_a_login(service: Service) -> None:
    """What it raises belongs to the requests that need the old token."""
    before = service.login()

    @service.manager.decode_key_loader
    def load(_header: Any, _claims: Any) -> Any:
        raise RuntimeError("no database")

    assert service.run(lambda: start_session("alice"), token=before.access_token).status_code == 200


class HalfBroken(MemoryStore):
    """A store that keeps new sessions, and cannot end any."""

    broken = False

    def get(self, session_id: str) -> Any:
        if self.broken:
            raise StoreUnavailableError("TimeoutError")
        return super().get(session_id)


def test_a_store_that_fails_after_the_login_does_not_block_it(
    make: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the session before is still active."""
    store = HalfBroken()
    service = make(STORE_URI=store)
    before = service.login()
    store.broken = True
    with caplog.at_level("WARNING", logger="flask_jwt_extended"):
        answer = service.run(lambda: start_session("alice"), token=before.access_token)
    store.broken = False
    assert answer.status_code == 200
    assert any("could not end the previous session" in record.getMessage() for record in caplog.records)
    assert service.passes(answer.get_json()["access_token"])


def test_a_login_that_fails_ends_nothing(service: Service) -> None:
    """The user stays logged in."""
    before = service.login()

    @service.manager.additional_claims_loader
    def load(_identity: Any) -> Any:
        raise LookupError("no such user")

    with pytest.raises(LookupError):
        service.run(lambda: start_session("nobody"), view="access", token=before.access_token)
    assert service.passes(before.access_token)


# --- revoking with an old refresh token -----------------------------------------------------------------------------


def revoked(service: Service, token: str) -> Any:
    return service.run(lambda: revoke_token(token)).get_json()


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_a_refresh_token_that_was_exchanged_before_ends_no_session(
    service: Service, clock: Clock, generations: int
) -> None:
    """An old copy is good for nothing: neither for logging out the owner."""
    first = latest = service.login()
    for _ in range(generations):
        clock.now += MINUTE
        latest = service.refreshed(latest.refresh_token)
    clock.now += MINUTE
    with hear() as heard:
        assert revoked(service, first.refresh_token) is False
    assert heard == []
    assert service.passes(latest.access_token)
    assert revoked(service, latest.refresh_token) is True
    assert not service.passes(latest.access_token)


@pytest.mark.parametrize("life", ["expired", "on its last second"])
def test_an_expired_refresh_token_ends_no_session(service: Service, clock: Clock, life: str) -> None:
    """The session it belonged to was refreshed since, and is active."""
    first = service.login()
    clock.now += 20 * DAY
    latest = service.refreshed(first.refresh_token)
    clock.now = claims_of(first.refresh_token)["exp"] + (0 if life == "expired" else -1)
    assert revoked(service, first.refresh_token) is False
    assert service.refresh(latest.refresh_token).status_code == 200


def test_within_the_grace_a_refresh_token_revokes_its_session(service: Service, clock: Clock) -> None:
    """As it would be exchanged then: one tab logs out while another refreshes."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += 5
    assert revoked(service, pair.refresh_token) is True
    assert not service.passes(after.access_token)


def test_a_view_that_skips_the_check_does_not_revoke_with_an_old_token(service: Service, clock: Clock) -> None:
    """The token of the request is looked at as any other."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    answer = service.run(revoke_token, view="unchecked", token=pair.refresh_token)
    assert (answer.status_code, answer.get_json()) == (200, False)
    assert service.passes(after.access_token)


@pytest.mark.parametrize("leeway", [0, 60])
def test_the_leeway_does_not_bring_an_expired_refresh_token_back(make: MakeService, clock: Clock, leeway: int) -> None:
    """The session has ended with it."""
    service = make(DECODE_LEEWAY=leeway, REFRESH_TOKEN_EXPIRES=timedelta(hours=1))
    pair = service.login()
    clock.now += 60 * MINUTE
    assert revoked(service, pair.refresh_token) is False
