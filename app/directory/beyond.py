"""Havens of neighbours, beside ours: what is kept of each on disk, and answering from it.

What a neighbour has published is fetched by a process of its own, see `app.directory.neighbours`,
and kept as a snapshot, as our directory is, beside a note of when and how that went. Whoever
answers takes up what is kept. Nothing of it is ever in the register, or among our own havens.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from app.core import files
from app.core.settings import Neighbour
from app.directory.engine.search import Answer, Match, Question, Search
from app.directory.rules import NEAR_M
from app.directory.sealed import Stamp
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
            stamps = _stamp(kept.note_file), _stamp(kept.snapshot_file)
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


def _stamp(file: Path) -> Stamp | None:
    with suppress(OSError):
        status = file.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size
    return None


# --- answering -------------------------------------------------------------------------------


class Seen(NamedTuple):
    """A neighbour's haven in an answer."""

    side: Side
    match: Match


Beyond = tuple[list[Seen], list[Seen], list[Seen]]
"""As an `Answer`, of neighbours alone."""


class _Ranked(NamedTuple):
    """By (instant, minutes, metres, id): as the search orders, over the streets or without."""

    order: tuple[int, int, float, bytes]
    side: Side | None
    match: Match


def answer(question: Question, own: Search, ours: Answer, sides: Iterable[Side]) -> Beyond:
    """The havens of neighbours that would be in the answer if they were ours.

    So who puts both together has the nearest of all, and who does not has all of ours.
    """
    several = [(None, own, ours)] + [
        (side, side.search, side.search.answer(question))
        for side in sides
        if side.search.snapshot.covers(question.at)
    ]
    parts: tuple[list[_Ranked], list[_Ranked], list[_Ranked]] = ([], [], [])
    for side, search, found in several:
        for part, matches in zip(parts, found, strict=True):
            part += [_ranked(search, side, match, question.at) for match in matches]
    for part in parts:
        part.sort(key=itemgetter(0))
    limit = question.limit
    havens, closing, opens_next = parts
    if len(havens) >= limit:
        # Nobody goes far, past as many open doors as they asked for, to one about to shut.
        last = havens[limit - 1].order
        closing = [one for one in closing if one.match.distance_m <= NEAR_M or one.order < last]
        if sum(one.match.distance_m <= NEAR_M for one in havens[:limit]) >= limit:
            opens_next = []
    return _beyond(havens[:limit]), _beyond(closing[:limit]), _beyond(opens_next[:limit])


def _ranked(search: Search, side: Side | None, match: Match, at: int) -> _Ranked:
    instant = 0
    if match.opens_at:
        instant = max(match.opens_at, at + MINUTE * match.walking_minutes)
    key = search.snapshot.ids[match.row].tobytes()
    return _Ranked((instant, match.walking_minutes, match.distance_m, key), side, match)


def _beyond(ranked: Sequence[_Ranked]) -> list[Seen]:
    return [Seen(one.side, one.match) for one in ranked if one.side]
