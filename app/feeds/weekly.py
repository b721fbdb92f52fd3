"""Opening hours said in dated weekly patterns alone, for standards that know no exceptions.

Open Referral and schema.org have a weekly pattern and the days between which it holds. Seasons,
bank holidays, exceptions and closures are said by ending one pattern and beginning another.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.venues import osm_hours
from app.venues.hours import DAY, WEEKDAYS, Hours, Weekday, clock, times_on
from app.venues.osm_rules import MONTHS, HoursRefused

AHEAD = timedelta(days=400)
"""How far ahead patterns are worked out: a year, and what is left of a month."""

Span = tuple[int, int]
"""From one minute of a day on its clock to another; past 1440 it is on the next day."""


class Pattern(NamedTuple):
    """Open from `opens` to `closes` on some weekdays from the day `first` to `last`, by the clock.

    What closes before it opens closes on the next day, also at 00:00. A whole day is 00:00-24:00.
    """

    first: date
    last: date
    days: tuple[Weekday, ...]
    opens: str
    closes: str

    @property
    def is_whole_day(self) -> bool:
        return self.closes == "24:00"


def osm_text(several: Iterable[Pattern]) -> str:
    """The patterns as OpenStreetMap writes hours, with their dates, none overriding another.

    `osm_hours.text` is shorter and says it for ever; but what of a night is left when the next day
    is an exception, readers of it understand in several ways.
    """
    return ", ".join(
        f"{_osm_date(p.first)}-{_osm_date(p.last)} {','.join(p.days)} {p.opens}-{p.closes}"
        for p in several
    )


def _osm_date(day: date) -> str:
    return f"{day.year} {MONTHS[day.month - 1]} {day.day:02}"


@lru_cache(maxsize=1024)
def patterns_of(text: str, first: date, last: date) -> tuple[Pattern, ...]:
    """The patterns of hours that `osm_hours.text` has written; none of what is too long to read."""
    try:
        hours = osm_hours.parse(text)
    except HoursRefused:
        return ()
    return tuple(patterns(hours, first, last))


def patterns(hours: Hours, first: date, last: date) -> Iterator[Pattern]:
    """What begins on the London days `first` to `last`: every opening in just one pattern."""
    for begin, end, week in _weeks(_spans(hours, first, last)):
        several: dict[Span, list[Weekday]] = {}
        for day in WEEKDAYS:
            for span in week.get(day, ()):
                several.setdefault(span, []).append(day)
        for (start, stop), days in sorted(several.items()):
            closes = "24:00" if (start, stop) == (0, DAY) else clock(stop % DAY)
            yield Pattern(begin, end, tuple(days), clock(start), closes)


def _spans(hours: Hours, first: date, last: date) -> dict[date, tuple[Span, ...]]:
    """What begins on each day; what a closure leaves of a night may begin on the next."""
    days: dict[date, list[Span]] = {
        first + timedelta(days=n): [] for n in range((last - first).days + 1)
    }
    closed = [(_minute(c.day) + c.start, _minute(c.day) + c.end) for c in hours.closures]
    for day in (first - timedelta(days=1), *list(days)):
        for period in times_on(hours, day):
            whole = _minute(day) + period.start, _minute(day) + period.end
            for start, end in _without(whole, closed):
                begins = date.fromordinal(start // DAY)
                if begins in days:
                    days[begins].append((start % DAY, end - start + start % DAY))
    return {day: tuple(sorted(spans)) for day, spans in days.items()}


def _minute(day: date) -> int:
    return day.toordinal() * DAY


def _without(whole: Span, closed: list[Span]) -> list[Span]:
    left = [whole]
    for begin, end in closed:
        left = [
            part
            for start, stop in left
            for part in ((start, min(stop, begin)), (max(start, end), stop))
            if part[0] < part[1]
        ]
    return left


def _weeks(
    days: dict[date, tuple[Span, ...]],
) -> Iterator[tuple[date, date, dict[Weekday, tuple[Span, ...]]]]:
    """The days as weeks that repeat: a new one begins where a weekday differs from the last."""
    begin, week, day = None, dict[Weekday, tuple[Span, ...]](), None
    for day, spans in days.items():
        weekday = WEEKDAYS[day.weekday()]
        if begin is None or week.get(weekday, spans) != spans:
            if begin is not None:
                yield begin, day - timedelta(days=1), week
            begin, week = day, {}
        week[weekday] = spans
    if begin is not None and day is not None:
        yield begin, day, week
