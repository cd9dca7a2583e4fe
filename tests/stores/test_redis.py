"""What is special to Redis: its three modes, its outages, its settings. The contract itself is held elsewhere too."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import textwrap
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from redis.crc import key_slot

from flask_jwt_extended.exceptions import ConfigurationError, StoreUnavailableError
from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores._redis_client import TlsConnection
from flask_jwt_extended.stores.base import MARGIN, Status
from flask_jwt_extended.stores.records import NEVER, SessionRecord
from flask_jwt_extended.stores.redis import RedisStore
from flask_jwt_extended.testing.store_contract import (
    DAY,
    Child,
    SharedStoreContract,
    at_once,
    names,
    new_digest,
    new_session,
    refreshed,
)
from tests.servers import HOST
from tests.servers.proxy import Proxy
from tests.servers.redis import ClusterSetup, RedisServer, SentinelSetup, eventually

pytestmark = pytest.mark.server

#: Seconds of an operation, and what a busy machine may add to them.
TIMEOUT = 0.4
SLACK = 0.8
PASSWORD = "hush-hush"
T = TypeVar("T")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that several tests share."""
    with RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSetup]:
    """A primary, a replica and a Sentinel."""
    with SentinelSetup(tmp_path_factory.mktemp("sentinel")) as setup:
        yield setup


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSetup]:
    """Three primaries."""
    with ClusterSetup(tmp_path_factory.mktemp("cluster")) as setup:
        yield setup


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    """What stands between the store and its server."""
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def opened() -> Iterator[Callable[..., RedisStore]]:
    """Open stores with a prefix of their own. They are closed in the end."""
    stores = []

    def open_it(uri: str, timeout: float = TIMEOUT) -> RedisStore:
        uri += f"{'&' if '?' in uri else '?'}prefix={uuid.uuid4().hex}:"
        store = open_store(uri, timeout)
        assert isinstance(store, RedisStore)
        stores.append(store)
        return store

    yield open_it
    for store in stores:
        store.close()


Opened = Callable[..., RedisStore]


@pytest.fixture
def store(server: RedisServer, opened: Opened) -> RedisStore:
    """A store in the server that tests share."""
    return opened(server.url(), 2.0)


def session_in(store: RedisStore, **changes: Any) -> SessionRecord:
    """Start a session."""
    record = new_session(**changes)
    patiently(lambda: store.add(record))
    return record


def patiently(work: Callable[[], T]) -> T:
    """Do what a busy machine may not do in time, until it does."""
    for _ in range(20):
        try:
            return work()
        except StoreUnavailableError:
            time.sleep(0.1)
    return work()


def prefix_of(store: RedisStore) -> str:
    """Return what the store's keys begin with."""
    return store._prefix.decode()


class Clock:
    """How long it takes until the store is given up."""

    def __enter__(self) -> Clock:
        self._started = time.monotonic()
        self._raises = pytest.raises(StoreUnavailableError)
        self.error = self._raises.__enter__()
        return self

    def __exit__(self, *what: Any) -> bool:
        seconds = time.monotonic() - self._started
        swallowed = self._raises.__exit__(*what)
        assert seconds <= TIMEOUT * 1.5 + SLACK, f"took {seconds:.2f} s"
        return bool(swallowed)


# --- the modes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sentinels", "cluster"])
class TestModes(SharedStoreContract):
    """The contract holds behind Sentinels and in a cluster."""

    @pytest.fixture
    def store(self, request: pytest.FixtureRequest, mode: str, opened: Opened) -> RedisStore:
        """An empty store. Its prefix is full of what patterns are made of."""
        return opened(f"{request.getfixturevalue(mode).url()}?prefix=[*]^-\\?{uuid.uuid4().hex}", 10.0)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_schemes_of_one_server(server: RedisServer, opened: Opened, scheme: str) -> None:
    """Valkey is Redis by another name."""
    store = opened(server.url().replace("redis", scheme, 1), 5.0)
    record = session_in(store)
    assert store.get(record.session_id) == record


def test_a_database_of_its_own(server: RedisServer) -> None:
    """The path of the URI is the number of the database."""
    one, two = RedisStore.from_uri(server.url(1), 2.0), RedisStore.from_uri(server.url(2), 2.0)
    record = session_in(one)
    assert two.get(record.session_id) is None
    one.close()
    two.close()


def test_connecting_is_cheap(tmp_path: Path, opened: Opened) -> None:
    """A new connection logs in and sends nothing else."""
    with RedisServer(tmp_path, password=PASSWORD) as server:
        server.ask("CONFIG", "RESETSTAT")
        opened(server.url(), 5.0).get("none")
        with socket.create_connection((HOST, server.port)) as plain:  # redis-py would count as well
            plain.sendall(f"AUTH {PASSWORD}\r\nINFO commandstats\r\nINFO errorstats\r\nQUIT\r\n".encode())
            told = plain.makefile().read()
    seen = {line.partition(":")[0] for line in told.splitlines() if "stat_" in line}
    assert {name for name in seen if not name.startswith(("cmdstat_config", "cmdstat_info"))} == {
        "cmdstat_auth",
        "cmdstat_hget",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "redis://:hush-hush@localhost:port/0",
        "redis://:hush-hush@localhost:99999999/0",
        "redis://:hush-hush@[::1/0",
        "redis://:hush-hush@localhost/0?no_such_option=1",
        "redis://:hush-hush@localhost/0?ssl_ca_certs=x",
        "redis://:hush-hush@localhost/0?max_connections=many",
        "redis://:hush-hush@localhost/0?protocol=4",
        "redis://:hush-hush@localhost/0?decode_responses=true",
        "rediss://:hush-hush@localhost/0?ssl_cert_reqs=hush-hush",
        "redis+sentinel://:hush-hush@localhost",
        "redis+cluster://:hush-hush@localhost/1",
    ],
)
def test_a_uri_that_cannot_be_read(uri: str) -> None:
    """It is a mistake of the developer, and the message does not hold the password."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(uri, TIMEOUT)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_addresses_of_servers() -> None:
    """Hosts have ports of their own or the usual one, and may be IPv6 addresses."""
    sentinel = client_of("redis+sentinel://u:p%40s@one,two:5,[::1]:6/main/3?sentinel_password=s").connection_pool
    assert [address_of(each.connection_pool) for each in sentinel.sentinel_manager.sentinels] == [
        ("one", 26379),
        ("two", 5),
        ("::1", 6),
    ]
    assert sentinel.service_name == "main"
    assert (sentinel.connection_kwargs["password"], sentinel.connection_kwargs["db"]) == ("p@s", 3)
    assert sentinel.sentinel_manager.sentinels[0].connection_pool.connection_kwargs["password"] == "s"
    assert address_of(client_of("redis://[::1]:7/").connection_pool) == ("::1", 7)
    assert address_of(client_of("redis://").connection_pool) == ("localhost", 6379)


def client_of(uri: str) -> Any:
    """Return the client that a store uses. It is not connected."""
    store = RedisStore.from_uri(uri, 1.0)
    with store._client.operation() as client:
        return client


def address_of(pool: Any) -> tuple[str, int]:
    """Return where a pool connects to."""
    return pool.connection_kwargs["host"], pool.connection_kwargs["port"]


def test_a_store_keeps_its_password_to_itself(server: RedisServer) -> None:
    """What is printed of a store has no password."""
    store = RedisStore.from_uri(server.url(), 1.0)
    assert PASSWORD not in repr(store) + repr(store._client)


# --- what Redis does by itself ----------------------------------------------------------------------------------------


def ttl(server: RedisServer, store: RedisStore, key: str) -> float:
    """Return the seconds a key has left."""
    return float(server.ask("PTTL", prefix_of(store) + key)) / 1000


def test_records_outlive_their_deadline(server: RedisServer, store: RedisStore) -> None:
    """A session is kept until its deadline and a margin more, and longer when it is refreshed."""
    record = session_in(store, deadline=time.time() + 1000)
    assert ttl(server, store, f"s:{record.session_id}") == pytest.approx(1000 + MARGIN, abs=5)
    later = replace(refreshed(record), deadline=time.time() + 2000)
    assert store.replace(later, record.generation)
    assert ttl(server, store, f"s:{record.session_id}") == pytest.approx(2000 + MARGIN, abs=5)
    assert store.replace(replace(later, generation=3, deadline=NEVER), later.generation)
    assert ttl(server, store, f"s:{record.session_id}") < 0
    assert store.replace(replace(later, generation=4), 3)
    assert ttl(server, store, f"s:{record.session_id}") > 0


def test_revocations_outlive_their_token(server: RedisServer, store: RedisStore) -> None:
    """A revoked token of no session is remembered for a margin longer than it lives."""
    token, eternal = new_digest(), new_digest()
    store.revoke(token, time.time() + 1000, None)
    store.revoke(eternal, NEVER, None)
    assert ttl(server, store, f"r:{token}") == pytest.approx(1000 + MARGIN, abs=5)
    assert ttl(server, store, f"r:{eternal}") < 0


def test_an_index_lives_as_long_as_its_longest_session(server: RedisServer, store: RedisStore) -> None:
    """The order in which sessions start does not matter."""
    owner = session_in(store, ends_at=time.time() + 3 * DAY).owner
    session_in(store, ends_at=time.time() + 1 * DAY)
    assert ttl(server, store, f"o:{owner}") == pytest.approx(3 * DAY + MARGIN, abs=5)
    session_in(store, ends_at=NEVER)
    session_in(store, ends_at=time.time() + 1 * DAY)
    assert ttl(server, store, f"o:{owner}") < 0


def test_a_store_that_was_flushed_refuses(server: RedisServer, opened: Opened) -> None:
    """What is not there is refused, and the store works."""
    store = opened(server.url(5), 5.0)
    record = session_in(store)
    server.ask("SWAPDB", 5, 6)
    assert store.status(record.session_id, None) == Status(None, False)
    assert store.replace(refreshed(record), record.generation) is False
    assert store.sessions_of(record.owner) == []
    assert store.get(session_in(store).session_id)


def test_scripts_that_were_forgotten(server: RedisServer, store: RedisStore) -> None:
    """A server that was restarted does not know the scripts: it gets them again."""
    record = session_in(store)
    for step in range(3):
        server.ask("SCRIPT", "FLUSH")
        successor = refreshed(record)
        assert store.replace(successor, record.generation), step
        server.ask("SCRIPT", "FLUSH")
        assert store.revoke(new_digest(), record.deadline, record.session_id)
        record = successor


def drop(server: RedisServer, store: RedisStore, record: SessionRecord) -> None:
    """Let a session expire, or be evicted."""
    assert server.ask("DEL", f"{prefix_of(store)}s:{record.session_id}") == 1


def members(server: RedisServer, store: RedisStore, owner: str) -> int:
    """Return how many sessions an index lists."""
    return int(server.ask("ZCARD", f"{prefix_of(store)}o:{owner}"))


def test_listing_cleans_an_index(server: RedisServer, store: RedisStore) -> None:
    """Listing the sessions of an owner removes those that have expired from the index."""
    gone, kept = session_in(store), session_in(store)
    drop(server, store, gone)
    assert members(server, store, kept.owner) == 2
    assert store.sessions_of(kept.owner) == [kept]
    assert members(server, store, kept.owner) == 1


def test_starting_a_session_cleans_an_index(server: RedisServer, store: RedisStore) -> None:
    """A new session removes those of its owner that ended long ago."""
    session_in(store, ends_at=time.time() - MARGIN - 10)
    owner = session_in(store).owner
    assert members(server, store, owner) == 1


def test_pruning_cleans_indexes(server: RedisServer, store: RedisStore) -> None:
    """Pruning removes what has expired, up to a limit, and statistics count it beforehand."""
    records = [session_in(store, identity=f"user{number % 3}") for number in range(12)]
    for record in records[:9]:
        drop(server, store, record)
    assert store.stats(time.time()) == (3, 0, 9)
    assert [store.prune(time.time(), 4) for _ in range(4)] == [4, 4, 1, 0]
    assert store.stats(time.time()) == (3, 0, 0)
    assert names(store.sessions()) == names(records[9:])


def test_statistics_count_revocations_of_sessions(store: RedisStore) -> None:
    """Tokens that were revoked one by one are counted, whether they belong to a session or not."""
    record = session_in(store)
    for sid in (record.session_id, record.session_id, None):
        store.revoke(new_digest(), record.deadline, sid)
    assert store.stats(time.time()) == (1, 3, 0)


# --- refusals of the server -------------------------------------------------------------------------------------------


def test_a_full_server(tmp_path: Path, opened: Opened) -> None:
    """Without memory nothing is written, what is there is answered, ending is possible, and then all is well."""
    with RedisServer(tmp_path, "--maxmemory-policy", "noeviction") as server:
        store = opened(server.url(), 5.0)
        record = session_in(store)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        for work in (
            lambda: store.add(new_session()),
            lambda: store.replace(refreshed(record), record.generation),
            lambda: store.revoke(new_digest(), record.deadline, record.session_id),
            lambda: store.revoke(new_digest(), record.deadline, None),
        ):
            with Clock() as clock:
                work()
            assert clock.error.value.reason in {"OutOfMemoryError", "ResponseError"}  # Redis 6 wraps what scripts raise
        assert store.status(record.session_id, None) == Status(record.deadline, False)
        assert store.remove(record.session_id) is True
        server.ask("CONFIG", "SET", "maxmemory", "0")
        assert store.get(session_in(store).session_id)


def test_a_server_that_became_a_replica(tmp_path: Path, opened: Opened) -> None:
    """A replica takes no writes. When it is a primary again all is well."""
    with RedisServer(tmp_path) as server:
        store = opened(server.url(), 5.0)
        record = session_in(store)
        server.ask("REPLICAOF", HOST, 1)
        with Clock() as clock:
            store.replace(refreshed(record), record.generation)
        assert clock.error.value.reason in {"ReadOnlyError", "ResponseError"}  # Redis 6 wraps what scripts raise
        server.ask("REPLICAOF", "NO", "ONE")
        assert store.replace(refreshed(record), record.generation) is True


def test_a_wrong_password(server: RedisServer, opened: Opened) -> None:
    """The server refuses, and nothing that is raised has the password."""
    store = opened(server.url().replace(PASSWORD, "swordfish"), 5.0)
    with Clock() as clock:
        store.get("some")
    told = "".join(traceback.format_exception(clock.error.value)) + repr(clock.error.value) + clock.error.value.reason
    assert clock.error.value.reason == "AuthenticationError"
    assert "swordfish" not in told


# --- outages ----------------------------------------------------------------------------------------------------------

FAILURES: dict[str, Callable[[Proxy], None]] = {
    "refuse": Proxy.refuse,
    "hang": Proxy.hang,
    "reset at once": lambda proxy: proxy.reset_after(1),
    "reset midway": lambda proxy: proxy.reset_after(7),
    "drip": lambda proxy: proxy.drip(0.3),
    "latency": lambda proxy: proxy.delay(3.0),
}
WORK: dict[str, Callable[[RedisStore, SessionRecord], Any]] = {
    "add": lambda store, record: store.add(new_session()),
    "get": lambda store, record: store.get(record.session_id),
    "replace": lambda store, record: store.replace(refreshed(record), record.generation),
    "remove": lambda store, record: store.remove(record.session_id),
    "sessions_of": lambda store, record: store.sessions_of(record.owner),
    "sessions": lambda store, record: list(store.sessions()),
    "status": lambda store, record: store.status(record.session_id, None),
    "status without session": lambda store, record: store.status(None, "a"),
    "revoke": lambda store, record: store.revoke(new_digest(), record.deadline, record.session_id),
    "revoke without session": lambda store, record: store.revoke(new_digest(), record.deadline, None),
    "prune": lambda store, record: store.prune(time.time(), 10),
    "stats": lambda store, record: store.stats(time.time()),
}


@pytest.mark.parametrize("connected", [True, False], ids=["in use", "new"])
@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_the_deadline_of_a_failing_network(
    server: RedisServer, proxy: Proxy, opened: Opened, fail: Callable[[Proxy], None], connected: bool
) -> None:
    """Whatever the network does, an operation ends in time. When the network is well again so is the store."""
    store = opened(server.url(port=proxy.port))
    record = new_session()
    if connected:
        patiently(lambda: store.add(record))
    fail(proxy)
    with Clock():
        store.status(record.session_id, None)
    with Clock():
        store.add(new_session())
    proxy.pass_on()
    patiently(lambda: store.add(record))
    assert patiently(lambda: store.status(record.session_id, None)) == Status(record.deadline, False)


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_the_deadline_of_every_operation(
    server: RedisServer, proxy: Proxy, opened: Opened, work: Callable[[RedisStore, SessionRecord], Any]
) -> None:
    """An answer that comes byte by byte is not waited for beyond the deadline."""
    store = opened(server.url(port=proxy.port))
    record = session_in(store)
    proxy.drip(0.3)
    with Clock() as clock:
        work(store, record)
    assert clock.error.value.reason == "TimeoutError"


def test_findings_of_a_server_that_hangs(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """A server that is not reached in time is found to be so."""
    proxy.hang()
    findings = list(opened(server.url(port=proxy.port)).findings(time.time()))
    assert [(each.severity, each.code) for each in findings] == [("error", "store_unreachable")]
    assert PASSWORD not in str(findings)


def test_latency_within_the_deadline(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """A slow network is no outage."""
    store = opened(server.url(port=proxy.port), 2.0)
    proxy.delay(0.05)
    record = session_in(store)
    assert store.get(record.session_id) == record


def test_an_answer_that_was_lost_is_no_answer(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """When the connection breaks, it is not known whether a refresh happened: that is an outage, not a lost race.

    What is idempotent is sent again, unnoticed.
    """
    store = opened(server.url(port=proxy.port), 5.0)
    record = session_in(store)
    successor, token = refreshed(record), new_digest()
    store.replace(replace(record, generation=0), -1)  # now the script is known
    proxy.reset_after(1, once=True)
    with Clock():
        store.replace(successor, record.generation)
    assert store.get(record.session_id) == successor
    for sid in (record.session_id, None):
        store.revoke(new_digest(), record.deadline, sid)
        proxy.reset_after(1, once=True)
        with Clock():
            store.revoke(token, record.deadline, sid)
        assert store.status(sid, token).revoked
    proxy.reset_after(1, once=True)
    assert store.get(record.session_id) == successor


def test_a_connection_that_died_while_idle(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """Connections that the server has closed are replaced, unnoticed."""
    store = opened(server.url(port=proxy.port), 5.0)
    record = session_in(store)
    at_once(*[lambda: store.get(record.session_id)] * 6)
    for work in WORK.values():
        at_once(*[lambda: store.get(record.session_id)] * 4)
        proxy.reset_connections()
        time.sleep(0.05)
        work(store, record)


def test_waiting_for_a_connection(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """When all connections are in use, waiting for one counts."""
    store = opened(server.url(port=proxy.port) + "?max_connections=1")
    record = session_in(store)
    proxy.drip(0.3)

    def wait() -> str:
        with Clock() as clock:
            store.get(record.session_id)
        return clock.error.value.reason

    assert at_once(wait, wait, wait) == ["TimeoutError"] * 3
    proxy.pass_on()
    before = proxy.connections
    assert at_once(*[lambda: store.get(record.session_id)] * 8) == [record] * 8
    assert proxy.connections - before <= 1


def test_a_name_that_is_not_found_in_time(server: RedisServer, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs is not waited for beyond the deadline, and one thread waits for it."""
    asked, real = [], socket.getaddrinfo

    def hang(*arguments: Any) -> Any:
        asked.append(arguments)
        time.sleep(TIMEOUT * 3)
        return real(*arguments)

    store = opened(server.url())
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    for _ in range(2):
        with Clock():
            store.get("some")
    assert len(asked) == 1
    monkeypatch.undo()
    eventually(lambda: _answers(store))


def _answers(store: RedisStore) -> bool:
    try:
        return store.get("some") is None
    except StoreUnavailableError:
        return False


def test_a_server_that_stands_still(tmp_path: Path, opened: Opened) -> None:
    """While the server is paused, no operation takes longer than the deadline. When it resumes, the store works."""
    with RedisServer(tmp_path) as server:
        store = opened(server.url())
        record = session_in(store)
        server.pause()
        for _ in range(3):
            with Clock():
                store.status(record.session_id, None)
        server.resume()
        eventually(lambda: _answers(store))
        assert store.get(record.session_id) == record


def test_a_server_that_is_killed(tmp_path: Path, opened: Opened) -> None:
    """A server that keeps what it acknowledges is killed and started again: all sessions are there."""
    server = RedisServer(tmp_path, durable=True)
    with server:
        store = opened(server.url())
        records = [session_in(store, identity=str(number)) for number in range(20)]
        at_once(*[lambda record=record: store.get(record.session_id) for record in records[:8]])
        server.kill9()
        with Clock():
            store.status(records[0].session_id, None)
        server.start()
        assert store.replace(refreshed(records[0]), records[0].generation) is True
        assert names(store.sessions()) == names(records)


def test_a_restart_while_idle(tmp_path: Path, opened: Opened) -> None:
    """When the server was started anew between two operations, both succeed."""
    with RedisServer(tmp_path, durable=True) as server:
        store = opened(server.url(), 5.0)
        record = session_in(store)
        for work in ("status", "replace", "revoke", "sessions_of", "stats", "remove"):
            at_once(*[lambda: store.get(record.session_id)] * 4)
            server.stop()
            server.start()
            WORK[work](store, record)


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, and its key, in one file."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "redis.pem", HOST)


def write_certificate(path: Path, address: str) -> Path:
    """Make a certificate for an address, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def tls(server: RedisServer, certificate: Path) -> Iterator[Proxy]:
    """A network behind which Redis speaks TLS: it fails below the encryption."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Proxy(server.port, context=context) as speaks_tls, Proxy(speaks_tls.port) as proxy:
        yield proxy


def secure(server: RedisServer, proxy: Proxy, certificate: Path, scheme: str = "rediss") -> str:
    return f"{server.url(port=proxy.port).replace('redis', scheme, 1)}?ssl_ca_certs={certificate}"


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls(server: RedisServer, tls: Proxy, certificate: Path, opened: Opened, scheme: str) -> None:
    """Sessions are kept under TLS, connections are kept too, and a child makes its own."""
    store = opened(secure(server, tls, certificate, scheme), 2.0)
    record = session_in(store)
    assert [store.get(record.session_id) for _ in range(5)] == [record] * 5
    assert store.replace(refreshed(record), record.generation)
    assert tls.connections == 1
    assert Child(lambda: store.get(record.session_id) is not None).result() is True
    assert store.get(record.session_id)
    assert tls.connections == 2


def test_tls_with_a_stranger(server: RedisServer, tls: Proxy, opened: Opened) -> None:
    """A certificate that is not trusted is an outage."""
    with Clock():
        opened(server.url(port=tls.port).replace("redis", "rediss", 1)).get("some")


@pytest.fixture
def impostor(server: RedisServer, tmp_path: Path) -> Iterator[tuple[Proxy, Path]]:
    """A server with a good certificate for another address."""
    made = write_certificate(tmp_path / "other.pem", "192.0.2.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)
    with Proxy(server.port, context=context) as proxy:
        yield proxy, made


def test_tls_with_a_certificate_for_another_host(
    server: RedisServer, impostor: tuple[Proxy, Path], opened: Opened
) -> None:
    """The name in the certificate is checked, unless the URI turns that off."""
    uri = secure(server, *impostor)
    with Clock():
        opened(uri).get("some")
    assert opened(f"{uri}&ssl_check_hostname=false", 2.0).get("some") is None
    assert opened(f"{uri}&ssl_cert_reqs=none", 2.0).get("some") is None


@pytest.mark.parametrize(
    ("uri", "checked"),
    [
        ("rediss://localhost", True),
        ("valkeys://localhost", True),
        ("redis+sentinel://localhost/main?ssl=true", True),
        ("rediss://localhost?ssl_check_hostname=true", True),
        ("rediss://localhost?ssl_check_hostname=false", False),
        ("rediss://localhost?ssl_cert_reqs=none", False),
        ("rediss://localhost?ssl_cert_reqs=required", True),
    ],
)
def test_the_name_in_a_certificate_is_checked_unless_the_uri_says_otherwise(uri: str, checked: bool) -> None:
    """Whatever the version of redis-py does by default: 5.0 does not check."""
    pool = client_of(uri).connection_pool
    pools = [pool]
    if "sentinel" in uri:
        pools.append(pool.sentinel_manager.sentinels[0].connection_pool)
    assert [each.make_connection().check_hostname for each in pools] == [checked] * len(pools)


def test_the_name_in_a_certificate_is_checked_in_a_cluster() -> None:
    """A cluster client makes its connections with the same class."""
    assert TlsConnection(host="localhost", port=1, socket_timeout=1).check_hostname is True


@pytest.mark.parametrize("connected", [True, False], ids=["in use", "new"])
@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_the_deadline_under_tls(
    server: RedisServer,
    tls: Proxy,
    certificate: Path,
    opened: Opened,
    fail: Callable[[Proxy], None],
    connected: bool,
) -> None:
    """Whatever the network does below TLS, in its handshake too, an operation ends in time."""
    store = opened(secure(server, tls, certificate))
    record = session_in(store) if connected else new_session()
    fail(tls)
    with Clock():
        store.status(record.session_id, None)
    tls.pass_on()
    assert patiently(lambda: store.status(record.session_id, None)).deadline == (record.deadline if connected else None)


# --- Sentinels --------------------------------------------------------------------------------------------------------


def test_a_failover(sentinels: SentinelSetup, opened: Opened) -> None:
    """When the primary has become a replica, writes go to the new one: connections to the old one are closed."""
    store = opened(sentinels.url(), 5.0)
    record = session_in(store)
    eventually(lambda: sentinels.first.ask("WAIT", 1, 1000) or sentinels.second.ask("WAIT", 1, 1000))
    sentinels.fail_over()
    successor = refreshed(record)
    assert store.replace(successor, record.generation) is True
    assert store.get(record.session_id) == successor


@pytest.mark.parametrize("behave", [Proxy.hang, Proxy.refuse, Proxy.pass_on])
def test_a_sentinel_that_fails(sentinels: SentinelSetup, opened: Opened, behave: Callable[[Proxy], None]) -> None:
    """One Sentinel of several that fails takes its share of the time, once, and not all of it."""
    with Proxy(sentinels.sentinel.port) as proxy:
        behave(proxy)
        store = opened(sentinels.url(proxy.port, sentinels.sentinel.port), 2.0)
        record = session_in(store)
        store.close()
        started = time.monotonic()
        assert store.get(record.session_id) == record
        assert time.monotonic() - started < 0.9  # its share would be a second


def test_sentinels_that_all_hang(sentinels: SentinelSetup, opened: Opened) -> None:
    """Without a Sentinel there is no primary, and that is known in time."""
    with Proxy(sentinels.sentinel.port) as proxy:
        proxy.hang()
        store = opened(sentinels.url(proxy.port, proxy.port, proxy.port))
        with Clock():
            store.get("some")
        proxy.pass_on()
        assert store.get("some") is None


def test_a_service_that_no_sentinel_knows(sentinels: SentinelSetup, opened: Opened) -> None:
    """It is an outage with a name of its own."""
    with Clock() as clock:
        opened(sentinels.url().replace("/sessions/", "/others/")).get("some")
    assert clock.error.value.reason == "MasterNotFoundError"


def test_a_replica_is_not_taken_for_the_primary(tmp_path: Path, opened: Opened) -> None:
    """A Sentinel that is behind names a server that is a replica by now: nothing is read from that."""
    with SentinelSetup(tmp_path) as setup:
        setup.first.ask("REPLICAOF", HOST, setup.second.port)
        with Clock() as clock:
            opened(setup.url()).get("some")
        assert clock.error.value.reason == "ReadOnlyError"


# --- a cluster --------------------------------------------------------------------------------------------------------


def test_a_seed_that_is_gone(cluster: ClusterSetup, opened: Opened) -> None:
    """Any of the servers that the URI names is enough."""
    store = opened(cluster.url().replace("://", f"://{HOST}:1,"), 2.0)
    records = [session_in(store, identity=str(number)) for number in range(10)]
    assert names(store.sessions()) == names(records)
    assert {store.get(record.session_id) is not None for record in records} == {True}


def test_a_slot_that_moves(cluster: ClusterSetup, opened: Opened) -> None:
    """While a slot moves from one server to another, and afterwards, its sessions are found."""
    store = opened(cluster.url(), 2.0)
    record = session_in(store)
    key = f"{prefix_of(store)}s:{record.session_id}"
    slot = key_slot(key.encode())
    source, target = cluster.owner_of(slot), cluster.other_than(slot)
    with cluster.moving(slot, source, target):
        assert store.get(record.session_id) == record  # it is here still
        source.ask("MIGRATE", HOST, target.port, key, 0, 1000)
        assert store.get(record.session_id) == record
        successor = refreshed(record)
        assert store.replace(successor, record.generation) is True
    assert store.get(record.session_id) == successor
    assert names(store.sessions()) == [record.session_id]


def test_a_slot_without_a_server(tmp_path: Path, opened: Opened) -> None:
    """A cluster that is being set up gives no answers. When it is ready it does."""
    with RedisServer(tmp_path, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no") as server:
        store = opened(server.url().replace("redis", "redis+cluster", 1))
        server.ask("CLUSTER", "ADDSLOTS", 0)
        with Clock():
            store.get("some")
        server.ask("CLUSTER", "ADDSLOTS", *range(1, 16384))
        eventually(lambda: _answers(store))


def test_a_cluster_that_lost_a_server(tmp_path: Path, opened: Opened) -> None:
    """Without one of its servers a cluster gives no answers, in time. When it is back so are they."""
    with ClusterSetup(tmp_path) as cluster:
        store = opened(cluster.url())
        records = [session_in(store, identity=str(number)) for number in range(12)]
        cluster.servers[1].pause()
        lost = [record for record in records if not _found(store, record)]
        assert lost
        cluster.servers[1].resume()
        eventually(lambda: all(_found(store, record) for record in records))


def _found(store: RedisStore, record: SessionRecord) -> bool:
    started = time.monotonic()
    try:
        return store.get(record.session_id) == record
    except StoreUnavailableError:
        assert time.monotonic() - started <= TIMEOUT * 1.5 + SLACK
        return False


# --- processes, threads, greenlets ------------------------------------------------------------------------------------


def test_a_child_leaves_the_connections_of_its_parent_alone(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """A child opens its own connection, and when it ends its parent keeps the connection that it had."""
    store = opened(server.url(port=proxy.port), 2.0)
    record = session_in(store)
    assert proxy.connections == 1

    def child() -> bool:
        store.close()
        found = store.get(record.session_id) == record
        store.close()
        return found

    assert [Child(child).result() for _ in range(3)] == [True] * 3
    assert proxy.connections == 4
    assert store.get(record.session_id) == record
    assert proxy.connections == 4


def test_threads_share_connections(server: RedisServer, proxy: Proxy, opened: Opened) -> None:
    """There are never more connections than threads that use one at the same time."""
    store = opened(server.url(port=proxy.port), 5.0)
    record = session_in(store)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: store.get(record.session_id) == record, range(400)))
    assert proxy.connections <= 5


def run(program: str, *arguments: str) -> str:
    """Run a program in a process of its own, with warnings as errors, and return what it printed."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_greenlets(server: RedisServer, proxy: Proxy) -> None:
    """Under gevent, greenlets wait for the server together, and a server that hangs keeps none of them too long."""
    printed = run(
        """
        from gevent import monkey; monkey.patch_all()
        import sys, time, gevent
        from flask_jwt_extended.stores.redis import RedisStore
        from flask_jwt_extended.exceptions import StoreUnavailableError
        from flask_jwt_extended.testing.store_contract import new_session
        from tests.servers.proxy import Proxy

        store = RedisStore.from_uri(sys.argv[1], 1.0)
        record = new_session()
        store.add(record)
        found = [job.get() for job in [gevent.spawn(store.get, record.session_id) for _ in range(200)]]
        print(found == [record] * 200)

        def fail(_):
            started = time.monotonic()
            try:
                store.get(record.session_id)
            except StoreUnavailableError:
                return time.monotonic() - started < 1.9

        with Proxy(int(sys.argv[2])) as proxy:
            for behave in (lambda: proxy.hang(), lambda: proxy.drip(0.3)):
                store = RedisStore.from_uri(sys.argv[1].replace(sys.argv[2], str(proxy.port)), 1.0)
                behave()
                print([job.get() for job in [gevent.spawn(fail, 0) for _ in range(20)]] == [True] * 20)
        """,
        server.url(),
        str(server.port),
    )
    assert printed.split() == ["True"] * 3


@pytest.mark.parametrize("parser", ["hiredis", "none"])
def test_parsers_of_redis_py(server: RedisServer, proxy: Proxy, parser: str) -> None:
    """It works with hiredis and without: an answer that drips is cut off, and the next one is right."""
    printed = run(
        """
        import sys
        if sys.argv[3] == "none":
            sys.modules["hiredis"] = None
        from redis.utils import HIREDIS_AVAILABLE
        from flask_jwt_extended.stores.redis import RedisStore
        from flask_jwt_extended.exceptions import StoreUnavailableError
        from flask_jwt_extended.testing.store_contract import new_session, refreshed
        from tests.servers.proxy import Proxy

        print(HIREDIS_AVAILABLE is (sys.argv[3] == "hiredis"))
        with Proxy(int(sys.argv[2])) as proxy:
            store = RedisStore.from_uri(sys.argv[1].replace(sys.argv[2], str(proxy.port)), 0.5)
            record = new_session()
            store.add(record)
            print(store.sessions_of(record.owner) == [record])
            proxy.drip(0.3)
            try:
                store.get(record.session_id)
            except StoreUnavailableError:
                print(True)
            proxy.pass_on()
            print(store.replace(refreshed(record), record.generation), store.remove(record.session_id))
            proxy.reset_connections()
            print(store.get(record.session_id) is None)
            store.close()
        """,
        server.url(7),
        str(server.port),
        parser,
    )
    assert printed.split() == ["True"] * 6


# --- findings ---------------------------------------------------------------------------------------------------------


def codes(store: RedisStore, now: float | None = None) -> list[str]:
    """Return what is found, as severity and code."""
    return sorted(f"{each.severity} {each.code}" for each in store.findings(now or time.time()))


SETTINGS: dict[str, tuple[list[str], list[str]]] = {
    "nothing on disk": (["--save", ""], ["error store_not_durable"]),
    "snapshots": (["--save", "3600", "1"], ["error store_loses_minutes"]),
    "once a second": (["--appendonly", "yes", "--appendfsync", "everysec"], ["info store_loses_a_second"]),
    "always": (["--appendonly", "yes", "--appendfsync", "always"], []),
    "evicting": (
        ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "99mb", "--maxmemory-policy", "volatile-lru"],
        ["error store_evicts"],
    ),
    "full": (
        ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "99mb", "--maxmemory-policy", "noeviction"],
        [],
    ),
    "hidden": (["--rename-command", "CONFIG", ""], ["info store_settings_hidden"]),
}


@pytest.mark.parametrize(("arguments", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_findings(tmp_path: Path, opened: Opened, arguments: list[str], expected: list[str]) -> None:
    """What a server may lose is read from its settings."""
    with RedisServer(tmp_path, *arguments) as server:
        assert codes(opened(server.url(), 5.0)) == expected


def test_findings_of_clocks(store: RedisStore) -> None:
    """A server whose clock differs is found, and one that is right is not."""
    assert "warning store_clock" in codes(store, time.time() + 5)
    assert "warning store_clock" in codes(store, time.time() - 5)
    assert "warning store_clock" not in codes(store)


def test_findings_of_replicas(sentinels: SentinelSetup, opened: Opened) -> None:
    """A primary that acknowledges before any replica has a write loses some in a failover."""
    store = opened(sentinels.url(), 2.0)
    eventually(lambda: "warning store_fails_over_early" in codes(store))
    for server in (sentinels.first, sentinels.second):
        server.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    assert "warning store_fails_over_early" not in codes(store)
    for server in (sentinels.first, sentinels.second):
        server.ask("CONFIG", "SET", "min-replicas-to-write", 0)


def test_findings_of_a_cluster(cluster: ClusterSetup, opened: Opened) -> None:
    """What is wrong with all servers is reported once."""
    assert codes(opened(cluster.url(), 2.0)) == ["error store_not_durable"]
