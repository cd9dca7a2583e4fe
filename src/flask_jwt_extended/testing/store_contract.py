"""The contract of a session store as a pytest suite: what the protocol
:class:`~flask_jwt_extended.stores.base.SessionStore` says, and nothing that only one engine does. It must not
know Flask, nor how a store keeps anything.

Inherit from it, and name your store in a fixture called ``store``. It must be empty, and wait ten seconds or more::

    import pytest
    from flask_jwt_extended.testing.store_contract import SharedStoreContract

    class TestMyStore(SharedStoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore(tmp_path / "sessions", timeout=10)
            yield store
            store.close()

For failures in full words, call ``pytest.register_assert_rewrite("flask_jwt_extended.testing.store_contract")`` in your
``conftest.py`` first. What the suite cannot do is to take your engine away: that every method then raises
``StoreUnavailableError`` within its timeout is for you to test.
"""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import json
import os
import select
import signal
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Barrier, Event
from typing import Any, TypeVar

import pytest

from ..stores.base import MARGIN, SessionStore, Status
from ..stores.findings import SEVERITIES, Finding
from ..stores.records import NEVER, RefreshToken, SessionRecord, digest, owner_of, rotated

T = TypeVar("T")

#: How many do something at once.
CROWD = 8
#: How many sessions are many: more than a store may read in one go.
MANY = 1100
#: Seconds after which something hangs.
PATIENCE = 30.0
DAY = 86_400

#: What a session may hold, beside the usual.
CONTENTS: dict[str, dict[str, Any]] = {
    "nothing": {"label": None, "user_agent": None, "address": None, "claims": {}},
    "empty text": {"label": "", "user_agent": "", "address": ""},
    "unicode": {"label": "Zoë's ноутбук 你好 עברית", "claims": {"näme": "ß"}},
    "emoji": {"label": "👩🏽‍💻📱", "identity": "🦊"},
    "control characters": {"label": "a\0b\r\n\t\x1b'\"\\;--%_", "identity": "\0"},
    "a lone surrogate": {"label": "\ud800", "identity": "\udfff"},
    "long text": {"label": "l" * 256, "user_agent": "Ü" * 256, "address": "1" * 256, "identity": "i" * 5000},
    "nested claims": {"claims": {"roles": ["a", {"b": [None, True, 1.5]}], "n": {}}},
    "an integer identity": {"identity": 5},
    "a large integer identity": {"identity": 2**70},
    "a boolean identity": {"identity": True},
    "no identity": {"identity": None},
    "an identity of parts": {"identity": {"tenant": 1, "user": ["x", 2.5]}},
    "no end": {"ends_at": NEVER, "deadline": NEVER, "current": RefreshToken(jti="a", issued_at=1, expires_at=NEVER)},
    "a predecessor": {"previous_jti": "before", "rotated_at": 1_700_000_000.123456, "generation": 123_456},
}

#: Identities that something careless takes for one another.
LOOKALIKES = (
    "alice",
    "Alice",
    "ALICE",
    "alice ",
    " alice",
    "alicé",
    "alice\0",
    "\uff41lice",
    "5",
    5,
    5.5,
    True,
    "true",
    None,
)

#: Names of sessions that a client may have signed, with a key that leaked or another issuer's. There are none such.
HOSTILE = {
    "empty": "",
    "space": " ",
    "NUL": "\0",
    "very long": "x" * 100_000,
    "lone surrogate": "\ud800",
    "surrogate pair reversed": "\udfff\ud800",
    "emoji": "🦊" * 40,
    "SQL": "' OR '1'='1' --",
    "patterns": "%_*?[a-z]",
    "format": "%s %(x)s {} {0} :sid",
    "line break": "a\r\nFLUSHALL\r\n",
    "path": "../../etc/passwd",
}

#: What another spelling of an existing name may look like.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "trailing space": lambda name: name + " ",
    "leading space": lambda name: " " + name,
    "trailing NUL": lambda name: name + "\0",
    "trailing line break": lambda name: name + "\n",
    "accent": lambda name: name.replace("a", "á", 1),
    "full width": lambda name: name.replace("a", "\uff41", 1),
    "cut off": lambda name: name[:-1],
    "trailing surrogate": lambda name: name + "\udc80",
}


def new_session(**changes: Any) -> SessionRecord:
    """Return the record of a session that was started just now.

    :param changes: fields that are to be something else
    """
    now = time.time()
    usual: dict[str, Any] = {
        "session_id": f"abc{uuid.uuid4().hex[3:]}",
        "identity": "alice",
        "claims": {"role": "admin"},
        "label": "laptop",
        "user_agent": "Mozilla/5.0",
        "address": "192.0.2.1",
        "created_at": now,
        "refreshed_at": now,
        "ends_at": now + 90 * DAY,
        "deadline": now + 30 * DAY,
        "generation": 1,
        "current": new_token(),
    }
    return SessionRecord(**{**usual, **changes})


def new_token() -> RefreshToken:
    """Return a refresh token that was issued just now."""
    now = int(time.time())
    return RefreshToken(jti=str(uuid.uuid4()), issued_at=now, expires_at=now + 30 * DAY)


def refreshed(record: SessionRecord) -> SessionRecord:
    """Return the record after one more refresh: its deadline is one second later."""
    return rotated(record, new_token(), time.time(), record.deadline + 1)


def new_digest() -> str:
    """Return what stands for an access token."""
    return digest(str(uuid.uuid4()))


def names(records: Iterator[SessionRecord] | list[SessionRecord]) -> list[str]:
    """Return the ids of sessions, in order."""
    return sorted(record.session_id for record in records)


def added(store: SessionStore, *records: SessionRecord) -> list[str]:
    """Add sessions, and return their ids in order."""
    for record in records:
        store.add(record)
    return names(list(records))


def pruned(store: SessionStore, now: float, limit: int = 100) -> list[int]:
    """Prune until there is nothing left to do, and return how much each time did."""
    return list(iter(lambda: store.prune(now, limit), 0))


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Make each call in a thread of its own, all at the same moment, and return what they returned."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@contextmanager
def meanwhile(work: Callable[[], object], *, threads: int = CROWD // 2) -> Iterator[None]:
    """Do something over and over in several threads, until the block is over. An error in one of them is raised."""
    over = Event()

    def repeat() -> None:
        while not over.is_set():
            work()

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(repeat) for _ in range(threads)]
        try:
            yield
        finally:
            over.set()
        for future in running:
            future.result(PATIENCE)


class StoreContract:
    """What holds for every store, also one that lives in a single process."""

    def test_it_is_a_store(self, store: SessionStore) -> None:
        """It has the methods of the protocol."""
        assert isinstance(store, SessionStore)

    # --- sessions -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("changes", CONTENTS.values(), ids=CONTENTS)
    def test_a_session_comes_back_as_it_went(self, store: SessionStore, changes: dict[str, Any]) -> None:
        """Every field of a session that was added is found again, by its id and by its owner."""
        record = new_session(**changes)
        store.add(record)
        assert store.get(record.session_id) == record
        assert store.sessions_of(record.owner) == [record]
        assert list(store.sessions()) == [record]
        assert store.status(record.session_id, None) == Status(record.deadline, False)

    def test_a_session_is_found_after_its_deadline(self, store: SessionStore) -> None:
        """A session whose deadline has passed is kept for a clock that is behind."""
        record = new_session(deadline=time.time() - MARGIN + 120)
        store.add(record)
        assert store.get(record.session_id) == record
        assert store.status(record.session_id, None) == Status(record.deadline, False)

    def test_a_session_that_never_was(self, store: SessionStore) -> None:
        """An id that nobody was given finds nothing, ends nothing and makes nothing."""
        stranger = new_session()
        assert store.get(stranger.session_id) is None
        assert store.remove(stranger.session_id) is False
        assert store.replace(refreshed(stranger), stranger.generation) is False
        assert store.get(stranger.session_id) is None
        assert list(store.sessions()) == []

    def test_replacing_the_stored_generation(self, store: SessionStore) -> None:
        """A session is written anew if its stored generation is the expected one, and found so everywhere."""
        record = new_session()
        store.add(record)
        successor = refreshed(record)
        assert store.replace(successor, record.generation) is True
        assert store.get(record.session_id) == successor
        assert store.sessions_of(record.owner) == [successor]
        assert store.status(record.session_id, None) == Status(successor.deadline, False)

    @pytest.mark.parametrize("stale", [-1, 1], ids=["older", "newer"])
    def test_replacing_another_generation(self, store: SessionStore, stale: int) -> None:
        """Nothing is written if the stored generation is another one."""
        record = new_session(generation=7)
        store.add(record)
        assert store.replace(refreshed(record), record.generation + stale) is False
        assert store.get(record.session_id) == record

    def test_replacing_again_and_again(self, store: SessionStore) -> None:
        """Each generation can be replaced once."""
        record = new_session()
        store.add(record)
        for _ in range(5):
            successor = refreshed(record)
            assert store.replace(successor, record.generation) is True
            assert store.replace(successor, record.generation) is False
            record = successor
        assert store.get(record.session_id) == record

    def test_replacing_leaves_others_alone(self, store: SessionStore) -> None:
        """Another session of the same generation and the same owner stays what it is."""
        record, other = new_session(), new_session()
        added(store, record, other)
        assert store.replace(refreshed(record), record.generation)
        assert store.get(other.session_id) == other

    def test_one_of_many_replaces(self, store: SessionStore) -> None:
        """Of many that replace one generation at once exactly one does, and what it wrote is what is kept."""
        record = new_session()
        store.add(record)
        for _ in range(5):
            successors = [refreshed(record) for _ in range(CROWD)]
            calls = [lambda s=s, g=record.generation: store.replace(s, g) for s in successors]
            outcomes = at_once(*calls)
            assert sorted(outcomes) == [False] * (CROWD - 1) + [True]
            record = successors[outcomes.index(True)]
            assert store.get(record.session_id) == record

    # --- the end ------------------------------------------------------------------------------------------------------

    def test_ending_a_session(self, store: SessionStore) -> None:
        """A session that was ended is found by nothing, and cannot be ended again."""
        record = new_session()
        store.add(record)
        assert store.remove(record.session_id) is True
        assert store.get(record.session_id) is None
        assert store.status(record.session_id, None).deadline is None
        assert store.sessions_of(record.owner) == []
        assert list(store.sessions()) == []
        assert store.remove(record.session_id) is False

    def test_no_refresh_brings_a_session_back(self, store: SessionStore) -> None:
        """A session that was ended stays so, whatever was read of it before."""
        record = new_session()
        store.add(record)
        store.remove(record.session_id)
        assert store.replace(refreshed(record), record.generation) is False
        assert store.revoke(new_digest(), record.deadline, record.session_id) in {True, False}
        assert store.get(record.session_id) is None
        assert store.status(record.session_id, None).deadline is None
        assert store.stats(time.time()).sessions == 0

    def test_ending_leaves_others_alone(self, store: SessionStore) -> None:
        """Other sessions of the same owner stay, and new ones can be started."""
        record, other = new_session(), new_session()
        added(store, record, other)
        store.remove(record.session_id)
        later = new_session()
        store.add(later)
        assert names(store.sessions_of(record.owner)) == names([other, later])
        assert store.get(other.session_id) == other

    def test_one_of_many_ends(self, store: SessionStore) -> None:
        """Of many that end one session at once exactly one is told that it did."""
        record = new_session()
        store.add(record)
        outcomes = at_once(*[lambda: store.remove(record.session_id)] * CROWD)
        assert sorted(outcomes) == [False] * (CROWD - 1) + [True]

    def test_the_end_beats_a_refresh(self, store: SessionStore) -> None:
        """Once a session was ended nothing finds it, however many refreshes were in flight."""
        for _ in range(5):
            record = new_session()
            store.add(record)

            def refresh(session_id: str = record.session_id) -> None:
                stored = store.get(session_id)
                if stored is not None:
                    store.replace(refreshed(stored), stored.generation)

            with meanwhile(refresh):
                time.sleep(0.02)
                assert store.remove(record.session_id) is True
                assert store.get(record.session_id) is None
            assert store.status(record.session_id, None).deadline is None
            assert store.sessions_of(record.owner) == []

    # --- lists --------------------------------------------------------------------------------------------------------

    def test_sessions_of_a_stranger(self, store: SessionStore) -> None:
        """Who has no session has none, though others have."""
        store.add(new_session())
        assert store.sessions_of(owner_of("nobody")) == []

    def test_sessions_of_lookalikes(self, store: SessionStore) -> None:
        """Identities are told apart by case, white space, accents and type."""
        records = {repr(identity): new_session(identity=identity) for identity in LOOKALIKES}
        added(store, *records.values())
        for record in records.values():
            assert store.sessions_of(record.owner) == [record]

    def test_an_owner_of_many(self, store: SessionStore) -> None:
        """All sessions of an owner are found, each once, and all sessions of a store."""
        expected = added(store, *[new_session() for _ in range(MANY)])
        other = new_session(identity="bob")
        store.add(other)
        assert names(store.sessions_of(owner_of("alice"))) == expected
        assert names(store.sessions()) == sorted([*expected, other.session_id])

    def test_no_sessions(self, store: SessionStore) -> None:
        """An empty store has none."""
        assert list(store.sessions()) == []
        assert store.sessions_of(owner_of("alice")) == []

    def test_sessions_come_and_go(self, store: SessionStore) -> None:
        """Going through sessions while others come and go finds every one that stayed."""
        stayed = set(added(store, *[new_session() for _ in range(20)]))

        def come_and_go() -> None:
            record = new_session(identity="bob")
            store.add(record)
            store.remove(record.session_id)

        with meanwhile(come_and_go, threads=2):
            for _ in range(5):
                assert stayed <= set(names(store.sessions()))

    # --- the status of access tokens ----------------------------------------------------------------------------------

    def test_status_of_a_token_of_a_session(self, store: SessionStore) -> None:
        """The status tells when the session ends, and whether the token was revoked: this one, and no other."""
        record, other = new_session(), new_session()
        added(store, record, other)
        revoked = new_digest()
        assert store.revoke(revoked, record.deadline, record.session_id) is True
        assert store.status(record.session_id, revoked) == Status(record.deadline, True)
        assert store.status(record.session_id, new_digest()) == Status(record.deadline, False)
        assert store.status(record.session_id, None) == Status(record.deadline, False)
        assert store.status(other.session_id, new_digest()) == Status(other.deadline, False)

    def test_status_without_a_session(self, store: SessionStore) -> None:
        """A token that belongs to no session can be revoked as well."""
        token = new_digest()
        assert store.status(None, token) == Status(None, False)
        assert store.revoke(token, time.time() + DAY, None) is True
        assert store.status(None, token) == Status(None, True)
        assert store.status(None, new_digest()) == Status(None, False)

    def test_status_of_nothing(self, store: SessionStore) -> None:
        """A token without session and ``jti`` is not revoked."""
        assert store.status(None, None) == Status(None, False)

    def test_status_of_a_session_that_is_not_there(self, store: SessionStore) -> None:
        """A session that never was, or is no more, has no deadline."""
        record = new_session()
        store.add(record)
        store.remove(record.session_id)
        assert store.status(record.session_id, new_digest()) == Status(None, False)
        assert store.status(new_session().session_id, new_digest()) == Status(None, False)

    @pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
    def test_a_hostile_name(self, store: SessionStore, name: str) -> None:
        """A name that nobody was given is not found, whatever it holds, and never an error."""
        store.add(new_session())
        self.finds_nothing(store, name)

    @pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
    def test_another_spelling(self, store: SessionStore, spell: Callable[[str], str]) -> None:
        """The name of a session is compared exactly."""
        record = new_session()
        store.add(record)
        self.finds_nothing(store, spell(record.session_id))
        assert store.get(record.session_id) == record

    def finds_nothing(self, store: SessionStore, name: str) -> None:
        """Hold that no method finds a session by this name."""
        stranger = new_session(session_id=name)
        assert store.status(name, new_digest()) == Status(None, False)
        assert store.status(name, None) == Status(None, False)
        assert store.get(name) is None
        assert store.replace(refreshed(stranger), stranger.generation) is False
        assert store.revoke(new_digest(), stranger.deadline, name) in {True, False}
        assert store.remove(name) is False
        assert store.get(name) is None
        assert store.status(name, None) == Status(None, False)

    # --- revocation ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("of_session", [True, False], ids=["of a session", "of none"])
    def test_one_of_many_revokes(self, store: SessionStore, of_session: bool) -> None:
        """Of many that revoke one token at once exactly one is told that it did, and whoever comes later is not."""
        record = new_session()
        store.add(record)
        sid, token = record.session_id if of_session else None, new_digest()
        revoke: Callable[[], bool] = lambda: store.revoke(token, record.deadline, sid)  # noqa: E731  # made many times
        assert sorted(at_once(*[revoke] * CROWD)) == [False] * (CROWD - 1) + [True]
        assert revoke() is False
        assert store.status(sid, token).revoked

    @pytest.mark.parametrize("of_session", [True, False], ids=["of a session", "of none"])
    def test_each_token_is_revoked_by_itself(self, store: SessionStore, of_session: bool) -> None:
        """Many tokens are revoked, each for the first time."""
        record = new_session()
        store.add(record)
        sid, tokens = record.session_id if of_session else None, [new_digest() for _ in range(CROWD)]
        assert [store.revoke(token, record.deadline, sid) for token in tokens] == [True] * CROWD
        assert all(store.status(sid, token).revoked for token in tokens)

    def test_a_revocation_survives_a_refresh(self, store: SessionStore) -> None:
        """A token stays revoked when its session is refreshed."""
        record = new_session()
        store.add(record)
        token = new_digest()
        store.revoke(token, time.time() + DAY, record.session_id)
        successor = refreshed(record)
        assert store.replace(successor, record.generation)
        assert store.status(record.session_id, token) == Status(successor.deadline, True)
        assert store.revoke(token, time.time() + DAY, record.session_id) is False

    def test_a_revocation_ends_no_session(self, store: SessionStore) -> None:
        """Revoking a token writes nothing of its session anew."""
        record = new_session()
        store.add(record)
        store.revoke(new_digest(), record.deadline, record.session_id)
        assert store.get(record.session_id) == record
        assert store.replace(refreshed(record), record.generation) is True

    @pytest.mark.parametrize("of_session", [True, False], ids=["of a session", "of none"])
    def test_a_revocation_outlives_its_token(self, store: SessionStore, of_session: bool) -> None:
        """A revocation holds past the end of its token, for a clock that is behind."""
        now = time.time()
        record = new_session(deadline=now - MARGIN + 120)
        store.add(record)
        sid, token = record.session_id if of_session else None, new_digest()
        assert store.revoke(token, now - MARGIN + 120, sid) is True
        pruned(store, now)
        assert store.status(sid, token).revoked
        assert store.revoke(token, now - MARGIN + 120, sid) is False

    def test_a_revocation_without_end(self, store: SessionStore) -> None:
        """A token that never expires is revoked for ever."""
        token = new_digest()
        assert store.revoke(token, NEVER, None) is True
        pruned(store, time.time() + 1000 * DAY)
        assert store.status(None, token).revoked

    def test_revoking_what_is_long_over(self, store: SessionStore) -> None:
        """A token that nobody can present any more may be revoked: nothing comes of it, no error above all."""
        long_ago = time.time() - MARGIN - DAY
        assert store.revoke(new_digest(), long_ago, None) in {True, False}
        assert store.revoke(new_digest(), 0, None) in {True, False}
        assert store.revoke(new_digest(), -1.5, None) in {True, False}

    # --- pruning ------------------------------------------------------------------------------------------------------

    def test_pruning_is_bounded(self, store: SessionStore) -> None:
        """Pruning removes at most so many records at a time, and all that nobody can ask for in the end."""
        long_ago = time.time() - MARGIN - DAY
        kept = added(store, new_session(), new_session(identity="bob"))
        gone = added(store, *[new_session(deadline=long_ago, ends_at=long_ago) for _ in range(7)])
        for _ in range(7):
            store.revoke(new_digest(), long_ago, None)
        assert store.prune(time.time(), 0) == 0
        assert all(0 < number <= 3 for number in pruned(store, time.time(), limit=3))
        assert names(store.sessions()) == kept
        assert all(store.get(session_id) is None for session_id in gone)
        assert store.stats(time.time()) == (2, 0, 0)

    def test_pruning_keeps_the_margin(self, store: SessionStore) -> None:
        """What was good until a moment ago is kept: sessions and revocations."""
        now = time.time()
        record, token = new_session(deadline=now + 60), new_digest()
        store.add(record)
        store.revoke(token, now + 60, None)
        pruned(store, now + 60 + MARGIN - 1)
        assert store.get(record.session_id) == record
        assert names(store.sessions_of(record.owner)) == [record.session_id]
        assert store.status(None, token).revoked

    def test_pruning_keeps_what_never_ends(self, store: SessionStore) -> None:
        """A session without an end is kept, however late it is."""
        record = new_session(deadline=NEVER, ends_at=NEVER)
        store.add(record)
        pruned(store, time.time() + 10_000 * DAY)
        assert store.get(record.session_id) == record
        assert store.sessions_of(record.owner) == [record]

    def test_pruning_looks_at_the_last_refresh(self, store: SessionStore) -> None:
        """A session that was refreshed after its deadline is judged by its new one."""
        now = time.time()
        record = new_session(deadline=now - 60)
        store.add(record)
        successor = replace(refreshed(record), deadline=now + 30 * DAY)
        assert store.replace(successor, record.generation)
        pruned(store, now + MARGIN)
        assert store.get(record.session_id) == successor

    def test_a_session_refreshed_while_it_is_pruned(self, store: SessionStore) -> None:
        """A session is either pruned or refreshed: what a refresh has written stays."""
        long_ago, soon = time.time() - MARGIN - DAY, time.time() + DAY

        def refresh(record: SessionRecord) -> bool:
            return store.replace(replace(refreshed(record), deadline=soon), record.generation)

        for _ in range(10):
            records = [new_session(deadline=long_ago) for _ in range(CROWD)]
            added(store, *records)
            prune: Callable[[], bool] = lambda: store.prune(time.time(), CROWD) >= 0  # noqa: E731  # beside the others
            outcomes = at_once(*[partial(refresh, record) for record in records], prune)[:-1]
            pruned(store, time.time())
            assert [store.get(record.session_id) is not None for record in records] == outcomes

    # --- looking at a store -------------------------------------------------------------------------------------------

    def test_counting(self, store: SessionStore) -> None:
        """Statistics count sessions and revoked tokens, and what could be pruned of them."""
        assert store.stats(time.time()) == (0, 0, 0)
        ended, _, _ = added(store, new_session(), new_session(), new_session(identity="bob"))
        store.remove(ended)
        for _ in range(4):
            store.revoke(new_digest(), time.time() + DAY, None)
        assert store.stats(time.time()) == (2, 4, 0)

    def test_judging_the_engine(self, store: SessionStore) -> None:
        """Findings say what is wrong, why that matters and what to do, in words."""
        for finding in store.findings(time.time()):
            assert isinstance(finding, Finding)
            assert finding.severity in SEVERITIES
            assert finding.code.isidentifier()
            assert all([finding.message, finding.why, finding.fix])

    # --- life of a store ----------------------------------------------------------------------------------------------

    def test_creating_twice(self, store: SessionStore) -> None:
        """Creating what a store needs does no harm to what is there."""
        store.create()
        record = new_session()
        store.add(record)
        store.create()
        assert store.get(record.session_id) == record

    def test_creating_at_once(self, store: SessionStore) -> None:
        """Many may create what a store needs at the same moment."""
        at_once(*[store.create] * CROWD)
        store.add(new_session())

    def test_first_use_at_once(self, store: SessionStore) -> None:
        """Nobody has to create anything before many use a store at the same moment."""
        records = [new_session() for _ in range(CROWD)]
        at_once(*[lambda r=r: store.add(r) for r in records])
        assert names(store.sessions()) == names(records)

    def test_using_it_after_closing(self, store: SessionStore) -> None:
        """A store that was closed, twice even, is used again as if nothing had happened."""
        record = new_session()
        store.add(record)
        store.close()
        store.close()
        assert store.get(record.session_id) == record
        assert store.replace(refreshed(record), record.generation) is True

    def test_many_threads(self, store: SessionStore) -> None:
        """Many threads that live through whole sessions at once do not disturb one another."""

        def live() -> bool:
            record = new_session(identity=str(uuid.uuid4()))
            token = new_digest()
            store.add(record)
            successor = refreshed(record)
            assert store.replace(successor, record.generation)
            assert store.revoke(token, record.deadline, record.session_id)
            assert store.status(record.session_id, token) == Status(successor.deadline, True)
            assert store.sessions_of(record.owner) == [successor]
            return store.remove(record.session_id) and store.get(record.session_id) is None

        assert all(at_once(*[lambda: all(live() for _ in range(5))] * CROWD))
        assert list(store.sessions()) == []

    if hasattr(os, "fork"):

        def test_a_forked_child(self, store: SessionStore) -> None:
            """A child goes on with the store of its parent, and so does the parent."""
            record = new_session()
            store.add(record)
            for _ in range(3):
                assert Child(lambda: life_of_a_child(store, record.session_id)).result() == [True] * 4
                assert store.get(record.session_id) == record
            assert store.remove(record.session_id) is True

        def test_children_of_a_busy_parent(self, store: SessionStore) -> None:
            """A child can use the store though other threads were in the middle of using it."""
            record, *_ = records = [new_session() for _ in range(40)]
            added(store, *records)

            def use() -> None:
                store.revoke(new_digest(), time.time() + DAY, None)
                store.prune(time.time(), 10)

            with meanwhile(use, threads=3):
                for _ in range(10):
                    assert Child(lambda: life_of_a_child(store, record.session_id)).result() == [True] * 4
            assert store.get(record.session_id) == record


class SharedStoreContract(StoreContract):
    """What holds for a store that several processes share."""

    if hasattr(os, "fork"):

        def test_a_child_writes_for_its_parent(self, store: SessionStore) -> None:
            """What a child has written its parent reads, and the other way round."""
            record, ended = new_session(), new_session()
            added(store, record, ended)
            successor, token = refreshed(record), new_digest()

            def write() -> list[bool]:
                return [
                    store.replace(successor, record.generation),
                    store.remove(ended.session_id),
                    store.revoke(token, record.deadline, record.session_id),
                ]

            assert Child(write).result() == [True] * 3
            assert store.get(record.session_id) == successor
            assert store.get(ended.session_id) is None
            assert store.status(record.session_id, token).revoked

        def test_one_of_many_processes_replaces(self, store: SessionStore) -> None:
            """Of many processes that replace one generation at once exactly one does."""
            record = new_session()
            store.add(record)
            for _ in range(3):
                outcomes = self.race(store, record)
                assert sorted(outcomes) == [False] * (CROWD - 1) + [True]
                stored = store.get(record.session_id)
                assert stored is not None
                record = stored

        def race(self, store: SessionStore, record: SessionRecord) -> list[bool]:
            """Let many children refresh one session at the same moment, and return who did."""
            start = time.time() + 0.5

            def refresh() -> bool:
                store.status(record.session_id, None)  # so that they are connected
                time.sleep(max(0.0, start - time.time()))
                return store.replace(refreshed(record), record.generation)

            children = [Child(refresh) for _ in range(CROWD)]
            return [child.result() for child in children]


def life_of_a_child(store: SessionStore, session_id: str) -> list[bool]:
    """Do a little of everything with a store, and tell what went well. Of the session that is given nothing changes."""
    record, token = new_session(), new_digest()
    store.add(record)
    return [
        store.get(session_id) is not None,
        store.replace(refreshed(record), record.generation),
        store.revoke(token, time.time() + DAY, None) and store.status(None, token).revoked,
        store.remove(record.session_id),
    ]


class Child:
    """A forked child of this process that makes one call.

    :param work: what it is to do: it returns what JSON can say
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._answer, answer = os.pipe()
        with warnings.catch_warnings():  # that other threads run meanwhile is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            _tell(answer, work)
        os.close(answer)

    def result(self) -> Any:
        """Return what the call returned. It fails if the call did, or hangs."""
        ready, _, _ = select.select([self._answer], [], [], PATIENCE)
        if not ready:
            os.kill(self._pid, signal.SIGKILL)
        with open(self._answer, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(self._pid, 0)
        assert ready, "the child hangs"
        assert answer.startswith(b"+"), answer.decode()
        return json.loads(answer[1:])


def _tell(pipe: int, work: Callable[[], Any]) -> None:
    """Answer through a pipe, and leave without any of the parent's cleaning up."""
    try:
        answer = "+" + json.dumps(work())
    except BaseException as error:  # whatever it is, the parent is told
        answer = f"-the child raised {type(error).__name__}: {error}"
    os.write(pipe, answer.encode())
    os._exit(0)
