"""Covers and the best choices of them, against trying every choice."""

from itertools import combinations

import numpy as np
import pytest

from app.audit.cover.exact import Best
from app.audit.cover.rows import Cover, cover, greedy
from app.venues.open_week import HOURS, Bools, Floats


def chance(seed: int, candidates: int, places: int) -> tuple[Floats, Bools, Bools]:
    """Needs, reaches and open hours that chance has made, with twins and places nobody is near."""
    rng = np.random.default_rng(seed)
    reaches = rng.random((2, candidates, places)) < [[[0.15]], [[0.3]]]
    reaches[1] |= reaches[0]
    reaches[:, :, 0] = False
    open_ = np.repeat(rng.random((candidates, 7)) < 0.5, HOURS // 7, axis=1)
    reaches[:, 1], open_[1] = reaches[:, 0], open_[0]
    needs = rng.integers(0, 9, (2, places, HOURS)).astype(float)
    return needs, reaches, open_


def met(needs: Floats, reaches: Bools, open_: Bools, chosen: tuple[int, ...]) -> float:
    """What some candidates meet, straight from what was asked."""
    at = list(chosen)
    is_met = (reaches[:, at, :, np.newaxis] & open_[np.newaxis, at, np.newaxis, :]).any(axis=1)
    return float(needs[is_met].sum())


@pytest.mark.parametrize("seed", range(6))
def test_the_best_choice_is_the_best_of_all(seed: int) -> None:
    asked = chance(seed, 11, 14)
    put = cover(*asked)
    best = Best(put.meets)
    for number in (1, 2, 3, 4):
        chosen = best.choice(number, put.weight, greedy(put, number))
        given = tuple(put.candidates[chosen])
        most = max(met(*asked, some) for some in combinations(range(11), number))
        assert put.met(chosen) == pytest.approx(met(*asked, given))
        assert put.met(chosen) == pytest.approx(most)
        assert put.met(greedy(put, number)) <= most + 1e-9


def test_where_one_after_the_other_is_worse() -> None:
    # The middle one meets most by itself; the two at its sides meet all together.
    meets = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool)
    nothing = np.arange(0)
    put = Cover(nothing, nothing, meets, np.array([2.0, 3.0, 3.0, 2.0]), nothing)
    assert put.met(greedy(put, 2)) == 8
    assert Best(meets).choice(2, put.weight, greedy(put, 2)) == [0, 2]


def test_a_relaxation_that_is_not_whole_is_searched() -> None:
    # Each of three rows is met by two of three: in halves, one and a half places meet all.
    meets = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], bool)
    chosen = Best(meets).choice(1, np.ones(3), [2])
    assert len(chosen) == 1


def test_equals_and_parts_are_left_out() -> None:
    open_ = np.ones((4, HOURS), bool)
    near = np.array([[[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]], bool)
    put = cover(np.ones((1, 3, HOURS)), near, open_)
    assert put.candidates.tolist() == [0]
    assert put.alike.tolist() == [2]
    assert put.weight.tolist() == [2 * HOURS]
    assert (put.row_of[0, 2] == -1).all()
    assert put.weighed(np.full((1, 3, HOURS), 2.0)).tolist() == [4 * HOURS]


def test_no_candidates_and_no_need() -> None:
    needs, near = np.ones((1, 3, HOURS)), np.zeros((1, 2, 3), bool)
    assert greedy(cover(needs, near, np.ones((2, HOURS), bool)), 5) == []
    assert greedy(cover(needs, near[:, :0], np.ones((0, HOURS), bool)), 5) == []
    assert greedy(cover(0 * needs, ~near, np.ones((2, HOURS), bool)), 5) == []
