"""Which ways of OpenStreetMap somebody may walk at any hour, and which of them have steps.

Where there is doubt a way is shut: the answer is then a longer way, never a locked gate. So what is
open at some hours only is taken for closed, and private ways are never walked.
"""

import re
from collections.abc import Mapping
from enum import IntFlag

Tags = Mapping[str, str]

_HIGHWAYS = {
    *("footway", "path", "pedestrian", "steps", "living_street", "residential", "service"),
    *("unclassified", "road", "track", "bridleway", "trunk", "trunk_link", "primary"),
    *("primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link"),
}
_BIG = {"trunk", "trunk_link", "primary", "primary_link"}
_SQUARES = {"pedestrian", "footway", "living_street"}
_ALLOWED = {"yes", "designated", "permissive", "official", "public"}
_PUBLIC = _ALLOWED | {"destination", "unknown"}
"""Of `access`: anything else is for some people alone."""

_BY_HOURS = ("opening_hours", "foot:conditional", "access:conditional")


class Way(IntFlag):
    """What is known of a stretch of way."""

    STEPS = 1
    """Steps, an escalator, or no way for a wheelchair: nothing for a way without known steps."""

    HIDDEN = 2
    """In a tunnel: it may be walked, but nobody in the street above is on it."""

    SQUARE = 4
    """A line across an open square, where there is no path to see."""

    STAIRS = 8
    """Steps or an escalator indeed, and not only a way that is nothing for a wheelchair."""

    UP = 16
    """Stairs that lead up, in the direction in which they are drawn."""

    DOWN = 32
    """Stairs that lead down in that direction."""

    BRIDGE = 64

    BARE = 128
    """A big road without a pavement, as those down to an underpass: nobody stands on it."""

    UNTIED = STEPS | HIDDEN | BARE
    """What no place is tied to."""


def way(tags: Tags) -> Way | None:
    """What a `highway` is to somebody on foot; None when it can't be counted on."""
    highway, foot = tags.get("highway", ""), tags.get("foot", "")
    is_for_feet = highway in _HIGHWAYS or (highway == "cycleway" and foot in _ALLOWED)
    is_inside = tags.get("indoor", "no") != "no"
    if not is_for_feet or is_inside or tags.get("motorroad") == "yes" or not _may_pass(tags):
        return None
    found = Way(0)
    is_climb = highway == "steps" or "conveying" in tags or "ladder" in tags
    if is_climb:
        found |= Way.STEPS | Way.STAIRS | _incline(tags.get("incline", ""))
    if tags.get("wheelchair") == "no":
        found |= Way.STEPS
    is_under = tags.get("covered") == "yes" and tags.get("layer", "").startswith("-")
    if is_under or tags.get("tunnel", "no") not in ("no", "building_passage"):
        found |= Way.HIDDEN
    if highway in _BIG and tags.get("sidewalk") in ("no", "none"):
        found |= Way.BARE
    if tags.get("bridge", "no") != "no":
        found |= Way.BRIDGE
    return found


def _incline(value: str) -> Way:
    """Which way stairs lead: `up`, `down`, or a slope such as `-30%`."""
    if value == "down" or re.match(r"-\d", value):
        return Way.DOWN
    return Way.UP if value == "up" or re.match(r"\d", value) else Way(0)


def is_square(tags: Tags) -> bool:
    """Whether people cross an area of these tags as they like."""
    is_area = tags.get("area") == "yes" or tags.get("type") == "multipolygon"
    return is_area and tags.get("highway") in _SQUARES and way(tags) is not None


def stops(tags: Tags) -> bool:
    """Whether nobody can count on getting past a point of a way: a gate, most often."""
    return tags.get("locked") == "yes" or not _may_pass(tags)


def _may_pass(tags: Tags) -> bool:
    if any(tags.get(key, "24/7") != "24/7" for key in _BY_HOURS):
        return False
    foot = tags.get("foot", "")
    return foot in _ALLOWED if foot else tags.get("access", "yes") in _PUBLIC
