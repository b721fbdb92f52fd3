"""How many metres of street lie near an open door: in a town of streets 100 m apart."""

from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from app.audit.cover.street_length import StreetLength
from app.audit.frame.doors import Door
from app.core.places import Point
from app.venues.facts import Facts
from app.venues.kinds import Category
from app.venues.models import VenueStatus
from app.venues.open_week import HOURS
from tests.walking.towns import RIVER, grid, place

FACTS = Facts(None, Category.PUB, VenueStatus.ACTIVE, None, False, False, None)
TWO_BLOCKS = 2.5
"""Minutes, at 80 metres each."""


def door(x: float, y: float) -> Door:
    return Door(UUID(int=1), "A", "A", FACTS, True, Point(*place(x, y)), None, "", "")


def test_it_grows_with_the_doors_that_are_open(tmp_path: Path) -> None:
    streets = StreetLength.of(grid().streets(tmp_path))
    # In the south-west corner, and on the bank of the river.
    doors = [door(0, 0), door(0, 100 * RIVER)]
    open_ = np.zeros((2, HOURS), bool)
    open_[0, 1:3] = open_[1, 2:4] = True
    south = np.array([at.lat < place(0, 250)[0] for at in streets.places])
    near = streets.near(doors, open_, TWO_BLOCKS, np.array([south, ~south]))
    # From a corner of the town six blocks lie within two; from its edge and a bank that has no
    # bridge there, as many.
    assert near[:, :5].tolist() == pytest.approx(
        np.array([[0, 600, 600, 0, 0], [0, 0, 600, 600, 0]]), rel=0.01
    )
    assert (streets.metres * south).sum() > 1_000


def test_no_line_across_a_square_counts_nor_a_tunnel(tmp_path: Path) -> None:
    town = grid()
    town.way([(0, 0), (-100, 0)], highway="footway", tunnel="yes")
    with_tunnel = StreetLength.of(town.streets(tmp_path))
    without = StreetLength.of(grid().streets(tmp_path))
    assert with_tunnel.metres.sum() == pytest.approx(without.metres.sum(), rel=1e-3)
    assert len(with_tunnel.edges) > len(with_tunnel.places)
