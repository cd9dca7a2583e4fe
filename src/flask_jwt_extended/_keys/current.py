"""The configured keys that are in force at a time: single keys, fallbacks, and the JWK Set of JWT_KEYS.

A changed file is noticed within :data:`RELOAD_INTERVAL` seconds. One that cannot be read leaves the keys as they were.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from jwt.algorithms import requires_cryptography
from jwt.exceptions import InvalidKeyError

from .._jose import compact
from .._jose.jwk import ALGORITHMS
from .._jose.jwk_set import JWK, published, read_jwk, ring_of, to_jwk
from .._jose.keys import Key, KeyRing, prepare, prepare_bound, refusal_of
from .._loaders import Loaders
from .._settings.settings import Settings
from ..exceptions import ConfigurationError
from ..signals import logger

if TYPE_CHECKING:
    from .files import Source

#: Seconds between two checks whether the file of JWT_KEYS has changed.
RELOAD_INTERVAL = 2.0

#: The stamp of a source that was not read yet: no other is equal to it.
_UNREAD = object()


def _source_of(settings: Settings) -> Source | None:
    if not settings.keys:
        return None
    from .files import source_of  # imported only for JWT_KEYS

    return source_of(settings.keys)


class ActiveKeys(NamedTuple):
    """The keys in force at a time.

    :ivar listed: the keys of JWT_KEYS that still verify
    :ivar until: when the next of them retires, seconds since the epoch
    """

    ring: KeyRing
    verifier: compact.Verifier
    algorithms: Collection[str]
    listed: tuple[JWK, ...]
    until: float


class KeySource:
    """The keys of one configuration."""

    def __init__(self, settings: Settings, enforce_strength: Callable[[Key], Key]) -> None:
        self._settings = settings
        self._enforce_strength = enforce_strength
        self._source = _source_of(settings)
        self._jwks: Sequence[JWK] = ()
        self._stamp: object = _UNREAD
        self._next_check = math.inf
        self._current: ActiveKeys | None = None
        self._lock = Lock()

    def at(self, now: float) -> ActiveKeys:
        """Return the keys in force at a time."""
        current = self._current
        if current is not None and now < current.until and time.monotonic() < self._next_check:
            return current
        with self._lock:
            changed = self._reload()
            if self._current is None or changed or now >= self._current.until:
                self._current = self._select(now)
            return self._current

    def published(self, now: float) -> dict[str, Any]:
        """Return the JWK Set to publish: the public keys of JWT_KEYS, and JWT_PUBLIC_KEY."""
        document = published(self.at(now).listed)
        settings = self._settings
        if settings.is_asymmetric and settings.public_key:
            public = prepare(settings.algorithm, settings.public_key).public
            single = read_jwk(to_jwk(settings.algorithm, public), settings.algorithm)
            if single.kid not in [each["kid"] for each in document["keys"]]:
                document["keys"].append(single.public)
        return document

    def _reload(self) -> bool:
        """Read the source if it has changed, and return whether it had."""
        if self._source is None:
            return False
        self._next_check = time.monotonic() + RELOAD_INTERVAL
        try:
            stamp = self._source.stamp()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self._jwks = self._source.read((self._settings.algorithm, *ALGORITHMS))
        except (InvalidKeyError, OSError, ValueError) as error:
            if self._current is None:
                self._stamp = _UNREAD
                fix = ". flask jwt keys generate makes the file" if isinstance(error, FileNotFoundError) else ""
                raise ConfigurationError(f"JWT_KEYS cannot be used: {error}{fix}") from None
            logger.error("JWT_KEYS has changed and cannot be used, the keys stay as they were: %s", error)
            return False
        return True

    def _select(self, now: float) -> ActiveKeys:
        listed = tuple(each for each in self._jwks if each.until > now)
        ring = ring_of(listed, self._single_keys())
        settings = self._settings
        algorithms = ring.algorithms if self._source else settings.accepted_algorithms
        verifier = (
            compact.CachingVerifier(algorithms, ring, settings.max_token_bytes, settings.verify_cache_size)
            if settings.verify_cache_size
            else compact.Verifier(algorithms, ring, settings.max_token_bytes)
        )
        return ActiveKeys(ring, verifier, algorithms, listed, min((each.until for each in listed), default=math.inf))

    def _single_keys(self) -> Iterator[Key]:
        """Yield the keys of options other than JWT_KEYS. Beside JWT_KEYS, they verify JWT_DECODE_ALGORITHMS."""
        settings = self._settings
        for algorithm in settings.decode_algorithms if self._source else settings.accepted_algorithms:
            for option, material in self._materials(algorithm):
                try:
                    yield self._enforce_strength(verification_key(algorithm, material, settings))
                except InvalidKeyError as error:
                    if algorithm == settings.algorithm:
                        raise ConfigurationError(f"{option} cannot be used to verify {algorithm}: {error}") from None

    def _materials(self, algorithm: str) -> Iterator[tuple[str, object]]:
        """Yield the options whose keys may verify an algorithm, with the key material."""
        settings, is_asymmetric = self._settings, algorithm in requires_cryptography
        if self._source is None and not self._is_resource_server:
            yield settings.verification_option, settings.verification_key
        elif material := settings.public_key if is_asymmetric else settings.any_secret:
            yield "JWT_PUBLIC_KEY" if is_asymmetric else settings.secret_option, material
        if not is_asymmetric:
            yield from (("JWT_SECRET_KEY_FALLBACKS", secret) for secret in settings.secret_key_fallbacks)

    @property
    def _is_resource_server(self) -> bool:
        """Whether the application trusts issuers, and has no key of its own."""
        settings = self._settings
        key = settings.public_key if settings.is_asymmetric else settings.any_secret
        return bool(settings.trusted_issuers) and not key


def verification_key(algorithm: str, material: object, settings: Settings) -> Key:
    """Load a configured key that verifies."""
    key = prepare_bound(algorithm, material, settings.algorithms_of_keys)
    if "verify" not in key.operations:
        raise InvalidKeyError("The key_ops of the key do not allow it to verify")
    return key


def check_configured(settings: Settings, loaders: Loaders) -> None:
    """Check the keys that are set when the application starts. Many applications set missing ones later."""
    _check_set(settings)
    for option, material, make in _options_with_keys(settings, loaders):
        try:
            key = make(settings.algorithm, material, settings)
        except InvalidKeyError as error:
            raise ConfigurationError(f"{option} cannot be used with {settings.algorithm}: {error}") from None
        if key.weaknesses and settings.key_strength == "refuse":
            raise ConfigurationError(f"{option} is too weak. {refusal_of(key)}")


def _check_set(settings: Settings) -> None:
    try:
        if source := _source_of(settings):
            source.read((settings.algorithm, *ALGORITHMS))
    except OSError:  # the file can still be made: flask jwt check and the first request report it
        pass
    except (InvalidKeyError, ValueError) as error:
        raise ConfigurationError(f"JWT_KEYS cannot be used: {error}") from None


def _options_with_keys(settings: Settings, loaders: Loaders) -> Iterator[tuple[str, object, Callable[..., Key]]]:
    """Yield the options with keys for JWT_ALGORITHM that are set and not replaced by a loader."""
    verifies = loaders.decode_key is None and (not settings.keys or settings.algorithm in settings.decode_algorithms)
    secret = settings.secret_key or (settings.flask_secret_key if settings.key_strength == "refuse" else None)
    private, public = (settings.private_key, settings.public_key) if settings.is_asymmetric else (secret, secret)
    if private and loaders.encode_key is None and not settings.keys:
        yield settings.signing_option, private, signing_key
    if public and verifies:
        yield settings.verification_option, public, verification_key
    for fallback in settings.secret_key_fallbacks if verifies and not settings.is_asymmetric else ():
        yield "JWT_SECRET_KEY_FALLBACKS", fallback, verification_key


def signing_key(algorithm: str, material: object, settings: Settings) -> Key:
    """Load a configured key that signs."""
    key = prepare_bound(algorithm, material, settings.algorithms_of_keys)
    key.sign(b"a message that is not a token")
    return key
