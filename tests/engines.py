"""The stores that the contract is held against: real engines, started once, with nothing in them for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("flask_jwt_extended.testing.store_contract")

from flask_jwt_extended.stores import open_store  # noqa: E402  # after assertions learned to speak
from flask_jwt_extended.stores.base import SessionStore  # noqa: E402

from .servers.mariadb import MariaDB  # noqa: E402
from .servers.postgres import Postgres  # noqa: E402
from .servers.redis import RedisServer  # noqa: E402

#: Seconds that a store may take: many threads share a small machine here.
TIMEOUT = 10.0

#: Stores that several processes share.
SHARED = ("sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "mariadb", "redis")))
STORES = ("memory", *SHARED)

_DROP = "DROP TABLE IF EXISTS jwt_sessions, jwt_revoked_tokens"


@pytest.fixture(scope="session")
def contract_postgres() -> Iterator[Postgres]:
    """A PostgreSQL."""
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def contract_mariadb() -> Iterator[MariaDB]:
    """A MariaDB that need not survive a crash."""
    with MariaDB(**{"innodb-flush-log-at-trx-commit": "0"}) as server:
        yield server


@pytest.fixture(scope="session")
def contract_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def memory_uri() -> str:
    """Sessions in this process."""
    return "memory://"


@pytest.fixture
def sqlite_uri(tmp_path: Path) -> str:
    """A new database file."""
    return f"sqlite:///{tmp_path / 'jwt.db'}"


@pytest.fixture
def postgres_uri(contract_postgres: Postgres) -> str:
    """A database without tables."""
    contract_postgres.ask(_DROP)
    return contract_postgres.url()


@pytest.fixture
def mariadb_uri(contract_mariadb: MariaDB) -> str:
    """A database without tables."""
    contract_mariadb.ask(_DROP)
    return contract_mariadb.url()


@pytest.fixture
def redis_uri(contract_redis: RedisServer) -> str:
    """A server without keys."""
    contract_redis.ask("FLUSHALL")
    return contract_redis.url()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[SessionStore]:
    """An empty store of each kind."""
    store = open_store(request.getfixturevalue(f"{request.param}_uri"), TIMEOUT)
    yield store
    store.close()
