"""Checks of keys: missing, weak, unrelated, left behind by a rotation, not published, or not to be had from an issuer.

Each check is one function from the :class:`ExtensionState` of an application to findings, listed in :data:`KEY_CHECKS`.
No finding contains a key.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from jwt.algorithms import requires_cryptography
from jwt.exceptions import InvalidKeyError

from .._jose.jwk_set import State
from .._jose.keys import Key, prepare
from .._jose.weak_secrets import GuessableSecretWarning
from .._keys.current import ActiveKeys, signing_key, verification_key
from .._settings.redaction import without_credentials
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import ConfigurationError, IssuerUnavailableError
from ..stores.findings import Finding, Severity
from .findings import NEW_SECRET, finding

_PROBE = b"a message to sign, which is not a token"

Check = Callable[[ExtensionState], Iterator[Finding]]


#: The two uses of a key, each with the loader that replaces the configured key and with what makes it ready for use.
_USES: dict[str, tuple[str, Callable[[str, Any, Settings], Key]]] = {
    "signing": ("encode_key", signing_key),
    "verification": ("decode_key", verification_key),
}


def _is_replaced(use: str, state: ExtensionState) -> bool:
    """Whether a loader or JWT_KEYS provides the key instead of its own option."""
    return getattr(state.loaders, _USES[use][0]) is not None or bool(state.settings.keys)


def _key(use: str, state: ExtensionState) -> Key | None:
    """Return the configured key; ``None`` if it is replaced.

    :raises ConfigurationError: if nothing is configured
    :raises InvalidKeyError: if the key does not fit JWT_ALGORITHM
    """
    if _is_replaced(use, state):
        return None
    settings = state.settings
    return _USES[use][1](settings.algorithm, getattr(settings, f"{use}_key"), settings)


def _usable_key(use: str, state: ExtensionState) -> Key | None:
    """Return the configured key; ``None`` if it is replaced, missing or unusable."""
    with suppress(ConfigurationError, InvalidKeyError):
        return _key(use, state)
    return None


def key_errors(state: ExtensionState) -> Iterator[Finding]:
    """Find what prevents every token from being issued or verified."""
    checks = [missing_keys, unusable_keys, key_set]
    if state.settings.key_strength == "refuse":
        checks.append(weak_keys)
    return (each for check in checks for each in check(state) if each.severity == "error")


def missing_keys(state: ExtensionState) -> Iterator[Finding]:
    """No key is configured for JWT_ALGORITHM, and no loader provides one."""
    missing: dict[str, str] = {}
    for use in _USES:
        try:
            _key(use, state)
        except ConfigurationError as error:
            missing[str(error)] = use  # the message is the same for a secret, which has both uses
        except InvalidKeyError:
            continue  # reported by unusable_keys
    for message, use in missing.items():
        is_enough = _works_without(use, state, is_only=len(missing) == 1)
        verifies = use == "signing" or state.settings.trusted_issuers
        half = "verify tokens but not issue any" if verifies else "issue tokens but not verify any"
        yield finding(
            "missing_key",
            "info" if is_enough else "error",
            error=message,
            use=use,
            consequence=f"this application can {half}" if is_enough else "no token can be used",
            fix=_how_to_set_keys(state.settings, use),
        )


def _works_without(use: str, state: ExtensionState, *, is_only: bool) -> bool:
    """Whether an application may work without a key: it only verifies, or a loader or an override takes its place."""
    loaders = state.loaders
    instead = (loaders.encode_key, loaders.decode_key, loaders.encode_token, loaders.decode_token)
    if state.settings.trusted_issuers or any(each is not None for each in instead):
        return True
    return use == "signing" and state.settings.is_asymmetric and is_only


def _how_to_set_keys(settings: Settings, use: str) -> str:
    if settings.is_asymmetric:
        half = "private" if use == "signing" else "public"
        what = f"Set JWT_{half.upper()}_KEY to the {half} key as PEM text"
        return f"{what} ({_environment(f'JWT_{half.upper()}_KEY')}), or register {_USES[use][0]}_loader."
    return f"Set JWT_SECRET_KEY ({_environment('JWT_SECRET_KEY')}) to the output of: {NEW_SECRET}"


def _environment(option: str) -> str:
    return f"or the environment variable FLASK_{option}, with app.config.from_prefixed_env()"


def unusable_keys(state: ExtensionState) -> Iterator[Finding]:
    """A configured key is not a valid key for JWT_ALGORITHM."""
    settings = state.settings
    for use in _USES:
        try:
            _key(use, state)
        except ConfigurationError:
            continue  # reported by missing_keys
        except InvalidKeyError as error:
            option, fix = getattr(settings, f"{use}_option"), _how_to_set_keys(settings, use)
            yield finding("unusable_key", option=option, algorithm=settings.algorithm, error=error, fix=fix)


def weak_keys(state: ExtensionState) -> Iterator[Finding]:
    """A key is guessable, or shorter than its algorithm requires."""
    settings = state.settings
    keys = [key for use in _USES if (key := _usable_key(use, state))]
    keys += _usable_fallbacks(settings)
    is_refused = settings.key_strength == "refuse"
    fix = "Make an RSA key of 2048 bits or more." if settings.is_asymmetric else f"Use the output of: {NEW_SECRET}"
    for weakness in chain.from_iterable(key.weaknesses for key in dict.fromkeys(keys)):
        yield finding(
            "guessable_secret" if isinstance(weakness, GuessableSecretWarning) else "short_key",
            "error" if is_refused else None,
            weakness=str(weakness).partition(" Make one with")[0],
            refused=" JWT_KEY_STRENGTH refuses it." if is_refused else "",
            fix=fix,
        )


def _usable_fallbacks(settings: Settings) -> Iterator[Key]:
    algorithm = next((each for each in settings.accepted_algorithms if each not in requires_cryptography), "HS256")
    for secret in settings.secret_key_fallbacks:
        with suppress(InvalidKeyError):
            yield prepare(algorithm, secret)


def idle_fallbacks(state: ExtensionState) -> Iterator[Finding]:
    """JWT_SECRET_KEY_FALLBACKS contains the signing secret, or no symmetric algorithm is accepted."""
    settings = state.settings
    if not settings.secret_key_fallbacks:
        return
    if settings.any_secret in settings.secret_key_fallbacks:
        yield finding("current_fallback")
    if all(each in requires_cryptography for each in settings.accepted_algorithms):
        yield finding("idle_fallbacks")


def unrelated_keys(state: ExtensionState) -> Iterator[Finding]:
    """The public key does not belong to the private key."""
    signs, verifies = _usable_key("signing", state), _usable_key("verification", state)
    if signs and verifies and not verifies.verify(_PROBE, signs.sign(_PROBE)):
        yield finding("unrelated_keys")


def mixed_algorithms(state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS has symmetric and asymmetric algorithms for one key."""
    accepted = state.settings.accepted_algorithms
    symmetric = [each for each in accepted if each not in requires_cryptography]
    if symmetric and len(symmetric) < len(accepted) and not state.settings.keys:
        severity: Severity | None = "warning" if _is_replaced("verification", state) else None
        yield finding("mixed_algorithms", severity, algorithms=", ".join(accepted))


def unfit_algorithms(state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS names algorithms that the key cannot be used with, or several that it can be used with."""
    settings = state.settings
    if _usable_key("verification", state) is None:
        return
    usable = [each for each in settings.accepted_algorithms if _can_verify(each, settings)]
    alike = (each for each in settings.accepted_algorithms if (each in requires_cryptography) == settings.is_asymmetric)
    unfit = [each for each in alike if each not in usable]
    if unfit:
        yield finding("unfit_algorithm", algorithms=", ".join(unfit))
    if len(usable) > 1 and settings.profile == "strict":  # 4.7 allows it
        yield finding("shared_key", option=settings.verification_option, algorithms=", ".join(usable))


def _can_verify(algorithm: str, settings: Settings) -> bool:
    try:
        verification_key(algorithm, settings.verification_key, settings)
    except InvalidKeyError:
        return False
    return True


# --- JWT_KEYS ---------------------------------------------------------------------------------------------------------


def key_set(state: ExtensionState) -> Iterator[Finding]:
    """JWT_KEYS cannot be used, can be read by others, or has keys in unexpected states."""
    if not state.settings.keys:
        return
    try:
        active = state.keys.at(time.time())
    except ConfigurationError as error:
        yield finding("unusable_keys", error=error)
        return
    yield from _exposed_file(state.settings, active)
    if not active.listed:
        yield finding("no_usable_key")
        return
    yield from _missing_signer(active)
    yield from _unfinished_rotation(active)


def _exposed_file(settings: Settings, active: ActiveKeys) -> Iterator[Finding]:
    if os.name != "posix" or not isinstance(settings.keys, (str, os.PathLike)):
        return
    path = Path(settings.keys)
    with suppress(OSError):  # the file was deleted after it was read
        if path.stat().st_mode & 0o077 and _has_private_keys(active):
            yield finding("exposed_keys", name=path.name, path=path)


def _has_private_keys(active: ActiveKeys) -> bool:
    return any({"d", "k"} & set(each.jwk) for each in active.listed)


def _missing_signer(active: ActiveKeys) -> Iterator[Finding]:
    signer = active.ring.signer
    if signer is not None:
        with suppress(InvalidKeyError):  # it is a public key
            signer[1].sign(_PROBE)
            return
    yield finding("no_signing_key", "error" if signer is None or _has_private_keys(active) else "info")


def _unfinished_rotation(active: ActiveKeys) -> Iterator[Finding]:
    endless = [each.kid for each in active.listed if each.state is State.RETIRING and each.until == math.inf]
    if endless:
        yield finding("endless_retirement", kids=", ".join(endless))
    if active.ring.signer is not None and not any(each.state is State.NEXT for each in active.listed):
        yield finding("no_next_key")


def unpublished_keys(state: ExtensionState) -> Iterator[Finding]:
    """JWT_JWKS_PATH serves a set without a key."""
    path = state.settings.jwks_path
    with suppress(ConfigurationError, InvalidKeyError):  # reported by other checks
        if path is not None and not state.keys.published(time.time())["keys"]:
            yield finding("nothing_published", path=path)


# --- external issuers -------------------------------------------------------------------------------------------------


def issuer_keys(state: ExtensionState) -> Iterator[Finding]:
    """The keys of a trusted issuer cannot be fetched, or cannot be used."""
    for name, issuer in state.issuers.items():
        shown = without_credentials(name)
        try:
            found = issuer.keys.current()
        except IssuerUnavailableError as error:
            yield finding("issuer_unreachable", issuer=shown, reason=error.reason)
            continue
        if not found.is_usable:
            yield finding("issuer_without_usable_keys", issuer=shown, reasons=found.reasons)
        elif found.unusable:
            yield finding("unusable_issuer_keys", issuer=shown, reasons=found.reasons)


#: Every check of keys.
KEY_CHECKS: tuple[Check, ...] = (
    missing_keys,
    unusable_keys,
    weak_keys,
    idle_fallbacks,
    unrelated_keys,
    mixed_algorithms,
    unfit_algorithms,
    key_set,
    unpublished_keys,
    issuer_keys,
)
