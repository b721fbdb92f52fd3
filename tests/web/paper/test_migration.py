"""Codes hang on walls: they come back when the database went back a version and up again."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

from app.core.db import connected, downgrade, migrate
from app.web.paper.models import CertificateCode
from tests.factories import award, make_venue

CODE = "QF7K2MXP91TD"


@pytest.mark.parametrize("revision", ["0008", "0004"])
def test_codes_come_back(empty_database_url: str, revision: str) -> None:
    migrate(empty_database_url)
    with connected(empty_database_url) as engine:
        venue = make_venue(engine, safe_haven_from=None)
        held = award(engine, venue.id, date(2026, 3, 2), date(2027, 3, 1))
        row = {"decision_id": held.id, "code": CODE, "made_at": datetime(2026, 3, 2, tzinfo=UTC)}
        with engine.execution_options(writes=True).begin() as connection:
            connection.execute(sa.insert(CertificateCode), row)
        downgrade(empty_database_url, revision)
        assert not sa.inspect(engine).has_table("certificate_code")
        migrate(empty_database_url)
        with engine.connect() as connection:
            (kept,) = connection.execute(sa.select(CertificateCode.__table__)).mappings()  # type: ignore[attr-defined]
        assert dict(kept) == row
        assert not sa.inspect(engine).has_table("certificate_code_kept")
