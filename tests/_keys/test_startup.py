"""A key that is missing, unusable or too weak is reported when the application starts, not at the first login."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from flask import Flask

from flask_jwt_extended import ConfigurationError, JWTManager, create_access_token, jwt_required
from flask_jwt_extended._jose.jwk_set import to_jwk

from ..axes import PROFILES, both_profiles, rotated
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from .helpers import JWKS, public, without, write_set

PRIVATE, PUBLIC = pem(PRIVATE_KEYS["RS256"])
PAIR = {"ALGORITHM": "RS256", "PRIVATE_KEY": PRIVATE, "PUBLIC_KEY": PUBLIC}
SMALL = rsa.generate_private_key(65537, 1024)
ENCRYPTED = PRIVATE_KEYS["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open"))
EC = JWKS["ES256"]


def start(**options: Any) -> Flask:
    """Start an application with only these options."""
    app = Flask("app")
    app.config.update({name if name == "SECRET_KEY" else f"JWT_{name}": value for name, value in options.items()})
    app.config["JWT_SECRET_KEY"] = app.config.pop("JWT_SECRET", None)
    JWTManager(app)
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/in", "in", jwt_required()(lambda: "in"))
    return app


# --- unusable ---------------------------------------------------------------------------------------------------------


@rotated(
    "options,message",
    [
        ({**PAIR, "PRIVATE_KEY": "keys/private.pem"}, "JWT_PRIVATE_KEY .* RS256: .*path of a file"),
        ({**PAIR, "PUBLIC_KEY": "public.pem"}, "JWT_PUBLIC_KEY .* RS256: .*path of a file"),
        ({**PAIR, "PRIVATE_KEY": "garbage"}, "JWT_PRIVATE_KEY .* RS256"),
        ({**PAIR, "PRIVATE_KEY": PRIVATE[: len(PRIVATE) // 2]}, "JWT_PRIVATE_KEY .* RS256"),
        ({**PAIR, "PRIVATE_KEY": PRIVATE.replace("\n", "\\n")}, "JWT_PRIVATE_KEY .* line breaks are escaped"),
        ({**PAIR, "PRIVATE_KEY": PUBLIC}, "JWT_PRIVATE_KEY .* public key cannot sign"),
        ({**PAIR, "PRIVATE_KEY": ENCRYPTED}, "JWT_PRIVATE_KEY .* is encrypted"),
        ({**PAIR, "PRIVATE_KEY": ENCRYPTED.decode()}, "JWT_PRIVATE_KEY .* is encrypted"),
        ({**PAIR, "PUBLIC_KEY": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "is a certificate"),
        ({**PAIR, "PUBLIC_KEY": '{"kty": "RSA"}'}, "JWT_PUBLIC_KEY .* JWK as text"),
        ({**PAIR, "PRIVATE_KEY": 5}, "JWT_PRIVATE_KEY .* is a number"),
        ({**PAIR, "PRIVATE_KEY": object()}, "JWT_PRIVATE_KEY .* RS256.* is of the type object: use text"),
        ({**PAIR, "PRIVATE_KEY": bytearray(PRIVATE, "ascii")}, "JWT_PRIVATE_KEY .* is of the type bytearray: use text"),
        ({**PAIR, "PRIVATE_KEY": Path("private.pem")}, "JWT_PRIVATE_KEY .*path of a file"),
        ({**PAIR, "PRIVATE_KEY": "/run/secrets/jwt"}, "JWT_PRIVATE_KEY .*path of a file"),
        ({**PAIR, "PUBLIC_KEY": "./jwt"}, "JWT_PUBLIC_KEY .*path of a file"),
        ({**PAIR, "PRIVATE_KEY": b64encode(PRIVATE.encode())}, "JWT_PRIVATE_KEY .* PEM in Base64: decode it"),
        ({**PAIR, "PRIVATE_KEY": "  "}, "JWT_PRIVATE_KEY .* not PEM"),
        ({"SECRET": Path("secret.txt")}, "JWT_SECRET_KEY .*path of a file"),
        ({"SECRET": UUID(int=5)}, "JWT_SECRET_KEY .* is of the type UUID: use text"),
        ({**PAIR, "ALGORITHM": "ES256"}, "JWT_PRIVATE_KEY .* ES256: .*another type"),
        ({**PAIR, "PRIVATE_KEY": public(JWKS["RS256"])}, "JWT_PRIVATE_KEY .* public key cannot sign"),
        ({"SECRET": 12345}, "JWT_SECRET_KEY .* HS256.* is a number"),
        ({"SECRET": ["a" * 40]}, "JWT_SECRET_KEY .* HS256"),
        ({"SECRET": PUBLIC}, "JWT_SECRET_KEY .* HS256"),
        ({"SECRET": SECRET, "SECRET_KEY_FALLBACKS": [PUBLIC]}, "JWT_SECRET_KEY_FALLBACKS .* HS256"),
        ({"SECRET": public(EC)}, "JWT_SECRET_KEY .* HS256"),
        ({"KEYS": [EC | {"x": "AAAA"}]}, "JWT_KEYS cannot be used: The x of a JWK"),
        ({"KEYS": [EC, EC]}, "JWT_KEYS cannot be used: Two keys"),
        ({"KEYS": [without(EC, "kty")]}, "JWT_KEYS cannot be used"),
        ({"KEYS": 5}, "JWT_KEYS must be"),
        ({"KEYS": "a\0b"}, "JWT_KEYS cannot be used"),
        ({"KEYS": PRIVATE}, "JWT_KEYS is the text"),
        ({"KEYS": json.dumps({"keys": [EC]})}, "JWT_KEYS is the text"),
        ({"KEYS": json.dumps([EC])}, "JWT_KEYS is the text"),
        (
            {"SECRET": SECRET, "TRUSTED_ISSUERS": {"a": {"audience": "b", "keys": [EC | {"x": "A"}]}}},
            "keys of a cannot",
        ),
        ({"KEYS": [to_jwk("RS256", SMALL)]}, "JWT_KEYS cannot be used: .* too weak"),
        ({"KEYS": [EC], **PAIR, "PUBLIC_KEY": "x", "DECODE_ALGORITHMS": ["RS256"]}, "JWT_PUBLIC_KEY .* RS256"),
    ],
    profile=PROFILES,
)
def test_a_key_that_can_never_be_used_stops_the_start(options: dict[str, Any], message: str, profile: str) -> None:
    """The message names the option, the problem and the fix, and contains nothing of the key."""
    with pytest.raises(ConfigurationError, match=f"(?s){message}") as raised:
        start(PROFILE=profile, **options)
    assert raised.value.__cause__ is None
    for material in (PRIVATE, PUBLIC, ENCRYPTED.decode()):
        assert material[60:120] not in str(raised.value)


@rotated(
    "options",
    [
        {"SECRET": SECRET},
        {"SECRET_KEY": SECRET},
        {"SECRET": SECRET.encode()},
        {"SECRET": JWKS["HS256"]},
        PAIR,
        {**PAIR, "PRIVATE_KEY": f"\n  {PRIVATE}\n"},
        {**PAIR, "PRIVATE_KEY": PRIVATE_KEYS["RS256"], "PUBLIC_KEY": PRIVATE_KEYS["RS256"].public_key()},
        {**PAIR, "PUBLIC_KEY": PRIVATE},
        {**PAIR, "PRIVATE_KEY": JWKS["RS256"], "PUBLIC_KEY": public(JWKS["RS256"])},
        {"KEYS": [EC]},
        {"KEYS": [EC], "PUBLIC_KEY": "not used", "PRIVATE_KEY": "not used", "SECRET": "x"},
    ],
    ids="-".join,
    profile=PROFILES,
)
def test_a_key_that_can_be_used_starts(options: dict[str, Any], profile: str) -> None:
    """In every form, and with invalid values in options that have no effect."""
    app = start(PROFILE=profile, **options)
    with app.app_context():
        token = create_access_token("ada")
    assert app.test_client().get("/in", headers=bearer(token)).status_code == 200


@rotated("content", ["", "{", '{"keys": 5}', "[[", '{"keys": [{"kty": "RSA", "kty": "RSA"}]}'], profile=PROFILES)
def test_a_broken_file_stops_the_start(tmp_path: Path, content: str, profile: str) -> None:
    """A missing file does not: flask jwt keys generate makes it."""
    path = tmp_path / "keys.json"
    start(PROFILE=profile, KEYS=path)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="JWT_KEYS cannot be used"):
        start(PROFILE=profile, KEYS=path)
    write_set(path, EC)
    start(PROFILE=profile, KEYS=path)


# --- too weak ---------------------------------------------------------------------------------------------------------

WEAK: list[tuple[dict[str, Any], str]] = [
    ({"SECRET": "changeme"}, "JWT_SECRET_KEY is too weak"),
    ({"SECRET": "x" * 64}, "JWT_SECRET_KEY is too weak"),
    ({"SECRET": "Zk4!pQ9x_7tVw2"}, "JWT_SECRET_KEY is too weak"),
    ({"SECRET_KEY": "dev"}, "^SECRET_KEY is too weak"),
    ({"SECRET": SECRET, "SECRET_KEY_FALLBACKS": [SECRET[::-1], "old"]}, "JWT_SECRET_KEY_FALLBACKS is too weak"),
    ({"SECRET": SECRET[:40], "ALGORITHM": "HS512"}, "JWT_SECRET_KEY is too weak"),
    ({"ALGORITHM": "RS256", "PRIVATE_KEY": pem(SMALL)[0]}, "JWT_PRIVATE_KEY is too weak"),
    ({"ALGORITHM": "PS256", "PUBLIC_KEY": pem(SMALL)[1]}, "JWT_PUBLIC_KEY is too weak"),
    ({"ALGORITHM": "RS256", "PUBLIC_KEY": public(to_jwk("RS256", SMALL))}, "JWT_PUBLIC_KEY is too weak"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("options", "message"), WEAK)
def test_a_weak_key_stops_the_start_in_strict(options: dict[str, Any], message: str) -> None:
    """The error names the way to accept it. In compat, its first use causes a warning."""
    with pytest.raises(ConfigurationError, match=f"{message}.*JWT_KEY_STRENGTH = 'warn'"):
        start(PROFILE="strict", **options)
    with pytest.raises(ConfigurationError, match=message):
        start(KEY_STRENGTH="refuse", **options)
    start(PROFILE="strict", KEY_STRENGTH="warn", **options)
    start(**options)


def test_in_compat_a_weak_key_is_not_warned_of_before_it_is_used(recwarn: pytest.WarningsRecorder) -> None:
    """As in 4.7."""
    app = start(SECRET="not so long")
    assert not recwarn.list
    with app.app_context():
        create_access_token("ada")
    assert len(recwarn.list) == 1


@pytest.mark.parametrize("loaders", [("encode_key", "decode_key")])
def test_keys_of_loaders_are_not_judged(loaders: tuple[str, ...]) -> None:
    """Options have no effect if loaders were registered before init_app."""
    app = Flask("app")
    app.config.update(SECRET_KEY="dev", JWT_PROFILE="strict")
    manager = JWTManager()
    for name in loaders:
        getattr(manager, f"{name}_loader")(lambda *_arguments: SECRET)
    manager.init_app(app)
    app.add_url_rule("/in", "in", jwt_required()(lambda: "in"))
    with app.app_context():
        token = create_access_token("ada")
    assert app.test_client().get("/in", headers=bearer(token)).status_code == 200


# --- missing ----------------------------------------------------------------------------------------------------------


def logged(app: Flask, caplog: pytest.LogCaptureFixture, requests: int = 2) -> list[str]:
    """Return the errors in the log after requests to a public page."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "flask_jwt_extended"):
        for _ in range(requests):
            assert app.test_client().get("/open").status_code == 200
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


@rotated(
    "options,named",
    [
        ({}, ["JWT_SECRET_KEY"]),
        ({"ALGORITHM": "HS512"}, ["JWT_SECRET_KEY"]),
        ({"ALGORITHM": "RS256"}, ["JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"]),
        ({"ALGORITHM": "RS256", "PRIVATE_KEY": PRIVATE}, ["JWT_PUBLIC_KEY"]),
        ({"ALGORITHM": "EdDSA", "SECRET": SECRET}, ["JWT_PRIVATE_KEY", "JWT_PUBLIC_KEY"]),
    ],
    profile=PROFILES,
)
def test_a_missing_key_is_reported_before_the_first_request(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], named: list[str], profile: str
) -> None:
    """Once, at ERROR, with the option and its environment variable. Not in init_app: the key may be set later."""
    app = start(PROFILE=profile, **options)
    told = logged(app, caplog)
    assert len(told) == len(named)
    for message, name in zip(told, named, strict=True):
        assert name in message
        assert f"FLASK_{name}" in message
        assert "from_prefixed_env" in message
    app.testing = True
    token = start(SECRET=SECRET)
    with token.app_context():
        encoded = create_access_token("ada")
    with pytest.raises(RuntimeError, match="must be set"):  # as in 4.7
        app.test_client().get("/in", headers=bearer(encoded))


def test_a_missing_key_set_is_reported_before_the_first_request(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """With the command that makes it."""
    (message,) = logged(start(KEYS=tmp_path / "keys.json"), caplog)
    assert "JWT_KEYS" in message
    assert "flask jwt keys generate" in message


@pytest.mark.parametrize("keys", ["k" * 5000, "/dev/null/keys.json"])
def test_a_path_that_cannot_be_one_is_reported_before_the_first_request(
    caplog: pytest.LogCaptureFixture, keys: str
) -> None:
    """Public pages work."""
    (message,) = logged(start(KEYS=keys), caplog)
    assert message.startswith("JWT_KEYS cannot be used")


def late_secret(app: Flask) -> None:
    app.config["JWT_SECRET_KEY"] = SECRET


def late_pair(app: Flask) -> None:
    app.config.update({f"JWT_{name}": value for name, value in PAIR.items()})


def late_loaders(app: Flask) -> None:
    app.extensions["flask-jwt-extended"].decode_key_loader(lambda _header, _claims: SECRET)
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)


def late_decode_loader(app: Flask) -> None:
    app.config.update(JWT_DECODE_ALGORITHMS=["RS256"])
    app.extensions["flask-jwt-extended"].decode_key_loader(lambda _header, _claims: PUBLIC)


def late_encode_loader(app: Flask) -> None:
    app.extensions["flask-jwt-extended"].encode_key_loader(lambda _identity: SECRET)


def late_issuer(app: Flask) -> None:
    app.config["JWT_TRUSTED_ISSUERS"] = {"https://login.example": {"keys": [public(EC)], "audience": "us"}}


def late_set(app: Flask) -> None:
    app.config["JWT_KEYS"] = [EC]


def late_override(app: Flask) -> None:
    manager = app.extensions["flask-jwt-extended"]
    manager._decode_jwt_from_config = lambda *_arguments: {"sub": "ada"}  # asks an introspection endpoint, for example


def late_public_key(app: Flask) -> None:
    app.config.update(JWT_ALGORITHM="RS256", JWT_PUBLIC_KEY=PUBLIC)


@rotated(
    "set_key",
    [
        late_secret,
        late_pair,
        late_loaders,
        late_decode_loader,
        late_encode_loader,
        late_issuer,
        late_set,
        late_override,
        late_public_key,
    ],
    ids=lambda each: each.__name__,
    profile=PROFILES,
)
def test_there_is_no_false_alarm(
    caplog: pytest.LogCaptureFixture, set_key: Callable[[Flask], None], profile: str
) -> None:
    """Keys and loaders come after init_app in many applications, and a service may only verify or only issue."""
    app = start(PROFILE=profile)
    set_key(app)
    assert logged(app, caplog) == []


@both_profiles
def test_an_unusable_key_that_is_set_late_is_reported_too(
    caplog: pytest.LogCaptureFixture, profile: str, make_app: MakeApp
) -> None:
    """Before the first request, like a missing key."""
    app = make_app(PROFILE=profile)
    app.add_url_rule("/open", "open", lambda: "open")
    app.config.update(JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY="private.pem", JWT_PUBLIC_KEY=PUBLIC)
    (message,) = logged(app, caplog)
    assert message.startswith("JWT_PRIVATE_KEY cannot be used with RS256")


def test_a_weak_key_that_is_set_late_is_reported_in_strict(caplog: pytest.LogCaptureFixture) -> None:
    """It is refused when it is used."""
    app = start(PROFILE="strict")
    app.config["JWT_SECRET_KEY"] = "changeme"
    assert len(logged(app, caplog)) == 2
    with app.app_context(), pytest.raises(ConfigurationError, match="below the minimum"):
        create_access_token("ada")


@pytest.mark.parametrize(
    ("options", "status"),
    [("", 1), ("JWT_SECRET_KEY='changeme', JWT_PROFILE='strict'", 1), (f"SECRET_KEY={SECRET!r}", 0)],
)
def test_the_command_line_agrees(tmp_path: Path, options: str, status: int) -> None:
    """``flask jwt check`` fails for an application that cannot work."""
    (tmp_path / "shop.py").write_text(
        "from flask import Flask\nfrom flask_jwt_extended import JWTManager\n"
        f"app = Flask(__name__)\napp.config.update({options})\nJWTManager(app)\n"
    )
    command = [sys.executable, "-m", "flask", "--app", "shop", "jwt", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert ("JWT_SECRET_KEY" in done.stdout + done.stderr) is bool(status)


@rotated("empty", ["", " \n", [], {}, ()], ids=repr, profile=PROFILES)
def test_an_empty_key_set_is_refused(empty: Any, profile: str) -> None:
    """If a variable is unset, tokens must not be signed with the secret of the application instead."""
    with pytest.raises(ConfigurationError, match="JWT_KEYS is empty: name a JWK Set file"):
        start(PROFILE=profile, KEYS=empty, SECRET=SECRET)
    start(PROFILE=profile, KEYS=None, SECRET=SECRET)


def test_a_list_of_keys_that_is_emptied_does_not_give_way_to_the_secret() -> None:
    """Tokens that are signed with the secret are refused."""
    app = start(KEYS=[JWKS["ES256"]], SECRET=SECRET)
    with start(SECRET=SECRET).app_context():
        encoded = create_access_token("ada")
    assert app.test_client().get("/in", headers=bearer(encoded)).status_code == 422
    app.config["JWT_KEYS"].clear()
    app.testing = True
    with pytest.raises(ConfigurationError, match="JWT_KEYS is empty"):
        app.test_client().get("/in", headers=bearer(encoded))
