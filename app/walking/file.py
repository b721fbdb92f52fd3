"""The file of streets in the data directory, apart from what reads it and brings the compiler."""

STREETS = "streets.graph"

FORM = b"havens streets 1"
"""How such a file begins; it is one of columns, see `app.core.column_file`."""


class UnusableStreets(Exception):
    """A file of streets that is missing, damaged, or of another format."""
