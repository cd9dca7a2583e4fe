"""A browser, and the demo on a port."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from flask_jwt_extended._context import get_state

from ..examples.conftest import load as load  # a fixture
from ..examples.servers import served
from ..servers import program
from ..test_demo import demo

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

Visit = Callable[..., Page]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test here."""
    item.add_marker(pytest.mark.browser)


#: Milliseconds: the machine may be busy.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of the system. It stops with the module, because its event loop would disturb other tests."""
    path = next(filter(None, map(shutil.which, NAMES)), None) or program("chromium", package="chromium")
    arguments = ["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file."""
    path = tmp_path_factory.mktemp("browser") / "keys.json"
    demo.type_keys(str(path), "generate")
    return path


@pytest.fixture
def lifetime() -> timedelta:
    """The lifetime of access tokens. A test may override it."""
    return timedelta(seconds=60)


@pytest.fixture
def address(made_keys: Path, tmp_path: Path, lifetime: timedelta) -> Iterator[str]:
    """The address of the demo."""
    shutil.copy2(made_keys, tmp_path)
    app = demo.create_app(str(tmp_path / "keys.json"), f"sqlite:///{tmp_path}/jwt.db")
    app.config["JWT_ACCESS_TOKEN_EXPIRES"] = lifetime
    with served(app) as port:
        yield f"http://127.0.0.1:{port}"
    store = get_state(app).store
    assert store is not None
    store.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open an address in a new browser context. Errors on the page fail the test."""
    contexts: list[BrowserContext] = []
    failures: list[str] = []

    def open_page(where: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(where)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert failures == []
