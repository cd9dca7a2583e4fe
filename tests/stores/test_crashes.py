"""What a crash leaves behind: of a worker at each step, of an engine under load, of a disk that a copy is brought back
to. Nothing that was acknowledged is lost, and what is lost refuses.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from storm.application import IDENTITY, Answer, Client
from storm.engines import ENGINES, Engine
from storm.lethal import survives
from storm.outages import Server
from storm.trial import killed, writers_killed

from flask_jwt_extended.stores.records import owner_of

pytestmark = pytest.mark.server

#: Engines that keep what they acknowledge.
DURABLE = [name for name, engine in ENGINES.items() if engine.keeps]


@dataclass(frozen=True)
class Running:
    """An engine that runs."""

    engine: Engine
    server: Server

    @property
    def uri(self) -> str:
        """Return what JWT_STORE_URI is."""
        return self.server.url()

    def flush(self) -> None:
        """Forget everything."""
        if self.engine.name.startswith("redis"):
            import redis

            with redis.Redis.from_url(self.uri) as client:
                client.flushall()
            return
        from sqlalchemy import create_engine

        from flask_jwt_extended.stores.sql import metadata

        engine = create_engine(self.uri)
        with engine.begin() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        engine.dispose()


@pytest.fixture(scope="module", params=DURABLE)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Each engine."""
    engine = ENGINES[request.param]
    with engine.server(tmp_path_factory.mktemp("engines")) as server:
        yield Running(engine, server)


@pytest.fixture
def client(running: Running) -> Iterator[Client]:
    """A client of an application that uses it."""
    with closing(Client(running.uri, STORE_TIMEOUT=10)) as client:
        yield client


# --- the worker is killed -------------------------------------------------------------------------------------------


def deaths(uri: str, method: str, prepare: Callable[[], Answer], argument: str = "") -> Iterator[Answer]:
    """Prepare a session, and let a worker be killed one step later each time, until it lives to answer."""
    moment, alive = 0, False
    while not alive:
        pair = prepare()
        alive = survives(uri, moment, method, *([str(pair.body[argument])] if argument else []))
        yield pair
        moment += 1
    assert moment > 2, "it was killed before and after one call at least"


def test_a_worker_dies_while_it_refreshes(running: Running, client: Client) -> None:
    """The token was exchanged or not; the client that comes with it again gets a pair that works, and so does that."""
    for pair in deaths(running.uri, "refresh", client.login, "refresh_token"):
        record = client.store.get(pair.session_id)
        assert record is not None
        states = {(1, pair.jti, None), (2, record.current.jti, pair.jti)}
        assert (record.generation, record.current.jti, record.previous_jti) in states
        again = client.refresh(pair.refresh)
        assert again.status == 200
        assert client.view(again.access).status == 200
        assert client.refresh(again.refresh).status == 200


def test_a_worker_dies_while_it_starts_a_session(running: Running, client: Client) -> None:
    """There is one more session, or none; in either case the next login works, and all can be ended."""
    count = len(client.store.sessions_of(owner_of(IDENTITY)))
    for pair in deaths(running.uri, "login", client.login):
        count += 1  # by the login that prepared
        found = len(client.store.sessions_of(owner_of(IDENTITY)))
        assert found - count in (0, 1)
        count = found
        assert client.view(pair.access).status == 200


def test_a_worker_dies_while_it_ends_a_session(running: Running, client: Client) -> None:
    """The session is active and can be ended, or it is gone with all its tokens."""
    for pair in deaths(running.uri, "logout", client.login, "access_token"):
        alive = client.store.get(pair.session_id) is not None
        assert client.view(pair.access).status == (200 if alive else 401)
        assert client.logout(pair.access).status == (200 if alive else 401)
        assert client.refresh(pair.refresh).status == 401


# --- the engine is killed -------------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_found(running: Running, tmp_path: Path) -> None:
    """Killed under load, the engine, or the writers of SQLite, loses no start, no rotation and no end that a client
    was told of.
    """
    storm = killed if running.engine.has_server else writers_killed
    losses = storm(running.server, tmp_path / "journals", 1)
    assert losses.acknowledged > 50
    assert losses.lost == 0


# --- the data is lost, or old ---------------------------------------------------------------------------------------


def test_a_flushed_store_refuses(running: Running, client: Client) -> None:
    """A store that has forgotten everything refuses every token, and lets people log in again."""
    pair = client.login()
    assert client.view(pair.access).status == 200
    running.flush()
    assert client.view(pair.access).status == 401
    assert client.refresh(pair.refresh).status == 401
    assert client.logout(pair.access).status == 401
    assert client.view(client.login().access).status == 200


def test_an_old_copy_ends_the_session_of_a_newer_token(running: Running, client: Client, tmp_path: Path) -> None:
    """A store restored from a copy takes a refresh token that is newer than the copy for one that was used before."""
    known = client.refresh(client.login().refresh)
    untouched = client.login()
    with at_rest(running, client):
        copy(running.server.folder, tmp_path / "copy")
    newer = client.refresh(known.refresh)
    assert newer.status == 200
    with at_rest(running, client):
        shutil.rmtree(running.server.folder)
        copy(tmp_path / "copy", running.server.folder)
    assert client.view(known.access).status == 200, "the copy knows the session"
    assert client.refresh(newer.refresh).status == 401
    assert [client.view(token).status for token in (known.access, newer.access)] == [401, 401]
    assert client.refresh(known.refresh).status == 401
    assert client.refresh(untouched.refresh).status == 200


@dataclass(frozen=True)
class at_rest:  # noqa: N801  # it reads as a verb
    """Stop an engine and the application on it, and start it again."""

    running: Running
    client: Client

    def __enter__(self) -> None:
        self.client.close()
        self.running.server.stop()

    def __exit__(self, *unused: object) -> None:
        self.running.server.start()


def copy(source: Path, target: Path) -> None:
    """Copy a folder with the owners of its files."""
    subprocess.run(["cp", "-a", source, target], check=True)
