"""Whatever the audit is asked, the answer says what is wrong with it and repeats none of it."""

from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from tests.test_bad_input import refusal

VENUE = f"/v1/audit/venues/{UUID(int=1)}"
REPORTS = ("/v1/audit/scheme-tests", "/v1/audit/scheme-tests/venues", "/v1/audit/quality")
MOMENTS = [
    *(("as_at", bad) for bad in ("yesterday", "20250331", "2025-02-30", "1999-12-31")),
    *(
        ("as_at", bad)
        for bad in ("9999-12-31", "99999-01-01", "0", "nan", "\0", "2025-03-31T00:00")
    ),
    *(("known_at", bad) for bad in ("2025-03-31T08:00:00", "2999-01-01T00:00:00Z", "1743408000")),
    *(("known_at", bad) for bad in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")),
    *(("format", bad) for bad in ("pdf", "CSV", "\0")),
    ("nonsense", "value"),
]
CHOICES = [
    *(("ward", bad) for bad in ("E99999999", "\0", "\ud800", "x" * 21, "'; DROP TABLE ward")),
    *(("category", bad) for bad in ("sauna", "\0")),
    *(("licensed", bad) for bad in ("maybe", "2", "\0")),
    *(("business", bad) for bad in ("nobody", str(UUID(int=1)), "\0")),
]


@pytest.mark.parametrize("path", [VENUE, *REPORTS])
def test_what_is_no_question(asking: httpx.Client, path: str) -> None:
    for field, value in MOMENTS if path == VENUE else MOMENTS + CHOICES:
        answer = asking.get(f"{path}?{field}={quote(value.encode('utf-8', 'surrogatepass'))}")
        (named,) = refusal(answer, value if len(value) > 3 else "")
        assert named.split(".")[0] == field, value


def test_what_is_empty_is_as_if_left_out(auditor: httpx.Client) -> None:
    asked = "as_at=2025-03-31&known_at=2025-04-01T08:00:00+01:00"
    plain = auditor.get(f"/v1/audit/quality?{asked}")
    empty = auditor.get(
        f"/v1/audit/quality/?ward=&{asked}&category=&format=&licensed=&_=1743408000"
    )
    assert (empty.status_code, empty.content) == (200, plain.content)
