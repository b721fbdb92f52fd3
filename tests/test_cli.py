"""The `havens` command as an operator meets it: what it prints, and the status it ends with."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from app.cli import main
from app.core.db import make_engine, read_session
from app.core.journal_proof import journalled
from app.core.settings import settings
from app.venues.models import Venue

VENUES = """reference,name,category,latitude,longitude
A-1,The Brass Heron,pub,51.5136,-0.0922
A-2,The Tin Axolotl,pub,51.5140,-0.0930
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("HAVENS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HAVENS_DATA_DIR", str(tmp_path / "new" / "data"))
    monkeypatch.setenv("HAVENS_SECRET_KEY", "a secret that only these tests have")
    settings.cache_clear()
    mask = os.umask(0o022)
    yield
    os.umask(mask)
    settings.cache_clear()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command; answers with its exit status, standard output and standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["havens", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        status = ended.value.code
        if isinstance(status, str):
            # What the interpreter does with a message.
            return 1, shown.out, f"{shown.err}{status}\n"
        return int(status or 0), shown.out, shown.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "venues.csv"
    path.write_text(VENUES)
    return path


def references(url: str) -> list[str]:
    engine = make_engine(url)
    with read_session(engine) as session:
        found = session.exec(select(Venue.reference).order_by(Venue.reference)).all()
    engine.dispose()
    return list(found)


def test_imports_work_on_a_fresh_data_directory(run: Run, file: Path) -> None:
    status, out, err = run("import", "venues", file)
    assert (status, err) == (0, "")
    assert "created A-1" in out
    assert references(settings().database_url) == ["A-1", "A-2"]
    status, out, _ = run("import", "venues", file)
    assert status == 0
    assert "created A-1" not in out


def test_nobody_else_on_the_machine_reads_what_is_made(run: Run, file: Path) -> None:
    run("import", "venues", file)
    run("export", "venues", file.with_name("exported.csv"))
    made = [file.with_name("exported.csv"), *settings().data_dir.rglob("*")]
    assert {path.name for path in made} >= {"havens.sqlite", "exported.csv"}
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_imports_work_on_either_database(
    run: Run, file: Path, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAVENS_DATABASE_URL", empty_database_url)
    settings.cache_clear()
    assert run("import", "venues", "--dry-run", file)[0] == 0
    assert references(empty_database_url) == []
    assert run("import", "venues", file)[0] == 0
    assert references(empty_database_url) == ["A-1", "A-2"]
    file.write_text(VENUES.replace("The Tin", "A Tin"))
    assert "updated A-2: name" in run("import", "venues", file)[1]


def test_wards_and_fhrs(run: Run, tmp_path: Path, file: Path) -> None:
    run("import", "venues", file)
    wards = tmp_path / "wards.geojson"
    wards.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties":'
        ' {"code": "W1", "name": "Ward"}, "geometry": {"type": "Polygon", "coordinates":'
        " [[[-1, 51], [1, 51], [1, 52], [-1, 52], [-1, 51]]]}}]}"
    )
    status, out, _ = run("import", "wards", wards)
    assert (status, "created W1" in out, "in another ward A-1" in out) == (0, True, True)
    fhrs = tmp_path / "fhrs.json"
    fhrs.write_text(
        '{"establishments": [{"FHRSID": 7, "BusinessName": "[red]\\u001bVan", "BusinessType":'
        ' "Mobile caterer"}]}'
    )
    status, out, _ = run("import", "fhrs", fhrs)
    assert status == 0
    assert "skipped fhrs-7 [red]\\x1bVan: has no fixed place\n" in out


def test_need_and_a_plan_without_any_place(run: Run, tmp_path: Path) -> None:
    need = tmp_path / "need.csv"
    need.write_text("source,on,latitude,longitude\nPatrol,2026-01-31,51.5136,-0.0922\n")
    status, out, _ = run("import", "need", need)
    assert (status, "created Patrol, 2026-01-31\n" in out) == (0, True)
    status, out, _ = run("plan", "--json")
    assert (status, '"out_of_reach":1.0' in out, '"source":"Patrol"' in out) == (0, True, True)
    status, out, _ = run("plan")
    assert (status, "100.0%" in out) == (0, True)


def test_a_rejected_file_lists_every_bad_cell(run: Run, file: Path) -> None:
    file.write_text(VENUES.replace("51.5136", "north").replace("-0.0930", "400"))
    status, out, err = run("import", "venues", file)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "line 2, latitude: 'north' must be decimal degrees, like 51.5136 or -0.0922",
        "line 3, longitude: '400' must lie between -180 and 180",
        "The file is rejected, and nothing of it was imported",
    ]
    assert references(settings().database_url) == []


def test_a_missing_or_unreadable_file_is_one_line(run: Run, tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    assert run("import", "venues", missing) == (1, "", f"{missing}: No such file or directory\n")
    assert run("import", "wards", tmp_path) == (1, "", f"{tmp_path}: Is a directory\n")
    assert not settings().data_dir.exists(), "nothing is made for a file that can't be read"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://havens:a-secret@127.0.0.1:1/havens",
        "sqlite:////nonexistent/havens.sqlite",
    ],
)
def test_a_database_out_of_reach_is_one_line(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HAVENS_DATABASE_URL", url)
    for command in (["migrate"], ["import", "venues", file]):
        settings.cache_clear()
        status, out, err = run(*command)
        assert (status, out) == (1, "")
        assert err.startswith("The database can't be used: ")
        assert err.count("\n") == 1
        assert "a-secret" not in err


def test_wrong_settings_are_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAVENS_SAFE_HAVEN_MONTHS", "never")
    monkeypatch.setenv("HAVENS_DATABASE_URL", "mysql://havens:a-secret@localhost/havens")
    settings.cache_clear()
    status, _, err = run("migrate")
    assert status == 1
    assert err.startswith("HAVENS_SAFE_HAVEN_MONTHS: ")
    assert "a-secret" not in err


def test_migrate(run: Run) -> None:
    assert run("migrate") == (0, "", "")
    assert run("migrate") == (0, "", "")
    assert references(settings().database_url) == []
    status, _, err = run("migrate", "--revision", "none")
    assert status == 1
    assert err.startswith("The database can't be migrated: ")


def test_the_installed_command(file: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "import", "venues", file],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "HAVENS_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "created A-1\ncreated A-2\n" in done.stdout


def test_the_command_leaves_it_to_serve_to_import_what_counts() -> None:
    # It is read as it is imported whether several processes count together.
    counts = "import sys, app.serve_cli; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", counts], check=False).returncode == 0


def test_a_backup_restores_what_there_was(run: Run, file: Path, tmp_path: Path) -> None:
    run("import", "venues", file)
    kept = tmp_path / "kept.havens"
    assert run("backup", kept) == (0, f"{kept}: 9 rows, the journal up to entry 4.\n", "")
    assert run("backup", kept)[::2] == (1, f"{kept}: exists, and no backup replaces another\n")
    file.write_text(VENUES.replace("The Tin", "A Tin"))
    run("import", "venues", file)
    status, out, err = run("restore", kept)
    assert (status, out) == (1, "")
    assert err.splitlines() == [
        "It is older than the register: this database knows entries up to 5, and it ends with 4.",
        "Nothing was changed. --force restores it all the same, and accepts what it lacks.",
    ]
    status, out, err = run("restore", "--force", kept)
    assert (status, err) == (0, "")
    assert out.startswith("Accepted: It is older than the register: ")
    assert "9 rows, the journal up to entry 4.\n" in out
    status, out, _ = run("journal", "verify")
    assert (status, out.partition("\n")[0]) == (0, "The journal is whole: 4 entries.")


def test_what_is_no_backup_is_one_line(run: Run, file: Path, tmp_path: Path) -> None:
    status, out, err = run("restore", file)
    assert (status, out, err.count("\n")) == (1, "", 2)
    assert err.startswith("It can't be read: ")
    missing = tmp_path / "none.havens"
    assert run("restore", missing) == (1, "", f"{missing}: No such file or directory\n")
    nothing = "The database can't be used: unable to open database file\n"
    assert run("backup", missing) == (1, "", nothing)
    assert not missing.exists()


def test_the_doctor_leaves_with_how_bad_it_is(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("import", "venues", file)
    settings().data_dir.chmod(0o700)
    status, out, err = run("doctor")
    # There is no directory before the first start.
    assert (status, err) == (1, "")
    assert "look  directory  there is none yet" in out
    assert "→ havens serve builds one." in out
    settings.cache_clear()
    monkeypatch.setenv("HAVENS_SECRET_KEY", "short")
    assert run("doctor")[0] == 2
    settings.cache_clear()
    monkeypatch.setenv("HAVENS_RAG_GREEN", "many")
    status, out, err = run("doctor")
    assert (status, err) == (2, "")
    assert out.startswith("WRONG settings   HAVENS_RAG_GREEN: ")


def test_the_command_knows_every_table_that_is_held_against_the_journal() -> None:
    names = "print(*(m.__tablename__ for m in journalled()))"
    known = f"import app.cli; from app.core.journal_proof import journalled; {names}"
    done = subprocess.run(
        [sys.executable, "-c", known],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(model.__tablename__) for model in journalled()]
