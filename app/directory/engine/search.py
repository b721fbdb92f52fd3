"""Nearest search over a snapshot: exact, in memory, and looking only where it could matter."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import numpy as np

from app.core.places import Point
from app.core.settings import WALKING_FACTOR
from app.directory.rules import MARGIN, NEAR_M
from app.directory.snapshot import STEP_FREE, Snapshot
from app.directory.walking import METRES_A_MINUTE

if TYPE_CHECKING:
    from app.walking.streets import Streets

REACH_M = 100
"""Whoever is farther from any street is not on them."""

ANY_NAME = np.zeros(0, dtype=np.int32)


class Question(NamedTuple):
    """Where somebody stands, when (seconds since 1970 UTC), and what they need.

    `needs` has the bits of `Snapshot.provides`.
    """

    origin: Point
    at: int
    limit: int = 5
    needs: int = 0
    max_distance_m: float = math.inf


class Match(NamedTuple):
    """A haven in an answer, by its row; `text` is between two places in `Snapshot.text`.

    `until` is when it shuts, if it is open: `NOT_OPEN`, or `NO_END` when that is not known.
    `opens_at` is when one that is waited for opens, else 0. Both in seconds since 1970 UTC.
    `by_streets` is 1 when the minutes are over the streets, 0 when they are an estimate. `way_m` is
    how far it is on foot, by which havens are in order; neither it nor `distance_m` is rounded.
    """

    row: int
    text_from: int
    text_to: int
    bearing_deg: int
    walking_minutes: int
    until: int
    opens_at: int
    by_streets: int
    distance_m: float
    way_m: float


NOT_OPEN, NO_END = 0, -1

# In a third of the time that the class itself takes, and half of what lists of columns take.
_match: Callable[[Iterable[Any]], Match] = partial(tuple.__new__, Match)
_matches: Callable[[Any], Iterable[Any]] = Struct("8q2d").iter_unpack


class Answer(NamedTuple):
    """`havens` can be reached with time to spare, `closing` only just, `opens_next` later: by the
    rules that `app.directory.rules` begins with."""

    havens: list[Match]
    closing: list[Match]
    opens_next: list[Match]


class State(NamedTuple):
    """Whether one haven is open, as a `Match` says it; `opens_at` is 0, too, if nobody knows it."""

    until: int = NOT_OPEN
    opens_at: int = 0


class Search:
    """A snapshot made searchable. It never changes: a new snapshot makes a new search.

    Minutes are over the streets, if those are given to which the snapshot's havens are tied.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        walking_factor: float = WALKING_FACTOR,
        streets: "Streets | None" = None,
    ) -> None:
        # Brings the compiler with it: half a second that other commands should not wait for.
        from app.core.compiled import packed  # noqa: PLC0415
        from app.directory.engine.nearest import answer  # noqa: PLC0415
        from app.walking.loops import nearest_step  # noqa: PLC0415
        from app.walking.paths import prepare  # noqa: PLC0415

        self.snapshot = snapshot
        self.walking_factor = walking_factor
        # Given with each question, as what the compiler keeps on disk serves any factor.
        self._factor = float(walking_factor)
        self._minutes_per_m = self._factor / METRES_A_MINUTE
        if streets and not _is_tied_to(snapshot, streets):
            streets = None
        self.streets = streets
        self._lines = streets.packed_lines if streets else None
        self._nearest_step = nearest_step
        # Of all ways, and of those without known steps. Kept, for what is packed is where they lie.
        self._columns = [_columns(snapshot, streets, step_free=kind) for kind in (False, True)]
        self._packed = list(map(packed, self._columns))
        self._nearest = answer
        # Compiled here, or read from disk, so that nobody who asks has to wait for it: with
        # numbers of the kinds that come with a question, since it is compiled for each kind.
        self.answer(Question(Point(0.0, 0.0), snapshot.start, needs=-1))
        if streets:
            prepare(streets)

    def answer(self, question: Question) -> Answer:
        """The nearest havens open at `question.at`, those closing, and what opens next."""
        if not len(self.snapshot):
            return Answer([], [], [])
        place, at, limit, needs, max_distance_m = question
        edge, along_cm, off_cm = -1, 0, 0
        if self._lines is not None:
            edge, along_cm, off_cm = self._nearest_step(
                self._lines, place.lat, place.lon, REACH_M, ANY_NAME
            )
        havens, closing, found = self._nearest(
            self._packed[needs & STEP_FREE != 0],
            place.lat,
            place.lon,
            at,
            limit,
            needs,
            max_distance_m,
            self._minutes_per_m,
            self._factor,
            edge,
            along_cm,
            off_cm,
        )
        matches = list(map(_match, _matches(found)))
        return Answer(matches[:havens], matches[havens:closing], matches[closing:])

    def row(self, haven: UUID) -> int | None:
        """The row of a haven, or None when it is not in the snapshot."""
        ids, by_id = self.snapshot.ids, self.snapshot.by_id
        low, high = 0, len(by_id)
        while low < high:
            middle = (low + high) // 2
            if ids[by_id[middle]].tobytes() < haven.bytes:
                low = middle + 1
            else:
                high = middle
        is_there = low < len(by_id) and ids[by_id[low]].tobytes() == haven.bytes
        return int(by_id[low]) if is_there else None

    def is_listed(self, row: int, at: int) -> bool:
        """Whether the public may see a haven at an instant."""
        return any(start <= at < end for start, end in self.snapshot.listing(row))

    def state(self, row: int, at: int) -> State | None:
        """Whether a haven is available at an instant; None when nobody knows."""
        availability = self.snapshot.availability(row)
        if availability is None or not self.snapshot.covers(at):
            return None
        # The first that is not over: it goes on, or comes next.
        start, end = next(((s, e) for s, e in availability if at < e), (0, 0))
        if start > at or not end:
            return State(opens_at=start)
        # Where the horizon cuts it off, nobody knows that it closes then.
        return State(until=end if end < self.snapshot.horizon else NO_END)


def _is_tied_to(snapshot: Snapshot, streets: "Streets") -> bool:
    """Whether a snapshot's havens are tied to these streets, and to edges that they have."""
    edges = snapshot.ties[:, 0]
    is_within = bool((edges < len(streets.tails)).all() and (edges >= -1).all())
    return snapshot.streets == streets.checksum and is_within


def _columns(snapshot: Snapshot, streets: "Streets | None", *, step_free: bool) -> Any:
    """What the loops go over: a snapshot, and the streets in one of their profiles."""
    from app.core.compiled import array_at, packed  # noqa: PLC0415
    from app.directory.engine.columns import UNREACHED, Columns  # noqa: PLC0415
    from app.directory.engine.tree import over_blocks  # noqa: PLC0415
    from app.directory.engine.ways import measure, own_labels  # noqa: PLC0415

    minute = METRES_A_MINUTE * 100
    numbers: dict[str, Any] = {
        "margin": MARGIN,
        "near_m": NEAR_M,
        "cm_a_minute": minute,
        "known": np.zeros(len(snapshot.offsets), dtype=np.int64),
    }
    none, shorts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
    no_lines = np.zeros((0, 0), dtype=np.int32)
    network: dict[str, Any] = {
        "any_way_cm": 0,
        "no_way_cm": 0,
        "landmarks": none,
        "to_landmarks": no_lines,
        "most_to_landmarks": no_lines,
        "tails": shorts,
        "heads": shorts,
        "lengths": none,
        "labels": none,
        "hubs": shorts,
        "hub_cm": shorts,
        "own_labels": none,
        "own_hubs": shorts,
        "own_cm": shorts,
        "reached": shorts,
        "reached_from": np.full(1, -1, dtype=np.int64),
    }
    if streets:
        labels, detour = streets.labels(step_free=step_free), streets.detour_cm[step_free]
        off_cm = int(streets.lengths.max(initial=0)) + REACH_M * 100
        network |= {
            "any_way_cm": 2 * (detour + off_cm),
            "no_way_cm": 2 * detour,
            "landmarks": streets.landmarks(step_free=step_free),
            "tails": streets.tails,
            "heads": streets.heads,
            "lengths": streets.lengths,
            "labels": labels.offsets,
            "hubs": labels.hubs,
            "hub_cm": labels.cm,
        }
        if array_at is not None:
            network["reached"] = np.full(streets.junctions, UNREACHED, dtype=np.int32)
    own: dict[str, Any] = {
        name: getattr(snapshot, name)
        for name in Columns._fields
        if name not in numbers and name not in network
    }
    columns = Columns(**own, **numbers, **network)
    if streets is None:
        return columns
    offsets, hubs, cm = own_labels(packed(columns))
    columns = columns._replace(own_labels=offsets, own_hubs=hubs, own_cm=cm)
    to_landmarks = np.empty((len(snapshot), len(columns.landmarks)), dtype=np.int32)
    measure(packed(columns), to_landmarks)
    return columns._replace(
        to_landmarks=to_landmarks, most_to_landmarks=over_blocks(to_landmarks, np.maximum)
    )
