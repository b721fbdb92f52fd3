"""What an officer records about training, each once and never overwritten."""

from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import find
from app.core.errors import DomainError, FieldError, Invalid, wrong
from app.core.events import in_effect, not_in_future, record, recorded
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn
from app.venues.models import Venue

UNKNOWN_VENUE = "is not a venue of this register"


class SessionIsVoid(DomainError):
    """A session that was a mistake can't be added to."""

    status = 409
    code = "session-is-void"
    title = "This training session was voided; record it anew"


class CountedAlready(DomainError):
    """One session has one count for each role of a venue, so that nobody is counted twice."""

    status = 409
    code = "counted-already"
    title = "This session counts that role of that venue already; void that first"


class DeclaredAlready(DomainError):
    """A venue has one headcount of a day, so that nobody leaves twice."""

    status = 409
    code = "declared-already"
    title = "This venue has a headcount of that day already; void that first"


def record_session(session: Session, given: SessionIn) -> TrainingSession:
    """Record a delivery of a course with all who attended it.

    Raises `Invalid` for a day to come, an unknown venue or a role that is counted twice.
    """
    at = not_in_future(session, given.on)
    venue_ids = {attendance.venue_id for attendance in given.attendances}
    known = set(session.exec(select(Venue.id).where(col(Venue.id).in_(venue_ids))))
    unknown, repeated, counted = [], [], set()
    for place, attendance in enumerate(given.attendances):
        field = f"attendances.{place}"
        if attendance.venue_id not in known:
            unknown.append(FieldError(field=f"{field}.venue_id", message=UNKNOWN_VENUE))
        if (attendance.venue_id, attendance.role) in counted:
            message = "counts a role of a venue for the second time"
            repeated.append(FieldError(field=field, message=message))
        counted.add((attendance.venue_id, attendance.role))
    if errors := unknown or repeated:
        raise Invalid(errors)
    attendances = [
        Attendance(effective_at=at, **_counts(attendance), **recorded(session))
        for attendance in given.attendances
    ]
    fields = given.model_dump(exclude={"on", "attendances"})
    return record(session, TrainingSession, at, attendances=attendances, **fields)


def add_attendance(session: Session, session_id: UUID, given: AttendanceIn) -> Attendance:
    """Record more people of a session.

    Raises `NotFound`, `SessionIsVoid`, `CountedAlready`, or `Invalid` for an unknown venue.
    """
    training = find(session, TrainingSession, session_id)
    if training.voided_at is not None:
        raise SessionIsVoid
    if session.get(Venue, given.venue_id) is None:
        raise wrong("venue_id", UNKNOWN_VENUE)
    counted = select(Attendance.id).where(
        in_effect(Attendance),
        col(Attendance.session_id) == session_id,
        col(Attendance.venue_id) == given.venue_id,
        col(Attendance.role) == given.role,
    )
    if session.exec(counted).first():
        raise CountedAlready
    at = training.effective_at
    return record(session, Attendance, at, session_id=session_id, **_counts(given))


def declare_headcount(session: Session, venue_id: UUID, given: HeadcountIn) -> Headcount:
    """Record how many staff a venue has.

    Raises `NotFound`, `DeclaredAlready`, or `Invalid` for a day to come.
    """
    find(session, Venue, venue_id)
    at = not_in_future(session, given.on)
    declared = select(Headcount.id).where(
        in_effect(Headcount),
        col(Headcount.venue_id) == venue_id,
        col(Headcount.effective_at) == at,
    )
    if session.exec(declared).first():
        raise DeclaredAlready
    return record(session, Headcount, at, venue_id=venue_id, staff=given.staff, left=given.left)


def _counts(given: AttendanceIn) -> dict[str, Any]:
    return {
        "venue_id": given.venue_id,
        "role": given.role,
        "new_count": given.new,
        "refresher_count": given.refresher,
    }
