"""Advisories of other libraries, with a test for each by its id.

PyJWT, python-jose, Authlib and joserfc first, then other ecosystems. Advisories
about what this package does not do (JWE, fetching a JWK Set) are left out.
"""

from __future__ import annotations

import json
import logging
import tracemalloc
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm

from flask_jwt_extended._jose.compact import Verifier
from flask_jwt_extended._jose.keys import KeyRing, prepare

from ..axes import LOCATIONS, PROFILES, both_profiles, everywhere, rotated
from ..conftest import PRIVATE_KEYS, SECRET
from ..tokens import asymmetric, claims, genuine, octets_of, segment
from . import Target, assert_accepted, assert_refused, make_target, present, target_of
from .test_keys import jwk_of, public_bytes, signing_target

SPKI = PublicFormat.SubjectPublicKeyInfo
ADMIN = {"sub": "root"}


def forged(secret: bytes, **header: Any) -> str:
    """A token signed with a public key or an empty secret."""
    return genuine(claims(**ADMIN), {"alg": "HS256", "typ": "JWT", **header}, secret)


def refuses_as_secret(profile: str, algorithm: str, octets: bytes) -> None:
    """Check that the bytes are not an HMAC secret, with the right algorithms, with mixed ones, and from a loader."""
    plain, mixed, loading = (
        signing_target(profile, algorithm, DECODE_ALGORITHMS=accepted)
        for accepted in ([algorithm], [algorithm, "HS256"], [algorithm, "HS256"])
    )
    loading.manager.decode_key_loader(lambda _header, _claims: octets)
    for target, code in ((plain, "wrong_algorithm"), (mixed, "wrong_algorithm"), (loading, "invalid_token")):
        assert_refused(present(target, forged(octets)), code)


def another(key: Any) -> Any:
    """Another private key of the same kind."""
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(65537, 2048)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ec.generate_private_key(key.curve)
    return ed25519.Ed25519PrivateKey.generate()


# --- PyJWT -----------------------------------------------------------------------------------------------------------


@both_profiles
def test_cve_2017_11424(profile: str) -> None:
    """PyJWT before 1.5.1 (GHSA-r9jw-mwhq-wp62): PEM of the PKCS1 form was not recognised as a public key."""
    refuses_as_secret(profile, "RS256", public_bytes(PRIVATE_KEYS["RS256"], Encoding.PEM, PublicFormat.PKCS1))


@rotated("algorithm", ["EdDSA", "ES256", "ES384", "ES512", "RS256"], profile=PROFILES)
def test_cve_2022_29217(profile: str, algorithm: str) -> None:
    """PyJWT before 2.4.0 (GHSA-ffqj-6fqr-9h24): OpenSSH keys but ``ssh-rsa`` passed for HMAC secrets."""
    key = PRIVATE_KEYS[algorithm]
    refuses_as_secret(profile, algorithm, public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH))
    refuses_as_secret(profile, algorithm, public_bytes(key, Encoding.PEM, SPKI))


@rotated("issuer", ["abc", ["abc"], ("abc", "abcd")], ids=str, profile=PROFILES)
def test_cve_2024_53861(profile: str, issuer: Any) -> None:
    """PyJWT 2.10.0 (GHSA-75c5-xw7c-p5pm): a part of the issuer passed for the issuer."""
    target = make_target(profile, DECODE_ISSUER=issuer)
    for part in ("", "a", "b", "ab", "bc", "ac"):
        assert_refused(present(target, genuine(claims(iss=part))), "wrong_issuer")
    assert_accepted(present(target, genuine(claims(iss="abc"))))


@both_profiles
def test_cve_2026_32597(profile: str) -> None:
    """PyJWT before 2.12.0 (GHSA-752w-5fwx-jx9f): unknown critical extensions were ignored."""
    header = {"alg": "HS256", "crit": ["x-custom-policy"], "x-custom-policy": "require-mfa"}
    assert_refused(present(target_of(profile), genuine(header=header)), "invalid_token")


@rotated("algorithm", ["RS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2026_48526(profile: str, algorithm: str) -> None:
    """PyJWT before 2.13.0 (GHSA-xgmm-8j9v-c9wx): a JWK as JSON text passed for an HMAC secret."""
    refuses_as_secret(profile, algorithm, json.dumps(jwk_of(PRIVATE_KEYS[algorithm])).encode())


@rotated("algorithm", ["RS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2026_102273(profile: str, algorithm: str) -> None:
    """PyJWT 2.13.0 (GHSA-w2cx-738m-mc7w): a JWK deeper in a JSON text still passed."""
    jwk = jwk_of(PRIVATE_KEYS[algorithm])
    for document in ({"keys": [jwk]}, [jwk], {"a": {"b": [jwk]}}):
        refuses_as_secret(profile, algorithm, json.dumps(document).encode())


@rotated("bound,said", [("RS256", "PS256"), ("RS256", "RS512"), ("PS256", "RS256")], profile=PROFILES)
def test_ghsa_jq35_7prp_9v3f(profile: str, bound: str, said: str) -> None:
    """PyJWT before 2.13.0: the algorithm of a ``PyJWK`` verified, whatever the header and the allow-list called it."""
    jwk = jwt.PyJWK(jwk_of(PRIVATE_KEYS[bound]), bound)
    target = signing_target(profile, bound, PUBLIC_KEY=jwk, DECODE_ALGORITHMS=[bound, said])
    assert_accepted(present(target, asymmetric(PRIVATE_KEYS[bound], bound)))
    disguised = asymmetric(PRIVATE_KEYS[bound], bound, claims(**ADMIN), {"alg": said})
    assert_refused(present(target, disguised), "wrong_algorithm")
    assert_refused(present(target, asymmetric(PRIVATE_KEYS[said], said)), "wrong_algorithm")


@everywhere
@both_profiles
def test_ghsa_w7vc_732c_9m39(profile: str, location: str) -> None:
    """PyJWT before 2.13.0: the payload of a token with ``b64: false`` was decoded at any size, without need."""
    head = segment(octets_of({"alg": "HS256", "b64": False, "crit": ["b64"]}))
    for payload, code in (("A" * 2_000_000, "malformed_token"), ("A" * 4000, "invalid_token")):
        assert_refused(present(target_of(profile), f"{head}.{payload}.AAAA", location), code)


@rotated("junk", ["!!!!", "=", "==", "....", "%", "*", "\u00e9", " x", "+", "/"], location=LOCATIONS, profile=PROFILES)
def test_ghsa_hxm8_2xgr_2p9m(profile: str, location: str, junk: str) -> None:
    """PyJWT before 2.14.0 (CVE-2026-102269): junk behind a signature made another text of the same token."""
    good, target = genuine(), target_of(profile)
    assert_accepted(present(target, good, location))
    verdict = present(target, good + junk, location)
    assert verdict.codes in (("malformed_token",), ("malformed_header",))
    assert_refused(verdict, verdict.codes[0])


MUTATIONS = {
    "CRLF": lambda pem: pem.replace(b"\n", b"\r\n"),
    "CR": lambda pem: pem.replace(b"\n", b"\r"),
    "a blank in front": lambda pem: b" " + pem,
    "a line in front": lambda pem: b"\n\n" + pem,
    "a BOM in front": lambda pem: b"\xef\xbb\xbf" + pem,
    "words in front": lambda pem: b"key:\n" + pem,
    "blanks behind each line": lambda pem: pem.replace(b"\n", b" \n"),
    "tabs behind each line": lambda pem: pem.replace(b"\n", b"\t\n"),
    "a line behind": lambda pem: pem + b"\n\n",
    "no line feed at all": lambda pem: pem.replace(b"\n", b""),
    "a null behind": lambda pem: pem + b"\0",
}


@rotated("mutation", MUTATIONS, algorithm=["RS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2026_102268(profile: str, algorithm: str, mutation: str) -> None:
    """PyJWT before 2.14.0 (GHSA-ffc3-869f-jxw9): PEM with other white space was not recognised."""
    octets = public_bytes(PRIVATE_KEYS[algorithm], Encoding.PEM, SPKI)
    refuses_as_secret(profile, algorithm, MUTATIONS[mutation](octets))


@rotated("opening", [b"[", b'{"a":'], location=LOCATIONS, profile=PROFILES)
def test_cve_2026_102265(profile: str, location: str, opening: bytes) -> None:
    """PyJWT 2.13.0 (GHSA-8wjv-2p76-3863): a deeply nested header raised an error that is not a ``PyJWTError``."""
    for depth in (1000, 1100, 100_000):
        token = f"{segment(opening * depth)}.{segment(octets_of(claims()))}.AAAA"
        assert_refused(present(target_of(profile), token, location), "malformed_token")


@everywhere
@both_profiles
def test_cve_2026_101918(profile: str, location: str) -> None:
    """PyJWT before 2.15.0: so did a deeply nested payload, which a key loader sees before the signature is verified."""
    target = make_target(profile)
    target.manager.decode_key_loader(lambda _header, _claims: SECRET)
    for token in (genuine(b"[" * 5000), genuine(b'{"a":' * 1050)):
        assert_refused(present(target_of(profile), token, location), "malformed_token")
        assert_refused(present(target, token, location), "malformed_token")


def loading(profile: str, material: Any) -> Target:
    """An application whose key loader returns this."""
    target = make_target(profile)
    target.manager.decode_key_loader(lambda _header, _claims: material)
    return target


@rotated("material", ["", b"", {"kty": "oct", "k": ""}], ids=repr, profile=PROFILES)
def test_cve_2026_102266(profile: str, material: Any) -> None:
    """PyJWT before 2.14.0 (GHSA-9j54-fg26-wv3r), joserfc (CVE-2026-49852), Authlib (CVE-2026-114616), ruby-jwt
    (CVE-2026-45363): an empty HMAC key verified what anybody can sign."""
    assert_refused(present(loading(profile, material), forged(b"")), "invalid_token")


@rotated(
    "broken",
    [{"n": ""}, {"n": "AA"}, {"e": ""}, {"n": 5}, {"e": None}, {"n": "!"}, {"e": "AA"}],
    ids=str,
    profile=PROFILES,
)
def test_cve_2026_102274(profile: str, broken: dict[str, Any]) -> None:
    """PyJWT before 2.14.0: a JWK with malformed RSA numbers raised an unexpected error."""
    target = signing_target(profile, "RS256")
    target.manager.decode_key_loader(lambda _header, _claims: {**jwk_of(PRIVATE_KEYS["RS256"]), **broken})
    verdict = present(target, asymmetric(PRIVATE_KEYS["RS256"], "RS256"))
    assert_refused(verdict, "invalid_token")


@both_profiles
def test_cve_2026_102275(profile: str) -> None:
    """PyJWT before 2.15.0: in a private OKP JWK, ``x`` and ``d`` could belong to two keys."""
    mine, other = PRIVATE_KEYS["EdDSA"], another(PRIVATE_KEYS["EdDSA"])
    jwk = {**OKPAlgorithm.to_jwk(mine, as_dict=True), "x": OKPAlgorithm.to_jwk(other, as_dict=True)["x"]}
    target = signing_target(profile, "EdDSA")
    target.manager.decode_key_loader(lambda _header, _claims: jwk)
    for key in (mine, other):
        assert_refused(present(target, asymmetric(key, "EdDSA")), "invalid_token")


# --- python-jose -----------------------------------------------------------------------------------------------------


@rotated("algorithm", ["ES256", "ES384", "ES512"], profile=PROFILES)
def test_cve_2024_33663(profile: str, algorithm: str) -> None:
    """python-jose to 3.3.0: OpenSSH keys of ECDSA, and other public forms, passed for HMAC secrets."""
    key = PRIVATE_KEYS[algorithm]
    for prefix in (b"", b" ", b"\n"):
        refuses_as_secret(profile, algorithm, prefix + public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH))


@everywhere
@both_profiles
def test_cve_2024_33664(profile: str, location: str) -> None:
    """python-jose to 3.3.0: a compressed JWE was unpacked without limit. Here a JWE is not a token."""
    head = segment(octets_of({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}))
    assert_refused(present(target_of(profile), f"{head}..AAAA.AAAA.AAAA", location), "malformed_token")
    bomb = genuine(b"\x78\x9c" + b"\0" * 4000, {"alg": "HS256", "zip": "DEF"})
    assert_refused(present(target_of(profile), bomb, location), "malformed_token")


@rotated("algorithm", ["RS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2026_85394(profile: str, algorithm: str) -> None:
    """python-jose to 3.5.0: a public key in DER passed for an HMAC secret."""
    refuses_as_secret(profile, algorithm, public_bytes(PRIVATE_KEYS[algorithm], Encoding.DER, SPKI))


# --- Authlib ---------------------------------------------------------------------------------------------------------


@rotated("algorithm", ["RS256", "PS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2024_37568(profile: str, algorithm: str) -> None:
    """Authlib before 1.3.1 (GHSA-5357-c2jx-v7qh): any public key passed for an HMAC secret."""
    key = PRIVATE_KEYS[algorithm]
    refuses_as_secret(profile, algorithm, public_bytes(key, Encoding.PEM, SPKI))
    refuses_as_secret(profile, algorithm, public_bytes(key, Encoding.OpenSSH, PublicFormat.OpenSSH))


@rotated(
    "prefix",
    [b" ", b"\n", b"\t", b"\r\n", b"\xef\xbb\xbf"],
    ids=repr,
    algorithm=["RS256", "ES256", "EdDSA"],
    profile=PROFILES,
)
def test_cve_2026_114615(profile: str, algorithm: str, prefix: bytes) -> None:
    """Authlib: it still did with something in front of it (GHSA-7vr2-2fgp-9w7p)."""
    key = PRIVATE_KEYS[algorithm]
    for form, encoding in ((SPKI, Encoding.PEM), (PublicFormat.OpenSSH, Encoding.OpenSSH)):
        refuses_as_secret(profile, algorithm, prefix + public_bytes(key, encoding, form))


@rotated(
    "extra",
    [{"crit": ["bork"]}, {"crit": ["bork"], "bork": 1}, {"crit": ["cnf"], "cnf": {"jkt": "x"}}],
    profile=PROFILES,
)
def test_cve_2025_59420(profile: str, extra: dict[str, Any]) -> None:
    """Authlib before 1.6.4 (GHSA-9ggr-2464-2j32): unknown critical header parameters were ignored."""
    assert_refused(present(target_of(profile), genuine(header={"alg": "HS256", **extra})), "invalid_token")


@rotated("part", [0, 2], location=LOCATIONS, profile=PROFILES)
def test_cve_2025_61920(profile: str, location: str, part: int) -> None:
    """Authlib before 1.6.5 (GHSA-pq5p-34cr-23v9): headers and signatures of any size were decoded."""
    parts = genuine().split(".")
    parts[part] = "A" * 1_000_000
    assert_refused(present(target_of(profile), ".".join(parts), location), "malformed_token")


@rotated("algorithm", ["RS256", "ES256", "EdDSA"], profile=PROFILES)
def test_cve_2026_27962(profile: str, algorithm: str) -> None:
    """Authlib (GHSA-wvwj-cvrp-7pv5): the key in the header's own ``jwk`` verified the token."""
    theirs = another(PRIVATE_KEYS[algorithm])
    header = {"alg": algorithm, "jwk": jwk_of(theirs)}
    token = asymmetric(theirs, algorithm, claims(**ADMIN), header)
    assert_refused(present(signing_target(profile, algorithm), token), "invalid_signature")
    assert_refused(present(target_of(profile), token), "wrong_algorithm")


@everywhere
@both_profiles
def test_cve_2026_28802(profile: str, location: str) -> None:
    """Authlib (GHSA-7wc2-qxgw-g8gg): ``alg: none`` with an empty signature counted as verified."""
    token = f"{segment(octets_of({'alg': 'none'}))}.{segment(octets_of(claims(**ADMIN)))}."
    for target in (target_of(profile), signing_target(profile, "ES256")):
        assert_refused(present(target, token, location), "wrong_algorithm")


SERIALISATIONS: dict[str, dict[str, Any]] = {
    "no signatures": {"payload": segment(b'{"sub":"root"}'), "signatures": []},
    "no signature": {"payload": segment(b'{"sub":"root"}')},
    "one signature": {"payload": segment(b'{"sub":"root"}'), "protected": segment(b'{"alg":"HS256"}'), "signature": ""},
    "an unprotected header": {"payload": segment(b'{"sub":"root"}'), "header": {"alg": "none"}, "signature": ""},
}


@rotated("serialisation", SERIALISATIONS, profile=PROFILES)
def test_cve_2026_96760(profile: str, serialisation: str) -> None:
    """Authlib to 1.7.2: a JWS in JSON without signatures counted as verified. Only the compact form is a token."""
    jws = SERIALISATIONS[serialisation]
    assert_refused(present(target_of(profile), jws, "json"), "malformed_token")
    assert_refused(present(target_of(profile), json.dumps(jws), "json"), "malformed_token")
    assert_refused(present(target_of(profile), json.dumps(jws), "query_string"), "malformed_token")


@pytest.mark.parametrize("audience", ["https://other.example", ["https://other.example"], "", [], None], ids=repr)
def test_cve_2026_114618(audience: Any) -> None:
    """Authlib before 1.9.0: with no audience of its own, a server took an assertion for any other."""
    assert_refused(present(target_of("strict"), genuine(claims(aud=audience))), "wrong_audience")


# --- joserfc ---------------------------------------------------------------------------------------------------------


@everywhere
@both_profiles
def test_cve_2025_65015(profile: str, location: str, caplog: pytest.LogCaptureFixture) -> None:
    """joserfc to 1.4.1 (GHSA-frfh-8v73-gjg4): an oversized token was put into error messages and logs."""
    with caplog.at_level(logging.DEBUG):
        verdict = present(target_of(profile), "A" * 500_000, location)
    assert_refused(verdict, "malformed_token")
    assert len(verdict.response.get_data()) < 500
    assert len(caplog.text) < 5000
    assert "AAAA" not in caplog.text


@everywhere
@both_profiles
def test_cve_2026_48990(profile: str, location: str) -> None:
    """joserfc 1.3.4 to 1.6.5 (GHSA-wphv-vfrh-23q5): with ``b64: false`` the size of a payload was not checked."""
    head = segment(octets_of({"alg": "HS256", "b64": False, "crit": ["b64"]}))
    assert_refused(present(target_of(profile), f"{head}.{'a' * 200_000}.AAAA", location), "malformed_token")


@rotated("claim", ["iss", "sub"], profile=PROFILES)
def test_cve_2026_75509(profile: str, claim: str) -> None:
    """joserfc before 1.7.3: an array that contains the expected issuer passed for the issuer."""
    target = target_of(profile, DECODE_ISSUER="https://issuer.example")
    good: dict[str, Any] = {"iss": "https://issuer.example", "sub": "ann"}
    assert_accepted(present(target, genuine(claims(**good))))
    token = genuine(claims(**{**good, claim: [good[claim], "https://evil.example"]}))
    assert_refused(present(target, token), {"iss": "wrong_issuer", "sub": "malformed_claim"}[claim])


@pytest.mark.parametrize("kind", [str, bytes])
def test_ghsa_9pg5_8c7x_5hfx(kind: type) -> None:
    """joserfc 1.7.4: a token was split, and so copied, before its size was checked."""
    verifier = Verifier(["HS256"], KeyRing([prepare("HS256", SECRET)]), 16384)
    token = "A" * 8_000_000 + ".e30.AA"
    huge = token if kind is str else token.encode()
    tracemalloc.start()
    try:
        with pytest.raises(jwt.DecodeError, match="longer than 16384 bytes"):
            verifier.verify(huge)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


# --- others ----------------------------------------------------------------------------------------------------------


@rotated("algorithm", ["RS256", "ES256"], profile=PROFILES)
def test_cve_2015_9235(profile: str, algorithm: str) -> None:
    """jsonwebtoken before 4.2.2 (GHSA-c7hr-j4mj-j2w6): the header chose, ``none`` or an HMAC by the public key."""
    target = signing_target(profile, algorithm)
    public = public_bytes(PRIVATE_KEYS[algorithm], Encoding.PEM, SPKI)
    for token in (forged(public), forged(public, alg="none"), forged(b"", alg="none").rpartition(".")[0] + "."):
        assert_refused(present(target, token), "wrong_algorithm")


@both_profiles
def test_cve_2016_10555(profile: str) -> None:
    """jwt-simple to 0.3.0: if no algorithm was required, RSA's public key was an HMAC secret."""
    refuses_as_secret(profile, "RS256", public_bytes(PRIVATE_KEYS["RS256"], Encoding.PEM, SPKI).rstrip(b"\n"))


@rotated("material", [None, "", 0, False], ids=repr, profile=PROFILES)
def test_cve_2022_23540(profile: str, material: Any) -> None:
    """jsonwebtoken to 8.5.1 (GHSA-qwph-4952-7xr6): without a key, ``none`` was the default."""
    unsigned = f"{segment(octets_of({'alg': 'none'}))}.{segment(octets_of(claims(**ADMIN)))}."
    assert_refused(present(loading(profile, material), unsigned), "wrong_algorithm")
    assert_refused(present(loading(profile, material), forged(b"")), "invalid_token")


@rotated("algorithm", ["ES256", "ES384", "ES512", "ES256K"], profile=PROFILES)
def test_cve_2022_21449(profile: str, algorithm: str) -> None:
    """Java 15 to 18: zeros were an ECDSA signature of everything."""
    head, payload, _ = asymmetric(PRIVATE_KEYS[algorithm], algorithm, claims(**ADMIN)).split(".")
    size = {"ES256": 64, "ES384": 96, "ES512": 132, "ES256K": 64}[algorithm]
    token = f"{head}.{payload}.{segment(bytes(size))}"
    assert_refused(present(signing_target(profile, algorithm), token), "invalid_signature")


@both_profiles
def test_cve_2022_39227(profile: str) -> None:
    """python-jwt before 3.3.4 (GHSA-5p8v-58qm-c7fp): one parser read a compact token, the other JSON around it."""
    head, payload, signature = genuine().split(".")
    mine = segment(octets_of(claims(**ADMIN)))
    mixed = json.dumps({f"{head}.{mine}.": "", "protected": head, "payload": payload, "signature": signature})
    for location in ("json", "query_string"):
        assert_refused(present(target_of(profile), mixed, location), "malformed_token")


@both_profiles
def test_cve_2025_53864(profile: str) -> None:
    """Nimbus JOSE + JWT before 10.0.2: deeply nested claims exhausted the stack, though the signature was good."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        nested = opening * 1000 + ("1" if opening != "[" else "") + closing * 1000
        token = genuine(b'{"sub":"ann","deep":' + nested.encode() + b',"exp":1}')
        verdict = present(target_of(profile), token)
        assert verdict.codes in (("malformed_token",), ("expired_token",), ("missing_claim",))
        assert_refused(verdict, verdict.codes[0])
