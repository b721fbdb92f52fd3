"""Whole days of work by clicking, on a phone and on a desk, on both databases (`make journeys`)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Locator, Page, expect
from pydantic import SecretStr

from app.accounts.models import Role
from app.accounts.passwords import hashed
from app.venues.models import VenueStatus
from tests.accounts import add_account, make_app
from tests.factories import BANK, make_venue
from tests.servers import serving, until
from tests.web.phones import audit, fits, phone

pytestmark = pytest.mark.journey

NAME, PASSWORD = "The Lamp & Ladder <b>", "quiet lantern by the river"
WIDTHS = [360, 1280]


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

    def link(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        self.press((within or self.page).get_by_role("link", name=name).first)

    def button(self, name: str) -> None:
        self.press(self.page.locator("main").get_by_role("button", name=name, exact=True))

    def fill(self, label: str, text: str) -> None:
        self.page.get_by_label(label).first.fill(text)
        self.clicks += 1
        self.keys += len(text)

    def pick(self, label: str, option: str) -> None:
        self.page.get_by_label(label).first.select_option(option)
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

    def standing(self, scheme: str) -> Locator:
        heading = self.page.get_by_role("heading", name=scheme, exact=True)
        return self.page.locator(".sh-standing li").filter(has=heading)


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> FastAPI:
    return make_app(database_url, tmp_path)


@contextmanager
def at_work(browser: Chromium, app: FastAPI, width: int, role: Role, back: str) -> Iterator[Hand]:
    """Somebody with a role who has signed in, in front of a page."""
    hash_ = hashed(SecretStr(PASSWORD))
    name = add_account(app.state.journal.engine, role, password_hash=hash_).name
    view = {"width": width, "height": 780}
    with (
        serving(app) as client,
        phone(browser, viewport=view, at=BANK, accept_downloads=True) as held,
    ):
        until(lambda: client.get("/health/ready").is_success)
        hand = Hand(held.page, str(client.base_url).rstrip("/"))
        held.page.goto(f"{hand.base}{back}")
        hand.fill("Name", name)
        hand.fill("Password", PASSWORD)
        hand.button("Sign in")
        yield hand
        hand.press(held.page.get_by_role("button", name="Sign out"))
        expect(held.page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_an_officer_s_day(browser: Chromium, app: FastAPI, width: int) -> None:
    engine = app.state.journal.engine
    venue = make_venue(
        engine, name=NAME, status=VenueStatus.PROSPECT, safe_haven_from=None, hours=None,
        address="1 Ladder Yard", licensed=True,
    )  # fmt: skip
    with at_work(browser, app, width, Role.OFFICER, "/console") as hand:
        page = hand.page
        hand.is_well()
        hand.counted()
        hand.fill("Find a venue", "ladder")
        hand.button("Find")
        hand.link(NAME)
        hand.link("Register a prospect")
        hand.button("Register a prospect")
        expect(page.get_by_text("The prospect is registered.")).to_be_visible()
        print("registered from a prospect", hand.counted())

        hand.link("Change hours")
        hand.press(page.get_by_label("The text below it"))
        hand.fill("As text", "24/7")
        hand.button("Show in words")
        hand.is_well()
        hand.button("Change the hours")
        hand.counted()

        hand.link("Declare a headcount")
        hand.fill("Staff who should be trained", "4")
        hand.fill("Trained staff who left", "0")
        hand.button("Declare a headcount")
        print("headcount", hand.counted())

        for course in ("Safe Haven briefing", "Ask for Angela"):
            hand.link("Log training")
            hand.press(page.get_by_label(course, exact=True))
            hand.pick("Role", "Bar staff")
            hand.fill("New people", "4")
            hand.button("Log training")
            print("training", course, hand.counted())

        hand.link("Log a visit")
        hand.pick("What came of it", "Training booked")
        hand.button("Log a visit")
        expect(page.get_by_text("It is logged.")).to_be_visible()
        print("visit", hand.counted())

        for scheme in ("Safe Haven", "Ask for Angela"):
            hand.link(re.compile("^assess$", re.IGNORECASE), hand.standing(scheme))
            for yes in page.get_by_role("radio", name="Yes").all():
                hand.press(yes)
            hand.is_well()
            hand.press(page.locator("main").get_by_role("button", name=re.compile("^Assess")))
            print("assessed", scheme, hand.counted())
            hand.link(re.compile("^award$", re.IGNORECASE), hand.standing(scheme))
            hand.press(page.locator("main").get_by_role("button", name=re.compile("^Award")))
            expect(hand.standing(scheme).get_by_text("In force")).to_be_visible()
            print("awarded", scheme, hand.counted())

        found_by_the_public(hand, is_there=True)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        hand.link("Record a scheme test")
        hand.press(page.get_by_label("Failed", exact=True))
        hand.button("Record a scheme test")
        hand.link(re.compile("suspend", re.IGNORECASE), hand.standing("Safe Haven"))
        hand.fill("Reason", "Nobody on duty knew of it")
        hand.press(page.locator("main").get_by_role("button", name=re.compile("^Suspend")))
        expect(hand.standing("Safe Haven").get_by_text("Suspended")).to_be_visible()
        until(lambda: NAME not in page.request.get(f"{hand.base}/v1/havens").text())
        found_by_the_public(hand, is_there=False)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        hand.link(re.compile("reinstate", re.IGNORECASE), hand.standing("Safe Haven"))
        hand.fill("Reason", "All are briefed")
        hand.press(page.locator("main").get_by_role("button", name=re.compile("^Reinstate")))
        found_by_the_public(hand, is_there=True)
        page.goto(f"{hand.base}/console/venues/{venue.id}")
        told = page.locator(".sh-time h3").all_inner_texts()
        for said in ("Safe Haven reinstated", "Safe Haven suspended", "Ask for Angela test failed"):
            assert said in told, told
        hand.is_well()


def found_by_the_public(hand: Hand, *, is_there: bool) -> None:
    """Whether the finder shows the venue to somebody who stands at the bank."""
    listed = f"{hand.base}/v1/havens"
    until(
        lambda: (
            (str(hand.base) and "Ladder Yard" in hand.page.request.get(listed).text()) == is_there
        )
    )
    hand.page.goto(hand.base)
    hand.page.locator(".sh-door").click()
    if is_there:
        expect(hand.page.get_by_text(NAME).first).to_be_visible()
    else:
        expect(hand.page.get_by_text(NAME)).to_have_count(0)
