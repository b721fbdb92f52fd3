"""The register behind the late-night levy's discount: who pays, and who holds Safety Thirst.

Premises with a licence to sell alcohol after midnight pay the levy for a levy year, 1 October to
30 September, each on a day of its own; those accredited under Safety Thirst pay 30 % less. So it
says on which days of the year a venue was late-night, and on which of these it held Safety Thirst.
A day counts by how it ended. Days after `as_at` are left out: nobody knows of a suspension to come.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from sqlmodel import Session, col

from app.audit.frame.names import business_names
from app.audit.frame.question import Asked, View, instant
from app.audit.frame.report import about
from app.audit.reports.levy_rows import (
    Levy,
    LevyFigures,
    LevyHolder,
    LevyMiss,
    LevyPeriod,
    Reason,
    When,
)
from app.core.errors import wrong
from app.core.events import known
from app.core.london import end_of, london_day
from app.http.fields import Maybe
from app.schemes.known import Award, awards, standings, timelines
from app.schemes.registry import SchemeKey
from app.schemes.rules import Span, State
from app.venues.facts import FACTS, Facts
from app.venues.models import Venue, VenueFacts

BEGINS = (10, 1)
"""Month and day on which a levy year begins."""

NEAR_DAYS = 92
"""How far off a near miss may be: three months, as from the ceremony in July to the new year."""

_A_DAY = timedelta(days=1)


class LevyAsked(Asked):
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


_WHEN = {
    When.FIRST_DAY: "On the year's first day",
    When.LAST_DAY: "On the last day counted",
    When.ANY_DAY: "On any day",
    When.EVERY_DAY: "On every day on which it was late-night",
}


class _Days(NamedTuple):
    """Days in a row, the last one included."""

    first: date
    last: date

    @property
    def number(self) -> int:
        return (self.last - self.first).days + 1

    def include(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class _Year:
    """The part of a levy year that is counted; its last day is judged by how it stands `at`."""

    first: date
    last: date
    at: datetime

    def days(self, start: datetime, end: datetime | None) -> _Days | None:
        """The days that end within two instants, also those before the year."""
        last = self.last if end is None or end > self.at else london_day(end) - _A_DAY
        first = london_day(start)
        return _Days(first, last) if start <= self.at and first <= last else None

    def ends(self, day: date) -> datetime:
        """The instant at which a day is judged."""
        return self.at if day == self.last else end_of(day) - timedelta.resolution

    def within(self, days: _Days) -> _Days | None:
        """What of some days lies in the year."""
        return _common(days, _Days(self.first, self.last))


def _common(one: _Days, other: _Days) -> _Days | None:
    days = _Days(max(one.first, other.first), min(one.last, other.last))
    return days if days.first <= days.last else None


def _joined(several: Iterable[_Days | None]) -> list[_Days]:
    """Days in order, those that follow on each other as one."""
    found: list[_Days] = []
    for days in filter(None, several):
        follows = bool(found) and found[-1].last + _A_DAY == days.first
        found.append(_Days(found.pop().first, days.last) if follows else days)
    return found


class _Held(NamedTuple):
    """On which days an award was in force."""

    days: _Days
    award: Award


class _Paying(NamedTuple):
    """On which days of the year a venue was late-night, and for whom at the last."""

    late_night: list[_Days]
    business_id: UUID | None


class _Venue(NamedTuple):
    """What is known of a venue that pays. `held` also has the days before the year."""

    labels: dict[str, Any]
    late_night: list[_Days]
    spans: Sequence[Span]
    held: list[_Held]
    periods: list[_Held]

    def pays(self, on: date) -> bool:
        return any(days.include(on) for days in self.late_night)

    def holds(self, on: date) -> bool:
        return any(period.days.include(on) for period in self.periods)

    @property
    def late_night_days(self) -> int:
        return sum(days.number for days in self.late_night)

    @property
    def held_days(self) -> int:
        return sum(period.days.number for period in self.periods)

    @property
    def holds_always(self) -> bool:
        return self.held_days == self.late_night_days


def levy(session: Session, seen: View, year: int | None, near_days: int = NEAR_DAYS) -> Levy:
    """The register of a levy year, up to `as_at`. Raises `Invalid` for one that begins later.

    A venue just misses on the year's first day, or on the last one counted, if it is late-night
    on some day of the year and was, or came to be, both late-night and accredited no more than
    `near_days` before or after; one that is suspended on the day always does.
    """
    began = date(year or _year_of(seen.as_at), *BEGINS)
    if began > seen.as_at:
        raise wrong("year", "begins after as_at")
    last = began.replace(year=began.year + 1) - _A_DAY
    counted = min(last, seen.as_at)
    span = _Year(began, counted, instant(counted, seen.known_at))
    venues = sorted(_venues(session, seen, span), key=lambda one: one.labels["reference"])
    title = f"Levy-discount register {began.year}/{last.year % 100:02}, until {counted}"
    return Levy(
        about=about(session, title, seen, ["decisions", "venue facts"]),
        first=began,
        last=last,
        counted_until=counted,
        figures=list(_figures(venues, span)),
        holders=[_holder(venue, span) for venue in venues if venue.periods],
        periods=[
            LevyPeriod(**venue.labels, **period.days._asdict(), **_award(period.award))
            for venue in venues
            for period in venue.periods
        ],
        misses=[
            miss
            for venue in venues
            for day in sorted({span.first, span.last})
            if (miss := _miss(venue, span, day, near_days))
        ],
    )


def _year_of(day: date) -> int:
    return day.year if (day.month, day.day) >= BEGINS else day.year - 1


def _venues(session: Session, seen: View, year: _Year) -> Iterator[_Venue]:
    paying = _paying(session, seen, year)
    told = timelines(session, seen.known_at, schemes=[SchemeKey.SAFETY_THIRST], venues=paying)
    businesses = business_names(session)
    columns = (Venue.id, Venue.reference, Venue.name, Venue.premises_licence)
    for venue_id, reference, name, licence in session.execute(sa.select(*map(col, columns))):
        if venue_id not in paying:
            continue
        late_night, business_id = paying[venue_id]
        spans = told.get((venue_id, SchemeKey.SAFETY_THIRST), ())
        held = [
            _Held(days, award)
            for award in awards(spans)
            for days in _joined(year.days(start, end) for start, end in award.in_force)
        ]
        yield _Venue(
            {
                "venue_id": venue_id,
                "reference": reference,
                "name": name,
                "business": businesses[business_id] if business_id else None,
                "premises_licence": licence or None,
            },
            late_night,
            spans,
            held,
            [
                _Held(days, one.award)
                for one in held
                for late in late_night
                if (days := _common(one.days, late))
            ],
        )


def _paying(session: Session, seen: View, year: _Year) -> dict[UUID, _Paying]:
    """The late-night venues that are asked about, by what was known; each day by its own facts."""
    ever = sa.select(col(VenueFacts.venue_id)).where(
        col(VenueFacts.licensed), col(VenueFacts.late_night)
    )
    columns = ("venue_id", "effective_at", *FACTS)
    rows = session.execute(
        sa.select(*(getattr(VenueFacts, name) for name in columns))
        .where(
            known(VenueFacts, seen.known_at),
            col(VenueFacts.effective_at) <= year.at,
            col(VenueFacts.venue_id).in_(ever),
        )
        .order_by(*(getattr(VenueFacts, n) for n in ("venue_id", "effective_at", "recorded_at")))
    )
    found = {}
    for venue_id, versions in groupby(rows, attrgetter("venue_id")):
        # Of those that begin together, what was recorded last holds.
        held = {at: Facts(*facts) for _, at, *facts in versions}
        ends = [*list(held)[1:], None]
        pays = [
            (days, facts.business_id)
            for (start, facts), end in zip(held.items(), ends, strict=True)
            if facts.licensed and facts.late_night and seen.counts(facts)
            if (lasting := year.days(start, end)) and (days := year.within(lasting))
        ]
        if pays:
            found[venue_id] = _Paying(_joined(days for days, _ in pays), pays[-1][1])
    return found


def _figures(venues: Sequence[_Venue], year: _Year) -> Iterator[LevyFigures]:
    holders = [venue for venue in venues if venue.periods]
    always = [venue for venue in holders if venue.holds_always]
    days: dict[When, date | None] = {When.FIRST_DAY: year.first, When.LAST_DAY: year.last}
    for when, title in _WHEN.items():
        if day := days.get(when):
            paying = sum(venue.pays(day) for venue in venues)
            holding = sum(venue.holds(day) for venue in venues)
        else:
            paying = len(venues)
            holding = len(holders if when is When.ANY_DAY else always)
        yield LevyFigures(
            when=when,
            title=title,
            on=day,
            paying=paying,
            holding=holding,
            share=holding / paying if paying else None,
        )


def _holder(venue: _Venue, year: _Year) -> LevyHolder:
    return LevyHolder(
        **venue.labels,
        late_night_days=venue.late_night_days,
        held_days=venue.held_days,
        on_first_day=venue.holds(year.first),
        on_last_day=venue.holds(year.last),
        on_every_day=venue.holds_always,
    )


def _award(award: Award | None) -> dict[str, Any]:
    if award is None:
        return {}
    return {
        "certificate": award.certificate,
        "grade": award.grade,
        "awarded_on": london_day(award.began),
        "until": award.until,
    }


class _Off(NamedTuple):
    """How many days something lies off a day, and why."""

    days: int
    reason: Reason
    why: str
    award: Award | None


def _miss(venue: _Venue, year: _Year, on: date, near_days: int) -> LevyMiss | None:
    if venue.holds(on):
        return None
    award = next((one.award for one in venue.held if one.days.include(on)), None)
    without = None if award else _without_award(venue, year, on)
    if not (award or without):
        return None
    off = [without, None if venue.pays(on) else _not_late_night(venue, on, award)]
    found = [one for one in off if one]
    days_off = max(one.days for one in found)
    if days_off > near_days:
        return None
    return LevyMiss(
        **venue.labels,
        **_award(found[0].award),
        on=on,
        reason=found[0].reason,
        why="; ".join(one.why for one in found),
        days_off=days_off,
    )


def _without_award(venue: _Venue, year: _Year, on: date) -> _Off | None:
    """Why no award is in force on a day, by the one that is nearest; None where there is none."""
    before = [one for one in venue.held if one.days.last < on]
    after = [one for one in venue.held if one.days.first > on]
    (there,) = standings(venue.spans, [year.ends(on)])
    if there.state is State.SUSPENDED and there.since:
        award = before[-1].award if before else None
        return _Off(0, Reason.SUSPENDED, f"suspended on {_told(london_day(there.since))}", award)
    offs = []
    if before:
        (_, last), award = before[-1]
        gone = there.state is State.WITHDRAWN or award.until is None or award.until >= on
        reason = Reason.WITHDRAWN if gone else Reason.EXPIRED
        days = (on - last).days
        why = f"{reason}: in force only until {_told(last)}, {_counted(days)} before"
        offs.append(_Off(days, reason, why, award))
    if after:
        (first, _), award = after[0]
        days = (first - on).days
        why = f"in force only from {_told(first)}, {_counted(days)} after"
        offs.append(_Off(days, Reason.NOT_YET, why, award))
    return min(offs, key=attrgetter("days"), default=None)


def _not_late_night(venue: _Venue, on: date, award: Award | None) -> _Off:
    edges = [
        *((days.last, "until") for days in venue.late_night if days.last < on),
        *((days.first, "from") for days in venue.late_night if days.first > on),
    ]
    day, word = min(edges, key=lambda edge: abs((edge[0] - on).days))
    why = f"late-night only {word} {_told(day)}"
    return _Off(abs((day - on).days), Reason.NOT_LATE_NIGHT, why, award)


def _told(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _counted(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
