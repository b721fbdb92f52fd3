"""What officers do with venues."""

from collections.abc import Set
from datetime import date
from uuid import UUID

from sqlmodel import Session, col, select

from app.core.db import find
from app.core.errors import DomainError, wrong
from app.core.events import not_in_future
from app.core.geo import Point
from app.core.journal import now
from app.core.london import london_day
from app.core.settings import settings
from app.venues import osm_hours
from app.venues.businesses import running_business
from app.venues.duplicates import refuse_likely_duplicates
from app.venues.facts import FACTS, take_effect
from app.venues.models import Business, Venue, VenueFacts, VenueStatus, Ward
from app.venues.rules import next_reference
from app.venues.schemas import (
    BusinessName,
    Checked,
    Ending,
    Place,
    Registration,
    Reopening,
    VenueEdit,
    VenueIn,
    VenueOut,
    WardOut,
)
from app.venues.wards import Misplaced, WardMap


class ReferenceTaken(DomainError):
    status = 409
    code = "reference-taken"
    title = "Another venue has this reference, capitals make no difference"


class NotAProspect(DomainError):
    """Registering what is registered."""

    status = 409
    code = "not-a-prospect"
    title = "Only a prospect can be registered; this venue is registered already"


class ClosedAlready(DomainError):
    status = 409
    code = "closed-already"
    title = "The venue is closed already"


class NotClosed(DomainError):
    status = 409
    code = "not-closed"
    title = "Only a closed venue can be reopened"


class NotActive(DomainError):
    status = 409
    code = "not-active"
    title = "Only the details of an active venue can be confirmed"


def show_venue(session: Session, venue_id: UUID) -> VenueOut:
    """A venue as the register has it. Raises `NotFound`."""
    venue = find(session, Venue, venue_id)
    business = session.get(Business, venue.business_id) if venue.business_id else None
    ward = session.exec(select(Ward.code, Ward.name).where(Ward.id == venue.ward_id)).first()
    columns = {c: getattr(venue, c) for c in VenueOut.model_fields if c in Venue.model_fields}
    elsewhere = {
        "business": BusinessName(id=business.id, name=business.name) if business else None,
        "ward": WardOut(code=ward[0], name=ward[1]) if ward else None,
        "location": Place(lat=venue.location.lat, lon=venue.location.lon),
        "opening_hours": osm_hours.text(venue.hours) if venue.hours else None,
    }
    return VenueOut.model_validate(columns | elsewhere)


def register_venue(session: Session, asked: VenueIn) -> Venue:
    """A new, active venue.

    Raises `LikelyDuplicates`, `ReferenceTaken`, `BusinessIsClosed`, or `Invalid`.
    """
    place = Point(asked.location.lat, asked.location.lon)
    refuse_likely_duplicates(session, asked.name, place, asked.not_a_duplicate_of)
    venue = Venue(
        reference="",
        name=asked.name,
        category=asked.category,
        location=place,
        demonstration=settings().demonstration,
    )
    _locate(session, venue, place)
    _write(session, venue, asked, asked.model_fields_set)
    if asked.reference is None:
        venue.reference = _new_reference(session)
    session.add(venue)
    if asked.opening_hours:
        venue.hours = osm_hours.parse(asked.opening_hours)
    if asked.as_from:
        take_effect(session, venue, not_in_future(session, asked.as_from, "as_from"))
    session.flush()
    return venue


def register_prospect(session: Session, venue_id: UUID, asked: Registration) -> None:
    """Make a prospect an active venue; it keeps its id and gets a reference of its own.

    Raises `NotFound`, `NotAProspect`, and what registering a venue raises.
    """
    venue = find(session, Venue, venue_id)
    if venue.status != VenueStatus.PROSPECT:
        raise NotAProspect
    place = Point(asked.location.lat, asked.location.lon) if asked.location else venue.location
    known = {venue.id, *asked.not_a_duplicate_of}
    refuse_likely_duplicates(session, asked.name or venue.name, place, known)
    if asked.reference is None:
        venue.reference = _new_reference(session)
    _locate(session, venue, place)
    _write(session, venue, asked, asked.model_fields_set)
    if venue.business_id:
        running_business(session, venue.business_id)
    venue.status = VenueStatus.ACTIVE
    if asked.opening_hours:
        venue.hours = osm_hours.parse(asked.opening_hours)
    if asked.as_from:
        dated = asked.model_fields_set.intersection(FACTS) | {"status"}
        take_effect(session, venue, not_in_future(session, asked.as_from, "as_from"), dated)


def edit_venue(session: Session, venue_id: UUID, asked: VenueEdit) -> None:
    """Change what is given of a venue.

    Raises `NotFound`, `ReferenceTaken`, `BusinessIsClosed`, or `Invalid`.
    """
    venue = find(session, Venue, venue_id)
    given = asked.model_fields_set
    _write(session, venue, asked, given)
    if asked.as_from:
        dated = given.intersection(FACTS) | ({"ward_id"} if "location" in given else set())
        if not dated:
            raise wrong("as_from", "is for a change of what reports count by, and there is none")
        take_effect(session, venue, not_in_future(session, asked.as_from, "as_from"), dated)


def close_venue(session: Session, venue_id: UUID, asked: Ending) -> None:
    """Close a venue, or dismiss a prospect: it is listed no more from this instant on.

    Raises `NotFound`, `ClosedAlready`, or `Invalid` for a day to come.
    """
    venue = find(session, Venue, venue_id)
    if venue.status == VenueStatus.CLOSED:
        raise ClosedAlready
    venue.status = VenueStatus.CLOSED
    venue.closed_on = _since(session, venue, asked.on)
    venue.closed_reason = asked.reason


def reopen_venue(session: Session, venue_id: UUID, asked: Reopening) -> None:
    """Make a closed venue what it was before: active, or a prospect that was dismissed.

    Raises `NotFound`, `NotClosed`, `BusinessIsClosed`, or `Invalid` for a day to come.
    """
    venue = find(session, Venue, venue_id)
    if venue.status != VenueStatus.CLOSED:
        raise NotClosed
    if venue.business_id:
        running_business(session, venue.business_id)
    been = set(
        session.exec(select(VenueFacts.status).where(VenueFacts.venue_id == venue.id).distinct())
    )
    dismissed = VenueStatus.PROSPECT in been and VenueStatus.ACTIVE not in been
    venue.status = VenueStatus.PROSPECT if dismissed else VenueStatus.ACTIVE
    venue.closed_on, venue.closed_reason = None, ""
    _since(session, venue, asked.on)


def confirm_venue(session: Session, venue_id: UUID, asked: Checked) -> None:
    """Put down that an officer found all the details right.

    Raises `NotFound`, `NotActive`, or `Invalid` for a day to come.
    """
    venue = find(session, Venue, venue_id)
    if venue.status != VenueStatus.ACTIVE:
        raise NotActive
    if asked.on:
        not_in_future(session, asked.on)
    venue.last_checked = asked.on or _today(session)


_PLAIN = frozenset(VenueEdit.model_fields) - {"reference", "location", "conditions", "as_from"}


def _write(session: Session, venue: Venue, asked: VenueIn | VenueEdit, given: Set[str]) -> None:
    """Take over what is given."""
    if "business_id" in given and asked.business_id and asked.business_id != venue.business_id:
        running_business(session, asked.business_id)
    if asked.reference is not None and asked.reference != venue.reference:
        _refuse_taken(session, venue, asked.reference)
        venue.reference = asked.reference
    for name in given & _PLAIN:
        setattr(venue, name, getattr(asked, name))
    if "conditions" in given:
        venue.conditions = [c.model_dump(mode="json", exclude_none=True) for c in asked.conditions]
    if asked.location:
        place = Point(asked.location.lat, asked.location.lon)
        if place != venue.location:
            _locate(session, venue, place)


def _locate(session: Session, venue: Venue, place: Point) -> None:
    wards = WardMap(session.exec(select(Ward)))
    try:
        wards.remark(place)
    except Misplaced as error:
        raise wrong("location", str(error)) from None
    venue.location, venue.ward_id = place, wards.ward_of(place)


def _refuse_taken(session: Session, venue: Venue, reference: str) -> None:
    others = session.exec(select(Venue.reference).where(Venue.id != venue.id))
    if reference.casefold() in {other.casefold() for other in others}:
        raise ReferenceTaken


def _new_reference(session: Session) -> str:
    return next_reference(
        session.exec(select(Venue.reference).where(col(Venue.reference).startswith("V-")))
    )


def _since(session: Session, venue: Venue, day: date | None) -> date:
    """The day on which a status begins to hold, with its facts."""
    if day:
        take_effect(session, venue, not_in_future(session, day), {"status"})
    return day or _today(session)


def _today(session: Session) -> date:
    return london_day(now(session))
