"""The identity belongs to the request, not to the application context, which several requests may share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Thread
from typing import Any

import pytest
from flask import Flask, Response, copy_current_request_context, g, render_template_string, stream_with_context
from flask.ctx import _AppCtxGlobals

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    current_user,
    end_session,
    get_current_user,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    list_sessions,
    start_session,
    verify_jwt_in_request,
)

from ..conftest import SECRET, MakeApp, bearer

IN_G = ("_jwt_extended_jwt", "_jwt_extended_jwt_header", "_jwt_extended_jwt_user", "_jwt_extended_jwt_location")


def new_app(**options: Any) -> Flask:
    """An application whose tokens name their owner in claims, header and user."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers", "query_string"], **options)
    JWTManager(app).user_lookup_loader(lambda _header, claims: f"user {claims['sub']}")
    app.add_url_rule("/closed", "closed", jwt_required()(seen))
    app.add_url_rule("/optional", "optional", jwt_required(optional=True)(seen))
    app.add_url_rule("/open", "open", seen)
    return app


@pytest.fixture
def app() -> Flask:
    return new_app()


def seen() -> dict[str, Any]:
    """Everything that the functions return; ``None`` without a verified token."""
    try:
        claims = get_jwt()
    except RuntimeError:
        assert not current_app_has_user()
        return {"identity": None, "verified": False}
    assert g._jwt_extended_jwt is claims
    assert get_jwt_header().get("kid") == get_jwt_identity()
    return {
        "identity": get_jwt_identity(),
        "user": current_user._get_current_object(),
        "location": get_jwt_request_location(),
        "verified": True,
    }


def current_app_has_user() -> bool:
    try:
        get_current_user()
    except RuntimeError:
        return False
    return True


def of(name: str | None, location: str = "headers") -> dict[str, Any]:
    if name is None:
        return {"identity": None, "user": None, "location": None, "verified": True}
    return {"identity": name, "user": f"user {name}", "location": location, "verified": True}


NOBODY = {"identity": None, "verified": False}


def answer_of(response: Any) -> Any:
    return response.json


def token(app: Flask, name: str) -> str:
    with app.app_context():
        return create_access_token(name, additional_headers={"kid": name})


def by(app: Flask, name: str) -> dict[str, Any]:
    return {"headers": bearer(token(app, name))}


# --- a view that calls another view ----------------------------------------------------------------------------------

#: What the inner request asks for, as whom, and whom it sees.
INNER: list[Any] = [
    pytest.param("/closed", "bob", of("bob"), id="of another"),
    pytest.param("/optional", None, of(None), id="anonymous"),
    pytest.param("/open", None, NOBODY, id="not verified"),
    pytest.param("/open", "bob", NOBODY, id="not verified, with a token"),
    pytest.param("/closed", None, {"msg": "Missing Authorization Header"}, id="refused"),
]


@pytest.mark.parametrize(("path", "name", "expected"), INNER)
@pytest.mark.parametrize("outer", ["alice", None], ids=["authenticated", "anonymous"])
def test_a_view_that_calls_another_keeps_its_identity(
    app: Flask, path: str, name: str | None, expected: dict[str, Any], outer: str | None
) -> None:
    """Neither view sees the other's identity, and ``g`` holds the outer one again when the inner request ends."""

    @app.get("/outer")
    @jwt_required(optional=True)
    def call() -> list[Any]:
        before, in_g = seen(), {each: g.get(each) for each in IN_G}
        inner = answer_of(app.test_client().get(path, **(by(app, name) if name else {})))
        if expected.get("location"):
            inner["location"] = "headers"
        assert {each: g.get(each) for each in IN_G} == in_g
        return [before, inner, seen()]

    app.config["JWT_TOKEN_LOCATION"] = ["headers"]
    answer = app.test_client().get("/outer", **(by(app, outer) if outer else {})).json
    assert answer == [of(outer), expected, of(outer)]


def test_a_view_that_fails_does_not_leave_its_identity_to_the_one_that_called_it(app: Flask) -> None:
    """The outer identity is also back if the exception leaves the application."""

    @app.get("/fails")
    @jwt_required()
    def fail() -> str:
        raise ZeroDivisionError

    @app.get("/outer")
    @jwt_required()
    def call() -> dict[str, Any]:
        with pytest.raises(ZeroDivisionError):
            app.test_client().get("/fails", **by(app, "bob"))
        assert g._jwt_extended_jwt["sub"] == "alice"
        return seen()

    app.testing = True
    assert app.test_client().get("/outer", **by(app, "alice")).json == of("alice")


def test_views_may_call_each_other_to_any_depth(app: Flask) -> None:
    """Each view sees its own identity before and after the call."""

    @app.get("/deep/<int:depth>")
    @jwt_required()
    def call(depth: int) -> list[Any]:
        before = seen()["identity"]
        inner = answer_of(app.test_client().get(f"/deep/{depth - 1}", **by(app, str(depth - 1)))) if depth else []
        return [before, *inner, seen()["identity"]]

    assert app.test_client().get("/deep/3", **by(app, "3")).json == ["3", "2", "1", "0", "0", "1", "2", "3"]


def test_a_view_of_another_application_has_its_own(app: Flask) -> None:
    """An application may call another in the same process."""
    other = new_app(JWT_IDENTITY_CLAIM="sub")

    @app.get("/outer")
    @jwt_required()
    def call() -> list[Any]:
        inner = [other.test_client().get(path, **by(other, "bob")).json for path in ("/closed", "/open")]
        return [*inner, seen()]

    assert app.test_client().get("/outer", **by(app, "alice")).json == [of("bob"), NOBODY, of("alice")]


def test_a_session_is_ended_by_its_own_bearer_after_a_call_to_another_view(app: Flask) -> None:
    """The functions for sessions follow the request too."""
    app.config.update(JWT_STORE_URI="memory://", JWT_COOKIE_CSRF_PROTECT=False)
    app.extensions["flask-jwt-extended"].user_lookup_loader(lambda _header, claims: claims["sub"])

    @app.get("/logout")
    @jwt_required()
    def logout() -> list[Any]:
        app.test_client().get("/closed", headers=bearer(other.access_token))
        return [[each.identity for each in list_sessions()], end_session()]

    app.view_functions["closed"] = jwt_required()(lambda: "")
    with app.app_context():
        own, other = start_session("alice"), start_session("bob")
    assert app.test_client().get("/logout", headers=bearer(own.access_token)).json == [["alice"], True]
    with app.app_context():
        assert [len(list_sessions(name)) for name in ("alice", "bob")] == [0, 1]


# --- contexts pushed by hand -----------------------------------------------------------------------------------------


def test_nested_test_requests_each_have_their_own(app: Flask) -> None:
    """The inner context starts empty and leaves nothing behind."""
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        with app.test_request_context(**by(app, "bob")):
            assert seen() == NOBODY
            verify_jwt_in_request()
            assert seen() == of("bob")
            verify_jwt_in_request()  # again
            assert seen() == of("bob")
        assert seen() == of("alice")
        with app.test_request_context():
            assert seen() == NOBODY
        assert g._jwt_extended_jwt["sub"] == "alice"


def test_requests_inside_one_application_context_do_not_see_each_other(app: Flask) -> None:
    """Fixtures of many test suites push one around everything."""
    with app.app_context():
        client = app.test_client()
        assert client.get("/closed", **by(app, "alice")).json == of("alice")
        assert client.get("/open").json == NOBODY
        assert client.get("/optional").json == of(None)
        assert client.get("/open").json == NOBODY
        assert client.get("/closed").status_code == 401
        with pytest.raises(RuntimeError, match="You must call"):
            get_jwt()


@pytest.mark.parametrize("path", ["/open", "/closed"])
def test_what_a_test_writes_into_g_is_seen_by_the_requests_inside(app: Flask, path: str) -> None:
    """A test may log in so. A verified request has its own identity; afterwards the one of the test is back."""
    with app.app_context():
        g._jwt_extended_jwt, g._jwt_extended_jwt_header = {"sub": "written"}, {"kid": "written"}
        g._jwt_extended_jwt_user, g._jwt_extended_jwt_location = {"loaded_user": "own"}, "json"
        written = {"identity": "written", "user": "own", "location": "json", "verified": True}
        for _ in range(2):
            answer = app.test_client().get(path, **by(app, "alice")).json
            assert answer == (written if path == "/open" else of("alice"))
            assert seen() == written


def test_an_application_context_inside_a_request_belongs_to_it(app: Flask) -> None:
    """It is the same request, so it has the same identity."""
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        with app.app_context():
            assert get_jwt_identity() == "alice"
            assert get_current_user() == "user alice"
        assert seen() == of("alice")


def test_the_context_of_another_application_inside_a_request_does_not(app: Flask) -> None:
    """An identity of one application is unknown to another."""
    other = new_app()
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        with other.app_context(), pytest.raises(RuntimeError, match="You must call"):
            get_jwt()


# --- the rest of a request -------------------------------------------------------------------------------------------


def test_a_copied_request_context_carries_it_into_a_thread(app: Flask) -> None:
    """``copy_current_request_context`` has its own ``g`` there."""
    found: list[Any] = []
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()

        @copy_current_request_context
        def work() -> None:
            found.append([get_jwt_identity(), get_jwt_header()["kid"], get_current_user(), get_jwt_request_location()])

        thread = Thread(target=work)
        thread.start()
        thread.join(10)
    assert found == [["alice", "alice", "user alice", "headers"]]


def test_a_streamed_answer_keeps_it_to_the_end(app: Flask) -> None:
    """It keeps it also if it calls another view between its parts."""

    @app.get("/stream")
    @jwt_required()
    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield get_jwt_identity()
            app.test_client().get("/closed", **by(app, "bob"))
            yield get_jwt_identity()

        return Response(stream_with_context(parts()))

    @app.get("/outer")
    @jwt_required()
    def call() -> list[Any]:
        inner = app.test_client().get("/stream", **by(app, "carol")).text
        return [inner, seen()["identity"]]

    client = app.test_client()
    assert client.get("/stream", **by(app, "alice")).text == "alicealice"
    assert client.get("/outer", **by(app, "alice")).json == ["carolcarol", "alice"]


def test_what_runs_after_a_view_still_knows_the_bearer(app: Flask) -> None:
    """``after_request`` and ``teardown_request`` see the identity of their own request."""
    known: list[str] = []

    @app.after_request
    def after(response: Response) -> Response:
        known.append(f"after {get_jwt_identity()} {g._jwt_extended_jwt['sub']}")
        return response

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        known.append(f"teardown {get_jwt_identity()} {g._jwt_extended_jwt['sub']}")

    @app.get("/outer")
    @jwt_required()
    def call() -> str:
        app.test_client().get("/closed", **by(app, "bob"))
        return ""

    app.test_client().get("/outer", **by(app, "alice"))
    assert known == ["after bob bob", "teardown bob bob", "after alice alice", "teardown alice alice"]


def test_a_client_that_preserves_its_context_shows_the_last_request(app: Flask) -> None:
    """In ``with app.test_client()``, the functions return values of the last request."""
    with app.test_client() as client:
        for name in ("alice", "bob"):
            client.get("/closed", **by(app, name))
            assert seen() == of(name)


def test_templates_see_the_user_of_their_own_request() -> None:
    """``add_context_processor=True`` gives templates the user of their request."""
    app = Flask("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app, add_context_processor=True).user_lookup_loader(lambda _header, claims: claims["sub"])
    page: Callable[[], str] = lambda: render_template_string("{{ current_user }}")  # noqa: E731
    app.add_url_rule("/page", "page", page)

    @app.get("/outer")
    @jwt_required()
    def call() -> str:
        return f"{page()} {app.test_client().get('/page').text} {page()}"

    assert app.test_client().get("/outer", **by(app, "alice")).text == "alice None alice"


def test_an_async_view_keeps_its_identity(app: Flask) -> None:
    """It runs in another thread, with a copy of the context."""

    @app.get("/outer")
    @jwt_required()
    async def call() -> list[Any]:
        inner = answer_of(app.test_client().get("/closed", **by(app, "bob")))
        return [inner["identity"], seen()["identity"]]

    assert app.test_client().get("/outer", **by(app, "alice")).json == ["bob", "alice"]


# --- g ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", ["request", "application"])
def test_g_can_be_written_without_a_verified_request(app: Flask, context: str) -> None:
    """Tests of 4.7 do so, with a request and without; each of the four names works by itself."""
    pushed: AbstractContextManager[Any] = app.test_request_context() if context == "request" else app.app_context()
    with pushed:
        g._jwt_extended_jwt = {"sub": "written"}
        assert get_jwt_identity() == "written"
        with pytest.raises(RuntimeError, match="user_lookup_loader"):
            get_current_user()
        g._jwt_extended_jwt_user = {"loaded_user": "own"}
        assert current_user == "own"
        with pytest.raises(RuntimeError, match="You must call"):
            get_jwt_header()
        g._jwt_extended_jwt_header = {"kid": "written"}
        assert get_jwt_header() == {"kid": "written"}
        assert get_jwt_request_location() is None
        g._jwt_extended_jwt_location = "cookies"
        assert get_jwt_request_location() == "cookies"


def test_what_a_view_writes_into_g_wins_over_the_token(app: Flask) -> None:
    """An administrator may act as another user; deleting the claims logs out."""
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        g._jwt_extended_jwt = {"sub": "bob"}
        assert get_jwt_identity() == "bob"
        assert get_current_user() == "user alice"
        g._jwt_extended_jwt_user = {"loaded_user": "user bob"}
        assert get_current_user() == "user bob"
        with app.test_request_context(**by(app, "carol")):
            verify_jwt_in_request()
            assert get_jwt_identity() == "carol"
        assert (get_jwt_identity(), get_current_user()) == ("bob", "user bob")
        del g._jwt_extended_jwt
        with pytest.raises(RuntimeError, match="You must call"):
            get_jwt()
        verify_jwt_in_request()
        assert seen() == of("alice")


def test_a_change_of_the_claims_in_place_is_kept(app: Flask) -> None:
    """``get_jwt()`` returns the same dictionary each time."""
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        get_jwt()["seen"] = True
        assert g._jwt_extended_jwt["seen"] is get_jwt()["seen"] is True


def test_a_request_that_is_refused_has_no_identity(app: Flask) -> None:
    """A second verification that fails keeps the result of the first, as in 4.7."""
    with app.test_request_context(**by(app, "alice")):
        verify_jwt_in_request()
        with pytest.raises(Exception, match="Only refresh"):
            verify_jwt_in_request(refresh=True)
        assert seen() == of("alice")
    with app.test_request_context(**by(app, "alice")):
        with pytest.raises(Exception, match="Only refresh"):
            verify_jwt_in_request(refresh=True)
        assert seen() == NOBODY


def test_an_application_may_bring_its_own_class_of_g(make_app: MakeApp) -> None:
    """``app_ctx_globals_class`` is a documented hook of Flask."""

    class Globals(_AppCtxGlobals):
        pass

    app = make_app()
    app.app_ctx_globals_class = Globals
    with app.app_context():
        encoded = create_access_token("u")
    with nullcontext(app.test_client()) as client:
        assert answer_of(client.get("/access", headers=bearer(encoded)))["identity"] == "u"
