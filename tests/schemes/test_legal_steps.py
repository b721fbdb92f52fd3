"""What may follow what: every row says why."""

import pytest

from app.schemes.rules import Kind, State, first_illegal, legal_steps, standing, unmet
from tests.schemes.histories import YEAR, Made, at, history

REACHED = {
    State.NONE: "",
    State.APPLIED: "applied 2026-01-01",
    State.ASSESSED: "applied 2026-01-01; assessed 2026-01-02",
    State.IN_FORCE: YEAR,
    State.SUSPENDED: f"{YEAR}; suspended 2026-02-01",
    State.EXPIRED: "awarded 2025-01-01 until 2025-12-31",
    State.WITHDRAWN: f"{YEAR}; withdrawn 2026-02-01",
    State.REFUSED: "applied 2026-01-01; refused 2026-01-02",
}
NO, YES = False, True
STEPS = [
    (State.NONE, Kind.APPLIED, YES, "a venue may apply"),
    (State.NONE, Kind.ASSESSED, YES, "an officer may assess without an application"),
    (State.NONE, Kind.REFUSED, NO, "there is nothing to refuse"),
    (State.NONE, Kind.AWARDED, YES, "a charter is signed without more ado"),
    (State.NONE, Kind.SUSPENDED, NO, "there is nothing to suspend"),
    (State.NONE, Kind.REINSTATED, NO, "nothing is suspended"),
    (State.NONE, Kind.WITHDRAWN, NO, "there is nothing to withdraw"),
    (State.APPLIED, Kind.APPLIED, NO, "it has applied already"),
    (State.APPLIED, Kind.ASSESSED, YES, "the usual next step"),
    (State.APPLIED, Kind.REFUSED, YES, "refused without a visit"),
    (State.APPLIED, Kind.AWARDED, YES, "where no assessment is asked for, or for a reason"),
    (State.APPLIED, Kind.SUSPENDED, NO, "nothing is in force"),
    (State.APPLIED, Kind.REINSTATED, NO, "nothing is suspended"),
    (State.APPLIED, Kind.WITHDRAWN, YES, "it may withdraw the application"),
    (State.ASSESSED, Kind.APPLIED, NO, "it is past that"),
    (State.ASSESSED, Kind.ASSESSED, YES, "assessed again"),
    (State.ASSESSED, Kind.REFUSED, YES, "not passed"),
    (State.ASSESSED, Kind.AWARDED, YES, "passed"),
    (State.ASSESSED, Kind.SUSPENDED, NO, "nothing is in force"),
    (State.ASSESSED, Kind.REINSTATED, NO, "nothing is suspended"),
    (State.ASSESSED, Kind.WITHDRAWN, YES, "it may still withdraw"),
    (State.IN_FORCE, Kind.APPLIED, YES, "for the renewal"),
    (State.IN_FORCE, Kind.ASSESSED, YES, "for the renewal"),
    (State.IN_FORCE, Kind.REFUSED, NO, "no renewal was asked for"),
    (State.IN_FORCE, Kind.AWARDED, YES, "the renewal"),
    (State.IN_FORCE, Kind.SUSPENDED, YES, "it can be suspended at any time"),
    (State.IN_FORCE, Kind.REINSTATED, NO, "it is not suspended"),
    (State.IN_FORCE, Kind.WITHDRAWN, YES, "it can be withdrawn at any time"),
    (State.SUSPENDED, Kind.APPLIED, YES, "for the renewal"),
    (State.SUSPENDED, Kind.ASSESSED, YES, "to see whether to reinstate it"),
    (State.SUSPENDED, Kind.REFUSED, NO, "no renewal was asked for"),
    (State.SUSPENDED, Kind.AWARDED, NO, "the suspension has to be lifted first"),
    (State.SUSPENDED, Kind.SUSPENDED, NO, "it is suspended already"),
    (State.SUSPENDED, Kind.REINSTATED, YES, "what a suspension waits for"),
    (State.SUSPENDED, Kind.WITHDRAWN, YES, "or this"),
    (State.EXPIRED, Kind.APPLIED, YES, "it may apply again"),
    (State.EXPIRED, Kind.ASSESSED, YES, "assessed afresh"),
    (State.EXPIRED, Kind.REFUSED, NO, "nothing was asked for"),
    (State.EXPIRED, Kind.AWARDED, YES, "awarded afresh"),
    (State.EXPIRED, Kind.SUSPENDED, NO, "nothing is in force"),
    (State.EXPIRED, Kind.REINSTATED, NO, "only a new award brings it back"),
    (State.EXPIRED, Kind.WITHDRAWN, NO, "nothing is in force"),
    (State.WITHDRAWN, Kind.APPLIED, YES, "it may apply again"),
    (State.WITHDRAWN, Kind.ASSESSED, YES, "assessed afresh"),
    (State.WITHDRAWN, Kind.REFUSED, NO, "nothing was asked for"),
    (State.WITHDRAWN, Kind.AWARDED, YES, "awarded afresh"),
    (State.WITHDRAWN, Kind.SUSPENDED, NO, "nothing is in force"),
    (State.WITHDRAWN, Kind.REINSTATED, NO, "only a new award brings it back"),
    (State.WITHDRAWN, Kind.WITHDRAWN, NO, "it is withdrawn already"),
    (State.REFUSED, Kind.APPLIED, YES, "it may apply again"),
    (State.REFUSED, Kind.ASSESSED, YES, "assessed afresh"),
    (State.REFUSED, Kind.REFUSED, NO, "it is refused already"),
    (State.REFUSED, Kind.AWARDED, YES, "awarded afresh"),
    (State.REFUSED, Kind.SUSPENDED, NO, "nothing is in force"),
    (State.REFUSED, Kind.REINSTATED, NO, "nothing is suspended"),
    (State.REFUSED, Kind.WITHDRAWN, NO, "nothing is in force"),
]


@pytest.mark.parametrize(("state", "kind", "legal", "why"), STEPS)
def test_legal_steps(state: State, kind: Kind, legal: bool, why: str) -> None:
    decisions = history(REACHED[state])
    assert standing(decisions, at("2026-03-01")).state is state
    assert (kind in legal_steps(decisions, at("2026-03-01"))) is legal, why


def test_every_state_and_step_has_a_row() -> None:
    assert {(state, kind) for state, kind, *_ in STEPS} == {(s, k) for s in State for k in Kind}


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (YEAR, "in force"),
        (f"{YEAR}; suspended 2026-02-01", "suspended"),
        ("awarded 2025-01-01 until 2026-02-20", "expired since it applied"),
    ],
)
def test_a_renewal_that_is_pending_can_be_refused_and_not_be_applied_for(
    before: str, why: str
) -> None:
    without = legal_steps(history(before), at("2026-03-01"))
    pending = legal_steps(history(f"{before}; applied 2026-02-10"), at("2026-03-01"))
    assert pending == without - {Kind.APPLIED} | {Kind.REFUSED}, why


@pytest.mark.parametrize(
    ("decisions", "illegal", "why"),
    [
        ("", None, "nothing at all"),
        (f"{YEAR}; suspended 2026-05-01; reinstated 2026-06-01", None, "all in order"),
        ("reinstated 2026-06-01; suspended 2026-05-01", 1, "nothing was in force"),
        (f"{YEAR} void; suspended 2026-05-01", 1, "what it suspends was a mistake"),
        (f"{YEAR}; suspended 2027-01-01", 1, "expired at that very instant"),
        (f"{YEAR}; suspended 2026-12-31T23:59", None, "still in force"),
        (f"{YEAR}; suspended 2026-05-01; suspended 2026-04-01", 1, "an earlier one slipped in"),
    ],
)
def test_first_illegal(decisions: str, illegal: int | None, why: str) -> None:
    made = history(decisions)
    found = first_illegal(made)
    assert (found and made.index(found[0])) == illegal, why


@pytest.mark.parametrize(
    ("decisions", "expected", "why"),
    [
        ("", None, "never assessed"),
        ("assessed 2026-01-02", ["seat"], "the seat is missing"),
        ("assessed 2026-01-02 void", None, "the assessment was a mistake"),
        ("assessed 2026-03-02", None, "assessed only later"),
        ("assessed 2026-01-02; refused 2026-01-03", None, "it led to a refusal"),
        ("assessed 2026-01-02; awarded 2026-01-03", None, "it led to an award"),
        ("assessed 2026-01-02; withdrawn 2026-01-03", None, "it was withdrawn"),
        ("assessed 2026-01-02; suspended 2026-01-03", ["seat"], "a suspension is another matter"),
        ("assessed 2026-01-02; assessed 2026-01-03", [], "the newest one counts"),
    ],
)
def test_unmet(decisions: str, expected: list[str] | None, why: str) -> None:
    made: list[Made] = []
    for place, decision in enumerate(history(decisions)):
        found = [{"criterion": "water", "met": True}, {"criterion": "seat", "met": place > 0}]
        made.append(Made(**{**vars(decision), "findings": found}))
    assert unmet(made, ["water", "seat"], at("2026-02-01")) == expected, why
