"""The phone's search, in the browser that runs it, against the service's own answers.

Both answer from one snapshot of the same database: the service from its columns, the phone from the
directory document. `tests/directory/engine` holds the service's search to a brute force.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import Engine, update
from sqlmodel import Session

import app.web
from app.core.db import connected, read_session, write_session
from app.core.places import Point
from app.core.settings import Neighbour
from app.directory import render
from app.directory.beyond import Side, doors, of_neighbours
from app.directory.build import build
from app.directory.engine.search import Question, Search
from app.directory.neighbours.columns import columns
from app.directory.schemas import WholeDirectory
from app.directory.snapshot import HOUR, LOOKS_AHEAD, PROVIDES, STEP_FREE
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Venue, VenueStatus
from tests.factories import BANK, award, make_venue, utc

Json = dict[str, Any]

SEARCH_JS = Path(app.web.__file__).parent / "static" / "js" / "search.js"
DAY = 24 * HOUR
PARTS = ("havens", "closing", "opens_next")


class Moment(NamedTuple):
    """When a snapshot is built, how long ago that is when somebody asks, and why then."""

    built: str
    hours_ago: int
    why: str


MOMENTS = [
    Moment("2026-10-18T22:40", 0, "the clocks go back on the last day that may be asked about"),
    Moment("2026-10-24T23:10", 0, "the clocks go back tonight"),
    Moment("2027-03-22T01:10", 0, "the clocks go forward within the week"),
    Moment(
        "2027-03-27T20:59", 30, "they went forward, and the database has been away since before"
    ),
    Moment("2026-12-22T17:20", 0, "Christmas on a Friday, its substitute on Monday, the new year"),
]

HOURS = [
    *("24/7", "Mo-Su 10:00-22:00", "Mo-Fr 07:30-15:00,17:00-23:30; PH off", "Mo-Su 22:00-04:00"),
    *("We-Sa 21:00-05:00; PH off", "Fr-Sa 20:00-01:30; Su 12:00-18:00", "Mo-Su 00:30-02:00"),
    *("Mo-Su 01:15-05:00", "Tu,Sa 09:30-17:00", "Mo-Su 12:00-14:00,18:00-24:00", "Su 01:00-01:30"),
    None,
]
FAR = [
    Point(52.48, -1.90),
    Point(55.95, -3.19),
    Point(48.86, 2.35),
    Point(90.0, 0.0),
    Point(65.0, -179.99),
    Point(65.1, 179.98),
    Point(0.0, 0.0),
]


def some_place(random: Random, spread: float = 0.008, around: Point = BANK) -> Point:
    lat, lon = random.gauss(around.lat, spread), random.gauss(around.lon, 1.6 * spread)
    return Point(max(-90.0, min(lat, 90.0)), max(-180.0, min(lon, 180.0)))


def store(session: Session, random: Random, today: date) -> None:
    """Havens around the Bank and far off, some at one place, and help points of a season."""
    places: list[Point] = []
    for _ in range(70):
        kind = random.random()
        if places and kind < 0.15:
            places.append(random.choice(places))
        elif kind < 0.85:
            places.append(some_place(random))
        else:
            places.append(random.choice([*FAR, some_place(random, 0.08)]))
        lasts = random.choice([40 * 365, 40 * 365, 40 * 365, random.randint(0, 15)])
        make_venue(
            session,
            **details(random, places[-1]),
            hours=random.choice(HOURS),
            safe_haven_until=today + timedelta(days=lasts),
        )
    # Listed for some nights, and again a week later; not in between.
    for _ in range(12):
        first = today + timedelta(days=random.randint(-3, 8))
        nights = timedelta(days=random.randint(0, 3))
        point = make_venue(
            session,
            **details(random, some_place(random)),
            hours=random.choice(["Mo-Su 21:00-04:00", "Mo-Su 18:00-02:00", "24/7"]),
            category=Category.HELP_POINT,
            safe_haven_from=first,
            safe_haven_until=first + nights,
        )
        award(session, point.id, first + timedelta(days=7), first + timedelta(days=7) + nights)


def details(random: Random, place: Point) -> Json:
    return {
        "id": UUID(int=random.getrandbits(128)),
        "lat": place.lat,
        "lon": place.lon,
        "facilities": [facility for facility in Facility if random.random() < 0.6],
        "step_free": random.choice(list(StepFree)),
    }


class Directory:
    """One snapshot, as the service searches it and as the phone has it."""

    def __init__(self, engine: Engine, moment: Moment) -> None:
        self.moment = moment
        built = utc(moment.built)
        with write_session(engine) as session, session.no_autoflush:
            store(session, Random(moment.built), datetime.fromtimestamp(built, UTC).date())
        with read_session(engine) as session:
            self.search = Search(build(session, built))
        self.now = built + moment.hours_ago * HOUR
        hour = self.now // HOUR * HOUR
        self.sides = self._neighbours(engine, Random(moment.why), built)
        self.document = json.loads(
            render.whole_directory(self.search, hour, hour, "json", self.sides).body
        )
        # No answer may depend on the order in which the document has them.
        Random(built).shuffle(self.document["havens"])
        self._turns = [turn for row in range(len(self.search.snapshot)) for turn in self._of(row)]

    def _neighbours(self, engine: Engine, random: Random, built: int) -> tuple[Side, Side]:
        """Two that tell of havens around ours, one of them for the last time three hours ago."""
        sides = []
        for hours_ago in (0, 3):
            with write_session(engine) as session, session.no_autoflush:
                session.connection().execute(update(Venue).values(status=VenueStatus.PROSPECT))
                store(session, random, datetime.fromtimestamp(built, UTC).date())
            at = built - hours_ago * HOUR
            with read_session(engine) as session:
                theirs = Search(build(session, at))
            told = render.whole_directory(theirs, at // HOUR * HOUR, at // HOUR * HOUR, "json")
            snapshot = columns(WholeDirectory.model_validate_json(told.body))
            neighbour = Neighbour.model_validate(
                {"name": f"{hours_ago} hours ago", "directory": f"https://{hours_ago}.example"}
            )
            sides.append(Side(neighbour, at, at + DAY, Search(snapshot)))
        return sides[0], sides[1]

    def _of(self, row: int) -> list[tuple[int, int]]:
        """When a haven opens and shuts, within what may be asked about."""
        spans = self.search.snapshot.availability(row) or ()
        turns = [turn for opens, shuts in spans for turn in (opens, shuts, shuts)]
        return [(row, turn) for turn in turns if self.now <= turn <= self.now + LOOKS_AHEAD]

    @cached_property
    def questions(self) -> list[Json]:
        """Many, of all kinds."""
        random = Random(self.moment.why)
        return [self._question(random) for _ in range(500)]

    @cached_property
    def answers(self) -> list[list[list[Json]]]:
        """The service's, to each of these questions."""
        return [self._answer(question) for question in self.questions]

    def instant(self, random: Random) -> int:
        """One that may be asked about: of the last day as often as of all the week."""
        latest = self.now + LOOKS_AHEAD
        return random.choice(
            [
                latest - random.choice([0, 1, random.randrange(DAY)]),
                self.now + random.choice([0, -300, random.randrange(LOOKS_AHEAD)]),
            ]
        )

    def _question(self, random: Random) -> Json:
        row, turn = random.choice(self._turns)
        own = Point(float(self.search.snapshot.lat[row]), float(self.search.snapshot.lon[row]))
        if random.random() < 0.5:
            # Where it is close whether one arrives in time.
            place = random.choice([own, some_place(random, 0.003, own)])
            at = turn - random.choice([0, -1, 1, *random.choices(range(900), k=5)])
            at = max(self.now - 300, min(at, self.now + LOOKS_AHEAD))
        else:
            near, town = some_place(random), some_place(random, 0.1)
            place, at = random.choice([near, near, town, *FAR[:2]]), self.instant(random)
        place = place if random.random() < 0.9 else random.choice(FAR)
        question: Json = {"lat": place.lat, "lon": place.lon, "at": at}
        if random.random() < 0.8:
            question["limit"] = random.choice([1, 2, 3, 5, 10, 20, 50])
        if random.random() < 0.4:
            question["facilities"] = random.sample(list(Facility), random.randint(0, 2))
        if random.random() < 0.3:
            question["step_free"] = random.random() < 0.8
        if random.random() < 0.3:
            question["max_distance_m"] = random.choice([1, 150.5, 800, 2000, 50_000])
        return question

    def _answer(self, asked: Json) -> list[list[Json]]:
        """What the service answers, of each haven what depends on the question."""
        needs = STEP_FREE if asked.get("step_free") else 0
        for facility in asked.get("facilities", ()):
            needs |= PROVIDES[facility]
        question = Question(
            Point(asked["lat"], asked["lon"]),
            asked["at"],
            asked.get("limit", 5),
            needs,
            asked.get("max_distance_m", math.inf),
        )
        answer = self.search.answer(question)
        seen = of_neighbours(doors(question, self.search, answer, self.sides))
        body = json.loads(render.nearest(self.search.snapshot, question, answer, 0, b"[]", seen))
        return [
            [{name: haven[name] for name in SEEN if name in haven} for haven in side[part]]
            for side in (body, body["beyond"])
            for part in PARTS
        ]

    def states(self, asked: list[tuple[str, int]]) -> list[Json]:
        """What the service says of single havens at an instant."""
        states = []
        for haven, at in asked:
            row = self.search.row(UUID(haven))
            assert row is not None
            states.append(json.loads(render.one_haven(self.search, row, at))["open"])
        return states


SEEN = ("id", "distance_m", "bearing_deg", "walking_minutes", "walking", "open", "neighbour")

ANSWERS_JS = """(text) => {
    const [whole, questions, parts, seen] = JSON.parse(text);
    const directory = readDirectory(whole);
    const shown = (haven) => Object.fromEntries(seen.map((name) => [name, haven[name]]));
    return JSON.stringify(questions.map((question) => {
        const answer = nearestHavens(directory, {...question, at: 1000 * question.at + 999});
        return [answer, answer.beyond].flatMap(
            (side) => parts.map((part) => side[part].map(shown)));
    }));
}"""

STATES_JS = """(text) => {
    const [whole, asked] = JSON.parse(text);
    const directory = readDirectory(whole);
    return JSON.stringify(asked.map(([id, at]) => stateOfHaven(directory, id, 1000 * at)));
}"""

WHOLE_JS = """(text) => {
    const [whole, question] = JSON.parse(text);
    return JSON.stringify(nearestHavens(readDirectory(whole), question));
}"""


@pytest.fixture(scope="module", params=MOMENTS, ids=[moment.built for moment in MOMENTS])
def directory(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Directory:
    """The directory of each moment."""
    file = copyfile(sqlite_template, tmp_path_factory.mktemp("phone") / "havens.sqlite")
    with connected(f"sqlite:///{file}") as engine:
        return Directory(engine, request.param)


at_the_first_moment = pytest.mark.parametrize("directory", MOMENTS[:1], indirect=True)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page with the search in it."""
    with page_with(chromium, SEARCH_JS.read_text()) as page:
        yield page


@contextmanager
def page_with(chromium: Browser, script: str) -> Iterator[Page]:
    page = chromium.new_page()
    page.add_script_tag(content=script)
    yield page
    page.close()


def on_phone(page: Page, function: str, *arguments: Any) -> Any:
    """What a function comes to there. As texts: value by value takes many times as long."""
    return json.loads(page.evaluate(function, json.dumps(arguments)))


def answers(page: Page, directory: Directory, questions: list[Json]) -> list[list[list[Json]]]:
    told: list[list[list[Json]]] = on_phone(
        page, ANSWERS_JS, directory.document, questions, PARTS, SEEN
    )
    return told


def test_the_phone_answers_as_the_service_does(page: Page, directory: Directory) -> None:
    names = [(side, part) for side in ("ours", "theirs") for part in PARTS]
    told, entries = answers(page, directory, directory.questions), dict.fromkeys(names, 0)
    for question, found, expected in zip(directory.questions, told, directory.answers, strict=True):
        assert found == expected, (question, directory.moment.why)
        for part, havens in zip(names, expected, strict=True):
            entries[part] += len(havens)
    # Each part must have been there often enough for this to prove anything.
    # Doors about to shut are few, and those of neighbours have to be among the nearest of all.
    assert all(n > (30 if side == "ours" else 5) for (side, _), n in entries.items()), entries


def test_the_phone_says_of_one_haven_what_the_service_does(
    page: Page, directory: Directory
) -> None:
    document, snapshot = directory.document, directory.search.snapshot
    random = Random(directory.moment.why)
    ids = [haven["id"] for haven in document["havens"] + document["upcoming"]]
    # As far as the document goes, and a little farther: there nobody knows.
    instants = [directory.instant(random) for _ in range(200)]
    instants += [random.randint(snapshot.horizon - 2 * DAY, snapshot.horizon) for _ in range(200)]
    instants += [snapshot.horizon - 1, snapshot.horizon, snapshot.start, snapshot.start - 1]
    asked = [(random.choice(ids), at) for at in instants]
    expected = directory.states(asked)
    assert on_phone(page, STATES_JS, document, asked) == expected
    assert {state["state"] for state in expected} == {"open", "closed", "unknown"}
    assert any(state["state"] == "open" and "until" not in state for state in expected)


@at_the_first_moment
def test_what_is_not_known_is_never_an_answer(page: Page, directory: Directory) -> None:
    snapshot = directory.search.snapshot
    outside = (snapshot.start - 1, snapshot.horizon, snapshot.horizon + DAY)
    questions = [{"lat": BANK.lat, "lon": BANK.lon, "at": at} for at in outside]
    assert answers(page, directory, questions) == [[[]] * 6] * len(outside)
    asked = [("no such haven", directory.now)]
    assert on_phone(page, STATES_JS, directory.document, asked) == [{"state": "unknown"}]


@at_the_first_moment
def test_an_answer_holds_what_the_document_says_of_a_haven(
    page: Page, directory: Directory
) -> None:
    question = {"lat": BANK.lat, "lon": BANK.lon, "at": 1000 * directory.now}
    found = on_phone(page, WHOLE_JS, directory.document, question)["havens"]
    known = {haven["id"]: haven for haven in directory.document["havens"]}
    assert found
    for haven in found:
        assert haven.items() >= known[haven["id"]].items()


BROKEN = [
    ("MARGIN = 5 * 60", "MARGIN = 6 * 60"),
    ("NEAR_M = 2000", "NEAR_M = 1500"),
    ("METRES_A_MINUTE = 80", "METRES_A_MINUTE = 81"),
    ("CLOSES_SOON = 30 * 60", "CLOSES_SOON = 31 * 60"),
    ("told.havens.concat(told.upcoming)", "told.havens"),
    ("!entry.listed || openUntil(entry.listed, at)", "true"),
    ("start > at && end > arrival", "start > at"),
    ("a.entry.haven.id < b.entry.haven.id ? -1 : 1", "0"),
    ("&& metres <= reach", ""),
]


@at_the_first_moment
@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_a_rule_that_is_broken_shows(
    chromium: Browser, directory: Directory, rule: str, broken: str
) -> None:
    script = SEARCH_JS.read_text()
    assert script.count(rule) == 1
    with page_with(chromium, script.replace(rule, broken)) as page:
        assert answers(page, directory, directory.questions) != directory.answers
