"""All havens by ward, and the map of them."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from shutil import copyfile

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pydantic import ValidationError

from app.core.db import connected
from app.core.settings import Settings
from app.web.assets import STATIC
from app.web.pages import NOTHING_ELSE
from tests.factories import BANK, make_venue, make_ward, utc
from tests.servers import serving_directory
from tests.web.phones import Phone, audit, fits, phone

FRIDAY_NIGHT = utc("2026-11-27T23:31")
TILES = "https://tiles.example:8443/streets/{z}/{x}/{y}.png?key=7"
OWED_TO = "© <Somebody> & others"

IN_ORDER = [
    "Ondine’s Ladle, Open until 02:00",
    "Wick & Kettle, Closes at 23:45",
    "Mothlight Bar, Open until 04:00",
    "The Reading Room, Opens at 09:30",
    "Night Bus Office, Open day and night",
]
"""The doors by ward, and in each what is open first."""


@pytest.fixture(scope="module")
def folder(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a few havens in two wards, and one in none."""
    folder = tmp_path_factory.mktemp("map")
    url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        west, east = (
            make_ward(
                engine, code=name, name=name, boundary={"type": "Polygon", "coordinates": [ring]}
            ).id
            for name, ring in (
                ("Lanternside", [[-0.1, 51.5], [-0.088, 51.5], [-0.088, 51.52], [-0.1, 51.5]]),
                ("Moth Hill", [[-0.088, 51.5], [-0.07, 51.5], [-0.088, 51.52], [-0.088, 51.5]]),
            )
        )
        for name, hours, north, ward in (
            ("Wick & Kettle", "Fr 12:00-23:45", 0.001, west),
            ("Ondine’s Ladle", "Fr-Sa 12:00-02:00", 0.004, west),
            ("Mothlight Bar", "Fr-Sa 17:00-04:00", -0.004, east),
            # In the same house.
            ("The Reading Room", "Sa 09:30-17:00", -0.004, east),
            ("Night Bus Office", "24/7", -0.006, None),
        ):
            lat = BANK.lat + north
            make_venue(engine, name=name, hours=hours, lat=lat, ward_id=ward, address="3 Moth Row")
    return folder


def serving_city(folder: Path) -> AbstractContextManager[httpx.Client]:
    url = f"sqlite:///{folder / 'havens.sqlite'}"
    return serving_directory(folder / "data", url, lambda: FRIDAY_NIGHT)


@pytest.fixture(scope="module")
def city(folder: Path) -> Iterator[httpx.Client]:
    with serving_city(folder) as client:
        yield client


@pytest.fixture(scope="module")
def tiled(folder: Path) -> Iterator[httpx.Client]:
    """The same, where the operator has chosen a source of tiles."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HAVENS_MAP_TILES", TILES)
            patch.setenv("HAVENS_MAP_ATTRIBUTION", OWED_TO)
            client = stack.enter_context(serving_city(folder))
        yield client


# --- as it is sent ---------------------------------------------------------------------------


def test_it_lists_every_haven_by_ward(city: httpx.Client) -> None:
    answer = city.get("/map", headers={"Accept-Language": "en"})
    text = answer.text
    assert answer.status_code == 200
    assert "<title>All 5 Safe Havens and their wards</title>" in text
    assert text.count("<h1") == 1
    assert "4 are open now." in text
    names = re.findall(r'sh-next__name"><bdi lang="en">(.*?)<', text)
    states = re.findall(r'sh-next__name">.*?sh-next__more">(.*?)<', text)
    shown = [f"{name}, {state}" for name, state in zip(names, states, strict=True)]
    assert [line.replace("&amp;", "&") for line in shown] == IN_ORDER
    assert re.findall(r'href="(/wards/.*?)"', text) == ["/wards/lanternside", "/wards/moth-hill"]
    assert "Outside the wards" in text
    for haven in city.get("/v1/havens").json()["havens"]:
        assert f'href="/havens/{haven["id"]}"' in text


def test_its_links_and_direction_are_of_its_language(city: httpx.Client) -> None:
    text = city.get("/ar/map").text
    assert '<html lang="ar" dir="rtl"' in text
    assert 'href="/ar/wards/moth-hill"' in text
    assert 'hreflang="pl"' in text


def test_only_this_page_may_write_markup_and_none_may_know_the_position(
    city: httpx.Client,
) -> None:
    headers = city.get("/map").headers
    assert headers["Content-Security-Policy"] == NOTHING_ELSE
    assert "geolocation=()" in headers["Permissions-Policy"]
    others = city.get("/help").headers
    assert "require-trusted-types-for 'script'" in others["Content-Security-Policy"]
    assert "geolocation=(self)" in others["Permissions-Policy"]


def test_tiles_come_from_where_the_operator_says(city: httpx.Client, tiled: httpx.Client) -> None:
    answer = tiled.get("/map")
    plain, policy = (
        dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        for headers in (city.get("/map").headers, answer.headers)
    )
    assert policy["img-src"] == "'self' https://tiles.example:8443"
    assert policy | {"img-src": "'self'"} == plain
    # What the operator writes is text, too.
    assert "© &lt;Somebody&gt; &amp; others" in answer.text
    for path in ("/map", "/privacy"):
        assert "come from tiles.example, which gets to know" in tiled.get(path).text
        assert "gets to know" not in city.get(path).text


def test_a_directory_without_havens_says_so(tmp_path: Path, sqlite_url: str) -> None:
    with serving_directory(tmp_path / "data", sqlite_url) as client:
        answer = client.get("/map")
    assert answer.status_code == 200
    assert "There is no Safe Haven here now." in answer.text
    assert 'id="map"' not in answer.text


def test_without_a_directory_it_says_what_to_do(tmp_path: Path) -> None:
    nowhere = "postgresql+psycopg://nobody@/none?host=/nowhere"
    with serving_directory(tmp_path / "data", nowhere, is_ready=False) as client:
        answer = client.get("/map")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")


REFUSED = [
    ("https://tiles.example/{z}/{x}.png", "no {y}"),
    ("https://tiles.example/{z}/{x}/{y}/{y}.png", "one of them twice"),
    ("https://tiles.example/{z}/{x}/{y}{r}.png", "one that the map does not fill in"),
    ("https://{s}.tiles.example/{z}/{x}/{y}.png", "several hosts"),
    ("https://{x}.tiles.example/{z}/{x}/{y}.png", "a host that depends on where one looks"),
    ("https://*.example/{z}/{x}/{y}.png", "any host"),
    ("https://a;b.example/{z}/{x}/{y}.png", "what a policy would read as its next part"),
    ("https://me:secret@tiles.example/{z}/{x}/{y}.png", "a password that everybody could read"),
    ("ftp://tiles.example/{z}/{x}/{y}.png", "not by HTTP"),
    ("tiles.example/{z}/{x}/{y}.png", "no address"),
    ("//", "nothing"),
]


@pytest.mark.parametrize(("template", "why"), REFUSED)
def test_a_source_of_tiles_that_is_none_is_refused(template: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(map_tiles=template, map_attribution="x")
    assert [error["loc"] for error in refused.value.errors()] == [("map_tiles",)], why


def test_tiles_are_not_shown_without_whom_they_are_owed_to() -> None:
    with pytest.raises(ValidationError, match="HAVENS_MAP_ATTRIBUTION"):
        Settings(map_tiles=TILES)
    assert Settings(map_tiles=TILES, map_attribution=OWED_TO).map_tiles == TILES


# --- as it is used ---------------------------------------------------------------------------


def opened(held: Phone, service: httpx.Client, path: str = "/map") -> Page:
    """The page, with its map drawn to the end."""
    held.page.goto(f"{service.base_url}{path}")
    expect(held.page.locator("path.sh-ward")).to_have_count(2)
    return held.page


def test_a_keyboard_reaches_every_haven_in_the_order_of_the_list(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium) as held:
        page = opened(held, city)
        audit(page)
        assert fits(page)
        page.get_by_role("link", name="Go to the map").press("Enter")
        expect(page.locator("#map-heading")).to_be_in_viewport()
        page.locator("#map").focus()
        reached = []
        for _ in IN_ORDER:
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            expect(focused).to_be_in_viewport()
            reached.append(focused.get_attribute("aria-label"))
        assert reached == IN_ORDER
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Closer")).to_be_focused()
        assert all(url.startswith(str(city.base_url)) for url in held.requests)


def test_a_door_tells_which_it_is_and_leads_to_its_page(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium) as held:
        page = opened(held, city)
        sheet = page.locator("#chosen")
        pin = page.get_by_role("button", name="Ondine’s Ladle, Open until 02:00")
        pin.press("Enter")
        expect(sheet.get_by_role("link")).to_have_count(1)
        expect(sheet.get_by_role("link")).to_be_focused()
        expect(sheet).to_contain_text("Ondine’s Ladle")
        audit(page)
        page.keyboard.press("Escape")
        expect(sheet).to_be_hidden()
        expect(pin).to_be_focused()

        pin.press("Space")
        expect(sheet).to_be_visible()
        page.get_by_role("button", name="Close", exact=True).press("Enter")
        expect(sheet).to_be_hidden()
        expect(pin).to_be_focused()

        pin.press("Enter")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Ondine’s Ladle")


def test_doors_that_cover_one_another_are_shown_together(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, has_touch=True, reduced_motion="reduce") as held:
        page = opened(held, city)
        page.get_by_role("button", name="Mothlight Bar").tap()
        shown = page.locator("#chosen .sh-next__name")
        expect(shown).to_have_text(["Mothlight Bar", "The Reading Room"])
        expect(page.locator(".sh-pin--chosen")).to_have_attribute("aria-label", IN_ORDER[2])
        # It moves from under what it opens.
        pin, sheet = (page.locator(name).bounding_box() for name in (".sh-pin--chosen", "#chosen"))
        assert pin
        assert sheet
        assert pin["y"] + pin["height"] <= sheet["y"]
        page.locator("#map").tap(position={"x": 100, "y": 20})
        expect(page.locator("#chosen")).to_be_hidden()


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_moves_only_for_who_does_not_mind(
    chromium: Browser, city: httpx.Client, motion: str
) -> None:
    with phone(chromium, reduced_motion=motion) as held:
        page = opened(held, city)
        last = page.get_by_role("button", name=IN_ORDER[-1])
        begun = last.evaluate(
            "pin => { pin.click(); return document.querySelector('.leaflet-pan-anim') !== null; }"
        )
        assert begun is (motion == "no-preference")


def test_on_a_wide_screen_the_map_stands_beside_the_list(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, viewport={"width": 1280, "height": 900}, color_scheme="dark") as held:
        page = opened(held, city, "/ar/map")
        audit(page)
        expect(page.locator("#map")).to_be_in_viewport()
        expect(page.locator(".sh-mapped__way").first).to_be_hidden()
        assert page.locator(".sh-ward-name").all_inner_texts() == ["Lanternside", "Moth Hill"]


def test_on_the_narrowest_screen_nothing_scrolls_sideways(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, viewport={"width": 320, "height": 256}) as held:
        page = opened(held, city)
        page.get_by_role("button", name="Mothlight Bar").press("Enter")
        expect(page.locator("#chosen a").first).to_be_focused()
        expect(page.locator("#chosen .sh-next__name").first).to_be_in_viewport()
        assert fits(page)


def test_without_script_there_is_the_list_alone(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, java_script_enabled=False) as held:
        held.page.goto(f"{city.base_url}/map")
        expect(held.page.get_by_role("link", name="Mothlight Bar")).to_be_visible()
        for name in ("#map", "#chosen", ".sh-mapped__way"):
            expect(held.page.locator(name)).to_have_count(0)


def test_tiles_are_fetched_from_their_source_alone(chromium: Browser, tiled: httpx.Client) -> None:
    fetched: list[dict[str, str]] = []

    def fulfil(route: Route) -> None:
        fetched.append(route.request.headers)
        route.fulfill(path=STATIC / "icons" / "icon-192.png")

    with phone(chromium) as held:
        held.context.route("https://tiles.example:8443/**", fulfil)
        page = opened(held, tiled)
        expect(page.locator("img.leaflet-tile-loaded").first).to_be_visible()
        page.get_by_role("button", name="Closer").click()
        page.get_by_role("button", name="Farther").click()
        expect(page.get_by_text(OWED_TO)).to_be_visible()
        expect(page.get_by_text("come from tiles.example")).to_be_visible()
        elsewhere = [url for url in held.requests if not url.startswith(str(tiled.base_url))]
        assert elsewhere
        for url in elsewhere:
            assert re.fullmatch(r"https://tiles\.example:8443/streets/\d+/\d+/\d+\.png\?key=7", url)
        assert not any("referer" in headers for headers in fetched)
