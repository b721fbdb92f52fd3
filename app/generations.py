"""Generations of processes that answer, one after the other at the same door.

The process that was started (`havens serve`) answers nobody. It holds the socket that everybody
comes to, and its child, with the workers that this one may have, is a generation. On SIGHUP it
starts the next one, by the same command: from the code that is in its place by then. Until the end
it is a program of its own, without all that it takes to answer. Only when all
of that one accept is the last one told to stop, and it answers what it has accepted. So nobody
finds the door closed, and a generation that can't start changes nothing. One that dies is followed
by another. On SIGTERM or SIGINT it closes the door, and is gone when all have been answered.
"""

import json
import logging
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from app.core import logs

log = logging.getLogger("app.generations")  # as a program it has another name

HANDED_OVER = "HAVENS_HANDED_OVER"
"""In the environment of a generation: the numbers of its socket, and of where to say it accepts;
and 1 if there is no other one that answers."""

AGAIN_SECONDS = 1

_NOTED = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

Answer = Callable[[socket.socket, int], None]
"""What a generation does: answer at a socket, and write a byte to a file when each worker does."""


class Handed(NamedTuple):
    """What a generation has that a keeper started by a command."""

    door: socket.socket
    ready: int
    alone: bool
    """Whether there is no other one that answers."""


def handed_over() -> Handed | None:
    """What this process was handed, if it is a generation that a keeper started by a command."""
    numbers = os.environ.pop(HANDED_OVER, "")
    if not numbers:
        return None
    door, ready, alone = map(int, numbers.split())
    for number in (door, ready):
        os.set_inheritable(number, False)
    return Handed(socket.socket(fileno=door), ready, bool(alone))


class Kept(NamedTuple):
    """What a keeper has to know of the service that it keeps."""

    workers: int
    log_level: str
    log_format: logs.Format
    folder: str
    """What is there for as long as the service is; empty where there is nothing."""


def keep(door: socket.socket, kept: Kept, answer: Answer) -> None:
    """Keep a generation answering until told to stop, and then exit.

    The first is forked, to answer as soon as it can; in that process `answer` has been called when
    this returns.
    """
    # None is lost on the way to the program that does something at them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _NOTED)
    ready, tell = os.pipe()
    if not (pid := os.fork()):
        for number in _NOTED:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOTED)
        os.close(ready)
        answer(door, tell)
        return
    os.close(tell)
    for file in (door.fileno(), ready):
        os.set_inheritable(file, True)
    first = json.dumps([kept, door.fileno(), pid, ready, sys.orig_argv[1:]])
    program = [sys.executable, "-P", "-m", "app.generations", first]
    os.execv(sys.executable, program)  # noqa: S606  of our own making


def main() -> None:
    """Go on as the keeper of a service whose first generation has been forked."""
    given, file, pid, ready, command = json.loads(sys.argv[1])
    kept = Kept(*given)
    logs.configure(kept.log_level, kept.log_format)
    for handed in (file, ready):
        os.set_inheritable(handed, False)
    first = _Generation(pid, ready, kept.workers)
    try:
        sys.exit(_Keeper(socket.socket(fileno=file), kept.workers, command, first).keep())
    finally:
        if kept.folder:
            shutil.rmtree(kept.folder, ignore_errors=True)


@dataclass
class _Generation:
    pid: int
    ready: int
    """A pipe on which each worker says that it accepts."""
    missing: int
    """How many have not said so yet."""


class _Keeper:
    def __init__(
        self, door: socket.socket, workers: int, command: Sequence[str], first: _Generation
    ) -> None:
        self._door = door
        self._workers = workers
        self._command = command
        self._all = [first]
        self._has_answered = self._stopping = False
        self._start_at: float | None = None
        self._had_terminal = os.isatty(sys.__stdin__.fileno()) if sys.__stdin__ else False

    def keep(self) -> int:
        woken, wake = os.pipe()
        for number in (woken, wake):
            os.set_blocking(number, False)
        for number in _NOTED:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(wake)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOTED)
        status = 0
        while self._all or not self._stopping:
            self._wait(woken)
            for number in _read(woken):
                if number in (signal.SIGTERM, signal.SIGINT) or self._has_hung_up(number):
                    self._stop()
                elif number == signal.SIGHUP:
                    self._replace()
            for generation in self._all:
                self._hear(generation)
            for pid, status in _ended():
                if not self._goes_on_without(pid):
                    return os.waitstatus_to_exitcode(status)
            is_due = self._start_at is not None and time.monotonic() >= self._start_at
            if is_due and not any(generation.missing for generation in self._all):
                self._start()
        return 0

    def _wait(self, woken: int) -> None:
        """Wait for something to happen; while it stops or is to start another, for a second."""
        seconds = AGAIN_SECONDS if self._stopping or self._start_at is not None else None
        pipes = [generation.ready for generation in self._all if generation.missing]
        found = select.select([woken, *pipes], [], [], seconds)[0]
        if self._stopping and not found:
            # Who was just starting may have missed it.
            self._end(self._all)

    def _has_hung_up(self, number: int) -> bool:
        """Whether SIGHUP means that the terminal this was started from is gone."""
        return number == signal.SIGHUP and self._had_terminal and not os.isatty(0)

    def _stop(self) -> None:
        self._stopping, self._start_at = True, None
        self._door.close()
        self._end(self._all)

    def _replace(self) -> None:
        """Start the next generation; when one is starting, as soon as that accepts or is gone."""
        if not self._stopping:
            self._start_at = time.monotonic()

    def _start(self) -> None:
        self._start_at = None
        ready, tell = os.pipe()
        for number in (self._door.fileno(), tell):
            os.set_inheritable(number, True)
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, *self._command],
            os.environ | {HANDED_OVER: f"{self._door.fileno()} {tell} {int(not self._all)}"},
        )
        os.close(tell)
        self._all.append(_Generation(pid, ready, self._workers))
        log.info("started another generation [%d]", pid)

    def _hear(self, generation: _Generation) -> None:
        if not generation.missing or not select.select([generation.ready], [], [], 0)[0]:
            return
        generation.missing = max(0, generation.missing - len(os.read(generation.ready, 100)))
        if not generation.missing:
            self._has_answered = True
            older = self._all[: self._all.index(generation)]
            if older:
                log.info("generation [%d] accepts; the last one stops", generation.pid)
            else:
                log.info("answering on http://%s:%d", *self._door.getsockname()[:2])
            self._end(older)

    def _end(self, generations: list[_Generation]) -> None:
        for generation in generations:
            with suppress(ProcessLookupError):
                os.kill(generation.pid, signal.SIGTERM)

    def _goes_on_without(self, pid: int) -> bool:
        """Whether there is reason to go on when a generation has ended."""
        (ended,) = (each for each in self._all if each.pid == pid)
        was_newest = ended is self._all[-1]
        self._all.remove(ended)
        os.close(ended.ready)
        if self._stopping or not was_newest:
            return True
        if ended.missing and self._all:
            log.error("the new generation did not start: the last one goes on")
            self._start_at = None
        elif not self._has_answered:
            return False
        else:
            log.error("generation [%d] is gone: another is started", pid)
            self._start_at = time.monotonic() + AGAIN_SECONDS * bool(ended.missing)
        return True


def _read(pipe: int) -> list[int]:
    with suppress(BlockingIOError):
        return list(os.read(pipe, 1000))
    return []


def _ended() -> list[tuple[int, int]]:
    """The children that have ended, and how."""
    found = []
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(ended)
    return found


if __name__ == "__main__":
    main()
