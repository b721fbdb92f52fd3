"""Where somebody stands, as all that was sent, stays out of what is kept, printed or answered.

A position is read, answered and forgotten. It, or any other value of a request, reaches

- no log: `PrivateFormatter` prints no message of an exception, not even of one that nobody catches
  (`logs`), and access logs are off; no id of a request is one that its sender has chosen;
- no error: `errors` repeats no value, and of names only what `safe_name` lets through;
- no header: an answer to a preflight repeats what `HEADER_NAME` lets through, and no redirect is
  ever made (`main`), which would repeat the address;
- no metric: `http.middleware.Measured` labels by a route's pattern and a known method;
- no trace: `main` turns them off;
- no database: `directory.routes` and `directory.on_foot` answer from memory, and no table has a
  column for it.

A way on foot begins where it was asked from, and is sent to whoever asked, and kept by nobody.

Whoever asks by POST keeps it out of addresses too; with the whole directory, `GET /v1/havens`,
nothing needs to be sent at all. `tests/test_privacy.py` sends positions everywhere, and looks.
"""

import logging
import re
import traceback
from types import TracebackType

HEADER_NAME = re.compile(r"(?!authorization$)[a-z][a-z0-9_-]{0,60}", re.IGNORECASE)
"""A header's name as it may be repeated, unless it is about signing in; digits could be a place."""


def safe_name(part: object) -> str:
    """A field's name, or `(unknown)` for what was sent as one and could hold data."""
    # A number is a place in a list; digits that were sent as a name are text.
    if isinstance(part, int) or re.fullmatch(r"[A-Za-z_-]{1,40}", str(part)):
        return str(part)
    return "(unknown)"


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
