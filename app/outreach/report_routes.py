"""Problem reports over HTTP, as officers work through them."""

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from sqlmodel import col, select

from app.accounts.guards import Officer, Reader
from app.core.db import none_such
from app.core.errors import responses
from app.core.events import AlreadyVoid, VoidReason
from app.http.conditional import Register
from app.http.records import Records, matching
from app.outreach import reports
from app.outreach.models import ProblemReport, ReportState, Step
from app.outreach.schemas import (
    ProblemReportOut,
    ProblemReportsQuestion,
    ReportsResolved,
    ResolutionIn,
    StepIn,
)
from app.outreach.views import problem_report_views

router = APIRouter(prefix="/v1/admin/problem-reports", tags=["outreach"])

REPORTS = Records(ProblemReport, ProblemReportOut, "problem-reports", problem_report_views)


@router.get("", **REPORTS.lists("The queue of problem reports"))
def list_problem_reports(
    question: Annotated[ProblemReportsQuestion, Query()], register: Register, _: Reader
) -> Response:
    """What the public told us, newest first, by how far officers have come with it."""
    set_apart, state = col(ProblemReport.set_apart), col(ProblemReport.state)
    is_asked = set_apart if question.set_apart else sa.not_(set_apart & (state == ReportState.NEW))
    others = matching(ProblemReport, question.model_copy(update={"set_apart": None}))
    statement = select(ProblemReport).where(is_asked, *others)
    return register.read(lambda session: REPORTS.page(session, question, statement))


@router.post(
    "/resolve",
    status_code=201,
    summary="Resolve several problem reports",
    response_model=ReportsResolved,
    response_description="How many are resolved now",
    responses=responses(none_such(ProblemReport)),
)
def resolve_problem_reports(given: ResolutionIn, register: Register, officer: Officer) -> Response:
    """Resolve the reports with some ids, or the oldest of all that are so, with one note for each.

    All of them or none. Those that are resolved already stay as they are.
    """
    return register.create(
        officer,
        given,
        lambda session: ("/v1/admin/problem-reports", reports.resolve(session, given)),
    )


@router.get("/{report_id}", **REPORTS.shows("One problem report"))
def one_problem_report(report_id: UUID, register: Register, _: Reader) -> Response:
    """What somebody told us about a haven, and what officers did."""
    return REPORTS.read(register, report_id)


@router.post(
    "/{report_id}/take-up",
    **REPORTS.changes(
        "Take up a problem report", reports.TakenUpAlready(), reports.ResolvedAlready()
    ),
)
def take_up_problem_report(
    report_id: UUID, given: StepIn, register: Register, officer: Officer
) -> Response:
    """Say what is being done about a report."""
    return _step(report_id, Step.TAKEN_UP, given, register, officer)


@router.post(
    "/{report_id}/resolve",
    **REPORTS.changes("Resolve a problem report", reports.ResolvedAlready()),
)
def resolve_problem_report(
    report_id: UUID, given: StepIn, register: Register, officer: Officer
) -> Response:
    """Say what was done about a report, and that this ends it."""
    return _step(report_id, Step.RESOLVED, given, register, officer)


def _step(
    report_id: UUID, step: Step, given: StepIn, register: Register, officer: Officer
) -> Response:
    return REPORTS.change(register, officer, report_id, reports.record_step, step, given)


@router.post(
    "/{report_id}/steps/{step_id}/void",
    **REPORTS.changes("Void a step on a problem report", reports.NoSuchStep(), AlreadyVoid()),
)
def void_report_step(
    report_id: UUID, step_id: UUID, given: VoidReason, register: Register, officer: Officer
) -> Response:
    """Say that a step was recorded by mistake; the report is where it was before it."""
    return REPORTS.change(register, officer, report_id, reports.void_step, step_id, given.reason)
