"""Everything that must be true before the first request."""

import gc
import logging

from fastapi import FastAPI
from filelock import FileLock
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from app.accounts.demo import demo_accounts
from app.core.db import make_engine, migrate, read_session
from app.core.journal import Journal, WrongClock
from app.core.settings import Settings
from app.directory.builder import builder
from app.directory.live import Directory
from app.directory.snapshot import MixedData
from app.main import create_app
from app.sheets.seed import load_seed
from app.venues.models import Venue

log = logging.getLogger(__name__)


def prepare(settings: Settings) -> None:
    """Migrate, load the demonstration if this is one, and see to it that there is a directory.

    Without a database it leaves all that: the last snapshot on disk still answers. Raises
    `MixedData` when the database or the snapshot belongs to another environment.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.database_url)
    journal = Journal.of(settings, engine)
    directory = Directory(engine, settings.data_dir, demonstration=settings.demonstration)
    directory.take_up()
    with FileLock(settings.data_dir / "start.lock"):
        try:
            migrate(settings.database_url)
            with read_session(engine) as session:
                refuse_mixed(session, settings)
            load_seed(journal)
            for name, password in demo_accounts(journal, settings).items():
                print(f"Sign in as     {name} with {password}")  # noqa: T201  nobody reads logs for it
            if not directory.suffices():
                directory.refresh()
        except OperationalError as error:
            log.error(
                "no database (%s): starting from the snapshot on disk", type(error.orig).__name__
            )
        except WrongClock as error:
            log.error("%s: starting from the snapshot on disk", error.title)
        finally:
            builder().close()
            engine.dispose()


def refuse_mixed(session: Session, settings: Settings) -> None:
    """Raise `MixedData` when demonstration venues stand where real ones belong, or vice versa."""
    foreign = session.exec(
        select(Venue.reference).where(Venue.demonstration != settings.demonstration).limit(1)
    ).first()
    if foreign is not None:
        raise MixedData("this database", demonstration=settings.demonstration)


def started_app() -> FastAPI:
    """The application of a process that serves."""
    app = create_app()
    # What is there from the start stays: to look through it again and again is a third of the work
    # of a large report, makes some answers wait, and writes to memory that the workers share.
    gc.freeze()
    return app
