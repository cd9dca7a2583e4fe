"""Fixtures for the tests of sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import pytest

from ..axes import PROFILES
from ..conftest import MakeApp
from .helpers import Clock, Service, service_of, stopped_clock

MakeService = Callable[..., Service]


@pytest.fixture
def make(make_app: MakeApp) -> MakeService:
    """Make a service with the given options. It takes tokens from headers and cookies."""

    def with_options(**options: Any) -> Service:
        return service_of(make_app, **{"TOKEN_LOCATION": ["headers", "cookies"], **options})

    return with_options


@pytest.fixture
def profile(request: pytest.FixtureRequest) -> str:
    """The profile of this test: each of the two has about half of the tests. ``both_profiles`` overrides it."""
    return PROFILES[crc32(request.node.name.encode()) % len(PROFILES)]


@pytest.fixture
def service(make: MakeService, profile: str) -> Service:
    """A service with the default options of the profile."""
    return make(PROFILE=profile)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that the test sets."""
    return stopped_clock(monkeypatch)
