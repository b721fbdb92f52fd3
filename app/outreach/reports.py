"""Problem reports: what the public tells us, and what officers do about it."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col, select

from app.core.db import none_such
from app.core.errors import DomainError, NotFound
from app.core.events import in_effect, record, recorded, void
from app.core.journal import now
from app.core.london import effective, end_of, london_day
from app.core.settings import settings
from app.outreach.models import ProblemReport, ReportState, ReportStep, Step
from app.outreach.rules import report_state
from app.outreach.schemas import ProblemReportIn, ReportsResolved, ResolutionIn, StepIn

PUBLIC = "public"
"""Who reports a problem, as far as anybody is told."""

ROOM_APART = 100
"""How many times as many as are kept in the queue are kept of a haven and day in all."""

RESOLVED_AT_ONCE = 500
"""So many steps take the register's one turn to write for less than a second or so."""


class NoSuchStep(NotFound):
    title = "There is no such step on this problem report"


class TooManyReports(DomainError):
    """So many reports about one haven on one day tell no more than fewer would."""

    status = 429
    code = "too-many-reports"
    title = "Enough was reported about this haven today; if you are in danger call 999"
    headers = {"Retry-After": "3600"}  # noqa: RUF012 - never changed


class TakenUpAlready(DomainError):
    status = 409
    code = "taken-up-already"
    title = "This problem report has been taken up already"


class ResolvedAlready(DomainError):
    status = 409
    code = "resolved-already"
    title = "This problem report has been resolved already"


def report_problem(
    session: Session, venue_id: UUID, given: ProblemReportIn, *, is_junk: bool = False
) -> None:
    """Keep what somebody tells us, and that it was today: in the queue, or set apart.

    Set apart is what is likely junk, and what comes when the queue has enough of this haven and
    day. Raises `TooManyReports` when even that would fill the disk.
    """
    at, room = end_of_day(now(session)), settings().reports_per_day
    queued = sa.func.count().filter(~col(ProblemReport.set_apart))
    today = sa.select(sa.func.count(), queued).where(
        col(ProblemReport.venue_id) == venue_id, col(ProblemReport.effective_at) == at
    )
    kept, in_queue = session.execute(today).one()
    if kept >= ROOM_APART * room:
        raise TooManyReports
    report = ProblemReport(
        **given.model_dump(),
        venue_id=venue_id,
        effective_at=at,
        recorded_at=at,
        recorded_by=PUBLIC,
        set_apart=is_junk or in_queue >= room,
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


def resolve(session: Session, given: ResolutionIn) -> ReportsResolved:
    """Resolve several reports with one note. Raises `NotFound`, and then none is.

    Those that are resolved already stay as they are.
    """
    is_open = col(ProblemReport.state) != ReportState.RESOLVED
    asked = _asked_for(given)
    found = session.exec(
        select(ProblemReport)
        .where(is_open, *asked)
        .order_by(col(ProblemReport.effective_at), col(ProblemReport.id))
        .limit(RESOLVED_AT_ONCE)
    ).all()
    count = sa.select(sa.func.count()).select_from(ProblemReport)
    before = session.scalar(count.where(~is_open, *asked)) or 0 if given.ids else 0
    if given.ids and len(found) + before < len(set(given.ids)):
        raise none_such(ProblemReport)
    for report in found:
        report.state = ReportState.RESOLVED
        step = ReportStep(
            effective_at=now(session), report_id=report.id, step=Step.RESOLVED, note=given.note,
            **recorded(session),
        )  # fmt: skip
        session.add(step)
    session.flush()
    left = session.scalar(count.where(is_open, *asked)) or 0
    return ReportsResolved(resolved=len(found), resolved_before=before, left=left)


def _asked_for(given: ResolutionIn) -> list[sa.ColumnElement[bool]]:
    if given.ids:
        return [col(ProblemReport.id).in_(given.ids)]
    conditions = [col(ProblemReport.set_apart) == given.set_apart]
    if given.venue_id:
        conditions.append(col(ProblemReport.venue_id) == given.venue_id)
    if given.kind:
        conditions.append(col(ProblemReport.kind) == given.kind)
    if given.until:
        conditions.append(
            col(ProblemReport.effective_at) < effective(given.until + timedelta(days=1))
        )
    return conditions


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
