"""``revoke_token``: access tokens, refresh tokens and tokens without a session; and the checks of revocation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt as pyjwt
import pytest

from flask_jwt_extended import (
    ConfigurationError,
    create_access_token,
    create_refresh_token,
    end_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended.exceptions import code_of
from flask_jwt_extended.stores.base import MARGIN

from ..axes import both_profiles, rotated
from ..conftest import SECRET
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import DAY, MINUTE, Clock, Service, refusal, signals_sent, summary


@pytest.mark.parametrize("of_a_session", [True, False])
@pytest.mark.parametrize("encoded", [True, False])
def test_revoking_an_access_token(service: Service, of_a_session: bool, encoded: bool) -> None:
    """That of the request or another: only this token is refused, and the second call returns ``False``."""
    pair = service.login()
    plain = [service.plain() for _ in range(2)]
    token, kept = [pair.access_token, service.refreshed(pair.refresh_token).access_token] if of_a_session else plain
    with signals_sent() as sent:
        assert service.revoke(token if encoded else None, token=token, view="access") is True
    assert sent == []
    with signals_sent() as sent:
        assert service.run(lambda: None, view="access", token=token).status_code == 401
    assert refusal(sent) == "revoked_token"
    assert service.revoke(token) is False
    assert service.passes(kept)


def test_revoking_an_expired_token_is_not_an_error(service: Service, clock: Clock) -> None:
    """A client may log out late."""
    token = service.plain(expires_delta=timedelta(seconds=5))
    clock.now += 5
    assert service.revoke(token) is True
    pair = service.login()
    clock.now += 16 * MINUTE
    assert service.revoke(pair.access_token) is True
    assert service.refresh(pair.refresh_token).status_code == 200


def test_a_token_without_jti_cannot_be_revoked(make: MakeService) -> None:
    """The error names the claim."""
    service = make()
    token = pyjwt.encode({"sub": "alice"}, SECRET)
    for encoded in (token, None):
        with pytest.raises(ConfigurationError, match="jti"):
            service.revoke(encoded, token=token, view="access")


@both_profiles
@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (pyjwt.encode({"sub": "alice", "jti": "j"}, "k" * 64), "invalid_signature"),
        ("nonsense", "malformed_token"),
        ("", "malformed_token"),
    ],
)
def test_an_invalid_token_cannot_be_revoked(service: Service, encoded: str, code: str) -> None:
    """It is refused like in a request, with a signal."""
    caught: list[Exception] = []

    def task() -> None:
        try:
            revoke_token(encoded)
        except Exception as error:
            caught.append(error)
            raise

    with signals_sent() as sent:
        answer = service.run(task)
    assert 400 < answer.status_code < 500
    assert summary(sent) == [("token_refused", code)]
    assert isinstance(caught[0], pyjwt.InvalidTokenError)
    assert code_of(caught[0]) == code


@rotated("sid", [5, [], {}, False, "unknown"], kind=["access", "refresh"])
def test_a_sid_claim_that_names_no_session(service: Service, sid: Any, kind: str) -> None:
    """The token is refused everywhere, and revoking it is not an error."""
    create: Any = create_access_token if kind == "access" else create_refresh_token
    token = service.plain(create, additional_claims={"sid": sid})
    assert not service.passes(token, kind)
    assert service.end(token, view="unchecked") is False
    assert service.revoke(token) in (True, False)
    assert not service.passes(token, kind)


@pytest.mark.parametrize("of_a_session", [True, False])
@pytest.mark.parametrize("leeway", [0, 30, 10 * MARGIN])
def test_a_revoked_token_is_refused_to_its_last_second(
    make: MakeService, clock: Clock, of_a_session: bool, leeway: int
) -> None:
    """Also where only the leeway accepts it, and after the store was pruned."""
    service = make(DECODE_LEEWAY=leeway)
    with service.app.app_context():
        token, twin = [
            start_session("alice").access_token if of_a_session else create_access_token("alice") for _ in range(2)
        ]
    assert service.revoke(token)
    last = claims_of(token)["exp"] + leeway - 1
    for moment in (last - leeway, last - leeway + 1, last):
        clock.now = moment
        service.app.extensions["flask-jwt-extended.state"].state.store.prune(moment, 1000)
        assert not service.passes(token)
    assert service.passes(twin)


# --- refresh tokens -------------------------------------------------------------------------------------------------


def test_revoking_a_plain_refresh_token(service: Service) -> None:
    """It belongs to no session, so only this token is refused."""
    pair = service.login()
    token, other = (service.plain(create_refresh_token) for _ in range(2))
    assert [service.revoke(token), service.revoke(token)] == [True, False]
    assert not service.passes(token, "refresh")
    assert service.passes(other, "refresh")
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("encoded", [True, False])
def test_revoking_the_refresh_token_of_a_session_ends_it(service: Service, encoded: bool) -> None:
    """RFC 7009, section 2.1. The signal has the cause."""
    pair = service.login()
    with signals_sent() as sent:
        assert service.revoke(pair.refresh_token if encoded else None, token=pair.refresh_token, view="refresh")
    assert summary(sent) == [("session_ended", "token_revoked")]
    assert not service.passes(pair.access_token)
    assert service.revoke(pair.refresh_token) is False


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_a_refresh_token_that_was_exchanged_before_ends_no_session(
    service: Service, clock: Clock, generations: int
) -> None:
    """An old copy cannot log out the owner."""
    first = latest = service.login()
    for _ in range(generations):
        clock.now += MINUTE
        latest = service.refreshed(latest.refresh_token)
    clock.now += MINUTE
    with signals_sent() as sent:
        assert service.revoke(first.refresh_token) is False
    assert sent == []
    assert service.passes(latest.access_token)
    assert service.revoke(latest.refresh_token) is True
    assert not service.passes(latest.access_token)


@pytest.mark.parametrize("late", [0, -1], ids=["expired", "in its last second"])
def test_an_old_refresh_token_ends_no_session_at_its_expiry(service: Service, clock: Clock, late: int) -> None:
    """The session was refreshed since, and is active."""
    first = service.login()
    clock.now += 20 * DAY
    latest = service.refreshed(first.refresh_token)
    clock.now = claims_of(first.refresh_token)["exp"] + late
    assert service.revoke(first.refresh_token) is False
    assert service.refresh(latest.refresh_token).status_code == 200


def test_within_the_grace_period_a_refresh_token_revokes_its_session(service: Service, clock: Clock) -> None:
    """One tab logs out while another refreshes."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += 5
    assert service.revoke(pair.refresh_token) is True
    assert not service.passes(after.access_token)


@pytest.mark.parametrize(("late", "revokes"), [(-1, True), (0, False)], ids=["in its last second", "expired"])
def test_an_expired_refresh_token_ends_no_session_in_its_grace_period(
    service: Service, clock: Clock, late: int, revokes: bool
) -> None:
    """Its successor keeps the session active."""
    pair = service.login()
    expiry = claims_of(pair.refresh_token)["exp"]
    clock.now = expiry - 3
    after = service.refreshed(pair.refresh_token)
    clock.now = expiry + late
    assert service.revoke(pair.refresh_token) is revokes
    assert service.passes(after.access_token) is not revokes


def test_a_view_that_skips_the_check_does_not_revoke_with_an_old_token(service: Service, clock: Clock) -> None:
    """The token of the request is treated like an argument."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    assert service.revoke(token=pair.refresh_token, view="unchecked") is False
    assert service.passes(after.access_token)


@pytest.mark.parametrize("leeway", [0, 60])
def test_the_leeway_does_not_revive_an_expired_refresh_token(make: MakeService, clock: Clock, leeway: int) -> None:
    """Its session has ended with it."""
    service = make(DECODE_LEEWAY=leeway, REFRESH_TOKEN_EXPIRES=timedelta(hours=1))
    pair = service.login()
    clock.now += 60 * MINUTE
    assert service.revoke(pair.refresh_token) is False


# --- checks ---------------------------------------------------------------------------------------------------------


def test_plain_tokens_pass_with_a_store(service: Service) -> None:
    """They belong to no session."""
    access, refresh = service.plain(), service.plain(create_refresh_token)
    assert service.passes(access)
    assert service.passes(refresh, "refresh")
    assert "sid" not in {**claims_of(access), **claims_of(refresh)}


def test_the_blocklist_of_the_application_is_checked_after_the_store(service: Service) -> None:
    """For plain tokens and those of a session; not for a token that the store refuses."""
    checked: list[str] = []
    blocked: set[str] = set()

    @service.manager.token_in_blocklist_loader
    def is_blocked(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
        checked.append(claims["jti"])
        return claims["jti"] in blocked

    pair = service.login()
    assert service.passes(pair.access_token)
    blocked.add(claims_of(pair.access_token)["jti"])
    assert not service.passes(pair.access_token)
    assert service.passes(pair.refresh_token, "refresh")
    assert checked == [claims_of(pair.access_token)["jti"]] * 2 + [claims_of(pair.refresh_token)["jti"]]
    assert service.end(pair.refresh_token, view="refresh") is True
    checked.clear()
    assert not service.passes(pair.access_token)
    assert checked == []


def test_a_view_may_skip_the_checks(service: Service) -> None:
    """``skip_revocation_check`` skips both the store and the loader."""
    service.manager.token_in_blocklist_loader(lambda _header, _claims: True)
    pair = service.login()
    service.run(lambda: end_session(pair.session_id))
    assert service.passes(pair.access_token, "unchecked")
    assert not service.passes(pair.access_token)
