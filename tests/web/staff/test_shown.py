"""What the API answers, as somebody reads it."""

import re

import pytest

from app.accounts.models import Role
from app.web.staff.asking import hint_of
from app.web.staff.shown import in_full, shown, with_days
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


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Register until 2026-11-30", "Register until 30 Nov 2026"),
        ("WAVE in 2025-11", "WAVE in Nov 2025"),
        ("from 2026-13-01 on, 2026/27", "from 2026-13-01 on, 2026/27"),
    ],
)
def test_days_within_a_text_are_as_people_write_them(written: str, said: str) -> None:
    assert with_days(written) == said


def test_what_is_no_count_is_not_written_as_one() -> None:
    part = in_full({"year": 2026, "coverage": 0.8333, "subject": "venue_facts"}, {}, {})
    assert [one.text for _, one in part.lines] == ["2026", "83\N{NO-BREAK SPACE}%", "Venue facts"]


def test_what_somebody_called_something_is_said_once() -> None:
    called = {"drink_spiking": "Drink spiking", "children": "Protection of children from harm"}
    words = {"type": "object", "additionalProperties": {"type": "string"}}
    rows = shown(called, words, {}).rows
    assert [cell.text for row in rows for cell in row] == [
        "Drink spiking",
        "Protection of children from harm (Children)",
    ]


def test_a_table_begins_with_what_each_row_is_about() -> None:
    row = {"sessions": 14, "recorded_by": "jo", "course": "wave"}
    items = {"type": "object", "properties": {key: {} for key in row}}
    part = shown([row], {"type": "array", "items": items}, {})
    assert part.columns == ["Course", "Sessions", "Recorded by"]
    assert [cell.text for cell in part.rows[0]] == ["WAVE", "14", "jo"]


def test_a_hint_has_no_marks_of_the_contract_s() -> None:
    described = {"type": "string", "description": "Letters and `. _ @`"}
    assert hint_of("name", described, needed=True) == "Letters and . _ @"


def test_what_would_fill_a_list_is_folded(staff: Staff) -> None:
    browser = staff.browser(*Role)
    assert browser.send("/console/businesses/new", {"name": "Blue Door Ltd"}).is_redirect
    said = text(browser.get("/console/journal?subject=business"))
    assert re.search(r"Changes \(\d\) Field After .* name Blue Door Ltd", said)
