"""What applications of 4.7 import from here."""

from __future__ import annotations

import json
from typing import Any

from .jwt_manager import JWTManager, json_default, manager_of
from .utils import app_at_hand


def get_jwt_manager() -> JWTManager:
    """Return the manager of the application at hand.

    :raises RuntimeError: if it has none
    """
    return manager_of(app_at_hand())


class JSONEncoder(json.JSONEncoder):
    """A JSON encoder that knows what the JSON provider of the application at hand knows."""

    def default(self, o: Any) -> Any:
        """Serialise what JSON does not know."""
        return json_default(app_at_hand(), o)
