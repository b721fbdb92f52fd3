"""The register's API on both databases, with people signed in, and venues without any standing."""

from uuid import UUID

import pytest

from app.core.journal import Journal
from tests.schemes.steps import add_pub


@pytest.fixture
def venue(journal: Journal) -> UUID:
    """An active pub without any decision."""
    return add_pub(journal)
