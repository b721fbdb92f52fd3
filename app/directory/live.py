"""The directory of a running process: it follows the database, and answers without it."""

import logging
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine
from sqlmodel import select

from app import metrics
from app.db import read_session
from app.directory import render
from app.directory.search import Search
from app.directory.snapshot import HOUR, Snapshot, Unusable, build, load, save
from app.errors import NotReady
from app.venues.models import DirectoryState

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often the database is asked for its version; changes show within two seconds."""

LOCK_SECONDS = 60
DEGRADED_AFTER_SECONDS = 10

Clock = Callable[[], float]


class MixedData(Exception):
    """Demonstration venues where real ones belong, or the other way round."""


class Directory:
    """The current snapshot made searchable, kept current by `refresh`.

    Reading is safe from any thread: what is read never changes, it is replaced whole.
    """

    def __init__(
        self, engine: Engine, folder: Path, *, demonstration: bool, clock: Clock = time.time
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._demonstration = demonstration
        self.clock = clock
        self._search: Search | None = None
        self._confirmed_at = 0.0
        self._whole = lru_cache(maxsize=4)(render.whole)
        self._rendering = threading.Lock()

    @property
    def search(self) -> Search:
        """The current search. Raises `NotReady` before the first snapshot and past its horizon."""
        if self._search is None or self.clock() >= self._search.snapshot.horizon:
            raise NotReady
        return self._search

    @property
    def age_seconds(self) -> int:
        """Since the snapshot was last known to say what the database says."""
        return max(0, int(self.clock() - self._confirmed_at))

    @property
    def is_degraded(self) -> bool:
        return self.age_seconds > DEGRADED_AFTER_SECONDS

    # --- following the database --------------------------------------------------------------

    def restore(self) -> None:
        """Begin with the last good snapshot on disk, if there is one."""
        try:
            snapshot = load(self._folder)
        except Unusable as error:
            log.info("no directory snapshot to begin with: %s", error)
        else:
            self._take(snapshot)
            self._confirmed_at = snapshot.generated_at

    def refresh(self) -> None:
        """Ask the database whether anything changed, and take up what did.

        One process of a host builds, the others take its snapshot from disk. Raises what the
        database raises; the directory then goes on as it is.
        """
        asked_at = self.clock()
        with read_session(self._engine) as session:
            state = session.exec(select(DirectoryState)).one()
        current = self._search.snapshot if self._search else None
        if not self._is_current(current, state, asked_at):
            with FileLock(self._folder / "snapshot.lock", timeout=LOCK_SECONDS):
                self._take(self._built(state, asked_at))
        self._confirmed_at = asked_at

    def _built(self, state: DirectoryState, now: float) -> Snapshot:
        try:
            snapshot = load(self._folder)
            if self._is_current(snapshot, state, now):
                return snapshot
        except Unusable:
            pass
        with read_session(self._engine) as session:
            snapshot = build(session, now)
        self._check(snapshot)
        try:
            save(snapshot, self._folder)
        except OSError as error:
            log.error("directory snapshot not saved: %s", error.strerror)
        return snapshot

    def _is_current(self, snapshot: Snapshot | None, state: DirectoryState, now: float) -> bool:
        """Also rebuilt every hour, so that the horizon stays far away."""
        return (
            snapshot is not None
            and (snapshot.database, snapshot.version) == (str(state.database), state.version)
            and snapshot.generated_at // HOUR == int(now) // HOUR
        )

    def _check(self, snapshot: Snapshot) -> None:
        if len(snapshot) and snapshot.demonstration != self._demonstration:
            raise MixedData(
                "the directory holds demonstration venues, which production must not show as real"
                if snapshot.demonstration
                else "the directory holds real venues; the demonstration needs one of its own"
            )

    def _take(self, snapshot: Snapshot) -> None:
        self._check(snapshot)
        self._search = Search(snapshot)
        log.info("directory version %d with %d havens", snapshot.version, len(snapshot))

    def follow(self, stop: threading.Event) -> None:
        """Refresh until told to stop. Nothing that goes wrong ends it."""
        failing: str | None = None
        while not stop.is_set():
            try:
                self.refresh()
                if failing:
                    log.info("directory confirmed again")
                failing = None
            except Exception as error:
                if failing != type(error).__name__:
                    log.warning("directory not confirmed: %s", type(error).__name__, exc_info=True)
                failing = type(error).__name__
            self._measure()
            stop.wait(POLL_SECONDS)

    def _measure(self) -> None:
        metrics.DIRECTORY_AGE.set(self.age_seconds)
        if self._search:
            metrics.DIRECTORY_VERSION.set(self._search.snapshot.version)
            metrics.DIRECTORY_HAVENS.set(len(self._search.snapshot))

    # --- the whole directory -----------------------------------------------------------------

    def document(self, form: render.Form) -> render.Document:
        """The whole directory as it is this hour; rendered once, while others wait for it."""
        hours = [int(moment) // HOUR * HOUR for moment in (self.clock(), self._confirmed_at)]
        with self._rendering:
            return self._whole(self.search, *hours, form)
