"""How a command ends that an operator can mend: in a line that says what is wrong."""

from sqlalchemy.exc import DBAPIError

from app.core.database_errors import in_a_line
from app.core.journal import WrongClock
from app.core.settings import UnsafeSettings
from app.core.trouble import Trouble

MENDED = (UnsafeSettings, Trouble, WrongClock, DBAPIError, OSError)
"""What an operator can mend."""


def said_of(error: Exception) -> str:
    """What is said of something that an operator can mend."""
    return str(error) if isinstance(error, UnsafeSettings) else in_a_line(error)
