"""What training comes to: as at the end of a London day, as known at an instant."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import Session, col, select

from app.core.db import many_rows
from app.core.events import in_effect, known, within
from app.core.london import london_day
from app.core.settings import settings
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rag import Thresholds
from app.training.rules import Attended, CourseState, Declared, course_state
from app.venues.facts import facts_of
from app.venues.models import VenueFacts


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
    terms = facts_of(session, [venue_id.hex], known_at).on([on]).refresh_months
    return Evidence(on, list(attendances), list(headcounts), int(terms[0, 0]) or None)


class TrainedInDate:
    """As `trained_in_date` by what counts now, for venues and days without a query for each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._attended: dict[UUID, list[tuple[str, Attended]]] = defaultdict(list)
        self._declared: dict[UUID, list[Declared]] = defaultdict(list)
        attendances: Iterable[Any] = many_rows(
            session,
            sa.select(
                col(Attendance.venue_id),
                col(TrainingSession.course),
                col(Attendance.effective_at),
                col(Attendance.new_count),
                col(Attendance.refresher_count),
            )
            .join(TrainingSession)
            .where(in_effect(TrainingSession), in_effect(Attendance)),
        )
        for venue_id, course, at, new, refresher in attendances:
            attended = Attended(london_day(at), new, refresher)
            self._attended[venue_id].append((course, attended))
        headcounts: Iterable[Any] = many_rows(
            session,
            sa.select(
                col(Headcount.venue_id),
                col(Headcount.effective_at),
                col(Headcount.staff),
                col(Headcount.left),
            )
            .where(in_effect(Headcount))
            .order_by(col(Headcount.effective_at), col(Headcount.recorded_at), col(Headcount.id)),
        )
        for venue_id, at, staff, left in headcounts:
            self._declared[venue_id].append(Declared(london_day(at), staff, left))
        own_term = col(VenueFacts.refresh_months).is_not(None)
        self._with_own_term = set(
            session.scalars(sa.select(col(VenueFacts.venue_id)).where(own_term))
        )

    def __call__(self, venue_id: UUID, course_key: str | None, on: date) -> int:
        """How many of a venue's staff are in date in a course on a London day."""
        months = None
        if venue_id in self._with_own_term:
            terms = facts_of(self._session, [venue_id.hex]).on([on]).refresh_months
            months = int(terms[0, 0]) or None
        attended, declared = self._attended.get(venue_id, []), self._declared.get(venue_id, [])
        thresholds = Thresholds.of(settings())
        return max(
            course_state(
                course,
                [event for key_, event in attended if key_ == key],
                declared,
                months,
                on,
                thresholds,
            ).trained
            for key, course in COURSES.items()
            if course_key in (key, None)
        )


def trained_in_date(
    session: Session,
    venue_id: UUID,
    course_key: str | None,
    on: date,
    known_at: datetime | None = None,
) -> int:
    """As `most_trained`, of a venue's staff on a London day."""
    return most_trained(evidence(session, venue_id, on, known_at).states(), course_key)


def most_trained(states: Mapping[str, CourseState], course_key: str | None) -> int:
    """How many staff are in date in a course, of the states of all; None is any course.

    In any course that is the most in one: those in date in another may be the same people.
    """
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
