"""What a command and a serving process have loaded: what only others need costs them nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
    "cryptography",  # those who have signed in
    "geoalchemy2",  # PostgreSQL
    "holidays",  # hours that are worked out
    "httpx",  # pages for those who have signed in
    "icalendar",  # a calendar that is followed
    "jose",  # those who have signed in
    "lark",  # hours that are written
    "osmium",  # an import of streets
    "psycopg",  # PostgreSQL
    "pyproj",  # an import of postcodes
    "rich",  # commands
    "shapely",  # places that are put into wards
    "typst",  # what is printed
    "xlsxwriter",  # workbooks
}

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


def loaded(code: str, **environment: str) -> set[str]:
    """The modules that a process of its own has loaded when it has run."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "HAVENS_SECRET_KEY": SECRET, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


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
