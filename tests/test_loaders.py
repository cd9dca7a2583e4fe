"""The fifteen loaders: their arguments, their results, and that each may be a coroutine function."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial, wraps
from typing import Any

import jwt
import pytest
from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.views import MethodView
from jwt.algorithms import HMACAlgorithm
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    decode_token,
    get_jwt,
    get_jwt_identity,
    get_unverified_jwt_headers,
    jwt_required,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import (
    FreshTokenRequired,
    InvalidHeaderError,
    JWTExtendedException,
    NoAuthorizationError,
    RevokedTokenError,
    TokenRefused,
    WrongTokenError,
)

from .axes import rotated
from .conftest import SECRET, MakeApp, bearer

Loader = Callable[..., Any]
Style = Callable[[Loader], Loader]
OTHER_SECRET = "another secret for the tests, as long as the first: 64 bytes or more"


# --- the ways to write a loader -------------------------------------------------------------------------------------


def plain(function: Loader) -> Loader:
    """The function itself."""
    return function


def coroutine_function(function: Loader) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A coroutine function that suspends before it returns."""

    @wraps(function)
    async def loader(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return function(*arguments)

    return loader


def returning_coroutine(function: Loader) -> Loader:
    """A function that returns a coroutine, but is not a coroutine function."""
    return lambda *arguments: coroutine_function(function)(*arguments)


class _Eventually(Awaitable[Any]):
    """An awaitable that is not a coroutine."""

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._start = start

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._start().__await__()


def returning_awaitable(function: Loader) -> Loader:
    """A function that returns an awaitable that is not a coroutine."""
    return lambda *arguments: _Eventually(partial(coroutine_function(function), *arguments))


STYLES = [plain, coroutine_function, returning_coroutine, returning_awaitable]
in_every_style = pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)


@dataclass
class Spy:
    """A loader with a given result, which keeps the arguments of its calls."""

    result: Any = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __call__(self, *arguments: Any) -> Any:
        self.calls.append(copy.deepcopy(arguments))
        return self.result(*arguments) if callable(self.result) else self.result


# --- the application under test -------------------------------------------------------------------------------------


def manager_of(app: Flask) -> JWTManager:
    manager = app.extensions["flask-jwt-extended"]
    assert isinstance(manager, JWTManager)
    return manager


def register(app: Flask, loader: str, function: Loader) -> None:
    getattr(manager_of(app), f"{loader}_loader")(function)


def access_token(app: Flask, identity: Any = "ann", **arguments: Any) -> str:
    with app.test_request_context():
        return create_access_token(identity, **arguments)


def get(app: Flask, token: str | None, path: str = "/access") -> TestResponse:
    return app.test_client().get(path, headers={} if token is None else bearer(token))


def outcome(response: TestResponse) -> tuple[int, Any]:
    return response.status_code, response.get_json()


@pytest.fixture
def judged(app: Flask) -> Flask:
    """An application that refuses the identities ``revoked``, ``refused`` and ``nobody``."""
    register(app, "token_in_blocklist", lambda _header, claims: claims["sub"] == "revoked")
    register(app, "token_verification", lambda _header, claims: claims["sub"] != "refused")
    register(app, "user_lookup", lambda _header, claims: None if claims["sub"] == "nobody" else claims["sub"])
    return app


@dataclass(frozen=True)
class Refusal:
    """A request that is answered by one loader, and the default answer."""

    loader: str
    status: int
    message: str
    path: str = "/access"
    identity: str = "ann"
    token: str | None = ""
    lifetime: timedelta | None = None

    def provoke(self, app: Flask) -> tuple[TestResponse, str | None]:
        """Send the request; return the response and the token it carried."""
        token = self.token if self.token != "" else access_token(app, self.identity, expires_delta=self.lifetime)
        return get(app, token, self.path), token


REFUSALS = [
    Refusal("expired_token", 401, "Token has expired", lifetime=timedelta(seconds=-10)),
    Refusal("invalid_token", 422, "Not enough segments", token="garbage"),
    Refusal("needs_fresh_token", 401, "Fresh token required", path="/fresh"),
    Refusal("revoked_token", 401, "Token has been revoked", identity="revoked"),
    Refusal("token_verification_failed", 400, "User claims verification failed", identity="refused"),
    Refusal("unauthorized", 401, "Missing Authorization Header", token=None),
    Refusal("user_lookup_error", 401, "Error loading the user nobody", identity="nobody"),
]
every_refusal = pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.loader)

LOADERS = {
    *(refusal.loader for refusal in REFUSALS),
    *("additional_claims", "additional_headers", "user_identity", "encode_key"),
    *("decode_key", "token_in_blocklist", "token_verification", "user_lookup"),
}


def test_there_are_fifteen_loaders() -> None:
    """This file tests all the loaders of 4.7. ``roles_loader`` is newer."""
    loaders = {name for name in dir(JWTManager) if name.endswith("_loader")} - {"roles_loader"}
    assert {f"{name}_loader" for name in LOADERS} == loaders
    assert len(LOADERS) == 15


@pytest.mark.parametrize("loader", sorted(LOADERS))
def test_a_loader_is_registered_by_a_decorator_that_leaves_it_alone(loader: str) -> None:
    """The decorator returns the function itself, so that it can be called, tested, or registered twice."""

    def function() -> None:
        raise AssertionError("never called")

    assert getattr(JWTManager(), f"{loader}_loader")(function) is function


# --- loaders that answer --------------------------------------------------------------------------------------------


@every_refusal
def test_a_default_answer_is_that_of_4_7(judged: Flask, refusal: Refusal) -> None:
    """Status, body and message without a loader."""
    response, _ = refusal.provoke(judged)
    assert outcome(response) == (refusal.status, {"msg": refusal.message})
    assert response.content_type == "application/json"


@every_refusal
def test_a_default_answer_uses_the_configured_key(judged: Flask, refusal: Refusal) -> None:
    """JWT_ERROR_MESSAGE_KEY is the key of the message, even if it changes after init_app."""
    judged.config["JWT_ERROR_MESSAGE_KEY"] = "error"
    assert outcome(refusal.provoke(judged)[0]) == (refusal.status, {"error": refusal.message})


@every_refusal
@in_every_style
def test_a_loader_answers_in_place_of_the_default(judged: Flask, refusal: Refusal, style: Style) -> None:
    """A loader gets the header and the claims of the token, or the message, and its result is the response."""
    spy = Spy(({"answered": refusal.loader}, 418, {"X-Own": "yes"}))
    register(judged, refusal.loader, style(spy))
    response, token = refusal.provoke(judged)
    assert outcome(response) == (418, {"answered": refusal.loader})
    assert response.headers["X-Own"] == "yes"
    if refusal.loader in ("invalid_token", "unauthorized"):
        assert spy.calls == [(refusal.message,)]
    else:
        assert token is not None
        with judged.app_context():
            assert spy.calls == [(get_unverified_jwt_headers(token), decode_token(token, allow_expired=True))]


@every_refusal
def test_a_loader_that_answers_may_be_registered_after_the_first_request(judged: Flask, refusal: Refusal) -> None:
    """Such a loader can be registered and replaced after the first request."""
    assert refusal.provoke(judged)[0].status_code == refusal.status
    for number in (1, 2):
        register(judged, refusal.loader, Spy(({"answer": number}, 418)))
        assert outcome(refusal.provoke(judged)[0]) == (418, {"answer": number})


@rotated(
    "result,status,body",
    [
        ("text", 200, b"text"),
        (("text", 418), 418, b"text"),
        (("text", 418, {"X-Own": "yes"}), 418, b"text"),
        (("text", {"X-Own": "yes"}), 200, b"text"),
        ({"a": 1}, 200, b'{"a":1}\n'),
        ([1], 200, b"[1]\n"),
        (b"octets", 200, b"octets"),
        (lambda _message: Response("made", 418), 418, b"made"),
        (lambda _message: (jsonify(a=1), 418), 418, b'{"a":1}\n'),
    ],
    style=STYLES,
)
def test_a_loader_may_return_whatever_a_view_may(
    app: Flask, style: Style, result: Any, status: int, body: bytes
) -> None:
    """A loader may return text, bytes, JSON, a tuple or a Response."""
    register(app, "unauthorized", style(Spy(result)))
    response = get(app, None)
    assert (response.status_code, response.data) == (status, body)


@pytest.mark.parametrize(
    ("loader", "status", "message", "send"),
    [
        ("unauthorized", 401, "Missing CSRF token", {"cookie": True}),
        ("unauthorized", 401, "CSRF double submit tokens do not match", {"cookie": True, "X-CSRF-TOKEN": "wrong"}),
        ("invalid_token", 422, "Only non-refresh tokens are allowed", {"claims": {"type": "refresh"}}),
        ("invalid_token", 422, "Audience doesn't match", {"claims": {"aud": "others"}}),
        ("invalid_token", 422, 'Token is missing the "aud" claim', {"claims": {"aud": ""}}),
        ("invalid_token", 422, "Invalid issuer", {"claims": {"iss": "others"}}),
        ("invalid_token", 422, "Subject must be a string", {"claims": {"sub": 5}}),
        ("invalid_token", 422, "The token is not yet valid (nbf)", {"claims": {"nbf": 9999999999}}),
        (
            "invalid_token",
            422,
            "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'",
            {"Authorization": "Bearer a b"},
        ),
    ],
    ids=["no CSRF", "CSRF", "type", "aud", "no aud", "iss", "sub", "nbf", "header"],
)
def test_every_error_has_its_loader(
    make_app: MakeApp, loader: str, status: int, message: str, send: dict[str, Any]
) -> None:
    """Errors of a token go to invalid_token_loader, missing values to unauthorized_loader."""
    ours = {"ENCODE_AUDIENCE": "us", "DECODE_AUDIENCE": "us", "ENCODE_ISSUER": "us", "DECODE_ISSUER": "us"}
    app = make_app(TOKEN_LOCATION=["headers", "cookies"], **ours)
    token = access_token(app, additional_claims=send.pop("claims", {}))
    where = {"Cookie": f"access_token_cookie={token}"} if send.pop("cookie", False) else bearer(token)
    post = partial(app.test_client(use_cookies=False).post, "/access", headers={**where, **send})
    assert outcome(post()) == (status, {"msg": message})
    spy = Spy(({}, 418))
    register(app, loader, spy)
    assert post().status_code == 418
    assert spy.calls == [(message,)]


def test_a_query_parameter_without_its_prefix_goes_to_the_invalid_token_loader(make_app: MakeApp) -> None:
    """The loader gets the message about the prefix."""
    app = make_app(TOKEN_LOCATION="query_string", QUERY_STRING_VALUE_PREFIX="Bearer ")
    spy = Spy(({}, 418))
    register(app, "invalid_token", spy)
    assert get(app, None, "/access?jwt=x").status_code == 418
    expected = "Invalid value for query parameter 'jwt'. Expected the value to start with 'Bearer '"
    assert spy.calls == [(expected,)]


def test_a_missing_claim_goes_to_the_invalid_token_loader(app: Flask) -> None:
    """A token without the identity claim is invalid."""
    spy = Spy(({}, 418))
    register(app, "invalid_token", spy)
    assert get(app, jwt.encode({"type": "access"}, SECRET)).status_code == 418
    assert spy.calls == [("Missing claim: sub",)]


# --- loaders that are asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loader", "refuses_by", "status", "message"),
    [
        ("token_in_blocklist", True, 401, "Token has been revoked"),
        ("token_verification", False, 400, "User claims verification failed"),
    ],
    ids=["token_in_blocklist", "token_verification"],
)
@rotated("verdict", [True, 1, "yes", False, 0, None, ""], style=STYLES)
def test_a_loader_refuses_by_its_answer(
    app: Flask, style: Style, loader: str, refuses_by: bool, status: int, message: str, verdict: Any
) -> None:
    """The truth of the result counts; the loader gets the header and the claims of the verified token."""
    spy = Spy(verdict)
    register(app, loader, style(spy))
    token = access_token(app)
    response = get(app, token)
    if bool(verdict) is refuses_by:
        assert outcome(response) == (status, {"msg": message})
    else:
        assert (response.status_code, response.get_json()["identity"]) == (200, "ann")
    with app.app_context():
        assert spy.calls == [(get_unverified_jwt_headers(token), decode_token(token))]


@rotated("user", ["ann", 0, "", [], {"name": "ann"}, False], style=STYLES)
def test_user_lookup_loader_finds_the_current_user(app: Flask, style: Style, user: Any) -> None:
    """The result is the user, even if it is falsy; the loader gets the header and the claims."""
    spy = Spy(user)
    register(app, "user_lookup", style(spy))
    app.add_url_rule("/user", "user", jwt_required()(lambda: {"user": current_user._get_current_object()}))
    token = access_token(app)
    assert outcome(get(app, token, "/user")) == (200, {"user": user})
    with app.app_context():
        assert spy.calls == [(get_unverified_jwt_headers(token), decode_token(token))]


@in_every_style
def test_user_lookup_loader_refuses_by_none(app: Flask, style: Style) -> None:
    """If the loader returns ``None``, the request is refused."""
    register(app, "user_lookup", style(Spy(None)))
    assert outcome(get(app, access_token(app))) == (401, {"msg": "Error loading the user ann"})


@in_every_style
def test_decode_key_loader_chooses_the_key_by_what_nothing_vouches_for(app: Flask, style: Style) -> None:
    """The loader gets the unverified header and claims, and its key verifies the token."""
    keys = {"old": SECRET, "new": OTHER_SECRET}
    spy = Spy(lambda header, _claims: keys[header["kid"]])
    register(app, "decode_key", style(spy))
    claims = {"sub": "ann", "type": "access"}
    header = {"typ": "JWT", "alg": "HS256", "kid": "new"}
    assert get(app, jwt.encode(claims, OTHER_SECRET, headers=header)).get_json()["identity"] == "ann"
    forged = jwt.encode(claims, SECRET, headers=header)
    assert outcome(get(app, forged)) == (422, {"msg": "Signature verification failed"})
    assert spy.calls == [(header, claims), (header, claims)]


@in_every_style
def test_decode_key_loader_may_return_a_key_in_any_form(app: Flask, style: Style) -> None:
    """The key may be text, bytes, or a JWK."""
    token = jwt.encode({"sub": "ann"}, OTHER_SECRET)
    jwk = HMACAlgorithm.to_jwk(OTHER_SECRET, as_dict=True)
    for key in (OTHER_SECRET, OTHER_SECRET.encode(), jwk):
        register(app, "decode_key", style(Spy(lambda _header, _claims, key=key: key)))
        assert get(app, token).status_code == 200


@in_every_style
def test_key_loaders_need_no_configured_key(style: Style) -> None:
    """With both key loaders, no JWT_SECRET_KEY is needed, and each identity may have its own key."""
    app = Flask("app")
    manager = JWTManager(app)
    keys = {"ann": SECRET, "bob": OTHER_SECRET}
    manager.encode_key_loader(style(lambda identity: keys[identity]))
    manager.decode_key_loader(style(lambda _header, claims: keys[claims["sub"]]))
    app.add_url_rule("/who", "who", jwt_required()(lambda: f"{get_jwt_identity()}"))
    for identity, key in keys.items():
        token = access_token(app, identity)
        assert jwt.decode(token, key, ["HS256"])["sub"] == identity
        assert get(app, token, "/who").text == identity


def test_loaders_are_asked_in_order_and_only_about_good_tokens(app: Flask) -> None:
    """Blocklist, verification, user lookup: in this order, and only for tokens that passed all checks before."""
    asked: list[str] = []

    def note(name: str, result: Any, *_: Any) -> Any:
        asked.append(name)
        return result

    for name, result in (("token_in_blocklist", False), ("token_verification", True), ("user_lookup", "a user")):
        register(app, name, partial(note, name, result))
    refused = [
        None,
        "garbage",
        access_token(app, expires_delta=timedelta(seconds=-10)),
        jwt.encode({"sub": "x"}, "k" * 64),
    ]
    assert [get(app, token).status_code for token in refused] == [401, 422, 401, 422]
    assert get(app, access_token(app), "/refresh").status_code == 422
    assert get(app, access_token(app), "/fresh").status_code == 401
    assert get(app, None, "/optional").status_code == 200
    assert asked == []
    assert get(app, access_token(app)).status_code == 200
    assert asked == ["token_in_blocklist", "token_verification", "user_lookup"]


def test_an_optional_view_refuses_what_a_loader_refuses(judged: Flask) -> None:
    """An optional view lets requests without a token pass, but not tokens that a loader refuses."""
    statuses = [
        get(judged, access_token(judged, name), "/optional").status_code for name in ("revoked", "refused", "nobody")
    ]
    assert statuses == [401, 400, 401]


def test_skip_revocation_check_asks_no_blocklist(app: Flask) -> None:
    """With ``skip_revocation_check`` revoked tokens pass; the other loaders are still called."""
    register(app, "token_in_blocklist", Spy(True))
    app.add_url_rule("/revoked", "revoked", jwt_required(skip_revocation_check=True)(lambda: "passed"))
    assert get(app, access_token(app), "/revoked").text == "passed"
    register(app, "token_verification", Spy(False))
    assert get(app, access_token(app), "/revoked").status_code == 400


def test_decode_token_asks_no_loader_but_for_the_key(judged: Flask) -> None:
    """``decode_token`` verifies the token; it does not call the loaders that decide about requests."""
    for name in ("revoked", "refused", "nobody"):
        token = access_token(judged, name)
        with judged.app_context():
            assert decode_token(token)["sub"] == name
    register(judged, "decode_key", Spy(OTHER_SECRET))
    with judged.app_context(), pytest.raises(jwt.InvalidSignatureError):
        decode_token(access_token(judged))


@pytest.mark.parametrize(
    ("loader", "function", "status"),
    [
        ("token_in_blocklist", lambda _header, _claims: True, 401),
        ("token_verification", lambda _header, _claims: False, 400),
        ("user_lookup", lambda _header, _claims: None, 401),
        ("decode_key", lambda _header, _claims: OTHER_SECRET, 422),
    ],
)
def test_a_loader_that_is_asked_may_be_registered_after_the_first_request(
    app: Flask, loader: str, function: Loader, status: int
) -> None:
    """The next request calls it."""
    token = access_token(app)
    assert get(app, token).status_code == 200
    register(app, loader, function)
    assert get(app, token).status_code == status


@pytest.mark.parametrize("loader", ["token_in_blocklist", "token_verification", "user_lookup"])
@in_every_style
def test_an_error_in_a_loader_lets_nobody_pass(app: Flask, loader: str, style: Style) -> None:
    """An error in a loader is an error of the application: no request passes."""

    def fails(*_: Any) -> Any:
        raise ConnectionError("the database is down")

    register(app, loader, style(fails))
    app.testing = True
    with pytest.raises(ConnectionError, match="the database is down"):
        get(app, access_token(app))


# --- loaders that make ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class User:
    """An identity that is an object."""

    name: str


ANN = User("ann")
create = pytest.mark.parametrize("create", [create_access_token, create_refresh_token], ids=["access", "refresh"])


@pytest.fixture
def people(app: Flask) -> Flask:
    """An application whose identities are :class:`User` objects."""
    register(app, "user_identity", lambda user: user.name)
    return app


@create
@in_every_style
def test_user_identity_loader_turns_the_identity_into_a_claim(app: Flask, create: Loader, style: Style) -> None:
    """The loader gets the identity as it was passed; its result is the identity claim, and what the view sees."""
    spy = Spy(lambda user: user.name)
    register(app, "user_identity", style(spy))
    with app.app_context():
        token = create(ANN)
        assert decode_token(token)["sub"] == "ann"
    assert get(app, token, "/any").get_json()["identity"] == "ann"
    assert spy.calls == [(ANN,)]


def test_user_identity_loader_fills_the_configured_claim(make_app: MakeApp) -> None:
    """The result is in the claim that JWT_IDENTITY_CLAIM names."""
    app = make_app(IDENTITY_CLAIM="user")
    register(app, "user_identity", lambda user: user.name)
    with app.app_context():
        claims = decode_token(create_access_token(ANN))
    assert claims["user"] == "ann"
    assert "sub" not in claims


@create
@in_every_style
def test_additional_claims_loader_adds_claims(people: Flask, create: Loader, style: Style) -> None:
    """The loader gets the identity as it was passed, not the claim."""
    spy = Spy({"roles": ["reader"]})
    register(people, "additional_claims", style(spy))
    with people.app_context():
        claims = decode_token(create(ANN))
    assert claims["roles"] == ["reader"]
    assert spy.calls == [(ANN,)]


@create
@in_every_style
def test_additional_headers_loader_adds_header_parameters(people: Flask, create: Loader, style: Style) -> None:
    """The loader gets the identity as it was passed, not the claim."""
    spy = Spy({"kid": "one"})
    register(people, "additional_headers", style(spy))
    with people.app_context():
        header = get_unverified_jwt_headers(create(ANN))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": "one"}
    assert spy.calls == [(ANN,)]


@create
@in_every_style
def test_encode_key_loader_chooses_the_key(people: Flask, create: Loader, style: Style) -> None:
    """The loader gets the identity as it was passed, and its key signs."""
    spy = Spy(OTHER_SECRET)
    register(people, "encode_key", style(spy))
    with people.app_context():
        token = create(ANN)
    assert jwt.decode(token, OTHER_SECRET, ["HS256"])["sub"] == "ann"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, SECRET, ["HS256"])
    assert spy.calls == [(ANN,)]


@create
def test_claims_of_the_call_win_over_the_loader_and_both_over_the_usual(app: Flask, create: Loader) -> None:
    """The argument overrides the loader, and the loader overrides the usual claims."""
    register(app, "additional_claims", Spy({"a": "loader", "b": "loader", "jti": "loader", "fresh": "loader"}))
    with app.app_context():
        claims = decode_token(create("ann", additional_claims={"b": "call", "c": "call", "fresh": True}))
    chosen = {name: claims[name] for name in ("a", "b", "c", "jti", "fresh", "sub")}
    assert chosen == {"a": "loader", "b": "call", "c": "call", "jti": "loader", "fresh": True, "sub": "ann"}


@create
def test_headers_of_the_call_win_over_the_loader_and_both_over_the_usual(app: Flask, create: Loader) -> None:
    """The argument overrides the loader, and the loader overrides the usual header."""
    register(app, "additional_headers", Spy({"kid": "loader", "typ": "loader", "x": "loader"}))
    with app.app_context():
        header = get_unverified_jwt_headers(create("ann", additional_headers={"x": "call", "y": "call"}))
    assert header == {"alg": "HS256", "typ": "loader", "kid": "loader", "x": "call", "y": "call"}


def test_nested_claims_are_replaced_not_merged(app: Flask) -> None:
    """A claim is replaced as a whole, as in 4.7."""
    register(app, "additional_claims", Spy({"profile": {"a": 1, "b": 2}}))
    with app.app_context():
        claims = decode_token(create_access_token("ann", additional_claims={"profile": {"b": 3}}))
    assert claims["profile"] == {"b": 3}


@pytest.mark.parametrize(
    ("loader", "result", "read"),
    [
        ("user_identity", "bob", lambda token: decode_token(token)["sub"]),
        ("additional_claims", {"x": "bob"}, lambda token: decode_token(token).get("x")),
        ("additional_headers", {"kid": "bob"}, lambda token: get_unverified_jwt_headers(token).get("kid")),
        ("encode_key", OTHER_SECRET, lambda token: jwt.decode(token, OTHER_SECRET, ["HS256"]) and "bob"),
    ],
    ids=["user_identity", "additional_claims", "additional_headers", "encode_key"],
)
def test_a_loader_that_makes_may_be_registered_after_the_first_token(
    app: Flask, loader: str, result: Any, read: Loader
) -> None:
    """The next token is made with it."""
    assert get(app, access_token(app)).status_code == 200
    register(app, loader, Spy(result))
    with app.app_context():
        assert read(create_access_token("ann")) == "bob"


# --- no side effects ------------------------------------------------------------------------------------------------


@create
def test_what_a_loader_returned_is_not_changed(app: Flask, create: Loader) -> None:
    """A loader and a caller may pass the same dictionary each time."""
    shared = {"additional_claims": {"a": 1}, "additional_headers": {"kid": "one"}}
    passed = {"additional_claims": {"b": 2}, "additional_headers": {"x": "two"}}
    for loader, result in shared.items():
        register(app, loader, lambda _identity, result=result: result)
    with app.app_context():
        first, second = create("ann", **passed), create("ann")
        assert decode_token(first)["b"] == 2
        assert "b" not in decode_token(second)
        assert "x" not in get_unverified_jwt_headers(second)
    assert shared == {"additional_claims": {"a": 1}, "additional_headers": {"kid": "one"}}
    assert passed == {"additional_claims": {"b": 2}, "additional_headers": {"x": "two"}}


def test_decode_key_loader_cannot_change_the_token(app: Flask) -> None:
    """Changes that the loader makes to the unverified header and claims have no effect."""

    def meddles(header: dict[str, Any], claims: dict[str, Any]) -> str:
        header["alg"] = "none"
        claims["sub"] = "root"
        claims["profile"]["roles"].append("admin")
        return SECRET

    register(app, "decode_key", meddles)
    claims = get(app, access_token(app, additional_claims={"profile": {"roles": []}})).get_json()["claims"]
    assert claims["sub"] == "ann"
    assert claims["profile"] == {"roles": []}


def test_what_a_loader_adds_to_the_claims_is_seen_by_the_view(app: Flask) -> None:
    """As in 4.7, loaders and the view share the claims of a verified token."""
    register(app, "token_verification", lambda _header, claims: claims.update(tenant="t1") or True)
    assert get(app, access_token(app)).get_json()["claims"]["tenant"] == "t1"


def test_what_a_loader_does_to_a_header_ends_with_the_request(app: Flask) -> None:
    """Changes to a header do not affect the next request."""
    seen = Spy(False)
    register(app, "token_in_blocklist", lambda header, claims: seen(header, claims) or header.update(x="y"))
    for _ in range(3):
        assert get(app, access_token(app)).status_code == 200
    assert [header for header, _ in seen.calls] == [{"alg": "HS256", "typ": "JWT"}] * 3


# --- async, inside and out ------------------------------------------------------------------------------------------


async def _who() -> dict[str, Any]:
    await asyncio.sleep(0)
    user = current_user._get_current_object() if "user" in request.args else None
    return {"identity": get_jwt_identity(), "sub": get_jwt().get("sub"), "user": user}


@in_every_style
def test_an_async_view_is_protected_like_any_other(app: Flask, style: Style) -> None:
    """The decorator works on coroutine functions: it checks the token, and the view is awaited."""
    register(app, "user_lookup", style(lambda _header, claims: claims["sub"]))
    app.add_url_rule("/async", "async", jwt_required()(_who))
    app.add_url_rule("/maybe", "maybe", jwt_required(optional=True)(_who))
    passed = {"identity": "ann", "sub": "ann", "user": "ann"}
    assert outcome(get(app, None, "/async")) == (401, {"msg": "Missing Authorization Header"})
    assert outcome(get(app, "garbage", "/async")) == (422, {"msg": "Not enough segments"})
    assert outcome(get(app, access_token(app), "/async?user")) == (200, passed)
    assert outcome(get(app, access_token(app), "/maybe?user")) == (200, passed)
    assert outcome(get(app, None, "/maybe?user")) == (200, {"identity": None, "sub": None, "user": None})


def test_an_async_method_view_is_protected(app: Flask) -> None:
    """The decorator works on the class and on the method."""

    class ByClass(MethodView):
        decorators = [jwt_required()]  # noqa: RUF012  # Flask's own idiom

        async def get(self) -> dict[str, Any]:
            return await _who()

    class ByMethod(MethodView):
        @jwt_required()
        async def get(self) -> dict[str, Any]:
            return await _who()

    paths = [f"/{view.__name__}" for view in (ByClass, ByMethod)]
    for path, view in zip(paths, (ByClass, ByMethod), strict=True):
        app.add_url_rule(path, view_func=view.as_view(path[1:]))
    for path in paths:
        assert get(app, None, path).status_code == 401
        assert outcome(get(app, access_token(app), path)) == (200, {"identity": "ann", "sub": "ann", "user": None})


@in_every_style
def test_an_async_view_may_make_tokens(app: Flask, style: Style) -> None:
    """A login view and all its loaders may be coroutine functions."""
    register(app, "additional_claims", style(Spy({"x": 1})))
    register(app, "additional_headers", style(Spy({"kid": "one"})))
    register(app, "user_identity", style(lambda user: user.name))
    register(app, "encode_key", style(Spy(SECRET)))

    @app.post("/login")
    async def login() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"access": create_access_token(ANN), "refresh": create_refresh_token(ANN)}

    app.testing = True
    tokens = app.test_client().post("/login").get_json()
    assert get(app, tokens["access"]).get_json()["claims"]["x"] == 1
    assert get(app, tokens["refresh"], "/refresh").get_json()["identity"] == "ann"


@in_every_style
def test_an_async_view_may_verify_for_itself(judged: Flask, style: Style) -> None:
    """``verify_jwt_in_request`` and ``decode_token`` work in a coroutine, with all kinds of loaders."""
    register(judged, "decode_key", style(Spy(SECRET)))
    register(judged, "token_in_blocklist", style(lambda _header, claims: claims["sub"] == "revoked"))

    @judged.get("/by-hand")
    async def by_hand() -> dict[str, Any]:
        verify_jwt_in_request()
        return {"decoded": decode_token(request.headers["Authorization"][7:])["sub"], **await _who()}

    judged.testing = True
    assert outcome(get(judged, access_token(judged, "revoked"), "/by-hand")) == (401, {"msg": "Token has been revoked"})
    assert get(judged, access_token(judged), "/by-hand").get_json()["decoded"] == "ann"


def test_an_async_loader_sees_the_request(app: Flask) -> None:
    """Flask's proxies work in the loader, and ``g`` keeps what it stores."""

    async def is_revoked(_header: Any, _claims: Any) -> bool:
        g.asked_at = request.path
        return False

    register(app, "token_in_blocklist", is_revoked)
    app.add_url_rule("/asked", "asked", jwt_required()(lambda: str(g.asked_at)))
    assert get(app, access_token(app), "/asked").text == "/asked"


def test_the_application_decides_how_coroutines_are_run() -> None:
    """An override of Flask's ``async_to_sync``, for gevent for example, is used for loaders too."""
    ran: list[str] = []

    class Own(Flask):
        def async_to_sync(self, func: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
            def run(*arguments: Any, **options: Any) -> Any:
                ran.append("here")
                return asyncio.run(func(*arguments, **options))

            return run

    app = Own("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app).token_in_blocklist_loader(coroutine_function(Spy(True)))
    app.add_url_rule("/", "index", jwt_required()(lambda: "never"))
    assert outcome(get(app, access_token(app), "/")) == (401, {"msg": "Token has been revoked"})
    assert ran == ["here"]


# --- error handlers of the application ------------------------------------------------------------------------------


def _handle(error: Exception) -> tuple[dict[str, str], int]:
    """Answer with the class and the text of the error."""
    return {"handled": type(error).__name__, "text": str(error)}, 418


@pytest.mark.parametrize(
    ("caught", "path", "token", "text"),
    [
        (NoAuthorizationError, "/access", None, "Missing Authorization Header"),
        (InvalidHeaderError, "/access", "a b", "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"),
        (WrongTokenError, "/refresh", "", "Only refresh tokens are allowed"),
        (FreshTokenRequired, "/fresh", "", "Fresh token required"),
        (RevokedTokenError, "/access", "revoked", "Token has been revoked"),
        (jwt.DecodeError, "/access", "garbage", "Not enough segments"),
        (jwt.InvalidSignatureError, "/access", jwt.encode({}, OTHER_SECRET), "Signature verification failed"),
        (
            jwt.InvalidAlgorithmError,
            "/access",
            jwt.encode({}, SECRET, "HS512"),
            "The specified alg value is not allowed",
        ),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_handler_of_the_application_for_the_class_wins(
    judged: Flask, caught: type[Exception], path: str, token: str | None, text: str
) -> None:
    """A handler registered after the manager answers instead of the loader, and gets the error itself."""
    judged.register_error_handler(caught, _handle)
    register(judged, "invalid_token", Spy("never asked"))
    register(judged, "unauthorized", Spy("never asked"))
    if token in ("", "revoked"):
        token = access_token(judged, token or "ann")
    assert outcome(get(judged, token, path)) == (418, {"handled": caught.__name__, "text": text})


def test_a_handler_of_the_application_may_be_async(app: Flask) -> None:
    """An error handler may be a coroutine function."""
    app.register_error_handler(NoAuthorizationError, coroutine_function(_handle))
    assert get(app, None).status_code == 418


@pytest.mark.parametrize(
    "broad",
    [Exception, JWTExtendedException, TokenRefused, jwt.PyJWTError, HTTPException, 401, 422, 400, 500],
    ids=lambda broad: broad.__name__ if isinstance(broad, type) else str(broad),
)
@every_refusal
def test_a_broad_handler_of_the_application_steals_nothing(
    judged: Flask, broad: type[Exception] | int, refusal: Refusal
) -> None:
    """A handler for ``Exception``, a base class or a status does not override the loaders."""
    judged.register_error_handler(broad, _handle)
    assert outcome(refusal.provoke(judged)[0]) == (refusal.status, {"msg": refusal.message})


def test_a_handler_registered_before_the_manager_is_replaced() -> None:
    """The last registration for a class wins, as in 4.7."""
    app = Flask("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    app.register_error_handler(NoAuthorizationError, _handle)
    JWTManager(app)
    app.add_url_rule("/access", "access", jwt_required()(lambda: "never"))
    assert outcome(get(app, None)) == (401, {"msg": "Missing Authorization Header"})


@pytest.mark.parametrize("caught", [NoAuthorizationError, JWTExtendedException, Exception], ids=lambda c: c.__name__)
def test_a_handler_of_a_blueprint_wins_for_its_views_alone(app: Flask, caught: type[Exception]) -> None:
    """Flask prefers the handlers of a blueprint, however broad; other views are not affected."""
    blueprint = Blueprint("own", "own", url_prefix="/own")
    blueprint.add_url_rule("/access", "access", jwt_required()(lambda: "never"))
    blueprint.register_error_handler(caught, _handle)
    app.register_blueprint(blueprint)
    handled = {"handled": "NoAuthorizationError", "text": "Missing Authorization Header"}
    assert outcome(get(app, None, "/own/access")) == (418, handled)
    assert outcome(get(app, None)) == (401, {"msg": "Missing Authorization Header"})


def test_the_handlers_of_a_manager_can_be_registered_on_a_blueprint(app: Flask) -> None:
    """4.7's ``_set_error_handler_callbacks`` works with any object that has an ``errorhandler``."""
    blueprint = Blueprint("own", "own", url_prefix="/own")
    blueprint.add_url_rule("/access", "access", jwt_required()(lambda: "never"))
    blueprint.register_error_handler(Exception, _handle)
    manager_of(app)._set_error_handler_callbacks(blueprint)
    app.register_blueprint(blueprint)
    assert outcome(get(app, None, "/own/access")) == (401, {"msg": "Missing Authorization Header"})


def test_a_view_may_catch_the_error_itself(judged: Flask) -> None:
    """The errors are ordinary exceptions, with the header and the claims as attributes."""

    @judged.get("/caught")
    def caught() -> dict[str, Any]:
        try:
            verify_jwt_in_request()
        except RevokedTokenError as error:
            return {"header": error.jwt_header, "sub": error.jwt_data["sub"]}
        return {}

    response = get(judged, access_token(judged, "revoked"), "/caught")
    assert outcome(response) == (200, {"header": {"alg": "HS256", "typ": "JWT"}, "sub": "revoked"})
