"""What has been kept for long enough goes, that and nothing else, and the journal stays whole."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlmodel import col, select

from app.accounts.models import Account, SignIn
from app.core.db import connected, read_session
from app.core.journal import HEAD_FILE, Journal, note, written_in
from app.core.journal_chain import Entry
from app.core.journal_changes import Content
from app.core.journal_proof import strays
from app.core.settings import KeepDays
from app.http.idempotency import AnsweredCreate
from app.outreach.models import Letter, ProblemReport, ReportKind, Statement, Subject
from app.outreach.reports import end_of_day
from app.register import tidy as tidying
from app.register.tidy import tidy
from app.venues.models import Business, Contact
from tests.factories import make_venue

NOW = datetime.now(UTC)
KEEP = KeepDays(answered_creates=10, sign_ins=20, comments=30, contacts=40, statements=50)
REMOVED = {"answered_creates": 3, "sign_ins": 2, "comments": 3, "contacts": 3, "statements": 3}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def journal(engine: Engine, tmp_path: Path) -> Journal:
    return Journal(engine, b"k" * 32, tmp_path / HEAD_FILE)


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def day(days: int) -> date:
    return ago(days).date()


def fill(journal: Journal) -> None:
    """Of each kind some that are due by `KEEP`, and some that are not."""
    venue = make_venue(journal.engine, safe_haven_from=None).id
    shut = make_venue(journal.engine, safe_haven_from=None, closed_on=day(50)).id
    letter = Letter(contact_id=uuid4(), about=[], made_at=ago(90))
    with journal.writing("account ada") as session:
        session.add(letter)
        ada = Account(name="ada", roles=[])
        gone = Business(name="Gone Ltd", closed_on=day(50))
        session.add_all([ada, gone, Business(name="Ales Ltd")])
        session.flush()
        session.add_all(
            [
                *(answered(ada.id, days) for days in (0, 9, 12, 13, 400)),
                sign_in(ada.id, began=400, over=399),
                sign_in(ada.id, began=23, over=22, ended=22),
                sign_in(ada.id, began=19, over=18),
                sign_in(ada.id, began=0, over=-1),
                *(report(venue, days, "Locked") for days in (0, 28, 33, 90, 400)),
                report(venue, 400, ""),
                Contact(business_id=gone.id, name="Sam Gone"),
                Contact(venue_id=shut, name="Kim Gone", email="kim.gone@lantern.example"),
                Contact(venue_id=venue, name="Ali Gone", ended_on=day(45)),
                Contact(venue_id=venue, name="Joe Kept", ended_on=day(30)),
                Contact(venue_id=venue, name="Ann Kept"),
                statement(letter, venue, Subject.HOURS, days=400),
                statement(letter, venue, Subject.FACILITIES, days=60),
                statement(letter, shut, Subject.HOURS, days=55),
                statement(letter, shut, Subject.FACILITIES, days=45),
            ]
        )


def answered(account: UUID, days: int) -> AnsweredCreate:
    return AnsweredCreate(
        account_id=account, key=f"k{days}", request_hash="", at=ago(days), location="/", body="{}"
    )


def sign_in(account: UUID, began: int, over: int, ended: int | None = None) -> SignIn:
    return SignIn(
        account_id=account,
        began_at=ago(began),
        expires_at=ago(over),
        ended_at=ago(ended) if ended else None,
    )


def statement(letter: Letter, venue: UUID, subject: Subject, days: int) -> Statement:
    return Statement(
        letter_id=letter.id, venue_id=venue, subject=subject, unchanged=False, changed="Gone now",
        said_at=ago(days),
    )  # fmt: skip


def report(venue: UUID, days: int, comment: str) -> ProblemReport:
    at = end_of_day(ago(days))
    return ProblemReport(
        venue_id=venue, kind=ReportKind.CLOSED, comment=comment, effective_at=at, recorded_at=at,
        recorded_by="public",
    )  # fmt: skip


def test_what_is_due_goes_and_nothing_else(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal)
    monkeypatch.setattr(tidying, "AT_ONCE", 2)
    assert tidy(journal, KEEP, "command root") == REMOVED
    with read_session(journal.engine) as session:
        assert {one.key for one in session.exec(select(AnsweredCreate))} == {"k0", "k9"}
        began = {(NOW - one.began_at).days for one in session.exec(select(SignIn))}
        assert began == {0, 19}
        comments = Counter(one.comment for one in session.exec(select(ProblemReport)))
        assert comments == {"Locked": 2, "": 4}
        assert set(session.exec(select(Contact.name))) == {"Joe Kept", "Ann Kept"}
        assert [one.changed for one in session.exec(select(Statement))] == ["Gone now"]
        entries = session.exec(select(Entry).order_by(col(Entry.number))).all()
        # The two venues were put in past the journal.
        assert {one.subject for one in strays(session)} == {"venue"}
    said = "".join(f"{entry.before}{entry.after}" for entry in entries)
    assert "Gone" not in said.replace("Gone Ltd", "")
    told = [entry for entry in entries if entry.subject == "tidy"]
    assert {(entry.actor, entry.before) for entry in told} == {("command root", None)}
    assert told[-1].subject_id == "statements"
    assert told[-1].after == f'{{"removed":1,"until":"{day(50)}"}}'
    removed = [entry for entry in entries if entry.after is None]
    assert Counter(entry.subject for entry in removed) == {
        "sign_in": 2,
        "contact": 3,
        "statement": 3,
    }
    assert {entry.before for entry in removed} == {"{}"}
    assert journal.verify() is None

    number = journal.length()
    assert tidy(journal, KEEP, "command root") == dict.fromkeys(REMOVED, 0)
    assert journal.length() == number


def test_two_at_once_remove_each_only_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal)
    monkeypatch.setattr(tidying, "AT_ONCE", 1)
    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(tidy, journal, KEEP, f"command {n}") for n in range(2)]
        total = Counter(runs[0].result())
        total.update(runs[1].result())
    assert total == REMOVED
    assert journal.verify() is None


def test_what_was_erased_is_not_in_the_file_either(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "havens.sqlite"
    with connected(sqlite_url) as engine:
        fill(Journal(engine, b"k" * 32, tmp_path / HEAD_FILE))
    assert b"kim.gone@lantern" in file.read_bytes()
    with connected(sqlite_url) as engine:
        tidy(Journal(engine, b"k" * 32, tmp_path / HEAD_FILE), KEEP, "command root")
    assert b"kim.gone@lantern" not in file.read_bytes()
    assert not file.with_name("havens.sqlite-wal").exists()


def test_entries_that_hold_details_for_good_are_counted(journal: Journal) -> None:
    with journal.writing("account ada") as session:
        contact = {"id": "c1", "name": "Sam", "phone": "1", "preferred": True}
        note(
            session,
            [
                Content("contact", "c1", None, contact),
                Content("contact", "c1", {"phone": "1"}, {"phone": "2"}),
                Content("contact", "c1", {"preferred": True}, {"preferred": False}),
                Content("contact", "c2", None, contact, ("name", "phone")),
                Content("business", "b1", None, {"name": "Ales Ltd"}),
            ],
        )
    with read_session(journal.engine) as session:
        assert written_in(session) == 2
