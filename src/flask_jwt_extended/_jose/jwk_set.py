"""JWK Sets: from JSON to keys, and from keys to the JSON that may be published (RFC 7517, RFC 7638).

No function reads a file, the network or a clock. Errors never contain members of a key: some of them are secrets.
"""

from __future__ import annotations

import hashlib
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from enum import Enum
from typing import Any, NamedTuple

import jwt
from jwt.algorithms import Algorithm
from jwt.exceptions import InvalidKeyError

from ..signals import logger
from . import jwk as jwk_
from .keys import Key, KeyRing, prepare

_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512", "secp256k1": "ES256K"}
#: The private members of a JWK (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
#: Characters of a member of a JWK that a message shows.
MAX_SHOWN = 40


class State(str, Enum):
    """The state of a key in a set."""

    NEXT = "next"  # published before it signs
    ACTIVE = "active"  # the first one of a set signs
    RETIRING = "retiring"  # verifies until a date


class WeakKeyError(InvalidKeyError):
    """A valid JWK that is shorter than its algorithm requires."""


class UnsupportedKeyError(InvalidKeyError):
    """A valid JWK that cannot be used here: its ``kty`` is not known, or its algorithm is not accepted."""


class OtherUseError(UnsupportedKeyError):
    """A JWK that is not for signatures."""


class JWK(NamedTuple):
    """A key in a set.

    :ivar jwk: its members, with the private ones
    :ivar until: the time from which it does not verify, seconds since the epoch
    """

    kid: str
    key: Key
    jwk: Mapping[str, Any]
    state: State = State.ACTIVE
    until: float = math.inf

    def __repr__(self) -> str:
        return f"<JWK {self.kid}, {self.state.value}>"

    @property
    def public(self) -> dict[str, Any] | None:
        """The members to publish; ``None`` for a secret."""
        if self.jwk["kty"] == "oct":
            return None
        members = {name: self.jwk[name] for name in jwk_.REQUIRED[self.jwk["kty"]]}
        return {**members, "kid": self.kid, "alg": self.key.algorithm, "use": "sig"}


def read_set(
    document: Any,
    algorithms: Sequence[str] = jwk_.ALGORITHMS,
    *,
    on_unusable: Callable[[Any, InvalidKeyError], None] | None = None,
) -> list[JWK]:
    """Read the keys for signatures from a JWK Set, each bound to one algorithm.

    :param algorithms: those that are accepted. A key without ``alg`` is bound to the first of them that fits
    :param on_unusable: called with each member that cannot be used, and with the reason; the member is skipped
        (RFC 7517, section 5). Without it, a malformed or weak key makes the whole set invalid, and a key that is not
        supported is skipped, with a warning unless it is not for signatures
    """
    listed = document.get("keys") if isinstance(document, Mapping) else document
    if not isinstance(listed, Sequence) or isinstance(listed, (str, bytes)):
        raise InvalidKeyError('This is not a JWK Set: it has no list of "keys"')
    keys: list[JWK] = []
    for member in listed:
        try:
            keys.append(_read_member(member, algorithms))
        except InvalidKeyError as error:
            (on_unusable or _refuse)(member, error)
    if len({key.jwk["kty"] == "oct" for key in keys}) > 1:
        raise InvalidKeyError("A JWK Set must not mix secrets with public keys")
    if len({key.kid for key in keys}) != len(keys):
        raise InvalidKeyError("Two keys of a JWK Set have the same kid")
    return keys


def _refuse(member: Any, error: InvalidKeyError) -> None:
    if not isinstance(error, UnsupportedKeyError):
        raise error
    if not isinstance(error, OtherUseError):
        logger.warning("A key of a JWK Set is skipped: kid %s, %s", shorten(member.get("kid")), error)


def _read_member(member: Any, algorithms: Sequence[str]) -> JWK:
    """Read a member of a JWK Set."""
    if not isinstance(member, Mapping) or type(member.get("kty")) is not str:
        raise InvalidKeyError("A member of a JWK Set is not a JWK: it has no kty")
    if member["kty"] not in jwk_.REQUIRED:
        raise UnsupportedKeyError(f"the kty {shorten(member['kty'])} is not known")
    jwk_.check(member)
    if not jwk_.operations(member):
        is_other_use = member.get("use", "sig") != "sig"
        raise OtherUseError(
            f"its use is {shorten(member['use'])}" if is_other_use else "its key_ops do not include verify"
        )
    algorithm = jwk_.algorithm_of(member, algorithms)
    if algorithm is None:
        alg = member.get("alg")
        raise UnsupportedKeyError(f"its alg {shorten(alg)} is not accepted" if alg else "no accepted algorithm fits it")
    return read_jwk(member, algorithm)


def shorten(value: object) -> str:
    """Return text from outside in a form that is safe to log: the beginning, in ASCII."""
    return ascii(value)[:MAX_SHOWN]


def read_jwk(jwk: Mapping[str, Any], algorithm: str) -> JWK:
    """Read one JWK as a key for one algorithm."""
    state, until = _state_and_end(jwk)
    key = prepare(algorithm, {name: value for name, value in jwk.items() if name not in ("state", "until", "created")})
    if key.weaknesses:
        raise WeakKeyError(f"A key of a JWK Set is too weak. {key.weaknesses[0]}")
    return JWK(kid=kid_of(jwk), key=key, state=state, until=until, jwk=dict(jwk))


def kid_of(jwk: Mapping[str, Any]) -> str:
    """Return the name of a key: its ``kid``, or its thumbprint if it has none."""
    kid = jwk.get("kid")
    if kid is not None and type(kid) is not str:
        raise InvalidKeyError("The kid of a JWK must be a string")
    return thumbprint(jwk) if kid is None else str(kid)


def _state_and_end(jwk: Mapping[str, Any]) -> tuple[State, float]:
    try:
        state = State(jwk.get("state", State.ACTIVE))
        until = jwk.get("until")
        return state, math.inf if until is None else seconds_of(until)
    except (ValueError, TypeError, OverflowError):
        raise InvalidKeyError(
            "A key's state must be next, active or retiring, and until a time in ISO 8601 or seconds since the epoch"
        ) from None


def seconds_of(until: Any) -> float:
    """Return the seconds since the epoch for a number of them or a text in ISO 8601, in UTC if it has no offset."""
    if isinstance(until, (int, float)) and math.isfinite(until):
        return float(until)
    if not isinstance(until, str):
        raise ValueError("This is not a time")  # noqa: TRY004  # a NaN has the right type
    moment = datetime.fromisoformat(until.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def ring_of(keys: Iterable[JWK], unnamed: Iterable[Key] = ()) -> KeyRing:
    """Return the ring of a set and keys without a ``kid``: all verify, the first active one of the set signs."""
    keys = tuple(keys)
    signer = next(((each.kid, each.key) for each in keys if each.state is State.ACTIVE), None)
    return KeyRing(unnamed, ((each.kid, each.key) for each in keys), signer)


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Return the SHA-256 thumbprint of a key (RFC 7638), the same for a private key and its public key."""
    try:
        members = {name: jwk[name] for name in jwk_.REQUIRED[jwk["kty"]]}
    except (KeyError, TypeError):
        raise InvalidKeyError("A JWK lacks a member that its kty requires") from None
    canonical = json.dumps(members, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def usual_algorithm_of(key: Any) -> str:
    """Return the usual algorithm for a key object of ``cryptography``."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return "RS256"
    if isinstance(
        key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey, ed448.Ed448PrivateKey, ed448.Ed448PublicKey)
    ):
        return "EdDSA"
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise InvalidKeyError(f"A {type(key).__name__} is not a key for signatures")


def to_jwk(algorithm: str, material: Any) -> dict[str, Any]:
    """Return a key of ``cryptography``, PEM or a secret as the members of a JWK, with ``kid`` and ``alg``."""
    implementation: Algorithm = jwt.get_algorithm_by_name(algorithm)
    try:
        members = dict(implementation.to_jwk(implementation.prepare_key(material), as_dict=True))
    except InvalidKeyError:
        raise
    except Exception as error:
        raise InvalidKeyError(f"Not a valid key for {algorithm} ({type(error).__name__})") from None
    members = {name: value for name, value in members.items() if name not in ("key_ops", "use", "alg")}
    return {**members, "kid": thumbprint(members), "alg": algorithm}


def published(keys: Iterable[JWK]) -> dict[str, Any]:
    """Return the JWK Set to publish: public keys only."""
    members = {key.kid: public for key in keys if (public := key.public) is not None}
    return {"keys": list(members.values())}
