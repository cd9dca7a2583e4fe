"""Claims: their types, their last second, the order of the checks, and the claims of a new token."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt
import pytest
from dateutil.relativedelta import relativedelta
from jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuedAtError,
    InvalidIssuerError,
    InvalidJTIError,
    InvalidSubjectError,
    MissingRequiredClaimError,
)

from flask_jwt_extended._jose.claims import build, is_finite, validate
from flask_jwt_extended._settings.settings import Settings, resolve
from flask_jwt_extended.exceptions import CSRFError, JWTDecodeError

from ..axes import rotated
from ..conftest import SECRET
from ..tokens import refusal

#: A moment, in seconds, and claims that are good in it.
NOW = 1_700_000_000
GOOD: dict[str, Any] = {"sub": "me", "iat": NOW, "nbf": NOW, "exp": NOW + 1, "jti": "id"}


def options(**changed: Any) -> Settings:
    return resolve({f"JWT_{name}": value for name, value in changed.items()})


def check(changes: dict[str, Any], settings: Settings | None = None, now: float = NOW, **kwargs: Any) -> dict[str, Any]:
    """Validate valid claims with some changes, and return them."""
    claims = {**GOOD, **changes}
    validate(claims, settings or options(), now, **kwargs)
    return claims


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name not in names}


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leeway", [0, 10, 0.5, timedelta(seconds=30)])
@pytest.mark.parametrize("exp", [NOW, NOW + 0.9])
def test_a_token_expires_in_the_second_of_exp(exp: float, leeway: Any) -> None:
    """It passes until just before ``exp`` plus the leeway (RFC 7519, section 4.1.4)."""
    settings = options(DECODE_LEEWAY=leeway)
    end = NOW + settings.decode_leeway
    for now in (end - 1, end - 0.001):
        check({"exp": exp, "iat": 0, "nbf": 0}, settings, now)
    for now in (end, end + 0.001, end + 1):
        expected = ExpiredSignatureError, "Signature has expired"
        assert refusal(check, {"exp": exp, "iat": 0, "nbf": 0}, settings, now) == expected


@pytest.mark.parametrize("leeway", [0, 10, 0.5, timedelta(seconds=30)])
@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_is_not_accepted_before_its_time(name: str, leeway: Any) -> None:
    """It passes from ``iat`` and ``nbf`` minus the leeway, to the second."""
    settings = options(DECODE_LEEWAY=leeway)
    start = NOW - settings.decode_leeway
    claims = {"sub": "me", name: NOW}
    for now in (start, start + 0.001, start + 1, NOW + 10**9):
        validate(dict(claims), settings, now)
    for now in (start - 0.001, start - 1, 0):
        expected = ImmatureSignatureError, f"The token is not yet valid ({name})"
        assert refusal(validate, dict(claims), settings, now) == expected


#: What no NumericDate is; the ones PyJWT refuses as well, and the ones it takes for a number.
NO_NUMBERS: list[Any] = [None, "", "soon", "1.5", [], [NOW], {}, float("inf"), float("-inf"), float("nan")]
TAKEN_FOR_NUMBERS: list[Any] = [True, False, str(NOW), f" {NOW} ", "\u0661\u0667", "1_0"]
DATES: dict[str, tuple[type[Exception], str]] = {
    "iat": (InvalidIssuedAtError, "Issued At claim (iat) must be an integer."),
    "nbf": (DecodeError, "Not Before claim (nbf) must be an integer."),
    "exp": (DecodeError, "Expiration Time claim (exp) must be an integer."),
}


@pytest.mark.parametrize("value", [*NO_NUMBERS, *TAKEN_FOR_NUMBERS], ids=repr)
def test_a_time_is_a_finite_number(value: Any) -> None:
    """A time of any other type is refused, even if it could be turned into a number."""
    assert {name: refusal(check, {name: value}) for name in DATES} == DATES


@rotated("value", NO_NUMBERS * 2, ids=repr, name=DATES)
def test_a_time_that_is_none_is_refused_in_the_words_of_pyjwt(name: str, value: Any) -> None:
    """Class and message are PyJWT's own."""
    claims = {"sub": "me", name: value}
    token = jwt.encode(claims, SECRET)
    assert refusal(jwt.decode, token, SECRET, ["HS256"]) == refusal(validate, claims, options(), NOW)


@pytest.mark.parametrize("value", [0, -1, 0.0, 1.5, -1e300, -(10**300)])
@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_time_in_the_past_may_be_any_finite_number(name: str, value: float) -> None:
    """However long ago."""
    assert check({name: value})[name] == value


@pytest.mark.parametrize("value", [NOW + 1.5, 1e300, 10**300])
def test_an_expiry_in_the_future_may_be_any_finite_number(value: float) -> None:
    """However far away."""
    assert check({"exp": value})["exp"] == value


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize("value", [1e300, 10**400])
def test_a_start_in_the_far_future_is_not_yet(name: str, value: float) -> None:
    """Numbers that are too large for a date are compared like any other."""
    assert refusal(check, {name: value})[0] is ImmatureSignatureError


@pytest.mark.parametrize("value", [0, -1, -1e300, -(10**400), 0.5])
def test_an_expiry_in_the_far_past_is_past(value: float) -> None:
    """Zero and negative numbers are times."""
    assert refusal(check, {"exp": value})[0] is ExpiredSignatureError


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("exp", 10**400, DecodeError), ("nbf", -(10**400), DecodeError), ("iat", -(10**400), InvalidIssuedAtError)],
)
@pytest.mark.parametrize("allow_expired", [False, True])
def test_an_integer_beyond_every_float_is_refused(
    name: str, value: int, error: type[Exception], allow_expired: bool
) -> None:
    """Arithmetic with it would raise an OverflowError later."""
    kind, message = refusal(lambda: check({name: value}, allow_expired=allow_expired))
    assert kind is error
    assert message.endswith("is out of range")


def test_an_expiry_before_every_float_is_past_even_where_expired_tokens_are_taken() -> None:
    """``allow_expired`` does not accept it."""
    assert refusal(lambda: check({"exp": -(10**400)}, allow_expired=True))[0] is ExpiredSignatureError


def test_times_may_be_absent() -> None:
    """A token without ``exp`` never expires; without ``iat`` and ``nbf`` it is always valid."""
    validate({"sub": "me"}, options(), 10**12)
    validate({"sub": "me"}, options(), 0)


def test_an_expired_token_is_taken_where_that_is_asked_for() -> None:
    """With ``allow_expired``, a past ``exp`` passes, and an invalid one does not."""
    assert check({"exp": NOW - 10}, allow_expired=True)["exp"] == NOW - 10
    assert refusal(lambda: check({"exp": "never"}, allow_expired=True)) == DATES["exp"]


@pytest.mark.parametrize(
    ("value", "finite"),
    [(1, True), (1.5, True), (0, True), (True, False), ("1", False), (None, False), (float("inf"), False)],
)
def test_a_bool_is_no_number(value: Any, finite: bool) -> None:
    """Only finite numbers are."""
    assert is_finite(value) is finite


# --- audience and issuer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aud", ["theirs", ["theirs"], []], ids=repr)
def test_no_audience_is_asked_for_by_default(aud: Any) -> None:
    """Without a configured audience, any ``aud`` passes."""
    assert check({"aud": aud})["aud"] == aud


@pytest.mark.parametrize("aud", [None, 5, {"a": 1}, [1]], ids=repr)
def test_an_audience_has_its_form_even_if_none_is_asked_for(aud: Any) -> None:
    """A string or a list of strings (RFC 7519, section 4.1.3)."""
    assert refusal(check, {"aud": aud}) == (InvalidAudienceError, "Invalid claim format in token")


@pytest.mark.parametrize("accepted", ["ours", ["ours"], ["other", "ours"], ("ours",), {"ours", "other"}])
@pytest.mark.parametrize("aud", ["ours", ["ours"], ["theirs", "ours"]])
def test_an_audience_of_ours_is_enough(accepted: Any, aud: Any) -> None:
    """One audience of the token must be accepted, in any form of both."""
    assert check({"aud": aud}, options(DECODE_AUDIENCE=accepted))["aud"] == aud


@pytest.mark.parametrize("aud", ["theirs", "our", "oursandmore", "OURS", ["theirs"], ["our", "s"], " ours"])
def test_an_audience_that_is_not_ours_is_refused(aud: Any) -> None:
    """Audiences are compared whole."""
    expected = InvalidAudienceError, "Audience doesn't match"
    assert refusal(check, {"aud": aud}, options(DECODE_AUDIENCE="ours")) == expected


@pytest.mark.parametrize("changes", [{}, {"aud": None}, {"aud": ""}, {"aud": []}, {"aud": 0}, {"aud": {}}], ids=repr)
def test_a_missing_audience_is_refused_where_one_is_asked_for(changes: dict[str, Any]) -> None:
    """An empty one counts as missing."""
    expected = MissingRequiredClaimError, 'Token is missing the "aud" claim'
    assert refusal(check, changes, options(DECODE_AUDIENCE=["ours"])) == expected


@pytest.mark.parametrize("aud", [5, True, 1.5, {"ours": 1}, ["ours", 5], ["ours", None], [["ours"]]], ids=repr)
def test_an_audience_of_another_type_is_refused(aud: Any) -> None:
    """It must be a string or a list of strings."""
    expected = InvalidAudienceError, "Invalid claim format in token"
    assert refusal(check, {"aud": aud}, options(DECODE_AUDIENCE="ours")) == expected


class AnyOf:
    """A container of issuers that is not a list, for example a look-up in a database."""

    def __contains__(self, issuer: object) -> bool:
        return issuer == "ours"


@pytest.mark.parametrize("accepted", ["ours", ["other", "ours"], ("ours",), {"ours"}, {"ours": 1}, AnyOf()])
def test_an_issuer_of_ours_passes_and_no_other(accepted: Any) -> None:
    """Issuers are compared whole, in every kind of container."""
    settings = options(DECODE_ISSUER=accepted)
    check({"iss": "ours"}, settings)
    for issuer in ("theirs", "our", "oursandmore", "o", "", "OURS"):
        assert refusal(check, {"iss": issuer}, settings) == (InvalidIssuerError, "Invalid issuer")


def test_a_missing_issuer_is_refused_where_one_is_asked_for() -> None:
    """Without a configured issuer, it may be missing."""
    expected = MissingRequiredClaimError, 'Token is missing the "iss" claim'
    assert refusal(check, {}, options(DECODE_ISSUER="ours")) == expected


@pytest.mark.parametrize("issuer", [None, 5, True, ["ours"], {"ours": 1}], ids=repr)
def test_an_issuer_is_a_string(issuer: Any) -> None:
    """Another type is refused, with and without a configured issuer."""
    expected = InvalidIssuerError, "Payload Issuer (iss) must be a string"
    assert refusal(check, {"iss": issuer}, options(DECODE_ISSUER=["ours"])) == expected
    assert refusal(check, {"iss": issuer}) == expected


# --- subject, identity, identifier -----------------------------------------------------------------------------------

NO_STRINGS: list[Any] = [None, 5, 1.5, True, [], ["me"], {"id": 1}]


@pytest.mark.parametrize("subject", NO_STRINGS, ids=repr)
def test_a_subject_is_a_string_unless_told_otherwise(subject: Any) -> None:
    """JWT_VERIFY_SUB decides whether ``sub`` may be anything else."""
    assert refusal(check, {"sub": subject}) == (InvalidSubjectError, "Subject must be a string")
    assert check({"sub": subject}, options(VERIFY_SUB=False))["sub"] == subject


@pytest.mark.parametrize("identifier", NO_STRINGS, ids=repr)
def test_an_identifier_is_a_string(identifier: Any) -> None:
    """``jti`` of another type is refused."""
    assert refusal(check, {"jti": identifier}) == (InvalidJTIError, "JWT ID must be a string")


@pytest.mark.parametrize("claim", ["sub", "user", "https://example.com/id"])
def test_the_identity_claim_must_be_there(claim: str) -> None:
    """A token without an identity is refused."""
    settings = options(IDENTITY_CLAIM=claim)
    with pytest.raises(JWTDecodeError, match=rf"^Missing claim: {claim}$"):
        validate(without("sub"), settings, NOW)
    validate({**without("sub"), claim: "me"}, settings, NOW)


def test_another_identity_claim_may_hold_anything() -> None:
    """Only ``sub`` has a type."""
    validate({"user": {"id": 5}}, options(IDENTITY_CLAIM="user"), NOW)


def test_what_a_token_does_not_say_is_assumed() -> None:
    """By default, a token is an access token, not fresh, and without an identifier."""
    claims = {"sub": "me"}
    validate(claims, options(), NOW)
    assert claims == {"sub": "me", "type": "access", "fresh": False, "jti": None}


@pytest.mark.parametrize(
    "said", [{"type": "refresh", "fresh": True, "jti": "x"}, {"type": None, "fresh": None, "jti": ""}]
)
def test_what_a_token_says_is_left_alone(said: dict[str, Any]) -> None:
    """Defaults do not replace claims, not even null."""
    claims = {"sub": "me", **said}
    validate(claims, options(), NOW)
    assert claims == {"sub": "me", **said}


# --- CSRF ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["token", "ünïcödé", "\ud800", "a" * 5000])
def test_the_double_submit_value_must_match(value: str) -> None:
    """It is compared as octets, so that no character causes an error."""
    check({"csrf": value}, csrf_value=value)
    for other in ("x", value + " ", value[:-1] or "y", value.upper() + "Z"):
        with pytest.raises(CSRFError, match=r"^CSRF double submit tokens do not match$"):
            check({"csrf": value}, csrf_value=other)


@pytest.mark.parametrize("claim", [None, 5, True, ["token"], {"token": 1}, ""], ids=repr)
def test_a_csrf_claim_of_another_type_never_matches(claim: Any) -> None:
    """It is a mismatch, not an error."""
    for value in ("token", str(claim) or "x"):
        with pytest.raises(CSRFError, match=r"^CSRF double submit tokens do not match$"):
            check({"csrf": claim}, csrf_value=value)


def test_a_token_without_csrf_claim_cannot_be_held_against_a_value() -> None:
    """It was made while the protection was off."""
    with pytest.raises(JWTDecodeError, match=r"^Missing claim: csrf$"):
        check({}, csrf_value="token")


def test_no_double_submit_value_is_asked_for_without_one() -> None:
    """The claim alone is not checked."""
    assert check({"csrf": 5})["csrf"] == 5


# --- the order of the checks -----------------------------------------------------------------------------------------

#: Faults in the order in which they are found: (changes, what the refusal speaks of).
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"iat": "x"}, "(iat)"),
    ({"nbf": NOW + 9}, "(nbf)"),
    ({"exp": "x"}, "(exp)"),
    ({"iss": "theirs"}, "issuer"),
    ({"aud": "theirs"}, "Audience"),
    ({"sub": 5}, "Subject"),
    ({"jti": 5}, "JWT ID"),
    ({"csrf": "other"}, "CSRF"),
    ({"exp": NOW}, "expired"),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_of_several_faults_the_first_is_reported(first: int) -> None:
    """The order is PyJWT's, except that expiry comes last."""
    good = {"iss": "ours", "aud": "ours", "csrf": "token"}
    settings = options(DECODE_ISSUER="ours", DECODE_AUDIENCE="ours")
    check(good, settings, csrf_value="token")
    for later in range(len(FAULTS) - 1, first - 1, -1):
        good |= FAULTS[later][0]
    _, message = refusal(lambda: check(good, settings, csrf_value="token"))
    assert FAULTS[first][1] in message


def test_a_missing_identity_comes_before_expiry() -> None:
    """The handler for expired tokens always gets an identity."""
    with pytest.raises(JWTDecodeError, match="Missing claim: sub"):
        validate({**without("sub"), "exp": NOW - 9}, options(), NOW)


@pytest.mark.parametrize(
    ("changes", "changed", "arguments"),
    [
        ({"iat": 2**40}, {}, {}),
        ({"nbf": 2**40}, {}, {}),
        ({"exp": NOW}, {}, {}),
        ({}, {"DECODE_ISSUER": "ours"}, {"issuer": "ours"}),
        ({"iss": 5}, {"DECODE_ISSUER": "ours"}, {"issuer": "ours"}),
        ({"iss": "theirs"}, {"DECODE_ISSUER": "ours"}, {"issuer": "ours"}),
        ({"iss": "theirs"}, {"DECODE_ISSUER": ["ours"]}, {"issuer": ["ours"]}),
        ({}, {"DECODE_AUDIENCE": "ours"}, {"audience": "ours"}),
        ({"aud": 5}, {"DECODE_AUDIENCE": "ours"}, {"audience": "ours"}),
        ({"aud": ["a", 5]}, {"DECODE_AUDIENCE": "ours"}, {"audience": "ours"}),
        ({"aud": "theirs"}, {"DECODE_AUDIENCE": ["ours"]}, {"audience": ["ours"]}),
        ({"sub": 5}, {}, {}),
        ({"sub": None}, {}, {}),
        ({"jti": 5}, {}, {}),
        ({"jti": None}, {}, {}),
    ],
)
def test_a_claim_is_refused_in_the_words_of_pyjwt(
    changes: dict[str, Any], changed: dict[str, Any], arguments: dict[str, Any]
) -> None:
    """Class and message are PyJWT's, for every claim that both check."""
    claims = {"sub": "me", **changes}
    payload = jwt.api_jws.encode(jwt.PyJWT()._encode_payload(claims), SECRET)
    expected = refusal(lambda: jwt.decode(payload, SECRET, ["HS256"], **arguments))
    assert refusal(validate, claims, options(**changed), time.time()) == expected


# --- building --------------------------------------------------------------------------------------------------------


def make(settings: Settings | None = None, now: float = NOW, **changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "token_type": "access",
        "identity": "me",
        "fresh": False,
        "lifetime": timedelta(minutes=1),
        "additional": {},
    }
    return build(settings or options(), now, **{**asked, **changes})


def test_a_new_token_holds_these_claims() -> None:
    """Type, freshness, identity, times in whole seconds, an identifier and a CSRF value."""
    claims = make(now=NOW + 0.75)
    assert {name: value for name, value in claims.items() if name not in ("jti", "csrf")} == {
        "fresh": False,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 60,
        "type": "access",
        "sub": "me",
    }
    assert all(type(claims[name]) is int for name in ("iat", "nbf", "exp"))
    for name in ("jti", "csrf"):
        assert uuid.UUID(claims[name]).version == 4


@pytest.mark.parametrize("name", ["jti", "csrf"])
def test_no_two_tokens_share_an_identifier_or_csrf_value(name: str) -> None:
    """Neither between two tokens, nor within one."""
    tokens = [make() for _ in range(50)]
    assert len({each[name] for each in tokens}) == 50
    assert all(each["jti"] != each["csrf"] for each in tokens)


@pytest.mark.parametrize(
    ("changed", "claims"),
    [
        ({"ENCODE_NBF": False}, {"nbf": None}),
        ({"COOKIE_CSRF_PROTECT": False}, {"csrf": None}),
        ({"IDENTITY_CLAIM": "user"}, {"sub": None, "user": "me"}),
        ({"ENCODE_AUDIENCE": "them"}, {"aud": "them"}),
        ({"ENCODE_AUDIENCE": ["a", "b"]}, {"aud": ["a", "b"]}),
        ({"ENCODE_AUDIENCE": ("a",)}, {"aud": ["a"]}),
        ({"ENCODE_ISSUER": "us"}, {"iss": "us"}),
        ({}, {"iss": None, "aud": None}),
    ],
)
def test_settings_decide_what_else_a_new_token_holds(changed: dict[str, Any], claims: dict[str, Any]) -> None:
    """Each option about new tokens, on its own; ``None`` is an absent claim."""
    made = make(options(**changed))
    assert {name: made.get(name) for name in claims} == claims
    assert None not in made.values()


@pytest.mark.parametrize(
    ("lifetime", "exp"),
    [
        (timedelta(seconds=90), NOW + 90),
        (timedelta(seconds=0.2), NOW),
        (timedelta(milliseconds=600), NOW + 1),
        (timedelta(0), NOW),
        (timedelta(days=-1), NOW - 86400),
        (relativedelta(hours=2), NOW + 7200),
        (relativedelta(months=1), int(datetime(2023, 12, 14, 22, 13, 20, tzinfo=timezone.utc).timestamp())),
    ],
)
def test_a_lifetime_is_added_to_the_moment_of_issue(lifetime: Any, exp: int) -> None:
    """Anything that can be added to a ``datetime`` is a lifetime; the result is rounded down to seconds."""
    assert make(now=NOW + 0.5, lifetime=lifetime)["exp"] == exp


def test_a_token_without_end_has_no_exp() -> None:
    """``False`` is not a lifetime of zero."""
    assert "exp" not in make(lifetime=False)


@pytest.mark.parametrize(
    ("fresh", "claim"), [(True, True), (False, False), (timedelta(seconds=5), NOW + 5.25), (1.5, 1.5)]
)
def test_freshness_is_a_bool_or_a_time(fresh: Any, claim: Any) -> None:
    """A ``timedelta`` is turned into the time until which the token is fresh."""
    made = make(now=NOW + 0.25, fresh=fresh)["fresh"]
    assert made == claim
    assert type(made) is type(claim)


@pytest.mark.parametrize("name", ["sub", "exp", "iat", "nbf", "jti", "type", "fresh", "csrf", "role"])
def test_additional_claims_win(name: str) -> None:
    """They replace the claims that are made here."""
    assert make(additional={name: "theirs"})[name] == "theirs"


PLUS_FIVE = timezone(timedelta(hours=5))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (datetime(2023, 11, 14, 22, 13, 20), NOW),
        (datetime(2023, 11, 14, 22, 13, 20, 999_999), NOW),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc), NOW),
        (datetime(2023, 11, 15, 3, 13, 20, tzinfo=PLUS_FIVE), NOW),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=timezone.utc), -1),
    ],
)
def test_a_time_given_as_datetime_becomes_a_number(name: str, moment: datetime, seconds: int) -> None:
    """As in PyJWT: whole seconds, rounded down, and in UTC without a time zone."""
    made = make(additional={name: moment})[name]
    token = jwt.encode({name: moment}, SECRET)
    assert made == seconds == jwt.decode(token, options={"verify_signature": False})[name]
    assert type(made) is int


def test_a_datetime_elsewhere_is_left_to_json() -> None:
    """Only the registered times become numbers."""
    moment = datetime(2023, 11, 14, tzinfo=timezone.utc)
    assert make(additional={"birthday": moment})["birthday"] is moment


@pytest.mark.parametrize("issuer", [5, None, ["us"]], ids=repr)
def test_an_issuer_that_is_no_string_is_not_written(issuer: Any) -> None:
    """The message is PyJWT's."""
    calls: list[Callable[[], Any]] = [
        lambda: make(additional={"iss": issuer}),
        lambda: jwt.encode({"iss": issuer}, SECRET),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"^Issuer \(iss\) must be a string\.$"):
            call()


def test_building_changes_nothing_that_was_handed_in() -> None:
    """Additional claims and a list of audiences are not changed."""
    additional = {"exp": datetime(2023, 11, 14), "roles": ["a"]}
    settings = options(ENCODE_AUDIENCE=["a"])
    before = dict(additional)
    make(settings, additional=additional)
    assert additional == before
    assert make(settings)["aud"] == ["a"]


def test_what_is_built_is_valid_at_once() -> None:
    """A new token passes immediately, to the fraction of a second."""
    settings = options(ENCODE_ISSUER="us", DECODE_ISSUER="us", ENCODE_AUDIENCE=["a", "b"], DECODE_AUDIENCE="b")
    for now in (NOW, NOW + 0.001, NOW + 0.999):
        claims = make(settings, now, lifetime=timedelta(seconds=1))
        validate(claims, settings, now, csrf_value=claims["csrf"])
