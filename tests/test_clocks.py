"""A host's clock that is wrong harms nothing but the dates of what that host records."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Client
from pydantic import SecretStr
from sqlmodel import Session, col, select
from typer.testing import CliRunner

from app import cli
from app.accounts import cli as accounts_cli
from app.accounts.models import Account, SignIn
from app.accounts.passwords import hashed
from app.core import journal as journal_module
from app.core.db import connected, database_clock, read_session
from app.core.journal import Journal, Misdated
from app.core.journal_chain import Entry
from app.core.settings import Settings
from app.register import journal_cli
from app.venues.facts import facts_as
from app.venues.kinds import Category
from app.venues.models import Venue, VenueFacts
from tests.accounts import add_account, sign_in
from tests.factories import journal_of, make_venue

HOURS, YEAR = timedelta(hours=13), timedelta(days=365)
OFF = [HOURS, YEAR, -HOURS]

Shift = Callable[..., None]


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Shift:
    """Sets the clock of this host, and that of the database's unless it `stands_apart`."""

    def shifted(by: timedelta = timedelta(), *, stands_apart: bool = False) -> None:
        class Shifted(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return datetime.now(tz) + by

        clock = database_clock if stands_apart else lambda _: Shifted.now(UTC)
        monkeypatch.setattr(journal_module, "datetime", Shifted)
        monkeypatch.setattr(journal_module, "database_clock", clock)

    return shifted


def entries(journal: Journal) -> list[Entry]:
    with read_session(journal.engine) as session:
        return list(session.exec(select(Entry).order_by(col(Entry.number))))


def write(journal: Journal, name: str, roles: int = 1) -> None:
    with journal.writing("account ada") as session:
        session.add_all(Account(name=f"{name}-{n}", roles=[]) for n in range(roles))


# --- the journal -----------------------------------------------------------------------------


@pytest.fixture
def alone(database_url: str) -> Iterator[Journal]:
    """A journal without a service."""
    with connected(database_url) as engine:
        yield journal_of(engine)


@pytest.mark.parametrize("off", [HOURS, YEAR])
def test_what_follows_a_clock_that_was_ahead_goes_by_the_clock_again(
    alone: Journal, shift: Shift, off: timedelta
) -> None:
    write(alone, "before")
    shift(off)
    write(alone, "ahead", 2)
    shift()
    assert alone.misdated() == [Misdated(2, 3, entries(alone)[1].at, entries(alone)[2].at)]
    began = datetime.now(UTC)
    write(alone, "after")
    write(alone, "later")
    first, ahead, _, after, later = (entry.at for entry in entries(alone))
    assert ahead > began + off - timedelta(hours=1)
    assert first < began <= after < later <= datetime.now(UTC)
    assert alone.verify() is None, "misdated is not forged"
    assert alone.misdated() == [Misdated(2, 3, ahead, ahead)]


def test_what_came_before_a_clock_that_was_behind_is_named(alone: Journal, shift: Shift) -> None:
    write(alone, "before", 2)
    shift(-HOURS)
    write(alone, "behind")
    write(alone, "behind too")
    shift()
    write(alone, "after")
    before, _, behind, behind_too, after = (entry.at for entry in entries(alone))
    assert behind < behind_too < before < after
    assert alone.misdated() == [Misdated(1, 2, before, before)]
    assert alone.verify() is None


def test_every_run_of_misdated_entries_is_named(alone: Journal, shift: Shift) -> None:
    for off, name in ((YEAR, "a"), (timedelta(), "b"), (HOURS, "c"), (timedelta(), "d")):
        shift(off)
        write(alone, name, 2)
    shift(HOURS)
    write(alone, "e")
    shift()
    runs = [(run.first, run.last) for run in alone.misdated()]
    assert runs == [(1, 2), (5, 6), (9, 9)]


def test_clocks_that_differ_a_little_are_the_same(alone: Journal, shift: Shift) -> None:
    shift(timedelta(minutes=1))
    write(alone, "ahead")
    shift()
    write(alone, "after")
    ahead, after = (entry.at for entry in entries(alone))
    assert after - ahead == timedelta(microseconds=1)
    assert alone.misdated() == []


# --- the database's clock --------------------------------------------------------------------


@pytest.mark.parametrize("off", [timedelta(minutes=3), -timedelta(minutes=3), YEAR])
def test_a_host_whose_clock_is_not_the_databases_records_nothing(
    postgresql_url: str, shift: Shift, caplog: pytest.LogCaptureFixture, off: timedelta
) -> None:
    with connected(postgresql_url) as engine:
        journal = journal_of(engine)
        shift(off, stands_apart=True)
        for _ in range(3):
            with pytest.raises(journal_module.WrongClock):
                write(journal, "refused")
        assert entries(journal) == []
        (line,) = [record.getMessage() for record in caplog.records]
        assert "this host's clock says 2" in line
        assert "the database's 2" in line
        shift(timedelta(minutes=1), stands_apart=True)
        write(journal, "recorded")
        assert len(entries(journal)) == 1
        shift(off, stands_apart=True)
        with pytest.raises(journal_module.WrongClock):
            write(journal, "refused")
        assert len(caplog.records) == 2, "once more, for it was right in between"


def test_sqlite_has_no_clock_but_the_hosts(sqlite_url: str, shift: Shift) -> None:
    with connected(sqlite_url) as engine:
        shift(-YEAR, stands_apart=True)
        write(journal_of(engine), "recorded")
        assert len(entries(journal_of(engine))) == 1


# SQLite has no clock but the host's.
@pytest.mark.parametrize(
    "database_url",
    [pytest.param("postgresql", marks=pytest.mark.postgresql)],
    indirect=True,
)
def test_who_writes_is_told_and_who_reads_is_served(
    officer: Client, journal: Journal, shift: Shift, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(entries(journal))
    shift(timedelta(minutes=3), stands_apart=True)
    caplog.set_level(logging.ERROR, "app.core.journal")
    for _ in range(2):
        answer = officer.post("/v1/admin/businesses", json={"name": "Ales Ltd"})
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:safe-havens:problem:wrong-clock"
        assert int(answer.headers["Retry-After"]) > 0
    assert len([one for one in caplog.records if one.name == "app.core.journal"]) == 1
    assert officer.get("/v1/admin/businesses").json() == {"items": []}
    assert len(entries(journal)) == before
    shift(timedelta(minutes=1), stands_apart=True)
    assert officer.post("/v1/admin/businesses", json={"name": "Ales Ltd"}).status_code == 201


@pytest.mark.parametrize("command", ["account add ada --role officer", "import venues venues.csv"])
def test_a_command_says_why_it_wrote_nothing(
    postgresql_url: str,
    tmp_path: Path,
    shift: Shift,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    command: str,
) -> None:
    (tmp_path / "venues.csv").write_text(
        "reference,name,category,latitude,longitude\nA-1,The Brass Heron,pub,51.5136,-0.0922\n"
    )
    monkeypatch.chdir(tmp_path)
    found = Settings.model_validate(
        {"database_url": postgresql_url, "data_dir": tmp_path, "secret_key": "s" * 32}
    )
    for module in (cli, accounts_cli):
        monkeypatch.setattr(module, "settings", lambda: found)
    monkeypatch.setattr("sys.argv", ["havens", *command.split()])
    shift(YEAR, stands_apart=True)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert "Nothing was recorded, for a clock" in str(ended.value.code)
    assert "this host's clock says" in caplog.text


@pytest.mark.parametrize("off", OFF)
def test_the_command_names_what_is_misdated_and_finds_nothing_broken(
    database_url: str,
    tmp_path: Path,
    shift: Shift,
    monkeypatch: pytest.MonkeyPatch,
    off: timedelta,
) -> None:
    found = Settings.model_validate(
        {"database_url": database_url, "data_dir": tmp_path, "secret_key": "s" * 32}
    )
    monkeypatch.setattr(journal_cli, "settings", lambda: found)
    with connected(database_url) as engine:
        journal = Journal.of(found, engine)
        for moved, name in ((timedelta(), "a"), (off, "b"), (timedelta(), "c")):
            shift(moved)
            write(journal, name, 2)
        # Whichever came first of the two runs that contradict each other.
        first = 3 if off > timedelta() else 1
        at = entries(journal)[first - 1].at.isoformat()
    result = CliRunner().invoke(journal_cli.journal, ["verify"])
    assert result.exit_code == 0
    whole, misdated, register = result.output.splitlines()
    assert whole == "The journal is whole: 6 entries."
    assert misdated.startswith(f"Misdated: entries {first} to {first + 1} say {at} to {at}, ")
    assert register == "The register is what the journal says."


# --- sign-ins --------------------------------------------------------------------------------

PASSWORD, OTHER = "correct horse battery staple", "quite another password"


@pytest.mark.parametrize("off", OFF)
def test_a_password_change_ends_every_other_sign_in_whatever_the_clocks_say(
    app: FastAPI, anybody: Client, journal: Journal, shift: Shift, off: timedelta
) -> None:
    hash_ = hashed(SecretStr(PASSWORD))
    account = add_account(journal.engine, "officer", password_hash=hash_)
    here, elsewhere = sign_in(app, account), sign_in(app, account)
    shift(off)
    write(journal, "by a wrong clock")
    shift()
    asked = {"current_password": PASSWORD, "new_password": OTHER}
    answer = anybody.post("/v1/auth/password", json=asked, headers=here)
    assert answer.status_code == 204
    me = [anybody.get("/v1/auth/me", headers=headers).status_code for headers in (here, elsewhere)]
    assert me == [200, 401]


@pytest.mark.parametrize("off", OFF)
def test_a_host_whose_clock_is_wrong_ends_every_sign_in_too(
    app: FastAPI, anybody: Client, journal: Journal, shift: Shift, off: timedelta
) -> None:
    account = add_account(journal.engine, "officer")
    headers = sign_in(app, account)
    long_ago = datetime.now(UTC) - YEAR
    with Session(journal.engine.execution_options(writes=True)) as session:
        past = SignIn(account_id=account.id, began_at=long_ago, expires_at=long_ago)
        session.connection().execute(
            SignIn.__table__.insert(), past.model_dump()  # type: ignore[attr-defined]
        )  # fmt: skip
        session.commit()
    administrator = sign_in(app, add_account(journal.engine, "administrator"))
    path = f"/v1/admin/accounts/{account.id}"
    tag = anybody.get(path, headers=administrator).headers["ETag"]
    shift(off)
    answer = anybody.post(f"{path}/disable", headers=administrator | {"If-Match": tag})
    assert answer.status_code == 200
    assert anybody.get("/v1/auth/me", headers=headers).status_code == 401
    with Session(journal.engine) as session:
        of_account = select(SignIn).where(SignIn.account_id == account.id)
        assert all(one.ended_at is not None for one in session.exec(of_account))


# --- reports ---------------------------------------------------------------------------------


def register(journal: Journal) -> UUID:
    venue = make_venue(journal.engine, category=Category.CAFE).id
    with journal.writing("account ada") as session:
        session.get_one(Venue, venue).category = Category.PUB
    return venue


def deliver(officer: Client, venue: UUID, new: int) -> None:
    attended = {"venue_id": str(venue), "role": "bar_staff", "new": new, "refresher": 0}
    asked = {"course": "wave", "on": "2026-03-14", "attendances": [attended]}
    answer = officer.post("/v1/admin/training/sessions", json=asked)
    assert answer.status_code == 201, answer.text


def trained(reader: Client, **asked: Any) -> int:
    """How many a report that is asked nothing but this has as trained."""
    period = {"from": "2026-03-01", "until": "2026-03-31"}
    answer = reader.get("/v1/admin/training/figures", params=period | asked)
    assert answer.status_code == 200, answer.text
    total: int = answer.json()["trained"]["total"]
    return total


def reported(auditor: Client, venue: UUID, **asked: Any) -> int:
    """How many the audit's sheet of a venue has as delivered."""
    answer = auditor.get(f"/v1/audit/venues/{venue}", params=asked)
    assert answer.status_code == 200, answer.text
    return sum(one["new"] for one in answer.json()["sessions"])


@pytest.mark.parametrize("off", OFF)
def test_a_report_counts_all_that_was_recorded_by_whichever_clock(
    officer: Client, licensing: Client, journal: Journal, shift: Shift, off: timedelta
) -> None:
    venue = register(journal)
    deliver(officer, venue, 1)
    shift(off)
    deliver(officer, venue, 10)
    shift()
    assert (trained(officer), reported(licensing, venue)) == (11, 11)
    deliver(officer, venue, 100)
    assert (trained(officer), reported(licensing, venue)) == (111, 111)
    known_at = datetime.now(UTC).isoformat()
    deliver(officer, venue, 1000)
    assert trained(officer, known_at=known_at) == 111
    assert reported(licensing, venue, known_at=known_at) == 111
    assert trained(officer) == 1111


def test_what_a_clock_that_was_ahead_voided_is_void(
    officer: Client, licensing: Client, journal: Journal, shift: Shift
) -> None:
    venue = register(journal)
    deliver(officer, venue, 1)
    (made,) = officer.get("/v1/admin/training/sessions").json()["items"]
    path = f"/v1/admin/training/sessions/{made['id']}"
    tag = officer.get(path).headers["ETag"]
    shift(YEAR)
    answer = officer.post(f"{path}/void", json={"reason": "by mistake"}, headers={"If-Match": tag})
    assert answer.status_code == 200
    shift()
    assert (trained(officer), reported(licensing, venue)) == (0, 0)


def test_facts_of_a_clock_that_was_ahead_hold_until_others_do(alone: Journal, shift: Shift) -> None:
    def category(at: datetime | None = None) -> Category:
        with read_session(alone.engine) as session:
            now = datetime.now(UTC)
            return facts_as(session, at or now, max(at or now, now))[venue.hex].category

    def become(category: Category) -> None:
        with alone.writing("account ada") as session:
            session.get_one(Venue, venue).category = category

    venue = register(alone)
    before = datetime.now(UTC)
    write(alone, "before")
    shift(YEAR)
    become(Category.BAR)
    shift()
    assert category() == Category.BAR
    assert category(before) == Category.PUB
    become(Category.NIGHTCLUB)
    assert category() == Category.NIGHTCLUB
    assert category(datetime.now(UTC) + 2 * YEAR) == Category.NIGHTCLUB
    with read_session(alone.engine) as session:
        held = session.exec(select(VenueFacts).where(VenueFacts.venue_id == venue)).all()
    assert len(held) == 4
