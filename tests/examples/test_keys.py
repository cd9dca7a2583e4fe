"""The examples about keys: a secret that is replaced, a file that rotates, tenants, somebody else's issuer."""

from __future__ import annotations

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
    """Type ``flask jwt keys ...``."""
    done = app.test_cli_runner().invoke(jwt, ["keys", *arguments])
    assert done.exit_code == 0, done.output
    return done.output.strip()


def test_new_secret(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of the old secret pass, the new one signs, and a third one counts for nothing."""
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
    """A rotation while the application runs: old tokens pass, new ones are of the new key, both are published."""
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
    """A token of the secret passes beside those of the new key."""
    old = log_in(load("hello").app.test_client())["access_token"]
    app = load("secret_to_keys").app
    keys(app, "generate")
    client = app.test_client()
    new = log_in(client)["access_token"]
    assert [get(client, "/me", token).get_json()["algorithm"] for token in (old, new)] == ["HS256", "ES256"]


@pytest.fixture
def tenants(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application, with the keys of two tenants."""
    monkeypatch.setenv("TENANTS", str(tmp_path))
    for name in ("red", "blue"):
        monkeypatch.setenv("FLASK_JWT_KEYS", str(tmp_path / f"{name}.json"))
        keys(load("rotating_keys").app, "generate")
    monkeypatch.delenv("FLASK_JWT_KEYS")
    return load("tenants")


def test_tenants(tenants: Any) -> None:
    """Each one's tokens pass; a token of red that says it is of blue does not, nor one of a tenant there is not."""
    client = tenants.app.test_client()
    red, blue = (log_in(client, {"username": f"ada@{name}"})["access_token"] for name in ("red", "blue"))
    assert get(client, "/me", red).get_json() == {"me": "ada@red", "tenant": "red"}
    assert get(client, "/me", blue).get_json() == {"me": "ada@blue", "tenant": "blue"}
    with tenants.app.app_context():
        posing, nobody = (
            create_access_token("eve@red", additional_claims={"tenant": name}) for name in ("blue", "green")
        )
    assert [get(client, "/me", token).status_code for token in (posing, nobody)] == [422, 422]


def test_own_and_foreign_users(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal names are different users: a token of the issuer has no session here until it is exchanged for one."""
    login = load("rotating_keys").app
    keys(login, "generate")
    with served(login) as port, LyingServer() as discovery:
        issuer = discovery.url("")
        metadata = {"issuer": issuer, "jwks_uri": f"http://127.0.0.1:{port}/.well-known/jwks.json"}
        discovery.answers["/.well-known/openid-configuration"] = serves(metadata)
        login.config.update(JWT_ENCODE_ISSUER=issuer, JWT_ENCODE_AUDIENCE="orders-api")
        monkeypatch.setenv("ISSUER", issuer)
        monkeypatch.setenv("AUDIENCE", "orders-api")
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


def test_resource_server(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of the issuer pass, on its terms; an ID token and a forged one do not, and none are made here."""
    login = load("rotating_keys").app
    keys(login, "generate")
    with served(login) as port, LyingServer() as discovery:
        issuer = discovery.url("")
        metadata = {"issuer": issuer, "jwks_uri": f"http://127.0.0.1:{port}/.well-known/jwks.json"}
        discovery.answers["/.well-known/openid-configuration"] = serves(metadata)
        login.config.update(JWT_ENCODE_ISSUER=issuer, JWT_ENCODE_AUDIENCE="orders-api")
        monkeypatch.setenv("ISSUER", issuer)
        monkeypatch.setenv("AUDIENCE", "orders-api")
        client = load("resource_server").app.test_client()
        with login.app_context():
            reader = create_access_token("ada")
            writer = create_access_token("ada", additional_claims={"scope": "orders:read orders:write"})
            login.config["JWT_ENCODE_AUDIENCE"] = "the-web-client"
            id_token = create_access_token("ada")
        assert get(client, "/me", reader).get_json() == {"me": "ada", "logged in at": issuer}
        assert client.post("/orders", headers=bearer(writer)).status_code == 201
        assert client.post("/orders", headers=bearer(reader)).status_code == 403
        forged = pyjwt.encode(without(pyjwt.decode(writer, options={"verify_signature": False})), SECRET, "HS256")
        assert [get(client, "/me", token).status_code for token in (id_token, forged)] == [401, 401]
