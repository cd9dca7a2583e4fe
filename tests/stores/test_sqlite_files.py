"""The files of an SQLite store can be read by their owner alone."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flask_jwt_extended import ConfigurationError
from flask_jwt_extended.stores import open_store

from ..axes import rotated

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes mean something else there")

#: Ways to name the file ``sessions.db`` of the current folder.
NAMES: dict[str, Callable[[Path], str]] = {
    "relative": lambda _folder: "sqlite:///sessions.db",
    "absolute": lambda folder: f"sqlite:///{folder}/sessions.db",
    "a driver": lambda _folder: "sqlite+pysqlite:///sessions.db",
    "an option": lambda _folder: "sqlite:///sessions.db?timeout=3",
    "a URI": lambda folder: f"sqlite:///file:{folder}/sessions.db?uri=true",
    "a relative URI": lambda _folder: "sqlite:///file:sessions.db?uri=true&mode=rwc",
    "a quoted URI": lambda folder: f"sqlite:///file:{folder}/sessions%252edb?uri=true",
    "a URI with a host": lambda folder: f"sqlite:///file://localhost{folder}/sessions.db?uri=true",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def umask(value: int) -> Iterator[None]:
    """Create files with a umask."""
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """The modes of the files while the store is open."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.is_file()}


def used(uri: str, folder: Path) -> dict[str, int]:
    """Use a store, and return the modes of its files meanwhile."""
    store = open_store(uri, 5.0)
    try:
        store.create()
        found = modes(folder)
    finally:
        store.close()
    return found


@rotated("name", NAMES, mask=[0, 0o022, 0o277])
def test_new_files_are_private(folder: Path, name: str, mask: int) -> None:
    """Also those of the write-ahead log, whatever the umask and however the file is named."""
    with umask(mask):
        found = used(NAMES[name](folder), folder)
    # SQLAlchemy 2.1 unquotes what 2.0 leaves to SQLite.
    assert {file.replace("%2e", ".") for file in found} == {"sessions.db", "sessions.db-wal", "sessions.db-shm"}
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o644, 0o660])
def test_a_mode_that_was_chosen_is_kept(folder: Path, mode: int) -> None:
    """A group may share the database. ``flask jwt check`` warns about it."""
    path = folder / "sessions.db"
    path.touch()
    path.chmod(mode)
    assert used("sqlite:///sessions.db", folder)["sessions.db"] == mode
    store = open_store("sqlite:///sessions.db", 5.0)
    assert "store_exposed" in [finding.code for finding in store.findings(time.time())]
    path.chmod(0o600)
    assert "store_exposed" not in [finding.code for finding in store.findings(time.time())]
    store.close()


def test_a_link_leads_to_a_private_file(folder: Path) -> None:
    """SQLite follows it, and so do we."""
    (folder / "data").mkdir()
    (folder / "sessions.db").symlink_to(folder / "data" / "real.db")
    used("sqlite:///sessions.db", folder)
    assert set(modes(folder / "data").values()) == {0o600}


def test_a_missing_folder_is_reported() -> None:
    """Nothing is created for a database that cannot be opened."""
    store = open_store("sqlite:///nowhere/sessions.db", 1.0)
    assert [finding.code for finding in store.findings(time.time())] == ["store_unreachable"]
    store.close()


@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_a_uri_that_does_not_create_the_file_does_not(folder: Path, mode: str) -> None:
    """``mode=ro`` and ``mode=rw`` are for files that exist."""
    store = open_store(f"sqlite:///file:sessions.db?uri=true&mode={mode}", 1.0)
    assert [finding.code for finding in store.findings(time.time())] == ["store_unreachable"]
    store.close()
    assert not (folder / "sessions.db").exists()


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_database_in_memory_makes_no_file(folder: Path, uri: str) -> None:
    """It is refused, and leaves nothing behind."""
    with pytest.raises(ConfigurationError, match="must name a file"):
        open_store(uri, 1.0)
    assert list(folder.iterdir()) == []
