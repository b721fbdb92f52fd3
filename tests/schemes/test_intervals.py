"""When an accreditation is in force, also against a slow reading of the same rules."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.london import LONDON, effective, end_of
from app.schemes.history import _LISTED_BY
from app.schemes.rules import (
    Kind,
    State,
    first_illegal,
    in_force_intervals,
    in_order,
    standing,
    timeline,
)
from tests.schemes.histories import YEAR, Made, at, history


@pytest.mark.parametrize(
    ("decisions", "expected", "why"),
    [
        (YEAR, [("2026-01-01", "2027-01-01")], "whole London days"),
        (
            "awarded 2026-06-01 until 2026-06-30",
            [("2026-06-01", "2026-07-01")],
            "whole London days in summer",
        ),
        ("awarded 2026-06-01", [("2026-06-01", None)], "no end"),
        (
            f"{YEAR}; awarded 2027-01-01 until 2027-12-31",
            [("2026-01-01", "2028-01-01")],
            "two that touch are one",
        ),
        (
            f"{YEAR}; suspended 2026-05-01T14:30; reinstated 2026-05-02T09:15",
            [("2026-01-01", "2026-05-01T14:30"), ("2026-05-02T09:15", "2027-01-01")],
            "without the suspension, to the minute",
        ),
        (
            f"{YEAR}; suspended 2026-05-01; reinstated 2026-05-01",
            [("2026-01-01", "2027-01-01")],
            "a suspension of no length",
        ),
        ("applied 2026-01-01; refused 2026-01-02", [], "never awarded"),
    ],
)
def test_in_force_intervals(
    decisions: str, expected: list[tuple[str, str | None]], why: str
) -> None:
    intervals = [(at(start), at(end) if end else None) for start, end in expected]
    assert in_force_intervals(history(decisions)) == intervals, why


# --- against a slow reading of the same rules ------------------------------------------------

FIRST = datetime(2026, 3, 27, tzinfo=UTC)


@st.composite
def _decisions(draw: st.DrawFn) -> list[Made]:
    def instant(spread: timedelta) -> datetime:
        quarters = draw(st.integers(0, int(spread / timedelta(minutes=15))))
        return FIRST + quarters * timedelta(minutes=15)

    made = []
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(Kind))
        when = instant(timedelta(days=5))
        if draw(st.booleans()):
            when = effective(when.astimezone(LONDON).date())
        until = (when + timedelta(days=draw(st.integers(0, 4)))).astimezone(LONDON).date()
        recorded_at = FIRST + timedelta(days=300, seconds=number)
        made.append(
            Made(
                kind,
                when,
                recorded_at,
                until if kind is Kind.AWARDED and draw(st.integers(0, 9)) else None,
                draw(st.sampled_from([None, None, None, recorded_at])),
            )
        )
    return draw(st.permutations(made))


def _in_force(decisions: Sequence[Made], when: datetime) -> bool:
    """Told step by step from the beginning, with nothing but flags."""
    last_day: date | None = None
    awarded = suspended = applied = False
    counted = sorted(
        (d for d in decisions if d.voided_at is None and d.effective_at <= when),
        key=lambda d: (d.effective_at, d.recorded_at),
    )
    for decision in [*counted, None]:
        day = (decision.effective_at if decision else when).astimezone(LONDON).date()
        if awarded and last_day is not None and day > last_day:
            awarded = suspended = False
        if decision is None:
            break
        if decision.kind in ("applied", "assessed"):
            applied = True
        elif decision.kind == "refused":
            applied = False
        elif decision.kind == "awarded" and not suspended:
            ends = decision.until
            if awarded and (ends is None or last_day is None):
                ends = None
            elif awarded and ends and last_day:
                ends = max(ends, last_day)
            awarded, applied, last_day = True, False, ends
        elif decision.kind == "suspended" and awarded:
            suspended = True
        elif decision.kind == "reinstated" and suspended:
            suspended = False
        elif decision.kind == "withdrawn" and (awarded or applied):
            awarded = suspended = applied = False
    return awarded and not suspended


@given(_decisions(), st.integers(0, 9 * 24 * 60))
def test_intervals_agree_with_standing_and_with_a_slow_reading(
    decisions: list[Made], minutes: int
) -> None:
    when = FIRST - timedelta(hours=12) + timedelta(minutes=minutes)
    inside = any(
        start <= when and (end is None or when < end)
        for start, end in in_force_intervals(decisions)
    )
    assert (standing(decisions, when).state is State.IN_FORCE) == inside
    assert inside == _in_force(decisions, when)


@given(_decisions())
def test_spans_and_intervals_are_in_order_and_apart(decisions: list[Made]) -> None:
    starts = [span.start for span in timeline(decisions)]
    assert all(one < other for one, other in pairwise(starts))
    ends = [edge for interval in in_force_intervals(decisions) for edge in interval]
    assert all(one < other for one, other in pairwise(ends) if one and other)
    assert None not in ends[:-1]


@given(_decisions())
def test_what_is_illegal_changes_nothing(decisions: list[Made]) -> None:
    kept = in_order(decisions)
    while illegal := first_illegal(kept):
        kept.remove(illegal[0])
    assert timeline(kept) == timeline(decisions)


@given(_decisions())
def test_what_only_leads_up_to_an_award_changes_nothing_of_when_it_is_in_force(
    decisions: list[Made],
) -> None:
    listing = [decision for decision in decisions if decision.kind in _LISTED_BY]
    assert in_force_intervals(listing) == in_force_intervals(decisions)


def test_a_day_ends_where_the_next_begins() -> None:
    assert end_of(date(2026, 3, 28)) == effective(date(2026, 3, 29))
