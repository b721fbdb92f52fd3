"""Engagements, scheme tests, problem reports and letters, as the database keeps them."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import JSON, CheckConstraint, Index, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.core.db import Instant, one_of
from app.core.events import Event


class EngagementKind(StrEnum):
    VISIT = "visit"
    CALL = "call"
    EMAIL = "email"
    EVENT = "event"


class Outcome(StrEnum):
    """What came of an engagement."""

    INTERESTED = "interested"
    NOT_INTERESTED = "not_interested"
    NO_ANSWER = "no_answer"
    TRAINING_BOOKED = "training_booked"
    ACCREDITATION_DISCUSSED = "accreditation_discussed"
    DETAILS_UPDATED = "details_updated"
    CONCERN_RAISED = "concern_raised"
    OTHER = "other"


class SchemeTested(StrEnum):
    """A scheme in which an officer can ask unannounced, and see what happens."""

    ASK_FOR_ANGELA = "ask_for_angela"


class Result(StrEnum):
    PASSED = "passed"
    FAILED = "failed"


class ReportKind(StrEnum):
    """What a member of the public tells us about a haven."""

    CLOSED = "closed"
    TURNED_AWAY = "turned_away"
    STAFF_UNAWARE = "staff_unaware"
    WRONG_DETAILS = "wrong_details"
    FELT_UNSAFE = "felt_unsafe"
    OTHER = "other"


class ReportState(StrEnum):
    """How far officers have come with a problem report."""

    NEW = "new"
    ACTING = "acting"
    RESOLVED = "resolved"


class Step(StrEnum):
    """What an officer does about a problem report."""

    TAKEN_UP = "taken_up"
    RESOLVED = "resolved"


class Subject(StrEnum):
    """What somebody who looks after a venue is asked about."""

    HOURS = "hours"
    FACILITIES = "facilities"
    HEADCOUNT = "headcount"


class StatementState(StrEnum):
    """What an officer made of a statement."""

    NEW = "new"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class Engagement(Event, table=True):
    """One contact with a business, at one of its venues or as a whole.

    `business_id` is who ran the venue when it was recorded. A next step stays open until somebody
    says that it is done, or a later engagement with the same venue (or the same business, where
    there is no venue) says what comes next.
    """

    __table_args__ = (
        one_of("engagement", "kind", EngagementKind),
        one_of("engagement", "outcome", Outcome),
        CheckConstraint(
            "business_id IS NOT NULL OR venue_id IS NOT NULL", name="engagement_with_somebody"
        ),
        CheckConstraint(
            "(next_step IS NULL) = (next_step_on IS NULL)", name="engagement_next_step"
        ),
        Index("engagement_business", "business_id", "effective_at", "recorded_at", "id"),
        Index("engagement_venue", "venue_id", "effective_at", "recorded_at", "id"),
    )

    business_id: UUID | None = Field(default=None, foreign_key="business.id")
    venue_id: UUID | None = Field(default=None, foreign_key="venue.id")
    kind: EngagementKind = Field(sa_type=String(20))
    outcome: Outcome = Field(sa_type=String(40))
    note: str = Field(default="", sa_type=Text)
    next_step: str | None = Field(default=None, max_length=500)
    next_step_on: date | None = None


class StepDone(Event, table=True):
    """That an engagement's next step is done."""

    __tablename__ = "step_done"

    engagement_id: UUID = Field(foreign_key="engagement.id", index=True)
    note: str = Field(default="", sa_type=Text)


class SchemeTest(Event, table=True):
    """An unannounced visit in which an officer asks, and sees what happens.

    `debrief_on` is the day for which a debrief was arranged; `retest_of_id` names the failed test
    that this one repeats.
    """

    __tablename__ = "scheme_test"
    __table_args__ = (
        one_of("scheme_test", "scheme", SchemeTested),
        one_of("scheme_test", "result", Result),
        Index("scheme_test_venue", "venue_id", "effective_at"),
        Index(
            "scheme_test_failed",
            "effective_at",
            "id",
            postgresql_where=sa.text("result = 'failed' AND voided_at IS NULL"),
            sqlite_where=sa.text("result = 'failed' AND voided_at IS NULL"),
        ),
    )

    venue_id: UUID = Field(foreign_key="venue.id")
    scheme: SchemeTested = Field(sa_type=String(40))
    result: Result = Field(sa_type=String(20))
    note: str = Field(default="", sa_type=Text)
    debrief_on: date | None = None
    retest_of_id: UUID | None = Field(default=None, foreign_key="scheme_test.id", index=True)


class Debrief(Event, table=True):
    """A talk with the venue about a test that it failed."""

    test_id: UUID = Field(foreign_key="scheme_test.id", index=True)
    note: str = Field(default="", sa_type=Text)


class ProblemReport(Event, table=True):
    """What somebody told us about a haven: nothing says who, from where, or when in the day.

    It takes effect and counts as known at the end of its day. It is not journalled, because the
    journal keeps exact times, and it is never edited or voided: what officers do about it are
    events of their own, which `state` follows.

    One that is `set_apart` came in a flood: it is likely junk, kept beside the queue, and counts in
    no figure.
    """

    __tablename__ = "problem_report"
    __unjournalled__ = True
    __table_args__ = (
        one_of("problem_report", "kind", ReportKind),
        one_of("problem_report", "state", ReportState),
        Index("problem_report_queue", "state", "effective_at", "id"),
        Index("problem_report_venue", "venue_id", "effective_at"),
    )

    venue_id: UUID = Field(foreign_key="venue.id")
    kind: ReportKind = Field(sa_type=String(20))
    comment: str = Field(default="", max_length=1000)
    state: ReportState = Field(default=ReportState.NEW, sa_type=String(20))
    set_apart: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class ReportStep(Event, table=True):
    """What an officer does about a problem report."""

    __tablename__ = "report_step"
    __table_args__ = (one_of("report_step", "step", Step),)

    report_id: UUID = Field(foreign_key="problem_report.id", index=True)
    step: Step = Field(sa_type=String(20))
    note: str = Field(default="", sa_type=Text)


class Letter(SQLModel, table=True):
    """A letter to a contact about what ends soon at some venues, with a link to answer it by.

    It is kept before it is sent, and `sent_at` once the mail server has it; `refused` says that it
    won't have it. `about` has the `venue_id` of each thing that ends, its `kind`, what it is `of`,
    and its last day as `on`. Nothing of it is secret: the link is made of its id, by a key
    (`app.outreach.statements`). There is no foreign key to the contact, who can be erased.
    """

    __table_args__ = (Index("letter_newest", "made_at", "id"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    contact_id: UUID = Field(index=True)
    business_id: UUID | None = Field(default=None, foreign_key="business.id")
    about: list[dict[str, str]] = Field(sa_type=JSON)
    made_at: datetime = Field(sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    revoked_at: datetime | None = Field(default=None, sa_type=Instant)
    refused: str = Field(default="", max_length=200)


class Statement(SQLModel, table=True):
    """What the reader of a letter says about a venue; of itself it changes nothing.

    It is either that all is `unchanged`, what has `changed` in their words, or a headcount.
    """

    __personal__ = ("changed",)
    __table_args__ = (
        one_of("statement", "subject", Subject),
        one_of("statement", "state", StatementState),
        CheckConstraint(
            "(subject = 'headcount') = (staff IS NOT NULL AND \"left\" IS NOT NULL)",
            name="statement_headcount",
        ),
        # One answer to each question, however often the link is used.
        UniqueConstraint("letter_id", "venue_id", "subject", name="statement_once"),
        Index("statement_queue", "state", "said_at", "id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    letter_id: UUID = Field(foreign_key="letter.id")
    venue_id: UUID = Field(foreign_key="venue.id", index=True)
    subject: Subject = Field(sa_type=String(20))
    unchanged: bool
    changed: str = Field(default="", max_length=2000)
    staff: int | None = None
    left: int | None = None
    said_at: datetime = Field(sa_type=Instant)
    state: StatementState = Field(default=StatementState.NEW, sa_type=String(20))
    decided_at: datetime | None = Field(default=None, sa_type=Instant)
    decided_by: str | None = Field(default=None, max_length=100)
    note: str = Field(default="", sa_type=Text)


class Digest(SQLModel, table=True):
    """Where an account has what waits for it sent every day, and the last day that was done for."""

    __personal__ = ("email",)

    account_id: UUID = Field(primary_key=True, foreign_key="account.id")
    email: str = Field(max_length=200)
    sent_for: date | None = None


class SurveyCount(SQLModel, table=True):
    """How many people answered the survey in a quarter about venues in a ward, and said yes.

    Nothing else is kept of an answer. It is not journalled, because the journal keeps exact times.
    There is no foreign key to the ward, because new boundaries may do away with one.
    """

    __tablename__ = "survey_count"
    __unjournalled__ = True
    __table_args__ = (
        CheckConstraint(
            "safer BETWEEN 0 AND answers AND helped BETWEEN 0 AND answers",
            name="survey_count_parts",
        ),
        Index("survey_count_of", "quarter", "ward_id"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    quarter: date
    ward_id: UUID | None = None
    answers: int = 0
    safer: int = 0
    helped: int = 0
