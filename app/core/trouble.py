"""Trouble: what keeps the service from its work and an operator can mend; and how often it is
logged."""

import logging
import threading
import time
from collections import Counter

log = logging.getLogger(__name__)


class Trouble(Exception):
    """Something that an operator can mend; its text says what it is and what to do."""


LOG_SECONDS = 60

_lock = threading.Lock()
_told_at: dict[str, float] = {}
_untold: Counter[str] = Counter()


def say(what: str, reason: str) -> None:
    """Log what came of some trouble: at once, then at most once a minute and how often it was."""
    line = f"{what} ({reason})"
    now = time.monotonic()
    with _lock:
        if now - _told_at.get(line, -LOG_SECONDS) < LOG_SECONDS:
            _untold[line] += 1
            return
        _told_at[line] = now
        times = _untold.pop(line, 0)
    log.error("%s%s", line, f"; {times} times more since this was last said" if times else "")
