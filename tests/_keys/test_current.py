"""The keys in force: from the configuration, and from files that change."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from flask import Flask

from flask_jwt_extended import ConfigurationError, JWTManager, KeyRing, jwt_required
from flask_jwt_extended._context import get_state
from flask_jwt_extended._jose.jwk_set import PRIVATE_MEMBERS, read_set, thumbprint, to_jwk
from flask_jwt_extended._keys import current as keychain_module

from .._sessions.helpers import NOW, Clock, stopped_clock
from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, bearer, pem
from ..tokens import access_token, sealed
from .helpers import ASYMMETRIC, JWKS, public, without, write_set

OLD_SECRET = "the secret of last year, which is long enough for every HMAC too, as it must be"
RSA, EC, OKP = JWKS["RS256"], JWKS["ES256"], JWKS["EdDSA"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the interval between two checks of the files pass. The monotonic clock stands still otherwise."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def pass_time() -> None:
        now[0] += keychain_module.RELOAD_INTERVAL + 0.01

    return pass_time


def header(encoded: str) -> dict[str, Any]:
    return pyjwt.get_unverified_header(encoded)


def status(app: Flask, encoded: str) -> int:
    return app.test_client().get("/access", headers=bearer(encoded)).status_code


def made_by(jwk: dict[str, Any], exp: int = NOW + 10**9, **named: Any) -> str:
    """Return a token that another service signed with a key."""
    key = pyjwt.PyJWK(without(jwk, "state", "until"))
    claims = {"sub": "ada", "type": "access", "jti": "1", "fresh": False, "iat": NOW, "exp": exp}
    return pyjwt.encode(claims, key.key, key.algorithm_name, headers={"kid": jwk["kid"]} | named)


# --- secrets that replace each other --------------------------------------------------------------------------------


def test_a_fallback_verifies_and_the_newest_signs(make_app: MakeApp) -> None:
    """Tokens of the previous secret pass until it is removed; new tokens are signed with the new one."""
    old, new = make_app(SECRET_KEY=OLD_SECRET), make_app(SECRET_KEY_FALLBACKS=[OLD_SECRET])
    assert status(new, access_token(old)) == 200
    assert status(old, access_token(new)) == 422
    assert status(make_app(), access_token(old)) == 422
    assert status(make_app(SECRET_KEY_FALLBACKS=[SECRET[::-1], OLD_SECRET.encode()]), access_token(old)) == 200


def test_a_fallback_is_looked_for_at_flasks_secret_too() -> None:
    """An application that signs with Flask's SECRET_KEY rotates it in the same way."""
    app = Flask("app")
    app.config.update(SECRET_KEY=SECRET, JWT_SECRET_KEY_FALLBACKS=[OLD_SECRET])
    JWTManager(app)
    app.add_url_rule("/access", "access", jwt_required()(lambda: "in"))
    old = pyjwt.encode({"sub": "ada", "type": "access"}, OLD_SECRET, "HS256")
    assert status(app, old) == 200
    assert status(app, access_token(app)) == 200


def test_a_fallback_is_no_public_key(make_app: MakeApp) -> None:
    """An asymmetric algorithm has no fallbacks: a secret there would be a public key."""
    private, public_pem = pem(PRIVATE_KEYS["RS256"])
    app = make_app(ALGORITHM="RS256", PRIVATE_KEY=private, PUBLIC_KEY=public_pem, SECRET_KEY_FALLBACKS=[OLD_SECRET])
    assert status(app, access_token(app)) == 200
    assert status(app, pyjwt.encode({"sub": "ada"}, OLD_SECRET, "HS256")) == 422


def test_weak_fallbacks_are_refused_in_strict(make_app: MakeApp) -> None:
    """An old secret may be too weak today."""
    with pytest.raises(ConfigurationError, match=r"JWT_SECRET_KEY_FALLBACKS is too weak.*below the minimum"):
        make_app(PROFILE="strict", SECRET_KEY_FALLBACKS=["changeme"])


@pytest.mark.parametrize("value", ["one secret", b"one secret", 5, [5], [None], {"a": "b"}, [""]])
def test_fallbacks_are_a_list_of_secrets(make_app: MakeApp, value: Any) -> None:
    """A single string would be a list of characters."""
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY_FALLBACKS"):
        make_app(SECRET_KEY_FALLBACKS=value)


# --- a set of keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JWKS)
def test_a_set_signs_with_its_first_active_key_and_says_which(make_app: MakeApp, name: str) -> None:
    """The algorithm is that of the key, whatever JWT_ALGORITHM is."""
    app = make_app(KEYS={"keys": [JWKS[name]]})
    made = access_token(app)
    assert header(made) == {"alg": JWKS[name]["alg"], "kid": JWKS[name]["kid"], "typ": "JWT"}
    assert status(app, made) == 200


def test_all_keys_of_a_set_verify(make_app: MakeApp) -> None:
    """The next key too: another worker may have noticed the rotation first."""
    app = make_app(KEYS=[EC, RSA | {"state": "next"}, OKP | {"state": "retiring"}])
    for jwk in (EC, RSA, OKP):
        assert status(app, made_by(jwk)) == 200
    assert status(app, made_by(JWKS["ES384"])) == 422


def test_a_name_does_not_make_another_key_verify(make_app: MakeApp) -> None:
    """A token with a wrong, unknown or missing ``kid`` is refused."""
    other = to_jwk("RS256", PRIVATE_KEYS["RS256"]) | {"kid": "other"}
    app = make_app(KEYS=[EC, JWKS["EdDSA"] | {"kid": "e"}, JWKS["EdDSA-448"] | {"kid": "e448"}, other])
    assert status(app, made_by(OKP, kid="e")) == 200
    for kid in ("e448", "other", EC["kid"], "", "../../etc/passwd", "e\0", "E", "' OR 1=1 --", "e" * 1000):
        assert status(app, made_by(OKP, kid=kid)) == 422
    nameless = pyjwt.encode({"sub": "ada"}, PRIVATE_KEYS["EdDSA"], "EdDSA")
    assert status(app, nameless) == 422  # two keys of EdDSA: which is meant is not guessed
    assert status(make_app(KEYS=[EC, OKP]), nameless) == 200


def test_the_algorithm_is_the_one_of_the_key(make_app: MakeApp) -> None:
    """The same RSA key with another algorithm, and its public key as a secret, are refused."""
    app = make_app(KEYS=[RSA])
    _, public_pem = pem(PRIVATE_KEYS["RS256"])
    assert status(app, made_by(RSA | {"alg": "PS256"})) == 422
    assert status(app, made_by(RSA | {"alg": "RS512"})) == 422
    head, payload, _ = made_by(to_jwk("HS256", b"x" * 32) | {"kid": RSA["kid"]}).split(".")
    for secret in (public_pem, json.dumps(public(RSA)), RSA["n"]):
        assert status(app, sealed(head, payload, secret)) == 422


def test_headers_of_the_application_do_not_rename_the_key(make_app: MakeApp) -> None:
    """A token with another ``kid`` could not be verified."""
    app = make_app(KEYS=[EC])
    made = access_token(app, additional_headers={"kid": "mine", "alg": "RS256", "app": "shop"})
    assert header(made) == {"alg": "ES256", "app": "shop", "kid": EC["kid"], "typ": "JWT"}
    assert status(app, made) == 200


def test_moving_to_a_set_keeps_the_tokens_of_before(make_app: MakeApp) -> None:
    """The configured key still verifies the algorithms in JWT_DECODE_ALGORITHMS, and no others."""
    before = access_token(make_app())
    moving = make_app(KEYS=[EC], DECODE_ALGORITHMS=["HS256"])
    assert status(moving, before) == 200
    assert header(access_token(moving))["alg"] == "ES256"
    assert status(make_app(KEYS=[EC]), before) == 422
    fallback = make_app(KEYS=[EC], DECODE_ALGORITHMS=["HS256"], SECRET_KEY=OLD_SECRET, SECRET_KEY_FALLBACKS=[SECRET])
    assert status(fallback, before) == 200


def test_a_set_of_public_keys_verifies_and_cannot_sign(make_app: MakeApp) -> None:
    """A service that only verifies needs no private key. If it signs, the error explains this."""
    app = make_app(KEYS=[public(EC)])
    assert status(app, made_by(EC)) == 200
    with pytest.raises(ConfigurationError, match="private key"):
        access_token(app)
    with pytest.raises(ConfigurationError, match="flask jwt keys rotate"):
        access_token(make_app(KEYS=[EC | {"state": "next"}]))


@pytest.mark.parametrize("value", [5, object(), 1.5, ("a",), b"keys.json"])
def test_keys_that_are_none_are_refused(make_app: MakeApp, value: Any) -> None:
    """The error names the accepted forms, and contains nothing of the value."""
    with pytest.raises(ConfigurationError, match="JWT_KEYS must be a JWK Set, or the path"):
        make_app(KEYS=value)


def test_keys_that_cannot_be_used_are_named_without_their_members(make_app: MakeApp, tmp_path: Path) -> None:
    """Neither the message nor the cause contains them."""
    broken = EC | {"x": EC["y"]}
    late = make_app()
    for make in (
        lambda: make_app(KEYS=write_set(tmp_path / "keys.json", broken)),
        lambda: make_app(KEYS=[broken]),
        lambda: (late.config.update(JWT_KEYS=[broken]), access_token(late)),
    ):
        with pytest.raises(ConfigurationError, match="JWT_KEYS cannot be used") as raised:
            make()
        assert raised.value.__cause__ is None
        assert EC["d"] not in str(raised.value)
    assert EC["d"] not in repr(get_state(make_app(KEYS=[EC])).keys.at(NOW))


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_noticed(make_app: MakeApp, tmp_path: Path, look: Callable[[], None]) -> None:
    """By a running worker within two seconds, and not before: each check costs time."""
    path = write_set(tmp_path / "keys.json", EC)
    app = make_app(KEYS=str(path))
    assert header(access_token(app))["kid"] == EC["kid"]
    write_set(path, RSA, EC | {"state": "retiring"})
    assert header(access_token(app))["kid"] == EC["kid"]
    look()
    assert header(access_token(app))["kid"] == RSA["kid"]
    assert status(app, made_by(EC)) == 200
    write_set(path, RSA)
    look()
    assert status(app, made_by(EC)) == 422
    assert keychain_module.RELOAD_INTERVAL <= 2


@pytest.mark.parametrize("content", ["", "{", '{"keys": 5}', '{"keys": [{"kty": "EC"}]}', "[" * 100_000, None])
def test_a_file_that_breaks_leaves_the_keys_as_they_were(
    content: str | None,
    make_app: MakeApp,
    tmp_path: Path,
    look: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A truncated, missing or invalid file is logged once, without its content."""
    path = write_set(tmp_path / "keys.json", EC)
    app = make_app(KEYS=path)
    good = access_token(app)
    path.unlink()
    if content is not None:
        path.write_text(content)
    with caplog.at_level(logging.ERROR, "flask_jwt_extended"):
        assert status(app, good) == 200
        caplog.clear()  # what is reported before the first request is another matter
        for _ in range(3):
            look()
            assert status(app, good) == 200
            assert header(access_token(app))["kid"] == EC["kid"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "JWT_KEYS has changed and cannot be used, the keys stay as they were"
    ]
    assert EC["d"] not in caplog.text
    write_set(path, RSA)
    look()
    assert header(access_token(app))["kid"] == RSA["kid"]


def test_a_file_is_replaced_by_another_of_the_same_size_and_time(
    make_app: MakeApp, tmp_path: Path, look: Callable[[], None]
) -> None:
    """``flask jwt keys`` renames a new file, which has another inode."""
    path = write_set(tmp_path / "keys.json", EC | {"kid": "1"})
    app = make_app(KEYS=path)
    access_token(app)
    twin = write_set(tmp_path / "new.json", EC | {"kid": "2"})
    os.utime(twin, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    twin.replace(path)
    look()
    assert header(access_token(app))["kid"] == "2"


def test_a_missing_file_is_told_when_a_key_is_needed(make_app: MakeApp, tmp_path: Path) -> None:
    """It is found without a restart once it exists."""
    app = make_app(KEYS=tmp_path / "keys.json")
    with pytest.raises(ConfigurationError, match=r"JWT_KEYS cannot be used: .*keys\.json"):
        access_token(app)
    write_set(tmp_path / "keys.json", EC)
    assert status(app, access_token(app)) == 200


def test_a_retiring_key_verifies_until_its_time(make_app: MakeApp, clock: Clock, tmp_path: Path) -> None:
    """Without a change of the file, and without another check of it."""
    path = write_set(tmp_path / "keys.json", RSA, EC | {"state": "retiring", "until": NOW + 100})
    for keys in (path, json.loads(path.read_text())):
        app = make_app(KEYS=keys)
        clock.now = NOW
        assert status(app, made_by(EC)) == 200
        clock.now = NOW + 99
        assert status(app, made_by(EC)) == 200
        clock.now = NOW + 100
        assert status(app, made_by(EC)) == 422
        assert status(app, made_by(RSA)) == 200
        clock.now = NOW
        assert status(app, made_by(EC)) == 422  # time that goes back brings no key back


def write_pem(folder: Path, name: str, key: Any, passphrase: bytes | None = None) -> Path:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path = folder / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    path.chmod(0o600)
    return path


def test_a_folder_of_pem_files_is_refused_with_the_way_out(make_app: MakeApp, tmp_path: Path) -> None:
    """The states of keys belong in a JWK Set, not in the names of files."""
    write_pem(tmp_path, "api.v1.until-2020-01-01.pem", PRIVATE_KEYS["ES256"])
    late = make_app()
    for make in (
        lambda: make_app(KEYS=tmp_path),
        lambda: make_app(KEYS=str(tmp_path)),
        lambda: (late.config.update(JWT_KEYS=tmp_path), access_token(late)),
    ):
        with pytest.raises(ConfigurationError, match=r"JWT_KEYS is a folder.*flask jwt keys import FILE"):
            make()


def test_a_member_that_is_there_twice_makes_the_file_invalid(make_app: MakeApp, tmp_path: Path) -> None:
    """RFC 7517, section 4: parsers differ in which of them they take."""
    path = write_set(tmp_path / "keys.json", EC)
    app = make_app(KEYS=path)
    assert status(app, access_token(app)) == 200
    path.write_text(path.read_text().replace('"kty"', '"alg": "ES256", "kty"'))
    with pytest.raises(ConfigurationError, match="same member twice"):
        make_app(KEYS=path)


# --- keys of loaders ------------------------------------------------------------------------------------------------


def forms_of(name: str) -> dict[str, tuple[Any, Any]]:
    """Return every form of a key that loaders may return, to sign and to verify."""
    jwk, key = JWKS[name], PRIVATE_KEYS[name]
    private, public_pem = pem(key)
    return {
        "PEM text": (private, public_pem),
        "PEM octets": (private.encode(), public_pem.encode()),
        "JWK": (jwk, public(jwk)),
        "PyJWK": (pyjwt.PyJWK(jwk), pyjwt.PyJWK(public(jwk))),
        "objects": (key, key.public_key()),
        "a ring": (KeyRing.from_jwks([jwk]), KeyRing.from_jwks([public(jwk)])),
    }


@pytest.mark.parametrize("form", forms_of("RS256"))
@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
def test_loaders_return_keys_in_any_form(make_app: MakeApp, name: str, form: str) -> None:
    """They are prepared once: reading an RSA key takes longer than a hundred signatures."""
    app = make_app(ALGORITHM=name, SECRET_KEY=None)
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    signs, verifies = forms_of(name)[form]
    manager.encode_key_loader(lambda _identity: signs)
    manager.decode_key_loader(lambda _header, _claims: verifies)
    made = access_token(app)
    assert status(app, made) == 200
    assert header(made).get("kid") == (JWKS[name]["kid"] if form == "a ring" else None)
    head, payload, signature = made.split(".")
    assert status(app, f"{head}.{payload}.{'A' * len(signature)}") == 422


def test_each_tenant_has_a_ring_of_its_own(make_app: MakeApp) -> None:
    """The keys of one tenant never verify the token of another, whatever its claims are."""
    rings = {
        "red": KeyRing.from_jwks([EC, JWKS["ES384"]]),
        "blue": KeyRing.from_jwks([to_jwk("ES256", ec.generate_private_key(ec.SECP256R1())) | {"kid": "b"}]),
    }
    app = make_app(ALGORITHM="ES256", DECODE_ALGORITHMS=["ES256", "ES384"], SECRET_KEY=None)
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    tenant = ["red"]
    manager.encode_key_loader(lambda _identity: rings[tenant[0]])
    manager.decode_key_loader(lambda _header, claims: rings[claims["tenant"]])
    red = access_token(app, additional_claims={"tenant": "red"})
    posing = access_token(app, additional_claims={"tenant": "blue"})
    nobody = access_token(app, additional_claims={"tenant": "green"})
    assert [status(app, each) for each in (red, posing, nobody)] == [200, 422, 422]
    tenant[0] = "blue"
    blue = access_token(app, additional_claims={"tenant": "blue"})
    assert header(blue)["kid"] == "b"
    assert status(app, blue) == 200


# --- what is published ----------------------------------------------------------------------------------------------

PATH = "/.well-known/jwks.json"


def test_the_public_keys_are_served(make_app: MakeApp) -> None:
    """The next keys too, so that verifiers know them in advance, and never a private member."""
    listed = [JWKS[name] | {"kid": name} for name in ASYMMETRIC]
    listed[1] |= {"state": "next"}
    listed[2] |= {"state": "retiring", "until": 4_000_000_000}
    response = make_app(KEYS=listed, JWKS_PATH=PATH).test_client().get(PATH)
    assert response.status_code == 200
    assert response.mimetype == "application/jwk-set+json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    served = json.loads(response.data)["keys"]
    assert [jwk["kid"] for jwk in served] == ASYMMETRIC
    for jwk, name in zip(served, ASYMMETRIC, strict=True):
        assert thumbprint(jwk) == thumbprint(JWKS[name])
        assert not set(jwk) & (PRIVATE_MEMBERS | {"state", "until", "created"})
        assert not {JWKS[name][member] for member in PRIVATE_MEMBERS & set(JWKS[name])} & set(map(str, jwk.values()))


def test_a_verifier_asks_again_cheaply(make_app: MakeApp, tmp_path: Path, look: Callable[[], None]) -> None:
    """304 for a client that has the set; HEAD is allowed, other methods are not."""
    path = write_set(tmp_path / "keys.json", EC)
    client = make_app(KEYS=path, JWKS_PATH=PATH).test_client()
    first = client.get(PATH)
    again = client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.head(PATH).status_code == 200
    assert client.post(PATH).status_code == 405
    write_set(path, EC, RSA | {"state": "next"})
    look()
    changed = client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert [jwk["kid"] for jwk in changed.get_json()["keys"]] == [EC["kid"], RSA["kid"]]


def test_a_retired_key_is_not_published(make_app: MakeApp, clock: Clock) -> None:
    """It is published exactly as long as it verifies."""
    app = make_app(KEYS=[EC, RSA | {"state": "retiring", "until": NOW + 10}], JWKS_PATH=PATH)
    assert len(app.test_client().get(PATH).get_json()["keys"]) == 2
    clock.now += 10
    assert [jwk["kid"] for jwk in app.test_client().get(PATH).get_json()["keys"]] == [EC["kid"]]


def test_a_single_key_pair_is_published_too(make_app: MakeApp) -> None:
    """JWT_PUBLIC_KEY is published in any form, and a secret never."""
    private, public_pem = pem(PRIVATE_KEYS["PS384"])
    app = make_app(ALGORITHM="PS384", PRIVATE_KEY=private, PUBLIC_KEY=public_pem, JWKS_PATH=PATH)
    (jwk,) = app.test_client().get(PATH).get_json()["keys"]
    assert (jwk["alg"], jwk["kid"]) == ("PS384", RSA["kid"])
    assert make_app(JWKS_PATH=PATH).test_client().get(PATH).get_json() == {"keys": []}
    assert make_app(KEYS=[JWKS["HS256"]], JWKS_PATH=PATH).test_client().get(PATH).get_json() == {"keys": []}


def test_a_key_that_is_configured_twice_is_published_once(make_app: MakeApp) -> None:
    """For example after a move to JWT_KEYS. Verifiers refuse a set with two keys of one ``kid``."""
    pair = {"ALGORITHM": "ES256", "PRIVATE_KEY": EC, "PUBLIC_KEY": public(EC)}
    app = make_app(KEYS=[EC, RSA], JWKS_PATH=PATH, **pair)
    document = app.test_client().get(PATH).get_json()
    assert [each["kid"] for each in document["keys"]] == [EC["kid"], RSA["kid"]]
    assert len(read_set(document)) == 2


def test_nothing_is_served_unless_asked_for(make_app: MakeApp) -> None:
    """The application chooses the path."""
    assert make_app(KEYS=[EC]).test_client().get(PATH).status_code == 404
