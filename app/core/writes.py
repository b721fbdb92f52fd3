"""Whether the database can be written: known from those who write, and tried when nobody does."""

import logging
import threading
import time

from sqlalchemy import Engine, text

from app.core.database_errors import DATABASE_ERRORS, trouble
from app.core.db import write_session

log = logging.getLogger(__name__)

TRY_SECONDS = 5
FAILURE_COUNTS_SECONDS = 60
"""How long a write that failed counts for more than a try, which needs less room."""


class Writes:
    """How writing to a database has gone in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._failed_at = -float("inf")
        self._can_be_tried = True

    @property
    def fail(self) -> bool:
        """Whether a write would fail, as far as is known."""
        failed_lately = time.monotonic() - self._failed_at < FAILURE_COUNTS_SECONDS
        return failed_lately or not self._can_be_tried

    def failed(self) -> None:
        """Note that somebody's write failed because of the database."""
        self._failed_at = time.monotonic()

    def succeeded(self) -> None:
        """Note that somebody's write succeeded."""
        self._failed_at = -float("inf")
        self._can_be_tried = True

    def follow(self, stop: threading.Event) -> None:
        """Try every few seconds until told to stop, and log when that begins or ceases to fail."""
        while not stop.wait(TRY_SECONDS):
            reason = self._tried()
            if reason and self._can_be_tried:
                log.error("the database can't be written: %s", reason)
            elif not reason and not self._can_be_tried:
                log.info("the database can be written again")
            self._can_be_tried = not reason

    def _tried(self) -> str:
        """Write what means nothing; returns what went wrong, if anything."""
        try:
            with write_session(self._engine) as session:
                if self._engine.dialect.name == "postgresql":
                    session.execute(text("SELECT pg_current_xact_id()"))
                else:
                    # A number in the file's first page that nobody reads.
                    number = session.scalar(text("PRAGMA user_version")) or 0
                    session.execute(text(f"PRAGMA user_version = {1 - int(number) % 2}"))
        except DATABASE_ERRORS as error:
            return trouble(error) or type(error).__name__
        return ""
