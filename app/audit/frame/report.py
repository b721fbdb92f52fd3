"""What every report is: tables of typed rows, and a note of what they are about.

A report is a model with `about`, and a list of rows for each of its tables. The rows' models are
the one definition of the columns: JSON, CSV and XLSX all follow them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from sqlmodel import Session, col, select

from app.audit.frame.names import words
from app.audit.frame.question import Limits, View
from app.core.settings import settings
from app.http.fields import Absent
from app.venues.models import Ward

DEMONSTRATION = "demonstration data: no venue here is real"


class Mark(Enum):
    """What a column is, or a whole table, beside its type."""

    PERCENT = "is a share, which people read as a percentage"
    SIGNED = "is a number that people read with its sign"
    KEY = "says what the row's figures are about, for ever"
    LABEL = "says it for people, as things are called today"
    ASIDE = "is for spreadsheets and programs; a document to be read leaves it out"
    AS_ISSUED = "counts what keeps no history, so that it can't be counted again"


def marks(field: FieldInfo) -> set[Mark]:
    """What a column or a table is marked as."""
    return {part for part in field.metadata if isinstance(part, Mark)}


Share = Annotated[Annotated[float, Field(ge=0, le=1)] | Absent, Mark.PERCENT]
"""A part of a whole; absent where the whole is nothing."""


class About(BaseModel):
    """What a report says of itself, so that it can be had again to the figure."""

    title: str = Field(examples=["Coverage"])
    notice: str | Absent = Field(default=None, description="Present when every venue is invented")
    as_at: date = Field(description="What was true on this London day", examples=["2025-03-31"])
    known_at: datetime = Field(description="What had been recorded by this instant")
    filters: list[str] = Field(
        description="Which venues count; all that are active when empty",
        examples=[["late night: yes"]],
    )
    limits: Limits
    sources: list[str] = Field(
        description="What the figures are worked out from", examples=[["attendances"]]
    )


class Row(BaseModel):
    """A base for the rows of a table: plain values, each with a title for people."""

    model_config = ConfigDict(populate_by_name=True)

    @classmethod
    def based_on(cls, source: object, **more: Any) -> Self:
        """A row of what an object has by the columns' names, but for what `more` says."""
        own = {name: getattr(source, name) for name in cls.model_fields if name not in more}
        return cls(**own, **more)


class Report(BaseModel):
    """A base for reports."""

    about: About


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    title: str
    marks: set[Mark]
    is_number: bool


@dataclass(frozen=True)
class Table:
    """One table of a report."""

    name: str
    title: str
    columns: list[Column]
    rows: Sequence[Row]

    def values(self) -> list[list[Any]]:
        """The values of each row, in the order of the columns."""
        return [[getattr(row, column.name) for column in self.columns] for row in self.rows]


def about(session: Session, title: str, view: View, sources: Sequence[str]) -> About:
    """What a report on this view says of itself."""
    return About(
        title=title,
        notice=DEMONSTRATION if settings().demonstration else None,
        as_at=view.as_at,
        known_at=view.known_at,
        filters=list(_filters(session, view)),
        limits=view.limits,
        sources=list(sources),
    )


def _filters(session: Session, view: View) -> Iterator[str]:
    filters = view.filters
    if filters.ward:
        names = session.exec(select(Ward.name).where(col(Ward.code).in_(filters.ward)))
        yield f"ward: {', '.join(sorted(names))}"
    if filters.category:
        yield f"category: {', '.join(sorted(filters.category))}"
    for name in ("licensed", "late_night"):
        if (value := getattr(filters, name)) is not None:
            yield f"{name.replace('_', ' ')}: {'yes' if value else 'no'}"
    if filters.business:
        yield f"business: {', '.join(sorted(map(str, filters.business)))}"


def title_of(name: str, field: FieldInfo) -> str:
    """What people call a field."""
    return field.title or words(name)


def tables(report: Report) -> list[Table]:
    """A report's tables, in the order of its fields."""
    return [
        Table(name, title_of(name, field), columns(row), getattr(report, name))
        for name, field in type(report).model_fields.items()
        if get_origin(field.annotation) is list
        for row in get_args(field.annotation)
    ]


def columns(row: type[Row]) -> list[Column]:
    """A row's columns, in the order of its fields."""
    return [
        Column(name, title_of(name, field), marks(field), _is_number(field.annotation))
        for name, field in row.model_fields.items()
    ]


def _is_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_is_number, get_args(annotation)))
