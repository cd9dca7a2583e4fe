"""Keys: prepared once, bound to one algorithm, and collected in rings. The cryptography is PyJWT's."""

from __future__ import annotations

import hmac
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jwt
from jwt.algorithms import Algorithm, HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from jwt.warnings import InsecureKeyLengthWarning

from . import jwk as jwk_
from .weak_secrets import GuessableSecretWarning, has_low_entropy, is_well_known

#: How many prepared keys a process keeps. An application with more keys than this prepares some of them again.
PREPARED_KEYS = 1024

#: Octets that parsers of keys skip: white space and a byte order mark.
_SKIPPED = b" \t\r\n\v\f\0\xef\xbb\xbf"
_ALL_OPERATIONS = frozenset({"sign", "verify"})


class Key:
    """A key ready for use with exactly one algorithm (RFC 8725bis, section 3.1). Verifies with its public half.

    :ivar verify: takes a message and a signature; returns whether this key made the signature
    :ivar weaknesses: why the key should not be used, as warnings; ``warned``: whether they were issued
    :ivar operations: what it may be used for: ``sign``, ``verify`` or both (RFC 7517, section 4.3)
    """

    __slots__ = ("_implementation", "_private", "algorithm", "operations", "verify", "warned", "weaknesses")

    def __init__(
        self, algorithm: str, implementation: Algorithm, prepared: Any, operations: frozenset[str] = _ALL_OPERATIONS
    ) -> None:
        self.algorithm = algorithm
        self.operations = operations
        self._implementation = implementation
        self._private = prepared
        self.weaknesses = tuple(_weaknesses(implementation, prepared))
        self.warned = False
        self.verify: Callable[[bytes, bytes], bool] = (
            _hmac_verifier(prepared, implementation.hash_alg)
            if isinstance(implementation, HMACAlgorithm)
            else _asymmetric_verifier(implementation, prepared)
        )
        if "verify" not in operations:
            self.verify = lambda _message, _signature: False

    def sign(self, message: bytes) -> bytes:
        """Sign the message."""
        if "sign" not in self.operations and (isinstance(self._private, bytes) or hasattr(self._private, "sign")):
            raise InvalidKeyError("The key_ops of the key do not allow it to sign")
        try:
            return self._implementation.sign(message, self._private)
        except AttributeError:
            raise InvalidKeyError(
                f"A public key cannot sign with {self.algorithm}: configure the private key"
            ) from None

    @property
    def public(self) -> Any:
        """The public key, or the secret itself."""
        return _public(self._private)

    def __repr__(self) -> str:
        return f"<Key {self.algorithm}>"


def _public(prepared: Any) -> Any:
    return prepared.public_key() if hasattr(prepared, "public_key") else prepared


def _asymmetric_verifier(implementation: Algorithm, prepared: Any) -> Callable[[bytes, bytes], bool]:
    public = _public(prepared)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            return implementation.verify(message, public, signature)
        except ValueError:  # for example, the signature has a size that this key cannot make
            return False

    return verify


def _hmac_verifier(secret: bytes, hash_algorithm: Any) -> Callable[[bytes, bytes], bool]:
    # PyJWT initialises an HMAC for every token, which is half of the cost. A copy of an initialised one is the same.
    keyed = hmac.new(secret, digestmod=hash_algorithm)

    def verify(message: bytes, signature: bytes) -> bool:
        mac = keyed.copy()
        mac.update(message)
        return hmac.compare_digest(mac.digest(), signature)

    return verify


class KeyRing:
    """The keys that may verify a token, by algorithm and ``kid``. An algorithm without a key is not accepted.

    :param keys: keys without a ``kid``. They are tried for every token, one after the other
    :param named: keys with their ``kid``
    :param signer: the ``kid`` and the key that sign; ``None``: this ring only verifies

    .. versionadded:: 5.0
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

    @classmethod
    def from_jwks(cls, document: Any, algorithms: Sequence[str] | None = None) -> KeyRing:
        """Make a ring from a JWK Set, to return from ``encode_key_loader`` and ``decode_key_loader``.

        Make it once and keep it: one for each tenant, for example.

        :param document: a JWK Set, or a list of JWKs, without ``until``: a ring has no clock
        :param algorithms: the algorithms that are accepted. A key without ``alg`` is bound to the first of them that
            fits; ``None``: RS256, HS256, or the algorithm of its curve
        :raises InvalidKeyError: if it is not a JWK Set, or a key of it cannot be used

        .. versionadded:: 5.0
        """
        from . import jwk_set  # it imports this module
        from .jwk import ALGORITHMS

        keys = jwk_set.read_set(document, ALGORITHMS if algorithms is None else algorithms)
        if any(each.until < math.inf for each in keys):
            raise InvalidKeyError("A ring has no clock: leave out a key when it retires, instead of giving it an until")
        return jwk_set.ring_of(keys)

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms of the keys.

        .. versionadded:: 5.0
        """
        return frozenset((*self._anonymous, *self._named))

    def candidates(self, algorithm: str, kid: str | None = None) -> tuple[Key, ...]:
        """The keys that may have made a signature with this algorithm.

        A token without a ``kid`` is verified with the keys without one, and with a named key only if that is the only
        one for the algorithm.

        .. versionadded:: 5.0
        """
        named, anonymous = self._named.get(algorithm, {}), self._anonymous.get(algorithm, ())
        if kid is None:
            return (*named.values(), *anonymous) if len(named) == 1 else anonymous
        return (named[kid],) if kid in named else anonymous

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(sorted(self.algorithms))}>"


def prepare(algorithm: str, material: Any) -> Key:
    """Load key material for one algorithm, and cache the result.

    :param material: a secret or PEM as text or bytes; a JWK as a mapping or :class:`jwt.PyJWK`; a key object of
        ``cryptography``; or a :class:`Key`
    """
    if isinstance(material, Key):
        if material.algorithm != algorithm:
            raise InvalidKeyError(f"A key for {material.algorithm} cannot be used with {algorithm}")
        return material
    return _prepare(algorithm, material if isinstance(material, (str, bytes)) else _Material(material))


class _Material:
    """Key material as a key of the cache: a JWK is compared by its members, an object by its identity."""

    __slots__ = ("_identity", "value")

    def __init__(self, value: Any) -> None:
        self.value = value  # kept, so that no other object gets its id
        try:
            self._identity = json.dumps(dict(value), sort_keys=True) if isinstance(value, Mapping) else id(value)
        except (TypeError, ValueError, RecursionError):
            raise InvalidKeyError("This JWK is not a JSON object") from None

    def __hash__(self) -> int:
        return hash(self._identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Material) and other._identity == self._identity


def prepare_bound(algorithm: str, material: Any, algorithms: Iterable[str]) -> Key:
    """Load key material as :func:`prepare` does, and bind a JWK to one algorithm: to its ``alg``, or without one to the
    first of the accepted algorithms that fits (RFC 8725bis, section 3.1).
    """
    key = prepare(algorithm, material)
    members = _jwk_of(material)
    if members is not None and "alg" not in members:
        is_pyjwk = isinstance(material, jwt.PyJWK)
        bound = material.algorithm_name if is_pyjwk else jwk_.algorithm_of(members, algorithms)
        if bound != algorithm:
            raise InvalidKeyError(f"A key for {bound} cannot be used with {algorithm}")
    return key


def _jwk_of(material: Any) -> Mapping[str, Any] | None:
    """Return the members of a JWK; ``None`` for key material of any other form."""
    if isinstance(material, jwt.PyJWK):
        # Private: PyJWK offers no other access to key_ops, and it decodes more leniently than RFC 7518 allows.
        material = material._jwk_data
    return material if isinstance(material, Mapping) else None


@lru_cache(PREPARED_KEYS)
def _prepare(algorithm: str, material: Any) -> Key:
    if isinstance(material, _Material):
        material = material.value
    try:
        implementation = jwt.get_algorithm_by_name(algorithm)
    except NotImplementedError as error:
        raise InvalidKeyError(str(error)) from None
    operations = _ALL_OPERATIONS
    try:
        members = _jwk_of(material)
        if members is not None:
            operations = _check_jwk(algorithm, members, material)
            material = implementation.from_jwk(dict(members))
        prepared = implementation.prepare_key(material)
        if isinstance(prepared, bytes):
            # PyJWT refuses a public key as a secret, but only looks at the first characters.
            implementation.prepare_key(prepared.lstrip(_SKIPPED) or prepared)
    except InvalidKeyError as error:
        reason = str(error).rstrip(".")
        if "Invalid Key type for" in reason:  # PyJWT's message shows a generator object
            reason = f"It is a key of another type than {algorithm} needs"
        if reason == "Could not parse the provided public key":  # PyJWT's message for a private key, too
            reason = "It is not PEM, or its content is damaged"
        raise InvalidKeyError(reason + _hint(material)) from None
    except Exception as error:  # PyJWT and cryptography raise many types: not PEM, encrypted, another curve...
        raise InvalidKeyError(f"Not a valid key for {algorithm} ({type(error).__name__}){_hint(material)}") from None
    return Key(algorithm, implementation, prepared, operations)


def _check_jwk(algorithm: str, members: Mapping[str, Any], material: Any) -> frozenset[str]:
    """Check a JWK, and return what it may be used for with an algorithm."""
    jwk_.check(members)
    bound = material.algorithm_name if isinstance(material, jwt.PyJWK) else algorithm
    for each in (bound, members.get("alg", algorithm)):
        if each != algorithm:
            raise InvalidKeyError(f"A key for {each} cannot be used with {algorithm}")
    operations = jwk_.operations(members)
    if not operations:
        raise InvalidKeyError("The use or the key_ops of the key do not allow signatures")
    return operations


def _hint(material: Any) -> str:
    """Return how to fix common mistakes, as the end of a message that never contains the key; or nothing."""
    if isinstance(material, (bool, int, float)):
        return ". It is a number: use text"
    if isinstance(material, os.PathLike):
        return f". {_IS_A_PATH}"
    if isinstance(material, Mapping) or hasattr(material, "public_key") or hasattr(material, "verify"):
        return ""
    if not isinstance(material, (str, bytes)):
        return f". It is of the type {type(material).__name__}: use text, bytes, a JWK or a key object"
    octets = material.encode("utf-8", "replace") if isinstance(material, str) else material
    hint = _hint_about(octets.strip())
    return f". {hint}" if hint else ""


_IS_A_PATH = "It is the path of a file: configure what the file contains"
_IS_ENCRYPTED = (
    "It is encrypted: decrypt it with openssl pkey, or load it with cryptography and configure the key object"
)
#: How to fix common mistakes, by octets that occur in the material.
_HINTS = (
    ((b"BEGIN", b"\\n"), "Its line breaks are escaped: replace the two characters \\n with line breaks"),
    ((b"ENCRYPTED",), _IS_ENCRYPTED),
    ((b"BEGIN CERTIFICATE",), "It is a certificate: take its public key with openssl x509 -pubkey -noout"),
    ((b"BEGIN PUBLIC",), "It is a public key"),
    ((b"LS0tLS1CRUdJTi",), "It is PEM in Base64: decode it with base64.b64decode"),
)


def _hint_about(octets: bytes) -> str:
    if octets.startswith(b"{"):
        return "It is a JWK as text: parse it with json.loads, and configure the mapping"
    for parts, hint in _HINTS:
        if all(part in octets for part in parts):
            return hint
    is_path = octets.startswith((b"/", b"./", b"../", b"~/")) or octets.endswith((b".pem", b".key", b".pub", b".crt"))
    return _IS_A_PATH if is_path and b"-----" not in octets and b"\n" not in octets else ""


def refusal_of(key: Key) -> str:
    """Return why a weak key is refused, and how to fix it."""
    reasons = " ".join(map(str, key.weaknesses))
    return f"{reasons} Make a new one; until then, JWT_KEY_STRENGTH = 'warn' accepts it"


def _weaknesses(implementation: Algorithm, prepared: Any) -> Iterator[Warning]:
    """Yield what makes a key weak (RFC 7518, sections 3.2 and 3.3; RFC 8725bis, section 3.5)."""
    if too_short := implementation.check_key_length(prepared):
        yield InsecureKeyLengthWarning(too_short)
    if isinstance(prepared, bytes) and (is_well_known(prepared) or (not too_short and has_low_entropy(prepared))):
        yield GuessableSecretWarning(
            "The secret can be guessed: it is well known, or it repeats itself. "
            "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
