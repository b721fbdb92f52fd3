"""How many metres of street lie within minutes on foot of an open door, by area and hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.audit.frame.doors import Door
from app.core.places import Point
from app.directory.walking import METRES_A_MINUTE
from app.venues.open_week import Bools, Floats
from app.walking.access import Way

if TYPE_CHECKING:
    from app.walking.streets import Streets


@dataclass(frozen=True)
class StreetLength:
    """The streets that somebody can stand in: not those in tunnels, nor lines across a square.

    `edges` are theirs in `streets`, `places` where the middle of each lies.
    """

    streets: "Streets"
    edges: Bools
    places: list[Point]

    @classmethod
    def of(cls, streets: "Streets") -> "StreetLength":
        edges = streets.kinds & (Way.HIDDEN | Way.SQUARE) == 0
        first = (streets.starts[:-1] + (np.diff(streets.starts) - 2) // 2)[edges]
        middles = (streets.points[first] + streets.points[first + 1]) / 2e6
        return cls(streets, edges, [Point(lat, lon) for lon, lat in middles.tolist()])

    @property
    def metres(self) -> Floats:
        """How long each is."""
        metres: Floats = self.streets.lengths[self.edges] / 100
        return metres

    def near(self, doors: Sequence[Door], open_: Bools, minutes: float, areas: Bools) -> Floats:
        """How many metres lie within minutes on foot of a door that is open, of [area, hour].

        `open_` is of [door, hour]; `areas`, of [area, street], says which lie in each area.
        """
        ties = [
            self.streets.tie(door.location.lat, door.location.lon, door.address) for door in doors
        ]
        # There are far fewer ways to be open together than hours.
        patterns, hours = np.unique(open_, axis=1, return_inverse=True)
        metres = np.zeros((len(self.places), patterns.shape[1]))
        for number, pattern in enumerate(patterns.T.tolist()):
            if of_open := [
                tie for tie, is_open in zip(ties, pattern, strict=True) if is_open and tie
            ]:
                reached = self.streets.reach(of_open, minutes * METRES_A_MINUTE)
                metres[:, number] = reached[self.edges] / 100
        near: Floats = (areas @ metres)[:, hours.reshape(-1)]
        return near
