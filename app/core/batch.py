"""Many changes of the register at once: worked out while others write, written in one short turn.

Working out thousands of changes takes seconds, in which nobody else could write. So that is done in
a session of `Journal.planning`, which holds no lock; then the batch is written by one statement for
each table and kind of change, with the same entries of the journal as if each change had been
written by itself.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.orm.attributes import instance_state
from sqlmodel import Session, SQLModel

from app.core.db import Instant
from app.core.errors import DomainError
from app.core.inserts import in_parts, insert_rows
from app.core.journal import Journal, actor, append, has_changed, newest_before, now
from app.core.journal_changes import Change, Columns, columns_of, edit_of, secrets_of
from app.core.london import london_day

_Record = TypeVar("_Record", bound=SQLModel)


class Outdated(DomainError):
    """What a batch was worked out from is not so any more."""

    status = 409
    code = "register-changed"
    title = "The register changed meanwhile, and nothing was written; try again"


def made(model: type[_Record], **values: Any) -> _Record:
    """A new record of these values, as its columns keep them, and of the model's defaults.

    For what is made by the thousand: calling the model tells SQLAlchemy of each value, which takes
    ten times as long. Raises TypeError for a value that is missing, or of no column.
    """
    required, known, shared, factories = _fields(model)
    if not required <= values.keys() <= known:
        raise TypeError(f"{model.__name__} is not made of {', '.join(values)}")
    record: _Record = sa.inspect(model).class_manager.new_instance()
    own = {name: make() for name, make in factories if name not in values}
    record.__dict__.update(shared, **own, **values)
    return record


class _Fields(NamedTuple):
    """Which values a model needs, which it knows, and those that it has by default: one for all
    records, or made for each."""

    required: frozenset[str]
    known: frozenset[str]
    shared: dict[str, Any]
    factories: Sequence[tuple[str, Callable[[], Any]]]


@cache
def _fields(model: type[SQLModel]) -> _Fields:
    fields = model.model_fields
    required = {name for name, field in fields.items() if field.is_required()}
    shared, factories = {}, []
    for name in fields.keys() - required:
        make = cast(
            "Callable[[], Any]",
            fields[name].default_factory
            or partial(fields[name].get_default, call_default_factory=True),
        )
        # Pydantic copies what could be changed.
        if (default := make()) is make():
            shared[name] = default
        else:
            factories.append((name, make))
    return _Fields(frozenset(required), frozenset(fields), shared, factories)


class Batch:
    """What is to be written, in order.

    A record that is new is never added to the session, which writes nothing.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._changes: list[Change] = []
        self._statements: list[tuple[sa.UpdateBase, list[Columns]]] = []
        self.began = now(session)
        """When it was worked out; what is dated by this is dated by the writing in the end."""

    def add(self, record: SQLModel) -> None:
        """Have a new record written as it is now."""
        self._changes.append(Change(now(self.session), record, None, columns_of(record)))

    def edit(self, record: SQLModel) -> None:
        """Have written what was changed of a record that the session read."""
        if edited := edit_of(record):
            self._changes.append(Change(now(self.session), record, *edited))

    def delete(self, record: SQLModel) -> None:
        """Have a record deleted."""
        self._changes.append(Change(now(self.session), record, columns_of(record), None))

    def run(self, statement: sa.UpdateBase, rows: Iterable[Columns]) -> None:
        """Have a statement run afterwards, for tables that are not journalled."""
        self._statements.append((statement, list(rows)))

    def records(self, model: type[SQLModel]) -> list[Any]:
        """The records of a kind that are made or edited."""
        return [c.record for c in self._changes if c.after and isinstance(c.record, model)]

    def write(self, journal: Journal, rests_on: Collection[type[SQLModel]]) -> None:
        """Write it all, dated by the clock of now.

        Raises `Outdated` when a record of a kind that it rests on has changed since it was worked
        out, or London has another day, and `WrongClock`.
        """
        if not self._changes and not self._statements:
            return
        subjects = [str(model.__tablename__) for model in rests_on]
        statements = (*_statements(self._changes), *self._statements)
        with journal.writing(actor(self.session)) as session:
            if has_changed(session, subjects, newest_before(self.session)):
                raise Outdated
            if london_day(now(session)) != london_day(self.began):
                raise Outdated
            later = now(session) - self.began
            connection = session.connection()
            for statement, rows in statements:
                table: Any = statement.table
                _run(connection, statement, (self._dated(table, row, later) for row in rows))
            append(session, (self._dated_change(change, later) for change in self._changes))

    def _dated_change(self, change: Change, later: timedelta) -> Change:
        at, record, before, after = change
        if after is not None:
            after = self._dated(_table_of(record), after, later)
        return Change(at + later, record, before, after)

    def _dated(self, table: sa.Table, columns: Columns, later: timedelta) -> Columns:
        """Columns with the instants of the plan moved to those of its writing."""
        moved = {
            name: columns[name] + later
            for name in _instants(table)
            if columns.get(name) and self.began <= columns[name] <= now(self.session)
        }
        return columns | moved if moved else columns


def _table_of(record: SQLModel) -> Any:
    return instance_state(record).mapper.local_table


@cache
def _instants(table: sa.Table) -> Sequence[str]:
    """The columns of a table that hold instants."""
    return [column.key for column in table.columns if isinstance(column.type, Instant)]


def _statements(changes: Sequence[Change]) -> Iterable[tuple[sa.UpdateBase, list[Columns]]]:
    """What makes changes of many records, in an order in which each finds what it refers to."""
    made: dict[sa.Table, list[Columns]] = defaultdict(list)
    edited: dict[tuple[sa.Table, tuple[str, ...]], list[Columns]] = defaultdict(list)
    deleted: dict[sa.Table, list[Columns]] = defaultdict(list)
    for _, record, before, after in changes:
        if secrets_of(type(record)):
            # The journal's columns don't say what these are.
            raise RuntimeError(f"{record.__tablename__} has secret columns: write it by itself")
        table = _table_of(record)
        if before is None:
            made[table].append(after or {})
            continue
        key = {f"_{column.key}": getattr(record, column.key) for column in table.primary_key}
        if after is None:
            deleted[table].append(key)
        else:
            edited[table, tuple(after)].append(after | key)
    order = {table: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
    for table in sorted(made, key=order.__getitem__):
        yield table.insert(), made[table]
    for (table, _), rows in edited.items():
        yield _of_key(table, table.update()), rows
    for table in sorted(deleted, key=order.__getitem__, reverse=True):
        yield _of_key(table, table.delete()), deleted[table]


def _run(connection: sa.Connection, statement: sa.UpdateBase, rows: Iterable[Columns]) -> None:
    if isinstance(statement, sa.Insert):
        insert_rows(connection, cast("sa.Table", statement.table), rows)
        return
    for some in in_parts(rows):
        connection.execute(statement, some)


def _of_key(table: sa.Table, statement: Any) -> Any:
    return statement.where(
        *(c == sa.bindparam(f"_{c.key}", type_=c.type) for c in table.primary_key)
    )
