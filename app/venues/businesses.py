"""Businesses, the organisations that run venues: what officers do with them, and its routes."""

from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy.orm import Bundle
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.errors import DomainError, Invalid, responses, wrong
from app.core.events import day_or_today, shown
from app.core.text import Line, Prose, folded
from app.http.conditional import Register
from app.http.fields import Absent, Given, Maybe, Text
from app.http.idempotency import KeyReused
from app.http.paging import Page, Paging, page
from app.http.records import Records
from app.venues.fields import Name
from app.venues.models import FOLDED_LENGTH, Business, Venue, VenueStatus
from app.venues.schemas import BusinessName, Ending


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


class BusinessOut(BusinessName):
    """A business as the register has it."""

    notes: Text = Field(default=None, examples=["Their head office is in Leeds."])
    closed_on: date | Absent = Field(default=None, examples=["2026-11-27"])
    closed_reason: Text = Field(default=None, examples=["It was wound up"])


class BusinessSummary(BusinessName):
    """A business in a list."""

    active_venues: int = Field(examples=[3])
    closed_on: date | Absent = Field(default=None, examples=["2026-11-27"])


class BusinessesQuestion(Paging, Given):
    """What to look for among the businesses."""

    name: Maybe[Line] = Field(
        default=None, max_length=200, description="Part of the name", examples=["lantern"]
    )


# --- actions ---------------------------------------------------------------------------------


def refuse_closed_business(session: Session, business_id: UUID) -> None:
    """Refuse an id that can't run a venue: raises `BusinessIsClosed`, or `Invalid`."""
    business = session.get(Business, business_id)
    if business is None:
        raise wrong("business_id", "is not a business")
    if business.closed_on:
        raise BusinessIsClosed


def register_business(session: Session, given: BusinessIn) -> Business:
    """A new business. Raises `BusinessNameTaken`."""
    business = Business(name=given.name, notes=given.notes)
    _refuse_taken(session, given.name, business.id)
    session.add(business)
    session.flush()
    return business


def edit_business(session: Session, business: Business, given: BusinessIn) -> None:
    """Describe a business anew. Raises `BusinessNameTaken`."""
    _refuse_taken(session, given.name, business.id)
    business.name, business.notes = given.name, given.notes


def business_named(session: Session, name: str) -> Business | None:
    """The business with a name, whatever its capitals; of two, the one that is spelled so."""
    alike = session.exec(
        select(Business).where(Business.folded_name == folded(name)[:FOLDED_LENGTH])
    )
    named = (business for business in alike if business.name.casefold() == name.casefold())
    return max(named, key=lambda business: business.name == name, default=None)


def _refuse_taken(session: Session, name: str, besides: UUID) -> None:
    taken = business_named(session, name)
    if taken and taken.id != besides:
        raise BusinessNameTaken


def close_business(session: Session, business: Business, given: Ending) -> None:
    """Close a business that runs nothing any more.

    Raises `BusinessIsClosed`, `BusinessHasVenues`, or `Invalid` for a day to come.
    """
    if business.closed_on:
        raise BusinessIsClosed
    runs = select(Venue.id).where(
        Venue.business_id == business.id, Venue.status == VenueStatus.ACTIVE
    )
    if session.exec(runs.limit(1)).first():
        raise BusinessHasVenues
    business.closed_on = day_or_today(session, given.on)
    business.closed_reason = given.reason


def reopen_business(_: Session, business: Business) -> None:
    """Undo the closing of a business. Raises `BusinessIsOpen`."""
    if not business.closed_on:
        raise BusinessIsOpen
    business.closed_on, business.closed_reason = None, ""


# --- routes ----------------------------------------------------------------------------------

router = APIRouter(prefix="/v1/admin/businesses", tags=["register"])
BUSINESSES = Records(
    Business,
    BusinessOut,
    "businesses",
    shown="The business",
    changed="The business as it is now",
)


@router.get(
    "",
    summary="Businesses",
    response_model=Page[BusinessSummary],
    response_description="A page of businesses, by name",
    responses=responses(Invalid()),
)
def list_businesses(
    question: Annotated[BusinessesQuestion, Query()], register: Register, _: Reader
) -> Response:
    """The businesses of the register, with how many active venues each runs."""
    active = (
        sa.select(sa.func.count())
        .where(col(Venue.business_id) == col(Business.id), col(Venue.status) == VenueStatus.ACTIVE)
        .scalar_subquery()
    )
    columns = (col(Business.id), col(Business.name), col(Business.closed_on))
    summary: Bundle[Any] = Bundle("summary", *columns, active.label("active_venues"))
    statement = sa.select(summary).select_from(Business)
    if question.name is not None:
        named = col(Business.folded_name).contains(folded(question.name), autoescape=True)
        statement = statement.where(named)
    order: list[Any] = [col(Business.folded_name), col(Business.id)]
    show = partial(shown, BusinessSummary)
    return register.read(lambda session: page(session, statement, order, question, show))


@router.post("", **BUSINESSES.creates("Register a business", BusinessNameTaken(), KeyReused()))
def add_business(given: BusinessIn, register: Register, officer: Officer) -> Response:
    """Put a business into the register, to say of venues that it runs them."""
    return BUSINESSES.create(register, officer, given, register_business)


@router.get("/{business_id}", **BUSINESSES.shows("One business"))
def one_business(business_id: UUID, register: Register, _: Reader) -> Response:
    """A business as it is now."""
    return BUSINESSES.read(register, business_id)


@router.put("/{business_id}", **BUSINESSES.changes("Edit a business", BusinessNameTaken()))
def put_business(
    business_id: UUID, given: BusinessIn, register: Register, officer: Officer
) -> Response:
    """Describe a business anew; what is left out is cleared."""
    return BUSINESSES.change(register, officer, business_id, edit_business, given)


@router.post(
    "/{business_id}/close",
    **BUSINESSES.changes("Close a business", BusinessHasVenues(), BusinessIsClosed()),
)
def end_business(
    business_id: UUID, given: Ending, register: Register, officer: Officer
) -> Response:
    """Say that a business is no more. One that runs active venues can't be closed."""
    return BUSINESSES.change(register, officer, business_id, close_business, given)


@router.post("/{business_id}/reopen", **BUSINESSES.changes("Reopen a business", BusinessIsOpen()))
def resume_business(business_id: UUID, register: Register, officer: Officer) -> Response:
    """Undo the closing of a business."""
    return BUSINESSES.change(register, officer, business_id, reopen_business)
