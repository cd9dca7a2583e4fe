"""The keys of external issuers are fetched rarely, cached, and used only if the response is valid."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
import os
import ssl
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended._jose.keys import prepare
from flask_jwt_extended._keys import jwks_client as jwks
from flask_jwt_extended._keys.jwks_client import (
    COOL_DOWN,
    DEFAULT_LIFETIME,
    MAX_LIFETIME,
    MAX_STALE,
    MIN_LIFETIME,
    IssuerKeys,
)
from flask_jwt_extended._settings.issuers import TrustedIssuer
from flask_jwt_extended.exceptions import ConfigurationError, IssuerUnavailableError

from .helpers import eventually
from .lying_server import Answer, LyingServer, drips, floods, late, says, serves, tagged, writes, zipped

PRIVATE = [ec.generate_private_key(ec.SECP256R1()) for _ in range(8)]
JWKS = [to_jwk("ES256", private.public_key()) for private in PRIVATE]
ISSUER = "https://login.example"
SECRET = {"kty": "oct", "kid": "s", "k": "c2VjcmV0IHRoYXQgaXMgbG9uZyBlbm91Z2ggZm9yIGFueXRoaW5n"}


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as running:
        yield running


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a deadline that tests can wait for."""
    monkeypatch.setattr(jwks, "TIMEOUT", 0.5)


def key_set(*numbers: int) -> dict[str, Any]:
    return {"keys": [JWKS[number] for number in numbers]}


def kid(number: int) -> str:
    return str(JWKS[number]["kid"])


def config_of(server: LyingServer, **others: Any) -> TrustedIssuer:
    said: dict[str, Any] = {"jwks_uri": server.url("/keys")} | others
    return TrustedIssuer(issuer=ISSUER, audience=("us",), **said)


def issuer_keys(server: LyingServer, clock: Callable[[], float], *, answer: Answer, **others: Any) -> IssuerKeys:
    server.answers["/keys"] = answer
    return IssuerKeys(config_of(server, **others), clock)


def knows(keys: IssuerKeys, number: int) -> bool:
    found = keys.candidates("ES256", kid(number))
    signature = prepare("ES256", PRIVATE[number]).sign(b"message")
    return len(found) == 1 and found[0].verify(b"message", signature)


def settled(keys: IssuerKeys) -> None:
    """Wait until no fetch is running."""
    assert eventually(lambda: keys._fetch is None or not keys._fetch.is_alive())


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def refused(keys: IssuerKeys) -> str:
    """Return the reason why there are no keys."""
    with pytest.raises(IssuerUnavailableError) as raised:
        keys.candidates("ES256", kid(0))
    return raised.value.reason


# What is read


def test_a_key_is_fetched_once_and_found_again(server: LyingServer, clock: Clock) -> None:
    """A thousand look-ups cause one fetch."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0, 1)))
    assert all(knows(keys, number % 2) for number in range(1000))
    assert server.asked["/keys"] == 1


def test_a_token_without_kid_passes_on_a_set_of_one_key(server: LyingServer, clock: Clock) -> None:
    """A single key is unambiguous."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert len(keys.candidates("ES256", None)) == 1


def test_a_token_without_kid_does_not_pass_on_a_set_of_several(server: LyingServer, clock: Clock) -> None:
    """The set is not fetched again either, because that would not help."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0, 1)))
    assert keys.candidates("ES256", None) == ()
    clock.now += COOL_DOWN + 1
    assert keys.candidates("ES256", None) == ()
    assert server.asked["/keys"] == 1


def test_algorithms_that_the_settings_do_not_name_have_no_key(server: LyingServer, clock: Clock) -> None:
    """Nothing is fetched for them."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)), algorithms=("ES256",))
    assert keys.candidates("ES384", kid(0)) == keys.candidates("HS256", "s") == ()
    assert server.asked["/keys"] == 0


def test_a_key_without_alg_is_for_the_first_algorithm_of_the_issuer(server: LyingServer, clock: Clock) -> None:
    """An RSA key fits both, and a key has one algorithm (RFC 8725bis, section 3.1)."""
    jwk = to_jwk("RS256", rsa.generate_private_key(65537, 2048).public_key())
    del jwk["alg"]
    keys = issuer_keys(server, clock, answer=serves({"keys": [jwk]}), algorithms=("RS256", "PS512"))
    assert keys.candidates("RS256", jwk["kid"])
    assert not keys.candidates("PS512", jwk["kid"])
    assert not keys.candidates("RS384", jwk["kid"])


@pytest.mark.parametrize(
    "broken", [{"x": "AAAA"}, {"kid": 5}, {"use": 5}, {"key_ops": ["verify", "verify"]}, {"y": None}, {"alg": "RS256"}]
)
def test_a_malformed_key_does_not_take_the_others_down(
    broken: dict[str, Any], server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is skipped and reported, as RFC 7517, section 5 recommends."""
    keys = issuer_keys(server, clock, answer=serves({"keys": [{**JWKS[0], "kid": "b", **broken}, JWKS[1]]}))
    assert knows(keys, 1)
    assert keys.candidates("ES256", "b") == ()
    assert "A key of" in caplog.text
    assert JWKS[0]["y"] not in caplog.text


def test_what_is_not_known_of_a_set_is_passed_over(server: LyingServer, clock: Clock) -> None:
    """Unknown kinds of keys and members are ignored without a warning (RFC 7517, section 5)."""
    strange = {"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"}
    ours = {**JWKS[0], "state": "enabled", "until": "for ever", "x5t": "x"}
    keys = issuer_keys(server, clock, answer=serves({"keys": [strange, ours], "more": 1}))
    assert knows(keys, 0)
    assert keys.candidates("ES256", "new") == ()


def test_an_empty_set_is_believed(server: LyingServer, clock: Clock) -> None:
    """An issuer may have withdrawn its keys. An unknown ``kid`` fetches the set again."""
    keys = issuer_keys(server, clock, answer=serves({"keys": []}))
    assert not knows(keys, 0)
    server.answers["/keys"] = serves(key_set(0))
    clock.now += COOL_DOWN
    assert knows(keys, 0)


UNUSABLE = {
    "its alg 'Ed25519' is not accepted": {**JWKS[1], "alg": "Ed25519"},
    "its use is 'enc'": {**JWKS[1], "use": "enc"},
    "the kty 'AKP' is not known": {"kty": "AKP", "kid": "new", "alg": "ML-DSA-44"},
    "its key_ops do not include verify": {**JWKS[1], "key_ops": ["encrypt"]},
    "below the minimum": to_jwk("RS256", rsa.generate_private_key(65537, 1024).public_key()),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_an_issuer_without_a_usable_key_is_told_of_once_per_fetch(
    server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """The log has the reason for each key. Its tokens are refused, which is not an outage."""
    keys = issuer_keys(server, clock, answer=tagged({"keys": [UNUSABLE[reason]]}, '"v1"'))
    with caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        assert not any(knows(keys, 1) for _ in range(10))
        assert [reason in record.getMessage() for record in caplog.records] == [True]
        assert ISSUER in caplog.text
        server.answers["/keys"] = says(304)
        clock.now += COOL_DOWN
        assert not knows(keys, 1)
        assert len(caplog.records) == 2


@pytest.mark.parametrize("reason", UNUSABLE)
def test_a_key_that_cannot_be_used_does_not_take_the_others_with_it(
    server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """It is ignored without a warning (RFC 7517, section 5)."""
    keys = issuer_keys(server, clock, answer=serves({"keys": [UNUSABLE[reason], JWKS[0]]}))
    with caplog.at_level(logging.WARNING, "flask_jwt_extended"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert knows(keys, 0)
    assert not knows(keys, 1)
    assert not caplog.records


def test_what_an_issuer_wrote_is_not_logged_as_it_is(
    server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Without line breaks, and with a few characters of a few names only."""
    names = ["\n2026-01-01 ERROR root: all is lost", "x" * 10_000, *map(str, range(90))]
    strange = [{"kty": "\r\nX", "kid": name} for name in names]
    keys = issuer_keys(server, clock, answer=serves({"keys": strange}))
    assert not knows(keys, 0)
    (record,) = caplog.records
    assert len(record.getMessage()) < 2000
    assert "\n" not in record.getMessage()
    assert "and 82 more" in record.getMessage()


def test_given_keys_need_no_network(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor urllib3. They never expire, and unknown ones are not fetched."""
    monkeypatch.setitem(sys.modules, "urllib3", None)
    keys = IssuerKeys(TrustedIssuer(issuer=ISSUER, audience=("us",), keys=key_set(0)), clock)
    clock.now += 1e9
    assert knows(keys, 0)
    assert not knows(keys, 1)


@pytest.mark.parametrize(
    "given",
    ["text", {"keys": 1}, [SECRET], [{"kty": "EC"}], key_set(0, 0)],
    ids=["text", "not a list", "a secret", "an incomplete key", "a repeated kid"],
)
def test_given_keys_that_cannot_be_used_are_the_developers_mistake(given: object) -> None:
    """The error comes at the start."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        IssuerKeys(TrustedIssuer(issuer=ISSUER, audience=("us",), keys=given))


def test_without_its_client_library_the_fetcher_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes at the start."""
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'flask-jwt-extended\[issuers\]'"):
        IssuerKeys(TrustedIssuer(issuer=ISSUER, audience=("us",), jwks_uri="https://login.example/keys"))


# When it is fetched


def test_fifty_first_readers_share_one_fetch(server: LyingServer, clock: Clock) -> None:
    """None of them waits much longer than the fetch takes."""
    keys = issuer_keys(server, clock, answer=late(0.5, serves(key_set(0))))
    with ThreadPoolExecutor(50) as pool:
        took = list(pool.map(lambda _: seconds_of(lambda: knows(keys, 0) or pytest.fail("no key")), range(50)))
    assert server.asked["/keys"] == 1
    assert max(took) < 1.5


def test_a_set_is_fetched_again_before_its_life_ends_and_nobody_waits(server: LyingServer, clock: Clock) -> None:
    """Requests use the old set until the new one is there."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    server.answers["/keys"] = late(0.5, serves(key_set(1)))
    clock.now += 0.8 * DEFAULT_LIFETIME
    assert max(seconds_of(lambda: knows(keys, 0) or pytest.fail("no key")) for _ in range(100)) < 0.3
    assert eventually(lambda: knows(keys, 1))
    assert not knows(keys, 0)
    assert server.asked["/keys"] == 2


@pytest.mark.parametrize(
    ("headers", "life"),
    [
        ({}, DEFAULT_LIFETIME),
        ({"Cache_Control": "public, max-age=3600"}, 3600.0),
        ({"Cache_Control": "MAX-AGE=3600", "Age": "600"}, 3000.0),
        ({"Cache_Control": "max-age=3600", "Age": "yesterday"}, 3600.0),
        ({"Cache_Control": "max-age=3600", "Age": "9" * 5000}, 3600.0),
        ({"Cache_Control": "max-age=0"}, MIN_LIFETIME),
        ({"Cache_Control": "max-age=-5"}, DEFAULT_LIFETIME),
        ({"Cache_Control": "s-maxage=5000"}, DEFAULT_LIFETIME),
        ({"Cache_Control": "max-age=" + "9" * 5000}, MAX_LIFETIME),
        ({"Cache_Control": "max-age=31536000"}, MAX_LIFETIME),
        ({"Cache_Control": "no-cache, max-age=3600"}, MIN_LIFETIME),
        ({"Cache_Control": "no-store"}, MIN_LIFETIME),
    ],
    ids=lambda value: str(value)[:40],
)
def test_cache_control_is_honoured_within_bounds(
    server: LyingServer, clock: Clock, headers: dict[str, str], life: float
) -> None:
    """A set is fetched again after 80 % of the lifetime in its headers."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0), **headers))
    began = clock.now
    assert knows(keys, 0)
    clock.now = began + 0.8 * life - 1
    assert knows(keys, 0)
    settled(keys)
    assert server.asked["/keys"] == 1
    clock.now = began + 0.8 * life + 1
    assert knows(keys, 0)
    settled(keys)
    assert server.asked["/keys"] == 2


def test_a_set_that_is_the_same_is_not_sent_again(server: LyingServer, clock: Clock) -> None:
    """Its ETag is sent. Without a new lifetime, the old one is kept."""
    keys = issuer_keys(server, clock, answer=tagged(key_set(0), '"v1"', Cache_Control="max-age=1000"))
    assert knows(keys, 0)
    assert "If-None-Match" not in server.headers
    server.answers["/keys"] = says(304)
    clock.now += 850
    assert knows(keys, 0)
    settled(keys)
    assert server.headers["If-None-Match"] == '"v1"'
    clock.now += 750
    assert knows(keys, 0)
    settled(keys)
    assert server.asked["/keys"] == 2
    server.answers["/keys"] = tagged(key_set(1), '"v2"')
    clock.now += 100
    assert eventually(lambda: knows(keys, 1))


def test_an_old_set_is_read_while_no_other_can_be_had_but_not_for_ever(server: LyingServer, clock: Clock) -> None:
    """It is dropped a day after its lifetime, and fetched once the issuer is back."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    began = clock.now
    assert knows(keys, 0)
    server.answers["/keys"] = says(500)
    for passed in (DEFAULT_LIFETIME + 1, 3600, DEFAULT_LIFETIME + MAX_STALE - 1):
        clock.now = began + passed
        assert knows(keys, 0)
        settled(keys)
    clock.now = began + DEFAULT_LIFETIME + MAX_STALE
    assert refused(keys) == "HTTP 500"
    server.answers["/keys"] = serves(key_set(0))
    clock.now += COOL_DOWN
    assert knows(keys, 0)


def test_ten_readers_of_a_failing_issuer_cause_one_fetch_per_cool_down(server: LyingServer, clock: Clock) -> None:
    """The others fail immediately."""
    keys = issuer_keys(server, clock, answer=says(503))
    for expected in (1, 2):
        assert {refused(keys) for _ in range(10)} == {"HTTP 503"}
        assert server.asked["/keys"] == expected
        clock.now += COOL_DOWN
    server.answers["/keys"] = serves(key_set(0))
    assert knows(keys, 0)


def test_a_failing_refresh_cools_down_as_well(server: LyingServer, clock: Clock) -> None:
    """An issuer that is down does not get a request for every token."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    server.answers["/keys"] = says(500)
    clock.now += DEFAULT_LIFETIME
    for _ in range(20):
        assert knows(keys, 0)
        settled(keys)
    assert server.asked["/keys"] == 2


def test_an_unknown_kid_finds_a_key_that_is_new(server: LyingServer, clock: Clock) -> None:
    """The first request waits for the fetch."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    server.answers["/keys"] = late(0.2, serves(key_set(0, 1)))
    clock.now += COOL_DOWN
    assert knows(keys, 1)
    assert server.asked["/keys"] == 2


def test_unknown_kids_cause_one_fetch_per_cool_down(server: LyingServer, clock: Clock) -> None:
    """In the meantime, they are refused immediately."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    for expected in (1, 2, 3):
        with ThreadPoolExecutor(50) as pool:
            found = pool.map(lambda number: keys.candidates("ES256", f"made up {number}"), range(500))
        assert set(found) == {()}
        assert server.asked["/keys"] == expected
        clock.now += COOL_DOWN


def test_made_up_kids_do_not_hold_all_threads_of_a_slow_issuer(
    server: LyingServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request waits to the end, the others for a moment, and those with a known ``kid`` not at all."""
    monkeypatch.setattr(jwks, "WAIT", 0.2)
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    server.answers["/keys"] = late(1.5, serves(key_set(0)))
    clock.now += COOL_DOWN
    with ThreadPoolExecutor(20) as pool:
        waits = [pool.submit(seconds_of, lambda: keys.candidates("ES256", "made up")) for _ in range(20)]
        assert seconds_of(lambda: knows(keys, 0)) < 0.2
    took = sorted(wait.result() for wait in waits)
    assert took[-2] < 1.0
    assert took[-1] > 1.3


def test_fifty_threads_see_keys_rotate(server: LyingServer, clock: Clock) -> None:
    """None fails, fetches at the same time as another, or waits longer than a fetch; each new key is found."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    stop, current, lock = Event(), [0], Lock()
    slowest = [0.0]
    found: set[int] = set()

    def read() -> None:
        while not stop.is_set():
            number = current[0]
            began = time.monotonic()
            good = knows(keys, number)
            with lock:
                slowest[0] = max(slowest[0], time.monotonic() - began)
                found.update({number} if good else ())
            stop.wait(0.01)

    with ThreadPoolExecutor(50) as pool:
        readers = [pool.submit(read) for _ in range(50)]
        for number in range(8):
            server.answers["/keys"] = late(0.05, serves(key_set(number)))
            clock.now += COOL_DOWN
            current[0] = number
            eventually(lambda number=number: number in found)  # type: ignore[misc]
        stop.set()
        for reader in readers:
            reader.result()
    assert found == set(range(8))
    assert server.asked["/keys"] <= 9
    assert server.most_at_once == 1
    assert slowest[0] < 1.5


# What is not believed

PLAIN = json.dumps(key_set(1)).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {**JWKS[1], "x": "AAAA"}
LIES: dict[str, tuple[Answer, str]] = {
    "a page": (says(200, b"<html>Sign in</html>", Content_Type="application/json"), "Invalid answer string"),
    "100 MB announced": (floods(100, announced=True), "longer than"),
    "100 MB unannounced": (floods(100, announced=False), "longer than"),
    "a bomb": (zipped(b" " * (100 << 20)), "longer than"),
    "half a gzip": (says(200, b"\x1f\x8b\x08\x00", Content_Encoding="gzip"), "Invalid answer string"),
    "no gzip": (says(200, PLAIN, Content_Encoding="gzip"), "error"),
    "another encoding": (says(200, PLAIN, Content_Encoding="br"), "encoding"),
    "encoded twice": (zipped(PLAIN, "gzip, gzip"), "encoding"),
    "a list": (serves([JWKS[1]]), "must be a json object"),
    "keys that are no list": (serves({"keys": {"0": JWKS[1]}}), "not a JWK Set"),
    "keys that are no objects": (serves({"keys": ["key"]}), "not a JWK Set"),
    "no keys": (serves({"error": "no"}), "not a JWK Set"),
    "too many keys": (serves({"keys": [{**JWKS[1], "kid": str(n)} for n in range(101)]}), "at most 100"),
    "one kid twice": (serves({"keys": [JWKS[1], {**JWKS[2], "kid": kid(1)}]}), "same kid"),
    "one key twice": (serves(key_set(1, 1)), "same kid"),
    "a secret": (serves({"keys": [SECRET]}), "must not hold secrets"),
    "a secret among them": (serves({"keys": [JWKS[1], SECRET]}), "must not hold secrets"),
    "a secret for encryption": (serves({"keys": [JWKS[1], {**SECRET, "use": "enc"}]}), "must not hold secrets"),
    "a broken key": (serves({"keys": [{**BROKEN, "kid": "b"}]}), "must be 32 octets"),
    "a kid that is no text": (serves({"keys": [{**JWKS[1], "kid": 1}]}), "kid of a JWK must be a string"),
    "UTF-16": (says(200, PLAIN.decode().encode("utf-16")), "Invalid answer string"),
    "NaN": (says(200, PLAIN[:-1] + b', "n": NaN}'), "not a JSON value"),
    "deep nesting": (says(200, b'{"keys":' + b"[" * 500_000), "Invalid answer string"),
    "nothing": (says(200), "Invalid answer string"),
    "another status": (says(203, PLAIN), "HTTP 203"),
    "an error": (says(500, PLAIN), "HTTP 500"),
    "the same as never": (says(304), "HTTP 304"),
    "a redirect": (says(302, PLAIN, Location="/elsewhere"), "HTTP 302"),
    "half of it": (says(200, PLAIN[:-20], Content_Length=str(len(PLAIN))), "ProtocolError"),
    "all of it, and more announced": (says(200, PLAIN, Content_Length=str(len(PLAIN) + 1)), "ProtocolError"),
    "half a chunk": (writes(CHUNKED + b"fff\r\n" + PLAIN), "ProtocolError"),
    "no last chunk": (writes(CHUNKED + b"%x\r\n" % len(PLAIN) + PLAIN + b"\r\n"), "ProtocolError"),
    "no HTTP": (writes(b"\x00\x01\x02 hello\r\n\r\n"), "BadStatusLine"),
    "endless headers": (writes(HEAD + b"X: y\r\n" * 200 + b"\r\n"), "HTTPException"),
    "a long header": (writes(HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n"), "LineTooLong"),
    "a hung-up call": (writes(), "RemoteDisconnected"),
    "silence": (late(30, says()), "TimeoutError"),
    "all of it, and no end": (writes(HEAD + b"\r\n" + PLAIN, b"", every=30), "TimeoutError"),
    "a drip of headers": (drips(HEAD * 100, 0.05), "TimeoutError"),
    "a drip of body": (drips(HEAD + b"\r\n" + b" " * 9999, 0.05), "TimeoutError"),
    "a drip of chunks": (writes(CHUNKED, *[b"1\r\n \r\n"] * 999, every=0.05), "TimeoutError"),
    "100 for ever": (writes(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 9999, every=0.01), "TimeoutError"),
}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_no_set(server: LyingServer, clock: Clock, lie: str) -> None:
    """Without keys, a request fails within the deadline, and the log contains nothing of the response."""
    answer, reason = LIES[lie]
    keys = issuer_keys(server, clock, answer=answer)
    began = time.monotonic()
    assert reason in refused(keys)
    assert time.monotonic() - began < 1.5
    settled(keys)
    assert reason in refused(keys)
    assert server.asked == {"/keys": 1}


#: What takes until the deadline, and need not be seen twice.
SLOW = {"all of it, and no end", "a drip of headers", "a drip of chunks", "100 for ever"}


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("lie", [each for each in LIES if each not in SLOW])
def test_a_lie_does_not_replace_a_set(
    server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture, lie: str
) -> None:
    """The cached set stays, no request waits, and the log has one warning."""
    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    assert knows(keys, 0)
    server.answers["/keys"] = LIES[lie][0]
    clock.now += DEFAULT_LIFETIME
    with caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        assert seconds_of(lambda: knows(keys, 0)) < 0.3
        settled(keys)
        assert knows(keys, 0)
    assert not knows(keys, 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert ISSUER in caplog.text


@pytest.mark.slow
def test_the_deadline_of_a_fetch_is_five_seconds_in_all(server: LyingServer) -> None:
    """However often the server sends data; then the connection is closed."""
    keys = issuer_keys(server, time.monotonic, answer=drips(HEAD + b"\r\n" + b" " * 9999, 0.1))
    began = time.monotonic()
    assert refused(keys) == "TimeoutError"
    assert 4.5 < time.monotonic() - began < 6.0
    settled(keys)
    assert eventually(lambda: server.under_way == 0)


def test_compression_that_nobody_asked_for_is_undone(server: LyingServer, clock: Clock) -> None:
    """Some servers compress anyway."""
    keys = issuer_keys(server, clock, answer=zipped(json.dumps(key_set(0)).encode()))
    assert knows(keys, 0)
    assert server.headers["Accept-Encoding"] == "identity"


def test_an_answer_in_chunks_is_read(server: LyingServer, clock: Clock) -> None:
    """With and without a length."""
    body = json.dumps(key_set(0)).encode()
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:50], body[50:])]
    assert knows(issuer_keys(server, clock, answer=writes(CHUNKED, *chunks, b"0\r\n\r\n")), 0)
    assert knows(issuer_keys(server, clock, answer=writes(HEAD + b"\r\n", body)), 0)


def test_what_is_secret_in_an_address_stays_out_of_log_and_repr(
    server: LyingServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Some issuers have a key in the query: it is sent, and not logged."""
    keys = issuer_keys(server, clock, answer=says(403), jwks_uri=server.url("/keys?code=hush"))
    assert refused(keys) == "HTTP 403"
    assert server.asked["/keys"] == 1
    assert "hush" not in caplog.text + repr(keys)


def test_nobody_there_is_an_outage(clock: Clock) -> None:
    """For a closed port, and for URLs without TLS or without a host, which are never requested."""
    with LyingServer() as gone:
        address = gone.url("/keys")
    given = [address, "http://login.example/keys", "https://user:hush@login.example/keys", None]
    reasons = [
        refused(IssuerKeys(TrustedIssuer(issuer=ISSUER, audience=("us",), jwks_uri=url), clock)) for url in given
    ]
    assert reasons == ["NewConnectionError", *["there is no https:// URL to fetch from"] * 3]


def test_no_thread_to_be_had_is_an_outage(server: LyingServer, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot start a thread answers 503, not 500."""

    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    keys = issuer_keys(server, clock, answer=serves(key_set(0)))
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", no_thread)
        assert refused(keys) == "RuntimeError"
    clock.now += COOL_DOWN
    assert knows(keys, 0)


# Where it is


@pytest.fixture
def discovering(server: LyingServer, clock: Clock) -> IssuerKeys:
    server.answers["/metadata"] = tagged({"issuer": ISSUER, "jwks_uri": server.url("/keys")}, '"m"')
    return issuer_keys(server, clock, answer=serves(key_set(0)), jwks_uri=None, discovery=server.url("/metadata"))


def test_metadata_say_where_the_keys_are(server: LyingServer, discovering: IssuerKeys) -> None:
    """Both documents are fetched once."""
    assert all(knows(discovering, 0) for _ in range(100))
    assert server.asked == {"/metadata": 1, "/keys": 1}


def test_metadata_are_kept_like_the_set(server: LyingServer, clock: Clock, discovering: IssuerKeys) -> None:
    """An unknown ``kid`` does not fetch them again. When they expire, their ETag is sent."""
    assert knows(discovering, 0)
    clock.now += COOL_DOWN
    assert not knows(discovering, 1)
    assert server.asked == {"/metadata": 1, "/keys": 2}
    clock.now += DEFAULT_LIFETIME
    assert knows(discovering, 0)
    settled(discovering)
    assert server.asked == {"/metadata": 2, "/keys": 3}


def test_keys_that_have_moved_are_found(server: LyingServer, clock: Clock, discovering: IssuerKeys) -> None:
    """If the keys cannot be fetched, the next fetch reads the metadata again."""
    assert knows(discovering, 0)
    server.answers["/metadata"] = serves({"issuer": ISSUER, "jwks_uri": server.url("/moved")})
    server.answers["/moved"] = serves(key_set(0, 1))
    server.answers["/keys"] = says(404)
    clock.now += COOL_DOWN
    assert not knows(discovering, 1)
    clock.now += COOL_DOWN
    assert knows(discovering, 1)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": ISSUER + "/"},
        {"issuer": [ISSUER]},
        {"issuer": None},
        {"jwks_uri": "http://login.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://user:password@login.example/keys"},
        {"jwks_uri": ["https://login.example/keys"]},
        {"jwks_uri": None},
    ],
    ids=str,
)
def test_metadata_that_are_wrong_lead_nowhere(
    server: LyingServer, discovering: IssuerKeys, metadata: dict[str, Any]
) -> None:
    """Those of another issuer, and those with a URL that keys may not be fetched from."""
    server.answers["/metadata"] = serves({"issuer": ISSUER, "jwks_uri": server.url("/keys")} | metadata)
    assert "the metadata" in refused(discovering)
    assert server.asked == {"/metadata": 1}


@pytest.mark.usefixtures("hurried")
def test_both_documents_share_one_deadline(server: LyingServer, discovering: IssuerKeys) -> None:
    """Each is in time on its own, and both together are late."""
    for path in ("/metadata", "/keys"):
        server.answers[path] = late(0.35, server.answers[path])
    assert refused(discovering) == "TimeoutError"
    settled(discovering)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for this machine with its key, which is not trusted yet."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(private, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + built.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[LyingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with LyingServer(context) as running:
        yield running


def test_a_certificate_that_nobody_vouches_for_is_an_outage(tls_server: LyingServer, clock: Clock) -> None:
    """No request is sent to a server without a trusted certificate."""
    assert "SSL" in refused(issuer_keys(tls_server, clock, answer=serves(key_set(0))))
    assert not tls_server.asked


def test_keys_come_over_tls(
    tls_server: LyingServer, certificate: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a server with a certificate that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert knows(issuer_keys(tls_server, clock, answer=serves(key_set(0))), 0)


def test_a_certificate_for_another_host_is_an_outage(
    tls_server: LyingServer, certificate: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate with another name is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = tls_server.url("/keys").replace("127.0.0.1", "localhost")
    assert "SSL" in refused(issuer_keys(tls_server, clock, answer=serves(key_set(0)), jwks_uri=url))
    assert not tls_server.asked


@pytest.mark.usefixtures("hurried")
def test_a_drip_over_tls_is_cut(
    tls_server: LyingServer, certificate: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the deadline, and the thread ends."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    keys = issuer_keys(tls_server, clock, answer=drips(HEAD + b"\r\n" + b" " * 9999, 0.05))
    assert refused(keys) == "TimeoutError"
    settled(keys)


@pytest.mark.usefixtures("hurried")
def test_metadata_that_came_over_tls_do_not_lead_off_it(
    tls_server: LyingServer, server: LyingServer, certificate: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even to this machine, which an external issuer must not reach."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.answers["/metadata"] = serves({"issuer": ISSUER, "jwks_uri": server.url("/keys")})
    keys = issuer_keys(server, clock, answer=serves(key_set(0)), jwks_uri=None, discovery=tls_server.url("/metadata"))
    assert "no https:// URL" in refused(keys)
    assert not server.asked


# Processes

FORKING = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # what it says of forks is what is tested
from flask_jwt_extended._keys.jwks_client import IssuerKeys
from flask_jwt_extended._settings.issuers import TrustedIssuer

keys = IssuerKeys(TrustedIssuer(issuer="https://login.example", audience=("us",), jwks_uri=sys.argv[1]))
reader = threading.Thread(target=keys.candidates, args=("ES256", "any"))
reader.start()
while keys._fetch is None:
    time.sleep(0.01)
keys._lock.acquire()  # by a thread that the child does not have
child = os.fork()
if child == 0:
    os._exit(0 if keys.candidates("ES256", sys.argv[2]) else 1)
keys._lock.release()
status = os.waitpid(child, 0)[1]
reader.join()
sys.exit(os.waitstatus_to_exitcode(status))
"""

GREEN = """
from gevent import monkey
monkey.patch_all()
import sys, time, gevent
from flask_jwt_extended._keys.jwks_client import IssuerKeys
from flask_jwt_extended._settings.issuers import TrustedIssuer

keys = IssuerKeys(TrustedIssuer(issuer="https://login.example", audience=("us",), jwks_uri=sys.argv[1]))
began = time.monotonic()
readers = [gevent.spawn(keys.candidates, "ES256", sys.argv[2]) for _ in range(20)]
gevent.joinall(readers, raise_error=True)
assert all(reader.value for reader in readers)
assert time.monotonic() - began < 2
"""


def run(script: str, server: LyingServer) -> None:
    arguments = [sys.executable, "-c", script, server.url("/keys"), kid(0)]
    done = subprocess.run(
        arguments,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=20,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_child_that_was_forked_amid_a_fetch_makes_its_own(server: LyingServer) -> None:
    """It has neither the thread of its parent nor one that would release the lock."""
    server.answers["/keys"] = late(0.5, serves(key_set(0)))
    run(FORKING, server)
    assert server.asked["/keys"] == 2


@pytest.mark.server
def test_greenlets_share_one_fetch(server: LyingServer) -> None:
    """With gevent, other greenlets run during the fetch."""
    server.answers["/keys"] = late(0.3, serves(key_set(0)))
    run(GREEN, server)
    assert server.asked["/keys"] == 1
