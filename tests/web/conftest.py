"""The browser that pages are tested in, and a service with a few havens."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from app.core.db import connected
from tests.browsers import ARGUMENTS, NO_CHROMIUM, find_chromium
from tests.conftest import CI
from tests.servers import PATIENCE_SECONDS, serving_directory
from tests.web.city import Clock, make_city

# A machine that has much to do is no fault of a page.
expect.set_options(timeout=1000 * PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, shared by the tests of a module; each makes its own pages in it.

    Not by the session: as long as Playwright runs, no other test of the process could run an event
    loop.
    """
    chromium = find_chromium()
    if chromium is None:
        # CI must never pass by skipping.
        (pytest.fail if CI else pytest.skip)(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
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
    folder = tmp_path_factory.mktemp("city")
    url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        make_city(engine)
    with serving_directory(folder, url, clock) as client:
        yield client
