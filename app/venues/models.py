"""Businesses, venues and wards, as the database keeps them."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, CheckConstraint, Dialect, String
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from app.geo import GeoPoint, Point
from app.venues.hours import Hours


class Category(StrEnum):
    PUB = "pub"
    BAR = "bar"
    NIGHTCLUB = "nightclub"
    RESTAURANT = "restaurant"
    CAFE = "cafe"
    HOTEL = "hotel"
    OFFICE = "office"
    LIBRARY = "library"
    CULTURE = "culture"
    SHOP = "shop"
    WORSHIP = "worship"
    TRANSPORT = "transport"
    COMMUNITY = "community"
    HELP_POINT = "help_point"


class Facility(StrEnum):
    """What a person can find there. The order is the order of bits in the read side."""

    WATER = "water"
    SEAT = "seat"
    TOILET = "toilet"
    PHONE_CHARGING = "phone_charging"
    PHONE = "phone"
    WIFI = "wifi"
    FIRST_AID = "first_aid"
    QUIET_SPACE = "quiet_space"
    CCTV = "cctv"


class StepFree(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class VenueStatus(StrEnum):
    """A prospect is known of but not engaged; only an active venue can be listed."""

    PROSPECT = "prospect"
    ACTIVE = "active"
    CLOSED = "closed"


class HoursColumn(TypeDecorator[Hours]):
    """Opening hours as a JSON document; NULL when they are unknown."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Hours | None, dialect: Dialect) -> Any:
        return None if value is None else value.model_dump(mode="json")

    def process_result_value(self, value: Any, dialect: Dialect) -> Hours | None:
        return None if value is None else Hours.model_validate(value)


class Business(SQLModel, table=True):
    """The organisation that runs one or more venues."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    name: str = Field(unique=True, max_length=200)


class Ward(SQLModel, table=True):
    """One of the City's wards; `boundary` is a GeoJSON (multi)polygon in WGS 84."""

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    code: str = Field(unique=True, max_length=20)
    name: str = Field(max_length=100)
    boundary: dict[str, Any] = Field(sa_type=JSON)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"venue_{column}")


class Venue(SQLModel, table=True):
    """One place with one door the public can use.

    `reference` is the key that imports and people use. `safe_haven_from` and `safe_haven_until`
    are whole London days, the last one included; without them the venue is not accredited.
    """

    __table_args__ = (
        _one_of("category", Category),
        _one_of("step_free", StepFree),
        _one_of("status", VenueStatus),
        CheckConstraint(
            "(safe_haven_from IS NULL AND safe_haven_until IS NULL)"
            " OR (safe_haven_from IS NOT NULL AND safe_haven_until IS NOT NULL"
            " AND safe_haven_from <= safe_haven_until)",
            name="venue_safe_haven",
        ),
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
    safe_haven_from: date | None = None
    safe_haven_until: date | None = None


class DirectoryState(SQLModel, table=True):
    """One row: which database this is, and how often what the public may see has changed.

    Triggers on the tables behind the directory count `version` up, so that a change made by
    whatever means is seen.
    """

    __tablename__ = "directory_state"
    __table_args__ = (CheckConstraint("id = 1", name="directory_state_one_row"),)

    id: int = Field(default=1, primary_key=True)
    database: UUID = Field(default_factory=uuid4)
    version: int = 0
