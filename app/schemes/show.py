"""The schemes and a venue's standing in them, as the routes and pages show them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from app.core.db import find
from app.core.london import london_day
from app.schemes import known
from app.schemes.prerequisites import prerequisites
from app.schemes.registry import Scheme, schemes
from app.schemes.rules import Kind, review_due, steps_from
from app.schemes.schemas import (
    CriterionOut,
    PrerequisiteOut,
    SchemeOut,
    SchemesOut,
    StandingOut,
    VenueStandings,
)
from app.venues.models import Venue


def all_schemes() -> SchemesOut:
    """Every scheme as it is run here."""
    return SchemesOut(items=[_scheme(scheme) for scheme in schemes().values()])


def _scheme(scheme: Scheme) -> SchemeOut:
    criteria = [CriterionOut(key=key, title=title) for key, title in scheme.criteria.items()]
    lists = {
        "criteria": criteria,
        "prerequisites": [asked.title for asked in scheme.prerequisites],
        "grades": [*scheme.grades],
    }
    return SchemeOut.model_validate(scheme.model_dump(exclude={"certificate_prefix"}) | lists)


def standings(
    session: Session, venue_id: UUID, at: datetime, known_at: datetime | None
) -> VenueStandings:
    """A venue's standing in every scheme at an instant. Raises `NotFound`."""
    venue = find(session, Venue, venue_id)
    told = known.timelines(session, known_at, venues=[venue.id])
    shown = []
    for scheme in schemes().values():
        (there,) = known.standings(told.get((venue.id, scheme.key), ()), [at])
        more = {
            "scheme": scheme.key,
            "name": scheme.name,
            "review_due": review_due(there, scheme.review_months),
            "next_steps": [kind for kind in Kind if kind in steps_from(there)],
            "prerequisites": _prerequisites(session, venue.id, scheme, at, known_at),
        }
        shown.append(StandingOut.model_validate(there._asdict() | more))
    return VenueStandings(venue_id=venue.id, at=at, schemes=shown)


def _prerequisites(
    session: Session, venue_id: UUID, scheme: Scheme, at: datetime, known_at: datetime | None
) -> list[PrerequisiteOut]:
    on = london_day(at)
    return [
        PrerequisiteOut(title=one.asked.title, met=one.trained > 0, trained=one.trained)
        for one in prerequisites(session, venue_id, scheme, on, known_at)
    ]
