"""A week of opening hours by the hour: 168 of them, from Monday 00:00 on London's clocks."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.venues import osm_hours
from app.venues.hours import DAY, WEEKDAYS, Hours, times_on
from app.venues.kinds import Category

HOURS = 7 * 24
_MINUTES = 7 * DAY

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

ASSUMED_HOURS: Mapping[Category, str] = MappingProxyType(
    {
        Category.PUB: "Mo-Sa 11:00-23:00; Su 12:00-22:00",
        Category.BAR: "Mo-We 12:00-24:00; Th-Sa 12:00-02:00; Su 12:00-23:00",
        Category.NIGHTCLUB: "Th-Sa 22:00-04:00",
        Category.RESTAURANT: "Mo-Sa 12:00-23:00; Su 12:00-22:00",
        Category.CAFE: "Mo-Fr 07:00-18:00; Sa-Su 09:00-17:00",
        Category.HOTEL: "Mo-Su 00:00-24:00",
        Category.LIBRARY: "Mo-Fr 09:30-17:00",
        Category.CULTURE: "Mo-Su 10:00-18:00",
        Category.SHOP: "Mo-Sa 07:00-22:00; Su 12:00-18:00",
    }
)
"""When a place of a kind is taken to be open where nobody has recorded its hours; of the kinds that
are not here nothing is assumed."""


def open_hours(hours: Hours, on: date) -> Bools:
    """The hours of the week through all of which a place is open in an ordinary week about a day.

    By its weekly periods and the season that the day lies in; bank holidays, dated exceptions and
    closures are no ordinary week.
    """
    open_: Bools = np.all(_minutes(hours, on).reshape(HOURS, 60), axis=1)
    return open_


def share_by_hour(hours: Hours, on: date) -> Floats:
    """How a weight spreads over the hours of the week when it is spread evenly over these hours."""
    minutes = _minutes(hours, on).reshape(HOURS, 60).sum(axis=1)
    share: Floats = minutes / minutes.sum()
    return share


@cache
def assumed_hours(category: Category) -> Hours | None:
    """When a place of a kind is taken to be open, where something is assumed of that kind."""
    text = ASSUMED_HOURS.get(category)
    return osm_hours.parse(text) if text else None


def _minutes(hours: Hours, on: date) -> Bools:
    monday = on - timedelta(days=on.weekday())
    ordinary = Hours(weekly=hours.weekly, seasons=hours.seasons)
    minutes = np.zeros(_MINUTES, np.bool_)
    for number in range(len(WEEKDAYS)):
        # A season that begins or ends within the week counts from its own day on.
        for period in times_on(ordinary, monday + timedelta(days=number)):
            begin = number * DAY
            # What begins on Sunday night ends on Monday.
            minutes[np.arange(begin + period.start, begin + period.end) % _MINUTES] = True
    return minutes
