"""The schemes, and a venue's standing in them, as the routes show them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from app.core.db import find
from app.core.london import london_day
from app.schemes.prerequisites import prerequisites
from app.schemes.registry import schemes
from app.schemes.rules import Kind, review_due, steps_from
from app.schemes.schemas import (
    CriterionOut,
    PrerequisiteOut,
    SchemeOut,
    SchemesOut,
    StandingOut,
    VenueStandings,
)
from app.schemes.timelines import standings, timelines
from app.training.evidence import evidence
from app.venues.models import Venue


def all_schemes() -> SchemesOut:
    """Every scheme as it is run here."""
    items = []
    for scheme in schemes().values():
        lists = {
            "criteria": [CriterionOut(key=key, title=t) for key, t in scheme.criteria.items()],
            "prerequisites": [prerequisite.title for prerequisite in scheme.prerequisites],
            "grades": [*scheme.grades],
        }
        fields = scheme.model_dump(exclude={"certificate_prefix"})
        items.append(SchemeOut.model_validate(fields | lists))
    return SchemesOut(items=items)


def venue_standings(
    session: Session, venue_id: UUID, at: datetime, known_at: datetime | None
) -> VenueStandings:
    """A venue's standing in every scheme at an instant. Raises `NotFound`."""
    venue = find(session, Venue, venue_id)
    spans = timelines(session, known_at, venues=[venue.id])
    states = evidence(session, venue.id, london_day(at), known_at).states()
    views = []
    for scheme in schemes().values():
        (standing,) = standings(spans.get((venue.id, scheme.key), ()), [at])
        more = {
            "scheme": scheme.key,
            "name": scheme.name,
            "review_due": review_due(standing, scheme.review_months),
            "next_steps": [kind for kind in Kind if kind in steps_from(standing)],
            "prerequisites": [
                PrerequisiteOut(title=prerequisite.title, met=trained > 0, trained=trained)
                for prerequisite, trained in prerequisites(scheme, states)
            ],
        }
        views.append(StandingOut.model_validate(standing._asdict() | more))
    return VenueStandings(venue_id=venue.id, at=at, schemes=views)
