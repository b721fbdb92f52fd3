"""The register behind the late-night levy's discount: who pays, and who holds Safety Thirst.

Premises with a licence to sell alcohol after midnight pay the levy for a levy year, 1 October to
30 September, each on a day of its own; those accredited under Safety Thirst pay 30 % less. So it
says on which days of the year a venue was late-night, and on which of these it held Safety Thirst.
A day counts by how it ended. Days after `as_at` are left out: nobody knows of a suspension to come.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col

from app.audit.frame.names import business_names
from app.audit.frame.question import ReportQuestion, View, instant
from app.audit.frame.report import about
from app.audit.frame.rows import share
from app.audit.reports.coverage import counted_on
from app.audit.reports.levy_rows import (
    Levy,
    LevyFigures,
    LevyHolder,
    LevyMiss,
    LevyPeriod,
    Reason,
    When,
)
from app.core.columns import read_columns
from app.core.errors import wrong
from app.core.london import end_of, london_day
from app.http.fields import Maybe
from app.schemes.registry import SchemeKey
from app.schemes.rules import Span, State
from app.schemes.timelines import Award, awards, standings, timelines
from app.venues.facts import facts_of
from app.venues.models import Venue, VenueFacts

BEGINS = (10, 1)
"""Month and day on which a levy year begins."""

NEAR_DAYS = 92
"""How far off a near miss may be: three months, as from the ceremony in July to the new year."""

_A_DAY = timedelta(days=1)


class LevyQuestion(ReportQuestion):
    """Which levy year, and how far off a near miss may be."""

    year: Maybe[int] = Field(
        default=None,
        ge=2000,
        le=2098,
        description="The levy year that begins on 1 October of this one; that of `as_at` if absent",
        examples=[2024],
    )
    near_days: int = Field(
        default=NEAR_DAYS, ge=0, le=366, description="How many days off a near miss may be"
    )


class _Days(NamedTuple):
    """Days in a row, the last one included."""

    first: date
    last: date

    @property
    def number(self) -> int:
        return (self.last - self.first).days + 1

    def include(self, day: date) -> bool:
        return self.first <= day <= self.last

    def off(self, day: date) -> int:
        """How many days they lie before or after a day that is none of them."""
        return max((self.first - day).days, (day - self.last).days)

    def within(self, other: Self) -> Self | None:
        """Those that are also among others."""
        days = self._replace(first=max(self.first, other.first), last=min(self.last, other.last))
        return days if days.first <= days.last else None


@dataclass(frozen=True)
class _Year:
    """The part of a levy year that is counted; its last day is judged by how it stands `at`."""

    counted: _Days
    at: datetime

    def days(self, intervals: Iterable[tuple[datetime, datetime | None]]) -> list[_Days]:
        """The days that end within intervals in order, also those before the year.

        Those that follow on each other are one.
        """
        runs: list[_Days] = []
        for start, end in intervals:
            last = self.counted.last
            if end and end <= self.at:
                last = london_day(end) - _A_DAY
            days = _Days(london_day(start), last)
            if start <= self.at and days.number > 0:
                follows = bool(runs) and runs[-1].last + _A_DAY == days.first
                runs.append(days._replace(first=runs.pop().first) if follows else days)
        return runs

    def ends(self, day: date) -> datetime:
        """The instant at which a day is judged."""
        return self.at if day == self.counted.last else end_of(day) - timedelta.resolution


class _Held(NamedTuple):
    """On which days an award was in force."""

    days: _Days
    award: Award


@dataclass(frozen=True)
class _Venue:
    """What is known of a venue that pays. `held` also has the days before the year."""

    columns: dict[str, Any]
    late_night: list[_Days]
    spans: Sequence[Span]
    held: list[_Held]

    @cached_property
    def periods(self) -> list[_Held]:
        """On which days of the year it was late-night and an award was in force."""
        return [
            _Held(days, held.award)
            for held in self.held
            for late_night in self.late_night
            if (days := held.days.within(late_night))
        ]

    def pays(self, on: date) -> bool:
        return any(days.include(on) for days in self.late_night)

    def holds(self, on: date) -> bool:
        return any(period.days.include(on) for period in self.periods)


def levy(session: Session, view: View, year: int | None, near_days: int = NEAR_DAYS) -> Levy:
    """The register of a levy year, up to `as_at`. Raises `Invalid` for one that begins later.

    A venue just misses on the year's first day, or on the last one counted, if it is late-night
    on some day of the year and was, or came to be, both late-night and accredited no more than
    `near_days` before or after; one that is suspended on the day always does.
    """
    if year is None:
        has_begun = (view.as_at.month, view.as_at.day) >= BEGINS
        year = view.as_at.year if has_begun else view.as_at.year - 1
    first = date(year, *BEGINS)
    if first > view.as_at:
        raise wrong("year", "begins after as_at")
    last = first.replace(year=year + 1) - _A_DAY
    counted = _Days(first, min(last, view.as_at))
    levy_year = _Year(counted, instant(counted.last, view.known_at))
    venues = sorted(_venues(session, view, levy_year), key=lambda venue: venue.columns["reference"])
    holders = [_holder(venue, counted) for venue in venues if venue.periods]
    title = f"Levy-discount register {year}/{last.year % 100:02}, until {counted.last}"
    return Levy(
        about=about(session, title, view, ["decisions", "venue facts"]),
        first=first,
        last=last,
        counted_until=counted.last,
        figures=list(_figures(venues, holders, counted)),
        holders=holders,
        periods=[
            LevyPeriod(**venue.columns, **period.days._asdict(), **_award(period.award))
            for venue in venues
            for period in venue.periods
        ],
        misses=[
            miss
            for venue in venues
            for day in sorted({*counted})
            if (miss := _miss(venue, levy_year, day, near_days))
        ],
    )


def _venues(session: Session, view: View, year: _Year) -> Iterator[_Venue]:
    paying = _paying(session, view, year.counted)
    spans = timelines(session, view.known_at, schemes=[SchemeKey.SAFETY_THIRST], venues=paying)
    businesses = business_names(session)
    columns = (Venue.reference, Venue.name, Venue.premises_licence)
    for venue in session.execute(sa.select(col(Venue.id).label("venue_id"), *map(col, columns))):
        if venue.venue_id in paying:
            late_night, business_id = paying[venue.venue_id]
            its_spans = spans.get((venue.venue_id, SchemeKey.SAFETY_THIRST), [])
            held = [
                _Held(days, award)
                for award in awards(its_spans)
                for days in year.days(award.in_force)
            ]
            shown = venue._asdict() | {"business": businesses[business_id]}
            yield _Venue(shown, late_night, its_spans, held)


def _paying(
    session: Session, view: View, year: _Days
) -> dict[UUID, tuple[list[_Days], UUID | None]]:
    """On which days each venue that is asked about was late-night, and who ran it at the last.

    Each day goes by its own facts, as known then.
    """
    ever = sa.select(col(VenueFacts.venue_id)).where(
        col(VenueFacts.licensed), col(VenueFacts.late_night)
    )
    (rows,) = read_columns(session, ever)
    venues = sorted({*rows})
    days = [year.first + number * _A_DAY for number in range(year.number)]
    facts = facts_of(session, venues, view.known_at, every=True).on(days)
    pays = counted_on(view, facts) & facts.licensed & facts.late_night
    paying = {}
    for place in np.flatnonzero(pays.any(axis=0)).tolist():
        late_night = np.flatnonzero(pays[:, place])
        runs = np.split(late_night, np.flatnonzero(np.diff(late_night) > 1) + 1)
        business = facts.business[late_night[-1], place]
        paying[UUID(venues[place])] = (
            [_Days(days[run[0]], days[run[-1]]) for run in runs],
            facts.businesses[business] if business >= 0 else None,
        )
    return paying


def _holder(venue: _Venue, counted: _Days) -> LevyHolder:
    late_night_days = sum(days.number for days in venue.late_night)
    held_days = sum(period.days.number for period in venue.periods)
    return LevyHolder(
        **venue.columns,
        late_night_days=late_night_days,
        held_days=held_days,
        on_first_day=venue.holds(counted.first),
        on_last_day=venue.holds(counted.last),
        on_every_day=held_days == late_night_days,
    )


def _figures(
    venues: Sequence[_Venue], holders: Sequence[LevyHolder], counted: _Days
) -> Iterator[LevyFigures]:
    on_first, on_last, on_every = (
        sum(getattr(row, name) for row in holders)
        for name in ("on_first_day", "on_last_day", "on_every_day")
    )
    for when, title, day, holding in (
        (When.FIRST_DAY, "On the year's first day", counted.first, on_first),
        (When.LAST_DAY, "On the last day counted", counted.last, on_last),
        (When.ANY_DAY, "On any day", None, len(holders)),
        (When.EVERY_DAY, "On every day on which it was late-night", None, on_every),
    ):
        paying = sum(venue.pays(day) for venue in venues) if day else len(venues)
        part = share(holding, paying)
        yield LevyFigures(
            when=when, title=title, on=day, paying=paying, holding=holding, share=part
        )


def _award(award: Award | None) -> dict[str, Any]:
    return {**award._asdict(), "awarded_on": london_day(award.began)} if award else {}


class _Cause(NamedTuple):
    """Why a venue misses on a day, and how many days off it is."""

    days_off: int
    reason: Reason
    why: str
    award: Award | None


def _miss(venue: _Venue, year: _Year, on: date, near_days: int) -> LevyMiss | None:
    if venue.holds(on):
        return None
    award = next((held.award for held in venue.held if held.days.include(on)), None)
    causes = []
    if award is None:
        cause = _without_award(venue, year, on)
        if cause is None:
            return None
        causes.append(cause)
    if not venue.pays(on):
        causes.append(_not_late_night(venue, on, award))
    days_off = max(cause.days_off for cause in causes)
    if days_off > near_days:
        return None
    return LevyMiss(
        **venue.columns,
        **_award(causes[0].award),
        on=on,
        reason=causes[0].reason,
        why="; ".join(cause.why for cause in causes),
        days_off=days_off,
    )


def _without_award(venue: _Venue, year: _Year, on: date) -> _Cause | None:
    """Why no award is in force on a day, by the one that is nearest; None where there is none."""
    (standing,) = standings(venue.spans, [year.ends(on)])
    if standing.state is State.SUSPENDED and standing.since:
        why = f"suspended on {_written(london_day(standing.since))}"
        before = [held.award for held in venue.held if held.days.last < on]
        return _Cause(0, Reason.SUSPENDED, why, before[-1] if before else None)
    if not venue.held:
        return None
    days, award = min(venue.held, key=lambda held: held.days.off(on))
    off = days.off(on)
    counted = "1 day" if off == 1 else f"{off} days"
    if days.first > on:
        why = f"in force only from {_written(days.first)}, {counted} after"
        return _Cause(off, Reason.NOT_YET, why, award)
    gone = standing.state is State.WITHDRAWN or award.until is None or award.until >= on
    reason = Reason.WITHDRAWN if gone else Reason.EXPIRED
    why = f"{reason}: in force only until {_written(days.last)}, {counted} before"
    return _Cause(off, reason, why, award)


def _not_late_night(venue: _Venue, on: date, award: Award | None) -> _Cause:
    days = min(venue.late_night, key=lambda days: days.off(on))
    since = f"from {_written(days.first)}" if days.first > on else f"until {_written(days.last)}"
    return _Cause(days.off(on), Reason.NOT_LATE_NIGHT, f"late-night only {since}", award)


def _written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
