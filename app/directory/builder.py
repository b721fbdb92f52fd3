"""The process that builds the directory, from the side of those who want it built."""

import atexit
import json
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple, cast

from app.core.journal_head import Newest

MEANWHILE_SECONDS = 0.5


class Outcome(IntEnum):
    """What became of an order to build."""

    PUBLISHED = 0
    FAILED = 1
    BUSY = 2
    """Another process of this host is at it, or a replica has to catch up."""
    MIXED = 3
    NOT_SAVED = 4
    WENT_BACK = 5


class Answer(NamedTuple):
    """What became of an order, and why, where there is more to say."""

    outcome: Outcome
    reason: str = ""


class Builder:
    """A process that is started with the first order at the latest, and again when it is gone."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
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
            orders, answers = self._running()
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

    def start(self) -> None:
        """Start the process before it is needed: its imports take a second or two."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the process; another order starts another."""
        with self._lock:
            self._end()

    def _running(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "app.directory.publish"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                # Ctrl-C is for the service, at whose end this one ends too. A session of its own
                # would get a share of the processor of its own, however nice it is.
                process_group=0,
            )
        return cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)

    def _end(self) -> None:
        if self._process:
            # Its input ends, and so does it.
            self._process.communicate()
            self._process = None


@cache
def builder() -> Builder:
    """The one builder of this process."""
    return Builder()
