"""Many rows inserted at once, in the way that a database takes them fastest."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Table, event

_FEW = 10
"""So many rows are not worth the turns to and fro that COPY takes."""
_AT_ONCE = 5_000
"""So many are held in the form that the driver takes; a statement's time is limited too."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all say the same columns; what a column would have by default is not made.

    PostgreSQL gets them by COPY, which reads no statement for each row.
    """
    if not rows:
        return
    dialect = connection.dialect
    columns = [column for column in table.columns if column.key in rows[0]]
    # As the driver takes them. SQLAlchemy works it out row by row, which takes twice as long as the
    # database does.
    writers = [
        (column.key, column.type.dialect_impl(dialect).bind_processor(dialect))
        for column in columns
    ]
    if dialect.name == "postgresql":
        names = ", ".join(map(dialect.identifier_preparer.format_column, columns))
        statement = f"COPY {dialect.identifier_preparer.format_table(table)} ({names}) FROM STDIN"
    else:
        keys = [column.key for column in columns]
        statement = str(table.insert().compile(dialect=dialect, column_keys=keys))
    for first in range(0, len(rows), _AT_ONCE):
        some = rows[first : first + _AT_ONCE]
        if len(some) < _FEW:
            connection.execute(table.insert(), some)
            continue
        values = (
            [write(row[key]) for row in some] if write else [row[key] for row in some]
            for key, write in writers
        )
        connection.exec_driver_sql(statement, list(zip(*values, strict=True)))


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
