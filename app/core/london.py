"""London days: the calendar that everything recorded and everything public goes by."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

LONDON = ZoneInfo("Europe/London")
_Dated = TypeVar("_Dated", bound=date)


def _iso_date(value: object) -> object:
    # Pydantic would also take a number, for seconds since 1970.
    if isinstance(value, str) and not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("must be a date, like 2026-11-27")
    if isinstance(value, int | float):
        raise ValueError("must be a date, like 2026-11-27")
    return value


def in_our_time(value: _Dated) -> _Dated:
    """A day or an instant of the years 2000 to 2099. Raises ValueError."""
    if not 2000 <= value.year <= 2099:
        raise ValueError("must lie in the years 2000 to 2099")
    return value


def instant(value: object) -> datetime:
    """An instant as RFC 3339 writes it, with its offset. Raises ValueError.

    In an address a `+` reads as a space. A leap second counts as the second before it.
    """
    if isinstance(value, datetime):
        return value
    text = str(value).upper().replace(":59:60", ":59:59")
    if not (parts := _INSTANT.fullmatch(text)):
        raise ValueError(
            "must be a date and time such as 2026-11-27T23:30:00Z (in an address write + as %2B)"
        )
    if not parts["offset"]:
        raise ValueError("must carry an offset, as in 2026-11-27T23:30:00Z")
    try:
        return datetime.fromisoformat(parts["local"] + parts["offset"].replace(" ", "+"))
    except ValueError:
        raise ValueError("must be a day of the calendar and a time of day") from None


_INSTANT = re.compile(
    r"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)"
    "(?P<offset>Z|[ +-][0-9]{2}:?[0-5][0-9])?"
)


def _past(value: datetime) -> datetime:
    if value > datetime.now(UTC):
        raise ValueError("lies in the future")
    return value.astimezone(UTC)


Day = Annotated[date, BeforeValidator(_iso_date), AfterValidator(in_our_time)]
"""A London day on which something happened, or is to."""

GivenInstant = Annotated[AwareDatetime, BeforeValidator(instant)]

KnownAt = Annotated[GivenInstant, AfterValidator(in_our_time), AfterValidator(_past)]
"""An instant as known at which something is asked; in the future the answer would change."""


def today() -> date:
    """The day that London has now."""
    return london_day(datetime.now(UTC))


def london_day(instant: datetime) -> date:
    """The day that London has at an instant."""
    return instant.astimezone(LONDON).date()


# One report asks for the same days again and again.
@lru_cache(maxsize=20_000)
def end_of(day: date) -> datetime:
    """The first instant after a whole London day."""
    return effective(day + timedelta(days=1))


def effective(day: date) -> datetime:
    """A date takes effect at its first instant in London."""
    return datetime.combine(day, time.min, LONDON).astimezone(UTC)


# As above.
@lru_cache(maxsize=4_000)
def last_day(first: date, months: int) -> date:
    """The last day of so many months from the day `first` on: the one before the anniversary."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    try:
        anniversary = date(year, month + 1, first.day)
    except ValueError:
        # A month without that day: the anniversary of 29 February is 1 March.
        year, month = divmod(year * 12 + month + 1, 12)
        anniversary = date(year, month + 1, 1)
    return anniversary - timedelta(days=1)
