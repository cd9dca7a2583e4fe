"""What the tests share: the application, and ``jwt_client`` for being somebody."""

import pytest
from app import create_app

pytest_plugins = ["flask_jwt_extended.testing.plugin"]


@pytest.fixture
def app():
    return create_app()
