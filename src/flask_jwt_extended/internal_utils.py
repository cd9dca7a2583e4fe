"""Names that applications of 4.7 import from here."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask

from ._context import get_app
from ._legacy import (
    custom_verification_for_token,
    has_user_lookup,
    user_lookup,
    verify_token_not_blocklisted,
    verify_token_type,
)
from ._setup import json_default
from .exceptions import RevokedTokenError, UserClaimsVerificationError, WrongTokenError
from .utils import get_jwt_manager

__all__ = [
    "JSONEncoder",
    "RevokedTokenError",
    "UserClaimsVerificationError",
    "WrongTokenError",
    "custom_verification_for_token",
    "get_json_encoder",
    "get_jwt_manager",
    "has_user_lookup",
    "user_lookup",
    "verify_token_not_blocklisted",
    "verify_token_type",
]


class JSONEncoder(json.JSONEncoder):
    """A JSON encoder that serialises what the JSON provider of the current application does."""

    def default(self, o: Any) -> Any:
        """Serialise an object that JSON does not know."""
        return json_default(get_app(), o)


def get_json_encoder(app: Flask) -> type[json.JSONEncoder]:  # noqa: ARG001  # 4.7's signature
    """Return the JSON encoder of an application."""
    return JSONEncoder
