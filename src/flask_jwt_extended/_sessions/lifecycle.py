"""Start, refresh, extend, list and end sessions. Revoke single tokens.

Settings, store, time (seconds since the epoch) and the client's details are arguments. A store keeps no tokens: a
refresh token that several requests must get alike is signed again from what the store keeps.
"""

from __future__ import annotations

import hmac
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .._issue import NewToken, issue, subject_of
from .._jose import claims as claims_
from .._jose.token import Token
from .._state import ExtensionState
from ..exceptions import ConfigurationError, SessionEndedError, StoreUnavailableError
from ..signals import logger, refresh_retried, session_ended, session_refreshed, session_started
from ..stores.records import (
    MAX_TEXT,
    NEVER,
    RefreshStatus,
    RefreshToken,
    SessionRecord,
    classify,
    extended,
    owner_of,
    rotated,
)
from ..typing import Claims, Fresh
from .revocation import accepted_until, check_rotation, store_of, token_digest

#: Attempts to change a session that other requests change at the same time.
_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class TokenPair:
    """The tokens of a session. ``jsonify`` accepts it, and its ``repr`` shows no token.

    :ivar access_token: the client sends it with each request
    :ivar refresh_token: single-use: the client exchanges it for the next pair
    :ivar session_id: the ``sid`` claim of both tokens; :func:`end_session` takes it

    .. versionadded:: 5.0
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    session_id: str


@dataclass(frozen=True)
class SessionInfo:
    """A session, as its owner may see it. Datetimes are timezone-aware, in UTC.

    :ivar session_id: the ``sid`` claim of its tokens; :func:`end_session` takes it
    :ivar identity: the identity claim of its tokens
    :ivar label: the name that :func:`start_session` was given, cut to 256 characters
    :ivar user_agent: the ``User-Agent`` header of the login, cut to 256 characters
    :ivar address: the client's network address at the login
    :ivar created_at: the time of the login
    :ivar last_refreshed_at: the time of the last refresh, or of the login
    :ivar expires_at: the time when it ends if it is not refreshed before; ``None``: it has no end
    :ivar current: whether the token of this request belongs to it

    .. versionadded:: 5.0
    """

    session_id: str
    identity: Any
    label: str | None
    user_agent: str | None
    address: str | None
    created_at: datetime
    last_refreshed_at: datetime
    expires_at: datetime | None
    current: bool


class NewSession(NamedTuple):
    """The arguments of a login, and the client's details.

    :ivar claims: additional claims for every token of the session
    """

    identity: Any
    fresh: Fresh = True
    claims: Mapping[str, Any] | None = None
    label: str | None = None
    user_agent: str | None = None
    address: str | None = None


def start(new: NewSession, state: ExtensionState, now: float, replaced: Iterable[Claims] = ()) -> TokenPair:
    """Start a session and make its first tokens.

    :param replaced: the claims of verified tokens whose sessions the new one replaces
    :raises StoreUnavailableError: if the store does not answer
    """
    store = store_of(state)
    record = _new_record(new, state, now)
    presented = {"type": "refresh", "csrf": str(uuid.uuid4())}  # as if a refresh token had been exchanged
    pair = _TokenMaker(record, state, new.identity, presented).pair(now, fresh=new.fresh)
    store.add(record)
    _notify(session_started, record, state, "login")
    _end_replaced(replaced, record, state, now)
    return pair


def _new_record(new: NewSession, state: ExtensionState, now: float) -> SessionRecord:
    identity, claims = as_json([subject_of(new.identity, state), new.claims or {}], state)
    ends_at = _end_of(state.settings.session_lifetime, now)
    current = _new_refresh_token(state, now, ends_at)
    return SessionRecord(
        session_id=str(uuid.uuid4()),
        identity=identity,
        claims=claims,
        label=_truncated(new.label),
        user_agent=_truncated(new.user_agent),
        address=_truncated(new.address),
        created_at=now,
        refreshed_at=now,
        ends_at=ends_at,
        deadline=_deadline(state, now, current),
        generation=1,
        current=current,
    )


def _end_replaced(presented: Iterable[Claims], by: SessionRecord, state: ExtensionState, now: float) -> None:
    """End the sessions whose tokens came with a login (OWASP ASVS 7.2.4). The login succeeds if the store fails here.

    :param presented: the claims of verified tokens, which may be expired or superseded
    :param by: the session that was started
    """
    try:
        for claims in presented:
            if _is_replaced(claims, by, state, now):
                end(claims["sid"], state, cause="replaced", now=now)
    except StoreUnavailableError as error:
        logger.warning("A login could not end the previous session: the store is unavailable (%s)", error.reason)


def _is_replaced(claims: Claims, by: SessionRecord, state: ExtensionState, now: float) -> bool:
    """Whether a login replaces the session of a token: the identity is the same, or the token would be accepted.

    So an old copy of a token does not end the session of another identity.
    """
    record = store_of(state).get(claims["sid"])
    if record is None:
        return False
    return record.owner == by.owner or _would_pass(claims, record, state, now)


def _would_pass(claims: Claims, record: SessionRecord, state: ExtensionState, now: float) -> bool:
    jti = claims.get("jti")
    if jti is None or _has_expired(claims, now):
        return False
    if claims.get("type") == "refresh":
        return classify(record, jti, now, state.settings.refresh_grace) is not RefreshStatus.REUSED
    return not store_of(state).status(record.session_id, token_digest(claims, state)).revoked


def refresh(token: Token, state: ExtensionState, now: float, user: Any) -> TokenPair:
    """Exchange a refresh token for the next pair of its session. Of several requests with the same token, one makes the
    successor; within the grace period, the others get the same one.

    :param user: the argument of loaders; ``None``: they get the identity claim
    :raises SessionEndedError: if the session has ended
    :raises RefreshTokenReusedError: if the token was used before; its session is ended
    :raises StoreUnavailableError: if the store does not answer
    """
    for _ in range(_ATTEMPTS):
        record, status = check_rotation(token, state, now)
        identity = record.identity if user is None else user
        if status is RefreshStatus.REPLAYED:
            pair = _TokenMaker(record, state, identity, token.claims).pair(now)
            _notify(refresh_retried, record, state, "grace")
            return pair
        successor = _new_refresh_token(state, now, record.ends_at)
        after = rotated(record, successor, now, _deadline(state, now, successor))
        pair = _TokenMaker(after, state, identity, token.claims).pair(now)
        if store_of(state).replace(after, record.generation):
            _notify(session_refreshed, after, state, "rotation")
            return pair
    raise StoreUnavailableError("contention")


def extend(token: Token, state: ExtensionState, now: float, user: Any) -> str | None:
    """Make another access token for the session of an accepted one, without its refresh token.

    :param user: the argument of loaders; ``None``: they get the identity claim
    :return: ``None`` if the last login or exchange is longer ago than JWT_COOKIE_EXTENSION_LIFETIME, or the token is
        older than that exchange
    :raises SessionEndedError: if the session has ended, or the token was revoked
    :raises StoreUnavailableError: if the store does not answer
    """
    store, session_id, key = store_of(state), token.claims["sid"], token_digest(token.claims, state)
    for _ in range(_ATTEMPTS):
        record = store.get(session_id)
        if record is None or record.deadline <= now or store.status(session_id, key).revoked:
            raise SessionEndedError(token.header, token.claims)
        if not _is_extensible(token, record, state, now):
            return None
        after = extended(record, now, _deadline(state, now, record.current))
        if store.replace(after, record.generation):
            _notify(session_refreshed, after, state, "implicit")
            identity = record.identity if user is None else user
            return _TokenMaker(after, state, identity, token.claims).access_token(now)
    raise StoreUnavailableError("contention")


def _is_extensible(token: Token, record: SessionRecord, state: ExtensionState, now: float) -> bool:
    # An exchange made a newer access token, so an older one may be a copy.
    exchanged_at = record.exchanged_at
    is_old = token.claims.get("iat", exchanged_at) < int(exchanged_at)
    return not is_old and now < _end_of(state.settings.cookie_extension_lifetime, exchanged_at)


def _new_refresh_token(state: ExtensionState, now: float, ends_at: float) -> RefreshToken:
    expires_at = min(_end_of(state.settings.refresh_token_expires, now), int(ends_at))
    return RefreshToken(jti=str(uuid.uuid4()), issued_at=int(now), expires_at=expires_at)


def _deadline(state: ExtensionState, now: float, current: RefreshToken) -> float:
    return min(current.expires_at, _end_of(state.settings.session_idle_timeout, now))


def _end_of(lifetime: Any, began: float) -> int:
    return NEVER if lifetime is False else claims_.expiry(began, lifetime)


def _truncated(text: Any) -> str | None:
    # A view may pass on a label from a JSON body, so it has any type.
    return None if text is None else str(text)[:MAX_TEXT]


def as_json(value: Any, state: ExtensionState) -> Any:
    """Return a value as it is read back from a token."""
    return json.loads(state.encode(value))


class _TokenMaker(NamedTuple):
    """Makes the tokens of one generation of a session.

    :ivar identity: the argument of loaders
    :ivar presented: the claims of the refresh token that is exchanged, or of the access token that is extended
    """

    record: SessionRecord
    state: ExtensionState
    identity: Any
    presented: Claims

    def pair(self, now: float, *, fresh: Fresh = False) -> TokenPair:
        return TokenPair(self.access_token(now, fresh=fresh), self.refresh_token(), self.record.session_id)

    def access_token(self, now: float, *, fresh: Fresh = False) -> str:
        expires_at = min(_end_of(self.state.settings.access_token_expires, now), int(self.record.ends_at))
        fixed = {"jti": str(uuid.uuid4()), "exp": expires_at}
        if "auth_time" not in self.record.claims:  # or the application sets the time of the authentication itself
            fixed["auth_time"] = int(self.record.created_at)
        return self._issue("access", now, fixed, fresh)

    def refresh_token(self) -> str:
        current = self.record.current
        return self._issue("refresh", current.issued_at, {"jti": current.jti, "exp": current.expires_at}, False)

    def _issue(self, token_type: str, now: float, fixed: Claims, fresh: Fresh) -> str:
        fixed |= {"type": token_type, "sid": self.record.session_id}
        fixed[self.state.settings.identity_claim] = self.record.identity
        if fixed["exp"] == NEVER:
            del fixed["exp"]
        if not fresh:
            fixed["fresh"] = False
        csrf = self._csrf_value(token_type)
        if csrf is not None:
            fixed["csrf"] = csrf
        new = NewToken(
            token_type=token_type,
            identity=self.identity,
            fresh=fresh,
            expires_delta=False,  # exp is fixed
            additional_claims=dict(self.record.claims),
            fixed=fixed,
        )
        return issue(new, self.state, now)

    def _csrf_value(self, token_type: str) -> str | None:
        """The double submit value: one per type of token, the same in all tokens of the session.

        Open pages have it in their forms, and another tab may refresh between the moment a page reads the value and the
        moment the browser adds the cookie. So each new token repeats the value of the one before. The value of access
        tokens is derived from that of refresh tokens, which neither the store nor a log ever contains.
        """
        value = self.presented.get("csrf")
        if not self.state.settings.cookie_csrf_protect or not isinstance(value, str):
            return None
        if self.presented["type"] == token_type:
            return value
        return hmac.new(value.encode("utf-8", "surrogatepass"), token_type.encode(), "sha256").hexdigest()


def end(session_id: str, state: ExtensionState, *, cause: str, now: float, owner: str | None = None) -> bool:
    """End a session. Return whether it was active.

    :param owner: end it only if it belongs to this owner, as :func:`owner_of` returns it; ``None``: to any
    """
    store = store_of(state)
    record = store.get(session_id)
    if record is None or owner not in (None, record.owner) or not store.remove(session_id) or record.deadline <= now:
        return False
    _notify(session_ended, record, state, cause)
    return True


def end_all(
    identity: Any, state: ExtensionState, *, cause: str, now: float, keep: str | None = None, issuer: str | None = None
) -> int:
    """End all sessions of an identity. Return how many were active.

    :param identity: the value of the identity claim
    :param keep: the session that stays active
    :param issuer: the trusted issuer of the identity; ``None``: this application
    """
    sessions = store_of(state).sessions_of(owner_of(identity, issuer))
    return sum(end(each.session_id, state, cause=cause, now=now) for each in sessions if each.session_id != keep)


def sessions_of(
    identity: Any, state: ExtensionState, now: float, current: str | None, issuer: str | None = None
) -> list[SessionInfo]:
    """List the active sessions of an identity, the newest first.

    :param identity: the value of the identity claim
    :param current: the session of this request
    :param issuer: the trusted issuer of the identity; ``None``: this application
    """
    owner = owner_of(identity, issuer)
    records = [each for each in store_of(state).sessions_of(owner) if each.deadline > now]
    records.sort(key=lambda record: record.created_at, reverse=True)
    return [_info(record, current) for record in records]


def all_sessions(state: ExtensionState, now: float) -> Iterator[SessionInfo]:
    """Iterate over all active sessions, in any order."""
    return (_info(record, None) for record in store_of(state).sessions() if record.deadline > now)


def _info(record: SessionRecord, current: str | None) -> SessionInfo:
    return SessionInfo(
        session_id=record.session_id,
        identity=record.identity,
        label=record.label,
        user_agent=record.user_agent,
        address=record.address,
        created_at=_utc(record.created_at),
        last_refreshed_at=_utc(record.refreshed_at),
        expires_at=None if record.deadline >= NEVER else _utc(record.deadline),
        current=record.session_id == current,
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def revoke(claims: Claims, state: ExtensionState, now: float) -> bool:
    """Revoke a verified token. Return whether it was not revoked before.

    The refresh token of a session ends the session (RFC 7009, section 2.1), unless it is expired or was exchanged
    before the grace period: an old copy ends nothing.

    :raises ConfigurationError: if the token has no ``jti`` claim
    """
    session_id = claims.get("sid")
    if session_id is not None and not isinstance(session_id, str):
        return False  # not a session of ours: the token is refused everywhere
    if claims["type"] == "refresh" and session_id is not None:
        return _end_by_refresh_token(session_id, claims, state, now)
    key = token_digest(claims, state)
    if key is None:
        fix = "require the claim in JWT_REQUIRED_CLAIMS, or in required_claims of the trusted issuer"
        raise ConfigurationError(f"A token without a jti claim cannot be revoked: {fix}")
    return store_of(state).revoke(key, accepted_until(claims, state), session_id)


def _end_by_refresh_token(session_id: str, claims: Claims, state: ExtensionState, now: float) -> bool:
    record = store_of(state).get(session_id)
    if record is None or _has_expired(claims, now):
        return False
    if classify(record, claims["jti"], now, state.settings.refresh_grace) is RefreshStatus.REUSED:
        logger.info("A refresh token that was already exchanged does not end its session when it is revoked")
        return False
    return end(session_id, state, cause="token_revoked", now=now)


def _has_expired(claims: Claims, now: float) -> bool:
    return "exp" in claims and int(claims["exp"]) <= now


def _notify(signal: Any, record: SessionRecord, state: ExtensionState, cause: str) -> None:
    state.notify(signal, session_id=record.session_id, identity=record.identity, cause=cause)
