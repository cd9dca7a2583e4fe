"""Under flask-restful and flask-restx, the real libraries: errors reach the client as they do under Flask alone.

Both put a router in front of Flask's error handling. The error handling of an ``Api`` takes precedence exactly where
it did with 4.7.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from typing import Any

import flask_restful
import flask_restx
import jwt
import pytest
from flask import Blueprint, Flask
from flask_cors import CORS
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    decode_token,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError, RevokedTokenError

from ..conftest import SECRET, bearer

MISSING = {"msg": "Missing Authorization Header"}
EXPIRED = timedelta(seconds=-10)

#: PROPAGATE_EXCEPTIONS and TESTING, which both routers look at.
Mode = tuple["bool | None", bool]
MODES: list[Mode] = [(propagate, testing) for propagate in (None, True, False) for testing in (False, True)]

LIBRARIES = [flask_restful, flask_restx]


def name_of(mode: Mode) -> str:
    return f"propagate={mode[0]}-{'testing' if mode[1] else 'live'}"


in_every_library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.__name__)
in_every_mode = pytest.mark.parametrize("mode", MODES, ids=name_of)


def in_some_modes(values: dict[str, tuple[Any, ...]]) -> list[Any]:
    """Each value in a mode that propagates errors and one that does not. Three values are in all modes."""
    return [
        pytest.param(mode, *value, id=f"{name}-{name_of(mode)}")
        for number, (name, value) in enumerate(values.items())
        for mode in (MODES[(2 * number) % 6], MODES[(2 * number + 3) % 6])
    ]


def in_some_setups(values: dict[str, tuple[Any, ...]]) -> list[Any]:
    """Each value in three modes and both libraries. Four values are in all modes of both."""
    setups = [(library, mode) for mode in MODES for library in LIBRARIES]
    return [
        pytest.param(library, mode, *value, id=f"{name}-{library.__name__}-{name_of(mode)}")
        for number, (name, value) in enumerate(values.items())
        for library, mode in (setups[(3 * number + 5 * each) % 12] for each in range(3))
    ]


def propagates(mode: Mode) -> bool:
    """Whether an ``Api`` hands an error it does not know to Flask: the only mode in which 4.7 worked."""
    propagate, testing = mode
    return testing if propagate is None else propagate


def make_app(
    mode: Mode = (None, False), *, api: Callable[[Any], Any] | None = None, manager_last: bool = False
) -> Flask:
    """An application in one mode, with a manager and what ``api`` adds to it."""
    app = Flask("app")
    propagate, app.testing = mode
    app.config.update(JWT_SECRET_KEY=SECRET, PROPAGATE_EXCEPTIONS=propagate)
    steps: list[Callable[[Flask], Any]] = [JWTManager] if api is None else [JWTManager, api]
    for step in reversed(steps) if manager_last else steps:
        step(app)
    return app


def manager_of(app: Flask) -> JWTManager:
    manager = app.extensions["flask-jwt-extended"]
    assert isinstance(manager, JWTManager)
    return manager


def _protected(_resource: Any) -> dict[str, Any]:
    return {"identity": get_jwt_identity()}


def add_resources(library: Any, api: Any) -> Any:
    """Give an ``Api`` the resources ``/access``, ``/refresh`` and ``/fresh``."""
    add_resource(library, api, "access", jwt_required()(_protected))
    add_resource(library, api, "refresh", jwt_required(refresh=True)(_protected))
    add_resource(library, api, "fresh", jwt_required(fresh=True)(_protected))
    return api


def add_resource(library: Any, api: Any, name: str, get: Callable[[Any], Any], **attributes: Any) -> None:
    api.add_resource(type(name, (library.Resource,), {"get": get, **attributes}), f"/{name}")


def api_of(library: Any, **options: Any) -> Callable[[Any], Any]:
    """What makes an ``Api`` with the usual resources on an application or blueprint."""
    return lambda app: add_resources(library, library.Api(app, **options))


def ask(app: Flask, path: str = "/access", token: str | None = None) -> TestResponse:
    return app.test_client().get(path, headers={} if token is None else bearer(token))


def answer(response: TestResponse) -> tuple[int, Any, str | None]:
    return response.status_code, response.get_json(), response.headers.get("WWW-Authenticate")


def refused(status: int, message: str) -> tuple[int, Any, str | None]:
    return status, {"msg": message}, "Bearer" if status == 401 else None


def access_token(app: Flask, **arguments: Any) -> str:
    with app.app_context():
        return create_access_token("ann", **arguments)


REFUSALS: dict[str, tuple[str, Callable[[Flask], str | None], int, str]] = {
    "missing": ("/access", lambda _app: None, 401, "Missing Authorization Header"),
    "malformed": ("/access", lambda _app: "garbage", 422, "Not enough segments"),
    "header": ("/access", lambda _app: "a b", 422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"),
    "forged": ("/access", lambda _app: jwt.encode({"sub": "x"}, "k" * 64), 422, "Signature verification failed"),
    "expired": ("/access", partial(access_token, expires_delta=EXPIRED), 401, "Token has expired"),
    "wrong type": ("/refresh", access_token, 422, "Only refresh tokens are allowed"),
    "not fresh": ("/fresh", access_token, 401, "Fresh token required"),
    "claim": ("/access", partial(access_token, additional_claims={"sub": 5}), 422, "Subject must be a string"),
}


# --- what reaches the client ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("library", "mode", "path", "token", "status", "message"), in_some_setups(REFUSALS))
def test_an_error_reaches_the_client(
    library: Any, mode: Mode, path: str, token: Callable[[Flask], str | None], status: int, message: str
) -> None:
    """Status, body and challenge are the same in every mode of the application."""
    app = make_app(mode, api=api_of(library))
    response = ask(app, path, token(app))
    assert answer(response) == refused(status, message)
    assert response.content_type == "application/json"


@in_every_library
def test_a_good_token_passes(library: Any) -> None:
    """The resource reads its identity."""
    app = make_app(api=api_of(library))
    assert answer(ask(app, token=access_token(app))) == (200, {"identity": "ann"}, None)


@in_every_mode
@in_every_library
def test_loaders_answer_in_place_of_the_defaults(library: Any, mode: Mode) -> None:
    """Loaders may be async, and get their usual arguments."""
    app = make_app(mode, api=api_of(library))

    @manager_of(app).unauthorized_loader
    async def own(message: str) -> Any:
        return {"own": message}, 418, {"X-Own": "yes"}

    @manager_of(app).expired_token_loader
    def expired(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        return {"header": header, "sub": claims["sub"]}, 419

    response = ask(app)
    assert answer(response) == (418, {"own": MISSING["msg"]}, None)
    assert response.headers["X-Own"] == "yes"
    expected = {"header": {"alg": "HS256", "typ": "JWT"}, "sub": "ann"}
    assert answer(ask(app, token=access_token(app, expires_delta=EXPIRED))) == (419, expected, None)


@in_every_mode
@in_every_library
def test_the_order_of_manager_and_api_does_not_matter(library: Any, mode: Mode) -> None:
    """An Api may be bound to the application before the manager, too."""
    assert answer(ask(make_app(mode, api=api_of(library), manager_last=True))) == refused(401, MISSING["msg"])


@in_every_mode
@in_every_library
def test_an_api_on_a_blueprint_is_served_too(library: Any, mode: Mode) -> None:
    """Beside it, the application has a view of its own."""

    def mount(app: Flask) -> None:
        blueprint = Blueprint("v1", "v1", url_prefix="/v1")
        api_of(library)(blueprint)
        app.register_blueprint(blueprint)
        app.add_url_rule("/plain", "plain", jwt_required()(lambda: "never"))

    app = make_app(mode, api=mount)
    assert answer(ask(app, "/v1/access")) == refused(401, MISSING["msg"])
    assert answer(ask(app, "/v1/access", "garbage")) == refused(422, "Not enough segments")
    assert answer(ask(app, "/plain")) == refused(401, MISSING["msg"])


@in_every_mode
def test_both_libraries_in_one_application(mode: Mode) -> None:
    """Each router passes on the errors of the other."""

    def mount(app: Flask) -> None:
        for library in (flask_restful, flask_restx):
            blueprint = Blueprint(library.__name__, library.__name__, url_prefix=f"/{library.__name__}")
            api_of(library)(blueprint)
            app.register_blueprint(blueprint)

    app = make_app(mode, api=mount)
    for library in (flask_restful, flask_restx):
        assert answer(ask(app, f"/{library.__name__}/access")) == refused(401, MISSING["msg"])


@pytest.mark.parametrize(
    ("library", "mode", "where"),
    in_some_setups({where: (where,) for where in ("Api", "Resource", "before_request", "inside")}),
)
def test_a_resource_may_be_protected_in_any_way(library: Any, mode: Mode, where: str) -> None:
    """``decorators`` of the Api, ``method_decorators``, a hook or a call all refuse."""

    def get(_resource: Any) -> str:
        if where == "inside":
            verify_jwt_in_request()
        return str(get_jwt_identity())

    def mount(app: Flask) -> None:
        api = library.Api(app, decorators=[jwt_required()] if where == "Api" else [])
        attributes = {"method_decorators": [jwt_required()]} if where == "Resource" else {}
        add_resource(library, api, "own", get, **attributes)
        if where == "before_request":
            app.before_request(lambda: verify_jwt_in_request() and None)

    app = make_app(mode, api=mount)
    assert answer(ask(app, "/own")) == refused(401, MISSING["msg"])
    assert answer(ask(app, "/own", access_token(app))) == (200, "ann", None)


@in_every_mode
@in_every_library
def test_an_error_of_decode_token_in_a_resource_reaches_the_client(library: Any, mode: Mode) -> None:
    """It is answered like one of the decorator."""

    def get(_resource: Any) -> Any:
        return decode_token("garbage")

    app = make_app(mode, api=lambda app: add_resource(library, library.Api(app), "decode", get))
    assert answer(ask(app, "/decode")) == refused(422, "Not enough segments")


@in_every_library
def test_an_error_of_decode_token_in_a_resource_can_be_caught(library: Any) -> None:
    """Its class, its base classes and its text are unchanged."""
    texts: dict[str, str] = {}

    def get(_resource: Any) -> Any:
        for caught in (jwt.DecodeError, jwt.InvalidTokenError, jwt.PyJWTError):
            with pytest.raises(caught) as raised:
                decode_token("garbage")
            assert type(raised.value).__name__ == "DecodeError"
            texts[caught.__name__] = str(raised.value)
        return {"caught": True}, 202

    app = make_app(api=lambda app: add_resource(library, library.Api(app), "decode", get))
    assert answer(ask(app, "/decode")) == (202, {"caught": True}, None)
    assert set(texts.values()) == {"Not enough segments"}


@in_every_library
def test_an_error_that_was_caught_can_be_raised_again(library: Any) -> None:
    """A resource may log an error and raise it again."""
    seen: list[tuple[str, tuple[Any, ...], str]] = []

    def get(_resource: Any) -> Any:
        try:
            verify_jwt_in_request()
        except JWTExtendedException as error:
            seen.append((str(error), error.args, type(error).__name__))
            raise
        raise AssertionError("never reached")

    app = make_app(api=lambda app: add_resource(library, library.Api(app), "own", get))
    assert answer(ask(app, "/own")) == refused(401, MISSING["msg"])
    assert seen == [(MISSING["msg"], (MISSING["msg"],), "NoAuthorizationError")]


@in_every_library
def test_an_error_that_carries_a_token_still_does(library: Any) -> None:
    """It has the header, the claims and the text."""

    def get(_resource: Any) -> Any:
        with pytest.raises(RevokedTokenError) as raised:
            verify_jwt_in_request()
        assert str(raised.value) == "Token has been revoked"
        return {"header": raised.value.jwt_header, "sub": raised.value.jwt_data["sub"]}

    app = make_app(api=lambda app: add_resource(library, library.Api(app), "own", get))
    manager_of(app).token_in_blocklist_loader(lambda _header, _claims: True)
    expected = {"header": {"alg": "HS256", "typ": "JWT"}, "sub": "ann"}
    assert answer(ask(app, "/own", access_token(app))) == (200, expected, None)


# --- what is not ours -----------------------------------------------------------------------------------------------


@in_every_library
def test_errors_of_the_api_stay_with_the_api(library: Any) -> None:
    """``abort`` in a protected resource, 404 and 405 are answered as before."""

    def get(_resource: Any) -> Any:
        library.abort(409, message="conflict")

    app = make_app(api=lambda app: add_resource(library, library.Api(app), "own", jwt_required()(get)))
    response = ask(app, "/own", access_token(app))
    assert (response.status_code, response.get_json()["message"]) == (409, "conflict")
    assert app.test_client().post("/own").status_code == 405
    assert ask(app, "/nowhere").status_code == 404


@in_every_library
def test_an_error_of_the_developer_is_a_500(library: Any) -> None:
    """A bug in a resource and a missing key are answered with 500, not as a refusal."""

    def get(_resource: Any) -> Any:
        raise LookupError("a bug")

    app = make_app(api=lambda app: add_resource(library, library.Api(app), "own", jwt_required()(get)))
    token = access_token(app)
    assert ask(app, "/own", token).status_code == 500
    app.config["JWT_SECRET_KEY"] = None
    assert ask(app, "/own", token).status_code == 500


@pytest.mark.parametrize("path", ["/plain", "/access"])
@in_every_library
def test_a_handler_of_the_application_for_the_class_wins(library: Any, path: str) -> None:
    """It answers as in an application without an Api."""

    def mount(app: Flask) -> None:
        api_of(library)(app)
        app.add_url_rule("/plain", "plain", jwt_required()(lambda: "never"))

    app = make_app(api=mount)
    app.register_error_handler(NoAuthorizationError, lambda error: ({"own": str(error)}, 418))
    assert answer(ask(app, path)) == (418, {"own": MISSING["msg"]}, None)


@pytest.mark.parametrize(
    ("library", "mode", "broad"),
    in_some_setups({"Exception": (Exception,), "HTTPException": (HTTPException,), "401": (401,), "500": (500,)}),
)
def test_a_broad_handler_of_the_application_steals_nothing(
    library: Any, mode: Mode, broad: type[Exception] | int
) -> None:
    """An error that passes an Api is not an HTTPException for the application."""
    app = make_app(mode, api=api_of(library))
    app.register_error_handler(broad, lambda _error: ({"stolen": True}, 418))
    assert answer(ask(app)) == refused(401, MISSING["msg"])


@pytest.mark.parametrize("trap", ["TRAP_HTTP_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS"])
@in_every_library
def test_trapping_errors_of_http_traps_none_of_ours(library: Any, trap: str) -> None:
    """Flask's options for debugging change nothing."""
    app = make_app(api=api_of(library))
    app.config[trap] = True
    assert answer(ask(app)) == refused(401, MISSING["msg"])


def test_an_ordinary_application_sees_the_plain_class() -> None:
    """Without an Api, the class of an error is exactly the one that was raised."""
    seen: list[type[Exception]] = []

    def view() -> str:
        for action in (verify_jwt_in_request, partial(decode_token, "garbage")):
            with pytest.raises((JWTExtendedException, jwt.PyJWTError)) as raised:
                action()
            seen.append(raised.type)
        return "done"

    app = make_app()
    app.add_url_rule("/plain", "plain", view)
    assert ask(app, "/plain").text == "done"
    assert seen == [NoAuthorizationError, jwt.DecodeError]


# --- handlers of the Api --------------------------------------------------------------------------------------------

OWN_ERROR = {"NoAuthorizationError": {"message": "no", "status": 423}}


@in_every_mode
def test_errors_of_a_flask_restful_api_win_where_they_did(mode: Mode) -> None:
    """``Api(errors={...})`` answers unless errors propagate; then Flask answers."""
    app = make_app(mode, api=api_of(flask_restful, errors=OWN_ERROR))
    own = (423, {"message": "no", "status": 423}, None)
    assert answer(ask(app)) == (refused(401, MISSING["msg"]) if propagates(mode) else own)
    assert answer(ask(app, token="garbage")) == refused(422, "Not enough segments")


@in_every_mode
def test_errors_of_one_flask_restful_api_do_not_hurt_another(mode: Mode) -> None:
    """``errors=`` of one Api does not turn the error into a 500 in another."""

    def mount(app: Flask) -> None:
        blueprint = Blueprint("v1", "v1", url_prefix="/v1")
        api_of(flask_restful)(blueprint)
        app.register_blueprint(blueprint)
        add_resource(flask_restful, flask_restful.Api(app, errors=OWN_ERROR), "own", jwt_required()(_protected))

    app = make_app(mode, api=mount)
    assert ask(app, "/own").status_code == (401 if propagates(mode) else 423)
    assert answer(ask(app, "/v1/access")) == refused(401, MISSING["msg"])


def _own(error: Exception) -> tuple[dict[str, Any], int]:
    return {"own": type(error).__name__}, 420


#: flask-restx puts the text of the error beside what its handler returned.
OWN_ANSWER = (420, {"own": "NoAuthorizationError", "message": MISSING["msg"]}, None)


@pytest.mark.parametrize(
    ("mode", "caught"),
    in_some_modes({each.__name__: (each,) for each in (NoAuthorizationError, JWTExtendedException, Exception)}),
)
def test_a_handler_of_a_flask_restx_api_wins(mode: Mode, caught: type[Exception]) -> None:
    """``@api.errorhandler(...)`` for the class or a base class answers; other errors are answered as usual."""

    def mount(app: Flask) -> None:
        api_of(flask_restx)(app).errorhandler(caught)(_own)

    app = make_app(mode, api=mount)
    assert answer(ask(app)) == OWN_ANSWER
    if caught is not Exception:
        assert answer(ask(app, token="garbage")) == refused(422, "Not enough segments")


@in_every_mode
def test_a_handler_of_a_flask_restx_namespace_wins(mode: Mode) -> None:
    """``@namespace.errorhandler(...)`` answers for its Api."""

    def mount(app: Flask) -> None:
        namespace = flask_restx.Namespace("ns", path="/ns")
        add_resources(flask_restx, namespace)
        namespace.errorhandler(NoAuthorizationError)(_own)
        flask_restx.Api(app).add_namespace(namespace)

    app = make_app(mode, api=mount)
    assert answer(ask(app, "/ns/access")) == OWN_ANSWER
    assert answer(ask(app, "/ns/access", "garbage")) == refused(422, "Not enough segments")


@in_every_mode
def test_the_default_handler_of_a_flask_restx_api_wins_where_it_did(mode: Mode) -> None:
    """A bare ``@api.errorhandler`` answers unless errors propagate; then Flask answers."""

    def mount(app: Flask) -> None:
        api_of(flask_restx)(app).errorhandler(_own)

    expected = refused(401, MISSING["msg"]) if propagates(mode) else OWN_ANSWER
    assert answer(ask(make_app(mode, api=mount))) == expected


@in_every_mode
def test_a_handler_of_a_flask_restx_api_for_errors_of_http_steals_nothing(mode: Mode) -> None:
    """A refusal is not an HTTPException for the Api."""

    def mount(app: Flask) -> None:
        api_of(flask_restx)(app).errorhandler(HTTPException)(_own)

    assert answer(ask(make_app(mode, api=mount))) == refused(401, MISSING["msg"])


@pytest.mark.parametrize(("mode", "path", "token", "status", "message"), in_some_modes(REFUSALS))
def test_the_handlers_of_a_manager_can_be_registered_on_a_flask_restx_api(
    mode: Mode, path: str, token: Callable[[Flask], str | None], status: int, message: str
) -> None:
    """``jwt._set_error_handler_callbacks(api)``, which 4.7 needed, still works."""

    def mount(app: Flask) -> None:
        manager_of(app)._set_error_handler_callbacks(api_of(flask_restx)(app))

    app = make_app(mode, api=mount)
    assert answer(ask(app, path, token(app))) == refused(status, message)


@in_every_mode
def test_handlers_on_a_flask_restx_api_ask_the_loaders(mode: Mode) -> None:
    """Loaders and handlers of the Api that are registered later count."""

    def mount(app: Flask) -> None:
        api = api_of(flask_restx)(app)
        manager_of(app)._set_error_handler_callbacks(api)
        api.errorhandler(jwt.DecodeError)(_own)

    app = make_app(mode, api=mount)
    manager_of(app).unauthorized_loader(lambda message: ({"own": message}, 418))
    assert answer(ask(app)) == (418, {"own": MISSING["msg"]}, None)
    expected = (420, {"own": "DecodeError", "message": "Not enough segments"}, None)
    assert answer(ask(app, token="garbage")) == expected


def test_the_documentation_of_a_flask_restx_api_is_still_made() -> None:
    """``/swagger.json``, which lists the error handlers of an Api, works."""

    def mount(app: Flask) -> None:
        manager_of(app)._set_error_handler_callbacks(api_of(flask_restx)(app))

    response = ask(make_app(api=mount), "/swagger.json")
    assert response.status_code == 200
    assert "/access" in response.get_json()["paths"]


@in_every_mode
@in_every_library
def test_an_api_that_answers_for_itself_has_the_last_word(library: Any, mode: Mode) -> None:
    """A subclass that overrides ``handle_error`` gets the error first, with its usual class."""

    def handle_error(_api: Any, error: Exception) -> Any:
        if isinstance(error, HTTPException):
            return app.make_response(({"message": error.description}, error.code or 500))
        if isinstance(error, NoAuthorizationError):
            return app.make_response(({"own": str(error)}, 418))
        raise error

    api = type("OwnApi", (library.Api,), {"handle_error": handle_error})
    app = make_app(mode, api=lambda app: add_resources(library, api(app)))
    assert answer(ask(app)) == (418, {"own": MISSING["msg"]}, None)
    assert answer(ask(app, token="garbage")) == refused(422, "Not enough segments")


# --- errors= that cannot answer, and other wrappers of the error handling -------------------------------------------


def _function(_error: Exception) -> tuple[str, int]:
    return "own", 420


ERRORS = [_function, _function.__get__(object()), ["NoAuthorizationError"], {"NoAuthorizationError"}, object()]
ERRORS += ["NoAuthorizationError", {"NoAuthorizationError": None}, {"NoAuthorizationError": _function}]


@pytest.mark.parametrize(
    ("mode", "errors"),
    in_some_modes({f"{number} {type(each).__name__}": (each,) for number, each in enumerate(ERRORS)}),
)
def test_errors_that_flask_restful_cannot_use_do_not_hurt(mode: Mode, errors: Any) -> None:
    """The library accepts any value and falls back to Flask, as with 4.7."""
    app = make_app(mode, api=api_of(flask_restful, errors=errors))
    assert answer(ask(app)) == refused(401, MISSING["msg"])
    assert answer(ask(app, token="garbage")) == refused(422, "Not enough segments")
    assert ask(app, token=access_token(app)).json == {"identity": "ann"}


def _cors(app: Flask) -> None:
    CORS(app, origins=["https://app.example"])


def _cors_of_resources(app: Flask) -> None:
    CORS(resources={"/*": {"origins": "*"}}).init_app(app)


def _closure(app: Any) -> None:
    before = app.handle_user_exception
    app.handle_user_exception = lambda error: before(error)


def _object(app: Any) -> None:
    class Handler:
        def __init__(self) -> None:
            self.before = app.handle_user_exception

        def __call__(self, error: Exception) -> Any:
            return self.before(error)

    app.handle_user_exception = Handler()


def _keyword_partial(app: Any) -> None:
    def handle(error: Exception, before: Any) -> Any:
        return before(error)

    app.handle_user_exception = partial(handle, before=app.handle_user_exception)


def _wrapped(app: Any) -> None:
    before = app.handle_user_exception

    @wraps(before)
    def handle_user_exception(error: Exception) -> Any:
        getattr(error, "data", None)  # as code that logs errors may do
        return before(error)

    app.handle_user_exception = handle_user_exception


def _several(app: Flask) -> None:
    for front in (_closure, _wrapped, _cors, _object):
        front(app)


FRONTS = [_cors, _cors_of_resources, _closure, _object, _keyword_partial, _wrapped, _several]


@pytest.mark.parametrize("is_last", [True, False], ids=["after the Api", "before it"])
@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.__name__)
@in_every_library
def test_an_error_passes_wrappers_of_the_error_handling(
    library: Any, front: Callable[[Flask], None], is_last: bool
) -> None:
    """Flask-CORS, for example, wraps the error handling of an application in its own functions."""

    def mount(app: Flask) -> None:
        for step in (api_of(library), front) if is_last else (front, api_of(library)):
            step(app)

    for mode in MODES:
        app = make_app(mode, api=mount)
        assert answer(ask(app)) == refused(401, MISSING["msg"])
        assert answer(ask(app, token="garbage")) == refused(422, "Not enough segments")
        assert ask(app, token=access_token(app)).json == {"identity": "ann"}


@in_every_library
def test_an_error_gets_past_it_wherever_the_apis_are(library: Any) -> None:
    """On the application, on a nested blueprint, or on both, with something in front of each."""
    for front in FRONTS:

        def mount(app: Flask, front: Callable[[Flask], None] = front) -> None:
            inner, outer = Blueprint("inner", "inner", url_prefix="/inner"), Blueprint("outer", "outer")
            api_of(library)(inner)
            outer.register_blueprint(inner)
            app.register_blueprint(outer)
            front(app)
            api_of(library)(app)
            front(app)

        app = make_app(api=mount)
        for path in ("/access", "/inner/access"):
            assert answer(ask(app, path)) == refused(401, MISSING["msg"])


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.__name__)
def test_the_handlers_of_an_api_win_behind_wrappers(front: Callable[[Flask], None]) -> None:
    """``errors=`` of flask-restful and ``@api.errorhandler`` of flask-restx still answer."""

    def restful(app: Flask) -> None:
        api_of(flask_restful, errors=OWN_ERROR)(app)
        front(app)

    def restx(app: Flask) -> None:
        api_of(flask_restx)(app).errorhandler(NoAuthorizationError)(_own)
        front(app)

    assert ask(make_app(api=restful)).status_code == 423
    assert answer(ask(make_app(api=restx))) == OWN_ANSWER


@in_every_library
def test_answers_to_refusals_have_the_headers_of_cors(library: Any) -> None:
    """A page of an allowed origin can read refusals, also those that 4.7 lacks."""

    def mount(app: Flask) -> None:
        api = api_of(library)(app)
        add_resource(library, api, "scoped", jwt_required(scopes="orders")(_protected))
        _cors(app)

    app = make_app(api=mount)
    for path, status in (("/access", 401), ("/scoped", 403)):
        headers = {"Origin": "https://app.example"} | (bearer(access_token(app)) if status == 403 else {})
        response = app.test_client().get(path, headers=headers)
        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"


@in_every_library
def test_an_error_handler_of_the_application_may_look_for_data(library: Any) -> None:
    """As handlers for webargs do; a refusal has none."""
    app = make_app(api=api_of(library))
    app.register_error_handler(NoAuthorizationError, lambda error: ({"data": getattr(error, "data", "none")}, 418))
    assert answer(ask(app))[:2] == (418, {"data": "none"})
