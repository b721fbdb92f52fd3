"""Wards from GeoJSON: read in either order of the axes, checked, and given to every venue anew."""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from sqlalchemy.orm import defer
from sqlmodel import select

from app.core.batch import Batch
from app.core.journal import Journal
from app.sheets.import_report import (
    BadCell,
    Import,
    ImportRejected,
    ImportReport,
    bring_up_to,
    line_of,
    read_json,
    rejected,
)
from app.venues.models import Venue, Ward
from app.venues.wards import WardMap, shape_of

# The names by which GeoJSON files say that they hold WGS 84 in degrees.
_WGS84 = re.compile(
    r"(urn:ogc:def:crs:|https?://www\.opengis\.net/def/crs/)?"
    r"((OGC[:/]([0-9.]*[:/])?)?CRS84|EPSG[:/]([0-9.]*[:/])?4326)",
    re.IGNORECASE,
)

_BRITISH_ISLES = shapely.box(-11, 49, 2, 61)

_EXPORT_ANEW = (
    "export it in WGS 84, for example with ogr2ogr -t_srs EPSG:4326 (and -s_srs EPSG:27700 where "
    "the file does not say that it is in the National Grid)"
)

_SLIVER = 0.1
"""How much of a ward, as a fraction, may lie in a neighbour where borders were drawn roughly."""


def import_wards(
    journal: Journal, content: bytes, *, actor: str, dry_run: bool = False
) -> ImportReport:
    """Make the wards those of a GeoJSON file, and give every venue its ward anew.

    Raises `ImportRejected`.
    """
    return import_of(content).carry_out(journal, actor, dry_run=dry_run)


def import_of(content: bytes) -> Import:
    """What a file of wards asks for. Raises `ImportRejected` for one that can't be read."""
    given = _wards(content)

    def plan(batch: Batch, report: ImportReport) -> None:
        stored = {ward.code: ward for ward in batch.session.exec(select(Ward))}
        edited = []
        for code, ward in given.items():
            columns = []
            if code not in stored:
                batch.add(ward)
            elif columns := bring_up_to(stored[code], ward, ("name", "boundary")):
                edited.append(stored[code])
            report.count(code, is_new=code not in stored, columns=columns)
        for ward in edited:
            batch.edit(ward)
        wards = WardMap(stored.get(code, ward) for code, ward in given.items())
        unread = defer(Venue.hours)  # type: ignore[arg-type]
        statement = select(Venue).options(unread).order_by(Venue.reference)
        venues = batch.session.exec(statement).all()
        ward_ids = wards.wards_of([venue.location for venue in venues])
        if venues and not any(ward_ids):
            raise rejected(
                "every venue of the register would lie outside these wards: they are another "
                f"area's, or not in longitude and latitude; if so, {_EXPORT_ANEW}"
            )
        for venue, ward_id in zip(venues, ward_ids, strict=True):
            if ward_id != venue.ward_id:
                venue.ward_id = ward_id
                batch.edit(venue)
                report.moved.append(venue.reference)
            if ward_id is None:
                report.outside.append(venue.reference)
        for code in sorted(stored.keys() - given.keys()):
            batch.delete(stored[code])
            report.removed.append(code)

    return Import(plan, (Venue, Ward))


def _wards(content: bytes) -> dict[str, Ward]:
    """The wards of the file by code. Raises `ImportRejected`."""
    document = read_json(content)
    kind = document.get("type") if isinstance(document, dict) else None
    if kind != "FeatureCollection":
        raise rejected("must be a GeoJSON FeatureCollection", value=str(kind or ""))
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise rejected("must be a list of wards", column="features")
    try:
        _check_system(document)
    except ValueError as error:
        raise rejected(str(error), column="crs") from None
    wards: dict[str, Ward] = {}
    bad = []
    for number, feature in enumerate(features):
        code = ""
        try:
            code, name = _code_and_name(feature)
            if code in wards:
                raise ValueError("is in the file twice")
            _check_system(feature)
            wards[code] = Ward(code=code, name=name, boundary=_boundary(feature.get("geometry")))
        except ValueError as error:
            bad.append(BadCell(column=f"features[{number}]", value=code, reason=str(error)))
    if bad or (bad := _overlaps(wards)):
        raise ImportRejected(bad)
    return wards


def _check_system(part: Mapping[str, Any]) -> None:
    """Raise ValueError when part of a file says that it is in another reference system."""
    match part.get("crs"):
        case None:
            return
        case {"properties": {"name": str(name)}} if _WGS84.fullmatch(name):
            return
    raise ValueError(f"must be WGS 84, not another reference system: {_EXPORT_ANEW}")


def _overlaps(wards: Mapping[str, Ward]) -> list[BadCell]:
    """The wards that lie in one another: of a place there, nobody could say which is its ward."""
    codes, shapes = list(wards), np.array([shape_of(ward.boundary) for ward in wards.values()])
    pairs = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    one, other = pairs[:, pairs[0] < pairs[1]]
    common = shapely.area(shapely.intersection(shapes[one], shapes[other]))
    areas = shapely.area(shapes)
    overlapping = common > _SLIVER * np.minimum(areas[one], areas[other])
    return [
        BadCell(
            column=f"features[{j}]",
            value=codes[j],
            reason=f"overlaps {codes[i]}: give one boundary of each ward, of one year",
        )
        for i, j in zip(one[overlapping].tolist(), other[overlapping].tolist(), strict=True)
    ]


def _code_and_name(feature: Any) -> tuple[str, str]:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        raise ValueError("must be a Feature with properties")
    texts = []
    for what, ons in (("code", "CD"), ("name", "NM")):
        # The Office for National Statistics puts the year into the name: WD13CD, WD24NM.
        key = re.compile(rf"WD[0-9]{{2}}{ons}|{what}", re.IGNORECASE)
        values = [properties[name] for name in properties if key.fullmatch(name)]
        if len(values) != 1 or not isinstance(values[0], str):
            raise ValueError(f"must have one property {what} or WDyy{ons}, a text")
        text = line_of(Ward, what)(values[0])
        if not text:
            raise ValueError(f"must have a {what} that is not empty")
        texts.append(text)
    return texts[0], texts[1]


def _boundary(geometry: Any) -> dict[str, Any]:
    """The boundary as it is kept: longitude first, without altitudes."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError("must be a Polygon or a MultiPolygon")
    _check_system(geometry)
    try:
        shape = shape_of({"type": kind, "coordinates": geometry.get("coordinates")})
    except (shapely.errors.GEOSException, RecursionError):
        raise ValueError(
            "must have rings that end where they begin, with two or three numbers to each position"
        ) from None
    if shape.is_empty:
        raise ValueError("must not be empty")
    swapped = shapely.transform(shape, np.fliplr)
    # Files in EPSG:4326 rightly have latitude first, and GeoJSON longitude: programs differ. What
    # lies in the British Isles by the one order is far out in the ocean by the other.
    shape = swapped if _BRITISH_ISLES.contains(swapped) else shapely.force_2d(shape)
    west, south, east, north = shape.bounds
    if west < -180 or south < -90 or east > 180 or north > 90:
        raise ValueError(f"must have coordinates in degrees, longitude first: {_EXPORT_ANEW}")
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        raise ValueError(
            f"must be a valid polygon: {reason}; mend it, for example with ogr2ogr -makevalid"
        )
    boundary: dict[str, Any] = json.loads(shapely.to_geojson(shape))
    return boundary
