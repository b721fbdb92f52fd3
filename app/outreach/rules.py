"""What follows from outreach: pure rules on days and steps."""

from collections.abc import Collection
from datetime import date, timedelta

from app.outreach.models import ReportState, Step


def report_state(steps: Collection[Step]) -> ReportState:
    """The state of a report after the steps that stand, in whatever order they were taken."""
    if Step.RESOLVED in steps:
        return ReportState.RESOLVED
    return ReportState.ACTING if Step.TAKEN_UP in steps else ReportState.NEW


def retest_by(failed_on: date, days: int) -> date:
    """The last day on which a retest is in time."""
    return failed_on + timedelta(days=days)


def is_overdue(by: date, today: date) -> bool:
    """Whether the last day for something has gone by."""
    return by < today


def rate(passed: int, visited: int) -> float | None:
    """The part of the visits that passed, to three decimals; None without a visit."""
    return round(passed / visited, 3) if visited else None
