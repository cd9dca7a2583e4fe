"""Names of 3.x: the error names what replaced them."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
from flask import Flask

import flask_jwt_extended
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

from ..conftest import SECRET

PACKAGE, VIEWS, UTILS = "flask_jwt_extended", "flask_jwt_extended.view_decorators", "flask_jwt_extended.utils"
REMOVED = [
    (PACKAGE, "fresh_jwt_required", "@jwt_required(fresh=True)"),
    (PACKAGE, "jwt_optional", "@jwt_required(optional=True)"),
    (PACKAGE, "jwt_refresh_token_required", "@jwt_required(refresh=True)"),
    (PACKAGE, "verify_fresh_jwt_in_request", "verify_jwt_in_request(fresh=True)"),
    (PACKAGE, "verify_jwt_in_request_optional", "verify_jwt_in_request(optional=True)"),
    (PACKAGE, "verify_jwt_refresh_token_in_request", "verify_jwt_in_request(refresh=True)"),
    (PACKAGE, "get_jwt_claims", "get_jwt()"),
    (PACKAGE, "get_raw_jwt", "get_jwt()"),
    (PACKAGE, "get_raw_jwt_header", "get_jwt_header()"),
    (VIEWS, "jwt_optional", "@jwt_required(optional=True)"),
    (VIEWS, "jwt_refresh_token_required", "@jwt_required(refresh=True)"),
    (UTILS, "get_raw_jwt", "get_jwt()"),
    (UTILS, "get_jwt_claims", "get_jwt()"),
    (UTILS, "verify_token_type", "internal_utils"),
    *(
        (module, name, replacement)
        for module in (VIEWS, UTILS)
        for name, replacement in {
            "has_user_loader": "has_user_lookup()",
            "user_loader": "user_lookup()",
            "verify_token_claims": "token_verification_loader",
            "verify_token_not_blacklisted": "verify_token_not_blocklisted()",
        }.items()
    ),
    ("flask_jwt_extended.exceptions", "UserLoadError", "UserLookupError"),
]
METHODS = {
    "claims_verification_loader": "token_verification_loader",
    "claims_verification_failed_loader": "token_verification_failed_loader",
    "token_in_blacklist_loader": "token_in_blocklist_loader",
    "user_claims_loader": "additional_claims_loader",
    "user_loader_callback_loader": "user_lookup_loader",
    "user_loader_error_loader": "user_lookup_error_loader",
}


@pytest.mark.parametrize(("module", "name", "replacement"), REMOVED)
def test_importing_a_name_of_3_x_says_what_replaced_it(module: str, name: str, replacement: str) -> None:
    """It raises an ImportError, which applications that support several versions catch."""
    for statement in (f"from {module} import {name}", f"from {module} import __name__, {name} as other"):
        with pytest.raises(ImportError) as caught:
            exec(statement, {})
        assert replacement in str(caught.value)


@pytest.mark.parametrize(("module", "name", "replacement"), REMOVED)
def test_asking_a_module_for_a_name_of_3_x_is_an_attribute_error(module: str, name: str, replacement: str) -> None:
    """``hasattr`` and ``getattr`` with a default work."""
    imported = importlib.import_module(module)
    assert not hasattr(imported, name)
    assert getattr(imported, name, "default") == "default"
    with pytest.raises(AttributeError) as caught:
        getattr(imported, name)
    assert replacement in str(caught.value)


@pytest.mark.parametrize("module", sorted({module for module, _, _ in REMOVED}))
def test_a_name_that_never_was_there_is_refused_as_by_every_module(module: str) -> None:
    """Python's own message is raised."""
    with pytest.raises(ImportError, match="cannot import name 'no_such_name'"):
        exec(f"from {module} import no_such_name", {})
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'no_such_name'"):
        _ = importlib.import_module(module).no_such_name


@pytest.mark.parametrize(("name", "replacement"), METHODS.items())
def test_a_loader_of_3_x_says_what_replaced_it(name: str, replacement: str) -> None:
    """A manager and one of a subclass raise it."""
    for manager in (JWTManager(), type("Own", (JWTManager,), {})()):
        assert not hasattr(manager, name)
        with pytest.raises(AttributeError, match=replacement):
            getattr(manager, name)


def test_an_attribute_that_no_manager_has_is_refused_as_by_every_object() -> None:
    """Python's own message is raised."""
    name = "no_such_loader"
    with pytest.raises(AttributeError, match="'JWTManager' object has no attribute 'no_such_loader'"):
        getattr(JWTManager(), name)


@pytest.mark.parametrize("create", [create_access_token, create_refresh_token])
@pytest.mark.parametrize(
    ("argument", "replacement"), [("user_claims", "additional_claims="), ("headers", "additional_headers=")]
)
def test_an_argument_of_3_x_says_what_replaced_it(create: Any, argument: str, replacement: str) -> None:
    """The error names the new argument."""
    app = Flask("app")
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app)
    with app.app_context():
        with pytest.raises(TypeError, match=f"{create.__name__}.*{replacement}"):
            create("ada", **{argument: {}})
        with pytest.raises(TypeError, match="unexpected keyword argument 'odd'"):
            create("ada", odd=1)
        assert create("ada", additional_claims={}, additional_headers={})
    assert next(iter(inspect.signature(create).parameters)) == "identity"


def test_public_names_are_none_of_those() -> None:
    """No name that exists is called removed."""
    assert not {name for _, name, _ in REMOVED} & set(flask_jwt_extended.__all__)
