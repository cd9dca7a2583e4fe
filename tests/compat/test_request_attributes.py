"""Tokens are read from the attributes of the request, which an application may override, not from the environment."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any
from unittest import mock

import pytest
from flask import Flask, Request, g, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import EnvironHeaders, Headers, ImmutableMultiDict, MultiDict
from werkzeug.test import EnvironBuilder

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    get_csrf_token,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import NoAuthorizationError

from ..conftest import SECRET

#: What a test puts in place of each attribute, for a token and the name of its cookie.
Values = Callable[[str, str], Any]
HEADERS: dict[str, Values] = {
    "Headers": lambda token, _name: Headers({"authorization": f"Bearer {token}"}),
    "list of Headers": lambda token, _name: Headers([("X-Other", "1"), ("Authorization", f"Bearer {token}")]),
    "dict": lambda token, _name: {"Authorization": f"Bearer {token}"},
    "other EnvironHeaders": lambda token, _name: EnvironHeaders({"HTTP_AUTHORIZATION": f"Bearer {token}"}),
}
COOKIES: dict[str, Values] = {
    "dict": lambda token, name: {name: token},
    "MultiDict": lambda token, name: MultiDict({name: token}),
    "ImmutableMultiDict": lambda token, name: ImmutableMultiDict({name: token}),
}
ARGS: dict[str, Values] = {
    "dict": lambda token, _name: {"jwt": token},
    "MultiDict": lambda token, _name: MultiDict({"jwt": token}),
}
JSON: dict[str, Values] = {"dict": lambda token, _name: lambda *_args, **_named: {"access_token": token}}

#: The attribute, what stands there, and where the token is found then.
PLACES = [
    pytest.param(attribute, value, location, id=f"{attribute}-{name}")
    for attribute, values, location in (
        ("headers", HEADERS, "headers"),
        ("cookies", COOKIES, "cookies"),
        ("args", ARGS, "query_string"),
        ("get_json", JSON, "json"),
    )
    for name, value in values.items()
]


def new_app(**options: Any) -> Flask:
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_TOKEN_LOCATION=["headers", "cookies", "query_string", "json"])
    app.config.update({f"JWT_{name}": value for name, value in options.items()})
    JWTManager(app)

    @app.route("/closed", methods=["GET", "POST"])
    @jwt_required()
    def closed() -> dict[str, Any]:
        return {"identity": get_jwt_identity(), "location": get_jwt_request_location()}

    return app


def tokens(app: Flask) -> tuple[str, str]:
    """A good token, and its CSRF value."""
    with app.app_context():
        token = create_access_token("alice")
        return token, get_csrf_token(token)


def answer_of(response: Any) -> Any:
    return response.json


#: For get_json: 4.7 looks there only if the content type says so.
AS_JSON = {"content_type": "application/json", "data": "{}"}


# --- set on the object -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("attribute", "value", "location"), PLACES)
@pytest.mark.parametrize("profile", ["compat", "strict"])
def test_an_attribute_that_was_set_on_the_request_is_read(
    attribute: str, value: Values, location: str, profile: str
) -> None:
    """``before_request`` or a test may set it."""
    app = new_app(PROFILE=profile)
    token, name = tokens(app)[0], app.config["JWT_ACCESS_COOKIE_NAME"]

    @app.before_request
    def put() -> None:
        setattr(request, attribute, value(token, name))

    response = app.test_client(use_cookies=False).get("/closed", **AS_JSON)
    assert response.json == {"identity": "alice", "location": location}
    with app.test_request_context(**AS_JSON):
        with pytest.raises(NoAuthorizationError):
            verify_jwt_in_request()
        setattr(request, attribute, value(token, name))
        verify_jwt_in_request()
        assert (get_jwt_identity(), get_jwt_request_location()) == ("alice", location)


@pytest.mark.parametrize("empty", [Headers(), {}, EnvironHeaders({})], ids=["Headers", "dict", "EnvironHeaders"])
def test_headers_that_were_taken_away_are_not_read_from_the_environment(empty: Any) -> None:
    """Both the header and the cookies, which come in a header, are gone."""
    app = new_app()
    token, _ = tokens(app)
    for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"access_token_cookie={token}"}):
        with app.test_request_context(headers=headers):
            request.headers = empty
            if not hasattr(empty, "getlist"):
                request.cookies = {}  # type: ignore[assignment]  # Werkzeug cannot read them from a dict
            with pytest.raises(NoAuthorizationError):
                verify_jwt_in_request()
        with app.test_request_context(headers=headers):
            verify_jwt_in_request()


def test_cookies_that_were_taken_away_are_not_read_from_the_environment() -> None:
    """A dictionary may replace the headers."""
    app = new_app()
    token, _ = tokens(app)
    with app.test_request_context(headers={"Cookie": f"access_token_cookie={token}"}):
        request.cookies = {}  # type: ignore[assignment]
        with pytest.raises(NoAuthorizationError):
            verify_jwt_in_request()


@pytest.mark.parametrize("value", [None, 5, b"Bearer x", ["Bearer x"], {}, mock.Mock()])
@pytest.mark.parametrize("attribute", ["headers", "cookies", "args"])
def test_a_value_that_is_no_text_is_no_token(attribute: str, value: Any) -> None:
    """Such a request is refused."""
    app = new_app()
    name = {"headers": "Authorization", "cookies": "access_token_cookie", "args": "jwt"}[attribute]

    @app.before_request
    def put() -> None:
        setattr(request, attribute, {name: value})

    assert app.test_client(use_cookies=False).get("/closed").status_code == 401


def test_a_change_of_the_environment_is_seen_as_flask_sees_it() -> None:
    """Headers are live; cookies and arguments stay as they were when they were first read."""
    app = new_app()
    token, _ = tokens(app)
    with app.test_request_context():
        request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        verify_jwt_in_request()
        assert get_jwt_request_location() == "headers"
    with app.test_request_context():
        request.environ["HTTP_COOKIE"] = f"access_token_cookie={token}"
        verify_jwt_in_request()
        assert get_jwt_request_location() == "cookies"
    with app.test_request_context():
        assert not request.cookies
        request.environ["HTTP_COOKIE"] = f"access_token_cookie={token}"
        assert not request.cookies
        with pytest.raises(NoAuthorizationError):
            verify_jwt_in_request()


def put_all(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(request, name, value)


@pytest.mark.parametrize("kind", [dict, MultiDict, ImmutableMultiDict, Headers])
def test_csrf_values_are_read_from_the_attributes_too(kind: Any) -> None:
    """It is read from the header, and from the form if the option says so."""
    app = new_app(CSRF_CHECK_FORM=True)
    token, csrf = tokens(app)
    for attribute, good in (("headers", {"X-CSRF-TOKEN": csrf}), ("form", {"csrf_token": csrf})):
        if attribute == "form" and kind is Headers:
            continue
        for value, status in ((good, 200), (dict.fromkeys(good, "other"), 401), ({}, 401)):
            put = {attribute: kind(value), "cookies": {"access_token_cookie": token}}
            hook = app.before_request_funcs.setdefault(None, [])
            hook[:] = [partial(put_all, put)]
            assert app.test_client(use_cookies=False).post("/closed").status_code == status


@pytest.mark.parametrize(
    ("cookies", "args", "status"), [(1, 0, 200), (0, 1, 200), (1, 1, 401), (2, 0, 401), (0, 2, 401)]
)
@pytest.mark.parametrize("kind", [dict, MultiDict, ImmutableMultiDict])
def test_several_tokens_are_counted_in_the_attributes(kind: Any, cookies: int, args: int, status: int) -> None:
    """JWT_SINGLE_TOKEN counts them; a dictionary holds at most one of each."""
    app = new_app(SINGLE_TOKEN=True)
    token, _ = tokens(app)
    if kind is dict and 2 in (cookies, args):
        status = 200

    @app.before_request
    def put() -> None:
        many = [token] * 2
        for attribute, name, count in (("cookies", "access_token_cookie", cookies), ("args", "jwt", args)):
            held = {name: many[:count] if kind is not dict else token} if count else {}
            setattr(request, attribute, kind(held))

    got = app.test_client(use_cookies=False).get("/closed").status_code
    assert got == (status if status == 200 else 422)


def test_reading_the_cookies_before_does_not_hide_a_second_one() -> None:
    """Werkzeug does not read it as a cookie, but another reader may, so it counts."""
    app = new_app(SINGLE_TOKEN=True)
    token, _ = tokens(app)
    headers = {"Cookie": f"access_token_cookie={token}; access_token_cookie={token}"}
    for read_before in (False, True):
        app.before_request_funcs[None] = [lambda read=read_before: request.cookies and None if read else None]
        assert app.test_client(use_cookies=False).get("/closed", headers=headers).status_code == 422


# --- overridden in the class -----------------------------------------------------------------------------------------


class WithProperties(Request):
    """A request that finds everything in one header."""

    @property
    def cookies(self) -> Any:
        return {"access_token_cookie": g.get("token")} if g.get("place") == "cookies" else {}

    @property
    def args(self) -> Any:
        return {"jwt": g.get("token")} if g.get("place") == "args" else {}

    @property
    def headers(self) -> Any:
        held = Headers(self.__dict__.get("own_headers") or {})
        if g and g.get("place") == "headers":
            held["Authorization"] = f"Bearer {g.token}"
        return held

    @headers.setter
    def headers(self, value: Any) -> None:
        self.__dict__["own_headers"] = value

    def get_json(self, *args: Any, **kwargs: Any) -> Any:
        return {"access_token": g.token} if g.get("place") == "json" else super().get_json(*args, **kwargs)


class WithCachedProperties(Request):
    """A request with encrypted cookies, decrypted when they are first read."""

    @cached_property
    def cookies(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # of another kind
        return ImmutableMultiDict({"access_token_cookie": g.token} if g.get("place") == "cookies" else {})

    @cached_property
    def args(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # of another kind
        return MultiDict({"jwt": g.token} if g.get("place") == "args" else {})

    @cached_property
    def json(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # of another kind
        return {"access_token": g.token} if g.get("place") == "json" else None


class WithHeadersOfItsConstructor(Request):
    """A request that copies a header of a proxy into Authorization."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "X-Forwarded-Token" in self.headers:
            self.headers = Headers({"Authorization": f"Bearer {self.headers['X-Forwarded-Token']}"})


class Derived(WithProperties):
    """An override of a base class counts."""


CLASSES = [
    (WithProperties, "headers"),
    (WithProperties, "cookies"),
    (WithProperties, "args"),
    (WithProperties, "json"),
    (WithCachedProperties, "cookies"),
    (WithCachedProperties, "args"),
    (WithCachedProperties, "json"),
    (Derived, "headers"),
    (Derived, "cookies"),
]


@pytest.mark.parametrize(("request_class", "place"), CLASSES)
def test_a_request_class_that_overrides_an_attribute_is_asked(request_class: type[Request], place: str) -> None:
    """The token in the environment does not count."""
    app = new_app()
    app.request_class = request_class
    token, _ = tokens(app)

    @app.before_request
    def put() -> None:
        g.token, g.place = token, request.environ.get("HTTP_X_PLACE")

    location = {"args": "query_string"}.get(place, place)
    client = app.test_client(use_cookies=False)
    assert client.get("/closed", headers={"X-Place": place}, **AS_JSON).json == {
        "identity": "alice",
        "location": location,
    }
    hidden = {
        "headers": {},  # they are what the class makes of them
        "cookies": {"Cookie": f"access_token_cookie={token}"},
        "args": {},
        "json": {},
    }[place]
    query = {"jwt": token} if place == "args" else {}
    assert client.get("/closed", headers=hidden, query_string=query, **AS_JSON).status_code == 401


@pytest.mark.parametrize("target", [Request, type("Own", (Request,), {})], ids=["flask.Request", "subclass"])
@pytest.mark.parametrize("new", ["dict", "PropertyMock"])
def test_a_class_that_is_patched_is_asked_while_it_is(target: type[Request], new: str) -> None:
    """It counts also after requests that were read from the environment."""
    app = new_app()
    app.request_class = target
    token, _ = tokens(app)
    client = app.test_client(use_cookies=False)
    cookies = {"access_token_cookie": token}
    for _ in range(2):
        assert client.get("/closed").status_code == 401
        value = mock.PropertyMock(return_value=cookies) if new == "PropertyMock" else cookies
        with mock.patch.object(target, "cookies", value):
            assert client.get("/closed").json == {"identity": "alice", "location": "cookies"}
    assert client.get("/closed", headers={"Cookie": f"access_token_cookie={token}"}).status_code == 200


def test_a_request_class_that_sets_its_headers_is_asked() -> None:
    """The request has the attribute again."""
    app = new_app()
    app.request_class = WithHeadersOfItsConstructor
    token, _ = tokens(app)
    client = app.test_client(use_cookies=False)
    assert answer_of(client.get("/closed", headers={"X-Forwarded-Token": token}))["identity"] == "alice"
    assert answer_of(client.get("/closed", headers={"Authorization": f"Bearer {token}"}))["identity"] == "alice"
    mixed = {"X-Forwarded-Token": "no.to.ken", "Authorization": f"Bearer {token}"}
    assert client.get("/closed", headers=mixed).status_code == 422


@pytest.mark.parametrize("storage", [dict, MultiDict])
def test_a_request_class_may_choose_its_containers(storage: Any) -> None:
    """``dict_storage_class`` and ``parameter_storage_class`` may prefer the last value."""

    class Own(Request):
        dict_storage_class = storage
        parameter_storage_class = storage

    app = new_app()
    app.request_class = Own
    token, _ = tokens(app)
    client = app.test_client(use_cookies=False)
    for order in (("no.to.ken", token), (token, "no.to.ken")):
        wins = order[-1 if storage is dict else 0] == token
        cookie = "; ".join(f"access_token_cookie={each}" for each in order)
        query = "&".join(f"jwt={each}" for each in order)
        assert client.get("/closed", headers={"Cookie": cookie}).status_code == (200 if wins else 422)
        assert client.get(f"/closed?{query}").status_code == (200 if wins else 422)


def test_a_refresh_token_is_found_by_its_own_names() -> None:
    """A refresh token has its own names in every location."""
    app = new_app()
    with app.app_context():
        token = create_refresh_token("alice")
    for attribute, value in (
        ("cookies", {"refresh_token_cookie": token}),
        ("get_json", lambda *_args, **_named: {"refresh_token": token}),
    ):
        with app.test_request_context(**AS_JSON):
            setattr(request, attribute, value)
            verify_jwt_in_request(refresh=True)
            assert get_jwt_identity() == "alice"


# --- the environment, where nothing is overridden --------------------------------------------------------------------


class Plain(Request):
    """A request that behaves like Flask's, in a class of the application."""

    @property
    def cookies(self) -> Any:
        return super().cookies

    @property
    def headers(self) -> Any:
        return self.__dict__["own"]

    @headers.setter
    def headers(self, value: Any) -> None:
        self.__dict__["own"] = value


APP = new_app()
TOKEN, CSRF = tokens(APP)
with APP.app_context():
    REFRESH = create_refresh_token("alice")
TEXT = st.text('abcXYZ019 =;,"\\\t._-%\u00e9', max_size=12)
TOKENS = st.sampled_from([TOKEN, REFRESH, "no.to.ken", "", "a", TOKEN + "=", f'"{TOKEN}"', f" {TOKEN} "]) | TEXT
NAMES = st.sampled_from(["access_token_cookie", "refresh_token_cookie", "ACCESS_TOKEN_COOKIE", "other", ""]) | TEXT
#: Werkzeug passes over a cookie with white space in its value, which is malformed; read directly, it is refused.
VALUES = TOKENS.filter(lambda value: not {" ", "\t"} & set(value.strip(" \t")))
SEPARATORS = st.sampled_from(["; ", ";", " ; ", ";;"])
SCHEMES = (
    st.sampled_from(["Bearer ", "bearer ", "Bearer", "Basic ", "Bearer\t", "", "Bearer  ", ", Bearer ", ",,"]) | TEXT
)


@st.composite
def cookie_headers(draw: Any) -> str:
    pairs = draw(st.lists(st.tuples(NAMES, st.sampled_from(["=", "", " = "]), VALUES), max_size=4))
    separator: str = draw(SEPARATORS)
    return separator.join("".join(pair) for pair in pairs)


@st.composite
def environments(draw: Any) -> dict[str, str]:
    environ = {}
    if draw(st.booleans()):
        environ["HTTP_AUTHORIZATION"] = "".join(draw(st.lists(st.tuples(SCHEMES, TOKENS).map("".join), max_size=3)))
    if draw(st.booleans()):
        environ["HTTP_COOKIE"] = draw(cookie_headers())
    return environ


def outcome(request_class: type[Request], environ: dict[str, str], *, read_before: bool, single: bool) -> Any:
    APP.request_class = request_class
    APP.config["JWT_SINGLE_TOKEN"] = single
    full = {**EnvironBuilder().get_environ(), **environ}
    with APP.request_context(full):
        if read_before:
            _ = request.cookies, request.headers.get("Authorization"), request.args
        try:
            verify_jwt_in_request()
        except Exception as error:  # the type and the text are what is compared
            return type(error), str(error)
        return get_jwt_identity(), get_jwt_request_location()


@given(environments(), st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_environment_says_what_the_attributes_say(environ: dict[str, str], single: bool) -> None:
    """The result is the same if the attributes were read before, are overridden without effect, or neither."""
    expected = outcome(Request, environ, read_before=False, single=single)
    assert outcome(Request, environ, read_before=True, single=single) == expected
    if not single:  # which also counts what other readers would take for a cookie, where it may look
        assert outcome(Plain, environ, read_before=False, single=single) == expected
