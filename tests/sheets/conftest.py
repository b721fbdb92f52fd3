"""Two registers of one kind of database, and what fills the first."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from app.core.db import make_engine
from app.core.journal import Journal
from tests.factories import journal_of


@pytest.fixture
def journal(database_url: str) -> Iterator[Journal]:
    """A register with nothing in it; the test runs once on each kind of database."""
    engine = make_engine(database_url)
    yield journal_of(engine)
    engine.dispose()


@pytest.fixture
def engine(journal: Journal) -> Engine:
    """The database of that register."""
    return journal.engine


@pytest.fixture
def sqlite_journal(sqlite_url: str) -> Iterator[Journal]:
    """As `journal`, where one kind of database is enough."""
    engine = make_engine(sqlite_url)
    yield journal_of(engine)
    engine.dispose()


@pytest.fixture
def elsewhere(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Journal]:
    """Another register on the same kind of database, with nothing in it."""
    if database_url.startswith("sqlite"):
        template = request.getfixturevalue("sqlite_template")
        engine = make_engine(f"sqlite:///{shutil.copyfile(template, tmp_path / 'second.sqlite')}")
        yield journal_of(engine)
        engine.dispose()
        return
    postgres = request.getfixturevalue("postgres")
    engine = make_engine(
        postgres.create("elsewhere", request.getfixturevalue("postgresql_template"))
    )
    yield journal_of(engine)
    engine.dispose()
    postgres.drop("elsewhere")


@pytest.fixture(scope="module")
def shared_journal(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Journal]:
    """One register for the tests of a module that keep nothing in it."""
    path = shutil.copyfile(sqlite_template, tmp_path_factory.mktemp("bulk") / "shared.sqlite")
    engine = make_engine(f"sqlite:///{path}")
    yield journal_of(engine)
    engine.dispose()
