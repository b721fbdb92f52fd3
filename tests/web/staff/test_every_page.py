"""Every page for those who sign in, in every state, as axe sees it (`make journeys`).

Pages are found by the API's operations, so that a new one is looked at by itself.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, ViewportSize

from app.accounts.models import Role
from tests.accounts import make_app, signed_in
from tests.bench.register import fill
from tests.bench.staff import BY_HAND
from tests.servers import client_of, serving, until
from tests.web.phones import audit, fits, phone
from tests.web.staff.conftest import Staff
from tests.web.staff.desk import Desk, desk_of, is_ready, issue_pack

pytestmark = pytest.mark.journey

PHONE, DESK = ViewportSize(width=360, height=780), ViewportSize(width=1280, height=780)
ENLARGED = ViewportSize(width=320, height=256)
"""What a zoom of 400 % makes of a computer's screen."""

PARTS = 4
"""In so many tests the pages of 10,000 venues are looked at, so that none of them takes long."""

ANYBODYS = ("/sign-in", "/console/bulk/venues/staged", "/account/second-factor")
"""Pages that neither an operation of the API nor the list of those by hand names."""


@contextmanager
def crowded(folder: Path) -> Iterator[Desk]:
    """A desk with 10,000 venues and what happened there in ten years."""
    url = f"sqlite:///{folder / 'havens.sqlite'}"
    known = {key: str(id_) for key, id_ in fill(url).items()}
    app = make_app(url, folder, environment="demo")
    with serving(app) as client, ExitStack() as stack:
        until(lambda: is_ready(client))
        staff = Staff(app, client, stack)
        api = stack.enter_context(client_of(client.base_url, signed_in(app, *Role)))
        issue_pack(api)
        first = staff.browser(*Role)
        yield Desk(app, api, known, first, first, staff.browser())


def pages(desk: Desk) -> list[str]:
    """The addresses of all pages there are, forms among them."""
    venues = desk.api.get("/v1/admin/venues", params={"limit": 1}).json()["items"]
    known = {"venue_id": venues[0]["id"], **desk.known} if venues else {}
    by_hand = [one.format_map(known) for one in BY_HAND if "{" not in one or known]
    named = [address for forms in (False, True) for _, address in desk.addresses(forms=forms)]
    found = []
    for address in dict.fromkeys([*by_hand, *ANYBODYS, *named]):
        answer = desk.first.get(address)
        if "text/html" in answer.headers.get("content-type", "") and not answer.is_redirect:
            assert answer.status_code < 500, address
            found.append(address)
    return found


@contextmanager
def shown(chromium: Chromium, desk: Desk, **options: Any) -> Iterator[Page]:
    """A browser in which the first of the desk has signed in."""
    base = str(desk.api.base_url)
    with phone(chromium, **options) as held:
        cookies = desk.first.client.cookies.jar
        held.context.add_cookies(
            [{"name": one.name, "value": one.value or "", "url": base} for one in cookies]
        )
        yield held.page


def looked_at(page: Page) -> str:
    """What is wrong with a page as it is shown, and at 400 %; empty if nothing is."""
    size = page.viewport_size
    assert size
    try:
        audit(page)
        assert fits(page), "it has to be scrolled sideways"
        page.set_viewport_size(ENLARGED)
        assert fits(page), "it has to be scrolled sideways at 320 px"
    except AssertionError as error:
        return f"{page.url}: {error}"
    finally:
        page.set_viewport_size(size)
    return ""


def all_looked_at(chromium: Chromium, desk: Desk, addresses: Sequence[str], **options: Any) -> None:
    """Some pages of a desk, each told with how long it takes to be shown and looked at."""
    wrong = []
    with shown(chromium, desk, **options) as page:
        for address in addresses:
            began = time.monotonic()
            page.goto(f"{str(desk.api.base_url).rstrip('/')}{address}")
            wrong.append(looked_at(page))
            print(f"{time.monotonic() - began:5.1f} s {address}", flush=True)
    print(len(addresses), "pages")
    assert not any(wrong), "\n".join(filter(None, wrong))


on_both = pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone", "desk"]
)


@on_both
def test_with_something_of_every_kind(
    chromium: Chromium, tmp_path: Path, sqlite_template: Path, size: ViewportSize, scheme: str
) -> None:
    with desk_of(tmp_path, sqlite_template) as desk:
        found = pages(desk)
        assert len(found) > 100
        all_looked_at(chromium, desk, found, viewport=size, color_scheme=scheme)


def test_with_nothing(chromium: Chromium, tmp_path: Path, sqlite_template: Path) -> None:
    with desk_of(tmp_path, sqlite_template, empty=True) as desk:
        found = pages(desk)
        assert len(found) > 60
        all_looked_at(chromium, desk, found, viewport=PHONE)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, list[str]]]:
    """A desk with 10,000 venues, and all its pages."""
    with crowded(tmp_path_factory.mktemp("crowd")) as desk:
        yield desk, pages(desk)


@on_both
@pytest.mark.parametrize("part", range(PARTS))
def test_with_10_000_venues(
    chromium: Chromium,
    crowd: tuple[Desk, list[str]],
    part: int,
    size: ViewportSize,
    scheme: str,
) -> None:
    desk, found = crowd
    assert len(found) > 100
    all_looked_at(chromium, desk, found[part::PARTS], viewport=size, color_scheme=scheme)


def test_with_mistakes(chromium: Chromium, tmp_path: Path, sqlite_template: Path) -> None:
    wrong = []
    refused = 0
    with (
        desk_of(tmp_path, sqlite_template) as desk,
        shown(chromium, desk, viewport=PHONE, color_scheme="dark") as page,
    ):
        for _, where, form in desk.forms():
            page.goto(f"{str(desk.api.base_url).rstrip('/')}{where}")
            for key in form.typed:
                page.locator(f"main [name='{key}']").first.evaluate("it => { it.value = '' }")
            page.locator("main form[novalidate] button:not([name])").last.click()
            refused += page.locator(".govuk-error-summary").count()
            wrong.append(looked_at(page))
    print(refused, "forms with mistakes")
    assert refused > 25
    assert not any(wrong), "\n".join(filter(None, wrong))
