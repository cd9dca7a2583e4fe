"""Errors of 4.7 that are fixed here, and correct behaviour of 4.7 that must not change, in the compat profile.

The other files of this folder try far more values, in both profiles.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import product
from types import FrameType
from typing import Any

import jwt
import pytest
from flask import Flask
from jwt.warnings import InsecureKeyLengthWarning
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    current_user,
    decode_token,
    get_jti,
    get_jwt_request_location,
    jwt_required,
)

from ..axes import LOCATIONS, everywhere, rotated
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from ..tokens import CSRF, claims, genuine

MEGABYTE = 1_000_000
MISMATCH = "CSRF double submit tokens do not match"
NO_KEY = "No key to verify this token with"

#: Status, body and challenge of an answer.
Answer = tuple[int, Any, "str | None"]


@pytest.fixture
def anywhere(make_app: MakeApp) -> Flask:
    """An application that looks for tokens in every location."""
    return make_app(TOKEN_LOCATION=list(LOCATIONS))


@pytest.fixture
def cookies(make_app: MakeApp) -> Flask:
    """An application that looks for tokens in cookies, and for CSRF values in forms too."""
    return make_app(TOKEN_LOCATION="cookies", CSRF_CHECK_FORM=True)


def ask(app: Flask, token: Any, location: str = "headers", path: str = "/access") -> TestResponse:
    """GET a view with a token in this location."""
    client = app.test_client(use_cookies=False)
    kind = "refresh" if path == "/refresh" else "access"
    if location == "json":
        return client.get(path, json={f"{kind}_token": token})
    if location == "query_string":
        return client.get(path, query_string={"jwt": token})
    headers = {"Cookie": f"{kind}_token_cookie={token}"} if location == "cookies" else bearer(token)
    return client.get(path, headers=headers)


def post_with_cookie(app: Flask, token: str, **request: Any) -> TestResponse:
    """POST to the protected view with a token in its cookie."""
    headers = {"Cookie": f"access_token_cookie={token}", **request.pop("headers", {})}
    return app.test_client(use_cookies=False).open("/access", **{"method": "POST", **request}, headers=headers)


def answer(response: TestResponse) -> Answer:
    return response.status_code, response.get_json(), response.headers.get("WWW-Authenticate")


def refused(status: int, message: str) -> Answer:
    return status, {"msg": message}, "Bearer" if status == 401 else None


def passed_as(response: TestResponse) -> Any:
    """The identity that passed."""
    assert response.status_code == 200, response.text
    assert "WWW-Authenticate" not in response.headers
    return response.get_json()["identity"]


def manager_of(app: Flask) -> JWTManager:
    manager = app.extensions["flask-jwt-extended"]
    assert isinstance(manager, JWTManager)
    return manager


# --- what was a 500 -------------------------------------------------------------------------------------------------


def test_csrf_values_match_beyond_ascii(cookies: Flask) -> None:
    """Equal values match, also beyond ASCII."""
    assert passed_as(post_with_cookie(cookies, genuine(claims(csrf="☃")), data={"csrf_token": "☃"})) == "ann"


FOREIGN_ALGORITHMS = ["RS256", "PS512", "ES256", "ES512", "ES256K", "EdDSA"]


@rotated("algorithm", FOREIGN_ALGORITHMS, location=LOCATIONS)
def test_an_algorithm_that_does_not_fit_the_secret_is_refused(make_app: MakeApp, algorithm: str, location: str) -> None:
    """An algorithm without a configured key in JWT_DECODE_ALGORITHMS verifies nothing, and does not affect others."""
    app = make_app(TOKEN_LOCATION=list(LOCATIONS), DECODE_ALGORITHMS=[algorithm, "HS256"])
    foreign = genuine(claims(), {"alg": algorithm})
    assert answer(ask(app, foreign, location)) == refused(422, "The specified alg value is not allowed")
    assert passed_as(ask(app, genuine(claims()), location)) == "ann"


@pytest.mark.parametrize("container", [tuple, list, set], ids=lambda container: container.__name__)
def test_decode_algorithms_may_be_any_container(make_app: MakeApp, container: Callable[[Iterable[str]], Any]) -> None:
    """JWT_DECODE_ALGORITHMS may be a tuple, and JWT_ALGORITHM is accepted in addition."""
    app = make_app(DECODE_ALGORITHMS=container(["HS384", "HS512"]))
    for algorithm, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")):
        assert passed_as(ask(app, genuine(claims(), {"alg": algorithm}, digest=digest))) == "ann"


def _looks_up(_header: Any, _claims: Any) -> Any:
    return {"known": SECRET}[_header["kid"]]


def _indexes(_header: Any, _claims: Any) -> Any:
    return [SECRET][_claims["tenant"]]


def _returns_nothing(_header: Any, _claims: Any) -> Any:
    return None


@rotated(
    "loader,token",
    product(
        [_looks_up, _indexes, _returns_nothing],
        [
            genuine(claims()),
            genuine(claims(tenant=7), {"alg": "HS256", "kid": "unknown"}),
            genuine(claims(tenant="x"), {"alg": "HS256", "kid": ""}),
        ],
    ),
    location=LOCATIONS,
)
def test_a_decode_key_loader_that_knows_no_key_refuses(
    anywhere: Flask, loader: Callable[[Any, Any], Any], token: str, location: str
) -> None:
    """A loader that raises LookupError, fails because of the token, or returns None ends in a 422."""
    manager_of(anywhere).decode_key_loader(loader)
    assert answer(ask(anywhere, token, location)) == refused(422, NO_KEY)


def test_a_decode_key_loader_whose_key_does_not_fit_refuses(app: Flask) -> None:
    """A key that does not fit the algorithm of the token refuses it."""
    manager_of(app).decode_key_loader(lambda _header, _claims: pem(PRIVATE_KEYS["RS256"])[1])
    refusal = refused(422, "The key of this token does not fit its algorithm")
    assert answer(ask(app, genuine(claims()))) == refusal


@pytest.mark.parametrize("path", ["/access", "/refresh", "/fresh", "/optional", "/any"])
def test_an_options_request_is_anonymous(app: Flask, path: str) -> None:
    """A preflight has no identity and no claims."""
    response = app.test_client().options(path)
    assert response.status_code == 200
    assert response.get_json() == {"identity": None, "claims": {}}


def test_an_options_request_has_no_user_and_no_location(app: Flask) -> None:
    """A preflight has no current user either, even with a user_lookup_loader."""
    manager_of(app).user_lookup_loader(lambda _header, _claims: "a user")

    def view() -> dict[str, Any]:
        return {"user": current_user == None, "location": get_jwt_request_location()}  # noqa: E711  # a proxy

    app.add_url_rule("/who", view_func=jwt_required()(view), methods=["OPTIONS"])
    response = app.test_client().options("/who", headers=bearer(genuine(claims())))
    assert (response.status_code, response.get_json()) == (200, {"user": True, "location": None})


def test_jwt_required_without_parentheses_names_the_fix() -> None:
    """A bare ``@jwt_required`` fails where it is written, not at the first request."""

    def view() -> str:
        raise AssertionError("never called")

    with pytest.raises(TypeError, match=r"@jwt_required\(\)"):
        jwt_required(view)  # type: ignore[arg-type]  # the mistake under test  # pyright: ignore[reportArgumentType]


# --- what was accepted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_a_date_may_have_a_fraction(app: Flask, claim: str) -> None:
    """A NumericDate need not be whole (RFC 7519, section 2)."""
    offset = 60.5 if claim == "exp" else -60.5
    assert passed_as(ask(app, genuine(claims(**{claim: time.time() + offset})))) == "ann"


@pytest.mark.parametrize(("number", "name"), [(1, "payload"), (2, "crypto")])
def test_the_alphabet_of_plain_base64_is_refused(app: Flask, number: int, name: str) -> None:
    """``+`` and ``/`` are not base64url."""
    tokens = (genuine(claims(name="x" * (salt % 3) + "?>" * 9, salt=salt)) for salt in range(1000))
    segments = next(token for token in tokens if {"-", "_"} <= set(token.split(".")[number])).split(".")
    assert passed_as(ask(app, ".".join(segments))) == "ann"
    segments[number] = segments[number].translate(str.maketrans("-_", "+/"))
    assert answer(ask(app, ".".join(segments))) == refused(422, f"Invalid {name} padding")


@everywhere
def test_an_async_token_verification_loader_refuses(anywhere: Flask, location: str) -> None:
    """The result of the coroutine counts, not the coroutine, which is truthy."""

    async def accepts(_header: Any, claims: Any) -> bool:
        return bool(claims["sub"] == "bob")

    manager_of(anywhere).token_verification_loader(accepts)
    refusal = refused(400, "User claims verification failed")
    assert answer(ask(anywhere, genuine(claims()), location)) == refusal
    assert passed_as(ask(anywhere, genuine(claims(sub="bob")), location)) == "bob"


def test_an_async_user_lookup_loader_finds_the_user(app: Flask) -> None:
    """The current user is the result of the coroutine."""

    async def find(_header: Any, claims: Any) -> str | None:
        return None if claims["sub"] == "nobody" else f"the user {claims['sub']}"

    manager_of(app).user_lookup_loader(find)
    app.add_url_rule("/user", view_func=jwt_required()(lambda: f"{current_user}"), endpoint="user")
    assert ask(app, genuine(claims()), path="/user").text == "the user ann"
    refusal = refused(401, "Error loading the user nobody")
    assert answer(ask(app, genuine(claims(sub="nobody")), path="/user")) == refusal


@pytest.mark.parametrize("bind", [JWTManager, lambda app: JWTManager().init_app(app)], ids=["JWTManager", "init_app"])
def test_a_second_manager_warns_that_it_drops_the_loaders_of_the_first(
    app: Flask, bind: Callable[[Flask], object]
) -> None:
    """The last manager wins, as in 4.7, but with a warning."""
    manager_of(app).unauthorized_loader(lambda _message: ("the first", 401))
    with pytest.warns(UserWarning, match="already has a JWTManager") as caught:
        bind(app)
    assert caught[0].filename == __file__
    assert answer(app.test_client().get("/access")) == refused(401, "Missing Authorization Header")
    manager_of(app).unauthorized_loader(lambda _message: ("the second", 401))
    assert app.test_client().get("/access").text == "the second"


def test_the_same_manager_twice_keeps_its_loaders(app: Flask) -> None:
    """Calling init_app again with the same manager loses nothing, so there is no warning."""
    manager = manager_of(app)
    manager.unauthorized_loader(lambda _message: ("still here", 401))
    manager.init_app(app)
    assert app.test_client().get("/access").text == "still here"


@rotated("seconds", [2, 0, -1, -28], ids=lambda seconds: f"{seconds:+} s", location=LOCATIONS)
def test_a_revoked_token_stays_revoked_until_no_leeway_revives_it(
    make_app: MakeApp, seconds: int, location: str
) -> None:
    """As long as a token would pass, until ``exp`` and the leeway, the blocklist is checked."""
    app = make_app(TOKEN_LOCATION=list(LOCATIONS), DECODE_LEEWAY=30)
    manager_of(app).token_in_blocklist_loader(lambda _header, claims: bool(claims["jti"] == "revoked"))
    exp = int(time.time()) + seconds
    revoked = genuine(claims(jti="revoked", exp=exp))
    assert passed_as(ask(app, genuine(claims(exp=exp)), location)) == "ann"
    assert answer(ask(app, revoked, location)) == refused(401, "Token has been revoked")


def test_a_revoked_token_is_expired_after_the_leeway(make_app: MakeApp) -> None:
    """After ``exp`` and the leeway, the blocklist need not contain it any more."""
    app = make_app(DECODE_LEEWAY=30)
    manager_of(app).token_in_blocklist_loader(lambda _header, _claims: False)
    token = genuine(claims(jti="revoked", exp=int(time.time()) - 30))
    assert answer(ask(app, token)) == refused(401, "Token has expired")


# --- what was rejected ----------------------------------------------------------------------------------------------


@rotated(
    "scheme", ["Bearer", "bearer", "BEARER", "bEaReR"] * 2, frame=["{}", "Basic dTpw, {}", "{}, Basic dTpw", " {} ,"]
)
def test_the_scheme_is_known_in_any_case_of_letters(app: Flask, scheme: str, frame: str) -> None:
    """``bearer`` and ``BEARER`` are the same scheme (RFC 9110, section 11.1), also beside others."""
    value = frame.format(f"{scheme} {genuine(claims())}")
    assert passed_as(app.test_client().get("/access", headers={"Authorization": value})) == "ann"


@pytest.mark.parametrize("order", [["headers", "cookies"], ["cookies", "headers"]], ids=repr)
@pytest.mark.parametrize("value", ["Bearer", "Bearer a b", "Basic dTpw", "Bearer a, Bearer b", "token", ", ,"])
def test_a_malformed_header_does_not_hide_a_good_cookie(make_app: MakeApp, order: list[str], value: str) -> None:
    """If the header has no token, the cookie counts, in either order of locations."""
    app = make_app(TOKEN_LOCATION=order)
    headers = {"Authorization": value, "Cookie": f"access_token_cookie={genuine(claims(csrf=CSRF))}"}
    client = app.test_client(use_cookies=False)
    assert passed_as(client.get("/access", headers=headers)) == "ann"
    assert answer(client.post("/access", headers=headers)) == refused(401, "Missing CSRF token")


def test_a_malformed_header_alone_is_still_named(make_app: MakeApp) -> None:
    """Without another token, the answer says what is wrong with the header."""
    client = make_app(TOKEN_LOCATION=["cookies", "headers"]).test_client()
    refusal = refused(422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'")
    assert answer(client.get("/access", headers={"Authorization": "Bearer a b"})) == refusal
    assert answer(client.get("/optional", headers={"Authorization": "Bearer a b"})) == refusal


def test_a_query_parameter_without_its_prefix_does_not_hide_a_good_cookie(make_app: MakeApp) -> None:
    """If the query parameter has no token, the cookie counts."""
    app = make_app(TOKEN_LOCATION=["query_string", "cookies"], QUERY_STRING_VALUE_PREFIX="Bearer ")
    client = app.test_client(use_cookies=False)
    headers = {"Cookie": f"access_token_cookie={genuine(claims())}"}
    assert passed_as(client.get("/access?jwt=x", headers=headers)) == "ann"
    status, body, _ = answer(client.get("/access?jwt=x"))
    assert (status, body["msg"][:34]) == (422, "Invalid value for query parameter ")


# --- what it cost ---------------------------------------------------------------------------------------------------

HUGE = {
    "one segment": "a" * MEGABYTE,
    "a huge header": f"{'a' * MEGABYTE}.a.a",
    "dots": "." * MEGABYTE,
    "signed": genuine(claims(padding="a" * MEGABYTE)),
}


@pytest.mark.parametrize("token", [*HUGE.values(), "é" * MEGABYTE], ids=[*HUGE, "not ASCII"])
def test_a_megabyte_of_token_costs_next_to_nothing(app: Flask, token: str) -> None:
    """4.7 takes 130 ms of every such request before it looks at the signature."""

    def seconds() -> float:
        start = time.perf_counter()
        with pytest.raises(jwt.DecodeError, match="longer than"):
            decode_token(token)
        return time.perf_counter() - start

    with app.app_context():
        assert min(seconds() for _ in range(5)) < 0.005


def test_a_token_may_be_as_long_as_the_option_says(make_app: MakeApp) -> None:
    """JWT_MAX_TOKEN_BYTES is the length of the longest token that passes."""
    token = genuine(claims(padding="a" * 20_000))
    assert passed_as(ask(make_app(MAX_TOKEN_BYTES=len(token)), token)) == "ann"
    limit = len(token) - 1
    assert answer(ask(make_app(MAX_TOKEN_BYTES=limit), token)) == refused(
        422, f"The token is longer than {limit} bytes"
    )


def calls_during(action: Callable[[], object]) -> Counter[str]:
    """The number of calls of each function by name."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls[frame.f_code.co_name] += 1
        elif event == "c_call":
            calls[argument.__name__] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("location", ["headers", "cookies", "query_string"])
def test_a_good_token_is_parsed_once(anywhere: Flask, location: str) -> None:
    """The payload is parsed once, each segment decoded once, and one signature computed; 4.7 does each four times."""
    ask(anywhere, genuine(claims()), location)  # keys are made ready, and the header is known from now on
    token = genuine(claims())
    calls = calls_during(lambda: ask(anywhere, token, location))
    assert calls["raw_decode"] == 1
    assert 1 <= calls["a2b_base64"] <= 3
    assert calls["compare_digest"] == 1


# --- what was never sent --------------------------------------------------------------------------------------------


@pytest.fixture
def judged(anywhere: Flask) -> Flask:
    """An application that refuses the identities ``revoked``, ``refused`` and ``nobody``."""
    manager = manager_of(anywhere)
    manager.token_in_blocklist_loader(lambda _header, claims: bool(claims["sub"] == "revoked"))
    manager.token_verification_loader(lambda _header, claims: bool(claims["sub"] != "refused"))
    manager.user_lookup_loader(lambda _header, claims: None if claims["sub"] == "nobody" else claims["sub"])
    return anywhere


@rotated(
    "changes,path,expected",
    [
        ({"exp": 1}, "/access", refused(401, "Token has expired")),
        ({}, "/fresh", refused(401, "Fresh token required")),
        ({"sub": "revoked"}, "/access", refused(401, "Token has been revoked")),
        ({"sub": "nobody"}, "/access", refused(401, "Error loading the user nobody")),
        ({"sub": "refused"}, "/access", refused(400, "User claims verification failed")),
        ({"sub": 5}, "/access", refused(422, "Subject must be a string")),
        ({"type": "refresh"}, "/access", refused(422, "Only non-refresh tokens are allowed")),
    ],
    location=LOCATIONS,
)
def test_every_401_says_which_scheme_is_asked_for(
    judged: Flask, changes: dict[str, Any], path: str, expected: Answer, location: str
) -> None:
    """``WWW-Authenticate: Bearer`` comes with a 401 and only then (RFC 6750, section 3)."""
    response = ask(judged, genuine(claims(**changes)), location, path)
    assert answer(response) == expected


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("headers", "Missing Authorization Header"),
        ("cookies", 'Missing cookie "access_token_cookie"'),
        ("query_string", "Missing 'jwt' query paramater"),
        ("json", "Invalid content-type. Must be application/json."),
    ],
)
def test_a_missing_token_is_answered_with_the_challenge(make_app: MakeApp, location: str, message: str) -> None:
    """The challenge is the same in every location, and has no error code."""
    client = make_app(TOKEN_LOCATION=location).test_client()
    assert answer(client.get("/access")) == (401, {"msg": message}, "Bearer")


@pytest.mark.parametrize(
    ("status", "own", "sent"),
    [(401, None, "Bearer"), (401, 'Bearer realm="x"', 'Bearer realm="x"'), (403, None, None), (302, None, None)],
)
def test_an_answer_of_the_application_gets_the_challenge_if_it_lacks_one(
    app: Flask, status: int, own: str | None, sent: str | None
) -> None:
    """A 401 of a loader gets the challenge, unless it has one."""
    headers = {"WWW-Authenticate": own} if own else {}
    manager_of(app).unauthorized_loader(lambda message: ({"own": message}, status, headers))
    expected = (status, {"own": "Missing Authorization Header"}, sent)
    assert answer(app.test_client().get("/access")) == expected


# --- what must still pass -------------------------------------------------------------------------------------------


@rotated("path", ["/access", "/any", "/optional"], location=LOCATIONS)
def test_a_token_that_says_little_passes(anywhere: Flask, path: str, location: str) -> None:
    """Without ``type`` it is an access token, without ``jti`` it has none, without ``exp`` it never expires."""
    response = ask(anywhere, genuine({"sub": "ann"}), location, path)
    assert passed_as(response) == "ann"
    assert response.get_json()["claims"] == {"sub": "ann", "type": "access", "fresh": False, "jti": None}


def test_a_token_that_says_little_is_neither_fresh_nor_for_refreshing(app: Flask) -> None:
    """Missing claims never allow more."""
    token = genuine({"sub": "ann"})
    assert answer(ask(app, token, path="/fresh")) == refused(401, "Fresh token required")
    assert answer(ask(app, token, path="/refresh")) == refused(422, "Only refresh tokens are allowed")
    with app.app_context():
        assert get_jti(token) is None


@pytest.mark.parametrize("audience", ["others", ["others", "more"], []], ids=repr)
def test_an_audience_is_let_pass_where_none_is_configured(app: Flask, audience: Any) -> None:
    """Without a configured audience, tokens for other audiences pass."""
    assert passed_as(ask(app, genuine(claims(aud=audience)))) == "ann"


@pytest.mark.parametrize("first", LOCATIONS)
def test_the_order_of_locations_decides_between_several_tokens(make_app: MakeApp, first: str) -> None:
    """With a token in every location, the first location counts."""
    app = make_app(TOKEN_LOCATION=[first, *(each for each in LOCATIONS if each != first)])
    tokens = {location: genuine(claims(sub=location)) for location in LOCATIONS}
    response = app.test_client(use_cookies=False).get(
        f"/access?jwt={tokens['query_string']}",
        headers={**bearer(tokens["headers"]), "Cookie": f"access_token_cookie={tokens['cookies']}"},
        json={"access_token": tokens["json"]},
    )
    assert passed_as(response) == first


def test_the_first_of_a_repeated_query_parameter_counts(anywhere: Flask) -> None:
    """The first value counts, as in 4.7."""
    first, second = genuine(claims(sub="first")), genuine(claims(sub="second"))
    assert passed_as(anywhere.test_client().get(f"/access?jwt={first}&jwt={second}")) == "first"


@pytest.mark.parametrize("other", ["", 'x="y"; '], ids=["plain", "beside a quoted one"])
def test_the_first_of_a_repeated_cookie_counts(anywhere: Flask, other: str) -> None:
    """The first value counts, as in 4.7, whichever way the header is read."""
    pairs = "; ".join(f"access_token_cookie={genuine(claims(sub=name))}" for name in ("first", "second"))
    response = anywhere.test_client(use_cookies=False).get("/access", headers={"Cookie": other + pairs})
    assert passed_as(response) == "first"


def test_a_guessable_secret_signs_and_verifies_with_a_warning(make_app: MakeApp) -> None:
    """PyJWT's warning about the length is shown, and the token passes."""
    secret = uuid.uuid4().hex[:8]  # a key is made ready, and warned about, once in a process
    app = make_app(SECRET_KEY=secret)
    with app.app_context(), pytest.warns(InsecureKeyLengthWarning):
        token = create_access_token("ann")
    assert passed_as(ask(app, token)) == "ann"
    assert passed_as(ask(app, genuine(claims(), secret=secret))) == "ann"


@rotated(
    "token,message",
    [
        ("x", "Not enough segments"),
        ("a.b.c.d", "Invalid payload padding"),
        (
            genuine(claims(), secret="another secret, of the same length or about as long"),
            "Signature verification failed",
        ),
        (genuine(claims(), {"alg": "none"}), "The specified alg value is not allowed"),
        (genuine(claims(), {}), "Algorithm not specified"),
        (genuine(b"[]"), "Invalid payload string: must be a json object"),
        (genuine({"type": "access"}), "Missing claim: sub"),
    ],
    ids=lambda value: value if " " in value else "",
    location=LOCATIONS,
)
def test_an_invalid_token_is_answered_with_422(anywhere: Flask, token: str, message: str, location: str) -> None:
    """The status and the message are those of 4.7."""
    assert answer(ask(anywhere, token, location)) == refused(422, message)
