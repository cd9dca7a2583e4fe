"""Sessions in cookies: ``set_session_cookies`` and the CSRF values."""

from __future__ import annotations

import pytest

from flask_jwt_extended import end_all_sessions, get_csrf_token

from ..axes import both_profiles
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import Clock, Service, another_tab, browser_of, cookie, csrf, exchange, post


@pytest.fixture
def service(make: MakeService, profile: str) -> Service:
    """A service for browsers only."""
    return make(PROFILE=profile, TOKEN_LOCATION="cookies")


@both_profiles
def test_a_session_in_cookies(service: Service) -> None:
    """There are two tokens and two CSRF values. Each view needs the value of its token."""
    browser = browser_of(service)
    own = {kind: csrf(browser, kind) for kind in ("access", "refresh")}
    for kind, other in (("access", "refresh"), ("refresh", "access")):
        assert post(service, lambda: None, kind, browser, own[kind]).status_code == 200
        assert post(service, lambda: None, kind, browser, own[other]).status_code in (400, 401)
        assert post(service, lambda: None, kind, browser, {}).status_code in (400, 401)
    with service.app.app_context():
        assert get_csrf_token(cookie(browser, "access_token_cookie")) == cookie(browser, "csrf_access_token")


@both_profiles
def test_two_tabs_refresh_at_the_same_time(service: Service) -> None:
    """Both responses set the same refresh token and CSRF values, so their order does not matter."""
    browser = browser_of(service)
    tabs = [another_tab(browser) for _ in range(2)]
    for tab in tabs:
        exchange(service, tab)
    first, second = (cookie(tab, "refresh_token_cookie") for tab in tabs)
    assert first == second != cookie(browser, "refresh_token_cookie")
    # The page of one tab with the cookie of the other; and a value from before the refresh.
    for page in (tabs[0], browser):
        assert post(service, lambda: None, "access", tabs[1], csrf(page, "access")).status_code == 200
    assert post(service, lambda: None, "refresh", tabs[1], csrf(browser, "refresh")).status_code == 200


@both_profiles
def test_a_refusal_does_not_change_cookies(service: Service, clock: Clock) -> None:
    """A 401 in one tab must not log out another."""
    browser = browser_of(service)
    with service.app.app_context():
        end_all_sessions("alice")
    for view in ("access", "refresh"):
        answer = service.run(lambda: None, view=view, client=browser)
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers


def test_csrf_values_stay_the_same_within_a_session(service: Service) -> None:
    """A page may have read one before another tab refreshed. The next login has others, and the store has none."""
    browser = browser_of(service)
    before = {cookie(browser, f"csrf_{kind}_token") for kind in ("access", "refresh")}
    exchange(service, browser)
    after = {cookie(browser, f"csrf_{kind}_token") for kind in ("access", "refresh")}
    assert before == after
    (record,) = service.app.extensions["flask-jwt-extended.state"].state.store.sessions()
    assert not any(value in record.to_json() for value in before)
    assert not any(part in record.to_json() for part in cookie(browser, "refresh_token_cookie").split("."))
    later = browser_of(service)
    assert before.isdisjoint(cookie(later, f"csrf_{kind}_token") for kind in ("access", "refresh"))


def test_without_csrf_protection_there_are_no_values(make: MakeService) -> None:
    """Not after a refresh either, if it was on when the session started."""
    service = make()
    pair = service.login()
    service.app.config["JWT_COOKIE_CSRF_PROTECT"] = False
    after = service.refreshed(pair.refresh_token)
    assert "csrf" not in {**claims_of(after.access_token), **claims_of(after.refresh_token)}
    service.app.config["JWT_COOKIE_CSRF_PROTECT"] = True
    assert "csrf" in claims_of(service.refreshed(after.refresh_token).access_token)
