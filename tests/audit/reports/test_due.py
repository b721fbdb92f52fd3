"""What lapses soon and what has lapsed: a work list as at a day, as known at an instant."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.audit.reports.due import Bucket, bucket
from app.core.journal_chain import Entry
from app.outreach.models import Result, SchemeTest, SchemeTested
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.training.courses import CourseKey, StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.models import Venue, VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of
from tests.conftest import SignIn
from tests.factories import make_ward

AS_AT = {"as_at": "2025-03-31"}


def day(text: str) -> date:
    return date.fromisoformat(text)


def award(engine: Engine, venue: Venue, on: str, until: str | None, **details: Any) -> Decision:
    usual = {"venue_id": venue.id, "scheme": SchemeKey.SAFE_HAVEN, "kind": "awarded"}
    last = day(until) if until else None
    return add(engine, Decision, day(on), until=last, **usual | details)


def train(engine: Engine, venue: Venue, on: str, new: int = 2, **details: Any) -> None:
    course = details.pop("course", CourseKey.WAVE)
    session = add(engine, TrainingSession, day(on), course=course, **details)
    add(
        engine,
        Attendance,
        day(on),
        session_id=session.id,
        venue_id=venue.id,
        role=StaffRole.BAR_STAFF,
        new_count=new,
        refresher_count=0,
        **details,
    )


def fail(engine: Engine, venue: Venue, on: str, **details: Any) -> SchemeTest:
    usual = {"scheme": SchemeTested.ASK_FOR_ANGELA, "result": Result.FAILED}
    return add(engine, SchemeTest, day(on), venue_id=venue.id, **usual | details)


def read(auditor: httpx.Client, **asked: Any) -> Any:
    answer = auditor.get("/v1/audit/due", params=AS_AT | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def items(shown: Any, table: str = "items") -> list[tuple[Any, ...]]:
    return [
        (row["kind"], row["of"], row["reference"], row["bucket"], row.get("on"))
        for row in shown[table]
    ]


def counts(shown: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    """What there is to do: overdue, within 30, 60 and 90 days, later."""
    found = {(row["kind"], row["of"]): tuple(row[one] for one in Bucket) for row in shown["counts"]}
    return {sort: numbers for sort, numbers in found.items() if any(numbers)}


def test_an_empty_register(auditor: httpx.Client) -> None:
    shown = read(auditor)
    assert (shown["items"], shown["retests"], counts(shown)) == ([], [], {})
    assert len(shown["counts"]) == len(SchemeKey) + 1 + len(CourseKey) + 1


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-1, Bucket.OVERDUE),
        (0, Bucket.WITHIN_30),
        (30, Bucket.WITHIN_30),
        (31, Bucket.WITHIN_60),
        (60, Bucket.WITHIN_60),
        (61, Bucket.WITHIN_90),
        (90, Bucket.WITHIN_90),
        (91, Bucket.LATER),
    ],
)
def test_buckets(days: int, expected: Bucket) -> None:
    assert bucket(days) is expected


def test_accreditations(auditor: httpx.Client, engine: Engine) -> None:
    ward = make_ward(engine, name="Bishopsgate")
    for until in ("03-30", "03-31", "04-30", "05-30", "06-29", "06-30"):
        venue = add_venue(engine, reference=until, ward_id=ward.id)
        award(engine, venue, "2023-06-01", f"2025-{until}", certificate=f"SH-{until}")
    award(engine, add_venue(engine, reference="no end"), "2023-06-01", None)
    shown = read(auditor)
    assert [row[2:] for row in items(shown)] == [
        ("03-30", "overdue", "2025-03-30"),
        ("03-31", "within_30", "2025-03-31"),
        ("04-30", "within_30", "2025-04-30"),
        ("05-30", "within_60", "2025-05-30"),
        ("06-29", "within_90", "2025-06-29"),
    ]
    first = shown["items"][0]
    assert first["days"] == -1
    assert (first["title"], first["ward"]) == ("Safe Haven", "Bishopsgate")
    assert first["certificate"] == "SH-03-30"
    assert counts(shown) == {("accreditation", "safe_haven"): (1, 2, 1, 1, 0)}
    later = read(auditor, days=366)
    assert [row[2] for row in items(later)][-1] == "06-30"
    assert counts(later) == {("accreditation", "safe_haven"): (1, 2, 1, 1, 1)}
    assert [row[2] for row in items(read(auditor, days=1))] == ["03-30", "03-31"]


def test_what_lapsed_leaves_the_list_after_a_year(auditor: httpx.Client, engine: Engine) -> None:
    award(engine, add_venue(engine), "2023-06-01", "2024-04-01")
    train(engine, add_venue(engine), "2023-04-02")
    assert len(items(read(auditor))) == 2
    assert items(read(auditor, as_at="2025-04-01")) == []


def test_what_has_been_decided_since(auditor: httpx.Client, engine: Engine) -> None:
    for reference, *decisions in (
        ("renewed", "awarded 2025-02-01"),
        ("renewed early", "awarded 2024-11-01"),
        ("applied", "applied 2025-02-01"),
        ("applied as it ended", "applied 2025-01-01"),
        ("assessed", "applied 2025-02-01", "assessed 2025-03-01"),
        ("refused", "applied 2025-02-01", "refused 2025-03-01"),
        ("withdrawn", "withdrawn 2024-12-01"),
        ("withdrew", "applied 2025-02-01", "withdrawn 2025-03-01"),
        ("suspended", "suspended 2024-12-01"),
        ("nothing",),
    ):
        venue = add_venue(engine, reference=reference)
        award(engine, venue, "2024-01-01", "2024-12-31")
        for kind, on in map(str.split, decisions):
            award(engine, venue, on, "2026-01-31" if kind == "awarded" else None, kind=kind)
    shown = read(auditor)
    assert {row["reference"]: row.get("note") for row in shown["items"]} == {
        "applied": "renewal applied for",
        "applied as it ended": "renewal applied for",
        "assessed": "renewal assessed",
        "suspended": None,
        "nothing": None,
    }
    assert {row["on"] for row in shown["items"]} == {"2024-12-31"}
    before = read(auditor, as_at="2024-12-15")
    assert {row["reference"]: row.get("note") for row in before["items"]} == {
        "applied": None,
        "applied as it ended": None,
        "assessed": None,
        "refused": None,
        "renewed": None,
        "withdrew": None,
        "suspended": "suspended",
        "nothing": None,
    }


def test_reviews_of_the_charter(auditor: httpx.Client, engine: Engine) -> None:
    charter = {"scheme": SchemeKey.WOMENS_NIGHT_SAFETY_CHARTER}
    for on in ("2022-01-10", "2024-03-31", "2024-06-29", "2024-06-30"):
        award(engine, add_venue(engine, reference=on), on, None, **charter)
    shown = read(auditor)
    assert [row[0] for row in items(shown)] == ["review"] * 3
    assert [row[2:] for row in items(shown)] == [
        ("2022-01-10", "overdue", "2023-01-10"),
        ("2024-03-31", "within_30", "2025-03-31"),
        ("2024-06-29", "within_90", "2025-06-29"),
    ]
    assert counts(shown) == {("review", "womens_night_safety_charter"): (1, 1, 0, 1, 0)}


def test_training(auditor: httpx.Client, engine: Engine) -> None:
    for on in ("2023-03-31", "2024-03-31", "2024-04-01", "2024-06-29", "2024-06-30", "2024-07-01"):
        train(engine, add_venue(engine, reference=on), on)
    often = add_venue(engine, reference="every 6 months", refresh_months=6)
    train(engine, often, "2024-10-01")
    shown = read(auditor)
    assert [row[2:] for row in items(shown)] == [
        ("2024-03-31", "overdue", "2025-03-30"),
        ("2024-04-01", "within_30", "2025-03-31"),
        ("every 6 months", "within_30", "2025-03-31"),
        ("2024-06-29", "within_90", "2025-06-28"),
        ("2024-06-30", "within_90", "2025-06-29"),
    ]
    assert {row[:2] for row in items(shown)} == {("training", "wave")}
    assert shown["items"][0]["title"] == "Welfare And Vulnerability Engagement (WAVE)"


def test_training_that_left_with_the_staff(auditor: httpx.Client, engine: Engine) -> None:
    gone = add_venue(engine, reference="gone")
    train(engine, gone, "2024-12-01", new=2)
    add(engine, Headcount, day("2025-02-01"), venue_id=gone.id, staff=5, left=2)
    some = add_venue(engine, reference="some")
    train(engine, some, "2024-04-10", new=2)
    train(engine, some, "2024-12-01", new=1)
    add(engine, Headcount, day("2025-02-01"), venue_id=some.id, staff=5, left=1)
    shown = read(auditor)
    assert [row[2:] for row in items(shown)] == [
        ("gone", "overdue", None),
        ("some", "within_30", "2025-04-09"),
    ]
    assert shown["items"][0]["note"] == "those trained have left"
    assert "days" not in shown["items"][0]


def test_only_active_venues_that_are_asked_about(auditor: httpx.Client, engine: Engine) -> None:
    old, new = (make_ward(engine, code=code) for code in ("W-OLD", "W-NEW"))
    venue = add_venue(engine, ward_id=old.id)
    change_facts(engine, venue, day("2025-03-01"), ward_id=new.id)
    closed = add_venue(engine)
    change_facts(engine, closed, day("2025-03-01"), status=VenueStatus.CLOSED)
    for one in (venue, closed):
        award(engine, one, "2024-04-01", "2025-03-31")
        train(engine, one, "2024-04-01")
        fail(engine, one, "2025-02-20")
    assert len(items(read(auditor))) == 2
    assert len(items(read(auditor), "retests")) == 1
    assert len(items(read(auditor, ward="W-NEW"))) == 2
    elsewhere = read(auditor, ward="W-OLD")
    assert (elsewhere["items"], elsewhere["retests"]) == ([], [])
    assert len(items(read(auditor, as_at="2025-02-28"))) == 4


def test_what_was_recorded_late_or_voided(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine)
    award(engine, venue, "2024-04-11", "2025-04-10", voided=day("2025-04-05"))
    award(engine, venue, "2025-03-20", "2026-03-19", known=day("2025-04-05"))
    train(engine, venue, "2024-04-20")
    train(engine, venue, "2025-03-20", known=day("2025-04-05"))

    def known(text: str) -> list[Any]:
        return [row[4] for row in items(read(auditor, known_at=morning_of(day(text))))]

    assert known("2025-04-01") == ["2025-04-10", "2025-04-19"]
    assert known("2025-04-05") == []


# --- retests ---------------------------------------------------------------------------------


def notes(engine: Engine) -> list[Any]:
    with Session(engine) as session:
        found = select(Entry).where(col(Entry.subject) == "test_results_read")
        entries = session.exec(found.order_by(col(Entry.number)))
        return [json.loads(entry.after or "") for entry in entries]


def test_retests(auditor: httpx.Client, engine: Engine) -> None:
    for on in ("2023-01-10", "2025-03-02", "2025-03-03"):
        fail(engine, add_venue(engine, reference=on), on)
    done = fail(engine, add_venue(engine), "2025-02-01")
    venue = {"venue_id": done.venue_id, "scheme": done.scheme}
    passed = {"result": Result.PASSED, "retest_of_id": done.id}
    add(engine, SchemeTest, day("2025-02-20"), **venue | passed)
    shown = read(auditor)
    assert shown["items"] == []
    assert [row[2:] for row in items(shown, "retests")] == [
        ("2023-01-10", "overdue", "2023-02-07"),
        ("2025-03-02", "overdue", "2025-03-30"),
        ("2025-03-03", "within_30", "2025-03-31"),
    ]
    assert counts(shown) == {("retest", "ask_for_angela"): (2, 1, 0, 0, 0)}


def test_that_retests_were_read_is_journalled(
    auditor: httpx.Client, sign_in: SignIn, engine: Engine
) -> None:
    venue = add_venue(engine)
    award(engine, venue, "2024-04-11", "2025-04-10")
    read(auditor)
    assert notes(engine) == [], "no test is shown"
    fail(engine, venue, "2025-03-02")
    for table in ("", "counts", "items"):
        asked = AS_AT | {"format": "csv"} | ({"table": table} if table else {})
        assert auditor.get("/v1/audit/due", params=asked).status_code == 200
    assert notes(engine) == [], "a table without retests shows none"
    read(auditor, days=60)
    (note,) = notes(engine)
    assert (note["report"], note["venues"], UUID(note["venue_id"])) == ("due", 1, venue.id)
    assert note["asked"]["days"] == 60
    for asked in ({"format": "xlsx"}, {"format": "csv", "table": "retests"}):
        assert auditor.get("/v1/audit/due", params=AS_AT | asked).status_code == 200
    assert len(notes(engine)) == 3
    assert sign_in("officer").get("/v1/audit/due").status_code == 403
    assert len(notes(engine)) == 3


def test_what_can_not_be_asked(auditor: httpx.Client) -> None:
    for asked in ({"days": "0"}, {"days": "367"}, {"days": "x"}, {"day": "30"}):
        answer = auditor.get("/v1/audit/due", params=asked)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [next(iter(asked))]
