"""Races between processes: for the same refresh token, and between a refresh, an end and a prune. ``make storm`` runs
them longer and with more.
"""

from __future__ import annotations

import pytest
from storm.crowd import crowd_for
from storm.races import chase, end_amid, race

from ..engines import STORES

pytestmark = pytest.mark.server

ROUNDS = 20
#: Seconds that a store may take: it is not what is tested here, and there may be fewer cores than processes.
PATIENT = 30.0


@pytest.fixture(params=STORES)
def uri(request: pytest.FixtureRequest) -> str:
    """Where an empty store of each kind is."""
    return str(request.getfixturevalue(f"{request.param}_uri"))


@pytest.mark.parametrize("size", [2, 16])
def test_one_successor(uri: str, size: int) -> None:
    """Of many processes with one token one rotates it, and all get the same successor, in a pair that works."""
    with crowd_for(uri, size, STORE_TIMEOUT=PATIENT) as crowd:
        for number in range(ROUNDS):
            came_of_it = race(crowd)
            assert came_of_it.good, f"round {number}: {came_of_it}"


def test_an_end_is_an_end(uri: str) -> None:
    """Once a session was ended no token of it passes, though it was refreshed, looked at and pruned all the while."""
    refreshes = 0
    with crowd_for(uri, 4, STORE_TIMEOUT=PATIENT) as crowd:
        for number in range(ROUNDS):
            came_of_it = chase(crowd, seconds=0.005 * number)
            assert (came_of_it.survivors, came_of_it.late) == (0, 0)
            refreshes += came_of_it.refreshes
    assert refreshes > ROUNDS


def test_an_end_amid_exchanges(uri: str) -> None:
    """A token that is exchanged while its session is ended gives nothing that passes afterwards."""
    refreshes = 0
    with crowd_for(uri, 5, STORE_TIMEOUT=PATIENT) as crowd:
        for number in range(ROUNDS):
            came_of_it = end_amid(crowd, seconds=0.0005 * number)
            assert (came_of_it.survivors, came_of_it.late) == (0, 0)
            refreshes += came_of_it.refreshes
    assert refreshes > 0
