"""What follows from outreach, case by case."""

from datetime import date, datetime

import pytest

from app.core.london import LONDON
from app.outreach.models import ReportState, Step
from app.outreach.reports import end_of_day
from app.outreach.rules import is_overdue, rate, report_state, retest_by

UP, DONE = Step.TAKEN_UP, Step.RESOLVED
NEW, ACTING, RESOLVED = ReportState.NEW, ReportState.ACTING, ReportState.RESOLVED


@pytest.mark.parametrize(
    ("steps", "state", "reason"),
    [
        ([], NEW, "nobody has looked at it"),
        ([UP], ACTING, "somebody is at it"),
        ([DONE], RESOLVED, "it may be settled at once"),
        ([UP, DONE], RESOLVED, "taken up, then settled"),
        ([DONE, UP], RESOLVED, "the order in which steps are read doesn't matter"),
        ([UP, UP], ACTING, "twice at it is at it"),
    ],
)
def test_state_of_a_report(steps: list[Step], state: ReportState, reason: str) -> None:
    assert report_state(steps) == state, reason


@pytest.mark.parametrize(
    ("failed_on", "days", "by", "reason"),
    [
        ("2025-03-14", 28, "2025-04-11", "four weeks on, over the spring clock change"),
        ("2025-02-01", 28, "2025-03-01", "over the end of a short month"),
        ("2024-02-01", 28, "2024-02-29", "a leap year"),
        ("2025-12-20", 28, "2026-01-17", "over the new year"),
        ("2025-03-14", 1, "2025-03-15", "an operator may ask for haste"),
    ],
)
def test_retest_by(failed_on: str, days: int, by: str, reason: str) -> None:
    assert retest_by(date.fromisoformat(failed_on), days) == date.fromisoformat(by), reason


@pytest.mark.parametrize(
    ("today", "overdue", "reason"),
    [
        ("2025-04-10", False, "a day is left"),
        ("2025-04-11", False, "the last day counts"),
        ("2025-04-12", True, "it has gone by"),
    ],
)
def test_overdue(today: str, overdue: bool, reason: str) -> None:
    assert is_overdue(date(2025, 4, 11), date.fromisoformat(today)) == overdue, reason


@pytest.mark.parametrize(
    ("passed", "visited", "expected", "reason"),
    [
        (12, 25, 0.48, "the BBC's test of 2024"),
        (0, 3, 0.0, "none is a rate"),
        (3, 3, 1.0, "all"),
        (2, 3, 0.667, "three decimals"),
        (0, 0, None, "without a visit there is no rate"),
    ],
)
def test_rate(passed: int, visited: int, expected: float | None, reason: str) -> None:
    assert rate(passed, visited) == expected, reason


@pytest.mark.parametrize(
    ("at", "end", "reason"),
    [
        ("2025-01-10T00:00:00+00:00", "2025-01-10T23:59:59.999999+00:00", "winter, at midnight"),
        ("2025-01-10T23:59:59+00:00", "2025-01-10T23:59:59.999999+00:00", "winter, at the end"),
        ("2025-07-10T22:59:59+00:00", "2025-07-10T22:59:59.999999+00:00", "summer ends in UTC 23"),
        ("2025-07-10T23:00:00+00:00", "2025-07-11T22:59:59.999999+00:00", "London's next day"),
        ("2025-03-30T00:30:00+00:00", "2025-03-30T22:59:59.999999+00:00", "the day of 23 hours"),
        ("2025-10-26T00:30:00+00:00", "2025-10-26T23:59:59.999999+00:00", "the day of 25 hours"),
    ],
)
def test_end_of_day(at: str, end: str, reason: str) -> None:
    found = end_of_day(datetime.fromisoformat(at))
    assert found == datetime.fromisoformat(end), reason
    assert (
        found.astimezone(LONDON).date() == datetime.fromisoformat(at).astimezone(LONDON).date()
    ), reason
