"""The examples that have pages: on two origins, without a script, over a WebSocket."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import expect

from ..examples.conftest import EXAMPLES, Load
from ..examples.servers import served
from .conftest import Visit

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def site() -> Any:
    """The front end of the single-page application, on a port of its own: python -m http.server."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(EXAMPLES / "spa" / "site"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_spa_on_two_origins(load: Load, site: str, visit: Visit) -> None:
    """Log in, write, continue after the access token has expired, log out: from another origin than the API."""
    app = load("spa/api").app
    app.config["JWT_TRUSTED_ORIGINS"] = [site]
    with served(app) as port:
        page = visit(f"{site}/?api=http://localhost:{port}")
        answer = page.locator("#answer")
        page.get_by_role("button", name="Who am I?").click()
        expect(answer).to_contain_text("401")
        app.config["JWT_ACCESS_TOKEN_EXPIRES"] = 2
        page.get_by_role("button", name="Log in").click()
        expect(answer).to_contain_text("200")
        page.get_by_role("button", name="Keep").click()
        expect(answer).to_contain_text('201 {"kept":"Hello"}')
        page.wait_for_timeout(2_100)
        app.config["JWT_ACCESS_TOKEN_EXPIRES"] = 900
        with page.expect_response("**/refresh"):
            page.get_by_role("button", name="Keep").click()
        expect(answer).to_contain_text("201")
        assert not page.evaluate("document.cookie")  # they belong to the other origin, or are HttpOnly
        page.get_by_role("button", name="Log out").click()
        expect(answer).to_contain_text('200 {"ended":true}')
        page.get_by_role("button", name="Who am I?").click()
        expect(answer).to_contain_text("401")


def test_spa_of_a_stranger(load: Load, site: str, visit: Visit) -> None:
    """A page of an unknown origin reads nothing and writes nothing."""
    app = load("spa/api").app
    with served(app) as port:
        page = visit(f"{site}/?api=http://localhost:{port}")
        failed = page.evaluate(
            """(url) => fetch(url, { credentials: "include" }).then(() => "read", () => "not to be read")""",
            f"http://localhost:{port}/me",
        )
        assert failed == "not to be read"


def test_notes_without_a_script(load: Load, visit: Visit) -> None:
    """Every step is a page or a form."""
    with served(load("notes/app").app) as port:
        page = visit(f"http://localhost:{port}/", java_script_enabled=False)
        page.get_by_label("Name").fill("ada")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading")).to_have_text("Notes of ada")
        page.get_by_label("Note").fill("<b>tea</b>")
        page.get_by_role("button", name="Keep").click()
        expect(page.get_by_role("listitem")).to_have_text(["<b>tea</b>"])
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Name")).to_be_visible()
        page.goto(f"http://localhost:{port}/")
        expect(page.get_by_label("Name")).to_be_visible()


def test_chat_in_two_browsers(load: Load, visit: Visit) -> None:
    """Anonymous users are refused; two users talk; a user who logs out is disconnected."""
    with served(load("chat/app").app) as port:
        ada, grace = (visit(f"http://localhost:{port}/") for _ in range(2))
        ada.get_by_role("button", name="Join", exact=True).click()
        expect(ada.get_by_text("Refused: missing_token")).to_be_visible()
        grace.get_by_label("Name").fill("grace")
        for page, name in ((ada, "ada"), (grace, "grace")):
            page.get_by_role("button", name="Log in and join").click()
            expect(ada.get_by_text(f"{name} is here")).to_be_visible()
        grace.get_by_label("Say").fill("tea?")
        grace.get_by_role("button", name="Say").click()
        expect(ada.get_by_text("grace: tea?")).to_be_visible()
        ada.get_by_role("button", name="Log out").click()
        expect(ada.get_by_text("The connection is closed").last).to_be_visible()
