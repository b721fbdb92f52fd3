"""Every place that a haven is or could be, as it was recorded at the instant of a view.

Opening hours, addresses and places on the map keep no dated facts. But each change of them is in
the journal, with what was there before: so what was recorded at an instant is what is recorded now,
or what the first change since then says was before it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Session, col

from app.audit.frame.question import View
from app.core.journal_chain import Entry
from app.core.journal_changes import from_json, to_text
from app.core.places import Point
from app.schemes.registry import LISTS_PUBLICLY
from app.schemes.timelines import timelines
from app.venues.facts import Facts, facts_as
from app.venues.hours import Hours, stored_hours
from app.venues.models import Venue, VenueStatus

_COLUMNS = ("location", "hours", "address", "postcode")


@dataclass(frozen=True)
class Door:
    """A place with what a report counts it by; `is_haven` is that its accreditation is in force."""

    id: UUID
    reference: str
    name: str
    facts: Facts
    is_haven: bool
    location: Point
    hours: Hours | None
    address: str
    postcode: str


def doors(session: Session, view: View) -> list[Door]:
    """All places that are active or known of, by reference; of names and references, today's."""
    facts = facts_as(session, view.at, view.known_at)
    spans = timelines(session, view.known_at, schemes=[LISTS_PUBLICLY])
    in_force = {venue for venue, _ in spans.in_force(view.at)}
    before = _before(session, min(view.at, view.known_at))
    columns = ("id", "reference", "name", "location", "address", "postcode")
    statement = sa.select(
        sa.cast(col(Venue.hours), sa.Text), *(getattr(Venue, name) for name in columns)
    ).order_by(col(Venue.reference))
    # Many open alike.
    hours: dict[str | None, Hours | None] = {None: None}
    found = []
    for stored, *values in session.execute(statement):
        venue = dict(zip(columns, values, strict=True))
        its_facts = facts.get(venue["id"].hex)
        if its_facts is None or its_facts.status == VenueStatus.CLOSED:
            continue
        then = before.get(str(venue["id"]), {})
        document = to_text(then["hours"]) if "hours" in then else stored
        if document not in hours:
            read = stored_hours(document)
            hours[document] = read if isinstance(read, Hours) else None
        if "location" in then:
            then |= {"location": Point(**then["location"])}
        is_haven = venue["id"].hex in in_force and its_facts.status == VenueStatus.ACTIVE
        own = venue | then | {"hours": hours[document]}
        found.append(Door(facts=its_facts, is_haven=is_haven, **own))
    return found


def _before(session: Session, at: datetime) -> dict[str, dict[str, Any]]:
    """What changes after an instant say was there before them, by venue and column."""
    entries = session.execute(
        sa.select(col(Entry.subject_id), col(Entry.before))
        .where(
            col(Entry.subject) == "venue",
            col(Entry.at) > at,
            sa.or_(*(col(Entry.before).contains(f'"{name}"') for name in _COLUMNS)),
        )
        .order_by(col(Entry.number).desc())
    )
    before: dict[str, dict[str, Any]] = {}
    # Newest first, so that the first change after the instant is what stays.
    for venue_id, columns in entries:
        said = from_json(columns)
        before.setdefault(venue_id, {}).update(
            {name: said[name] for name in _COLUMNS if name in said}
        )
    return before
