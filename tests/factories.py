"""Wards and venues to test with: a call states only what its test is about."""

import atexit
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert, inspect
from sqlmodel import Session, SQLModel

from app.core.journal import Journal
from app.core.london import effective
from app.core.places import Point
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.venues import osm_hours
from app.venues.hours import Hours
from app.venues.kinds import Category
from app.venues.models import Venue, Ward

LONDON = ZoneInfo("Europe/London")
BANK = Point(51.5134, -0.0890)
"""A place in the middle of the City."""

# As text they must come in the order of numbers, whatever was made before.
_numbers = count(10_000)
_HEADS = Path(mkdtemp(prefix="havens-journals-"))
atexit.register(rmtree, _HEADS)
KEY = b"a key that only tests know, ever"
_Record = TypeVar("_Record", bound=SQLModel)


def journal_of(engine: Engine) -> Journal:
    """The journal of a test's database."""
    name = sha256(str(engine.url).encode()).hexdigest()
    return Journal(engine, KEY, _HEADS / f"{name}.head")


def make_venue(
    where: Session | Engine,
    *,
    hours: Hours | str | None = "Mo-Su 10:00-22:00",
    lat: float = BANK.lat,
    lon: float = BANK.lon,
    safe_haven_from: date | None = date(2020, 1, 1),
    safe_haven_until: date | None = date(2060, 12, 31),
    **details: Any,
) -> Venue:
    """An active pub accredited for decades, stored; `hours` may be OpenStreetMap text.

    Without `safe_haven_from` it is not accredited. A session is left to its owner to commit.
    """
    number = next(_numbers)
    usual: dict[str, Any] = {
        "reference": f"V{number}",
        "name": f"Venue {number}",
        "category": Category.PUB,
        "location": Point(lat, lon),
        "hours": osm_hours.parse(hours) if isinstance(hours, str) else hours,
    }
    venue = _stored(where, Venue(**usual | details))
    if safe_haven_from:
        award(where, venue.id, safe_haven_from, safe_haven_until)
    return venue


def award(
    where: Session | Engine,
    venue_id: UUID,
    first: date,
    until: date | None,
    scheme: SchemeKey = SchemeKey.SAFE_HAVEN,
) -> Decision:
    """An award, stored."""
    decision = Decision(
        venue_id=venue_id,
        scheme=scheme,
        kind=Kind.AWARDED,
        effective_at=effective(first),
        until=until,
        recorded_at=effective(first),
        recorded_by="test",
    )
    return _stored(where, decision)


def make_ward(where: Session | Engine, **details: Any) -> Ward:
    """A ward with a square around the middle of the City for its boundary, stored."""
    number = next(_numbers)
    corners = [[-0.1, 51.5], [-0.08, 51.5], [-0.08, 51.52], [-0.1, 51.52], [-0.1, 51.5]]
    usual: dict[str, Any] = {
        "code": f"W{number}",
        "name": f"Ward {number}",
        "boundary": {"type": "Polygon", "coordinates": [corners]},
    }
    return _stored(where, Ward(**usual | details))


def _stored(where: Session | Engine, record: _Record) -> _Record:
    """Written as it is, past the session: nobody has done anything that could be recorded."""
    table = inspect(type(record)).local_table
    values = {column.key: getattr(record, column.key) for column in table.columns}
    if isinstance(where, Session):
        where.connection().execute(insert(table), values)
    else:
        with where.execution_options(writes=True).begin() as connection:
            connection.execute(insert(table), values)
    return record


def utc(written: str) -> int:
    """Seconds since 1970 of `2027-03-28T01:00` in UTC."""
    return int(datetime.fromisoformat(written).replace(tzinfo=UTC).timestamp())


def london(written: str) -> int:
    """Seconds since 1970 of `2027-07-01T00:00` in London; of two such instants the first."""
    return int(datetime.fromisoformat(written).replace(tzinfo=LONDON).timestamp())
