"""The strict parser: the form of a token, and PyJWT's errors."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from jwt.exceptions import DecodeError, InvalidAlgorithmError, InvalidSignatureError, InvalidTokenError

from flask_jwt_extended._jose import compact
from flask_jwt_extended._jose.keys import KeyRing, prepare

from ..conftest import SECRET
from ..tokens import ALPHABET, HEADER, PAYLOAD, raw_token, refusal, sealed, segment

CAP = 16384
HEAD, BODY, SIGNATURE = raw_token().split(".")
SEGMENTS = list(enumerate(["header", "payload", "crypto"]))


def make_verifier(*secrets: str, algorithms: tuple[str, ...] = ("HS256",), cap: int = CAP) -> compact.Verifier:
    keys = [prepare(algorithm, secret) for algorithm in algorithms for secret in secrets or (SECRET,)]
    return compact.Verifier(algorithms, KeyRing(keys), cap)


def read(token: Any, verifier: compact.Verifier | None = None) -> dict[str, Any]:
    """Verify a token and parse its payload, as every caller does."""
    _, payload = (verifier or make_verifier()).verify(token)
    return compact.parse_object(payload, "payload")


def read_by_pyjwt(token: Any) -> dict[str, Any]:
    return jwt.decode(token, SECRET, algorithms=["HS256"])


def header_with(**parameters: Any) -> bytes:
    return json.dumps({"alg": "HS256", **parameters}).encode()


@pytest.fixture
def verifiers() -> list[compact.Verifier]:
    """A verifier that sees the usual header for the first time, and one that remembers it."""
    made = [make_verifier(), make_verifier()]
    made[1].verify(raw_token())
    return made


def outcomes(verifiers: list[compact.Verifier], token: Any) -> list[tuple[type[Exception], str]]:
    """Return how each verifier refuses a token."""
    return [refusal(read, token, each) for each in verifiers]


# --- what both refuse -----------------------------------------------------------------------------------------------

REFUSED_BY_BOTH: dict[str, Any] = {
    "no token": "",
    "no dot": HEAD,
    "one dot": f"{HEAD}.{BODY}",
    "four parts": f"{HEAD}.{BODY}.{SIGNATURE}.{SIGNATURE}",
    "five parts": ".".join([HEAD, BODY, BODY, BODY, SIGNATURE]),
    "dots alone": "..",
    "no header": f".{BODY}.{SIGNATURE}",
    "no signature": f"{HEAD}.{BODY}.",
    "no payload": sealed(HEAD, ""),
    "half a byte of header": f"{HEAD[:-3]}.{BODY}.{SIGNATURE}",
    "half a byte of payload": sealed(HEAD, BODY + "A" * (1 - len(BODY) % 4)),
    "half a byte of signature": f"{HEAD}.{BODY}.{SIGNATURE}AA",
    "header of standard base64": f"{HEAD}+/.{BODY}.{SIGNATURE}",
    "payload of standard base64": sealed(HEAD, "e30+"),
    "signature of standard base64": f"{HEAD}.{BODY}.{SIGNATURE[:-4]}ab/+",
    "white space in front": f" {HEAD}.{BODY}.{SIGNATURE}",
    "line end behind": f"{HEAD}.{BODY}.{SIGNATURE}\n",
    "JSON serialisation": json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
    "letters beyond ASCII": f"{HEAD}.{BODY}é.{SIGNATURE}",
    "digits beyond ASCII": f"{HEAD}.{BODY}.{SIGNATURE}\u0661",
    "header that is no JSON": raw_token(b"alg=HS256"),
    "header that is no UTF-8": raw_token(b'{"alg":"HS256","x":"\xff"}'),
    "header cut short": raw_token(HEADER[:-1]),
    "header of an empty segment": sealed("", BODY),
    "header that is a list": raw_token(b'["HS256"]'),
    "header that is a string": raw_token(b'"HS256"'),
    "header that is null": raw_token(b"null"),
    "header with single quotes": raw_token(b"{'alg':'HS256'}"),
    "header with a comma at its end": raw_token(b'{"alg":"HS256",}'),
    "header with more behind it": raw_token(HEADER + b"{}"),
    "header with a NUL behind it": raw_token(HEADER + b"\0"),
    "header behind white space of another kind": raw_token(b"\x0b" + HEADER),
    "header with an error behind white space": raw_token(b' {"alg":}'),
    "payload that is no JSON": raw_token(HEADER, b"sub=me"),
    "payload that is no UTF-8": raw_token(HEADER, b'{"sub":"\xe9"}'),
    "payload of overlong UTF-8": raw_token(HEADER, b'{"sub":"\xc0\xaf"}'),
    "payload that is a list": raw_token(HEADER, b"[]"),
    "payload that is a number": raw_token(HEADER, b"5"),
    "payload with more behind it": raw_token(HEADER, PAYLOAD + b" ]"),
    "payload with a comment": raw_token(HEADER, b'{"sub":"me"/**/}'),
    "payload with a control character": raw_token(HEADER, b'{"sub":"a\nb"}'),
    "payload with a number of too many digits": raw_token(HEADER, b'{"sub":%s}' % (b"9" * 5000)),
    "payload with a leading zero": raw_token(HEADER, b'{"exp":01}'),
    "no algorithm": raw_token(b'{"typ":"JWT"}'),
    "algorithm null": raw_token(header_with(alg=None)),
    "algorithm empty": raw_token(header_with(alg="")),
    "algorithm none": raw_token(header_with(alg="none")),
    "algorithm none without a signature": f"{segment(header_with(alg='none'))}.{BODY}.",
    "algorithm in small letters": raw_token(header_with(alg="hs256")),
    "algorithm not allowed": raw_token(header_with(alg="HS512")),
    "algorithm unknown": raw_token(header_with(alg="HS1")),
    "algorithm a list": raw_token(header_with(alg=["HS256"])),
    "algorithm an object": raw_token(header_with(alg={"HS256": 1})),
    "algorithm a number": raw_token(header_with(alg=256)),
    "kid a number": raw_token(header_with(kid=1)),
    "kid null": raw_token(header_with(kid=None)),
    "kid a list": raw_token(header_with(kid=["k"])),
    "crit null": raw_token(header_with(crit=None)),
    "crit a string": raw_token(header_with(crit="exp")),
    "crit an object": raw_token(header_with(crit={"exp": 1})),
    "crit empty": raw_token(header_with(crit=[])),
    "crit unknown": raw_token(header_with(crit=["http://example.com/UNDEFINED"])),
    "crit a list of numbers": raw_token(header_with(crit=[1])),
    "crit a list of lists": raw_token(header_with(crit=[["b64"]])),
    "crit of something registered": raw_token(header_with(crit=["exp"], exp=1)),
    "signature by another key": raw_token(secret=SECRET[::-1]),
    "signature cut short": f"{HEAD}.{BODY}.{SIGNATURE[:-3]}",
    "signature of another payload": f"{HEAD}.e30.{SIGNATURE}",
    "a number": 5,
    "nothing at all": None,
    "a list of segments": [HEAD, BODY, SIGNATURE],
    "a bytearray": bytearray(raw_token().encode()),
}


@pytest.mark.parametrize("token", REFUSED_BY_BOTH.values(), ids=REFUSED_BY_BOTH)
def test_what_pyjwt_refuses_is_refused_in_its_words(token: Any, verifiers: list[compact.Verifier]) -> None:
    """Class and message of the error are PyJWT's, whether the header is remembered or not."""
    assert outcomes(verifiers, token) == [refusal(read_by_pyjwt, token)] * 2


@pytest.mark.parametrize("part", ["header", "payload"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_bottomless_nesting_is_refused(part: str, opening: bytes) -> None:
    """JSON that is nested too deeply for the interpreter is a malformed token, not a crash."""
    deep = b'{"a":' + opening * 200_000
    token = raw_token(deep) if part == "header" else raw_token(HEADER, deep)
    error, message = refusal(read, token, make_verifier(cap=10**7))
    assert error is DecodeError
    assert message.startswith(f"Invalid {part} string: ")


@pytest.mark.parametrize("name", ["crit", "kid", "typ", "alg"])
def test_a_nested_header_parameter_is_refused_at_every_depth(name: str) -> None:
    """No depth of nesting passes the parser and then breaks a check."""
    other = b"" if name == "alg" else b',"alg":"HS256"'
    for depth in [1, 10, 300, *range(850, 1000), 3000, 6000]:
        nested = b"[" * depth + b"]" * depth
        token = raw_token(b'{"%s":%s%s}' % (name.encode(), nested, other))
        refusal(read, token)


# --- what we refuse and PyJWT does not ------------------------------------------------------------------------------

STRICTER: dict[str, tuple[str, type[Exception], str]] = {
    "a padded header": (sealed(segment(b'{"alg":"HS256" }') + "==", BODY), DecodeError, "Invalid header padding"),
    "a padded payload": (sealed(HEAD, segment(b'{"a":10}') + "="), DecodeError, "Invalid payload padding"),
    "a padded signature": (f"{HEAD}.{BODY}.{SIGNATURE}=", DecodeError, "Invalid crypto padding"),
    "a header in UTF-16": (raw_token(HEADER.decode().encode("utf-16-le")), DecodeError, "Invalid header string: "),
    "a header in UTF-16 with BOM": (raw_token(HEADER.decode().encode("utf-16")), DecodeError, "Invalid header"),
    "a header in UTF-32": (raw_token(HEADER.decode().encode("utf-32-be")), DecodeError, "Invalid header string: "),
    "a header with BOM": (raw_token(b"\xef\xbb\xbf" + HEADER), DecodeError, "Invalid header string: "),
    "a payload in UTF-16": (raw_token(HEADER, '{"a":1}'.encode("utf-16-be")), DecodeError, "Invalid payload string: "),
    "a payload with BOM": (raw_token(HEADER, b"\xef\xbb\xbf{}"), DecodeError, "Invalid payload string: "),
    "a surrogate in UTF-8": (raw_token(HEADER, b'{"a":"\xed\xa0\x80"}'), DecodeError, "Invalid payload string: "),
    "NaN in the header": (raw_token(b'{"alg":"HS256","x":NaN}'), DecodeError, "Invalid header string: NaN is not"),
    "NaN": (raw_token(HEADER, b'{"a":NaN}'), DecodeError, "Invalid payload string: NaN is not"),
    "Infinity": (raw_token(HEADER, b'{"a":Infinity}'), DecodeError, "Invalid payload string: Infinity is not"),
    "-Infinity": (raw_token(HEADER, b'{"a":[-Infinity]}'), DecodeError, "Invalid payload string: -Infinity is not"),
    "b64 true": (raw_token(header_with(b64=True)), InvalidTokenError, "The 'b64' header parameter is not allowed"),
    "b64 null": (raw_token(header_with(b64=None)), InvalidTokenError, "The 'b64' header parameter is not allowed"),
    "b64 critical": (
        raw_token(header_with(b64=True, crit=["b64"])),
        InvalidTokenError,
        "Unsupported critical extension: b64",
    ),
    "typ null": (raw_token(header_with(typ=None)), InvalidTokenError, "Type header parameter must be a string"),
    "typ a number": (raw_token(header_with(typ=1)), InvalidTokenError, "Type header parameter must be a string"),
    "typ a list": (raw_token(header_with(typ=["JWT"])), InvalidTokenError, "Type header parameter must be a string"),
}
OTHER_KINDS = [
    "dpop+jwt",
    "DPoP+JWT",
    "application/dpop+jwt",
    "APPLICATION/logout+jwt",
    "secevent+jwt",
    "entity-statement+jwt",
    "oauth-authz-req+jwt",
    "at+jwt+jwt",
    "jose+json",
]
STRICTER |= {
    f"typ {kind}": (raw_token(header_with(typ=kind)), InvalidTokenError, f"A token of type '{kind}' is not accepted")
    for kind in OTHER_KINDS
}


@pytest.mark.parametrize(("token", "error", "message"), STRICTER.values(), ids=STRICTER)
def test_what_pyjwt_lets_through_is_refused_all_the_same(
    token: str, error: type[Exception], message: str, verifiers: list[compact.Verifier]
) -> None:
    """The token is genuine and accepted by PyJWT, but not a valid JWT."""
    assert isinstance(read_by_pyjwt(token), dict)
    for actual, actual_message in outcomes(verifiers, token):
        assert actual is error
        assert actual_message.startswith(message)


@pytest.mark.parametrize(("position", "name"), SEGMENTS)
def test_no_octet_outside_the_alphabet_passes(position: int, name: str, verifiers: list[compact.Verifier]) -> None:
    """Each of the 191 other octets is refused in each segment, with PyJWT's message."""
    for octet in set(range(256)) - set(ALPHABET.encode()) - {ord(".")}:
        parts = [part.encode() for part in (HEAD, BODY, SIGNATURE)]
        parts[position] = parts[position][:-4] + bytes([octet]) + parts[position][-3:]
        assert outcomes(verifiers, b".".join(parts)) == [(DecodeError, f"Invalid {name} padding")] * 2


@pytest.mark.parametrize("character", ["é", "\u0130", "\uff21", "\u2024", "\ud800", "\0", "\U0001f600"])
def test_text_beyond_the_alphabet_is_refused(character: str, verifiers: list[compact.Verifier]) -> None:
    """Including characters that become ASCII in another encoding or case."""
    for place in range(0, len(raw_token()), 7):
        token = raw_token()[:place] + character + raw_token()[place:]
        assert all(issubclass(error, DecodeError) for error, _ in outcomes(verifiers, token))


# --- one spelling for the same octets -------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", ["", "A", "AB", "ABC", "ABCD", "ABCDE", "ABCDEF", "-_-_"])
def test_exactly_the_canonical_last_characters_are_decoded(stem: str) -> None:
    """A segment is decoded only if encoding its octets gives the same segment, for every last character."""
    for last in ALPHABET:
        text = stem + last
        if len(text) % 4 != 1 and segment(octets := urlsafe_b64decode(text + "==")) == text:
            assert compact.decode_segment(text.encode(), "payload") == octets
            assert compact.encode_segment(octets) == text.encode()
        else:
            error = refusal(compact.decode_segment, text.encode(), "payload")
            assert error == (DecodeError, "Invalid payload padding")


def other_spellings(text: str) -> list[str]:
    """Return the segments that a lenient decoder takes for the same octets."""
    octets = urlsafe_b64decode(text + "==")
    spellings = [text[:-1] + last for last in ALPHABET]
    return [each for each in spellings if each != text and urlsafe_b64decode(each + "==") == octets]


def segment_ending(remainder: int, text: str) -> str:
    """Encode a text with spaces in place of its ``*``, so that the segment has this length modulo 4."""
    candidates = (segment(text.replace("*", " " * number).encode()) for number in range(3))
    return next(each for each in candidates if len(each) % 4 == remainder)


@pytest.mark.parametrize(("remainder", "others"), [(2, 15), (3, 3)])
@pytest.mark.parametrize(("position", "name"), SEGMENTS[:2])
def test_no_second_spelling_of_a_segment_passes(position: int, name: str, remainder: int, others: int) -> None:
    """Each non-canonical last character of header and payload is refused, although the signature covers it."""
    parts = [segment_ending(remainder, text) for text in ('{"alg":"HS256"*}', '{"sub":"me"*}')]
    checker = make_verifier()
    assert read(sealed(parts[0], parts[1]), checker) == {"sub": "me"}
    spellings = other_spellings(parts[position])
    assert len(spellings) == others
    for parts[position] in spellings:
        token = sealed(parts[0], parts[1])
        assert refusal(read, token, checker) == (DecodeError, f"Invalid {name} padding")


def test_no_second_spelling_of_a_signature_passes(verifiers: list[compact.Verifier]) -> None:
    """A blocklist of encoded tokens would miss a second spelling."""
    spellings = other_spellings(SIGNATURE)
    assert len(spellings) == 3
    for spelling in spellings:
        token = f"{HEAD}.{BODY}.{spelling}"
        assert outcomes(verifiers, token) == [(DecodeError, "Invalid crypto padding")] * 2


# --- size and type --------------------------------------------------------------------------------------------------


def text_of(size: int) -> str:
    """Return a genuine token of this size, or one less if base64 has no such length."""
    body = segment(b'{"sub":"%s"}' % (b"m" * ((size - len(HEAD) - len(SIGNATURE) - 2) * 3 // 4 - 10)))
    return sealed(HEAD, body)


@pytest.mark.parametrize("form", [str, str.encode], ids=["text", "bytes"])
def test_the_size_cap_is_the_last_size_that_passes(form: Callable[[str], Any]) -> None:
    """A token as long as the cap passes; the same token under a cap one byte lower does not."""
    token = text_of(600)
    exact, tight = make_verifier(cap=len(token)), make_verifier(cap=len(token) - 1)
    assert read(form(token), exact) == read(form(token), exact) == read_by_pyjwt(token)
    refused = DecodeError, f"The token is longer than {len(token) - 1} bytes"
    assert refusal(read, form(token), tight) == refused


@pytest.mark.parametrize(
    "token", ["." * (CAP + 1), "\0" * (CAP + 1), raw_token() + "A" * CAP], ids=["dots", "NUL", "A"]
)
def test_size_is_judged_before_anything_else(token: str, verifiers: list[compact.Verifier]) -> None:
    """A token that is too long is refused for that, whatever else is wrong with it."""
    assert outcomes(verifiers, token) == [(DecodeError, f"The token is longer than {CAP} bytes")] * 2


class Text(str):
    """A subclass of ``str``, for example for markup."""


class Octets(bytes):
    """A subclass of ``bytes``."""


@pytest.mark.parametrize("form", [str, str.encode, Text, lambda text: Octets(text.encode())])
def test_text_and_bytes_of_any_class_are_taken(form: Callable[[str], Any], verifiers: list[compact.Verifier]) -> None:
    """Subclasses of ``str`` and ``bytes`` are accepted."""
    assert [read(form(raw_token()), each) for each in verifiers] == [{"sub": "me"}] * 2


# --- JSON that is accepted ------------------------------------------------------------------------------------------

ACCEPTED: dict[str, tuple[bytes, dict[str, Any]]] = {
    "an empty object": (b"{}", {}),
    "white space around it": (b'\r\n\t {"a":1}\t \n\r', {"a": 1}),
    "white space inside": (b'{ "a"\n:\t[ 1 ,\r2 ] }', {"a": [1, 2]}),
    "a name twice": (b'{"a":1,"b":2,"a":3}', {"a": 3, "b": 2}),
    "a name twice, spelled differently": (b'{"a":1,"\\u0061":2}', {"a": 2}),
    "letters beyond ASCII": ('{"ä":"€😀"}'.encode(), {"ä": "€😀"}),
    "the same, escaped": (b'{"\\u00e4":"\\u20AC\\ud83d\\ude00"}', {"ä": "€😀"}),
    "a lone surrogate, escaped": (b'{"a":"\\ud800"}', {"a": "\ud800"}),
    "a NUL, escaped": (b'{"a":"\\u0000"}', {"a": "\0"}),
    "a BOM inside a string": (b'{"a":"\xef\xbb\xbf"}', {"a": "\ufeff"}),
    "constants as strings": (b'{"a":"NaN","Infinity":"-Infinity"}', {"a": "NaN", "Infinity": "-Infinity"}),
    "a huge integer": (b'{"a":%s}' % (b"9" * 4000), {"a": int("9" * 4000)}),
    "numbers of every form": (b'{"a":[-0,1.5,1E3,2e-2,-0.0]}', {"a": [0, 1.5, 1000.0, 0.02, -0.0]}),
    "every literal": (b'{"a":[true,false,null]}', {"a": [True, False, None]}),
    "an empty name": (b'{"":{"":[]}}', {"": {"": []}}),
    "a hundred levels": (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", {"a": json.loads("[" * 100 + "]" * 100)}),
}


@pytest.mark.parametrize(("payload", "claims"), ACCEPTED.values(), ids=ACCEPTED)
def test_every_json_object_is_read_as_pyjwt_reads_it(
    payload: bytes, claims: dict[str, Any], verifiers: list[compact.Verifier]
) -> None:
    """JSON has many spellings; of two members with the same name the last counts."""
    token = raw_token(HEADER, payload)
    assert read_by_pyjwt(token) == claims
    assert [read(token, each) for each in verifiers] == [claims] * 2


@pytest.mark.parametrize(
    ("header", "parsed"),
    [
        (b' {"alg" : "HS256"}\n', {"alg": "HS256"}),
        (b'{"alg":"none","alg":"HS256"}', {"alg": "HS256"}),
        (b'{"\\u0061lg":"HS\\u0032\\u0035\\u0036"}', {"alg": "HS256"}),
        (b'{"alg":"HS256","kid":"\\ud800"}', {"alg": "HS256", "kid": "\ud800"}),
    ],
)
def test_a_header_is_read_as_it_was_meant(header: bytes, parsed: dict[str, Any]) -> None:
    """The spelling of a header does not matter, the first time and when it is remembered."""
    checker = make_verifier()
    for _ in range(2):
        assert checker.verify(raw_token(header))[0] == parsed


def test_the_last_of_two_algorithms_counts() -> None:
    """A header with an allowed algorithm and then another is refused for the other."""
    token = raw_token(b'{"alg":"HS256","alg":"none"}')
    assert refusal(read, token) == (InvalidAlgorithmError, "The specified alg value is not allowed")


@pytest.mark.parametrize(
    "kind", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt", "", "mine"]
)
def test_a_header_may_name_our_kind_or_none(kind: str, verifiers: list[compact.Verifier]) -> None:
    """``typ`` of an access token, or a general one, passes in upper and lower case."""
    assert [read(raw_token(header_with(typ=kind)), each) for each in verifiers] == [{"sub": "me"}] * 2


# --- keys and algorithms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameter",
    [
        {"jwk": {"kty": "oct", "k": segment(b"attacker's secret, long enough to be one")}},
        {"jku": "https://example.com/keys"},
        {"x5u": "https://example.com/certificate"},
        {"x5c": ["MIIB"]},
        {"kid": "../../dev/null"},
    ],
    ids=lambda parameter: next(iter(parameter)),
)
def test_a_key_named_by_the_header_is_never_used(parameter: dict[str, Any]) -> None:
    """Header parameters about keys neither help a forged token nor harm a genuine one."""
    forged = raw_token(header_with(**parameter), secret="attacker's secret, long enough to be one")
    assert refusal(read, forged) == (InvalidSignatureError, "Signature verification failed")
    assert read(raw_token(header_with(**parameter))) == {"sub": "me"}


def test_an_algorithm_without_a_key_is_not_accepted() -> None:
    """An allowed algorithm without a key is refused, not tried with the key of another."""
    checker = compact.Verifier(["HS256", "HS512"], KeyRing([prepare("HS256", SECRET)]), CAP)
    token = jwt.encode({"sub": "me"}, SECRET, "HS512")
    assert refusal(read, token, checker) == (InvalidAlgorithmError, "The specified alg value is not allowed")


def test_an_algorithm_with_a_key_but_not_allowed_is_not_accepted() -> None:
    """A key in the ring does not allow its algorithm."""
    checker = compact.Verifier(["HS256"], KeyRing([prepare("HS256", SECRET), prepare("HS512", SECRET)]), CAP)
    token = jwt.encode({"sub": "me"}, SECRET, "HS512")
    assert refusal(read, token, checker) == (InvalidAlgorithmError, "The specified alg value is not allowed")


def test_every_key_of_the_ring_verifies_under_one_header() -> None:
    """A remembered header does not bind tokens of other keys to the first one."""
    secrets = [SECRET + str(number) for number in range(3)]
    checker = make_verifier(*secrets)
    for secret in [*secrets, *reversed(secrets)]:
        assert read(raw_token(secret=secret), checker) == {"sub": "me"}
    stranger = raw_token(secret=SECRET + "3")
    assert refusal(read, stranger, checker) == (InvalidSignatureError, "Signature verification failed")


@pytest.mark.parametrize("algorithms", [("HS256", "HS384", "HS512"), ("HS512", "HS256")])
def test_one_verifier_takes_several_algorithms(algorithms: tuple[str, ...]) -> None:
    """Each allowed algorithm with a key is verified with that key, in any order and more than once."""
    checker = make_verifier(algorithms=algorithms)
    for algorithm in algorithms * 2:
        header, _ = checker.verify(jwt.encode({"sub": "me"}, SECRET, algorithm))
        assert header["alg"] == algorithm


def test_two_faults_are_reported_alike_whether_the_header_is_known_or_not() -> None:
    """The error does not reveal whether the header is remembered."""
    body, signature = other_spellings(segment(b'{"sub":"m"}'))[0], other_spellings(SIGNATURE)[0]
    warm = make_verifier()
    warm.verify(raw_token())
    token = f"{HEAD}.{body}.{signature}"
    expected = refusal(read_by_pyjwt, token)
    assert refusal(read, token) == expected
    assert refusal(read, token, warm) == expected


# --- the memory of headers ------------------------------------------------------------------------------------------


def remembered(verifier: compact.Verifier) -> int:
    return len(verifier._seen)


@pytest.mark.parametrize(
    "token",
    [
        raw_token(secret=SECRET[::-1]),
        f"{HEAD}.{BODY}.",
        raw_token(header_with(alg="none")),
        raw_token(header_with(crit=["x"])),
        raw_token(header_with(typ="dpop+jwt")),
        sealed(HEAD, "e3=="),
    ],
)
def test_only_headers_of_genuine_tokens_are_remembered(token: str) -> None:
    """A refused token is not remembered, so clients without a key cannot fill the memory."""
    checker = make_verifier()
    refusal(read, token, checker)
    assert remembered(checker) == 0
    checker.verify(raw_token())
    assert remembered(checker) == 1


def test_the_memory_of_headers_is_bounded() -> None:
    """With many different headers, only some are remembered, and every token still verifies."""
    checker = make_verifier()
    tokens = [raw_token(header_with(kid=str(number))) for number in range(compact.REMEMBERED_HEADERS + 20)]
    for token in tokens * 2:
        assert read(token, checker) == {"sub": "me"}
    assert 0 < remembered(checker) <= compact.REMEMBERED_HEADERS


@pytest.mark.parametrize("extra", [{}, {"kid": "k"}, {"x": {"y": ["z"]}}, {"x": ["y"]}, {"x": 1, "y": None}])
def test_a_header_changed_by_its_receiver_changes_nobody_elses(extra: dict[str, Any]) -> None:
    """Each caller gets its own copy of the header."""
    checker, token = make_verifier(), raw_token(header_with(**extra))
    for _ in range(3):
        header, _ = checker.verify(token)
        assert header == {"alg": "HS256", **extra}
        header["alg"] = "changed"
        header["new"] = True
        for value in extra:
            getattr(header[value], "clear", lambda: None)()


def test_a_known_header_does_not_vouch_for_a_signature() -> None:
    """After a genuine token, a forged one with the same header is refused."""
    checker = make_verifier()
    forged = raw_token(secret=SECRET[::-1])
    for _ in range(2):
        assert refusal(read, forged, checker) == (InvalidSignatureError, "Signature verification failed")
        checker.verify(raw_token())


def test_a_verifier_shows_no_secret() -> None:
    """Its ``repr`` contains only algorithms."""
    assert SECRET not in repr(make_verifier())
    assert "HS256" in repr(make_verifier())


# --- parsing without verifying, and writing -------------------------------------------------------------------------


def test_parse_takes_a_token_apart() -> None:
    """The parts are the header, the signing input, and two encoded segments."""
    header, signing_input, payload, signature = compact.parse(raw_token(), CAP)
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert signing_input == f"{HEAD}.{BODY}".encode()
    assert (payload, signature) == (BODY.encode(), SIGNATURE.encode())


@pytest.mark.parametrize("part", [1, 2])
def test_parse_judges_the_form_of_every_segment(part: int) -> None:
    """A token is malformed as a whole, even if only its header is needed."""
    parts = [HEAD, BODY, SIGNATURE]
    parts[part] = parts[part] + "A" * (1 + -len(parts[part]) % 4)
    assert refusal(compact.parse, ".".join(parts), CAP)[0] is DecodeError


def test_a_signed_token_is_one_that_pyjwt_reads() -> None:
    """Our tokens are JWTs everywhere."""
    token = compact.sign(HEADER, PAYLOAD, prepare("HS256", SECRET))
    assert token == raw_token()
    assert read_by_pyjwt(token) == {"sub": "me"}


def test_json_is_written_in_its_shortest_form() -> None:
    """Without white space, in ASCII, and in the order of the members."""
    assert compact.json_encoder(str).encode({"b": [1, "ä"], "a": None}) == '{"b":[1,"\\u00e4"],"a":null}'


def test_json_is_written_with_the_help_of_the_default() -> None:
    """The function converts objects that JSON does not know."""
    assert compact.json_encoder(sorted).encode({"a": {1}}) == '{"a":[1]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_not_written(number: float) -> None:
    """No verifier would accept the token."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        compact.json_encoder(str).encode({"a": number})


def test_an_error_never_quotes_the_payload() -> None:
    """Neither the message nor the cause of an error contains the payload."""
    token = raw_token(HEADER, b'{"password":"hunter2",}')
    with pytest.raises(DecodeError) as caught:
        read(token)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
