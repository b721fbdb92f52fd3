"""Lines across open squares: from each way in to each that it is seen from, as people walk."""

from collections.abc import Iterator, Set

import numpy as np
import shapely
from numpy.typing import NDArray

from app.walking.access import Way
from app.walking.extract import Place, Square, Stretch

_DETOUR = 1.03
"""So much longer than the straight way across a square its lines may be: fewer of them do."""

_MOST = 400
"""Of more corners than this only the ways in count: the lines grow with their square."""


def crossings(square: Square, places: dict[int, Place], ways_in: Set[int]) -> Iterator[Stretch]:
    """The rim of a square, and what lines of sight over it are needed beside.

    They go between the ways in and the corners that stand in the way of a view.
    """
    for rim in square.rims:
        yield Stretch(rim, square.kind, square.name)
    scale = np.array([np.cos(np.radians(places[square.rims[0][0]][1] / 1e6)), 1.0])
    flat = [np.array([places[node] for node in rim]) * scale for rim in square.rims]
    if any(len(rim) < 4 for rim in square.rims):
        return
    open_ground = shapely.Polygon(flat[0], flat[1:])
    if not open_ground.is_valid:
        return
    nodes, corners, rims = _standpoints(square, flat, ways_in)
    if len(nodes) > _MOST:
        kept = [i for i, node in enumerate(nodes) if node in ways_in]
        nodes, corners, rims = [nodes[i] for i in kept], corners[kept], [rims[i] for i in kept]
    if len(nodes) < 2:
        return
    first, second = np.triu_indices(len(nodes), 1)
    lines = shapely.linestrings(np.stack((corners[first], corners[second]), axis=1))
    # By the rounding of a coordinate a line along the rim may leave the square.
    ground = shapely.buffer(open_ground, 1.0)
    shapely.prepare(ground)
    is_seen = np.asarray(shapely.covers(ground, lines))
    lengths = np.hypot(*(corners[first] - corners[second]).T)
    ways = _along_rims(nodes, rims, square, flat)
    for i in np.argsort(lengths, kind="stable"):
        a, b, length = first[i], second[i], lengths[i]
        if is_seen[i] and ways[a, b] > _DETOUR * length:
            yield Stretch((nodes[a], nodes[b]), square.kind | Way.SQUARE, square.name)
            through = np.minimum(
                ways[:, a, None] + length + ways[None, b, :],
                ways[:, b, None] + length + ways[None, a, :],
            )
            np.minimum(ways, through, out=ways)


def _standpoints(
    square: Square, flat: list[NDArray[np.float64]], ways_in: Set[int]
) -> tuple[list[int], NDArray[np.float64], list[int]]:
    """The nodes of the rims from which lines go, where they lie, and on which rim."""
    nodes, corners, rims = [], [], []
    for number, (rim, line) in enumerate(zip(square.rims, flat, strict=True)):
        is_left_handed = shapely.LinearRing(line).is_ccw
        before, after = np.roll(line[:-1], 1, axis=0), line[1:]
        turn = _cross(line[:-1] - before, after - line[:-1])
        # A corner that stands out into the open: of the outer rim one that turns inwards.
        stands_out = (turn < 0) == (is_left_handed == (number == 0))
        for node, corner, is_out in zip(rim, line, stands_out & (turn != 0), strict=False):
            if (is_out or node in ways_in) and node not in nodes:
                nodes.append(node)
                corners.append(corner)
                rims.append(number)
    return nodes, np.array(corners), rims


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    crossed: NDArray[np.float64] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return crossed


def _along_rims(
    nodes: list[int], rims: list[int], square: Square, flat: list[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """How far it is between any two of some nodes along the rim that they share."""
    ways = np.full((len(nodes), len(nodes)), np.inf)
    for number, (rim, line) in enumerate(zip(square.rims, flat, strict=True)):
        chosen = [i for i, of in enumerate(rims) if of == number]
        run = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))))
        at = np.array([run[rim.index(nodes[i])] for i in chosen])
        apart = np.abs(at[:, None] - at[None, :])
        ways[np.ix_(chosen, chosen)] = np.minimum(apart, run[-1] - apart)
    np.fill_diagonal(ways, 0.0)
    return ways
