"""Changes of the configuration apply at the next request, also if a value was changed in place."""

from __future__ import annotations

import math
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_jwt_extended import create_access_token, decode_token
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended._settings.options import NAMES, defaults
from flask_jwt_extended._settings.snapshot import read_raw, snapshot
from flask_jwt_extended.exceptions import ConfigurationError

from .._keys.helpers import JWKS, public
from .._sessions.helpers import NOW
from ..axes import PROFILES, rotated
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

EC, RSA = JWKS["ES256"], JWKS["RS256"]
OTHER = to_jwk("ES256", ec.generate_private_key(ec.SECP256R1()))
OLD = "the secret of last year, which is long enough for every HMAC too, as it must be"
ISSUER = "https://login.example"


def signed(key: Any, algorithm: str, kid: str | None = None, **claims: Any) -> str:
    claims = {"sub": "ada", "type": "access", "jti": "1", "iat": NOW, "exp": NOW + 10**9, "aud": "us", **claims}
    return pyjwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def send(app: Flask, path: str = "/access", **request: Any) -> int:
    """The status of the response to a request, which is a GET by default. Errors of the developer are raised."""
    app.testing = True
    return app.test_client(use_cookies=False).open(path, **request).status_code


def status(app: Flask, encoded: str) -> int:
    return send(app, headers=bearer(encoded))


def access_token(app: Flask, identity: str = "ada") -> str:
    with app.app_context():
        return create_access_token(identity)


BY_EC = signed(PRIVATE_KEYS["ES256"], "ES256", EC["kid"])
BY_OLD = signed(OLD, "HS256")
BY_ISSUER = signed(PRIVATE_KEYS["ES256"], "ES256", EC["kid"], iss=ISSUER, aud="us")
FOR_US = signed(SECRET, "HS256", aud="us", iss="us")


def issuer(**others: Any) -> dict[str, Any]:
    return {"TRUSTED_ISSUERS": {ISSUER: {"keys": {"keys": [public(EC)]}, "audience": ["us"], **others}}}


Make = Callable[[], dict[str, Any]]
Change = Callable[[Any], Any]
#: Options with which a token passes, the token, and a change in place after which it is refused.
CHANGES: dict[str, tuple[Make, str, Change]] = {
    "a key of a set is removed": (
        lambda: {"KEYS": {"keys": [public(EC), RSA]}},
        BY_EC,
        lambda c: c["JWT_KEYS"]["keys"].pop(0),
    ),
    "a key of a set retires": (
        lambda: {"KEYS": {"keys": [public(EC), RSA]}},
        BY_EC,
        lambda c: c["JWT_KEYS"]["keys"][0].update(until=1),
    ),
    "a key of a list retires": (lambda: {"KEYS": [public(EC), RSA]}, BY_EC, lambda c: c["JWT_KEYS"][0].update(until=1)),
    "the key_ops of a key": (
        lambda: {"KEYS": [public(EC) | {"key_ops": ["verify"]}, RSA]},
        BY_EC,
        lambda c: c["JWT_KEYS"][0]["key_ops"].__setitem__(0, "encrypt"),
    ),
    "a set in a MappingProxyType": (
        lambda: {"KEYS": MappingProxyType({"keys": [public(EC), RSA]})},
        BY_EC,
        lambda c: c["JWT_KEYS"]["keys"].pop(0),
    ),
    "a set in an OrderedDict": (
        lambda: {"KEYS": OrderedDict(keys=[public(EC), RSA])},
        BY_EC,
        lambda c: c["JWT_KEYS"]["keys"].pop(0),
    ),
    "a set in a UserDict": (
        lambda: {"KEYS": UserDict(keys=[public(EC), RSA])},
        BY_EC,
        lambda c: c["JWT_KEYS"]["keys"].pop(0),
    ),
    "a single JWK": (
        lambda: {"ALGORITHM": "ES256", "PUBLIC_KEY": public(EC)},
        BY_EC,
        lambda c: c["JWT_PUBLIC_KEY"].update(public(OTHER)),
    ),
    "the keys of an issuer": (
        lambda: issuer(),
        BY_ISSUER,
        lambda c: c["JWT_TRUSTED_ISSUERS"][ISSUER]["keys"]["keys"].clear(),
    ),
    "the audience of an issuer": (
        lambda: issuer(),
        BY_ISSUER,
        lambda c: c["JWT_TRUSTED_ISSUERS"][ISSUER]["audience"].__setitem__(0, "them"),
    ),
    "the algorithms of an issuer": (
        lambda: issuer(algorithms={"ES256"}),
        BY_ISSUER,
        lambda c: c["JWT_TRUSTED_ISSUERS"][ISSUER].update(algorithms={"ES384"}),
    ),
    "an issuer is removed": (lambda: issuer(), BY_ISSUER, lambda c: c["JWT_TRUSTED_ISSUERS"].clear()),
    "a fallback": (lambda: {"SECRET_KEY_FALLBACKS": [OLD]}, BY_OLD, lambda c: c["JWT_SECRET_KEY_FALLBACKS"].clear()),
    "an audience": (
        lambda: {"DECODE_AUDIENCE": ["us"]},
        FOR_US,
        lambda c: c["JWT_DECODE_AUDIENCE"].__setitem__(0, "them"),
    ),
    "an audience in a set": (
        lambda: {"DECODE_AUDIENCE": {"us"}},
        FOR_US,
        lambda c: c["JWT_DECODE_AUDIENCE"].symmetric_difference_update({"us", "a"}),
    ),
    "an audience in a deque": (
        lambda: {"DECODE_AUDIENCE": deque(["us"])},
        FOR_US,
        lambda c: c["JWT_DECODE_AUDIENCE"].__setitem__(0, "them"),
    ),
    "an audience in a UserList": (
        lambda: {"DECODE_AUDIENCE": UserList(["us"])},
        FOR_US,
        lambda c: c["JWT_DECODE_AUDIENCE"].__setitem__(0, "them"),
    ),
    "an issuer in a list": (
        lambda: {"DECODE_ISSUER": ["us"]},
        FOR_US,
        lambda c: c["JWT_DECODE_ISSUER"].__setitem__(0, "x"),
    ),
    "required claims": (
        lambda: {"REQUIRED_CLAIMS": ["sub"]},
        FOR_US,
        lambda c: c["JWT_REQUIRED_CLAIMS"].append("tenant"),
    ),
    "locations": (
        lambda: {"TOKEN_LOCATION": ["headers"]},
        FOR_US,
        lambda c: c["JWT_TOKEN_LOCATION"].__setitem__(0, "cookies"),
    ),
    "locations in a set": (
        lambda: {"TOKEN_LOCATION": {"headers"}},
        FOR_US,
        lambda c: c["JWT_TOKEN_LOCATION"].symmetric_difference_update({"headers", "json"}),
    ),
    "algorithms": (
        lambda: {"KEYS": [EC], "DECODE_ALGORITHMS": ["HS256"]},
        FOR_US,
        lambda c: c["JWT_DECODE_ALGORITHMS"].clear(),
    ),
}


@rotated("name", list(CHANGES), profile=PROFILES)
def test_a_change_in_place_is_noticed(make_app: MakeApp, name: str, profile: str) -> None:
    """However deep it is, the next request is refused, although the token was remembered."""
    make, encoded, change = CHANGES[name]
    app = make_app(**{"VERIFY_CACHE_SIZE": 10, "PROFILE": profile, "DECODE_AUDIENCE": "us", **make()})
    assert [status(app, encoded) for _ in range(3)] == [200] * 3
    change(app.config)
    assert status(app, encoded) in (401, 422)


def test_a_private_jwk_that_is_changed_in_place_signs_with_the_new_key(make_app: MakeApp) -> None:
    """JWT_PRIVATE_KEY can be a mapping."""
    other = ed25519.Ed25519PrivateKey.generate()
    private = dict(JWKS["EdDSA"])
    app = make_app(ALGORITHM="EdDSA", PRIVATE_KEY=private, PUBLIC_KEY=public(JWKS["EdDSA"]))
    with app.app_context():
        assert status(app, create_access_token("ada")) == 200
        private.update(pyjwt.get_algorithm_by_name("EdDSA").to_jwk(other, as_dict=True))
        del private["kid"]
        assert status(app, create_access_token("ada")) == 422


def test_an_option_set_after_init_app_is_honoured_on_the_next_request(app: Flask) -> None:
    """Tests often change the configuration of an existing application."""
    headers = {"X-Token": f"Bearer {access_token(app)}"}
    assert send(app, headers=headers) == 401
    app.config["JWT_HEADER_NAME"] = "X-Token"
    assert send(app, headers=headers) == 200


@pytest.mark.parametrize("name", ["JWT_SECRET_KEY", "SECRET_KEY"])
def test_a_secret_changed_after_init_app_is_honoured(make_app: MakeApp, name: str) -> None:
    """Tokens of the old secret are refused, tokens of the new one pass. Either option can hold the secret."""
    app = make_app(SECRET_KEY=None)
    app.config[name] = SECRET
    old = access_token(app)
    assert status(app, old) == 200
    app.config[name] = OLD
    assert status(app, old) == 422
    assert status(app, access_token(app)) == 200


def test_a_csrf_method_added_in_place_is_checked_on_the_next_request(make_app: MakeApp) -> None:
    """Applications may change the default list that ``init_app`` leaves in the configuration."""
    app = make_app(TOKEN_LOCATION="cookies")
    cookie = {"Cookie": f"access_token_cookie={access_token(app)}"}
    assert send(app, method="REPORT", headers=cookie) == 200
    app.config["JWT_CSRF_METHODS"].append("REPORT")
    assert send(app, method="REPORT", headers=cookie) == 401
    app.config["JWT_CSRF_METHODS"].remove("REPORT")
    assert send(app, method="REPORT", headers=cookie) == 200


def test_the_default_list_stays_the_one_that_the_application_holds(make_app: MakeApp) -> None:
    """An application can add to it later, even if another option has changed in between."""
    app = make_app(TOKEN_LOCATION="cookies")
    methods = app.config["JWT_CSRF_METHODS"]
    app.config["JWT_ENCODE_ISSUER"] = "me"
    cookie = {"Cookie": f"access_token_cookie={access_token(app)}"}
    methods.append("REPORT")
    assert send(app, method="REPORT", headers=cookie) == 401


def test_locations_reordered_in_place_change_their_precedence(make_app: MakeApp) -> None:
    """The order of a list is compared too."""
    locations = ["headers", "query_string"]
    app = make_app(TOKEN_LOCATION=locations)
    url = f"/access?jwt={access_token(app, 'queried')}"
    client = app.test_client()
    assert client.get(url, headers=bearer(access_token(app, "headed"))).get_json()["identity"] == "headed"
    locations.reverse()
    assert client.get(url, headers=bearer(access_token(app, "headed"))).get_json()["identity"] == "queried"


@pytest.mark.parametrize(("before", "after", "expires"), [(False, 0, True), (0, False, False)])
def test_a_change_between_false_and_zero_is_noticed(make_app: MakeApp, before: Any, after: Any, expires: bool) -> None:
    """``False == 0`` in Python, but ``False`` makes tokens that never expire."""
    app = make_app(ACCESS_TOKEN_EXPIRES=before)
    access_token(app)
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = after
    with app.app_context():
        claims = decode_token(access_token(app), allow_expired=True)
    assert ("exp" in claims) is expires


def test_an_option_deleted_from_the_configuration_falls_back_to_its_default(make_app: MakeApp) -> None:
    """The default is in the configuration again."""
    app = make_app(HEADER_NAME="X-Token")
    token = access_token(app)
    assert status(app, token) == 401
    del app.config["JWT_HEADER_NAME"]
    assert status(app, token) == 200
    assert app.config["JWT_HEADER_NAME"] == "Authorization"


def test_a_wrong_value_set_after_init_app_lets_no_request_pass_until_it_is_fixed(app: Flask) -> None:
    """The error is raised for each request. No other value is used instead."""
    headers = bearer(access_token(app))
    app.config["JWT_TOKEN_LOCATION"] = ["banana"]
    with pytest.raises(ConfigurationError, match="JWT_TOKEN_LOCATION"):
        send(app, headers=headers)
    app.config["JWT_TOKEN_LOCATION"] = ["headers"]
    assert send(app, headers=headers) == 200


def test_secure_turned_off_with_same_site_none_is_refused(make_app: MakeApp) -> None:
    """Options that contradict each other are refused after a change as at the start."""
    app = make_app(COOKIE_SAMESITE="None", COOKIE_SECURE=True)
    app.config["JWT_COOKIE_SECURE"] = False
    with pytest.raises(ConfigurationError, match="JWT_COOKIE_SECURE"):
        access_token(app)


# --- the snapshot itself ----------------------------------------------------------------------------------------------


def raw(**options: Any) -> tuple[Any, ...]:
    config = {**defaults({}), "SECRET_KEY": None, **{f"JWT_{name}": value for name, value in options.items()}}
    return read_raw(config)


class Agreeable:
    """Equals everything, and is not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


class Quarrelsome:
    """Cannot be compared or copied, like an array of NumPy or a key of an old ``cryptography``."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot be copied")

    def __copy__(self) -> Any:
        raise TypeError("cannot be copied")


@pytest.mark.parametrize("kind", [Agreeable, Quarrelsome])
@pytest.mark.parametrize(
    "place", [lambda value: value, lambda value: [value], lambda value: {"a": value}, lambda value: ({"a": [value]},)]
)
def test_other_objects_are_compared_by_identity(kind: type[Any], place: Callable[[Any], Any]) -> None:
    """Their ``__eq__`` is never called, wherever they are."""
    value = kind()
    before = raw(PUBLIC_KEY=place(value))
    taken = snapshot(before)
    assert taken == before
    assert taken == raw(PUBLIC_KEY=place(value))
    assert taken != raw(PUBLIC_KEY=place(kind()))


def test_key_objects_of_cryptography_are_neither_copied_nor_compared() -> None:
    """Older versions cannot copy them."""
    for key in (*PRIVATE_KEYS.values(), *(each.public_key() for each in PRIVATE_KEYS.values())):
        before = raw(PRIVATE_KEY=key, KEYS=[{"key": key}])
        assert snapshot(before) == before


class Table(Mapping[str, Any]):
    """A mapping of an application that can only be read, and equals nothing."""

    def __init__(self, **values: Any) -> None:
        self.values_ = values

    def __getitem__(self, key: str) -> Any:
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False


def test_the_contents_of_other_mappings_are_compared() -> None:
    """Their own ``__eq__`` is not used."""
    table = Table(keys=[Table(kid="1")])
    before = raw(KEYS=table)
    taken = snapshot(before)
    assert taken == before
    table.values_["keys"][0].values_["kid"] = "2"
    assert taken != before


@pytest.mark.parametrize("deep", [50, 900, 5000])
def test_a_value_that_contains_itself_or_is_nested_deeply_can_be_compared(deep: int) -> None:
    """The comparison ends, and notices changes near the top."""
    ring: list[Any] = [1]
    ring.append({"again": ring})
    before = raw(KEYS=ring)
    taken = snapshot(before)
    assert taken == before
    ring[0] = 2
    assert taken != before
    nested: list[Any] = []
    for _ in range(deep):
        nested = [nested]
    before = raw(KEYS=nested)
    taken = snapshot(before)
    assert taken == before
    nested[0].append(1)
    assert taken != before


def test_a_store_that_looks_like_a_container_is_not_read() -> None:
    """It may have a million sessions."""

    class Store(dict[str, Any]):
        def items(self) -> Any:
            raise AssertionError("it was read")

        __iter__ = items

        def __eq__(self, other: object) -> bool:
            raise AssertionError("it was compared")

    store = Store()
    before = raw(STORE_URI=store)
    assert snapshot(before) == before
    assert snapshot(before) != raw(STORE_URI=Store())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False) | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.frozensets(st.text())
    ),
)


@given(VALUES, st.sampled_from([name for name in NAMES if name != "JWT_STORE_URI"]), st.data())
def test_a_snapshot_equals_only_the_values_that_it_was_made_from(value: Any, name: str, data: st.DataObject) -> None:
    """This holds for every value and option. If a list in it grows, it does not equal any more."""
    config = {**defaults({}), "SECRET_KEY": None, name: value}
    taken = snapshot(read_raw(config))
    assert taken == read_raw(config)
    lists = list(lists_in(value))
    if lists:
        data.draw(st.sampled_from(lists)).append(math.inf)
        assert taken != read_raw(config)


def lists_in(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, list):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        yield from lists_in(each)


def test_an_unchanged_configuration_keeps_its_state(make_app: MakeApp) -> None:
    """The keys and the tokens that they have verified are kept."""
    for options in (
        {},
        {"KEYS": [EC, RSA]},
        issuer(),
        {"ALGORITHM": "RS256", "PUBLIC_KEY": pem(PRIVATE_KEYS["RS256"])[1]},
    ):
        app = make_app(**options)
        assert get_state(app) is get_state(app)
