"""Properties that hold for every input: agreement with PyJWT, joserfc and Werkzeug; no token breaks anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jwt
import pytest
from flask import Flask, Request
from hypothesis import assume, given
from hypothesis import strategies as st
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from jwt.exceptions import InvalidTokenError
from werkzeug.test import EnvironBuilder

from flask_jwt_extended import create_access_token, decode_token, get_unverified_jwt_headers
from flask_jwt_extended._jose import compact
from flask_jwt_extended._jose.keys import KeyRing, prepare
from flask_jwt_extended._request.extract import find_token
from flask_jwt_extended._settings.settings import resolve
from flask_jwt_extended.exceptions import NoAuthorizationError

from ..axes import LOCATIONS
from ..conftest import ED448, PRIVATE_KEYS, SECRET, SYMMETRIC, MakeApp, bearer, pem
from ..tokens import ALPHABET, raw_token
from . import examples

CAP = 16384


# --- who signs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signer:
    """An algorithm and its keys, in the forms that this package, PyJWT and joserfc accept."""

    algorithm: str
    private: str = field(repr=False)
    public: str = field(repr=False)
    curve: str = ""

    @property
    def options(self) -> dict[str, str]:
        """The options of an application that uses them."""
        if self.algorithm in SYMMETRIC:
            return {"ALGORITHM": self.algorithm, "SECRET_KEY": self.private}
        return {"ALGORITHM": self.algorithm, "PRIVATE_KEY": self.private, "PUBLIC_KEY": self.public}

    @cached_property
    def pyjwt_keys(self) -> tuple[Any, Any]:
        """The private and the public key as PyJWT takes them, parsed."""
        implementation = jwt.get_algorithm_by_name(self.algorithm)
        return implementation.prepare_key(self.private), implementation.prepare_key(self.public)

    @cached_property
    def joserfc_key(self) -> Any:
        """The private key as joserfc takes it."""
        kinds: dict[str, Any] = {"HS": OctKey, "RS": RSAKey, "PS": RSAKey, "ES": ECKey, "Ed": OKPKey}
        return kinds[self.algorithm[:2]].import_key(self.private)

    @cached_property
    def joserfc_registry(self) -> JWSRegistry:
        """joserfc told to use this algorithm, and to take headers of any size that no specification knows."""
        registry = JWSRegistry(algorithms=[self.algorithm], strict_check_header=False)
        registry.max_header_length = registry.max_payload_length = CAP
        return registry

    def __str__(self) -> str:
        return self.algorithm + self.curve


SIGNERS = [
    *(Signer(name, SECRET, SECRET) for name in SYMMETRIC),
    *(Signer(name, *pem(key)) for name, key in PRIVATE_KEYS.items()),
    Signer("EdDSA", *pem(ED448), curve=" on Ed448"),
]
every_signer = pytest.mark.parametrize("signer", SIGNERS, ids=str)
#: joserfc warns of the name EdDSA, which RFC 9864 splits into two.
eddsa_may_be_called_so = pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")


@pytest.fixture
def signing_app(signer: Signer, make_app: MakeApp) -> Flask:
    """An application that issues and verifies with the keys of this test."""
    return make_app(**signer.options)


# --- what is signed --------------------------------------------------------------------------------------------------

#: Claims that have a meaning of their own.
MEANT = {"sub", "exp", "nbf", "iat", "iss", "aud", "jti", "type", "fresh", "csrf"}
#: Header parameters that have one, here or to joserfc.
HEADER_MEANT = {
    *("alg", "typ", "kid", "crit", "b64", "cty", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip"),
    *("epk", "apu", "apv", "iv", "tag", "p2s", "p2c"),
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def objects(reserved: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects without these names."""
    return st.dictionaries(st.text().filter(lambda name: name not in reserved), json_values, max_size=5)


claims_of_any_kind = objects(MEANT)
headers_of_any_kind = st.builds(
    lambda extra, kid: extra if kid is None else {**extra, "kid": kid}, objects(HEADER_MEANT), st.none() | st.text()
)


@every_signer
@eddsa_may_be_called_so
@given(identity=st.text(), claims=claims_of_any_kind, headers=headers_of_any_kind)
@examples(20)
def test_everybody_reads_what_we_write(
    signer: Signer, signing_app: Flask, identity: str, claims: dict[str, Any], headers: dict[str, Any]
) -> None:
    """PyJWT, joserfc and this package read the same header and claims from a token made here."""
    with signing_app.app_context():
        token = create_access_token(identity, additional_claims=claims, additional_headers=headers)
        ours, our_header = decode_token(token), get_unverified_jwt_headers(token)
    theirs = jwt.decode_complete(token, signer.pyjwt_keys[1], [signer.algorithm])
    others = joserfc_jwt.decode(token, signer.joserfc_key, registry=signer.joserfc_registry)
    assert our_header == theirs["header"] == others.header == {"typ": "JWT", "alg": signer.algorithm, **headers}
    assert ours == theirs["payload"] == others.claims
    assert {name: value for name, value in ours.items() if name not in MEANT} == claims
    assert ours["sub"] == identity


@every_signer
@eddsa_may_be_called_so
@given(identity=st.text(), claims=claims_of_any_kind, headers=headers_of_any_kind)
@examples(20)
def test_we_read_what_everybody_writes(
    signer: Signer, signing_app: Flask, identity: str, claims: dict[str, Any], headers: dict[str, Any]
) -> None:
    """A token of PyJWT or joserfc is read correctly, however the library writes JSON."""
    payload = {**claims, "sub": identity}
    header = {"alg": signer.algorithm, **headers}
    by_pyjwt = jwt.encode(payload, signer.pyjwt_keys[0], signer.algorithm, headers)
    by_joserfc = joserfc_jwt.encode(header, payload, signer.joserfc_key, registry=signer.joserfc_registry)
    for token in (by_pyjwt, by_joserfc):
        with signing_app.app_context():
            assert decode_token(token) == {"type": "access", "fresh": False, "jti": None, **payload}
            assert get_unverified_jwt_headers(token) == {"typ": "JWT", **header}


@pytest.mark.parametrize("algorithm", SYMMETRIC)
@given(secret=st.binary(min_size=64, max_size=200), claims=claims_of_any_kind)
@examples(20)
def test_every_secret_is_the_same_to_pyjwt_and_to_us(algorithm: str, secret: bytes, claims: dict[str, Any]) -> None:
    """Any bytes work as a secret, and sign the same as in PyJWT."""
    key = prepare(algorithm, secret)
    payload = json.dumps(claims, separators=(",", ":")).encode()
    token = compact.sign(b'{"alg":"%s","typ":"JWT"}' % algorithm.encode(), payload, key)
    assert token == jwt.encode(claims, secret, algorithm)
    assert compact.Verifier([algorithm], KeyRing([key]), CAP * 4).verify(token)[1] == payload


# --- tampering -------------------------------------------------------------------------------------------------------

characters = st.sampled_from(ALPHABET + ".=+/ \n\0") | st.characters()
EDITS: dict[str, Callable[[str, int, str], str]] = {
    "replace": lambda text, at, new: text[:at] + new + text[at + 1 :],
    "insert": lambda text, at, new: text[:at] + new + text[at:],
    "delete": lambda text, at, new: text[:at] + text[at + 1 :],
    "repeat": lambda text, at, new: text[:at] + text[at : at + 1] * 2 + text[at + 1 :],
    "cut": lambda text, at, new: text[:at],
    "swap": lambda text, at, new: text[:at] + text[at : at + 2][::-1] + text[at + 2 :],
    "change case": lambda text, at, new: text[:at] + text[at : at + 1].swapcase() + text[at + 1 :],
}


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    """The text with one thing changed somewhere."""
    edit = EDITS[draw(st.sampled_from(sorted(EDITS)))]
    changed = edit(text, draw(st.integers(0, len(text))), draw(characters))
    assume(changed != text)
    return changed


@every_signer
@given(data=st.data())
@examples(40)
def test_no_token_survives_any_change(signer: Signer, signing_app: Flask, data: st.DataObject) -> None:
    """A token with one character added, removed or changed is refused with an error of PyJWT."""
    with signing_app.app_context():
        token = create_access_token("me")
        decode_token(token)
        changed = data.draw(edited(token))
        with pytest.raises(InvalidTokenError):
            decode_token(changed)


# --- the parser ------------------------------------------------------------------------------------------------------


def read(token: str) -> tuple[Any, Any]:
    """Header and claims, as the parser of this package reads them."""
    header, _, payload, _ = compact.parse(token, CAP)
    return header, compact.parse_object(compact.decode_segment(payload, "payload"), "payload")


def read_by_pyjwt(token: str) -> tuple[Any, Any]:
    decoded = jwt.decode_complete(token, options={"verify_signature": False})
    return decoded["header"], decoded["payload"]


blanks = st.text(" \t\r\n", max_size=3)


@st.composite
def spellings(draw: st.DrawFn, values: st.SearchStrategy[dict[str, Any]]) -> bytes:
    """A JSON object in one of its many spellings."""
    separators = draw(blanks) + "," + draw(blanks), draw(blanks) + ":" + draw(blanks)
    text = json.dumps(draw(values), ensure_ascii=draw(st.booleans()), separators=separators)
    return (draw(blanks) + text + draw(blanks)).encode()


odd_values: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "JWT", "at+jwt", "dpop+jwt", "b64", [], ["b64"], ["x"], {}, 1, True, False]
)
odd_headers = st.dictionaries(
    st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x"]), odd_values | json_values, max_size=4
)


@given(header=spellings(headers_of_any_kind), payload=spellings(claims_of_any_kind))
@examples(150)
def test_every_spelling_of_a_token_is_read_as_pyjwt_reads_it(header: bytes, payload: bytes) -> None:
    """White space, escapes and order do not matter."""
    token = raw_token(header, payload)
    assert read(token) == read_by_pyjwt(token)


@st.composite
def damaged(draw: st.DrawFn, octets: st.SearchStrategy[bytes]) -> bytes:
    """Octets with a few of them replaced, or in an encoding that JSON is not exchanged in."""
    text = draw(octets)
    if draw(st.integers(0, 5)) == 0:
        return text.decode().encode(draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"])))
    start, length = draw(st.integers(0, len(text))), draw(st.integers(0, 2))
    inserts = st.sampled_from(
        [b"", b"NaN", b"-Infinity", b"1e999", b'"a":1,', b"\0", b"{}", b",", b"9" * 5000, b"[" * 3000]
    )
    return text[:start] + draw(inserts | st.binary(max_size=3)) + text[start + length :]


@given(header=damaged(spellings(odd_headers)), payload=damaged(spellings(claims_of_any_kind)), data=st.data())
@examples(300)
def test_whatever_our_parser_accepts_pyjwt_accepts_and_reads_alike(
    header: bytes, payload: bytes, data: st.DataObject
) -> None:
    """Our parser is stricter than PyJWT's: what both accept, both read alike."""
    token = raw_token(header, payload)
    for each in (token, data.draw(edited(token))):
        try:
            ours = read(each)
        except InvalidTokenError:
            continue
        assert repr(ours) == repr(read_by_pyjwt(each))


@given(token=st.text() | st.binary() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
@examples(150)
def test_anything_at_all_is_refused_by_an_error_of_pyjwt(token: str | bytes) -> None:
    """No text and no bytes cause another error."""
    verifier = compact.Verifier(["HS256"], KeyRing([prepare("HS256", SECRET)]), CAP)
    with pytest.raises(InvalidTokenError):
        verifier.verify(token)


# --- a real application ----------------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["ASCII answers", "UTF-8 answers"])
def open_app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    """An application that looks for tokens in every location, and passes unhandled errors on to the test."""
    app = make_app(TOKEN_LOCATION=list(LOCATIONS), CSRF_CHECK_FORM=True)
    app.json.ensure_ascii = request.param  # type: ignore[attr-defined]  # of the default provider
    app.testing = True
    return app


FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"]
#: Bytes as a WSGI server passes them.
wire = st.binary(max_size=40).map(lambda octets: octets.decode("latin-1"))
hostile = (
    wire | st.text(ALPHABET + ".", max_size=60) | st.builds(raw_token, damaged(spellings(odd_headers)), st.binary())
)
bodies = (
    st.binary()
    | st.builds(
        lambda value: json.dumps({"access_token": value, "refresh_token": value}).encode(), json_values | hostile
    )
    | st.sampled_from(
        [b"[1]", b"5", b'"x"', b"null", b"[" * 9999, b'{"access_token":"\\ud800"}', b'{"access_token":[1]}']
    )
)
environs = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_AUTHORIZATION": wire | hostile.map(lambda token: f"Bearer {token}"),
        "HTTP_COOKIE": wire | hostile.map(lambda token: f"access_token_cookie={token}; refresh_token_cookie={token}"),
        "HTTP_X_CSRF_TOKEN": wire,
        "QUERY_STRING": wire | hostile.map(lambda token: f"jwt={token}"),
        "CONTENT_TYPE": wire
        | st.sampled_from(["application/json", "application/json; charset=utf-16", "text/x+json", *FORMS]),
    },
)


@given(
    path=st.sampled_from(["/access", "/refresh", "/fresh", "/any"]),
    method=st.sampled_from(["GET", "POST", "DELETE", "REPORT"]),
    environ=environs,
    body=bodies,
)
@examples(250)
def test_no_hostile_request_gets_in_or_breaks_the_application(
    open_app: Flask, path: str, method: str, environ: dict[str, str], body: bytes
) -> None:
    """Whatever a request contains, the answer is a 4xx with a message."""
    response = open_app.test_client().open(path, method=method, data=body, environ_overrides=environ)
    assert 400 <= response.status_code < 500
    assert isinstance(response.get_json()["msg"], str)


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["\ud800"]},
        {"typ": "\ud800+jwt"},
        {"kid": "\ud800"},
        {"alg": "\ud800"},
        {"crit": [{"\ud800": ["\udfff"]}]},
    ],
    ids=json.dumps,
)
def test_a_header_that_cannot_be_quoted_is_refused_all_the_same(open_app: Flask, header: dict[str, Any]) -> None:
    """A message that quotes the header must not fail on what cannot be encoded."""
    token = raw_token(json.dumps({"alg": "HS256", **header}).encode(), b"{}")
    assert open_app.test_client().get("/access", headers=bearer(token)).status_code == 422


meant_values = (
    json_values
    | st.sampled_from(["access", "refresh", "\ud800", float("inf"), 10**400, -1, 1e308, 2**63, ["access"], "me"])
    | st.integers(1_600_000_000, 3_000_000_000)
)


@given(
    claims=st.fixed_dictionaries(
        {"sub": st.just("me") | meant_values}, optional=dict.fromkeys(sorted(MEANT - {"sub"}), meant_values)
    ),
    path=st.sampled_from(["/access", "/refresh", "/fresh", "/optional", "/any"]),
    csrf=wire,
)
@examples(150)
def test_no_claim_of_a_genuine_token_breaks_the_application(
    open_app: Flask, claims: dict[str, Any], path: str, csrf: str
) -> None:
    """With any values of the known claims, the request passes or is answered with 4xx."""
    # Of all that JSON can spell, a lone surrogate is what a view cannot answer with in UTF-8.
    assume(open_app.json.ensure_ascii or "\\ud800" not in json.dumps(claims))  # type: ignore[attr-defined]  # as above
    token = raw_token(b'{"alg":"HS256"}', json.dumps(claims).replace("Infinity", "1e999").encode())
    client = open_app.test_client()
    by_header = client.get(path, headers=bearer(token))
    carried = {"HTTP_COOKIE": f"access_token_cookie={token}; refresh_token_cookie={token}", "HTTP_X_CSRF_TOKEN": csrf}
    by_cookie = client.post(path, environ_overrides=carried)
    assert by_header.status_code in (200, 401, 422)
    assert by_cookie.status_code in (200, 401, 422)


# --- cookies ---------------------------------------------------------------------------------------------------------

NAME = "access_token_cookie"
token_characters = "!#$%&'*+-.^_`|~" + ALPHABET.replace("-", "").replace("_", "")
value_characters = "!#$%&'()*+-./:<=>?@[]^_`{|}~" + ALPHABET.replace("-", "").replace("_", "")
cookie_names = st.sampled_from([NAME, NAME.upper(), NAME[:-1], NAME + "2", "x" + NAME]) | st.text(
    token_characters, min_size=1
)
cookie_values = (
    st.text(value_characters)
    | st.text(value_characters + ",").map(lambda value: f'"{value}"')
    | st.sampled_from(["", '""', '"a\\"b"', '"\\303\\251"', "=", "a=b", f"{NAME}=x"])
)
space = st.text(" \t", max_size=2)
pairs = st.builds(lambda *parts: "".join(parts), space, cookie_names, space, st.just("="), space, cookie_values, space)
cookie_headers = st.lists(pairs | st.sampled_from(["", " ", "x", NAME]), max_size=6).map(";".join)


def token_in(header: str) -> str | None:
    request = Request(EnvironBuilder(environ_overrides={"HTTP_COOKIE": header}).get_environ())
    options = resolve({})
    try:
        return str(find_token(request, ("cookies",), options.access, options)[0])
    except NoAuthorizationError:
        return None


@given(header=cookie_headers)
@examples(500)
def test_a_cookie_is_found_where_werkzeug_finds_it(header: str) -> None:
    """The value is the one of ``request.cookies``; an empty cookie is no token."""
    request = Request(EnvironBuilder(environ_overrides={"HTTP_COOKIE": header}).get_environ())
    assert token_in(header) == (request.cookies.get(NAME) or None)


@given(before=cookie_headers, after=cookie_headers, token=st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]+", fullmatch=True))
@examples(100)
def test_a_token_is_found_among_any_other_cookies(before: str, after: str, token: str) -> None:
    """Cookies of other software do not hide ours, and do not end up in it."""
    token = token.encode("ascii", "ignore").decode()
    others = [part for part in (before, after) if NAME not in part]
    assert token_in(";".join([*others[:1], f"{NAME}={token}", *others[1:]])) == token
