"""Nearest search over a snapshot: exact, in memory, and looking only where it could matter."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from app.core.geo import Point
from app.core.settings import WALKING_FACTOR
from app.directory.rules import MARGIN, NEAR_M
from app.directory.snapshot import Snapshot
from app.directory.walking import METRES_A_MINUTE


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
    """

    row: int
    text_from: int
    text_to: int
    bearing_deg: int
    walking_minutes: int
    until: int
    opens_at: int
    distance_m: float


NOT_OPEN, NO_END = 0, -1

# In a third of the time that the class itself takes.
_match: Callable[[Iterable[Any]], Match] = partial(tuple.__new__, Match)


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
    """A snapshot made searchable. It never changes: a new snapshot makes a new search."""

    def __init__(self, snapshot: Snapshot, walking_factor: float = WALKING_FACTOR) -> None:
        # Brings the compiler with it: half a second that other commands should not wait for.
        from app.directory.engine import nearest  # noqa: PLC0415

        self.snapshot = snapshot
        self.walking_factor = walking_factor
        # Given with each question, as what the compiler keeps on disk serves any factor.
        self._minutes_per_m = walking_factor / METRES_A_MINUTE
        names = nearest.Columns._fields[2:]
        columns = nearest.Columns(MARGIN, NEAR_M, *(getattr(snapshot, name) for name in names))
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
        matches = list(map(_match, zip(*lines.T.tolist(), metres.tolist(), strict=True)))
        havens, closing, _ = stops.tolist()
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
