"""Outages: the engine hangs, or is killed and started again, while an application keeps sending requests.

It must not know which engine that is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .application import Answer
from .crowd import Crowd, Member, everybody

#: Times that each member asks while the engine hangs: with a connection that worked before, and with new ones.
_TIMES = 3
#: Seconds between two looks at whether it works again.
_PAUSE = 0.005


class Server(Protocol):
    """An engine that can be hurt. As a context manager it runs within.

    :ivar folder: where its data is
    """

    folder: Path

    def __enter__(self) -> Server: ...

    def __exit__(self, *unused: object) -> None: ...

    def url(self) -> str:
        """Return what JWT_STORE_URI may be."""
        ...

    def start(self) -> None:
        """Start it, and wait until it answers."""
        ...

    def stop(self) -> None:
        """Stop it for good."""
        ...

    def kill9(self) -> None:
        """Stop it as a crash would."""
        ...

    def pause(self) -> None:
        """Let it stand still."""
        ...

    def resume(self) -> None:
        """Let it continue."""
        ...


@dataclass(frozen=True)
class Outage:
    """What an application did while its engine was away.

    :ivar answers: what was answered meanwhile
    :ivar recovery: seconds from the end of the outage to the first good answer of the last process
    """

    answers: Sequence[Answer]
    recovery: float

    @property
    def slowest(self) -> float:
        """The longest that anybody waited, seconds."""
        return max(answer.seconds for answer in self.answers)

    @property
    def statuses(self) -> set[int]:
        """What was answered."""
        return {answer.status for answer in self.answers}


def hang(server: Server, crowd: Crowd) -> Outage:
    """Let an engine stand still while all members start and refresh sessions, and then continue."""
    pairs: list[Answer] = everybody(crowd, warm_up)
    server.pause()
    try:
        heard = everybody(crowd, ask_all, pairs[0].refresh)
        crowd.begin([(ask_until_good,)] * crowd.size)
    finally:
        resumed = time.monotonic()
        server.resume()
    return Outage([answer for each in heard for answer in each], _since(resumed, crowd.collect()))


def crash(server: Server, crowd: Crowd) -> float:
    """Kill an engine and start it again while everybody asks.

    :return: seconds from the moment it was up to the first good answer of the last process
    """
    everybody(crowd, warm_up)
    server.kill9()
    crowd.begin([(ask_until_good,)] * crowd.size)
    server.start()
    up = time.monotonic()
    return _since(up, crowd.collect())


def _since(moment: float, ends: Sequence[float]) -> float:
    return max(0.0, max(ends) - moment)


def warm_up(member: Member) -> Answer:
    """Use the store once, so that there is a connection."""
    answer = member.client.login()
    assert answer.status == 200, f"The login was answered with {answer.status}"
    return answer


def ask_all(member: Member, refresh_token: str) -> list[Answer]:
    """Start and refresh sessions, and return all answers."""
    client = member.client
    return [answer for _ in range(_TIMES) for answer in (client.login(), client.refresh(refresh_token))]


def ask_until_good(member: Member) -> float:
    """Ask until a session is started, and return when that was."""
    while (answer := member.client.login()).status != 200:
        assert answer.status == 503, f"The login was answered with {answer.status}"
        time.sleep(_PAUSE)
    return answer.ended
