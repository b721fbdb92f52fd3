"""The lane in which passwords are hashed: one at a time, behind everything else, and fairly.

A hash costs 64 MiB and a good part of a second, so that guessing is dear. It must not become a way
to stop the service, or to keep somebody from signing in.
"""

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar, TypeVarTuple

from app.core.errors import DomainError

MOST_WAITING = 64
MOST_OF_ONE = 10
PATIENCE_SECONDS = 10
REMEMBERED_SECONDS = 60
MOST_REMEMBERED = 10_000

# The lowest of all would get nothing done on a machine that has its hands full.
_NICENESS = 10

_Given = TypeVarTuple("_Given")
_T = TypeVar("_T")


class Busy(DomainError):
    """Too many passwords are being checked at once."""

    status = 503
    code = "busy"
    title = "Too many people are signing in at this moment; try again"
    headers = {"Retry-After": "2"}  # noqa: RUF012 - never changed


@dataclass(order=True)
class _Place:
    """A place in the queue; the greatest is next. Who gives it up, or loses it, cancels `turn`."""

    is_known: bool
    modesty: int
    number: int
    asker: str = field(compare=False)
    turn: Future[None] = field(default_factory=Future, compare=False)


class Lane:
    """One at a time works in it, in a thread of low priority.

    Next is who is known, before all strangers; then who has asked the least within a minute. Of
    equals the last to come is next: a crowd that was there before holds up nobody. So many wait at
    most, of one asker fewer, and none for longer than ten seconds. Waiting takes no thread.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "passwords", initializer=_give_way)
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: list[_Place] = []
        self._numbers = count()
        self._asked: Counter[str] = Counter()
        self._asked_since = time.monotonic()

    @asynccontextmanager
    async def turn(self, asker: str, *, is_known: bool) -> AsyncIterator[None]:
        """Have the lane to oneself, when it is an asker's turn. Raises `Busy`."""
        place = self._join(asker, is_known)
        try:
            await asyncio.wait([asyncio.wrap_future(place.turn)], timeout=PATIENCE_SECONDS)
            if place.turn.cancel():
                raise Busy
            yield
        finally:
            self._leave(place)

    def forget(self, asker: str) -> None:
        """Have an asker wait no longer than one who has not asked yet."""
        with self._lock:
            self._asked.pop(asker, None)

    async def run(self, work: Callable[[*_Given], _T], *given: *_Given) -> _T:
        """Work in the thread of the lane, whose turn it is."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def _join(self, asker: str, is_known: bool) -> _Place:
        with self._lock:
            over = time.monotonic() > self._asked_since + REMEMBERED_SECONDS
            if over or len(self._asked) > MOST_REMEMBERED:
                self._asked.clear()
                self._asked_since = time.monotonic()
            self._asked[asker] += 1
            place = _Place(is_known, -self._asked[asker], next(self._numbers), asker)
            if not self._is_taken:
                self._is_taken = True
                place.turn.set_result(None)
                return place
            self._waiting.append(place)
            theirs = [each for each in self._waiting if each.asker == asker]
            if len(theirs) > MOST_OF_ONE or len(self._waiting) > MOST_WAITING:
                last = min(theirs if len(theirs) > MOST_OF_ONE else self._waiting)
                self._waiting.remove(last)
                last.turn.cancel()
        return place

    def _leave(self, place: _Place) -> None:
        with self._lock:
            if place.turn.cancel():
                if place in self._waiting:
                    self._waiting.remove(place)
                return
            self._is_taken = False
            while self._waiting and not self._is_taken:
                following = max(self._waiting)
                self._waiting.remove(following)
                # Not if it was given up at this very moment.
                if following.turn.set_running_or_notify_cancel():
                    following.turn.set_result(None)
                    self._is_taken = True


def _give_way() -> None:
    # Elsewhere than on Linux this would be the priority of the whole process.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
