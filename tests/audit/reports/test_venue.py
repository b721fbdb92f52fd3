"""A venue's audit sheet: as at a day, as known at an instant, each figure with its events."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.core.journal_chain import Entry
from app.core.london import effective
from app.outreach.models import (
    Debrief,
    Engagement,
    EngagementKind,
    Outcome,
    ProblemReport,
    ReportKind,
    ReportStep,
    Result,
    SchemeTest,
    SchemeTested,
    Step,
    StepDone,
)
from app.outreach.rules import days_to_resolve
from app.schemes.models import Decision
from app.schemes.registry import SchemeKey
from app.schemes.rules import Kind
from app.training.courses import StaffRole
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.kinds import Category
from app.venues.models import Business, Venue, VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of, store
from tests.conftest import SignIn
from tests.factories import make_ward

IN_MARCH = {"as_at": "2025-03-31"}


def sheet(client: httpx.Client, venue: Venue | UUID, **asked: Any) -> Any:
    answer = client.get(path(venue), params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def path(venue: Venue | UUID) -> str:
    return f"/v1/audit/venues/{venue.id if isinstance(venue, Venue) else venue}"


def rows(shown: Any, table: str, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of a table; None is what is absent."""
    return [tuple(row.get(name) for name in names) for row in shown[table]]


def trained(
    engine: Engine, venue: Venue, on: date, *counts: tuple[StaffRole, int, int], **details: Any
) -> list[Any]:
    """A training session and its attendances, as one list."""
    course = details.pop("course", "wave")
    session = add(engine, TrainingSession, on, course=course, **details)
    return [session] + [
        add(
            engine,
            Attendance,
            on,
            venue_id=venue.id,
            session_id=session.id,
            role=role,
            new_count=new,
            refresher_count=again,
            **details,
        )
        for role, new, again in counts
    ]


def ids(*events: Any) -> list[str]:
    return [str(event.id) for event in events]


def notes(engine: Engine) -> list[Any]:
    """What the journal holds of reads."""
    with Session(engine) as session:
        found = select(Entry).where(col(Entry.subject) == "test_results_read")
        entries = session.exec(found.order_by(col(Entry.number)))
        return [json.loads(entry.after or "") | {"actor": entry.actor} for entry in entries]


@pytest.fixture
def venue(engine: Engine) -> Venue:
    return add_venue(engine, reference="V-1", name="The Lantern")


# --- what there is ---------------------------------------------------------------------------


def test_a_venue_of_which_nothing_is_known(auditor: httpx.Client, venue: Venue) -> None:
    shown = sheet(auditor, venue, **IN_MARCH)
    (identity,) = shown["identity"]
    assert identity == {
        "venue_id": str(venue.id),
        "reference": "V-1",
        "name": "The Lantern",
        "hours_known": True,
    }
    assert rows(shown, "facts", "category", "status", "ward", "until") == [
        ("pub", "active", "outside the wards", None)
    ]
    assert {row["state"] for row in shown["standings"]} == {"none"}
    assert len(shown["standings"]) == 4
    assert {row["status"] for row in shown["training"]} == {"never"}
    assert len(shown["training"]) == 6
    empty = ("roles", "headcounts", "sessions", "tests", "engagements", "problems", "conditions")
    assert [shown[table] for table in empty] == [[]] * len(empty)
    assert rows(shown, "events", "kind") == [("venue_facts",)]


def test_before_anything_was_recorded_of_it(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine, date(2025, 4, 1))
    shown = sheet(auditor, venue, **IN_MARCH)
    assert (shown["facts"], shown["events"]) == ([], [])


def test_facts_since_when(auditor: httpx.Client, engine: Engine) -> None:
    ward = make_ward(engine, code="W-1", name="Aldgate")
    business = store(engine, Business(name="Lantern Inns"))
    venue = add_venue(engine, ward_id=ward.id, category=Category.BAR, business_id=business.id)
    same = change_facts(engine, venue, date(2024, 1, 1))
    licensed = change_facts(engine, venue, date(2024, 6, 1), licensed=True, refresh_months=6)
    change_facts(engine, venue, date(2024, 6, 1), licensed=False, known=date(2025, 3, 1))
    late = change_facts(
        engine, venue, date(2025, 2, 1), licensed=True, late_night=True, known=date(2025, 3, 2)
    )

    def facts(**asked: str) -> list[tuple[Any, ...]]:
        names = ("since", "until", "licensed", "late_night", "refresh_months")
        return rows(sheet(auditor, venue, **IN_MARCH, **asked), "facts", *names)

    assert facts(known_at=morning_of(date(2025, 2, 28))) == [
        ("2020-01-01T00:00:00Z", "2024-05-31T23:00:00Z", False, False, None),
        ("2024-05-31T23:00:00Z", None, True, False, 6),
    ]
    assert facts() == [
        ("2020-01-01T00:00:00Z", "2025-02-01T00:00:00Z", False, False, None),
        ("2025-02-01T00:00:00Z", None, True, True, None),
    ], "what was recorded last of one instant holds, and what changes nothing makes no row"
    shown = sheet(auditor, venue, **IN_MARCH)
    first, last = shown["facts"]
    assert (first["ward"], first["business"]) == ("Aldgate", "Lantern Inns")
    assert str(same.id) in first["sources"]
    assert str(licensed.id) not in first["sources"] + last["sources"]
    assert last["sources"] == ids(late)


def test_standings(auditor: httpx.Client, engine: Engine, venue: Venue) -> None:
    def decided(kind: Kind, on: date, **details: Any) -> Decision:
        scheme = {"venue_id": venue.id, "scheme": SchemeKey.SAFE_HAVEN}
        return add(engine, Decision, on, kind=kind, **scheme, **details)

    award = decided(
        Kind.AWARDED, date(2025, 1, 14), until=date(2026, 1, 13), certificate="SH-2025-0001"
    )
    mistake = decided(Kind.SUSPENDED, date(2025, 3, 3), voided=date(2025, 3, 20))
    late = decided(Kind.WITHDRAWN, date(2025, 3, 10), known=date(2025, 4, 5))

    def standing(**asked: str) -> Any:
        shown = sheet(auditor, venue, **IN_MARCH, **asked)
        return next(row for row in shown["standings"] if row["scheme"] == "safe_haven")

    assert standing(known_at=morning_of(date(2025, 4, 1))) == {
        "scheme": "safe_haven",
        "name": "Safe Haven",
        "state": "in_force",
        "since": "2025-01-14T00:00:00Z",
        "until": "2026-01-13",
        "certificate": "SH-2025-0001",
        "sources": ids(award),
    }
    then = standing(known_at=morning_of(date(2025, 3, 10)))
    assert (then["state"], then["sources"]) == ("suspended", ids(award, mistake))
    now = standing()
    assert (now["state"], now["sources"]) == ("withdrawn", ids(award, late))


def test_training(auditor: httpx.Client, engine: Engine, venue: Venue) -> None:
    bar, manager = StaffRole.BAR_STAFF, StaffRole.MANAGER
    first = trained(
        engine, venue, date(2024, 5, 1), (bar, 6, 0), (manager, 1, 0), place="Guildhall"
    )
    second = trained(engine, venue, date(2025, 2, 1), (bar, 4, 2))
    late = trained(engine, venue, date(2025, 3, 20), (bar, 3, 0), known=date(2025, 4, 5))
    trained(engine, venue, date(2025, 3, 1), (bar, 9, 0), voided=date(2025, 3, 2))
    other = add_venue(engine)
    trained(engine, other, date(2025, 3, 1), (bar, 9, 0))
    count = add(engine, Headcount, date(2025, 1, 1), venue_id=venue.id, staff=20, left=1)

    shown = sheet(auditor, venue, **IN_MARCH, known_at=morning_of(date(2025, 4, 1)))
    wave = next(row for row in shown["training"] if row["course"] == "wave")
    assert (wave["trained"], wave["headcount"], wave["coverage"]) == (10, 20, 0.5)
    assert (wave["status"], wave["rag"], wave["in_date_until"]) == (
        *("current", "amber", "2026-01-31"),
    )
    assert {*wave["sources"]} == {*ids(*first[1:], *second[1:], count)}
    assert rows(shown, "roles", "role", "new", "refresher", "last_on", "sources") == [
        ("manager", 1, 0, "2024-05-01", ids(first[2])),
        ("bar_staff", 10, 2, "2025-02-01", ids(first[1], second[1])),
    ]
    assert rows(shown, "headcounts", "on", "staff", "left", "sources") == [
        ("2025-01-01", 20, 1, ids(count))
    ]
    assert rows(shown, "sessions", "on", "course", "place", "new", "refresher") == [
        ("2024-05-01", "wave", "Guildhall", 7, 0),
        ("2025-02-01", "wave", None, 4, 2),
    ]
    # Attendances of one session were recorded together: they come in no order.
    assert {*shown["sessions"][0]["sources"]} == {*ids(*first)}
    now = sheet(auditor, venue, **IN_MARCH)
    assert next(r for r in now["training"] if r["course"] == "wave")["trained"] == 13
    assert rows(now, "sessions", "on")[-1] == ("2025-03-20",)
    assert str(late[1].id) in now["roles"][-1]["sources"]


def test_a_session_that_never_was_trained_nobody(
    auditor: httpx.Client, engine: Engine, venue: Venue
) -> None:
    session = add(engine, TrainingSession, date(2025, 3, 1), course="wave", voided=date(2025, 3, 9))
    add(
        engine,
        Attendance,
        date(2025, 3, 1),
        venue_id=venue.id,
        session_id=session.id,
        role=StaffRole.MANAGER,
        new_count=3,
        refresher_count=0,
    )
    shown = sheet(auditor, venue, **IN_MARCH)
    assert (shown["roles"], shown["sessions"]) == ([], [])
    assert rows(shown, "events", "kind", "void_reason")[1:] == [
        ("attendance", None),
        ("training_session", "Mistaken"),
    ]


def test_scheme_tests(auditor: httpx.Client, engine: Engine, venue: Venue) -> None:
    def made(result: Result, on: date, **details: Any) -> SchemeTest:
        of = {"venue_id": venue.id, "scheme": SchemeTested.ASK_FOR_ANGELA, "result": result}
        return add(engine, SchemeTest, on, **of, **details)

    failed = made(Result.FAILED, date(2025, 2, 3))
    debrief = add(engine, Debrief, date(2025, 2, 5), test_id=failed.id)
    again = made(Result.FAILED, date(2025, 2, 20), retest_of_id=failed.id)
    late = made(Result.PASSED, date(2025, 3, 10), retest_of_id=again.id, known=date(2025, 4, 5))
    names = ("on", "passed", "debriefed_on", "retest_on", "retest_passed")
    asks = ("retest_by", "retest_overdue", "sources")
    first = ("2025-02-03", False, "2025-02-05", "2025-02-20", False, None, None)
    sources = ids(failed, debrief, again)
    known = {"known_at": morning_of(date(2025, 4, 1))}
    assert rows(sheet(auditor, venue, **IN_MARCH, **known), "tests", *names, *asks) == [
        (*first, sources),
        ("2025-02-20", False, None, None, None, "2025-03-20", True, ids(again)),
    ]
    on_time = sheet(auditor, venue, as_at="2025-03-20", **known)["tests"][-1]
    assert on_time["retest_overdue"] is False
    assert rows(sheet(auditor, venue, **IN_MARCH), "tests", *names, *asks) == [
        (*first, sources),
        ("2025-02-20", False, None, "2025-03-10", True, None, None, ids(again, late)),
        ("2025-03-10", True, None, None, None, None, None, ids(late)),
    ]
    change_facts(engine, venue, date(2025, 3, 25), status=VenueStatus.CLOSED)
    closed = sheet(auditor, venue, **IN_MARCH, **known)["tests"][-1]
    assert "retest_by" not in closed, "nobody is there any more"


def test_engagements(auditor: httpx.Client, engine: Engine, venue: Venue) -> None:
    with_whom = {"venue_id": venue.id, "outcome": Outcome.INTERESTED, "kind": EngagementKind.CALL}
    step = {"next_step": "Send the dates", "next_step_on": date(2025, 3, 8)}
    call = add(engine, Engagement, date(2025, 3, 1), **with_whom, **step)
    done = add(engine, StepDone, date(2025, 3, 7), engagement_id=call.id, known=date(2025, 4, 5))
    names = ("on", "kind", "outcome", "next_step", "next_step_on", "done_on", "sources")
    told = ("2025-03-01", "call", "interested", "Send the dates", "2025-03-08")
    assert rows(sheet(auditor, venue, **IN_MARCH), "engagements", *names) == [
        (*told, "2025-03-07", ids(call, done))
    ]
    known = {"known_at": morning_of(date(2025, 4, 1))}
    assert rows(sheet(auditor, venue, **IN_MARCH, **known), "engagements", *names) == [
        (*told, None, ids(call))
    ]


def test_problem_reports(auditor: httpx.Client, engine: Engine, venue: Venue) -> None:
    end = effective(date(2025, 3, 2)) - timedelta(microseconds=1)
    report = add(
        engine,
        ProblemReport,
        date(2025, 3, 1),
        venue_id=venue.id,
        kind=ReportKind.CLOSED,
        comment="It was dark",
        effective_at=end,
        recorded_at=end,
        recorded_by="public",
    )
    junk = {"venue_id": venue.id, "kind": ReportKind.CLOSED, "set_apart": True}
    apart = add(engine, ProblemReport, date(2025, 3, 1), **junk)
    add(engine, ReportStep, date(2025, 3, 2), report_id=apart.id, step=Step.RESOLVED)
    taken = add(engine, ReportStep, date(2025, 3, 3), report_id=report.id, step=Step.TAKEN_UP)
    mistake = add(
        engine,
        ReportStep,
        date(2025, 3, 4),
        report_id=report.id,
        step=Step.RESOLVED,
        voided=date(2025, 3, 5),
    )
    solved = add(engine, ReportStep, date(2025, 3, 11), report_id=report.id, step=Step.RESOLVED)

    def problem(**asked: str) -> list[tuple[Any, ...]]:
        names = ("on", "kind", "state", "resolved_on", "days_to_resolve", "sources")
        shown = sheet(auditor, venue, **asked)
        assert "It was dark" not in json.dumps(shown), "what people wrote is not for reports"
        return rows(shown, "problems", *names)

    assert problem(as_at="2025-02-28") == []
    told = ("2025-03-01", "closed")
    assert problem(as_at="2025-03-01") == [(*told, "new", None, None, ids(report))]
    assert problem(as_at="2025-03-10") == [(*told, "acting", None, None, ids(report, taken))]
    known = {"known_at": morning_of(date(2025, 3, 4))}
    assert problem(as_at="2025-03-10", **known) == [
        (*told, "resolved", "2025-03-04", 3, ids(report, taken, mistake))
    ]
    assert problem(as_at="2025-03-31") == [
        (*told, "resolved", "2025-03-11", 10, ids(report, taken, solved))
    ]


def test_what_is_not_dated_is_today_s(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(
        engine,
        hours=None,
        address="1 Bishopsgate",
        postcode="EC2R 8AJ",
        premises_licence="007",
        last_checked=date(2025, 5, 1),
        conditions=[{"text": "All staff are trained", "since": "2024-05-01"}],
    )
    shown = sheet(auditor, venue, **IN_MARCH)
    (identity,) = shown["identity"]
    assert identity["hours_known"] is False
    assert (identity["premises_licence"], identity["last_checked"]) == ("007", "2025-05-01")
    assert shown["conditions"] == [{"text": "All staff are trained", "since": "2024-05-01"}]


def test_every_source_is_among_the_events(
    auditor: httpx.Client, engine: Engine, venue: Venue
) -> None:
    trained(engine, venue, date(2025, 2, 1), (StaffRole.BAR_STAFF, 4, 2))
    gone = trained(
        engine, venue, date(2025, 2, 2), (StaffRole.OTHER, 1, 0), voided=date(2025, 2, 3)
    )
    add(engine, Headcount, date(2025, 1, 1), venue_id=venue.id, staff=20, left=1)
    shown = sheet(auditor, venue, **IN_MARCH)
    tables = [table for table in shown.values() if isinstance(table, list)]
    sources = {id_ for table in tables for row in table for id_ in row.get("sources", ())}
    events = {row["id"]: row for row in shown["events"]}
    assert len(events) == len(shown["events"]), "each is told once"
    assert sources == events.keys() - {*ids(*gone)}
    voided = events[str(gone[0].id)]
    assert (voided["voided_by"], voided["void_reason"]) == ("test", "Mistaken")
    assert (voided["recorded_by"], voided["on"]) == ("account an.officer", "2025-02-02")
    # What was voided later was not known to be a mistake.
    known = sheet(auditor, venue, **IN_MARCH, known_at=morning_of(date(2025, 2, 2)))
    then = {row["id"]: row for row in known["events"]}
    assert "voided_at" not in then[str(gone[0].id)]


# --- who may, and that it is journalled ------------------------------------------------------


def test_each_read_is_journalled(
    auditor: httpx.Client, sign_in: SignIn, engine: Engine, venue: Venue
) -> None:
    before = datetime.now(UTC)
    sheet(auditor, venue, **IN_MARCH)
    (note,) = notes(engine)
    assert UUID(note["venue_id"]) == venue.id
    assert (note["venues"], note["report"], note["asked"]["as_at"]) == (
        *(1, "venue-sheet", "2025-03-31"),
    )
    assert note["actor"] == note["by"]
    assert datetime.fromisoformat(note["at"]) >= before
    sheet(auditor, venue)
    assert len(notes(engine)) == 2, "a second read is a second entry"
    assert sign_in("administrator").get(path(venue), params={"format": "xlsx"}).status_code == 200
    assert len(notes(engine)) == 3


def test_what_reveals_nothing_is_not(
    auditor: httpx.Client,
    sign_in: SignIn,
    anybody: httpx.Client,
    engine: Engine,
    venue: Venue,
) -> None:
    answers = [
        (anybody.get(path(venue)), 401),
        (sign_in("officer").get(path(venue)), 403),
        (auditor.get(path(uuid4())), 404),
        (auditor.get(path(venue), params={"known_at": "2019-12-31T23:59:59Z"}), 404),
        (auditor.get(path(venue), params={"as_at": "2999-01-01"}), 422),
        (auditor.get(path(venue), params={"ward": "W-1"}), 422),
        (auditor.get(path(venue), params={"format": "csv", "table": "nonsense"}), 422),
        (auditor.get("/v1/audit/venues/nonsense"), 422),
    ]
    assert [(answer.status_code, answer.text) for answer, status in answers] == [
        (status, answer.text) for answer, status in answers
    ]
    assert answers[3][0].json()["type"].endswith(":not-known-then")
    assert notes(engine) == []


def test_what_can_not_be_journalled_is_not_shown(
    app: FastAPI, auditor: httpx.Client, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> Iterator[Session]:
        raise OSError

    monkeypatch.setattr(app.state.journal, "writing", refuse)
    answer = auditor.get(path(venue))
    assert answer.status_code == 500
    assert "Lantern" not in answer.text


@pytest.mark.parametrize("table", [None, "tests", "events"], ids=str)
def test_as_a_file(auditor: httpx.Client, venue: Venue, table: str | None) -> None:
    asked = {"format": "csv"} | ({"table": table} if table else {})
    answer = auditor.get(path(venue), params=asked)
    assert answer.status_code == 200
    title = {None: "Venue id", "tests": "On", "events": "Event id"}[table]
    assert answer.content.decode("utf-8-sig").startswith(title)


# --- the rule --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resolved", "days"), [(date(2025, 3, 1), 0), (date(2025, 4, 1), 31)], ids=str
)
def test_days_to_resolve(resolved: date, days: int) -> None:
    assert days_to_resolve(date(2025, 3, 1), resolved) == days
