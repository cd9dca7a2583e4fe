"""How a command gets to the Redis server that holds its key, and the answer back, within the deadline of an operation.

redis-py speaks the protocol, TLS and AUTH. Its pools, its Sentinel and its Cluster client wait and retry by rules of
their own, so what they do is done here, with less. It must not know what sessions are, nor answer for an outage.
"""

from __future__ import annotations

import math
import socket
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event, Semaphore
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError

from ..exceptions import ConfigurationError
from ._deadline import Call, current_call, shut, start_thread

T = TypeVar("T")
Command = Sequence[Any]
Address = tuple[str, int]

#: Connections that one process keeps to one server, unless ``?max_connections=`` says otherwise.
MAX_CONNECTIONS = 50
#: Commands that are sent in one go.
_BATCH = 500
#: How often a command is sent elsewhere.
_HOPS = 5
#: Seconds within which a cluster is not asked again for its map, however much goes wrong.
_CALM = 1.0
#: What goes wrong between a client and a server.
OUTAGES = (redis.RedisError, OSError)


class Link(redis.Connection):
    """A connection. All its waits end with the operation under way, and nothing is tried twice."""

    #: Seconds it may take of an operation that has somebody else to ask.
    patience = math.inf

    def __init__(self, **options: Any) -> None:
        retry = Retry(NoBackoff(), 0)
        super().__init__(protocol=2, decode_responses=False, retry=retry, **options)  # type: ignore[no-untyped-call]
        # It would tell its name and version: two more round trips for every connection.
        self.driver_info = self.lib_name = self.lib_version = None

    @property
    def socket_timeout(self) -> float | None:
        """Seconds that are left, for redis-py to hand to the socket."""
        call = current_call()
        return None if call is None else min(call.remaining, self.patience)

    @socket_timeout.setter
    def socket_timeout(self, value: float | None) -> None:
        """There is one timeout: the deadline."""

    @property
    def socket_connect_timeout(self) -> float | None:
        """Seconds that are left."""
        return self.socket_timeout

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, value: float | None) -> None:
        """There is one timeout: the deadline."""

    def _connect(self) -> socket.socket:
        call = current_call()
        assert call is not None  # noqa: S101  # for mypy
        call.watch(_nothing)  # what it watched before may be closed, and its number another's
        found: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        call.watch(partial(shut, found.fileno()))  # a TLS handshake replaces the object and keeps the number
        return found

    def cut(self) -> None:
        """End the wait of whoever uses the connection, from another thread."""
        if self._sock is not None:
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # a TLS socket's own would disturb its reader

    def ask(self, call: Call, *command: Any) -> Any:
        """Send a command and return its answer."""
        self._begin(call)
        self.send_command(*command, check_health=False)  # type: ignore[no-untyped-call]
        return self.read_response()

    def ask_all(self, call: Call, commands: Iterable[Command]) -> list[Any]:
        """Send commands in one go and return their answers, errors of the server among them."""
        commands = list(commands)
        self._begin(call)
        self.send_packed_command(self.pack_commands(commands), check_health=False)  # type: ignore[no-untyped-call]
        return [self._answer() for _ in commands]

    def _begin(self, call: Call) -> None:
        call.watch(self.cut)
        if self._sock is not None:
            self._sock.settimeout(min(call.remaining, self.patience))

    def _answer(self) -> Any:
        try:
            return self.read_response()
        except redis.ResponseError as error:
            return error

    def is_stale(self) -> bool:
        """Whether the server has closed the connection, or said what nobody asked for."""
        try:
            return bool(self.can_read(0))
        except OUTAGES:
            return True


class TlsLink(redis.SSLConnection, Link):
    """A connection under TLS."""


def _nothing() -> None:
    pass


class Server:
    """A server, and the idle connections to it.

    :param make: makes a connection that is not connected yet
    :param limit: connections it may have at once. Who needs one more waits, until the deadline
    :param primary: whether it must be a primary: a new connection asks
    """

    def __init__(self, make: Callable[..., Link], address: Address, *, limit: int, primary: bool = False) -> None:
        self.address = address
        self._make = partial(make, host=address[0], port=address[1])
        self._primary = primary
        self._idle: list[Link] = []
        self._slots = Semaphore(limit)
        self._found: Event | None = None

    def run(self, call: Call, work: Callable[[Link], T], *, once: bool = False, patience: float = math.inf) -> T:
        """Do something with a connection.

        A connection that was idle may have died meanwhile. Then it is done again on a new one.

        :param once: whether it may not be done again, because nobody would know whose doing it was
        :param patience: seconds it may take of the operation
        :raises TimeoutError: if no connection becomes free in time
        """
        if not self._slots.acquire(timeout=min(call.remaining, patience)):
            raise TimeoutError("All connections are in use")
        try:
            link = self._take(check=once)
            if link is not None:
                try:
                    return self._use(link, work, patience)
                except redis.ConnectionError:
                    self.close()  # the others are no better
                    if once:
                        raise
            return self._use(self._make(), partial(self._begin, call, work), patience)
        finally:
            self._slots.release()

    def _take(self, *, check: bool) -> Link | None:
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                return None
            if not check or not link.is_stale():
                return link
            link.disconnect()  # type: ignore[no-untyped-call]

    def _use(self, link: Link, work: Callable[[Link], T], patience: float) -> T:
        link.patience = patience
        try:
            return work(link)
        except redis.ResponseError:  # an answer like any other: the connection is good
            raise
        except BaseException:
            link.disconnect()  # type: ignore[no-untyped-call]
            raise
        finally:
            if link._sock is not None:
                self._idle.append(link)

    def _begin(self, call: Call, work: Callable[[Link], T], link: Link) -> T:
        """Connect first."""
        self._resolve(call, link.patience)
        link.connect()  # type: ignore[no-untyped-call]
        if self._primary and link.ask(call, "ROLE")[0] != b"master":
            link.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ReadOnlyError("READONLY It is a replica")
        return work(link)

    def _resolve(self, call: Call, patience: float) -> None:
        """Look the name up. Nothing can interrupt that, so one thread does it for all who wait."""
        found = self._found
        if found is None or found.is_set():
            found = Event()
            start_thread(partial(_look_up, *self.address, found), "jwt-store-lookup")
            self._found = found
        # Not joined: under gevent, a thread whose end several wait for may never seem to end.
        if not found.wait(min(call.remaining, patience)):
            raise TimeoutError("The name of the server was not found in time")

    def close(self) -> None:
        """Let go of the connections that are idle."""
        idle, self._idle = self._idle, []
        for link in idle:
            link.disconnect()  # type: ignore[no-untyped-call]


def _look_up(host: str, port: int, found: Event) -> None:
    try:
        with suppress(OSError, UnicodeError):  # who connects will hear of it
            socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    finally:
        found.set()


@dataclass(frozen=True)
class Target:
    """What a URI says.

    :ivar mode: ``""``, ``"sentinel"`` or ``"cluster"``
    :ivar addresses: the servers it names
    :ivar make: makes a connection to a Redis server, given its host and port
    :ivar ask: makes a connection to a Sentinel
    :ivar limit: connections to one server
    :ivar service: what Sentinels call the primary
    :ivar prefix: what the name of every key begins with
    """

    mode: str
    addresses: list[Address]
    make: Callable[..., Link] = field(repr=False)
    ask: Callable[..., Link] = field(repr=False)
    limit: int
    service: str
    prefix: str

    def route(self) -> Route:
        """Return the way to its servers. It does not connect yet."""
        return {"": Route, "sentinel": SentinelRoute, "cluster": ClusterRoute}[self.mode](self)


def parse(uri: str) -> Target:
    """Read a URI: see :class:`~.redis.RedisStore`.

    :raises ConfigurationError: if it cannot be read. The message has nothing of it: there is a password in it
    """
    try:
        target = _parse(uri)
        target.make(host="localhost", port=1)
        target.ask(host="localhost", port=1)
    except (ValueError, TypeError, redis.RedisError):
        raise ConfigurationError(
            "JWT_STORE_URI is no Redis URI that can be read: check its hosts, ports and options, and write the special "
            "characters of a password as %XX"
        ) from None
    return target


def _parse(uri: str) -> Target:
    parts = urlsplit(uri)
    _, _, mode = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    service, path = "", parts.path
    if mode == "sentinel":
        service, _, path = path.strip("/").partition("/")
    options = parse_url(f"redis://{user}{at}localhost/{path.strip('/')}?{parts.query}")  # type: ignore[no-untyped-call]
    tls = options.pop("ssl", "no").lower() in {"1", "true", "yes", "on"} or parts.scheme in {"rediss", "valkeys"}
    if tls:  # redis-py 5 does not check it by default, and any certificate of a public authority would do
        options.setdefault("ssl_check_hostname", options.get("ssl_cert_reqs") != "none")
    if (mode == "sentinel" and not service) or (mode == "cluster" and options.pop("db", 0) != 0):
        raise ValueError("A Sentinel URI names its service; a cluster has database 0 only")
    sentinel = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    prefix, limit = options.pop("prefix", "jwt:"), options.pop("max_connections", MAX_CONNECTIONS)
    common = {"socket_keepalive": True, **{name: options[name] for name in options if name not in _LOGIN}}
    login = {name: options[name] for name in options if name in _LOGIN}
    make = partial(TlsLink if tls else Link, **common)
    addresses = [_address(host, 26379 if mode == "sentinel" else 6379) for host in hosts.split(",")]
    return Target(mode, addresses, partial(make, **login), partial(make, **sentinel), limit, service, prefix)


#: Options of a server that are not those of its Sentinels.
_LOGIN = ("username", "password", "db", "client_name")


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    return unquote(parts.hostname or "localhost"), parts.port or port


class Route:
    """The way to one server."""

    def __init__(self, target: Target) -> None:
        self._server = Server(target.make, target.addresses[0], limit=target.limit)

    def server(self, call: Call, key: bytes) -> Server:  # noqa: ARG002  # there is one
        """Return the server that holds a key."""
        return self._server

    def primaries(self, call: Call) -> list[Server]:
        """Return all servers that hold keys."""
        return [self.server(call, b"")]

    def elsewhere(self, call: Call, server: Server, error: redis.ResponseError) -> tuple[Server, bool]:  # noqa: ARG002
        """Tell who carries out a command that a server refused, and whether it must be told to.

        :raises redis.ResponseError: the refusal, if nobody does
        """
        if _is_replica(error):
            server.close()  # its name may lead to another one by now
        raise error

    def lost(self, server: Server) -> bool:  # noqa: ARG002
        """Take note that a server was not reached, and tell whether another one may hold its keys."""
        return False

    def close(self) -> None:
        """Let go of all idle connections."""
        self._server.close()

    def ask(self, call: Call, key: bytes, *command: Any, once: bool = False) -> Any:
        """Send a command to the server that holds its key, and return the answer.

        :param once: whether it may not be sent again when a connection fails
        """
        server, told = self.server(call, key), False
        for _ in range(_HOPS):
            try:
                return server.run(call, partial(_ask, call, told, command), once=once)
            except redis.ResponseError as error:  # it was not carried out
                server, told = self.elsewhere(call, server, error)
            except OUTAGES as error:
                may_help = self.lost(server) and isinstance(error, redis.ConnectionError) and not once
                successor = self.server(call, key) if may_help else server
                if successor is server:
                    raise
                server, told = successor, False
        raise redis.ConnectionError("A command was sent from server to server")

    def ask_all(self, call: Call, commands: Sequence[Command]) -> list[Any]:
        """Send commands, each with its key as second word, and return the answers in the same order."""
        answers: list[Any] = [None] * len(commands)
        for server, positions in self._batches(call, commands):
            batch = [commands[position] for position in positions]
            found = server.run(call, lambda link, batch=batch: link.ask_all(call, batch))  # type: ignore[misc]
            for position, answer in zip(positions, found, strict=True):
                lost = isinstance(answer, redis.ResponseError)
                answers[position] = self.ask(call, commands[position][1], *commands[position]) if lost else answer
        return answers

    def _batches(self, call: Call, commands: Sequence[Command]) -> Iterable[tuple[Server, list[int]]]:
        by_server: dict[Server, list[int]] = {}
        for position, command in enumerate(commands):
            by_server.setdefault(self.server(call, command[1]), []).append(position)
        for server, positions in by_server.items():
            for start in range(0, len(positions), _BATCH):
                yield server, positions[start : start + _BATCH]


def _ask(call: Call, told: bool, command: Command, link: Link) -> Any:
    if told:
        link.ask(call, "ASKING")
    return link.ask(call, *command)


def _is_replica(error: redis.ResponseError) -> bool:
    # Redis 6 wraps what goes wrong within a script, so it is not always a class of its own.
    return isinstance(error, redis.ReadOnlyError) or "READONLY" in str(error) or "MASTERDOWN" in str(error)


def _first_answer(call: Call, servers: Sequence[Server], *command: Any) -> tuple[Server, Any]:
    """Ask one server after the other, each for its share of the time, and return who answered what."""
    error: BaseException = MasterNotFoundError()
    for position, server in enumerate(servers):
        share = call.remaining / (len(servers) - position)
        try:
            answer = server.run(call, partial(_ask, call, False, command), patience=share)
        except OUTAGES as failure:
            error = failure
        else:
            if answer:
                return server, answer
    raise error


class SentinelRoute(Route):
    """The way to the server that Sentinels say is the primary."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sentinels = [Server(target.ask, address, limit=target.limit) for address in target.addresses]
        self._primary: Server | None = None

    def server(self, call: Call, key: bytes) -> Server:  # noqa: ARG002  # there is one primary
        """Return the primary."""
        if self._primary is None:
            self._primary = self._discover(call)
        return self._primary

    def _discover(self, call: Call) -> Server:
        command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._target.service)
        sentinel, (host, port) = _first_answer(call, self._sentinels, *command)
        self._sentinels = sorted(self._sentinels, key=lambda each: each is not sentinel)  # who answers is asked first
        return Server(self._target.make, (host.decode(), int(port)), limit=self._target.limit, primary=True)

    def elsewhere(self, call: Call, server: Server, error: redis.ResponseError) -> tuple[Server, bool]:
        """After a failover, ask for the new primary."""
        if not _is_replica(error):
            raise error
        self.lost(server)
        successor = self.server(call, b"")
        if successor.address == server.address:
            raise error
        return successor, False

    def lost(self, server: Server) -> bool:
        """Ask for the primary again next time."""
        server.close()
        if self._primary is server:
            self._primary = None
        return True

    def close(self) -> None:
        """Let go of all idle connections."""
        for server in (*self._sentinels, self._primary):
            if server is not None:
                server.close()


class _Slots:
    """Which server of a cluster holds which slots."""

    def __init__(self, ranges: Iterable[tuple[int, int, Address]]) -> None:
        self._ranges = sorted(ranges)
        self._starts = [start for start, _, _ in self._ranges]
        self.moved: dict[int, Address] = {}
        self.read_at = time.monotonic()

    def address(self, slot: int) -> Address | None:
        if slot in self.moved:
            return self.moved[slot]
        position = bisect_right(self._starts, slot) - 1
        held = position >= 0 and slot <= self._ranges[position][1]
        return self._ranges[position][2] if held else None

    def addresses(self) -> list[Address]:
        return list(dict.fromkeys(address for _, _, address in self._ranges))


class ClusterRoute(Route):
    """The way to the primaries of a cluster."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seeds = target.addresses
        self._servers: dict[Address, Server] = {}
        self._slots: _Slots | None = None

    def _at(self, address: Address) -> Server:
        found = self._servers.get(address)
        if found is None:
            found = self._servers.setdefault(address, Server(self._target.make, address, limit=self._target.limit))
        return found

    def server(self, call: Call, key: bytes) -> Server:
        """Return the server that holds a key."""
        address = (self._slots or self._read(call)).address(key_slot(key))
        if address is None:
            self._doubt()
            raise redis.ConnectionError("No server holds this slot")
        return self._at(address)

    def primaries(self, call: Call) -> list[Server]:
        """Return all servers that hold slots."""
        return [self._at(address) for address in self._read(call).addresses()]

    def _read(self, call: Call) -> _Slots:
        """Ask who holds which slots: those who are known to be there first."""
        known = dict.fromkeys([*(self._slots.addresses() if self._slots else ()), *self._servers, *self._seeds])
        server, answer = _first_answer(call, [self._at(address) for address in known], "CLUSTER", "SLOTS")
        ranges = ((start, end, _endpoint(server, *primary[:2])) for start, end, primary, *_ in answer)
        self._slots = slots = _Slots(ranges)
        self._seeds = sorted(self._seeds, key=lambda address: address != server.address)
        for address in set(self._servers).difference(slots.addresses(), self._seeds):
            if gone := self._servers.pop(address, None):
                gone.close()
        return slots

    def elsewhere(self, call: Call, server: Server, error: redis.ResponseError) -> tuple[Server, bool]:
        """Go where a server of the cluster sends us."""
        kind, *words = str(error).split()
        moved, asked = isinstance(error, MovedError) or kind == "MOVED", isinstance(error, AskError) or kind == "ASK"
        if not moved and not asked:
            return super().elsewhere(call, server, error)
        slot, (host, _, port) = int([kind, *words][-2]), words[-1].rpartition(":")
        address = _endpoint(server, host.encode(), int(port))
        if moved and (slots := self._slots) is not None:
            slots.moved[slot] = address
            self._doubt()
        return self._at(address), not moved

    def lost(self, server: Server) -> bool:  # noqa: ARG002  # whichever it was
        """Another server may have taken over."""
        return self._doubt()

    def _doubt(self) -> bool:
        """Ask for the map again next time, if that is not too often."""
        slots = self._slots
        if slots is not None and time.monotonic() - slots.read_at < _CALM:
            return False
        self._slots = None
        return True

    def close(self) -> None:
        """Let go of all idle connections."""
        for server in tuple(self._servers.values()):
            server.close()


def _endpoint(server: Server, host: bytes | None, port: int) -> Address:
    """Return the address a server gave for one of its cluster: without a host, it means its own."""
    return host.decode() if host else server.address[0], port
