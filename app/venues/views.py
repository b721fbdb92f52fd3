"""What is shown of venues, of what each was counted by over time, and of the wards."""

from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from app.core.events import shown
from app.http.paging import Page, Paging, page
from app.venues import osm_hours
from app.venues.models import Business, Venue, VenueFacts, Ward
from app.venues.schemas import BusinessName, FactsOut, Place, VenueOut, WardOut, WardsOut


def venue_view(session: Session, venue: Venue) -> VenueOut:
    """A venue as the register has it."""
    ward = _ward(session, venue)
    return shown(
        VenueOut,
        venue,
        business=_business(session, venue),
        ward=shown(WardOut, ward) if ward else None,
        location=Place(lat=venue.location.lat, lon=venue.location.lon),
        opening_hours=osm_hours.text(venue.hours) if venue.hours else None,
    )


def venue_history(session: Session, venue: Venue, paging: Paging) -> Page[FactsOut]:
    """A page of all that was recorded of what reports count a venue by, newest first."""
    statement = select(VenueFacts).where(VenueFacts.venue_id == venue.id)
    order: list[Any] = [col(VenueFacts.effective_at), col(VenueFacts.recorded_at)]
    view = partial(_facts_view, session)
    return page(session, statement, order, paging, view, newest_first=True)


def _facts_view(session: Session, facts: VenueFacts) -> FactsOut:
    ward = _ward(session, facts)
    business = _business(session, facts)
    return shown(FactsOut, facts, ward=ward.name if ward else None, business=business)


def _ward(session: Session, record: Venue | VenueFacts) -> Ward | None:
    return session.get(Ward, record.ward_id) if record.ward_id else None


def _business(session: Session, record: Venue | VenueFacts) -> BusinessName | None:
    if record.business_id is None:
        return None
    return shown(BusinessName, session.get_one(Business, record.business_id))


def wards_view(session: Session) -> WardsOut:
    """The wards by code, without their boundaries."""
    rows = session.exec(select(Ward.code, Ward.name).order_by(col(Ward.code)))
    return WardsOut(wards=[WardOut(code=code, name=name) for code, name in rows])
