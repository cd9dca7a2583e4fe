"""A real MariaDB for the tests: the one of the system (Debian: mariadb-server). It knows nothing of stores."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from . import HOST, Server, program

PASSWORD = "p@ss/word"
_QUOTED = "p%40ss%2Fword"


def _binary(name: str) -> str:
    return program(name, package="mariadb-server")


class MariaDB(Server):
    """A MariaDB of its own, with the database ``jwt``. It asks for a password.

    :param settings: of the server: ``innodb_flush_log_at_trx_commit="2"``
    """

    def __init__(self, **settings: str) -> None:
        super().__init__()
        self._settings = {
            "datadir": str(self.folder),
            "bind-address": HOST,
            "port": str(self.port),
            "socket": str(self.folder / "socket"),
            "pid-file": str(self.folder / "pid"),
            "user": getpass.getuser(),
            "innodb-buffer-pool-size": "16M",
            "innodb-log-file-size": "8M",
            **settings,
        }

    def _prepare(self) -> None:
        options = [f"--datadir={self.folder}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        self._run(_binary("mariadb-install-db"), "--no-defaults", *options, f"--user={getpass.getuser()}")
        script = (
            "CREATE DATABASE IF NOT EXISTS jwt CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;"
            f"CREATE USER IF NOT EXISTS jwt@'{HOST}' IDENTIFIED BY '{PASSWORD}';"
            f"GRANT ALL ON *.* TO jwt@'{HOST}';"
        )
        self._script.write_text(script.replace(";", ";\n"))

    @property
    def _script(self) -> Path:
        return self._home / "init.sql"

    def _arguments(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return [_binary("mariadbd"), "--no-defaults", f"--init-file={self._script}", "--skip-name-resolve", *settings]

    def _answers(self) -> bool:
        import pymysql  # type: ignore[import-untyped]  # it has no types

        try:
            self.ask("SELECT 1")
        except pymysql.Error:
            return False
        return True

    def url(self, database: str = "jwt", *, port: int | None = None) -> str:
        """Return what JWT_STORE_URI may be, through another port (of a proxy) if one is given."""
        return f"mysql+pymysql://jwt:{_QUOTED}@{HOST}:{port or self.port}/{database}"

    def ask(self, statement: str) -> list[Any]:
        """Carry out a statement, and return its rows."""
        import pymysql  # `make test` imports this module too, and does without the driver

        with (
            pymysql.connect(
                host=HOST, port=self.port, user="jwt", password=PASSWORD, database="jwt", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return list(cursor.fetchall())
