"""Places in a database: the only code that knows how each keeps them."""

from collections.abc import Callable
from struct import pack, unpack
from typing import Any

from sqlalchemy import ColumnElement, Dialect, Float, LargeBinary, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine

from app.core.places import Point, haversine_m


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
