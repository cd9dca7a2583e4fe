"""A TCP proxy between a client and a server that fails in the ways that networks fail, switched while it runs.

It knows no protocol: bytes go in and out.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from contextlib import suppress
from threading import Condition, Thread
from typing import Literal

Kind = Literal["pass", "refuse", "hang", "reset", "drip", "latency"]

#: SO_LINGER of zero seconds: closing sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """A proxy on a port of its own, in threads that end with it.

    :param port: of the server
    :param context: set: it speaks TLS to clients, and plainly to the server
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self._server = (host, port)
        self._context = context
        self._changed = Condition()
        self._kind: Kind = "pass"
        self._amount = 0.0
        self._once = False
        self._switches = 0
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self._threads: list[Thread] = []
        #: Connections that were accepted so far.
        self.connections = 0
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    # What it does ----------------------------------------------------------------------------------------------------

    def pass_on(self) -> None:
        """Forward everything, the bytes that were held back first."""
        self._switch("pass")

    def refuse(self) -> None:
        """Close the port, and reset every connection."""
        self._switch("refuse")
        self._stop_listening()
        self.reset_connections()

    def hang(self) -> None:
        """Accept, and say nothing: not on connections that exist either."""
        self._switch("hang")

    def reset_after(self, count: int, *, once: bool = False) -> None:
        """Forward this many bytes of what the server answers from now on, on each connection, then reset it.

        :param once: whether this happens to one connection, and all is well after that
        """
        self._switch("reset", count)
        self._once = once

    def drip(self, seconds: float) -> None:
        """Forward answers one byte at a time, and wait this long before each."""
        self._switch("drip", seconds)

    def delay(self, seconds: float) -> None:
        """Forward answers this much later."""
        self._switch("latency", seconds)

    def reset_connections(self) -> None:
        """Reset the connections that exist."""
        for each in tuple(self._sockets):
            self._drop(each, reset=True)

    def close(self) -> None:
        """End all connections and wait for the threads."""
        self._closed = True
        self._switch("pass")
        self._stop_listening()
        self.reset_connections()
        for thread in self._threads:
            thread.join(5)

    # How -------------------------------------------------------------------------------------------------------------

    def _switch(self, kind: Kind, amount: float = 0.0) -> None:
        with self._changed:
            self._kind, self._amount = kind, amount
            self._switches += 1
            self._changed.notify_all()
        if kind != "refuse" and not self._closed and self._listener.fileno() < 0:
            self._listener = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._start(self._accept, listener)
        return listener

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads = [*(each for each in self._threads if each.is_alive()), thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                self._sockets.add(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        try:
            self._hold()
            server = self._connect()
        except OSError:
            self._drop(client, reset=True)
            return
        try:
            if self._context is not None:
                client.getpeername()  # Python would not close the new socket if the connection were reset already
                self._sockets.discard(client)
                client = self._context.wrap_socket(client, server_side=True)
                self._sockets.add(client)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:  # the client may be gone
            self._drop(client, reset=True)
            self._drop(server, reset=True)
            return
        self._start(self._pump, client, server, False)
        self._pump(server, client, True)

    def _connect(self) -> socket.socket:
        server = socket.create_connection(self._server)
        self._sockets.add(server)
        if self._closed:  # and those that existed are reset
            self._drop(server, reset=True)
            raise ConnectionAbortedError
        return server

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        """Carry what one side says to the other."""
        said, since = 0, -1
        try:
            while data := source.recv(65536):
                self._hold()
                if since != self._switches:
                    said, since = 0, self._switches
                said += len(data)
                if answers and self._kind == "reset" and said >= self._amount:
                    target.sendall(data[: len(data) - int(said - self._amount)])
                    time.sleep(0.01)  # a reset overtakes what is under way
                    if self._once:
                        self.pass_on()
                    self._drop(target, reset=True)
                    break
                self._send(target, data, answers)
        except OSError:
            pass
        self._drop(source)
        self._drop(target)

    def _send(self, target: socket.socket, data: bytes, answers: bool) -> None:
        if answers and self._kind == "latency":
            self._wait(self._amount)
        while answers and self._kind == "drip" and data:
            self._wait(self._amount)
            target.sendall(data[:1])
            data = data[1:]
        self._hold()
        target.sendall(data)

    def _hold(self) -> None:
        with self._changed:
            while self._kind == "hang":
                self._changed.wait()
        if self._closed:
            raise ConnectionAbortedError

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(seconds)
        if self._closed:
            raise ConnectionAbortedError

    def _drop(self, each: socket.socket, *, reset: bool = False) -> None:
        self._sockets.discard(each)
        with suppress(OSError):
            if reset:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        if reset:
            self._close_waking(each)
        else:
            each.close()

    @staticmethod
    def _close_waking(each: socket.socket) -> None:
        """Close with RST, and wake a thread that reads: closing alone does not."""
        with suppress(OSError):
            socket.socket.shutdown(each, socket.SHUT_RD)
        each.close()
