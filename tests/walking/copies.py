"""An extract several times over, side by side: a stand-in for a larger area than any at hand."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from app.walking.access import Way
from app.walking.extract import Box, Extract, Place, Square, Stretch

SEAM = 40
"""By so many streets two copies that lie side by side are joined."""


def copies(extract: Extract, side: int) -> Extract:
    """So many copies in a row, and as many rows of them."""
    lons, lats = np.array(list(extract.places.values())).T
    wide, high = int(np.ptp(lons)), int(np.ptp(lats))
    step = max(extract.places) + 1
    places: dict[int, Place] = {}
    stretches: list[Stretch] = []
    squares: list[Square] = []
    for number, (row, column) in enumerate(product(range(side), repeat=2)):

        def moved(nodes: tuple[int, ...], by: int = number * step) -> tuple[int, ...]:
            return tuple(node + by for node in nodes)

        for node, (lon, lat) in extract.places.items():
            places[node + number * step] = lon + column * wide, lat + row * high
        stretches += [each._replace(nodes=moved(each.nodes)) for each in extract.stretches]
        squares += [each._replace(rims=tuple(map(moved, each.rims))) for each in extract.squares]
        if column:
            stretches += _seam(extract, (number - 1) * step, number * step, axis=0)
        if row:
            stretches += _seam(extract, (number - side) * step, number * step, axis=1)
    west, south, east, north = extract.box
    box = Box(west, south, west + side * (east - west), south + side * (north - south))
    return Extract(box, extract.taken_at, places, stretches, squares)


def _seam(extract: Extract, before: int, after: int, axis: int) -> Iterator[Stretch]:
    """Streets from the far rim of one copy to the near rim of the next, in the order of the rim."""
    ends = sorted({s.nodes[i] for s in extract.stretches for i in (0, -1)})
    at = np.array([extract.places[node] for node in ends])
    by_rim = np.argsort(at[:, axis], kind="stable")
    near, far = by_rim[:SEAM], by_rim[-SEAM:]
    for rim in (near, far):
        rim[:] = rim[np.argsort(at[rim, 1 - axis], kind="stable")]
    for a, b in zip(far.tolist(), near.tolist(), strict=True):
        yield Stretch((ends[a] + before, ends[b] + after), Way(0), "")
