"""What is recorded of training, read in columns, and what it comes to on some London days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlmodel import Session, col

from app.core.columns import Ints, london_days, places, read_columns
from app.core.events import known
from app.core.settings import settings
from app.training.columns import Attendances, Headcounts, Standings, standings
from app.training.courses import COURSES
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.facts import FactsOn, KnownFacts, all_facts, facts_of

_FEW = 2_000
"""Up to so many venues, to ask for each is quicker than to read what is known of all."""


@dataclass(frozen=True)
class Grid:
    """Every venue in every course at the end of each of some London days.

    The arrays of `standings` and `facts` go by the places in `days`, `venues` and `courses`. A
    venue is named by its id's `hex`. `attendances` are those up to the last day.
    """

    days: list[date]
    venues: list[str]
    courses: list[str]
    standings: Standings
    facts: FactsOn
    attendances: Attendances

    def last_trained(self) -> Ints:
        """The last day on which staff took part, as an ordinal, else 0: of [venue, course]."""
        latest = np.zeros((len(self.venues), len(self.courses)), np.int64)
        at = self.attendances
        np.maximum.at(latest, (at.venue, at.course), at.on)
        return latest


def training_grid(
    session: Session,
    days: Collection[date],
    known_at: datetime | None = None,
    *,
    venues: Collection[UUID] | None = None,
    courses: Collection[str] = COURSES,
    due_days: int | None = None,
    happened_by: date | None = None,
    facts: KnownFacts | None = None,
) -> Grid:
    """What the training of every venue in every course, or of those asked for, comes to on some
    London days.

    Five queries at most, however many venues and days there are. What had been recorded by
    `known_at` counts, and not been voided by then; None is now. Whatever its status, a venue is in
    it. Days and venues come in order; `due_days` are those of the settings, unless others are
    given. With `happened_by` what happened after that day is left out. `facts` are those of every
    venue, once read.
    """
    in_order = sorted(set(days))
    every = venues is None or len(venues) > _FEW
    if venues is not None:
        ids = sorted({venue_id.hex for venue_id in venues})
        facts = facts_of(session, ids, known_at, every=every)
    elif facts is None:
        facts = all_facts(session, known_at)
    ids, facts_on = facts.venues, facts.on(in_order)
    last = happened_by or in_order[-1]
    attendances = _attendances(session, ids, courses, last, known_at, every=every)
    found = standings(
        [COURSES[course] for course in courses],
        attendances,
        _headcounts(session, ids, last, known_at, every=every),
        facts_on.refresh_months,
        np.array([day.toordinal() for day in in_order]),
        settings().due_days if due_days is None else due_days,
    )
    return Grid(in_order, ids, list(courses), found, facts_on, attendances)


def _attendances(
    session: Session,
    venues: Sequence[str],
    courses: Collection[str],
    last: date,
    known_at: datetime | None,
    *,
    every: bool,
) -> Attendances:
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
    if len(courses) < len(COURSES):
        sessions = sessions.where(col(TrainingSession.course).in_(courses))
        attendances = attendances.where(
            col(Attendance.session_id).in_(sessions.with_only_columns(col(TrainingSession.id)))
        )
    if not every:
        attendances = attendances.where(col(Attendance.venue_id).in_(map(UUID, venues)))
        sessions = sessions.where(
            col(TrainingSession.id).in_(attendances.with_only_columns(col(Attendance.session_id)))
        )
    # Joined here: SQLite takes several times as long to look up each session.
    ids, taught = read_columns(session, sessions)
    session_id, venue, at, new, refresher = read_columns(session, attendances)
    # The last one, for what belongs to no session that counts, is no course.
    course = np.append(places(taught, courses), -1)[places(session_id, ids)]
    rows = Attendances(places(venue, venues), course, london_days(at), new, refresher)
    # Not in SQL: SQLite would go by the index of days, and look up nearly every row alone.
    counted = (rows.venue >= 0) & (rows.course >= 0) & (rows.on <= last.toordinal())
    return Attendances(*(column[counted] for column in rows))


def _headcounts(
    session: Session, venues: Sequence[str], last: date, known_at: datetime | None, *, every: bool
) -> Headcounts:
    headcounts = sa.select(
        col(Headcount.effective_at),
        col(Headcount.recorded_at),
        col(Headcount.id),
        col(Headcount.venue_id),
        col(Headcount.staff),
        col(Headcount.left),
    ).where(known(Headcount, known_at))
    if not every:
        headcounts = headcounts.where(col(Headcount.venue_id).in_(map(UUID, venues)))
    at, recorded_at, ids, venue, staff, left = read_columns(session, headcounts)
    in_turn = np.lexsort((np.array(ids), recorded_at, at))
    rows = Headcounts(places(venue, venues), london_days(at), staff, left)
    counted = in_turn[((rows.venue >= 0) & (rows.on <= last.toordinal()))[in_turn]]
    return Headcounts(*(column[counted] for column in rows))
