"""Readers of opening hours, written from the text of each standard, and from nothing of ours.

Each gives the local times between which it understands a place to be open.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Json = dict[str, Any]
Opening = tuple[datetime, datetime]

_DAY = timedelta(days=1)


def read_oruk(service: Json) -> Iterator[Opening]:
    """`valid_from` and `valid_to` are the first and the last date of a schedule, `byday` the days
    on which it repeats, as in iCalendar; by what `description` says it may close the next day."""
    for schedule in service["schedules"]:
        assert schedule["freq"] == "WEEKLY"
        assert "before the opening time is on the next day" in schedule["description"]
        days = [("MO", "TU", "WE", "TH", "FR", "SA", "SU").index(d) for d in _split(schedule)]
        for day in _dates(schedule["valid_from"], schedule["valid_to"]):
            if day.weekday() in days:
                yield _on(day, schedule["opens_at"], schedule["closes_at"])


def read_schema_org(place: Json) -> Iterator[Opening]:
    """`If the value for the closes property is less than the value for the opens property then the
    hour range is assumed to span over the next day.`"""
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for hours in place["openingHoursSpecification"]:
        days = [names.index(name) for name in hours["dayOfWeek"]]
        for day in _dates(hours["validFrom"], hours["validThrough"]):
            if day.weekday() in days:
                yield _on(day, hours["opens"], hours["closes"])


def _split(schedule: Json) -> list[str]:
    byday: str = schedule["byday"]
    return byday.split(",")


def _dates(first: str, last: str) -> Iterator[date]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day
        day += _DAY


def _on(day: date, opens: str, closes: str) -> Opening:
    begin, end = time.fromisoformat(opens), time.fromisoformat(closes)
    return datetime.combine(day, begin), datetime.combine(day + _DAY * (end < begin), end)


def open_minutes(openings: Iterable[Opening], first: date, days: int) -> NDArray[np.bool_]:
    """Which minutes of so many days are open, by UTC; openings without an offset are London's."""
    london = ZoneInfo("Europe/London")
    begin = datetime.combine(first, time.min, ZoneInfo("UTC"))
    minutes = np.zeros(days * 1440, dtype=np.bool_)
    for opening in openings:
        opens, closes = (
            ((m if m.tzinfo else m.replace(tzinfo=london)) - begin).total_seconds() / 60
            for m in opening
        )
        # A minute is open when it begins so.
        minutes[max(0, int(-(-opens // 1))) : max(0, int(-(-closes // 1)))] = True
    return minutes


def but_for_clock_changes(
    minutes: NDArray[np.bool_], first: date, hours: int = 2
) -> NDArray[np.bool_]:
    """The same without so many hours of each day on which clocks change, which they do at 01:00."""
    london, kept = ZoneInfo("Europe/London"), minutes.copy()
    for number in range(len(minutes) // 1440):
        day = first + timedelta(days=number)
        before, after = (
            datetime.combine(day + timedelta(days=n), time.min, london).utcoffset() for n in (0, 1)
        )
        if before != after:
            kept[number * 1440 : number * 1440 + hours * 60] = False
    return kept
