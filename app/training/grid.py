"""What is recorded of training, read in columns, and what it comes to on some London days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from operator import attrgetter
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from app.core.columns import Ints, places, read_columns
from app.core.events import known
from app.core.london import LONDON
from app.core.settings import settings
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rules import Attended, CourseState, Declared, Standings, Thresholds, standings
from app.venues.facts import FactsOn, facts_on
from app.venues.models import Venue

_FEW = 500
"""Up to so many venues, asking for each is quicker than reading what is known of all."""


@dataclass(frozen=True)
class Grid:
    """Every venue in every course at the end of each of some London days.

    The arrays of `standings` and `facts` go by the places in `days`, `venues` and `courses`.
    """

    days: list[date]
    venues: list[UUID]
    courses: list[str]
    standings: Standings
    facts: FactsOn

    def state(self, day: date, venue_id: UUID, course_key: str) -> CourseState:
        """The standing of one of the venues in a course on one of the days."""
        return self.standings.of(
            self.days.index(day), self._place[venue_id], self.courses.index(course_key)
        )

    @cached_property
    def _place(self) -> dict[UUID, int]:
        return {venue_id: number for number, venue_id in enumerate(self.venues)}


def training_grid(
    session: Session,
    days: Collection[date],
    known_at: datetime | None = None,
    *,
    venues: Collection[UUID] | None = None,
    thresholds: Thresholds | None = None,
    happened_by: date | None = None,
) -> Grid:
    """What the training of every venue, or of those asked for, comes to on some London days.

    Five queries, however many venues and days there are. What had been recorded by `known_at`
    counts, and not been voided by then; None is now. Whatever its status, a venue is in it. Days
    and venues come in order; the thresholds are those of the settings, unless others are given.
    With `happened_by` what happened after that day is left out.
    """
    in_order = sorted(set(days))
    everywhere = session.exec(select(Venue.id)) if venues is None else set(venues)
    # An id compares in Python, its number at once.
    asked = sorted(everywhere, key=attrgetter("int"))
    every = venues is None or len(asked) > _FEW
    limits, last = settings(), happened_by or in_order[-1]
    facts = facts_on(session, asked, in_order, known_at, every=every)
    found = standings(
        list(COURSES.values()),
        _attended(session, asked, last, known_at, every=every),
        _declared(session, asked, last, known_at, every=every),
        facts.refresh_months,
        np.array([day.toordinal() for day in in_order]),
        thresholds or Thresholds(limits.rag_green, limits.rag_amber, limits.due_days),
    )
    return Grid(in_order, asked, list(COURSES), found, facts)


def _attended(
    session: Session, venues: Sequence[UUID], last: date, known_at: datetime | None, *, every: bool
) -> Attended:
    attendances = sa.select(
        col(Attendance.session_id),
        col(Attendance.venue_id),
        col(Attendance.effective_at),
        col(Attendance.new_count),
        col(Attendance.refresher_count),
    ).where(known(Attendance, known_at))
    sessions = sa.select(col(TrainingSession.id), col(TrainingSession.course)).where(
        known(TrainingSession, known_at)
    )
    if not every:
        attendances = attendances.where(col(Attendance.venue_id).in_(venues))
        sessions = sessions.where(
            col(TrainingSession.id).in_(attendances.with_only_columns(col(Attendance.session_id)))
        )
    # Joined here: SQLite takes several times as long to look up each session.
    ids, courses = read_columns(session, sessions)
    session_id, venue, at, new, refresher = read_columns(session, attendances)
    which = places(session_id, ids)
    # The last one, for what belongs to no session that counts, is no course.
    course = np.append(places(courses, COURSES), -1)[which]
    rows = Attended(places(venue, _hex(venues)), course, _london_days(at), new, refresher)
    # Not in SQL: SQLite would go by the index of days, and look up nearly every row alone.
    counted = (rows.venue >= 0) & (rows.course >= 0) & (rows.on <= last.toordinal())
    return Attended(*(column[counted] for column in rows))


def _declared(
    session: Session, venues: Sequence[UUID], last: date, known_at: datetime | None, *, every: bool
) -> Declared:
    headcounts = sa.select(
        col(Headcount.effective_at),
        col(Headcount.recorded_at),
        col(Headcount.id),
        col(Headcount.venue_id),
        col(Headcount.staff),
        col(Headcount.left),
    ).where(known(Headcount, known_at))
    if not every:
        headcounts = headcounts.where(col(Headcount.venue_id).in_(venues))
    at, recorded_at, id_, venue, staff, left = read_columns(session, headcounts)
    in_turn = np.lexsort((np.array(id_), recorded_at, at))
    rows = Declared(places(venue, _hex(venues)), _london_days(at), staff, left)
    counted = in_turn[((rows.venue >= 0) & (rows.on <= last.toordinal()))[in_turn]]
    return Declared(*(column[counted] for column in rows))


def _hex(venues: Sequence[UUID]) -> list[str]:
    return [venue_id.hex for venue_id in venues]


def _london_days(instants: NDArray[Any]) -> Ints:
    each, which = np.unique(instants, return_inverse=True)
    days = [at.replace(tzinfo=UTC).astimezone(LONDON).toordinal() for at in each.tolist()]
    return np.array(days, np.int64)[which]
