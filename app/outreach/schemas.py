"""What the outreach routes take and give."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from app.core.events import RecordedOut
from app.core.london import Day
from app.core.text import Line, Prose
from app.http.fields import Absent, Given, Maybe, Period, Text
from app.http.paging import Paging
from app.outreach.models import (
    EngagementKind,
    Outcome,
    ReportKind,
    ReportState,
    Result,
    SchemeTested,
    Step,
)


class Named(BaseModel):
    """Something of the register, by its id and name."""

    id: UUID
    name: str = Field(examples=["The Lantern & Anchor"])


class VenueNamed(Named):
    """A venue, by its id and name, and the ward it lies in."""

    ward: str | Absent = Field(default=None, examples=["Bishopsgate"])


# --- engagements -----------------------------------------------------------------------------


class EngagementIn(Given):
    """One contact with a business: at a venue, or as a whole."""

    venue_id: Maybe[UUID] = Field(
        default=None, description="The business that runs it is filled in"
    )
    business_id: Maybe[UUID] = None
    on: Day = Field(description="The London day", examples=["2025-03-14"])
    kind: EngagementKind = Field(examples=["visit"])
    outcome: Outcome = Field(examples=["training_booked"])
    note: Prose = Field(
        default="",
        max_length=4000,
        examples=["Met the duty manager; WAVE for 12 bar staff before the summer"],
    )
    next_step: Maybe[Line] = Field(
        default=None, min_length=3, max_length=500, examples=["Call to confirm the session"]
    )
    next_step_on: Maybe[Day] = Field(
        default=None, description="The day by which it is due", examples=["2025-03-21"]
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.venue_id is None and self.business_id is None:
            raise ValueError("give venue_id or business_id")
        if (self.next_step is None) != (self.next_step_on is None):
            raise ValueError("give next_step and next_step_on together")
        return self


class DoneIn(Given):
    """That a next step is done."""

    on: Day = Field(description="The London day", examples=["2025-03-20"])
    note: Prose = Field(default="", max_length=4000, examples=["Rang; session confirmed"])


class DoneOut(RecordedOut):
    """That a next step is done."""

    on: date = Field(examples=["2025-03-20"])
    note: Text = None


class EngagementOut(RecordedOut):
    """One contact with a business. `done` is there once its next step was said to be done."""

    venue: VenueNamed | Absent = None
    business: Named | Absent = None
    on: date = Field(examples=["2025-03-14"])
    kind: EngagementKind = Field(examples=["visit"])
    outcome: Outcome = Field(examples=["training_booked"])
    note: Text = None
    next_step: str | Absent = Field(default=None, examples=["Call to confirm the session"])
    next_step_on: date | Absent = Field(default=None, examples=["2025-03-21"])
    done: DoneOut | Absent = None


class EngagementsQuestion(Period, Paging):
    """Which engagements to list, newest first."""

    business_id: Maybe[UUID] = None
    venue_id: Maybe[UUID] = None
    kind: Maybe[EngagementKind] = None
    outcome: Maybe[Outcome] = None
    voided: bool = Field(default=False, description="Show those that were voided too")


class NextStepsQuestion(Given, Paging):
    """Which open next steps to list, the earliest first."""

    due_by: Maybe[Day] = Field(
        default=None, description="Only those due on or before this day", examples=["2025-04-30"]
    )
    business_id: Maybe[UUID] = None
    venue_id: Maybe[UUID] = None


# --- scheme tests ----------------------------------------------------------------------------


class SchemeTestIn(Given):
    """An unannounced visit in which an officer asked, and saw what happened."""

    venue_id: UUID
    scheme: SchemeTested = Field(default=SchemeTested.ASK_FOR_ANGELA, examples=["ask_for_angela"])
    on: Day = Field(description="The London day", examples=["2025-03-14"])
    result: Result = Field(examples=["failed"])
    note: Prose = Field(
        default="",
        max_length=4000,
        description="What happened",
        examples=["Asked at the bar for Angela; staff said nobody of that name works here"],
    )
    debrief_on: Maybe[Day] = Field(
        default=None,
        description="The day for which a debrief is arranged, after a failed test",
        examples=["2025-03-18"],
    )
    retest_of: Maybe[UUID] = Field(
        default=None,
        description="The failed test that this one repeats; without it, the last one of this"
        " venue and scheme that still asks for a retest",
    )

    @model_validator(mode="after")
    def _debriefed_after_failing(self) -> Self:
        if self.debrief_on and self.result != Result.FAILED:
            raise ValueError("a debrief follows a failed test")
        if self.debrief_on and self.debrief_on < self.on:
            raise ValueError("debrief_on must not be before on")
        return self


class DebriefIn(Given):
    """A talk with the venue about a test that it failed."""

    on: Day = Field(description="The London day", examples=["2025-03-18"])
    note: Prose = Field(
        default="",
        max_length=4000,
        examples=["New staff had not been briefed; refresher booked for the 25th"],
    )


class DebriefOut(RecordedOut):
    """A talk with the venue about a test that it failed."""

    on: date = Field(examples=["2025-03-18"])
    note: Text = None


class SchemeTestOut(RecordedOut):
    """An unannounced visit, and what followed. `retest_by` is there while it asks for a retest."""

    venue: VenueNamed
    scheme: SchemeTested = Field(examples=["ask_for_angela"])
    on: date = Field(examples=["2025-03-14"])
    result: Result = Field(examples=["failed"])
    note: Text = None
    debrief_on: date | Absent = Field(default=None, examples=["2025-03-18"])
    debrief: DebriefOut | Absent = None
    retest_of: UUID | Absent = None
    retest: UUID | Absent = Field(default=None, description="The test that repeats it")
    retest_by: date | Absent = Field(default=None, examples=["2025-04-11"])


class RetestOut(BaseModel):
    """A failed test that still asks for a retest."""

    test: SchemeTestOut
    retest_by: date = Field(description="The last day that is in time", examples=["2025-04-11"])
    overdue: bool = Field(examples=[False])


class SchemeTestsQuestion(Period, Paging):
    """Which scheme tests to list, newest first."""

    venue_id: Maybe[UUID] = None
    scheme: Maybe[SchemeTested] = None
    result: Maybe[Result] = None
    voided: bool = Field(default=False, description="Show those that were voided too")


class RetestsQuestion(Given, Paging):
    """Which failed tests that still ask for a retest to list, the earliest first."""

    overdue: bool = Field(default=False, description="Only those whose last day has gone by")


# --- problem reports -------------------------------------------------------------------------


def _given(value: object) -> object:
    return "" if value is None else value


class ProblemReportIn(Given):
    """What was wrong at a haven. Please don't say who or where you are."""

    kind: ReportKind = Field(examples=["closed"])
    comment: Annotated[Prose, BeforeValidator(_given)] = Field(
        default="", max_length=1000, examples=["The door was locked at 11 at night"]
    )


class StepIn(Given):
    """What an officer means to do, or has done."""

    note: Prose = Field(
        min_length=3,
        max_length=4000,
        examples=["Visited; the sign now gives the right closing time"],
    )


class ResolutionIn(StepIn):
    """Which reports to resolve with one note: some by their ids, or all that are so."""

    ids: list[UUID] = Field(default=[], max_length=500)
    set_apart: bool = Field(
        default=False,
        description="Those that were set apart as likely junk, and not those of the queue",
    )
    venue_id: Maybe[UUID] = None
    kind: Maybe[ReportKind] = None
    until: Maybe[Day] = Field(
        default=None,
        description="Only those of this London day and before",
        examples=["2025-03-14"],
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        is_narrowed = self.set_apart or self.venue_id or self.kind or self.until
        if bool(self.ids) == bool(is_narrowed):
            raise ValueError("give ids, or else set_apart, venue_id, kind or until")
        return self


class ReportsResolved(BaseModel):
    """What became of the reports that were to be resolved."""

    resolved: int = Field(description="At most 500 at once", examples=[37])
    resolved_before: int = Field(description="Of the ids: these stay as they were", examples=[0])
    left: int = Field(description="Ask again to resolve these too", examples=[0])


class StepOut(RecordedOut):
    """What an officer did about a report."""

    step: Step = Field(examples=["resolved"])
    note: str = Field(examples=["Visited; the sign now gives the right closing time"])


class ProblemReportOut(BaseModel):
    """What somebody told us about a haven, and what officers did, oldest first."""

    id: UUID
    venue: VenueNamed
    on: date = Field(description="The London day", examples=["2025-03-14"])
    kind: ReportKind = Field(examples=["closed"])
    comment: Text = Field(default=None, examples=["The door was locked at 11 at night"])
    state: ReportState = Field(examples=["new"])
    set_apart: bool = Field(description="It came in a flood, and is likely junk", examples=[False])
    steps: list[StepOut]


class ProblemReportsQuestion(Given, Paging):
    """Which problem reports to list, newest first."""

    state: Maybe[ReportState] = None
    venue_id: Maybe[UUID] = None
    set_apart: bool = Field(
        default=False,
        description="Those that were set apart as likely junk; without it, these are left out"
        " until somebody takes them up or resolves them",
    )
