"""Distances and directions on the sphere, compiled.

A place is a point on the unit sphere: there a straight line through the earth orders as the way
over it does, with no trigonometry in the search and no seam at the date line.
"""

import math

from app.core.compiled import Floats, compiled, compiled_part
from app.core.places import EARTH_RADIUS_M

ROUNDING = 1e-9
"""By no greater part of themselves do lengths come out wrong."""

Place = tuple[float, float, float]


@compiled
def direction(lat: float, lon: float) -> Place:
    """Degrees to a point on the unit sphere."""
    phi, turn = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(turn), math.cos(phi) * math.sin(turn), math.sin(phi)


@compiled
def directions(lat: Floats, lon: Floats, places: Floats) -> None:
    """Place every row, by the arithmetic that places a question: to the last bit."""
    for row in range(len(lat)):
        places[row, 0], places[row, 1], places[row, 2] = direction(lat[row], lon[row])


@compiled_part
def east_and_north(lat: float, lon: float) -> tuple[Place, Place]:
    """Where these are from a place."""
    phi, turn = math.radians(lat), math.radians(lon)
    east = -math.sin(turn), math.cos(turn), 0.0
    return east, (-math.sin(phi) * math.cos(turn), -math.sin(phi) * math.sin(turn), math.cos(phi))


@compiled_part
def chord_squared(origin: Place, place: Floats) -> float:
    x, y, z = place[0] - origin[0], place[1] - origin[1], place[2] - origin[2]
    return float(x * x + y * y + z * z)


@compiled_part
def bounds(origin: Place, low: Floats, high: Floats) -> tuple[float, float]:
    """The squares of the shortest and the longest chord to anything in a box."""
    near = far = 0.0
    for axis in range(3):
        above, below = low[axis] - origin[axis], high[axis] - origin[axis]
        outside, across = max(above, -below, 0.0), max(abs(above), abs(below))
        near += outside * outside
        far += across * across
    return near, far


@compiled_part
def metres(chord_squared: float) -> float:
    """The way over the earth along a chord of the unit sphere."""
    return 2 * EARTH_RADIUS_M * math.asin(min(math.sqrt(chord_squared) / 2, 1.0))


# The arc is dear, and a block need only never look farther, or less far, than a row in it: not by
# rounding either.


@compiled_part
def at_least(chord_squared: float) -> float:
    """No more than `metres`: the straight line is shorter."""
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * (1 - ROUNDING)


@compiled_part
def at_most(chord_squared: float) -> float:
    """No less than `metres`: up to a tenth of the earth's radius, the arc is hardly longer."""
    if chord_squared > 0.01:
        return metres(chord_squared) * (1 + ROUNDING)
    return EARTH_RADIUS_M * math.sqrt(chord_squared) * 1.0005


@compiled_part
def bearing(here: Place, east: Place, north: Place, place: Floats) -> int:
    """The direction in which the shortest way begins, in whole degrees clockwise from north."""
    x, y, z = place[0] - here[0], place[1] - here[1], place[2] - here[2]
    eastward = x * east[0] + y * east[1]
    northward = x * north[0] + y * north[1] + z * north[2]
    return round(math.degrees(math.atan2(eastward, northward))) % 360
