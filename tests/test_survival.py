"""Whatever is wrong with the database or the disk, the last good directory answers."""

import io
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url, text
from sqlmodel import select

from app.cli import main
from app.core import logs
from app.core.db import connected, migrate
from app.core.journal import HEAD_FILE, Journal
from app.core.settings import settings
from app.directory.continuity import WentBack
from app.directory.snapshot import CURRENT, KEPT, Snapshot, Unusable, load, mapped, sealed_copy
from app.start import prepare
from app.venues.models import Venue
from tests.databases import Postgres
from tests.servers import (
    SECRET,
    Service,
    add_venue,
    running,
    serving_directory,
    settings_for,
    until,
)

NEAREST = "/v1/havens/nearest?lat=51.5134&lon=-0.0890"

Mend = Callable[[], object]
Fault = Callable[[str], Mend]
"""Makes something go wrong with a database; what comes back puts it right again."""
Said = Callable[[], str]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def ready(service: Service | httpx.Client) -> tuple[int, str]:
    response = service.get("/health/ready")
    return response.status_code, response.json()["status"]


@pytest.fixture
def said() -> Iterator[Said]:
    """What the service has logged since the test began.

    Not by pytest's own capture: what is written while it is read may be lost there.
    """
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logs.TextLines())
    # Not of the root, of which a service that starts takes all handlers away.
    ours = logging.getLogger("app")
    ours.addHandler(handler)
    yield heard.getvalue
    ours.removeHandler(handler)


def answers(service: Service | httpx.Client) -> list[Any]:
    """What somebody is told who asks for the nearest, for all, and for each."""
    everything = service.get("/v1/havens").json()["havens"]
    alone = [service.get(f"/v1/havens/{haven['id']}").json()["name"] for haven in everything]
    names = [haven["name"] for haven in everything]
    return [service.get(NEAREST).json()["havens"], names, alone]


def names(service: Service | httpx.Client) -> list[str]:
    return sorted(haven["name"] for haven in service.get(NEAREST).json()["havens"])


def rename(url: str, data_dir: Path, name: str) -> None:
    """A change as the service makes it, with an entry in the journal."""
    with connected(url) as engine:
        journal = Journal.of(settings_for(data_dir, url), engine)
        with journal.writing("an officer") as session:
            for venue in session.exec(select(Venue)):
                venue.name = name


def execute(url: str, statement: str) -> None:
    with connected(url) as engine, engine.execution_options(writes=True).begin() as connection:
        connection.execute(text(statement))


# --- what is wrong with a database -----------------------------------------------------------


def file_of(url: str) -> Path:
    return Path(str(make_url(url).database))


def instead(url: str, other: Callable[[Path], object]) -> Mend:
    """Another file in the place of the database's, until it is brought back."""
    file = file_of(url)
    aside = file.with_name("aside")
    aside.mkdir()
    # With what SQLite keeps beside it.
    for part in file.parent.glob(f"{file.name}*"):
        part.rename(aside / part.name)
    other(file)

    def mend() -> None:
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()
        for part in aside.iterdir():
            part.rename(file.with_name(part.name))
        aside.rmdir()

    return mend


def newer(url: str) -> Mend:
    execute(url, "UPDATE alembic_version SET version_num = '9' || version_num")
    return partial(execute, url, "UPDATE alembic_version SET version_num = substr(version_num, 2)")


def damaged(url: str) -> Mend:
    content = file_of(url).read_bytes()
    return instead(url, lambda file: file.write_bytes(content[:100] + os.urandom(len(content))))


def no_database(url: str) -> Mend:
    return instead(url, lambda file: file.write_bytes(b"no database at all" * 999))


def gone(url: str) -> Mend:
    return instead(url, lambda _: None)


def empty(url: str) -> Mend:
    return instead(url, Path.touch)


def new(url: str) -> Mend:
    return instead(url, lambda _: migrate(url))


def older(url: str) -> Mend:
    backup = file_of(url).with_name("backup")
    return instead(url, lambda file: shutil.copyfile(backup, file))


def older_and_gone_on(url: str) -> Mend:
    """Restored, and changed since by others, so often that its version is no lower any more."""
    mend = older(url)
    for _ in range(5):
        execute(url, "UPDATE venue SET name = 'Changed'")
    return mend


BACKWARDS: list[tuple[Fault, str]] = [
    (empty, "The database is empty"),
    (new, "is not the one that the directory was built from"),
    (older, "is older than the directory"),
    (older_and_gone_on, "has not the entry 1 that was known"),
]
FAULTS: list[tuple[Fault, str]] = [
    *BACKWARDS,
    (newer, "was migrated by a newer version of this service (revision 9"),
    (damaged, "The database can't be used: "),
    (no_database, "The database can't be used: file is not a database"),
    (gone, "The database can't be used: unable to open database file"),
]


@pytest.fixture
def url(sqlite_url: str, data_dir: Path) -> str:
    """A database with a haven, a backup of it, and an entry of the journal since then."""
    add_venue(sqlite_url, name="The Lantern")
    shutil.copyfile(file_of(sqlite_url), file_of(sqlite_url).with_name("backup"))
    rename(sqlite_url, data_dir, "The Anchor")
    return sqlite_url


EACH_FAULT = pytest.mark.parametrize(
    ("fault", "why"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS]
)
A_FEW = [fault for fault in FAULTS if fault[0] in (empty, older, newer, damaged)]
THE_OTHERS = [fault for fault in FAULTS if fault not in A_FEW]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        *(pytest.param(*one, id=one[0].__name__) for one in A_FEW),
        *(pytest.param(*one, id=one[0].__name__, marks=pytest.mark.drill) for one in THE_OTHERS),
    ],
)
def test_a_start_with_something_wrong(
    url: str, data_dir: Path, fault: Fault, why: str, said: Said
) -> None:
    with serving_directory(data_dir, url, is_started=True) as client:
        before = answers(client)
        assert ready(client) == (200, "ok")
    assert before[1] == ["The Anchor"]
    mend = fault(url)
    with serving_directory(data_dir, url, is_started=True) as client:
        assert ready(client) == (200, "degraded")
        until(lambda: why in said())
        time.sleep(1)  # in which it could be said again
        for _ in range(3):
            assert answers(client) == before
        assert ready(client) == (200, "degraded")
        mend()
        until(lambda: ready(client) == (200, "ok"))
        assert answers(client) == before
        add_venue(url, name="The Bell")
        until(lambda: names(client) == ["The Anchor", "The Bell"])
    assert said().count(why) == 1, "said once"


def is_told(said: Said, what: str) -> bool:
    return what in said()


def test_a_database_that_goes_backwards_under_a_running_service(
    url: str, data_dir: Path, said: Said
) -> None:
    with serving_directory(data_dir, url, is_started=True) as client:
        before = answers(client)
        for fault, why in BACKWARDS:
            mend = fault(url)
            until(partial(is_told, said, why))
            assert ready(client) == (200, "degraded")
            assert answers(client) == before
            mend()
            until(lambda: ready(client) == (200, "ok"))
            assert answers(client) == before


@EACH_FAULT
def test_a_start_with_nothing_to_answer_from(
    url: str, data_dir: Path, fault: Fault, why: str
) -> None:
    """The journal's head alone tells that there was another database."""
    fault(url)
    with pytest.raises(Exception) as refused:  # noqa: PT011  of many kinds
        prepare(settings_for(data_dir, url))
    assert isinstance(refused.value, WentBack) == (fault in dict(BACKWARDS)), refused
    assert not (data_dir / CURRENT).exists()


def test_only_an_accepted_database_is_published(
    url: str,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: Said,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serving_directory(data_dir, url, is_started=True) as client:
        before = answers(client)
        older(url)
        rename(url, data_dir, "The Bell")
        until(lambda: "is older than" in said())
        assert answers(client) == before

        monkeypatch.setenv("HAVENS_DATA_DIR", str(data_dir))
        monkeypatch.setenv("HAVENS_DATABASE_URL", url)
        monkeypatch.setenv("HAVENS_SECRET_KEY", SECRET)
        monkeypatch.setattr("sys.argv", ["havens", "journal", "accept"])
        settings.cache_clear()
        with pytest.raises(SystemExit) as ended:
            main()
        settings.cache_clear()
        assert not ended.value.code
        assert capfd.readouterr().out == f"{HEAD_FILE} now knows entries up to 1.\n"
        until(lambda: ready(client) == (200, "ok"))
        assert names(client) == ["The Bell"]


def test_a_clean_first_start_needs_no_leave(url: str, data_dir: Path) -> None:
    new(url)
    shutil.rmtree(data_dir)
    with serving_directory(data_dir, url, is_started=True) as client:
        assert ready(client) == (200, "ok")
        assert names(client) == []


# --- PostgreSQL ------------------------------------------------------------------------------


@pytest.fixture
def role(postgres: Postgres, postgresql_url: str) -> Iterator[str]:
    """A database with a haven, as somebody else finds it who may do all in it but log in."""
    add_venue(postgresql_url, name="The Anchor")
    owner = make_url(postgresql_url)
    execute(postgresql_url, "CREATE ROLE survivor SUPERUSER PASSWORD 'sesame'")
    rules = Path(scalar(postgresql_url, "SHOW hba_file"))
    before = rules.read_text()
    rules.write_text(f"local all survivor scram-sha-256\n{before}")
    execute(postgresql_url, "SELECT pg_reload_conf()")
    yield owner.set(username="survivor", password="sesame").render_as_string(hide_password=False)
    rules.write_text(before)
    execute(postgresql_url, "SELECT pg_reload_conf()")
    execute(postgresql_url, "DROP ROLE survivor")


def scalar(url: str, statement: str) -> str:
    with connected(url) as engine, engine.connect() as connection:
        return str(connection.execute(text(statement)).scalar())


ON_POSTGRESQL = [
    ("ALTER ROLE survivor PASSWORD 'other'", "ALTER ROLE survivor PASSWORD 'sesame'", "password"),
    ("ALTER ROLE survivor NOLOGIN", "ALTER ROLE survivor LOGIN", "log in"),
    ("ALTER ROLE survivor NOSUPERUSER", "ALTER ROLE survivor SUPERUSER", "permission denied"),
    (
        "ALTER SCHEMA public RENAME TO aside; CREATE SCHEMA public",
        "DROP SCHEMA public; ALTER SCHEMA aside RENAME TO public",
        "The database is empty",
    ),
]


@pytest.mark.parametrize(
    ("fault", "mend", "why"), ON_POSTGRESQL, ids=["password", "login", "rights", "empty"]
)
def test_a_start_with_something_wrong_on_postgresql(
    postgresql_url: str,
    role: str,
    data_dir: Path,
    fault: str,
    mend: str,
    why: str,
    said: Said,
) -> None:
    execute(postgresql_url, "ALTER ROLE survivor LOGIN")
    with serving_directory(data_dir, role, is_started=True) as client:
        before = answers(client)
    execute(postgresql_url, fault)
    with serving_directory(data_dir, role, is_started=True) as client:
        until(lambda: why in said())
        time.sleep(1)  # in which it could be said again
        assert ready(client) == (200, "degraded")
        assert answers(client) == before
        execute(postgresql_url, mend)
        until(lambda: ready(client) == (200, "ok"))
        assert answers(client) == before
    assert said().count(why) == 1, said()
    assert "sesame" not in said(), "no password is logged"


# --- the disk --------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "none", place], check=False
        ).returncode
    ):
        pytest.skip("only who may mount a disk can fill one, or take away the right to write")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def full(disk: Path) -> Mend:
    with (disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return (disk / "filling").unlink


def read_only(disk: Path) -> Mend:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)

    remount("ro")
    return partial(remount, "rw")


@pytest.mark.parametrize("fault", [full, read_only], ids=["full", "read only"])
@pytest.mark.parametrize(
    "on_it",
    [
        pytest.param(False, id="snapshot", marks=pytest.mark.drill),
        pytest.param(True, id="snapshot and database"),
    ],
)
def test_a_start_with_a_disk_that_takes_nothing(
    url: str,
    disk: Path,
    fault: Callable[[Path], Mend],
    on_it: bool,
    said: Said,
) -> None:
    data_dir = disk / "data"
    data_dir.mkdir()
    if on_it:
        shutil.copyfile(file_of(url), disk / "havens.sqlite")
        url = f"sqlite:///{disk / 'havens.sqlite'}"
    with serving_directory(data_dir, url, is_started=True) as client:
        before = answers(client)
    mend = fault(disk)
    with serving_directory(data_dir, url, is_started=True) as client:
        # Where only the directory can't be saved, changes show all the same.
        if not on_it:
            add_venue(url, name="The Bell")
            until(lambda: names(client) == ["The Anchor", "The Bell"])
            before = answers(client)
        until(lambda: "directory not confirmed" in said())
        time.sleep(1)  # in which it could be said again
        assert ready(client) == (200, "degraded")
        assert answers(client) == before
        mend()
        until(lambda: ready(client) == (200, "ok"))
        assert answers(client) == before
        assert len(load(data_dir)) == len(before[1])
    assert said().count("directory not confirmed") == 1


@pytest.mark.drill
def test_a_start_without_rights(url: str, data_dir: Path) -> None:
    prepare(settings_for(data_dir, url))
    as_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    closed = [(data_dir, 0o500), (file_of(url), 0o000)]
    for path, mode in closed:
        path.chmod(mode)
    try:
        with running(data_dir, url, workers=2, by=[] if os.geteuid() else as_others) as service:
            for _ in range(20):
                assert names(service) == ["The Anchor"]
            until(lambda: ready(service) == (200, "degraded"))
            assert service.log.count("directory not confirmed") == 1
            assert "unable to open database file" in service.log
            for path, _ in closed:
                path.chmod(0o700)
            until(lambda: "directory confirmed again" in service.log)
            until(lambda: all(ready(service) == (200, "ok") for _ in range(20)))
            assert names(service) == ["The Anchor"]
    finally:
        for path, _ in closed:
            path.chmod(0o700)


# --- the snapshot ----------------------------------------------------------------------------


def copies(service: Service) -> set[str]:
    """The sealed copies that the workers answer from, by their numbers."""
    return {
        line.split()[4]
        for worker in service.workers
        for line in Path(f"/proc/{worker.pid}/maps").read_text().splitlines()
        if "memfd:directory" in line
    }


def test_a_file_that_is_spoilt_in_place_changes_no_answer(url: str, data_dir: Path) -> None:
    file = data_dir / CURRENT
    with running(data_dir, url, workers=2) as service:
        until(lambda: service.get("/metrics").is_success)
        before, workers = answers(service), {worker.pid for worker in service.workers}
        size = file.stat().st_size
        spoilt: list[Callable[[], object]] = [
            partial(os.truncate, file, 0),
            partial(file.write_bytes, os.urandom(size)),
            file.unlink,
        ]
        for spoil in spoilt:
            spoil()
            for _ in range(20):
                assert answers(service) == before
            # And what should be there is there again.
            until(lambda: is_whole(file))
        assert {worker.pid for worker in service.workers} == workers
        for number in range(3):
            add_venue(url, name=f"Another {number}")
            until(lambda: len(service.get("/v1/havens").json()["havens"]) == number + 2)  # noqa: B023
        until(lambda: service.get("/v1/havens").is_success and len(copies(service)) == 1)
        assert "memfd:directory" not in Path(f"/proc/{service.process.pid}/maps").read_text()


def is_whole(file: Path) -> bool:
    try:
        os.close(sealed_copy(file))
    except Unusable:
        return False
    return True


def test_of_several_good_snapshots_the_newest_is_used(url: str, data_dir: Path) -> None:
    for number in range(6):
        add_venue(url, name=f"Another {number}")
        prepare(settings_for(data_dir, url))
    assert [len(load_alone(data_dir, name)) for name in KEPT] == [7, 6, 5, 4]
    for gone_by, name in enumerate(KEPT[:-1], start=1):
        (data_dir / name).write_bytes(b"damaged")
        assert len(load(data_dir)) == 7 - gone_by


def load_alone(folder: Path, name: str) -> Snapshot:
    copy = sealed_copy(folder / name)
    try:
        return mapped(copy)
    finally:
        os.close(copy)
