"""Scheme tests over HTTP: what happened, what it asks for, and how it went by ward."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine

from app.core.london import LONDON
from app.venues.models import Venue, VenueStatus
from tests.audit.records import add_venue
from tests.conftest import SignIn
from tests.factories import make_venue, make_ward

TESTS = "/v1/admin/scheme-tests"
PERIOD = {"from": "2025-01-01", "until": "2025-12-31"}


def recorded(officer: httpx.Client, venue: UUID, result: str, on: str, **given: Any) -> Any:
    body = {"venue_id": str(venue), "result": result, "on": on, **given}
    answer = officer.post(TESTS, json=body)
    assert answer.status_code == 201, answer.text
    assert officer.get(answer.headers["Location"]).json() == answer.json()
    return answer.json()


def retests(officer: httpx.Client, **asked: Any) -> list[tuple[str, str, bool]]:
    answer = officer.get(f"{TESTS}/retests", params=asked)
    assert answer.status_code == 200, answer.text
    return [
        (item["test"]["on"], item["retest_by"], item["overdue"]) for item in answer.json()["items"]
    ]


def voided(officer: httpx.Client, path: str, of: str | None = None) -> None:
    etag = officer.get(of or path).headers["ETag"]
    answer = officer.post(f"{path}/void", json={"reason": "Mistaken"}, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text


def days_ago(days: int) -> str:
    return (datetime.now(LONDON).date() - timedelta(days=days)).isoformat()


def test_a_failed_test_asks_for_a_debrief_and_a_retest(
    officer: httpx.Client, engine: Engine
) -> None:
    ward = make_ward(engine, name="Bishopsgate")
    venue = make_venue(engine, name="The Lantern", ward_id=ward.id).id
    failed = recorded(officer, venue, "failed", "2025-03-14", note="Nobody knew Angela")
    assert failed["venue"] == {"id": str(venue), "name": "The Lantern", "ward": "Bishopsgate"}
    assert (failed["scheme"], failed["retest_by"]) == ("ask_for_angela", "2025-04-11")
    passed = recorded(officer, make_venue(engine).id, "passed", "2025-03-14")
    assert "retest_by" not in passed
    assert retests(officer) == [("2025-03-14", "2025-04-11", True)]

    path = f"{TESTS}/{failed['id']}"
    answer = officer.post(f"{path}/debrief", json={"on": "2025-03-18", "note": "New staff"})
    assert answer.status_code == 201, answer.text
    assert officer.get(path).json()["debrief"]["note"] == "New staff"
    assert len(retests(officer)) == 1, "a talk is no retest"
    retest = recorded(officer, venue, "passed", "2025-04-10")
    assert retest["retest_of"] == failed["id"], "where a retest is owed, the next test is it"
    assert officer.get(path).json()["retest"] == retest["id"]
    assert retests(officer) == []
    voided(officer, f"{TESTS}/{retest['id']}")
    assert len(retests(officer)) == 1, "a retest that never was"
    voided(officer, path)
    assert retests(officer) == [], "a failure that never was"


def test_which_retests_are_due_and_which_overdue(
    officer: httpx.Client, app: FastAPI, engine: Engine
) -> None:
    for days in (29, 28, 0):
        recorded(officer, make_venue(engine).id, "failed", days_ago(days))
    assert [overdue for *_, overdue in retests(officer)] == [True, False, False]
    assert [on for on, *_ in retests(officer, overdue=True)] == [days_ago(29)]
    page = officer.get(f"{TESTS}/retests", params={"limit": 2}).json()
    assert [on for on, *_ in retests(officer, after=page["next"])] == [days_ago(0)]
    shut = make_venue(engine).id
    recorded(officer, shut, "failed", days_ago(40))
    with app.state.journal.writing("test") as session:
        session.get_one(Venue, shut).status = VenueStatus.CLOSED
    assert len(retests(officer)) == 3, "nobody asks at a shut door"


def test_a_retest_that_fails_asks_for_its_own(officer: httpx.Client, engine: Engine) -> None:
    venue = make_venue(engine).id
    first = recorded(officer, venue, "failed", "2025-03-01")
    second = recorded(officer, venue, "failed", "2025-03-20", retest_of=first["id"])
    assert [on for on, *_ in retests(officer)] == ["2025-03-20"]
    body = {"venue_id": str(venue), "result": "passed", "on": "2025-04-01"}
    again = officer.post(TESTS, json=body | {"retest_of": first["id"]})
    assert again.status_code == 409
    assert again.json()["type"] == "urn:safe-havens:problem:retested-already"
    third = recorded(officer, venue, "passed", "2025-04-01")
    assert third["retest_of"] == second["id"]
    assert retests(officer) == []


def test_an_earlier_test_is_no_retest(officer: httpx.Client, engine: Engine) -> None:
    venue = make_venue(engine).id
    recorded(officer, venue, "failed", "2025-03-14")
    earlier = recorded(officer, venue, "passed", "2025-03-13")
    assert "retest_of" not in earlier
    assert len(retests(officer)) == 1


def test_what_cannot_be_is_refused(officer: httpx.Client, engine: Engine) -> None:
    venue, other = make_venue(engine).id, make_venue(engine).id
    elsewhere = recorded(officer, other, "failed", "2025-03-01")["id"]
    passed = recorded(officer, venue, "passed", "2025-03-01")["id"]
    fine = {"venue_id": str(venue), "result": "failed", "on": "2025-03-14"}
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"venue_id": str(uuid4())}, "venue_id", "an unknown venue"),
        ({"on": days_ago(-1)}, "on", "still to come"),
        ({"result": "unclear"}, "result", "passed or failed"),
        ({"scheme": "safety_thirst"}, "scheme", "nobody asks for that"),
        ({"retest_of": str(uuid4())}, "retest_of", "of a test that nobody knows"),
        ({"retest_of": elsewhere}, "retest_of", "of another venue's test"),
        ({"retest_of": passed}, "retest_of", "of a test that went well"),
        ({"debrief_on": "2025-03-13"}, "body", "a debrief before the test"),
        ({"debrief_on": "2025-03-18", "result": "passed"}, "body", "a debrief of success"),
    ]
    for change, field, reason in cases:
        answer = officer.post(TESTS, json=fine | change)
        assert answer.status_code == 422, reason
        assert [error["field"] for error in answer.json()["errors"]] == [field], reason
    debrief = {"on": "2025-03-18"}
    assert officer.post(f"{TESTS}/{passed}/debrief", json=debrief).status_code == 409
    assert officer.post(f"{TESTS}/{uuid4()}/debrief", json=debrief).status_code == 404
    early = officer.post(f"{TESTS}/{elsewhere}/debrief", json={"on": "2025-02-28"})
    assert early.status_code == 422, "before the test"


def test_a_debrief_is_held_once_unless_it_was_recorded_by_mistake(
    officer: httpx.Client, engine: Engine
) -> None:
    failed = recorded(
        officer, make_venue(engine).id, "failed", "2025-03-14", debrief_on="2025-03-18"
    )
    path = f"{TESTS}/{failed['id']}"
    assert failed["debrief_on"] == "2025-03-18"
    assert "debrief" not in failed, "arranged is not held"
    for status in (201, 409):
        answer = officer.post(f"{path}/debrief", json={"on": "2025-03-18"})
        assert answer.status_code == status
    voided(officer, f"{path}/debrief", path)
    assert "debrief" not in officer.get(path).json()
    assert officer.post(f"{path}/debrief", json={"on": "2025-03-19"}).status_code == 201


def test_tests_are_listed_newest_first_and_filtered(officer: httpx.Client, engine: Engine) -> None:
    venue = make_venue(engine).id
    recorded(officer, venue, "failed", "2025-03-01")
    recorded(officer, venue, "passed", "2025-03-20")
    mistake = recorded(officer, make_venue(engine).id, "passed", "2025-04-01")
    voided(officer, f"{TESTS}/{mistake['id']}")

    def days(**asked: Any) -> list[str]:
        return [item["on"] for item in officer.get(TESTS, params=asked).json()["items"]]

    assert days() == ["2025-03-20", "2025-03-01"]
    assert days(voided=True) == ["2025-04-01", "2025-03-20", "2025-03-01"]
    assert days(result="failed") == ["2025-03-01"]
    assert days(venue_id=str(uuid4())) == []
    assert days(**{"from": "2025-03-02"}) == ["2025-03-20"]
    assert days(until="2025-03-01") == ["2025-03-01"]
    assert days(scheme="ask_for_angela", limit=1) == ["2025-03-20"]


def test_figures_by_ward(officer: httpx.Client, engine: Engine) -> None:
    assert officer.get(f"{TESTS}/figures", params=PERIOD).json() == PERIOD | {
        "visited": 0,
        "passed": 0,
        "wards": [],
    }
    aldgate, tower = make_ward(engine, name="Aldgate"), make_ward(engine, name="Tower")
    for ward, results in ((tower, "ppf"), (aldgate, "f"), (None, "p")):
        for result in results:
            venue = add_venue(engine, ward_id=ward.id if ward else None).id
            recorded(officer, venue, {"p": "passed", "f": "failed"}[result], "2025-06-01")
    outside = add_venue(engine, ward_id=tower.id).id
    recorded(officer, outside, "passed", "2024-12-31")
    mistake = recorded(officer, outside, "passed", "2025-01-01")
    before = mistake["recorded_at"]
    voided(officer, f"{TESTS}/{mistake['id']}")
    figures = officer.get(f"{TESTS}/figures", params=PERIOD).json()
    assert figures == PERIOD | {
        "visited": 5,
        "passed": 3,
        "rate": 0.6,
        "wards": [
            {"ward": "Aldgate", "visited": 1, "passed": 0, "rate": 0.0},
            {"ward": "Tower", "visited": 3, "passed": 2, "rate": 0.667},
            {"visited": 1, "passed": 1, "rate": 1.0},
        ],
    }
    known = officer.get(f"{TESTS}/figures", params=PERIOD | {"known_at": before}).json()
    assert (known["visited"], known["passed"]) == (6, 4), "as a paper printed then said"


def test_nobody_but_the_register_sees_how_a_venue_did(
    sign_in: SignIn, anybody: httpx.Client, officer: httpx.Client, engine: Engine
) -> None:
    failed = recorded(officer, make_venue(engine).id, "failed", "2025-03-14")
    for path in ("", "/retests", "/figures?from=2025-01-01&until=2025-12-31", f"/{failed['id']}"):
        assert anybody.get(TESTS + path).status_code == 401
        assert sign_in("licensing").get(TESTS + path).status_code == 200
    answer = sign_in("licensing").post(f"{TESTS}/{failed['id']}/debrief", json={"on": "2025-03-18"})
    assert answer.status_code == 403
