"""The journal writes down every change, and any edit of what it wrote shows."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, col, select

from app.accounts.models import Account, Role
from app.core import journal_chain
from app.core.db import connected, read_session, write_session
from app.core.journal import HEAD_FILE, Journal, actor, erase, now, personal_in
from app.core.journal_chain import Break, Entry, Verified, hash_of, id_of
from app.core.places import Point
from app.http.idempotency import AnsweredCreate
from app.venues.hours import Hours
from app.venues.kinds import Category
from app.venues.models import Business, Contact, Venue, Ward
from app.venues.osm_hours import parse
from tests.factories import make_venue, make_ward

KEY = b"k" * 32
OTHER_KEY = b"x" * 32
JOURNAL = SQLModel.metadata.tables["journal"]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


@pytest.fixture
def journal(engine: Engine, tmp_path: Path) -> Journal:
    return Journal(engine, KEY, tmp_path / HEAD_FILE)


@pytest.fixture
def sqlite_journal(sqlite_url: str, tmp_path: Path) -> Iterator[Journal]:
    with connected(sqlite_url) as engine:
        yield Journal(engine, KEY, tmp_path / HEAD_FILE)


def entries(journal: Journal) -> list[Entry]:
    with read_session(journal.engine) as session:
        return list(session.exec(select(Entry).order_by(col(Entry.number))))


def story(journal: Journal, subject: str) -> list[tuple[Any, Any]]:
    """Before and after of every entry about one kind of record."""
    return [
        (json.loads(entry.before or "null"), json.loads(entry.after or "null"))
        for entry in entries(journal)
        if entry.subject == subject
    ]


def add_business(journal: Journal, name: str) -> UUID:
    with journal.writing("account ada") as session:
        business = Business(name=name)
        session.add(business)
        return business.id


def fill(journal: Journal, number: int) -> None:
    for n in range(number):
        add_business(journal, f"Business {n}")


# --- what is written -------------------------------------------------------------------------


def test_an_entry_says_who_changed_what_and_when(journal: Journal) -> None:
    began = datetime.now(UTC)
    with journal.writing("account ada") as session:
        business = Business(name="Ales Ltd")
        session.add(business)
        recorded_at, business_id = now(session), str(business.id)
        assert actor(session) == "account ada"
    (entry,) = entries(journal)
    assert (entry.number, entry.actor, entry.subject) == (1, "account ada", "business")
    assert entry.subject_id == business_id
    assert entry.at == recorded_at
    assert began <= entry.at <= datetime.now(UTC)
    assert journal.verify() is None


def test_insert_edit_and_delete_show_what_was_and_what_became(journal: Journal) -> None:
    ward = make_ward(journal.engine, name="Old name", code="E1")
    with journal.writing("account ada") as session:
        session.add(Business(name="Ales Ltd"))
    with journal.writing("account ada") as session:
        session.exec(select(Ward)).one().name = "New name"
    with journal.writing("account ada") as session:
        session.delete(session.exec(select(Ward)).one())
    ((before, after),) = story(journal, "business")
    assert before is None
    assert after["name"] == "Ales Ltd"
    edited, deleted = story(journal, "ward")
    assert edited == ({"name": "Old name"}, {"name": "New name"})
    assert deleted[0]["name"] == "New name"
    assert deleted[0]["id"] == str(ward.id)
    assert deleted[1] is None
    assert journal.verify() is None


def test_hours_points_and_dates_are_written_as_people_read_them(journal: Journal) -> None:
    venue_id = make_venue(journal.engine, hours="Mo-Fr 10:00-22:00").id
    with journal.writing("account ada") as session:
        venue = session.get_one(Venue, venue_id)
        venue.hours = parse("Sa 12:00-20:00")
        venue.location = Point(51.52, -0.08)
        venue.last_checked = date(2026, 1, 2)
        venue.category = Category.BAR
        venue.phone = ""
    before, after = story(journal, "venue")[0]
    assert set(after) == {"hours", "location", "last_checked", "category"}
    assert Hours.model_validate(before["hours"]) == parse("Mo-Fr 10:00-22:00")
    assert Hours.model_validate(after["hours"]) == parse("Sa 12:00-20:00")
    assert before["location"] == {"lat": 51.5134, "lon": -0.089}
    assert after["location"] == {"lat": 51.52, "lon": -0.08}
    assert (before["last_checked"], after["last_checked"]) == (None, "2026-01-02")
    assert (before["category"], after["category"]) == ("pub", "bar")
    assert journal.verify() is None


def test_a_secret_is_seen_to_change_and_never_shown(journal: Journal) -> None:
    with journal.writing("command root") as session:
        account = Account(name="ada", roles=[Role.OFFICER], password_hash="argon2-first")
        session.add(account)
    with journal.writing("command root") as session:
        session.exec(select(Account)).one().password_hash = "argon2-second"
    assert "argon2" not in "".join(f"{e.before}{e.after}" for e in entries(journal))
    before, after = story(journal, "account")[1]
    assert set(after) == {"password_hash"}
    assert before != after


def test_bookkeeping_and_what_stays_the_same_are_not_entries(journal: Journal) -> None:
    business_id = add_business(journal, "Ales Ltd")
    with journal.writing("account ada") as session:
        session.get_one(Business, business_id).notes = ""
        session.add(
            AnsweredCreate(
                account_id=business_id, key="k", request_hash="", at=now(session),
                location="", body="",
            )
        )  # fmt: skip
    assert len(entries(journal)) == 1


def test_a_change_anywhere_else_is_an_error(journal: Journal) -> None:
    with (
        pytest.raises(RuntimeError, match="only"),
        write_session(journal.engine) as session,
    ):
        session.add(Business(name="Ales Ltd"))
    with read_session(journal.engine) as session:
        assert session.exec(select(Business)).all() == []


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(Business).values(name="All the same"),
        sa.delete(Business),
        sa.insert(Business).values(id=UUID(int=1), name="Unseen"),
    ],
    ids=["update", "delete", "insert"],
)
def test_a_statement_that_would_change_records_unseen_is_an_error(
    journal: Journal, statement: Any
) -> None:
    with (
        pytest.raises(RuntimeError, match="one by one"),
        journal.writing("account ada") as session,
    ):
        session.execute(statement)


def test_what_nobody_read_is_not_overwritten(journal: Journal) -> None:
    business_id = add_business(journal, "Ales Ltd")
    with journal.writing("account ada") as session:
        business = session.get_one(Business, business_id)
        session.expire(business)
        business.notes = "Has two doors"
        with pytest.raises(RuntimeError, match="nobody knows what it was"):
            session.flush()
        session.rollback()
    assert len(entries(journal)) == 1


def test_a_failed_write_leaves_no_entry_and_no_gap(journal: Journal) -> None:
    add_business(journal, "First")

    def fail() -> None:
        with journal.writing("account ada") as session:
            session.add(Business(name="Second"))
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    add_business(journal, "Third")
    assert [entry.number for entry in entries(journal)] == [1, 2]
    assert journal.verify() is None


def test_what_is_tried_and_rolled_back_leaves_no_entry_and_no_gap(journal: Journal) -> None:
    add_business(journal, "First")
    with journal.writing("account ada") as session:
        session.add(Business(name="Only tried"))
        session.flush()
        session.rollback()
    assert journal.verify() is None
    with journal.writing("account ada") as session:
        session.add(Business(name="Second"))
        with session.begin_nested() as attempt:
            session.add(Business(name="Only tried"))
            session.flush()
            attempt.rollback()
        session.add(Business(name="Third"))
    assert [after["name"] for _, after in story(journal, "business")] == [
        "First",
        "Second",
        "Third",
    ]
    assert journal.verify() is None


def test_time_goes_on_even_when_the_clock_goes_back_a_little(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_business(journal, "First")
    (first,) = entries(journal)

    class Slow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return first.at.astimezone(tz) - timedelta(minutes=1)

    monkeypatch.setattr("app.core.journal.datetime", Slow)
    add_business(journal, "Second")
    add_business(journal, "Third")
    assert [entry.at - first.at for entry in entries(journal)] == [
        timedelta(microseconds=n) for n in range(3)
    ]
    assert journal.verify() is None


# --- what the database refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    ["UPDATE journal SET actor = 'nobody'", "DELETE FROM journal", "TRUNCATE journal"],
    ids=["update", "delete", "truncate"],
)
def test_the_database_lets_the_journal_only_grow(journal: Journal, statement: str) -> None:
    add_business(journal, "First")
    if statement.startswith("TRUNCATE") and journal.engine.dialect.name == "sqlite":
        statement = "DELETE FROM journal WHERE true"  # SQLite truncates by that
    with (
        pytest.raises(DBAPIError, match="the journal only grows"),
        journal.engine.execution_options(writes=True).begin() as connection,
    ):
        connection.execute(sa.text(statement))
    assert len(entries(journal)) == 1


# --- what shows afterwards -------------------------------------------------------------------


def by_hand(journal: Journal, *statements: str) -> None:
    """Change the database as somebody could who owns it."""
    with journal.engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE journal DISABLE TRIGGER ALL"))
        else:
            for change in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER IF EXISTS journal_no_{change}"))
        for statement in statements:
            connection.execute(sa.text(statement))


def broken(journal: Journal) -> tuple[int, str] | None:
    found = journal.verify()
    return (found.number, found.reason) if found else None


ALTERED = "was altered, or written without the secret"
COPIED = (
    "INSERT INTO journal (number, at, actor, subject, subject_id, before, after, key_id, hash)"
    " SELECT {}, at, actor, subject, subject_id, before, after, key_id, hash"
    " FROM journal WHERE number = 5"
)


@pytest.mark.parametrize(
    "change",
    [
        "at = '2001-01-01 00:00:00+00:00'",
        "actor = 'account eve'",
        "subject = 'businesS'",
        "subject_id = '6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10'",
        "before = '{}'",
        "before = ''",
        "after = replace(after, 'Business', 'business')",
        "after = NULL",
        "hash = replace(hash, substr(hash, 1, 1), 'g')",
        "hash = 'é'",
        "hash = ''",
    ],
)
def test_an_edited_entry_is_named(journal: Journal, change: str) -> None:
    fill(journal, 5)
    by_hand(journal, f"UPDATE journal SET {change} WHERE number = 3")  # noqa: S608
    number, reason = broken(journal) or (0, "")
    assert (number, reason.partition(",")[0]) == (3, "was altered")


@pytest.mark.parametrize(
    ("statement", "number", "reason"),
    [
        ("DELETE FROM journal WHERE number = 1", 1, "is missing"),
        ("DELETE FROM journal WHERE number = 3", 3, "is missing"),
        ("DELETE FROM journal WHERE number = 5", 5, "and all up to 5 were cut off"),
        ("DELETE FROM journal WHERE number >= 3", 3, "and all up to 5 were cut off"),
        ("DELETE FROM journal", 1, "and all up to 5 were cut off"),
        ("UPDATE journal SET number = 0 WHERE number = 2", 1, "is missing"),
        ("UPDATE journal SET number = 99 WHERE number = 2", 2, "is missing"),
        (COPIED.format(6), 6, ALTERED),
        (COPIED.format(-7), 1, "is missing"),
    ],
)
def test_a_lost_or_added_entry_is_named(
    journal: Journal, statement: str, number: int, reason: str
) -> None:
    fill(journal, 5)
    by_hand(journal, statement)
    assert broken(journal) == (number, reason)


def test_a_chain_rewritten_without_the_key_is_named(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 5)
    by_hand(journal, "DELETE FROM journal", "DELETE FROM business")
    forger = Journal(journal.engine, OTHER_KEY, tmp_path / "forged.head")
    fill(forger, 5)
    assert forger.verify() is None
    number, reason = broken(journal) or (0, "")
    assert number == 1
    assert reason.startswith("was signed with key ")


def test_a_later_part_rewritten_without_the_key_is_named(journal: Journal, tmp_path: Path) -> None:
    fill(journal, 5)
    by_hand(journal, "DELETE FROM journal WHERE number > 3")
    add_business(Journal(journal.engine, OTHER_KEY, tmp_path / "forged.head"), "Forged")
    by_hand(journal, f"UPDATE journal SET key_id = '{id_of(KEY)}' WHERE number = 4")  # noqa: S608
    assert broken(journal) == (4, ALTERED)


def test_a_chain_grown_again_over_a_cut_is_named(journal: Journal) -> None:
    fill(journal, 5)
    by_hand(journal, "DELETE FROM journal WHERE number > 3")
    # The service goes on writing, with the key, past what the copy knows.
    for name in ("Ales Ltd", "Beers Ltd", "Ciders Ltd"):
        add_business(journal, name)
    assert broken(journal) == (5, f"is not the one that {HEAD_FILE} knows")


@pytest.mark.parametrize(
    "column",
    [*(f"journal.{c.name}" for c in JOURNAL.columns), "journal_personal.salt",
     "journal_personal.content"],
)  # fmt: skip
def test_one_byte_changed_in_the_database_file_is_named(
    sqlite_journal: Journal, tmp_path: Path, column: str
) -> None:
    """Every byte of an entry in turn, as a hand with an editor for files could."""
    with sqlite_journal.writing("account ada") as session:
        session.add_all(Business(name=f"Business {n}") for n in range(4))
        session.flush()
        session.add(Contact(business_id=session.exec(select(Business.id)).first(), name="Sam"))
    with sqlite_journal.writing("account bob") as session:
        sam = session.exec(select(Contact)).one()
        sam.phone, sam.preferred = "020 7946 0123", True
    sqlite_journal.engine.dispose()
    path = Path(str(sqlite_journal.engine.url.database))
    table, name = column.split(".")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER journal_no_update")
        if column == "journal.number":
            connection.execute("UPDATE journal SET number = 7 WHERE number = 6")
            changed = [None]
        else:
            (value,) = connection.execute(
                f"SELECT CAST({name} AS BLOB) FROM {table} WHERE number = 6"  # noqa: S608
            ).fetchone()
            changed = [
                value[:place]
                + bytes([value[place] ^ (0x80 if place % 8 else 0x01)])
                + value[place + 1 :]
                for place in range(len(value))
            ]
    connection.close()
    for value in changed:
        with sqlite3.connect(path) as connection:
            if value is not None:
                connection.execute(
                    f"UPDATE {table} SET {name} = CAST(? AS TEXT) WHERE number = 6",  # noqa: S608
                    [value],
                )
        connection.close()
        found = sqlite_journal.verify()
        assert found is not None, value
        assert found.number == 6, value


def test_a_tail_cut_in_the_database_file_is_named(sqlite_journal: Journal) -> None:
    fill(sqlite_journal, 6)
    sqlite_journal.engine.dispose()
    with sqlite3.connect(str(sqlite_journal.engine.url.database)) as connection:
        connection.execute("DROP TRIGGER journal_no_delete")
        connection.execute("DELETE FROM journal WHERE number > 4")
    connection.close()
    assert broken(sqlite_journal) == (5, "and all up to 6 were cut off")


# --- the copy outside the database -----------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"1", b"null", b"\xff", b'{"number": 5, "hash": "", "signature": ""}',
        b'{"number": 5, "hash": "", "signature": "\xc3\xa9"}', b'{"number": "x"}',
        b'{"number": 9999999, "hash": "0", "signature": "0"}',
    ],
)  # fmt: skip
def test_an_altered_copy_is_named_until_somebody_accepts_it(
    sqlite_journal: Journal, tmp_path: Path, content: bytes
) -> None:
    fill(sqlite_journal, 5)
    (tmp_path / HEAD_FILE).write_bytes(content)
    assert broken(sqlite_journal) == (6, f"can't be ruled out: {HEAD_FILE} was altered")
    add_business(sqlite_journal, "Written all the same")
    assert broken(sqlite_journal) == (7, f"can't be ruled out: {HEAD_FILE} was altered")
    assert sqlite_journal.covered() == 0
    sqlite_journal.accept()
    assert broken(sqlite_journal) is None
    assert sqlite_journal.covered() == 6


def test_one_byte_changed_in_the_copy_is_named(sqlite_journal: Journal, tmp_path: Path) -> None:
    fill(sqlite_journal, 5)
    head = tmp_path / HEAD_FILE
    whole = head.read_bytes()
    for place in range(len(whole)):
        head.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert broken(sqlite_journal) == (6, f"can't be ruled out: {HEAD_FILE} was altered"), place


def test_a_missing_copy_is_named_until_somebody_accepts_it(
    sqlite_journal: Journal, tmp_path: Path
) -> None:
    assert broken(sqlite_journal) is None, "nothing was written yet"
    fill(sqlite_journal, 5)
    (tmp_path / HEAD_FILE).unlink()
    assert broken(sqlite_journal) == (6, f"can't be ruled out: {HEAD_FILE} is missing")
    add_business(sqlite_journal, "Written all the same")
    assert broken(sqlite_journal) == (7, f"can't be ruled out: {HEAD_FILE} is missing")
    sqlite_journal.accept()
    assert broken(sqlite_journal) is None


def test_an_older_copy_covers_less_and_says_so(sqlite_journal: Journal, tmp_path: Path) -> None:
    fill(sqlite_journal, 3)
    head, older = tmp_path / HEAD_FILE, tmp_path / "older"
    shutil.copy(head, older)
    add_business(sqlite_journal, "Fourth")
    add_business(sqlite_journal, "Fifth")
    assert sqlite_journal.covered() == 5
    shutil.copy(older, head)
    assert broken(sqlite_journal) is None
    assert (sqlite_journal.covered(), sqlite_journal.length()) == (3, 5)
    by_hand(sqlite_journal, "DELETE FROM journal WHERE number > 2")
    assert broken(sqlite_journal) == (3, "and all up to 3 were cut off")


def test_writing_goes_on_while_the_journal_is_verified(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(journal, 2)
    read = journal_chain.entries_after

    def slowly(*asked: Any) -> Iterator[Any]:
        yield from read(*asked)
        add_business(journal, "Meanwhile")

    monkeypatch.setattr(journal_chain, "entries_after", slowly)
    assert broken(journal) is None
    assert journal.covered() == 3


def test_a_copy_of_another_journal_is_named(sqlite_journal: Journal, tmp_path: Path) -> None:
    fill(sqlite_journal, 3)
    head, other = tmp_path / HEAD_FILE, tmp_path / "other"
    shutil.copy(head, other)
    by_hand(sqlite_journal, "DELETE FROM journal", "DELETE FROM business")
    head.unlink()
    fill(sqlite_journal, 4)
    shutil.copy(other, head)
    assert broken(sqlite_journal) == (3, f"is not the one that {HEAD_FILE} knows")


def test_a_copy_that_cannot_be_written_does_not_fail_what_was_committed(
    sqlite_journal: Journal, tmp_path: Path
) -> None:
    fill(sqlite_journal, 1)
    (tmp_path / "journal.new").mkdir()
    add_business(sqlite_journal, "Second")
    assert len(entries(sqlite_journal)) == 2
    assert (sqlite_journal.covered(), broken(sqlite_journal)) == (1, None)
    (tmp_path / "journal.new").rmdir()
    add_business(sqlite_journal, "Third")
    assert sqlite_journal.covered() == 3


def test_it_is_verified_in_parts_as_in_one(sqlite_journal: Journal) -> None:
    def in_parts() -> list[Verified]:
        found = [sqlite_journal.verify_on(None, 2)]
        while found[-1].broken is None and found[-1].number < sqlite_journal.length():
            found.append(sqlite_journal.verify_on(found[-1], 2))
        return found

    fill(sqlite_journal, 5)
    assert [(one.number, one.broken) for one in in_parts()] == [(2, None), (4, None), (5, None)]
    by_hand(sqlite_journal, "UPDATE journal SET actor = 'account eve' WHERE number = 4")
    assert in_parts()[-1].broken == sqlite_journal.verify() == Break(4, ALTERED)


def test_an_edit_among_thousands_is_named(journal: Journal) -> None:
    with journal.writing("account ada") as session:
        session.add_all(Business(name=f"Business {n}") for n in range(1100))
    assert journal.verify() is None
    by_hand(journal, "UPDATE journal SET after = '{}' WHERE number = 1050")
    assert broken(journal) == (1050, ALTERED)


# --- what is said of persons ------------------------------------------------------------------


def add_contact(journal: Journal) -> UUID:
    with journal.writing("account ada") as session:
        business = Business(name="Ales Ltd")
        session.add(business)
        session.flush()
        contact = Contact(business_id=business.id, name="Sam Okafor", phone="020 7946 0123")
        session.add(contact)
        return contact.id


def test_what_is_said_of_a_person_lies_beside_the_journal_and_can_be_erased(
    journal: Journal,
) -> None:
    contact_id = add_contact(journal)
    with journal.writing("account ada") as session:
        session.get_one(Contact, contact_id).email = "sam@lantern.example"
    whole = "".join(f"{e.before}{e.after}" for e in entries(journal))
    assert not any(said in whole for said in ("Okafor", "7946", "lantern"))
    with read_session(journal.engine) as session:
        beside = personal_in(session, range(1, 9))
    assert beside[2]["after"]["name"] == "Sam Okafor"
    assert beside[3] == {"before": {"email": ""}, "after": {"email": "sam@lantern.example"}}
    with journal.writing("account bob") as session:
        erase(session, [session.get_one(Contact, contact_id)])
    with read_session(journal.engine) as session:
        assert personal_in(session, range(1, 9)) == {}
        assert session.exec(select(Contact)).all() == []
    *_, last = entries(journal)
    assert (last.actor, last.subject_id) == ("account bob", str(contact_id))
    assert (last.before, last.after, last.commitment) == ("{}", None, None)
    assert journal.verify() is None


@pytest.mark.parametrize("statement", [
    "UPDATE journal_personal SET content = replace(content, 'Sam', 'Kim')",
    "UPDATE journal_personal SET salt = 'x'",
])  # fmt: skip
def test_what_is_said_of_a_person_can_not_be_changed_unseen(
    sqlite_journal: Journal, statement: str
) -> None:
    add_contact(sqlite_journal)
    by_hand(sqlite_journal, statement)
    assert broken(sqlite_journal) == (2, "was altered in what it says of a person")


# --- keys -------------------------------------------------------------------------------------


def changed_key(journal: Journal, *keys: bytes) -> Journal:
    """The same journal with other keys, the newest first."""
    return Journal(journal.engine, keys[0], journal._head.file, keys[1:])


def test_entries_of_an_older_key_stay_genuine(journal: Journal) -> None:
    fill(journal, 3)
    after = changed_key(journal, OTHER_KEY, KEY)
    assert after.verify() is None
    assert after.covered() == 3
    add_business(after, "Ales Ltd")
    assert after.verify() is None
    assert [entry.key_id for entry in entries(after)] == [id_of(KEY)] * 3 + [id_of(OTHER_KEY)]
    reason = f"was signed with key {id_of(KEY)}, which is not in HAVENS_OLD_SECRET_KEYS"
    assert broken(changed_key(journal, OTHER_KEY)) == (1, reason)


def test_hosts_may_change_keys_one_after_the_other(journal: Journal) -> None:
    after = changed_key(journal, OTHER_KEY, KEY)
    add_business(journal, "Before")
    add_business(after, "First with the new key")
    add_business(journal, "On a host that has not changed yet")
    assert after.verify() is None


def test_a_key_that_was_replaced_signs_nothing_any_more(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with an instant of the time when it was good: the order tells."""
    after = changed_key(journal, OTHER_KEY, KEY)
    add_business(after, "First with the new key")
    monkeypatch.setattr(journal_chain, "KEYS_OVERLAP", timedelta(0))
    add_business(after, "Second with the new key")
    add_business(journal, "By whoever has stolen the old one")
    assert broken(after) == (3, "was signed with a key that had been replaced by then")


def test_entries_from_before_keys_had_ids_stay_genuine(journal: Journal) -> None:
    row, last = {"actor": "account ada", "subject": "ward", "before": None}, ""
    with journal.engine.execution_options(writes=True).begin() as connection:
        for number in (1, 2):
            entry = {"number": number, "at": datetime(2026, 1, number, tzinfo=UTC), **row}
            entry |= {"subject_id": f"w{number}", "after": '{"name":"Cheap"}'}
            last = hash_of(KEY, last, entry)
            connection.execute(sa.insert(JOURNAL), entry | {"hash": last})
    journal.accept()
    add_business(journal, "Ales Ltd")
    assert journal.verify() is None
    assert changed_key(journal, OTHER_KEY, KEY).verify() is None
    assert broken(changed_key(journal, OTHER_KEY)) == (1, ALTERED)
