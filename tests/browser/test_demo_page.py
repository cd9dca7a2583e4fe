"""The demo as people meet it: every button pressed, by one person, by two, by a thief, and from another site."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Locator, Page, expect

from ..examples.servers import served
from .conftest import Visit

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def log_in(page: Page, name: str = "Ada Lovelace") -> None:
    """Press a user's button, and wait for the token."""
    page.get_by_role("button", name=name).click()
    expect(page.locator("#state")).to_contain_text(name)


def press(page: Page, name: str) -> None:
    """Press the first button with this name."""
    page.get_by_role("button", name=name).first.click()


def outcome(page: Page) -> Locator:
    """The line at the bottom that describes the result of the last click."""
    return page.locator("#outcome")


def cookie_names(page: Page) -> set[str | None]:
    """The cookies that the browser keeps."""
    return {cookie.get("name") for cookie in page.context.cookies()}


class TestOnePerson:
    """Log in, write, refresh, log out."""

    def test_a_login_starts_the_countdown_and_a_logout_ends_it(self, address: str, visit: Visit) -> None:
        """The tokens are in cookies that no script reads, and gone afterwards."""
        page = visit(address)
        expect(page.locator("#state")).to_have_text("Signed out")
        log_in(page)
        expect(page.locator("#clock")).to_have_text(re.compile("0:5[0-8]"))
        hidden = {cookie.get("name") for cookie in page.context.cookies() if cookie.get("httpOnly")}
        assert hidden == {"access_token_cookie", "refresh_token_cookie"}
        assert "access_token_cookie" not in page.evaluate("document.cookie")
        expect(page.locator("#claims")).to_contain_text("ada")
        press(page, "Log out")
        expect(page.locator("#state")).to_have_text("Signed out")
        assert cookie_names(page) == set()

    def test_a_wrong_password_is_shown(self, address: str, visit: Visit) -> None:
        """No cookie is set."""
        page = visit(address)
        press(page, "A wrong password")
        expect(outcome(page)).to_contain_text("Wrong username or password.")
        assert cookie_names(page) == set()

    def test_a_write_without_its_csrf_value_is_refused_and_with_it_accepted(self, address: str, visit: Visit) -> None:
        """The log shows the request and the response."""
        page = visit(address)
        log_in(page)
        press(page, "Without CSRF token")
        expect(outcome(page)).to_contain_text("Missing CSRF token")
        expect(page.locator("#entries li").first).to_contain_text("(no X-CSRF-TOKEN)")
        expect(page.locator("#notes li")).to_have_count(0)
        press(page, "With CSRF token")
        expect(page.locator("#notes li")).to_have_text(["Hello from the browser"])
        expect(page.locator("#entries li").first).to_contain_text("201 CREATED")

    def test_a_reload_keeps_the_session(self, address: str, visit: Visit) -> None:
        """The session is in the cookie, not in the page."""
        page = visit(address)
        log_in(page)
        page.reload()
        expect(page.locator("#state")).to_contain_text("Ada Lovelace")

    def test_two_tabs_can_refresh_at_the_same_time(self, address: str, visit: Visit) -> None:
        """Three times in a row."""
        first = visit(address)
        log_in(first)
        second = first.context.new_page()
        second.goto(address)
        expect(second.locator("#state")).to_contain_text("Ada Lovelace")
        for _ in range(3):
            for page in (first, second):
                page.evaluate("document.querySelector('[data-action=empty]').click()")
            for page in (first, second):  # evaluate returns at once: both are under way together
                page.evaluate("document.querySelector('[data-action=refresh]').click()")
            for page in (first, second):
                expect(page.locator("#entries .badge.accepted").first).to_be_visible()
                expect(page.locator("#entries .badge.refused")).to_have_count(0)
        press(first, "Read notes")
        expect(outcome(first)).to_contain_text("200")


class TestExpiry:
    """With tokens that live for six seconds."""

    @pytest.fixture
    def lifetime(self) -> timedelta:
        return timedelta(seconds=6)

    def test_an_expired_token_is_refused_until_it_is_refreshed(self, address: str, visit: Visit) -> None:
        """The page shows the expiry without a click."""
        page = visit(address)
        log_in(page)
        expect(page.locator("#state")).to_have_text("Token expired")
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("Token has expired")
        press(page, "Refresh")
        expect(page.locator("#state")).to_contain_text("Ada Lovelace")
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("200")


class TestTwoBrowsers:
    """The same user on two devices."""

    def test_one_ends_the_other(self, address: str, visit: Visit) -> None:
        """Immediately, although the token has not expired."""
        desk, phone = visit(address), visit(address, **PHONE)
        log_in(desk)
        log_in(phone)
        press(phone, "Look again")
        expect(phone.locator("#devices li")).to_have_count(2)
        phone.locator("#devices li:not(.current)").get_by_role("button", name="End").click()
        expect(phone.locator("#devices li")).to_have_count(1)
        press(desk, "Read notes")
        expect(outcome(desk)).to_contain_text("revoked")
        expect(desk.locator("#state")).to_have_text("Signed out")
        press(phone, "Read notes")
        expect(outcome(phone)).to_contain_text("200")

    def test_a_stolen_refresh_token_is_caught(self, address: str, visit: Visit) -> None:
        """The thief uses the copy after the grace period: the session ends for both."""
        page = visit(address)
        log_in(page)
        press(page, "A thief copies it")
        expect(page.locator("#theft")).to_contain_text("has a copy")
        press(page, "You refresh")
        expect(outcome(page)).to_contain_text("not fresh")
        page.wait_for_timeout(3_200)
        press(page, "The thief uses the copy")
        expect(page.locator("#theft")).to_contain_text("Caught")
        expect(page.locator("#entries li").first).to_contain_text("401 UNAUTHORIZED")
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("revoked")

    def test_no_whole_token_is_shown(self, address: str, visit: Visit) -> None:
        """Not even the stolen one."""
        page = visit(address)
        log_in(page)
        press(page, "A thief copies it")
        expect(page.locator("#theft")).to_contain_text("has a copy")
        press(page, "The thief uses the copy")
        expect(outcome(page)).to_contain_text("The thief uses the copy")
        tokens = {cookie.get("value") for cookie in page.context.cookies() if cookie.get("httpOnly")}
        text = page.inner_text("body")
        assert tokens
        assert not any(token in text for token in filter(None, tokens))


class TestKeysAndRoutes:
    """Rotating keys, and the audit of routes."""

    def test_a_rotation_refuses_no_valid_token(self, address: str, visit: Visit) -> None:
        """The token of the old key stays valid, and the next one is signed by the new key."""
        page = visit(address)
        log_in(page)
        old = page.locator("#keys li.current strong").inner_text()
        press(page, "Rotate the keys")
        expect(outcome(page)).to_contain_text("The new key signs")
        new = page.locator("#keys li.current strong").inner_text()
        assert new != old
        expect(page.locator("#terminal")).to_contain_text("$ flask jwt keys rotate --now")
        expect(page.locator("#keys li", has_text=old)).to_contain_text("your token")
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("200")
        press(page, "Refresh")
        expect(page.locator("#keys li", has_text=new)).to_contain_text("your token")

    def test_a_missing_role_is_explained(self, address: str, visit: Visit) -> None:
        """A 403: logging in again would not help."""
        page = visit(address)
        log_in(page, "Grace Hopper")
        press(page, "Rotate the keys")
        expect(outcome(page)).to_contain_text("lacks the role")
        expect(page.locator("#entries li").first).to_contain_text("insufficient_scope")

    def test_the_audit_lists_every_route(self, address: str, visit: Visit) -> None:
        """No route is public by accident."""
        page = visit(address)
        expect(page.locator("#route-rows tr")).to_have_count(18)
        guards = page.locator("#route-rows td:nth-child(3)").all_text_contents()
        assert set(guards) == {"decorator", "default", "exempt"}


ATTACKS = {
    "form": """
        <form method="post" action="{target}/api/notes" enctype="text/plain">
          <input name='{{"text": "forged", "x": "' value='"}}'>
        </form>
        <script>document.forms[0].submit()</script>
    """,
    "fetch": """
        <script>
          const forge = (path, method) => fetch("{target}" + path, {{
            method, credentials: "include", mode: "no-cors", body: '{{"text": "forged"}}',
          }}).catch(() => null);
          Promise.all([forge("/api/notes", "POST"), forge("/api/session/refresh", "POST")])
            .then(() => {{ document.title = "done" }});
        </script>
    """,
}


class TestAnotherSite:
    """A page of another origin, opened in the browser of a logged-in user."""

    @pytest.fixture(params=["127.0.0.1", "localhost"])
    def evil(self, request: pytest.FixtureRequest, address: str) -> Iterator[str]:
        """The address of that page: another port of the same host, and another host.

        A port does not make another *site*: cookies that are SameSite=Strict go along from there.
        """
        app = Flask("evil")
        app.add_url_rule("/<attack>", view_func=lambda attack: ATTACKS[attack].format(target=address))
        with served(app) as port:
            yield f"http://{request.param}:{port}"

    def test_a_form_writes_no_note(self, address: str, evil: str, visit: Visit) -> None:
        """The request is refused, and nothing is written."""
        page = visit(address)
        log_in(page)
        other = page.context.new_page()
        with other.expect_response(f"{address}/api/notes") as response:
            other.goto(f"{evil}/form")
        same_site = urlsplit(evil).hostname == "127.0.0.1"
        assert ("access_token_cookie" in (response.value.request.all_headers().get("cookie") or "")) == same_site
        assert response.value.status == 401
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("200")
        expect(page.locator("#notes li")).to_have_count(0)

    def test_a_script_changes_nothing(self, address: str, evil: str, visit: Visit) -> None:
        """Neither a note nor the session."""
        page = visit(address)
        log_in(page)
        before = {cookie.get("name"): cookie.get("value") for cookie in page.context.cookies(address)}
        other = page.context.new_page()
        other.goto(f"{evil}/fetch")
        other.wait_for_function("document.title === 'done'")
        assert {cookie.get("name"): cookie.get("value") for cookie in page.context.cookies(address)} == before
        press(page, "Read notes")
        expect(outcome(page)).to_contain_text("200")
        expect(page.locator("#notes li")).to_have_count(0)


class TestLook:
    """Readable on a phone, in the light and in the dark; and the pictures of the docs."""

    def test_a_phone_scrolls_in_one_direction(self, address: str, visit: Visit) -> None:
        """Nothing is wider than the screen."""
        page = visit(address, **PHONE)
        log_in(page)
        press(page, "Rotate the keys")
        expect(outcome(page)).to_contain_text("The new key signs")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    def test_light_and_dark_have_colours_of_their_own_that_can_be_read(self, address: str, visit: Visit) -> None:
        """The text of every card has a contrast of 4.5 at least (WCAG 2.2, 1.4.3)."""
        for scheme in ("light", "dark"):
            page = visit(address, color_scheme=scheme)
            log_in(page)
            ratios = page.evaluate(CONTRASTS)
            assert min(ratios) >= 4.5, scheme

    def test_nothing_comes_from_elsewhere(self, address: str, visit: Visit) -> None:
        """Every request goes to this address."""
        page = visit("about:blank")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        log_in(page)
        assert asked
        assert all(url.startswith(address) for url in asked)

    @pytest.mark.parametrize("name", ["light", "dark", "phone"])
    def test_pictures(self, name: str, address: str, visit: Visit, tmp_path: Path) -> None:
        """The pictures of the documentation: ``make screenshots``."""
        wide = {"viewport": {"width": 1280, "height": 860}, "color_scheme": name if name == "dark" else "light"}
        page = visit(address, **(PHONE if name == "phone" else wide))
        log_in(page)
        press(page, "Without CSRF token")
        expect(outcome(page)).to_contain_text("Missing CSRF token")
        press(page, "With CSRF token")
        expect(page.locator("#notes li")).to_have_count(1)
        page.evaluate("scrollTo(0, 0)")
        folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
        page.screenshot(path=folder / f"demo-{name}.png")
        assert (folder / f"demo-{name}.png").stat().st_size > 10_000


CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (text) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = channels(text).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && node.parentElement ? behind(node.parentElement) : colour;
  };
  return [...document.querySelectorAll("p, h1, h2, h3, button, td, th, code, small, .pill, .badge")]
    .filter((node) => node.checkVisibility() && node.textContent.trim())
    .map((node) => {
      const [a, b] = [light(getComputedStyle(node).color), light(behind(node))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    });
}"""
