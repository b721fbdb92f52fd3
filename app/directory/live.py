"""The directory of a running process: it follows the database, and answers without it."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.core import metrics
from app.core.database_errors import in_a_line
from app.core.db import read_session, replication_lag
from app.core.journal import Journal
from app.core.journal_head import Newest
from app.core.settings import WALKING_FACTOR, Neighbour
from app.core.trouble import Trouble
from app.directory.builder import builder
from app.directory.continuity import Behind, WentBack, continued
from app.directory.outcome import Outcome
from app.directory.read_side import DEGRADED_AFTER_SECONDS, Clock, ReadSide
from app.directory.sealed import stamp_of
from app.directory.snapshot import HOUR, LOCK, LOOKS_AHEAD, MixedData, refuse_mixed

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How often the database is asked for its version; changes show within two seconds."""

SAVE_AGAIN_SECONDS = 5
"""How often it is tried again to save what could not be saved."""


class NotBuilt(Trouble):
    """The directory could not be built; why, the builder has logged."""

    def __init__(self) -> None:
        super().__init__("The directory could not be built: the log says why")


class Directory(ReadSide):
    """The current snapshot made searchable, kept current by `refresh`.

    `prepare` does with the database what has to be done first, when the start could not.
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
        neighbours: Iterable[Neighbour] = (),
        replica: Engine | None = None,
    ) -> None:
        super().__init__(
            folder,
            demonstration=demonstration,
            walking_factor=walking_factor,
            clock=clock,
            neighbours=neighbours,
        )
        self._engine = engine
        self._engines = (replica, engine) if replica else (engine,)
        self._built_from = engine
        self._journal = journal
        self._prepare = prepare
        self._unsaved = ""
        self._save_again_at = 0.0
        self._went_back = False

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

    def _known(self) -> Newest | None:
        """An entry that the journal must have, as it is known outside of the database."""
        return self._journal.known() if self._journal else None

    def _is_being_built(self) -> bool:
        """Whether another process of this host is at it, which who gives the order would be told;
        but each order makes a copy of a process, at the expense of those who answer."""
        try:
            with FileLock(self._folder / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False  # what is wrong, the builder says

    def _build(self) -> None:
        if self._is_being_built():
            return
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
        self._take(self.shared.token, stamp_of(self._file), snapshot)

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
            if not stop.wait(POLL_SECONDS) and (self.builds or self.neighbours.notes):
                # It asks neighbours, too. Not at once: it would import at the expense of the
                # first answers.
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
        for kept, note in self.neighbours.notes.items():
            name, now = kept.neighbour.name, self.clock()
            metrics.NEIGHBOUR_AGE.labels(name).set(now - note.confirmed_at)
            metrics.NEIGHBOUR_HELD.labels(name).set(bool(kept.trouble(note, now)))
