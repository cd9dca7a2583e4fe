"""The form of a token: one spelling, three parts, JSON objects, limited sizes (RFC 7515, section 7.1)."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product

from ..axes import LOCATIONS, PROFILES, both_profiles, everywhere, rotated
from ..tokens import claims, genuine, segment
from . import assert_accepted, assert_refused, attack, carrying, present, target_of

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def parts_of(token: str) -> list[str]:
    return token.split(".")


def with_part(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    """A change of one of the three parts."""

    def changed(token: str) -> str:
        parts = parts_of(token)
        parts[number] = change(parts[number])
        return ".".join(parts)

    return changed


def respelt(part: str) -> str:
    """The same bytes, spelt with stray bits in the last character."""
    last = ALPHABET.index(part[-1])
    assert len(part) % 4 != 0
    return part[:-1] + ALPHABET[last + 1]


def with_stray_bits() -> str:
    """A valid token whose parts all have unused bits in the last character, so each has a second spelling."""
    tokens = (genuine(claims(pad="x" * length), {"alg": "HS256", "kid": "k"}) for length in range(3))
    return next(token for token in tokens if all(len(part) % 4 for part in parts_of(token)))


CHANGES: dict[str, Callable[[str], str]] = {
    "a dot in front": lambda token: "." + token,
    "a dot behind": lambda token: token + ".",
    "two dots behind": lambda token: token + "..",
    "a part in front": lambda token: "e30." + token,
    "a part behind": lambda token: token + ".e30",
    "five parts, as a JWE": lambda token: token + "." + ".".join(parts_of(token)[1:]),
    "itself twice": lambda token: token + token,
    "itself twice with a dot": lambda token: token + "." + token,
    "no signature part": lambda token: token.rpartition(".")[0],
    "header alone": lambda token: parts_of(token)[0],
    "header and a dot": lambda token: parts_of(token)[0] + ".",
    "dots alone": lambda _token: "..",
    "one dot": lambda _token: ".",
    "many dots": lambda _token: "." * 500,
    "no payload part": lambda token: parts_of(token)[0] + "." + parts_of(token)[2],
    "no header": with_part(0, lambda _part: ""),
    "parts in another order": lambda token: ".".join(reversed(parts_of(token))),
    "padded at its end": lambda token: token + "=",
    "padded twice at its end": lambda token: token + "==",
    "padded thrice at its end": lambda token: token + "===",
    "junk at its end": lambda token: token + "!!!!",
    "a tilde at its end, as SD-JWT": lambda token: token + "~",
    "a hash at its end": lambda token: token + "#",
    "percent-encoded dots": lambda token: token.replace(".", "%2E"),
    "colons for dots": lambda token: token.replace(".", ":"),
    "a one-character part behind": lambda token: token[:-1] + ".",
    "in brackets": lambda token: f"[{token}]",
    "in single quotes": lambda token: f"'{token}'",
    "in angle brackets": lambda token: f"<{token}>",
    "Python's bytes": lambda token: f"b'{token}'",
    **{
        f"{name} {how}": with_part(number, change)
        for number, name in enumerate(("header", "payload", "signature"))
        for how, change in {
            "padded": lambda part: part + "=" * (-len(part) % 4),
            "overpadded": lambda part: part + "====",
            "padded within": lambda part: part[:4] + "=" + part[4:],
            "with the plus of plain base64": lambda part: part[:4] + "+" + part[5:],
            "with the slash of plain base64": lambda part: part[:4] + "/" + part[5:],
            "with a star": lambda part: part[:4] + "*" + part[5:],
            "with a null": lambda part: part[:4] + "$00" + part[5:],
            "spelt a second way": respelt,
            "one character longer than base64 can be": lambda part: part + "A" * ((1 - len(part)) % 4),
        }.items()
    },
}


@rotated("change", CHANGES, location=LOCATIONS, profile=PROFILES)
def test_a_token_has_one_form(profile: str, location: str, change: str) -> None:
    """A valid token in any other form is malformed, in every location."""
    good = with_stray_bits()
    target = target_of(profile)
    assert_accepted(present(target, good, location))
    assert_refused(present(target, CHANGES[change](good), location), "malformed_token")


@rotated(
    "change",
    {
        "no payload": with_part(1, lambda _part: ""),
        "another payload": with_part(1, lambda _part: segment(json.dumps(claims(sub="root")).encode())),
        "the payload cut": with_part(1, lambda part: part[: len(part) // 4 * 4 - 4]),
        "no signature": with_part(2, lambda _part: ""),
        "the signature cut to 128 bits": with_part(2, lambda part: part[:20] + "AA"),
        "the signature cut by three octets": with_part(2, lambda part: part[:-3] and part[:36]),
        "the signature longer by three octets": with_part(2, lambda part: segment(b"\0" * 3) + part),
        "the signature twice": with_part(2, lambda part: part[:40] + part[:40]),
        "a signature of nulls": with_part(2, lambda _part: segment(bytes(32))),
        "a signature of ones": with_part(2, lambda _part: segment(b"\xff" * 32)),
        "the signature in hex": with_part(2, lambda part: "00" * 32),
        "the signature reversed": with_part(2, lambda part: segment(part.encode())),
        "the signing input as signature": lambda token: ".".join([*parts_of(token)[:2], parts_of(token)[0] + "AA"]),
    }.items(),
    ids=lambda change: change[0],
    location=LOCATIONS,
    profile=PROFILES,
)
def test_a_signature_is_whole_or_nothing(profile: str, location: str, change: tuple[str, Callable[[str], str]]) -> None:
    """A part of a signature, another payload or no signature is refused."""
    verdict = present(target_of(profile), change[1](genuine()), location)
    assert verdict.codes in (("invalid_signature",), ("malformed_token",))
    assert_refused(verdict, verdict.codes[0])


NO_OBJECT: dict[str, bytes] = {
    "nothing": b"",
    "blank": b" ",
    "null": b"null",
    "true": b"true",
    "a number": b"5",
    "a float": b"1.5",
    "a string": b'"a"',
    "an array": b"[]",
    "an array of one object": b"[{}]",
    "an open brace": b"{",
    "an open string": b'{"a',
    "no quotes": b"{a: 1}",
    "single quotes": b"{'a': 1}",
    "a comma too much": b'{"a": 1,}',
    "a comment": b'{"a": 1 /* */}',
    "a null behind": b'{"a": 1}\0',
    "a byte behind": b'{"a": 1}x',
    "a second object": b'{"a": 1}{"b": 2}',
    "a UTF-8 BOM": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without BOM": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "an overlong octet": b'{"a": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "a form feed around": b'\x0c{"a": 1}',
    "a no-break space around": b'\xc2\xa0{"a": 1}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "minus Infinity": b'{"a": -Infinity}',
    "a plus sign": b'{"a": +1}',
    "a leading zero": b'{"a": 01}',
    "hexadecimal": b'{"a": 0x1}',
    "a bare point": b'{"a": .5}',
    "a control character": b'{"a": "\x01"}',
    "an unknown escape": b'{"a": "\\x41"}',
    "an integer beyond measure": b'{"a": ' + b"9" * 5000 + b"}",
    "arrays in arrays": b'{"a": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    "objects in objects": b'{"a":' * 1200 + b"1" + b"}" * 1200,
    "arrays that never close": b"[" * 5000,
    "YAML": b"a: 1",
    "a pickle": b"\x80\x04K\x01.",
    "gzip": b"\x1f\x8b\x08\x00\x00",
}
#: Nested so deeply that it depends on the interpreter whether the parser fails.
DEEP = ("arrays in arrays", "objects in objects")


@rotated("octets", [name for name in NO_OBJECT if name not in DEEP], profile=PROFILES)
def test_a_header_is_a_json_object(profile: str, octets: str) -> None:
    """Any other header is refused before a key is used, even with a good signature."""
    assert_refused(present(target_of(profile), genuine(header=NO_OBJECT[octets])), "malformed_token")


@rotated("octets", [name for name in NO_OBJECT if name not in DEEP], profile=PROFILES)
def test_a_payload_is_a_json_object(profile: str, octets: str) -> None:
    """Any other payload is refused, even with a good signature."""
    assert_refused(present(target_of(profile), genuine(NO_OBJECT[octets])), "malformed_token")


@rotated("part,octets", product(["header", "payload"], DEEP), location=LOCATIONS, profile=PROFILES)
def test_deep_nesting_is_a_refusal(profile: str, location: str, part: str, octets: str) -> None:
    """However deeply a part is nested, the answer is a refusal: of the form or of missing claims."""
    deep = NO_OBJECT[octets]
    token = genuine(deep) if part == "payload" else genuine(header=deep)
    verdict = present(target_of(profile), token, location)
    assert verdict.codes in (("malformed_token",), ("wrong_algorithm",), ("missing_claim",))
    assert_refused(verdict, verdict.codes[0])


SIZES = {"compat": 16384, "strict": 8192}


def around(size: int) -> tuple[str, str]:
    """The longest valid token within this size, and the next one."""
    fits = 0
    while len(genuine(claims(pad="x" * (fits + 1)))) <= size:
        fits += 1 if len(genuine(claims(pad="x" * (fits + 100)))) > size else 99
    return genuine(claims(pad="x" * fits)), genuine(claims(pad="x" * (fits + 1)))


@everywhere
@both_profiles
def test_the_longest_token_passes_and_no_longer_one(profile: str, location: str) -> None:
    """At the limit of the profile a valid token passes; a longer one is refused unread."""
    target, (longest, too_long) = target_of(profile), around(SIZES[profile])
    assert SIZES[profile] - 2 <= len(longest) < len(too_long)
    assert_accepted(present(target, longest, location))
    assert_refused(present(target, too_long, location), "malformed_token")


@rotated(
    "shape,size",
    product(["{}", "{}.e30.AA", "e30.{}.AA", "e30.e30.{}", "{}.{}.{}"], [100_000, 1_000_000]),
    location=LOCATIONS,
    profile=PROFILES,
)
def test_an_oversized_token_is_refused(profile: str, location: str, shape: str, size: int) -> None:
    """A token of any size ends in the same answer."""
    token = shape.format(*["A" * (size // shape.count("{}"))] * 3)
    assert_refused(present(target_of(profile), token, location), "malformed_token")


BEYOND_ASCII = ["é", "☃", "١", "\u200b", "\u2024", "\uff0e", "\u00a0", "\u202e", "\U0001f511"]  # noqa: RUF001  # dots


@rotated("character", BEYOND_ASCII, ids=ascii, location=["query_string", "json"], profile=PROFILES)
def test_characters_beyond_ascii_are_no_part_of_a_token(profile: str, location: str, character: str) -> None:
    """A character that is invisible or looks like a dot is refused anywhere in a token."""
    target, good = target_of(profile), genuine()
    for token in (character + good, good + character, good.replace(".", character), good[:9] + character + good[9:]):
        assert_refused(present(target, token, location), "malformed_token")


@rotated(
    "octets",
    [b"\xe9", b"\xff\xfe", b"\xe2\x98\x83", b"\xc2\xa0", b"\x85"],
    ids=repr,
    location=["headers", "cookies"],
    profile=PROFILES,
)
def test_octets_beyond_ascii_are_no_part_of_a_token(profile: str, location: str, octets: bytes) -> None:
    """In a header, raw bytes after the first part of a token are refused."""
    good = genuine()
    token = good[:9] + octets.decode("latin-1") + good[9:]
    verdict = present(target_of(profile), token, location)
    assert verdict.codes in (("malformed_token",), ("malformed_header",))
    assert_refused(verdict, verdict.codes[0])


JSON_VALUES = [
    *(5, 1.5, True, ["x"], {"x": 1}, [], {}, 0, False, None, "", "x", "\ud800"),
    *("\ud800.\ud800.\ud800", "é.é.é", "\x00"),
]


@rotated("value", JSON_VALUES, ids=ascii, profile=PROFILES)
def test_a_json_body_may_hold_anything(profile: str, value: object) -> None:
    """Another value in the JSON body is refused: as missing if it is empty, otherwise as malformed."""
    code = "malformed_token" if value else "missing_token"
    assert_refused(present(target_of(profile), value, "json"), code)


@rotated("location", LOCATIONS, profile=PROFILES)
def test_a_refusal_repeats_nothing_of_the_token(profile: str, location: str) -> None:
    """The answer contains no part of a refused token."""
    token = genuine(secret="another secret, one that is not configured")
    verdict = attack(target_of(profile), **carrying(target_of(profile), token, location))
    assert_refused(verdict, "invalid_signature")
    told = verdict.response.get_data(as_text=True) + str(verdict.response.headers)
    assert not any(part in told for part in parts_of(token))
