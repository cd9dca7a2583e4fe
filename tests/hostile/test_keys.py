"""Key confusion: a public key is not a secret, and a key or a curve serves one algorithm (RFC 8725bis, section 3.1)."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import der_to_raw_signature
from jwt.warnings import InsecureKeyLengthWarning

from flask_jwt_extended import ConfigurationError, create_access_token
from flask_jwt_extended._jose.weak_secrets import GuessableSecretWarning

from ..axes import LOCATIONS, PROFILES, both_profiles, rotated
from ..conftest import PRIVATE_KEYS, SECRET, pem
from ..tokens import asymmetric, claims, genuine, segment
from . import Target, assert_accepted, assert_refused, make_target, present

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA"]
FAMILIES = ["RS256", "ES256", "ES512", "ES256K", "EdDSA"]
DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def signing_target(profile: str, algorithm: str, **options: Any) -> Target:
    """An application that signs with the test key of an asymmetric algorithm."""
    private, public = pem(PRIVATE_KEYS[algorithm])
    return make_target(profile, **{"ALGORITHM": algorithm, "PRIVATE_KEY": private, "PUBLIC_KEY": public, **options})


@cache
def shared_target(profile: str, algorithm: str, *accepted: str) -> Target:
    """The same for tests that do not change it. It accepts more algorithms."""
    return signing_target(profile, algorithm, **({"DECODE_ALGORITHMS": list(accepted)} if accepted else {}))


# --- every spelling of a public key ----------------------------------------------------------------------------------


def public_bytes(key: Any, encoding: Encoding, form: PublicFormat) -> bytes:
    octets = key.public_key().public_bytes(encoding, form)
    assert isinstance(octets, bytes)
    return octets


def certificate(key: Any) -> x509.Certificate:
    """A certificate that holds the public key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.com")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(3650))
    return builder.sign(key, None if isinstance(key, type(PRIVATE_KEYS["EdDSA"])) else hashes.SHA256())


def certificate_request(key: Any) -> x509.CertificateSigningRequest:
    """A request for such a certificate."""
    builder = x509.CertificateSigningRequestBuilder(x509.Name([]))
    return builder.sign(key, None if isinstance(key, type(PRIVATE_KEYS["EdDSA"])) else hashes.SHA256())


def jwk_of(key: Any) -> dict[str, Any]:
    for implementation in (RSAAlgorithm, ECAlgorithm, OKPAlgorithm):
        try:
            return dict(implementation.to_jwk(key.public_key(), as_dict=True))
        except (jwt.InvalidKeyError, AttributeError, TypeError):
            continue
    raise AssertionError("no JWK")


SPKI = PublicFormat.SubjectPublicKeyInfo
#: From a private key to the bytes of its public key, in every spelling in use.
SPELLINGS: dict[str, Callable[[Any], bytes]] = {
    "PEM": lambda key: public_bytes(key, Encoding.PEM, SPKI),
    "PEM without its last line feed": lambda key: public_bytes(key, Encoding.PEM, SPKI).rstrip(),
    "PEM with CRLF": lambda key: public_bytes(key, Encoding.PEM, SPKI).replace(b"\n", b"\r\n"),
    "PEM with CR": lambda key: public_bytes(key, Encoding.PEM, SPKI).replace(b"\n", b"\r"),
    "PEM behind a blank line": lambda key: b"\n" + public_bytes(key, Encoding.PEM, SPKI),
    "PEM behind a BOM": lambda key: b"\xef\xbb\xbf" + public_bytes(key, Encoding.PEM, SPKI),
    "PEM behind a remark": lambda key: b"the public key of example.com\n" + public_bytes(key, Encoding.PEM, SPKI),
    "PEM with blanks around": lambda key: b" \t" + public_bytes(key, Encoding.PEM, SPKI) + b" \t",
    "PEM on one line": lambda key: public_bytes(key, Encoding.PEM, SPKI).replace(b"\n", b""),
    "PEM with literal line feeds": lambda key: public_bytes(key, Encoding.PEM, SPKI).replace(b"\n", b"\\n"),
    "PEM in front of a remark": lambda key: public_bytes(key, Encoding.PEM, SPKI) + b"# example.com",
    "PEM twice": lambda key: public_bytes(key, Encoding.PEM, SPKI) * 2,
    "PEM of the private key": lambda key: pem(key)[0].encode(),
    "DER": lambda key: public_bytes(key, Encoding.DER, SPKI),
    "a certificate": lambda key: certificate(key).public_bytes(Encoding.PEM),
    "a certificate in DER": lambda key: certificate(key).public_bytes(Encoding.DER),
    "a certificate request": lambda key: certificate_request(key).public_bytes(Encoding.PEM),
    "JWK": lambda key: json.dumps(jwk_of(key)).encode(),
    "JWK, short": lambda key: json.dumps(jwk_of(key), separators=(",", ":")).encode(),
    "JWK, indented": lambda key: json.dumps(jwk_of(key), indent=2).encode(),
    "JWK behind a blank": lambda key: b" \n" + json.dumps(jwk_of(key)).encode(),
    "JWK with kid, use and alg": lambda key: json.dumps({**jwk_of(key), "kid": "1", "use": "sig"}).encode(),
    "JWK Set": lambda key: json.dumps({"keys": [jwk_of(key)]}).encode(),
    "JWK in an array": lambda key: json.dumps([jwk_of(key)]).encode(),
}
#: Spellings that only some kinds of keys have.
OF_RSA: dict[str, Callable[[Any], bytes]] = {
    "PKCS1 PEM": lambda key: public_bytes(key, Encoding.PEM, PublicFormat.PKCS1),
    "PKCS1 DER": lambda key: public_bytes(key, Encoding.DER, PublicFormat.PKCS1),
}
OF_SSH: dict[str, Callable[[Any], bytes]] = {
    "SSH": lambda key: public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH),
    "SSH behind a blank": lambda key: b" " + public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH),
    "SSH behind a blank line": lambda key: b"\n" + public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH),
    "SSH behind a BOM": lambda key: b"\xef\xbb\xbf" + public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH),
    "SSH with a remark": lambda key: public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH) + b" ann@example.com\n",
}


def spellings_of(algorithm: str) -> dict[str, Callable[[Any], bytes]]:
    return SPELLINGS | (OF_RSA if algorithm[:2] in ("RS", "PS") else {}) | (OF_SSH if algorithm != "ES256K" else {})


@cache
def spelt(algorithm: str, spelling: str) -> bytes:
    """A spelling of our public key. Certificates are signed, which takes its time."""
    return spellings_of(algorithm)[spelling](PRIVATE_KEYS[algorithm])


EVERY_SPELLING = [(algorithm, spelling) for algorithm in FAMILIES for spelling in spellings_of(algorithm)]


@rotated("algorithm,spelling", EVERY_SPELLING, profile=PROFILES)
def test_a_public_key_is_no_secret(profile: str, algorithm: str, spelling: str) -> None:
    """An HMAC with the public key is refused, whether or not HS256 is accepted by mistake."""
    octets = spelt(algorithm, spelling)
    forged = genuine(claims(sub="root"), secret=octets)
    for target in (shared_target(profile, algorithm), shared_target(profile, algorithm, "HS256")):
        assert_refused(present(target, forged), "wrong_algorithm")
        assert_accepted(present(target, asymmetric(PRIVATE_KEYS[algorithm], algorithm)))


@rotated("algorithm,spelling", EVERY_SPELLING, as_text=[False, True], profile=PROFILES)
def test_a_key_loader_that_returns_a_public_key_makes_no_secret_of_it(
    profile: str, as_text: bool, algorithm: str, spelling: str
) -> None:
    """``decode_key_loader`` returns the public key for every token: a token with its HMAC is refused."""
    octets = spelt(algorithm, spelling)
    target = signing_target(profile, algorithm, DECODE_ALGORITHMS=["HS256"])
    material: Any = octets.decode("utf-8", "surrogateescape") if as_text else octets
    target.manager.decode_key_loader(lambda _header, _claims: material)
    assert_refused(present(target, genuine(claims(sub="root"), secret=octets)), "invalid_token")


@rotated(
    "form,algorithm",
    product(["JWK", "PyJWK", "key object", "private PEM"], FAMILIES),
    hmac_algorithm=DIGESTS,
    profile=PROFILES,
)
def test_no_form_of_a_configured_key_is_a_secret(profile: str, form: str, hmac_algorithm: str, algorithm: str) -> None:
    """In whatever form the public key is configured, no spelling of it is an HMAC secret."""
    key = PRIVATE_KEYS[algorithm]
    forms: dict[str, Any] = {
        "JWK": jwk_of(key),
        "PyJWK": jwt.PyJWK(jwk_of(key), algorithm),
        "key object": key.public_key(),
        "private PEM": pem(key)[0],
    }
    target = signing_target(profile, algorithm, PUBLIC_KEY=forms[form], DECODE_ALGORITHMS=list(DIGESTS))
    assert_accepted(present(target, asymmetric(key, algorithm)))
    for spelling in spellings_of(algorithm):
        secret = spelt(algorithm, spelling)
        forged = genuine(claims(sub="root"), {"alg": hmac_algorithm}, secret, DIGESTS[hmac_algorithm])
        assert_refused(present(target, forged), "wrong_algorithm")


# --- one algorithm for another ---------------------------------------------------------------------------------------


@rotated("ours,theirs", product(ALGORITHMS, [*ALGORITHMS, *DIGESTS]), profile=PROFILES)
def test_no_algorithm_passes_for_another(profile: str, ours: str, theirs: str) -> None:
    """Only the configured algorithm verifies, even if the key would fit another one."""
    target = shared_target(profile, ours)
    if theirs in DIGESTS:
        token = genuine(header={"alg": theirs}, digest=DIGESTS[theirs])
    else:
        token = asymmetric(PRIVATE_KEYS[theirs], theirs)
    if ours == theirs:
        assert_accepted(present(target, token))
    else:
        assert_refused(present(target, token), "wrong_algorithm")


@rotated("theirs", ALGORITHMS, location=LOCATIONS, profile=PROFILES)
def test_no_asymmetric_algorithm_passes_for_an_hmac(profile: str, location: str, theirs: str) -> None:
    """An application with a secret accepts no asymmetric signature, even if the algorithm is in its list."""
    token = asymmetric(PRIVATE_KEYS[theirs], theirs)
    for accepted in (["HS256"], ["HS256", *ALGORITHMS]):
        assert_refused(present(make_target(profile, DECODE_ALGORITHMS=accepted), token, location), "wrong_algorithm")


@rotated("made,said", product(["RS256", "PS256", "ES256", "EdDSA"], ALGORITHMS), profile=PROFILES)
def test_a_header_does_not_choose_how_a_signature_is_read(profile: str, made: str, said: str) -> None:
    """A signature of one algorithm is refused under the name of another, even if that one is accepted."""
    target = shared_target(profile, said)
    token = asymmetric(PRIVATE_KEYS[made], made, header={"alg": said})
    if made == said:
        assert_accepted(present(target, token))
    else:
        assert_refused(present(target, token), "invalid_signature")


CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "ES256": hashes.SHA256(),
    "ES384": hashes.SHA384(),
    "ES512": hashes.SHA512(),
    "ES256K": hashes.SHA256(),
}


@rotated("ours,said", product(CURVES, CURVES), profile=PROFILES)
def test_a_curve_belongs_to_one_algorithm(profile: str, ours: str, said: str) -> None:
    """With all four accepted, our key verifies only the algorithm of its curve (RFC 7518, section 3.4)."""
    target = shared_target(profile, ours, *CURVES)

    def sign(octets: bytes) -> bytes:
        der = PRIVATE_KEYS[ours].sign(octets, ec.ECDSA(CURVE_HASHES[said]))
        return der_to_raw_signature(der, CURVES[ours])

    head, payload, _ = asymmetric(PRIVATE_KEYS[ours], ours, header={"alg": said}).split(".")
    token = f"{head}.{payload}.{segment(sign(f'{head}.{payload}'.encode()))}"
    if ours == said:
        assert_accepted(present(target, token))
    else:
        assert_refused(present(target, token), "wrong_algorithm")


ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ECDSA_FORGERIES: dict[str, bytes] = {
    "r and s are 0": bytes(64),
    "r is 0": bytes(32) + b"\1" * 32,
    "s is 0": b"\1" * 32 + bytes(32),
    "r and s are 1": (1).to_bytes(32, "big") * 2,
    "r and s are the order": ORDER.to_bytes(32, "big") * 2,
    "r is the order, s is 1": ORDER.to_bytes(32, "big") + (1).to_bytes(32, "big"),
    "r and s are the order and 1": (ORDER + 1).to_bytes(32, "big") * 2,
    "all bits set": b"\xff" * 64,
    "nothing": b"",
    "one octet": b"\0",
    "63 octets": b"\1" * 63,
    "65 octets": b"\1" * 65,
    "96 octets": b"\1" * 96,
    "an empty DER sequence": b"\x30\x00",
    "DER of 0 and 0": encode_dss_signature(0, 0),
    "DER of 1 and 1": encode_dss_signature(1, 1),
}


@rotated("forgery", ECDSA_FORGERIES, location=LOCATIONS, profile=PROFILES)
def test_numbers_that_every_bad_verifier_takes_are_no_ecdsa_signature(
    profile: str, location: str, forgery: str
) -> None:
    """Zero, the order of the curve and signatures of another size are refused."""
    head, payload, _ = asymmetric(PRIVATE_KEYS["ES256"], "ES256").split(".")
    token = f"{head}.{payload}.{segment(ECDSA_FORGERIES[forgery])}"
    assert_refused(present(shared_target(profile, "ES256"), token, location), "invalid_signature")


@both_profiles
def test_a_good_ecdsa_signature_in_der_is_refused(profile: str) -> None:
    """JWS has its own form for the two numbers; ASN.1 would be a second spelling."""
    head, payload, signature = asymmetric(PRIVATE_KEYS["ES256"], "ES256").split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    verdict = present(shared_target(profile, "ES256"), f"{head}.{payload}.{segment(der)}")
    assert_refused(verdict, "invalid_signature")


PKCS1_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def _raw_rsa(block: bytes) -> bytes:
    numbers = PRIVATE_KEYS["RS256"].private_numbers()
    modulus = numbers.public_numbers.n
    return int(pow(int.from_bytes(block, "big"), numbers.d, modulus)).to_bytes(256, "big")


RSA_BLOCKS: dict[str, Callable[[bytes], bytes]] = {
    "junk behind the hash": lambda digest: _block(b"\xff" * 8, PKCS1_SHA256 + digest, b"\0" * 194),
    "too few octets of padding": lambda digest: _block(b"\xff" * 7, PKCS1_SHA256 + digest, b"\1" * 195),
    "padding of another type": lambda digest: b"\0\2" + b"\xff" * 202 + b"\0" + PKCS1_SHA256 + digest,
    "the bare hash": lambda digest: _block(b"\xff" * 221, digest, b""),
    "the prefix of another hash": lambda digest: _block(
        b"\xff" * 202, PKCS1_SHA256[:-5] + b"\2" + PKCS1_SHA256[-4:] + digest, b""
    ),
    "no padding": lambda digest: bytes(205) + PKCS1_SHA256 + digest,
}


def _block(padding: bytes, content: bytes, rest: bytes) -> bytes:
    return b"\0\1" + padding + b"\0" + content + rest


@rotated("block", RSA_BLOCKS, profile=PROFILES)
def test_an_rsa_signature_is_padded_as_it_should_be(profile: str, block: str) -> None:
    """Signed blocks that only a verifier with wrong padding checks accepts are refused."""
    head, payload, _ = asymmetric(PRIVATE_KEYS["RS256"], "RS256").split(".")
    digest = hashlib.sha256(f"{head}.{payload}".encode()).digest()
    octets = RSA_BLOCKS[block](digest)
    assert len(octets) == 256
    target = shared_target(profile, "RS256")
    assert_refused(present(target, f"{head}.{payload}.{segment(_raw_rsa(octets))}"), "invalid_signature")


@rotated(
    "algorithm,signature",
    product(FAMILIES, [b"", b"\0", bytes(32), bytes(64), bytes(256), b"\1" * 512, b"\xff" * 4096]),
    profile=PROFILES,
)
def test_a_signature_that_no_key_could_have_made_is_refused(profile: str, algorithm: str, signature: bytes) -> None:
    """A signature of any size is refused without an error."""
    head, payload, _ = asymmetric(PRIVATE_KEYS[algorithm], algorithm).split(".")
    token = f"{head}.{payload}.{segment(signature)}"
    assert_refused(present(shared_target(profile, algorithm), token), "invalid_signature")


# --- other secrets ---------------------------------------------------------------------------------------------------

GUESSES = {
    "nothing": b"",
    "a null": b"\0",
    "nulls": bytes(32),
    "None": b"None",
    "null": b"null",
    "secret": b"secret",
    "its repr": repr(SECRET).encode(),
    "ours in capitals": SECRET.upper().encode(),
    "ours without its last character": SECRET[:-1].encode(),
    "ours with a line feed": SECRET.encode() + b"\n",
    "ours with a null of its own block": SECRET.encode() + b"\1",
    "ours twice": SECRET.encode() * 2,
    "ours in hex": SECRET.encode().hex().encode(),
    "ours in base64": base64.b64encode(SECRET.encode()),
    "ours hashed": hashlib.sha512(SECRET.encode()).digest(),
    "Flask's": b"flask's own secret key, which is another one",
}


@rotated("guess", GUESSES, location=LOCATIONS, profile=PROFILES)
def test_only_our_secret_signs(profile: str, location: str, guess: str) -> None:
    """A secret that is almost ours is refused."""
    target = make_target(profile)
    target.app.config["SECRET_KEY"] = GUESSES["Flask's"].decode()
    assert_refused(present(target, genuine(secret=GUESSES[guess]), location), "invalid_signature")


WEAK: dict[str, tuple[str, type[Warning]]] = {
    "short": ("k" * 3 + "Zq9!", InsecureKeyLengthWarning),
    "31 bytes": ("0123456789abcdefghijklmnopqrstu", InsecureKeyLengthWarning),
    "from a tutorial": ("change-this-in-production", InsecureKeyLengthWarning),
    "from the documentation of Flask": (
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        GuessableSecretWarning,
    ),
    "one character over and over": ("x" * 64, GuessableSecretWarning),
}


@pytest.mark.parametrize("weak", WEAK)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.filterwarnings("ignore::flask_jwt_extended._jose.weak_secrets.GuessableSecretWarning")
def test_a_weak_secret_signs_nothing_in_strict(weak: str) -> None:
    """In strict no token is made or accepted; the error names JWT_KEY_STRENGTH."""
    secret, _ = WEAK[weak]
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH"):
        make_target("strict", SECRET_KEY=secret)
    target = make_target("strict")
    target.app.config.update(PROPAGATE_EXCEPTIONS=True, JWT_SECRET_KEY=secret)  # later than init_app
    with pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH"):
        present(target, genuine(secret=secret))
    with target.app.app_context(), pytest.raises(ConfigurationError, match="JWT_KEY_STRENGTH"):
        create_access_token("ann")
    assert not target.ran


@pytest.mark.parametrize("weak", WEAK)
def test_a_weak_key_that_a_token_chose_is_a_refusal(weak: str) -> None:
    """In strict, a ``kid`` that makes ``decode_key_loader`` return a weak key is refused, not a 500."""
    secret, _ = WEAK[weak]
    target = make_target("strict")
    target.manager.decode_key_loader(lambda header, _claims: secret if header.get("kid") == "old" else SECRET)
    assert_refused(present(target, genuine(header={"alg": "HS256", "kid": "old"}, secret=secret)), "invalid_token")
    assert_accepted(present(target, genuine()))


@rotated(
    "material",
    [None, "", b"", 0, 5, [], {}, object, {"kty": "oct"}, {"kty": "oct", "k": ""}],
    ids=repr,
    profile=PROFILES,
)
def test_a_key_loader_that_returns_no_key_refuses(profile: str, material: Any) -> None:
    """A loader that returns nothing, an empty secret or junk verifies nothing, not even an HMAC with that."""
    target = make_target(profile)
    target.manager.decode_key_loader(lambda _header, _claims: material)
    for secret in (b"", SECRET.encode(), str(material).encode()):
        verdict = present(target, genuine(secret=secret))
        assert verdict.codes in (("invalid_token",), ("invalid_signature",))
        assert_refused(verdict, verdict.codes[0])
