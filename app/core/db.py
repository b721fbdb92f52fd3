"""Engines, sessions and migrations, for SQLite and PostgreSQL alike."""

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import UUID
from weakref import WeakKeyDictionary

from filelock import FileLock
from filelock import Timeout as LockTimeout
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
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

from app.core.database_errors import DATABASE_ERRORS
from app.core.errors import NotFound
from app.core.geo import sqlite_functions
from app.core.inserts import copy_many
from app.core.trouble import Trouble

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parents[2] / "migrations"

# Any fixed numbers do: they only have to differ from each other.
_WRITE_LOCK = 4_820_001
_MIGRATE_LOCK = 4_820_002
_MAIL_LOCK = 4_820_003


class Instant(TypeDecorator[datetime]):
    """A column of instants, to the microsecond. They come back in UTC from both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    # Each in one step instead of the two that a type on top of another takes: imports write many,
    # and reports read many.
    def bind_processor(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return None
        return _sqlite_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if dialect.name == "postgresql":
            # Its connections speak UTC, and the driver does.
            return None
        return lambda text: text and datetime.fromisoformat(f"{text}+00:00")


def _sqlite_text(at: datetime | None) -> str | None:
    # In UTC first: in London two instants of an hour that comes twice are equal.
    return _text_of(at.astimezone(UTC)) if at else None


# Most that an import writes are the same few.
@lru_cache(maxsize=1_000)
def _text_of(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")


AT_ONCE = 16
"""How many requests may be at the database at a time, in one process."""


@contextmanager
def connected(url: str) -> Iterator[Engine]:
    """An engine for as long as it is needed, that leaves no connection behind."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def make_engine(url: str) -> Engine:
    """An engine with the pragmas, functions and time limits that every caller relies on.

    A statement may take 30 s, a wait for a lock 10 s, a connection 3 s, and one of the pool's 5 s.
    A file of SQLite is made by `migrate` alone.
    """
    # One for each turn, and some for what follows the database beside them.
    pool = {"pool_size": 5, "max_overflow": AT_ONCE + 4, "pool_timeout": 5}
    if path := _sqlite_file(url):
        # Not what the driver does by itself: where a disk is missing, it would begin a new, empty
        # database in its place.
        address = f"file:{quote(str(path))}?mode=rw"

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(address, uri=True, timeout=10, check_same_thread=False)

        engine = create_engine(url, **pool, creator=connect)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "connect", _note_file(path))
        event.listen(engine, "checkout", _refuse_another_file(path))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        **pool,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 3,
            # A pooler hands out another server's connection for each transaction: what one of them
            # has prepared, or was set to, another knows nothing of.
            "prepare_threshold": None,
            # A server that vanished without a word is noticed within seconds, not hours.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
        },
    )
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "begin", _begin_postgresql)
    event.listen(engine, "before_cursor_execute", _ask_for_bytes)
    copy_many(engine)
    return engine


def _connect(_: Any, __: Any, cargs: Any, cparams: Any) -> Any:
    # Brings the driver, which a database in a file does without.
    from app.core.patience import Patient  # noqa: PLC0415

    return Patient.connect(*cargs, **cparams)


def _sqlite_file(url: str) -> Path | None:
    """Where a database of SQLite lies; None when it is PostgreSQL's."""
    made = make_url(url)
    return Path(str(made.database)) if made.get_backend_name() == "sqlite" else None


def _note_file(path: Path) -> Callable[[sqlite3.Connection, ConnectionPoolEntry], None]:
    def note(_: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = path.stat().st_ino

    return note


def _refuse_another_file(
    path: Path,
) -> Callable[[sqlite3.Connection, ConnectionPoolEntry, object], None]:
    """Another file may have taken the place of the one that a connection has open: a backup was
    restored, a disk mounted. What is written to the old one would be lost."""

    def refuse(_: sqlite3.Connection, entry: ConnectionPoolEntry, __: object) -> None:
        with suppress(OSError):
            if path.stat().st_ino == entry.info["file"]:
                return
        raise DisconnectionError

    return refuse


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    # sqlite3 would begin transactions late and commit before DDL; `_begin_sqlite` does it right.
    connection.isolation_level = None
    # What is erased must not stay in the file, either.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")
    for name, (arity, function) in sqlite_functions().items():
        connection.create_function(name, arity, function, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    limits = "statement_timeout = '30s'", "lock_timeout = '10s'", "timezone = 'UTC'"
    script = "; ".join(f"SET LOCAL {limit}" for limit in limits)
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})


BYTES = "bytes"
"""The execution option of a statement that finds many bytes, which would come as text otherwise."""


def _ask_for_bytes(_: Any, cursor: Any, __: Any, ___: Any, context: Any, ____: Any) -> None:
    if context.execution_options.get(BYTES):
        from psycopg.pq import Format  # noqa: PLC0415  as the driver

        cursor.format = Format.BINARY


TRIED_AGAIN_SECONDS = 5
_failed_at: WeakKeyDictionary[Engine, float] = WeakKeyDictionary()


@contextmanager
def read_session(engine: Engine, *others: Engine) -> Iterator[Session]:
    """A session that sees one moment of the database and changes nothing.

    Of several engines for it, the first counts that can be used. One that could not is not tried
    again for some seconds, for that can take as many.
    """
    is_away = time.monotonic() - _failed_at.get(engine, -math.inf) < TRIED_AGAIN_SECONDS
    if others and is_away:
        with read_session(*others) as session:
            yield session
        return
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with Session(engine.execution_options(**options)) as session:
        try:
            if others:
                session.connection()
        except DATABASE_ERRORS:
            _failed_at[engine] = time.monotonic()
        else:
            yield session
            return
    with read_session(*others) as session:
        yield session


def replication_lag(session: Session) -> float | None:
    """How far a replica is behind at most, in seconds; None where the database is not one.

    A replica is taken to be behind by as much as nothing has come from its primary, where somebody
    commits every few seconds (`app.core.writes`): of a primary that is away nobody can say more.
    """
    if session.get_bind().dialect.name != "postgresql":
        return None
    lag = session.scalar(text(_LAG))
    # What is seen from here on begins after that.
    session.rollback()
    return None if lag is None else float(lag)


_LAG = """
SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'infinity') END
"""


def seen_until(session: Session) -> datetime:
    """Until when a session is sure to see all that was written."""
    now = datetime.now(UTC)
    lag = replication_lag(session)
    return now if lag is None else now - timedelta(seconds=max(lag, 0))


@contextmanager
def write_session(engine: Engine) -> Iterator[Session]:
    """A session that commits when the block ends well; writers take turns."""
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        if engine.dialect.name == "postgresql":
            session.connection().execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITE_LOCK}
            )
        yield session


class NotAlone(Trouble):
    """Another process does the same for this database, on this host or another."""

    def __init__(self) -> None:
        super().__init__("Another run is at it already; this one has done nothing")


@contextmanager
def alone_at_mail(engine: Engine) -> Iterator[Callable[[], object]]:
    """Send mail for a database while nobody else does. Raises `NotAlone`.

    What is given asks the database whether that still holds, and raises what it does when it is
    gone. A process that is killed lets go of the lock at once.
    """
    if path := _sqlite_file(engine.url.render_as_string(hide_password=False)):
        # One host has the file, and so the lock.
        try:
            with FileLock(f"{path}.mail", blocking=False):
                yield lambda: None
        except LockTimeout:
            raise NotAlone from None
        return
    with engine.connect() as connection:
        # Of the transaction, which is left open: of the session, a pooler would leave the lock with
        # a connection that is somebody else's by then.
        taken = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not connection.scalar(taken, {"key": _MAIL_LOCK}):
            raise NotAlone
        yield lambda: connection.execute(text("SELECT 1"))


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


class NewerSchema(Trouble):
    """The database has been migrated by a version of this code that is newer."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"The database was migrated by a newer version of this service (revision {revision}):"
            " run that version, or restore a backup from before"
        )


def is_migrated(engine: Engine) -> bool:
    """Whether a database has the newest schema that this code knows. Raises `NewerSchema`."""
    with read_session(engine) as session:
        return _known_revision(session.connection()) == _revisions()[0]


def revision_of(connection: Connection) -> str | None:
    """Which revision a database is of; None if no migration has touched it."""
    # Alembic would log what kind of database it met each time that it is asked.
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _known_revision(connection: Connection) -> str | None:
    """The same. Raises `NewerSchema`."""
    revision = revision_of(connection)
    if revision is not None and revision not in _revisions():
        raise NewerSchema(revision)
    return revision


@cache
def _revisions() -> tuple[str, ...]:
    """All that this code knows, the newest first: a file's name begins with its number."""
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    return tuple(sorted((file.stem.partition("_")[0] for file in files), reverse=True))


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database up to a revision; safe when several processes try at once.

    A file of SQLite is made when there is none. Raises `NewerSchema`.
    """
    if path := _sqlite_file(url):
        # Where it can't be made, the database itself says why.
        with suppress(OSError):
            path.touch()
    with _migration(url) as (command, config):
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back down to a revision (`base` is an empty database)."""
    with _migration(url) as (command, config):
        command.downgrade(config, revision)


@contextmanager
def _migration(url: str) -> Iterator[tuple[Any, "Config"]]:
    # A fifteenth of what a worker would take, and nothing is migrated at most starts.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    with (
        connected(url) as engine,
        engine.execution_options(writes=True).begin() as connection,
    ):
        if engine.dialect.name == "postgresql":
            # Waits for another migration to end, then is impatient again: a table somebody holds
            # must not queue every reader behind this.
            for setting in ("statement_timeout = 0", "lock_timeout = '10min'"):
                connection.execute(text(f"SET LOCAL {setting}"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATE_LOCK})
            connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        _known_revision(connection)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            yield command, config
        except CommandError as error:
            raise Trouble(f"The database can't be migrated: {error}") from error


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
