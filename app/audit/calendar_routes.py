"""The private calendar over HTTP: its owner gives it an address and ends it, programs read it."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app.accounts.guards import Auditor
from app.audit.reports import calendar
from app.audit.reports.calendar import CalendarOut, CalendarSecret, NoAddress, NoSuchCalendar
from app.core.db import read_session
from app.core.errors import responses
from app.http.conditional import PreconditionRequired, Register, Stale, TheJournal, unstored
from app.http.fields import to_json

router = APIRouter(prefix="/v1/audit/calendar", tags=["audit"])
public = APIRouter(tags=["audit"])

_CHANGES = responses(Stale(), PreconditionRequired())
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The calendar",
        "content": {"text/calendar": {"schema": {"type": "string"}, "example": "BEGIN:VCALENDAR"}},
    }
}


@router.get("", summary="Whether your calendar has an address", response_model=CalendarOut)
def read_calendar_address(register: Register, auditor: Auditor) -> Response:
    """Since when your calendar can be read at a private address, if it can."""
    return register.read(partial(calendar.shown, account=auditor))


@router.post(
    "",
    summary="Give your calendar an address",
    response_model=CalendarSecret,
    response_description="The address, shown this once",
    responses=_CHANGES,
)
def make_calendar_address(register: Register, auditor: Auditor) -> Response:
    """A new private address, for calendar programs. One that your calendar had ends at once."""
    secret = calendar.new_secret()
    register.change(
        auditor,
        partial(calendar.shown, account=auditor),
        partial(calendar.make_address, account=auditor, secret=secret),
    )
    return unstored(to_json(CalendarSecret(address=f"/v1/calendar/{secret}.ics")))


@router.post(
    "/revoke",
    summary="End your calendar's address",
    response_model=CalendarOut,
    response_description="It has no address",
    responses=_CHANGES
    | responses(NoAddress())
    | {200: {"content": {"application/json": {"example": {}}}}},
)
def revoke_calendar_address(register: Register, auditor: Auditor) -> Response:
    """Nobody can read your calendar any more, from the next request on."""
    return register.change(
        auditor,
        partial(calendar.shown, account=auditor),
        partial(calendar.revoke, account=auditor),
    )


@public.get(
    "/v1/calendar/{secret}.ics",
    summary="A private calendar",
    response_class=Response,
    responses=_FILE | responses(NoSuchCalendar()),
)
def read_calendar(
    secret: Annotated[str, Path(description="The secret part of the address")],
    journal: TheJournal,
) -> Response:
    """What lapses soon or has lapsed, as iCalendar; its address is all that it takes to read it."""
    with read_session(journal.engine) as session:
        content = calendar.calendar(session, secret, datetime.now(UTC))
    return unstored(content, "text/calendar; charset=utf-8")
