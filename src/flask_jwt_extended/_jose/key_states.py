"""The states of the keys in a set: next, active, retiring. Times are arguments, in seconds since the epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jwt.algorithms import requires_cryptography

from ..exceptions import ConfigurationError
from . import jwk_set as jwks
from .jwk_set import State, kid_of

#: A JWK with the members ``state``, ``until`` and ``created``.
Member = Mapping[str, Any]

#: The sizes and curves of new keys (NIST SP 800-57: good beyond 2030).
_RSA_BITS = 3072


def generate(algorithm: str, now: float) -> dict[str, Any]:
    """Make a private key, or a secret, in the state *next*."""
    while True:
        jwk = jwks.to_jwk(algorithm, _new_key(algorithm))
        if not jwk["kid"].startswith("-"):  # on the command line it would be an option
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
    """Add a key. The first key of a set is active: no token was signed before it."""
    if any(kid_of(member) == kid_of(new) for member in members):
        raise ConfigurationError(f"There is a key {kid_of(new)} already")
    if not members and state_of(new) is State.NEXT:
        new = {**new, "state": State.ACTIVE.value}
    return [*members, new]


def rotated(members: Sequence[Member], *, now: float, overlap: float, ahead: float) -> list[Member]:
    """Make the oldest *next* key active, if it was published ``ahead`` seconds ago. The keys that were active retire:
    they verify for ``overlap`` seconds, the longest lifetime of a token.
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
    """Retire a key: it does not sign any more, and verifies until a time."""
    if not any(kid_of(member) == kid for member in members):
        raise ConfigurationError(f"There is no key {kid}")
    after = [retiring(member, until) if kid_of(member) == kid else member for member in members]
    if not any(state_of(member) is State.ACTIVE for member in after):
        raise ConfigurationError(f"No key would sign after {kid}: flask jwt keys rotate first")
    return after


def retiring(member: Member, until: float) -> dict[str, Any]:
    """Return a key in the state *retiring*. Its ``until`` becomes this time, unless it is earlier already."""
    return {**member, "state": State.RETIRING.value, "until": int(min(until, end_of(member)))}


def without_retired(members: Sequence[Member], now: float) -> list[Member]:
    """Return the keys that still verify."""
    return [member for member in members if end_of(member) > now]


def end_of(member: Member) -> float:
    """Return until when a key verifies, seconds since the epoch; infinite: always."""
    return math.inf if member.get("until") is None else jwks.seconds_of(member["until"])


def state_of(member: Member) -> State:
    """Return the state of a key, which is active by default."""
    return State(member.get("state", State.ACTIVE))
