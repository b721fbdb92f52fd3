"""Opening hours in words, one day at a time: drawn from the instants that the public is told."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from app.core.london import LONDON, effective
from app.venues.hours import Hours, Interval, bank_holidays, open_intervals

_DAY = timedelta(days=1)
_AHEAD = 7
"""How many days past those asked for are looked at, to tell when a long opening ends."""


def days_in_words(hours: Hours, first: date, days: int = 7) -> dict[date, str]:
    """What each of some London days is like: `Friday 27 November: 11:00 to 02:00 (Saturday)`.

    An opening is told on the day it begins, its end on each day that it reaches. Bank holidays,
    dated exceptions, timed closures and clock changes are named.
    """
    intervals = open_intervals(hours, first, first + timedelta(days=days + _AHEAD))
    return {
        day: f"{day:%A} {day.day} {day:%B}: {_in_words(hours, intervals, day)}"
        for day in (first + timedelta(days=n) for n in range(days))
    }


def notes_of_days(hours: Hours, first: date, days: int = 7) -> dict[date, list[str]]:
    """What is out of the usual on each of some London days, as `days_in_words` says it."""
    intervals = open_intervals(hours, first, first + timedelta(days=days + _AHEAD))
    return {
        day: list(_notes(hours, _on(day, intervals), day))
        for day in (first + timedelta(days=n) for n in range(days))
    }


def _on(day: date, intervals: list[Interval]) -> list[Interval]:
    begin, end = effective(day), effective(day + _DAY)
    return [(opens, closes) for opens, closes in intervals if opens < end and closes > begin]


def _in_words(hours: Hours, intervals: list[Interval], day: date) -> str:
    begin, end = effective(day), effective(day + _DAY)
    openings = _on(day, intervals)
    parts = [_opening(opens, closes, begin, end) for opens, closes in openings]
    if not any(closes >= end or opens >= begin for opens, closes in openings):
        parts.append("then closed" if parts else "closed")
    notes = list(_notes(hours, openings, day))
    return ", ".join(parts) + (f" ({'; '.join(notes)})" if notes else "")


def _opening(opens: datetime, closes: datetime, begin: datetime, end: datetime) -> str:
    if opens <= begin and closes >= end:
        return "open all day"
    if opens < begin:
        return f"until {_clock(closes)}"
    if closes == end:
        return f"{_clock(opens)} to midnight"
    if closes < end:
        return f"{_clock(opens)} to {_clock(closes)}"
    if closes - opens > _AHEAD * _DAY:
        return f"from {_clock(opens)} on"
    return f"{_clock(opens)} to {_clock(closes)} ({closes.astimezone(LONDON):%A})"


def _notes(hours: Hours, openings: list[Interval], day: date) -> Iterator[str]:
    exception = any(exception.include(day) for exception in hours.exceptions)
    if exception:
        yield "dated exception"
    if day in bank_holidays(day.year):
        usual = hours.bank_holidays == "as_usual" and not exception
        yield "bank holiday, hours as usual" if usual else "bank holiday"
    for closure in hours.closures:
        if day.isoformat() in (closure.from_[:10], closure.until[:10]):
            ends = "" if closure.from_[:10] == closure.until[:10] else " the next day"
            yield f"shut from {closure.from_[11:]} to {closure.until[11:]}{ends}"
    # A change in the small hours belongs to the night that leads up to it as well.
    for other in (day, day + _DAY):
        if not (change := _clock_change(other)):
            continue
        instant, direction = change
        if other == day or any(opens < instant < closes for opens, closes in openings):
            yield f"the clocks go {direction}" + ("" if other == day else f" on {other:%A}")


def _clock_change(day: date) -> tuple[datetime, str] | None:
    """When London's clocks change on a day and which way they go, if they do."""
    length = effective(day + _DAY) - effective(day)
    if length == _DAY:
        return None
    return datetime.combine(day, time(1), UTC), "forward" if length < _DAY else "back"


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(LONDON):%H:%M}"
