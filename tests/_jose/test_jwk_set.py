"""JWK Sets: what is read, what is refused, what is published, and the states of keys."""

from __future__ import annotations

import json
import math
import warnings
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.exceptions import InvalidKeyError

from flask_jwt_extended import KeyRing
from flask_jwt_extended._jose import jwk_set as jwks
from flask_jwt_extended._jose import key_states as key_life
from flask_jwt_extended._jose.jwk_set import JWK, PRIVATE_MEMBERS, State, published, read_set, thumbprint, to_jwk
from flask_jwt_extended.exceptions import ConfigurationError

from .._keys.helpers import ASYMMETRIC, JWKS, SECRETS, public, without
from ..tokens import segment

RSA, EC, OCT = JWKS["RS256"], JWKS["ES256"], JWKS["HS256"]
#: The key of RFC 7638, section 3.1.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
    "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6q"
    "MQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJz"
    "KnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def test_a_thumbprint_is_made_of_the_members_that_make_the_key() -> None:
    """Order and private members make no difference (RFC 7638)."""
    shuffled = dict(reversed(RSA.items())) | {"kid": "another", "use": "sig", "x5t": "abc"}
    assert thumbprint(RSA) == thumbprint(public(RSA)) == thumbprint(shuffled) == RSA["kid"]
    assert len({thumbprint(jwk) for name, jwk in JWKS.items() if name[:2] not in ("RS", "PS")}) == len(JWKS) - 6


def test_the_thumbprint_of_the_rfc() -> None:
    """RFC 7638, section 3.1 gives a key and its thumbprint."""
    assert thumbprint(RFC_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("name", JWKS)
def test_a_key_is_named_by_its_thumbprint_unless_it_has_a_name(name: str) -> None:
    """The thumbprint is the same for every reader; a ``kid`` replaces it."""
    jwk = JWKS[name]
    assert [key.kid for key in read_set([without(jwk, "kid")])] == [thumbprint(jwk)]
    assert [key.kid for key in read_set([jwk | {"kid": "k1"}])] == ["k1"]


@pytest.mark.parametrize("name", JWKS)
def test_a_key_is_bound_to_its_algorithm(name: str) -> None:
    """To its ``alg``, or without one to the usual algorithm of its kind."""
    algorithm = name.removesuffix("-448")
    usual = {"RS": "RS256", "PS": "RS256", "HS": "HS256"}.get(algorithm[:2], algorithm)
    assert [key.key.algorithm for key in read_set([JWKS[name]])] == [algorithm]
    assert [key.key.algorithm for key in read_set([without(JWKS[name], "alg")])] == [usual]


def test_a_key_without_an_algorithm_serves_the_first_that_is_accepted_and_fits() -> None:
    """In the set of an issuer, the list of the issuer decides, for one algorithm only."""
    bare = [without(RSA, "alg", kid="r"), without(RSA, "alg", kid="s"), without(EC, "alg", kid="e")]
    found = read_set(bare, ("ES384", "HS256", "PS256", "RS256", "ES256"))
    assert [(key.kid, key.key.algorithm) for key in found] == [("r", "PS256"), ("s", "PS256"), ("e", "ES256")]
    assert read_set([RSA], ("PS256",)) == []


@pytest.mark.parametrize("document", [None, 5, "keys", b"keys", [5], {}, {"keys": 5}, {"keys": "x"}, {"keys": [None]}])
def test_what_is_no_set_is_refused(document: Any) -> None:
    """For every other type of value."""
    with pytest.raises(InvalidKeyError, match="JWK"):
        read_set(document)


def zero_before(text: str) -> str:
    return segment(b"\0" + urlsafe_b64decode(text + "=" * (-len(text) % 4)))


#: The last character of 32 octets in base64url, and one that stands for the same octets.
LAST = dict(zip("AEIMQUYcgkosw048", "BFJNRVZdhlptx159", strict=True))

BROKEN: list[tuple[str, Any]] = [
    ("no kty", without(RSA, "kty")),
    ("kty is no string", RSA | {"kty": 5}),
    ("kid is no string", RSA | {"kid": 5}),
    ("kid is a list", RSA | {"kid": ["x"]}),
    ("no modulus", without(RSA, "n")),
    ("no modulus and no kid", without(RSA, "n", "kid")),
    ("the modulus is a number", RSA | {"n": 5}),
    ("the modulus is no base64", RSA | {"n": "§§§"}),
    ("an exponent of zero", RSA | {"e": "AA"}),
    ("a private exponent of another key", RSA | {"d": "AQAB"}),
    ("no curve", without(EC, "crv")),
    ("an unknown curve", EC | {"crv": "P-999"}),
    ("the curve of another algorithm", EC | {"crv": "P-384"}),
    ("a point that is not on the curve", EC | {"x": EC["y"]}),
    ("a coordinate that is too long", EC | {"x": EC["x"] * 2}),
    ("a private key of another point", EC | {"d": "AQAB"}),
    ("an algorithm of another kind", EC | {"alg": "RS256"}),
    ("a secret that is a number", OCT | {"k": 5}),
    ("no secret", without(OCT, "k")),
    ("a public key as secret", to_jwk("HS256", SECRETS["HS256"]) | {"k": ""}),
    ("key_ops is a string", EC | {"key_ops": "verify"}),
    ("key_ops holds a list", EC | {"key_ops": [["verify"]]}),
    ("key_ops is null", EC | {"key_ops": None}),
    ("an operation is there twice", EC | {"key_ops": ["verify", "verify"]}),
    ("use and key_ops contradict", EC | {"use": "sig", "key_ops": ["wrapKey"]}),
    ("use and key_ops contradict the other way", EC | {"use": "enc", "key_ops": ["verify"]}),
    ("use is a number", EC | {"use": 5}),
    ("use is null", EC | {"use": None}),
    ("alg is a number", EC | {"alg": 5}),
    ("alg is a list", EC | {"alg": ["ES256"]}),
    ("kid is null", EC | {"kid": None}),
    *((f"{name} is padded", RSA | {name: RSA[name] + "=" * (-len(RSA[name]) % 4 or 4)}) for name in ("n", "e", "d")),
    *((f"{name} has a leading zero octet", RSA | {name: zero_before(RSA[name])}) for name in ("n", "e", "d")),
    *((f"{name} has white space", RSA | {name: RSA[name] + "\n"}) for name in ("n", "e")),
    ("the modulus is even", RSA | {"n": RSA["n"][:-1] + ("g" if RSA["n"][-1] == "w" else "A")}),
    ("the exponent is one", RSA | {"e": "AQ"}),
    ("the exponent is even", RSA | {"e": "AQAC"}),
    ("the exponent is huge", RSA | {"e": RSA["n"]}),
    ("the exponent is longer than 256 bits", RSA | {"e": segment(b"\1" + b"\0" * 31 + b"\1")}),
    ("the modulus is huge", RSA | {"n": segment(b"\1" + b"\0" * 4000 + b"\1")}),
    ("a third prime", RSA | {"oth": []}),
    ("a coordinate is padded", EC | {"x": EC["x"] + "="}),
    ("a coordinate ends in other bits", EC | {"x": EC["x"][:-1] + LAST[EC["x"][-1]]}),
    ("a coordinate in standard Base64", EC | {"x": "+" + EC["x"][1:]}),
    ("a coordinate lacks an octet", EC | {"x": segment(b"\1" * 31)}),
    ("a coordinate has an octet more", EC | {"y": segment(b"\0" + b"\1" * 32)}),
    ("a public key of the wrong length", JWKS["EdDSA"] | {"x": segment(b"\1" * 57)}),
    ("a private key of the wrong length", JWKS["EdDSA"] | {"d": segment(b"\1" * 31)}),
    ("the curve of another kty", EC | {"crv": "Ed25519"}),
    ("an empty secret", OCT | {"k": ""}),
    ("a padded secret", OCT | {"k": OCT["k"] + "="}),
    ("an unknown state", EC | {"state": "asleep"}),
    ("a state that is a list", EC | {"state": ["next"]}),
    ("an end that is no time", EC | {"until": "soon"}),
    ("an end that is a list", EC | {"until": []}),
    ("an end that is not finite", EC | {"until": math.nan}),
    ("a weak RSA key", to_jwk("RS256", rsa.generate_private_key(65537, 1024))),
    ("a short secret", to_jwk("HS256", b"12345678")),
    ("a secret shorter than its hash", to_jwk("HS512", SECRETS["HS256"])),
]


@pytest.mark.parametrize("jwk", [jwk for _, jwk in BROKEN], ids=[name for name, _ in BROKEN])
def test_a_broken_key_is_refused_without_a_word_of_it(jwk: dict[str, Any]) -> None:
    """The error can be logged: it contains no member of the key, not even a public one."""
    with pytest.raises(InvalidKeyError) as raised:
        read_set([jwk])
    told = str(raised.value) + repr(raised.value)
    members = (jwk.get(name) for name in (*PRIVATE_MEMBERS, "n", "x", "y"))
    assert not [value for value in members if isinstance(value, str) and len(value) > 3 and value in told]


def test_two_keys_of_one_name_are_refused() -> None:
    """It would be ambiguous which key is meant, even if both are the same key."""
    for jwks_ in ([RSA | {"kid": "1"}, EC | {"kid": "1"}], [RSA, RSA], [without(RSA, "kid"), without(RSA, "kid")]):
        with pytest.raises(InvalidKeyError, match="same kid"):
            read_set({"keys": jwks_})


def test_secrets_do_not_mix_with_public_keys() -> None:
    """In a mixed set, one could be taken for the other."""
    with pytest.raises(InvalidKeyError, match="must not mix"):
        read_set([OCT, EC])


def test_a_key_of_an_unknown_kind_is_passed_over_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A set may contain newer kinds of keys (RFC 7517, section 5). With -W error, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_set([{"kty": "AKP", "kid": "new", "pub": "abc"}, EC])
    assert [key.kid for key in found] == [EC["kid"]]
    assert "'AKP'" in caplog.text


@pytest.mark.parametrize(
    ("members", "is_read"),
    [
        ({}, True),
        ({"use": "sig"}, True),
        ({"use": "enc"}, False),
        ({"use": "tls"}, False),
        ({"key_ops": ["verify"]}, True),
        ({"key_ops": ["sign", "verify"]}, True),
        ({"key_ops": ["sign"]}, False),
        ({"use": "enc", "key_ops": ["wrapKey"]}, False),
        ({"key_ops": ["encrypt", "verify"]}, True),
        ({"key_ops": ["encrypt"]}, False),
        ({"key_ops": []}, False),
        ({"use": "sig", "key_ops": ["verify", "vendor"]}, True),
        ({"alg": "RSA-OAEP"}, False),
        ({"alg": "none"}, False),
    ],
)
def test_a_key_for_something_else_is_passed_over(members: dict[str, Any], is_read: bool) -> None:
    """``use``, ``key_ops`` and ``alg`` are honoured (RFC 7517, section 4)."""
    assert bool(read_set([public(EC) | members])) is is_read


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        (1_800_000_000, 1_800_000_000.0),
        (1_800_000_000.5, 1_800_000_000.5),
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15T09:00:00+01:00", 1_800_000_000.0),
        ("2027-01-15T08:00:00", 1_800_000_000.0),
        ("2027-01-15", 1_799_971_200.0),
        (None, math.inf),
    ],
)
def test_the_end_of_a_key_may_be_written_in_two_ways(until: Any, seconds: float) -> None:
    """In seconds since the epoch, or in ISO 8601, in UTC unless it has an offset."""
    (found,) = read_set([EC | {"state": "retiring", "until": until}])
    assert (found.state, found.until) == (State.RETIRING, seconds)


def test_the_first_active_key_signs_and_all_verify() -> None:
    """The order decides between two active keys; next and retiring keys never sign."""
    listed = [
        JWKS["ES384"] | {"state": "next"},
        JWKS["ES512"] | {"state": "retiring"},
        JWKS["ES256"],
        JWKS["EdDSA"] | {"state": "active"},
    ]
    ring = KeyRing.from_jwks(listed)
    assert ring.signer is not None
    assert ring.signer[0] == EC["kid"]
    for jwk in listed:
        assert [key.algorithm for key in ring.candidates(jwk["alg"], jwk["kid"])] == [jwk["alg"]]
    assert KeyRing.from_jwks([JWKS["ES384"] | {"state": "next"}]).signer is None


def test_a_ring_for_a_loader_has_no_clock() -> None:
    """A key with an ``until`` would verify for ever, so it is refused."""
    with pytest.raises(InvalidKeyError, match="leave out a key when it retires"):
        KeyRing.from_jwks([EC, JWKS["ES384"] | {"state": "retiring", "until": "2027-01-31"}])


# --- what is published ----------------------------------------------------------------------------------------------


#: Names of members that no registry knows.
UNKNOWN = st.text().map("x-".__add__)


@settings(deadline=None, max_examples=40)  # to check a private RSA key takes a while
@given(st.lists(st.sampled_from(ASYMMETRIC), unique=True), st.dictionaries(UNKNOWN, st.text()), st.data())
def test_nothing_private_is_ever_published(names: list[str], strange: dict[str, str], data: st.DataObject) -> None:
    """For all kinds of keys with any other members, only known public members are published."""
    kinds = {"RS": "rsa", "PS": "rsa"}
    chosen = list({kinds.get(name[:2], name): name for name in names}.values())
    states = st.sampled_from([state.value for state in State])
    listed = [strange | JWKS[name] | {"state": data.draw(states)} for name in chosen]
    document = published(read_set(listed))
    allowed = {"kty", "n", "e", "crv", "x", "y", "kid", "alg", "use"}
    assert [jwk["kid"] for jwk in document["keys"]] == [JWKS[name]["kid"] for name in chosen]
    for jwk, name in zip(document["keys"], chosen, strict=True):
        assert set(jwk) <= allowed
        assert jwk["use"] == "sig"
        assert thumbprint(jwk) == thumbprint(JWKS[name])
    assert [each.public for each in read_set(document)] == document["keys"]


def test_a_secret_is_never_published() -> None:
    """Nor does ``repr`` show it."""
    keys = read_set([JWKS[name] for name in ("HS384", "HS512")] + [OCT | {"kid": "s"}])
    assert published(keys) == {"keys": []}
    assert OCT["k"] not in repr(keys)
    assert EC["d"] not in repr(read_set([EC]))


# --- the life of a key ----------------------------------------------------------------------------------------------

NOW = 1_800_000_000.0


@pytest.mark.parametrize("algorithm", [*SECRETS, "RS256", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA"])
def test_a_new_key_is_strong_and_signs_after_a_rotation(algorithm: str) -> None:
    """For every algorithm, a new key is *next*, has the time of its creation, and is valid."""
    new = key_life.generate(algorithm, NOW)
    (read,) = read_set([new])
    assert (read.kid, read.key.algorithm, read.state) == (thumbprint(new), algorithm, State.NEXT)
    assert new["created"] == NOW
    assert read.key.verify(b"message", read.key.sign(b"message"))
    assert thumbprint(key_life.generate(algorithm, NOW)) != thumbprint(new)


@pytest.mark.parametrize(
    "algorithm", ["none", "", "RS", "RS1", "RS2048", "ES", "HS", "HS1", "HS255", "eddsa", "A128KW"]
)
def test_there_is_no_key_for_what_is_no_algorithm(algorithm: str) -> None:
    """A typing error makes no key."""
    with pytest.raises(ConfigurationError, match="no algorithm"):
        key_life.generate(algorithm, NOW)


def states(members: list[key_life.Member]) -> list[tuple[str, str, Any]]:
    return [(each["alg"], each["state"], each.get("until")) for each in members]


def member(name: str, state: str, **others: Any) -> dict[str, Any]:
    return JWKS[name] | {"state": state, "created": NOW} | others


def test_the_first_key_signs_at_once_and_the_others_wait() -> None:
    """No verifier has an older set."""
    first = key_life.added([], member("ES256", "next"))
    second = key_life.added(first, member("ES384", "next"))
    assert states(second) == [("ES256", "active", None), ("ES384", "next", None)]
    assert states(key_life.added([], member("ES256", "retiring"))) == [("ES256", "retiring", None)]


def test_a_key_is_not_added_twice() -> None:
    """Nor with the ``kid`` or the thumbprint of another key."""
    for twin in (
        member("ES256", "next"),
        without(member("ES256", "next"), "kid"),
        member("ES384", "next", kid=EC["kid"]),
    ):
        with pytest.raises(ConfigurationError, match="already"):
            key_life.added([without(member("ES256", "active"), "kid")], twin)


def test_a_rotation_lets_the_oldest_next_key_sign() -> None:
    """The active keys retire after the overlap; other keys do not change."""
    listed = [
        member("ES256", "active"),
        member("PS256", "retiring", until=NOW + 5),
        without(member("EdDSA", "?"), "state"),
        member("ES384", "next"),
        member("ES512", "next"),
    ]
    listed[2]["state"] = "active"
    assert states(key_life.rotated(listed, now=NOW + 400, overlap=60, ahead=300)) == [
        ("ES384", "active", None),
        ("ES256", "retiring", NOW + 460),
        ("PS256", "retiring", NOW + 5),
        ("EdDSA", "retiring", NOW + 460),
        ("ES512", "next", None),
    ]


def test_a_key_does_not_sign_before_verifiers_can_know_it() -> None:
    """Verifiers may cache the set for some time."""
    listed = [member("ES256", "active"), member("ES384", "next")]
    with pytest.raises(ConfigurationError, match="less than 300 seconds ago"):
        key_life.rotated(listed, now=NOW + 299, overlap=60, ahead=300)
    assert key_life.rotated(listed, now=NOW + 300, overlap=60, ahead=300)


def test_without_a_next_key_there_is_no_rotation() -> None:
    """The error names the command that makes one."""
    with pytest.raises(ConfigurationError, match="flask jwt keys generate"):
        key_life.rotated([member("ES256", "active")], now=NOW, overlap=60, ahead=0)


def test_retiring_never_prolongs_a_life() -> None:
    """An earlier ``until`` stays, in both notations."""
    for until in (NOW + 10, "2027-01-15T08:00:10Z"):
        listed = [member("ES384", "active"), member("ES256", "retiring", until=until)]
        assert states(key_life.retired(listed, kid=EC["kid"], until=NOW + 99))[1] == ("ES256", "retiring", NOW + 10)
        assert states(key_life.retired(listed, kid=EC["kid"], until=NOW))[1] == ("ES256", "retiring", NOW)


def test_the_last_key_that_signs_does_not_retire() -> None:
    """Nor does an unknown key."""
    listed = [member("ES256", "active"), member("ES384", "next")]
    with pytest.raises(ConfigurationError, match="rotate first"):
        key_life.retired(listed, kid=EC["kid"], until=NOW)
    with pytest.raises(ConfigurationError, match="no key nobody"):
        key_life.retired(listed, kid="nobody", until=NOW)


def test_a_key_without_a_name_retires_by_its_thumbprint() -> None:
    """A hand-written set may have no ``kid``."""
    listed = [member("ES384", "active"), without(member("ES256", "active"), "kid")]
    assert states(key_life.retired(listed, kid=thumbprint(EC), until=NOW))[1] == ("ES256", "retiring", NOW)


def test_keys_that_verify_no_more_are_left_out() -> None:
    """From their last second."""
    listed = [member("ES256", "active"), member("ES384", "retiring", until=NOW + 1)]
    assert len(key_life.without_retired(listed, NOW)) == 2
    assert len(key_life.without_retired(listed, NOW + 1)) == 1


@pytest.mark.parametrize("key", [x25519.X25519PrivateKey.generate(), dsa.generate_private_key(1024), object()])
def test_a_key_for_no_signature_is_told_by_its_type(key: Any) -> None:
    """A key for key agreement, an old DSA key, and other objects are refused."""
    with pytest.raises(InvalidKeyError, match="not a key for signatures"):
        jwks.usual_algorithm_of(key)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(sorted(EC)),
)
def test_no_value_of_a_member_leads_to_anything_but_a_key_or_the_error(value: Any, name: str) -> None:
    """For any JSON value of a member."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = read_set([EC | {name: value}])
        except InvalidKeyError:
            return
    assert all(isinstance(each, JWK) for each in found)
    assert json.dumps(published(found))
