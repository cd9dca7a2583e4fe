"""Sessions in Redis or Valkey: what its keys and scripts are, and what to think of the server behind them.

How a command gets there is :mod:`.redis_wire`'s. It must not know what a session is for: when one ends is judged by
who asks.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

import redis
from redis.exceptions import NoScriptError

from ..exceptions import StoreUnavailableError
from ._deadline import Call, Watchdog, after_fork
from ._redis_wire import OUTAGES, Link, Route, Server, parse
from .base import MARGIN, SessionStore, Stats, Status
from .findings import Finding
from .records import CLOCK_TOLERANCE, NEVER, SessionRecord

#: Keys that a step through all of them looks at.
_PAGE = 1000


class _Script:
    """A script that touches one key, as a cluster demands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, route: Route, call: Call, key: bytes, *arguments: Any, once: bool = False) -> Any:
        """Run it by its digest, or by its text where it is not known: in a server that was started anew, say."""
        try:
            return route.ask(call, key, "EVALSHA", self._digest, 1, key, *arguments, once=once)
        except NoScriptError:
            return route.ask(call, key, "EVAL", self._text, 1, key, *arguments, once=once)


# A session is one hash: `record`, and of that `generation` and `deadline` once more for scripts and for `status`, and
# `r:` + digest for each of its tokens that was revoked. An absent key refuses, so it fails closed to be flushed.
_EXPIRE = """
if ARGV[1] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
"""
_WRITE = """
redis.call('HSET', KEYS[1], 'record', ARGV[2], 'generation', ARGV[3], 'deadline', ARGV[4])
"""
_ADD = _Script(_WRITE + _EXPIRE)
_REPLACE = _Script(
    "if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[5] then return 0 end" + _WRITE + _EXPIRE + "return 1"
)
_REVOKE = _Script(
    "if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])"
)
# The index of an owner expires with the last of its sessions: its time to live grows only.
_INDEX = _Script(
    """
    local left = redis.call('PTTL', KEYS[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[4])
    redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
    if left ~= -1 and (ARGV[1] == '0' or left < tonumber(ARGV[1])) then
    """
    + _EXPIRE
    + "end"
)


class RedisStore(SessionStore):
    """A store in a Redis server of version 5 or later, a Valkey server, or several of them.

    ============================================================ =====================================================
    ``redis://user:password@host:6379/0``                        one server, or what a provider puts behind one name;
                                                                 ``valkey://`` is the same
    ``rediss://…``, ``valkeys://…``                              the same under TLS
    ``redis+sentinel://user:password@host1,host2:26379/name/0``  the primary that Sentinels name
    ``redis+cluster://user:password@host1:7000,host2:7001``      a cluster, found through any of these
    ============================================================ =====================================================

    Options follow a question mark: ``prefix`` (of all keys, ``jwt:`` by default), ``max_connections`` (of one process
    to one server, 50 by default; who needs one more waits for it, within the deadline), ``ssl=true`` (TLS for Sentinels
    and clusters), ``sentinel_username`` and ``sentinel_password``, and those of redis-py's connections:
    ``ssl_ca_certs``, ``ssl_check_hostname`` (on, unless it is set or ``ssl_cert_reqs=none``), ``client_name`` and so
    on.

    Redis expires keys by itself, ``MARGIN`` seconds after what they hold has ended, counted from this machine's clock.

    :param uri: see above
    :param timeout: seconds within which every operation ends, connecting and waiting for a connection included
    :raises ConfigurationError: if the URI cannot be read
    """

    def __init__(self, uri: str, timeout: float) -> None:
        self._target = parse(uri)
        self._prefix = self._target.prefix.encode()
        self._watchdog = Watchdog(timeout)
        self._route = self._target.route()
        after_fork(self._reset)

    def _reset(self) -> None:
        """A child has connections of its own. Those of its parent are only forgotten: redis-py knows whose they are."""
        self._route = self._target.route()

    def _operation(self) -> _Operation:
        return _Operation(self._watchdog.call())

    def _session(self, session_id: str | bytes) -> bytes:
        return self._prefix + b"s:" + _bytes(session_id)

    def _index(self, owner: str) -> bytes:
        return self._prefix + b"o:" + _bytes(owner)

    def create(self) -> None:
        """There is nothing to create."""

    def close(self) -> None:
        """Let go of all connections that are idle; others follow."""
        self._route.close()

    # Sessions --------------------------------------------------------------------------------------------------------

    def add(self, record: SessionRecord) -> None:
        """Keep a new session. A crash halfway leaves one that nobody was given, and no list shows."""
        key, index = self._session(record.session_id), self._index(record.owner)
        member, oldest = _bytes(record.session_id), time.time() - MARGIN
        with self._operation() as call:
            _ADD.run(self._route, call, key, *_fields(record))
            _INDEX.run(self._route, call, index, _milliseconds(record.ends_at), record.ends_at, member, oldest)

    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session."""
        key = self._session(session_id)
        with self._operation() as call:
            text = self._route.ask(call, key, "HGET", key, "record")
        return None if text is None else SessionRecord.from_json(text)

    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Write a session anew if its generation is this one. If a connection breaks midway, that is an outage."""
        key = self._session(record.session_id)
        with self._operation() as call:
            return bool(_REPLACE.run(self._route, call, key, *_fields(record), generation, once=True))

    def remove(self, session_id: str) -> bool:
        """End a session."""
        key = self._session(session_id)
        with self._operation() as call:
            text = self._route.ask(call, key, "HGET", key, "record")
            if text is None or not self._route.ask(call, key, "DEL", key):
                return False
            index = self._index(SessionRecord.from_json(text).owner)
            self._route.ask(call, index, "ZREM", index, _bytes(session_id))
            return True

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity."""
        index = self._index(owner)
        with self._operation() as call:
            members = self._route.ask(call, index, "ZRANGE", index, 0, -1)
            texts = self._of_all(call, "HGET", [self._session(member) for member in members], "record")
            gone = [member for member, text in zip(members, texts, strict=True) if text is None]
            if gone:  # for good: a session that ended does not come back
                self._route.ask(call, index, "ZREM", index, *gone)
        return [SessionRecord.from_json(text) for text in texts if text is not None]

    def _of_all(self, call: Call, command: str, keys: Sequence[bytes], *arguments: str) -> list[Any]:
        return self._route.ask_all(call, [(command, key, *arguments) for key in keys])

    def sessions(self) -> Iterator[SessionRecord]:
        """Go through all sessions. One may come twice while Redis reorganises its keys."""
        for keys in self._pages(b"s:"):
            with self._operation() as call:
                texts = self._of_all(call, "HGET", keys, "record")
            yield from (SessionRecord.from_json(text) for text in texts if text is not None)

    def _pages(self, kind: bytes = b"") -> Iterator[list[bytes]]:
        """Go through the keys of a kind, some at a time, each step an operation of its own."""
        pattern = _literally(self._prefix) + kind + b"*"
        with self._operation() as call:
            servers = self._route.primaries(call)
        for server in servers:
            cursor = b"0"
            while True:
                with self._operation() as call:
                    cursor, keys = _ask(call, server, "SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
                if keys:
                    yield list(dict.fromkeys(keys))
                if cursor == b"0":
                    break

    # Access tokens ---------------------------------------------------------------------------------------------------

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Tell what matters for an access token."""
        if session_id is None:
            return Status(None, token is not None and self._revoked(token))
        key = self._session(session_id)
        with self._operation() as call:
            deadline, revoked = self._route.ask(call, key, "HMGET", key, "deadline", f"r:{token or ''}")
        return Status(None if deadline is None else float(deadline), revoked is not None)

    def _revoked(self, token: str) -> bool:
        key = self._prefix + b"r:" + _bytes(token)
        with self._operation() as call:
            return bool(self._route.ask(call, key, "EXISTS", key))

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:
        """Remember that a token was revoked. If a connection breaks midway, that is an outage."""
        if session_id is not None:
            key = self._session(session_id)
            with self._operation() as call:
                return bool(_REVOKE.run(self._route, call, key, f"r:{token}", until, once=True))
        key, left = self._prefix + b"r:" + _bytes(token), _milliseconds(until)
        if left < 0:  # nobody can present it
            return False
        expiry = ("PX", left) if left else ()
        with self._operation() as call:
            return self._route.ask(call, key, "SET", key, 1, "NX", *expiry, once=True) is not None

    # Keeping house ---------------------------------------------------------------------------------------------------

    def prune(self, now: float, limit: int) -> int:  # noqa: ARG002  # Redis has a clock of its own
        """Strike from indexes what Redis has expired. It goes through all keys until it has done enough."""
        done = 0
        for indexes in self._pages(b"o:"):
            done += self._clean(indexes, limit - done)
            if done >= limit:
                break
        return done

    def _clean(self, indexes: Sequence[bytes], limit: int) -> int:
        """Strike at most so many sessions that are gone from indexes."""
        with self._operation() as call:
            lists = self._route.ask_all(call, [("ZRANGE", index, 0, -1) for index in indexes])
            listed = [(index, member) for index, members in zip(indexes, lists, strict=True) for member in members]
            found = self._of_all(call, "EXISTS", [self._session(member) for _, member in listed])
            gone = [each for each, there in zip(listed, found, strict=True) if not there][:limit]
            return sum(self._route.ask_all(call, [("ZREM", index, member) for index, member in gone]))

    def stats(self, now: float) -> Stats:  # noqa: ARG002
        """Count what is kept, key by key."""
        sessions = revoked = listed = 0
        for keys in self._pages():
            for kind, size in self._sizes(keys):
                if kind == b"s" and size:
                    sessions, revoked = sessions + 1, revoked + size - 3
                elif kind == b"o":
                    listed += size
                elif kind == b"r":
                    revoked += 1
        return Stats(sessions, revoked, max(0, listed - sessions))

    def _sizes(self, keys: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """Return the kind of each key, and how much is in it."""
        start = len(self._prefix)
        kinds = [key[start : start + 1] for key in keys]
        commands = {b"s": "HLEN", b"o": "ZCARD"}
        with self._operation() as call:
            found = self._route.ask_all(
                call, [(commands.get(kind, "EXISTS"), key) for kind, key in zip(kinds, keys, strict=True)]
            )
        return list(zip(kinds, found, strict=True))

    # Judging the server ----------------------------------------------------------------------------------------------

    def findings(self, now: float) -> Iterator[Finding]:
        """Judge every primary: each thing that is wrong is told once."""
        told: set[str] = set()
        try:
            with self._operation() as call:
                servers = self._route.primaries(call)
            for server in servers:
                for finding in self._judge(server, now):
                    if finding.code not in told:
                        told.add(finding.code)
                        yield finding
        except StoreUnavailableError as error:
            yield _unreachable(error.reason, self._watchdog.timeout)

    def _judge(self, server: Server, now: float) -> list[Finding]:
        started = time.monotonic()
        with self._operation() as call:
            seconds, micro = _ask(call, server, "TIME")
            now += time.monotonic() - started
            info = _info(_ask(call, server, "INFO"))
            settings = _settings(call, server)
        clock = [_CLOCK] if abs(int(seconds) + int(micro) / 1e6 - now) > CLOCK_TOLERANCE else []
        return [*clock, *(finding for finding, applies in _RULES if applies(info, settings))]


class _Operation:
    """An operation under way: its deadline, and what becomes of an outage."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        return self._call.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._call.__exit__(kind, error, traceback)
        if isinstance(error, OUTAGES):
            # Its message may hold what was sent, and that a password; its name says enough.
            raise StoreUnavailableError("TimeoutError" if self._call.expired else type(error).__name__) from None


def _ask(call: Call, server: Server, *command: Any) -> Any:
    def work(link: Link) -> Any:
        return link.ask(call, *command)

    return server.run(call, work)


def _bytes(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogatepass")


def _literally(text: bytes) -> bytes:
    """Return the pattern that matches a text and nothing else."""
    return b"".join(b"\\" + bytes([each]) if each in b"*?[]^\\-" else bytes([each]) for each in text)


def _milliseconds(until: float) -> int:
    """Return for how long to keep what ends then. Zero: for ever; less: not at all."""
    return 0 if until >= NEVER else int((until + MARGIN - time.time()) * 1000) or -1


def _fields(record: SessionRecord) -> tuple[Any, ...]:
    return _milliseconds(record.deadline), record.to_json(), record.generation, repr(record.deadline)


def _info(text: bytes) -> dict[str, str]:
    """Read the answer to INFO."""
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def _settings(call: Call, server: Server) -> dict[str, str] | None:
    """Read what INFO does not tell. ``None``: it is forbidden, as providers do."""
    settings: dict[str, str] = {}
    for name in ("save", "appendfsync", "min-replicas-to-write"):
        try:
            answer = _ask(call, server, "CONFIG", "GET", name)
        except redis.ResponseError:
            return None
        settings.update(zip(*[map(bytes.decode, answer)] * 2, strict=True))
    return settings


Info = dict[str, str]
Settings = dict[str, str] | None


def _appends(info: Info) -> bool:
    return info.get("aof_enabled") == "1"


def _evicts(info: Info, settings: Settings) -> bool:  # noqa: ARG001
    return info.get("maxmemory", "0") != "0" and info.get("maxmemory_policy", "noeviction") != "noeviction"


def _loses_all(info: Info, settings: Settings) -> bool:
    return settings is not None and not _appends(info) and not settings.get("save")


def _loses_minutes(info: Info, settings: Settings) -> bool:
    return settings is not None and not _appends(info) and bool(settings.get("save"))


def _loses_a_second(info: Info, settings: Settings) -> bool:
    return settings is not None and _appends(info) and settings.get("appendfsync") != "always"


def _fails_over_early(info: Info, settings: Settings) -> bool:
    alone = info.get("connected_slaves", "0") == "0"
    return settings is not None and not alone and settings.get("min-replicas-to-write", "0") == "0"


def _is_secretive(info: Info, settings: Settings) -> bool:  # noqa: ARG001
    return settings is None


def _unreachable(reason: str, timeout: float) -> Finding:
    return Finding(
        "error",
        "store_unreachable",
        f"Redis does not answer within {timeout:g} s: {reason}",
        "Every request with a token of a session is answered with 503.",
        "Check JWT_STORE_URI, the server and the network between; JWT_STORE_TIMEOUT is how long an operation may take.",
    )


_CLOCK = Finding(
    "warning",
    "store_clock",
    f"The clock of the Redis server differs from this machine's by more than {CLOCK_TOLERANCE:g} s",
    "One of the two is wrong, and times of sessions are compared between machines.",
    "Synchronise the clocks of all machines (NTP).",
)
_RULES: list[tuple[Finding, Callable[[Info, Settings], bool]]] = [
    (
        Finding(
            "error",
            "store_evicts",
            "Redis is set to drop keys when its memory is full (maxmemory-policy)",
            "Sessions and revocations disappear silently: users are logged out, revoked tokens of no session return.",
            "Set maxmemory-policy to noeviction: when memory is full, writes then fail and nothing is lost.",
        ),
        _evicts,
    ),
    (
        Finding(
            "error",
            "store_not_durable",
            "Redis keeps nothing on disk (appendonly no, save '')",
            "A restart ends all sessions, and forgets which tokens of no session were revoked.",
            "Set appendonly to yes, and appendfsync to always or everysec.",
        ),
        _loses_all,
    ),
    (
        Finding(
            "error",
            "store_loses_minutes",
            "Redis writes snapshots only (appendonly no)",
            "A crash loses all since the last one: sessions that were ended return, those started or refreshed end.",
            "Set appendonly to yes, and appendfsync to always or everysec.",
        ),
        _loses_minutes,
    ),
    (
        Finding(
            "info",
            "store_loses_a_second",
            "Redis does not write to disk before it acknowledges (appendfsync)",
            "If the machine stops, a second of what was acknowledged may be lost: a session that was ended returns.",
            "Set appendfsync to always if that matters more than the speed of refreshing.",
        ),
        _loses_a_second,
    ),
    (
        Finding(
            "warning",
            "store_fails_over_early",
            "Redis has replicas and acknowledges before any of them has a write (min-replicas-to-write 0)",
            "A primary that is cut off goes on acknowledging what a failover then loses: ended sessions return.",
            "Set min-replicas-to-write to 1 and min-replicas-max-lag to a few seconds.",
        ),
        _fails_over_early,
    ),
    (
        Finding(
            "info",
            "store_settings_hidden",
            "Redis does not show its settings (CONFIG GET is forbidden)",
            "Whether it loses what it has acknowledged cannot be told from here.",
            "Check in your provider's settings that the append-only file is on and that nothing is evicted.",
        ),
        _is_secretive,
    ),
]
