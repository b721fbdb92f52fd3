"""The wards drawn, each shaded by how far a course covers it: dark is nobody, lit is everybody."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode

from fastapi import Request

from app.audit.reports.coverage import By, Coverage
from app.web.staff.shown import wording
from app.web.staff.visits import Visitor

WIDTH = 580
LETTER = 11
"""How wide a letter of a ward's name is at most, so that it stays within the ward."""

FROM = (25, 40, 50, 63, 75)
"""From how many percent on a ward is one shade lighter."""

SHADES = [f"{low}\N{EN DASH}{high - 1}" for low, high in zip((0, *FROM), (*FROM, 101), strict=True)]
LIT = 3
"""From which shade on writing is dark."""


def shade_of(percent: int | None) -> int:
    """The shade of a part of a hundred."""
    return bisect_right(FROM, percent or 0)


@dataclass(frozen=True)
class DrawnWard:
    """A ward: its outline as a path, where its number stands, and that number."""

    name: str
    path: str
    x: int
    y: int
    percent: int | None
    of: str
    width: int

    @property
    def short_name(self) -> str:
        """What is written into it above its number, if there is room."""
        name = self.name.partition(" (")[0]
        return name if len(name) * LETTER < self.width else ""

    @property
    def shade(self) -> int:
        return shade_of(self.percent)

    @property
    def is_lit(self) -> bool:
        return self.shade >= LIT


@dataclass(frozen=True)
class WardMap:
    """Wards by one figure of each; `others` are the addresses of maps of the other courses."""

    title: str
    height: int
    wards: Sequence[DrawnWard]
    nothing: str
    """What is said of a ward without a figure."""
    others: Sequence[tuple[str, str]] = ()
    shades: Sequence[str] = tuple(SHADES)


async def ward_map(request: Request, visitor: Visitor, report: Coverage) -> WardMap | None:
    """The map of a report, by the course that `map` names, or the first; None without outlines."""
    told = await visitor.api.send("GET", "/v1/wards")
    figures = {(row.group, row.course): row for row in report.courses_by if row.by is By.WARD}
    wards = {ward for ward, _ in figures}
    features = [one for one in told.body.get("features", ()) if one["id"] in wards]
    if not features:
        return None
    courses = list(dict.fromkeys(course for _, course in figures))
    chosen = request.query_params.get("map", "")
    course = next((one for one in courses if one == chosen), courses[0])
    kept = [one for one in request.query_params.multi_items() if one[0] not in ("map", "done")]
    shares = {
        code: (row.coverage, f"{row.trained:,} of {row.headcount:,}")
        for (code, of_course), row in figures.items()
        if of_course == course
    }
    others = [
        (wording(one), "?" + urlencode([*kept, ("map", one)]) + "#map")
        for one in courses
        if one != course
    ]
    return _map(wording(course), features, shares, "no headcount", others)


async def night_map(
    visitor: Visitor, title: str, shares: Mapping[str, float | None]
) -> WardMap | None:
    """A map of the shares of wards, by their codes; None without outlines."""
    told = await visitor.api.send("GET", "/v1/wards")
    features = told.body.get("features", ())
    written = {
        code: (share, "" if share is None else f"{share:.0%}") for code, share in shares.items()
    }
    return _map(title, features, written, "no need") if features else None


def _map(
    title: str,
    features: Sequence[Mapping[str, Any]],
    shares: Mapping[str, tuple[float | None, str]],
    nothing: str,
    others: Sequence[tuple[str, str]] = (),
) -> WardMap:
    projection = _Projection.of([point for one in features for point in _points(one["geometry"])])
    drawn = [_drawn(one, *shares.get(one["id"], (None, nothing)), projection) for one in features]
    return WardMap(title, projection.height, drawn, nothing, others)


Point = Sequence[float]
"""Longitude and latitude, in degrees."""


@dataclass(frozen=True)
class _Projection:
    """From degrees to the places of a drawing that is `WIDTH` wide; north is up."""

    west: float
    north: float
    across: float
    up: float
    height: int

    @classmethod
    def of(cls, points: Sequence[Point]) -> "_Projection":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        across = WIDTH / (max(xs) - min(xs))
        up = across / cos(radians(sum(ys) / len(ys)))
        return cls(min(xs), max(ys), across, up, round(up * (max(ys) - min(ys))))

    def at(self, point: Point) -> tuple[int, int]:
        return round((point[0] - self.west) * self.across), round((self.north - point[1]) * self.up)


def _rings(geometry: Mapping[str, Any]) -> Iterator[Sequence[Point]]:
    """The outlines of a ward: of each of its parts, and of what is cut out of them."""
    is_one = geometry["type"] == "Polygon"
    for part in [geometry["coordinates"]] if is_one else geometry["coordinates"]:
        yield from ([point[:2] for point in ring] for ring in part)


def _points(geometry: Mapping[str, Any]) -> Iterator[Point]:
    for ring in _rings(geometry):
        yield from ring


def _drawn(
    feature: Mapping[str, Any], share: float | None, of: str, projection: _Projection
) -> DrawnWard:
    # Points that fall together are left out, so the finest outline makes no large page.
    rings = [list(dict.fromkeys(map(projection.at, ring))) for ring in _rings(feature["geometry"])]
    x, y, width = max(map(room, rings), key=itemgetter(2))
    return DrawnWard(
        feature["properties"]["name"],
        "".join("M" + "L".join(f"{x} {y}" for x, y in ring) + "z" for ring in rings),
        x,
        y,
        None if share is None else round(100 * share),
        of,
        width,
    )


def room(ring: Sequence[tuple[int, int]]) -> tuple[int, int, int]:
    """Where in an outline there is most room to write, at the height of its middle, and how wide
    that is: the middle itself may lie in the ward next to it."""
    area = down = 0.0
    sides = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    for (x1, y1), (x2, y2) in sides:
        cross = x1 * y2 - x2 * y1
        area, down = area + cross, down + (y1 + y2) * cross
    y = int(down / (3 * area)) if area else 0
    crossings = sorted(
        x1 + (y - y1) * (x2 - x1) / (y2 - y1)
        for (x1, y1), (x2, y2) in sides
        if (y1 <= y) != (y2 <= y)
    )
    if not crossings:
        return *ring[0], 0
    spans = zip(crossings[::2], crossings[1::2], strict=True)
    left, right = max(spans, key=lambda span: span[1] - span[0])
    return round((left + right) / 2), y, round(right - left)
