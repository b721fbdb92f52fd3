"""The demonstration data that comes with the code."""

from pathlib import Path

import orjson
from sqlmodel import select

from app.core.db import read_session
from app.core.journal import Journal
from app.core.settings import settings
from app.schemes.season_schemas import SeasonIn
from app.schemes.seasons import add_season
from app.sheets.files import EVENT_SHEETS, SheetName, import_sheet
from app.venues.models import Venue

ACTOR = "demonstration"
SEED = Path(__file__).parent.parent.parent / "seed"


def load_seed(journal: Journal) -> bool:
    """Load the demonstration, venues and history, in the demo environment if there is no venue yet.

    Returns whether it did.
    """
    if not settings().demonstration:
        return False
    with read_session(journal.engine) as session:
        if session.exec(select(Venue.id).limit(1)).first():
            return False
    # Brings a library of geometry, once in the life of a demonstration.
    from app.sheets.wards import import_wards  # noqa: PLC0415

    import_wards(journal, (SEED / "wards.geojson").read_bytes(), actor=ACTOR)
    _import(journal, SheetName.VENUES)
    with journal.writing(ACTOR) as session:
        for season in orjson.loads((SEED / "seasons.json").read_bytes()):
            add_season(session, SeasonIn.model_validate(season))
    for name in EVENT_SHEETS:
        _import(journal, name)
    return True


def _import(journal: Journal, name: SheetName) -> None:
    import_sheet(name, journal, (SEED / f"{name}.csv").read_bytes(), actor=ACTOR)
