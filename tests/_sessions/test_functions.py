"""The functions for sessions, as an application calls them and a client sees them: started, refreshed, listed, ended;
tokens revoked. Outages and cookies that renew themselves are tested elsewhere, and so is every store but the memory's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from threading import Barrier
from typing import Any

import jwt as pyjwt
import pytest

from flask_jwt_extended import (
    ConfigurationError,
    SessionInfo,
    TokenPair,
    create_access_token,
    create_refresh_token,
    end_all_sessions,
    end_session,
    get_csrf_token,
    get_current_user,
    list_sessions,
    refresh_session,
    revoke_token,
    start_session,
)
from flask_jwt_extended.exceptions import code_of

from ..conftest import PRIVATE_KEYS, SECRET, MakeApp, pem
from ..tokens import claims_of
from .helpers import (
    DAY,
    MINUTE,
    NOW,
    BreakableStore,
    Clock,
    Heard,
    InterruptedStore,
    Service,
    Task,
    another_tab,
    browser_of,
    cookie,
    csrf,
    hear,
    post,
    service_of,
    stopped_clock,
    told,
    with_cookies,
)

MakeService = Callable[..., Service]
PROFILES = ["compat", "strict"]

_PRIVATE, _PUBLIC = pem(PRIVATE_KEYS["ES256"])
ES256 = {"ALGORITHM": "ES256", "PRIVATE_KEY": _PRIVATE, "PUBLIC_KEY": _PUBLIC}


@pytest.fixture
def make(make_app: MakeApp) -> MakeService:
    """Make a service with the given options."""

    def with_options(**options: Any) -> Service:
        return service_of(make_app, **options)

    return with_options


@pytest.fixture(params=PROFILES)
def service(request: pytest.FixtureRequest, make: MakeService) -> Service:
    """A service in each profile."""
    return make(PROFILE=request.param)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


def refusal(heard: list[Heard]) -> str:
    """The one reason for which a token was refused."""
    (code,) = [each.payload["code"] for each in heard if each.name == "token_refused"]
    assert isinstance(code, str)
    return code


class User:
    """What an application knows its users by."""

    def __init__(self, name: str) -> None:
        self.name = name


def knows_users(service: Service) -> None:
    """Let an application hand in and out users in place of identities."""
    service.manager.user_identity_loader(lambda user: getattr(user, "name", user))
    service.manager.user_lookup_loader(lambda _header, claims: User(claims["sub"]))


# --- start_session --------------------------------------------------------------------------------------------------


def test_the_first_pair_of_a_session(service: Service, clock: Clock) -> None:
    """Both tokens name their session, and only the access token is fresh."""
    pair = service.login("alice")
    access, refresh = claims_of(pair.access_token), claims_of(pair.refresh_token)
    assert [access[name] for name in ("sub", "sid", "type", "fresh")] == ["alice", pair.session_id, "access", True]
    assert [refresh[name] for name in ("sub", "sid", "type", "fresh")] == ["alice", pair.session_id, "refresh", False]
    assert (access["exp"], refresh["exp"]) == (NOW + 15 * MINUTE, NOW + 30 * DAY)
    assert len({access["jti"], refresh["jti"], pair.session_id}) == 3
    assert access["csrf"] != refresh["csrf"]
    assert service.passes(pair.access_token)
    assert service.passes(pair.refresh_token, "refresh")


@pytest.mark.parametrize(
    ("fresh", "claim"), [(False, False), (True, True), (timedelta(minutes=5), NOW + 5 * MINUTE), (timedelta(0), False)]
)
def test_how_long_a_login_is_fresh(service: Service, clock: Clock, fresh: Any, claim: Any) -> None:
    """As the application says."""
    assert claims_of(service.login(fresh=fresh).access_token)["fresh"] == claim


def test_additional_claims_stay_with_the_session(service: Service) -> None:
    """They are in every token of it, in JSON's types."""
    pair = service.login(additional_claims={"role": "admin", "when": datetime(2024, 1, 1, tzinfo=timezone.utc)})
    for each in (pair, service.refreshed(pair.refresh_token)):
        for token in (each.access_token, each.refresh_token):
            assert claims_of(token)["role"] == "admin"
            assert claims_of(token)["when"] == "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize("claim", ["sid", "exp", "jti", "sub", "type"])
@pytest.mark.parametrize("by_loader", [False, True], ids=["argument", "loader"])
def test_additional_claims_do_not_change_what_a_session_rests_on(service: Service, claim: str, by_loader: bool) -> None:
    """Neither those of the call nor those of the loader: both tokens are of this session and of their kind."""
    claims = {claim: 99 if claim == "exp" else "refresh"}
    if by_loader:
        service.manager.additional_claims_loader(lambda _identity: claims)
    pair = service.login("alice", additional_claims=None if by_loader else claims)
    jtis = set()
    for each in (pair, service.refreshed(pair.refresh_token)):
        access, refresh = claims_of(each.access_token), claims_of(each.refresh_token)
        jtis |= {access["jti"], refresh["jti"]}
        assert (access["type"], refresh["type"]) == ("access", "refresh")
        assert access["sub"] == refresh["sub"] == "alice"
        assert access["sid"] == refresh["sid"] == pair.session_id
        assert service.passes(each.access_token)
        assert service.passes(each.refresh_token, "refresh")
    assert len(jtis) == 4


def test_additional_claims_do_not_make_a_refreshed_token_fresh(service: Service) -> None:
    """Whoever only has a refresh token has shown no password."""
    pair = service.login(additional_claims={"fresh": True})
    assert claims_of(service.refreshed(pair.refresh_token).access_token)["fresh"] is False


@pytest.mark.parametrize("name", ["label", "user_agent"])
@pytest.mark.parametrize(("length", "kept"), [(0, 0), (256, 256), (257, 256), (60_000, 256)])
def test_what_is_kept_of_a_long_text(service: Service, name: str, length: int, kept: int) -> None:
    """256 characters of it."""
    text = "a" * length
    pair = service.login(label=text) if name == "label" else service.login(headers={"User-Agent": text})
    service.run(list_sessions, view="access", token=pair.access_token)
    (info,) = service.returned
    assert getattr(info, name) == "a" * kept


@pytest.mark.parametrize("label", [5, 1.5, True, ["a"], {"a": [1]}, "\ud800", "a\0b", ["a" * 1000]])
def test_a_label_of_any_type_a_client_may_send(service: Service, label: Any) -> None:
    """A view hands on ``request.json["label"]``: it becomes text, and no error."""
    token = service.login(label=label).access_token
    answer = service.run(list_sessions, view="access", token=token)
    assert answer.get_json()[0]["label"] == str(label)[:256]


@pytest.mark.parametrize(
    "agent",
    [
        "",
        " ",
        "\x00",
        "\x7f",
        "a\tb",
        "ü",
        "\xff\xfe",
        "'; DROP TABLE jwt_sessions;--",
        "{{7*7}}",
        "\x1b[31m",
        "x" * 9000,
    ],
    ids=lambda agent: repr(agent[:20]),
)
def test_a_user_agent_of_any_kind_a_client_may_send(service: Service, agent: str) -> None:
    """It is kept as text, and no error."""
    service._task = lambda: start_session("alice")
    client = service.app.test_client()
    answer = client.post("/do/open", environ_overrides={"HTTP_USER_AGENT": agent})
    token = answer.get_json()["access_token"]
    listed = service.run(list_sessions, view="access", token=token).get_json()
    assert isinstance(listed[0]["user_agent"], str)
    assert len(listed[0]["user_agent"]) <= 256
    assert service.passes(token)


@pytest.mark.parametrize(
    "identity", [["a", 1], {"a": [1, {"b": None}]}, 1.5, True, "ü\x00\ud800", "x" * 5000], ids=lambda x: repr(x)[:20]
)
def test_an_identity_of_any_type_that_json_has(make: MakeService, identity: Any) -> None:
    """Its sessions are found, refreshed and ended, also by a loader's name for it."""
    service = make(VERIFY_SUB=False)
    pair = service.login(identity)
    pair = service.refreshed(pair.refresh_token)
    assert service.passes(pair.access_token)
    assert len(service.run(list_sessions, view="access", token=pair.access_token).get_json()) == 1
    assert service.run(lambda: end_all_sessions(identity)).get_json() == 1
    assert not service.passes(pair.access_token)


def test_what_is_known_of_the_client(service: Service) -> None:
    """Its address and its user agent; without a request, neither."""
    token = service.login("alice", label="phone", headers={"User-Agent": "Browser/1"}).access_token
    with service.app.app_context():
        pair = start_session("alice")
    service.run(list_sessions, view="access", token=token)
    known = {each.session_id: (each.label, each.user_agent, each.address) for each in service.returned}
    assert known.pop(pair.session_id) == (None, None, None)
    assert list(known.values()) == [("phone", "Browser/1", "127.0.0.1")]
    assert service.passes(pair.access_token)


@pytest.mark.parametrize(
    ("identity", "claim"),
    [
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (7, 7),
        ({"b": 1, "a": [None]}, {"a": [None], "b": 1}),
        (0, 0),
        ("", ""),
    ],
    ids=repr,
)
def test_an_identity_that_is_no_string(make: MakeService, identity: Any, claim: Any) -> None:
    """Is told to loaders as it is, and its sessions are found under it and under what the token says."""
    service = make(VERIFY_SUB=False)
    pair = service.login(identity)
    assert claims_of(pair.access_token)["sub"] == claims_of(pair.refresh_token)["sub"] == claim
    assert service.passes(service.refreshed(pair.refresh_token).access_token)
    for owner in (identity, claim, None):
        service.run(lambda owner=owner: list_sessions(owner), view="access", token=pair.access_token)  # type: ignore[misc]
        assert [each.session_id for each in service.returned] == [pair.session_id]
    assert service.run(lambda: end_all_sessions(identity)).get_json() == 1


def test_identities_of_different_types_are_different(make: MakeService) -> None:
    """The session of user 5 is not that of user "5"."""
    service = make(VERIFY_SUB=False)
    number, text = service.login(5), service.login("5")
    assert (
        service.run(lambda: end_session(text.session_id), view="access", token=number.access_token).get_json() is False
    )
    assert service.run(lambda: end_all_sessions("5")).get_json() == 1
    assert service.passes(number.access_token)


def test_another_identity_claim(make: MakeService) -> None:
    """Holds the identity instead, and nothing overrides it."""
    service = make(IDENTITY_CLAIM="user")
    pair = service.login("alice", additional_claims={"user": "eve", "sub": "x"})
    after = service.refreshed(pair.refresh_token)
    assert [claims_of(each)["user"] for each in (*vars(after).values(),)[:2]] == ["alice", "alice"]
    assert service.run(list_sessions, view="access", token=after.access_token).get_json()[0]["identity"] == "alice"


@pytest.mark.parametrize("profile", PROFILES)
def test_no_token_outlives_its_session(make: MakeService, clock: Clock, profile: str) -> None:
    """Neither of the login nor of a refresh, however long tokens live."""
    service = make(
        PROFILE=profile,
        SESSION_LIFETIME=timedelta(hours=1),
        ACCESS_TOKEN_EXPIRES=timedelta(hours=2),
        REFRESH_TOKEN_EXPIRES=timedelta(days=2),
    )
    pair = service.login()
    clock.now += 59 * MINUTE
    for each in (pair, service.refreshed(pair.refresh_token)):
        assert claims_of(each.access_token)["exp"] == claims_of(each.refresh_token)["exp"] == NOW + 60 * MINUTE


def test_tokens_that_do_not_expire_end_with_their_session(make: MakeService, clock: Clock) -> None:
    """``False`` means until the end of the session."""
    service = make(SESSION_LIFETIME=3600, ACCESS_TOKEN_EXPIRES=False, REFRESH_TOKEN_EXPIRES=False)
    pair = service.login()
    assert claims_of(pair.access_token)["exp"] == claims_of(pair.refresh_token)["exp"] == NOW + 3600


def test_a_session_without_end(make: MakeService, clock: Clock) -> None:
    """Has tokens without ``exp`` if they live for ever too, and says that it has no end."""
    service = make(SESSION_LIFETIME=None, ACCESS_TOKEN_EXPIRES=False, REFRESH_TOKEN_EXPIRES=False)
    pair = service.login()
    assert "exp" not in {**claims_of(pair.access_token), **claims_of(pair.refresh_token)}
    clock.now += 1000 * 365 * DAY
    after = service.refreshed(pair.refresh_token)
    assert service.passes(after.access_token)
    assert service.run(list_sessions, view="access", token=after.access_token).get_json()[0]["expires_at"] is None


def test_a_pair_is_json_and_keeps_its_tokens_to_itself(service: Service) -> None:
    """``jsonify`` gives all three to the client; a log of the pair gives none to anybody."""
    answer = service.run(lambda: start_session("alice"))
    pair = service.returned
    assert isinstance(pair, TokenPair)
    assert answer.get_json() == {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "session_id": pair.session_id,
    }
    assert repr(pair) == f"TokenPair(session_id='{pair.session_id}')"


_TASKS: dict[str, Task] = {
    "start_session": lambda: start_session("alice"),
    "refresh_session": refresh_session,
    "end_session": end_session,
    "end_all_sessions": end_all_sessions,
    "list_sessions": list_sessions,
    "revoke_token": revoke_token,
}


@pytest.mark.parametrize("task", _TASKS.values(), ids=_TASKS)
def test_without_a_store_there_are_no_sessions(make: MakeService, task: Task) -> None:
    """The error names the option."""
    service = make(STORE_URI=None)
    with service.app.app_context():
        token = create_refresh_token("alice")
    with pytest.raises(ConfigurationError, match="JWT_STORE_URI"):
        service.run(task, view="refresh", token=token)


def test_a_session_that_cannot_be_signed_is_not_kept(make: MakeService) -> None:
    """Nor told of."""
    service = make(SECRET_KEY=None)
    with hear() as heard, pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        service.login()
    assert heard == []
    assert service.run(lambda: list_sessions("alice")).get_json() == []


# --- what loaders are told ------------------------------------------------------------------------------------------

_LOADERS: dict[str, Any] = {"additional_claims": {}, "additional_headers": {}, "encode_key": SECRET}


@pytest.mark.parametrize("loader", _LOADERS)
def test_loaders_are_told_the_user(service: Service, loader: str) -> None:
    """Who was logged in, then whom ``user_lookup_loader`` found; at a replay too."""
    knows_users(service)
    seen: list[Any] = []

    def load(user: Any) -> Any:
        seen.append(user)
        return _LOADERS[loader]

    getattr(service.manager, f"{loader}_loader")(load)
    alice = User("alice")
    pair = service.login(alice)
    assert seen == [alice, alice]
    found: list[Any] = []

    def task() -> TokenPair:
        found.append(get_current_user())
        return refresh_session()

    for _ in range(2):
        service.run(task, view="refresh", token=pair.refresh_token)
    assert seen[2:] == [found[0], found[0], found[1], found[1]]
    assert {each.name for each in found} == {"alice"}


def test_without_a_user_loaders_are_told_the_identity_claim(service: Service) -> None:
    """There is nothing else to tell."""
    seen: list[Any] = []
    service.manager.user_identity_loader(lambda user: user.name)

    @service.manager.additional_claims_loader
    def count(identity: Any) -> dict[str, Any]:
        seen.append(identity)
        return {"n": len(seen)}

    pair = service.login(User("alice"))
    after = service.refreshed(pair.refresh_token)
    assert seen[2:] == ["alice", "alice"]
    assert claims_of(after.access_token)["sub"] == "alice"
    assert claims_of(after.access_token)["n"] > claims_of(pair.refresh_token)["n"]


def test_a_refresh_keeps_the_identity_whatever_the_user_is_called_now(service: Service) -> None:
    """A session belongs to whom it was started for."""
    service.manager.user_identity_loader(lambda user: user.name if isinstance(user, User) else user)
    service.manager.user_lookup_loader(lambda _header, _claims: User("somebody else"))
    after = service.refreshed(service.login(User("alice")).refresh_token)
    assert claims_of(after.access_token)["sub"] == claims_of(after.refresh_token)["sub"] == "alice"


# --- refresh_session ------------------------------------------------------------------------------------------------


def test_a_refresh(service: Service, clock: Clock) -> None:
    """Gives another pair of the same session, not fresh; the access token from before stays good."""
    pair = service.login()
    clock.now += 5 * MINUTE
    after = service.refreshed(pair.refresh_token)
    assert after.session_id == pair.session_id
    assert len({pair.access_token, pair.refresh_token, after.access_token, after.refresh_token}) == 4
    assert claims_of(after.access_token)["fresh"] is False
    assert service.passes(pair.access_token)
    assert service.passes(after.access_token)
    assert service.refresh(after.refresh_token).status_code == 200


def test_within_the_grace_everybody_gets_the_same_successor(service: Service, clock: Clock) -> None:
    """To the octet with HS256; the access tokens are their own, and both good."""
    pair = service.login(additional_claims={"role": "admin"})
    clock.now += 0.25
    first = service.refreshed(pair.refresh_token)
    clock.now += 9.5
    second = service.refreshed(pair.refresh_token)
    assert second.refresh_token == first.refresh_token
    assert second.access_token != first.access_token
    assert claims_of(second.access_token)["csrf"] == claims_of(first.access_token)["csrf"]
    assert service.passes(first.access_token)
    assert service.passes(second.access_token)
    assert service.refresh(second.refresh_token).status_code == 200


def test_the_same_successor_with_signatures_that_differ(make: MakeService, clock: Clock) -> None:
    """ES256 never signs the same twice; what is signed is the same."""
    service = make(**ES256)
    pair = service.login()
    first = service.refreshed(pair.refresh_token)
    clock.now += 3
    second = service.refreshed(pair.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert claims_of(second.refresh_token) == claims_of(first.refresh_token)
    assert service.passes(second.refresh_token, "refresh")


@pytest.mark.parametrize("elapsed", [10, 11, DAY])
def test_after_the_grace_a_refresh_token_ends_its_session(service: Service, clock: Clock, elapsed: float) -> None:
    """With every token of it, of thief and owner alike; whoever comes next hears that it has ended."""
    pair = service.login()
    other = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += elapsed
    with hear() as heard:
        assert service.refresh(pair.refresh_token).status_code == 401
    about = {"session_id": pair.session_id, "identity": "alice"}
    assert [(each.name, each.payload) for each in heard[:2]] == [
        ("refresh_theft_detected", {**about, "cause": "after_grace"}),
        ("session_ended", {**about, "cause": "reuse"}),
    ]
    assert refusal(heard) == "refresh_token_reused"
    with hear() as heard:
        assert service.refresh(after.refresh_token).status_code == 401
    assert told(heard) == [("token_refused", "session_ended")]
    clock.now = NOW + 1
    assert not service.passes(after.access_token)
    assert not service.passes(pair.access_token)
    assert service.passes(other.access_token)


def test_the_grace_does_not_slide(service: Service, clock: Clock) -> None:
    """It counts from the first use, however often the token comes."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    for _ in range(3):
        clock.now += 3
        service.refreshed(pair.refresh_token)
    clock.now += 3
    assert service.refresh(pair.refresh_token).status_code == 401


def test_the_grace_is_for_the_predecessor_alone(service: Service, clock: Clock) -> None:
    """An older one ends the session at once."""
    first = service.login()
    second = service.refreshed(first.refresh_token)
    third = service.refreshed(second.refresh_token)
    with hear() as heard:
        assert service.refresh(first.refresh_token).status_code == 401
    assert told(heard)[:2] == [("refresh_theft_detected", "superseded"), ("session_ended", "reuse")]
    assert not service.passes(third.access_token)


def test_no_grace(make: MakeService, clock: Clock) -> None:
    """With 0, the second use at the same moment ends the session."""
    service = make(REFRESH_GRACE=0)
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert not service.passes(after.access_token)


def test_a_reuse_is_found_in_any_view(service: Service, clock: Clock) -> None:
    """Not only where tokens are exchanged."""
    pair = service.login()
    after = service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    assert not service.passes(pair.refresh_token, "refresh")
    assert not service.passes(after.access_token)


def test_a_view_that_does_not_ask_is_told_at_the_exchange(service: Service, clock: Clock) -> None:
    """``skip_revocation_check`` opens no way around the rotation."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    answer = service.run(refresh_session, view="unchecked", token=pair.refresh_token)
    assert answer.status_code == 401


def test_a_clock_that_was_set_back_refuses(service: Service, clock: Clock) -> None:
    """A successor is not handed out for a moment that has not come, and the session goes on."""
    pair = service.login()
    clock.now += MINUTE
    after = service.refreshed(pair.refresh_token)
    clock.now -= 10
    with hear() as heard:
        assert service.refresh(pair.refresh_token).status_code == 401
    assert told(heard) == [("token_refused", "revoked_token")]
    clock.now += 10
    assert service.passes(after.access_token)


def test_each_token_passes_where_it_belongs(service: Service) -> None:
    """A refresh token is no access token, and the other way round."""
    pair = service.login()
    wrong = [service.run(lambda: None, view="access", token=pair.refresh_token), service.refresh(pair.access_token)]
    assert [each.status_code for each in wrong] in ([422, 422], [401, 401])
    assert service.passes(pair.refresh_token, "refresh")  # nothing was taken for a reuse


def test_a_refresh_in_the_wrong_view_is_the_developers_mistake(service: Service) -> None:
    """The message names the decorator."""
    token = service.login().access_token
    for view in ("access", "unchecked"):
        with pytest.raises(ConfigurationError, match=r"@jwt_required\(refresh=True\)"):
            service.run(refresh_session, view=view, token=token)
    with pytest.raises(ConfigurationError, match="jwt_required"):
        service.run(refresh_session)


def test_a_plain_refresh_token_is_of_no_session(service: Service) -> None:
    """It passes its view as ever, and cannot be exchanged."""
    with service.app.app_context():
        token = create_refresh_token("alice")
    assert service.passes(token, "refresh")
    with hear() as heard:
        assert service.refresh(token).status_code == 401
    assert refusal(heard) == "session_ended"


def test_refreshing_does_not_move_the_end_of_a_session(make: MakeService, clock: Clock) -> None:
    """JWT_SESSION_LIFETIME counts from the login."""
    service = make(SESSION_LIFETIME=100, ACCESS_TOKEN_EXPIRES=1000)
    pair = service.login()
    for _ in range(4):
        clock.now += 24.5
        pair = service.refreshed(pair.refresh_token)
    clock.now = NOW + 99
    assert service.passes(pair.access_token)
    clock.now = NOW + 100
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401


@pytest.mark.parametrize("option", ["SESSION_IDLE_TIMEOUT", "REFRESH_TOKEN_EXPIRES"])
def test_refreshing_moves_the_idle_timeout(make: MakeService, clock: Clock, option: str) -> None:
    """That, and the life of the refresh token, count from the last refresh."""
    service = make(**{option: 100, "ACCESS_TOKEN_EXPIRES": 1000})
    pair = service.login()
    for _ in range(5):
        clock.now += 99
        pair = service.refreshed(pair.refresh_token)
    clock.now += 99
    assert service.passes(pair.access_token)
    clock.now += 1
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert service.run(lambda: list_sessions("alice")).get_json() == []


def test_leeway_does_not_stretch_a_session(make: MakeService, clock: Clock) -> None:
    """Its end is judged by the store's word alone."""
    service = make(SESSION_LIFETIME=100, DECODE_LEEWAY=50)
    pair = service.login()
    clock.now += 100
    assert not service.passes(pair.access_token)
    assert not service.passes(pair.refresh_token, "refresh")


def test_an_end_while_a_refresh_is_under_way(make: MakeService) -> None:
    """The end wins: no successor comes of it."""
    store = InterruptedStore()
    service = make(STORE_URI=store)
    pair = service.login()

    def task() -> TokenPair:
        store.meanwhile = store.remove
        return refresh_session()

    with hear() as heard:
        assert service.run(task, view="refresh", token=pair.refresh_token).status_code == 401
    assert refusal(heard) == "session_ended"
    assert service.run(lambda: list_sessions("alice")).get_json() == []


def test_a_refresh_that_loses_a_race_gets_the_winners_successor(make: MakeService) -> None:
    """Whichever way they are interleaved."""
    store = InterruptedStore()
    service, winner = make(STORE_URI=store), []
    pair = service.login()

    def task() -> TokenPair:
        store.meanwhile = lambda _session: winner.append(refresh_session())
        return refresh_session()

    answer = service.run(task, view="refresh", token=pair.refresh_token)
    assert answer.get_json()["refresh_token"] == winner[0].refresh_token


@pytest.mark.parametrize("grace", [10, 0])
def test_many_exchange_the_same_token_at_once(make: MakeService, grace: int) -> None:
    """One wins. The others get its successor, or without a grace end the session."""
    service = make(REFRESH_GRACE=grace)
    pair = service.login()
    together = Barrier(16)

    def exchange(_number: int) -> tuple[int, str | None]:
        with service.app.test_client() as client:
            together.wait(30)
            headers = {"Authorization": f"Bearer {pair.refresh_token}"}
            answer = client.post("/do/refresh", headers=headers)
        return answer.status_code, (answer.get_json() or {}).get("refresh_token")

    service._task = refresh_session
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(exchange, range(16)))
    successors = {token for status, token in answers if status == 200}
    assert len(successors) == 1
    if grace:
        assert {status for status, _ in answers} == {200}
        assert service.refresh(successors.pop() or "").status_code == 200
    else:
        assert sorted(status for status, _ in answers) == [200, *[401] * 15]
        assert service.refresh(successors.pop() or "").status_code == 401


# --- end_session, end_all_sessions, list_sessions -------------------------------------------------------------------


def ended(service: Service, token: str | None, session_id: Any = None, view: str = "access") -> Any:
    """What ``end_session`` says to the bearer of a token."""
    return service.run(lambda: end_session(session_id), view=view, token=token).get_json()


def test_ending_ones_own_session(service: Service) -> None:
    """All its tokens are refused from then on, other sessions go on."""
    pair, other = service.login(), service.login()
    with hear() as heard:
        assert ended(service, pair.access_token) is True
    assert [tuple(each) for each in heard] == [
        (
            "session_ended",
            service.app,
            {"session_id": pair.session_id, "identity": "alice", "cause": "logout"},
        )
    ]
    assert not service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 401
    assert service.passes(other.access_token)


def test_ending_another_session_of_the_same_identity(service: Service) -> None:
    """The one named, not this one."""
    here, there = service.login(), service.login()
    assert ended(service, here.access_token, there.session_id) is True
    assert ended(service, here.access_token, there.session_id) is False
    assert service.passes(here.access_token)
    assert not service.passes(there.access_token)


def test_the_session_of_somebody_else_is_left_alone(service: Service) -> None:
    """A client may name what it likes."""
    mine, theirs = service.login("alice"), service.login("bob")
    with hear() as heard:
        assert ended(service, mine.access_token, theirs.session_id) is False
    assert heard == []
    assert service.passes(theirs.access_token)


@pytest.mark.parametrize(
    "session_id",
    ["", "nonsense", "\ud800", "a\0", "x" * 100_000, 5, True, 1.5, [], ["a"], {"a": 1}],
    ids=lambda _: "junk",
)
def test_a_session_that_never_was(service: Service, session_id: Any) -> None:
    """Of any type that JSON has: there is none, and that is all."""
    pair = service.login()
    assert ended(service, pair.access_token, session_id) is False
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("view", ["refresh", "unchecked"])
def test_a_session_is_ended_with_its_refresh_token_too(service: Service, view: str) -> None:
    """A logout view may ask for either."""
    pair = service.login()
    assert ended(service, pair.refresh_token, view=view) is True
    assert not service.passes(pair.access_token)


def test_where_nothing_was_verified_anybodys_session_is_ended(service: Service) -> None:
    """On the command line, or behind another kind of protection."""
    first, second = service.login("alice"), service.login("bob")
    with service.app.app_context():
        assert end_session(first.session_id) is True
        assert end_session(first.session_id) is False
    assert ended(service, None, second.session_id, view="open") is True
    assert not service.passes(second.access_token)


def test_an_anonymous_request_ends_nobodys_session(service: Service) -> None:
    """An optional view lets it pass; it has no session, and no say in those of others."""
    pair = service.login()
    assert ended(service, None, pair.session_id, view="optional") is False
    assert ended(service, None, None, view="optional") is False
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("task", [list_sessions, end_all_sessions, revoke_token], ids=lambda task: task.__name__)
def test_an_anonymous_request_has_nothing_of_its_own(service: Service, task: Any) -> None:
    """It is refused as any request without a token: a client cannot provoke an error of the server."""
    with hear() as heard:
        assert service.run(task, view="optional").status_code == 401
    assert told(heard) == [("token_refused", "missing_token")]
    assert service.run(refresh_session, view="optional-refresh").status_code == 401


@pytest.mark.parametrize(
    "task",
    [list_sessions, end_all_sessions, end_session, revoke_token, refresh_session],
    ids=lambda task: task.__name__,
)
def test_without_a_token_somebody_must_be_named(service: Service, task: Any) -> None:
    """The developer forgot to protect the view, or to say whose sessions are meant."""
    with pytest.raises(ConfigurationError, match=r"@jwt_required\(\)"):
        service.run(task)
    with service.app.app_context(), pytest.raises(ConfigurationError, match=r"@jwt_required\(\)"):
        task()


def test_a_token_of_no_session_has_none_to_end(service: Service) -> None:
    """Ending it says so; listing shows those of its identity, none of them this one."""
    pair = service.login()
    with service.app.app_context():
        plain = create_access_token("alice")
    assert ended(service, plain) is False
    (info,) = service.run(list_sessions, view="access", token=plain).get_json()
    assert (info["session_id"], info["current"]) == (pair.session_id, False)
    assert service.run(lambda: end_all_sessions(keep_current=True), view="access", token=plain).get_json() == 1


@pytest.mark.parametrize("keep", [False, True])
def test_ending_all_sessions(service: Service, keep: bool) -> None:
    """All of the identity, but this one if it is to be kept; never those of others."""
    here, *there = [service.login() for _ in range(3)]
    theirs = service.login("bob")
    with hear() as heard:
        answer = service.run(lambda: end_all_sessions(keep_current=keep), view="access", token=here.access_token)
    assert answer.get_json() == (2 if keep else 3)
    assert {each.payload["session_id"] for each in heard} >= {each.session_id for each in there}
    assert set(told(heard)) == {("session_ended", "logout_everywhere")}
    assert service.passes(here.access_token) is keep
    assert not any(service.passes(each.access_token) for each in there)
    assert service.passes(theirs.access_token)


def test_sessions_of_a_user_object(service: Service) -> None:
    """``user_identity_loader`` says what it is called in tokens."""
    knows_users(service)
    pair, _ = service.login(User("alice")), service.login(User("bob"))
    (info,) = service.run(lambda: list_sessions(User("alice"))).get_json()
    assert info["session_id"] == pair.session_id
    assert service.run(lambda: end_all_sessions(User("alice"))).get_json() == 1
    assert service.run(lambda: end_all_sessions(User("carol"))).get_json() == 0


def test_a_list_of_sessions(make: MakeService, clock: Clock) -> None:
    """The youngest first; this one marked; those of others and those that have ended left out."""
    service = make(SESSION_IDLE_TIMEOUT=1000)
    old = service.login(label="old")
    clock.now += 1
    pairs = []
    for label in ("laptop", "phone", "tablet"):
        clock.now += 1
        pairs.append(service.login(label=label))
    service.login("bob")
    clock.now += 990
    here = service.refreshed(pairs[0].refresh_token)
    clock.now = NOW + 1000
    service.run(list_sessions, view="access", token=here.access_token)
    sessions: list[SessionInfo] = service.returned
    assert [(each.label, each.current) for each in sessions] == [("tablet", False), ("phone", False), ("laptop", True)]
    assert sessions[-1] == SessionInfo(
        session_id=here.session_id,
        identity="alice",
        label="laptop",
        user_agent=sessions[0].user_agent,
        address="127.0.0.1",
        created_at=datetime.fromtimestamp(NOW + 2, timezone.utc),
        last_refreshed_at=datetime.fromtimestamp(NOW + 994, timezone.utc),
        expires_at=datetime.fromtimestamp(NOW + 1994, timezone.utc),
        current=True,
    )
    assert not service.passes(old.access_token)


def test_a_session_that_ended_by_itself_does_not_count(make: MakeService, clock: Clock) -> None:
    """Whether the store holds it still or not: nobody is told that it was ended now."""
    service = make(SESSION_LIFETIME=100)
    gone = [service.login() for _ in range(3)]
    clock.now += 100
    here = service.login()
    with hear() as heard:
        assert ended(service, here.access_token, gone[0].session_id) is False
        assert service.run(lambda: revoke_token(gone[1].refresh_token)).get_json() is False
        assert service.run(end_all_sessions, view="access", token=here.access_token).get_json() == 1
    assert [each.payload["session_id"] for each in heard] == [here.session_id]


# --- revoke_token ---------------------------------------------------------------------------------------------------


def revoked(service: Service, encoded: str | None = None, *, token: str | None = None, view: str = "open") -> Any:
    """What ``revoke_token`` says."""
    return service.run(lambda: revoke_token(encoded), view=view, token=token).get_json()


@pytest.mark.parametrize("of_a_session", [True, False])
@pytest.mark.parametrize("encoded", [True, False])
def test_revoking_an_access_token(service: Service, of_a_session: bool, encoded: bool) -> None:
    """That of the request or any other: it alone is refused, and the second time it is no news."""
    pair = service.login()
    with service.app.app_context():
        plain = [create_access_token("alice") for _ in range(2)]
    token, kept = [pair.access_token, service.refreshed(pair.refresh_token).access_token] if of_a_session else plain
    with hear() as heard:
        assert revoked(service, token if encoded else None, token=token, view="access") is True
    assert heard == []
    with hear() as heard:
        assert service.run(lambda: None, view="access", token=token).status_code == 401
    assert refusal(heard) == "revoked_token"
    assert revoked(service, token) is False
    assert service.passes(kept)


def test_revoking_a_plain_refresh_token(service: Service) -> None:
    """It belongs to no session, so it alone is refused."""
    pair = service.login()
    with service.app.app_context():
        token, other = create_refresh_token("alice"), create_refresh_token("alice")
    assert [revoked(service, token), revoked(service, token)] == [True, False]
    assert not service.passes(token, "refresh")
    assert service.passes(other, "refresh")
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("encoded", [True, False])
def test_revoking_the_refresh_token_of_a_session_ends_it(service: Service, encoded: bool) -> None:
    """As RFC 7009 asks for, and the signal says why."""
    pair = service.login()
    with hear() as heard:
        assert revoked(service, pair.refresh_token if encoded else None, token=pair.refresh_token, view="refresh")
    assert told(heard) == [("session_ended", "token_revoked")]
    assert not service.passes(pair.access_token)
    assert revoked(service, pair.refresh_token) is False


def test_revoking_an_expired_token(service: Service, clock: Clock) -> None:
    """Is no error: a client may say goodbye late."""
    with service.app.app_context():
        token = create_access_token("alice", expires_delta=timedelta(seconds=5))
    clock.now += 5
    assert revoked(service, token) is True
    pair = service.login()
    clock.now += 16 * MINUTE
    assert revoked(service, pair.access_token) is True
    assert service.refresh(pair.refresh_token).status_code == 200


def test_a_token_without_jti_cannot_be_revoked(make: MakeService) -> None:
    """There is nothing to remember it by."""
    service = make()
    token = pyjwt.encode({"sub": "alice"}, SECRET)
    for encoded in (token, None):
        with pytest.raises(ConfigurationError, match="jti"):
            service.run(lambda encoded=encoded: revoke_token(encoded), view="access", token=token)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (pyjwt.encode({"sub": "alice", "jti": "j"}, "k" * 64), "invalid_signature"),
        ("nonsense", "malformed_token"),
        ("", "malformed_token"),
    ],
)
def test_a_foreign_token_cannot_be_revoked(service: Service, encoded: str, code: str) -> None:
    """It is refused as where it is presented, and whoever listens is told."""
    caught: list[Exception] = []

    def task() -> None:
        try:
            revoke_token(encoded)
        except Exception as error:
            caught.append(error)
            raise

    with hear() as heard:
        answer = service.run(task)
    assert 400 < answer.status_code < 500
    assert told(heard) == [("token_refused", code)]
    assert isinstance(caught[0], pyjwt.InvalidTokenError)
    assert code_of(caught[0]) == code


@pytest.mark.parametrize("kind", ["access", "refresh"])
@pytest.mark.parametrize("sid", [5, [], {}, False, "unknown"], ids=repr)
def test_a_session_claim_that_is_none_of_ours(service: Service, sid: Any, kind: str) -> None:
    """Passes nowhere, and revoking the token that has it is no error."""
    create: Any = create_access_token if kind == "access" else create_refresh_token
    with service.app.app_context():
        token = create("alice", additional_claims={"sid": sid})
    assert not service.passes(token, kind)
    assert ended(service, token, view="unchecked") is False
    assert revoked(service, token) in (True, False)
    assert not service.passes(token, kind)


@pytest.mark.parametrize("of_a_session", [True, False])
@pytest.mark.parametrize("leeway", [0, 30])
def test_a_revoked_token_stays_refused_to_its_last_second(
    make: MakeService, clock: Clock, of_a_session: bool, leeway: int
) -> None:
    """Also while it is good by the leeway alone, and though the store was pruned meanwhile."""
    service = make(DECODE_LEEWAY=leeway)
    with service.app.app_context():
        token, twin = [
            start_session("alice").access_token if of_a_session else create_access_token("alice") for _ in range(2)
        ]
    assert revoked(service, token)
    last = claims_of(token)["exp"] + leeway - 1
    for moment in (last - leeway, last - leeway + 1, last):
        clock.now = moment
        service.app.extensions["flask-jwt-extended.store"][1].prune(moment, 1000)
        assert not service.passes(token)
    assert service.passes(twin)


def test_the_applications_own_blocklist_is_asked_as_before(service: Service) -> None:
    """After the store, of plain tokens and of those of a session; not of what the store refuses."""
    asked: list[str] = []
    blocked: set[str] = set()

    @service.manager.token_in_blocklist_loader
    def is_blocked(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
        asked.append(claims["jti"])
        return claims["jti"] in blocked

    pair = service.login()
    assert service.passes(pair.access_token)
    blocked.add(claims_of(pair.access_token)["jti"])
    assert not service.passes(pair.access_token)
    assert service.passes(pair.refresh_token, "refresh")
    assert asked == [claims_of(pair.access_token)["jti"]] * 2 + [claims_of(pair.refresh_token)["jti"]]
    assert ended(service, pair.refresh_token, view="refresh") is True
    asked.clear()
    assert not service.passes(pair.access_token)
    assert asked == []


def test_a_view_may_skip_the_question(service: Service) -> None:
    """``skip_revocation_check`` asks neither the store nor the loader."""
    service.manager.token_in_blocklist_loader(lambda _header, _claims: True)
    pair = service.login()
    service.run(lambda: end_session(pair.session_id))
    assert service.passes(pair.access_token, "unchecked")
    assert not service.passes(pair.access_token)


# --- tokens without a session ---------------------------------------------------------------------------------------


def test_plain_tokens_pass_with_a_store(service: Service) -> None:
    """They belong to no session, and stay as they were."""
    with service.app.app_context():
        access, refresh = create_access_token("alice"), create_refresh_token("alice")
    assert service.passes(access)
    assert service.passes(refresh, "refresh")
    assert "sid" not in {**claims_of(access), **claims_of(refresh)}


# --- cookies --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=PROFILES)
def site(request: pytest.FixtureRequest, make: MakeService) -> Service:
    """A service for browsers in each profile."""
    return make(PROFILE=request.param, TOKEN_LOCATION="cookies")


def test_a_session_in_cookies(site: Service) -> None:
    """Both tokens and both double submit values are there, and each is asked for where it should be."""
    browser = browser_of(site)
    own = {kind: csrf(browser, kind) for kind in ("access", "refresh")}
    for kind, other in (("access", "refresh"), ("refresh", "access")):
        assert post(site, lambda: None, kind, browser, own[kind]).status_code == 200
        assert post(site, lambda: None, kind, browser, own[other]).status_code in (400, 401)
        assert post(site, lambda: None, kind, browser, {}).status_code in (400, 401)
    with site.app.app_context():
        assert get_csrf_token(cookie(browser, "access_token_cookie")) == cookie(browser, "csrf_access_token")


def test_two_tabs_that_refresh_at_once(site: Service) -> None:
    """Both answers set the same refresh token and the same double submit values: whose come last does not matter."""
    browser = browser_of(site)
    tabs = [another_tab(browser) for _ in range(2)]
    for tab in tabs:
        answer = post(site, lambda: with_cookies(refresh_session()), "refresh", tab, csrf(tab, "refresh"))
        assert answer.status_code == 200
    first, second = (cookie(tab, "refresh_token_cookie") for tab in tabs)
    assert first == second != cookie(browser, "refresh_token_cookie")
    # The page of one tab, the cookie of the other; and a value that was read before either had refreshed.
    for page in (tabs[0], browser):
        assert post(site, lambda: None, "access", tabs[1], csrf(page, "access")).status_code == 200
    assert post(site, lambda: None, "refresh", tabs[1], csrf(browser, "refresh")).status_code == 200


def test_a_refusal_leaves_cookies_alone(site: Service, clock: Clock) -> None:
    """A 401 about one tab must not log out the other."""
    browser = browser_of(site)
    with site.app.app_context():
        end_all_sessions("alice")
    for view in ("access", "refresh"):
        answer = site.run(lambda: None, view=view, client=browser)
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers


def test_the_values_stay_while_the_session_goes_on(site: Service) -> None:
    """A page may have read one before another tab refreshed. The next login has others, and the store holds none."""
    browser = browser_of(site)
    before = {cookie(browser, f"csrf_{kind}_token") for kind in ("access", "refresh")}
    post(site, lambda: with_cookies(refresh_session()), "refresh", browser, csrf(browser, "refresh"))
    after = {cookie(browser, f"csrf_{kind}_token") for kind in ("access", "refresh")}
    assert before == after
    (record,) = site.app.extensions["flask-jwt-extended.store"][1].sessions()
    assert not any(value in record.to_json() for value in before)
    assert not any(part in record.to_json() for part in cookie(browser, "refresh_token_cookie").split("."))
    later = browser_of(site)
    assert before.isdisjoint(cookie(later, f"csrf_{kind}_token") for kind in ("access", "refresh"))


def test_without_csrf_protection_there_are_no_values(make: MakeService) -> None:
    """Neither in a first pair nor in a refreshed one, though it was on when the session began."""
    service = make()
    pair = service.login()
    service.app.config["JWT_COOKIE_CSRF_PROTECT"] = False
    after = service.refreshed(pair.refresh_token)
    assert "csrf" not in {**claims_of(after.access_token), **claims_of(after.refresh_token)}
    service.app.config["JWT_COOKIE_CSRF_PROTECT"] = True
    assert "csrf" in claims_of(service.refreshed(after.refresh_token).access_token)


# --- signals --------------------------------------------------------------------------------------------------------


def test_the_signals_of_a_life(service: Service, clock: Clock) -> None:
    """Each names the session, its owner and the cause, and comes from the application. None holds a token."""
    with hear() as heard:
        pair = service.login("alice")
        after = service.refreshed(pair.refresh_token)
        service.refreshed(pair.refresh_token)
        assert ended(service, after.access_token)
    about = {"session_id": pair.session_id, "identity": "alice"}
    assert [tuple(each) for each in heard] == [
        (name, service.app, {**about, "cause": cause})
        for name, cause in (
            ("session_started", "login"),
            ("session_refreshed", "rotation"),
            ("refresh_retried", "grace"),
            ("session_ended", "logout"),
        )
    ]
    sent = json.dumps([each.payload for each in heard])
    assert not any(part in sent for token in (pair.refresh_token, after.refresh_token) for part in token.split("."))


def test_a_reuse_is_told_once(service: Service, clock: Clock) -> None:
    """The session ends once, however often the stolen token comes."""
    pair = service.login()
    service.refreshed(pair.refresh_token)
    clock.now += MINUTE
    with hear() as heard:
        for _ in range(3):
            service.refresh(pair.refresh_token)
    assert told(heard) == [
        ("refresh_theft_detected", "after_grace"),
        ("session_ended", "reuse"),
        ("token_refused", "refresh_token_reused"),
        ("token_refused", "session_ended"),
        ("token_refused", "session_ended"),
    ]


# --- the store of an application ------------------------------------------------------------------------------------


def test_options_may_change_and_the_store_stays(service: Service) -> None:
    """``memory://`` keeps its sessions."""
    pair = service.login()
    for name, value in {"ACCESS_TOKEN_EXPIRES": 60, "REFRESH_GRACE": 3, "ERROR_MESSAGE_KEY": "error"}.items():
        service.app.config[f"JWT_{name}"] = value
        assert service.passes(pair.access_token)
    assert service.refresh(pair.refresh_token).status_code == 200


def test_another_store_closes_the_old_one(make: MakeService) -> None:
    """And knows nothing of its sessions."""
    old, new = BreakableStore(), BreakableStore()
    service = make(STORE_URI=old)
    pair = service.login()
    service.app.config["JWT_STORE_URI"] = new
    assert not service.passes(pair.access_token)
    assert (old.closed, new.closed) == (True, False)
    service.app.config["JWT_STORE_URI"] = None
    assert not service.passes(pair.access_token)
    assert new.closed


def test_two_applications_share_no_memory(make: MakeService) -> None:
    """Though they share a key: ``memory://`` is each one's own."""
    first, second = make(), make()
    pair = first.login()
    assert first.passes(pair.access_token)
    assert not second.passes(pair.access_token)
    assert second.run(lambda: list_sessions("alice")).get_json() == []


def test_two_applications_may_share_a_store(make: MakeService) -> None:
    """If they are given the same."""
    store = BreakableStore()
    first, second = make(STORE_URI=store), make(STORE_URI=store)
    pair = first.login()
    assert second.passes(second.refreshed(pair.refresh_token).access_token)
    assert first.run(lambda: list_sessions("alice")).get_json() != []
