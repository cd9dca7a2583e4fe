"""A store that does not answer: what clients, listeners and the application are told, and what passes all the same.

That a store reports within its timeout is the business of its own tests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask_restful
import flask_restx
import pytest
from flask import Blueprint, Flask
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
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

from ..conftest import SECRET, MakeApp, bearer
from .helpers import REASON, BreakableStore, Service, Task, browser_of, csrf, hear, post, service_of, told

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
    """Make a service and the store that it is going to lose."""

    def with_options(**options: Any) -> tuple[Service, BreakableStore]:
        store = BreakableStore()
        return service_of(make_app, STORE_URI=store, **options), store

    return with_options


def is_unavailable(answer: TestResponse, style: str = "compat") -> bool:
    """Whether this is the answer to an outage: it says when to come again, asks for no other token, and leaves cookies
    alone.
    """
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert not {"WWW-Authenticate", "Set-Cookie"} & set(answer.headers.keys())
    assert answer.content_type == "application/json"
    return bool(answer.get_json() == BODIES[style])


# --- checks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["access", "refresh", "optional"])
@pytest.mark.parametrize("style", BODIES)
@pytest.mark.parametrize("of_a_session", [True, False])
def test_nothing_passes_unchecked(make: MakeService, view: str, style: str, of_a_session: bool) -> None:
    """An optional view takes nobody for anonymous, and a plain token may have been revoked too."""
    service, store = make(ERROR_STYLE=style)
    with service.app.app_context():
        pair = start_session("alice")
        access = pair.access_token if of_a_session else create_access_token("alice")
        refresh = pair.refresh_token if of_a_session else create_refresh_token("alice")
    store.down = True
    answer = service.run(lambda: "in", view=view, token=refresh if view == "refresh" else access)
    assert is_unavailable(answer, style)
    store.down = False
    assert service.passes(access)
    assert service.passes(refresh, "refresh")


def test_what_asks_no_store_goes_on(make: MakeService) -> None:
    """A request without a token, a bad or an expired one, and a view that skips the question."""
    service, store = make()
    pair = service.login()
    with service.app.app_context():
        expired = create_access_token("alice", expires_delta=timedelta(seconds=-1))
    store.down = True
    assert service.run(lambda: None, view="access").status_code == 401
    assert service.run(lambda: None, view="optional").status_code == 200
    assert service.run(lambda: None, view="access", token="nonsense").status_code == 422
    assert service.run(lambda: None, view="access", token=expired).status_code == 401
    assert service.run(lambda: None, view="access", token=pair.refresh_token).status_code == 422
    assert service.run(lambda: None, view="unchecked", token=pair.access_token).status_code == 200


def test_an_outage_is_told_of(make: MakeService, caplog: pytest.LogCaptureFixture) -> None:
    """By two signals of the application and a line in the log; none holds a token."""
    service, store = make()
    pair = service.login()
    store.down = True
    with hear() as heard, caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        service.run(lambda: None, view="access", token=pair.access_token)
    assert told(heard) == [("token_refused", "store_unavailable"), ("store_outage", REASON)]
    assert heard[1].payload == {"cause": REASON, "allowed": False}
    assert {each.sender for each in heard} == {service.app}
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("ERROR", f"The store is unavailable: {REASON}")
    ]


# --- JWT_STORE_OUTAGE = "allow" -------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_a_session", [True, False])
def test_access_tokens_may_be_allowed(make: MakeService, caplog: pytest.LogCaptureFixture, of_a_session: bool) -> None:
    """Each one that passes is told of, loudly."""
    service, store = make(STORE_OUTAGE="allow")
    with service.app.app_context():
        token = start_session("alice").access_token if of_a_session else create_access_token("alice")
    store.down = True
    with hear() as heard, caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        assert service.run(lambda: "in", view="access", token=token).get_json() == "in"
    assert [tuple(each) for each in heard] == [("store_outage", service.app, {"cause": REASON, "allowed": True})]
    assert [(each.levelname, each.message) for each in caplog.records] == [
        ("WARNING", f"The store is unavailable ({REASON}): a token is accepted unchecked")
    ]
    assert token not in caplog.text


def test_a_store_that_answers_is_obeyed(make: MakeService) -> None:
    """``allow`` is for outages alone."""
    service, store = make(STORE_OUTAGE="allow")
    pair = service.login()
    service.run(lambda: end_session(pair.session_id))
    assert not service.passes(pair.access_token)
    store.down = True
    assert service.passes(pair.access_token)  # what the option is warned of for
    store.down = False
    assert not service.passes(pair.access_token)


@pytest.mark.parametrize("view", ["refresh", "optional-refresh"])
@pytest.mark.parametrize("of_a_session", [True, False])
def test_a_refresh_token_never_passes(make: MakeService, view: str, of_a_session: bool) -> None:
    """Not of a session, and not a plain one."""
    service, store = make(STORE_OUTAGE="allow")
    with service.app.app_context():
        token = start_session("alice").refresh_token if of_a_session else create_refresh_token("alice")
    store.down = True
    with hear() as heard:
        assert is_unavailable(service.run(lambda: "in", view=view, token=token))
    assert ("store_outage", REASON) in told(heard)
    assert all(each.payload.get("allowed") is not True for each in heard)


def test_a_session_claim_that_is_none_does_not_pass(make: MakeService) -> None:
    """It takes no store to tell."""
    service, store = make(STORE_OUTAGE="allow")
    with service.app.app_context():
        token = create_access_token("alice", additional_claims={"sid": 5})
    store.down = True
    assert not service.passes(token)


def test_the_applications_own_blocklist_is_asked_all_the_same(make: MakeService) -> None:
    """It may know what the store would have said."""
    service, store = make(STORE_OUTAGE="allow")
    service.manager.token_in_blocklist_loader(lambda _header, _claims: True)
    pair = service.login()
    store.down = True
    assert not service.passes(pair.access_token)


# --- the functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outage", ["refuse", "allow"])
@pytest.mark.parametrize("style", BODIES)
@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_function_answers_503(make: MakeService, task: Task, style: str, outage: str) -> None:
    """In a view that got past its own check; whoever listens is told once."""
    service, store = make(ERROR_STYLE=style, STORE_OUTAGE=outage)
    pair = service.login()

    def in_an_outage() -> Any:
        store.down = True
        return task()

    with hear() as heard:
        assert is_unavailable(service.run(in_an_outage, view="refresh", token=pair.refresh_token), style)
    assert told(heard) == [("token_refused", "store_unavailable"), ("store_outage", REASON)]
    store.down = False
    assert service.refresh(pair.refresh_token).status_code == 200  # and nothing was done


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_function_raises_what_a_view_may_catch(make: MakeService, task: Task) -> None:
    """It says why for the log, and not where the store is."""
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
    """On the command line, say."""
    service, store = make()
    store.down = True
    with service.app.app_context(), pytest.raises(StoreUnavailableError):
        start_session("alice")


def test_an_exchange_that_was_not_heard_of_can_be_repeated(make: MakeService) -> None:
    """The store took it and its answer got lost: the client comes again within the grace."""
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
    """The browser is logged in when it is over."""
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
    """Registered before the manager or after it; ``Retry-After`` and all else are its own then."""
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
    """The more specific one answers, as for every other error."""
    service, store = make()
    service.app.errorhandler(caught)(lambda _error: ("own", 500))
    pair = service.login()
    store.down = True
    assert is_unavailable(service.run(lambda: None, view="access", token=pair.access_token))


def test_a_store_that_is_configured_late_is_answered_for_too(make_app: MakeApp) -> None:
    """After the first request, when Flask takes no more handlers."""
    service = service_of(make_app, STORE_URI=None)
    assert service.run(lambda: "first").get_json() == "first"
    store = service.app.config["JWT_STORE_URI"] = BreakableStore()
    pair = service.login()
    store.down = True
    assert is_unavailable(service.run(lambda: None, view="access", token=pair.access_token))


# --- flask-restful and flask-restx ----------------------------------------------------------------------------------


@pytest.mark.parametrize("propagate", [None, True, False])
@pytest.mark.parametrize("testing", [True, False])
@pytest.mark.parametrize("on_blueprint", [True, False])
@pytest.mark.parametrize("library", [flask_restful, flask_restx], ids=lambda each: each.__name__)
def test_an_api_answers_503_as_well(library: Any, propagate: bool | None, testing: bool, on_blueprint: bool) -> None:
    """Whether the check finds out or a function within the resource."""
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
def test_a_foreign_token_in_a_resource_is_answered_too(library: Any) -> None:
    """``revoke_token`` of what a client sent refuses it as the decorator would, in every mode of the application."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_STORE_URI="memory://", PROPAGATE_EXCEPTIONS=False)
    JWTManager(app)
    resource = type("Revoke", (library.Resource,), {"get": lambda _resource: revoke_token("nonsense")})
    library.Api(app).add_resource(resource, "/revoke")
    answer = app.test_client().get("/revoke")
    assert (answer.status_code, answer.get_json()) == (422, {"msg": "Not enough segments"})
