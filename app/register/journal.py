"""The journal over HTTP: who changed what, and the whole story of a venue."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, model_validator
from pydantic import Field as Described
from pydantic.json_schema import SkipJsonSchema
from sqlmodel import Session, SQLModel, col, select

from app.accounts.guards import Reader
from app.accounts.models import Account, Role, SignIn
from app.core.db import none_such
from app.core.errors import responses, wrong
from app.core.journal import Entry
from app.core.london import effective
from app.http.conditional import Register
from app.http.paging import Page, Paged, Paging, page
from app.venues.models import Venue

router = APIRouter(prefix="/v1/admin", tags=["journal"])

ABOUT_PEOPLE = (str(Account.__tablename__), str(SignIn.__tablename__))
"""What administrators alone may read: when colleagues come and go is nobody else's business."""

TOLD_WITH = ("training_session",)
"""What happened to several venues at once, and belongs to the story of each."""


class Happened(StrEnum):
    RECORDED = "recorded"
    CHANGED = "changed"
    REMOVED = "removed"


class FieldChange(BaseModel):
    """What a field was and became; what was or is empty is left out."""

    field: str = Described(examples=["phone"])
    before: Any = Described(default=None, examples=["020 7946 0123"])
    after: Any = Described(default=None, examples=["020 7946 0999"])


class JournalEntry(BaseModel):
    """One change of one record."""

    number: int = Described(examples=[1204])
    at: datetime
    actor: str = Described(examples=["account j.okafor"])
    happened: Happened = Described(examples=["changed"])
    subject: str = Described(description="The kind of record", examples=["venue"])
    subject_id: str = Described(examples=["6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"])
    changes: list[FieldChange]


class JournalAsked(Paging):
    """Which entries to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    subject: str | SkipJsonSchema[None] = Described(
        default=None, max_length=50, pattern=r"^[a-z_]+$", examples=["venue"]
    )
    subject_id: str | SkipJsonSchema[None] = Described(
        default=None,
        max_length=100,
        pattern=r"^[0-9a-z:-]+$",
        examples=["6f1c0c5e-2f6e-4d4b-9a57-0f7c3f1f2a10"],
    )
    actor: str | SkipJsonSchema[None] = Described(
        default=None, max_length=100, pattern=r"^[^\x00]+$", examples=["account j.okafor"]
    )
    from_: date | SkipJsonSchema[None] = Described(
        default=None, alias="from", description="First London day", examples=["2025-03-01"]
    )
    until: date | SkipJsonSchema[None] = Described(
        default=None, description="Last London day, included", examples=["2025-03-31"]
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        days = [day for day in (self.from_, self.until) if day]
        if any(not 2000 <= day.year <= 2099 for day in days):
            raise ValueError("days must lie in the years 2000 to 2099")
        if days != sorted(days):
            raise ValueError("from must not be after until")
        return self


_BY_NUMBER: list[Any] = [col(Entry.number)]
_BAD_PAGE = wrong("after", "is not a page of this list")


@router.get(
    "/journal",
    summary="Who changed what?",
    response_model=Page[JournalEntry],
    response_description="A page of the journal, newest first",
    responses=responses(_BAD_PAGE),
)
def read_journal(
    asked: Annotated[JournalAsked, Query()], register: Register, reader: Reader
) -> Response:
    """Every change of the register, newest first. Accounts are shown to administrators alone."""
    statement = select(Entry)
    for name in ("subject", "subject_id", "actor"):
        if (value := getattr(asked, name)) is not None:
            statement = statement.where(getattr(Entry, name) == value)
    if asked.from_:
        statement = statement.where(col(Entry.at) >= effective(asked.from_))
    if asked.until:
        statement = statement.where(col(Entry.at) < effective(asked.until + timedelta(days=1)))
    if Role.ADMINISTRATOR not in reader.roles:
        statement = statement.where(col(Entry.subject).not_in(ABOUT_PEOPLE))
    return register.read(
        lambda session: page(session, statement, _BY_NUMBER, asked, _entry, newest_first=True)
    )


@router.get(
    "/venues/{venue_id}/journal",
    summary="The whole story of a venue",
    response_model=Page[JournalEntry],
    response_description="A page of the story, from its beginning",
    responses=responses(none_such(Venue), _BAD_PAGE),
)
def read_venue_story(venue_id: UUID, paging: Paged, register: Register, _: Reader) -> Response:
    """Everything that was recorded of a venue, of whatever kind, in the order it was recorded."""

    def story(session: Session) -> Page[JournalEntry]:
        if session.get(Venue, venue_id) is None:
            raise none_such(Venue)
        ids = [str(id_) for id_ in records_of(session, venue_id)]
        statement = select(Entry).where(col(Entry.subject_id).in_(ids))
        return page(session, statement, _BY_NUMBER, paging, _entry)

    return register.read(story)


def records_of(session: Session, venue_id: UUID) -> set[UUID]:
    """The ids of a venue, of all that was recorded of it, and of what that goes into."""
    venue = _tables()[str(Venue.__tablename__)]
    ours: dict[str, set[UUID]] = {venue.name: {venue_id}}
    for table, key in _pointing_at(venue):
        ours[table.name] = _ids(session, table.c.id, key == venue_id)
    for parent in [_tables()[name] for name in ours if name != venue.name]:
        for table, key in _pointing_at(parent):
            if table.name not in ours:
                ours[table.name] = _ids(session, table.c.id, key.in_(ours[parent.name]))
    for name in TOLD_WITH:
        for table, key in _pointing_at(_tables()[name]):
            if table.name in ours:
                ours[name] = _ids(session, key, table.c.id.in_(ours[table.name]))
    return set().union(*ours.values())


def _tables() -> Any:
    return SQLModel.metadata.tables


def _pointing_at(target: sa.Table) -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """The tables with a key of another one, and that column."""
    for table in SQLModel.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table is target and "id" in table.c:
                yield table, key.parent


def _ids(session: Session, id_: sa.Column[Any], condition: Any) -> set[UUID]:
    return set(session.scalars(sa.select(id_).where(condition)))


def _entry(found: Entry) -> JournalEntry:
    before, after = (orjson.loads(text) if text else {} for text in (found.before, found.after))
    happened = Happened.CHANGED if before and after else None
    return JournalEntry(
        number=found.number,
        at=found.at,
        actor=found.actor,
        happened=happened or (Happened.RECORDED if after else Happened.REMOVED),
        subject=found.subject,
        subject_id=found.subject_id,
        changes=[
            FieldChange(field=name, before=before.get(name), after=after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ],
    )
