"""When a haven is listed and when it is available: truth tables with a reason on every row."""

from datetime import date
from uuid import uuid4

import pytest

from app.core.london import effective
from app.directory.rules import Interval, availability, intersect
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind, in_force_intervals
from app.venues import osm_hours
from tests.factories import utc


def listed(first: date, last: date) -> list[Interval]:
    """When an award of whole London days lists a venue."""
    award = Decision(
        venue_id=uuid4(),
        scheme=SchemeKey.SAFE_HAVEN,
        kind=Kind.AWARDED,
        effective_at=effective(first),
        until=last,
        recorded_at=effective(first),
        recorded_by="test",
    )
    found = in_force_intervals([award])
    return [(int(start.timestamp()), int(end.timestamp())) for start, end in found if end]


WINDOWS = [
    # first and last day, in force in UTC, why
    ("2027-01-10", "2027-01-20", "2027-01-10T00:00", "2027-01-21T00:00", "winter: London is UTC"),
    ("2027-07-10", "2027-07-20", "2027-07-09T23:00", "2027-07-20T23:00", "summer: an hour ahead"),
    ("2027-07-10", "2027-07-10", "2027-07-09T23:00", "2027-07-10T23:00", "one day, all of it"),
    ("2027-01-10", "2027-07-20", "2027-01-10T00:00", "2027-07-20T23:00", "winter to summer"),
    ("2027-07-10", "2028-01-10", "2027-07-09T23:00", "2028-01-11T00:00", "summer to winter"),
    ("2027-03-28", "2027-03-28", "2027-03-28T00:00", "2027-03-28T23:00", "a day of 23 hours"),
    ("2027-10-31", "2027-10-31", "2027-10-30T23:00", "2027-11-01T00:00", "a day of 25 hours"),
    ("2027-03-27", "2027-03-27", "2027-03-27T00:00", "2027-03-28T00:00", "the eve of the change"),
    ("2028-02-29", "2028-02-29", "2028-02-29T00:00", "2028-03-01T00:00", "a leap day"),
    ("2027-12-31", "2027-12-31", "2027-12-31T00:00", "2028-01-01T00:00", "the end of a year"),
]


@pytest.mark.parametrize(("first", "last", "start", "end", "why"), WINDOWS)
def test_an_accreditation_is_in_force_for_whole_london_days(
    first: str, last: str, start: str, end: str, why: str
) -> None:
    window = listed(date.fromisoformat(first), date.fromisoformat(last))
    assert window == [(utc(start), utc(end))], why


LONG_AGO, LATER = "2020-01-01/2060-12-31", "2027-07-12T00:00 2027-07-15T00:00"
"""An accreditation of decades; in summer, three days of UTC from Monday on."""

AVAILABLE = [
    # hours, accredited, within (UTC), available (UTC, July 2027 unless it says otherwise), why
    (
        "Mo-Su 10:00-22:00",
        LONG_AGO,
        LATER,
        "12T09:00/12T21:00 13T09:00/13T21:00 14T09:00/14T21:00",
        "open as the hours say, an hour earlier in UTC",
    ),
    (
        "Mo-Su 10:00-22:00",
        "2027-07-13/2027-07-13",
        LATER,
        "13T09:00/13T21:00",
        "only on the day of the accreditation",
    ),
    ("Mo-Su 10:00-22:00", "2027-07-20/2027-07-25", LATER, "", "accredited later"),
    ("Mo-Su 10:00-22:00", "2027-06-20/2027-07-11", LATER, "", "accredited until the day before"),
    (
        "Mo-Su 18:00-04:00",
        "2027-07-10/2027-07-13",
        LATER,
        "12T00:00/12T03:00 12T17:00/13T03:00 13T17:00/13T23:00",
        "the last day ends at midnight, though the night runs on",
    ),
    (
        "Mo-Su 18:00-04:00",
        "2027-07-13/2027-12-31",
        LATER,
        "12T23:00/13T03:00 13T17:00/14T03:00 14T17:00/15T00:00",
        "the first day begins in the middle of a night",
    ),
    (
        "24/7",
        "2027-07-13/2027-07-14",
        LATER,
        "12T23:00/14T23:00",
        "open without end, listed for two days",
    ),
    (
        "24/7",
        LONG_AGO,
        LATER,
        "12T00:00/15T00:00",
        "cut at both ends of what is worked out",
    ),
    ("off", LONG_AGO, LATER, "", "never open"),
    (
        "Su 22:00-06:00",
        LONG_AGO,
        LATER,
        "12T00:00/12T05:00",
        "a night that began before what is worked out",
    ),
    (
        "We 22:00-06:00",
        LONG_AGO,
        LATER,
        "14T21:00/15T00:00",
        "a night that ends after what is worked out",
    ),
    (
        "Th 00:30-06:00",
        LONG_AGO,
        "2027-07-12T00:00 2027-07-14T23:45",
        "14T23:30/14T23:45",
        "it is Thursday in London while it is still Wednesday in UTC",
    ),
    (
        "Mo-Su 10:00-22:00",
        LONG_AGO,
        "2027-07-12T09:30 2027-07-12T12:00",
        "12T09:30/12T12:00",
        "all of what is worked out lies in one period",
    ),
    (
        "Mo-Su 10:00-22:00",
        LONG_AGO,
        "2027-07-12T21:00 2027-07-13T09:00",
        "",
        "from the closing to the next opening, neither included",
    ),
    (
        "Mo-Su 09:00-12:00,14:00-18:00",
        "2027-07-13/2027-07-13",
        LATER,
        "13T08:00/13T11:00 13T13:00/13T17:00",
        "two periods of a day stay apart",
    ),
    (
        "Mo-Fr 09:00-17:00; PH off",
        LONG_AGO,
        "2027-08-28T00:00 2027-09-01T00:00",
        "2027-08-31T08:00/2027-08-31T16:00",
        "closed at the weekend and on the bank holiday",
    ),
    (
        "Sa 22:00-04:00",
        "2027-03-01/2027-03-28",
        "2027-03-27T00:00 2027-04-02T00:00",
        "2027-03-27T22:00/2027-03-28T03:00",
        "a night of five hours as the clocks go forward",
    ),
    (
        "Sa 22:00-04:00",
        "2027-10-01/2027-10-30",
        "2027-10-30T00:00 2027-11-02T00:00",
        "2027-10-30T21:00/2027-10-30T23:00",
        "the last day ends before the clocks go back",
    ),
    (
        "Su 00:00-24:00",
        "2027-10-31/2027-10-31",
        "2027-10-30T00:00 2027-11-02T00:00",
        "2027-10-30T23:00/2027-11-01T00:00",
        "a day of 25 hours, open and listed for all of them",
    ),
]


@pytest.mark.parametrize(("hours", "days", "within", "expected", "why"), AVAILABLE)
def test_available_is_open_and_listed(
    hours: str, days: str, within: str, expected: str, why: str
) -> None:
    first, last = map(date.fromisoformat, days.split("/"))
    start, end = map(utc, within.split())
    found = availability(osm_hours.parse(hours), listed(first, last), (start, end))
    spans = [one.split("/") for one in expected.split()]
    assert found == [(_july(a), _july(b)) for a, b in spans], why


def _july(written: str) -> int:
    return utc(written if len(written) > len("12T09:00") else f"2027-07-{written}")


def test_nothing_listed_is_nothing_available() -> None:
    hours = osm_hours.parse("24/7")
    assert availability(hours, [], (utc("2027-07-12T00:00"), utc("2027-07-26T00:00"))) == []


INTERSECTIONS = [
    ([], [], [], "nothing and nothing"),
    ([(0, 9)], [], [], "something and nothing"),
    ([(0, 9)], [(3, 5)], [(3, 5)], "one inside the other"),
    ([(0, 5)], [(3, 9)], [(3, 5)], "they overlap"),
    ([(0, 5)], [(5, 9)], [], "they only touch: the end is not included"),
    ([(0, 5)], [(0, 5)], [(0, 5)], "the same"),
    ([(0, 3), (5, 9)], [(2, 6)], [(2, 3), (5, 6)], "one over a gap"),
    ([(0, 3), (5, 9)], [(3, 5)], [], "one in a gap"),
    ([(0, 2), (4, 6), (8, 9)], [(1, 5), (5, 9)], [(1, 2), (4, 5), (5, 6), (8, 9)], "in order"),
]


@pytest.mark.parametrize(("ours", "theirs", "both", "why"), INTERSECTIONS)
def test_intersection(
    ours: list[tuple[int, int]],
    theirs: list[tuple[int, int]],
    both: list[tuple[int, int]],
    why: str,
) -> None:
    assert intersect(ours, theirs) == both, why
    assert intersect(theirs, ours) == both, why
