"""``refresh_expiring_cookies``: a browser that never refreshes stays logged in, and a logout stays a logout."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Response, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    end_all_sessions,
    end_session,
    get_current_user,
    get_jwt,
    refresh_expiring_cookies,
    refresh_session,
    revoke_token,
    set_access_cookies,
    start_session,
    unset_access_cookies,
    unset_jwt_cookies,
)

from ..axes import both_profiles
from ..conftest import MakeApp, bearer
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import (
    DAY,
    HTTPS,
    MINUTE,
    NOW,
    BreakableStore,
    Clock,
    InterruptedStore,
    Service,
    Task,
    another_tab,
    browser_of,
    cookie,
    csrf,
    exchange,
    post,
    service_of,
    signals_sent,
    summary,
    with_cookie,
    with_cookies,
)

#: The last second at which an access token of 15 minutes is not extended, and the first at which it is.
EARLY, LATE = 7.5 * MINUTE, 7.5 * MINUTE + 1


@pytest.fixture
def make(make_app: MakeApp) -> MakeService:
    """Make a service for browsers that extends their cookies."""

    def with_options(*, within: timedelta | None = None, **options: Any) -> Service:
        service = service_of(make_app, **{"TOKEN_LOCATION": ["cookies", "headers"], **options})
        service.app.after_request(partial(refresh_expiring_cookies, within=within))
        return service

    return with_options


def visit(service: Service, browser: FlaskClient, task: Task = lambda: None, view: str = "access") -> TestResponse:
    return service.run(task, view=view, client=browser)


def names_set_by(answer: TestResponse) -> set[str]:
    """The names of the cookies that a response sets, without prefixes."""
    names = (each.partition("=")[0] for each in answer.headers.getlist("Set-Cookie"))
    return {name.removeprefix("__Host-") for name in names}


ACCESS_COOKIES = {"access_token_cookie", "csrf_access_token"}


def assert_unchanged(answer: TestResponse) -> None:
    """A good response that sets no cookie."""
    assert (answer.status_code, names_set_by(answer)) == (200, set())


# --- when it extends a cookie ---------------------------------------------------------------------------------------


@both_profiles
def test_an_expiring_cookie_is_extended(service: Service, clock: Clock) -> None:
    """With a token of the same session and identity that is not fresh. The refresh token stays valid."""
    browser = browser_of(service)
    before = claims_of(cookie(browser, "access_token_cookie"))
    clock.now += LATE
    answer = visit(service, browser)
    after = claims_of(cookie(browser, "access_token_cookie"))
    assert names_set_by(answer) == ACCESS_COOKIES
    assert [after[name] for name in ("sub", "sid", "type")] == [before[name] for name in ("sub", "sid", "type")]
    assert (before["fresh"], after["fresh"]) == (True, False)
    assert after["jti"] != before["jti"]
    assert after["exp"] == clock.now + 15 * MINUTE
    assert visit(service, browser).status_code == 200
    assert post(service, refresh_session, "refresh", browser, csrf(browser, "refresh")).status_code == 200


@pytest.mark.parametrize("elapsed", [0, 1, EARLY])
def test_in_the_first_half_of_its_lifetime_it_is_not(service: Service, clock: Clock, elapsed: float) -> None:
    """``within`` defaults to half of the lifetime."""
    browser = browser_of(service)
    clock.now += elapsed
    assert_unchanged(visit(service, browser))


@pytest.mark.parametrize(("elapsed", "extended"), [(13, False), (13.5, True)])
def test_within_sets_how_soon_is_soon(make: MakeService, clock: Clock, elapsed: float, extended: bool) -> None:
    """Two minutes here."""
    service = make(within=timedelta(minutes=2))
    browser = browser_of(service)
    clock.now += elapsed * MINUTE
    assert (names_set_by(visit(service, browser)) == ACCESS_COOKIES) is extended


def test_it_is_an_after_request_function(make_app: MakeApp, clock: Clock) -> None:
    """``app.after_request(refresh_expiring_cookies)``."""
    service = service_of(make_app, TOKEN_LOCATION="cookies")
    service.app.after_request(refresh_expiring_cookies)
    browser = browser_of(service)
    clock.now += LATE
    assert names_set_by(visit(service, browser)) == ACCESS_COOKIES


def test_the_csrf_value_stays_the_same(service: Service, clock: Clock) -> None:
    """The page that comes with the new cookie may have it in a form."""
    browser = browser_of(service)
    in_the_form = csrf(browser, "access")
    for _ in range(3):
        clock.now += LATE
        visit(service, browser)
        assert csrf(browser, "access") == in_the_form
        assert post(service, lambda: None, "access", browser, in_the_form).status_code == 200


def test_it_keeps_an_idle_session_active(make: MakeService, clock: Clock) -> None:
    """As long as the browser comes back within JWT_SESSION_IDLE_TIMEOUT."""
    service = make(SESSION_IDLE_TIMEOUT=timedelta(minutes=20))
    browser = browser_of(service)
    for _ in range(10):
        clock.now += 14 * MINUTE
        with signals_sent() as sent:
            assert visit(service, browser).status_code == 200
        assert summary(sent) == [("session_refreshed", "implicit")]
        assert sent[0].sender is service.app
    clock.now += 20 * MINUTE
    assert visit(service, browser).status_code == 401


@pytest.mark.parametrize("limit", ["SESSION_LIFETIME", "REFRESH_TOKEN_EXPIRES"])
def test_it_does_not_move_the_end_of_a_session(make: MakeService, clock: Clock, limit: str) -> None:
    """Nor that of the refresh token, which it does not exchange."""
    service = make(**{limit: timedelta(hours=1)})
    browser = browser_of(service)
    for _ in range(5):
        clock.now += 11 * MINUTE
        assert visit(service, browser).status_code == 200
    if limit == "SESSION_LIFETIME":
        assert claims_of(cookie(browser, "access_token_cookie"))["exp"] == NOW + 60 * MINUTE
    clock.now = NOW + 60 * MINUTE
    assert visit(service, browser).status_code == 401


def test_additional_claims_and_loaders_work_as_at_a_refresh(make: MakeService, clock: Clock) -> None:
    """The session keeps its claims, and loaders get the user."""
    service = make()
    seen: list[Any] = []

    @service.manager.additional_claims_loader
    def note(user: Any) -> dict[str, Any]:
        seen.append(user)
        return {}

    service.manager.user_lookup_loader(lambda _header, claims: {"name": claims["sub"]})
    browser = service.app.test_client()
    service.run(lambda: with_cookies(start_session("alice", additional_claims={"role": "admin"})), client=browser)
    clock.now += LATE
    visit(service, browser, get_current_user)
    assert seen[2:] == [{"name": "alice"}]
    assert claims_of(cookie(browser, "access_token_cookie"))["role"] == "admin"


def test_it_does_not_use_the_refresh_token(service: Service, clock: Clock) -> None:
    """The grace period of another tab stays as it was."""
    browser = browser_of(service)
    clock.now += LATE
    tab, late = another_tab(browser), another_tab(browser)
    assert names_set_by(visit(service, browser)) == ACCESS_COOKIES
    exchange(service, tab)
    clock.now += 5
    assert visit(service, browser).status_code == 200
    exchange(service, late)
    assert cookie(late, "refresh_token_cookie") == cookie(tab, "refresh_token_cookie")


def test_caches_do_not_share_the_response(service: Service, clock: Clock) -> None:
    """It varies by cookie. Other responses are unchanged."""
    browser = browser_of(service)
    assert "Vary" not in visit(service, browser).headers
    clock.now += LATE
    assert visit(service, browser).headers["Vary"] == "Cookie"


def test_two_tabs_at_the_same_time(make: MakeService, clock: Clock) -> None:
    """Each gets a valid token, though the other changes the session between its read and its write."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    browser = browser_of(service)
    tabs = [another_tab(browser) for _ in range(2)]
    clock.now += LATE

    def task() -> None:
        store.meanwhile = lambda _session: visit(service, tabs[1])

    assert names_set_by(visit(service, tabs[0], task)) == ACCESS_COOKIES
    for tab in tabs:
        assert visit(service, tab).status_code == 200


@pytest.mark.parametrize("status", [201, 204, 302, 304])
def test_it_extends_on_every_response_but_errors(service: Service, clock: Clock, status: int) -> None:
    """For example on a redirect after a form."""
    browser = browser_of(service)
    clock.now += LATE
    assert names_set_by(visit(service, browser, lambda: Response(status=status))) == ACCESS_COOKIES


# --- when it does not -----------------------------------------------------------------------------------------------


def test_not_for_a_token_in_a_header(service: Service, clock: Clock) -> None:
    """A program refreshes its own tokens."""
    pair = service.login()
    clock.now += LATE
    assert_unchanged(service.run(lambda: None, view="access", token=pair.access_token))


def test_not_for_a_token_without_a_session(service: Service, clock: Clock) -> None:
    """Nothing could end the tokens that it would make."""
    browser = service.app.test_client()
    service.run(lambda: with_cookie(set_access_cookies, create_access_token("alice")), client=browser)
    clock.now += LATE
    assert_unchanged(visit(service, browser))


@pytest.mark.parametrize("sid", [5, None, [], {"a": 1}], ids=repr)
def test_not_for_an_invalid_sid_claim(make: MakeService, clock: Clock, sid: Any) -> None:
    """Also in a view that skips the check of the store."""
    service = make()
    browser = service.app.test_client()
    browser.set_cookie("access_token_cookie", service.plain(additional_claims={"sid": sid}), domain="localhost")
    clock.now += LATE
    assert_unchanged(visit(service, browser, view="unchecked"))


@pytest.mark.parametrize("expires", [False, timedelta(days=1)])
def test_not_for_a_token_that_does_not_expire_soon(make: MakeService, clock: Clock, expires: Any) -> None:
    """Or never expires."""
    service = make(ACCESS_TOKEN_EXPIRES=expires, SESSION_LIFETIME=None)
    browser = browser_of(service)
    clock.now += DAY / 2
    assert_unchanged(visit(service, browser))


def test_not_for_a_refresh_token(make: MakeService, clock: Clock) -> None:
    """Only an exchange replaces it."""
    service = make(REFRESH_TOKEN_EXPIRES=timedelta(hours=1))
    browser = browser_of(service)
    clock.now += 40 * MINUTE
    assert_unchanged(post(service, lambda: None, "refresh", browser, csrf(browser, "refresh")))


def test_not_without_a_verified_token(service: Service, clock: Clock) -> None:
    """In a view without protection, or for an anonymous request."""
    browser = browser_of(service)
    clock.now += LATE
    assert_unchanged(visit(service, browser, view="open"))
    assert_unchanged(visit(service, service.app.test_client(), view="optional"))


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_not_on_errors(service: Service, clock: Clock, status: int) -> None:
    """The next good response extends the cookie."""
    browser = browser_of(service)
    clock.now += LATE
    assert names_set_by(visit(service, browser, lambda: Response(status=status))) == set()
    assert names_set_by(visit(service, browser)) == ACCESS_COOKIES


@pytest.mark.parametrize("task", [end_session, end_all_sessions, revoke_token])
def test_not_after_a_logout_in_the_view(service: Service, clock: Clock, task: Task) -> None:
    """Also if the view leaves the cookies in the browser."""
    browser = browser_of(service)
    clock.now += LATE
    with signals_sent() as sent:
        assert_unchanged(visit(service, browser, task))
    assert "session_refreshed" not in {name for name, _ in summary(sent)}
    assert visit(service, browser).status_code == 401


def test_not_after_the_view_has_blocklisted_the_token(service: Service, clock: Clock) -> None:
    """In a blocklist of the application."""
    blocked: set[str] = set()
    service.manager.token_in_blocklist_loader(lambda _header, claims: claims["jti"] in blocked)
    browser = browser_of(service)
    clock.now += LATE
    assert_unchanged(visit(service, browser, lambda: blocked.add(get_jwt()["jti"])))
    assert visit(service, browser).status_code == 401


@pytest.mark.parametrize("how", ["ended", "revoked"])
def test_not_for_a_revoked_token_that_a_view_accepted(service: Service, clock: Clock, how: str) -> None:
    """``skip_revocation_check`` is for that view only."""
    browser = browser_of(service)
    token = cookie(browser, "access_token_cookie")
    service.run((lambda: end_all_sessions("alice")) if how == "ended" else (lambda: revoke_token(token)))
    clock.now += LATE
    assert_unchanged(visit(service, browser, view="unchecked"))


def test_not_for_an_expired_session_that_a_view_accepted(make: MakeService, clock: Clock) -> None:
    """The store may still have it."""
    service = make(SESSION_IDLE_TIMEOUT=timedelta(minutes=10))
    browser = browser_of(service)
    clock.now += 10 * MINUTE
    assert_unchanged(visit(service, browser, view="unchecked"))


def test_not_if_the_view_has_set_the_cookie(service: Service, clock: Clock) -> None:
    """A login as another user."""
    browser = browser_of(service)
    clock.now += LATE
    answer = visit(service, browser, lambda: with_cookies(start_session("bob")))
    assert len(answer.headers.getlist("Set-Cookie")) == 4
    assert claims_of(cookie(browser, "access_token_cookie"))["sub"] == "bob"


@both_profiles
@pytest.mark.parametrize("unset", [unset_access_cookies, unset_jwt_cookies])
def test_not_if_the_view_has_deleted_the_cookie(service: Service, clock: Clock, unset: Any) -> None:
    """It stays deleted."""
    browser = browser_of(service)
    clock.now += LATE
    visit(service, browser, lambda: with_cookie(unset))
    with pytest.raises(ValueError, match="not enough values"):
        cookie(browser, "access_token_cookie")


def test_an_outage_changes_nothing(make: MakeService, clock: Clock) -> None:
    """The view has answered. The next request extends the cookie, and a logout deletes none."""
    store = BreakableStore()
    service = make(STORE_URI=store)
    browser = browser_of(service)
    clock.now += LATE
    with signals_sent() as sent:
        assert_unchanged(visit(service, browser, lambda: vars(store).update(down=True)))
    assert sent == []
    store.down = False
    assert names_set_by(visit(service, browser)) == ACCESS_COOKIES
    clock.now += LATE
    assert_unchanged(visit(service, browser, end_session))


def test_a_token_that_was_accepted_in_an_outage_is_not_extended(make: MakeService, clock: Clock) -> None:
    """JWT_STORE_OUTAGE = "allow" accepted it unchecked."""
    store = BreakableStore()
    service = make(STORE_URI=store, STORE_OUTAGE="allow")
    browser = browser_of(service)
    clock.now += LATE
    store.down = True
    assert_unchanged(visit(service, browser))


def test_a_header_beside_a_cookie(make: MakeService, clock: Clock) -> None:
    """The token that the view accepted counts."""
    service = make(TOKEN_LOCATION=["headers", "cookies"])
    browser = browser_of(service)
    clock.now += LATE
    token = service.login("bob").access_token
    assert_unchanged(browser.get("/do/access", base_url=HTTPS, headers=bearer(token)))


# --- a logout in another request ------------------------------------------------------------------------------------


def test_a_logout_after_the_view_wins(service: Service, clock: Clock) -> None:
    """Another client ends the session before ``after_request`` functions run."""
    session_ids: list[str] = []
    logged_out: list[str] = []
    service.app.add_url_rule("/logout", "logout", lambda: str(end_session(session_ids.pop())), methods=["POST"])

    @service.app.after_request  # runs before the one that was registered earlier
    def meanwhile(response: Response) -> Response:
        if session_ids and request.path != "/logout":
            logged_out.append(service.app.test_client(use_cookies=False).post("/logout").text)
        return response

    browser = browser_of(service)
    clock.now += LATE
    session_ids.append(claims_of(cookie(browser, "access_token_cookie"))["sid"])
    assert_unchanged(visit(service, browser))
    assert logged_out == ["True"]


def test_a_logout_within_the_function_wins(make: MakeService, clock: Clock) -> None:
    """Also after it has read the session."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    browser = browser_of(service)
    clock.now += LATE

    def task() -> None:
        store.meanwhile = store.remove

    assert_unchanged(visit(service, browser, task))
    assert list(store.sessions()) == []


# --- JWT_COOKIE_EXTENSION_LIFETIME ----------------------------------------------------------------------------------


def keep_alive(service: Service, browser: FlaskClient, clock: Clock, seconds: float, step: float = 10) -> bool:
    """Come back every ten minutes for that long. Return whether the browser stays logged in."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += step * MINUTE
        if visit(service, browser).status_code != 200:
            return False
    return True


def test_an_access_cookie_is_extended_for_twelve_hours(service: Service, clock: Clock) -> None:
    """A stolen copy ends after that, and one lifetime of an access token. The owner's refresh starts anew."""
    browser = browser_of(service)
    thief = another_tab(browser)
    assert keep_alive(service, thief, clock, 12 * 60 * MINUTE)
    assert not keep_alive(service, thief, clock, 20 * MINUTE)
    exchange(service, browser)
    assert keep_alive(service, browser, clock, 12 * 60 * MINUTE)


def test_an_extension_does_not_move_the_limit(make: MakeService, clock: Clock) -> None:
    """It counts from the login or an exchange, which a thief of an access cookie cannot make."""
    service = make(COOKIE_EXTENSION_LIFETIME=timedelta(hours=1))
    thief = another_tab(browser_of(service))
    assert keep_alive(service, thief, clock, 60 * MINUTE)
    assert not keep_alive(service, thief, clock, 20 * MINUTE)
    assert not keep_alive(service, thief, clock, DAY)


@pytest.mark.parametrize("lifetime", [timedelta(hours=12), None], ids=repr)
def test_a_copy_is_not_extended_after_its_owner_has_refreshed(make: MakeService, clock: Clock, lifetime: Any) -> None:
    """Otherwise each exchange by the owner would keep the thief's copy valid."""
    service = make(COOKIE_EXTENSION_LIFETIME=lifetime)
    browser = browser_of(service)
    thief = another_tab(browser)
    for _ in range(2):
        assert keep_alive(service, thief, clock, 60 * MINUTE)
        clock.now += 1
        exchange(service, browser)
        assert not keep_alive(service, thief, clock, 20 * MINUTE)
        exchange(service, browser)
        assert keep_alive(service, browser, clock, 60 * MINUTE)
        thief = another_tab(browser)


def test_a_tab_that_exchanges_within_the_grace_period_is_extended_too(service: Service, clock: Clock) -> None:
    """Its access token is newer than the exchange."""
    browser = browser_of(service)
    late = another_tab(browser)
    clock.now += 0.7
    exchange(service, browser)
    clock.now += 5
    exchange(service, late)
    clock.now += LATE
    assert [names_set_by(visit(service, tab)) for tab in (browser, late)] == [ACCESS_COOKIES, ACCESS_COOKIES]


@pytest.mark.parametrize("lifetime", [None, False])
def test_without_a_limit_the_refresh_token_limits_it(make: MakeService, clock: Clock, lifetime: Any) -> None:
    """For 30 days by default."""
    service = make(COOKIE_EXTENSION_LIFETIME=lifetime, ACCESS_TOKEN_EXPIRES=timedelta(hours=6))
    browser = browser_of(service)
    assert keep_alive(service, browser, clock, 29 * DAY, step=240)
    assert not keep_alive(service, browser, clock, 2 * DAY, step=240)


@pytest.mark.parametrize("lifetime", [0, -1, timedelta(0), timedelta(days=-1)])
def test_a_limit_that_extends_nothing_is_an_error(make: MakeService, lifetime: Any) -> None:
    """Leave out the ``after_request`` function instead."""
    with pytest.raises(ConfigurationError, match="JWT_COOKIE_EXTENSION_LIFETIME"):
        make(COOKIE_EXTENSION_LIFETIME=lifetime)
