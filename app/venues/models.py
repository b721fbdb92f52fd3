"""Businesses, venues and wards, as the database keeps them."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, CheckConstraint, Dialect, Index, String, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from app.core.db import one_of
from app.core.events import Event
from app.core.geo import GeoPoint
from app.core.places import Point
from app.core.text import folded
from app.venues.hours import Hours, stored_hours
from app.venues.kinds import Category, Facility, StepFree


class VenueStatus(StrEnum):
    """A prospect is known of but not engaged; only an active venue can be listed."""

    PROSPECT = "prospect"
    ACTIVE = "active"
    CLOSED = "closed"


class HoursColumn(TypeDecorator[Hours]):
    """Opening hours as a JSON document; NULL when they are unknown.

    A document that is refused by now is read as None too, but stays as it is until hours are set.
    """

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Hours | None, dialect: Dialect) -> Any:
        return None if value is None else value.model_dump(mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Hours | None:
        hours = stored_hours(value)
        return hours if isinstance(hours, Hours) else None


FOLDED_LENGTH = 200
"""How much of a name can be searched; folding makes some characters longer."""


def searched(name: str) -> str:
    """The `folded_name` of a name."""
    return folded(name)[:FOLDED_LENGTH]


class _Named(SQLModel):
    """A base for what is searched by name: `folded_name` follows it by itself."""

    name: str = Field(max_length=200)
    folded_name: str = Field(default="", max_length=FOLDED_LENGTH)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "folded_name":
            # The constructor too sets it, to the default, and after the name.
            value = searched(self.name)
        super().__setattr__(name, value)
        if name == "name":
            self.folded_name = value


class Business(_Named, table=True):
    """The organisation that runs one or more venues."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(unique=True, max_length=200)
    folded_name: str = Field(default="", max_length=FOLDED_LENGTH, index=True)
    notes: str = Field(default="", max_length=4000)
    closed_on: date | None = None
    closed_reason: str = Field(default="", max_length=500)


class Ward(SQLModel, table=True):
    """One of the City's wards; `boundary` is a GeoJSON (multi)polygon in WGS 84."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    code: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=100)
    boundary: dict[str, Any] = Field(sa_type=JSON)


class Venue(_Named, table=True):
    """One place with one door the public can use.

    `reference` is the key that imports and people use; what it is accredited in, its decisions say.
    `refresh_months` is how often its licence has staff trained anew, where it says; `conditions`
    are the licence's own words. A change to what reports count by is kept in `VenueFacts` too.
    """

    __table_args__ = (
        one_of("venue", "category", Category),
        one_of("venue", "step_free", StepFree),
        one_of("venue", "status", VenueStatus),
        Index("venue_by_name", "folded_name", "id"),
        CheckConstraint("refresh_months BETWEEN 1 AND 60", name="venue_refresh_months"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    reference: str = Field(unique=True, max_length=50)
    name: str = Field(max_length=200)
    category: Category = Field(sa_type=String(20))
    status: VenueStatus = Field(default=VenueStatus.ACTIVE, sa_type=String(20))
    demonstration: bool = False
    business_id: UUID | None = Field(default=None, foreign_key="business.id", index=True)
    address: str = Field(default="", max_length=300)
    postcode: str = Field(default="", max_length=10)
    location: Point = Field(sa_type=GeoPoint)
    ward_id: UUID | None = Field(default=None, foreign_key="ward.id", index=True)
    hours: Hours | None = Field(default=None, sa_type=HoursColumn)
    phone: str = Field(default="", max_length=40)
    entrance: str = Field(default="", max_length=300)
    facilities: list[Facility] = Field(default_factory=list, sa_type=JSON)
    step_free: StepFree = Field(default=StepFree.UNKNOWN, sa_type=String(10))
    licensed: bool = False
    late_night: bool = False
    premises_licence: str = Field(default="", max_length=50)
    uprn: str = Field(default="", max_length=12)
    fhrs_id: str = Field(default="", max_length=20, index=True)
    refresh_months: int | None = None
    conditions: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    last_checked: date | None = None
    closed_on: date | None = None
    closed_reason: str = Field(default="", max_length=500)


class VenueFacts(Event, table=True):
    """What reports count a venue by, from `effective_at` on until the next ones.

    `app.venues.facts` appends a row with every change of a venue. There is no foreign key to the
    ward, because new boundaries may do away with one that old facts name.
    """

    __tablename__ = "venue_facts"
    __table_args__ = (
        one_of("venue_facts", "category", Category),
        one_of("venue_facts", "status", VenueStatus),
        UniqueConstraint("venue_id", "effective_at", "recorded_at", name="venue_facts_version"),
    )

    venue_id: UUID = Field(foreign_key="venue.id")
    ward_id: UUID | None = None
    category: Category = Field(sa_type=String(20))
    status: VenueStatus = Field(sa_type=String(20))
    business_id: UUID | None = Field(default=None, foreign_key="business.id")
    licensed: bool
    late_night: bool
    refresh_months: int | None = None


class Contact(SQLModel, table=True):
    """Whom to ask for at a business or a venue; never public."""

    __personal__ = ("name", "role", "phone", "email")
    __table_args__ = (
        CheckConstraint("(business_id IS NULL) <> (venue_id IS NULL)", name="contact_of_one"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    business_id: UUID | None = Field(default=None, foreign_key="business.id", index=True)
    venue_id: UUID | None = Field(default=None, foreign_key="venue.id", index=True)
    name: str = Field(max_length=200)
    role: str = Field(default="", max_length=100)
    phone: str = Field(default="", max_length=40)
    email: str = Field(default="", max_length=200)
    preferred: bool = False
    ended_on: date | None = None


class DirectoryState(SQLModel, table=True):
    """One row: which database this is, and how often what the public may see has changed.

    Triggers on the tables behind the directory count `version` up, so that a change made by
    whatever means is seen.
    """

    __tablename__ = "directory_state"
    __unjournalled__ = True
    __table_args__ = (CheckConstraint("id = 1", name="directory_state_one_row"),)

    id: int = Field(default=1, primary_key=True)
    database: UUID = Field(default_factory=uuid4)
    version: int = 0
