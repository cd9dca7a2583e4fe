"""Tokens for the tests: built by hand, octet by octet if need be, made by an application, and read.

A token built here has a good signature unless the test gives another key, so a refusal is for what the token holds.
"""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask
from jwt.exceptions import InvalidTokenError

from flask_jwt_extended import create_access_token
from flask_jwt_extended.exceptions import JWTExtendedException

from .conftest import SECRET

HEADER = b'{"alg":"HS256","typ":"JWT"}'
PAYLOAD = b'{"sub":"me"}'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#: The CSRF value in the claims of a token.
CSRF = "the double submit value"


def segment(octets: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def octets_of(part: Any) -> bytes:
    """The bytes themselves, or the JSON of anything else."""
    return part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of an access token that both profiles accept, with changes; ``...`` leaves a claim out."""
    now = int(time.time())
    usual = {
        **{"sub": "ann", "type": "access", "fresh": False, "jti": "one", "csrf": CSRF},
        **{"iat": now - 5, "nbf": now - 5, "exp": now + 600},
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not ...}


# --- built by hand ---------------------------------------------------------------------------------------------------


def sealed(head: str, payload: str, secret: str | bytes = SECRET, digest: str = "sha256") -> str:
    """Sign two segments as they are with HMAC, canonical or not."""
    key = secret.encode() if isinstance(secret, str) else secret
    return f"{head}.{payload}.{segment(hmac.digest(key, f'{head}.{payload}'.encode(), digest))}"


def raw_token(header: bytes = HEADER, payload: bytes = PAYLOAD, secret: str = SECRET) -> str:
    """Sign a header and a payload as they are with HMAC-SHA256, JSON or not."""
    return sealed(segment(header), segment(payload), secret)


def genuine(payload: Any = None, header: Any = None, secret: str | bytes = SECRET, digest: str = "sha256") -> str:
    """A token with a good HMAC. Payload and header are objects or bytes; by default the usual claims and header."""
    head = HEADER if header is None else octets_of(header)
    body = octets_of(claims() if payload is None else payload)
    return sealed(segment(head), segment(body), secret, digest)


def signed_by(sign: Callable[[bytes], bytes], payload: Any, header: Any) -> str:
    """A token of this payload and header, objects or bytes, with the signature that ``sign`` makes."""
    signing_input = f"{segment(octets_of(header))}.{segment(octets_of(payload))}"
    return f"{signing_input}.{segment(sign(signing_input.encode()))}"


def asymmetric(key: Any, algorithm: str, payload: Any = None, header: Any = None) -> str:
    """A token signed with a private key. The header may name another algorithm."""
    implementation = jwt.get_algorithm_by_name(algorithm)
    header = {"alg": algorithm, "typ": "JWT"} if header is None else header
    return signed_by(lambda octets: implementation.sign(octets, key), claims() if payload is None else payload, header)


# --- made by an application, and read -------------------------------------------------------------------------------


def access_token(app: Flask, identity: Any = "ada", **arguments: Any) -> str:
    """An access token that an application made."""
    with app.app_context():
        return create_access_token(identity, **arguments)


def claims_of(token: str) -> dict[str, Any]:
    """The claims in a token, read by PyJWT without verification."""
    return jwt.decode(token, options={"verify_signature": False})


def refusal(call: Callable[..., object], *arguments: object) -> tuple[type[Exception], str]:
    """The class and the message of the refusal that a call must end in."""
    with pytest.raises((InvalidTokenError, JWTExtendedException)) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value)
