"""What the register's routes take and give for venues."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from app.core.london import Day
from app.core.places import Point
from app.core.text import Line, Prose
from app.http.fields import Absent, Given, Maybe, Text
from app.venues.fields import (
    A_BUSINESS_ID,
    A_VENUE_ID,
    Facilities,
    Months,
    Name,
    OpeningHours,
    Postcode,
    Reason,
    Reference,
)
from app.venues.kinds import Category, Facility, StepFree
from app.venues.models import VenueStatus


class Place(Given):
    """A place in degrees, WGS 84."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, examples=[51.5134])
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, examples=[-0.089])

    @property
    def point(self) -> Point:
        """The place by itself."""
        return Point(self.lat, self.lon)


class Condition(Given):
    """One condition of a premises licence, in its own words."""

    text: Prose = Field(
        min_length=1, max_length=1000, examples=["All staff are trained anew every six months."]
    )
    since: Maybe[Day] = Field(default=None, examples=["2024-05-01"])
    until: Maybe[Day] = Field(default=None, description="Its last day")


# --- what an officer sends -------------------------------------------------------------------


class _Details(Given):
    """What may be known of a venue. An empty text clears."""

    business_id: UUID | None = Field(
        default=None, description="Who runs it; null: nobody knows", examples=[A_BUSINESS_ID]
    )
    address: Line = Field(default="", max_length=300, examples=["12 Poultry"])
    postcode: Postcode = Field(default="", examples=["EC2R 8AJ"])
    phone: Line = Field(default="", max_length=40, examples=["020 7946 0123"])
    entrance: Line = Field(default="", max_length=300, examples=["By the clock, two steps up"])
    facilities: Facilities = Field(default=[], examples=[["water", "seat", "toilet"]])
    step_free: StepFree = StepFree.UNKNOWN
    licensed: bool = Field(default=False, description="It has a premises licence for alcohol")
    late_night: bool = Field(
        default=False, description="It may sell alcohol at some time from 00:01 to 06:00"
    )
    premises_licence: Line = Field(default="", max_length=50, examples=["LN/000012345"])
    uprn: Line = Field(default="", pattern="^[0-9]{0,12}$", examples=["100021521456"])
    fhrs_id: Line = Field(default="", max_length=20, examples=["388812"])
    refresh_months: Months | None = Field(
        default=None,
        description="How often its licence has staff trained anew; null: as the course says",
        examples=[6],
    )
    conditions: list[Condition] = Field(default=[], max_length=20)
    as_from: Maybe[Day] = Field(
        default=None,
        description="Since when what reports count by has been so: place, category, licence,"
        " business, refresh interval. Now, when absent.",
        examples=["2026-10-01"],
    )


class VenueIn(_Details):
    """A venue to be registered."""

    reference: Maybe[Reference] = Field(
        default=None, description="Made when absent", examples=["V-000123"]
    )
    name: Name = Field(examples=["The Lantern"])
    category: Category = Field(examples=["pub"])
    location: Place
    opening_hours: Maybe[OpeningHours] = Field(
        default=None, description="As OpenStreetMap writes them", examples=["Mo-Sa 11:00-23:00"]
    )
    not_a_duplicate_of: list[UUID] = Field(
        default=[], max_length=100, description="Venues with such a name near by that are others"
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class VenueEdit(_Details):
    """What is to change of a venue; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    reference: Maybe[Reference] = Field(default=None, examples=["V-000123"])
    name: Maybe[Name] = Field(default=None, examples=["The Lantern"])
    category: Maybe[Category] = Field(default=None, examples=["pub"])
    location: Maybe[Place] = None

    @field_validator("reference", "name", "category", "location", mode="before")
    @classmethod
    def _not_cleared(cls, value: object) -> object:
        if value is None:
            raise ValueError("must not be null")
        return value


class Registration(VenueEdit):
    """What is to change of a prospect as it becomes a venue; what is left out stays as it is."""

    opening_hours: Maybe[OpeningHours] = Field(default=None, examples=["Mo-Sa 11:00-23:00"])
    not_a_duplicate_of: list[UUID] = Field(default=[], max_length=100)


class DuplicatesQuestion(Place):
    """A name and a place to look for likely duplicates of."""

    name: Name = Field(examples=["The Lantern"])


class Ending(Given):
    """Why something ends, and since when."""

    reason: Reason = Field(examples=["The premises were sold"])
    on: Maybe[Day] = Field(
        default=None,
        description="The first day without it, today or in the past. Now, when absent.",
        examples=["2026-11-27"],
    )


class Reopening(Given):
    on: Maybe[Day] = Field(
        default=None, description="The first day with it again. Now, when absent."
    )


class Checked(Given):
    on: Maybe[Day] = Field(
        default=None, description="When an officer saw that all is right. Today, when absent."
    )


# --- what is shown ---------------------------------------------------------------------------


class BusinessName(BaseModel):
    """A business, by name."""

    id: UUID = Field(examples=[A_BUSINESS_ID])
    name: str = Field(examples=["Lantern Inns Ltd"])


class WardOut(BaseModel):
    code: str = Field(examples=["E05009300"])
    name: str = Field(examples=["Cheap"])


class WardsOut(BaseModel):
    wards: list[WardOut]


class _VenueFound(BaseModel):
    """What tells one venue from others in every list."""

    id: UUID = Field(examples=[A_VENUE_ID])
    reference: str = Field(examples=["V-000123"])
    name: str = Field(examples=["The Lantern"])
    category: Category = Field(examples=["pub"])
    status: VenueStatus = Field(examples=["active"])
    address: Text = Field(default=None, examples=["12 Poultry"])
    postcode: Text = Field(default=None, examples=["EC2R 8AJ"])


class VenueOut(_VenueFound):
    """A venue as the register has it."""

    demonstration: bool = Field(examples=[False])
    business: BusinessName | Absent = None
    location: Place
    ward: WardOut | Absent = None
    opening_hours: str | Absent = Field(default=None, examples=["Mo-Sa 11:00-23:00"])
    phone: Text = Field(default=None, examples=["020 7946 0123"])
    entrance: Text = Field(default=None, examples=["By the clock, two steps up"])
    facilities: list[Facility] = Field(examples=[["water", "seat", "toilet"]])
    step_free: StepFree
    licensed: bool
    late_night: bool
    premises_licence: Text = Field(default=None, examples=["LN/000012345"])
    uprn: Text = Field(default=None, examples=["100021521456"])
    fhrs_id: Text = Field(default=None, examples=["388812"])
    refresh_months: int | Absent = Field(default=None, examples=[6])
    conditions: list[Condition]
    last_checked: date | Absent = Field(
        default=None, description="An officer's last confirmation", examples=["2026-11-20"]
    )
    closed_on: date | Absent = Field(default=None, examples=["2026-11-27"])
    closed_reason: Text = Field(default=None, examples=["The premises were sold"])


class VenueSummary(_VenueFound):
    """A venue in a list."""

    ward: str | Absent = Field(default=None, examples=["Cheap"])
    business: str | Absent = Field(default=None, examples=["Lantern Inns Ltd"])
    licensed: bool
    late_night: bool
    last_checked: date | Absent = Field(default=None, examples=["2026-11-20"])


class Candidate(_VenueFound):
    """A venue that may be the one to be registered."""

    # As text, because errors are made into JSON by hand.
    id: Annotated[UUID, PlainSerializer(str)] = Field(examples=[A_VENUE_ID])
    reference: str = Field(examples=["fhrs-388812"])
    name: str = Field(examples=["Lantern"])
    status: VenueStatus = Field(examples=["prospect"])
    distance_m: int = Field(examples=[14])


class CandidatesOut(BaseModel):
    candidates: list[Candidate]


class FactsOut(BaseModel):
    """What reports count a venue by from `effective_at` on, until the next that were in force."""

    effective_at: datetime = Field(examples=["2026-10-01T00:00:00Z"])
    recorded_at: datetime = Field(examples=["2026-10-05T09:30:00Z"])
    recorded_by: str = Field(examples=["account amira"])
    category: Category = Field(examples=["pub"])
    status: VenueStatus = Field(examples=["active"])
    ward: str | Absent = Field(default=None, examples=["Cheap"])
    business: BusinessName | Absent = None
    licensed: bool
    late_night: bool
    refresh_months: int | Absent = Field(default=None, examples=[6])
