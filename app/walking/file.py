"""The file of streets in the data directory, apart from what reads it and brings the compiler."""

from pathlib import Path

STREETS = "streets.graph"

FORM = b"havens streets 2"
"""How such a file begins; it is one of columns, see `app.core.column_file`. The first form did not
tell steps from other ways without a wheelchair, nor which way they lead."""

ATTRIBUTION = "© OpenStreetMap contributors"
LICENCE = "https://opendatacommons.org/licenses/odbl/1-0/"
"""What is said of the streets, and of every way over them, wherever they are shown or sent."""

_ANY_FORM = b"havens streets "


class UnusableStreets(Exception):
    """A file of streets that is missing, damaged, or of another format."""


def what_is_wrong(file: Path) -> str:
    """Why a file of streets that could not be read is not usable, in a few words."""
    try:
        with file.open("rb") as opened:
            beginning = opened.read(len(FORM) + 1)
    except OSError as error:
        return f"{file.name}: {error.strerror}"
    if beginning.startswith(_ANY_FORM) and beginning != FORM + b" ":
        return f"{file.name} was written by another version: import the streets again"
    return f"{file.name} is damaged"
