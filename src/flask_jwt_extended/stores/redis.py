"""Sessions in Redis or Valkey: its keys and scripts, and what an operator should know of the server."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.exceptions import NoScriptError

from ..exceptions import StoreUnavailableError
from ._redis_client import Client, GivenClient, OwnClient, parse, send_once, servers_of
from .base import MARGIN, SessionStore, Stats, Status
from .findings import Finding, clock_differs, unreachable
from .records import CLOCK_TOLERANCE, NEVER, SessionRecord

#: Keys that a step through all of them looks at.
_PAGE = 1000
#: Commands that are sent together.
_BATCH = 500


class _Script:
    """A script that touches one key, as a cluster demands. It is never sent twice."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: Client, key: bytes, *arguments: Any) -> Any:
        """Run it by its digest, or by its text if the server does not know it, for example after a restart."""
        try:
            return send_once(client, key, "EVALSHA", self._digest, 1, key, *arguments)
        except NoScriptError:
            return send_once(client, key, "EVAL", self._text, 1, key, *arguments)


# A session is one hash: `record`, and of that `generation` and `deadline` once more for scripts and for `status`, and
# `r:` + digest for each of its tokens that was revoked. A session without a key is refused, so flushing fails closed.
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
# The index of an owner expires with the last of its sessions, so its time to live only grows.
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

    The client stays the application's: its pool, its timeouts and its retries count, and :meth:`close` leaves it alone.
    Set ``socket_timeout``, or a server that hangs keeps requests waiting. A server that sends one byte at a time is not
    bounded, because redis-py's timeouts start again with each byte; a store that is made from a URI is. What must not
    be carried out twice is never sent twice, whatever the client's retries.

    Redis expires keys by itself, ``MARGIN`` seconds after what they hold has ended, counted from this machine's clock.

    :param client: a ``redis.Redis``, ``Sentinel(...).master_for(...)`` or ``redis.RedisCluster``, which may not read
        from replicas
    :param prefix: of all keys
    :raises ConfigurationError: if it is not one of these clients

    .. versionadded:: 5.0
    """

    def __init__(self, client: redis.Redis | redis.RedisCluster, *, prefix: str = "jwt:") -> None:
        self._client: GivenClient | OwnClient = GivenClient(client)
        self._prefix = prefix.encode()

    @classmethod
    def from_uri(cls, uri: str, timeout: float = 1.0) -> RedisStore:
        """Return a store with a client of its own. It does not connect yet.

        ============================================================ ===================================================
        ``redis://user:password@host:6379/0``                        one server, or what a provider puts behind one
                                                                     name; ``valkey://`` is the same
        ``rediss://…``, ``valkeys://…``                              the same under TLS
        ``unix:///path/to/redis.sock?db=0``                          a socket in the file system
        ``redis+sentinel://user:password@host1,host2:26379/name/0``  the primary that Sentinels name
        ``redis+cluster://user:password@host1:7000,host2:7001``      a cluster, found through any of these
        ============================================================ ===================================================

        Options follow a question mark: ``prefix`` (of all keys, ``jwt:`` by default), ``max_connections`` (operations
        of a process at the same time, 50 by default; others wait, within the deadline), ``ssl=true`` (TLS for Sentinels
        and clusters), ``sentinel_username`` and ``sentinel_password``, and those of redis-py's connections:
        ``protocol`` (2 by default), ``ssl_ca_certs``, ``ssl_check_hostname`` (on, unless it is set or
        ``ssl_cert_reqs=none``), ``client_name`` and so on.

        :param uri: see above
        :param timeout: seconds within which every operation ends, connecting and waiting for a connection included
        :raises ConfigurationError: if the URI is not valid

        .. versionadded:: 5.0
        """
        store = cls.__new__(cls)
        store._client, prefix = parse(uri, timeout)
        store._prefix = prefix.encode()
        return store

    def _session(self, session_id: str | bytes) -> bytes:
        return self._prefix + b"s:" + _bytes(session_id)

    def _index(self, owner: str) -> bytes:
        return self._prefix + b"o:" + _bytes(owner)

    def close(self) -> None:
        """Close all connections, unless the client belongs to the application."""
        self._client.close()

    def add(self, record: SessionRecord) -> None:
        """Store a new session. After a crash halfway, no list shows it, and no client has its tokens."""
        key, index = self._session(record.session_id), self._index(record.owner)
        member, oldest = _bytes(record.session_id), time.time() - MARGIN
        with self._client.operation() as client:
            _ADD.run(client, key, *_fields(record))
            _INDEX.run(client, index, _milliseconds(record.ends_at), record.ends_at, member, oldest)

    def get(self, session_id: str) -> SessionRecord | None:
        """Return a session."""
        with self._client.operation() as client:
            text = client.hget(self._session(session_id), "record")
        return None if text is None else SessionRecord.from_json(text)

    def replace(self, record: SessionRecord, generation: int) -> bool:
        """Replace a session if its stored generation is this one. A connection that breaks midway is an outage."""
        key = self._session(record.session_id)
        with self._client.operation() as client:
            return bool(_REPLACE.run(client, key, *_fields(record), generation))

    def remove(self, session_id: str) -> bool:
        """End a session. A connection that breaks midway is an outage."""
        key = self._session(session_id)
        with self._client.operation() as client:
            text = client.hget(key, "record")
            if text is None or not send_once(client, key, "DEL", key):
                return False
            client.zrem(self._index(SessionRecord.from_json(text).owner), _bytes(session_id))
            return True

    def sessions_of(self, owner: str) -> list[SessionRecord]:
        """Return the sessions of an identity."""
        index = self._index(owner)
        with self._client.operation() as client:
            members = client.zrange(index, 0, -1)
            texts = _pipeline(client, [("HGET", self._session(member), "record") for member in members])
            gone = [member for member, text in zip(members, texts, strict=True) if text is None]
            if gone:  # for good: a session that has ended does not return
                client.zrem(index, *gone)
        return [SessionRecord.from_json(text) for text in texts if text is not None]

    def sessions(self) -> Iterator[SessionRecord]:
        """Iterate over all sessions. One may come twice while Redis reorganises its keys."""
        for keys in self._pages(b"s:"):
            with self._client.operation() as client:
                texts = _pipeline(client, [("HGET", key, "record") for key in keys])
            yield from (SessionRecord.from_json(text) for text in texts if text is not None)

    def _pages(self, kind: bytes = b"") -> Iterator[list[bytes]]:
        """Iterate over the keys of a kind, some at a time, each step an operation of its own."""
        pattern = _literally(self._prefix) + kind + b"*"
        with self._client.operation() as client:
            servers = servers_of(client)
        for server in servers:
            cursor = None
            while cursor != 0:
                with self._client.operation():
                    cursor, keys = server.scan(cursor or 0, match=pattern, count=_PAGE)
                if keys:
                    yield list(dict.fromkeys(map(_bytes, keys)))

    def status(self, session_id: str | None, token: str | None) -> Status:
        """Return the status of an access token."""
        with self._client.operation() as client:
            if session_id is None:
                return Status(None, token is not None and bool(client.exists(self._prefix + b"r:" + _bytes(token))))
            deadline, revoked = client.hmget(self._session(session_id), ["deadline", f"r:{token or ''}"])
        return Status(None if deadline is None else float(deadline), revoked is not None)

    def revoke(self, token: str, until: float, session_id: str | None) -> bool:
        """Revoke a token. A connection that breaks midway is an outage."""
        if session_id is not None:
            with self._client.operation() as client:
                return bool(_REVOKE.run(client, self._session(session_id), f"r:{token}", until))
        key, left = self._prefix + b"r:" + _bytes(token), _milliseconds(until)
        if left < 0:  # it has expired for every clock
            return False
        expiry = ("PX", left) if left else ()
        with self._client.operation() as client:
            return send_once(client, key, "SET", key, 1, "NX", *expiry) is not None

    def prune(self, now: float, limit: int) -> int:  # noqa: ARG002  # Redis has a clock of its own
        """Remove from indexes what Redis has expired. It looks at all keys until it has done enough."""
        done = 0
        for indexes in self._pages(b"o:"):
            done += self._clean(indexes, limit - done)
            if done >= limit:
                break
        return done

    def _clean(self, indexes: Sequence[bytes], limit: int) -> int:
        """Remove at most this many sessions that are gone from indexes."""
        with self._client.operation() as client:
            lists = _pipeline(client, [("ZRANGE", index, 0, -1) for index in indexes])
            listed = [(index, member) for index, members in zip(indexes, lists, strict=True) for member in members]
            found = _pipeline(client, [("EXISTS", self._session(member)) for _, member in listed])
            gone = [each for each, exists in zip(listed, found, strict=True) if not exists][:limit]
            return sum(_pipeline(client, [("ZREM", index, member) for index, member in gone]))

    def stats(self, now: float) -> Stats:  # noqa: ARG002  # Redis has a clock of its own
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
        sizes = {b"s": "HLEN", b"o": "ZCARD"}
        with self._client.operation() as client:
            commands = [(sizes.get(kind, "EXISTS"), key) for kind, key in zip(kinds, keys, strict=True)]
            return list(zip(kinds, _pipeline(client, commands), strict=True))

    def findings(self, now: float) -> Iterator[Finding]:
        """Check every primary, and yield each kind of finding once."""
        seen: set[str] = set()
        try:
            with self._client.operation() as client:
                servers = servers_of(client)
            for server in servers:
                for finding in self._check(server, now):
                    if finding.code not in seen:
                        seen.add(finding.code)
                        yield finding
        except StoreUnavailableError as error:
            yield unreachable(f"Redis does not answer in time: {error.reason}", "server")

    def _check(self, server: redis.Redis, now: float) -> list[Finding]:
        started = time.monotonic()
        with self._client.operation():
            seconds, micro = server.time()
            now += time.monotonic() - started
            info: dict[str, Any] = server.info()
            settings = _settings(server)
        clock = [_CLOCK] if abs(int(seconds) + int(micro) / 1e6 - now) > CLOCK_TOLERANCE else []
        return [*clock, *_faults(info, settings)]


def _pipeline(client: Client, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send commands that may be repeated together, and return the answers in the same order."""
    answers: list[Any] = []
    for start in range(0, len(commands), _BATCH):
        pipeline = client.pipeline(transaction=False)
        for command in commands[start : start + _BATCH]:
            pipeline.execute_command(*command)
        answers += pipeline.execute()
    return answers


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


def _settings(server: redis.Redis) -> dict[str, str] | None:
    """Read what INFO does not show. ``None``: it is forbidden, as with many providers."""
    settings: dict[str, str] = {}
    for name in ("save", "appendfsync", "min-replicas-to-write"):
        try:
            settings |= server.config_get(name)  # type: ignore[arg-type]  # redis-py: or an awaitable
        except redis.ResponseError:
            return None
    return settings


def _faults(info: dict[str, Any], settings: dict[str, str] | None) -> Iterator[Finding]:
    """Yield what a server's settings put at risk."""
    if str(info.get("maxmemory", 0)) != "0" and info.get("maxmemory_policy", "noeviction") != "noeviction":
        yield _EVICTS
    if settings is None:
        yield _HIDES_SETTINGS
        return
    if str(info.get("aof_enabled")) != "1":
        yield _LOSES_MINUTES if settings.get("save") else _NOT_DURABLE
    elif settings.get("appendfsync") != "always":
        yield _LOSES_A_SECOND
    if str(info.get("connected_slaves", 0)) != "0" and settings.get("min-replicas-to-write", "0") == "0":
        yield _FAILS_OVER_EARLY


_CLOCK = clock_differs(f"The clock of the Redis server differs from this machine's by more than {CLOCK_TOLERANCE:g} s")
_EVICTS = Finding(
    "error",
    "store_evicts",
    "Redis drops keys when its memory is full (maxmemory-policy)",
    "Sessions and revocations disappear silently: users are logged out, revoked tokens of no session return.",
    "Set maxmemory-policy to noeviction: when memory is full, writes then fail and nothing is lost.",
)
_NOT_DURABLE = Finding(
    "error",
    "store_not_durable",
    "Redis keeps nothing on disk (appendonly no, save '')",
    "A restart ends all sessions, and revoked tokens without a session return.",
    "Set appendonly to yes, and appendfsync to always or everysec.",
)
_LOSES_MINUTES = Finding(
    "error",
    "store_loses_minutes",
    "Redis writes snapshots only (appendonly no)",
    "A crash loses all writes since the last one: sessions that were ended return, new and refreshed ones end.",
    "Set appendonly to yes, and appendfsync to always or everysec.",
)
_LOSES_A_SECOND = Finding(
    "info",
    "store_loses_a_second",
    "Redis does not write to disk before it acknowledges (appendfsync)",
    "If the machine stops, a second of acknowledged writes may be lost: a session that was ended returns.",
    "Set appendfsync to always if that matters more than the speed of refreshing.",
)
_FAILS_OVER_EARLY = Finding(
    "warning",
    "store_fails_over_early",
    "Redis has replicas and acknowledges before any of them has a write (min-replicas-to-write 0)",
    "A primary that is cut off still acknowledges writes that a failover then loses: ended sessions return.",
    "Set min-replicas-to-write to 1 and min-replicas-max-lag to a few seconds.",
)
_HIDES_SETTINGS = Finding(
    "info",
    "store_settings_hidden",
    "Redis does not show its settings (CONFIG GET is forbidden)",
    "This check cannot see whether it loses acknowledged writes.",
    "Check in your provider's settings that the append-only file is on and that eviction is off.",
)
