"""Logs for operators, as lines of text or of JSON."""

import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from app.core.privacy import PrivateFormatter

Format = Literal["text", "json"]

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered: in what is logged meanwhile, and in the error that it is
answered with."""


def configure(level: str, form: Format) -> None:
    """Send every log to standard error in one form. Access logs are off: they hold addresses."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    # It would tell to the second when a problem report was written.
    logging.getLogger("filelock").setLevel(logging.WARNING)
    # It tells of each of its own parts when it is loaded.
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
    # Pages call the API through it: what an officer looks for would stand in its lines.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def take_what_nobody_catches() -> None:
    """Log warnings and what nobody catches, which Python would print with all that it says."""
    log = logging.getLogger("uncaught")
    logging.captureWarnings(True)
    sys.excepthook = lambda *error: log.critical("the process ends", exc_info=error)
    sys.unraisablehook = lambda error: log.error("passed over", exc_info=error.exc_value)
    threading.excepthook = lambda error: log.critical("a thread ends", exc_info=error.exc_value)


class TextLines(PrivateFormatter):
    """Lines to read."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s%(request)s")

    def format(self, record: logging.LogRecord) -> str:
        record.request = f" (request {request_id.get()})" if request_id.get() else ""
        return super().format(record)


class JsonLines(PrivateFormatter):
    """A JSON object on each line; what does not apply is absent."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
