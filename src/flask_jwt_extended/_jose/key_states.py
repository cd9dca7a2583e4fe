"""The life of the keys in a set: published, signing, retiring, gone. From one list of JWKs to the next.

Knows no file and no clock: ``now`` is an argument, in seconds since the epoch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jwt.algorithms import requires_cryptography

from ..exceptions import ConfigurationError
from . import jwk_set as jwks
from .jwk_set import State, kid_of

#: A JWK with the members that tell where it stands: ``state``, ``until`` and ``created``.
Member = Mapping[str, Any]

#: The sizes and curves of new keys (NIST SP 800-57: good beyond 2030).
_RSA_BITS = 3072


def generate(algorithm: str, now: float) -> dict[str, Any]:
    """Make a private key that is published before it signs.

    :param algorithm: an asymmetric JWS algorithm, ``ES256`` say, or HS256, HS384, HS512
    :raises ConfigurationError: if there is no such algorithm
    """
    jwk = jwks.to_jwk(algorithm, _new_key(algorithm))
    while jwk["kid"].startswith("-"):  # a command would take that for an option
        jwk = jwks.to_jwk(algorithm, _new_key(algorithm))
    return {**jwk, "state": State.NEXT.value, "created": int(now)}


def _new_key(algorithm: str) -> Any:
    if algorithm in ("HS256", "HS384", "HS512"):
        import secrets

        return secrets.token_bytes(int(algorithm[2:]) // 8)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm[:2] in ("RS", "PS") and algorithm in requires_cryptography:
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    curves: dict[str, type[Any]] = {
        "ES256": ec.SECP256R1,
        "ES384": ec.SECP384R1,
        "ES512": ec.SECP521R1,
        "ES256K": ec.SECP256K1,
    }
    if algorithm in curves:
        return ec.generate_private_key(curves[algorithm]())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ConfigurationError(f"There is no algorithm {algorithm!r} to make a key for")


def added(members: Sequence[Member], new: Member) -> list[Member]:
    """Add a key. The first of a set signs at once: nobody could wait for it.

    :raises ConfigurationError: if a key of this name is there already
    """
    if any(kid_of(member) == kid_of(new) for member in members):
        raise ConfigurationError(f"There is a key {kid_of(new)} already")
    if not members and state_of(new) is State.NEXT:
        new = {**new, "state": State.ACTIVE.value}
    return [*members, new]


def rotated(members: Sequence[Member], *, now: float, overlap: float, ahead: float) -> list[Member]:
    """Let the oldest *next* key sign. The ones that signed retire.

    :param overlap: seconds for which a retiring key still verifies: the longest life of a token
    :param ahead: seconds that a key must have been published before
    :raises ConfigurationError: if there is no next key, or verifiers may not know it yet
    """
    waiting = [member for member in members if state_of(member) is State.NEXT]
    if not waiting:
        raise ConfigurationError("There is no next key: flask jwt keys generate")
    successor = waiting[0]
    if now - successor.get("created", 0) < ahead:
        raise ConfigurationError(
            f"The next key was published less than {ahead:.0f} seconds ago: verifiers may not have seen it yet. "
            "Wait, or rotate with --now"
        )
    ends = math.ceil(now + overlap)
    others = (member for member in members if member is not successor)
    after = [retiring(member, ends) if state_of(member) is State.ACTIVE else member for member in others]
    return [{**successor, "state": State.ACTIVE.value}, *after]


def retired(members: Sequence[Member], *, kid: str, until: float) -> list[Member]:
    """Let a key verify until then, and sign no more.

    :raises ConfigurationError: if there is no such key, or no other one would sign
    """
    if not any(kid_of(member) == kid for member in members):
        raise ConfigurationError(f"There is no key {kid}")
    after = [retiring(member, until) if kid_of(member) == kid else member for member in members]
    if not any(state_of(member) is State.ACTIVE for member in after):
        raise ConfigurationError(f"No key would sign after {kid}: flask jwt keys rotate first")
    return after


def retiring(member: Member, until: float) -> dict[str, Any]:
    """Return a key that signs no more, and verifies until then: never longer than was decided before."""
    return {**member, "state": State.RETIRING.value, "until": int(min(until, end_of(member)))}


def without_retired(members: Sequence[Member], now: float) -> list[Member]:
    """Leave out the keys that verify no more."""
    return [member for member in members if end_of(member) > now]


def end_of(member: Member) -> float:
    """When a key stops to verify, seconds since the epoch; infinite: never."""
    return math.inf if member.get("until") is None else jwks.seconds_of(member["until"])


def state_of(member: Member) -> State:
    """Where a key stands: active, if nothing is said."""
    return State(member.get("state", State.ACTIVE))
