"""The register of venues over HTTP: finding, registering, editing and closing them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.accounts.guards import Officer, Reader
from app.core.db import none_such
from app.core.errors import Invalid, responses, wrong
from app.http.conditional import Register
from app.http.paging import Page, Paged
from app.http.records import Records, read_of
from app.venues import actions, businesses, contacts, hours_routes
from app.venues.businesses import BusinessIsClosed
from app.venues.duplicates import LikelyDuplicates, likely_duplicates
from app.venues.fields import A_VENUE_ID
from app.venues.kinds import Category
from app.venues.models import Venue, VenueStatus
from app.venues.schemas import (
    Candidate,
    CandidatesOut,
    Checked,
    DuplicatesQuestion,
    Ending,
    FactsOut,
    Registration,
    Reopening,
    VenueEdit,
    VenueIn,
    VenueOut,
    WardsOut,
)
from app.venues.views import venue_history, venue_view, wards_view

register_routes = APIRouter(prefix="/v1/admin/venues", tags=["register"])
ward_routes = APIRouter(prefix="/v1/admin/wards", tags=["register"])

VENUES = Records(
    Venue,
    VenueOut,
    "venues",
    lambda session, venues: [venue_view(session, venue) for venue in venues],
    shown="The venue",
    changed="The venue as it is now",
)
_DUPLICATES = LikelyDuplicates(
    [
        Candidate(
            id=UUID(A_VENUE_ID),
            reference="fhrs-388812",
            name="Lantern",
            category=Category.PUB,
            status=VenueStatus.PROSPECT,
            address="12 Poultry",
            postcode="EC2R 8AJ",
            distance_m=14,
        )
    ]
)


@register_routes.post(
    "",
    **VENUES.creates("Register a venue", _DUPLICATES, actions.ReferenceTaken(), BusinessIsClosed()),
)
def add_venue(given: VenueIn, register: Register, officer: Officer) -> Response:
    """Put a venue into the register. Its ward comes from its place, its reference by itself.

    Where venues with such a name are near by, the answer is 409 with all of them: the officer
    registers that prospect, edits that venue, or says which are others in `not_a_duplicate_of`.
    """
    return VENUES.create(register, officer, given, actions.register_venue)


@register_routes.get(
    "/duplicates",
    summary="Likely duplicates",
    response_model=CandidatesOut,
    response_description="The venues, nearest first",
    responses=responses(wrong("lat", "is required")),
)
def duplicates_of_venue(
    question: Annotated[DuplicatesQuestion, Query()], register: Register, _: Reader
) -> Response:
    """The venues near a place whose names are like a name: is it registered already?"""
    return register.read(
        lambda session: CandidatesOut(
            candidates=likely_duplicates(session, question.name, question.point)
        )
    )


@register_routes.get("/{venue_id}", **VENUES.shows("One venue"))
def one_venue(venue_id: UUID, register: Register, _: Reader) -> Response:
    """A venue as it is now."""
    return VENUES.read(register, venue_id)


@register_routes.put(
    "/{venue_id}",
    **VENUES.changes("Edit a venue", actions.ReferenceTaken(), BusinessIsClosed()),
)
def put_venue(venue_id: UUID, given: VenueEdit, register: Register, officer: Officer) -> Response:
    """Change what is given of a venue; what is left out stays as it is.

    What reports count by changes from now on, or `as_from` a day in the past.
    """
    return VENUES.change(register, officer, venue_id, actions.edit_venue, given)


@register_routes.post(
    "/{venue_id}/register",
    **VENUES.changes(
        "Register a prospect",
        actions.NotAProspect(),
        _DUPLICATES,
        actions.ReferenceTaken(),
        BusinessIsClosed(),
    ),
)
def register_prospect(
    venue_id: UUID, given: Registration, register: Register, officer: Officer
) -> Response:
    """Make a prospect an active venue, with what is given changed; it keeps its id.

    Likely duplicates are answered as when a venue is registered.
    """
    return VENUES.change(register, officer, venue_id, actions.register_prospect, given)


@register_routes.post(
    "/{venue_id}/close",
    **VENUES.changes("Close a venue", actions.ClosedAlready()),
)
def close_venue(venue_id: UUID, given: Ending, register: Register, officer: Officer) -> Response:
    """Close a venue, or dismiss a prospect. The public sees it no more from this instant on."""
    return VENUES.change(register, officer, venue_id, actions.close_venue, given)


@register_routes.post(
    "/{venue_id}/reopen",
    **VENUES.changes("Reopen a venue", actions.NotClosed(), BusinessIsClosed()),
)
def reopen_venue(
    venue_id: UUID, given: Reopening, register: Register, officer: Officer
) -> Response:
    """Make a closed venue what it was; it is listed again if its accreditation is in force."""
    return VENUES.change(register, officer, venue_id, actions.reopen_venue, given)


@register_routes.post(
    "/{venue_id}/checked",
    **VENUES.changes("Confirm a venue's details", actions.NotActive()),
)
def confirm_venue(venue_id: UUID, given: Checked, register: Register, officer: Officer) -> Response:
    """Put down that an officer found all the details right; the public sees the day."""
    return VENUES.change(register, officer, venue_id, actions.confirm_venue, given)


@register_routes.get(
    "/{venue_id}/facts",
    summary="What reports count a venue by",
    response_model=Page[FactsOut],
    response_description="A page of versions, the last to take effect first",
    responses=responses(none_such(Venue), Invalid()),
)
def facts_of_venue(venue_id: UUID, paging: Paged, register: Register, _: Reader) -> Response:
    """All that was ever recorded of what reports count a venue by, and when."""
    return read_of(register, Venue, venue_id, venue_history, paging)


@ward_routes.get(
    "", summary="Wards", response_model=WardsOut, response_description="The wards by code"
)
def list_wards(register: Register, _: Reader) -> Response:
    """The wards that venues lie in."""
    return register.read(wards_view)


router = APIRouter()
for part in (register_routes, hours_routes.router, businesses.router, contacts.router, ward_routes):
    router.routes += part.routes
