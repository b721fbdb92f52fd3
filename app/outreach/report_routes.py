"""Problem reports over HTTP, as officers work through them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import Invalid, responses
from app.core.events import AlreadyVoid, VoidReason
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.paging import Page, page_together
from app.outreach import reports, show
from app.outreach.asked import ReportsAsked
from app.outreach.models import ProblemReport, Step
from app.outreach.schemas import ProblemReportOut, StepIn

router = APIRouter(prefix="/v1/admin/problem-reports", tags=["outreach"])


@router.get(
    "",
    summary="The queue of problem reports",
    response_model=Page[ProblemReportOut],
    responses=responses(Invalid()),
)
def list_problem_reports(
    asked: Annotated[ReportsAsked, Query()], register: Register, _: Reader
) -> Response:
    """What the public told us, newest first, by how far officers have come with it."""
    statement = select(ProblemReport)
    if asked.state:
        statement = statement.where(ProblemReport.state == asked.state)
    if asked.venue_id:
        statement = statement.where(ProblemReport.venue_id == asked.venue_id)
    order: list[Any] = [col(ProblemReport.effective_at), col(ProblemReport.id)]
    return register.read(
        lambda session: page_together(
            session, statement, order, asked, show.problem_reports, newest_first=True
        )
    )


@router.get(
    "/{report_id}",
    summary="One problem report",
    response_model=ProblemReportOut,
    responses=responses(none_such(ProblemReport)),
)
def one_problem_report(report_id: UUID, register: Register, _: Reader) -> Response:
    """What somebody told us about a haven, and what officers did."""
    return register.read(lambda session: _shown(session, report_id))


def _shown(session: Session, report_id: UUID) -> ProblemReportOut:
    return show.problem_report(session, find(session, ProblemReport, report_id))


@router.post(
    "/{report_id}/take-up",
    summary="Take up a problem report",
    response_model=ProblemReportOut,
    responses=responses(
        none_such(ProblemReport),
        reports.TakenUpAlready(),
        reports.ResolvedAlready(),
        Stale(),
        PreconditionRequired(),
    ),
)
def take_up_problem_report(
    report_id: UUID, given: StepIn, register: Register, officer: Officer
) -> Response:
    """Say what is being done about a report."""
    return _step(report_id, Step.TAKEN_UP, given, register, officer)


@router.post(
    "/{report_id}/resolve",
    summary="Resolve a problem report",
    response_model=ProblemReportOut,
    responses=responses(
        none_such(ProblemReport), reports.ResolvedAlready(), Stale(), PreconditionRequired()
    ),
)
def resolve_problem_report(
    report_id: UUID, given: StepIn, register: Register, officer: Officer
) -> Response:
    """Say what was done about a report, and that this ends it."""
    return _step(report_id, Step.RESOLVED, given, register, officer)


def _step(
    report_id: UUID, step: Step, given: StepIn, register: Register, officer: Officer
) -> Response:
    return register.change(
        officer,
        lambda session: _shown(session, report_id),
        lambda session: reports.record_step(
            session, find(session, ProblemReport, report_id), step, given
        ),
    )


@router.post(
    "/{report_id}/steps/{step_id}/void",
    summary="Void a step on a problem report",
    response_model=ProblemReportOut,
    responses=responses(reports.NoSuchStep(), AlreadyVoid(), Stale(), PreconditionRequired()),
)
def void_report_step(
    report_id: UUID, step_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a step was recorded by mistake; the report is where it was before it."""
    return register.change(
        officer,
        lambda session: _shown(session, report_id),
        lambda session: reports.void_step(
            session,
            find(session, ProblemReport, report_id),
            reports.one_step(session, report_id, step_id),
            given.reason,
        ),
    )
