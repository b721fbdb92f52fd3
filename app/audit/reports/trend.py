"""Coverage at each month's end, and which events turned it in one of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Annotated
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col

from app.audit.frame.names import VenueName, venue_names
from app.audit.frame.question import ReportQuestion, View
from app.audit.frame.report import Report, Row, about
from app.audit.frame.rows import change
from app.audit.reports.coverage import SOURCES, Covered, InScheme, Training
from app.core.errors import wrong
from app.core.events import known, within
from app.core.london import last_day, london_day
from app.http.fields import Absent, Maybe
from app.schemes.registry import SchemeKey
from app.training.columns import UNKNOWN
from app.training.courses import COURSES, CourseKey
from app.training.grid import Grid, training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.fields import A_VENUE_ID
from app.venues.models import VenueFacts

MONTHS = 24
"""How many months a trend goes back when nobody says."""

MOST_MONTHS = 120

_A_DAY = timedelta(days=1)


def _first_day(value: str) -> date:
    return date.fromisoformat(f"{value}-01")


Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2025-03"])]


class TrendQuestion(ReportQuestion):
    """Which months, both included; the two years up to `as_at` when none are given."""

    from_: Maybe[Month] = Field(default=None, alias="from", description="First month")
    until: Maybe[Month] = Field(default=None, description="Last month, included")

    def days(self, as_at: date) -> list[date]:
        """The end of each month, or `as_at` for the month that it lies in. Raises `Invalid`."""
        last = _first_day(self.until) if self.until else as_at.replace(day=1)
        first = _first_day(self.from_) if self.from_ else last_day(last, 1 - MONTHS) + _A_DAY
        number = 12 * (last.year - first.year) + last.month - first.month + 1
        if last > as_at:
            raise wrong("until", "must not be after as_at")
        if not 1 <= number <= MOST_MONTHS:
            raise wrong("from", f"must be a month before until, at most {MOST_MONTHS} of them")
        return [min(last_day(first, months), as_at) for months in range(1, number + 1)]


class TurnQuestion(ReportQuestion):
    """Which month of which course to explain."""

    month: Month
    course: CourseKey


# --- the trend -------------------------------------------------------------------------------


class _Monthly(Row):
    day: date = Field(title="At the end of", examples=["2025-03-31"])


class CourseMonth(Training, _Monthly):
    """How a course was covered at the end of a month."""

    change: float | Absent = Field(
        default=None,
        title="Change of coverage",
        description="Since the month before, as a part of the headcount",
        examples=[-0.0125],
    )


class SchemeMonth(InScheme, _Monthly):
    """How many venues stood in a scheme at the end of a month."""

    change: int | Absent = Field(default=None, title="Change of venues in force", examples=[2])


class Trend(Report):
    """Coverage month by month."""

    courses: list[CourseMonth]
    schemes: list[SchemeMonth]


def trend(session: Session, view: View, days: list[date]) -> Trend:
    """Coverage by course and by scheme at the end of each of some days, in order."""
    covered = Covered.read(session, view, days)
    return Trend(
        about=about(session, "Trend", view, SOURCES),
        courses=list(_course_months(covered)),
        schemes=list(_scheme_months(covered)),
    )


def _course_months(covered: Covered) -> Iterator[CourseMonth]:
    before: dict[CourseKey, float | None] = {}
    for place, day in enumerate(covered.grid.days):
        for row in covered.training(place):
            since_then = change(row.coverage, before.get(row.course))
            before[row.course] = row.coverage
            yield CourseMonth(day=day, change=since_then, **vars(row))


def _scheme_months(covered: Covered) -> Iterator[SchemeMonth]:
    before: dict[SchemeKey, int] = {}
    for place, day in enumerate(covered.grid.days):
        for row in covered.in_schemes(place):
            since_then = change(row.in_force, before.get(row.scheme))
            before[row.scheme] = row.in_force
            yield SchemeMonth(day=day, change=since_then, **vars(row))


# --- what turned it --------------------------------------------------------------------------


class Moved(Row):
    """A venue that moved a course's coverage in a month, and how."""

    venue_id: UUID = Field(examples=[A_VENUE_ID])
    reference: str = Field(examples=["COL-0042"])
    name: str = Field(examples=["The Lantern & Anchor"])
    counted_before: bool = Field(title="Counted before", examples=[True])
    counted_after: bool = Field(title="Counted after", examples=[True])
    trained_before: int = Field(title="Trained before", examples=[12])
    trained_after: int = Field(title="Trained after", examples=[15])
    lapsed: int = Field(title="Would have lapsed, had nothing happened", examples=[3])
    headcount_before: int | Absent = Field(default=None, title="Headcount before", examples=[16])
    headcount_after: int | Absent = Field(default=None, title="Headcount after", examples=[16])
    events: int = Field(title="Events of the month", examples=[1])


class TurnEvent(Row):
    """An event that took effect in the month at one of these venues."""

    on: date = Field(examples=["2025-03-20"])
    venue_id: UUID = Field(examples=[A_VENUE_ID])
    reference: str = Field(examples=["COL-0042"])
    what: str = Field(examples=["attendance"])
    details: str = Field(examples=["4 new, 2 again"])
    event_id: UUID = Field(title="Event", examples=["0b8f6c1e-7f44-4c3e-8a55-2d1f9be0a7c3"])
    recorded_at: datetime


class Turn(Report):
    """Why a course's coverage moved in a month."""

    totals: list[CourseMonth]
    venues: list[Moved]
    events: list[TurnEvent]


def turn(session: Session, view: View, month: str, course: CourseKey) -> Turn:
    """What moved a course's coverage between two months' ends. Raises `Invalid`."""
    first = _first_day(month)
    if first > view.as_at:
        raise wrong("month", "must not be after as_at")
    days = [first - _A_DAY, min(last_day(first, 1), view.as_at)]
    covered = Covered.read(session, view, days)
    # The same day again, had nothing happened since the month before.
    untouched = training_grid(session, days[1:], view.known_at, happened_by=days[0])
    names = venue_names(session)
    events = sorted(
        _happened(session, view, first, days[1], course, names),
        key=attrgetter("on", "reference", "what", "event_id"),
    )
    by_venue = Counter(event.venue_id for event in events)
    venues = list(_moved(covered, untouched, course, by_venue, names))
    moved = {row.venue_id for row in venues}
    return Turn(
        about=about(session, f"{COURSES[course].short_name} in {month}", view, SOURCES),
        totals=[row for row in _course_months(covered) if row.course == course],
        venues=sorted(venues, key=attrgetter("reference")),
        events=[event for event in events if event.venue_id in moved],
    )


def _moved(
    covered: Covered,
    untouched: Grid,
    course: CourseKey,
    events: Counter[UUID],
    names: Mapping[str, VenueName],
) -> Iterator[Moved]:
    grid, (counted_before, counted_after) = covered.grid, covered.counts
    place = grid.courses.index(course)
    before, after = grid.standings.trained[:, :, place]
    headcount_before, headcount_after = grid.standings.headcount
    lapsed = before - untouched.standings.trained[0, :, place]
    with_events = {venue_id.hex for venue_id in events}
    had_events = np.array([venue in with_events for venue in grid.venues], bool)
    is_moved = (before != after) | (headcount_before != headcount_after) | (lapsed != 0)
    is_moved |= (counted_before != counted_after) | had_events
    for venue in np.flatnonzero(is_moved & (counted_before | counted_after)).tolist():
        venue_id = UUID(grid.venues[venue])
        yield Moved(
            venue_id=venue_id,
            **names[venue_id.hex]._asdict(),
            counted_before=bool(counted_before[venue]),
            counted_after=bool(counted_after[venue]),
            trained_before=int(before[venue]),
            trained_after=int(after[venue]),
            lapsed=int(lapsed[venue]),
            headcount_before=_declared(headcount_before[venue]),
            headcount_after=_declared(headcount_after[venue]),
            events=events[venue_id],
        )


def _declared(headcount: np.int64) -> int | None:
    return None if headcount == UNKNOWN else int(headcount)


def _happened(
    session: Session,
    view: View,
    first: date,
    last: date,
    course: CourseKey,
    names: Mapping[str, VenueName],
) -> Iterator[TurnEvent]:
    for what, model, details, said in (
        ("attendance", Attendance, ("new_count", "refresher_count"), "{} new, {} again"),
        ("headcount", Headcount, ("staff", "left"), "{} staff, {} left"),
        ("facts", VenueFacts, ("status", "category"), "{} {}"),
    ):
        columns = ("id", "effective_at", "recorded_at", "venue_id", *details)
        events = sa.select(*(getattr(model, name) for name in columns)).where(
            known(model, view.known_at), *within(model, first, last)
        )
        if model is Attendance:
            events = events.join(TrainingSession).where(
                col(TrainingSession.course) == course, known(TrainingSession, view.known_at)
            )
        for event_id, effective_at, recorded_at, venue_id, *numbers in session.execute(events):
            yield TurnEvent(
                on=london_day(effective_at),
                venue_id=venue_id,
                reference=names[venue_id.hex].reference,
                what=what,
                details=said.format(*numbers),
                event_id=event_id,
                recorded_at=recorded_at,
            )
