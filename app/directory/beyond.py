"""Havens of neighbours, beside ours: what is kept of each on disk, and answering from it.

What a neighbour has published is fetched by a process of its own, see `app.directory.neighbours`,
and kept as a snapshot, as our directory is, beside a note of when and how that went. Whoever
answers takes up what is kept. Nothing of it is ever in the register, or among our own havens.
"""

import hashlib
import logging
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from app.core import files
from app.core.settings import Neighbour
from app.directory.engine.search import Answer, Match, Question, Search
from app.directory.rules import NEAR_M
from app.directory.sealed import Stamp, stamp_of
from app.directory.snapshot import HOUR, MINUTE, Snapshot, Unusable, content, mapped, sealed_copy

log = logging.getLogger(__name__)

CONFIRM_WITHIN = 24 * HOUR
"""How long what somebody has told counts without being confirmed, in seconds."""

TROUBLE_LASTS = 4
"""A neighbour that was not asked for so many times as long as it should be is not followed."""


class Note(BaseModel):
    """When a neighbour was asked, and how that went. Times are seconds since 1970 UTC, 0 for never.

    `confirmed_at` is when it last said what is kept, `confirm_by` when it wants that confirmed.
    `generated_at` is the instant of which it told. `tag` names its document, which was held against
    the settings that `checked_for` stands for. `trouble` is why it is held, empty when it is not.
    """

    model_config = ConfigDict(frozen=True)

    asked_at: int = 0
    confirmed_at: int = 0
    confirm_by: int = 0
    generated_at: int = 0
    tag: str = ""
    checked_for: str = ""
    trouble: str = ""


class Kept:
    """What is kept of a neighbour in a data directory: whatever happens, its last good state."""

    def __init__(self, folder: Path, neighbour: Neighbour) -> None:
        name = hashlib.sha256(str(neighbour.address).encode()).hexdigest()[:16]
        self.neighbour = neighbour
        self.snapshot_file = folder / "neighbours" / f"{name}.snapshot"
        self.note_file = self.snapshot_file.with_suffix(".note")

    def note(self) -> Note:
        """The newest note; an empty one where there is none that can be read."""
        try:
            return Note.model_validate_json(self.note_file.read_bytes())
        except (OSError, ValueError):
            return Note()

    def write(self, note: Note, snapshot: Snapshot | None = None) -> None:
        """Keep a note, and what was told with it. Raises OSError."""
        self.note_file.parent.mkdir(parents=True, exist_ok=True)
        if snapshot is not None:
            # First, so that no older state is ever shown as a newer one.
            files.replace(self.snapshot_file, content(snapshot))
        files.replace(self.note_file, [note.model_dump_json().encode()])

    def snapshot(self) -> Snapshot | None:
        """The last good state; None where there is none."""
        try:
            copy = sealed_copy(self.snapshot_file)
        except Unusable as error:
            if self.snapshot_file.exists():
                log.warning("what %s told is not used: %s", self.neighbour.name, error)
            return None
        try:
            return mapped(copy)
        finally:
            os.close(copy)

    def trouble(self, note: Note, now: float) -> str:
        """Why this neighbour is held at an older state; empty when it is not."""
        late = now - note.asked_at > TROUBLE_LASTS * self.neighbour.pause_seconds
        if note.trouble or not note.asked_at:
            return note.trouble
        return "it has not been asked for a while" if late else ""


@dataclass(frozen=True, eq=False)
class Side:
    """A neighbour's havens, searchable, and what is said of where they come from.

    `as_of` is the full hour in which the neighbour last confirmed them, `confirm_by` when that
    wants doing again.
    """

    neighbour: Neighbour
    as_of: int
    confirm_by: int
    search: Search

    @classmethod
    def of(cls, neighbour: Neighbour, note: Note, search: Search) -> "Side":
        """What a note says of what is searchable."""
        as_of = note.confirmed_at // HOUR * HOUR
        return cls(neighbour, as_of, min(note.confirm_by, as_of + CONFIRM_WITHIN), search)


Sides = tuple[Side, ...]


class Taken:
    """What a process has taken up of its neighbours; `sides` are replaced whole.

    `notes` has how it stands with each, whether anything is known of it or not.
    """

    def __init__(
        self,
        folder: Path,
        neighbours: Iterable[Neighbour],
        walking_factor: float,
        *,
        demonstration: bool,
    ) -> None:
        self._demonstration = demonstration
        self._factor = walking_factor
        self._stamps: dict[Kept, tuple[Stamp | None, Stamp | None]] = {}
        self._searches: dict[Kept, Search] = {}
        self.notes = {Kept(folder, neighbour): Note() for neighbour in neighbours}
        self.sides: Sides = ()

    def take_up(self) -> None:
        """Go over to what is kept now; what can't be read leaves what there was."""
        for kept in self.notes:
            stamps = stamp_of(kept.note_file), stamp_of(kept.snapshot_file)
            before = self._stamps.get(kept, (None, None))
            if stamps == before:
                continue
            self._stamps[kept] = stamps
            if stamps[1] != before[1]:
                self._search(kept)
            self.notes[kept] = kept.note()
            self.sides = tuple(
                Side.of(one.neighbour, note, self._searches[one])
                for one, note in self.notes.items()
                if one in self._searches
            )

    def _search(self, kept: Kept) -> None:
        snapshot = kept.snapshot()
        # What was taken up in a demonstration is not shown as real in the same folder later.
        if snapshot is not None and (self._demonstration or not snapshot.demonstration):
            self._searches[kept] = Search(snapshot, self._factor)


# --- answering -------------------------------------------------------------------------------


class Door(NamedTuple):
    """A haven in an answer of several sides; `side` is None for one of ours."""

    side: Side | None
    search: Search
    match: Match

    def order(self, at: int) -> tuple[int, float, bytes]:
        """By (instant, way on foot, id), as the search orders those of one side."""
        instant = 0
        if self.match.opens_at:
            instant = max(self.match.opens_at, at + MINUTE * self.match.walking_minutes)
        return instant, self.match.way_m, self.search.snapshot.ids[self.match.row].tobytes()


Doors = tuple[list[Door], list[Door], list[Door]]
"""As an `Answer`, of all sides."""


class Seen(NamedTuple):
    """A neighbour's haven in an answer."""

    side: Side
    match: Match


Beyond = tuple[list[Seen], list[Seen], list[Seen]]
"""As an `Answer`, of neighbours alone."""


def of_neighbours(doors: Doors) -> Beyond:
    """The havens of neighbours among all.

    So who puts both together has the nearest of all, and who does not has all of ours.
    """
    havens, closing, opens_next = (
        [Seen(door.side, door.match) for door in part if door.side] for part in doors
    )
    return havens, closing, opens_next


class _Told(NamedTuple):
    """What one side answers by itself."""

    side: Side | None
    search: Search
    answer: Answer

    def doors(self, matches: Iterable[Match]) -> list[Door]:
        return [Door(self.side, self.search, match) for match in matches]

    def closing(self, question: Question, farthest_m: float) -> list[Match]:
        """Those in the answer, when nobody goes more than so far past enough open doors."""
        found = self.answer.closing
        wanted = [one for one in found if one.distance_m <= NEAR_M or one.way_m <= farthest_m]
        if len(wanted) < len(found) == question.limit:
            # What is not wanted took the place of some that is near, if far on foot.
            near = question._replace(max_distance_m=min(question.max_distance_m, NEAR_M))
            rows = {match.row for match in wanted}
            wanted += [one for one in self.search.answer(near).closing if one.row not in rows]
        return wanted

    def opens_next(self, question: Question) -> list[Match]:
        if _near(self.answer.havens) < question.limit:
            return self.answer.opens_next
        # Enough are near here, but not among the nearest of all: so as if none were.
        return self.search.answer(question._replace(max_distance_m=-1.0)).opens_next


def doors(question: Question, own: Search, ours: Answer, sides: Iterable[Side]) -> Doors:
    """What the answer would be if the havens of neighbours were ours."""
    limit = question.limit
    several = [_Told(None, own, ours)] + [
        _Told(side, side.search, side.search.answer(question))
        for side in sides
        if side.search.snapshot.covers(question.at)
    ]

    def first(matches: Callable[[_Told], Iterable[Match]]) -> list[Door]:
        found = [door for told in several for door in told.doors(matches(told))]
        return sorted(found, key=lambda door: door.order(question.at))[:limit]

    havens = first(lambda told: told.answer.havens)
    farthest_m = havens[-1].match.way_m if len(havens) == limit else math.inf
    closing = first(lambda told: told.closing(question, farthest_m))
    is_enough = _near(door.match for door in havens) >= limit
    return havens, closing, [] if is_enough else first(lambda told: told.opens_next(question))


def _near(matches: Iterable[Match]) -> int:
    return sum(match.distance_m <= NEAR_M for match in matches)
