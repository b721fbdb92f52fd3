"""What the API answers, as somebody reads it."""

import re

import pytest

from app.accounts.models import Role
from app.web.staff.shown import shown
from tests.web.staff.conftest import Staff, text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2030-01-01", "1 Jan 2030"),
        ("2030-07-01T10:00:00Z", "1 Jul 2030, 11:00"),
        ("2030-07-01T10:00", "1 Jul 2030, 10:00"),  # opening hours go by London's clocks
        ("2026-10-25T01:30:00+01:00", "25 Oct 2026, 01:30 BST"),  # comes twice
        ("2026-99-99", "2026-99-99"),  # somebody's note
        ("2026-99-99T99:99Z", "2026-99-99T99:99Z"),
        ("2026-99-99T99:99", "2026-99-99T99:99"),
    ],
)
def test_days_and_times_are_as_people_write_them(value: str, said: str) -> None:
    assert shown(value, {}, {}).text == said


def test_what_would_fill_a_list_is_folded(staff: Staff) -> None:
    browser = staff.browser(*Role)
    assert browser.send("/console/businesses/new", {"name": "Blue Door Ltd"}).is_redirect
    said = text(browser.get("/console/journal?subject=business"))
    assert re.search(r"Changes \(\d\) Field After .* name Blue Door Ltd", said)
