"""What training comes to: as at the end of a London day, as known at an instant."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload
from sqlmodel import Session, col, select

from app.events import LONDON, Event, effective, in_effect
from app.settings import settings
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rules import Attended, CourseState, Declared, Thresholds, state
from app.venues.models import Venue, VenueFacts

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

    Four queries, however many venues there are. What had been recorded by `known_at` counts, and
    not been voided by then; None is now. Whatever its status, a venue is in it.
    """
    attended: defaultdict[tuple[UUID, str], list[Attended]] = defaultdict(list)
    declared: defaultdict[UUID, list[Declared]] = defaultdict(list)
    for venue_id, course, at, new, refresher in session.execute(
        sa.select(
            col(Attendance.venue_id),
            col(TrainingSession.course),
            col(Attendance.effective_at),
            col(Attendance.new_count),
            col(Attendance.refresher_count),
        )
        .join(TrainingSession)
        .where(
            *known(TrainingSession, known_at),
            *known(Attendance, known_at),
            *within(Attendance, None, on),
            *_at(col(Attendance.venue_id), venues),
        )
    ):
        attended[venue_id, course].append(Attended(_london_day(at), new, refresher))
    for venue_id, at, staff, left in session.execute(
        sa.select(
            col(Headcount.venue_id),
            col(Headcount.effective_at),
            col(Headcount.staff),
            col(Headcount.left),
        )
        .where(
            *known(Headcount, known_at),
            *within(Headcount, None, on),
            *_at(col(Headcount.venue_id), venues),
        )
        .order_by(*_IN_TURN)
    ):
        declared[venue_id].append(Declared(_london_day(at), staff, left))
    facts = _facts(session, on, known_at, venues)
    limits = Thresholds(settings().rag_green, settings().rag_amber, settings().due_days)
    everywhere = session.exec(select(Venue.id)) if venues is None else venues
    return {
        venue_id: {
            key: state(
                course,
                attended.get((venue_id, key), ()),
                declared.get(venue_id, ()),
                facts[venue_id].refresh_months if venue_id in facts else None,
                on,
                limits,
            )
            for key, course in COURSES.items()
        }
        for venue_id in everywhere
    }


def evidence(
    session: Session, venue_id: UUID, on: date, known_at: datetime | None = None
) -> tuple[list[Attendance], list[Headcount]]:
    """All that makes a venue's standing what it is on a London day, oldest first."""
    attendances = session.exec(
        select(Attendance)
        .join(TrainingSession)
        .where(
            *known(TrainingSession, known_at),
            *known(Attendance, known_at),
            *within(Attendance, None, on),
            col(Attendance.venue_id) == venue_id,
        )
        .order_by(col(Attendance.effective_at), col(Attendance.recorded_at), col(Attendance.id))
        .options(joinedload(Attendance.session))  # type: ignore[arg-type]
    )
    headcounts = session.exec(
        select(Headcount)
        .where(
            *known(Headcount, known_at),
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


# --- figures ---------------------------------------------------------------------------------


@dataclass
class Figure:
    """What was delivered in a period; `total` counts a person each time they were trained."""

    sessions: int = 0
    new: int = 0
    refresher: int = 0
    venues: set[UUID] = field(default_factory=set)
    businesses: set[UUID] = field(default_factory=set)

    @property
    def total(self) -> int:
        """People trained, for the first time or again."""
        return self.new + self.refresher


def figures(
    session: Session, first: date, last: date, known_at: datetime | None = None
) -> tuple[Figure, dict[str, Figure]]:
    """What was delivered from one London day to another, both included: in all, and by course.

    A venue counts for the business that ran it at the end of the period.
    """
    whole, by_course = Figure(), {key: Figure() for key in COURSES}
    for course, sessions in session.execute(
        sa.select(col(TrainingSession.course), sa.func.count())
        .where(*known(TrainingSession, known_at), *within(TrainingSession, first, last))
        .group_by(col(TrainingSession.course))
    ):
        for figure in (whole, by_course[course]):
            figure.sessions += sessions
    facts = _facts(session, last, known_at)
    for course, venue_id, new, refresher in session.execute(
        sa.select(
            col(TrainingSession.course),
            col(Attendance.venue_id),
            sa.func.sum(Attendance.new_count),
            sa.func.sum(Attendance.refresher_count),
        )
        .select_from(Attendance)
        .join(TrainingSession)
        .where(
            *known(TrainingSession, known_at),
            *known(Attendance, known_at),
            *within(Attendance, first, last),
        )
        .group_by(col(TrainingSession.course), col(Attendance.venue_id))
    ):
        business_id = facts[venue_id].business_id if venue_id in facts else None
        for figure in (whole, by_course[course]):
            figure.new += new
            figure.refresher += refresher
            figure.venues.add(venue_id)
            if business_id:
                figure.businesses.add(business_id)
    return whole, by_course


# --- what counts -------------------------------------------------------------------------------


def known(model: type[Event], at: datetime | None) -> list[sa.ColumnElement[bool]]:
    """SQL: the event was recorded by an instant, and not voided by then; None is now."""
    voided_at = col(model.voided_at)
    if at is None:
        return [voided_at.is_(None)]
    return [col(model.recorded_at) <= at, voided_at.is_(None) | (voided_at > at)]


def within(
    model: type[Event], first: date | None, last: date | None
) -> list[sa.ColumnElement[bool]]:
    """SQL: the event took effect from one London day to another, both included."""
    effective_at = col(model.effective_at)
    return [
        *([effective_at >= effective(first)] if first else []),
        *([effective_at < effective(last + timedelta(days=1))] if last else []),
    ]


class _Facts(NamedTuple):
    refresh_months: int | None
    business_id: UUID | None


def _facts(
    session: Session,
    on: date,
    known_at: datetime | None,
    venues: Collection[UUID] | None = None,
) -> dict[UUID, _Facts]:
    """What held of venues at the end of a London day; before a venue's first facts, those.

    History is often entered for the time before a venue was registered.
    """
    rows = session.execute(
        sa.select(
            col(VenueFacts.venue_id),
            col(VenueFacts.effective_at),
            col(VenueFacts.refresh_months),
            col(VenueFacts.business_id),
        )
        .where(*known(VenueFacts, known_at), *_at(col(VenueFacts.venue_id), venues))
        .order_by(col(VenueFacts.effective_at), col(VenueFacts.recorded_at))
    )
    end = effective(on + timedelta(days=1))
    first: dict[UUID, datetime] = {}
    facts: dict[UUID, _Facts] = {}
    for venue_id, at, *held in rows:
        if at <= first.setdefault(venue_id, at) or at < end:
            facts[venue_id] = _Facts(*held)
    return facts


def _at(column: Any, venues: Collection[UUID] | None) -> list[sa.ColumnElement[bool]]:
    return [] if venues is None else [column.in_(venues)]


@lru_cache(maxsize=10_000)
def _london_day(instant: datetime) -> date:
    return instant.astimezone(LONDON).date()
