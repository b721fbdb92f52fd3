"""Connections to PostgreSQL that end when nothing is said on them for too long."""

import time
from typing import Any

import psycopg

_PING_SECONDS = 3
_ANSWER_SECONDS = 35
"""More than the server itself gives a statement."""


class Patient(psycopg.Connection[Any]):
    """A connection that does not wait for ever for a server that is there and says nothing."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        # A ping, which comes before all else, is the one thing that is sent in this mode.
        patience = _PING_SECONDS if self.autocommit else _ANSWER_SECONDS
        began = time.monotonic()
        try:
            return super().wait(gen, interval, timeout or patience)
        except psycopg.OperationalError:
            if time.monotonic() - began >= patience:
                self.pgconn.finish()  # what it might still say would be taken for another answer
            raise
