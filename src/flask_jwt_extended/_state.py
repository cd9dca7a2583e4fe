"""What the requests of one application share: settings, loaders and keys."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from json import JSONEncoder
from typing import Any

from ._jose import compact
from ._jose.keys import Key, refusal_of
from ._keys.current import KeySource
from ._keys.issuer import ExternalIssuer, issuer_of
from ._keys.loaded import LoadedKeys
from ._keys.verification import SignatureVerifier
from ._loaders import EnsureSync, Loaders
from ._settings.settings import Settings
from .exceptions import ConfigurationError
from .signals import logger
from .stores.base import SessionStore
from .typing import Claims, JSONDefault

#: The number of warnings that :meth:`ExtensionState.warn_once` logs. Further ones are dropped.
MAX_WARNINGS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class ExtensionState:
    """Made by the manager for one configuration of one application; a change of the configuration makes a new one.

    :ivar ensure_sync: turns a coroutine function into one that can be called synchronously
    :ivar json_default: converts objects that JSON does not support
    :ivar notify: sends a signal for the application
    :ivar store: where sessions are kept; ``None`` if there is no store
    :ivar issuers: the trusted external issuers by name
    :ivar warned: the keys of the warnings that were logged for this application, under any configuration
    """

    settings: Settings
    loaders: Loaders
    ensure_sync: EnsureSync
    json_default: JSONDefault
    notify: Callable[..., None]
    store: SessionStore | None
    issuers: Mapping[str, ExternalIssuer]
    warned: set[str]

    @cached_property
    def without_reported(self) -> ExtensionState:
        """This state without the checks that JWT_REPORT_ONLY names. It has the same keys, and the same issuers."""
        other = replace(self, settings=self.settings.without_reported)
        other.__dict__.update(keys=self.keys)  # the value of the cached property
        return other

    @cached_property
    def keys(self) -> KeySource:
        """The keys that are configured. They are loaded for the first token."""
        return KeySource(self.settings, self.enforce_key_strength)

    @cached_property
    def signatures(self) -> SignatureVerifier:
        """Verifies the signature of every token."""
        loaded = LoadedKeys(self.settings, self.ensure_sync, self.enforce_key_strength, self.warn_once)
        return SignatureVerifier(self.loaders, self.keys, loaded, self.issuers, self.settings.max_token_bytes)

    def issuer_name(self, claims: Claims) -> str | None:
        """Return the trusted issuer of verified claims; ``None`` for a token of this application."""
        issuer = issuer_of(claims, self.issuers) if self.issuers else None
        return issuer.name if issuer is not None else None

    def warn_once(self, key: str, message: str, *arguments: object) -> None:
        """Log a warning, unless one with this key was logged for this application before."""
        if key not in self.warned and len(self.warned) < MAX_WARNINGS:
            self.warned.add(key)
            logger.warning(message, *arguments)

    @cached_property
    def _encoder(self) -> JSONEncoder:
        return compact.json_encoder(self.json_default)

    def encode(self, value: Any) -> bytes:
        """Encode a header or claims as JSON."""
        try:
            return self._encoder.encode(value).encode()
        except TypeError as error:
            fix = "to use objects as identities, register a user_identity_loader"
            raise TypeError(f"{error}, so a token cannot hold it: {fix}") from None

    def enforce_key_strength(self, key: Key) -> Key:
        """Return a key that JWT_KEY_STRENGTH accepts. A weak one raises, or warns once."""
        if key.weaknesses and self.settings.key_strength == "refuse":
            raise ConfigurationError(refusal_of(key))
        if key.weaknesses and not key.warned:
            for weakness in key.weaknesses:
                warnings.warn(weakness, stacklevel=2)
            key.warned = True
        return key
