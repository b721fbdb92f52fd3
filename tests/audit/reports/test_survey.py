"""What is told of the survey: never of fewer than five people, nor what leads to that."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.audit.reports.survey import FEW, Counts, Key, Told, told

A, B, C = (UUID(int=n) for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("counts", "in_all", "by_ward"),
    [
        ({}, (None, None, None), []),
        # One ward with enough of everything.
        ([(12, 6, 7)], (12, 6, 7), [(12, 6, 7)]),
        # Four said no: neither part is told, for the other one is the rest.
        ([(12, 8, 7)], (12, None, 7), [(12, None, 7)]),
        ([(4, 2, 2)], (None, None, None), [(None, None, None)]),
        # The ward with few hides behind the next smallest, or the total would give it away.
        (
            [(4, 2, 2), (12, 6, 6), (40, 20, 20)],
            (56, 28, 28),
            [(None, None, None), (None, None, None), (40, 20, 20)],
        ),
        # Two with few are enough for each other, but not in what they said.
        (
            [(4, 2, 3), (3, 3, 0), (40, 20, 20)],
            (47, 25, 23),
            [(None, None, None), (None, None, None), (40, None, None)],
        ),
        # All agree: that is a number of people too, namely none.
        ([(20, 20, 10)], (20, None, 10), [(20, None, 10)]),
        # Only a question of one ward is not told, and that of one more with it.
        (
            [(20, 18, 10), (20, 10, 10), (30, 15, 15)],
            (70, 43, 35),
            [(20, None, 10), (20, None, 10), (30, 15, 15)],
        ),
    ],
    ids=["none", "enough", "part", "few", "behind", "two", "agree", "question"],
)
def test_what_is_told(
    counts: list[tuple[int, int, int]],
    in_all: tuple[int | None, ...],
    by_ward: list[tuple[int | None, ...]],
) -> None:
    given_: dict[Key, Counts] = {
        key: Counts(*one) for key, one in zip((A, B, C), counts, strict=False)
    }
    whole, wards = told(given_)
    assert whole == in_all
    assert [*wards.values()] == by_ward


wards = st.dictionaries(
    st.uuids(version=4),
    st.integers(0, 30).flatmap(
        lambda n: st.builds(Counts, st.just(n), st.integers(0, n), st.integers(0, n))
    ),
    max_size=6,
)


@given(wards)
def test_nothing_that_is_told_nor_what_is_left_of_it_is_of_few(counts: dict[Key, Counts]) -> None:
    whole, by_ward = told(counts)
    total = Counts(*(sum(one[n] for one in counts.values()) for n in range(3)))
    for one, true in [*((one, counts[ward]) for ward, one in by_ward.items()), (whole, total)]:
        for said, is_so in zip(one, true, strict=True):
            assert said in (None, is_so)
        for yes in (one.safer, one.helped):
            if yes is not None:
                assert one.answers is not None
                assert FEW <= yes <= one.answers - FEW
        assert one.answers is None or one.answers >= FEW
    for name in Told._fields:
        untold = [ward for ward, one in by_ward.items() if getattr(one, name) is None]
        if getattr(whole, name) is None or not untold:
            continue
        left = sum(getattr(counts[ward], name) for ward in untold)
        assert left >= FEW
        assert len(untold) > 1
        if name != "answers":
            answers = sum(counts[ward].answers for ward in untold)
            assert answers - left >= FEW
