"""What an officer records about training, each once and never overwritten."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import find
from app.core.errors import DomainError, FieldError, Invalid
from app.core.events import in_effect, not_in_future, recorded
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.schemas import AttendanceIn, HeadcountIn, SessionIn
from app.venues.models import Venue


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


def record_session(session: Session, asked: SessionIn) -> TrainingSession:
    """Record a delivery of a course with all who attended it.

    Raises `Invalid` for a day to come, an unknown venue or a role that is counted twice.
    """
    effective_at = not_in_future(session, asked.on)
    _refuse_unknown_venues(session, [a.venue_id for a in asked.attendances])
    _refuse_twice(asked.attendances)
    made = TrainingSession(
        effective_at=effective_at,
        course=asked.course,
        place=asked.place,
        provider=asked.provider,
        note=asked.note,
        **recorded(session),
    )
    made.attendances = [_attendance(session, made, one) for one in asked.attendances]
    session.add(made)
    session.flush()
    return made


def add_attendance(session: Session, session_id: UUID, asked: AttendanceIn) -> Attendance:
    """Record more people of a session.

    Raises `NotFound`, `SessionIsVoid`, `CountedAlready`, or `Invalid` for an unknown venue.
    """
    training = find(session, TrainingSession, session_id)
    if training.voided_at is not None:
        raise SessionIsVoid
    if session.get(Venue, asked.venue_id) is None:
        raise Invalid([_unknown_venue("venue_id")])
    same = select(Attendance.id).where(
        in_effect(Attendance),
        col(Attendance.session_id) == session_id,
        col(Attendance.venue_id) == asked.venue_id,
        col(Attendance.role) == asked.role,
    )
    if session.exec(same).first():
        raise CountedAlready
    made = _attendance(session, training, asked)
    session.add(made)
    session.flush()
    return made


def declare_headcount(session: Session, venue_id: UUID, asked: HeadcountIn) -> Headcount:
    """Record how many staff a venue has.

    Raises `NotFound`, `DeclaredAlready`, or `Invalid` for a day to come.
    """
    venue = find(session, Venue, venue_id)
    effective_at = not_in_future(session, asked.on)
    same = select(Headcount.id).where(
        in_effect(Headcount),
        col(Headcount.venue_id) == venue.id,
        col(Headcount.effective_at) == effective_at,
    )
    if session.exec(same).first():
        raise DeclaredAlready
    made = Headcount(
        effective_at=effective_at,
        venue_id=venue.id,
        staff=asked.staff,
        left=asked.left,
        **recorded(session),
    )
    session.add(made)
    session.flush()
    return made


def _attendance(session: Session, training: TrainingSession, asked: AttendanceIn) -> Attendance:
    return Attendance(
        effective_at=training.effective_at,
        session_id=training.id,
        venue_id=asked.venue_id,
        role=asked.role,
        new_count=asked.new,
        refresher_count=asked.refresher,
        **recorded(session),
    )


def _refuse_unknown_venues(session: Session, venue_ids: Sequence[UUID]) -> None:
    known = set(session.exec(select(Venue.id).where(col(Venue.id).in_(set(venue_ids)))))
    errors = [
        _unknown_venue(f"attendances.{place}.venue_id")
        for place, venue_id in enumerate(venue_ids)
        if venue_id not in known
    ]
    if errors:
        raise Invalid(errors)


def _refuse_twice(attendances: Iterable[AttendanceIn]) -> None:
    seen = set()
    errors = []
    for place, one in enumerate(attendances):
        if (one.venue_id, one.role) in seen:
            message = "counts a role of a venue for the second time"
            errors.append(FieldError(field=f"attendances.{place}", message=message))
        seen.add((one.venue_id, one.role))
    if errors:
        raise Invalid(errors)


def _unknown_venue(field: str) -> FieldError:
    return FieldError(field=field, message="is not a venue of this register")
