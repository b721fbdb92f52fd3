"""The rules that OpenStreetMap `opening_hours` text is made of, and what is refused of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from app.venues.hours import DAY, Dates, Times, Weekday, message_of, times

LONGEST = 1000
"""How many characters a text may have."""

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ALL_DAY = times(0, DAY)


class HoursRefused(ValueError):
    """A text that does not become hours: `part` of it, word for word, and the `reason`."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part}: {reason}" if part else reason)
        self.part = part
        self.reason = reason


@dataclass(frozen=True)
class Rule:
    """What one rule says, each part checked by itself.

    `cuts`: closed from such a minute of the day to such a one, and for just that time.
    """

    part: str
    dates: tuple[Dates, ...]
    whole_months: bool
    weekdays: frozenset[Weekday]
    every_day: bool
    bank_holidays: bool
    times: tuple[Times, ...]
    cuts: tuple[tuple[int, int], ...] = ()
    adds: bool = False


_T = TypeVar("_T")


def valid(part: str, make: Callable[[], _T]) -> _T:
    """What `make` makes; what the hours refuse is put down to that part of the text."""
    try:
        return make()
    except ValidationError as error:
        message = message_of(error)
        raise HoursRefused(part, f"{message[0].upper()}{message[1:]}.") from None
