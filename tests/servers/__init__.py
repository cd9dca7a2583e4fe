"""Real servers for the tests. What is common to those that are one process, or one and its children: how it is
launched, paused and ended. It knows no protocol. No server outlives the process that started it.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

HOST = "127.0.0.1"
AnyServer = TypeVar("AnyServer", bound="Server")

#: Asks Linux to kill what it then becomes when the thread that started it ends. (A preexec_fn would do, and warns.)
_LAUNCH = """
import contextlib, ctypes, os, signal, sys
if uid := int(sys.argv[1]):
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
with contextlib.suppress(AttributeError):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
os.execv(sys.argv[2], sys.argv[2:])
"""


def free_port() -> int:
    """Return a port that is free just now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def program(name: str, *, package: str) -> str:
    """Return the path of a program of the system. Without it a test is skipped; in CI it fails."""
    found = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if found:
        return found
    missing = f"{name} is missing: apt-get install {package}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def eventually(look: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Wait until something is so, and fail if that takes too long."""
    ends = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends, f"Nothing after {seconds} seconds"
        time.sleep(0.02)


def unprivileged() -> int:
    """Return a user that a server may run as which refuses to be root; 0: the present one is as good."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else 0


def command(arguments: Sequence[str], user: int = 0) -> list[str]:
    """Return a command line that runs another as a user, and ends it with this thread."""
    return [sys.executable, "-S", "-E", "-c", _LAUNCH, str(user), *arguments]


#: The running test, unless it is marked ``server``; tests/conftest.py sets it.
unmarked_test: str | None = None


class Process:
    """A program that is launched, paused and ended, and its children with it."""

    #: How it is stopped in an orderly manner.
    orderly: int = signal.SIGTERM
    #: The user it runs as; 0: the present one.
    user: int = 0

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def _launch(self, arguments: Sequence[str], folder: Path, log: Path) -> None:
        """Run a command line in a folder. What it prints is added to a log."""
        assert unmarked_test is None, f"{unmarked_test} starts a server: add @pytest.mark.server"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command(arguments, self.user), stdout=file, stderr=file, stdin=subprocess.DEVNULL, cwd=folder
            )

    def stop(self) -> None:
        """Stop it as an administrator would."""
        self._end(self.orderly)

    def kill9(self) -> None:
        """Stop it as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        family = self._family(process.pid)
        _send(family, signal.SIGCONT)
        _send(family if how == signal.SIGKILL else family[:1], how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            _send(self._family(process.pid), signal.SIGKILL)
            process.wait()

    def pause(self) -> None:
        """Let it stand still: the kernel accepts connections, and the server does not answer."""
        assert self._process is not None
        family = self._family(self._process.pid)
        _send(family, signal.SIGSTOP)
        eventually(lambda: all(map(_stands_still, family)))

    def resume(self) -> None:
        """Let it continue."""
        assert self._process is not None
        _send(self._family(self._process.pid), signal.SIGCONT)

    def _family(self, pid: int) -> list[int]:
        """Return a process and its children, the parent first: a paused one makes no more."""
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            return [pid, *(each for child in children for each in self._family(int(child)))]
        return [pid]


class Server(Process, ABC):
    """A server of its own. Start it in the main thread. It may be stopped and started again; when it is left as a
    context manager its data is gone.
    """

    def __init__(self) -> None:
        super().__init__()
        # Not in a folder of pytest's: those are closed to other users.
        self._home = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self._home.chmod(0o755)
        self.folder = self._home / "data"
        self.port = free_port()
        atexit.register(self.destroy)

    def __enter__(self: AnyServer) -> AnyServer:
        self.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.destroy()

    def destroy(self) -> None:
        """End it immediately, and delete its data."""
        self.kill9()
        shutil.rmtree(self._home, ignore_errors=True)
        atexit.unregister(self.destroy)

    @abstractmethod
    def _prepare(self) -> None:
        """Make its data, the first time."""

    @abstractmethod
    def _arguments(self) -> list[str]:
        """Return its command line."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether it is ready."""

    def start(self) -> None:
        """Start it, with the data it has, and wait until it answers."""
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            if self.user:
                os.chown(self.folder, self.user, self.user)
            self._prepare()
        self._launch(self._arguments(), self.folder, self._log)
        eventually(self._is_up)

    @property
    def _log(self) -> Path:
        return self._home / "log"

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        return self._answers()

    def _run(self, *arguments: str) -> None:
        """Run a program to its end, as the user of the server."""
        done = subprocess.run(command(arguments, self.user), capture_output=True, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stderr.decode()


def _stands_still(pid: int) -> bool:
    """Tell whether all threads of a process have stopped: one that is busy in the kernel first ends what it does."""
    try:
        states = [each.read_text().rpartition(") ")[2][0] for each in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # it has ended, or a thread of it has
        return not Path(f"/proc/{pid}").exists()
    return set(states) <= set("TtZX")


def _send(pids: Sequence[int], what: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)
