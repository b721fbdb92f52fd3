"""Registering a venue by its postcode, with who knows postcodes well, ill, or away.

The stand-in answers in the shapes of postcodes.io and of the OS Places API.
"""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from app.accounts.models import Role
from app.core.places import Point
from app.core.postcodes import Postcodes
from app.core.settings import AddressServices
from app.venues.addresses import AWAY_SECONDS, KNOWN_FOR, UNKNOWN_FOR, Addresses
from tests.accounts import signed_in
from tests.factories import make_ward, utc
from tests.servers import serving
from tests.web.staff.conftest import Browser, Staff, text

NOW = utc("2026-11-27T12:00")
KEY = "a key of the tests"
DRAFT = {"name": "The Blue Door", "postcode": "ec2r8aj", "address": "1 Ladder Yard"}
FOUND = {
    "status": 200,
    "result": {
        "postcode": "EC2R 8AJ",
        "quality": 1,
        "longitude": -0.0886,
        "latitude": 51.5142,
        "admin_ward": "Walbrook",
        "parish": None,
        "codes": {"admin_ward": "E05009312"},
    },
}
POINT = {"UPRN": "1", "ADDRESS": "1, LADDER YARD, LONDON, EC2R 8AJ", "POSTCODE": "EC2R 8AJ"}
PLACES = {
    "header": {"totalresults": 2, "output_srs": "EPSG:4326"},
    "results": [
        {"DPA": POINT | {"LAT": 51.5140, "LNG": -0.0884}},
        {"DPA": POINT | {"LAT": 51.5144, "LNG": -0.0888}},
    ],
}


class StandIn:
    """A service at an address; what it answers is what a test sets."""

    def __init__(self) -> None:
        self.answer: Any = FOUND
        self.status = 200
        self.headers: dict[str, str] = {}
        self.places: Any = PLACES
        self.asked: list[str] = []
        self.hangs: threading.Event | None = None
        self.address = ""
        self.app = FastAPI()

        @self.app.get("/postcodes/{code}")
        async def of_postcode(code: str) -> Response:
            self.asked.append(code)
            while self.hangs and not self.hangs.is_set():  # noqa: ASYNC110 - of another thread
                await asyncio.sleep(0.01)
            if isinstance(self.answer, bytes):
                return Response(self.answer, self.status, self.headers)
            return JSONResponse(self.answer, self.status, self.headers)

        @self.app.get("/places/postcode")
        async def of_places(request: Request) -> Response:
            self.asked.append(f"places {request.query_params['postcode']}")
            assert KEY not in str(request.url)
            if request.headers["key"] != KEY:
                return JSONResponse({"error": {"statuscode": 401}}, 401)
            return JSONResponse(self.places)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    held = StandIn()
    with serving(held.app) as client:
        held.address = str(client.base_url).rstrip("/")
        yield held
        if held.hangs:
            held.hangs.set()


class Moment:
    now: float = NOW


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
def known(staff: Staff, stand_in: StandIn, moment: Moment) -> Iterator[Addresses]:
    """The service asks the stand-in, which is all that it has."""
    before = staff.app.state.addresses
    settings, engine = staff.app.state.settings, staff.app.state.journal.engine
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM postcode_lookup")
    services = AddressServices.model_validate({"postcodes": stand_in.address, "seconds": 1})
    staff.app.state.addresses = Addresses(
        settings.data_dir, engine, services, clock=lambda: moment.now
    )
    yield staff.app.state.addresses
    staff.app.state.addresses = before


@pytest.fixture
def browser(staff: Staff) -> Browser:
    return staff.browser(Role.OFFICER)


Fields = dict[str, str]


def placed(browser: Browser, draft: Fields = DRAFT) -> tuple[httpx.Response, Fields]:
    """The form after its place was looked up, which keeps all that was typed."""
    page = browser.send("/console/venues/new", draft, find_place="yes")
    assert page.status_code == 200, text(page)
    fields = browser.fields(page)
    assert {key: fields[key] for key in draft} == draft
    return page, fields


def test_a_postcode_fills_the_place(browser: Browser, known: Addresses, stand_in: StandIn) -> None:
    page, fields = placed(browser)
    assert (fields["location.lat"], fields["location.lon"]) == ("51.514200", "-0.088600")
    assert "Of the postcode, by postcodes.io. Move it to the door itself." in page.text
    placed(browser)
    # Asked once, in the form in which it is always written.
    assert stand_in.asked == ["EC2R 8AJ"]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "never given out": (
        {"status": 404, "answer": {"status": 404, "error": "Postcode not found"}},
        "",
    ),
    "no more": (
        {
            "status": 404,
            "answer": {
                "status": 404,
                "error": "Postcode not found",
                "terminated": {"postcode": "EC2R 8AJ", "year_terminated": 1998},
            },
        },
        "",
    ),
    "no place": (
        {"answer": {"status": 200, "result": {"latitude": None, "longitude": None}}},
        "",
    ),
    "nothing": ({"answer": {"status": 200, "result": None}}, ""),
    "broken": ({"answer": b'{"status":200,"result":{"lat'}, "it tells what is not as it should be"),
    "a page": ({"answer": b"<html>"}, "it tells what is not as it should be"),
    "abroad": (
        {"answer": {"status": 200, "result": {"latitude": 0, "longitude": 0}}},
        "it tells what is not as it should be",
    ),
    "no number": (
        {"answer": {"status": 200, "result": {"latitude": "north", "longitude": 0}}},
        "it tells what is not as it should be",
    ),
    "fails": ({"status": 500, "answer": b""}, "it answers 500"),
    "elsewhere": (
        {"status": 302, "answer": b"", "headers": {"Location": "https://elsewhere.example"}},
        "it redirects (302)",
    ),
    "too often": (
        {
            "status": 429,
            "answer": {"status": 429, "error": "Too many requests"},
            "headers": {"Retry-After": "60"},
        },
        "it answers 429",
    ),
    "hangs": ({"hangs": True}, "it does not answer in time"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_comes_back_the_draft_is_kept(
    browser: Browser, known: Addresses, stand_in: StandIn, moment: Moment, fault: str
) -> None:
    answers, trouble = FAULTS[fault]
    for name, value in answers.items():
        setattr(stand_in, name, threading.Event() if name == "hangs" else value)
    page, fields = placed(browser)
    assert fields["location.lat"] == ""
    assert "is not known by this postcode or street: choose it on the map, or type it" in page.text
    assert (f"could not be asked: {trouble}" in page.text) == bool(trouble)
    # Nobody waits for who is away, and nobody asks twice for what does not exist.
    times = len(stand_in.asked)
    placed(browser)
    assert len(stand_in.asked) == times
    # The venue can be registered all the same, with the place typed in.
    # Each far from the others, which have its name.
    lat = f"{51.5134 + 0.02 * (1 + list(FAULTS).index(fault))}"
    typed = {"location.lat": lat, "location.lon": "-0.0890", "category": "pub"}
    made = browser.send("/console/venues/new", DRAFT | typed)
    assert made.status_code == 303, text(made)
    # Later it is asked again, when it may have come back.
    if stand_in.hangs:
        stand_in.hangs.set()
    stand_in.hangs, stand_in.status, stand_in.answer, stand_in.headers = None, 200, FOUND, {}
    moment.now += max(AWAY_SECONDS, 60) if trouble else UNKNOWN_FOR.total_seconds()
    assert placed(browser)[1]["location.lat"] == "51.514200"


def test_who_is_away_is_asked_no_more_than_twice(
    browser: Browser, known: Addresses, stand_in: StandIn
) -> None:
    stand_in.status = 503
    placed(browser)
    assert 1 <= len(stand_in.asked) <= 2


def test_a_list_on_disk_comes_first(
    staff: Staff, browser: Browser, known: Addresses, stand_in: StandIn
) -> None:
    folder = staff.app.state.settings.data_dir
    about = {"source": "Code-Point Open", "attribution": "-", "imported": "2026-11-01"}
    Postcodes({"EC2R 8AJ": Point(51.5, -0.1)}, about).write(folder)
    try:
        page, fields = placed(browser)
    finally:
        (folder / "postcodes").unlink()
    assert fields["location.lat"] == "51.500000"
    assert "by Code-Point Open" in page.text
    assert not stand_in.asked


def test_os_places_is_asked_first(
    staff: Staff, browser: Browser, known: Addresses, stand_in: StandIn, moment: Moment
) -> None:
    def asks(key: str) -> None:
        services = AddressServices.model_validate(
            {
                "postcodes": stand_in.address,
                "os_places": f"{stand_in.address}/places",
                "os_key": key,
                "seconds": 10,
            }
        )
        settings, engine = staff.app.state.settings, staff.app.state.journal.engine
        staff.app.state.addresses = Addresses(
            settings.data_dir, engine, services, clock=lambda: moment.now
        )

    asks(KEY)
    page, fields = placed(browser)
    assert (fields["location.lat"], fields["location.lon"]) == ("51.514200", "-0.088600")
    assert "by OS Places" in page.text
    assert stand_in.asked == ["places EC2R 8AJ"]
    stand_in.places = {"header": {"totalresults": 0}}
    page, _ = placed(browser, DRAFT | {"postcode": "EC2R 8AH"})
    assert "is not known" in page.text
    # A key that has run out leaves the other one.
    asks("another")
    page, _ = placed(browser, DRAFT | {"postcode": "EC2R 8AB"})
    assert "by postcodes.io" in page.text


def test_a_place_far_from_its_postcode_is_remarked_upon(
    staff: Staff, browser: Browser, known: Addresses, moment: Moment
) -> None:
    far = {"location.lat": "51.5234", "location.lon": "-0.0890", "category": "pub"}
    made = browser.send("/console/venues/new", DRAFT | far | {"name": "Far Away"})
    assert made.status_code == 303
    venue = made.headers["location"].partition("?")[0]
    warning = "EC2R 8AJ lies 1.0 km from this place, by postcodes.io: is one of the two wrong?"
    assert warning in text(browser.get(venue))
    near = {"location.lat": "51.5134", "location.lon": "-0.0890"}
    assert browser.send(f"{venue}/edit", near).status_code == 303
    assert "is one of the two wrong?" not in text(browser.get(venue))
    # What was asked long ago is forgotten with the next question.
    moment.now += KNOWN_FOR.total_seconds() + 1
    placed(browser, DRAFT | {"postcode": "EC2R 8AH"})
    assert known.kept("EC2R 8AJ").place is None


def test_programs_ask_for_a_postcode(staff: Staff, known: Addresses, stand_in: StandIn) -> None:
    make_ward(staff.app.state.journal.engine, name="Ladderside")
    officer = signed_in(staff.app, Role.OFFICER)

    def asked(code: str, **more: Any) -> httpx.Response:
        return staff.client.get(f"/v1/admin/postcodes/{code}", params=more, headers=officer)

    answer = asked("ec2r8aj", lat=51.5143, lon=-0.0886).json()
    assert answer == {
        "postcode": "EC2R 8AJ",
        "location": {"lat": 51.5142, "lon": -0.0886},
        "ward": answer["ward"],
        "source": "postcodes.io",
    }
    assert answer["ward"]["name"] == "Ladderside"
    assert "lies 1.0 km" in asked("EC2R 8AJ", lat=51.5234, lon=-0.0886).json()["remark"]
    assert asked("nonsense").status_code == 422
    assert asked("EC2R 8AJ", lat=51).status_code == 422
    stand_in.status = 404
    assert asked("EC2R 8AH").status_code == 404
    stand_in.status = 502
    away = asked("EC2R 8AB")
    assert (away.status_code, away.headers["retry-after"]) == (503, "30")
    reader = signed_in(staff.app, Role.LICENSING)
    assert staff.client.get("/v1/admin/postcodes/EC2R8AJ", headers=reader).status_code == 200
    assert staff.client.get("/v1/admin/postcodes/EC2R8AJ").status_code == 401


def test_nothing_public_asks_or_waits(staff: Staff, known: Addresses, stand_in: StandIn) -> None:
    stand_in.hangs = threading.Event()
    place = {"lat": 51.5142, "lon": -0.0886}
    assert staff.client.post("/v1/havens/nearest", json=place).status_code == 200
    assert staff.client.post("/", data={"place": "EC2R 8AJ"}).status_code == 200
    assert staff.client.get("/oruk/service_at_locations?postcode=EC2R8AJ&proximity=100").is_error
    assert not stand_in.asked


def test_without_a_setting_nobody_is_asked(staff: Staff, browser: Browser) -> None:
    page, _ = placed(browser)
    assert "could not be asked" not in page.text
    officer = signed_in(staff.app, Role.OFFICER)
    answer = staff.client.get("/v1/admin/postcodes/EC2R8AJ", headers=officer)
    assert answer.status_code == 404
