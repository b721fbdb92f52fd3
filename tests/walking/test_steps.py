"""The steps of a way: when somebody is told of a turn, and in which words."""

from itertools import pairwise

import pytest

from app.http.languages import LANGUAGES
from app.walking.access import Way, way
from app.walking.steps import Course, Leg, Step, Turn, course, steps
from app.walking.wording import in_words, phrases, told_metres
from tests.walking.towns import place

ENGLISH = phrases(LANGUAGES["en"])

Metres = tuple[float, float]


def at(metres: Metres) -> tuple[int, int]:
    """A place of the town, so many metres east and north of its corner, as the columns have it."""
    lat, lon = place(*metres)
    return round(lon * 1e6), round(lat * 1e6)


def leg(name: str, *line: Metres, over: Course | None = None) -> Leg:
    kind = over or (Course.STREET if name else Course.PATH)
    length = sum(((x - u) ** 2 + (y - v) ** 2) ** 0.5 for (x, y), (u, v) in pairwise(line))
    return Leg(kind, name, [at(metres) for metres in line], round(100 * length))


def told(*legs: Leg, start: Metres = (0, 0), off: int = 0, door: Metres, door_off: int = 0) -> str:
    """What is told of a way, in English, sentence by sentence."""
    found = steps(at(start), off, legs, at(door), door_off)
    assert sum(step.cm for step in found) == off + sum(leg.cm for leg in legs) + door_off
    assert found[0].begins == at(start)
    return "; ".join(in_words(step, ENGLISH) for step in found)


BOW = leg("Bow Lane", (0, 0), (0, 80))
"""80 m to the north; the legs after it begin where it ends."""

ONWARD = {
    "straight on": ((0, 80), (0, 140)),
    "a little left": ((0, 80), (-25, 135)),
    "half left": ((0, 80), (-42, 122)),
    "left": ((0, 80), (-60, 80)),
    "right": ((0, 80), (60, 80)),
    "half right": ((0, 80), (42, 122)),
    "sharp right": ((0, 80), (30, 28)),
    "back": ((0, 80), (5, 20)),
}

TURNS = [
    ("straight on", "Go straight on along Cheapside, 60 m"),
    ("a little left", "Go straight on along Cheapside, 60 m"),
    ("half left", "Bear left into Cheapside, 60 m"),
    ("left", "Turn left into Cheapside, 60 m"),
    ("right", "Turn right into Cheapside, 60 m"),
    ("half right", "Bear right into Cheapside, 60 m"),
    ("sharp right", "Turn right into Cheapside, 60 m"),
    ("back", "Turn back along Cheapside, 60 m"),
]


@pytest.mark.parametrize(("onward", "words"), TURNS, ids=[case[0] for case in TURNS])
def test_a_turn_goes_by_its_angle(onward: str, words: str) -> None:
    line = ONWARD[onward]
    way_on = leg("Cheapside", *line)
    assert told(BOW, way_on, door=line[1]) == (
        f"Head north along Bow Lane, 80 m; {words}; The haven is here"
    )


STAYS = [
    ("straight on", True, True, "who goes straight on is told nothing"),
    ("half left", True, False, "a street stays the same where it bends, a path has no name to see"),
    ("left", False, False, "but a corner is told"),
]


@pytest.mark.parametrize(("onward", "on_street", "on_path", "why"), STAYS)
def test_staying_on_a_way_is_told_only_at_corners(
    onward: str, on_street: bool, on_path: bool, why: str
) -> None:
    line = ONWARD[onward]
    for name, is_one in (("Bow Lane", on_street), ("", on_path)):
        sentences = told(leg(name, (0, 0), (0, 80)), leg(name, *line), door=line[1]).split("; ")
        assert (len(sentences) == 2) is is_one, why


@pytest.mark.parametrize(
    ("north", "east", "heading"),
    [
        (50, 0, "north"),
        (50, 50, "north-east"),
        (0, 50, "east"),
        (-50, 50, "south-east"),
        (-50, 0, "south"),
        (-50, -50, "south-west"),
        (0, -50, "west"),
        (50, -50, "north-west"),
        (50, 18, "north"),
        (50, -23, "north-west"),
    ],
)
def test_the_first_step_goes_by_the_compass(north: float, east: float, heading: str) -> None:
    words = told(leg("Bow Lane", (0, 0), (east, north)), door=(east, north))
    assert words.startswith(f"Head {heading} along Bow Lane")


COURSES = [
    (Course.PATH, "Turn left along a path without a name, 60 m"),
    (Course.SQUARE, "Turn left across the square, 60 m"),
    (Course.BRIDGE, "Turn left over the bridge, 60 m"),
    (Course.TUNNEL, "Turn left through the tunnel, 60 m"),
    (Course.STEPS_UP, "Turn left up the steps, 60 m"),
    (Course.STEPS_DOWN, "Turn left down the steps, 60 m"),
    (Course.STEPS, "Turn left by the steps, 60 m"),
]


@pytest.mark.parametrize(("over", "words"), COURSES)
def test_what_a_way_leads_over_is_told(over: Course, words: str) -> None:
    onward = leg("", (0, 80), (-60, 80), over=over)
    assert words in told(BOW, onward, door=(-60, 80)).split("; ")


KINDS = [
    ({"highway": "footway"}, "", False, Course.PATH),
    ({"highway": "footway"}, "Bow Lane", False, Course.STREET),
    ({"highway": "footway", "bridge": "yes"}, "", False, Course.BRIDGE),
    ({"highway": "footway", "bridge": "yes"}, "Millennium Bridge", False, Course.STREET),
    ({"highway": "footway", "bridge": "no"}, "", False, Course.PATH),
    ({"highway": "footway", "tunnel": "yes"}, "", False, Course.TUNNEL),
    ({"highway": "footway", "tunnel": "building_passage"}, "", False, Course.PATH),
    ({"highway": "footway", "wheelchair": "no"}, "", False, Course.PATH),
    ({"highway": "steps"}, "", False, Course.STEPS),
    ({"highway": "steps"}, "Fish Street Hill", False, Course.STEPS),
    ({"highway": "steps", "incline": "yes"}, "", False, Course.STEPS),
    ({"highway": "steps", "incline": "up"}, "", False, Course.STEPS_UP),
    ({"highway": "steps", "incline": "up"}, "", True, Course.STEPS_DOWN),
    ({"highway": "steps", "incline": "down"}, "", False, Course.STEPS_DOWN),
    ({"highway": "steps", "incline": "down"}, "", True, Course.STEPS_UP),
    ({"highway": "steps", "incline": "30%"}, "", False, Course.STEPS_UP),
    ({"highway": "steps", "incline": "-30%"}, "", False, Course.STEPS_DOWN),
    ({"highway": "footway", "incline": "up"}, "", False, Course.PATH),
]


@pytest.mark.parametrize(("tags", "name", "is_backwards", "expected"), KINDS)
def test_a_course_goes_by_the_tags_and_the_direction(
    tags: dict[str, str], name: str, is_backwards: bool, expected: Course
) -> None:
    kind = way(tags)
    assert kind is not None
    assert course(kind, name, is_backwards=is_backwards) == expected


def test_a_line_across_an_open_square_is_told_as_one() -> None:
    assert course(Way.SQUARE, "", is_backwards=False) == Course.SQUARE
    assert course(Way.SQUARE, "Guildhall Yard", is_backwards=False) == Course.STREET


def test_a_short_gap_between_two_streets_is_not_told() -> None:
    gap = leg("", (0, 80), (0, 90))
    left = leg("Cheapside", (0, 90), (-60, 90))
    assert told(BOW, gap, left, door=(-60, 90)) == (
        "Head north along Bow Lane, 90 m; Turn left into Cheapside, 60 m; The haven is here"
    )


def test_a_street_that_is_only_crossed_is_not_told() -> None:
    crossed = leg("Cheapside", (0, 80), (4, 80))
    onward = leg("King Street", (4, 80), (4, 160))
    assert told(BOW, crossed, onward, door=(4, 160)) == (
        "Head north along Bow Lane, 85 m; Go straight on along King Street, 80 m; The haven is here"
    )


def test_a_street_goes_on_beyond_a_crossing() -> None:
    gap = leg("", (0, 80), (6, 80), (6, 86))
    onward = leg("Bow Lane", (6, 86), (6, 150))
    assert told(BOW, gap, onward, door=(6, 150)) == (
        "Head north along Bow Lane, 160 m; The haven is here"
    )


def test_what_is_walked_first_and_is_short_goes_to_what_follows() -> None:
    first = leg("", (0, -10), (0, 0))
    assert told(first, BOW, start=(4, -10), off=400, door=(0, 80)) == (
        "Head north along Bow Lane, 95 m; The haven is here"
    )


def test_the_last_bit_is_told_however_short() -> None:
    last = leg("", (0, 80), (8, 80))
    assert told(BOW, last, door=(8, 86), door_off=600) == (
        "Head north along Bow Lane, 80 m; Turn right along a path without a name, 10 m;"
        " The haven is on the left"
    )


def test_flights_of_steps_are_one_however_they_turn() -> None:
    up = leg("", (0, 80), (0, 90), over=Course.STEPS_UP)
    landing = leg("", (0, 90), (2, 90))
    back = leg("", (2, 90), (2, 80), over=Course.STEPS_UP)
    assert told(BOW, up, landing, back, door=(2, 80)) == (
        "Head north along Bow Lane, 80 m; Go straight on up the steps, 20 m; The haven is here"
    )


def test_who_is_far_from_the_street_is_sent_there_first() -> None:
    assert told(BOW, start=(-40, 0), off=4000, door=(0, 80)) == (
        "Head east to the nearest street, 40 m; Turn left into Bow Lane, 80 m; The haven is here"
    )


DOORS = [
    ((-6, 80), 600, "The haven is on the left"),
    ((6, 80), 600, "The haven is on the right"),
    ((0, 86), 600, "The haven is straight ahead"),
    ((1, 80), 100, "The haven is here"),
    ((-30, 80), 3000, "The haven is on the left, 30 m"),
]


@pytest.mark.parametrize(("door", "off", "words"), DOORS)
def test_the_door_is_told_by_its_side(door: Metres, off: int, words: str) -> None:
    assert told(BOW, door=door, door_off=off).split("; ")[-1] == words


def test_who_stands_before_the_door_is_told_so() -> None:
    here = Leg(Course.STREET, "Bow Lane", [at((0, 0))], 0)
    assert told(here, start=(0, -20), off=2000, door=(0, 6), door_off=600) == (
        "Head north to the nearest street, 20 m; The haven is straight ahead"
    )
    assert told(here, door=(0, 0)) == "The haven is here"


def test_a_kink_at_a_corner_is_no_turn() -> None:
    kinked = leg("Cheapside", (0, 80), (3, 83), (-60, 83))
    assert "Turn left into Cheapside" in told(BOW, kinked, door=(-60, 83))


@pytest.mark.parametrize(
    ("cm", "metres"),
    [
        (0, 5),
        (180, 5),
        (749, 5),
        (750, 10),
        (9_740, 95),
        (10_000, 100),
        (10_499, 100),
        (123_456, 1230),
    ],
)
def test_lengths_are_told_round(cm: int, metres: int) -> None:
    assert told_metres(cm) == metres


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_step_has_words_in_every_language(code: str) -> None:
    words = phrases(LANGUAGES[code])
    street = "Rue {street} {metres}"
    for turn in Turn:
        for over in Course if not turn.startswith("door") else [None]:
            heading = "NE" if turn == Turn.HEAD else ""
            said = in_words(Step(turn, heading, over, street, 4200, (0, 0)), words)
            assert "{" not in said.replace(street, ""), said
            assert (street in said) is (over == Course.STREET)
            assert "40" in said
