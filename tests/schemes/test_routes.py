"""Decisions over HTTP, on both databases: what may follow what, and who may say so."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Client

from app.core.journal import Journal
from app.venues.models import VenueStatus
from tests.schemes.steps import (
    add_pub,
    day,
    decide,
    findings,
    refused,
    standing_of,
    train,
    void,
    windows,
)


def test_from_application_to_withdrawal(officer: Client, venue: UUID, journal: Journal) -> None:
    assert standing_of(officer, venue)["state"] == "none"
    train(journal, venue, day(-40))

    steps: list[tuple[str, dict[str, Any], str]] = [
        ("applied", {"on": day(-30)}, "applied"),
        ("assessed", {"on": day(-20), "findings": findings("seat")}, "assessed"),
        ("assessed", {"on": day(-12)}, "assessed"),
        ("awarded", {"on": day(-10)}, "in_force"),
    ]
    for kind, more, state in steps:
        made = decide(officer, venue, kind, **more)
        assert made.headers["Location"] == f"/v1/admin/decisions/{made.json()['id']}"
        assert standing_of(officer, venue)["state"] == state
    award = officer.get(f"/v1/admin/venues/{venue}/decisions").json()["items"][0]
    year = day(-10)[:4]
    assert award["certificate"] == f"SH-{year}-0001"
    assert award["recorded_by"].startswith("account ")
    assert windows(journal) == {venue: [True]}

    suspended = decide(officer, venue, "suspended").json()
    assert datetime.fromisoformat(suspended["effective_at"]) <= datetime.now(UTC)
    assert windows(journal) == {}
    assert standing_of(officer, venue)["next_steps"] == [
        "applied",
        "assessed",
        "reinstated",
        "withdrawn",
    ]
    assert decide(officer, venue, "reinstated", reason="Passed the retest").status_code == 201
    assert windows(journal) == {venue: [True]}
    assert standing_of(officer, venue)["until"] == award["until"]
    assert decide(officer, venue, "withdrawn").status_code == 201
    assert windows(journal) == {}

    listed = officer.get(f"/v1/admin/venues/{venue}/decisions").json()["items"]
    assert [one["kind"] for one in listed] == [
        *("withdrawn", "reinstated", "suspended"),
        *("awarded", "assessed", "assessed", "applied"),
    ]
    assert listed[5]["findings"][4] == {"criterion": "seat", "met": False}
    assert journal.verify() is None


def test_an_illegal_step_says_which_are_legal(officer: Client, venue: UUID) -> None:
    errors = refused(decide(officer, venue, "suspended"), 409, "illegal-step")
    assert errors == {"kind": "can be one of applied, assessed, awarded"}


def test_an_award_needs_a_passed_assessment_or_a_reason(
    officer: Client, venue: UUID, journal: Journal
) -> None:
    train(journal, venue, day(-5))
    missing = decide(officer, venue, "awarded")
    assert refused(missing, 409, "assessment-not-passed") == {
        "kind": "needs an assessment before it"
    }
    decide(officer, venue, "assessed", findings=findings("seat", "water"))
    unmet = decide(officer, venue, "awarded")
    assert refused(unmet, 409, "assessment-not-passed") == {"findings": "does not meet water, seat"}
    award = decide(officer, venue, "awarded", override_reason="Seats arrive on Monday")
    assert award.json()["override_reason"] == "Seats arrive on Monday"


@pytest.mark.parametrize(
    ("scheme", "course", "lacking"),
    [
        ("safe_haven", "bystander", "At least one trained member of staff"),
        ("ask_for_angela", "ask_for_angela", "At least one member of staff with Ask for Angela"),
    ],
)
def test_what_a_scheme_asks_for_is_checked_at_award_and_reinstatement(
    officer: Client, venue: UUID, journal: Journal, scheme: str, course: str, lacking: str
) -> None:
    def shown(on: str) -> tuple[bool, int]:
        found = standing_of(officer, venue, scheme, on=on)["prerequisites"][0]
        return found["met"], found["trained"]

    more = {"on": day(-300), "override_reason": "Seen on the visit"}
    errors = refused(decide(officer, venue, "awarded", scheme, **more), 409, "prerequisite-lacking")
    assert errors["scheme"].startswith(lacking)
    assert errors["scheme"].endswith(f"nobody is in date on {day(-300)}")
    assert shown(day(-300)) == (False, 0)

    train(journal, venue, day(-299), course)
    assert shown(day(-300)) == (False, 0), "trained a day too late"
    train(journal, venue, day(-310), course)
    assert shown(day(-300)) == (True, 12)
    assert decide(officer, venue, "awarded", scheme, **more).status_code == 201


def test_a_lapsed_prerequisite_never_delists_but_keeps_from_reinstating(
    officer: Client, venue: UUID, journal: Journal
) -> None:
    train(journal, venue, day(-370))
    more = {"on": day(-360), "until": day(30), "override_reason": "Seen on the visit"}
    assert decide(officer, venue, "awarded", **more).status_code == 201
    there = standing_of(officer, venue)
    assert (there["state"], there["prerequisites"][0]["met"]) == ("in_force", False)
    assert decide(officer, venue, "suspended").status_code == 201
    refused(decide(officer, venue, "reinstated"), 409, "prerequisite-lacking")
    train(journal, venue, day(0))
    assert decide(officer, venue, "reinstated").status_code == 201


def test_only_an_active_venue_is_accredited(officer: Client, journal: Journal) -> None:
    prospect = add_pub(journal, "P1", VenueStatus.PROSPECT)
    train(journal, prospect, day(-5))
    award = decide(officer, prospect, "awarded", override_reason="Seen on the visit")
    refused(award, 409, "venue-not-active")
    refused(decide(officer, uuid4(), "applied"), 404, "not-found")


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("applied", {"on": "2199-01-01"}, "on", "no year of ours"),
    ("applied", {"on": "yesterday"}, "on", "no date"),
    ("applied", {"on": day(1)}, "on", "to come"),
    ("applied", {"reason": "Because"}, "reason", "an application has none"),
    ("applied", {"season_id": str(uuid4())}, "season_id", "a scheme without seasons"),
    ("suspended", {"reason": "  "}, "reason", "nothing but space"),
    ("suspended", {"reason": "a\x00b"}, "reason", "NUL"),
    ("refused", {"reason": "x" * 4001}, "reason", "too long"),
    ("assessed", {"findings": findings()[:-1]}, "findings", "a criterion is missing"),
    ("assessed", {"findings": [*findings(), *findings()]}, "findings.8.criterion", "twice"),
    (
        "assessed",
        {"findings": [*findings(), {"criterion": "bar", "met": True}]},
        "findings.8.criterion",
        "no criterion",
    ),
    ("assessed", {"findings": [findings()[0] | {"score": 5}]}, "findings.0.score", "no season"),
    ("assessed", {"findings": [{"criterion": "seat"}]}, "findings.0.met", "met or not?"),
    ("awarded", {"until": day(-1)}, "until", "before it begins"),
    ("awarded", {"grade": "commended"}, "grade", "a scheme without grades"),
    ("awarded", {"scheme": "womens_night_safety_charter", "until": day(9)}, "until", "no end"),
    ("awarded", {"scheme": "best_pub"}, "scheme", "no scheme"),
    ("promoted", {}, "body", "no kind"),
]


def test_bad_input_names_the_field(officer: Client, venue: UUID) -> None:
    for kind, more, field, why in BAD:
        errors = refused(decide(officer, venue, kind, **more), 422, "invalid")
        assert field in errors, (why, errors)


def test_decisions_of_one_day_follow_each_other(
    officer: Client, venue: UUID, journal: Journal
) -> None:
    train(journal, venue, day(-5))
    for kind, more in (
        ("applied", {}),
        ("assessed", {}),
        ("awarded", {}),
        ("withdrawn", {}),
        ("assessed", {"on": day(0)}),
        ("awarded", {"on": day(0)}),
    ):
        assert decide(officer, venue, kind, **more).status_code == 201, kind
    assert standing_of(officer, venue)["state"] == "in_force"
    assert windows(journal) == {venue: [True]}


def test_a_decision_of_the_past_must_leave_the_later_ones_standing(
    officer: Client, venue: UUID, journal: Journal
) -> None:
    train(journal, venue, day(-50))
    decide(officer, venue, "awarded", on=day(-40), override_reason="Seen on the visit")
    decide(officer, venue, "suspended", on=day(-10))
    errors = refused(
        decide(officer, venue, "withdrawn", on=day(-20)), 409, "later-decision-depends"
    )
    assert errors == {"kind": f"suspended on {day(-10)} would not stand"}
    assert decide(officer, venue, "applied", on=day(-20)).status_code == 201


def test_a_renewal_goes_on_and_never_ends_earlier(
    officer: Client, venue: UUID, journal: Journal
) -> None:
    train(journal, venue, day(-200))
    more = {"scheme": "ask_for_angela"}
    decide(officer, venue, "awarded", on=day(-150), until=day(500), **more)
    errors = refused(decide(officer, venue, "awarded", until=day(499), **more), 422, "invalid")
    assert errors == {"until": f"must not be before {day(500)}, the end of what is in force"}
    renewed = decide(officer, venue, "awarded", **more).json()
    assert renewed["until"] == day(500)
    assert renewed["certificate"].startswith("AFA-")


def test_certificates_are_numbered_by_scheme_and_year(officer: Client, journal: Journal) -> None:
    charter = "womens_night_safety_charter"
    made = [
        decide(officer, add_pub(journal, on), "awarded", charter, on=on).json()
        for on in ("2024-12-31", "2024-03-01", "2025-01-01")
    ]
    numbers = [award["certificate"] for award in made]
    assert numbers == ["WNSC-2024-0001", "WNSC-2024-0002", "WNSC-2025-0001"]
    assert void(officer, made[2]).status_code == 200
    pub = made[2]["venue_id"]
    again = decide(officer, pub, "awarded", charter, on="2025-01-01").json()
    assert again["certificate"] == "WNSC-2025-0002", "a number is never given twice"
    there = standing_of(officer, pub, charter, on="2025-06-01")
    assert (there["review_due"], "until" in there) == ("2026-01-01", False)


def test_voiding(officer: Client, venue: UUID, journal: Journal) -> None:
    train(journal, venue, day(-50))
    award = decide(officer, venue, "awarded", on=day(-40), override_reason="Seen there").json()
    suspension = decide(officer, venue, "suspended", on=day(-10)).json()

    path = f"/v1/admin/decisions/{award['id']}/void"
    refused(officer.post(path, json={"reason": "Oops"}), 428, "precondition-required")
    stale = officer.post(path, json={"reason": "Oops"}, headers={"If-Match": '"other"'})
    refused(stale, 412, "stale")
    errors = refused(void(officer, award), 409, "later-decision-depends")
    assert errors == {"kind": f"suspended on {day(-10)} would not stand"}

    voided = void(officer, suspension).json()
    assert voided["void_reason"] == "Wrong venue"
    refused(void(officer, suspension), 409, "already-void")
    assert windows(journal) == {venue: [True]}
    assert void(officer, award).status_code == 200
    assert windows(journal) == {}
    assert standing_of(officer, venue)["state"] == "none"
    earlier = (datetime.fromisoformat(voided["voided_at"]) - timedelta(microseconds=1)).isoformat()
    assert standing_of(officer, venue, known_at=earlier)["state"] == "suspended"
    assert officer.get("/v1/admin/accreditations").json()["items"] == []
    refused(officer.get(f"/v1/admin/decisions/{uuid4()}"), 404, "not-found")


def test_standing_on_a_day(officer: Client, venue: UUID) -> None:
    charter = "womens_night_safety_charter"
    decide(officer, venue, "applied", charter, on="2026-03-02")
    decide(officer, venue, "awarded", charter, on="2026-03-05")
    rows = [("2026-03-01", "none"), ("2026-03-02", "applied"), ("2026-03-05", "in_force")]
    assert [standing_of(officer, venue, charter, on=on)["state"] for on, _ in rows] == [
        state for _, state in rows
    ]
    answer = officer.get(f"/v1/admin/venues/{venue}/standing", params={"on": "2026-07-01"})
    assert answer.json()["at"] == "2026-07-01T22:59:59.999999Z"
    answer = officer.get(
        f"/v1/admin/venues/{venue}/standing", params={"known_at": "2098-01-01T00:00Z"}
    )
    refused(answer, 422, "invalid")
    refused(officer.get(f"/v1/admin/venues/{uuid4()}/standing"), 404, "not-found")


def test_a_create_is_made_once_for_its_key(officer: Client, venue: UUID) -> None:
    path = f"/v1/admin/venues/{venue}/decisions"
    asked = {"kind": "applied", "scheme": "safe_haven"}
    answers = [officer.post(path, json=asked, headers={"Idempotency-Key": "one"}) for _ in range(3)]
    assert len({(one.status_code, one.text) for one in answers}) == 1
    assert len(officer.get(path).json()["items"]) == 1
