"""What an officer records about training, each once and never overwritten."""

from collections.abc import Callable, Container
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.batch import made
from app.core.db import find
from app.core.errors import DomainError, FieldError, Invalid, wrong
from app.core.events import in_effect, keep, not_in_future, recorded
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
    """Record a delivery of a course with all who attended it. Raises as `new_session` does."""
    venue_ids = {attendance.venue_id for attendance in given.attendances}
    known = set(session.exec(select(Venue.id).where(col(Venue.id).in_(venue_ids))))
    return keep(session, new_session(session, given, known))


def new_session(session: Session, given: SessionIn, known: Container[UUID]) -> TrainingSession:
    """A delivery of a course with all who attended it, from known venues.

    Raises `Invalid` for a day to come, an unknown venue or a role that is counted twice.
    """
    at = not_in_future(session, given.on)
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
    stamp = {"effective_at": at, **recorded(session)}
    training = TrainingSession(**given.model_dump(exclude={"on", "attendances"}), **stamp)
    training.attendances = [
        Attendance(session_id=training.id, **_counts(attendance), **stamp)
        for attendance in given.attendances
    ]
    return training


def add_attendance(session: Session, session_id: UUID, given: AttendanceIn) -> Attendance:
    """Record more people of a session.

    Raises `NotFound`, `SessionIsVoid`, `CountedAlready`, or `Invalid` for an unknown venue.
    """
    training = find(session, TrainingSession, session_id)
    if training.voided_at is not None:
        raise SessionIsVoid
    if session.get(Venue, given.venue_id) is None:
        raise wrong("venue_id", UNKNOWN_VENUE)
    return keep(session, new_attendance(session, training, given, partial(_is_counted, session)))


def new_attendance(
    session: Session,
    training: TrainingSession,
    given: AttendanceIn,
    is_counted: Callable[[UUID, UUID, str], bool],
) -> Attendance:
    """More people of a session. `is_counted` says whether a session counts a venue's role.

    Raises `CountedAlready`.
    """
    if is_counted(training.id, given.venue_id, given.role):
        raise CountedAlready
    stamp = {"effective_at": training.effective_at, **recorded(session)}
    return made(Attendance, session_id=training.id, **_counts(given), **stamp)


def _is_counted(session: Session, session_id: UUID, venue_id: UUID, role: str) -> bool:
    counted = select(Attendance.id).where(
        in_effect(Attendance),
        col(Attendance.session_id) == session_id,
        col(Attendance.venue_id) == venue_id,
        col(Attendance.role) == role,
    )
    return session.exec(counted).first() is not None


def declare_headcount(session: Session, venue_id: UUID, given: HeadcountIn) -> Headcount:
    """Record how many staff a venue has.

    Raises `NotFound`, and as `new_headcount` does.
    """
    find(session, Venue, venue_id)
    return keep(session, new_headcount(session, venue_id, given, partial(_is_declared, session)))


def new_headcount(
    session: Session,
    venue_id: UUID,
    given: HeadcountIn,
    is_declared: Callable[[UUID, datetime], bool],
) -> Headcount:
    """How many staff a venue has. `is_declared` says whether it has a headcount of an instant.

    Raises `DeclaredAlready`, or `Invalid` for a day to come.
    """
    at = not_in_future(session, given.on)
    if is_declared(venue_id, at):
        raise DeclaredAlready
    return made(
        Headcount,
        venue_id=venue_id,
        effective_at=at,
        staff=given.staff,
        left=given.left,
        **recorded(session),
    )


def _is_declared(session: Session, venue_id: UUID, at: datetime) -> bool:
    declared = select(Headcount.id).where(
        in_effect(Headcount),
        col(Headcount.venue_id) == venue_id,
        col(Headcount.effective_at) == at,
    )
    return session.exec(declared).first() is not None


def _counts(given: AttendanceIn) -> dict[str, Any]:
    return {
        "venue_id": given.venue_id,
        "role": given.role,
        "new_count": given.new,
        "refresher_count": given.refresher,
    }
