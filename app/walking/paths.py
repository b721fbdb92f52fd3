"""The shortest way between two places of the streets, as it is walked."""

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from app.walking.loops import NO_WAY, distances
from app.walking.steps import Leg, Place, course
from app.walking.streets import Streets, Tie


class Path(NamedTuple):
    """A way over the streets: its legs, of which there is at least one, and how long it is with
    what lies off the streets at both of its ends."""

    legs: list[Leg]
    cm: int


def path(streets: Streets, start: Tie, end: Tie, *, step_free: bool = False) -> Path | None:
    """The shortest way, exactly as long as `Streets.metres` says; None when no way is known."""
    cm = streets.between(start, end, step_free=step_free)
    if cm == NO_WAY:
        return None
    whole = cm + start.off_cm + end.off_cm
    if start.edge == end.edge and abs(start.along_cm - end.along_cm) == cm:
        return Path([_leg(streets, start.edge, start.along_cm, end.along_cm)], whole)
    ways, first, last = streets.ways(step_free=step_free), streets.ends(start), streets.ends(end)
    sources, begin = (np.array(column, dtype=np.int64) for column in zip(*first, strict=True))
    far, before = distances(ways, sources, begin, cm)
    side = next(side for side, (node, rest) in enumerate(last) if far[node] + rest == cm)
    node = last[side][0]
    legs = [_leg(streets, end.edge, _end_of(streets, end.edge, side), end.along_cm)]
    while (previous := int(before[node])) >= 0:
        around = range(ways.offsets[previous], ways.offsets[previous + 1])
        over = (i for i in around if ways.to[i] == node and far[previous] + ways.cm[i] == far[node])
        edge = int(ways.edges[next(over)])
        came_out = int(streets.heads[edge] == node)
        ends = (_end_of(streets, edge, each) for each in (1 - came_out, came_out))
        legs.append(_leg(streets, edge, *ends))
        node = previous
    side = next(side for side, each in enumerate(first) if each == (node, far[node]))
    legs.append(_leg(streets, start.edge, start.along_cm, _end_of(streets, start.edge, side)))
    return Path(legs[::-1], whole)


def prepare(streets: Streets) -> None:
    """Have compiled, or read from disk, what a path takes, so that nobody who asks waits for it."""
    here, begin = Tie(0, 0, 0), np.zeros(1, dtype=np.int64)
    for step_free in (False, True):
        streets.between(here, here, step_free=step_free)
        distances(streets.ways(step_free=step_free), begin, begin, 0)


def _end_of(streets: Streets, edge: int, side: int) -> int:
    """How far along an edge its tail (0) or its head (1) is."""
    return side * int(streets.lengths[edge])


def _leg(streets: Streets, edge: int, begin: int, end: int) -> Leg:
    """What lies between two places along an edge, in the direction from the first to the second."""
    first, last = streets.starts[edge], streets.starts[edge + 1]
    # Of a few numbers, lists are many times as fast as columns, and a way has many legs.
    run, points = streets.run[first:last].tolist(), streets.points[first:last].tolist()
    low, high = min(begin, end), max(begin, end)
    inside = [(lon, lat) for cm, (lon, lat) in zip(run, points, strict=True) if low < cm < high]
    line = [_place(run, points, low), *inside, _place(run, points, high)]
    name = streets.names[edge]
    text = streets.texts[name] if name >= 0 else ""
    over = course(int(streets.kinds[edge]), text, is_backwards=begin > end)
    return Leg(over, text, line[::-1] if begin > end else line, high - low)


def _place(run: list[int], points: list[list[int]], cm: int) -> Place:
    """Where one is so far along a shape."""
    step = min(bisect_right(run, cm), len(run) - 1) - 1
    span = run[step + 1] - run[step]
    part = (cm - run[step]) / span if span else 0.0
    (lon, lat), (to_lon, to_lat) = points[step], points[step + 1]
    return round(lon + part * (to_lon - lon)), round(lat + part * (to_lat - lat))
