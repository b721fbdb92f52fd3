"""How training decays: what is known of venues on some days, read cautiously.

Written on columns, for all venues at once: a report asks for ten thousand of them on many days.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.columns import Ints, last_by_day
from app.core.london import last_day
from app.training.courses import Course

NOBODY = 0
"""Stands for a last day in date where nobody is."""

UNKNOWN = -1
"""Stands for a headcount where none has been declared."""

# How many are in date where nobody has ever been trained.
_NEVER = -1
# More staff than any headcount says.
_MANY = 2**40
# More than the ordinal of any day.
_SPAN = 2**22
# So many numbers at a time stay in a processor's reach.
_CELLS = 2**20


class Attended(NamedTuple):
    """How many took a course on a day, for the first time or again: columns of one row each.

    A venue and a course are numbers from 0 on; a day is its ordinal, as everywhere here.
    """

    venue: Ints
    course: Ints
    on: Ints
    new: Ints
    refresher: Ints


class Declared(NamedTuple):
    """How many relevant staff a venue has on a day, and how many trained ones left before it.

    Columns of one row each; those of one venue and day come in the order they were recorded in.
    """

    venue: Ints
    on: Ints
    staff: Ints
    left: Ints


class Status(StrEnum):
    NEVER = "never"
    LAPSED = "lapsed"
    DUE = "due"
    CURRENT = "current"


_STATUSES = list(Status)


class Rag(StrEnum):
    RED = "red"
    AMBER = "amber"
    GREEN = "green"


@dataclass(frozen=True)
class Thresholds:
    """From what percentage of coverage on a venue is green or amber, and how far `due` looks."""

    green: int = 75
    amber: int = 50
    due_days: int = 60


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


@dataclass(frozen=True)
class Standings:
    """What the training of venues comes to at the end of some days: arrays of [day, venue, course].

    `headcount` is of [day, venue], `UNKNOWN` where none is declared. `status` is the place in
    `Status`; `until` the last day on which somebody is in date, else `NOBODY`.
    """

    months: NDArray[np.int32]
    trained: NDArray[np.int32]
    headcount: Ints
    status: Ints
    until: NDArray[np.int32]
    thresholds: Thresholds

    def of(self, day: int, venue: int, course: int) -> CourseState:
        """The standing of one venue in one course on one day, each by its number."""
        at = (day, venue, course)
        trained, headcount = int(self.trained[at]), int(self.headcount[day, venue])
        until = int(self.until[at])
        return CourseState(
            status=_STATUSES[self.status[at]],
            validity_months=int(self.months[at]),
            trained=trained,
            headcount=None if headcount == UNKNOWN else headcount,
            coverage=trained / headcount if headcount > 0 else None,
            rag=rag(trained, headcount, self.thresholds) if headcount > 0 else None,
            in_date_until=None if until == NOBODY else date.fromordinal(until),
        )


def rag(trained: int, headcount: int, thresholds: Thresholds) -> Rag:
    """The colour of a coverage; the headcount is of somebody."""
    # Whole numbers: exactly three quarters must be green whatever the headcount.
    percent = 100 * trained
    if percent >= thresholds.green * headcount:
        return Rag.GREEN
    return Rag.AMBER if percent >= thresholds.amber * headcount else Rag.RED


def standings(
    courses: Sequence[Course],
    attended: Attended,
    declared: Declared,
    refresh_months: Ints,
    days: Ints,
    thresholds: Thresholds = Thresholds(),
) -> Standings:
    """The standing of every venue in every course at the end of each day, by what happened so far.

    `days` are in order, one at least. Training is in date for the venue's `refresh_months` [day,
    venue], where that is 0 for the course's own validity: from the day itself to the day before
    the anniversary. The term in force on a day is used for the days before it too. Who is trained
    follows from `_happen`; more than the last declared headcount never count.
    """
    shape = (*refresh_months.shape, len(courses))
    validity = np.array([course.validity_months for course in courses])
    terms = refresh_months[:, :, np.newaxis]
    months = np.where(terms > 0, terms, validity).astype(np.int32)
    in_date, last = np.full(shape, _NEVER, np.int32), np.full(shape, NOBODY, np.int32)
    teams = _teams(attended, declared, len(courses), days)
    # Views with the courses of a venue side by side, so that a team is one number.
    months_of, in_date_of, last_of = (of.reshape(len(days), -1) for of in (months, in_date, last))
    months_of_team = months_of[:, teams.number]
    each_day, which = np.unique(teams.rows[0], return_inverse=True)
    for term in np.union1d(refresh_months[refresh_months > 0], validity).tolist():
        held = months_of_team == term
        until = np.array([_last_day(day, term) for day in each_day.tolist()])[which]
        for some in _groups(teams.events, held.any(axis=0), len(days)):
            for day, team, *found in _lived(teams, some, until, days):
                here = held[day, team]
                at = day[here], teams.number[team[here]]
                in_date_of[at], last_of[at] = (each[here] for each in found)

    headcount = _headcounts(declared, days, shape[1])
    most = headcount[:, :, np.newaxis]
    trained = np.where(most == UNKNOWN, in_date, np.minimum(in_date, most)).clip(0)
    nobody = trained == 0
    last[nobody] = NOBODY
    due_day = (days + thresholds.due_days)[:, np.newaxis, np.newaxis]
    status = np.select(
        [in_date == _NEVER, nobody, last < due_day],
        [_STATUSES.index(status) for status in (Status.NEVER, Status.LAPSED, Status.DUE)],
        _STATUSES.index(Status.CURRENT),
    )
    return Standings(months, trained, headcount, status, last, thresholds)


def _headcounts(declared: Declared, days: Ints, venues: int) -> Ints:
    order = np.argsort(declared.on, kind="stable")
    since = np.searchsorted(days, declared.on[order])
    held = last_by_day(since, declared.venue[order], len(days), venues)
    # Where none is declared, its number is -1: the last one's.
    return np.append(declared.staff[order], UNKNOWN)[held]


# --- who is trained --------------------------------------------------------------------------


class _Teams(NamedTuple):
    """What happened to each team, which is the staff of one venue as trained in one course.

    `number` is that of the venue times the number of courses, plus that of the course. The events
    of team `t` are so many columns of `rows` from `first[t]` on; in the last column of all nothing
    happens.
    """

    number: Ints
    first: Ints
    events: Ints
    rows: Ints
    """Day, new, refreshers, left and staff: a day's training or one headcount."""


def _teams(attended: Attended, declared: Declared, courses: int, days: Ints) -> _Teams:
    team_day, which = np.unique(
        (attended.venue * courses + attended.course) * _SPAN + attended.on, return_inverse=True
    )
    day = team_day % _SPAN
    new, refresher = (
        np.bincount(which, counts, len(day)) for counts in (attended.new, attended.refresher)
    )
    no, many = np.zeros_like(day), np.full_like(day, _MANY)
    trained = np.array([day, new, refresher, no, many], np.int64)
    number, first = np.unique(team_day // _SPAN, return_index=True)

    # A headcount takes nobody out of a team that nobody has been trained in yet.
    venue = number // courses
    order = np.argsort(declared.venue * _SPAN + declared.on, kind="stable")
    venue_day = (declared.venue * _SPAN + declared.on)[order]
    since = np.searchsorted(venue_day, venue * _SPAN + day[first])
    until = np.searchsorted(venue_day, (venue + 1) * _SPAN)
    said = order[_ranges(since, until - since)]
    no = np.zeros_like(said)
    counted = np.array([declared.on[said], no, no, declared.left[said], declared.staff[said]])

    # Stable: on one day training comes first, then headcounts in the order they were recorded in.
    keys = np.concatenate([team_day, np.repeat(number, until - since) * _SPAN + counted[0]])
    turn = np.argsort(keys, kind="stable")
    nothing = [[days[-1] + 1], [0], [0], [0], [_MANY]]
    rows = np.concatenate([np.hstack([trained, counted])[:, turn], nothing], axis=1)
    events = np.diff(np.append(first, len(team_day))) + until - since
    return _Teams(number, np.cumsum(events) - events, events, rows)


def _groups(events: Ints, wanted: NDArray[np.bool_], days: int) -> Iterator[Ints]:
    """The teams wanted, those of about as many events together: one with many costs no other."""
    _, power = np.frexp(events)
    for one in np.unique(power[wanted]):
        teams = np.flatnonzero(wanted & (power == one))
        size = max(1, _CELLS // (2 ** int(one) * days))
        yield from (teams[start : start + size] for start in range(0, len(teams), size))


def _lived(teams: _Teams, some: Ints, until: Ints, days: Ints) -> Iterator[tuple[Ints, ...]]:
    """How some teams stand at the end of the days, a few at a time, as they live through theirs.

    Columns of a day, a team, how many of it are in date, and the last day on which one is, else
    `NOBODY`. Of a day on which nobody had been trained by then there is nothing.
    """
    step = np.arange(teams.events[some].max())[:, np.newaxis]
    row = np.where(step < teams.events[some], teams.first[some] + step, -1)
    rows, until = teams.rows[:, row], until[row]
    first_day = np.vstack([np.searchsorted(days, rows[0]), np.full(len(some), len(days))])
    people = np.zeros(row.shape, np.int64)
    for k in range(len(row)):
        _happen(people[: k + 1], until[: k + 1], *rows[:, k])
        # So it stands on these of the days, until the next event.
        stands = first_day[k + 1] - first_day[k]
        team, day = np.repeat(np.arange(len(some)), stands), _ranges(first_day[k], stands)
        there, lapse = people[: k + 1], until[: k + 1]
        in_date = np.where(lapse[:, team] >= days[day], there[:, team], 0).sum(axis=0)
        last = np.where(there > 0, lapse, NOBODY).max(axis=0)
        yield day, some[team], in_date, last[team]


def _happen(
    people: Ints, until: Ints, on: Ints, new: Ints, refresher: Ints, left: Ints, staff: Ints
) -> None:
    """Change how many people each team has, by when they were last trained, by the next event.

    `people` and `until` are of [event, team], oldest first and this one last: those whom an event
    trained, and the last day on which they are in date. The event is a day's training of `new` and
    `refresher` people, or a headcount, of which `staff` are there and `left` are not.

    Where the rule leaves a choice, the reading that counts fewer people holds:
    - On one day refreshers come first, then new people, then those who left.
    - Every refresher of a day is another person, trained before that day. They renew those in date,
      then those who lapsed; when nobody is left to be renewed they count for nothing.
    - Leavers whom nobody in date accounts for are among those who lapsed, and can't be renewed.
    - A headcount below the number of people means that the others are gone too, for good. Only
      here those who lapsed go first, as most of them have; then the newest. People trained after a
      headcount are not cut by it.
    """
    before = people[:-1]
    lapsed = until[:-1] < on
    stale = np.where(lapsed, before, 0).sum(axis=0)
    fresh = before.sum(axis=0) - stale

    renewed = np.minimum(refresher, fresh)
    returned = np.minimum(refresher - renewed, stale)

    fresh_left = np.minimum(left, fresh)
    stale_left = np.minimum(left - fresh_left, stale)
    beyond = (fresh - fresh_left + stale - stale_left - staff).clip(0)
    stale_cut = np.minimum(beyond, stale - stale_left)
    fresh_cut = np.minimum(beyond - stale_cut, fresh - fresh_left)

    # In a queue by when they were last trained those who lapsed stand first. The oldest of them
    # go and the oldest of those in date, if anybody is renewed; else the newest of all.
    end = before.cumsum(axis=0)
    oldest = np.where(lapsed, returned + stale_left + stale_cut, stale + renewed)
    newest = stale + fresh - fresh_left - fresh_cut
    before[:] = (np.minimum(end, newest) - np.maximum(end - before, oldest)).clip(0)
    people[-1] = renewed + returned + new


# One report asks for the same few days again and again.
@lru_cache(maxsize=20_000)
def _last_day(day: int, months: int) -> int:
    return last_day(date.fromordinal(day), months).toordinal()


def _ranges(first: Ints, count: Ints) -> Ints:
    """The numbers of each range, one range after another."""
    skipped = first - np.cumsum(count) + count
    return np.repeat(skipped, count) + np.arange(count.sum())
