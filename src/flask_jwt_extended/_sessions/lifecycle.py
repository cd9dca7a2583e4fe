"""The life of a session: started, refreshed, listed, ended. And single tokens, revoked.

Settings, store, time and what is known of the client come in as arguments. What a store keeps signs nothing, so tokens
that must be the same for everybody who asks are signed again from what it keeps.
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

#: How often a change is tried while others change the same session.
_ATTEMPTS = 8


@dataclass(frozen=True, eq=False)
class TokenPair:
    """The tokens of a session.

    :ivar access_token: goes along with every request
    :ivar refresh_token: is exchanged for the next pair, once
    :ivar session_id: names the session to :func:`end_session`
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    session_id: str


@dataclass(frozen=True)
class SessionInfo:
    """A session, as its owner may see it. Times are aware, in UTC.

    :ivar session_id: names it to :func:`end_session`
    :ivar identity: whose it is, as the identity claim has it
    :ivar label: what it was called when it was started
    :ivar user_agent: the ``User-Agent`` that started it
    :ivar address: the network address that started it
    :ivar created_at: when it was started
    :ivar last_refreshed_at: when it was last refreshed
    :ivar expires_at: when it ends if it is not refreshed before; ``None``: never
    :ivar current: whether this request belongs to it
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
    """What a caller asks of a new session, and what is known of the client.

    :ivar claims: additional claims for every token of it
    """

    identity: Any
    fresh: Fresh = True
    claims: Mapping[str, Any] | None = None
    label: str | None = None
    user_agent: str | None = None
    address: str | None = None


# --- starting and refreshing ----------------------------------------------------------------------------------------


def start(new: NewSession, state: ExtensionState, now: float, replaced: Iterable[Claims] = ()) -> TokenPair:
    """Start a session and make its first tokens.

    :param now: seconds since the epoch
    :param replaced: the claims of tokens whose sessions it replaces: see :func:`replace_sessions`
    :raises StoreUnavailableError: if it cannot be kept
    """
    store, settings = store_of(state), state.settings
    identity, claims = as_json([subject_of(new.identity, state), new.claims or {}], state)
    ends_at = _limit(settings.session_lifetime, now)
    current = _new_refresh_token(state, now, ends_at)
    record = SessionRecord(
        session_id=str(uuid.uuid4()),
        identity=identity,
        claims=claims,
        label=_cut(new.label),
        user_agent=_cut(new.user_agent),
        address=_cut(new.address),
        created_at=now,
        refreshed_at=now,
        ends_at=ends_at,
        deadline=_deadline(state, now, current),
        generation=1,
        current=current,
    )
    presented = {"type": "refresh", "csrf": str(uuid.uuid4())}  # as if a first one had been exchanged
    pair = _Pair(record, state, new.identity, presented).signed(now, fresh=new.fresh)
    store.add(record)
    state.notify(session_started, session_id=record.session_id, identity=identity, cause="login")
    replace_sessions(replaced, record, state, now)
    return pair


def replace_sessions(presented: Iterable[Claims], by: SessionRecord, state: ExtensionState, now: float) -> None:
    """End the sessions whose tokens came with a login (ASVS 7.2.4). The login stands if the store fails meanwhile.

    :param presented: the claims of verified tokens, which may have expired or been superseded
    :param by: the session that was started
    :param now: seconds since the epoch
    """
    try:
        for claims in presented:
            if claims["sid"] != by.session_id and _is_replaced(claims, by, state, now):
                end(claims["sid"], state, cause="replaced", now=now)
    except StoreUnavailableError as error:
        logger.warning("The session before a login could not be ended: the store is unavailable (%s)", error.reason)


def _is_replaced(claims: Claims, by: SessionRecord, state: ExtensionState, now: float) -> bool:
    """Whether a token stands for the session that a login replaces: it would pass, or both are of the same identity.
    An old copy of a token does not end the session of another identity.
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
    """Exchange a refresh token for the next pair of its session. One exchange wins; within the grace, whoever comes
    with the same token is answered with the same successor.

    :param now: seconds since the epoch
    :param user: what loaders are told instead of the identity claim; ``None``: they are told that
    :raises SessionEndedError: if the session has ended
    :raises RefreshTokenReusedError: if the token was used before; its session has ended then
    :raises StoreUnavailableError: if the store does not answer
    """
    for _ in range(_ATTEMPTS):
        record, stands = check_rotation(token, state, now)
        loaded = record.identity if user is None else user
        if stands is RefreshStatus.REPLAYED:
            pair = _Pair(record, state, loaded, token.claims).signed(now)
            _tell(refresh_retried, record, state, "grace")
            return pair
        successor = _new_refresh_token(state, now, record.ends_at)
        after = rotated(record, successor, now, _deadline(state, now, successor))
        pair = _Pair(after, state, loaded, token.claims).signed(now)
        if store_of(state).replace(after, record.generation):
            _tell(session_refreshed, after, state, "rotation")
            return pair
    raise StoreUnavailableError("contention")


def extend(token: Token, state: ExtensionState, now: float, user: Any) -> str | None:
    """Make another access token for the session of one that may pass now, without its refresh token. ``None``: the last
    login or exchange is longer ago than JWT_COOKIE_EXTENSION_LIFETIME, or the token is older than that exchange.

    :param now: seconds since the epoch
    :param user: what loaders are told instead of the identity claim; ``None``: they are told that
    :raises SessionEndedError: if the session has ended, or the token was revoked
    :raises StoreUnavailableError: if the store does not answer
    """
    store, session_id = store_of(state), token.claims["sid"]
    for _ in range(_ATTEMPTS):
        record = store.get(session_id)
        mark = token_digest(token.claims, state)
        if record is None or record.deadline <= now or store.status(session_id, mark).revoked:
            raise SessionEndedError(token.header, token.claims)
        exchanged_at = record.exchanged_at
        # An exchange has made a newer access token: a copy of an older one is not extended any more.
        is_old = token.claims.get("iat", exchanged_at) < int(exchanged_at)
        if is_old or now >= _limit(state.settings.cookie_extension_lifetime, exchanged_at):
            return None
        after = extended(record, now, _deadline(state, now, record.current))
        if store.replace(after, record.generation):
            _tell(session_refreshed, after, state, "implicit")
            return _Pair(after, state, record.identity if user is None else user, token.claims).access(now)
    raise StoreUnavailableError("contention")


def _new_refresh_token(state: ExtensionState, now: float, ends_at: float) -> RefreshToken:
    expires_at = min(_limit(state.settings.refresh_token_expires, now), int(ends_at))
    return RefreshToken(jti=str(uuid.uuid4()), issued_at=int(now), expires_at=expires_at)


def _deadline(state: ExtensionState, now: float, current: RefreshToken) -> float:
    return min(current.expires_at, _limit(state.settings.session_idle_timeout, now))


def _limit(lifetime: Any, now: float) -> int:
    return NEVER if lifetime is False else claims_.expiry(now, lifetime)


def _cut(text: Any) -> str | None:
    # A label may be what a client sent as JSON, so of any type.
    return None if text is None else str(text)[:MAX_TEXT]


def as_json(value: Any, state: ExtensionState) -> Any:
    """What a value is once it has been written into a token."""
    return json.loads(state.encode(value))


class _Pair(NamedTuple):
    """The tokens that belong to a state of a session.

    :ivar loaded: what loaders are told of the identity
    :ivar presented: the claims of the refresh token that was exchanged, or of the access token that is prolonged
    """

    record: SessionRecord
    state: ExtensionState
    loaded: Any
    presented: Claims

    def signed(self, now: float, *, fresh: Fresh = False) -> TokenPair:
        return TokenPair(self.access(now, fresh=fresh), self.refresh(), self.record.session_id)

    def access(self, now: float, *, fresh: Fresh = False) -> str:
        expires_at = min(_limit(self.state.settings.access_token_expires, now), int(self.record.ends_at))
        fixed = {"jti": str(uuid.uuid4()), "exp": expires_at}
        if "auth_time" not in self.record.claims:  # or the application knows better when its user logged in
            fixed["auth_time"] = int(self.record.created_at)
        return self._issue("access", now, fixed, fresh)

    def refresh(self) -> str:
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
            identity=self.loaded,
            fresh=fresh,
            expires_delta=False,  # exp is fixed
            additional_claims=dict(self.record.claims),
            fixed=fixed,
        )
        return issue(new, self.state, now)

    def _csrf_value(self, token_type: str) -> str | None:
        """The double submit value: one for each kind of token, the same for as long as the session goes on.

        Another tab may refresh after a page has read the value and before the browser adds the cookie, and open pages
        have it in their forms. So each token hands on its own. That of access tokens comes from that of refresh tokens,
        which neither the store nor a log ever sees.
        """
        value = self.presented.get("csrf")
        if not self.state.settings.cookie_csrf_protect or not isinstance(value, str):
            return None
        if self.presented["type"] == token_type:
            return value
        return hmac.new(value.encode("utf-8", "surrogatepass"), token_type.encode(), "sha256").hexdigest()


# --- ending and listing ---------------------------------------------------------------------------------------------


def end(session_id: str, state: ExtensionState, *, cause: str, owner: str | None = None, now: float = 0) -> bool:
    """End a session, and say whether there was one.

    :param owner: whose it must be, as :func:`owner_of` gives it; ``None``: anybody's
    :param now: seconds since the epoch: one that had ended by itself until then is removed, and does not count
    """
    store = store_of(state)
    record = store.get(session_id)
    if record is None or owner not in (None, record.owner) or not store.remove(session_id) or record.deadline <= now:
        return False
    _tell(session_ended, record, state, cause)
    return True


def end_all(
    identity: Any,
    state: ExtensionState,
    *,
    cause: str,
    keep: str | None = None,
    now: float = 0,
    issuer: str | None = None,
) -> int:
    """End all sessions of an identity, and return how many there were.

    :param identity: as the identity claim has it
    :param keep: the one that goes on
    :param now: as for :func:`end`
    :param issuer: the trusted issuer that chose the identity; ``None``: this application
    """
    sessions = store_of(state).sessions_of(owner_of(identity, issuer))
    return sum(end(each.session_id, state, cause=cause, now=now) for each in sessions if each.session_id != keep)


def sessions_of(
    identity: Any, state: ExtensionState, now: float, current: str | None, issuer: str | None = None
) -> list[SessionInfo]:
    """List the sessions of an identity that go on, the youngest first.

    :param identity: as the identity claim has it
    :param now: seconds since the epoch
    :param current: the session of this request
    :param issuer: the trusted issuer that chose the identity; ``None``: this application
    """
    owner = owner_of(identity, issuer)
    records = [each for each in store_of(state).sessions_of(owner) if each.deadline > now]
    records.sort(key=lambda record: record.created_at, reverse=True)
    return [info(record, current) for record in records]


def all_sessions(state: ExtensionState, now: float) -> Iterator[SessionInfo]:
    """Go through all sessions that go on, in any order.

    :param now: seconds since the epoch
    """
    return (info(record, None) for record in store_of(state).sessions() if record.deadline > now)


def info(record: SessionRecord, current: str | None) -> SessionInfo:
    """Return what an owner may see of a session."""
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


# --- revoking -------------------------------------------------------------------------------------------------------


def revoke(claims: Claims, state: ExtensionState, now: float) -> bool:
    """Revoke a verified token, and say whether that was news. With its refresh token a session ends
    (RFC 7009, section 2.1), unless that token has expired or has a successor in use: an old copy ends nothing.

    :param now: seconds since the epoch
    :raises ConfigurationError: if the token has no ``jti`` to revoke it by
    """
    session_id = claims.get("sid")
    if session_id is not None and not isinstance(session_id, str):
        return False  # of no session of ours: it passes nowhere
    if claims["type"] == "refresh" and session_id is not None:
        return _end_by_refresh_token(session_id, claims, state, now)
    mark = token_digest(claims, state)
    if mark is None:
        fix = "require the claim in JWT_REQUIRED_CLAIMS, or in required_claims of the trusted issuer"
        raise ConfigurationError(f"A token without a jti claim cannot be revoked: {fix}")
    return store_of(state).revoke(mark, accepted_until(claims, state), session_id)


def _end_by_refresh_token(session_id: str, claims: Claims, state: ExtensionState, now: float) -> bool:
    """End a session with a refresh token that could still be exchanged."""
    record = store_of(state).get(session_id)
    if record is None or _has_expired(claims, now):
        return False
    if classify(record, claims["jti"], now, state.settings.refresh_grace) is RefreshStatus.REUSED:
        logger.info("A refresh token that was exchanged before was to be revoked: its session stays active")
        return False
    return end(session_id, state, cause="token_revoked", now=now)


def _has_expired(claims: Claims, now: float) -> bool:
    return "exp" in claims and int(claims["exp"]) <= now


def _tell(signal: Any, record: SessionRecord, state: ExtensionState, cause: str) -> None:
    state.notify(signal, session_id=record.session_id, identity=record.identity, cause=cause)
