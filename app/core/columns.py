"""Many rows read as columns: row by row, decoding them costs more than all that is made of them."""

from collections.abc import Iterable
from datetime import UTC, date
from itertools import repeat
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlmodel import Session

from app.core.db import BYTES, Instant
from app.core.london import london_day

Ints: TypeAlias = NDArray[np.int64]

_INSTANTS = "datetime64[us]"
# A control character, which no text of the register may hold.
_BETWEEN = "\x1f"
# What stands for NULL: SQLite's instants are texts of one length, PostgreSQL's and ids are bytes.
_NO_TIME, _NEVER = "0001-01-01 00:00:00.000000", np.datetime64("0001-01-01", "us")
_NO_BYTES = (-(2**63)).to_bytes(8, "big", signed=True)
_NO_ID = UUID(int=0)


def read_columns(session: Session, statement: sa.Select[*tuple[Any, ...]]) -> list[Any]:
    """What a query of rows as they are kept finds, a column at a time.

    Row `n` of each column is of one record; the records come in no order. The query must be plain:
    conditions and joins, no grouping.

    Numbers and truth values come as `Ints`, NULL as 0; instants as `datetime64[us]` in UTC, NULL
    as NaT; an id as its `hex` and any other text as it is, NULL as an empty one.
    """
    found = list(statement.selected_columns)
    # One row of all: the database writes that many times faster than a driver reads rows.
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    written = (_written(column, is_postgresql=is_postgresql) for column in found)
    asked = statement.with_only_columns(*written)
    every = session.execute(asked, execution_options={BYTES: True}).one()
    columns = [_read(column, one) for column, one in zip(found, every, strict=True)]
    if len({len(column) for column in columns}) > 1:
        # Some text holds what parts them: rather none than one record's figures for another's.
        raise ValueError(f"columns of different lengths: {found}")
    return columns


def _written(
    column: sa.ColumnElement[Any], *, is_postgresql: bool
) -> sa.ColumnElement[str] | sa.ColumnElement[bytes]:
    """SQL: all values of a column, one after another.

    PostgreSQL takes longer to write an instant or an id as text than for all else that it does.
    """
    absent = ""
    match column.type:
        case Instant() if is_postgresql:
            return _in_bytes(sa.func.timestamptz_send(column), _NO_BYTES)
        case sa.Uuid() if is_postgresql:
            return _in_bytes(sa.func.uuid_send(column), _NO_ID.bytes)
        case Instant():
            absent = _NO_TIME
        case sa.Boolean():
            column, absent = sa.cast(column, sa.Integer), "0"
        case sa.Integer():
            absent = "0"
    text = sa.func.coalesce(sa.cast(column, sa.String), absent)
    return sa.func.aggregate_strings(text, _BETWEEN)


def _in_bytes(sent: sa.ColumnElement[Any], absent: bytes) -> sa.ColumnElement[bytes]:
    return sa.func.string_agg(sa.func.coalesce(sent, absent), b"", type_=sa.LargeBinary)


def _read(column: sa.ColumnElement[Any], written: Any) -> Any:
    match column.type, written:
        case Instant(), None:
            return np.array([], _INSTANTS)
        case Instant(), bytes():
            # Microseconds since then; the least number is NaT.
            since = np.frombuffer(written, ">i8").astype("timedelta64[us]")
            return np.datetime64("2000-01-01", "us") + since
        case Instant(), str():
            texts = np.frombuffer(f"{written}{_BETWEEN}".encode(), f"S{len(_NO_TIME) + 1}")
            instants = texts.astype(f"S{len(_NO_TIME)}").astype(_INSTANTS)
            return np.where(instants == _NEVER, np.datetime64("NaT", "us"), instants)
        case ((sa.Integer() | sa.Boolean()), _):
            return np.fromstring(written or "", np.int64, sep=_BETWEEN)
        case _, None:
            return []
        case _, bytes():
            ids = written.hex(_BETWEEN, len(_NO_ID.bytes)).replace(_NO_ID.hex, "")
            return ids.split(_BETWEEN)
    return written.split(_BETWEEN)


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


def london_dates(instants: NDArray[Any]) -> list[date]:
    """The same as dates."""
    return [*map(date.fromordinal, london_days(instants).tolist())]


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
