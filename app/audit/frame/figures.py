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
from pydantic.fields import FieldInfo

from app.audit.frame.report import Report, Row, tables
from app.http.fields import Absent


class Mark(Enum):
    """What a column, or a whole table, is when it is not a figure."""

    KEY = "says what the row's figures are about, for ever"
    LABEL = "says it for people, as things are called today"
    ASIDE = "is for spreadsheets and programs; a document to be read leaves it out"
    AS_ISSUED = "counts what keeps no history, so that it can't be counted again"


Key = Annotated[str, Mark.KEY]
Label = Annotated[str, Mark.LABEL]
Aside = Annotated[str, Mark.LABEL, Mark.ASIDE]


class _Signed:
    """Marks a number that people read with its sign."""


SIGNED = _Signed()

A_HASH = "51ab2c7d9e0f46b8a1c35d7e2f4096b8d1a3c5e7f90b2d4c6e8fa0b1c3d5e7f9"

Figure = int | float | str | bool


class Change(BaseModel):
    """A figure that is not what it was; absent where there is none, or nothing."""

    figure: str = Field(examples=["training_courses/wave/new"])
    before: Figure | Absent = Field(default=None, examples=[101])
    after: Figure | Absent = Field(default=None, examples=[113])


def figures(report: Report) -> dict[str, Figure]:
    """Every figure of a report by its name."""
    fields = type(report).model_fields
    return {
        f"{table.name}/{name}": figure
        for table in tables(report)
        if Mark.AS_ISSUED not in marks(fields[table.name])
        for row in table.rows
        for name, figure in _of_row(row)
    }


def _of_row(row: Row) -> Iterator[tuple[str, Figure]]:
    fields = type(row).model_fields.items()
    key = "/".join(str(getattr(row, name)) for name, field in fields if Mark.KEY in marks(field))
    for name, field in fields:
        if not {Mark.KEY, Mark.LABEL}.intersection(marks(field)):
            value = _plain(getattr(row, name))
            # Nothing and none are the same, so that what comes to be counted later changes no hash.
            if value not in (None, 0):
                yield f"{key}/{name}", value


def marks(field: FieldInfo) -> list[Mark]:
    """What a column or a table is marked as."""
    return [part for part in field.metadata if isinstance(part, Mark)]


def _plain(value: Any) -> Figure | None:
    return str(value) if isinstance(value, date | UUID | Enum) else value


def digest(about: Mapping[str, Any], found: Mapping[str, Figure]) -> str:
    """The hash of figures and of what they are about: SHA-256 of JSON with its keys in order."""
    text = orjson.dumps({"about": about, "figures": found}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()


def changes(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> list[Change]:
    """What is different, by name."""
    return [
        Change(figure=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
