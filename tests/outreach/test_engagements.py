"""Engagements over HTTP: what is logged, whom the officer owes a call, and the figures."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, insert
from sqlmodel import Session

from app.core.london import LONDON, effective
from app.outreach.models import Engagement, EngagementKind, Outcome
from app.venues.models import Business
from tests.conftest import SignIn
from tests.factories import make_venue

ENGAGEMENTS = "/v1/admin/engagements"
NEXT_STEPS = "/v1/admin/next-steps"
FIGURES = "/v1/admin/outreach/figures"


def add_business(engine: Engine, name: str) -> UUID:
    id_ = uuid4()
    values = {
        "id": id_,
        "name": name,
        "folded_name": name.lower(),
        "notes": "",
        "closed_reason": "",
    }
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(Business.__table__), values)  # type: ignore[attr-defined]
    return id_


def logged(officer: httpx.Client, **given: Any) -> Any:
    usual = {"on": "2025-03-14", "kind": "call", "outcome": "interested"}
    body = {name: str(v) if isinstance(v, UUID) else v for name, v in (usual | given).items()}
    answer = officer.post(ENGAGEMENTS, json=body)
    assert answer.status_code == 201, answer.text
    assert officer.get(answer.headers["Location"]).json() == answer.json()
    return answer.json()


def open_steps(officer: httpx.Client, **asked: Any) -> list[str]:
    answer = officer.get(NEXT_STEPS, params=asked)
    assert answer.status_code == 200, answer.text
    return [item["next_step"] for item in answer.json()["items"]]


def voided(officer: httpx.Client, path: str, of: str | None = None) -> Any:
    etag = officer.get(of or path).headers["ETag"]
    answer = officer.post(
        f"{path}/void", json={"reason": "Wrong venue"}, headers={"If-Match": etag}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def step(text: str, on: str = "2025-03-21") -> dict[str, str]:
    return {"next_step": text, "next_step_on": on}


def test_a_contact_with_a_venue_is_one_with_whoever_runs_it(
    officer: httpx.Client, engine: Engine
) -> None:
    ales = add_business(engine, "Ales Ltd")
    venue = make_venue(engine, name="The Lantern", business_id=ales)
    found = logged(officer, venue_id=venue.id, kind="visit", note=" Met  Sam\r\nat the bar ")
    assert found["venue"] == {"id": str(venue.id), "name": "The Lantern"}
    assert found["business"] == {"id": str(ales), "name": "Ales Ltd"}
    assert found["note"] == "Met  Sam\nat the bar"
    assert found["recorded_by"].startswith("account ")
    assert "next_step" not in found
    assert "voided" not in found
    alone = logged(officer, business_id=ales)
    assert "venue" not in alone
    of_nobody = logged(officer, venue_id=make_venue(engine).id)
    assert "business" not in of_nobody


def test_what_cannot_be_is_refused(officer: httpx.Client, engine: Engine) -> None:
    ales, beers = add_business(engine, "Ales Ltd"), add_business(engine, "Beers Ltd")
    venue = str(make_venue(engine, business_id=ales).id)
    tomorrow = (datetime.now(LONDON) + timedelta(days=1)).date().isoformat()
    fine = {"venue_id": venue, "on": "2025-03-14", "kind": "call", "outcome": "interested"}
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"venue_id": None}, "body", "with nobody"),
        ({"venue_id": str(uuid4())}, "venue_id", "an unknown venue"),
        ({"business_id": str(uuid4())}, "business_id", "an unknown business"),
        ({"business_id": str(beers)}, "venue_id", "a venue that another business runs"),
        ({"on": tomorrow}, "on", "still to come"),
        ({"on": "1999-12-31"}, "on", "before anything was"),
        ({"kind": "letter"}, "kind", "no such kind"),
        ({"outcome": "great"}, "outcome", "no such outcome"),
        ({"next_step": "Call again"}, "body", "a step without its day"),
        ({"next_step_on": "2025-03-21"}, "body", "a day without its step"),
        (step("Call again", "2025-03-13"), "next_step_on", "a step before the contact"),
        ({"note": "x" * 4001}, "note", "too long"),
        ({"note": "\x00"}, "note", "a control character"),
        ({"next_step": "\x07 bell", "next_step_on": "2025-03-21"}, "next_step", "a bell"),
        ({"trainee": "Sam"}, "trainee", "an unknown field"),
    ]
    for change, field, reason in cases:
        answer = officer.post(ENGAGEMENTS, json=fine | change)
        assert answer.status_code == 422, reason
        assert [error["field"] for error in answer.json()["errors"]] == [field], reason
    assert officer.get(ENGAGEMENTS).json() == {"items": []}
    assert officer.get(f"{ENGAGEMENTS}/{uuid4()}").status_code == 404


def test_whom_do_i_owe_a_call(officer: httpx.Client, engine: Engine) -> None:
    first, second = make_venue(engine).id, make_venue(engine).id
    logged(officer, venue_id=first, **step("Call Sam", "2025-03-21"))
    logged(officer, venue_id=second, **step("Send the poster", "2025-03-18"))
    logged(officer, venue_id=make_venue(engine).id)
    assert open_steps(officer) == ["Send the poster", "Call Sam"]
    assert open_steps(officer, due_by="2025-03-20") == ["Send the poster"]
    assert open_steps(officer, due_by="2025-03-17") == []
    assert open_steps(officer, venue_id=str(first)) == ["Call Sam"]
    page = officer.get(NEXT_STEPS, params={"limit": 1}).json()
    assert open_steps(officer, after=page["next"]) == ["Call Sam"]


def test_a_later_engagement_says_what_comes_next(officer: httpx.Client, engine: Engine) -> None:
    ales = add_business(engine, "Ales Ltd")
    venue = make_venue(engine, business_id=ales).id
    other = make_venue(engine, business_id=ales).id
    logged(officer, venue_id=venue, on="2025-03-14", **step("Call Sam"))
    logged(officer, business_id=ales, on="2025-03-14", **step("Write to head office"))
    logged(officer, venue_id=other, on="2025-03-13")
    assert sorted(open_steps(officer)) == ["Call Sam", "Write to head office"], "an earlier one"
    logged(officer, venue_id=other, on="2025-03-15")
    assert open_steps(officer) == ["Call Sam"], "a visit to one of its venues is one to a business"
    later = logged(officer, venue_id=venue, on="2025-03-14", **step("Visit at night"))
    assert open_steps(officer) == ["Visit at night"], "recorded later, of the same day"
    voided(officer, f"{ENGAGEMENTS}/{later['id']}")
    assert open_steps(officer) == ["Call Sam"], "what never was takes the place of nothing"


def test_a_next_step_is_said_to_be_done(officer: httpx.Client, engine: Engine) -> None:
    found = logged(officer, venue_id=make_venue(engine).id, **step("Call Sam"))
    path = f"{ENGAGEMENTS}/{found['id']}"
    done = {"on": "2025-03-20", "note": "Rang; all well"}
    early = officer.post(f"{path}/done", json={"on": "2025-03-13"})
    assert early.status_code == 422, "before it was agreed"
    answer = officer.post(f"{path}/done", json=done)
    assert answer.status_code == 201, answer.text
    assert open_steps(officer) == []
    assert officer.get(path).json()["done"]["note"] == "Rang; all well"
    assert officer.post(f"{path}/done", json=done).status_code == 409, "once is enough"
    voided(officer, f"{path}/done", path)
    assert open_steps(officer) == ["Call Sam"]
    voided(officer, path)
    assert open_steps(officer) == []
    assert officer.post(f"{path}/done", json=done).status_code == 409, "nothing is left to do"
    without = logged(officer, venue_id=make_venue(engine).id)
    answer = officer.post(f"{ENGAGEMENTS}/{without['id']}/done", json=done)
    assert answer.json()["type"] == "urn:safe-havens:problem:no-next-step"
    assert officer.post(f"{ENGAGEMENTS}/{uuid4()}/done", json=done).status_code == 404


def test_a_mistake_is_voided_and_stays_to_be_seen(officer: httpx.Client, engine: Engine) -> None:
    found = logged(officer, venue_id=make_venue(engine).id)
    path = f"{ENGAGEMENTS}/{found['id']}"
    assert voided(officer, path)["voided"]["reason"] == "Wrong venue"
    assert officer.get(ENGAGEMENTS).json()["items"] == []
    assert len(officer.get(ENGAGEMENTS, params={"voided": True}).json()["items"]) == 1
    etag = officer.get(path).headers["ETag"]
    again = officer.post(f"{path}/void", json={"reason": "Twice"}, headers={"If-Match": etag})
    assert again.status_code == 409
    assert officer.post(f"{path}/void", json={"reason": "Unseen"}).status_code == 428


def test_engagements_are_listed_newest_first_and_filtered(
    officer: httpx.Client, engine: Engine
) -> None:
    ales = add_business(engine, "Ales Ltd")
    venue = make_venue(engine, business_id=ales).id
    for on, kind in (("2025-03-01", "visit"), ("2025-03-31", "call"), ("2025-03-30", "visit")):
        logged(officer, venue_id=venue, on=on, kind=kind)
    logged(officer, venue_id=make_venue(engine).id, on="2025-04-01", outcome="no_answer")

    def days(**asked: Any) -> list[str]:
        answer = officer.get(ENGAGEMENTS, params=asked)
        assert answer.status_code == 200, answer.text
        return [item["on"] for item in answer.json()["items"]]

    assert days() == ["2025-04-01", "2025-03-31", "2025-03-30", "2025-03-01"]
    assert days(venue_id=str(venue), kind="visit") == ["2025-03-30", "2025-03-01"]
    assert days(business_id=str(ales), limit=1) == ["2025-03-31"]
    assert days(outcome="no_answer") == ["2025-04-01"]
    assert days(**{"from": "2025-03-30", "until": "2025-03-31"}) == ["2025-03-31", "2025-03-30"]
    for wrong in ({"from": "2025-04-01", "until": "2025-03-01"}, {"kind": "x"}, {"colour": "red"}):
        assert officer.get(ENGAGEMENTS, params=wrong).status_code == 422


def test_380_businesses_engaged_between_october_2023_and_april_2025(
    officer: httpx.Client, app: FastAPI, engine: Engine
) -> None:
    chance = Random(20250430)
    businesses = [Business(name=f"Business {n}") for n in range(400)]
    first, last = date(2023, 10, 1), date(2025, 4, 30)
    kinds = dict.fromkeys(EngagementKind, 0)

    def engagement(business: Business, on: date, kind: EngagementKind) -> Engagement:
        return Engagement(
            business_id=business.id, kind=kind, outcome=Outcome.INTERESTED,
            effective_at=effective(on), recorded_at=datetime.now(UTC), recorded_by="test",
        )  # fmt: skip

    with app.state.journal.writing("test") as session:
        session.add_all(businesses)
        session.flush()
        for n, business in enumerate(businesses[:380]):
            edge = [first] if n == 0 else [last] if n == 1 else []
            drawn = [first + timedelta(days=chance.randrange(578)) for _ in range(n % 4 + 1)]
            for on in edge or drawn:
                kind = chance.choice(list(EngagementKind))
                kinds[kind] += 1
                session.add(engagement(business, on, kind))
        for business in businesses[380:]:
            session.add(engagement(business, first - timedelta(days=1), EngagementKind.VISIT))
            session.add(engagement(business, last + timedelta(days=1), EngagementKind.VISIT))
    answer = officer.get(FIGURES, params={"from": "2023-10-01", "until": "2025-04-30"})
    assert answer.json() == {
        "from": "2023-10-01",
        "until": "2025-04-30",
        "businesses_engaged": 380,
        "engagements": sum(kinds.values()),
        "by_kind": [{"kind": kind, "engagements": number} for kind, number in kinds.items()],
    }


def test_figures_as_known_then(officer: httpx.Client, engine: Engine) -> None:
    def figures(**asked: str) -> tuple[int, int]:
        period = {"from": "2025-03-01", "until": "2025-03-31"}
        answer = officer.get(FIGURES, params=period | asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["businesses_engaged"], answer.json()["engagements"]

    venue = make_venue(engine).id
    one = logged(officer, venue_id=venue)
    two = logged(officer, venue_id=make_venue(engine, business_id=add_business(engine, "B")).id)
    logged(officer, venue_id=venue, on="2025-03-15")
    assert figures() == (2, 3), "a venue of no known business is one business"
    voided(officer, f"{ENGAGEMENTS}/{two['id']}")
    assert figures() == (1, 2)
    assert figures(known_at=one["recorded_at"]) == (1, 1)
    void_at = officer.get(f"{ENGAGEMENTS}/{two['id']}").json()["voided"]["at"]
    before = datetime.fromisoformat(void_at) - timedelta(microseconds=1)
    assert figures(known_at=before.isoformat()) == (2, 3), "as a paper printed then said"
    assert figures(known_at=void_at) == (1, 2)


@pytest.mark.parametrize("known_at", ["0001-01-01T00:00:00+23:59", "2025-01-01T00:00:00", "x"])
def test_an_instant_has_an_offset_and_lies_in_our_time(
    officer: httpx.Client, known_at: str
) -> None:
    asked = {"from": "2025-03-01", "until": "2025-03-31", "known_at": known_at}
    answer = officer.get(FIGURES, params=asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["known_at"]


def test_only_officers_record_and_everybody_in_the_register_reads(
    sign_in: SignIn, anybody: httpx.Client, engine: Engine
) -> None:
    body = {
        "venue_id": str(make_venue(engine).id),
        "on": "2025-03-14",
        "kind": "call",
        "outcome": "interested",
    }
    for role in ("licensing", "administrator"):
        assert sign_in(role).post(ENGAGEMENTS, json=body).status_code == 403
        assert sign_in(role).get(ENGAGEMENTS).status_code == 200
    assert anybody.post(ENGAGEMENTS, json=body).status_code == 401
    assert anybody.get(NEXT_STEPS).status_code == 401


def test_the_database_wants_a_step_and_its_day_together(app: FastAPI, engine: Engine) -> None:
    venue = make_venue(engine)

    def bad(session: Session) -> None:
        session.add(
            Engagement(
                venue_id=venue.id, kind=EngagementKind.CALL, outcome=Outcome.OTHER,
                next_step="Call", effective_at=datetime.now(UTC),
                recorded_at=datetime.now(UTC), recorded_by="test",
            )
        )  # fmt: skip
        session.flush()

    with app.state.journal.writing("test") as session:
        with pytest.raises(Exception, match="engagement_next_step"):
            bad(session)
        session.rollback()
