"""The pictures of the README, taken of the demonstration as it runs: `make screenshots`.

It is a Friday night in the finder's, for the service as for the phone, so that they come out the
same whenever they are taken. The console has the day on which they are taken.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from app.accounts.demo import demo_accounts
from app.accounts.models import Role
from app.core.db import connected, migrate
from app.core.journal import Journal
from app.core.places import Point
from app.sheets.seed import load_seed
from tests.browsers import ARGUMENTS, NO_CHROMIUM, find_chromium
from tests.factories import utc
from tests.servers import serving_directory, settings_for
from tests.web.phones import phone

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
FRIDAY_NIGHT = utc("2026-11-27T23:31")
BY_THE_HALL = Point(51.5174, -0.0932)
PHONE, DESK = ViewportSize(width=360, height=720), ViewportSize(width=1280, height=780)
VENUE = "Mothlight Bar"
MOST_BYTES = 150_000
"""More than that is more than a README should ask of a phone."""


class Demonstration(NamedTuple):
    """A service with demonstration data."""

    url: str
    passwords: dict[str, str]
    """Of the accounts in it, by their names: each is named like the role it has."""


def main() -> None:
    """Take them all."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit(NO_CHROMIUM)
    FOLDER.mkdir(exist_ok=True)
    with demonstration() as it, sync_playwright() as playwright:
        url = it.url
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with shown(browser, url, "light") as page:
            take(page, "start")
            find(page)
            take(page, "found")
        with shown(browser, url, "dark") as page:
            find(page)
            take(page, "night")
        with shown(browser, url, "light") as page:
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            page.context.set_offline(True)
            page.reload()
            find(page)
            expect(page.locator("#list-age")).to_be_visible()
            take(page, "offline")
        with at_work(browser, it, Role.OFFICER, PHONE) as page:
            take(page, "today")
            page.get_by_role("link", name="Training", exact=True).last.click()
            page.get_by_label("Ask for Angela", exact=True).check()
            page.get_by_label("Venue").first.fill(VENUE)
            page.get_by_label("Role").first.select_option("Bar staff")
            page.get_by_label("New people").first.fill("6")
            take(page, "training")
        with at_work(browser, it, Role.OFFICER, DESK) as page:
            page.goto(f"{url}/console/venues?text={VENUE}")
            page.get_by_role("link", name=VENUE, exact=True).click()
            take(page, "venue")
        with at_work(browser, it, Role.LICENSING, DESK) as page:
            take(page, "coverage")
        browser.close()


@contextmanager
def demonstration() -> Iterator[Demonstration]:
    """The service with the demonstration's havens in it."""
    # The seed asks for it, so that nobody loads it by mistake.
    os.environ["HAVENS_ENVIRONMENT"] = "demo"
    with tempfile.TemporaryDirectory(prefix="havens-pictures-") as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'havens.sqlite'}"
        migrate(database)
        settings = settings_for(folder, database, "demo")
        with connected(database) as engine:
            journal = Journal.of(settings, engine)
            load_seed(journal)
            passwords = demo_accounts(journal, settings)
        with serving_directory(
            folder, database, lambda: FRIDAY_NIGHT, environment="demo"
        ) as service:
            yield Demonstration(str(service.base_url).rstrip("/"), passwords)


@contextmanager
def shown(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    """The finder on a phone, with the list in it."""
    with phone(
        browser,
        at=BY_THE_HALL,
        now=FRIDAY_NIGHT,
        color_scheme=scheme,
        device_scale_factor=1.75,
        reduced_motion="reduce",
        viewport=PHONE,
    ) as held:
        held.page.goto(url)
        expect(held.page.locator("html[data-directory=ready]")).to_be_attached()
        yield held.page


@contextmanager
def at_work(
    browser: Browser, it: Demonstration, role: Role, viewport: ViewportSize
) -> Iterator[Page]:
    """Where the work of a role begins, with somebody who has it."""
    scale = 1.75 if viewport is PHONE else 1
    with phone(browser, viewport=viewport, device_scale_factor=scale) as held:
        held.page.goto(f"{it.url}/sign-in")
        held.page.get_by_label("Name").fill(role)
        held.page.get_by_label("Password").fill(it.passwords[role])
        held.page.locator("main").get_by_role("button", name="Sign in", exact=True).click()
        yield held.page


def find(page: Page) -> None:
    """Press the door, and wait for the answer."""
    page.locator(".sh-door").click()
    expect(page.locator("#nearest article")).to_be_visible()


def take(page: Page, name: str) -> None:
    """Keep what the phone shows."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    size = path.stat().st_size
    print(f"{path.relative_to(Path.cwd())}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{path.name} is larger than {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
