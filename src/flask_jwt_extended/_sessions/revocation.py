"""What the store says of a token that is good in itself: whether it was revoked, and whether its session goes on.

Knows verified claims and the store; knows no request, and makes no token. Time is an argument; the clock is asked once
more only before a token is called one from the future.
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
    """Let a verified token pass, or raise.

    :param now: seconds since the epoch
    :raises RevokedTokenError: if it was revoked or its session has ended
    :raises StoreUnavailableError: if nobody can tell, and JWT_STORE_OUTAGE does not let it pass all the same
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
        logger.warning("The store is unavailable (%s): a token passes unchecked", error.reason)
        state.notify(store_outage, cause=error.reason, allowed=True)


def refuse_without_store(token: Token, state: ExtensionState) -> NoReturn:
    """Refuse the token of a session where there is no store: whether the session has ended is not known.

    :raises SessionEndedError: always
    """
    state.warn_once(
        "sid without a store",
        "A token with the claim sid was refused: it belongs to a session, and JWT_STORE_URI is not set. Set "
        "JWT_STORE_URI. Give the claim another name if your application adds it for a purpose of its own, and declare "
        "an identity provider that writes it in JWT_TRUSTED_ISSUERS",
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
    """Return the session of a refresh token and how the token stands to it: current, or replayed within its grace.

    :param now: seconds since the epoch
    :raises SessionEndedError: if the session has ended
    :raises RefreshTokenReusedError: if the token was used before; its session has ended then
    """
    session_id = token.claims.get("sid")
    record = store_of(state).get(session_id) if type(session_id) is str else None
    if record is None or record.deadline <= now:
        raise SessionEndedError(token.header, token.claims)
    stands = classify(record, token.claims["jti"], now, state.settings.refresh_grace)
    if stands is RefreshStatus.CLOCK_SKEW:  # or it was this request that stood still since its time was read
        stands = classify(record, token.claims["jti"], time.time(), state.settings.refresh_grace)
    if stands is RefreshStatus.REUSED:
        _end_for_reuse(record, token, state)
        raise RefreshTokenReusedError(token.header, token.claims)
    if stands is RefreshStatus.CLOCK_SKEW:
        raise RevokedTokenError(token.header, token.claims)
    return record, stands


def _end_for_reuse(record: SessionRecord, token: Token, state: ExtensionState) -> None:
    ended = store_of(state).remove(record.session_id)
    cause = "after_grace" if token.claims["jti"] == record.previous_jti else "superseded"
    state.notify(refresh_theft_detected, session_id=record.session_id, identity=record.identity, cause=cause)
    if ended:
        state.notify(session_ended, session_id=record.session_id, identity=record.identity, cause="reuse")


def consume(token: Token, state: ExtensionState) -> None:
    """Let a token pass that is for one use: of many that come with it at once, one passes.

    :raises RevokedTokenError: if it was used before, or there is no store that could tell
    :raises StoreUnavailableError: if nobody can tell; JWT_STORE_OUTAGE makes no difference here
    """
    claims, mark = token.claims, token_digest(token.claims, state)
    if state.store is None or mark is None:
        raise RevokedTokenError(token.header, claims)
    if not state.store.revoke(mark, accepted_until(claims, state), None):
        raise RevokedTokenError(token.header, claims)


def token_digest(claims: Claims, state: ExtensionState) -> str | None:
    """Return what stands for a verified token in the store; ``None`` if it has no ``jti``. Equal ``jti`` claims of two
    issuers are two tokens.
    """
    jti = claims.get("jti")
    return None if jti is None else digest(jti, state.issuer_name(claims))


def accepted_until(claims: Claims, state: ExtensionState) -> float:
    """Return until when a verified token is accepted, seconds since the epoch, as a time that every store can hold."""
    return min(max(claims["exp"], 0) + state.settings.decode_leeway, NEVER) if "exp" in claims else NEVER


def store_of(state: ExtensionState) -> SessionStore:
    """Return the store of an application.

    :raises ConfigurationError: if it has none
    """
    if state.store is None:
        raise ConfigurationError('Sessions need a store: JWT_STORE_URI = "sqlite:///jwt.db", say')
    return state.store
