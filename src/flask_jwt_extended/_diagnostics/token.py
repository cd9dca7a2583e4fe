"""Inspection: what a token says, and what it passes or is refused for, check by check and in words.

Judges and explains, and prints nothing: ``cli`` does. Each check is made on its own, with the functions that requests
go through.
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
from .._request.authenticate import verify
from .._request.binding import check_binding
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

    :ivar passed: ``None`` if it could not be judged
    """

    name: str
    passed: bool | None
    why: str


@dataclass(frozen=True)
class Inspection:
    """What can be told about a token. Header and claims are ``None`` where they cannot be read, and may be lies where
    the signature is not good.
    """

    header: Header | None
    claims: Claims | None
    verdicts: tuple[Verdict, ...]

    @property
    def accepted(self) -> bool:
        """Whether a view for tokens of its type would let it pass."""
        return all(verdict.passed is not False for verdict in self.verdicts)


def inspect_token(encoded: str, state: ExtensionState, now: float) -> Inspection:
    """Take a token apart and run each check on its own, so that one failure does not hide the next.

    :param now: seconds since the epoch
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak keys are the business of check()
        if state.loaders.decode_token is not None:
            return _inspect_by_application(encoded, state, now)
        form = _judge("form", "three segments of base64url", partial(_segments, encoded, state))
        if not form.passed:
            return Inspection(None, None, (form,))
        head, payload, _ = _segments(encoded, state)
        header, claims = _object(head), _object(payload)
        issuer = issuer_of(claims or {}, state.issuers)
        verdicts = [form, *_judge_signature(encoded, header, issuer, state, now), *_judge_payload(payload)]
        genuine = all(verdict.passed for verdict in verdicts)
        if claims is not None:
            settings = _settings_for(claims, issuer, state)
            meant = claims if issuer is None else _adopted(claims, issuer)
            verdicts += judge_claims(claims, settings, now)
            if issuer is not None:
                verdicts.append(_judge("terms of the issuer", "met", partial(issuer.check, claims)))
            if "cnf" in claims:
                verdicts.append(_judge_binding(claims, state))
            verdicts.append(_judge_type(meant.get("type", "access")))
            verdicts += _ask_store(meant, state, now) if genuine else ()
            verdicts += _ask_loaders(header, meant, state) if genuine else ()
        if all(verdict.passed is not False for verdict in verdicts):
            verdicts.append(_judge("as a whole", "verified", partial(verify, encoded, state, now)))
        return Inspection(header, claims, tuple(verdicts))


def _settings_for(claims: Claims, issuer: ExternalIssuer | None, state: ExtensionState) -> Settings:
    if issuer is not None:
        return issuer.settings
    is_access = claims.get("type", "access") == "access"
    return state.settings.for_access_tokens if is_access else state.settings


def _inspect_by_application(encoded: str, state: ExtensionState, now: float) -> Inspection:
    """Let the application's own ``_decode_jwt_from_config`` judge a token, and make the checks that follow it."""
    verified: list[Token] = []
    accepts = partial(verify, encoded, state, now)
    verdict = _judge("_decode_jwt_from_config", "accepted by this application", lambda: verified.append(accepts()))
    if not verified:
        return Inspection(None, None, (verdict,))
    header, claims = verified[0].header, verified[0].claims
    following = (_judge_type(claims["type"]), *_ask_store(claims, state, now), *_ask_loaders(header, claims, state))
    return Inspection(header, claims, (verdict, *following))


def _judge(name: str, good: str, test: Callable[[], object]) -> Verdict:
    """Run a check that raises if it fails. Whatever it raises is an outcome: the token may be hostile."""
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


def _judge_signature(
    encoded: str, header: Header | None, issuer: ExternalIssuer | None, state: ExtensionState, now: float
) -> Iterator[Verdict]:
    """Judge the header, its algorithm, and the signature; each only if the one before it passed."""
    max_bytes = state.settings.max_token_bytes
    yield (outcome := _judge("header", "well-formed", partial(compact.parse, encoded, max_bytes)))
    if header is None or not outcome.passed:
        return
    yield (outcome := _judge("algorithm", "accepted", partial(_admit, header, issuer, state, now)))
    if not outcome.passed:
        return
    kid, whose = header.get("kid"), "the configured key" if issuer is None else f"a key of {issuer.name}"
    maker = f"the key {kid}" if kid is not None and state.settings.keys and issuer is None else whose
    if issuer is None:
        yield _judge("signature", f"made by {maker}", partial(state.signatures.verify_own, encoded, now))
    else:
        parts = compact.parse(encoded, max_bytes)
        yield _judge("signature", f"made by {maker}", partial(issuer.verify_signature, parts))


def _admit(header: Header, issuer: ExternalIssuer | None, state: ExtensionState, now: float) -> None:
    if issuer is not None:
        algorithms: Collection[str] = issuer.config.algorithms
    elif state.settings.keys and state.loaders.decode_key is None:
        algorithms = state.keys.at(now).algorithms
    else:
        algorithms = state.settings.accepted_algorithms
    compact.check_algorithm(header, algorithms)


def _adopted(claims: Claims, issuer: ExternalIssuer) -> Claims:
    """What the claims of a foreign token would mean here, if it has an identity."""
    meant = {issuer.config.identity_claim: None, **claims}
    issuer.normalize_claims(meant)
    return meant


def _judge_payload(payload: bytes) -> Iterator[Verdict]:
    octets = compact.decode_segment(payload, "payload")
    yield _judge("payload", "a JSON object", partial(compact.parse_object, octets, "payload"))


def judge_claims(claims: Claims, settings: Settings, now: float) -> Iterator[Verdict]:
    """Judge each registered claim, and the ones that are required."""
    for name in ("exp", "nbf", "iat", "iss", "aud", "sub", "jti"):
        verdict = _judge(
            name, _pass_reason(name, claims, settings), partial(_validate_alone, name, claims, settings, now)
        )
        if words := time_in_words(name, claims.get(name), now):
            words += by_leeway(name, claims[name], now, settings.decode_leeway) if verdict.passed else ""
            verdict = replace(verdict, why=words)
        yield verdict
    yield _judge_presence(claims, settings)


def _validate_alone(name: str, claims: Claims, settings: Settings, now: float) -> None:
    """Validate one claim as if the others were as they should be."""
    alone = replace(
        settings,
        required_claims=(),
        decode_issuer=settings.decode_issuer if name == "iss" else None,
        decode_audience=settings.decode_audience if name == "aud" else None,
        verify_aud=settings.verify_aud and name == "aud",
    )
    claims_.validate({settings.identity_claim: "", **({name: claims[name]} if name in claims else {})}, alone, now)


def _pass_reason(name: str, claims: Claims, settings: Settings) -> str:
    """What to say of a claim that passed; times are told by :func:`time_in_words`."""
    if name == "iss" and settings.decode_issuer is None:
        return "not looked at: JWT_DECODE_ISSUER is not set"
    if name == "aud" and settings.audience is None:
        return "not looked at: JWT_DECODE_AUDIENCE is not set"
    if name not in claims:
        return "absent: it never expires" if name == "exp" else "absent"
    return "as expected"


def _judge_presence(claims: Claims, settings: Settings) -> Verdict:
    missing = [name for name in settings.claims_needed if claims.get(name) is None]
    if settings.identity_claim not in (*claims, *missing):
        missing.append(settings.identity_claim)
    return Verdict("required claims", not missing, f"missing: {', '.join(missing)}" if missing else "all there")


def _judge_binding(claims: Claims, state: ExtensionState) -> Verdict:
    good = "it is bound to a key; accepted without proof of possession (JWT_BOUND_TOKENS)"
    return _judge("cnf", good, partial(check_binding, claims, state.settings))


def _judge_type(kind: object) -> Verdict:
    if kind in ("access", "refresh"):
        return Verdict("type", True, f"for views that ask for tokens of type {kind}")
    return Verdict("type", False, "neither access nor refresh: taken by views with verify_type=False alone")


def _ask_store(claims: Claims, state: ExtensionState, now: float) -> Iterator[Verdict]:
    """Ask what the store knows of a genuine token, and change nothing there: a request may end the session."""
    store = state.store
    if store is None:
        if claims.get("sid") is not None:
            yield Verdict("session", False, "it is of a session, and JWT_STORE_URI is not set")
        return
    rotates = claims.get("type") == "refresh" and "sid" in claims
    name = "session" if rotates or claims.get("sid") is not None else "revoked"
    try:
        if rotates:
            passed, why = _judge_rotation(claims, store, now, state.settings.refresh_grace)
        else:
            passed, why = _judge_status(claims, store, now, state.issuer_name(claims))
    except Exception as error:  # whatever a store of the application's own may raise
        reason = error.reason if isinstance(error, StoreUnavailableError) else type(error).__name__
        yield Verdict(name, None, f"the store could not be asked: {reason}")
    else:
        yield Verdict(name, passed, why)


def _judge_status(claims: Claims, store: SessionStore, now: float, issuer: str | None) -> tuple[bool, str]:
    session_id, jti = claims.get("sid"), claims.get("jti")
    if not isinstance(session_id, str | None):
        return False, "no session has such a name"
    status = store.status(session_id, digest(jti, issuer) if isinstance(jti, str) else None)
    if status.revoked:
        return False, "the token was revoked"
    return (True, "it was not") if session_id is None else _judge_deadline(status.deadline, now)


def _judge_rotation(claims: Claims, store: SessionStore, now: float, grace: float) -> tuple[bool, str]:
    session_id = claims["sid"]
    record = store.get(session_id) if isinstance(session_id, str) else None
    goes_on, why = _judge_deadline(record.deadline if record else None, now)
    if record is None or not goes_on:
        return goes_on, why
    stands = classify(record, claims.get("jti"), now, grace)
    return stands in (RefreshStatus.CURRENT, RefreshStatus.REPLAYED), f"{why}; {_STANDINGS[stands]}"


def _judge_deadline(deadline: float | None, now: float) -> tuple[bool, str]:
    if deadline is None:
        return False, "it has ended, or there was none"
    if deadline <= now:
        return False, f"it ended {duration(now - deadline)} ago"
    return True, f"it goes on for {duration(deadline - now)} if it is not refreshed"


_STANDINGS = {
    RefreshStatus.CURRENT: "this is its refresh token",
    RefreshStatus.REPLAYED: "the token was used, a moment ago, and is answered with its successor",
    RefreshStatus.CLOCK_SKEW: "the token was used at a time that has not come: a clock was set back",
    RefreshStatus.REUSED: "the token was used before: using it again ends the session",
}


def _ask_loaders(header: Header | None, claims: Claims, state: ExtensionState) -> Iterator[Verdict]:
    """Ask what a view would ask about a genuine token. A loader that needs a request cannot answer here."""
    is_strict = state.settings.profile == "strict"  # None is a forgotten return: see loader_calls.is_blocklisted
    questions: tuple[tuple[str, Callable[[Any], bool]], ...] = (
        ("token_in_blocklist", lambda revoked: not revoked and (revoked is not None or not is_strict)),
        ("token_verification", bool),
        ("user_lookup", lambda user: user is not None),
    )
    for name, is_good in questions:
        if (loader := getattr(state.loaders, name)) is not None:
            yield _ask(f"{name}_loader", is_good, partial(call, state.ensure_sync, loader, header, claims))


def _ask(name: str, is_good: Callable[[Any], bool], question: Callable[[], object]) -> Verdict:
    try:
        passed = is_good(question())
    except Exception as error:
        return Verdict(name, None, f"could not be asked here: it raised {type(error).__name__}")
    return Verdict(name, passed, "lets it pass" if passed else "refuses it")
