"""Wards: which one a place lies in, and their import from GeoJSON."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.core.places import EARTH_RADIUS_M, Point
from app.venues.models import Ward

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

NEAR_WARDS_M = 2_000
"""How far outside the wards a venue can be: at a neighbour's, and not where an error puts it."""


class Misplaced(ValueError):
    """A place where no venue of the register can be, with what may be wrong with it."""


class WardMap:
    """Finds the ward of a place; a border that wards share belongs to the first by code."""

    def __init__(self, wards: Iterable[Ward]) -> None:
        # Brings a library of geometry, for those who place venues.
        import shapely  # noqa: PLC0415

        self._wards = sorted(wards, key=lambda ward: ward.code)
        self._tree = shapely.STRtree([shape_of(ward.boundary) for ward in self._wards])

    def __bool__(self) -> bool:
        return bool(self._wards)

    def ward_of(self, place: Point) -> UUID | None:
        """The ward that the place lies in or on the border of, if there is one."""
        return self.wards_of([place])[0]

    def wards_of(self, places: Sequence[Point]) -> list[UUID | None]:
        """As `ward_of`, for many places at once."""
        if not self:
            return [None] * len(places)
        import shapely  # noqa: PLC0415  as above

        points = shapely.points([place.lon for place in places], [place.lat for place in places])
        wards: list[UUID | None] = [None] * len(places)
        found = self._tree.query(points, predicate="intersects").tolist()
        # The first by code comes last, and stays.
        for place, ward in sorted(zip(*found, strict=True), reverse=True):
            wards[place] = self._wards[ward].id
        return wards

    def remark(self, place: Point) -> str:
        """What to say of a venue's place: nothing within the wards. Raises `Misplaced`.

        While there are no wards, any place in Britain will do.
        """
        if self.ward_of(place):
            return ""
        if self._likely(place):
            return "lies outside the wards" if self else ""
        where = f"lies over {NEAR_WARDS_M} m outside the wards" if self else "is not in Britain"
        lat, lon = place.lat, place.lon
        if abs(lon) <= 90 and (self._likely(Point(lon, lat)) or self._likely(Point(lon, -lat))):
            raise Misplaced(f"{where}: latitude and longitude look swapped")
        if self._likely(Point(lat, -lon)):
            raise Misplaced(f"{where}: did its minus get lost? It is - west of Greenwich, + east")
        raise Misplaced(f"{where}: look its latitude and longitude up anew")

    def _likely(self, place: Point) -> bool:
        if not self:
            return 49 <= place.lat <= 61 and -9 <= place.lon <= 2
        import shapely  # noqa: PLC0415  as above

        # Metres on a plane that touches the earth there: right as far as it matters here.
        high = math.radians(EARTH_RADIUS_M)
        scale = high * math.cos(math.radians(place.lat)), high
        flat = shapely.transform(
            self._tree.geometries, lambda corners: (corners - (place.lon, place.lat)) * scale
        )
        return bool(shapely.dwithin(flat, shapely.Point(0, 0), NEAR_WARDS_M).any())


def shape_of(boundary: dict[str, Any]) -> "BaseGeometry":
    import shapely  # noqa: PLC0415  as above

    return shapely.from_geojson(json.dumps(boundary))
