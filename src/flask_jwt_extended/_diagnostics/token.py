"""Inspection: what a token contains, and which checks it passes or fails, with reasons.

Each check runs on its own, with the functions that requests go through.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from jwt.exceptions import PyJWTError

from .._jose import claims as claims_
from .._jose import compact
from .._jose.token import Token
from .._keys.issuer import ExternalIssuer, issuer_of
from .._loaders import call
from .._request.authenticate import check_binding, verify
from .._settings.settings import Settings
from .._state import ExtensionState
from ..exceptions import ConfigurationError, JWTExtendedException, StoreUnavailableError
from ..stores.base import SessionStore
from ..stores.records import RefreshStatus, classify, digest
from ..typing import Claims, Header
from .humanize import by_leeway, duration, time_in_words


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check of a token.

    :ivar passed: ``None`` if the check could not be made
    """

    name: str
    passed: bool | None
    why: str


@dataclass(frozen=True)
class Inspection:
    """What is known about a token. Header and claims are ``None`` if they cannot be read, and are not to be trusted if
    the signature is wrong.
    """

    header: Header | None
    claims: Claims | None
    verdicts: tuple[Verdict, ...]

    @property
    def accepted(self) -> bool:
        """Whether a view for tokens of its type would accept it."""
        return all(verdict.passed is not False for verdict in self.verdicts)


def inspect_token(encoded: str, state: ExtensionState, now: float) -> Inspection:
    """Take a token apart and run each check on its own, so that one failure does not hide the next.

    :param now: seconds since the epoch
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak keys are reported by flask jwt check
        if state.loaders.decode_token is not None:
            return _inspect_with_override(encoded, state, now)
        form = _attempt("form", "three segments of base64url", partial(_segments, encoded, state))
        return _inspect_segments(encoded, form, state, now) if form.passed else Inspection(None, None, (form,))


def _inspect_segments(encoded: str, form: Verdict, state: ExtensionState, now: float) -> Inspection:
    head, payload, _ = _segments(encoded, state)
    header, claims = _object(head), _object(payload)
    issuer = issuer_of(claims or {}, state.issuers)
    verdicts = [form, *_check_signature(encoded, header, issuer, state, now), _check_payload(payload)]
    is_genuine = all(verdict.passed for verdict in verdicts)
    if claims is not None:
        verdicts += _check_claims(claims, issuer, state, now)
        normalized = claims if issuer is None else _normalized(claims, issuer)
        verdicts.append(_check_type(normalized.get("type", "access")))
        if is_genuine:
            verdicts += [*_ask_store(normalized, state, now), *_ask_loaders(header, normalized, state)]
    if all(verdict.passed is not False for verdict in verdicts):
        verdicts.append(_attempt("verification", "passed", partial(verify, encoded, state, now)))
    return Inspection(header, claims, tuple(verdicts))


def _inspect_with_override(encoded: str, state: ExtensionState, now: float) -> Inspection:
    """Let the application's own ``_decode_jwt_from_config`` verify a token, then run the checks that follow it."""
    verified: list[Token] = []
    accepts = partial(verify, encoded, state, now)
    verdict = _attempt("_decode_jwt_from_config", "accepted by this application", lambda: verified.append(accepts()))
    if not verified:
        return Inspection(None, None, (verdict,))
    header, claims = verified[0].header, verified[0].claims
    following = (_check_type(claims["type"]), *_ask_store(claims, state, now), *_ask_loaders(header, claims, state))
    return Inspection(header, claims, (verdict, *following))


def _attempt(name: str, good: str, test: Callable[[], object]) -> Verdict:
    """Run a check that raises if it fails. Every exception is a verdict: the token may be hostile."""
    try:
        test()
    except (PyJWTError, JWTExtendedException, ConfigurationError) as error:
        return Verdict(name, False, str(error))
    except Exception as error:
        return Verdict(name, False, f"{type(error).__name__} was raised")
    return Verdict(name, True, good)


def _segments(encoded: str, state: ExtensionState) -> list[bytes]:
    segments = compact.check_form(encoded, state.settings.max_token_bytes).split(b".")
    for segment, name in zip(segments, ("header", "payload", "crypto"), strict=True):
        compact.decode_segment(segment, name)
    return segments


def _object(segment: bytes) -> dict[str, Any] | None:
    try:
        return compact.parse_object(compact.decode_segment(segment, "segment"), "segment")
    except PyJWTError:
        return None


# --- the signature --------------------------------------------------------------------------------------------------


def _check_signature(
    encoded: str, header: Header | None, issuer: ExternalIssuer | None, state: ExtensionState, now: float
) -> Iterator[Verdict]:
    """Check the header, its algorithm, and the signature; each only if the one before it passed."""
    max_bytes = state.settings.max_token_bytes
    yield (verdict := _attempt("header", "well-formed", partial(compact.parse, encoded, max_bytes)))
    if header is None or not verdict.passed:
        return
    yield (verdict := _attempt("algorithm", "accepted", partial(_check_algorithm, header, issuer, state, now)))
    if not verdict.passed:
        return
    if issuer is not None:
        verify_signature = partial(issuer.verify_signature, compact.parse(encoded, max_bytes))
        yield _attempt("signature", f"made by a key of {issuer.name}", verify_signature)
    else:
        kid = header.get("kid") if state.settings.keys else None
        key = "the configured key" if kid is None else f"the key {kid}"
        yield _attempt("signature", f"made by {key}", partial(state.signatures.verify_own, encoded, now))


def _check_algorithm(header: Header, issuer: ExternalIssuer | None, state: ExtensionState, now: float) -> None:
    if issuer is not None:
        algorithms: Collection[str] = issuer.config.algorithms
    elif state.settings.keys and state.loaders.decode_key is None:
        algorithms = state.keys.at(now).algorithms
    else:
        algorithms = state.settings.accepted_algorithms
    compact.check_algorithm(header, algorithms)


def _check_payload(payload: bytes) -> Verdict:
    octets = compact.decode_segment(payload, "payload")
    return _attempt("payload", "a JSON object", partial(compact.parse_object, octets, "payload"))


# --- claims ---------------------------------------------------------------------------------------------------------


def _normalized(claims: Claims, issuer: ExternalIssuer) -> Claims:
    """What the claims of an external issuer's token mean here, whether or not it has an identity."""
    normalized = {issuer.config.identity_claim: None, **claims}
    issuer.normalize_claims(normalized)
    return normalized


def _check_claims(
    claims: Claims, issuer: ExternalIssuer | None, state: ExtensionState, now: float
) -> Iterator[Verdict]:
    """Check each registered claim, the required ones, and those that external issuers and bound tokens have."""
    if issuer is not None:
        settings = issuer.settings
    else:
        settings = state.settings.for_access_tokens if claims.get("type", "access") == "access" else state.settings
    for name in ("exp", "nbf", "iat", "iss", "aud", "sub", "jti"):
        yield _check_claim(name, claims, settings, now)
    yield _check_presence(claims, settings)
    if issuer is not None:
        yield _attempt("issuer settings", "met", partial(issuer.check, claims))
    if "cnf" in claims:
        good = "bound to a key; accepted without proof of possession (JWT_BOUND_TOKENS)"
        yield _attempt("cnf", good, partial(check_binding, claims, state.settings))


def _check_claim(name: str, claims: Claims, settings: Settings, now: float) -> Verdict:
    validate = partial(_validate_alone, name, claims, settings, now)
    verdict = _attempt(name, _pass_reason(name, claims, settings), validate)
    if words := time_in_words(name, claims.get(name), now):
        words += by_leeway(name, claims[name], now, settings.decode_leeway) if verdict.passed else ""
        return replace(verdict, why=words)
    return verdict


def _validate_alone(name: str, claims: Claims, settings: Settings, now: float) -> None:
    """Validate one claim as if the others were correct."""
    alone = replace(
        settings,
        required_claims=(),
        decode_issuer=settings.decode_issuer if name == "iss" else None,
        decode_audience=settings.decode_audience if name == "aud" else None,
        verify_aud=settings.verify_aud and name == "aud",
    )
    claims_.validate({settings.identity_claim: "", **({name: claims[name]} if name in claims else {})}, alone, now)


def _pass_reason(name: str, claims: Claims, settings: Settings) -> str:
    """Why a claim passed. Times are described by :func:`time_in_words` instead."""
    if name == "iss" and settings.decode_issuer is None:
        return "not checked: JWT_DECODE_ISSUER is not set"
    if name == "aud" and settings.audience is None:
        return "not checked: JWT_DECODE_AUDIENCE is not set"
    if name not in claims:
        return "absent: the token never expires" if name == "exp" else "absent"
    return "as expected"


def _check_presence(claims: Claims, settings: Settings) -> Verdict:
    missing = [name for name in settings.claims_needed if claims.get(name) is None]
    if settings.identity_claim not in (*claims, *missing):
        missing.append(settings.identity_claim)
    return Verdict("required claims", not missing, f"missing: {', '.join(missing)}" if missing else "all present")


def _check_type(kind: object) -> Verdict:
    if kind in ("access", "refresh"):
        return Verdict("type", True, f"for views that require {kind} tokens")
    return Verdict(
        "type", False, "neither access nor refresh: only for views with this token_type or verify_type=False"
    )


# --- the store and the loaders --------------------------------------------------------------------------------------


def _ask_store(claims: Claims, state: ExtensionState, now: float) -> Iterator[Verdict]:
    """Report what the store knows of a genuine token. Changes nothing there, although a request may end the session."""
    store = state.store
    if store is None:
        if claims.get("sid") is not None:
            yield Verdict("session", False, "the token belongs to a session, but JWT_STORE_URI is not set")
        return
    rotates = claims.get("type") == "refresh" and "sid" in claims
    name = "session" if rotates or claims.get("sid") is not None else "revoked"
    try:
        if rotates:
            passed, why = _check_rotation(claims, store, now, state.settings.refresh_grace)
        else:
            passed, why = _check_status(claims, store, now, state.issuer_name(claims))
    except Exception as error:  # a third-party store may raise anything
        reason = error.reason if isinstance(error, StoreUnavailableError) else type(error).__name__
        yield Verdict(name, None, f"the store is unavailable: {reason}")
    else:
        yield Verdict(name, passed, why)


def _check_status(claims: Claims, store: SessionStore, now: float, issuer: str | None) -> tuple[bool, str]:
    session_id, jti = claims.get("sid"), claims.get("jti")
    if not isinstance(session_id, str | None):
        return False, "sid is not a string"
    status = store.status(session_id, digest(jti, issuer) if isinstance(jti, str) else None)
    if status.revoked:
        return False, "the token is revoked"
    return (True, "not revoked") if session_id is None else _check_deadline(status.deadline, now)


def _check_rotation(claims: Claims, store: SessionStore, now: float, grace: float) -> tuple[bool, str]:
    session_id = claims["sid"]
    record = store.get(session_id) if isinstance(session_id, str) else None
    is_active, why = _check_deadline(record.deadline if record else None, now)
    if record is None or not is_active:
        return is_active, why
    refresh_status = classify(record, claims.get("jti"), now, grace)
    passed = refresh_status in (RefreshStatus.CURRENT, RefreshStatus.REPLAYED)
    return passed, f"{why}; {_REFRESH_STATUS[refresh_status]}"


def _check_deadline(deadline: float | None, now: float) -> tuple[bool, str]:
    if deadline is None:
        return False, "the session has ended or does not exist"
    if deadline <= now:
        return False, f"the session ended {duration(now - deadline)} ago"
    return True, f"active for another {duration(deadline - now)} unless it is refreshed"


_REFRESH_STATUS = {
    RefreshStatus.CURRENT: "this is its current refresh token",
    RefreshStatus.REPLAYED: "the token was just used: a retry gets the same successor",
    RefreshStatus.CLOCK_SKEW: "the token was used in the future: a clock was set back",
    RefreshStatus.REUSED: "the token was already used: using it again ends the session",
}


def _ask_loaders(header: Header | None, claims: Claims, state: ExtensionState) -> Iterator[Verdict]:
    """Call the loaders as for a protected view. A loader that needs a request cannot answer here."""
    is_strict = state.settings.profile == "strict"  # None is a forgotten return: see loader_calls.is_blocklisted
    accepts: dict[str, Callable[[Any], bool]] = {
        "token_in_blocklist": lambda revoked: not revoked and (revoked is not None or not is_strict),
        "token_verification": bool,
        "user_lookup": lambda user: user is not None,
    }
    for name, is_good in accepts.items():
        if (loader := getattr(state.loaders, name)) is not None:
            yield _ask(f"{name}_loader", is_good, partial(call, state.ensure_sync, loader, header, claims))


def _ask(name: str, is_good: Callable[[Any], bool], load: Callable[[], object]) -> Verdict:
    try:
        passed = is_good(load())
    except Exception as error:
        return Verdict(name, None, f"could not be called here: it raised {type(error).__name__}")
    return Verdict(name, passed, "accepts the token" if passed else "refuses the token")
