"""Made-up venues for benchmarks, as many as wanted, the same ones every time."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import cycle, islice
from typing import NamedTuple
from uuid import UUID

import numpy as np
import shapely
import sqlalchemy as sa

from app.core.db import make_engine, migrate
from app.core.london import effective
from app.core.places import Point
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues import osm_hours
from app.venues.hours import Hours
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import Venue, VenueStatus

LAT, LON = (51.506, 51.523), (-0.114, -0.072)
HOURS = [
    osm_hours.parse(text)
    for text in (
        "24/7",
        "Mo-Fr 08:00-18:30; PH off",
        "Mo-Th 12:00-23:30; Fr-Sa 12:00-00:30; Su 12:00-22:30",
        "Mo-We 11:00-23:00; Th-Sa 11:00-02:00; Su 12:00-22:30",
        "We-Th 17:00-01:00; Fr-Sa 17:00-03:00; Su 12:00-22:00",
        "Mo-Fr 07:30-10:00,12:00-15:00",
        "Mo-Su 10:00-22:00; PH off",
        "Fr,Sa 22:00-04:00",
    )
]
SHUT_AT_NIGHT = [HOURS[0], *islice(cycle(HOURS[1:]), 999)]
"""Between 04:00 and 07:30 one in a thousand is open."""
RARE, ONE_IN = Facility.QUIET_SPACE, 100_000
"""A facility that few have: the last one of every so many."""

_COMMON = [facility for facility in Facility if facility != RARE]


class MadeUp(NamedTuple):
    """One made-up venue; the rest of it is the same for all. `hours` is a number."""

    id: str
    number: int
    category: Category
    lat: float
    lon: float
    hours: int
    facilities: list[Facility]
    step_free: StepFree

    @property
    def name(self) -> str:
        return f"Benchmark Arms {self.number}"

    @property
    def address(self) -> str:
        return f"{self.number} Benchmark Row"


def made_up(count: int, kinds: int) -> Iterator[MadeUp]:
    """So many venues with so many kinds of hours, 60 to the City's area.

    More than that spread over a wider square, so that the nearest are about as near.
    """
    chance = np.random.default_rng(1)
    spread = max(1.0, (count / 60) ** 0.5)
    lat, lon = (
        np.round((low + high) / 2 + (chance.random(count) - 0.5) * (high - low) * spread, 6)
        for low, high in (LAT, LON)
    )
    ids = chance.bytes(16 * count).hex()
    drawn = {
        "category": chance.integers(len(Category), size=count),
        "hours": chance.integers(kinds, size=count),
        "facilities": chance.integers(1, 2 ** len(_COMMON), size=count),
        "step_free": chance.integers(len(StepFree), size=count),
    }
    category, step_free = list(Category), list(StepFree)
    facilities = [
        [facility for bit, facility in enumerate(_COMMON) if chosen >> bit & 1]
        for chosen in range(2 ** len(_COMMON))
    ]
    rows = zip(*(column.tolist() for column in (lat, lon, *drawn.values())), strict=True)
    for number, (y, x, kind, hours, chosen, steps) in enumerate(rows):
        yield MadeUp(
            id=ids[32 * number : 32 * number + 32],
            number=number,
            category=category[kind],
            lat=y,
            lon=x,
            hours=hours,
            facilities=[*facilities[chosen], *[RARE] * (number % ONE_IN == ONE_IN - 1)],
            step_free=step_free[steps],
        )


def fill(url: str, count: int, hours: Sequence[Hours] = HOURS) -> None:
    """Make a SQLite database with `count` accredited demonstration venues.

    The first is stored as any other record is; the others are copies of its rows that differ where
    these venues do, which takes a few seconds for each hundred thousand.
    """
    migrate(url)
    engine = make_engine(url)
    texts = [json.dumps(kind.model_dump(mode="json")) for kind in hours]
    venues = made_up(count, len(hours))
    with engine.execution_options(writes=True).begin() as connection:
        # Indexes grow everywhere at once: they have to fit.
        connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        first = next(venues)
        _store(connection, first, hours[first.hours])
        while several := list(islice(venues, 100_000)):
            _copy(connection, "venue", _own_columns(several, texts))
            _copy(connection, "decision", [{"id": v.id, "venue_id": v.id} for v in several])
    engine.dispose()


def _store(connection: sa.Connection, made: MadeUp, hours: Hours) -> None:
    venue = Venue(
        id=UUID(made.id),
        reference="BENCH-0",
        name=made.name,
        category=made.category,
        status=VenueStatus.ACTIVE,
        demonstration=True,
        address=made.address,
        postcode="EC2V 0ZZ",
        location=Point(made.lat, made.lon),
        hours=hours,
        phone="020 7946 0000",
        entrance="Front door",
        facilities=made.facilities,
        step_free=made.step_free,
        licensed=True,
    )
    at = effective(date(2025, 1, 1))
    award = Decision(
        id=venue.id,
        venue_id=venue.id,
        scheme=SchemeKey.SAFE_HAVEN,
        kind=Kind.AWARDED,
        effective_at=at,
        recorded_at=at,
        recorded_by="benchmark",
        until=date(2099, 12, 30),
    )
    # Past the session, which wants every change journalled.
    for record in (venue, award):
        table = sa.inspect(type(record)).local_table
        values = {column.key: getattr(record, column.key) for column in table.columns}
        connection.execute(table.insert(), values)


def _own_columns(venues: list[MadeUp], hours: list[str]) -> list[dict[str, object]]:
    places = shapely.to_wkb(shapely.points([(venue.lon, venue.lat) for venue in venues]))
    return [
        {
            "id": venue.id,
            "reference": f"BENCH-{venue.number}",
            "name": venue.name,
            "folded_name": venue.name.casefold(),
            "category": venue.category,
            "address": venue.address,
            "location": place,
            "hours": hours[venue.hours],
            "facilities": json.dumps(venue.facilities),
            "step_free": venue.step_free,
        }
        for venue, place in zip(venues, places, strict=True)
    ]


def _copy(connection: sa.Connection, table: str, rows: list[dict[str, object]]) -> None:
    """Store the only row of a table once more for each of `rows`, which say what is its own."""
    run, own = connection.exec_driver_sql, ", ".join(rows[0])
    columns = [str(column[1]) for column in run(f"PRAGMA table_info({table})")]
    copied = ", ".join(f"{'own' if name in rows[0] else 'first'}.{name}" for name in columns)
    run(f"CREATE TEMP TABLE own ({own})")
    run(f"INSERT INTO own VALUES (:{own.replace(', ', ', :')})", rows)  # noqa: S608
    run(
        f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608
        f"SELECT {copied} FROM own, (SELECT * FROM {table} LIMIT 1) AS first"
    )
    run("DROP TABLE own")
