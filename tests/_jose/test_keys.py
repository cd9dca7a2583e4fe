"""Keys: every form for every algorithm, keys that do not fit, messages without secrets, and the cache."""

from __future__ import annotations

import datetime
import json
import re
import warnings
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from types import MappingProxyType
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from flask import Flask
from jwt.exceptions import InvalidKeyError
from jwt.warnings import InsecureKeyLengthWarning

from flask_jwt_extended import create_access_token, decode_token
from flask_jwt_extended._jose.keys import PREPARED_KEYS, Key, KeyRing, prepare

from ..conftest import ED448, PRIVATE_KEYS, SECRET, SYMMETRIC, MakeApp, pem
from ..tokens import segment

MESSAGE = b"what is signed"
CURVES = ("ES256", "ES384", "ES512", "ES256K")
#: Every asymmetric algorithm, EdDSA on both of its curves.
PAIRS: list[tuple[str, Any]] = [*PRIVATE_KEYS.items(), ("EdDSA", ED448)]


@dataclass(frozen=True)
class Case:
    """One form of the key of one algorithm."""

    algorithm: str
    form: str
    material: Any
    pair: Any = None

    def __str__(self) -> str:
        return f"{self.algorithm}, {self.form}"


def jwk_of(algorithm: str, key: Any) -> dict[str, Any]:
    return dict(jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True))


def forms(algorithm: str, key: Any) -> dict[str, Any]:
    """The forms that a private and a public key have in common."""
    jwk = jwk_of(algorithm, key)
    return {
        "key object": key,
        "JWK": jwk,
        "JWK that names its algorithm": {**jwk, "alg": algorithm},
        "PyJWK": jwt.PyJWK(jwk, algorithm),
    }


def private_forms(algorithm: str, key: Any) -> dict[str, Any]:
    text = pem(key)[0]
    found = {"PEM": text, "PEM in bytes": text.encode(), **forms(algorithm, key), "Key": prepare(algorithm, text)}
    if algorithm != "EdDSA":
        found["PEM of OpenSSL"] = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return found


def public_forms(algorithm: str, pair: Any) -> dict[str, Any]:
    text, key = pem(pair)[1], pair.public_key()
    found = {"PEM": text, "PEM in bytes": text.encode(), **forms(algorithm, key), "Key": prepare(algorithm, text)}
    if isinstance(key, rsa.RSAPublicKey):
        found["PEM of PKCS 1"] = key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    if algorithm != "ES256K" and pair is not ED448:
        found["SSH"] = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        found["SSH as text"] = found["SSH"].decode()
    return found


def cases(of: Any, pairs: list[tuple[str, Any]]) -> list[Case]:
    half = of.__name__.partition("_")[0]
    return [
        Case(name, f"{half} {form} of {getattr(pair, 'curve', pair).__class__.__name__}", material, pair)
        for name, pair in pairs
        for form, material in of(name, pair).items()
    ]


def secret_forms(algorithm: str, secret: str) -> dict[str, Any]:
    jwk = {"kty": "oct", "k": segment(secret.encode())}
    return {
        "text": secret,
        "bytes": secret.encode(),
        "JWK": jwk,
        "JWK that names its algorithm": {**jwk, "alg": algorithm},
        "PyJWK": jwt.PyJWK(jwk, algorithm),
        "Key": prepare(algorithm, secret),
    }


PRIVATE = cases(private_forms, PAIRS)
PUBLIC = cases(public_forms, PAIRS)
SECRETS = cases(secret_forms, [(name, SECRET) for name in SYMMETRIC])


@cache
def reference(algorithm: str, material: Any) -> tuple[Any, Any]:
    """PyJWT's own implementation of an algorithm, and this key prepared by it."""
    implementation = jwt.get_algorithm_by_name(algorithm)
    return implementation, implementation.prepare_key(material)


# --- every form ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PRIVATE, ids=str)
def test_a_private_key_signs_and_verifies_in_every_form(case: Case) -> None:
    """PyJWT verifies what any form of a private key signed, and the key verifies what PyJWT signed."""
    key = prepare(case.algorithm, case.material)
    implementation, public = reference(case.algorithm, pem(case.pair)[1])
    assert implementation.verify(MESSAGE, public, key.sign(MESSAGE))
    verifies_like_pyjwt(key, case)


@pytest.mark.parametrize("case", PUBLIC, ids=str)
def test_a_public_key_verifies_and_does_not_sign_in_every_form(case: Case) -> None:
    """The error of a public key that should sign names the fix."""
    key = prepare(case.algorithm, case.material)
    verifies_like_pyjwt(key, case)
    with pytest.raises(InvalidKeyError, match=f"cannot sign with {case.algorithm}: configure the private key"):
        key.sign(MESSAGE)


def verifies_like_pyjwt(key: Key, case: Case) -> None:
    implementation, private = reference(case.algorithm, pem(case.pair)[0])
    signature = implementation.sign(MESSAGE, private)
    is_prepared_once_and_shows_no_secret(key, case)
    assert key.verify(MESSAGE, signature) is True
    assert key.verify(MESSAGE + b"!", signature) is False


@pytest.mark.parametrize("case", SECRETS, ids=str)
def test_a_secret_signs_and_verifies_in_every_form(case: Case) -> None:
    """A secret signs and verifies as PyJWT does."""
    implementation, secret = reference(case.algorithm, SECRET)
    key = prepare(case.algorithm, case.material)
    is_prepared_once_and_shows_no_secret(key, case)
    assert key.sign(MESSAGE) == implementation.sign(MESSAGE, secret)
    assert key.verify(MESSAGE, key.sign(MESSAGE)) is True
    assert key.verify(MESSAGE + b"!", key.sign(MESSAGE)) is False


@pytest.mark.parametrize(("algorithm", "pair"), PAIRS)
@pytest.mark.parametrize("half", [0, 1], ids=["private", "public"])
def test_a_signature_of_any_length_and_content_is_false(algorithm: str, pair: Any, half: int) -> None:
    """No octets in place of a signature raise an error."""
    key = prepare(algorithm, pem(pair)[half])
    genuine = prepare(algorithm, pem(pair)[0]).sign(MESSAGE)
    for signature in (
        b"",
        b"\0",
        bytes(len(genuine)),
        b"\xff" * len(genuine),
        genuine[:-1],
        genuine + b"\0",
        genuine * 9,
    ):
        assert key.verify(MESSAGE, signature) is False


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_an_hmac_of_another_length_is_no_signature(algorithm: str) -> None:
    """Neither the beginning of an HMAC nor an HMAC with more after it is valid."""
    key = prepare(algorithm, SECRET)
    genuine = key.sign(MESSAGE)
    for signature in (b"", genuine[:-1], genuine[:1], genuine + b"\0", genuine * 2):
        assert key.verify(MESSAGE, signature) is False


def is_prepared_once_and_shows_no_secret(key: Key, case: Case) -> None:
    assert prepare(case.algorithm, case.material) is key  # parsing a key costs more than a signature
    assert key.algorithm == case.algorithm
    assert repr(key) == str(key) == f"<Key {case.algorithm}>"
    assert repr(KeyRing([key])) == f"<KeyRing {case.algorithm}>"


@cache
def other_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def stranger_to(pair: Any) -> Any:
    """Another key of the same kind."""
    if isinstance(pair, rsa.RSAPrivateKey):
        return other_rsa_key()
    if isinstance(pair, ec.EllipticCurvePrivateKey):
        return ec.generate_private_key(pair.curve)
    return (ed448.Ed448PrivateKey if pair is ED448 else ed25519.Ed25519PrivateKey).generate()


@pytest.mark.parametrize(("algorithm", "pair"), PAIRS)
def test_a_signature_by_another_key_of_the_same_kind_is_refused(algorithm: str, pair: Any) -> None:
    """A key verifies only its own signatures."""
    signature = prepare(algorithm, stranger_to(pair)).sign(MESSAGE)
    assert prepare(algorithm, pair).verify(MESSAGE, signature) is False


# --- what is no key --------------------------------------------------------------------------------------------------


def certificate() -> x509.Certificate:
    """A certificate that RSA key signed for itself."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2020, 1, 1)
    builder = x509.CertificateBuilder(name, name, PRIVATE_KEYS["RS256"].public_key(), 1, start, start.replace(2040))
    return builder.sign(PRIVATE_KEYS["RS256"], hashes.SHA256())


#: A public key on secp112r1, which OpenSSL knows and cryptography does not.
UNKNOWN_CURVE = """-----BEGIN PUBLIC KEY-----
MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEHjIs9Q8M/XWl1lWJsgmhlRl6IoaSqfJPqvu9Kw==
-----END PUBLIC KEY-----
"""
#: A public key of an unknown kind (1.2.3.4.5).
UNKNOWN_KIND = "-----BEGIN PUBLIC KEY-----\nMAwwBgYEKgMEBQMCAAE=\n-----END PUBLIC KEY-----\n"
CIRCULAR: dict[str, Any] = {"kty": "oct"}
CIRCULAR["k"] = CIRCULAR
NO_KEYS: dict[str, Any] = {
    "nothing": None,
    "a number": 5,
    "a list": [SECRET],
    "an object": object(),
    "empty text": "",
    "no bytes": b"",
    "a lone surrogate": "\ud800",
    "an empty JWK": {},
    "a JWK with a number for a name": {1: "oct", "kty": "oct"},
    "a JWK that holds itself": CIRCULAR,
    "a JWK of an unknown kind": {"kty": "mystery"},
    "an oct JWK without a secret": {"kty": "oct"},
    "an oct JWK with a number": {"kty": "oct", "k": 5},
    "an oct JWK with an empty secret": {"kty": "oct", "k": ""},
    "an oct JWK that is no base64": {"kty": "oct", "k": "A"},
    "an RSA JWK without members": {"kty": "RSA"},
    "an RSA JWK without exponent": {"kty": "RSA", "n": "AQAB"},
    "an RSA JWK with numbers": {"kty": "RSA", "n": 5, "e": 3},
    "an RSA JWK with a private exponent that is none": {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"},
    "an EC JWK without members": {"kty": "EC"},
    "an EC JWK without curve": {"kty": "EC", "x": "AA", "y": "AA"},
    "an EC JWK with numbers": {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
    "an EC JWK off its curve": {"kty": "EC", "crv": "P-256", "x": segment(bytes(32)), "y": segment(bytes(32))},
    "an OKP JWK without members": {"kty": "OKP"},
    "an OKP JWK too short": {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
    "an OKP JWK for key agreement": {"kty": "OKP", "crv": "X25519", "x": segment(bytes(32))},
}
NO_ASYMMETRIC_KEYS: dict[str, Any] = {
    "a password": "hunter2",
    "bytes at random": b"\xff\xfe\0" * 30,
    "a PEM cut short": pem(PRIVATE_KEYS["RS256"])[0][:200],
    "a PEM without content": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
    "a certificate": certificate().public_bytes(Encoding.PEM),
    "DER": PRIVATE_KEYS["ES256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "a JWK as text": json.dumps(jwk_of("ES256", PRIVATE_KEYS["ES256"].public_key())),
    "an SSH key cut short": "ssh-rsa AAAA",
    "an SSH key of ECDSA cut short": "ecdsa-sha2-nistp256 AAAA",
    "a PEM behind a password": PRIVATE_KEYS["ES256"].private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    ),
    "a key for key agreement": x25519.X25519PrivateKey.generate(),
    "a PEM for key agreement": pem(x25519.X25519PrivateKey.generate())[0],
    "a public PEM for key agreement": pem(x25519.X25519PrivateKey.generate())[1],
    "an unknown curve": UNKNOWN_CURVE,
    "an unknown kind": UNKNOWN_KIND,
    "an oct JWK": {"kty": "oct", "k": segment(SECRET.encode())},
}
ONE_OF_EACH_KIND = ("HS256", "RS256", "PS256", "ES256", "ES256K", "EdDSA")


@pytest.mark.parametrize("material", NO_KEYS.values(), ids=NO_KEYS)
def test_material_that_is_not_a_key_is_refused(material: Any) -> None:
    """Every mistake in key material is one error, whatever PyJWT and cryptography raise."""
    for algorithm in ONE_OF_EACH_KIND:
        with pytest.raises(InvalidKeyError):
            prepare(algorithm, material)


@pytest.mark.parametrize("material", NO_ASYMMETRIC_KEYS.values(), ids=NO_ASYMMETRIC_KEYS)
def test_material_that_is_not_an_asymmetric_key_is_refused(material: Any) -> None:
    """The same for material that only an asymmetric algorithm has to refuse."""
    for algorithm in ONE_OF_EACH_KIND[1:]:
        with pytest.raises(InvalidKeyError):
            prepare(algorithm, material)


def family(algorithm: str) -> str:
    return {"PS": "RS"}.get(algorithm[:2], algorithm if algorithm in CURVES else algorithm[:2])


SOURCES = ("RS256", *CURVES, "EdDSA")


@pytest.mark.parametrize("source", SOURCES)
def test_a_key_of_another_kind_or_curve_is_refused(source: str) -> None:
    """A key is bound to its algorithm: RSA, each curve, and EdDSA are separate in every form."""
    for number, case in enumerate(each for each in (*PRIVATE, *PUBLIC) if each.algorithm == source):
        others = [each for each in PRIVATE_KEYS if family(each) != family(source)]
        for wanted in (others[number % len(others)], others[(number + 1) % len(others)]):
            with pytest.raises(InvalidKeyError):
                prepare(wanted, case.material)


@pytest.mark.parametrize(("named", "wanted"), [("RS256", "RS512"), ("RS256", "PS256"), ("PS384", "PS256")])
@pytest.mark.parametrize("form", ["JWK that names its algorithm", "PyJWK", "Key"])
def test_a_key_that_names_its_algorithm_is_not_used_with_another(named: str, wanted: str, form: str) -> None:
    """An RSA key with an algorithm is not used with another one."""
    with pytest.raises(InvalidKeyError, match=f"A key for {named} cannot be used with {wanted}"):
        prepare(wanted, private_forms(named, PRIVATE_KEYS[named])[form])


@pytest.mark.parametrize("form", ["JWK that names its algorithm", "PyJWK", "Key"])
def test_a_secret_that_names_its_algorithm_is_not_used_with_another(form: str) -> None:
    """The same for a secret."""
    with pytest.raises(InvalidKeyError, match="A key for HS512 cannot be used with HS256"):
        prepare("HS256", secret_forms("HS512", SECRET)[form])


# --- a public key is no secret ---------------------------------------------------------------------------------------


def disguises(algorithm: str, pair: Any) -> dict[str, Any]:
    """The forms in which a public key may be mistaken for a secret."""
    public, found = pair.public_key(), public_forms(algorithm, pair)
    del found["Key"]
    jwk = {**jwk_of(algorithm, public), "kid": "k"}
    return {
        **found,
        "PEM behind a comment": "# our key\n" + found["PEM"],
        "PEM on one line": found["PEM"].replace("\n", " "),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK as text": json.dumps(jwk),
        "JWK as bytes": json.dumps(jwk, indent=1).encode(),
        "JWK Set as text": json.dumps({"keys": [jwk]}),
    }


DISGUISES = [
    *cases(disguises, [(name, PRIVATE_KEYS[name]) for name in SOURCES]),
    Case("RS256", "certificate in PEM", certificate().public_bytes(Encoding.PEM)),
    Case("RS256", "certificate in DER", certificate().public_bytes(Encoding.DER)),
]


@pytest.mark.parametrize("case", DISGUISES, ids=str)
def test_a_public_key_is_never_a_secret(case: Case) -> None:
    """Everyone knows a public key: as a secret, it would verify forged tokens (CVE-2022-29217)."""
    for algorithm in SYMMETRIC:
        with pytest.raises(InvalidKeyError):
            prepare(algorithm, case.material)


# --- short keys ------------------------------------------------------------------------------------------------------

#: By algorithm, the octets of the shortest secret that is long enough (RFC 7518, section 3.2).
LEAST = {"HS256": 32, "HS384": 48, "HS512": 64}


def length_warnings(key: Key) -> list[str]:
    return [str(each) for each in key.weaknesses if isinstance(each, InsecureKeyLengthWarning)]


@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
@pytest.mark.parametrize(("algorithm", "size"), LEAST.items())
def test_a_secret_shorter_than_its_hash_is_known_as_weak(algorithm: str, size: int, form: Any) -> None:
    """It works, and has a warning; with one octet more it has none."""
    text = token_hex(size)
    weak = prepare(algorithm, form(text[: size - 1]))
    assert re.search(f"{size - 1} bytes long.* {size} bytes", "".join(length_warnings(weak)))
    assert weak.verify(MESSAGE, weak.sign(MESSAGE))
    assert not prepare(algorithm, form(text[:size])).weaknesses


@cache
def small_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
@pytest.mark.parametrize("form", ["PEM", "PEM in bytes", "key object", "JWK", "PyJWK", "PEM of OpenSSL"])
def test_a_small_rsa_key_is_known_as_weak(algorithm: str, form: str) -> None:
    """So is an RSA key of fewer than 2048 bits, in every form."""
    assert "1024 bits" in "".join(length_warnings(prepare(algorithm, private_forms(algorithm, small_rsa_key())[form])))
    assert not prepare(algorithm, private_forms(algorithm, PRIVATE_KEYS["RS256"])[form]).weaknesses


@pytest.mark.parametrize("form", ["PEM", "PEM in bytes", "JWK", "key object"])
def test_an_application_is_warned_of_a_small_rsa_key_once(form: str, make_app: MakeApp) -> None:
    """The warning is issued when the key is first used, not for every token."""
    private = private_forms("RS384", rsa.generate_private_key(65537, 1024))[form]
    app = make_app(ALGORITHM="RS384", PRIVATE_KEY=private, PUBLIC_KEY=private)
    assert warnings_of(app) == [InsecureKeyLengthWarning]


@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
def test_an_application_is_warned_of_a_short_secret_once(form: Any, make_app: MakeApp) -> None:
    """The same for a secret."""
    assert warnings_of(make_app(SECRET_KEY=form(token_hex(8)))) == [InsecureKeyLengthWarning]


def warnings_of(app: Flask) -> list[type[Warning]]:
    """Issue and verify a few tokens, and return the warnings."""
    with app.app_context(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            decode_token(create_access_token("me"))
    return [each.category for each in caught]


# --- prepared once ---------------------------------------------------------------------------------------------------


def test_equal_material_is_the_same_material() -> None:
    """A loader may read its key for each request: it is prepared once."""
    private, public = pem(PRIVATE_KEYS["RS256"])
    assert prepare("RS256", "".join(private.splitlines(True))) is prepare("RS256", private)
    jwk = jwk_of("RS256", PRIVATE_KEYS["RS256"].public_key())
    assert prepare("RS256", dict(jwk)) is prepare("RS256", dict(jwk))
    assert prepare("RS256", public) is not prepare("RS256", private)


def test_one_material_is_one_key_for_each_algorithm() -> None:
    """A prepared key is never returned for another algorithm."""
    text = pem(PRIVATE_KEYS["RS256"])[0]
    names = ["RS256", "RS512", "PS256"]
    assert [prepare(name, text).algorithm for name in names * 2] == names * 2
    assert [prepare(name, SECRET).algorithm for name in SYMMETRIC * 2] == list(SYMMETRIC * 2)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_jwk_changed_in_place_is_another_key(read_only: bool) -> None:
    """The cache compares the members of a mapping, not its identity."""
    jwk = {"kty": "oct", "k": segment(SECRET.encode())}
    material = MappingProxyType(jwk) if read_only else jwk
    before = prepare("HS256", material).sign(MESSAGE)
    jwk["k"] = segment(SECRET[::-1].encode())
    assert prepare("HS256", material).sign(MESSAGE) == prepare("HS256", SECRET[::-1]).sign(MESSAGE) != before


def test_preparing_a_jwk_leaves_it_as_it_was() -> None:
    """The mapping is not changed."""
    jwk = jwk_of("EdDSA", ED448)
    before = dict(jwk)
    prepare("EdDSA", jwk)
    assert jwk == before


def test_the_number_of_prepared_keys_is_bounded() -> None:
    """A loader with a key for every tenant does not fill the memory: the least recently used key is dropped."""
    first = prepare("HS256", SECRET + "first")
    for number in range(PREPARED_KEYS):
        prepare("HS256", f"{SECRET}{number}")
    again = prepare("HS256", SECRET + "first")
    assert again is not first
    assert again.verify(MESSAGE, first.sign(MESSAGE))


# --- rings, and what is shown ----------------------------------------------------------------------------------------


def test_a_ring_names_the_candidates_of_an_algorithm_in_order() -> None:
    """The keys that may verify are those bound to the algorithm, in their order."""
    first, other, second = prepare("HS256", SECRET), prepare("HS512", SECRET), prepare("HS256", SECRET * 2)
    ring = KeyRing([first, other, second])
    assert ring.candidates("HS256") == (first, second)
    assert ring.candidates("HS512") == (other,)
    assert ring.candidates("RS256") == ring.candidates("none") == KeyRing([]).candidates("HS256") == ()


@pytest.mark.parametrize(
    ("algorithm", "material"),
    [
        ("RS256", "hunter2"),
        ("ES256", b"hunter2"),
        ("EdDSA", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"),
        ("RS256", {"kty": "RSA", "n": "hunter2", "e": "hunter2", "d": "hunter2"}),
        ("ES256", {"kty": "EC", "crv": "P-256", "x": "hunter2", "y": "hunter2", "d": "hunter2"}),
        ("EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": "hunter2", "d": "hunter2"}),
        ("HS256", {"kty": "oct", "k": ["hunter2"]}),
        ("HS256", {"k": "hunter2"}),
        ("HS256", '{"kty":"oct","k":"hunter2"}'),
    ],
)
def test_a_refusal_does_not_quote_the_material(algorithm: str, material: Any) -> None:
    """The error about a key that cannot be used may be logged: it contains nothing of the key."""
    with pytest.raises(InvalidKeyError) as caught:
        prepare(algorithm, material)
    assert "hunter2" not in str(caught.value)


def test_a_key_is_a_value_of_its_own_kind() -> None:
    """A prepared key is returned unchanged."""
    key = prepare("EdDSA", ed25519.Ed25519PrivateKey.generate())
    assert isinstance(key, Key)
    assert prepare("EdDSA", key) is key
