"""What every test can ask for; in CI, Hypothesis draws the same examples each time."""

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import is_hypothesis_test, settings
from sqlalchemy import Connection, Engine, event

from app.core.db import make_engine, migrate
from app.core.journal import Journal
from app.core.settings import settings as service_settings
from tests import faults
from tests.accounts import make_app, signed_in
from tests.databases import NO_POSTGIS, Postgres, find_postgis, workplace
from tests.servers import PATIENCE_SECONDS, client_of, serving

ROOT = Path(__file__).parent.parent
CI = bool(os.environ.get("CI"))

# A deadline would fail tests on a busy machine and find nothing.
settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.register_profile("drill", deadline=None, max_examples=1_000, print_blob=True)

SignIn = Callable[..., httpx.Client]
Scale = Callable[[int], int]

_numbers = count(1)
_engines: dict[str, Engine] = {}
"""The first engine of each kind of database that connected."""


@event.listens_for(Engine, "engine_connect")
def _share_statements(connection: Connection) -> None:
    """Let every engine have the statements that others have compiled.

    Each test has an engine of its own, and would compile all its statements anew, for longer than
    they run.
    """
    first = _engines.setdefault(connection.dialect.name, connection.engine)
    connection.dialect = connection.engine.dialect = first.dialect
    connection.engine._compiled_cache = first._compiled_cache


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--drill", action="store_true", help="try every case, and more examples")
    parser.addoption("--journey", action="store_true", help="go whole ways by clicking")


def pytest_configure(config: pytest.Config) -> None:
    drill = config.getoption("drill")
    settings.load_profile("drill" if drill else "ci" if CI else "local")
    # Where `tmp_path` is made: there, no commit has to wait for a disk.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", workplace())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # What is marked as a drill is one alone; what asks for its scale is tried in part elsewhere.
    for name in ("drill", "journey"):
        alone = [item for item in items if item.get_closest_marker(name)]
        if alone and not config.getoption(name):
            config.hook.pytest_deselected(items=alone)
            items[:] = [item for item in items if item not in alone]
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        if asked & {"postgres", "postgresql_url", "private_postgres"}:
            item.add_marker("postgresql")
        if "chromium" in asked:
            item.add_marker("browser")
        if "drill" in asked or is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("drill")


def pytest_runtest_setup() -> None:
    faults.begin_test()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += faults.report()
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, times in reasons.items():
        terminalreporter.write_line(f"{times} skipped: {reason}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database with nothing in it; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that no migration has touched; the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
    else:
        yield from _fresh(request.getfixturevalue("postgres"))


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database."""
    path = shutil.copyfile(sqlite_template, tmp_path / "havens.sqlite")
    return f"sqlite:///{path}"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment in which every venue is a demonstration."""
    monkeypatch.setenv("HAVENS_ENVIRONMENT", "demo")
    service_settings.cache_clear()
    yield
    service_settings.cache_clear()


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """As `engine`, where one kind of database is enough."""
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgresql_url(postgres: Postgres, postgresql_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    yield from _fresh(postgres, postgresql_template)


def _fresh(postgres: Postgres, template: str = "template1") -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    yield postgres.create(name, template)
    postgres.drop(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.sqlite"
    migrate(f"sqlite:///{path}")
    # The last connection to close folds the write-ahead log into the one file that is copied.
    sqlite3.connect(path).close()
    return path


@pytest.fixture(scope="session")
def postgresql_template(postgres: Postgres) -> str:
    migrate(postgres.create("template_havens"))
    return "template_havens"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server that all tests of this process share: never stop it."""
    with _server() as server:
        yield server


@pytest.fixture
def private_postgres() -> Iterator[Postgres]:
    """A server that the test may stop and start, with the migrated database `havens`."""
    with _server() as server:
        migrate(server.create("havens"))
        yield server


@contextmanager
def _server() -> Iterator[Postgres]:
    bin_ = find_postgis()
    if bin_ is None:
        # CI must never pass by skipping.
        (pytest.fail if CI else pytest.skip)(NO_POSTGIS)
    server = Postgres(bin_)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def drill(request: pytest.FixtureRequest) -> bool:
    """Whether this is a drill (`make drills`), which may take its time."""
    return bool(request.config.getoption("drill"))


@pytest.fixture(scope="session")
def scale(drill: bool) -> Scale:
    """How many cases to try, of so many in a drill: the same ones each time."""
    return lambda cases: cases if drill else max(1, cases // 8)


@pytest.fixture(scope="session")
def visible_within(drill: bool) -> float:
    """Seconds within which a change must show: in a drill as it is promised, elsewhere at all."""
    return 2 if drill else PATIENCE_SECONDS


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real venues, wards and opening hours, which is not part of this repository."""
    folder = Path(os.environ.get("HAVENS_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("there is no real data here (HAVENS_REAL_DATA names its folder)")
    return folder


# --- the application and who uses it ---------------------------------------------------------


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    """The application on a database with nothing in it, once on each kind."""
    app = make_app(database_url, tmp_path)
    yield app
    app.state.journal.engine.dispose()


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def shared_app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FastAPI]:
    """As `app`, for all tests of a module that keep nothing in it."""
    folder = tmp_path_factory.mktemp("shared")
    with ExitStack() as stack:
        if request.param == "sqlite":
            file = folder / "havens.sqlite"
            url = f"sqlite:///{shutil.copyfile(request.getfixturevalue('sqlite_template'), file)}"
        else:
            given = map(request.getfixturevalue, ("postgres", "postgresql_template"))
            url = stack.enter_context(contextmanager(_fresh)(*given))
        app = make_app(url, folder)
        stack.callback(app.state.journal.engine.dispose)
        yield app


@pytest.fixture
def journal(app: FastAPI) -> Journal:
    """The application's journal."""
    journal: Journal = app.state.journal
    return journal


@pytest.fixture
def engine(journal: Journal) -> Engine:
    """The application's database."""
    return journal.engine


@pytest.fixture
def anybody(app: FastAPI) -> Iterator[httpx.Client]:
    """A client that has not signed in."""
    with serving(app) as client:
        yield client


@pytest.fixture
def sign_in(app: FastAPI, anybody: httpx.Client) -> Iterator[SignIn]:
    """Makes clients that have signed in with roles."""
    with ExitStack() as clients:

        def made(*roles: str) -> httpx.Client:
            return clients.enter_context(client_of(anybody.base_url, signed_in(app, *roles)))

        yield made


@pytest.fixture
def officer(sign_in: SignIn) -> httpx.Client:
    return sign_in("officer")


@pytest.fixture
def licensing(sign_in: SignIn) -> httpx.Client:
    return sign_in("licensing")
