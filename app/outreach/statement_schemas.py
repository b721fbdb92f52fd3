"""What the routes of letters and statements take and give."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from app.core.text import Prose
from app.http.fields import Absent, Given, Maybe, Text
from app.http.paging import Paging
from app.outreach.models import StatementState, Subject
from app.outreach.schemas import Named, VenueNamed
from app.training.schemas import People

MOST_TEXT = 2000


class AnswerIn(BaseModel):
    """What somebody says about a venue: what has changed, empty where nothing has."""

    hours: Prose = Field(default="", max_length=MOST_TEXT)
    facilities: Prose = Field(default="", max_length=MOST_TEXT)
    staff: People | None = None
    left: People | None = None

    @model_validator(mode="after")
    def _both_numbers(self) -> Self:
        if (self.staff is None) != (self.left is None):
            raise ValueError("give both numbers, or none")
        return self


class AcceptanceIn(Given):
    """That a statement is true."""

    note: Prose = Field(
        default="", max_length=4000, examples=["Rang the manager, and changed the hours"]
    )


class DeclineIn(Given):
    """Why a statement changes nothing."""

    note: Prose = Field(min_length=3, max_length=4000, examples=["They mean the bar next door"])


class StatementOut(BaseModel):
    """What the reader of a letter says about a venue, and what an officer made of it."""

    id: UUID
    venue: VenueNamed
    subject: Subject = Field(examples=["hours"])
    unchanged: bool = Field(description="They say that it is as the register has it")
    changed: Text = Field(
        default=None,
        description="What has changed, in their words",
        examples=["We shut at 23:00 on Sundays now"],
    )
    staff: int | Absent = Field(
        default=None, description="Staff who should be trained", examples=[20]
    )
    left: int | Absent = Field(
        default=None, description="Trained staff who left since the last headcount", examples=[3]
    )
    said_at: datetime
    state: StatementState = Field(examples=["new"])
    decided_at: datetime | Absent = None
    decided_by: str | Absent = Field(default=None, examples=["account j.okafor"])
    note: Text = Field(default=None, examples=["Rang the manager, and changed the hours"])
    letter_id: UUID


class StatementsQuestion(Given, Paging):
    """Which statements to list, newest first."""

    state: Maybe[StatementState] = None
    subject: Maybe[Subject] = None
    venue_id: Maybe[UUID] = None


class EndingOut(BaseModel):
    """Something at a venue that a letter says will end."""

    venue: VenueNamed
    kind: str = Field(examples=["training"])
    of: str = Field(description="The scheme or the course", examples=["wave"])
    on: date = Field(description="Its last day", examples=["2025-04-12"])


class LetterOut(BaseModel):
    """A letter to a contact about what ends soon."""

    id: UUID
    business: Named | Absent = None
    contact_id: UUID
    contact: str | Absent = Field(
        default=None, description="Absent once they are erased", examples=["Sam Okafor"]
    )
    about: list[EndingOut]
    made_at: datetime
    sent_at: datetime | Absent = Field(
        default=None, description="When the mail server took it; absent while it waits"
    )
    refused: Text = Field(
        default=None, description="Why it can't be sent", examples=["the mail server says 550"]
    )
    link_ends_at: datetime = Field(description="When its link ends by itself")
    revoked_at: datetime | Absent = None


class LettersQuestion(Given, Paging):
    """Which letters to list, newest first."""

    business_id: Maybe[UUID] = None
