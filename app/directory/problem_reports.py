"""Problem reports, as anybody may send them about a haven that is listed.

Nobody reads one live. None holds an address, a device or a position, nor a time but the day.
"""

import logging
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import PROBLEM_JSON, DomainError, Invalid, NotReady, problem, responses
from app.core.journal import WrongClock
from app.directory.routes import NO_STORE, Help, Live, NoSuchHaven
from app.directory.schemas import ProblemReportTaken
from app.http.conditional import TheJournal
from app.outreach import reports
from app.outreach.schemas import ProblemReportIn

log = logging.getLogger(__name__)

router = APIRouter(tags=["havens"])

NOTICE = "Thank you, your report is kept. Nobody reads it live: if you need help now, call."


class NotKept(DomainError):
    """The database is out of reach, or a clock is wrong."""

    status = 503
    code = "report-not-kept"
    title = "Your report can't be kept just now; if you are in danger call 999"


@router.post(
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
    journal: TheJournal,
) -> Response:
    """Tell us that a haven was closed, say, or that its staff did not know what to do.

    Nobody reads this live. No address, device or position is kept with it, and no time but the day.
    """
    search = directory.search
    row = search.row(haven_id)
    if row is None or not search.is_listed(row, int(directory.clock())):
        raise NoSuchHaven
    try:
        with journal.writing(reports.PUBLIC) as session:
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
