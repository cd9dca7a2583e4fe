"""Making a token whose subject will be refused is logged; other tokens are not."""

from __future__ import annotations

import enum
import logging
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, jwt_required

from ..conftest import SECRET, bearer

ID = UUID("6f1c1f7e-6e0a-4c0e-9a53-0d1c9e3f7b11")


class Text(str):
    __slots__ = ()


class Name(str, enum.Enum):
    ADA = "ada"


class Role(enum.IntEnum):
    ADMIN = 1


class User:
    """An object that the JSON provider of the application writes as a string."""


class Provider(DefaultJSONProvider):
    """Writes users as their names, and points as lists."""

    @staticmethod
    def default(value: Any) -> Any:
        if isinstance(value, User):
            return "ada"
        return [1, 2] if isinstance(value, complex) else DefaultJSONProvider.default(value)


def make(**options: Any) -> Flask:
    app = Flask("app")
    app.json_provider_class = Provider
    app.json = Provider(app)
    app.config.update(JWT_SECRET_KEY=SECRET, **options)
    JWTManager(app)
    app.add_url_rule("/", view_func=jwt_required()(lambda: ""))
    return app


def status(app: Flask, identity: Any) -> int:
    with app.app_context():
        token = create_access_token(identity)
        create_refresh_token(identity)
    return app.test_client().get("/", headers=bearer(token)).status_code


@pytest.mark.parametrize(
    "identity",
    [
        "ada",
        Text("ada"),
        Name.ADA,
        ID,
        Decimal("5"),
        date(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=timezone.utc),
        User(),
    ],
    ids=lambda identity: type(identity).__name__,
)
def test_what_json_writes_as_a_string_is_accepted_and_not_logged(
    identity: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Values that the JSON provider of the application writes as strings are accepted, without a warning."""
    caplog.set_level(logging.WARNING, "flask_jwt_extended")
    assert status(make(), identity) == 200
    assert caplog.records == []


@pytest.mark.parametrize("identity", [5, 5.5, True, Role.ADMIN, [1], {"id": 1}, 1j], ids=repr)
def test_what_json_writes_otherwise_is_refused_and_logged(identity: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Other values are refused; the warning is logged once and names the type."""
    caplog.set_level(logging.WARNING, "flask_jwt_extended")
    assert status(make(), identity) == 422
    (record,) = caplog.records
    assert f"of type {type(identity).__name__}" in record.getMessage()


@pytest.mark.parametrize("options", [{"JWT_VERIFY_SUB": False}, {"JWT_IDENTITY_CLAIM": "id"}])
def test_where_numbers_are_accepted_they_are_not_logged(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """There is no warning if the options let numbers pass."""
    caplog.set_level(logging.WARNING, "flask_jwt_extended")
    assert status(make(**options), 5) == 200
    assert caplog.records == []


def test_an_identity_that_no_token_can_hold_is_an_error_that_names_the_fix() -> None:
    """The error for an object that JSON does not support names user_identity_loader."""
    app = make()
    with app.app_context(), pytest.raises(TypeError, match="user_identity_loader"):
        create_access_token(object())
