"""The decay rule: row by row with a reason, and against a reading person by person."""

from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.training.courses import COURSES
from app.training.rag import Rag, Thresholds, rag, rag_place
from app.training.rules import Attended, CourseState, Declared, course_state
from tests.audit.oracle import trained_staff

WAVE = COURSES["wave"]


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
    return course_state(WAVE, attended, declared, months, date.fromisoformat(on))


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
    found = course_state(WAVE, attended, declared, None, date(2025, 1, 10), strict)
    assert (found.rag, found.status) == ("red", "due")


# --- an independent reading, person by person ------------------------------------------------

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
    found = course_state(WAVE, attended, declared, months, on)
    slowly = trained_staff([*attended], [*declared], months, on)
    assert (found.status, found.trained) == (slowly.status, slowly.trained)
    assert (found.headcount, found.rag) == (slowly.headcount, slowly.rag)
    assert found.in_date_until == slowly.until
    assert found.trained >= 0
    assert found.headcount is None or found.trained <= found.headcount


def test_colours_of_columns_are_those_of_each() -> None:
    pairs = list(product(range(12), range(1, 12)))
    trained, headcount = np.array(pairs).T
    places = rag_place(trained, headcount, Thresholds())
    assert [list(Rag)[place] for place in places] == [rag(*pair, Thresholds()) for pair in pairs]
