"""What training comes to: as at the end of a London day, as known at an instant."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import Session, col, select

from app.core.events import in_effect, known, within
from app.training.grid import training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rules import CourseState

_IN_TURN = (col(Headcount.effective_at), col(Headcount.recorded_at), col(Headcount.id))


def trained_in_date(
    session: Session,
    venue_id: UUID,
    course_key: str,
    on: date,
    known_at: datetime | None = None,
) -> int:
    """How many of a venue's staff are trained in a course, and in date on a London day."""
    states = training_states(session, on, known_at, venues=[venue_id])
    return states[venue_id][course_key].trained


def anyone_trained_in_date(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None = None
) -> int:
    """How many of a venue's staff are in date in some course, at the least.

    That is the most in any one course: those in date in another may be the same people.
    """
    states = training_states(session, on, known_at, venues=[venue_id])
    return max(one.trained for one in states[venue_id].values())


def training_states(
    session: Session,
    on: date,
    known_at: datetime | None = None,
    *,
    venues: Collection[UUID] | None = None,
) -> dict[UUID, dict[str, CourseState]]:
    """The standing of every venue, or of those asked for, in every course on a London day.

    What had been recorded by `known_at` counts, and not been voided by then; None is now.
    Whatever its status, a venue is in it.
    """
    grid = training_grid(session, [on], known_at, venues=venues)
    return {
        venue_id: {
            key: grid.standings.of(0, venue, course) for course, key in enumerate(grid.courses)
        }
        for venue, venue_id in enumerate(grid.venues)
    }


def evidence(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None = None
) -> tuple[list[Attendance], list[Headcount]]:
    """All that makes a venue's standing what it is on a London day, oldest first."""
    attendances = session.exec(
        select(Attendance)
        .join(TrainingSession)
        .where(
            known(TrainingSession, known_at),
            known(Attendance, known_at),
            *within(Attendance, None, on),
            col(Attendance.venue_id) == venue_id,
        )
        .order_by(col(Attendance.effective_at), col(Attendance.recorded_at), col(Attendance.id))
        .options(joinedload(Attendance.session))  # type: ignore[arg-type]
    )
    headcounts = session.exec(
        select(Headcount)
        .where(
            known(Headcount, known_at),
            *within(Headcount, None, on),
            col(Headcount.venue_id) == venue_id,
        )
        .order_by(*_IN_TURN)
    )
    return list(attendances), list(headcounts)


def delivered(
    course: str | None = None,
    venue_id: UUID | None = None,
    first: date | None = None,
    last: date | None = None,
    *,
    voided: bool = False,
) -> sa.Select[Any]:
    """The sessions of a course, attended from a venue, from one London day to another."""
    sessions = (
        sa.select(TrainingSession)
        .where(*within(TrainingSession, first, last))
        .options(selectinload(TrainingSession.attendances))  # type: ignore[arg-type]
    )
    attended = sa.select(col(Attendance.session_id)).where(col(Attendance.venue_id) == venue_id)
    if not voided:
        sessions = sessions.where(in_effect(TrainingSession))
        attended = attended.where(in_effect(Attendance))
    if course:
        sessions = sessions.where(col(TrainingSession.course) == course)
    if venue_id:
        sessions = sessions.where(col(TrainingSession.id).in_(attended))
    return sessions


def declared_at(venue_id: UUID, *, voided: bool = False) -> sa.Select[Any]:
    """The headcounts of a venue."""
    headcounts = sa.select(Headcount).where(col(Headcount.venue_id) == venue_id)
    return headcounts if voided else headcounts.where(in_effect(Headcount))
