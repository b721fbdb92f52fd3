"""The steps of a way on foot, as somebody would tell them: where it turns, into what, how far.

A pure rule on a path, which a phone has as well: `app/web/static/js` follows it line by line.
Coordinates are millionths of a degree, longitude first; lengths are whole centimetres, and those of
the steps add up to the whole way.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from app.walking.access import Way

Place = tuple[int, int]
Vector = tuple[float, float]

SHORT_CM = 1500
"""An unnamed bit that is shorter is not worth telling: a crossing, the gap between two streets."""

CROSSED_CM = 500
"""A street of which one walks less is only crossed."""

LOOK_M = 10
"""By so much of a line at its end its direction goes, so that a kink at a corner is no turn."""

STRAIGHT, BEAR, BACK = 30, 60, 160
"""In degrees: less than which is straight on, less than which bears to a side, and more than which
turns back."""

HERE_M = 2
"""A door that is nearer to where one walks is simply there."""

_NORTH_M = 0.111195
"""Metres in a millionth of a degree of latitude."""


class Course(StrEnum):
    """What a stretch of a way leads over, as far as there are words for it."""

    STREET = "street"
    """Whatever bears a name, which says more than what it is."""

    PATH = "path"
    SQUARE = "square"
    BRIDGE = "bridge"
    TUNNEL = "tunnel"
    STEPS_UP = "steps_up"
    STEPS_DOWN = "steps_down"
    STEPS = "steps"
    OFF = "off"
    """No street at all: from where somebody stands to the nearest."""


class Turn(StrEnum):
    """How a step begins; the last four are how a way ends, where the door is then."""

    HEAD = "head"
    STRAIGHT = "straight"
    BEAR_LEFT = "bear_left"
    BEAR_RIGHT = "bear_right"
    LEFT = "left"
    RIGHT = "right"
    BACK = "back"
    DOOR_LEFT = "door_left"
    DOOR_RIGHT = "door_right"
    DOOR_AHEAD = "door_ahead"
    DOOR_HERE = "door_here"


HEADINGS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


class Leg(NamedTuple):
    """A stretch of a way in the direction of walking, between two junctions or less."""

    course: Course
    name: str
    points: Sequence[Place]
    cm: int


class Step(NamedTuple):
    """One step: where it begins, how, and over what it leads for how long.

    `heading` is one of `HEADINGS` of the first step, else empty. The last step is the door, so far
    off the street, with no course and no name.
    """

    turn: Turn
    heading: str
    course: Course | None
    name: str
    cm: int
    begins: Place


def course(kind: int, name: str, *, is_backwards: bool) -> Course:
    """What an edge of a kind (`Way`) and a name is to who walks it, maybe against its direction."""
    if kind & Way.STAIRS:
        if not kind & (Way.UP | Way.DOWN):
            return Course.STEPS
        return Course.STEPS_UP if bool(kind & Way.UP) != is_backwards else Course.STEPS_DOWN
    if name:
        return Course.STREET
    if kind & Way.SQUARE:
        return Course.SQUARE
    if kind & Way.HIDDEN:
        return Course.TUNNEL
    return Course.BRIDGE if kind & Way.BRIDGE else Course.PATH


def steps(
    start: Place, start_cm: int, legs: Sequence[Leg], door: Place, door_cm: int
) -> list[Step]:
    """The steps from where somebody stands, so far off the streets, to a door so far off them.

    There is at least one leg: the first begins where the start is tied to the streets, the last
    ends where the door is. It has no length where that is one point.
    """
    to_street = Leg(Course.OFF, "", (start, legs[0].points[0]), start_cm)
    whole = [leg for leg in (to_street, *legs) if leg.cm > 0]
    found: list[Step] = []
    before = (0.0, 0.0)
    for leg in _joined(_told(whole)):
        ahead = _vector(leg.points, is_end=False)
        if found:
            found.append(Step(_turn(before, ahead), "", *leg[:2], leg.cm, leg.points[0]))
        else:
            found.append(Step(Turn.HEAD, _heading(ahead), *leg[:2], leg.cm, start))
        before = _vector(leg.points, is_end=True)
    end = legs[-1].points[-1]
    side = _door(before, _vector((end, door), is_end=False))
    return [*found, Step(side, "", None, "", door_cm, end)]


def _told(legs: Sequence[Leg]) -> list[Leg]:
    """The legs without what is too short to be told, whose length goes to the leg before it, or to
    the first. What is walked last is always told."""
    told: list[Leg] = []
    carried, first = 0, 0
    while first < len(legs):
        course, name = legs[first].course, legs[first].name
        end, total = first, 0
        while end < len(legs) and (legs[end].course, legs[end].name) == (course, name):
            total += legs[end].cm
            end += 1
        if total < _SHORT.get(course, 0) and end < len(legs):
            if told:
                told[-1] = told[-1]._replace(cm=told[-1].cm + total)
            else:
                carried += total
        else:
            told.append(legs[first]._replace(cm=legs[first].cm + carried))
            told.extend(legs[first + 1 : end])
            carried = 0
        first = end
    return told


_SHORT = {
    Course.STREET: CROSSED_CM,
    Course.PATH: SHORT_CM,
    Course.SQUARE: SHORT_CM,
    Course.BRIDGE: SHORT_CM,
    Course.TUNNEL: SHORT_CM,
    Course.OFF: SHORT_CM,
}
"""Below which length each is passed over. Steps never are."""


def _joined(legs: Sequence[Leg]) -> list[Leg]:
    """The legs, each with those after it that simply go on."""
    joined: list[Leg] = []
    for leg in legs:
        last = joined[-1] if joined else None
        if last and (last.course, last.name) == (leg.course, leg.name) and _goes_on(last, leg):
            points = [*last.points, *leg.points]
            joined[-1] = Leg(last.course, last.name, points, last.cm + leg.cm)
        else:
            joined.append(leg)
    return joined


def _goes_on(leg: Leg, onward: Leg) -> bool:
    """Whether nobody need be told of a turn between two legs of one course and name."""
    if leg.course in (Course.STEPS, Course.STEPS_UP, Course.STEPS_DOWN):
        return True
    angle = _angle(_vector(leg.points, is_end=True), _vector(onward.points, is_end=False))
    # Along a street one stays on it where it bends; a path has nothing to be known by.
    return abs(angle) < (BEAR if leg.name else STRAIGHT)


def _turn(before: Vector, ahead: Vector) -> Turn:
    angle = _angle(before, ahead)
    if abs(angle) < STRAIGHT:
        return Turn.STRAIGHT
    if abs(angle) < BEAR:
        return Turn.BEAR_LEFT if angle > 0 else Turn.BEAR_RIGHT
    if abs(angle) < BACK:
        return Turn.LEFT if angle > 0 else Turn.RIGHT
    return Turn.BACK


def _door(before: Vector, ahead: Vector) -> Turn:
    if ahead[0] ** 2 + ahead[1] ** 2 < HERE_M**2:
        return Turn.DOOR_HERE
    angle = _angle(before, ahead)
    if abs(angle) < STRAIGHT:
        return Turn.DOOR_AHEAD
    return Turn.DOOR_LEFT if angle > 0 else Turn.DOOR_RIGHT


def _heading(ahead: Vector) -> str:
    clockwise = math.degrees(math.atan2(ahead[0], ahead[1]))
    return HEADINGS[math.floor(clockwise / 45 + 0.5) % 8]


def _angle(before: Vector, ahead: Vector) -> float:
    """By how many degrees one turns, to the left if positive."""
    cross = before[0] * ahead[1] - before[1] * ahead[0]
    along = before[0] * ahead[0] + before[1] * ahead[1]
    return math.degrees(math.atan2(cross, along))


def _vector(points: Sequence[Place], *, is_end: bool) -> Vector:
    """In which direction a line begins or, at its end, goes: metres east and north."""
    line = points[::-1] if is_end else points
    narrows = math.cos(math.radians(line[0][1] / 1e6))
    east = north = 0.0
    for lon, lat in line[1:]:
        east = (lon - line[0][0]) * narrows * _NORTH_M
        north = (lat - line[0][1]) * _NORTH_M
        if east**2 + north**2 >= LOOK_M**2:
            break
    return (-east, -north) if is_end else (east, north)
