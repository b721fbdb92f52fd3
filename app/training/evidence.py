"""What training comes to: as at the end of a London day, as known at an instant."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import Session, col, select

from app.core.events import in_effect, known, within
from app.core.settings import settings
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rag import Thresholds
from app.training.rules import Attended, CourseState, Declared, course_state
from app.venues.facts import facts_on


@dataclass(frozen=True)
class Evidence:
    """All that makes a venue's standing what it is on a London day, oldest first.

    `refresh_months` is the venue's own term on that day, None where it has none.
    """

    on: date
    attendances: list[Attendance]
    headcounts: list[Headcount]
    refresh_months: int | None

    def states(self, thresholds: Thresholds | None = None) -> dict[str, CourseState]:
        """The standing in every course; the thresholds are the settings', unless given."""
        return {
            key: course_state(
                course,
                [
                    Attended(attendance.on, attendance.new_count, attendance.refresher_count)
                    for attendance in self.attendances
                    if attendance.session.course == key
                ],
                [Declared(count.on, count.staff, count.left) for count in self.headcounts],
                self.refresh_months,
                self.on,
                thresholds or Thresholds.of(settings()),
            )
            for key, course in COURSES.items()
        }


def evidence(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None = None
) -> Evidence:
    """What had been recorded of a venue by `known_at`, and not been voided by then; None is now."""
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
        .order_by(col(Headcount.effective_at), col(Headcount.recorded_at), col(Headcount.id))
    )
    terms = facts_on(session, [venue_id], [on], known_at).refresh_months
    return Evidence(on, list(attendances), list(headcounts), int(terms[0, 0]) or None)


def trained_in_date(
    session: Session,
    venue_id: UUID,
    course_key: str | None,
    on: date,
    known_at: datetime | None = None,
) -> int:
    """How many of a venue's staff are in date in a course on a London day; None is any course.

    In any course that is the most in one: those in date in another may be the same people.
    """
    states = evidence(session, venue_id, on, known_at).states()
    return max(state.trained for key, state in states.items() if course_key in (key, None))


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
