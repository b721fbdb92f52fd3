"""The directory of a running process: it follows the database, and answers without it."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.core import metrics
from app.core.db import read_session, replication_lag
from app.core.errors import DomainError
from app.core.journal import Journal
from app.core.journal_head import Newest
from app.core.settings import WALKING_FACTOR
from app.core.trouble import Trouble, in_a_line
from app.directory import render
from app.directory.builder import builder
from app.directory.continuity import Behind, WentBack, continued
from app.directory.engine.search import Search
from app.directory.outcome import Outcome
from app.directory.sealed import Shared, Stamp, in_turn
from app.directory.snapshot import (
    CURRENT,
    HOUR,
    LOOKS_AHEAD,
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

POLL_SECONDS = 0.5
"""How often the database is asked for its version; changes show within two seconds."""

DEGRADED_AFTER_SECONDS = 10

SAVE_AGAIN_SECONDS = 5
"""How often it is tried again to save what could not be saved."""

Clock = Callable[[], float]

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


class NotBuilt(Trouble):
    """The directory could not be built; why, the builder has logged."""

    def __init__(self) -> None:
        super().__init__("The directory could not be built: the log says why")


class Directory:
    """The current snapshot made searchable, kept current by `refresh`.

    Whichever process of a service takes up what was published, the others answer from it with their
    very next answer. Reading is safe from any thread: what is read never changes, it is replaced
    whole. `prepare` does with the database what has to be done first, when the start could not.
    """

    builds = True
    """Whether it has a database, and builds from it what it answers from."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        *,
        demonstration: bool,
        walking_factor: float = WALKING_FACTOR,
        clock: Clock = time.time,
        journal: Journal | None = None,
        prepare: Callable[["Directory"], object] | None = None,
        replica: Engine | None = None,
    ) -> None:
        self._engine = engine
        self._engines = (replica, engine) if replica else (engine,)
        self._built_from = engine
        self._folder = folder
        self._file = folder / CURRENT
        self._demonstration = demonstration
        self._walking_factor = walking_factor
        self._journal = journal
        self._prepare = prepare
        self.clock = clock
        self.shared = Shared.of(folder, demonstration=demonstration)
        self.streets = Followed(folder, demonstration=demonstration)
        self._taken = _Taken(b"", _NO_FILE, None)
        self._confirmed_at = 0.0
        self._passed_over: Stamp | None = _NO_FILE
        self._spoilt = False
        self._unsaved = ""
        self._save_again_at = 0.0
        self._went_back = False
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

    @property
    def is_degraded(self) -> bool:
        """Whether something is wrong that an operator should see to."""
        return (
            self.age_seconds > DEGRADED_AFTER_SECONDS
            or self._went_back
            or bool(self._unsaved or self.streets.trouble)
            or not self.shared.is_prepared
        )

    def suffices(self) -> bool:
        """Whether to begin with what there is: it says what the database says, and as far ahead as
        anybody may ask within the hour. Raises what the database raises."""
        self.take_up()
        search = self._taken.search
        return (
            self._confirm()
            and not self._spoilt
            and self._is_tied()
            and search is not None
            and search.snapshot.covers(self.clock())
            and search.snapshot.horizon >= self.clock() + LOOKS_AHEAD + HOUR
        )

    @property
    def knows_database(self) -> bool:
        """Whether anything is known of the database from before."""
        return self.is_there or self._known() is not None

    def check(self) -> None:
        """Raise `WentBack` when the database does not go on from what is known of it, if anything
        is, and what the database raises."""
        if self.knows_database:
            known = self._known()
            with read_session(self._engine) as session:
                continued(session, self._snapshot(), known)

    def refresh(self) -> None:
        """Ask the database whether anything changed, and have built and take up what did.

        Raises what the database raises, `WentBack`, `Behind`, `MixedData` and `NotBuilt`; the
        directory then goes on as it is.
        """
        self.take_up()
        if self._prepare and not self.shared.is_prepared:
            self._prepare(self)
            self.shared.is_prepared = True
        try:
            is_current = self._confirm() and self._is_of_hour() and self._is_tied()
        except Behind:
            # For a moment it always is, after each change.
            if self.age_seconds > DEGRADED_AFTER_SECONDS:
                raise
            return
        is_saved = not (self._spoilt or self._unsaved)
        if not is_current or (not is_saved and time.monotonic() >= self._save_again_at):
            self._build()
            self.take_up()
            self._confirm()

    def _confirm(self) -> bool:
        """Whether the snapshot says what the database says now, or its replica, as long ago as
        that is behind."""
        read_at, known = self.clock(), self._known()
        # It must not grow young while a clock that was put back makes up for it.
        self._confirmed_at = self._past(self._confirmed_at)
        snapshot = self._snapshot()
        try:
            with read_session(*self._engines) as session:
                self._built_from = session.get_bind().engine
                lag = replication_lag(session) or 0.0
                state = continued(session, snapshot, known)
        except WentBack:
            self._went_back = True
            raise
        self._went_back = False
        if snapshot is None or not snapshot.is_of_state(state):
            return False
        if lag < math.inf:
            self._confirmed_at = read_at - max(lag, 0)
        return True

    def _is_of_hour(self) -> bool:
        snapshot = self._snapshot()
        return snapshot is not None and snapshot.is_of_hour(self.clock())

    def _is_tied(self) -> bool:
        """Whether the havens are tied to the streets that there are, or to none without any."""
        snapshot, streets = self._snapshot(), self.streets.current
        return snapshot is not None and snapshot.streets == (streets.checksum if streets else "")

    def _snapshot(self) -> Snapshot | None:
        search = self._taken.search
        return search.snapshot if search else None

    def _known(self) -> Newest | None:
        """An entry that the journal must have, as it is known outside of the database."""
        return self._journal.known() if self._journal else None

    def _past(self, moment: float) -> float:
        """A moment, or one as long ago as it lies ahead: when the clock has been put back, nobody
        knows how long ago it was, and it had better be taken for old than for new."""
        return min(moment, 2 * self.clock() - moment)

    def _build(self) -> None:
        now, url = self.clock(), self._built_from.url.render_as_string(hide_password=False)
        answer = builder().build(
            url,
            self._folder,
            now,
            demonstration=self._demonstration,
            known=self._known(),
            meanwhile=self._meanwhile,
        )
        match answer.outcome:
            case Outcome.MIXED:
                raise MixedData("the directory", demonstration=self._demonstration)
            case Outcome.FAILED:
                raise NotBuilt
            case Outcome.WENT_BACK:
                self._went_back = True
                raise WentBack(answer.reason)
            case Outcome.NOT_SAVED:
                self._unsaved = f"The directory can't be saved in {self._folder}: {answer.reason}"
                self._save_again_at = time.monotonic() + SAVE_AGAIN_SECONDS
                if not (self._confirm() and self._is_of_hour()):
                    self._build_here(now)
            case Outcome.PUBLISHED:
                self._unsaved = ""

    def _meanwhile(self) -> None:
        """While it is being built: what is there may be as good as it was."""
        with suppress(DBAPIError, WentBack, Behind):
            self._confirm()
        self._measure()

    def _build_here(self, now: float) -> None:
        """Without a disk there is no sharing: every process builds for itself, and answers late
        rather than from what is no longer true."""
        # Brings the compiler with it, as the search does.
        from app.directory.build import build  # noqa: PLC0415

        with read_session(self._built_from) as session:
            continued(session, self._snapshot(), self._known())
            snapshot = build(session, now)
        refuse_mixed(snapshot, demonstration=self._demonstration)
        self._take(self.shared.token, self._stamp(), snapshot)

    def take_up(self) -> None:
        """Answer from the snapshot on disk, if it is another one; to begin with, the last good.

        One process makes the copy from which all those of this service answer.
        """
        token, stamp, search = self._taken
        if self.streets.take_up() and search:
            self._take(token, stamp, search.snapshot)
        self._switch()
        stamp = self._stamp()
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

    def _stamp(self) -> Stamp | None:
        """The published file's; None where there is none."""
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def close(self) -> None:
        """Let go of the database."""
        for engine in self._engines:
            engine.dispose()

    def follow(self, stop: threading.Event) -> None:
        """Refresh until told to stop. Nothing that goes wrong ends it."""
        while not stop.is_set():
            try:
                self.refresh()
                self.tell(self._unsaved or self.streets.trouble)
            except Exception as error:  # noqa: BLE001  whatever it is, it is told
                self.tell(error)
            self._measure()
            if not stop.wait(POLL_SECONDS) and self.builds:
                # Not at once: it would import at the expense of the first answers.
                builder().start()

    def tell(self, what: Exception | str) -> None:
        """Log what is wrong, if anything is: once, and not by each process of the service, nor
        again until it is something else."""
        kind, line, trace = str(what), str(what), None
        if isinstance(what, Exception):
            line = in_a_line(what)
            if not isinstance(what, Trouble):
                kind = type(what).__name__  # one trouble of a database has many wordings
            if line == type(what).__name__:
                trace = what  # where it happened is all that is known
        if not self.shared.tells(kind):
            return
        if line:
            log.error("directory not confirmed: %s", line, exc_info=trace)
        else:
            log.info("directory confirmed again")

    def _measure(self) -> None:
        metrics.DIRECTORY_AGE.set(self.age_seconds)
        if search := self._taken.search:
            metrics.DIRECTORY_VERSION.set(search.snapshot.version)
            metrics.DIRECTORY_HAVENS.set(len(search.snapshot))

    def document(self, form: render.Form) -> render.Document:
        """The whole directory as it is this hour; rendered once, while others wait for it."""
        with self._rendering:
            return self._whole(self.search, self.hour, self.confirmed_hour, form)

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
