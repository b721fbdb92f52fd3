"""What people call wards, venues and businesses, as they are called today."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.columns import read_columns
from app.venues.models import Business, Venue, Ward

NO_WARD = "outside the wards"
FORMER_WARD = "a former ward"
"""For a ward that newer boundaries have done away with."""


class VenueName(NamedTuple):
    reference: str
    name: str


class WardName(NamedTuple):
    code: str
    name: str


class WardNames(dict[UUID | None, WardName]):
    """By a ward's id: None is for what lies in no ward; one that is not here is a former ward."""

    def __missing__(self, ward_id: UUID | None) -> WardName:
        return WardName("", FORMER_WARD)


def ward_names(session: Session) -> WardNames:
    """The code and name of every ward; of none, for what lies in none."""
    rows = session.exec(select(Ward.id, Ward.code, Ward.name))
    wards = {ward_id: WardName(*names) for ward_id, *names in rows}
    return WardNames({None: WardName("", NO_WARD)} | wards)


def venue_names(session: Session, venues: Collection[UUID] | None = None) -> dict[str, VenueName]:
    """The reference and name of these venues, or of all, by the `hex` of their ids."""
    statement = sa.select(col(Venue.id), col(Venue.reference), col(Venue.name))
    if venues is not None:
        statement = statement.where(col(Venue.id).in_(venues))
    ids, *names = read_columns(session, statement)
    return dict(zip(ids, map(VenueName, *names), strict=True))


def business_names(session: Session) -> dict[UUID | None, str | None]:
    """The name of every business; of none, for a venue that nobody is known to run."""
    rows = session.execute(sa.select(col(Business.id), col(Business.name))).all()
    return {None: None, **dict(rows)}


def words(key: str) -> str:
    """A key as people read it."""
    return key.replace("_", " ").capitalize()
