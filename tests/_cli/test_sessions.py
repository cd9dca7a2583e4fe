"""``flask jwt sessions`` as it is typed: over every store in this process, over SQLite as a process of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import Result
from flask import Flask

from flask_jwt_extended import start_session
from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.signals import session_ended
from flask_jwt_extended.stores import open_store
from flask_jwt_extended.stores.base import MARGIN, SessionStore
from flask_jwt_extended.stores.memory import MemoryStore
from flask_jwt_extended.stores.records import NEVER, SessionRecord, digest
from flask_jwt_extended.testing.store_contract import new_session

from .._diagnostics.test_token import claims_at_now
from ..axes import rotated
from ..conftest import SECRET, MakeApp, bearer
from ..tokens import genuine
from .helpers import HEAD, HOSTILE, run, run_flask, run_module, write

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ["list"],
    ["list", "ada"],
    ["list", "--json"],
    ["end", "some-session"],
    ["end-all", "ada", "--yes"],
    ["end-all", "--all-identities", "--yes", "--json"],
    ["init"],
    ["prune"],
    ["prune", "--dry-run"],
    ["stats"],
]


@pytest.fixture
def shop(make_app: MakeApp, store: SessionStore) -> Flask:
    """An application with a store of each kind."""
    return make_app(PROFILE="strict", STORE_URI=store)


@pytest.fixture
def jwt_db(tmp_path: Path) -> Iterator[SessionStore]:
    """The database of the application that :func:`sqlite_shop` wrote."""
    store = open_store(f"sqlite:///{tmp_path / 'jwt.db'}", 10.0)
    yield store
    store.close()


def sqlite_shop(folder: Path, store_uri: str = "sqlite:///jwt.db") -> str:
    """Write the module of an application with a store, and return its name."""
    options = {"JWT_PROFILE": "strict", "JWT_SECRET_KEY": SECRET, "JWT_STORE_URI": store_uri}
    return write(folder, f"{HEAD}\napp = Flask(__name__)\napp.config.update({options!r})\nJWTManager(app)\n")


def sessions(app: Flask, *arguments: str, **options: Any) -> Result:
    return run(app, "sessions", *arguments, **options)


def as_json(app: Flask, *arguments: str) -> Any:
    result = sessions(app, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def first_column(result: Result) -> list[str]:
    return [line.split()[0] for line in result.stdout.splitlines()[1:]]


def keep(store: SessionStore, **changes: Any) -> str:
    """Add a session to a store, and return its ID."""
    record = new_session(**changes)
    store.add(record)
    return record.session_id


def ended_long_ago(store: SessionStore, number: int) -> set[str]:
    deadline = time.time() - MARGIN - 60
    return {keep(store, deadline=deadline) for _ in range(number)}


# --- list -----------------------------------------------------------------------------------------------------------


def test_list_shows_every_active_session(shop: Flask, store: SessionStore) -> None:
    """One line each, below the names of the columns. Expired sessions are left out."""
    names = {keep(store, identity=identity) for identity in ("ada", "bob", "bob")}
    keep(store, deadline=time.time() - 1)
    assert sessions(shop, "list").stdout.startswith("session ")
    assert set(first_column(sessions(shop, "list"))) == names


def test_list_of_an_identity_has_the_newest_first(shop: Flask, store: SessionStore) -> None:
    """Sessions of other identities are left out, even of similar ones."""
    now = time.time()
    ages = (300, 100, 200)
    names = {age: keep(store, identity="ada", created_at=now - age) for age in ages}
    keep(store, identity="Ada")
    keep(store, identity="ada ")
    assert first_column(sessions(shop, "list", "ada")) == [names[age] for age in sorted(ages)]
    assert [each["session_id"] for each in as_json(shop, "list", "ada")] == [names[age] for age in sorted(ages)]
    assert as_json(shop, "list", "nobody") == []
    assert len(sessions(shop, "list", "nobody").stdout.splitlines()) == 1


def test_a_row_says_who_when_and_where_from(shop: Flask, store: SessionStore) -> None:
    """Times to the minute, the beginning of the user agent, and a dash for unknown values."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    times = {"created_at": 1_700_000_000.9, "refreshed_at": 1_700_000_060.0, "deadline": 4_000_000_000.0}
    keep(store, identity="ada", label="laptop", user_agent=agent, address="192.0.2.7", **times)
    assert re.split("  +", sessions(shop, "list", "ada").stdout.splitlines()[1])[1:] == [
        "ada",
        "laptop",
        "2023-11-14 22:13",
        "2023-11-14 22:14",
        "2096-10-02 07:06",
        "192.0.2.7",
        "Mozilla/5.0 (X11; Linux x86_6...",
    ]
    keep(store, identity="bob", label=None, user_agent=None, address=None, deadline=NEVER)
    row = sessions(shop, "list", "bob").stdout.splitlines()[1].split()
    assert (row[2], row[7], row[8:]) == ("-", "never", ["-", "-"])


def test_list_as_json_has_times_that_jq_understands(shop: Flask, store: SessionStore) -> None:
    """ISO 8601 in UTC without fractions; ``null`` for a session that never expires."""
    keep(
        store, session_id="abc", identity="ada", created_at=1_700_000_000.9, deadline=NEVER, refreshed_at=1_700_000_001
    )
    assert as_json(shop, "list") == [
        {
            "session_id": "abc",
            "identity": "ada",
            "label": "laptop",
            "user_agent": "Mozilla/5.0",
            "address": "192.0.2.1",
            "created_at": "2023-11-14T22:13:20Z",
            "last_refreshed_at": "2023-11-14T22:13:21Z",
            "expires_at": None,
        }
    ]


@pytest.mark.parametrize("number", [0, 1, 2, 130])
def test_list_as_json_is_a_list_of_any_length(shop: Flask, store: SessionStore, number: int) -> None:
    """None, some, and more than fit a page of the table."""
    names = {keep(store) for _ in range(number)}
    assert {each["session_id"] for each in as_json(shop, "list")} == names
    assert set(first_column(sessions(shop, "list"))) == names
    assert len(as_json(shop, "list", "--limit", "2")) == min(number, 2)
    assert len(first_column(sessions(shop, "list", "alice", "--limit", "1"))) == min(number, 1)


def test_nothing_of_a_client_reaches_the_terminal_raw(shop: Flask, store: SessionStore) -> None:
    """What a client sent at its login is escaped, and the signature of a token in a label is masked."""
    token = genuine(claims_at_now())
    keep(store, label=HOSTILE, user_agent=HOSTILE, address=HOSTILE, identity=HOSTILE)
    keep(store, label=token, user_agent=f"{token} x", address=token, identity=[token])
    for arguments in (["list"], ["list", "--json"]):
        output = sessions(shop, *arguments).output
        assert [each for each in output if each != "\n" and not " " <= each <= "~"] == []
        assert token.rpartition(".")[2] not in output
    assert HOSTILE in [each["label"] for each in as_json(shop, "list")]


def test_long_text_does_not_move_the_columns(shop: Flask, store: SessionStore) -> None:
    """It is shortened in the table, and complete in JSON."""
    keep(store, identity="i" * 200, label="l" * 200, user_agent="u" * 200)
    assert len(sessions(shop, "list").stdout.splitlines()[1]) < 220
    (found,) = as_json(shop, "list")
    assert (found["identity"], found["label"], found["user_agent"]) == ("i" * 200, "l" * 200, "u" * 200)


class Endless(MemoryStore):
    """A store with 100,000 sessions that counts how many were read."""

    given = 0

    def sessions(self) -> Iterator[SessionRecord]:
        while self.given < 100_000:
            self.given += 1
            yield new_session()


@pytest.mark.parametrize("arguments", [["list", "--limit", "3"], ["list", "--limit", "3", "--json"]])
def test_list_reads_no_more_than_it_shows(make_app: MakeApp, arguments: list[str]) -> None:
    """Sessions are printed while they are read, so a million of them need little memory."""
    store = Endless()
    assert sessions(make_app(STORE_URI=store), *arguments).exit_code == 0
    assert store.given <= 4


def refuse(*_arguments: object) -> Any:
    raise StoreUnavailableError("ConnectionRefusedError")


class Absent(MemoryStore):
    """A store that never responds."""

    _refuse: Any = refuse
    create = get = sessions_of = sessions = prune = stats = _refuse


class Failing(MemoryStore):
    """A store that fails after its first session."""

    def sessions(self) -> Iterator[SessionRecord]:
        yield new_session()
        raise StoreUnavailableError("ConnectionResetError")


def test_an_incomplete_list_is_not_closed(make_app: MakeApp) -> None:
    """If the store fails on the way, the output is not valid JSON and the exit status is 1."""
    result = sessions(make_app(STORE_URI=Failing()), "list", "--json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: The session store is unavailable: ConnectionResetError"
    with pytest.raises(json.JSONDecodeError):
        json.loads(result.stdout)


# --- end ------------------------------------------------------------------------------------------------------------


def test_the_tokens_of_an_ended_session_are_refused(shop: Flask) -> None:
    """The cause in the signal is "operator"."""
    with shop.test_request_context():
        pair, other = start_session("ada"), start_session("ada")
    received: list[dict[str, Any]] = []

    def listen(_sender: Flask, **payload: Any) -> None:
        received.append(payload)

    with session_ended.connected_to(listen, shop):
        result = sessions(shop, "end", pair.session_id)
    assert (result.exit_code, result.stdout) == (0, f"ended: {pair.session_id}\n")
    assert received == [{"session_id": pair.session_id, "identity": "ada", "cause": "operator"}]
    client = shop.test_client()
    assert client.get("/access", headers=bearer(pair.access_token)).status_code == 401
    assert client.get("/refresh", headers=bearer(pair.refresh_token)).status_code == 401
    assert client.get("/access", headers=bearer(other.access_token)).status_code == 200


def test_an_unknown_session_makes_the_exit_status_one(shop: Flask, store: SessionStore) -> None:
    """The others are ended anyway."""
    first, second = keep(store), keep(store)
    result = sessions(shop, "end", first, "no-such", second)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [f"ended: {first}", "not found: no-such", f"ended: {second}"]
    result = sessions(shop, "end", first, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"ended": [], "not_found": [first]}
    assert sessions(shop, "end").exit_code == 2


def test_hostile_session_ids_are_not_found(shop: Flask) -> None:
    """They are printed escaped."""
    result = sessions(shop, "end", "\x1b[31m", "' OR '1'='1", "*")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["not found: \\x1b[31m", "not found: ' OR '1'='1", "not found: *"]


def test_end_all_ends_those_of_one_identity(shop: Flask, store: SessionStore) -> None:
    """Sessions of other identities stay active, and each ended session is signalled."""
    names = {keep(store, identity="ada") for _ in range(3)}
    others = {keep(store, identity=identity) for identity in ("Ada", "bob")}
    received: list[tuple[str, str]] = []

    def listen(_sender: Flask, session_id: str, cause: str, **_payload: Any) -> None:
        received.append((session_id, cause))

    with session_ended.connected_to(listen, shop):
        assert sessions(shop, "end-all", "ada", "--yes").stdout == "3 sessions ended\n"
    assert set(received) == {(name, "operator") for name in names}
    assert {record.session_id for record in store.sessions()} == others
    assert as_json(shop, "end-all", "ada", "--yes") == {"ended": 0}
    assert sessions(shop, "end-all", "bob", "--yes").stdout == "1 session ended\n"


def test_end_all_of_all_identities_leaves_nothing(shop: Flask, store: SessionStore) -> None:
    """Expired sessions are removed too, but not counted."""
    for number in range(7):
        keep(store, identity=str(number))
    keep(store, deadline=time.time() - 1)
    assert as_json(shop, "end-all", "--all-identities", "--yes") == {"ended": 7}
    assert list(store.sessions()) == []


@rotated("answer", ["n\n", "\n", ""], whom=[["ada"], ["--all-identities"]])
def test_end_all_asks_for_confirmation(shop: Flask, store: SessionStore, whom: list[str], answer: str) -> None:
    """Nothing is ended without a yes."""
    keep(store, identity="ada")
    result = sessions(shop, "end-all", *whom, "--json", input=answer)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "[y/N]" in result.stderr
    assert len(list(store.sessions())) == 1
    assert json.loads(sessions(shop, "end-all", *whom, "--json", input="y\n").stdout) == {"ended": 1}


@pytest.mark.parametrize("arguments", [[], ["ada", "--all-identities"], ["nonsense", "--literal"]])
def test_end_all_needs_an_identity_or_the_option(shop: Flask, store: SessionStore, arguments: list[str]) -> None:
    """Neither an identity nor --all-identities, or both, is wrong usage."""
    keep(store, identity="ada")
    assert sessions(shop, "end-all", "--yes", *arguments).exit_code == 2
    assert len(list(store.sessions())) == 1


@pytest.mark.parametrize(("identity", "typed"), [(5, "5"), ({"tenant": 1}, '{"tenant": 1}'), (None, "null")])
def test_an_identity_that_is_not_a_string_is_given_as_json(
    shop: Flask, store: SessionStore, identity: Any, typed: str
) -> None:
    """The number 5 and the string "5" are two identities."""
    name, other = keep(store, identity=identity), keep(store, identity=typed)
    assert first_column(sessions(shop, "list", typed)) == [other]
    assert first_column(sessions(shop, "list", typed, "--literal")) == [name]
    assert as_json(shop, "end-all", typed, "--literal", "--yes") == {"ended": 1}
    assert [record.session_id for record in store.sessions()] == [other]


# --- the store ------------------------------------------------------------------------------------------------------


def test_stats_count_the_records(shop: Flask, store: SessionStore) -> None:
    """Sessions, revoked tokens, and how many of both can be pruned."""
    keep(store)
    ended_long_ago(store, 2)
    store.revoke(digest("a"), time.time() + 60, None)
    assert as_json(shop, "stats") == store.stats(time.time())._asdict()
    lines = sessions(shop, "stats").stdout.splitlines()
    assert [line.rsplit(maxsplit=1)[0] for line in lines] == ["sessions", "revoked tokens", "prunable"]


def test_prune_removes_expired_records(make_app: MakeApp) -> None:
    """In batches, until nothing is left to remove. A dry run only counts."""
    store = Batches()
    app = make_app(STORE_URI=store)
    names = {keep(store), keep(store, deadline=time.time() - 60)}
    ended_long_ago(store, 7)
    assert as_json(app, "prune", "--dry-run") == {"prunable": 7}
    assert sessions(app, "prune", "--dry-run").stdout == "7 records to remove\n"
    assert store.batches == []
    assert sessions(app, "prune", "--batch", "3").stdout == "7 records removed\n"
    assert store.batches == [3, 3, 3, 3]
    assert {record.session_id for record in store.sessions()} == names
    assert as_json(app, "prune") == {"removed": 0}
    assert sessions(app, "prune", "--batch", "0").exit_code == 2


class Batches(MemoryStore):
    """A store that records the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def prune(self, now: float, limit: int) -> int:
        self.batches.append(limit)
        return super().prune(now, limit)


def test_a_store_in_memory_comes_with_a_remark(make_app: MakeApp) -> None:
    """A remark explains why the counts are zero."""
    result = sessions(make_app(STORE_URI="memory://"), "stats", "--json")
    assert json.loads(result.stdout) == {"sessions": 0, "revoked_tokens": 0, "prunable": 0}
    assert "cannot see those of other processes" in result.stderr


def test_the_store_is_closed_when_a_command_ends(make_app: MakeApp) -> None:
    """Also when the command fails."""

    class Closed(Absent):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    app = make_app(STORE_URI=(store := Closed()))
    run(app, "check")
    sessions(app, "stats")
    assert store.closed == 2


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_a_store_every_command_says_which_option_is_missing(app: Flask, arguments: list[str]) -> None:
    """In one line, with the exit status 1."""
    result = sessions(app, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == 'Error: Sessions need a store: set JWT_STORE_URI, for example to "sqlite:///jwt.db"\n'


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_store_that_does_not_answer_ends_in_one_line(make_app: MakeApp, arguments: list[str]) -> None:
    """No command ends in a traceback or reports success."""
    result = sessions(make_app(STORE_URI=Absent()), *arguments)
    assert (result.exit_code, result.stdout.strip("[ \n")) == (1, "")
    assert result.stderr.splitlines()[1:] == ["Error: The session store is unavailable: ConnectionRefusedError"]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections during the test."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("scheme", [pytest.param("postgresql", marks=pytest.mark.server), "redis"])
@pytest.mark.parametrize("arguments", [["sessions", each[0], *each[1:]] for each in COMMANDS] + [["check"], ["config"]])
def test_the_password_of_a_store_is_never_printed(
    make_app: MakeApp, closed_port: int, scheme: str, arguments: list[str]
) -> None:
    """The error only says that the store is unavailable."""
    app = make_app(STORE_URI=f"{scheme}://shop:tiger@127.0.0.1:{closed_port}/0", STORE_TIMEOUT=0.5)
    result = run(app, *arguments)
    assert "tiger" not in result.output
    if arguments[0] == "sessions":
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: The session store is unavailable: ")
        assert len(result.stderr.splitlines()) == 1
    if arguments[0] == "check":
        assert result.exit_code == 1
        assert "[store_unreachable]" in result.stdout


# --- as a process ---------------------------------------------------------------------------------------------------


def test_an_operator_at_work(tmp_path: Path, jwt_db: SessionStore, make_app: MakeApp) -> None:
    """Every command on one SQLite database. The first and the last run in other processes."""
    sqlite_shop(tmp_path)
    assert printed_by_process(tmp_path, "init") == {"ready": True}
    assert (tmp_path / "jwt.db").exists()
    app = make_app(STORE_URI=f"sqlite:///{tmp_path / 'jwt.db'}")
    assert sessions(app, "init").stdout == "The store is ready\n"
    ada, bob = (keep(jwt_db, identity=name) for name in ("ada", "bob"))
    ended_long_ago(jwt_db, 3)
    assert {each["session_id"] for each in as_json(app, "list")} == {ada, bob}
    assert as_json(app, "prune", "--batch", "2") == {"removed": 3}
    assert as_json(app, "end", ada) == {"ended": [ada], "not_found": []}
    assert as_json(app, "stats") == {"sessions": 1, "revoked_tokens": 0, "prunable": 0}
    assert printed_by_process(tmp_path, "end-all", "--all-identities", "--yes") == {"ended": 1}
    assert list(jwt_db.sessions()) == []


def printed_by_process(folder: Path, *arguments: str) -> Any:
    """The JSON that ``flask --app shop jwt sessions`` prints, without a ResourceWarning."""
    command = ("--app", "shop", "jwt", "sessions", *arguments, "--json")
    done = run_flask(folder, *command, PYTHONWARNINGS="always::ResourceWarning")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_a_reader_that_stops_early_is_not_an_error(tmp_path: Path, jwt_db: SessionStore) -> None:
    """``flask jwt sessions list | head -1`` ends without a traceback, although much is left to write."""
    sqlite_shop(tmp_path)
    for _ in range(40):
        keep(jwt_db, user_agent="x" * 5000)
    command = f"{sys.executable} -m flask --app shop jwt sessions list --json | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_prune_shows_its_progress_on_a_terminal(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, so that standard output stays JSON."""
    app = make_app(STORE_URI=(store := MemoryStore()))
    ended_long_ago(store, 25)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys.modules["flask_jwt_extended._cli.sessions"], "sys", SimpleNamespace(stderr=terminal))
        result = sessions(app, "prune", "--batch", "5", "--json")
        shown = ""
        while "100%" not in shown and select.select([ours], [], [], 5)[0]:  # it may come in several pieces
            shown += os.read(ours, 100_000).decode()
    os.close(ours)
    assert json.loads(result.stdout) == {"removed": 25}
    assert "Removing" in shown
    assert "100%" in shown


@pytest.mark.parametrize(
    ("scheme", "module", "extra", "arguments"),
    [("sqlite", "sqlalchemy", "sql", ["sessions", "stats"]), ("redis", "redis", "redis", ["check"])],
)
def test_a_missing_extra_is_named(tmp_path: Path, scheme: str, module: str, extra: str, arguments: list[str]) -> None:
    """The application cannot be loaded, and one line says what to install."""
    sqlite_shop(tmp_path, f"{scheme}:///jwt.db")
    (tmp_path / "shop.py").write_text(
        f"import sys\nsys.modules[{module!r}] = None\n{(tmp_path / 'shop.py').read_text()}"
    )
    done = run_flask(tmp_path, "--app", "shop", "jwt", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert f"pip install 'flask-jwt-extended[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("uri", ["postgresql://shop:tiger@db:port/x", "mysql://shop:tiger@[db/x", "oracle-of://tiger"])
def test_an_invalid_uri_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """It contains a password, and its parts are ambiguous."""
    sqlite_shop(tmp_path, uri)
    result = run_module(monkeypatch, tmp_path, "sessions", "stats")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "tiger" not in result.output
    assert len(result.stderr.splitlines()) == 1


# --- as documented --------------------------------------------------------------------------------------------------

DOCUMENTED_AT = 1_795_465_800.0  # 2026-11-23 20:30 UTC
DAY = 86_400


def documented_sessions(store: SessionStore) -> None:
    """Add the sessions of docs/cli.md to a store."""
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
Version/18.1 Mobile/15E148 Safari/604.1"
    known: tuple[tuple[str, str, str | None, str, str, float], ...] = (
        ("51bc9c2e-94a5-4d52-8a80-1b3c3bc37a4b", "ada", "laptop", firefox, "192.0.2.14", 9.2),
        ("8a4a9f0e-40ad-4a36-b1ac-0d6e0f7c4d29", "ada", "phone", safari, "198.51.100.7", 2.5),
        ("c7d5a1f2-6a0c-4d0b-9a43-5f1f4b7d8e60", "bob", None, "curl/8.14.1", "192.0.2.66", 0.1),
        ("ee0b6d1c-2c58-4b9e-8f5e-7a1d3c9b2f04", "eve", None, "curl/8.14.1", "192.0.2.66", 60),
        ("f3a8c5d7-1e2b-4f60-9c8d-b4e7a6d5c3f1", "eve", None, "curl/8.14.1", "192.0.2.66", 70),
    )
    for session_id, identity, label, agent, address, age in known:
        started = DOCUMENTED_AT - age * DAY
        refreshed = started + age * DAY / 3
        whose = {"identity": identity, "label": label, "user_agent": agent, "address": address}
        times = {"created_at": started, "refreshed_at": refreshed, "deadline": refreshed + 30 * DAY}
        keep(store, session_id=session_id, **whose, **times)
    store.revoke(digest("a token"), DOCUMENTED_AT + 600, None)


def documented_runs() -> list[tuple[list[str], str]]:
    """The commands for sessions in docs/cli.md, except pipelines, each with its output."""
    page = (ROOT / "docs" / "cli.md").read_text().split("## `flask jwt sessions`\n")[1]
    blocks = "".join(block.split("```")[0] for block in page.split("```console\n")[1:])
    runs = (each.partition("\n") for each in blocks.split("$ flask --app shop jwt sessions ")[1:])
    return [(shlex.split(command), output) for command, _, output in runs if "|" not in command]


def test_the_documentation_shows_what_is_printed(make_app: MakeApp, jwt_db: SessionStore) -> None:
    """Each command of docs/cli.md, in the order of the page, on the same day."""
    app = make_app(STORE_URI=jwt_db)
    documented_sessions(jwt_db)
    runs = documented_runs()
    with patch("time.time", return_value=DOCUMENTED_AT):
        assert [(command, sessions(app, *command).stdout) for command, _ in runs] == runs
    assert {command[0] for command, _ in runs} == {"list", "end", "end-all", "init", "stats", "prune"}
