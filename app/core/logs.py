"""Logs for operators."""

import logging
import sys

from app.core.privacy import PrivateFormatter


def configure(level: str) -> None:
    """Send every log to standard error in one form. Access logs are off: they hold addresses."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrivateFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
