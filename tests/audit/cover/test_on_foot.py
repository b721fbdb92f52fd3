"""Minutes on foot between doors and places: over the streets where they are known."""

from pathlib import Path
from uuid import UUID

import pytest

from app.audit.cover.on_foot import OnFoot
from app.audit.frame.doors import Door
from app.core.places import Point
from app.core.settings import Settings
from app.venues.facts import Facts
from app.venues.kinds import Category
from app.venues.models import VenueStatus
from tests.walking.towns import BRIDGE, RIVER, grid, place

FACTS = Facts(None, Category.PUB, VenueStatus.ACTIVE, None, False, False, None)


def at(x: float, y: float) -> Point:
    return Point(*place(x, y))


def door(x: float, y: float) -> Door:
    where = at(x, y)
    return Door(UUID(int=1), "A", "A", FACTS, True, where, None, "", "")


def test_over_the_streets_and_else_estimated(tmp_path: Path) -> None:
    town = grid().streets(tmp_path)
    on_foot = OnFoot.of(Settings(data_dir=tmp_path, walking_factor=1.5))
    assert on_foot.streets is not None
    south = door(0, 100 * RIVER)
    # Across the river, along the street, and where nobody knows a street.
    places = [at(0, 100 * (RIVER + 1)), at(300, 100 * RIVER), at(-200, 100 * RIVER)]
    over_the_bridge = (2 * 100 * BRIDGE + 100) / 80
    minutes = on_foot.minutes([south], places, 30)[0].tolist()
    expected = [over_the_bridge, 300 / 80, 200 * 1.5 / 80]
    assert minutes == pytest.approx(expected, rel=0.002)
    near = on_foot.minutes([south], places, 5)[0].tolist()
    assert near == pytest.approx([float("inf"), *expected[1:]], rel=0.002)
    assert town.checksum in str(on_foot)
    assert "© OpenStreetMap contributors" in str(on_foot)


def test_without_streets_or_with_damaged_ones_all_is_estimated(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, walking_factor=1.5)
    on_foot = OnFoot.of(settings)
    (tmp_path / "streets.graph").write_bytes(b"no streets")
    damaged = OnFoot.of(settings)
    for one in (on_foot, damaged):
        assert str(one) == "minutes on foot estimated as 1.5 times the distance"
        [[minutes]] = one.minutes([door(0, 0)], [at(0, 200)], 5).tolist()
        assert minutes == pytest.approx(200 * 1.5 / 80, rel=0.002)
    assert on_foot.minutes([], [at(0, 0)], 5).shape == (0, 1)
    assert on_foot.minutes([door(0, 0)], [], 5).shape == (1, 0)
