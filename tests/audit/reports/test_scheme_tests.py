"""How scheme tests went, as at a day and as known at an instant, and who read of single venues."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from app.core.journal_chain import Entry
from app.outreach.models import Debrief, Result, SchemeTest, SchemeTested
from app.outreach.rules import KnownTest, asks_for_debrief, asks_for_retest
from app.venues.kinds import Category
from app.venues.models import VenueStatus
from tests.audit.records import add, add_venue, change_facts, morning_of
from tests.conftest import SignIn
from tests.factories import make_ward

TESTS, BY_VENUE = "/v1/audit/scheme-tests", "/v1/audit/scheme-tests/venues"
MARCH = {"as_at": "2025-03-31", "from": "2025-03-01"}


def made(engine: Engine, venue: UUID, result: Result, on: date, **details: Any) -> SchemeTest:
    details = {"scheme": SchemeTested.ASK_FOR_ANGELA} | details
    return add(engine, SchemeTest, on, venue_id=venue, result=result, **details)


def read(client: httpx.Client, path: str = TESTS, **asked: Any) -> Any:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def figures(row: Any) -> tuple[int, ...]:
    """Visited, passed; debriefs held, due; retests done, due, overdue, not to be had."""
    names = (
        *("visited", "passed", "debriefs_held", "debriefs_due"),
        *("retests_done", "retests_due", "retests_overdue", "closed_before_retest"),
    )
    assert row["failed"] == row["visited"] - row["passed"]
    assert row["failed"] == row["retests_done"] + row["retests_due"] + row["closed_before_retest"]
    return tuple(row[name] for name in names)


def notes(engine: Engine) -> list[Any]:
    """What the journal holds of reads."""
    with Session(engine) as session:
        found = select(Entry).where(col(Entry.subject) == "test_results_read")
        entries = session.exec(found.order_by(col(Entry.number)))
        return [json.loads(entry.after or "") | {"actor": entry.actor} for entry in entries]


def test_an_empty_register(auditor: httpx.Client, engine: Engine) -> None:
    shown = read(auditor)
    assert (shown["wards"], shown["schemes"]) == ([], [])
    (total,) = shown["total"]
    assert figures(total) == (0,) * 8
    assert "rate" not in total
    assert read(auditor, BY_VENUE)["venues"] == []
    assert notes(engine) == [], "there was nothing to reveal"


def test_by_ward_by_scheme_and_in_all(auditor: httpx.Client, engine: Engine) -> None:
    bishopsgate = make_ward(engine, code="W-B", name="Bishopsgate")
    aldgate = make_ward(engine, code="W-A", name="Aldgate")
    lantern = add_venue(engine, ward_id=bishopsgate.id)
    mitre, nowhere = add_venue(engine, ward_id=aldgate.id), add_venue(engine)
    made(engine, lantern.id, Result.PASSED, date(2025, 3, 1))
    made(engine, lantern.id, Result.PASSED, date(2025, 3, 31))
    made(engine, mitre.id, Result.FAILED, date(2025, 3, 14))
    made(engine, nowhere.id, Result.PASSED, date(2025, 3, 14))
    made(engine, lantern.id, Result.FAILED, date(2025, 2, 28))
    made(engine, lantern.id, Result.FAILED, date(2025, 4, 1))
    shown = read(auditor, **MARCH)
    assert [(row["ward_code"], row["ward"], *figures(row)) for row in shown["wards"]] == [
        ("W-A", "Aldgate", 1, 0, 0, 1, 0, 1, 0, 0),
        ("W-B", "Bishopsgate", 2, 2, 0, 0, 0, 0, 0, 0),
        ("", "outside the wards", 1, 1, 0, 0, 0, 0, 0, 0),
    ]
    (scheme,) = shown["schemes"]
    assert (scheme["scheme"], scheme["name"]) == ("ask_for_angela", "Ask for Angela")
    (total,) = shown["total"]
    assert figures(scheme) == figures(total) == (4, 3, 0, 1, 0, 1, 0, 0)
    assert total["rate"] == 0.75
    assert (shown["from"], shown["until"]) == ("2025-03-01", "2025-03-31")
    # Nothing here tells of a single venue.
    assert not {str(v.id) for v in (lantern, mitre, nowhere)} & set(json.dumps(shown).split('"'))


def test_what_a_failure_asks_for_and_gets(auditor: httpx.Client, engine: Engine) -> None:
    """One failed on 3 March: its debrief, then its retest on 14 April, two weeks too late."""
    failed = made(engine, add_venue(engine).id, Result.FAILED, date(2025, 3, 3))
    add(engine, Debrief, date(2025, 3, 20), test_id=failed.id)
    made(engine, failed.venue_id, Result.PASSED, date(2025, 4, 14), retest_of_id=failed.id)

    def of_march(as_at: str, **asked: str) -> tuple[int, ...]:
        period = {"from": "2025-03-01", "until": min(as_at, "2025-03-31")}
        return figures(read(auditor, as_at=as_at, **period, **asked)["total"][0])

    assert of_march("2025-03-19") == (1, 0, 0, 1, 0, 1, 0, 0)
    assert of_march("2025-03-20") == (1, 0, 1, 0, 0, 1, 0, 0)
    assert of_march("2025-03-31") == (1, 0, 1, 0, 0, 1, 0, 0), "its 28th day is not too late"
    assert of_march("2025-04-01") == (1, 0, 1, 0, 0, 1, 1, 0)
    assert of_march("2025-04-14") == (1, 0, 1, 0, 1, 0, 0, 0)
    known = {"known_at": morning_of(date(2025, 4, 13))}
    assert of_march("2025-04-14", **known) == (1, 0, 1, 0, 0, 1, 1, 0)


def test_the_officer_s_list_of_retests_agrees(
    auditor: httpx.Client, sign_in: SignIn, engine: Engine
) -> None:
    venues = [add_venue(engine) for _ in range(5)]
    gone = add_venue(engine, status=VenueStatus.CLOSED)
    for venue in (*venues, gone):
        made(engine, venue.id, Result.FAILED, date(2025, 3, 14))
    again = made(engine, venues[0].id, Result.FAILED, date(2025, 4, 1))
    for result, details in (
        (Result.FAILED, {}),
        (Result.PASSED, {"voided": date(2025, 5, 1)}),
    ):
        made(engine, venues[0].id, result, date(2025, 4, 10), retest_of_id=again.id, **details)
    listed = sign_in("officer").get("/v1/admin/scheme-tests/retests").json()["items"]
    shown = read(auditor, **{"from": "2025-01-01"})["total"][0]
    assert shown["retests_due"] == len(listed) == 6
    assert shown["retests_overdue"] == len([item for item in listed if item["overdue"]])
    assert (shown["failed"], shown["closed_before_retest"]) == (8, 1)


def test_what_was_recorded_late_or_voided(auditor: httpx.Client, engine: Engine) -> None:
    venue = add_venue(engine)
    late = made(engine, venue.id, Result.FAILED, date(2025, 3, 20), known=date(2025, 4, 5))
    made(engine, venue.id, Result.PASSED, date(2025, 3, 10), voided=date(2025, 4, 10))
    add(engine, Debrief, date(2025, 3, 21), test_id=late.id, voided=date(2025, 4, 20))

    def known(day: date) -> tuple[int, ...]:
        return figures(read(auditor, **MARCH, known_at=morning_of(day))["total"][0])

    assert known(date(2025, 4, 1))[:4] == (1, 1, 0, 0)
    assert known(date(2025, 4, 5))[:4] == (2, 1, 1, 0)
    assert known(date(2025, 4, 10))[:4] == (1, 0, 1, 0)
    assert known(date(2025, 4, 20))[:4] == (1, 0, 0, 1)
    assert figures(read(auditor, **MARCH)["total"][0])[:4] == (1, 0, 0, 1)


def test_the_facts_of_the_day_say_where_a_venue_counts(
    auditor: httpx.Client, engine: Engine
) -> None:
    old, new = (make_ward(engine, code=code) for code in ("W-OLD", "W-NEW"))
    venue = add_venue(engine, ward_id=old.id, category=Category.BAR)
    change_facts(engine, venue, date(2025, 4, 15), ward_id=new.id, known=date(2025, 5, 2))
    change_facts(engine, venue, date(2025, 6, 1), ward_id=new.id, status=VenueStatus.CLOSED)
    made(engine, venue.id, Result.FAILED, date(2025, 3, 14))

    def where(as_at: str, **asked: Any) -> list[tuple[Any, ...]]:
        shown = read(auditor, as_at=as_at, **asked)
        return [(row["ward_code"], *figures(row)) for row in shown["wards"]]

    in_old, in_new = (("W-OLD", 1, 0, 0, 1, 0, 1, 0, 0), ("W-NEW", 1, 0, 0, 1, 0, 1, 1, 0))
    assert where("2025-03-31") == [in_old]
    assert where("2025-04-30") == [in_new]
    overdue_in_old = ("W-OLD", 1, 0, 0, 1, 0, 1, 1, 0)
    assert where("2025-04-30", known_at=morning_of(date(2025, 5, 1))) == [overdue_in_old]
    assert where("2025-06-01") == [("W-NEW", 1, 0, 0, 0, 0, 0, 0, 1)], "nobody is there any more"
    assert where("2025-04-30", ward="W-OLD", known_at=morning_of(date(2025, 6, 1))) == []
    assert where("2025-04-30", ward=["W-NEW", "W-OLD"], category="bar") == [in_new]
    assert where("2025-04-30", category="pub") == []


def test_a_venue_registered_after_its_test(auditor: httpx.Client, engine: Engine) -> None:
    ward = make_ward(engine, code="W-1")
    venue = add_venue(engine, date(2025, 5, 1), ward_id=ward.id)
    made(engine, venue.id, Result.PASSED, date(2025, 3, 14), known=date(2025, 5, 2))
    assert [row["ward_code"] for row in read(auditor, **MARCH)["wards"]] == ["W-1"]


@pytest.mark.parametrize(
    ("asked", "period"),
    [
        ({"as_at": "2025-03-31"}, ("2024-04-01", "2025-03-31")),
        ({"as_at": "2025-03-31", "until": "2024-02-28"}, ("2023-03-01", "2024-02-28")),
        ({"as_at": "2025-03-31", "from": "2025-03-31"}, ("2025-03-31", "2025-03-31")),
    ],
    ids=["a-year", "a-year-before-a-leap-day", "one-day"],
)
def test_the_period(auditor: httpx.Client, asked: dict[str, str], period: tuple[str, str]) -> None:
    shown = read(auditor, **asked)
    assert (shown["from"], shown["until"]) == period


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"as_at": "2025-03-31", "until": "2025-04-01"}, "until"),
        ({"as_at": "2025-03-31", "from": "2025-04-01"}, "from"),
        ({"until": "2025-03-31", "from": "2025-04-01"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"from": "1999-12-31"}, "from"),
        ({"from_": "2025-03-31"}, "from_"),
        ({"format": "csv", "table": "nonsense"}, "table"),
    ],
    ids=str,
)
def test_what_can_not_be_asked(
    auditor: httpx.Client, engine: Engine, asked: dict[str, str], field: str
) -> None:
    made(engine, add_venue(engine).id, Result.PASSED, date(2025, 3, 14))
    for path in (TESTS, BY_VENUE):
        answer = auditor.get(path, params=asked)
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert notes(engine) == [], "what failed revealed nothing"


# --- venue by venue --------------------------------------------------------------------------


def test_by_venue_and_that_it_was_read(
    auditor: httpx.Client, sign_in: SignIn, engine: Engine
) -> None:
    ward = make_ward(engine, code="W-1", name="Aldgate")
    lantern = add_venue(engine, reference="V-2", name="The Lantern", ward_id=ward.id)
    mitre = add_venue(engine, reference="V-1", name="The Mitre", category=Category.BAR)
    made(engine, lantern.id, Result.PASSED, date(2025, 3, 1))
    made(engine, lantern.id, Result.FAILED, date(2025, 3, 14))
    made(engine, mitre.id, Result.PASSED, date(2025, 3, 14))
    shown = read(auditor, BY_VENUE, **MARCH)
    assert [
        (row["reference"], row["name"], row["ward"], *figures(row)[:2], row["rate"])
        for row in shown["venues"]
    ] == [
        ("V-1", "The Mitre", "outside the wards", 1, 1, 1.0),
        ("V-2", "The Lantern", "Aldgate", 2, 1, 0.5),
    ]
    (note,) = notes(engine)
    assert (note["venues"], note["venue_id"]) == (2, None)
    assert note["report"] == "scheme-tests-by-venue"
    assert note["actor"] == note["by"]
    assert note["asked"]["from"] == "2025-03-01"
    # What was asked shows the same again: it says which venues' results were read.
    again = {name: note["asked"][name] for name in ("as_at", "known_at", "from")}
    assert read(auditor, BY_VENUE, **again)["venues"] == shown["venues"]

    other = sign_in("administrator")
    assert len(read(other, BY_VENUE, **MARCH, category="bar")["venues"]) == 1
    assert read(other, BY_VENUE, **MARCH, category="cafe")["venues"] == []
    first, second, third = notes(engine)
    assert first["actor"] == second["actor"] != third["actor"]
    assert (third["venues"], UUID(third["venue_id"])) == (1, mitre.id)
    assert third["asked"]["category"] == ["bar"]
    assert sign_in("officer").get(BY_VENUE).status_code == 403
    assert len(notes(engine)) == 3, "what was refused revealed nothing"


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_file_is_a_read_too(auditor: httpx.Client, engine: Engine, form: str) -> None:
    made(engine, add_venue(engine).id, Result.PASSED, date(2025, 3, 14))
    answer = auditor.get(BY_VENUE, params=MARCH | {"format": form})
    assert answer.status_code == 200
    assert len(notes(engine)) == 1


def test_what_can_not_be_journalled_is_not_shown(
    auditor: httpx.Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = add_venue(engine, name="The Lantern")
    made(engine, venue.id, Result.FAILED, date(2025, 3, 14))

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("app.audit.routes.note_read", refuse)
    answer = auditor.get(BY_VENUE, params=MARCH)
    assert answer.status_code == 500
    assert "Lantern" not in answer.text


# --- the rules -------------------------------------------------------------------------------

FAILED = KnownTest("1", "2", "ask_for_angela", date(2025, 3, 14), passed=False)


@pytest.mark.parametrize(
    ("test", "is_closed", "debrief", "retest"),
    [
        (FAILED, False, True, True),
        (FAILED, True, False, False),
        (FAILED._replace(passed=True), False, False, False),
        (FAILED._replace(debrief_id="3"), False, False, True),
        (FAILED._replace(retest_id="4", retest_passed=False), False, True, False),
    ],
    ids=["failed", "closed", "passed", "debriefed", "failed-again"],
)
def test_what_a_test_asks_for(
    test: KnownTest, is_closed: bool, debrief: bool, retest: bool
) -> None:
    assert asks_for_debrief(test, is_closed=is_closed) == debrief
    assert asks_for_retest(test, is_closed=is_closed) == retest


def test_figures_that_give_one_venue_away_are_journalled(
    auditor: httpx.Client, engine: Engine
) -> None:
    ward, other = make_ward(engine).id, make_ward(engine).id
    several = [add_venue(engine, ward_id=ward) for _ in range(2)]
    for venue in several:
        made(engine, venue.id, Result.PASSED, date(2025, 3, 1))
    assert read(auditor, **MARCH)["total"][0]["venues"] == 2
    assert notes(engine) == [], "either of two may be meant"
    alone = add_venue(engine, ward_id=other)
    made(engine, alone.id, Result.FAILED, date(2025, 3, 1))
    read(auditor, **MARCH)
    (note,) = notes(engine)
    assert (note["venue_id"], note["report"]) == (str(alone.id), "scheme-tests")
