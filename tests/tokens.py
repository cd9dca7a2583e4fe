"""Tests of the domain. What they share is here: tokens spelled octet by octet, and errors as comparable values."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from jwt.exceptions import InvalidTokenError

from flask_jwt_extended.exceptions import JWTExtendedException

from .conftest import SECRET

HEADER = b'{"alg":"HS256","typ":"JWT"}'
PAYLOAD = b'{"sub":"me"}'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def segment(octets: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(octets).decode().rstrip("=")


def sealed(head: str, payload: str, secret: str = SECRET) -> str:
    """Sign two segments as they are with HMAC-SHA256, canonical or not."""
    signature = hmac.digest(secret.encode(), f"{head}.{payload}".encode(), "sha256")
    return f"{head}.{payload}.{segment(signature)}"


def raw_token(header: bytes = HEADER, payload: bytes = PAYLOAD, secret: str = SECRET) -> str:
    """Sign a header and a payload as they are with HMAC-SHA256, JSON or not."""
    return sealed(segment(header), segment(payload), secret)


def refusal(call: Callable[..., object], *arguments: object) -> tuple[type[Exception], str]:
    """The class and the message of the refusal that a call must end in."""
    with pytest.raises((InvalidTokenError, JWTExtendedException)) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value)
