"""The rule in columns, held to the plain one of each venue alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.columns import Ints
from app.training import columns
from app.training.columns import NOBODY, UNKNOWN, Standings, standings
from app.training.courses import COURSES, Course
from app.training.rag import Thresholds, rag
from app.training.rules import Attended, CourseState, Declared, Status, course_state

WAVE = COURSES["wave"]


def state_of(
    found: Standings, day: int, venue: int, course: int, thresholds: Thresholds
) -> CourseState:
    """The standing of one venue in one course on one day, each by its number."""
    at = (day, venue, course)
    trained, until = int(found.trained[at]), int(found.until[at])
    declared = int(found.headcount[day, venue])
    headcount = None if declared == UNKNOWN else declared
    return CourseState(
        status=list(Status)[found.status[at]],
        validity_months=int(found.months[at]),
        trained=trained,
        headcount=headcount,
        coverage=trained / headcount if headcount else None,
        rag=rag(trained, headcount, thresholds),
        in_date_until=None if until == NOBODY else date.fromordinal(until),
    )


@dataclass
class History:
    """What happened at one venue, course by course, and its own term on each asked day."""

    attended: list[list[Attended]]
    declared: list[Declared]
    refresh_months: list[int | None]


def stand(
    courses: list[Course], histories: list[History], days: list[date], due_days: int = 60
) -> Standings:
    """The standings of venues, whose events are laid out in columns, in turn as they came."""
    attended = [
        (venue, course, event.on.toordinal(), event.new, event.refresher)
        for venue, history in enumerate(histories)
        for course, events in enumerate(history.attended)
        for event in events
    ]
    declared = [
        (venue, event.on.toordinal(), event.staff, event.left)
        for venue, history in enumerate(histories)
        for event in history.declared
    ]
    terms = [
        [history.refresh_months[day] or 0 for history in histories] for day in range(len(days))
    ]
    return standings(
        courses,
        columns.Attendances(*in_columns(attended, 5)),
        columns.Headcounts(*in_columns(declared, 4)),
        np.array(terms, np.int64),
        np.array([day.toordinal() for day in days]),
        due_days,
    )


def in_columns(rows: Iterable[tuple[int, ...]], number: int) -> Iterable[Ints]:
    return np.array(list(rows), np.int64).reshape(-1, number).T


DAYS = st.dates(date(2023, 11, 1), date(2025, 4, 30))
FEW = st.integers(0, 4)
COURSES_OF_TWO_TERMS = [WAVE, Course(WAVE.key, "Another", validity_months=3)]
TERM = st.sampled_from([None, None, 1, 6, 12])


@st.composite
def many(draw: st.DrawFn) -> tuple[list[History], list[date]]:
    """Some venues, of which a few have a lot to tell, and some days on which they are asked for."""
    days = sorted(draw(st.sets(DAYS, min_size=1, max_size=6)))
    span = draw(st.sampled_from([DAYS, st.dates(days[0], days[0] + timedelta(days=3))]))
    attended = st.builds(Attended, span, FEW, FEW)
    declared = st.builds(Declared, span, st.integers(0, 12), FEW)
    most = st.sampled_from([1, 3, 30])
    return draw(
        st.lists(
            most.flatmap(
                lambda most: st.builds(
                    History,
                    st.lists(st.lists(attended, max_size=most), min_size=2, max_size=2),
                    st.lists(declared, max_size=most),
                    st.lists(TERM, min_size=len(days), max_size=len(days)),
                )
            ),
            max_size=6,
        )
    ), days


@given(many(), st.builds(Thresholds, due_days=st.sampled_from([0, 60, 366])))
def test_many_at_once_stand_as_each_alone(
    asked: tuple[list[History], list[date]], thresholds: Thresholds
) -> None:
    histories, days = asked
    found = stand(COURSES_OF_TWO_TERMS, histories, days, thresholds.due_days)
    for day, on in enumerate(days):
        for venue, history in enumerate(histories):
            for number, course in enumerate(COURSES_OF_TWO_TERMS):
                assert state_of(found, day, venue, number, thresholds) == course_state(
                    course,
                    history.attended[number],
                    history.declared,
                    history.refresh_months[day],
                    on,
                    thresholds,
                )


def test_a_group_larger_than_its_arrays_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = [
        History([[Attended(date(2025, 1, n % 28 + 1), n + 1, 0)]], [], [None]) for n in range(50)
    ]
    monkeypatch.setattr(columns, "_CELLS", 16)
    found = stand([WAVE], histories, [date(2025, 6, 1)])
    assert found.trained[0, :, 0].tolist() == list(range(1, 51))
