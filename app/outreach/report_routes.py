"""Problem reports over HTTP: taken from anybody, worked through by officers."""

import logging
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.directory.routes import NO_STORE, Help, Live, NoSuchHaven
from app.errors import PROBLEM_JSON, DomainError, Invalid, NotReady, problem, responses
from app.events import AlreadyVoid, VoidReason
from app.journal import WrongClock
from app.outreach import reports, show
from app.outreach.asked import ReportsAsked
from app.outreach.models import ProblemReport, Step
from app.outreach.schemas import (
    ProblemReportIn,
    ProblemReportOut,
    ProblemReportTaken,
    StepIn,
)
from app.work import Desk, Page, PreconditionRequired, Stale, page_together

log = logging.getLogger(__name__)

public = APIRouter(tags=["havens"])
router = APIRouter(prefix="/v1/admin/problem-reports", tags=["outreach"])

NOTICE = "Thank you, your report is kept. Nobody reads it live: if you need help now, call."


class NotKept(DomainError):
    """The database is out of reach, or a clock is wrong."""

    status = 503
    code = "report-not-kept"
    title = "Your report can't be kept just now; if you are in danger call 999"


@public.post(
    "/v1/havens/{haven_id}/problem-reports",
    status_code=202,
    summary="Tell us about a problem at a haven",
    response_model=ProblemReportTaken,
    response_description="The report is kept; whom to call if you need help now",
    responses=responses(NoSuchHaven(), Invalid(), reports.TooManyReports(), NotKept(), NotReady()),
)
def report_problem(
    haven_id: Annotated[UUID, Path(description="The `id` from another answer")],
    given: ProblemReportIn,
    directory: Live,
    contacts: Help,
    desk: Desk,
) -> Response:
    """Tell us that a haven was closed, say, or that its staff did not know what to do.

    Nobody reads this live. No address, device or position is kept with it, and no time but the day.
    """
    search = directory.search
    row = search.row(haven_id)
    if row is None or not search.is_listed(row, int(directory.clock())):
        raise NoSuchHaven
    try:
        with desk.journal.writing(reports.PUBLIC) as session:
            reports.report_problem(session, haven_id, given)
    except (DBAPIError, PoolTimeout, WrongClock) as error:
        # What went wrong can quote what was sent.
        log.error("problem report not kept: %s", type(error).__name__)
        body = orjson.loads(problem(NotKept.status, NotKept.code, NotKept.title).body)
        return Response(
            _with_help(body, contacts), NotKept.status, NO_STORE, media_type=PROBLEM_JSON
        )
    return Response(
        _with_help({"notice": NOTICE}, contacts), 202, NO_STORE, media_type="application/json"
    )


def _with_help(body: dict[str, object], contacts: bytes) -> bytes:
    return orjson.dumps(body | {"help": orjson.Fragment(contacts)})


@router.get(
    "",
    summary="The queue of problem reports",
    response_model=Page[ProblemReportOut],
    responses=responses(Invalid()),
)
def list_problem_reports(
    asked: Annotated[ReportsAsked, Query()], desk: Desk, _: Reader
) -> Response:
    """What the public told us, newest first, by how far officers have come with it."""
    statement = select(ProblemReport)
    if asked.state:
        statement = statement.where(ProblemReport.state == asked.state)
    if asked.venue_id:
        statement = statement.where(ProblemReport.venue_id == asked.venue_id)
    order: list[Any] = [col(ProblemReport.effective_at), col(ProblemReport.id)]
    return desk.read(
        lambda session: page_together(
            session, statement, order, asked, show.problem_reports, newest_first=True
        )
    )


@router.get(
    "/{report_id}",
    summary="One problem report",
    response_model=ProblemReportOut,
    responses=responses(reports.NoSuchReport()),
)
def one_problem_report(report_id: UUID, desk: Desk, _: Reader) -> Response:
    """What somebody told us about a haven, and what officers did."""
    return desk.read(lambda session: _shown(session, report_id))


def _shown(session: Session, report_id: UUID) -> ProblemReportOut:
    return show.problem_report(session, reports.one_report(session, report_id))


@router.post(
    "/{report_id}/take-up",
    summary="Take up a problem report",
    response_model=ProblemReportOut,
    responses=responses(
        reports.NoSuchReport(),
        reports.TakenUpAlready(),
        reports.ResolvedAlready(),
        Stale(),
        PreconditionRequired(),
    ),
)
def take_up_problem_report(
    report_id: UUID, given: StepIn, desk: Desk, officer: Officer
) -> Response:
    """Say what is being done about a report."""
    return _step(report_id, Step.TAKEN_UP, given, desk, officer)


@router.post(
    "/{report_id}/resolve",
    summary="Resolve a problem report",
    response_model=ProblemReportOut,
    responses=responses(
        reports.NoSuchReport(), reports.ResolvedAlready(), Stale(), PreconditionRequired()
    ),
)
def resolve_problem_report(
    report_id: UUID, given: StepIn, desk: Desk, officer: Officer
) -> Response:
    """Say what was done about a report, and that this ends it."""
    return _step(report_id, Step.RESOLVED, given, desk, officer)


def _step(report_id: UUID, step: Step, given: StepIn, desk: Desk, officer: Officer) -> Response:
    return desk.change(
        officer,
        lambda session: _shown(session, report_id),
        lambda session: reports.record_step(
            session, reports.one_report(session, report_id), step, given
        ),
    )


@router.post(
    "/{report_id}/steps/{step_id}/void",
    summary="Void a step on a problem report",
    response_model=ProblemReportOut,
    responses=responses(reports.NoSuchStep(), AlreadyVoid(), Stale(), PreconditionRequired()),
)
def void_report_step(
    report_id: UUID, step_id: UUID, given: VoidReason, desk: Desk, officer: Officer
) -> Response:
    """Say that a step was recorded by mistake; the report is where it was before it."""
    return desk.change(
        officer,
        lambda session: _shown(session, report_id),
        lambda session: reports.void_step(
            session,
            reports.one_report(session, report_id),
            reports.one_step(session, report_id, step_id),
            given.reason,
        ),
    )
