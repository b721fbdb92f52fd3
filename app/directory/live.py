"""The directory of a running process: it follows the database, and answers without it."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from app.core import metrics
from app.core.db import read_session
from app.core.errors import DomainError
from app.core.settings import WALKING_FACTOR
from app.directory import render
from app.directory.builder import Outcome, builder
from app.directory.engine.search import Search
from app.directory.snapshot import CURRENT, HOUR, MixedData, Unusable, load, published, refuse_mixed
from app.venues.models import DirectoryState

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often the database is asked for its version; changes show within two seconds."""

DEGRADED_AFTER_SECONDS = 10

Clock = Callable[[], float]

_Stamp = tuple[int, int, int]
"""By which a file is told from another: its number on disk, when it was written, its size."""

_NO_FILE_YET: _Stamp = (-1, 0, 0)


class NotReady(DomainError):
    """This process has no directory that covers the instant asked about."""

    status = 503
    code = "not-ready"
    title = "The directory can't tell at the moment; if you are in danger call 999"


class NotBuilt(Exception):
    """The directory could not be built; why, the builder has logged."""


class Directory:
    """The current snapshot made searchable, kept current by `refresh`.

    Whatever process of this host publishes a snapshot, the others answer from it with their very
    next answer: the file that is switched in one step is what all of them look at. Reading is safe
    from any thread: what is read never changes, it is replaced whole.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        demonstration: bool,
        walking_factor: float = WALKING_FACTOR,
        clock: Clock = time.time,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._file = folder / CURRENT
        self._demonstration = demonstration
        self._walking_factor = walking_factor
        self.clock = clock
        self._current: tuple[_Stamp | None, Search | None] = _NO_FILE_YET, None
        self._confirmed_at = 0.0
        self._whole = lru_cache(maxsize=4)(render.whole_directory)
        self._rendering = threading.Lock()

    @property
    def search(self) -> Search:
        """The current search. Raises `NotReady` when there is no snapshot that covers this moment:
        before the first, past its horizon, and when the clock was put back to before its start."""
        if self._current[1] is not None:
            self.take_up()
        search = self._current[1]
        if search is None or not search.snapshot.covers(self.clock()):
            raise NotReady
        return search

    @property
    def age_seconds(self) -> int:
        """Since the snapshot was last known to say what the database says."""
        return abs(int(self.clock() - self._confirmed_at))

    @property
    def is_degraded(self) -> bool:
        return self.age_seconds > DEGRADED_AFTER_SECONDS

    def suffices(self) -> bool:
        """Whether to begin with what there is: it says what the database says, and as far ahead as
        anybody may ask. Raises what the database raises."""
        self.take_up()
        search = self._current[1]
        return (
            self._confirm()
            and search is not None
            and search.snapshot.covers(self.clock())
            and search.snapshot.horizon >= self.clock() + render.AHEAD
        )

    def refresh(self) -> None:
        """Ask the database whether anything changed, and have built and take up what did.

        Raises what the database raises, `MixedData` and `NotBuilt`; the directory then goes on as
        it is.
        """
        self.take_up()
        search = self._current[1]
        if not self._confirm() or not (search and search.snapshot.is_of_hour(self.clock())):
            self._build()
            self.take_up()
            self._confirm()

    def _confirm(self) -> bool:
        """Whether the snapshot says what the database says now."""
        read_at = self.clock()
        # It must not grow young while a clock that was put back makes up for it.
        self._confirmed_at = self._past(self._confirmed_at)
        with read_session(self._engine) as session:
            state = session.exec(select(DirectoryState)).one()
        search = self._current[1]
        if search is None or not search.snapshot.is_of_state(state):
            return False
        self._confirmed_at = read_at
        return True

    def _past(self, moment: float) -> float:
        """A moment, or one as long ago as it lies ahead: when the clock has been put back, nobody
        knows how long ago it was, and it had better be taken for old than for new."""
        return min(moment, 2 * self.clock() - moment)

    def _build(self) -> None:
        now, url = self.clock(), self._engine.url.render_as_string(hide_password=False)
        match builder().build(
            url,
            self._folder,
            now,
            demonstration=self._demonstration,
            meanwhile=self._meanwhile,
        ):
            case Outcome.MIXED:
                raise MixedData("the directory", demonstration=self._demonstration)
            case Outcome.FAILED:
                raise NotBuilt
            case Outcome.NOT_SAVED:
                self._build_here(now)

    def _meanwhile(self) -> None:
        """While it is being built: what is there may be as good as it was."""
        with suppress(DBAPIError):
            self._confirm()
        self._measure()

    def _build_here(self, now: float) -> None:
        """Without a disk there is no sharing: every process builds for itself, and answers late
        rather than from what is no longer true."""
        # Brings the compiler with it, as the search does.
        from app.directory.build import build  # noqa: PLC0415

        log.error("directory snapshot not saved: built for this process alone")
        with read_session(self._engine) as session:
            snapshot = build(session, now)
        refuse_mixed(snapshot, demonstration=self._demonstration)
        self._current = self._stamp(), Search(snapshot, self._walking_factor)

    def take_up(self) -> None:
        """Answer from the snapshot on disk, if it is another one; to begin with, the last good."""
        stamp = self._stamp()
        last_stamp, search = self._current
        if stamp == last_stamp:
            return
        try:
            if search is None:
                snapshot = load(self._folder)
            elif stamp and last_stamp and stamp[0] == last_stamp[0]:
                raise Unusable(f"{CURRENT}: written over in place")
            else:
                snapshot = published(self._folder)
            refuse_mixed(snapshot, demonstration=self._demonstration)
        except Unusable as error:
            log.info("no directory snapshot to take up: %s", error)
        except MixedData as error:
            if search is None:
                raise
            log.error("directory snapshot not taken up: %s", error)
        else:
            search = Search(snapshot, self._walking_factor)
            self._confirmed_at = max(map(self._past, (self._confirmed_at, snapshot.generated_at)))
            log.info("directory version %d with %d havens", snapshot.version, len(snapshot))
        self._current = stamp, search

    def _stamp(self) -> _Stamp | None:
        """The published file's; None where there is none."""
        try:
            status = os.stat(self._file)  # noqa: PTH116  a third of the price, at every answer
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

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
            if not stop.wait(POLL_SECONDS):
                # Not at once: it would import at the expense of the first answers.
                builder().start()

    def _measure(self) -> None:
        metrics.DIRECTORY_AGE.set(self.age_seconds)
        if search := self._current[1]:
            metrics.DIRECTORY_VERSION.set(search.snapshot.version)
            metrics.DIRECTORY_HAVENS.set(len(search.snapshot))

    def document(self, form: render.Form) -> render.Document:
        """The whole directory as it is this hour; rendered once, while others wait for it."""
        moments = self.clock(), self._past(self._confirmed_at)
        hours = [int(moment) // HOUR * HOUR for moment in moments]
        with self._rendering:
            return self._whole(self.search, *hours, form)
