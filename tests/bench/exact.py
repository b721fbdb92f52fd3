"""Answers over HTTP held against brute force, which measures and sorts every venue.

It shares nothing with the service but the made-up venues and their weekly hours, and follows the
words of the public contract.
"""

import math
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from http.client import HTTPConnection
from typing import Any, NamedTuple
from uuid import UUID

import holidays
import numpy as np
import orjson
from numpy.typing import NDArray

from app.core.london import LONDON
from app.venues.hours import Hours
from app.venues.kinds import Facility
from tests.bench.report import say
from tests.bench.servers import Server
from tests.bench.venues import LAT, LON, RARE, made_up

QUESTIONS = 200
FORTNIGHT = timedelta(days=14)
RADIUS_M = 6_371_008.77
WALKING_FACTOR = 1.7
NEVER = 2**60

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Entry(NamedTuple):
    """One haven of an answer."""

    id: str
    distance_m: int
    walking_minutes: int
    opens_at: int | None


def check(server: Server, count: int, hours: Sequence[Hours]) -> None:
    """Leave at the first answer that is not what brute force finds."""
    now = datetime.now(LONDON)
    if now.utcoffset() != (now + FORTNIGHT).utcoffset():
        say("The clocks change within a fortnight, which is more than this check knows of.")
        return
    everything = Everything(count, hours, now)
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    entries = 0
    for question in _questions(now):
        body = orjson.dumps({k: v for k, v in question.items() if v is not None})
        connection.request("POST", "/v1/havens/nearest", body, {"Content-Type": "application/json"})
        answer = orjson.loads(connection.getresponse().read())
        for part, expected in everything.answer(**question).items():
            found = [_entry(haven, part) for haven in answer[part]]
            if found != expected:
                sys.exit(f"{question}, {part}: {found} instead of {expected}")
            entries += len(found)
    say(
        f"{QUESTIONS} random questions with every filter, {count:,} venues: all {entries:,} havens "
        "that were answered are those that brute force finds, in its order."
    )


def _entry(haven: dict[str, Any], part: str) -> Entry:
    opens_at = haven["open"].get("opens_at") if part == "opens_next" else None
    second = int(datetime.fromisoformat(opens_at).timestamp()) if opens_at else None
    return Entry(haven["id"], haven["distance_m"], haven["walking_minutes"], second)


def _questions(now: datetime) -> Iterator[dict[str, Any]]:
    chance = random.Random(1)
    for number in range(QUESTIONS):
        spread = (1, 1, 10, 60)[number % 4]
        lat, lon = (
            (low + high) / 2 + chance.uniform(-0.5, 0.5) * (high - low) * spread
            for low, high in (LAT, LON)
        )
        at = now + timedelta(seconds=chance.randrange(60, 2 * 24 * 3600))
        if chance.random() < 0.2:
            at = at.replace(hour=4, minute=30) + timedelta(days=1)
        yield {
            "lat": 54.0 if number % 20 == 0 else round(lat, 6),
            "lon": 3.0 if number % 20 == 0 else round(lon, 6),
            "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "limit": chance.choice([1, 3, 5, 5, 5, 20, 50]),
            "facilities": chance.choice([[], [], [RARE], chance.sample(list(Facility), 3)]),
            "step_free": chance.random() < 0.3,
            "max_distance_m": chance.choice([None, None, None, 100, 800, 5_000, 300_000]),
        }


class Everything:
    """All venues as columns, and when those with each kind of hours are open."""

    def __init__(self, count: int, hours: Sequence[Hours], now: datetime) -> None:
        venues = list(made_up(count, len(hours)))
        distinct = list({id(kind): kind for kind in hours}.values())
        number = {id(kind): n for n, kind in enumerate(distinct)}
        self._open = [_opened(kind, now) for kind in distinct]
        self._kind = np.array([number[id(hours[venue.hours])] for venue in venues])
        self._ids = [str(UUID(venue.id)) for venue in venues]
        self._rank = np.argsort(np.argsort([venue.id for venue in venues]))
        self._lat = np.radians([venue.lat for venue in venues])
        self._lon = np.radians([venue.lon for venue in venues])
        self._has = {
            facility: np.array([facility in venue.facilities for venue in venues])
            for facility in Facility
        }
        self._step_free = np.array([venue.step_free == "yes" for venue in venues])

    def answer(
        self,
        lat: float,
        lon: float,
        at: str,
        limit: int,
        facilities: list[Facility],
        step_free: bool,
        max_distance_m: float | None,
    ) -> dict[str, list[Entry]]:
        """What the three lists of an answer must hold."""
        asked = int(datetime.fromisoformat(at).timestamp())
        metres = self._metres(math.radians(lat), math.radians(lon))
        walk = np.ceil(metres * WALKING_FACTOR / 80).astype(np.int64)
        arrival = asked + 60 * walk
        fits = np.logical_and.reduce(
            [*(self._has[facility] for facility in facilities), self._step_free | (not step_free)]
        )
        until, opens = self._until(asked), self._opens(asked, arrival)
        in_time = until >= arrival + 5 * 60
        only_just = (until > arrival) & ~in_time
        near = fits & (metres <= (max_distance_m or math.inf))
        waited_for = fits & ~in_time & ~only_just & (opens < NEVER)

        def first(chosen: Bools, *keys: Ints | Floats) -> list[Entry]:
            rows = np.flatnonzero(chosen)
            if len(rows) > limit:
                rows = rows[keys[0][rows] <= np.partition(keys[0][rows], limit - 1)[limit - 1]]
            by = [key[rows] for key in (self._rank, *reversed(keys))]
            return [
                Entry(
                    self._ids[row],
                    round(metres[row]),
                    int(walk[row]),
                    int(opens[row]) if chosen is waited_for else None,
                )
                for row in rows[np.lexsort(by)[:limit]].tolist()
            ]

        havens = first(in_time & near, metres)
        last = np.sort(metres[in_time & near])[limit - 1 : limit]
        only_just &= near & (metres <= (max(2000, last[0]) if len(last) else math.inf))
        few = np.count_nonzero(in_time & near & (metres <= 2000)) < limit
        return {
            "havens": havens,
            "closing": first(only_just, metres),
            "opens_next": first(waited_for, np.maximum(opens, arrival), metres) if few else [],
        }

    def _metres(self, lat: float, lon: float) -> Floats:
        half = np.sin((self._lat - lat) / 2) ** 2
        half += np.cos(self._lat) * math.cos(lat) * np.sin((self._lon - lon) / 2) ** 2
        metres: Floats = 2 * RADIUS_M * np.arcsin(np.sqrt(half))
        return metres

    def _until(self, at: int) -> Ints:
        """Until when each is open at an instant, 0 if it is not."""
        ends = [
            max((int(end) for start, end in opened if start <= at < end), default=0)
            for opened in self._open
        ]
        until: Ints = np.array(ends)[self._kind]
        return until

    def _opens(self, at: int, arrival: Ints) -> Ints:
        """When each opens after an instant, for one who arrives before it shuts again."""
        opens = np.full(len(arrival), NEVER)
        for kind, opened in enumerate(self._open):
            later = opened[opened[:, 0] > at]
            rows = np.flatnonzero(self._kind == kind)
            place = np.searchsorted(later[:, 1], arrival[rows], side="right")
            opens[rows] = np.append(later[:, 0], NEVER)[place]
        return opens


def _opened(hours: Hours, now: datetime) -> Ints:
    """When weekly hours are open from yesterday to the end of a fortnight: starts and ends."""
    written = hours.model_dump(mode="json")
    closed = written["bank_holidays"] == "closed"
    england = holidays.country_holidays("GB", subdiv="ENG")
    spans: list[tuple[int, int]] = []
    for days in range(-1, FORTNIGHT.days):
        day = now.date() + timedelta(days=days)
        if closed and day in england:
            continue
        for period in written["weekly"]:
            if ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")[day.weekday()] in period["days"]:
                opens, closes = _minutes(period["opens"]), _minutes(period["closes"])
                closes += 24 * 60 * (closes <= opens)
                spans.append((_second(day, opens), _second(day, closes)))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return np.array(merged)


def _minutes(written: str) -> int:
    return int(written[:2]) * 60 + int(written[3:])


def _second(day: date, minutes: int) -> int:
    midnight = datetime.combine(day, time.min, LONDON)
    return int((midnight + timedelta(minutes=minutes)).timestamp())
