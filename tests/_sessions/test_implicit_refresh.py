"""``refresh_expiring_cookies``: a browser that never asks for a refresh stays logged in, and nobody who was logged out
comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from flask import Response, jsonify, request
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

from ..conftest import MakeApp, bearer
from ..tokens import claims_of
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
    hear,
    post,
    service_of,
    stopped_clock,
    told,
    with_cookies,
)

MakeSite = Callable[..., Service]

#: As late as an access token of 15 minutes is left alone, and the first second at which it is not.
EARLY, LATE = 7.5 * MINUTE, 7.5 * MINUTE + 1


@pytest.fixture
def make(make_app: MakeApp) -> MakeSite:
    """Make a service for browsers that refreshes their cookies."""

    def with_options(*, within: timedelta | None = None, **options: Any) -> Service:
        service = service_of(make_app, **{"TOKEN_LOCATION": ["cookies", "headers"], **options})
        service.app.after_request(partial(refresh_expiring_cookies, within=within))
        return service

    return with_options


@pytest.fixture(params=["compat", "strict"])
def site(request: pytest.FixtureRequest, make: MakeSite) -> Service:
    """A service in each profile."""
    return make(PROFILE=request.param)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


def visit(site: Service, browser: FlaskClient, task: Task = lambda: None, view: str = "access") -> TestResponse:
    return site.run(task, view=view, client=browser)


def names_set_by(answer: TestResponse) -> set[str]:
    """The cookies that an answer sets, without the prefix of their names."""
    names = (each.partition("=")[0] for each in answer.headers.getlist("Set-Cookie"))
    return {name.removeprefix("__Host-") for name in names}


ACCESS_COOKIES = {"access_token_cookie", "csrf_access_token"}


# --- when it does ---------------------------------------------------------------------------------------------------


def test_a_cookie_that_will_expire_soon_is_renewed(site: Service, clock: Clock) -> None:
    """With a token of the same session and identity that is not fresh; the refresh token stays what it is."""
    browser = browser_of(site)
    before = claims_of(cookie(browser, "access_token_cookie"))
    clock.now += LATE
    answer = visit(site, browser)
    after = claims_of(cookie(browser, "access_token_cookie"))
    assert names_set_by(answer) == ACCESS_COOKIES
    assert [after[name] for name in ("sub", "sid", "type")] == [before[name] for name in ("sub", "sid", "type")]
    assert (before["fresh"], after["fresh"]) == (True, False)
    assert after["jti"] != before["jti"]
    assert after["exp"] == clock.now + 15 * MINUTE
    assert visit(site, browser).status_code == 200
    assert post(site, refresh_session, "refresh", browser, csrf(browser, "refresh")).status_code == 200


@pytest.mark.parametrize("elapsed", [0, 1, EARLY])
def test_not_before(site: Service, clock: Clock, elapsed: float) -> None:
    """Half of the token's life is long enough."""
    browser = browser_of(site)
    clock.now += elapsed
    assert names_set_by(visit(site, browser)) == set()


@pytest.mark.parametrize(("elapsed", "renewed"), [(13, False), (13.5, True)])
def test_how_soon_is_soon(make: MakeSite, clock: Clock, elapsed: float, renewed: bool) -> None:
    """As the application says."""
    site = make(within=timedelta(minutes=2))
    browser = browser_of(site)
    clock.now += elapsed * MINUTE
    assert (names_set_by(visit(site, browser)) == ACCESS_COOKIES) is renewed


def test_it_is_known_as_an_after_request_function(make_app: MakeApp, clock: Clock) -> None:
    """``app.after_request(refresh_expiring_cookies)``, with nothing around it."""
    site = service_of(make_app, TOKEN_LOCATION="cookies")
    site.app.after_request(refresh_expiring_cookies)
    browser = browser_of(site)
    clock.now += LATE
    assert names_set_by(visit(site, browser)) == ACCESS_COOKIES


def test_a_page_keeps_its_csrf_value(site: Service, clock: Clock) -> None:
    """It may stand in a form of the very page that comes with the new cookie."""
    browser = browser_of(site)
    in_the_form = csrf(browser, "access")
    for _ in range(3):
        clock.now += LATE
        visit(site, browser)
        assert csrf(browser, "access") == in_the_form
        assert post(site, lambda: None, "access", browser, in_the_form).status_code == 200


def test_it_keeps_an_idle_session_alive(make: MakeSite, clock: Clock) -> None:
    """A browser that comes back in time is not idle; one that does not, is."""
    site = make(SESSION_IDLE_TIMEOUT=timedelta(minutes=20))
    browser = browser_of(site)
    for _ in range(10):
        clock.now += 14 * MINUTE
        with hear() as heard:
            assert visit(site, browser).status_code == 200
        assert told(heard) == [("session_refreshed", "implicit")]
        assert heard[0].sender is site.app
    clock.now += 20 * MINUTE
    assert visit(site, browser).status_code == 401


@pytest.mark.parametrize("limit", ["SESSION_LIFETIME", "REFRESH_TOKEN_EXPIRES"])
def test_it_does_not_move_the_end_of_a_session(make: MakeSite, clock: Clock, limit: str) -> None:
    """Neither that of the session nor that of its refresh token, which it does not exchange."""
    site = make(**{limit: timedelta(hours=1)})
    browser = browser_of(site)
    for _ in range(5):
        clock.now += 11 * MINUTE
        assert visit(site, browser).status_code == 200
    if limit == "SESSION_LIFETIME":
        assert claims_of(cookie(browser, "access_token_cookie"))["exp"] == NOW + 60 * MINUTE
    clock.now = NOW + 60 * MINUTE
    assert visit(site, browser).status_code == 401


def test_additional_claims_and_loaders_have_their_say(make: MakeSite, clock: Clock) -> None:
    """As at a refresh: the session's claims stay, and loaders are told the user."""
    site = make()
    seen: list[Any] = []

    @site.manager.additional_claims_loader
    def note(user: Any) -> dict[str, Any]:
        seen.append(user)
        return {}

    site.manager.user_lookup_loader(lambda _header, claims: {"name": claims["sub"]})
    browser = site.app.test_client()
    site.run(lambda: with_cookies(start_session("alice", additional_claims={"role": "admin"})), client=browser)
    clock.now += LATE
    visit(site, browser, get_current_user)
    assert seen[2:] == [{"name": "alice"}]
    assert claims_of(cookie(browser, "access_token_cookie"))["role"] == "admin"


def test_a_refresh_and_a_renewal_do_not_hinder_each_other(site: Service, clock: Clock) -> None:
    """A renewal in one tab is no use of the refresh token: the grace of another goes on as it was."""
    browser = browser_of(site)
    clock.now += LATE
    tab, late = another_tab(browser), another_tab(browser)
    renew = partial(post, site, lambda: with_cookies(refresh_session()), "refresh")
    assert names_set_by(visit(site, browser)) == ACCESS_COOKIES
    assert renew(tab, csrf(tab, "refresh")).status_code == 200
    clock.now += 5
    assert visit(site, browser).status_code == 200
    assert renew(late, csrf(late, "refresh")).status_code == 200
    assert cookie(late, "refresh_token_cookie") == cookie(tab, "refresh_token_cookie")


def test_a_cache_is_told(site: Service, clock: Clock) -> None:
    """An answer with somebody's token is for whoever sent that cookie; others are left as they were."""
    browser = browser_of(site)
    assert "Vary" not in visit(site, browser).headers
    clock.now += LATE
    assert visit(site, browser).headers["Vary"] == "Cookie"


def test_many_tabs_at_once(make: MakeSite, clock: Clock) -> None:
    """Each gets a token that is good, whoever else changes the session meanwhile."""
    store = InterruptedStore()
    site = make(STORE_URI=store)
    browser = browser_of(site)
    tabs = [another_tab(browser) for _ in range(2)]
    clock.now += LATE

    def task() -> None:
        store.meanwhile = lambda _session: visit(site, tabs[1])

    assert names_set_by(visit(site, tabs[0], task)) == ACCESS_COOKIES
    for tab in tabs:
        assert visit(site, tab).status_code == 200


# --- when it does not -----------------------------------------------------------------------------------------------


def test_not_for_a_token_in_a_header(site: Service, clock: Clock) -> None:
    """A program looks after its own tokens."""
    pair = site.login()
    clock.now += LATE
    answer = site.run(lambda: None, view="access", token=pair.access_token)
    assert answer.status_code == 200
    assert names_set_by(answer) == set()


def test_not_for_a_token_without_a_session(site: Service, clock: Clock) -> None:
    """Nothing could end what comes of it."""
    browser = site.app.test_client()

    def login() -> Response:
        response = jsonify(None)
        set_access_cookies(response, create_access_token("alice"))
        return response

    site.run(login, client=browser)
    clock.now += LATE
    answer = visit(site, browser)
    assert (answer.status_code, names_set_by(answer)) == (200, set())


@pytest.mark.parametrize("sid", [5, None, [], {"a": 1}], ids=repr)
def test_not_for_a_session_claim_that_is_none(make: MakeSite, clock: Clock, sid: Any) -> None:
    """Even where the view did not ask the store."""
    site = make()
    with site.app.app_context():
        token = create_access_token("alice", additional_claims={"sid": sid})
    browser = site.app.test_client()
    browser.set_cookie("access_token_cookie", token, domain="localhost")
    clock.now += LATE
    answer = visit(site, browser, view="unchecked")
    assert (answer.status_code, names_set_by(answer)) == (200, set())


@pytest.mark.parametrize("expires", [False, timedelta(days=1)])
def test_not_for_what_does_not_expire_soon(make: MakeSite, clock: Clock, expires: Any) -> None:
    """Or never does."""
    site = make(ACCESS_TOKEN_EXPIRES=expires, SESSION_LIFETIME=None)
    browser = browser_of(site)
    clock.now += DAY / 2
    assert names_set_by(visit(site, browser)) == set()


def test_not_for_a_refresh_token(site: Service, clock: Clock) -> None:
    """It is exchanged, or nothing."""
    browser = browser_of(site)
    clock.now += 16 * DAY
    answer = post(site, lambda: None, "refresh", browser, csrf(browser, "refresh"))
    assert (answer.status_code, names_set_by(answer)) == (200, set())


def test_not_for_a_view_that_asked_for_no_token(site: Service, clock: Clock) -> None:
    """Nothing has verified it."""
    browser = browser_of(site)
    clock.now += LATE
    assert names_set_by(visit(site, browser, view="open")) == set()
    assert names_set_by(visit(site, site.app.test_client(), view="optional")) == set()


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_not_on_errors(site: Service, clock: Clock, status: int) -> None:
    """An error says nothing new about a session."""
    browser = browser_of(site)
    clock.now += LATE

    def fail() -> Response:
        response = jsonify(None)
        response.status_code = status
        return response

    assert names_set_by(visit(site, browser, fail)) == set()
    assert names_set_by(visit(site, browser)) == ACCESS_COOKIES


@pytest.mark.parametrize("status", [201, 204, 302, 304])
def test_but_on_every_other_answer(site: Service, clock: Clock, status: int) -> None:
    """A redirect after a form, say."""
    browser = browser_of(site)
    clock.now += LATE
    assert names_set_by(visit(site, browser, lambda: Response(status=status))) == ACCESS_COOKIES


_ENDS: dict[str, Task] = {
    "end_session": end_session,
    "end_all_sessions": end_all_sessions,
    "revoke_token": revoke_token,
}


@pytest.mark.parametrize("task", _ENDS.values(), ids=_ENDS)
def test_not_when_the_view_has_logged_out(site: Service, clock: Clock, task: Task) -> None:
    """Even if it left the cookies where they were."""
    browser = browser_of(site)
    clock.now += LATE
    with hear() as heard:
        answer = visit(site, browser, task)
    assert (answer.status_code, names_set_by(answer)) == (200, set())
    assert "session_refreshed" not in {name for name, _ in told(heard)}
    assert visit(site, browser).status_code == 401


def test_not_when_the_view_has_blocked_the_token_itself(site: Service, clock: Clock) -> None:
    """An application may have a blocklist of its own, from before it had a store: its word stands."""
    blocked: set[str] = set()
    site.manager.token_in_blocklist_loader(lambda _header, claims: claims["jti"] in blocked)
    browser = browser_of(site)
    clock.now += LATE
    answer = visit(site, browser, lambda: blocked.add(get_jwt()["jti"]))
    assert (answer.status_code, names_set_by(answer)) == (200, set())
    assert visit(site, browser).status_code == 401


@pytest.mark.parametrize("how", ["ended", "revoked"])
def test_not_for_a_token_that_a_view_let_pass_unasked(site: Service, clock: Clock, how: str) -> None:
    """``skip_revocation_check`` is for that view alone."""
    browser = browser_of(site)
    token = cookie(browser, "access_token_cookie")
    end = (lambda: end_all_sessions("alice")) if how == "ended" else (lambda: revoke_token(token))
    site.run(end)
    clock.now += LATE
    answer = visit(site, browser, view="unchecked")
    assert (answer.status_code, names_set_by(answer)) == (200, set())


def test_not_when_the_view_has_set_the_cookie(site: Service, clock: Clock) -> None:
    """Whoever logs in as somebody else stays that."""
    browser = browser_of(site)
    clock.now += LATE
    answer = visit(site, browser, lambda: with_cookies(start_session("bob")))
    assert len(answer.headers.getlist("Set-Cookie")) == 4
    assert claims_of(cookie(browser, "access_token_cookie"))["sub"] == "bob"


@pytest.mark.parametrize("unset", [unset_access_cookies, unset_jwt_cookies], ids=lambda each: each.__name__)
def test_not_when_the_view_has_deleted_the_cookie(site: Service, clock: Clock, unset: Any) -> None:
    """It stays deleted."""
    browser = browser_of(site)
    clock.now += LATE

    def leave() -> Response:
        response = jsonify(None)
        unset(response)
        return response

    visit(site, browser, leave)
    with pytest.raises(ValueError, match="not enough values"):
        cookie(browser, "access_token_cookie")


def test_it_never_deletes_a_cookie(make: MakeSite, clock: Clock) -> None:
    """The refusal of the next request will be answer enough."""
    store = BreakableStore()
    site = make(STORE_URI=store)
    browser = browser_of(site)
    for change in (lambda: store.__setattr__("down", True), end_session):
        store.down = False
        clock.now = NOW + LATE
        assert names_set_by(visit(site, browser, change)) == set()


def test_an_outage_is_not_this_requests_business(make: MakeSite, clock: Clock) -> None:
    """The view has answered; the next request renews the cookie."""
    store = BreakableStore()
    site = make(STORE_URI=store)
    browser = browser_of(site)
    clock.now += LATE
    with hear() as heard:
        answer = visit(site, browser, lambda: store.__setattr__("down", True))
    assert (answer.status_code, names_set_by(answer), heard) == (200, set(), [])
    store.down = False
    assert names_set_by(visit(site, browser)) == ACCESS_COOKIES


def test_nothing_is_renewed_unasked(make: MakeSite, clock: Clock) -> None:
    """What JWT_STORE_OUTAGE lets pass gets no new token for it."""
    store = BreakableStore()
    site = make(STORE_URI=store, STORE_OUTAGE="allow")
    browser = browser_of(site)
    clock.now += LATE
    store.down = True
    answer = visit(site, browser)
    assert (answer.status_code, names_set_by(answer)) == (200, set())


# --- a logout somewhere else ----------------------------------------------------------------------------------------


def test_a_logout_between_the_view_and_the_hook_wins(site: Service, clock: Clock) -> None:
    """Another client ends the session while this answer is on its way."""
    session_ids: list[str] = []
    logged_out: list[str] = []
    site.app.add_url_rule("/logout", "logout", lambda: str(end_session(session_ids.pop())), methods=["POST"])

    @site.app.after_request  # runs before the one that was registered earlier
    def meanwhile(response: Response) -> Response:
        if session_ids and request.path != "/logout":
            logged_out.append(site.app.test_client(use_cookies=False).post("/logout").text)
        return response

    browser = browser_of(site)
    clock.now += LATE
    session_ids.append(claims_of(cookie(browser, "access_token_cookie"))["sid"])
    answer = visit(site, browser)
    assert logged_out == ["True"]
    assert (answer.status_code, names_set_by(answer)) == (200, set())


def test_a_logout_within_the_hook_wins(make: MakeSite, clock: Clock) -> None:
    """Even after it has read the session."""
    store = InterruptedStore()
    site = make(STORE_URI=store)
    browser = browser_of(site)
    clock.now += LATE

    def task() -> None:
        store.meanwhile = store.remove

    answer = visit(site, browser, task)
    assert (answer.status_code, names_set_by(answer)) == (200, set())
    assert list(store.sessions()) == []


def test_a_request_of_a_program_beside_a_cookie(make: MakeSite, clock: Clock) -> None:
    """The token that passed counts, not the one that would have."""
    site = make(TOKEN_LOCATION=["headers", "cookies"])
    browser = browser_of(site)
    clock.now += LATE
    token = site.login("bob").access_token
    answer = browser.get("/do/access", base_url=HTTPS, headers=bearer(token))
    assert (answer.status_code, names_set_by(answer)) == (200, set())


# --- a bound on what theft detection cannot see ---------------------------------------------------------------------


def keep_alive(site: Service, browser: FlaskClient, clock: Clock, seconds: float) -> bool:
    """Come back every ten minutes for so long, and say whether the browser is logged in then."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += 10 * MINUTE
        if visit(site, browser).status_code != 200:
            return False
    return True


def test_an_access_cookie_is_not_extended_for_ever(site: Service, clock: Clock) -> None:
    """A copy of it ends after twelve hours, and one more life of an access token."""
    thief = another_tab(browser_of(site))
    assert keep_alive(site, thief, clock, 12 * 60 * MINUTE)
    assert not keep_alive(site, thief, clock, 20 * MINUTE)


def test_the_session_stays_active_and_its_refresh_token_good(site: Service, clock: Clock) -> None:
    """The browser refreshes, and its cookie is extended again."""
    browser = browser_of(site)
    assert not keep_alive(site, browser, clock, 13 * 60 * MINUTE)
    answer = post(site, lambda: with_cookies(refresh_session()), "refresh", browser, csrf(browser, "refresh"))
    assert answer.status_code == 200
    assert keep_alive(site, browser, clock, 12 * 60 * MINUTE)


def test_extending_does_not_move_the_bound(make: MakeSite, clock: Clock) -> None:
    """It counts from the login or an exchange alone, which a thief of an access cookie cannot make."""
    site = make(COOKIE_EXTENSION_LIFETIME=timedelta(hours=1))
    browser = browser_of(site)
    thief = another_tab(browser)
    assert keep_alive(site, thief, clock, 60 * MINUTE)
    assert not keep_alive(site, thief, clock, 20 * MINUTE)
    assert not keep_alive(site, thief, clock, DAY)


def exchange(site: Service, browser: FlaskClient) -> None:
    """Exchange the refresh cookie of a browser."""
    answer = post(site, lambda: with_cookies(refresh_session()), "refresh", browser, csrf(browser, "refresh"))
    assert answer.status_code == 200


@pytest.mark.parametrize("lifetime", [timedelta(hours=12), None], ids=repr)
def test_a_copy_is_not_extended_after_its_owner_has_exchanged_the_refresh_token(
    make: MakeSite, clock: Clock, lifetime: Any
) -> None:
    """Otherwise each exchange by the owner would keep the copy of a thief alive."""
    site = make(COOKIE_EXTENSION_LIFETIME=lifetime)
    browser = browser_of(site)
    thief = another_tab(browser)
    for _ in range(2):
        assert keep_alive(site, thief, clock, 60 * MINUTE)
        clock.now += 1
        exchange(site, browser)
        assert not keep_alive(site, thief, clock, 20 * MINUTE)
        exchange(site, browser)
        assert keep_alive(site, browser, clock, 60 * MINUTE)
        thief = another_tab(browser)


def test_a_tab_that_exchanges_within_the_grace_is_extended_too(site: Service, clock: Clock) -> None:
    """Its access token is newer than the exchange."""
    browser = browser_of(site)
    late = another_tab(browser)
    clock.now += 0.7
    exchange(site, browser)
    clock.now += 5
    exchange(site, late)
    clock.now += LATE
    assert [names_set_by(visit(site, tab)) for tab in (browser, late)] == [ACCESS_COOKIES, ACCESS_COOKIES]


@pytest.mark.parametrize("lifetime", [None, False])
def test_the_bound_can_be_taken_away(make: MakeSite, clock: Clock, lifetime: Any) -> None:
    """Then the refresh token's life is the bound, as before."""
    site = make(COOKIE_EXTENSION_LIFETIME=lifetime)
    browser = browser_of(site)
    assert keep_alive(site, browser, clock, 3 * DAY)


@pytest.mark.parametrize("lifetime", [0, -1, timedelta(0), timedelta(days=-1)])
def test_a_bound_that_lets_nothing_be_extended_is_refused(make: MakeSite, lifetime: Any) -> None:
    """Leave the hook out instead."""
    with pytest.raises(ConfigurationError, match="JWT_COOKIE_EXTENSION_LIFETIME"):
        make(COOKIE_EXTENSION_LIFETIME=lifetime)
