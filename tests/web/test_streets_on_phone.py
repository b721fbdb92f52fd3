"""The phone's streets, in the browser that runs them, against the service's own."""

import base64
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page

import app.web
from app.core.db import connected, read_session
from app.core.places import Point
from app.core.settings import Neighbour
from app.directory import render
from app.directory.beyond import Side, doors, of_neighbours
from app.directory.build import build
from app.directory.engine.search import Question, Search
from app.directory.neighbours.columns import columns
from app.directory.schemas import WholeDirectory
from app.directory.snapshot import HOUR, PROVIDES, STEP_FREE
from app.venues.kinds import Facility
from app.walking.extract import read_extract
from app.walking.made import streets
from app.walking.phone import on_phone
from app.walking.streets import Streets
from tests.conftest import Scale
from tests.directory.engine.test_search import Oracle, some_havens, some_instants, store
from tests.factories import utc
from tests.walking.test_streets import DATA, ragged
from tests.walking.towns import Town, place
from tests.web.test_phone_search import PARTS, SEARCH_JS, SEEN, Json, page_with

STREETS_JS = Path(app.web.__file__).parent / "static" / "js" / "streets.js"
NOW = utc("2027-03-23T02:40")
NORTH = Neighbour.model_validate({"name": "North Borough", "directory": "https://north.example"})

# Whoever has bytes to hand over does so as text.
BYTES_JS = """const bytesOf = (text) =>
    Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;"""

ANSWERS_JS = """(text) => {
    const [file, whole, questions, parts, seen] = JSON.parse(text);
    const directory = readDirectory(whole);
    tieHavens(directory, readStreets(bytesOf(file)));
    const shown = (haven) => Object.fromEntries(seen.map((name) => [name, haven[name]]));
    return JSON.stringify(questions.map((question) => {
        const answer = nearestHavens(directory, {...question, at: 1000 * question.at + 999});
        return [answer, answer.beyond].map(
            (side) => parts.map((part) => side[part].map(shown)));
    }));
}"""

TIES_JS = """(text) => {
    const [file, places] = JSON.parse(text);
    const streets = readStreets(bytesOf(file));
    return JSON.stringify(places.map(([lat, lon, address]) => {
        const tie = tiedTo(streets, lat, lon, address);
        return tie && [tie.edge, tie.along, tie.off];
    }));
}"""

WHOLE_JS = """(text) => {
    const [file] = JSON.parse(text);
    const { about, tails, heads, kinds, names, starts, x, y, run, lengths } =
        readStreets(bytesOf(file));
    const columns = { tails, heads, kinds, names, starts, x, y, run, lengths };
    for (const name of Object.keys(columns)) columns[name] = Array.from(columns[name]);
    return JSON.stringify({ about, ...columns });
}"""

FAULT_JS = """(text) => {
    const [file] = JSON.parse(text);
    try {
        readStreets(bytesOf(file));
    } catch (fault) {
        return JSON.stringify(fault.message);
    }
    return JSON.stringify(null);
}"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Streets:
    """A town with steps, dead ends and names, and a street to which steps alone lead."""
    drawn = ragged(3)
    drawn.way([(500, 1100), (500, 1150)], highway="steps")
    drawn.way([(500, 1150), (600, 1150), (700, 1180)], highway="footway")
    return named(drawn).streets(tmp_path_factory.mktemp("town"))


def named(town: Town) -> Town:
    """A town some of whose streets are written as people don't write them."""
    names = ("St. Mary’s Lane", "Großer Weg", "Élan Court", "Ropemaker St", "Bow Lane")
    for number, (_, tags) in enumerate(town.ways):
        tags.setdefault("name", names[number % len(names)])
    return town


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page with the search and the streets in it."""
    with phone_with(chromium) as page:
        yield page


def phone_with(chromium: Browser, rule: str = "", broken: str = "") -> Any:
    """The same, maybe with one of its rules broken."""
    scripts = [SEARCH_JS.read_text(), STREETS_JS.read_text(), BYTES_JS]
    if rule:
        assert [script.count(rule) for script in scripts].count(1) == 1
    return page_with(chromium, "\n".join(script.replace(rule, broken) for script in scripts))


def on(page: Page, function: str, file: bytes, *arguments: Any) -> Any:
    """What a function comes to there, given streets and more."""
    text = json.dumps([base64.b64encode(file).decode(), *arguments])
    return json.loads(page.evaluate(function, text))


def test_the_phone_has_the_same_streets(page: Page, town: Streets) -> None:
    told = on(page, WHOLE_JS, on_phone(town))
    about = told.pop("about")
    for name, column in told.items():
        ours = town.points[:, "xy".index(name)] if name in "xy" else getattr(town, name)
        assert column == ours.tolist(), name
    assert about["names"] == town.texts
    assert about["attribution"] == "© OpenStreetMap contributors"
    assert about["licence"].startswith("https://opendatacommons.org/licenses/odbl")
    assert (about["box"], about["source"]) == (town.box, town.source)


def test_a_place_is_tied_where_the_service_ties_it(page: Page, town: Streets, scale: Scale) -> None:
    random = Random(11)
    addresses = ["", "12 Mary's Ln", *(f"7, {text.upper()}" for text in town.texts)]
    places = []
    for _ in range(scale(1200)):
        lat, lon = place(random.uniform(-200, 1300), random.uniform(-200, 1300))
        places.append((lat, lon, random.choice(addresses)))
    ties = [town.tie(*each) for each in places]
    assert on(page, TIES_JS, on_phone(town), places) == [tie and list(tie) for tie in ties]
    assert None in ties
    # It must have made a difference which street the address names.
    assert ties != [town.tie(lat, lon) for lat, lon, _ in places]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: b"havens streets for phones 0" + file[27:], "no streets"),
        (lambda _: b"<!doctype html>", "no streets"),
        (lambda file: file[:-40], "streets that are not whole"),
        (lambda file: file + b"\0", "streets that are not whole"),
        (
            lambda file: file.replace(b'"total_cm":', b'"total_cm":1'),
            "streets of another length",
        ),
    ],
    ids=["another form", "no file of ours", "cut", "too long", "of another length"],
)
def test_what_is_damaged_is_not_taken_for_streets(
    page: Page, town: Streets, change: Any, why: str
) -> None:
    assert on(page, FAULT_JS, on_phone(town)) is None
    assert on(page, FAULT_JS, change(on_phone(town))) == why


class City(NamedTuple):
    """Havens on some streets, those of a neighbour among them, as the service searches them and as
    the phone has them."""

    search: Search
    side: Side
    oracle: Oracle
    file: bytes
    document: Json

    def asked(self, number: int, south_west: Point, north_east: Point) -> list[Json]:
        """Questions of people in a box, with every filter, most where much changes."""
        random = Random(number)
        found = []
        for at in some_instants(random, self.oracle, number):
            question: Json = {
                "lat": random.uniform(south_west.lat, north_east.lat),
                "lon": random.uniform(south_west.lon, north_east.lon),
                "at": at,
                "limit": random.choice([1, 2, 3, 5, 5, 5, 10, 50]),
                "facilities": random.sample(list(Facility), random.choice([0, 0, 0, 1, 2])),
                "step_free": random.random() < 0.35,
            }
            if random.random() < 0.3:
                question["max_distance_m"] = random.choice([150.0, 800.0])
            found.append(question)
        return found

    def answer(self, asked: Json) -> list[list[list[Json]]]:
        """What the service answers of ours and of theirs, of each haven what depends on the
        question."""
        needs = STEP_FREE if asked["step_free"] else 0
        for facility in asked["facilities"]:
            needs |= PROVIDES[facility]
        origin, most = Point(asked["lat"], asked["lon"]), asked.get("max_distance_m", math.inf)
        question = Question(origin, asked["at"], asked["limit"], needs, most)
        answer = self.search.answer(question)
        seen = of_neighbours(doors(question, self.search, answer, [self.side]))
        body = json.loads(render.nearest(self.search.snapshot, question, answer, 0, b"[]", seen))
        return [
            [
                [{name: haven[name] for name in SEEN if name in haven} for haven in side[part]]
                for part in PARTS
            ]
            for side in (body, body["beyond"])
        ]


def city(template: str, made: Streets, places: Sequence[Point], documents: int) -> City:
    """Havens at some places, most with an address that names a street; every third a neighbour's,
    of which nobody knows on which street it is."""
    random = Random(len(places))
    all_of_them = [
        replace(haven, place=where)
        for haven, where in zip(
            some_havens(random, len(places), documents=documents), places, strict=True
        )
    ]
    hour = int(NOW) // HOUR * HOUR
    with connected(template) as engine:
        store(engine, all_of_them)
        with read_session(engine) as session:
            told = json.loads(
                render.whole_directory(Search(build(session, NOW)), hour, hour, "json").body
            )
        theirs = {str(haven.id) for haven in all_of_them[::3]}
        for part in ("havens", "upcoming"):
            told[part] = [haven for haven in told[part] if haven["id"] in theirs]
        side = Side(NORTH, hour, hour, Search(columns(WholeDirectory.model_validate(told))))
        with engine.execution_options(writes=True).begin() as writing:
            writing.exec_driver_sql(
                "UPDATE venue SET status = 'prospect' WHERE substr(reference, 2) % 3 = 0"
            )
            for number, text in enumerate(made.texts):
                writing.exec_driver_sql(
                    "UPDATE venue SET address = ? WHERE substr(reference, 2) % ? = ?",
                    (f"{number} {text}", len(made.texts), number),
                )
        with read_session(engine) as session:
            search = Search(build(session, NOW, made), streets=made)
    document = json.loads(render.whole_directory(search, hour, hour, "json", (side,)).body)
    assert document["directory"]["streets"] == made.checksum
    ours = [haven for haven in all_of_them if str(haven.id) not in theirs]
    return City(search, side, Oracle(ours, search.snapshot.start), on_phone(made), document)


def hold(page: Page, of: City, questions: list[Json]) -> None:
    """Ask the phone and the service, and hold the answers together."""
    told = on(page, ANSWERS_JS, of.file, of.document, questions, PARTS, SEEN)
    names = [(whose, part) for whose in ("ours", "theirs") for part in PARTS]
    entries, walking = dict.fromkeys(names, 0), {"streets": 0, "estimate": 0}
    for question, found in zip(questions, told, strict=True):
        expected = of.answer(question)
        assert found == expected, question
        for name, havens in zip(names, [*expected[0], *expected[1]], strict=True):
            entries[name] += len(havens)
        for haven in (one for part in expected[0] for one in part):
            walking[haven["walking"]] += 1
    # Each must have been there often enough for this to prove anything. Of neighbours' few doors
    # few are about to shut.
    assert all(n > (10 if whose == "ours" else 2) for (whose, _), n in entries.items()), entries
    assert min(walking.values()) > 10, walking


@pytest.fixture(scope="module")
def in_town(town: Streets, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> City:
    """Sixty havens in the town and around it, some of them up the steps, and one far from any
    street."""
    random = Random(7)
    places = [
        Point(*place(random.uniform(-50, 1150), random.uniform(-50, 1150))) for _ in range(53)
    ]
    places += [Point(*place(600 + 10 * number, 1155)) for number in range(6)]
    file = tmp_path_factory.mktemp("town") / "havens.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    return city(f"sqlite:///{file}", town, [*places, Point(*place(500, 1400))], documents=40)


CORNERS = Point(*place(-150, -150)), Point(*place(1250, 1250))


def test_the_phone_answers_over_the_streets_as_the_service_does(
    page: Page, in_town: City, scale: Scale
) -> None:
    hold(page, in_town, in_town.asked(scale(2000), *CORNERS))


BROKEN = [
    ("REACH_M = 100", "REACH_M = 90"),
    ("kinds[edge] & HAS_STEPS) continue", "false) continue"),
    ("kinds[owner[step]] & (HAS_STEPS | IS_HIDDEN)", "false"),
    ("+ Math.min(along, rest)", "+ 1e9"),
    ("edge === start.edge ?", "false ?"),
    ("tiedTo(streets, location.lat, location.lon, address)", "null"),
    ("Math.max(way.way, ways.noWay / 100)", "way.way"),
    ("Math.max(metres - SLACK_M, 0) * SHRUNK", "metres * factor"),
]


@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_a_rule_of_the_streets_that_is_broken_shows(
    chromium: Browser, in_town: City, rule: str, broken: str
) -> None:
    questions = in_town.asked(400, *CORNERS)
    expected = [in_town.answer(question) for question in questions]
    with phone_with(chromium, rule, broken) as page:
        told = on(page, ANSWERS_JS, in_town.file, in_town.document, questions, PARTS, SEEN)
    assert told != expected


@pytest.mark.drill
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
@pytest.mark.parametrize("number", [60, 1159])
def test_the_phone_answers_over_the_streets_of_london(
    page: Page, number: int, sqlite_url: str
) -> None:
    random, file = Random(number), DATA / "london.osm.pbf"
    made = streets(read_extract(file, None), file)
    west, south, east, north = made.box
    places = [
        Point(random.uniform(south, north), random.uniform(west, east)) for _ in range(number)
    ]
    of = city(sqlite_url, made, places, documents=120)
    hold(page, of, of.asked(2000, Point(south, west), Point(north, east)))
