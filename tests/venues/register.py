"""What the imports' tests ask a database."""

from sqlalchemy import Engine
from sqlmodel import select

from app.db import read_session
from app.venues.models import DirectoryState, Venue


def stored(engine: Engine) -> dict[str, Venue]:
    """The venues by reference."""
    with read_session(engine) as session:
        return {venue.reference: venue for venue in session.exec(select(Venue))}


def version(engine: Engine) -> int:
    """How often what the public may see has changed."""
    with read_session(engine) as session:
        return session.exec(select(DirectoryState)).one().version
