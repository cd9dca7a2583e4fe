"""The keys that ``decode_key_loader`` returns for the unverified header and claims of a token.

Whatever a hostile token makes it raise refuses the token; only outages and mistakes of the application do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import ENAMETOOLONG
from typing import Any

from jwt.exceptions import InvalidKeyError, InvalidTokenError, PyJWKClientConnectionError, PyJWTError

from .._jose import compact
from .._jose.keys import Key, KeyRing, prepare_bound
from .._loaders import EnsureSync, call
from .._settings.settings import Settings
from ..exceptions import ConfigurationError, JWTExtendedException, KeyUnavailableError
from ..signals import logger
from ..typing import Claims, DecodeKeyLoader, Header

_NO_KEY = "No key to verify this token with"
#: What the loader raises if there is no key, or hostile claims make it fail. It may use the ``kid`` as a file name.
_NOT_FOUND = (
    *(PyJWTError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    *(FileNotFoundError, NotADirectoryError, IsADirectoryError),
)


@dataclass(frozen=True, eq=False, repr=False)
class LoadedKeys:
    """Verifies tokens with the keys of ``decode_key_loader``."""

    settings: Settings
    ensure_sync: EnsureSync
    enforce_strength: Callable[[Key], Key]
    warn_once: Callable[..., None]

    def verify(self, encoded: str | bytes, load: DecodeKeyLoader) -> tuple[Header, bytes]:
        """Verify a token with the key that the loader returns for it."""
        parts = header, signing_input, payload, _ = compact.parse(encoded, self.settings.max_token_bytes)
        algorithm = compact.check_algorithm(header, self.settings.accepted_algorithms)
        claims = compact.parse_object(compact.decode_segment(payload, "payload"), "payload")
        _, octets = compact.verify_with(self._candidates(load, algorithm, header, claims), parts)
        # The loader may have changed the header and the claims that it was called with: parse what was signed.
        head, _, _ = signing_input.partition(b".")
        return compact.parse_object(compact.decode_segment(head, "header"), "header"), octets

    def _candidates(self, load: DecodeKeyLoader, algorithm: str, header: Header, claims: Claims) -> Sequence[Key]:
        """Return the keys that may have signed a token."""
        material = self._load(load, header, claims)
        if material is None:
            raise InvalidTokenError(_NO_KEY)
        if isinstance(material, KeyRing):
            return material.candidates(algorithm, header.get("kid"))
        try:
            return [self.enforce_strength(prepare_bound(algorithm, material, self.settings.algorithms_of_keys))]
        except InvalidKeyError as error:
            self.warn_once(f"decode_key_loader {error}", "A key of decode_key_loader cannot be used: %s", error)
            raise InvalidTokenError("The key of this token does not fit its algorithm") from None
        except ConfigurationError as error:
            # Not a 500: the client may have chosen which key was loaded.
            logger.warning("The key of decode_key_loader is refused: %s", error)
            raise InvalidTokenError(_NO_KEY) from None

    def _load(self, load: DecodeKeyLoader, header: Header, claims: Claims) -> Any:
        try:
            return call(self.ensure_sync, load, header, claims)
        except Exception as error:
            if _is_outage(error):
                logger.warning("decode_key_loader cannot reach its keys: %s", type(error).__name__)
                raise KeyUnavailableError(type(error).__name__) from error
            if isinstance(error, InvalidTokenError):
                raise  # the application refuses the token with a message of its own
            if not isinstance(error, _NOT_FOUND) and getattr(error, "errno", None) != ENAMETOOLONG:
                raise
            logger.debug("decode_key_loader raised %s: the token is refused", type(error).__name__)
            raise InvalidTokenError(_NO_KEY) from error


def _is_outage(error: BaseException) -> bool:
    """Return whether an error means that a server did not answer: an OSError that is not about the name of a file, a
    timeout or connection error of any client library, or an error that was raised from one of them.
    """
    if isinstance(error, PyJWKClientConnectionError):
        return True
    if isinstance(error, (*_NOT_FOUND, JWTExtendedException)):
        return False
    if isinstance(error, OSError):
        return error.errno != ENAMETOOLONG
    # Not all of them are OSErrors: those of redis-py are not, nor that of asyncio before Python 3.11.
    if any(each.__name__ in ("TimeoutError", "ConnectionError") for each in type(error).__mro__):
        return True
    return error.__cause__ is not None and _is_outage(error.__cause__)
