"""An outage of the store: the answers of clients, the signals and log lines, and what is accepted nevertheless.

The tests of each store show that it reports an outage within its timeout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import flask_restful
import flask_restx
import pytest
from flask import Blueprint, Flask
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    create_refresh_token,
    end_all_sessions,
    end_session,
    jwt_required,
    list_sessions,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended.exceptions import JWTExtendedException, StoreUnavailableError

from ..axes import rotated
from ..conftest import SECRET, MakeApp, bearer
from .helpers import REASON, BreakableStore, Service, Task, browser_of, csrf, post, service_of, signals_sent, summary

MakeService = Callable[..., tuple[Service, BreakableStore]]

#: The default answers in both styles.
BODIES = {
    "compat": {"msg": "The session store is unavailable"},
    "rfc6750": {"msg": "Try again", "error": "temporarily_unavailable"},
}
TASKS: dict[str, Task] = {
    "start_session": lambda: start_session("alice"),
    "refresh_session": refresh_session,
    "end_session": end_session,
    "end_session by id": lambda: end_session("some"),
    "end_all_sessions": end_all_sessions,
    "list_sessions": list_sessions,
    "revoke_token": revoke_token,
}


@pytest.fixture
def make(make_app: MakeApp) -> MakeService:
    """Make a service and its store."""

    def with_options(**options: Any) -> tuple[Service, BreakableStore]:
        store = BreakableStore()
        return service_of(make_app, STORE_URI=store, **options), store

    return with_options


def is_unavailable(answer: TestResponse, style: str = "compat") -> bool:
    """Whether this is the answer in an outage: it has ``Retry-After``, and neither a challenge nor cookies."""
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert not {"WWW-Authenticate", "Set-Cookie"} & set(answer.headers.keys())
    assert answer.content_type == "application/json"
    return bool(answer.get_json() == BODIES[style])


# --- checks ---------------------------------------------------------------------------------------------------------


@rotated("view,of_a_session", product(["access", "refresh", "optional"], [True, False]), style=list(BODIES))
def test_nothing_is_accepted_unchecked(make: MakeService, view: str, of_a_session: bool, style: str) -> None:
    """An optional view does not treat the request as anonymous. A plain token may have been revoked too."""
    service, store = make(ERROR_STYLE=style)
    pair = service.login()
    access = pair.access_token if of_a_session else service.plain()
    refresh = pair.refresh_token if of_a_session else service.plain(create_refresh_token)
    store.down = True
    answer = service.run(lambda: "in", view=view, token=refresh if view == "refresh" else access)
    assert is_unavailable(answer, style)
    store.down = False
    assert service.passes(access)
    assert service.passes(refresh, "refresh")


def test_requests_that_need_no_store_are_answered(make: MakeService) -> None:
    """Without a token, with an invalid or expired one, and in a view that skips the check."""
    service, store = make()
    pair = service.login()
    expired = service.plain(expires_delta=timedelta(seconds=-1))
    store.down = True
    assert service.run(lambda: None, view="access").status_code == 401
    assert service.run(lambda: None, view="optional").status_code == 200
    assert service.run(lambda: None, view="access", token="nonsense").status_code == 422
    assert service.run(lambda: None, view="access", token=expired).status_code == 401
    assert service.run(lambda: None, view="access", token=pair.refresh_token).status_code == 422
    assert service.run(lambda: None, view="unchecked", token=pair.access_token).status_code == 200


def test_an_outage_is_reported(make: MakeService, caplog: pytest.LogCaptureFixture) -> None:
    """By two signals of the application and a log line. None contains a token."""
    service, store = make()
    pair = service.login()
    store.down = True
    with signals_sent() as sent, caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        service.run(lambda: None, view="access", token=pair.access_token)
    assert summary(sent) == [("token_refused", "store_unavailable"), ("store_outage", REASON)]
    assert sent[1].payload == {"cause": REASON, "allowed": False}
    assert {each.sender for each in sent} == {service.app}
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("ERROR", f"The store is unavailable: {REASON}")
    ]


# --- JWT_STORE_OUTAGE = "allow" -------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_a_session", [True, False])
def test_access_tokens_may_be_allowed(make: MakeService, caplog: pytest.LogCaptureFixture, of_a_session: bool) -> None:
    """Each is reported by a signal and a warning."""
    service, store = make(STORE_OUTAGE="allow")
    token = service.login().access_token if of_a_session else service.plain()
    store.down = True
    with signals_sent() as sent, caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        assert service.run(lambda: "in", view="access", token=token).get_json() == "in"
    assert [tuple(each) for each in sent] == [("store_outage", service.app, {"cause": REASON, "allowed": True})]
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", f"The store is unavailable ({REASON}): a token is accepted unchecked")
    ]
    assert token not in caplog.text


def test_allow_does_not_overrule_a_store_that_answers(make: MakeService) -> None:
    """``allow`` is for outages only."""
    service, store = make(STORE_OUTAGE="allow")
    pair = service.login()
    service.run(lambda: end_session(pair.session_id))
    assert not service.passes(pair.access_token)
    store.down = True
    assert service.passes(pair.access_token)  # the documented risk of the option
    store.down = False
    assert not service.passes(pair.access_token)


@pytest.mark.parametrize("view", ["refresh", "optional-refresh"])
@pytest.mark.parametrize("of_a_session", [True, False])
def test_a_refresh_token_is_never_accepted(make: MakeService, view: str, of_a_session: bool) -> None:
    """With or without a session."""
    service, store = make(STORE_OUTAGE="allow")
    token = service.login().refresh_token if of_a_session else service.plain(create_refresh_token)
    store.down = True
    with signals_sent() as sent:
        assert is_unavailable(service.run(lambda: "in", view=view, token=token))
    assert ("store_outage", REASON) in summary(sent)
    assert all(each.payload.get("allowed") is not True for each in sent)


def test_an_invalid_sid_claim_is_refused(make: MakeService) -> None:
    """No store is needed to refuse it."""
    service, store = make(STORE_OUTAGE="allow")
    token = service.plain(additional_claims={"sid": 5})
    store.down = True
    assert not service.passes(token)


def test_the_applications_blocklist_is_checked_nevertheless(make: MakeService) -> None:
    """The token may be on it."""
    service, store = make(STORE_OUTAGE="allow")
    service.manager.token_in_blocklist_loader(lambda _header, _claims: True)
    pair = service.login()
    store.down = True
    assert not service.passes(pair.access_token)


# --- the functions --------------------------------------------------------------------------------------------------


@rotated("name", TASKS, outage=["refuse", "allow"], style=list(BODIES))
def test_every_function_answers_503(make: MakeService, name: str, style: str, outage: str) -> None:
    """In a view whose own check has passed. The signals are sent once."""
    service, store = make(ERROR_STYLE=style, STORE_OUTAGE=outage)
    pair = service.login()

    def in_an_outage() -> Any:
        store.down = True
        return TASKS[name]()

    with signals_sent() as sent:
        assert is_unavailable(service.run(in_an_outage, view="refresh", token=pair.refresh_token), style)
    assert summary(sent) == [("token_refused", "store_unavailable"), ("store_outage", REASON)]
    store.down = False
    assert service.refresh(pair.refresh_token).status_code == 200  # nothing was changed


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_function_raises_what_a_view_may_catch(make: MakeService, task: Task) -> None:
    """The error has the reason for the log, and not the address of the store."""
    service, store = make()
    pair = service.login()
    caught = []

    def careful() -> str:
        store.down = True
        try:
            task()
        except StoreUnavailableError as error:
            caught.append(error)
        return "later"

    assert service.run(careful, view="refresh", token=pair.refresh_token).get_json() == "later"
    assert [(str(each), each.reason) for each in caught] == [("The session store is unavailable", REASON)]


def test_a_login_without_a_request_raises(make: MakeService) -> None:
    """For example on the command line."""
    service, store = make()
    store.down = True
    with service.app.app_context(), pytest.raises(StoreUnavailableError):
        start_session("alice")


def test_an_exchange_whose_answer_was_lost_can_be_repeated(make: MakeService) -> None:
    """The store did it. The client repeats it within the grace period."""
    service, store = make()
    pair = service.login()
    replace = store.replace

    def lost(*arguments: Any) -> bool:
        replace(*arguments)
        raise StoreUnavailableError(REASON)

    vars(store)["replace"] = lost
    assert is_unavailable(service.refresh(pair.refresh_token))
    del vars(store)["replace"]
    assert service.passes(service.refreshed(pair.refresh_token).access_token)


def test_cookies_stay_through_an_outage(make: MakeService) -> None:
    """After it, the browser is still logged in."""
    service, store = make(TOKEN_LOCATION="cookies")
    browser = browser_of(service)
    store.down = True
    for kind in ("access", "refresh"):
        assert is_unavailable(post(service, lambda: None, kind, browser, csrf(browser, kind)))
    store.down = False
    for kind in ("access", "refresh"):
        assert post(service, lambda: None, kind, browser, csrf(browser, kind)).status_code == 200


# --- the application's own answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["manager", "handler"])
def test_a_handler_of_the_application_wins(first: str) -> None:
    """Registered before the manager or after it. It makes the whole answer."""
    app, store = Flask("app"), BreakableStore()
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI=store)

    def register() -> None:
        app.errorhandler(StoreUnavailableError)(lambda error: ({"own": error.code}, 500))

    for step in (lambda: JWTManager(app), register)[:: 1 if first == "manager" else -1]:
        step()
    service = Service(app)
    pair = service.login()
    store.down = True
    answer = service.run(lambda: None, view="access", token=pair.access_token)
    assert (answer.status_code, answer.get_json()) == (500, {"own": "store_unavailable"})


@pytest.mark.parametrize("caught", [JWTExtendedException, Exception])
def test_a_handler_for_everything_does_not_hide_the_outage(make: MakeService, caught: type[Exception]) -> None:
    """The more specific handler answers, as for all errors."""
    service, store = make()
    service.app.errorhandler(caught)(lambda _error: ("own", 500))
    pair = service.login()
    store.down = True
    assert is_unavailable(service.run(lambda: None, view="access", token=pair.access_token))


def test_a_store_that_is_set_late_has_a_handler_too(make_app: MakeApp) -> None:
    """After the first request, Flask accepts no more handlers."""
    service = service_of(make_app, STORE_URI=None)
    assert service.run(lambda: "first").get_json() == "first"
    store = service.app.config["JWT_STORE_URI"] = BreakableStore()
    pair = service.login()
    store.down = True
    assert is_unavailable(service.run(lambda: None, view="access", token=pair.access_token))


# --- flask-restful and flask-restx ----------------------------------------------------------------------------------


@rotated(
    "library,propagate",
    product([flask_restful, flask_restx], [None, True, False]),
    testing=[True, False],
    on_blueprint=[True, False],
)
def test_an_api_answers_503_too(library: Any, propagate: bool | None, testing: bool, on_blueprint: bool) -> None:
    """In the check, and in a function within the resource."""
    app, store = Flask("app"), BreakableStore()
    app.testing = testing
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI=store, PROPAGATE_EXCEPTIONS=propagate)
    JWTManager(app)
    _mount(library, app, on_blueprint)
    with app.app_context():
        token = start_session("alice").access_token
    client = app.test_client()
    assert client.get("/checked", headers=bearer(token)).get_json() == "in"
    store.down = True
    for path in ("/checked", "/unchecked"):
        assert is_unavailable(client.get(path, headers=bearer(token)))


def _mount(library: Any, app: Flask, on_blueprint: bool) -> None:
    place = Blueprint("api", "api") if on_blueprint else app
    api = library.Api(place)

    @jwt_required()
    def checked(_resource: Any) -> str:
        return "in"

    @jwt_required(skip_revocation_check=True)
    def unchecked(_resource: Any) -> int:
        return len(list_sessions())

    for get in (checked, unchecked):
        api.add_resource(type(get.__name__, (library.Resource,), {"get": get}), f"/{get.__name__}")
    if isinstance(place, Blueprint):
        app.register_blueprint(place)


@pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)
def test_an_invalid_token_in_a_resource_is_refused_too(library: Any) -> None:
    """``revoke_token`` refuses it like the decorator, also where exceptions do not propagate."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI="memory://", PROPAGATE_EXCEPTIONS=False)
    JWTManager(app)
    resource = type("Revoke", (library.Resource,), {"get": lambda _resource: revoke_token("nonsense")})
    library.Api(app).add_resource(resource, "/revoke")
    answer = app.test_client().get("/revoke")
    assert (answer.status_code, answer.get_json()) == (422, {"msg": "Not enough segments"})
