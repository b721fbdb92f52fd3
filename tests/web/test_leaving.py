"""Leaving: what was on the page doesn't come back."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.factories import BANK
from tests.web.city import begin, haven, kept, press
from tests.web.phones import Phone, phone

SAID = "They laughed and sent me away"


@pytest.fixture
def at_bank(chromium: Browser, city: httpx.Client) -> Iterator[Phone]:
    """A phone on the finder's first screen, after a search in another site."""
    # With a clock of the test's, a page would not know how it was come by.
    with phone(chromium, at=BANK) as held:
        held.context.route("**/weather", lambda route: route.fulfill(body="the weather"))
        held.context.route("https://search.test/", lambda route: route.fulfill(body="a search"))
        held.page.goto("https://search.test/")
        begin(held, city)
        yield held


def leave(page: Page) -> None:
    page.get_by_role("link", name="Exit").click()
    expect(page.get_by_text("the weather")).to_be_visible()


def step(page: Page, by: int) -> None:
    """Begin to go through the history."""
    page.evaluate("by => void setTimeout(() => history.go(by))", by)


def back(held: Phone, to: str, *, forward: bool = False) -> None:
    """Go through the history, until the tab is out of our pages again: at `to`."""
    with held.page.expect_event("framenavigated", lambda frame: "127.0.0.1" not in frame.url):
        step(held.page, 1 if forward else -1)
    expect(held.page.get_by_text(to)).to_be_visible()
    assert SAID not in held.page.content()


def test_back_leads_to_what_came_before(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    expect(page.locator("#answer")).to_be_visible()
    leave(page)
    back(at_bank, "a search")


def test_pages_opened_before_lead_out_again(at_bank: Phone, city: httpx.Client) -> None:
    page = at_bank.page
    page.goto(f"{city.base_url}{haven(city, 'Ondine’s Ladle')}")
    leave(page)
    for text in ("the weather", "a search"):
        back(at_bank, text)
    # Whoever wants to be here again can be, and what follows is a tab like any other.
    begin(at_bank, city)
    page.goto(f"{city.base_url}/help")
    step(page, -1)
    expect(page.get_by_role("heading", level=1)).to_have_text("A safe place, open now, near you")


@pytest.mark.parametrize("is_sent", [False, True], ids=["typed", "sent with a mistake"])
def test_what_was_typed_does_not_come_back(
    at_bank: Phone, city: httpx.Client, is_sent: bool
) -> None:
    page = at_bank.page
    page.goto(f"{city.base_url}{haven(city, 'Ondine’s Ladle')}/report")
    page.get_by_label("Anything to add?").fill(SAID)
    if is_sent:
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_label("Anything to add?")).to_have_value(SAID)
    leave(page)
    opened = 1 + is_sent
    for text in [*["the weather"] * opened, "a search"]:
        back(at_bank, text)
    for _ in range(opened):
        back(at_bank, "the weather", forward=True)


def test_leaving_without_a_connection(at_bank: Phone, city: httpx.Client) -> None:
    page = at_bank.page
    kept(page)
    press(page)
    at_bank.context.unroute("**/weather")
    at_bank.context.set_offline(True)
    with page.expect_event("requestfailed"):
        page.get_by_role("link", name="Exit").click()
    expect(page.locator("#answer")).to_have_count(0)
    back(at_bank, "a search")


@pytest.mark.parametrize("way", ["Enter", "the middle button"])
def test_other_ways_to_press(at_bank: Phone, way: str) -> None:
    page = at_bank.page
    press(page)
    exit_ = page.get_by_role("link", name="Exit")
    if way == "Enter":
        exit_.focus()
        page.keyboard.press("Enter")
    else:
        exit_.click(button="middle")
    expect(page.get_by_text("the weather")).to_be_visible()
    assert len(at_bank.context.pages) == 1
    back(at_bank, "a search")


def test_without_script_it_is_a_link(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, java_script_enabled=False) as held:
        held.page.goto(f"{city.base_url}/safety")
        way_out = held.page.get_by_role("link", name="Exit")
        expect(way_out).to_have_attribute("rel", "noreferrer")
        expect(held.page.get_by_text("Where that is switched off, it is a link")).to_be_visible()
        asked: list[dict[str, str]] = []

        def weather(route: Route) -> None:
            asked.append(route.request.headers)
            route.fulfill(body="the weather")

        held.context.route("**/weather", weather)
        way_out.click()
        expect(held.page.get_by_text("the weather")).to_be_visible()
        assert "referer" not in asked[0]
