"""The pictures of the README, taken of the demonstration as it runs: `make screenshots`.

It is a Friday night in them, for the service as for the phone, so that they come out the same
whenever they are taken.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

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
MOST_BYTES = 150_000
"""More than that is more than a README should ask of a phone."""


def main() -> None:
    """Take them all."""
    chromium = find_chromium()
    if chromium is None:
        sys.exit(NO_CHROMIUM)
    FOLDER.mkdir(exist_ok=True)
    with demonstration() as url, sync_playwright() as playwright:
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
        browser.close()


@contextmanager
def demonstration() -> Iterator[str]:
    """The address of the service, with the demonstration's havens in it."""
    # The seed asks for it, so that nobody loads it by mistake.
    os.environ["HAVENS_ENVIRONMENT"] = "demo"
    with tempfile.TemporaryDirectory(prefix="havens-pictures-") as name:
        folder = Path(name)
        database = f"sqlite:///{folder / 'havens.sqlite'}"
        migrate(database)
        with connected(database) as engine:
            load_seed(Journal.of(settings_for(folder, database, "demo"), engine))
        with serving_directory(
            folder, database, lambda: FRIDAY_NIGHT, environment="demo"
        ) as service:
            yield str(service.base_url)


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
        viewport={"width": 360, "height": 720},
    ) as held:
        held.page.goto(url)
        expect(held.page.locator("html[data-directory=ready]")).to_be_attached()
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
