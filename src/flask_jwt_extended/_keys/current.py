"""The keys of an application that are in force at a moment: configured ones, fallbacks, and a set that may change.

Reads settings and what JWT_KEYS names; knows no request and no loader. Files that changed are noticed by every worker
within :data:`RELOAD_INTERVAL` seconds; what cannot be read leaves the keys as they were.
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

#: Seconds between two looks at the files of JWT_KEYS.
RELOAD_INTERVAL = 2.0

#: The stamp of a source that was not read yet: no other is equal to it.
_UNREAD = object()


def _source_of(settings: Settings) -> Source | None:
    if not settings.keys:
        return None
    from .files import source_of  # only a key set needs it

    return source_of(settings.keys)


def _read(source: Source | None, settings: Settings) -> Sequence[JWK]:
    return source.read((settings.algorithm, *ALGORITHMS)) if source else ()


class ActiveKeys(NamedTuple):
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
    listed: tuple[JWK, ...]
    until: float


class KeySource:
    """The keys of one configuration.

    :param enforce_strength: raises ConfigurationError for a weak key, if JWT_KEY_STRENGTH refuses it
    """

    def __init__(self, settings: Settings, enforce_strength: Callable[[Key], Key]) -> None:
        self._settings = settings
        self._enforce_strength = enforce_strength
        self._source = _source_of(settings)
        self._read: Sequence[JWK] = ()
        self._stamp: object = _UNREAD
        self._look_again = math.inf
        self._current: ActiveKeys | None = None
        self._lock = Lock()

    def at(self, now: float) -> ActiveKeys:
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
            public = prepare(settings.algorithm, settings.public_key).public
            single = read_jwk(to_jwk(settings.algorithm, public), settings.algorithm)
            if single.kid not in [each["kid"] for each in document["keys"]]:
                document["keys"].append(single.public)
        return document

    def _renewed(self, now: float) -> ActiveKeys:
        changed = self._look()
        current = self._current
        if current is None or changed or now >= current.until:
            self._current = current = self._compose(now)
        return current

    def _look(self) -> bool:
        """Read the source again if it has changed, and return whether it had."""
        if self._source is None:
            return False
        self._look_again = time.monotonic() + RELOAD_INTERVAL
        try:
            stamp = self._source.stamp()
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            self._read = _read(self._source, self._settings)
        except (InvalidKeyError, OSError, ValueError) as error:
            if self._current is None:
                self._stamp = _UNREAD
                fix = ". flask jwt keys generate makes the file" if isinstance(error, FileNotFoundError) else ""
                raise ConfigurationError(f"JWT_KEYS cannot be used: {error}{fix}") from None
            logger.error("JWT_KEYS has changed and cannot be used, the keys stay as they were: %s", error)
            return False
        return True

    def _compose(self, now: float) -> ActiveKeys:
        listed = tuple(each for each in self._read if each.until > now)
        ring = ring_of(listed, self._configured())
        settings = self._settings
        algorithms = ring.algorithms if self._source else settings.accepted_algorithms
        verifier = (
            compact.CachingVerifier(algorithms, ring, settings.max_token_bytes, settings.verify_cache_size)
            if settings.verify_cache_size
            else compact.Verifier(algorithms, ring, settings.max_token_bytes)
        )
        return ActiveKeys(ring, verifier, algorithms, listed, min((each.until for each in listed), default=math.inf))

    def _configured(self) -> Iterator[Key]:
        """The keys that are configured one by one. Beside JWT_KEYS, they verify what JWT_DECODE_ALGORITHMS names."""
        settings = self._settings
        for algorithm in settings.decode_algorithms if self._source else settings.accepted_algorithms:
            for option, material in self._materials(algorithm):
                try:
                    yield self._enforce_strength(verification_key(algorithm, material, settings))
                except InvalidKeyError as error:
                    if algorithm == settings.algorithm:
                        raise ConfigurationError(f"{option} cannot be used to verify {algorithm}: {error}") from None

    @property
    def _only_verifies_others(self) -> bool:
        """Whether this is a resource server: it trusts issuers, and has no key of its own."""
        settings = self._settings
        key = settings.public_key if settings.is_asymmetric else settings.any_secret
        return bool(settings.trusted_issuers) and not key

    def _materials(self, algorithm: str) -> Iterator[tuple[str, object]]:
        """The key material that may verify an algorithm, with the name of its option."""
        settings, is_asymmetric = self._settings, algorithm in requires_cryptography
        if self._source is None and not self._only_verifies_others:
            yield settings.verification_option, settings.verification_key
        elif material := settings.public_key if is_asymmetric else settings.any_secret:
            yield "JWT_PUBLIC_KEY" if is_asymmetric else settings.secret_option, material
        if not is_asymmetric:
            yield from (("JWT_SECRET_KEY_FALLBACKS", secret) for secret in settings.secret_key_fallbacks)


def verification_key(algorithm: str, material: object, settings: Settings) -> Key:
    """Make a configured key ready to verify.

    :raises InvalidKeyError: if it is not a key for this algorithm, or not one that may verify
    """
    key = prepare_bound(algorithm, material, settings.algorithms_of_keys)
    if "verify" not in key.operations:
        raise InvalidKeyError("The key_ops of the key do not allow it to verify")
    return key


def check_configured(settings: Settings, loaders: Loaders) -> None:
    """Check the key material that is there when the application starts. What is missing may still come: many
    applications set their keys after ``init_app``.

    :raises ConfigurationError: if key material can never be used, or is too weak and JWT_KEY_STRENGTH refuses it
    """
    if settings.keys:
        _check_set(settings)
    for option, material, make in _configured(settings, loaders):
        try:
            key = make(settings.algorithm, material, settings)
        except InvalidKeyError as error:
            raise ConfigurationError(f"{option} cannot be used with {settings.algorithm}: {error}") from None
        if key.weaknesses and settings.key_strength == "refuse":
            raise ConfigurationError(f"{option} is too weak. {refusal_of(key)}")


def _check_set(settings: Settings) -> None:
    try:
        _read(_source_of(settings), settings)
    except OSError:  # it can still be made: reported before the first request, and by flask jwt check
        pass
    except (InvalidKeyError, ValueError) as error:
        raise ConfigurationError(f"JWT_KEYS cannot be used: {error}") from None


def _configured(settings: Settings, loaders: Loaders) -> Iterator[tuple[str, object, Callable[..., Key]]]:
    """The options that hold keys for JWT_ALGORITHM and that no loader replaces, as far as they are set."""
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
    """Make a configured key ready to sign.

    :raises InvalidKeyError: if it is not a key for this algorithm, or not one that may sign
    """
    key = prepare_bound(algorithm, material, settings.algorithms_of_keys)
    key.sign(b"a message that is not a token")
    return key
