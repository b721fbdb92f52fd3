"""When a haven is open on each of the next days, as a table shows it.

A night belongs to the day on which it begins; a bar is a day from 06:00 to 06:00, by the clocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from app.core.london import LONDON, london_day
from app.directory.rules import Interval

MORNING = time(6)
_MINUTES = 24 * 60
_DAY = _MINUTES * 60


class Opening(NamedTuple):
    """From one time of London's clocks to another; None is what lies days before or after."""

    opens: str | None
    closes: str | None


class Piece(NamedTuple):
    """A part of a bar, in percent of it."""

    begin: float
    width: float


@dataclass(frozen=True)
class Day:
    """A London day. `openings` is None when nobody knows so far ahead."""

    day: date
    openings: list[Opening] | None
    bar: list[Piece]


def week(spans: Sequence[Interval], known: Interval, now: float, days: int = 7) -> list[Day]:
    """So many days from today on; in a night that goes on, from the day before.

    `spans` are in order, in seconds since 1970 like `known`, the interval that is worked out:
    when a span that reaches back to its begin has begun, nobody knows.
    """
    left = [span for span in spans if span[1] > now]
    first = _first_day(left, known, now)
    last_known = london_day(_local(known[1]) - timedelta(hours=MORNING.hour))
    return [
        Day(day, _openings(day, left, known, first), _bar(day, left))
        if day < last_known
        else Day(day, None, [])
        for day in (first + timedelta(days=n) for n in range(days))
    ]


def _first_day(left: Sequence[Interval], known: Interval, now: float) -> date:
    today = london_day(_local(now))
    midnight, morning = _second(today, time.min), _second(today, MORNING)
    goes_on = left and left[0][0] <= now and left[0][1] <= morning
    if goes_on and (left[0][0] < midnight or left[0][0] <= known[0]):
        return today - timedelta(days=1)
    return today


def _openings(
    day: date, left: Sequence[Interval], known: Interval, first: date
) -> list[Opening] | None:
    midnight, next_midnight = _second(day, time.min), _second(day + timedelta(days=1), time.min)
    openings = []
    for start, end in left:
        is_cut = start <= known[0]
        begins = first if is_cut else london_day(_local(start))
        noon_after = _second(begins + timedelta(days=1), time(12))
        # What else one would read as an end on the day itself, or on the day after that.
        is_a_night = end <= noon_after and (is_cut or end - start < _DAY)
        if begins > day or end <= midnight:
            continue
        if begins < day:
            if end >= next_midnight:
                openings.append(Opening(None, None))
            elif not is_a_night:
                openings.append(Opening(None, _clock(end)))
        elif start == midnight and end >= next_midnight:
            openings.append(Opening(None, None))
        else:
            openings.append(
                Opening(None if is_cut else _clock(start), _clock(end) if is_a_night else None)
            )
    return openings


def _bar(day: date, left: Sequence[Interval]) -> list[Piece]:
    begin, end = _second(day, MORNING), _second(day + timedelta(days=1), MORNING)
    # A piece of minutes still shows.
    return [
        Piece(round(at, 1), round(max(_percent(day, min(stop, end)) - at, 0.5), 1))
        for start, stop in left
        if start < end and stop > begin
        for at in [_percent(day, max(start, begin))]
    ]


def _percent(day: date, second: float) -> float:
    there = _local(second)
    minutes = (there.date() - day).days * _MINUTES + (there.hour - MORNING.hour) * 60 + there.minute
    return 100 * minutes / _MINUTES


def _second(day: date, at: time) -> float:
    return datetime.combine(day, at, LONDON).timestamp()


def _local(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC).astimezone(LONDON)


def _clock(second: float) -> str:
    return f"{_local(second):%H:%M}"
