"""CSV files as spreadsheets write and read them: a header, one record in each row.

A spreadsheet takes many a text for a formula, a number or a date: of `1.10` it makes 1.1, of `1-2`
a day in February, of a long number one with an exponent. So such a text goes out with an
apostrophe before it, and comes in without. What a spreadsheet makes of a text is refused where a
text is wanted, unless an apostrophe says that it is meant so.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from itertools import zip_longest
from typing import Any

from app.core.text import shown
from app.sheets.import_report import BadCell, ImportRejected, read_text, rejected

# --- what spreadsheets do to texts -----------------------------------------------------------

# `#REF!`, `#DIV/0!`, `#N/A`, a column too narrow (`###`), and LibreOffice's `Err:508`.
_SPREADSHEET_ERROR = r"(?:#(?:[A-Z]+(?:/0)?[!?]|N/A|GETTING_DATA|#+)|Err:[0-9]+)\Z"
# `1.00023E+11` was a long number, `24/07/2026`, `01-Feb` and `Mar-99` a text with two numbers.
_SHORT_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_REFORMATTED = (
    r"(?:[+-]?[0-9]+(?:[.,][0-9]+)?[Ee][+-][0-9]+|[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{2}){1,2}"
    rf"|[0-9]{{1,2}}-{_SHORT_MONTH}|{_SHORT_MONTH}-[0-9]{{2}})\Z"
)
# What `é`, `ŵ`, `£` and a dash become where a file in UTF-8 is opened as one in Windows-1252.
_GARBLED = "(?s:.*(?:[ÃÄÅ][\xa0-\xbf€ƒ†‡\u02c6‰Š\u2039ŒŽ•\u02dc™š\u203aœžŸ]|Â[\xa0-\xbf]|â€))"
_REFUSED = re.compile(f"({_SPREADSHEET_ERROR})|({_REFORMATTED})|({_GARBLED})")
_REASONS = (
    "is an error of the spreadsheet: enter what should be there",
    "is what a spreadsheet makes of another text: enter that, in a column formatted as text",
    "has letters that were garbled on the way: open the file that it came from as UTF-8",
)

# The letters that dates, times and numbers can have: `Sept 11`, `10:30 PM`, `1 E5`, `01T10`.
_DATE_WORD = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
    "|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?"
    r"|[ap]m|(?<=\d\s)[ap]|(?<=[\d.\s])e(?=[\d+-])|(?<=\d)t(?=\d))"
)
# Digits, and no other letters than those: what may be read as a number or a date. A whole number
# that no spreadsheet changes stays bare, and so do groups of digits, as of a telephone number.
_NUMBER_OR_DATE = (
    r"(?!(?:0|[1-9][0-9]{0,10}|[0-9]+(?: [0-9]+)+)\Z)(?=\D*\d)"
    rf"(?:[\W\d_]|(?<![^\W\d_]){_DATE_WORD}(?![^\W\d_]))+\Z"
)
# Formulas begin with = + - @, wide ones too; tabs and line ends before a text are lost.
_TAKEN_FOR_ANOTHER = (
    r"(?:\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]"
    rf"|(?i:{_NUMBER_OR_DATE}|(?:true|false|0x[0-9a-f]+)\Z)"
    f"|{_SPREADSHEET_ERROR}|{_REFORMATTED}|{_GARBLED})"
)
# With apostrophes of its own the text gets one more, so that it comes back as it was.
_TO_SHIELD = re.compile(f"'*+{_TAKEN_FOR_ANOTHER}")
_SHIELDED = re.compile(f"'++{_TAKEN_FOR_ANOTHER}")


def cell_text(cell: str, *, is_text: bool = True) -> str:
    """What is meant by a cell. Raises ValueError for a text that a spreadsheet has changed."""
    if cell.startswith("'") and _SHIELDED.match(cell):
        return shown(cell[1:])
    if is_text and (refused := _REFUSED.match(cell.strip())):
        reason = _REASONS[(refused.lastindex or 1) - 1]
        raise ValueError(f"{reason}; or put an apostrophe before it, if it is meant so")
    return shown(cell)


# --- files -----------------------------------------------------------------------------------


def write_rows(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A file of these rows; what a row lacks is an empty cell. Only texts are shielded."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    columns = list(columns)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    # Without the mark at its beginning spreadsheets take the file for another encoding.
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if _TO_SHIELD.match(value) else value
    return "" if value is None else str(value)


def read_rows(
    content: bytes, known: Collection[str], needed: Collection[str], most: int | None = None
) -> tuple[list[tuple[int, dict[str, str]]], list[BadCell]]:
    """The rows with the header's columns, by their lines, and what is wrong with the others.

    Blank rows and nameless blank columns are passed over; cells that lack at the end of a row are
    empty. `cell_text` says what a cell stands for. Raises `ImportRejected` for what is no text, a
    header without the needed columns, or more rows than `most`.
    """
    text = read_text(content)
    source = io.StringIO(text, newline="")
    reader = csv.reader(source, strict=True, delimiter=_separator(text))
    columns: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    bad: list[BadCell] = []
    next_line = 1
    try:
        for cells in reader:
            line, next_line = next_line, reader.line_num + 1
            if _are_blank(cells):
                continue
            if not columns:
                if not cells[0].lower().startswith("sep="):
                    columns = _columns(cells, line, known, needed)
                continue
            if most is not None and len(rows) + len(bad) >= most:
                raise rejected(f"has more than {most} rows: divide it into several", line=line)
            is_last = source.tell() == len(text)
            if len(cells) < len(columns) and is_last and not text.endswith(("\r", "\n")):
                # To take the rest for empty would clear what is stored.
                reason = "ends too soon: the file may have been cut off"
                bad.append(BadCell(line=line, reason=reason))
                continue
            named = list(zip_longest(columns, cells, fillvalue=""))
            stray = [
                BadCell(line=line, column=f"column {place}", value=cell, reason=_STRAY)
                for place, (name, cell) in enumerate(named, 1)
                if not name and not _are_blank([cell])
            ]
            bad += stray
            if not stray:
                rows.append((line, {name: cell for name, cell in named if name}))
    except csv.Error as error:
        bad.append(BadCell(line=next_line, reason=f"can't be read as CSV: {error}"))
    if not columns:
        raise ImportRejected(bad) if bad else rejected("is empty")
    return rows, bad


_STRAY = (
    "has no name in the header: name the column, or put a text with a comma into quotation marks"
)


def _are_blank(cells: Sequence[str]) -> bool:
    return not any(shown(cell).strip() for cell in cells)


def _separator(text: str) -> str:
    """What stands between cells: what the first line declares, or the header has most of."""
    lines = (line for line in io.StringIO(text, newline=None) if line.strip(' \t\n,;"'))
    first = next(lines, "")
    declared = re.match('"?sep=([,;\t|])', first, re.IGNORECASE)
    return declared[1] if declared else max(",;\t", key=first.count)


def _columns(
    header: list[str], line: int, known: Collection[str], needed: Collection[str]
) -> list[str]:
    columns = [shown(name).strip() for name in header]
    bad = [
        BadCell(line=line, column=name, value=name, reason=reason)
        for number, name in enumerate(columns)
        for wrong, reason in (
            (name not in known, "is not one of the columns"),
            (name in columns[:number], "is there twice"),
        )
        if wrong and name
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
        raise ValueError(
            "must be a date from 2000 to 2099, like 2026-12-31: format the column as YYYY-MM-DD"
        )
    try:
        return date.fromisoformat(cell.strip())
    except ValueError:
        raise ValueError("must be a date that exists") from None
