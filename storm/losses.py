"""Crashes: what was acknowledged is written down, and looked for after the engine, or the writer, was killed.

It must not know which engine that was.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask_jwt_extended.exceptions import StoreUnavailableError
from flask_jwt_extended.stores.base import SessionStore
from flask_jwt_extended.stores.records import SessionRecord

from .application import Answer, Client
from .crowd import Crowd, Member

#: The file whose presence tells writers to stop.
_STOP = "stop"
#: Refreshes of each session before the next is started.
_REFRESHES = 2


# --- writing --------------------------------------------------------------------------------------------------------


def begin_writing(crowd: Crowd, folder: Path) -> None:
    """Let everybody start, refresh and end sessions at full speed, and write down in a folder what was acknowledged.

    What they return is how often which status was answered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _STOP).unlink(missing_ok=True)
    begun = len(list(folder.iterdir()))
    crowd.begin([(write, str(folder / f"{begun + number}.journal")) for number in range(crowd.size)])


def stop_writing(folder: Path) -> None:
    """Tell writers to stop."""
    (folder / _STOP).touch()


def write(member: Member, journal: str) -> Counter[int]:
    """Start, refresh and end sessions until told to stop, and return how often which status was answered."""
    statuses: Counter[int] = Counter()
    stop = Path(journal).with_name(_STOP)
    with open(journal, "ab", buffering=0) as file:  # the kernel has each line, whatever becomes of this process
        number = 0
        while not stop.exists():
            number += 1
            _one_session(member.client, _Journal(file.write, statuses), ends=number % 2 == 0)
    return statuses


@dataclass(frozen=True)
class _Journal:
    write: Callable[[bytes], Any]
    statuses: Counter[int]

    def note(self, **entry: Any) -> None:
        self.write(json.dumps(entry).encode() + b"\n")

    def heard(self, answer: Answer) -> bool:
        self.statuses[answer.status] += 1
        if answer.status != 200:
            time.sleep(0.01)  # the engine is down: do not spin
        return answer.status == 200


def _one_session(client: Client, journal: _Journal, *, ends: bool) -> None:
    """Take a session through its life, as far as it is acknowledged."""
    pair = client.login()
    if not journal.heard(pair):
        return
    journal.note(sid=pair.session_id, state=pair.jti)
    for _ in range(_REFRESHES):
        journal.note(sid=pair.session_id, tries="refresh")
        pair = client.refresh(pair.refresh)
        if not journal.heard(pair):
            return
        journal.note(sid=pair.session_id, state=pair.jti)
    if ends:
        journal.note(sid=pair.session_id, tries="end")
        if journal.heard(client.logout(pair.access)):
            journal.note(sid=pair.session_id, state=None)


# --- looking --------------------------------------------------------------------------------------------------------


@dataclass
class Story:
    """What was acknowledged of a session, in order.

    :ivar states: the ``jti`` of its refresh token after each write; ``None``: it was ended
    :ivar tries: what was tried last and not acknowledged: it may have been done or not
    """

    states: list[str | None] = field(default_factory=list)
    tries: str | None = None

    def tell(self, entry: dict[str, Any]) -> None:
        """Add a line of a journal."""
        self.tries = entry.get("tries")
        if "state" in entry:
            self.states.append(entry["state"])

    def lost(self, record: SessionRecord | None) -> int:
        """Count the acknowledged writes that a record knows nothing of."""
        if record is None:
            return 0 if self.states[-1] is None or self.tries == "end" else len(self.states)
        last = self.states[-1]
        if record.current.jti == last or (self.tries == "refresh" and record.previous_jti == last):
            return 0
        if record.current.jti in self.states:
            return len(self.states) - 1 - self.states.index(record.current.jti)
        return len(self.states)


@dataclass(frozen=True)
class Losses:
    """What was looked for.

    :ivar acknowledged: writes that were acknowledged: starts, refreshes, ends
    :ivar lost: those that are not found
    """

    acknowledged: int
    lost: int


def look_for(member: Member, folder: Path) -> Losses:
    """Look for everything that the journals of a folder say was acknowledged."""
    stories, store = read(folder), member.client.store
    lost = sum(story.lost(_patiently(store, session_id)) for session_id, story in stories.items())
    return Losses(sum(len(story.states) for story in stories.values()), lost)


def _patiently(store: SessionStore, session_id: str) -> SessionRecord | None:
    for _ in range(100):
        with suppress(StoreUnavailableError):
            return store.get(session_id)
        time.sleep(0.1)
    raise AssertionError("The store does not recover")


def read(folder: Path) -> dict[str, Story]:
    """Read the journals of a folder, by session."""
    stories: dict[str, Story] = {}
    for file in folder.glob("*.journal"):
        for entry in _entries(file):
            stories.setdefault(entry["sid"], Story()).tell(entry)
    return stories


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_bytes().split(b"\n"):
        with suppress(ValueError):  # the last may have been cut off
            yield json.loads(line)
