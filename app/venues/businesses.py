"""Businesses, the organisations that run venues: what officers do with them, and its routes."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Bundle
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import DomainError, Invalid, responses, wrong
from app.core.events import not_in_future
from app.core.journal import now
from app.core.london import london_day
from app.core.text import Line, Prose, folded
from app.http.conditional import KeyReused, PreconditionRequired, Register, Stale
from app.http.fields import Absent, Given, Maybe, Text
from app.http.paging import Page, Paging, page
from app.venues.fields import A_BUSINESS_ID, Name
from app.venues.models import FOLDED_LENGTH, Business, Venue, VenueStatus
from app.venues.schemas import Ending


class BusinessNameTaken(DomainError):
    status = 409
    code = "business-name-taken"
    title = "Another business has this name, capitals make no difference"


class BusinessIsClosed(DomainError):
    status = 409
    code = "business-is-closed"
    title = "The business is closed; reopen it first"


class BusinessIsOpen(DomainError):
    status = 409
    code = "business-is-open"
    title = "Only a closed business can be reopened"


class BusinessHasVenues(DomainError):
    """Closing a business that still runs something."""

    status = 409
    code = "business-has-venues"
    title = "It runs active venues; close them, or say who runs them now"


# --- what is taken and given -----------------------------------------------------------------


class BusinessIn(Given):
    """A business as an officer describes it."""

    name: Name = Field(examples=["Lantern Inns Ltd"])
    notes: Prose = Field(default="", max_length=4000, examples=["Their head office is in Leeds."])


class BusinessOut(BaseModel):
    """A business as the register has it."""

    id: UUID = Field(examples=[A_BUSINESS_ID])
    name: str = Field(examples=["Lantern Inns Ltd"])
    notes: Text = Field(default=None, examples=["Their head office is in Leeds."])
    closed_on: date | Absent = Field(default=None, examples=["2026-11-27"])
    closed_reason: Text = Field(default=None, examples=["It was wound up"])


class BusinessSummary(BaseModel):
    """A business in a list."""

    id: UUID = Field(examples=[A_BUSINESS_ID])
    name: str = Field(examples=["Lantern Inns Ltd"])
    active_venues: int = Field(examples=[3])
    closed_on: date | Absent = Field(default=None, examples=["2026-11-27"])


class BusinessSearch(Paging):
    """What to look for among the businesses."""

    model_config = ConfigDict(extra="forbid")

    name: Maybe[Line] = Field(
        default=None, max_length=200, description="Part of the name", examples=["lantern"]
    )


# --- actions ---------------------------------------------------------------------------------


def running_business(session: Session, business_id: UUID) -> None:
    """Refuse an id that can't run a venue: raises `BusinessIsClosed`, or `Invalid`."""
    business = session.get(Business, business_id)
    if business is None:
        raise wrong("business_id", "is not a business")
    if business.closed_on:
        raise BusinessIsClosed


def show_business(session: Session, business_id: UUID) -> BusinessOut:
    """A business as the register has it. Raises `NotFound`."""
    business = find(session, Business, business_id)
    return BusinessOut.model_validate(business, from_attributes=True)


def search_businesses(session: Session, asked: BusinessSearch) -> Page[BusinessSummary]:
    """A page of the businesses that are asked for, by name."""
    active = (
        sa.select(sa.func.count())
        .where(col(Venue.business_id) == col(Business.id), col(Venue.status) == VenueStatus.ACTIVE)
        .scalar_subquery()
    )
    summary: Bundle[Any] = Bundle(
        "summary",
        col(Business.id),
        col(Business.name),
        col(Business.closed_on),
        active.label("active_venues"),
    )
    statement = sa.select(summary).select_from(Business)
    if asked.name is not None:
        named = col(Business.folded_name).contains(folded(asked.name), autoescape=True)
        statement = statement.where(named)
    order: list[Any] = [col(Business.folded_name), col(Business.id)]
    return page(session, statement, order, asked, _summary)


def _summary(row: Any) -> BusinessSummary:
    return BusinessSummary.model_validate(row, from_attributes=True)


def register_business(session: Session, asked: BusinessIn) -> Business:
    """A new business. Raises `BusinessNameTaken`."""
    business = Business(name=asked.name, notes=asked.notes)
    _refuse_taken(session, asked.name, business.id)
    session.add(business)
    session.flush()
    return business


def edit_business(session: Session, business_id: UUID, asked: BusinessIn) -> None:
    """Describe a business anew. Raises `NotFound` or `BusinessNameTaken`."""
    business = find(session, Business, business_id)
    _refuse_taken(session, asked.name, business.id)
    business.name, business.notes = asked.name, asked.notes


def business_named(session: Session, name: str) -> Business | None:
    """The business with a name, whatever its capitals; of two, the one that is spelled so."""
    alike = select(Business).where(Business.folded_name == folded(name)[:FOLDED_LENGTH])
    found = [one for one in session.exec(alike) if one.name.casefold() == name.casefold()]
    return max(found, key=lambda one: one.name == name, default=None)


def _refuse_taken(session: Session, name: str, besides: UUID) -> None:
    taken = business_named(session, name)
    if taken and taken.id != besides:
        raise BusinessNameTaken


def close_business(session: Session, business_id: UUID, asked: Ending) -> None:
    """Close a business that runs nothing any more.

    Raises `NotFound`, `BusinessIsClosed`, `BusinessHasVenues`, or `Invalid` for a day to
    come.
    """
    business = find(session, Business, business_id)
    if business.closed_on:
        raise BusinessIsClosed
    runs = select(Venue.id).where(
        Venue.business_id == business.id, Venue.status == VenueStatus.ACTIVE
    )
    if session.exec(runs.limit(1)).first():
        raise BusinessHasVenues
    if asked.on:
        not_in_future(session, asked.on)
    business.closed_on = asked.on or london_day(now(session))
    business.closed_reason = asked.reason


def reopen_business(session: Session, business_id: UUID) -> None:
    """Undo the closing of a business. Raises `NotFound` or `BusinessIsOpen`."""
    business = find(session, Business, business_id)
    if not business.closed_on:
        raise BusinessIsOpen
    business.closed_on, business.closed_reason = None, ""


# --- routes ----------------------------------------------------------------------------------

router = APIRouter(prefix="/v1/admin/businesses", tags=["register"])

_READS = responses(none_such(Business), Invalid())
_CHANGES = _READS | responses(Stale(), PreconditionRequired())


def _show(business_id: UUID) -> Callable[[Session], BusinessOut]:
    return lambda session: show_business(session, business_id)


@router.get(
    "",
    summary="Businesses",
    response_model=Page[BusinessSummary],
    response_description="A page of businesses, by name",
    responses=responses(Invalid()),
)
def list_businesses(
    asked: Annotated[BusinessSearch, Query()], register: Register, _: Reader
) -> Response:
    """The businesses of the register, with how many active venues each runs."""
    return register.read(lambda session: search_businesses(session, asked))


@router.post(
    "",
    status_code=201,
    summary="Register a business",
    response_model=BusinessOut,
    response_description="The business",
    responses=responses(BusinessNameTaken(), KeyReused()),
)
def add_business(asked: BusinessIn, register: Register, officer: Officer) -> Response:
    """Put a business into the register, to say of venues that it runs them."""

    def make(session: Session) -> tuple[str, BusinessOut]:
        made = register_business(session, asked)
        return f"{router.prefix}/{made.id}", show_business(session, made.id)

    return register.create(officer, asked, make)


@router.get(
    "/{business_id}",
    summary="One business",
    response_model=BusinessOut,
    response_description="The business",
    responses=_READS,
)
def one_business(business_id: UUID, register: Register, _: Reader) -> Response:
    """A business as it is now."""
    return register.read(_show(business_id))


@router.put(
    "/{business_id}",
    summary="Edit a business",
    response_model=BusinessOut,
    response_description="The business as it is now",
    responses=_CHANGES | responses(BusinessNameTaken()),
)
def put_business(
    business_id: UUID, asked: BusinessIn, register: Register, officer: Officer
) -> Response:
    """Describe a business anew; what is left out is cleared."""
    return register.change(
        officer, _show(business_id), lambda session: edit_business(session, business_id, asked)
    )


@router.post(
    "/{business_id}/close",
    summary="Close a business",
    response_model=BusinessOut,
    response_description="The business as it is now",
    responses=_CHANGES | responses(BusinessHasVenues(), BusinessIsClosed()),
)
def end_business(
    business_id: UUID, asked: Ending, register: Register, officer: Officer
) -> Response:
    """Say that a business is no more. One that runs active venues can't be closed."""
    return register.change(
        officer, _show(business_id), lambda session: close_business(session, business_id, asked)
    )


@router.post(
    "/{business_id}/reopen",
    summary="Reopen a business",
    response_model=BusinessOut,
    response_description="The business as it is now",
    responses=_CHANGES | responses(BusinessIsOpen()),
)
def resume_business(business_id: UUID, register: Register, officer: Officer) -> Response:
    """Undo the closing of a business."""
    return register.change(
        officer, _show(business_id), lambda session: reopen_business(session, business_id)
    )
