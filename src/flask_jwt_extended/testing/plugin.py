"""A plugin for pytest: ``pytest_plugins = ["flask_jwt_extended.testing.plugin"]`` in the ``conftest.py`` at the root.

It needs a fixture ``app`` that returns your application, as pytest-flask does.
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
    """Make test clients that are logged in: ``jwt_client("ada", scopes="orders:read")``. The arguments are those of
    :func:`~flask_jwt_extended.testing.clients.logged_in`, without the application.
    """
    return partial(logged_in, app)


@pytest.fixture
def override_identity() -> Iterator[Callable[..., None]]:
    """Let every request be somebody's until the test is over: ``override_identity("ada", roles=["clerk"])``. The
    arguments are those of :func:`~flask_jwt_extended.testing.clients.override_identity`.
    """
    with ExitStack() as until_the_test_is_over:

        def override(identity: Any, **granted: Any) -> None:
            until_the_test_is_over.enter_context(overriding(identity, **granted))

        yield override
