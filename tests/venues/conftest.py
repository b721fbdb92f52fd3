"""What the tests of the imports and of the register share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.db import make_engine
from app.settings import settings


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database with nothing in it; the test runs once on each kind."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment in which every venue is a demonstration."""
    monkeypatch.setenv("HAVENS_ENVIRONMENT", "demo")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def sqlite_engine(sqlite_url: str) -> Iterator[Engine]:
    """As `engine`, where one kind of database is enough."""
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()
