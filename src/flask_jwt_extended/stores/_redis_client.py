"""The redis-py client that a URI in JWT_STORE_URI names, and connections that end with the deadline of an operation.

redis-py does the work: protocol, pools, Sentinels, clusters. Its own timeouts start again with every read and every
attempt, so its pools get a connection class (``connection_class=``) that the watchdog can interrupt.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event, Semaphore
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import parse_url
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from ..exceptions import ConfigurationError, StoreUnavailableError
from ._deadline import ForkGuard, Watchdog, current_call, shutdown, start_thread

Client = Any  # redis.Redis | redis.RedisCluster: their types differ from version to version
Address = tuple[str, int]

#: Operations of a process at the same time, unless ``?max_connections=`` sets another number.
MAX_CONNECTIONS = 50
#: Seconds for which a cluster client is kept, however often it fails to find a server.
MIN_REBUILD_INTERVAL = 1.0
#: The errors of an outage.
OUTAGES = (redis.RedisError, RedisClusterException, OSError)


class _Interruptible:
    """Makes a connection class of redis-py end all its waits with the operation in progress."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.socket_timeout = options["socket_timeout"]  # which redis-py 5.0 forgets for a socket in the file system
        # redis-py would send its name and version: two more round trips for every connection.
        vars(self).update(driver_info=None, lib_name=None, lib_version=None)

    @property
    def socket_connect_timeout(self) -> Any:
        """Seconds that are left: redis-py reads this for every address of a name."""
        call = current_call()
        return self.socket_timeout if call is None else min(call.remaining, self.socket_timeout)

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: Any) -> None:
        """Ignore what redis-py sets."""

    def _connect(self) -> socket.socket:
        call = current_call()
        if call is not None:
            call.watch(lambda: None)  # the connection that was used before may be closed
            if hasattr(self, "port"):  # not of a socket in the file system
                _look_up((self.host, self.port), self.socket_connect_timeout)  # type: ignore[attr-defined]  # of redis-py
        found: socket.socket = super()._connect()  # type: ignore[misc]  # of redis-py
        if call is not None:
            call.watch(partial(shutdown, found.fileno()))  # a TLS handshake replaces the object and keeps the number
        return found

    def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        """Send a command, or the first part of one."""
        call = current_call()
        if call is not None:
            call.watch(self._interrupt)
        super().send_packed_command(*arguments, **options)  # type: ignore[misc]  # of redis-py

    def _interrupt(self) -> None:
        opened: Any = getattr(self, "_sock", None)
        if opened is not None:
            socket.socket.shutdown(opened, socket.SHUT_RDWR)  # a TLS socket's own would disturb its reader


class TcpConnection(_Interruptible, redis.Connection):
    """A connection."""


class TlsConnection(redis.SSLConnection, TcpConnection):
    """A connection under TLS."""

    def __init__(self, **options: Any) -> None:
        # redis-py 5 does not check the name by default, and any certificate of a public authority would do.
        options.setdefault("ssl_check_hostname", options.get("ssl_cert_reqs") != "none")
        super().__init__(**options)


class UnixConnection(_Interruptible, redis.UnixDomainSocketConnection):
    """A connection through a socket in the file system."""


class SentinelTcpConnection(SentinelManagedConnection, TcpConnection):
    """A connection to the primary that Sentinels name."""


class SentinelTlsConnection(SentinelManagedSSLConnection, TlsConnection):
    """A connection under TLS to the primary that Sentinels name."""


def _require_primary(connection: Any) -> None:
    """Refuse a replica: a Sentinel that is behind may still name it."""
    connection.on_connect()
    connection.send_command("ROLE", check_health=False)
    if connection.read_response()[0] not in (b"master", "master"):
        raise redis.ReadOnlyError("READONLY It is a replica")


#: The last look-up of each name, by process.
_LOOKUPS: dict[tuple[int, Address], Event] = {}


def _look_up(address: Address, timeout: float) -> None:
    """Wait until a name has been looked up. Nothing can interrupt that, so one thread does it for all that wait.

    :raises TimeoutError: if it takes too long
    """
    key = os.getpid(), address
    done = _LOOKUPS.get(key)
    if done is None or done.is_set():
        done = Event()
        start_thread(partial(_resolve, address, done), "jwt-store-lookup")
        _LOOKUPS[key] = done
    # Not joined: under gevent, a thread whose end several wait for may never seem to end.
    if not done.wait(timeout):
        raise TimeoutError("The name of the server was not found in time")


def _resolve(address: Address, done: Event) -> None:
    try:
        with suppress(OSError, UnicodeError):  # the thread that connects reports it
            socket.getaddrinfo(*address, 0, socket.SOCK_STREAM)
    finally:
        done.set()


class GivenClient:
    """A client of the application: its timeouts and its retries count.

    :raises ConfigurationError: if it is not a client, or may read from a replica
    """

    def __init__(self, client: Client) -> None:
        if not isinstance(client, redis.Redis | redis.RedisCluster):
            raise ConfigurationError(
                f"RedisStore takes a redis.Redis or redis.RedisCluster, not a {type(client).__name__}. For a URI there"
                " is RedisStore.from_uri, and JWT_STORE_URI"
            )
        pool = getattr(client, "connection_pool", None)
        if (
            getattr(client, "read_from_replicas", False)
            or getattr(client, "load_balancing_strategy", None)
            or not getattr(pool, "is_master", True)
        ):
            raise ConfigurationError(
                "RedisStore needs a client that reads from the primary: a replica may not know yet that a session has "
                "ended. Use Sentinel.master_for, or RedisCluster without read_from_replicas and load_balancing_strategy"
            )
        self._client = client

    @contextmanager
    def operation(self) -> Iterator[Client]:
        """Yield the client, and turn its errors into outages."""
        try:
            yield self._client
        except OUTAGES as error:
            raise StoreUnavailableError(type(error).__name__) from None

    def close(self) -> None:
        """Do nothing: the client belongs to the application."""


class OwnClient:
    """A client that this package makes: one deadline bounds all that an operation does.

    :param make: makes the client. A cluster client connects then
    :param limit: operations at the same time. Others wait, within the deadline
    :param timeout: seconds within which every operation ends
    """

    def __init__(self, make: Callable[[], Client], *, limit: int, timeout: float) -> None:
        self._make = make
        self._limit = limit
        self._watchdog = Watchdog(timeout)
        self._forks = ForkGuard(self._reset)
        self._reset()

    def _reset(self) -> None:
        """Start anew in a forked child. Connections of its parent are only forgotten: redis-py knows their process."""
        self._watchdog.reset()
        self._slots = Semaphore(self._limit)
        self._client: Client = None
        self._made_at = 0.0

    @contextmanager
    def operation(self) -> Iterator[Client]:
        """Yield the client, bound what is done with it, and turn its errors into outages.

        The message of an error may hold what was sent, such as a password, so only its class is reported.
        """
        self._forks.check()
        call = self._watchdog.call()
        try:
            with call:
                if not self._slots.acquire(timeout=call.remaining):
                    raise TimeoutError("All connections are in use")
                try:
                    yield self._client or self._open()
                finally:
                    self._slots.release()
        except OUTAGES as error:
            if isinstance(error, RedisClusterException) and time.monotonic() - self._made_at > MIN_REBUILD_INTERVAL:
                self._client = None  # it knows no server that answers, or none for a slot
            raise StoreUnavailableError("TimeoutError" if call.expired else type(error).__name__) from None

    def _open(self) -> Client:
        self._client, self._made_at = self._make(), time.monotonic()
        return self._client

    def close(self) -> None:
        """Close the connections that are not in use. The next operation opens new ones."""
        self._forks.check()
        client = self._client
        if client is not None:
            manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
            for server in [*servers_of(client), *getattr(manager, "sentinels", ())]:
                server.connection_pool.disconnect(inuse_connections=False)


def send_once(client: Client, key: bytes, *command: Any) -> Any:
    """Send a command that must not be carried out twice: not again after a connection error, as redis-py would.

    It is sent again only if a server has refused it, being a replica.

    :param key: the key that it is about
    :return: the answer of the server, without the callbacks of redis-py
    """
    if _is_cluster(client):  # which does not repeat a command for a given node
        return client.execute_command(*command, target_nodes=client.get_node_from_key(key))
    try:
        return _send(client, command)
    except OUTAGES as error:
        if not _is_replica(error):
            raise
    return _send(client, command)


def _send(client: Client, command: tuple[Any, ...]) -> Any:
    with client.client() as single:
        connection: Any = single.connection
        try:
            connection.send_command(*command)
            return connection.read_response()
        except BaseException as error:
            if not isinstance(error, redis.ResponseError) or _is_replica(error):
                connection.disconnect()  # the next one may lead to another server
            raise


def _is_cluster(client: Client) -> bool:
    return isinstance(client, redis.RedisCluster)


def _is_replica(error: BaseException) -> bool:
    # A connection of a Sentinel client turns it into another error, and Redis 6 wraps what goes wrong within a script.
    return isinstance(error.__context__, redis.ReadOnlyError) or any(
        word in str(error) for word in ("READONLY", "MASTERDOWN")
    )


def servers_of(client: Client) -> list[redis.Redis]:
    """Return a client for each server that holds keys."""
    if _is_cluster(client):
        return [client.get_redis_connection(node) for node in client.get_primaries()]
    return [client]


#: Options of a server that are not those of its Sentinels.
_LOGIN = ("username", "password", "db", "client_name")


def parse(uri: str, timeout: float) -> tuple[OwnClient, str]:
    """Return the client that a URI names, and the prefix of its keys: see :class:`~.redis.RedisStore`.

    :raises ConfigurationError: if it is not valid. The message does not quote it: it may hold a password
    """
    try:
        return _parse(uri, timeout)
    except (ValueError, TypeError, LookupError, redis.RedisError):
        raise ConfigurationError(
            "JWT_STORE_URI is not a valid Redis URI: check its hosts, ports and options, and write the special "
            "characters of a password as %XX"
        ) from None


def _parse(uri: str, timeout: float) -> tuple[OwnClient, str]:
    parts = urlsplit(uri)
    scheme, _, mode = parts.scheme.partition("+")
    service, options = _options(uri, scheme, mode)
    prefix, limit = options.pop("prefix", "jwt:"), options.pop("max_connections", MAX_CONNECTIONS)
    sentinel_login = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    tls = options.pop("ssl", "no").lower() in {"1", "true", "yes", "on"} or scheme in {"rediss", "valkeys"}
    connection: Any = UnixConnection if scheme == "unix" else TlsConnection if tls else TcpConnection
    options = {"socket_timeout": timeout, "protocol": 2, **options}
    connection(**options)  # which refuses options that it does not know
    hosts = parts.netloc.rpartition("@")[2].split(",")
    addresses = [_address(host, 26379 if mode == "sentinel" else 6379) for host in hosts]
    make: dict[str, Callable[[], Client]] = {
        "": partial(_one, addresses[0] if scheme != "unix" else None, connection, **options),
        "sentinel": partial(_sentinel, service, addresses, sentinel_login, connection, **options),
        "cluster": partial(_cluster, addresses, connection, **options),
    }
    return OwnClient(make[mode], limit=limit, timeout=timeout), prefix


def _options(uri: str, scheme: str, mode: str) -> tuple[str, dict[str, Any]]:
    """Return the service that Sentinels know, and the options of a connection."""
    parts, service = urlsplit(uri), ""
    path = parts.path.strip("/")
    if scheme == "unix":
        options: dict[str, Any] = parse_url(uri)  # type: ignore[no-untyped-call]  # redis-py has no types here
        del options["connection_class"]
    else:
        if mode == "sentinel":
            service, _, path = path.partition("/")
        user, at, _ = parts.netloc.rpartition("@")
        options = parse_url(f"redis://{user}{at}localhost/{path}?{parts.query}")  # type: ignore[no-untyped-call]  # redis-py has no types here
        del options["host"]
        options.setdefault("socket_keepalive", True)
    if (mode == "sentinel" and not service) or (mode == "cluster" and options.pop("db", 0) != 0):
        raise ValueError("A Sentinel URI names its service; a cluster has database 0 only")
    if "decode_responses" in options:
        raise ValueError("The store decodes what it has written")
    return service, options


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    return unquote(parts.hostname or "localhost"), parts.port or port


#: Of a pool of redis-py: OwnClient limits the operations.
_NO_LIMIT = 2**31


def _retries() -> dict[str, Any]:
    """Return the options by which a command is sent once more after an error on a connection, unless by send_once."""
    return {"retry": Retry(NoBackoff(), 1), "retry_on_error": [redis.ConnectionError]}


def _one(address: Address | None, connection: type, **options: Any) -> redis.Redis:
    if address is not None:
        options["host"], options["port"] = address
    options = {**_retries(), **options}
    pool = redis.ConnectionPool(connection_class=connection, max_connections=_NO_LIMIT, **options)
    return redis.Redis(connection_pool=pool)


def _sentinel(
    service: str, addresses: list[Address], login: dict[str, Any], connection: type[TcpConnection], **options: Any
) -> redis.Redis:
    """Return a client for the primary. A Sentinel that hangs takes its share of the time, and not all of it."""
    common = {name: value for name, value in options.items() if name not in _LOGIN}
    common |= {"socket_timeout": options["socket_timeout"] / len(addresses), "retry": Retry(NoBackoff(), 0)}
    manager: Any = Sentinel([])  # type: ignore[no-untyped-call]  # redis-py has no types here
    manager.sentinels = [_one(address, connection, **common, **login) for address in addresses]
    client: redis.Redis = manager.master_for(
        service,
        connection_class=SentinelTlsConnection if connection is TlsConnection else SentinelTcpConnection,
        redis_connect_func=_require_primary,
        max_connections=_NO_LIMIT,
        **{**_retries(), **options},
    )
    return client


def _cluster(addresses: list[Address], connection: type, **options: Any) -> redis.RedisCluster:
    (host, port), *others = addresses
    return redis.RedisCluster(
        url=f"redis://{f'[{host}]' if ':' in host else host}:{port}",  # with a URL it uses the connection class
        startup_nodes=[ClusterNode(*address) for address in others],  # type: ignore[no-untyped-call]  # redis-py has no types here
        connection_class=connection,
        require_full_coverage=False,
        retry=Retry(NoBackoff(), 1),
        max_connections=_NO_LIMIT,
        **options,
    )
