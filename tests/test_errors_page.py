"""docs/errors.md: every code there is, with the statuses that it is answered with."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from flask import Flask
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from flask_jwt_extended import JWTManager, exceptions
from flask_jwt_extended.exceptions import (
    _CODES,
    ConfigurationError,
    JWTExtendedException,
    TokenRefused,
    UnavailableError,
    code_of,
)

PAGE = (Path(__file__).parent.parent / "docs" / "errors.md").read_text()
ROWS = {
    cells[0].strip("` "): cells[1:]
    for line in PAGE.splitlines()
    if line.startswith("| `") and len(cells := line.strip("|").split("|")) == 5
}
OURS = [
    each
    for each in vars(exceptions).values()
    if isinstance(each, type) and issubclass(each, JWTExtendedException)
    if each not in (JWTExtendedException, TokenRefused, UnavailableError)
]
EVERY = [*OURS, *_CODES]


def instance(error: type[Exception]) -> Exception:
    """An error as it would be raised."""
    if issubclass(error, (exceptions.InsufficientScopeError, exceptions.RevokedTokenError)) or error in (
        exceptions.InsufficientAuthenticationError,
    ):
        return error({}, {})
    return error("no", {}, {}) if issubclass(error, TokenRefused) else error("no")


def test_every_code_has_a_row() -> None:
    """And every row has a known code."""
    assert set(ROWS) == {code_of(instance(error)) for error in EVERY}
    assert ConfigurationError not in EVERY


@pytest.mark.parametrize("error", EVERY, ids=lambda error: error.__name__)
def test_the_row_says_the_class_and_both_statuses(error: type[Exception]) -> None:
    """The statuses are those of the default responses."""
    classes, compat, strict, words = ROWS[code_of(instance(error))]
    assert f"{error.__name__}`" in classes
    assert [status(error, "compat"), status(error, "strict")] == [int(compat), int(strict)]
    assert words.strip().endswith(".")


def status(error: type[Exception], profile: str) -> int:
    """The status of the response if a view raises the error."""
    app = Flask("app")
    app.config.update(JWT_SECRET_KEY="k" * 10 + "0123456789abcdef" * 4, JWT_PROFILE=profile)
    JWTManager(app)

    @app.get("/")
    def view() -> str:
        raise instance(error)

    if issubclass(error, (exceptions.InsufficientScopeError, exceptions.InsufficientAuthenticationError)) or issubclass(
        error, UnavailableError
    ):
        app.register_error_handler(error, app.extensions["flask-jwt-extended"]._answer)
    return app.test_client().get("/").status_code


def test_subclasses_of_pyjwt_are_among_them() -> None:
    """PyJWT raises them for claims of a wrong type."""
    assert {InvalidSubjectError, InvalidJTIError, jwt.InvalidIssuedAtError} <= set(_CODES)
