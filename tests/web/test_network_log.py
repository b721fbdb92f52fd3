"""Where a phone stands goes over no wire, into no log, and stays in no store of the browser.

A wire between the browser and the service keeps every byte that the service is sent, by pages and
by the service worker. The same journey from two places 2 km apart must send the same requests: not
one byte is left out of the comparison, only how often the browser, by itself, asked for a newer
worker. What somebody opens is no secret from the service: whose
page they ask for, they ask for. So both journeys open the page of the same haven.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from app.core.places import Point
from tests.servers import METRICS, until
from tests.walking.towns import grid
from tests.web.city import FRIDAY_NIGHT, KEPT_STREETS, Clock, kept, press, serving_city
from tests.web.phones import Phone, phone
from tests.web.wire import Wire, wire_to

HERE, THERE = Point(51.5127246813, -0.0981357913), Point(51.5304119527, -0.0863394172)

TRACES = [
    *("51.5127", "0.09813", "51512724", "98135791", "7246813", "1357913", "gcpvjc"),
    *("51.5304", "0.08633", "51530411", "86339417", "4119527", "3394172", "gcpvnh"),
]
"""Digits that stand nowhere but in one of the places: as degrees rounded to some ten metres, as
millionths, and its last ones; and its geohash as far as it tells a street."""

WEATHER = "**/weather"
"""Where Exit leads."""

STORED = """async () => {
  const kept = {};
  for (const name of await caches.keys()) {
    const store = await caches.open(name);
    for (const request of await store.keys()) {
      kept[request.url] = await (await store.match(request)).text();
    }
  }
  return [Object.entries(localStorage), Object.entries(sessionStorage),
    await indexedDB.databases(), document.cookie, history.length, history.state, location.href,
    document.title, kept];
}"""


@pytest.fixture(scope="module")
def city(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> Iterator[httpx.Client]:
    """The few havens in a town whose streets reach both places."""
    town = grid()
    town.way([(1000, 1100), (948, 2300)], name="North Road")
    with serving_city(tmp_path_factory.mktemp("city"), sqlite_template, clock, town) as client:
        yield client


@pytest.fixture(scope="module")
def wire(city: httpx.Client) -> Iterator[Wire]:
    with wire_to(city) as wire:
        yield wire


def test_the_service_is_sent_the_same_from_two_places(
    chromium: Browser, city: httpx.Client, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    journeys = [journey(chromium, wire, place) for place in (HERE, THERE)]
    (sent, stored), (sent_there, stored_there) = journeys
    addresses = {request.split(b" ", 2)[1] for request in sent}
    # Had nothing been asked for, nothing would differ.
    assert {b"/", b"/v1/havens", b"/worker.js", b"/help"} < addresses
    assert any(address.startswith(b"/v1/streets?of=") for address in addresses)
    assert any(address.startswith(b"/havens/") for address in addresses)
    checks = [checks_of_the_worker(requests) for requests in (sent, sent_there)]
    assert len(checks[0] | checks[1]) <= 1
    assert sent - sent_there - checks[0] == sent_there - sent - checks[1] == Counter()
    assert stored == stored_there
    everything = [
        *sent,
        *sent_there,
        stored.encode(),
        caplog.text.encode(),
        named_in(city.get("/metrics", headers=METRICS).content),
    ]
    assert traces(everything) == []


@pytest.mark.parametrize(
    ("near", "is_traced"), [("longitude", True), ("latitude > 51.52", False)], ids=str
)
def test_a_page_that_sends_the_position_is_caught(
    chromium: Browser, wire: Wire, near: str, is_traced: bool
) -> None:
    sent = [leak(chromium, wire, near, place) for place in (HERE, THERE)]
    assert sent[0] != sent[1]
    assert bool(traces([*sent[0], *sent[1]])) == is_traced


def leak(chromium: Browser, wire: Wire, near: str, place: Point) -> Counter[bytes]:
    wire.take()
    with phone(chromium, at=place, now=FRIDAY_NIGHT, service_workers="block") as held:
        held.page.goto(wire.url)
        with held.page.expect_response("**/v1/help"):
            held.page.evaluate(
                "navigator.geolocation.getCurrentPosition(({coords}) =>"
                f" fetch('/v1/help', {{headers: {{'X-Near': coords.{near}}}}}))"
            )
    return wire.take()


def journey(chromium: Browser, wire: Wire, place: Point) -> tuple[Counter[bytes], str]:
    """A first and a second visit from a place: what the service was sent, and what the browser
    kept of it."""
    wire.take()
    with phone(chromium, at=place, now=FRIDAY_NIGHT) as held:
        page = held.page
        held.context.route(WEATHER, lambda route: route.fulfill(body="the weather"))
        page.goto(wire.url)
        kept(page)
        find(held)
        walk(held)
        page.get_by_role("button", name="Toilet").click()
        expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
        page.get_by_role("button", name="Toilet").click()
        page.get_by_role("link", name="Start again").click()
        page.get_by_label("Postcode, street").fill("ladle street")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("#fresh")).to_contain_text("seen from Ladle Street")
        # Whichever way it is shown, that haven's own page.
        address = page.locator("#nearest a[data-key=page]").get_attribute("href")
        page.goto(f"{wire.url}{address}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Ondine’s Ladle")
        page.go_back(wait_until="commit")
        ready(held)
        held.context.set_offline(True)
        page.reload()
        find(held)
        expect(page.locator("#list-age")).to_contain_text("No connection")
        with page.expect_response("**/v1/havens"):
            held.context.set_offline(False)
        expect(page.locator("#list-age")).to_be_hidden()
        stored = page.evaluate(STORED)
        states: Any = held.context.storage_state()
        seen = history(held)
        page.get_by_role("link", name="Exit this page").click()
        expect(page.get_by_text("the weather")).to_be_visible()
        page.goto(f"{wire.url}/help")
        page.goto(wire.url)
        ready(held)
        find(held)
    return wire.take(), json.dumps([stored, states, seen], sort_keys=True)


def checks_of_the_worker(requests: Counter[bytes]) -> Counter[bytes]:
    """What the browser sends when it sees fit, whatever a page does."""
    by_itself = {one for one in requests if re.search(rb"(?i)\r\nreferer: \S+/worker\.js\r\n", one)}
    return Counter({one: requests[one] for one in by_itself})


def find(held: Phone) -> None:
    """Press, and look at the next one, which is another one from each of the places."""
    press(held.page)
    # The order changes once more when the streets have come.
    expect(held.page.locator("#nearest")).to_contain_text("over the streets")
    following = held.page.locator("#havens .sh-next").first
    name = following.locator(".sh-next__name").inner_text()
    following.click()
    expect(held.page.locator("#nearest h2")).to_have_text(name)
    held.page.get_by_role("link", name="Start again").click()


def walk(held: Phone) -> None:
    """Look at the way, until the streets are kept, too."""
    page = held.page
    page.get_by_role("button", name="Show the way").click()
    expect(page.locator("#way-steps li").first).to_be_visible()
    until(lambda: len(page.evaluate(KEPT_STREETS)) == 3)
    page.get_by_role("link", name="Start again").click()
    expect(page.locator("#way")).to_be_hidden()


def ready(held: Phone) -> None:
    expect(held.page.locator("html[data-directory=ready]")).to_be_attached()


def history(held: Phone) -> list[str]:
    """The addresses and titles that the tab's history holds."""
    told = held.context.new_cdp_session(held.page).send("Page.getNavigationHistory")
    return [f"{entry['url']} {entry['title']}" for entry in told["entries"]]


def named_in(metrics: bytes) -> bytes:
    """Metrics and their labels without the figures: seconds may begin as a place does by chance."""
    return b"\n".join(line.rpartition(b" ")[0] for line in metrics.splitlines())


def traces(everything: list[bytes]) -> list[str]:
    """Which of the traces are in any of it."""
    return [trace for trace in TRACES if any(trace.encode() in one for one in everything)]
