"""What a time of day means on a day when London's clocks change, at 01:00 UTC.

It can be reached twice, or never. Then the shorter opening holds: a door opens at the later instant
and shuts at the earlier, so that nobody is told of an open door that may be shut.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from app.core.london import LONDON

_DAY = 24 * 60


def opening_instant(day: date, minutes: int) -> datetime:
    """The latest instant that a clock time stands for; an absent one is read on the old clock."""
    old, new, change = _by_both_clocks(day, minutes)
    return new if new >= change else old


def closing_instant(day: date, minutes: int) -> datetime:
    """The earliest instant that a clock time stands for; an absent one is the change itself."""
    old, new, change = _by_both_clocks(day, minutes)
    return old if old <= change else max(new, change)


def _by_both_clocks(day: date, minutes: int) -> tuple[datetime, datetime, datetime]:
    """A time by the clock that its day begins with, by the one it ends with; the change. In UTC."""
    old, new, change = _midnights(day + timedelta(minutes // _DAY))
    passed = timedelta(minutes=minutes % _DAY)
    return old + passed, new + passed, change


@lru_cache(maxsize=1000)
def _midnights(day: date) -> tuple[datetime, datetime, datetime]:
    """In UTC: 00:00 by the clock the day begins with and by the one it ends with; the change."""
    before, after = (
        datetime.combine(day, at, LONDON).utcoffset() or timedelta() for at in (time.min, time.max)
    )
    midnight = datetime.combine(day, time.min, UTC)
    return midnight - before, midnight - after, midnight + timedelta(hours=1)
