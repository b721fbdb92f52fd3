"""When a haven counts as in reach, as closing or as opening next, in which order.

Somebody who asks of the instant `at` arrives later by the minutes on foot, see `walking`.

- `havens`: open at `at`, and until `MARGIN` after arrival. Nearest first, then by id.
- `closing`: open at `at` and on arrival, but not for that margin; in the same order, and none that
  lies beyond both `NEAR_M` and `limit` of `havens`.
- `opens_next`, when fewer than `limit` of `havens` lie within `NEAR_M`: listed at `at`, in neither
  of these, and open at some later time when one arrives or after, if only just. By the later of
  opening and arrival, then distance, then id. What is open but shuts before one arrives waits for
  its next opening.

Open is what `availability` says. The search is in `engine.nearest`, compiled. It is handed these
numbers with the columns, and compiled without them, because what the compiler keeps on disk is
renewed only when the loops change. A brute force in its tests holds it to these words.
"""

from collections.abc import Iterable
from datetime import datetime

from app.core.london import LONDON
from app.venues.hours import Hours, open_intervals

MARGIN = 5 * 60
"""In seconds."""

NEAR_M = 2000
"""When fewer than `limit` havens lie this near, the answer also says what opens next. When `limit`
do, none farther than this that is about to shut is of any use."""

CLOSES_SOON = 30 * 60
"""A haven that shuts within so many seconds closes soon."""

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
