"""What officers do with venues."""

from datetime import date

from sqlmodel import Session, col, select

from app.core.errors import DomainError, wrong
from app.core.events import day_or_today, not_in_future
from app.core.london import effective
from app.core.places import Point
from app.core.settings import settings
from app.venues import osm_hours
from app.venues.businesses import refuse_closed_business
from app.venues.duplicates import refuse_likely_duplicates
from app.venues.facts import FACTS, take_effect
from app.venues.models import Venue, VenueFacts, VenueStatus, Ward
from app.venues.rules import next_reference
from app.venues.schemas import Checked, Ending, Registration, Reopening, VenueEdit, VenueIn
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


def register_venue(session: Session, given: VenueIn) -> Venue:
    """A new, active venue.

    Raises `LikelyDuplicates`, `ReferenceTaken`, `BusinessIsClosed`, or `Invalid`.
    """
    venue = Venue(
        reference="",
        name=given.name,
        category=given.category,
        location=given.location.point,
        demonstration=settings().demonstration,
    )
    _register(session, venue, given)
    session.add(venue)
    session.flush()
    return venue


def register_prospect(session: Session, venue: Venue, given: Registration) -> None:
    """Make a prospect an active venue; it keeps its id and gets a reference of its own.

    Raises `NotAProspect`, and what registering a venue raises.
    """
    if venue.status != VenueStatus.PROSPECT:
        raise NotAProspect
    _register(session, venue, given)


def _register(session: Session, venue: Venue, given: VenueIn | Registration) -> None:
    place = given.location.point if given.location else venue.location
    others = {venue.id, *given.not_a_duplicate_of}
    refuse_likely_duplicates(session, given.name or venue.name, place, others)
    if given.reference is None:
        venue.reference = _new_reference(session)
    _locate(session, venue, place)
    _write(session, venue, given)
    if venue.business_id:
        refuse_closed_business(session, venue.business_id)
    venue.status = VenueStatus.ACTIVE
    if given.opening_hours:
        venue.hours = osm_hours.parse(given.opening_hours)
    if given.as_from:
        dated = given.model_fields_set.intersection(FACTS) | {"status"}
        take_effect(session, venue, not_in_future(session, given.as_from, "as_from"), dated)


def edit_venue(session: Session, venue: Venue, given: VenueEdit) -> None:
    """Change what is given of a venue.

    Raises `ReferenceTaken`, `BusinessIsClosed`, or `Invalid`.
    """
    _write(session, venue, given)
    if given.as_from:
        fields = given.model_fields_set
        dated = fields.intersection(FACTS) | ({"ward_id"} if "location" in fields else set())
        if not dated:
            raise wrong("as_from", "is for a change of what reports count by, and there is none")
        take_effect(session, venue, not_in_future(session, given.as_from, "as_from"), dated)


def close_venue(session: Session, venue: Venue, given: Ending) -> None:
    """Close a venue, or dismiss a prospect: it is listed no more from this instant on.

    Raises `ClosedAlready`, or `Invalid` for a day to come.
    """
    if venue.status == VenueStatus.CLOSED:
        raise ClosedAlready
    venue.status = VenueStatus.CLOSED
    venue.closed_on = _since(session, venue, given.on)
    venue.closed_reason = given.reason


def reopen_venue(session: Session, venue: Venue, given: Reopening) -> None:
    """Make a closed venue what it was before: active, or a prospect that was dismissed.

    Raises `NotClosed`, `BusinessIsClosed`, or `Invalid` for a day to come.
    """
    if venue.status != VenueStatus.CLOSED:
        raise NotClosed
    if venue.business_id:
        refuse_closed_business(session, venue.business_id)
    earlier = select(VenueFacts.status).where(VenueFacts.venue_id == venue.id).distinct()
    statuses = set(session.exec(earlier))
    dismissed = VenueStatus.PROSPECT in statuses and VenueStatus.ACTIVE not in statuses
    venue.status = VenueStatus.PROSPECT if dismissed else VenueStatus.ACTIVE
    venue.closed_on, venue.closed_reason = None, ""
    _since(session, venue, given.on)


def confirm_venue(session: Session, venue: Venue, given: Checked) -> None:
    """Put down that an officer found all the details right.

    Raises `NotActive`, or `Invalid` for a day to come.
    """
    if venue.status != VenueStatus.ACTIVE:
        raise NotActive
    venue.last_checked = day_or_today(session, given.on)


_PLAIN = frozenset(VenueEdit.model_fields) - {"reference", "location", "conditions", "as_from"}


def _write(session: Session, venue: Venue, given: VenueIn | VenueEdit) -> None:
    """Take over what is given."""
    fields = given.model_fields_set
    if "business_id" in fields and given.business_id and given.business_id != venue.business_id:
        refuse_closed_business(session, given.business_id)
    if given.reference is not None and given.reference != venue.reference:
        _refuse_taken(session, venue, given.reference)
        venue.reference = given.reference
    for name in fields & _PLAIN:
        setattr(venue, name, getattr(given, name))
    if "conditions" in fields:
        venue.conditions = [c.model_dump(mode="json", exclude_none=True) for c in given.conditions]
    if given.location and given.location.point != venue.location:
        _locate(session, venue, given.location.point)


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
        take_effect(session, venue, effective(day), {"status"})
    return day_or_today(session, day)
