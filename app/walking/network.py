"""The street network of an extract, in columns: junctions, the edges between them, their shapes.

Coordinates are millionths of a degree, lengths whole centimetres, so that every program that has
the columns, a phone's too, comes to the same figures. A length is rounded up: no way is shorter
than the crow's flight.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from app.core.places import EARTH_RADIUS_M, nearness
from app.walking.access import Way
from app.walking.extract import Extract, Place, Stretch
from app.walking.squares import crossings

Shorts = NDArray[np.int32]

SIMPLIFIED_M = 1.0
"""How far a simplified shape may lie beside the true one."""

FEWEST_JUNCTIONS = 100
"""A piece of the network that hangs together but has fewer is an accident of the map: a terrace, a
courtyard, what the cut has severed. Who stands there is thought to be on the street next to it."""


class Scale(NamedTuple):
    """Metres in a millionth of a degree: the same sums, to the last bit, in any program.

    East it is `east - narrows * (latitude - middle)`, with latitudes in millionths of a degree;
    within 50 km that is right to 1 in 10,000, and never too short.
    """

    middle: int
    north: float
    east: float
    narrows: float

    @classmethod
    def around(cls, latitude: int) -> "Scale":
        """That of the surroundings of a latitude, in millionths of a degree."""
        step = math.radians(1e-6)
        phi = latitude * step
        north = EARTH_RADIUS_M * step
        return cls(latitude, north, north * math.cos(phi), north * math.sin(phi) * step)


class Network(NamedTuple):
    """Junctions are numbered so that near ones are near each other.

    Edge `e` goes from `tails[e]` to `heads[e]` along the points `starts[e]` to `starts[e + 1]` of
    `points` (longitude, latitude), its ends included; `run` says how many centimetres along it each
    of them lies. `kinds` are `Way`s; `names` says which of `texts` it bears, -1 for none.
    """

    scale: Scale
    tails: Shorts
    heads: Shorts
    kinds: Shorts
    names: Shorts
    starts: Shorts
    points: Shorts
    run: Shorts
    texts: list[str]
    junctions: int


class _Edge(NamedTuple):
    nodes: tuple[int, ...]
    kind: Way
    name: str


def network(extract: Extract) -> Network:
    """The streets of an extract, with lines over its squares, joined and simplified."""
    edges = _largest(_joined(_split(_with_squares(extract))), FEWEST_JUNCTIONS)
    ends = sorted({node for edge in edges for node in (edge.nodes[0], edge.nodes[-1])})
    places = np.array([extract.places[node] for node in ends], dtype=np.int64).reshape(-1, 2)
    order = np.argsort(nearness(places[:, 1] / 1e6, places[:, 0] / 1e6), kind="stable")
    number = {ends[old]: new for new, old in enumerate(order.tolist())}
    edges.sort(key=lambda edge: (number[edge.nodes[0]], number[edge.nodes[-1]], edge.nodes))
    texts = sorted({edge.name for edge in edges} - {""})
    text = {name: place for place, name in enumerate(texts)} | {"": -1}
    middle = int(places[:, 1].min() + places[:, 1].max()) // 2 if len(places) else 0
    scale = Scale.around(middle)
    starts, points = _simplified(edges, extract.places, scale)
    return Network(
        scale,
        _shorts(number[edge.nodes[0]] for edge in edges),
        _shorts(number[edge.nodes[-1]] for edge in edges),
        _shorts(edge.kind for edge in edges),
        _shorts(text[edge.name] for edge in edges),
        starts,
        points,
        run_of(starts, points, scale),
        texts,
        len(ends),
    )


def _with_squares(extract: Extract) -> list[Stretch]:
    ways_in = {node for stretch in extract.stretches for node in stretch.nodes}
    on_rims = Counter(
        node for square in extract.squares for node in {n for rim in square.rims for n in rim}
    )
    # Where two squares meet, people walk from one into the other.
    ways_in |= {node for node, times in on_rims.items() if times > 1}
    lines = [
        line for square in extract.squares for line in crossings(square, extract.places, ways_in)
    ]
    return extract.stretches + lines


def _split(stretches: list[Stretch]) -> list[_Edge]:
    """The same ways, cut wherever two of them meet, each piece between the same nodes once."""
    times = Counter(node for stretch in stretches for node in stretch.nodes)
    edges: dict[tuple[int, ...], _Edge] = {}
    for nodes, kind, name in stretches:
        cuts = [i for i, node in enumerate(nodes) if times[node] > 1 or i in (0, len(nodes) - 1)]
        for first, last in pairwise(cuts):
            piece = nodes[first : last + 1]
            # What is mapped twice, as a way and as the rim of a square, counts once.
            edges.setdefault(min(piece, piece[::-1]), _Edge(piece, kind, name))
    return list(edges.values())


def _joined(edges: list[_Edge]) -> list[_Edge]:
    """The same ways without nodes at which one simply goes on."""
    at: defaultdict[int, list[int]] = defaultdict(list)
    for number, edge in enumerate(edges):
        for node in (edge.nodes[0], edge.nodes[-1]):
            at[node].append(number)

    def onward(node: int, number: int) -> int | None:
        here = at[node]
        if len(here) != 2 or here[0] == here[1] or edges[number].kind & (Way.UP | Way.DOWN):
            # What leads up one way leads down the other, and a line may be joined from either end.
            return None
        other = here[here[0] == number]
        return other if edges[other][1:] == edges[number][1:] else None

    done: set[int] = set()
    joined = []
    for number, edge in enumerate(edges):
        if number in done:
            continue
        done.add(number)
        line = list(edge.nodes)
        for _ in range(2):  # at its end, and, turned round, at its other one
            last: int = number
            while (following := onward(line[-1], last)) is not None and following not in done:
                done.add(following)
                nodes = edges[following].nodes
                line += (nodes if nodes[0] == line[-1] else nodes[::-1])[1:]
                last = following
            line.reverse()
        joined.append(_Edge(tuple(line), edge.kind, edge.name))
    return joined


def _largest(edges: list[_Edge], fewest: int) -> list[_Edge]:
    """The edges of those pieces that hang together and have enough junctions."""
    beside: defaultdict[int, list[int]] = defaultdict(list)
    for edge in edges:
        beside[edge.nodes[0]].append(edge.nodes[-1])
        beside[edge.nodes[-1]].append(edge.nodes[0])
    kept: set[int] = set()
    seen: set[int] = set()
    for start in beside:
        if start in seen:
            continue
        piece, waiting = {start}, [start]
        while waiting:
            for node in beside[waiting.pop()]:
                if node not in piece:
                    piece.add(node)
                    waiting.append(node)
        seen |= piece
        if len(piece) >= fewest:
            kept |= piece
    return [edge for edge in edges if edge.nodes[0] in kept]


def _simplified(
    edges: list[_Edge], places: dict[int, Place], scale: Scale
) -> tuple[Shorts, Shorts]:
    sizes = [len(edge.nodes) for edge in edges]
    points = np.array(
        [places[node] for edge in edges for node in edge.nodes], dtype=np.int64
    ).reshape(-1, 2)
    metres = np.array([scale.east, scale.north])
    lines = shapely.linestrings(points * metres, indices=np.repeat(np.arange(len(edges)), sizes))
    simple, of = shapely.get_coordinates(shapely.simplify(lines, SIMPLIFIED_M), return_index=True)
    starts = np.searchsorted(of, np.arange(len(edges) + 1))
    return starts.astype(np.int32), np.rint(simple / metres).astype(np.int32)


def run_of(starts: Shorts, points: Shorts, scale: Scale) -> Shorts:
    """How many centimetres along its edge each point lies, every step of it rounded up."""
    lon, lat = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    between = (lat[1:] + lat[:-1]) / 2
    x = (lon[1:] - lon[:-1]) * (scale.east - scale.narrows * (between - scale.middle))
    y = (lat[1:] - lat[:-1]) * scale.north
    steps = np.ceil(np.sqrt(x * x + y * y) * 100).astype(np.int64)
    total = np.concatenate(([0], np.cumsum(steps)))
    sizes = np.diff(starts)
    run: Shorts = (total - np.repeat(total[starts[:-1]], sizes)).astype(np.int32)
    return run


def _shorts(values: Iterable[int]) -> Shorts:
    return np.fromiter(values, dtype=np.int32)
