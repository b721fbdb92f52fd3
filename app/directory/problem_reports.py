"""Problem reports, as anybody may send them about a haven that is listed.

Nobody reads one live. None holds an address, a device or a position, nor a time but the day.
"""

import logging
from typing import Any

import orjson
from fastapi import APIRouter, Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import (
    PROBLEM_JSON,
    DomainError,
    Invalid,
    NotFound,
    problem_document,
    responses,
)
from app.core.journal import WrongClock
from app.directory.live import NotReady
from app.directory.routes import NO_STORE, HavenId, Help, Live, listed_row
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
    responses=responses(
        NotFound("haven"), Invalid(), reports.TooManyReports(), NotKept(), NotReady()
    ),
)
def report_problem(
    haven_id: HavenId,
    given: ProblemReportIn,
    directory: Live,
    contacts: Help,
    journal: TheJournal,
) -> Response:
    """Tell us that a haven was closed, say, or that its staff did not know what to do.

    Nobody reads this live. No address, device or position is kept with it, and no time but the day.
    """
    listed_row(directory.search, haven_id, directory.clock())
    body: dict[str, Any] = {"notice": NOTICE}
    status, media_type = 202, "application/json"
    try:
        with journal.writing(reports.PUBLIC) as session:
            reports.report_problem(session, haven_id, given)
    except (DBAPIError, PoolTimeout, WrongClock) as error:
        # What went wrong can quote what was sent.
        log.error("problem report not kept: %s", type(error).__name__)
        body, status, media_type = problem_document(NotKept()), NotKept.status, PROBLEM_JSON
    content = orjson.dumps(body | {"help": orjson.Fragment(contacts)})
    return Response(content, status, NO_STORE, media_type)
