"""What a neighbour tells is believed, or is not: rules that a fault or a lie of it breaks."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from app.core.places import haversine_m
from app.core.settings import Neighbour
from app.core.trouble import Trouble
from app.directory.schemas import DirectoryHaven, WholeDirectory
from app.directory.snapshot import HOUR, Snapshot

MOST = 10_000
"""More havens than this nobody tells of."""

GROWS, FEW = 3, 20
"""A neighbour has at most so many times as many havens as it last had, or this few."""

CLOCKS_AGREE = HOUR


class Held(Trouble):
    """Why a neighbour is held at its last good state."""


class Ground(NamedTuple):
    """Where our own havens lie, in degrees, and which they are."""

    west: float
    south: float
    east: float
    north: float
    ids: frozenset[bytes]

    @classmethod
    def of(cls, own: Snapshot | None) -> "Ground":
        """Raises `Held` where there are none, as then nobody can tell what lies beside them."""
        if own is None or not len(own):
            raise Held("there is no haven of ours yet to tell what lies beside us")
        (west, east), (south, north) = (
            (float(side.min()), float(side.max())) for side in (own.lon, own.lat)
        )
        return cls(west, south, east, north, frozenset(bytes(key) for key in own.ids.tolist()))

    def metres_to(self, lat: float, lon: float) -> float:
        """How far a place lies from the box around all of our own."""
        near_lat = min(max(lat, self.south), self.north)
        near_lon = min(max(lon, self.west), self.east)
        return haversine_m(lat, lon, near_lat, near_lon)


class Before(NamedTuple):
    """What a neighbour told last: of which instant, and of how many havens."""

    generated_at: float
    havens: int


def is_invented(told: WholeDirectory) -> bool:
    """Whether what is told calls itself a demonstration, or any haven of it does."""
    havens = (*told.havens, *told.upcoming)
    return bool(told.directory.notice) or any(haven.notice for haven in havens)


def check(
    told: WholeDirectory,
    neighbour: Neighbour,
    ground: Ground,
    before: Before | None,
    now: float,
    *,
    demonstration: bool,
) -> None:
    """Raise `Held` unless what is told can be shown beside our own.

    Without `before` any number is believed: it is what the operator has looked at.
    """
    about, havens = told.directory, [*told.havens, *told.upcoming]
    moments = [about.generated_at, about.valid_from, about.valid_until, about.confirm_by]
    spans = [span for h in havens for span in (*(h.availability or ()), *(h.listed or ()))]
    if any(m.tzinfo is None for m in (*moments, *(m for s in spans for m in (s.begin, s.until)))):
        raise Held("it tells of times without an offset")
    if is_invented(told) and not demonstration:
        raise Held("it tells of demonstration havens, which production must not show as real")
    generated = about.generated_at.timestamp()
    if generated > now + CLOCKS_AGREE:
        raise Held("it tells of an hour that is still to come: one of the clocks is wrong")
    if before and generated < before.generated_at:
        raise Held("it tells of an earlier hour than it did before")
    if not about.valid_from.timestamp() <= now < about.valid_until.timestamp():
        raise Held("it knows nothing of this hour")
    if len(havens) > MOST:
        raise Held(f"it tells of more than {MOST} havens")
    if before and len(havens) > max(FEW, GROWS * before.havens):
        raise Held(
            f"it tells of {len(havens)} havens, and told of {before.havens} before: havens"
            f' neighbours --accept "{neighbour.name}" believes it'
        )
    _check_ids(havens, ground)
    for haven in havens:
        _check_place(haven, neighbour, ground)


def _check_ids(havens: Sequence[DirectoryHaven], ground: Ground) -> None:
    seen: set[UUID] = set()
    for haven in havens:
        if haven.id in seen:
            raise Held(f"it tells of haven {haven.id} twice")
        if haven.id.bytes in ground.ids:
            raise Held(f"it tells of haven {haven.id}, which is ours")
        seen.add(haven.id)


def _check_place(haven: DirectoryHaven, neighbour: Neighbour, ground: Ground) -> None:
    lat, lon = haven.location.lat, haven.location.lon
    # What is not a number is inside nothing.
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise Held(f"haven {haven.id} lies nowhere on the earth")
    if neighbour.bounds:
        west, south, east, north = neighbour.bounds
        if not (west <= lon <= east and south <= lat <= north):
            raise Held(f"haven {haven.id} lies outside its bounds")
    if ground.metres_to(lat, lon) > 1000 * neighbour.within_km:
        raise Held(f"haven {haven.id} lies farther than {neighbour.within_km:g} km from ours")
