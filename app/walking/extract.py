"""The ways of an OpenStreetMap extract that somebody may walk, inside a box."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from app.core.trouble import Trouble
from app.walking.access import Way, is_square, stops, way

Place = tuple[int, int]
"""Longitude and latitude in millionths of a degree."""


class Box(NamedTuple):
    """From where to where an area goes, in degrees."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, lon: float, lat: float) -> bool:
        """Whether a place lies in it."""
        return self.west <= lon <= self.east and self.south <= lat <= self.north


class Stretch(NamedTuple):
    """A way, or what is left of one, from node to node."""

    nodes: tuple[int, ...]
    kind: Way
    name: str


class Square(NamedTuple):
    """An area that people cross as they like, by the nodes of its rims: the outer one first."""

    rims: tuple[tuple[int, ...], ...]
    kind: Way
    name: str


class Extract(NamedTuple):
    """What an extract has for somebody on foot; `places` has every node of a stretch or a rim."""

    box: Box
    taken_at: datetime | None
    places: dict[int, Place]
    stretches: list[Stretch]
    squares: list[Square]


class BadExtract(Trouble):
    """A file that is no OpenStreetMap extract, or is damaged."""


def read_extract(file: Path, within: Box | None) -> Extract:
    """Read the ways of an extract inside a box, cut where they leave it; all of them without one.

    Raises `BadExtract`.
    """
    # Nothing else needs it, and it takes a while to load.
    import osmium  # noqa: PLC0415

    reading = _Reading(within)
    try:
        with osmium.io.Reader(str(file), osmium.osm.osm_entity_bits.NOTHING) as opened:
            header = opened.header()
        wanted = osmium.filter.KeyFilter("highway", "barrier")
        areas = osmium.filter.KeyFilter("highway")
        reader: Any = osmium.FileProcessor(str(file)).with_areas(areas)
        for found in reader.with_filter(wanted):
            if found.is_node():
                reading.node(found)
            elif found.is_way():
                reading.way(found)
            elif found.is_area():
                reading.area(found)
    except RuntimeError as error:
        raise BadExtract(f"{file.name}: {error}") from None
    written = header.get("osmosis_replication_timestamp") or header.get("timestamp")
    return Extract(
        _box(header.box(), reading.places.values()),
        datetime.fromisoformat(written) if written else None,
        reading.places,
        reading.stretches,
        reading.squares,
    )


class _Reading:
    """What has been read so far. Nodes come before ways, and ways before areas."""

    def __init__(self, within: Box | None) -> None:
        self._within = within
        self._stopped: set[int] = set()
        self.places: dict[int, Place] = {}
        self.stretches: list[Stretch] = []
        self.squares: list[Square] = []

    def node(self, node: Any) -> None:
        if stops(node.tags):
            self._stopped.add(node.id)

    def way(self, found: Any) -> None:
        tags = found.tags
        kind = way(tags)
        if kind is None or tags.get("area") == "yes":
            return
        for nodes in self._pieces(found.nodes):
            self.stretches.append(Stretch(nodes, kind, tags.get("name", "")))

    def area(self, area: Any) -> None:
        tags = area.tags
        if not is_square(tags):
            return
        kind, name = way(tags) or Way(0), tags.get("name", "")
        for outer in area.outer_rings():
            rims = [list(self._pieces(rim)) for rim in (outer, *area.inner_rings(outer))]
            if all(len(pieces) == 1 for pieces in rims):
                self.squares.append(Square(tuple(pieces[0] for pieces in rims), kind, name))
                continue
            # What is cut or has a gate in it is walked along its rim, as far as that goes.
            for pieces in rims:
                self.stretches += [Stretch(nodes, kind, name) for nodes in pieces]

    def _pieces(self, nodes: Any) -> Iterator[tuple[int, ...]]:
        """A line of nodes, cut where one is missing, stops people or lies outside."""
        piece: list[int] = []
        for node in nodes:
            if self._is_passed(node):
                if not piece or piece[-1] != node.ref:
                    piece.append(node.ref)
                continue
            if len(piece) > 1:
                yield tuple(piece)
            piece = []
        if len(piece) > 1:
            yield tuple(piece)

    def _is_passed(self, node: Any) -> bool:
        if node.ref in self.places:
            return True
        if node.ref in self._stopped or not node.location.valid():
            return False
        lon, lat = node.location.lon, node.location.lat
        if self._within and not self._within.holds(lon, lat):
            return False
        self.places[node.ref] = round(lon * 1e6), round(lat * 1e6)
        return True


def _box(declared: Any, places: Sequence[Place] | Any) -> Box:
    """What the file says that it covers; where it says nothing, what its ways do."""
    if declared.valid():
        corners = declared.bottom_left, declared.top_right
        return Box(corners[0].lon, corners[0].lat, corners[1].lon, corners[1].lat)
    lons, lats = ([place[axis] / 1e6 for place in places] or [0.0] for axis in (0, 1))
    return Box(min(lons), min(lats), max(lons), max(lats))
