"""Many rows inserted at once, in the way that a database takes them fastest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Dialect, Engine, Table, event

_Item = TypeVar("_Item")

_FEW = 10
"""So many rows are not worth the turns to and fro that COPY takes."""
_AT_ONCE = 5_000


def in_parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """All items, no more of them at a time than are held in the form that a driver takes, and sent
    before a connection's patience ends."""
    items = iter(items)
    while some := list(islice(items, _AT_ONCE)):
        yield some


def insert_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that all say the same columns; what a column would have by default is not made.

    PostgreSQL gets them by COPY, which reads no statement for each row.
    """
    for some in in_parts(rows):
        if len(some) < _FEW:
            connection.execute(table.insert(), some)
        else:
            connection.exec_driver_sql(*_for_driver(connection.dialect, table, some))


def _for_driver(
    dialect: Dialect, table: Table, rows: Sequence[Mapping[str, Any]]
) -> tuple[str, list[tuple[Any, ...]]]:
    """A statement, and what it takes of rows as the driver takes it.

    SQLAlchemy works that out row by row, which takes twice as long as the database does.
    """
    columns = [column for column in table.columns if column.key in rows[0]]
    if dialect.name == "postgresql":
        names = ", ".join(map(dialect.identifier_preparer.format_column, columns))
        statement = f"COPY {dialect.identifier_preparer.format_table(table)} ({names}) FROM STDIN"
    else:
        keys = [column.key for column in columns]
        statement = str(table.insert().compile(dialect=dialect, column_keys=keys))
    return statement, list(zip(*(_written(dialect, c, rows) for c in columns), strict=True))


def _written(
    dialect: Dialect, column: Column[Any], rows: Sequence[Mapping[str, Any]]
) -> Iterator[Any]:
    values = map(itemgetter(column.key), rows)
    write = column.type.dialect_impl(dialect).bind_processor(dialect)
    return map(write, values) if write else values


def copy_many(engine: Engine) -> None:
    """Have an engine of PostgreSQL send what `insert_rows` copies."""
    event.listen(engine, "do_executemany", _copy)


def _copy(cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]], _: object) -> bool:
    if not statement.startswith("COPY "):
        return False
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
    return True
