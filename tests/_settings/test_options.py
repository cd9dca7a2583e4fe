"""The effect of every option on requests, tokens and cookies."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.cookies import Morsel, SimpleCookie
from itertools import product
from typing import Any

import jwt as pyjwt
import pytest
from dateutil.relativedelta import relativedelta
from flask import Flask, Response
from flask.testing import FlaskClient
from jwt.algorithms import HMACAlgorithm
from werkzeug.test import TestResponse

from flask_jwt_extended import (
    create_access_token,
    create_refresh_token,
    decode_token,
    get_csrf_token,
    get_jwt_identity,
    get_jwt_request_location,
    get_unverified_jwt_headers,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
)
from flask_jwt_extended.exceptions import ConfigurationError

from ..axes import rotated
from ..conftest import ED448, PRIVATE_KEYS, SECRET, SYMMETRIC, MakeApp, bearer, pem
from ..tokens import claims_of

#: The moment the tests with a clock begin: a whole second.
NOW = 1_700_000_000
KINDS = ["access", "refresh"]
HEADERS, COOKIES, QUERY_STRING, JSON = "headers", "cookies", "query_string", "json"
LOCATIONS = [HEADERS, COOKIES, QUERY_STRING, JSON]


# --- making applications, tokens and requests -----------------------------------------------------------------------


class Clock:
    """Replaces ``time.time``: the test sets the time."""

    def __init__(self) -> None:
        self.now: float = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(time, "time", stopped)
    return stopped


def token_for(app: Flask, identity: Any = "alice", kind: str = "access", **arguments: Any) -> str:
    create: Callable[..., str] = create_refresh_token if kind == "refresh" else create_access_token
    with app.app_context():
        return create(identity, **arguments)


def send(app: Flask, path: str = "/access", **request: Any) -> TestResponse:
    """Send a request, a GET by default, only with the cookies that are in its headers."""
    return app.test_client(use_cookies=False).open(path, **request)


def present(app: Flask, token: str) -> TestResponse:
    """Send a token in the usual header, to a view that takes tokens of every type."""
    return send(app, "/any", headers=bearer(token))


def message(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["msg"]


def cookies_set_by(response: Response | TestResponse) -> dict[str, Morsel[str]]:
    """The cookies of a response by name, parsed by the standard library."""
    parsed: SimpleCookie = SimpleCookie()
    for header in response.headers.getlist("Set-Cookie"):
        parsed.load(header)
    return dict(parsed)


MakeClient = Callable[..., FlaskClient]


@pytest.fixture
def logged_in(make_app: MakeApp) -> MakeClient:
    """Make a browser that has logged in to an application that takes cookies."""

    def make(**options: Any) -> FlaskClient:
        client = browser_of(make_app(**{"TOKEN_LOCATION": COOKIES, **options}))
        client.post("/login")
        return client

    return make


def browser_of(app: Flask) -> FlaskClient:
    """A client that keeps cookies, of an application that sets them on ``/login`` and deletes them on ``/logout``.

    The views are below ``/api`` as well, for the options about paths.
    """
    app.add_url_rule("/login", view_func=_login, methods=["POST"])
    app.add_url_rule("/logout", view_func=_logout, methods=["POST"])
    for kind in KINDS:
        app.add_url_rule(f"/api/{kind}", f"api-{kind}", app.view_functions[kind], methods=["GET", "POST"])
    return app.test_client()


def _login() -> Response:
    response = Response("in")
    set_access_cookies(response, create_access_token("alice"))
    set_refresh_cookies(response, create_refresh_token("alice"))
    return response


def _logout() -> Response:
    response = Response("out")
    unset_jwt_cookies(response)
    return response


def csrf_of(client: FlaskClient, kind: str = "access") -> str:
    """The double submit value, from the cookie in which scripts find it by default."""
    cookie = client.get_cookie(f"csrf_{kind}_token")
    assert cookie is not None
    return cookie.value


# --- JWT_TOKEN_LOCATION ---------------------------------------------------------------------------------------------


def carrying(tokens: dict[str, str]) -> dict[str, Any]:
    """The arguments of a request that has a token in each of these locations."""
    request: dict[str, Any] = {"headers": {}, "method": "REPORT"}
    if HEADERS in tokens:
        request["headers"].update(bearer(tokens[HEADERS]))
    if COOKIES in tokens:
        request["headers"]["Cookie"] = f"access_token_cookie={tokens[COOKIES]}"
    if QUERY_STRING in tokens:
        request["query_string"] = {"jwt": tokens[QUERY_STRING]}
    if JSON in tokens:
        request["json"] = {"access_token": tokens[JSON]}
    return request


#: One location in every form in which the option can be written.
FORMS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "list": lambda x: [x],
    "tuple": lambda x: (x,),
    "set": lambda x: {x},
}


@rotated("sent,searched", list(product(LOCATIONS, LOCATIONS)), form=list(FORMS))
def test_a_token_is_found_only_in_the_location_of_the_option(
    make_app: MakeApp, sent: str, searched: str, form: str
) -> None:
    """One location, in any form, is searched, and the other three are not."""
    app = make_app(TOKEN_LOCATION=FORMS[form](searched))
    response = send(app, **carrying({sent: token_for(app)}))
    assert response.status_code == (200 if sent == searched else 401)


@pytest.mark.parametrize(
    ("order", "winner"),
    [
        ([HEADERS, COOKIES, QUERY_STRING, JSON], HEADERS),
        ([COOKIES, HEADERS, QUERY_STRING, JSON], COOKIES),
        ((QUERY_STRING, JSON, COOKIES, HEADERS), QUERY_STRING),
        ((JSON, QUERY_STRING, COOKIES, HEADERS), JSON),
        ({JSON, QUERY_STRING, COOKIES, HEADERS}, HEADERS),
        ({JSON, QUERY_STRING, COOKIES}, COOKIES),
        ({JSON, QUERY_STRING}, QUERY_STRING),
    ],
)
def test_the_order_of_the_locations_is_their_precedence(make_app: MakeApp, order: Any, winner: str) -> None:
    """The first of several tokens is used. A set is searched in the documented order."""
    app = make_app(TOKEN_LOCATION=order)
    request = carrying({location: token_for(app, location) for location in LOCATIONS})
    assert send(app, **request).get_json()["identity"] == winner


@pytest.mark.parametrize("sent", LOCATIONS)
def test_the_location_is_known_to_the_view(make_app: MakeApp, sent: str) -> None:
    """``get_jwt_request_location`` returns it."""
    app = make_app(TOKEN_LOCATION=LOCATIONS)
    where = jwt_required()(lambda: {"location": get_jwt_request_location()})
    app.add_url_rule("/where", "where", where, methods=["REPORT"])
    assert send(app, "/where", **carrying({sent: token_for(app)})).get_json() == {"location": sent}


def test_a_view_can_choose_its_own_locations(make_app: MakeApp) -> None:
    """The argument of a view wins over the option."""
    app = make_app(TOKEN_LOCATION=HEADERS)
    app.add_url_rule("/own", "own", jwt_required(locations=[QUERY_STRING])(lambda: {"is": get_jwt_identity()}))
    token = token_for(app)
    assert send(app, f"/own?jwt={token}").status_code == 200
    assert send(app, "/own", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        ([HEADERS], "Missing Authorization Header"),
        ([COOKIES], 'Missing cookie "access_token_cookie"'),
        (
            [HEADERS, COOKIES],
            'Missing JWT in headers or cookies (Missing Authorization Header; Missing cookie "access_token_cookie")',
        ),
    ],
)
def test_the_message_for_a_request_without_a_token_names_the_locations(
    make_app: MakeApp, locations: list[str], expected: str
) -> None:
    """The message lists the locations that were searched."""
    assert message(send(make_app(TOKEN_LOCATION=locations))) == (401, expected)


# --- lifetimes ------------------------------------------------------------------------------------------------------


@rotated(
    "lifetime,seconds",
    [
        (timedelta(minutes=2), 120),
        (timedelta(0), 0),
        (relativedelta(hours=1, minutes=1), 3660),
        (90, 90),
        (0, 0),
        (90.0, 90),
        (1.5, 1),
    ],
    kind=KINDS,
)
def test_a_token_expires_when_its_option_says(
    make_app: MakeApp, clock: Clock, kind: str, lifetime: Any, seconds: int
) -> None:
    """It passes just before ``exp`` and not at ``exp``, in whatever form the lifetime is written."""
    app = make_app(**{f"{kind.upper()}_TOKEN_EXPIRES": lifetime})
    token = token_for(app, kind=kind)
    assert claims_of(token)["exp"] == NOW + seconds
    clock.now = NOW + seconds - 0.001
    assert present(app, token).status_code == (200 if seconds else 422)  # 422: before its own nbf
    clock.now = NOW + seconds
    assert message(present(app, token)) == (401, "Token has expired")


@pytest.mark.parametrize(("option", "other"), [("ACCESS", "refresh"), ("REFRESH", "access")])
def test_the_lifetime_of_one_kind_leaves_the_other_alone(
    make_app: MakeApp, clock: Clock, option: str, other: str
) -> None:
    """Access and refresh tokens keep their own defaults: 15 minutes and 30 days."""
    token = token_for(make_app(**{f"{option}_TOKEN_EXPIRES": 1}), kind=other)
    assert claims_of(token)["exp"] - NOW == {"access": 15 * 60, "refresh": 30 * 24 * 3600}[other]


def test_a_lifetime_in_months_follows_the_calendar(make_app: MakeApp, clock: Clock) -> None:
    """A ``relativedelta`` is added to the date of issue, so the length of a month varies."""
    expires = datetime.fromtimestamp(NOW, timezone.utc) + relativedelta(months=1)
    claims = claims_of(token_for(make_app(ACCESS_TOKEN_EXPIRES=relativedelta(months=1))))
    assert claims["exp"] == expires.timestamp() == NOW + 30 * 24 * 3600  # November


@pytest.mark.parametrize("kind", KINDS)
def test_a_lifetime_of_false_makes_tokens_that_never_expire(make_app: MakeApp, clock: Clock, kind: str) -> None:
    """Such a token has no ``exp`` and passes a hundred years later."""
    app = make_app(**{f"{kind.upper()}_TOKEN_EXPIRES": False})
    token = token_for(app, kind=kind)
    assert "exp" not in claims_of(token)
    clock.now = NOW + 100 * 365 * 24 * 3600
    assert present(app, token).status_code == 200


@rotated(
    "delta,seconds",
    [(timedelta(minutes=1), 60), (60, 60), (0, 0), (timedelta(0), 0), (relativedelta(days=1), 86400)],
    kind=KINDS,
)
def test_the_argument_of_one_token_wins_over_the_option(
    make_app: MakeApp, clock: Clock, kind: str, delta: Any, seconds: int
) -> None:
    """``expires_delta`` has the same forms, and zero is a lifetime, not a missing one."""
    app = make_app(ACCESS_TOKEN_EXPIRES=False, REFRESH_TOKEN_EXPIRES=False)
    assert claims_of(token_for(app, kind=kind, expires_delta=delta))["exp"] == NOW + seconds


# --- algorithms and keys --------------------------------------------------------------------------------------------


def as_pem_bytes(key: Any) -> tuple[Any, ...]:
    return tuple(half.encode() for half in pem(key))


def as_objects(key: Any) -> tuple[Any, ...]:
    return key, key.public_key()


def as_jwk(key: Any) -> tuple[Any, ...]:
    return tuple(_algorithm_of(key).to_jwk(half, as_dict=True) for half in as_objects(key))


def as_pyjwk(key: Any) -> tuple[Any, ...]:
    return tuple(pyjwt.PyJWK(half) for half in as_jwk(key))


def _algorithm_of(key: Any) -> Any:
    name = next((name for name, each in PRIVATE_KEYS.items() if each is key), "EdDSA")
    return pyjwt.get_algorithm_by_name(name)


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_a_symmetric_algorithm_signs_and_verifies_with_the_secret(make_app: MakeApp, algorithm: str) -> None:
    """Tokens name the algorithm, and PyJWT and the application verify them."""
    app = make_app(ALGORITHM=algorithm)
    token = token_for(app)
    assert pyjwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT"}
    assert pyjwt.decode(token, SECRET, algorithms=[algorithm])["sub"] == "alice"
    assert present(app, token).get_json()["identity"] == "alice"


KEY_FORMS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    **{"PEM": pem, "PEM as bytes": as_pem_bytes, "objects": as_objects, "JWK": as_jwk},
}


@rotated("algorithm", [*PRIVATE_KEYS, "Ed448"] * 2, form=list(KEY_FORMS))
def test_an_asymmetric_algorithm_takes_its_keys_in_every_form(make_app: MakeApp, algorithm: str, form: str) -> None:
    """Keys in any form sign tokens that PyJWT verifies, and verify them."""
    algorithm, key = ("EdDSA", ED448) if algorithm == "Ed448" else (algorithm, PRIVATE_KEYS[algorithm])
    private, public = KEY_FORMS[form](key)
    app = make_app(ALGORITHM=algorithm, PRIVATE_KEY=private, PUBLIC_KEY=public)
    token = token_for(app)
    assert pyjwt.decode(token, key.public_key(), algorithms=[algorithm])["sub"] == "alice"
    assert present(app, token).get_json()["identity"] == "alice"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_pyjwk_serves_as_key(make_app: MakeApp, algorithm: str) -> None:
    """The key can be an object of PyJWT's own class."""
    private, public = as_pyjwk(PRIVATE_KEYS[algorithm])
    app = make_app(ALGORITHM=algorithm, PRIVATE_KEY=private, PUBLIC_KEY=public)
    assert present(app, token_for(app)).status_code == 200


def test_an_application_with_the_public_key_alone_verifies_but_cannot_sign(make_app: MakeApp) -> None:
    """A service that only checks tokens needs no private key."""
    private, public = pem(PRIVATE_KEYS["ES256"])
    token = token_for(make_app(ALGORITHM="ES256", PRIVATE_KEY=private))
    verifier = make_app(ALGORITHM="ES256", PUBLIC_KEY=public)
    assert present(verifier, token).status_code == 200
    with pytest.raises(ConfigurationError, match="JWT_PRIVATE_KEY must be set"):
        token_for(verifier)


def test_a_token_of_another_private_key_is_refused(make_app: MakeApp) -> None:
    """A public key only verifies signatures of its own private key."""
    app = make_app(ALGORITHM="EdDSA", PRIVATE_KEY=ED448, PUBLIC_KEY=PRIVATE_KEYS["EdDSA"].public_key())
    assert message(present(app, token_for(app))) == (422, "Signature verification failed")


@pytest.mark.parametrize(
    "secret",
    ["a secret as text, long enough for HS256", bytes(range(192, 256)), HMACAlgorithm.to_jwk(SECRET, as_dict=True)],
    ids=["text", "bytes", "JWK"],
)
def test_a_secret_is_text_bytes_or_a_jwk(make_app: MakeApp, secret: Any) -> None:
    """Bytes need not be text."""
    app = make_app(SECRET_KEY=secret)
    assert present(app, token_for(app)).status_code == 200


def test_text_and_the_same_text_as_bytes_are_one_secret(make_app: MakeApp) -> None:
    """A token signed with text is verified with the same text as bytes."""
    secret = "un secret écrit en français, long assez pour tous"
    token = token_for(make_app(SECRET_KEY=secret))
    assert present(make_app(SECRET_KEY=secret.encode()), token).status_code == 200


@pytest.mark.parametrize("own", [None, ""])
def test_without_a_secret_of_its_own_the_extension_uses_flasks(make_app: MakeApp, own: Any) -> None:
    """SECRET_KEY signs and verifies if JWT_SECRET_KEY is not set."""
    app = make_app(SECRET_KEY=own)
    app.config["SECRET_KEY"] = "the secret of flask, long enough for HS256"
    token = token_for(app)
    assert pyjwt.decode(token, app.config["SECRET_KEY"], algorithms=["HS256"])["sub"] == "alice"
    assert present(app, token).status_code == 200


def test_the_secret_of_the_extension_wins_over_flasks(make_app: MakeApp) -> None:
    """If both are set, tokens signed with SECRET_KEY are refused."""
    app = make_app()
    app.config["SECRET_KEY"] = "the secret of flask, long enough for HS256"
    assert pyjwt.decode(token_for(app), SECRET, algorithms=["HS256"])["sub"] == "alice"
    forged = pyjwt.encode({"sub": "alice"}, app.config["SECRET_KEY"], "HS256")
    assert message(present(app, forged)) == (422, "Signature verification failed")


def test_a_short_secret_is_warned_about(make_app: MakeApp) -> None:
    """A secret shorter than the hash can be guessed more easily than the hash (RFC 7518, section 3.2)."""
    app = make_app(SECRET_KEY="q7$Zx-9w")
    with pytest.warns(pyjwt.warnings.InsecureKeyLengthWarning, match="below the minimum recommended length"):
        token_for(app)


@pytest.mark.parametrize("algorithms", [["HS512"], ("HS512",), {"HS512"}, "HS512", ["HS512", "HS256"]])
def test_other_algorithms_are_accepted_as_the_option_lists_them(make_app: MakeApp, algorithms: Any) -> None:
    """The signing algorithm and those in the list are accepted, and no others."""
    app = make_app(DECODE_ALGORITHMS=algorithms)
    statuses = {name: present(app, token_for(make_app(ALGORITHM=name))).status_code for name in SYMMETRIC}
    assert statuses == {"HS256": 200, "HS384": 422, "HS512": 200}
    assert pyjwt.get_unverified_header(token_for(app))["alg"] == "HS256"


@pytest.mark.parametrize("algorithms", [None, [], ()])
def test_by_default_only_the_signing_algorithm_is_accepted(make_app: MakeApp, algorithms: Any) -> None:
    """An empty list adds no algorithm."""
    app = make_app(ALGORITHM="HS384", DECODE_ALGORITHMS=algorithms)
    assert present(app, token_for(app)).status_code == 200
    refusal = message(present(app, token_for(make_app(ALGORITHM="HS256"))))
    assert refusal == (422, "The specified alg value is not allowed")


def test_an_algorithm_that_does_not_fit_the_key_is_refused_and_harms_no_other(make_app: MakeApp) -> None:
    """With RS256 in the list of an application with a secret, RS256 tokens get 422 and HS256 tokens pass."""
    app = make_app(DECODE_ALGORITHMS=["RS256", "ES256", "HS256"])
    for algorithm in ("RS256", "ES256"):
        foreign = pyjwt.encode({"sub": "alice"}, PRIVATE_KEYS[algorithm], algorithm)
        assert message(present(app, foreign)) == (422, "The specified alg value is not allowed")
    assert present(app, token_for(app)).status_code == 200


def test_one_rsa_key_verifies_every_algorithm_listed_for_it(make_app: MakeApp) -> None:
    """It verifies RS256 and PS256, and never HS256."""
    key = PRIVATE_KEYS["RS256"]
    app = make_app(ALGORITHM="RS256", PRIVATE_KEY=key, PUBLIC_KEY=pem(key)[1], DECODE_ALGORITHMS=["PS256", "HS256"])
    for algorithm in ("RS256", "PS256"):
        assert present(app, pyjwt.encode({"sub": "alice"}, key, algorithm)).status_code == 200
    assert present(app, pyjwt.encode({"sub": "alice"}, SECRET, "HS256")).status_code == 422


def test_the_algorithm_none_is_never_accepted_even_where_it_is_listed(make_app: MakeApp) -> None:
    """The list causes a warning, and a token without a signature is still refused."""
    with pytest.warns(UserWarning, match="'none'"):
        app = make_app(DECODE_ALGORITHMS=["HS256", "none"])
    unsigned = pyjwt.encode({"sub": "alice"}, "", "none")
    assert message(present(app, unsigned)) == (422, "The specified alg value is not allowed")
    assert present(app, token_for(app)).status_code == 200


# --- audience, issuer, nbf, leeway ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audience", "claim"), [("me", "me"), (["me", "us"], ["me", "us"]), (("me",), ["me"]), (None, None), ("", None)]
)
def test_new_tokens_carry_the_audience(make_app: MakeApp, audience: Any, claim: Any) -> None:
    """A string stays one; several become a list; none leaves the claim out."""
    assert claims_of(token_for(make_app(ENCODE_AUDIENCE=audience))).get("aud") == claim


@rotated(
    "audience,answer",
    [
        ("me", (200, None)),
        (["them", "me"], (200, None)),
        ("them", (422, "Audience doesn't match")),
        (["them", "m"], (422, "Audience doesn't match")),
        ("me too", (422, "Audience doesn't match")),
        (None, (422, 'Token is missing the "aud" claim')),
    ]
    * 2,
    ours=["me", ["me"], ("you", "me"), {"me", "you"}],
)
def test_a_token_must_be_for_one_of_our_audiences(
    make_app: MakeApp, ours: Any, audience: Any, answer: tuple[int, str | None]
) -> None:
    """One of its audiences must equal one of ours."""
    app = make_app(DECODE_AUDIENCE=ours)
    response = present(app, token_for(make_app(ENCODE_AUDIENCE=audience)))
    assert (response.status_code, response.get_json().get("msg")) == answer


def test_without_the_option_every_audience_passes(app: Flask, make_app: MakeApp) -> None:
    """``aud`` is not checked, as in 4.7."""
    assert present(app, token_for(make_app(ENCODE_AUDIENCE="them"))).status_code == 200


@pytest.mark.parametrize(("issuer", "claim"), [("me", "me"), (None, None), ("", None)])
def test_new_tokens_carry_the_issuer(make_app: MakeApp, issuer: Any, claim: Any) -> None:
    """Tokens have no ``iss`` without the option."""
    assert claims_of(token_for(make_app(ENCODE_ISSUER=issuer))).get("iss") == claim


@rotated(
    "issuer,answer",
    [
        ("https://me", (200, None)),
        ("https://me/", (422, "Invalid issuer")),
        ("https://m", (422, "Invalid issuer")),
        (None, (422, 'Token is missing the "iss" claim')),
    ]
    * 2,
    ours=["https://me", ["https://me"], ("you", "https://me"), {"https://me"}],
)
def test_a_token_must_be_from_one_of_our_issuers(
    make_app: MakeApp, ours: Any, issuer: Any, answer: tuple[int, str | None]
) -> None:
    """Neither a part of ours nor a longer text passes."""
    app = make_app(DECODE_ISSUER=ours)
    response = present(app, token_for(make_app(ENCODE_ISSUER=issuer)))
    assert (response.status_code, response.get_json().get("msg")) == answer


def test_without_the_option_every_issuer_passes(app: Flask, make_app: MakeApp) -> None:
    """``iss`` is not checked, as in 4.7."""
    assert present(app, token_for(make_app(ENCODE_ISSUER="them"))).status_code == 200


@pytest.mark.parametrize(("option", "claim"), [(True, NOW), (False, None)])
def test_new_tokens_carry_nbf_unless_it_is_turned_off(
    make_app: MakeApp, clock: Clock, option: bool, claim: int | None
) -> None:
    """The ``nbf`` of a token is the moment it was made."""
    assert claims_of(token_for(make_app(ENCODE_NBF=option))).get("nbf") == claim


@rotated("leeway,seconds", [(0, 0.0), (10, 10.0), (2.5, 2.5), (timedelta(minutes=1), 60.0)] * 2, nbf=[True, False])
def test_leeway_lets_a_token_pass_that_much_too_early_and_too_late(
    make_app: MakeApp, clock: Clock, leeway: Any, seconds: float, nbf: bool
) -> None:
    """It passes exactly that much before ``nbf`` and ``iat``, and after ``exp``."""
    app = make_app(DECODE_LEEWAY=leeway, ENCODE_NBF=nbf, ACCESS_TOKEN_EXPIRES=100)
    token = token_for(app)
    answers = {}
    for moment in (-seconds - 0.25, -seconds, 100 + seconds - 0.25, 100 + seconds):
        clock.now = NOW + moment
        answers[moment] = present(app, token).status_code
    assert list(answers.values()) == [422, 200, 200, 401]


def test_leeway_holds_for_tokens_that_are_decoded_without_a_request(make_app: MakeApp, clock: Clock) -> None:
    """``decode_token`` checks times as a protected view does."""
    app = make_app(DECODE_LEEWAY=10, ACCESS_TOKEN_EXPIRES=100)
    token = token_for(app)
    with app.app_context():
        clock.now = NOW + 109
        assert decode_token(token)["sub"] == "alice"
        clock.now = NOW + 110
        with pytest.raises(pyjwt.ExpiredSignatureError):
            decode_token(token)


# --- identity, sub, messages ----------------------------------------------------------------------------------------


def test_the_identity_is_in_the_claim_that_the_option_names(make_app: MakeApp) -> None:
    """It is written to and read from that claim, and tokens have no ``sub``."""
    app = make_app(IDENTITY_CLAIM="uid")
    token = token_for(app)
    assert claims_of(token)["uid"] == "alice"
    assert "sub" not in claims_of(token)
    assert present(app, token).get_json()["identity"] == "alice"


def test_a_token_without_the_identity_claim_is_refused(app: Flask, make_app: MakeApp) -> None:
    """A token without an identity does not pass."""
    assert message(present(make_app(IDENTITY_CLAIM="uid"), token_for(app))) == (422, "Missing claim: uid")


@pytest.mark.parametrize("identity", [5, 0, 1.5, None, ["a"], {"id": 5}, True])
def test_sub_must_be_a_string_unless_the_option_is_off(make_app: MakeApp, identity: Any) -> None:
    """With JWT_VERIFY_SUB off, every identity that JSON can hold comes back as it was."""
    token = token_for(make_app(), identity)
    assert message(present(make_app(), token)) == (422, "Subject must be a string")
    response = present(make_app(VERIFY_SUB=False), token)
    assert response.status_code == 200
    assert response.get_json()["identity"] == identity


def test_an_identity_in_another_claim_need_not_be_a_string(make_app: MakeApp) -> None:
    """Only ``sub`` must be a string."""
    app = make_app(IDENTITY_CLAIM="uid")
    assert present(app, token_for(app, 5)).get_json()["identity"] == 5


@pytest.mark.parametrize("key", ["error", "message"])
def test_error_messages_are_under_the_key_that_the_option_names(make_app: MakeApp, clock: Clock, key: str) -> None:
    """All default responses have only this key."""
    app = make_app(ERROR_MESSAGE_KEY=key)
    expired = token_for(app, expires_delta=0)
    assert send(app).get_json() == {key: "Missing Authorization Header"}
    assert present(app, expired).get_json() == {key: "Token has expired"}
    assert present(app, "a.b").get_json() == {key: "Not enough segments"}


# --- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Token", "Auth", "x-lower-case", "Content-Language", "Content-Type"])
def test_the_token_is_in_the_header_that_the_option_names(make_app: MakeApp, name: str) -> None:
    """Header names ignore case. The default header is no longer read."""
    app = make_app(HEADER_NAME=name)
    value = f"Bearer {token_for(app)}"
    assert send(app, headers={name: value}).status_code == 200
    assert send(app, headers={name.swapcase(): value}).status_code == 200
    assert message(send(app, headers={"Authorization": value})) == (401, f"Missing {name} Header")


@pytest.mark.parametrize("scheme", ["Bearer", "JWT", "x-custom"])
def test_the_scheme_before_the_token_ignores_case(make_app: MakeApp, scheme: str) -> None:
    """It is compared as RFC 9110, section 11.1 requires."""
    app = make_app(HEADER_TYPE=scheme)
    token = token_for(app)
    for written in (scheme, scheme.lower(), scheme.upper(), scheme.title()):
        assert send(app, headers={"Authorization": f"{written} {token}"}).status_code == 200


@pytest.mark.parametrize("value", ["Basic {}", "JWTs {}", "{}", "Token={}"])
def test_a_header_of_another_scheme_holds_no_token(make_app: MakeApp, value: str) -> None:
    """It counts as no token."""
    app = make_app(HEADER_TYPE="JWT")
    answer = message(send(app, headers={"Authorization": value.format(token_for(app))}))
    assert answer == (401, "Missing 'JWT' type in 'Authorization' header. Expected 'Authorization: JWT <JWT>'")


@pytest.mark.parametrize("value", ["Bearer", "Bearer a b", "Bearer  "])
def test_a_header_of_our_scheme_in_another_form_is_malformed(app: Flask, value: str) -> None:
    """The message shows the expected form."""
    answer = message(send(app, headers={"Authorization": value}))
    assert answer == (422, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'")


@pytest.mark.parametrize("empty", ["", None])
def test_with_an_empty_type_the_header_is_the_bare_token(make_app: MakeApp, empty: Any) -> None:
    """A scheme before it is then malformed."""
    app = make_app(HEADER_NAME="X-Token", HEADER_TYPE=empty)
    token = token_for(app)
    assert send(app, headers={"X-Token": token}).status_code == 200
    answer = message(send(app, headers={"X-Token": f"Bearer {token}"}))
    assert answer == (422, "Bad X-Token header. Expected 'X-Token: <JWT>'")


# --- cookies --------------------------------------------------------------------------------------------------------

TOKEN_COOKIES = {"access_token_cookie", "refresh_token_cookie"}
CSRF_COOKIES = {"csrf_access_token", "csrf_refresh_token"}


def test_by_default_four_session_cookies_are_set_below_the_root(logged_in: MakeClient) -> None:
    """Scripts can read the CSRF values but not the tokens. The browser deletes all of them when it closes."""
    cookies = cookies_set_by(logged_in().post("/login"))
    assert {name for name, cookie in cookies.items() if cookie["httponly"]} == TOKEN_COOKIES
    assert {name for name, cookie in cookies.items() if not cookie["httponly"]} == CSRF_COOKIES
    for cookie in cookies.values():
        assert cookie["path"] == "/"
        assert not any(cookie[name] for name in ("secure", "samesite", "domain", "max-age", "expires"))


@rotated(
    "option,value,attribute,expected",
    [
        ("COOKIE_SECURE", True, "secure", True),
        ("COOKIE_DOMAIN", "example.com", "domain", "example.com"),
        ("COOKIE_SAMESITE", "Strict", "samesite", "Strict"),
        ("COOKIE_SAMESITE", "lax", "samesite", "Lax"),
    ]
    * 2,
    view=["/login", "/logout"],
)
def test_an_attribute_is_on_all_four_cookies_set_or_deleted(
    logged_in: MakeClient, option: str, value: Any, attribute: str, expected: Any, view: str
) -> None:
    """A browser deletes a cookie only if the attributes are those with which it was set."""
    cookies = cookies_set_by(logged_in(**{option: value}).post(view))
    assert {name: cookie[attribute] for name, cookie in cookies.items()} == dict.fromkeys(
        TOKEN_COOKIES | CSRF_COOKIES, expected
    )


def test_same_site_none_goes_with_secure(logged_in: MakeClient) -> None:
    """Together they make cookies that browsers send with requests from other sites."""
    for cookie in cookies_set_by(logged_in(COOKIE_SAMESITE="None", COOKIE_SECURE=True).post("/login")).values():
        assert (cookie["samesite"], cookie["secure"]) == ("None", True)


def test_cookies_that_outlive_the_session_are_kept_for_a_year(logged_in: MakeClient) -> None:
    """This is for all four cookies if JWT_SESSION_COOKIE is off."""
    cookies = cookies_set_by(logged_in(SESSION_COOKIE=False).post("/login"))
    assert {cookie["max-age"] for cookie in cookies.values()} == {"31540000"}
    assert set(cookies) == TOKEN_COOKIES | CSRF_COOKIES


def test_in_strict_a_kept_cookie_lives_no_longer_than_its_token(logged_in: MakeClient) -> None:
    """This is for the token and its CSRF value. A cookie that ends with the browser session still does."""
    kept = cookies_set_by(logged_in(SESSION_COOKIE=False, COOKIE_OUTLIVES_TOKEN=False).post("/login"))
    ages = {name: int(cookie["max-age"]) for name, cookie in kept.items()}
    for name in ("access_token_cookie", "csrf_access_token"):
        assert 15 * 60 - 5 <= ages[name] <= 15 * 60
    for name in ("refresh_token_cookie", "csrf_refresh_token"):
        assert 30 * 86400 - 5 <= ages[name] <= 30 * 86400
    session = cookies_set_by(logged_in(COOKIE_OUTLIVES_TOKEN=False).post("/login")).values()
    assert {cookie["max-age"] for cookie in session} == {""}


@rotated("max_age,expected", [(60, 60), (10_000, 900), (0, 0)] * 2, csrf=[True, False])
def test_in_strict_an_argument_keeps_a_cookie_no_longer_than_its_token(
    make_app: MakeApp, csrf: bool, max_age: int, expected: int
) -> None:
    """A shorter ``max_age`` is used, and a token that never expires sets no limit."""
    app = make_app(PROFILE="strict", COOKIE_CSRF_PROTECT=csrf, REQUIRED_CLAIMS=None)
    with app.app_context():
        response, endless = Response(), Response()
        set_access_cookies(response, create_access_token("alice"), max_age=max_age)
        set_access_cookies(endless, create_access_token("alice", expires_delta=False), max_age=10_000)
    assert all(expected - 5 <= int(each["max-age"]) <= expected for each in cookies_set_by(response).values())
    assert {each["max-age"] for each in cookies_set_by(endless).values()} == {"10000"}


@pytest.mark.filterwarnings("always")
def test_a_cookie_that_browsers_may_drop_for_its_size_is_warned_about(make_app: MakeApp) -> None:
    """Browsers may drop a cookie of more than 4096 bytes (RFC 6265bis, section 5.6)."""
    app = make_app()
    with app.app_context(), pytest.warns(UserWarning, match="too large"):
        set_access_cookies(Response(), create_access_token("alice", additional_claims={"x": "x" * 4000}))


@pytest.mark.parametrize("set_cookies", [set_access_cookies, set_refresh_cookies])
@rotated("max_age", [0, 60], session=[True, False])
def test_arguments_of_one_call_win_over_the_options(
    make_app: MakeApp, session: bool, max_age: int, set_cookies: Callable[..., None]
) -> None:
    """``max_age`` and ``domain`` of a call are used, even if ``max_age`` is zero."""
    app = make_app(SESSION_COOKIE=session, COOKIE_DOMAIN="example.com")
    response = Response()
    with app.app_context():
        set_cookies(response, create_access_token("alice"), max_age=max_age, domain="example.org")
    cookies = cookies_set_by(response).values()
    assert [(each["max-age"], each["domain"]) for each in cookies] == [(str(max_age), "example.org")] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_cookies_have_the_names_that_the_options_give(logged_in: MakeClient, kind: str) -> None:
    """The token and the CSRF value are set, read and deleted under that name."""
    names = {f"{kind.upper()}_COOKIE_NAME": "my_token", f"{kind.upper()}_CSRF_COOKIE_NAME": "my_csrf"}
    client = logged_in(**names)
    value = client.get_cookie("my_csrf")
    assert value is not None
    assert client.post(f"/{kind}", headers={"X-CSRF-TOKEN": value.value}).status_code == 200
    assert set(cookies_set_by(client.post("/logout"))) >= {"my_token", "my_csrf"}
    assert client.get_cookie("my_token") is client.get_cookie("my_csrf") is None
    assert message(client.get(f"/{kind}")) == (401, 'Missing cookie "my_token"')


@pytest.mark.parametrize("kind", KINDS)
def test_a_cookie_is_sent_below_its_path_and_deleted_there(logged_in: MakeClient, kind: str) -> None:
    """The cookie of the other kind is still sent to every path."""
    other = "access" if kind == "refresh" else "refresh"
    client = logged_in(**{f"{kind.upper()}_COOKIE_PATH": "/api"})
    statuses = [client.get(path).status_code for path in (f"/api/{kind}", f"/{kind}", f"/{other}", f"/api/{other}")]
    assert statuses == [200, 401, 200, 200]
    client.post("/logout")
    assert client.get(f"/api/{kind}").status_code == 401


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", ["/login", "/logout"])
def test_the_csrf_cookie_has_a_path_of_its_own(logged_in: MakeClient, kind: str, view: str) -> None:
    """Scripts can read it on pages that do not get the token."""
    options = {f"{kind.upper()}_COOKIE_PATH": "/api", f"{kind.upper()}_CSRF_COOKIE_PATH": "/page"}
    cookies = cookies_set_by(logged_in(**options).post(view))
    paths = {name: cookie["path"] for name, cookie in cookies.items() if cookie["path"] != "/"}
    assert paths == {f"{kind}_token_cookie": "/api", f"csrf_{kind}_token": "/page"}


def test_deleted_cookies_are_empty_and_long_expired(logged_in: MakeClient) -> None:
    """After ``unset_jwt_cookies`` the browser has no cookie."""
    client = logged_in()
    cookies = cookies_set_by(client.post("/logout"))
    assert {(each.value, each["expires"]) for each in cookies.values()} == {("", "Thu, 01 Jan 1970 00:00:00 GMT")}
    assert [client.get(f"/{kind}").status_code for kind in KINDS] == [401, 401]


# --- CSRF -----------------------------------------------------------------------------------------------------------


@rotated("method,checked", [("GET", False), ("REPORT", False), ("POST", True), ("PUT", True)] * 2, kind=KINDS)
def test_by_default_the_methods_that_change_something_are_checked(
    logged_in: MakeClient, kind: str, method: str, checked: bool
) -> None:
    """Only they need the double submit value in the header."""
    client = logged_in()
    without = client.open(f"/{kind}", method=method)
    wrong = client.open(f"/{kind}", method=method, headers={"X-CSRF-TOKEN": "wrong"})
    right = client.open(f"/{kind}", method=method, headers={"X-CSRF-TOKEN": csrf_of(client, kind)})
    assert [each.status_code for each in (without, wrong, right)] == ([401, 401, 200] if checked else [200] * 3)
    if checked:
        assert without.get_json() == {"msg": "Missing CSRF token"}
        assert wrong.get_json() == {"msg": "CSRF double submit tokens do not match"}


@pytest.mark.parametrize("methods", [["GET", "REPORT"], ("get", "report"), {"Get", "Report"}])
def test_the_methods_that_the_option_lists_are_checked_and_no_others(logged_in: MakeClient, methods: Any) -> None:
    """Upper and lower case are the same."""
    client = logged_in(CSRF_METHODS=methods)
    statuses = {name: client.open("/access", method=name).status_code for name in ("GET", "REPORT", "POST", "DELETE")}
    assert statuses == {"GET": 401, "REPORT": 401, "POST": 200, "DELETE": 200}


def test_one_method_may_be_given_as_a_string(logged_in: MakeClient) -> None:
    """A string is one method, not a collection of letters."""
    client = logged_in(CSRF_METHODS="PATCH")
    statuses = [client.open("/access", method=method).status_code for method in ("PATCH", "POST")]
    assert statuses == [401, 200]


@pytest.mark.parametrize("kind", KINDS)
def test_the_value_is_in_the_header_that_the_option_names(logged_in: MakeClient, kind: str) -> None:
    """Each kind of token has its own header. The default one is no longer read."""
    client = logged_in(**{f"{kind.upper()}_CSRF_HEADER_NAME": "X-My-Csrf"})
    value = csrf_of(client, kind)
    assert client.post(f"/{kind}", headers={"X-My-Csrf": value}).status_code == 200
    assert message(client.post(f"/{kind}", headers={"X-CSRF-TOKEN": value})) == (401, "Missing CSRF token")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"CSRF_FIELD_NAME": "my_field"}], ids=["default field", "own field"])
def test_the_value_may_be_in_a_form_field_if_the_option_says_so(
    logged_in: MakeClient, kind: str, options: dict[str, str]
) -> None:
    """Forms send it without a script, in the field for that kind of token."""
    field = options.get("CSRF_FIELD_NAME", "csrf_token")
    client = logged_in(CSRF_CHECK_FORM=True, **{f"{kind.upper()}_{name}": value for name, value in options.items()})
    value = csrf_of(client, kind)
    assert client.post(f"/{kind}", data={field: value}).status_code == 200
    assert client.post(f"/{kind}", data={field: "wrong"}).status_code == 401
    assert client.post(f"/{kind}", data={"another_field": value}).status_code == 401


def test_a_form_field_does_not_count_by_default(logged_in: MakeClient) -> None:
    """JWT_CSRF_CHECK_FORM is off by default."""
    client = logged_in()
    answer = message(client.post("/access", data={"csrf_token": csrf_of(client)}))
    assert answer == (401, "Missing CSRF token")


@pytest.mark.parametrize(("header", "field", "status"), [("right", "wrong", 200), ("wrong", "right", 401)])
def test_the_header_counts_before_the_form(logged_in: MakeClient, header: str, field: str, status: int) -> None:
    """If both are sent, only the header is checked."""
    client = logged_in(CSRF_CHECK_FORM=True)
    values = {"right": csrf_of(client), "wrong": "wrong"}
    response = client.post("/access", headers={"X-CSRF-TOKEN": values[header]}, data={"csrf_token": values[field]})
    assert response.status_code == status


@pytest.mark.parametrize("view", ["/login", "/logout"])
def test_csrf_values_are_not_in_cookies_with_the_option_off(logged_in: MakeClient, view: str) -> None:
    """Only the token cookies are set."""
    assert set(cookies_set_by(logged_in(CSRF_IN_COOKIES=False).post(view))) == TOKEN_COOKIES


def test_without_csrf_cookies_the_application_hands_out_the_value(logged_in: MakeClient) -> None:
    """The check needs the value that ``get_csrf_token`` returns."""
    client = logged_in(CSRF_IN_COOKIES=False)
    cookie = client.get_cookie("access_token_cookie")
    assert cookie is not None
    with client.application.app_context():
        value = get_csrf_token(cookie.value)
    assert client.post("/access", headers={"X-CSRF-TOKEN": value}).status_code == 200
    assert client.post("/access").status_code == 401


def test_without_protection_there_are_no_values(logged_in: MakeClient) -> None:
    """If JWT_COOKIE_CSRF_PROTECT is off, there is no claim, no cookie and no check."""
    client = logged_in(COOKIE_CSRF_PROTECT=False)
    assert set(cookies_set_by(client.post("/login"))) == TOKEN_COOKIES
    response = client.post("/access")
    assert response.status_code == 200
    assert "csrf" not in response.get_json()["claims"]


def test_a_token_made_without_protection_does_not_pass_once_it_is_on(logged_in: MakeClient) -> None:
    """A token without a value does not match any."""
    client = logged_in(COOKIE_CSRF_PROTECT=False)
    client.application.config["JWT_COOKIE_CSRF_PROTECT"] = True
    assert message(client.post("/access", headers={"X-CSRF-TOKEN": "any"})) == (422, "Missing claim: csrf")
    assert client.post("/access").status_code == 401


@pytest.mark.parametrize("sent", [HEADERS, QUERY_STRING, JSON])
def test_only_cookies_need_the_value(make_app: MakeApp, sent: str) -> None:
    """Another site can only make a browser send what it sends by itself: cookies."""
    app = make_app(TOKEN_LOCATION=LOCATIONS)
    request = {**carrying({sent: token_for(app)}), "method": "POST"}
    assert send(app, **request).status_code == 200


# --- query string ---------------------------------------------------------------------------------------------------


def test_the_token_is_in_the_query_parameter_that_the_option_names(make_app: MakeApp) -> None:
    """The default parameter is no longer read."""
    app = make_app(TOKEN_LOCATION=QUERY_STRING, QUERY_STRING_NAME="token")
    token = token_for(app)
    assert send(app, query_string={"token": token}).status_code == 200
    assert message(send(app, query_string={"jwt": token})) == (401, "Missing 'token' query paramater")


@pytest.mark.parametrize("prefix", ["Bearer ", "jwt:"])
def test_the_prefix_stands_in_front_of_the_token_in_the_query(make_app: MakeApp, prefix: str) -> None:
    """A value without the prefix is malformed."""
    app = make_app(TOKEN_LOCATION=QUERY_STRING, QUERY_STRING_VALUE_PREFIX=prefix)
    token = token_for(app)
    assert send(app, query_string={"jwt": prefix + token}).status_code == 200
    status, text = message(send(app, query_string={"jwt": token}))
    assert status == 422
    assert text.startswith("Invalid value for query parameter 'jwt'. Expected the value to start with")
    assert prefix in text


# --- JSON body ------------------------------------------------------------------------------------------------------


def post_json(app: Flask, kind: str, body: Any) -> TestResponse:
    return send(app, f"/{kind}", method="POST", json=body)


@pytest.mark.parametrize(("kind", "option"), [("access", "JSON_KEY"), ("refresh", "REFRESH_JSON_KEY")])
def test_the_token_is_under_the_json_key_that_the_option_names(make_app: MakeApp, kind: str, option: str) -> None:
    """Other keys are not read."""
    app = make_app(TOKEN_LOCATION=JSON, **{option: "token"})
    token = token_for(app, kind=kind)
    assert post_json(app, kind, {"token": token}).status_code == 200
    for usual in ("access_token", "refresh_token"):
        assert message(post_json(app, kind, {usual: token})) == (401, 'Missing "token" key in json data.')


@pytest.mark.parametrize(("kind", "option"), [("access", "JSON_KEY"), ("refresh", "REFRESH_JSON_KEY")])
@pytest.mark.parametrize("form", [list, tuple])
def test_several_json_keys_are_tried_in_order(
    make_app: MakeApp, kind: str, option: str, form: Callable[[list[str]], Any]
) -> None:
    """The first key with a value is used; an empty one is skipped."""
    app = make_app(TOKEN_LOCATION=JSON, **{option: form(["one", "two"])})
    one, two = token_for(app, "first", kind), token_for(app, "second", kind)
    bodies: list[dict[str, Any]] = [{"one": one, "two": two}, {"two": two}, {"one": None, "two": two}, {"one": one}]
    identities = [post_json(app, kind, body).get_json()["identity"] for body in bodies]
    assert identities == ["first", "second", "second", "first"]


def test_by_default_a_refresh_token_is_under_its_own_key_or_that_of_access_tokens(make_app: MakeApp) -> None:
    """4.7 reads ``refresh_token``, but its documentation names ``access_token``. The first one wins."""
    app = make_app(TOKEN_LOCATION=JSON)
    own, other = token_for(app, "own", "refresh"), token_for(app, "other", "refresh")
    bodies = [{"refresh_token": own}, {"access_token": other}, {"access_token": other, "refresh_token": own}]
    assert [post_json(app, "refresh", body).get_json()["identity"] for body in bodies] == ["own", "other", "own"]


def test_by_default_an_access_token_is_under_its_own_key_only(make_app: MakeApp) -> None:
    """Only refresh tokens have a second key."""
    app = make_app(TOKEN_LOCATION=JSON)
    token = token_for(app)
    assert post_json(app, "access", {"access_token": token}).status_code == 200
    answer = message(post_json(app, "access", {"refresh_token": token}))
    assert answer == (401, 'Missing "access_token" key in json data.')


# --- JWT_MAX_TOKEN_BYTES --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", LOCATIONS)
def test_a_token_of_the_greatest_size_passes_and_one_byte_more_does_not(make_app: MakeApp, sent: str) -> None:
    """The limit is inclusive, and the same for every location."""
    app = make_app(TOKEN_LOCATION=LOCATIONS)
    token = token_for(app)
    app.config["JWT_MAX_TOKEN_BYTES"] = len(token)
    assert send(app, **carrying({sent: token})).status_code == 200
    app.config["JWT_MAX_TOKEN_BYTES"] = len(token) - 1
    answer = message(send(app, **carrying({sent: token})))
    assert answer == (422, f"The token is longer than {len(token) - 1} bytes")


@pytest.mark.parametrize(("size", "status"), [(8_000, 200), (16_000, 422)])
def test_by_default_a_token_may_have_sixteen_kibibytes(app: Flask, size: int, status: int) -> None:
    """In Base64, 8,000 bytes of claims fit and 16,000 do not."""
    token = token_for(app, additional_claims={"filler": "x" * size})
    assert present(app, token).status_code == status


def test_a_raised_cap_holds_for_every_function_that_reads_tokens(make_app: MakeApp) -> None:
    """``decode_token`` and ``get_unverified_jwt_headers`` read the tokens that a view accepts."""
    app = make_app(MAX_TOKEN_BYTES=100_000)
    token = token_for(app, additional_claims={"filler": "x" * 20_000})
    assert present(app, token).status_code == 200
    with app.app_context():
        assert decode_token(token)["sub"] == "alice"
        assert get_unverified_jwt_headers(token)["alg"] == "HS256"


def test_the_header_of_a_token_is_read_without_an_application() -> None:
    """As in 4.7, ``get_unverified_jwt_headers`` needs no context. The default limit applies."""
    token = pyjwt.encode({"filler": "x" * 20_000}, SECRET, "HS256")
    assert get_unverified_jwt_headers(pyjwt.encode({}, SECRET, "HS256"))["alg"] == "HS256"
    with pytest.raises(pyjwt.DecodeError, match="longer than 16384 bytes"):
        get_unverified_jwt_headers(token)


# --- the options of 5.0 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["/login", "/logout"])
def test_cookies_can_be_partitioned(logged_in: MakeClient, view: str) -> None:
    """With JWT_COOKIE_PARTITIONED, all four cookies have the attribute."""
    response = logged_in(COOKIE_PARTITIONED=True, COOKIE_SECURE=True).post(view)
    assert ["Partitioned" in header for header in response.headers.getlist("Set-Cookie")] == [True] * 4


@pytest.mark.parametrize(
    ("ours", "audience", "status"),
    [(None, "them", 422), (None, None, 200), ("me", "me", 200), ("me", "them", 422), (["me", "us"], "us", 200)],
)
def test_other_audiences_are_refused_with_the_option(make_app: MakeApp, ours: Any, audience: Any, status: int) -> None:
    """With JWT_VERIFY_AUD, JWT_ENCODE_AUDIENCE names our audiences. A token without ``aud`` passes."""
    app = make_app(VERIFY_AUD=True, ENCODE_AUDIENCE=ours)
    assert present(app, token_for(make_app(ENCODE_AUDIENCE=audience))).status_code == status


@pytest.mark.parametrize("missing", ["exp", "iat", "jti", "type", "sub", "tenant"])
def test_a_token_without_a_required_claim_is_refused(make_app: MakeApp, missing: str) -> None:
    """A token that has the claim passes."""
    required = ("exp", "iat", "jti", "type", "sub", "tenant")
    app = make_app(REQUIRED_CLAIMS=required)
    claims: dict[str, Any] = claims_of(token_for(app, additional_claims={"tenant": "acme"}))
    assert present(app, pyjwt.encode(claims, SECRET, "HS256")).status_code == 200
    claims.pop(missing)
    answer = message(present(app, pyjwt.encode(claims, SECRET, "HS256")))
    assert answer == (422, f'Token is missing the "{missing}" claim')


def test_the_required_sub_is_the_identity_claim(make_app: MakeApp) -> None:
    """JWT_IDENTITY_CLAIM is required instead."""
    app = make_app(REQUIRED_CLAIMS="sub", IDENTITY_CLAIM="uid")
    assert present(app, token_for(app)).status_code == 200


@rotated("second", [COOKIES, QUERY_STRING, JSON] * 2, option=[True, False])
def test_more_than_one_token_is_refused_with_the_option(make_app: MakeApp, option: bool, second: str) -> None:
    """Only locations that the view searches count."""
    app = make_app(SINGLE_TOKEN=option, TOKEN_LOCATION=LOCATIONS)
    request = carrying(dict.fromkeys([HEADERS, second], token_for(app)))
    assert send(app, **request).status_code == (422 if option else 200)
    app.config["JWT_TOKEN_LOCATION"] = HEADERS
    assert send(app, **request).status_code == 200


def test_a_weak_key_is_refused_with_the_option(make_app: MakeApp) -> None:
    """With JWT_KEY_STRENGTH = "refuse", it neither signs nor verifies."""
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH = 'warn'"):
        make_app(SECRET_KEY="x3!vR-0k", KEY_STRENGTH="refuse")
    app = make_app()
    app.config.update(JWT_SECRET_KEY="x3!vR-0k", JWT_KEY_STRENGTH="refuse", TESTING=True)
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH = 'warn'"):
        token_for(app)
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH = 'warn'"):
        present(app, token_for(make_app()))


@pytest.mark.parametrize(
    ("token", "status", "body"),
    [
        (None, 401, {"msg": "Authentication is required"}),
        ("a.b.c", 401, {"msg": "The token is not valid", "error": "invalid_token"}),
        ("two words", 400, {"error": "invalid_request"}),
    ],
)
def test_error_responses_follow_rfc_6750_with_the_option(
    make_app: MakeApp, token: str | None, status: int, body: dict[str, str]
) -> None:
    """The challenge names the same error as the body, and no error for a request without a token."""
    response = send(make_app(ERROR_STYLE="rfc6750"), headers=bearer(token) if token else {})
    assert response.status_code == status
    assert response.get_json().items() >= body.items()
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer realm=")
    assert ('error="' in challenge) is ("error" in body)


@pytest.mark.parametrize("method", ["POST", "REPORT", "PURGE", "GET", "HEAD"])
def test_without_a_list_every_method_but_the_safe_ones_is_checked(make_app: MakeApp, method: str) -> None:
    """With JWT_CSRF_METHODS = None, unknown methods are checked too."""
    app = make_app(TOKEN_LOCATION=COOKIES, CSRF_METHODS=None)
    app.add_url_rule("/all", view_func=jwt_required()(lambda: "in"), methods=["POST", "REPORT", "PURGE", "GET"])
    response = send(app, "/all", method=method, headers={"Cookie": f"access_token_cookie={token_for(app)}"})
    assert response.status_code == (200 if method in ("GET", "HEAD") else 401)


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example.com"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://app.example.com"}, True),
        ({"Origin": "https://app.example.com.evil.example"}, False),
        ({"Referer": "http://localhost/page"}, True),
        ({"Referer": "https://evil.example/?http://localhost/"}, False),
    ],
)
def test_a_request_from_another_site_is_refused_with_the_option(
    logged_in: MakeClient, headers: dict[str, str], passes: bool
) -> None:
    """It is refused even with the right double submit value. JWT_TRUSTED_ORIGINS pass."""
    client = logged_in(CSRF_ORIGIN_CHECK=True, TRUSTED_ORIGINS=["https://app.example.com"])
    right = {"X-CSRF-TOKEN": csrf_of(client), **headers}
    response = client.post("/access", headers=right)
    assert response.status_code == (200 if passes else 401)
    assert client.get("/access", headers=headers).status_code == 200
    client.application.config["JWT_CSRF_ORIGIN_CHECK"] = False
    assert client.post("/access", headers=right).status_code == 200
