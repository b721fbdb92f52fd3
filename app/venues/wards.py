"""Wards: which one a place lies in, and their import from GeoJSON."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry
from sqlmodel import select

from app.geo import Point
from app.journal import Journal
from app.venues.imports import (
    BadCell,
    Change,
    ImportRejected,
    ImportReport,
    import_session,
    longest,
    one_line,
    read_text,
)
from app.venues.models import Venue, Ward

# The names by which GeoJSON files say that they hold WGS 84 in degrees, longitude first.
_WGS84 = re.compile(
    r"(urn:ogc:def:crs:)?(OGC:(1\.3|2)?:?CRS84|EPSG:([0-9.]*:)?4326)", re.IGNORECASE
)


class WardMap:
    """Finds the ward of a place; a border that wards share belongs to the first by code."""

    def __init__(self, wards: Iterable[Ward]) -> None:
        self._wards = sorted(wards, key=lambda ward: ward.code)
        self._tree = shapely.STRtree([_shape(ward.boundary) for ward in self._wards])

    def __bool__(self) -> bool:
        return bool(self._wards)

    def ward_of(self, place: Point) -> UUID | None:
        """The ward that the place lies in or on the border of, if there is one."""
        return self.wards_of([place])[0]

    def wards_of(self, places: Sequence[Point]) -> list[UUID | None]:
        """As `ward_of`, for many places at once."""
        points = shapely.points([place.lon for place in places], [place.lat for place in places])
        wards: list[UUID | None] = [None] * len(places)
        found = self._tree.query(points, predicate="intersects").tolist()
        # The first by code comes last, and stays.
        for place, ward in sorted(zip(*found, strict=True), reverse=True):
            wards[place] = self._wards[ward].id
        return wards


def import_wards(
    journal: Journal, content: bytes, *, actor: str, dry_run: bool = False
) -> ImportReport:
    """Make the wards those of a GeoJSON file, and give every venue its ward anew.

    Raises `ImportRejected`.
    """
    given = _read(content)
    report = ImportReport(dry_run=dry_run)
    with import_session(journal, actor, dry_run=dry_run) as session:
        stored = {ward.code: ward for ward in session.exec(select(Ward))}
        for code, ward in given.items():
            if not (old := stored.get(code)):
                session.add(ward)
                report.created.append(code)
            elif changed := [
                c for c in ("name", "boundary") if getattr(old, c) != getattr(ward, c)
            ]:
                for column in changed:
                    setattr(old, column, getattr(ward, column))
                report.updated.append(Change(reference=code, columns=changed))
            else:
                report.unchanged += 1
        # Venues point at wards: new ones must be there before, old ones until after.
        session.flush()
        wards = WardMap(stored.get(code, ward) for code, ward in given.items())
        for venue in session.exec(select(Venue).order_by(Venue.reference)):
            if (ward_id := wards.ward_of(venue.location)) != venue.ward_id:
                venue.ward_id = ward_id
                report.moved.append(venue.reference)
        session.flush()
        for code in sorted(stored.keys() - given.keys()):
            session.delete(stored[code])
            report.removed.append(code)
    return report


def _read(content: bytes) -> dict[str, Ward]:
    document = _json(content)
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise ImportRejected([BadCell(reason="must be a GeoJSON FeatureCollection")])
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise ImportRejected([BadCell(column="features", reason="must be a list of wards")])
    if not _is_wgs84(document.get("crs")):
        reason = "must be WGS 84 (CRS84, EPSG:4326), not another reference system"
        raise ImportRejected([BadCell(column="crs", reason=reason)])
    wards: dict[str, Ward] = {}
    bad = []
    for number, feature in enumerate(features):
        code = ""
        try:
            code, name = _code_and_name(feature)
            if code in wards:
                raise ValueError("is in the file twice")
            wards[code] = Ward(code=code, name=name, boundary=_boundary(feature.get("geometry")))
        except ValueError as error:
            bad.append(BadCell(column=f"features[{number}]", value=code, reason=str(error)))
    if bad:
        raise ImportRejected(bad)
    return wards


def _json(content: bytes) -> Any:
    try:
        return json.loads(read_text(content), parse_constant=_not_finite)
    except json.JSONDecodeError as error:
        cell = BadCell(line=error.lineno, reason=f"is not JSON: {error.msg}")
    except (ValueError, RecursionError):
        cell = BadCell(reason="is not JSON that can be read")
    raise ImportRejected([cell])


def _not_finite(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")


def _is_wgs84(crs: Any) -> bool:
    try:
        return crs is None or bool(_WGS84.fullmatch(crs["properties"]["name"]))
    except (KeyError, TypeError):
        return False


def _code_and_name(feature: Any) -> tuple[str, str]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise ValueError("must be a Feature with properties")
    found = []
    for what, ons in (("code", "CD"), ("name", "NM")):
        # The Office for National Statistics puts the year into the name: WD13CD, WD24NM.
        key = re.compile(rf"WD[0-9]{{2}}{ons}|{what}", re.IGNORECASE)
        values = [properties[name] for name in properties if key.fullmatch(name)]
        if len(values) != 1 or not isinstance(values[0], str):
            raise ValueError(f"must have one property {what} or WDyy{ons}, a text")
        text = one_line(values[0], longest(Ward, what))
        if not text:
            raise ValueError(f"must have a {what} that is not empty")
        found.append(text)
    return found[0], found[1]


def _boundary(geometry: Any) -> dict[str, Any]:
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        raise ValueError("must be a Polygon or a MultiPolygon")
    boundary = {"type": geometry["type"], "coordinates": geometry.get("coordinates")}
    try:
        shape = _shape(boundary)
    except (shapely.errors.GEOSException, RecursionError):
        raise ValueError("must have rings of positions that end where they begin") from None
    if shape.is_empty:
        raise ValueError("must not be empty")
    west, south, east, north = shape.bounds
    if west < -180 or south < -90 or east > 180 or north > 90:
        raise ValueError("must have coordinates in degrees, longitude first")
    if not shape.is_valid:
        raise ValueError(f"must be a valid polygon: {shapely.is_valid_reason(shape)}")
    return boundary


def _shape(boundary: dict[str, Any]) -> BaseGeometry:
    return shapely.from_geojson(json.dumps(boundary))
