"""The examples about keys: a new secret, key rotation, tenants, external issuers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask

from flask_jwt_extended import create_access_token
from flask_jwt_extended._cli import jwt

from .._keys.helpers import without
from .._keys.lying_server import LyingServer, serves
from ..conftest import SECRET, bearer
from .conftest import Load
from .servers import served
from .test_classic import get, log_in

OLD = SECRET.replace(" ", "-")


def keys(app: Flask, *arguments: str) -> str:
    """Run ``flask jwt keys ...``."""
    done = app.test_cli_runner().invoke(jwt, ["keys", *arguments])
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_new_secret(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new secret signs. Tokens of the old one are accepted, those of a third are refused."""
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", OLD)
    old = log_in(load("new_secret").app.test_client())["access_token"]
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", SECRET[::-1])
    foreign = log_in(load("new_secret").app.test_client())["access_token"]
    monkeypatch.setenv("FLASK_JWT_SECRET_KEY", "n" * 10 + SECRET)
    monkeypatch.setenv("OLD_SECRETS", OLD)
    client = load("new_secret").app.test_client()
    new = log_in(client)["access_token"]
    assert [get(client, "/me", token).status_code for token in (old, new, foreign)] == [200, 200, 422]
    assert pyjwt.decode(new, "n" * 10 + SECRET, ["HS256"])["sub"] == "ada"


def test_rotating_keys(load: Load) -> None:
    """After a rotation, old tokens are accepted, the new key signs, and both keys are published."""
    app = load("rotating_keys").app
    first, second = keys(app, "generate"), keys(app, "generate")
    client = app.test_client()
    old = log_in(client)["access_token"]
    assert get(client, "/me", old).get_json() == {"me": "ada", "signed by": first}
    keys(app, "rotate", "--now")
    fresh = load("rotating_keys").app.test_client()  # another worker; the first notices within two seconds
    new = log_in(fresh)["access_token"]
    assert [get(fresh, "/me", token).get_json()["signed by"] for token in (old, new)] == [first, second]
    published = fresh.get("/.well-known/jwks.json").get_json()["keys"]
    assert {key["kid"] for key in published} == {first, second}
    assert all("d" not in key for key in published)


def test_secret_to_keys(load: Load) -> None:
    """Tokens of the secret and of the new key are accepted."""
    old = log_in(load("hello").app.test_client())["access_token"]
    app = load("secret_to_keys").app
    keys(app, "generate")
    client = app.test_client()
    new = log_in(client)["access_token"]
    assert [get(client, "/me", token).get_json()["algorithm"] for token in (old, new)] == ["HS256", "ES256"]


@pytest.fixture
def tenants(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example with the keys of two tenants."""
    monkeypatch.setenv("TENANTS", str(tmp_path))
    for name in ("red", "blue"):
        monkeypatch.setenv("FLASK_JWT_KEYS", str(tmp_path / f"{name}.json"))
        keys(load("rotating_keys").app, "generate")
    monkeypatch.delenv("FLASK_JWT_KEYS")
    return load("tenants")


def test_tenants(tenants: Any) -> None:
    """Tokens of each tenant are accepted. One of red that claims blue is refused, and one of an unknown tenant."""
    client = tenants.app.test_client()
    red, blue = (log_in(client, {"username": f"ada@{name}"})["access_token"] for name in ("red", "blue"))
    assert get(client, "/me", red).get_json() == {"me": "ada@red", "tenant": "red"}
    assert get(client, "/me", blue).get_json() == {"me": "ada@blue", "tenant": "blue"}
    with tenants.app.app_context():
        posing, nobody = (
            create_access_token("eve@red", additional_claims={"tenant": name}) for name in ("blue", "green")
        )
    assert [get(client, "/me", token).status_code for token in (posing, nobody)] == [422, 422]


@pytest.fixture
def login(load: Load, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An OpenID Connect issuer: the application that signs its tokens, served beside its metadata."""
    app: Flask = load("rotating_keys").app
    keys(app, "generate")
    with served(app) as port, LyingServer() as discovery:
        issuer = discovery.url("")
        metadata = {"issuer": issuer, "jwks_uri": f"http://127.0.0.1:{port}/.well-known/jwks.json"}
        discovery.answers["/.well-known/openid-configuration"] = serves(metadata)
        app.config.update(JWT_ENCODE_ISSUER=issuer, JWT_ENCODE_AUDIENCE="orders-api")
        monkeypatch.setenv("ISSUER", issuer)
        monkeypatch.setenv("AUDIENCE", "orders-api")
        yield app


def test_own_and_foreign_users(load: Load, login: Flask) -> None:
    """Users with equal names are different. A token of the issuer has no session until it is exchanged for one."""
    client = load("own_and_foreign_users").app.test_client()
    said = {"jti": "equal", "scope": "orders:read all", "roles": ["clerk"], "realm_access": {"roles": ["root"]}}
    with login.app_context():
        known = create_access_token("0b9c3f3e", additional_claims=said)
        stranger = create_access_token("ada", additional_claims=said | {"realm_access": {"roles": ["clerk"]}})
    own = client.post("/login", json={"username": "ada"}).get_json()["access_token"]
    assert [len(get(client, "/sessions", token).get_json()["sessions"]) for token in (own, stranger)] == [1, 0]
    assert [get(client, "/orders", token).status_code for token in (known, stranger)] == [403, 200]
    assert client.post("/exchange", headers=bearer(stranger)).status_code == 403
    exchanged = client.post("/exchange", headers=bearer(known)).get_json()["access_token"]
    assert len(get(client, "/sessions", exchanged).get_json()["sessions"]) == 2
    assert client.post("/block", headers=bearer(known)).status_code == 200
    assert [get(client, "/sessions", token).status_code for token in (known, own)] == [401, 200]


def test_resource_server(load: Load, login: Flask) -> None:
    """Tokens of the issuer are accepted within its settings. An ID token and a forged one are refused."""
    client = load("resource_server").app.test_client()
    with login.app_context():
        reader = create_access_token("ada")
        writer = create_access_token("ada", additional_claims={"scope": "orders:read orders:write"})
        login.config["JWT_ENCODE_AUDIENCE"] = "the-web-client"
        id_token = create_access_token("ada")
    assert get(client, "/me", reader).get_json() == {"me": "ada", "logged in at": login.config["JWT_ENCODE_ISSUER"]}
    assert client.post("/orders", headers=bearer(writer)).status_code == 201
    assert client.post("/orders", headers=bearer(reader)).status_code == 403
    forged = pyjwt.encode(without(pyjwt.decode(writer, options={"verify_signature": False})), SECRET, "HS256")
    assert [get(client, "/me", token).status_code for token in (id_token, forged)] == [401, 401]
