"""Problem reports: what the public tells us, and what officers do about it."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.errors import DomainError, NotFound
from app.core.events import in_effect, record, void
from app.core.journal import now
from app.core.london import end_of, london_day
from app.core.settings import settings
from app.outreach.models import ProblemReport, ReportState, ReportStep, Step
from app.outreach.rules import report_state
from app.outreach.schemas import ProblemReportIn, StepIn

PUBLIC = "public"
"""Who reports a problem, as far as anybody is told."""


class NoSuchStep(NotFound):
    title = "There is no such step on this problem report"


class TooManyReports(DomainError):
    """So many reports about one haven on one day tell no more than fewer would."""

    status = 429
    code = "too-many-reports"
    title = "Enough was reported about this haven today; if you are in danger call 999"


class TakenUpAlready(DomainError):
    status = 409
    code = "taken-up-already"
    title = "This problem report has been taken up already"


class ResolvedAlready(DomainError):
    status = 409
    code = "resolved-already"
    title = "This problem report has been resolved already"


def report_problem(session: Session, venue_id: UUID, given: ProblemReportIn) -> None:
    """Keep what somebody tells us, and that it was today. Raises `TooManyReports`."""
    at = end_of_day(now(session))
    today = sa.select(sa.func.count()).where(
        col(ProblemReport.venue_id) == venue_id, col(ProblemReport.effective_at) == at
    )
    if (session.scalar(today) or 0) >= settings().reports_per_day:
        raise TooManyReports
    report = ProblemReport(
        **given.model_dump(),
        venue_id=venue_id,
        effective_at=at,
        recorded_at=at,
        recorded_by=PUBLIC,
    )
    session.add(report)


def end_of_day(at: datetime) -> datetime:
    """The last instant of the London day that an instant lies in."""
    return end_of(london_day(at)) - timedelta(microseconds=1)


def record_step(session: Session, report: ProblemReport, step: Step, given: StepIn) -> None:
    """Record what an officer does. A report may be resolved without having been taken up.

    Raises `TakenUpAlready`, `ResolvedAlready`.
    """
    if report.state == ReportState.RESOLVED:
        raise ResolvedAlready
    if report.state == ReportState.ACTING and step == Step.TAKEN_UP:
        raise TakenUpAlready
    record(session, ReportStep, now(session), report_id=report.id, step=step, note=given.note)
    _follow_steps(session, report)


def void_step(session: Session, report: ProblemReport, step_id: UUID, reason: str) -> None:
    """Say that a step was recorded by mistake. Raises `NoSuchStep`, `AlreadyVoid`."""
    step = session.get(ReportStep, step_id)
    if step is None or step.report_id != report.id:
        raise NoSuchStep
    void(session, step, reason)
    _follow_steps(session, report)


def _follow_steps(session: Session, report: ProblemReport) -> None:
    session.flush()
    steps = session.exec(
        select(ReportStep.step).where(ReportStep.report_id == report.id, in_effect(ReportStep))
    )
    report.state = report_state([Step(step) for step in steps])
