"""A JSON Web Key: its form, operations and one algorithm (RFC 7517, section 4; RFC 7518, section 6).

Errors never contain a member of the key.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from jwt.exceptions import InvalidKeyError

#: The members that identify a key, in the order of RFC 7638, section 3.2, by ``kty``.
REQUIRED = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "oct": ("k", "kty")}
#: The algorithm of a curve, and the octets of a coordinate or private value on it, by ``kty`` and ``crv``.
_CURVES = {
    "EC": {"P-256": ("ES256", 32), "P-384": ("ES384", 48), "P-521": ("ES512", 66), "secp256k1": ("ES256K", 32)},
    "OKP": {"Ed25519": ("EdDSA", 32), "Ed448": ("EdDSA", 57)},
}
#: The algorithms of keys without a curve, by ``kty``.
_FAMILIES = {"RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "oct": ("HS256", "HS384", "HS512")}
#: Every algorithm that a JWK may be bound to. For each kind of key, the usual one comes first.
ALGORITHMS = (
    *chain(*_FAMILIES.values()),
    *dict.fromkeys(algorithm for each in _CURVES.values() for algorithm, _ in each.values()),
)
_INTEGERS = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
_SIGNATURE = frozenset({"sign", "verify"})
_ENCRYPTION = frozenset({"encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"})

#: Bits of the longest RSA modulus that OpenSSL supports, and of the longest exponent (FIPS 186-5, section A.1.1).
_MAX_MODULUS, _MAX_EXPONENT = 16384, 256


def check(jwk: Mapping[str, Any]) -> None:
    """Check the form of a JWK of a known ``kty``."""
    kty = jwk.get("kty")
    if type(kty) is not str or kty not in REQUIRED:
        raise InvalidKeyError(f"The kty of a JWK must be one of {', '.join(sorted(REQUIRED))}")
    for name in ("kid", "use", "alg"):
        if name in jwk and type(jwk[name]) is not str:
            raise InvalidKeyError(f"The {name} of a JWK must be a string")
    _check_operations(jwk)
    if not all(name in jwk for name in REQUIRED[kty]):
        raise InvalidKeyError("A JWK lacks a member that its kty requires")
    if kty == "RSA":
        _check_rsa(jwk)
    elif kty == "oct":
        if not _octets(jwk, "k"):
            raise InvalidKeyError("The k of a JWK must not be empty")
    else:
        _check_curve(jwk, kty)
    if jwk.get("alg") in ALGORITHMS and jwk["alg"] not in _family(jwk):
        raise InvalidKeyError(f"The alg of a JWK does not fit its kty, {kty}")


def _check_operations(jwk: Mapping[str, Any]) -> None:
    """Check ``key_ops``: strings, each once, that agree with ``use`` (RFC 7517, section 4.3)."""
    if "key_ops" not in jwk:
        return
    listed = jwk["key_ops"]
    if not isinstance(listed, (list, tuple)) or not all(type(each) is str for each in listed):
        raise InvalidKeyError("The key_ops of a JWK must be a list of strings")
    if len(set(listed)) != len(listed):
        raise InvalidKeyError("The key_ops of a JWK must not name an operation twice")
    excluded = {"sig": _ENCRYPTION, "enc": _SIGNATURE}.get(jwk.get("use", ""), frozenset())
    if not excluded.isdisjoint(listed):
        raise InvalidKeyError("The use and the key_ops of a JWK contradict each other")


def _check_rsa(jwk: Mapping[str, Any]) -> None:
    if "oth" in jwk:  # RFC 7518, section 6.3.2.7
        raise InvalidKeyError("An RSA key of more than two primes is not supported")
    integers = {name: _integer(jwk, name) for name in _INTEGERS if name in jwk}
    n, e = integers["n"], integers["e"]
    if n % 2 == 0 or n.bit_length() > _MAX_MODULUS:
        raise InvalidKeyError(f"The modulus of an RSA key must be an odd number of at most {_MAX_MODULUS} bits")
    if e % 2 == 0 or e < 3 or e.bit_length() > _MAX_EXPONENT or e >= n:
        raise InvalidKeyError(
            f"The exponent of an RSA key must be an odd number from 3, of at most {_MAX_EXPONENT} bits"
        )


def _check_curve(jwk: Mapping[str, Any], kty: str) -> None:
    curves, crv = _CURVES[kty], jwk["crv"]
    if type(crv) is not str or crv not in curves:
        raise InvalidKeyError(f"The crv of a JWK of kty {kty} must be one of {', '.join(curves)}")
    _, length = curves[crv]
    for name in ("x", "y", "d") if kty == "EC" else ("x", "d"):
        if name in jwk and len(_octets(jwk, name)) != length:
            raise InvalidKeyError(f"The {name} of a JWK with crv {crv} must be {length} octets long")


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    """Decode base64url without padding, in its canonical spelling (RFC 7515, section 2)."""
    text = jwk[name]
    try:
        octets = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if type(text) is str else None
        if octets is not None and urlsafe_b64encode(octets).rstrip(b"=").decode() == text:
            return octets
    except ValueError:  # it is not ASCII, or not Base64
        pass
    raise InvalidKeyError(f"The {name} of a JWK must be base64url text without padding")


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    """Decode an unsigned integer in as few octets as possible (RFC 7518, section 2)."""
    octets = _octets(jwk, name)
    if not octets or (octets[0] == 0 and len(octets) > 1):
        raise InvalidKeyError(f"The {name} of a JWK must be an integer without leading zero octets")
    return int.from_bytes(octets, "big")


def operations(jwk: Mapping[str, Any]) -> frozenset[str]:
    """Return which of ``sign`` and ``verify`` a JWK allows. A private key that signs also verifies."""
    if jwk.get("use", "sig") != "sig":
        return frozenset()
    allowed = _SIGNATURE.intersection(jwk.get("key_ops", _SIGNATURE))
    if jwk["kty"] == "oct":
        return allowed
    return (allowed | {"verify"} if "sign" in allowed else allowed) if "d" in jwk else allowed - {"sign"}


def algorithm_of(jwk: Mapping[str, Any], algorithms: Iterable[str]) -> str | None:
    """Return the algorithm that a JWK is bound to: its ``alg`` if that is accepted, without one the first accepted
    algorithm that fits its kind. ``None``: there is none.
    """
    family = _family(jwk)
    wanted = (jwk["alg"],) if "alg" in jwk else family
    return next((each for each in algorithms if each in wanted and each in family), None)


def _family(jwk: Mapping[str, Any]) -> Sequence[str]:
    if jwk["kty"] in _FAMILIES:
        return _FAMILIES[jwk["kty"]]
    return (_CURVES[jwk["kty"]][jwk["crv"]][0],)
