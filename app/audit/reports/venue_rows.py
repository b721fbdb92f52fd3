"""The tables of a venue's audit sheet."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.audit.frame.report import Report, Row, Share
from app.audit.frame.rows import AtVenue
from app.http.fields import Absent, Text
from app.outreach.models import EngagementKind, Outcome, ReportKind, ReportState
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, State
from app.training.courses import CourseKey, StaffRole
from app.training.rag import Rag
from app.training.rules import Status
from app.venues.fields import A_BUSINESS_ID
from app.venues.kinds import Category
from app.venues.models import VenueStatus

AN_EVENT_ID = "7d2f8a34-0c1b-4a5e-9f63-5b7e1c9d2a48"

Sources = Annotated[
    list[UUID],
    Field(title="Source events", description="By id, in `events`", examples=[[AN_EVENT_ID]]),
]


class Identity(AtVenue):
    """What the venue is called, and what is not dated: as it is today."""

    address: Text = Field(default=None, title="Address", examples=["12 Bishopsgate"])
    postcode: Text = Field(default=None, title="Postcode", examples=["EC2R 8AJ"])
    premises_licence: Text = Field(
        default=None, title="Premises licence", examples=["LN/200501234"]
    )
    hours_known: bool = Field(title="Opening hours known", examples=[True])
    last_checked: date | Absent = Field(default=None, title="Last checked", examples=["2025-03-02"])
    closed_on: date | Absent = Field(default=None, title="Closed on")


class FactsHeld(Row):
    """What reports count the venue by, since when; the last row holds as at the day."""

    since: datetime = Field(title="Since", examples=["2024-05-01T23:00:00Z"])
    until: datetime | Absent = Field(default=None, title="Until")
    ward_code: str = Field(title="Ward code", examples=["E05009288"])
    ward: str = Field(title="Ward", examples=["Bishopsgate"])
    category: Category = Field(title="Category", examples=["pub"])
    status: VenueStatus = Field(title="Status", examples=["active"])
    licensed: bool = Field(title="Licensed", examples=[True])
    late_night: bool = Field(title="Late-night", examples=[True])
    business_id: UUID | Absent = Field(default=None, title="Business id", examples=[A_BUSINESS_ID])
    business: str | Absent = Field(default=None, title="Business", examples=["Lantern Inns Ltd"])
    refresh_months: int | Absent = Field(
        default=None, title="Trained anew every so many months", examples=[6]
    )
    sources: Sources


class SchemeStanding(Row):
    """How the venue stands in a scheme."""

    scheme: SchemeKey = Field(title="Scheme", examples=["safe_haven"])
    name: str = Field(title="Name", examples=["Safe Haven"])
    state: State = Field(title="State", examples=["in_force"])
    since: datetime | Absent = Field(default=None, title="Since", examples=["2025-01-14T00:00:00Z"])
    until: date | Absent = Field(default=None, title="Last day", examples=["2026-01-13"])
    grade: str | Absent = Field(default=None, title="Grade")
    certificate: str | Absent = Field(default=None, title="Certificate", examples=["SH-2025-0012"])
    pending: Kind | Absent = Field(default=None, title="Pending")
    sources: Sources


class CourseTraining(Row):
    """What is left of the training in a course."""

    course: CourseKey = Field(title="Course", examples=["wave"])
    name: str = Field(title="Name", examples=["Welfare And Vulnerability Engagement (WAVE)"])
    status: Status = Field(title="Status", examples=["current"])
    trained: int = Field(title="Trained, in date", examples=[12])
    headcount: int | Absent = Field(default=None, title="Headcount", examples=[20])
    coverage: Share = Field(default=None, title="Coverage", examples=[0.6])
    rag: Rag | Absent = Field(default=None, title="RAG", examples=["amber"])
    in_date_until: date | Absent = Field(
        default=None, title="Somebody in date until", examples=["2025-09-13"]
    )
    validity_months: int = Field(title="Holds for months", examples=[6])
    sources: Sources


class RoleTraining(Row):
    """How many people of a role were ever counted at a course; who came twice counts twice."""

    course: CourseKey = Field(title="Course", examples=["wave"])
    role: StaffRole = Field(title="Role", examples=["bar_staff"])
    new: int = Field(title="Trained for the first time", examples=[12])
    refresher: int = Field(title="Trained again", examples=[0])
    last_on: date = Field(title="Last on", examples=["2025-03-14"])
    sources: Sources


class HeadcountHeld(Row):
    """A headcount that was declared."""

    on: date = Field(title="On", examples=["2025-03-01"])
    staff: int = Field(title="Staff", examples=[20])
    left: int = Field(title="Trained staff who left", examples=[3])
    sources: Sources


class SessionAttended(Row):
    """A training session that staff of the venue attended."""

    on: date = Field(title="On", examples=["2025-03-14"])
    course: CourseKey = Field(title="Course", examples=["wave"])
    place: Text = Field(default=None, title="Place", examples=["Bishopsgate Police Station"])
    provider: Text = Field(default=None, title="Provider", examples=["Safer Business Network"])
    new: int = Field(title="Trained for the first time", examples=[12])
    refresher: int = Field(title="Trained again", examples=[0])
    sources: Sources


class TestHeld(Row):
    """A scheme test, and what followed when it failed."""

    on: date = Field(title="On", examples=["2025-03-14"])
    scheme: SchemeKey = Field(title="Scheme", examples=["ask_for_angela"])
    passed: bool = Field(title="Passed", examples=[False])
    debriefed_on: date | Absent = Field(default=None, title="Debriefed on", examples=["2025-03-18"])
    retest_on: date | Absent = Field(default=None, title="Retest on")
    retest_passed: bool | Absent = Field(default=None, title="Retest passed")
    retest_by: date | Absent = Field(default=None, title="Retest due by", examples=["2025-04-11"])
    retest_overdue: bool | Absent = Field(default=None, title="Retest overdue", examples=[False])
    sources: Sources


class EngagementHeld(Row):
    """A contact with the venue."""

    on: date = Field(title="On", examples=["2025-02-03"])
    kind: EngagementKind = Field(title="Kind", examples=["visit"])
    outcome: Outcome = Field(title="Outcome", examples=["training_booked"])
    next_step: str | Absent = Field(
        default=None, title="Next step", examples=["Send the training dates"]
    )
    next_step_on: date | Absent = Field(
        default=None, title="Next step due", examples=["2025-02-10"]
    )
    done_on: date | Absent = Field(default=None, title="Next step done", examples=["2025-02-07"])
    sources: Sources


class ProblemHeld(Row):
    """What somebody reported of the venue, and how far it has come; days are from the report."""

    on: date = Field(title="On", examples=["2025-02-21"])
    kind: ReportKind = Field(title="Kind", examples=["closed"])
    state: ReportState = Field(title="State", examples=["resolved"])
    resolved_on: date | Absent = Field(default=None, title="Resolved on", examples=["2025-02-24"])
    days_to_resolve: int | Absent = Field(default=None, title="Days to resolve", examples=[3])
    sources: Sources


class LicenceCondition(Row):
    """A condition of the premises licence, as it is recorded today."""

    text: str = Field(title="Condition", examples=["All staff are trained every six months."])
    since: date | Absent = Field(default=None, title="Since", examples=["2024-05-01"])
    until: date | Absent = Field(default=None, title="Last day")


class SourceEvent(Row):
    """An event that had been recorded by then; one that is voided is behind no figure."""

    id: UUID = Field(title="Event id", examples=[AN_EVENT_ID])
    kind: str = Field(
        title="Kind of event", description="As the journal names it", examples=["attendance"]
    )
    on: date = Field(title="On", examples=["2025-03-14"])
    recorded_at: datetime = Field(title="Recorded at", examples=["2025-03-15T09:12:00Z"])
    recorded_by: str = Field(title="Recorded by", examples=["account j.okafor"])
    voided_at: datetime | Absent = Field(default=None, title="Voided at")
    voided_by: str | Absent = Field(default=None, title="Voided by")
    void_reason: str | Absent = Field(default=None, title="Why")


class VenueSheet(Report):
    """A venue as at a day, as known at an instant. Its identity and licence are today's."""

    identity: list[Identity] = Field(title="Identity today", description="One row")
    facts: list[FactsHeld] = Field(title="Facts, oldest first")
    standings: list[SchemeStanding] = Field(title="Schemes")
    training: list[CourseTraining] = Field(title="Training")
    roles: list[RoleTraining] = Field(title="Training by role")
    headcounts: list[HeadcountHeld] = Field(title="Headcounts")
    sessions: list[SessionAttended] = Field(title="Training sessions")
    tests: list[TestHeld] = Field(title="Scheme tests")
    engagements: list[EngagementHeld] = Field(title="Engagements")
    problems: list[ProblemHeld] = Field(title="Problem reports")
    conditions: list[LicenceCondition] = Field(title="Licence conditions today")
    events: list[SourceEvent] = Field(title="Source events")
