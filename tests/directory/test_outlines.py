"""Wards as a map draws them."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely

from app.directory.outlines import TOLERANCE, outlines

Corners = list[list[float]]


def ward(code: str, *rings: Corners, kind: str = "Polygon") -> tuple[str, str, str]:
    coordinates: Any = list(rings) if kind == "Polygon" else [[ring] for ring in rings]
    boundary = {"type": kind, "coordinates": coordinates}
    return code, f"Ward {code}", json.dumps(boundary)


def drawn(*wards: tuple[str, str, str]) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads(outlines(wards))
    return features


def square(west: float, east: float) -> Corners:
    return [[west, 51.5], [west, 51.51], [east, 51.51], [east, 51.5], [west, 51.5]]


def test_a_ward_is_a_feature_with_its_outer_ring_against_the_clock() -> None:
    # Longitude first, and rings in the order that RFC 7946 asks for.
    around = [[-0.1, 51.5], [-0.09, 51.5], [-0.09, 51.51], [-0.1, 51.51], [-0.1, 51.5]]
    [feature] = drawn(ward("A", square(-0.1, -0.09)))
    ring = feature["geometry"]["coordinates"][0]
    assert shapely.is_ccw(shapely.LinearRing(ring))
    assert sorted(ring[:-1]) == sorted(around[:-1])
    assert feature["type"] == "Feature"
    assert feature["id"] == "A"
    assert feature["geometry"]["type"] == "Polygon"
    assert feature["properties"] == {"code": "A", "name": "Ward A"}


def test_neighbours_keep_the_border_that_they_share() -> None:
    # A border of 200 corners that wavers by a metre or so, but for one bend of 300 m.
    border = [[-0.09 + 0.00001 * (n % 3), 51.5 + n * 0.00005] for n in range(201)]
    border[100][0] = -0.086
    west = [[-0.1, 51.5], *border, [-0.1, 51.51], [-0.1, 51.5]]
    east = [[-0.08, 51.5], *border, [-0.08, 51.51], [-0.08, 51.5]]
    one, other = (
        shapely.Polygon(*feature["geometry"]["coordinates"])
        for feature in drawn(ward("W", west), ward("E", east))
    )
    assert len(one.exterior.coords) < 25
    assert shapely.coverage_is_valid([one, other])
    assert (-0.086, 51.505) in one.exterior.coords
    assert shapely.hausdorff_distance(one, shapely.Polygon(west)) < 3 * TOLERANCE


def test_a_ward_of_two_parts_and_one_with_a_hole_keep_them() -> None:
    hole = [
        [-0.097, 51.503],
        [-0.097, 51.507],
        [-0.093, 51.507],
        [-0.093, 51.503],
        [-0.097, 51.503],
    ]
    parts, holed = drawn(
        ward("A", square(-0.14, -0.13), square(-0.12, -0.11), kind="MultiPolygon"),
        ward("B", square(-0.1, -0.09), hole),
    )
    assert len(parts["geometry"]["coordinates"]) == 2
    assert len(holed["geometry"]["coordinates"]) == 2


@pytest.mark.parametrize(
    "boundary",
    [
        "{}",
        "null",
        '{"type": "Polygon"}',
        '{"type": "Polygon", "coordinates": []}',
        '{"type": "Polygon", "coordinates": [[[0, 51], [1, 51]]]}',
        '{"type": "Point", "coordinates": [0, 51]}',
    ],
)
def test_a_boundary_that_is_none_leaves_its_ward_out(boundary: str) -> None:
    [left] = drawn(("A", "Ward A", boundary), ward("B", square(-0.1, -0.09)))
    assert left["id"] == "B"
    assert drawn(("A", "Ward A", boundary)) == []


def test_without_wards_there_are_none() -> None:
    assert outlines([]) == b"[]"


def test_wards_that_overlap_a_little_are_drawn_all_the_same() -> None:
    features = drawn(ward("A", square(-0.1, -0.0899)), ward("B", square(-0.09, -0.08)))
    assert [feature["id"] for feature in features] == ["A", "B"]


def test_the_city_s_own_wards_stay_as_they_are(real_data: Path) -> None:
    document = json.loads((real_data / "city_wards_2013.geojson").read_text())
    given = [
        (f["properties"]["WD13CD"], "", json.dumps(f["geometry"])) for f in document["features"]
    ]
    shapes = [shapely.from_geojson(json.dumps(feature["geometry"])) for feature in drawn(*given)]
    assert len(shapes) == 25
    assert shapely.coverage_is_valid(shapes)
    for (_, _, boundary), shape in zip(given, shapes, strict=True):
        meant = shapely.from_geojson(boundary)
        assert shapely.area(shapely.symmetric_difference(meant, shape)) < 0.01 * meant.area
