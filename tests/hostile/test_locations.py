"""Headers, cookies, query strings and bodies without a token, with part of one, or with several."""

from __future__ import annotations

import json
from itertools import permutations, product
from typing import Any

import pytest

from ..axes import LOCATIONS, PROFILES, both_profiles, rotated
from ..tokens import claims, genuine
from . import Target, Verdict, assert_accepted, assert_refused, attack, carrying, make_target, present, target_of

MALFORMED = "malformed_header"
MISSING = "missing_token"


# --- the header ------------------------------------------------------------------------------------------------------

#: What stands in the header (T is a good token) and the code it is refused with.
HEADERS: dict[str, str] = {
    "": MISSING,
    " ": MISSING,
    "\t": MISSING,
    ",": MISSING,
    ", ,": MISSING,
    " , ": MISSING,
    ",\t,": MISSING,
    ",,,,": MISSING,
    "Bearer": MALFORMED,
    "Bearer ": MALFORMED,
    "bearer": MALFORMED,
    "Bearer,": MALFORMED,
    "Bearer T T": MALFORMED,
    "Bearer T x": MALFORMED,
    "Bearer Bearer T": MALFORMED,
    "Bearer T realm=x": MALFORMED,
    "Bearer T ; x": MALFORMED,
    "Bearer realm=x T": MALFORMED,
    "T": MISSING,
    "BearerT": MISSING,
    "Bearer:T": MISSING,
    "Bearer: T": MISSING,
    "Bearer=T": MISSING,
    '"Bearer T"': MISSING,
    "'Bearer T'": MISSING,
    "Bearer\x00 T": MISSING,
    "Bearers T": MISSING,
    "Beare T": MISSING,
    "\u0412earer T".encode().decode("latin-1"): MISSING,
    "Basic T": MISSING,
    "Basic YTpi": MISSING,
    "Digest username=x": MISSING,
    "Negotiate T": MISSING,
    "DPoP T": MISSING,
    "JWT T": MISSING,
    "Token T": MISSING,
    "Token token=T": MISSING,
    "AWS4-HMAC-SHA256 T": MISSING,
    "null": MISSING,
    "undefined": MISSING,
    "Basic Bearer T": MISSING,
    "Bearer undefined": "malformed_token",
    "Bearer null": "malformed_token",
    "Bearer [object Object]": MALFORMED,
    "Bearer token=T": "malformed_token",
    'Bearer "T"': "malformed_token",
    "Bearer 'T'": "malformed_token",
    "Bearer <T>": "malformed_token",
    "Bearer {T}": "malformed_token",
    "Bearer T;": "malformed_token",
    "Bearer T\x00": "malformed_token",
    "Bearer \x00T": "malformed_token",
    "Bearer T%20": "malformed_token",
    "Bearer %54": "malformed_token",
    "Bearer \xff": "malformed_token",
    "Bearer ../../T": "malformed_token",
    "Bearer " + "A" * 70_000: "malformed_token",
    "Bearer " + "a " * 1000: MALFORMED,
    "A" * 70_000: MISSING,
    "a," * 5000: MISSING,
    " " * 5000: MISSING,
}


@rotated("value", HEADERS, ids=lambda value: ascii(value)[:40], profile=PROFILES)
def test_a_header_without_one_token_is_refused(profile: str, value: str) -> None:
    """Another scheme means no token; a scheme without a token or with two is malformed."""
    header = value if len(value) > 1000 else value.replace("T", genuine()) if "Token" not in value else value
    verdict = attack(target_of(profile), environ_overrides={"HTTP_AUTHORIZATION": header})
    assert_refused(verdict, HEADERS[value])


@rotated("value", HEADERS, ids=lambda value: ascii(value)[:40], profile=PROFILES)
def test_an_optional_view_lets_no_bad_token_pass(profile: str, value: str) -> None:
    """A request without a token passes as anonymous; one with an invalid token is refused."""
    header = value if len(value) > 1000 else value.replace("T", genuine()) if "Token" not in value else value
    verdict = attack(target_of(profile), "/optional", environ_overrides={"HTTP_AUTHORIZATION": header})
    if HEADERS[value] == MISSING:
        assert_accepted(verdict)
    else:
        assert_refused(verdict, HEADERS[value])


TWO_IN_A_HEADER = [
    "Bearer T, Bearer T",
    "Bearer T,Bearer T",
    "Bearer T , bearer U",
    "Bearer U,BEARER T",
    "bearer T, Bearer x",
]


@rotated("value", TWO_IN_A_HEADER, profile=PROFILES)
def test_two_tokens_in_one_header_are_refused(profile: str, value: str) -> None:
    """Two header lines arrive joined by a comma: neither token is chosen."""
    header = value.replace("T", genuine()).replace("U", genuine(claims(sub="root")))
    verdict = attack(target_of(profile), environ_overrides={"HTTP_AUTHORIZATION": header})
    assert_refused(verdict, {"compat": MISSING, "strict": "multiple_tokens"})


@rotated(
    "name",
    ["X-Authorization", "Proxy-Authorization", "Authorization-X", "X-Access-Token", "X-Forwarded-Authorization"],
    profile=PROFILES,
)
def test_a_header_of_another_name_is_not_read(profile: str, name: str) -> None:
    """Only the configured header is read."""
    headers = {name: f"Bearer {genuine()}"}
    assert_refused(attack(target_of(profile), headers=headers), MISSING)


@rotated(
    "scheme,value",
    product(["", "JWT", "Token"], ["Bearer T", "Basic T", "T T", "T, T", "x", "a.b", "JWT", "Token", "T=", "T.T"]),
    profile=PROFILES,
)
def test_another_scheme_is_asked_for_by_its_name(profile: str, scheme: str, value: str) -> None:
    """With ``JWT_HEADER_TYPE``, or none, other values are refused."""
    target = target_of(profile, HEADER_TYPE=scheme, HEADER_NAME="X-Auth")
    text = value if value in ("Token", "JWT") else value.replace("T", genuine())
    verdict = attack(target, environ_overrides={"HTTP_X_AUTH": text})
    assert verdict.codes in ((MISSING,), (MALFORMED,), ("malformed_token",))
    assert_refused_by_any_scheme(verdict)
    assert_accepted(attack(target, environ_overrides={"HTTP_X_AUTH": f"{scheme} {genuine()}".strip()}))


def assert_refused_by_any_scheme(verdict: Verdict) -> None:
    """Like :func:`assert_refused`, but with another scheme in the challenge."""
    assert not verdict.ran
    assert verdict.status in (400, 401, 422)


# --- cookies ---------------------------------------------------------------------------------------------------------

#: What stands in the Cookie header (N is the name, T a good token, U another) and the code it is refused with.
COOKIES: dict[str, str] = {
    "": MISSING,
    ";": MISSING,
    "=": MISSING,
    ";;;=;=;": MISSING,
    "N": MISSING,
    "N=": MISSING,
    "N= ": MISSING,
    'N=""': MISSING,
    "=T": MISSING,
    "T": MISSING,
    "N;T": MISSING,
    "N:T": MISSING,
    "XN=T": MISSING,
    "NX=T": MISSING,
    "n=T": MISSING,
    "N[]=T": MISSING,
    "N%20=T": MISSING,
    "%4e=T": MISSING,
    "N\x00=T": MISSING,
    "\xa0N=T": MISSING,
    "N\xa0=T": MISSING,
    "\x85N=T": MISSING,
    "\x0bN=T": MISSING,
    "N\x0c=T": MISSING,
    "\x1cN\x1f=T": MISSING,
    "x=y;\xa0N=T": MISSING,
    '"N"=T': MISSING,
    "$Version=1; $N=T": MISSING,
    "x=N=T": MISSING,
    'x="; N=T': "unclear",
    'x="; N=T"': MISSING,
    "N=x": "malformed_token",
    "N==T": "malformed_token",
    "N='T'": "malformed_token",
    "N=T=": "malformed_token",
    "N=T,U": "malformed_token",
    "N=T U": "malformed_token",
    "N=Bearer T": "malformed_token",
    "N=T\x00": "malformed_token",
    "N=T%00": "malformed_token",
    "N=%54": "malformed_token",
    "N=\xe9": "malformed_token",
    "N=\xff\xfe": "malformed_token",
    'N="\\124"': "malformed_token",
    'N="T': "unclear",
    'N="T\\"': "unclear",
    "N=T\tU": "malformed_token",
    "N=null": "malformed_token",
    "N=deleted": "malformed_token",
    "N=j:{}": "malformed_token",
    "N=" + "A" * 100_000: "malformed_token",
    "a=b; " * 5000: MISSING,
    "N=x; " * 1: "malformed_token",
}


def cookie_text(target: Target, text: str) -> str:
    """The text with the name and the tokens put in."""
    places = {"N": target.cookie(), "n": target.cookie().swapcase(), "T": genuine(), "U": genuine(claims(sub="root"))}
    if len(text) > 1000 or text in ("N=null", "N=deleted"):
        places = {"N": target.cookie()}
    return "".join(places.get(character, character) for character in text)


@rotated("text", COOKIES, ids=lambda text: ascii(text)[:40], profile=PROFILES)
def test_a_cookie_header_without_a_token_is_refused(profile: str, text: str) -> None:
    """Names are compared exactly, and the value is the token and nothing else."""
    target = target_of(profile)
    verdict = attack(target, environ_overrides={"HTTP_COOKIE": cookie_text(target, text)})
    if COOKIES[text] == "unclear":  # an open quote: Werkzeug's reading is as good as another, if it is no error
        assert verdict.status in (200, 401, 422)
    else:
        assert_refused(verdict, COOKIES[text])


SAME_NAME = [
    *("N=T; N=U", "N=T;N=T", "N=T; x=y; N=U", "N=U; N=x", "N=T; N=", 'N="T"; N=U', 'N=T; N="U"', 'x="y"; N=T; N=U'),
    *("N=T; N=x y", "N=T; N=U U", "N=T; N=x\ty", "N=x y; N=T", "N=T;;N=U ;", "N=T; N"),
    *("N=T; N=U; x=\xff", "x=\xe9; N=T; N=U", "N=T;\tN =U", "N=T; N=U; N=U", 'x="\xff"; N=T; N=U', "N=T; N=\xff"),
]


@pytest.mark.parametrize("text", SAME_NAME, ids=ascii)
def test_two_cookies_of_one_name_are_refused_in_strict(text: str) -> None:
    """A cookie that a sibling domain set beside ours makes the request ambiguous."""
    target = target_of("strict")
    verdict = attack(target, environ_overrides={"HTTP_COOKIE": cookie_text(target, text)})
    assert verdict.codes in (("multiple_tokens",), (MISSING,))
    assert_refused(verdict, verdict.codes[0])


@pytest.mark.parametrize("name", ["access_token_cookie", "__Secure-access_token_cookie", "__host-access_token_cookie"])
def test_a_cookie_without_the_prefix_is_not_read_in_strict(name: str) -> None:
    """A cookie without the ``__Host-`` prefix, which other domains can set, does not count."""
    headers = {"Cookie": f"{name}={genuine()}"}
    assert_refused(attack(target_of("strict"), headers=headers), MISSING)


@rotated("kind", ["access", "refresh"], profile=PROFILES)
def test_a_cookie_of_the_other_kind_is_not_read(profile: str, kind: str) -> None:
    """An access view reads no refresh cookie, a refresh view no access cookie."""
    target, other = target_of(profile), {"access": "refresh", "refresh": "access"}[kind]
    headers = {"Cookie": f"{target.cookie(other)}={genuine(claims(type=kind))}"}
    assert_refused(attack(target, f"/{kind}", headers=headers), MISSING)


@rotated("kind", ["access", "refresh"], profile=PROFILES)
def test_a_token_in_the_cookie_of_the_other_kind_is_refused(profile: str, kind: str) -> None:
    """The type in the token counts, whatever cookie it is in."""
    target, other = target_of(profile), {"access": "refresh", "refresh": "access"}[kind]
    headers = {"Cookie": f"{target.cookie(kind)}={genuine(claims(type=other))}"}
    assert_refused(attack(target, f"/{kind}", headers=headers), "wrong_token_type")


# --- the query string ------------------------------------------------------------------------------------------------

#: The query string (T is a good token) and the code it is refused with.
QUERIES: dict[str, str] = {
    "": MISSING,
    "&": MISSING,
    "=": MISSING,
    "jwt": MISSING,
    "jwt=": MISSING,
    "=T": MISSING,
    "T": MISSING,
    "JWT=T": MISSING,
    "Jwt=T": MISSING,
    "jwt[]=T": MISSING,
    "jwt[0]=T": MISSING,
    "jwt.x=T": MISSING,
    "xjwt=T": MISSING,
    "jwtx=T": MISSING,
    "jwt%00=T": MISSING,
    "jwt%20=T": MISSING,
    "+jwt=T": MISSING,
    "token=T": MISSING,
    "access_token=T": MISSING,
    "x;jwt=T": MISSING,
    "#jwt=T": MISSING,
    "?jwt=T": MISSING,
    "jwt=x": "malformed_token",
    "jwt==T": "malformed_token",
    "jwt=+T": "malformed_token",
    "jwt=T+": "malformed_token",
    "jwt=T%20": "malformed_token",
    "jwt=%20T": "malformed_token",
    "jwt=T%00": "malformed_token",
    "jwt=%00T": "malformed_token",
    "jwt=T%0a": "malformed_token",
    "jwt=T%0d%0aX:y": "malformed_token",
    "jwt=%ff%fe": "malformed_token",
    "jwt=%F0%9F%94%91": "malformed_token",
    "jwt=%": "malformed_token",
    "jwt=%zz": "malformed_token",
    "jwt=%u0041": "malformed_token",
    "jwt=Bearer%20T": "malformed_token",
    "jwt=%22T%22": "malformed_token",
    "jwt=T;x=y": "malformed_token",
    "jwt=T#x": "malformed_token",
    "jwt=T%3D": "malformed_token",
    "jwt=" + "A" * 100_000: "malformed_token",
    "jwt=" + "%41" * 20_000: "malformed_token",
    "a=b&" * 5000: MISSING,
}


def in_query(target: Target, query: str, path: str = "/access") -> Verdict:
    text = query if len(query) > 1000 else query.replace("T", genuine()) if query != "JWT=T" else f"JWT={genuine()}"
    return attack(target, path, environ_overrides={"QUERY_STRING": text})


@rotated("query", QUERIES, ids=lambda query: ascii(query)[:40], profile=PROFILES)
def test_a_query_without_a_token_is_refused(profile: str, query: str) -> None:
    """The parameter is compared exactly, and its value is the token and nothing else."""
    assert_refused(in_query(target_of(profile), query), QUERIES[query])


@rotated(
    "octets", ["jwt=\xe9", "jwt=T&x=\xff", "\xff=\xfe", "x=\xe9&jwt=T", "jwt=\xff\xfe"], ids=ascii, profile=PROFILES
)
def test_raw_octets_in_a_query_are_no_error(profile: str, octets: str) -> None:
    """Raw bytes are refused, or ignored beside a token."""
    verdict = in_query(target_of(profile), octets)
    if not verdict.accepted:
        assert verdict.codes in ((MISSING,), ("malformed_token",))
        assert_refused(verdict, verdict.codes[0])
    assert verdict.accepted <= ("jwt=T" in octets)


#: The query string where the value begins with "Bearer ".
PREFIXED = {
    "jwt=T": "malformed_query",
    "jwt=bearer%20T": "malformed_query",
    "jwt=Bearer": "malformed_query",
    "jwt=BearerT": "malformed_query",
    "jwt=%20Bearer%20T": "malformed_query",
    "jwt=Bearer%20": "malformed_token",
    "jwt=Bearer%20%20T": "malformed_token",
    "jwt=Bearer%20Bearer%20T": "malformed_token",
    "jwt=Bearer%20x": "malformed_token",
    "jwt=": MISSING,
}


@rotated("query", PREFIXED, profile=PROFILES)
def test_a_prefix_is_asked_for_to_the_letter(profile: str, query: str) -> None:
    """With a configured prefix, a value without it is not a token."""
    target = target_of(profile, QUERY_STRING_VALUE_PREFIX="Bearer ")
    assert_refused(in_query(target, query), PREFIXED[query])
    assert_accepted(in_query(target, "jwt=Bearer%20T"))


@rotated(
    "query,path",
    product(["jwt=T", "jwt=x", "jwt=T&jwt=T", "jwt=", "jwt=%ff"], ["/access", "/optional", "/refresh"]),
    profile=PROFILES,
)
def test_an_answer_to_a_token_in_a_query_is_not_kept(profile: str, path: str, query: str) -> None:
    """No cache may store a response to a URL with a token (RFC 6750, section 2.3)."""
    verdict = in_query(target_of(profile), query, path)
    assert verdict.status < 500
    assert verdict.response.headers["Cache-Control"] == "no-store"


# --- the body --------------------------------------------------------------------------------------------------------

GOOD_BODY = '{"access_token":"T"}'
#: Content types under which a body is not read as JSON.
OTHER_TYPES = [
    *("", "text/plain", "text/json", "application/x-json", "application/javascript", "application/jsonp", "json"),
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jwt", "application/ json"),
    *("text/html; application/json", "application/octet-stream", "*/*", "application/jsonx", "application\\json"),
]


@rotated("content_type", OTHER_TYPES, profile=PROFILES)
def test_a_body_of_another_type_is_not_read(profile: str, content_type: str) -> None:
    """A form that a browser posts to another site cannot pass for JSON."""
    body = GOOD_BODY.replace("T", genuine())
    verdict = attack(target_of(profile), method="POST", data=body, content_type=content_type)
    assert_refused(verdict, MISSING)


BODIES: dict[str, str] = {
    "": MISSING,
    "[1]": MISSING,
    "5": MISSING,
    "null": MISSING,
    "true": MISSING,
    "{": MISSING,
    "[" * 100_000: MISSING,
    "T": MISSING,
    '"T"': MISSING,
    '["T"]': MISSING,
    '[{"access_token":"T"}]': MISSING,
    '{"Access_Token":"T"}': MISSING,
    '{"access_token ":"T"}': MISSING,
    '{"token":"T"}': MISSING,
    '{"refresh_token":"T"}': MISSING,
    '{"data":{"access_token":"T"}}': MISSING,
    '{"access_token":"T"': MISSING,
    "{'access_token':'T'}": MISSING,
    '{"access_token":"T"}x': MISSING,
    '{"access_token":"T","access_token":""}': MISSING,
    '{"access_token":"T","access_token":null}': MISSING,
    '{"access_token":""}': MISSING,
    '{"access_token":null}': MISSING,
    '{"access_token":["T"]}': "malformed_token",
    '{"access_token":{"token":"T"}}': "malformed_token",
    '{"access_token":" T"}': "malformed_token",
    '{"access_token":"T "}': "malformed_token",
    '{"access_token":"T\\n"}': "malformed_token",
    '{"access_token":"T\\u0000"}': "malformed_token",
    '{"access_token":"Bearer T"}': "malformed_token",
    '{"access_token":"\\ud800"}': "malformed_token",
    '{"access_token":"T","access_token":"x"}': "malformed_token",
    '{"access_token":' + "9" * 5000 + "}": MISSING,
    '{"access_token":1e999}': "malformed_token",
    '{"access_token":NaN}': "malformed_token",
    '{"access_token":' + "[" * 100_000: MISSING,
    '{"access_token":"' + "A" * 200_000 + '"}': "malformed_token",
}


@rotated(
    "body",
    BODIES,
    ids=lambda body: ascii(body)[:40],
    content_type=["application/json", "application/vnd.api+json"],
    profile=PROFILES,
)
def test_a_body_without_a_token_is_refused(profile: str, content_type: str, body: str) -> None:
    """The member is looked up at the top level by its exact name, and its value is the token and nothing else."""
    text = body if len(body) > 1000 else body.replace("T", genuine()) if "Token" not in body else body
    verdict = attack(target_of(profile), method="POST", data=text, content_type=content_type)
    assert_refused(verdict, BODIES[body])


ENCODINGS = {
    "utf-16": GOOD_BODY.encode("utf-16"),
    "utf-32": GOOD_BODY.encode("utf-32"),
    "utf-7": b"+AHsAIgBhACIAOgAxAH0-",
    "a lone octet": b'{"access_token":"\xff"}',
    "an overlong octet": b'{"access_token":"\xc0\x80"}',
    "compressed": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@rotated("encoding", ENCODINGS, profile=PROFILES)
def test_a_body_in_another_encoding_is_no_error(profile: str, encoding: str) -> None:
    """Whatever the bytes, the answer is a refusal."""
    for content_type in ("application/json", "application/json; charset=utf-16", "application/json; charset=bogus"):
        verdict = attack(target_of(profile), method="POST", data=ENCODINGS[encoding], content_type=content_type)
        assert verdict.codes in ((MISSING,), ("malformed_token",))
        assert_refused(verdict, verdict.codes[0])


# --- several tokens --------------------------------------------------------------------------------------------------


def together(target: Target, tokens: dict[str, str]) -> dict[str, Any]:
    """A request that carries these tokens, by location."""
    merged: dict[str, Any] = {"headers": {}}
    for location, token in tokens.items():
        for part, value in carrying(target, token, location).items():
            merged[part] = {**merged["headers"], **value} if part == "headers" else value
    return merged


PAIRS = list(permutations(LOCATIONS, 2))


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_strict_takes_one_token_from_one_place(pair: tuple[str, str]) -> None:
    """A valid token does not pass with a second one, valid, forged or junk (RFC 6750, section 2)."""
    good, target = genuine(), target_of("strict")
    for second in (good, genuine(claims(sub="root")), genuine(secret=b"attacker" * 8), "x"):
        tokens = {pair[0]: good, pair[1]: second}
        assert_refused(attack(target, **together(target, tokens)), "multiple_tokens")


@pytest.mark.parametrize(
    "three",
    [("headers", "cookies", "json"), ("headers", "cookies", "query_string", "json")],
    ids="-".join,
)
def test_strict_takes_one_token_among_many(three: tuple[str, ...]) -> None:
    """Three or four tokens are refused as two are."""
    target = target_of("strict")
    assert_refused(attack(target, **together(target, dict.fromkeys(three, genuine()))), "multiple_tokens")


@pytest.mark.parametrize("value", TWO_IN_A_HEADER)
@pytest.mark.parametrize("location", ["cookies", "query_string", "json"])
def test_two_tokens_in_a_header_do_not_hide_behind_a_third(location: str, value: str) -> None:
    """In strict, a header with two tokens is not skipped for a valid token elsewhere."""
    target = target_of("strict")
    header = value.replace("T", genuine()).replace("U", genuine(claims(sub="root")))
    sent = together(target, {location: genuine()})
    sent["headers"]["Authorization"] = header
    assert_refused(attack(target, **sent), "multiple_tokens")


@pytest.mark.parametrize(
    "query", ["jwt=T&jwt=T", "jwt=T&jwt=x", "jwt=x&jwt=T", "jwt=T&jwt=", "jwt=T&x=y&jwt=T", "jwt=T&%6awt=T"]
)
def test_a_repeated_parameter_is_refused_in_strict(query: str) -> None:
    """Two values under one name are two tokens."""
    assert_refused(in_query(target_of("strict"), query), "multiple_tokens")


@pytest.mark.parametrize("second", ["T", "x", 5, ["T"]])
def test_strict_takes_one_token_from_a_body(second: Any) -> None:
    """A second key for tokens must be empty, whether its value is a token or junk."""
    target = make_target("strict", JSON_KEY=["access_token", "token"], TOKEN_LOCATION=["json"])
    body = {"access_token": genuine(), "token": genuine() if second == "T" else second}
    assert_refused(attack(target, method="POST", json=body), "multiple_tokens")


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_in_compat_the_first_location_decides(pair: tuple[str, str]) -> None:
    """A forged token in the first location is refused, although the next has a valid one."""
    target = make_target("compat", TOKEN_LOCATION=list(pair))
    tokens = {pair[0]: genuine(secret=b"attacker" * 8), pair[1]: genuine()}
    assert_refused(attack(target, **together(target, tokens)), "invalid_signature")


@rotated(
    "configured,location",
    product(LOCATIONS, LOCATIONS),
    profile=PROFILES,
)
def test_a_token_where_nobody_looks_is_missing(profile: str, configured: str, location: str) -> None:
    """A location that is not configured does not count."""
    target = make_target(profile, TOKEN_LOCATION=[configured])
    verdict = present(target, genuine(), location)
    if location == configured:
        assert_accepted(verdict)
    else:
        assert_refused(verdict, MISSING)


@both_profiles
def test_a_body_of_a_view_that_reads_none_is_left_alone(profile: str) -> None:
    """If JSON is not a location, a hostile body changes nothing."""
    target = make_target(profile, TOKEN_LOCATION=["headers"])
    sent = carrying(target, genuine())
    assert_accepted(attack(target, method="POST", data="[" * 100_000, content_type="application/json", **sent))
    assert_refused(attack(target, method="POST", data=json.dumps({"access_token": genuine()})), MISSING)
