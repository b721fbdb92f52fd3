"""Which outreach records are asked for."""

from uuid import UUID

from pydantic import Field

from app.core.london import Day
from app.http.fields import Given, Maybe, Period
from app.http.paging import Paging
from app.outreach.models import EngagementKind, Outcome, ReportState, Result, SchemeTested


class EngagementsAsked(Period, Paging):
    """Which engagements to list, newest first."""

    business_id: Maybe[UUID] = None
    venue_id: Maybe[UUID] = None
    kind: Maybe[EngagementKind] = None
    outcome: Maybe[Outcome] = None
    voided: bool = Field(default=False, description="Show those that were voided too")


class NextStepsAsked(Given, Paging):
    """Which open next steps to list, the earliest first."""

    due_by: Maybe[Day] = Field(
        default=None, description="Only those due on or before this day", examples=["2025-04-30"]
    )
    business_id: Maybe[UUID] = None
    venue_id: Maybe[UUID] = None


class SchemeTestsAsked(Period, Paging):
    """Which scheme tests to list, newest first."""

    venue_id: Maybe[UUID] = None
    scheme: Maybe[SchemeTested] = None
    result: Maybe[Result] = None
    voided: bool = Field(default=False, description="Show those that were voided too")


class RetestsAsked(Given, Paging):
    """Which failed tests that still ask for a retest to list, the earliest first."""

    overdue: bool = Field(default=False, description="Only those whose last day has gone by")


class ReportsAsked(Given, Paging):
    """Which problem reports to list, newest first."""

    state: Maybe[ReportState] = None
    venue_id: Maybe[UUID] = None
