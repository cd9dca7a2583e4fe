"""The floor: what no implementation can do without.

HS256 is HMAC, base64 and JSON; the others are one call of ``cryptography`` with a loaded key.
Its protected view reads no token, it only pays for one. That is worth a row: after a request has
gone through Flask the same call takes longer than in a loop of its own, whose code stays in the
processor's caches.
"""

from __future__ import annotations

import functools
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from flask import Flask

from . import IDENTITY, Kit, hello

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..cases import Location
    from ..keys import KeyPair

    Call = Callable[[], object]


def kit(algorithm: str, _location: Location, pair: KeyPair) -> Kit:
    """Return the bare signature and the bare verification over a token of usual length."""
    make = _symmetric if algorithm == "HS256" else _asymmetric
    issue, decode = make(pair.private.encode())
    app = Flask("bench")

    def protected() -> str:
        decode()
        return "ok"

    app.add_url_rule("/open", "open", hello)
    app.add_url_rule("/protected", "protected", protected)
    return Kit(app, "unread", issue, decode, guards=False)


def _symmetric(secret: bytes) -> tuple[Call, Call]:
    claims = _claims()
    header = _segment({"alg": "HS256", "typ": "JWT"})
    token = _sign(secret, header, claims)
    sign = functools.partial(_sign, secret, header, claims)
    return sign, functools.partial(_verify, secret, token)


def _asymmetric(pem: bytes) -> tuple[Call, Call]:
    key = load_pem_private_key(pem, password=None)
    message = _segment({"alg": "RS256", "typ": "JWT"}) + b"." + _segment(_claims())
    arguments: tuple[Any, ...]
    match key:
        case rsa.RSAPrivateKey():
            arguments = (padding.PKCS1v15(), SHA256())
        case ec.EllipticCurvePrivateKey():
            arguments = (ec.ECDSA(SHA256()),)
        case ed25519.Ed25519PrivateKey():
            arguments = ()
        case _:
            raise TypeError(f"no bare signature with {type(key).__name__}")
    sign = functools.partial(key.sign, message, *arguments)
    return sign, functools.partial(key.public_key().verify, sign(), message, *arguments)


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "fresh": False,
        "iat": now,
        "jti": "0c0fa9c4-6e0e-4d6b-8a46-0f5e8a3a2f0b",
        "type": "access",
        "sub": IDENTITY,
        "nbf": now,
        "csrf": "7b1a5f0e-6f0c-4f43-9d3c-5e2b7d0f4c11",
        "exp": now + 900,
    }


def _segment(value: dict[str, Any]) -> bytes:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=")


def _sign(secret: bytes, header: bytes, claims: dict[str, Any]) -> str:
    signed = header + b"." + _segment(claims)
    signature = urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + signature).decode()


def _verify(secret: bytes, token: str) -> dict[str, Any]:
    signed, _, signature = token.encode().rpartition(b".")
    expected = hmac.digest(secret, signed, "sha256")
    if not hmac.compare_digest(expected, urlsafe_b64decode(signature + b"==")):
        raise ValueError("bad signature")
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(signed.partition(b".")[2] + b"=="))
    if claims["exp"] <= time.time():
        raise ValueError("expired")
    return claims
