"""Opening hours: truth tables with a reason on every row, and properties over any hours at all."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.venues.hours import (
    WEEKDAYS,
    Closure,
    DatedException,
    Hours,
    Season,
    Times,
    Weekday,
    WeeklyPeriod,
    bank_holidays,
    keep_exceptions,
    open_intervals,
    stored_hours,
    times_on,
)

SPRING = date(2027, 3, 28)
"""A Sunday: at 01:00 UTC the clock goes from 01:00 to 02:00."""
AUTUMN = date(2027, 10, 31)
"""A Sunday: at 01:00 UTC the clock goes from 02:00 back to 01:00."""

EVERY_DAY = ",".join(WEEKDAYS)


def spans(written: str) -> tuple[Times, ...]:
    """`10:00-12:00 14:00-16:00`; nothing is closed."""
    return tuple(Times(opens=s[:5], closes=s[6:]) for s in written.split())


def named(written: str) -> tuple[Weekday, ...]:
    return tuple(day for day in WEEKDAYS if day in written.split(","))


def weekly(days: str, written: str) -> tuple[WeeklyPeriod, ...]:
    return tuple(
        WeeklyPeriod(days=named(days), opens=t.opens, closes=t.closes) for t in spans(written)
    )


def exception(first: str, written: str, last: str | None = None) -> DatedException:
    return DatedException(first=first, last=last or first, times=spans(written))


def season(first: str, last: str, days: str, written: str) -> Season:
    return Season(first=first, last=last, days=named(days), times=spans(written))


def utc(written: Iterable[str]) -> list[tuple[datetime, datetime]]:
    """`2027-03-28T01:00/2027-03-28T02:00` in UTC."""
    return [
        (
            datetime.fromisoformat(start).replace(tzinfo=UTC),
            datetime.fromisoformat(end).replace(tzinfo=UTC),
        )
        for start, end in (one.split("/") for one in written)
    ]


# --- the clock changes -----------------------------------------------------------------------

CLOCK_CHANGES = [
    # day, opens, closes, open in UTC, why
    ("Su", AUTUMN, "00:30", "01:30", "30T23:30/31T00:30", "01:30 comes twice: shuts at the first"),
    ("Su", AUTUMN, "00:30", "02:00", "30T23:30/31T01:00", "02:00 is reached at the change"),
    ("Su", AUTUMN, "00:30", "02:30", "30T23:30/31T02:30", "the repeated hour lies inside"),
    ("Su", AUTUMN, "00:00", "01:00", "30T23:00/31T00:00", "01:00 comes twice: the first"),
    ("Su", AUTUMN, "00:00", "00:59", "30T23:00/30T23:59", "over before the doubt begins"),
    ("Su", AUTUMN, "01:00", "05:00", "31T01:00/31T05:00", "01:00 comes twice: opens at the second"),
    ("Su", AUTUMN, "01:30", "05:00", "31T01:30/31T05:00", "opens at the second 01:30"),
    ("Su", AUTUMN, "02:00", "05:00", "31T02:00/31T05:00", "02:00 is sure only when it is past 1"),
    ("Su", AUTUMN, "02:01", "05:00", "31T02:01/31T05:00", "the doubt is over"),
    ("Su", AUTUMN, "01:15", "01:45", "", "the second 01:15 is after the first 01:45"),
    ("Su", AUTUMN, "01:00", "02:00", "", "sure of nothing in the repeated hour"),
    ("Su", AUTUMN, "00:00", "24:00", "30T23:00/01T00:00", "a day of 25 hours"),
    ("Su", AUTUMN, "00:00 01:30", "01:30 24:00", "30T23:00/01T00:00", "they touch by the clock"),
    ("Sa", AUTUMN, "22:00", "01:30", "30T21:00/31T00:30", "a night ends in the repeated hour"),
    ("Sa", AUTUMN, "22:00", "02:00", "30T21:00/31T01:00", "a door that shuts at 2 may shut at 1"),
    ("Sa", AUTUMN, "22:00", "04:00", "30T21:00/31T04:00", "a night of seven hours"),
    ("Su", SPRING, "00:30", "01:00", "28T00:30/28T01:00", "01:00 is the change itself"),
    ("Su", SPRING, "00:30", "01:30", "28T00:30/28T01:00", "01:30 does not come: the change"),
    ("Su", SPRING, "00:30", "02:00", "28T00:30/28T01:00", "02:00 is the change"),
    ("Su", SPRING, "00:30", "03:00", "28T00:30/28T02:00", "the missing hour lies inside"),
    ("Su", SPRING, "01:00", "05:00", "28T01:00/28T04:00", "01:00 is the change itself"),
    ("Su", SPRING, "01:30", "05:00", "28T01:30/28T04:00", "01:30 does not come: read as before"),
    ("Su", SPRING, "02:00", "05:00", "28T01:00/28T04:00", "02:00 is the change"),
    ("Su", SPRING, "01:15", "01:45", "", "neither comes"),
    ("Su", SPRING, "01:00", "02:00", "", "the hour that is left out"),
    ("Su", SPRING, "00:00", "24:00", "28T00:00/28T23:00", "a day of 23 hours"),
    ("Sa", SPRING, "22:00", "01:30", "27T22:00/28T01:00", "a night ends in the missing hour"),
    ("Sa", SPRING, "22:00", "04:00", "27T22:00/28T03:00", "a night of five hours"),
]


@pytest.mark.parametrize(("days", "day", "opens", "closes", "opened", "why"), CLOCK_CHANGES)
def test_the_shorter_opening_holds_when_the_clocks_change(
    days: str, day: date, opens: str, closes: str, opened: str, why: str
) -> None:
    periods = zip(opens.split(), closes.split(), strict=True)
    hours = Hours(weekly=weekly(days, " ".join("-".join(p) for p in periods)))
    month = f"{day:%Y-%m}-"
    expected = utc([f"{month}{opened.replace('/', '/' + month)}"] if opened else [])
    expected = [(s, e if e > s else e.replace(month=e.month + 1)) for s, e in expected]
    assert open_intervals(hours, day, day) == expected, why


CLOSURES_AT_THE_CHANGE = [
    ("2027-10-31T01:00", "2027-10-31T02:00", "31T00:00/31T02:00", "the longest it can be"),
    ("2027-10-31T01:30", "2027-10-31T03:00", "31T00:30/31T03:00", "from the first 01:30"),
    ("2027-10-31T00:30", "2027-10-31T01:15", "30T23:30/31T01:15", "until the second 01:15"),
    ("2027-03-28T01:15", "2027-03-28T01:45", "28T01:00/28T01:45", "neither end comes"),
    ("2027-03-28T00:15", "2027-03-28T01:45", "28T00:15/28T01:45", "the end does not come"),
    ("2027-03-28T01:30", "2027-03-28T05:00", "28T01:00/28T04:00", "the start does not come"),
]


@pytest.mark.parametrize(("start", "until", "closed", "why"), CLOSURES_AT_THE_CHANGE)
def test_the_longer_closure_holds_when_the_clocks_change(
    start: str, until: str, closed: str, why: str
) -> None:
    hours = Hours(weekly=weekly(EVERY_DAY, "00:00-24:00"), closures=(closure(start, until),))
    day = date.fromisoformat(start[:10])
    (_, shut), (opened, _) = open_intervals(hours, day, day)
    month = start[:8]
    assert [(shut, opened)] == utc([f"{month}{closed.replace('/', '/' + month)}"]), why


def closure(start: str, until: str) -> Closure:
    return Closure(from_=start, until=until)


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_always_open_is_one_interval_over_a_clock_change(change: date) -> None:
    hours = Hours(weekly=weekly(EVERY_DAY, "00:00-24:00"))
    intervals = open_intervals(hours, change - timedelta(days=3), change + timedelta(days=3))
    assert len(intervals) == 1


# --- what goes before what -------------------------------------------------------------------

CHRISTMAS = date(2027, 12, 25)  # a Saturday

PRECEDENCE = [
    # hours, day, times that begin on it, why
    (
        Hours(weekly=weekly("Sa", "10:00-20:00")),
        CHRISTMAS,
        "10:00-20:00",
        "bank holidays are as usual unless said otherwise",
    ),
    (
        Hours(weekly=weekly("Sa", "10:00-20:00"), bank_holidays="closed"),
        CHRISTMAS,
        "",
        "25 December is a bank holiday on a Saturday too",
    ),
    (
        Hours(weekly=weekly("Mo", "10:00-20:00"), bank_holidays="closed"),
        date(2027, 12, 27),
        "",
        "and so is its substitute",
    ),
    (
        Hours(weekly=weekly("Mo", "10:00-20:00"), bank_holidays="closed"),
        date(2027, 12, 20),
        "10:00-20:00",
        "an ordinary Monday",
    ),
    (
        Hours(bank_holidays=spans("12:00-18:00")),
        date(2027, 12, 28),
        "12:00-18:00",
        "Boxing Day was a Sunday: its substitute has the bank-holiday times",
    ),
    (
        Hours(
            seasons=(season("12-01", "02-29", EVERY_DAY, "10:00-16:00"),), bank_holidays="closed"
        ),
        CHRISTMAS,
        "",
        "a bank holiday goes before a season",
    ),
    (
        Hours(bank_holidays="closed", exceptions=(exception("12-25", "11:00-14:00"),)),
        CHRISTMAS,
        "11:00-14:00",
        "an exception goes before a bank holiday",
    ),
    (
        Hours(exceptions=(exception("2027-12-25", "11:00-14:00"), exception("12-25", ""))),
        CHRISTMAS,
        "",
        "the last exception holds, with a year or without",
    ),
    (
        Hours(
            weekly=weekly("Sa", "10:00-20:00"),
            seasons=(
                season("12-01", "12-31", "Sa", "10:00-22:00"),
                season("12-20", "12-26", "Sa", ""),
            ),
        ),
        CHRISTMAS,
        "",
        "the last season holds, and it may close",
    ),
    (
        Hours(
            weekly=weekly("Sa", "10:00-20:00"),
            seasons=(season("12-01", "12-31", "Mo", "10:00-22:00"),),
        ),
        CHRISTMAS,
        "10:00-20:00",
        "a season leaves alone the weekdays that it does not name",
    ),
    (
        Hours(seasons=(season("11-01", "02-29", "Sa", "10:00-22:00"),)),
        date(2028, 1, 1),
        "10:00-22:00",
        "a season runs over the new year",
    ),
    (
        Hours(seasons=(season("11-01", "02-29", "Sa", "10:00-22:00"),)),
        date(2027, 7, 3),
        "",
        "and ends",
    ),
    (
        Hours(seasons=(season("2026-11-01", "2027-02-28", "Sa", "10:00-22:00"),)),
        date(2028, 1, 1),
        "",
        "a season with a year does not come back",
    ),
    (
        Hours(
            weekly=weekly(EVERY_DAY, "10:00-20:00"),
            exceptions=(exception("12-24", "", last="01-02"),),
        ),
        date(2028, 1, 2),
        "",
        "the last day of a range is one of it",
    ),
    (
        Hours(
            weekly=weekly(EVERY_DAY, "10:00-20:00"),
            exceptions=(exception("12-24", "", last="01-02"),),
        ),
        date(2028, 1, 3),
        "10:00-20:00",
        "the day after is not",
    ),
    (
        Hours(weekly=weekly("We", "10:00-20:00"), exceptions=(exception("02-29", ""),)),
        date(2028, 3, 1),
        "10:00-20:00",
        "29 February is no other day",
    ),
]


@pytest.mark.parametrize(("hours", "day", "expected", "why"), PRECEDENCE)
def test_exceptions_go_before_bank_holidays_before_seasons_before_weeks(
    hours: Hours, day: date, expected: str, why: str
) -> None:
    found = [(t.opens, t.closes) for t in times_on(hours, day)]
    assert found == [(t.opens, t.closes) for t in spans(expected)], why


FRIDAY_NIGHT = weekly("Fr", "22:00-04:00")

NIGHTS = [
    # hours, first and last London day, open in UTC, why
    (
        Hours(weekly=(*FRIDAY_NIGHT, *weekly("Sa", "12:00-20:00"))),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-09T04:00", "2027-01-09T12:00/2027-01-09T20:00"],
        "Saturday's own hours leave Friday night alone",
    ),
    (
        Hours(weekly=FRIDAY_NIGHT, exceptions=(exception("2027-01-09", ""),)),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-09T04:00"],
        "the night before runs on into a day that is closed",
    ),
    (
        Hours(weekly=weekly("Th,Fr", "22:00-04:00"), bank_holidays="closed"),
        date(2027, 3, 26),
        ["2027-03-25T22:00/2027-03-26T04:00"],
        "Thursday night runs into Good Friday, whose own night is closed",
    ),
    (
        Hours(weekly=FRIDAY_NIGHT, seasons=(season("01-09", "01-31", "Sa", "01:00-02:00"),)),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-09T04:00"],
        "a season that begins on Saturday does not end Friday night, and what overlaps unites",
    ),
    (
        Hours(weekly=(*FRIDAY_NIGHT, *weekly("Sa", "04:00-10:00"))),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-09T10:00"],
        "what touches is one",
    ),
    (
        Hours(weekly=FRIDAY_NIGHT, closures=(closure("2027-01-09T00:00", "2027-01-09T24:00"),)),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-09T00:00"],
        "a closure of the whole day takes the end of the night",
    ),
    (
        Hours(weekly=FRIDAY_NIGHT, closures=(closure("2027-01-08T23:00", "2027-01-09T01:00"),)),
        date(2027, 1, 9),
        ["2027-01-08T22:00/2027-01-08T23:00", "2027-01-09T01:00/2027-01-09T04:00"],
        "a closure takes out just its own time",
    ),
    (
        Hours(
            weekly=FRIDAY_NIGHT,
            exceptions=(exception("2027-01-08", "20:00-24:00"),),
            closures=(
                closure("2027-01-08T19:00", "2027-01-08T21:00"),
                closure("2027-01-08T20:30", "2027-01-08T22:00"),
            ),
        ),
        date(2027, 1, 8),
        ["2027-01-08T22:00/2027-01-09T00:00"],
        "closures may overlap, and go before exceptions",
    ),
    (
        Hours(weekly=weekly("Fr", "22:00-21:59")),
        date(2027, 1, 8),
        ["2027-01-08T22:00/2027-01-09T21:59"],
        "a closing before the opening is a day later",
    ),
    (
        Hours(exceptions=(exception("2027-06-05", "20:00-04:00"),)),
        date(2027, 6, 5),
        ["2027-06-05T19:00/2027-06-06T03:00"],
        "a help point opens on one night only, in summer time",
    ),
    (Hours(), date(2027, 6, 5), [], "never open"),
]


@pytest.mark.parametrize(("hours", "day", "expected", "why"), NIGHTS)
def test_nights_run_on_and_closures_cut(
    hours: Hours, day: date, expected: list[str], why: str
) -> None:
    assert open_intervals(hours, day, day) == utc(expected), why


# --- bank holidays ---------------------------------------------------------------------------


def test_bank_holidays_are_englands_with_both_the_day_and_its_substitute() -> None:
    found = " ".join(sorted(f"{day:%m-%d}" for day in bank_holidays(2027)))
    assert found == "01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28"


@pytest.mark.parametrize("year", range(2026, 2036))
def test_every_year_has_its_bank_holidays(year: int) -> None:
    days = bank_holidays(year)
    fixed = [date(year, 1, 1), date(year, 12, 25), date(year, 12, 26)]
    substitutes = sum(day.weekday() >= 5 for day in fixed)
    assert days.issuperset(fixed)
    assert len(days) == 8 + substitutes
    assert sum(day.weekday() < 5 for day in days) == 8


# --- what is refused -------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"weekly": [{"days": ["Mo"], "opens": "24:00", "closes": "02:00"}]}, "00:00 to 23:59"),
    ({"weekly": [{"days": ["Mo"], "opens": "22:00", "closes": "26:00"}]}, "00:00 to 24:00"),
    ({"weekly": [{"days": ["Mo"], "opens": "9:00", "closes": "17:00"}]}, "HH:MM"),
    ({"weekly": [{"days": ["Mo"], "opens": "09:00", "closes": "17:60"}]}, "HH:MM"),
    ({"weekly": [{"days": ["Mo"], "opens": "09:00", "closes": "17:00\n"}]}, "HH:MM"),
    ({"weekly": [{"days": ["Mo"], "opens": "\u0660\u0669:00", "closes": "17:00"}]}, "HH:MM"),
    ({"weekly": [{"days": [], "opens": "09:00", "closes": "17:00"}]}, "at least 1 item"),
    ({"weekly": [{"days": ["PH"], "opens": "09:00", "closes": "17:00"}]}, "'Mo'"),
    ({"exceptions": [{"first": "02-30", "last": "03-01", "times": []}]}, "no such date"),
    ({"exceptions": [{"first": "2027-02-29", "last": "2027-03-01", "times": []}]}, "no such date"),
    ({"exceptions": [{"first": "1999-12-31", "last": "2027-03-01", "times": []}]}, "2000 to 2099"),
    ({"exceptions": [{"first": "9999-12-31", "last": "9999-12-31", "times": []}]}, "2000 to 2099"),
    ({"exceptions": [{"first": "2027-03-02", "last": "2027-03-01", "times": []}]}, "after the las"),
    ({"exceptions": [{"first": "2027-03-02", "last": "03-03", "times": []}]}, "or neither"),
    ({"exceptions": [{"first": "12-25", "last": "12-25"}]}, "required"),
    ({"bank_holidays": "shut"}, "'as_usual' or 'closed'"),
    ({"bank_holidays": []}, "at least 1 item"),
    ({"closures": [{"from": "2027-03-02T10:00", "until": "2027-03-02T10:00"}]}, "before it begins"),
    ({"closures": [{"from": "2027-03-02T10:00", "until": "2027-03-01T11:00"}]}, "before it begins"),
    ({"closures": [{"from": "2027-03-02T10:00", "until": "2027-03-03T10:01"}]}, "24 hours"),
    ({"closures": [{"from": "2027-03-02T24:00", "until": "2027-03-03T10:00"}]}, "00:00 to 23:59"),
    ({"closures": [{"from": "03-02T10:00", "until": "03-02T11:00"}]}, "YYYY-MM-DDTHH:MM"),
    ({"closures": [{"from": "2027-03-02T10:00Z", "until": "2027-03-02T11:00"}]}, "HH:MM"),
    ({"opens": "09:00"}, "not permitted"),
]


@pytest.mark.parametrize(("document", "message"), REFUSED)
def test_what_is_not_hours_is_refused_with_a_reason(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Hours.model_validate(document)
    assert any(message in error["msg"] for error in refusal.value.errors())


@pytest.mark.parametrize(("first", "last"), [(date.min, date.min), (date(2027, 1, 1), date.max)])
def test_dates_past_the_calendar_are_refused(first: date, last: date) -> None:
    with pytest.raises(ValueError, match="2000 to 2099"):
        open_intervals(Hours(), first, last)


# --- one form --------------------------------------------------------------------------------


def test_periods_that_overlap_or_touch_become_one() -> None:
    hours = Hours(
        weekly=(
            *weekly("Mo,Tu", "09:00-12:00"),
            *weekly("Mo,Tu", "12:00-15:00 18:00-00:00"),
            *weekly("Tu", "14:00-16:00"),
        )
    )
    assert [(p.days, p.opens, p.closes) for p in hours.weekly] == [
        (("Mo",), "09:00", "15:00"),
        (("Mo", "Tu"), "18:00", "24:00"),
        (("Tu",), "09:00", "16:00"),
    ]


LONG = [
    ("10:00-09:00 20:00-19:00", "10:00-09:00 20:00-19:00", "33 hours"),
    ("10:00-20:00 20:00-10:00", "10:00-20:00 20:00-10:00", "24 hours: 10:00-10:00 says nothing"),
    ("18:00-10:00 10:00-20:00", "10:00-20:00 18:00-10:00", "the same where they overlap"),
    ("00:00-13:00 12:00-24:00", "00:00-24:00", "the whole day"),
]


@pytest.mark.parametrize(("given", "kept", "why"), LONG)
def test_periods_that_none_can_say_stay_apart(given: str, kept: str, why: str) -> None:
    hours = Hours(weekly=weekly("Mo", given))
    assert " ".join(f"{p.opens}-{p.closes}" for p in hours.weekly) == kept, why


SAME_TIME = "10:00-10:00 opens and closes at the same time: write 00:00-24:00"
SAME = {"opens": "10:00", "closes": "10:00"}
DAYS = {"first": "12-01", "last": "12-31"}


@pytest.mark.parametrize(
    "document",
    [
        {"weekly": [SAME | {"days": ["Mo"]}]},
        {"seasons": [DAYS | {"days": ["Mo"], "times": [SAME]}]},
        {"bank_holidays": [{"opens": "09:00", "closes": "17:00"}, SAME]},
        {"exceptions": [DAYS | {"times": [SAME]}]},
    ],
)
def test_no_period_opens_and_closes_at_the_same_time(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=SAME_TIME):
        Hours.model_validate(document)
    for stored in (document, json.dumps(document)):
        assert str(stored_hours(stored)).startswith(SAME_TIME)


@pytest.mark.parametrize("stored", [{"weekly": 3}, ["?"], "", "{", "null", 7])
def test_whatever_is_stored_is_hours_or_refused_with_a_reason(stored: object) -> None:
    reason = stored_hours(stored)
    assert isinstance(reason, str)
    assert reason


def test_the_document_is_readable_and_comes_back() -> None:
    hours = Hours(
        weekly=weekly("Fr,Sa", "22:00-04:00"),
        seasons=(season("05-01", "09-30", "Sa", ""),),
        bank_holidays="closed",
        exceptions=(exception("12-24", "10:00-16:00", last="12-26"),),
        closures=(closure("2027-01-08T14:00", "2027-01-08T24:00"),),
    )
    document = {
        "weekly": [{"days": ["Fr", "Sa"], "opens": "22:00", "closes": "04:00"}],
        "seasons": [{"first": "05-01", "last": "09-30", "days": ["Sa"], "times": []}],
        "bank_holidays": "closed",
        "exceptions": [
            {
                "first": "12-24",
                "last": "12-26",
                "times": [{"opens": "10:00", "closes": "16:00"}],
            }
        ],
        "closures": [{"from": "2027-01-08T14:00", "until": "2027-01-08T24:00"}],
    }
    assert hours.model_dump(mode="json") == document
    assert Hours.model_validate(document) == hours
    assert hash(Hours.model_validate(document)) == hash(hours)


# --- kept over an import ---------------------------------------------------------------------


def test_exceptions_and_closures_that_new_hours_do_not_name_are_kept() -> None:
    old = Hours(
        weekly=weekly("Mo", "10:00-12:00"),
        exceptions=(exception("12-25", ""), exception("2027-06-05", "20:00-04:00")),
        closures=(closure("2027-01-08T14:00", "2027-01-08T16:00"),),
    )
    new = Hours(
        weekly=weekly("Mo", "09:00-12:00"), exceptions=(exception("12-24", "", last="12-26"),)
    )
    kept = keep_exceptions(new, old)
    assert kept.weekly == new.weekly
    assert kept.exceptions == (old.exceptions[1], *new.exceptions)
    assert kept.closures == old.closures
    assert keep_exceptions(kept, old) == kept, "a second import changes nothing"
    assert keep_exceptions(new, None) == new


def test_a_new_exception_holds_where_it_meets_an_old_one() -> None:
    old = Hours(exceptions=(exception("2027-06-05", "10:00-12:00", last="2027-06-07"),))
    kept = keep_exceptions(Hours(exceptions=(exception("2027-06-06", ""),)), old)
    assert [len(times_on(kept, date(2027, 6, day))) for day in (5, 6, 7)] == [1, 0, 1]


# --- any hours -------------------------------------------------------------------------------

_clock = st.one_of(
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 45])),
    st.sampled_from(["00:00", "01:00", "02:00", "01:30"]),
)
_times = (
    st.tuples(_clock, _clock | st.just("24:00"))
    .filter(lambda ends: ends[0] != ends[1])
    .map(lambda ends: Times(opens=ends[0], closes=ends[1]))
)
_day_times = st.lists(_times, max_size=3).map(tuple)
_bank_holidays: st.SearchStrategy[Literal["as_usual", "closed"] | tuple[Times, ...]] = st.one_of(
    st.just("as_usual"), st.just("closed"), st.lists(_times, min_size=1, max_size=2).map(tuple)
)
_weekdays = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7).map(tuple)
_dated = st.dates(date(2026, 1, 1), date(2028, 12, 31)) | st.sampled_from(
    [SPRING, AUTUMN, CHRISTMAS, date(2028, 2, 29), date(2027, 8, 29), date(2027, 8, 30)]
)


@st.composite
def _ends(draw: st.DrawFn) -> dict[str, str]:
    first, last = draw(_dated), draw(_dated)
    if draw(st.booleans()):
        first, last = sorted((first, last))
        return {"first": first.isoformat(), "last": last.isoformat()}
    if draw(st.booleans()):
        return {"first": f"{first:%m-01}", "last": f"{last:%m}-{29 if last.month == 2 else 30}"}
    return {"first": f"{first:%m-%d}", "last": f"{last:%m-%d}"}


@st.composite
def _one_day(draw: st.DrawFn) -> dict[str, str]:
    day = draw(_dated).isoformat()[draw(st.sampled_from([0, 5])) :]
    return {"first": day, "last": day}


@st.composite
def _closure(draw: st.DrawFn) -> Closure:
    day, start, end = draw(_dated), draw(_clock), draw(_clock | st.just("24:00"))
    until = day if end > start else day + timedelta(days=1)
    return closure(f"{day}T{start}", f"{until}T{end}")


@st.composite
def any_hours(draw: st.DrawFn) -> Hours:
    """Hours of every shape, with dates from 2026 to 2028 and on the days when clocks change."""
    return Hours(
        weekly=tuple(
            WeeklyPeriod(days=days, opens=one.opens, closes=one.closes)
            for days, one in draw(st.lists(st.tuples(_weekdays, _times), max_size=4))
        ),
        seasons=tuple(
            Season(**ends, days=days, times=opened)
            for ends, days, opened in draw(
                st.lists(st.tuples(_ends(), _weekdays, _day_times), max_size=3)
            )
        ),
        bank_holidays=draw(_bank_holidays),
        exceptions=tuple(
            DatedException(**ends, times=opened)
            for ends, opened in draw(
                st.lists(st.tuples(_one_day() | _ends(), _day_times), max_size=4)
            )
        ),
        closures=tuple(draw(st.lists(_closure(), max_size=3))),
    )


@given(any_hours(), st.dates(date(2026, 1, 1), date(2028, 12, 1)), st.integers(0, 40))
def test_intervals_are_in_order_apart_and_not_empty(hours: Hours, first: date, days: int) -> None:
    intervals = open_intervals(hours, first, first + timedelta(days=days))
    assert all(start < end for start, end in intervals)
    assert all(before[1] < after[0] for before, after in pairwise(intervals))
    assert all(instant.tzinfo is UTC for interval in intervals for instant in interval)


@given(any_hours())
def test_a_document_is_its_own_form(hours: Hours) -> None:
    assert Hours.model_validate(hours.model_dump(mode="json")) == hours
    assert Hours.model_validate_json(hours.model_dump_json()) == hours


def _reads_open(document: dict[str, Any], instant: datetime) -> bool:
    """Whether a clock on the wall that shows `instant` finds the door open, by the plain words."""
    written = instant.isoformat(timespec="minutes")
    for shut in document["closures"]:
        until = shut["until"]
        if until.endswith("24:00"):
            until = f"{date.fromisoformat(until[:10]) + timedelta(days=1)}T00:00"
        if shut["from"] <= written < until:
            return False
    clock = written[11:]
    for back in (0, 1):
        for period in _begin_on(document, instant.date() - timedelta(days=back)):
            next_day = period["closes"] <= period["opens"]
            if back == 0 and period["opens"] <= clock and (next_day or clock < period["closes"]):
                return True
            if back == 1 and next_day and clock < period["closes"]:
                return True
    return False


def _begin_on(document: dict[str, Any], day: date) -> list[dict[str, str]]:
    def within(entry: dict[str, Any]) -> bool:
        first, last = entry["first"], entry["last"]
        shown = str(day) if len(first) == 10 else str(day)[5:]
        return bool(first <= shown <= last or (first > last and not last < shown < first))

    weekday = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"][day.weekday()]
    found = [e["times"] for e in document["exceptions"] if within(e)]
    if not found and day == date(2027, 8, 30) and document["bank_holidays"] != "as_usual":
        rule = document["bank_holidays"]
        found = [[] if rule == "closed" else rule]
    if not found:
        found = [s["times"] for s in document["seasons"] if within(s) and weekday in s["days"]]
    if not found:
        found = [[p for p in document["weekly"] if weekday in p["days"]]]
    return list(found[-1])


@given(any_hours(), st.dates(date(2027, 8, 25), date(2027, 9, 3)))
def test_they_are_what_a_clock_on_the_wall_says_on_ordinary_days(hours: Hours, day: date) -> None:
    intervals = open_intervals(hours, day, day)
    document = hours.model_dump(mode="json")
    for minutes in range(0, 24 * 60, 15):
        wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001
        instant = wall.replace(tzinfo=UTC) - timedelta(hours=1)
        opened = any(start <= instant < end for start, end in intervals)
        assert opened == _reads_open(document, wall), wall


def test_bank_holidays_are_those_that_the_library_has_of_england() -> None:
    for year in range(2000, 2051):
        assert bank_holidays(year) == set(
            holidays.country_holidays("GB", subdiv="ENG", years=year)
        ), year
