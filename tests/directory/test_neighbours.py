"""Two installations and a feed of a third kind, side by side; and what becomes of lies and outages.

The neighbour is an installation of its own, a borough to the north whose havens lie 1.5 km and more
from Bank; what it says can be changed on the way.
"""

import gzip
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from shutil import copyfile
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from app import doctor
from app.cli import cli
from app.core.db import connected, read_session
from app.core.download import LARGEST_MB, NotRead, at_most, client_of
from app.core.places import Point
from app.core.settings import Neighbour, Settings
from app.core.settings import settings as service_settings
from app.directory import beyond, render
from app.directory.beyond import Kept, Note, Side, Taken, doors
from app.directory.build import build
from app.directory.engine import search
from app.directory.engine.search import Question, Search
from app.directory.neighbours import oruk
from app.directory.neighbours.checks import Held
from app.directory.neighbours.columns import columns
from app.directory.neighbours.fetching import ask, ask_due, forget_others
from app.directory.rules import NEAR_M
from app.directory.schemas import WholeDirectory
from app.directory.snapshot import HOUR, save
from app.venues.kinds import Facility, StepFree
from app.walking.streets import Streets
from tests.factories import BANK, make_venue, utc
from tests.servers import METRICS, Service, running, serving_directory, settings_for, until
from tests.walking.towns import grid, place

Json = dict[str, Any]
NOW = utc("2026-11-27T23:30")
ADDRESS = "https://north.example/v1/havens"
NORTH = Neighbour.model_validate({"name": "North Borough", "directory": ADDRESS})
PARTS = ("havens", "closing", "opens_next")
GZIP = {"Content-Encoding": "gzip"}


def north(metres: float) -> Point:
    return Point(BANK.lat + metres / 111_195, BANK.lon)


BOUNDARY = north(800)


@pytest.fixture(scope="module")
def borough(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[httpx.Client]:
    """The other installation."""
    folder = tmp_path_factory.mktemp("north")
    url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        for name, metres, hours in (
            ("North Star", 1500, "24/7"),
            ("North Tower", 1900, "Mo-Su 20:00-02:00"),
            ("North Gate", 1600, "Fr-Sa 18:00-23:50"),
            ("North Library", 1700, "Mo-Su 08:00-20:00; PH off"),
            ("North Chapel", 1550, None),
        ):
            make_venue(
                engine,
                name=name,
                location=north(metres),
                hours=hours,
                address="1 Northern Way",
                postcode="N1 0ZZ",
                phone="020 7946 0009",
                facilities=[Facility.WATER],
                step_free=StepFree.YES,
            )
    with serving_directory(folder / "data", url, lambda: NOW) as client:
        yield client


@pytest.fixture(scope="module")
def told(borough: httpx.Client) -> bytes:
    """What the other installation publishes."""
    return borough.get("/v1/havens").content


@pytest.fixture(scope="module")
def own_database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> str:
    folder = tmp_path_factory.mktemp("own")
    url = f"sqlite:///{copyfile(sqlite_template, folder / 'havens.sqlite')}"
    with connected(url) as engine:
        make_venue(engine, name="Bank", location=north(0), hours="24/7")
        make_venue(engine, name="Moorgate", location=north(500), hours="Mo-Su 10:00-02:00")
        make_venue(engine, name="Morning", location=north(100), hours="Mo-Su 07:00-12:00")
    return url


@pytest.fixture
def settings(own_database: str, tmp_path: Path) -> Settings:
    """Our own installation, with a directory on disk."""
    with connected(own_database) as engine, read_session(engine) as session:
        save(build(session, NOW), tmp_path)
    return settings_for(tmp_path, own_database, neighbours=[NORTH])


class Line:
    """The way to a neighbour: what it says, and what was asked of it."""

    def __init__(self, say: Callable[[httpx.Request], httpx.Response]) -> None:
        self.say = say
        self.asked: list[httpx.Request] = []
        self.client = client_of(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.say(request)


def says(content: bytes, status: int = 200, **headers: str) -> Line:
    """What says just this, whatever it is asked."""
    return Line(lambda _: httpx.Response(status, content=content, headers=headers))


def asked(settings: Settings, line: Line, now: float = NOW, *, accepted: bool = False) -> Note:
    kept = Kept(settings.data_dir, settings.neighbours[0])
    return ask(settings, kept, line.client, now, accepted=accepted)


def sides(settings: Settings) -> tuple[Side, ...]:
    """What a process that starts now takes up."""
    taken = Taken(settings.data_dir, settings.neighbours, 1.7, demonstration=settings.demonstration)
    taken.take_up()
    return taken.sides


# --- all is well -----------------------------------------------------------------------------


def nearest(client: httpx.Client, at: Point, **more: Any) -> Json:
    answer = client.post("/v1/havens/nearest", json={"lat": at.lat, "lon": at.lon, **more})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def names(havens: list[Json]) -> list[str]:
    return [haven["name"] for haven in havens]


def test_a_position_near_the_boundary_gets_both_sides(
    settings: Settings, told: bytes, own_database: str
) -> None:
    with serving_directory(settings.data_dir, own_database, lambda: NOW) as alone:
        before = nearest(alone, BOUNDARY)
        assert "beyond" not in before
        assert "neighbours" not in alone.get("/v1/havens").json()
        changes = alone.get("/v1/changes").json()
    asked(settings, says(told, ETag='"1"'))
    with serving_directory(
        settings.data_dir, own_database, lambda: NOW, neighbours=[NORTH]
    ) as client:
        answer = nearest(client, BOUNDARY)
        there = answer.pop("beyond")
        # To who knows nothing of neighbours nothing has changed.
        ages = answer["directory"].pop("age_seconds"), before["directory"].pop("age_seconds")
        assert answer == before, ages
        assert names(answer["havens"]) == ["Moorgate", "Bank"]
        assert names(there["havens"]) == ["North Star", "North Tower"]
        assert names(there["closing"]) == ["North Gate"]
        assert names(there["opens_next"]) == ["North Library"]
        star = there["havens"][0]
        assert star["neighbour"] == {
            "name": "North Borough",
            "as_of": "2026-11-27T23:00:00Z",
            "confirm_by": "2026-11-28T23:00:00Z",
        }
        assert star["walking"] == "estimate"
        assert 699 <= star["distance_m"] <= 701
        assert star["address"] == "1 Northern Way"
        # By the same rules.
        assert nearest(client, BOUNDARY, facilities=["cctv"])["beyond"]["havens"] == []
        assert nearest(client, BOUNDARY, limit=1)["beyond"]["havens"] == []
        assert names(nearest(client, north(1500), limit=2)["beyond"]["havens"]) == [
            "North Star",
            "North Gate",
        ]
        # The same by the address, as a form without script has it, and as the way past the router.
        whole = client.get("/v1/havens").json()
        [side] = whole.pop("neighbours")
        assert side["name"] == "North Borough"
        assert side["valid_until"] == "2026-12-11T22:00:00Z"
        theirs = {haven["id"]: haven for haven in json.loads(told)["havens"]}
        assert len(side["havens"]) == len(theirs) == 5
        for haven in side["havens"]:
            assert haven == {k: v for k, v in theirs[haven["id"]].items() if k != "last_checked"}
        assert names(whole["havens"] + whole["upcoming"]) != []
        assert not {haven["id"] for haven in whole["havens"]} & theirs.keys()
        # In nothing else: no page, no feed, no change, no list of ours.
        assert client.get(f"/v1/havens/{star['id']}").status_code == 404
        assert client.get(f"/havens/{star['id']}").status_code == 404
        assert client.get("/v1/changes").json()["cursor"] == changes["cursor"]
        for path in ("/oruk/services", "/ogc/collections/havens/items", "/map"):
            assert "North Star" not in client.get(path).text
        assert client.get("/health/ready").json()["neighbours"] == [
            {"name": "North Borough", "as_of": "2026-11-27T23:30:00Z"}
        ]
        metrics = client.get("/metrics", headers=METRICS).text
        assert 'havens_neighbour_held{neighbour="North Borough"} 0.0' in metrics
        page = client.post("/es", data={"place": "Moorgate"}).text
        assert "De North Borough, según lo publicado el" in page
        WholeDirectory.model_validate_json(client.get("/v1/havens").content)


def test_what_is_as_it_was_is_confirmed(settings: Settings, told: bytes) -> None:
    asked(settings, says(told, ETag='"1"'))
    line = says(b"", 304)
    note = asked(settings, line, NOW + 2 * HOUR)
    assert line.asked[0].headers["if-none-match"] == '"1"'
    assert not note.trouble
    [side] = sides(settings)
    assert side.as_of == utc("2026-11-28T01:00")
    # As long as its own last confirmation lasts.
    assert side.confirm_by == utc("2026-11-28T23:00")


def test_other_settings_have_it_read_and_checked_anew(settings: Settings, told: bytes) -> None:
    asked(settings, says(told, ETag='"1"'))
    narrow = NORTH.model_copy(update={"bounds": (-1.0, 51.0, 1.0, 51.52)})
    line = says(told)
    note = asked(settings.model_copy(update={"neighbours": (narrow,)}), line)
    assert "if-none-match" not in line.asked[0].headers
    assert "outside its bounds" in note.trouble


def test_each_is_asked_when_it_is_due(settings: Settings, told: bytes) -> None:
    line, now = says(told), [NOW]
    for moment, times in ((NOW, 1), (NOW + 299, 1), (NOW + 300, 2), (NOW - 9000, 3)):
        now[0] = moment
        ask_due(settings, line.client, lambda: now[0])
        assert len(line.asked) == times


def test_those_who_are_no_neighbours_any_more_are_forgotten(
    settings: Settings, told: bytes
) -> None:
    asked(settings, says(told))
    forget_others(settings.data_dir, settings.neighbours)
    assert sides(settings)
    forget_others(settings.data_dir, [])
    assert not list((settings.data_dir / "neighbours").iterdir())


# --- lies and outages ------------------------------------------------------------------------


def changed(**parts: Any) -> Callable[[Json], Json]:
    """The document with other parts; a function changes a part."""

    def change(whole: Json) -> Json:
        for name, part in parts.items():
            whole[name] = part(whole[name]) if callable(part) else part
        return whole

    return change


def first(**details: Any) -> Callable[[Json], Json]:
    """The document with other details of its first haven."""
    return changed(havens=lambda havens: [havens[0] | details, *havens[1:]])


def about(**details: Any) -> Callable[[Json], Json]:
    return changed(directory=lambda directory: directory | details)


def many(number: int) -> Callable[[Json], Json]:
    def grown(havens: list[Json]) -> list[Json]:
        copies = ({**havens[0], "id": str(uuid5(UUID(int=0), str(n)))} for n in range(number))
        return [*havens, *copies]

    return changed(havens=grown)


def span(begin: str, until: str) -> Json:
    return {"from": f"2026-11-28T{begin}Z", "until": f"2026-11-28T{until}Z"}


class Lie(NamedTuple):
    """What a document says, and why nobody believes it."""

    change: Callable[[Json], Json]
    reason: str


LIES = [
    Lie(lambda whole: whole["havens"], "it tells what is not as it should be"),
    Lie(changed(havens=None), "it tells what is not as it should be"),
    Lie(first(category="casino"), "it tells what is not as it should be"),
    Lie(first(name=None), "it tells what is not as it should be"),
    Lie(first(location={"lat": 1e999, "lon": 0}), "nowhere on the earth"),
    Lie(first(location={"lat": 51.5, "lon": 181}), "nowhere on the earth"),
    Lie(first(location={"lat": 0, "lon": 0}), "farther than 20 km from ours"),
    Lie(first(location={"lat": -0.089, "lon": 51.5134}), "farther than 20 km from ours"),
    Lie(first(location={"lat": 51.7, "lon": -0.089}), "farther than 20 km from ours"),
    Lie(about(notice="demonstration data"), "demonstration havens"),
    Lie(first(notice="demonstration data: not a real haven"), "demonstration havens"),
    Lie(about(generated_at="2026-11-28T01:00:00Z"), "still to come"),
    Lie(about(generated_at="2026-11-27T22:00:00Z"), "an earlier hour"),
    Lie(about(generated_at="2026-11-27T23:00:00"), "without an offset"),
    Lie(first(availability=[{"from": 1, "until": "2026-11-28T00:00:00"}]), "without an offset"),
    Lie(about(valid_until="2026-11-27T23:30:00Z"), "nothing of this hour"),
    Lie(about(valid_from="2026-11-28T00:00:00Z"), "nothing of this hour"),
    Lie(many(50), "55 havens, and told of 5 before"),
    Lie(many(10_000), "more than 10000 havens"),
    Lie(changed(havens=lambda havens: [*havens, havens[0]]), "twice"),
    Lie(first(availability=[span("10:00:00", "09:00:00")]), "not in order"),
    Lie(
        first(availability=[span("10:00:00", "12:00:00"), span("11:00:00", "13:00:00")]),
        "not in order",
    ),
    Lie(first(name=" "), "has no name"),
    Lie(first(name="a" * 201), "longer than 200 letters"),
    Lie(first(entrance="by the \u202edoor"), "turn the writing round"),
]


@pytest.fixture
def held(settings: Settings, told: bytes, caplog: pytest.LogCaptureFixture) -> Iterator[Settings]:
    """Our own installation, with a good state of the neighbour, which must then stay as it is."""
    asked(settings, says(told, ETag='"1"'))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        yield settings
    [side] = sides(settings)
    assert len(side.search.snapshot) == 5
    assert side.as_of == utc("2026-11-27T23:00")
    kept = Kept(settings.data_dir, NORTH)
    [record] = caplog.get_records("call")
    assert kept.note().trouble in record.getMessage()
    assert kept.note().trouble


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.reason)
def test_who_lies_is_held_at_the_last_good_state(held: Settings, told: bytes, lie: Lie) -> None:
    lying = says(json.dumps(lie.change(json.loads(told))).encode(), ETag='"2"')
    for later in (300, 600):
        note = asked(held, lying, NOW + later)
        assert lie.reason in note.trouble
    # And believed again as soon as it does not.
    assert lying.asked[-1].headers["if-none-match"] == '"1"'


def test_who_tells_of_our_havens_is_held(held: Settings, told: bytes, own_database: str) -> None:
    with serving_directory(held.data_dir, own_database, lambda: NOW) as own:
        ours = own.get("/v1/havens").json()["havens"][0]["id"]
    lie = first(id=ours)(json.loads(told))
    assert "which is ours" in asked(held, says(json.dumps(lie).encode())).trouble


def _raises(error: type[httpx.TransportError]) -> Line:
    def say(request: httpx.Request) -> httpx.Response:
        raise error("", request=request)

    return Line(say)


OUTAGES: dict[str, tuple[Callable[[], Line], str]] = {
    "out of reach": (lambda: _raises(httpx.ConnectError), "can't be reached"),
    "hangs": (lambda: _raises(httpx.ReadTimeout), "does not answer in time"),
    "breaks off": (lambda: _raises(httpx.RemoteProtocolError), "can't be reached"),
    "fails": (lambda: says(b"", 502), "it answers 502"),
    "is gone": (lambda: says(b"", 404), "it answers 404"),
    "knows a tag that nobody sent": (lambda: says(b"", 304), "it answers 304"),
    "sends elsewhere": (
        lambda: says(b"", 302, Location="https://elsewhere.example/v1/havens"),
        "it redirects (302)",
    ),
    "sends a page": (lambda: says(b"<html>"), "not as it should be"),
    "sends a half": (lambda: says(b'{"directory":'), "not as it should be"),
    "sends no end": (lambda: says(b" " * (LARGEST_MB * 10**6 + 1)), "it sends more than"),
    "sends a bomb": (
        lambda: says(gzip.compress(bytes(LARGEST_MB * 10**6 + 1)), 200, **GZIP),
        "it sends more than",
    ),
    "sends rubbish": (lambda: says(b"rubbish", 200, **GZIP), "unpacked"),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_who_is_down_is_held_at_the_last_good_state(held: Settings, outage: str) -> None:
    line, reason = OUTAGES[outage]
    kept = Kept(held.data_dir, NORTH)
    if "304" in reason:
        kept.write(kept.note().model_copy(update={"tag": ""}))
    note = ask(held, kept, line().client, NOW + 300)
    assert reason in note.trouble
    assert note.asked_at == NOW + 300


def test_an_outage_is_reported_and_passes(
    settings: Settings, told: bytes, own_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "time", SimpleNamespace(time=lambda: NOW + 500))
    [finding] = doctor._neighbours(settings)
    assert (finding.severity, finding.says) == (
        doctor.Severity.LOOK,
        "North Borough: it has told nothing yet",
    )
    asked(settings, says(told))
    [finding] = doctor._neighbours(settings)
    assert finding.severity == doctor.Severity.WELL
    asked(settings, says(b"", 500), NOW + 400)
    [finding] = doctor._neighbours(settings)
    assert finding.severity == doctor.Severity.LOOK
    assert "North Borough: 5 havens" in finding.says
    assert "held, because it answers 500" in finding.says
    with serving_directory(
        settings.data_dir, own_database, lambda: NOW + 600, neighbours=[NORTH]
    ) as client:
        # It is not this service that something is wrong with.
        until(lambda: client.get("/health/ready").json()["status"] == "ok")
        ready = client.get("/health/ready").json()
        assert ready["neighbours"][0]["held"] == "it answers 500"
        metrics = client.get("/metrics", headers=METRICS).text
        assert 'havens_neighbour_held{neighbour="North Borough"} 1.0' in metrics
        assert 'havens_neighbour_age_seconds{neighbour="North Borough"} 600.0' in metrics
        assert names(nearest(client, BOUNDARY)["beyond"]["havens"])[0] == "North Star"
    assert not asked(settings, says(told), NOW + 700).trouble


def test_nobody_is_asked_any_more(settings: Settings, told: bytes) -> None:
    note, kept = asked(settings, says(told)), Kept(settings.data_dir, NORTH)
    assert kept.trouble(note, NOW + 1200) == ""
    assert kept.trouble(note, NOW + 1201) == "it has not been asked for a while"


def test_what_is_known_of_no_hour_is_shown_no_more(
    settings: Settings, told: bytes, own_database: str
) -> None:
    asked(settings, says(told))
    later = utc("2026-12-11T22:00")
    with serving_directory(
        settings.data_dir, own_database, lambda: later, neighbours=[NORTH]
    ) as client:
        assert "beyond" not in nearest(client, BOUNDARY)
        assert "neighbours" not in client.get("/v1/havens").json()


def test_a_spoilt_file_is_as_none(settings: Settings, told: bytes) -> None:
    asked(settings, says(told, ETag='"1"'))
    kept = Kept(settings.data_dir, NORTH)
    kept.snapshot_file.write_bytes(kept.snapshot_file.read_bytes()[:-1])
    kept.note_file.write_bytes(b"{")
    assert sides(settings) == ()
    line = says(told)
    asked(settings, line)
    assert "if-none-match" not in line.asked[0].headers
    assert sides(settings)


def test_before_there_is_a_haven_of_ours_nobody_is_believed(
    settings: Settings, told: bytes
) -> None:
    for file in settings.data_dir.glob("*.snapshot"):
        file.unlink()
    assert "no haven of ours yet" in asked(settings, says(told)).trouble


def test_nothing_takes_longer_than_it_may() -> None:
    with pytest.raises(NotRead, match="longer than"), at_most(0.001):
        time.sleep(60)


def test_the_operator_believes_how_many_there_are(
    settings: Settings, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(settings, says(told))
    grown = many(60)(json.loads(told))
    assert "--accept" in asked(settings, says(json.dumps(grown).encode())).trouble
    assert not asked(settings, says(json.dumps(grown).encode()), accepted=True).trouble
    assert len(sides(settings)[0].search.snapshot) == 65


def test_a_demonstration_shows_demonstrations(settings: Settings, told: bytes, demo: None) -> None:
    invented = about(notice="demonstration")(first(notice="demonstration")(json.loads(told)))
    ours = settings.model_copy(update={"environment": "demo"})
    assert not asked(ours, says(json.dumps(invented).encode())).trouble
    [side] = sides(ours)
    [document] = json.loads(render.whole_directory(side.search, NOW, NOW, "json", (side,)).body)[
        "neighbours"
    ]
    assert document["notice"] == render.DEMONSTRATION
    # Nor is it shown as real when the same folder serves for that.
    assert sides(settings) == ()
    assert [h["notice"] for h in document["havens"] if "notice" in h] == [
        render.DEMONSTRATION_HAVEN
    ]


def test_who_lists_nothing_any_more_is_believed(settings: Settings, told: bytes) -> None:
    asked(settings, says(told))
    assert not asked(
        settings, says(json.dumps(changed(havens=[])(json.loads(told))).encode())
    ).trouble
    [side] = sides(settings)
    assert len(side.search.snapshot) == 0
    # From none there may come as many as a few.
    assert not asked(settings, says(told)).trouble


def test_no_address_to_open_is_theirs(settings: Settings, told: bytes) -> None:
    bad = first(directions_url="javascript:alert(1)", more="anything")(json.loads(told))
    asked(settings, says(json.dumps(bad).encode()))
    [side] = sides(settings)
    snapshot = side.search.snapshot
    text = snapshot.text.tobytes()
    assert b"javascript" not in text
    assert b"anything" not in text


# --- the command -----------------------------------------------------------------------------


def test_the_command_asks_and_says_how_it_stands(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port at which nobody listens.
    here = {"name": "North Borough", "directory": "http://127.0.0.1:9/v1/havens"}
    monkeypatch.setenv("HAVENS_SECRET_KEY", "a secret that nothing but the tests has")
    monkeypatch.setenv("HAVENS_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("HAVENS_NEIGHBOURS", json.dumps([here]))
    service_settings.cache_clear()
    try:
        told = CliRunner().invoke(cli, ["neighbours"])
        assert told.exit_code == 0, told.output
        assert "it can't be reached" in told.output
        assert CliRunner().invoke(cli, ["neighbours", "--accept", "South"]).exit_code == 2
    finally:
        service_settings.cache_clear()


@pytest.mark.drill
def test_services_that_run_ask_each_other_by_themselves(
    sqlite_template: Path, tmp_path: Path
) -> None:
    urls = []
    for name, metres in (("ours", 0), ("theirs", 900)):
        urls.append(f"sqlite:///{copyfile(sqlite_template, tmp_path / f'{name}.sqlite')}")
        with connected(urls[-1]) as engine:
            make_venue(engine, name=name, location=north(metres), hours="24/7")

    def beyond_us(service: Service) -> list[str]:
        with service.client() as client:
            answer = nearest(client, BOUNDARY)
        assert names(answer["havens"]) == ["ours"]
        return names(answer.get("beyond", {}).get("havens", []))

    with running(tmp_path / "theirs", urls[1]) as theirs:
        listed = {"name": "Theirs", "directory": f"{theirs.url}/v1/havens"}
        asks = json.dumps([listed])
        # Each of several workers, of which one asks.
        with running(tmp_path / "ours", urls[0], workers=2, HAVENS_NEIGHBOURS=asks) as ours:
            until(lambda: beyond_us(ours) == ["theirs"])
            until(lambda: all(beyond_us(ours) == ["theirs"] for _ in range(20)))
    # Nobody is there any more, and nothing waits for them.
    with running(tmp_path / "ours", urls[0], HAVENS_NEIGHBOURS=asks) as ours:
        assert beyond_us(ours) == ["theirs"]


# --- a feed of Open Referral UK --------------------------------------------------------------


def test_a_feed_says_the_same_as_the_directory(
    settings: Settings, borough: httpx.Client, told: bytes
) -> None:
    terms = {t["name"]: t["id"] for t in borough.get("/oruk/taxonomy_terms").json()["contents"]}
    feed = Neighbour.model_validate(
        {
            "name": "North Borough",
            "oruk": f"{borough.base_url}/oruk",
            "term": terms["Place of refuge"],
            "terms": {
                terms["Pub"]: "pub",
                terms["Water"]: "water",
                terms["Step-free access"].upper(): "step_free",
            },
        }
    )
    with client_of() as client:
        ours = settings.model_copy(update={"neighbours": (feed,)})
        note = ask(ours, Kept(settings.data_dir, feed), client, NOW)
    assert note.trouble == ""
    [side] = sides(ours)
    [document] = json.loads(render.whole_directory(side.search, NOW, NOW, "json", (side,)).body)[
        "neighbours"
    ]
    theirs = {haven["id"]: haven for haven in json.loads(told)["havens"]}
    assert len(document["havens"]) == len(theirs)
    same = ("name", "category", "address", "postcode", "location", "facilities", "step_free")
    for haven in document["havens"]:
        other = theirs[haven["id"]]
        assert {name: haven[name] for name in same} == {name: other[name] for name in same}
        assert haven.get("availability") == other.get("availability"), haven["name"]


def feed(**services: Json) -> oruk.Read:
    """A feed in pages of one service, in which all that may be absent is null."""
    keys = list(services)

    def read(path: str, **params: Any) -> bytes:
        if path == "/services":
            page = params["page"]
            contents = [{"id": services[key]["id"]} for key in keys[page - 1 : page]]
            return json.dumps({"total_pages": len(keys), "contents": contents}).encode()
        return json.dumps(next(s for s in services.values() if path.endswith(s["id"]))).encode()

    return read


TERM = "Refuge-Term"
FEED = Neighbour.model_validate(
    {"name": "Third", "oruk": "https://third.example/oruk", "term": TERM, "terms": {"T2": "cctv"}}
)


def service(number: int, *schedules: Json, **more: Any) -> Json:
    place = {"latitude": BANK.lat, "longitude": BANK.lon, "addresses": None, "schedules": None}
    return {
        "id": str(UUID(int=number)),
        "name": f"Service {number}",
        "status": "active",
        "alert": None,
        "phones": None,
        "contacts": [{"phones": [{"number": "020 7946 0003"}]}],
        "attributes": [{"taxonomy_term": {"id": "refuge-term"}}, {"taxonomy_term_id": "t2"}],
        "schedules": list(schedules) or None,
        "service_at_locations": [{"id": str(UUID(int=1000 + number)), "location": place}],
        **more,
    }


def test_which_services_of_a_feed_are_havens() -> None:
    place = service(1)["service_at_locations"][0]["location"]
    told = oruk.directory(
        feed(
            one=service(1),
            inactive=service(2, status="inactive"),
            other=service(3, attributes=[{"taxonomy_term": {"id": "food-bank"}}]),
            nowhere=service(4, service_at_locations=[{"id": str(UUID(int=5)), "location": None}]),
            two=service(
                6,
                service_at_locations=[
                    {"id": str(UUID(int=61)), "location": place},
                    {"id": str(UUID(int=62)), "location": place},
                ],
            ),
            invented=service(7, alert="Demonstration data: not a real haven"),
        ),
        FEED,
        NOW,
    )
    assert [haven.id.int for haven in told.havens] == [1, 61, 62, 7]
    one, invented = told.havens[0], told.havens[-1]
    assert (one.phone, one.category, one.facilities) == ("020 7946 0003", "community", ["cctv"])
    assert one.availability is None
    assert invented.notice
    unknown = FEED.model_copy(update={"terms": {"t2": "casino"}})
    with pytest.raises(Held, match="'casino' is no category"):
        oruk.directory(feed(one=service(1)), unknown, NOW)


WEEKLY = {"freq": "WEEKLY", "byday": "FR", "opens_at": "22:00", "closes_at": "02:00"}
FRIDAYS = [(27, 22, 28, 2), (34, 22, 35, 2)]
"""Day of November, hour, to day, hour; in winter London has UTC."""


class Reading(NamedTuple):
    """A schedule, when it opens within the two weeks from Friday 27 November 22:00 on, and why."""

    schedule: Json
    opens: list[tuple[int, int, int, int]]
    why: str


DAILY_10 = [(28 + n, 10, 28 + n, 12) for n in range(14)]
TEN = {"opens_at": "10:00", "closes_at": "12:00"}
READINGS = [
    Reading(WEEKLY, FRIDAYS, "a night ends on the next day"),
    Reading(WEEKLY | {"byday": "fr"}, FRIDAYS, "letters may be small"),
    Reading(WEEKLY | {"freq": None}, FRIDAYS, "days of the week come back every week"),
    Reading(WEEKLY | {"closes_at": "22:00"}, [], "some mean closed by equal times"),
    Reading(WEEKLY | {"opens_at": "10 pm"}, [], "a time that can't be read opens nothing"),
    Reading(WEEKLY | {"closes_at": None}, [], "nobody knows until when"),
    Reading(WEEKLY | {"valid_to": "2026-12-03"}, FRIDAYS[:1], "it is over before the second"),
    Reading(WEEKLY | {"until": "2026-11-27"}, FRIDAYS[:1], "the last day is included"),
    Reading(WEEKLY | {"valid_from": "2026-11-28"}, FRIDAYS[1:], "it begins after the first"),
    Reading(
        WEEKLY | {"interval": 2, "dtstart": "2026-11-13"}, FRIDAYS[:1], "every other week from then"
    ),
    Reading(
        WEEKLY | {"interval": 2, "dtstart": "2026-11-20"}, FRIDAYS[1:], "every other week from then"
    ),
    Reading(WEEKLY | {"interval": 2}, [], "every other week from nobody knows when"),
    Reading(WEEKLY | {"count": 2, "dtstart": "2026-11-20"}, FRIDAYS[:1], "twice, once already"),
    Reading(WEEKLY | {"count": 2}, [], "twice from nobody knows when"),
    Reading({"freq": "WEEKLY", **TEN}, [], "every week on nobody knows which day"),
    Reading(
        {"freq": "WEEKLY", "dtstart": "2026-11-21", **TEN},
        [(28, 10, 28, 12), (35, 10, 35, 12)],
        "every week on the day of the first",
    ),
    Reading({"freq": "DAILY", **TEN}, DAILY_10[:13] + DAILY_10[13:], "every day"),
    Reading({"freq": "MONTHLY", "byday": "1TU", **TEN}, [(31, 10, 31, 12)], "the first Tuesday"),
    Reading(
        {"freq": "MONTHLY", "bymonthday": "30,9", **TEN},
        [(30, 10, 30, 12), (39, 10, 39, 12)],
        "days of the month",
    ),
    Reading({"dtstart": "2026-12-01", **TEN}, [(31, 10, 31, 12)], "it does not repeat"),
    Reading(TEN, [], "nobody knows on which days"),
    Reading({"freq": "HOURLY", "byday": "FR", **TEN}, [], "the profile has no such thing"),
    Reading(WEEKLY | {"byday": "FREITAG"}, [], "no such day"),
    Reading(WEEKLY | {"byday": "99FR", "freq": "MONTHLY"}, [], "no such day"),
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda reading: reading.why)
def test_hours_from_schedules(reading: Reading) -> None:
    told = oruk.directory(feed(one=service(1, reading.schedule)), FEED, NOW)
    start = utc("2026-11-01T00:00")
    expected = [
        (start + ((day - 1) * 24 + hour) * HOUR, start + ((to - 1) * 24 + until) * HOUR)
        for day, hour, to, until in reading.opens
    ]
    found = [(s.begin.timestamp(), s.until.timestamp()) for s in told.havens[0].availability or ()]
    assert found == expected


# --- both sides in one -----------------------------------------------------------------------


def some(random: Random, around: Point, spread: float) -> Json:
    return {
        "id": UUID(int=random.getrandbits(128)),
        "lat": random.gauss(around.lat, spread),
        "lon": random.gauss(around.lon, 1.6 * spread),
        "hours": random.choice(
            [
                "24/7",
                "Mo-Su 10:00-23:45",
                "Mo-Su 22:00-04:00",
                "Mo-Su 08:00-18:00",
                "Fr 18:00-23:40",
            ]
        ),
        "facilities": random.choice([[], [Facility.WATER]]),
    }


def searched(
    sqlite_template: Path, file: Path, havens: list[Json], streets: Streets | None = None
) -> Search:
    with connected(f"sqlite:///{copyfile(sqlite_template, file)}") as engine:
        with engine.connect() as connection:
            for haven in havens:
                make_venue(engine, **haven)
            connection.close()
        with read_session(engine) as session:
            return Search(build(session, NOW, streets), streets=streets)


@pytest.mark.parametrize("near_m", [NEAR_M, 300])
@pytest.mark.parametrize("ways", ["by estimate", "over streets"])
def test_both_sides_together_are_the_answer_of_one_directory(
    ways: str, near_m: int, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over streets as well, to which what neighbours tell is not tied."""
    for module in (search, beyond):
        monkeypatch.setattr(module, "NEAR_M", near_m)
    random, around, spread, streets = Random("both sides"), BANK, 0.008, None
    if ways == "over streets":
        around, spread, streets = Point(*place(550, 550)), 0.003, grid().streets(tmp_path)
    ours, theirs = ([some(random, around, spread) for _ in range(25)] for _ in range(2))
    own = searched(sqlite_template, tmp_path / "own.sqlite", ours, streets)
    all_of_them = searched(sqlite_template, tmp_path / "all.sqlite", ours + theirs, streets)
    if streets:
        is_ours = [own.row(all_of_them.snapshot.uuid(row)) is not None for row in range(50)]
        ties = np.where(np.transpose([is_ours]), all_of_them.snapshot.ties, [-1, 0, 0])
        all_of_them = Search(replace(all_of_them.snapshot, ties=ties), streets=streets)
    sides = []
    for number, half in enumerate((theirs[:12], theirs[12:])):
        north = searched(sqlite_template, tmp_path / f"{number}.sqlite", half)
        body = render.whole_directory(north, NOW, NOW, "json").body
        known = Search(columns(WholeDirectory.model_validate_json(body)))
        sides.append(Side(NORTH, NOW, NOW, known))
    met = dict.fromkeys(PARTS, 0)
    for _ in range(300):
        question = Question(
            Point(random.gauss(around.lat, spread), random.gauss(around.lon, 1.6 * spread)),
            NOW + random.choice([0, random.randrange(6 * 24 * HOUR)]),
            random.choice([1, 2, 5, 5, 10]),
            random.choice([0, 0, 1]),
            random.choice([float("inf"), 1500.0]),
        )
        found = doors(question, own, own.answer(question), sides)
        for part, several, expected in zip(PARTS, found, all_of_them.answer(question), strict=True):
            # All that an answer says of a haven, but for where its text lies.
            told = [(one.search.snapshot.uuid(one.match.row), *one.match[3:]) for one in several]
            wanted = [(all_of_them.snapshot.uuid(match.row), *match[3:]) for match in expected]
            assert told == wanted, question
            met[part] += sum(one.side is not None for one in several)
    assert min(met.values()) > 30, met
