"""Many rows read as columns: row by row, decoding them costs more than all that is made of them."""

from collections.abc import Iterable
from datetime import UTC
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session

from app.core.db import Instant
from app.core.london import london_day

Ints: TypeAlias = NDArray[np.int64]

_INSTANTS = "datetime64[us]"
# A control character, which no text of the register may hold.
_BETWEEN = "\x1f"


def read_columns(session: Session, statement: sa.Select[*tuple[Any, ...]]) -> list[Any]:
    """What a query of rows as they are kept finds, a column at a time.

    Row `n` of each column is of one record; the records come in no order. The query must be plain:
    conditions and joins, no grouping.

    Numbers and truth values come as `Ints`, NULL as 0; instants as `datetime64[us]` in UTC, NULL
    as NaT; an id as its `hex` and any other text as it is, NULL as an empty one.
    """
    found = list(statement.selected_columns)
    # One row of long texts: the database writes them many times faster than a driver reads rows.
    texts = session.execute(
        statement.with_only_columns(
            *(sa.func.aggregate_strings(_written(column), _BETWEEN) for column in found)
        )
    ).one()
    columns = [_read(column, text) for column, text in zip(found, texts, strict=True)]
    if len({len(column) for column in columns}) > 1:
        # Some text holds what parts them: rather none than one record's figures for another's.
        raise ValueError(f"columns of different lengths: {found}")
    return columns


def _written(column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    if isinstance(column.type, sa.Boolean):
        column = sa.cast(column, sa.Integer)
    absent = "0" if isinstance(column.type, sa.Integer) else ""
    return sa.func.coalesce(sa.cast(column, sa.String), absent)


def _read(column: sa.ColumnElement[Any], text: str | None) -> Any:
    if isinstance(column.type, sa.Integer | sa.Boolean):
        return np.fromstring(text or "", np.int64, sep=_BETWEEN)
    if text is None:
        return np.array([], _INSTANTS) if isinstance(column.type, Instant) else []
    if isinstance(column.type, Instant):
        # PostgreSQL writes an offset, SQLite keeps none; an empty word is no time.
        return np.array(text.replace("+00", "").split(_BETWEEN), _INSTANTS)
    if isinstance(column.type, sa.Uuid):
        # PostgreSQL writes hyphens, SQLite keeps none.
        text = text.replace("-", "")
    return text.split(_BETWEEN)


def places(words: Iterable[str], among: Iterable[str]) -> Ints:
    """The place of each word among others, -1 where it is none of them."""
    place = {word: number for number, word in enumerate(among)}
    return np.fromiter(map(place.get, words, repeat(-1)), np.int64)


def london_days(instants: NDArray[Any]) -> Ints:
    """The ordinal of the day that London has at each of some instants."""
    # Most begin a day.
    each, which = np.unique(instants, return_inverse=True)
    days = [london_day(at.replace(tzinfo=UTC)).toordinal() for at in each.tolist()]
    return np.array(days, np.int64)[which]


def last_by_day(since: Ints, owner: Ints, days: int, owners: int) -> Ints:
    """Which row holds for each [day, owner]: the last in order of those since then, else -1.

    `since` is the number of the first of the days on which a row holds, in order for each owner.
    """
    held = np.full((days, owners), -1)
    latest = np.full(owners, -1)
    for day in range(days):
        rows = np.flatnonzero(since == day)
        # Of several that are set in one place, the last stays.
        latest[owner[rows]] = rows
        held[day] = latest
    return held
