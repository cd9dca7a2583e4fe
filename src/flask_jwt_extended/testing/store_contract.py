"""The contract of :class:`~flask_jwt_extended.stores.base.SessionStore` as a pytest suite.

Inherit from it, with a fixture ``store`` that returns your store, empty and with a timeout of at least ten seconds::

    class TestMyStore(SharedStoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore(tmp_path / "sessions", timeout=10)
            yield store
            store.close()

For detailed failures, call ``pytest.register_assert_rewrite("flask_jwt_extended.testing.store_contract")`` in your
``conftest.py`` first. The suite cannot stop your engine: test yourself that every method then raises
``StoreUnavailableError`` within the timeout.

.. versionadded:: 5.0
"""

# ruff: noqa: S101  # tests assert

from __future__ import annotations

import multiprocessing
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from threading import Barrier, Event
from typing import Any, TypeVar

import pytest

from ..stores.base import MARGIN, SessionStore, Status
from ..stores.findings import SEVERITIES, Finding
from ..stores.records import NEVER, RefreshToken, SessionRecord, digest, owner_of, rotated

T = TypeVar("T")

#: How many threads or processes do something at the same time.
CROWD = 8
#: How many sessions are more than a store may read in one batch.
MANY = 1100
#: Seconds after which a thread or a process hangs.
WAIT = 30.0
DAY = 86_400

#: Unusual contents of a session.
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

#: Different identities that a careless comparison takes for equal.
LOOKALIKES = (
    *("alice", "Alice", "ALICE", "alice ", " alice", "alicé", "alice\0", "\uff41lice"),
    *("5", 5, 5.5, True, "true", None),
)

#: A session id that exists.
KNOWN = "abcdef0123456789"
#: Session ids that do not exist, and that a client can send with a leaked key.
UNKNOWN = {
    "well formed": "abcdef0123456780",
    "upper case": KNOWN.upper(),
    "trailing space": f"{KNOWN} ",
    "leading space": f" {KNOWN}",
    "trailing NUL": f"{KNOWN}\0",
    "trailing line break": f"{KNOWN}\n",
    "accent": KNOWN.replace("a", "á"),
    "full width": KNOWN.replace("a", "\uff41"),
    "cut off": KNOWN[:-1],
    "trailing surrogate": f"{KNOWN}\udc80",
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


def new_session(**changes: Any) -> SessionRecord:
    """Return the record of a session that starts now, with these fields changed."""
    now = time.time()
    record = SessionRecord(
        session_id=f"abc{uuid.uuid4().hex[3:]}",
        identity="alice",
        claims={"role": "admin"},
        label="laptop",
        user_agent="Mozilla/5.0",
        address="192.0.2.1",
        created_at=now,
        refreshed_at=now,
        ends_at=now + 90 * DAY,
        deadline=now + 30 * DAY,
        generation=1,
        current=new_token(),
    )
    return replace(record, **changes)


def added(store: SessionStore, **changes: Any) -> SessionRecord:
    """Add a new session and return its record."""
    record = new_session(**changes)
    store.add(record)
    return record


def new_token() -> RefreshToken:
    """Return a refresh token that is issued now."""
    now = int(time.time())
    return RefreshToken(jti=str(uuid.uuid4()), issued_at=now, expires_at=now + 30 * DAY)


def refreshed(record: SessionRecord) -> SessionRecord:
    """Return the record after one more refresh: its deadline is one second later."""
    return rotated(record, new_token(), time.time(), record.deadline + 1)


def new_digest() -> str:
    """Return the digest of a new access token."""
    return digest(str(uuid.uuid4()))


def names(records: Iterable[SessionRecord]) -> list[str]:
    """Return the ids of sessions, sorted."""
    return sorted(record.session_id for record in records)


def pruned(store: SessionStore, now: float, limit: int = 100) -> list[int]:
    """Prune until nothing is left to remove, and return how many records each call removed."""
    return list(iter(lambda: store.prune(now, limit), 0))


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Make each call in its own thread, all at the same moment, and return the results."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait(WAIT)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def is_one_of(outcomes: list[bool]) -> bool:
    """Return whether exactly one of a crowd succeeded."""
    return sorted(outcomes) == [False] * (CROWD - 1) + [True]


@contextmanager
def meanwhile(work: Callable[[], object], *, threads: int = CROWD // 2) -> Iterator[None]:
    """Repeat a call in several threads until the block ends. An error in one of them is raised."""
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
            future.result(WAIT)


OF_SESSION = pytest.mark.parametrize("of_session", [True, False], ids=["of a session", "of none"])


class StoreContract:
    """The tests for every store, also for one that lives in a single process.

    .. versionadded:: 5.0
    """

    @pytest.mark.parametrize("changes", CONTENTS.values(), ids=CONTENTS)
    def test_a_session_is_found_unchanged(self, store: SessionStore, changes: dict[str, Any]) -> None:
        """Every method finds an added session, with equal fields."""
        record = added(store, **changes)
        assert store.get(record.session_id) == record
        assert store.sessions_of(record.owner) == [record]
        assert list(store.sessions()) == [record]
        assert store.status(record.session_id, None) == Status(record.deadline, False)

    def test_replacing(self, store: SessionStore) -> None:
        """Only the stored generation is replaced, every method finds the new record, and other sessions stay."""
        record, other = added(store), added(store)
        for _ in range(5):
            successor, generation = refreshed(record), record.generation
            assert [store.replace(successor, each) for each in (generation - 1, generation + 1)] == [False, False]
            assert [store.replace(successor, generation) for _ in range(2)] == [True, False]
            record = successor
            assert store.get(record.session_id) == record
            assert store.status(record.session_id, None) == Status(record.deadline, False)
        for found in (store.sessions_of(record.owner), list(store.sessions())):
            assert sorted(found, key=lambda each: each.generation) == [other, record]

    def test_one_of_many_replaces(self, store: SessionStore) -> None:
        """If many replace one generation at the same time, exactly one succeeds, and its record is kept."""
        record = added(store)
        for _ in range(5):
            successors = [refreshed(record) for _ in range(CROWD)]
            outcomes = at_once(*[partial(store.replace, each, record.generation) for each in successors])
            assert is_one_of(outcomes)
            record = successors[outcomes.index(True)]
            assert store.get(record.session_id) == record

    def test_ending_a_session(self, store: SessionStore) -> None:
        """No method finds an ended session, and no refresh brings it back. Its owner can have others."""
        record, other = added(store), added(store)
        assert store.remove(record.session_id) is True
        self.finds_nothing(store, record.session_id)
        assert store.replace(refreshed(record), record.generation) is False
        later = added(store)
        assert names(store.sessions_of(record.owner)) == names(store.sessions()) == names([other, later])
        assert store.stats(time.time()).sessions == 2
        assert store.get(other.session_id) == other

    def test_one_of_many_ends(self, store: SessionStore) -> None:
        """If many end one session at the same time, exactly one succeeds."""
        record = added(store)
        assert is_one_of(at_once(*[partial(store.remove, record.session_id)] * CROWD))

    def test_the_end_wins_over_a_refresh(self, store: SessionStore) -> None:
        """No method finds an ended session, even if refreshes run at the same time."""
        for _ in range(5):
            record = added(store)

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

    def test_sessions_of_lookalikes(self, store: SessionStore) -> None:
        """Identities that differ in case, white space, accents or type are different. Others have no sessions."""
        assert store.sessions_of(owner_of("bob")) == list(store.sessions()) == []
        for record in [added(store, identity=identity) for identity in LOOKALIKES]:
            assert store.sessions_of(record.owner) == [record]
        assert store.sessions_of(owner_of("bob")) == []

    def test_an_owner_of_many(self, store: SessionStore) -> None:
        """All sessions of an owner and of a store are found, each once."""
        records = [added(store) for _ in range(MANY)]
        other = added(store, identity="bob")
        assert names(store.sessions_of(owner_of("alice"))) == names(records)
        assert names(store.sessions()) == names([*records, other])

    def test_sessions_come_and_go(self, store: SessionStore) -> None:
        """Iterating over sessions while others are added and removed finds all that stay."""
        stayed = set(names(added(store) for _ in range(20)))

        with meanwhile(lambda: store.remove(added(store, identity="bob").session_id), threads=2):
            for _ in range(5):
                assert stayed <= set(names(store.sessions()))

    def test_status(self, store: SessionStore) -> None:
        """The status holds the deadline of the session, if any, and whether this token was revoked, if it has an id."""
        record, other = added(store), added(store)
        for sid, deadline in ((record.session_id, record.deadline), (None, None)):
            token = new_digest()
            assert store.status(sid, token) == Status(deadline, False)
            assert store.revoke(token, record.deadline, sid) is True
            assert store.status(sid, token) == Status(deadline, True)
            assert store.status(sid, new_digest()) == store.status(sid, None) == Status(deadline, False)
        assert store.status(other.session_id, new_digest()) == Status(other.deadline, False)

    @pytest.mark.parametrize("name", UNKNOWN.values(), ids=UNKNOWN)
    def test_an_unknown_session(self, store: SessionStore, name: str) -> None:
        """Session ids are compared exactly. An unknown one is never an error, finds nothing and changes nothing."""
        record = added(store, session_id=KNOWN)
        self.finds_nothing(store, name)
        assert list(store.sessions()) == [record]

    def finds_nothing(self, store: SessionStore, name: str) -> None:
        """Check that no method finds a session by this id."""
        unknown = new_session(session_id=name)
        assert store.status(name, new_digest()) == Status(None, False)
        assert store.status(name, None) == Status(None, False)
        assert store.get(name) is None
        assert store.replace(refreshed(unknown), unknown.generation) is False
        assert store.revoke(new_digest(), unknown.deadline, name) in {True, False}
        assert store.remove(name) is False
        assert store.get(name) is None
        assert store.status(name, None) == Status(None, False)

    @OF_SESSION
    def test_one_of_many_revokes(self, store: SessionStore, of_session: bool) -> None:
        """If many revoke one token at the same time, exactly one succeeds; later calls do not. It revokes no other."""
        record = added(store)
        sid, tokens = record.session_id if of_session else None, [new_digest() for _ in range(CROWD)]
        for token in tokens:
            assert not store.status(sid, token).revoked
            revoke = partial(store.revoke, token, record.deadline, sid)
            assert is_one_of(at_once(*[revoke] * CROWD))
            assert revoke() is False
        assert all(store.status(sid, token).revoked for token in tokens)

    def test_a_revocation_survives_a_refresh(self, store: SessionStore) -> None:
        """Revoking a token does not change its session. It stays revoked when the session is refreshed."""
        record, token = added(store), new_digest()
        store.revoke(token, time.time() + DAY, record.session_id)
        assert store.get(record.session_id) == record
        successor = refreshed(record)
        assert store.replace(successor, record.generation) is True
        assert store.status(record.session_id, token) == Status(successor.deadline, True)
        assert store.revoke(token, time.time() + DAY, record.session_id) is False

    @OF_SESSION
    def test_records_outlive_their_tokens(self, store: SessionStore, of_session: bool) -> None:
        """Sessions and revocations are kept for an hour after their end, for clocks that are behind."""
        now = time.time()
        record = added(store, deadline=now - MARGIN + 120)
        sid, token = record.session_id if of_session else None, new_digest()
        assert store.revoke(token, record.deadline, sid) is True
        pruned(store, now + 119)
        assert store.status(sid, token).revoked
        assert store.revoke(token, record.deadline, sid) is False
        assert store.get(record.session_id) == record
        assert store.sessions_of(record.owner) == [record]
        assert store.status(record.session_id, None) == Status(record.deadline, False)

    @pytest.mark.parametrize("until", [-1.5, 0, 1_000_000_000.5])
    def test_revoking_an_expired_token(self, store: SessionStore, until: float) -> None:
        """Revoking a token that expired long ago is not an error."""
        assert store.revoke(new_digest(), until, None) in {True, False}

    def test_pruning_is_bounded(self, store: SessionStore) -> None:
        """Pruning removes at most as many records as the limit, and in the end all that are not needed."""
        long_ago = time.time() - MARGIN - DAY
        kept = [added(store), added(store, identity="bob")]
        gone = [added(store, deadline=long_ago, ends_at=long_ago) for _ in range(7)]
        for _ in range(7):
            store.revoke(new_digest(), long_ago, None)
        assert store.prune(time.time(), 0) == 0
        assert all(0 < number <= 3 for number in pruned(store, time.time(), limit=3))
        assert names(store.sessions()) == names(kept)
        assert all(store.get(record.session_id) is None for record in gone)
        assert store.stats(time.time()) == (2, 0, 0)

    def test_pruning_keeps_what_never_ends(self, store: SessionStore) -> None:
        """Sessions without an end are never pruned, and tokens that never expire stay revoked."""
        record, token = added(store, deadline=NEVER, ends_at=NEVER), new_digest()
        assert store.revoke(token, NEVER, None) is True
        pruned(store, time.time() + 10_000 * DAY)
        assert store.get(record.session_id) == record
        assert store.sessions_of(record.owner) == [record]
        assert store.status(None, token).revoked

    def test_pruning_uses_the_last_deadline(self, store: SessionStore) -> None:
        """A session that was refreshed after its deadline is pruned by its new deadline."""
        now = time.time()
        record = added(store, deadline=now - 60)
        successor = replace(refreshed(record), deadline=now + 30 * DAY)
        assert store.replace(successor, record.generation)
        pruned(store, now + MARGIN)
        assert store.get(record.session_id) == successor

    def test_a_session_refreshed_while_it_is_pruned(self, store: SessionStore) -> None:
        """A session is either pruned or refreshed, and a refreshed one stays."""
        long_ago, soon = time.time() - MARGIN - DAY, time.time() + DAY

        def refresh(record: SessionRecord) -> bool:
            return store.replace(replace(refreshed(record), deadline=soon), record.generation)

        for _ in range(10):
            records = [added(store, deadline=long_ago) for _ in range(CROWD)]
            *outcomes, _ = at_once(
                *[partial(refresh, record) for record in records], lambda: store.prune(time.time(), CROWD) >= 0
            )
            pruned(store, time.time())
            assert [store.get(record.session_id) is not None for record in records] == outcomes

    def test_statistics(self, store: SessionStore) -> None:
        """Statistics count sessions and revoked tokens, and how many records can be pruned."""
        assert store.stats(time.time()) == (0, 0, 0)
        ended, _, _ = added(store), added(store), added(store, identity="bob")
        store.remove(ended.session_id)
        for _ in range(4):
            store.revoke(new_digest(), time.time() + DAY, None)
        assert store.stats(time.time()) == (2, 4, 0)

    def test_findings(self, store: SessionStore) -> None:
        """Findings say what is wrong, why that matters and how to fix it."""
        for finding in store.findings(time.time()):
            assert isinstance(finding, Finding)
            assert finding.severity in SEVERITIES
            assert finding.code.isidentifier()
            assert all([finding.message, finding.why, finding.fix])

    def test_creating_repeatedly(self, store: SessionStore) -> None:
        """``create`` can be called by many at the same time, and again: it keeps what is stored."""
        assert isinstance(store, SessionStore)
        at_once(*[store.create] * CROWD)
        record = added(store)
        store.create()
        assert store.get(record.session_id) == record

    def test_first_use_at_once(self, store: SessionStore) -> None:
        """Many can use a new store at the same time without ``create``."""
        records = at_once(*[partial(added, store)] * CROWD)
        assert names(store.sessions()) == names(records)

    def test_using_it_after_closing(self, store: SessionStore) -> None:
        """A closed store can be closed again, and used again."""
        record = added(store)
        store.close()
        store.close()
        assert store.get(record.session_id) == record
        assert store.replace(refreshed(record), record.generation) is True

    def test_many_threads(self, store: SessionStore) -> None:
        """Threads that use a store at the same time do not disturb each other."""

        def live() -> bool:
            record, token = added(store, identity=str(uuid.uuid4())), new_digest()
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
            """A forked child can use the store of its parent, and so can the parent afterwards."""
            record = added(store)
            for _ in range(3):
                assert Child(lambda: life_of_a_child(store, record.session_id)).result() == [True] * 4
                assert store.get(record.session_id) == record
            assert store.remove(record.session_id) is True

        def test_children_of_a_busy_parent(self, store: SessionStore) -> None:
            """A forked child can use the store even if other threads were using it during the fork."""
            record, *_ = [added(store) for _ in range(40)]

            def use() -> None:
                store.revoke(new_digest(), time.time() + DAY, None)
                store.prune(time.time(), 10)

            with meanwhile(use, threads=3):
                for _ in range(10):
                    assert Child(lambda: life_of_a_child(store, record.session_id)).result() == [True] * 4
            assert store.get(record.session_id) == record


class SharedStoreContract(StoreContract):
    """The tests for a store that several processes share, with those for every store.

    .. versionadded:: 5.0
    """

    if hasattr(os, "fork"):

        def test_a_child_writes_for_its_parent(self, store: SessionStore) -> None:
            """The parent reads what its child writes."""
            record, ended = added(store), added(store)
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
            """If many processes replace one generation at the same time, exactly one succeeds."""

            def refresh(record: SessionRecord, start: float) -> bool:
                store.status(record.session_id, None)  # connects
                time.sleep(max(0.0, start - time.time()))
                return store.replace(refreshed(record), record.generation)

            for _ in range(3):
                race = partial(refresh, added(store), time.time() + 0.5)
                children = [Child(race) for _ in range(CROWD)]
                assert is_one_of([child.result() for child in children])


def life_of_a_child(store: SessionStore, session_id: str) -> list[bool]:
    """Call most methods of a store, and return which succeeded. This session stays unchanged."""
    record, token = added(store), new_digest()
    return [
        store.get(session_id) is not None,
        store.replace(refreshed(record), record.generation),
        store.revoke(token, time.time() + DAY, None) and store.status(None, token).revoked,
        store.remove(record.session_id),
    ]


class Child:
    """A forked child of this process that makes one call.

    :param work: the call; what it returns must be picklable
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        context = multiprocessing.get_context("fork")
        self._answer, answer = context.Pipe(duplex=False)
        self._process = context.Process(target=_run, args=(work, answer))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads run, which is what is tested
            self._process.start()
        answer.close()

    def result(self) -> Any:
        """Return what the call returned. Fail if it raised an error or hangs."""
        is_ready = self._answer.poll(WAIT)
        if not is_ready:
            self._process.kill()
        self._process.join()
        assert is_ready, "the child hangs"
        value, error = self._answer.recv()
        assert error is None, f"the child raised {error}"
        return value


def _run(work: Callable[[], Any], answer: Connection) -> None:
    try:
        answer.send((work(), None))
    except BaseException as error:
        answer.send((None, f"{type(error).__name__}: {error}"))
