"""How training decays: what is known of one venue on a day, read cautiously.

Who takes a course is in date from that day to the day before the anniversary. A refresher renews
somebody who was trained before, and adds nobody. Leavers count against every course, the newest in
date first. `app.training.columns` says the same of all venues at once; a test holds it to this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from app.core.london import last_day
from app.training.courses import Course
from app.training.rag import USUAL, Rag, Thresholds, rag


class Attended(NamedTuple):
    """How many of a venue's staff took a course on a day, for the first time or again."""

    on: date
    new: int
    refresher: int


class Declared(NamedTuple):
    """How many relevant staff a venue has on a day, and how many trained ones left before it."""

    on: date
    staff: int
    left: int


class Status(StrEnum):
    NEVER = "never"
    LAPSED = "lapsed"
    DUE = "due"
    CURRENT = "current"


@dataclass(frozen=True)
class CourseState:
    """A venue's standing in one course on a day.

    Training holds for `validity_months` there. `coverage` is a fraction; it and `rag` are None
    without a headcount, or with one of nobody. `in_date_until` is the last day on which somebody
    is in date, None when nobody is.
    """

    status: Status
    validity_months: int
    trained: int
    headcount: int | None
    coverage: float | None
    rag: Rag | None
    in_date_until: date | None


def course_state(
    course: Course,
    attended: Iterable[Attended],
    declared: Iterable[Declared],
    refresh_months: int | None,
    on: date,
    thresholds: Thresholds = USUAL,
) -> CourseState:
    """A venue's standing in a course at the end of a day, from what happened up to it.

    Training is in date for `refresh_months`, else for the course's own validity; the term in force
    on `on` is used for the days before too. `declared` of one day come in the order in which they
    were recorded. More than the last declared headcount never count.
    """
    months = refresh_months or course.validity_months
    attended = [event for event in attended if event.on <= on]
    declared = sorted((event for event in declared if event.on <= on), key=attrgetter("on"))
    headcount = declared[-1].staff if declared else None
    people = _people(attended, declared, months)

    def trained_on(day: date) -> int:
        in_date = sum(until >= day for until in people)
        return in_date if headcount is None else min(in_date, headcount)

    trained = trained_on(on)
    if not attended:
        status = Status.NEVER
    elif not trained:
        status = Status.LAPSED
    elif not trained_on(on + timedelta(days=thresholds.due_days)):
        status = Status.DUE
    else:
        status = Status.CURRENT
    return CourseState(
        status=status,
        validity_months=months,
        trained=trained,
        headcount=headcount,
        coverage=trained / headcount if headcount else None,
        rag=rag(trained, headcount, thresholds),
        in_date_until=people[-1] if trained else None,
    )


def _people(attended: list[Attended], declared: list[Declared], months: int) -> list[date]:
    """The last day in date of each person trained at a venue, the longest-standing first.

    Where the rule leaves a choice, the reading that counts fewer people holds:
    - On one day refreshers come first, then new people, then those who left.
    - Every refresher of a day is another person, trained before that day. They renew those in date,
      then those who lapsed; when nobody is left to be renewed they count for nothing.
    - Leavers whom nobody in date accounts for are among those who lapsed, and can't be renewed.
    - A headcount below the number of people means that the others are gone too, for good. Only
      here those who lapsed go first, as most of them have; then the newest. People trained after a
      headcount are not cut by it.
    """
    people: list[date] = []
    by_day = attrgetter("on")
    for day, happened in groupby(sorted([*attended, *declared], key=by_day), by_day):
        events = list(happened)
        sessions = [event for event in events if isinstance(event, Attended)]
        headcounts = [event for event in events if isinstance(event, Declared)]

        lapsed = [until for until in people if until < day]
        in_date = people[len(lapsed) :]
        renewed = min(sum(session.refresher for session in sessions), len(people))
        trained_today = renewed + sum(session.new for session in sessions)
        lapsed = lapsed[max(0, renewed - len(in_date)) :]
        in_date = in_date[renewed:] + [last_day(day, months)] * trained_today

        for headcount in headcounts:
            not_in_date = _leave(in_date, headcount.left)
            _leave(lapsed, not_in_date)
            too_many = len(lapsed) + len(in_date) - headcount.staff
            not_lapsed = _leave(lapsed, too_many)
            _leave(in_date, not_lapsed)
        people = lapsed + in_date
    return people


def _leave(people: list[date], number: int) -> int:
    """Take out the newest of some people; returns how many more were to go than there are."""
    leavers = max(0, min(number, len(people)))
    del people[len(people) - leavers :]
    return number - leavers
