"""Answering from the directory as it lies on disk, which takes no database."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from app.core.errors import DomainError
from app.core.settings import WALKING_FACTOR, Neighbour
from app.directory import render
from app.directory.beyond import Sides, Taken
from app.directory.engine.search import Search
from app.directory.sealed import Shared, Stamp, in_turn, stamp_of
from app.directory.snapshot import (
    CURRENT,
    HOUR,
    MixedData,
    Snapshot,
    Unusable,
    last_good,
    mapped,
    refuse_mixed,
    sealed_copy,
)
from app.directory.streets import Followed

log = logging.getLogger(__name__)

Clock = Callable[[], float]

DEGRADED_AFTER_SECONDS = 10

_NO_FILE: Stamp = (-1, 0, 0)


class _Taken(NamedTuple):
    """What a process answers from: a copy, the file that it was made of, and the search in it."""

    token: bytes
    stamp: Stamp | None
    search: Search | None


class NotReady(DomainError):
    """This process has no directory that covers the instant asked about."""

    status = 503
    code = "not-ready"
    title = "The directory can't tell at the moment; if you are in danger call 999"
    headers = {"Retry-After": "10"}  # noqa: RUF012 - never changed


class ReadSide:
    """The snapshot on disk made searchable, and each one that takes its place.

    Whichever process of a service takes up what was published, the others answer from it with their
    very next answer. Reading is safe from any thread: what is read never changes, it is replaced
    whole.
    """

    def __init__(
        self,
        folder: Path,
        *,
        demonstration: bool,
        walking_factor: float = WALKING_FACTOR,
        clock: Clock = time.time,
        neighbours: Iterable[Neighbour] = (),
    ) -> None:
        self._folder = folder
        self._file = folder / CURRENT
        self._demonstration = demonstration
        self._walking_factor = walking_factor
        self.clock = clock
        self.shared = Shared.of(folder, demonstration=demonstration)
        self.streets = Followed(folder, demonstration=demonstration)
        self.neighbours = Taken(folder, neighbours, walking_factor, demonstration=demonstration)
        self._taken = _Taken(b"", _NO_FILE, None)
        self._confirmed_at = 0.0
        self._passed_over: Stamp | None = _NO_FILE
        self._spoilt = False
        self._whole = lru_cache(maxsize=4)(render.whole_directory)
        self._wards = lru_cache(maxsize=1)(render.wards)
        self._rendering = threading.Lock()

    @property
    def search(self) -> Search:
        """The current search. Raises `NotReady` when there is no snapshot that covers this moment:
        before the first, past its horizon, and when the clock was put back to before its start."""
        if self.shared.token != self._taken.token:
            self._switch()
        search = self._taken.search
        if search is None or not search.snapshot.covers(self.clock()):
            raise NotReady
        return search

    @property
    def sides(self) -> Sides:
        """What neighbours have told, as far as any of it is still known to be so."""
        taken = self.neighbours.sides
        return taken and tuple(s for s in taken if s.search.snapshot.covers(self.clock()))

    @property
    def is_there(self) -> bool:
        """Whether there is a good snapshot, of whichever time."""
        return self._taken.search is not None

    @property
    def age_seconds(self) -> int:
        """Since the snapshot was last known to say what the database says."""
        return abs(int(self.clock() - self._confirmed_at))

    @property
    def confirmed_at(self) -> int:
        """When that was, in seconds since 1970; never in the future."""
        return int(self._past(self._confirmed_at))

    def _snapshot(self) -> Snapshot | None:
        search = self._taken.search
        return search.snapshot if search else None

    def _past(self, moment: float) -> float:
        """A moment, or one as long ago as it lies ahead: when the clock has been put back, nobody
        knows how long ago it was, and it had better be taken for old than for new."""
        return min(moment, 2 * self.clock() - moment)

    def take_up(self) -> None:
        """Answer from the snapshot on disk, if it is another one; to begin with, the last good.

        One process makes the copy from which all those of this service answer.
        """
        self.neighbours.take_up()
        token, stamp, search = self._taken
        if self.streets.take_up() and search:
            self._take(token, stamp, search.snapshot)
        self._switch()
        stamp = stamp_of(self._file)
        if stamp in (self._taken.stamp, self._passed_over):
            return
        try:
            with in_turn(self._folder):
                self._switch()
                if stamp != self._taken.stamp:
                    self._copy(stamp)
        except OSError as error:
            log.debug("no directory snapshot to take up: %s", error.strerror)

    def _switch(self) -> None:
        """Answer from the copy that is handed round, if it is another one."""
        copy = self.shared.get()
        if copy is None:
            return
        try:
            if copy.token != self._taken.token:
                # What can't be opened now, the next answer tries again.
                with suppress(OSError):
                    self._take(copy.token, copy.stamp, mapped(copy.file))
        finally:
            os.close(copy.file)

    def _copy(self, stamp: Stamp | None) -> None:
        """Answer from a copy of the file that has this stamp, and hand it round."""
        last, is_there = self._taken.stamp, self.is_there
        try:
            if not is_there:
                copy, name = last_good(self._folder)
                if name != CURRENT:
                    stamp = _NO_FILE
            else:
                copy = sealed_copy(self._file)
        except Unusable as error:
            self._spoilt, self._passed_over = is_there, stamp
            log.debug("no directory snapshot to take up: %s", error)
            return
        try:
            snapshot, current = mapped(copy), self._snapshot()
            refuse_mixed(snapshot, demonstration=self._demonstration)
            is_same_file = stamp and last and stamp[0] == last[0]
            if current and is_same_file and snapshot.generated_at < current.generated_at:
                log.error("directory snapshot not taken up: an older one was written over it")
                self._spoilt, self._passed_over = True, stamp
                return
            self._take(self.shared.put(copy, stamp), stamp, snapshot)
        except MixedData as error:
            if not is_there:
                raise
            self._passed_over = stamp
            log.error("directory snapshot not taken up: %s", error)
        finally:
            os.close(copy)

    def _take(self, token: bytes, stamp: Stamp | None, snapshot: Snapshot) -> None:
        search = Search(snapshot, self._walking_factor, self.streets.current)
        self._taken = _Taken(token, stamp, search)
        self._spoilt = False
        self._confirmed_at = max(map(self._past, (self._confirmed_at, snapshot.generated_at)))
        # What was rendered of the one before would keep it in memory.
        self._whole.cache_clear()
        self._wards.cache_clear()
        log.info("directory version %d with %d havens", snapshot.version, len(snapshot))

    def document(self, form: render.Form) -> render.Document:
        """The whole directory as it is this hour; rendered once, while others wait for it."""
        with self._rendering:
            of_neighbours = self.sides if form == "json" else ()
            return self._whole(self.search, self.hour, self.confirmed_hour, form, of_neighbours)

    @property
    def hour(self) -> int:
        """The full hour of which the whole directory tells now."""
        return int(self.clock()) // HOUR * HOUR

    @property
    def confirmed_hour(self) -> int:
        """The full hour in which it was last confirmed."""
        return self.confirmed_at // HOUR * HOUR

    def wards(self) -> render.Document:
        """The outlines of the wards; rendered once, while others wait for it."""
        with self._rendering:
            return self._wards(self.search)
