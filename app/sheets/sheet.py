"""What a sheet is: its columns, how a row is recorded, and how what is recorded becomes a row."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import defer
from sqlmodel import Session, select

from app.core.errors import DomainError, FieldError, field_errors, wrong
from app.core.events import Event, in_effect
from app.core.text import Key, Line, Prose
from app.outreach.models import StepDone
from app.schemes.models import Season
from app.sheets.csv_file import meant
from app.sheets.imports import BadCell
from app.venues.models import Business, Venue

Values = Mapping[str, Any]
"""A row: what its cells stand for, by column. For an empty cell there may be nothing."""


class SheetName(StrEnum):
    VENUES = "venues"
    ATTENDANCE = "attendance"
    HEADCOUNTS = "headcounts"
    DECISIONS = "decisions"
    ENGAGEMENTS = "engagements"


def reads(kind: Any) -> Callable[[str], Any]:
    """A reader of cells that are of a type. It raises ValueError with the reason."""
    adapter = TypeAdapter(kind)

    def read(cell: str) -> Any:
        try:
            return adapter.validate_python(cell)
        except ValidationError as error:
            raise ValueError(field_errors(error.errors())[0].message) from None

    return read


def amount(value: int | None) -> int:
    """How many, where an empty cell means none."""
    return value or 0


line = reads(Line)
key = reads(Key)
prose = reads(Prose)
number = reads(int)


@dataclass(frozen=True)
class Column:
    """A column: how its cells are read, and written where that is not what they stand for.

    Where a cell is empty that the register fills in, any event will do for it. What is not
    compared does not make a row differ from what is recorded.
    """

    name: str
    read: Callable[[str], Any] = line
    write: Callable[[Any], Any] = lambda value: value
    required: bool = False
    filled_in: bool = False
    compared: bool = True


class Book:
    """The register by the names that files use."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.made: list[str] = []
        """What rows brought into the register beside themselves."""
        self.deliveries: dict[tuple[Any, ...], UUID] = {}
        """The training sessions by what a file tells them apart by."""

    @cached_property
    def venues(self) -> dict[UUID, Venue]:
        """All venues; kept, so that no action has to look for one again."""
        found = self.session.exec(select(Venue).options(defer(Venue.hours)))  # type: ignore[arg-type]
        return {venue.id: venue for venue in found}

    @cached_property
    def _by_reference(self) -> dict[str, UUID]:
        return {venue.reference: id_ for id_, venue in self.venues.items()}

    @cached_property
    def _spelled(self) -> dict[str, str]:
        return {reference.casefold(): reference for reference in self._by_reference}

    @cached_property
    def businesses(self) -> dict[UUID, Business]:
        """All businesses that there were before."""
        return {business.id: business for business in self.session.exec(select(Business))}

    @cached_property
    def by_name(self) -> dict[str, UUID]:
        """Those businesses by their names."""
        return {business.name: id_ for id_, business in self.businesses.items()}

    @cached_property
    def seasons(self) -> dict[UUID, tuple[str, int]]:
        """The seasons' schemes and years."""
        seasons = self.session.exec(select(Season))
        return {season.id: (season.scheme, season.year) for season in seasons}

    @cached_property
    def done(self) -> dict[UUID, StepDone]:
        """The next steps that were done, by their engagements."""
        steps = self.session.exec(select(StepDone).where(in_effect(StepDone)))
        return {step.engagement_id: step for step in steps}

    def venue(self, values: Values) -> UUID:
        """The venue that a row names. Raises `Invalid`."""
        given = values["venue"]
        if given not in self._by_reference:
            other = self._spelled.get(given.casefold())
            spelled = f", which spells it {other}" if other else ""
            raise wrong("venue", f"is not the reference of a venue in the register{spelled}")
        return self._by_reference[given]


@dataclass
class Row:
    """A row of the file, and the event that records it already or does so now."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)
    event: Event | None = None
    bad: list[BadCell] = field(default_factory=list)

    def refuse(self, column: str, reason: str) -> None:
        value = self.cells.get(column, "")
        self.bad.append(BadCell(line=self.line, column=column, value=value, reason=reason))

    def read(self, sheet: "Sheet") -> None:
        """Fill in `values` from the good cells."""
        for column in sheet.columns:
            cell = self.cells.get(column.name, "")
            try:
                if cell.strip():
                    cell = meant(cell, is_text=column.read in (line, key, prose))
                    self.values[column.name] = column.read(cell)
                elif column.required:
                    raise ValueError("must not be empty")
            except ValueError as error:
                self.refuse(column.name, str(error))

    @contextmanager
    def refusing(self, sheet: "Sheet") -> Iterator[None]:
        """Put down what the register refuses as what is wrong with the row."""
        title, errors = "", []
        try:
            yield
        except ValidationError as error:
            errors = field_errors(error.errors())
        except DomainError as error:
            title = "" if error.status == 422 else error.title
            errors = error.errors or [FieldError(field="", message="")]
        for one in errors:
            reason = ": ".join(text for text in (title, one.message) if text)
            self.refuse(sheet.column_of(one.field), reason)


@dataclass(frozen=True)
class Sheet:
    """One kind of event as rows of a file.

    `record` is the module's own action; what that refuses is an error of the row, in the column
    that has the field's name, or that `columns_of` gives. `complete` adds to an event what a row
    says more, and tells in which columns. Rows are recorded in their `order`, after `prepare` has
    seen which of them are recorded already. What agrees in the columns that are there `once`, in
    all that is compared where none are named, is said twice.
    """

    model: type[Event]
    columns: tuple[Column, ...]
    stored: sa.Select[Any]
    values: Callable[[Book, Any], Values]
    record: Callable[[Book, Values], Event]
    complete: Callable[[Book, Any, Values], Sequence[str]] | None = None
    prepare: Callable[[Book, Sequence[Row]], None] | None = None
    order: Callable[[Values], Any] = lambda values: values["on"]
    once: Sequence[str] = ()
    columns_of: Mapping[str, str] = field(default_factory=dict)

    def cells(self, values: Values) -> dict[str, Any]:
        """What a file holds for a row: numbers and dates as they are, all else as text."""
        cells = {column.name: column.write(values.get(column.name)) for column in self.columns}
        return {name: "" if cell is None else cell for name, cell in cells.items()}

    def column_of(self, name: str) -> str:
        """The column in which a field lies; empty for the row as a whole."""
        first = name.partition(".")[0].removesuffix("_id")
        column = self.columns_of.get(first, first)
        return column if column in {one.name for one in self.columns} else ""
