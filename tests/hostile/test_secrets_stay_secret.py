"""No message, log line or repr shows a password, a key or a token, however an application is set up or fails."""

from __future__ import annotations

import gc
import logging
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from jwt.algorithms import OKPAlgorithm

from flask_jwt_extended import JWTManager, create_access_token, decode_token, jwt_required
from flask_jwt_extended._settings.redaction import shown, without_credentials
from flask_jwt_extended._settings.settings import resolve

from .._cli.helpers import run
from ..conftest import PRIVATE_KEYS, SECRET, bearer, pem

#: Planted wherever a secret may stand.
WORD = "hunter2"
#: Private members of a key that is made for this test: none of them may show either.
PRIVATE_JWK: dict[str, Any] = OKPAlgorithm.to_jwk(PRIVATE_KEYS["EdDSA"], as_dict=True)
SECRET_JWK = {"kty": "oct", "k": "aHVudGVyMiBodW50ZXIyIGh1bnRlcjIgaHVudGVyMiE", "kid": "1"}
PRIVATE_PEM = pem(PRIVATE_KEYS["RS256"])[0]
PLANTED = (WORD, PRIVATE_JWK["d"], SECRET_JWK["k"], PRIVATE_PEM.splitlines()[3])

URL = f"https://ada:{WORD}@idp.example/keys?api_key={WORD}"
GOOD_ISSUER = {"audience": "shop", "keys": {"keys": [{**PRIVATE_JWK, "alg": "EdDSA", "kid": "1"}]}}


#: A token of the issuer, signed with its key.
FOREIGN = pyjwt.encode(
    {"iss": "https://idp.example", "aud": "shop", "sub": "ada", "iat": 1, "exp": 2**32},
    PRIVATE_KEYS["EdDSA"],
    "EdDSA",
    {"kid": "1"},
)


def config(**options: Any) -> dict[str, Any]:
    return {"JWT_SECRET_KEY": f"{WORD} and more: {SECRET}", "SECRET_KEY": f"{WORD} too: {SECRET}", **options}


def issuer(name: str = "https://idp.example", **terms: Any) -> dict[str, Any]:
    return {"JWT_TRUSTED_ISSUERS": {name: {"audience": "shop", **terms}}}


#: Configurations that work, with secrets in all corners.
GOOD: dict[str, dict[str, Any]] = {
    "secrets": {"JWT_SECRET_KEY_FALLBACKS": [f"{WORD} before: {SECRET}"]},
    "key pair": {
        "JWT_ALGORITHM": "RS256",
        "JWT_PRIVATE_KEY": PRIVATE_PEM,
        "JWT_PUBLIC_KEY": pem(PRIVATE_KEYS["RS256"])[1],
    },
    "key set": {"JWT_KEYS": {"keys": [{**PRIVATE_JWK, "alg": "EdDSA", "kid": "1"}]}},
    "issuer with keys": {"JWT_TRUSTED_ISSUERS": {"https://idp.example": GOOD_ISSUER}},
    "issuer with a query": issuer(jwks_uri=f"https://idp.example/keys?api_key={WORD}"),
    "discovery with a query": issuer(discovery=f"https://idp.example/meta?api_key={WORD}"),
    "memory": {"JWT_STORE_URI": f"memory://ada:{WORD}@host"},
    "redis": {"JWT_STORE_URI": f"redis://ada:{WORD}@localhost:1/0"},
    "redis query": {"JWT_STORE_URI": f"redis://localhost:1/0?password={WORD}"},
    "rediss": {"JWT_STORE_URI": f"rediss://:{WORD}@localhost:1/0"},
    "sentinel": {"JWT_STORE_URI": f"redis+sentinel://ada:{WORD}@localhost:1/main/0?sentinel_password={WORD}"},
    "cluster": {"JWT_STORE_URI": f"redis+cluster://ada:{WORD}@localhost:1,localhost:2"},
    "postgresql": {"JWT_STORE_URI": f"postgresql+psycopg://ada:{WORD}@localhost:1/db?passfile={WORD}"},
    "postgresql with a bad option": {"JWT_STORE_URI": f"postgresql+psycopg://ada:{WORD}@localhost:1/db?odd={WORD}"},
    "mysql": {"JWT_STORE_URI": f"mysql+pymysql://ada:{WORD}@localhost:1/db"},
}
#: Configurations that do not: init_app refuses them, or the first token does.
BAD: dict[str, dict[str, Any]] = {
    "userinfo in jwks_uri": issuer(jwks_uri=f"https://ada:{WORD}@idp.example/keys"),
    "user in jwks_uri": issuer(jwks_uri=f"https://{WORD}@idp.example/keys"),
    "query in an http jwks_uri": issuer(jwks_uri=f"http://idp.example/keys?api_key={WORD}"),
    "fragment in an http jwks_uri": issuer(jwks_uri=f"http://idp.example/keys#{WORD}"),
    "slash in a password of jwks_uri": issuer(jwks_uri=f"https://ada:x/{WORD}@idp.example/keys"),
    "question mark in a password of jwks_uri": issuer(jwks_uri=f"https://ada:x?{WORD}@idp.example/keys"),
    "userinfo in discovery": issuer(discovery=URL),
    "userinfo in the issuer": issuer(URL),
    "userinfo in an issuer that lacks an audience": {"JWT_TRUSTED_ISSUERS": {URL: {}}},
    "jwks_uri as a list": issuer(jwks_uri=[URL]),
    "jwks_uri as a mapping": issuer(jwks_uri={"url": URL}),
    "jwks_uri as bytes": issuer(jwks_uri=URL.encode()),
    "issuers as a list": {"JWT_TRUSTED_ISSUERS": [GOOD_ISSUER]},
    "issuers as a text": {"JWT_TRUSTED_ISSUERS": URL},
    "an issuer as its keys": {"JWT_TRUSTED_ISSUERS": {"https://idp.example": [PRIVATE_JWK]}},
    "keys in the place of algorithms": issuer(algorithms=[SECRET_JWK["k"]], keys=GOOD_ISSUER["keys"]),
    "keys in the place of a name": issuer(identity_claim=PRIVATE_JWK),
    "keys in the place of a type": issuer(type=PRIVATE_PEM),
    "keys in the place of an audience": {"JWT_TRUSTED_ISSUERS": {"https://idp.example": {"audience": PRIVATE_JWK}}},
    "a secret among the keys of an issuer": issuer(keys={"keys": [SECRET_JWK]}),
    "no set among the keys of an issuer": issuer(keys=PRIVATE_PEM),
    "an unknown term": {"JWT_TRUSTED_ISSUERS": {"https://idp.example": {PRIVATE_PEM: 1}}},
    "cookie domain": {"JWT_COOKIE_DOMAIN": f"https://ada:{WORD}@example.com"},
    "cookie domain without a scheme": {"JWT_COOKIE_DOMAIN": f"ada:{WORD}@example.com"},
    "trusted origins": {"JWT_TRUSTED_ORIGINS": [URL]},
    "trusted origins without a scheme": {"JWT_TRUSTED_ORIGINS": [f"ada:{WORD}@app.example.com"]},
    "trusted origins as a mapping": {"JWT_TRUSTED_ORIGINS": {"k": {"d": WORD}}.items()},
    "algorithm": {"JWT_ALGORITHM": PRIVATE_PEM},
    "algorithms": {"JWT_DECODE_ALGORITHMS": [PRIVATE_PEM]},
    "profile": {"JWT_PROFILE": PRIVATE_PEM},
    "locations": {"JWT_TOKEN_LOCATION": [URL]},
    "location": {"JWT_TOKEN_LOCATION": PRIVATE_PEM},
    "lifetime": {"JWT_ACCESS_TOKEN_EXPIRES": URL},
    "audience": {"JWT_DECODE_AUDIENCE": [PRIVATE_JWK]},
    "issuer": {"JWT_DECODE_ISSUER": PRIVATE_JWK.items()},
    "encode issuer": {"JWT_ENCODE_ISSUER": PRIVATE_JWK},
    "size": {"JWT_MAX_TOKEN_BYTES": PRIVATE_PEM},
    "leeway": {"JWT_DECODE_LEEWAY": {"secret": WORD}},
    "methods": {"JWT_CSRF_METHODS": [PRIVATE_PEM]},
    "same site": {"JWT_COOKIE_SAMESITE": PRIVATE_PEM},
    "flag": {"JWT_COOKIE_SECURE": URL},
    "legacy": {"JWT_LEGACY_SUB_UNTIL": URL},
    "report only": {"JWT_REPORT_ONLY": [URL]},
    "cookie name": {"JWT_ACCESS_COOKIE_NAME": f"a; {WORD}={WORD}"} | {"JWT_ACCESS_COOKIE_NAME": URL + ";"},
    "fallbacks": {"JWT_SECRET_KEY_FALLBACKS": [WORD, 5]},
    "fallbacks as a text": {"JWT_SECRET_KEY_FALLBACKS": WORD},
    "keys as an object": {"JWT_KEYS": object()},
    "keys as a number": {"JWT_KEYS": 5},
    "keys with a mixture": {"JWT_KEYS": {"keys": [SECRET_JWK, PRIVATE_JWK]}},
    "keys without a set": {"JWT_KEYS": {"key": SECRET_JWK}},
    "keys with an odd key": {"JWT_KEYS": {"keys": [{**PRIVATE_JWK, "crv": "Ed25519", "x": "AAAA", "alg": "EdDSA"}]}},
    "keys with odd times": {"JWT_KEYS": {"keys": [{**SECRET_JWK, "alg": "HS256", "until": WORD}]}},
    "private key for another algorithm": {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": PRIVATE_PEM},
    "private key as a text": {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": WORD},
    "private key cut short": {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": PRIVATE_PEM[:600]},
    "private key in escapes": {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": PRIVATE_PEM.replace("\n", "\\n")},
    "private key of an odd type": {"JWT_ALGORITHM": "RS256", "JWT_PRIVATE_KEY": [PRIVATE_PEM]},
    "private JWK of another kind": {"JWT_ALGORITHM": "ES256", "JWT_PRIVATE_KEY": PRIVATE_JWK},
    "secret of an odd type": {"JWT_SECRET_KEY": [WORD]},
    "secret as a mapping": {"JWT_SECRET_KEY": SECRET_JWK | {"kty": "odd"}},
    "weak secret": {"JWT_SECRET_KEY": WORD, "JWT_KEY_STRENGTH": "refuse"},
    "store without a scheme": {"JWT_STORE_URI": f"ada:{WORD}@localhost"},
    "store of an odd scheme": {"JWT_STORE_URI": f"odd://ada:{WORD}@localhost"},
    "store of an odd type": {"JWT_STORE_URI": [f"redis://ada:{WORD}@localhost"]},
    "redis with a bad port": {"JWT_STORE_URI": f"redis://ada:{WORD}@localhost:port/0"},
    "redis with a bad option": {"JWT_STORE_URI": f"redis://ada:{WORD}@localhost/0?odd={WORD}"},
    "redis with a slash in the password": {"JWT_STORE_URI": f"redis://ada:x/{WORD}@localhost/0"},
    "postgresql with a bad port": {"JWT_STORE_URI": f"postgresql+psycopg://ada:{WORD}@localhost:port/db"},
    "an unknown driver": {"JWT_STORE_URI": f"postgresql+odd://ada:{WORD}@localhost/db"},
    "an unknown option": {"JWT_SECRET_KEYS": WORD, "JWT_STORE_URL": URL},
}


def assert_clean(text: str) -> None:
    assert not [word for word in PLANTED if word in text], text


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that no log line of this package contains a secret."""
    caplog.set_level(logging.DEBUG, "flask_jwt_extended")
    yield
    assert_clean(caplog.text)


def use(options: dict[str, Any]) -> tuple[Flask, list[str]]:
    """Use an application as usual, and return it with all messages of errors and warnings."""
    app, messages = Flask("shop"), []
    app.config.update(config(**options), TESTING=True)

    def views() -> None:
        app.add_url_rule("/", view_func=jwt_required()(lambda: ""))

    def a_token() -> None:
        with app.test_request_context():
            decode_token(create_access_token("ada"))

    def request() -> None:
        app.test_client().get("/", headers=bearer("e30.e30.e30"))

    def foreign_request() -> None:
        app.test_client().get("/", headers=bearer(FOREIGN))

    steps = (lambda: JWTManager(app), views, a_token, request, foreign_request)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for step in steps:
            try:
                step()
            except Exception as error:
                messages += [repr(error), "".join(traceback.format_exception_only(error))]
                messages += _chain(error)
    return app, [*messages, *(str(each.message) for each in heard)]


def _chain(error: BaseException) -> Iterator[str]:
    """The errors behind this one, as a traceback shows them."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None:
        yield str(behind)
        yield from _chain(behind)


@pytest.mark.parametrize("options", BAD.values(), ids=BAD)
def test_no_error_or_warning_shows_a_secret(options: dict[str, Any]) -> None:
    """Neither messages nor the log contain a secret."""
    _, messages = use(options)
    assert messages
    for message in messages:
        assert_clean(message)


@pytest.mark.parametrize("options", GOOD.values(), ids=GOOD)
def test_nothing_that_an_application_keeps_shows_a_secret(options: dict[str, Any]) -> None:
    """``app.extensions`` and the objects behind it are shown by debuggers and error reports."""
    app, messages = use(options)
    assert_clean(repr(app.extensions))
    for each in _reachable(app.extensions):
        assert_clean(repr(each))
    for message in messages:
        assert_clean(message)


def _reachable(root: Any) -> Iterator[Any]:
    """The objects of this package that are reachable from one; plain values are the secrets themselves."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        current = waiting.pop()
        if type(current).__module__.partition(".")[0] == "flask_jwt_extended":
            yield current
        for each in gc.get_referents(current):
            if id(each) not in seen and not isinstance(each, (type, Flask)) and type(each).__name__ != "module":
                seen.add(id(each))
                waiting.append(each)


@pytest.mark.parametrize("options", GOOD.values(), ids=GOOD)
def test_settings_show_everything_but_secrets(options: dict[str, Any]) -> None:
    """The settings may be logged."""
    text = repr(resolve(config(**options)))
    assert_clean(text)
    assert "header_name='Authorization'" in text


@pytest.mark.parametrize(
    "command", [["config"], ["config", "--json"], ["check"], ["check", "--json"], ["check", "--preview-strict"]]
)
@pytest.mark.parametrize("name", GOOD)
def test_no_command_shows_a_secret(name: str, command: list[str]) -> None:
    """Nor does a command, even if the store or the issuer is unavailable: drivers quote their arguments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app, _ = use({**GOOD[name], "JWT_STORE_TIMEOUT": 0.2})
        assert_clean(run(app, *command).output)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ada:pw@idp.example/keys?x=1#y", "https://idp.example/keys"),
        ("https://idp.example/keys", "https://idp.example/keys"),
        ("https://ada:p/w@idp.example/keys", "https://idp.example/keys"),
        ("https://ada:p?w#@idp.example", "https://idp.example"),
        ("https://", "https://"),
        ("plain text", "plain text"),
        ("ada:pw@host", "host"),
    ],
)
def test_urls_are_quoted_without_credentials(url: str, expected: str) -> None:
    """User name, password, query and fragment may each contain a secret."""
    assert without_credentials(url) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("HS257", "'HS257'"),
        (5, "5"),
        (None, "None"),
        (True, "True"),
        (["a", 5], "['a', 5]"),
        (list("abcdefg"), "['a', 'b', 'c', 'd', 'e', ...]"),
        ({"d": WORD}, "a dict"),
        (WORD.encode(), "a bytes"),
        ("x" * 41, "a text of 41 characters"),
        ("a\nb", "a text of 3 characters"),
    ],
)
def test_a_message_quotes_enough_to_recognise_a_mistake(value: Any, expected: str) -> None:
    """Long values, which may be keys, are not quoted."""
    assert shown(value) == expected
