"""The keys of an application that are in force at a moment: configured ones, fallbacks, and a set that may change.

Reads settings and what JWT_KEYS names; knows no request and no loader. Files that changed are noticed by every worker
within :data:`LOOK_AGAIN` seconds; what cannot be read leaves the keys as they were.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from jwt.algorithms import requires_cryptography
from jwt.exceptions import InvalidKeyError

from .core import compact
from .core.jwks import SetKey, published, read_jwk, ring_of, to_jwk
from .core.keys import Key, KeyRing, prepare
from .exceptions import ConfigurationError
from .settings import Settings
from .signals import logger

if TYPE_CHECKING:
    from .keyfiles import Source

#: Seconds between two looks at the files of JWT_KEYS.
LOOK_AGAIN = 2.0

#: The stamp of a source that was not read yet: no other is equal to it.
_UNREAD = object()


def _source_of(settings: Settings) -> Source | None:
    if not settings.keys:
        return None
    from .keyfiles import source_of  # who has no set of keys needs no reader of files

    return source_of(settings.keys, settings.keys_passphrase)


class InForce(NamedTuple):
    """Keys in force.

    :ivar ring: the keys
    :ivar verifier: checks tokens against them
    :ivar algorithms: those that are accepted
    :ivar listed: the keys of JWT_KEYS that have not retired
    :ivar until: when the next of them retires, seconds since the epoch
    """

    ring: KeyRing
    verifier: compact.Verifier
    algorithms: Collection[str]
    listed: tuple[SetKey, ...]
    until: float


class Keychain:
    """The keys of one configuration.

    :param strong: holds a key against JWT_KEY_STRENGTH
    """

    def __init__(self, settings: Settings, strong: Callable[[Key], Key]) -> None:
        self._settings = settings
        self._strong = strong
        self._source = _source_of(settings)
        self._read: Sequence[SetKey] = ()
        self._stamp: object = _UNREAD
        self._look_again = math.inf
        self._current: InForce | None = None
        self._lock = Lock()

    def at(self, now: float) -> InForce:
        """Return the keys in force at a time.

        :param now: seconds since the epoch
        :raises ConfigurationError: if there are none, or one that cannot be used
        """
        current = self._current
        if current is not None and now < current.until and time.monotonic() < self._look_again:
            return current
        with self._lock:
            return self._renewed(now)

    def published(self, now: float) -> dict[str, Any]:
        """Return the JWK Set to publish: the public keys of JWT_KEYS, and JWT_PUBLIC_KEY.

        :param now: seconds since the epoch
        """
        document = published(self.at(now).listed)
        settings = self._settings
        if settings.is_asymmetric and settings.public_key:
            single = read_jwk(to_jwk(settings.algorithm, prepare(settings.algorithm, settings.public_key).public))[0]
            document["keys"].append(single.public)
        return document

    def _renewed(self, now: float) -> InForce:
        changed = self._look()
        current = self._current
        if current is None or changed or now >= current.until:
            self._current = current = self._compose(now)
        return current

    def _look(self) -> bool:
        """Read the source again if it has changed, and tell whether it had."""
        if self._source is None:
            return False
        self._look_again = time.monotonic() + LOOK_AGAIN
        stamp = self._source.stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self._read = self._source.read()
        except (InvalidKeyError, OSError, ValueError) as error:
            if self._current is None:
                fix = ". flask jwt keys generate makes the file" if isinstance(error, FileNotFoundError) else ""
                raise ConfigurationError(f"JWT_KEYS cannot be used: {error}{fix}") from None
            logger.error("JWT_KEYS has changed and cannot be used, the keys stay as they were: %s", error)
            return False
        return True

    def _compose(self, now: float) -> InForce:
        listed = tuple(each for each in self._read if each.until > now)
        ring = ring_of(listed, self._configured())
        settings = self._settings
        algorithms = ring.algorithms if self._source else settings.accepted_algorithms
        verifier = (
            compact.CachingVerifier(algorithms, ring, settings.max_token_bytes, settings.verify_cache_size)
            if settings.verify_cache_size
            else compact.Verifier(algorithms, ring, settings.max_token_bytes)
        )
        return InForce(ring, verifier, algorithms, listed, min((each.until for each in listed), default=math.inf))

    def _configured(self) -> Iterator[Key]:
        """The keys that are configured one by one. Beside JWT_KEYS, they verify what JWT_DECODE_ALGORITHMS names."""
        settings = self._settings
        for algorithm in settings.decode_algorithms if self._source else settings.accepted_algorithms:
            for material in self._materials(algorithm):
                try:
                    yield self._strong(prepare(algorithm, material))
                except InvalidKeyError as error:
                    if algorithm == settings.algorithm:
                        raise ConfigurationError(f"The key that verifies {algorithm} cannot be used: {error}") from None

    @property
    def _only_verifies_others(self) -> bool:
        """Whether this is a resource server: it trusts issuers, and has no key of its own."""
        settings = self._settings
        key = settings.public_key if settings.is_asymmetric else settings.any_secret
        return bool(settings.trusted_issuers) and not key

    def _materials(self, algorithm: str) -> Iterator[object]:
        settings = self._settings
        if self._source is None and not self._only_verifies_others:
            yield settings.verification_key
        elif material := settings.public_key if algorithm in requires_cryptography else settings.any_secret:
            yield material
        if algorithm not in requires_cryptography:
            yield from settings.secret_key_fallbacks
