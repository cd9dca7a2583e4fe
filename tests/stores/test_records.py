"""What is kept of a session, and how one refresh token follows another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from flask_jwt_extended.stores.records import (
    CLOCK_TOLERANCE,
    NEVER,
    RefreshStatus,
    RefreshToken,
    SessionRecord,
    classify,
    digest,
    extended,
    owner_of,
    rotated,
)
from flask_jwt_extended.testing.store_contract import CONTENTS, LOOKALIKES, new_session

from ..axes import rotated as rotated_over

#: When the predecessor was first used, and for how many seconds it is answered with its successor.
ROTATED, GRACE = 1_000_000.0, 10.0
CURRENT = RefreshToken(jti="current", issued_at=1_000_000, expires_at=2_000_000)
SUCCESSOR = RefreshToken(jti="successor", issued_at=1_000_020, expires_at=2_000_020)


@pytest.fixture
def record() -> SessionRecord:
    """A session that was refreshed before."""
    return new_session(current=CURRENT, previous_jti="previous", rotated_at=ROTATED, generation=3)


# --- standing --------------------------------------------------------------------------------------------------------


@rotated_over("now", [0.0, ROTATED - 1000, ROTATED, ROTATED + 1000], grace=[0.0, GRACE])
def test_the_current_token(record: SessionRecord, now: float, grace: float) -> None:
    """The current token may be used whatever the time is."""
    assert classify(record, "current", now, grace) is RefreshStatus.CURRENT


@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (-1000, RefreshStatus.CLOCK_SKEW),
        (-CLOCK_TOLERANCE, RefreshStatus.CLOCK_SKEW),
        (-CLOCK_TOLERANCE + 0.001, RefreshStatus.REPLAYED),
        (0, RefreshStatus.REPLAYED),
        (GRACE - 0.001, RefreshStatus.REPLAYED),
        (GRACE, RefreshStatus.REUSED),
        (GRACE + 1000, RefreshStatus.REUSED),
    ],
)
def test_its_predecessor(record: SessionRecord, elapsed: float, expected: RefreshStatus) -> None:
    """Within the grace period the predecessor may be used again. Earlier, a clock is wrong; later, it is reuse."""
    assert classify(record, "previous", ROTATED + elapsed, GRACE) is expected


@pytest.mark.parametrize("elapsed", [-CLOCK_TOLERANCE / 2, 0, 0.001, 1000])
def test_its_predecessor_without_grace(record: SessionRecord, elapsed: float) -> None:
    """Without a grace period a token may be used once, also where clocks differ a little."""
    assert classify(record, "previous", ROTATED + elapsed, 0) is RefreshStatus.REUSED


@rotated_over(
    "jti",
    ["older", "", "CURRENT", "previous ", None, 5, True, ["current"], {"jti": "current"}],
    elapsed=[-1000.0, 0.0, 1000.0, -0.1],
)
def test_any_other_token(record: SessionRecord, jti: Any, elapsed: float) -> None:
    """Any other token was used before, or never belonged to this session."""
    assert classify(record, jti, ROTATED + elapsed, GRACE) is RefreshStatus.REUSED


@pytest.mark.parametrize("jti", ["other", None])
def test_a_session_that_was_never_refreshed(jti: str | None) -> None:
    """Before the first refresh there is no predecessor, so any other token is reuse."""
    assert classify(new_session(current=CURRENT), jti, ROTATED, GRACE) is RefreshStatus.REUSED


def test_the_grace_does_not_slide(record: SessionRecord) -> None:
    """A session that is kept alive by other means does not extend the grace."""
    later = extended(record, ROTATED + GRACE - 1, NEVER)
    assert classify(later, "previous", ROTATED + GRACE - 1, GRACE) is RefreshStatus.REPLAYED
    assert classify(later, "previous", ROTATED + GRACE, GRACE) is RefreshStatus.REUSED


def test_the_grace_is_for_one_predecessor(record: SessionRecord) -> None:
    """With the next refresh the predecessor of the predecessor has no grace left."""
    later = rotated(record, SUCCESSOR, ROTATED + 1, NEVER)
    assert classify(later, "successor", ROTATED + 1, GRACE) is RefreshStatus.CURRENT
    assert classify(later, "current", ROTATED + 1, GRACE) is RefreshStatus.REPLAYED
    assert classify(later, "previous", ROTATED + 1, GRACE) is RefreshStatus.REUSED


# --- change ----------------------------------------------------------------------------------------------------------


def test_a_refresh(record: SessionRecord) -> None:
    """A refresh remembers the token it was made with, and changes nothing that is not its business."""
    assert rotated(record, SUCCESSOR, 1234.5, 9999.0) == replace(
        record,
        current=SUCCESSOR,
        previous_jti="current",
        rotated_at=1234.5,
        refreshed_at=1234.5,
        deadline=9999.0,
        generation=4,
    )


def test_keeping_alive(record: SessionRecord) -> None:
    """Keeping a session alive changes its generation, so that nothing in flight is written over it."""
    assert extended(record, 1234.5, 9999.0) == replace(record, refreshed_at=1234.5, deadline=9999.0, generation=4)


def test_generations_grow_while_clocks_go_back(record: SessionRecord) -> None:
    """What orders changes is their number, not the time."""
    assert rotated(record, SUCCESSOR, 0.0, 0.0).generation == extended(record, 0.0, 0.0).generation == 4


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", CONTENTS.values(), ids=CONTENTS)
def test_a_record_as_text(changes: dict[str, Any]) -> None:
    """Every field comes back as it went, from text and from its bytes."""
    record = new_session(**changes)
    assert SessionRecord.from_json(record.to_json()) == record
    assert SessionRecord.from_json(record.to_json().encode()) == record


def test_a_record_of_a_later_version(record: SessionRecord) -> None:
    """Fields that a later version added are passed over, of the session and of its token."""
    values = json.loads(record.to_json())
    values["device"] = {"os": "Linux"}
    values["current"]["thumbprint"] = "x"
    assert SessionRecord.from_json(json.dumps(values)) == record


def test_a_record_that_was_never_refreshed() -> None:
    """Fields that have a default may be missing: an earlier version may not have known them."""
    record = new_session()
    values = json.loads(record.to_json())
    del values["previous_jti"], values["rotated_at"]
    assert SessionRecord.from_json(json.dumps(values)) == record


def test_a_record_shows_no_claims() -> None:
    """Claims may be anything: they are not in what a log shows."""
    assert "hunter2" not in repr(new_session(claims={"password": "hunter2"}))


# --- digests ---------------------------------------------------------------------------------------------------------


def test_owners_differ() -> None:
    """Identities that look alike have different owners, and an owner has the length of a digest."""
    owners = {owner_of(identity) for identity in LOOKALIKES}
    assert len(owners) == len(LOOKALIKES)
    assert {len(owner) for owner in owners} == {64}
    assert owner_of("5") != owner_of(5)


def test_an_owner_of_parts() -> None:
    """The order in which an identity names its parts does not matter."""
    assert owner_of({"a": 1, "b": 2}) == owner_of({"b": 2, "a": 1})
    assert owner_of(["a", "b"]) != owner_of(["b", "a"])


def test_a_record_knows_its_owner() -> None:
    """The owner of a session is that of its identity."""
    assert new_session(identity=5).owner == owner_of(5)


@pytest.mark.parametrize("text", ["", "a", "\0", "\ud800", "x" * 100_000])
def test_a_digest_of_anything(text: str) -> None:
    """Whatever a client chose has a digest of 64 hexadecimal digits."""
    assert len(digest(text)) == 64
    assert int(digest(text), 16)
