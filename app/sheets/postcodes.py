"""Postcodes from the files in which the whole country's are published, cut to where havens are.

These are the ONS Postcode Directory, in longitude and latitude, and Ordnance Survey's Code-Point
Open, in the National Grid; of either as many files as it comes in.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

import shapely
from pyproj import Transformer
from sqlmodel import Session, col, select

from app.core.places import EARTH_RADIUS_M, Point
from app.core.postcodes import Postcodes
from app.sheets.import_report import BadCell, ImportRejected, rejected
from app.venues.fields import postcode
from app.venues.models import Venue, Ward
from app.venues.wards import shape_of

MARGIN_M = 2000
"""How far beyond the wards and the venues postcodes are kept: a walk of half an hour."""

ONS = "ONS Postcode Directory"
CODE_POINT = "Code-Point Open"

_RIGHTS = "Contains OS data © Crown copyright and database right {year}"
_ROYAL_MAIL = "Contains Royal Mail data © Royal Mail copyright and database right {year}"
_ATTRIBUTIONS = {
    ONS: (
        f"{_RIGHTS}. {_ROYAL_MAIL}. Source: Office for National Statistics licensed under the Open "
        "Government Licence v.3.0."
    ),
    CODE_POINT: f"{_RIGHTS}. {_ROYAL_MAIL}. Contains National Statistics data © Crown copyright "
    "and database right {year}.",
}
"""As the licences of the two ask for it."""

_ENDED, _NOWHERE, _FAR = "no longer in use", "without a place", "outside the area"


@dataclass
class Found:
    """What files held: the postcodes of the area, and how many were left out, by why."""

    postcodes: Postcodes
    left_out: Counter[str]


def area_of(session: Session) -> shapely.Polygon:
    """The box, in degrees, of all wards and venues with `MARGIN_M` around. Raises `ImportRejected`
    where there are none."""
    shapes = [shape_of(ward.boundary) for ward in session.exec(select(Ward))]
    places = session.exec(select(col(Venue.location)))
    points = [shapely.Point(place.lon, place.lat) for place in places]
    if not (everything := [*shapes, *points]):
        raise rejected("where the area is can't be known yet: import its wards first")
    west, south, east, north = shapely.total_bounds(everything).tolist()
    lat = math.degrees(MARGIN_M / EARTH_RADIUS_M)
    lon = lat / math.cos(math.radians((south + north) / 2))
    box: shapely.Polygon = shapely.box(west - lon, south - lat, east + lon, north + lat)
    return box


def read_postcodes(files: Iterable[tuple[Path, BinaryIO]], area: shapely.Polygon) -> Found:
    """The postcodes of an area in some files. Raises `ImportRejected` for one that is another
    kind of file, that holds what can't be read, or when there is none of the area in any."""
    reading = _Reading(area)
    for path, file in files:
        reading.read(path, file)
    if reading.bad:
        raise ImportRejected(reading.bad)
    if not reading.places:
        raise rejected("holds no postcode near the wards and venues")
    today = date.today()  # noqa: DTZ011  the day of whoever imports it
    told = {
        "source": reading.source,
        "attribution": _ATTRIBUTIONS[reading.source].format(year=today.year),
        "imported": today.isoformat(),
    }
    return Found(Postcodes(reading.places, told), reading.left_out)


@dataclass
class _Reading:
    area: shapely.Polygon
    source: str = ""
    places: dict[str, Point] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    bad: list[BadCell] = field(default_factory=list)

    def read(self, path: Path, file: BinaryIO) -> None:
        rows = csv.reader(io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline=""))
        try:
            first = next(rows, [])
            header = [name.lower() for name in first]
            if {"pcds", "doterm", "lat", "long"} <= set(header):
                self.source = ONS
                self._ons(path, rows, [header.index(n) for n in ("pcds", "doterm", "lat", "long")])
            elif len(first) >= 4 and all(cell.strip().isdigit() for cell in first[1:4]):
                self.source = CODE_POINT
                self._code_point(path, [first, *rows])
            else:
                reason = (
                    f"{path.name} must be of the {ONS}, with columns pcds, doterm, lat and long, "
                    f"or of {CODE_POINT}: postcode, quality, easting, northing"
                )
                self.bad.append(BadCell(line=1, reason=reason))
        except csv.Error as error:
            self.bad.append(BadCell(line=rows.line_num, reason=f"{path.name}: {error}"))

    def _ons(self, path: Path, rows: Iterator[list[str]], columns: list[int]) -> None:
        code_at, ended_at, lat_at, lon_at = columns
        for number, row in enumerate(rows, 2):
            try:
                if row[ended_at]:
                    self.left_out[_ENDED] += 1
                    continue
                lat, lon = _number(row[lat_at]), _number(row[lon_at])
                # What has no place is put at the north of the north.
                if lat > 90:
                    self.left_out[_NOWHERE] += 1
                    continue
                self._take(row[code_at], lat, lon)
            except (ValueError, IndexError) as error:
                self._refuse(path, number, row, error)

    def _code_point(self, path: Path, rows: list[list[str]]) -> None:
        codes, eastings, northings = [], [], []
        for number, row in enumerate(rows, 1):
            try:
                easting, northing = _number(row[2]), _number(row[3])
                if easting and northing:
                    codes.append((number, row))
                    eastings.append(easting)
                    northings.append(northing)
                else:
                    self.left_out[_NOWHERE] += 1
            except (ValueError, IndexError) as error:
                self._refuse(path, number, row, error)
        # Within five metres, without the grid of corrections that would have to be fetched.
        to_degrees = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)
        lons, lats = to_degrees.transform(eastings, northings)
        for (number, row), lat, lon in zip(codes, lats, lons, strict=True):
            try:
                self._take(row[0], lat, lon)
            except ValueError as error:
                self._refuse(path, number, row, error)

    def _take(self, code: str, lat: float, lon: float) -> None:
        west, south, east, north = self.area.bounds
        if west <= lon <= east and south <= lat <= north:
            self.places[postcode(code)] = Point(lat, lon)
        else:
            self.left_out[_FAR] += 1

    def _refuse(self, path: Path, number: int, row: list[str], error: Exception) -> None:
        reason = "has too few columns" if isinstance(error, IndexError) else str(error)
        self.bad.append(
            BadCell(line=number, value=",".join(row)[:60], reason=f"of {path.name}: {reason}")
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None
