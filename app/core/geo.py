"""Places on the earth, and the only code that knows how each database keeps them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from struct import pack, unpack
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Dialect, Float, LargeBinary, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

EARTH_RADIUS_M = 6_371_008.77
"""Mean radius of WGS 84, the sphere that PostGIS measures `ST_Distance(…, false)` on."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in degrees, WGS 84. Raises ValueError when it is not on the earth."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        if not -90 <= self.lat <= 90:
            raise ValueError("latitude must lie between -90 and 90")
        if not -180 <= self.lon <= 180:
            raise ValueError("longitude must lie between -180 and 180")


def haversine_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres between two places in degrees."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_phi, half_lambda = (phi2 - phi1) / 2, math.radians(lon2 - lon1) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


def nearness(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A key that sorts near places near each other: the bits of both degrees interleaved."""
    key = np.zeros(len(lat), dtype=np.uint64)
    for shift, degrees in enumerate((lat + 90, lon + 180)):
        bits = (degrees * (2**31 / 360)).astype(np.uint64)
        for step, mask in (
            (16, 0x0000FFFF0000FFFF),
            (8, 0x00FF00FF00FF00FF),
            (4, 0x0F0F0F0F0F0F0F0F),
            (2, 0x3333333333333333),
            (1, 0x5555555555555555),
        ):
            bits = (bits | (bits << np.uint64(step))) & np.uint64(mask)
        key |= bits << np.uint64(shift)
    return key


class GeoPoint(TypeDecorator[Point]):
    """A column of points: PostGIS `geography(POINT, 4326)`, or WKB in a SQLite blob.

    The migration makes the spatial index; `spatial_index` keeps GeoAlchemy2 from making another.
    """

    impl = LargeBinary
    cache_ok = True
    spatial_index = False

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            # Brings the types of every database that it knows.
            from geoalchemy2 import Geography  # noqa: PLC0415

            return dialect.type_descriptor(
                Geography(geometry_type="POINT", srid=4326, spatial_index=False)
            )
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: Point | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return f"SRID=4326;POINT({value.lon!r} {value.lat!r})"
        return pack("<BIdd", 1, 1, value.lon, value.lat)

    def process_result_value(self, value: Any, dialect: Dialect) -> Point | None:
        return None if value is None else _from_wkb(bytes(getattr(value, "data", value)))


def _from_wkb(wkb: bytes) -> Point:
    # A point ends with its coordinates. The directory reads every venue, and a general reader takes
    # twenty times as long.
    lon, lat = unpack("<dd" if wkb[0] else ">dd", wkb[-16:])
    return Point(lat=lat, lon=lon)


class _DistanceM(GenericFunction[float]):
    """Metres on the sphere between two points."""

    type = Float()
    name = "distance_m"
    inherit_cache = True


@compiles(_DistanceM, "postgresql")
def _distance_postgresql(element: _DistanceM, compiler: SQLCompiler, **kw: Any) -> str:
    a, b = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"ST_Distance({a}, {b}, false)"


class _WithinM(GenericFunction[bool]):
    """Whether two points lie at most so many metres apart on the sphere."""

    name = "within_m"
    inherit_cache = True


@compiles(_WithinM, "postgresql")
def _within_postgresql(element: _WithinM, compiler: SQLCompiler, **kw: Any) -> str:
    a, b, metres = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"ST_DWithin({a}, {b}, {metres}, false)"


@compiles(_WithinM, "sqlite")
def _within_sqlite(element: _WithinM, compiler: SQLCompiler, **kw: Any) -> str:
    a, b, metres = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(distance_m({a}, {b}) <= {metres})"


def distance_m(column: Any, point: Point) -> ColumnElement[float]:
    """SQL: metres on the sphere from a `GeoPoint` column to a point."""
    return _DistanceM(column, literal(point, GeoPoint))


def within_m(column: Any, point: Point, metres: float) -> ColumnElement[bool]:
    """SQL: whether a `GeoPoint` column lies at most `metres` from a point."""
    return _WithinM(column, literal(point, GeoPoint), literal(metres, Float))


def sqlite_functions() -> dict[str, tuple[int, Callable[..., Any]]]:
    """What SQLite needs registered on each connection: name → (arity, function)."""

    def distance(a: bytes | None, b: bytes | None) -> float | None:
        if a is None or b is None:
            return None
        p, q = _from_wkb(a), _from_wkb(b)
        return haversine_m(p.lat, p.lon, q.lat, q.lon)

    return {"distance_m": (2, distance)}
