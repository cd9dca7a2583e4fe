"""A plugin for pytest: ``pytest_plugins = ["flask_jwt_extended.testing.plugin"]`` in the ``conftest.py`` at the root.

It needs a fixture ``app`` that returns your application, as pytest-flask does.

.. versionadded:: 5.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from flask import Flask
from flask.testing import FlaskClient

from . import clients


@pytest.fixture
def jwt_client(app: Flask) -> Callable[..., FlaskClient]:
    """Make test clients with a token: ``jwt_client("ada", scopes="orders:read")``.

    It takes the arguments of :func:`~flask_jwt_extended.testing.clients.logged_in`, without the application.

    .. versionadded:: 5.0
    """
    return partial(clients.logged_in, app)


@pytest.fixture
def override_identity() -> Iterator[Callable[..., None]]:
    """Give every request an identity until the test ends: ``override_identity("ada", roles=["clerk"])``.

    It takes the arguments of :func:`~flask_jwt_extended.testing.clients.override_identity`.

    .. versionadded:: 5.0
    """
    with ExitStack() as until_the_end:
        yield lambda identity, **held: until_the_end.enter_context(clients.override_identity(identity, **held))
