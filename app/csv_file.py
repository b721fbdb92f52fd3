"""CSV files as spreadsheets write and read them: UTF-8, a header, one record in each row.

A spreadsheet takes a text that begins with `=`, `+`, `-` or `@` for a formula, and digits for a
number: it drops leading zeros and what follows the fifteenth digit, and writes `1E5` out. So such a
text goes out with an apostrophe before it, and comes in without.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.venues.imports import BadCell, ImportRejected, read_text

# With apostrophes of its own the text gets one more, so that it comes back as it was.
_CHANGED = r"(?:[=+\-@\t\r]|(?:0[0-9]+|[0-9]{16,}|[0-9]+[Ee][0-9]+)\Z)"
_UNSAFE = re.compile(f"'*{_CHANGED}")
_SHIELDED = re.compile(f"'+{_CHANGED}")


def written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A file of these rows; what a row lacks is an empty cell. Only texts are shielded."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    # Without the mark at its beginning spreadsheets take the file for another encoding.
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if _UNSAFE.match(value) else value
    return "" if value is None else str(value)


def read_rows(
    content: bytes, known: Collection[str], needed: Collection[str]
) -> tuple[list[tuple[int, dict[str, str]]], list[BadCell]]:
    """The rows with the header's columns, by their lines, and what is wrong with the others.

    Raises `ImportRejected` for what is no text, or a header without the needed columns.
    """
    reader = csv.reader(io.StringIO(read_text(content), newline=""), strict=True)
    columns: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    bad: list[BadCell] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            bad.append(BadCell(line=line, reason=f"can't be read as CSV: {error}"))
            break
        if not cells:
            continue
        if not columns:
            columns = _columns(cells, line, known, needed)
        elif len(cells) == len(columns):
            bare = (cell[1:] if _SHIELDED.match(cell) else cell for cell in cells)
            rows.append((line, dict(zip(columns, bare, strict=True))))
        else:
            reason = f"has {len(cells)} cells where the header has {len(columns)}"
            bad.append(BadCell(line=line, reason=reason))
    if not columns:
        raise ImportRejected(bad or [BadCell(reason="is empty")])
    return rows, bad


def _columns(
    header: list[str], line: int, known: Collection[str], needed: Collection[str]
) -> list[str]:
    columns = [name.strip() for name in header]
    bad = [
        BadCell(line=line, column=name, value=name, reason=reason)
        for number, name in enumerate(columns)
        for wrong, reason in (
            (name not in known, "is not one of the columns"),
            (name in columns[:number], "is there twice"),
        )
        if wrong
    ]
    bad += [
        BadCell(line=line, column=name, reason="is missing")
        for name in needed
        if name not in columns
    ]
    if bad:
        raise ImportRejected(bad)
    return columns


def day(cell: str) -> date:
    """A date as it is written in every file. Raises ValueError with the reason."""
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", cell.strip()):
        raise ValueError("must be a date from 2000 to 2099, like 2026-12-31")
    try:
        return date.fromisoformat(cell.strip())
    except ValueError:
        raise ValueError("must be a date that exists") from None
