"""Single-use tokens: one request is one use, however often it verifies the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask, jsonify, request
from flask.testing import FlaskClient

from flask_jwt_extended import (
    JWTManager,
    create_token,
    end_session,
    get_jwt_identity,
    jwt_required,
    revoke_token,
    set_access_cookies,
    start_session,
    verify_jwt_in_request,
    view_decorators,
)
from flask_jwt_extended._context import get_state

from ..axes import rotated
from ..conftest import MakeApp, bearer

KIND: Any = {"token_type": "reset"}


@pytest.fixture(params=["memory", "sqlite"])
def app(request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Any) -> Iterator[Flask]:
    """An application with a store."""
    uri = f"sqlite:///{tmp_path}/jwt.db" if request.param == "sqlite" else "memory://"
    app = make_app(STORE_URI=uri, TOKEN_LOCATION=["headers", "cookies", "json", "query_string"])
    yield app
    store = get_state(app).store
    assert store is not None
    store.close()


def once(app: Flask, **more: Any) -> str:
    with app.app_context():
        return create_token("reset", "ada", single_use=True, **more)


def view() -> Any:
    return jsonify(get_jwt_identity())


def verify_twice() -> Any:
    for _ in range(2):
        verify_jwt_in_request(**KIND)
    return view()


def _decorated_twice(app: Flask) -> None:
    app.add_url_rule("/x", "x", jwt_required(**KIND)(jwt_required(**KIND)(view)), methods=["GET", "POST"])


def _hook_and_decorator(app: Flask) -> None:
    app.before_request(lambda: verify_jwt_in_request(**KIND) and None)
    app.add_url_rule("/x", "x", jwt_required(**KIND)(view), methods=["GET", "POST"])


def _decorator_and_call(app: Flask) -> None:
    app.add_url_rule("/x", "x", jwt_required(**KIND)(verify_twice), methods=["GET", "POST"])


def _calls(app: Flask) -> None:
    app.add_url_rule("/x", "x", verify_twice, methods=["GET", "POST"])


def _other_demands(app: Flask) -> None:
    """The hook accepts every type without a revocation check; the view requires more."""
    app.before_request(lambda: verify_jwt_in_request(verify_type=False, skip_revocation_check=True) and None)
    app.add_url_rule("/x", "x", jwt_required(scopes="reset", **KIND)(view), methods=["GET", "POST"])


def _protected_blueprint(app: Flask) -> None:
    from flask import Blueprint

    blueprint = Blueprint("blueprint", __name__)
    blueprint.before_request(lambda: verify_jwt_in_request(**KIND) and None)
    blueprint.add_url_rule("/x", "x", jwt_required(**KIND)(view), methods=["GET", "POST"])
    app.register_blueprint(blueprint)


def status_of(app: Flask, **requirements: Any) -> Callable[[str], int]:
    """Add a view with these requirements, and return a function that sends it a token."""
    path = f"/{len(app.view_functions)}"
    app.add_url_rule(path, path, jwt_required(**requirements)(view))
    return lambda token: app.test_client().get(path, headers=bearer(token)).status_code


def test_a_token_for_one_use_passes_once(app: Flask) -> None:
    """The second time it is refused like a revoked token; another token passes."""
    status, first, second = status_of(app, **KIND), once(app), once(app)
    assert [status(first), status(first), status(second)] == [200, 401, 200]


def test_what_is_refused_is_not_used_up(app: Flask) -> None:
    """A view of another type, or with other requirements, does not use the token."""
    made = once(app, additional_claims={"scope": "reset"})
    demands: list[Any] = [{}, {"scopes": "other", **KIND}, {"fresh": True, **KIND}, {"scopes": "reset", **KIND}]
    views = [status_of(app, **each) for each in demands]
    assert [status(made) for status in views] == [422, 403, 401, 200]


def test_it_can_be_revoked_before(app: Flask) -> None:
    """A revoked single-use token is refused, even in a view that skips the revocation check."""
    made, views = once(app), [status_of(app, **KIND), status_of(app, skip_revocation_check=True, **KIND)]
    with app.app_context():
        revoke_token(made)
    assert [status(made) for status in views] == [401, 401]


WAYS: list[Callable[[Flask], None]] = [
    _decorated_twice,
    _hook_and_decorator,
    _decorator_and_call,
    _calls,
    _other_demands,
    _protected_blueprint,
]


@pytest.mark.parametrize("arrange", WAYS, ids=lambda way: way.__name__)
def test_a_request_that_checks_it_twice_uses_it_once(app: Flask, arrange: Callable[[Flask], None]) -> None:
    """The request passes, and the next request with the token is refused."""
    arrange(app)
    token = once(app, additional_claims={"scope": "reset"})
    client = app.test_client()
    answers = [client.get("/x", headers=bearer(token)) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 401, 401]
    assert answers[0].get_json() == "ada"
    assert client.get("/x", headers=bearer(once(app, additional_claims={"scope": "reset"}))).status_code == 200


@rotated(
    "arrange",
    WAYS,
    ids=lambda way: way.__name__,
    name=["_load_user", "verify_token_not_blocklisted", "_decode_jwt_from_request", "decode_token"],
)
def test_also_while_a_function_of_4_7_is_patched(
    app: Flask, arrange: Callable[[Flask], None], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds while a private function of 4.7 is patched, when requests take another code path."""
    genuine = getattr(view_decorators, name)
    monkeypatch.setattr(view_decorators, name, lambda *given, **named: genuine(*given, **named))
    arrange(app)
    token = once(app, additional_claims={"scope": "reset"})
    assert [_in_header(app.test_client(), token).status_code for _ in range(3)] == [200, 401, 401]


def _in_header(client: FlaskClient, token: str) -> Any:
    return client.get("/x", headers=bearer(token))


def _in_query(client: FlaskClient, token: str) -> Any:
    return client.get("/x", query_string={"jwt": token})


def _in_json(client: FlaskClient, token: str) -> Any:
    return client.post("/x", json={"access_token": token})


def _in_cookie(client: FlaskClient, token: str) -> Any:
    client.set_cookie("access_token_cookie", token, domain="localhost")
    return client.get("/x")


@pytest.mark.parametrize("send", [_in_header, _in_query, _in_json, _in_cookie], ids=lambda way: way.__name__)
def test_wherever_it_comes_from(app: Flask, send: Callable[[FlaskClient, str], Any]) -> None:
    """A second use is refused in every location."""
    _hook_and_decorator(app)
    token = once(app)
    assert [send(app.test_client(), token).status_code for _ in range(2)] == [200, 401]


def test_in_an_async_view(app: Flask) -> None:
    """A hook and an async view are one use."""
    app.before_request(lambda: verify_jwt_in_request(**KIND) and None)

    async def later() -> Any:
        return view()

    app.add_url_rule("/x", "x", jwt_required(**KIND)(later))
    token = once(app)
    assert [_in_header(app.test_client(), token).status_code for _ in range(2)] == [200, 401]


def test_another_request_within_this_one_is_another_use(app: Flask) -> None:
    """If a view calls the application with its own token, the inner request is refused."""
    statuses: list[int] = []

    def outer() -> Any:
        statuses.append(app.test_client().get("/x", headers=dict(request.headers)).status_code)
        return view()

    app.add_url_rule("/outer", "outer", jwt_required(**KIND)(outer))
    app.add_url_rule("/x", "x", jwt_required(**KIND)(view))
    assert app.test_client().get("/outer", headers=bearer(once(app))).status_code == 200
    assert statuses == [401]


def test_of_many_requests_one_wins_though_each_checks_twice(app: Flask) -> None:
    """Of 16 requests at the same time, one passes."""
    _hook_and_decorator(app)
    token, together = once(app), Barrier(16)

    def ask(_number: int) -> int:
        together.wait(30)
        return int(_in_header(app.test_client(), token).status_code)

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(ask, range(16))) == [200] + [401] * 15


def test_two_tokens_in_one_request_are_two_uses(app: Flask) -> None:
    """A request that verifies two tokens uses both."""
    first, second = once(app), once(app)

    def both() -> Any:
        verify_jwt_in_request(locations="headers", **KIND)
        verify_jwt_in_request(locations="query_string", **KIND)
        return view()

    app.add_url_rule("/x", "x", both)
    client = app.test_client()
    assert client.get("/x", headers=bearer(first), query_string={"jwt": second}).status_code == 200
    for token in (first, second):
        assert client.get("/x", headers=bearer(token), query_string={"jwt": once(app)}).status_code == 401
        assert client.get("/x", headers=bearer(once(app)), query_string={"jwt": token}).status_code == 401


def test_the_applications_own_blocklist_is_asked_every_time(app: Flask) -> None:
    """The second check in a request calls token_in_blocklist_loader again."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    answers = iter([False, True])
    manager.token_in_blocklist_loader(lambda _header, _claims: next(answers))
    _hook_and_decorator(app)
    assert _in_header(app.test_client(), once(app)).status_code == 401


def test_a_session_that_ends_between_two_checks_refuses(app: Flask) -> None:
    """A single-use token of a session is refused if the session ends between two checks."""
    with app.app_context():
        pair = start_session("ada")

    def end_between() -> None:
        verify_jwt_in_request(**KIND)
        if request.args:
            end_session(pair.session_id)

    app.before_request(end_between)
    app.add_url_rule("/x", "x", jwt_required(**KIND)(view))
    client, made = app.test_client(), [once(app, additional_claims={"sid": pair.session_id}) for _ in range(2)]
    assert client.get("/x", headers=bearer(made[0])).status_code == 200
    assert client.get("/x?end=1", headers=bearer(made[1])).status_code == 401


def test_a_first_check_that_refuses_does_not_use_it(app: Flask) -> None:
    """A hook that requires another type does not use the token."""

    def hook() -> None:
        verify_jwt_in_request(optional="if-valid")

    app.before_request(hook)
    app.add_url_rule("/x", "x", jwt_required(**KIND)(view))
    token = once(app)
    assert [_in_header(app.test_client(), token).status_code for _ in range(2)] == [200, 401]


def test_it_can_be_put_into_cookies(app: Flask) -> None:
    """A single-use token can be set as a cookie."""
    _hook_and_decorator(app)
    with app.test_request_context():
        response = app.make_response("")
        set_access_cookies(response, once(app))
    assert response.headers.getlist("Set-Cookie")
