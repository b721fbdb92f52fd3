"""The browser that pages are tested in, and a service with a few havens."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browsers import ARGUMENTS, NO_CHROMIUM, find_chromium
from tests.conftest import CI
from tests.servers import PATIENCE_SECONDS
from tests.web.city import Clock, serving_city

# A machine that has much to do is no fault of a page.
expect.set_options(timeout=1000 * PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, shared by the tests of a module; each makes its own pages in it.

    Not by the session: as long as Playwright runs, no other test of the process could run an event
    loop.
    """
    found = find_chromium()
    if found is None:
        # CI must never pass by skipping.
        (pytest.fail if CI else pytest.skip)(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found,
            args=ARGUMENTS,
            # As phones have it: what is left is kept whole for Back, and must not come back.
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def city(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, clock: Clock
) -> Iterator[httpx.Client]:
    """A service with a few havens around Bank, on a Friday night."""
    with serving_city(tmp_path_factory.mktemp("city"), sqlite_template, clock) as client:
        yield client
