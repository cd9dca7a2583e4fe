"""Keys: prepared once, bound to one algorithm, and gathered in rings that a verifier asks for candidates.

Owns what a key *is*: the forms it may come in, the algorithm it fits, its public half. The cryptography is PyJWT's
``Algorithm`` classes and ``cryptography``. Must not know where keys are configured.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jwt
from jwt.algorithms import Algorithm, HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from jwt.warnings import InsecureKeyLengthWarning

from .secrets import GuessableSecretWarning, is_known, is_monotonous

#: How many prepared keys a process keeps. An application with more keys than this prepares some of them again.
PREPARED_KEYS = 1024


#: Octets that readers of keys pass over: white space and a byte order mark.
_NOISE = b" \t\r\n\v\f\0\xef\xbb\xbf"


class Key:
    """A key ready for use with exactly one algorithm (RFC 8725bis, section 3.1). Verifies with its public half.

    :ivar algorithm: the JWS name of that algorithm
    :ivar verify: tells whether a signature over a message is this key's; both are octets
    :ivar weaknesses: why the key should not be used; none for a good one
    :ivar warned: whether somebody was told of them
    """

    __slots__ = ("_implementation", "_private", "algorithm", "verify", "warned", "weaknesses")

    def __init__(self, algorithm: str, implementation: Algorithm, prepared: Any) -> None:
        self.algorithm = algorithm
        self._implementation = implementation
        self._private = prepared
        self.weaknesses = tuple(_weaknesses(implementation, prepared))
        self.warned = False
        self.verify: Callable[[bytes, bytes], bool] = (
            _hmac_verifier(prepared, implementation.hash_alg)
            if isinstance(implementation, HMACAlgorithm)
            else _verifier(implementation, prepared)
        )

    def sign(self, message: bytes) -> bytes:
        """Sign the message.

        :raises InvalidKeyError: if this is a public key
        """
        try:
            return self._implementation.sign(message, self._private)
        except AttributeError:
            raise InvalidKeyError(
                f"A public key cannot sign with {self.algorithm}: configure the private key"
            ) from None

    @property
    def public(self) -> Any:
        """The public half; a secret has none, and is itself."""
        return _public(self._private)

    def __repr__(self) -> str:
        return f"<Key {self.algorithm}>"


def _public(prepared: Any) -> Any:
    return prepared.public_key() if hasattr(prepared, "public_key") else prepared


def _verifier(implementation: Algorithm, prepared: Any) -> Callable[[bytes, bytes], bool]:
    public = _public(prepared)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            return implementation.verify(message, public, signature)
        except ValueError:  # a signature that this key could never have made, by its size say
            return False

    return verify


def _hmac_verifier(secret: bytes, hash_algorithm: Any) -> Callable[[bytes, bytes], bool]:
    # PyJWT keys a new HMAC for every token, half of what a verification costs. A copy of a keyed one is the same.
    keyed = hmac.new(secret, digestmod=hash_algorithm)

    def verify(message: bytes, signature: bytes) -> bool:
        mac = keyed.copy()
        mac.update(message)
        return hmac.compare_digest(mac.digest(), signature)

    return verify


class KeyRing:
    """The keys that may verify a token, by algorithm and name. An algorithm without a key is not accepted.

    :param keys: keys without a name: they may verify whatever ``kid`` a token has, one after the other
    :param named: keys by their ``kid``
    :param signer: the ``kid`` and the key that sign; ``None``: this ring only verifies
    """

    __slots__ = ("_anonymous", "_named", "signer")

    def __init__(
        self, keys: Iterable[Key], named: Iterable[tuple[str, Key]] = (), signer: tuple[str, Key] | None = None
    ) -> None:
        self.signer = signer
        self._anonymous: dict[str, tuple[Key, ...]] = {}
        self._named: dict[str, dict[str, Key]] = {}
        for key in keys:
            self._anonymous[key.algorithm] = (*self._anonymous.get(key.algorithm, ()), key)
        for kid, key in named:
            self._named.setdefault(key.algorithm, {})[kid] = key

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms that there is a key for."""
        return frozenset((*self._anonymous, *self._named))

    def candidates(self, algorithm: str, kid: str | None = None) -> tuple[Key, ...]:
        """The keys that may have made a signature with this algorithm.

        A token that names its key is verified with that. One that names none is not tried against every key there is:
        only where a single key has a name is it clear which is meant.
        """
        named, anonymous = self._named.get(algorithm, {}), self._anonymous.get(algorithm, ())
        if kid is None:
            return (*named.values(), *anonymous) if len(named) == 1 else anonymous
        return (named[kid],) if kid in named else anonymous

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(sorted(self.algorithms))}>"


def prepare(algorithm: str, material: Any) -> Key:
    """Make key material ready for one algorithm. Work that costs is done once per process, not per call.

    :param algorithm: a JWS algorithm name, ``RS256`` say (RFC 7518, section 3.1)
    :param material: a secret as text or bytes; PEM as text or bytes; a JWK as a mapping or :class:`jwt.PyJWK`; a key
        object of ``cryptography``; or a :class:`Key`
    :raises InvalidKeyError: if the material is no key, or not one for this algorithm
    """
    if isinstance(material, Key):
        if material.algorithm != algorithm:
            raise InvalidKeyError(f"A key for {material.algorithm} cannot be used with {algorithm}")
        return material
    return _prepare_once(algorithm, material if isinstance(material, (str, bytes)) else _Material(material))


class _Material:
    """Key material that has no hash of its own: a JWK is known by its members, an object by being the same one."""

    __slots__ = ("_identity", "value")

    def __init__(self, value: Any) -> None:
        self.value = value  # kept, so that no other object takes its identity
        self._identity = _members(value) if isinstance(value, Mapping) else id(value)

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Material) and other._identity == self._identity


def _members(jwk: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(jwk), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        raise InvalidKeyError("This JWK is no JSON object") from None


@lru_cache(PREPARED_KEYS)
def _prepare_once(algorithm: str, material: str | bytes | _Material) -> Key:
    return _prepare(algorithm, material.value if isinstance(material, _Material) else material)


def _prepare(algorithm: str, material: Any) -> Key:
    implementation = jwt.get_algorithm_by_name(algorithm)
    try:
        prepared = implementation.prepare_key(_key_object(algorithm, implementation, material))
        if isinstance(prepared, bytes):
            # A public key is no secret, whatever stands in front of it: PyJWT looks at the very beginning alone.
            implementation.prepare_key(prepared.lstrip(_NOISE) or prepared)
    except InvalidKeyError:
        raise
    # PyJWT and cryptography raise all sorts for what is no PEM, wants a password, lies on another curve...
    except Exception as error:
        raise InvalidKeyError(f"This is no key for {algorithm}: {type(error).__name__}") from None
    return Key(algorithm, implementation, prepared)


def _weaknesses(implementation: Algorithm, prepared: Any) -> Iterator[Warning]:
    """Judge a key (RFC 7518, sections 3.2 and 3.3; RFC 8725bis, section 3.5)."""
    if too_short := implementation.check_key_length(prepared):
        yield InsecureKeyLengthWarning(too_short)
    if isinstance(prepared, bytes) and (is_known(prepared) or (not too_short and is_monotonous(prepared))):
        yield GuessableSecretWarning(
            "The secret can be guessed: everybody knows it, or it repeats itself. "
            "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )


def _key_object(algorithm: str, implementation: Algorithm, material: Any) -> Any:
    """Turn a JWK into what ``prepare_key`` takes; leave everything else alone."""
    if isinstance(material, jwt.PyJWK):
        bound, material = material.algorithm_name, material.key
    elif isinstance(material, Mapping):
        bound, material = material.get("alg", algorithm), implementation.from_jwk(dict(material))
    else:
        return material
    if bound != algorithm:
        raise InvalidKeyError(f"A key for {bound} cannot be used with {algorithm}")
    return material
