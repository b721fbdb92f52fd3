"""Somebody at a page for those who sign in, with a mouse or a finger, or with nothing but keys."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, expect
from pydantic import SecretStr
from sqlalchemy import Engine

from app.accounts.models import Role
from app.accounts.passwords import hashed
from tests.accounts import add_account
from tests.factories import BANK
from tests.servers import serving, until
from tests.web.phones import audit, fits, phone

PASSWORD = "quiet lantern by the river"
MOST_STOPS = 300
"""How often somebody may press a key to come to something; no page has as many links."""

_IS_OF_GROUP = """it => it.type === "radio" && document.activeElement.type === "radio"
  && it.name === document.activeElement.name"""

_IS_SEEN = """it => {
  const [box] = it.getClientRects();
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return it === seen || it.contains(seen);
}"""


@dataclass
class Hand:
    """Somebody at a page, whose clicks and keystrokes are counted."""

    page: Page
    base: str
    clicks: int = 0
    keys: int = 0

    def press(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def write(self, where: Locator, text: str) -> None:
        """Have a text in a field, in place of what stands there."""
        where.fill(text)

    def choose(self, where: Locator, option: str) -> None:
        where.select_option(option)

    def link(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        self.press((within or self.page).get_by_role("link", name=name).first)

    def button(self, name: str) -> None:
        self.press(self.page.locator("main").get_by_role("button", name=name, exact=True))

    def fill(self, label: str, text: str, within: Locator | None = None) -> None:
        self.write((within or self.page).get_by_label(label).first, text)
        self.clicks += 1
        self.keys += len(text)

    def pick(self, label: str, option: str, within: Locator | None = None) -> None:
        self.choose((within or self.page).get_by_label(label).first, option)
        self.clicks += 2

    def counted(self) -> tuple[int, int]:
        """Clicks and keystrokes since this was asked the last time."""
        counts = self.clicks, self.keys
        self.clicks = self.keys = 0
        return counts

    def is_well(self) -> None:
        """Axe finds nothing wrong with the page, and nothing has to be scrolled sideways."""
        audit(self.page)
        assert fits(self.page), self.page.url

    def file(self, name: str | re.Pattern[str], within: Locator | None = None) -> Path:
        """What a link lets the browser download."""
        with self.page.expect_download() as download:
            self.link(name, within)
        return Path(download.value.path())

    def ask(self, day: str) -> None:
        """Have a report as at the end of a day."""
        self.fill("As at the end of", day)
        self.button("Show")

    def standing(self, scheme: str) -> Locator:
        heading = self.page.get_by_role("heading", name=scheme, exact=True)
        return self.page.locator(".sh-standing li").filter(has=heading)


class Keyboard(Hand):
    """A hand that has no mouse: whatever it presses it has come to by the keys that browsers give
    to everybody."""

    def press(self, what: Locator) -> None:
        self._reach(what)
        is_chosen = what.evaluate("it => ['radio', 'checkbox'].includes(it.type)")
        if not is_chosen:
            # Unlike a key of the page's, it waits for where this leads.
            what.press("Enter")
        elif not what.is_checked():
            self._key("Space")
        self.clicks += 1

    def write(self, where: Locator, text: str) -> None:
        self._reach(where)
        self._key("Control+A")
        self.page.keyboard.insert_text(text)

    def choose(self, where: Locator, option: str) -> None:
        self._reach(where)
        self.page.keyboard.type(option)
        expect(where.locator("option:checked")).to_have_text(option)

    def _reach(self, what: Locator) -> None:
        """Go there from where the focus is, from field to field, within a group by arrows."""
        for _ in range(MOST_STOPS):
            if what.evaluate("it => it === document.activeElement"):
                assert what.evaluate(_IS_SEEN), f"{what} is not to be seen when it has the focus"
                return
            self._key("ArrowDown" if what.evaluate(_IS_OF_GROUP) else "Tab")
        raise AssertionError(f"no key leads to {what}")

    def _key(self, name: str) -> None:
        self.page.keyboard.press(name)


class Seat(NamedTuple):
    """Where somebody sits, and how they work there."""

    width: int
    hand: type[Hand] = Hand


SEATS = {
    "phone": Seat(360),
    "desk": Seat(1280),
    "keys": Seat(360, Keyboard),
}


@contextmanager
def at_work(chromium: Chromium, app: FastAPI, seat: Seat, role: Role, back: str) -> Iterator[Hand]:
    """Somebody with a role who has signed in, in front of a page."""
    engine: Engine = app.state.journal.engine
    with serving(app) as client, screen(chromium, seat.width) as page:
        hand = arrived(page, engine, client, role, back, seat.hand)
        yield hand
        hand.press(page.get_by_role("button", name="Sign out"))
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@contextmanager
def screen(chromium: Chromium, width: int, **options: Any) -> Iterator[Page]:
    """A page of so many pixels in width, whose browser stands at the bank."""
    view = {"width": width, "height": 780}
    with phone(chromium, viewport=view, at=BANK, accept_downloads=True, **options) as held:
        yield held.page


def arrived(
    page: Page,
    engine: Engine,
    client: httpx.Client,
    role: Role,
    back: str,
    kind: type[Hand] = Hand,
) -> Hand:
    """Somebody new with a role who signs in on the way to a page."""
    until(lambda: client.get("/health/ready").is_success)
    name = add_account(engine, role, password_hash=hashed(SecretStr(PASSWORD))).name
    hand = kind(page, str(client.base_url).rstrip("/"))
    page.goto(f"{hand.base}{back}")
    hand.fill("Name", name)
    hand.fill("Password", PASSWORD)
    hand.button("Sign in")
    return hand
