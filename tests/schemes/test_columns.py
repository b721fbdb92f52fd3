"""All histories at once, in columns, against the rule, one history at a time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.core.london import end_of
from app.schemes.columns import FOR_EVER, NOTHING, PENDING, Decisions, spans_of
from app.schemes.rules import Kind, State, in_order, timeline
from tests.schemes.histories import Made

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
SINCE = datetime(1970, 1, 1, tzinfo=UTC)


def _history(chance: Random) -> list[Made]:
    """Decisions in order, few of them legal steps, of which some take effect at one instant."""
    return in_order(_decision(chance, number) for number in range(chance.randrange(1, 9)))


def _decision(chance: Random, number: int) -> Made:
    at = FIRST + timedelta(hours=12 * chance.randrange(30))
    kind = chance.choice([*Kind, Kind.AWARDED, Kind.AWARDED])
    recorded_at = at + timedelta(days=chance.randrange(9))
    if kind is not Kind.AWARDED:
        return Made(kind, at, recorded_at)
    # Some end before they begin.
    last = (at + timedelta(days=chance.randrange(-2, 9))).date()
    grade, certificate = chance.choice([None, "commended"]), chance.choice([None, f"N{number}"])
    until = chance.choice([None, last, last, last])
    return Made(kind, at, recorded_at, until, grade=grade, certificate=certificate)


def _microseconds(at: datetime) -> int:
    return (at - SINCE) // timedelta.resolution


def _ends(decision: Any) -> int:
    return _microseconds(end_of(decision.until)) if decision.until else FOR_EVER


def _in_columns(histories: Sequence[Sequence[Made]]) -> list[list[tuple[Any, ...]]]:
    """The spans of each history as columns have them."""
    rows = [decision for history in histories for decision in history]
    number = [place for place, history in enumerate(histories) for _ in history]
    spans = spans_of(
        Decisions(
            np.array(number, np.int64),
            np.array([list(Kind).index(Kind(row.kind)) for row in rows], np.int64),
            np.array([_microseconds(row.effective_at) for row in rows], np.int64),
            np.array([_ends(row) for row in rows], np.int64),
        )
    )
    found: list[list[tuple[Any, ...]]] = [[] for _ in histories]
    for history, start, state, pending, since, ends, award in np.transpose(spans).tolist():
        said = (None, None) if award == NOTHING else (rows[award].grade, rows[award].certificate)
        row = start, list(State)[state], PENDING[pending], since, ends, *said
        found[history].append(row)
    return found


def _one_by_one(history: Sequence[Made]) -> list[tuple[Any, ...]]:
    return [
        (
            _microseconds(span.start),
            span.standing.state,
            span.standing.pending,
            _microseconds(span.standing.since or SINCE),
            _ends(span.standing),
            span.standing.grade,
            span.standing.certificate,
        )
        for span in timeline(history)
    ]


@given(st.randoms(use_true_random=False))
def test_all_at_once_is_one_at_a_time(chance: Random) -> None:
    histories = [_history(chance) for _ in range(chance.randrange(40))]
    assert _in_columns(histories) == [_one_by_one(history) for history in histories]


def test_the_histories_have_every_state() -> None:
    spans = _in_columns([_history(Random(seed)) for seed in range(400)])
    assert {row[1] for history in spans for row in history} == {*State} - {State.NONE}
    assert {row[2] for history in spans for row in history} == {*PENDING}
    assert any(not history for history in spans)
