"""A haven's next days as a table tells them: nights, cut ends, and the hours clocks change."""

from datetime import datetime, timedelta

import pytest

from app.core.london import LONDON
from app.directory.rules import Interval
from app.web.week import Opening, week


def london(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp())


def spans(*texts: str) -> list[Interval]:
    return [(london(begin), london(end)) for begin, end in (text.split() for text in texts)]


ALWAYS = Opening(None, None)
FRIDAY = "2026-11-27"

TABLE = [
    (
        ["2026-11-27T12:00 2026-11-28T02:00"],
        [[("12:00", "02:00")], []],
        "a night belongs to the day on which it begins",
    ),
    (
        ["2026-11-27T05:30 2026-11-27T23:00"],
        [[(None, "23:00")], []],
        "what began before all that is worked out",
    ),
    (
        ["2026-11-28T05:30 2026-11-28T09:00", "2026-11-28T18:00 2026-11-29T00:00"],
        [[], [("05:30", "09:00"), ("18:00", "00:00")]],
        "an early morning is no part of the night before; a day may have two openings",
    ),
    (
        ["2026-11-27T20:00 2026-11-30T05:00"],
        [[("20:00", None)], [ALWAYS], [ALWAYS], [(None, "05:00")]],
        "a weekend round the clock",
    ),
    (
        ["2026-11-28T00:00 2026-11-29T00:00"],
        [[], [ALWAYS], []],
        "one whole day",
    ),
    (
        ["2026-11-27T09:00 2026-11-28T10:00"],
        [[("09:00", None)], [(None, "10:00")]],
        "more than a day would read as one hour",
    ),
    (
        ["2026-11-27T06:00 2026-12-11T06:00"],
        [[ALWAYS]] * 7,
        "day and night, of which the begin is not worked out",
    ),
]


@pytest.mark.parametrize(("open_in", "rows", "reason"), TABLE, ids=[row[2] for row in TABLE])
def test_openings(open_in: list[str], rows: list[list[Opening]], reason: str) -> None:
    known = london("2026-11-27T06:00"), london("2026-12-11T06:00")
    found = [day.openings for day in week(spans(*open_in), known, london("2026-11-27T08:00"))]
    assert found[: len(rows)] == rows, reason
    assert found[len(rows) :] == [[]] * (7 - len(rows))


def test_a_night_that_goes_on_is_told_by_the_day_before() -> None:
    open_in = spans("2026-11-27T20:00 2026-11-28T02:00", "2026-11-28T20:00 2026-11-29T02:00")
    known = london("2026-11-27T20:00"), london("2026-12-11T20:00")
    first, second = week(open_in, known, london("2026-11-28T01:00"))[:2]
    assert (first.day.isoformat(), first.openings) == (FRIDAY, [(None, "02:00")])
    assert second.openings == [("20:00", "02:00")]
    # When it is over, today comes first.
    (now_first,) = week(open_in, known, london("2026-11-28T02:00"), days=1)
    assert now_first == second


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"], ids=["spring", "autumn"])
def test_bars_go_by_the_clocks(night: str) -> None:
    after = (datetime.fromisoformat(night) + timedelta(days=1)).date()
    open_in = spans(f"{night}T18:00 {after}T04:00")
    known = london(f"{night}T06:00"), london(f"{after}T06:00") + 14 * 86400
    (day,) = week(open_in, known, london(f"{night}T12:00"), days=1)
    assert day.openings == [("18:00", "04:00")]
    assert day.bar == [(50.0, 41.7)]


def test_nothing_is_said_of_days_that_are_not_worked_out() -> None:
    known = london("2026-11-27T06:00"), london("2026-11-29T06:00")
    days = week(spans("2026-11-28T12:00 2026-11-28T14:00"), known, london("2026-11-27T08:00"), 3)
    assert [day.openings for day in days] == [[], [("12:00", "14:00")], None]
