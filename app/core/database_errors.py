"""What of all that a database raises is trouble that an operator can mend; and errors in a line."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.core.errors import DomainError
from app.core.trouble import Trouble

DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""What a database raises, for trouble or for a fault of ours."""

_POSTGRESQL = (
    *("08", "28", "3D"),  # out of reach, or it won't let us in
    *("53", "57", "58", "F0", "XX"),  # full, shutting down, broken
    *("40", "55"),  # in the way of each other
    *("25006", "25P03"),  # read-only; idle for too long
    *("42501", "42P01", "42703"),  # no rights; another release's tables
)
"""How the codes of trouble begin, of all that PostgreSQL has (its appendix A)."""

_SQLITE_FAULTS = ("SQLITE_CONSTRAINT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_MISUSE")


def trouble(error: BaseException) -> str:
    """What is the matter with the database, in a word; empty for an error that is a fault of ours.

    No more than a word, for what a database says can quote what was sent.
    """
    if isinstance(error, PoolTimeout):
        return "every connection is in use"
    if not isinstance(error, DBAPIError) or error.orig is None:
        return ""
    name = type(error.orig).__name__
    if sqlite := getattr(error.orig, "sqlite_errorname", ""):
        is_trouble = not sqlite.startswith(_SQLITE_FAULTS) or "no such" in str(error.orig)
        return sqlite if is_trouble else ""
    code = getattr(error.orig, "sqlstate", None)
    if code is None:
        return name if name in ("ConnectionTimeout", "InterfaceError", "OperationalError") else ""
    return f"{name}, {code}" if code.startswith(_POSTGRESQL) else ""


def in_a_line(error: Exception) -> str:
    """What is wrong, for a log or a terminal; of what nobody foresaw only the kind.

    Never what was sent, nor a secret: the first line of what a database says is about itself.
    """
    match error:
        case Trouble() | DomainError():
            return str(error)
        case DBAPIError():
            return f"The database can't be used: {str(error.orig).partition(chr(10))[0]}"
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
        case _:
            return type(error).__name__
