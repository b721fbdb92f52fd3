"""Nearest search over a snapshot: exact, in memory, and looking only where it could matter.

Rows lie in blocks of `FAN_OUT`, those in blocks of blocks, each with its bounding box. A search
opens the most promising block first and stops when nothing unopened could be better. What changes
with time (who is open until when, who opens next) is worked out once a minute for all rows and
summed up over each block, so that a search at 4 a.m. opens no block where everything is shut.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heappop, heappush
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.directory.rules import Interval
from app.directory.snapshot import MINUTE, Floats, Ints, Snapshot
from app.geo import EARTH_RADIUS_M, Point

FAN_OUT = 64

NEVER = 2**62

# 1.31 is the median ratio of walking to crow distance on the City's streets; 80 m are a minute.
WALKING_MINUTES_PER_M = 1.3 / 80
MARGIN_MINUTES = 5
NEAR_M = 2000.0
"""When fewer than `limit` havens lie this near, the answer also says what opens next."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    """Where somebody stands, when (seconds since 1970 UTC), and what they need.

    `needs` has the bits of `Snapshot.provides`.
    """

    origin: Point
    at: int
    limit: int = 5
    needs: int = 0
    max_distance_m: float = math.inf


@dataclass(frozen=True, slots=True)
class Found:
    """A haven in an answer, by its row; `opens_at` is when one that is waited for opens."""

    row: int
    distance_m: float
    opens_at: int | None = None

    @property
    def walking_minutes(self) -> int:
        return math.ceil(self.distance_m * WALKING_MINUTES_PER_M)


@dataclass(frozen=True, slots=True)
class Answer:
    """`havens` can be reached with time to spare, `closing` only just, `opens_next` later."""

    havens: list[Found]
    closing: list[Found]
    opens_next: list[Found]


@dataclass(frozen=True, slots=True)
class State:
    """What one haven is at an instant: `open` is None when nobody knows.

    `until` and `opens_at` are seconds since 1970 UTC, None where they don't apply.
    """

    open: bool | None
    until: int | None = None
    opens_at: int | None = None


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of the tree: boxes on the unit sphere, and all that any row inside provides."""

    low: Floats
    high: Floats
    provides: Ints


@dataclass(frozen=True, slots=True)
class _Times:
    """One level at one minute: the latest and earliest closing of what is open; the next opening,
    and when that ends.

    A row that is not open closes at 0 and at NEVER; one that is not listed, or does not open
    before the horizon, opens at NEVER. Likewise a block of only such rows.
    """

    latest: Ints
    earliest: Ints
    opening: Ints
    opening_ends: Ints


@dataclass(frozen=True, slots=True)
class _Members:
    """What one block holds, rows or smaller blocks, with bounds of their distance.

    For rows both bounds are the distance itself, and `first_row` is the number of the first one.
    """

    first_row: int | None
    provides: Ints
    latest: Ints
    earliest: Ints
    opening: Ints
    opening_ends: Ints
    near_m: Floats
    far_m: Floats


_Rating = Callable[[_Members, Question], tuple[Bools, Ints]]
"""Which members may hold a result, and the instant they are ordered by before distance."""


class Search:
    """A snapshot made searchable. It never changes: a new snapshot makes a new search."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        places = _on_unit_sphere(np.radians(snapshot.lat), np.radians(snapshot.lon))
        self._levels = [_Level(places, places, snapshot.provides)]
        while len(self._levels) == 1 or len(self._levels[-1].provides) > 1:
            self._levels.append(_level_above(self._levels[-1]))
        self._corners = [
            box[:1].ravel().tolist() for box in (self._levels[-1].low, self._levels[-1].high)
        ]
        ids = snapshot.ids.view(">u8").astype(np.uint64).reshape(-1, 2)
        self._by_id = np.lexsort((ids[:, 1], ids[:, 0]))
        self._ids = ids[self._by_id]
        self._rank = np.argsort(self._by_id)
        self._times = lru_cache(maxsize=16)(self._times_at)

    def answer(self, question: Question) -> Answer:
        """The nearest havens open at `question.at`, those closing, and what opens next."""
        if not len(self.snapshot):
            return Answer([], [], [])
        havens = self._best(question, _reachable)
        closing = self._best(question, _closing) if self._may_be_closing(question) else []
        near = sum(found.distance_m <= NEAR_M for found in havens)
        opens_next = self._best(question, self._opening) if near < question.limit else []
        return Answer(havens, closing, [self._with_opening(f, question.at) for f in opens_next])

    def row(self, haven: UUID) -> int | None:
        """The row of a haven, or None when it is not in the snapshot."""
        high, low = (np.uint64(half) for half in divmod(haven.int, 2**64))
        first = np.searchsorted(self._ids[:, 0], high, "left")
        last = np.searchsorted(self._ids[:, 0], high, "right")
        place = first + np.searchsorted(self._ids[first:last, 1], low)
        return int(self._by_id[place]) if place < last and self._ids[place, 1] == low else None

    def is_listed(self, row: int, at: int) -> bool:
        """Whether the public may see a haven at an instant."""
        return any(start <= at < end for start, end in self.snapshot.listing(row))

    def state(self, row: int, at: int) -> State:
        """Whether a haven is available at an instant, and until or from when."""
        snapshot = self.snapshot
        availability = snapshot.availability(row)
        if availability is None or not snapshot.start <= at < snapshot.horizon:
            return State(None)
        for start, end in availability:
            if start <= at < end:
                # Where the horizon cuts it off, nobody knows that it closes then.
                return State(True, until=end if end < snapshot.horizon else None)
        return State(False, opens_at=_opening_for(availability, at, at))

    def _best(self, question: Question, rate: _Rating) -> list[Found]:
        """At most `limit` rows, ordered by (rated instant, distance, id).

        A block waits under bounds that no row in it can beat, and is opened before a row of equal
        rank; so a row that comes off the heap is the best of all that are left.
        """
        origin = _direction(question.origin)
        best: list[Found] = []
        waiting = [(0, 0.0, False, 0, len(self._levels) - 1)]
        while waiting and len(best) < question.limit:
            _, metres, is_row, number, level = heappop(waiting)
            if is_row:
                best.append(Found(int(self._by_id[number]), metres))
                continue
            level -= 1
            first = number * FAN_OUT
            members = self._members(level, first, question.at, origin)
            possible, instants = rate(members, question)
            possible &= (members.provides & question.needs) == question.needs
            kept = np.flatnonzero(possible)
            numbers = kept + first
            if level == 0:
                numbers = self._rank[numbers]
                order = np.lexsort((numbers, members.near_m[kept], instants[kept]))
                kept, numbers = kept[order[: question.limit]], numbers[order[: question.limit]]
            near_m = members.near_m[kept].tolist()
            for entry in zip(instants[kept].tolist(), near_m, numbers.tolist(), strict=True):
                heappush(waiting, (entry[0], entry[1], level == 0, entry[2], level))
        return best

    def _may_be_closing(self, question: Question) -> bool:
        """Whether anything open could shut before the margin is over; mostly not, and cheap."""
        low, high = self._corners
        chord = math.dist(_direction(question.origin), low) + math.dist(low, high)
        farthest_m = 2 * EARTH_RADIUS_M * math.asin(min(chord / 2, 1))
        walking = math.ceil(farthest_m * WALKING_MINUTES_PER_M) + 1
        earliest = self._times(question.at // MINUTE)[-1].earliest[0]
        return bool(earliest < question.at + MINUTE * (walking + MARGIN_MINUTES))

    def _opening(self, members: _Members, question: Question) -> tuple[Bools, Ints]:
        """What shuts before one gets there, by the later of its opening and one's arrival."""
        arrival = question.at + MINUTE * _minutes(members.near_m)
        opening = members.opening
        if members.first_row is not None:
            waited_for = (members.latest <= arrival) & (opening < NEVER)
            opening = np.where(waited_for, opening, NEVER)
            # Whoever comes late finds it shut again, and waits for a later opening.
            for i in np.flatnonzero(waited_for & (members.opening_ends <= arrival)):
                availability = self.snapshot.availability(members.first_row + int(i)) or []
                opening[i] = _opening_for(availability, question.at, int(arrival[i])) or NEVER
        return opening < NEVER, np.maximum(opening, arrival)

    def _with_opening(self, found: Found, at: int) -> Found:
        availability = self.snapshot.availability(found.row) or []
        arrival = at + MINUTE * found.walking_minutes
        return replace(found, opens_at=_opening_for(availability, at, arrival))

    def _members(self, level: int, first: int, at: int, origin: Floats) -> _Members:
        part = slice(first, first + FAN_OUT)
        boxes, times = self._levels[level], self._times(at // MINUTE)[level]
        above, below = boxes.low[part] - origin, boxes.high[part] - origin
        if level == 0:
            near_m = far_m = _metres(np.einsum("ij,ij->i", above, above))
        else:
            # Rounding must never make a block look farther, or less far, than a row in it.
            outside = np.maximum(np.maximum(above, -below), 0)
            across = np.maximum(np.abs(above), np.abs(below))
            near_m = _metres(np.einsum("ij,ij->i", outside, outside)) * (1 - 1e-9)
            far_m = _metres(np.einsum("ij,ij->i", across, across)) * (1 + 1e-9)
        return _Members(
            first_row=None if level else first,
            provides=boxes.provides[part],
            latest=times.latest[part],
            earliest=times.earliest[part],
            opening=times.opening[part],
            opening_ends=times.opening_ends[part],
            near_m=near_m,
            far_m=far_m,
        )

    def _times_at(self, minute: int) -> list[_Times]:
        """Every level's times at one minute; all intervals begin and end on whole minutes."""
        snapshot, at = self.snapshot, minute * MINUTE
        # For each schedule the first interval that ends later, by counting those that don't.
        ended = np.concatenate(([0], np.cumsum(snapshot.ends <= at)))
        first, last = snapshot.offsets[:-1], snapshot.offsets[1:]
        place = first + ended[last] - ended[first]
        starts, ends = np.append(snapshot.starts, NEVER), np.append(snapshot.ends, NEVER)
        is_open = (place < last) & (starts[place] <= at)
        following = place + is_open
        # The last entry stands for unknown hours: UNKNOWN_HOURS is -1.
        latest = np.append(np.where(is_open, ends[place], 0), 0)
        is_later = following < last
        opening = np.append(np.where(is_later, starts[following], NEVER), NEVER)
        opening_ends = np.append(np.where(is_later, ends[following], NEVER), NEVER)
        latest = latest[snapshot.opens]
        opening = np.where(is_open[snapshot.lists], opening[snapshot.opens], NEVER)
        earliest = np.where(latest > 0, latest, NEVER)
        levels = [_Times(latest, earliest, opening, opening_ends[snapshot.opens])]
        for _ in self._levels[1:]:
            below = levels[-1]
            blocks = np.arange(0, len(below.latest), FAN_OUT)
            levels.append(
                _Times(
                    np.maximum.reduceat(below.latest, blocks),
                    np.minimum.reduceat(below.earliest, blocks),
                    np.minimum.reduceat(below.opening, blocks),
                    np.minimum.reduceat(below.opening_ends, blocks),
                )
            )
        return levels


def _reachable(members: _Members, question: Question) -> tuple[Bools, Ints]:
    """What is open until one gets there, with the margin to spare."""
    needed = question.at + MINUTE * (_minutes(members.near_m) + MARGIN_MINUTES)
    return (members.latest >= needed) & _near_enough(members, question), _NO_INSTANT[: len(needed)]


def _closing(members: _Members, question: Question) -> tuple[Bools, Ints]:
    """What is open until one gets there, but without the margin."""
    arrival = question.at + MINUTE * _minutes(members.near_m)
    needed = question.at + MINUTE * (_minutes(members.far_m) + MARGIN_MINUTES)
    possible = (members.latest > arrival) & (members.earliest < needed)
    return possible & _near_enough(members, question), _NO_INSTANT[: len(needed)]


_NO_INSTANT: Ints = np.zeros(FAN_OUT, dtype=np.int64)


def _near_enough(members: _Members, question: Question) -> Bools:
    return members.near_m <= question.max_distance_m


def _opening_for(availability: list[Interval], at: int, arrival: int) -> int | None:
    """When it opens, after `at`, and somebody who arrives at `arrival` does not find it shut."""
    return next((start for start, end in availability if at < start and arrival < end), None)


def _level_above(below: _Level) -> _Level:
    blocks = np.arange(0, len(below.provides), FAN_OUT)
    return _Level(
        np.minimum.reduceat(below.low, blocks),
        np.maximum.reduceat(below.high, blocks),
        np.bitwise_or.reduceat(below.provides, blocks),
    )


def _on_unit_sphere(lat: Floats, lon: Floats) -> Floats:
    """Degrees in radians to x, y, z: there a straight line through the earth orders as the way
    over it does, with no trigonometry in the search and no seam at the date line and the poles."""
    return np.stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)), axis=-1)


def _direction(place: Point) -> Floats:
    """One place on the unit sphere, by the arithmetic that placed the rows: to the last bit."""
    return _on_unit_sphere(*np.radians([place.lat, place.lon]))


def _metres(chord_squared: Floats) -> Floats:
    """The way over the earth along a chord of the unit sphere."""
    return 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.sqrt(chord_squared) / 2, 1))


def _minutes(metres: Floats) -> Ints:
    return np.ceil(metres * WALKING_MINUTES_PER_M).astype(np.int64)
