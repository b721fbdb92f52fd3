"""The network of streets: which ways are walked, where a place is tied, and how far it is."""

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from app.core.places import haversine_m
from app.walking.access import Way
from app.walking.extract import BadExtract, read_extract
from app.walking.file import STREETS, UnusableStreets
from app.walking.made import streets
from app.walking.paths import path
from app.walking.streets import Streets, Tie, save
from tests.walking.copies import copies
from tests.walking.dijkstra import Dijkstra
from tests.walking.towns import BRIDGE, RIVER, Town, grid, place

DATA = Path(__file__).parents[3] / "shared" / "data" / "streets"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Streets:
    return grid().streets(tmp_path_factory.mktemp("town"))


def walk(made: Streets, a: tuple[float, float], b: tuple[float, float], **profile: bool) -> float:
    """Metres on foot between two places of a town."""
    tie, to = made.tie(*place(*a)), made.tie(*place(*b))
    assert tie
    assert to
    return made.metres(tie, to, **profile)


def test_the_way_leads_along_the_streets(town: Streets) -> None:
    assert walk(town, (0, 0), (300, 200)) == pytest.approx(500, rel=0.001)
    assert walk(town, (130, 0), (170, 0)) == pytest.approx(40, rel=0.01)
    # From one side of a block to the other, whichever way round is the shorter.
    assert walk(town, (110, 0), (120, 100)) == pytest.approx(130, rel=0.01)


def test_only_the_bridge_crosses_the_river(town: Streets) -> None:
    over = 2 * 100 * BRIDGE + 100
    assert walk(town, (0, 100 * RIVER), (0, 100 * (RIVER + 1))) == pytest.approx(over, rel=0.001)


def test_what_lies_off_the_street_counts(town: Streets) -> None:
    on, off = walk(town, (130, 0), (350, 0)), walk(town, (130, -30), (350, 20))
    assert off == pytest.approx(on + 50, rel=0.001)


@pytest.mark.parametrize(("metres", "is_tied"), [(99, True), (101, False)])
def test_whoever_is_far_from_any_street_is_on_none(
    town: Streets, metres: float, is_tied: bool
) -> None:
    assert (town.tie(*place(150, -metres)) is not None) is is_tied


def test_the_street_of_the_address_is_preferred(town: Streets) -> None:
    nearest = town.tie(*place(30, 60))
    named = town.tie(*place(30, 60), street="7 Street 1")
    assert nearest
    assert named
    assert town.texts[town.names[nearest.edge]] == "Avenue 0 South"
    assert town.texts[town.names[named.edge]] == "Street 1"
    far = town.tie(*place(65, 30), street="7, Avenue 0 South")
    assert far
    assert town.texts[town.names[far.edge]] == "Street 0"  # its own street is farther than 60 m


# What may lead across a block that it is 200 m to walk around.
WAYS_THROUGH = [
    ({"highway": "footway"}, True, "a footway"),
    ({"highway": "footway", "access": "private"}, False, "private"),
    ({"highway": "service", "access": "private", "foot": "yes"}, True, "for people on foot not"),
    ({"highway": "service", "access": "customers"}, False, "for customers"),
    ({"highway": "footway", "foot": "no"}, False, "not on foot"),
    ({"highway": "cycleway"}, False, "for bicycles alone"),
    ({"highway": "cycleway", "foot": "designated"}, True, "for both"),
    ({"highway": "footway", "foot:conditional": "no @ (0:00-06:00)"}, False, "shut at night"),
    ({"highway": "footway", "opening_hours": "08:00-20:00"}, False, "shut at night"),
    ({"highway": "footway", "opening_hours": "24/7"}, True, "always open"),
    ({"highway": "footway", "indoor": "yes"}, False, "behind doors"),
    ({"highway": "motorway"}, False, "for cars alone"),
    ({"highway": "primary", "motorroad": "yes"}, False, "for cars alone"),
    ({"highway": "construction"}, False, "not there yet"),
    ({"highway": "footway", "tunnel": "yes"}, True, "a subway may be walked"),
    ({"highway": "residential", "oneway": "yes"}, True, "one way is for wheels"),
]


@pytest.mark.parametrize(
    ("tags", "is_walked", "reason"), WAYS_THROUGH, ids=[str(i) for i in range(len(WAYS_THROUGH))]
)
def test_which_ways_are_walked(
    tags: dict[str, str], is_walked: bool, reason: str, tmp_path: Path
) -> None:
    drawn = grid()
    drawn.way([(100, 0), (150, 50), (200, 100)], **tags)
    metres = walk(drawn.streets(tmp_path), (100, 0), (200, 100))
    assert metres == pytest.approx(math.hypot(100, 100) if is_walked else 200, rel=0.001), reason


@pytest.mark.parametrize(
    ("tags", "is_passed"),
    [
        ({"barrier": "gate"}, True),
        ({"barrier": "gate", "access": "private"}, False),
        ({"barrier": "gate", "access": "private", "foot": "yes"}, True),
        ({"barrier": "gate", "locked": "yes"}, False),
        ({"barrier": "gate", "opening_hours": "dawn-dusk"}, False),
        ({"barrier": "bollard"}, True),
    ],
    ids=str,
)
def test_a_gate_that_may_be_locked_stops_people(
    tags: dict[str, str], is_passed: bool, tmp_path: Path
) -> None:
    drawn = grid()
    drawn.way([(100, 0), (150, 50), (200, 100)], highway="footway")
    drawn.node(150, 50, **tags)
    metres = walk(drawn.streets(tmp_path), (100, 0), (200, 100))
    assert metres == pytest.approx(math.hypot(100, 100) if is_passed else 200, rel=0.001)


@pytest.mark.parametrize(
    "tags",
    [
        {"highway": "steps"},
        {"highway": "steps", "conveying": "yes"},
        {"highway": "footway", "wheelchair": "no"},
    ],
    ids=str,
)
def test_no_known_steps_lie_on_a_step_free_way(tags: dict[str, str], tmp_path: Path) -> None:
    drawn = grid()
    drawn.way([(100, 0), (200, 100)], **tags)
    made = drawn.streets(tmp_path)
    assert walk(made, (100, 0), (200, 100)) == pytest.approx(math.hypot(100, 100), rel=0.001)
    assert walk(made, (100, 0), (200, 100), step_free=True) == pytest.approx(200, rel=0.001)


# What may be walked between two corners of a block, and whether somebody in its middle is on it.
STOOD_ON = [
    ({"highway": "footway"}, True, "a footway"),
    ({"highway": "footway", "tunnel": "yes"}, False, "in a tunnel"),
    ({"highway": "footway", "tunnel": "building_passage"}, True, "under a house, on the ground"),
    ({"highway": "primary", "covered": "yes", "layer": "-1"}, False, "under what is built above"),
    ({"highway": "primary", "covered": "yes"}, True, "covered, on the ground"),
    ({"highway": "primary", "sidewalk": "no"}, False, "a big road without a pavement"),
    ({"highway": "primary", "sidewalk": "both"}, True, "a big road with pavements"),
    ({"highway": "residential", "sidewalk": "no"}, True, "a lane without a pavement"),
]


@pytest.mark.parametrize(("tags", "is_on_it", "why"), STOOD_ON, ids=[row[2] for row in STOOD_ON])
def test_who_stands_on_what_may_be_walked(
    tags: dict[str, str], is_on_it: bool, why: str, tmp_path: Path
) -> None:
    drawn = grid()
    drawn.way([(100, 0), (200, 100)], **tags)
    made = drawn.streets(tmp_path)
    assert walk(made, (100, 0), (200, 100)) == pytest.approx(math.hypot(100, 100), rel=0.001)
    tie = made.tie(*place(150, 50))
    assert tie
    assert bool(made.names[tie.edge] < 0) is is_on_it, why


def test_a_square_is_crossed_and_walked_around_what_stands_in_it(tmp_path: Path) -> None:
    drawn = grid()
    corner = (200.0, 100.0)
    rim = [(100.0, 0.0), (300.0, 0.0), (300.0, 100.0), corner, (200.0, 200.0), (100.0, 200.0)]
    drawn.way([*rim, rim[0]], highway="pedestrian", area="yes", name="The Square")
    made = drawn.streets(tmp_path)
    assert walk(made, rim[0], corner) == pytest.approx(math.hypot(100, 100), rel=0.001)
    around = 100 + math.hypot(100, 100)
    assert walk(made, rim[2], rim[5]) == pytest.approx(around, rel=0.001)


def test_what_hangs_together_with_nothing_is_left_out(tmp_path: Path) -> None:
    drawn = grid()
    drawn.way([(5, 5), (95, 95)], highway="footway")
    made = drawn.streets(tmp_path)
    tie = made.tie(*place(50, 50))
    assert tie
    assert tie.off_cm == pytest.approx(5000, rel=0.01)


def oracle(made: Streets, *, step_free: bool) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """How far it is between any two junctions, in centimetres, by a Dijkstra that is not ours."""
    best: dict[tuple[int, int], int] = {}
    columns = made.tails.tolist(), made.heads.tolist(), made.lengths.tolist(), made.kinds.tolist()
    for tail, head, length, kind in zip(*columns, strict=True):
        if step_free and kind & Way.STEPS:
            continue
        for pair in ((tail, head), (head, tail)):
            best[pair] = min(length, best.get(pair, length))
    (a, b), cm = np.array(list(best)).T, list(best.values())
    size = made.junctions
    far: np.ndarray[tuple[int, int], np.dtype[np.float64]] = dijkstra(
        coo_matrix((cm, (a, b)), shape=(size, size)).tocsr()
    )
    return far


def oracle_metres(far: np.ndarray, made: Streets, a: Tie, b: Tie) -> float:
    """How far it is between two places by it."""
    ends = [
        [(made.tails[t.edge], t.along_cm), (made.heads[t.edge], made.lengths[t.edge] - t.along_cm)]
        for t in (a, b)
    ]
    ways = [x + far[m, n] + y for m, x in ends[0] for n, y in ends[1]]
    if a.edge == b.edge:
        ways.append(abs(a.along_cm - b.along_cm))
    return float(min(ways) + a.off_cm + b.off_cm) / 100


def ragged(seed: int) -> Town:
    """A town whose streets are crooked, with steps, and gaps in them."""
    chance, drawn = random.Random(seed), grid()
    for _ in range(60):
        x, y = chance.randrange(1100), chance.randrange(1100)
        dx, dy = chance.randint(-150, 150), chance.randint(-150, 150)
        corner = 100.0 * round(x / 100), 100.0 * round(y / 100)
        end = 100.0 * round((x + dx) / 100), 100.0 * round((y + dy) / 100)
        kind = chance.choice(["footway", "steps", "path"])
        if corner != end:
            drawn.way([corner, (x + 0.5, y + 0.5), end], highway=kind)
    return drawn


@pytest.mark.parametrize("step_free", [False, True])
def test_ways_are_as_long_as_dijkstra_says(step_free: bool, tmp_path: Path) -> None:
    made, chance = ragged(1).streets(tmp_path), random.Random(2)
    far = oracle(made, step_free=step_free)
    for _ in range(300):
        places = [place(chance.uniform(-80, 1180), chance.uniform(-80, 1180)) for _ in range(2)]
        a, b = (made.tie(*each) for each in places)
        if not (a and b):
            continue
        metres = made.metres(a, b, step_free=step_free)
        assert metres == oracle_metres(far, made, a, b)
        # The search takes the crow's flight for the least that a way can be.
        assert metres >= haversine_m(*places[0], *places[1]) * (1 - 1e-5) - 0.05


def test_what_is_reached_is_what_is_near_enough(town: Streets) -> None:
    tie = town.tie(*place(150, 0))
    assert tie
    assert town.reach([tie], 30).sum() == pytest.approx(6000, rel=0.01)
    # Along the street to both corners, and from each on in three and two directions.
    assert town.reach([tie], 150).sum() == pytest.approx(10000 + 2 * 2 * 10000, rel=0.01)
    assert town.reach([tie, tie], 1e6).tolist() == town.lengths.tolist()


@pytest.mark.parametrize("bad", ["cut", "changed", "another format", "gone"])
def test_a_damaged_file_is_refused(bad: str, town: Streets, tmp_path: Path) -> None:
    save(town, tmp_path)
    file = tmp_path / STREETS
    content = file.read_bytes()
    if bad == "cut":
        file.write_bytes(content[:-64])
    elif bad == "changed":
        file.write_bytes(content[:-640] + bytes([content[-640] ^ 1]) + content[-639:])
    elif bad == "another format":
        file.write_bytes(content.replace(b"streets 2", b"streets 1", 1))
    else:
        file.unlink()
    with pytest.raises(
        UnusableStreets, match="import the streets again" if "format" in bad else STREETS
    ):
        Streets.load(file)


def test_a_file_that_is_no_extract_is_refused(tmp_path: Path) -> None:
    (tmp_path / "town.osm").write_text("no extract")
    with pytest.raises(BadExtract):
        read_extract(tmp_path / "town.osm", None)


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
def test_150_ways_through_london_are_as_long_as_another_router_says() -> None:
    """That router walks through private ways, and knows no lines over squares."""
    file = DATA / "london.osm.pbf"
    made = streets(read_extract(file, None), file)
    differences = []
    for pair in json.loads((DATA / "walking_pairs_london.json").read_text()):
        a, b = made.tie(*pair["from"]), made.tie(*pair["to"])
        assert a
        assert b
        differences.append(made.metres(a, b) / pair["metres"] - 1)
    sizes = np.abs(differences)
    assert np.median(sizes) <= 0.005
    assert (sizes <= 0.05).mean() >= 0.90


@pytest.mark.drill
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
def test_the_other_bank_of_the_douro_is_half_an_hour_away() -> None:
    """103 m away as the crow flies, over a bridge and in no other way; the railway has its own."""
    file = DATA / "porto.osm.pbf"
    made = streets(read_extract(file, None), file)
    north, south = made.tie(41.139112, -8.594931), made.tie(41.138669, -8.596011)
    assert north
    assert south
    assert haversine_m(41.139112, -8.594931, 41.138669, -8.596011) == pytest.approx(103, abs=1)
    ties = np.array([north]), np.array([south])
    for step_free in (False, True):
        metres = made.metres(south, north, step_free=step_free)
        assert metres > 3000
        cm = Dijkstra(made, step_free=step_free).cm(*ties)
        assert cm.item() == round(100 * metres)
        way = path(made, south, north, step_free=step_free)
        assert way
        assert way.cm == round(100 * metres)
    assert np.isinf(Dijkstra(made, leaving_out=Way.BRIDGE).cm(*ties).item())


@pytest.mark.drill
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/streets")
def test_four_times_the_area_is_no_more_than_30_mb(tmp_path: Path) -> None:
    """Of both profiles; the processes of a service share it."""
    file = DATA / "london.osm.pbf"
    made = streets(copies(read_extract(file, None), 2), file)
    save(made, tmp_path)
    assert (tmp_path / STREETS).stat().st_size <= 30e6
    # It hangs together, so that the labels are those of one town of four times the size.
    places = random_places(made, 40)
    assert np.isfinite(made.table(places, places)).all()


def random_places(made: Streets, number: int) -> list[Tie]:
    """Places on streets, anywhere in the area."""
    chance, (west, south, east, north) = random.Random(number), made.box
    found: list[Tie] = []
    while len(found) < number:
        tie = made.tie(chance.uniform(south, north), chance.uniform(west, east))
        found += [tie] if tie else []
    return found
