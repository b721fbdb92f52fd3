"""What people do with the finder, in a browser, against the service."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shutil import copyfile

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.core.db import connected
from app.core.download import client_of
from app.core.london import LONDON
from app.core.places import Point
from app.core.postcodes import Postcodes
from app.core.settings import Neighbour
from app.directory.beyond import Kept
from app.directory.neighbours.fetching import ask
from app.http.languages import language_code
from tests.factories import BANK, make_venue, make_ward, utc
from tests.servers import serving_directory, settings_for, until
from tests.web.city import (
    DOOR,
    FRIDAY_NIGHT,
    HOUR,
    MINUTE,
    MONDAY_MORNING,
    SECOND,
    Clock,
    begin,
    haven,
    kept,
    make_city,
    press,
)
from tests.web.phones import Phone, audit, fits, phone


@pytest.fixture
def at_bank(chromium: Browser, city: httpx.Client) -> Iterator[Phone]:
    """A phone at Bank on a Friday night, on the finder's first screen."""
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
        begin(held, city)
        yield held


def test_a_position_given(at_bank: Phone, city: httpx.Client) -> None:
    page = at_bank.page
    audit(page)
    press(page)
    first = page.locator("#nearest article")
    expect(first.get_by_role("heading", level=2)).to_have_text("Ondine’s Ladle")
    expect(first).to_contain_text("Open until 02:00")
    expect(first).to_contain_text("Café")
    expect(first).to_contain_text("28 Ladle Street")
    expect(first).to_contain_text("Green door under the brass ladle")
    expect(first).to_contain_text("Step-free: yes")
    expect(first).to_contain_text("You can ask for Angela here.")
    expect(first).to_contain_text("north-east")
    expect(first.get_by_role("link", name="Call")).to_have_attribute("href", "tel:02079460002")
    way = first.get_by_role("link", name="Walk there").get_attribute("href") or ""
    assert "destination=51.5142" in way
    assert str(BANK.lat) not in way
    told = city.post("/v1/havens/nearest", json={"lat": BANK.lat, "lon": BANK.lon}).json()
    for part in ("havens", "closing", "opens_next"):
        names = [one["name"] for one in told[part]]
        shown = page.locator(f"#{part} .sh-next__name")
        assert shown.all_inner_texts() == [n for n in names if n != "Ondine’s Ladle"]
    closing = page.locator("#closing .sh-state")
    expect(closing).to_have_text("Closes at 23:38")
    expect(closing.locator("svg")).to_have_count(1)
    expect(page.locator("[data-ward=Lanternside]")).to_have_text("2 open")
    minutes = told["havens"][0]["walking_minutes"]
    spoken = f"Nearest open door: Ondine’s Ladle, {minutes} minutes, north-east, open until 02:00."
    expect(page.get_by_role("status")).to_have_text(re.compile(re.escape(spoken), re.IGNORECASE))
    # It goes into the browser's history.
    expect(page).to_have_title("Nearest open door")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    way_there = first.get_by_role("link", name="Walk there")
    expect(way_there).to_be_in_viewport()
    audit(page)


def test_walking_and_time_passing(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    at_bank.stands(Point(BANK.lat - 0.003, BANK.lon))
    expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
    page.clock.fast_forward(int(4.8 * HOUR))
    expect(page.get_by_role("heading", level=1)).to_have_text("The next door opens at 05:30")


def test_a_phone_abroad_tells_london_s_time(chromium: Browser, city: httpx.Client) -> None:
    minutes = [
        moment
        for year in range(2026, 2041)
        for month in (3, 10)
        for moment in range(int(utc(f"{year}-{month:02}-24T00:07")), 2_300_000_000, 1800)[: 48 * 8]
    ]
    with phone(chromium, timezone_id="Asia/Kolkata") as held:
        begin(held, city)
        told = held.page.evaluate(
            """moments => moments.map((moment) => {
              const {day, date, time} = inLondon(1000 * moment);
              return `${day} ${date} ${time}`;
            })""",
            minutes,
        )
    assert told == [f"{datetime.fromtimestamp(one, LONDON):%A %Y-%m-%d %H:%M}" for one in minutes]


def test_another_door_in_the_same_entry_of_the_history(at_bank: Phone) -> None:
    page = at_bank.page
    before = page.evaluate("history.length")
    press(page)
    page.get_by_role("link", name="Mothlight Bar").click()
    expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
    page.get_by_role("link", name="Start again").click()
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    page.get_by_role("link", name="Start again").click()
    expect(page.get_by_role("button", name=DOOR)).to_be_focused()
    assert page.evaluate("history.length") == before


def test_filters(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    page.get_by_role("button", name="Toilet").click()
    expect(page.get_by_role("button", name="Toilet")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Toilet")).to_be_focused()
    expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
    page.get_by_role("button", name="Step-free").click()
    expect(page.locator("#without")).to_contain_text("No open place has all of that.")
    audit(page)


def test_a_position_refused(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, now=FRIDAY_NIGHT) as held:
        begin(held, city)
        press(held.page)
        expect(held.page.get_by_role("heading", level=1)).to_have_text("Tell us a place instead")
        expect(held.page.locator("#place-reason")).to_contain_text("is not allowed to use")
        expect(held.page.get_by_text("share its position after all")).to_be_visible()
        audit(held.page)
        asked = len(held.requests)
        held.page.get_by_label("Postcode, street").fill("ladle street")
        held.page.get_by_role("button", name="Find", exact=True).click()
        expect(held.page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        # What was typed was answered on the phone.
        assert held.requests[asked:] == []


def test_a_postcode_that_no_haven_has(
    chromium: Browser, sqlite_url: str, tmp_path: Path, clock: Clock
) -> None:
    beside_mothlight = Point(BANK.lat - 0.0029, BANK.lon)
    Postcodes({"EC4N 9QQ": beside_mothlight}, {"attribution": "A test"}).write(tmp_path)
    with connected(sqlite_url) as engine:
        make_city(engine)
    with (
        serving_directory(tmp_path, sqlite_url, clock) as service,
        phone(chromium, now=FRIDAY_NIGHT) as held,
    ):
        begin(held, service)
        kept(held.page)
        for lists_fetched in 1, 0:
            asked = len(held.requests)
            held.page.get_by_label("Postcode, street").fill("ec4n9qq")
            held.page.get_by_role("button", name="Find", exact=True).click()
            expect(held.page.locator("#nearest h2")).to_have_text("Mothlight Bar")
            paths = [request.partition("?")[0] for request in held.requests[asked:]]
            assert paths == [f"{service.base_url}/v1/postcodes"] * lists_fetched
            held.context.set_offline(True)
            held.page.reload()
            expect(held.page.locator("html[data-directory=ready]")).to_be_attached()


@pytest.mark.parametrize(
    ("geolocation", "words"),
    [
        ("undefined", "This browser can’t tell where the phone is."),
        (
            "{watchPosition: (_, fail) => fail({code: 2, PERMISSION_DENIED: 1}), clearWatch() {}}",
            "Your phone can’t find where it is.",
        ),
    ],
    ids=["absent", "failing"],
)
def test_no_position(chromium: Browser, city: httpx.Client, geolocation: str, words: str) -> None:
    with phone(chromium, now=FRIDAY_NIGHT) as held:
        held.page.add_init_script(
            f"Object.defineProperty(navigator, 'geolocation', {{value: {geolocation}}})"
        )
        begin(held, city)
        press(held.page)
        expect(held.page.get_by_role("heading", level=1)).to_have_text("Tell us a place instead")
        expect(held.page.locator("#place-reason")).to_contain_text(words)
        audit(held.page)


def test_a_slow_position(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, now=FRIDAY_NIGHT) as held:
        held.page.add_init_script(
            "Object.defineProperty(navigator, 'geolocation',"
            " {value: {watchPosition: () => 1, clearWatch() {}}})"
        )
        begin(held, city)
        press(held.page)
        held.page.clock.run_for(SECOND)
        expect(held.page.locator("#told")).to_have_text("Looking for where you are…")
        audit(held.page)
        held.page.clock.run_for(5 * SECOND)
        expect(held.page.locator("#told")).to_have_text(
            "Still looking. You can type a place instead."
        )
        held.page.clock.run_for(8 * SECOND)
        expect(held.page.locator("#place-reason")).to_contain_text("can’t find where it is")
        held.page.get_by_role("button", name="Look again").click()
        expect(held.page.get_by_role("button", name=DOOR)).to_be_visible()


def test_a_line_that_breaks_after_the_door_has_come(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
        page, door = held.page, held.page.get_by_role("button", name=DOOR)
        broken = re.compile("/static/finder[.]|/v1/havens$")
        page.route(broken, lambda route: route.abort())
        page.goto(str(city.base_url))
        # What lies below is unstyled, but there.
        expect(page.get_by_label("Postcode, street")).to_be_visible()
        door.click()
        expect(page.get_by_role("status")).to_contain_text("The list of havens can’t be loaded.")
        # Its script comes, the list does not.
        page.unroute(broken)
        page.route("**/v1/havens", lambda route: route.abort())
        with page.expect_response("**/static/finder.*.js"):
            door.click()
        expect(page.get_by_role("status")).to_contain_text("The list of havens can’t be loaded.")
        page.unroute("**/v1/havens")
        door.click()
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")


def test_whoever_asks_for_what_lies_below_does_not_wait_for_it(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
        page, below = held.page, held.page.locator("#elsewhere")
        # The door is there, and nothing else comes.
        page.clock.pause_at(FRIDAY_NIGHT + 1)
        page.goto(str(city.base_url))
        expect(page.get_by_role("button", name=DOOR)).to_be_visible()
        expect(below).to_be_hidden()
        page.get_by_role("link", name="Can’t speak?").click()
        expect(below).to_be_visible()
        expect(page.locator("#cant-speak")).to_be_in_viewport()


def test_offline_after_the_first_visit(at_bank: Phone, city: httpx.Client) -> None:
    page = at_bank.page
    kept(page)
    at_bank.context.set_offline(True)
    page.reload()
    press(page)
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    expect(page.locator("#list-age")).to_have_text(
        re.compile("^No connection. This is the list of")
    )
    audit(page)
    page.clock.fast_forward(25 * HOUR)
    expect(page.locator("#list-age")).to_have_text(
        re.compile("^This list is from Friday 23:00. Hours may have changed")
    )
    page.goto(f"{city.base_url}/help")
    expect(page.get_by_text("Call 999").first).to_be_visible()


def test_a_store_that_does_not_answer_holds_nothing_up(at_bank: Phone) -> None:
    page = at_bank.page
    kept(page)
    page.add_init_script("CacheStorage.prototype.match = () => new Promise(() => {})")
    page.reload()
    page.clock.run_for(2 * SECOND)
    press(page)
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    expect(page.locator("#list-age")).to_be_hidden()


def test_nothing_open(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=BANK, now=MONDAY_MORNING, color_scheme="dark") as held:
        begin(held, city)
        press(held.page)
        expect(held.page.get_by_role("heading", level=1)).to_have_text(
            "The next door opens at 05:30"
        )
        expect(held.page.locator("#fresh")).to_contain_text("You need not wait for a door.")
        expect(held.page.locator("#nearest h2")).to_have_text("Cinderquay Pier Waiting Room")
        audit(held.page)


def test_by_keyboard(at_bank: Phone) -> None:
    page = at_bank.page
    stops = []
    for _ in range(6):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert stops == [
        "Skip to main content",
        "Safe Havens",
        "Exit this page",
        "Call 999",
        "Can’t speak?",
        DOOR,
    ]
    page.keyboard.press("Enter")
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Walk there")).to_be_focused()


def test_without_script(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, java_script_enabled=False) as held:
        page = held.page
        page.goto(str(city.base_url))
        expect(page.locator(".sh-door")).to_have_count(0)
        expect(page.get_by_text("Type a place below")).to_be_visible()
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.get_by_text("There is a problem")).to_be_visible()
        expect(page).to_have_title(re.compile("^Error:"))
        page.get_by_label("Postcode, street").fill("EC1A 0ZZ")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
        page.get_by_label("Postcode, street").fill("Nowhere at all")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("We don’t know")


@pytest.mark.parametrize("path", ["/", "/ar"])
def test_narrow_and_enlarged(chromium: Browser, city: httpx.Client, path: str) -> None:
    for size in ({"width": 320, "height": 568}, {"width": 320, "height": 256}):
        with phone(chromium, at=BANK, now=FRIDAY_NIGHT, viewport=size) as held:
            begin(held, city, path)
            assert fits(held.page)
            bar = held.page.locator(".sh-999").bounding_box()
            assert bar is not None
            assert bar["height"] < 80
            press(held.page)
            expect(held.page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
            assert fits(held.page)
            audit(held.page)


def test_at_night_in_arabic(chromium: Browser, city: httpx.Client) -> None:
    turned = []
    for path in ("/", "/ar"):
        with phone(chromium, at=BANK, now=FRIDAY_NIGHT, color_scheme="dark") as held:
            begin(held, city, path)
            press(held.page)
            arrow = held.page.locator("#nearest [data-turn]")
            turned.append(arrow.get_attribute("transform"))
            drawn = "one => new DOMMatrix(getComputedStyle(one.ownerSVGElement).transform).a"
            assert arrow.evaluate(drawn) == 1
            address = held.page.locator("#nearest .sh-read bdi").first
            expect(address).to_have_text("28 Ladle Street")
            assert address.evaluate(
                "one => [getComputedStyle(one).unicodeBidi, one.closest('[lang]').lang]"
            ) == ["isolate", "en"]
            if path == "/ar":
                expect(held.page.locator("#nearest")).to_contain_text("مفتوح حتى 02:00")
                audit(held.page)
    assert turned[0] == turned[1]
    assert re.fullmatch(r"rotate\(4\d 24 24\)", turned[0] or "")


# A phone whose sensors the test moves: `found(lat, lon)` and `lost()`.
SENSORS = """Object.defineProperty(navigator, "geolocation", { value: {
  watchPosition(placed, failed) {
    window.found = (lat, lon) => placed({ coords: { latitude: lat, longitude: lon } });
    window.lost = () => failed({ code: 2, PERMISSION_DENIED: 1 });
    return 1;
  },
  clearWatch() {},
} })"""


def test_a_position_that_is_lost_and_found_again(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, now=FRIDAY_NIGHT) as held:
        page = held.page
        page.add_init_script(SENSORS)
        begin(held, city)
        press(page)
        page.evaluate("([lat, lon]) => found(lat, lon)", [BANK.lat, BANK.lon])
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        page.evaluate("lost()")
        expect(page.locator("#list-age")).to_contain_text("Your phone can’t find where it is.")
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        # Two at once: what is shown is the last.
        page.evaluate(
            "([lat, lon]) => { found(lat, lon); found(lat - 0.003, lon) }", [BANK.lat, BANK.lon]
        )
        expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")
        expect(page.locator("#list-age")).to_be_hidden()


def test_what_is_as_it_was_stays_where_it_is(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    report = page.get_by_role("link", name="Its hours, and report a problem")
    report.focus()
    card = page.locator("#nearest article").element_handle()
    fresh = page.locator("#fresh").inner_text()
    page.clock.run_for(2 * MINUTE)
    expect(page.locator("#fresh")).not_to_have_text(fresh)
    assert card.evaluate("one => one.isConnected")
    expect(report).to_be_focused()


def test_doors_that_open_and_shut_meanwhile(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    expect(page.locator("#closing")).to_contain_text("The Crooked Sextant")
    page.evaluate(
        """() => {
          window.told = [];
          const spoken = document.getElementById("spoken");
          new MutationObserver(() => told.push(spoken.textContent))
            .observe(spoken, { childList: true });
        }"""
    )
    page.clock.fast_forward(8 * MINUTE)
    expect(page.locator("#closing")).to_be_hidden()
    # It becomes a haven at midnight: until then nobody is sent there.
    expect(page.locator("#answer")).not_to_contain_text("The Comet Hotel")
    assert page.evaluate("told") == []
    page.clock.fast_forward(22 * MINUTE)
    expect(page.locator("#nearest h2")).to_have_text("The Comet Hotel")
    page.clock.run_for(MINUTE)
    told = page.evaluate("told")
    assert len(told) == 1
    assert told[0].startswith("Nearest open door: The Comet Hotel, 1 minute, north, ")


def test_the_page_is_true_as_soon_as_it_is_seen_again(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
    # As on a phone that slept: the clock went on, and no timer with it.
    page.clock.set_system_time(FRIDAY_NIGHT + 5 * HOUR / SECOND)
    with page.expect_response("**/v1/havens"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("heading", level=1)).to_have_text("The next door opens at 05:30")


def test_a_first_visit_on_which_the_list_does_not_come(
    chromium: Browser, city: httpx.Client
) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT, service_workers="block") as held:
        page = held.page
        page.route("**/v1/havens", lambda route: route.abort())
        page.goto(str(city.base_url))
        press(page)
        expect(page.locator("#told")).to_contain_text("The list of havens can’t be loaded.")
        expect(page.locator("#told")).to_contain_text("call 999")
        audit(page)
        page.get_by_label("Postcode, street").fill("ladle street")
        page.get_by_role("button", name="Find", exact=True).click()
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        expect(page.locator("#fresh")).to_contain_text("seen from Ladle Street")


def test_a_list_that_is_late(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT, service_workers="block") as held:
        page = held.page
        held_back: list[Route] = []
        page.route("**/v1/havens", lambda route: held_back.append(route))  # noqa: PLW0108  it is asked for its names
        page.goto(str(city.base_url))
        press(page)
        expect(page.locator("#told")).to_have_text("Fetching the list of havens…")
        page.clock.run_for(13 * SECOND)
        expect(page.locator("#told")).to_contain_text("The list of havens can’t be loaded.")
        for route in held_back:
            route.continue_()
        expect(page.locator("#nearest h2")).to_have_text("Ondine’s Ladle")
        expect(page.locator("#list-age")).to_be_hidden()


def test_another_door_is_not_called_the_nearest(at_bank: Phone) -> None:
    page = at_bank.page
    press(page)
    page.get_by_role("link", name="Cinderquay Pier").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cinderquay Pier Waiting Room")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Cinderquay Pier Waiting Room, "))
    # What was chosen is forgotten with the place that it was chosen from.
    page.get_by_label("Postcode, street").fill("Moth Alley")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nearest open door")
    expect(page.locator("#nearest h2")).to_have_text("Mothlight Bar")


def test_a_door_about_to_shut_says_how_little_is_to_spare(
    chromium: Browser, city: httpx.Client
) -> None:
    at_the_bar = Point(BANK.lat - 0.003, BANK.lon)
    with phone(chromium, at=at_the_bar, now=FRIDAY_NIGHT + 4.45 * HOUR / SECOND) as held:
        begin(held, city)
        press(held.page)
        expect(held.page.locator("#nearest")).to_contain_text("Closes at 04:00")
        expect(held.page.locator("#list-age")).to_contain_text("less than five minutes to spare")


def test_a_neighbour_s_door_says_whose_it_is(
    chromium: Browser, sqlite_template: Path, tmp_path: Path
) -> None:
    urls = [
        f"sqlite:///{copyfile(sqlite_template, tmp_path / name)}"
        for name in ("ours.sqlite", "theirs.sqlite")
    ]
    for url, name, metres in zip(urls, ("Near", "Over the Bridge"), (0.002, 0.004), strict=True):
        with connected(url) as engine:
            make_venue(engine, name=name, lat=BANK.lat + metres, hours="24/7")
    theirs = {"name": "Südwark & Söhne", "directory": "https://south.example/v1/havens"}
    neighbour = Neighbour.model_validate(theirs)
    clock = Clock()
    with serving_directory(tmp_path / "theirs", urls[1], clock) as service:
        told = service.get("/v1/havens").content
    with serving_directory(tmp_path / "ours", urls[0], clock, neighbours=[neighbour]) as city:
        settings = settings_for(tmp_path / "ours", urls[0], neighbours=[neighbour])
        say = httpx.MockTransport(lambda _: httpx.Response(200, content=told))
        with client_of(transport=say) as client:
            ask(settings, Kept(tmp_path / "ours", neighbour), client, clock())
        until(lambda: "neighbours" in city.get("/v1/havens").json())
        source = "From Südwark & Söhne, as of Friday 23:00"
        with phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
            begin(held, city)
            press(held.page)
            first = held.page.locator("#nearest article")
            expect(first).to_contain_text("Near")
            expect(first).not_to_contain_text("as of")
            expect(first.get_by_role("link", name="Its hours")).to_be_visible()
            line = held.page.locator("#havens .sh-next")
            expect(line).to_contain_text("Over the Bridge")
            expect(line).to_contain_text(source)
            line.click()
            expect(first).to_contain_text("Over the Bridge")
            expect(first).to_contain_text(source)
            # Its page is not ours.
            expect(first.get_by_role("link", name="Its hours")).to_have_count(0)
            expect(held.page.locator("#list-age")).to_be_hidden()
            audit(held.page)
            held.page.clock.set_fixed_time((FRIDAY_NIGHT + 26 * 3600) * SECOND)
            held.page.evaluate("show()")
            expect(held.page.locator("#list-age")).to_contain_text("This list is from Friday 23:00")
        # Whoever stands beyond our boundary has theirs first, with script and without.
        with phone(chromium, at=Point(BANK.lat + 0.004, BANK.lon), now=FRIDAY_NIGHT) as held:
            begin(held, city, "/pl")
            press(held.page)
            first = held.page.locator("#nearest article")
            expect(first).to_contain_text("Over the Bridge")
            expect(first).to_contain_text("Od: Südwark & Söhne, stan na")
        page = city.post("/", data={"place": "Near"}).text
        assert page.index("Near</bdi>") < page.index("Over the Bridge</bdi>")
        assert "From Südwark &amp; Söhne, as of Friday 23:00" in page


def test_the_compass(at_bank: Phone) -> None:
    page = at_bank.page
    at_bank.context.grant_permissions(["geolocation", "accelerometer", "gyroscope", "magnetometer"])
    press(page)
    arrow = page.locator("#nearest [data-turn]")
    bearing = int(arrow.get_attribute("data-turn") or "")
    for north, turned_by in ((355, 0), (340, 20), (333, 20), (270, 90), (None, 90)):
        page.evaluate(
            """alpha => dispatchEvent(new DeviceOrientationEvent(
              "deviceorientationabsolute", { absolute: true, alpha }))""",
            north,
        )
        expect(arrow).to_have_attribute("transform", f"rotate({bearing - turned_by} 24 24)")


def test_telling_someone(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
        held.page.add_init_script(
            "navigator.share = (given) => {"
            " window.shared = given;"
            " return Promise.reject(new DOMException('closed', 'AbortError')) }"
        )
        begin(held, city)
        press(held.page)
        held.page.get_by_role("button", name="Tell someone").click()
        assert held.page.evaluate("shared") == {
            "text": "I am going to Ondine’s Ladle, 28 Ladle Street, EC4N 0ZZ."
            " It is a Safe Haven. Open until 02:00.",
            "url": f"{city.base_url}{haven(city, 'Ondine’s Ladle')}",
        }


def test_an_iphone_opens_its_own_map(chromium: Browser, city: httpx.Client) -> None:
    with phone(chromium, at=BANK, now=FRIDAY_NIGHT, user_agent="Mozilla/5.0 (iPhone)") as held:
        begin(held, city)
        press(held.page)
        way = held.page.get_by_role("link", name="Walk there")
        expect(way).to_have_attribute(
            "href", "https://maps.apple.com/?dirflg=w&daddr=51.514200,-0.087800"
        )


def test_a_new_build_takes_the_place_of_the_old(
    chromium: Browser, sqlite_url: str, tmp_path: Path
) -> None:
    with (
        connected(sqlite_url) as engine,
        serving_directory(tmp_path / "data", sqlite_url) as client,
        phone(chromium) as held,
    ):
        page = held.page
        begin(held, client, "/pl")
        kept(page)
        until(lambda: "/pl/help" in stored(page))
        before = page.evaluate("caches.keys()")
        # The page lists wards: with a new one it is another page, and so another build.
        ward = make_ward(engine, name="Newgate").id
        venue = make_venue(engine, name="The New Door", hours="24/7", ward_id=ward).id
        until(lambda: "Newgate" in client.get("/pl").text)
        page.evaluate("navigator.serviceWorker.ready.then((found) => found.update())")
        until(lambda: not set(page.evaluate("caches.keys()")) >= set(before))
        names = page.evaluate("caches.keys()")
        assert len(names) == 2
        assert "havens-directory" in names
        # What the phone had in its own language, it has again.
        assert {"/", "/help", "/pl", "/pl/help"} <= set(stored(page))
        held.context.set_offline(True)
        for path in ("/pl", f"/pl/havens/{venue}"):
            page.goto(f"{client.base_url}{path}")
            expect(page.locator("html")).to_have_attribute("lang", "pl")
            expect(page.locator(".sh-door")).to_be_visible()
            expect(page.get_by_text("Newgate")).to_be_visible()
        page.goto(f"{client.base_url}/pl/help")
        expect(page.locator("#cant-speak")).to_be_visible()
        page.goto(f"{client.base_url}/havens/{venue}")
        expect(page.get_by_role("button", name=DOOR)).to_be_visible()


def stored(page: Page) -> list[str]:
    """The paths that the worker keeps."""
    found: list[str] = page.evaluate(
        """async () => {
          const stores = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
          const requests = await Promise.all(stores.map((store) => store.keys()));
          return requests.flat().map((request) => new URL(request.url).pathname);
        }"""
    )
    return found


def test_a_demonstration_says_so_wherever_one_walks(
    chromium: Browser, sqlite_url: str, tmp_path: Path
) -> None:
    with connected(sqlite_url) as engine:
        make_venue(engine, demonstration=True, ward_id=make_ward(engine, name="Lanternside").id)
    demo = serving_directory(tmp_path / "data", sqlite_url, Clock(), environment="demo")
    with demo as client, phone(chromium, at=BANK, now=FRIDAY_NIGHT) as held:
        page = held.page
        told = page.locator(".sh-demo")
        begin(held, client)
        press(page)
        expect(page.locator("#nearest h2")).to_be_visible()
        expect(told).to_contain_text("Demonstration data")
        expect(told).to_be_in_viewport()
        ahead, seen = ["/"], {"/"}
        while ahead:
            page.goto(f"{client.base_url}{ahead.pop()}")
            expect(told).to_be_in_viewport()
            paths = page.eval_on_selector_all("a[href^='/']", "(all) => all.map((a) => a.pathname)")
            new = {p for p in paths if language_code(p) in ("", p[1:]) and not p.endswith(".pdf")}
            ahead += sorted(new - seen)
            seen |= new
        kinds = {re.sub("[0-9a-f-]{36}", "{id}", path) for path in seen}
        assert kinds >= {"/havens/{id}", "/havens/{id}/report", "/wards/lanternside", "/map", "/ar"}
