"""Logs for operators, which can't give away where somebody stands."""

import logging
import sys
import traceback
from types import TracebackType


class PrivateFormatter(logging.Formatter):
    """Prints where an exception was raised and of which type, never its message.

    A message may quote what was sent: a position, a password.
    """

    def formatException(  # noqa: N802  the name is logging's
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + (kind.__qualname__ if kind else "")


def configure(level: str) -> None:
    """Send every log to standard error in one form. Access logs are off: they hold addresses."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
