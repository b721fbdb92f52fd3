"""The quarterly pack over the real service: had again, proved, and explained when it differs."""

import logging
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session

from app.audit.frame import figures, question
from app.audit.frame.question import Filters
from app.audit.frame.report import tables
from app.audit.models import Pack
from app.audit.pack.differences import recorded_between
from app.audit.pack.pack import QuarterlyPack, compose, parameters
from app.audit.pack.quarters import Quarter
from app.audit.pack.sections import CHECKS, DATED
from app.audit.reports.coverage import coverage
from app.audit.reports.quality import quality
from app.core.db import connected, read_session
from app.core.journal_chain import Entry
from app.core.london import LONDON
from app.core.settings import Settings
from app.outreach.models import (
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
)
from app.training.courses import StaffRole
from app.training.models import Attendance, TrainingSession
from app.venues import osm_hours
from app.venues.models import Business, Venue, Ward
from tests.audit.records import add, add_venue, change_facts, morning_of
from tests.audit.reports.test_plan import add_need
from tests.conftest import SignIn
from tests.factories import award, make_ward

LIMITS = {"rag_green": 75, "rag_amber": 50, "due_days": 60, "retest_days": 28}
PREVIEW, PACKS = "/v1/audit/pack", "/v1/audit/packs"
Q1 = {"quarter": "2025-Q1"}
IN_QUARTER = date(2025, 3, 20)


def preview(client: httpx.Client, **asked: Any) -> Any:
    answer = client.get(PREVIEW, params=Q1 | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def issue(client: httpx.Client, **given: Any) -> str:
    """The path of a pack that is issued now."""
    answer = client.post(PACKS, json=Q1 | given)
    assert answer.status_code == 201, answer.text
    path: str = answer.headers["Location"]
    assert answer.json()["id"] == path.rsplit("/", 1)[1]
    return path


def read(client: httpx.Client, path: str, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def measures(pack: Any) -> dict[str, int]:
    return {row["measure"]: row["number"] for row in pack["activity"]}


def trained(engine: Engine, venue: Venue, on: date, new: int, **details: Any) -> TrainingSession:
    """A session of WAVE that bar staff of one venue attended."""
    known = {name: details.pop(name) for name in ("known", "voided") if name in details}
    made = add(engine, TrainingSession, on, course="wave", **known)
    counts = {"new_count": new, "refresher_count": details.get("refresher", 0)}
    where = {"session_id": made.id, "venue_id": venue.id, "role": StaffRole.BAR_STAFF}
    add(engine, Attendance, on, **where, **counts, known=known.get("known", on))
    return made


def session_in(client: httpx.Client, venue: Venue, on: date, new: int) -> str:
    """A session of WAVE that an officer records now; its id."""
    attendance = {"venue_id": str(venue.id), "role": "bar_staff", "new": new}
    given = {"course": "wave", "on": on.isoformat(), "attendances": [attendance]}
    answer = client.post("/v1/admin/training/sessions", json=given)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


@pytest.fixture
def officer(sign_in: SignIn) -> httpx.Client:
    return sign_in("officer")


# --- what was known when ---------------------------------------------------------------------


def test_what_is_recorded_late_changes_the_report_but_not_what_was_known(
    auditor: httpx.Client, engine: Engine
) -> None:
    venue = add_venue(engine)
    trained(engine, venue, IN_QUARTER, 12, known=date(2025, 4, 5))
    known_before = preview(auditor, known_at="2025-04-01T08:00:00Z")
    known_after = preview(auditor, known_at="2025-04-05T08:00:00Z")
    assert measures(known_before)["people"] == 0
    assert measures(known_after)["people"] == 12
    assert known_before["about"]["as_at"] == known_after["about"]["as_at"] == "2025-03-31"
    assert known_before["about"]["figures_hash"] != known_after["about"]["figures_hash"]
    assert preview(auditor)["about"]["figures_hash"] == known_after["about"]["figures_hash"]


def test_the_difference_names_the_session_that_was_recorded_late(
    auditor: httpx.Client, officer: httpx.Client, engine: Engine
) -> None:
    venue = add_venue(engine, reference="COL-7")
    path = issue(auditor)
    issued = auditor.get(path).content
    assert read(auditor, f"{path}/difference")["changes"] == []
    session = session_in(officer, venue, IN_QUARTER, 12)
    session_in(officer, venue, date(2025, 4, 1), 3)
    found = read(auditor, f"{path}/difference")
    assert found["explained"] is True
    assert {"figure": "training_courses/wave/new", "after": 12} in found["changes"]
    assert {"figure": "activity/people/number", "after": 12} in found["changes"]
    assert found["figures_hash"] != found["known_hash"]
    of_session, of_venue = sorted(found["events"], key=lambda event: -len(event["kind"]))
    assert (of_session["kind"], of_session["id"]) == ("training_session", session)
    assert (of_session["on"], of_session["details"]) == ("2025-03-20", {"course": "wave"})
    assert of_session["recorded_by"].startswith("account ")
    assert (of_venue["kind"], of_venue["part_of"]) == ("attendance", session)
    assert (of_venue["reference"], of_venue["details"]["new_count"]) == ("COL-7", 12)
    # What was issued is what it was.
    assert auditor.get(path).content == issued
    assert read(auditor, f"{path}/check")["as_issued"] is True
    # Between the issue and the recording there was nothing yet.
    before = of_session["recorded_at"].replace("Z", "+00:00")
    known_at = (datetime.fromisoformat(before) - timedelta(microseconds=1)).isoformat()
    assert read(auditor, f"{path}/difference", known_at=known_at)["events"] == []


def test_what_is_voided_later_is_named_with_the_reason(
    auditor: httpx.Client, officer: httpx.Client, engine: Engine
) -> None:
    venue = add_venue(engine)
    session = session_in(officer, venue, IN_QUARTER, 12)
    path = issue(auditor)
    at = f"/v1/admin/training/sessions/{session}"
    tag = {"If-Match": officer.get(at).headers["ETag"]}
    assert officer.post(f"{at}/void", json={"reason": "Wrong day"}, headers=tag).is_success
    found = read(auditor, f"{path}/difference")
    assert {"figure": "training_courses/wave/new", "before": 12} in found["changes"]
    (event,) = (event for event in found["events"] if event["kind"] == "training_session")
    assert (event["id"], event["void_reason"]) == (session, "Wrong day")
    assert event["voided_at"] > event["recorded_at"]
    assert read(auditor, f"{path}/check")["as_issued"] is True


def test_that_somebody_read_of_a_test_at_one_venue_is_journalled(
    auditor: httpx.Client, officer: httpx.Client, engine: Engine
) -> None:
    venue = add_venue(engine, reference="COL-7", ward_id=make_ward(engine, name="Aldgate").id)
    path = issue(auditor)
    given = {"venue_id": str(venue.id), "on": IN_QUARTER.isoformat(), "result": "failed"}
    assert officer.post("/v1/admin/scheme-tests", json=given).status_code == 201
    (tested,) = read(auditor, f"{path}/difference")["events"]
    assert (tested["kind"], tested["reference"]) == ("scheme_test", "COL-7")
    assert tested["details"] == {"scheme": "ask_for_angela"}
    with Session(engine) as session:
        (entry,) = session.scalars(
            sa.select(Entry).where(sa.column("subject") == "test_results_read")
        )
    assert str(venue.id) in (entry.after or "")
    assert "COL-7" not in auditor.get(PREVIEW, params=Q1).text


def test_a_paper_tells_on_no_venue(auditor: httpx.Client, engine: Engine) -> None:
    def tests_at(ward: str, venues: int) -> None:
        ward_id = make_ward(engine, code=f"W-{ward}", name=ward).id
        for _ in range(venues):
            venue = add_venue(engine, ward_id=ward_id)
            details = {"scheme": SchemeTested.ASK_FOR_ANGELA, "result": Result.FAILED}
            add(engine, SchemeTest, IN_QUARTER, venue_id=venue.id, **details)

    def shown(table: str) -> list[tuple[Any, ...]]:
        names = ("ward", "visited", "venues", "passed", "failed", "rate")
        return [tuple(row.get(name) for name in names) for row in preview(auditor)[table]]

    tests_at("Aldgate", 1)
    tests_at("Bishopsgate", 1)
    assert shown("tests") == [("In all", 2, 2, None, None, None)], "nor on one of two"
    few = "With few venues visited: Aldgate, Bishopsgate"
    assert shown("tests_wards") == [(few, 2, 2, None, None, None)]
    tests_at("Candlewick", 3)
    tests_at("Dowgate", 4)
    assert shown("tests") == [("In all", 9, 9, 0, 9, 0)]
    # Two venues together are too few still, and the total would give them away.
    assert shown("tests_wards") == [
        ("Dowgate", 4, 4, 0, 4, 0),
        (f"{few}, Candlewick", 5, 5, 0, 5, 0),
    ]


def test_a_quarter_that_is_not_over_is_reported_so_far(
    auditor: httpx.Client, officer: httpx.Client, engine: Engine
) -> None:
    today = datetime.now(LONDON).date()
    venue = add_venue(engine)
    session_in(officer, venue, today, 4)
    quarter = str(Quarter.at(today))
    path = issue(auditor, quarter=quarter)
    pack = read(auditor, path)
    assert (pack["about"]["so_far"], pack["about"]["as_at"]) == (True, today.isoformat())
    assert measures(pack)["people"] == 4
    session_in(officer, venue, today, 5)
    assert read(auditor, f"{path}/check")["as_issued"] is True
    assert preview(auditor, quarter=quarter)["about"]["so_far"] is True
    assert preview(auditor)["about"]["so_far"] is False


# --- issued and proved -----------------------------------------------------------------------


def test_it_can_be_had_again_whatever_came_later(
    auditor: httpx.Client, officer: httpx.Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward, other = make_ward(engine, code="W-1", name="Aldgate"), make_ward(engine)
    venue = add_venue(engine, ward_id=ward.id)
    elsewhere = add_venue(engine, ward_id=other.id)
    session_in(officer, venue, IN_QUARTER, 12)
    session_in(officer, elsewhere, IN_QUARTER, 5)
    headcount = {"on": "2025-03-01", "staff": 15, "left": 0}
    assert officer.post(f"/v1/admin/venues/{venue.id}/headcounts", json=headcount).is_success
    path = issue(auditor, ward=["W-1"])
    as_issued = read(auditor, path)
    assert measures(as_issued)["people"] == 12
    (wave,) = (row for row in as_issued["coverage_courses"] if row["course"] == "wave")
    assert (wave["trained"], wave["headcount"], wave["rag"]) == (12, 15, "green")
    # Later: more events, other names, another ward, other thresholds, a new ward of that code.
    session_in(officer, venue, IN_QUARTER, 9)
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.update(Venue).values(name="Another name", hours=None))
        connection.execute(sa.update(Ward).values(name="Renamed"))
        connection.execute(sa.update(Ward).where(sa.column("code") == "W-1").values(code="W-9"))
    change_facts(engine, venue, date(2025, 2, 1), ward_id=other.id, recorded_at=datetime.now(UTC))
    given = Settings(environment="demo", rag_green=99, rag_amber=98)
    monkeypatch.setattr(question, "settings", lambda: given)
    found = read(auditor, f"{path}/check")
    assert found["as_issued"] is True, found
    assert found["figures_hash"] == found["made_again_hash"] == found["stored_hash"]
    assert found["changes"] == []
    assert read(auditor, path) == as_issued
    assert as_issued["about"]["limits"]["rag_green"] == 75
    assert preview(auditor)["about"]["limits"]["rag_green"] == 99
    # As known now the same quarter is another, and by the pack's own limits.
    later = read(auditor, f"{path}/difference")
    assert later["explained"] is True
    assert {"figure": "activity/people/number", "before": 12} in later["changes"]


@pytest.mark.parametrize(
    ("tampered", "faults"),
    [
        pytest.param(
            lambda pack: {"document": pack["document"].replace('"people"', '"peoples"')},
            {"document", "journal"},
            id="a-figure",
        ),
        pytest.param(
            lambda pack: {"document": pack["document"].replace("People trained", "People paid")},
            {"journal"},
            id="a-label",
        ),
        pytest.param(
            lambda _: {"document": "{}"}, {"document", "journal"}, id="the-whole-document"
        ),
        pytest.param(lambda _: {"hash": "0" * 64}, {"again", "document", "journal"}, id="the-hash"),
        pytest.param(
            lambda pack: {"known_at": pack["known_at"] + timedelta(days=1)},
            {"journal"},
            id="what-was-known",
        ),
        pytest.param(
            lambda pack: {
                "parameters": pack["parameters"] | {"limits": {**LIMITS, "rag_green": 1}}
            },
            {"again", "document", "journal"},
            id="a-threshold",
        ),
    ],
)
def test_what_was_tampered_with_is_noticed(
    auditor: httpx.Client,
    engine: Engine,
    caplog: pytest.LogCaptureFixture,
    tampered: Any,
    faults: set[str],
) -> None:
    venue = add_venue(engine)
    trained(engine, venue, IN_QUARTER, 12)
    path = issue(auditor)
    assert read(auditor, f"{path}/check")["as_issued"] is True
    table = Pack.__table__  # type: ignore[attr-defined]
    with engine.execution_options(writes=True).begin() as connection:
        (stored,) = connection.execute(sa.select(table)).mappings()
        connection.execute(sa.update(table).values(**tampered(stored)))
    caplog.set_level(logging.ERROR)
    found = read(auditor, f"{path}/check")
    assert found["as_issued"] is False
    said = {"again": "worked out again", "document": "stored document", "journal": "journal says"}
    assert {
        name for name, words in said.items() if any(words in fault for fault in found["faults"])
    } == faults
    assert sum(path.rsplit("/", 1)[1] in record.message for record in caplog.records) == len(faults)


def test_asked_twice_with_one_key_it_is_issued_once(auditor: httpx.Client) -> None:
    key = {"Idempotency-Key": "spring"}
    first, again = (auditor.post(PACKS, json=Q1, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = auditor.post(PACKS, json={"quarter": "2024-Q4"}, headers=key)
    assert other.json()["type"].endswith("idempotency-key-reused")
    assert len(read(auditor, PACKS)["items"]) == 1


def test_packs_are_listed_newest_first(auditor: httpx.Client) -> None:
    paths = [issue(auditor, quarter=f"2024-Q{number}") for number in (1, 2, 3)]
    first = read(auditor, PACKS, limit=2)
    rest = read(auditor, PACKS, limit=2, after=first["next"])
    listed = [*first["items"], *rest["items"]]
    assert [f"{PACKS}/{pack['id']}" for pack in listed] == paths[::-1]
    assert "next" not in rest
    assert [pack["quarter"] for pack in listed] == ["2024-Q3", "2024-Q2", "2024-Q1"]
    assert listed[0]["figures_hash"] == read(auditor, paths[2])["about"]["figures_hash"]
    assert (listed[0]["first"], listed[0]["last"]) == ("2024-07-01", "2024-09-30")
    assert listed[0]["issued_by"].startswith("account ")


def test_issuing_is_journalled_with_all_it_says(auditor: httpx.Client, engine: Engine) -> None:
    path = issue(auditor)
    with Session(engine) as session:
        (entry,) = session.scalars(sa.select(Entry).where(sa.column("subject") == "pack"))
    assert (entry.before, entry.subject_id) == (None, path.rsplit("/", 1)[1])
    assert "figures_hash" in (entry.after or "")
    assert read(auditor, path)["about"]["journal_entry"] == entry.number - 1


# --- who may, and bad input ------------------------------------------------------------------


def test_only_auditors_issue_and_read(sign_in: SignIn, anybody: httpx.Client) -> None:
    officer, administrator = sign_in("officer"), sign_in("administrator")
    path = issue(administrator)
    for client, status in ((officer, 403), (anybody, 401)):
        assert client.post(PACKS, json=Q1).status_code == status
        for at in (PREVIEW, PACKS, path, f"{path}/check", f"{path}/difference"):
            assert client.get(at, params=Q1).status_code == status, at


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "quarter"),
        ({"quarter": "2025-Q5"}, "quarter"),
        ({"quarter": "2025Q1"}, "quarter"),
        ({"quarter": "٢٠٢٥-Q1"}, "quarter"),
        ({"quarter": "1999-Q4"}, "quarter"),
        ({"quarter": "2098-Q1"}, "quarter"),
        (Q1 | {"known_at": "2024-12-31T23:59:59Z"}, "known_at"),
        (Q1 | {"known_at": "2090-01-01T00:00:00Z"}, "known_at"),
        (Q1 | {"known_at": "2025-04-01T00:00:00"}, "known_at"),
        (Q1 | {"ward": "W-nowhere"}, "ward"),
        (Q1 | {"business": str(uuid4())}, "business"),
        (Q1 | {"category": "castle"}, "category.0"),
        (Q1 | {"format": "csv"}, "format"),
        (Q1 | {"as_at": "2025-03-31"}, "as_at"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_makes_no_sense_is_refused(
    asking: httpx.Client, asked: dict[str, str], field: str
) -> None:
    answer = asking.get(PREVIEW, params=asked)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_what_makes_no_sense_is_not_issued(auditor: httpx.Client) -> None:
    for given in (
        {},
        {"quarter": 2025},
        {"quarter": "2098-Q1"},
        Q1 | {"known_at": "2025-04-01T00:00:00Z"},
        Q1 | {"ward": ["W-nowhere"]},
        Q1 | {"ward": None},
    ):
        assert auditor.post(PACKS, json=given).status_code == 422, given
    assert read(auditor, PACKS) == {"items": []}
    path = issue(auditor)
    for known_at in ("2025-01-01T00:00:00Z", "2090-01-01T00:00:00Z", "yesterday"):
        found = auditor.get(f"{path}/difference", params={"known_at": known_at})
        assert found.status_code == 422, known_at
    for at in ("", "/check", "/difference"):
        assert auditor.get(f"{PACKS}/{uuid4()}{at}").status_code == 404


def test_on_an_empty_register(auditor: httpx.Client) -> None:
    pack = preview(auditor, quarter="2000-Q1", ward=[], late_night="true")
    assert set(measures(pack).values()) == {0}
    assert pack["activity_wards"] == pack["coverage_wards"] == pack["venues_won"] == []
    assert pack["about"]["filters"] == ["late night: yes"]
    for form in ("html", "pdf", "xlsx"):
        assert auditor.get(PREVIEW, params=Q1 | {"format": form}).status_code == 200


# --- what the figures are ---------------------------------------------------------------------


def test_activity_counts_whatever_the_status(auditor: httpx.Client, engine: Engine) -> None:
    ward = make_ward(engine, code="W-1", name="Aldgate")
    with engine.execution_options(writes=True).begin() as connection:
        business = uuid4()
        named = {"id": business, "name": "Mitre Inns", "folded_name": "mitre inns", "notes": ""}
        connection.execute(sa.insert(Business), named | {"closed_reason": ""})
    prospect = add_venue(engine, status="prospect", ward_id=ward.id, business_id=business)
    # Registered after the quarter: what it is first known as counts.
    later = add_venue(engine, date(2025, 6, 1), late_night=True, licensed=True)
    for venue, kind in ((prospect, "visit"), (prospect, "call"), (later, "visit")):
        made = {"kind": EngagementKind(kind), "outcome": Outcome.OTHER}
        about = {"venue_id": venue.id, "business_id": venue.business_id}
        add(engine, Engagement, IN_QUARTER, **about, **made)
    whole = {"kind": EngagementKind.EMAIL, "outcome": Outcome.OTHER, "business_id": business}
    add(engine, Engagement, IN_QUARTER, **whole)
    add(engine, Engagement, date(2024, 12, 31), **whole)
    add(engine, Engagement, IN_QUARTER, **whole, voided=date(2025, 3, 25))
    trained(engine, later, date(2025, 3, 31), 4, refresher=2)
    pack = preview(auditor)
    assert measures(pack) == {
        "businesses": 2,
        "engagements": 4,
        "sessions": 1,
        "venues_trained": 1,
        "people": 6,
        "new": 4,
        "refresher": 2,
    }
    (businesses, *_) = pack["activity"]
    assert (businesses["before"], businesses["change"]) == (1, 1)
    kinds = {row["sort"]: (row["engagements"], row["all"]) for row in pack["engagement_kinds"]}
    assert kinds == {"visit": (2, 4), "call": (1, 4), "email": (1, 4), "event": (0, 4)}
    assert [
        (row["ward"], row["engagements"], row["businesses"], row["people"])
        for row in pack["activity_wards"]
    ] == [
        ("Aldgate", 2, 1, 0),
        ("businesses as a whole", 1, 1, 0),
        ("outside the wards", 1, 1, 6),
    ]
    # With a business as a whole counts where it runs a venue that is asked for.
    assert measures(preview(auditor, ward="W-1"))["engagements"] == 3
    assert measures(preview(auditor, business=str(business)))["engagements"] == 3
    late = measures(preview(auditor, late_night="true"))
    assert (late["engagements"], late["people"], late["businesses"]) == (1, 6, 1)


def test_problem_reports_and_how_fast_they_were_resolved(
    auditor: httpx.Client, engine: Engine
) -> None:
    venue = add_venue(engine)

    def reported(on: date, resolved: date | None = None, **step: Any) -> None:
        # It counts as known at the end of its day.
        kind = {"kind": ReportKind.CLOSED, "venue_id": venue.id}
        report = add(engine, ProblemReport, on, **kind, known=on + timedelta(days=1))
        if resolved:
            add(engine, ReportStep, resolved, report_id=report.id, step=Step.RESOLVED, **step)

    reported(date(2024, 12, 1), date(2024, 12, 30))
    reported(date(2024, 12, 30), date(2025, 1, 9))
    reported(date(2024, 12, 31))
    for days in (0, 1, 2):
        reported(IN_QUARTER, IN_QUARTER + timedelta(days=days))
    reported(IN_QUARTER, date(2025, 4, 1))
    reported(IN_QUARTER, date(2025, 3, 21), voided=date(2025, 3, 22))
    reported(IN_QUARTER, date(2025, 3, 21), known=date(2025, 4, 20))
    junk = {"kind": ReportKind.CLOSED, "venue_id": venue.id, "set_apart": True}
    add(engine, ProblemReport, IN_QUARTER, **junk)
    asked = {"known_at": morning_of(date(2025, 4, 10))}
    (closed, *others) = preview(auditor, **asked)["problem_reports"]
    assert closed == {
        "kind": "closed",
        "title": "Closed",
        "open_before": 2,
        "reported": 6,
        "resolved": 4,
        "open": 4,
        "median_days": 1.5,
        "ninety_days": 10,
    }
    assert all(row["reported"] == 0 and "median_days" not in row for row in others)


# --- two years of work -----------------------------------------------------------------------


def made(session: Session, quarter: str, known_at: datetime, **chosen: Any) -> QuarterlyPack:
    what, instant = parameters(session, quarter, Filters(**chosen), known_at, known_at)
    return compose(session, what, instant)


QUARTERS = [("2024-Q1", "2024-04-01T09:00Z"), ("2024-Q3", "2024-08-20T12:30Z")]


@pytest.mark.parametrize(("quarter", "known"), QUARTERS, ids=[name for name, _ in QUARTERS])
def test_it_agrees_with_the_other_reports(history_url: str, quarter: str, known: str) -> None:
    known_at = datetime.fromisoformat(known)
    with connected(history_url) as engine, read_session(engine) as session:
        pack = made(session, quarter, known_at)
        what, _ = parameters(session, quarter, Filters(), known_at, known_at)
        view = what.view(known_at)
        covered = coverage(session, view)
        checks = {row.check: (row.found, row.of) for row in quality(session, view, CHECKS).checks}
    assert [(row.course, row.trained, row.headcount, row.rag) for row in pack.coverage_courses] == [
        (row.course, row.trained, row.headcount, row.rag) for row in covered.courses
    ]
    assert {
        (row.code, row.course): (row.trained, row.headcount) for row in pack.coverage_wards
    } == {
        (row.group, row.course): (row.trained, row.headcount)
        for row in covered.courses_by
        if row.by == "ward" and row.venues
    }
    for standing, there in zip(pack.schemes, covered.schemes, strict=True):
        assert (standing.active, standing.venues) == (there.in_force, there.venues)
        assert standing.before + standing.won - standing.lost == standing.in_force
    assert len(pack.venues_won) == sum(row.won for row in pack.schemes)
    assert len(pack.venues_lost) == sum(row.lost for row in pack.schemes)
    for row in pack.problem_reports:
        assert row.open_before + row.reported == row.resolved + row.open
    assert sum(row.visited for row in pack.tests_wards) == pack.tests[0].visited > 0
    assert {
        row.check: (row.found, row.of) for row in (*pack.quality, *pack.quality_as_issued)
    } == checks


def test_what_judges_by_today_is_no_part_of_the_hash(history_url: str) -> None:
    with connected(history_url) as engine, read_session(engine) as session:
        what, _ = parameters(session, "2024-Q3", Filters(), None, datetime(2024, 10, 1, tzinfo=UTC))
        checks = quality(session, what.view(datetime(2024, 10, 1, tzinfo=UTC)), CHECKS).checks
    assert {row.check for row in checks if "today" not in row.judged_by} == {*DATED}


def test_the_quarter_before_is_what_it_was(history_url: str) -> None:
    known_at = datetime(2025, 4, 2, tzinfo=UTC)
    with connected(history_url) as engine, read_session(engine) as session:
        now, before = (made(session, quarter, known_at) for quarter in ("2024-Q4", "2024-Q3"))
    for name in ("activity", "engagement_kinds", "engagement_outcomes"):
        rows = zip(getattr(now, name), getattr(before, name), strict=True)
        for row, was in rows:
            value = "number" if name == "activity" else "engagements"
            assert row.before == getattr(was, value)
    for row, was in zip(now.coverage_courses, before.coverage_courses, strict=True):
        assert (row.trained_before, row.coverage_before) == (was.trained, was.coverage)
    assert [row.before for row in now.schemes] == [row.in_force for row in before.schemes]


def test_every_figure_has_a_name_of_its_own(history_url: str) -> None:
    with connected(history_url) as engine, read_session(engine) as session:
        pack = made(session, "2024-Q4", datetime(2025, 4, 2, tzinfo=UTC))
    names = [
        name
        for table in tables(pack)
        for row in table.rows
        for name in figures.figures(pack.model_copy(update={**EMPTY, table.name: [row]}))
    ]
    found = figures.figures(pack)
    assert sorted(names) == sorted(found)
    assert len(found) > 500
    labels = {row.ward for row in pack.activity_wards} | {row.venue for row in pack.venues_won}
    assert labels.isdisjoint(map(str, found.values()))
    assert not any(name.startswith("quality_as_issued/") for name in found)
    again = QuarterlyPack.model_validate_json(pack.model_dump_json(exclude_none=True))
    assert figures.figures(again) == found


EMPTY: dict[str, Any] = {name: [] for name in QuarterlyPack.model_fields if name != "about"}


@pytest.mark.parametrize(
    "chosen",
    [Filters(), Filters(late_night=True, ward=["W03", "W11"])],
    ids=["all", "late-night-in-two-wards"],
)
def test_what_changed_is_always_explained(history_url: str, chosen: Filters) -> None:
    instants = [datetime(2024, 10, 1, 9, tzinfo=UTC) + timedelta(days=days) for days in (0, 1, 99)]
    with connected(history_url) as engine, read_session(engine) as session:
        what, _ = parameters(session, "2024-Q3", chosen, instants[0], instants[-1])
        packs = [figures.figures(compose(session, what, instant)) for instant in instants]
        for was, now in pairwise(range(len(instants))):
            events = recorded_between(session, what.view(instants[was]), what.view(instants[now]))
            assert bool(events) or not figures.changes(packs[was], packs[now])
            for event in events:
                told = {event.recorded_at, event.voided_at or event.recorded_at}
                assert any(instants[was] < at <= instants[now] for at in told)
    assert packs[0] != packs[-1]


def test_it_tells_of_coverage_by_night_and_keeps_that_as_it_was(
    auditor: httpx.Client, engine: Engine
) -> None:
    add_need(engine, (0, "Fr 22:00-02:00"))
    venue = add_venue(engine, hours=osm_hours.parse("Fr 20:00-24:00"), licensed=True)
    award(engine, venue.id, date(2025, 1, 1), None)
    night = read(auditor, "/v1/audit/night", as_at="2026-03-31")
    path = issue(auditor, quarter="2026-Q1")
    pack = read(auditor, path)
    assert pack["night"] == night["totals"]
    totals = {(row["of"], row["hours"]): row for row in pack["night"]}
    assert totals["need", "nights"]["five"] == 0.5
    assert totals["licensed", "nights"]["five"] == pytest.approx(4 / 84)
    assert pack["night_sources"] == night["need"]
    assert set(night["about"]["sources"]) <= set(pack["about"]["sources"])
    assert preview(auditor, quarter="2026-Q1")["night"] == pack["night"]
    # What is recorded later changes neither it nor the proof.
    assert read(auditor, f"{path}/check")["as_issued"]
    assert "An open door near" in auditor.get(path, params={"format": "html"}).text
