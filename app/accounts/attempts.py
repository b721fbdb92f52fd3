"""How often a password may be tried."""

import math
import time
from collections.abc import Callable
from threading import Lock

from app.core.errors import DomainError

LIMIT = 5
WINDOW_SECONDS = 15 * 60
KEPT = 10_000


class TooManyAttempts(DomainError):
    """Passwords were tried too often for this name, from the same address."""

    status = 429
    code = "too-many-attempts"
    title = "Too many wrong passwords; wait a quarter of an hour"

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(math.ceil(seconds))}


class Attempts:
    """The attempts of the last quarter of an hour that did not succeed.

    They count by name and address together, and those made while waiting don't count: a stranger
    elsewhere can't lock an officer out, and nobody for ever. They are kept in memory, by each
    process for itself, because a guess must not be able to make the database write. Whether the
    name exists makes no difference. `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        # In the order of the last attempt, so that what is dropped when full is the oldest.
        self._failed: dict[tuple[str, str], list[float]] = {}

    def count(self, name: str, address: str) -> None:
        """Count an attempt before it is made, so that many at once can't slip by.

        Raises `TooManyAttempts`.
        """
        now = self._clock()
        with self._lock:
            earlier = self._failed.get((name, address), [])
            recent = [at for at in earlier if at > now - WINDOW_SECONDS]
            if len(recent) >= LIMIT:
                raise TooManyAttempts(recent[0] + WINDOW_SECONDS - now)
            self._failed.pop((name, address), None)
            self._failed[name, address] = [*recent, now]
            if len(self._failed) > KEPT:
                del self._failed[next(iter(self._failed))]

    def uncount(self, name: str, address: str) -> None:
        """Take back the newest attempt, which came to nothing."""
        with self._lock:
            if at := self._failed.get((name, address)):
                at.pop()

    def clear(self, name: str, address: str) -> None:
        """Forget the attempts: one has succeeded."""
        with self._lock:
            self._failed.pop((name, address), None)
