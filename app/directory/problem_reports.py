"""Problem reports, as anybody may send them about a haven that is listed.

Nobody reads one live. None holds an address, a device or a position, nor a time but the day.
"""

from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Response

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.errors import (
    PROBLEM_JSON,
    DomainError,
    Invalid,
    NotFound,
    problem_document,
    responses,
)
from app.core.journal import WrongClock
from app.core.trouble import say
from app.directory.live import Directory
from app.directory.nearest import NO_STORE
from app.directory.read_side import NotReady
from app.directory.reporters import Reporter, TheReporter, TooManyFromOneAddress
from app.directory.routes import HavenId, Help, Live, listed_row
from app.directory.schemas import ProblemReportTaken
from app.http.database import Unavailable
from app.outreach import reports
from app.outreach.schemas import ProblemReportIn

router = APIRouter(tags=["havens"])

NOTICE = "Thank you, your report is kept. Nobody reads it live: if you need help now, call."


class NotKept(DomainError):
    """The database is in trouble, or a clock is wrong."""

    status = 503
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed
    code = "report-not-kept"
    title = "Your report can't be kept just now; if you are in danger call 999"


REFUSALS = (NotKept, reports.TooManyReports, TooManyFromOneAddress)
"""Why a report that is right is not kept; whoever sent it is told, and whom to call."""


@router.post(
    "/v1/havens/{haven_id}/problem-reports",
    status_code=202,
    summary="Tell us about a problem at a haven",
    response_model=ProblemReportTaken,
    response_description="The report is kept; whom to call if you need help now",
    responses=responses(
        NotFound("haven"),
        Invalid(),
        reports.TooManyReports(),
        TooManyFromOneAddress(),
        NotKept(),
        NotReady(),
    ),
)
async def report_problem(
    haven_id: HavenId,
    given: ProblemReportIn,
    directory: Live,
    contacts: Help,
    reporter: TheReporter,
) -> Response:
    """Tell us that a haven was closed, say, or that its staff did not know what to do.

    Nobody reads this live. No address, device or position is kept with it, and no time but the day.
    """
    body: dict[str, Any] = {"notice": NOTICE}
    status, media_type, headers = 202, "application/json", {**NO_STORE, **contacts.headers}
    try:
        await keep_report(directory, reporter, haven_id, given)
    except REFUSALS as error:
        body, status, media_type = problem_document(error), error.status, PROBLEM_JSON
        headers |= error.headers
    content = orjson.dumps(body | {"help": orjson.Fragment(contacts.body)})
    return Response(content, status, headers, media_type)


async def keep_report(
    directory: Directory,
    reporter: Reporter,
    haven_id: UUID,
    given: ProblemReportIn,
) -> None:
    """Keep what somebody tells us about a haven that is listed now.

    Raises `NotFound`, `NotReady`, and one of `REFUSALS`.
    """
    listed_row(directory.search, haven_id, directory.clock())
    try:
        await reporter(haven_id, given)
    except Unavailable:
        raise NotKept from None
    except (*DATABASE_ERRORS, WrongClock) as error:
        say("a problem report was not kept", trouble(error) or type(error).__name__)
        # What went wrong can quote what was sent.
        raise NotKept from None
