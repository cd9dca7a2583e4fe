"""The examples of one file, each in use by a client."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import jwt as pyjwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_jwt_extended import create_access_token, create_refresh_token
from flask_jwt_extended._cli import jwt

from ..conftest import SECRET, bearer
from .conftest import HTTPS, Load

ADA = {"username": "ada", "password": "lovelace"}


def log_in(client: FlaskClient, user: dict[str, str] = ADA) -> dict[str, str]:
    """The body of a login's answer."""
    response = client.post("/login", json=user)
    assert response.status_code == 200
    answer: dict[str, str] = response.get_json()
    return answer


def get(client: FlaskClient, path: str, token: str) -> TestResponse:
    """Send a GET request with a token in the header."""
    return client.get(path, headers=bearer(token))


def csrf(client: FlaskClient, kind: str = "access") -> dict[str, str]:
    """The headers of a page: its CSRF value, and where the request comes from."""
    cookie = client.get_cookie(f"__Host-csrf_{kind}_token")
    assert cookie is not None
    return {"X-CSRF-TOKEN": cookie.value, "Sec-Fetch-Site": "same-origin"}


def test_refreshing(load: Load) -> None:
    """The refresh token is exchanged for an access token. Other views refuse it."""
    client = load("refreshing").app.test_client()
    tokens = log_in(client)
    renewed = client.post("/refresh", headers=bearer(tokens["refresh_token"])).get_json()["access_token"]
    assert get(client, "/me", renewed).get_json() == {"me": "ada"}
    assert get(client, "/me", tokens["refresh_token"]).status_code == 422
    assert client.post("/refresh", headers=bearer(tokens["access_token"])).status_code == 422


def test_freshness(load: Load) -> None:
    """A refreshed token may read, and may not delete the account."""
    client = load("freshness").app.test_client()
    tokens = log_in(client)
    renewed = client.post("/refresh", headers=bearer(tokens["refresh_token"])).get_json()["access_token"]
    assert get(client, "/orders", renewed).status_code == 200
    refused = client.delete("/account", headers=bearer(renewed))
    assert (refused.status_code, refused.get_json()["msg"]) == (401, "Fresh token required")
    assert client.delete("/account", headers=bearer(tokens["access_token"])).get_json() == {"deleted": "ada"}


def test_cookies(load: Load) -> None:
    """A change without the CSRF value is refused, and after the logout every request."""
    client = load("cookies").app.test_client()
    assert client.post("/login", json=ADA, base_url=HTTPS).get_json() == {"login": True}
    refused = client.post("/notes", json={"note": "forged"}, base_url=HTTPS)
    assert refused.status_code == 400
    kept = client.post("/notes", json={"note": "mine"}, headers=csrf(client), base_url=HTTPS)
    assert (kept.status_code, kept.get_json()) == (201, {"notes": ["mine"]})
    assert client.get("/notes", base_url=HTTPS).get_json() == {"notes": ["mine"], "reader": "ada"}
    client.post("/logout", base_url=HTTPS)
    assert client.get("/notes", base_url=HTTPS).status_code == 401


def test_locations(load: Load) -> None:
    """A header, a cookie, a body, and in one view the query string."""
    app = load("locations").app
    client, browser = app.test_client(use_cookies=False), app.test_client()
    token = log_in(client)["access_token"]
    browser.post("/login", json=ADA, base_url=HTTPS)
    answers = [
        get(client, "/me", token),
        browser.get("/me", base_url=HTTPS),
        client.post("/me", json={"access_token": token}),
    ]
    assert [answer.get_json()["found in"] for answer in answers] == ["headers", "cookies", "json"]
    assert client.get(f"/me?jwt={token}").status_code == 401
    report = client.get(f"/report.csv?jwt={token}")
    assert report.get_data(as_text=True) == "owner\nada\n"
    assert report.headers["Cache-Control"] == "no-store"


def test_blocklist(load: Load) -> None:
    """A revoked token stays revoked, also in another process. Other tokens of the same user are accepted."""
    client = load("blocklist").app.test_client()
    first, second = log_in(client)["access_token"], log_in(client)["access_token"]
    assert client.delete("/logout", headers=bearer(first)).get_json() == {"revoked": "access"}
    for process in (client, load("blocklist").app.test_client()):
        assert get(process, "/me", first).get_json() == {"msg": "Token has been revoked"}
        assert get(process, "/me", second).status_code == 200


def test_users(load: Load) -> None:
    """Passwords are checked, ``current_user`` is set, and the token of a deleted user is refused."""
    users = load("users")
    client = users.app.test_client()
    assert client.post("/login", json={**ADA, "password": "hopper"}).status_code == 401
    assert client.post("/login", json={"username": "", "password": "nobody"}).status_code == 401
    token = log_in(client)["access_token"]
    assert get(client, "/me", token).get_json() == {"number": 1, "name": "ada"}
    assert client.get("/greeting").get_json() == {"hello": "stranger"}
    assert get(client, "/greeting", token).get_json() == {"hello": "ada"}
    del users.USERS[1]
    assert get(client, "/me", token).status_code == 401


def test_decorators(load: Load) -> None:
    """The decorator requires a token, then the plan. ``flask jwt routes`` lists the view as protected."""
    app = load("decorators").app
    client = app.test_client()
    ada, eve = (log_in(client, {"username": name})["access_token"] for name in ("ada", "eve"))
    assert [get(client, "/archive", token).status_code for token in (ada, eve)] == [200, 403]
    assert client.get("/archive").status_code == 401
    done = app.test_cli_runner().invoke(jwt, ["routes"])
    (line,) = [line for line in done.output.splitlines() if "/archive" in line]
    assert "decorator  access token" in line


def test_async_views(load: Load) -> None:
    """Views and loaders may be coroutine functions."""
    client = load("async_views").app.test_client()
    token = log_in(client)["access_token"]
    assert get(client, "/me", token).get_json() == {"me": "ada", "greeting": "hello ada"}
    assert client.get("/me").status_code == 401


def test_roles_elsewhere(load: Load) -> None:
    """Roles from another claim, and the answer of the error handler."""
    client = load("roles_elsewhere").app.test_client()
    ada, eve = (log_in(client, {"username": name})["access_token"] for name in ("ada", "eve"))
    assert get(client, "/orders", ada).status_code == 200
    refused = get(client, "/orders", eve)
    assert (refused.status_code, refused.get_json()) == (403, {"sorry": "eve may not do that"})


def test_moving_from_pyjwt(load: Load) -> None:
    """Old and new tokens are accepted; those from before a logout, or with another signature, are refused."""
    example = load("moving_from_pyjwt")
    client: FlaskClient = example.app.test_client()
    by_hand = pyjwt.encode({"user_id": "ada", "exp": int(time.time()) + 60}, SECRET, "HS256")
    forged = pyjwt.encode({"user_id": "ada", "exp": int(time.time()) + 60}, "x" * 64, "HS256")
    new = log_in(client)["token"]

    def me(token: str) -> TestResponse:
        return client.get("/me", headers={"Authorization": f"Token {token}"})

    assert [me(token).status_code for token in (by_hand, new, forged)] == [200, 200, 401]
    assert me(by_hand).get_json() == me(new).get_json() == {"me": "ada"}
    example.LAST_LOGOUT["ada"] = datetime.now(timezone.utc) + timedelta(minutes=2)
    assert [me(token).status_code for token in (by_hand, new)] == [403, 403]


def test_moving_from_flask_login(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views accept Flask-Login's session or a token. The API accepts only tokens."""
    monkeypatch.setenv("FLASK_SECRET_KEY", SECRET[::-1])
    app: Flask = load("moving_from_flask_login").app
    browser, program = app.test_client(), app.test_client()
    assert browser.post("/login", data={"username": "ada"}).status_code == 200
    token = browser.post("/token").get_json()["access_token"]
    assert browser.get("/me").get_json() == get(program, "/me", token).get_json() == {"me": "ada"}
    assert get(program, "/api/orders", token).get_json() == {"orders of": "ada"}
    assert browser.get("/api/orders").status_code == program.get("/me").status_code == 401
    assert program.post("/token").status_code == 401


def test_moving_to_strict(load: Load) -> None:
    """A token that strict would refuse is accepted and counted. A refresh token is still refused."""
    app: Flask = load("moving_to_strict").app
    client = app.test_client()
    with app.app_context():
        good, endless = create_access_token("ada"), create_access_token("ada", expires_delta=False)
        other = create_refresh_token("ada")
    assert [get(client, "/me", token).status_code for token in (good, endless, other)] == [200, 200, 401]
    assert client.get("/reported").get_json() == {"missing_claim": 1}


def test_oauth_tokens(load: Load) -> None:
    """They have the header and the claims of RFC 9068, and are accepted."""
    client = load("oauth_tokens").app.test_client()
    token = log_in(client)["access_token"]
    claims: dict[str, Any] = pyjwt.decode(token, options={"verify_signature": False})
    assert pyjwt.get_unverified_header(token)["typ"] == "at+jwt"
    assert {claims[name] for name in ("iss", "aud", "client_id")} == {"https://login.example.com", "orders-api", "shop"}
    assert get(client, "/me", token).get_json() == {"me": "ada"}
