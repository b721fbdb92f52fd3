"""What the tests of the imports and of the register share."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.core.db import make_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database with nothing in it; the test runs once on each kind."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()
