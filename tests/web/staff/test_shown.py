"""What the API answers, as somebody reads it."""

import pytest

from app.web.staff.shown import shown


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
