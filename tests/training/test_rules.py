from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.columns import Ints
from app.training import rules
from app.training.courses import COURSES, Course
from app.training.rules import CourseState, Standings, Thresholds, standings
from tests.training import decay
from tests.training.decay import Attended, Declared

WAVE = COURSES["wave"]
USUAL = Thresholds()


@dataclass
class History:
    """What happened at one venue, course by course, and its own term on each asked day."""

    attended: list[list[Attended]]
    declared: list[Declared]
    refresh_months: list[int | None]


def stand(
    courses: list[Course], histories: list[History], days: list[date], thresholds: Thresholds
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
        rules.Attended(*columns(attended, 5)),
        rules.Declared(*columns(declared, 4)),
        np.array(terms, np.int64),
        np.array([day.toordinal() for day in days]),
        thresholds,
    )


def columns(rows: Iterable[tuple[int, ...]], number: int) -> Iterable[Ints]:
    return np.array(list(rows), np.int64).reshape(-1, number).T


def state(
    attended: list[Attended],
    declared: list[Declared],
    months: int | None,
    on: date,
    thresholds: Thresholds = USUAL,
) -> CourseState:
    """The standing in WAVE of one venue on one day."""
    history = History([attended], declared, [months])
    return stand([WAVE], [history], [on], thresholds).of(0, 0, 0)


def standing(history: str, on: str, months: int | None = None) -> CourseState:
    """The standing after `2025-01-10 new 12, 2025-03-01 again 2, 2025-04-01 staff 20 left 3`."""
    attended, declared = [], []
    for event in filter(None, history.split(", ")):
        day, *words = event.split()
        said = dict(zip(words[::2], map(int, words[1::2]), strict=True))
        if "staff" in said:
            declared.append(Declared(date.fromisoformat(day), said["staff"], said.get("left", 0)))
        else:
            counts = said.get("new", 0), said.get("again", 0)
            attended.append(Attended(date.fromisoformat(day), *counts))
    return state(attended, declared, months, date.fromisoformat(on))


@pytest.mark.parametrize(
    ("history", "on", "months", "shown", "why"),
    [
        # --- status and validity
        ("", "2025-06-01", None, "never 0", "nobody ever attended"),
        ("2025-01-01 staff 5", "2025-06-01", None, "never 0 of 5 red", "a headcount trains nobody"),
        ("2025-06-02 new 4", "2025-06-01", None, "never 0", "the session is tomorrow"),
        ("2025-06-01 new 4", "2025-06-01", None, "current 4", "in date from the day itself"),
        ("2024-06-02 new 4", "2025-06-01", None, "due 4", "the day before the anniversary"),
        ("2024-06-01 new 4", "2025-06-01", None, "lapsed 0", "the anniversary is too late"),
        ("2024-02-29 new 4", "2025-02-28", None, "due 4", "29 February: until 28 February"),
        ("2024-02-29 new 4", "2025-03-01", None, "lapsed 0", "its anniversary is 1 March"),
        ("2025-01-10 new 4", "2025-07-09", 6, "due 4", "six months: to the day before 10 July"),
        ("2025-01-10 new 4", "2025-07-10", 6, "lapsed 0", "six months by the venue's licence"),
        ("2025-01-10 new 4", "2025-11-10", None, "current 4", "in date on 9 January, 60 days on"),
        ("2025-01-10 new 4", "2025-11-11", None, "due 4", "nobody in date on 10 January"),
        (
            *("2025-01-10 new 4, 2025-06-01 new 1", "2025-12-20", None),
            *("current 5", "one person will be in date 60 days on, and that is enough"),
        ),
        (
            *("2024-01-10 new 4, 2024-06-01 new 3", "2025-03-01", None),
            *("current 3", "those of January have lapsed, those of June have not"),
        ),
        # --- refreshers
        (
            *("2024-06-01 new 4, 2025-03-01 again 3", "2025-05-31", None),
            *("current 4", "a refresher renews, it never adds"),
        ),
        (
            *("2024-06-01 new 4, 2025-03-01 again 3", "2025-06-01", None),
            *("current 3", "the one who was not renewed lapses"),
        ),
        (
            *("2024-06-01 new 2, 2024-09-01 new 2, 2025-03-01 again 2", "2025-06-01", None),
            *("current 4", "the longest-standing are renewed, not the newest"),
        ),
        (
            *("2024-06-02 new 2, 2025-01-01 new 2, 2025-06-01 again 2", "2025-06-02", None),
            *("current 4", "on their last day they are in date still, and the oldest"),
        ),
        (
            *("2024-01-01 new 2, 2025-03-01 again 1", "2025-03-01", None),
            *("current 1", "one who lapsed comes back"),
        ),
        (
            *("2023-01-01 new 2, 2024-06-01 new 2, 2025-03-01 again 2", "2025-03-01", None),
            *("current 2", "those in date are renewed before those who lapsed"),
        ),
        (
            *("2023-01-01 new 2, 2024-06-01 new 2, 2025-03-01 again 3", "2025-03-01", None),
            *("current 3", "the third refresher is one who lapsed"),
        ),
        ("2025-03-01 again 3", "2025-03-01", None, "lapsed 0", "nobody is there to be renewed"),
        (
            *("2024-06-01 new 2, 2025-03-01 again 9", "2025-03-01", None),
            *("current 2", "more refreshers than people: the others count for nothing"),
        ),
        (
            *("2025-03-01 new 4 again 3", "2025-03-01", None),
            *("current 4", "new people of the day are not refreshed the same day"),
        ),
        (
            *("2024-06-01 new 5, 2025-03-01 again 2, 2025-03-01 again 2", "2025-06-01", None),
            *("current 4", "two refreshers of one day are two people"),
        ),
        (
            *("2025-01-10 new 4, 2025-07-15 again 2", "2025-07-15", 6),
            *("current 2", "on a six-month licence they had lapsed and come back"),
        ),
        # --- leavers and headcounts
        (
            *("2025-01-10 new 12, 2025-03-01 staff 20 left 3", "2025-03-01", None),
            *("current 9 of 20 red", "three trained people left: 45 %"),
        ),
        (
            *("2025-01-10 new 12, 2025-03-01 staff 20 left 3", "2025-02-28", None),
            *("current 12", "they had not left the day before"),
        ),
        (
            *("2024-06-01 new 4, 2025-03-01 new 4, 2025-04-01 staff 20 left 4", "2025-06-01", None),
            *("lapsed 0 of 20 red", "the newest leave first, so nobody is left in date"),
        ),
        (
            *("2025-01-10 new 4, 2025-03-01 staff 8 left 9", "2025-03-01", None),
            *("lapsed 0 of 8 red", "never below nobody"),
        ),
        (
            *("2025-01-10 new 4, 2025-03-01 staff 8 left 9, 2025-03-02 new 2", "2025-03-02", None),
            *("current 2 of 8 red", "what was below nobody is not owed later"),
        ),
        (
            *("2025-03-01 staff 8 left 9, 2025-03-02 new 2", "2025-03-02", None),
            *("current 2 of 8 red", "those who left before a session did not attend it"),
        ),
        (
            *("2025-03-01 staff 8 left 2, 2025-03-01 new 4", "2025-03-01", None),
            *("current 2 of 8 red", "on one day leavers come after those who were trained"),
        ),
        (
            *("2023-01-01 new 3, 2025-03-01 staff 8 left 3, 2025-04-01 again 3", "2025-04-01"),
            *(None, "lapsed 0 of 8 red", "leavers who had lapsed can't be renewed"),
        ),
        (
            *("2025-01-10 new 4, 2025-02-01 staff 8 left 1, 2025-03-01 staff 8 left 1",),
            *("2025-03-01", None, "current 2 of 8 red", "every declaration has its own leavers"),
        ),
        (
            *("2025-01-10 new 12, 2025-03-01 staff 8", "2025-03-01", None),
            *("current 8 of 8 green", "never above the headcount"),
        ),
        (
            *("2025-03-01 staff 8, 2025-03-02 new 12", "2025-03-02", None),
            *("current 8 of 8 green", "nor when the training came later"),
        ),
        (
            *("2025-01-10 new 12, 2025-03-01 staff 5, 2025-04-01 staff 20", "2025-04-01", None),
            *("current 5 of 20 red", "who was gone is not back when the venue grows"),
        ),
        (
            *("2025-03-01 staff 8, 2025-03-02 new 12, 2025-04-01 staff 20", "2025-04-01", None),
            *("current 12 of 20 amber", "who was trained after a headcount was not cut by it"),
        ),
        (
            *("2024-06-01 new 3, 2025-03-01 new 3, 2025-04-01 staff 3", "2025-06-01", None),
            *("lapsed 0 of 3 red", "of more than the headcount, the newest are gone"),
        ),
        (
            *("2022-01-01 new 9, 2025-01-10 new 3, 2025-03-01 staff 4, 2025-04-01 again 9",),
            *("2025-04-01", None, "current 4 of 4 green", "one who lapsed can still be there"),
        ),
        (
            *("2025-01-10 new 4, 2025-03-01 staff 0", "2025-03-01", None),
            *("lapsed 0 of 0", "no staff, nobody in date, and nothing to cover"),
        ),
        (
            *("2025-01-10 new 6, 2025-01-10 staff 9, 2025-01-10 staff 8", "2025-01-10", None),
            *("current 6 of 8 green", "of one day's headcounts the last holds; 75 % is green"),
        ),
        (
            *("2025-01-10 new 74, 2025-01-10 staff 100", "2025-01-10", None),
            *("current 74 of 100 amber", "one below green"),
        ),
        (
            *("2025-01-10 new 5, 2025-01-10 staff 10", "2025-01-10", None),
            *("current 5 of 10 amber", "50 % is amber"),
        ),
        (
            *("2025-01-10 new 49, 2025-01-10 staff 100", "2025-01-10", None),
            *("current 49 of 100 red", "one below amber"),
        ),
    ],
)
def test_decay(history: str, on: str, months: int | None, shown: str, why: str) -> None:
    found = standing(history, on, months)
    headcount = [] if found.headcount is None else ["of", found.headcount]
    words = [found.status, found.trained, *headcount, *([found.rag] if found.rag else [])]
    assert " ".join(map(str, words)) == shown, why


@pytest.mark.parametrize(
    ("history", "on", "coverage", "until", "why"),
    [
        ("", "2025-06-01", None, None, "nothing is known"),
        ("2025-01-10 new 4", "2025-06-01", None, "2026-01-09", "no headcount, no coverage"),
        ("2025-01-10 new 3, 2025-01-10 staff 5", "2025-06-01", 0.6, "2026-01-09", "3 of 5"),
        ("2024-01-10 new 3, 2024-01-10 staff 5", "2025-06-01", 0.0, None, "nobody in date"),
        (
            *("2025-01-10 new 3, 2025-05-01 again 1, 2025-01-10 staff 5", "2025-06-01", 0.6),
            *("2026-04-30", "the one who was renewed is the last"),
        ),
        (
            *("2025-01-10 new 3, 2025-05-01 new 1, 2025-05-02 staff 5 left 1", "2025-06-01", 0.6),
            *("2026-01-09", "the newest has left"),
        ),
    ],
)
def test_coverage_and_last_day(
    history: str, on: str, coverage: float | None, until: str | None, why: str
) -> None:
    found = standing(history, on)
    last = None if found.in_date_until is None else found.in_date_until.isoformat()
    assert (found.coverage, last) == (coverage, until), why


def test_thresholds_are_the_operators() -> None:
    attended, declared = [Attended(date(2025, 1, 10), 6, 0)], [Declared(date(2025, 1, 10), 10, 0)]
    strict = Thresholds(green=90, amber=61, due_days=365)
    found = state(attended, declared, None, date(2025, 1, 10), strict)
    assert (found.rag, found.status) == ("red", "due")


# --- an independent reading, person by person ------------------------------------------------


@dataclass
class Person:
    trained: date


def anniversary(day: date, months: int) -> date:
    """Counted up month by month; where there is no such day, the first of the next month."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return date(year, month, day.day)
        except ValueError:
            return date(year, month + 1, 1)


def slowly(
    attended: list[Attended], declared: list[Declared], months: int, on: date
) -> tuple[str, int, date | None]:
    """Status, trained and the last day in date, by living through every day of the history."""
    team: list[Person] = []
    staff = None

    def in_date(on: date) -> list[Person]:
        return [person for person in team if on < anniversary(person.trained, months)]

    day = min([*(event.on for event in attended), *(event.on for event in declared), on])
    while day <= on:
        today = [event for event in attended if event.on == day]
        fresh = in_date(day)
        stale = [person for person in team if person not in fresh]
        queue = sorted(fresh, key=lambda p: p.trained) + stale
        for _ in range(sum(event.refresher for event in today)):
            if queue:
                queue.pop(0).trained = day
        team += [Person(day) for event in today for _ in range(event.new)]
        for said in (event for event in declared if event.on == day):
            for _ in range(said.left):
                if team:
                    # Anybody who lapsed is older than anybody in date.
                    newest = max(team, key=lambda p: p.trained)
                    team = [person for person in team if person is not newest]
            while len(team) > said.staff:
                stale = [p for p in team if all(p is not one for one in in_date(day))]
                gone = stale[0] if stale else max(team, key=lambda p: p.trained)
                team = [person for person in team if person is not gone]
            staff = said.staff
        day += timedelta(days=1)

    def counted(day: date) -> int:
        return len(in_date(day)) if staff is None else min(len(in_date(day)), staff)

    if not any(event.on <= on for event in attended):
        return "never", counted(on), None
    if not counted(on):
        return "lapsed", 0, None
    last = on
    while in_date(last + timedelta(days=1)):
        last += timedelta(days=1)
    return "current" if counted(on + timedelta(days=60)) else "due", counted(on), last


DAYS = st.dates(date(2023, 11, 1), date(2025, 4, 30))
FEW = st.integers(0, 4)


@given(
    st.lists(st.builds(Attended, DAYS, FEW, FEW), max_size=8),
    st.lists(st.builds(Declared, DAYS, st.integers(0, 8), FEW), max_size=5),
    st.sampled_from([1, 6, 12]),
    DAYS,
)
def test_decay_person_by_person(
    attended: list[Attended], declared: list[Declared], months: int, on: date
) -> None:
    found = state(attended, declared, months, on)
    assert (found.status, found.trained, found.in_date_until) == slowly(
        attended, declared, months, on
    )
    assert found.trained >= 0
    assert found.headcount is None or found.trained <= found.headcount


# --- many at once ----------------------------------------------------------------------------

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
    found = stand(COURSES_OF_TWO_TERMS, histories, days, thresholds)
    for day, on in enumerate(days):
        for venue, history in enumerate(histories):
            for number, course in enumerate(COURSES_OF_TWO_TERMS):
                assert found.of(day, venue, number) == decay.state(
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
    monkeypatch.setattr(rules, "_CELLS", 16)
    found = stand([WAVE], histories, [date(2025, 6, 1)], USUAL)
    assert found.trained[0, :, 0].tolist() == list(range(1, 51))
