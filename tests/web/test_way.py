"""The finder over the streets: they come late, stay on the phone, and show the way."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.core.places import Point
from tests.factories import BANK
from tests.servers import until
from tests.walking.test_streets import ragged
from tests.walking.towns import grid, place
from tests.web.city import FRIDAY_NIGHT, KEPT_STREETS, Clock, begin, kept, press, serving_city
from tests.web.phones import Phone, audit, fits, phone

OVER, ESTIMATE = "Minutes on foot, over the streets", "Minutes on foot, an estimate"
HERE = Point(*place(822, 335))

SAVES_DATA = "Object.defineProperty(navigator, 'connection', {value: {saveData: true}})"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("streets")


@pytest.fixture(scope="module")
def city(sqlite_template: Path, folder: Path, clock: Clock) -> Iterator[httpx.Client]:
    """The few havens around Bank, in a town of straight streets."""
    with serving_city(folder, sqlite_template, clock, grid()) as client:
        yield client


def walking(page: Page) -> Locator:
    """What the card says of its minutes."""
    return page.locator("#nearest .sh-haven__kind").nth(1)


def found(held: Phone, city: httpx.Client, path: str = "/") -> None:
    """Open the finder and press the door, until the answer is over the streets."""
    begin(held, city, path)
    press(held.page)
    expect(held.page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")


def show_way(page: Page) -> None:
    page.locator("[data-key=way]").click()
    expect(page.locator("#way-steps li").first).to_be_visible()


def test_streets_come_after_the_answer_and_it_is_then_as_the_service_gives_it(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        held.page.route("**/v1/streets*", lambda _: None)  # they never come
        found(held, city)
        expect(walking(held.page)).to_have_text(ESTIMATE)
        expect(held.page.locator(".sh-way b").first).to_have_text("3 min")
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        found(held, city)
        expect(walking(held.page)).to_have_text(OVER)
        asked = [request.removeprefix(str(city.base_url)) for request in held.requests]
        streets = [address for address in asked if address.startswith("/v1/streets")]
        [name] = {city.get("/v1/havens").json()["directory"]["streets"]}
        assert streets == [f"/v1/streets?of={name}"]
        assert asked.index("/v1/havens") < asked.index(streets[0])
        told = city.post("/v1/havens/nearest", json={"lat": HERE.lat, "lon": HERE.lon}).json()
        assert told["havens"][0]["walking"] == "streets"
        minutes = [haven["walking_minutes"] for haven in told["havens"]]
        shown = [held.page.locator(".sh-way b").first.inner_text()]
        shown += held.page.locator("#havens .sh-next__way").all_inner_texts()
        assert [text.split()[0] for text in shown] == [str(n) for n in minutes]


def test_whoever_saves_data_gets_them_by_asking_for_the_way(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        held.context.add_init_script(SAVES_DATA)
        found(held, city)
        held.page.get_by_role("button", name="Toilet").click()
        held.page.get_by_role("button", name="Toilet").click()
        expect(walking(held.page)).to_have_text(ESTIMATE)
        assert not [one for one in held.requests if "streets" in one]
        show_way(held.page)
        expect(walking(held.page)).to_have_text(OVER)


def test_the_way_is_drawn_and_told_by_keyboard_alone(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        page = held.page
        found(held, city)
        expect(walking(page)).to_have_text(OVER)
        page.get_by_role("button", name="Show the way").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#way-heading")).to_be_focused()
        expect(page.locator("#way-heading")).to_have_text("The way, 4 minutes")
        steps = page.locator("#way-steps li").all_inner_texts()
        assert steps[0].startswith("Head ")
        assert any("Street 5" in step for step in steps)
        assert steps[-1].startswith("The haven is ")
        drawing = page.get_by_role("img", name="Sketch of the way to Ondine’s Ladle")
        expect(drawing).to_be_visible()
        assert drawing.locator(".route").get_attribute("d")
        names = drawing.locator("text:not(.b)").all_text_contents()
        assert names
        assert {name.split()[0] for name in names} <= {"Street", "Avenue"}
        expect(page.get_by_text("© OpenStreetMap contributors")).to_be_visible()
        audit(page)
        # It stays the way to this one, whichever is the nearest by then.
        held.stands(Point(BANK.lat - 0.0025, BANK.lon))
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        expect(page.locator("#way-heading")).not_to_have_text("The way, 4 minutes")
        page.get_by_role("link", name="Start again").click()
        expect(page.locator("#way")).to_be_hidden()


@pytest.mark.parametrize("code", ["es", "ar"])
def test_the_way_fits_in_other_languages_and_is_never_mirrored(
    chromium: Browser, city: httpx.Client, code: str
) -> None:
    size = {"width": 320, "height": 640}
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT, viewport=size, color_scheme="dark") as held:
        page = held.page
        found(held, city, f"/{code}")
        show_way(page)
        assert fits(page)
        audit(page)
        names = page.locator("#way-steps bdi").all_inner_texts()
        assert "Street 5" in names
        # Where one stands is left of the door, as it is west of it.
        you, door = (page.locator(f"#way-map {part}").bounding_box() for part in (".you", ".arch"))
        assert you
        assert door
        assert you["x"] < door["x"]


def test_without_a_connection_the_way_is_there_too(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        page = held.page
        begin(held, city)
        kept(page)
        press(page)
        expect(walking(page)).to_have_text(OVER)
        until(lambda: len(page.evaluate(KEPT_STREETS)) == 3)
        held.context.set_offline(True)
        page.reload()
        press(page)
        expect(walking(page)).to_have_text(OVER)
        show_way(page)
        expect(page.locator("#list-age")).to_contain_text("No connection")


def test_who_is_on_no_street_is_told_so(chromium: Browser, city: httpx.Client) -> None:
    lat, lon = place(-600, 300)
    with phone(chromium, at=Point(lat, lon), now=FRIDAY_NIGHT) as held:
        begin(held, city)
        press(held.page)
        expect(walking(held.page)).to_have_text(ESTIMATE)
        held.page.locator("[data-key=way]").click()
        expect(held.page.locator("#way-told")).to_contain_text("No way over the streets is known")
        expect(held.page.locator("#way-shown")).to_be_hidden()


def test_streets_that_do_not_come_are_said_to_be_missing_and_asked_for_again(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        page = held.page
        page.route("**/v1/streets*", lambda route: route.fulfill(status=503))
        found(held, city)
        page.locator("[data-key=way]").click()
        expect(page.locator("#way-told")).to_contain_text("The streets can’t be loaded.")
        audit(page)
        page.unroute("**/v1/streets*")
        show_way(page)
        expect(page.locator("#way-told")).to_be_hidden()


def test_newer_streets_take_the_place_of_those_that_were_kept(
    chromium: Browser, city: httpx.Client, folder: Path
) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        page = held.page
        found(held, city)
        expect(walking(page)).to_have_text(OVER)
        made = ragged(3).streets(folder)
        until(lambda: city.get("/v1/havens").json()["directory"].get("streets") == made.checksum)
        with page.expect_response("**/v1/streets*"):
            page.evaluate("window.dispatchEvent(new Event('online'))")
        address = f"{city.base_url}/v1/streets?of={made.checksum}"
        until(lambda: address in page.evaluate(KEPT_STREETS))
        assert sum("/v1/streets" in one for one in page.evaluate(KEPT_STREETS)) == 1


def test_the_next_version_keeps_what_this_one_kept(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=HERE, now=FRIDAY_NIGHT) as held:
        page = held.page
        page.goto(f"{city.base_url}/privacy")
        page.evaluate(
            "caches.open('havens-before').then((kept) =>"
            " kept.put('/static/streets.0123456789.js', new Response('')))"
        )
        begin(held, city)
        kept(page)
        addresses = page.evaluate(KEPT_STREETS)
        assert addresses
        for address in addresses:
            assert "/static/streets." in address
            assert "0123456789" not in address
            assert page.request.get(address).ok
