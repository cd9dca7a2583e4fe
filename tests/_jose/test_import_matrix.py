"""Keys in every form, in comparison with ``cryptography`` and joserfc."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import joserfc.jwk
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.errors import JoseError
from jwt.exceptions import InvalidKeyError

from flask_jwt_extended._jose import compact
from flask_jwt_extended._jose.jwk_set import read_set, to_jwk
from flask_jwt_extended._jose.keys import Key, KeyRing, prepare
from flask_jwt_extended._keys.files import from_pem

from .._keys.helpers import ASYMMETRIC, JWKS, public, without
from ..conftest import ED448, PRIVATE_KEYS

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")

PASSPHRASE = "a phrase that nobody says"
#: A private key of every kind, by a name for it.
KINDS: dict[str, Any] = {
    "RSA": PRIVATE_KEYS["RS256"],
    "P-256": PRIVATE_KEYS["ES256"],
    "P-384": PRIVATE_KEYS["ES384"],
    "P-521": PRIVATE_KEYS["ES512"],
    "secp256k1": PRIVATE_KEYS["ES256K"],
    "Ed25519": PRIVATE_KEYS["EdDSA"],
    "Ed448": ED448,
}
ALGORITHMS = {
    "RSA": "RS256",
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "secp256k1": "ES256K",
    "Ed25519": "EdDSA",
    "Ed448": "EdDSA",
}
#: Files in which private keys are kept: their format and how they are encrypted.
PRIVATE_FILES: dict[str, tuple[PrivateFormat, KeySerializationEncryption]] = {
    "PKCS#8": (PrivateFormat.PKCS8, NoEncryption()),
    "PKCS#8 encrypted": (PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())),
    "traditional": (PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    "traditional encrypted": (PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSPHRASE.encode())),
    "OpenSSH": (PrivateFormat.OpenSSH, NoEncryption()),
}


def private_octets(kind: str, file: str) -> bytes | None:
    """Return a private key as a file; ``None`` if ``cryptography`` does not write this format."""
    form, encryption = PRIVATE_FILES[file]
    try:
        octets: bytes = KINDS[kind].private_bytes(Encoding.PEM, form, encryption)
    except (ValueError, TypeError):
        return None
    return octets


def joserfc_jws(algorithm: str) -> jws.JWSRegistry:
    return jws.JWSRegistry(algorithms=[algorithm])


def signed_by_us(key: Key, kid: str) -> str:
    header = json.dumps({"alg": key.algorithm, "kid": kid}).encode()
    return compact.sign(header, b'{"sub":"ada"}', key)


def verified_by_us(token: str, jwk: dict[str, Any]) -> bytes:
    ring = KeyRing.from_jwks([jwk])
    return compact.Verifier(ring.algorithms, ring, 8192).verify(token)[1]


# --- in -------------------------------------------------------------------------------------------------------------

FILES = [(kind, file) for kind in KINDS for file in PRIVATE_FILES if private_octets(kind, file) is not None]


@pytest.mark.parametrize(("kind", "file"), FILES, ids=[f"{kind} {file}" for kind, file in FILES])
def test_a_private_key_is_read_from_pem_of_every_form(kind: str, file: str) -> None:
    """It is the same key, with its usual algorithm."""
    octets = private_octets(kind, file)
    assert octets is not None
    if file == "OpenSSH":  # the key of a user, not of a service: openssl does not read it either
        with pytest.raises(InvalidKeyError, match="does not contain a usable key"):
            from_pem(octets, PASSPHRASE)
        return
    jwk = from_pem(octets, PASSPHRASE)
    assert jwk == to_jwk(ALGORITHMS[kind], KINDS[kind])
    assert "d" in jwk


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_is_read_from_pem(kind: str) -> None:
    """SubjectPublicKeyInfo, as openssl writes it, or PKCS#1 for RSA."""
    forms = [PublicFormat.SubjectPublicKeyInfo] + ([PublicFormat.PKCS1] if kind == "RSA" else [])
    for form in forms:
        octets = KINDS[kind].public_key().public_bytes(Encoding.PEM, form)
        assert from_pem(octets) == public(to_jwk(ALGORITHMS[kind], KINDS[kind]))


def test_a_certificate_is_read_as_the_key_it_is_for() -> None:
    """Some providers publish their key as a certificate. Its issuer is not checked: the file was configured."""
    key = KINDS["P-256"]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login.example")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=2), now - timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    assert from_pem(certificate) == public(to_jwk("ES256", key))


@pytest.mark.parametrize("passphrase", [None, "", "false"])
def test_without_its_passphrase_an_encrypted_file_is_refused(passphrase: str | None) -> None:
    """The error contains neither the passphrase nor the key."""
    octets = private_octets("P-256", "PKCS#8 encrypted")
    assert octets is not None
    with pytest.raises(InvalidKeyError, match="or the passphrase is wrong") as raised:
        from_pem(octets, passphrase)
    assert "false" not in str(raised.value)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0" * 100,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        b"not a key at all",
    ],
)
def test_pem_without_a_key_is_refused(octets: bytes) -> None:
    """The error contains nothing of the file."""
    with pytest.raises(InvalidKeyError, match="The PEM does not contain a usable key"):
        from_pem(octets, "x")


# --- in and out, beside joserfc and cryptography --------------------------------------------------------------------


@pytest.mark.parametrize("name", JWKS)
def test_a_token_of_ours_verifies_in_joserfc(name: str) -> None:
    """Both libraries read the key from the same JWK."""
    (ours,) = read_set([JWKS[name]])
    theirs = joserfc.jwk.import_key(JWKS[name])
    token = signed_by_us(ours.key, ours.kid)
    algorithm = ours.key.algorithm
    found = jws.deserialize_compact(token, theirs, algorithms=[algorithm], registry=joserfc_jws(algorithm))
    assert found.payload == b'{"sub":"ada"}'
    assert theirs.thumbprint() == ours.kid


@pytest.mark.parametrize("name", JWKS)
def test_a_token_of_joserfc_verifies_here(name: str) -> None:
    """With the public key only, if there is one; a changed token does not."""
    algorithm = JWKS[name]["alg"]
    theirs = joserfc.jwk.import_key(JWKS[name])
    header = {"alg": algorithm, "kid": JWKS[name]["kid"]}
    token = jws.serialize_compact(header, b"{}", theirs, registry=joserfc_jws(algorithm))
    jwk = public(JWKS[name]) if name in ASYMMETRIC else JWKS[name]
    assert verified_by_us(token, jwk) == b"{}"
    head, payload, signature = token.split(".")
    with pytest.raises(Exception, match="Signature verification failed"):
        verified_by_us(f"{head}.{payload}.{'A' * (len(signature) - 1)}A", jwk)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_comes_out_of_cryptography_and_goes_back(kind: str) -> None:
    """A key that becomes a JWK and is read again is the same key."""
    jwk = to_jwk(ALGORITHMS[kind], KINDS[kind])
    back = prepare(ALGORITHMS[kind], jwk).public
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert back.public_bytes(*form) == KINDS[kind].public_key().public_bytes(*form)
    assert to_jwk(ALGORITHMS[kind], back) == public(jwk)


@pytest.mark.parametrize("kind", KINDS)
def test_joserfc_writes_the_same_members(kind: str) -> None:
    """Every member of the private key from the same PEM file is equal."""
    pem = KINDS[kind].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    family: Any = {"R": joserfc.jwk.RSAKey, "E": joserfc.jwk.OKPKey}.get(kind[0], joserfc.jwk.ECKey)
    theirs = family.import_key(pem).as_dict(private=True)
    ours = without(to_jwk(ALGORITHMS[kind], KINDS[kind]), "alg", "kid")
    assert ours == {member: theirs[member] for member in theirs if member not in ("kid", "alg", "use", "key_ops")}


def _damaged() -> list[tuple[str, dict[str, Any]]]:
    """Return every key with each of its members missing, empty, too short, too long, or of another type."""
    cases = []
    for name in ("RS256", "ES256", "ES512", "EdDSA", "EdDSA-448", "HS256"):
        jwk = without(JWKS[name], "kid", "alg")
        for member in jwk:
            cases.append((f"{name} without {member}", without(jwk, member)))
            for what, value in {
                "empty": "",
                "cut": jwk[member][:-5],
                "longer": jwk[member] + "AAAA",
                "a number": 7,
                "null": None,
                "a list": [jwk[member]],
            }.items():
                cases.append((f"{name}: {member} {what}", jwk | {member: value}))
    return cases


def reads(read: Any) -> bool:
    try:
        return bool(read())
    except (InvalidKeyError, JoseError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        return False


def private_halves_agree(jwk: dict[str, Any]) -> bool:
    """Return whether a key verifies what it signs."""
    key = joserfc.jwk.import_key(jwk)
    algorithm = {"RSA": "RS256", "oct": "HS256", "OKP": "EdDSA"}.get(jwk["kty"], "ES256")
    algorithm = "ES512" if jwk.get("crv") == "P-521" else algorithm
    registry = joserfc_jws(algorithm)
    token = jws.serialize_compact({"alg": algorithm}, b"{}", key, registry=registry)
    half = joserfc.jwk.import_key(public(jwk)) if jwk["kty"] != "oct" else key
    return bool(jws.deserialize_compact(token, half, algorithms=[algorithm], registry=registry))


DAMAGED = _damaged()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_we_read_joserfc_reads_too() -> None:
    """A damaged key that only we read would be another key here than elsewhere."""
    for name, jwk in DAMAGED:
        if reads(partial(read_set, [jwk])):
            assert reads(partial(joserfc.jwk.import_key, jwk)), name
            if isinstance(jwk.get("d"), str):
                assert reads(partial(private_halves_agree, jwk)), name


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hardly_any_damaged_key_is_read() -> None:
    """Only those that are still valid: public keys without the private part, and a longer secret."""
    halves = [f"{name} without d" for name in ("RS256", "ES256", "ES512", "EdDSA", "EdDSA-448")]
    read = [name for name, jwk in DAMAGED if reads(partial(read_set, [jwk]))]
    assert read == [*halves, "HS256: k longer"]
