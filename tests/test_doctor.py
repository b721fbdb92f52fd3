"""The doctor names what is wrong, says what to do, and leaves all as it was."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import doctor
from app.core.backup import LAST_BACKUP, LastBackup
from app.core.db import connected, downgrade, read_session
from app.core.journal import HEAD_FILE, Journal
from app.core.settings import Settings
from app.directory.build import build
from app.directory.snapshot import CURRENT, save
from app.doctor import Severity, examine
from app.venues.models import Business
from app.walking.file import STREETS
from app.walking.streets import Streets
from app.walking.streets import save as save_streets
from tests.factories import make_venue
from tests.servers import SECRET, settings_for
from tests.walking.towns import grid


@dataclass
class Installation:
    """A whole one, with a directory that is current and a journal of one entry."""

    settings: Settings

    def found(self) -> dict[str, tuple[Severity, str, str]]:
        """By subject, the worst of what is found."""
        worst: dict[str, tuple[Severity, str, str]] = {}
        for one in sorted(examine(self.settings), key=lambda one: one.severity):
            worst[one.subject] = one.severity, one.says, one.remedy
        for severity, _, remedy in worst.values():
            assert bool(remedy) == (severity > Severity.WELL)
        return worst

    def bad(self) -> dict[str, str]:
        """What is not well, with what it says."""
        return {s: says for s, (severity, says, _) in self.found().items() if severity}

    def run(self, *statements: str) -> None:
        with connected(self.settings.database_url) as engine, engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def publish(self, at: datetime | None = None) -> None:
        moment = (at or datetime.now(UTC)).timestamp()
        with connected(self.settings.database_url) as engine, read_session(engine) as session:
            save(build(session, moment), self.settings.data_dir)

    def back_up(self, hours_ago: float, *, is_broken: bool = False) -> None:
        """Remember a backup of so long ago."""
        made_at = datetime.now(UTC) - timedelta(hours=hours_ago)
        last = LastBackup(name="x.havens", made_at=made_at, entries=1, is_broken=is_broken)
        (self.settings.data_dir / LAST_BACKUP).write_text(last.model_dump_json())

    def but(self, **given: object) -> "Installation":
        return Installation(self.settings.model_copy(update=given))


def made(data_dir: Path, url: str) -> Installation:
    data_dir.mkdir(mode=0o700)
    here = Installation(settings_for(data_dir, url))
    with connected(url) as engine:
        make_venue(engine)
        with Journal.of(here.settings, engine).writing("test") as session:
            session.add(Business(name="Ales Ltd"))
    here.publish()
    here.back_up(4)
    return here


@pytest.fixture
def here(tmp_path: Path, sqlite_url: str) -> Installation:
    return made(tmp_path / "data", sqlite_url)


@pytest.fixture
def each(tmp_path: Path, database_url: str) -> Installation:
    """As `here`, once on each kind of database."""
    return made(tmp_path / "data", database_url)


@pytest.fixture(autouse=True)
def _roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM_MB", 0)


def test_all_is_well_and_nothing_is_changed(each: Installation) -> None:
    before = sorted(each.settings.data_dir.iterdir())
    assert each.bad() == {}
    found = each.found()
    usual = {"settings", "disk", "backup", "directory", "streets", "database", "clock", "journal"}
    assert set(found) == usual
    assert set(found) == {one.subject for one in examine(each.settings, thorough=False)}
    assert found["streets"][1] == "none imported; minutes on foot are estimates"
    assert "1 havens" in found["directory"][1]
    assert found["journal"][1] == "whole: 1 entries, 1 of them covered"
    assert sorted(each.settings.data_dir.iterdir()) == before
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("hours_ago", "severity", "says"),
    [
        (25, Severity.WELL, "25 h ago, the journal up to entry 1"),
        (27, Severity.LOOK, "27 h ago"),  # last night's is missing
        (8 * 24, Severity.WRONG, "8 days ago"),
    ],
)
def test_the_last_backup(
    here: Installation, hours_ago: float, severity: Severity, says: str
) -> None:
    here.back_up(hours_ago)
    found = here.found()["backup"]
    assert (found[0], says in found[1]) == (severity, True), found


def test_a_backup_of_a_broken_journal_and_none_at_all(here: Installation) -> None:
    here.back_up(1, is_broken=True)
    assert "of a broken journal" in here.bad()["backup"]
    (here.settings.data_dir / LAST_BACKUP).unlink()
    assert here.bad() == {"backup": "none was made from here"}
    assert "backup" not in here.but(environment="demo").found()


def test_a_database_out_of_reach(here: Installation) -> None:
    url = "postgresql+psycopg://havens:a-secret@127.0.0.1:1/havens"
    bad = here.but(database_url=url).bad()
    assert set(bad) == {"database"}
    assert "refused" in bad["database"]
    assert "a-secret" not in bad["database"]


def test_a_database_that_is_lost_or_not_yet_made(here: Installation, tmp_path: Path) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'none.sqlite'}"
    lost = here.but(database_url=elsewhere)
    assert "there was a register here" in lost.bad()["database"]
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    assert lost.but(data_dir=new).found()["database"][0] == Severity.LOOK
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "none.sqlite").touch()
    assert "empty, and there was a register here" in lost.bad()["database"]


def test_a_database_of_another_version(here: Installation) -> None:
    downgrade(here.settings.database_url, "0008")
    severity, says, remedy = here.found()["database"]
    assert (severity, "0008" in says, "havens migrate" in remedy) == (Severity.LOOK, True, True)
    here.run("UPDATE alembic_version SET version_num = '9999'")
    severity, says, _ = here.found()["database"]
    assert (severity, "newer than this version" in says) == (Severity.WRONG, True)


def test_a_damaged_database(here: Installation, tmp_path: Path) -> None:
    with connected(here.settings.database_url) as engine, engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "havens.sqlite"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    file.write_bytes(content)
    assert "database" in here.bad()


def test_a_database_that_is_read_only(tmp_path: Path, postgresql_url: str) -> None:
    here = made(tmp_path / "data", postgresql_url)
    name = sa.make_url(postgresql_url).database
    here.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "can be read and not written" in here.bad()["rights"]


def test_a_database_that_has_gone_back_or_is_another(here: Installation) -> None:
    here.run("UPDATE directory_state SET version = version - 1")
    assert "has gone back" in here.bad()["directory"]
    here.run("UPDATE directory_state SET version = version + 2")
    assert here.found()["directory"][0] == Severity.LOOK
    here.run("UPDATE directory_state SET database = '00000000000000000000000000000000'")
    assert "another database" in here.bad()["directory"]


def test_demonstration_venues_in_production(here: Installation) -> None:
    here.run("UPDATE venue SET demonstration = 1")
    assert "demonstration venues" in here.bad()["database"]


def test_a_secret_that_is_missing_or_another(here: Installation) -> None:
    other = Settings.model_validate({**here.settings.model_dump(), "secret_key": "x" * 40})
    assert "entry 1 was signed with key" in Installation(other).bad()["journal"]
    none = Settings.model_validate({**here.settings.model_dump(), "secret_key": "short"})
    assert set(Installation(none).bad()) == {"settings"}


def test_a_journal_that_was_altered_or_has_lost_its_head(here: Installation) -> None:
    (here.settings.data_dir / HEAD_FILE).unlink()
    assert "can't be ruled out" in here.bad()["journal"]
    here.run("DROP TRIGGER journal_no_update", "UPDATE journal SET actor = 'eve'")
    assert "entry 1 was altered" in here.bad()["journal"]


def test_a_clock_that_is_behind(here: Installation) -> None:
    ahead = datetime.now(UTC) + timedelta(days=1)
    here.publish(ahead)
    here.run("DROP TRIGGER journal_no_update")
    with connected(here.settings.database_url) as engine, engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE journal SET at = :at"), {"at": f"{ahead:%Y-%m-%d %H:%M:%S.%f}"}
        )
    assert "still to come" in here.bad()["clock"]


@pytest.mark.parametrize(
    ("ago", "severity", "says"),
    [
        (timedelta(hours=3), Severity.LOOK, "every hour"),
        (timedelta(days=20), Severity.WRONG, "knows nothing of today"),
    ],
    ids=["hours", "weeks"],
)
def test_a_directory_that_is_old(
    here: Installation, ago: timedelta, severity: Severity, says: str
) -> None:
    here.publish(datetime.now(UTC) - ago)
    found = here.found()["directory"]
    assert (found[0], says in found[1]) == (severity, True)


def test_no_directory_or_a_damaged_one(here: Installation) -> None:
    file = here.settings.data_dir / CURRENT
    file.write_bytes(b"havens")
    severity, says, _ = here.found()["directory"]
    assert (severity, "damaged" in says) == (Severity.WRONG, True)
    file.unlink()
    assert here.found()["directory"][0] == Severity.LOOK


def test_a_disk_that_is_full(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ROOM_MB", 10**12)
    assert here.found()["disk"][0] == Severity.LOOK
    monkeypatch.setattr(doctor, "LITTLE_ROOM_MB", 10**12)
    assert here.found()["disk"][0] == Severity.WRONG


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no folder that nobody writes")
def test_a_folder_that_nobody_can_write(here: Installation) -> None:
    severity, says, _ = here.but(data_dir=Path("/proc/self")).found()["data"]
    assert (severity, says.startswith("/proc/self can't be written")) == (Severity.WRONG, True)


def test_a_register_that_everybody_can_read(here: Installation, tmp_path: Path) -> None:
    (tmp_path / "havens.sqlite").chmod(0o644)
    tmp_path.chmod(0o755)
    assert "everybody on this host can read" in here.bad()["rights"]
    tmp_path.chmod(0o700)
    assert here.bad() == {}


def import_streets(here: Installation, taken_at: str) -> Path:
    """Streets around the one venue there is, of a map of some date."""
    file = here.settings.data_dir / STREETS
    made = grid().streets(here.settings.data_dir)
    save_streets(replace(made, taken_at=taken_at), here.settings.data_dir)
    return file


def test_streets_say_of_what_they_are(here: Installation) -> None:
    import_streets(here, datetime.now(UTC).isoformat())
    severity, says, _ = here.found()["streets"]
    assert severity == Severity.WELL
    assert "town.osm" in says
    assert f"{datetime.now(UTC):%B %Y}" in says
    assert "© OpenStreetMap contributors" in says


def test_streets_without_a_date_are_not_called_old(here: Installation) -> None:
    import_streets(here, "")
    assert here.found()["streets"][:1] == (Severity.WELL,)


def test_streets_that_are_more_than_a_year_old(here: Installation) -> None:
    import_streets(here, "2020-02-03T04:05:06+00:00")
    assert "of 03 February 2020, more than a year ago" in here.bad()["streets"]


def test_streets_that_do_not_cover_a_haven(here: Installation) -> None:
    import_streets(here, "")
    with connected(here.settings.database_url) as engine:
        make_venue(engine, lat=51.6)
    here.publish()
    assert "does not cover 1 of the havens" in here.bad()["streets"]


def test_streets_that_are_damaged_gone_or_of_another_version(here: Installation) -> None:
    file = import_streets(here, "")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    assert "streets.graph is damaged; minutes" in here.bad()["streets"]
    file.write_bytes(content.replace(b"streets 2 ", b"streets 1 ", 1))
    assert "written by another version: import the streets again" in here.bad()["streets"]
    file.write_bytes(content)
    with connected(here.settings.database_url) as engine, read_session(engine) as session:
        tied = build(session, datetime.now(UTC).timestamp(), Streets.load(file))
    save(tied, here.settings.data_dir)
    assert here.bad() == {}
    file.unlink()
    assert "is gone; minutes on foot are estimates" in here.bad()["streets"]
