"""The demonstration data that comes with the code."""

from pathlib import Path

from sqlmodel import select

from app.db import read_session
from app.journal import Journal
from app.settings import settings
from app.venues.models import Venue
from app.venues.venue_csv import import_venues
from app.venues.wards import import_wards

ACTOR = "demonstration"
SEED = Path(__file__).parent.parent.parent / "seed"


def load_seed(journal: Journal) -> bool:
    """Load the demonstration venues in the demo environment if there are no venues yet.

    Returns whether it did.
    """
    if not settings().demonstration:
        return False
    with read_session(journal.engine) as session:
        if session.exec(select(Venue.id).limit(1)).first():
            return False
    import_wards(journal, (SEED / "wards.geojson").read_bytes(), actor=ACTOR)
    import_venues(journal, (SEED / "venues.csv").read_bytes(), actor=ACTOR)
    return True
