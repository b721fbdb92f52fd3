"""What is the same of every sheet: columns, rows, and how they are read and written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.core.errors import reason
from app.core.text import line
from app.sheets.cells import cell_text, day
from app.sheets.import_report import BadCell

Values = Mapping[str, Any]
"""A row: what its cells stand for, by column. For an empty cell there may be nothing."""

NOTHING = object()

_INTEGER = TypeAdapter(int)


def number(text: str) -> int:
    """A whole number. Raises ValueError with the reason."""
    try:
        return _INTEGER.validate_python(text)
    except ValidationError as error:
        raise ValueError(reason(error.errors()[0])) from None


@dataclass(frozen=True)
class Column:
    """A column: how its cells are read, and written where that is not what they stand for.

    `read` raises ValueError with the reason. Where a text is wanted, what a spreadsheet has made
    of one is refused. `empty` is what an empty cell stands for. Of events: where a cell is empty
    that the register fills in, any event will do for it; what is not compared does not make a row
    differ from what is recorded.
    """

    read: Callable[[str], Any] = line
    write: Callable[[Any], Any] = lambda value: value
    is_text: bool = True
    required: bool = False
    empty: Any = NOTHING
    filled_in: bool = False
    compared: bool = True


DayColumn = partial(Column, day, is_text=False)
NumberColumn = partial(Column, number, is_text=False)


@dataclass
class Row:
    """A row of the file: its cells as they stand there, and what comes of them step by step."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    record: Any = None
    """The record of the register that the row is about, once there is one."""
    changes: dict[str, Any] = field(default_factory=dict)
    """What it changes of that record, by column; all of it, if the record is new."""
    bad: list[BadCell] = field(default_factory=list)

    def refuse(self, column: str, reason: str) -> None:
        """Put down what is wrong in a column; an empty name is the row as a whole."""
        value = self.cells.get(column, "")
        self.bad.append(BadCell(line=self.line, column=column, value=value, reason=reason))

    def is_bad_in(self, *columns: str) -> bool:
        """Whether one of these columns has been refused."""
        return any(cell.column in columns for cell in self.bad)

    def refuse_as_twin(self, column: str, twin: "Row", more: str = "") -> None:
        """Put down that another row says the same."""
        self.refuse(column, f"is on line {twin.line} too{more}")

    def read(self, sheet: "Sheet") -> None:
        """Fill in `values` from the good cells."""
        for name, cell in self.cells.items():
            column = sheet.columns[name]
            try:
                text = cell_text(cell, is_text=column.is_text).strip()
                if text:
                    self.values[name] = column.read(text)
                elif column.required:
                    raise ValueError("must not be empty")
                elif column.empty is not NOTHING:
                    self.values[name] = column.empty
            except ValueError as error:
                self.refuse(name, str(error))


class Sheet:
    """One kind of record as rows of a file."""

    columns: Mapping[str, Column]
    needed: Sequence[str]
    """The columns that a header must have."""

    def cells(self, values: Values) -> dict[str, Any]:
        """What a file holds for a row: numbers and dates as they are, all else as text."""
        return {
            name: "" if values.get(name) is None else column.write(values[name])
            for name, column in self.columns.items()
        }
