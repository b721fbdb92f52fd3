"""A backup holds the register whole, for either kind of database, and no other is restored."""

import json
import random
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import SQLModel, select

from app.accounts.models import Account, Role
from app.core.backup import Manifest, RefusedBackup, back_up, opened
from app.core.copies import _tables
from app.core.db import Instant, connected, migrate, read_session
from app.core.geo import GeoPoint
from app.core.journal import HEAD_FILE, Journal
from app.core.journal_chain import Entry, hash_of
from app.core.settings import Settings
from app.directory.build import build
from app.outreach.models import Result, SchemeTest, SchemeTested
from app.venues.models import Business, DirectoryState
from tests.databases import Postgres
from tests.factories import make_venue, make_ward
from tests.servers import serving_directory, settings_for, until

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
AWKWARD = "Zoë's\t“Löwen”\\N\n\\. \U0001f98a;,\"'%s:x"


@pytest.fixture
def home(tmp_path: Path, sqlite_url: str) -> Settings:
    """Where the backups come from."""
    return settings_at(tmp_path / "home", sqlite_url)


@pytest.fixture
def each_home(tmp_path: Path, database_url: str) -> Settings:
    """As `home`, once on each kind of database."""
    return settings_at(tmp_path / "home", database_url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def away(request: pytest.FixtureRequest, empty_sqlite: Settings, tmp_path: Path) -> Settings:
    """Another host, with the same secret and an empty database, once of each kind."""
    if request.param == "sqlite":
        return empty_sqlite
    url = request.getfixturevalue("empty_postgresql_url")
    return settings_at(tmp_path / "away on PostgreSQL", url)


@pytest.fixture
def empty_sqlite(tmp_path: Path) -> Settings:
    """As `away`, where one kind is enough."""
    return settings_at(tmp_path / "away", f"sqlite:///{tmp_path / 'away.sqlite'}")


@pytest.fixture
def empty_postgresql_url(postgres: Postgres) -> Iterator[str]:
    name = f"away_{uuid4().hex}"
    yield postgres.create(name)
    postgres.drop(name)


def settings_at(data_dir: Path, url: str, environment: str = "production") -> Settings:
    data_dir.mkdir()
    return settings_for(data_dir, url, environment)


def fill(settings: Settings) -> None:
    """A register with what is easily lost: odd text, no hours, an instant on the second, a loop."""
    with connected(settings.database_url) as engine:
        ward = make_ward(engine, name=AWKWARD)
        make_venue(
            engine, name=AWKWARD, ward_id=ward.id, hours="Fr,Sa 22:00-04:00", lat=51.5 + 1e-13
        )
        venue = make_venue(
            engine, hours=None, conditions=[{"ü": "\\"}], last_checked=date(2026, 1, 2)
        )
        # The ids are such that the later test comes first by them.
        later, earlier = (
            SchemeTest(
                id=UUID(int=number),
                venue_id=venue.id,
                scheme=SchemeTested.ASK_FOR_ANGELA,
                result=Result.FAILED,
                note=AWKWARD,
                effective_at=NOON,
                recorded_at=NOON,
                recorded_by="test",
            )
            for number in (1, 2)
        )
        journal = Journal.of(settings, engine)
        with journal.writing("account ada") as session:
            session.add(Business(name=AWKWARD))
            session.add(Account(name="ada", roles=[Role.OFFICER], password_hash="argon2"))
            session.add(earlier)
            session.flush()
            later.retest_of_id = earlier.id
            session.add(later)


def add_business(settings: Settings, name: str) -> None:
    with (
        connected(settings.database_url) as engine,
        Journal.of(settings, engine).writing("account ada") as session,
    ):
        session.add(Business(name=name))


def backup_of(settings: Settings, name: str = "one.havens") -> Path:
    file = settings.data_dir.parent / name
    with connected(settings.database_url) as engine:
        assert back_up(settings, engine, file)[1] is None
    return file


def restore(
    settings: Settings, file: Path, *, force: bool = False, published: int = 0
) -> list[str]:
    """What was accepted."""
    with (
        connected(settings.database_url) as engine,
        opened(settings, file, force=force) as found,
    ):
        migrate(settings.database_url)
        return found.restore(Journal.of(settings, engine), published, force=force)


def refusal(settings: Settings, file: Path) -> RefusedBackup:
    """Why a backup is refused, which changes nothing."""
    before = contents(settings)
    with pytest.raises(RefusedBackup) as refused:
        restore(settings, file)
    assert contents(settings) == before
    return refused.value


def contents(settings: Settings) -> dict[str, Any]:
    """All that a database holds."""
    with connected(settings.database_url) as engine, read_session(engine) as session:
        return {
            table.name: sorted(map(repr, session.connection().execute(sa.select(table))))
            for table in SQLModel.metadata.sorted_tables
        }


def state(settings: Settings) -> DirectoryState:
    with connected(settings.database_url) as engine, read_session(engine) as session:
        return session.exec(select(DirectoryState)).one()


def answers(engine: Engine) -> list[bytes]:
    with read_session(engine) as session:
        snapshot = build(session, NOON.timestamp())
        return sorted(
            snapshot.fragment(row) + repr(snapshot.availability(row)).encode()
            for row in range(len(snapshot))
        )


# --- what comes back -------------------------------------------------------------------------


def test_all_of_it_comes_back_on_either_kind_of_database(
    each_home: Settings, away: Settings
) -> None:
    fill(each_home)
    file = backup_of(each_home)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir() if "backup" in path.name] == []
    assert restore(away, file) == []
    was, became = contents(each_home), contents(away)
    # Which is above both, so that whoever published before sees that something changed.
    versions = was.pop("directory_state"), became.pop("directory_state")
    assert versions[0] != versions[1]
    assert state(away).database == state(each_home).database
    assert state(away).version > state(each_home).version
    assert became == was
    assert len(was["journal"]) == 4
    with connected(each_home.database_url) as one, connected(away.database_url) as other:
        assert answers(one) == answers(other) != []
        journal = Journal.of(away, other)
        assert (journal.verify(), journal.covered()) == (None, 4)
        with pytest.raises(sa.exc.DBAPIError, match="only grows"), other.begin() as connection:
            connection.exec_driver_sql("DELETE FROM journal")
    version = state(away).version
    make_venue_at(away)
    assert state(away).version > version, "the triggers are there again"
    add_business(away, "Goes on")
    assert restore(each_home, backup_of(away, "back.havens")) == []
    assert len(contents(each_home)["journal"]) == 5


def make_venue_at(settings: Settings) -> None:
    with connected(settings.database_url) as engine:
        make_venue(engine)


def test_it_is_one_moment_of_a_register_that_goes_on(each_home: Settings) -> None:
    fill(each_home)
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            add_business(each_home, f"Business {(number := number + 1)}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with connected(each_home.database_url) as engine:
            made = [
                back_up(each_home, engine, each_home.data_dir / f"{n}.havens") for n in range(2)
            ]
    finally:
        done.set()
        writer.join()
    assert [broken for _, broken in made] == [None] * 2
    for manifest, _ in made:
        # Four entries are of four records, and every later one of a business.
        assert manifest.rows["business"] == manifest.entries - 3 == manifest.rows["journal"] - 3


def test_one_of_an_older_version_is_brought_up_to_this_one(
    tmp_path: Path, empty_database_url: str, empty_sqlite: Settings
) -> None:
    old = settings_at(tmp_path / "old", empty_database_url)
    migrate(old.database_url, "0008")
    business = Business(name="Older than this")
    entry = {
        "number": 1,
        "at": datetime(2026, 3, 2, tzinfo=UTC),
        "actor": "account ada",
        "subject": "business",
        "subject_id": str(business.id),
        "before": None,
        "after": '{"name":"Older than this"}',
    }
    # As that version wrote it.
    journalled = entry | {"hash": hash_of(old.key("journal"), "", entry)}
    with (
        connected(old.database_url) as engine,
        engine.execution_options(writes=True).begin() as connection,
    ):
        connection.execute(sa.insert(Business), business.model_dump())
        connection.execute(sa.insert(Entry), journalled)
    file = backup_of(old)
    assert read(file).revision == "0008"
    assert restore(empty_sqlite, file) == []
    assert "Older than this" in contents(empty_sqlite)["business"][0]


def test_a_service_that_runs_follows(each_home: Settings, tmp_path: Path) -> None:
    make_venue_at(each_home)
    file = backup_of(each_home)
    with connected(each_home.database_url) as engine:
        make_venue(engine, name="Opened since")

    with serving_directory(tmp_path / "home", each_home.database_url) as client:

        def names() -> list[str]:
            return [haven["name"] for haven in client.get("/v1/havens").json()["havens"]]

        assert "Opened since" in names()
        published = client.get("/v1/havens").json()["directory"]["version"]
        restore(each_home, file, published=published)
        until(lambda: "Opened since" not in names())
        assert len(names()) == 1
        assert client.get("/v1/havens").json()["directory"]["version"] > published


def test_what_was_published_is_older_than_what_is_restored(
    home: Settings, empty_sqlite: Settings
) -> None:
    file = backup_of(home)
    restore(empty_sqlite, file, published=7_000)
    assert state(empty_sqlite).version == 7_001


def test_settings_are_in_it_and_secrets_are_not(tmp_path: Path, sqlite_url: str) -> None:
    at = tmp_path / "home"
    at.mkdir()
    canary = "canary-canary-canary-canary-canary"
    given = {"data_dir": at, "database_url": sqlite_url, "secret_key": canary, "rag_green": 80}
    settings = Settings.model_validate(given)
    file = backup_of(settings)
    with zipfile.ZipFile(file) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert canary.encode() not in everything
    later = Settings.model_validate(given | {"rag_green": 70})
    with opened(later, file, force=False) as found:
        assert list(found.differences(later)) == [("rag_green", 80, 70)]


def test_a_broken_journal_is_kept_as_it_is_and_said(
    home: Settings, tmp_path: Path, empty_sqlite: Settings
) -> None:
    fill(home)
    file = tmp_path / "broken.havens"
    with connected(home.database_url) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER journal_no_update")
            connection.exec_driver_sql("UPDATE journal SET actor = 'eve' WHERE number = 2")
        broken = back_up(home, engine, file)[1]
    assert broken
    assert broken.number == 2
    migrate(empty_sqlite.database_url)
    refused = refusal(empty_sqlite, file)
    assert refused.forcible
    assert "Its journal is broken: entry 2 was altered" in str(refused)
    assert len(restore(empty_sqlite, file, force=True)) == 1
    assert contents(empty_sqlite)["journal"] == contents(home)["journal"]


def test_every_kind_of_column_is_known(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        copied = {table.name: table for table in _tables(connection)}
    exact = (sa.Uuid, Instant, GeoPoint, sa.LargeBinary, sa.Boolean, sa.Date, sa.Integer, sa.Float)
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            kinds: list[Any] = [kind for kind in exact if isinstance(column.type, kind)]
            if not kinds:
                kinds = [sa.Text]
                impl = getattr(column.type, "impl", column.type)
                assert isinstance(impl, sa.String | sa.JSON), column
            assert isinstance(copied[table.name].columns[column.name].type, kinds[0]), column


# --- what is refused -------------------------------------------------------------------------


def test_an_older_one_is_refused_until_it_is_accepted(
    each_home: Settings, empty_sqlite: Settings
) -> None:
    fill(each_home)
    file = backup_of(each_home)
    add_business(each_home, "Since then")
    refused = refusal(each_home, file)
    assert refused.forcible
    assert "older than the register: this database knows entries up to 5" in str(refused)
    assert "--force" in str(refused)
    # Where the database is gone and the head was kept, that one knows.
    (empty_sqlite.data_dir / HEAD_FILE).write_bytes((each_home.data_dir / HEAD_FILE).read_bytes())
    migrate(empty_sqlite.database_url)
    assert "ends with 4" in str(refusal(empty_sqlite, file))
    # Where only the database is left, it does.
    (each_home.data_dir / HEAD_FILE).unlink()
    assert "this database knows entries up to 5" in str(refusal(each_home, file))
    assert restore(each_home, file, force=True) == [
        "It is older than the register: this database knows entries up to 5, and it ends with 4."
    ]
    with connected(each_home.database_url) as engine:
        journal = Journal.of(each_home, engine)
        assert (journal.verify(), journal.covered()) == (None, 4)
    add_business(each_home, "From here on")
    assert restore(each_home, backup_of(each_home, "two.havens")) == []


def test_one_of_another_register_is_refused(
    tmp_path: Path, home: Settings, empty_sqlite: Settings
) -> None:
    fill(home)
    migrate(empty_sqlite.database_url)
    add_business(empty_sqlite, "Quite another register")
    for file in (backup_of(home), backup_of(empty_sqlite, "two.havens")):
        at = empty_sqlite if file.name == "one.havens" else home
        refused = refusal(at, file)
        assert refused.forcible
        assert "another register's" in str(refused)
    assert len(restore(empty_sqlite, tmp_path / "one.havens", force=True)) == 1
    assert contents(empty_sqlite)["business"] == contents(home)["business"]


def test_one_of_another_secret_is_refused(tmp_path: Path, home: Settings) -> None:
    fill(home)
    file = backup_of(home)
    at = tmp_path / "other"
    at.mkdir()
    given = {"data_dir": at, "database_url": f"sqlite:///{at}/a", "secret_key": "x" * 40}
    other = Settings.model_validate(given)
    migrate(other.database_url)
    refused = refusal(other, file)
    assert refused.forcible
    assert "signature" in str(refused)
    accepted = restore(other, file, force=True)
    assert [reason.split(":")[0] for reason in accepted] == [
        "It was altered, or made by another installation",
        "Its journal is broken",
    ]


def test_a_demonstration_never_becomes_real(tmp_path: Path, home: Settings) -> None:
    file = backup_of(home)
    demo = settings_at(tmp_path / "demo", f"sqlite:///{tmp_path}/demo.sqlite", "demo")
    migrate(demo.database_url)
    for force in (False, True):
        with pytest.raises(RefusedBackup, match="never mix") as refused:
            restore(demo, file, force=force)
        assert not refused.value.forcible


def test_one_of_a_newer_version_is_refused(home: Settings) -> None:
    with connected(home.database_url) as engine:
        file = backup_of(home)
        with zipfile.ZipFile(file) as archive:
            register = home.data_dir / "register.sqlite"
            register.write_bytes(archive.read("register.sqlite"))
    with connected(f"sqlite:///{register}") as engine, engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    altered = rewritten(file, {"register.sqlite": register.read_bytes()})
    with pytest.raises(RefusedBackup, match="newer version") as refused:
        restore(home, altered, force=True)
    assert not refused.value.forcible


def test_one_that_was_altered_is_refused(home: Settings, tmp_path: Path) -> None:
    fill(home)
    file = backup_of(home)
    with zipfile.ZipFile(file) as archive:
        register = archive.read("register.sqlite")
        manifest = json.loads(archive.read("manifest.json"))
    assert register.count(b"account ada") > 4
    edits = {
        "register.sqlite": register.replace(b"account ada", b"account eve"),
        "manifest.json": json.dumps(manifest | {"entries": 5}).encode(),
        "manifest.signature": b"0" * 64,
    }
    for name, content in edits.items():
        refused = refusal(home, rewritten(file, {name: content}))
        assert refused.forcible
        assert "altered" in str(refused)
    # Whoever insists still learns of all that is wrong with it.
    accepted = restore(
        home, rewritten(file, {"register.sqlite": edits["register.sqlite"]}), force=True
    )
    assert any("Its journal is broken: entry 1" in reason for reason in accepted)


def test_a_damaged_one_is_refused_whatever_is_damaged(home: Settings, tmp_path: Path) -> None:
    fill(home)
    file = backup_of(home)
    whole = file.read_bytes()
    chance = random.Random(1)
    damaged = [b"", b"PK", whole[: len(whole) // 2], whole[:-1], whole[len(whole) // 2 :]]
    for place in chance.sample(range(len(whole)), 40):
        changed = bytearray(whole)
        changed[place] ^= 1 << chance.randrange(8)
        damaged.append(bytes(changed))
    add_business(home, "Since then")
    before, refused = contents(home), 0
    for number, content in enumerate(damaged):
        bad = tmp_path / f"bad-{number}.havens"
        bad.write_bytes(content)
        with pytest.raises(RefusedBackup):
            restore(home, bad)
        refused += 1
    assert contents(home) == before
    assert refused == len(damaged)


def test_no_backup_replaces_another(home: Settings) -> None:
    file = backup_of(home)
    before = file.read_bytes()
    with connected(home.database_url) as engine, pytest.raises(FileExistsError, match="exists"):
        back_up(home, engine, file)
    assert file.read_bytes() == before


def read(file: Path) -> Manifest:
    with zipfile.ZipFile(file) as archive:
        return Manifest.model_validate_json(archive.read("manifest.json"))


def rewritten(file: Path, members: dict[str, bytes]) -> Path:
    """A backup with other members in it, whole as a file."""
    other = file.with_name(f"altered-{uuid4().hex}.havens")
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(other, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, members.get(name, archive.read(name)))
    return other
