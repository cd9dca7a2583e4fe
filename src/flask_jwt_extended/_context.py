"""Find the current application, its manager, and the state that its requests share.

Everything else is handed these.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app

from ._settings.snapshot import read_raw
from .exceptions import ConfigurationError

if TYPE_CHECKING:
    from ._state import ExtensionState
    from .jwt_manager import JWTManager

#: Where an application keeps its manager, as in 4.7.
EXTENSION = "flask-jwt-extended"
#: Where it keeps its :class:`Snapshot`, and the names of the options that it did not set.
STATE = "flask-jwt-extended.state"
DEFAULTS = "flask-jwt-extended.defaults"


@dataclass(slots=True, eq=False, repr=False)  # it holds keys
class Snapshot:
    """The state of an application, and what it was made from.

    :ivar raw: the configuration
    :ivar manager: its manager. A test may replace it
    :ivar encode: the method of its class that makes tokens. A test may patch it
    :ivar decode: the method of its class that verifies tokens
    """

    raw: tuple[Any, ...]
    state: ExtensionState
    manager: JWTManager
    encode: object
    decode: object


def get_app() -> Flask:
    """Return the current application itself, not the proxy, which would be resolved at each use."""
    return cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]  # of LocalProxy


def get_manager(app: Flask) -> JWTManager:
    """Return the manager that an application was initialised with.

    :raises ConfigurationError: if there is none
    """
    try:
        return app.extensions[EXTENSION]  # type: ignore[no-any-return]  # only JWTManager writes there
    except KeyError:
        raise ConfigurationError(
            "You must initialize a JWTManager with this flask application before using this method: "
            "jwt = JWTManager(app), or jwt.init_app(app)"
        ) from None


def get_state(app: Flask) -> ExtensionState:
    """Return what the requests of an application share. It is made again if the configuration has changed.

    :raises ConfigurationError: if an option has a value that cannot work
    """
    try:
        snapshot: Snapshot = app.extensions[STATE]
        manager_class = type(snapshot.manager)
        if (
            app.extensions[EXTENSION] is snapshot.manager
            and snapshot.raw == read_raw(app.config)
            and manager_class._decode_jwt_from_config is snapshot.decode
            and manager_class._encode_jwt_from_config is snapshot.encode
        ):
            return snapshot.state
    except KeyError:  # not initialised, or an option was deleted from the configuration
        pass
    return get_manager(app)._renew(app)


def filled_in(app: Flask) -> Container[str]:
    """Return the names of the options that the application did not set."""
    return cast("Container[str]", app.extensions[DEFAULTS])
