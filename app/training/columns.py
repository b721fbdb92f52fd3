"""The rule of `app.training.rules` in columns, for all venues at once.

A report asks for ten thousand of them on many days. A venue and a course are numbers from 0 on; a
day is its ordinal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.columns import Ints, last_by_day
from app.core.london import last_day
from app.training.courses import Course
from app.training.rules import Status

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


class Attendances(NamedTuple):
    """Columns of what `Attended` says, one row each."""

    venue: Ints
    course: Ints
    on: Ints
    new: Ints
    refresher: Ints


class Headcounts(NamedTuple):
    """Columns of what `Declared` says; rows of one venue and day in the order of recording."""

    venue: Ints
    on: Ints
    staff: Ints
    left: Ints


@dataclass(frozen=True)
class Standings:
    """What the training of venues comes to at the end of some days: arrays of [day, venue, course].

    `headcount` is of [day, venue], `UNKNOWN` where none is declared. `status` is the place in
    `Status`; `until` the last day on which somebody is in date, else `NOBODY`.
    """

    months: NDArray[np.int32]
    trained: NDArray[np.int32]
    headcount: Ints
    status: NDArray[np.int8]
    until: NDArray[np.int32]


def standings(
    courses: Sequence[Course],
    attendances: Attendances,
    headcounts: Headcounts,
    refresh_months: Ints,
    days: Ints,
    due_days: int,
) -> Standings:
    """What `course_state` says of every venue and course at the end of each day.

    `days` are in order, one at least; `refresh_months` are of [day, venue], 0 for the course's own.
    """
    shape = (*refresh_months.shape, len(courses))
    validity = np.array([course.validity_months for course in courses])
    terms = refresh_months[:, :, np.newaxis]
    months = np.where(terms > 0, terms, validity).astype(np.int32)
    in_date, last = np.full(shape, _NEVER, np.int32), np.full(shape, NOBODY, np.int32)
    teams = _teams(attendances, headcounts, len(courses), days)
    # Views with the courses of a venue side by side, so that a team is one number.
    months_of, in_date_of, last_of = (of.reshape(len(days), -1) for of in (months, in_date, last))
    months_of_team = months_of[:, teams.number]
    each_day, which = np.unique(teams.rows[0], return_inverse=True)
    for term in np.union1d(refresh_months[refresh_months > 0], validity).tolist():
        is_term = months_of_team == term
        until = np.array([_last_day(day, term) for day in each_day.tolist()])[which]
        for group in _groups(teams.events, is_term.any(axis=0), len(days)):
            for day, team, team_in_date, team_last in _lived(teams, group, until, days):
                counts = is_term[day, team]
                at = day[counts], teams.number[team[counts]]
                in_date_of[at], last_of[at] = team_in_date[counts], team_last[counts]

    headcount = _headcount(headcounts, days, shape[1])
    most = headcount[:, :, np.newaxis]
    trained = np.where(most == UNKNOWN, in_date, np.minimum(in_date, most)).clip(0)
    nobody = trained == 0
    last[nobody] = NOBODY
    places = {status: np.int8(place) for place, status in enumerate(Status)}
    due_day = (days + due_days)[:, np.newaxis, np.newaxis]
    status = np.select(
        [in_date == _NEVER, nobody, last < due_day],
        [places[status] for status in (Status.NEVER, Status.LAPSED, Status.DUE)],
        places[Status.CURRENT],
    )
    return Standings(months, trained, headcount, status, last)


def _headcount(headcounts: Headcounts, days: Ints, venues: int) -> Ints:
    """The last one declared by each [day, venue]."""
    order = np.argsort(headcounts.on, kind="stable")
    since = np.searchsorted(days, headcounts.on[order])
    held = last_by_day(since, headcounts.venue[order], len(days), venues)
    # Where none is declared, its number is -1: the last one's.
    return np.append(headcounts.staff[order], UNKNOWN)[held]


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


def _teams(attendances: Attendances, headcounts: Headcounts, courses: int, days: Ints) -> _Teams:
    team_day, which = np.unique(
        (attendances.venue * courses + attendances.course) * _SPAN + attendances.on,
        return_inverse=True,
    )
    day = team_day % _SPAN
    new, refresher = (
        np.bincount(which, counts, len(day)) for counts in (attendances.new, attendances.refresher)
    )
    no, many = np.zeros_like(day), np.full_like(day, _MANY)
    trained = np.array([day, new, refresher, no, many], np.int64)
    number, first = np.unique(team_day // _SPAN, return_index=True)

    # A headcount takes nobody out of a team that nobody has been trained in yet.
    venue = number // courses
    order = np.argsort(headcounts.venue * _SPAN + headcounts.on, kind="stable")
    venue_day = (headcounts.venue * _SPAN + headcounts.on)[order]
    since = np.searchsorted(venue_day, venue * _SPAN + day[first])
    until = np.searchsorted(venue_day, (venue + 1) * _SPAN)
    rows = order[_ranges(since, until - since)]
    no = np.zeros_like(rows)
    on, staff, left = (column[rows] for column in headcounts[1:])
    declared = np.array([on, no, no, left, staff])

    # Stable: on one day training comes first, then headcounts in the order they were recorded in.
    keys = np.concatenate([team_day, np.repeat(number, until - since) * _SPAN + on])
    turn = np.argsort(keys, kind="stable")
    nothing = [[days[-1] + 1], [0], [0], [0], [_MANY]]
    events = np.diff(np.append(first, len(team_day))) + until - since
    return _Teams(
        number,
        np.cumsum(events) - events,
        events,
        np.concatenate([np.hstack([trained, declared])[:, turn], nothing], axis=1),
    )


def _groups(events: Ints, wanted: NDArray[np.bool_], days: int) -> Iterator[Ints]:
    """The teams wanted, those of about as many events together: one with many costs no other."""
    _, powers = np.frexp(events)
    for power in np.unique(powers[wanted]):
        teams = np.flatnonzero(wanted & (powers == power))
        size = max(1, _CELLS // (2 ** int(power) * days))
        yield from (teams[start : start + size] for start in range(0, len(teams), size))


def _lived(teams: _Teams, group: Ints, until: Ints, days: Ints) -> Iterator[tuple[Ints, ...]]:
    """How a group of teams stands at the end of the days, a few at a time, as they live on.

    Columns of a day, a team, how many of it are in date, and the last day on which one is, else
    `NOBODY`. Of a day on which nobody had been trained by then there is nothing.
    """
    step = np.arange(teams.events[group].max())[:, np.newaxis]
    row = np.where(step < teams.events[group], teams.first[group] + step, -1)
    rows, until = teams.rows[:, row], until[row]
    first_day = np.vstack([np.searchsorted(days, rows[0]), np.full(len(group), len(days))])
    all_people = np.zeros(row.shape, np.int64)
    for k in range(len(row)):
        people, last = all_people[: k + 1], until[: k + 1]
        _happen(people, last, *rows[:, k])
        # So it stands on these of the days, until the next event.
        stands = first_day[k + 1] - first_day[k]
        team, day = np.repeat(np.arange(len(group)), stands), _ranges(first_day[k], stands)
        in_date = np.where(last[:, team] >= days[day], people[:, team], 0).sum(axis=0)
        yield day, group[team], in_date, np.where(people > 0, last, NOBODY).max(axis=0)[team]


def _happen(
    people: Ints, until: Ints, on: Ints, new: Ints, refresher: Ints, left: Ints, staff: Ints
) -> None:
    """Change how many people each team has, by when they were last trained, by the next event.

    `people` and `until` are of [event, team], oldest first and this one last: those whom an event
    trained, and the last day on which they are in date. The event is a day's training of `new` and
    `refresher` people, or a headcount, of which `staff` are there and `left` are not.
    """
    before = people[:-1]
    is_lapsed = until[:-1] < on
    lapsed = np.where(is_lapsed, before, 0).sum(axis=0)
    in_date = before.sum(axis=0) - lapsed

    renewed = np.minimum(refresher, in_date)
    returned = np.minimum(refresher - renewed, lapsed)

    in_date_left = np.minimum(left, in_date)
    lapsed_left = np.minimum(left - in_date_left, lapsed)
    beyond = (in_date - in_date_left + lapsed - lapsed_left - staff).clip(0)
    lapsed_cut = np.minimum(beyond, lapsed - lapsed_left)
    in_date_cut = np.minimum(beyond - lapsed_cut, in_date - in_date_left)

    # In a queue by when they were last trained those who lapsed stand first. The oldest of them
    # go and the oldest of those in date, if anybody is renewed; else the newest of all.
    end = before.cumsum(axis=0)
    oldest = np.where(is_lapsed, returned + lapsed_left + lapsed_cut, lapsed + renewed)
    newest = lapsed + in_date - in_date_left - in_date_cut
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
