"""A town made up for tests, as an extract of OpenStreetMap and as streets.

Its streets are 100 m apart, in `SIZE` lines and as many columns, with a river between two of the
lines that one bridge crosses.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from app.core.places import EARTH_RADIUS_M
from app.walking.extract import read_extract
from app.walking.made import streets
from app.walking.streets import Streets, save

SIZE = 12
SOUTH, WEST = 51.51, -0.1
_DEGREE_M = EARTH_RADIUS_M * math.pi / 180

RIVER = 5
"""Between this line of streets and the next only the bridge leads over."""

BRIDGE = 10
"""The column of streets on which the bridge lies."""


def place(x: float, y: float) -> tuple[float, float]:
    """Latitude and longitude so many metres east and north of the corner of the town."""
    lat = SOUTH + y / _DEGREE_M
    return lat, WEST + x / (_DEGREE_M * math.cos(math.radians(SOUTH + 0.005)))


@dataclass
class Town:
    """What is drawn so far: nodes by where they are, in metres, and ways with their tags."""

    nodes: dict[tuple[float, float], int] = field(default_factory=dict)
    tags: dict[int, dict[str, str]] = field(default_factory=dict)
    ways: list[tuple[list[int], dict[str, str]]] = field(default_factory=list)

    def node(self, x: float, y: float, **tags: str) -> int:
        """The node at a place, with what is said of it."""
        number = self.nodes.setdefault((x, y), len(self.nodes) + 1)
        self.tags.setdefault(number, {}).update(tags)
        return number

    def way(self, points: Iterable[tuple[float, float]], **tags: str) -> None:
        """A way from point to point; `highway` is a street unless told."""
        self.ways.append(
            ([self.node(*point) for point in points], {"highway": "residential", **tags})
        )

    def write(self, file: Path) -> Path:
        """The town as OpenStreetMap XML."""
        lines = ["<?xml version='1.0'?><osm version='0.6'>"]
        lats, lons = zip(*(place(*at) for at in self.nodes), strict=True)
        lines.append(
            f"<bounds minlat='{min(lats):.7f}' minlon='{min(lons):.7f}'"
            f" maxlat='{max(lats):.7f}' maxlon='{max(lons):.7f}'/>"
        )
        for at, number in self.nodes.items():
            lat, lon = place(*at)
            of = f"<node id='{number}' version='1' lat='{lat:.7f}' lon='{lon:.7f}'>"
            lines.append(of + _tags(self.tags[number]) + "</node>")
        for number, (nodes, tags) in enumerate(self.ways, 1):
            refs = "".join(f"<nd ref='{node}'/>" for node in nodes)
            lines.append(f"<way id='{number}' version='1'>{refs}{_tags(tags)}</way>")
        file.write_text("\n".join([*lines, "</osm>"]))
        return file

    def streets(self, folder: Path) -> Streets:
        """The town's streets, saved in a folder."""
        file = self.write(folder / "town.osm")
        save(streets(read_extract(file, None), file), folder)
        return Streets.load(folder / "streets.graph")


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())


def grid() -> Town:
    """The town with its streets: Street 0 is the southernmost, Avenue 0 the westernmost."""
    town = Town()
    across = [100.0 * i for i in range(SIZE)]
    for line, y in enumerate(across):
        town.way([(x, y) for x in across], name=f"Street {line}")
    for column, x in enumerate(across):
        south, north = across[: RIVER + 1], across[RIVER + 1 :]
        if column == BRIDGE:
            town.way([(x, y) for y in across], name="Bridge Avenue")
        else:
            town.way([(x, y) for y in south], name=f"Avenue {column} South")
            town.way([(x, y) for y in north], name=f"Avenue {column} North")
    return town
