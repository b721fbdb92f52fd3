"""When a haven is available: pure rules on instants."""

from collections.abc import Iterable
from datetime import datetime

from app.venues.hours import LONDON, Hours, open_intervals

Interval = tuple[int, int]
"""Half-open, in whole seconds since 1970 UTC."""


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
