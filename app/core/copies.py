"""All rows of one database put into another, of whichever kind each of them is."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from app.core.db import Instant
from app.core.geo import GeoPoint

_KINDS: dict[type[Any], Any] = {
    sa.CHAR: sa.Uuid(),
    sa.DATETIME: Instant(),
    sa.BLOB: GeoPoint(),
    sa.BOOLEAN: sa.Boolean(),
    sa.DATE: sa.Date(),
    sa.INTEGER: sa.Integer(),
    sa.FLOAT: sa.Float(),
}
"""What a column of each type holds where SQLite keeps it; every other holds text."""

_BYTES = {("staged_upload", "content")}
"""Columns that hold bytes and no place, which SQLite keeps alike."""


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite database in a file, whatever that is called."""
    return sa.URL.create("sqlite", database=str(file.absolute())).render_as_string()


def replace_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Put the rows of one database in place of all those of another of the same revision.

    One of the two must be SQLite. Whoever reads the target sees what was there until the
    transaction ends. Returns how many rows each table has.
    """
    # By its own account, not by the models': the revision may be another than theirs.
    tables = _tables(source if source.dialect.name == "sqlite" else target)
    with _without_triggers(target, tables):
        # Not truncated on PostgreSQL: to those who began to read before, tables would seem empty.
        for table in reversed(tables):
            target.execute(sa.delete(table))
        for table in tables:
            _copy(source, target, table)
    rows = _count(target, tables)
    if rows != _count(source, tables):
        raise RuntimeError("the copy has other rows than the original")
    return rows


def _count(connection: Connection, tables: Sequence[sa.TableClause]) -> dict[str, int]:
    count = sa.select(sa.func.count())
    return {t.name: connection.execute(count.select_from(t)).scalar_one() for t in tables}


def _tables(connection: Connection) -> list[sa.TableClause]:
    """The tables of a SQLite database, those that others refer to first."""
    metadata = sa.MetaData()
    metadata.reflect(connection)
    return [
        sa.table(
            table.name,
            *(sa.column(c.name, _kind(table.name, c)) for c in table.columns),
        )
        for table in metadata.sorted_tables
        if table.name != "alembic_version"
    ]


def _kind(table: str, column: sa.Column[Any]) -> Any:
    if (table, column.name) in _BYTES:
        return sa.LargeBinary()
    return _KINDS.get(type(column.type), sa.Text())


@contextmanager
def _without_triggers(target: Connection, tables: Sequence[sa.TableClause]) -> Iterator[None]:
    """They would count changes, and let nothing be taken out of the journal."""
    run = target.exec_driver_sql
    if target.dialect.name == "postgresql":
        for table in tables:
            run(f'ALTER TABLE "{table.name}" DISABLE TRIGGER USER')
        yield
        for table in tables:
            run(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')
        return
    # What refers to a row of its own table may come before it.
    run("PRAGMA defer_foreign_keys = ON")
    triggers = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in triggers:
        run(f'DROP TRIGGER "{name}"')
    yield
    for _, statement in triggers:
        run(statement)


def _copy(source: Connection, target: Connection, table: sa.TableClause) -> None:
    columns = list(table.columns)
    # As text it stays what it is to the letter, JSON among it.
    read = [
        sa.cast(c, sa.Text).label(c.name) if isinstance(c.type, sa.Text) else c for c in columns
    ]
    rows = source.execute(sa.select(*read), execution_options={"yield_per": 1000})
    if target.dialect.name != "postgresql":
        for some in rows.mappings().partitions():
            target.execute(sa.insert(table), [dict(row) for row in some])
        return
    names = ", ".join(f'"{column.name}"' for column in columns)
    writers = [_writer(column, target) for column in columns]
    driver: Any = target.connection.driver_connection
    # In one statement: it is quicker, and foreign keys are looked at when all rows are there.
    with driver.cursor().copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([write(value) for write, value in zip(writers, row, strict=True)])


def _writer(column: sa.ColumnClause[Any], target: Connection) -> Any:
    """What makes of a value what the driver sends."""
    if isinstance(column.type, GeoPoint):
        return lambda value: column.type.process_bind_param(value, target.dialect)
    return lambda value: value
