"""What the imports' tests do with a database."""

from typing import Any

from sqlalchemy import Engine
from sqlmodel import select

from app.core.db import read_session
from app.schemes.imported import Window, imported_window
from app.sheets import fhrs, wards
from app.sheets.files import SheetName, import_sheet
from app.sheets.import_report import ImportReport
from app.venues.models import DirectoryState, Venue
from tests.factories import journal_of


def import_venues(engine: Engine, content: bytes, **options: Any) -> ImportReport:
    """Import venues as a test."""
    return import_sheet(SheetName.VENUES, journal_of(engine), content, actor="test", **options)


def import_fhrs(engine: Engine, content: bytes, **options: Any) -> ImportReport:
    """Import prospects as a test."""
    return fhrs.import_fhrs(journal_of(engine), content, actor="test", **options)


def import_wards(engine: Engine, content: bytes, **options: Any) -> ImportReport:
    """Import wards as a test."""
    return wards.import_wards(journal_of(engine), content, actor="test", **options)


def stored(engine: Engine) -> dict[str, Venue]:
    """The venues by reference."""
    with read_session(engine) as session:
        return {venue.reference: venue for venue in session.exec(select(Venue))}


def awards(engine: Engine) -> dict[str, Window]:
    """The first and last day of each venue's award by reference, where anything was decided."""
    with read_session(engine) as session:
        decided = imported_window(session)
        return {
            venue.reference: decided[venue.id]
            for venue in session.exec(select(Venue))
            if venue.id in decided
        }


def version(engine: Engine) -> int:
    """How often what the public may see has changed."""
    with read_session(engine) as session:
        return session.exec(select(DirectoryState)).one().version
