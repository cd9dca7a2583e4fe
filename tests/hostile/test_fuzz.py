"""Bounded fuzzing of real applications in both profiles, beside PyJWT and joserfc.

Whatever is sent ends in a 4xx or is accepted, and what is accepted was signed by us and is accepted by both of them.
What they accept and we refuse is a table: each rule with its reason and a token that shows it.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry

from flask_jwt_extended.signals import token_refused

from ..axes import LOCATIONS, both_profiles
from ..conftest import SECRET
from ..tokens import CSRF, claims, genuine, octets_of
from . import METHODS, Target, attack, carrying, claims_json, examples, present, target_of
from .test_form import ALPHABET, with_stray_bits

#: More bytes than any token here has: joserfc has caps of its own, which are no matter of form.
CAP = 1_000_000
#: The same examples each time.
fixed_examples = partial(examples, derandomize=True, database=None)


# --- the others ------------------------------------------------------------------------------------------------------

OCTETS = OctKey.import_key(SECRET)


def registry() -> JWSRegistry:
    """joserfc set up to accept large headers and unregistered parameters."""
    made = JWSRegistry(algorithms=["HS256"], strict_check_header=False)
    made.max_header_length = made.max_payload_length = made.max_signature_length = CAP
    return made


REGISTRY = registry()
#: What both check of the claims: the times. The rest (kinds of token, identities) is this extension's own.
CLAIMS_REGISTRY = joserfc_jwt.JWTClaimsRegistry()


def pyjwt_takes(token: str) -> bool:
    """Whether PyJWT verifies a token with our secret."""
    try:
        jwt.decode(token, SECRET, ["HS256"], options={"verify_aud": False})
    except jwt.PyJWTError:
        return False
    return True


def joserfc_takes(token: str) -> bool:
    """Whether joserfc verifies a token with our secret."""
    try:
        CLAIMS_REGISTRY.validate(joserfc_jwt.decode(token, OCTETS, registry=REGISTRY).claims)
    except (
        JoseError,
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
        OverflowError,
    ):  # of which not all are its own
        return False
    return True


PEERS = {"PyJWT": pyjwt_takes, "joserfc": joserfc_takes}


# --- what we alone refuse --------------------------------------------------------------------------------------------


def with_header(**changes: Any) -> str:
    return genuine(header={"alg": "HS256", "typ": "JWT", **changes})


def with_claims(**changes: Any) -> str:
    return genuine(claims(**changes))


#: The rule by which we refuse what PyJWT or joserfc accepts, by how its message begins; why; and a token for it.
REFUSED_BY_US_ALONE: dict[str, tuple[str, Callable[[], str]]] = {
    "The token is longer than": (
        "A cap before anything is parsed; joserfc has larger ones, PyJWT none.",
        lambda: with_claims(pad="x" * 20_000),
    ),
    "Invalid crypto padding": (
        "RFC 7515, section 2: base64url without padding; PyJWT takes padding off a signature.",
        lambda: genuine() + "=",
    ),
    "Invalid header string": (
        "RFC 7515, section 5.2: UTF-8 and JSON; both take UTF-16, a BOM, NaN and encoded surrogates.",
        lambda: genuine(header=json.dumps({"alg": "HS256"}).encode("utf-16")),
    ),
    "Invalid payload string": (
        "RFC 7519, section 7.2: as in the header.",
        lambda: genuine(claims_json(x="NaN")),
    ),
    "The 'b64' header parameter": (
        "RFC 7797, section 7: not in a JWT; both implement it for other JWS.",
        lambda: with_header(b64=True),
    ),
    "Unsupported critical extension": (
        "RFC 7515, section 4.1.11: we implement none; both know b64, joserfc lets registered names be listed.",
        lambda: with_header(b64=True, crit=["b64"]),
    ),
    "Invalid 'crit' header": (
        "RFC 7515, section 4.1.11: never an empty list; joserfc takes one.",
        lambda: with_header(crit=[]),
    ),
    "Malformed header parameter": (
        "RFC 7515, section 4.1: each registered parameter has its type; PyJWT looks at none but kid.",
        lambda: with_header(jwk="x"),
    ),
    "Type header parameter must be a string": (
        "RFC 7519, section 5.1; PyJWT does not look at it.",
        lambda: with_header(typ=None),
    ),
    "A token of type": (
        "RFC 8725bis, section 3.12: another kind of JWT; neither looks at the kind.",
        lambda: with_header(typ="dpop+jwt"),
    ),
    "Expiration Time claim (exp) must be": (
        "RFC 7519, section 2: a NumericDate is a number; PyJWT takes whatever int() takes.",
        lambda: with_claims(exp="4102444800"),
    ),
    "Not Before claim (nbf) must be": ("As for exp.", lambda: with_claims(nbf=True)),
    "Issued At claim (iat) must be": ("As for exp.", lambda: with_claims(iat="1")),
    "Payload Issuer (iss) must be a string": (
        "RFC 7519, section 4.1.1; PyJWT looks at it only if an issuer is expected.",
        lambda: with_claims(iss=5),
    ),
    "Invalid claim format in token": (
        "RFC 7519, section 4.1.3: a string or several; PyJWT looks at aud only if an audience is expected.",
        lambda: with_claims(aud=5),
    ),
    "Audience doesn't match": (
        "Strict, RFC 7519, section 4.1.3: a token for others is not for us; both must be told of an audience.",
        lambda: with_claims(aud="https://other.example"),
    ),
    "Token is missing the": (
        "Strict requires claims that RFC 7519 leaves optional.",
        lambda: genuine(claims(exp=...)),
    ),
    "Missing claim": ("Without the identity claim a token is nobody's.", lambda: genuine(claims(sub=...))),
    "Only access tokens are allowed": (
        "Kinds of token are kept apart by their type claim, which is this extension's own.",
        lambda: with_claims(type="reset"),
    ),
    "Only non-refresh tokens are allowed": ("As for any other kind.", lambda: with_claims(type="refresh")),
}


def rule_of(error: Exception) -> str:
    """The rule behind a refusal: the entry of the table that begins its message, or the message itself."""
    message = str(error)
    return next(
        (rule for rule in sorted(REFUSED_BY_US_ALONE, key=len, reverse=True) if message.startswith(rule)), message
    )


def refusal(target: Target, token: Any, location: str = "headers", path: str = "/access") -> str | None:
    """The rule by which a token is refused; ``None`` if it is accepted."""
    errors: list[Exception] = []

    def note(_app: Any, error: Exception, **_rest: Any) -> None:
        errors.append(error)

    with token_refused.connected_to(note, sender=target.app):
        verdict = present(target, token, location, path)
    assert verdict.status < 500
    assert verdict.accepted == (not errors)
    return rule_of(errors[0]) if errors else None


# --- what is sent ----------------------------------------------------------------------------------------------------

NOW = int(time.time())
odd_numbers = st.sampled_from(
    [0, -1, 1, NOW, NOW + 60, NOW - 60, 2**31, 2**63, 2**64, 1e300, -1e300, 0.5, -0.0, True, False]
)
odd_texts = st.sampled_from(["", " ", "access", "refresh", "HS256", "none", "JWT", "\0", "\ud800", "☃", CSRF, "root"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | odd_numbers
    | odd_texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
claim_names = st.sampled_from(["sub", "exp", "nbf", "iat", "iss", "aud", "jti", "type", "fresh", "csrf", "x"])
header_names = st.sampled_from(
    ["alg", "typ", "cty", "kid", "crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "x"]
)
changed_claims = st.builds(
    lambda changes, missing: json.dumps(claims(**changes | dict.fromkeys(missing, ...))).encode(),
    st.dictionaries(claim_names, values, max_size=2),
    st.sets(claim_names, max_size=1),
)
changed_headers = st.builds(
    lambda changes: json.dumps({"alg": "HS256", "typ": "JWT", **changes}).encode(),
    st.dictionaries(header_names, values, max_size=2),
)


@st.composite
def mutated(draw: st.DrawFn, octets: bytes) -> bytes:
    """Octets with a few of them replaced, left out or added."""
    mutable = bytearray(octets)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(mutable)))
        mutable[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(mutable)


parts = st.one_of(changed_claims, changed_claims.flatmap(mutated), st.binary(max_size=60), values.map(octets_of))
heads = st.one_of(changed_headers, changed_headers.flatmap(mutated), st.just(b'{"alg":"HS256","typ":"JWT"}'))
signed_tokens = st.builds(genuine, parts, heads)


@st.composite
def respelt(draw: st.DrawFn, token: str) -> str:
    """A token with a few of its characters replaced, left out or added."""
    mutable = list(token)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(mutable)))
        mutable[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from([*ALPHABET, ".", "=", " ", "\0", "é"]))
    return "".join(mutable)


forged_tokens = st.one_of(
    signed_tokens.flatmap(respelt),
    st.builds(genuine, parts, heads, st.binary(min_size=1, max_size=80)),
    st.text(alphabet=ALPHABET + ".=", max_size=80),
    st.text(max_size=40),
)


# --- properties ------------------------------------------------------------------------------------------------------


@both_profiles
@given(token=signed_tokens)
@fixed_examples(300)
def test_what_we_accept_everybody_accepts(profile: str, token: str) -> None:
    """We accept no signed token that PyJWT or joserfc refuses; what only they accept is in the table."""
    rule = refusal(target_of(profile), token)
    takers = [name for name, takes in PEERS.items() if takes(token)]
    if rule is None:
        assert takers == list(PEERS)
    elif takers:
        assert rule in REFUSED_BY_US_ALONE, (rule, takers, token)


@both_profiles
@given(token=forged_tokens, location=st.sampled_from(["query_string", "json"]))
@fixed_examples(300)
def test_no_forgery_is_accepted(profile: str, token: str, location: str) -> None:
    """A token is accepted only if its signing input was signed with our secret, in exactly this spelling."""
    if refusal(target_of(profile), token, location) is None:
        signing_input, _, signature = token.rpartition(".")
        head, payload = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in signing_input.split("."))
        assert token == genuine(payload, head)
        assert all(takes(token) for takes in PEERS.values())
        assert signature


@both_profiles
@given(
    token=signed_tokens, location=st.sampled_from(LOCATIONS), path=st.sampled_from(["/refresh", "/fresh", "/optional"])
)
@fixed_examples(150)
def test_every_location_and_view_ends_in_a_verdict(profile: str, token: str, location: str, path: str) -> None:
    """For any claims, location and view, the request is accepted or answered with 4xx."""
    refusal(target_of(profile), token, location, path)


header_texts = st.text(st.characters(max_codepoint=255), max_size=60) | st.lists(
    st.sampled_from(["Bearer", "bearer", "T", ",", " ", ";", "=", '"', "\\", "Basic", "\xff", "\t", "N"]), max_size=8
).map("".join)


@both_profiles
@given(
    authorization=header_texts,
    cookie=header_texts,
    query=header_texts,
    body=st.binary(max_size=60) | values.map(octets_of),
    content_type=st.sampled_from(
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    ),
    origin=header_texts,
    csrf=header_texts,
    method=st.sampled_from(METHODS),
)
@fixed_examples(250)
def test_any_request_at_all_ends_in_a_verdict(
    profile: str,
    authorization: str,
    cookie: str,
    query: str,
    body: bytes,
    content_type: str,
    origin: str,
    csrf: str,
    method: str,
) -> None:
    """With random bytes wherever we read, the request is accepted with our token in it, or answered with 4xx."""
    target = target_of(profile)
    token = genuine()
    environ = {
        "HTTP_AUTHORIZATION": authorization.replace("T", token),
        "HTTP_COOKIE": cookie.replace("T", token).replace("N", target.cookie()),
        "QUERY_STRING": query.replace("T", token),
        "HTTP_ORIGIN": origin,
        "HTTP_X_CSRF_TOKEN": csrf,
    }
    for path in ("/access", "/optional"):
        verdict = attack(target, path, method=method, data=body, content_type=content_type, environ_overrides=environ)
        assert verdict.status < 500
        assert verdict.ran == (verdict.status == 200)
        if verdict.ran and path == "/access":
            assert any("T" in text for text in (authorization, cookie, query))


@both_profiles
@given(method=st.sampled_from(METHODS), csrf=st.text(st.characters(max_codepoint=255), max_size=30), site=header_texts)
@fixed_examples(150)
def test_a_cookie_passes_no_unsafe_method_without_its_value(profile: str, method: str, csrf: str, site: str) -> None:
    """An unsafe method always needs the double submit value."""
    target = target_of(profile)
    sent = carrying(target, genuine(), "cookies")
    environ = {"HTTP_X_CSRF_TOKEN": csrf, "HTTP_SEC_FETCH_SITE": site}
    verdict = attack(target, method=method, environ_overrides=environ, **sent)
    unsafe = method not in ("GET", "HEAD") if profile == "strict" else method in ("POST", "PUT", "PATCH", "DELETE")
    assert verdict.status < 500
    assert verdict.accepted <= (not unsafe or csrf == CSRF)


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", REFUSED_BY_US_ALONE)
def test_each_rule_of_ours_alone_is_alive(rule: str) -> None:
    """A token that PyJWT or joserfc accepts is refused by the rule; else the line leaves the table."""
    _, make = REFUSED_BY_US_ALONE[rule]
    token = make()
    assert any(takes(token) for takes in PEERS.values())
    assert rule in [refusal(target_of(profile), token, "json") for profile in ("compat", "strict")]


@both_profiles
def test_the_others_take_what_is_meant_for_all(profile: str) -> None:
    """The judges are sound: a good token passes everywhere, a forged one nowhere."""
    for token, good in ((genuine(), True), (with_stray_bits(), True), (genuine(secret=b"attacker" * 8), False)):
        assert [takes(token) for takes in PEERS.values()] == [good, good]
        assert (refusal(target_of(profile), token) is None) == good
