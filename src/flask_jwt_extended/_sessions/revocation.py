"""Check with the store whether a verified token was revoked, and whether its session is active.

Knows verified claims and the store, no requests. Time is an argument (seconds since the epoch); the clock is read again
only where a token seems to come from the future.
"""

from __future__ import annotations

import time
from typing import NoReturn

from .._jose.token import Token
from .._state import ExtensionState
from ..exceptions import (
    ConfigurationError,
    RefreshTokenReusedError,
    RevokedTokenError,
    SessionEndedError,
    StoreUnavailableError,
)
from ..signals import logger, refresh_theft_detected, session_ended, store_outage
from ..stores.base import SessionStore
from ..stores.records import NEVER, RefreshStatus, SessionRecord, classify, digest
from ..typing import Claims


def check_revocation(token: Token, state: ExtensionState, now: float) -> None:
    """Check that a verified token was not revoked, and that its session is active.

    :raises RevokedTokenError: if it was revoked or its session has ended
    :raises StoreUnavailableError: if the store does not answer, and JWT_STORE_OUTAGE does not accept the token anyway
    """
    is_refresh = token.claims["type"] == "refresh"
    try:
        if is_refresh and "sid" in token.claims:
            check_rotation(token, state, now)
        else:
            _check_status(token, state, now)
    except StoreUnavailableError as error:
        if is_refresh or state.settings.store_outage != "allow":
            raise
        logger.warning("The store is unavailable (%s): a token is accepted unchecked", error.reason)
        state.notify(store_outage, cause=error.reason, allowed=True)


def refuse_without_store(token: Token, state: ExtensionState) -> NoReturn:
    """Refuse the token of a session if there is no store, because the session may have ended.

    :raises SessionEndedError: always
    """
    state.warn_once(
        "sid without a store",
        "A token with the claim sid was refused: it belongs to a session, and JWT_STORE_URI is not set. Set "
        "JWT_STORE_URI. If your application uses sid for something else, rename that claim. If an identity provider "
        "adds it, declare the provider in JWT_TRUSTED_ISSUERS",
    )
    raise SessionEndedError(token.header, token.claims)


def _check_status(token: Token, state: ExtensionState, now: float) -> None:
    session_id = token.claims.get("sid")
    if session_id is not None and type(session_id) is not str:
        raise SessionEndedError(token.header, token.claims)
    deadline, revoked = store_of(state).status(session_id, token_digest(token.claims, state))
    if revoked:
        raise RevokedTokenError(token.header, token.claims)
    if session_id is not None and (deadline is None or deadline <= now):
        raise SessionEndedError(token.header, token.claims)


def check_rotation(token: Token, state: ExtensionState, now: float) -> tuple[SessionRecord, RefreshStatus]:
    """Return the session of a refresh token and the token's status: current, or replayed within the grace period.

    :raises SessionEndedError: if the session has ended
    :raises RefreshTokenReusedError: if the token was used before; its session is ended
    :raises RevokedTokenError: if a clock was set back, so that the status is not known
    """
    session_id = token.claims.get("sid")
    record = store_of(state).get(session_id) if type(session_id) is str else None
    if record is None or record.deadline <= now:
        raise SessionEndedError(token.header, token.claims)
    status = classify(record, token.claims["jti"], now, state.settings.refresh_grace)
    if status is RefreshStatus.CLOCK_SKEW:  # or this request has waited since it read the clock
        status = classify(record, token.claims["jti"], time.time(), state.settings.refresh_grace)
    if status is RefreshStatus.REUSED:
        _end_for_reuse(record, token, state)
        raise RefreshTokenReusedError(token.header, token.claims)
    if status is RefreshStatus.CLOCK_SKEW:
        raise RevokedTokenError(token.header, token.claims)
    return record, status


def _end_for_reuse(record: SessionRecord, token: Token, state: ExtensionState) -> None:
    ended = store_of(state).remove(record.session_id)
    cause = "after_grace" if token.claims["jti"] == record.previous_jti else "superseded"
    state.notify(refresh_theft_detected, session_id=record.session_id, identity=record.identity, cause=cause)
    if ended:
        state.notify(session_ended, session_id=record.session_id, identity=record.identity, cause="reuse")


def consume(token: Token, state: ExtensionState) -> None:
    """Use up a single-use token. Of several requests with the same token, one succeeds.

    :raises RevokedTokenError: if it was used before, or there is no store to remember it
    :raises StoreUnavailableError: if the store does not answer, whatever JWT_STORE_OUTAGE is
    """
    key = token_digest(token.claims, state)
    if state.store is None or key is None or not state.store.revoke(key, accepted_until(token.claims, state), None):
        raise RevokedTokenError(token.header, token.claims)


def token_digest(claims: Claims, state: ExtensionState) -> str | None:
    """Return the key of a verified token in the store; ``None`` if it has no ``jti``. It differs between issuers."""
    jti = claims.get("jti")
    return None if jti is None else digest(jti, state.issuer_name(claims))


def accepted_until(claims: Claims, state: ExtensionState) -> float:
    """Return the time until which a verified token is accepted: seconds since the epoch, at most NEVER."""
    return min(max(claims["exp"], 0) + state.settings.decode_leeway, NEVER) if "exp" in claims else NEVER


def store_of(state: ExtensionState) -> SessionStore:
    """Return the store of an application.

    :raises ConfigurationError: if it has none
    """
    if state.store is None:
        raise ConfigurationError('Sessions need a store: set JWT_STORE_URI, for example to "sqlite:///jwt.db"')
    return state.store
