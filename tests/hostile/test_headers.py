"""Header parameters that are refused, and those that have no effect (RFC 7515, section 4.1; RFC 8725bis, section 3).

Every token here has a good signature by our own key unless a test says otherwise: what is refused is refused for its
header.
"""

from __future__ import annotations

import json
import socket
from itertools import product
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from ..axes import LOCATIONS, PROFILES, both_profiles, everywhere, rotated
from ..conftest import PRIVATE_KEYS, pem
from ..tokens import asymmetric, claims, genuine, octets_of, segment
from . import assert_accepted, assert_refused, make_target, present, target_of

#: Keys of the attacker.
ATTACKER_RSA = rsa.generate_private_key(65537, 2048)
ATTACKER_EC = ec.generate_private_key(ec.SECP256R1())


def header(**changes: Any) -> dict[str, Any]:
    """The header of a good token, but for these."""
    return {"alg": "HS256", "typ": "JWT", **changes}


# --- alg -------------------------------------------------------------------------------------------------------------

NO_ALGORITHM: list[Any] = [
    *("none", "None", "NONE", "nOnE", "none ", " none", "none\0", "n\u043ene", "", " "),
    *("hs256", "Hs256", "HS256 ", " HS256", "HS256\n", "HS256\0", "HS-256", "HS25", "HS2560", "H\u0405256", "ＨＳ256"),  # noqa: RUF001
    *(
        "HS1",
        "HS224",
        "MD5",
        "HMAC",
        "sha256",
        "HMACSHA256",
        "SHA256",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    ),
    *("HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K"),
    *("EdDSA", "Ed25519", "Ed448", "RS1", "HS256/64", "dir", "A256GCMKW", "RSA-OAEP", "RSA1_5", "PBES2-HS256+A128KW"),
    *("../../etc/passwd", "HS256;none", "HS256,none", "__class__", "verify", "{}", "' OR 1=1 --", "A" * 2000),
    *(None, 0, 1, 256, 1.5, True, False, [], ["HS256"], ["none"], {}, {"HS256": 1}, {"name": "HS256"}, [[["HS256"]]]),
]


@rotated("algorithm", NO_ALGORITHM, ids=lambda value: ascii(value)[:40], profile=PROFILES)
def test_only_the_configured_algorithm_is_accepted(profile: str, algorithm: Any) -> None:
    """Any other value of ``alg`` is refused, such as a name in another case."""
    assert_refused(present(target_of(profile), genuine(header=header(alg=algorithm))), "wrong_algorithm")


@rotated(
    "without",
    [{}, {"typ": "JWT"}, {"ALG": "HS256"}, {"Alg": "HS256"}, {"alg ": "HS256"}],
    ids=str,
    location=LOCATIONS,
    profile=PROFILES,
)
def test_a_header_names_its_algorithm(profile: str, location: str, without: dict[str, str]) -> None:
    """There is no default for ``alg``, and member names are case-sensitive."""
    assert_refused(present(target_of(profile), genuine(header=without), location), "wrong_algorithm")


@rotated(
    "signature,algorithm",
    product(["", "AA", segment(bytes(32))], ["none", "None", "NONE", "nOnE", "", None, 0]),
    location=LOCATIONS,
    profile=PROFILES,
)
def test_an_unsigned_token_is_refused(profile: str, location: str, signature: str, algorithm: Any) -> None:
    """``none`` never verifies, with an empty signature or any other."""
    token = f"{segment(octets_of(header(alg=algorithm)))}.{segment(octets_of(claims(sub='root')))}.{signature}"
    assert_refused(present(target_of(profile), token, location), "wrong_algorithm")


@rotated(
    "doubled", ['"alg":"HS256","alg":"none"', '"alg":"HS256","alg":null', '"alg":"HS256","alg":1'], profile=PROFILES
)
def test_of_a_member_named_twice_the_last_counts(profile: str, doubled: str) -> None:
    """The last of two ``alg`` members counts (RFC 7515, section 4)."""
    assert_refused(present(target_of(profile), genuine(header=f"{{{doubled}}}".encode())), "wrong_algorithm")


@pytest.mark.parametrize(("said", "digest"), [("HS256", "sha384"), ("HS256", "sha512"), ("HS384", "sha256")])
@rotated("accepted", [["HS256"], ["HS256", "HS384", "HS512"]], profile=PROFILES)
def test_a_signature_is_of_the_algorithm_that_the_header_names(
    profile: str, accepted: list[str], said: str, digest: str
) -> None:
    """The HMAC of one hash is not valid for another, even if both are accepted."""
    target = make_target(profile, DECODE_ALGORITHMS=accepted)
    code = "invalid_signature" if said in accepted else "wrong_algorithm"
    assert_refused(present(target, genuine(header=header(alg=said), digest=digest)), code)


# --- crit and b64 ----------------------------------------------------------------------------------------------------

CRITICAL: list[Any] = [
    *(["exp"], ["b64"], ["bork"], ["cnf"], ["alg"], ["typ"], ["kid"], ["crit"], ["http://example.com/UNDEFINED"]),
    *(["exp", "b64"], ["bork", "bork"], [""], ["a"] * 500, [None], [1], [True], [[]], [{}], [["exp"]]),
    *([], {}, "", "exp", "b64", None, True, False, 0, 1, 1.5, {"exp": True}),
]


@rotated("critical", CRITICAL, ids=lambda value: ascii(value)[:40], profile=PROFILES)
def test_a_critical_extension_is_refused(profile: str, critical: Any) -> None:
    """No extension is supported, so every ``crit`` is refused (RFC 7515, section 4.1.11)."""
    for extra in ({}, {"exp": 4102444800, "bork": 1, "cnf": {}, "b64": True}):
        token = genuine(header=header(crit=critical, **extra))
        assert_refused(present(target_of(profile), token), "invalid_token")


@rotated(
    "critical,value",
    product([{}, {"crit": ["b64"]}], [True, False, None, 0, 1, "true", "false", [], {}]),
    location=LOCATIONS,
    profile=PROFILES,
)
def test_b64_is_refused(profile: str, location: str, critical: dict[str, Any], value: Any) -> None:
    """The payload of a JWT is always encoded (RFC 7797, section 7)."""
    token = genuine(header=header(b64=value, **critical))
    assert_refused(present(target_of(profile), token, location), "invalid_token")


@rotated("payload", [b'{"sub":"root"}', b"", b"%7B%7D"], profile=PROFILES)
def test_an_unencoded_payload_is_refused(profile: str, payload: bytes) -> None:
    """A payload that is not encoded, or detached, is refused."""
    head = segment(octets_of(header(b64=False, crit=["b64"])))
    signature = genuine().rpartition(".")[2]
    verdict = present(target_of(profile), f"{head}.{payload.decode()}.{signature}", "json")
    assert verdict.codes in (("malformed_token",), ("invalid_token",))
    assert_refused(verdict, verdict.codes[0])


# --- typ and cty -----------------------------------------------------------------------------------------------------

FOREIGN_KINDS = [
    *(
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "entity-statement+jwt",
        "oauth-authz-req+jwt",
        "token-introspection+jwt",
    ),
    *("kb+jwt", "dc+sd-jwt", "vc+sd-jwt", "vc+jwt", "client-authentication+jwt", "refresh+jwt", "rt+jwt", "id+jwt"),
    *("DPoP+JWT", "DPOP+jwt", "application/dpop+jwt", "APPLICATION/DPOP+JWT", " dpop+jwt ", "dpop+jwt; charset=utf-8"),
    *("at+jwt+dpop", "at+jwt; x", "at +jwt", "+jwt", "+", "JOSE", "JOSE+JSON", "jose", "jose+json", "passport"),
    *("application/application/at+jwt", "text/at+jwt", "example/at+jwt"),
]


@rotated("typ", FOREIGN_KINDS, profile=PROFILES)
def test_another_kind_of_jwt_is_refused(profile: str, typ: str) -> None:
    """A DPoP proof, a logout token or a security event is not an access token, even with a good signature."""
    assert_refused(present(target_of(profile), genuine(header=header(typ=typ))), "invalid_token")


@rotated(
    "typ", [None, 0, 1, True, False, [], ["JWT"], {}, {"JWT": 1}, 1.5], ids=repr, location=LOCATIONS, profile=PROFILES
)
def test_typ_is_a_string(profile: str, location: str, typ: Any) -> None:
    """A ``typ`` that is not a string is refused."""
    assert_refused(present(target_of(profile), genuine(header=header(typ=typ)), location), "invalid_token")


@rotated("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "application/at+jwt", None], profile=PROFILES)
def test_our_own_kinds_pass(profile: str, typ: str | None) -> None:
    """``JWT``, ``at+jwt`` and no ``typ`` at all pass."""
    token = genuine(header={"alg": "HS256"} if typ is None else header(typ=typ))
    assert_accepted(present(target_of(profile), token))


# --- kid -------------------------------------------------------------------------------------------------------------


@rotated("kid", [None, 0, 1, 1.5, True, [], ["a"], {}, {"a": 1}], ids=repr, location=LOCATIONS, profile=PROFILES)
def test_kid_is_a_string(profile: str, location: str, kid: Any) -> None:
    """A ``kid`` that is not a string is refused."""
    assert_refused(present(target_of(profile), genuine(header=header(kid=kid)), location), "invalid_token")


KIDS = [
    *("../../../../../../dev/null", "/dev/null", "file:///dev/null", "/proc/sys/kernel/randomize_va_space"),
    *("' UNION SELECT 'x", "x'; DROP TABLE keys; --", "$(id)", "`id`", "|id", "%00", "\0", "\r\nX: y", "A" * 3000),
    *("${jndi:ldap://example.com/a}", "{{7*7}}", "__import__('os')", "constructor", "__proto__", "*", "\ud800"),
]


@rotated("kid", KIDS, ids=lambda kid: ascii(kid)[:40], profile=PROFILES)
def test_kid_opens_no_file_and_asks_no_database(profile: str, kid: str) -> None:
    """A ``kid`` that names a file or contains code does not lead to a known key."""
    for secret in (b"\0", b"x", bytes(32), b"0"):
        token = genuine(header=header(kid=kid), secret=secret)
        assert_refused(present(target_of(profile), token), "invalid_signature")


# --- keys in the header --------------------------------------------------------------------------------------------

EC_JWK = ECAlgorithm.to_jwk(ATTACKER_EC.public_key(), as_dict=True)
RSA_JWK = RSAAlgorithm.to_jwk(ATTACKER_RSA.public_key(), as_dict=True)
OCT_JWK = {"kty": "oct", "k": segment(b"attacker" * 8)}
BASE64_PEM = "".join(pem(ATTACKER_RSA)[1].splitlines()[1:-1])
BROUGHT: dict[str, dict[str, Any]] = {
    "jwk of EC": {"jwk": EC_JWK},
    "jwk of RSA": {"jwk": RSA_JWK},
    "jwk of octets": {"jwk": OCT_JWK},
    "jwk of octets with no octets": {"jwk": {"kty": "oct", "k": ""}},
    "jwk of nothing": {"jwk": {}},
    "jwk as deep as it goes": {"jwk": {"kty": json.loads("[" * 200 + "]" * 200)}},
    "jwks": {"jwks": {"keys": [OCT_JWK, EC_JWK]}},
    "jku": {"jku": "http://127.0.0.1:9/jwks.json"},
    "jku with its kid": {"jku": "http://127.0.0.1:9/jwks.json", "kid": "1"},
    "x5u": {"x5u": "http://127.0.0.1:9/cert.pem"},
    "x5c": {"x5c": [BASE64_PEM]},
    "x5c that is junk": {"x5c": ["!", "", "-----BEGIN CERTIFICATE-----"]},
    "x5t": {"x5t": "AAAA", "x5t#S256": "AAAA"},
    "epk": {"epk": EC_JWK},
    "zip": {"zip": "DEF"},
    "enc": {"enc": "A256GCM"},
    "p2c": {"p2c": 2_000_000_000, "p2s": "AAAA"},
    "a foreign member": {"http://example.com/x": {"a": [1, {"b": None}]}},
    "everything at once": {
        "jwk": EC_JWK,
        "jku": "http://127.0.0.1:9/",
        "x5u": "http://127.0.0.1:9/",
        "x5c": [BASE64_PEM],
    },
}
#: Wrong values of the registered parameters (RFC 7515, section 4.1).
MALFORMED: dict[str, list[Any]] = {
    "jwk": [None, True, 5, "x", json.dumps(EC_JWK), [], [EC_JWK]],
    "jku": [None, True, 5, "", "x", "file:///etc/passwd", "//x", [], ["http://127.0.0.1:9/"], {}],
    "x5u": [None, True, 5, "", "x", "file:///etc/passwd", "ftp://x", [], ["http://x/"], {}],
    "x5c": [None, True, 5, "", BASE64_PEM, {}, [None], [5], [[BASE64_PEM]], [BASE64_PEM, 5]],
    "x5t": [None, True, 5, [], {}, ["AAAA"]],
    "x5t#S256": [None, True, 5, [], {}, ["AAAA"]],
    "cty": [None, True, 5, [], {}, ["JWT"]],
}


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything opens a connection."""

    def refuse(*_arguments: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("_no_network")
@rotated("brought", BROUGHT, profile=PROFILES)
def test_a_key_that_comes_along_is_not_trusted(profile: str, brought: str) -> None:
    """A token signed with a key in its own header, or that the header points to, is refused; nothing is fetched."""
    extra = BROUGHT[brought]
    target = target_of(profile)
    forged = genuine(claims(sub="root"), header(**extra), secret=b"attacker" * 8)
    assert_refused(present(target, forged), "invalid_signature")
    for algorithm, key in (("ES256", ATTACKER_EC), ("RS256", ATTACKER_RSA)):
        token = asymmetric(key, algorithm, claims(sub="root"), header(alg=algorithm, **extra))
        assert_refused(present(target, token), "wrong_algorithm")


@pytest.mark.usefixtures("_no_network")
@rotated("brought", BROUGHT, algorithm=["RS256", "PS256", "ES256"], profile=PROFILES)
def test_an_asymmetric_application_trusts_no_key_either(profile: str, brought: str, algorithm: str) -> None:
    """With the same algorithm, the signature of the attacker's key is still refused."""
    key = ATTACKER_EC if algorithm == "ES256" else ATTACKER_RSA
    private, public = pem(PRIVATE_KEYS[algorithm])
    target = make_target(profile, ALGORITHM=algorithm, PRIVATE_KEY=private, PUBLIC_KEY=public)
    token = asymmetric(key, algorithm, claims(sub="root"), header(alg=algorithm, **BROUGHT[brought]))
    assert_refused(present(target, token), "invalid_signature")


@pytest.mark.usefixtures("_no_network")
@rotated("brought", BROUGHT, profile=PROFILES)
def test_what_a_header_merely_says_is_not_listened_to(profile: str, brought: str) -> None:
    """Signed with our key, a token passes whatever other parameters it has, and nothing is fetched."""
    assert_accepted(present(target_of(profile), genuine(header=header(**BROUGHT[brought]))))


@pytest.mark.usefixtures("_no_network")
@rotated(
    "name,value",
    [(name, value) for name, values in MALFORMED.items() for value in values],
    ids=lambda value: ascii(value)[:30],
    profile=PROFILES,
)
def test_a_registered_parameter_has_its_form(profile: str, name: str, value: Any) -> None:
    """A registered parameter with a malformed value is refused, although it is not used; joserfc does the same."""
    assert_refused(present(target_of(profile), genuine(header=header(**{name: value}))), "invalid_token")


# --- a memory of headers ---------------------------------------------------------------------------------------------


@everywhere
@both_profiles
def test_a_header_once_seen_vouches_for_nothing(profile: str, location: str) -> None:
    """After a valid token, its header with another payload or signature is refused."""
    target, good = make_target(profile), genuine()
    assert_accepted(present(target, good, location))
    head, _, signature = good.split(".")
    forged = segment(octets_of(claims(sub="root")))
    assert_refused(present(target, f"{head}.{forged}.{signature}", location), "invalid_signature")
    assert_refused(present(target, f"{head}.{forged}.", location), "invalid_signature")
    assert_refused(present(target, genuine(secret=b"attacker" * 8), location), "invalid_signature")
    assert_accepted(present(target, good, location))
