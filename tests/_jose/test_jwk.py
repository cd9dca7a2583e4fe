"""A single JWK, in an option or from a loader: the rules of a set apply to it, and it is bound to one algorithm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from jwt.exceptions import InvalidKeyError

from flask_jwt_extended import ConfigurationError, KeyRing, create_access_token
from flask_jwt_extended._context import get_state
from flask_jwt_extended._diagnostics.application import check

from .._keys.helpers import JWKS, public, without
from .._sessions.helpers import NOW
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from .test_jwk_set import BROKEN

RSA, EC, OKP, OCT = JWKS["RS256"], JWKS["ES256"], JWKS["EdDSA"], JWKS["HS256"]
RSA_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


def signed(algorithm: str, key: Any) -> str:
    claims = {"sub": "ada", "type": "access", "jti": "1", "fresh": False, "iat": NOW, "exp": NOW + 10**9}
    return pyjwt.encode(claims, key, algorithm)


def status(app: Flask, encoded: str) -> int:
    return app.test_client().get("/access", headers=bearer(encoded)).status_code


def by_option(make_app: MakeApp, jwk: Any, **options: Any) -> Flask:
    name = "SECRET_KEY" if jwk.get("kty") == "oct" else "PUBLIC_KEY"
    return make_app(**{name: jwk}, **options)


def by_late_option(make_app: MakeApp, jwk: Any, **options: Any) -> Flask:
    app = make_app()
    name = "JWT_SECRET_KEY" if jwk.get("kty") == "oct" else "JWT_PUBLIC_KEY"
    app.config.update({name: jwk}, **{f"JWT_{key}": value for key, value in options.items()})
    return app


def by_loader(make_app: MakeApp, jwk: Any, **options: Any) -> Flask:
    app = make_app(**options)
    app.extensions["flask-jwt-extended"].decode_key_loader(lambda _header, _claims: jwk)
    return app


def by_pyjwk(make_app: MakeApp, jwk: Any, **options: Any) -> Flask:
    return by_loader(make_app, pyjwt.PyJWK(jwk), **options)


def by_ring(make_app: MakeApp, jwk: Any, **options: Any) -> Flask:
    return by_loader(make_app, KeyRing.from_jwks([jwk]), **options)


WAYS = [by_option, by_late_option, by_loader, by_pyjwk]
Way = Callable[..., Flask]


def passes(app: Callable[[], Flask], encoded: str) -> bool:
    """Return whether a token passes. A key is refused with an error for the developer or a 4xx, never with a 500."""
    try:
        made = app()
        made.config["PROPAGATE_EXCEPTIONS"] = True
        got = status(made, encoded)
    except (ConfigurationError, InvalidKeyError):
        return False
    assert got in (200, 401, 422)
    return got == 200


# --- what it may be used for ----------------------------------------------------------------------------------------


OTHER_USES: list[dict[str, Any]] = [
    {"use": "enc"},
    {"use": "tls"},
    {"key_ops": ["encrypt"]},
    {"key_ops": []},
    {"key_ops": ["sign"]},
    {"key_ops": ["verify", "verify"]},
    {"key_ops": "verify"},
    {"use": "sig", "key_ops": ["encrypt"]},
    {"use": 5},
    {"alg": "PS256"},
    {"alg": "none"},
    {"kid": 5},
]
PROFILES = ["compat", "strict"]
RS256 = signed("RS256", PRIVATE_KEYS["RS256"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("profile", PROFILES)
def test_a_jwk_for_signatures_verifies(make_app: MakeApp, way: Way, profile: str) -> None:
    """With and without ``use`` and ``key_ops``."""
    for members in ({}, {"use": "sig", "key_ops": ["verify"]}):
        assert passes(partial(way, make_app, public(RSA) | members, ALGORITHM="RS256", PROFILE=profile), RS256)


@pytest.mark.parametrize(
    ("members", "ways", "profile"),
    [(each, (WAYS[n % 4], WAYS[(n + n // 4 + 1) % 4]), PROFILES[n % 2]) for n, each in enumerate(OTHER_USES)],
)
def test_a_jwk_for_something_else_verifies_nothing(
    make_app: MakeApp, ways: tuple[Way, ...], members: dict[str, Any], profile: str
) -> None:
    """``use``, ``key_ops`` and ``alg`` count in an option and from a loader as in a set (RFC 7517, section 4)."""
    for way in ways:
        if way is by_pyjwk:
            try:
                pyjwt.PyJWK(public(RSA) | members)
            except Exception:  # PyJWT itself refuses it
                way = by_loader  # the same key in another way
        assert not passes(partial(way, make_app, public(RSA) | members, ALGORITHM="RS256", PROFILE=profile), RS256)


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_for_something_else_verifies_nothing(make_app: MakeApp, way: Way) -> None:
    """A JWK of kty oct too."""
    encoded = signed("HS256", bytes(range(32)))
    for members, expected in (
        ({}, True),
        ({"key_ops": ["sign", "verify"]}, True),
        ({"key_ops": ["encrypt"]}, False),
        ({"key_ops": ["sign"]}, False),
        ({"use": "enc"}, False),
    ):
        assert passes(partial(way, make_app, OCT | members), encoded) is expected


SOURCES = ["option", "loader", "PyJWK", "ring"]
USES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"key_ops": ["sign"]}, True),
    ({"use": "sig"}, True),
    ({"key_ops": ["verify"]}, False),
    ({"key_ops": ["decrypt"]}, False),
    ({"use": "enc"}, False),
    ({"key_ops": ["sign", "sign"]}, False),
    ({"alg": "ES384"}, False),
]


@pytest.mark.parametrize(
    ("jwk", "source", "members", "expected"),
    [
        *((EC, SOURCES[(n + n // 4) % 4], *each) for n, each in enumerate(USES)),
        *((OCT, SOURCES[(n + n // 4 + 2) % 4], *each) for n, each in enumerate(USES)),
        (EC, "option", {"key_ops": ["verify"]}, False),
        (OCT, "option", {"key_ops": ["sign"]}, False),  # the option is for both, and such a secret could not verify
    ],
)
def test_a_jwk_for_something_else_signs_nothing(
    make_app: MakeApp, source: str, members: dict[str, Any], expected: bool, jwk: dict[str, Any]
) -> None:
    """A private JWK that may only verify, or encrypt, is refused with the developer's error."""

    def made() -> str:
        name = "PRIVATE_KEY" if jwk is EC else "SECRET_KEY"
        app = make_app(ALGORITHM=jwk["alg"], **({name: jwk | members} if source == "option" else {}))
        loaded: dict[str, Callable[[], Any]] = {
            "loader": lambda: jwk | members,
            "PyJWK": lambda: pyjwt.PyJWK(jwk | members),
            "ring": lambda: KeyRing.from_jwks([jwk | members]),
        }
        if source != "option":
            app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: loaded[source]())
        with app.app_context():
            return create_access_token("ada")

    if expected:
        assert made()
    else:
        with pytest.raises((ConfigurationError, InvalidKeyError)):
            made()


# --- malformed --------------------------------------------------------------------------------------------------------

#: The malformed keys of the sets, without what only sets have: a state and an end, and strength, which is warned of.
MALFORMED = [
    (name, jwk)
    for name, jwk in BROKEN
    if not {"state", "until"} & set(jwk) and "weak" not in name and "short" not in name and "kty" in jwk
]


ALGORITHM_OF = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA", "oct": "HS256"}


@pytest.mark.parametrize("way", WAYS[:3])
@pytest.mark.parametrize("algorithm", ALGORITHM_OF.values())
def test_a_jwk_of_each_kind_verifies(make_app: MakeApp, way: Way, algorithm: str) -> None:
    """In all the ways in which malformed ones are refused."""
    jwk = JWKS[algorithm] if algorithm == "HS256" else public(JWKS[algorithm])
    encoded = signed(algorithm, PRIVATE_KEYS.get(algorithm, bytes(range(32))))
    assert passes(lambda: way(make_app, jwk, ALGORITHM=algorithm), encoded)


@pytest.mark.parametrize(
    ("jwk", "way"),
    [(jwk, WAYS[number % 3]) for number, (_, jwk) in enumerate(MALFORMED)],
    ids=[name for name, _ in MALFORMED],
)
def test_a_malformed_jwk_is_refused_alone_as_in_a_set(make_app: MakeApp, way: Way, jwk: dict[str, Any]) -> None:
    """At the start if it is in an option, with a 4xx if it comes from a loader."""
    algorithm = ALGORITHM_OF.get(jwk["kty"], "RS256") if isinstance(jwk["kty"], str) else "RS256"
    encoded = signed(algorithm, PRIVATE_KEYS.get(algorithm, bytes(range(32))))
    assert not passes(lambda: way(make_app, jwk, ALGORITHM=algorithm), encoded)


def test_a_malformed_jwk_in_an_option_is_refused_by_init_app(make_app: MakeApp) -> None:
    """The error names the option, and nothing of the key."""
    with pytest.raises(ConfigurationError, match="JWT_PUBLIC_KEY cannot be used with ES256: The x of a JWK") as raised:
        make_app(ALGORITHM="ES256", PUBLIC_KEY=public(EC) | {"x": EC["x"] + "="})
    assert EC["x"] not in str(raised.value)


# --- one algorithm ----------------------------------------------------------------------------------------------------


def accepted(make: Callable[[], Flask]) -> set[str]:
    """Return the algorithms that one RSA key verifies."""
    app = make()
    return {each for each in RSA_ALGORITHMS if status(app, signed(each, PRIVATE_KEYS["RS256"])) == 200}


@pytest.mark.parametrize("way", [by_option, by_late_option, by_loader])
@pytest.mark.parametrize(
    ("algorithm", "listed", "expected"),
    [
        ("RS256", RSA_ALGORITHMS, "RS256"),
        ("PS256", RSA_ALGORITHMS, "PS256"),
        ("RS512", ["PS512", "RS384"], "RS512"),
    ],
)
def test_a_jwk_without_alg_serves_one_algorithm(
    make_app: MakeApp, way: Way, algorithm: str, listed: list[str], expected: str
) -> None:
    """JWT_ALGORITHM if it fits the key, otherwise the first of JWT_DECODE_ALGORITHMS that does (RFC 8725bis, 3.1)."""
    jwk = without(public(RSA), "alg")
    assert accepted(lambda: way(make_app, jwk, ALGORITHM=algorithm, DECODE_ALGORITHMS=listed)) == {expected}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [(["PS384", "RS256"], "PS384"), ({"PS256", "RS512", "RS384"}, "RS384"), (["RS256"], "RS256")],
)
def test_a_loader_whose_algorithm_does_not_fit_takes_the_first_that_does(
    make_app: MakeApp, listed: Any, expected: str
) -> None:
    """JWT_ALGORITHM is HS256. In a set, the order is RS before PS."""
    jwk = without(public(RSA), "alg")
    assert accepted(lambda: by_loader(make_app, jwk, DECODE_ALGORITHMS=listed)) == {expected}


def test_a_pyjwk_serves_the_algorithm_that_pyjwt_gave_it(make_app: MakeApp) -> None:
    """Whatever other algorithms are accepted."""
    for algorithm in ("RS256", "PS512"):
        jwk = pyjwt.PyJWK(without(public(RSA), "alg"), algorithm)
        assert accepted(lambda: by_loader(make_app, jwk, DECODE_ALGORITHMS=RSA_ALGORITHMS)) == {algorithm}  # noqa: B023


@pytest.mark.parametrize(("algorithm", "expected"), [("HS256", "RS256"), ("PS256", "PS256"), ("ES256", "RS256")])
def test_a_key_of_our_own_set_without_alg_serves_one_algorithm(
    make_app: MakeApp, algorithm: str, expected: str
) -> None:
    """JWT_ALGORITHM if it fits, otherwise the usual one. It signs with the same."""
    app = make_app(KEYS=[without(RSA, "alg")], ALGORITHM=algorithm)
    with app.app_context():
        made = create_access_token("ada")
    assert pyjwt.get_unverified_header(made)["alg"] == expected
    assert status(app, made) == 200
    assert accepted(lambda: app) == {expected}


def test_a_ring_serves_the_algorithms_that_it_was_given(make_app: MakeApp) -> None:
    """For a loader with keys that have no ``alg``."""
    ring = KeyRing.from_jwks([without(RSA, "alg"), EC], ["PS256", "RS256", "ES256"])
    app = by_loader(make_app, ring, DECODE_ALGORITHMS=[*RSA_ALGORITHMS, "ES256"])
    assert accepted(lambda: app) == {"PS256"}
    assert status(app, signed("ES256", PRIVATE_KEYS["ES256"])) == 200


@pytest.mark.parametrize("source", ["JWK", "PEM", "object"])
def test_one_pem_goes_on_serving_a_list_in_compat(make_app: MakeApp, source: str) -> None:
    """As in 4.7: PEM has no algorithm, so the key verifies the whole list. A JWK is bound to one algorithm."""
    key = PRIVATE_KEYS["RS256"].public_key()
    material = {"JWK": public(RSA), "PEM": pem(PRIVATE_KEYS["RS256"])[1], "object": key}[source]
    found = accepted(lambda: make_app(ALGORITHM="RS256", PUBLIC_KEY=material, DECODE_ALGORITHMS=["RS256", "RS512"]))
    assert found == ({"RS256"} if source == "JWK" else {"RS256", "RS512"})


@pytest.mark.parametrize(
    "options",
    [
        {"ALGORITHM": "RS256", "PUBLIC_KEY": pem(PRIVATE_KEYS["RS256"])[1], "DECODE_ALGORITHMS": ["RS256", "RS512"]},
        {"DECODE_ALGORITHMS": ["HS256", "HS512"]},
    ],
    ids=["PEM", "secret"],
)
def test_one_key_for_two_algorithms_is_remarked_on_in_strict(make_app: MakeApp, options: dict[str, Any]) -> None:
    """The list works because it is set explicitly; ``flask jwt check`` recommends a key for each algorithm."""

    def codes(**others: Any) -> set[str]:
        app = make_app(**options | others)
        return {finding.code for finding in check(app, get_state(app))}

    assert "shared_key" in codes(PROFILE="strict")
    assert "shared_key" not in codes()
    assert "shared_key" not in codes(PROFILE="strict", DECODE_ALGORITHMS=[options.get("ALGORITHM", "HS256")])
    app = make_app(PROFILE="strict", **options)
    for algorithm in options["DECODE_ALGORITHMS"]:
        assert status(app, signed(algorithm, PRIVATE_KEYS.get(algorithm, SECRET))) == 200


@pytest.mark.parametrize(
    ("listed", "expected"), [(None, {"RS256"}), (["PS256"], {"PS256"}), ({"PS256", "RS384"}, {"RS384"})]
)
def test_a_key_of_an_issuer_without_alg_serves_one_algorithm(
    make_app: MakeApp, listed: Any, expected: set[str]
) -> None:
    """The first of the issuer's list that fits. Both keys are found by their ``kid``."""
    keys = [without(public(RSA), "alg", kid="r"), without(public(EC), "alg", kid="e")]
    settings = {"keys": {"keys": keys}, "audience": "us"} | ({"algorithms": listed} if listed else {})
    app = make_app(TRUSTED_ISSUERS={"https://login.example": settings})
    claims = {"iss": "https://login.example", "aud": "us", "sub": "ada", "iat": NOW, "exp": NOW + 10**9}

    def passed(algorithm: str, kid: str) -> bool:
        encoded = pyjwt.encode(claims, PRIVATE_KEYS[algorithm], algorithm, headers={"kid": kid})
        return status(app, encoded) == 200

    assert {each for each in RSA_ALGORITHMS if passed(each, "r")} == expected
    assert passed("ES256", "e") is (listed is None)
