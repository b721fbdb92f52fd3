"""Wards: their import, and which one a place lies in, held against shapely and PostGIS."""

import json
from pathlib import Path
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from app.core.db import read_session
from app.core.places import Point
from app.sheets import import_report as imports
from app.sheets.import_report import BadCell, Change, ImportRejected, ImportReport
from app.venues.models import Venue, Ward
from app.venues.wards import Misplaced, WardMap
from tests.sheets.register import import_fhrs, import_venues, import_wards, version


def square(west: float, south: float, size: float = 1) -> dict[str, Any]:
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def ward(code: str, geometry: Any, name: str = "Ward") -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, "name": f"{name} {code}"},
        "geometry": geometry,
    }


def written(*features: Any, **members: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features, **members}).encode()


def wards_of_venues(engine: Engine) -> dict[str, str | None]:
    """The code of each venue's ward."""
    with read_session(engine) as session:
        codes = {ward.id: ward.code for ward in session.exec(select(Ward))}
        return {
            venue.reference: codes[venue.ward_id] if venue.ward_id else None
            for venue in session.exec(select(Venue))
        }


def refused(engine: Engine, content: bytes) -> list[BadCell]:
    with pytest.raises(ImportRejected) as rejected:
        import_wards(engine, content)
    with read_session(engine) as session:
        assert not session.exec(select(Ward)).all()
    return rejected.value.cells


VENUES = b"""reference,name,category,latitude,longitude
IN-A,Inside A,pub,51.5,0.5
IN-B,Inside B,pub,51.5,1.5
BORDER,On the border of both,pub,51.5,1
CORNER,On the outer corner of B,pub,52,2
OUT,Outside both,pub,52.01,1.5
"""
A_AND_B = written(ward("B", square(1, 51)), ward("A", square(0, 51)))


@pytest.mark.parametrize("venues_first", [True, False])
def test_every_venue_has_the_ward_it_lies_in(engine: Engine, venues_first: bool) -> None:
    if venues_first:
        import_venues(engine, VENUES)
    report = import_wards(engine, A_AND_B)
    assert report.created == ["B", "A"]
    assert report.moved == (["BORDER", "CORNER", "IN-A", "IN-B"] if venues_first else [])
    if not venues_first:
        import_venues(engine, VENUES)
    assert wards_of_venues(engine) == {
        "IN-A": "A",
        "IN-B": "B",
        "BORDER": "A",
        "CORNER": "B",
        "OUT": None,
    }


def test_a_venue_that_moves_changes_its_ward(engine: Engine) -> None:
    import_wards(engine, A_AND_B)
    import_venues(engine, VENUES)
    import_venues(engine, b"reference,latitude,longitude\nIN-A,51.5,1.5\nIN-B,52.01,1.5\n")
    assert {k: v for k, v in wards_of_venues(engine).items() if k.startswith("IN")} == {
        "IN-A": "B",
        "IN-B": None,
    }


def test_a_second_import_writes_nothing(engine: Engine) -> None:
    import_venues(engine, VENUES)
    import_wards(engine, A_AND_B)
    before = version(engine)
    assert import_wards(engine, A_AND_B) == ImportReport(
        dry_run=False, unchanged=2, outside=["OUT"]
    )
    assert version(engine) == before


def test_wards_are_changed_and_removed(engine: Engine) -> None:
    import_wards(engine, A_AND_B)
    import_venues(engine, VENUES)
    content = written(ward("A", square(0, 51), "New"), ward("C", square(1, 51, size=8)))
    dry = import_wards(engine, content, dry_run=True)
    assert wards_of_venues(engine)["OUT"] is None, "a dry run changes nothing"
    assert dry == ImportReport(
        dry_run=True,
        created=["C"],
        updated=[Change(reference="A", columns=["name"])],
        removed=["B"],
        moved=["CORNER", "IN-B", "OUT"],
    )
    assert import_wards(engine, content) == dry.model_copy(update={"dry_run": False})
    assert wards_of_venues(engine) == {
        "IN-A": "A",
        "IN-B": "C",
        "BORDER": "A",
        "CORNER": "C",
        "OUT": "C",
    }
    moved = import_wards(engine, written(ward("A", square(2, 2)), ward("C", square(1, 51, size=8))))
    assert moved.updated == [Change(reference="A", columns=["name", "boundary"])]


@pytest.mark.parametrize(
    "properties",
    [
        {"WD13CD": "E05009288", "WD13CDO": "00AAGC", "WD13NM": "Aldersgate", "WD13NMW": None},
        {"FID": 1, "WD24CD": "E05009288", "WD24NM": "Aldersgate", "LAD24CD": "E09000001"},
        {"code": "E05009288", "name": " Aldersgate "},
    ],
)
def test_the_names_of_the_properties(sqlite_engine: Engine, properties: dict[str, Any]) -> None:
    import_wards(sqlite_engine, written({**ward("", square(0, 0)), "properties": properties}))
    with read_session(sqlite_engine) as session:
        stored = session.exec(select(Ward)).one()
    assert (stored.code, stored.name) == ("E05009288", "Aldersgate")


@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "urn:ogc:def:crs:OGC::CRS84",
        "urn:ogc:def:crs:EPSG::4326",
        "urn:ogc:def:crs:EPSG:6.9:4326",
        "EPSG:4326",
        "epsg:4326",
        "OGC:CRS84",
        "CRS84",
        "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "https://www.opengis.net/def/crs/EPSG/0/4326",
    ],
)
def test_names_of_wgs84(sqlite_engine: Engine, name: str) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    feature = ward("A", {**square(0, 0), "crs": crs})
    assert import_wards(sqlite_engine, written(feature, crs=crs)).created == ["A"]


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::27700"}},
        {"type": "name", "properties": {"name": "EPSG:3857"}},
        {"type": "name", "properties": {"name": "EPSG:4277"}},
        {"type": "name", "properties": {"name": "EPSG:14326"}},
        {"type": "name", "properties": {"name": 4326}},
        {"type": "EPSG", "properties": {"code": 27700}},
        {"type": "link", "properties": {}},
        "EPSG:4326",
    ],
)
def test_other_reference_systems_are_refused(sqlite_engine: Engine, crs: Any) -> None:
    for where, feature, members in (
        ("crs", ward("A", square(0, 0)), {"crs": crs}),
        ("features[0]", {**ward("A", square(0, 0)), "crs": crs}, {}),
        ("features[0]", ward("A", {**square(0, 0), "crs": crs}), {}),
    ):
        [cell] = refused(sqlite_engine, written(feature, **members))
        assert cell.column == where
        assert cell.reason.startswith("must be WGS 84, not another reference system: export it")


CITY = square(-0.125, 51.5, size=0.0625)
"""One whose numbers are exact, so that it comes out as it went in."""


def swapped(coordinates: Any) -> Any:
    """The same rings with latitude first."""
    if isinstance(coordinates[0], list):
        return [swapped(part) for part in coordinates]
    lon, lat, *altitude = coordinates
    return [lat, lon, *altitude]


def test_the_order_of_the_axes_is_told_by_where_it_leads(sqlite_engine: Engine) -> None:
    one, other = CITY["coordinates"], square(-0.0625, 51.5, size=0.0625)["coordinates"]
    latin = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}
    for crs in (None, latin):
        for parts in ([one, other], [swapped(one), other], [swapped(one), swapped(other)]):
            polygon, rest = ({"type": "Polygon", "coordinates": part} for part in parts)
            import_wards(sqlite_engine, written(ward("A", polygon), ward("B", rest), crs=crs))
            with read_session(sqlite_engine) as session:
                stored = {kept.code: kept.boundary for kept in session.exec(select(Ward))}
                wards = WardMap(session.exec(select(Ward)))
            assert [stored[code]["coordinates"] for code in "AB"] == [one, other]
            assert wards.ward_of(Point(51.53, -0.1))
            assert not wards.ward_of(Point(-0.1, 51.53))


def test_the_order_that_the_standard_has_holds_elsewhere(sqlite_engine: Engine) -> None:
    import_wards(sqlite_engine, written(ward("A", square(2.25, 48.8, size=0.125))))
    with read_session(sqlite_engine) as session:
        assert WardMap(session.exec(select(Ward))).ward_of(Point(48.85, 2.3))


def test_wards_that_hold_no_venue_at_all_are_refused(engine: Engine) -> None:
    import_venues(engine, VENUES)
    [cell] = refused(engine, written(ward("A", square(30, 30))))
    assert cell.reason.startswith("every venue of the register would lie outside these wards")
    import_wards(engine, A_AND_B)
    before = version(engine)
    with pytest.raises(ImportRejected):
        import_wards(engine, written(ward("A", square(30, 30))), dry_run=True)
    with pytest.raises(ImportRejected):
        import_wards(engine, written(ward("A", square(30, 30))))
    assert version(engine) == before
    assert wards_of_venues(engine)["IN-A"] == "A"


def test_wards_that_lie_in_one_another_are_refused(sqlite_engine: Engine) -> None:
    one = ward("A", square(0, 0))
    for other in (square(0, 0), square(0.85, 0), square(0.25, 0.25, size=0.5), square(-1, -1, 3)):
        [cell] = refused(sqlite_engine, written(one, ward("C", square(5, 5)), ward("B", other)))
        assert (cell.column, cell.value) == ("features[2]", "B")
        assert cell.reason.startswith("overlaps A: ")
    roughly = ward("B", square(0.95, 0), name="Ward of the same name as")
    assert import_wards(sqlite_engine, written(one, roughly)).created == ["A", "B"]


def test_names_need_not_differ(sqlite_engine: Engine) -> None:
    same = [
        {"type": "Feature", "properties": {"code": c, "name": "Abbey"}, "geometry": square(n, 0)}
        for n, c in enumerate("AB")
    ]
    assert import_wards(sqlite_engine, written(*same)).created == ["A", "B"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings(sqlite_engine: Engine, encoding: str) -> None:
    content = json.dumps(json.loads(A_AND_B) | {"by": "Zoë"}, ensure_ascii=False)
    assert import_wards(sqlite_engine, content.encode(encoding)).created == ["B", "A"]


BOWTIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}
OPEN = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}


@pytest.mark.parametrize(
    ("feature", "value", "reason"),
    [
        (ward("A", BOWTIE), "A", "must be a valid polygon: Self-intersection"),
        (ward("A", OPEN), "A", "must have rings"),
        (ward("A", {"type": "Polygon"}), "A", "must have rings"),
        (ward("A", {"type": "Polygon", "coordinates": [[["x", 0]] * 4]}), "A", "must have rings"),
        (ward("A", {"type": "Polygon", "coordinates": []}), "A", "must not be empty"),
        (ward("A", {"type": "Polygon", "coordinates": [[[0, 0]] * 4]}), "A", "must be a valid"),
        (
            ward("A", {"type": "Polygon", "coordinates": [[[0, 0, 1, 2]] * 4]}),
            "A",
            "must have rings",
        ),
        (ward("A", {"type": "MultiPolygon", "coordinates": [[BOWTIE]]}), "A", "must have rings"),
        (
            ward("A", {"type": "GeometryCollection", "geometries": [square(0, 0)]}),
            "A",
            "must be a P",
        ),
        (ward("A", {"type": "Point", "coordinates": [0, 0]}), "A", "must be a Polygon"),
        (ward("A", ward("B", square(0, 0))), "A", "must be a Polygon"),
        (ward("A", None), "A", "must be a Polygon"),
        (ward("A", square(532000, 181000)), "A", "must have coordinates in degrees"),
        (ward("A", square(0, 89.5)), "A", "must have coordinates in degrees"),
        (ward("GOOD", square(5, 5)), "GOOD", "is in the file twice"),
        (ward("", square(0, 0)), "", "must have a code that is not empty"),
        (ward("A" * 21, square(0, 0)), "", "must be at most 20 characters"),
        (ward("A\0", square(0, 0)), "", "must not contain control characters"),
        (ward("A\ud800", square(0, 0)), "", "must not contain control characters"),
        (
            {**ward("A", square(0, 0)), "properties": {"name": "A"}},
            "",
            "must have one property code",
        ),
        ({**ward("A", square(0, 0)), "properties": {"code": 1}}, "", "must have one property code"),
        ({**ward("A", square(0, 0)), "properties": None}, "", "must be a Feature"),
        ("A", "", "must be a Feature"),
    ],
)
def test_a_bad_ward_is_refused(
    sqlite_engine: Engine, feature: Any, value: str, reason: str
) -> None:
    [cell] = refused(sqlite_engine, written(ward("GOOD", square(0, 0)), feature))
    assert (cell.column, cell.value) == ("features[1]", value)
    assert cell.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON: Expecting value"),
        (b"\xff\xfe", "is not JSON: Expecting value"),
        (b"{", "is not JSON: "),
        (b"PK\x03\x04\x14\x00\x08\xff", "is not UTF-8 text: save it as JSON"),
        ('{"type": "Zo\xeb"}'.encode("latin-1"), "is not UTF-8 text: save it as JSON"),
        (b"\xef\xbb\xbf<kml/>", "is XML or a web page"),
        (b"\n<!doctype html>", "is XML or a web page"),
        (b"[]", "must be a GeoJSON FeatureCollection"),
        (b"null", "must be a GeoJSON FeatureCollection"),
        (json.dumps(ward("A", square(0, 0))).encode(), "must be a GeoJSON FeatureCollection"),
        (json.dumps(square(0, 0)).encode(), "must be a GeoJSON FeatureCollection"),
        (b'{"type": "Topology", "objects": {}}', "must be a GeoJSON FeatureCollection"),
        (b'{"features": [{"attributes": {}}]}', "must be a GeoJSON FeatureCollection"),
        (b'{"type": "FeatureCollection"}', "must be a list of wards"),
        (b'{"type": "FeatureCollection", "features": []}', "must be a list of wards"),
        (b'{"type": "FeatureCollection", "features": [NaN]}', "must be a Feature"),
        (b"[" * 100_000, "is not JSON that can be read"),
        (
            b'{"type": "FeatureCollection", "features": [{"properties": {"code": "A", "name": "A"},'
            b'"geometry": {"type": "Polygon", "coordinates": ' + b"[" * 900 + b"]" * 900 + b"}}]}",
            "must have rings",
        ),
        (b"1" * 5000, "is not JSON that can be read"),
    ],
)
def test_another_kind_of_file_is_refused(
    sqlite_engine: Engine, content: bytes, reason: str
) -> None:
    [cell] = refused(sqlite_engine, content)
    assert cell.reason.startswith(reason)


def test_a_file_too_large_to_be_wards_is_refused(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_BYTES_OF_JSON", len(A_AND_B) - 1)
    [cell] = refused(sqlite_engine, A_AND_B)
    assert cell.reason.startswith("is larger than")


def test_a_position_that_is_no_number_is_refused(sqlite_engine: Engine) -> None:
    for position in (b"1e999", b"1" * 400, b"true", b"NaN", b"-Infinity", b"null", b'"1"'):
        assert refused(sqlite_engine, A_AND_B.replace(b"[2, 52]", b"[2, " + position + b"]"))


def test_wards_with_holes_parts_and_altitudes(engine: Engine) -> None:
    hole = [[[0, 0, 9], [4, 0, 9], [4, 4, 9], [0, 4, 9], [0, 0, 9]], square(1, 1)["coordinates"][0]]
    parts = {"type": "MultiPolygon", "coordinates": [hole, square(8, 8)["coordinates"]]}
    import_wards(engine, written(ward("A", parts)))
    with read_session(engine) as session:
        wards = WardMap(session.exec(select(Ward)))
    assert wards.ward_of(Point(0.5, 0.5))
    assert wards.ward_of(Point(8.5, 8.5))
    assert wards.ward_of(Point(1, 1)), "the border of a hole belongs to the ward"
    assert not wards.ward_of(Point(1.5, 1.5))
    assert shapely.from_geojson(json.dumps(wards._wards[0].boundary)).has_z is False


SWAPPED = "latitude and longitude look swapped"
MINUS = "did its minus get lost? It is - west of Greenwich, + east"
ANEW = "look its latitude and longitude up anew"
ONE_WARD = [Ward(code="A", name="Ward", boundary=square(-0.1, 51.5, size=0.02))]


@pytest.mark.parametrize(
    ("wards", "lat", "lon", "remark"),
    [
        (ONE_WARD, 51.51, -0.09, ""),
        (ONE_WARD, 51.5, -0.1, ""),
        (ONE_WARD, 51.5379, -0.09, "lies outside the wards"),
        (ONE_WARD, 51.51, -0.0513, "lies outside the wards"),
        (ONE_WARD, 51.538, -0.09, f"lies over 2000 m outside the wards: {ANEW}"),
        (ONE_WARD, 51.51, -0.051, f"lies over 2000 m outside the wards: {ANEW}"),
        (ONE_WARD, 0, 0, f"lies over 2000 m outside the wards: {ANEW}"),
        (ONE_WARD, 90, 180, f"lies over 2000 m outside the wards: {ANEW}"),
        (ONE_WARD, -0.09, 51.51, f"lies over 2000 m outside the wards: {SWAPPED}"),
        (ONE_WARD, 0.09, 51.51, f"lies over 2000 m outside the wards: {SWAPPED}"),
        (ONE_WARD, 51.51, 0.09, f"lies over 2000 m outside the wards: {MINUS}"),
        ([], 51.51, -0.09, ""),
        ([], 60.8, -0.9, ""),
        ([], 0, 0, f"is not in Britain: {ANEW}"),
        ([], 40.7, -74.0, f"is not in Britain: {ANEW}"),
        ([], -0.09, 51.51, f"is not in Britain: {SWAPPED}"),
        ([], 51.5, 3.2, f"is not in Britain: {MINUS}"),
    ],
)
def test_where_a_venue_can_be(wards: list[Ward], lat: float, lon: float, remark: str) -> None:
    if ": " in remark:
        with pytest.raises(Misplaced) as misplaced:
            WardMap(wards).remark(Point(lat, lon))
        assert str(misplaced.value) == remark
    else:
        assert WardMap(wards).remark(Point(lat, lon)) == remark


def test_no_wards_hold_nothing() -> None:
    assert not WardMap([])
    assert WardMap([]).ward_of(Point(51.5, -0.1)) is None


# --- real places -----------------------------------------------------------------------------


def test_real_venues_lie_in_the_wards_that_shapely_and_postgis_say(
    engine: Engine, real_data: Path
) -> None:
    wards = (real_data / "city_wards_2013.geojson").read_bytes()
    import_fhrs(engine, (real_data / "fhrs_city_of_london_2021.json").read_bytes())
    report = import_wards(engine, wards)
    assert len(report.created) == 25
    found = wards_of_venues(engine)
    assert len(found) > 1600
    assert len(report.moved) == sum(code is not None for code in found.values())
    shapes = sorted(
        (f["properties"]["WD13CD"], shapely.geometry.shape(f["geometry"]))
        for f in json.loads(wards)["features"]
    )
    with read_session(engine) as session:
        for venue in session.exec(select(Venue)):
            place = shapely.Point(venue.location.lon, venue.location.lat)
            covering = [code for code, shape in shapes if shape.covers(place)]
            assert found[venue.reference] == next(iter(covering), None)
        if engine.dialect.name == "postgresql":
            assert found == _by_postgis(session)


def _by_postgis(session: Session) -> dict[str, str | None]:
    rows = session.connection().execute(
        text(
            "SELECT venue.reference, min(ward.code) AS code FROM venue LEFT JOIN ward ON ST_Covers("
            "ST_SetSRID(ST_GeomFromGeoJSON(ward.boundary::text), 4326), venue.location::geometry)"
            " GROUP BY venue.reference"
        )
    )
    return {row.reference: row.code for row in rows}
