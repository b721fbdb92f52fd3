"""Records made late or by mistake, to test with: a call states only what its test is about."""

from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Engine, insert, inspect
from sqlmodel import SQLModel

from app.core.events import Event
from app.core.london import effective
from app.venues.facts import FACTS
from app.venues.models import Venue, VenueFacts
from tests.factories import make_venue

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=SQLModel)

LONG_AGO = date(2020, 1, 1)


def add(engine: Engine, model: type[E], on: date, **details: Any) -> E:
    """An event of a London day, recorded on that day, stored past the journal.

    `known` and `voided` are the days on which it was recorded and voided.
    """
    known, voided = details.pop("known", on), details.pop("voided", None)
    usual: dict[str, Any] = {
        "effective_at": effective(on),
        "recorded_at": effective(known),
        "recorded_by": "account an.officer",
    }
    if voided:
        usual |= {"voided_at": effective(voided), "voided_by": "test", "void_reason": "Mistaken"}
    return store(engine, model(**usual | details))


def store(engine: Engine, record: R) -> R:
    """A record, written as it is, past the journal."""
    table = inspect(type(record)).local_table
    values = {column.key: getattr(record, column.key) for column in table.columns}
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(insert(table), values)
    return record


def add_venue(engine: Engine, since: date = LONG_AGO, **details: Any) -> Venue:
    """A venue that is accredited in nothing, with the facts that reports count it by."""
    known = details.pop("known", since)
    venue = make_venue(engine, **{"safe_haven_from": None} | details)
    change_facts(engine, venue, since, known=known)
    return venue


def change_facts(engine: Engine, venue: Venue, on: date, **changes: Any) -> VenueFacts:
    """A venue's facts from a London day on; `changes` say what is otherwise than in its record."""
    facts = {name: getattr(venue, name) for name in FACTS}
    return add(engine, VenueFacts, on, venue_id=venue.id, **facts | changes)


def morning_of(day: date) -> str:
    """An instant at which all is known that was recorded by the first instant of a London day."""
    at: datetime = effective(day) + timedelta(hours=8)
    return at.isoformat()
