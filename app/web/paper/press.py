"""Makes PDFs one at a time, in a process of the lowest priority, and keeps the last ones made.

So paper is never in the way of answers: it takes no turn of the event loop, no thread that public
reads use, and of the processor only what nobody else wants. What Typst holds in memory goes with
its process.
"""

import hashlib
import logging
import subprocess
import sys
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from anyio import CapacityLimiter, to_thread

from app.core.errors import DomainError

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
KEPT = 32
"""How many documents are kept."""

MOST_WAITING = 20
PATIENCE_SECONDS = 60
"""How long one document may take."""


class NotPrinted(DomainError):
    """Too many wait for paper, or it can't be made."""

    status = 503
    code = "not-printed"
    title = "This can't be printed just now; try again in a minute"
    headers = {"Retry-After": "60"}  # noqa: RUF012 - never changed


@dataclass(frozen=True)
class Sheet:
    """What is to be printed: a template, its data, and when it counts as made."""

    template: str
    data: dict[str, Any]
    made_at: int

    @property
    def digest(self) -> str:
        """Names what is printed."""
        return hashlib.sha256(f"{self.template} {self.data} {self.made_at}".encode()).hexdigest()


class Press:
    """What prints in one process of the service."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, bytes] = {}
        self._turn = CapacityLimiter(1)
        self._waiting = 0

    async def printed(self, key: Hashable, compose: Callable[[], Sheet]) -> bytes:
        """The PDF of what `compose` puts together, made once for each key while it is kept.

        Raises `NotPrinted`, and what `compose` raises.
        """
        if kept := self._kept.get(key):
            return kept
        if self._waiting >= MOST_WAITING:
            raise NotPrinted
        self._waiting += 1
        try:
            return await to_thread.run_sync(self._printed, key, compose, limiter=self._turn)
        finally:
            self._waiting -= 1

    def _printed(self, key: Hashable, compose: Callable[[], Sheet]) -> bytes:
        # Whoever waited for a turn may find that another has had it made.
        if kept := self._kept.get(key):
            return kept
        made = _made(compose())
        while len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = made
        return made


def _made(sheet: Sheet) -> bytes:
    program = [sys.executable, "-m", "app.web.paper.program"]
    try:
        return subprocess.run(  # noqa: S603 - our own program, with our own arguments
            [*program, str(TEMPLATES / sheet.template), str(sheet.made_at)],
            input=orjson.dumps(sheet.data),
            stdout=subprocess.PIPE,
            check=True,
            timeout=PATIENCE_SECONDS,
            # Ctrl-C is for the service. In a session of its own it would get a share of the
            # processor of its own, however nice it is.
            process_group=0,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        log.error("%s not printed: %s", sheet.template, type(error).__name__)
        raise NotPrinted from None
