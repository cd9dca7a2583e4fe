"""JWT_VERIFY_CACHE_SIZE: a signature is computed once, and all other checks are made at every use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from jwt.exceptions import InvalidSignatureError, InvalidTokenError

from flask_jwt_extended import (
    JWTManager,
    decode_token,
    end_session,
    get_jwt,
    get_jwt_header,
    jwt_required,
    revoke_token,
    start_session,
)
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose import compact
from flask_jwt_extended._jose.keys import Key, KeyRing

from .._sessions.helpers import NOW, Clock, stopped_clock
from ..conftest import SECRET, MakeApp, bearer
from ..tokens import access_token
from .helpers import JWKS, SECRETS

ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


class CountingKey(Key):
    """A key that counts its verifications."""

    __slots__ = ("asked",)
    asked: int


def counting(name: str) -> tuple[CountingKey, KeyRing]:
    """Return a ring of one key that counts its verifications."""
    ring = KeyRing.from_jwks([JWKS[name]])
    assert ring.signer is not None
    kid, key = ring.signer
    counted = CountingKey(key.algorithm, pyjwt.get_algorithm_by_name(key.algorithm), key._private)
    counted.asked = 0
    verify = counted.verify

    def count(message: bytes, signature: bytes) -> bool:
        counted.asked += 1
        return verify(message, signature)

    counted.verify = count
    return counted, KeyRing((), [(kid, counted)], (kid, counted))


def caching(ring: KeyRing, size: int) -> compact.CachingVerifier:
    return compact.CachingVerifier(ring.algorithms, ring, 8192, size)


def signed(key: Key, number: int = 0) -> str:
    header = f'{{"alg":"{key.algorithm}","typ":"JWT"}}'.encode()
    return compact.sign(header, f'{{"sub":"{number}"}}'.encode(), key)


def status(app: Flask, token: str, path: str = "/access") -> int:
    return app.test_client().get(path, headers=bearer(token)).status_code


# --- what it saves --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_signature_of_a_token_is_computed_once(name: str) -> None:
    """The second time, equal header and payload come from the cache."""
    key, ring = counting(name)
    verifier = caching(ring, 10)
    encoded = signed(key)
    first = verifier.verify(encoded)
    assert [verifier.verify(encoded) for _ in range(5)] == [first] * 5
    assert key.asked == 1
    assert first == compact.Verifier(ring.algorithms, ring, 8192).verify(encoded)


def test_without_the_option_nothing_is_remembered(make_app: MakeApp) -> None:
    """The cache is off by default."""
    verifier = get_state(make_app()).keys.at(NOW).verifier
    assert type(verifier) is compact.Verifier
    assert type(get_state(make_app(VERIFY_CACHE_SIZE=1)).keys.at(NOW).verifier) is compact.CachingVerifier


def test_the_least_recently_used_is_forgotten_first() -> None:
    """The size is never exceeded."""
    key, ring = counting("HS256")
    verifier = caching(ring, 3)
    tokens = [signed(key, number) for number in range(4)]
    for each in tokens[:3]:
        verifier.verify(each)
    verifier.verify(tokens[0])
    verifier.verify(tokens[3])  # in place of the second
    assert key.asked == 4
    for each in (tokens[0], tokens[2], tokens[3]):
        verifier.verify(each)
    assert key.asked == 4
    verifier.verify(tokens[1])
    assert key.asked == 5


def test_the_bound_is_kept_under_many_tokens() -> None:
    """With valid and with forged tokens."""
    key, ring = counting("HS256")
    verifier = caching(ring, 50)
    for number in range(1000):
        verifier.verify(signed(key, number))
    assert len(verifier._verified) == 50


# --- what it never saves --------------------------------------------------------------------------------------------


def test_what_was_refused_is_not_remembered() -> None:
    """Forged tokens take no space, and each is verified again."""
    key, ring = counting("ES256")
    verifier = caching(ring, 10)
    head, payload, signature = signed(key).split(".")
    forged = f"{head}.{payload}.{signature[:-4]}AAAA"
    for _ in range(3):
        with pytest.raises(InvalidSignatureError):
            verifier.verify(forged)
    assert key.asked == 3
    assert not verifier._verified


def _changed(encoded: str) -> dict[str, Any]:
    head, payload, signature = encoded.split(".")
    other = compact.encode_segment(b'{"sub":"eve"}').decode()
    none = compact.encode_segment(b'{"alg":"none"}').decode()
    return {
        "another signature": f"{head}.{payload}.{'B' * len(signature)}",
        "no signature": f"{head}.{payload}.",
        "another payload": f"{head}.{other}.{signature}",
        "another header": f"{none}.{payload}.{signature}",
        "padding": encoded + "=",
        "a space behind": encoded + " ",
        "a line end behind": encoded + "\n",
        "a fourth part": encoded + ".",
        "a letter that looks alike": encoded.replace(signature[3], "\u0430", 1),
        "a lone surrogate": encoded + "\ud800",
        "another spelling of the last bits": encoded[:-1] + chr(ord(encoded[-1]) + 1),
    }


CHANGES = list(_changed("a.b.cdefgh"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["HS256", "ES256"])
def test_a_remembered_token_vouches_for_no_other(name: str, change: str) -> None:
    """Each change makes it another token."""
    key, ring = counting(name)
    verifier = caching(ring, 10)
    encoded = signed(key)
    verifier.verify(encoded)
    with pytest.raises(InvalidTokenError):
        verifier.verify(_changed(encoded)[change])
    verifier.verify(encoded)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_remembered_token_expires(make_app: MakeApp, clock: Clock, name: str) -> None:
    """To the second."""
    app = make_app(KEYS=[JWKS[name]], VERIFY_CACHE_SIZE=10)
    made = access_token(app, expires_delta=False, additional_claims={"exp": NOW + 60, "nbf": NOW})
    for now, expected in ((NOW, 200), (NOW + 59, 200), (NOW + 60, 401), (NOW - 1, 422), (NOW, 200)):
        clock.now = now
        assert status(app, made) == expected


def test_a_remembered_token_is_revoked(make_app: MakeApp) -> None:
    """By the application's loader, and in the store."""
    app = make_app(VERIFY_CACHE_SIZE=10, STORE_URI="memory://")
    blocked: set[str] = set()
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.token_in_blocklist_loader(lambda _header, claims: claims["sub"] in blocked)
    made = access_token(app)
    assert status(app, made) == 200
    blocked.add("ada")
    assert status(app, made) == 401
    blocked.clear()
    assert status(app, made) == 200
    with app.app_context():
        revoke_token(made)
    assert status(app, made) == 401
    with app.test_request_context():
        pair = start_session("ada")
        assert status(app, pair.access_token) == 200
        end_session(pair.session_id)
    assert status(app, pair.access_token) == 401


def test_a_remembered_token_is_judged_by_what_each_view_demands(make_app: MakeApp) -> None:
    """Type, freshness and the verification loader."""
    app = make_app(VERIFY_CACHE_SIZE=10)
    stale, fresh = access_token(app), access_token(app, fresh=True)
    assert [status(app, stale, path) for path in ("/access", "/fresh", "/refresh", "/access")] == [200, 401, 422, 200]
    assert [status(app, fresh, path) for path in ("/access", "/fresh", "/refresh", "/fresh")] == [200, 200, 422, 200]
    app.extensions["flask-jwt-extended"].token_verification_loader(lambda _header, _claims: False)
    assert status(app, stale) == 400


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("JWT_SECRET_KEY", SECRET[::-1], 422),
        ("JWT_KEYS", [JWKS["ES256"]], 422),
        ("JWT_DECODE_ISSUER", "somebody", 422),
        ("JWT_MAX_TOKEN_BYTES", 64, 422),
        ("JWT_REQUIRED_CLAIMS", ("tenant",), 422),
        ("JWT_ALGORITHM", "HS512", 422),
    ],
)
def test_a_change_of_the_configuration_empties_it(make_app: MakeApp, option: str, value: Any, expected: int) -> None:
    """Tokens are verified again with the new settings."""
    app = make_app(VERIFY_CACHE_SIZE=10)
    made = access_token(app)
    assert [status(app, made), status(app, made)] == [200, 200]
    app.config[option] = value
    assert status(app, made) == expected


def test_a_key_that_leaves_the_set_empties_it(make_app: MakeApp, clock: Clock) -> None:
    """Tokens of a retired key are refused, even if they were verified before."""
    retiring = JWKS["ES256"] | {"state": "retiring", "until": NOW + 10}
    app = make_app(KEYS=[JWKS["RS256"], retiring], VERIFY_CACHE_SIZE=10)
    old = make_app(KEYS=[JWKS["ES256"]])
    made = access_token(old)
    assert [status(app, made), status(app, made)] == [200, 200]
    clock.now = NOW + 10
    assert status(app, made) == 422


def test_a_loader_of_keys_is_asked_every_time(make_app: MakeApp) -> None:
    """Its result may be different for each token, so nothing is remembered."""
    app = make_app(VERIFY_CACHE_SIZE=10)
    keys = [SECRET]
    app.extensions["flask-jwt-extended"].decode_key_loader(lambda _header, _claims: keys[0])
    made = access_token(app)
    assert [status(app, made), status(app, made)] == [200, 200]
    keys[0] = SECRET[::-1]
    assert status(app, made) == 422


# --- what it hands out ----------------------------------------------------------------------------------------------


def test_what_a_view_does_to_its_token_is_not_remembered() -> None:
    """Each request has its own copy of header and claims."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY=SECRET, JWT_VERIFY_CACHE_SIZE=10)
    JWTManager(app)

    @app.get("/access")
    @jwt_required()
    def access() -> dict[str, Any]:
        before = deepcopy({"claims": get_jwt(), "header": get_jwt_header()})
        get_jwt()["sub"] = "eve"
        get_jwt()["roles"].append("admin")
        get_jwt_header()["kid"] = "eve"
        return before

    made = access_token(app, additional_claims={"roles": ["reader"]})
    client = app.test_client()
    told = [client.get("/access", headers=bearer(made)).get_json() for _ in range(3)]
    assert told[0] == told[1] == told[2]
    assert told[0]["claims"]["roles"] == ["reader"]
    with app.app_context():
        decode_token(made)["roles"].append("admin")
        assert decode_token(made)["roles"] == ["reader"]


def test_a_header_with_parts_of_its_own_is_not_shared() -> None:
    """A shallow copy of a nested header would be shared, so these tokens are verified each time."""
    key, ring = counting("HS256")
    verifier = caching(ring, 10)
    encoded = compact.sign(b'{"alg":"HS256","parts":["a"]}', b"{}", key)
    for _ in range(3):
        header, _ = verifier.verify(encoded)
        assert header["parts"] == ["a"]
        header["parts"].append("b")
    assert key.asked == 3


def test_many_threads_share_it() -> None:
    """Valid tokens pass, forged ones do not, and the size is not exceeded."""
    key, ring = counting("HS256")
    verifier = caching(ring, 8)
    good = [signed(key, number) for number in range(24)]
    bad = [each[:-4] + "AAAA" for each in good]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(number: int) -> int:
        wrong = 0
        for step in range(400):
            at = (number * 7 + step) % len(good)
            wrong += verifier.verify(good[at])[1] != f'{{"sub":"{at}"}}'.encode()
            wrong += accepts(verifier.verify, bad[at])
        return wrong

    try:
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(work, range(16))) == 0
    finally:
        sys.setswitchinterval(interval)
    assert len(verifier._verified) <= 8
    verifier.verify(good[0])
    assert SECRETS["HS256"].hex() not in repr(verifier)


def accepts(verify: Callable[[str], object], encoded: str) -> bool:
    try:
        verify(encoded)
    except InvalidTokenError:
        return False
    return True
