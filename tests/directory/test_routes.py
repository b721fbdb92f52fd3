"""What the public API answers, over HTTP."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import ValidationError
from sqlalchemy import text

from app.core.db import connected
from app.core.places import Point
from app.core.settings import Settings
from app.directory.read_side import Clock
from app.venues.kinds import Facility, StepFree
from app.venues.models import VenueStatus
from tests.factories import BANK, make_ward, utc
from tests.servers import METRICS, add_venue, serving_directory, until

FRIDAY_NIGHT = utc("2026-11-27T23:30")
NEAREST = "/v1/havens/nearest"
HERE = {"lat": BANK.lat, "lon": BANK.lon}
GEOJSON = "application/geo+json"
Json = dict[str, Any]


def metres_north(metres: float) -> Point:
    return Point(BANK.lat + metres / 111_195, BANK.lon)


@pytest.fixture(scope="module")
def ids() -> dict[str, UUID]:
    """The havens of `city` by name."""
    return {}


@pytest.fixture(scope="module")
def city(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, ids: dict[str, UUID]
) -> Iterator[httpx.Client]:
    """A directory at half past eleven on a Friday night in winter, when London has UTC."""
    folder = tmp_path_factory.mktemp("routes")
    url = f"sqlite:///{shutil.copyfile(sqlite_template, folder / 'havens.sqlite')}"

    def add(name: str, metres: float, hours: str | None, **details: Any) -> None:
        ids[name] = add_venue(url, name=name, location=metres_north(metres), hours=hours, **details)

    add("always", 100, "24/7", step_free=StepFree.YES, facilities=[Facility.WATER, Facility.SEAT])
    add("late", 200, "Mo-Su 10:00-02:00", facilities=[Facility.WATER])
    add("until midnight", 300, "Mo-Su 10:00-24:00")
    add("until a minute past", 400, "Mo-Su 10:00-00:01")
    add("closing", 600, "Mo-Su 10:00-23:45")
    add("closed before you come", 700, "Mo-Su 10:00-23:40")
    add("morning", 250, "Mo-Su 08:00-18:00", phone="020 7946 0001")
    add("unknown hours", 50, None)
    add("last day", 500, "24/7", safe_haven_until=date(2026, 11, 27))
    add("first day tomorrow", 10, "24/7", safe_haven_from=date(2026, 11, 28))
    add("expired", 20, "24/7", safe_haven_until=date(2026, 11, 26))
    add("prospect", 30, "24/7", status=VenueStatus.PROSPECT)
    add("closed down", 40, "24/7", status=VenueStatus.CLOSED)
    add("never accredited", 60, "24/7", safe_haven_from=None, safe_haven_until=None)
    add("closing farther off", 2500, "Mo-Su 10:00-00:26")
    add("far away", 5000, "24/7")
    with serving_directory(folder / "data", url, lambda: FRIDAY_NIGHT) as client:
        yield client


class Serve(Protocol):
    def __call__(
        self, clock: Clock = ..., *, environment: str = ...
    ) -> AbstractContextManager[httpx.Client]: ...


@pytest.fixture
def serve(sqlite_url: str, tmp_path: Path) -> Serve:
    """Serves what was put into `sqlite_url`."""

    def serve(
        clock: Clock = lambda: FRIDAY_NIGHT, *, environment: str = "production"
    ) -> AbstractContextManager[httpx.Client]:
        return serving_directory(tmp_path / "data", sqlite_url, clock, environment=environment)

    return serve


def nearest(client: httpx.Client, **more: Any) -> Json:
    response = client.get(NEAREST, params=HERE | more)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def names(havens: list[Json]) -> list[str]:
    return [haven["name"] for haven in havens]


def by_name(havens: list[Json]) -> dict[str, Json]:
    return {haven["name"]: haven for haven in havens}


# --- the nearest -----------------------------------------------------------------------------


def test_open_havens_come_nearest_first(city: httpx.Client) -> None:
    answer = nearest(city, limit=50)
    assert names(answer["havens"]) == [
        *("always", "late", "until midnight", "until a minute past", "last day", "far away")
    ]
    assert [haven["distance_m"] for haven in answer["havens"]] == [100, 200, 300, 400, 500, 5000]
    assert [haven["walking_minutes"] for haven in answer["havens"]] == [3, 5, 7, 9, 11, 107]
    assert {haven["bearing_deg"] for haven in answer["havens"]} == {0}


def test_what_is_public_of_a_haven(city: httpx.Client) -> None:
    (haven,) = nearest(city, limit=1)["havens"]
    assert haven == {
        "distance_m": 100,
        "bearing_deg": 0,
        "walking_minutes": 3,
        "walking": "estimate",
        "name": "always",
        "open": {"state": "open", "closes_soon": False},
        "id": haven["id"],
        "category": "pub",
        "location": {"lat": pytest.approx(BANK.lat + 100 / 111_195), "lon": BANK.lon},
        "opening_hours": "24/7",
        "facilities": ["water", "seat"],
        "step_free": "yes",
        "schemes": [{"scheme": "safe_haven", "until": "2060-12-31"}],
        "directions_url": "https://www.google.com/maps/dir/?api=1&travelmode=walking"
        f"&destination={BANK.lat + 100 / 111_195:.6f},{BANK.lon:.6f}",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("always", {"state": "open", "closes_soon": False}),
        ("late", {"state": "open", "until": "2026-11-28T02:00:00Z", "closes_soon": False}),
        ("until midnight", {"state": "open", "until": "2026-11-28T00:00:00Z", "closes_soon": True}),
        (
            "until a minute past",
            {"state": "open", "until": "2026-11-28T00:01:00Z", "closes_soon": False},
        ),
        ("closing", {"state": "open", "until": "2026-11-27T23:45:00Z", "closes_soon": True}),
        # Open round the clock, but a haven only until its accreditation ends with the day.
        ("last day", {"state": "open", "until": "2026-11-28T00:00:00Z", "closes_soon": True}),
        ("morning", {"state": "closed", "opens_at": "2026-11-28T08:00:00Z"}),
        ("unknown hours", {"state": "unknown"}),
    ],
)
def test_whether_it_is_open(
    city: httpx.Client, ids: dict[str, UUID], name: str, expected: Json
) -> None:
    assert city.get(f"/v1/havens/{ids[name]}").json()["open"] == expected
    answer = nearest(city, limit=50)
    now_open = by_name([*answer["havens"], *answer["closing"]])
    assert (name in now_open) == (expected["state"] == "open")
    if name in now_open:
        assert now_open[name]["open"] == expected


def test_closing_is_what_can_only_just_be_reached(city: httpx.Client) -> None:
    # 600 m are thirteen minutes, so one comes at 23:43, two minutes before it shuts and not five.
    assert names(nearest(city)["closing"]) == ["closing"]


def test_nobody_goes_far_past_open_havens_to_one_that_closes(city: httpx.Client) -> None:
    # Five are nearer than 2 km. The sixth is farther off than what only just can be reached.
    assert names(nearest(city, limit=5)["closing"]) == ["closing"]
    assert names(nearest(city, limit=6)["closing"]) == ["closing", "closing farther off"]


def test_opens_next_when_little_is_open_nearby(city: httpx.Client) -> None:
    # Five havens are open within 2 km, and a sixth farther off.
    assert nearest(city, limit=5)["opens_next"] == []
    opens_next = nearest(city, limit=6)["opens_next"]
    assert "morning" in names(opens_next)
    assert by_name(opens_next)["morning"]["open"] == {
        "state": "closed",
        "opens_at": "2026-11-28T08:00:00Z",
    }
    instants = [haven["open"]["opens_at"] for haven in opens_next]
    assert instants == sorted(instants)


def test_opens_next_looks_past_the_distance_asked_for(city: httpx.Client) -> None:
    answer = nearest(city, max_distance_m=120)
    assert names(answer["havens"]) == ["always"]
    assert answer["closing"] == []
    assert "morning" in names(answer["opens_next"])


def test_unknown_hours_are_never_open(city: httpx.Client) -> None:
    for hour in range(0, 24, 4):
        answer = nearest(city, limit=50, at=f"2026-11-29T{hour:02}:00:00Z")
        for part in ("havens", "closing", "opens_next"):
            assert "unknown hours" not in names(answer[part])


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"facilities": "water"}, ["always", "late"]),
        ({"facilities": "water,seat"}, ["always"]),
        ({"facilities": "seat,water,seat"}, ["always"]),
        ({"facilities": "cctv"}, []),
        ({"step_free": "true"}, ["always"]),
        ({"step_free": "false", "limit": 1}, ["always"]),
        ({"max_distance_m": 299, "limit": 50}, ["always", "late"]),
        ({"limit": 2}, ["always", "late"]),
    ],
)
def test_what_one_may_ask_for(city: httpx.Client, asked: Json, expected: list[str]) -> None:
    answer = nearest(city, **asked)
    assert names(answer["havens"]) == expected
    assert answer["help"][0]["phone"] == "999"


def test_another_instant(city: httpx.Client) -> None:
    answer = nearest(city, limit=50, at="2026-11-28T10:00:30+01:00")
    assert answer["at"] == "2026-11-28T09:00:30Z"
    assert names(answer["havens"]) == ["first day tomorrow", "always", "morning", "far away"]
    assert nearest(city, at="2026-11-27T23:25:00Z")["at"] == "2026-11-27T23:25:00Z"
    assert nearest(city)["at"] == "2026-11-27T23:30:00Z"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"limit": 50},
        {"facilities": ["water"], "step_free": True},
        {"max_distance_m": 350.5, "at": "2026-11-28T10:00:00+00:00"},
    ],
)
def test_post_answers_as_get_does(city: httpx.Client, asked: Json) -> None:
    flat = {
        name: ",".join(value) if isinstance(value, list) else value for name, value in asked.items()
    }
    posted = city.post(NEAREST, json=HERE | asked)
    got = city.get(NEAREST, params=HERE | flat)
    assert posted.status_code == got.status_code == 200
    assert posted.content == got.content


def test_an_empty_directory_still_says_whom_to_call(serve: Serve) -> None:
    with serve() as client:
        answer = nearest(client)
        assert (answer["havens"], answer["closing"], answer["opens_next"]) == ([], [], [])
        assert answer["help"] == client.get("/v1/help").json()["help"]
        assert client.get("/v1/havens").json()["havens"] == []
        assert client.get("/v1/havens", headers={"Accept": GEOJSON}).json()["features"] == []


def test_whom_to_call(city: httpx.Client) -> None:
    contacts = city.get("/v1/help").json()["help"]
    assert contacts[0]["phone"] == "999"
    assert {"18000", "101", "08 08 16 89 111", "0808 2000 247"} <= {
        contact.get("phone") for contact in contacts
    }
    assert {"999", "61016"} == {contact["text"] for contact in contacts if "text" in contact}


def test_the_operator_says_whom_to_call(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [{"name": "Our own desk", "phone": "020 7946 0999"}]
    monkeypatch.setenv("HAVENS_HELP_CONTACTS", json.dumps(ours))
    with serve() as client:
        assert client.get("/v1/help").json() == {"help": ours}
        assert nearest(client)["help"] == ours


@pytest.mark.parametrize(
    ("walking_factor", "minutes", "part", "why"),
    [
        ("1", 8, "havens", "there at 23:38, with seven minutes to spare"),
        ("1.7", 13, "closing", "there at 23:43, with two"),
        ("5", 38, "opens_next", "there at 00:08, when it has long been shut"),
    ],
)
def test_the_operator_says_how_long_the_way_is_taken_to_be(
    serve: Serve,
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    walking_factor: str,
    minutes: int,
    part: str,
    why: str,
) -> None:
    add_venue(sqlite_url, location=metres_north(600), hours="Mo-Su 10:00-23:45")
    with serve() as client:
        usual = client.get("/v1/havens").headers["ETag"]
    monkeypatch.setenv("HAVENS_WALKING_FACTOR", walking_factor)
    with serve() as client:
        answer, whole = nearest(client), client.get("/v1/havens")
    found = {name: answer[name] for name in ("havens", "closing", "opens_next") if answer[name]}
    assert found.keys() == {part}, why
    [haven] = found[part]
    assert haven["walking_minutes"] == minutes, why
    later = {"opens_at": "2026-11-28T10:00:00Z"} if part == "opens_next" else {}
    assert haven["open"] == {
        "state": "open",
        "until": "2026-11-27T23:45:00Z",
        "closes_soon": True,
        **later,
    }
    assert whole.json()["directory"]["walking_factor"] == float(walking_factor)
    assert (whole.headers["ETag"] == usual) == (walking_factor == "1.7")


@pytest.mark.parametrize("walking_factor", ["0.99", "5.01", "nan", "inf", "-1.7", "1,7", ""])
def test_a_way_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, walking_factor: str
) -> None:
    monkeypatch.setenv("HAVENS_WALKING_FACTOR", walking_factor)
    with pytest.raises(ValidationError, match="walking_factor"):
        Settings()


# --- which state of the directory ------------------------------------------------------------


def test_version_and_age(serve: Serve, sqlite_url: str) -> None:
    now = float(FRIDAY_NIGHT)
    add_venue(sqlite_url)
    with serve(lambda: now) as client, connected(sqlite_url) as engine:
        first = nearest(client)["directory"]
        assert first == {
            "version": first["version"],
            "generated_at": "2026-11-27T23:30:00Z",
            "age_seconds": 0,
        }
        assert client.get("/health/ready").json() == {
            "status": "ok",
            "version": first["version"],
            "age_seconds": 0,
        }
        now += 100
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("UPDATE venue SET name = 'Renamed'"))
        until(lambda: nearest(client)["directory"]["version"] > first["version"])
        answer = nearest(client)
        assert names(answer["havens"]) == ["Renamed"]
        assert answer["directory"]["generated_at"] == "2026-11-27T23:31:40Z"
        assert answer["directory"]["age_seconds"] == 0


def test_an_accreditation_ends_by_the_clock(serve: Serve, sqlite_url: str) -> None:
    now = utc("2026-06-30T22:59:59")  # one second before midnight in London
    haven = add_venue(sqlite_url, safe_haven_until=date(2026, 6, 30))
    with serve(lambda: now) as client:
        assert client.get(f"/v1/havens/{haven}").status_code == 200
        assert len(client.get("/v1/havens").json()["havens"]) == 1
        now += 1
        assert client.get(f"/v1/havens/{haven}").status_code == 404
        assert client.get("/v1/havens").json()["havens"] == []
        answer = nearest(client)
        assert (answer["havens"], answer["opens_next"]) == ([], [])


@pytest.mark.parametrize("demonstration", [True, False])
def test_invented_havens_say_so(serve: Serve, sqlite_url: str, demonstration: bool) -> None:
    haven = add_venue(sqlite_url, demonstration=demonstration)
    add_venue(sqlite_url, demonstration=demonstration, hours="Sa 10:00-12:00")
    with serve(environment="demo" if demonstration else "production") as client:
        near = nearest(client)
        whole = client.get("/v1/havens").json()
        features = client.get("/v1/havens", headers={"Accept": GEOJSON}).json()
        one = client.get(f"/v1/havens/{haven}").json()
    for answer in (near, whole, features):
        assert ("notice" in answer["directory"]) == demonstration
    properties = [feature["properties"] for feature in features["features"]]
    for shown in (*near["havens"], *near["opens_next"], *whole["havens"], *properties, one):
        assert ("not a real haven" in shown.get("notice", "")) == demonstration


# --- one haven -------------------------------------------------------------------------------


def test_one_haven(city: httpx.Client, ids: dict[str, UUID]) -> None:
    haven = city.get(f"/v1/havens/{ids['morning']}").json()
    assert haven["phone"] == "020 7946 0001"
    assert haven["availability"][0] == {
        "from": "2026-11-28T08:00:00Z",
        "until": "2026-11-28T18:00:00Z",
    }
    assert len(haven["availability"]) == 14
    assert not {"distance_m", "bearing_deg", "walking_minutes"} & haven.keys()
    unknown = city.get(f"/v1/havens/{ids['unknown hours']}").json()
    assert not {"availability", "opening_hours", "phone", "address"} & unknown.keys()


@pytest.mark.parametrize(
    "name", ["first day tomorrow", "expired", "prospect", "closed down", "never accredited"]
)
def test_what_is_not_listed_is_not_there(
    city: httpx.Client, ids: dict[str, UUID], name: str
) -> None:
    response = city.get(f"/v1/havens/{ids[name]}")
    assert response.status_code == 404
    never_was = city.get(f"/v1/havens/{uuid4()}").json()
    never_was["request_id"] = response.json()["request_id"]
    assert response.json() == never_was
    assert never_was["title"] == "There is no such haven"
    assert name not in names(city.get("/v1/havens").json()["havens"])


# --- the whole directory ---------------------------------------------------------------------

LISTED = {
    *("always", "late", "until midnight", "until a minute past", "closing", "morning"),
    "closing farther off",
    *("closed before you come", "unknown hours", "last day", "far away"),
}


def test_the_whole_directory(city: httpx.Client, ids: dict[str, UUID]) -> None:
    whole = city.get("/v1/havens").json()
    assert whole["directory"] == {
        "version": whole["directory"]["version"],
        "generated_at": "2026-11-27T23:00:00Z",
        "valid_from": "2026-11-27T22:00:00Z",
        "valid_until": "2026-12-11T22:00:00Z",
        "confirm_by": "2026-11-28T23:00:00Z",
        "walking_factor": 1.7,
    }
    havens = by_name(whole["havens"])
    assert havens.keys() == LISTED
    assert havens["always"]["availability"] == [
        {"from": "2026-11-27T22:00:00Z", "until": "2026-12-11T22:00:00Z"}
    ]
    for schedule in ("availability", "listed"):
        assert havens["last day"][schedule] == [
            {"from": "2026-11-27T22:00:00Z", "until": "2026-11-28T00:00:00Z"}
        ]
    assert "listed" not in havens["always"]
    # Nobody may see it yet, but a phone that is asked about tomorrow needs it.
    [upcoming] = whole["upcoming"]
    assert upcoming["name"] == "first day tomorrow"
    for schedule in ("availability", "listed"):
        assert upcoming[schedule] == [
            {"from": "2026-11-28T00:00:00Z", "until": "2026-12-11T22:00:00Z"}
        ]
    assert "availability" not in havens["unknown hours"]
    assert havens["late"]["id"] == str(ids["late"])


def test_the_whole_directory_as_geojson(city: httpx.Client) -> None:
    response = city.get("/v1/havens", headers={"Accept": f"{GEOJSON}, application/json;q=0.5"})
    assert response.headers["Content-Type"] == GEOJSON
    collection, whole = response.json(), city.get("/v1/havens").json()
    assert collection["type"] == "FeatureCollection"
    assert collection["directory"] == whole["directory"]
    assert [feature["properties"] for feature in collection["features"]] == whole["havens"]
    for feature in collection["features"]:
        place = feature["properties"]["location"]
        assert feature["geometry"] == {"type": "Point", "coordinates": [place["lon"], place["lat"]]}
        assert feature["id"] == feature["properties"]["id"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json, application/geo+json;q=0.1", "application/json"),
        ("application/geo+json;q=0", "application/json"),
        ("application/geo+json;q=0.000, */*", "application/json"),
        ("application/json;q=0, application/geo+json", GEOJSON),
        ("application/json;q=0", "application/json"),
        ("APPLICATION/Geo+JSON ; Q = 0.9", GEOJSON),
        ("application/geo+json; charset=utf-8; q=0.5, application/json;q=0.4", GEOJSON),
        ("application/geo+json, */*", GEOJSON),
        ("application/geo+json;q=0.5, application/*", "application/json"),
        ("application/geo+json, application/json", GEOJSON),
        ("application/json, application/geo+json", "application/json"),
        ("application/geo+json;q=loud", GEOJSON),
        ("application/geo+json;q=-1;q=2", GEOJSON),
        ("application/geo+jsonx, text/html", "application/json"),
        *(
            (some, "application/json")
            for some in ("*/*", "*", "application/*", "*;q=0", "", ";,q=")
        ),
    ],
)
def test_the_form_that_is_liked_best(city: httpx.Client, accept: str, media_type: str) -> None:
    answer = city.get("/v1/havens", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
    # However it was cut in headers of their own.
    several = [("Accept", each.strip()) for each in accept.split(",")]
    assert city.get("/v1/havens", headers=several).headers["Content-Type"] == media_type


FORMS = [
    {"Accept": accept, "Accept-Encoding": encoding}
    for accept in ("application/json", GEOJSON)
    for encoding in ("identity", "gzip")
]


@pytest.mark.parametrize("headers", FORMS)
def test_what_one_has_already_is_not_sent_again(
    city: httpx.Client, headers: dict[str, str]
) -> None:
    first = city.get("/v1/havens", headers=headers)
    tag = first.headers["ETag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert first.headers["Cache-Control"].startswith("public, max-age=0, s-maxage=2, stale-if")
    known = [tag, f"W/{tag}", f'"other", {tag}', f'W/"other" ,W/{tag},"third"', "*"]
    for condition in known:
        again = city.get("/v1/havens", headers=headers | {"If-None-Match": condition})
        assert again.status_code == 304, condition
        assert again.content == b""
        for name in ("ETag", "Cache-Control", "Vary"):
            assert again.headers[name] == first.headers[name]
    for condition in ('"other"', tag.strip('"'), tag[:-2] + '"', "", '"*"', f'{tag[:-1]}x"'):
        again = city.get("/v1/havens", headers=headers | {"If-None-Match": condition})
        assert again.status_code == 200, condition
        assert again.content == first.content


def test_every_form_has_a_tag_of_its_own(city: httpx.Client) -> None:
    answers = [city.get("/v1/havens", headers=headers) for headers in FORMS]
    assert len({answer.headers["ETag"] for answer in answers}) == len(FORMS)
    for answer in answers:
        vary = {name.strip() for name in answer.headers["Vary"].split(",")}
        assert {"Accept", "Accept-Encoding"} <= vary


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("deflate,gzip ;q=1.0", True),
        ("identity", False),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("br", False),
        ("xgzip", False),
        ("*;q=0, gzip;q=0.1", True),
        ("identity;q=0, *", True),
        ("identity;q=0", False),
        ("gzip;q=0.5, identity", False),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", GEOJSON])
def test_compression(city: httpx.Client, accept: str, accepted: str, compressed: bool) -> None:
    headers = {"Accept": accept, "Accept-Encoding": accepted}
    with city.stream("GET", "/v1/havens", headers=headers) as response:
        raw = b"".join(response.iter_raw())
    assert (response.headers.get("Content-Encoding") == "gzip") == compressed
    plain = city.get("/v1/havens", headers={"Accept": accept, "Accept-Encoding": "identity"})
    assert (gzip.decompress(raw) if compressed else raw) == plain.content


def test_the_directory_is_drawn_up_anew_each_hour(serve: Serve, sqlite_url: str) -> None:
    now = utc("2026-11-27T23:00")
    add_venue(sqlite_url)

    def tag() -> str:
        return client.get("/v1/havens").headers["ETag"]

    with serve(lambda: now) as client:
        first = tag()
        now += 3599
        until(lambda: nearest(client)["directory"]["age_seconds"] == 0)
        assert tag() == first
        now += 1
        until(lambda: nearest(client)["directory"]["age_seconds"] == 0)
        assert tag() != first
        directory = client.get("/v1/havens").json()["directory"]
        assert directory["generated_at"] == "2026-11-28T00:00:00Z"
        assert directory["confirm_by"] == "2026-11-29T00:00:00Z"


def test_the_wards_have_a_tag_that_only_they_change(sqlite_url: str, serve: Serve) -> None:
    now = FRIDAY_NIGHT
    with connected(sqlite_url) as engine:
        make_ward(engine, code="B", name="Broad Street")
        make_ward(engine, code="A", name="Aldgate")
    with serve(lambda: now) as client:
        first = client.get("/v1/wards", headers={"Accept-Encoding": "identity", "Origin": "x"})
        assert first.headers["Content-Type"] == GEOJSON
        assert first.headers["Cache-Control"] == "no-cache"
        assert first.headers["Vary"] == "Accept-Encoding, Origin"
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        features = first.json()["features"]
        assert [feature["properties"] for feature in features] == [
            {"code": "A", "name": "Aldgate"},
            {"code": "B", "name": "Broad Street"},
        ]
        ring = features[0]["geometry"]["coordinates"][0]
        assert [-0.1, 51.5] in ring
        assert len(ring) == 5
        tag = first.headers["ETag"]
        assert not tag.startswith("W/")

        def again(**headers: str) -> httpx.Response:
            return client.get("/v1/wards", headers={"Accept-Encoding": "identity"} | headers)

        known = again(**{"If-None-Match": tag})
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["ETag"] == tag

        with client.stream("GET", "/v1/wards", headers={"Accept-Encoding": "gzip"}) as zipped:
            assert zipped.headers["Content-Encoding"] == "gzip"
            assert zipped.headers["ETag"] != tag
            assert gzip.decompress(b"".join(zipped.iter_raw())) == first.content

        add_venue(sqlite_url, name="Another haven")
        until(lambda: len(client.get("/v1/havens").json()["havens"]) == 1)
        now += 3600
        until(lambda: client.get("/health/ready").json()["age_seconds"] == 0)
        assert again().headers["ETag"] == tag, "neither a haven nor an hour changes the wards"

        with connected(sqlite_url) as engine:
            make_ward(engine, code="C", name="Candlewick")
        until(lambda: again().headers["ETag"] != tag)
        assert len(again(**{"If-None-Match": tag}).json()["features"]) == 3


def test_head_answers_as_get_without_a_body(city: httpx.Client, ids: dict[str, UUID]) -> None:
    paths = [
        *("/v1/havens", f"/v1/havens/{ids['always']}", f"/v1/havens/{uuid4()}"),
        *("/v1/wards", "/v1/help"),
        *(f"{NEAREST}?lat={BANK.lat}&lon={BANK.lon}", NEAREST, "/nowhere", "/v1/admin/venues"),
        *("/health/live", "/health/ready", "/docs", "/openapi.json", "/v1/calendar/none.ics"),
    ]
    for path in paths:
        got, head = city.get(path), city.head(path)
        assert head.status_code == got.status_code, path
        assert head.content == b""
        for answer in (got, head):
            del answer.headers["Date"]
        assert head.headers == got.headers, path
    assert city.head("/metrics", headers=METRICS).status_code == 200
    tag = city.head("/v1/havens").headers["ETag"]
    assert city.head("/v1/havens", headers={"If-None-Match": tag}).status_code == 304
    assert (
        'method="HEAD",route="/v1/havens/{haven_id}",status="200"'
        in city.get("/metrics", headers=METRICS).text
    )
    refused = city.head(f"/v1/havens/{ids['always']}/problem-reports")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "POST")


def test_a_slash_at_the_end_changes_nothing(city: httpx.Client, ids: dict[str, UUID]) -> None:
    for path in ("/v1/havens", "/v1/help", f"/v1/havens/{ids['always']}", "/health/live"):
        assert city.get(f"{path}/").content == city.get(path).content
    near = city.get(NEAREST, params=HERE).content
    assert city.get(f"{NEAREST}/", params=HERE).content == near
    assert city.post(f"{NEAREST}/", json=HERE).content == near
    assert city.get("/v1/admin/venues/").status_code == 401


# --- what browsers and caches are told -------------------------------------------------------


def test_answers_about_somebody_are_not_stored(city: httpx.Client, ids: dict[str, UUID]) -> None:
    answers = [
        city.get(NEAREST, params=HERE),
        city.post(NEAREST, json=HERE),
        city.get(f"/v1/havens/{ids['always']}"),
        city.get("/health/ready"),
        city.get(NEAREST),
        city.get("/nowhere"),
    ]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, **more: client.get("/v1/havens", **more),
        lambda client, **more: client.get(NEAREST, params=HERE, **more),
        lambda client, **more: client.post(NEAREST, json=HERE, **more),
        lambda client, **more: client.get(NEAREST, **more),
        lambda client, **more: client.get("/v1/nowhere", **more),
        lambda client, **more: client.post(NEAREST, content=b" " * 70_000, **more),
    ],
)
def test_any_page_may_ask_but_without_credentials(
    city: httpx.Client, ask: Callable[..., httpx.Response]
) -> None:
    answer = ask(city, headers={"Origin": "https://elsewhere.example", "Cookie": "a=b"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]


ADDED_BY_TOOLS = [
    *("traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with", "newrelic"),
    *("x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "b3", "x-b3-traceid"),
    *("elastic-apm-traceparent", "x-amzn-trace-id", "request-id", "uber-trace-id", "pragma"),
]


def test_preflight(city: httpx.Client) -> None:
    answer = city.options(
        NEAREST,
        headers={
            "Origin": "https://elsewhere.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": f"content-type,{', '.join(ADDED_BY_TOOLS)}",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert allowed == ["content-type", *ADDED_BY_TOOLS]
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_preflight_allows_no_credentials(city: httpx.Client) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET"}
    answer = city.options(
        NEAREST, headers=asked | {"Access-Control-Request-Headers": "Authorization, b3"}
    )
    assert answer.headers["Access-Control-Allow-Headers"] == "b3"
    assert city.options(NEAREST, headers=asked).status_code == 200


def test_nothing_tells_what_runs_here(city: httpx.Client) -> None:
    assert "Server" not in city.get("/v1/help").headers


def test_metrics_count_by_route(city: httpx.Client, ids: dict[str, UUID]) -> None:
    city.get(f"/v1/havens/{ids['always']}")
    city.get("/nowhere")
    metrics = city.get("/metrics", headers=METRICS)
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    for line in [
        'havens_requests_total{method="GET",route="/v1/havens/{haven_id}",status="200"}',
        'havens_requests_total{method="GET",route="(none)",status="404"}',
        'havens_request_seconds_count{route="/v1/havens/{haven_id}"}',
        "havens_directory_age_seconds",
        "havens_directory_havens",
    ]:
        assert line in metrics.text
    assert str(ids["always"]) not in metrics.text
