"""Checks of keys: missing, weak, mixed up, left behind by a rotation, or made anew in every process.

Each check is one function from the :class:`ExtensionState` of an application to findings, listed in :data:`KEY_CHECKS`.
Judges and explains, and prints nothing. No finding holds a key.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import jwt
from jwt.algorithms import requires_cryptography
from jwt.exceptions import InvalidKeyError

from .._jose.jwk_set import State, thumbprint
from .._jose.keys import Key, prepare
from .._jose.weak_secrets import GuessableSecretWarning
from .._keys.current import ActiveKeys, signing_key, verification_key
from .._settings.redaction import without_credentials
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import ConfigurationError, IssuerUnavailableError
from ..stores.findings import Finding

NEW_SECRET = "python -c 'import secrets; print(secrets.token_hex(64))'"

_PROBE = b"a message that is no token"

Check = Callable[[ExtensionState], Iterator[Finding]]


@dataclass(frozen=True)
class _Role:
    """What a key is for, where its material is configured, and the loader that stands in for it."""

    verb: str
    attribute: str
    option: str
    loader: str

    def is_elsewhere(self, state: ExtensionState) -> bool:
        """Whether a loader or JWT_KEYS provides the key, and not the option."""
        return getattr(state.loaders, self.loader) is not None or bool(state.settings.keys)

    def material(self, state: ExtensionState) -> Any:
        """What is configured.

        :raises ConfigurationError: if nothing is
        """
        return getattr(state.settings, self.attribute)

    def key(self, state: ExtensionState) -> Key:
        """The configured key, tried out if it is to sign.

        :raises InvalidKeyError: if it does not fit JWT_ALGORITHM
        """
        make = signing_key if self is _SIGNS else verification_key
        return make(state.settings.algorithm, self.material(state), state.settings)

    def usable_key(self, state: ExtensionState) -> Key | None:
        """The configured key; ``None`` if there is none, none that works, or one from elsewhere."""
        try:
            return None if self.is_elsewhere(state) else self.key(state)
        except (ConfigurationError, InvalidKeyError):
            return None


_SIGNS = _Role("signs", "signing_key", "signing_option", "encode_key")
_VERIFIES = _Role("verifies", "verification_key", "verification_option", "decode_key")
_ROLES = (_SIGNS, _VERIFIES)


def missing_keys(state: ExtensionState) -> Iterator[Finding]:
    """No key is configured for JWT_ALGORITHM, and no loader provides one."""
    missing: dict[str, _Role] = {}
    for role in _ROLES:
        try:
            _ = role.is_elsewhere(state) or role.material(state)
        except ConfigurationError as error:
            missing[str(error)] = role
    for message, role in missing.items():
        is_enough = _does_without(role, state, is_only=len(missing) == 1)
        half = (
            "verify tokens but not issue any"
            if role is _SIGNS or state.settings.trusted_issuers
            else ("issue tokens but not verify any")
        )
        yield Finding(
            "info" if is_enough else "error",
            "missing_key",
            message,
            f"Without the key that {role.verb} tokens, "
            + (f"this application can {half}." if is_enough else "no token can be used."),
            _how_to_set_keys(state.settings, role),
        )


def _does_without(role: _Role, state: ExtensionState, *, is_only: bool) -> bool:
    """Whether an application works without a key: one that only verifies needs no private key, one whose loader
    provides the other key may have no use for this one, and one that overrides how tokens are made or verified may have
    no use for any.
    """
    loaders = state.loaders
    instead = (loaders.encode_key, loaders.decode_key, loaders.encode_token, loaders.decode_token)
    if state.settings.trusted_issuers or any(each is not None for each in instead):
        return True
    return role is _SIGNS and state.settings.is_asymmetric and is_only


def _how_to_set_keys(settings: Settings, role: _Role) -> str:
    if settings.is_asymmetric:
        half = "private" if role is _SIGNS else "public"
        what = f"Set JWT_{half.upper()}_KEY to the {half} key as PEM text"
        return f"{what} ({_environment(f'JWT_{half.upper()}_KEY')}), or register {role.loader}_loader."
    return f"Set JWT_SECRET_KEY ({_environment('JWT_SECRET_KEY')}) to what this prints: {NEW_SECRET}"


def _environment(option: str) -> str:
    return f"or the environment variable FLASK_{option}, with app.config.from_prefixed_env()"


def key_errors(state: ExtensionState) -> Iterator[Finding]:
    """What stands in the way of issuing or verifying any token."""
    checks = [missing_keys, unusable_keys, key_set]
    if state.settings.key_strength == "refuse":
        checks.append(weak_keys)
    return (finding for each in checks for finding in each(state) if finding.severity == "error")


def unusable_keys(state: ExtensionState) -> Iterator[Finding]:
    """A key is configured that is not a valid key for JWT_ALGORITHM."""
    for role in _ROLES:
        try:
            _ = role.is_elsewhere(state) or role.key(state)
        except ConfigurationError:
            continue  # missing_keys says so
        except InvalidKeyError as error:
            yield Finding(
                "error",
                "unusable_key",
                f"{getattr(state.settings, role.option)} cannot be used with {state.settings.algorithm}: {error}",
                "Every request that needs it ends in an error.",
                _how_to_set_keys(state.settings, role),
            )


def weak_keys(state: ExtensionState) -> Iterator[Finding]:
    """A key can be guessed, or is shorter than its algorithm asks for."""
    keys = [key for role in _ROLES if (key := role.usable_key(state))]
    keys += _usable_fallbacks(state.settings)
    for weakness in chain.from_iterable(key.weaknesses for key in dict.fromkeys(keys)):
        guessable = isinstance(weakness, GuessableSecretWarning)
        refused = state.settings.key_strength == "refuse"
        yield Finding(
            "error" if guessable or refused else "warning",
            "guessable_secret" if guessable else "short_key",
            str(weakness).partition(" Make one with")[0],
            "Who finds the key makes tokens for whomever they like: it can be searched for offline, with one token."
            + (" JWT_KEY_STRENGTH refuses it." if refused else ""),
            "Make an RSA key of 2048 bits or more."
            if state.settings.is_asymmetric
            else f"Use what this prints: {NEW_SECRET}",
        )


def _usable_fallbacks(settings: Settings) -> Iterator[Key]:
    algorithm = next((each for each in settings.accepted_algorithms if each not in requires_cryptography), "HS256")
    for secret in settings.secret_key_fallbacks:
        with suppress(InvalidKeyError):
            yield prepare(algorithm, secret)


def idle_fallbacks(state: ExtensionState) -> Iterator[Finding]:
    """JWT_SECRET_KEY_FALLBACKS holds the secret that signs, or there is no symmetric algorithm to verify with."""
    settings = state.settings
    if not settings.secret_key_fallbacks:
        return
    if settings.any_secret in settings.secret_key_fallbacks:
        yield Finding(
            "warning",
            "current_fallback",
            "JWT_SECRET_KEY_FALLBACKS holds JWT_SECRET_KEY itself",
            "A secret that was to be replaced still signs.",
            f"Set JWT_SECRET_KEY to a new one, what this prints: {NEW_SECRET}",
        )
    if all(each in requires_cryptography for each in settings.accepted_algorithms):
        yield Finding(
            "warning",
            "idle_fallbacks",
            "JWT_SECRET_KEY_FALLBACKS is set, and no symmetric algorithm is accepted",
            "Its secrets verify nothing.",
            "Name the algorithm of their tokens in JWT_DECODE_ALGORITHMS, HS256 say, or take them away.",
        )


def unrelated_keys(state: ExtensionState) -> Iterator[Finding]:
    """The key that verifies is not the other half of the one that signs."""
    signs, verifies = _SIGNS.usable_key(state), _VERIFIES.usable_key(state)
    if signs and verifies and not verifies.verify(_PROBE, signs.sign(_PROBE)):
        yield Finding(
            "error",
            "unrelated_keys",
            "JWT_PRIVATE_KEY and JWT_PUBLIC_KEY do not belong together",
            "This application refuses every token that it issues.",
            "Derive the public key from the private one: openssl pkey -in private.pem -pubout",
        )


def mixed_algorithms(state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS has symmetric and asymmetric algorithms under one key."""
    accepted = state.settings.accepted_algorithms
    symmetric = [each for each in accepted if each not in requires_cryptography]
    if symmetric and len(symmetric) < len(accepted) and not state.settings.keys:
        yield Finding(
            "warning" if _VERIFIES.is_elsewhere(state) else "error",
            "mixed_algorithms",
            f"JWT_DECODE_ALGORITHMS mixes symmetric and asymmetric algorithms: {', '.join(accepted)}",
            "A public key must never be taken for an HMAC secret: everybody has it. So one key cannot serve both "
            "kinds, and the tokens of one kind are refused.",
            "Name algorithms of one kind. To move from one to the other, choose the key in decode_key_loader.",
        )


def unfit_algorithms(state: ExtensionState) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS names algorithms, of the same kind, that the key is not for."""
    settings = state.settings
    if _VERIFIES.usable_key(state) is None:
        return
    alike = (each for each in settings.accepted_algorithms if (each in requires_cryptography) == settings.is_asymmetric)
    unfit = [each for each in alike if not _fits(each, settings)]
    if unfit:
        yield Finding(
            "warning",
            "unfit_algorithm",
            f"JWT_DECODE_ALGORITHMS names {', '.join(unfit)}, which the key that verifies is not for",
            "Tokens signed with it are refused, whoever made them.",
            "Take it off the list, or choose the key in decode_key_loader.",
        )


def shared_key(state: ExtensionState) -> Iterator[Finding]:
    """One key serves several of JWT_DECODE_ALGORITHMS. As in 4.7; under the strict profile it is remarked on."""
    settings = state.settings
    if settings.profile != "strict" or _VERIFIES.usable_key(state) is None:
        return
    served = [each for each in settings.accepted_algorithms if _fits(each, settings)]
    if len(served) > 1:
        yield Finding(
            "warning",
            "shared_key",
            f"{settings.verification_option} serves {', '.join(served)}, and a key should have one algorithm",
            "Which one it is, is the choice of whoever sends a token (RFC 8725bis, section 3.1).",
            "Keep one of them in JWT_DECODE_ALGORITHMS, or set JWT_KEYS to a JWK Set with a key for each.",
        )


def _fits(algorithm: str, settings: Settings) -> bool:
    try:
        verification_key(algorithm, settings.verification_key, settings)
    except InvalidKeyError:
        return False
    return True


# --- JWT_KEYS ---------------------------------------------------------------------------------------------------------


def key_set(state: ExtensionState) -> Iterator[Finding]:
    """JWT_KEYS cannot be used, or its keys stand where they should not in their lives."""
    if not state.settings.keys:
        return
    try:
        in_force = state.keys.at(time.time())
    except ConfigurationError as error:
        yield Finding(
            "error",
            "unusable_keys",
            str(error),
            "No token can be issued or verified.",
            "See that the file is there and holds a JWK Set: flask jwt keys generate makes one.",
        )
        return
    yield from _exposed_file(state.settings, in_force)
    yield from _signer_at_hand(in_force)
    yield from _odd_lives(in_force)


def _exposed_file(settings: Settings, in_force: ActiveKeys) -> Iterator[Finding]:
    if os.name != "posix" or not isinstance(settings.keys, (str, os.PathLike)):
        return
    path = Path(settings.keys)
    try:
        mode = path.stat().st_mode
    except OSError:  # it was there a moment ago
        return
    if mode & 0o077 and any({"d", "k"} & set(each.jwk) for each in in_force.listed):
        yield Finding(
            "error",
            "exposed_keys",
            f"Other users of this machine may read or change {path.name}, which JWT_KEYS names",
            "Anyone who has a private key can make tokens for any identity.",
            f"chmod 600 {path}, and let the user that runs the application own it.",
        )


def _signer_at_hand(in_force: ActiveKeys) -> Iterator[Finding]:
    if not in_force.listed:
        yield Finding(
            "error",
            "no_usable_key",
            "JWT_KEYS has no key that can be used",
            "No token can be issued.",
            "flask jwt keys generate makes a key. One that has retired, is not for signatures, or has an alg that is "
            "not supported does not count; the log names the last.",
        )
        return
    signer = in_force.ring.signer
    try:
        if signer is not None:
            signer[1].sign(_PROBE)
            return
    except InvalidKeyError:
        pass  # a public key
    verifies_only = signer is not None and not any({"d", "k"} & set(each.jwk) for each in in_force.listed)
    yield Finding(
        "info" if verifies_only else "error",
        "no_signing_key",
        "No private key of JWT_KEYS is active",
        "This application can verify tokens but not issue any.",
        "Nothing, if it is not meant to. Else: flask jwt keys rotate",
    )


def _odd_lives(in_force: ActiveKeys) -> Iterator[Finding]:
    endless = [each.kid for each in in_force.listed if each.state is State.RETIRING and each.until == math.inf]
    if endless:
        yield Finding(
            "warning",
            "endless_retirement",
            f"Retiring keys of JWT_KEYS have no end: {', '.join(endless)}",
            "They verify for ever, and who has an old copy of them makes tokens that pass.",
            'flask jwt keys retire KID, or set "until" to a time in ISO 8601.',
        )
    if in_force.ring.signer is not None and not any(each.state is State.NEXT for each in in_force.listed):
        yield Finding(
            "info",
            "no_next_key",
            "JWT_KEYS has no next key",
            "Should the one that signs leak, its successor is one that no verifier has seen yet.",
            "flask jwt keys generate",
        )


def unpublished_keys(state: ExtensionState) -> Iterator[Finding]:
    """JWT_JWKS_PATH serves a set without a key."""
    settings = state.settings
    if settings.jwks_path is None:
        return
    try:
        empty = not state.keys.published(time.time())["keys"]
    except (ConfigurationError, InvalidKeyError):
        return  # others say so
    if empty:
        yield Finding(
            "warning",
            "nothing_published",
            f"JWT_JWKS_PATH serves a JWK Set without a key at {settings.jwks_path}",
            "Secrets are never published, and there is no other key.",
            "Sign with a key pair: set JWT_KEYS, and flask jwt keys generate",
        )


# --- other people's issuers -------------------------------------------------------------------------------------------


def issuer_keys(state: ExtensionState) -> Iterator[Finding]:
    """The keys of a trusted issuer cannot be had, or cannot be used."""
    for name, issuer in state.issuers.items():
        try:
            found = issuer.keys.current()
        except IssuerUnavailableError as error:
            yield Finding(
                "error",
                "issuer_unreachable",
                f"The keys of {without_credentials(name)} cannot be had: {error.reason}",
                "Its tokens are answered with 503.",
                "See that jwks_uri or discovery in JWT_TRUSTED_ISSUERS is right, and that this machine may reach it.",
            )
            continue
        if not found.is_usable:
            yield Finding(
                "error",
                "issuer_without_usable_keys",
                f"No key of {without_credentials(name)} can be used: {found.reasons}",
                "All its tokens are refused.",
                "Check the algorithms of this issuer in JWT_TRUSTED_ISSUERS, and the keys that it publishes.",
            )
        elif found.unusable:
            yield Finding(
                "info",
                "unusable_issuer_keys",
                f"Some keys of {without_credentials(name)} are ignored: {found.reasons}",
                "Tokens that were signed with them are refused.",
                "Nothing, if they are not for your tokens. Otherwise check its algorithms in JWT_TRUSTED_ISSUERS.",
            )


#: Every check of keys.
KEY_CHECKS: tuple[Check, ...] = (
    missing_keys,
    unusable_keys,
    weak_keys,
    idle_fallbacks,
    unrelated_keys,
    mixed_algorithms,
    unfit_algorithms,
    shared_key,
    key_set,
    unpublished_keys,
    issuer_keys,
)


# --- the same key in every process ----------------------------------------------------------------------------------


def key_digest(state: ExtensionState, salt: bytes) -> str:
    """Return a digest of the signing key by which processes with the same salt tell whether theirs is the same.

    :raises ConfigurationError: if there is no such key, or it is chosen for each token, or it is of no known form
    """
    if state.loaders.encode_key is not None:
        raise ConfigurationError("encode_key_loader chooses the key for each token")
    octets = _octets_of_set(state) if state.settings.keys else _octets(_SIGNS.material(state))
    return hmac.new(salt, octets, "sha256").hexdigest()


def _octets_of_set(state: ExtensionState) -> bytes:
    return json.dumps([thumbprint(each.jwk) for each in state.keys.at(time.time()).listed]).encode()


def _octets(material: Any) -> bytes:
    """Octets that stand for a key: the same ones in every process. A key pair is known by its public half."""
    if isinstance(material, jwt.PyJWK):
        material = material.key
    if isinstance(material, (str, bytes)):
        return material.encode() if isinstance(material, str) else material
    if isinstance(material, Mapping):
        return json.dumps(dict(material), sort_keys=True, default=str).encode()
    try:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = material.public_key() if hasattr(material, "public_key") else material
        octets: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ImportError, AttributeError, ValueError):
        raise ConfigurationError(f"a {type(material).__name__} cannot be compared between processes") from None
    return octets


def differing_keys(digest: str, other: str) -> Iterator[Finding]:
    """Two processes of one application have signing keys with these digests."""
    if not hmac.compare_digest(digest, other):
        yield Finding(
            "error",
            "key_differs",
            "Each process of this application has a signing key of its own",
            "The key is made when the application is loaded. A token of one worker is refused by the next, and every "
            "restart ends all sessions.",
            f"Make the key once ({NEW_SECRET}) and read it from the environment.",
        )


def not_compared(reason: str) -> Finding:
    """Say that :func:`differing_keys` could not be asked."""
    return Finding(
        "info",
        "key_not_compared",
        f"Whether every process has the same key was not checked: {reason}",
        "A key made when the application is loaded differs from worker to worker, and ends all sessions at a restart.",
        "Read the key from the environment or a file. flask --app yourmodule jwt check compares it.",
    )
