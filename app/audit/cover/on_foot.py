"""Minutes on foot between doors and places, for all of them at once.

Over the streets where an installation has them. Where it has none, and for who or what is far from
any, by the distance on the sphere times the operator's walking factor, as the directory estimates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from app.audit.frame.doors import Door
from app.core.places import EARTH_RADIUS_M, Point
from app.core.settings import Settings
from app.directory.walking import METRES_A_MINUTE
from app.venues.open_week import Floats
from app.walking.file import STREETS, UnusableStreets

if TYPE_CHECKING:
    from app.walking.streets import Streets


@dataclass(frozen=True)
class OnFoot:
    """How the way on foot is known: `factor` is how many times the distance it is taken to be."""

    factor: float
    streets: "Streets | None" = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As an installation has it."""
        # What compiles takes a while to load, and much memory, in every process that answers.
        from app.walking.streets import Streets  # noqa: PLC0415

        try:
            streets = Streets.load(settings.data_dir / STREETS)
        except UnusableStreets:
            return cls(settings.walking_factor)
        return cls(settings.walking_factor, streets)

    def __str__(self) -> str:
        estimated = f"minutes on foot estimated as {self.factor:g} times the distance"
        if self.streets is None:
            return estimated
        return (
            f"minutes on foot over the streets (© OpenStreetMap contributors, checksum"
            f" {self.streets.checksum}); where they are not known, {estimated}"
        )

    def minutes(self, doors: Sequence[Door], places: Sequence[Point], most: float) -> Floats:
        """Minutes on foot, of [door, place], unrounded; infinite where they are surely more than
        `most`."""
        metres = _metres([door.location for door in doors], places)
        minutes: Floats = metres * (self.factor / METRES_A_MINUTE)
        if self.streets is not None:
            at = [
                self.streets.tie(one.location.lat, one.location.lon, one.address) for one in doors
            ]
            to = [self.streets.tie(place.lat, place.lon) for place in places]
            # But for rounding no way on foot is shorter than the distance.
            for door, place in np.argwhere(0.99 * metres <= most * METRES_A_MINUTE).tolist():
                begin, end = at[door], to[place]
                if begin and end:
                    minutes[door, place] = self.streets.metres(begin, end) / METRES_A_MINUTE
        return np.where(minutes <= most, minutes, np.inf)


def _metres(doors: Sequence[Point], places: Sequence[Point]) -> Floats:
    """Great-circle distances, of [door, place]."""
    lat1, lon1 = np.radians([(door.lat, door.lon) for door in doors]).reshape(-1, 2).T
    lat2, lon2 = np.radians([(place.lat, place.lon) for place in places]).reshape(-1, 2).T
    half_phi = (lat2 - lat1[:, np.newaxis]) / 2
    half_lambda = (lon2 - lon1[:, np.newaxis]) / 2
    h = np.sin(half_phi) ** 2
    h += np.cos(lat1)[:, np.newaxis] * np.cos(lat2) * np.sin(half_lambda) ** 2
    metres: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1, np.sqrt(h)))
    return metres
