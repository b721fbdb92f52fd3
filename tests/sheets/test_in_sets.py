"""What an import writes in one turn is what it would write row by row, and it holds nobody up."""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from sqlmodel import col, select

from app.accounts.models import Account
from app.core import inserts
from app.core import journal as journal_module
from app.core.batch import Batch, Outdated
from app.core.db import read_session
from app.core.journal import Journal, now
from app.core.journal_chain import Entry
from app.outreach.models import ProblemReport, ReportKind
from app.outreach.reports import report_problem
from app.outreach.schemas import ProblemReportIn
from app.schemes.models import Accreditation
from app.sheets.cells import write_rows
from app.sheets.fhrs import import_fhrs
from app.sheets.files import SheetName, import_of
from app.sheets.import_report import ImportRejected
from app.sheets.wards import import_wards
from app.training.models import Headcount
from app.venues.models import Business, Venue, VenueFacts
from tests.sheets.test_fhrs import HERON, WARD, written
from tests.sheets.test_files import (
    ALL,
    ATTENDANCE,
    ENGAGEMENTS,
    HAVEN,
    HEADCOUNTS,
    MET,
    VENUES,
    bring,
    plan_season,
)

RECORDED = Path(__file__).parent / "entries.json"
"""What was written when each row was still recorded by itself, with numbers for the ids."""

UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, _: Any = None) -> datetime:  # type: ignore[override]
            return datetime(2026, 11, 28, 12, tzinfo=UTC)

    monkeypatch.setattr(journal_module, "datetime", Stopped)
    monkeypatch.setattr(journal_module, "database_clock", lambda _: None)


def story(journal: Journal) -> Iterator[object]:
    """Every kind of import, new and once more with changes; each gives its report."""
    yield import_wards(journal, WARD, actor="test")
    yield import_fhrs(journal, written(HERON, HERON | {"FHRSID": 2}), actor="test")
    plan_season(journal)
    accredited = VENUES[0] | {"safe_haven_from": "2025-03-20"}
    joined = VENUES[0] | {"reference": "V-3", "fhrs_id": "1", "business": "LANTERN INNS LTD"}
    yield bring(journal, SheetName.VENUES, [accredited, VENUES[1], joined])
    for name in list(ALL)[1:]:
        yield bring(journal, name, ALL[name])
    yield bring(
        journal, SheetName.VENUES, [VENUES[1] | {"late_night": "yes", "business": "New Ltd"}]
    )
    yield bring(
        journal, SheetName.ATTENDANCE, [ATTENDANCE[0] | {"venue": "V-3", "on": "2026-03-14"}]
    )
    renewed = {**HAVEN, "venue": "V-3", "on": "2026-06-01"}
    assessed = renewed | {"kind": "assessed", "met": MET}
    awarded = renewed | {"kind": "awarded"}
    ended = renewed | {"on": "2026-11-28", "kind": "withdrawn", "reason": "Sold"}
    yield bring(journal, SheetName.DECISIONS, [ended, awarded, assessed])
    yield bring(journal, SheetName.HEADCOUNTS, [HEADCOUNTS[0] | {"on": "2026-11-28"}])
    done = ENGAGEMENTS[2] | {"done_on": "2025-03-11"}
    visits = [
        {**ENGAGEMENTS[1], "on": "2026-11-27", "next_step": "Call", "next_step_on": "2026-12-01"}
    ]
    yield bring(journal, SheetName.ENGAGEMENTS, [done, *visits])
    yield import_fhrs(
        journal, written(HERON, HERON | {"FHRSID": 2, "AddressLine1": "2"}), actor="test"
    )
    yield import_wards(journal, WARD.replace(b'"W"', b'"X"'), actor="test", dry_run=True)


def told(journal: Journal) -> dict[str, Any]:
    """The reports, entries and lookup rows of the story, with ids numbered as they come up."""
    reports = [json.loads(report.model_dump_json()) for report in story(journal)]  # type: ignore[attr-defined]
    with read_session(journal.engine) as session:
        entries = [
            _shown(entry) for entry in session.exec(select(Entry).order_by(col(Entry.number)))
        ]
        lookup = sorted(" ".join(_row(row)) for row in session.exec(select(Accreditation)))
        facts = len(session.exec(select(VenueFacts)).all())
    numbers = count(1)
    names: dict[str, str] = {}

    def numbered(text: str) -> str:
        return UUID.sub(lambda id_: names.setdefault(id_[0], f"id {next(numbers)}"), text)

    return {
        "reports": reports,
        "entries": [numbered(entry) for entry in entries],
        "accreditations": sorted(map(numbered, lookup)),
        "facts": facts,
    }


def _shown(entry: Entry) -> str:
    about = f"{entry.actor} {entry.subject} {entry.subject_id}"
    return f"{entry.at:%d %H:%M:%S.%f} {about} {entry.before} {entry.after}"


def _row(row: Accreditation) -> list[str]:
    return [str(getattr(row, column.key)) for column in inspect(Accreditation).columns]


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize("at_once", [5_000, 3])
def test_the_same_is_written_as_row_by_row(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    # A set is written in parts, each as it would be if it were a large one.
    monkeypatch.setattr(inserts, "_AT_ONCE", at_once)
    monkeypatch.setattr(inserts, "_FEW", 2)
    assert told(journal) == json.loads(RECORDED.read_bytes())
    assert journal.verify() is None


def test_others_write_while_an_import_is_worked_out(journal: Journal) -> None:
    bring(journal, SheetName.VENUES, VENUES)
    reported: list[datetime] = []

    def meanwhile(rows: Sequence[Any]) -> Sequence[Any]:
        with journal.writing("public") as session:
            venue = session.exec(select(Venue)).first()
            assert venue
            report_problem(session, venue.id, ProblemReportIn(kind=ReportKind.CLOSED))
            session.add(Business(name=f"Business {len(reported)}"))
            reported.append(now(session))
        return rows

    report = bring(journal, SheetName.HEADCOUNTS, HEADCOUNTS, track=meanwhile)
    assert len(report.created) == 3
    # Once for reading the rows and once for recording them: nothing had to be worked out anew.
    assert len(reported) == 2
    with read_session(journal.engine) as session:
        assert len(session.exec(select(ProblemReport)).all()) == 2
        headcounts = session.exec(select(Headcount)).all()
        entries = session.exec(select(Entry).where(Entry.subject == "headcount")).all()
        # It is known from when it was written, later than what was written meanwhile.
        assert {count.recorded_at for count in headcounts} == {entry.at for entry in entries}
        assert min(count.recorded_at for count in headcounts) > max(reported)
    assert journal.verify() is None


def test_what_was_changed_meanwhile_is_heeded(journal: Journal) -> None:
    bring(journal, SheetName.VENUES, VENUES)
    asked = import_of(SheetName.HEADCOUNTS, write_rows(HEADCOUNTS[0], HEADCOUNTS))
    report, batch = asked.planned(journal, "test")
    assert len(report.created) == 3
    bring(journal, SheetName.HEADCOUNTS, [HEADCOUNTS[0] | {"left": 1}])
    length = journal.length()
    with pytest.raises(Outdated):
        batch.write(journal, asked.rests_on)
    with pytest.raises(ImportRejected):
        asked.carry_out(journal, "test")
    assert journal.length() == length


def test_a_register_that_does_not_rest_is_no_fault_of_the_file(journal: Journal) -> None:
    bring(journal, SheetName.VENUES, VENUES)

    def meanwhile(rows: Sequence[Any]) -> Sequence[Any]:
        with journal.writing("test") as session:
            venue = session.exec(select(Venue)).first()
            assert venue
            venue.phone += "1"
        return rows

    with pytest.raises(Outdated):
        bring(journal, SheetName.HEADCOUNTS, HEADCOUNTS, track=meanwhile)
    assert len(bring(journal, SheetName.HEADCOUNTS, HEADCOUNTS).created) == 3


def test_a_plan_of_another_day_is_made_anew(
    sqlite_journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(sqlite_journal, SheetName.VENUES, VENUES)
    asked = import_of(SheetName.HEADCOUNTS, write_rows(HEADCOUNTS[0], HEADCOUNTS))
    _, batch = asked.planned(sqlite_journal, "test")

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=1)

    monkeypatch.setattr(journal_module, "datetime", Tomorrow)
    with pytest.raises(Outdated):
        batch.write(sqlite_journal, asked.rests_on)


def test_a_record_with_secrets_is_not_written_in_sets(sqlite_journal: Journal) -> None:
    with sqlite_journal.planning("test") as session:
        batch = Batch(session)
        batch.add(Account(name="amira", roles=[], password_hash="secret"))
    with pytest.raises(RuntimeError, match="secret columns"):
        batch.write(sqlite_journal, [Account])
