"""Shared fixtures: the application, and ``jwt_client`` for requests with an identity."""

import pytest
from app import create_app

pytest_plugins = ["flask_jwt_extended.testing.plugin"]


@pytest.fixture
def app():
    return create_app()
