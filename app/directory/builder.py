"""The process that builds the directory, from the side of those who want it built."""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import IO, NamedTuple, cast

from app.core.journal_head import Newest
from app.core.process import called
from app.directory.outcome import Answer, Outcome

MEANWHILE_SECONDS = 0.5

NAME = b"havens-builder"


class _Process(NamedTuple):
    orders: IO[bytes]
    answers: IO[bytes]
    wait: Callable[[], object]
    """Until it has ended, which it does when nobody can give it orders any more."""


class Builder:
    """A process that is started with the first order at the latest, and again when it is gone."""

    def __init__(self) -> None:
        self._process: _Process | None = None
        self._readied: _Process | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def build(
        self,
        url: str,
        folder: Path,
        now: float,
        *,
        demonstration: bool,
        known: Newest | None,
        meanwhile: Callable[[], object],
    ) -> Answer:
        """Have the directory built from a database and published in a folder.

        `known` is an entry that the database's journal must have. `meanwhile` is called now and
        then until it is done.
        """
        # Not on a command line, where everybody could read the database's password.
        order = {
            "url": url,
            "folder": str(folder.absolute()),
            "now": now,
            "demonstration": demonstration,
            "known": known and [known.number, known.hash],
        }
        with self._lock:
            orders, answers, _ = self._running()
            try:
                orders.write(json.dumps(order).encode() + b"\n")
                while not select.select([answers], [], [], MEANWHILE_SECONDS)[0]:
                    meanwhile()
                answer = answers.readline()
            except OSError:
                answer = b""
            if not answer:
                self._end()
                return Answer(Outcome.FAILED)
        outcome, reason = json.loads(answer)
        return Answer(Outcome(outcome), reason)

    def fork(self) -> None:
        """Start it as a copy of this process, with which it shares what this has imported.

        Only for a process that has one thread and nothing to lose when a copy of it ends.
        """
        with self._lock:
            if self._process is None:
                self._process = _forked()

    def start(self) -> None:
        """Have it ready before it is needed: its imports take a while."""
        with self._lock, suppress(OSError):
            if (process := self._running()) is not self._readied:
                self._readied = process
                process.orders.write(b"\n")

    def close(self) -> None:
        """End the process; another order starts another."""
        with self._lock:
            self._end()

    def _running(self) -> _Process:
        # Anew, for by now this process has threads, which a copy of it would do without.
        self._process = self._process or _begun()
        return self._process

    def _end(self) -> None:
        if self._process:
            orders, answers, wait = self._process
            orders.close()
            wait()
            answers.close()
            self._process = None


def _begun() -> _Process:
    """By a command, with a memory of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.directory.publish"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        # Ctrl-C is for the service, at whose end this one ends too. A session of its own would get
        # a share of the processor of its own, however nice it is.
        process_group=0,
    )
    orders, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    return _Process(orders, answers, process.wait)


def _forked() -> _Process:
    orders, give = os.pipe()
    take, answers = os.pipe()
    if not (child := os.fork()):
        # What goes wrong must not go on as the service that it is a copy of.
        try:
            _be_builder(orders, answers)
        finally:
            os._exit(1)
    for file in (orders, answers):
        os.close(file)
    wait = partial(os.waitpid, child, 0)
    return _Process(os.fdopen(give, "wb", 0), os.fdopen(take, "rb", 0), wait)


def _be_builder(orders: int, answers: int) -> None:
    os.setpgid(0, 0)  # as above
    called(NAME)
    os.dup2(orders, 0)
    os.dup2(answers, 1)
    # Above all the door, which would stay open behind this one.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # It would bring to the service what it needs by itself alone.
    from app.directory.publish import main  # noqa: PLC0415

    main()
    os._exit(0)


@cache
def builder() -> Builder:
    """The one builder of this process."""
    return Builder()
