"""Nearest search over a snapshot: exact, in memory, and looking only where it could matter."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from app.core.geo import Point
from app.core.settings import WALKING_FACTOR
from app.directory.rules import Interval
from app.directory.snapshot import Snapshot


class Question(NamedTuple):
    """Where somebody stands, when (seconds since 1970 UTC), and what they need.

    `needs` has the bits of `Snapshot.provides`.
    """

    origin: Point
    at: int
    limit: int = 5
    needs: int = 0
    max_distance_m: float = math.inf


class Found(NamedTuple):
    """A haven in an answer, by its row; `text` is between two places in `Snapshot.text`.

    `until` is when it shuts, if it is open: 0 when it is not, `NO_END` when that is not known.
    `opens_at` is when one that is waited for opens, else 0. Both in seconds since 1970 UTC.
    """

    row: int
    text_from: int
    text_to: int
    bearing_deg: int
    walking_minutes: int
    until: int
    opens_at: int
    distance_m: float


NO_END = -1

WALKED_IN_A_MINUTE_M = 80

# In a third of the time that the class itself takes.
_FOUND: Callable[[Iterable[Any]], Found] = partial(tuple.__new__, Found)


class Answer(NamedTuple):
    """`havens` can be reached with time to spare, `closing` only just, `opens_next` later: by the
    rules that `app.directory.engine.nearest` begins with."""

    havens: list[Found]
    closing: list[Found]
    opens_next: list[Found]


class State(NamedTuple):
    """What one haven is at an instant: `open` is None when nobody knows.

    `until` and `opens_at` are seconds since 1970 UTC, None where they don't apply.
    """

    open: bool | None
    until: int | None = None
    opens_at: int | None = None


class Search:
    """A snapshot made searchable. It never changes: a new snapshot makes a new search.

    Minutes on foot are the distance times `walking_factor`, at 80 m a minute, rounded up.
    """

    def __init__(self, snapshot: Snapshot, walking_factor: float = WALKING_FACTOR) -> None:
        # Brings the compiler with it: half a second that other commands should not wait for.
        from app.directory.engine import nearest  # noqa: PLC0415

        self.snapshot = snapshot
        self.walking_factor = walking_factor
        # Given with each question, as what the compiler keeps on disk serves any factor.
        self._minutes_per_m = walking_factor / WALKED_IN_A_MINUTE_M
        columns = nearest.Columns(*(getattr(snapshot, n) for n in nearest.Columns._fields))
        self._packed = nearest.packed(columns)
        self._nearest = nearest.answer
        # Compiled here, or read from disk, so that nobody who asks has to wait for it: with
        # numbers of the kinds that come with a question, since it is compiled for each kind.
        self.answer(Question(Point(0.0, 0.0), snapshot.start, needs=-1))

    def answer(self, question: Question) -> Answer:
        """The nearest havens open at `question.at`, those closing, and what opens next."""
        if not len(self.snapshot):
            return Answer([], [], [])
        place, at, limit, needs, max_distance_m = question
        stops, lines, metres = self._nearest(
            self._packed,
            place.lat,
            place.lon,
            at,
            limit,
            needs,
            max_distance_m,
            self._minutes_per_m,
        )
        found = list(map(_FOUND, zip(*lines.T.tolist(), metres.tolist(), strict=True)))
        havens, closing, _ = stops.tolist()
        return Answer(found[:havens], found[havens:closing], found[closing:])

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
        found = low < len(by_id) and ids[by_id[low]].tobytes() == haven.bytes
        return int(by_id[low]) if found else None

    def is_listed(self, row: int, at: int) -> bool:
        """Whether the public may see a haven at an instant."""
        return any(start <= at < end for start, end in self.snapshot.listing(row))

    def state(self, row: int, at: int) -> State:
        """Whether a haven is available at an instant, and until or from when."""
        snapshot = self.snapshot
        availability = snapshot.availability(row)
        if availability is None or not snapshot.covers(at):
            return State(None)
        for start, end in availability:
            if start <= at < end:
                # Where the horizon cuts it off, nobody knows that it closes then.
                return State(True, until=end if end < snapshot.horizon else None)
        return State(False, opens_at=_next_opening(availability, at))


def _next_opening(availability: list[Interval], at: int) -> int | None:
    return next((start for start, _ in availability if at < start), None)
