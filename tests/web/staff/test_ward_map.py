"""Where the number of a ward stands on the map of wards."""

import pytest

from app.web.staff.ward_map import room

Outline = list[tuple[int, int]]

# Its middle lies between its arms, of which the right one is the wider.
HORSESHOE = [(0, 0), (90, 0), (90, 90), (60, 90), (60, 10), (20, 10), (20, 90), (0, 90)]


@pytest.mark.parametrize(
    ("outline", "expected"),
    [
        ([(0, 0), (40, 0), (40, 20), (0, 20)], (20, 10, 40)),
        (HORSESHOE, (75, 41, 30)),
        ([(5, 7)], (5, 7, 0)),
        ([(5, 7), (9, 7)], (5, 7, 0)),
    ],
    ids=["a block", "a horseshoe", "a point", "a line"],
)
def test_a_number_stands_in_its_ward(outline: Outline, expected: tuple[int, int, int]) -> None:
    assert room(outline) == expected
    # Whichever way around it is drawn.
    assert room([*outline[:1], *outline[:0:-1]]) == expected
