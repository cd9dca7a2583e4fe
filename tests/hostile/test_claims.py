"""Wrong values in the registered claims and in those of this extension (RFC 7519, section 4.1).

All tokens have a good signature.
"""

from __future__ import annotations

import json
import time
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from ..axes import LOCATIONS, PROFILES, both_profiles, everywhere, rotated
from ..conftest import STARTED as NOW
from ..tokens import claims, genuine
from . import assert_accepted, assert_refused, attack, carrying, claims_json, code_in, make_target, present, target_of


def with_claim(name: str, literal: str) -> str:
    """A valid token except for one claim, written in JSON as given."""
    return genuine(claims_json(**{name: literal}))


# --- exp, nbf, iat ---------------------------------------------------------------------------------------------------

#: JSON that is not a NumericDate, though much of it looks like one.
NO_DATES = [
    *('""', '"x"', f'"{NOW}"', f'"{NOW + 600}"', '"4102444800"', '" 4102444800"', '"4102444800.0"', '"0x7fffffff"'),
    *('"٤١٠٢٤٤٤٨٠٠"', '"１２３"', '"Infinity"', '"NaN"', '"2099-01-01T00:00:00Z"', '"1e10"', '"-1"', '"true"'),  # noqa: RUF001
    *("true", "false", "[]", "[4102444800]", "{}", '{"$date":4102444800}', '{"exp":4102444800}', "1e999", "-1e999"),
    *('"\\u0000"', "[[4102444800]]", '"9999999999999999999999"', "[null]", '["4102444800"]'),
]


@rotated("claim,literal", product(["exp", "nbf", "iat"], NO_DATES), profile=PROFILES)
def test_a_time_is_a_finite_number(profile: str, claim: str, literal: str) -> None:
    """A string, a bool, an array or infinity is not a time, whatever it looks like."""
    code = "malformed_claim" if claim == "iat" else "malformed_token"
    assert_refused(present(target_of(profile), with_claim(claim, literal)), code)


@rotated(
    "literal",
    ["NaN", "Infinity", "-Infinity", "1" * 5000, "01", "+1", ".5", "0x1", "1_0", "\u0661"],
    claim=["exp", "nbf", "iat"],
    profile=PROFILES,
)
def test_a_time_that_is_no_json_is_refused(profile: str, literal: str, claim: str) -> None:
    """Constants, oversized integers and other spellings are not JSON."""
    assert_refused(present(target_of(profile), with_claim(claim, literal)), "malformed_token")


@rotated(
    "claim,compat",
    [("exp", "malformed_token"), ("iat", "malformed_claim"), ("nbf", "malformed_token")],
    location=LOCATIONS,
    profile=PROFILES,
)
def test_a_time_is_not_null(profile: str, location: str, claim: str, compat: str) -> None:
    """``null`` is not a time; in strict, a required claim is then missing."""
    code = {"compat": compat, "strict": compat if claim == "nbf" else "missing_claim"}
    assert_refused(present(target_of(profile), with_claim(claim, "null"), location), code)


EXPIRED = ["0", "-1", "-0", "1", "0.0", "-1e300", "1.5", "1e0", str(NOW - 1), str(NOW), f"{NOW}.0", "-" + "9" * 4000]


@rotated("literal", EXPIRED, ids=lambda text: text[:20], location=LOCATIONS, profile=PROFILES)
def test_an_expired_token_is_refused(profile: str, location: str, literal: str) -> None:
    """A token is expired at ``exp`` and after it, however the number is written."""
    assert_refused(present(target_of(profile), with_claim("exp", literal), location), "expired_token")


FUTURE = [str(NOW + 3600), f"{NOW + 3600}.5", "4102444800", "1e300", "9" * 300, "1.7976931348623157e308"]


@rotated(
    "claim,literal", product(["nbf", "iat"], FUTURE), ids=lambda text: text[:20], location=LOCATIONS, profile=PROFILES
)
def test_a_token_from_the_future_is_refused(profile: str, location: str, claim: str, literal: str) -> None:
    """A token is not valid before ``nbf`` or ``iat``, however large the number."""
    assert_refused(present(target_of(profile), with_claim(claim, literal), location), "not_yet_valid")


@rotated(
    "claim,offset,code",
    [
        ("exp", -30, None),
        ("exp", -90, "expired_token"),
        ("nbf", 30, None),
        ("nbf", 90, "not_yet_valid"),
        ("iat", 30, None),
        ("iat", 90, "not_yet_valid"),
    ],
    leeway=[60, 60.0, timedelta(minutes=1)],
    profile=PROFILES,
)
def test_leeway_is_no_more_than_it_says(profile: str, claim: str, offset: int, code: str | None, leeway: Any) -> None:
    """Within the leeway a token passes; beyond it, it is refused."""
    target = target_of(profile, DECODE_LEEWAY=leeway)
    verdict = present(target, genuine(claims(**{claim: int(time.time()) + offset})))
    if code is None:
        assert_accepted(verdict)
    else:
        assert_refused(verdict, code)


# --- sub and jti -----------------------------------------------------------------------------------------------------

NO_STRINGS = ["0", "1", "-1", "1.5", "true", "false", "[]", '["ann"]', "{}", '{"id":1}', "1e999", "[[]]"]


@rotated("claim,literal", product(["sub", "jti"], NO_STRINGS), location=LOCATIONS, profile=PROFILES)
def test_a_name_is_a_string(profile: str, location: str, claim: str, literal: str) -> None:
    """``sub`` and ``jti`` of any other type are refused."""
    assert_refused(present(target_of(profile), with_claim(claim, literal), location), "malformed_claim")


@rotated("claim", ["sub", "jti"], profile=PROFILES)
def test_a_name_is_not_null(profile: str, claim: str) -> None:
    """``null`` is not a string; in strict, the claim is then missing."""
    code = {"compat": "malformed_claim", "strict": "missing_claim"}
    assert_refused(present(target_of(profile), with_claim(claim, "null")), code)


@everywhere
@both_profiles
def test_a_token_names_its_subject(profile: str, location: str) -> None:
    """A token without the identity claim is refused."""
    assert_refused(present(target_of(profile), genuine(claims(sub=...)), location), "missing_claim")


@rotated("name", ["sub", "Sub", "SUB", "sub ", "identity", "user_id", "uid", "subject"], profile=PROFILES)
def test_another_identity_claim_is_looked_for_by_its_name(profile: str, name: str) -> None:
    """With ``JWT_IDENTITY_CLAIM`` only the claim of exactly that name counts."""
    target = target_of(profile, IDENTITY_CLAIM="user")
    assert_refused(present(target, genuine(claims(**{"sub": ..., name: "ann"}))), "missing_claim")
    assert_accepted(present(target, genuine(claims(sub=..., user="ann"))))


@rotated("missing", ["exp", "iat", "jti", "type", "sub"], location=LOCATIONS)
def test_strict_asks_for_each_of_its_claims(location: str, missing: str) -> None:
    """Without one of them, or with ``null`` in its place, a token is refused."""
    for token in (genuine(claims(**{missing: ...})), with_claim(missing, "null")):
        assert_refused(present(target_of("strict"), token, location), "missing_claim")


# --- iss -------------------------------------------------------------------------------------------------------------

ISSUER = "https://issuer.example"
NOT_THE_ISSUER = [
    *("", " ", "https", "https://issuer", "issuer.example", "https://issuer.example/", "https://issuer.example "),
    *(" https://issuer.example", "https://issuer.example\0", "HTTPS://ISSUER.EXAMPLE", "http://issuer.example"),
    *("https://issuer.example.evil.example", "https://evil.example/https://issuer.example", "h", "e", "://", "*"),
    *("https://issuer.example@evil.example", "https://issuer.еxample", "https://other.example", "None", "null"),  # noqa: RUF001
]
#: Values of JWT_DECODE_ISSUER.
CONFIGURED = [ISSUER, [ISSUER], ["https://first.example", ISSUER], {ISSUER}]


@rotated("value", NOT_THE_ISSUER, ids=ascii, issuer=CONFIGURED, profile=PROFILES)
def test_an_issuer_is_compared_whole(profile: str, issuer: Any, value: str) -> None:
    """A part of ours, ours in another case or with something around it is another issuer."""
    target = make_target(profile, DECODE_ISSUER=issuer)
    assert_refused(present(target, genuine(claims(iss=value))), "wrong_issuer")
    assert_accepted(present(target, genuine(claims(iss=ISSUER))))


NO_ISSUERS: list[Any] = [None, 0, 1, True, False, [], [ISSUER], {}, {ISSUER: 1}, 1.5, [[ISSUER]]]


@rotated("value", NO_ISSUERS, ids=repr, issuer=CONFIGURED, profile=PROFILES)
def test_an_issuer_is_a_string(profile: str, issuer: Any, value: Any) -> None:
    """An array that contains our issuer is not our issuer."""
    assert_refused(present(make_target(profile, DECODE_ISSUER=issuer), genuine(claims(iss=value))), "wrong_issuer")


@rotated("value", NO_ISSUERS, ids=repr, location=LOCATIONS, profile=PROFILES)
def test_an_issuer_is_a_string_even_if_any_will_do(profile: str, location: str, value: Any) -> None:
    """Without a configured issuer any string passes, and nothing else (RFC 7519, section 4.1.1)."""
    target = target_of(profile)
    assert_accepted(present(target, genuine(claims(iss="https://other.example")), location))
    assert_refused(present(target, genuine(claims(iss=value)), location), "wrong_issuer")


@rotated("issuer", CONFIGURED, location=LOCATIONS, profile=PROFILES)
def test_an_issuer_is_named(profile: str, location: str, issuer: Any) -> None:
    """With a configured issuer, a token without one is refused."""
    assert_refused(present(make_target(profile, DECODE_ISSUER=issuer), genuine(), location), "missing_claim")


# --- aud -------------------------------------------------------------------------------------------------------------

AUDIENCE = "https://api.example"
NOT_THE_AUDIENCE = [
    *(" ", "https://api", "api.example", "https://api.example/", "HTTPS://API.EXAMPLE", "https://api.example\0", "*"),
    *("https://api.example.evil.example", "h", "https://api.example https://other.example", "https://other.example"),
    *(["https://other.example"], ["a", "b"], [""], [AUDIENCE.upper()], [AUDIENCE[:-1]], list(AUDIENCE)),
]
ILL_TYPED_AUDIENCES: list[Any] = [
    *(1, 1.5, True, {AUDIENCE: True}, [1], [None], [[AUDIENCE]], [{"aud": AUDIENCE}], [AUDIENCE, 1], [AUDIENCE, None]),
]
EMPTY_AUDIENCES: list[Any] = [None, "", [], {}, 0, False]
#: Values of JWT_DECODE_AUDIENCE.
OURS = [AUDIENCE, [AUDIENCE], ["https://first.example", AUDIENCE], {AUDIENCE}]


@rotated("value", NOT_THE_AUDIENCE, ids=ascii, audience=OURS, profile=PROFILES)
def test_a_token_for_somebody_else_is_refused(profile: str, audience: Any, value: Any) -> None:
    """None of the audiences is ours: a part of ours, ours in another case, its letters one by one."""
    target = make_target(profile, DECODE_AUDIENCE=audience)
    assert_refused(present(target, genuine(claims(aud=value))), "wrong_audience")
    for good in (AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]):
        assert_accepted(present(target, genuine(claims(aud=good))))


@rotated("value", ILL_TYPED_AUDIENCES, ids=ascii, audience=OURS, profile=PROFILES)
def test_an_audience_is_a_string_or_several(profile: str, audience: Any, value: Any) -> None:
    """An array with a value that is not a string is refused, even if it contains our audience."""
    target = make_target(profile, DECODE_AUDIENCE=audience)
    assert_refused(present(target, genuine(claims(aud=value))), "wrong_audience")


@rotated("value", [*ILL_TYPED_AUDIENCES, None, {}, 0, False], ids=ascii, location=LOCATIONS, profile=PROFILES)
def test_an_audience_is_a_string_or_several_even_if_any_will_do(profile: str, location: str, value: Any) -> None:
    """Without a configured audience, compat accepts other audiences, but only strings (section 4.1.3)."""
    assert_refused(present(target_of(profile), genuine(claims(aud=value)), location), "wrong_audience")


@rotated("value", EMPTY_AUDIENCES, ids=ascii, profile=PROFILES)
def test_an_empty_audience_is_none(profile: str, value: Any) -> None:
    """With a configured audience, an empty ``aud`` counts as missing."""
    target = target_of(profile, DECODE_AUDIENCE=AUDIENCE)
    for token in (genuine(claims(aud=value)), genuine()):
        assert_refused(present(target, token), "missing_claim")


@rotated("value", [*NOT_THE_AUDIENCE, *ILL_TYPED_AUDIENCES, AUDIENCE], ids=ascii, location=LOCATIONS)
def test_strict_refuses_any_audience_if_it_has_none(location: str, value: Any) -> None:
    """Without a configured audience, strict refuses every token that has one."""
    assert_refused(present(target_of("strict"), genuine(claims(aud=value)), location), "wrong_audience")


@pytest.mark.parametrize("value", EMPTY_AUDIENCES, ids=ascii)
def test_strict_refuses_an_audience_of_nobody(value: Any) -> None:
    """An empty ``aud`` does not contain our audience (RFC 7519, section 4.1.3)."""
    assert_refused(present(target_of("strict"), genuine(claims(aud=value))), "wrong_audience")


@pytest.mark.parametrize("value", ["https://other.example", ["a", "b"], [""]], ids=ascii)
def test_strict_takes_its_own_audience_alone(value: Any) -> None:
    """The audience of our new tokens is the one that we require."""
    target = target_of("strict", ENCODE_AUDIENCE=AUDIENCE)
    assert_accepted(present(target, genuine(claims(aud=AUDIENCE))))
    assert_refused(present(target, genuine(claims(aud=value))), "wrong_audience")


# --- type and fresh --------------------------------------------------------------------------------------------------

NO_ACCESS: list[Any] = [
    *(
        "refresh",
        "Access",
        "ACCESS",
        "access ",
        " access",
        "access\0",
        "acce\u0455s",
        "",
        "password_reset",
        "id",
        "any",
    ),
    *(True, False, 0, 1, 1.5, [], ["access"], {}, {"access": True}, [["access"]], "access,refresh", "access refresh"),
]


@rotated("value", NO_ACCESS, ids=ascii, location=LOCATIONS, profile=PROFILES)
def test_only_an_access_token_is_one(profile: str, location: str, value: Any) -> None:
    """Types of tokens are compared by equality."""
    token = genuine(claims(type=value))
    for path in ("/access", "/optional", "/fresh"):
        assert_refused(present(target_of(profile), token, location, path), "wrong_token_type")


@rotated("value", [*["access", "Refresh", "refresh ", "refresh\0"], *NO_ACCESS[1:]], ids=ascii, profile=PROFILES)
def test_only_a_refresh_token_is_one(profile: str, value: Any) -> None:
    """An access token, or one of any other type, is not a refresh token."""
    token = genuine(claims(type=value))
    for location in LOCATIONS:
        assert_refused(present(target_of(profile), token, location, "/refresh"), "wrong_token_type")


@rotated("path", ["/access", "/refresh", "/optional"], profile=PROFILES)
def test_a_kind_is_not_null(profile: str, path: str) -> None:
    """``null`` is another type; in strict, the claim is missing."""
    code = {"compat": "wrong_token_type", "strict": "missing_claim"}
    assert_refused(present(target_of(profile), with_claim("type", "null"), path=path), code)


NOT_FRESH = [
    *("null", "false", "0", "-1", "1", "0.0", str(NOW - 1), '""', '"true"', '"True"', '"1"', f'"{NOW + 600}"', "[]"),
    *("[true]", "{}", '{"fresh":true}', "-1e999", "1e999", '"٩٩٩٩٩٩٩٩٩٩"', "[9999999999]"),
]


@rotated("literal", NOT_FRESH, profile=PROFILES)
def test_only_true_or_a_time_to_come_is_fresh(profile: str, literal: str) -> None:
    """Every other value is refused if a fresh token is required."""
    token = with_claim("fresh", literal)
    for location in LOCATIONS:
        assert_refused(present(target_of(profile), token, location, "/fresh"), "fresh_token_required")


@rotated("literal", ["true", "9999999999", "4102444800.5"], profile=PROFILES)
def test_a_fresh_token_passes(profile: str, literal: str) -> None:
    """A fresh token passes where one is required."""
    assert_accepted(present(target_of(profile), with_claim("fresh", literal), path="/fresh"))


# --- csrf ------------------------------------------------------------------------------------------------------------

NO_CSRF: list[Any] = [
    None,
    "",
    0,
    1,
    True,
    [],
    ["the double submit value"],
    {},
    "another",
    "\ud800",
    "é",
    "the double submit",
]


@rotated("value", NO_CSRF, ids=ascii, profile=PROFILES)
def test_a_csrf_claim_that_is_another_does_not_match(profile: str, value: Any) -> None:
    """The double submit value matches only an equal string."""
    target = target_of(profile)
    sent = carrying(target, genuine(claims(csrf=value)), "cookies")
    sent["headers"]["X-CSRF-TOKEN"] = "the double submit value"
    assert_refused(attack(target, method="POST", **sent), "csrf")


@both_profiles
def test_a_token_without_a_csrf_claim_cannot_be_protected(profile: str) -> None:
    """In a cookie, with an unsafe method, such a token is refused."""
    target = target_of(profile)
    sent = carrying(target, genuine(claims(csrf=...)), "cookies")
    sent["headers"]["X-CSRF-TOKEN"] = "the double submit value"
    assert_refused(attack(target, method="POST", **sent), "missing_claim")


# --- claims without a meaning here -----------------------------------------------------------------------------------

FOREIGN: dict[str, str] = {
    "scope": '"admin"',
    "__proto__": '{"admin":true}',
    "__class__": '"admin"',
    "constructor": "null",
    "nested": "[" * 50 + "]" * 50,
    "": '""',
    "null": "null",
    "EXP": "0",
    "Exp": "0",
    "exp ": "0",
    "NBF": "9999999999",
    "verify_exp": "false",
    "options": '{"verify_signature":false}',
    "long": json.dumps("x" * 3000),
    "surrogate": '"\\ud800"',
    "big": "9" * 4000,
}


@rotated("name", FOREIGN, profile=PROFILES)
def test_a_claim_of_no_meaning_changes_nothing(profile: str, name: str) -> None:
    """With such a claim, a valid token passes and an expired one does not."""
    target = target_of(profile)
    extra = {name: FOREIGN[name]}
    assert_accepted(present(target, genuine(claims_json(**extra))))
    assert_refused(present(target, genuine(claims_json(**extra, exp="1"))), "expired_token")


@rotated("doubled", ['"exp":{},"exp":1', '"exp":9999999999,"exp":1', '"exp":1,"exp":1'], profile=PROFILES)
def test_of_a_claim_named_twice_the_last_counts(profile: str, doubled: str) -> None:
    """The last of two ``exp`` claims counts (RFC 7519, section 4)."""
    payload = claims_json()[:-1] + b"," + doubled.encode() + b"}"
    assert_refused(present(target_of(profile), genuine(payload)), "expired_token")


@rotated(
    "wrong,code",
    [
        ({"exp": 1, "sub": 5}, "malformed_claim"),
        ({"exp": 1, "nbf": 9999999999}, "not_yet_valid"),
        ({"exp": 1, "iat": True}, "malformed_claim"),
        ({"exp": 1, "type": "refresh"}, "expired_token"),
        ({"exp": 1, "jti": None}, {"compat": "malformed_claim", "strict": "missing_claim"}),
        ({"exp": 1, "aud": "x"}, {"compat": "expired_token", "strict": "wrong_audience"}),
    ],
    ids=str,
    profile=PROFILES,
)
def test_expiry_is_judged_last(profile: str, wrong: dict[str, Any], code: Any) -> None:
    """A token is reported as expired only if nothing else is wrong with its claims."""
    assert_refused(present(target_of(profile), genuine(claims(**wrong))), code_in(profile, code))
