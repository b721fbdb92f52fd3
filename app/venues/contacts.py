"""Contacts at businesses and venues: what officers do with them, and its routes."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from app.accounts.guards import Officer, Reader
from app.core.db import find, none_such
from app.core.errors import DomainError, Invalid, responses
from app.core.events import not_in_future
from app.core.journal import now
from app.core.london import Day, london_day
from app.core.text import Line
from app.http.conditional import KeyReused, PreconditionRequired, Register, Stale
from app.http.fields import Absent, Given, Maybe, Text
from app.http.paging import Page, Paging, page
from app.venues.fields import A_BUSINESS_ID, A_VENUE_ID, Email, Name
from app.venues.models import Business, Contact, Venue


class ContactEnded(DomainError):
    """Changing or ending what has ended."""

    status = 409
    code = "contact-ended"
    title = "The contact has ended; add a new one"


# --- what is taken and given -----------------------------------------------------------------


class ContactIn(Given):
    """Whom to ask for."""

    name: Name = Field(examples=["Sam Okafor"])
    role: Line = Field(default="", max_length=100, examples=["General manager"])
    phone: Line = Field(default="", max_length=40, examples=["020 7946 0123"])
    email: Email = Field(default="", examples=["sam@lantern.example"])
    preferred: bool = Field(default=False, description="The one to ask first, instead of any other")


class ContactOut(BaseModel):
    """A contact at a business or at a venue."""

    id: UUID
    business_id: UUID | Absent = Field(default=None, examples=[A_BUSINESS_ID])
    venue_id: UUID | Absent = Field(default=None, examples=[A_VENUE_ID])
    name: str = Field(examples=["Sam Okafor"])
    role: Text = Field(default=None, examples=["General manager"])
    phone: Text = Field(default=None, examples=["020 7946 0123"])
    email: Text = Field(default=None, examples=["sam@lantern.example"])
    preferred: bool
    ended_on: date | Absent = Field(default=None, examples=["2026-11-27"])

    @classmethod
    def of(cls, contact: Contact) -> "ContactOut":
        """A contact as the register has it."""
        return cls.model_validate(contact, from_attributes=True)


class ContactsAsked(Paging):
    """Which contacts of a business or a venue to show."""

    model_config = ConfigDict(extra="forbid")

    ended: bool = Field(default=False, description="Those that have ended too")


class ContactEnding(Given):
    on: Maybe[Day] = Field(
        default=None, description="Since when, today or in the past. Today, when absent."
    )


# --- actions ---------------------------------------------------------------------------------


def contacts(
    session: Session, owner: sa.ColumnElement[bool], asked: ContactsAsked
) -> Page[ContactOut]:
    """A page of the contacts of a business or a venue, by name."""
    statement = select(Contact).where(owner)
    if not asked.ended:
        statement = statement.where(col(Contact.ended_on).is_(None))
    order: list[Any] = [col(Contact.name), col(Contact.id)]
    return page(session, statement, order, asked, ContactOut.of)


def add_contact(session: Session, contact: Contact) -> Contact:
    """Add a contact, complete with whom it is for; one that is preferred replaces another."""
    session.add(contact)
    session.flush()
    if contact.preferred:
        _prefer(session, contact)
    return contact


def edit_contact(session: Session, contact_id: UUID, asked: ContactIn) -> None:
    """Describe a contact anew. Raises `NotFound` or `ContactEnded`."""
    contact = find(session, Contact, contact_id)
    if contact.ended_on:
        raise ContactEnded
    for name in ContactIn.model_fields:
        setattr(contact, name, getattr(asked, name))
    if contact.preferred:
        _prefer(session, contact)


def end_contact(session: Session, contact_id: UUID, asked: ContactEnding) -> None:
    """Say that somebody is not a contact any more.

    Raises `NotFound`, `ContactEnded`, or `Invalid` for a day to come.
    """
    contact = find(session, Contact, contact_id)
    if contact.ended_on:
        raise ContactEnded
    if asked.on:
        not_in_future(session, asked.on)
    contact.ended_on = asked.on or london_day(now(session))
    contact.preferred = False


def _prefer(session: Session, contact: Contact) -> None:
    others = select(Contact).where(
        Contact.business_id == contact.business_id,
        Contact.venue_id == contact.venue_id,
        Contact.preferred,
        Contact.id != contact.id,
    )
    for other in session.exec(others):
        other.preferred = False


# --- routes ----------------------------------------------------------------------------------

router = APIRouter(prefix="/v1/admin", tags=["register"])

_READS = responses(none_such(Contact), Invalid())
_CHANGES = _READS | responses(Stale(), PreconditionRequired(), ContactEnded())
Asked = Annotated[ContactsAsked, Query()]


def _show(contact_id: UUID) -> Callable[[Session], ContactOut]:
    return lambda session: ContactOut.of(find(session, Contact, contact_id))


def _added(session: Session, contact: Contact) -> tuple[str, ContactOut]:
    made = add_contact(session, contact)
    return f"{router.prefix}/contacts/{made.id}", ContactOut.of(made)


@router.get(
    "/businesses/{business_id}/contacts",
    summary="Contacts of a business",
    response_model=Page[ContactOut],
    response_description="A page of contacts, by name",
    responses=responses(none_such(Business), Invalid()),
)
def contacts_of_business(
    business_id: UUID, asked: Asked, register: Register, _: Reader
) -> Response:
    """Whom to ask for at a business."""

    def show(session: Session) -> Page[ContactOut]:
        find(session, Business, business_id)
        return contacts(session, col(Contact.business_id) == business_id, asked)

    return register.read(show)


@router.post(
    "/businesses/{business_id}/contacts",
    status_code=201,
    summary="Add a contact of a business",
    response_model=ContactOut,
    response_description="The contact",
    responses=responses(none_such(Business), KeyReused()),
)
def add_contact_of_business(
    business_id: UUID, asked: ContactIn, register: Register, officer: Officer
) -> Response:
    """Say whom to ask for at a business."""

    def make(session: Session) -> tuple[str, ContactOut]:
        business = find(session, Business, business_id)
        return _added(session, Contact(business_id=business.id, **asked.model_dump()))

    return register.create(officer, asked, make)


@router.get(
    "/venues/{venue_id}/contacts",
    summary="Contacts at a venue",
    response_model=Page[ContactOut],
    response_description="A page of contacts, by name",
    responses=responses(none_such(Venue), Invalid()),
)
def contacts_at_venue(venue_id: UUID, asked: Asked, register: Register, _: Reader) -> Response:
    """Whom to ask for at a venue."""

    def show(session: Session) -> Page[ContactOut]:
        find(session, Venue, venue_id)
        return contacts(session, col(Contact.venue_id) == venue_id, asked)

    return register.read(show)


@router.post(
    "/venues/{venue_id}/contacts",
    status_code=201,
    summary="Add a contact at a venue",
    response_model=ContactOut,
    response_description="The contact",
    responses=responses(none_such(Venue), KeyReused()),
)
def add_contact_at_venue(
    venue_id: UUID, asked: ContactIn, register: Register, officer: Officer
) -> Response:
    """Say whom to ask for at a venue."""

    def make(session: Session) -> tuple[str, ContactOut]:
        venue = find(session, Venue, venue_id)
        return _added(session, Contact(venue_id=venue.id, **asked.model_dump()))

    return register.create(officer, asked, make)


@router.get(
    "/contacts/{contact_id}",
    summary="One contact",
    response_model=ContactOut,
    response_description="The contact",
    responses=_READS,
)
def one_contact(contact_id: UUID, register: Register, _: Reader) -> Response:
    """A contact as it is now."""
    return register.read(_show(contact_id))


@router.put(
    "/contacts/{contact_id}",
    summary="Edit a contact",
    response_model=ContactOut,
    response_description="The contact as it is now",
    responses=_CHANGES,
)
def put_contact(
    contact_id: UUID, asked: ContactIn, register: Register, officer: Officer
) -> Response:
    """Describe a contact anew; what is left out is cleared."""
    return register.change(
        officer, _show(contact_id), lambda session: edit_contact(session, contact_id, asked)
    )


@router.post(
    "/contacts/{contact_id}/end",
    summary="End a contact",
    response_model=ContactOut,
    response_description="The contact as it is now",
    responses=_CHANGES,
)
def no_longer_contact(
    contact_id: UUID, asked: ContactEnding, register: Register, officer: Officer
) -> Response:
    """Say that somebody is not a contact any more."""
    return register.change(
        officer, _show(contact_id), lambda session: end_contact(session, contact_id, asked)
    )
