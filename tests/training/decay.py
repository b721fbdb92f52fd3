"""How a venue's training decays, one venue and course at a time: slow, and easy to read."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from app.core.london import last_day
from app.training.courses import Course
from app.training.rules import CourseState, Rag, Status, Thresholds

# One report asks for the same few days again and again.
_until = lru_cache(maxsize=20_000)(last_day)


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


def state(
    course: Course,
    attendances: Iterable[Attended],
    headcounts: Iterable[Declared],
    refresh_months: int | None,
    on: date,
    thresholds: Thresholds,
) -> CourseState:
    """A venue's standing in a course at the end of a day, from what happened up to it.

    Training is in date for `refresh_months`, else the course's own validity, from the day itself
    to the day before the anniversary; the term in force on `on` is used for the days before too.
    `headcounts` of one day come in the order in which they were recorded. Who is trained follows
    from `_people`; more than the last declared headcount never count.
    """
    months = refresh_months or course.validity_months
    attended = [a for a in attendances if a.on <= on]
    declared = sorted((h for h in headcounts if h.on <= on), key=lambda h: h.on)
    headcount = declared[-1].staff if declared else None
    people = _people(attended, declared, months) if attended else {}

    def trained(day: date) -> int:
        in_date = sum(n for trained_on, n in people.items() if day <= _until(trained_on, months))
        return in_date if headcount is None else min(in_date, headcount)

    now = trained(on)
    if not attended:
        status = Status.NEVER
    elif not now:
        status = Status.LAPSED
    elif not trained(on + timedelta(days=thresholds.due_days)):
        status = Status.DUE
    else:
        status = Status.CURRENT
    return CourseState(
        status=status,
        validity_months=months,
        trained=now,
        headcount=headcount,
        coverage=now / headcount if headcount else None,
        rag=_rag(now, headcount, thresholds) if headcount else None,
        in_date_until=max(_until(d, months) for d, n in people.items() if n) if now else None,
    )


def _people(
    attendances: Iterable[Attended], headcounts: Iterable[Declared], months: int
) -> dict[date, int]:
    """How many people a venue has by the day on which each was last trained, oldest day first.

    Where the rule leaves a choice, the reading that counts fewer people holds:
    - On one day refreshers come first, then new people, then those who left.
    - Every refresher of a day is another person, trained before that day. They renew those in date,
      then those who lapsed; when nobody is left to be renewed they count for nothing.
    - Leavers whom nobody in date accounts for are among those who lapsed, and can't be renewed.
    - A headcount below the number of people means that the others are gone too, for good. Only
      here those who lapsed go first, as most of them have; then the newest. People trained after a
      headcount are not cut by it.
    """
    new: Counter[date] = Counter()
    refreshers: Counter[date] = Counter()
    declared: defaultdict[date, list[Declared]] = defaultdict(list)
    for attendance in attendances:
        new[attendance.on] += attendance.new
        refreshers[attendance.on] += attendance.refresher
    for headcount in headcounts:
        declared[headcount.on].append(headcount)
    people: dict[date, int] = {}
    for day in sorted({*new, *declared}):
        in_date = [d for d in people if day <= _until(d, months)]
        lapsed = [d for d in people if day > _until(d, months)]
        renewed = _take(people, refreshers[day], [*in_date, *lapsed])
        people[day] = renewed + new[day]
        newest = [day, *reversed(in_date)]
        for headcount in declared[day]:
            _take(people, headcount.left, [*newest, *lapsed])
            _take(people, sum(people.values()) - headcount.staff, [*lapsed, *newest])
    return people


def _take(people: dict[date, int], number: int, days: Iterable[date]) -> int:
    """Take out so many people, those of the first days first; returns how many there were."""
    taken = 0
    for day in days:
        some = max(0, min(people[day], number - taken))
        people[day] -= some
        taken += some
    return taken


def _rag(trained: int, headcount: int, thresholds: Thresholds) -> Rag:
    percent = 100 * trained
    if percent >= thresholds.green * headcount:
        return Rag.GREEN
    return Rag.AMBER if percent >= thresholds.amber * headcount else Rag.RED
