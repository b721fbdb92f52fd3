"""The search against a brute force that shares no code with it, and against PostGIS.

The brute force reads each venue's stored document minute by minute on London's wall clock, measures
every distance with another formula, and sorts everything. It follows the words of the public
contract: see `Oracle.answer`.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from shutil import copyfile
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, insert, text
from sqlalchemy import inspect as sa_inspect

from app.core.db import connected, read_session
from app.core.london import effective
from app.core.places import Point
from app.directory.build import build
from app.directory.engine import nearest
from app.directory.engine.search import Answer, Match, Question, Search, State
from app.directory.snapshot import PROVIDES, STEP_FREE
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues.hours import Hours
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Venue
from tests.conftest import Scale
from tests.directory.engine.uncompiled import uncompiled
from tests.factories import LONDON, make_venue, utc

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Document = dict[str, Any]

MOMENTS = [
    ("2026-12-22T17:20", "Christmas on a Friday, the substitute on Monday, the new year"),
    ("2027-03-23T02:40", "Easter and the spring change of the clocks"),
    ("2027-07-13T00:05", "an ordinary fortnight in summer"),
    ("2027-10-24T22:30", "both sides of the autumn change of the clocks"),
    ("2027-12-19T23:59", "Christmas at a weekend, with two substitutes"),
]

BANK_HOLIDAYS = {
    date.fromisoformat(day)
    for day in (
        *("2026-12-25", "2026-12-26", "2026-12-28", "2027-01-01", "2027-03-26", "2027-03-29"),
        *("2027-05-03", "2027-05-31", "2027-08-30"),
        *("2027-12-25", "2027-12-26", "2027-12-27", "2027-12-28", "2028-01-01", "2028-01-03"),
    )
}
"""England's, as gov.uk lists them, and the days that they stand in for."""

MINUTES = 14 * 24 * 60
NEVER = 10**9
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
RADIUS_M = 6_371_008.77
WALKING_FACTOR = 1.7


# --- made-up venues --------------------------------------------------------------------------


@dataclass(frozen=True)
class Haven:
    """What the oracle knows of a venue."""

    id: UUID
    place: Point
    hours: Document | None
    first: date
    last: date
    facilities: tuple[Facility, ...]
    step_free: StepFree


PATTERNS = [
    [],
    ["10:00-22:00"],
    ["07:30-15:00", "17:00-23:30"],
    ["12:00-00:00"],
    ["11:00-02:00"],
    ["22:00-04:00"],
    ["18:00-01:30"],
    ["20:00-01:00", "12:00-14:00"],
    ["01:15-05:00"],
    ["01:00-01:45", "02:00-06:00"],
    ["00:30-02:00"],
    ["00:00-24:00"],
    ["23:59-23:58"],
    ["09:00-09:01", "21:00-21:04", "22:30-22:36"],
]
CITIES = [(51.5136, -0.0886), (52.48, -1.90), (53.48, -2.24), (55.95, -3.19), (51.46, -2.59)]
EDGES = [(90.0, 0.0), (-90.0, 77.0), (0.0, 180.0), (1.0, -180.0), (65.0, -179.99), (65.1, 179.98)]
FAR = [
    *EDGES,
    (54.0, 3.0),  # the North Sea
    (50.2, -0.5),  # the Channel
    (48.86, 2.35),  # Paris
    (-51.5136, 179.9114),  # the other side of the earth
    (0.0, 0.0),
]


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def times(written: Iterable[str]) -> list[dict[str, str]]:
    return [{"opens": one[:5], "closes": one[6:]} for one in written]


def some_times(random: Random) -> list[str]:
    if random.random() < 0.75:
        return random.choice(PATTERNS)
    # Neither overlapping nor touching, for then the clock says nothing about where they meet.
    edges = sorted(random.sample(range(1440), 2 * random.randint(1, 3)))
    if random.random() < 0.5:
        edges = [*edges[1:], edges[0]]
    return [f"{clock(a)}-{clock(b)}" for a, b in zip(edges[::2], edges[1::2], strict=True)]


def some_day(random: Random) -> date:
    start = datetime.fromisoformat(random.choice(MOMENTS)[0]).date()
    return start + timedelta(days=random.randint(-2, 15))


def some_dates(random: Random, most_days: int) -> dict[str, str]:
    first = some_day(random)
    last = first + timedelta(days=random.randint(0, most_days))
    cut = random.choice([0, 5])
    return {"first": first.isoformat()[cut:], "last": last.isoformat()[cut:]}


def some_closure(random: Random) -> dict[str, str]:
    changes = [date(2027, 3, 28), date(2027, 10, 31)]
    start = datetime.combine(
        random.choice([some_day(random), some_day(random), *changes]), datetime.min.time()
    ) + timedelta(minutes=random.choice([random.randrange(1440), random.randrange(20, 150)]))
    until = start + timedelta(minutes=random.choice([random.randint(1, 1440), 15, 30, 60]))
    return {
        "from": start.isoformat(timespec="minutes"),
        "until": until.isoformat(timespec="minutes"),
    }


def some_hours(random: Random) -> Document:
    patterns = [some_times(random) for _ in range(random.randint(1, 3))]
    by_day = {day: random.choice(patterns) for day in WEEKDAYS}
    return {
        "weekly": [{"days": [day], **one} for day in WEEKDAYS for one in times(by_day[day])],
        "seasons": [
            {
                **some_dates(random, 90),
                "days": random.sample(WEEKDAYS, random.randint(1, 7)),
                "times": times(some_times(random)),
            }
            for _ in range(random.choice([0, 0, 1, 2]))
        ],
        "bank_holidays": random.choice(
            ["as_usual", "closed", times(some_times(random)) or "closed"]
        ),
        "exceptions": [
            {**some_dates(random, 3), "times": times(some_times(random))}
            for _ in range(random.choice([0, 0, 1, 4]))
        ],
        "closures": [some_closure(random) for _ in range(random.choice([0, 0, 1, 4]))],
    }


def some_window(random: Random) -> tuple[date, date]:
    if random.random() < 0.7:
        return date(2020, 1, 1), date(2060, 12, 31)
    day = some_day(random)
    return random.choice(
        [
            (date(2020, 1, 1), day),
            (day, date(2060, 12, 31)),
            (day, day + timedelta(days=random.randint(0, 5))),
        ]
    )


def near(random: Random, place: tuple[float, float], spread: float) -> Point:
    lat = random.gauss(place[0], spread)
    return Point(max(-90.0, min(90.0, lat)), random.gauss(place[1], 1.6 * spread))


def some_havens(random: Random, number: int, documents: int, windows: int = 30) -> list[Haven]:
    """Most in the City, some in other cities and at the ends of the earth, some in one place."""
    pool = [some_hours(random) for _ in range(documents)]
    pool.append({"weekly": [{"days": list(WEEKDAYS), "opens": "00:00", "closes": "24:00"}]})
    dates = [some_window(random) for _ in range(windows)]
    havens: list[Haven] = []
    while len(havens) < number:
        kind = random.random()
        if havens and kind < 0.1:
            place = random.choice(havens).place
        elif kind < 0.6:
            place = near(random, CITIES[0], 0.006)
        elif kind < 0.8:
            place = near(random, CITIES[0], 0.08)
        elif kind < 0.98:
            place = near(random, random.choice(CITIES), 0.02)
        else:
            place = Point(*random.choice(EDGES))
        first, last = random.choice(dates)
        havens.append(
            Haven(
                id=UUID(int=random.getrandbits(128)),
                place=place,
                hours=None if random.random() < 0.05 else random.choice(pool),
                first=first,
                last=last,
                facilities=tuple(f for f in Facility if random.random() < 0.6),
                step_free=random.choice(list(StepFree)),
            )
        )
    return havens


def store(engine: Engine, havens: Sequence[Haven]) -> None:
    """Venues accredited as Safe Havens, written many at a time, for there may be thousands."""
    like = Venue(reference="", name="", category=Category.PUB, location=havens[0].place)
    awarded = Decision(
        venue_id=like.id,
        scheme=SchemeKey.SAFE_HAVEN,
        kind=Kind.AWARDED,
        effective_at=effective(havens[0].first),
        recorded_at=effective(havens[0].first),
        recorded_by="test",
    )
    documents = {id(haven.hours): haven.hours for haven in havens}
    hours = {id_: given and Hours.model_validate(given) for id_, given in documents.items()}
    venues = [
        _row(like)
        | {
            "id": haven.id,
            "reference": f"H{number}",
            "name": f"Haven {number}",
            "location": haven.place,
            "hours": hours[id(haven.hours)],
            "facilities": list(haven.facilities),
            "step_free": haven.step_free,
        }
        for number, haven in enumerate(havens)
    ]
    decisions = [
        _row(awarded)
        | {
            "id": UUID(int=haven.id.int ^ 1),
            "venue_id": haven.id,
            "effective_at": effective(haven.first),
            "recorded_at": effective(haven.first),
            "until": haven.last,
        }
        for haven in havens
    ]
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(Venue), venues)
        connection.execute(insert(Decision), decisions)


def _row(record: Venue | Decision) -> dict[str, Any]:
    table = sa_inspect(type(record)).local_table
    return {column.key: getattr(record, column.key) for column in table.columns}


# --- the brute force: hours ------------------------------------------------------------------


class WallClock:
    """What London's clocks show at each minute of a fortnight from an instant on."""

    def __init__(self, start: int) -> None:
        shown = [datetime.fromtimestamp(start + 60 * n, LONDON) for n in range(MINUTES)]
        self.first_day, self.last_day = shown[0].date(), shown[-1].date()
        self._day = np.array([moment.toordinal() for moment in shown])
        self._minute = np.array([moment.hour * 60 + moment.minute for moment in shown])
        twice = [m.replace(fold=0).utcoffset() != m.replace(fold=1).utcoffset() for m in shown]
        self._second_pass = np.array([moment.fold == 1 for moment in shown])
        self._first_pass = np.array(twice) & ~self._second_pass

    def between(self, first: date, last: date) -> Bools:
        """Whether the date shown is one of these days."""
        return (self._day >= first.toordinal()) & (self._day <= last.toordinal())

    def surely(self, day: date, minutes: int) -> Bools:
        """Whether a clock time, in minutes since a day began, is over in every reading."""
        shown = (self._day - day.toordinal()) * 1440 + self._minute
        wall = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minutes)
        back = wall.replace(tzinfo=LONDON).astimezone(UTC).astimezone(LONDON)
        if back.replace(tzinfo=None) != wall:
            minutes += 60  # a time that is left out is read on the clock as it was
        # Within the hour that comes twice, the second time may be meant.
        in_doubt = self._first_pass & (minutes >= shown // 60 * 60)
        over: Bools = (shown >= minutes) & ~in_doubt
        return over

    def perhaps(self, day: date, minutes: int) -> Bools:
        """Whether a clock time, in minutes since a day began, is over in some reading."""
        shown = (self._day - day.toordinal()) * 1440 + self._minute
        # In the second pass all of that hour, its end too, has been shown before.
        in_doubt = self._second_pass & (minutes <= shown // 60 * 60 + 60)
        over: Bools = (shown >= minutes) | in_doubt
        return over


def minutes_of(written: str) -> int:
    return int(written[:2]) * 60 + int(written[3:])


def included(dates: Document, day: date) -> bool:
    first, last = dates["first"], dates["last"]
    shown = day.isoformat() if len(first) == 10 else day.isoformat()[5:]
    return first <= shown <= last if first <= last else not last < shown < first


def spans_on(hours: Document, day: date) -> list[Document]:
    """Dated exception > bank holiday > season > weekly; the last one written goes first."""
    weekday = WEEKDAYS[day.weekday()]
    rule = hours.get("bank_holidays", "as_usual")
    found = [e["times"] for e in hours.get("exceptions", []) if included(e, day)]
    if not found and rule != "as_usual" and day in BANK_HOLIDAYS:
        found = [[] if rule == "closed" else rule]
    if not found:
        found = [
            season["times"]
            for season in hours.get("seasons", [])
            if weekday in season["days"] and included(season, day)
        ]
    if not found:
        found = [[period for period in hours["weekly"] if weekday in period["days"]]]
    spans: list[Document] = found[-1]
    return spans


def open_minutes(hours: Document, shown: WallClock) -> Bools:
    """At each minute whether the hours have it open, whatever the accreditation says."""
    opened = np.zeros(MINUTES, dtype=bool)
    day = shown.first_day - timedelta(days=1)
    while day <= shown.last_day:
        for span in spans_on(hours, day):
            opens, closes = minutes_of(span["opens"]), minutes_of(span["closes"])
            closes += 0 if closes > opens else 1440
            opened |= shown.surely(day, opens) & ~shown.perhaps(day, closes)
        day += timedelta(days=1)
    for closure in hours.get("closures", []):
        ends = [
            (date.fromisoformat(end[:10]), minutes_of(end[11:]))
            for end in (closure["from"], closure["until"])
        ]
        opened &= ~(shown.perhaps(*ends[0]) & ~shown.surely(*ends[1]))
    return opened


# --- the brute force: answers ----------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """One entry of an answer, as the oracle sees it."""

    id: UUID
    distance_m: float
    walking_minutes: int
    opens_at: int | None = None


class Oracle:
    """Answers for one snapshot's fortnight, with no index and nothing left out early."""

    def __init__(self, havens: Iterable[Haven], start: int) -> None:
        self.start = start
        self.walking_factor: float = WALKING_FACTOR
        self.havens = sorted(havens, key=lambda haven: haven.id.int)
        shown = WallClock(start)
        kinds: dict[tuple[int, date, date], int] = {}
        self._kind = np.array(
            [kinds.setdefault((id(h.hours), h.first, h.last), len(kinds)) for h in self.havens]
        )
        documents = {id(h.hours): h.hours for h in self.havens}
        opened = {
            key: np.zeros(MINUTES, dtype=bool) if hours is None else open_minutes(hours, shown)
            for key, hours in documents.items()
        }
        listed = np.array([shown.between(first, last) for _, first, last in kinds])
        available = np.array([opened[key] for key, _, _ in kinds]) & listed
        now = np.arange(MINUTES, dtype=np.int32)
        begins = available & ~np.roll(available, 1, axis=1)
        begins[:, 0] = available[:, 0]
        backwards = (slice(None), slice(None, None, -1))
        # One row for each minute; the last row stands for all that nobody knows yet.
        self.listed = _with_end(listed, value=False)
        self.available = _with_end(available, value=False)
        self.shuts = _with_end(
            np.minimum.accumulate(np.where(available, MINUTES, now)[backwards], axis=1)[backwards],
            MINUTES,
        )
        self.opened = _with_end(np.maximum.accumulate(np.where(begins, now, -1), axis=1), -1)
        self.opens = _with_end(
            np.minimum.accumulate(np.where(begins, now, NEVER)[backwards], axis=1)[backwards], NEVER
        )
        self.turns = np.unique(np.nonzero(begins | np.roll(begins, -1, axis=1))[1])
        # Every place is measured once, so that havens at one place tie exactly.
        places = {haven.place: 0 for haven in self.havens}
        places = {place: number for number, place in enumerate(places)}
        self._place = np.array([places[haven.place] for haven in self.havens])
        self._lat = np.radians([place.lat for place in places])
        self._lon = np.radians([place.lon for place in places])
        self._provides = np.array(
            [
                sum(PROVIDES[facility] for facility in haven.facilities)
                + (STEP_FREE if haven.step_free == "yes" else 0)
                for haven in self.havens
            ]
        )

    def distances(self, origins: Sequence[Point]) -> Floats:
        """Vincenty's formula on the sphere: metres from each origin to each haven."""
        lat = np.radians([[origin.lat] for origin in origins])
        turn = self._lon - np.radians([[origin.lon] for origin in origins])
        across = np.cos(self._lat) * np.sin(turn)
        ahead = np.cos(lat) * np.sin(self._lat) - np.sin(lat) * np.cos(self._lat) * np.cos(turn)
        down = np.sin(lat) * np.sin(self._lat) + np.cos(lat) * np.cos(self._lat) * np.cos(turn)
        metres: Floats = RADIUS_M * np.arctan2(np.sqrt(across**2 + ahead**2), down)
        return metres[:, self._place]

    def on_foot(self, questions: Sequence[Question], metres: Floats) -> tuple[Floats, Ints]:
        """How long the way from each question to each haven is, in metres and in minutes."""
        return metres * self.walking_factor, np.ceil(metres * self.walking_factor / 80).astype(int)

    def answers(self, questions: Sequence[Question]) -> Iterator[list[list[Expected]]]:
        """`havens`, `closing` and `opens_next` for each question."""
        metres = self.distances([question.origin for question in questions])
        ways, walk = self.on_foot(questions, metres)
        now = np.array([[question.at - self.start] for question in questions])
        needs = np.array([[question.needs] for question in questions])
        most = np.array([[question.max_distance_m] for question in questions])
        arrival = now + 60 * walk

        at_once, kind = now // 60, self._kind
        there = np.minimum(arrival // 60, MINUTES)
        is_open = self.available[at_once, kind]
        until = 60 * self.shuts[at_once, kind]
        fits = (self._provides & needs) == needs

        # open at `at` and until `walking_minutes` + 5 later
        in_time = is_open & (until >= arrival + 5 * 60)
        # open and reachable before `until`, but not with that margin
        only_just = is_open & (until > arrival) & ~in_time
        # in neither: the first opening after `at` during which one can arrive before it ends; that
        # is the one under way on arrival (it has begun by then, or it would be one of the others),
        # else the first to begin after that
        opening = np.where(
            self.available[there, kind], self.opened[there, kind], self.opens[there, kind]
        )
        waited_for = self.listed[at_once, kind] & ~in_time & ~only_just & (opening < NEVER) & fits
        opening = 60 * opening.astype(np.int64)
        within = fits & (metres <= most)

        for n, question in enumerate(questions):
            havens = self._ordered((in_time & within)[n], (ways[n],), question.limit)
            # none beyond both 2 km and the last of as many havens as were asked for
            longest = ways[n, havens[-1]] if len(havens) == question.limit else math.inf
            is_useful = (metres[n] <= 2000) | (ways[n] <= longest)
            closing = (only_just & within)[n] & is_useful
            order = [havens, self._ordered(closing, (ways[n],), question.limit)]
            order.append(np.empty(0, dtype=np.int64))
            if np.count_nonzero(metres[n][order[0]] <= 2000) < question.limit:
                later = np.maximum(opening[n], arrival[n])
                order[2] = self._ordered(waited_for[n], (ways[n], later), question.limit)
            yield [
                [
                    Expected(
                        self.havens[i].id,
                        metres[n, i],
                        int(walk[n, i]),
                        int(opening[n, i]) + self.start if opens_next else None,
                    )
                    for i in chosen.tolist()
                ]
                for opens_next, chosen in zip((False, False, True), order, strict=True)
            ]

    def is_ever_listed(self, number: int) -> bool:
        return bool(self.listed[:, self._kind[number]].any())

    def is_listed(self, number: int, at: int) -> bool:
        return bool(self.listed[(at - self.start) // 60, self._kind[number]])

    def state(self, number: int, at: int) -> tuple[bool | None, int | None, int | None]:
        """Whether it is open, until when, and when it opens, of one haven at one instant."""
        if self.havens[number].hours is None:
            return None, None, None
        cell = (at - self.start) // 60, self._kind[number]
        if self.available[cell]:
            until = int(self.shuts[cell])
            return True, self.start + 60 * until if until < MINUTES else None, None
        opens = int(self.opens[cell])
        return False, None, self.start + 60 * opens if opens < NEVER else None

    def open_until(self, at: int, needs: int) -> dict[UUID, int]:
        """Until when each of the havens is open that are so, and have what is needed."""
        now = (at - self.start) // 60
        chosen = self.available[now, self._kind] & ((self._provides & needs) == needs)
        return {
            self.havens[i].id: self.start + 60 * int(self.shuts[now, self._kind[i]])
            for i in np.flatnonzero(chosen)
        }

    def _ordered(self, chosen: Bools, keys: Sequence[Floats | Ints], limit: int) -> Ints:
        """The chosen havens by the last key first, ties by id, which is the order they are in."""
        some = np.flatnonzero(chosen)
        return some[np.lexsort([key[some] for key in keys])[:limit]]


def _with_end(table: NDArray[Any], value: int | bool) -> NDArray[Any]:
    """A row for each minute in place of a column, and one more of the same value."""
    return np.vstack([table.T, np.full((1, len(table)), value, dtype=table.dtype)])


# --- questions -------------------------------------------------------------------------------


def some_origin(random: Random, havens: Sequence[Haven]) -> Point:
    kind = random.random()
    if kind < 0.45:
        return near(random, CITIES[0], 0.008)
    if kind < 0.6:
        return near(random, CITIES[0], 0.1)
    if kind < 0.75:
        return random.choice(havens).place
    if kind < 0.85:
        return near(random, random.choice(CITIES), 0.03)
    if kind < 0.95:
        return Point(*random.choice(FAR))
    if kind < 0.98:
        return near(random, random.choice(CITIES), 3.0)
    return Point(math.degrees(math.asin(random.uniform(-1, 1))), random.uniform(-180, 180))


def some_instants(random: Random, oracle: Oracle, number: int) -> Iterator[int]:
    """Any second of the fortnight, but mostly near where some haven opens or shuts."""
    turns = oracle.turns.tolist()
    for _ in range(number):
        second = random.randrange(60 * MINUTES)
        if random.random() < 0.6:
            second = 60 * random.choice(turns) + random.choice(
                [0, -1, 1, random.randint(-600, 600), random.randint(-3600, 60)]
            )
        yield oracle.start + max(0, min(60 * MINUTES - 1, second))


def some_questions(random: Random, oracle: Oracle, number: int) -> list[Question]:
    """Ten questions for each instant, as they come when many people ask at once."""
    return [
        Question(
            origin=some_origin(random, oracle.havens),
            at=at,
            limit=random.choice([1, 2, 3, 5, 5, 5, 5, 10, 20, 50]),
            needs=random.choice([0, 0, 0, STEP_FREE, random.getrandbits(10) & 0b1001000101]),
            max_distance_m=random.choice([math.inf] * 5 + [0.0, 150.0, 800.0, 2000.0, 50_000.0]),
        )
        for at in some_instants(random, oracle, number // 10)
        for _ in range(10)
    ]


def told(search: Search, found: Iterable[Match]) -> list[tuple[UUID, int, int | None]]:
    return [(search.snapshot.uuid(f.row), f.walking_minutes, f.opens_at or None) for f in found]


def compare(search: Search, oracle: Oracle, questions: Sequence[Question]) -> list[int]:
    """Hold every answer against the oracle's; how many entries there were of each kind."""
    entries = [0, 0, 0]
    for begin in range(0, len(questions), 200):
        some = questions[begin : begin + 200]
        for question, expected in zip(some, oracle.answers(some), strict=True):
            answer = search.answer(question)
            parts = (answer.havens, answer.closing, answer.opens_next)
            for n, (found, wanted) in enumerate(zip(parts, expected, strict=True)):
                assert told(search, found) == [
                    (w.id, w.walking_minutes, w.opens_at) for w in wanted
                ], (question, n)
                for f, w in zip(found, wanted, strict=True):
                    assert abs(f.distance_m - w.distance_m) < 1e-6, (question, n)
                entries[n] += len(wanted)
    return entries


def searched(engine: Engine, now: int) -> Search:
    with read_session(engine) as session:
        return Search(build(session, now))


# --- the tests -------------------------------------------------------------------------------


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Engine]:
    with connected(sqlite_url) as engine:
        yield engine


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Engine]:
    with connected(postgresql_url) as engine:
        yield engine


@cache
def some_hundreds() -> list[Haven]:
    return some_havens(Random(240), 240, documents=120)


class Fortnight(NamedTuple):
    """A search and an oracle of the same days."""

    moment: str
    search: Search
    oracle: Oracle
    why: str


@pytest.fixture(scope="module", params=MOMENTS, ids=lambda moment: moment[0])
def fortnight(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Fortnight:
    """The fortnight from a moment on, made once for the tests of it: it takes longer than they."""
    moment, why = request.param
    path = copyfile(sqlite_template, tmp_path_factory.mktemp("fortnight") / "havens.sqlite")
    with connected(f"sqlite:///{path}") as engine:
        store(engine, some_hundreds())
        search = searched(engine, utc(moment))
    return Fortnight(moment, search, Oracle(some_hundreds(), search.snapshot.start), why)


def test_equals_brute_force(fortnight: Fortnight, scale: Scale) -> None:
    moment, search, oracle, why = fortnight
    questions = some_questions(Random(moment), oracle, scale(20_000))
    entries = compare(search, oracle, questions)
    # Each part of the answer must have been there often enough for this to prove anything.
    assert min(entries) > scale(1_000), why


def test_one_compiled_search_serves_any_walking_factor(sqlite: Engine, scale: Scale) -> None:
    store(sqlite, some_hundreds())
    snapshot = searched(sqlite, utc("2027-07-13T00:05")).snapshot
    oracle = Oracle(some_hundreds(), snapshot.start)
    for walking_factor in (1.0, 1.3, 2, 5.0):
        oracle.walking_factor = walking_factor
        questions = some_questions(Random(int(10 * walking_factor)), oracle, scale(2_000))
        assert min(compare(Search(snapshot, walking_factor), oracle, questions)) > scale(100)


def test_nobody_who_asks_waits_for_the_compiler(sqlite: Engine) -> None:
    store(sqlite, some_hundreds()[:3])
    searched(sqlite, utc("2027-07-13T12:00"))
    # A search that is made asks the first question of a process: compiled for what people ask.
    compiled: Any = nearest.answer
    first = compiled.signatures[0]
    question = "float64, float64, int64, int64, int64, float64"
    assert str(first[1:]) == f"({question}, float64, float64, int64, int64, int64)"


def as_the_oracle_does(state: State) -> tuple[bool, int | None, int | None]:
    until = state.until if state.until > 0 else None
    return state.until != 0, until, state.opens_at or None


def test_one_haven_s_state_equals_brute_force(fortnight: Fortnight, scale: Scale) -> None:
    moment, search, oracle, why = fortnight
    random = Random(moment)
    for at in some_instants(random, oracle, scale(4_000)):
        number = random.randrange(len(oracle.havens))
        haven = oracle.havens[number]
        row = search.row(haven.id)
        if row is None:
            assert not oracle.is_ever_listed(number), (haven.id, why)
            continue
        assert search.is_listed(row, at) == oracle.is_listed(number, at), (haven.id, at, why)
        state = search.state(row, at)
        told = (None, None, None) if state is None else as_the_oracle_does(state)
        assert told == oracle.state(number, at), (haven.id, at, why)


def test_equals_brute_force_when_the_tree_is_tall(sqlite: Engine, scale: Scale) -> None:
    havens = some_havens(Random(6000), 6000, documents=30, windows=8)
    store(sqlite, havens)
    search = searched(sqlite, utc("2027-10-30T12:00"))
    assert len(search.snapshot) > 64 * 64, "so that there are blocks of blocks of blocks"
    oracle = Oracle(havens, search.snapshot.start)
    entries = compare(search, oracle, some_questions(Random(7), oracle, scale(2_000)))
    assert min(entries) > scale(200)


ORDER_BY_POSTGIS = text(
    """
    SELECT id, ST_Distance(location, here, false)
    FROM venue, CAST(:here AS geography) AS here
    WHERE id = ANY(:open)
    ORDER BY location <-> here, id
    """
)


def test_orders_as_postgis_does(postgresql: Engine, scale: Scale) -> None:
    store(postgresql, some_hundreds())
    search = searched(postgresql, utc("2027-03-27T18:00"))
    oracle = Oracle(some_hundreds(), search.snapshot.start)
    compared = 0
    with postgresql.connect() as connection:
        for question in some_questions(Random(1986), oracle, scale(2_000)):
            open_until = oracle.open_until(question.at, question.needs)
            here = f"POINT({question.origin.lon!r} {question.origin.lat!r})"
            rows = connection.execute(ORDER_BY_POSTGIS, {"here": here, "open": list(open_until)})
            expected = [
                (haven, metres)
                for haven, metres in rows
                if metres <= question.max_distance_m
                and open_until[haven]
                >= question.at + 60 * (math.ceil(metres * WALKING_FACTOR / 80) + 5)
            ][: question.limit]
            found = search.answer(question).havens
            assert [search.snapshot.uuid(f.row) for f in found] == [id_ for id_, _ in expected]
            for f, (_, metres) in zip(found, expected, strict=True):
                # PostGIS has the radius of the sphere to more places.
                assert f.distance_m == pytest.approx(metres, rel=1e-9, abs=1e-6)
            compared += len(found)
    assert compared > scale(2_000)


def test_it_is_the_same_search_without_the_compiler(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(sqlite, some_hundreds())
    search = searched(sqlite, utc("2027-07-13T00:05"))
    oracle = Oracle(some_hundreds(), search.snapshot.start)
    plain = uncompiled(monkeypatch)
    search = Search(search.snapshot)
    assert search._nearest is plain.answer
    entries = compare(search, oracle, some_questions(Random(5), oracle, 200))
    assert min(entries) > 10


def test_havens_at_one_place_are_told_by_id(sqlite: Engine) -> None:
    ids = [UUID(int=n << 64 | m) for n in (5, 2**63, 0) for m in (2**63 + 1, 3)]
    for id_ in ids:
        make_venue(sqlite, id=id_)
    search = searched(sqlite, utc("2027-07-13T12:00"))
    here = Point(float(search.snapshot.lat[0]), float(search.snapshot.lon[0]))
    found = search.answer(Question(here, utc("2027-07-13T12:00"), limit=4)).havens
    assert [search.snapshot.uuid(f.row) for f in found] == sorted(ids)[:4]
    assert [(f.distance_m, f.walking_minutes) for f in found] == [(0.0, 0)] * 4


def test_an_empty_directory_has_no_answer_but_works(sqlite: Engine) -> None:
    search = searched(sqlite, utc("2027-07-13T12:00"))
    question = Question(Point(51.5, -0.1), utc("2027-07-13T12:00"))
    assert search.answer(question) == Answer([], [], [])
    assert search.row(UUID(int=0)) is None


def test_a_haven_is_found_by_its_id_and_no_other_is(sqlite: Engine) -> None:
    store(sqlite, some_hundreds())
    search = searched(sqlite, utc("2027-07-13T12:00"))
    there = [search.snapshot.uuid(row) for row in range(len(search.snapshot))]
    assert [search.row(haven) for haven in there] == list(range(len(there)))
    beside = {UUID(int=(haven.int + step) % 2**128) for haven in there for step in (-1, 1, 2**64)}
    assert {search.row(haven) for haven in beside - set(there)} == {None}
