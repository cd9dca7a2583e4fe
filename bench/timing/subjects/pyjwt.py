"""PyJWT by hand: keys loaded once, algorithms named, claims required."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from . import Kit, by_hand

if TYPE_CHECKING:
    from typing import Any

    from ..cases import Location
    from ..keys import KeyPair


def kit(algorithm: str, location: Location, pair: KeyPair) -> Kit:
    """Build the hand-written application over ``jwt.encode`` and ``jwt.decode``."""
    private, public = _load(algorithm, pair)

    def encode(claims: dict[str, Any]) -> str:
        return jwt.encode(claims, private, algorithm=algorithm)

    def decode(token: str) -> dict[str, Any]:
        return jwt.decode(token, public, algorithms=[algorithm], options={"require": ["exp", "sub"]})

    return by_hand.kit(location, encode, decode, (jwt.InvalidTokenError,))


def _load(algorithm: str, pair: KeyPair) -> tuple[Any, Any]:
    if algorithm == "HS256":
        return pair.private, pair.public
    return (
        load_pem_private_key(pair.private.encode(), password=None),
        load_pem_public_key(pair.public.encode()),
    )
