"""A login replaces the session of its request (OWASP ASVS 7.2.4), however its token was sent. An invalid token does not
make a login fail, and an old copy does not end the session of another identity.
"""

from __future__ import annotations

import time
from typing import Any

import jwt as pyjwt
import pytest
from flask.testing import FlaskClient

from flask_jwt_extended import (
    revoke_token,
    set_access_cookies,
    set_refresh_cookies,
    start_session,
    verify_jwt_in_request,
)
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.memory import MemoryStore

from ..axes import both_profiles, rotated
from ..conftest import PRIVATE_KEYS, SECRET
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import (
    HTTPS,
    MINUTE,
    Clock,
    Service,
    another_tab,
    browser_of,
    cookie,
    exchange,
    signals_sent,
    summary,
    with_cookie,
    with_cookies,
)


def login_in_browser(service: Service, browser: FlaskClient, identity: str = "alice", **options: Any) -> Any:
    """Log in with the cookies of a browser."""
    return service.run(lambda: with_cookies(start_session(identity, **options)), client=browser)


# --- it ends the session of the request -----------------------------------------------------------------------------


@rotated("view", ["access", "optional", "refresh", "optional-refresh", "unchecked"], identity=["alice", "bob"])
def test_the_session_of_the_verified_token_ends(service: Service, view: str, identity: str) -> None:
    """Whoever logs in. Other sessions stay active."""
    before, elsewhere = service.login("alice"), service.login("alice")
    token = before.refresh_token if "refresh" in view else before.access_token
    with signals_sent() as sent:
        answer = service.run(lambda: start_session(identity), view=view, token=token)
    assert answer.status_code == 200
    assert summary(sent) == [("session_started", "login"), ("session_ended", "replaced")]
    assert sent[1].payload == {"session_id": before.session_id, "identity": "alice", "cause": "replaced"}
    assert not service.passes(before.access_token)
    assert not service.passes(before.refresh_token, "refresh")
    assert service.passes(answer.get_json()["access_token"])
    assert service.passes(elsewhere.access_token)


def test_a_location_of_the_view_counts(service: Service) -> None:
    """``verify_jwt_in_request`` finds the token in the query string, which JWT_TOKEN_LOCATION does not name."""
    before = service.login()

    def login() -> Any:
        verify_jwt_in_request(optional=True, locations="query_string")
        return start_session("alice")

    assert service.run(login, query_string={"jwt": before.access_token}).status_code == 200
    assert not service.passes(before.access_token)


@both_profiles
@pytest.mark.parametrize(("location", "identity"), [("headers", "alice"), ("cookies", "bob")])
def test_a_login_view_without_protection_ends_it_too(service: Service, location: str, identity: str) -> None:
    """The browser sends its cookies to any view."""
    if location == "headers":
        old = service.login().access_token
        answer = service.run(lambda: start_session(identity), token=old)
    else:
        browser = browser_of(service)
        old = cookie(browser, "access_token_cookie")
        answer = login_in_browser(service, browser, identity)
    assert answer.status_code == 200
    assert not service.passes(old)


@both_profiles
@pytest.mark.parametrize(("kind", "method"), [("access", "GET"), ("access", "POST"), ("refresh", "POST")])
def test_one_cookie_is_enough(service: Service, kind: str, method: str) -> None:
    """No CSRF value is needed: a login changes the cookies of the browser anyway."""
    pair, browser = service.login(), service.app.test_client()
    if kind == "access":
        service.run(lambda: with_cookie(set_access_cookies, pair.access_token), client=browser)
    else:
        service.run(lambda: with_cookie(set_refresh_cookies, pair.refresh_token), client=browser)
    answer = service.run(lambda: with_cookies(start_session("bob")), client=browser, method=method)
    assert answer.status_code == 200
    assert not service.passes(pair.access_token)


def test_cookies_count_if_only_views_name_their_location(make: MakeService) -> None:
    """JWT_TOKEN_LOCATION is a default of views, not a list of what the application uses."""
    service = make(TOKEN_LOCATION="headers")
    browser = browser_of(service)
    old = cookie(browser, "access_token_cookie")
    assert login_in_browser(service, browser).status_code == 200
    assert not service.passes(old)


def test_an_expired_access_cookie_of_the_same_identity_is_enough(service: Service, clock: Clock) -> None:
    """The browser may send no refresh cookie to the login view, because its path differs."""
    browser = browser_of(service)
    session_id = claims_of(cookie(browser, "access_token_cookie"))["sid"]
    refresh = cookie(browser, "refresh_token_cookie")
    only_access = another_tab(browser)
    for name in ("refresh_token_cookie", "__Host-refresh_token_cookie"):
        only_access.delete_cookie(name, domain="localhost")
    clock.now += 20 * MINUTE
    with signals_sent() as sent:
        assert login_in_browser(service, only_access).status_code == 200
    assert [each.payload["session_id"] for each in sent if each.name == "session_ended"] == [session_id]
    assert not service.passes(refresh, "refresh")


def test_a_token_is_verified_once(make: MakeService) -> None:
    """``decode_key_loader`` may be slow."""
    service = make(TOKEN_LOCATION=["headers", "cookies", "json", "query_string"])
    token, loaded = service.login().access_token, []

    def key(_header: Any, claims: Any) -> Any:
        loaded.append(claims["jti"])
        return SECRET

    service.manager.decode_key_loader(key)
    answer = service.run(lambda: start_session("alice"), token=token, method="POST", json={"refresh_token": {}})
    assert answer.status_code == 200
    assert loaded == [claims_of(token)["jti"]]
    service.manager.decode_key_loader(lambda _header, _claims: SECRET)
    assert not service.passes(token)


def test_a_token_in_a_header_and_one_in_a_cookie_both_count(service: Service) -> None:
    """Both sessions end."""
    pair, browser = service.login(), browser_of(service)
    old = cookie(browser, "access_token_cookie")
    service.run(lambda: with_cookies(start_session("alice")), client=browser, token=pair.access_token)
    assert not service.passes(pair.access_token)
    assert not service.passes(old)
    assert service.passes(cookie(browser, "access_token_cookie"))


def test_two_sessions_that_start_in_one_request_are_both_active(service: Service) -> None:
    """No token of the first came with the request."""
    before = service.login()
    service.run(
        lambda: [vars(start_session("alice")), vars(start_session("alice"))], view="access", token=before.access_token
    )
    first, second = service.returned
    assert service.passes(first["access_token"])
    assert service.passes(second["access_token"])
    assert not service.passes(before.access_token)


# --- it ends nothing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["access", "open"])
def test_keep_previous_keeps_the_session(service: Service, view: str) -> None:
    """For a session on another device, or of another user."""
    before, browser = service.login(), browser_of(service)
    with signals_sent() as sent:
        answer = service.run(lambda: start_session("bob", keep_previous=True), view=view, token=before.access_token)
    assert answer.status_code == 200
    assert summary(sent) == [("session_started", "login")]
    assert login_in_browser(service, browser, keep_previous=True).status_code == 200
    assert service.passes(before.access_token)


def test_a_refresh_replaces_nothing(service: Service) -> None:
    """It is the same session."""
    browser = browser_of(service)
    other = service.login()
    with signals_sent() as sent:
        exchange(service, browser)
    assert summary(sent) == [("session_refreshed", "rotation")]
    assert service.passes(other.access_token)


def test_a_login_without_a_token_ends_nothing(service: Service) -> None:
    """On another device, or without a request on the command line."""
    before = service.login("alice")
    service.login("alice")
    with service.app.app_context():
        start_session("alice")
    assert service.passes(before.access_token)


def test_a_login_that_fails_ends_nothing(service: Service) -> None:
    """The user stays logged in."""
    before = service.login()

    @service.manager.additional_claims_loader
    def load(_identity: Any) -> Any:
        raise LookupError("no such user")

    with pytest.raises(LookupError):
        service.run(lambda: start_session("nobody"), view="access", token=before.access_token)
    assert service.passes(before.access_token)


# --- an old or invalid token ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [True, False])
def test_a_token_on_the_applications_blocklist_ends_nothing(service: Service, fails: bool) -> None:
    """A blocklist that fails does not make the login fail either."""
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
    """Neither a revoked access token, nor an expired one, nor a refresh token that was exchanged before."""
    victim = service.login("alice")
    current = service.refreshed(victim.refresh_token)
    service.run(lambda: revoke_token(victim.access_token))
    assert service.run(lambda: start_session("eve"), token=victim.access_token).status_code == 200
    clock.now += 20 * MINUTE
    for token in (victim.access_token, current.access_token):
        assert service.run(lambda: start_session("eve"), token=token, method="POST").status_code == 200
    thief = service.app.test_client()
    service.run(lambda: with_cookie(set_refresh_cookies, victim.refresh_token), client=thief)
    with signals_sent() as sent:
        assert login_in_browser(service, thief, "eve").status_code == 200
    assert summary(sent) == [("session_started", "login")]
    assert service.passes(current.refresh_token, "refresh")


_JUNK = ["", "x", "a.b.c", "\x00", "ü", "e30.e30.", "." * 10_000, "eyJhbGciOiJub25lIn0.eyJzaWQiOiJ4In0."]


@both_profiles
@pytest.mark.parametrize("junk", _JUNK, ids=lambda junk: repr(junk[:20]))
def test_text_that_is_not_a_token_is_ignored(service: Service, junk: str) -> None:
    """In the header and in both cookies."""
    prefix = "__Host-" if service.app.config["JWT_PROFILE"] == "strict" else ""
    cookies = "; ".join(f"{prefix}{kind}_token_cookie={junk}" for kind in ("access", "refresh"))
    service.task = lambda: start_session("alice")
    environ = {"HTTP_COOKIE": cookies, "HTTP_AUTHORIZATION": f"Bearer {junk}"}
    answer = service.app.test_client().post("/do/open", base_url=HTTPS, environ_overrides=environ)
    assert answer.status_code == 200


@pytest.mark.parametrize("sid", [5, None, [], {}, "unknown", "\ud800", "x" * 3000], ids=lambda sid: repr(sid)[:20])
def test_a_token_without_an_active_session_is_ignored(service: Service, sid: Any) -> None:
    """With an invalid ``sid`` claim, without one, or of a session that has ended."""
    odd, plain = service.plain(additional_claims={"sid": sid}), service.plain()
    ended = service.login()
    service.end(ended.access_token)
    for token in (odd, plain, ended.access_token):
        with signals_sent() as sent:
            assert service.run(lambda: start_session("alice"), token=token).status_code == 200
        assert summary(sent) == [("session_started", "login")]


@pytest.mark.parametrize("view", ["access", "open"])
def test_a_token_of_another_issuer_ends_no_session(make: MakeService, view: str) -> None:
    """Whatever its ``sid`` claim is. Its user may start a session here."""
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


def test_a_key_loader_that_fails_does_not_make_a_login_fail(service: Service) -> None:
    """Only requests that need the old token get its error."""
    before = service.login()

    @service.manager.decode_key_loader
    def load(_header: Any, _claims: Any) -> Any:
        raise RuntimeError("no database")

    assert service.run(lambda: start_session("alice"), token=before.access_token).status_code == 200


class HalfBroken(MemoryStore):
    """A store that adds sessions, and cannot read any."""

    broken = False

    def get(self, session_id: str) -> Any:
        if self.broken:
            raise StoreUnavailableError("TimeoutError")
        return super().get(session_id)


def test_a_store_that_fails_after_the_login_does_not_make_it_fail(
    make: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the previous session is still active."""
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
