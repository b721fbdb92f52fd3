"""What the training routes take and give."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.core.events import RecordedOut
from app.core.london import Day, KnownAt
from app.core.text import Line, Prose
from app.http.fields import Absent, Given, Maybe, Period, Text
from app.http.paging import Paging
from app.training.courses import CourseKey, StaffRole
from app.training.rag import Rag
from app.training.rules import Status

MOST_PEOPLE = 10_000
"""More people than one venue has; so many more are a slip of the finger."""


People = Annotated[int, Field(ge=0, le=MOST_PEOPLE)]


# --- what is recorded ------------------------------------------------------------------------


class AttendanceIn(Given):
    """How many people of one role, from one venue, took part. Never their names."""

    venue_id: UUID
    role: StaffRole = Field(examples=["bar_staff"])
    new: People = Field(default=0, description="Trained for the first time", examples=[12])
    refresher: People = Field(default=0, description="Trained before", examples=[0])

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.new + self.refresher:
            raise ValueError("must count somebody, new or refresher")
        return self


class SessionIn(Given):
    """One delivery of a course, with all who attended it."""

    course: CourseKey = Field(examples=["wave"])
    on: Day = Field(description="The London day", examples=["2025-03-14"])
    place: Line = Field(default="", max_length=200, examples=["Bishopsgate Police Station"])
    provider: Line = Field(
        default="",
        max_length=200,
        description="The organisation that trained, not a person",
        examples=["Safer Business Network"],
    )
    note: Prose = Field(
        default="",
        max_length=4000,
        description="Anything but who attended",
        examples=["Before the Christmas party season"],
    )
    attendances: list[AttendanceIn] = Field(min_length=1, max_length=200)


class HeadcountIn(Given):
    """How many relevant staff a venue has, and how many trained ones have left."""

    on: Day = Field(description="The London day", examples=["2025-03-01"])
    staff: People = Field(description="Staff who should be trained", examples=[20])
    left: People = Field(
        description="Trained staff who left since the last declaration", examples=[3]
    )


# --- what was recorded -----------------------------------------------------------------------


class _Recorded(RecordedOut):
    on: date = Field(description="The London day", examples=["2025-03-14"])


class Trained(BaseModel):
    """How many people were trained; who came twice counts twice."""

    new: int = Field(description="For the first time", examples=[340])
    refresher: int = Field(description="Again", examples=[26])
    total: int = Field(examples=[366])


class AttendanceOut(_Recorded):
    """How many people of one role, from one venue, took part in a session."""

    session_id: UUID
    course: str = Field(examples=["wave"])
    venue_id: UUID
    role: StaffRole = Field(examples=["bar_staff"])
    new: int = Field(validation_alias="new_count", examples=[12])
    refresher: int = Field(validation_alias="refresher_count", examples=[0])


class SessionOut(_Recorded):
    """One delivery of a course. `trained` leaves out what was voided."""

    course: str = Field(examples=["wave"])
    place: Text = Field(default=None, examples=["Bishopsgate Police Station"])
    provider: Text = Field(default=None, examples=["Safer Business Network"])
    note: Text = None
    trained: Trained
    attendances: list[AttendanceOut]


class HeadcountOut(_Recorded):
    """How many relevant staff a venue has, and how many trained ones left since the last time."""

    venue_id: UUID
    staff: int = Field(examples=[20])
    left: int = Field(examples=[3])


class CourseOut(BaseModel):
    """A course, and for how many months it holds where a venue has no term of its own."""

    model_config = ConfigDict(from_attributes=True)

    key: CourseKey = Field(examples=["wave"])
    name: str = Field(examples=["Welfare And Vulnerability Engagement (WAVE)"])
    validity_months: int = Field(examples=[12])


class CoursesOut(BaseModel):
    """What staff can be trained in, and the roles by which they are counted."""

    courses: list[CourseOut]
    roles: list[StaffRole]


# --- what is asked of it ---------------------------------------------------------------------


class SessionsQuestion(Period, Paging):
    """Which sessions to list, newest first."""

    course: Maybe[CourseKey] = None
    venue_id: Maybe[UUID] = Field(
        default=None, description="Only those that somebody of this venue attended"
    )
    voided: bool = Field(default=False, description="Show those that were voided too")


class HeadcountsQuestion(Given, Paging):
    """Which headcounts of a venue to list, newest first."""

    voided: bool = Field(default=False, description="Show those that were voided too")


class TrainingQuestion(Given):
    """On which day a venue's training is asked for."""

    known_at: Maybe[KnownAt] = Field(
        default=None,
        description="As known at this instant; without it, as known now",
        examples=["2025-04-30T17:00:00Z"],
    )
    on: Maybe[Day] = Field(
        default=None, description="The London day; without it, today", examples=["2025-04-30"]
    )


# --- what it comes to ------------------------------------------------------------------------


class CourseStanding(BaseModel):
    """A venue's standing in a course: what is left of its training, read cautiously.

    `coverage` and `rag` are absent without a headcount.
    """

    course: CourseKey = Field(examples=["wave"])
    name: str = Field(examples=["Welfare And Vulnerability Engagement (WAVE)"])
    status: Status = Field(examples=["current"])
    validity_months: int = Field(description="How long it holds at this venue", examples=[12])
    trained: int = Field(description="Staff in date", examples=[12])
    coverage: float | Absent = Field(
        default=None, description="Trained staff as a part of the headcount", examples=[0.6]
    )
    rag: Rag | Absent = Field(default=None, examples=["amber"])
    in_date_until: date | Absent = Field(
        default=None,
        description="The last day on which somebody is in date",
        examples=["2026-03-13"],
    )
    attendances: list[AttendanceOut] = Field(description="What made it so, oldest first")


class VenueTraining(BaseModel):
    """A venue's standing in every course, and what made it so."""

    venue_id: UUID
    on: date = Field(examples=["2025-04-30"])
    known_at: datetime | Absent = None
    headcount: int | Absent = Field(
        default=None, description="The staff last declared", examples=[20]
    )
    courses: list[CourseStanding]
    headcounts: list[HeadcountOut] = Field(description="What was declared, oldest first")
