"""What a command and a serving process have loaded: what only others need costs them nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.cli import cli
from app.command import main
from app.directory.builder import NAME
from app.start import prepare
from tests.servers import ROOT, SECRET, add_venue, running, settings_for, until

FOR_SOME = {
    "alembic",  # migrations that are due
    "authlib",  # an identity provider
    "cffi",  # functions of C, in loops that are compiled
    "cryptography",  # those who have signed in
    "geoalchemy2",  # PostgreSQL
    "holidays",  # hours that are worked out
    "httpx",  # pages for those who have signed in
    "icalendar",  # a calendar that is followed
    "jose",  # those who have signed in
    "lark",  # hours that are written
    "numba.np.linalg",  # loops that are not compiled yet
    "osmium",  # an import of streets
    "psycopg",  # PostgreSQL
    "pyproj",  # an import of postcodes
    "rich",  # commands
    "scipy",  # which places meet most need
    "shapely",  # places that are put into wards
    "typst",  # what is printed
    "xlsxwriter",  # workbooks
}

FOR_LATER = FOR_SOME | {"jinja2", "numba", "sqlalchemy", "sqlmodel"}
"""What the first answers do without."""

NEEDED_BY_NONE = {"numba", "numpy", "pydantic", "sqlalchemy", "fastapi", "uvicorn", "app.cli"}
"""What tells nobody which commands there are."""

_SERVING = """
import json, sys
import app.directory.engine.nearest
from app.core.settings import settings
from app.start import prepare, started_app
shared = prepare(settings())
started_app()
print(json.dumps(sorted(sys.modules)))
"""

_MODELS = """
import json
import app.main
from pydantic import BaseModel

def models(kind):
    return [kind, *(model for each in kind.__subclasses__() for model in models(each))]

ours = [model for model in models(BaseModel) if model.__module__.startswith("app.")]
print(json.dumps([len(ours), sum(model.__pydantic_complete__ for model in ours)]))
"""

_FIRST = """
import json, sys
import app.serve_cli
import app.early
print(json.dumps(sorted(sys.modules)))
"""

_LETS_GO = """
import json
from pathlib import Path
import app.directory.engine.nearest
from app.core.compiled import compiled, let_go_of_compiler

def resident():
    found, is_of_compiler = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, value = line.partition(":")
        if "-" in name:
            is_of_compiler = line.endswith("/libllvmlite.so")
        elif name == "Rss" and is_of_compiler:
            found += int(value.split()[0])
    return found

before = resident()
let_go_of_compiler()
after = resident()
print(json.dumps([before, after, compiled(lambda number: 2 * number)(21)]))
"""

_HELP = """
import json, sys
from app.command import main
sys.argv[1:] = ["--help"]
try:
    main()
except SystemExit as ended:
    assert not ended.code
print(json.dumps(sorted(sys.modules)))
"""


def said_by(code: str, **environment: str) -> Any:
    """The last line that a process of its own prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HAVENS_SECRET_KEY": SECRET, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def loaded(code: str, **environment: str) -> set[str]:
    """The modules that a process of its own has loaded when it has run."""
    return set(said_by(code, **environment))


def test_what_answers_first_has_loaded_neither_compiler_nor_database(tmp_path: Path) -> None:
    found = loaded(_FIRST, HAVENS_DATA_DIR=str(tmp_path), HAVENS_ENVIRONMENT="production")
    assert "app.directory.shortcut" in found
    assert not FOR_LATER & found


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is let go of")
def test_the_compiler_is_let_go_of_and_still_compiles(tmp_path: Path) -> None:
    before, after, doubled = said_by(_LETS_GO, HAVENS_DATA_DIR=str(tmp_path))
    assert after < before / 2
    assert doubled == 42


def test_a_process_that_serves_has_loaded_nothing_that_only_some_need(
    sqlite_url: str, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    # What is done at the first start alone, and never again.
    prepare(settings_for(data_dir, sqlite_url))
    found = loaded(
        _SERVING,
        HAVENS_DATABASE_URL=sqlite_url,
        HAVENS_DATA_DIR=str(data_dir),
        HAVENS_ENVIRONMENT="production",
    )
    assert {"numba", "fastapi"} <= found
    assert not FOR_SOME & found


def test_what_reads_and_writes_a_model_is_made_when_it_is_first_used(tmp_path: Path) -> None:
    number, made = said_by(_MODELS, HAVENS_DATA_DIR=str(tmp_path))
    assert number > 200
    assert made < number / 5


def test_who_asks_which_commands_there_are_waits_for_none_of_them() -> None:
    assert not NEEDED_BY_NONE & loaded(_HELP)


@pytest.mark.parametrize("given", [[], ["--help"]])
def test_the_commands_are_listed_as_they_speak_of_themselves(
    given: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["havens", *given])
    with pytest.raises(SystemExit):
        main()
    listed = capsys.readouterr()
    with pytest.raises(SystemExit):
        cli()
    assert listed == capsys.readouterr()
    assert "serve" in listed.out


def test_what_builds_shares_the_memory_of_what_serves_until_it_is_killed(
    sqlite_url: str, tmp_path: Path
) -> None:
    def builders() -> list[psutil.Process]:
        children = service.process.children(recursive=True)
        return [child for child in children if child.name() == NAME.decode()]

    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with running(data_dir, sqlite_url) as service:
        (copy,) = until(builders)
        assert service.workers == [psutil.Process(copy.ppid())]
        copy.kill()
        haven = add_venue(sqlite_url)
        # By another one that is started in its place, which shares nothing.
        until(lambda: service.get(f"/v1/havens/{haven}").is_success)
        assert not any(child.is_running() and child.status() != "zombie" for child in builders())
