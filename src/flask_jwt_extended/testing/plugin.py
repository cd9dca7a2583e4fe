"""A plugin for pytest: ``pytest_plugins = ["flask_jwt_extended.testing.plugin"]`` in the ``conftest.py`` at the root.

It needs a fixture ``app`` that returns your application, as pytest-flask does.

.. versionadded:: 5.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from .clients import logged_in
from .clients import override_identity as overriding


@pytest.fixture
def jwt_client(app: Flask) -> Callable[..., FlaskClient]:
    """Return a function that makes test clients with a token: ``jwt_client("ada", scopes="orders:read")``.

    It takes the arguments of :func:`~flask_jwt_extended.testing.clients.logged_in`, without the application.

    .. versionadded:: 5.0
    """
    return partial(logged_in, app)


@pytest.fixture
def override_identity() -> Iterator[Callable[..., None]]:
    """Return a function that gives every request an identity until the test ends, without a token:
    ``override_identity("ada", roles=["clerk"])``.

    It takes the arguments of :func:`~flask_jwt_extended.testing.clients.override_identity`.

    .. versionadded:: 5.0
    """
    with ExitStack() as until_the_end:

        def override(identity: Any, **granted: Any) -> None:
            until_the_end.enter_context(overriding(identity, **granted))

        yield override
