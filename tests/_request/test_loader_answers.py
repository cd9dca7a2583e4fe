"""Results of loaders for roles and revocation: a string is one role, and a missing result allows nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from typing import Any

import pytest
from flask import Flask

from flask_jwt_extended import (
    JWTManager,
    all_of,
    create_access_token,
    jwt_required,
    refresh_expiring_cookies,
    set_access_cookies,
    start_session,
)

from ..axes import PROFILES, both_profiles, rotated
from ..conftest import MakeApp, bearer

STYLES = ["sync", "async", "hidden"]
_DAY = timedelta(days=1)


class Role(str, Enum):
    """Roles as applications write them."""

    ADMIN = "admin"
    READER = "reader"


def styled(style: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The loader as a function, as a coroutine function, or as a function that returns a coroutine."""

    async def later(*arguments: Any) -> Any:
        return function(*arguments)

    return {"sync": function, "async": later, "hidden": lambda *arguments: later(*arguments)}[style]


def ask(app: Flask, **demands: Any) -> int:
    """The status for a user whose token has no roles."""
    app.add_url_rule("/x", "x", jwt_required(**demands)(lambda: "x"))
    with app.app_context():
        token = create_access_token("ada")
    return app.test_client().get("/x", headers=bearer(token)).status_code


def warnings_of(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if name in each.getMessage()]


# --- roles_loader ---------------------------------------------------------------------------------------------------


@rotated(
    "answer,role,passes",
    [
        ("admin", "admin", True),
        ("admin", "a", False),
        ("admin", "min", False),
        ("admin reader", "admin", False),
        ("admin reader", "admin reader", True),
        ("admin", all_of("a", "d"), False),
        ("", "a", False),
        (["admin"], "admin", True),
        (["admin"], "a", False),
        (("reader", "admin"), "admin", True),
        ({"admin"}, "admin", True),
        (frozenset(("admin",)), "admin", True),
        (Role.ADMIN, "admin", True),
        ([Role.ADMIN], "admin", True),
        ([Role.ADMIN], "ADMIN", False),
    ],
    ids=str,
    style=STYLES,
)
def test_names_of_roles(app: Flask, answer: Any, role: Any, passes: bool, style: str, caplog: Any) -> None:
    """A string is one role, and is compared as a whole."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.roles_loader(styled(style, lambda _header, _claims: answer))
    assert ask(app, roles=role) == (200 if passes else 403)
    assert warnings_of(caplog, "roles_loader") == []


_LAZY: dict[str, tuple[Callable[[], Any], int]] = {
    "iterator": (lambda: iter(["admin"]), 200),
    "generator": (lambda: (name for name in ["admin"]), 200),
    "keys": (lambda: {"admin": False}.keys(), 200),
    "map": (lambda: map(str, [Role.READER, "admin"]), 200),
    "empty": (lambda: iter(()), 403),
    "mapping": (lambda: {"admin": False}, 403),
}


@pytest.mark.parametrize("collection", _LAZY)
def test_other_collections_of_names(app: Flask, collection: str) -> None:
    """A generator and a view of keys are accepted; a mapping is not, because its values may be false."""
    make, status = _LAZY[collection]
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.roles_loader(lambda _header, _claims: make())
    assert ask(app, roles="admin") == status


@rotated(
    "answer",
    [None, {"admin": False}, {"admin": True}, b"admin", bytearray(b"admin"), 5, True, [["admin"]], [None], [b"admin"]],
    ids=repr,
    style=STYLES,
)
def test_what_is_no_role(app: Flask, answer: Any, style: str, caplog: pytest.LogCaptureFixture) -> None:
    """Other results end in a 403, and one log line names the loader."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.roles_loader(styled(style, lambda _header, _claims: answer))
    with caplog.at_level(logging.WARNING, logger="flask_jwt_extended"):
        assert ask(app, roles="admin") == 403
        with app.app_context():
            token = create_access_token("ada")
        assert app.test_client().get("/x", headers=bearer(token)).status_code == 403
    assert len(warnings_of(caplog, "roles_loader")) == 1


def test_names_among_other_things_count(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Names among other values count, and the other values are logged."""
    manager: JWTManager = app.extensions["flask-jwt-extended"]
    answer: Any = [None, ["x"], "admin", 5]
    manager.roles_loader(lambda _header, _claims: answer)
    assert ask(app, roles="admin") == 200
    assert len(warnings_of(caplog, "roles_loader")) == 1


@pytest.mark.parametrize("claim", ["roles", "groups"])
@pytest.mark.parametrize(("value", "status"), [("admin", 200), ("administrator", 403), ("a", 403), (["admin"], 200)])
def test_a_claim_that_is_a_string_is_one_role(app: Flask, claim: str, value: Any, status: int) -> None:
    """Without a loader, a string in ``roles`` or ``groups`` is one role."""
    app.add_url_rule("/x", "x", jwt_required(roles="admin")(lambda: "x"))
    with app.app_context():
        token = create_access_token("ada", additional_claims={claim: value})
    assert app.test_client().get("/x", headers=bearer(token)).status_code == status


# --- token_in_blocklist_loader --------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@both_profiles
@pytest.mark.parametrize("store", [None, "memory://"])
def test_a_forgotten_return(
    make_app: MakeApp, profile: str, style: str, store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """In strict the token is refused; in compat it passes, as in 4.7. One log line names the function."""
    app = make_app(PROFILE=profile, STORE_URI=store)

    def forgets(_header: Any, claims: Any) -> None:
        str(claims["jti"]).startswith("revoked")

    manager: JWTManager = app.extensions["flask-jwt-extended"]
    manager.token_in_blocklist_loader(styled(style, forgets))
    with caplog.at_level(logging.WARNING, logger="flask_jwt_extended"):
        assert ask(app) == (401 if profile == "strict" else 200)
        with app.app_context():
            token = create_access_token("ada")
        app.test_client().get("/x", headers=bearer(token))
    (line,) = warnings_of(caplog, "token_in_blocklist_loader")
    assert style != "sync" or "forgets" in line
    assert "return" in line


@rotated(
    "answer,status",
    [(False, 200), (True, 401), (0, 200), (1, 401), ([], 200), (["jti"], 401), ("", 200)],
    profile=PROFILES,
)
def test_other_answers_are_taken_as_in_4_7(
    make_app: MakeApp, profile: str, answer: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Other results of token_in_blocklist_loader count by their truth."""
    app = make_app(PROFILE=profile)
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(lambda _header, _claims: answer)
    assert ask(app) == status
    assert warnings_of(caplog, "token_in_blocklist_loader") == []


@both_profiles
def test_a_cookie_is_not_extended_where_the_answer_is_missing(make_app: MakeApp, profile: str) -> None:
    """In strict, cookies are not extended either, even in a view that skips the revocation check."""
    app = make_app(PROFILE=profile, STORE_URI="memory://", TOKEN_LOCATION="cookies", ACCESS_TOKEN_EXPIRES=2)
    app.extensions["flask-jwt-extended"].token_in_blocklist_loader(lambda _header, _claims: None)
    app.after_request(lambda response: refresh_expiring_cookies(response, within=_DAY))
    app.add_url_rule("/x", "x", jwt_required(skip_revocation_check=True)(lambda: "x"))

    @app.get("/login")
    def login() -> Any:
        response = app.make_response("")
        set_access_cookies(response, start_session("ada").access_token)
        return response

    browser = app.test_client()
    assert browser.get("/login", base_url="https://localhost").status_code == 200
    answer = browser.get("/x", base_url="https://localhost")
    assert answer.status_code == 200
    assert bool(answer.headers.getlist("Set-Cookie")) is (profile == "compat")


@both_profiles
@pytest.mark.parametrize(("answer", "is_accepted"), [(None, False), (False, False), (True, True)])
def test_a_verification_that_does_not_answer_refuses(
    make_app: MakeApp, profile: str, answer: Any, is_accepted: bool
) -> None:
    """A result of ``None`` of token_verification_loader refuses, as in 4.7."""
    app = make_app(PROFILE=profile)
    app.extensions["flask-jwt-extended"].token_verification_loader(lambda _header, _claims: answer)
    assert (ask(app) == 200) is is_accepted


def _yields(_header: Any, _claims: Any) -> Any:
    yield None


async def _yields_async(_header: Any, _claims: Any) -> Any:
    yield None


@both_profiles
@pytest.mark.parametrize("loader", [_yields, _yields_async], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ["token_in_blocklist_loader", "token_verification_loader", "user_lookup_loader"])
def test_a_generator_is_no_answer(
    make_app: MakeApp, profile: str, loader: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A loader that contains ``yield`` has not run yet when it returns, so the token is refused."""
    app = make_app(PROFILE=profile)
    getattr(app.extensions["flask-jwt-extended"], name)(loader)
    with caplog.at_level(logging.WARNING, logger="flask_jwt_extended"):
        assert ask(app) in (400, 401, 403)
    if name != "token_in_blocklist_loader":
        assert [loader.__name__ in line for line in warnings_of(caplog, name)] == [True]
