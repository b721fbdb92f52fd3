"""A few havens around Bank, and the way to them: what every journey has to do with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from shutil import copyfile

import httpx
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from app.core.db import connected
from app.schemes.registry import SchemeKey
from app.venues.kinds import Category, Facility, StepFree
from tests.factories import BANK, award, make_venue, make_ward, utc
from tests.servers import serving_directory
from tests.walking.towns import Town
from tests.web.phones import Phone

FRIDAY_NIGHT = utc("2026-11-27T23:31")
MONDAY_MORNING = utc("2026-11-30T03:52")
SECOND, MINUTE, HOUR = 1000, 60 * 1000, 3600 * 1000
"""In milliseconds, as a page's clock counts."""

KEPT_STREETS = """async () => {
  const kept = [];
  for (const name of await caches.keys()) {
    for (const request of await (await caches.open(name)).keys()) kept.push(request.url);
  }
  return kept.filter((address) => address.includes("streets"));
}"""
"""What a browser keeps of the streets: them, and what reads and shows them."""

DOOR = "Find the nearest open door"


class Clock:
    """What the service takes for now."""

    now = FRIDAY_NIGHT

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving_city(
    folder: Path, template: Path, clock: Clock, town: Town | None = None
) -> Iterator[httpx.Client]:
    """A service with a few havens around Bank, on a Friday night; maybe in a town with streets."""
    url = f"sqlite:///{copyfile(template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        make_city(engine)
    if town:
        town.streets(folder)
    with serving_directory(folder, url, clock) as client:
        yield client


def make_city(engine: Engine) -> None:
    """Two havens that are open on a Friday night, one that is about to shut, one that opens in the
    morning, one whose hours nobody knows, and one that is none before Saturday."""
    ward = make_ward(engine, name="Lanternside").id
    ladle = make_venue(
        engine,
        name="Ondine’s Ladle",
        category=Category.CAFE,
        hours="Fr-Sa 12:00-02:00; Su-Th 12:00-23:00",
        lat=BANK.lat + 0.0008,
        lon=BANK.lon + 0.0012,
        address="28 Ladle Street",
        postcode="EC4N 0ZZ",
        phone="020 7946 0002",
        entrance="Green door under the brass ladle",
        facilities=[Facility.SEAT, Facility.WATER],
        step_free=StepFree.YES,
        ward_id=ward,
    )
    award(engine, ladle.id, date(2026, 1, 1), None, SchemeKey.ASK_FOR_ANGELA)
    make_venue(
        engine,
        name="Mothlight Bar",
        category=Category.BAR,
        hours="Fr-Sa 17:00-04:00",
        lat=BANK.lat - 0.003,
        address="17 Moth Alley",
        postcode="EC1A 0ZZ",
        facilities=[Facility.TOILET],
        step_free=StepFree.NO,
        ward_id=ward,
    )
    make_venue(
        engine,
        name="The Crooked Sextant",
        hours="Fr 17:00-23:38",
        lat=BANK.lat + 0.0012,
        address="3 Sextant Row",
        postcode="EC4Y 0ZZ",
    )
    make_venue(
        engine,
        name="Cinderquay Pier Waiting Room",
        category=Category.TRANSPORT,
        hours="Mo-Su 05:30-22:30",
        lat=BANK.lat - 0.002,
        lon=BANK.lon - 0.003,
        address="Driftwood Stair",
        postcode="EC4N 0ZZ",
    )
    make_venue(
        engine,
        name="Tidewick Library",
        category=Category.LIBRARY,
        hours=None,
        lat=BANK.lat + 0.004,
        address="5 Tidewick Walk",
        postcode="EC2V 0ZZ",
        ward_id=ward,
    )
    make_venue(
        engine,
        name="The Comet Hotel",
        category=Category.HOTEL,
        hours="Sa 00:00-04:00",
        lat=BANK.lat + 0.0004,
        address="1 Comet Court",
        postcode="EC3V 0ZZ",
        safe_haven_from=date(2026, 11, 28),
    )


def begin(held: Phone, city: httpx.Client, path: str = "/") -> None:
    """Open the finder, and wait for the directory."""
    held.page.goto(f"{city.base_url}{path}")
    expect(held.page.locator("html[data-directory=ready]")).to_be_attached()


def press(page: Page) -> None:
    """The one button."""
    page.locator(".sh-door").click()


def kept(page: Page) -> None:
    """Wait until the worker keeps the finder, and answers for it."""
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    page.evaluate(
        "new Promise((done) => navigator.serviceWorker.controller ? done()"
        " : navigator.serviceWorker.addEventListener('controllerchange', () => done()))"
    )
    expect(page.locator("html[data-directory=ready]")).to_be_attached()


def haven(city: httpx.Client, name: str) -> str:
    """The address of a haven's page."""
    whole = city.get("/v1/havens").json()
    ids = [one["id"] for one in whole["havens"] + whole["upcoming"] if one["name"] == name]
    return f"/havens/{ids[0]}"
