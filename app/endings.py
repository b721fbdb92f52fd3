"""How a command ends that an operator can mend: in a line that says what is wrong."""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import DBAPIError

from app.core.journal import WrongClock
from app.core.settings import UnsafeSettings, settings
from app.core.trouble import Trouble, in_a_line

MENDED = (UnsafeSettings, Trouble, WrongClock, DBAPIError, OSError)
"""What an operator can mend."""


def said_of(error: Exception) -> str:
    """What is said of something that an operator can mend."""
    return str(error) if isinstance(error, UnsafeSettings) else in_a_line(error)


def wrong_settings() -> list[str]:
    """What is wrong with the settings, a line for each."""
    try:
        settings()
    except ValidationError as error:
        return [_setting(one["loc"], one["msg"]) for one in error.errors()]
    except SettingsError as error:
        return [str(error)]
    return []


def _setting(location: Sequence[str | int], message: str) -> str:
    name = f"HAVENS_{str(location[0]).upper()}: " if location else ""
    return name + message.removeprefix("Value error, ")
