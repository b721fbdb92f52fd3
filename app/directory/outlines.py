"""The wards as a map draws them: a few corners each, and neighbours keep one border."""

from collections.abc import Iterable

import numpy as np
import orjson
import shapely

TOLERANCE = 0.0001
"""In degrees, some 10 m: what a phone draws finer than that, nobody sees."""

DECIMALS = 5
"""Of a degree, some metre."""

_AREAS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def outlines(wards: Iterable[tuple[str, str, str]]) -> bytes:
    """Wards, by code, name and boundary in GeoJSON, as a JSON array of GeoJSON features.

    A boundary that can't be read leaves its ward out: no drawing may keep anybody from the havens.
    """
    given = list(wards)
    # Whatever else can't be read comes back as none.
    boundaries = np.array([boundary for *_, boundary in given], dtype=object)
    shapes = shapely.from_geojson(boundaries, on_invalid="ignore")
    areas = np.isin(shapely.get_type_id(shapes), _AREAS) & ~shapely.is_empty(shapes)
    simple = shapely.coverage_simplify(shapes[areas], TOLERANCE)
    # Corners that neighbours share are rounded alike.
    simple = shapely.transform(simple, lambda corners: corners.round(DECIMALS))
    drawn = shapely.to_geojson(shapely.orient_polygons(simple))
    named = [ward for ward, is_area in zip(given, areas, strict=True) if is_area]
    return orjson.dumps(
        [
            {
                "type": "Feature",
                "id": code,
                "geometry": orjson.Fragment(geometry),
                "properties": {"code": code, "name": name},
            }
            for (code, name, _), geometry in zip(named, drawn, strict=True)
        ]
    )
