"""Engines, sessions and migrations, for SQLite and PostgreSQL alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any, TypeVar
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    CheckConstraint,
    Connection,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    Select,
    String,
    cast,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

from app.core.errors import NotFound
from app.core.geo import sqlite_functions

MIGRATIONS = Path(__file__).parents[2] / "migrations"

# Any fixed numbers do: they only have to differ from each other.
_WRITE_LOCK = 4_820_001
_MIGRATE_LOCK = 4_820_002


class Instant(TypeDecorator[datetime]):
    """A column of instants, to the microsecond. They come back in UTC from both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    # In one step instead of the two that a type on top of another takes: reports read many.
    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if dialect.name == "postgresql":
            # Its connections speak UTC, and the driver does.
            return None
        return lambda text: text and datetime.fromisoformat(f"{text}+00:00")


def make_engine(url: str) -> Engine:
    """An engine with the pragmas, functions and time limits that every caller relies on.

    A statement may take 30 s, a wait for a lock 10 s, a connection 3 s.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": 10})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 3,
            "options": "-c statement_timeout=30s -c lock_timeout=10s -c timezone=UTC",
            # A server that vanished without a word is noticed within seconds, not hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )


def _prepare_sqlite(connection: SQLiteConnection, _: object) -> None:
    # sqlite3 would begin transactions late and commit before DDL; `_begin_sqlite` does it right.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    for name, (arity, function) in sqlite_functions().items():
        connection.create_function(name, arity, function, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def read_session(engine: Engine) -> Iterator[Session]:
    """A session that sees one moment of the database and changes nothing."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with Session(engine.execution_options(**options)) as session:
        yield session


@contextmanager
def write_session(engine: Engine) -> Iterator[Session]:
    """A session that commits when the block ends well; writers take turns."""
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        if engine.dialect.name == "postgresql":
            session.connection().execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK}
            )
        yield session


def database_clock(session: Session) -> datetime | None:
    """What the clock of the database's own host says; None where that is this host."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    # Not `now()`, which is when the transaction began to wait for its turn.
    return session.scalar(select(func.clock_timestamp()))


def many_rows(session: Session, statement: Select[*tuple[Any, ...]]) -> CursorResult[Any]:
    """What a query of columns finds, fetched a few rows at a time."""
    # Past the session, which would take longer over each row than the database does.
    return session.connection().execute(statement, execution_options={"yield_per": 1000})


def as_hex(column: Any) -> ColumnElement[str]:
    """SQL: the `hex` of a column of ids, where there are too many to make a UUID of each."""
    return func.replace(cast(column, String), "-", "")


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database up to a revision; safe when several processes try at once."""
    with _migration(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back down to a revision (`base` is an empty database)."""
    with _migration(url) as config:
        command.downgrade(config, revision)


@contextmanager
def _migration(url: str) -> Iterator[Config]:
    engine = make_engine(url)
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                # Waits for another migration to end, then is impatient again: a table somebody
                # holds must not queue every reader behind this.
                for setting in ("statement_timeout = 0", "lock_timeout = '10min'"):
                    connection.execute(text(f"SET LOCAL {setting}"))
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATE_LOCK}
                )
                connection.execute(text("SET LOCAL lock_timeout = '10s'"))
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            yield config
    finally:
        engine.dispose()


def one_of(table: str, column: str, values: type[StrEnum]) -> CheckConstraint:
    """A check that a column holds one of some words."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{table}_{column}")


_Record = TypeVar("_Record", bound=SQLModel)


def find(session: Session, model: type[_Record], id_: UUID) -> _Record:
    """The record of a table with an id, voided or not. Raises `NotFound`."""
    if (record := session.get(model, id_)) is None:
        raise none_such(model)
    return record


def none_such(model: type[SQLModel]) -> NotFound:
    """That there is no such record, by what its table is called."""
    return NotFound(str(model.__tablename__).replace("_", " "))
