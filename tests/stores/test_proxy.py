"""Outages: an application whose store is refused, hangs, breaks off, drips or is late, stands still, or cannot write.

Every request is answered in time, and with 503: never let in, never a crash, never logged out. Afterwards it recovers
by itself.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from storm.application import Answer, Client
from storm.crowd import Member, Processes, somebody
from storm.engines import ENGINES, SQLite

from tests.servers.postgres import Postgres
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.server

Remote = Postgres | RedisServer

#: JWT_STORE_TIMEOUT, seconds.
TIMEOUT = 0.4
#: Seconds within which a request must be answered.
BOUND = TIMEOUT * 1.5 + 0.3


@pytest.fixture(scope="module", params=["postgres", "redis-aof"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """An engine that several machines may use."""
    server = ENGINES[request.param].server(tmp_path_factory.mktemp("engines"))
    assert isinstance(server, Postgres | RedisServer)
    with server:
        yield server


@pytest.fixture
def proxy(server: Remote) -> Iterator[Proxy]:
    """The network between the application and its store."""
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def client(server: Remote, proxy: Proxy) -> Iterator[Client]:
    """A client of an application behind the proxy that has used its store before."""
    with closing(Client(server.url(port=proxy.port), STORE_TIMEOUT=TIMEOUT)) as client:
        recovered(client)
        yield client


def recovered(client: Client) -> float:
    """Wait until a session can be started, and return how long that took."""
    began = time.monotonic()
    while client.login().status != 200:
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    return time.monotonic() - began


def ask_everything(client: Client, pair: Answer) -> list[Answer]:
    """Log in, look, refresh and log out at the same time: each answer, in this order."""
    requests: list[Callable[[], Answer]] = [
        client.login,
        lambda: client.view(pair.access),
        lambda: client.refresh(pair.refresh),
        lambda: client.logout(pair.access),
    ]
    with ThreadPoolExecutor(len(requests)) as threads:
        futures = [threads.submit(request) for request in requests]
        return [future.result() for future in futures]


def assert_refused_in_time(answers: list[Answer]) -> None:
    """Every request was answered with 503 in time, and no cookie was deleted."""
    assert {answer.status for answer in answers} == {503}
    assert max(answer.seconds for answer in answers) < BOUND


#: What networks do.
TROUBLES: dict[str, Callable[[Proxy], None]] = {
    "refuses": Proxy.refuse,
    "hangs": Proxy.hang,
    "resets at once": lambda proxy: proxy.reset_after(0),
    "resets mid-reply": lambda proxy: proxy.reset_after(3),
    "drips": lambda proxy: proxy.drip(TIMEOUT / 4),
    "is late": lambda proxy: proxy.delay(TIMEOUT * 3),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_network_in_trouble(trouble: str, proxy: Proxy, client: Client) -> None:
    """Whatever the network does, requests are refused in time, with old connections and with new ones; afterwards the
    session is active, without a restart.
    """
    pair = client.login()
    TROUBLES[trouble](proxy)
    for _ in range(2):
        assert_refused_in_time(ask_everything(client, pair))
    proxy.pass_on()
    assert recovered(client) < 5
    assert_unharmed(client, pair)


def assert_unharmed(client: Client, pair: Answer) -> None:
    """Only the logout may have been carried out: then all of the session is refused, otherwise none of it."""
    expected = 401 if client.store.get(pair.session_id) is None else 200
    assert client.view(pair.access).status == expected
    assert client.refresh(pair.refresh).status == expected


def test_a_reset_amid_everything(proxy: Proxy, client: Client) -> None:
    """Connections that break while they are idle cost at most one 503: the store connects again."""
    pair = client.login()
    for _ in range(5):
        proxy.reset_connections()
        assert client.view(pair.access).status in (200, 503)
        assert client.view(pair.access).status == 200


def test_reset_after_any_number_of_bytes(proxy: Proxy, client: Client) -> None:
    """Wherever the answer to a refresh breaks off, the client that asks again gets a pair that works."""
    for count in (*range(12), 20, 40, 80):
        pair = client.login()
        proxy.reset_after(count)
        broken = client.refresh(pair.refresh)
        assert broken.status in (200, 503)
        proxy.pass_on()
        recovered(client)
        again = client.refresh(pair.refresh)
        assert (again.status, client.view(again.access).status) == (200, 200)


def test_an_outage_may_be_allowed_and_refreshing_is_not(server: Remote, proxy: Proxy) -> None:
    """With JWT_STORE_OUTAGE = "allow" an access token passes in time meanwhile, and nothing else does."""
    uri = server.url(port=proxy.port)
    with closing(Client(uri, STORE_TIMEOUT=TIMEOUT, STORE_OUTAGE="allow")) as client:
        pair = client.login()
        proxy.hang()
        answers = ask_everything(client, pair)
        proxy.pass_on()
    assert [answer.status for answer in answers] == [503, 200, 503, 503]
    assert answers[1].seconds < BOUND


def test_a_server_that_stands_still(server: Remote) -> None:
    """A server that was stopped refuses in time, and works again as soon as it is continued."""
    with closing(Client(server.url(), STORE_TIMEOUT=TIMEOUT)) as client:
        pair = client.login()
        server.pause()
        try:
            for _ in range(2):
                assert_refused_in_time(ask_everything(client, pair))
        finally:
            server.resume()
        assert recovered(client) < 5
        assert_unharmed(client, pair)


# --- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    """A database file."""
    with SQLite(tmp_path / "data") as database:
        yield database


def test_sqlite_is_locked_for_ten_timeouts(database: SQLite) -> None:
    """While another process holds the lock, what must write is refused in time, and works as soon as it is let go."""
    with closing(Client(database.url(), STORE_TIMEOUT=TIMEOUT)) as client:
        pair = client.login()
        locked = time.monotonic()
        database.pause()
        while time.monotonic() - locked < 10 * TIMEOUT:
            login, view, refresh, logout = ask_everything(client, pair)
            assert_refused_in_time([login, refresh, logout])
            assert view.status in (200, 503)
            assert view.seconds < BOUND
        database.resume()
        assert recovered(client) < 1
        assert client.refresh(pair.refresh).status == 200


@pytest.fixture
def public_database() -> Iterator[SQLite]:
    """A database file that any user of the machine may write."""
    with tempfile.TemporaryDirectory() as folder, SQLite(Path(folder) / "data") as database:
        Path(folder).chmod(0o755)
        database.folder.chmod(0o777)
        yield database


def test_a_read_only_sqlite_file_refuses(public_database: SQLite) -> None:
    """A user who may read the file only starts, refreshes and ends nothing; it is an outage, not a crash."""
    with closing(Client(public_database.url())) as client:
        pair = client.login()
    public_database.file.chmod(0o444)
    public_database.folder.chmod(0o555)
    with Processes(public_database.url(), 1, STORE_TIMEOUT=TIMEOUT) as crowd:
        login, view, refresh, logout = somebody(crowd, ask_as_nobody, pair)
    assert_refused_in_time([login, refresh, logout])
    assert view.status in (200, 503)


def ask_as_nobody(member: Member, pair: Answer) -> list[Answer]:
    """Ask as a user for whom permissions count, which they do not for root."""
    if os.geteuid() == 0:
        member.client.login()  # imports what that user may not read
        member.client.close()
        os.setuid(65534)
    return ask_everything(member.client, pair)


def test_a_full_disk_refuses_and_recovers(database: SQLite) -> None:
    """Where no file may grow, what must write is refused in time; once there is room again, it works."""
    with Processes(database.url(), 1, STORE_TIMEOUT=TIMEOUT) as crowd:
        answers, recovery = somebody(crowd, fill_up)
    assert_refused_in_time(answers)
    assert recovery < 1


def fill_up(member: Member) -> tuple[list[Answer], float]:
    """Let no file of this process grow any further for a while."""
    client = member.client
    pair = client.login()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, most))
    answers = [client.login(), client.refresh(pair.refresh), client.logout(pair.access)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    recovery = recovered(client)
    assert client.refresh(pair.refresh).status == 200
    return answers, recovery
