"""The rule of `app.schemes.rules` in columns, for the histories of all venues at once.

A history is what was decided of one venue in one scheme, a number from 0 on. What a decision makes
of a standing is not said anew: the rule is asked once of each sort there is. An instant is in
microseconds since 1970.
"""

from datetime import UTC, date, datetime
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core.columns import Ints
from app.schemes.history import PlainDecision
from app.schemes.rules import AWARDED, Kind, Standing, State, after

FOR_EVER = np.iinfo(np.int64).max
"""Stands for the end of an award that has none."""

NOTHING = -1
"""Stands for the award where there is none."""

PENDING = (None, Kind.APPLIED, Kind.ASSESSED)
"""What a standing may have as `pending`."""


class Decisions(NamedTuple):
    """Columns of decisions that all count, history by history and in order, one row each.

    `kind` is the place in `Kind`; `ends` is when an award's last day ends, or `FOR_EVER`.
    """

    history: Ints
    kind: Ints
    at: Ints
    ends: Ints


class Spans(NamedTuple):
    """Columns of what `Span` says but for its end, history by history and in order, one row each.

    `state` and `pending` are places in `State` and `PENDING`; `ends` is when the award's last day
    ends, or `FOR_EVER`; `award` is the row of the decision that it was awarded by, or `NOTHING`.
    """

    history: Ints
    start: Ints
    state: Ints
    pending: Ints
    since: Ints
    ends: Ints
    award: Ints


def spans_of(decisions: Decisions) -> Spans:
    """What `timeline_of` says of each history."""
    first = np.flatnonzero(np.diff(decisions.history, prepend=-1))
    number = np.diff(first, append=len(decisions.history))
    # Those with most decisions come first, so that those in which there are more to come do.
    order = np.argsort(-number, kind="stable")
    first, number = first[order], number[order]
    history = decisions.history[first]
    held = np.zeros((len(Spans._fields) - 2, len(first)), np.int64)
    held[-1] = NOTHING
    begun = [np.empty((len(Spans._fields), 0), np.int64)]

    def begin(start: Ints, begins: NDArray[np.bool_]) -> None:
        which = np.flatnonzero(begins)
        begun.append(np.vstack([history[which], start[which], held[:, which]]))

    for step in range(number.max(initial=-1) + 1):
        lasting, deciding = np.searchsorted(-number, [-step, -step - 1], side="right")
        rows = first[:deciding] + step
        by = np.full(lasting, FOR_EVER)
        by[:deciding] = decisions.at[rows]
        begin(*_expire(held[:, :lasting], by))
        begin(by, _decide(held[:, :deciding], decisions, rows))
    spans = np.concatenate(begun, axis=1)
    spans = spans[:, np.argsort(spans[0], kind="stable")]
    # Of what happens at one instant, only the last lasts.
    return Spans(*spans[:, np.diff(spans[:2], append=-1).any(axis=0)])


_IS_AWARDED = np.array([state in AWARDED for state in State])
_EXPIRED = list(State).index(State.EXPIRED)


def _expire(held: Ints, by: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Change how venues stand after their awards' ends, where those come by an instant."""
    state, _, since, ends, _ = held
    # An award that ends before it begins is never in force.
    end = np.maximum(ends, since)
    expires = _IS_AWARDED[state] & (ends < FOR_EVER) & (end <= by)
    state[expires], since[expires] = _EXPIRED, end[expires]
    return end, expires


def _decide(held: Ints, decisions: Decisions, rows: Ints) -> NDArray[np.bool_]:
    """Change how venues stand by a decision each; returns where it changes anything."""
    before = held.copy()
    state, pending, since, ends, award = held
    _, kind, at, own_ends = (column[rows] for column in decisions)
    state[:], pending[:], is_since, becomes = _steps()[:, state, pending, kind]
    since[:] = np.where(is_since, at, since)
    award[:] = np.choose(becomes, [award, NOTHING, rows, rows])
    ends[:] = np.choose(becomes, [ends, FOR_EVER, own_ends, np.maximum(ends, own_ends)])
    changed: NDArray[np.bool_] = (held != before).any(axis=0)
    return changed


_KEPT, _GONE, _OWN, _EXTENDED = range(4)
"""What becomes of an award by a decision: with an own one, the later of two ends may hold."""


@cache
def _steps() -> Ints:
    """What the rule makes of a standing: of [what, state, pending, kind], the places of the new
    state and of what is pending then, whether it is so since the decision, and the award."""
    sorts = product(State, PENDING, Kind)
    steps = np.array([_step(*sort) for sort in sorts])
    return steps.T.reshape(-1, len(State), len(PENDING), len(Kind))


def _step(state: State, pending: Kind | None, kind: Kind) -> tuple[int, ...]:
    old, new = (datetime(year, 1, 1, tzinfo=UTC) for year in (2001, 2002))
    award, own_award = (date(2004, 1, 1), "", "old"), (date(2003, 1, 1), "", "new")
    extended = award[0], *own_award[1:]
    decision = PlainDecision("", "", kind, new, new, *own_award)
    found = after(Standing(state, old, *award, pending), decision)
    return (
        list(State).index(found.state),
        PENDING.index(found.pending),
        found.since == new,
        [award, (None, None, None), own_award, extended].index(found.award),
    )
