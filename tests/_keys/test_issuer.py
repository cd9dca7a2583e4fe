"""Tokens of external issuers are accepted under their settings, beside our own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from flask_jwt_extended import (
    ConfigurationError,
    JWTManager,
    create_access_token,
    decode_token,
    get_current_user,
    jwt_required,
    revoke_token,
    set_access_cookies,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended._keys import jwks_client as jwks

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from ..tokens import asymmetric, genuine
from .helpers import eventually
from .lying_server import LyingServer, floods, late, says, serves

ISSUER, OTHER = "https://login.example", "https://accounts.example/"
KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
JWK, OTHER_JWK = to_jwk("ES256", KEY.public_key()), to_jwk("ES256", OTHER_KEY.public_key()) | {"kid": "other"}
SETTINGS: dict[str, Any] = {"keys": {"keys": [JWK]}, "audience": "us"}
OTHER_SETTINGS: dict[str, Any] = {"keys": {"keys": [OTHER_JWK]}, "audience": ["them", "us"]}


def their_claims(**others: Any) -> dict[str, Any]:
    """Return the claims of a valid token of the issuer. ``None`` removes a claim."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "us", "sub": "ada", "iat": now - 5, "exp": now + 300, "jti": "theirs"} | others
    return {name: value for name, value in claims.items() if value is not None}


def foreign(key: Any = KEY, algorithm: str = "ES256", header: dict[str, Any] | None = None, **others: Any) -> str:
    """A token of the issuer."""
    headers = {"kid": JWK["kid"]} | (header or {})
    return pyjwt.encode(their_claims(**others), key, algorithm, headers=headers)


def signed(claims: dict[str, Any] | bytes, key: Any = KEY, **header: Any) -> str:
    """Return a token that PyJWT would not make."""
    return asymmetric(key, "ES256", claims, {"alg": "ES256", "kid": JWK["kid"]} | header)


@pytest.fixture(params=["compat", "strict"])
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    """An application that trusts two issuers, in each profile."""
    return make_app(PROFILE=request.param, TRUSTED_ISSUERS={ISSUER: SETTINGS, OTHER: OTHER_SETTINGS})


def ask(app: Flask, token: str, path: str = "/access") -> tuple[int, Any]:
    response = app.test_client().get(path, headers=bearer(token))
    assert response.status_code < 500 or response.status_code == 503
    return response.status_code, response.get_json()


def refused(app: Flask, token: str, path: str = "/access") -> bool:
    status, _ = ask(app, token, path)
    return status in (401, 422)


# --- accepted -------------------------------------------------------------------------------------------------------


def test_a_token_of_a_trusted_issuer_is_accepted_beside_our_own(app: Flask) -> None:
    """Tokens of both issuers pass, and ours as before."""
    status, told = ask(app, foreign())
    assert (status, told["identity"], told["claims"]["iss"]) == (200, "ada", ISSUER)
    other = foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER, aud=["somebody", "them"])
    assert ask(app, other)[0] == 200
    with app.app_context():
        assert ask(app, create_access_token("grace"))[1]["identity"] == "grace"


def test_its_algorithms_need_not_be_ours(make_app: MakeApp) -> None:
    """Every asymmetric algorithm is accepted, unless the settings name fewer."""
    for algorithm, key in PRIVATE_KEYS.items():
        if algorithm == "ES256K":
            continue
        public = to_jwk(algorithm, key.public_key())
        app = make_app(TRUSTED_ISSUERS={ISSUER: {"keys": [public], "audience": "us"}})
        assert ask(app, foreign(key, algorithm, {"kid": public["kid"]}))[0] == 200


def test_what_it_says_of_type_freshness_and_session_means_nothing_here(app: Flask) -> None:
    """Their token is an access token, not fresh, and without a session, whatever its claims are."""
    token = foreign(type="Bearer", fresh=True, sid="a session of theirs", csrf="theirs")
    status, told = ask(app, token)
    assert status == 200
    assert (told["claims"]["type"], told["claims"]["fresh"], "sid" in told["claims"]) == ("access", False, False)
    assert refused(app, foreign(type="refresh"), "/refresh")
    assert ask(app, foreign(type="refresh"))[0] == 200
    assert ask(app, token, "/fresh")[0] == 401
    assert refused(app, token, "/refresh")
    assert ask(app, token, "/optional")[1]["identity"] == "ada"


def test_a_sid_of_theirs_is_no_session_of_ours(make_app: MakeApp) -> None:
    """A token with an unknown ``sid`` of theirs passes."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, STORE_URI="memory://")
    with app.test_request_context():
        ours = start_session("grace").session_id
    for sid in (ours, "unknown", 5, None, ["x"]):
        status, told = ask(app, foreign(sid=sid))
        assert (status, "sid" in told["claims"]) == (200, False)


def test_the_settings_may_make_them_refresh_tokens(make_app: MakeApp) -> None:
    """For applications that exchange their token for one of ours."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"type": "refresh"}})
    assert ask(app, foreign(), "/refresh")[0] == 200
    assert refused(app, foreign())


def test_the_identity_is_the_claim_that_the_settings_name(make_app: MakeApp) -> None:
    """``get_jwt_identity`` returns it, also if JWT_IDENTITY_CLAIM has another name."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"identity_claim": "oid"}}, IDENTITY_CLAIM="user")
    assert ask(app, foreign(oid="0000-1"))[1]["identity"] == "0000-1"
    assert refused(app, foreign())
    for odd in (5, True, ["ada"], {"id": "ada"}, 1.5):
        assert refused(app, foreign(oid=odd))


def test_it_goes_through_the_loaders_like_any_token(make_app: MakeApp) -> None:
    """The user, the blocklist, the verification, and decode_token."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS})
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    seen: list[tuple[str, str]] = []
    manager.user_lookup_loader(lambda _header, claims: (claims["iss"], claims["sub"]))

    @manager.token_in_blocklist_loader
    def is_blocked(header: dict[str, Any], claims: dict[str, Any]) -> bool:
        seen.append((header["kid"], claims["jti"]))
        return False

    manager.token_verification_loader(lambda _header, claims: claims["sub"] != "eve")
    app.add_url_rule("/user", "user", jwt_required()(lambda: list(get_current_user())))
    assert ask(app, foreign(), "/user") == (200, [ISSUER, "ada"])
    assert seen == [(JWK["kid"], "theirs")]
    assert ask(app, foreign(sub="eve"))[0] == 400
    with app.app_context():
        assert decode_token(foreign())["type"] == "access"
        with pytest.raises(pyjwt.InvalidAudienceError):
            decode_token(foreign(aud="them"))


def test_it_can_be_revoked(make_app: MakeApp) -> None:
    """By its ``jti``, only in this application. Without a ``jti``, the error says so."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, STORE_URI="memory://")
    token = foreign()
    assert ask(app, token)[0] == 200
    with app.app_context():
        revoke_token(token)
    assert ask(app, token)[0] == 401
    assert ask(app, foreign(jti="another"))[0] == 200
    nameless = foreign(jti=None)
    assert ask(app, nameless)[0] == 200
    with app.app_context(), pytest.raises(ConfigurationError, match="jti"):
        revoke_token(nameless)


def test_in_a_cookie_it_needs_what_ours_need(make_app: MakeApp) -> None:
    """In a cookie, a token without a CSRF value can only read: a form of another site could send it."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, TOKEN_LOCATION=["cookies"])
    client = app.test_client()
    client.set_cookie("access_token_cookie", foreign())
    assert client.get("/access").status_code == 200
    assert client.post("/access").status_code == 401
    assert client.post("/access", headers={"X-CSRF-TOKEN": "anything"}).status_code == 422


# --- refused --------------------------------------------------------------------------------------------------------


def test_it_is_not_put_into_a_cookie_that_would_be_refused(make_app: MakeApp) -> None:
    """Their CSRF value does not count. Without CSRF protection, the token is set in a cookie."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS})
    with app.test_request_context():
        with pytest.raises(ConfigurationError, match=f"A token of {ISSUER} has no CSRF value of this application"):
            set_access_cookies(app.response_class(), foreign(csrf="theirs"))
        set_access_cookies(app.response_class(), create_access_token("ada"))
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, COOKIE_CSRF_PROTECT=False)
    with app.test_request_context():
        set_access_cookies(app.response_class(), foreign())


def test_keys_are_bound_to_their_issuer(app: Flask) -> None:
    """The keys of an issuer verify neither tokens of another nor ours, and ours verify none of theirs."""
    assert refused(app, foreign(OTHER_KEY))
    assert refused(app, foreign(OTHER_KEY, header={"kid": "other"}))
    assert refused(app, foreign(header={"kid": "other"}, iss=OTHER))
    assert refused(app, foreign(iss=OTHER))
    for iss in (None, "https://us.example"):
        assert refused(app, foreign(iss=iss))
    assert refused(app, pyjwt.encode(their_claims(type="access"), SECRET, "HS256", headers={"kid": JWK["kid"]}))


@pytest.mark.parametrize(
    "iss",
    [
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER + ".evil.example",
        ISSUER + "\0",
        " " + ISSUER,
        ISSUER.replace("login", "logi\u200bn"),
        ISSUER[:-1],
        OTHER.rstrip("/"),
        "http://login.example",
        "",
    ],
)
def test_an_issuer_is_compared_whole(app: Flask, iss: str) -> None:
    """With or without a trailing slash, it is another issuer (RFC 8725bis, section 3.8)."""
    assert refused(app, foreign(iss=iss))


@pytest.mark.parametrize("iss", [[ISSUER], [ISSUER, OTHER], {"iss": ISSUER}, 5, True, {}, []])
def test_an_issuer_that_is_no_text_is_none(app: Flask, iss: Any) -> None:
    """It is refused, although the issuer's own key signed it."""
    assert refused(app, signed(their_claims() | {"iss": iss}))


def test_an_issuer_named_twice_is_the_one_that_is_verified(app: Flask) -> None:
    """The last of two members counts, both for the choice of the key and for the claim."""
    payload = json.dumps(their_claims()).encode()[:-1] + f', "iss": "{OTHER}"}}'.encode()
    assert refused(app, signed(payload))


def test_a_public_key_is_no_secret(app: Flask) -> None:
    """In every form that an attacker may try."""
    _, public_pem = pem(KEY)
    for secret in (public_pem, public_pem.strip(), json.dumps(JWK), JWK["x"], ""):
        for header in ({"alg": "HS256", "kid": JWK["kid"]}, {"alg": "HS256"}, {"alg": "HS512", "kid": JWK["kid"]}):
            digest = "sha256" if header["alg"] == "HS256" else "sha512"
            assert refused(app, genuine(their_claims(), header, secret, digest))


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "", None, 5, ["ES256"], "ES384", "RS256", "HS256", "es256"])
def test_the_algorithm_is_that_of_the_key(app: Flask, alg: Any) -> None:
    """Without a signature, or with a valid one under another name, a token is refused."""
    for token in (signed(their_claims(), alg=alg), signed(their_claims(), alg=alg, kid="unknown")):
        assert refused(app, token)
        assert refused(app, token.rpartition(".")[0] + ".")


def test_the_settings_may_allow_fewer_algorithms(make_app: MakeApp) -> None:
    """A key without ``alg`` is only used with those."""
    bare = {name: value for name, value in to_jwk("RS256", PRIVATE_KEYS["RS256"].public_key()).items() if name != "alg"}
    app = make_app(TRUSTED_ISSUERS={ISSUER: {"keys": [bare], "audience": "us", "algorithms": ["RS256"]}})
    header = {"kid": bare["kid"]}
    assert ask(app, foreign(PRIVATE_KEYS["RS256"], "RS256", header))[0] == 200
    assert refused(app, foreign(PRIVATE_KEYS["RS256"], "PS256", header))
    assert refused(app, foreign(PRIVATE_KEYS["RS256"], "RS512", header))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": None},
        {"aud": "them"},
        {"aud": ["them"]},
        {"aud": []},
        {"aud": ""},
        {"aud": "US"},
        {"aud": "us "},
        {"aud": 5},
        {"aud": {"us": True}},
        {"aud": [["us"]]},
        {"aud": ["us", 5]},
        {"exp": None},
        {"exp": "2999-01-01"},
        {"exp": True},
        {"exp": [2**40]},
        {"iat": None},
        {"iat": 2**40},
        {"iat": "5"},
        {"nbf": 2**40},
        {"nbf": "5"},
        {"sub": None},
        {"sub": 5},
        {"sub": ["ada"]},
        {"jti": 5},
        {"exp": 1},
    ],
    ids=str,
)
def test_its_claims_are_judged_as_strictly_as_ours(app: Flask, claims: dict[str, Any]) -> None:
    """In both profiles."""
    assert refused(app, signed(their_claims(**claims)))


def test_an_expired_token_is_answered_as_ours_are(app: Flask) -> None:
    """401, and the loader gets the claims; the leeway counts."""
    now = int(time.time())
    assert ask(app, foreign(exp=now - 1))[0] == 401
    app.config["JWT_DECODE_LEEWAY"] = 30
    assert ask(app, foreign(exp=now - 1))[0] == 200


def test_required_claims_are_required(make_app: MakeApp) -> None:
    """Those of the settings of the issuer, not those of JWT_REQUIRED_CLAIMS."""
    app = make_app(
        TRUSTED_ISSUERS={ISSUER: SETTINGS | {"required_claims": ["exp", "scope"]}}, REQUIRED_CLAIMS=["tenant"]
    )
    assert refused(app, foreign())
    assert ask(app, foreign(scope="read", iat=None))[0] == 200


@pytest.mark.parametrize(
    ("typ", "accepted"),
    [
        ("at+jwt", True),
        ("AT+JWT", True),
        ("application/at+jwt", True),
        ("JWT", False),
        ("", False),
        (None, False),
        (5, False),
        (["at+jwt"], False),
        ("at+jwt2", False),
    ],
)
def test_the_settings_may_require_a_typ(make_app: MakeApp, typ: Any, accepted: bool) -> None:
    """It distinguishes an access token from an ID token with the same audience (RFC 9068, section 4)."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"typ": "at+jwt"}})
    assert (ask(app, signed(their_claims(client_id="them"), typ=typ))[0] == 200) is accepted


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_typ_of_the_settings_has_several_spellings_too(make_app: MakeApp, typ: str) -> None:
    """All of them accept the same tokens, and require the claims of RFC 9068."""
    app = make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"typ": typ}})
    assert ask(app, signed(their_claims(client_id="them"), typ="at+jwt"))[0] == 200
    assert ask(app, signed(their_claims(client_id="them"), typ="JWT"))[0] == 422
    assert ask(app, signed(their_claims(), typ="at+jwt"))[0] == 422


@pytest.mark.parametrize("name", ["keys", "jwks_uri", "discovery"])
def test_a_place_of_keys_that_is_none_is_not_given(make_app: MakeApp, name: str) -> None:
    """``None``, from an unset variable for example, is ignored: otherwise the issuer would have no keys."""
    places = {"keys": None, "jwks_uri": None, "discovery": None} | {name: {**SETTINGS}.get(name)}
    app = make_app(TRUSTED_ISSUERS={ISSUER: {"audience": "us", **places, "keys": None}})
    settings = get_state(app).settings.trusted_issuers[ISSUER]
    assert (settings.keys, settings.discovery) == (None, f"{ISSUER}/.well-known/openid-configuration")
    assert ask(make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS | {"jwks_uri": None}}), foreign())[0] == 200


@pytest.mark.parametrize("typ", ["dpop+jwt", "logout+jwt", "secevent+jwt", "application/kb+jwt"])
def test_a_token_of_another_kind_is_refused(app: Flask, typ: str) -> None:
    """A logout token of the issuer is not an access token, although the same key signed it."""
    assert refused(app, foreign(header={"typ": typ}))


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"client_id": "us"}, True),
        ({"client_id": "them"}, False),
        ({"client_id": ["us"]}, False),
        ({"client_id": 5}, False),
        ({}, False),
        ({"aud": "us"}, False),
        ({"aud": "them", "client_id": "us"}, True),
        ({"aud": [5], "client_id": "us"}, False),
    ],
)
def test_the_audience_may_have_another_name(make_app: MakeApp, claims: dict[str, Any], accepted: bool) -> None:
    """For issuers that do not write ``aud``. If a token has one, it must be well-formed."""
    for profile in ("compat", "strict"):
        app = make_app(PROFILE=profile, TRUSTED_ISSUERS={ISSUER: SETTINGS | {"audience_claim": "client_id"}})
        token = signed(their_claims(**({"aud": None} | claims)))
        assert (ask(app, token)[0] == 200) is accepted


def test_an_application_may_have_no_key_of_its_own(make_app: MakeApp) -> None:
    """A resource server: tokens of its issuers pass, and others are refused without a crash."""
    app = make_app(SECRET_KEY=None, TRUSTED_ISSUERS={ISSUER: SETTINGS})
    assert ask(app, foreign())[0] == 200
    for token in (foreign(iss=None), foreign(iss="https://x.example"), pyjwt.encode({"sub": "ada"}, SECRET, "HS256")):
        assert refused(app, token)
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"), app.app_context():
        create_access_token("ada")


# --- when keys must be fetched --------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as running:
        yield running


@pytest.fixture
def fetching(make_app: MakeApp, server: LyingServer) -> Flask:
    """An application that fetches the keys of its issuer."""
    return make_app(TRUSTED_ISSUERS={ISSUER: {"jwks_uri": server.url("/keys"), "audience": "us"}})


def test_a_token_never_says_where_keys_are(fetching: Flask, server: LyingServer) -> None:
    """Neither by its header, its ``iss``, nor a key in its header."""
    server.answers["/keys"] = serves({"keys": [JWK]})
    server.answers["/evil"] = serves({"keys": [OTHER_JWK]})
    evil = server.url("/evil")
    for header in ({"jku": evil}, {"x5u": evil}, {"jwk": OTHER_JWK}, {"jku": evil, "kid": "other"}, {"kid": evil}):
        assert refused(fetching, foreign(OTHER_KEY, header=header))
    for iss in (server.origin, evil, "https://login.example@127.0.0.1"):
        assert refused(fetching, foreign(OTHER_KEY, header={"kid": "other"}, iss=iss))
    assert set(server.asked) == {"/keys"}


def test_unknown_keys_cause_one_fetch(fetching: Flask, server: LyingServer) -> None:
    """However many tokens name them. The next fetch waits for the cool-down."""
    server.answers["/keys"] = serves({"keys": [JWK]})
    assert ask(fetching, foreign())[0] == 200
    for number in range(30):
        assert refused(fetching, foreign(header={"kid": str(number)}))
    assert server.asked["/keys"] <= 2


def test_an_issuer_that_is_down_concerns_its_tokens_alone(fetching: Flask, server: LyingServer) -> None:
    """Their tokens get 503 with Retry-After and no reason; our tokens and anonymous requests pass."""
    response = fetching.test_client().get("/access", headers=bearer(foreign()))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in response.text
    assert "404" not in response.text
    with fetching.app_context():
        assert ask(fetching, create_access_token("grace"))[0] == 200
    assert fetching.test_client().get("/optional").status_code == 200
    assert ask(fetching, foreign(), "/optional")[0] == 503
    assert server.asked["/keys"] == 1


def test_keys_that_are_known_outlive_the_issuer(
    fetching: Flask, server: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For at most a day its tokens pass, however the issuer fails."""
    server.answers["/keys"] = serves({"keys": [JWK]}, Cache_Control="max-age=60")
    assert ask(fetching, foreign())[0] == 200
    keys = runtime_keys(fetching)
    began = time.monotonic()
    for answer in (
        says(500),
        says(200, b"<html>"),
        serves({"keys": [OTHER_JWK, OTHER_JWK]}),
        floods(2, announced=False),
    ):
        server.answers["/keys"] = answer
        began += 120
        monkeypatch.setattr(keys, "_clock", lambda now=began: now)
        assert ask(fetching, foreign())[0] == 200
        assert eventually(lambda: not keys._fetch.is_alive())
    assert server.asked["/keys"] == 5
    monkeypatch.setattr(keys, "_clock", lambda: began + jwks.MAX_STALE)
    assert ask(fetching, foreign())[0] == 503


def runtime_keys(app: Flask) -> Any:
    return get_state(app).issuers[ISSUER].keys


def test_fifty_readers_wait_for_one_fetch(fetching: Flask, server: LyingServer) -> None:
    """Fifty requests with the first token pass after a single fetch."""
    server.answers["/keys"] = late(0.3, serves({"keys": [JWK]}))
    token = foreign()
    began = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: ask(fetching, token)[0], range(50)))
    assert statuses == [200] * 50
    assert server.asked["/keys"] == 1
    assert time.monotonic() - began < 3


# --- settings that cannot work --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("https://login.example", "must be a mapping"),
        ([ISSUER], "must be a mapping"),
        ({ISSUER: "us"}, "must be a mapping"),
        ({5: SETTINGS}, "must be a mapping"),
        ({ISSUER: {}}, "needs an audience"),
        ({ISSUER: {"audience": []}}, "needs an audience"),
        ({ISSUER: {"audience": ""}}, "none of them empty"),
        ({ISSUER: {"audience": [5]}}, "string or a list of strings"),
        ({ISSUER: {"audience": None}}, "string or a list of strings"),
        ({ISSUER: SETTINGS | {"audiance": "us"}}, "no setting 'audiance'"),
        ({"": SETTINGS}, "must be a mapping"),
        ({ISSUER: SETTINGS | {"algorithms": ["HS256"]}}, "['algorithms'] cannot have HS256"),
        ({ISSUER: SETTINGS | {"algorithms": ["none"]}}, "['algorithms'] cannot have none"),
        ({ISSUER: SETTINGS | {"algorithms": ["ES256K"]}}, "['algorithms'] cannot have ES256K"),
        ({ISSUER: SETTINGS | {"identity_claim": "iss"}}, "['identity_claim'] cannot be 'iss'"),
        ({ISSUER: SETTINGS | {"identity_claim": "csrf"}}, "['identity_claim'] cannot be 'csrf'"),
        ({ISSUER: SETTINGS | {"typ": "logout+jwt"}}, "['typ'] cannot be 'logout+jwt'"),
        ({ISSUER: SETTINGS | {"typ": "application/dpop+jwt"}}, "['typ'] cannot be 'dpop+jwt'"),
        ({ISSUER: {"audience": "us", "keys": json.dumps({"keys": [JWK]})}}, "is text: parse it with json.loads"),
        ({ISSUER: SETTINGS | {"algorithms": []}}, "algorithms"),
        ({ISSUER: SETTINGS | {"identity_claim": 5}}, "must be a name"),
        ({ISSUER: SETTINGS | {"audience_claim": ""}}, "must be a name"),
        ({ISSUER: SETTINGS | {"type": "id"}}, '"access" or "refresh"'),
        ({ISSUER: {"audience": "us", "jwks_uri": "http://login.example/keys"}}, "https://"),
        ({ISSUER: {"audience": "us", "jwks_uri": "file:///etc/passwd"}}, "https://"),
        ({ISSUER: {"audience": "us", "jwks_uri": "https://a@b/"}}, "https://"),
        ({ISSUER: {"audience": "us", "discovery": 5}}, "https://"),
        ({"accounts.google.com": {"audience": "us"}}, "https://"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(make_app: MakeApp, value: Any, told: str) -> None:
    """The error at the start names the option, the issuer, the setting and the fix."""
    with pytest.raises(ConfigurationError, match="JWT_TRUSTED_ISSUERS") as raised:
        make_app(TRUSTED_ISSUERS=value)
    assert told in str(raised.value)


def test_an_issuer_is_not_ourselves(make_app: MakeApp) -> None:
    """The keys of another would verify our tokens."""
    with pytest.raises(ConfigurationError, match="must not name JWT_ENCODE_ISSUER"):
        make_app(TRUSTED_ISSUERS={ISSUER: SETTINGS}, ENCODE_ISSUER=ISSUER)


def test_keys_that_cannot_be_used_are_told_by_their_issuer(make_app: MakeApp) -> None:
    """The error comes at the start, or at first use if they are set later."""
    trusted = {ISSUER: {"keys": {"keys": [{"kty": "oct", "k": "AAAA"}]}, "audience": "us"}}
    with pytest.raises(ConfigurationError, match=r"The keys of https://login\.example cannot be used"):
        make_app(TRUSTED_ISSUERS=trusted)
    app = make_app()
    app.config["JWT_TRUSTED_ISSUERS"] = trusted
    with (
        pytest.raises(ConfigurationError, match=r"The keys of https://login\.example cannot be used"),
        app.app_context(),
    ):
        decode_token(foreign())


@pytest.mark.parametrize(
    "given", [[], {"keys": []}, [JWK | {"use": "enc"}], [JWK | {"alg": "Ed25519"}]], ids=["list", "set", "use", "alg"]
)
def test_given_keys_none_of_which_can_be_used_are_told_by_their_issuer(make_app: MakeApp, given: Any) -> None:
    """All tokens of the issuer would be refused."""
    with pytest.raises(ConfigurationError, match=r"None of the keys of https://login\.example can be used"):
        make_app(TRUSTED_ISSUERS={ISSUER: {"keys": given, "audience": "us"}})


# --- when other settings change -------------------------------------------------------------------------------------


def fetching_two(make_app: MakeApp, server: LyingServer) -> Flask:
    """Return an application that has fetched the keys of two issuers, both of which are down now."""
    server.answers["/keys"] = serves({"keys": [JWK]})
    server.answers["/others"] = serves({"keys": [OTHER_JWK]})
    app = make_app(
        TRUSTED_ISSUERS={
            ISSUER: {"jwks_uri": server.url("/keys"), "audience": "us"},
            OTHER: {"jwks_uri": server.url("/others"), "audience": "us"},
        }
    )
    assert [ask(app, token)[0] for token in both()] == [200, 200]
    for path in ("/keys", "/others"):
        server.answers[path] = says(500)
    return app


def both() -> list[str]:
    return [foreign(), foreign(OTHER_KEY, header={"kid": "other"}, iss=OTHER)]


@pytest.mark.parametrize(
    "options",
    [
        {"JWT_DECODE_LEEWAY": 5},
        {"JWT_COOKIE_SECURE": True, "JWT_SECRET_KEY": SECRET + "!"},
        {"JWT_PROFILE": "strict"},
        {"JWT_STORE_URI": "memory://"},
        {"JWT_REPORT_ONLY": ["JWT_REQUIRED_CLAIMS"]},
        {"JWT_TOKEN_LOCATION": ["headers", "cookies"]},
    ],
    ids=str,
)
def test_other_options_leave_the_keys_of_issuers_alone(
    make_app: MakeApp, server: LyingServer, options: dict[str, Any]
) -> None:
    """They are not fetched again, although the issuers are down."""
    app = fetching_two(make_app, server)
    app.config.update(options)
    assert [ask(app, token)[0] for token in both()] == [200, 200]
    assert server.asked == {"/keys": 1, "/others": 1}


@pytest.mark.parametrize(
    "change",
    [{"audience": ["us", "them"]}, {"scopes": "read"}, {"roles": "*"}, {"required_claims": "exp"}, {"typ": "JWT"}],
    ids=str,
)
def test_settings_of_an_issuer_that_its_keys_do_not_depend_on_leave_them_alone(
    make_app: MakeApp, server: LyingServer, change: dict[str, Any]
) -> None:
    """Settings about claims do not concern keys."""
    app = fetching_two(make_app, server)
    trusted = app.config["JWT_TRUSTED_ISSUERS"]
    app.config["JWT_TRUSTED_ISSUERS"] = trusted | {ISSUER: trusted[ISSUER] | change}
    assert [ask(app, token)[0] for token in both()] == [200, 200]
    assert server.asked == {"/keys": 1, "/others": 1}


@pytest.mark.parametrize("changed", ["jwks_uri", "algorithms", "keys"])
def test_changed_settings_of_one_issuer_drop_its_keys_alone(
    make_app: MakeApp, server: LyingServer, changed: str
) -> None:
    """Those of the other issuer stay, although it is down."""
    app = fetching_two(make_app, server)
    change = {"jwks_uri": server.url("/moved"), "algorithms": ["ES384"], "keys": {"keys": [JWK | {"kid": "new"}]}}
    trusted = app.config["JWT_TRUSTED_ISSUERS"]
    app.config["JWT_TRUSTED_ISSUERS"] = trusted | {ISSUER: trusted[ISSUER] | {changed: change[changed]}}
    assert [ask(app, token)[0] for token in both()] == [{"jwks_uri": 503}.get(changed, 422), 200]
    assert server.asked["/keys"] == server.asked["/others"] == 1
    app.config["JWT_TRUSTED_ISSUERS"] = {OTHER: trusted[OTHER]}
    assert [ask(app, token)[0] for token in both()] == [422, 200]


def test_given_keys_that_change_in_place_are_read_again(make_app: MakeApp) -> None:
    """Removed keys do not verify any more."""
    given = {"keys": [JWK]}
    app = make_app(TRUSTED_ISSUERS={ISSUER: {"keys": given, "audience": "us"}})
    assert ask(app, foreign())[0] == 200
    given["keys"][0] = OTHER_JWK
    assert refused(app, foreign())
    assert ask(app, foreign(OTHER_KEY, header={"kid": "other"}))[0] == 200


def test_a_mistake_in_a_change_leaves_the_keys_alone(make_app: MakeApp, server: LyingServer) -> None:
    """They are still there when the mistake is fixed."""
    app = fetching_two(make_app, server)
    app.config["JWT_TOKEN_LOCATION"] = ["nowhere"]
    with pytest.raises(ConfigurationError), app.app_context():
        decode_token(foreign())
    app.config["JWT_TOKEN_LOCATION"] = ["headers"]
    assert [ask(app, token)[0] for token in both()] == [200, 200]
    assert server.asked == {"/keys": 1, "/others": 1}
