"""Do the tables hold what the journal's entries say? Row by row, so that a changed byte is named.

Rows and entries are read side by side in the order of their keys, so that more of them take no more
memory.
"""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from heapq import merge
from itertools import groupby
from operator import eq, itemgetter
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.types import JSON, NullType, TypeDecorator
from sqlmodel import Session, SQLModel, col

from app.core.db import Instant, as_hex, many_rows
from app.core.geo import GeoPoint
from app.core.journal_chain import Entry, Personal
from app.core.journal_changes import Columns, Content, digest, from_json, to_text


@dataclass(frozen=True)
class Stray:
    """A row that is not as the journal's entries say, and how.

    `content` is what an entry would have to say for both to agree, where there can be one.
    """

    subject: str
    subject_id: str
    reason: str
    content: Content | None = None


def strays(session: Session) -> Iterator[Stray]:
    """Every row of a journalled table that its entries don't account for, or that is missing.

    The session should see one moment. Entries are taken at their word: whether those are genuine,
    `Journal.verify` says.
    """
    with _as_stored(session):
        for model in journalled():
            yield from _Table(session, model).strays()


def journalled() -> list[type[SQLModel]]:
    """The models of which every change is an entry, by the names of their tables."""
    models = {mapper.class_ for mapper in sa.inspect(Entry).registry.mappers}
    kept = [model for model in models if not getattr(model, "__unjournalled__", False)]
    return sorted(kept, key=lambda model: str(model.__tablename__))


@contextmanager
def _as_stored(session: Session) -> Iterator[None]:
    """Read bytes that are no text too, to compare them; and take the time that it takes."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda written: written.decode(errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


class _Said:
    """What the entries about one record come to; `columns` is None where it is gone."""

    subject_id = ""

    def __init__(self) -> None:
        self.columns: Columns | None = None
        self.erased_in: int | None = None

    def follow(self, entry: sa.Row[Any]) -> None:
        """Take in the next entry."""
        self.subject_id = entry.subject_id
        if entry.after is None:
            self.columns = self.erased_in = None
            return
        self.columns = (self.columns or {}) | from_json(entry.after)
        if entry.content is not None:
            self.columns |= from_json(entry.content).get("after", {})
        elif entry.commitment is not None:
            self.erased_in = entry.number


class _Table:
    """The rows of one model, and what the journal says of them."""

    def __init__(self, session: Session, model: type[SQLModel]) -> None:
        self._session = session
        self._subject = str(model.__tablename__)
        self._personal: Collection[str] = getattr(model, "__personal__", ())
        mapper = sa.inspect(model)
        dialect = session.get_bind().dialect
        secret = getattr(model, "__secret__", ())
        self._columns = [
            _column(one.key, one.columns[0], dialect, secret=one.key in secret)
            for one in mapper.column_attrs
        ]
        self._names = {column.name for column in self._columns}
        # What columns that were added later hold, as long as no entry speaks of them.
        self._added = {
            name: field.get_default(call_default_factory=True)
            for name, field in model.model_fields.items()
            if name in self._names and not field.is_required()
        }
        # PostgreSQL would go by a language.
        self._collation = "C" if dialect.name == "postgresql" else "BINARY"
        self._names_of_key = [
            mapper.get_property_by_column(column).key for column in mapper.primary_key
        ]
        first, *more = map(as_hex, mapper.primary_key)
        self._key: sa.ColumnElement[str] = sum((":" + key for key in more), first)

    def strays(self) -> Iterator[Stray]:
        """What `strays` says of this table."""
        side_by_side = merge(self._rows(), self._entries(), key=itemgetter(0))
        for key, group in groupby(side_by_side, itemgetter(0)):
            said = None
            rows: list[Any] = []
            for _, one in group:
                if isinstance(one, _Said):
                    said = one
                else:
                    rows.append(one)
            if said and said.columns is not None and not rows:
                yield self._stray(said.subject_id, "is gone", said.columns, None)
            for row in rows:
                if stray := self._compared(key, row, said):
                    yield stray

    def _rows(self) -> Iterator[tuple[bytes, sa.Row[Any]]]:
        selected = [column.selected.label(column.name) for column in self._columns]
        statement = sa.select(*selected, self._key.label("key"))
        for row in self._in_order(statement, self._key):
            yield _bytes(row[-1]), row

    def _entries(self) -> Iterator[tuple[bytes, _Said]]:
        number, subject_id = col(Entry.number), col(Entry.subject_id)
        columns = (subject_id, number, col(Entry.after), col(Entry.commitment))
        statement = (
            sa.select(*columns, col(Personal.content))
            .join_from(Entry, Personal, number == col(Personal.number), isouter=True)
            .where(col(Entry.subject) == self._subject)
        )
        entries = self._in_order(statement, as_hex(subject_id), number)
        # Rows that were accepted once were named without hyphens.
        for key, about in groupby(entries, lambda entry: entry.subject_id.replace("-", "")):
            said = _Said()
            for entry in about:
                said.follow(entry)
            yield _bytes(key), said

    def _in_order(
        self, statement: sa.Select[*tuple[Any, ...]], key: sa.ColumnElement[str], *more: Any
    ) -> Iterator[sa.Row[Any]]:
        ordered = statement.order_by(sa.collate(key, self._collation), *more)
        return iter(many_rows(self._session, ordered))

    def _compared(self, key: bytes, row: sa.Row[Any], said: _Said | None) -> Stray | None:
        subject_id = said.subject_id if said else key.decode(errors="backslashreplace")
        try:
            held = {c.name: c.read(value) for c, value in zip(self._columns, row, strict=False)}
            text = to_text(held)
        except (ValueError, TypeError, OverflowError):
            return Stray(self._subject, subject_id, "can't be read")
        if said is None or said.columns is None:
            # As its entries would name it.
            subject_id = ":".join(str(held[name]) for name in self._names_of_key)
            return self._stray(subject_id, "is not in the journal", None, held)
        told = {n: value for n, value in (self._added | said.columns).items() if n in self._names}
        if to_text(told) != text and (names := self._differing(told, held)):
            before, after = ({n: side.get(n) for n in names} for side in (told, held))
            return self._stray(subject_id, f"differs in {', '.join(names)}", before, after)
        if said.erased_in:
            reason = f"is there, but not what entry {said.erased_in} says of a person"
            return Stray(self._subject, subject_id, reason)
        return None

    def _differing(self, told: Columns, held: Columns) -> list[str]:
        told, held = (from_json(to_text(side) or "") for side in (told, held))
        return [
            c.name
            for c in self._columns
            if c.name not in told or not c.agree(told[c.name], held[c.name])
        ]

    def _stray(
        self, subject_id: str, reason: str, before: Columns | None, after: Columns | None
    ) -> Stray:
        content = Content(self._subject, subject_id, before, after, self._personal)
        return Stray(self._subject, subject_id, reason, content)


class _Column(NamedTuple):
    """A column as it is kept, how that is read, and whether it agrees with what an entry says.

    `read` raises ValueError or TypeError for what this service would not have written.
    """

    name: str
    selected: sa.ColumnElement[Any]
    read: Callable[[Any], Any]
    agree: Callable[[Any, Any], bool]


def _column(name: str, column: sa.Column[Any], dialect: Dialect, *, secret: bool) -> _Column:
    selected: sa.ColumnElement[Any] = column
    read: Callable[[Any], Any] = _as_it_is
    postgresql = dialect.name == "postgresql"
    if _is_json(column.type):
        # As text, in which a byte can change that means nothing.
        selected = sa.cast(column, sa.Text) if postgresql else sa.type_coerce(column, NullType())
        read = _json
    elif not postgresql:
        # SQLite keeps whatever it is given, and of some texts several mean the same.
        selected, read = sa.type_coerce(column, NullType()), _reader(column.type, dialect)
    if secret:
        return _Column(name, selected, lambda stored: digest(read(stored)), _same_secret)
    return _Column(name, selected, read, _agreement(column.type))


def _reader(type_: Any, dialect: Dialect) -> Callable[[Any], Any]:
    kept = type_.dialect_impl(dialect)
    load, store = kept.result_processor(dialect, None), kept.bind_processor(dialect)
    if load is None:
        return _as_it_is

    # Many rows hold the same instant, or key of another.
    @lru_cache(maxsize=1000, typed=True)
    def read(stored: Any) -> Any:
        if stored is None:
            return None
        value = load(stored)
        if (store(value) if store else value) != stored:
            raise ValueError
        return value

    return read


def _json(stored: str | None) -> Any:
    if stored is None:
        return None
    value = orjson.loads(stored)
    if json.dumps(value) != stored:
        raise ValueError
    return value


def _is_json(type_: Any) -> bool:
    return isinstance(type_.impl if isinstance(type_, TypeDecorator) else type_, JSON)


def _as_it_is(stored: Any) -> Any:
    return stored


def _agreement(type_: Any) -> Callable[[Any, Any], bool]:
    if isinstance(type_, Instant):
        return _same_instant
    # Whether a coordinate was given as 51 or 51.0 makes no difference, but true is not 1.
    return eq if isinstance(type_, GeoPoint) else _same


def _same(told: Any, held: Any) -> bool:
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        held, option=orjson.OPT_SORT_KEYS
    )


def _same_instant(told: str | None, held: str | None) -> bool:
    return told == held or bool(
        told and held and datetime.fromisoformat(told) == datetime.fromisoformat(held)
    )


def _same_secret(told: str | None, held: str | None) -> bool:
    # Entries once showed eight characters.
    return told == held or bool(told and held and held.startswith(told))


def _bytes(key: str) -> bytes:
    return key.encode(errors="surrogateescape")
