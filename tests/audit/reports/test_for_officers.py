"""What officers read of the audit's reports: the same, and that they read it is not journalled."""

import httpx
import pytest
from sqlalchemy import Engine

from app.core.journal import Journal
from tests.audit.records import add_venue
from tests.audit.reports.test_due import AS_AT, award, fail


@pytest.mark.parametrize("report", ["due", "quality"])
def test_officers_read_what_auditors_read(
    engine: Engine, journal: Journal, officer: httpx.Client, licensing: httpx.Client, report: str
) -> None:
    venue = add_venue(engine)
    award(engine, venue, "2024-04-01", "2025-04-20")
    fail(engine, venue, "2025-03-01")
    read = officer.get(f"/v1/admin/{report}", params=AS_AT)
    assert read.status_code == 200
    assert journal.length() == 0
    same = licensing.get(f"/v1/audit/{report}", params=AS_AT).json()
    ours = read.json()
    assert ours.pop("about")["title"] == same.pop("about")["title"]
    assert ours == same
    assert str(venue.id) in read.text
    file = officer.get(f"/v1/admin/{report}", params={**AS_AT, "format": "xlsx"})
    assert file.headers["content-disposition"].endswith('.xlsx"')
