"""The padded token of an AWS load balancer: refused by views, and exchanged for an access token."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm

from ..conftest import PRIVATE_KEYS, bearer, pem
from .conftest import Load

KID = "7b9f6f9e-2a4c-4d5e-8f60-718293a4b5c6"


def padded(claims: dict[str, Any], **header: Any) -> str:
    """A token with padding, and a signature over it."""
    parts = [{"alg": "ES256", "typ": "JWT", "kid": KID, **header}, claims]
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    signature = ECAlgorithm(ECAlgorithm.SHA256).sign(signed.encode(), PRIVATE_KEYS["ES256"])
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode()}"


@pytest.fixture
def example(load: Load, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example, with our key in place of the one of AWS."""
    module = load("load_balancer")
    keys = {KID: pem(PRIVATE_KEYS["ES256"])[1]}
    monkeypatch.setitem(module.verified.__globals__, "public_key", keys.__getitem__)
    return module


def exchanged(client: FlaskClient, token: str) -> Any:
    return client.post("/session", headers={"X-Amzn-Oidc-Data": token})


def good(example: Any, **changes: Any) -> str:
    header = {"signer": example.app.config["LOAD_BALANCER"], **changes.pop("header", {})}
    return padded({"sub": "ada", "exp": int(time.time()) + 60, **changes}, **header)


def test_a_padded_token_is_exchanged(example: Any) -> None:
    """For an access token of the application."""
    client = example.app.test_client()
    token = good(example)
    assert "=" in token
    access = exchanged(client, token).get_json()["access_token"]
    assert client.get("/me", headers=bearer(access)).get_json() == {"me": "ada"}


@pytest.mark.parametrize(
    "changes",
    [
        {"header": {"signer": "arn:aws:elasticloadbalancing:eu-central-1:666:loadbalancer/app/evil/1"}},
        {"header": {"signer": None}},
        {"header": {"kid": "../other"}},
        {"header": {"alg": "none"}},
        {"header": {"alg": "HS256"}},
        {"exp": time.time() - 60},
        {"exp": None},
        {"sub": 5},
    ],
)
def test_every_other_token_is_refused(example: Any, changes: dict[str, Any]) -> None:
    """Of another load balancer, with another key or algorithm, expired, forged, or missing."""
    client = example.app.test_client()
    assert exchanged(client, good(example, **changes)).status_code == 401
    head, payload, _ = good(example).split(".")
    assert exchanged(client, f"{head}.{payload}.AAAA").status_code == 401
    assert client.post("/session").status_code == 401


def test_a_padded_token_is_refused_with_a_message_that_names_the_padding(example: Any) -> None:
    """In a view that requires an access token."""
    response = example.app.test_client().get("/me", headers=bearer(good(example)))
    assert response.status_code == 422
    assert "padding" in response.get_json()["msg"]
    assert "'='" in response.get_json()["msg"]
