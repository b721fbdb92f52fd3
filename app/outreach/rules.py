"""What follows from outreach: pure rules on days and steps."""

from collections.abc import Collection
from datetime import date, timedelta
from typing import NamedTuple

from app.outreach.models import ReportState, Step


def report_state(steps: Collection[Step]) -> ReportState:
    """The state of a report after the steps that stand, in whatever order they were taken."""
    if Step.RESOLVED in steps:
        return ReportState.RESOLVED
    return ReportState.ACTING if Step.TAKEN_UP in steps else ReportState.NEW


class KnownTest(NamedTuple):
    """A scheme test and what came of it, by what was known at an instant.

    Only a failed test is debriefed and repeated. An id is its `hex`.
    """

    id: str
    venue_id: str
    scheme: str
    on: date
    passed: bool
    retest_of: str | None = None
    debrief_id: str | None = None
    debriefed_on: date | None = None
    retest_id: str | None = None
    retest_on: date | None = None
    retest_passed: bool | None = None


def asks_for_debrief(test: KnownTest, *, is_closed: bool) -> bool:
    """Whether a test failed, at a venue that is still there, and nobody has talked with it."""
    return not test.passed and test.debrief_id is None and not is_closed


def asks_for_retest(test: KnownTest, *, is_closed: bool) -> bool:
    """Whether a test failed, at a venue that is still there, and nobody has repeated it."""
    return not test.passed and test.retest_id is None and not is_closed


def retest_by(failed_on: date, days: int) -> date:
    """The last day on which a retest is in time."""
    return failed_on + timedelta(days=days)


def is_overdue(by: date, today: date) -> bool:
    """Whether the last day for something has gone by."""
    return by < today


def rate(passed: int, visited: int) -> float | None:
    """The part of the visits that passed, to three decimals; None without a visit."""
    return round(passed / visited, 3) if visited else None


def days_to_resolve(reported_on: date, resolved_on: date) -> int:
    """How many days a problem report took; none when it was resolved on its own day."""
    return (resolved_on - reported_on).days
