"""JWK Sets: from JSON to keys, and from keys to the JSON that may be published (RFC 7517, RFC 7638).

Owns what a set may look like and what a key in it is for. Knows no file, no network and no clock. What is wrong with a
set is said without its members: some of them are secrets.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import InvalidKeyError

from .keys import Key, KeyRing, prepare

logger = logging.getLogger("flask_jwt_extended")

#: Members that make a JWK the same key again, in the order that RFC 7638, section 3.2 sorts them in, by ``kty``.
_REQUIRED = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "oct": ("k", "kty"),
}
_CURVES = {
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "secp256k1": "ES256K",
    "Ed25519": "EdDSA",
    "Ed448": "EdDSA",
}
_CURVES_OF_CRYPTOGRAPHY = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
#: Members of a JWK that nobody but its owner may see (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class State(str, Enum):
    """Where a key stands in its life."""

    #: Published, so that verifiers know it when it begins to sign.
    NEXT = "next"
    #: Signs, if it is the first of its set that does.
    ACTIVE = "active"
    #: Signs no more, and verifies what it has signed until a date.
    RETIRING = "retiring"


class WeakKeyError(InvalidKeyError):
    """A key that is well-formed, and shorter than its algorithm requires."""


class SetKey(NamedTuple):
    """A key in a set.

    :ivar kid: names it in the header of tokens
    :ivar key: bound to its algorithm
    :ivar state: where it stands in its life
    :ivar until: when it stops to verify, seconds since the epoch; infinite: never
    :ivar jwk: its members, private ones too
    """

    kid: str
    key: Key
    jwk: Mapping[str, Any]
    state: State = State.ACTIVE
    until: float = math.inf

    def __repr__(self) -> str:
        return f"<SetKey {self.kid}, {self.state.value}>"

    @property
    def public(self) -> dict[str, Any] | None:
        """The members to publish; ``None`` for a secret."""
        if self.jwk["kty"] == "oct":
            return None
        members = {name: self.jwk[name] for name in _REQUIRED[self.jwk["kty"]]}
        return {**members, "kid": self.kid, "alg": self.key.algorithm, "use": "sig"}


def read_set(document: Any, algorithms: Sequence[str] | None = None) -> list[SetKey]:
    """Read the keys for signatures from a JWK Set. Keys of an unknown kind are passed over with a warning, keys for
    something else silently.

    :param document: the set, or a list of JWKs, as parsed JSON
    :param algorithms: what a key without ``alg`` may be used for, where it fits; ``None``: what is usual for its kind
    :raises InvalidKeyError: if it is no set, a key of it is broken, two have one ``kid``, or it mixes secrets with
        public keys
    """
    listed = document.get("keys") if isinstance(document, Mapping) else document
    if not isinstance(listed, Sequence) or isinstance(listed, (str, bytes)):
        raise InvalidKeyError('This is no JWK Set: it has no list of "keys"')
    members = [jwk for jwk in listed if _is_for_signatures(jwk)]
    kinds = {jwk["kty"] == "oct" for jwk in members}
    if len(kinds) > 1:
        raise InvalidKeyError("A JWK Set must not mix secrets with public keys")
    if len({kid_of(jwk) for jwk in members}) != len(members):
        raise InvalidKeyError("Two keys of a JWK Set have the same kid")
    return [key for jwk in members for key in read_jwk(jwk, algorithms)]


def read_jwk(jwk: Mapping[str, Any], algorithms: Sequence[str] | None = None) -> list[SetKey]:
    """Read one JWK: one key for each algorithm it is bound to.

    :raises InvalidKeyError: if it is broken
    """
    kid = kid_of(jwk)
    state, until = _life(jwk)
    bare = {name: value for name, value in jwk.items() if name not in ("alg", "state", "until")}
    keys = [prepare(algorithm, bare) for algorithm in _algorithms_of(jwk, algorithms)]
    for key in keys:
        if key.weaknesses:
            raise WeakKeyError(f"A key of a JWK Set is too weak. {key.weaknesses[0]}")
    return [SetKey(kid=kid, key=key, state=state, until=until, jwk=dict(jwk)) for key in keys]


def kid_of(jwk: Mapping[str, Any]) -> str:
    """Return the name of a key: its ``kid``, or its thumbprint if it has none.

    :raises InvalidKeyError: if that is no string, or a member is missing that makes it a key
    """
    kid = jwk.get("kid")
    if kid is not None and type(kid) is not str:
        raise InvalidKeyError("The kid of a JWK must be a string")
    return thumbprint(jwk) if kid is None else str(kid)


def _is_for_signatures(jwk: Any) -> bool:
    if not isinstance(jwk, Mapping) or type(jwk.get("kty")) is not str:
        raise InvalidKeyError("A member of a JWK Set is no JWK: it has no kty")
    if jwk["kty"] not in _REQUIRED:
        logger.warning("A key of the unknown kind %r in a JWK Set is passed over", jwk["kty"][:32])
        return False
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list):
        raise InvalidKeyError("The key_ops of a JWK must be a list")
    return jwk.get("use", "sig") == "sig" and not {"sign", "verify"}.isdisjoint(map(str, operations))


def _algorithms_of(jwk: Mapping[str, Any], algorithms: Sequence[str] | None) -> list[str]:
    if "alg" in jwk:
        known = get_default_algorithms() if algorithms is None else algorithms
        bound = jwk["alg"]
        return [bound] if isinstance(bound, str) and bound in known and bound != "none" else []
    usual = _usual_algorithm(jwk)
    if algorithms is None:
        return [usual] if usual else []
    return [each for each in algorithms if _fits(each, jwk, usual)]


def _usual_algorithm(jwk: Mapping[str, Any]) -> str | None:
    if jwk["kty"] in ("EC", "OKP"):
        return _CURVES.get(str(jwk.get("crv")))
    return "RS256" if jwk["kty"] == "RSA" else "HS256"


def _fits(algorithm: str, jwk: Mapping[str, Any], usual: str | None) -> bool:
    if jwk["kty"] in ("RSA", "oct"):
        return algorithm[:2] in (("RS", "PS") if jwk["kty"] == "RSA" else ("HS",))
    return algorithm == usual


def _life(jwk: Mapping[str, Any]) -> tuple[State, float]:
    try:
        state = State(jwk.get("state", State.ACTIVE))
        until = jwk.get("until")
        return state, math.inf if until is None else seconds_of(until)
    except (ValueError, TypeError, OverflowError):
        raise InvalidKeyError(
            "A key's state must be next, active or retiring, and until a time in ISO 8601 or seconds since the epoch"
        ) from None


def seconds_of(until: Any) -> float:
    """Return a time in seconds since the epoch that may be given in ISO 8601.

    :raises ValueError: if it is none
    """
    if isinstance(until, (int, float)) and math.isfinite(until):
        return float(until)
    if not isinstance(until, str):
        raise ValueError("This is no time")  # noqa: TRY004  # nor is a NaN, which has the right type
    moment = datetime.fromisoformat(until.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def ring_of(keys: Iterable[SetKey], beside: Iterable[Key] = ()) -> KeyRing:
    """Return the ring of a set: all its keys verify, the first active one signs.

    :param beside: keys without a name that verify as well
    """
    keys = tuple(keys)
    signer = next(((each.kid, each.key) for each in keys if each.state is State.ACTIVE), None)
    return KeyRing(beside, ((each.kid, each.key) for each in keys), signer)


def key_ring(document: Any) -> KeyRing:
    """Make a ring from a JWK Set, for ``encode_key_loader`` and ``decode_key_loader`` to return: a set for each tenant,
    say. Make it once and keep it.

    :param document: a JWK Set, or a list of JWKs; without ``until``: a ring has no clock
    :raises InvalidKeyError: if it is none, or a key of it cannot be used
    """
    keys = read_set(document)
    if any(each.until < math.inf for each in keys):
        raise InvalidKeyError("A ring has no clock: leave out a key when it retires, in place of giving it an until")
    return ring_of(keys)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a key (RFC 7638): the same for all its forms, the public and the private.

    :raises InvalidKeyError: if a member is missing that makes it a key
    """
    try:
        members = {name: jwk[name] for name in _REQUIRED[jwk["kty"]]}
    except KeyError:
        raise InvalidKeyError("A JWK lacks a member that its kty requires") from None
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def usual_algorithm_of(key: Any) -> str:
    """Return the algorithm that a key object of ``cryptography`` is usually for.

    :raises InvalidKeyError: if it is for no signature
    """
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    name = None
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        name = "RS256"
    elif isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        name = _CURVES_OF_CRYPTOGRAPHY.get(key.curve.name)
    elif isinstance(
        key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey, ed448.Ed448PrivateKey, ed448.Ed448PublicKey)
    ):
        name = "EdDSA"
    if name is None:
        raise InvalidKeyError(f"A {type(key).__name__} is no key for signatures")
    return name


def to_jwk(algorithm: str, material: Any) -> dict[str, Any]:
    """Return a key of ``cryptography``, PEM or a secret as the members of a JWK, with ``kid`` and ``alg``.

    :raises InvalidKeyError: if it is no key for this algorithm
    """
    implementation: Algorithm = jwt.get_algorithm_by_name(algorithm)
    try:
        members = dict(implementation.to_jwk(implementation.prepare_key(material), as_dict=True))
    except InvalidKeyError:
        raise
    except Exception as error:
        raise InvalidKeyError(f"This is no key for {algorithm}: {type(error).__name__}") from None
    members = {name: value for name, value in members.items() if name not in ("key_ops", "use", "alg")}
    return {**members, "kid": thumbprint(members), "alg": algorithm}


def published(keys: Iterable[SetKey]) -> dict[str, Any]:
    """Return the JWK Set to publish: the public halves of keys, never a secret."""
    members = {key.kid: public for key in keys if (public := key.public) is not None}
    return {"keys": list(members.values())}
