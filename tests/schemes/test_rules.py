"""How a venue stands by its decisions: every row says why."""

from datetime import date

import pytest

from app.schemes.rules import standing
from tests.schemes.histories import YEAR, at, history

STANDINGS = [
    ("", "2026-06-01", "none", None, "nothing was ever decided"),
    ("applied 2026-01-05", "2026-01-04", "none", None, "the application is still to come"),
    ("applied 2026-01-05", "2026-01-05", "applied", "2026-01-05", "from the day's first instant"),
    ("applied 2026-01-05; assessed 2026-01-09", "2026-02-01", "assessed", "2026-01-09", "visited"),
    ("applied 2026-01-05; refused 2026-01-09", "2026-02-01", "refused", "2026-01-09", "refused"),
    (
        "applied 2026-01-05; withdrawn 2026-01-09",
        "2026-02-01",
        "withdrawn",
        "2026-01-09",
        "an application can be withdrawn",
    ),
    (YEAR, "2025-12-31T23:59", "none", None, "the last minute before the award"),
    (YEAR, "2026-01-01", "in_force", "2026-01-01", "from the first instant of the award's day"),
    (YEAR, "2026-12-31T23:59", "in_force", "2026-01-01", "the last day is included, in winter"),
    (YEAR, "2027-01-01", "expired", "2027-01-01", "expired at local midnight, in winter"),
    (
        "awarded 2025-07-01 until 2026-06-30",
        "2026-06-30T23:59",
        "in_force",
        "2025-07-01",
        "the last day is included, in summer: it is 22:59 UTC",
    ),
    (
        "awarded 2025-07-01 until 2026-06-30",
        "2026-07-01",
        "expired",
        "2026-07-01",
        "expired at local midnight, in summer: it is 23:00 UTC the day before",
    ),
    (
        "awarded 2026-03-01 until 2026-03-29",
        "2026-03-29T23:59",
        "in_force",
        "2026-03-01",
        "the last day has 23 hours, and all of them count",
    ),
    (
        "awarded 2026-10-01 until 2026-10-25",
        "2026-10-25T23:59",
        "in_force",
        "2026-10-01",
        "the last day has 25 hours, and all of them count",
    ),
    (
        "awarded 2026-05-05 until 2026-05-05",
        "2026-05-05T12:00",
        "in_force",
        "2026-05-05",
        "for a single day",
    ),
    ("awarded 2026-05-05", "2099-01-01", "in_force", "2026-05-05", "without an end"),
    (
        f"{YEAR}; suspended 2026-05-01T14:30",
        "2026-05-01T14:29",
        "in_force",
        "2026-01-01",
        "a suspension takes effect at its instant, not at that day's start",
    ),
    (
        f"{YEAR}; suspended 2026-05-01T14:30",
        "2026-05-01T14:30",
        "suspended",
        "2026-05-01T14:30",
        "a suspension holds from its instant on",
    ),
    (
        f"{YEAR}; suspended 2026-12-01",
        "2027-01-01",
        "expired",
        "2027-01-01",
        "suspended across the expiry",
    ),
    (
        f"{YEAR}; suspended 2026-05-01; reinstated 2026-06-01T09:00",
        "2026-12-31T23:59",
        "in_force",
        "2026-06-01T09:00",
        "reinstated until the same end",
    ),
    (
        f"{YEAR}; suspended 2026-05-01; reinstated 2026-06-01",
        "2027-01-01",
        "expired",
        "2027-01-01",
        "reinstatement does not make it longer",
    ),
    (
        f"{YEAR}; suspended 2026-12-01; reinstated 2027-02-01",
        "2027-02-02",
        "expired",
        "2027-01-01",
        "reinstated after the expiry: there is nothing to resume",
    ),
    (
        f"{YEAR}; suspended 2026-12-01; awarded 2027-02-01 until 2028-01-31",
        "2027-02-01",
        "in_force",
        "2027-02-01",
        "a new award after it expired in suspension",
    ),
    (
        f"{YEAR}; suspended 2026-05-01; awarded 2026-06-01 until 2027-05-31",
        "2026-06-02",
        "suspended",
        "2026-05-01",
        "an award does not lift a suspension",
    ),
    (
        f"{YEAR}; suspended 2026-05-01; withdrawn 2026-06-01",
        "2026-06-01",
        "withdrawn",
        "2026-06-01",
        "withdrawn while suspended",
    ),
    (
        f"{YEAR}; withdrawn 2026-06-01; reinstated 2026-07-01",
        "2026-07-02",
        "withdrawn",
        "2026-06-01",
        "a withdrawal can't be lifted",
    ),
    (
        f"{YEAR}; withdrawn 2026-06-01",
        "2027-02-01",
        "withdrawn",
        "2026-06-01",
        "withdrawn for good, whenever it would have ended",
    ),
    (
        f"{YEAR}; withdrawn 2027-02-01",
        "2027-02-02",
        "expired",
        "2027-01-01",
        "what has expired can't be withdrawn",
    ),
    (
        f"{YEAR}; awarded 2026-12-01 until 2027-11-30",
        "2027-01-01",
        "in_force",
        "2026-12-01",
        "renewed while in force",
    ),
    (
        f"{YEAR}; awarded 2026-02-01 until 2026-06-30",
        "2026-07-01",
        "in_force",
        "2026-02-01",
        "overlapping awards: a renewal never shortens",
    ),
    (
        f"{YEAR}; awarded 2027-01-01 until 2027-12-31",
        "2027-01-01",
        "in_force",
        "2027-01-01",
        "a new award on the day after the last leaves no gap",
    ),
    (
        f"{YEAR}; awarded 2027-01-03 until 2028-01-02",
        "2027-01-02T12:00",
        "expired",
        "2027-01-01",
        "in the gap between two awards",
    ),
    (
        f"{YEAR}; awarded 2027-01-03 until 2028-01-02",
        "2027-01-03",
        "in_force",
        "2027-01-03",
        "after the gap",
    ),
    (f"{YEAR} void", "2026-06-01", "none", None, "the award was a mistake"),
    (
        f"{YEAR}; suspended 2026-05-01 void",
        "2026-06-01",
        "in_force",
        "2026-01-01",
        "the suspension was a mistake",
    ),
    (
        "awarded 2026-01-01 until 2026-01-31 void; awarded 2026-01-01 until 2026-12-31",
        "2026-06-01",
        "in_force",
        "2026-01-01",
        "voided and recorded anew",
    ),
    (
        "applied 2026-01-05; assessed 2026-01-05; awarded 2026-01-05 until 2027-01-04",
        "2026-01-05",
        "in_force",
        "2026-01-05",
        "same-day decisions hold in the order in which they were recorded",
    ),
    (
        f"{YEAR}; withdrawn 2026-05-01; awarded 2026-05-01 until 2027-04-30",
        "2026-05-01",
        "in_force",
        "2026-05-01",
        "of one instant, the one recorded last holds",
    ),
    (
        f"{YEAR}; awarded 2026-05-01 until 2027-04-30; withdrawn 2026-05-01",
        "2026-05-01",
        "withdrawn",
        "2026-05-01",
        "the same two in the other order",
    ),
    (
        f"{YEAR}; suspended 2026-05-01T16:00; reinstated 2026-05-01T12:00",
        "2026-05-02",
        "suspended",
        "2026-05-01T16:00",
        "recorded later but in effect earlier, when there was nothing to lift",
    ),
    (
        f"{YEAR}; applied 2026-11-01; assessed 2026-11-20",
        "2026-12-01",
        "in_force",
        "2026-01-01",
        "a renewal under way changes nothing yet",
    ),
    (
        f"{YEAR}; applied 2026-11-01; refused 2026-11-20",
        "2026-12-01",
        "in_force",
        "2026-01-01",
        "a renewal refused leaves the award to its end",
    ),
    (
        f"{YEAR}; applied 2027-02-01",
        "2027-02-01",
        "applied",
        "2027-02-01",
        "applied again after the expiry",
    ),
    ("suspended 2026-05-01", "2026-05-02", "none", None, "there was nothing to suspend"),
    (
        "awarded 2026-05-01 until 2026-04-01",
        "2026-05-02",
        "expired",
        "2026-05-01",
        "an award that ends before it begins is never in force",
    ),
]


@pytest.mark.parametrize(("decisions", "when", "state", "since", "why"), STANDINGS)
def test_standing(decisions: str, when: str, state: str, since: str | None, why: str) -> None:
    found = standing(history(decisions), at(when))
    assert (found.state, found.since) == (state, at(since) if since else None), why


@pytest.mark.parametrize(
    ("decisions", "until", "certificate", "pending", "why"),
    [
        (YEAR, date(2026, 12, 31), "N0", None, "the award's"),
        (
            f"{YEAR}; awarded 2026-02-01 until 2026-06-30",
            date(2026, 12, 31),
            "N1",
            None,
            "the newest certificate, the latest end",
        ),
        (f"{YEAR}; awarded 2026-02-01", None, "N1", None, "renewed without an end"),
        (
            f"{YEAR}; suspended 2026-02-01; reinstated 2026-02-02",
            date(2026, 12, 31),
            "N0",
            None,
            "a reinstatement keeps them",
        ),
        (f"{YEAR}; withdrawn 2026-02-01", None, None, None, "a withdrawal leaves none"),
        (
            f"{YEAR}; applied 2026-02-01; assessed 2026-02-03",
            date(2026, 12, 31),
            "N0",
            "assessed",
            "a renewal is pending",
        ),
        (
            f"{YEAR}; assessed 2026-02-03; awarded 2026-02-04 until 2027-02-03",
            date(2027, 2, 3),
            "N2",
            None,
            "nothing is pending once it is awarded",
        ),
    ],
)
def test_what_a_standing_carries(
    decisions: str, until: date | None, certificate: str | None, pending: str | None, why: str
) -> None:
    found = standing(history(decisions), at("2026-03-01"))
    assert (found.until, found.certificate, found.pending) == (until, certificate, pending), why
