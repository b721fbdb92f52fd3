"""Coverage at each month's end, and which events turned it in one of them."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col

from app.audit.frame.names import VenueName, venue_names
from app.audit.frame.question import Asked, View
from app.audit.frame.report import Report, Row, about
from app.audit.reports.coverage import SOURCES, Covered, InScheme, Training
from app.core.errors import wrong
from app.core.events import Event, known, within
from app.core.london import london_day
from app.http.fields import Absent, Maybe
from app.schemes.registry import SchemeKey
from app.training.courses import CourseKey
from app.training.grid import Grid, training_grid
from app.training.models import Attendance, Headcount, TrainingSession
from app.training.rules import UNKNOWN
from app.venues.fields import A_VENUE_ID
from app.venues.models import VenueFacts

MONTHS = 24
"""How many months a trend goes back when nobody says."""

MOST_MONTHS = 120


def _first_day(value: str) -> date:
    return date.fromisoformat(f"{value}-01")


Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2025-03"])]


class TrendAsked(Asked):
    """Which months, both included; the two years up to `as_at` when none are given."""

    from_: Maybe[Month] = Field(default=None, alias="from", description="First month")
    until: Maybe[Month] = Field(default=None, description="Last month, included")

    def days(self, as_at: date) -> list[date]:
        """The end of each month, or `as_at` for the month that it lies in. Raises `Invalid`."""
        last = _first_day(self.until) if self.until else as_at.replace(day=1)
        first = _first_day(self.from_) if self.from_ else _months_on(last, 1 - MONTHS)
        number = 12 * (last.year - first.year) + last.month - first.month + 1
        if last > as_at:
            raise wrong("until", "must not be after as_at")
        if not 1 <= number <= MOST_MONTHS:
            message = f"must be a month before until, at most {MOST_MONTHS} of them"
            raise wrong("from", message)
        return [min(_end(_months_on(first, step)), as_at) for step in range(number)]


class TurnAsked(Asked):
    """Which month of which course to explain."""

    month: Month
    course: CourseKey


def _months_on(first: date, months: int) -> date:
    year, month = divmod(12 * first.year + first.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _end(first: date) -> date:
    return first.replace(day=monthrange(first.year, first.month)[1])


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


def trend(session: Session, seen: View, days: list[date]) -> Trend:
    """Coverage by course and by scheme at the end of each of some days, in order."""
    covered = Covered.read(session, seen, days)
    return Trend(
        about=about(session, "Trend", seen, SOURCES),
        courses=list(_course_months(covered)),
        schemes=list(_scheme_months(covered)),
    )


def _course_months(covered: Covered) -> Iterator[CourseMonth]:
    before: dict[CourseKey, float | None] = {}
    for place, day in enumerate(covered.grid.days):
        for row in covered.training(place):
            was, row_is = before.get(row.course), row.coverage
            change = None if was is None or row_is is None else row_is - was
            before[row.course] = row_is
            yield CourseMonth(day=day, change=change, **vars(row))


def _scheme_months(covered: Covered) -> Iterator[SchemeMonth]:
    before: dict[SchemeKey, int] = {}
    for place, day in enumerate(covered.grid.days):
        for row in covered.in_schemes(place):
            change = row.in_force - before[row.scheme] if row.scheme in before else None
            before[row.scheme] = row.in_force
            yield SchemeMonth(day=day, change=change, **vars(row))


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


class Happened(Row):
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
    events: list[Happened]


def turn(session: Session, seen: View, month: str, course: CourseKey) -> Turn:
    """What moved a course's coverage between two months' ends. Raises `Invalid`."""
    first = _first_day(month)
    if first > seen.as_at:
        raise wrong("month", "must not be after as_at")
    days = [first - timedelta(days=1), min(_end(first), seen.as_at)]
    covered = Covered.read(session, seen, days)
    # The same day again, had nothing happened since the month before.
    untouched = training_grid(session, days[1:], seen.known_at, happened_by=days[0])
    names = venue_names(session)
    events = sorted(
        _happened(session, seen, days, course, names),
        key=lambda event: (event.on, event.reference, event.what, event.event_id),
    )
    venues = list(_moved(covered, untouched, course, Counter(e.venue_id for e in events), names))
    moved = {row.venue_id for row in venues}
    return Turn(
        about=about(session, f"{course.replace('_', ' ').capitalize()} in {month}", seen, SOURCES),
        totals=[row for row in _course_months(covered) if row.course == course],
        venues=sorted(venues, key=lambda row: row.reference),
        events=[event for event in events if event.venue_id in moved],
    )


def _moved(
    covered: Covered,
    untouched: Grid,
    course: CourseKey,
    events: Counter[UUID],
    names: Mapping[UUID, VenueName],
) -> Iterator[Moved]:
    grid, (counted_before, counted_after) = covered.grid, covered.counts
    place = grid.courses.index(course)
    before, after = grid.standings.trained[:, :, place]
    headcount_before, headcount_after = grid.standings.headcount
    lapsed = before - untouched.standings.trained[0, :, place]
    had_events = np.array([venue_id in events for venue_id in grid.venues], bool)
    is_moved = (before != after) | (headcount_before != headcount_after) | (lapsed != 0)
    is_moved |= (counted_before != counted_after) | had_events
    for venue in np.flatnonzero(is_moved & (counted_before | counted_after)).tolist():
        venue_id = grid.venues[venue]
        yield Moved(
            venue_id=venue_id,
            **names[venue_id]._asdict(),
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
    seen: View,
    days: list[date],
    course: CourseKey,
    names: Mapping[UUID, VenueName],
) -> Iterator[Happened]:
    def events(model: type[Event], *columns: Any) -> sa.Select[Any]:
        first = days[0] + timedelta(days=1)
        stamps = (model.id, model.effective_at, model.recorded_at, model.venue_id)  # type: ignore[attr-defined]
        return sa.select(*map(col, stamps), *map(col, columns)).where(
            known(model, seen.known_at), *within(model, first, days[1])
        )

    attended = events(Attendance, Attendance.new_count, Attendance.refresher_count).join(
        TrainingSession
    )
    attended = attended.where(
        col(TrainingSession.course) == course, known(TrainingSession, seen.known_at)
    )
    for what, statement, said in (
        ("attendance", attended, "{} new, {} again"),
        ("headcount", events(Headcount, Headcount.staff, Headcount.left), "{} staff, {} left"),
        (
            "facts",
            events(VenueFacts, VenueFacts.status, VenueFacts.category),
            "{} {}",
        ),
    ):
        for event_id, at, recorded_at, venue_id, *details in session.execute(statement):
            yield Happened(
                on=london_day(at),
                venue_id=venue_id,
                reference=names[venue_id].reference,
                what=what,
                details=said.format(*details),
                event_id=event_id,
                recorded_at=recorded_at,
            )
