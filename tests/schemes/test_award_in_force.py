"""Whether one award is in force, whatever came after it: every row says why."""

from datetime import date

import pytest

from app.schemes.rules import award_in_force
from tests.schemes.histories import YEAR, at, history

# The first award of each history, asked about at an instant; the last day that it is in force to.
AWARDS = [
    (YEAR, "2025-12-31", None, "it has not begun"),
    (YEAR, "2026-01-01", "2026-12-31", "from its first instant"),
    (YEAR, "2027-01-01", None, "expired"),
    (f"{YEAR} void", "2026-06-01", None, "a mistake"),
    ("awarded 2026-01-01", "2099-01-01", "", "without an end"),
    (f"{YEAR}; suspended 2026-05-01", "2026-05-01", None, "suspended"),
    (
        f"{YEAR}; suspended 2026-05-01; reinstated 2026-05-09",
        "2026-05-09",
        "2026-12-31",
        "the suspension was lifted",
    ),
    (f"{YEAR}; withdrawn 2026-05-01", "2026-05-01", None, "withdrawn"),
    (f"{YEAR}; withdrawn 2026-05-01 void", "2026-05-01", "2026-12-31", "withdrawn by mistake"),
    (f"{YEAR}; applied 2026-05-01", "2026-05-02", "2026-12-31", "an application ends nothing"),
    (
        f"{YEAR}; awarded 2026-12-01 until 2027-11-30",
        "2027-03-01",
        "2027-11-30",
        "renewed before its end, it goes on",
    ),
    (
        f"{YEAR}; awarded 2027-02-01 until 2028-01-31",
        "2027-03-01",
        None,
        "it had expired when the next was awarded",
    ),
    (
        f"{YEAR}; withdrawn 2026-05-01; awarded 2026-05-01 until 2027-04-30",
        "2026-05-01",
        None,
        "withdrawn, though another award began at the same instant",
    ),
    (
        "awarded 2026-01-01 until 2025-12-31",
        "2026-01-01",
        None,
        "it ends before it begins",
    ),
]


@pytest.mark.parametrize(("written", "instant", "until", "why"), AWARDS)
def test_an_award(written: str, instant: str, until: str | None, why: str) -> None:
    decisions = history(written)
    held = award_in_force(decisions, decisions[0], at(instant))
    if until is None:
        assert held is None, why
    else:
        assert held, why
        assert held.until == (date.fromisoformat(until) if until else None), why


def test_an_award_while_suspended_never_was_one() -> None:
    decisions = history(f"{YEAR}; suspended 2026-05-01; awarded 2026-05-02; reinstated 2026-05-03")
    assert award_in_force(decisions, decisions[2], at("2026-06-01")) is None
    assert award_in_force(decisions, decisions[0], at("2026-06-01")) is not None


def test_only_an_award_is_in_force() -> None:
    decisions = history(f"applied 2025-12-01; {YEAR}")
    assert award_in_force(decisions, decisions[0], at("2026-06-01")) is None
