"""Points and distances, on both databases and against formulas that share no code with ours."""

import math
from collections.abc import Iterator
from random import Random
from uuid import UUID

import pytest
from geographiclib.geodesic import Geodesic
from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from app.core.db import connected
from app.core.geo import distance_m, within_m
from app.core.places import EARTH_RADIUS_M, Point, haversine_m
from app.venues.models import Venue
from tests.factories import BANK, make_venue

POINTS = [
    # lat, lon, is one, why
    (51.5134, -0.0890, True, "the middle of the City"),
    (90, 0, True, "the north pole"),
    (-90, 179, True, "the south pole, on any meridian"),
    (0, 180, True, "the date line from the west"),
    (0, -180, True, "the date line from the east"),
    (-0.0, -0.0, True, "nought has two signs"),
    (math.nextafter(90, 91), 0, False, "just past the pole"),
    (-90.1, 0, False, "past the south pole"),
    (0, math.nextafter(180, 181), False, "just past the date line"),
    (0, -180.1, False, "past it on the other side"),
    (math.nan, 0, False, "not a number"),
    (0, math.nan, False, "not a number"),
    (math.inf, 0, False, "nowhere"),
    (0, -math.inf, False, "nowhere"),
]


@pytest.mark.parametrize(("lat", "lon", "is_one", "why"), POINTS)
def test_a_point_lies_on_the_earth(lat: float, lon: float, is_one: bool, why: str) -> None:
    if is_one:
        assert Point(lat, lon) == Point(lat, lon), why
    else:
        with pytest.raises(ValueError, match="must lie between") as refused:
            Point(lat, lon)
        assert not {str(lat), str(lon)} & set(str(refused.value).split()), "it tells nobody where"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    with connected(database_url) as engine:
        yield engine


PLACES = {
    "the middle of the City": BANK,
    "a few metres from it": Point(51.51342, -0.08903),
    "more digits than anybody can use": Point(51.51340000000001, -0.08900000000000001),
    "on the meridian": Point(51.4778, 0.0),
    "almost nought": Point(5e-324, -1e-300),
    "Edinburgh": Point(55.9533, -3.1883),
    "Sydney": Point(-33.8688, 151.2093),
    "the north pole": Point(90.0, 0.0),
    "the north pole by another meridian": Point(90.0, -135.0),
    "beside the north pole": Point(89.9999, 45.0),
    "across the north pole": Point(89.9999, -135.0),
    "the south pole": Point(-90.0, 0.0),
    "the date line from the west": Point(10.0, 180.0),
    "the date line from the east": Point(10.0, -180.0),
    "before the date line": Point(10.0, 179.9999),
    "behind the date line": Point(10.0, -179.9999),
    "the other side of the earth": Point(-51.5134, 179.9110),
}


def test_what_is_stored_is_read_back_exactly(engine: Engine) -> None:
    random = Random(4326)
    places = [
        *PLACES.values(),
        *(Point(random.uniform(-90, 90), random.uniform(-180, 180)) for _ in range(500)),
    ]
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        ids = [make_venue(session, lat=place.lat, lon=place.lon).id for place in places]
    with Session(engine) as session:
        stored = dict(session.exec(select(Venue.id, col(Venue.location))).all())
    assert [stored[id_] for id_ in ids] == places


def test_a_point_of_the_database_is_found_by_its_value(engine: Engine) -> None:
    venue = make_venue(engine, lat=51.51340000000001, lon=-0.08900000000000001)
    make_venue(engine, lat=51.5134, lon=-0.089)
    with Session(engine) as session:
        found = session.exec(select(Venue.id).where(Venue.location == venue.location)).all()
    assert found == [venue.id]


def by_vectors(p: Point, q: Point) -> float:
    """Metres on the sphere by the angle between two vectors: good near, far and opposite."""
    a, b = (_vector(math.radians(point.lat), math.radians(point.lon)) for point in (p, q))
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return EARTH_RADIUS_M * math.atan2(math.hypot(*cross), dot)


def _vector(lat: float, lon: float) -> tuple[float, float, float]:
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def close(metres: float) -> object:
    """As near as the haversine formula comes: opposite each other it loses half its digits."""
    opposite = metres > 20_000_000
    return pytest.approx(metres, rel=1e-9, abs=0.2 if opposite else 1e-6)


PAIRS = [(p, q) for p in PLACES.values() for q in PLACES.values()]


def test_haversine_equals_the_angle_between_vectors() -> None:
    for p, q in PAIRS:
        assert haversine_m(p.lat, p.lon, q.lat, q.lon) == close(by_vectors(p, q)), (p, q)


SAME_PLACE = [
    ("the north pole", "the north pole by another meridian", "every meridian meets there"),
    ("the date line from the west", "the date line from the east", "it is one line"),
]


@pytest.mark.parametrize(("one", "other", "why"), SAME_PLACE)
def test_one_place_by_two_names(one: str, other: str, why: str) -> None:
    p, q = PLACES[one], PLACES[other]
    assert haversine_m(p.lat, p.lon, q.lat, q.lon) < 1e-6, why


def test_distance_in_sql_equals_the_formula(engine: Engine) -> None:
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        ids = [make_venue(session, lat=p.lat, lon=p.lon).id for p in PLACES.values()]
    with Session(engine) as session:
        for origin in PLACES.values():
            measured = dict(
                session.exec(select(Venue.id, distance_m(Venue.location, origin))).all()
            )
            for id_, place in zip(ids, PLACES.values(), strict=True):
                assert measured[id_] == close(by_vectors(origin, place)), (origin, place)


def test_distance_is_what_postgis_measures_on_its_sphere(postgresql_url: str) -> None:
    places = list(PLACES.values())
    with connected(postgresql_url) as engine, Session(engine) as session:
        ids = [make_venue(session, lat=place.lat, lon=place.lon).id for place in places]
        for origin in places:
            ours = dict(session.exec(select(Venue.id, distance_m(Venue.location, origin))).all())
            rows = session.connection().execute(
                text(
                    "SELECT id, ST_Distance(location, CAST(:here AS geography), false) FROM venue"
                ),
                {"here": f"POINT({origin.lon!r} {origin.lat!r})"},
            )
            theirs: dict[UUID, float] = {row[0]: row[1] for row in rows}
            assert ours == theirs
            for id_, place in zip(ids, places, strict=True):
                formula = haversine_m(origin.lat, origin.lon, place.lat, place.lon)
                assert theirs[id_] == close(formula), (origin, place)


WITHIN = [
    # place, factor or metres, is within, why
    ("a few metres from it", 1 + 1e-6, True, "a little more than the distance"),
    ("a few metres from it", 1 - 1e-6, False, "a little less"),
    ("Edinburgh", 1 + 1e-6, True, "a little more than the distance"),
    ("Edinburgh", 1 - 1e-6, False, "a little less"),
    ("Sydney", 1 + 1e-6, True, "farther than any straight line through a map"),
    ("Sydney", 1 - 1e-6, False, "farther than any straight line through a map"),
    ("the other side of the earth", 1 + 1e-6, True, "nothing is farther"),
    ("the middle of the City", 1, True, "no distance at all is within none"),
]


@pytest.mark.parametrize(("name", "factor", "is_within", "why"), WITHIN)
def test_within(engine: Engine, name: str, factor: float, is_within: bool, why: str) -> None:
    place = PLACES[name]
    make_venue(engine, lat=place.lat, lon=place.lon)
    metres = by_vectors(BANK, place) * factor
    with Session(engine) as session:
        found = session.exec(select(Venue.id).where(within_m(Venue.location, BANK, metres))).all()
    assert bool(found) == is_within, why


ACROSS = [
    ("before the date line", "behind the date line", 22, "across the date line"),
    ("behind the date line", "before the date line", 22, "and back"),
    ("beside the north pole", "across the north pole", 23, "across the pole"),
    ("beside the north pole", "the north pole by another meridian", 12, "to the pole"),
]


@pytest.mark.parametrize(("origin", "name", "metres", "why"), ACROSS)
def test_within_has_no_seam(
    engine: Engine, origin: str, name: str, metres: float, why: str
) -> None:
    place = PLACES[name]
    venue = make_venue(engine, lat=place.lat, lon=place.lon)
    with Session(engine) as session:
        near, far = (
            session.exec(
                select(Venue.id).where(within_m(Venue.location, PLACES[origin], most))
            ).all()
            for most in (metres, metres - 1)
        )
    assert (near, far) == ([venue.id], []), why


def test_the_sphere_is_within_half_a_percent_of_the_ellipsoid() -> None:
    random = Random(1984)
    wgs84 = Geodesic.WGS84
    origins = [Point(random.uniform(49, 61), random.uniform(-8, 2)) for _ in range(300)]
    for origin in [BANK, *origins]:
        for step in (1e-3, 0.01, 0.1, 1.0, 8.0):
            place = Point(
                origin.lat + random.uniform(-step, step), origin.lon + random.uniform(-step, step)
            )
            ours = haversine_m(origin.lat, origin.lon, place.lat, place.lon)
            exact = wgs84.Inverse(origin.lat, origin.lon, place.lat, place.lon)["s12"]
            assert ours == pytest.approx(exact, rel=0.005), (origin, place)
