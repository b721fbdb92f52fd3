"""Everything that must be true before the first request."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from filelock import FileLock

from app.accounts.demo import demo_accounts
from app.core.db import is_migrated, make_engine, migrate, read_session
from app.core.journal import Journal
from app.core.settings import Settings
from app.directory.continuity import refuse_mixed_database
from app.directory.fetched import directory_of
from app.directory.live import Directory
from app.directory.sealed import Shared
from app.main import create_app
from app.sheets.seed import load_seed

log = logging.getLogger(__name__)


def prepare(settings: Settings) -> tuple[Shared, ...]:
    """Bring the database up to date, load the demonstration if this is one, and see to it that
    there is a directory; returns what the processes of this service know of it together.

    Whatever is wrong, the last good snapshot answers, and the service that follows does what was
    left when it can. Without one it raises what is wrong, as it does when the snapshot belongs to
    another environment. A host without a database fetches the directory, and nothing else.
    """
    engine = make_engine(settings.database_url)
    journal = Journal.of(settings, engine)
    directory = directory_of(settings, journal)
    directory.take_up()
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if settings.has_register:
            prepare_database(settings, journal, directory)
        if not directory.suffices():
            directory.refresh()
    except Exception as error:
        if not directory.is_there:
            raise
        directory.shared.is_prepared = not settings.has_register
        directory.tell(error)
        log.error("starting from the last good directory")
    finally:
        directory.close()
    return directory.shared, directory.streets.shared


def prepare_database(settings: Settings, journal: Journal, directory: Directory) -> None:
    """Bring the database up to date, and load the demonstration if this is one.

    Nothing is changed in one that is not what the directory knows. Raises `WentBack`, `MixedData`,
    and all kinds of errors where the database can't be used.
    """
    with _in_turn(settings.data_dir / "start.lock"):
        # In this order: of a schema that is newer than this code, nothing else can be said.
        if not (directory.knows_database and is_migrated(journal.engine)):
            directory.check()
            migrate(settings.database_url)
        directory.check()
        with read_session(journal.engine) as session:
            refuse_mixed_database(session, demonstration=settings.demonstration)
        load_seed(journal)
        for name, password in demo_accounts(journal, settings).items():
            print(f"Sign in as     {name} with {password}")  # noqa: T201  nobody reads logs for it


@contextmanager
def _in_turn(lock: Path) -> Iterator[None]:
    """One process of this host at a time, where its disk can be written to."""
    turn = FileLock(lock)
    try:
        turn.acquire()
    except OSError as error:
        log.debug("%s: %s", lock.name, error.strerror)
    try:
        yield
    finally:
        turn.release()


def started_app() -> FastAPI:
    """The application of a process that serves."""
    app = create_app(prepare=prepare_database)
    # What is there from the start stays: to look through it again and again is a third of the work
    # of a large report, makes some answers wait, and writes to memory that the workers share.
    gc.freeze()
    return app
