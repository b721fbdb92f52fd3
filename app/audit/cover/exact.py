"""The best choice of so many places, by HiGHS: a maximal covering problem, solved to the end.

Its relaxation, in which a place may be chosen in part, nearly always comes out whole; then that is
the best choice, and a hundred times quicker than to search for it. Else HiGHS searches, without a
gap. On one thread and from one seed, so that the same question has the same answer.

`highspy` is the only thing here that an installation may lack; nothing that the public asks comes
here.
"""

from collections.abc import Sequence
from typing import Any

import highspy
import numpy as np

from app.venues.open_week import Bools, Floats

_SCALE = 10_000
"""What all need comes to in the solver, whose tolerances are absolute."""

_WHOLE = 1e-6
"""How far from a whole number a choice may be that the solver calls whole."""

_OPTIONS = {
    "output_flag": False,
    "threads": 1,
    "parallel": "off",
    "random_seed": 0,
    "mip_rel_gap": 0.0,
    "mip_abs_gap": 0.0,
}


class Unsolved(Exception):
    """The solver gave up."""


class Best:
    """The best choices of one cover: a variable for each candidate, and one for each row that is 1
    where the row is met."""

    def __init__(self, meets: Bools) -> None:
        self._meets = meets
        self._relaxed, self._search = _solver(meets, whole=False), _solver(meets, whole=True)

    def choice(self, most: int, weight: Floats, start: Sequence[int]) -> list[int]:
        """The `most` candidates that meet most together, in order. Raises `Unsolved`.

        `start` is a good choice, from which a search begins.
        """
        share = self._solved(self._relaxed, most, weight)
        if (np.abs(share - share.round()) > _WHOLE).any():
            columns = np.arange(sum(self._meets.shape), dtype=np.int32)
            values = np.zeros(len(columns))
            values[list(start)] = 1
            values[len(self._meets) :] = self._meets[list(start)].any(axis=0)
            self._search.setSolution(len(columns), columns, values)
            share = self._solved(self._search, most, weight)
        chosen: list[int] = np.flatnonzero(share > 0.5).tolist()
        return chosen

    def _solved(self, solver: Any, most: int, weight: Floats) -> Floats:
        candidates, rows = self._meets.shape
        costs = np.append(np.zeros(candidates), weight * (_SCALE / weight.sum()))
        solver.changeColsCost(len(costs), np.arange(len(costs), dtype=np.int32), costs)
        solver.changeRowBounds(rows, -highspy.kHighsInf, float(most))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise Unsolved(str(solver.getModelStatus()))
        return np.array(solver.getSolution().col_value)[:candidates]


def _solver(meets: Bools, *, whole: bool) -> Any:
    candidates, rows = meets.shape
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = candidates + rows, rows + 1
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = np.zeros(candidates + rows)
    lp.col_lower_ = np.zeros(candidates + rows)
    lp.col_upper_ = np.ones(candidates + rows)
    # A row is met by no more than those that are chosen and meet it; the last row counts them.
    lp.row_lower_ = np.full(rows + 1, -highspy.kHighsInf)
    lp.row_upper_ = np.append(np.zeros(rows), 1.0)
    of = [np.append(np.flatnonzero(row), candidates + n) for n, row in enumerate(meets.T)]
    of.append(np.arange(candidates))
    values = [np.append(np.full(len(row) - 1, -1.0), 1.0) for row in of[:-1]]
    values.append(np.ones(candidates))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0, *map(len, of)])
    lp.a_matrix_.index_ = np.concatenate(of)
    lp.a_matrix_.value_ = np.concatenate(values)
    kind = highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
    lp.integrality_ = [*[kind] * candidates, *[highspy.HighsVarType.kContinuous] * rows]
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in _OPTIONS.items():
        solver.setOptionValue(name, value)
    solver.passModel(lp)
    return solver
