"""When a haven is listed, and when it is available: pure rules on instants."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.venues.hours import Hours, open_intervals

LONDON = ZoneInfo("Europe/London")

Interval = tuple[int, int]
"""Half-open, in whole seconds since 1970 UTC."""


def listed(first: date | None, last: date | None) -> list[Interval]:
    """The instants at which an accreditation of whole London days is in force."""
    if first is None or last is None:
        return []
    return [(_london_midnight(first), _london_midnight(last + timedelta(days=1)))]


def availability(hours: Hours, window: Iterable[Interval], within: Interval) -> list[Interval]:
    """The instants inside `within` at which a venue is both open and listed, in order."""
    first, last = (datetime.fromtimestamp(second, LONDON).date() for second in within)
    opened = [
        (int(start.timestamp()), int(end.timestamp()))
        for start, end in open_intervals(hours, first, last)
    ]
    return intersect(intersect(opened, window), [within])


def intersect(ours: Iterable[Interval], theirs: Iterable[Interval]) -> list[Interval]:
    """The instants in both of two lists of intervals."""
    theirs = list(theirs)
    return sorted(
        (max(a, c), min(b, d)) for a, b in ours for c, d in theirs if max(a, c) < min(b, d)
    )


def _london_midnight(day: date) -> int:
    return int(datetime.combine(day, time.min, LONDON).astimezone(UTC).timestamp())
