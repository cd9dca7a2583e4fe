"""Where sessions are kept. A backend, and the library that it needs, is imported when it is first used."""

from __future__ import annotations

from typing import Any

from ..exceptions import ConfigurationError
from .base import SessionStore

REDIS_SCHEMES = ("redis", "rediss", "redis+sentinel", "redis+cluster", "valkey", "valkeys", "unix")


def open_store(uri: Any, timeout: float) -> SessionStore:
    """Return the store that JWT_STORE_URI names. It does not connect yet.

    :param uri: a URI, or a :class:`~.base.SessionStore`, which is returned as it is
    :param timeout: seconds within which every operation of a store that is made from a URI ends
    :raises ConfigurationError: if the URI is not valid, or the library of the store is missing

    .. versionadded:: 5.0
    """
    if not isinstance(uri, str):
        if isinstance(uri, SessionStore):
            return uri
        raise ConfigurationError(
            f"JWT_STORE_URI must be a URI or a SessionStore, not a {type(uri).__name__}. "
            "A store of your own derives from flask_jwt_extended.stores.base.SessionStore"
        )
    scheme, separator, _ = uri.partition("://")
    if not separator:
        raise ConfigurationError(
            "JWT_STORE_URI must start with a scheme, such as sqlite:///jwt.db or redis://localhost"
        )
    if scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    if scheme in REDIS_SCHEMES:
        return _from_extra("redis", uri, timeout)
    return _from_extra("sql", uri, timeout)


def _from_extra(extra: str, uri: str, timeout: float) -> SessionStore:
    try:
        if extra == "redis":
            from .redis import RedisStore

            return RedisStore.from_uri(uri, timeout)
        from .sql import SqlStore

        return SqlStore.from_uri(uri, timeout)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"JWT_STORE_URI needs the module {error.name}: pip install 'flask-jwt-extended[{extra}]'"
            + (", and the driver that its scheme names" if extra == "sql" else "")
        ) from None
