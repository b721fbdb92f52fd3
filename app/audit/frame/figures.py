"""The figures of a report by what they are figures of, so that reports can be told apart.

A figure's name is made of its table, the keys of its row and its column:
`training_courses/wave/new`. What people call wards, venues and courses is no part of it, nor is
what can't be had again as it was.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import date
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BaseModel, Field

from app.audit.frame.report import Mark, Report, Table, marks, tables
from app.http.fields import Absent

Key = Annotated[str, Mark.KEY]
Label = Annotated[str, Mark.LABEL]
Aside = Annotated[str, Mark.LABEL, Mark.ASIDE]

A_HASH = "51ab2c7d9e0f46b8a1c35d7e2f4096b8d1a3c5e7f90b2d4c6e8fa0b1c3d5e7f9"

Figure = int | float | str | bool


class FigureChange(BaseModel):
    """A figure that is not what it was; absent where there is none, or nothing."""

    figure: str = Field(examples=["training_courses/wave/new"])
    before: Figure | Absent = Field(default=None, examples=[101])
    after: Figure | Absent = Field(default=None, examples=[113])


def figures(report: Report) -> dict[str, Figure]:
    """Every figure of a report by its name."""
    fields = type(report).model_fields
    return {
        name: figure
        for table in tables(report)
        if Mark.AS_ISSUED not in marks(fields[table.name])
        for name, figure in _of_table(table)
    }


def _of_table(table: Table) -> Iterator[tuple[str, Figure]]:
    for values in table.values():
        cells = list(zip(table.columns, values, strict=True))
        key = "/".join(str(value) for column, value in cells if Mark.KEY in column.marks)
        for column, value in cells:
            # Nothing and none are the same, so that what comes to be counted later changes no hash.
            if not column.marks & {Mark.KEY, Mark.LABEL} and value not in (None, 0):
                yield f"{table.name}/{key}/{column.name}", _plain(value)


def _plain(value: Any) -> Figure:
    plain: Figure = str(value) if isinstance(value, date | UUID | Enum) else value
    return plain


def digest(about: Mapping[str, Any], figures: Mapping[str, Figure]) -> str:
    """The hash of figures and of what they are about: SHA-256 of JSON with its keys in order."""
    text = orjson.dumps({"about": about, "figures": figures}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def changes(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> list[FigureChange]:
    """What is different, by name."""
    return [
        FigureChange(figure=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
