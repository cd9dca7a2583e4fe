"""joserfc by hand: keys imported once, one registry for headers and one for claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from . import Kit, by_hand

if TYPE_CHECKING:
    from typing import Any

    from ..cases import Location
    from ..keys import KeyPair

KEY_TYPES: dict[str, Any] = {"HS256": "oct", "RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}


def kit(algorithm: str, location: Location, pair: KeyPair) -> Kit:
    """Build the hand-written application over ``jwt.encode`` and ``jwt.decode``."""
    private = jwk.import_key(pair.private, KEY_TYPES[algorithm])
    public = jwk.import_key(pair.public, KEY_TYPES[algorithm])
    # joserfc warns at each use of the name that RFC 9864 deprecates, and offers the new one.
    name = "Ed25519" if algorithm == "EdDSA" else algorithm
    header = {"alg": name}
    registry = JWSRegistry(algorithms=[name])
    required = jwt.JWTClaimsRegistry(exp={"essential": True}, sub={"essential": True})

    def encode(claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, private, registry=registry)

    def decode(encoded: str) -> dict[str, Any]:
        claims = jwt.decode(encoded, public, registry=registry).claims
        required.validate(claims)
        return claims

    # Text that is no token at all leaves joserfc as a ValueError.
    return by_hand.kit(location, encode, decode, (JoseError, ValueError))
