"""``start_session``: the tokens of a login, what is stored of the client, and the arguments of loaders."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from flask_jwt_extended import (
    ConfigurationError,
    TokenPair,
    get_current_user,
    list_sessions,
    refresh_session,
    start_session,
)

from ..axes import PROFILES, both_profiles
from ..conftest import SECRET
from ..tokens import claims_of
from .conftest import MakeService
from .helpers import DAY, MINUTE, NOW, Clock, Service, signals_sent


@both_profiles
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


def test_a_pair_is_json_and_its_repr_shows_no_token(service: Service) -> None:
    """``jsonify`` sends all three values to the client; a log of the pair contains no token."""
    answer = service.run(lambda: start_session("alice"))
    pair = service.returned
    assert isinstance(pair, TokenPair)
    assert answer.get_json() == {
        "access_token": pair.access_token,
        "refresh_token": pair.refresh_token,
        "session_id": pair.session_id,
    }
    assert repr(pair) == f"TokenPair(session_id='{pair.session_id}')"


@pytest.mark.parametrize(
    ("fresh", "claim"), [(False, False), (True, True), (timedelta(minutes=5), NOW + 5 * MINUTE), (timedelta(0), False)]
)
def test_how_long_a_login_is_fresh(service: Service, clock: Clock, fresh: Any, claim: Any) -> None:
    """The argument ``fresh`` decides."""
    assert claims_of(service.login(fresh=fresh).access_token)["fresh"] == claim


def test_a_session_that_cannot_be_signed_is_not_stored(make: MakeService) -> None:
    """No signal is sent either."""
    service = make(SECRET_KEY=None)
    with signals_sent() as sent, pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        service.login()
    assert sent == []
    assert service.sessions("alice") == []


# --- additional claims ----------------------------------------------------------------------------------------------


def test_additional_claims_stay_with_the_session(service: Service) -> None:
    """Every token of it has them, as JSON values."""
    pair = service.login(additional_claims={"role": "admin", "when": datetime(2024, 1, 1, tzinfo=timezone.utc)})
    for each in (pair, service.refreshed(pair.refresh_token)):
        for token in (each.access_token, each.refresh_token):
            assert claims_of(token)["role"] == "admin"
            assert claims_of(token)["when"] == "Mon, 01 Jan 2024 00:00:00 GMT"


@pytest.mark.parametrize("claim", ["sid", "exp", "jti", "sub", "type"])
@pytest.mark.parametrize("by_loader", [False, True], ids=["argument", "loader"])
def test_additional_claims_do_not_replace_those_of_the_session(service: Service, claim: str, by_loader: bool) -> None:
    """Neither the argument nor the loader changes the session, the type, the identity or the expiry."""
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


def test_every_access_token_has_the_time_of_the_login(service: Service, clock: Clock) -> None:
    """Its claim ``auth_time``, unless the application sets another."""
    pair, other = service.login(), service.login(additional_claims={"auth_time": 5})
    clock.now += MINUTE
    for each, expected in ((pair, NOW), (other, 5)):
        after = service.refreshed(each.refresh_token)
        assert [claims_of(token)["auth_time"] for token in (each.access_token, after.access_token)] == [expected] * 2


def test_additional_claims_do_not_make_a_refreshed_token_fresh(service: Service) -> None:
    """A refresh does not prove that the user knows the password."""
    pair = service.login(additional_claims={"fresh": True})
    assert claims_of(service.refreshed(pair.refresh_token).access_token)["fresh"] is False


# --- the client -----------------------------------------------------------------------------------------------------


def test_the_client_is_stored(service: Service) -> None:
    """Its label, user agent and address; none of them without a request."""
    token = service.login("alice", label="phone", headers={"User-Agent": "Browser/1"}).access_token
    with service.app.app_context():
        pair = start_session("alice")
    known = {each.session_id: (each.label, each.user_agent, each.address) for each in service.sessions(token=token)}
    assert known.pop(pair.session_id) == (None, None, None)
    assert list(known.values()) == [("phone", "Browser/1", "127.0.0.1")]
    assert service.passes(pair.access_token)


@pytest.mark.parametrize("name", ["label", "user_agent"])
@pytest.mark.parametrize(("length", "kept"), [(0, 0), (256, 256), (257, 256), (60_000, 256)])
def test_a_long_text_is_cut(service: Service, name: str, length: int, kept: int) -> None:
    """256 characters are stored."""
    text = "a" * length
    pair = service.login(label=text) if name == "label" else service.login(headers={"User-Agent": text})
    (info,) = service.sessions(token=pair.access_token)
    assert getattr(info, name) == "a" * kept


@pytest.mark.parametrize("label", [5, 1.5, True, ["a"], {"a": [1]}, "\ud800", "a\0b", ["a" * 1000]])
def test_a_label_of_any_json_type_is_stored_as_text(service: Service, label: Any) -> None:
    """A view passes ``request.json["label"]``."""
    service.login(label=label)
    answer = service.run(lambda: list_sessions("alice"))
    assert answer.get_json()[0]["label"] == str(label)[:256]


_AGENTS = [
    *("", " ", "\x00", "\x7f", "a\tb", "ü", "\xff\xfe", "x" * 9000),
    *("'; DROP TABLE jwt_sessions;--", "{{7*7}}", "\x1b[31m"),
]


@pytest.mark.parametrize("agent", _AGENTS, ids=lambda agent: repr(agent[:20]))
def test_any_user_agent_is_stored_as_text(service: Service, agent: str) -> None:
    """None is an error."""
    service.task = lambda: start_session("alice")
    client = service.app.test_client()
    token = client.post("/do/open", environ_overrides={"HTTP_USER_AGENT": agent}).get_json()["access_token"]
    (info,) = service.sessions(token=token)
    assert isinstance(info.user_agent, str)
    assert len(info.user_agent) <= 256
    assert service.passes(token)


# --- identities -----------------------------------------------------------------------------------------------------

#: Identities, and the claim for each.
_IDENTITIES: list[tuple[Any, Any]] = [
    (uuid.UUID(int=5), str(uuid.UUID(int=5))),
    (7, 7),
    (0, 0),
    ("", ""),
    ({"b": 1, "a": [None]}, {"a": [None], "b": 1}),
    (["a", 1], ["a", 1]),
    ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    (1.5, 1.5),
    (True, True),
    ("ü\x00\ud800", "ü\x00\ud800"),
    ("x" * 5000, "x" * 5000),
]


@pytest.mark.parametrize(("identity", "claim"), _IDENTITIES, ids=lambda value: repr(value)[:20])
def test_an_identity_of_any_json_type(make: MakeService, identity: Any, claim: Any) -> None:
    """Its sessions are found by the identity, and by the claim in their tokens."""
    service = make(VERIFY_SUB=False)
    pair = service.login(identity)
    assert claims_of(pair.access_token)["sub"] == claims_of(pair.refresh_token)["sub"] == claim
    pair = service.refreshed(pair.refresh_token)
    assert service.passes(pair.access_token)
    for owner in (identity, claim, None):
        assert [each.session_id for each in service.sessions(owner, token=pair.access_token)] == [pair.session_id]
    assert service.end_all(identity) == 1
    assert not service.passes(pair.access_token)


def test_identities_of_different_types_are_different(make: MakeService) -> None:
    """The session of user 5 does not belong to user "5"."""
    service = make(VERIFY_SUB=False)
    number, text = service.login(5), service.login("5")
    assert service.end(number.access_token, text.session_id) is False
    assert service.end_all("5") == 1
    assert service.passes(number.access_token)


def test_another_identity_claim(make: MakeService) -> None:
    """JWT_IDENTITY_CLAIM names the claim. Additional claims do not replace it."""
    service = make(IDENTITY_CLAIM="user")
    pair = service.login("alice", additional_claims={"user": "eve", "sub": "x"})
    after = service.refreshed(pair.refresh_token)
    assert [claims_of(each)["user"] for each in (after.access_token, after.refresh_token)] == ["alice", "alice"]
    assert service.sessions(token=after.access_token)[0].identity == "alice"


# --- lifetimes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_no_token_outlives_its_session(make: MakeService, clock: Clock, profile: str) -> None:
    """Whatever the lifetimes of tokens are, at the login and after a refresh."""
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


def test_tokens_without_a_lifetime_end_with_their_session(make: MakeService, clock: Clock) -> None:
    """``False`` means: until the end of the session."""
    service = make(SESSION_LIFETIME=3600, ACCESS_TOKEN_EXPIRES=False, REFRESH_TOKEN_EXPIRES=False)
    pair = service.login()
    assert claims_of(pair.access_token)["exp"] == claims_of(pair.refresh_token)["exp"] == NOW + 3600


def test_a_session_without_end(make: MakeService, clock: Clock) -> None:
    """Its tokens have no ``exp`` claim if their lifetimes are unlimited too."""
    service = make(SESSION_LIFETIME=None, ACCESS_TOKEN_EXPIRES=False, REFRESH_TOKEN_EXPIRES=False)
    pair = service.login()
    assert "exp" not in {**claims_of(pair.access_token), **claims_of(pair.refresh_token)}
    clock.now += 1000 * 365 * DAY
    after = service.refreshed(pair.refresh_token)
    assert service.passes(after.access_token)
    assert service.sessions(token=after.access_token)[0].expires_at is None


# --- the arguments of loaders ---------------------------------------------------------------------------------------


class User:
    """The user of an application."""

    def __init__(self, name: str) -> None:
        self.name = name


def knows_users(service: Service) -> None:
    """Let an application pass and get users in place of identities."""
    service.manager.user_identity_loader(lambda user: getattr(user, "name", user))
    service.manager.user_lookup_loader(lambda _header, claims: User(claims["sub"]))


_LOADERS: dict[str, Any] = {"additional_claims": {}, "additional_headers": {}, "encode_key": SECRET}


@pytest.mark.parametrize("loader", _LOADERS)
def test_loaders_get_the_user(service: Service, loader: str) -> None:
    """At the login its argument; at a refresh, also a repeated one, what ``user_lookup_loader`` returned."""
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


def test_without_a_user_loaders_get_the_identity_claim(service: Service) -> None:
    """There is no ``user_lookup_loader`` here."""
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


def test_a_refresh_keeps_the_identity_of_the_session(service: Service) -> None:
    """Also if ``user_lookup_loader`` returns another user."""
    service.manager.user_identity_loader(lambda user: user.name if isinstance(user, User) else user)
    service.manager.user_lookup_loader(lambda _header, _claims: User("another"))
    after = service.refreshed(service.login(User("alice")).refresh_token)
    assert claims_of(after.access_token)["sub"] == claims_of(after.refresh_token)["sub"] == "alice"


def test_sessions_of_a_user_object(service: Service) -> None:
    """``user_identity_loader`` returns its identity."""
    knows_users(service)
    pair, _ = service.login(User("alice")), service.login(User("bob"))
    assert [each.session_id for each in service.sessions(User("alice"))] == [pair.session_id]
    assert service.end_all(User("alice")) == 1
    assert service.end_all(User("carol")) == 0
