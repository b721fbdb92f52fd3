"""Made-up venues for benchmarks, as many as wanted, the same ones every time."""

import random
from datetime import date
from itertools import islice
from uuid import UUID, uuid4

import sqlalchemy as sa

from app.db import make_engine, migrate
from app.events import effective
from app.geo import Point
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues import osm_hours
from app.venues.models import Category, Facility, StepFree, Venue, VenueStatus

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


def fill(url: str, count: int) -> None:
    """Make a database with `count` accredited demonstration venues, 60 to the City's area.

    More than that spread over a wider square, so that the nearest are about as near.
    """
    migrate(url)
    engine = make_engine(url)
    numbers = iter(range(count))
    with engine.execution_options(writes=True).begin() as connection:
        while several := list(islice(numbers, 10_000)):
            venues = [_venue(number, count) for number in several]
            connection.execute(sa.insert(Venue), venues)
            connection.execute(sa.insert(Decision), [_award(venue["id"]) for venue in venues])
    engine.dispose()


def _venue(number: int, count: int) -> dict[str, object]:
    chance = random.Random(number)
    spread = max(1.0, (count / 60) ** 0.5)
    lat, lon = (
        (low + high) / 2 + (chance.random() - 0.5) * (high - low) * spread
        for low, high in (LAT, LON)
    )
    return {
        "id": UUID(int=chance.getrandbits(128)),
        "reference": f"BENCH-{number}",
        "name": f"Benchmark Arms {number}",
        "category": chance.choice(list(Category)),
        "status": VenueStatus.ACTIVE,
        "demonstration": True,
        "address": f"{number} Benchmark Row",
        "postcode": "EC2V 0ZZ",
        "location": Point(round(lat, 6), round(lon, 6)),
        "hours": chance.choice(HOURS),
        "phone": "020 7946 0000",
        "entrance": "Front door",
        "facilities": chance.sample(list(Facility), chance.randint(1, 9)),
        "step_free": chance.choice(list(StepFree)),
        "licensed": True,
        "late_night": False,
        "premises_licence": "",
        "uprn": "",
        "fhrs_id": "",
    }


def _award(venue_id: object) -> dict[str, object]:
    at = effective(date(2025, 1, 1))
    return {
        "id": uuid4(),
        "venue_id": venue_id,
        "scheme": SchemeKey.SAFE_HAVEN,
        "kind": Kind.AWARDED,
        "effective_at": at,
        "recorded_at": at,
        "recorded_by": "benchmark",
        "until": date(2099, 12, 30),
    }
