"""A ``decode_key_loader`` that finds no key refuses the token; one that cannot reach its keys is an outage."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask, abort

from flask_jwt_extended import ConfigurationError, create_access_token, decode_token, verify_jwt_in_request
from flask_jwt_extended.exceptions import KeyUnavailableError, RevokedTokenError

from .._sessions.helpers import NOW
from ..axes import PROFILES, rotated
from ..conftest import PRIVATE_KEYS, MakeApp, bearer
from .helpers import JWKS, public
from .lying_server import LyingServer, serves

EC = JWKS["ES256"]


def signed(kid: str = EC["kid"]) -> str:
    claims = {"sub": "ada", "type": "access", "jti": "1", "fresh": False, "iat": NOW, "exp": NOW + 10**9}
    return pyjwt.encode(claims, PRIVATE_KEYS["ES256"], "ES256", headers={"kid": kid})


def loading(make_app: MakeApp, load: Callable[[Any, Any], Any], *, is_async: bool = False, **options: Any) -> Flask:
    app = make_app(ALGORITHM="ES256", SECRET_KEY=None, **options)

    async def load_later(header: Any, claims: Any) -> Any:
        return load(header, claims)

    app.extensions["flask-jwt-extended"].decode_key_loader(load_later if is_async else load)
    return app


def raises(error: BaseException) -> Callable[[Any, Any], Any]:
    def load(_header: Any, _claims: Any) -> Any:
        raise error

    return load


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class LibraryError(Exception):
    """The error of an HTTP client, raised from an error of the system."""


class Redis:
    """An error with the usual name: those of redis-py are not OSErrors."""

    class ConnectionError(Exception):  # noqa: A001
        pass

    class BusyLoadingError(ConnectionError):
        pass


NO_KEY: list[Exception] = [
    pyjwt.PyJWKClientError('Unable to find a signing key that matches: "x"'),
    pyjwt.PyJWKSetError("The JWK Set did not contain any keys"),
    pyjwt.PyJWKError("Unable to find an algorithm for key"),
    pyjwt.PyJWTError("any"),
    pyjwt.InvalidKeyError("kty is not found"),
    LookupError("x"),
    KeyError("kid"),
    TypeError("x"),
    ValueError("x"),
    AttributeError("x"),
    ArithmeticError(),
    RecursionError(),
    FileNotFoundError(errno.ENOENT, "No such file or directory", "keys/x.pem"),
    NotADirectoryError(),
    IsADirectoryError(),
    OSError(errno.ENAMETOOLONG, "File name too long"),
    caused(KeyError("kid"), OSError("looked for on a server")),
]
OUTAGES: list[Exception] = [
    pyjwt.PyJWKClientConnectionError('Fail to fetch data from the url, err: "timed out"'),
    urllib.error.URLError("Connection refused"),
    ConnectionRefusedError(),
    ConnectionResetError(),
    TimeoutError(),
    asyncio.TimeoutError(),
    FutureTimeoutError(),
    socket.gaierror(-2, "Name or service not known"),
    OSError(errno.EHOSTUNREACH, "No route to host"),
    Redis.BusyLoadingError(),
    caused(LibraryError(), ConnectionRefusedError()),
    caused(LibraryError(), caused(LibraryError(), TimeoutError())),
]


def named(error: BaseException) -> str:
    return f"{type(error).__name__} {error.__cause__ and type(error.__cause__).__name__}"


@rotated("error", NO_KEY, ids=named, profile=PROFILES, is_async=(False, True))
def test_no_key_is_a_refusal(make_app: MakeApp, error: Exception, profile: str, is_async: bool) -> None:
    """For all errors of PyJWT about keys, and those that claims of a hostile token cause."""
    app = loading(make_app, raises(error), is_async=is_async, PROFILE=profile)
    response = app.test_client().get("/access", headers=bearer(signed()))
    assert response.status_code == {"compat": 422, "strict": 401}[profile]
    assert str(error)[:20] not in response.text or not str(error)
    good = loading(make_app, lambda _header, _claims: public(EC), is_async=is_async, PROFILE=profile)
    assert good.test_client().get("/access", headers=bearer(signed())).status_code == 200


@rotated("error", OUTAGES, ids=named, profile=PROFILES, is_async=(False, True))
def test_keys_that_cannot_be_reached_are_an_outage(
    make_app: MakeApp, error: Exception, profile: str, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with ``Retry-After``, as for a store or an issuer."""
    app = loading(make_app, raises(error), is_async=is_async, PROFILE=profile)
    with caplog.at_level(logging.WARNING, "flask_jwt_extended"):
        response = app.test_client().get("/access", headers=bearer(signed()))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert f"decode_key_loader cannot reach its keys: {type(error).__name__}" in caplog.text
    assert signed() not in caplog.text
    optional = app.test_client().get("/optional", headers=bearer(signed()))
    assert optional.status_code == 503  # whose token it is cannot be told


@pytest.mark.parametrize("error", [ConfigurationError("mine"), RuntimeError("mine"), NotImplementedError("mine")])
def test_a_mistake_of_the_developer_is_raised(make_app: MakeApp, error: Exception) -> None:
    """It does not refuse the token."""
    app = loading(make_app, raises(error))
    app.testing = True
    with pytest.raises(type(error), match="mine"):
        app.test_client().get("/access", headers=bearer(signed()))


def test_errors_of_ours_and_of_werkzeug_pass_on(make_app: MakeApp) -> None:
    """A loader may refuse a token for a reason of its own."""
    revoked = loading(make_app, raises(RevokedTokenError({}, {"sub": "ada"})))
    assert revoked.test_client().get("/access", headers=bearer(signed())).status_code == 401
    unknown = loading(make_app, raises(pyjwt.InvalidIssuerError("No such tenant")))
    response = unknown.test_client().get("/access", headers=bearer(signed()))
    assert (response.status_code, response.get_json()) == (422, {"msg": "No such tenant"})  # as in 4.7
    expired = loading(make_app, raises(pyjwt.ExpiredSignatureError("x")))
    assert expired.test_client().get("/access", headers=bearer(signed())).status_code == 401
    gone = loading(make_app, lambda _header, _claims: abort(410))
    assert gone.test_client().get("/access", headers=bearer(signed())).status_code == 410


def test_outside_a_request_the_errors_can_be_caught(make_app: MakeApp) -> None:
    """``decode_token`` raises them; what the loader raised is their cause."""
    refused, out = loading(make_app, raises(NO_KEY[0])), loading(make_app, raises(OUTAGES[0]))
    with refused.app_context(), pytest.raises(pyjwt.InvalidTokenError) as raised:
        decode_token(signed())
    assert raised.value.__cause__ is NO_KEY[0]
    with out.app_context(), pytest.raises(KeyUnavailableError) as unavailable:
        decode_token(signed())
    assert unavailable.value.reason == "PyJWKClientConnectionError"


def test_an_encode_key_loader_that_fails_is_the_developers_error(make_app: MakeApp) -> None:
    """No token is refused: there is none yet."""
    app = make_app(ALGORITHM="ES256")
    for error in (NO_KEY[0], OUTAGES[0], KeyError("tenant")):
        app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity, error=error: raises(error)({}, {}))
        with app.app_context(), pytest.raises(type(error)):
            create_access_token("ada")


# --- the pattern of PyJWT's documentation -------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with LyingServer() as running:
        yield running


@pytest.mark.parametrize("whole", [True, False], ids=["PyJWK", "its key"])
def test_the_client_of_pyjwt_works_as_its_documentation_shows(
    make_app: MakeApp, server: LyingServer, whole: bool
) -> None:
    """An unknown ``kid`` is refused, and a server that is down is an outage."""
    server.answers["/keys"] = serves({"keys": [public(EC), public(JWKS["RS256"]) | {"use": "enc"}]})
    client = pyjwt.PyJWKClient(server.url("/keys"), timeout=2)

    def load(header: Any, _claims: Any) -> Any:
        found = client.get_signing_key(header["kid"])
        return found if whole else found.key

    app = loading(make_app, load)

    def answer(kid: str) -> int:
        return app.test_client().get("/access", headers=bearer(signed(kid))).status_code

    assert [answer(kid) for kid in (EC["kid"], "unknown", JWKS["RS256"]["kid"], "", "../x\0")] == [200] + [422] * 4
    del server.answers["/keys"]
    client.jwk_set_cache = None
    client = pyjwt.PyJWKClient("http://127.0.0.1:9/keys", timeout=2)  # nothing listens there
    assert answer("another") == 503


def test_files_named_by_kid_are_no_way_to_a_500(make_app: MakeApp, tmp_path: Path) -> None:
    """For every ``kid`` of a hostile client."""
    (tmp_path / "good").write_text("x")

    def load(header: Any, _claims: Any) -> Any:
        (tmp_path / header["kid"]).read_text()
        return public(EC)

    app = loading(make_app, load)
    for kid, expected in {"good": 200, "bad": 422, "good/x": 422, ".": 422, "k" * 5000: 422, "a\0b": 422}.items():
        assert app.test_client().get("/access", headers=bearer(signed(kid))).status_code == expected


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ([public(EC)], "of the type list: use text"),
        ({"keys": [public(EC)]}, "The kty of a JWK must be"),
        (pyjwt.PyJWKSet([public(EC)]), "of the type PyJWKSet: use text"),
        ("keys/public.pem", "path of a file"),
    ],
)
def test_what_can_never_be_a_key_is_reported_once(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture, returned: Any, told: str
) -> None:
    """The token is refused as before, and the log explains why."""
    app = loading(make_app, lambda _header, _claims: returned)
    for _ in range(3):
        assert app.test_client().get("/access", headers=bearer(signed())).status_code == 422
    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "decode_key_loader" in record.getMessage()
    assert told in record.getMessage()


def test_a_loader_that_changes_its_arguments_changes_no_token(make_app: MakeApp) -> None:
    """Header and claims of the verified token are those that were signed."""

    def load(header: Any, claims: Any) -> Any:
        header["kid"], header["new"] = "another", 1
        claims["sub"] = "mallory"
        return public(EC)

    app = loading(make_app, load)
    with app.test_request_context(headers=bearer(signed())):
        header, claims = verify_jwt_in_request() or ({}, {})
    assert (header, claims["sub"]) == (pyjwt.get_unverified_header(signed()), "ada")
