"""Stores over an engine or a client that belongs to the application, and what every client has in common: a command
that is not idempotent is sent once, and a forked child never shares a connection, also if no hook runs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from redis import cluster as cluster_module
from redis.backoff import ConstantBackoff
from redis.credentials import UsernamePasswordCredentialProvider
from redis.retry import Retry
from redis.sentinel import Sentinel
from sqlalchemy import event

from flask_jwt_extended.exceptions import ConfigurationError, StoreUnavailableError
from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores.base import SessionStore
from flask_jwt_extended.stores.records import SessionRecord
from flask_jwt_extended.stores.redis import RedisStore
from flask_jwt_extended.stores.sql import SqlStore
from flask_jwt_extended.testing.store_contract import Child, SharedStoreContract, new_digest, new_session, refreshed

from ..servers import HOST
from ..servers.proxy import Proxy
from ..servers.redis import SERVICE, ClusterSetup, RedisServer, SentinelSetup

pytestmark = pytest.mark.server

PASSWORD = "hush-hush"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that asks for a password, also behind a socket in the file system."""
    folder = tmp_path_factory.mktemp("redis")
    with RedisServer(folder, "--unixsocket", str(folder / "redis.sock"), password=PASSWORD) as server:
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


# --- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
class TestEngine(SharedStoreContract):
    """The contract holds over an engine as an application makes it: in transactions, with SQLAlchemy's usual pool. For
    SQLite, the application has turned on its write-ahead log.
    """

    @pytest.fixture
    def store(self, database: str, request: pytest.FixtureRequest) -> Iterator[SessionStore]:
        """A store that leaves the engine to the application."""
        timeouts = {"connect_args": {"timeout": 10}} if database == "sqlite" else {"pool_pre_ping": True}
        engine = sa.create_engine(str(request.getfixturevalue(f"{database}_uri")), **timeouts)
        if database == "sqlite":
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode = WAL"))
        yield SqlStore(engine, 10.0)
        engine.dispose()


def decoding_client(request: pytest.FixtureRequest) -> redis.Redis:
    """A client that returns text, speaks protocol 3, and gets its password from a provider."""
    provider = UsernamePasswordCredentialProvider(None, PASSWORD)
    port = request.getfixturevalue("server").port
    return redis.Redis(HOST, port, decode_responses=True, protocol=3, credential_provider=provider)


def sentinel_client(request: pytest.FixtureRequest) -> redis.Redis:
    """The primary that a Sentinel names."""
    setup: SentinelSetup = request.getfixturevalue("sentinels")
    client: redis.Redis = sentinel_at(setup).master_for(SERVICE, socket_timeout=10)
    return client


def sentinel_at(setup: SentinelSetup) -> Any:
    """What finds the primary and its replica."""
    return Sentinel([(HOST, setup.sentinel.port)])  # type: ignore[no-untyped-call]


def cluster_client(request: pytest.FixtureRequest) -> redis.RedisCluster:
    """A cluster."""
    return redis.RedisCluster(HOST, request.getfixturevalue("cluster").servers[0].port, socket_timeout=10)


CLIENTS: dict[str, Callable[[pytest.FixtureRequest], Any]] = {
    "decoding": decoding_client,
    "sentinel": sentinel_client,
    "cluster": cluster_client,
}


@pytest.mark.parametrize("make", CLIENTS.values(), ids=CLIENTS)
class TestClient(SharedStoreContract):
    """The contract holds over a client of redis-py that the application made, except for one thing: redis-py keeps its
    locks when the process forks while another thread holds one.
    """

    test_children_of_a_busy_parent: Any = None

    @pytest.fixture
    def store(
        self, make: Callable[[pytest.FixtureRequest], Any], request: pytest.FixtureRequest
    ) -> Iterator[SessionStore]:
        """A store that leaves the client to the application."""
        client = make(request)
        yield RedisStore(client, prefix=f"{new_digest()}:")
        client.close()


# --- what belongs to the application ----------------------------------------------------------------------------------


def test_an_engine_is_left_alone(tmp_path: Path) -> None:
    """Closing a store keeps the connections of the engine, and a statement leaves the isolation level as it was."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/app.db")
    store = SqlStore(engine)
    store.add(new_session())
    store.close()
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]  # of QueuePool
    with engine.connect() as connection:
        connection.execute(sa.text("DELETE FROM jwt_sessions"))  # not committed
    assert store.stats(time.time()).sessions == 1
    engine.dispose()


def test_a_client_is_left_alone(server: RedisServer) -> None:
    """Closing a store keeps the connections of the client."""
    with redis.Redis.from_url(server.url(), client_name="mine") as client:
        store = RedisStore(client)
        store.get("some")
        number = client.client_id()
        store.close()
        assert client.client_id() == number


@pytest.mark.parametrize("wrong", [None, "sqlite:///jwt.db", object()], ids=["none", "a URI", "an object"])
@pytest.mark.parametrize("make", [SqlStore, RedisStore])
def test_something_else(make: Callable[[Any], object], wrong: object) -> None:
    """What is neither an engine nor a client is refused where the store is made."""
    with pytest.raises(ConfigurationError, match="from_uri"):
        make(wrong)


def test_a_client_that_reads_from_replicas(cluster: ClusterSetup, sentinels: SentinelSetup) -> None:
    """A replica may not know yet that a session has ended, so such a client is refused."""
    strategy = getattr(cluster_module, "LoadBalancingStrategy", None)
    option: dict[str, Any] = {"load_balancing_strategy": strategy.RANDOM} if strategy else {"read_from_replicas": True}
    clients: list[Any] = [
        redis.RedisCluster(HOST, cluster.servers[0].port, **option),
        sentinel_at(sentinels).slave_for(SERVICE),
    ]
    for client in clients:
        with closing(client), pytest.raises(ConfigurationError, match="primary"):
            RedisStore(client)


def test_an_outage_of_the_applications_own(tmp_path: Path) -> None:
    """Errors of redis-py and of SQLAlchemy are outages, also where the application set the timeouts."""
    nobody = RedisStore(redis.Redis(HOST, 1, retry=Retry(ConstantBackoff(0), 0)))
    assert [finding.code for finding in nobody.findings(time.time())] == ["store_unreachable"]
    for store in (nobody, SqlStore(sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder.db"))):
        with pytest.raises(StoreUnavailableError):
            store.status("some", new_digest())


# --- options that go to redis-py --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["redis://:{password}@{host}:{port}?protocol=3", "unix://:{password}@{socket}?db=4"])
def test_options_of_redis_py(server: RedisServer, form: str) -> None:
    """Protocol 3, and a socket in the file system, are a matter of the URI."""
    uri = form.format(password=PASSWORD, host=HOST, port=server.port, socket=server.folder / "redis.sock")
    with closing(open_store(uri, 5.0)) as store:
        record = new_session()
        store.add(record)
        assert store.replace(refreshed(record), record.generation)
        assert record.session_id in {each.session_id for each in store.sessions()}
        assert store.remove(record.session_id)
        assert {finding.code for finding in store.findings(time.time())} == {"store_not_durable"}


# --- never twice ------------------------------------------------------------------------------------------------------


def from_uri(port: int) -> RedisStore:
    """A store with a client of its own."""
    return RedisStore.from_uri(f"redis://:{PASSWORD}@{HOST}:{port}/0", 5.0)


def eager(port: int) -> RedisStore:
    """A store over a client that tries everything five times."""
    retry = Retry(ConstantBackoff(0.01), 5)
    return RedisStore(redis.Redis(HOST, port, password=PASSWORD, retry=retry, retry_on_error=[redis.ConnectionError]))


@pytest.mark.parametrize("make", [from_uri, eager])
def test_a_command_that_is_not_idempotent_is_sent_once(server: RedisServer, make: Callable[[int], RedisStore]) -> None:
    """When the answer is lost it is not sent again: a second ADD would bring back a session that has ended since."""
    works: list[Callable[[RedisStore], object]] = [
        lambda store: store.add(new_session()),
        lambda store: store.replace(new_session(), 1),
        lambda store: store.revoke(new_digest(), time.time() + 60, "some"),
        lambda store: store.revoke(new_digest(), time.time() + 60, None),
    ]
    with Proxy(server.port) as proxy, closing(make(proxy.port)) as store:
        for work in works:
            with suppress(StoreUnavailableError):
                work(store)  # the scripts are known now
            before = calls(server)
            proxy.reset_after(1, once=True)
            with pytest.raises(StoreUnavailableError):
                work(store)
            assert calls(server) == before + 1
            store.get("some")


def test_a_command_is_sent_once_in_a_cluster(cluster: ClusterSetup) -> None:
    """A cluster client reads the slots again after an error, and does not repeat the command."""
    client: Any = redis.RedisCluster(HOST, cluster.servers[0].port, retry=Retry(ConstantBackoff(0.01), 5))
    store = RedisStore(client)
    record = new_session()
    store.add(record)
    key = f"jwt:s:{record.session_id}"
    node = client.get_node_from_key(key)
    sent: list[Any] = []

    class Losing(redis.Connection):
        """Loses every answer to a script."""

        def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            """Send it, and break off."""
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
            if b"EVALSHA" in b"".join(command):
                sent.append(command)
                self.disconnect()  # type: ignore[no-untyped-call]
                raise redis.ConnectionError("lost")

    pool = client.get_redis_connection(node).connection_pool
    pool.disconnect()
    pool.reset()
    pool.connection_class = Losing
    with pytest.raises(StoreUnavailableError):
        store.replace(refreshed(record), record.generation)
    assert len(sent) == 1
    client.close()


def calls(server: RedisServer) -> int:
    """Count the writes that a server was asked for."""
    with server.client() as client:
        stats: Any = client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha", "set"))


# --- forks without hooks ----------------------------------------------------------------------------------------------


@pytest.fixture
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hook of ours runs when the process forks, as in uWSGI."""
    monkeypatch.delattr(os, "register_at_fork")


@pytest.mark.usefixtures("no_hooks")
@pytest.mark.parametrize("name", ["memory", "sqlite", "postgres", "mariadb", "redis"])
def test_a_fork_without_hooks(name: str, request: pytest.FixtureRequest) -> None:
    """A child has connections and a deadline of its own, and its parent keeps those that it had."""
    with closing(open_store(str(request.getfixturevalue(f"{name}_uri")), 10.0)) as store:
        record, ended = new_session(), new_session()
        store.add(record)
        store.add(ended)

        def live() -> bool:
            mine = new_session()
            store.add(mine)
            return (
                store.replace(refreshed(mine), 1) and store.remove(ended.session_id) and store.remove(mine.session_id)
            )

        for _ in range(3):
            assert Child(live).result() is True
            assert store.get(record.session_id) == record
            if name != "memory":
                assert store.get(ended.session_id) is None
                store.add(ended)
        assert store.remove(record.session_id)


@pytest.mark.usefixtures("no_hooks")
@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_children_that_share_no_connection(name: str, request: pytest.FixtureRequest) -> None:
    """Children and their parent use the store at the same time: none gets the answer of another."""
    with closing(open_store(str(request.getfixturevalue(f"{name}_uri")), 10.0)) as store:
        records = [new_session() for _ in range(4)]
        for record in records:
            store.add(record)

        def look(record: SessionRecord) -> bool:
            return all(store.get(record.session_id) == record for _ in range(300))

        children = [Child(partial(look, record)) for record in records[:3]]
        assert look(records[3])
        assert [child.result() for child in children] == [True] * 3
