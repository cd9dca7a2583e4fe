"""Sessions do what a model of twenty lines says, step by step, over every store, and whatever the clock does.

The model knows no generations, digests or margins. A clock that goes back may make a token good that it had found to be
expired, as every clock does; a session that has ended stays so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from flask_jwt_extended import (
    JWTManager,
    end_all_sessions,
    end_session,
    get_jwt,
    list_sessions,
    refresh_session,
    revoke_token,
    start_session,
    utils,
    verify_jwt_in_request,
    view_decorators,
)
from flask_jwt_extended import sessions as session_utils
from flask_jwt_extended.exceptions import RefreshTokenReusedError, RevokedTokenError, SessionEndedError
from flask_jwt_extended.signals import refresh_theft_detected, session_ended
from flask_jwt_extended.stores.base import MARGIN, SessionStore
from flask_jwt_extended.testing.store_contract import at_once

from ..conftest import SECRET, bearer
from ..tokens import claims_of

#: Seconds that things live here: short, so that steps of the clock cross every border. An access token may
#: outlive its session.
ACCESS, REFRESH, IDLE, LIFETIME = 230, 300, 200, 900
#: By how many seconds the clocks of two machines may differ.
TOLERANCE = 1.0

#: Steps of the clock before somebody comes: within the grace, around its borders, and back; and beyond everything else.
MOMENTS = st.sampled_from([0, 0, 0, 0, 0.5, 2, 5, 9.5, 10, 30, -0.5, -1, -1.5])
JUMPS = st.sampled_from([60, 150, 200, 300, 900, MARGIN, 2 * MARGIN, -60, -200, -MARGIN])
OFFSETS = st.sampled_from([-0.5, 0, 0.5])
#: Which pair of tokens: the newest is 1. Any may come, and the newest come most.
PAIRS = st.one_of(st.integers(1, 3), st.integers(1, 3), st.integers(1, 40))


class Clock:
    """A clock that goes as it is told. It begins late enough never to be behind that of a store's engine."""

    def __init__(self) -> None:
        self.now = 0.0
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.now = float(int(time.time()) + 10 * 86_400)

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now


# --- the model -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Session:
    """What the model knows of a session.

    :ivar ended: for good
    :ivar forgotten: a store was free to forget it, and may have
    """

    session_id: str
    identity: str
    label: str
    created_at: float
    refreshed_at: float
    deadline: float
    current: dict[str, Any]
    previous: dict[str, Any] | None = None
    rotated_at: float = 0.0
    ended: bool = False
    forgotten: bool = False


@dataclass(eq=False)
class Pair:
    """Tokens that were issued together.

    :ivar revoked: whether the access token was revoked by itself
    :ivar free: a store was free to forget that, and may have
    """

    session: Session
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    revoked: bool = False
    free: bool = False


def verdict_on_access(pair: Pair, now: float) -> str:
    """What becomes of a request with the access token."""
    return (
        _verdict_on_time(claims_of(pair.access), now)
        or ("revoked" if pair.revoked else "")
        or _verdict_on_session(pair.session, now)
        or "passes"
    )


def verdict_on_refresh(pair: Pair, now: float, grace: float) -> str:
    """What becomes of a refresh with the refresh token."""
    refusal = _verdict_on_time(claims_of(pair.refresh), now) or _verdict_on_session(pair.session, now)
    return refusal or _verdict_on_rotation(pair, now, grace)


def _verdict_on_rotation(pair: Pair, now: float, grace: float) -> str:
    claims, session = claims_of(pair.refresh), pair.session
    if claims == session.current:
        return "passes"
    elapsed = now - session.rotated_at
    if claims != session.previous or grace == 0 or elapsed >= grace:
        return "reused"
    return "replayed" if elapsed > -TOLERANCE else "clock_skew"


def _verdict_on_time(claims: dict[str, Any], now: float) -> str:
    if claims["iat"] > now:
        return "early"
    return "expired" if claims["exp"] <= now else ""


def _verdict_on_session(session: Session, now: float) -> str:
    return "ended" if session.ended or session.deadline <= now else ""


# --- the machine -----------------------------------------------------------------------------------------------------

ERRORS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "expired",
    jwt.ImmatureSignatureError: "early",
    RefreshTokenReusedError: "reused",
    SessionEndedError: "ended",
    RevokedTokenError: "revoked",
}


class Machine(RuleBasedStateMachine):
    """Does what clients, owners, operators and clocks do, in any order, and holds what happens against the model."""

    def __init__(self, store: SessionStore, clock: Clock, grace: float) -> None:
        super().__init__()
        self.store, self.clock, self.grace = store, clock, grace
        self.identities = [f"{name}-{uuid4()}" for name in ("alice", "bob")]
        self.sessions: list[Session] = []
        self.everything: list[Pair] = []
        self.signals: list[tuple[str, str]] = []
        self.successors: dict[str, dict[str, Any]] = {}
        clock.reset()
        self.app = Flask("model")
        self.app.config.update(
            JWT_SECRET_KEY=SECRET,
            JWT_TOKEN_LOCATION=["headers", "cookies"],
            JWT_STORE_URI=self.store,
            JWT_REFRESH_GRACE=grace,
            JWT_ACCESS_TOKEN_EXPIRES=ACCESS,
            JWT_REFRESH_TOKEN_EXPIRES=REFRESH,
            JWT_SESSION_IDLE_TIMEOUT=IDLE,
            JWT_SESSION_LIFETIME=LIFETIME,
        )
        JWTManager(self.app)
        refresh_theft_detected.connect(self.hear_reuse, self.app)
        session_ended.connect(self.hear_end, self.app)

    def pair(self, which: int) -> Pair:
        """A pair of tokens, counted from the newest."""
        return self.everything[-min(which, len(self.everything))]

    def hear_reuse(self, sender: Flask, session_id: str, **rest: Any) -> None:
        self.signals.append(("reused", session_id))

    def hear_end(self, sender: Flask, session_id: str, **rest: Any) -> None:
        self.signals.append(("ended", session_id))

    @contextmanager
    def request(self, token: str, *, refresh: bool = False) -> Iterator[None]:
        """A request that carries a token."""
        with self.app.test_request_context(headers=bearer(token)):
            verify_jwt_in_request(refresh=refresh)
            yield

    def outcome(self, act: Callable[[], Any]) -> tuple[str, Any]:
        """What became of something, in a word, and what it returned."""
        self.signals.clear()
        try:
            return "passes", act()
        except tuple(ERRORS) as error:
            return ERRORS[type(error)], None

    # --- what clients do ---

    @initialize(who=st.integers(0, 1))
    def begin(self, who: int) -> None:
        self.log_in(1 - who, "old")
        self.clock.now += 10
        self.log_in(who, "new")

    @rule(who=st.integers(0, 1), label=st.sampled_from(["phone", "laptop"]))
    def log_in(self, who: int, label: str) -> None:
        with self.app.app_context():
            pair = start_session(self.identities[who], label=label)
        now = self.clock.now
        current = claims_of(pair.refresh_token)
        session = Session(pair.session_id, self.identities[who], label, now, now, 0.0, current)
        self.sessions.append(session)
        self.set_deadline(session)
        self.issued(session, pair)

    def set_deadline(self, session: Session) -> None:
        """A session ends with its refresh token, when nobody comes for it, or when it is old, whichever is first."""
        oldest, idle = int(session.created_at + LIFETIME), int(self.clock.now + IDLE)
        assert session.current["exp"] == min(oldest, int(self.clock.now + REFRESH))
        session.deadline = min(oldest, idle, session.current["exp"])

    def issued(self, session: Session, tokens: Any) -> None:
        """Take note of new tokens, and hold that they are what they should be."""
        access = claims_of(tokens.access_token)
        assert tokens.session_id == access["sid"] == session.session_id
        assert access["sub"] == session.identity
        assert access["exp"] == int(min(self.clock.now + ACCESS, session.created_at + LIFETIME))
        self.everything.append(Pair(session, tokens.access_token, tokens.refresh_token))

    @rule(which=PAIRS, after=MOMENTS)
    def refresh(self, which: int, after: float) -> None:
        self.clock.now += after
        self.do_refresh(self.pair(which))

    @rule(which=PAIRS, after=MOMENTS, later=MOMENTS)
    def refresh_twice(self, which: int, after: float, later: float) -> None:
        """A client that did not hear the answer, or a thief, or the victim of one."""
        pair = self.pair(which)
        for seconds in (after, later):
            self.clock.now += seconds
            self.do_refresh(pair)

    def do_refresh(self, pair: Pair) -> None:
        expected = verdict_on_refresh(pair, self.clock.now, self.grace)
        got, tokens = self.outcome(lambda: self.exchange(pair.refresh))
        if pair.session.forgotten and got == "ended" != expected:
            pair.session.ended = True
            return
        assert got == {"replayed": "passes", "clock_skew": "revoked"}.get(expected, expected)
        self.hold_signals(pair.session, expected)
        if expected == "passes":
            self.rotate(pair.session, tokens)
        if expected == "reused":
            pair.session.ended = True
        if tokens is not None:
            self.hold_one_successor(pair, tokens)
            self.issued(pair.session, tokens)

    def exchange(self, token: str) -> Any:
        """What a view does that refreshes."""
        with self.request(token, refresh=True):
            return refresh_session()

    def hold_signals(self, session: Session, verdict: str) -> None:
        """Reuse is told, and that it ends the session; nothing else ends one."""
        name = session.session_id
        assert self.signals == ([("reused", name), ("ended", name)] if verdict == "reused" else [])

    def rotate(self, session: Session, tokens: Any) -> None:
        """The model's own refresh."""
        session.previous, session.current = session.current, claims_of(tokens.refresh_token)
        session.rotated_at = session.refreshed_at = self.clock.now
        self.set_deadline(session)

    def hold_one_successor(self, pair: Pair, tokens: Any) -> None:
        """A refresh token has one successor, the same in every claim whoever is given it, and the next pair's csrf."""
        successor = claims_of(tokens.refresh_token)
        successor["csrf of access"] = claims_of(tokens.access_token)["csrf"]
        assert self.successors.setdefault(claims_of(pair.refresh)["jti"], successor) == successor

    @rule(which=PAIRS)
    def refresh_from_many_tabs(self, which: int) -> None:
        """With a grace, all tabs of a browser that refresh at once get the same successor."""
        pair = self.pair(which)
        passes = verdict_on_refresh(pair, self.clock.now, self.grace) == "passes"
        if self.grace == 0 or not passes or pair.session.forgotten:
            return
        tabs = at_once(*[lambda: self.exchange(pair.refresh)] * 3)
        self.rotate(pair.session, tabs[0])
        for tokens in tabs:
            self.hold_one_successor(pair, tokens)
            self.issued(pair.session, tokens)

    @rule(which=PAIRS, after=MOMENTS)
    def access(self, which: int, after: float) -> None:
        self.clock.now += after
        self.pass_with(self.pair(which), get_jwt)

    def pass_with(self, pair: Pair, view: Callable[[], Any]) -> Any:
        """Call a protected view, and return what it does; ``None`` if the request is refused, as it should be."""

        def act() -> Any:
            with self.request(pair.access):
                return view()

        expected = verdict_on_access(pair, self.clock.now)
        got, value = self.outcome(act)
        if pair.session.forgotten and got == "ended" != expected:
            pair.session.ended = True
        elif pair.free and expected == "revoked" and got != "revoked":
            pair.revoked = False
            assert got == verdict_on_access(pair, self.clock.now)
        elif pair.session.ended and expected == "revoked":  # which of the two it is told may go with the session
            assert got in {"revoked", "ended"}
        else:
            assert got == expected
        return value

    # --- what owners and operators do ---

    @rule(
        which=PAIRS, how=st.sampled_from(["log_out", "end", "end_another", "end_all", "end_others", "revoke_refresh"])
    )
    def end(self, which: int, how: str) -> None:
        pair = self.pair(which)
        getattr(self, f"do_{how}")(pair)
        self.log_in(self.identities.index(pair.session.identity), "again")

    def do_log_out(self, pair: Pair) -> None:
        outcome = self.pass_with(pair, end_session)
        assert outcome in {True, None}
        pair.session.ended |= outcome is True

    def do_end(self, pair: Pair) -> None:
        with self.app.app_context():
            assert end_session(pair.session.session_id) in self.outcomes(pair.session)
        pair.session.ended = True

    def outcomes(self, session: Session) -> set[bool]:
        """What ending a session may return: whether it went on until now."""
        goes_on = not _verdict_on_session(session, self.clock.now)
        return {goes_on, False} if session.forgotten else {goes_on}

    def do_end_another(self, pair: Pair) -> None:
        """An owner tries to end other sessions from theirs: those of others stay."""
        for session in sorted(self.sessions[-4:], key=lambda each: each.identity == pair.session.identity):
            mine = session.identity == pair.session.identity
            possible = self.outcomes(session) if mine else {False}
            outcome = self.pass_with(pair, partial(end_session, session.session_id))
            assert outcome is None or outcome in possible
            session.ended |= mine and outcome is not None

    def do_end_all(self, pair: Pair) -> None:
        with self.app.app_context():
            self.hold_all_ended(self.owned(pair.session.identity), end_all_sessions(pair.session.identity))

    def do_end_others(self, pair: Pair) -> None:
        count = self.pass_with(pair, lambda: end_all_sessions(keep_current=True))
        if count is not None:
            others = [each for each in self.owned(pair.session.identity) if each is not pair.session]
            self.hold_all_ended(others, count)

    def owned(self, identity: str) -> list[Session]:
        """The sessions of somebody that have not ended for good."""
        return [each for each in self.sessions if each.identity == identity and not each.ended]

    def hold_all_ended(self, sessions: list[Session], count: int) -> None:
        """As many were ended as went on, but for what a store may have forgotten."""
        possible = [self.outcomes(session) for session in sessions]
        assert possible.count({True}) <= count <= len(possible) - possible.count({False})
        for session in sessions:
            session.ended = True

    def do_revoke_refresh(self, pair: Pair) -> None:
        ends = self.could_be_exchanged(pair)
        pair.session.ended |= self.revoke(pair.refresh, pair) and ends

    def could_be_exchanged(self, pair: Pair) -> bool:
        """Whether a refresh token ends its session when it is revoked: an old copy does not. A session that has ended
        by itself then ends for good.
        """
        now = self.clock.now
        is_good = not _verdict_on_time(claims_of(pair.refresh), now)
        return is_good and _verdict_on_rotation(pair, now, self.grace) != "reused"

    @rule(which=PAIRS)
    def revoke_access(self, which: int) -> None:
        pair = self.pair(which)
        if self.revoke(pair.access, pair):
            pair.revoked, pair.free = True, False

    def revoke(self, token: str, pair: Pair) -> bool:
        """Revoke a token, and tell whether that could be done: not with one from the future."""
        with self.app.app_context():
            got, news = self.outcome(lambda: revoke_token(token))
        if claims_of(token)["iat"] > self.clock.now:
            assert got == "early"
            return False
        assert got == "passes"
        if token == pair.refresh:
            assert news in (self.outcomes(pair.session) if self.could_be_exchanged(pair) else {False})
        elif not (pair.session.ended or pair.session.forgotten or pair.free):
            assert news is not pair.revoked
        return True

    # --- what time does ---

    @rule(which=PAIRS, border=st.sampled_from(["access", "refresh", "session", "grace"]), offset=OFFSETS)
    def come_at_a_border(self, which: int, border: str, offset: float) -> None:
        """A client comes at the very moment at which something ends."""
        pair = self.pair(which)
        session = pair.session
        self.clock.now = (
            offset
            + {
                "access": claims_of(pair.access)["exp"],
                "refresh": claims_of(pair.refresh)["exp"],
                "session": session.deadline,
                "grace": session.rotated_at + self.grace if session.previous else self.clock.now,
            }[border]
        )
        self.pass_with(pair, get_jwt)
        self.do_refresh(pair)

    @rule(seconds=JUMPS)
    def jump(self, seconds: float) -> None:
        self.clock.now += seconds
        self.log_in(0, "later")

    @rule(limit=st.integers(1, 3))
    def prune(self, limit: int) -> None:
        """Pruning takes what is past its time by the margin, so many at once, and nothing else."""
        assert self.store.prune(self.clock.now, limit) <= limit
        for session in self.sessions:
            session.forgotten |= session.deadline <= self.clock.now - MARGIN
        for pair in self.everything:
            pair.free |= claims_of(pair.access)["exp"] <= self.clock.now - MARGIN

    # --- what always holds ---

    @rule(who=st.integers(0, 1))
    def list_all(self, who: int) -> None:
        """What is listed goes on, what goes on is listed, the youngest first."""
        with self.app.app_context():
            infos = list_sessions(self.identities[who])
        on = [each for each in self.owned(self.identities[who]) if each.deadline > self.clock.now]
        certain = {each.session_id for each in on if not each.forgotten}
        shown = {each.session_id: each for each in on}
        assert certain <= {info.session_id for info in infos} <= set(shown)
        assert [info.created_at for info in infos] == sorted((info.created_at for info in infos), reverse=True)
        for info in infos:
            session = shown[info.session_id]
            assert (info.label, info.identity, info.current) == (session.label, session.identity, False)
            assert info.last_refreshed_at == _utc(session.refreshed_at)
            assert info.expires_at == _utc(session.deadline)

    def teardown(self) -> None:
        """In the end nothing passes of a session that has ended, at no time at all."""
        last = self.clock.now
        for pair in [each for each in self.everything if each.session.ended]:
            for self.clock.now in {last, float(claims_of(pair.access)["iat"])}:
                with pytest.raises((RevokedTokenError, jwt.InvalidTokenError)), self.request(pair.access):
                    pass
                with pytest.raises((RevokedTokenError, jwt.InvalidTokenError)):
                    self.exchange(pair.refresh)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the extension, and of nothing else: stores and servers have their own."""
    clock = Clock()
    for module in (session_utils, utils, view_decorators):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock.time))
    return clock


#: How many histories are tried: a server takes a hundred times as long as a dictionary.
HISTORIES = {"memory": 40}


@pytest.mark.parametrize("grace", [10, 0])
def test_sessions_do_what_the_model_says(
    store: SessionStore, clock: Clock, grace: float, request: pytest.FixtureRequest
) -> None:
    """Every history of logins, refreshes, ends, revocations and clocks goes as the model has it."""

    class Bound(Machine):
        """The machine over this store."""

        def __init__(self) -> None:
            super().__init__(store, clock, grace)

    run_state_machine_as_test(
        Bound,
        settings=settings(
            max_examples=HISTORIES.get(request.node.callspec.params["store"], 20),
            stateful_step_count=50,
            deadline=None,
            report_multiple_bugs=False,
        ),
    )
