"""What every report is: tables of typed rows, and a note of what they are about.

A report is a model with `about`, and a list of rows for each of its tables. The rows' models are
the one definition of the columns: JSON, CSV and XLSX all follow them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from app.audit.frame.question import Limits, View
from app.core.settings import settings
from app.http.fields import Absent
from app.venues.models import Ward

DEMONSTRATION = "demonstration data: no venue here is real"


class _Percent:
    """Marks a share that spreadsheets show as a percentage."""


PERCENT = _Percent()
Share = Annotated[Annotated[float, Field(ge=0, le=1)] | Absent, PERCENT]
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


class Report(BaseModel):
    """A base for reports."""

    about: About


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    title: str
    is_percent: bool


@dataclass(frozen=True)
class Table:
    """One table of a report."""

    name: str
    title: str
    columns: list[Column]
    rows: Sequence[Row]


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
    chosen = view.chosen
    if chosen.ward:
        names = session.exec(select(Ward.name).where(col(Ward.code).in_(chosen.ward)))
        yield f"ward: {', '.join(sorted(names))}"
    if chosen.category:
        yield f"category: {', '.join(sorted(chosen.category))}"
    for name in ("licensed", "late_night"):
        if (value := getattr(chosen, name)) is not None:
            yield f"{name.replace('_', ' ')}: {'yes' if value else 'no'}"
    if chosen.business:
        yield f"business: {', '.join(sorted(map(str, chosen.business)))}"


def tables(report: Report) -> list[Table]:
    """A report's tables, in the order of its fields."""
    found = []
    for name, field in type(report).model_fields.items():
        if get_origin(field.annotation) is list:
            (row,) = get_args(field.annotation)
            title = field.title or name.replace("_", " ").capitalize()
            found.append(Table(name, title, columns(row), getattr(report, name)))
    return found


def columns(row: type[Row]) -> list[Column]:
    """A row's columns, in the order of its fields."""
    return [
        Column(
            name,
            field.title or name.replace("_", " ").capitalize(),
            any(part is PERCENT for part in field.metadata),
        )
        for name, field in row.model_fields.items()
    ]


def values(table: Table, row: Row) -> list[Any]:
    """A row's values, in the order of the columns."""
    return [getattr(row, column.name) for column in table.columns]
