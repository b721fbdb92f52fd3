"""A venue's opening hours, and the instants at which they make it open.

Dates and times of day are London's, kept as the text that JSON shows (`12-25`, `2026-12-24`,
`09:30`), so that a stored document, an officer's request and a Python value are the same thing.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib.machinery import SourceFileLoader
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from app.core.clock_changes import closing_instant, opening_instant
from app.core.errors import reason

DAY = 24 * 60
"""Minutes in a day of 24 hours."""

MOST_ENTRIES = 400
"""How many periods, seasons, exceptions or closures one venue may have."""

Weekday = Literal["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


# --- what the words may be -------------------------------------------------------------------


def _time_of_day(value: str) -> str:
    if not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", value):
        raise ValueError("write a time of day as HH:MM, from 00:00 to 24:00")
    return value


def _start_of_day(value: str) -> str:
    if _time_of_day(value) == "24:00":
        raise ValueError("opening times run from 00:00 to 23:59")
    return value


def _day(value: str) -> str:
    found = re.fullmatch(r"(?:(20[0-9]{2})-)?([0-9]{2})-([0-9]{2})", value)
    if not found:
        raise ValueError("write a date as YYYY-MM-DD (2000 to 2099), or as MM-DD for every year")
    year, month, day = found.groups()
    try:
        date(int(year or 2000), int(month), int(day))  # 2000 has a 29 February
    except ValueError:
        raise ValueError("there is no such date") from None
    return value


def _local_minute(value: str) -> str:
    day, _, clock = value.partition("T")
    if len(day) != len("YYYY-MM-DD"):
        raise ValueError("write a London date and time as YYYY-MM-DDTHH:MM")
    return f"{_day(day)}T{_time_of_day(clock)}"


def _in_order(days: Iterable[Weekday]) -> tuple[Weekday, ...]:
    return tuple(sorted(set(days), key=WEEKDAYS.index))


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]
OpeningTime = Annotated[str, AfterValidator(_start_of_day)]
Day = Annotated[str, AfterValidator(_day)]
LocalMinute = Annotated[str, AfterValidator(_local_minute)]
Days = Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7), AfterValidator(_in_order)]


class _Value(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )


SAME_TIME = "opens and closes at the same time: write 00:00-24:00 for the whole day, or off"


class Times(_Value):
    """Open from `opens` until `closes`, which is on the next day if it is before `opens`.

    They differ: by `10:00-10:00` some mean the whole day, and some that it is closed.
    """

    opens: OpeningTime
    closes: TimeOfDay

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.opens == self.closes:
            raise ValueError(f"{self.opens}-{self.closes} {SAME_TIME}")
        return self

    @property
    def start(self) -> int:
        """The opening, in minutes on the clock since the day began."""
        return _minutes(self.opens)

    @property
    def end(self) -> int:
        """The closing, in minutes on the clock since the day began; past 1440 on the next day."""
        closes = _minutes(self.closes)
        return closes if closes > self.start else closes + DAY


def times(start: int, end: int) -> Times:
    """The times from `start` to `end`, in minutes since the day began, less than 24 hours apart
    or the whole day."""
    return Times(opens=clock(start), closes=clock(end if end <= DAY else end - DAY))


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def clock(minutes: int) -> str:
    """So many minutes since a day began, as a clock shows them; `38:00` is on the next day."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def merged_times(several: Iterable[Times]) -> tuple[Times, ...]:
    """The same times in order, those that overlap or touch made one where `Times` can say it."""

    def sayable(start: int, end: int) -> bool:
        return (start, end) == (0, DAY) or end - start < DAY

    spans = _merged(((t.start, t.end) for t in several), sayable)
    return tuple(times(start, end) for start, end in spans)


_Moment = TypeVar("_Moment", int, datetime)


def _merged(
    spans: Iterable[tuple[_Moment, _Moment]],
    may_be_one: Callable[[_Moment, _Moment], bool] = lambda *_: True,
) -> list[tuple[_Moment, _Moment]]:
    """The same time as spans in order; those that overlap or touch are one where they may be."""
    merged: list[tuple[_Moment, _Moment]] = []
    for start, end in sorted(spans):
        first, last = merged[-1] if merged else (start, start)
        if merged and start <= last and may_be_one(first, max(last, end)):
            merged[-1] = (first, max(last, end))
        else:
            merged.append((start, end))
    return merged


DayTimes = Annotated[tuple[Times, ...], Field(max_length=48), AfterValidator(merged_times)]
OpenDayTimes = Annotated[
    tuple[Times, ...], Field(min_length=1, max_length=48), AfterValidator(merged_times)
]


class WeeklyPeriod(Times):
    """A period that begins on each of some weekdays."""

    days: Days


def weekly_periods(by_day: Mapping[Weekday, Iterable[Times]]) -> tuple[WeeklyPeriod, ...]:
    """Periods that say what happens on each weekday, one for all the days that share its times."""
    days: defaultdict[Times, list[Weekday]] = defaultdict(list)
    for day in WEEKDAYS:
        for span in merged_times(by_day.get(day, ())):
            days[span].append(day)
    periods = [WeeklyPeriod(days=tuple(d), opens=t.opens, closes=t.closes) for t, d in days.items()]
    return tuple(sorted(periods, key=lambda p: ([WEEKDAYS.index(d) for d in p.days], p.start)))


def times_by_weekday(periods: Iterable[WeeklyPeriod]) -> dict[Weekday, list[Times]]:
    """The periods that begin on each weekday, in order."""
    by_day: dict[Weekday, list[Times]] = {day: [] for day in WEEKDAYS}
    for period in sorted(periods, key=lambda p: p.start):
        for day in period.days:
            by_day[day].append(period)
    return by_day


def _regrouped(periods: tuple[WeeklyPeriod, ...]) -> tuple[WeeklyPeriod, ...]:
    regrouped = weekly_periods(times_by_weekday(periods))
    # What overlaps differently on each day can come to more of them than were written.
    if len(regrouped) > MOST_ENTRIES:
        raise ValueError(f"there are more than {MOST_ENTRIES} different periods")
    return regrouped


class Dates(_Value):
    """Whole days from `first` to `last`, both included.

    Without a year they come back every year, and may run over the new year.
    """

    first: Day
    last: Day

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if len(self.first) != len(self.last):
            raise ValueError("give both dates a year, or neither")
        if self.first > self.last and len(self.first) == len("YYYY-MM-DD"):
            raise ValueError("the first date is after the last")
        return self

    @property
    def ends(self) -> tuple[str, str]:
        """The first and the last of them."""
        return self.first, self.last

    def include(self, day: date) -> bool:
        """Whether `day` is one of them."""
        written = day.isoformat()[-len(self.first) :]
        if self.first <= self.last:
            return self.first <= written <= self.last
        return written >= self.first or written <= self.last

    def cover(self, other: "Dates") -> bool:
        """Whether every day of `other` is certainly one of them."""
        if len(self.first) != len(other.first) or self.first > self.last:
            return self.ends == other.ends
        return self.first <= other.first <= other.last <= self.last


class Season(Dates):
    """Times that replace the weekly ones on some weekdays of a part of the year; none is closed."""

    days: Days
    times: DayTimes


class DatedException(Dates):
    """Times that replace all others on some days; none is closed."""

    times: DayTimes


class Closure(_Value):
    """A venue shut for at most 24 hours from an instant on, whatever the rest says."""

    from_: LocalMinute = Field(validation_alias="from", serialization_alias="from")
    until: LocalMinute

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_.endswith("24:00"):
            raise ValueError("write the start of a closure with a time from 00:00 to 23:59")
        if self.start >= self.end:
            raise ValueError("the closure ends before it begins")
        if self.end - self.start > DAY:
            raise ValueError(
                "a timed closure lasts at most 24 hours: close whole days with an exception"
            )
        return self

    @property
    def ends(self) -> tuple[str, str]:
        """When it begins and ends."""
        return self.from_, self.until

    def cover(self, other: "Closure") -> bool:
        """Whether all of `other` lies in it."""
        return self.from_ <= other.from_ and other.until <= self.until

    @property
    def day(self) -> date:
        """The London day on which it begins."""
        return date.fromisoformat(self.from_[:10])

    @property
    def start(self) -> int:
        """When it begins, in minutes on the clock since that day began."""
        return _minutes(self.from_[11:])

    @property
    def end(self) -> int:
        """When it ends, in minutes on the clock since that day began."""
        days = date.fromisoformat(self.until[:10]) - self.day
        return days.days * DAY + _minutes(self.until[11:])


BankHolidays = Annotated[
    Annotated[Literal["as_usual", "closed"], Tag("rule")] | Annotated[OpenDayTimes, Tag("times")],
    # Told apart here, so that an error speaks of the one that was meant.
    Discriminator(lambda value: "rule" if isinstance(value, str) else "times"),
]


class Hours(_Value):
    """When a venue opens. A dated exception goes before a bank holiday, that before a season, that
    before the weekly periods; the last one listed goes before the others of its kind.

    Each replaces the periods that begin on its days, while the night before runs on; a timed
    closure takes out just its own time.
    """

    weekly: Annotated[
        tuple[WeeklyPeriod, ...], Field(max_length=MOST_ENTRIES), AfterValidator(_regrouped)
    ] = ()
    seasons: tuple[Season, ...] = Field(default=(), max_length=MOST_ENTRIES)
    bank_holidays: BankHolidays = "as_usual"
    exceptions: tuple[DatedException, ...] = Field(default=(), max_length=MOST_ENTRIES)
    closures: tuple[Closure, ...] = Field(default=(), max_length=MOST_ENTRIES)

    def changed(self, **parts: Any) -> "Hours":
        """The same but for some parts. Raises ValueError where there are too many of something."""
        # Built anew, because copying would skip the limits.
        return Hours.model_validate(dict(self) | parts)


def stored_hours(document: Any) -> Hours | str:
    """Hours as a database holds them, as JSON text or read; or why they are refused by now.

    Whoever is told that then counts them as unknown: what was stored once must stop nothing.
    """
    try:
        if isinstance(document, str):
            return Hours.model_validate_json(document)
        return Hours.model_validate(document)
    except ValidationError as error:
        return message_of(error)


def message_of(error: ValidationError) -> str:
    """What is wrong first, in words."""
    return reason(error.errors()[0])


# --- what they come to -----------------------------------------------------------------------

Interval = tuple[datetime, datetime]
"""Half-open, in UTC."""


def open_intervals(hours: Hours, first: date, last: date) -> list[Interval]:
    """When a venue is open, from the periods that begin on the London days `first` - 1 to `last`.

    In order, and no two of them touch. Raises ValueError outside the years 2000 to 2099.
    """
    if first < date(2000, 1, 2) or last > date(2099, 12, 31):
        raise ValueError("opening hours are known for 2000 to 2099")
    days = [first + timedelta(days=n) for n in range(-1, (last - first).days + 1)]
    opened = [
        (start, end)
        for day in days
        for period in times_on(hours, day)
        if (start := opening_instant(day, period.start)) < (end := closing_instant(day, period.end))
    ]
    # A venue shuts where a closure begins and opens where it ends: read so, a closure whose ends
    # are in doubt is the longer of what it could be.
    closed = [
        (closing_instant(c.day, c.start), opening_instant(c.day, c.end)) for c in hours.closures
    ]
    return list(_without(_merged(opened), _merged(closed)))


def times_on(hours: Hours, day: date) -> tuple[Times, ...]:
    """The periods that begin on a London day, before any timed closure."""
    for exception in reversed(hours.exceptions):
        if exception.include(day):
            return exception.times
    if hours.bank_holidays != "as_usual" and day in bank_holidays(day.year):
        return () if hours.bank_holidays == "closed" else hours.bank_holidays
    weekday = WEEKDAYS[day.weekday()]
    for season in reversed(hours.seasons):
        if weekday in season.days and season.include(day):
            return season.times
    return tuple(period for period in hours.weekly if weekday in period.days)


@lru_cache(maxsize=200)
def bank_holidays(year: int) -> frozenset[date]:
    """England's bank holidays, the days themselves and their substitutes."""
    return frozenset(_united_kingdom()(subdiv="ENG", years=year))


@cache
def _united_kingdom() -> Any:
    """The calendar of the United Kingdom, read from its file alone: asked for one by its name, the
    library brings those of all the world, ten megabytes of them."""
    # Who answers from the directory asks for none.
    import holidays  # noqa: PLC0415

    file = Path(holidays.__file__).parent / "countries" / "united_kingdom.py"
    loader = SourceFileLoader("holidays_united_kingdom", str(file))
    module = ModuleType(loader.name)
    try:
        loader.exec_module(module)
    except (OSError, ImportError):
        # Another version of the library may keep it elsewhere.
        return type(holidays.country_holidays("GB"))
    return module.UnitedKingdom


def keep_exceptions(new: Hours, old: Hours | None) -> Hours:
    """The new hours, with the old exceptions and closures that they say nothing about.

    Where the dates of an old and a new exception meet, the new one holds. Raises ValueError where
    there would be too many of them.
    """
    if old is None:
        return new
    exceptions = [e for e in old.exceptions if not any(n.cover(e) for n in new.exceptions)]
    closures = [c for c in old.closures if not any(n.cover(c) for n in new.closures)]
    return new.changed(
        exceptions=(*exceptions, *new.exceptions), closures=(*closures, *new.closures)
    )


def _without(opened: Sequence[Interval], closed: Sequence[Interval]) -> Iterator[Interval]:
    """What is left of merged intervals when other merged ones are taken out."""
    for start, end in opened:
        cuts = [(s, e) for s, e in closed if s < end and e > start]
        edges = [(start, start), *cuts, (end, end)]
        yield from ((left, right) for (_, left), (right, _) in pairwise(edges) if left < right)
