"""Find the current application, its manager and its state. Other modules take these as arguments."""

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

#: The key of the manager in ``app.extensions``, as in 4.7.
EXTENSION = "flask-jwt-extended"
#: The keys of its :class:`Snapshot`, and of the names of the options that the application did not set.
STATE = "flask-jwt-extended.state"
DEFAULTS = "flask-jwt-extended.defaults"


@dataclass(slots=True, eq=False, repr=False)  # it holds keys
class Snapshot:
    """The state of an application, and what it was made from. It is made anew if one of these changes."""

    raw: tuple[Any, ...]
    state: ExtensionState
    manager: JWTManager  # tests may replace it, or patch the next two methods of its class
    encode: object
    decode: object


def get_app() -> Flask:
    """Return the current application itself, because the proxy is resolved at each use."""
    return cast("Flask", current_app._get_current_object())  # type: ignore[attr-defined]  # of LocalProxy


def get_manager(app: Flask) -> JWTManager:
    """Return the manager of an application, which must have one."""
    try:
        return app.extensions[EXTENSION]  # type: ignore[no-any-return]  # only JWTManager writes there
    except KeyError:
        raise ConfigurationError(
            "You must initialize a JWTManager with this flask application before using this method: "
            "jwt = JWTManager(app), or jwt.init_app(app)"
        ) from None


def get_state(app: Flask) -> ExtensionState:
    """Return the state that the requests of an application share. It is made anew if the configuration has changed."""
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
