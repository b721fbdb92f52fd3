"""Every row of the register is held against the journal: what was changed by hand is named."""

import csv
import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

import app.main  # noqa: F401 - brings every model
from app.accounts import actions
from app.accounts.models import Account, CalendarAddress, Role
from app.audit.models import Pack
from app.audit.models import TestResultsRead as ResultsRead
from app.core.db import connected, read_session
from app.core.events import void
from app.core.journal import HEAD_FILE, Journal, erase, note, now
from app.core.journal_changes import Content
from app.core.journal_proof import _as_stored, _Table, journalled, strays
from app.outreach.models import (
    Debrief,
    Digest,
    Engagement,
    Letter,
    ProblemReport,
    ReportKind,
    ReportStep,
    Result,
    SchemeTest,
    SchemeTested,
    Statement,
    Step,
    StepDone,
    Subject,
)
from app.outreach.reports import report_problem
from app.outreach.schemas import ProblemReportIn
from app.schemes.models import Decision
from app.schemes.season_schemas import SeasonIn
from app.schemes.seasons import add_season
from app.sheets.files import EVENT_SHEETS, SheetName, import_sheet
from app.sheets.need import import_need
from app.sheets.seed import SEED
from app.sheets.wards import import_wards
from app.training.models import Attendance
from app.venues.businesses import BusinessIn, edit_business, register_business
from app.venues.contacts import ContactEnding, ContactIn, add_contact, edit_contact, end_contact
from app.venues.models import Business, Contact, Venue
from app.web.paper.models import CertificateCode
from tests.conftest import Scale
from tests.factories import make_venue

Row = dict[str, Any]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def journal(engine: Engine, tmp_path: Path) -> Journal:
    return Journal(engine, b"k" * 32, tmp_path / HEAD_FILE)


def found(journal: Journal) -> list[tuple[str, str, str]]:
    with read_session(journal.engine) as session:
        return [(one.subject, one.subject_id, one.reason) for one in strays(session)]


# --- a register in which everything has been done that is recorded ----------------------------


def fill(journal: Journal) -> None:
    import_wards(journal, (SEED / "wards.geojson").read_bytes(), actor="test")
    import_sheet(SheetName.VENUES, journal, some_of("venues", "reference"), actor="test")
    with journal.writing("account ada") as session:
        for season in orjson.loads((SEED / "seasons.json").read_bytes()):
            add_season(session, SeasonIn.model_validate(season))
    for name in EVENT_SHEETS:
        import_sheet(name, journal, some_of(name, "venue"), actor="test")
    import_need(journal, NEED, actor="test")
    changed = some_of("venues", "reference").replace(b"0001", b"1000")
    import_sheet(SheetName.VENUES, journal, changed, actor="test")
    act(journal)
    follow_up(journal)


NEED = b"source,on,latitude,longitude,weight,hours\nTest,2026-01-31,51.5134,-0.089,2,Fr 22:00-24:00"


def some_of(sheet: str, key: str) -> bytes:
    """The rows of a demonstration's sheet that are about its first venues."""
    rows = list(csv.DictReader((SEED / f"{sheet}.csv").read_text().splitlines()))
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows(row for row in rows if row[key] in {f"DEMO-00{n}" for n in (1, 2, 3)})
    return file.getvalue().encode()


def act(journal: Journal) -> None:
    """What officers and administrators do for the first time."""
    with journal.writing("account ada") as session:
        account = actions.add(session, "ada", [Role.OFFICER])
        actions.set_password(session, account, "argon2-first", temporary=True)
        actions.begin_sign_in(session, account, now(session))
        venue = session.exec(select(Venue)).first()
        decision = session.exec(select(Decision)).first()
        engagement = session.exec(select(Engagement)).first()
        assert venue
        assert decision
        assert engagement
        venue.phone, venue.last_checked = "020 7946 0999", date(2026, 1, 2)
        register_business(session, BusinessIn(name="Lantern Inns"))
        sam = ContactIn(name="Sam Okafor", phone="020 7946 0123", preferred=True)
        sam_id = add_contact(session, Venue, venue.id, sam).id
        session.flush()
        happened: Row = {
            "effective_at": now(session),
            "recorded_at": now(session),
            "recorded_by": "account ada",
        }
        letter = Letter(
            contact_id=sam_id,
            about=[{"venue_id": str(venue.id), "kind": "award", "of": "x", "on": "2026-02-01"}],
            made_at=now(session),
        )
        test = SchemeTest(
            venue_id=venue.id, scheme=SchemeTested.ASK_FOR_ANGELA, result=Result.FAILED, **happened
        )
        report_problem(session, venue.id, ProblemReportIn(kind=ReportKind.CLOSED))
        session.add_all([test, letter])
        session.flush()
        report = session.exec(select(ProblemReport)).one()
        asked = {"question": {"as_at": "2026-01-02", "wards": ["é", 1.5, True, None]}}
        session.add_all(
            [
                Debrief(test_id=test.id, note="They know now", **happened),
                StepDone(engagement_id=engagement.id, **happened),
                ReportStep(report_id=report.id, step=Step.TAKEN_UP, **happened),
                CertificateCode(decision_id=decision.id, code="ABCD2345", made_at=now(session)),
                CalendarAddress(account_id=account.id, secret_hash="ab" * 32, made_at=now(session)),
                Statement(
                    letter_id=letter.id, venue_id=venue.id, subject=Subject.HEADCOUNT,
                    unchanged=False, changed="New bar", staff=9, left=1, said_at=now(session),
                ),
                Digest(account_id=account.id, email="ada@city.example"),
                ResultsRead(venues=2, asked=asked, at=now(session), by="x", report="levy"),
                Pack(
                    first=date(2026, 1, 1), last=date(2026, 3, 31), known_at=now(session),
                    issued_at=now(session), issued_by="x", parameters=asked, hash="0" * 64,
                    document="{}",
                ),
            ]
        )  # fmt: skip


def follow_up(journal: Journal) -> None:
    """What they change, end, void and erase."""
    with journal.writing("account bob") as session:
        for model in (Decision, Attendance, SchemeTest):
            event = session.exec(select(model)).first()
            assert event
            void(session, event, "Entered for the wrong venue")
        account = session.exec(select(Account)).one()
        actions.set_roles(session, account, [Role.LICENSING, Role.OFFICER])
        actions.set_password(session, account, "argon2-second", temporary=False)
        business = session.exec(select(Business)).first()
        sam = session.exec(select(Contact)).one()
        assert business
        edit_business(session, business, BusinessIn(name=business.name, notes="Two doors"))
        edit_contact(session, sam, ContactIn(name="Sam Okafor", email="sam@lantern.example"))
        kim = add_contact(session, Business, business.id, ContactIn(name="Kim"))
        session.flush()
        end_contact(session, sam, ContactEnding())
        erase(session, [kim])


# --- what shows -------------------------------------------------------------------------------


def test_a_value_changed_in_any_column_is_named(journal: Journal, scale: Scale) -> None:
    fill(journal)
    assert journal.verify() is None
    assert found(journal) == []
    chance = random.Random(7)
    with unguarded(journal.engine) as connection:
        for model in journalled():
            table = sa.inspect(model).local_table
            for column in table.columns:
                for _ in range(scale(4)):
                    before = connection.begin_nested()
                    while not change(connection, table, column, chance):
                        # Another has this value, and the database keeps them apart.
                        before.rollback()
                        before = connection.begin_nested()
                    assert named(connection, model), f"{table.name}.{column.name}"
                    before.rollback()
            before = connection.begin_nested()
            connection.execute(sa.delete(table))
            assert set(named(connection, model)) == {"is gone"}, table.name
            before.rollback()
    assert found(journal) == []


def named(connection: Connection, model: type[SQLModel]) -> list[str]:
    with Session(connection) as session, _as_stored(session):
        return [stray.reason for stray in _Table(session, model).strays()]


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """The database as whoever owns it can change it, with no check in the way; nothing stays."""
    with engine.execution_options(writes=True).connect() as connection:
        if engine.dialect.name == "sqlite":
            driver: Any = connection.connection.driver_connection
            for pragma in ("ignore_check_constraints=ON", "foreign_keys=OFF"):
                driver.execute(f"PRAGMA {pragma}")
            driver.text_factory = lambda text: text.decode(errors="surrogateescape")
        else:
            constraints = sa.text(
                "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
                " AND connamespace = 'public'::regnamespace AND conrelid <> 0"
                " AND conrelid::regclass::text <> 'spatial_ref_sys'"
            )
            for table, name in connection.execute(constraints).all():
                connection.execute(sa.text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))
        yield connection
        connection.rollback()


def change(
    connection: Connection, table: sa.Table, column: sa.Column[Any], chance: random.Random
) -> bool:
    """Change one row's value in a column to another; on SQLite a bit of it, as it is stored.

    Returns whether the database takes it.
    """
    name = f'"{column.name}"'
    key = next(iter(table.primary_key)).name
    rows = connection.execute(sa.text(f"SELECT CAST({key} AS TEXT) FROM {table.name}"))  # noqa: S608
    given: Row = {"row": chance.choice(sorted(rows.scalars()))}
    at = f"WHERE CAST({key} AS TEXT) = :row"
    if connection.dialect.name == "postgresql":
        fresh = ON_POSTGRESQL[kind_of(column)].format(name)
    else:
        stored = sa.text(f"SELECT typeof({name}), CAST({name} AS BLOB) FROM {table.name} {at}")  # noqa: S608
        kind, value = connection.execute(stored, given).one()
        if not value:
            kind, value = "text", b"1"
        elif kind == "integer":
            value = str(int(value) ^ 1 << chance.randrange(3)).encode()
        else:
            place = chance.randrange(len(value))
            bit = bytes([value[place] ^ 1 << chance.randrange(8)])
            value = value[:place] + bit + value[place + 1 :]
        fresh = f"CAST(:value AS {kind})"
        given["value"] = value
    try:
        connection.execute(sa.text(f"UPDATE {table.name} SET {name} = {fresh} {at}"), given)  # noqa: S608
    except IntegrityError:
        return False
    return True


def kind_of(column: sa.Column[Any]) -> str:
    type_ = column.type
    return type(type_.impl if isinstance(type_, sa.types.TypeDecorator) else type_).__name__


A_TEXT = "coalesce('~' || substr({0}, 2), '~')"
ON_POSTGRESQL = {
    "Boolean": "coalesce(NOT {0}, true)",
    "Integer": "coalesce({0} + 10, 1)",
    "DateTime": "coalesce({0} + interval '1 microsecond', now())",
    "Date": "coalesce({0} + 1, current_date)",
    "Uuid": "gen_random_uuid()",
    # A blank more, which changes nothing that it means.
    "JSON": "coalesce(({0}::text || ' ')::json, '1'::json)",
    "LargeBinary": "ST_MakePoint(ST_X({0}::geometry) + 1e-9, ST_Y({0}::geometry))::geography",
    "AutoString": A_TEXT,
    "String": A_TEXT,
    "Text": A_TEXT,
}


@pytest.fixture
def sqlite_journal(sqlite_engine: Engine, tmp_path: Path) -> Journal:
    return Journal(sqlite_engine, b"k" * 32, tmp_path / HEAD_FILE)


def by_hand(journal: Journal, statement: str) -> None:
    with journal.engine.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text(statement))


def test_it_is_said_what_is_wrong_with_a_row_until_it_is_recorded_so(
    sqlite_journal: Journal,
) -> None:
    with sqlite_journal.writing("account ada") as session:
        ales, beers, ciders = (Business(name=f"{name} Ltd") for name in ("Ales", "Beers", "Ciders"))
        session.add_all([ales, beers, ciders])
        ids = [str(one.id) for one in (ales, beers, ciders)]
    by_hand(sqlite_journal, "UPDATE business SET name = 'Alms Ltd' WHERE name = 'Ales Ltd'")
    by_hand(sqlite_journal, "DELETE FROM business WHERE name = 'Beers Ltd'")
    forged = make_venue(sqlite_journal.engine, safe_haven_from=None)
    assert set(found(sqlite_journal)) == {
        ("business", ids[0], "differs in name"),
        ("business", ids[1], "is gone"),
        ("venue", str(forged.id), "is not in the journal"),
    }
    with sqlite_journal.writing("command root") as session:
        note(session, [one.content for one in strays(session) if one.content])
    assert found(sqlite_journal) == []
    assert sqlite_journal.verify() is None
    by_hand(sqlite_journal, "UPDATE business SET id = 'x' WHERE name = 'Ciders Ltd'")
    assert set(found(sqlite_journal)) == {
        ("business", ids[2], "is gone"),
        ("business", "x", "can't be read"),
    }


def test_a_column_that_was_added_later_holds_its_default(sqlite_journal: Journal) -> None:
    with sqlite_journal.writing("account ada") as session:
        name = "Ales Ltd"
        row = {"name": name, "folded_name": "ales", "notes": "", "closed_on": None}
        id_ = uuid4()
        # As an entry from before `closed_reason` says it.
        note(session, [Content("business", str(id_), None, {"id": str(id_), **row})])
        session.connection().execute(
            sa.insert(SQLModel.metadata.tables["business"]), {"id": id_, "closed_reason": "", **row}
        )
    assert found(sqlite_journal) == []
    by_hand(sqlite_journal, "UPDATE business SET closed_reason = 'Forged'")
    assert [reason for *_, reason in found(sqlite_journal)] == ["differs in closed_reason"]


def test_what_a_live_record_says_of_a_person_can_not_go_unseen(sqlite_journal: Journal) -> None:
    venue = make_venue(sqlite_journal.engine).id
    with sqlite_journal.writing("account ada") as session:
        contact = add_contact(session, Venue, venue, ContactIn(name="Sam Okafor"))
        id_ = str(contact.id)
    with sqlite_journal.writing("account ada") as session:
        kim = ContactIn(name="Kim Okafor", role="Manager", phone="1", email="k@lantern.example")
        edit_contact(session, session.exec(select(Contact)).one(), kim)
    by_hand(sqlite_journal, "DELETE FROM journal_personal WHERE number = 1")
    reason = "is there, but not what entry 1 says of a person"
    assert ("contact", id_, reason) in found(sqlite_journal)
    assert sqlite_journal.verify() is None
