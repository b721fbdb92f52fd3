"""Sheets in and out: nothing twice, nothing by halves, and all of it again elsewhere."""

import csv
import io
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from sqlmodel import select

from app.core.db import read_session
from app.core.events import void
from app.core.journal import Journal, now
from app.outreach.models import Engagement, StepDone
from app.schemes.models import Accreditation, Decision
from app.schemes.season_schemas import SeasonIn
from app.schemes.seasons import add_season
from app.sheets.cells import write_rows
from app.sheets.files import EVENT_SHEETS, SHEETS, SheetName, export_sheet, import_sheet, template
from app.sheets.import_report import BadCell, ImportRejected, ImportReport
from app.training.evidence import evidence
from app.training.models import Attendance, Headcount, TrainingSession
from app.venues.models import Business, Venue, VenueStatus

Rows = list[dict[str, Any]]
MET = "water;electricity;connection;phone_charging;seat;toilet;trained_staff_on_duty;suitability"

VENUES: Rows = [
    {
        "reference": reference,
        "name": name,
        "category": "pub",
        "business": business,
        "latitude": 51.5136,
        "longitude": -0.0922,
        "phone": "+44 20 7946 0001",
        "opening_hours": "Mo-Fr 11:00-23:00; PH off; 2027 Dec 24 11:00-15:00",
    }
    for reference, name, business in (
        ("V-1", "=The Lantern", "Lantern Inns Ltd"),
        ("V-2", "'-Quoted'", ""),
    )
]
ATTENDANCE: Rows = [
    {"on": "2025-03-14", "course": course, "venue": venue, "role": role, "new": new, **more}
    for course, venue, role, new, more in (
        ("ask_for_angela", "V-1", "bar_staff", 12, {"place": "Guildhall", "note": "one\ntwo"}),
        ("ask_for_angela", "V-2", "bar_staff", 2, {"place": "Guildhall", "note": "one\ntwo"}),
        ("ask_for_angela", "V-1", "manager", 0, {"refresher": 1, "place": "Elsewhere"}),
        ("wave", "V-1", "manager", 1, {}),
        ("wave", "V-1", "manager", 1, {"session": 2}),
        ("wave", "V-2", "other", 3, {"session": 2}),
    )
]
HEADCOUNTS: Rows = [
    {"on": "2025-03-01", "venue": "V-1", "staff": 20, "left": 0},
    {"on": "2025-03-01", "venue": "V-2", "staff": 20, "left": 0},
    {"on": "2025-10-26", "venue": "V-2", "staff": 4, "left": 2},
]
HAVEN = {"venue": "V-1", "scheme": "safe_haven"}
THIRST = {"venue": "V-2", "scheme": "safety_thirst", "season": 2025}
DECISIONS: Rows = [
    {**HAVEN, "on": "2025-12-01", "kind": "awarded", "override_reason": "Visited in June"},
    {**HAVEN, "on": "2025-06-20", "kind": "reinstated"},
    {**HAVEN, "on": "2025-06-02", "kind": "suspended", "reason": "-Failed\n\na test"},
    {**HAVEN, "on": "2025-03-20", "kind": "awarded", "until": "2026-01-31"},
    {
        **HAVEN,
        "on": "2025-03-20",
        "kind": "assessed",
        "met": MET,
        "notes": "seat: two\n  \n  indented\nwater: = a jug",
    },
    {**HAVEN, "on": "2025-03-01", "kind": "applied"},
    {"venue": "V-1", "scheme": "ask_for_angela", "on": "2025-04-01", "kind": "awarded"},
    {
        "venue": "V-1",
        "scheme": "womens_night_safety_charter",
        "on": "2025-03-08",
        "kind": "awarded",
    },
    {
        **THIRST,
        "on": "2025-05-01",
        "kind": "assessed",
        "met": "public_safety",
        "not_met": "drink_spiking",
        "scores": "public_safety=80;drink_spiking=35",
    },
    {
        **THIRST,
        "on": "2025-07-01",
        "kind": "awarded",
        "grade": "commended",
        "override_reason": "Lids since June",
    },
]
ENGAGEMENTS: Rows = [
    {"on": "2025-03-03", "kind": "visit", "outcome": "other", **more}
    for more in (
        {"venue": "V-1", "note": "@ the bar\r\nwith them", "business": "Lantern Inns Ltd"},
        {"venue": "V-2"},
        {"business": "Wharf Hotels Ltd", "next_step": "Try again", "next_step_on": "2025-03-12"},
        {
            "venue": "V-2",
            "next_step": "=Call",
            "next_step_on": "2025-03-10",
            "done_on": "2025-03-07",
            "done_note": "Rang",
        },
    )
]
ALL = {
    SheetName.VENUES: VENUES,
    SheetName.ATTENDANCE: ATTENDANCE,
    SheetName.HEADCOUNTS: HEADCOUNTS,
    SheetName.DECISIONS: DECISIONS,
    SheetName.ENGAGEMENTS: ENGAGEMENTS,
}


def columns(name: SheetName) -> list[str]:
    return list(SHEETS[name].columns)


def bring(
    journal: Journal, name: SheetName, rows: Iterable[dict[str, Any]] | bytes, **options: Any
) -> ImportReport:
    """Import rows, or a file, as a test."""
    content = rows if isinstance(rows, bytes) else write_rows(columns(name), rows)
    return import_sheet(name, journal, content, actor="test", **options)


def refused(journal: Journal, name: SheetName, *rows: dict[str, Any]) -> list[BadCell]:
    """What is wrong with rows, of which nothing is kept."""
    before = journal.length()
    with pytest.raises(ImportRejected) as rejected:
        bring(journal, name, rows)
    assert journal.length() == before
    return rejected.value.cells


def shown(journal: Journal, name: SheetName) -> bytes:
    with read_session(journal.engine) as session:
        return export_sheet(session, name)


def rows_of(content: bytes) -> Rows:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def fill(journal: Journal, *names: SheetName) -> None:
    """A register with what the sheets say, and the season that they speak of."""
    plan_season(journal)
    for name in names or ALL:
        bring(journal, name, ALL[name])


def plan_season(journal: Journal) -> None:
    season = {
        "scheme": "safety_thirst",
        "year": 2025,
        "name": "Safety Thirst 2025",
        "invitations_from": date(2025, 3, 15),
        "assessments_from": date(2025, 4, 1),
        "assessments_until": date(2025, 6, 30),
        "areas": {"public_safety": "Public safety", "drink_spiking": "Drink spiking"},
    }
    with journal.writing("test") as session:
        add_season(session, SeasonIn.model_validate(season))


def standings(journal: Journal) -> set[tuple[Any, ...]]:
    """How each venue stands in each scheme."""
    told = ("scheme", "state", "since", "until", "grade", "certificate", "pending")
    with read_session(journal.engine) as session:
        rows = session.exec(select(Venue.reference, Accreditation).join(Accreditation))
        return {(reference, *(getattr(row, name) for name in told)) for reference, row in rows}


# --- whole registers -------------------------------------------------------------------------


def test_an_export_of_everything_imports_into_an_empty_register(
    journal: Journal, elsewhere: Journal
) -> None:
    fill(journal)
    plan_season(elsewhere)
    files = {name: shown(journal, name) for name in ALL}
    for name, rows in ALL.items():
        assert len(rows_of(files[name])) == len(rows)
    for name, content in files.items():
        report = bring(elsewhere, name, content)
        brought = {"V-1", "V-2"} if name == "venues" else set(report.created)
        assert set(report.created) >= brought
    assert {name: shown(elsewhere, name) for name in ALL} == files
    assert standings(elsewhere) == standings(journal)
    with read_session(elsewhere.engine) as session:
        assert len(session.exec(select(TrainingSession)).all()) == 4
        assert len(session.exec(select(StepDone)).all()) == 1


def test_an_export_is_found_unchanged(journal: Journal) -> None:
    fill(journal)
    length = journal.length()
    for name, rows in ALL.items():
        report = bring(journal, name, shown(journal, name))
        assert report == ImportReport(dry_run=False, unchanged=len(rows))
    assert journal.length() == length


def test_the_same_file_brings_nothing_twice(journal: Journal) -> None:
    fill(journal)
    for name in EVENT_SHEETS:
        report = bring(journal, name, ALL[name])
        assert report == ImportReport(dry_run=False, unchanged=len(ALL[name])), name


def test_the_templates_import_one_after_the_other(journal: Journal) -> None:
    for name in SheetName:
        content = template(name)
        assert rows_of(content)[0].keys() == dict.fromkeys(columns(name)).keys()
        report = bring(journal, name, content)
        assert len(report.created) == 3 if name == "engagements" else 2


def test_a_dry_run_tells_and_keeps_nothing(journal: Journal) -> None:
    fill(journal, SheetName.VENUES)
    length = journal.length()
    report = bring(journal, SheetName.ENGAGEMENTS, ENGAGEMENTS, dry_run=True)
    assert report.dry_run
    assert report.created == [
        "V-1 2025-03-03",
        "V-2 2025-03-03",
        "Wharf Hotels Ltd 2025-03-03",
        "V-2 2025-03-03",
        "business Wharf Hotels Ltd",
    ]
    assert journal.length() == length
    with read_session(journal.engine) as session:
        assert not session.exec(select(Engagement)).all()
        assert not session.exec(select(Business).where(Business.name == "Wharf Hotels Ltd")).all()


# --- what is the same ------------------------------------------------------------------------


TWICE: list[tuple[SheetName, dict[str, Any], dict[str, Any], str]] = [
    (SheetName.HEADCOUNTS, HEADCOUNTS[0], {}, "is on line 2 too"),
    (SheetName.HEADCOUNTS, HEADCOUNTS[0], {"left": 3}, "is on line 2 too, with other numbers"),
    (SheetName.ATTENDANCE, ATTENDANCE[2], {}, "is on line 2 too"),
    (SheetName.ATTENDANCE, ATTENDANCE[2], {"session": 1}, "is on line 3 too"),
    (SheetName.ATTENDANCE, ATTENDANCE[2], {"new": 3}, "is on line 2 too, with other numbers"),
    (SheetName.DECISIONS, DECISIONS[5], {}, "is on line 2 too"),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[1], {}, "is on line 2 too"),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[1], {"business": "Inns"}, "is on line 3 too"),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[2], {"business": "WHARF HOTELS LTD"}, "is on line 2 too"),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[3], {"done_note": ""}, "is on line 2 too"),
]


@pytest.mark.parametrize(("name", "row", "again", "reason"), TWICE)
def test_what_is_said_twice_in_a_file_is_refused(
    register: Journal, name: SheetName, row: dict[str, Any], again: dict[str, Any], reason: str
) -> None:
    cells = refused(register, name, row, row | again)
    assert ("", reason) in [(cell.column, cell.reason) for cell in cells]


def test_what_is_known_is_said_twice_in_a_file_all_the_same(sqlite_journal: Journal) -> None:
    fill(sqlite_journal)
    award = (SheetName.DECISIONS, DECISIONS[3], {"until": ""}, "is on line 2 too")
    for name, row, again, reason in (*TWICE, award):
        if not {"business", "session"} & again.keys():
            (cell,) = refused(sqlite_journal, name, row, row | again)
            assert (cell.line, cell.column, cell.reason) == (3, "", reason)


def test_what_a_register_has_twice_from_before_is_found_unchanged(
    sqlite_journal: Journal, elsewhere: Journal
) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.HEADCOUNTS)
    fill(elsewhere, SheetName.VENUES)
    with sqlite_journal.writing("test") as session:
        first = session.exec(select(Headcount)).first()
        assert first
        session.add(Headcount(**first.model_dump(exclude={"id"})))
    file = shown(sqlite_journal, SheetName.HEADCOUNTS)
    assert bring(sqlite_journal, SheetName.HEADCOUNTS, file).unchanged == 4
    (cell,) = refused(elsewhere, SheetName.HEADCOUNTS, *rows_of(file))
    assert cell.reason == "is on line 2 too"


def test_who_left_leaves_once(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.ATTENDANCE)
    row = {"on": "2025-06-01", "venue": "V-1", "staff": 20, "left": 7}
    for _ in range(2):
        bring(sqlite_journal, SheetName.HEADCOUNTS, [row])
    with read_session(sqlite_journal.engine) as session:
        venue = session.exec(select(Venue).where(Venue.reference == "V-1")).one()
        state = evidence(session, venue.id, date(2025, 6, 1)).states()["ask_for_angela"]
    assert (state.trained, state.coverage) == (5, 0.25)


def test_a_day_has_one_headcount_of_a_venue(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.HEADCOUNTS)
    (cell,) = refused(sqlite_journal, SheetName.HEADCOUNTS, HEADCOUNTS[0] | {"left": 1})
    assert cell.reason == "This venue has a headcount of that day already; void that first"


def test_a_business_is_one_in_whatever_capitals(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES)
    visits = [
        ENGAGEMENTS[2] | {"business": name, "note": note}
        for name, note in (("Café Group", "1"), ("café group", "2"), ("LANTERN INNS LTD", "3"))
    ]
    report = bring(sqlite_journal, SheetName.ENGAGEMENTS, visits)
    assert [one for one in report.created if one.startswith("business")] == ["business Café Group"]
    assert bring(sqlite_journal, SheetName.ENGAGEMENTS, visits).unchanged == 3


def test_what_was_voided_is_not_there(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.HEADCOUNTS)
    with sqlite_journal.writing("test") as session:
        void(session, session.exec(select(Headcount)).first(), "Entered twice")  # type: ignore[arg-type]
    assert len(rows_of(shown(sqlite_journal, SheetName.HEADCOUNTS))) == 2
    assert bring(sqlite_journal, SheetName.HEADCOUNTS, HEADCOUNTS).unchanged == 2


def test_what_the_register_filled_in_may_be_left_out(sqlite_journal: Journal) -> None:
    fill(sqlite_journal)
    award = DECISIONS[3] | {"until": ""}
    assert bring(sqlite_journal, SheetName.DECISIONS, [award]).unchanged == 1
    visit = ENGAGEMENTS[0] | {"business": ""}
    assert bring(sqlite_journal, SheetName.ENGAGEMENTS, [visit]).unchanged == 1


def test_rows_join_the_session_they_speak_of(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.ATTENDANCE)
    more = ATTENDANCE[0] | {"role": "reception"}
    again = ATTENDANCE[0] | {"new": 11}
    bring(sqlite_journal, SheetName.ATTENDANCE, [more])
    with read_session(sqlite_journal.engine) as session:
        assert len(session.exec(select(TrainingSession)).all()) == 4
        assert len(session.exec(select(Attendance)).all()) == 7
    (cell,) = refused(sqlite_journal, SheetName.ATTENDANCE, again)
    assert cell.reason == ("This session counts that role of that venue already; void that first")


def test_a_next_step_can_be_done_later(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.ENGAGEMENTS)
    done = ENGAGEMENTS[2] | {"done_on": "2025-03-11"}
    report = bring(sqlite_journal, SheetName.ENGAGEMENTS, [done])
    assert [(one.reference, one.columns) for one in report.updated] == [
        ("Wharf Hotels Ltd 2025-03-03", ["done_on"])
    ]
    assert bring(sqlite_journal, SheetName.ENGAGEMENTS, [done]).unchanged == 1
    (cell,) = refused(sqlite_journal, SheetName.ENGAGEMENTS, done | {"done_on": "2025-03-12"})
    assert cell.reason == "This next step is not open any more"


# --- what is refused -------------------------------------------------------------------------


def test_every_bad_row_is_listed_and_nothing_kept(journal: Journal) -> None:
    fill(journal, SheetName.VENUES)
    good = HEADCOUNTS[0]
    cells = refused(
        journal,
        SheetName.HEADCOUNTS,
        good | {"on": date(2999, 1, 1)},
        good,
        good | {"venue": "v-1"},
        good | {"on": "2025-02-30", "staff": "many"},
        good | {"left": "", "staff": -1},
        good | {"left": 10_001, "on": date(2025, 3, 2)},
        good | {"on": date(2098, 1, 1)},
    )
    assert [(cell.line, cell.column, cell.value, cell.reason) for cell in cells] == [
        (
            *(2, "on", "2999-01-01"),
            "must be a date from 2000 to 2099, like 2026-12-31: format the column as YYYY-MM-DD",
        ),
        (
            *(4, "venue", "v-1"),
            "is not the reference of a venue in the register, which spells it V-1",
        ),
        (5, "on", "'2025-02-30", "must be a date that exists"),
        (
            *(5, "staff", "many"),
            "must be a whole number, like 6",
        ),
        (6, "left", "", "must not be empty"),
        (7, "left", "10001", "must be less than or equal to 10000"),
        (8, "on", "2098-01-01", "lies in the future"),
    ]


BAD: list[tuple[SheetName, dict[str, Any], str, str]] = [
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "suspended", "reason": "Failed"},
        "kind",
        "This can't be decided as things stand: can be one of applied, assessed, awarded",
    ),
    (SheetName.DECISIONS, {**HAVEN, "on": "2025-02-01", "kind": "given"}, "kind", "must be one of"),
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "applied", "grade": "commended"},
        "grade",
        "must be empty where kind is applied",
    ),
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "withdrawn"},
        "reason",
        "is required",
    ),
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "assessed", "met": "water"},
        "met",
        "must speak of electricity",
    ),
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "assessed", "met": MET, "notes": "bar: wet"},
        "notes",
        "speaks of bar, which is not in met or not_met",
    ),
    (
        SheetName.DECISIONS,
        {**HAVEN, "on": "2025-02-01", "kind": "assessed", "met": MET, "scores": "seat 4"},
        "scores",
        "must be like drink_spiking=80;public_safety=65",
    ),
    (
        SheetName.DECISIONS,
        {**THIRST, "season": 1999, "on": "2025-02-01", "kind": "applied"},
        "season",
        "is not the year of a season of this scheme",
    ),
    (
        SheetName.DECISIONS,
        {"venue": "V-2", "scheme": "ask_for_angela", "on": "2025-02-01", "kind": "awarded"},
        "scheme",
        "The venue lacks what this scheme asks for: At least one member of staff",
    ),
    (SheetName.ATTENDANCE, ATTENDANCE[0] | {"role": "singer"}, "role", "must be 'manager'"),
    (SheetName.ATTENDANCE, ATTENDANCE[0] | {"new": 0}, "", "must count somebody"),
    (SheetName.ATTENDANCE, ATTENDANCE[0] | {"course": "juggling"}, "course", "must be"),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[1] | {"venue": ""}, "", "give venue_id or business_id"),
    (
        SheetName.ENGAGEMENTS,
        ENGAGEMENTS[0] | {"business": "Another Ltd"},
        "venue",
        "is not run by that business",
    ),
    (
        SheetName.ENGAGEMENTS,
        ENGAGEMENTS[3] | {"done_on": "2025-03-01"},
        "done_on",
        "must not be before the engagement",
    ),
    (
        SheetName.ENGAGEMENTS,
        ENGAGEMENTS[3] | {"done_on": ""},
        "done_note",
        "must not be given without done_on",
    ),
    (SheetName.ENGAGEMENTS, ENGAGEMENTS[0] | {"note": "\0"}, "note", "must not contain control"),
]


@pytest.fixture(scope="module")
def register(shared_journal: Journal) -> Journal:
    """A register with venues, which no test changes."""
    fill(shared_journal, SheetName.VENUES)
    return shared_journal


@pytest.mark.parametrize(("name", "row", "column", "reason"), BAD)
def test_what_the_rules_refuse_lies_in_a_cell(
    register: Journal, name: SheetName, row: dict[str, Any], column: str, reason: str
) -> None:
    (cell,) = refused(register, name, row)
    assert (cell.line, cell.column) == (2, column)
    assert cell.reason.startswith(reason)


@pytest.mark.parametrize("name", EVENT_SHEETS)
def test_a_wrong_header_is_refused(register: Journal, name: SheetName) -> None:
    with pytest.raises(ImportRejected) as rejected:
        bring(register, name, b"venue,venue,name\n")
    reasons = {(cell.column, cell.reason) for cell in rejected.value.cells}
    assert reasons >= {("name", "is not one of the columns"), ("on", "is missing")}
    assert ("venue", "is there twice") in reasons


def test_only_active_venues_go_out(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES)
    with sqlite_journal.writing("test") as session:
        closed, prospect = session.exec(select(Venue).order_by(Venue.reference))
        closed.status, closed.closed_on = VenueStatus.CLOSED, now(session).date()
        prospect.status = VenueStatus.PROSPECT
    assert rows_of(shown(sqlite_journal, SheetName.VENUES)) == []
    # What is recorded of them goes out all the same, and is found again.
    bring(sqlite_journal, SheetName.HEADCOUNTS, HEADCOUNTS)
    again = bring(sqlite_journal, SheetName.HEADCOUNTS, shown(sqlite_journal, SheetName.HEADCOUNTS))
    assert again.unchanged == 3


# --- files -----------------------------------------------------------------------------------


def test_a_text_is_no_formula_and_comes_back(sqlite_journal: Journal) -> None:
    fill(sqlite_journal)
    lantern, quoted = rows_of(shown(sqlite_journal, SheetName.VENUES))
    assert lantern["name"] == "'=The Lantern"
    assert quoted["name"] == "''-Quoted'"
    assert lantern["phone"] == "'+44 20 7946 0001"
    assert lantern["longitude"] == "-0.0922"
    assert rows_of(shown(sqlite_journal, SheetName.ENGAGEMENTS))[0]["note"].startswith("'@ the bar")
    for name in ALL:
        content = shown(sqlite_journal, name)
        assert content.startswith("\ufeff".encode())
        assert content.endswith(b"\r\n")


def test_rows_are_recorded_by_day_and_step_whatever_their_order(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, SheetName.VENUES, SheetName.ATTENDANCE, SheetName.DECISIONS)
    with read_session(sqlite_journal.engine) as session:
        haven = select(Decision).where(Decision.scheme == "safe_haven")
        decisions = sorted(session.exec(haven), key=lambda one: one.recorded_at)
    kinds = ["applied", "assessed", "awarded", "suspended", "reinstated", "awarded"]
    assert [decision.kind for decision in decisions] == kinds
