"""The register of venues over HTTP: finding, registering, editing and closing them."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from sqlmodel import Session

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import Invalid, responses, wrong
from app.core.geo import Point
from app.http.conditional import PreconditionRequired, Register, Stale
from app.http.paging import Page, Paged
from app.venues import actions, businesses, contacts, lists, opening
from app.venues.businesses import BusinessIsClosed
from app.venues.duplicates import LikelyDuplicates, likely_duplicates
from app.venues.fields import A_VENUE_ID
from app.venues.models import Category, Venue, VenueStatus
from app.venues.schemas import (
    Candidate,
    CandidatesOut,
    Checked,
    DuplicatesAsked,
    Ending,
    FactsOut,
    Registration,
    Reopening,
    VenueEdit,
    VenueIn,
    VenueOut,
    WardsOut,
)

venues = APIRouter(prefix="/v1/admin/venues", tags=["register"])
wards = APIRouter(prefix="/v1/admin/wards", tags=["register"])

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
_READS = responses(none_such(Venue), Invalid())
_CHANGES = _READS | responses(Stale(), PreconditionRequired())
_CHANGED: dict[str, Any] = {
    "response_model": VenueOut,
    "response_description": "The venue as it is now",
}
_NOT_TO_COME = wrong("on", "lies in the future")


def _show(venue_id: UUID) -> Callable[[Session], VenueOut]:
    return lambda session: actions.show_venue(session, venue_id)


@venues.post(
    "",
    status_code=201,
    summary="Register a venue",
    response_model=VenueOut,
    response_description="The venue",
    responses=responses(_DUPLICATES, actions.ReferenceTaken(), BusinessIsClosed()),
)
def add_venue(asked: VenueIn, register: Register, officer: Officer) -> Response:
    """Put a venue into the register. Its ward comes from its place, its reference by itself.

    Where venues with such a name are near by, the answer is 409 with all of them: the officer
    registers that prospect, edits that venue, or says which are others in `not_a_duplicate_of`.
    """

    def make(session: Session) -> tuple[str, BaseModel]:
        made = actions.register_venue(session, asked)
        return f"{venues.prefix}/{made.id}", actions.show_venue(session, made.id)

    return register.create(officer, asked, make)


@venues.get(
    "/duplicates",
    summary="Likely duplicates",
    response_model=CandidatesOut,
    response_description="The venues, nearest first",
    responses=responses(wrong("lat", "is required")),
)
def duplicates_of_venue(
    asked: Annotated[DuplicatesAsked, Query()], register: Register, _: Reader
) -> Response:
    """The venues near a place whose names are like a name: is it registered already?"""
    place = Point(asked.lat, asked.lon)
    return register.read(
        lambda session: CandidatesOut(candidates=likely_duplicates(session, asked.name, place))
    )


@venues.get(
    "/{venue_id}",
    summary="One venue",
    response_model=VenueOut,
    response_description="The venue",
    responses=_READS,
)
def one_venue(venue_id: UUID, register: Register, _: Reader) -> Response:
    """A venue as it is now."""
    return register.read(_show(venue_id))


@venues.put(
    "/{venue_id}",
    summary="Edit a venue",
    **_CHANGED,
    responses=_CHANGES | responses(actions.ReferenceTaken(), BusinessIsClosed()),
)
def put_venue(venue_id: UUID, asked: VenueEdit, register: Register, officer: Officer) -> Response:
    """Change what is given of a venue; what is left out stays as it is.

    What reports count by changes from now on, or `as_from` a day in the past.
    """
    return register.change(
        officer, _show(venue_id), lambda session: actions.edit_venue(session, venue_id, asked)
    )


@venues.post(
    "/{venue_id}/register",
    summary="Register a prospect",
    **_CHANGED,
    responses=_CHANGES
    | responses(actions.NotAProspect(), _DUPLICATES, actions.ReferenceTaken(), BusinessIsClosed()),
)
def register_prospect(
    venue_id: UUID, asked: Registration, register: Register, officer: Officer
) -> Response:
    """Make a prospect an active venue, with what is given changed; it keeps its id.

    Likely duplicates are answered as when a venue is registered.
    """
    return register.change(
        officer,
        _show(venue_id),
        lambda session: actions.register_prospect(session, venue_id, asked),
    )


@venues.post(
    "/{venue_id}/close",
    summary="Close a venue",
    **_CHANGED,
    responses=_CHANGES | responses(actions.ClosedAlready(), _NOT_TO_COME),
)
def close_venue(venue_id: UUID, asked: Ending, register: Register, officer: Officer) -> Response:
    """Close a venue, or dismiss a prospect. The public sees it no more from this instant on."""
    return register.change(
        officer, _show(venue_id), lambda session: actions.close_venue(session, venue_id, asked)
    )


@venues.post(
    "/{venue_id}/reopen",
    summary="Reopen a venue",
    **_CHANGED,
    responses=_CHANGES | responses(actions.NotClosed(), BusinessIsClosed(), _NOT_TO_COME),
)
def reopen_venue(
    venue_id: UUID, asked: Reopening, register: Register, officer: Officer
) -> Response:
    """Make a closed venue what it was; it is listed again if its accreditation is in force."""
    return register.change(
        officer, _show(venue_id), lambda session: actions.reopen_venue(session, venue_id, asked)
    )


@venues.post(
    "/{venue_id}/checked",
    summary="Confirm a venue's details",
    **_CHANGED,
    responses=_CHANGES | responses(actions.NotActive(), _NOT_TO_COME),
)
def confirm_venue(venue_id: UUID, asked: Checked, register: Register, officer: Officer) -> Response:
    """Put down that an officer found all the details right; the public sees the day."""
    return register.change(
        officer, _show(venue_id), lambda session: actions.confirm_venue(session, venue_id, asked)
    )


@venues.get(
    "/{venue_id}/facts",
    summary="What reports count a venue by",
    response_model=Page[FactsOut],
    response_description="A page of versions, the last to take effect first",
    responses=_READS,
)
def facts_of_venue(venue_id: UUID, asked: Paged, register: Register, _: Reader) -> Response:
    """All that was ever recorded of what reports count a venue by, and when."""

    def show(session: Session) -> Page[FactsOut]:
        find(session, Venue, venue_id)
        return lists.venue_history(session, venue_id, asked)

    return register.read(show)


@wards.get("", summary="Wards", response_model=WardsOut, response_description="The wards by code")
def list_wards(register: Register, _: Reader) -> Response:
    """The wards that venues lie in."""
    return register.read(lists.wards)


router = APIRouter()
for part in (venues, opening.router, businesses.router, contacts.router, wards):
    router.include_router(part)
