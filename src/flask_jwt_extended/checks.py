"""Checks: what is wrong with the way an application is set up.

Each check is one function from the application and its :class:`Runtime` to findings; :data:`CHECKS` lists them. Judges
and explains, and prints nothing: ``cli`` does. Does not look for the application at hand, and starts no process.
"""

from __future__ import annotations

import hmac
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain
from typing import Any

import jwt
from flask import Flask
from jwt.algorithms import requires_cryptography
from jwt.exceptions import InvalidKeyError

from .core.keys import Key, prepare
from .core.secrets import GuessableSecretWarning
from .exceptions import ConfigurationError, StoreUnavailableError
from .findings import Finding
from .runtime import Runtime
from .settings import Settings, option_name, unknown_options
from .words import DAY, duration

#: Seconds of leeway above which it is no difference between clocks any more.
LARGE_LEEWAY = 300
#: Seconds of grace above which it is no race between two tabs any more.
LONG_GRACE = 60
NEW_SECRET = "python -c 'import secrets; print(secrets.token_hex(64))'"

_PROBE = b"a message that is no token"


Check = Callable[[Flask, Runtime], Iterator[Finding]]


def check(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Run every check."""
    return chain.from_iterable(each(app, runtime) for each in CHECKS)


def foot_guns(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Run the checks that are cheap enough for the start of an application and leave no doubt: a view that is served
    unprotected, an asymmetric algorithm without its keys, algorithms that must not share a key.
    """
    yield from bare_views(app, runtime)
    yield from mixed_algorithms(app, runtime)
    if runtime.settings.is_asymmetric:
        yield from (finding for finding in missing_keys(app, runtime) if finding.severity == "error")


# --- keys -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Role:
    """What a key is for, where its material is configured, and the loader that stands in for it."""

    verb: str
    attribute: str
    loader: str

    def is_loaded(self, runtime: Runtime) -> bool:
        return getattr(runtime.loaders, self.loader) is not None

    def material(self, runtime: Runtime) -> Any:
        """What is configured.

        :raises ConfigurationError: if nothing is
        """
        return getattr(runtime.settings, self.attribute)

    def key(self, runtime: Runtime) -> Key:
        """The configured key, tried out if it is to sign.

        :raises InvalidKeyError: if it does not fit JWT_ALGORITHM
        """
        key = prepare(runtime.settings.algorithm, self.material(runtime))
        if self is _SIGNS:
            key.sign(_PROBE)
        return key

    def usable_key(self, runtime: Runtime) -> Key | None:
        """The configured key; ``None`` if there is none, none that works, or a loader in its place."""
        try:
            return None if self.is_loaded(runtime) else self.key(runtime)
        except (ConfigurationError, InvalidKeyError):
            return None


_SIGNS = _Role("signs", "signing_key", "encode_key")
_VERIFIES = _Role("verifies", "verification_key", "decode_key")
_ROLES = (_SIGNS, _VERIFIES)


def missing_keys(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """No key is configured for JWT_ALGORITHM, and no loader provides one."""
    missing: dict[str, _Role] = {}
    for role in _ROLES:
        try:
            _ = role.is_loaded(runtime) or role.material(runtime)
        except ConfigurationError as error:
            missing[str(error)] = role
    for message, role in missing.items():
        # A service that only verifies needs no private key.
        verifies_only = role is _SIGNS and runtime.settings.is_asymmetric and len(missing) == 1
        yield Finding(
            "info" if verifies_only else "error",
            "missing_key",
            message,
            f"Without the key that {role.verb} tokens, "
            + ("this application can verify tokens but not issue any." if verifies_only else "no token can be used."),
            _how_to_set_keys(runtime.settings, role),
        )


def _how_to_set_keys(settings: Settings, role: _Role) -> str:
    if settings.is_asymmetric:
        half = "private" if role is _SIGNS else "public"
        return f"Set JWT_{half.upper()}_KEY to the {half} key as PEM text, or register {role.loader}_loader."
    return f"Set JWT_SECRET_KEY, from the environment say, to what this prints: {NEW_SECRET}"


def unusable_keys(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """A key is configured that is none, or none for JWT_ALGORITHM."""
    for role in _ROLES:
        try:
            _ = role.is_loaded(runtime) or role.key(runtime)
        except ConfigurationError:
            continue  # missing_keys says so
        except InvalidKeyError as error:
            yield Finding(
                "error",
                "unusable_key",
                f"The key that {role.verb} {runtime.settings.algorithm} cannot be used: {error}",
                "Every request that needs it ends in an error.",
                _how_to_set_keys(runtime.settings, role),
            )


def weak_keys(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """A key can be guessed, or is shorter than its algorithm asks for."""
    keys = {id(key): key for role in _ROLES if (key := role.usable_key(runtime))}
    for weakness in chain.from_iterable(key.weaknesses for key in keys.values()):
        guessable = isinstance(weakness, GuessableSecretWarning)
        refused = runtime.settings.key_strength == "refuse"
        yield Finding(
            "error" if guessable or refused else "warning",
            "guessable_secret" if guessable else "short_key",
            str(weakness).partition(" Make one with")[0],
            "Who finds the key makes tokens for whomever they like: it can be searched for offline, with one token."
            + (" JWT_KEY_STRENGTH refuses it." if refused else ""),
            "Make an RSA key of 2048 bits or more."
            if runtime.settings.is_asymmetric
            else f"Use what this prints: {NEW_SECRET}",
        )


def unrelated_keys(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """The key that verifies is not the other half of the one that signs."""
    signs, verifies = _SIGNS.usable_key(runtime), _VERIFIES.usable_key(runtime)
    if signs and verifies and not verifies.verify(_PROBE, signs.sign(_PROBE)):
        yield Finding(
            "error",
            "unrelated_keys",
            "JWT_PRIVATE_KEY and JWT_PUBLIC_KEY do not belong together",
            "This application refuses every token that it issues.",
            "Derive the public key from the private one: openssl pkey -in private.pem -pubout",
        )


def mixed_algorithms(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS has symmetric and asymmetric algorithms under one key."""
    accepted = runtime.settings.accepted_algorithms
    symmetric = [each for each in accepted if each not in requires_cryptography]
    if symmetric and len(symmetric) < len(accepted):
        yield Finding(
            "warning" if _VERIFIES.is_loaded(runtime) else "error",
            "mixed_algorithms",
            f"JWT_DECODE_ALGORITHMS mixes symmetric and asymmetric algorithms: {', '.join(accepted)}",
            "A public key must never be taken for an HMAC secret: everybody has it. So one key cannot serve both "
            "kinds, and the tokens of one kind are refused.",
            "Name algorithms of one kind. To move from one to the other, choose the key in decode_key_loader.",
        )


def unfit_algorithms(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_DECODE_ALGORITHMS names algorithms, of the same kind, that the key is not for."""
    settings = runtime.settings
    if _VERIFIES.usable_key(runtime) is None:
        return
    alike = (each for each in settings.accepted_algorithms if (each in requires_cryptography) == settings.is_asymmetric)
    unfit = [each for each in alike if not _fits(each, settings.verification_key)]
    if unfit:
        yield Finding(
            "warning",
            "unfit_algorithm",
            f"JWT_DECODE_ALGORITHMS names {', '.join(unfit)}, which the key that verifies is not for",
            "Tokens signed with it are refused, whoever made them.",
            "Take it off the list, or choose the key in decode_key_loader.",
        )


def _fits(algorithm: str, material: Any) -> bool:
    try:
        prepare(algorithm, material)
    except InvalidKeyError:
        return False
    return True


# --- options --------------------------------------------------------------------------------------------------------


def misspelt_options(app: Flask, _runtime: Runtime) -> Iterator[Finding]:
    """The configuration has a ``JWT_*`` name that is no option."""
    for name, nearest in unknown_options(app.config):
        yield Finding(
            "warning",
            "unknown_option",
            f"{name} is no option of flask_jwt_extended",
            "It has no effect: what it should change or protect stays as it is by default.",
            f"Did you mean {nearest}?" if nearest else "Remove it, or give it a name that does not begin with JWT_.",
        )


def long_lives(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Tokens live for ever, or access tokens for more than a day."""
    for kind in (runtime.settings.access, runtime.settings.refresh):
        option = option_name(f"{kind.name}_token_expires")
        if kind.token_expires is False:
            yield Finding(
                "warning",
                "never_expires",
                f"{option} is False: {kind.name} tokens never expire",
                "A token that was stolen or logged once works for as long as the key does.",
                f"Set {option} to a timedelta.",
            )
        elif kind.name == "access" and (lifetime := _seconds(kind.token_expires)) > DAY:
            yield Finding(
                "warning",
                "long_access_lifetime",
                f"{option}: an access token lives for {duration(lifetime)}",
                "That is how long a stolen one works, and a user who was locked out stays in.",
                "Let it live for minutes, and renew it with a refresh token.",
            )


def _seconds(delta: Any) -> float:
    """The length of a lifetime: a ``relativedelta`` has none of its own, and ``False`` has no end."""
    if delta is False:
        return math.inf
    moment = datetime(2000, 1, 1, tzinfo=timezone.utc)
    length: float = (moment + delta - moment).total_seconds()
    return length


def large_leeway(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_DECODE_LEEWAY is more than clocks differ."""
    leeway = runtime.settings.decode_leeway
    if leeway > LARGE_LEEWAY:
        yield Finding(
            "warning",
            "large_leeway",
            f"JWT_DECODE_LEEWAY lets expired tokens pass for {duration(leeway)}",
            "It is there for clocks that differ by seconds, and prolongs the life of every token.",
            "Set it to 60 or less, and synchronise the clocks.",
        )


def _locations(app: Flask, runtime: Runtime) -> set[str]:
    """Where tokens are looked for: by default, and by views that choose for themselves."""
    policies = (getattr(view, "__jwt_policy__", None) for view in app.view_functions.values())
    return set(runtime.settings.token_location).union(*(policy.locations for policy in policies if policy))


def exposed_cookies(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Cookies carry tokens and browsers may send them over HTTP, or with requests that other sites start."""
    settings = runtime.settings
    if "cookies" not in _locations(app, runtime):
        return
    if not settings.cookie_secure:
        yield Finding(
            "warning",
            "insecure_cookies",
            "Tokens travel in cookies, and JWT_COOKIE_SECURE is off",
            "Browsers send the cookies over plain HTTP too, where anybody on the way can read them.",
            "Set JWT_COOKIE_SECURE = True; browsers take such cookies from http://localhost as well.",
        )
    if settings.cookie_samesite in (None, "None"):
        yield Finding(
            "warning",
            "cross_site_cookies",
            'JWT_COOKIE_SAMESITE is "None"' if settings.cookie_samesite else "JWT_COOKIE_SAMESITE is not set",
            "Cookies may go along with requests that other sites start.",
            'Set JWT_COOKIE_SAMESITE = "Lax" or "Strict", unless other sites embed this one.',
        )


def forgeable_requests(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Cookies carry tokens, and nothing tells a request of this site from one of another."""
    settings = runtime.settings
    protects = (settings.cookie_csrf_protect or settings.csrf_origin_check) and settings.csrf_methods != frozenset()
    if "cookies" in _locations(app, runtime) and not protects:
        yield Finding(
            "error",
            "no_csrf_protection",
            "Tokens travel in cookies without CSRF protection",
            "Any page can make a browser send a request with the cookie of its user.",
            "Set JWT_COOKIE_CSRF_PROTECT = True, and leave JWT_CSRF_METHODS alone.",
        )


def tokens_in_urls(app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Tokens are taken from the query string."""
    if "query_string" in _locations(app, runtime):
        yield Finding(
            "warning",
            "token_in_url",
            "Tokens are taken from the query string",
            "URLs are kept: in access logs, in the history of browsers, in Referer headers (RFC 6750, section 2.3).",
            "Take query_string off JWT_TOKEN_LOCATION, or name it in the locations of the views that need it alone, "
            "with short-lived tokens.",
        )


def compat_profile(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_PROFILE keeps the defaults of 4.7."""
    if runtime.settings.profile == "compat":
        yield Finding(
            "info",
            "compat_profile",
            'JWT_PROFILE is "compat", with the defaults of Flask-JWT-Extended 4.7',
            "Some of them are weaker than what is known to be good today.",
            'A new application should start with JWT_PROFILE = "strict". See docs/security.md.',
        )


# --- sessions -------------------------------------------------------------------------------------------------------


def ailing_store(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """The store cannot be reached, or is weaker than what is kept there deserves."""
    if runtime.store is None:
        return
    try:
        yield from runtime.store.findings(time.time())
    except Exception as error:  # of the engine, or of a store of the application's own; its text may hold a password
        reason = error.reason if isinstance(error, StoreUnavailableError) else type(error).__name__
        yield Finding(
            "error",
            "store_unreachable",
            f"The session store cannot be asked: {reason}",
            "Nobody can log in or refresh, and whether a token was revoked cannot be told.",
            "See that it runs, and that JWT_STORE_URI and JWT_STORE_TIMEOUT are right.",
        )


def outage_lets_pass(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_STORE_OUTAGE lets tokens pass that may have been revoked."""
    if runtime.store is not None and runtime.settings.store_outage == "allow":
        yield Finding(
            "warning",
            "outage_allows",
            'JWT_STORE_OUTAGE is "allow"',
            "While the store is unavailable, revoked access tokens pass, and those of sessions that were ended.",
            'Set it to "refuse", unless an outage is worse than a stolen token.',
        )


def odd_grace(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """JWT_REFRESH_GRACE is longer than a race takes, or there is none."""
    grace = runtime.settings.refresh_grace
    if runtime.store is not None and grace > LONG_GRACE:
        yield Finding(
            "warning",
            "long_grace",
            f"JWT_REFRESH_GRACE answers a used refresh token for {duration(grace)}",
            "So long after its use, whoever has stolen one gets into the session unnoticed.",
            "Set it to 10: it is for two tabs that refresh at once, and for answers that get lost.",
        )
    elif runtime.store is not None and grace == 0:
        yield Finding(
            "info",
            "no_grace",
            "JWT_REFRESH_GRACE is 0: a refresh token that comes twice ends its session",
            "Two tabs that refresh at once log their user out, and so does an answer that gets lost.",
            "Set it to 10, unless the client never does either.",
        )


def short_sessions(_app: Flask, runtime: Runtime) -> Iterator[Finding]:
    """Sessions end before their tokens ask to be refreshed, or before their refresh tokens expire."""
    settings = runtime.settings
    idle, access = _seconds(settings.session_idle_timeout), _seconds(settings.access_token_expires)
    if runtime.store is not None and idle <= access and idle < math.inf:
        yield Finding(
            "warning",
            "short_idle_timeout",
            f"JWT_SESSION_IDLE_TIMEOUT ends a session {duration(idle)} after its last refresh, while its access token "
            + ("never expires" if access == math.inf else f"lives for {duration(access)}"),
            "A client that refreshes when its access token has expired comes too late: its user is logged out.",
            "Let access tokens live for less than half of JWT_SESSION_IDLE_TIMEOUT.",
        )
    lifetime, refresh = _seconds(settings.session_lifetime), _seconds(settings.refresh_token_expires)
    if runtime.store is not None and lifetime < refresh < math.inf:
        yield Finding(
            "info",
            "short_session_lifetime",
            f"JWT_SESSION_LIFETIME ends a session after {duration(lifetime)}, before JWT_REFRESH_TOKEN_EXPIRES "
            f"({duration(refresh)}) has an effect",
            "No token of a session outlives it.",
            "Nothing, if that is how long a login is meant to last.",
        )


# --- views ----------------------------------------------------------------------------------------------------------


def bare_views(app: Flask, _runtime: Runtime) -> Iterator[Finding]:
    """``@jwt_required()`` stands above the route, so that the bare function is served.

    The decorator leaves a trace of the wrapper on the function. If that wrapper serves no rule, or is gone, it guards
    nothing.
    """
    served = {id(layer) for view in app.view_functions.values() for layer in _layers(view)}
    for endpoint, rules in _rules(app).items():
        view = app.view_functions.get(endpoint)
        guard = getattr(view, "__jwt_guard__", None)
        if guard is not None and not hasattr(view, "__jwt_policy__") and id(guard()) not in served:
            name = getattr(view, "__qualname__", endpoint)
            yield Finding(
                "error",
                "unprotected_view",
                f"{', '.join(rules)}: anybody may call {name}, for its @jwt_required() stands above the route",
                "A route serves the function below it, here the one without protection.",
                "Put @jwt_required() below the route, next to the function.",
            )


def _rules(app: Flask) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for rule in app.url_map.iter_rules():
        rules.setdefault(rule.endpoint, []).append(rule.rule)
    return rules


def _layers(view: Any) -> list[Any]:
    """A function and the ones it wraps, the outermost first (``functools.wraps``)."""
    layers: list[Any] = []
    while view is not None and not any(view is layer for layer in layers):
        layers.append(view)
        view = getattr(view, "__wrapped__", None)
    return layers


#: Every check of an application.
CHECKS: tuple[Check, ...] = (
    missing_keys,
    unusable_keys,
    weak_keys,
    unrelated_keys,
    mixed_algorithms,
    unfit_algorithms,
    misspelt_options,
    long_lives,
    large_leeway,
    exposed_cookies,
    forgeable_requests,
    tokens_in_urls,
    compat_profile,
    ailing_store,
    outage_lets_pass,
    odd_grace,
    short_sessions,
    bare_views,
)


# --- the same key in every process ----------------------------------------------------------------------------------


def key_digest(runtime: Runtime, salt: bytes) -> str:
    """Return a digest of the signing key by which processes with the same salt tell whether theirs is the same.

    :raises ConfigurationError: if there is no such key, or it is chosen for each token, or it is of no known form
    """
    if _SIGNS.is_loaded(runtime):
        raise ConfigurationError("encode_key_loader chooses the key for each token")
    return hmac.new(salt, _octets(_SIGNS.material(runtime)), "sha256").hexdigest()


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
