"""Ways over streets by SciPy's Dijkstra, and places tied to them by trying every step."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from app.walking.access import Way
from app.walking.streets import Streets

Floats = NDArray[np.float64]


class Dijkstra:
    """How far it is between places on some streets, in centimetres; infinite without a way."""

    def __init__(self, streets: Streets, *, step_free: bool) -> None:
        self._streets = streets
        best: dict[tuple[int, int], int] = {}
        columns = streets.tails, streets.heads, streets.lengths, streets.kinds
        for tail, head, length, kind in zip(*(c.tolist() for c in columns), strict=True):
            if not (step_free and kind & Way.STEPS):
                for pair in ((tail, head), (head, tail)):
                    best[pair] = min(length, best.get(pair, length))
        (a, b), cm = np.array(list(best)).T, list(best.values())
        size = streets.junctions
        self._far: Any = dijkstra(coo_matrix((cm, (a, b)), shape=(size, size)).tocsr())

    def cm(self, ties: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
        """From each of some places (lines) to each of others (columns), both as `Tie`s."""
        (edge, along, off), (to_edge, to_along, to_off) = ties.T, others.T
        ways = np.full((len(ties), len(others)), np.inf)
        for node, rest in self._ends(edge, along):
            for to_node, to_rest in self._ends(to_edge, to_along):
                way = rest[:, None] + self._far[np.ix_(node, to_node)] + to_rest[None, :]
                ways = np.minimum(ways, way)
        apart = np.abs(along[:, None] - to_along[None, :])
        ways = np.where(edge[:, None] == to_edge[None, :], np.minimum(ways, apart), ways)
        cm: Floats = ways + off[:, None] + to_off[None, :]
        return cm

    def _ends(self, edge: Any, along: Any) -> list[tuple[Any, Any]]:
        streets = self._streets
        return [
            (streets.tails[edge], along),
            (streets.heads[edge], streets.lengths[edge] - along),
        ]


def tied(streets: Streets, lat: float, lon: float, within_m: float = 100) -> tuple[int, int, int]:
    """The edge nearest to a place, how far along, and how far off; -1 where none is that near."""
    owner = streets.owner
    untied = streets.kinds & (Way.STEPS | Way.HIDDEN | Way.BARE) != 0
    steps = np.flatnonzero((owner >= 0) & ~untied[owner])
    middle, north, east, narrows = streets.scale
    across = east - narrows * (lat * 1e6 - middle)
    here = np.array([lon * 1e6, lat * 1e6])
    a, b = ((streets.points[steps + ahead] - here) * np.array([across, north]) for ahead in (0, 1))
    along = b - a
    square = np.maximum((along**2).sum(axis=1), 1e-300)
    part = np.clip(-(a * along).sum(axis=1) / square, 0, 1)
    off = np.hypot(*(a + part[:, None] * along).T)
    nearest = int(np.argmin(off))
    if off[nearest] >= within_m:
        return -1, 0, 0
    step = steps[nearest]
    run = streets.run[step], streets.run[step + 1]
    cm = run[0] + np.floor(part[nearest] * (run[1] - run[0]) + 0.5)
    return int(owner[step]), int(cm), int(np.ceil(off[nearest] * 100))
