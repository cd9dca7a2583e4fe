"""A change of the configuration is noticed at the next request, also if a value was changed in place."""

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

from flask_jwt_extended import create_access_token
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose.jwk_set import to_jwk
from flask_jwt_extended._settings.options import NAMES, defaults
from flask_jwt_extended._settings.snapshot import read_raw, snapshot

from .._keys.helpers import JWKS, public
from .._sessions.helpers import NOW
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem

EC, RSA = JWKS["ES256"], JWKS["RS256"]
OTHER = to_jwk("ES256", ec.generate_private_key(ec.SECP256R1()))
OLD = "the secret of last year, which is long enough for every HMAC too, as it must be"
ISSUER = "https://login.example"


def signed(key: Any, algorithm: str, kid: str | None = None, **claims: Any) -> str:
    claims = {"sub": "ada", "type": "access", "jti": "1", "iat": NOW, "exp": NOW + 10**9, "aud": "us", **claims}
    return pyjwt.encode(claims, key, algorithm, headers={"kid": kid} if kid else None)


def status(app: Flask, encoded: str) -> int:
    return app.test_client().get("/access", headers=bearer(encoded)).status_code


BY_EC = signed(PRIVATE_KEYS["ES256"], "ES256", EC["kid"])
BY_OLD = signed(OLD, "HS256")
BY_ISSUER = signed(PRIVATE_KEYS["ES256"], "ES256", EC["kid"], iss=ISSUER, aud="us")
FOR_US = signed(SECRET, "HS256", aud="us", iss="us")


def issuer(**others: Any) -> dict[str, Any]:
    return {"TRUSTED_ISSUERS": {ISSUER: {"keys": {"keys": [public(EC)]}, "audience": ["us"], **others}}}


Make = Callable[[], dict[str, Any]]
Change = Callable[[Any], Any]
#: Options under which a token passes, a change in place after which it does not, by what is changed.
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
    "algorithms": (
        lambda: {"KEYS": [EC], "DECODE_ALGORITHMS": ["HS256"]},
        FOR_US,
        lambda c: c["JWT_DECODE_ALGORITHMS"].clear(),
    ),
}


@pytest.mark.parametrize("profile", ["compat", "strict"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_place_is_noticed(make_app: MakeApp, name: str, profile: str) -> None:
    """At the next request, however deep it is. Nothing of what the key verified before is remembered."""
    make, encoded, change = CHANGES[name]
    app = make_app(**{"VERIFY_CACHE_SIZE": 10, "PROFILE": profile, "DECODE_AUDIENCE": "us", **make()})
    assert [status(app, encoded) for _ in range(3)] == [200] * 3
    change(app.config)
    assert status(app, encoded) in (401, 422)


def test_a_private_jwk_that_is_changed_in_place_signs_as_it_says(make_app: MakeApp) -> None:
    """JWT_PRIVATE_KEY as a mapping."""
    other = ed25519.Ed25519PrivateKey.generate()
    private = dict(JWKS["EdDSA"])
    app = make_app(ALGORITHM="EdDSA", PRIVATE_KEY=private, PUBLIC_KEY=public(JWKS["EdDSA"]))
    with app.app_context():
        assert status(app, create_access_token("ada")) == 200
        private.update(pyjwt.get_algorithm_by_name("EdDSA").to_jwk(other, as_dict=True))
        del private["kid"]
        assert status(app, create_access_token("ada")) == 422


# --- the snapshot itself ----------------------------------------------------------------------------------------------


def raw(**options: Any) -> tuple[Any, ...]:
    config = {**defaults({}), "SECRET_KEY": None, **{f"JWT_{name}": value for name, value in options.items()}}
    return read_raw(config)


class Agreeable:
    """Claims to equal everything; not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


class Quarrelsome:
    """Cannot be compared or copied, as an array of NumPy or a key of an old ``cryptography`` cannot."""

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
def test_an_object_counts_as_the_same_by_identity(kind: type[Any], place: Callable[[Any], Any]) -> None:
    """Whatever it says of itself, and wherever it is."""
    value = kind()
    before = raw(PUBLIC_KEY=place(value))
    taken = snapshot(before)
    assert taken == before
    assert taken == raw(PUBLIC_KEY=place(value))
    assert taken != raw(PUBLIC_KEY=place(kind()))


def test_key_objects_of_cryptography_are_neither_copied_nor_compared() -> None:
    """They cannot be copied in older versions."""
    for key in (*PRIVATE_KEYS.values(), *(each.public_key() for each in PRIVATE_KEYS.values())):
        before = raw(PRIVATE_KEY=key, KEYS=[{"key": key}])
        assert snapshot(before) == before


class Table(Mapping[str, Any]):
    """A mapping of an application's own, that only knows how to be read, and equals nothing."""

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


def test_a_mapping_of_another_type_is_looked_into() -> None:
    """Also if it has no comparison that would help."""
    table = Table(keys=[Table(kid="1")])
    before = raw(KEYS=table)
    taken = snapshot(before)
    assert taken == before
    table.values_["keys"][0].values_["kid"] = "2"
    assert taken != before


@pytest.mark.parametrize("deep", [50, 900, 5000])
def test_a_value_that_contains_itself_or_goes_deep_is_bounded(deep: int) -> None:
    """It is compared as far as it was looked into, and never without end."""
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


def test_zero_and_false_are_told_apart_where_they_differ() -> None:
    """``False`` makes tokens that never expire, ``0`` ones that have."""
    assert snapshot(raw(ACCESS_TOKEN_EXPIRES=0)) != raw(ACCESS_TOKEN_EXPIRES=False)
    assert snapshot(raw(ACCESS_TOKEN_EXPIRES=1)) == raw(ACCESS_TOKEN_EXPIRES=1)


def test_a_store_that_looks_like_a_container_is_left_alone() -> None:
    """It may hold a million sessions."""

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
def test_a_snapshot_equals_what_it_was_taken_of_and_nothing_else(value: Any, name: str, data: st.DataObject) -> None:
    """For every value and option; a list anywhere in it may grow."""
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


def test_what_has_not_changed_is_not_made_anew(make_app: MakeApp) -> None:
    """The runtime stays the same, with its keys and what they have verified."""
    for options in (
        {},
        {"KEYS": [EC, RSA]},
        issuer(),
        {"ALGORITHM": "RS256", "PUBLIC_KEY": pem(PRIVATE_KEYS["RS256"])[1]},
    ):
        app = make_app(**options)
        assert get_state(app) is get_state(app)
