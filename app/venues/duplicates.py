"""Venues that may be there already: shown when one is registered, never decided for the officer."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from math import degrees
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from app.core.columns import Ints
from app.core.errors import DomainError, FieldError
from app.core.events import shown
from app.core.geo import distance_m, within_m
from app.core.places import EARTH_RADIUS_M, Point, haversine_m
from app.venues.models import Venue
from app.venues.rules import ALIKE, Written, alike, written_alike
from app.venues.schemas import Candidate

Floats: TypeAlias = NDArray[np.float64]

NEAR_M = 150
"""How far apart one venue may be recorded twice: some registers place it by its postcode only."""


class LikelyDuplicate(FieldError):
    """One of the venues that may be the one to be registered."""

    venue: Candidate

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """As every answer: what does not apply is absent."""
        return super().model_dump(**options | {"exclude_none": True})


class LikelyDuplicates(DomainError):
    """Venues with such a name are near; `errors` shows each."""

    status = 409
    code = "likely-duplicates"
    title = "It may be registered already: name in not_a_duplicate_of those that are other places"

    def __init__(self, candidates: Collection[Candidate]) -> None:
        super().__init__(
            [
                LikelyDuplicate(
                    field="not_a_duplicate_of",
                    message=f"{venue.reference} {venue.name} is {venue.distance_m} m away",
                    venue=venue,
                )
                for venue in candidates
            ]
        )


def refuse_likely_duplicates(
    session: Session, name: str, place: Point, besides: Collection[UUID]
) -> None:
    """Raise `LikelyDuplicates` if there are any but those that the officer knows of."""
    candidates = [c for c in likely_duplicates(session, name, place) if c.id not in besides]
    if candidates:
        raise LikelyDuplicates(candidates)


def likely_duplicates(session: Session, name: str, place: Point) -> list[Candidate]:
    """The venues of whatever status that are near and named alike, nearest first."""
    distance = distance_m(col(Venue.location), place)
    near = session.exec(
        select(Venue, distance)
        # Reading hours would cost more than all the rest.
        .options(defer(Venue.hours))  # type: ignore[arg-type]
        .where(within_m(col(Venue.location), place, NEAR_M))
        .order_by(distance, col(Venue.id))
    )
    return [
        shown(Candidate, venue, distance_m=round(metres))
        for venue, metres in near
        if alike(name, venue.name)
    ]


# --- among many ------------------------------------------------------------------------------


class Twin(NamedTuple):
    """Which other venue, by its place in the list, may be the same, and how far away it is."""

    other: int
    metres: float


def likely_twins(names: Sequence[str], places: Sequence[Point]) -> Mapping[int, Twin]:
    """Of venues as given, those that have another one near and named alike: the nearest such.

    Near is what `likely_duplicates` calls near, though not across the 180th meridian.
    """
    return _twins(tuple(names), tuple(places))


# Half of what the report on the data's quality takes, of which venues' names and places rarely
# change between two readings.
@lru_cache(maxsize=1)
def _twins(names: Sequence[str], places: Sequence[Point]) -> Mapping[int, Twin]:
    written = [Written.of(name) for name in names]
    twins: dict[int, Twin] = {}
    for first, second in _maybe_alike(written, places):
        if first in twins and second in twins:
            continue
        place, other = places[first], places[second]
        metres = haversine_m(place.lat, place.lon, other.lat, other.lon)
        if metres <= NEAR_M and written_alike(written[first], written[second]):
            twins.setdefault(first, Twin(second, metres))
            twins.setdefault(second, Twin(first, metres))
    return twins


def _maybe_alike(written: Sequence[Written], places: Sequence[Point]) -> Iterator[tuple[int, int]]:
    """The pairs that their letters don't rule out, nearest first to the millimetre, then in order.

    A few of them are a little too far apart.
    """
    words = _Letters([name.sorted for name in written])
    unbroken = _Letters([name.unbroken for name in written])
    lat, lon = np.array([(place.lat, place.lon) for place in places]).reshape(-1, 2).T
    pairs = [np.empty((2, 0), np.int64)]
    for one, other in _maybe_near(lat, lon):
        shared = words.in_common(one, other)
        one_in_the_other = shared >= np.minimum(words.number[one], words.number[other])
        maybe = one_in_the_other | words.ratio_reaches(shared, one, other)
        maybe |= unbroken.ratio_reaches(unbroken.in_common(one, other), one, other)
        pairs.append(np.sort([one[maybe], other[maybe]], axis=0))
    first, second = np.concatenate(pairs, axis=1)
    metres = _straight_m(lat, lon, first, second)
    order = np.lexsort((second, first, np.round(metres, 3)))
    order = order[metres[order] <= NEAR_M]
    yield from zip(first[order].tolist(), second[order].tolist(), strict=True)


def _straight_m(lat: Floats, lon: Floats, one: Ints, other: Ints) -> Floats:
    """How far apart places are, straight through the ground: the same, where they are near."""
    phi, lambda_ = np.radians(lat), np.radians(lon)
    east, north = np.cos(phi) * np.cos(lambda_), np.cos(phi) * np.sin(lambda_)
    ball = np.stack([east, north, np.sin(phi)], axis=1)
    metres: Floats = EARTH_RADIUS_M * np.linalg.norm(ball[one] - ball[other], axis=1)
    return metres


class _Letters:
    """Texts as sets of bits, from which the letters that two share are counted for many pairs.

    A bit says that a letter is there a first, second or third time; there are 38 sorts of letters.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.number = np.array([len(text) for text in texts], np.int64)
        pairs = (divmod(_bits(text), 2**64) for text in texts)
        self._bits = np.array([*pairs], np.uint64).reshape(-1, 2)
        self._beyond = self.number - np.bitwise_count(self._bits).sum(axis=1, dtype=np.int64)

    def in_common(self, one: Ints, other: Ints) -> Ints:
        """How many letters the texts at these places share; more where the bits can't tell."""
        bits = self._bits[one] & self._bits[other]
        shared: Ints = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
        shared += np.minimum(self._beyond[one], self._beyond[other])
        return shared

    def ratio_reaches(self, shared: Ints, one: Ints, other: Ints) -> NDArray[np.bool_]:
        """Whether so many letters in common may be enough to be alike."""
        ratio = 2 * shared / np.maximum(1, self.number[one] + self.number[other])
        reaches: NDArray[np.bool_] = ratio >= ALIKE
        return reaches


def _bits(text: str) -> int:
    bits = 0
    for letter, times in Counter(text).items():
        bits |= (2 ** min(times, 3) - 1) << 3 * (ord(letter) % 38)
    return bits


def _maybe_near(lat: Floats, lon: Floats) -> Iterator[tuple[Ints, Ints]]:
    """All pairs that are at most `NEAR_M` apart, and others that are not much farther."""
    high = degrees(NEAR_M / EARTH_RADIUS_M) * 1.001
    wide = high / np.cos(np.radians(np.minimum(np.abs(lat) + high, 89.9)))
    # Strips so high from west to east, one behind the other: whoever is near is in the same one or
    # in the next, a little to the east or west.
    along = np.floor(lat / high) * _STRIP + lon
    order = np.argsort(along)
    along, wide = along[order], wide[order]
    to_the_east = np.arange(len(along)) + 1, np.searchsorted(along, along + wide, "right")
    to_the_north = (
        np.searchsorted(along, along + _STRIP - wide),
        np.searchsorted(along, along + _STRIP + wide, "right"),
    )
    for begin, end in (to_the_east, to_the_north):
        number = np.maximum(0, end - begin)
        # So many at once that they fit into a processor's cache.
        for part in np.array_split(np.arange(len(along)), len(along) // 200 + 1):
            count = number[part]
            one = np.repeat(part, count)
            before = np.repeat(np.cumsum(count) - count, count)
            other = np.repeat(begin[part], count) + np.arange(len(one)) - before
            yield order[one], order[other]


_STRIP = 1000.0
"""How long a strip is, in degrees: longer than the earth is round."""
