"""Contacts at businesses and venues: what officers do with them, and its routes."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlmodel import Session, col, select

from app.accounts.guards import Administrator, Officer, Reader
from app.core.db import find, none_such
from app.core.errors import DomainError
from app.core.events import day_or_today, shown
from app.core.journal import erase
from app.core.london import Day
from app.core.text import Line
from app.http.conditional import Register
from app.http.fields import Absent, Given, Maybe, Text
from app.http.idempotency import KeyReused, forget
from app.http.paging import Page, Paging, page
from app.http.records import Records, read_of
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


class ContactsQuestion(Paging, Given):
    """Which contacts of a business or a venue to show."""

    ended: bool = Field(default=False, description="Those that have ended too")


class ContactEnding(Given):
    on: Maybe[Day] = Field(
        default=None, description="Since when, today or in the past. Today, when absent."
    )


# --- actions ---------------------------------------------------------------------------------


def contacts_of(
    session: Session, owner: Business | Venue, question: ContactsQuestion
) -> Page[ContactOut]:
    """A page of the contacts of a business or a venue, by name."""
    owner_id = Contact.business_id if isinstance(owner, Business) else Contact.venue_id
    statement = select(Contact).where(owner_id == owner.id)
    if not question.ended:
        statement = statement.where(col(Contact.ended_on).is_(None))
    order: list[Any] = [col(Contact.name), col(Contact.id)]
    return page(session, statement, order, question, partial(shown, ContactOut))


def add_contact(
    session: Session, owner: type[Business | Venue], owner_id: UUID, given: ContactIn
) -> Contact:
    """A new contact of a business or a venue; one that is preferred replaces another.

    Raises `NotFound`.
    """
    find(session, owner, owner_id)
    contact = Contact.model_validate(given.model_dump() | {f"{owner.__tablename__}_id": owner_id})
    session.add(contact)
    session.flush()
    if contact.preferred:
        _prefer(session, contact)
    return contact


def edit_contact(session: Session, contact: Contact, given: ContactIn) -> None:
    """Describe a contact anew. Raises `ContactEnded`."""
    if contact.ended_on:
        raise ContactEnded
    contact.sqlmodel_update(given)
    if contact.preferred:
        _prefer(session, contact)


def end_contact(session: Session, contact: Contact, given: ContactEnding) -> None:
    """Say that somebody is not a contact any more.

    Raises `ContactEnded`, or `Invalid` for a day to come.
    """
    if contact.ended_on:
        raise ContactEnded
    contact.ended_on = day_or_today(session, given.on)
    contact.preferred = False


def erase_contacts(session: Session, contacts: Sequence[Contact]) -> None:
    """Remove contacts for good, and all that says who they are: from answers, and the journal."""
    forget(session, [f"/v1/admin/contacts/{contact.id}" for contact in contacts])
    erase(session, contacts)


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
CONTACTS = Records(
    Contact,
    ContactOut,
    "contacts",
    shown="The contact",
    changed="The contact as it is now",
)
Question = Annotated[ContactsQuestion, Query()]

_BY_NAME = "A page of contacts, by name"


@router.get(
    "/businesses/{business_id}/contacts",
    **CONTACTS.lists("Contacts of a business", none_such(Business)),
    response_description=_BY_NAME,
)
def contacts_of_business(
    business_id: UUID, question: Question, register: Register, _: Reader
) -> Response:
    """Whom to ask for at a business."""
    return read_of(register, Business, business_id, contacts_of, question)


@router.post(
    "/businesses/{business_id}/contacts",
    **CONTACTS.creates("Add a contact of a business", none_such(Business), KeyReused()),
)
def add_contact_of_business(
    business_id: UUID, given: ContactIn, register: Register, officer: Officer
) -> Response:
    """Say whom to ask for at a business."""
    return CONTACTS.create(register, officer, given, add_contact, Business, business_id)


@router.get(
    "/venues/{venue_id}/contacts",
    **CONTACTS.lists("Contacts at a venue", none_such(Venue)),
    response_description=_BY_NAME,
)
def contacts_at_venue(
    venue_id: UUID, question: Question, register: Register, _: Reader
) -> Response:
    """Whom to ask for at a venue."""
    return read_of(register, Venue, venue_id, contacts_of, question)


@router.post(
    "/venues/{venue_id}/contacts",
    **CONTACTS.creates("Add a contact at a venue", none_such(Venue), KeyReused()),
)
def add_contact_at_venue(
    venue_id: UUID, given: ContactIn, register: Register, officer: Officer
) -> Response:
    """Say whom to ask for at a venue."""
    return CONTACTS.create(register, officer, given, add_contact, Venue, venue_id)


@router.get("/contacts/{contact_id}", **CONTACTS.shows("One contact"))
def one_contact(contact_id: UUID, register: Register, _: Reader) -> Response:
    """A contact as it is now."""
    return CONTACTS.read(register, contact_id)


@router.put("/contacts/{contact_id}", **CONTACTS.changes("Edit a contact", ContactEnded()))
def put_contact(
    contact_id: UUID, given: ContactIn, register: Register, officer: Officer
) -> Response:
    """Describe a contact anew; what is left out is cleared."""
    return CONTACTS.change(register, officer, contact_id, edit_contact, given)


@router.post("/contacts/{contact_id}/end", **CONTACTS.changes("End a contact", ContactEnded()))
def no_longer_contact(
    contact_id: UUID, given: ContactEnding, register: Register, officer: Officer
) -> Response:
    """Say that somebody is not a contact any more."""
    return CONTACTS.change(register, officer, contact_id, end_contact, given)


@router.delete("/contacts/{contact_id}", **CONTACTS.removes("Erase a contact"))
def no_contact(contact_id: UUID, register: Register, administrator: Administrator) -> Response:
    """Remove somebody's details for good, as they have asked; the journal says only that they went.

    Who is just no contact any more is ended instead.
    """
    return CONTACTS.remove(
        register, administrator, contact_id, lambda session, one: erase_contacts(session, [one])
    )
